/** Periods and times of day in a time zone, across changes of its clock. */
import { periodStart, shortTime } from '../../nodes/shared/timeZone';

describe('a period', () => {
	it.each([
		['day', 'UTC', '2026-11-28T23:59:59Z', '2026-11-28T00:00:00Z'],
		['day', 'Asia/Tokyo', '2026-11-28T15:00:00Z', '2026-11-28T15:00:00Z'],
		['day', 'America/New_York', '2026-11-28T04:59:00Z', '2026-11-27T05:00:00Z'],
		// The clock goes forward, and back, on these days.
		['day', 'Europe/Berlin', '2026-03-29T20:00:00Z', '2026-03-28T23:00:00Z'],
		['day', 'Europe/Berlin', '2026-10-25T20:00:00Z', '2026-10-24T22:00:00Z'],
		['week', 'Europe/Berlin', '2026-03-29T20:00:00Z', '2026-03-22T23:00:00Z'],
		['week', 'UTC', '2026-11-30T00:00:00Z', '2026-11-30T00:00:00Z'],
		['month', 'Europe/Berlin', '2026-04-01T00:00:00Z', '2026-03-31T22:00:00Z'],
		['month', 'Pacific/Auckland', '2026-01-01T00:00:00Z', '2025-12-31T11:00:00Z'],
	] as const)('of a %s begins in %s, at %s', (period, zone, at, start) => {
		const found = periodStart(Date.parse(at), period, zone);
		expect(new Date(found).toISOString()).toBe(new Date(start).toISOString());
	});
});

it('a time is that of the clock today, and the day otherwise', () => {
	const now = Date.parse('2026-11-28T23:30:00Z');
	const shown = (at: string) => shortTime(Date.parse(at), now, 'Europe/Berlin');
	expect(shown('2026-11-28T23:05:00Z')).toBe('00:05');
	expect(shown('2026-11-28T22:59:00Z')).toBe('28 November');
});
