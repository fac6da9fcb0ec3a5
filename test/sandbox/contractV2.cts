// Version 2 of the contract as the sandbox enforces it: models, values, prices, times. Written from the vendor's pages and not
// imported from the nodes, so that a wrong value in the product is refused here. Those pages name no example of a wrong
// body, so whatever they do not allow is refused; only keys that they do not have are passed over, as in version 1.
import {
	isHttpUrl,
	isOneOf,
	isPrompt,
	isRecord,
	keysOf,
	type AnyErrorCode,
	type Terms,
	type Verdict,
} from './contract.cjs';

const RESOLUTIONS = ['480p', '720p'] as const;
type Resolution = (typeof RESOLUTIONS)[number];

interface Price {
	/** Credits as the vendor's table prints them, by seconds. */
	printed: Readonly<Record<number, number>>;
	/** Credits for each second: the rule, rounded up, for lengths that the table does not have. */
	perSecond: number;
	/** The same with a reference video. */
	perSecondWithVideo?: number;
}

interface ModelRules {
	durations: readonly number[];
	ratios: readonly string[];
	/** None: the model has no such field, and one price. */
	resolutions: readonly Resolution[];
	price: Readonly<Record<Resolution, Price>>;
	mostReferenceVideos: number;
	/** What a task's id ends with. */
	idEnd: string;
}

const TEXT_RATIOS = ['16:9', '9:16', '4:3', '3:4'];
const TWO: Price = { printed: { 5: 240, 10: 480, 15: 720 }, perSecond: 48 };
const FAST: Price = { printed: { 5: 160, 10: 320, 15: 480 }, perSecond: 32 };

