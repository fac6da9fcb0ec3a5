/** The brake of an account: one pace for all, and nobody given up because the API asks to slow down. */
import type { IExecuteFunctions, IHttpRequestOptions } from 'n8n-workflow';

import { runOf } from '../../nodes/Seedance/run/run';
import { type Credential } from '../../nodes/shared/api/credential';

import { brakeOf, RETRY_AFTER_MAX_MS, type Brake } from '../../nodes/shared/api/brake';
import { watchTask } from '../../nodes/shared/api/polling';
import { VirtualClock } from './virtualClock';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

function braked() {
	const clock = new VirtualClock();
	const startedAt = clock.now();
	const brake = brakeOf(clock);
	/** Asks for turns at once; notes when each came, in milliseconds since the beginning. */
	const turns = async (count: number, deadline = startedAt + HOUR) => {
		const came: Array<number | undefined> = [];
		const all = Array.from({ length: count }, async (_, index) => {
			const isMine = await brake.turn(deadline);
			came[index] = isMine ? clock.now() - startedAt : undefined;
		});
		await clock.run(Promise.all(all));
		return came;
	};
	return { clock, brake, turns, startedAt };
}

const gaps = (times: Array<number | undefined>) =>
	times.slice(1).map((time, index) => Math.round((time ?? NaN) - (times[index] ?? NaN)));

/** So many 429 in a row, each to a request of its own. */
async function slowDown(clock: VirtualClock, brake: Brake, times: number, retryAfterMs?: number) {
	for (let time = 0; time < times; time++) {
		await clock.run(brake.turn(clock.now() + HOUR));
		brake.slowDown(clock.now(), retryAfterMs);
	}
}

