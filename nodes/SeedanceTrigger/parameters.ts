/** The trigger's parameters, read once per callback or run into typed values. */
import type { IExecuteFunctions, IWebhookFunctions, NodeParameterValueType } from 'n8n-workflow';

import { textOf } from '../shared/json';
import { switchOf } from '../shared/task/values';

/** The outcome of a task; `failed` includes a success without a video. */
export type VideoEvent = 'succeeded' | 'failed';

export interface TriggerParameters {
	/** The events that start a run. */
	events: readonly unknown[];
	simplify: boolean;
	requireSignature: boolean;
	ignoreDuplicates: boolean;
}

type NodeFunctions = IExecuteFunctions | IWebhookFunctions;

/**
 * A parameter of the trigger, which has no input items: its value for the first one. Throws what an
 * expression throws.
 */
function parameter(
	context: NodeFunctions,
	name: string,
	fallback: NodeParameterValueType,
): unknown {
	return 'getInputData' in context
		? context.getNodeParameter(name, 0, fallback)
		: context.getNodeParameter(name, fallback);
}

/** The events that start a run. Throws what an expression throws. */
export function readEvents(context: NodeFunctions): readonly unknown[] {
	const events = parameter(context, 'events', []);
	// An expression may give one event as a text.
	return Array.isArray(events) ? events : [events];
}

/** Whether items are simplified. Throws what an expression throws. */
export function readSimplify(context: NodeFunctions): boolean {
	return switchOf(parameter(context, 'simplify', true)) ?? true;
}

/** The parameters by which a callback is judged. Throws what an expression throws. */
export function readParameters(context: IWebhookFunctions): TriggerParameters {
	// Each by its own path: a broken expression in another option refuses no callback.
	const isOn = (name: string) => switchOf(parameter(context, `options.${name}`, true)) ?? true;
	return {
		events: readEvents(context),
		simplify: readSimplify(context),
		requireSignature: isOn('requireSignature'),
		ignoreDuplicates: isOn('ignoreDuplicates'),
	};
}

/** Whether this run records its videos in the list. Throws what an expression throws. */
export function readKeepsList(context: IExecuteFunctions): boolean {
	return switchOf(context.getNodeParameter('options.videoList', 0, true)) ?? true;
}

/** The binary field for the video; undefined for no download. Throws what an expression throws. */
export function readFileField(context: IExecuteFunctions): string | undefined {
	if (!switchOf(context.getNodeParameter('downloadVideo', 0, false))) return undefined;
	return textOf(context.getNodeParameter('outputBinaryField', 0, 'data')) ?? 'data';
}
