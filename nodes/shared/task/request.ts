/**
 * What a request for a video may hold: one description of each of its parameters, from which the
 * checks, the body that is sent, and the key that a video is remembered by derive. Source of every
 * rule: docs/api-contract.md#create-a-task.
 */
import { isSheetTime, ratioOf } from './aspectRatio';
import { checkImageUrl } from './links';
import {
	ASPECT_RATIOS,
	DEFAULTS,
	DURATIONS,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
	type AspectRatio,
	type Duration,
	type Resolution,
	type VideoSettings,
} from './models';
import type { ApiReach } from './publicUrl';
import { wellFormed } from '../text';
import { asText, brokenReason, isEmpty, plain, quote, switchOf, type Checked } from './values';

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

function readResolution(value: unknown, problems: string[]): Resolution {
	if (isEmpty(value)) return DEFAULTS.resolution;
	const lines = /^(\d+)(?:[.,]0+)?\s*p?$/.exec(plain(value))?.[1];
	const found = RESOLUTIONS.find((resolution) => resolution === `${lines}p`);
	if (!found) problems.push(notAllowed('Resolution', value, RESOLUTIONS));
	return found ?? DEFAULTS.resolution;
}

/**
 * Seconds as people write them, and as a spreadsheet shows them when it takes them for a time:
 * `00:08`, `0:00:08`.
 */
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

/** A switch that is off where its field is empty; `field` is its label. */
function readSwitch(field: string) {
	return (value: unknown, problems: string[]): boolean => {
		if (isEmpty(value)) return false;
		const found = switchOf(value);
		if (found === undefined) problems.push(notAllowed(field, value, ['true', 'false']));
		return found ?? false;
	};
}

/** One parameter of a request. Its name here is that of the node's field. */
interface Parameter<T> {
	/** Its name in the body of `POST /generate`. */
	apiName: string;
	/** The value of the field, tidied; what is wrong with it goes to `problems`. */
	read(value: unknown, problems: string[]): T;
	/** Whether a value is sent; always where absent. */
	isSent?(value: T): boolean;
}

const whenOn = (value: boolean) => value;

/**
 * Every parameter that shapes a video, the image apart, in the order of the body. Prompt, ratio,
 * resolution and duration are sent always, because the API's own defaults differ from the node's;
 * switches only when on.
 */
const PARAMETERS = {
	prompt: { apiName: 'prompt', read: readPrompt },
	aspectRatio: { apiName: 'aspect_ratio', read: readAspectRatio },
	resolution: { apiName: 'resolution', read: readResolution },
	duration: { apiName: 'duration', read: readDuration },
	generateAudio: {
		apiName: 'generate_audio',
		read: readSwitch('Generate Audio'),
		isSent: whenOn,
	},
	fixedLens: { apiName: 'fixed_lens', read: readSwitch('Fixed Lens'), isSent: whenOn },
};

type Parameters = typeof PARAMETERS;
type ParameterName = keyof Parameters;

/** The values of all parameters, tidied and checked. */
type Values = { [name in ParameterName]: ReturnType<Parameters[name]['read']> };

export interface VideoRequest extends Values {
	imageUrl?: string;
	callbackUrl?: string;
}

const ENTRIES: ReadonlyArray<[string, Parameter<unknown>]> = Object.entries(PARAMETERS);

/**
 * The names of all parameters: the fields that the node reads for a video, and that tell one video
 * from another.
 */
export const PARAMETER_NAMES: readonly string[] = ENTRIES.map(([name]) => name);

function isWhole(values: Partial<Values>): values is Values {
	return PARAMETER_NAMES.every((name) => name in values);
}

/**
 * The settings that decide the price, tidied and checked. Accepts what people's sheets hold: `8`,
 * `"8s"`, `" 720P "`, `"TRUE"`. An empty value is the field's default.
 */
export function checkSettings(raw: RawFields): Checked<VideoSettings> {
	const problems: string[] = [];
	const value = {
		resolution: PARAMETERS.resolution.read(raw.resolution, problems),
		duration: PARAMETERS.duration.read(raw.duration, problems),
		generateAudio: PARAMETERS.generateAudio.read(raw.generateAudio, problems),
	};
	return problems.length ? { ok: false, problems } : { ok: true, value };
}

/**
 * The settings in the API's own echo of a request; undefined where it does not tell the two that
 * decide the price. There an absent value tells nothing; it is no default of the node.
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
	const values: Partial<Values> = Object.fromEntries(
		ENTRIES.map(([name, { read }]) => [name, read(raw[name], problems)]),
	);
	const image = 'imageUrl' in raw ? checkImageUrl(raw.imageUrl, apiReach) : undefined;
	if (image && !image.ok) problems.push(...image.problems);
	if (problems.length || !isWhole(values)) return { ok: false, problems };
	return { ok: true, value: { ...values, ...(image?.ok && { imageUrl: image.value }) } };
}

/** The body of `POST /generate`, and nothing else (docs/api-contract.md#unknown-fields). */
export type GenerateBody = Readonly<Record<string, unknown>>;

/** The JSON body of `POST /generate`: the parameters that are sent, and links only when given. */
export function requestBody(request: VideoRequest): GenerateBody {
	const values: RawFields = { ...request };
	const sent = ENTRIES.filter(([name, { isSent }]) => isSent?.(values[name]) ?? true);
	return {
		...Object.fromEntries(sent.map(([name, { apiName }]) => [apiName, values[name]])),
		...(request.imageUrl && { image_urls: [request.imageUrl] }),
		...(request.callbackUrl && { callback_url: request.callbackUrl }),
	};
}
