/** The twelve prices of the API's documentation, one by one. */
import { creditsFor, creditsOf, DURATIONS, RESOLUTIONS } from '../../nodes/shared/task/models';

describe('the price of a video', () => {
	it.each([
		['480p', '4', false, 8],
		['480p', '8', false, 14],
		['480p', '12', false, 19],
		['720p', '4', false, 14],
		['720p', '8', false, 28],
		['720p', '12', false, 42],
		['480p', '4', true, 14],
		['480p', '8', true, 28],
		['480p', '12', true, 38],
		['720p', '4', true, 28],
		['720p', '8', true, 56],
		['720p', '12', true, 84],
	] as const)(
		'at %s and %s seconds, audio %s, is %i credits',
		(resolution, duration, audio, price) => {
			expect(creditsFor(resolution, duration, audio)).toBe(price);
			expect(creditsOf({ resolution, duration, generateAudio: audio })).toBe(price);
		},
	);

	it('is known for everything that the node offers', () => {
		const prices = RESOLUTIONS.flatMap((resolution) =>
			DURATIONS.flatMap((duration) => [
				creditsFor(resolution, duration, false),
				creditsFor(resolution, duration, true),
			]),
		);
		expect(prices.length).toBe(12);
		expect(prices.every((price) => price > 0)).toBe(true);
	});
});
