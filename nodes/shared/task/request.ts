/**
 * What a request for a video may hold: one description of each parameter, from which its check, its
 * part of the body, and the key of a video derive. Source of every rule:
 * docs/api-contract.md#create-a-task and docs/api-contract.md#version-2.
 */
import { checkImageUrls, checkVideoUrls, countOfLinks } from './links';
import {
	DEFAULT_MODEL,
	DEFAULT_RESOLUTION,
	modelNamed,
	type Model,
	type VideoSettings,
} from './models';
import type { ApiReach } from './publicUrl';
import {
	notTaken,
	readAspectRatio,
	readDuration,
	readModel,
	readPrompt,
	readResolution,
	readSwitch,
} from './requestFields';
import { asText, isEmpty, type Checked } from './values';

/** Values as they come out of the node's fields or of expressions: of any type. */
export type RawFields = Readonly<Record<string, unknown>>;

/** One parameter of a request. Its name here is that of the node's field. */
interface Parameter<T> {
	/** The value of the field, tidied. A wrong value adds a sentence to `problems`. */
	read(value: unknown, problems: string[], model: Model): T;
	/** Its part of the body of `POST /generate`; empty where it is not sent. */
	body(value: T, model: Model): GenerateBody;
}

/** The body of `POST /generate`, and nothing else (docs/api-contract.md#unknown-fields). */
export type GenerateBody = Readonly<Record<string, unknown>>;

/** Sent only when on, because it is off by default. */
const whenOn =
	(apiName: string) =>
	(isOn: boolean): GenerateBody =>
		isOn ? { [apiName]: true } : {};

/**
 * Every parameter that shapes a video, images and reference videos apart, in the order of the body.
 * Prompt, ratio, resolution and duration are sent always, because the API's own defaults differ
 * from the node's; switches only when on; Public also when off, so that the API's own default never
 * publishes a video.
 */
const PARAMETERS = {
	prompt: { read: readPrompt, body: (prompt: string) => ({ prompt }) },
	aspectRatio: { read: readAspectRatio, body: (ratio: string) => ({ aspect_ratio: ratio }) },
	resolution: {
		read: readResolution,
		body: (resolution: string | undefined): GenerateBody => (resolution ? { resolution } : {}),
	},
	duration: {
		read: readDuration,
		body: (duration: number, { isDurationText }: Model) => ({
			duration: isDurationText ? String(duration) : duration,
		}),
	},
	generateAudio: {
		read: readSwitch('generateAudio', 'Generate Audio'),
		body: whenOn('generate_audio'),
	},
	fixedLens: { read: readSwitch('fixedLens', 'Fixed Lens'), body: whenOn('fixed_lens') },
	public: {
		read: readSwitch('public', 'Public'),
		body: (isPublic: boolean, { switches }: Model): GenerateBody =>
			switches.includes('public') ? { public: isPublic } : {},
	},
};

type Parameters = typeof PARAMETERS;
type ParameterName = keyof Parameters;

/** The values of all parameters, tidied and checked. */
type Values = { [name in ParameterName]: ReturnType<Parameters[name]['read']> };

export interface VideoRequest extends Values {
	model: Model;
	imageUrls: readonly string[];
	referenceVideoUrls: readonly string[];
	callbackUrl?: string;
}

const ENTRIES: ReadonlyArray<[string, Parameter<unknown>]> = Object.entries(PARAMETERS);

/** The fields of the model and of the videos that it may follow. */
export const MODEL_FIELD = 'model';
export const REFERENCES_FIELD = 'referenceVideos';

/**
 * The names of all parameters: the fields that the node reads for a video, and by which videos are
 * the same or not.
 */
export const PARAMETER_NAMES: readonly string[] = [
	MODEL_FIELD,
	...ENTRIES.map(([name]) => name),
	REFERENCES_FIELD,
];

function isWhole(values: Partial<Values>): values is Values {
	return ENTRIES.every(([name]) => name in values);
}

/**
 * The fields without the defaults that this model does not take: n8n fills them in where the model
 * comes from an expression. `stored`: the fields as they stand in the workflow, to distinguish a
 * default from an expression that gives the same value.
 */
export function withoutForeignDefaults(raw: RawFields, stored: RawFields): RawFields {
	const model = readModel(raw[MODEL_FIELD], []);
	const isForeign: Readonly<Record<string, boolean>> = {
		resolution:
			stored.resolution === DEFAULT_RESOLUTION && !model.resolutions.includes(DEFAULT_RESOLUTION),
		duration:
			stored.duration === DEFAULT_MODEL.defaultDuration &&
			!model.durations.includes(DEFAULT_MODEL.defaultDuration),
	};
	return Object.fromEntries(Object.entries(raw).filter(([name]) => !isForeign[name]));
}

/**
 * The settings that decide the price, tidied and checked. Accepts what people's sheets hold: `8`,
 * `"8s"`, `" 720P "`, `"TRUE"`. An empty value is the field's default.
 */
