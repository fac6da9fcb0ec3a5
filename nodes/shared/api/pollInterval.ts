/**
 * How long to wait until a task is polled next: by how long its model usually takes, and more often
 * around the time that such videos took here, where that is known.
 *
 * Rules that must not regress:
 * - the user's Check Every is never undercut;
 * - no two polls lie further apart than {@link POLL_INTERVAL_MAX_SECONDS}, unless the user says so:
 *   whenever a video ends, it is found that soon after.
 */

/** Seconds: the default of "Check Every", and how far the interval grows by itself. */
export const POLL_INTERVAL_SECONDS = 5;
export const POLL_INTERVAL_MAX_SECONDS = 15;
export const POLL_GROWTH = 1.25;
/**
 * The longest interval while a video of a model that takes up to 2 minutes is being made, in
 * proportion for other models; later it is this share of the time waited. A video of 90 seconds is
 * then read 12 times and noticed after 4 seconds (`npm run bench -- notice`).
 */
export const POLL_INTERVAL_USUAL_SECONDS = 8.5;
export const POLL_SHARE = 0.07;
/** Share by which an interval varies, so that many executions do not read in step. */
export const POLL_JITTER = 0.1;
/**
 * Seconds, at least, between two polls around the time that such videos took here, while Check
 * Every is not set.
 */
export const POLL_WINDOW_SECONDS = 3;

const LONGEST_MS = POLL_INTERVAL_MAX_SECONDS * 1000;
/** Milliseconds before which nothing is ready. */
const EARLIEST_MS = POLL_INTERVAL_SECONDS * 1000;
/** Parts into which polls divide the time in which videos were ready. */
const WINDOW_PARTS = 6;
/** Durations needed at least, and the share of them that is left out at either end. */
const MIN_SAMPLES = 3;
const LEFT_OUT = 0.2;
/** Least half width of the window, as a share of its middle: three equal durations prove little. */
const MIN_SPREAD = 0.1;

/** Between which ages (milliseconds) such videos were ready here. */
export interface ReadyWindow {
	fromMs: number;
	toMs: number;
}

/** How long the video of a task takes. */
export interface GenerationTime {
	/** Milliseconds that its model usually takes: at least, and at most. */
	usualMs: readonly [number, number];
	window?: ReadyWindow;
}

/** The generation time of the first model, for tasks of an unknown one. */
export const DEFAULT_GENERATION_TIME: GenerationTime = { usualMs: [60_000, 120_000] };

/** The shortest intervals, in milliseconds. */
export interface PollLimits {
	/** Check Every, which the intervals grow from. */
	intervalMs: number;
	/** The shortest interval within the window; `intervalMs` where absent. */
	leastMs?: number;
}

/** The value below which a share (0 to 1) of the sorted values lies. */
function quantile(sorted: readonly number[], share: number): number {
	const place = share * (sorted.length - 1);
	const before = sorted[Math.floor(place)];
	return before + (sorted[Math.ceil(place)] - before) * (place % 1);
}

/**
 * Between which ages such videos are ready, by the seconds that some took; undefined for too few.
 * The shortest and the longest ones do not count.
 */
export function readyWindow(seconds: readonly number[]): ReadyWindow | undefined {
	if (seconds.length < MIN_SAMPLES) return undefined;
	const sorted = [...seconds].sort((a, b) => a - b);
	const [from, to] = [quantile(sorted, LEFT_OUT), quantile(sorted, 1 - LEFT_OUT)];
	const middle = (from + to) / 2;
	const spread = Math.max((to - from) / 2, middle * MIN_SPREAD);
	return { fromMs: (middle - spread) * 1000, toMs: (middle + spread) * 1000 };
}

/** The longest interval after `waitedMs`, in milliseconds. */
function longestInterval(waitedMs: number, { usualMs }: GenerationTime): number {
	const share = usualMs[1] / DEFAULT_GENERATION_TIME.usualMs[1];
	const usual = Math.max(POLL_INTERVAL_USUAL_SECONDS * 1000 * share, waitedMs * POLL_SHARE);
	return Math.min(usual, LONGEST_MS);
}

/** Milliseconds until a new task is read for the first time, and from which its intervals grow. */
export function firstInterval(time: GenerationTime, intervalMs: number): number {
	const longer = intervalMs * (time.usualMs[0] / DEFAULT_GENERATION_TIME.usualMs[0]);
	return Math.max(intervalMs, Math.min(longer, LONGEST_MS));
}

/**
 * Milliseconds to the next read, with jitter by `random` (0 to 1), after `reads` earlier intervals
 * and when `waitedMs` have passed. Give `waitedMs` Infinity for a task that could not be read: then
 * the interval may grow to its longest.
 */
export function nextInterval(
	{ reads, waitedMs }: { reads: number; waitedMs: number },
	time: GenerationTime,
	intervalMs: number,
	random: number,
): number {
	const first = firstInterval(time, intervalMs);
	const grown = Math.min(first * POLL_GROWTH ** reads, longestInterval(waitedMs, time));
	const varied = grown * (1 + POLL_JITTER * (2 * random - 1));
	return Math.max(intervalMs, Math.min(varied, LONGEST_MS));
}

/** The age (milliseconds) of a task at its next poll, when the last one was at `ageMs`. */
function nextAge(ageMs: number, gapMs: number, { fromMs, toMs }: ReadyWindow): number {
	// A poll that jitter has made a little early is not repeated.
	const soon = ageMs + gapMs / 2;
	if (soon < fromMs) {
		const before = fromMs - Math.max(soon, EARLIEST_MS);
		return fromMs - Math.max(0, Math.floor(before / LONGEST_MS)) * LONGEST_MS;
	}
	if (soon <= toMs) return fromMs + gapMs * Math.ceil((soon - fromMs) / gapMs);
	return ageMs + gapMs + (ageMs - toMs) * (POLL_GROWTH - 1);
}

/**
 * Milliseconds to the next read of a task that is `ageMs` old, with jitter by `random` (0 to 1),
 * where it is known when such videos were ready here: seldom before that window, often in it, and
 * ever more seldom after it.
 */
export function intervalInWindow(
	window: ReadyWindow,
	ageMs: number,
	{ intervalMs, leastMs = intervalMs }: PollLimits,
	random: number,
): number {
	const part = (window.toMs - window.fromMs) / WINDOW_PARTS;
	const gapMs = Math.max(
		leastMs,
		Math.min(part, longestInterval(window.toMs, DEFAULT_GENERATION_TIME)),
	);
	const jitter = gapMs * POLL_JITTER * (2 * random - 1);
	const longest = LONGEST_MS + Math.max(0, EARLIEST_MS - ageMs);
	const next = nextAge(ageMs, gapMs, window) - ageMs + jitter;
	return Math.max(leastMs, Math.min(next, longest));
}
