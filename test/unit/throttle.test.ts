/** The throttle of an account: one pace for all, and nobody given up because the API asks to slow down. */
import type { IExecuteFunctions, IHttpRequestOptions } from 'n8n-workflow';

import { runOf } from '../../nodes/Seedance/run/run';
import { createThrottle } from '../../nodes/shared/api/throttle';
import { watchTask } from '../../nodes/shared/api/polling';
import { manyTasks, pauses } from '../fixtures/throttle.json';
import { VirtualClock } from './virtualClock.cjs';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A throttle after so many 429 in a row, each to a request of its own. */
async function throttled(times = 0, retryAfterMs?: number) {
	const clock = new VirtualClock();
	const throttle = createThrottle(clock);
	for (let time = 0; time < times; time++) {
		await clock.run(throttle.acquire(clock.now() + HOUR));
		throttle.onRateLimited(clock.now(), retryAfterMs);
	}
	const startedAt = clock.now();
	const at = () => clock.now() - startedAt;
	/** Asks for slots at once; gives when each came, in milliseconds. */
	const slots = async (count: number) => {
		const came = Array.from({ length: count }, async () => {
			await throttle.acquire(startedAt + HOUR);
			return at();
		});
		return (await clock.run(Promise.all(came))).result;
	};
	return { clock, throttle, slots, at, startedAt };
}

const gaps = (at: number[]) => at.slice(1).map((time, index) => Math.round(time - at[index]));

describe('a throttle', () => {
	it('that nobody has used holds nothing back', async () => {
		const { slots } = await throttled();
		expect(await slots(100)).toEqual(Array(100).fill(0));
	});

	it.each(pauses)('waits $firstMs ms, then lets one go every $paceMs ms: %j', async (row) => {
		const { times, retryAfterMs, firstMs, paceMs } = row;
		const { slots } = await throttled(times, retryAfterMs);
		const at = await slots(4);
		expect([at[0], ...gaps(at)]).toEqual([firstMs, paceMs, paceMs, paceMs]);
	});

	it('counts several 429 to requests that were in flight together once', async () => {
		const { throttle, clock, slots, startedAt } = await throttled();
		await clock.run(clock.elapse(300));
		for (let time = 0; time < 10; time++) throttle.onRateLimited(startedAt);
		expect(throttle.consecutive429s).toBe(1);
		expect(await slots(3)).toEqual([1_300, 1_550, 1_800]);
		expect((await throttled(4)).throttle.consecutive429s).toBe(4);
	});

	it('does not shorten a long pause because of a later 429', async () => {
		const { throttle, clock, slots, startedAt } = await throttled();
		await clock.run(clock.elapse(1));
		throttle.onRateLimited(clock.now(), 50_000);
		await clock.run(clock.elapse(1));
		throttle.onRateLimited(clock.now(), 2_000);
		throttle.onRateLimited(startedAt, 2_000);
		expect(await slots(1)).toEqual([50_001]);
	});

	it('keeps the order of the callers, and lets nothing slip in before those that wait', async () => {
		const { throttle, clock, startedAt } = await throttled(1);
		const order: number[] = [];
		const ask = async (number: number) => {
			if (number === 20) await clock.elapse(1_000);
			await throttle.acquire(startedAt + HOUR);
			order.push(number);
		};
		const all = [20, ...Array(20).keys()].map(ask);
		await clock.run(Promise.all(all));
		expect(order).toEqual([...Array(21).keys()]);
	});

	it('gets faster a little with each good response, to full speed, and forgets the row of 429', async () => {
		const { throttle, slots } = await throttled(4);
		const paces: number[] = [];
		for (let responses = 0; responses < 30; responses++) {
			paces.push(gaps(await slots(2))[0]);
			throttle.onResponse();
			expect(throttle.consecutive429s).toBe(0);
		}
		expect(Math.max(...gaps(paces))).toBeLessThanOrEqual(0);
		expect(paces[29]).toBeGreaterThan(paces[0] / 3);
		expect(paces[29]).toBeLessThan(paces[0] / 2);
		for (let responses = 0; responses < 250; responses++) throttle.onResponse();
		expect(new Set((await slots(20)).slice(1)).size).toBe(1);
	});

	it('drops a caller that cannot have a slot before the deadline, and gives that slot to the next', async () => {
		const { throttle, clock, at, startedAt } = await throttled(1, 10_000);
		const ask = async (deadlineMs: number) => [
			await throttle.acquire(startedAt + deadlineMs),
			at(),
		];
		const all = [5_000, HOUR, 5_000, HOUR].map(ask);
		const { result } = await clock.run(Promise.all(all));
		expect(result).toEqual([
			[false, 5_000],
			[true, 10_000],
			[false, 5_000],
			[true, 10_250],
		]);
		expect(clock.asleep).toBe(0);
	});

	it('ends all waits at once with Stop', async () => {
		const { throttle, clock, startedAt } = await throttled(1, 60_000);
		const all = Array.from({ length: 5 }, async () => await throttle.acquire(startedAt + HOUR));
		const stop = clock.elapse(2_000).then(() => clock.stop());
		const { result, tookMs } = await clock.run(Promise.all([...all, stop]));
		expect(result.slice(0, 5)).toEqual(Array(5).fill(false));
		expect(tookMs).toBe(2_000);
		expect(clock.asleep).toBe(0);
	});
});

