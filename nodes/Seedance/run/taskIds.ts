/** The tasks that Get Status and Wait for Video read: the Task ID of each item, checked. */
import { unreadInput } from '../../shared/task/errors';
import { isTaskId } from '../../shared/task/task';
import { checkTaskId, quote } from '../../shared/task/values';
import { itemCredential } from './itemCredential';
import { NO_SEED } from './result';
import { FieldError } from './fieldReading';
import { fieldProblems, outputOfRefused, rawFields, readOutput, readTogether } from './parameters';
import type { Run } from './run';
import type { ItemState } from './watch';

/** The Task ID of an item. Throws a {@link FieldError} where it has no usable one. */
function readTaskId({ context }: Run, itemIndex: number): string {
	const given = checkTaskId(rawFields(context, itemIndex, ['taskId']).taskId);
	if (!given.ok) throw new FieldError(given.problems);
	if (isTaskId(given.value)) return given.value;
	throw new FieldError([`Task ID ${quote(given.value)} is not a task ID.`]);
}

/** How the items are read. */
interface Reading {
	downloadsByDefault: boolean;
	/** What is wrong with settings that concern all items. */
	problems?: readonly string[];
}

async function pendingTask(
	run: Run,
	itemIndex: number,
	{ downloadsByDefault, problems = [] }: Reading,
): Promise<ItemState> {
	let seed = NO_SEED;
	try {
		const { taskId, output } = readTogether({
			// Kept whatever else is wrong: the task may have been paid for.
			taskId: () => {
				const id = readTaskId(run, itemIndex);
				seed = { ...NO_SEED, taskId: id };
				run.taskIds.set(itemIndex, id);
				return id;
			},
			output: () => readOutput(run.context, itemIndex, downloadsByDefault),
			others: () => {
				if (problems.length) throw new FieldError(problems);
			},
		});
		const found = await itemCredential(run, itemIndex, taskId);
		if ('problem' in found) return { result: { seed, problem: found.problem } };
		const { credential } = found;
		return { pending: { itemIndex, taskId, credential, seed, isNew: false, output } };
	} catch (error) {
		return { result: { seed, problem: unreadInput(fieldProblems(error), seed.taskId) } };
	}
}

/** One task per item, in order, or why the item has no usable one. */
export async function pendingTasks(run: Run, reading: Reading): Promise<ItemState[]> {
	const tasks: ItemState[] = [];
	for (const itemIndex of run.input.keys()) {
		const one = await pendingTask(run, itemIndex, reading);
		const isUsable = !('result' in one);
		tasks.push(
			isUsable
				? one
				: { result: { ...one.result, output: outputOfRefused(run.context, itemIndex) } },
		);
	}
	return tasks;
}
