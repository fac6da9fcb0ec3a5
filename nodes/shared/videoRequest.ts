/**
 * What a request for a video may hold: allowed values, defaults, checks, the body that is sent.
 * The dropdowns of the node, the checks and the price table all derive from the lists here.
 * Source of every rule: the Seedance API documentation, version 1.
 */
import { createHash } from 'crypto';

import { unreachableReason } from './publicUrl';

/** In the order the dropdown shows them: vertical first, the most used in posting workflows. */
export const ASPECT_RATIOS = ['9:16', '16:9', '1:1', '3:4', '4:3', '21:9', '9:21'] as const;
export const RESOLUTIONS = ['720p', '480p'] as const;
/** Seconds, as the strings the API wants. */
export const DURATIONS = ['4', '8', '12'] as const;
/** Characters. */
export const PROMPT_MAX_LENGTH = 2000;

export type AspectRatio = (typeof ASPECT_RATIOS)[number];
export type Resolution = (typeof RESOLUTIONS)[number];
export type Duration = (typeof DURATIONS)[number];

/** What the node starts with. The API's own default ratio is 1:1; published workflows post 9:16. */
export const DEFAULTS = {
	aspectRatio: '9:16',
	resolution: '720p',
	duration: '8',
} as const satisfies { aspectRatio: AspectRatio; resolution: Resolution; duration: Duration };

/** The settings that decide the price. */
export interface VideoSettings {
	resolution: Resolution;
	duration: Duration;
	generateAudio: boolean;
}

export interface VideoRequest extends VideoSettings {
	prompt: string;
	aspectRatio: AspectRatio;
	fixedLens: boolean;
	imageUrl?: string;
	callbackUrl?: string;
}

/** Values as they come out of the node's fields or of expressions: of any type. */
export type RawFields = Readonly<Record<string, unknown>>;

export type Checked<T> = { ok: true; value: T } | { ok: false; problems: string[] };

/** `field "value" … Allowed: …`, the one form of every refused value. */
function notAllowed(field: string, value: unknown, allowed: readonly string[]): string {
	return `${field} ${quote(value)} is not possible. Allowed: ${allowed.join(', ')}.`;
}

function quote(value: unknown): string {
	const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
	return `"${shorten(text, 60)}"`;
}

/** The first `length` characters of a text, on one line, with an ellipsis where it was cut. */
export function shorten(text: string, length: number): string {
	const characters = [...text.replace(/\s+/g, ' ').trim()];
	return characters.length <= length
		? characters.join('')
		: `${characters.slice(0, length - 1).join('')}…`;
}

function isEmpty(value: unknown): boolean {
	return value === undefined || value === null || (typeof value === 'string' && !value.trim());
}

/** Numbers and booleans from expressions become their text; anything else that is no text is refused. */
function asText(value: unknown): string | undefined {
	if (typeof value === 'string') return value;
	if (typeof value === 'number' || typeof value === 'boolean') return String(value);
	return undefined;
}

function readPrompt(value: unknown, problems: string[]): string {
	if (isEmpty(value)) {
		problems.push('Prompt is empty. Describe the video in words.');
		return '';
	}
	const text = asText(value);
	if (text === undefined) {
		problems.push(`Prompt must be text, not ${quote(value)}.`);
		return '';
	}
	const length = [...text].length;
	if (length > PROMPT_MAX_LENGTH) {
		problems.push(
			`Prompt has ${length} characters; the API takes at most ${PROMPT_MAX_LENGTH}. Shorten it.`,
		);
	}
	return text;
}

/** A ratio that a spreadsheet read as a time of day, such as `9:16:00`, `09:16` or an ISO date of 1899. */
function looksLikeTime(value: unknown): boolean {
	if (value instanceof Date) return true;
	const text = asText(value)?.trim() ?? '';
	return (
		/^\d{1,2}:\d{2}:\d{2}(\.\d+)?(\s*[ap]m)?$/i.test(text) ||
		/^\d{1,2}:\d{2}\s*[ap]m$/i.test(text) ||
		/^0\d:\d{2}$/.test(text) ||
		/^(18|19)\d\d-\d\d-\d\dT\d\d:\d\d/.test(text) ||
		/^0\.\d{4,}$/.test(text)
	);
}

function readAspectRatio(value: unknown, problems: string[]): AspectRatio {
	const text = (asText(value) ?? '').replace(/\s+/g, '');
	const found = ASPECT_RATIOS.find((ratio) => ratio === text);
	if (found) return found;
	problems.push(
		looksLikeTime(value)
			? `Aspect Ratio ${quote(value)} looks like a time of day: a spreadsheet has turned the ratio into a time. Format that column as plain text and enter the ratio again. Allowed: ${ASPECT_RATIOS.join(', ')}.`
			: notAllowed('Aspect Ratio', value, ASPECT_RATIOS),
	);
	return DEFAULTS.aspectRatio;
}

function readResolution(value: unknown, problems: string[]): Resolution {
	const text = (asText(value) ?? '').trim().toLowerCase();
	const found = RESOLUTIONS.find((resolution) => resolution === text || resolution === `${text}p`);
	if (!found) problems.push(notAllowed('Resolution', value, RESOLUTIONS));
	return found ?? DEFAULTS.resolution;
}

