/** The waiting rules, on a virtual clock. */
import * as fc from 'fast-check';

import { RETRY_AFTER_MAX_MS } from '../../nodes/shared/api/brake';
import type { Read } from '../../nodes/shared/api/client';
import * as polling from '../../nodes/shared/api/polling';
import { nextInterval, watchTask, type Ending } from '../../nodes/shared/api/polling';
import type { CallFailure } from '../../nodes/shared/task/errors';
import { NO_VIDEO_GRACE_MS, readTask } from '../../nodes/shared/task/task';
import promised from '../fixtures/promisedNumbers.json';
import { VirtualClock } from './virtualClock.cjs';

type Cause = CallFailure['cause'];

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const VIDEO = 'https://cdn.example.com/v.mp4';
/** When a wait of the usual 15 minutes reads for the last time. */
const LAST_READ_AT = 15 * MINUTE - 2 * SECOND;

function state(status: string, more: object = {}): Read {
	const task = readTask('t', { task_id: 't', status, ...more }, '');
	if (!task) throw new Error('not a task');
	return { outcome: 'task', task };
}
const trouble = (more: Partial<CallFailure> = {}): Read => ({
	outcome: 'unavailable',
	failure: { cause: 'server_error', text: '', ...more },
});
const final = (cause: Cause): Read => ({
	outcome: 'refused',
	failure: { cause, text: '', isApi: true },
});

const RUNNING = state('IN_PROGRESS');
const QUEUED = state('QUEUED');
const READY = state('SUCCESS', { response: [VIDEO] });
const EMPTY = state('SUCCESS', { response: [] });
const FAILED = state('FAILED', { error_message: 'no' });
const TROUBLE = trouble();
const LIMITED = trouble({ cause: 'rate_limited', httpStatus: 429 });
const NOT_FOUND = final('task_not_found');

/** What a task tells: these readings in turn, the last one for ever, or one by the milliseconds since the wait began. */
type Script = Read[] | ((ms: number) => Read);

/** One reading for so many milliseconds, then another. */
const until =
	(changeMs: number, first: Read, then = READY) =>
	(ms: number) =>
		ms < changeMs ? first : then;
const times = (count: number, reading: Read) => Array<Read>(count).fill(reading);

interface Limits {
	timeoutMs?: number;
	intervalMs?: number;
	isNew?: boolean;
	/** Milliseconds since this execution made the task; undefined for any other task. */
	madeMsAgo?: number;
	clock?: VirtualClock;
	/** Milliseconds that the reads take, if they may, in turn. */
	takes?: number[];
}

/** Starts to watch a task; notes when it is read, in milliseconds, and until when each read might take. */
function watching(script: Script, limits: Limits = {}) {
	const { timeoutMs = 15 * MINUTE, intervalMs = 5 * SECOND, isNew = false, takes = [0] } = limits;
	const { clock = new VirtualClock(), madeMsAgo } = limits;
	const startedAt = clock.now();
	const readAt: number[] = [];
	const until: number[] = [];
	const endedAt: number[] = [];
	const readings: Read[] = [];
	const read = async (deadline: number) => {
		const now = clock.now() - startedAt;
		const count = readAt.push(now);
		until.push(deadline - startedAt);
		const ms = takes[Math.min(count, takes.length) - 1];
		if (ms) await clock.elapse(Math.min(ms, deadline - clock.now()));
		const reading = Array.isArray(script)
			? script[Math.min(count, script.length) - 1]
			: script(now);
		endedAt.push(clock.now() - startedAt);
		readings.push(reading);
		return reading;
	};
	const createdAt = madeMsAgo === undefined ? undefined : startedAt - madeMsAgo;
	const wait = { clock, startedAt, deadline: startedAt + timeoutMs, intervalMs };
	const work = watchTask({ read, isNew, createdAt }, wait);
	return { clock, readAt, endedAt, until, readings, work };
}

