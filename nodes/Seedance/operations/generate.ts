/** Generate Without Waiting: starts the videos and gives their task ids at once; a callback tells their end. */
import { signedCallbackUrl } from '../../shared/callback/signature';
import { invalidInput } from '../../shared/task/errors';
import { resultOfTask } from '../run/watch';
import { metadataEntries, rawFields, readOptions } from '../run/parameters';
import type { CallbackOf } from '../run/prepare';
import { inOrder, sameForAll, type Result } from '../run/output';
import type { Run } from '../run/run';
import { submitAll } from '../run/submit';

/** Gives one result per item, in order: a task that was started, or why not. */
export async function generate(run: Run): Promise<Result[]> {
	const { context, count } = run;
	const { options, problems } = readOptions(context);
	if (problems.length) return sameForAll(count, invalidInput(problems));
	const callbackOf: CallbackOf = (itemIndex, { apiKey, reach }) => {
		const raw = rawFields(context, itemIndex, ['callbackUrl', 'callbackMetadata']);
		const entries = metadataEntries(raw.callbackMetadata);
		return signedCallbackUrl(raw.callbackUrl, entries, apiKey, reach);
	};
	const { pending, failed } = await submitAll(run, options, callbackOf);
	const results = new Map(failed);
	for (const { itemIndex, seed, output, raw, task } of pending) {
		const isOver = task && task.state !== 'running';
		results.set(itemIndex, { ...(isOver ? resultOfTask(seed, task) : { seed }), output, raw });
	}
	return inOrder(count, results);
}