describe('a brake', () => {
	it('that nobody has used holds nothing back', async () => {
		const { turns, clock } = braked();
		expect(await turns(100)).toEqual(Array(100).fill(0));
		expect(clock.sleeps).toEqual([]);
	});

	it('holds back all, at one pace, after a 429 to one', async () => {
		const { brake, clock, turns } = braked();
		await slowDown(clock, brake, 1);
		const came = await turns(5);
		expect(came[0]).toBe(1_000);
		expect(gaps(came)).toEqual([250, 250, 250, 250]);
	});

	it('halves the pace with each 429, to one request in ten seconds at the slowest', async () => {
		const { brake, clock, turns } = braked();
		await slowDown(clock, brake, 3);
		expect(gaps(await turns(3))).toEqual([1_000, 1_000]);
		await slowDown(clock, brake, 10);
		expect(gaps(await turns(3))).toEqual([10_000, 10_000]);
	});

	it('waits longer after each further 429 in a row that names no time, 15 seconds at most', async () => {
		const { brake, clock, turns } = braked();
		const waited: number[] = [];
		for (let time = 0; time < 6; time++) {
			brake.slowDown(clock.now());
			const before = clock.now();
			await turns(1);
			waited.push(clock.now() - before);
		}
		expect(waited).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
	});

	it.each([
		[7_000, 7_000],
		[60_000, 60_000],
		[60_001, RETRY_AFTER_MAX_MS],
		[3_600_000, RETRY_AFTER_MAX_MS],
	])('waits as long as Retry-After asks, a minute at most: %i ms', async (asked, waited) => {
		const { brake, clock, turns } = braked();
		await slowDown(clock, brake, 1, asked);
		expect((await turns(1))[0]).toBe(waited);
	});

	it('holds to its pace where Retry-After asks for less', async () => {
		const { brake, clock, turns } = braked();
		await slowDown(clock, brake, 1, 0);
		expect((await turns(1))[0]).toBe(250);
	});

	it('counts several 429 to requests that were under way together once', async () => {
		const { brake, clock, turns } = braked();
		const sentAt = clock.now();
		await clock.run(clock.elapse(300));
		for (let time = 0; time < 10; time++) brake.slowDown(sentAt);
		expect(brake.limitedInARow).toBe(1);
		const came = await turns(3);
		expect(came[0]).toBe(1_300);
		expect(gaps(came)).toEqual([250, 250]);
	});

	it('counts a 429 to a request that was sent after the last one anew', async () => {
		const { brake, clock } = braked();
		await slowDown(clock, brake, 4);
		expect(brake.limitedInARow).toBe(4);
	});

	it('does not shorten a long pause because of a later 429', async () => {
		const { brake, clock, turns } = braked();
		const sentAt = clock.now();
		await clock.run(clock.elapse(1));
		brake.slowDown(clock.now(), 50_000);
		await clock.run(clock.elapse(1));
		brake.slowDown(clock.now(), 2_000);
		brake.slowDown(sentAt, 2_000);
		expect((await turns(1))[0]).toBe(50_001);
	});

	it('keeps the order in which they asked', async () => {
		const { brake, clock } = braked();
		await slowDown(clock, brake, 1);
		const order: number[] = [];
		const deadline = clock.now() + HOUR;
		const all = Array.from({ length: 20 }, async (_, index) => {
			await brake.turn(deadline);
			order.push(index);
		});
		await clock.run(Promise.all(all));
		expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
	});

	it('lets nobody slip in before those who wait', async () => {
		const { brake, clock } = braked();
		await slowDown(clock, brake, 1);
		const order: string[] = [];
		const ask = async (name: string) => {
			await brake.turn(clock.now() + HOUR);
			order.push(name);
		};
		const late = async () => {
			await clock.elapse(1_000);
			await ask('late');
		};
		await clock.run(Promise.all([late(), ask('first'), ask('second')]));
		expect(order).toEqual(['first', 'second', 'late']);
	});

	it('is back to full speed after good answers, and has forgotten the row of 429', async () => {
		const { brake, clock, turns } = braked();
		await slowDown(clock, brake, 10);
		brake.answered();
		expect(brake.limitedInARow).toBe(0);
		for (let answers = 0; answers < 250; answers++) brake.answered();
		const came = await turns(20);
		expect(new Set(came.slice(1)).size).toBe(1);
	});

	it('gets faster a little with each good answer, never slower', async () => {
		const { brake, clock, turns } = braked();
		await slowDown(clock, brake, 4);
		const paces: number[] = [];
		for (let answers = 0; answers < 30; answers++) {
			paces.push(gaps(await turns(2))[0]);
			brake.answered();
		}
		const changes = gaps(paces);
		expect(changes.every((change) => change <= 0)).toBe(true);
		expect(paces[29]).toBeGreaterThan(paces[0] / 3);
		expect(paces[29]).toBeLessThan(paces[0] / 2);
	});

	it('lets go who cannot have a turn before the deadline, in time', async () => {
		const { brake, clock, startedAt } = braked();
		await slowDown(clock, brake, 1, 60_000);
		const { result, tookMs } = await clock.run(brake.turn(startedAt + 5_000));
		expect(result).toBe(false);
		expect(tookMs).toBe(5_000);
	});

	it('gives the turn of who has gone to the next one', async () => {
		const { brake, clock, startedAt } = braked();
		await slowDown(clock, brake, 1, 10_000);
		const came: number[] = [];
		const patient = async () => {
			await brake.turn(startedAt + HOUR);
			came.push(clock.now() - startedAt);
		};
		await clock.run(Promise.all([brake.turn(startedAt + 5_000), patient(), patient()]));
		expect(came).toEqual([10_000, 10_250]);
	});

	it('leaves no timer behind of who has gone', async () => {
		const { brake, clock, startedAt } = braked();
		await slowDown(clock, brake, 1, 60_000);
		const all = Array.from({ length: 5 }, async () => await brake.turn(startedAt + 5_000));
		await clock.run(Promise.all(all));
		expect(clock.asleep).toBe(0);
	});

	it('ends all turns at once with Stop', async () => {
		const { brake, clock, startedAt } = braked();
		await slowDown(clock, brake, 1, 60_000);
		const all = Array.from({ length: 5 }, async () => await brake.turn(startedAt + HOUR));
		const stop = clock.elapse(2_000).then(() => clock.stop());
		const { result, tookMs } = await clock.run(Promise.all([...all, stop]));
		expect(result.slice(0, 5)).toEqual(Array(5).fill(false));
		expect(tookMs).toBe(2_000);
		expect(clock.asleep).toBe(0);
	});

	it('is kept for each account alone', async () => {
		const { run, accountOf } = runAgainst(() => ({ statusCode: 200 }));
		expect(run.brakeFor(accountOf('a'))).toBe(run.brakeFor(accountOf('a')));
		expect(run.brakeFor(accountOf('a'))).not.toBe(run.brakeFor(accountOf('b')));
	});
});

interface Reply {
	statusCode: number;
	headers?: Record<string, string>;
	body?: string;
}

