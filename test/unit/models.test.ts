/** The twelve prices of the API's documentation, one by one. */
import { creditsFor, creditsOf } from '../../nodes/shared/task/models';

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
	'%s, %s seconds, audio %s: %i credits',
	(resolution, duration, generateAudio, price) => {
		expect(creditsFor(resolution, duration, generateAudio)).toBe(price);
		expect(creditsOf({ resolution, duration, generateAudio })).toBe(price);
	},
);
