/** Times in a time zone, by JavaScript's own Intl: this package has no dependencies. */

const DAY_MS = 24 * 60 * 60_000;

/** What the clock of a zone shows, as if it were UTC: milliseconds since 1970. */
function wallClock(at: number, timeZone: string): number {
	const parts = new Intl.DateTimeFormat('en-US', {
		timeZone,
		hourCycle: 'h23',
		year: 'numeric',
		month: 'numeric',
		day: 'numeric',
		hour: 'numeric',
		minute: 'numeric',
		second: 'numeric',
	}).formatToParts(at);
	const shown = new Map(parts.map(({ type, value }) => [type, Number(value)]));
	const part = (name: Intl.DateTimeFormatPartTypes) => shown.get(name) ?? 0;
	const day = [part('year'), part('month') - 1, part('day')] as const;
	return Date.UTC(...day, part('hour'), part('minute'), part('second'));
}

/**
 * When the day, week (from Monday) or month began that a moment lies in; milliseconds since 1970.
 * Throws a RangeError for a zone that does not exist.
 */
export function periodStart(
	at: number,
	period: 'day' | 'week' | 'month',
	timeZone: string,
): number {
	const now = new Date(wallClock(at, timeZone));
	const day = period === 'month' ? 1 : now.getUTCDate();
	const sinceMonday = period === 'week' ? (now.getUTCDay() + 6) % 7 : 0;
	const start = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), day - sinceMonday);
	// By the offsets of the day before and of the day after, because the clock may change at
	// midnight.
	const begins = [start - DAY_MS, start + DAY_MS]
		.map((moment) => start - (wallClock(moment, timeZone) - moment))
		.filter((moment) => wallClock(moment, timeZone) >= start);
	return Math.min(...begins);
}

/**
 * `10:32` for a moment of the same day as `now`, `12 May` for any other. `at`, `now`: milliseconds
 * since 1970. Throws a RangeError for a zone that does not exist.
 */
export function shortTime(at: number, now: number, timeZone: string): string {
	const isToday = periodStart(at, 'day', timeZone) === periodStart(now, 'day', timeZone);
	const form: Intl.DateTimeFormatOptions = isToday
		? { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }
		: { day: 'numeric', month: 'long' };
	return new Intl.DateTimeFormat('en-GB', { timeZone, ...form }).format(at);
}
