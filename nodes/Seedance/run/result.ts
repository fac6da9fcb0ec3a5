/** The result of one input item. */
import type { IBinaryData, IDataObject } from 'n8n-workflow';

import { failedItem } from '../../shared/n8n/onError';
import { unexpectedError, type Problem } from '../../shared/task/errors';
import type { Task } from '../../shared/task/task';
import { taskItem, unreadTaskItem, type TaskSeed } from '../../shared/task/taskItem';
import { outputOfRefused, type Output } from './parameters';
import type { Run } from './run';

export interface Result {
	seed: TaskSeed;
	/** The last reading, if there was one. */
	task?: Task;
	problem?: Problem;
	/** Seconds that the video took, where this run has started it and has seen its end. */
	seconds?: number;
	/** The API's response to the POST, for a task that was not read since. */
	raw?: IDataObject;
	/** How the item is output; absent where there is nothing to output. */
	output?: Output;
	/** The whole item, where it is no task. */
	json?: IDataObject;
	/** Several items in place of one, where they are no tasks. */
	items?: IDataObject[];
	/** A hint about them above the output. */
	note?: string;
	/** Left out: it was handed on before. */
	isSkipped?: true;
	/** Not started only because another item ended the run. */
	isBystander?: boolean;
	file?: { field: string; binary: IBinaryData };
}

export const NO_SEED: TaskSeed = {
	taskId: null,
	model: null,
	prompt: null,
	estimatedCredits: null,
};

/** Whether a task of this item is still being made, as far as it was read. */
export function isRunning({ seed, task, problem }: Result): boolean {
	if (problem) return false;
	return task ? task.state === 'running' : seed.taskId !== null;
}

/** The item of a result in the fixed shape, with what went wrong. */
export function itemOf(result: Result): IDataObject {
	const { seed, task, problem } = result;
	const created = seed.taskId !== null || problem === undefined;
	const item = task ? taskItem(task, seed) : unreadTaskItem(seed, created);
	if (!problem) return item;
	return failedItem(item, problem);
}

/**
 * One result per item. A missing one becomes an unexpected error, so that it is never reported as
 * free.
 */
export function forEveryItem({ input }: Run, results: readonly Result[]): Result[] {
	return input.map(
		(_, index) => results[index] ?? { seed: NO_SEED, problem: unexpectedError('', undefined) },
	);
}

/** The same problem for every item, because it concerns the node and not one of them. */
export function sameForAll({ input, context }: Run, problem: Problem): Result[] {
	return input.map((_, index) => ({
		seed: NO_SEED,
		problem,
		output: outputOfRefused(context, index),
	}));
}
