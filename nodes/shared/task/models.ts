/**
 * What the model accepts, what the node starts with, and what a video costs. Dropdowns, checks, the
 * body, hints and estimates derive from the lists and the one price table here. Source:
 * docs/api-contract.md#create-a-task and docs/api-contract.md#prices.
 */

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

interface Price {
	silent: number;
	withAudio: number;
}

const CREDITS: Readonly<Record<Resolution, Readonly<Record<Duration, Price>>>> = {
	'480p': {
		'4': { silent: 8, withAudio: 14 },
		'8': { silent: 14, withAudio: 28 },
		'12': { silent: 19, withAudio: 38 },
	},
	'720p': {
		'4': { silent: 14, withAudio: 28 },
		'8': { silent: 28, withAudio: 56 },
		'12': { silent: 42, withAudio: 84 },
	},
};

/** Credits that one video with these settings costs. */
export function creditsFor(
	resolution: Resolution,
	duration: Duration,
	generateAudio: boolean,
): number {
	const price = CREDITS[resolution][duration];
	return generateAudio ? price.withAudio : price.silent;
}

/** {@link creditsFor}, from settings that were checked. */
export function creditsOf(settings: VideoSettings): number {
	return creditsFor(settings.resolution, settings.duration, settings.generateAudio);
}
