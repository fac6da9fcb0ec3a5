/** The real clock, and the limit of things done at once. */
import * as fc from 'fast-check';

import { limiter, realClock, within } from '../../nodes/shared/n8n/clock';
import { settle, VirtualClock } from './virtualClock';

describe('the real clock', () => {
	beforeEach(() => {
		jest.useFakeTimers();
	});
	afterEach(() => {
		jest.useRealTimers();
	});

	it('tells the time in milliseconds, and a random share from 0 up to 1', () => {
		jest.setSystemTime(1_234_567);
		const clock = realClock();
		expect(clock.now()).toBe(1_234_567);
		const share = clock.random();
		expect(share).toBeGreaterThanOrEqual(0);
		expect(share).toBeLessThan(1);
	});

	it.each([
		['without a cancel signal', undefined] as const,
		['with one', new AbortController()] as const,
	])('sleeps its time, %s', async (_name, controller) => {
		const woke = jest.fn();
		void realClock(controller?.signal).sleep(5_000).then(woke);
		await jest.advanceTimersByTimeAsync(4_999);
		expect(woke).not.toHaveBeenCalled();
		await jest.advanceTimersByTimeAsync(1);
		expect(woke).toHaveBeenCalledWith(true);
	});

	it('ends a sleep the moment the execution is stopped', async () => {
		const controller = new AbortController();
		const woke = jest.fn();
		void realClock(controller.signal).sleep(60_000).then(woke);
		await jest.advanceTimersByTimeAsync(1_000);
		controller.abort();
		await settle();
		expect(woke).toHaveBeenCalledWith(false);
	});

	it('does not sleep at all in an execution that was stopped before', async () => {
		const controller = new AbortController();
		controller.abort();
		await expect(realClock(controller.signal).sleep(60_000)).resolves.toBe(false);
	});
});

describe('a sleep that its caller cancels', () => {
	beforeEach(() => {
		jest.useFakeTimers();
	});
	afterEach(() => {
		jest.useRealTimers();
	});

	it('ends at once and leaves no timer behind', async () => {
		const cancel = new AbortController();
		const woke = jest.fn();
		void realClock().sleep(60_000, cancel.signal).then(woke);
		await jest.advanceTimersByTimeAsync(1_000);
		cancel.abort();
		await settle();
		expect(woke).toHaveBeenCalledWith(false);
		expect(jest.getTimerCount()).toBe(0);
	});

	it('listens to Stop once, however many sleep: Node.js warns of a leak beyond ten', async () => {
		const stop = new AbortController();
		const listen = jest.spyOn(stop.signal, 'addEventListener');
		const clock = realClock(stop.signal);
		const woke = jest.fn();
		for (let sleeper = 0; sleeper < 30; sleeper++) void clock.sleep(60_000).then(woke);
		await jest.advanceTimersByTimeAsync(1_000);
		stop.abort();
		await settle();
		expect(listen).toHaveBeenCalledTimes(1);
		expect(woke.mock.calls).toEqual(Array(30).fill([false]));
		expect(jest.getTimerCount()).toBe(0);
	});

	it('leaves no listener at the signal of its caller', async () => {
		const { signal } = new AbortController();
		const listen = jest.spyOn(signal, 'addEventListener');
		const leave = jest.spyOn(signal, 'removeEventListener');
		void realClock().sleep(10, signal);
		await jest.advanceTimersByTimeAsync(10);
		await settle();
		expect(leave).toHaveBeenCalledTimes(listen.mock.calls.length);
	});

	it('sleeps longer than the longest timer of Node.js', async () => {
		const woke = jest.fn();
		void realClock()
			.sleep(2 ** 31 + 5_000)
			.then(woke);
		await jest.advanceTimersByTimeAsync(2 ** 31 + 4_000);
		expect(woke).not.toHaveBeenCalled();
		await jest.advanceTimersByTimeAsync(2_000);
		expect(woke).toHaveBeenCalledWith(true);
	});
});

describe('work within a time', () => {
	beforeEach(() => {
		jest.useFakeTimers();
	});
	afterEach(() => {
		jest.useRealTimers();
	});

	it('gives what the work gives, and leaves no timer behind', async () => {
		await expect(within(Promise.resolve('done'), 60_000, realClock())).resolves.toBe('done');
		await settle();
		expect(jest.getTimerCount()).toBe(0);
	});

	it('gives nothing when the time is up', async () => {
		const given = jest.fn();
		void within(new Promise(() => undefined), 5_000, realClock()).then(given);
		await jest.advanceTimersByTimeAsync(5_000);
		await settle();
		expect(given).toHaveBeenCalledWith(undefined);
	});

	it('hands on the error of the work', async () => {
		const work = Promise.reject(new Error('broke'));
		await expect(within(work, 60_000, realClock())).rejects.toThrow('broke');
		expect(jest.getTimerCount()).toBe(0);
	});
});

describe('the limit of things done at once', () => {
	it('is never exceeded, is used in full, and keeps the order', async () => {
		const scenario = fc.record({
			limit: fc.integer({ min: 1, max: 6 }),
			times: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 20 }),
		});
		await fc.assert(
			fc.asyncProperty(scenario, async ({ limit, times }) => {
				const clock = new VirtualClock();
				const inTurn = limiter(limit);
				const started: number[] = [];
				let running = 0;
				let most = 0;
				const work = times.map(
					async (ms, index) =>
						await inTurn(async () => {
							started.push(index);
							most = Math.max(most, ++running);
							await clock.elapse(ms);
							running--;
							return index;
						}),
				);
				const { result } = await clock.run(Promise.all(work));
				expect(result).toEqual(times.map((_, index) => index));
				expect(started).toEqual(times.map((_, index) => index));
				expect(most).toBe(Math.min(limit, times.length));
			}),
			{ numRuns: 40 },
		);
	});

	it('also holds for those that come later, while others wait or have just ended', async () => {
		const piece = fc.record({ comesAt: fc.nat(60), takes: fc.nat(20) });
		const pieces = fc.array(piece, { minLength: 5, maxLength: 30 });
		await fc.assert(
			fc.asyncProperty(fc.integer({ min: 1, max: 4 }), pieces, async (limit, all) => {
				const clock = new VirtualClock();
				const inTurn = limiter(limit);
				let running = 0;
				let most = 0;
				const work = all.map(async ({ comesAt, takes }) => {
					await clock.elapse(comesAt);
					await inTurn(async () => {
						most = Math.max(most, ++running);
						await clock.elapse(takes);
						running--;
					});
				});
				await clock.run(Promise.all(work));
				expect(most).toBeLessThanOrEqual(limit);
			}),
			{ numRuns: 40 },
		);
	});

	it('gives a place back when the work in it fails', async () => {
		const inTurn = limiter(1);
		const failed = inTurn(async () => await Promise.reject(new Error('no')));
		const next = inTurn(async () => await Promise.resolve('done'));
		await expect(failed).rejects.toThrow('no');
		await expect(next).resolves.toBe('done');
		await expect(inTurn(async () => await Promise.resolve('later'))).resolves.toBe('later');
	});
});
