/** Periods and times of day in a time zone, across changes of its clock. */
import { periodStart, shortTime } from '../../nodes/shared/timeZone';

it.each<[string, 'day' | 'week' | 'month', string, string]>([
	['2026-11-28T00:30:00Z', 'day', 'UTC', '2026-11-28T00:00:00Z'],
	// In New York it is still the evening before; in Auckland already the afternoon.
	['2026-11-28T00:30:00Z', 'day', 'America/New_York', '2026-11-27T05:00:00Z'],
	['2026-11-28T00:30:00Z', 'day', 'Pacific/Auckland', '2026-11-27T11:00:00Z'],
	['2026-11-28T00:30:00Z', 'day', 'Asia/Kathmandu', '2026-11-27T18:15:00Z'],
	// The clocks go forward at 02:00 on 29 March, and back at 03:00 on 25 October.
	['2026-03-29T20:00:00Z', 'day', 'Europe/Berlin', '2026-03-28T23:00:00Z'],
	['2026-10-25T20:00:00Z', 'day', 'Europe/Berlin', '2026-10-24T22:00:00Z'],
	// A day that has no midnight begins at one o'clock.
	['2018-11-04T12:00:00Z', 'day', 'America/Sao_Paulo', '2018-11-04T03:00:00Z'],
	// Weeks begin on Monday, also over the change of the clocks and of the year.
	['2026-03-29T22:30:00Z', 'week', 'Europe/Berlin', '2026-03-29T22:00:00Z'],
	['2026-03-29T21:30:00Z', 'week', 'Europe/Berlin', '2026-03-22T23:00:00Z'],
	['2027-01-01T12:00:00Z', 'week', 'UTC', '2026-12-28T00:00:00Z'],
	['2026-11-01T00:30:00Z', 'month', 'America/New_York', '2026-10-01T04:00:00Z'],
	['2026-11-15T00:30:00Z', 'month', 'America/New_York', '2026-11-01T04:00:00Z'],
	['2028-02-29T23:59:59Z', 'month', 'UTC', '2028-02-01T00:00:00Z'],
])('at %s the %s in %s began at %s', (at, period, zone, start) => {
	expect(periodStart(Date.parse(at), period, zone)).toBe(Date.parse(start));
});

it('a time is that of the clock today, and the day otherwise', () => {
	const now = Date.parse('2026-11-28T23:30:00Z');
	const shown = (at: string) => shortTime(Date.parse(at), now, 'Europe/Berlin');
	expect(shown('2026-11-28T23:05:00Z')).toBe('00:05');
	expect(shown('2026-11-28T22:59:00Z')).toBe('28 November');
});
