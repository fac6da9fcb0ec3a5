/** The waiting rules, on a virtual clock. */
import { RETRY_AFTER_MAX_MS } from '../../nodes/shared/api/throttle';
import type { ReadResult } from '../../nodes/shared/api/client';
import * as pollInterval from '../../nodes/shared/api/pollInterval';
import {
	readyWindow,
	nextInterval,
	DEFAULT_GENERATION_TIME,
	type GenerationTime,
} from '../../nodes/shared/api/pollInterval';
import * as polling from '../../nodes/shared/api/polling';
import { watchTask } from '../../nodes/shared/api/polling';
import type { CallFailure } from '../../nodes/shared/task/errors';
import { NO_VIDEO_GRACE_MS, readTask } from '../../nodes/shared/task/task';
import waits from '../fixtures/polling.json';
import promised from '../fixtures/promisedNumbers.json';
import * as fc from '../support/fastCheck.cjs';
import { VirtualClock } from './virtualClock.cjs';

type Cause = CallFailure['cause'];

const MINUTE = 60_000;
const VIDEO = 'https://cdn.example.com/v.mp4';

function state(status: string, more: object = {}): ReadResult {
	const task = readTask('t', { task_id: 't', status, ...more }, '');
	if (!task) throw new Error('not a task');
	return { outcome: 'task', task };
}
const trouble = (more: Partial<CallFailure> = {}): ReadResult => ({
	outcome: 'unavailable',
	failure: { cause: 'server_error', text: '', ...more },
});
const final = (cause: Cause): ReadResult => ({
	outcome: 'refused',
	failure: { cause, text: '', isApi: true },
});

const READINGS: Record<string, ReadResult> = {
	RUNNING: state('IN_PROGRESS'),
	QUEUED: state('QUEUED'),
	ODD: state('Odd'),
	READY: state('SUCCESS', { response: [VIDEO] }),
	EMPTY: state('SUCCESS', { response: [] }),
	FAILED: state('FAILED', { error_message: 'no' }),
	TROUBLE: trouble(),
	LIMITED: trouble({ cause: 'rate_limited', httpStatus: 429 }),
	NOT_FOUND: final('task_not_found'),
};
const { RUNNING, READY, FAILED, TROUBLE } = READINGS;

/** The readings of a task: these in order, the last one for ever, or one by the milliseconds since the wait began. */
type Script = ReadResult[] | ((ms: number) => ReadResult);

/** Running for so many milliseconds, then ready. */
const readyAfter = (changeMs: number) => (ms: number) => (ms < changeMs ? RUNNING : READY);

interface Limits {
	timeoutMs?: number;
	intervalMs?: number;
	leastMs?: number;
	generationTime?: GenerationTime;
	isNew?: boolean;
	/** Milliseconds since this execution made the task; undefined for any other task. */
	madeMsAgo?: number;
	clock?: VirtualClock;
	/** Milliseconds that the reads take, if they may, in order. */
	takes?: number[];
}

/** Starts to watch a task; notes when it is read, in milliseconds, and until when each read might take. */
function watching(script: Script, limits: Limits = {}) {
	const { timeoutMs = 15 * MINUTE, intervalMs = 5_000, isNew = false, takes = [0] } = limits;
	const { clock = new VirtualClock(), madeMsAgo, leastMs, generationTime } = limits;
	const startedAt = clock.now();
	const readAt: number[] = [];
	const until: number[] = [];
	const endedAt: number[] = [];
	const readings: ReadResult[] = [];
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
	const wait = { clock, startedAt, deadline: startedAt + timeoutMs, intervalMs, leastMs };
	const work = watchTask({ read, isNew, createdAt, generationTime }, wait);
	return { clock, readAt, endedAt, until, readings, work };
}

async function watch(script: Script, limits?: Limits) {
	const { clock, work, ...noted } = watching(script, limits);
	const { result, tookMs } = await clock.run(work);
	return { ending: result, tookMs, ...noted };
}

/** Numbers from 0 up to 1 that look random, the same for each seed (mulberry32). */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

const gaps = (at: number[]) => at.slice(1).map((time, index) => Math.round(time - at[index]));

/** A wait: the readings of the task, in order or until when; how it ends; and after how many milliseconds. */
interface Case extends Limits {
	name: string;
	/** Each by its name, or as it is. */
	reads?: Array<string | object>;
	phases?: Array<{ until?: number; is: string }>;
	ends: object;
	ms?: number;
	between?: number[];
	/** When it is read, and until when each read may take. */
	readAt?: number[];
	readUntil?: number[];
}

