/** Time as the rest of the package sees it, handed in so that tests can run it without waiting. */
import { sleep } from 'n8n-workflow';

export interface Clock {
	/** Milliseconds since 1970. */
	now(): number;
	/** Waits. False when Stop (or an execution timeout) came first. */
	sleep(ms: number): Promise<boolean>;
	/** From 0 up to 1, for jitter. */
	random(): number;
}

/**
 * The real clock. `signal` is the execution's cancel signal, which ends a sleep at once. n8n's own
 * abortable sleep has two names in its supported versions, so the plain one is raced.
 */
export function realClock(signal?: AbortSignal): Clock {
	const aborted =
		signal &&
		new Promise<void>((resolve) => {
			if (signal.aborted) resolve();
			else signal.addEventListener('abort', () => resolve(), { once: true });
		});
	return {
		now: () => Date.now(),
		random: () => Math.random(),
		sleep: async (ms) => {
			await (aborted ? Promise.race([sleep(ms), aborted]) : sleep(ms));
			return !signal?.aborted;
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

/** The result of some work, or undefined when it takes longer than `ms`. */
export async function within<T>(
	work: Promise<T>,
	ms: number,
	clock: Clock,
): Promise<T | undefined> {
	return await Promise.race([work, clock.sleep(Math.max(ms, 0)).then(() => undefined)]);
}
