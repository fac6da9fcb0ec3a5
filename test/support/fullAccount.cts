// A batch on an account that allows few videos at once, and a second run beside it: what its test, the pace's unit test and
// the benchmark share.
import type { RateLimit } from '../sandbox/server.cjs';

/** What the account allows. */
export const FITS = { atOnce: 3, perMinute: 5 } as const;
export const TASK_SECONDS = 8 * 60;
/** Rows of the run, and of the one beside it. */
export const ROWS = { run: 50, beside: 10 } as const;
/** POSTs for each row, and times the best possible schedule. */
export const MOST = { posts: 1.2, ratio: 1.15 } as const;

export const LIMIT: RateLimit = {
	route: 'generate',
	running: FITS.atOnce,
	perMinute: FITS.perMinute,
};

/** Seconds that so many videos take at least: as many at once as may be, one round after the other. */
export const bestSeconds = (videos: number): number =>
	Math.ceil(videos / FITS.atOnce) * TASK_SECONDS;
