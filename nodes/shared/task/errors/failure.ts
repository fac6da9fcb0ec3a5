/** Why an API call gave no usable data, and the sentences about it that fit every call. */
import { DEFAULT_BASE_URL } from '../../api/credential';
import type { ErrorCode } from './problem';

/** How an API call ended when it gave no usable data. Made in `api/`, put into words here. */
export interface CallFailure {
	/**
	 * By the string code, the numeric code or the HTTP status (docs/api-contract.md#error-bodies).
	 */
	cause:
		| 'invalid_request'
		| 'invalid_api_key'
		| 'out_of_credits'
		| 'task_not_found'
		| 'forbidden'
		| 'firewall'
		| 'rate_limited'
		| 'redirected'
		| 'refused'
		| 'server_error'
		| 'unreadable'
		| 'unreachable'
		| 'no_response'
		/** Not sent at all: the time for sending was over. */
		| 'out_of_time';
	/** The API's own words, made readable; empty when it sent none. */
	text: string;
	httpStatus?: number;
	/** Whether the response has the form of the API's, and is no page of a proxy in front of it. */
	isApi?: boolean;
	/** Where a redirect points: the origin only. */
	location?: string;
	/** Milliseconds the API asks to wait. */
	retryAfterMs?: number;
	/** A task id found in a response without success. */
	taskId?: string;
}

export const CHECK_BASE_URL = `Check the base URL in the credential; the usual one is ${DEFAULT_BASE_URL}.`;
export const quotedReason = (failure: CallFailure) =>
	failure.text && failure.httpStatus ? ` The API said: "${failure.text}".` : '';
/** The status is shown from 300 on: an error can come under HTTP 200, which would only confuse. */
const isHttpError = (failure: CallFailure) => (failure.httpStatus ?? 0) >= 300;
export const statusSuffix = (failure: CallFailure) =>
	isHttpError(failure) ? ` (HTTP ${failure.httpStatus})` : '';
/** The API's own reason as the end of a sentence. */
export const reasonSuffix = (failure: CallFailure) => (failure.text ? `: ${failure.text}` : '');

/** The meaning of a failure that is the same for every call: [code, what happened, what to do]. */
export function explain(failure: CallFailure): [ErrorCode, string, string] | undefined {
	switch (failure.cause) {
		case 'invalid_api_key':
			return [
				'invalid_api_key',
				'The API key was refused.',
				`Open the credential and enter the API key from your seedanceapi.org dashboard; keys of other vendors do not work.${quotedReason(failure)}`,
			];
		case 'out_of_credits':
			return [
				'out_of_credits',
				'Your Seedance account does not have enough credits.',
				`Add credits at seedanceapi.org.${quotedReason(failure)}`,
			];
		case 'firewall':
			return [
				'not_created',
				`The firewall in front of the Seedance API blocked this n8n${statusSuffix(failure)}.`,
				`The API key is fine. Wait a few minutes; if it stays like this, ask the support of seedanceapi.org to let the address of your server through.${quotedReason(failure)}`,
			];
		case 'forbidden':
			return failure.isApi
				? [
						'not_created',
						`The API refused access${statusSuffix(failure)}${reasonSuffix(failure)}.`,
						'Look in your seedanceapi.org dashboard whether this account and its key may do this.',
					]
				: [
						'not_created',
						`Something in front of the API refused access${statusSuffix(failure)}.`,
						`Check whether a firewall or proxy blocks this n8n. ${CHECK_BASE_URL}${quotedReason(failure)}`,
					];
		case 'redirected':
			return [
				'not_created',
				`The base URL in the credential points elsewhere: the server redirects to ${failure.location ?? 'another address'}.`,
				`Set the base URL in the credential to the final address; the usual one is ${DEFAULT_BASE_URL}. The API key was not sent there.`,
			];
		default:
			return undefined;
	}
}
