/** Generate and Wait: starts the videos, watches them all together, and gives them out when ready. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Clock } from '../../shared/clock';
import { invalidInput } from '../../shared/errors';
import { onErrorOf } from '../../shared/onError';
import { downloadAll, watchAll } from '../follow';
import { readOptions } from '../parameters';
import { inOrder, sameForAll, type Result } from '../results';
import { submitAll } from '../submit';

/** Gives one result per item, in order. */
export async function generateAndWait(context: IExecuteFunctions, clock: Clock): Promise<Result[]> {
	const startedAt = clock.now();
	const count = context.getInputData().length;
	const { options, problems } = readOptions(context);
	if (problems.length) return sameForAll(count, invalidInput(problems));
	const { followed, failed } = await submitAll(context, options, clock);
	const results = new Map(failed);
	// With Stop, an item that could not be started ends the node at once; Retry goes on with the others.
	if (failed.size > 0 && onErrorOf(context) === 'stop') {
		for (const { itemIndex, known } of followed) results.set(itemIndex, { known });
		return inOrder(count, results);
	}
	const ended = await watchAll(context, followed, options, clock, startedAt);
	ended.forEach((result, index) => results.set(followed[index].itemIndex, result));
	const ordered = inOrder(count, results);
	await downloadAll(context, ordered, clock);
	return ordered;
}
