/**
 * The throttle of one account: when the API asks to slow down (429), everything that a run sends to
 * that account slows down, once for all of it. Being asked to wait is no failure, so nothing is
 * given up because of it (docs/api-contract.md#requests-per-second).
 *
 * The pace follows the answers: each 429 halves it, each other answer raises it a little, until
 * nothing is held back.
 */
import { withTimeout, type Clock } from '../n8n/clock';

/** A `Retry-After` of more milliseconds is not waited for at once. */
export const RETRY_AFTER_MAX_MS = 60_000;
/** Milliseconds between two requests after the first 429, and the most that they grow to. */
const FIRST_SPACING_MS = 250;
const LONGEST_SPACING_MS = 10_000;
/**
 * Milliseconds without any request after a 429 that names no time; doubled by each further one in a
 * row.
 */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
/** By what each answer that is no 429 shortens the spacing, and below which it is none. */
const RELEASE = 0.97;
const NO_SPACING_MS = 20;

export interface Throttle {
	/**
	 * Waits until the next request may be sent; in order, for all who ask. False when the deadline
	 * (milliseconds since 1970) or Stop came first.
	 */
	acquire: (deadline: number) => Promise<boolean>;
	/**
	 * An answer 429 to a request sent at `sentAt`. Several that were under way together count once.
	 */
	onRateLimited: (sentAt: number, retryAfterMs?: number) => void;
	/** Any other answer. */
	onResponse: () => void;
	/** How many 429 came in a row, those that were under way together counted once. */
	readonly consecutive429s: number;
	/**
	 * Set when a connection was refused for good: what follows is tried once, without waiting for it
	 * again.
	 */
	isDown: boolean;
}

/** A throttle that is off. */
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
	/** `nextAt` may move while somebody sleeps, so it is read again. Who has gone leaves no timer. */
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
			const grown = Math.min(FIRST_PAUSE_MS * 2 ** (limitedInARow - 1), LONGEST_PAUSE_MS);
			const pauseMs =
				retryAfterMs === undefined ? grown : Math.min(retryAfterMs, RETRY_AFTER_MAX_MS);
			spacingMs = Math.min(Math.max(spacingMs * 2, FIRST_SPACING_MS), LONGEST_SPACING_MS);
			changedAt = clock.now();
			nextAt = Math.max(nextAt, changedAt + Math.max(pauseMs, spacingMs));
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