function readDuration(value: unknown, problems: string[]): Duration {
	const text = (asText(value) ?? '').trim().toLowerCase();
	const seconds = /^(\d+)(?:\.0+)?\s*(?:s|sec|secs|second|seconds)?$/.exec(text)?.[1];
	const found = DURATIONS.find((duration) => duration === seconds);
	if (!found) {
		problems.push(
			`Duration ${quote(value)} is not possible. Allowed: ${DURATIONS.join(', ')} seconds.`,
		);
	}
	return found ?? DEFAULTS.duration;
}

const YES = ['true', 'yes', 'y', 'on', '1'];
const NO = ['false', 'no', 'n', 'off', '0'];

/** Yes or no from a switch, a sheet or an expression; undefined for anything else. */
export function switchOf(value: unknown): boolean | undefined {
	const text = (asText(value) ?? '').trim().toLowerCase();
	if (YES.includes(text)) return true;
	return NO.includes(text) ? false : undefined;
}

function readSwitch(field: string, value: unknown, problems: string[]): boolean {
	if (isEmpty(value)) return false;
	const found = switchOf(value);
	if (found === undefined) problems.push(notAllowed(field, value, ['true', 'false']));
	return found ?? false;
}

function readImageUrl(value: unknown, apiIsLocal: boolean, problems: string[]): string {
	const list: unknown[] = Array.isArray(value) ? value : [value];
	if (list.length > 1) {
		problems.push(`Image URL holds ${list.length} images; the API takes at most 1.`);
		return '';
	}
	const [only] = list;
	if (isEmpty(only)) {
		problems.push('Image URL is empty. Enter a link to an image, or set Image to "None".');
		return '';
	}
	const text = typeof only === 'string' ? only.trim() : '';
	if (/^data:/i.test(text)) {
		problems.push(
			'Image URL holds the image itself (a data URI), which the API does not take. Use a public link, or set Image to "From Input File".',
		);
		return text;
	}
	const reason = unreachableReason(text, apiIsLocal);
	if (reason) problems.push(`Image URL ${quote(only)} ${reason}.`);
	return text;
}

/**
 * The settings that decide the price, tidied and checked.
 * Accepts what people's sheets hold: `8`, `"8s"`, `" 720P "`, `"TRUE"`.
 */
export function checkSettings(raw: RawFields): Checked<VideoSettings> {
	const problems: string[] = [];
	const value = {
		resolution: readResolution(raw.resolution, problems),
		duration: readDuration(raw.duration, problems),
		generateAudio: readSwitch('Generate Audio', raw.generateAudio, problems),
	};
	return problems.length ? { ok: false, problems } : { ok: true, value };
}

/**
 * A whole request, tidied and checked before anything is sent. `raw.imageUrl` is read when present.
 * `apiIsLocal`: the API itself is on this machine (the sandbox), so local links are fine.
 * Gives every problem at once, each a sentence that names field, value and what is allowed.
 */
export function checkVideoRequest(raw: RawFields, apiIsLocal: boolean): Checked<VideoRequest> {
	const problems: string[] = [];
	const prompt = readPrompt(raw.prompt, problems);
	const aspectRatio = readAspectRatio(raw.aspectRatio, problems);
	const settings = checkSettings(raw);
	if (!settings.ok) problems.push(...settings.problems);
	const fixedLens = readSwitch('Fixed Lens', raw.fixedLens, problems);
	const imageUrl = 'imageUrl' in raw ? readImageUrl(raw.imageUrl, apiIsLocal, problems) : undefined;
	if (problems.length || !settings.ok) return { ok: false, problems };
	return {
		ok: true,
		value: { prompt, aspectRatio, ...settings.value, fixedLens, ...(imageUrl && { imageUrl }) },
	};
}

/** The body of `POST /generate`. An unknown key would be ignored silently, so nothing else goes in. */
export interface GenerateBody {
	prompt: string;
	aspect_ratio: AspectRatio;
	resolution: Resolution;
	duration: Duration;
	generate_audio?: true;
	fixed_lens?: true;
	image_urls?: [string];
	callback_url?: string;
}

/**
 * The JSON body of `POST /generate`: prompt, ratio, resolution and duration always (the API's own
 * defaults differ from the node's), switches only when on, links only when given.
 */
export function requestBody(request: VideoRequest): GenerateBody {
	return {
		prompt: request.prompt,
		aspect_ratio: request.aspectRatio,
		resolution: request.resolution,
		duration: request.duration,
		...(request.generateAudio && { generate_audio: true }),
		...(request.fixedLens && { fixed_lens: true }),
		...(request.imageUrl && { image_urls: [request.imageUrl] }),
		...(request.callbackUrl && { callback_url: request.callbackUrl }),
	};
}

/**
 * What makes two requests the same video: SHA-256 (hex) of everything that shapes it.
 * Never the callback URL. `imageIdentity` stands for an input file, whose link differs each time.
 */
export function requestKey(request: VideoRequest, imageIdentity?: string): string {
	const parts = [
		request.prompt,
		request.aspectRatio,
		request.resolution,
		request.duration,
		request.generateAudio,
		request.fixedLens,
		imageIdentity ?? request.imageUrl ?? null,
	];
	return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
