/**
 * What each model accepts, how long it takes and what a video costs. Dropdowns, the fields that are
 * shown, checks, the body, hints and estimates derive from the list here, so that a new model is
 * one entry. Source: docs/api-contract.md#create-a-task, docs/api-contract.md#prices and
 * docs/api-contract.md#version-2.
 */

/** The versions of the API: the last part of its base URL. */
export type ApiVersion = 'v1' | 'v2';

/** Switches that only some models have. */
export type SwitchName = 'generateAudio' | 'fixedLens' | 'public';

/** What decides the price of a video, apart from its model. */
export interface PriceSettings {
	/** Undefined for a model that has none to choose. */
	resolution?: string;
	/** Seconds. */
	duration: number;
	generateAudio: boolean;
	/** How many reference videos there are. */
	referenceVideos: number;
}

export interface Model {
	/** The value of the node's field, and of `model` in its output. */
	value: string;
	label: string;
	version: ApiVersion;
	/** `model` in the body; undefined where the API has one model only. */
	apiName?: string;
	/** In the order the dropdown shows them: vertical first, the most used in posting workflows. */
	aspectRatios: readonly string[];
	/** Whether a video from an image may have another shape than the image. */
	hasRatioWithImage: boolean;
	/** Empty where there is none to choose. */
	resolutions: readonly string[];
	/** Seconds. */
	durations: readonly number[];
	/** Seconds that the node starts with. */
	defaultDuration: number;
	/** Whether the API wants the duration as text. */
	isDurationText: boolean;
	maxImages: number;
	/** The name of the images in the body. */
	imagesName: 'image_urls' | 'images';
	maxReferenceVideos: number;
	switches: readonly SwitchName[];
	/** Seconds that a video usually takes, from and to. */
	usualSeconds: readonly [number, number];
	/** Minutes after which the node waits no longer, unless the user says so. */
	timeoutMinutes: number;
	/** Credits of one video. For checked settings only: others throw, or give NaN. */
	credits: (settings: PriceSettings) => number;
}

/** Characters of a prompt, for every model. */
export const PROMPT_MAX_LENGTH = 2000;

/** Credits of version 1: silent, and with audio. */
const CREDITS_V1: Readonly<Record<string, Readonly<Record<number, readonly [number, number]>>>> = {
	'480p': { 4: [8, 14], 8: [14, 28], 12: [19, 38] },
	'720p': { 4: [14, 28], 8: [28, 56], 12: [42, 84] },
};

/** Credits for each second of Seedance 2 Mini: alone, and with reference videos. */
const MINI_RATES: Readonly<Record<string, readonly [number, number]>> = {
	'480p': [14.25, 9],
	'720p': [30.75, 18.75],
};

const wholeSeconds = (from: number, to: number) =>
	Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What the models of version 2 have in common. */
const VERSION_2 = {
	version: 'v2',
	hasRatioWithImage: false,
	defaultDuration: 5,
	isDurationText: false,
	maxImages: 4,
	imagesName: 'images',
	switches: ['public'],
	timeoutMinutes: 30,
} as const;

/** What the two models of version 2 that differ in price only have in common. */
const SEEDANCE_2 = {
	...VERSION_2,
	aspectRatios: ['9:16', '16:9', '3:4', '4:3'],
	resolutions: [],
	durations: [5, 10, 15],
	maxReferenceVideos: 0,
	usualSeconds: [120, 600],
} as const;

/** The first one is the default. */
export const MODELS: readonly [Model, ...Model[]] = [
	{
		value: 'seedance-v1',
		label: 'Seedance (API v1)',
		version: 'v1',
		aspectRatios: ['9:16', '16:9', '1:1', '3:4', '4:3', '21:9', '9:21'],
		hasRatioWithImage: true,
		resolutions: ['720p', '480p'],
		durations: [4, 8, 12],
		defaultDuration: 8,
		isDurationText: true,
		maxImages: 1,
		imagesName: 'image_urls',
		maxReferenceVideos: 0,
		switches: ['generateAudio', 'fixedLens'],
		usualSeconds: [60, 120],
		timeoutMinutes: 15,
		credits: ({ resolution = '', duration, generateAudio }) =>
			CREDITS_V1[resolution][duration][generateAudio ? 1 : 0],
	},
	{
		...SEEDANCE_2,
		value: 'seedance-2.0',
		label: 'Seedance 2.0',
		apiName: 'seedance-2.0',
		credits: ({ duration }) => 48 * duration,
	},
	{
		...SEEDANCE_2,
		value: 'seedance-2.0-fast',
		label: 'Seedance 2.0 Fast',
		apiName: 'seedance-2.0-fast',
		credits: ({ duration }) => 32 * duration,
	},
	{
		...VERSION_2,
		value: 'seedance-2-mini',
		label: 'Seedance 2 Mini',
		apiName: 'seedance-2-mini',
		aspectRatios: ['9:16', '16:9', '1:1', '3:4', '4:3', '21:9'],
		resolutions: ['720p', '480p'],
		durations: wholeSeconds(4, 15),
		maxReferenceVideos: 3,
		usualSeconds: [60, 600],
		credits: ({ resolution = '', duration, referenceVideos }) =>
			Math.ceil(MINI_RATES[resolution][referenceVideos > 0 ? 1 : 0] * duration),
	},
];

export const [DEFAULT_MODEL] = MODELS;

/** The node's defaults. The API's own default ratio is another; published workflows post 9:16. */
export const DEFAULT_ASPECT_RATIO = '9:16';
export const DEFAULT_RESOLUTION = '720p';

/** The settings of a video that decide its price, checked. */
export interface VideoSettings extends PriceSettings {
	model: Model;
}

/** Credits that one video costs. For checked settings only: others throw, or give NaN. */
export function creditsOf({ model, ...settings }: VideoSettings): number {
	return model.credits(settings);
}

/** `1 to 2 minutes`: how long a video of one of these models usually takes. */
export function usualTimeOf(...models: readonly Model[]): string {
	const minutes = models.flatMap(({ usualSeconds }) => usualSeconds.map((s) => Math.round(s / 60)));
	return `${Math.min(...minutes)} to ${Math.max(...minutes)} minutes`;
}

/** The model of that name: the field's value, or the API's name; undefined where there is none. */
export function modelNamed(name: string): Model | undefined {
	return MODELS.find(({ value, apiName }) => value === name || apiName === name);
}

/** The model of that name; the default one where there is none. */
export const modelOr = (name: string | null): Model => modelNamed(name ?? '') ?? DEFAULT_MODEL;

/** Every combination of settings that decides the price of a model. */
export function priceSettingsOf(model: Model): PriceSettings[] {
	const resolutions = model.resolutions.length ? model.resolutions : [undefined];
	const audio = model.switches.includes('generateAudio') ? [false, true] : [false];
	const references = model.maxReferenceVideos ? [0, 1] : [0];
	return resolutions.flatMap((resolution) =>
		model.durations.flatMap((duration) =>
			audio.flatMap((generateAudio) =>
				references.map((referenceVideos) => ({
					resolution,
					duration,
					generateAudio,
					referenceVideos,
				})),
			),
		),
	);
}

/** Every price of a model, in credits, the lowest first. */
export function pricesOf(model: Model): number[] {
	return priceSettingsOf(model)
		.map((settings) => model.credits(settings))
		.sort((a, b) => a - b);
}