async function watch(script: Script, limits?: Limits) {
	const { clock, work, ...noted } = watching(script, limits);
	const { result, tookMs } = await clock.run(work);
	return { ending: result, tookMs, ...noted };
}

const gaps = (at: number[]) => at.slice(1).map((time, index) => Math.round(time - at[index]));

const NEW = { isNew: true };
const OWN = { madeMsAgo: 0 };
const ONE_MINUTE = { timeoutMs: MINUTE };
/** A read every 20 seconds, without growth: 11 reads in 202 seconds. */
const steady = (timeoutMs: number) => ({ timeoutMs, intervalMs: 20_000 });

const DELIVERED = { outcome: 'finished', task: { videoUrl: VIDEO } };
const WITHOUT_VIDEO = { outcome: 'finished', task: { state: 'succeeded', videoUrl: null } };
const FAILURE = { outcome: 'finished', task: { state: 'failed', errorMessage: 'no' } };
const timeout = (statusWord: string | null) => ({ outcome: 'timeout', statusWord });
const TIMEOUT = timeout('IN_PROGRESS');
const lost = (cause: Cause, more = {}) => ({ outcome: 'unavailable', failure: { cause, ...more } });
const refused = (cause: Cause) => ({ outcome: 'refused', failure: { cause } });
const UNKNOWN = refused('task_not_found');

/** How a wait ends, and after how many milliseconds: exactly, or at least and at most. */
type Case = [string, Script, Limits, object, number | [least: number, most: number]];

async function endsAs(...[, script, limits, expected, ms]: Case) {
	const { ending, tookMs } = await watch(script, limits);
	expect(ending).toMatchObject(expected);
	const [least, most] = Array.isArray(ms) ? ms : [ms, ms];
	expect(tookMs).toBeGreaterThanOrEqual(least);
	expect(tookMs).toBeLessThanOrEqual(most);
}

it('keeps the numbers that were promised', () => {
	const numbers = { ...polling, RETRY_AFTER_MAX_MS, NO_VIDEO_GRACE_MS };
	expect(numbers).toMatchObject(promised.polling);
});

describe('the interval between two reads', () => {
	it.each([
		// It grows by a quarter from 5 to 8.5 seconds while most videos are being made.
		[121_000, [0, 1, 2, 3, 50], [5_000, 6_250, 7_813, 8_500, 8_500]],
		// Later it is 7 % of the time waited, up to 15 seconds.
		[150_000, [50], [10_500]],
		[200_000, [50], [14_000]],
		[215_000, [50], [15_000]],
		[1e9, [50], [15_000]],
		// A task that cannot be read gets 15 seconds at once.
		[Infinity, [0, 1, 2, 3, 4, 5, 50], [5_000, 6_250, 7_813, 9_766, 12_207, 15_000, 15_000]],
	])('after %p ms and %j reads is %j ms', (waitedMs, reads, intervals) => {
		const found = reads.map((count) => Math.round(nextInterval(count, waitedMs, 5_000, 0.5)));
		expect(found).toEqual(intervals);
	});

	it.each([
		[2, 0, 7_812.5],
		[20, 1e9, 15_000],
	])('varies by a tenth either way, after %i reads', (reads, waitedMs, middle) => {
		expect(nextInterval(reads, waitedMs, 5_000, 0)).toBeCloseTo(middle * 0.9);
		expect(nextInterval(reads, waitedMs, 5_000, 1)).toBeCloseTo(middle * 1.1);
	});

	it("never undercuts the user's own, also when that is longer than 15 seconds", () => {
		const random = fc.double({ min: 0, max: 1, noNaN: true });
		const own = fc.integer({ min: 1, max: 600_000 });
		fc.assert(
			fc.property(fc.nat(200), fc.nat(1e6), own, random, (reads, waitedMs, intervalMs, share) => {
				const interval = nextInterval(reads, waitedMs, intervalMs, share);
				expect(interval).toBeGreaterThanOrEqual(intervalMs);
				expect(interval).toBeLessThanOrEqual(Math.max(intervalMs, 15_000) * 1.1 + 1e-6);
			}),
		);
	});

	it('is what a watched task really gets, and ever longer while it cannot be read', async () => {
		const { readAt } = await watch([...times(40, RUNNING), READY]);
		expect(gaps(readAt).slice(0, 6)).toEqual([5_000, 6_250, 7_813, 8_500, 8_500, 8_500]);
		expect(gaps(readAt).at(-1)).toBe(15_000);
		const outage = gaps((await watch([TROUBLE])).readAt);
		expect(outage.slice(0, 6)).toEqual([5_000, 6_250, 7_813, 9_766, 12_207, 15_000]);
		expect(new Set(outage.slice(5, -1))).toEqual(new Set([15_000]));
	});

	it('of a new task goes on growing from its first pause: 12 reads when it takes 90 seconds', async () => {
		const { readAt } = await watch(until(90_000, RUNNING), NEW);
		expect(readAt.slice(0, 4).map(Math.round)).toEqual([5_000, 11_250, 19_063, 27_563]);
		expect(readAt.length).toBeLessThanOrEqual(12);
	});

	it('is jittered by the clock it is given', async () => {
		const clock = new VirtualClock(() => 1);
		const { readAt } = await watch([RUNNING, RUNNING, READY], { clock });
		expect(gaps(readAt)).toEqual([5_500, 6_875]);
	});
});

