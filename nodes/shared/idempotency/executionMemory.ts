/**
 * The execution's memory of the POSTs a node has sent, so that Retry On Fail and a retried
 * execution go on with paid tasks instead of paying again. It lives in n8n's node context, which
 * survives both, and does not survive Stop, a crash or a new run
 * (docs/n8n-behaviour.md#node-context).
 *
 * Rules that must not regress:
 * - a video is known by its run, its item and the node's settings as they stand in the workflow,
 *   never by what an expression gives: that may be another value at each try;
 * - `sending` stands there before the POST, and goes only when the POST certainly made nothing;
 * - who asks for a video that is being sent at this moment gets the answer of that very POST
 *   (docs/n8n-behaviour.md#calls-at-the-same-moment).
 */
import type { IContextObject, IDataObject } from 'n8n-workflow';

import type { Problem } from '../task/errors';
import { isObject, numberOf, textOf } from '../json';
import type { Task } from '../task/task';
import type { MemoryKeys } from './identity';

/** What is remembered of one item: nothing, a POST without a known outcome, or its task. */
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
	/** The value of the node's field Model; absent where an earlier version of this package made it. */
	model?: string;
	/** The execution that made it, to tell a retry by a person from an automatic one. */
	executionId: string;
	/** Milliseconds since 1970. */
	createdAt: number;
	reused?: Reused;
	/** How often this video was started anew, because a task before it had failed for free. */
	restarts?: number;
}

/**
 * What became of one POST: a task, with the API's answer where this run has it, or why there is
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
	recall(keys: MemoryKeys): Remembered;
	/** The POST of this moment for the same video, if there is one. */
	inFlight(keys: MemoryKeys): Promise<Sent> | undefined;
	/**
	 * Holds a POST as being under way until it has ended; to be called in the same turn as `recall`.
	 */
	hold(keys: MemoryKeys, sent: Promise<Sent>): void;
	/** Right before the POST. */
	sending(keys: MemoryKeys): void;
	created(keys: MemoryKeys, task: CreatedTask): void;
	/** The POST certainly created nothing, or a person wants a failed task anew. */
	forget(keys: MemoryKeys): void;
	/** The IDs of all tasks of one run of the node, by item. */
	tasksOfRun(runIndex: number, count: number): Map<number, string>;
}

type Entries = Record<string, unknown>;

/** The POSTs of this moment, by the memory that they belong to. */
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
	// What cannot be read was a POST once.
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