/** A run of the node against an API that is a function of the request and the time (milliseconds since the beginning). */
function runAgainst(
	api: (ms: number, options: IHttpRequestOptions) => Reply,
	answersAfterMs = 100,
) {
	const clock = new VirtualClock(() => 0.5);
	const startedAt = clock.now();
	const context = {
		getInputData: () => [],

		getExecutionId: () => '1',
		getMode: () => 'trigger',
		getNode: () => ({ type: 'n8n-nodes-seedance.seedance', onError: 'stopWorkflow' }),
		evaluateExpression: () => 0,
		getExecutionCancelSignal: () => undefined,
		helpers: {
			httpRequestWithAuthentication: async (_type: string, options: IHttpRequestOptions) => {
				const reply = api(clock.now() - startedAt, options);
				await clock.elapse(answersAfterMs);
				return { headers: {}, body: '', ...reply };
			},
		},
	} as unknown as IExecuteFunctions;
	const run = runOf(context, clock);
	const accountOf = (name: string): Credential => ({
		apiKey: `sk-${name}`,
		baseUrl: 'https://seedanceapi.org/v1',
		reach: 'internet',
		decrypted: {},
	});
	return { clock, run, accountOf, startedAt };
}

/** An API that allows so many reads in any second; a task is ready after its time. */
function rateLimited(perSecond: number, readyAfterMs: number, retryAfter?: string) {
	let allowed: number[] = [];
	const seen = { reads: 0, limited: 0 };
	const api = (ms: number, { qs }: IHttpRequestOptions): Reply => {
		seen.reads++;
		allowed = allowed.filter((at) => at > ms - SECOND);
		if (allowed.length >= perSecond) {
			seen.limited++;
			const headers = retryAfter === undefined ? undefined : { 'retry-after': retryAfter };
			return { statusCode: 429, headers, body: '{"code":429}' };
		}
		allowed.push(ms);
		const isReady = ms >= readyAfterMs;
		const data = {
			task_id: qs?.task_id,
			status: isReady ? 'SUCCESS' : 'IN_PROGRESS',
			response: isReady ? ['https://cdn.example.com/v.mp4'] : [],
		};
		return { statusCode: 200, body: JSON.stringify({ code: 200, data }) };
	};
	return { api, seen };
}

/** Watches so many tasks of one account as Wait for Video does. */
async function watchMany(count: number, limit: ReturnType<typeof rateLimited>) {
	const { clock, run, accountOf, startedAt } = runAgainst(limit.api);
	const credential = accountOf('one');
	const wait = { clock, startedAt, deadline: startedAt + 15 * MINUTE, intervalMs: 5 * SECOND };
	const work = Array.from({ length: count }, async (_, index) => {
		const read = async (deadline: number) =>
			await run.readTask({ credential, taskId: `t${index}` }, deadline);
		return await watchTask({ read, isNew: false }, wait);
	});
	const { result, tookMs } = await clock.run(Promise.all(work));
	return { outcomes: result.map(({ outcome }) => outcome), tookMs, ...limit.seen };
}

describe('many tasks of an account that may read only so often', () => {
	const READY_MS = 90 * SECOND;

	it.each([
		[30, 2, undefined],
		[30, 2, '1'],
		[100, 1, undefined],
		[100, 1, '1'],
		[100, 1, '2'],
		[30, 2, '0'],
	])(
		'are all delivered: %i tasks at %i a second, Retry-After %s',
		async (count, rate, asks) => {
			const found = await watchMany(count, rateLimited(rate, READY_MS, asks));
			expect(found.outcomes).toEqual(Array(count).fill('finished'));
			// Each has to be read once more after it is ready, which cannot go faster than the limit.
			const atBest = READY_MS + (count / rate) * SECOND;
			expect(found.tookMs).toBeLessThan(atBest * 2);
			// The first reads of all go out together; what comes after them is almost never too much.
			expect(found.limited).toBeLessThan(count + 0.1 * (found.reads - count));
		},
		60_000,
	);

	it('bring no 429 at all where the API allows what they need', async () => {
		const found = await watchMany(30, rateLimited(40, READY_MS));
		expect(found).toMatchObject({ limited: 0, outcomes: Array(30).fill('finished') });
		expect(found.tookMs).toBeLessThan(READY_MS + 10 * SECOND);
	});

	it('do not slow down those of another account', async () => {
		const slow = rateLimited(1, READY_MS);
		const { clock, run, accountOf, startedAt } = runAgainst(slow.api);
		await slowDown(clock, run.brakeFor(accountOf('slow')), 5);
		const before = clock.now() - startedAt;
		await clock.run(run.brakeFor(accountOf('other')).turn(clock.now() + HOUR));
		expect(clock.now() - startedAt).toBe(before);
	});
});

