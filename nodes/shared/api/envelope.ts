/**
 * Reads a response of the API: a task, or why there is none. It knows every shape that
 * docs/api-contract.md names, and finds an ID wherever it stands: a task that may have been paid
 * for is never lost for a missing field.
 */
import type { CallFailure } from '../task/errors';
import { firewallCodeOf } from './firewall';
import {
	byRank,
	isObject,
	numberOf,
	parseJson,
	rankBy,
	readableText,
	textOf,
	without,
} from '../json';

/** A response, its body parsed where it is JSON. */
export interface HttpResponse {
	status: number;
	headers: Record<string, unknown>;
	body: unknown;
}

/** Whole numbers that JavaScript would round: an ID of more digits is kept as text. */
const LONG_IDS = /("(?:task_?id|id)"\s*:\s*)(-?\d{16,})(?=\s*[,}\]])/gi;

/** A text as JSON, with long IDs as text; undefined where it is no JSON. */
function parsed(text: string): unknown {
	return parseJson(text.replace(LONG_IDS, '$1"$2"'));
}

/** A body as JSON, with long IDs as text; the text itself where it is no JSON. */
export function parseBody(body: unknown): unknown {
	const text = Buffer.isBuffer(body) ? body.toString('utf8') : body;
	if (typeof text !== 'string') return text;
	const json = parsed(text);
	return json === undefined ? text : json;
}

/** The `data` of an envelope; empty where there is none. */
export function dataOf(body: unknown): Record<string, unknown> {
	return isObject(body) && isObject(body.data) ? body.data : {};
}

/** The name that the ID of a task goes by, however it is spelt. */
const TASK_ID = 'taskid';
/** A text that can only be an ID: one word with a digit in it. */
const BARE_ID = /^(?=.*\d)[\w-]{6,200}$/;

/** Where a response may hold its task: in its `data`, beside it, or one object deeper. */
const TASK_PLACES = ['data', 'task', 'result'] as const;

/** The objects of a response that may be its task, the likeliest first. */
function layersOf(body: unknown): Array<Record<string, unknown>> {
	const inside = (layer: Record<string, unknown>) =>
		TASK_PLACES.flatMap((name) => layer[name]).filter(isObject);
	const whole = [body].flat().filter(isObject);
	const inner = whole.flatMap(inside);
	return [...inner, ...inner.flatMap(inside), ...whole];
}

function idIn(body: unknown, wanted: string): string | undefined {
	return layersOf(body)
		.flatMap((layer) => byRank(layer, (name) => (name === wanted ? 0 : undefined)))
		.map(textOf)
		.find((id) => id !== undefined);
}

/**
 * The ID of the task in a successful response, wherever it stands; also where its `data` is the ID
 * itself.
 */
export function taskIdOf(body: unknown): string | undefined {
	const found = idIn(body, TASK_ID) ?? idIn(body, 'id');
	if (found !== undefined) return found;
	const bare = isObject(body) ? textOf(body.data) : undefined;
	return bare !== undefined && BARE_ID.test(bare) ? bare : undefined;
}

/** 2xx and `code` 200, or no `code` at all (docs/api-contract.md#success-of-a-call). */
export function isSuccess({ status, body }: HttpResponse): boolean {
	const code = isObject(body) ? (body.code ?? 200) : 0;
	return status >= 200 && status < 300 && numberOf(code) === 200;
}

/** The string codes of the contract, and what each means (docs/api-contract.md#error-codes). */
const STRING_CODES: Readonly<Record<string, CallFailure['cause']>> = {
	INVALID_PROMPT: 'invalid_request',
	INVALID_ASPECT_RATIO: 'invalid_request',
	INVALID_RESOLUTION: 'invalid_request',
	INVALID_DURATION: 'invalid_request',
	TOO_MANY_IMAGES: 'invalid_request',
	INVALID_API_KEY: 'invalid_api_key',
	INSUFFICIENT_CREDITS: 'out_of_credits',
	TASK_NOT_FOUND: 'task_not_found',
	INTERNAL_ERROR: 'server_error',
};

function causeOfNumber(code: number, isJson: boolean): CallFailure['cause'] | undefined {
	if (code >= 300 && code < 400) return 'redirected';
	if (code === 400 || code === 422) return isJson ? 'invalid_request' : 'refused';
	if (code === 401) return 'invalid_api_key';
	if (code === 402) return 'out_of_credits';
	if (code === 403) return 'forbidden';
	if (code === 404) return isJson ? 'task_not_found' : 'refused';
	if (code === 408) return 'no_response';
	if (code === 429) return 'rate_limited';
	if (code >= 400 && code < 500) return 'refused';
	if (code >= 500) return 'server_error';
	return undefined;
}

