/**
 * Generate and Wait: starts the videos, waits for all of them together, and gives them out when
 * ready.
 */
import { freeFields, priceFields, requestFields } from '../description/fields';
import { sameVideoFields } from '../description/sameVideoFields';
import {
	batching,
	creditBudget,
	includeInput,
	maxAtOnce,
	maxCredits,
	optionsOf,
	pollInterval,
	restarts,
	timeout,
	videoList,
} from '../description/options';
import {
	downloadVideo,
	outputBinaryField,
	simplify,
	waitFields,
} from '../description/resultFields';
import { dropdownNotice, notAsTool } from '../description/toolFields';
import {
	canPause,
	storedPause,
	pauseFor,
	resumeCallback,
	resumeRun,
	wantsPause,
} from '../pause/pause';
import { invalidInput } from '../../shared/task/errors';
import { MODELS, usualTimeOf } from '../../shared/task/models';
import { sameForAll, type Result } from '../run/result';
import { readOptions } from '../run/parameters';
import type { Run } from '../run/run';
import { TaskWatcher } from '../run/taskWatcher';
import { submitAll } from '../run/submit';
import { finished, type ItemState } from '../run/watch';
import { flushAndReadTimes } from '../videoList/generationTimes';
import type { Operation } from './operation';

/**
 * Gives one result per item, in order; with Pause Until Callback, the results when the execution is
 * suspended.
 */
async function run(run: Run): Promise<Result[]> {
	const { options, problems } = readOptions(run.context);
	const before = storedPause(run);
	// What cannot be read any more is no reason to withhold videos that are paid for.
	if (before) return await resumeRun(run, before, options);

	const wait = wantsPause(run.context);
	if (wait.problem !== undefined) problems.push(wait.problem);
	if (problems.length) return sameForAll(run, invalidInput(problems));
	const pauses = wait.pauses && canPause(run);
	const callbackOf = pauses ? await resumeCallback(run) : undefined;
	// Pause Until Callback gives no files, also where the node cannot pause, so that its output is
	// the same.
	const watcher = new TaskWatcher(run, options, wait.pauses ? withoutFile : (pending) => pending);
	try {
		const items = await submitAll(run, options, { callbackOf, watcher });
		// Before the long wait, the list gets the outcome of the last request.
		if (pauses) await run.listing?.videos?.flush();
		else await flushAndReadTimes(run);
		// With Stop, an item that could not be started ends the node at once; Retry goes on with the
		// other tasks.
		if (run.onError === 'stop' && items.some((item) => 'result' in item && item.result.problem)) {
			return await finished(items, (tasks) => watcher.stop(tasks));
		}
		// The callback of a video that another run has started does not resume this execution.
		if (pauses && !sharesTasks(items)) {
			return await pauseFor(run, await watcher.detach(items), options);
		}
		return await finished(items, async (tasks) => await watcher.results(tasks));
	} finally {
		watcher.close();
	}
}

/** Whether another run has started some task. An equal item of this run does not count. */
function sharesTasks(items: readonly ItemState[]): boolean {
	const pending = items.flatMap((item) => ('pending' in item ? [item.pending] : []));
	const own = pending.filter(({ seed }) => !seed.isReused).map(({ taskId }) => taskId);
	return pending.some(({ taskId }) => !own.includes(taskId));
}

function withoutFile<T extends { output: { fileField?: string } }>(pending: T): T {
	return { ...pending, output: { ...pending.output, fileField: undefined } };
}

export const generateAndWait: Operation = {
	label: 'Generate and Wait',
	action: 'Generate video and wait',
	description: `Generate a video and continue when it is ready, usually after ${usualTimeOf(...MODELS)}`,
	fields: [
		dropdownNotice,
		...requestFields,
		...priceFields,
		...freeFields,
		...sameVideoFields,
		...waitFields,
		{ ...downloadVideo, displayOptions: { show: { waitMethod: ['poll'], ...notAsTool.show } } },
		outputBinaryField,
		simplify,
		optionsOf(
			batching,
			pollInterval,
			restarts,
			includeInput,
			videoList,
			creditBudget,
			maxCredits,
			maxAtOnce,
			timeout,
		),
	],
	callsApi: true,
	starts: true,
	waits: true,
	run,
};