export const MODELS_V2 = {
	'seedance-2.0': {
		durations: [5, 10, 15],
		ratios: TEXT_RATIOS,
		resolutions: [],
		price: { '480p': TWO, '720p': TWO },
		mostReferenceVideos: 0,
		idEnd: 'std',
	},
	'seedance-2.0-fast': {
		durations: [5, 10, 15],
		ratios: TEXT_RATIOS,
		resolutions: [],
		price: { '480p': FAST, '720p': FAST },
		mostReferenceVideos: 0,
		idEnd: 'fast',
	},
	'seedance-2-mini': {
		durations: [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
		ratios: [...TEXT_RATIOS, '1:1', '21:9'],
		resolutions: RESOLUTIONS,
		price: {
			'480p': { printed: { 5: 72, 10: 143, 15: 214 }, perSecond: 14.25, perSecondWithVideo: 9 },
			'720p': {
				printed: { 5: 154, 10: 308, 15: 462 },
				perSecond: 30.75,
				perSecondWithVideo: 18.75,
			},
		},
		mostReferenceVideos: 3,
		idEnd: 'mini',
	},
} as const satisfies Record<string, ModelRules>;
export type ModelV2 = keyof typeof MODELS_V2;
const MODELS = keysOf(MODELS_V2);
const rulesOf = (model: ModelV2): ModelRules => MODELS_V2[model];

const MOST_IMAGES = 4;
/** Seconds: what neighbouring providers report of 2.0 and fast. Nobody reports of mini, which is taken to be like them. */
const SECONDS_TO_MAKE = [120, 600] as const;

/** What a request of version 2 asks for once the defaults are filled in. */
export interface OrderV2 {
	prompt: string;
	model: ModelV2;
	/** Seconds. */
	duration: number;
	/** Null with images: the video then follows the first of them. */
	aspect_ratio: string | null;
	/** Null where the model has no such field. */
	resolution: Resolution | null;
	images: string[];
	reference_video_urls: string[];
	callback_url: string | null;
	/** Null when it was not given: no page states the default. */
	public: boolean | null;
}

export const FIELDS_V2: readonly string[] = [
	'prompt',
	'model',
	'duration',
	'aspect_ratio',
	'images',
	'resolution',
	'reference_video_urls',
	'callback_url',
	'public',
];

/** Hosts that nobody outside can reach: names without a dot, and private networks. */
const PRIVATE_HOST =
	/^([^.:]+|.*\.(local|localhost|internal)|(10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\..*)\.?$/;

/** An http(s) URL that the API could fetch. This machine stands for the internet here, as the sandbox never leaves it. */
function isPublicUrl(value: unknown): value is string {
	if (!isHttpUrl(value)) return false;
	const { hostname } = new URL(value);
	return hostname === 'localhost' || !PRIVATE_HOST.test(hostname);
}

const isUrlList = (value: unknown, most: number): value is string[] =>
	Array.isArray(value) && value.length >= 1 && value.length <= most && value.every(isPublicUrl);

const LOCALHOST = /^https?:\/\/localhost\b/i;

/** What the API makes of the body of `POST /v2/generate`: an order, or the code and the sentence it refuses with. */
export function checkBodyV2(json: unknown): Verdict<OrderV2> {
	if (!isRecord(json) || !isPrompt(json.prompt)) return { refused: 'INVALID_PROMPT' };
	const { prompt, model = 'seedance-2.0', duration = 5, aspect_ratio, images } = json;
	const { resolution, reference_video_urls: videos, callback_url: callback } = json;
	const refuse = (refused: AnyErrorCode, message: string) => ({ refused, message });

	if (!isOneOf(MODELS, model)) {
		return refuse('INVALID_PARAMETER', `model must be one of ${MODELS.join(', ')}`);
	}
	const { durations, ratios, resolutions, mostReferenceVideos } = rulesOf(model);
	// The text "5" is no number.
	if (typeof duration !== 'number' || !durations.includes(duration)) {
		return refuse(
			'INVALID_DURATION',
			`duration of ${model} must be one of ${durations.join(', ')}`,
		);
	}
	if (images !== undefined && !isUrlList(images, MOST_IMAGES)) {
		const isTooMany = Array.isArray(images) && images.length > MOST_IMAGES;
		const code = isTooMany ? 'TOO_MANY_IMAGES' : 'INVALID_PARAMETER';
		return refuse(code, `images must be 1 to ${MOST_IMAGES} public http(s) URLs`);
	}
	if (images !== undefined && aspect_ratio !== undefined) {
		return refuse('INVALID_ASPECT_RATIO', 'aspect_ratio is for text-to-video, without images');
	}
	const ratio = aspect_ratio === undefined ? ratios[0] : aspect_ratio;
	if (!isOneOf(ratios, ratio)) {
		return refuse('INVALID_ASPECT_RATIO', `aspect_ratio must be one of ${ratios.join(', ')}`);
	}
	const size = resolution === undefined ? resolutions.at(-1) : resolution;
	if (size !== undefined && !isOneOf(resolutions, size)) {
		const allowed = resolutions.length > 0 ? resolutions.join(' or ') : 'left out';
		return refuse('INVALID_RESOLUTION', `resolution of ${model} must be ${allowed}`);
	}
	if (videos !== undefined && !isUrlList(videos, mostReferenceVideos)) {
		const allowed = mostReferenceVideos > 0 ? `1 to ${mostReferenceVideos} URLs` : 'left out';
		return refuse('INVALID_PARAMETER', `reference_video_urls of ${model} must be ${allowed}`);
	}
	if (callback !== undefined && !(isPublicUrl(callback) && !LOCALHOST.test(callback))) {
		return refuse('INVALID_PARAMETER', 'callback_url must be a public http(s) URL, not localhost');
	}
	if (json.public !== undefined && typeof json.public !== 'boolean') {
		return refuse('INVALID_PARAMETER', 'public must be true or false');
	}
	return {
		order: {
			prompt,
			model,
			duration,
			aspect_ratio: images === undefined ? ratio : null,
			resolution: size ?? null,
			images: images ?? [],
			reference_video_urls: videos ?? [],
			callback_url: callback ?? null,
			public: json.public ?? null,
		},
	};
}

/** The credits of an order: what the vendor's table prints, else its rule. */
export function contractCreditsV2(
	model: ModelV2,
	seconds: number,
	resolution: Resolution | null = null,
	hasReferenceVideo = false,
): number {
	const {
		printed,
		perSecond,
		perSecondWithVideo = perSecond,
	} = rulesOf(model).price[resolution ?? '720p'];
	if (hasReferenceVideo) return Math.ceil(perSecondWithVideo * seconds);
	return printed[seconds] ?? Math.ceil(perSecond * seconds);
}

export function termsOfV2(order: OrderV2): Terms {
	const { prompt, model, duration, aspect_ratio, resolution, images } = order;
	const { reference_video_urls: videos, callback_url } = order;
	return {
		version: 2,
		model,
		credits: contractCreditsV2(model, duration, resolution, videos.length > 0),
		secondsToMake: SECONDS_TO_MAKE,
		clip: {
			// No page states the ratio of a video that follows an image, nor the size of 2.0 and fast.
			ratio: aspect_ratio ?? '16:9',
			resolution: resolution ?? '720p',
			seconds: duration,
			hasSound: false,
		},
		echo: {
			prompt,
			model,
			duration,
			...(aspect_ratio !== null && { aspect_ratio }),
			...(resolution !== null && { resolution }),
			...(images.length > 0 && { images }),
			...(videos.length > 0 && { reference_video_urls: videos }),
			...(callback_url !== null && { callback_url }),
			...(order.public !== null && { public: order.public }),
		},
		idEnds: ['seed20', rulesOf(model).idEnd],
	};
}
