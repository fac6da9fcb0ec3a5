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

/** The real clock. `signal` is the execution's cancel signal, which ends a sleep at once. */
export function realClock(signal?: AbortSignal): Clock {
	return {
		untied: () => realClock(),
		now: () => Date.now(),
		random: () => Math.random(),
		sleep: async (ms, cancel) => {
			const signals = [signal, cancel].filter((one) => one !== undefined);
			const isOver = () => signals.some(({ aborted }) => aborted);
			const over = new AbortController();
			const end = () => over.abort();
			for (const one of signals) one.addEventListener('abort', end, { once: true });
			try {
				for (let left = ms; left > 0 && !isOver(); left -= LONGEST_TIMER_MS) {
					await sleepUntilAborted(Math.min(left, LONGEST_TIMER_MS), over.signal);
				}
			} catch {
				// Only the signal ends a sleep with an error.
			} finally {
				for (const one of signals) one.removeEventListener('abort', end);
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
