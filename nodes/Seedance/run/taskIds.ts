/** The tasks that Get Status and Wait for Video read: the Task ID of each item, checked. */
import { invalidInput } from '../../shared/task/errors';
import { isTaskId } from '../../shared/task/task';
import { checkTaskId, quote, type Checked } from '../../shared/task/values';
import { itemCredential } from './itemCredential';
import type { PendingTask } from './watch';
import { fieldProblems, rawFields, readOutput, readTogether, type Output } from './parameters';
import { NO_SEED, type Result } from './output';
import type { Run } from './run';

async function pendingTask(
	run: Run,
	itemIndex: number,
	downloadsByDefault: boolean,
): Promise<PendingTask | { result: Result }> {
	const { context } = run;
	const refused = (problems: readonly string[]) => ({
		result: { seed: NO_SEED, problem: invalidInput(problems) },
	});
	let given: Checked<string>;
	let output: Output;
	try {
		const read = readTogether({
			raw: () => rawFields(context, itemIndex, ['taskId']),
			output: () => readOutput(context, itemIndex, downloadsByDefault),
		});
		given = checkTaskId(read.raw.taskId);
		output = read.output;
	} catch (error) {
		return refused(fieldProblems(error));
	}
	if (!given.ok) return refused(given.problems);
	const taskId = given.value;
	if (!isTaskId(taskId)) return refused([`Task ID ${quote(taskId)} is not a task ID.`]);
	run.taskIds.set(itemIndex, taskId);
	const seed = { ...NO_SEED, taskId };
	const found = await itemCredential(context, itemIndex, taskId);
	if ('problem' in found) return { result: { seed, problem: found.problem } };
	return { itemIndex, taskId, credential: found.credential, seed, isNew: false, output };
}

/** The tasks of all items, and the items without a usable one. */
export async function pendingTasks(
	run: Run,
	downloadsByDefault: boolean,
): Promise<{ pending: PendingTask[]; failed: Map<number, Result> }> {
	const pending: PendingTask[] = [];
	const failed = new Map<number, Result>();
	for (let itemIndex = 0; itemIndex < run.count; itemIndex++) {
		const task = await pendingTask(run, itemIndex, downloadsByDefault);
		if ('result' in task) failed.set(itemIndex, task.result);
		else pending.push(task);
	}
	return { pending, failed };
}
