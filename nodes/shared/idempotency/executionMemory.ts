/**
 * The execution's memory of the POSTs a node has sent, so that Retry On Fail and a retried
 * execution go on with paid tasks instead of paying again. It is stored in n8n's node context,
 * which survives both, but not Stop, a crash or a new run (docs/n8n-behaviour.md#node-context).
 *
 * Rules that must not regress:
 * - a video is known by its run, its item and the node's settings as they stand in the workflow,
 *   never by what an expression gives: that may be another value at each try;
 * - `sending` is stored before the POST, and removed only when the POST certainly created nothing;
 * - a call for a video whose POST is in flight gets the outcome of that POST
 *   (docs/n8n-behaviour.md#calls-at-the-same-moment).
 */
import type { IContextObject, IDataObject } from 'n8n-workflow';

import type { Problem } from '../task/errors';
import { isObject, numberOf, textOf } from '../json';
import type { Task } from '../task/task';
import type { MemoryKeys } from './identity';

/** The entry of one item: none, a POST without a known outcome, or its task. */
export type Remembered =
	| { state: 'none' }
	| { state: 'sending' }
	| ({ state: 'created' } & Pick<CreatedTask, 'taskId' | 'reused'> & Partial<CreatedTask>);

/**
 * A task that another execution has paid for: `takenOver` to be handed on by this one, or `shared`
 * with the one that hands it on.
 */
export type Reused = 'takenOver' | 'shared';

/** A task as it is remembered. */
export interface CreatedTask {
	taskId: string;
	/**
	 * The value of the node's field Model; absent in entries of an earlier version of this package.
	 */
	model?: string;
	/** The execution that made it, to distinguish a retry by a person from an automatic one. */
	executionId: string;
	/** Milliseconds since 1970. */
	createdAt: number;
	reused?: Reused;
	/** How often this video was restarted after a task had failed without a charge. */
	restarts?: number;
}

/**
 * The outcome of one POST: a task, with the API's response where this run has it, or why there is
 * none.
 */
export type Sent =
	| (Pick<CreatedTask, 'taskId' | 'model' | 'reused' | 'restarts'> & {
			createdAt?: number;
			executionId?: string;
			task?: Task;
			raw?: IDataObject;
	  })
	| {
			problem: Problem;
			/** Nothing more can be started with this account. */
			endsAccount?: boolean;
			/** It was refused with 429, perhaps with the milliseconds after which to ask again. */
			limited?: { retryAfterMs?: number };
	  };

const FIELD = 'seedance';
/** Version 1, without a number, had the entries themselves in the field. */
const VERSION = 2;

export interface ExecutionMemory {
	/** The entry of a video, under any of its keys. */
	recall(keys: MemoryKeys): Remembered;
	/** The POST in flight for the same video, if there is one. */
	inFlight(keys: MemoryKeys): Promise<Sent> | undefined;
	/** Keeps a POST as in flight until it has ended. Call it in the same tick as `recall`. */
	hold(keys: MemoryKeys, sent: Promise<Sent>): void;
	/** Stores that a POST is about to be sent. Call it right before. */
	sending(keys: MemoryKeys): void;
	/** Stores the task of a video, in place of its entry. */
	created(keys: MemoryKeys, task: CreatedTask): void;
	/** Removes the entry: the POST certainly created nothing, or a person retries a failed task. */
	forget(keys: MemoryKeys): void;
	/** The IDs of all tasks of one run of the node, by item. */
	tasksOfRun(runIndex: number, count: number): Map<number, string>;
}

type Entries = Record<string, unknown>;

/** The POSTs in flight, by their memory. */
const posts = new WeakMap<Entries, Map<string, Promise<Sent>>>();

function postsOf(entries: Entries): Map<string, Promise<Sent>> {
	const own = posts.get(entries) ?? new Map<string, Promise<Sent>>();
	posts.set(entries, own);
	return own;
}

function entriesIn(context: IContextObject): Entries {
	const stored: unknown = context[FIELD];
	if (isObject(stored) && isObject(stored.tasks) && typeof stored.version === 'number') {
		return stored.tasks;
	}
	const tasks: Entries = isObject(stored) ? stored : {};
	context[FIELD] = { version: VERSION, tasks };
	return tasks;
}

function rememberedOf(entry: unknown): Remembered {
	// An entry that cannot be read belongs to a POST that was sent.
	if (!isObject(entry)) return { state: 'sending' };
	const taskId = textOf(entry.taskId);
	if (taskId === undefined) return { state: 'sending' };
	const { reused } = entry;
	const restarts = numberOf(entry.restarts) ?? 0;
	return {
		state: 'created',
		taskId,
		model: textOf(entry.model),
		executionId: textOf(entry.executionId),
		createdAt: numberOf(entry.createdAt) ?? undefined,
		...((reused === 'takenOver' || reused === 'shared') && { reused }),
		...(restarts > 0 && { restarts }),
	};
}

/** The memory in a node's context object. */
export function executionMemory(context: IContextObject): ExecutionMemory {
	const entries = entriesIn(context);
	const inFlight = postsOf(entries);
	const find = (keys: MemoryKeys) => keys.find((key) => Object.hasOwn(entries, key));
	return {
		recall: (keys) => {
			const key = find(keys);
			return key === undefined ? { state: 'none' } : rememberedOf(entries[key]);
		},
		inFlight: ([key]) => inFlight.get(key),
		hold: ([key], sent) => {
			inFlight.set(key, sent);
			const end = () => inFlight.delete(key);
			sent.then(end, end);
		},
		sending: ([key]) => {
			entries[key] = { state: 'sending' };
		},
		created: ([key], task) => {
			entries[key] = { state: 'created', ...task };
		},
		forget: (keys) => {
			for (const key of keys) delete entries[key];
		},
		tasksOfRun: (runIndex, count) => {
			const found = Object.entries(entries).flatMap(([key, entry]): Array<[number, string]> => {
				const [run, item] = key.split(':').map(Number);
				const remembered = rememberedOf(entry);
				const isOne = run === runIndex && item < count && remembered.state === 'created';
				return isOne ? [[item, remembered.taskId]] : [];
			});
			return new Map(found);
		},
	};
}