describe('one task', () => {
	it.each<Case>([
		['is delivered at the first read when it is ready', [READY], {}, DELIVERED, 0],
		['is first read after one interval when it is new', [READY], NEW, DELIVERED, 5_000],
		['is read in a shorter Timeout', [RUNNING], { ...NEW, timeoutMs: 4_000 }, TIMEOUT, 2_000],
		['that failed is an end, not an error', [RUNNING, FAILED], {}, FAILURE, 5_000],
		['is read a last time before the time is up', [RUNNING], ONE_MINUTE, TIMEOUT, 58_000],
		['that is ready by then is delivered', until(57_999, RUNNING), ONE_MINUTE, DELIVERED, 58_000],
		['with an unknown word goes on', [state('Odd')], ONE_MINUTE, timeout('Odd'), 58_000],
		['with an unknown word can become ready', [state('Odd'), READY], {}, DELIVERED, 5_000],
	])('%s', endsAs);

	it.each([0, 1, 1_999, 2_000])('is read once where there is hardly any time: %i', async (ms) => {
		const { ending, readAt, until } = await watch([RUNNING], { timeoutMs: ms, isNew: true });
		expect(ending).toEqual(timeout('IN_PROGRESS'));
		expect([readAt, until]).toEqual([[0], [2_000]]);
		expect((await watch([READY], { timeoutMs: ms })).ending).toMatchObject(DELIVERED);
	});
});

describe('each read', () => {
	it('gets the time that is left, and no more', async () => {
		const { until } = await watch([RUNNING], { timeoutMs: MINUTE });
		expect(until.length).toBeGreaterThan(5);
		expect(new Set(until)).toEqual(new Set([MINUTE]));
	});

	it('that never answers but at its end lets the wait end by the deadline', async () => {
		const silence = trouble({ cause: 'no_answer' });
		const limits = { timeoutMs: 100_000, takes: [30_000] };
		const { ending, tookMs } = await watch([silence], limits);
		expect(ending.outcome).toBe('unavailable');
		expect(tookMs).toBeLessThanOrEqual(100_000);
	});

	it('that is slow does not make another one after the deadline', async () => {
		const limits = { timeoutMs: 30_000, takes: [29_500] };
		const { ending, readAt, tookMs } = await watch([RUNNING], limits);
		expect(ending.outcome).toBe('timeout');
		expect(readAt).toEqual([0]);
		expect(tookMs).toBe(29_500);
	});
});

