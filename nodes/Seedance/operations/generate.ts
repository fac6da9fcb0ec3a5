/**
 * Generate Without Waiting: starts the videos and gives their task ids at once; a callback reports
 * their end.
 */
import { signedCallbackUrl } from '../../shared/callback/signature';
import { invalidInput } from '../../shared/task/errors';
import { hasEnded } from '../../shared/task/task';
import { callbackFields, freeFields, priceFields, requestFields } from '../description/fields';
import { sameVideoFields } from '../description/sameVideoFields';
import {
	batching,
	creditBudget,
	includeInput,
	maxCredits,
	optionsOf,
	videoList,
} from '../description/options';
import { simplify } from '../description/resultFields';
import { dropdownNotice } from '../description/toolFields';
import { sameForAll, type Result } from '../run/result';
import { metadataEntries, rawFields, readOptions } from '../run/parameters';
import type { CallbackOf } from '../run/prepare';
import type { Run } from '../run/run';
import { submitAll } from '../run/submit';
import { finished, resultOfTask, type PendingTask } from '../run/watch';
import type { Operation } from './operation';

/** The result by the response to the POST: a task that was started, or that has ended already. */
function resultOf({ seed, output, raw, task }: PendingTask): Result {
	const isOver = task && hasEnded(task);
	return { ...(isOver ? resultOfTask(seed, task) : { seed }), output, raw };
}

/** Gives one result per item, in order: a task that was started, or why not. */
async function run(run: Run): Promise<Result[]> {
	const { context } = run;
	const { options, problems } = readOptions(context);
	if (problems.length) return sameForAll(run, invalidInput(problems));
	const callbackOf: CallbackOf = (itemIndex, { apiKey, reach }) => {
		const raw = rawFields(context, itemIndex, ['callbackUrl', 'callbackMetadata']);
		const entries = metadataEntries(raw.callbackMetadata);
		return signedCallbackUrl(raw.callbackUrl, entries, apiKey, reach);
	};
	const items = await submitAll(run, options, { callbackOf });
	return await finished(items, async (tasks) => tasks.map(resultOf));
}

export const generate: Operation = {
	label: 'Generate Without Waiting',
	action: 'Generate video without waiting',
	description: 'Start a video and get its task ID at once',
	fields: [
		dropdownNotice,
		...requestFields,
		...priceFields,
		...freeFields,
		...sameVideoFields,
		...callbackFields,
		simplify,
		optionsOf(batching, includeInput, videoList, creditBudget, maxCredits),
	],
	callsApi: true,
	starts: true,
	takesCallback: true,
	run,
};
