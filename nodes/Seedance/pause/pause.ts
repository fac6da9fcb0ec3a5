/**
 * Pause Until Callback: one suspended execution waits for all its videos. The results so far are
 * stored in the execution: on resuming, nothing is evaluated again, so nothing is paid for again.
 */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { unreachableReason } from '../../shared/task/publicUrl';
import { hasEnded, readTask } from '../../shared/task/task';
import type { Checked } from '../../shared/task/values';
import { itemCredential } from '../run/itemCredential';
import { type Result } from '../run/result';
import { itemsOf } from '../run/output';
import { fieldProblems, waitMethodOf, type Options, type Output } from '../run/parameters';
import type { CallbackOf } from '../run/prepare';
import type { Run } from '../run/run';
import {
	finished,
	readTaskWithRetry,
	resultOfTask,
	waitLimit,
	watchAll,
	type ItemState,
	type PendingTask,
} from '../run/watch';
import { resumeListing } from '../videoList/resumeListing';
import { storedReadings, suspend } from './n8nSuspension';
import { keepPause, readPause, type Pause } from './pauseState';
import { resumeUrlOf } from './resumeAddress';

/**
 * The pause that this run of the node resumes; undefined when it runs for the first time, or is
 * retried.
 */
export function storedPause({ context, runIndex, executionId }: Run): Pause | undefined {
	const pause = readPause(context.getContext('node'));
	if (typeof pause === 'string') return undefined;
	const isMine = pause.runIndex === runIndex && pause.executionId === executionId;
	return isMine ? pause : undefined;
}

/** Modes in which the node keeps checking (docs/n8n-behaviour.md#where-n8n-cannot-pause). */
const CANNOT_PAUSE = ['integrated', 'evaluation', 'retry'];

/**
 * Whether Wait Method is Pause Until Callback; a problem where the field cannot be read. Never
 * throws.
 */
export function wantsPause(context: IExecuteFunctions): { pauses: boolean; problem?: string } {
	try {
		return { pauses: waitMethodOf(context) === 'callback' };
	} catch (error) {
		return { pauses: false, problem: fieldProblems(error).join(' ') };
	}
}

/**
 * Whether this run can pause. Not as an AI tool, in a sub-workflow, in an unsaved workflow, or when
 * it is retried: the callbacks of remembered tasks lead to the execution that failed.
 */
export function canPause({ context, isTool, mode }: Run): boolean {
	return !isTool && Boolean(context.getWorkflow().id) && !CANNOT_PAUSE.includes(mode);
}

const KEEP_CHECKING = 'set Wait Method to "Keep Checking"';

/**
 * The callback URL of every item: the one that resumes this execution at this node. Refused where
 * the API cannot reach it, or where the account depends on the item: a callback comes without
 * items. Throws what n8n throws where it cannot evaluate its resume URL.
 */
export async function resumeCallback(run: Run): Promise<CallbackOf> {
	const url = resumeUrlOf(run.context);
	const withoutItem = await itemCredential(run, run.input.length);
	const common = 'problem' in withoutItem ? undefined : withoutItem.credential;
	return (_, credential): Checked<string> => {
		if (credential.apiKey !== common?.apiKey || credential.baseUrl !== common.baseUrl) {
			return {
				ok: false,
				problems: [
					`Pause Until Callback needs one account for all items, but the credential takes it from the item. Use a credential with a fixed API key and base URL, or ${KEEP_CHECKING}.`,
				],
			};
		}
		const reason = unreachableReason(url, credential.reach);
		if (!reason) return { ok: true, value: url };
		return {
			ok: false,
			problems: [
				`Pause Until Callback is not supported here: the address of this n8n ${reason}. Set N8N_WEBHOOK_URL (WEBHOOK_URL before n8n 2.41) to its public address, or ${KEEP_CHECKING}.`,
			],
		};
	};
}

/** Whether there is nothing to wait for: not started, failed, or ready. */
export function isDone({ problem, task }: Result): boolean {
	return problem !== undefined || (task !== undefined && hasEnded(task));
}

/**
 * Milliseconds for reading a task before the pause; meanwhile n8n refuses the callbacks of the
 * others.
 */
const READ_BEFORE_PAUSE_MS = 20_000;

/** Without a file: Download Video is not offered with Pause Until Callback. */
function withoutFile(output: Output): Output {
	return { ...output, fileField: undefined };
}