describe('an outage', () => {
	const four = times(4, TROUBLE);
	const good = (count: number) => [...times(count, QUEUED), TROUBLE];
	const twice = [QUEUED, ...four, QUEUED, ...four];
	const passing = (ms: number) => (ms > 40_000 && ms < 700_000 ? TROUBLE : QUEUED);
	const slowed = [...times(3, RUNNING), ...four.flatMap((failed) => [failed, LIMITED])];

	it.each<Case>([
		[
			'of ten minutes does not end the wait',
			until(600_000, TROUBLE),
			{},
			DELIVERED,
			[6e5, 616_500],
		],
		['of the last 4 of 11 reads is a timeout', good(7), steady(202_000), timeout('QUEUED'), 2e5],
		['of the last 5 is lost contact', good(6), steady(202_000), lost('server_error'), 2e5],
		['that is over leaves the last word', passing, {}, timeout('QUEUED'), LAST_READ_AT],
		['is counted anew after a good read', twice, steady(182_000), timeout('QUEUED'), 180_000],
		['of all reads is lost contact', [TROUBLE], { timeoutMs: 8_000 }, lost('server_error'), 6_000],
		// Being asked to slow down is no failure, however often, and not the fifth of five.
		['of 429 alone is a timeout', [RUNNING, LIMITED], {}, TIMEOUT, LAST_READ_AT],
		['of four failures and 429 is a timeout', slowed, steady(202_000), TIMEOUT, 2e5],
	])('%s', endsAs);

	it.each<Cause>(['unreachable', 'no_answer', 'server_error', 'unreadable', 'firewall'])(
		'of the kind "%s" lasts to the end of the time before contact is lost',
		async (cause) => {
			const outage = [RUNNING, trouble({ cause, httpStatus: 502 })];
			const { ending, tookMs } = await watch(outage);
			expect(ending).toMatchObject(lost(cause, { httpStatus: 502 }));
			expect(tookMs).toBe(LAST_READ_AT);
		},
	);

	it.each([
		// Also with an error that is no 429.
		[{ httpStatus: 503, retryAfterMs: 40_000 }, 15 * MINUTE, 40_000],
		[{ retryAfterMs: 1_000 }, 15 * MINUTE, 5_000],
		[{ retryAfterMs: 3_600_000 }, 15 * MINUTE, 60_000],
		[{ retryAfterMs: 50_000 }, 20_000, 18_000],
	])('in which the API asks for a pause gets it: %j of %i ms', async (asked, timeoutMs, ms) => {
		expect((await watch([trouble(asked), READY], { timeoutMs })).readAt).toEqual([0, ms]);
	});
});

describe('"no such task"', () => {
	const again = [RUNNING, NOT_FOUND, RUNNING, NOT_FOUND, NOT_FOUND, READY];

	it.each<Case>([
		[
			'is not believed of a task made just now',
			until(55_000, NOT_FOUND),
			OWN,
			DELIVERED,
			[55_000, 75_000],
		],
		['is believed a minute after that', [NOT_FOUND], OWN, UNKNOWN, [60_000, 76_500]],
		[
			'counts it from when the task was made',
			[NOT_FOUND],
			{ madeMsAgo: 50_000 },
			UNKNOWN,
			[1e4, 2e4],
		],
		['is believed at once of any other ID', [NOT_FOUND, READY], {}, UNKNOWN, 0],
		['is not believed just after a good read', again, {}, DELIVERED, [25_000, 60_000]],
		['is believed a minute after a good read', [RUNNING, NOT_FOUND], {}, UNKNOWN, [60_000, 76_500]],
		[
			'that is too early is lost contact',
			[NOT_FOUND],
			{ ...OWN, timeoutMs: 40_000 },
			lost('task_not_found'),
			38_000,
		],
	])('%s', endsAs);
});