describe.each(Object.entries<Case[]>(waits))('how a wait ends: %s', (_, cases) => {
	it.each(cases)('$name', async (row) => {
		const { reads, phases = [], ends, ms = NaN, between = [ms, ms], ...limits } = row;
		const readingOf = (given: string | object) =>
			typeof given === 'string' ? READINGS[given] : (given as ReadResult);
		const phaseAt = (now: number) =>
			readingOf(phases.find(({ until = Infinity }) => now < until)?.is ?? '');
		const { ending, tookMs, readAt, until } = await watch(reads?.map(readingOf) ?? phaseAt, limits);
		expect(ending).toMatchObject(ends);
		expect(tookMs).toBeGreaterThanOrEqual(between[0]);
		expect(tookMs).toBeLessThanOrEqual(between[1]);
		if (row.readAt) expect(readAt).toEqual(row.readAt);
		if (row.readUntil) expect(until).toEqual(row.readUntil);
	});
});

it('keeps the numbers that were promised', () => {
	const numbers = { ...polling, ...pollInterval, RETRY_AFTER_MAX_MS, NO_VIDEO_GRACE_MS };
	expect(numbers).toMatchObject(promised.polling);
});

describe('the interval between two reads', () => {
	const next = (
		reads: number,
		waitedMs: number,
		...[intervalMs, random, of = DEFAULT_GENERATION_TIME]: [number, number, GenerationTime?]
	) => nextInterval({ reads, waitedMs }, of, intervalMs, random);

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
		const found = reads.map((count) => Math.round(next(count, waitedMs, 5_000, 0.5)));
		expect(found).toEqual(intervals);
	});

	it.each([
		['', 2, 0, [7_031.25, 8_593.75]],
		[', but for the longest', 20, 1e9, [13_500, 15_000]],
	])('varies by a tenth either way%s', (_, reads, waitedMs, ends) => {
		const [shortest, longest] = [0, 1].map((random) => next(reads, waitedMs, 5_000, random));
		expect(shortest).toBeCloseTo(ends[0]);
		expect(longest).toBeCloseTo(ends[1]);
	});

	it.each<[number[], number, number[], number[]]>([
		// 1 to 5 minutes, and 2 to 10: milliseconds waited, reads, and the intervals.
		[
			[60_000, 300_000],
			60_000,
			[0, 1, 2, 3, 4, 5, 50],
			[5_000, 6_250, 7_813, 9_766, 12_207, 15_000],
		],
		[[120_000, 600_000], 0, [0, 1, 2, 50], [10_000, 12_500, 15_000, 15_000]],
	])('fits a model that takes %j ms', ([from, to], waitedMs, reads, intervals) => {
		const found = reads.map((count) =>
			Math.round(next(count, waitedMs, 5_000, 0.5, { usualMs: [from, to] })),
		);
		expect(found.slice(0, intervals.length)).toEqual(intervals);
	});

	it("never undercuts the user's own, also when that is longer than 15 seconds", () => {
		const random = fc.double({ min: 0, max: 1, noNaN: true });
		const own = fc.integer({ min: 1, max: 600_000 });
		fc.assert(
			fc.property(fc.nat(200), fc.nat(1e6), own, random, (reads, waitedMs, intervalMs, share) => {
				const interval = next(reads, waitedMs, intervalMs, share);
				expect(interval).toBeGreaterThanOrEqual(intervalMs);
				expect(interval).toBeLessThanOrEqual(Math.max(intervalMs, 15_000));
			}),
		);
	});

	it('is what a watched task really gets, and ever longer while it cannot be read', async () => {
		const { readAt } = await watch([...Array<ReadResult>(40).fill(RUNNING), READY]);
		expect(gaps(readAt).slice(0, 6)).toEqual([5_000, 6_250, 7_813, 8_500, 8_500, 8_500]);
		expect(gaps(readAt).at(-1)).toBe(15_000);
		const outage = gaps((await watch([TROUBLE])).readAt);
		expect(outage.slice(0, 6)).toEqual([5_000, 6_250, 7_813, 9_766, 12_207, 15_000]);
		expect(new Set(outage.slice(5, -1))).toEqual(new Set([15_000]));
	});

	it('of a new task goes on growing from its first pause: 12 reads when it takes 90 seconds', async () => {
		const { readAt } = await watch(readyAfter(90_000), { isNew: true });
		expect(readAt.slice(0, 4).map(Math.round)).toEqual([5_000, 11_250, 19_063, 27_563]);
		expect(readAt.length).toBeLessThanOrEqual(12);
	});

	it('is jittered by the clock it is given', async () => {
		const clock = new VirtualClock(() => 1);
		const { readAt } = await watch([RUNNING, RUNNING, READY], { clock });
		expect(gaps(readAt)).toEqual([5_500, 6_875]);
	});
});

