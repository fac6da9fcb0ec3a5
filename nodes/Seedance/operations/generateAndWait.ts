/** Generate and Wait: starts the videos, waits for all of them together, and gives them out when ready. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Clock } from '../../shared/clock';
import { invalidInput } from '../../shared/errors';
import { onErrorOf } from '../../shared/onError';
import { downloadAll, watchAll } from '../follow';
import { readOptions } from '../parameters';
import { canPause, goOn, pauseBefore, pauseFor, resumeCallback, wantsPause } from '../pause';
import { inOrder, sameForAll, type Result } from '../results';
import { submitAll } from '../submit';

/** Gives one result per item, in order; with Pause Until Callback, what is known when the execution is suspended. */
export async function generateAndWait(context: IExecuteFunctions, clock: Clock): Promise<Result[]> {
	const startedAt = clock.now();
	const count = context.getInputData().length;
	const { options, problems } = readOptions(context);
	if (problems.length) return sameForAll(count, invalidInput(problems));
	const before = pauseBefore(context);
	if (before) return await goOn(context, before, options, clock, startedAt);

	const pauses = wantsPause(context) && canPause(context);
	const callbackOf = pauses ? resumeCallback(context) : undefined;
	const { followed, failed } = await submitAll(context, options, clock, callbackOf);
	const results = new Map(failed);
	// With Stop, an item that could not be started ends the node at once; Retry goes on with the others.
	if (failed.size > 0 && onErrorOf(context.getNode()) === 'stop') {
		for (const { itemIndex, known } of followed) results.set(itemIndex, { known });
		return inOrder(count, results);
	}
	if (pauses) return await pauseFor(context, followed, failed, options, clock, startedAt);
	const ended = await watchAll(context, followed, options, clock, startedAt);
	ended.forEach((result, index) => results.set(followed[index].itemIndex, result));
	const ordered = inOrder(count, results);
	// Not offered with Pause Until Callback, also where that could not be done: the items look alike.
	if (!wantsPause(context)) await downloadAll(context, ordered, clock);
	return ordered;
}