describe('a refusal', () => {
	it.each<Cause>(['invalid_api_key', 'out_of_credits', 'forbidden'])(
		'of the account ends the wait at once, also of a task that was read before: %s',
		async (cause) => {
			const { ending, readAt } = await watch([RUNNING, final(cause), READY], { madeMsAgo: 0 });
			expect(ending).toMatchObject(refused(cause));
			expect(readAt).toHaveLength(2);
		},
	);

	it.each<Cause>(['redirected', 'refused', 'invalid_request'])(
		'of something in between passes only where the API has answered well before: %s',
		async (cause) => {
			const twenty = times(20, final(cause));
			expect((await watch([RUNNING, ...twenty, READY])).ending).toMatchObject(DELIVERED);
			// Its POST was answered well.
			const own = await watch([...twenty, READY], { madeMsAgo: 0 });
			expect(own.ending).toMatchObject(DELIVERED);
			const { ending, readAt } = await watch([TROUBLE, final(cause), READY]);
			expect(ending).toMatchObject(refused(cause));
			expect(readAt).toHaveLength(2);
			// That does not pass is not "still being made".
			expect((await watch([RUNNING, final(cause)])).ending).toMatchObject(lost(cause));
		},
	);
});

describe('a success without a video', () => {
	const failedAfter = [RUNNING, EMPTY, TROUBLE];
	const runningAgain = (ms: number) =>
		ms < 5_000 || (ms > 50_000 && ms < 70_000) ? EMPTY : RUNNING;
	const again = (ms: number) =>
		ms < 4_000 || (ms >= 60_000 && ms < 80_000) ? EMPTY : until(80_000, RUNNING)(ms);

	it.each<Case>([
		['is read again until its video comes', until(29_000, EMPTY), {}, DELIVERED, 30_000],
		['is one without a video after 30 seconds', [EMPTY], {}, WITHOUT_VIDEO, 30_000],
		[
			'gets them from its first read',
			until(300_000, RUNNING, EMPTY),
			{},
			WITHOUT_VIDEO,
			[330_000, 360_000],
		],
		['gets them anew after it was running', again, {}, DELIVERED, [80_000, 95_000]],
		['that is running again is a timeout', runningAgain, {}, TIMEOUT, LAST_READ_AT],
		[
			"never undercuts the user's interval",
			until(10_000, EMPTY),
			{ intervalMs: 25_000 },
			DELIVERED,
			25_000,
		],
		['is told when the time is up', [EMPTY], { timeoutMs: 10_000 }, WITHOUT_VIDEO, 8_000],
		[
			'is told when the reads after it failed',
			failedAfter,
			{ timeoutMs: 18_000 },
			WITHOUT_VIDEO,
			16_000,
		],
	])('%s', endsAs);
});

describe('many tasks', () => {
	async function watchAll(scripts: Script[], limits: Limits = {}, stopAfterMs?: number) {
		const clock = new VirtualClock();
		const work = scripts.map(async (script) => await watching(script, { ...limits, clock }).work);
		const stopping =
			stopAfterMs !== undefined && clock.elapse(stopAfterMs).then(() => clock.stop());
		const { result, tookMs } = await clock.run(Promise.all([Promise.all(work), stopping]));
		expect(clock.asleep).toBe(0);
		return { outcomes: result[0].map(({ outcome }) => outcome), tookMs };
	}

	it('take as long as the slowest, not the sum: 30 at once', async () => {
		const scripts = Array.from({ length: 30 }, (_, index) => until((index + 1) * 4_000, RUNNING));
		const { outcomes, tookMs } = await watchAll(scripts);
		expect(outcomes).toEqual(Array(30).fill('finished'));
		expect(tookMs).toBeGreaterThanOrEqual(120_000);
		expect(tookMs).toBeLessThanOrEqual(135_000);
	});

	it('each end for themselves', async () => {
		const scripts = [[RUNNING], [TROUBLE], [final('invalid_api_key')], [RUNNING, FAILED]];
		const { outcomes } = await watchAll([...scripts, until(50_000, RUNNING)], {
			timeoutMs: 2 * MINUTE,
		});
		expect(outcomes).toEqual(['timeout', 'unavailable', 'refused', 'finished', 'finished']);
	});

	it('are ended by Stop at once', async () => {
		const { outcomes, tookMs } = await watchAll([[RUNNING], [TROUBLE], [READY]], {}, 6_000);
		expect(outcomes).toEqual(['stopped', 'stopped', 'finished']);
		expect(tookMs).toBe(6_000);
	});

	it('are not read at all where Stop comes before the first read of a new one', async () => {
		const clock = new VirtualClock();
		clock.stop();
		const { ending, readAt } = await watch([READY], { clock, isNew: true });
		expect(ending).toEqual({ outcome: 'stopped' });
		expect(readAt).toEqual([]);
	});
});

