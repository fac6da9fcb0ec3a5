/** The trigger's parameters, read once per delivery or run into typed values. */
import type { IExecuteFunctions, IWebhookFunctions } from 'n8n-workflow';

import { isObject, textOf } from '../shared/json';

/** What a task can have come to; `failed` includes a success without a video. */
export type VideoEvent = 'succeeded' | 'failed';

export interface Settings {
	/** The events that start a run. */
	events: readonly unknown[];
	simplify: boolean;
	requireSignature: boolean;
	ignoreDuplicates: boolean;
}

/** What decides about a delivery. Throws what an expression throws. */
export function readSettings(context: IWebhookFunctions): Settings {
	const events: unknown = context.getNodeParameter('events', []);
	const given: unknown = context.getNodeParameter('options', {});
	const options = isObject(given) ? given : {};
	return {
		// An expression may give one event as a text.
		events: Array.isArray(events) ? events : [events],
		simplify: context.getNodeParameter('simplify', true) !== false,
		requireSignature: options.requireSignature !== false,
		ignoreDuplicates: options.ignoreDuplicates !== false,
	};
}

/** The binary field for the video; undefined for no download. */
export function readFileField(context: IExecuteFunctions): string | undefined {
	if (context.getNodeParameter('downloadVideo', 0, false) !== true) return undefined;
	return textOf(context.getNodeParameter('outputBinaryField', 0, 'data')) ?? 'data';
}
