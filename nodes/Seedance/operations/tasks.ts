/** The tasks that Get Status and Wait for Video read: the Task ID of each item, checked. */
import { invalidInput } from '../../shared/errors';
import { textOf } from '../../shared/json';
import { isTaskId } from '../../shared/task';
import { shorten } from '../../shared/videoRequest';
import { accountOf } from '../account';
import type { PendingTask } from '../follow';
import { readOutput, unreadable, type Output } from '../parameters';
import { NOTHING_KNOWN, type Result } from '../results';
import type { Run } from '../run';

async function taskOf(
	{ context }: Run,
	itemIndex: number,
	downloadsByDefault: boolean,
): Promise<PendingTask | { result: Result }> {
	let value: unknown;
	let output: Output;
	try {
		value = context.getNodeParameter('taskId', itemIndex, '');
		output = readOutput(context, itemIndex, downloadsByDefault);
	} catch (error) {
		const problem = invalidInput([unreadable('A field', error)]);
		return { result: { known: NOTHING_KNOWN, problem } };
	}
	const taskId = textOf(value);
	if (taskId === undefined) {
		const problem = invalidInput([
			'Task ID is empty. Map the task_id that generating the video gave.',
		]);
		return { result: { known: NOTHING_KNOWN, problem } };
	}
	if (!isTaskId(taskId)) {
		const problem = invalidInput([`Task ID "${shorten(taskId, 60)}" is not a task ID.`]);
		return { result: { known: NOTHING_KNOWN, problem } };
	}
	const known = { ...NOTHING_KNOWN, taskId };
	const found = await accountOf(context, itemIndex, taskId);
	if ('problem' in found) return { result: { known, problem: found.problem } };
	return { itemIndex, taskId, account: found.account, known, isNew: false, output };
}

/** The tasks of all items, and the items without a usable one. */
export async function tasksOf(
	run: Run,
	downloadsByDefault: boolean,
): Promise<{ pending: PendingTask[]; failed: Map<number, Result> }> {
	const pending: PendingTask[] = [];
	const failed = new Map<number, Result>();
	for (let itemIndex = 0; itemIndex < run.count; itemIndex++) {
		const task = await taskOf(run, itemIndex, downloadsByDefault);
		if ('result' in task) failed.set(itemIndex, task.result);
		else pending.push(task);
	}
	return { pending, failed };
}
