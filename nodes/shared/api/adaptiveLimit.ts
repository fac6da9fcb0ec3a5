/**
 * How many videos an account may have running, and how many it may start a minute, learnt from the
 * responses to its POSTs. The API documents neither number, so a 429 counts for the one or the
 * other until something shows which (docs/retry-and-crash.md#batches). Pure: the time and the
 * number of running videos are handed in.
 *
 * Rules that must not regress:
 * - what was learnt is kept: a limit is not run into once for each video;
 * - with nothing running there is always a next time, so that no row waits for ever.
 */

/** Milliseconds to the first probe after a 429: it may have been a limit of requests a second. */
const SOON_MS = 3_000;
const MINUTE_MS = 60_000;
/** Milliseconds beyond the minute: the API counts from when a request arrived. */
const MARGIN_MS = 1_000;
/**
 * Videos started within the learnt limit before one more is probed; doubled by each refused probe.
 */
const FIRST_PROBE_AFTER = 8;
const LAST_PROBE_AFTER = 64;
/** Milliseconds between two tries while nothing is running; doubled by each refused one. */
const FIRST_IDLE_MS = 2_000;
const LONGEST_IDLE_MS = 120_000;

export class AdaptiveLimit {
	/** The most videos that were accepted at once. */
	private atOnce = Infinity;
	private perMinute = Infinity;
	/** When videos were started within the last minute: milliseconds since 1970. */
	private starts: number[] = [];
	private notBefore = -Infinity;
	/** From when one more than {@link atOnce} may be probed: milliseconds since 1970. */
	private moreAt = Infinity;
	/** How often it was refused at the present limit. */
	private refusals = 0;
	/** Starts in the minute before the first 429 at the present limit. */
	private refusedAfter = 0;
	private startedSince = 0;
	private tryAfter = FIRST_PROBE_AFTER;
	private idleMs = FIRST_IDLE_MS;

	/** Whether a limit has been learnt. */
	get isLimited(): boolean {
		return Number.isFinite(this.atOnce) || Number.isFinite(this.perMinute);
	}

	/**
	 * Milliseconds since 1970 from which the next video may be started while so many are running;
	 * Infinity when one of them has to end first.
	 */
	nextAt(now: number, running: number): number {
		const recent = this.recent(now);
		const isFull = recent.length >= this.perMinute;
		const inMinute = isFull ? recent[recent.length - this.perMinute] + MINUTE_MS + MARGIN_MS : now;
		const atOnce = running < this.atOnce ? now : this.moreAt;
		return Math.max(this.notBefore, inMinute, atOnce);
	}

	/** A POST was accepted; `running` is without it. */
	onAccepted(now: number, running: number): void {
		const recent = this.recent(now);
		this.idleMs = FIRST_IDLE_MS;
		if (running >= this.atOnce) {
			// More videos at once were accepted a minute later, so the 429 came from the limit of starts
			// per minute.
			if (this.refusals === 2) this.perMinute = Math.max(1, this.refusedAfter);
			this.atOnce = Infinity;
			this.moreAt = Infinity;
			this.refusals = 0;
			this.startedSince = 0;
		}
		this.starts = [...recent, now];
		this.startedSince++;
		if (this.startedSince < this.tryAfter) return;
		this.startedSince = 0;
		if (Number.isFinite(this.perMinute)) this.perMinute++;
		if (Number.isFinite(this.atOnce)) this.moreAt = now;
	}

	/** A POST was refused with 429, perhaps with the time after which to ask again. */
	onRateLimited(now: number, running: number, retryAfterMs = 0): void {
		const recent = this.recent(now);
		this.startedSince = 0;
		this.notBefore = now + retryAfterMs;
		const nextMinute = (recent[0] ?? now) + MINUTE_MS + MARGIN_MS;
		if (recent.length > 1 && recent.length >= this.perMinute - 1) {
			this.perMinute = recent.length;
			this.tryAfter = Math.min(this.tryAfter * 2, LAST_PROBE_AFTER);
			this.notBefore = Math.max(this.notBefore, nextMinute);
			return;
		}
		if (running === 0) {
			this.notBefore = now + Math.max(retryAfterMs, this.idleMs);
			this.idleMs = Math.min(this.idleMs * 2, LONGEST_IDLE_MS);
			return;
		}
		if (this.refusals === 0) this.refusedAfter = recent.length;
		// Fewer at once than before: another client of the account uses the rest, so more is probed
		// again soon.
		const isLess = running < this.atOnce;
		this.tryAfter = isLess ? FIRST_PROBE_AFTER : Math.min(this.tryAfter * 2, LAST_PROBE_AFTER);
		this.refusals++;
		this.atOnce = running;
		const soon = this.refusals === 1 ? now + SOON_MS : Math.max(nextMinute, now + SOON_MS);
		this.moreAt = this.refusals > 2 ? Infinity : Math.max(this.notBefore, soon);
	}

	private recent(now: number): number[] {
		return this.starts.filter((at) => now - at < MINUTE_MS + MARGIN_MS);
	}
}
