/**
 * Turns task IDs into results: reads or watches all tasks together, and stores each video the
 * moment it is ready.
 */
import type { IDataObject } from 'n8n-workflow';

import type { ReadResult } from '../../shared/api/client';
import type { Credential } from '../../shared/api/credential';
import { DOWNLOAD_LIMIT_MS, fetchVideo, PARALLEL_DOWNLOADS } from '../../shared/api/download';
import { POLL_WINDOW_SECONDS } from '../../shared/api/pollInterval';
import { watchTask, type WatchResult, type Wait } from '../../shared/api/polling';
import { withRetry } from '../../shared/api/retry';
import { limiter, type Clock } from '../../shared/n8n/clock';
import { noVideo, readProblem, stopped, taskFailed, timedOut } from '../../shared/task/errors';
import { isRestartable } from '../../shared/task/restartable';
import type { Task } from '../../shared/task/task';
import type { TaskSeed } from '../../shared/task/taskItem';
import { trackTask } from './trackedTask';
import { type Result } from './result';
import { timeoutFor } from './options';
import type { Options, Output } from './parameters';
import type { ReadableTask, Run } from './run';

/** Milliseconds after which Get Status gives up, as when the API keeps asking it to slow down. */
const READ_ALL_MS = 15 * 60_000;

/** A task to read: the item it belongs to, its ID, and the credential that may read it. */
export interface PendingTask {
	itemIndex: number;
	taskId: string;
	credential: Credential;
	seed: TaskSeed;
	/** Started by this run. */
	isNew: boolean;
	/** The API's response to the POST, where this run sent it, and the task in it. */
	raw?: IDataObject;
	task?: Task;
	output: Output;
}

/** The state of one item: a task that is still to be read, or its result. */
export type ItemState = { pending: PendingTask } | { result: Result };

/**
 * One result per item, in order: `finish` gets all pending tasks together, and gives one result for
 * each.
 */
export async function finished(
	items: readonly ItemState[],
	finish: (pending: PendingTask[]) => Result[] | Promise<Result[]>,
): Promise<Result[]> {
	const ended = await finish(items.flatMap((item) => ('pending' in item ? [item.pending] : [])));
	let next = 0;
	return items.map((item) => ('result' in item ? item.result : ended[next++]));
}

/**
 * The result of a task: failed, and a success without a video, are problems. `offersRestarts`: Free
 * Restarts could be set, and is not.
 */
export function resultOfTask(seed: TaskSeed, task: Task, offersRestarts = false): Result {
	if (task.state === 'failed') {
		const { taskId, errorMessage, consumedCredits } = task;
		const couldRestart = offersRestarts && isRestartable(task);
		const problem = taskFailed(taskId, errorMessage, consumedCredits, couldRestart);
		return { seed, task, problem };
	}
	if (task.state === 'succeeded' && !task.videoUrl) {
		return { seed, task, problem: noVideo(task.taskId, task.consumedCredits) };
	}
	return { seed, task };
}

function resultOfEnding(
	{ seed, taskId }: PendingTask,
	ending: WatchResult,
	{ minutes, isWorkflowLimit, offersRestarts }: WaitLimit & { offersRestarts: boolean },
): Result {
	switch (ending.outcome) {
		case 'finished':
			return resultOfTask(seed, ending.task, offersRestarts);
		case 'timeout':
			return { seed, problem: timedOut(taskId, minutes, ending.statusWord, isWorkflowLimit) };
		case 'unavailable':
		case 'refused':
			return { seed, problem: readProblem(taskId, ending) };
		case 'stopped':
			return { seed, problem: stopped(taskId) };
	}
}

/** The limit of a wait. */
export interface WaitLimit {
	/** Milliseconds since 1970. */
	deadline: number;
	minutes: number;
	/** Whether the workflow's own limit comes before the Timeout. */
	isWorkflowLimit: boolean;
}

/**
 * The limit of a wait for tasks of these models from `startedAt` (milliseconds since 1970) on: the
 * Timeout, capped by the workflow's own limit.
 */
export function waitLimit(
	{ clock, workUntil }: Run,
	options: Options,
	models: ReadonlyArray<string | null>,
	startedAt = clock.now(),
): WaitLimit {
	const wanted = startedAt + timeoutFor(options, models) * 60_000;
	const deadline = Math.max(startedAt, Math.min(wanted, workUntil));
	return {
		deadline,
		minutes: (deadline - startedAt) / 60_000,
		isWorkflowLimit: deadline < wanted,
	};
}