describe('where it is known how long such videos took here', () => {
	/** A new task that is ready after so many milliseconds. */
	const whenReady = async (readyMs: number, limits: Limits) => {
		const { readAt, ending } = await watch(readyAfter(readyMs), {
			...{ isNew: true, madeMsAgo: 0, timeoutMs: 60 * MINUTE, leastMs: 3_000, ...limits },
		});
		expect(ending.outcome).toBe('finished');
		return { reads: readAt.length, afterMs: readAt[readAt.length - 1] - readyMs, readAt };
	};
	const timeOf = (seconds: readonly number[]): GenerationTime => ({
		...DEFAULT_GENERATION_TIME,
		window: readyWindow(seconds),
	});

	it.each([
		['too few', [90, 91], undefined],
		['few that are equal, with a tenth on either side', [90, 90, 90], [81, 99]],
		['the middle 60 %', [60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160], [80, 140]],
		['none that are far off', [...Array<number>(9).fill(80), 100, 600], [72, 88]],
		['what is not in order', [100, 80, 90], [81, 99]],
	])('knows %s', (_, seconds, between) => {
		const window = readyWindow(seconds);
		const found = window && [window.fromMs, window.toMs].map((ms) => ms / 1000);
		expect(found).toEqual(between);
	});

	it('polls every 15 seconds before, closely around it, and ever more seldom after', async () => {
		const generationTime = {
			...DEFAULT_GENERATION_TIME,
			window: { fromMs: 80_000, toMs: 101_000 },
		};
		const { readAt } = await whenReady(230_000, { generationTime });
		expect(readAt.slice(0, 5)).toEqual([5_000, 20_000, 35_000, 50_000, 65_000]);
		expect(readAt.slice(5, 12)).toEqual([80_000, 83_500, 87_000, 90_500, 94_000, 97_500, 101_000]);
		expect(gaps(readAt.slice(11))).toEqual([
			3_500,
			4_375,
			5_469,
			6_836,
			8_545,
			10_681,
			13_351,
			...Array<number>(6).fill(15_000),
		]);
	});

	it.each([
		['Check Every', { intervalMs: 5_000, leastMs: undefined }, 5_000],
		['Check Every, however long', { intervalMs: 40_000, leastMs: 40_000 }, 40_000],
		['3 seconds', { leastMs: 3_000 }, 3_000],
	])('polls no sooner than %s', async (_, limits, least) => {
		const generationTime = { ...DEFAULT_GENERATION_TIME, window: { fromMs: 88_000, toMs: 92_000 } };
		const { readAt } = await whenReady(200_000, { generationTime, ...limits });
		expect(Math.min(...gaps(readAt))).toBe(least);
	});

	it('counts from the first read where it comes to be known only then', async () => {
		const clock = new VirtualClock();
		const begun = clock.now();
		const window = { fromMs: 80_000, toMs: 101_000 };
		const generationTime: GenerationTime = {
			...DEFAULT_GENERATION_TIME,
			get window() {
				return clock.now() === begun ? undefined : window;
			},
		};
		const { readAt } = await whenReady(90_000, { generationTime, clock });
		expect(readAt.slice(0, 4)).toEqual([20_000, 35_000, 50_000, 65_000]);
		const stopped = watching(() => RUNNING, {
			generationTime,
			clock: new VirtualClock(),
			isNew: true,
		});
		stopped.clock.stop();
		expect(await stopped.work).toEqual({ outcome: 'stopped' });
	});

	it('does not use it for a task whose age nobody knows', async () => {
		const generationTime = timeOf([90, 90, 90]);
		const { readAt } = await whenReady(30_000, {
			generationTime,
			madeMsAgo: undefined,
			leastMs: 5_000,
		});
		expect(readAt.map(Math.round)).toEqual([5_000, 11_250, 19_063, 27_563, 36_063]);
	});

	it('goes by the age of a task, not by how long it was waited for', async () => {
		const generationTime = {
			...DEFAULT_GENERATION_TIME,
			window: { fromMs: 80_000, toMs: 101_000 },
		};
		const { readAt } = await whenReady(25_000, { generationTime, isNew: false, madeMsAgo: 70_000 });
		expect(readAt).toEqual([0, 10_000, 13_500, 17_000, 20_500, 24_000, 27_500]);
	});

	it('finds a video within 15 seconds, whenever it is ready and whatever was known', async () => {
		const random = fc.double({ min: 0, max: 1, noNaN: true });
		const times = fc.option(fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 20 }));
		const usual = fc.constantFrom([60_000, 120_000], [60_000, 300_000], [120_000, 600_000]);
		const ready = fc.integer({ min: 5_000, max: 30 * MINUTE });
		await fc.assert(
			fc.asyncProperty(times, usual, ready, random, async (seconds, [from, to], readyMs, share) => {
				const { window } = timeOf(seconds ?? []);
				const generationTime: GenerationTime = { usualMs: [from, to], window };
				const clock = new VirtualClock(() => share);
				const { afterMs } = await whenReady(readyMs, { generationTime, clock });
				expect(afterMs).toBeLessThanOrEqual(15_000 + 1e-6);
			}),
			{ numRuns: 300 },
		);
	}, 60_000);

	it('of 90 s ± 15 % is read 9 times and found after 2 s: half of those videos, of many seeds', async () => {
		const found: Array<{ reads: number; afterMs: number; seconds: number }> = [];
		for (let seed = 1; seed <= 20; seed++) {
			const random = seeded(seed);
			const seconds = () => 90 * (0.85 + 0.3 * random());
			const generationTime = timeOf(Array.from({ length: 20 }, seconds));
			for (let video = 0; video < 50; video++) {
				const took = seconds();
				const clock = new VirtualClock(random);
				found.push({ seconds: took, ...(await whenReady(took * 1000, { generationTime, clock })) });
			}
		}
		const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
		expect(middle(found.map(({ afterMs }) => afterMs))).toBeLessThanOrEqual(2_000);
		expect(middle(found.map(({ reads }) => reads))).toBeLessThanOrEqual(9);
		const upTo90 = found.filter(({ seconds }) => seconds >= 80 && seconds <= 90);
		expect(upTo90.filter(({ reads }) => reads > 9).length).toBeLessThan(upTo90.length / 50);
	}, 60_000);
});