export function checkSettings(raw: RawFields): Checked<VideoSettings> {
	const problems: string[] = [];
	const model = readModel(raw[MODEL_FIELD], problems);
	// Without a known model, the other values cannot be checked.
	if (problems.length) return { ok: false, problems };
	const references = countOfLinks(raw[REFERENCES_FIELD]);
	if (references > model.maxReferenceVideos) {
		problems.push(tooManyReferences(raw[REFERENCES_FIELD], model, references));
	}
	const value = {
		model,
		resolution: PARAMETERS.resolution.read(raw.resolution, problems, model),
		duration: PARAMETERS.duration.read(raw.duration, problems, model),
		generateAudio: PARAMETERS.generateAudio.read(raw.generateAudio, problems, model),
		referenceVideos: references,
	};
	return problems.length ? { ok: false, problems } : { ok: true, value };
}

/**
 * The settings in the API's own echo of a request of this model; undefined where a value that
 * decides the price is absent. An absent value is not the node's default there.
 */
export function echoedSettings(request: RawFields, model: Model): VideoSettings | undefined {
	if (isEmpty(request.duration)) return undefined;
	if (model.resolutions.length && isEmpty(request.resolution)) return undefined;
	const settings = checkSettings({
		model: model.value,
		resolution: model.resolutions.length ? request.resolution : undefined,
		duration: request.duration,
		generateAudio: request.generate_audio,
		referenceVideos: request.reference_video_urls,
	});
	return settings.ok ? settings.value : undefined;
}

function tooManyReferences(value: unknown, model: Model, count: number): string {
	return model.maxReferenceVideos === 0
		? notTaken('Reference Videos', value, model)
		: `Reference Videos holds ${count} links; ${model.label} takes at most ${model.maxReferenceVideos}.`;
}

/** The links of a field, none where it is empty or the model takes none. */
function readReferences(raw: RawFields, model: Model, apiReach: ApiReach): Checked<string[]> {
	const value = raw[REFERENCES_FIELD];
	if (isEmpty(value)) return { ok: true, value: [] };
	if (model.maxReferenceVideos === 0) {
		return { ok: false, problems: [notTaken('Reference Videos', value, model)] };
	}
	return checkVideoUrls(value, apiReach, model);
}

/**
 * A whole request, tidied and checked before anything is sent. `raw.imageUrl` is read when present.
 * `apiReach`: how far the API itself can reach (the sandbox reaches this machine). `areFiles`: the
 * images are files of the item.
 * Gives every problem at once, each a sentence that names field, value and what is allowed.
 */
export function checkVideoRequest(
	raw: RawFields,
	apiReach: ApiReach,
	areFiles = false,
): Checked<VideoRequest> {
	const problems: string[] = [];
	const model = readModel(raw[MODEL_FIELD], problems);
	if (problems.length) {
		// Without a known model, only the prompt can be checked.
		readPrompt(raw.prompt, problems);
		return { ok: false, problems };
	}
	const values: Partial<Values> = Object.fromEntries(
		ENTRIES.map(([name, { read }]) => [name, read(raw[name], problems, model)]),
	);
	const none: Checked<string[]> = { ok: true, value: [] };
	const images = 'imageUrl' in raw ? checkImageUrls(raw.imageUrl, apiReach, model, areFiles) : none;
	const references = readReferences(raw, model, apiReach);
	for (const links of [images, references]) if (!links.ok) problems.push(...links.problems);
	if (problems.length || !images.ok || !references.ok || !isWhole(values)) {
		return { ok: false, problems };
	}
	const links = { imageUrls: images.value, referenceVideoUrls: references.value };
	return { ok: true, value: { model, ...values, ...links } };
}

/** The settings that decide the price of a checked request. */
export function settingsOf(request: VideoRequest): VideoSettings {
	return { ...request, referenceVideos: request.referenceVideoUrls.length };
}

/** The JSON body of `POST /generate`: the parameters that are sent, and links only when given. */
export function requestBody(request: VideoRequest): GenerateBody {
	const { model, imageUrls, referenceVideoUrls, callbackUrl } = request;
	const values: RawFields = { ...request };
	// Such a video takes the shape of the image.
	const isShapedByImage = imageUrls.length > 0 && !model.hasRatioWithImage;
	const sent = ENTRIES.filter(([name]) => !(isShapedByImage && name === 'aspectRatio'));
	const parts = sent.map(([name, { body }]) => body(values[name], model));
	return {
		...(model.apiName !== undefined && { model: model.apiName }),
		...Object.fromEntries(parts.flatMap((part) => Object.entries(part))),
		...(imageUrls.length && { [model.imagesName]: imageUrls }),
		...(referenceVideoUrls.length && { reference_video_urls: referenceVideoUrls }),
		...(callbackUrl && { callback_url: callbackUrl }),
	};
}

/** The model of a request by its body. */
export function modelOfBody({ model }: GenerateBody): Model {
	return modelNamed(asText(model) ?? '') ?? DEFAULT_MODEL;
}
