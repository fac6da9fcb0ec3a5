/**
 * The sentences of the credential's test, by response: one table for n8n's rules and for our own
 * test.
 */
import { DEFAULT_BASE_URL } from './credential';
import { parseBody } from './envelope';
import { firewallCodeOf } from './firewall';
import { isObject, numberOf, textOf } from '../json';

/** Ends every sentence of the test. */
export const TEST_IS_FREE = 'Testing is free.';

const USUAL = `the usual one is ${DEFAULT_BASE_URL}`;

const WRONG_KEY = `The API key was refused. Enter the key from your seedanceapi.org dashboard; keys of other vendors do not work. ${TEST_IS_FREE}`;
const NOT_THE_API = `The base URL does not lead to the Seedance API: it answered, but not as the API does. Correct the base URL (${USUAL}). ${TEST_IS_FREE}`;
const SERVER_TROUBLE = `The Seedance API has trouble right now, so the key could not be checked. Try again in a few minutes, and check the base URL (${USUAL}). ${TEST_IS_FREE}`;
const REDIRECTED = `The base URL redirects to another address. Enter the final address as the base URL (${USUAL}); the key was not sent there. ${TEST_IS_FREE}`;
const NO_ACCESS = `Access was refused before the key could be checked. Check the base URL (${USUAL}), and whether a firewall or proxy blocks this n8n. ${TEST_IS_FREE}`;
const NO_RESPONSE = `Nothing answers at the base URL. Check its spelling (${USUAL}), and whether this n8n can reach the internet. ${TEST_IS_FREE}`;
const BROKEN_OFF = `The connection to the base URL was reset before an answer came. Try again in a few minutes; if it stays so, check the base URL (${USUAL}), and whether a firewall or proxy is in the way. ${TEST_IS_FREE}`;
const TOO_SLOW = `The base URL did not answer in time. Try again in a few minutes, and check the base URL (${USUAL}). ${TEST_IS_FREE}`;
const NOT_SECURE = `A secure connection to the base URL could not be made. Check whether it should start with https:// or with http:// (${USUAL}); at a server of your own, check its certificate. ${TEST_IS_FREE}`;
const BLOCKED = `This n8n is set up not to send requests to the base URL (${USUAL}). Ask whoever runs this n8n to allow it. ${TEST_IS_FREE}`;

const vendorFirewall = (code: string) =>
	`The firewall in front of the Seedance API (Cloudflare${code && `, error ${code}`}) turned this n8n away before it looked at the API key, so the key is not the reason. Try again later or from another network, and tell the support of seedanceapi.org if it stays so. ${TEST_IS_FREE}`;

/** The registered 5xx, and those of the proxy that stands in front of the API. */
const SERVER_ERRORS = [
	500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 521, 522, 523, 524, 525, 526, 527,
	530,
];

/**
 * The codes (of an envelope, or HTTP statuses) that fail a test, with the sentence for each. The
 * first match counts.
 */
const REFUSALS: ReadonlyArray<{ codes: ReadonlyArray<string | number>; text: string }> = [
	{ codes: ['INVALID_API_KEY', 401], text: WRONG_KEY },
	{ codes: [403], text: NO_ACCESS },
	{ codes: [301, 302, 303, 307, 308], text: REDIRECTED },
	{ codes: ['INTERNAL_ERROR', 429, ...SERVER_ERRORS], text: SERVER_TROUBLE },
];

/** HTTP statuses that fail a test, whatever the body. */
export const TEST_FAILURE_STATUSES = REFUSALS.flatMap(({ codes }) =>
	codes.filter((code) => typeof code === 'number'),
);

/** Where an envelope can hold its code; the contract shows `code`, clients have seen the others. */
const CODE_PATHS = ['code', 'error', 'error.code', 'data.code'];

/**
 * The table as n8n's rules. n8n can only compare for equality; a response without any `code`, such
 * as a web page, is not the API's, and a missing value equals `undefined`
 * (docs/n8n-behaviour.md#rules-of-a-credential-test).
 */
export const TEST_RULES = [
	...REFUSALS.flatMap(({ codes, text: message }) =>
		codes.flatMap((code) => [
			...(typeof code === 'number'
				? [{ type: 'responseCode' as const, properties: { value: code, message } }]
				: []),
			...[...new Set([code, String(code)])].flatMap((value) =>
				CODE_PATHS.map((key) => ({
					type: 'responseSuccessBody' as const,
					properties: { key, value, message },
				})),
			),
		]),
	),
	{
		type: 'responseSuccessBody' as const,
		properties: { key: 'code', value: undefined, message: NOT_THE_API },
	},
];

function at(body: unknown, path: string): unknown {
	return path
		.split('.')
		.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), body);
}

/**
 * The sentence for a response that fails the test; undefined for a response of the API that accepts
 * the key.
 *
 * @param response with `statusCode` and `body`, as n8n's request helper gives it
 */
export function testFailureOf(response: unknown): string | undefined {
	const { statusCode, body: raw } = isObject(response) ? response : {};
	const status = numberOf(statusCode) ?? 0;
	const body = parseBody(raw);
	const firewall = firewallCodeOf(status, body);
	if (firewall !== undefined) return vendorFirewall(firewall);
	const heard = [status, ...CODE_PATHS.map((path) => at(body, path))].map((code) =>
		textOf(code)?.toUpperCase(),
	);
	const refusal = REFUSALS.find(({ codes }) => codes.some((code) => heard.includes(String(code))));
	if (refusal) return refusal.text;
	return isObject(body) && body.code !== undefined ? undefined : NOT_THE_API;
}

/** An error's own code, name and message, and those of what caused it. */
function traitsOf(error: unknown): string[] {
	const traits: string[] = [];
	let current = error;
	for (let depth = 0; isObject(current) && depth < 5; depth++) {
		traits.push(
			...[current.code, current.name, current.message].flatMap((one) => textOf(one) ?? []),
		);
		current = current.cause;
	}
	return traits;
}

/**
 * The sentences for errors without a response, by the codes of Node.js and the words of its HTTP
 * client.
 */
const CONNECTIONS: ReadonlyArray<[pattern: RegExp, text: string]> = [
	[/^Ssrf/, BLOCKED],
	[/^(?:EPROTO|ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/, NOT_SECURE],
	[/^HPE_/, NOT_THE_API],
	[/^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/, NO_RESPONSE],
	[/^(?:ETIMEDOUT|ESOCKETTIMEDOUT|ECONNABORTED)$/, TOO_SLOW],
	[/^(?:ECONNRESET|EPIPE|socket hang up|aborted)$/, BROKEN_OFF],
];

/**
 * What to check when the test got no response. It quotes nothing of the error: n8n replaces a
 * message that holds a code such as ECONNREFUSED by a general one
 * (docs/n8n-behaviour.md#names-of-system-errors).
 */
export function connectionFailureOf(error: unknown): string {
	const traits = traitsOf(error);
	const known = CONNECTIONS.find(([pattern]) => traits.some((trait) => pattern.test(trait)));
	return known?.[1] ?? NO_RESPONSE;
}