describe('a wait for anything', () => {
	/** What an API may do to one read: an answer, and the milliseconds that it takes. */
	const anyRead = fc.constantFrom(
		...[RUNNING, READY, EMPTY, FAILED, final('invalid_api_key'), LIMITED, TROUBLE, NOT_FOUND],
		trouble({ retryAfterMs: 90_000 }),
		final('redirected'),
	);
	const scenario = fc.record({
		script: fc.array(fc.tuple(anyRead, fc.nat(40_000)), { minLength: 1, maxLength: 8 }),
		timeoutMs: fc.integer({ min: 0, max: 20 * MINUTE }),
		intervalMs: fc.integer({ min: 1_000, max: 100_000 }),
		jitter: fc.double({ min: 0, max: 1, noNaN: true }),
		isNew: fc.boolean(),
		isOwn: fc.boolean(),
	});

	it('always ends, by the deadline and the last read at the latest, with what was read', async () => {
		await fc.assert(
			fc.asyncProperty(scenario, async (found) => {
				const { script, timeoutMs, intervalMs, jitter, isNew, isOwn } = found;
				const clock = new VirtualClock(() => jitter);
				const takes = script.map(([, ms]) => Math.min(ms, 30_000));
				const limits = { timeoutMs, intervalMs, isNew, clock, takes };
				const own = isOwn ? { ...limits, madeMsAgo: 0 } : limits;
				const watched = await watch(
					script.map(([reading]) => reading),
					own,
				);
				const { ending, tookMs, readings, readAt, endedAt } = watched;

				expect(tookMs).toBeLessThanOrEqual(timeoutMs + 2_000);
				const possible: Ending['outcome'][] = ['finished', 'timeout', 'unavailable', 'refused'];
				expect(possible).toContain(ending.outcome);
				// Not before the task's own end: the last read is what it ends with, or the time is up.
				const last = readings[readings.length - 1];
				const isUp = tookMs >= timeoutMs - 2_000 - 0.001;
				if (ending.outcome === 'refused') expect(last.outcome).toBe('refused');
				if (ending.outcome === 'timeout' || ending.outcome === 'unavailable')
					expect(isUp).toBe(true);
				if (ending.outcome === 'finished')
					expect(readings.map(({ outcome }) => outcome)).toContain('task');
				// A video is never anything but delivered, and a failure never anything but told.
				const hasEnded = last === READY || last === FAILED;
				if (hasEnded) expect(ending).toMatchObject({ outcome: 'finished', task: { taskId: 't' } });
				for (const earlier of readings.slice(0, -1)) expect([READY, FAILED]).not.toContain(earlier);
				// The user's interval lies between two reads, but for the last one, for which the time is up.
				const pauses = readAt.slice(1).map((start, index) => start - endedAt[index]);
				for (const pause of pauses.slice(0, -1)) {
					expect(pause).toBeGreaterThanOrEqual(intervalMs - 0.001);
				}
			}),
			{ numRuns: 150 },
		);
	}, 60_000);
});
