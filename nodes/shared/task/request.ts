/**
 * What a request for a video may hold: allowed values, defaults, checks, the body that is sent.
 * The dropdowns of the node, the checks and the price table all derive from the lists here.
 * Source of every rule: the Seedance API documentation, version 1.
 */
import { createHash } from 'crypto';

import { isSheetTime, ratioOf } from './aspectRatio';
import { checkImageUrl } from './links';
import type { ApiReach } from './publicUrl';
import { wellFormed } from '../text';
import { asText, brokenReason, isEmpty, quote, type Checked } from './values';

export { shorten } from '../text';
export type { Checked } from './values';

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

/** `field "value" … Allowed: …`, the one form of every refused value. */
function notAllowed(field: string, value: unknown, allowed: readonly string[]): string {
	const reason = typeof value === 'string' ? brokenReason(value) : undefined;
	return `${field} ${reason ?? `${quote(value)} is not supported`}. Allowed: ${allowed.join(', ')}.`;
}

/** The same for a value that a spreadsheet has changed. */
function notATime(field: string, value: unknown, allowed: readonly string[]): string {
	return `${field} ${quote(value)} looks like a time or a date: a spreadsheet has changed what was entered. Format that column as plain text and enter the value again. Allowed: ${allowed.join(', ')}.`;
}

function readPrompt(value: unknown, problems: string[]): string {
	if (isEmpty(value)) {
		problems.push(
			'Prompt is empty: this item has no such value. Describe the video in words, or check the name in the expression.',
		);
		return '';
	}
	const broken = brokenReason(value);
	if (broken) {
		problems.push(`Prompt ${broken}.`);
		return '';
	}
	const text = wellFormed(asText(value) ?? '');
	const length = [...text].length;
	if (length > PROMPT_MAX_LENGTH) {
		problems.push(
			`Prompt has ${length} characters; the API takes at most ${PROMPT_MAX_LENGTH}. Shorten it.`,
		);
	}
	return text;
}

function readAspectRatio(value: unknown, problems: string[]): AspectRatio {
	if (isEmpty(value)) return DEFAULTS.aspectRatio;
	const found = ratioOf(value, ASPECT_RATIOS);
	if (found) return found;
	const refused = isSheetTime(value, ASPECT_RATIOS) ? notATime : notAllowed;
	problems.push(refused('Aspect Ratio', value, ASPECT_RATIOS));
	return DEFAULTS.aspectRatio;
}

/** A text of a dropdown in plain characters and lower case, without the explanation in brackets. */
function plain(value: unknown): string {
	const text = (asText(value) ?? '').normalize('NFKC').replace(/\s*\([^)]*\)\s*$/, '');
	return text.trim().toLowerCase();
}

function readResolution(value: unknown, problems: string[]): Resolution {
	if (isEmpty(value)) return DEFAULTS.resolution;
	const lines = /^(\d+)(?:[.,]0+)?\s*p?$/.exec(plain(value))?.[1];
	const found = RESOLUTIONS.find((resolution) => resolution === `${lines}p`);
	if (!found) problems.push(notAllowed('Resolution', value, RESOLUTIONS));
	return found ?? DEFAULTS.resolution;
}

/** Seconds as people write them, and as a spreadsheet shows them when it takes them for a time: `00:08`, `0:00:08`. */
const SECONDS = /^(\d+)(?:[.,]0+)?\s*-?(?:s|sec|secs|second|seconds)?\.?$/;
const SECONDS_AS_TIME = /^(?:0{1,2}:)?0{1,2}:0?(\d{1,2})$/;

function readDuration(value: unknown, problems: string[]): Duration {
	if (isEmpty(value)) return DEFAULTS.duration;
	const text = plain(value);
	const seconds = (SECONDS.exec(text) ?? SECONDS_AS_TIME.exec(text))?.[1];
	const found = DURATIONS.find((duration) => duration === seconds);
	if (!found) {
		const refused = isSheetTime(value, []) ? notATime : notAllowed;
		problems.push(refused('Duration', value, DURATIONS).replace(/\.$/, ' seconds.'));
	}
	return found ?? DEFAULTS.duration;
}

const YES = ['true', 'yes', 'y', 'on', '1'];
const NO = ['false', 'no', 'n', 'off', '0'];

/** Yes or no from a switch, a sheet or an expression; undefined for anything else. */
export function switchOf(value: unknown): boolean | undefined {
	const text = plain(value);
	if (YES.includes(text)) return true;
	return NO.includes(text) ? false : undefined;
}

/** A switch that is off where its field is empty. */
function readSwitch(field: string, value: unknown, problems: string[]): boolean {
	if (isEmpty(value)) return false;
	const found = switchOf(value);
	if (found === undefined) problems.push(notAllowed(field, value, ['true', 'false']));
	return found ?? false;
}

/**
 * The settings that decide the price, tidied and checked.
 * Accepts what people's sheets hold: `8`, `"8s"`, `" 720P "`, `"TRUE"`. An empty value is the field's default.
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
 * The settings in the API's own echo of a request; undefined where it does not tell the two that decide the price. There an
 * absent value is not known, and no default of the node.
 */
export function echoedSettings(request: RawFields): VideoSettings | undefined {
	if (isEmpty(request.resolution) || isEmpty(request.duration)) return undefined;
	const settings = checkSettings({ ...request, generateAudio: request.generate_audio });
	return settings.ok ? settings.value : undefined;
}

/**
 * A whole request, tidied and checked before anything is sent. `raw.imageUrl` is read when present.
 * `apiReach`: how far the API itself can reach (the sandbox reaches this machine).
 * Gives every problem at once, each a sentence that names field, value and what is allowed.
 */
export function checkVideoRequest(raw: RawFields, apiReach: ApiReach): Checked<VideoRequest> {
	const problems: string[] = [];
	const prompt = readPrompt(raw.prompt, problems);
	const aspectRatio = readAspectRatio(raw.aspectRatio, problems);
	const settings = checkSettings(raw);
	if (!settings.ok) problems.push(...settings.problems);
	const fixedLens = readSwitch('Fixed Lens', raw.fixedLens, problems);
	const image = 'imageUrl' in raw ? checkImageUrl(raw.imageUrl, apiReach) : undefined;
	if (image && !image.ok) problems.push(...image.problems);
	if (problems.length || !settings.ok) return { ok: false, problems };
	return {
		ok: true,
		value: {
			prompt,
			aspectRatio,
			...settings.value,
			fixedLens,
			...(image?.ok && { imageUrl: image.value }),
		},
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
