/** Time as the rest of the package sees it, handed in so that tests can run it without waiting. */
import * as n8n from 'n8n-workflow';

export interface Clock {
	/** Milliseconds since 1970. */
	now(): number;
	/** Waits so many milliseconds. False when Stop (or an execution timeout) or `cancel` came first; then no timer is left. */
	sleep(ms: number, cancel?: AbortSignal): Promise<boolean>;
	/** From 0 up to 1, for jitter. */
	random(): number;
	/** The same clock for work that Stop must not cut off. */
	untied(): Clock;
}

/** Milliseconds: Node.js ends a timer of more at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function isSleep(value: unknown): value is (ms: number, signal: AbortSignal) => Promise<void> {
	return typeof value === 'function';
}

/** n8n's sleep that a signal ends: it has a name of its own in the older supported versions. */
const olderSleep: unknown = Reflect.get(n8n, 'sleepWithAbort');
const sleepUntilAborted = isSleep(olderSleep) ? olderSleep : n8n.sleep;

/** The real clock. `signal` is the execution's cancel signal, which ends every sleep at once. */
export function realClock(signal?: AbortSignal): Clock {
	const sleepers = new Set<AbortController>();
	// One listener for all of them: Node.js warns of a leak when a signal has more than ten.
	const wakeAll = () => sleepers.forEach((sleeper) => sleeper.abort());
	signal?.addEventListener('abort', wakeAll, { once: true });
	return {
		untied: () => realClock(),
		now: () => Date.now(),
		random: () => Math.random(),
		sleep: async (ms, cancel) => {
			const isOver = () => (signal?.aborted ?? false) || (cancel?.aborted ?? false);
			const sleeper = new AbortController();
			const wake = () => sleeper.abort();
			sleepers.add(sleeper);
			cancel?.addEventListener('abort', wake, { once: true });
			try {
				for (let left = ms; left > 0 && !isOver(); left -= LONGEST_TIMER_MS) {
					await sleepUntilAborted(Math.min(left, LONGEST_TIMER_MS), sleeper.signal);
				}
			} catch {
				// Only the signal ends a sleep with an error.
			} finally {
				sleepers.delete(sleeper);
				cancel?.removeEventListener('abort', wake);
			}
			return !isOver();
		},
	};
}

/** Runs at most `limit` of the given tasks at a time; further ones queue in order. */
export function limiter(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
	const waiting: Array<() => void> = [];
	let running = 0;
	return async (task) => {
		if (running < limit) running++;
		else await new Promise<void>((resolve) => waiting.push(resolve));
		try {
			return await task();
		} finally {
			const next = waiting.shift();
			// The place is handed over, not freed, so that nobody slips in between.
			if (next) next();
			else running--;
		}
	};
}

/** The result of some work, or undefined when it takes longer than `ms` milliseconds, or when Stop comes first. */
export async function within<T>(
	work: Promise<T>,
	ms: number,
	clock: Clock,
): Promise<T | undefined> {
	const done = new AbortController();
	try {
		const timeUp = clock.sleep(Math.max(ms, 0), done.signal).then(() => undefined);
		return await Promise.race([work, timeUp]);
	} finally {
		done.abort();
	}
}