interface Reply {
	statusCode: number;
	headers?: Record<string, string>;
	body?: string;
}

const RUNNING = { statusCode: 200, body: '{"code":200,"data":{"status":"IN_PROGRESS"}}' };

/** A run of the node against an API that is a function of the request and the time (milliseconds since the beginning). */
function runAgainst(
	api: (ms: number, options: IHttpRequestOptions) => Reply,
	respondsAfterMs: (request: number) => number = () => 100,
) {
	const clock = new VirtualClock();
	const startedAt = clock.now();
	const at = () => clock.now() - startedAt;
	let sent = 0;
	const context = {
		getInputData: () => [],
		getExecutionId: () => '1',
		getMode: () => 'trigger',
		getNode: () => ({ type: 'n8n-nodes-seedance.seedance', onError: 'stopWorkflow' }),
		evaluateExpression: () => 0,
		getExecutionCancelSignal: () => undefined,
		helpers: {
			httpRequestWithAuthentication: async (_type: string, options: IHttpRequestOptions) => {
				const reply = api(at(), options);
				await clock.elapse(respondsAfterMs(sent++));
				return { headers: {}, body: '', ...reply };
			},
		},
	};
	const run = runOf(context as unknown as IExecuteFunctions, clock);
	const account = (name: string) => ({
		apiKey: `sk-${name}`,
		baseUrl: 'https://seedanceapi.org/v1',
		reach: 'internet' as const,
		decrypted: {},
	});
	const task = (taskId: string) => ({ credential: account('a'), taskId });
	/** Reads so many tasks of one account at once; gives the result of each, and when it came. */
	const readMany = async (count: number, deadlineMs: number) => {
		const all = Array.from({ length: count }, async (_, index) => {
			const found = await run.readTask(task(`t${index}`), startedAt + deadlineMs);
			return { found, endedAt: at() };
		});
		return (await clock.run(Promise.all(all))).result;
	};
	return { clock, run, account, task, startedAt, readMany, sent: () => sent };
}

describe('many tasks of an account that may read only so often', () => {
	const READY_MS = 90 * SECOND;

	/** Watches so many tasks as Wait for Video does, on an API that allows so many reads in any second. */
	async function watchMany(count: number, perSecond: number, retryAfter?: string) {
		let allowed: number[] = [];
		let limited = 0;
		const api = (ms: number, { qs }: IHttpRequestOptions): Reply => {
			allowed = allowed.filter((at) => at > ms - SECOND);
			if (allowed.length >= perSecond) {
				limited++;
				const headers = retryAfter === undefined ? undefined : { 'retry-after': retryAfter };
				return { statusCode: 429, headers, body: '{"code":429}' };
			}
			allowed.push(ms);
			const isReady = ms >= READY_MS;
			const data = {
				task_id: qs?.task_id,
				status: isReady ? 'SUCCESS' : 'IN_PROGRESS',
				response: isReady ? ['https://cdn.example.com/v.mp4'] : [],
			};
			return { statusCode: 200, body: JSON.stringify({ code: 200, data }) };
		};
		const { clock, run, task, startedAt, sent } = runAgainst(api);
		const wait = { clock, startedAt, deadline: startedAt + 15 * MINUTE, intervalMs: 5 * SECOND };
		const work = Array.from({ length: count }, async (_, index) => {
			const read = async (deadline: number) => await run.readTask(task(`t${index}`), deadline);
			return (await watchTask({ read, isNew: false }, wait)).outcome;
		});
		const { result, tookMs } = await clock.run(Promise.all(work));
		return { outcomes: result, tookMs, reads: sent(), limited };
	}

	it.each(manyTasks)(
		'are all delivered: $count tasks at $perSecond a second, Retry-After $retryAfter',
		async ({ count, perSecond, retryAfter }) => {
			const { outcomes, tookMs, reads, limited } = await watchMany(count, perSecond, retryAfter);
			expect(outcomes).toEqual(Array(count).fill('finished'));
			// Each has to be read once more after it is ready, which cannot go faster than the limit.
			const atBest = READY_MS + (count / perSecond) * SECOND;
			expect(tookMs).toBeLessThan(atBest * 2);
			// The first reads of all go out together; what comes after them is almost never too much.
			expect(limited).toBeLessThan(count + 0.1 * (reads - count));
		},
		60_000,
	);

	it('bring no 429 at all where the API allows what they need', async () => {
		const { outcomes, tookMs, limited } = await watchMany(30, 40);
		expect(outcomes).toEqual(Array(30).fill('finished'));
		expect(limited).toBe(0);
		expect(tookMs).toBeLessThan(READY_MS + 10 * SECOND);
	});

	it('do not slow down those of another account', async () => {
		const { clock, run, account } = runAgainst(() => RUNNING);
		const slow = run.throttleFor(account('slow'));
		expect(run.throttleFor(account('slow'))).toBe(slow);
		slow.onRateLimited(clock.now());
		const other = run.throttleFor(account('other')).acquire(clock.now() + HOUR);
		expect((await clock.run(other)).tookMs).toBe(0);
	});
});

