/** The twelve prices of the API's documentation, one by one. */
import { creditsFor, creditsOf, DURATIONS, RESOLUTIONS } from '../../nodes/shared/task/models';
import prices from '../fixtures/prices.json';

it.each(
	RESOLUTIONS.flatMap((resolution) =>
		DURATIONS.flatMap((duration) =>
			[false, true].map((generateAudio) => ({ resolution, duration, generateAudio })),
		),
	),
)('the price of %j is that of the table', (settings) => {
	const { resolution, duration, generateAudio } = settings;
	const price = { ...settings, credits: creditsOf(settings) };
	expect(prices).toContainEqual(price);
	expect(creditsFor(resolution, duration, generateAudio)).toBe(price.credits);
	expect(prices).toHaveLength(12);
});