it('each read gets the time that is left, and no more', async () => {
	const { until } = await watch([RUNNING], { timeoutMs: MINUTE });
	expect(until.length).toBeGreaterThan(5);
	expect(new Set(until)).toEqual(new Set([MINUTE]));
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
		const scripts = Array.from({ length: 30 }, (_, index) => readyAfter((index + 1) * 4_000));
		const { outcomes, tookMs } = await watchAll(scripts);
		expect(outcomes).toEqual(Array(30).fill('finished'));
		expect(tookMs).toBeGreaterThanOrEqual(120_000);
		expect(tookMs).toBeLessThanOrEqual(135_000);
	});

	it('each end for themselves', async () => {
		const scripts = [[RUNNING], [TROUBLE], [final('invalid_api_key')], [RUNNING, FAILED]];
		const { outcomes } = await watchAll([...scripts, readyAfter(50_000)], {
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
	/** What an API may do to one read: a response, and the milliseconds that it takes. */
	const anyRead = fc.constantFrom(
		...Object.values(READINGS),
		...[final('invalid_api_key'), final('redirected'), trouble({ retryAfterMs: 90_000 })],
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
				const { script, jitter, isOwn, ...limits } = found;
				const { timeoutMs, intervalMs } = limits;
				const reads = script.map(([reading]) => reading);
				const watched = await watch(reads, {
					...limits,
					...(isOwn && { madeMsAgo: 0 }),
					clock: new VirtualClock(() => jitter),
					takes: script.map(([, ms]) => Math.min(ms, 30_000)),
				});
				const { ending, tookMs, readings, readAt, endedAt } = watched;

				expect(tookMs).toBeLessThanOrEqual(timeoutMs + 2_000);
				// Not before the task's own end: the last read is what it ends with, or the time is up.
				const last = readings[readings.length - 1];
				const isUp = tookMs >= timeoutMs - 2_000 - 0.001;
				const outcomes = readings.map(({ outcome }) => outcome);
				const holds: Record<string, boolean> = {
					refused: last.outcome === 'refused',
					timeout: isUp,
					unavailable: isUp,
					finished: outcomes.includes('task'),
				};
				expect({ [ending.outcome]: holds[ending.outcome] }).toEqual({ [ending.outcome]: true });
				// A video is never anything but delivered, and a failure never anything but reported.
				if (last === READY || last === FAILED)
					expect(ending).toMatchObject({ outcome: 'finished', task: { taskId: 't' } });
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
