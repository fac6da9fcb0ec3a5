/**
 * The throttle of one account: a 429 slows down everything that a run sends to that account. It is
 * no failure, so nothing is given up because of it (docs/api-contract.md#requests-per-second).
 *
 * The pace follows the responses: each 429 halves it, each other response raises it a little, until
 * nothing is held back.
 */
import { withTimeout, type Clock } from '../n8n/clock';

/** The longest `Retry-After` that is waited for, in milliseconds. */
export const RETRY_AFTER_MAX_MS = 60_000;
/** Milliseconds between two requests after the first 429, and the most that they grow to. */
const FIRST_SPACING_MS = 250;
const LONGEST_SPACING_MS = 10_000;
/**
 * Milliseconds without any request after a 429 that names no time; doubled by each further one in a
 * row.
 */
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 15_000;
/**
 * The factor by which each response that is no 429 shortens the spacing, and the spacing that ends
 * it.
 */
const RELEASE = 0.97;
const NO_SPACING_MS = 20;

export interface Throttle {
	/**
	 * Waits until the next request may be sent; calls go in order. False when the deadline
	 * (milliseconds since 1970) or Stop came first.
	 */
	acquire: (deadline: number) => Promise<boolean>;
	/** A 429 for a request sent at `sentAt`. Several that were in flight together count once. */
	onRateLimited: (sentAt: number, retryAfterMs?: number) => void;
	/** Any other response. */
	onResponse: () => void;
	/** How many 429 came in a row; those that were in flight together count once. */
	readonly consecutive429s: number;
	/** Set when all tries of a connection were refused: each later POST is tried once only. */
	isDown: boolean;
}

/** A throttle that holds nothing back yet. */
export function createThrottle(clock: Clock): Throttle {
	let spacingMs = 0;
	let nextAt = 0;
	let changedAt = -Infinity;
	let limitedInARow = 0;
	let last: Promise<unknown> = Promise.resolve();
	let waiting = 0;
	let isDown = false;

	const isFree = () => waiting === 0 && clock.now() >= nextAt;
	const take = () => {
		nextAt = Math.max(nextAt, clock.now()) + spacingMs;
	};
	/**
	 * `nextAt` may move during the sleep, so it is read again. A caller that has gone leaves no
	 * timer.
	 */
	const untilFree = async (gone: AbortSignal): Promise<boolean> => {
		while (!gone.aborted && clock.now() < nextAt) {
			if (!(await clock.sleep(nextAt - clock.now(), gone))) return false;
		}
		if (gone.aborted) return false;
		take();
		return true;
	};

	return {
		acquire: async (deadline) => {
			if (isFree()) {
				take();
				return true;
			}
			const gone = new AbortController();
			waiting++;
			const mine = last.then(async () => await untilFree(gone.signal));
			last = mine.finally(() => waiting--);
			const isMyTurn = await withTimeout(mine, deadline - clock.now(), clock);
			gone.abort();
			return isMyTurn ?? false;
		},
		onRateLimited: (sentAt, retryAfterMs) => {
			if (sentAt <= changedAt) return;
			limitedInARow++;
			const grown = Math.min(FIRST_DELAY_MS * 2 ** (limitedInARow - 1), LONGEST_DELAY_MS);
			const delayMs =
				retryAfterMs === undefined ? grown : Math.min(retryAfterMs, RETRY_AFTER_MAX_MS);
			spacingMs = Math.min(Math.max(spacingMs * 2, FIRST_SPACING_MS), LONGEST_SPACING_MS);
			changedAt = clock.now();
			nextAt = Math.max(nextAt, changedAt + Math.max(delayMs, spacingMs));
		},
		onResponse: () => {
			limitedInARow = 0;
			isDown = false;
			spacingMs = spacingMs * RELEASE < NO_SPACING_MS ? 0 : spacingMs * RELEASE;
		},
		get consecutive429s() {
			return limitedInARow;
		},
		get isDown() {
			return isDown;
		},
		set isDown(is) {
			isDown = is;
		},
	};
}
