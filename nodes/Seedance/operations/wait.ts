/** Wait for Video: waits for videos that were started before, all together, without paying again. */
import { invalidInput } from '../../shared/task/errors';
import { watchAll } from '../run/watch';
import { readOptions } from '../run/parameters';
import { inOrder, sameForAll, type Result } from '../run/output';
import type { Run } from '../run/run';
import { pendingTasks } from '../run/taskIds';

/** Gives one result per item, in order. */
export async function wait(run: Run): Promise<Result[]> {
	const { options, problems } = readOptions(run.context);
	if (problems.length) return sameForAll(run.count, invalidInput(problems));
	const { pending, failed } = await pendingTasks(run, true);
	const results = new Map(failed);
	const ended = await watchAll(run, pending, options);
	ended.forEach((result, index) => results.set(pending[index].itemIndex, result));
	return inOrder(run.count, results);
}
