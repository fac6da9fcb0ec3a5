/**
 * Distinguishes a response of Cloudflare's firewall from one of the API
 * (docs/api-contract.md#the-firewall).
 */
import { isObject, numberOf } from '../json';

/** `error code: 1010` as text, `Error 1020` in a page. */
const CODE_IN_TEXT = /\berror(?: code)?:?\s*(?:<[^>]*>\s*)*(1\d{3})\b/i;

/**
 * The code of Cloudflare's firewall, such as `1010` (this client is not wanted) or `1020` (a rule
 * of the site); an empty text where it gives none; undefined for a response that is not the
 * firewall's.
 *
 * @param status the HTTP status
 * @param body text, or parsed JSON
 * @see
 * https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/
 */
export function firewallCodeOf(status: number, body: unknown): string | undefined {
	if (status !== 403) return undefined;
	if (isObject(body)) {
		const code = numberOf(body.error_code);
		return code !== null && code >= 1000 && code < 2000 ? String(code) : undefined;
	}
	if (typeof body !== 'string') return undefined;
	return (
		CODE_IN_TEXT.exec(body)?.[1] ??
		(/\bcloudflare\b|\bcf-error-details\b/i.test(body) ? '' : undefined)
	);
}
