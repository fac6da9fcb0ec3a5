// The contract the sandbox enforces: allowed values, prices, times, error codes and the shapes errors come in.
// All of it is written down here a second time, from the vendor's document and not from the product, so that a value or a
// price that is wrong in the product shows up as a refusal or as a difference to the ledger.

export const ASPECT_RATIOS = ['1:1', '16:9', '9:16', '4:3', '3:4', '21:9', '9:21'] as const;
export type AspectRatio = (typeof ASPECT_RATIOS)[number];
export const RESOLUTIONS = ['480p', '720p'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];
/** Seconds, as the text that the contract wants. */
export const DURATIONS = ['4', '8', '12'] as const;
export type Duration = (typeof DURATIONS)[number];
/** Characters. */
export const PROMPT_MAX_LENGTH = 2000;

/** Every field of `POST /generate` that the contract knows. */
export const KNOWN_FIELDS: readonly string[] = [
	'prompt',
	'aspect_ratio',
	'resolution',
	'duration',
	'generate_audio',
	'fixed_lens',
	'image_urls',
	'callback_url',
];

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

/** The credits a task costs, from the sandbox's own copy of the price table. */
export function contractCredits(
	resolution: Resolution,
	duration: Duration,
	generateAudio: boolean,
): number {
	return PRICE_TABLE[resolution][duration][generateAudio ? 1 : 0];
}

/** Seconds a video of each length takes to make: the middle of what neighbouring providers report. */
export const SECONDS_TO_MAKE: Record<Duration, number> = { '4': 50, '8': 75, '12': 105 };