/**
 * The cause of a failure: by a string code anywhere in the envelope, a numeric code, or the HTTP
 * status (docs/api-contract.md#error-bodies).
 */
function causeOf({ body, status }: HttpResponse): CallFailure['cause'] {
	if (firewallCodeOf(status, body) !== undefined) return 'firewall';
	const envelope = isObject(body) ? body : {};
	const error = isObject(envelope.error) ? envelope.error : {};
	const data = dataOf(body);
	const codes: unknown[] = [envelope.code, envelope.error, error.code, data.code];
	for (const code of codes) {
		const cause = typeof code === 'string' ? STRING_CODES[code.trim().toUpperCase()] : undefined;
		if (cause) return cause;
	}
	for (const number of [...codes.map(numberOf), status]) {
		const cause = number === null ? undefined : causeOfNumber(number, isObject(body));
		if (cause) return cause;
	}
	return 'unreadable';
}

/** The plain names under which an object may hold a reason in words, the most particular first. */
const REASON_NAMES = [
	'errormessage',
	'failreason',
	'failmsg',
	'reason',
	'error',
	'errors',
	'errormsg',
	'detail',
	'details',
	'message',
	'msg',
] as const;
/** Other names that speak of a reason. */
const LIKE_A_REASON =
	/^(error|fail|reject|moderat|block)|(reason|message|msg|details?|description)$/;
const reasonRank = rankBy(REASON_NAMES, LIKE_A_REASON);
const REASON_DEPTH = 5;

/**
 * Whether a text says only that there was an error, or none: codes, and the `message` of a success.
 */
const isVague = (text: string) =>
	/^(error|fail(ed|ure)?|[A-Z]+(_[A-Z]+)*|\d+)$/.test(text) || /^(success|ok)$/i.test(text);

/**
 * All texts under the usual names, the most particular first, however deep they are wrapped, also
 * as JSON in a text.
 */
function reasonsIn(value: unknown, depth: number): string[] {
	const text = typeof value === 'string' ? value.trim() : '';
	if (text) {
		const inner = /^[{[]/.test(text) && depth > 0 ? reasonsIn(parsed(text), depth - 1) : [];
		return inner.length ? inner : [text];
	}
	if (depth === 0) return [];
	if (Array.isArray(value)) {
		const list: unknown[] = value;
		return list.flatMap((one) => reasonsIn(one, depth - 1));
	}
	if (!isObject(value)) return [];
	return byRank(value, reasonRank).flatMap((inner) => reasonsIn(inner, depth - 1));
}

/**
 * The reason in words under one of the usual names of an object, wherever it stands; without words
 * a bare code, else undefined.
 */
export function reasonIn(value: unknown): string | undefined {
	const reasons = reasonsIn(value, REASON_DEPTH);
	const isGood = (text: string) => /^(success|ok)$/i.test(text);
	return reasons.find((text) => !isVague(text)) ?? reasons.find((text) => !isGood(text));
}

/** The reason in the words of a response, readable; empty where it has none. */
export function reasonInBody(body: unknown, apiKey: string): string {
	if (typeof body === 'string') return readableText(body, apiKey);
	const envelope = isObject(body) ? body : {};
	const found = reasonIn([envelope.data, envelope.error, without(envelope, 'data')]);
	return readableText(found ?? '', apiKey);
}

/** Milliseconds of a `Retry-After` header, in seconds or as a date. */
function retryAfterMs(headers: Record<string, unknown>, nowMs: number): number | undefined {
	const text = textOf(headers['retry-after']);
	if (text === undefined) return undefined;
	const seconds = Number(text);
	const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - nowMs;
	return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function originOf(location: unknown, baseUrl: string): string | undefined {
	const text = textOf(location);
	if (text === undefined) return undefined;
	try {
		const { protocol, origin } = new URL(text, baseUrl);
		return /^https?:$/.test(protocol) ? origin : undefined;
	} catch {
		return undefined;
	}
}

/** The facts about a call beside its response. */
interface CallInfo {
	apiKey: string;
	baseUrl: string;
	/** Milliseconds since 1970, for a `Retry-After` that is a date. */
	nowMs: number;
}

/** A response without success, as a failure of this package. */
export function failureOf(
	response: HttpResponse,
	{ apiKey, baseUrl, nowMs }: CallInfo,
): CallFailure {
	const cause = causeOf(response);
	return {
		cause,
		text: reasonInBody(response.body, apiKey),
		httpStatus: response.status,
		isApi: isObject(response.body) && cause !== 'firewall',
		location: originOf(response.headers.location, baseUrl),
		retryAfterMs: retryAfterMs(response.headers, nowMs),
		// Not a bare `id`: in an error that is the ID of the request.
		taskId: idIn(response.body, TASK_ID),
	};
}
