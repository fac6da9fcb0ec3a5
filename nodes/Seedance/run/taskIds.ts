/** The tasks that Get Status and Wait for Video read: the Task ID of each item, checked. */
import { invalidInput } from '../../shared/task/errors';
import { isTaskId } from '../../shared/task/task';
import { checkTaskId, quote } from '../../shared/task/values';
import { itemCredential } from './itemCredential';
import { NO_SEED } from './result';
import { fieldProblems, rawFields, readOutput, readTogether } from './parameters';
import type { Run } from './run';
import type { ItemState } from './watch';

async function pendingTask(
	run: Run,
	itemIndex: number,
	downloadsByDefault: boolean,
): Promise<ItemState> {
	const { context } = run;
	const refused = (problems: readonly string[]) => ({
		result: { seed: NO_SEED, problem: invalidInput(problems) },
	});
	try {
		const { raw, output } = readTogether({
			raw: () => rawFields(context, itemIndex, ['taskId']),
			output: () => readOutput(context, itemIndex, downloadsByDefault),
		});
		const given = checkTaskId(raw.taskId);
		if (!given.ok) return refused(given.problems);
		const taskId = given.value;
		if (!isTaskId(taskId)) return refused([`Task ID ${quote(taskId)} is not a task ID.`]);
		run.taskIds.set(itemIndex, taskId);
		const seed = { ...NO_SEED, taskId };
		const found = await itemCredential(run, itemIndex, taskId);
		if ('problem' in found) return { result: { seed, problem: found.problem } };
		const { credential } = found;
		return { pending: { itemIndex, taskId, credential, seed, isNew: false, output } };
	} catch (error) {
		return refused(fieldProblems(error));
	}
}

/** One task per item, in order, or why the item has no usable one. */
export async function pendingTasks(run: Run, downloadsByDefault: boolean): Promise<ItemState[]> {
	const tasks: ItemState[] = [];
	for (const itemIndex of run.input.keys()) {
		tasks.push(await pendingTask(run, itemIndex, downloadsByDefault));
	}
	return tasks;
}
