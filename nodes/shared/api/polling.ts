/**
 * When to read which task next. Knows nothing of HTTP or n8n: reading and the clock are handed in.
 *
 * Rules that must not regress:
 * - all tasks are watched together, so N tasks take as long as the slowest;
 * - one task's end never ends or hides another;
 * - transient failures never end a wait before its deadline: a paid video is worth waiting for;
 * - there is always an end: each task ends by itself, by the deadline, or by Stop, and no read
 *   outlasts the deadline.
 */
import { RETRY_AFTER_MAX_MS } from './throttle';
import type { ReadResult } from './client';
import {
	firstInterval,
	intervalInWindow,
	nextInterval,
	DEFAULT_GENERATION_TIME,
	type PollLimits,
	type GenerationTime,
} from './pollInterval';
import { READ_MAX_FAILURES } from './retry';
import type { Clock } from '../n8n/clock';
import type { CallFailure } from '../task/errors';
import { hasEnded, NO_VIDEO_GRACE_MS, type Task } from '../task/task';

/**
 * Milliseconds before the deadline at which a task is read for the last time, and the least that a
 * read gets.
 */
export const LAST_READ_MS = 2_000;
/**
 * Milliseconds for which "no such task" is not believed
 * (docs/api-contract.md#a-task-that-is-not-known-yet).
 */
export const NOT_FOUND_GRACE_MS = 60_000;
/** Milliseconds for which a task that was there has to be said to be gone, in all reads. */
const GONE_FOR_MS = 4_000;

/** How the wait for one task ended. */
export type WatchResult =
	| { outcome: 'finished'; task: Task }
	| { outcome: 'timeout'; statusWord: string | null }
	| { outcome: 'unavailable'; failure: CallFailure }
	| { outcome: 'refused'; failure: CallFailure }
	| { outcome: 'stopped' };

/** One task to watch. */
export interface WatchedTask {
	/** Reads it, by the deadline (milliseconds since 1970). Must not throw. */
	read: (deadline: number) => Promise<ReadResult>;
	/**
	 * Whether it was started just now, and so cannot be ready before the first interval has passed.
	 */
	isNew: boolean;
	/**
	 * Milliseconds since 1970 at which this execution has started it; undefined for any other task.
	 */
	createdAt?: number;
	/** How long its video takes; {@link DEFAULT_GENERATION_TIME} where that is left out. */
	generationTime?: GenerationTime;
}

/** The wait for one task. {@link PollLimits} has its shortest intervals. */
export interface Wait extends PollLimits {
	clock: Clock;
	/** Milliseconds since 1970, from which the intervals are reckoned. */
	startedAt: number;
	/** Milliseconds since 1970; may move later once a read has shown the model. */
	readonly deadline: number;
}

/**
 * Refusals that are transient for a task that was created here or read before: a proxy in between
 * may have changed for a moment.
 */
const PASSING_LATER: ReadonlyArray<CallFailure['cause']> = [
	'redirected',
	'refused',
	'invalid_request',
];

/** What the reads of one task have shown so far. */
interface Progress {
	statusWord: string | null;
	/** Reads that failed in a row. */
	failures: number;
	lastFailure?: CallFailure;
	/** Milliseconds since 1970 at which the API last knew of it. */
	seenAt?: number;
	/** Milliseconds since 1970 of the first of the last reads in a row that said "no such task". */
	goneSince?: number;
	/**
	 * Set while the last state was a success without a video: that read, and when it was first seen
	 * (milliseconds since 1970).
	 */
	empty?: { task: Task; since: number };
}

/**
 * Whether a refusal ends a wait; otherwise it may be transient. That a task is gone which was there
 * takes two reads in a row: after that, a row of the list that is old enough is given up.
 */
function isEnd({ cause }: CallFailure, { seenAt, goneSince }: Progress, now: number): boolean {
	if (seenAt === undefined) return true;
	if (cause === 'task_not_found') {
		return now - seenAt >= NOT_FOUND_GRACE_MS && now - (goneSince ?? now) >= GONE_FOR_MS;
	}
	return !PASSING_LATER.includes(cause);
}

/**
 * The end of a wait that one read brings, or undefined when it goes on; notes what the read has
 * shown.
 */