/** The contract's error table: code, HTTP status, and a sentence in the API's manner. */
export const ERRORS = {
	INVALID_PROMPT: { status: 400, message: 'The prompt is invalid or empty' },
	INVALID_ASPECT_RATIO: { status: 400, message: 'Unsupported aspect ratio' },
	INVALID_RESOLUTION: { status: 400, message: 'Resolution must be 480p or 720p' },
	INVALID_DURATION: { status: 400, message: 'Duration must be 4, 8 or 12 seconds' },
	TOO_MANY_IMAGES: { status: 400, message: 'At most 1 URL is allowed in image_urls' },
	INVALID_API_KEY: { status: 401, message: 'API key missing or invalid' },
	INSUFFICIENT_CREDITS: { status: 402, message: 'Not enough credits for this operation' },
	TASK_NOT_FOUND: { status: 404, message: 'No such task' },
	INTERNAL_ERROR: { status: 500, message: 'Server error, try again later' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(value: unknown): value is ErrorCode {
	return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}

export const ERROR_CODES: readonly ErrorCode[] = Object.keys(ERRORS).filter(isErrorCode);

/**
 * The shapes an error body may have. The contract prints none, so each of these has to be understood:
 * a string code, a numeric one, both with the HTTP status or under HTTP 200, nested, and a proxy's HTML page.
 */
export const ERROR_SHAPES = [
	'string-code',
	'string-code-http-200',
	'nested-code',
	'data-code',
	'error-word',
	'error-text',
	'msg',
	'numeric-code',
	'numeric-code-http-200',
	'html',
] as const;

export type ErrorShape = (typeof ERROR_SHAPES)[number];

/** One complete HTTP answer. */
export interface Answer {
	status: number;
	headers: Record<string, string>;
	body: string;
}

/** An answer with a JSON body. */
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

/** The answer for one error of the contract in one of the shapes. */
export function errorAnswer(code: ErrorCode, shape: ErrorShape = 'string-code'): Answer {
	const { status, message } = ERRORS[code];
	switch (shape) {
		case 'string-code':
			return jsonAnswer(status, { code, message, data: null });
		case 'string-code-http-200':
			return jsonAnswer(200, { code, message, data: null });
		case 'nested-code':
			return jsonAnswer(status, { error: { code, message } });
		case 'data-code':
			return jsonAnswer(status, {
				code: status,
				message: 'error',
				data: { code, error_message: message },
			});
		case 'error-word':
			return jsonAnswer(status, { error: code, message });
		case 'error-text':
			return jsonAnswer(status, { error: message });
		case 'msg':
			return jsonAnswer(status, { code: status, msg: message });
		case 'numeric-code':
			return jsonAnswer(status, { code: status, message });
		case 'numeric-code-http-200':
			return jsonAnswer(200, { code: status, message, data: null });
		case 'html':
			return htmlAnswer(status, message);
	}
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOneOf<T extends string>(allowed: readonly T[], value: unknown): value is T {
	return allowed.some((each) => each === value);
}

/** What the API makes of a body: an order it accepts, or the code it refuses with. */
export type BodyVerdict = { order: VideoOrder } | { refused: ErrorCode };

/**
 * Checks a `POST /generate` body in the order of the contract's table. What clients have seen tolerated (an integer
 * `duration`, unknown keys) is tolerated here as well; `breachesOf` names it.
 */
export function checkBody(json: unknown): BodyVerdict {
	if (!isRecord(json)) return { refused: 'INVALID_PROMPT' };
	const { prompt } = json;
	if (typeof prompt !== 'string' || prompt.trim() === '') return { refused: 'INVALID_PROMPT' };
	if ([...prompt].length > PROMPT_MAX_LENGTH) return { refused: 'INVALID_PROMPT' };
	const aspectRatio = json.aspect_ratio === undefined ? '1:1' : json.aspect_ratio;
	if (!isOneOf(ASPECT_RATIOS, aspectRatio)) return { refused: 'INVALID_ASPECT_RATIO' };
	const resolution = json.resolution === undefined ? '720p' : json.resolution;
	if (!isOneOf(RESOLUTIONS, resolution)) return { refused: 'INVALID_RESOLUTION' };
	const duration =
		json.duration === undefined
			? '8'
			: typeof json.duration === 'number'
				? String(json.duration)
				: json.duration;
	if (!isOneOf(DURATIONS, duration)) return { refused: 'INVALID_DURATION' };
	const images = Array.isArray(json.image_urls) ? json.image_urls : [];
	if (images.length > 1) return { refused: 'TOO_MANY_IMAGES' };
	return {
		order: {
			prompt,
			aspect_ratio: aspectRatio,
			resolution,
			duration,
			generate_audio: json.generate_audio === true,
			fixed_lens: json.fixed_lens === true,
			image_urls: images.map(String),
			callback_url: typeof json.callback_url === 'string' ? json.callback_url : null,
		},
	};
}

function isHttpUrl(value: unknown): boolean {
	if (typeof value !== 'string' || !URL.canParse(value)) return false;
	return ['http:', 'https:'].includes(new URL(value).protocol);
}

/** Where a body departs from the contract although the API lets it pass: one sentence each, none for a faithful body. */
export function breachesOf(json: unknown): string[] {
	if (!isRecord(json)) return ['the body is not a JSON object'];
	const breaches: string[] = [];
	for (const field of ['prompt', 'aspect_ratio', 'resolution', 'duration'] as const) {
		if (json[field] !== undefined && typeof json[field] !== 'string') {
			breaches.push(`${field} is not a string`);
		}
	}
	for (const field of ['generate_audio', 'fixed_lens'] as const) {
		if (json[field] !== undefined && typeof json[field] !== 'boolean') {
			breaches.push(`${field} is not a boolean`);
		}
	}
	if (json.image_urls !== undefined) {
		if (!Array.isArray(json.image_urls)) breaches.push('image_urls is not an array');
		else if (!json.image_urls.every(isHttpUrl)) {
			breaches.push('image_urls holds something else than an http(s) URL');
		}
	}
	if (json.callback_url !== undefined && !isHttpUrl(json.callback_url)) {
		breaches.push('callback_url is not an http(s) URL');
	}
	return breaches;
}

/** The keys of a body that the contract does not know. A real API ignores them, so a misspelt field fails silently. */
export function unknownFieldsOf(json: unknown): string[] {
	return isRecord(json) ? Object.keys(json).filter((key) => !KNOWN_FIELDS.includes(key)) : [];
}
