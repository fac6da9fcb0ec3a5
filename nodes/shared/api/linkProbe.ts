/** Whether the link of a video still works: requests its first byte, and keeps nothing. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { isObject, numberOf } from '../json';
import { withTimeout, type Clock } from '../n8n/clock';
import { REFUSED_LINK_STATUSES } from './download';
import { USER_AGENT } from './userAgent';

/** Milliseconds for the whole probe; a link without a response in time does not count as dead. */
const PROBE_MS = 15_000;

/**
 * Whether the server refuses the link (403, 404, 410) this time, which may pass. Never with the API
 * key. Never throws.
 */
export async function isLinkRefused(
	context: IExecuteFunctions,
	url: string,
	clock: Clock,
): Promise<boolean> {
	const asking = context.helpers
		.httpRequest({
			method: 'GET',
			url,
			headers: { Range: 'bytes=0-0', 'User-Agent': USER_AGENT },
			encoding: 'stream',
			returnFullResponse: true,
			ignoreHttpStatusErrors: true,
		})
		.then((response: unknown) => {
			if (!isObject(response)) return false;
			const { body, statusCode } = response;
			if (isObject(body) && typeof body.destroy === 'function') body.destroy();
			return REFUSED_LINK_STATUSES.includes(numberOf(statusCode) ?? 0);
		})
		.catch(() => false);
	return (await withTimeout(asking, PROBE_MS, clock)) ?? false;
}
