/**
 * When to look at which task next. Knows nothing of HTTP or n8n: reading and the clock are handed in.
 *
 * Rules that must not regress:
 * - all tasks are watched together, so N tasks take as long as the slowest;
 * - one task's end never ends or hides another;
 * - there is always an end: each task ends by itself, by its limit of failed reads, by the deadline
 *   (with one last look), or by Stop.
 */
import { PARALLEL_READS, READ_MAX_FAILURES, RETRY_AFTER_MAX_MS, type Read } from './api';
import { limiter, type Clock } from './clock';
import type { CallFailure } from './errors';
import type { Task } from './task';

/** Seconds. What "Check Every" starts with, and how far it grows by itself. */
export const POLL_INTERVAL_SECONDS = 5;
export const POLL_INTERVAL_MAX_SECONDS = 15;
export const POLL_GROWTH = 1.25;
/**
 * Most videos take 1 to 2 minutes. Meanwhile the interval stays below these seconds, with which one of 90 seconds is looked at
 * 12 times and noticed after 4 seconds (`npm run bench -- notice`); later it is this share of the time waited.
 */
export const POLL_INTERVAL_USUAL_SECONDS = 8.5;
export const POLL_SHARE = 0.07;
/** Share by which an interval varies, so that many executions do not read in step. */
export const POLL_JITTER = 0.1;
/** Minutes. */
export const TIMEOUT_MINUTES = 15;
/** Milliseconds kept back from the workflow's own time limit, to hand out the results. */
export const EXECUTION_RESERVE_MS = 10_000;

/** How the wait for one task ended. */
export type Ending =
	| { outcome: 'finished'; task: Task }
	| { outcome: 'timeout'; statusWord: string | null }
	| { outcome: 'lost'; failure: CallFailure }
	| { outcome: 'refused'; failure: CallFailure }
	| { outcome: 'stopped' };

export interface WaitLimits {
	/** Milliseconds from now. */
	timeoutMs: number;
	/** Milliseconds between two looks at one task; the wait grows from here, and never undercuts it. */
	intervalMs: number;
}

/** Milliseconds: how far the interval may have grown after `waitedMs`. */
function longestInterval(waitedMs: number): number {
	const usual = Math.max(POLL_INTERVAL_USUAL_SECONDS * 1000, waitedMs * POLL_SHARE);
	return Math.min(usual, POLL_INTERVAL_MAX_SECONDS * 1000);
}

/**
 * Milliseconds to the next look, with jitter, after `looks` earlier intervals and when `waitedMs` have passed. Give Infinity
 * for a task that could not be read: trouble gets all the time it may.
 */
export function nextInterval(
	looks: number,
	waitedMs: number,
	intervalMs: number,
	random: number,
): number {
	const grown = Math.min(intervalMs * POLL_GROWTH ** looks, longestInterval(waitedMs));
	return Math.max(intervalMs, grown * (1 + POLL_JITTER * (2 * random - 1)));
}

/**
 * The time a wait may take, in milliseconds: the user's minutes, capped by the workflow's own limit
 * (seconds; 0 or less means none) less what has passed of it and a reserve.
 */
export function timeoutMs(
	minutes: number,
	executionTimeoutSeconds: number | undefined,
	elapsedMs = 0,
): number {
	const wanted = minutes * 60_000;
	if (!executionTimeoutSeconds || executionTimeoutSeconds <= 0) return wanted;
	const most = executionTimeoutSeconds * 1000 - elapsedMs - EXECUTION_RESERVE_MS;
	return Math.max(0, Math.min(wanted, most));
}

/** `paused` is how many intervals have passed since `startedAt` before the first look: 1 for a new task, or none. */
async function watchOne(
	read: () => Promise<Read>,
	paused: number,
	startedAt: number,
	deadline: number,
	intervalMs: number,
	clock: Clock,
): Promise<Ending> {
	let failures = 0;
	let statusWord: string | null = null;
	let lastFailure: CallFailure | undefined;
	for (let looks = paused; ; looks++) {
		const isLastLook = clock.now() >= deadline;
		const result = await read();
		const isRead = result.outcome === 'task';
		const waitedMs = isRead ? clock.now() - startedAt : Infinity;
		let pauseMs = nextInterval(looks, waitedMs, intervalMs, clock.random());
		if (result.outcome === 'task') {
			if (result.task.state !== 'running') return { outcome: 'finished', task: result.task };
			failures = 0;
			lastFailure = undefined;
			statusWord = result.task.statusWord;
		} else if (result.outcome === 'final') {
			return { outcome: 'refused', failure: result.failure };
		} else {
			failures++;
			lastFailure = result.failure;
			if (failures >= READ_MAX_FAILURES) {
				return { outcome: 'lost', failure: result.failure };
			}
			const asked = Math.min(result.failure.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
			pauseMs = Math.max(pauseMs, asked);
		}
		const left = deadline - clock.now();
		if (isLastLook || left <= 0) {
			// A task that was never read must not be reported as "still being made".
			return statusWord === null && lastFailure
				? { outcome: 'lost', failure: lastFailure }
				: { outcome: 'timeout', statusWord };
		}
		if (!(await clock.sleep(Math.min(pauseMs, left)))) return { outcome: 'stopped' };
	}
}

/** One task to watch. */
export interface Watched {
	read: () => Promise<Read>;
	/** Whether it was started just now, and so cannot be ready before the first interval has passed. */
	isNew: boolean;
}

/**
 * Watches all tasks together until each has ended. Gives one ending per task, in their order; never
 * throws as long as the readers do not.
 */
export async function watchTasks(
	tasks: readonly Watched[],
	limits: WaitLimits,
	clock: Clock,
): Promise<Ending[]> {
	const inTurn = limiter(PARALLEL_READS);
	const { timeoutMs: limitMs, intervalMs } = limits;
	const startedAt = clock.now();
	const deadline = startedAt + limitMs;
	return await Promise.all(
		tasks.map(async ({ read, isNew }): Promise<Ending> => {
			const pauseMs = isNew ? Math.min(intervalMs, limitMs) : 0;
			if (pauseMs > 0 && !(await clock.sleep(pauseMs))) return { outcome: 'stopped' };
			const paused = isNew ? 1 : 0;
			const readInTurn = async () => await inTurn(read);
			return await watchOne(readInTurn, paused, startedAt, deadline, intervalMs, clock);
		}),
	);
}
