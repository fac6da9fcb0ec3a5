// Version 1 of the contract as the sandbox enforces it: values, prices, times. Written from the vendor's document and not
// imported from the nodes, so that a wrong value in the product is refused here.
import { isHttpUrl, isOneOf, isPrompt, isRecord, type Terms, type Verdict } from './contract.cjs';

export const ASPECT_RATIOS = ['1:1', '16:9', '9:16', '4:3', '3:4', '21:9', '9:21'] as const;
export type AspectRatio = (typeof ASPECT_RATIOS)[number];
export const RESOLUTIONS = ['480p', '720p'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];
/** Seconds, as the text that the contract wants. */
export const DURATIONS = ['4', '8', '12'] as const;
export type Duration = (typeof DURATIONS)[number];
/** What a request asks for once the API's own defaults are filled in. */
export interface OrderV1 {
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
const SECONDS_TO_MAKE: Record<Duration, number> = { '4': 50, '8': 75, '12': 105 };

/**
 * What the API makes of a `POST /generate` body: an order, or the code it refuses with, in the order of the contract's
 * table. What clients have seen tolerated (a numeric `duration`, unknown keys) is tolerated; {@link breachesOfV1} names it.
 */
export function checkBodyV1(json: unknown): Verdict<OrderV1> {
	if (!isRecord(json)) return { refused: 'INVALID_PROMPT' };
	const { prompt, aspect_ratio = '1:1', resolution = '720p', image_urls } = json;
	if (!isPrompt(prompt)) return { refused: 'INVALID_PROMPT' };
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

/** Where a body departs from the contract although the API lets it pass: one sentence each. */
export function breachesOfV1(json: unknown): string[] {
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

export const FIELDS_V1: readonly string[] = [
	...Object.keys(FIELD_TYPES),
	'image_urls',
	'callback_url',
];

export function termsOfV1(order: OrderV1): Terms {
	const { prompt, aspect_ratio, resolution, duration, generate_audio, fixed_lens } = order;
	const { [duration]: seconds } = SECONDS_TO_MAKE;
	return {
		version: 1,
		model: null,
		credits: contractCredits(resolution, duration, generate_audio),
		secondsToMake: [seconds, seconds],
		clip: {
			ratio: aspect_ratio,
			resolution,
			seconds: Number(duration),
			hasSound: generate_audio,
		},
		// The four fields that the API always echoes, and what was given beyond them.
		echo: {
			prompt,
			aspect_ratio,
			resolution,
			duration,
			...(generate_audio && { generate_audio }),
			...(fixed_lens && { fixed_lens }),
			...(order.image_urls.length > 0 && { image_urls: order.image_urls }),
			...(order.callback_url !== null && { callback_url: order.callback_url }),
		},
		idEnds: ['seed15', 'pro'],
	};
}
