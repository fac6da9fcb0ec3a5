/**
 * Credits of a request. The one price table; hints, estimates and limits derive from it.
 * Source: the Seedance API documentation, version 1, "Price, in credits".
 */
import type { Duration, Resolution, VideoSettings } from './request';

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
