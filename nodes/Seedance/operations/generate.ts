/** Generate Without Waiting: starts the videos and gives their task ids at once; a callback tells their end. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { signedCallbackUrl } from '../../shared/callback';
import type { Clock } from '../../shared/clock';
import { invalidInput } from '../../shared/errors';
import { metadataEntries, rawFields, readOptions } from '../parameters';
import { inOrder, sameForAll, type Result } from '../results';
import { submitAll, type CallbackOf } from '../submit';

/** Gives one result per item, in order: a task that was started, or why not. */
export async function generate(context: IExecuteFunctions, clock: Clock): Promise<Result[]> {
	const count = context.getInputData().length;
	const { options, problems } = readOptions(context);
	if (problems.length) return sameForAll(count, invalidInput(problems));
	const callbackOf: CallbackOf = (itemIndex, { apiKey, isLocal }) => {
		const raw = rawFields(context, itemIndex, ['callbackUrl', 'callbackMetadata']);
		const entries = metadataEntries(raw.callbackMetadata);
		return signedCallbackUrl(raw.callbackUrl, entries, apiKey, isLocal);
	};
	const { followed, failed } = await submitAll(context, options, clock, callbackOf);
	const results = new Map(failed);
	for (const { itemIndex, known, output, raw } of followed) {
		results.set(itemIndex, { known, output, raw });
	}
	return inOrder(count, results);
}
