// What both versions of the contract share as the sandbox enforces it: error codes, and the shapes that errors come in. What
// each version accepts and costs stands in contractV1.cts and contractV2.cts.

import tables from '../fixtures/sandbox.json';

export type ApiVersion = 1 | 2;

export const PROMPT_MAX_LENGTH = 2000;

/** What decides about a clip's bytes. */
export interface ClipShape {
	/** Width to height, for example `16:9`. */
	ratio: string;
	/** The short side, for example `720p`. */
	resolution: string;
	seconds: number;
	hasSound: boolean;
}

/** What an order comes to: all that the rest of the sandbox needs to know of a version. */
export interface Terms {
	version: ApiVersion;
	/** The name in the field `model`; null in version 1, which has no such field. */
	model: string | null;
	credits: number;
	/** Virtual seconds to make it: the least and the most. */
	secondsToMake: readonly [number, number];
	clip: ClipShape;
	/** `request` as GET /status repeats it. */
	echo: Record<string, unknown>;
	/** What stands before and behind the digits of a task's id. */
	idEnds: readonly [string, string];
}

/** What becomes of the body of a POST: an order, or the code and perhaps the sentence that it is refused with. */
export type Verdict<Order> = { order: Order } | { refused: AnyErrorCode; message?: string };

export function keysOf<T extends object>(table: T): ReadonlyArray<Extract<keyof T, string>> {
	const isKey = (key: string): key is Extract<keyof T, string> => Object.hasOwn(table, key);
	return Object.keys(table).filter(isKey);
}

/** A copy of some JSON, with values in the place of texts that are their names. */
export function filled(
	template: object | null,
	values: Record<string, unknown>,
): Record<string, unknown> {
	return JSON.parse(JSON.stringify(template), (_key, entry) => values[entry] ?? entry);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A rule or a request that the sandbox cannot follow; over HTTP it gets this status. */
export class SandboxError extends Error {
	constructor(
		message: string,
		readonly statusCode = 400,
	) {
		super(message);
	}
}

/** The contract's error table: code, HTTP status, and a sentence in the API's manner. */
export const ERRORS = tables.errors;
export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = keysOf(ERRORS);
/** With what version 2 needs beyond that table. Its pages print no codes, so the name of this one is a guess. */
const ALL_ERRORS = { ...ERRORS, ...tables.errorsV2 };
export type AnyErrorCode = keyof typeof ALL_ERRORS;

export interface ApiResponse {
	status: number;
	headers: Record<string, string>;
	body: string;
}

export function jsonResponse(
	status: number,
	body: unknown,
	headers: Record<string, string> = {},
): ApiResponse {
	return {
		status,
		headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
		body: JSON.stringify(body),
	};
}

/** A response as a proxy in front of the API gives it: a page for people. */
export function htmlResponse(status: number, title = `${status} Error`): ApiResponse {
	return {
		status,
		headers: { 'content-type': 'text/html; charset=utf-8' },
		body: `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1><p>The web server reported a problem.</p></body></html>\n`,
	};
}

/** The contract prints no error body, so each of these has to be understood. `html` is a proxy's page, without a code. */
const ERROR_BODIES = tables.errorBodies;
export type ErrorShape = keyof typeof ERROR_BODIES;

/** The response for one error in one of the shapes, with another sentence than the table's where one is given. */
export function errorResponse(
	code: AnyErrorCode,
	shape: ErrorShape = 'string-code',
	message: string = ALL_ERRORS[code].message,
): ApiResponse {
	const { status } = ALL_ERRORS[code];
	if (shape === 'html') return htmlResponse(status, message);
	const body = filled(ERROR_BODIES[shape], { $code: code, $status: status, $message: message });
	return jsonResponse(shape.endsWith('http-200') ? 200 : status, body);
}

export function isOneOf<T extends string>(allowed: readonly T[], value: unknown): value is T {
	return allowed.some((each) => each === value);
}

export function isHttpUrl(value: unknown): value is string {
	return typeof value === 'string' && URL.canParse(value) && /^https?:/i.test(value.trim());
}

/** A prompt is a text that is not blank, counted in characters and not in the halves of an emoji. */
export function isPrompt(value: unknown): value is string {
	return typeof value === 'string' && value.trim() !== '' && [...value].length <= PROMPT_MAX_LENGTH;
}
