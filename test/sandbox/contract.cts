// The contract as the sandbox enforces it: values, prices, times, error codes, and the shapes that errors come in. Written
// from the vendor's document and not imported from the nodes, so that a wrong value in the product is refused here.

import tables from '../fixtures/sandbox.json';

export const ASPECT_RATIOS = ['1:1', '16:9', '9:16', '4:3', '3:4', '21:9', '9:21'] as const;
export type AspectRatio = (typeof ASPECT_RATIOS)[number];
export const RESOLUTIONS = ['480p', '720p'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];
/** Seconds, as the text that the contract wants. */
export const DURATIONS = ['4', '8', '12'] as const;
export type Duration = (typeof DURATIONS)[number];
/** Characters. */
export const PROMPT_MAX_LENGTH = 2000;

/** What a request asks for once the API's own defaults are filled in. */
export interface VideoOrder {
	prompt: string;
	aspect_ratio: AspectRatio;
	resolution: Resolution;
	duration: Duration;
	generate_audio: boolean;
	fixed_lens: boolean;
	image_urls: string[];
	callback_url: string | null;
}

/** Credits as the vendor's price table prints them: [silent, with audio]. */
const PRICE_TABLE: Record<Resolution, Record<Duration, readonly [number, number]>> = {
	'480p': { '4': [8, 14], '8': [14, 28], '12': [19, 38] },
	'720p': { '4': [14, 28], '8': [28, 56], '12': [42, 84] },
};

export function contractCredits(
	resolution: Resolution,
	duration: Duration,
	generateAudio: boolean,
): number {
	return PRICE_TABLE[resolution][duration][generateAudio ? 1 : 0];
}

/** Seconds that a video of each length takes to make: the middle of what neighbouring providers report. */
export const SECONDS_TO_MAKE: Record<Duration, number> = { '4': 50, '8': 75, '12': 105 };

/** The keys of a table, with their type. */
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

/** A rule or a wish that the sandbox cannot follow; over HTTP it is answered with this status. */
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

export interface Answer {
	status: number;
	headers: Record<string, string>;
	body: string;
}

export function jsonAnswer(
	status: number,
	body: unknown,
	headers: Record<string, string> = {},
): Answer {
	return {
		status,
		headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
		body: JSON.stringify(body),
	};
}

/** An answer as a proxy in front of the API gives it: a page for people. */
export function htmlAnswer(status: number, title = `${status} Error`): Answer {
	return {
		status,
		headers: { 'content-type': 'text/html; charset=utf-8' },
		body: `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1><p>The web server reported a problem.</p></body></html>\n`,
	};
}

/** The contract prints no error body, so each of these has to be understood. `html` is a proxy's page, without a code. */
const ERROR_BODIES = tables.errorBodies;
export type ErrorShape = keyof typeof ERROR_BODIES;
export const ERROR_SHAPES = keysOf(ERROR_BODIES);

/** The answer for one error of the contract in one of the shapes. */
export function errorAnswer(code: ErrorCode, shape: ErrorShape = 'string-code'): Answer {
	const { status, message } = ERRORS[code];
	if (shape === 'html') return htmlAnswer(status, message);
	const body = filled(ERROR_BODIES[shape], { $code: code, $status: status, $message: message });
	return jsonAnswer(shape.endsWith('http-200') ? 200 : status, body);
}

function isOneOf<T extends string>(allowed: readonly T[], value: unknown): value is T {
	return allowed.some((each) => each === value);
}

/**
 * What the API makes of a `POST /generate` body: an order, or the code it refuses with, in the order of the contract's
 * table. What clients have seen tolerated (a numeric `duration`, unknown keys) is tolerated; {@link breachesOf} names it.
 */
export function checkBody(json: unknown): { order: VideoOrder } | { refused: ErrorCode } {
	if (!isRecord(json)) return { refused: 'INVALID_PROMPT' };
	const { prompt, aspect_ratio = '1:1', resolution = '720p', image_urls } = json;
	const isText = typeof prompt === 'string' && prompt.trim() !== '';
	if (!isText || [...prompt].length > PROMPT_MAX_LENGTH) return { refused: 'INVALID_PROMPT' };
	if (!isOneOf(ASPECT_RATIOS, aspect_ratio)) return { refused: 'INVALID_ASPECT_RATIO' };
	if (!isOneOf(RESOLUTIONS, resolution)) return { refused: 'INVALID_RESOLUTION' };
	const { duration: given = '8' } = json;
	const duration = typeof given === 'number' ? String(given) : given;
	if (!isOneOf(DURATIONS, duration)) return { refused: 'INVALID_DURATION' };
	const images = Array.isArray(image_urls) ? image_urls : [];
	if (images.length > 1) return { refused: 'TOO_MANY_IMAGES' };
	return {
		order: {
			prompt,
			aspect_ratio,
			resolution,
			duration,
			generate_audio: json.generate_audio === true,
			fixed_lens: json.fixed_lens === true,
			image_urls: images.map(String),
			callback_url: typeof json.callback_url === 'string' ? json.callback_url : null,
		},
	};
}

const FIELD_TYPES: Readonly<Record<string, string>> = {
	prompt: 'string',
	aspect_ratio: 'string',
	resolution: 'string',
	duration: 'string',
	generate_audio: 'boolean',
	fixed_lens: 'boolean',
};

function isHttpUrl(value: unknown): boolean {
	return typeof value === 'string' && URL.canParse(value) && /^https?:/i.test(value.trim());
}

/** Where a body departs from the contract although the API lets it pass: one sentence each. */
export function breachesOf(json: unknown): string[] {
	if (!isRecord(json)) return ['the body is not a JSON object'];
	const { image_urls: images, callback_url: callback } = json;
	const breaches = Object.entries(FIELD_TYPES)
		.filter(([field, type]) => json[field] !== undefined && typeof json[field] !== type)
		.map(([field, type]) => `${field} is not a ${type}`);
	if (images !== undefined && !(Array.isArray(images) && images.every(isHttpUrl))) {
		breaches.push('image_urls is not a list of http(s) URLs');
	}
	if (callback !== undefined && !isHttpUrl(callback)) {
		breaches.push('callback_url is not an http(s) URL');
	}
	return breaches;
}

/** The keys of a body that the contract does not have. A real API ignores them, so a misspelt field fails silently. */
export function unknownFieldsOf(json: unknown): string[] {
	const fields = [...Object.keys(FIELD_TYPES), 'image_urls', 'callback_url'];
	return isRecord(json) ? Object.keys(json).filter((key) => !fields.includes(key)) : [];
}
