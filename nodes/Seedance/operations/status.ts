/** Get Status: reads videos once that were started before. A failed task is an answer here. */
import { readAll } from '../run/watch';
import { inOrder, type Result } from '../run/output';
import type { Run } from '../run/run';
import { pendingTasks } from '../run/taskIds';

/** Gives one result per item, in order. */
export async function status(run: Run): Promise<Result[]> {
	const { pending, failed } = await pendingTasks(run, false);
	const results = new Map(failed);
	const read = await readAll(run, pending);
	read.forEach((result, index) => results.set(pending[index].itemIndex, result));
	return inOrder(run.count, results);
}
