/** Generate Without Waiting: starts the videos and gives their task ids at once. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Clock } from '../../shared/clock';
import { invalidInput } from '../../shared/errors';
import { readOptions } from '../parameters';
import { inOrder, sameForAll, type Result } from '../results';
import { submitAll } from '../submit';

/** Gives one result per item, in order: a task that was started, or why not. */
export async function generate(context: IExecuteFunctions, clock: Clock): Promise<Result[]> {
	const count = context.getInputData().length;
	const { options, problems } = readOptions(context);
	if (problems.length) return sameForAll(count, invalidInput(problems));
	const { followed, failed } = await submitAll(context, options, clock);
	const results = new Map(failed);
	for (const { itemIndex, known, output, raw } of followed) {
		results.set(itemIndex, { known, output, raw });
	}
	return inOrder(count, results);
}