function take(read: ReadResult, progress: Progress, now: number): WatchResult | undefined {
	if (read.outcome !== 'task') {
		const { failure } = read;
		if (read.outcome === 'refused' && isEnd(failure, progress, now)) {
			return { outcome: 'refused', failure };
		}
		// Being asked to slow down is no failure of the API's.
		if (failure.cause !== 'rate_limited') progress.failures++;
		progress.lastFailure = failure;
		progress.goneSince =
			failure.cause === 'task_not_found' ? (progress.goneSince ?? now) : undefined;
		return undefined;
	}
	const { task } = read;
	progress.statusWord = task.statusWord;
	progress.seenAt = now;
	progress.failures = 0;
	progress.lastFailure = undefined;
	progress.goneSince = undefined;
	if (hasEnded(task)) return { outcome: 'finished', task };
	if (task.state === 'running') {
		progress.empty = undefined;
		return undefined;
	}
	const since = progress.empty?.since ?? now;
	progress.empty = { task, since };
	return now - since >= NO_VIDEO_GRACE_MS ? { outcome: 'finished', task } : undefined;
}

/**
 * The end of a wait whose time is up. A task that could not be read, or that has succeeded without
 * a video, must not be reported as "still being made".
 */
function timeUp(progress: Progress): WatchResult {
	const { statusWord, failures, lastFailure, empty, goneSince } = progress;
	const isLost = statusWord === null || failures >= READ_MAX_FAILURES || goneSince !== undefined;
	if (lastFailure && isLost) return { outcome: 'unavailable', failure: lastFailure };
	return empty ? { outcome: 'finished', task: empty.task } : { outcome: 'timeout', statusWord };
}

/** Milliseconds until a task is read for the first time. */
function delayBeforeFirstRead(
	{ isNew, createdAt, generationTime = DEFAULT_GENERATION_TIME }: WatchedTask,
	wait: Wait,
): number {
	const { clock, deadline, intervalMs } = wait;
	if (!isNew) return 0;
	const { window } = generationTime;
	const now = clock.now();
	const delayMs =
		window && createdAt !== undefined
			? intervalInWindow(window, now - createdAt, wait, clock.random())
			: firstInterval(generationTime, intervalMs);
	return Math.min(delayMs, deadline - LAST_READ_MS - now);
}

/** Milliseconds from a read, after `reads` earlier ones, to the next. */
function delayAfterRead(
	read: ReadResult,
	reads: number,
	{ createdAt, generationTime = DEFAULT_GENERATION_TIME }: WatchedTask,
	wait: Wait,
): number {
	const { clock, startedAt, intervalMs } = wait;
	const now = clock.now();
	const random = clock.random();
	if (read.outcome !== 'task') {
		const asked = Math.min(read.failure.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
		const trouble = { reads, waitedMs: Infinity };
		return Math.max(nextInterval(trouble, DEFAULT_GENERATION_TIME, intervalMs, random), asked);
	}
	// A success whose video is still missing is read again at the shortest interval.
	if (read.task.state !== 'running') return intervalMs;
	const { window } = generationTime;
	return window && createdAt !== undefined
		? intervalInWindow(window, now - createdAt, wait, random)
		: nextInterval({ reads, waitedMs: now - startedAt }, generationTime, intervalMs, random);
}

/**
 * Watches one task until it has ended, its time is up, or Stop comes. Never throws as long as the
 * reader does not. Reads at growing intervals, ever more slowly while it cannot be read, and for
 * the last time shortly before the deadline.
 */
export async function watchTask(watched: WatchedTask, wait: Wait): Promise<WatchResult> {
	const { clock } = wait;
	const { isNew, read, createdAt } = watched;
	const progress: Progress = { statusWord: null, failures: 0, seenAt: createdAt };
	const firstDelay = delayBeforeFirstRead(watched, wait);
	const hadWindow = watched.generationTime?.window !== undefined;
	if (firstDelay > 0 && !(await clock.sleep(firstDelay))) return { outcome: 'stopped' };
	if (isNew && !hadWindow && watched.generationTime?.window) {
		// While it slept, the list of videos has given how long such videos take.
		const rest = delayBeforeFirstRead(watched, wait);
		if (rest > 0 && !(await clock.sleep(rest))) return { outcome: 'stopped' };
	}
	for (let reads = isNew ? 1 : 0; ; reads++) {
		const readUntil = Math.max(wait.deadline, clock.now() + LAST_READ_MS);
		const result = await read(readUntil);
		const now = clock.now();
		const ending = take(result, progress, now);
		if (ending) return ending;
		const left = wait.deadline - LAST_READ_MS - now;
		if (left <= 0) return timeUp(progress);
		const delayMs = delayAfterRead(result, reads, watched, wait);
		if (!(await clock.sleep(Math.min(delayMs, left)))) return { outcome: 'stopped' };
	}
}
