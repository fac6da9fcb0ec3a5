/** Generate and Wait: starts the videos, waits for all of them together, and gives them out when ready. */
import { invalidInput } from '../../shared/task/errors';
import { watchAll } from '../run/watch';
import { readOptions } from '../run/parameters';
import {
	canPause,
	resumeRun,
	pauseBefore,
	pauseFor,
	resumeCallback,
	wantsPause,
} from '../pause/pause';
import { inOrder, sameForAll, type Result } from '../run/output';
import type { Run } from '../run/run';
import { submitAll } from '../run/submit';

/** Gives one result per item, in order; with Pause Until Callback, what is known when the execution is suspended. */
export async function generateAndWait(run: Run): Promise<Result[]> {
	const { context, count, onError } = run;
	const { options, problems } = readOptions(context);
	const wait = wantsPause(context);
	if (wait.problem !== undefined) problems.push(wait.problem);
	if (problems.length) return sameForAll(count, invalidInput(problems));
	const before = pauseBefore(run);
	if (before) return await resumeRun(run, before, options);

	const pauses = wait.pauses && canPause(run);
	const callbackOf = pauses ? await resumeCallback(run) : undefined;
	const { pending, failed } = await submitAll(run, options, callbackOf);
	const results = new Map(failed);
	// With Stop, an item that could not be started ends the node at once; Retry goes on with the others.
	if (failed.size > 0 && onError === 'stop') {
		for (const { itemIndex, seed } of pending) results.set(itemIndex, { seed });
		return inOrder(count, results);
	}
	if (pauses) return await pauseFor(run, { pending, failed }, options);
	// Not offered with Pause Until Callback, also where that could not be done: the items look alike.
	const wanted = wait.pauses ? pending.map(withoutFile) : pending;
	const ended = await watchAll(run, wanted, options);
	ended.forEach((result, index) => results.set(pending[index].itemIndex, result));
	return inOrder(count, results);
}

function withoutFile<T extends { output: { fileField?: string } }>(pending: T): T {
	return { ...pending, output: { ...pending.output, fileField: undefined } };
}