/** One task as it was read right before the pause. */
interface Reading {
	task: PendingTask;
	result: Result;
	/** A success without its video: its callback has come already, and no other will. */
	awaitsVideo: boolean;
}

/**
 * Reads a task once, and again after transient failures, so that an end reported while this
 * execution still ran is not missed (docs/n8n-behaviour.md#callback-before-the-pause).
 */
async function readBeforePause(run: Run, pending: PendingTask, deadline: number): Promise<Reading> {
	const { seed } = pending;
	const output = withoutFile(pending.output);
	const until = Math.min(deadline, run.clock.now() + READ_BEFORE_PAUSE_MS);
	const read = await readTaskWithRetry(run, pending, until);
	const task = read.outcome === 'task' ? read.task : undefined;
	const isOver = task !== undefined && hasEnded(task);
	return {
		task: { ...pending, output, isNew: false },
		result: { ...(isOver ? resultOfTask(seed, task) : { seed }), output },
		awaitsVideo: !isOver && task?.state === 'succeeded',
	};
}

/**
 * Suspends the execution until a callback, unless no callback is left to come. Gives one result per
 * item. When it suspends, the results lose their problems, so that the node does not stop; the
 * stored items keep them. Throws what n8n throws when it cannot suspend.
 */
export async function pauseFor(
	run: Run,
	items: readonly ItemState[],
	options: Options,
): Promise<Result[]> {
	const { context, clock, onError } = run;
	const models = items.flatMap((item) => ('pending' in item ? item.pending.seed.model : []));
	const { deadline } = waitLimit(run, options, models);
	let readings: Reading[] = [];
	const results = await finished(items, async (tasks) => {
		readings = await Promise.all(
			tasks.map(async (task) => await readBeforePause(run, task, deadline)),
		);
		return readings.map(({ result }) => result);
	});
	const open = readings.filter(({ result }) => !isDone(result));
	if (open.every(({ awaitsVideo }) => awaitsVideo)) {
		const ended = results.map((result): ItemState => {
			const reading = open.find((one) => one.result === result);
			return reading ? { pending: reading.task } : { result };
		});
		return await finished(ended, async (tasks) => await watchAll(run, tasks, options));
	}

	const videos = run.listing?.videos;
	await videos?.keepUntil(deadline);
	run.listing = run.listing && { ...run.listing, videos: undefined };
	keepPause(context.getContext('node'), {
		runIndex: run.runIndex,
		executionId: run.executionId,
		pausedAt: clock.now(),
		claim: videos?.claim,
		results,
	});
	// When the time is up, n8n hands these on without running the node
	// (docs/n8n-behaviour.md#timer-resume).
	const atTimeout = itemsOf(results, {
		onError: onError === 'stop' ? 'continue' : onError,
		isTool: false,
		input: run.input,
	});
	await suspend(context, new Date(deadline), atTimeout);
	return results.map((result) => ({ ...result, problem: undefined }));
}

/** The state of one item of a pause: its result, or its task where that has to be read. */
async function resumedItem(
	run: Run,
	itemIndex: number,
	result: Result,
	readings: ReadonlyMap<unknown, IDataObject>,
): Promise<ItemState> {
	const { seed } = result;
	const { taskId } = seed;
	if (isDone(result) || taskId === null) return { result };
	const output = withoutFile(result.output ?? { simplify: true, includeInput: false });
	// The key was cut out before this was stored.
	const task = readTask(taskId, readings.get(taskId), '');
	if (task && hasEnded(task)) return { result: { ...resultOfTask(seed, task), output } };
	const found = await itemCredential(run, itemIndex, taskId);
	if ('problem' in found) return { result: { seed, problem: found.problem, output } };
	const { credential } = found;
	return { pending: { itemIndex, taskId, credential, seed, isNew: false, output } };
}

/**
 * Resumes after a pause: tasks that the callback has read are not read again, the others are
 * watched to their end. No request is evaluated or sent again. Gives one result per item.
 */
export async function resumeRun(
	run: Run,
	{ results, claim }: Pause,
	options: Options,
): Promise<Result[]> {
	run.listing = await resumeListing(run, options, claim, results);
	const readings = new Map(
		storedReadings(run.context).map((data): [unknown, IDataObject] => [data.task_id, data]),
	);
	const items: ItemState[] = [];
	for (const [itemIndex, result] of results.entries()) {
		items.push(await resumedItem(run, itemIndex, result, readings));
	}
	return await finished(items, async (tasks) => await watchAll(run, tasks, options));
}
