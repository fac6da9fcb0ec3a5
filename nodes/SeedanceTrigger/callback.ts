/** A request to the trigger's URL, taken apart. */
import type { IWebhookFunctions } from 'n8n-workflow';

import { bodyOf } from '../shared/callback/body';
import { DECIDE_WITHIN_MS } from '../shared/callback/confirmTask';
import { proofIn } from '../shared/callback/signature';
import { isObject } from '../shared/json';
import type { Clock } from '../shared/n8n/clock';
import { readParameters, type TriggerParameters } from './parameters';

/** A request, and the facts that decide about it. */
export interface Callback {
	context: IWebhookFunctions;
	clock: Clock;
	/** Milliseconds since 1970 by which it has to be decided. */
	deadline: number;
	parameters: TriggerParameters;
	query: Record<string, unknown>;
	body: unknown;
	/** To a test URL, while a person listens. */
	isTest: boolean;
	/**
	 * Form data in several parts: n8n reads the response twice
	 * (docs/n8n-behaviour.md#multipart-bodies).
	 */
	isMultipart: boolean;
	/**
	 * A link that a person opens while listening: it needs no signature, since the task is read with
	 * their key.
	 */
	isTestLink: boolean;
}

/** Takes a request apart. Throws what an expression throws. */
export function callbackIn(context: IWebhookFunctions, clock: Clock): Callback {
	const given: unknown = context.getQueryData();
	const query = isObject(given) ? given : {};
	const { method }: { method: string } = context.getRequestObject();
	const { 'content-type': contentType } = context.getHeaderData();
	const isTest = context.getMode() === 'manual';
	return {
		context,
		clock,
		deadline: clock.now() + DECIDE_WITHIN_MS,
		parameters: readParameters(context),
		query,
		body: bodyOf(context),
		isMultipart: /^multipart\//i.test(String(contentType)),
		isTest,
		isTestLink: isTest && method === 'GET' && proofIn(query) === 'absent',
	};
}
