/** The real clock, the limit of things done at once, and how long a run may work before n8n ends its execution. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Options } from '../../nodes/Seedance/run/parameters';
import type { Run } from '../../nodes/Seedance/run/run';
import { timeoutFor } from '../../nodes/Seedance/run/options';
import { waitLimit } from '../../nodes/Seedance/run/watch';
import { limiter, realClock, withTimeout } from '../../nodes/shared/n8n/clock';
import { EXECUTION_RESERVE_MS, workUntil } from '../../nodes/shared/n8n/limit';
import limits from '../fixtures/executionLimits.json';
import * as fc from '../support/fastCheck.cjs';
import { flushPromises, VirtualClock } from './virtualClock.cjs';

describe('the real clock', () => {
	beforeEach(() => {
		jest.useFakeTimers();
	});
	afterEach(() => {
		jest.useRealTimers();
	});

	/** Starts a sleep, and logs its result as soon as there is one. */
	function sleeping(ms: number, stop?: AbortSignal, cancel?: AbortSignal) {
		const woke = jest.fn();
		void realClock(stop).sleep(ms, cancel).then(woke);
		return woke;
	}

	it('gives the time in milliseconds, and a random share from 0 up to 1', () => {
		jest.setSystemTime(1_234_567);
		const clock = realClock();
		expect(clock.now()).toBe(1_234_567);
		const share = clock.random();
		expect(share).toBeGreaterThanOrEqual(0);
		expect(share).toBeLessThan(1);
	});

	it.each([
		[5_000, undefined],
		[5_000, new AbortController().signal],
		// The longest timer of Node.js is shorter.
		[2 ** 31 + 5_000, undefined],
	])('sleeps its time: %i ms', async (ms, stop) => {
		const woke = sleeping(ms, stop);
		await jest.advanceTimersByTimeAsync(ms - 1);
		expect(woke).not.toHaveBeenCalled();
		await jest.advanceTimersByTimeAsync(1);
		expect(woke).toHaveBeenCalledWith(true);
	});

	it.each(['Stop', 'its caller'])('ends a sleep at once for %s, leaving no timer', async (by) => {
		const end = new AbortController();
		const woke =
			by === 'Stop' ? sleeping(60_000, end.signal) : sleeping(60_000, undefined, end.signal);
		await jest.advanceTimersByTimeAsync(1_000);
		end.abort();
		await flushPromises();
		expect(woke).toHaveBeenCalledWith(false);
		expect(jest.getTimerCount()).toBe(0);
		await expect(realClock(end.signal).sleep(60_000)).resolves.toBe(false);
	});

	it('listens to Stop once, however many sleep: Node.js warns of a leak beyond ten', async () => {
		const stop = new AbortController();
		const listen = jest.spyOn(stop.signal, 'addEventListener');
		const clock = realClock(stop.signal);
		const all = Promise.all(Array.from({ length: 30 }, async () => await clock.sleep(60_000)));
		await jest.advanceTimersByTimeAsync(1_000);
		stop.abort();
		expect(await all).toEqual(Array(30).fill(false));
		expect(listen).toHaveBeenCalledTimes(1);
		expect(jest.getTimerCount()).toBe(0);
	});

	it('leaves no listener at the signal of its caller', async () => {
		const { signal } = new AbortController();
		const listen = jest.spyOn(signal, 'addEventListener');
		const stopListening = jest.spyOn(signal, 'removeEventListener');
		sleeping(10, undefined, signal);
		await jest.advanceTimersByTimeAsync(10);
		expect(stopListening).toHaveBeenCalledTimes(listen.mock.calls.length);
	});

	it('gives what work gives within its time, or its error, and leaves no timer behind', async () => {
		await expect(withTimeout(Promise.resolve('done'), 60_000, realClock())).resolves.toBe('done');
		const broken = Promise.reject(new Error('broke'));
		await expect(withTimeout(broken, 60_000, realClock())).rejects.toThrow('broke');
		await flushPromises();
		expect(jest.getTimerCount()).toBe(0);
	});

	it('gives nothing when the time of work is up', async () => {
		const given = jest.fn();
		void withTimeout(new Promise(() => undefined), 5_000, realClock()).then(given);
		await jest.advanceTimersByTimeAsync(4_999);
		expect(given).not.toHaveBeenCalled();
		await jest.advanceTimersByTimeAsync(1);
		await flushPromises();
		expect(given).toHaveBeenCalledWith(undefined);
	});
});

