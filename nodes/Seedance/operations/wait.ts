/** Wait for Video: waits for videos that were started before, all together, without paying again. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Clock } from '../../shared/clock';
import { invalidInput } from '../../shared/errors';
import { downloadAll, watchAll } from '../follow';
import { readOptions } from '../parameters';
import { inOrder, sameForAll, type Result } from '../results';
import { tasksOf } from './tasks';

/** Gives one result per item, in order. */
export async function wait(context: IExecuteFunctions, clock: Clock): Promise<Result[]> {
	const startedAt = clock.now();
	const count = context.getInputData().length;
	const { options, problems } = readOptions(context);
	if (problems.length) return sameForAll(count, invalidInput(problems));
	const { followed, failed } = await tasksOf(context, true);
	const results = new Map(failed);
	const ended = await watchAll(context, followed, options, clock, startedAt);
	ended.forEach((result, index) => results.set(followed[index].itemIndex, result));
	const ordered = inOrder(count, results);
	await downloadAll(context, ordered, clock);
	return ordered;
}
