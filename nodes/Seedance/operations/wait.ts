/** Wait for Video: waits for videos that were started before, all together, without paying again. */
import { invalidInput } from '../../shared/errors';
import { watchAll } from '../follow';
import { readOptions } from '../parameters';
import { inOrder, sameForAll, type Result } from '../results';
import type { Run } from '../run';
import { tasksOf } from './tasks';

/** Gives one result per item, in order. */
export async function wait(run: Run): Promise<Result[]> {
	const { options, problems } = readOptions(run.context);
	if (problems.length) return sameForAll(run.count, invalidInput(problems));
	const { pending, failed } = await tasksOf(run, true);
	const results = new Map(failed);
	const ended = await watchAll(run, pending, options);
	ended.forEach((result, index) => results.set(pending[index].itemIndex, result));
	return inOrder(run.count, results);
}