describe('a read in turn', () => {
	it('waits a 429 out and asks again, and gives the task', async () => {
		const { clock, run, accountOf, startedAt } = runAgainst((ms) =>
			ms < 8_000
				? { statusCode: 429, body: '{"code":429}' }
				: { statusCode: 200, body: '{"code":200,"data":{"status":"IN_PROGRESS"}}' },
		);
		const { result } = await clock.run(
			run.readTask({ credential: accountOf('a'), taskId: 't' }, startedAt + MINUTE),
		);
		expect(result.outcome).toBe('task');
	});

	it('gives the 429, by its deadline, where there was nothing else', async () => {
		const { clock, run, accountOf, startedAt } = runAgainst(() => ({ statusCode: 429 }));
		const { result, tookMs } = await clock.run(
			run.readTask({ credential: accountOf('a'), taskId: 't' }, startedAt + 20 * SECOND),
		);
		expect(result).toMatchObject({ outcome: 'unavailable', failure: { cause: 'rate_limited' } });
		expect(tookMs).toBeLessThanOrEqual(20 * SECOND);
	});

	/** The milliseconds between two turns after a 429 and so many reads with this answer. */
	async function paceAfter(reads: number, answer: () => Reply) {
		const { clock, run, accountOf } = runAgainst(answer);
		const credential = accountOf('a');
		const brake = run.brakeFor(credential);
		await slowDown(clock, brake, 1);
		for (let read = 0; read < reads; read++) {
			await clock.run(run.readTask({ credential, taskId: 't' }, clock.now() + HOUR));
		}
		await clock.run(brake.turn(clock.now() + HOUR));
		const { tookMs } = await clock.run(brake.turn(clock.now() + HOUR));
		return { pace: Math.round(tookMs), limitedInARow: brake.limitedInARow };
	}

	it.each([
		['a task', { statusCode: 200, body: '{"code":200,"data":{"status":"IN_PROGRESS"}}' }],
		['no such task', { statusCode: 404, body: '{"code":404}' }],
		['a server error', { statusCode: 500 }],
	])('brings the account back to full speed with each answer: %s', async (_name, reply) => {
		expect(await paceAfter(10, () => reply)).toMatchObject({ limitedInARow: 0 });
		expect((await paceAfter(10, () => reply)).pace).toBeLessThan(250);
		expect((await paceAfter(90, () => reply)).pace).toBe(0);
	});

	it('without an answer says nothing about the pace', async () => {
		const down = (): never => {
			throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
		};
		expect(await paceAfter(10, down)).toEqual({ pace: 250, limitedInARow: 1 });
	});

	it('of one that hangs does not hold back those behind it', async () => {
		const clocked = runAgainst(() => ({
			statusCode: 200,
			body: '{"code":200,"data":{"status":"IN_PROGRESS"}}',
		}));
		const { clock, run, accountOf, startedAt } = clocked;
		const hang = async () => await clock.elapse(30 * SECOND);
		const { helpers } = run.context;
		const answer = helpers.httpRequestWithAuthentication;
		let reads = 0;
		helpers.httpRequestWithAuthentication = async function (type, options, more) {
			if (reads++ < 10) await hang();
			return await answer.call(this, type, options, more);
		};
		const ends: number[] = [];
		const all = Array.from({ length: 20 }, async (_, index) => {
			await run.readTask({ credential: accountOf('a'), taskId: `t${index}` }, startedAt + MINUTE);
			ends[index] = clock.now() - startedAt;
		});
		await clock.run(Promise.all(all));
		expect(Math.max(...ends.slice(10))).toBeLessThan(6 * SECOND);
	});

	it('is not sent any more where its deadline passed while others were read', async () => {
		let sent = 0;
		const { clock, run, accountOf, startedAt } = runAgainst(() => {
			sent++;
			return { statusCode: 200, body: '' };
		}, 4 * SECOND);
		const all = Array.from({ length: 15 }, async (_, index) =>
			run.readTask({ credential: accountOf('a'), taskId: `t${index}` }, startedAt + 2 * SECOND),
		);
		const { result } = await clock.run(Promise.all(all));
		expect(sent).toBe(10);
		// Not a failed read of a task that nobody has asked for.
		expect(result.slice(10)).toEqual(
			Array(5).fill({ outcome: 'unavailable', failure: { cause: 'rate_limited', text: '' } }),
		);
	});
});