describe('a throttled read', () => {
	it('waits a 429 out and asks again, and gives it, by its deadline, where there is no other', async () => {
		const until8s = (ms: number) => (ms < 8_000 ? { statusCode: 429 } : RUNNING);
		const [task] = await runAgainst(until8s).readMany(1, MINUTE);
		expect(task.found.outcome).toBe('task');
		const [{ found, endedAt }] = await runAgainst(() => ({ statusCode: 429 })).readMany(1, 20_000);
		expect(found).toMatchObject({ outcome: 'unavailable', failure: { cause: 'rate_limited' } });
		expect(endedAt).toBeLessThanOrEqual(20_000);
	});

	/** The milliseconds between two slots after a 429 and so many reads with this response. */
	async function paceAfter(reads: number, respond: () => Reply) {
		const { clock, run, account, task } = runAgainst(respond);
		const throttle = run.throttleFor(account('a'));
		throttle.onRateLimited(clock.now());
		for (let read = 0; read < reads; read++) {
			await clock.run(run.readTask(task('t'), clock.now() + HOUR));
		}
		await clock.run(throttle.acquire(clock.now() + HOUR));
		const { tookMs } = await clock.run(throttle.acquire(clock.now() + HOUR));
		return { pace: Math.round(tookMs), limitedInARow: throttle.consecutive429s };
	}

	it.each([
		['a task', RUNNING],
		['no such task', { statusCode: 404, body: '{"code":404}' }],
		['a server error', { statusCode: 500 }],
	])('brings the account back to full speed with each response: %s', async (_name, reply) => {
		const { pace, limitedInARow } = await paceAfter(10, () => reply);
		expect(limitedInARow).toBe(0);
		expect(pace).toBeLessThan(250);
		expect((await paceAfter(90, () => reply)).pace).toBe(0);
	});

	it('without a response says nothing about the pace', async () => {
		const down = (): never => {
			throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
		};
		expect(await paceAfter(10, down)).toEqual({ pace: 250, limitedInARow: 1 });
	});

	it('of one that hangs does not hold back those behind it', async () => {
		const hang = (request: number) => (request < 10 ? 30 * SECOND : 100);
		const ends = await runAgainst(() => RUNNING, hang).readMany(20, MINUTE);
		expect(Math.max(...ends.slice(10).map(({ endedAt }) => endedAt))).toBeLessThan(6 * SECOND);
	});

	it('is not sent any more where its deadline passed while others were read', async () => {
		const slow = () => 4 * SECOND;
		const { readMany, sent } = runAgainst(() => ({ statusCode: 200 }), slow);
		const ends = await readMany(15, 2 * SECOND);
		expect(sent()).toBe(10);
		// Not a failed read of a task that nobody has asked for.
		const unread = { outcome: 'unavailable', failure: { cause: 'rate_limited', text: '' } };
		expect(ends.slice(10).map(({ found }) => found)).toEqual(Array(5).fill(unread));
	});
});
