/** Time as the rest of the package sees it, handed in so that tests can run it without waiting. */
import * as n8n from 'n8n-workflow';

export interface Clock {
	/** Milliseconds since 1970. */
	now(): number;
	/**
	 * Waits so many milliseconds. False when Stop (or an execution timeout) or `cancel` came first;
	 * then no timer is left.
	 */
	sleep(ms: number, cancel?: AbortSignal): Promise<boolean>;
	/** From 0 up to 1, for jitter. */
	random(): number;
	/** The same clock for work that Stop must not cut off. */
	uncancellable(): Clock;
}

/**
 * The reason of every abort. Without one, Node.js makes an error each time, which costs more than
 * the sleep.
 */
const OVER = 'over';

/** Milliseconds: a longer timer of Node.js ends at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function isSleep(value: unknown): value is (ms: number, signal: AbortSignal) => Promise<void> {
	return typeof value === 'function';
}

/** n8n's sleep that a signal ends, under its two names (docs/n8n-behaviour.md#sleep). */
const olderSleep: unknown = Reflect.get(n8n, 'sleepWithAbort');
const sleepUntilAborted = isSleep(olderSleep) ? olderSleep : n8n.sleep;

/** The real clock. `signal` is the execution's cancel signal, which ends every sleep at once. */
export function realClock(signal?: AbortSignal): Clock {
	const sleepers = new Set<AbortController>();
	// One listener for all of them: Node.js warns of a leak when a signal has more than ten.
	const wakeAll = () => sleepers.forEach((sleeper) => sleeper.abort(OVER));
	signal?.addEventListener('abort', wakeAll, { once: true });
	return {
		uncancellable: () => realClock(),
		now: () => Date.now(),
		random: () => Math.random(),
		sleep: async (ms, cancel) => {
			const isOver = () => (signal?.aborted ?? false) || (cancel?.aborted ?? false);
			const sleeper = new AbortController();
			const wake = () => sleeper.abort(OVER);
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
			// The slot is handed over, not freed, so that no later task takes it.
			if (next) next();
			else running--;
		}
	};
}

/**
 * The result of the work, or undefined when it takes longer than `ms` milliseconds, or when Stop
 * comes first. Throws what the work throws.
 */
export async function withTimeout<T>(
	work: Promise<T>,
	ms: number,
	clock: Clock,
): Promise<T | undefined> {
	const done = new AbortController();
	try {
		const timeUp = clock.sleep(Math.max(ms, 0), done.signal).then(() => undefined);
		return await Promise.race([work, timeUp]);
	} finally {
		done.abort(OVER);
	}
}

/**
 * Runs at most `limit` of the given tasks at a time; further ones start in order. One that takes
 * longer than `holdMs` milliseconds no longer counts, so that it does not hold up those behind it.
 */
export function expiringLimiter(
	limit: number,
	holdMs: number,
	clock: Clock,
): <T>(task: () => Promise<T>) => Promise<T> {
	const running = new Set<{ startedAt: number; isDone: Promise<unknown> }>();
	/** Waits until a task may start. Stop ends the wait, because the task itself notices Stop. */
	const untilRoom = async (): Promise<void> => {
		for (;;) {
			const heldUntil = [...running]
				.map(({ startedAt }) => startedAt + holdMs)
				.filter((until) => until > clock.now());
			if (heldUntil.length < limit) return;
			const next = Promise.race([...running].map(({ isDone }) => isDone));
			const ended = new AbortController();
			const isAwake = next.then(() => true);
			const ms = Math.min(...heldUntil) - clock.now();
			const isGoingOn = await Promise.race([isAwake, clock.sleep(ms, ended.signal)]);
			ended.abort(OVER);
			if (!isGoingOn) return;
		}
	};
	let last: Promise<unknown> = Promise.resolve();
	return async (task) => {
		const started = last.then(untilRoom).then(() => {
			const result = task();
			const one = { startedAt: clock.now(), isDone: result.catch(() => undefined) };
			running.add(one);
			void one.isDone.then(() => running.delete(one));
			// In an object, because a returned promise would be awaited.
			return { result };
		});
		last = started;
		return await (
			await started
		).result;
	};
}
