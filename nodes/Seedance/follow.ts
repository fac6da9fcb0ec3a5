/** From task ids to results: read or watch all tasks together, then download what is ready. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { getTask, getTaskPatiently, PARALLEL_READS, type Account, type Read } from '../shared/api';
import { limiter, type Clock } from '../shared/clock';
import { downloadVideo, PARALLEL_DOWNLOADS } from '../shared/download';
import {
	contactLost,
	downloadFailed,
	noVideo,
	readRefused,
	stopped,
	taskFailed,
	timedOut,
} from '../shared/errors';
import type { KnownTask, Task } from '../shared/task';
import { timeoutMs, watchTasks, type Ending } from '../shared/waiting';
import { isTool, type Options, type Output } from './parameters';
import type { Result } from './results';

/** A task to look at: the item it belongs to, its id, and the account that may read it. */
export interface Followed {
	itemIndex: number;
	taskId: string;
	account: Account;
	known: KnownTask;
	/** Started by this very run. */
	isNew: boolean;
	/** The API's answer to the POST, where this run sent it. */
	raw?: IDataObject;
	output: Output;
}

/** The result of a task that has ended: failed and "no video" are problems. */
export function resultOfTask(known: KnownTask, task: Task): Result {
	if (task.state === 'failed') {
		const problem = taskFailed(task.taskId, task.errorMessage, task.consumedCredits);
		return { known, task, problem };
	}
	if (task.state === 'succeeded' && !task.videoUrl) {
		return { known, task, problem: noVideo(task.taskId, task.consumedCredits) };
	}
	return { known, task };
}

function resultOfEnding(
	followed: Followed,
	ending: Ending,
	minutes: number,
	isWorkflowLimit: boolean,
): Result {
	const { known, taskId } = followed;
	switch (ending.outcome) {
		case 'finished':
			return resultOfTask(known, ending.task);
		case 'timeout':
			return { known, problem: timedOut(taskId, minutes, ending.statusWord, isWorkflowLimit) };
		case 'lost':
			return { known, problem: contactLost(taskId, ending.failure) };
		case 'refused':
			return { known, problem: readRefused(taskId, ending.failure) };
		case 'stopped':
			return { known, problem: stopped(taskId) };
	}
}

/**
 * Watches all tasks until each has ended, within the Timeout and the workflow's own time limit.
 * `startedAt` (milliseconds): when this node began; the start of the execution is not visible to it.
 */
export async function watchAll(
	context: IExecuteFunctions,
	tasks: readonly Followed[],
	options: Options,
	clock: Clock,
	startedAt: number,
): Promise<Result[]> {
	const settings = context.getWorkflowSettings?.();
	const limit = timeoutMs(options.timeout, settings?.executionTimeout, clock.now() - startedAt);
	const isWorkflowLimit = limit < options.timeout * 60_000;
	const endings = await watchTasks(
		tasks.map(({ account, taskId, isNew }) => ({
			isNew,
			read: async () => await getTask(context, account, taskId, clock),
		})),
		{ timeoutMs: limit, intervalMs: options.pollInterval * 1000 },
		clock,
	);
	return endings.map((ending, index) => ({
		...resultOfEnding(tasks[index], ending, limit / 60_000, isWorkflowLimit),
		output: tasks[index].output,
	}));
}

/** Reads each task once (passing trouble is asked again). A failed task is an answer, not a problem. */
export async function readAll(
	context: IExecuteFunctions,
	tasks: readonly Followed[],
	clock: Clock,
): Promise<Result[]> {
	const inTurn = limiter(PARALLEL_READS);
	return await Promise.all(
		tasks.map(async ({ known, taskId, account, output }): Promise<Result> => {
			const read: Read = await inTurn(
				async () => await getTaskPatiently(context, account, taskId, clock),
			);
			if (read.outcome === 'task') return { known, task: read.task, output };
			const lost = read.outcome === 'transient';
			const { failure } = read;
			return { known, problem: lost ? contactLost(taskId, failure) : readRefused(taskId, failure) };
		}),
	);
}

/** Adds the file to every result whose video is ready, where Download Video is on. */
export async function downloadAll(
	context: IExecuteFunctions,
	results: readonly Result[],
	clock: Clock,
): Promise<void> {
	if (isTool(context)) return;
	const inTurn = limiter(PARALLEL_DOWNLOADS);
	await Promise.all(
		results.map(async (result) => {
			const { task, problem, output } = result;
			const field = output?.fileField;
			if (!field || problem || task?.state !== 'succeeded' || !task.videoUrl) return;
			const url = task.videoUrl;
			const got = await inTurn(async () => await downloadVideo(context, url, task.taskId, clock));
			if (got.ok) result.file = { field, binary: got.binary };
			else result.problem = downloadFailed(task.taskId, url, got.why, got.expired);
		}),
	);
}