describe('the limit of things done at once', () => {
	/** Does pieces of work within a limit, each coming and taking so many milliseconds. */
	async function doAll(limit: number, pieces: Array<{ comesAt: number; takes: number }>) {
		const clock = new VirtualClock();
		const inTurn = limiter(limit);
		const started: number[] = [];
		let running = 0;
		let most = 0;
		const work = pieces.map(async ({ comesAt, takes }, index) => {
			if (comesAt) await clock.elapse(comesAt);
			return await inTurn(async () => {
				started.push(index);
				most = Math.max(most, ++running);
				await clock.elapse(takes);
				running--;
				return index;
			});
		});
		return { ...(await clock.run(Promise.all(work))), started, most };
	}

	it('is never exceeded, is used in full, and keeps the order', async () => {
		const times = fc.array(fc.nat(50), { minLength: 1, maxLength: 20 });
		await fc.assert(
			fc.asyncProperty(fc.integer({ min: 1, max: 6 }), times, async (limit, all) => {
				const pieces = all.map((takes) => ({ comesAt: 0, takes }));
				const { result, started, most } = await doAll(limit, pieces);
				expect(result).toEqual([...all.keys()]);
				expect(started).toEqual([...all.keys()]);
				expect(most).toBe(Math.min(limit, all.length));
			}),
			{ numRuns: 40 },
		);
	});

	it('also holds for those that come later, while others wait or have just ended', async () => {
		const piece = fc.record({ comesAt: fc.nat(60), takes: fc.nat(20) });
		const pieces = fc.array(piece, { minLength: 5, maxLength: 30 });
		await fc.assert(
			fc.asyncProperty(fc.integer({ min: 1, max: 4 }), pieces, async (limit, all) => {
				expect((await doAll(limit, all)).most).toBeLessThanOrEqual(limit);
			}),
			{ numRuns: 40 },
		);
	});

	it('frees a slot when the work in it fails', async () => {
		const inTurn = limiter(1);
		const failed = inTurn(async () => await Promise.reject(new Error('no')));
		const next = inTurn(async () => await Promise.resolve('done'));
		await expect(failed).rejects.toThrow('no');
		await expect(next).resolves.toBe('done');
		await expect(inTurn(async () => await Promise.resolve('later'))).resolves.toBe('later');
	});
});

const NOW = 1_000_000;

it.each<unknown[]>(limits)('the time until which a run may work: %s', (...row) => {
	const [, seconds, endsAt, ms] = row;
	const context = {
		getWorkflowSettings: () => ({ executionTimeout: seconds }),
		additionalData: { executionTimeoutTimestamp: endsAt },
	};
	const until = workUntil(context as unknown as IExecuteFunctions, NOW);
	expect(until).toBe(ms === null ? undefined : NOW + Number(ms));
	expect(EXECUTION_RESERVE_MS).toBe(10_000);
});

it('the time until which a run may work has no end where n8n reports nothing at all', () => {
	expect(workUntil({} as unknown as IExecuteFunctions, NOW)).toBeUndefined();
});

it.each([
	[15, Infinity, { ms: 900_000, minutes: 15, isWorkflowLimit: false }],
	[0.5, 1e9, { ms: 30_000, minutes: 0.5, isWorkflowLimit: false }],
	[15, 60_000, { ms: 60_000, minutes: 1, isWorkflowLimit: true }],
	[15, -60_000, { ms: 0, minutes: 0, isWorkflowLimit: true }],
])('a wait ends with Timeout, %p minutes, or the workflow, in %p ms', (timeout, leftMs, limit) => {
	const clock = new VirtualClock();
	const run = { clock, workUntil: clock.now() + leftMs } as unknown as Run;
	const { deadline, ...rest } = waitLimit(run, { timeout } as unknown as Options, []);
	expect({ ms: deadline - clock.now(), ...rest }).toEqual(limit);
});

it.each([
	[undefined, [null], 15],
	[undefined, ['seedance-v1'], 15],
	[undefined, ['seedance-v1', 'seedance-2.0'], 30],
	[undefined, [], 15],
	[1, ['seedance-2.0'], 1],
])('Timeout %p for videos of %j is %p minutes', (timeout, models, minutes) => {
	expect(timeoutFor({ timeout }, models)).toBe(minutes);
});