/**
 * Adds the file of a video that is ready, where the item wants it. Gives another result where that
 * failed.
 */
type AddFile = (pending: PendingTask, result: Result, deadline: number) => Promise<Result>;

/** Stores the videos of one run, a few at a time. */
export function fileAdder(run: Run): AddFile {
	const inTurn = limiter(PARALLEL_DOWNLOADS);
	const { context, clock } = run;
	return async (pending, result, waitUntil) => {
		const { task, problem, output } = result;
		const field = output?.fileField;
		if (run.isTool || !field || problem || task?.state !== 'succeeded' || !task.videoUrl) {
			return result;
		}
		const url = task.videoUrl;
		return await inTurn(async () => {
			// A video may be ready right before the time is up.
			const longest = Math.max(waitUntil, clock.now() + DOWNLOAD_LIMIT_MS);
			const deadline = Math.min(longest, run.workUntil);
			const readAgain = async () => {
				const read = await run.readTask(pending, deadline);
				return read.outcome === 'task' ? read.task : undefined;
			};
			const got = await fetchVideo(context, { task, url }, { clock, deadline, readAgain });
			return got.ok
				? { ...result, task: got.task, file: { field, binary: got.binary } }
				: { ...result, task: got.task, problem: got.problem };
		});
	};
}

/** Options for watching one task. */
interface Watch {
	clock?: Clock;
	/** Called when it has ended, before its video is stored. */
	onEnd?: (result: Result) => void;
}

/**
 * Watches one task until it has ended, within the Timeout and the workflow's own time limit; stores
 * its video as soon as it is ready, where its item wants the file.
 */
export type WatchOne = (pending: PendingTask, watch?: Watch) => Promise<Result>;

/** Watches the tasks of one run. */
export function watcherOf(run: Run, options: Options, addFile = fileAdder(run)): WatchOne {
	const intervalMs = options.pollInterval * 1000;
	return async (pending, { clock = run.clock, onEnd } = {}) => {
		const { isNew, seed, output } = pending;
		const startedAt = run.clock.now();
		const task = trackTask(run, pending);
		const limit = () => waitLimit(run, options, [task.model], startedAt);
		const wait: Wait = {
			clock,
			startedAt,
			// The model of a bare task ID is known from the first read.
			get deadline() {
				return limit().deadline;
			},
			intervalMs,
			leastMs: options.isIntervalSet ? intervalMs : POLL_WINDOW_SECONDS * 1000,
		};
		const { read, generationTime } = task;
		const ending = await watchTask(
			{ read, isNew, createdAt: seed.createdAt, generationTime },
			wait,
		);
		// A new task is one of Generate and Wait, the only operation with that option.
		const offersRestarts = isNew && !run.isTool && options.restarts === 0;
		const ended = resultOfEnding(pending, ending, { ...limit(), offersRestarts });
		const result = { ...ended, seconds: task.seconds(), output };
		onEnd?.(result);
		return await addFile(pending, result, wait.deadline);
	};
}

/** Watches all tasks until each has ended. Gives one result per task, in their order. */
export async function watchAll(
	run: Run,
	tasks: readonly PendingTask[],
	options: Options,
): Promise<Result[]> {
	const watchOne = watcherOf(run, options);
	return await Promise.all(tasks.map(async (pending) => await watchOne(pending)));
}

/** Reads one task, again after transient failures, by a deadline (milliseconds since 1970). */
export async function readTaskWithRetry(
	run: Run,
	task: ReadableTask,
	deadline: number,
): Promise<ReadResult> {
	return await withRetry(async () => await run.readTask(task, deadline), run.clock, deadline);
}

/**
 * Reads each task once, again after transient failures, and stores the videos that are ready. A
 * failed task is a result, not a problem. Gives one result per task, in their order.
 */
export async function readAll(run: Run, tasks: readonly PendingTask[]): Promise<Result[]> {
	const deadline = Math.min(run.startedAt + READ_ALL_MS, run.workUntil);
	const addFile = fileAdder(run);
	return await Promise.all(
		tasks.map(async (pending): Promise<Result> => {
			const { seed, taskId, output } = pending;
			const read = await readTaskWithRetry(run, pending, deadline);
			return read.outcome === 'task'
				? await addFile(pending, { seed, task: read.task, output }, deadline)
				: { seed, problem: readProblem(taskId, read), output };
		}),
	);
}
