/** The waiting rules, on a virtual clock. */
import * as fc from 'fast-check';

import {
	PARALLEL_READS,
	READ_MAX_FAILURES,
	RETRY_AFTER_MAX_MS,
	type Read,
} from '../../nodes/shared/api';
import type { CallFailure } from '../../nodes/shared/errors';
import { readTask } from '../../nodes/shared/task';
import {
	EXECUTION_RESERVE_MS,
	nextInterval,
	POLL_GROWTH,
	POLL_INTERVAL_MAX_SECONDS,
	POLL_INTERVAL_SECONDS,
	POLL_INTERVAL_USUAL_SECONDS,
	POLL_JITTER,
	POLL_SHARE,
	TIMEOUT_MINUTES,
	timeoutMs,
	watchTasks,
	type Ending,
	type Watched,
} from '../../nodes/shared/waiting';
import { VirtualClock } from './virtualClock';

const MINUTE = 60_000;
const LIMITS = { timeoutMs: 15 * MINUTE, intervalMs: 5_000 };
const VIDEO = 'https://cdn.example.com/v.mp4';

function state(status: string, more: object = {}): Read {
	const task = readTask('t', { task_id: 't', status, ...more }, '');
	if (!task) throw new Error('not a task');
	return { outcome: 'task', task };
}

const RUNNING = state('IN_PROGRESS');
const READY = state('SUCCESS', { response: [VIDEO] });
const FAILED = state('FAILED', { error_message: 'no' });

function trouble(more: Partial<CallFailure> = {}): Read {
	return { outcome: 'transient', failure: { cause: 'server_error', text: '', ...more } };
}

const REFUSED: Read = { outcome: 'final', failure: { cause: 'invalid_api_key', text: '' } };

/** A task that gives these readings in turn, the last one for ever, and notes when it was read. */
function scripted(clock: VirtualClock, ...readings: Read[]): Watched & { readAt: number[] } {
	const startedAt = clock.now();
	const readAt: number[] = [];
	return {
		isNew: false,
		readAt,
		read: async () => {
			readAt.push(clock.now() - startedAt);
			return await Promise.resolve(readings[Math.min(readAt.length, readings.length) - 1]);
		},
	};
}

/** A task that is ready after some milliseconds. */
function readyAfter(clock: VirtualClock, ms: number): Watched & { readAt: number[] } {
	const readyAt = clock.now() + ms;
	const task = scripted(clock);
	return {
		...task,
		read: async () => {
			await task.read();
			return clock.now() >= readyAt ? READY : RUNNING;
		},
	};
}

async function watch(clock: VirtualClock, tasks: Watched[], limits = LIMITS) {
	const { result, tookMs } = await clock.run(watchTasks(tasks, limits, clock));
	return { endings: result, tookMs };
}

const gaps = (times: number[]) => times.slice(1).map((time, index) => time - times[index]);

describe('the numbers', () => {
	it('are those that were promised', () => {
		expect(POLL_INTERVAL_SECONDS).toBe(5);
		expect(POLL_INTERVAL_MAX_SECONDS).toBe(15);
		expect(POLL_INTERVAL_USUAL_SECONDS).toBe(8.5);
		expect(POLL_SHARE).toBe(0.07);
		expect(POLL_GROWTH).toBe(1.25);
		expect(POLL_JITTER).toBe(0.1);
		expect(TIMEOUT_MINUTES).toBe(15);
		expect(EXECUTION_RESERVE_MS).toBe(10_000);
		expect(READ_MAX_FAILURES).toBe(5);
		expect(PARALLEL_READS).toBe(10);
		expect(RETRY_AFTER_MAX_MS).toBe(60_000);
	});
});

describe('the interval between two looks', () => {
	const MIDDLE = 0.5;

	it('grows by a quarter from 5 to 8.5 seconds while most videos are being made', () => {
		const intervals = [0, 1, 2, 3, 50].map((looks) => nextInterval(looks, 121_000, 5_000, MIDDLE));
		expect(intervals.map(Math.round)).toEqual([5_000, 6_250, 7_813, 8_500, 8_500]);
	});

	it('is 7 % of the time waited later, up to 15 seconds', () => {
		const intervals = [150_000, 200_000, 215_000, 1e9].map((waitedMs) =>
			nextInterval(50, waitedMs, 5_000, MIDDLE),
		);
		expect(intervals.map(Math.round)).toEqual([10_500, 14_000, 15_000, 15_000]);
	});

	it('grows to 15 seconds at once while a task cannot be read', () => {
		const intervals = [0, 1, 2, 3, 4, 5, 50].map((looks) =>
			nextInterval(looks, Infinity, 5_000, MIDDLE),
		);
		expect(intervals.map(Math.round)).toEqual([5_000, 6_250, 7_813, 9_766, 12_207, 15_000, 15_000]);
	});

	it('varies by a tenth either way', () => {
		expect(nextInterval(2, 0, 5_000, 0)).toBeCloseTo(7_812.5 * 0.9);
		expect(nextInterval(2, 0, 5_000, 1)).toBeCloseTo(7_812.5 * 1.1);
		expect(nextInterval(20, 1e9, 5_000, 0)).toBeCloseTo(13_500);
		expect(nextInterval(20, 1e9, 5_000, 1)).toBeCloseTo(16_500);
	});

	it("never undercuts the user's own, also when that is longer than 15 seconds", () => {
		fc.assert(
			fc.property(
				fc.nat(200),
				fc.nat(1_000_000),
				fc.integer({ min: 1, max: 600_000 }),
				fc.double({ min: 0, max: 1, noNaN: true }),
				(looks, waitedMs, intervalMs, random) => {
					const interval = nextInterval(looks, waitedMs, intervalMs, random);
					expect(interval).toBeGreaterThanOrEqual(intervalMs);
					expect(interval).toBeLessThanOrEqual(Math.max(intervalMs, 15_000) * 1.1 + 1e-6);
				},
			),
		);
	});

	it('is what a watched task really gets', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, ...Array<Read>(40).fill(RUNNING), READY);
		await watch(clock, [task]);
		const between = gaps(task.readAt).map(Math.round);
		expect(between.slice(0, 6)).toEqual([5_000, 6_250, 7_813, 8_500, 8_500, 8_500]);
		expect(between.at(-1)).toBe(15_000);
	});

	it('goes on growing from the first pause of a new task, which needs 12 looks when it takes 90 seconds', async () => {
		const clock = new VirtualClock();
		const task = readyAfter(clock, 90_000);
		await watch(clock, [{ ...task, isNew: true }]);
		expect(task.readAt.slice(0, 4).map(Math.round)).toEqual([5_000, 11_250, 19_063, 27_563]);
		expect(task.readAt.length).toBeLessThanOrEqual(12);
	});

	it('is what trouble gets as well: five failed looks in a row span almost a minute', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, ...Array<Read>(10).fill(RUNNING), trouble());
		await watch(clock, [task]);
		expect(gaps(task.readAt).slice(-4).map(Math.round)).toEqual([15_000, 15_000, 15_000, 15_000]);
	});

	it('is jittered by the clock it is given', async () => {
		const clock = new VirtualClock(() => 1);
		const task = scripted(clock, RUNNING, RUNNING, READY);
		await watch(clock, [task]);
		expect(gaps(task.readAt).map(Math.round)).toEqual([5_500, 6_875]);
	});
});

describe('the time a wait may take', () => {
	it("is the user's", () => {
		expect(timeoutMs(15, undefined)).toBe(900_000);
		expect(timeoutMs(0.5, undefined)).toBe(30_000);
	});

	it.each([0, -1])('is not capped by an execution timeout of %i, which means none', (seconds) => {
		expect(timeoutMs(15, seconds)).toBe(900_000);
	});

	it("is capped by the workflow's own limit less 10 seconds", () => {
		expect(timeoutMs(15, 120)).toBe(110_000);
		expect(timeoutMs(1, 120)).toBe(60_000);
		expect(timeoutMs(15, 5)).toBe(0);
	});

	it("counts what has passed of the workflow's limit, not of the user's", () => {
		expect(timeoutMs(15, 120, 30_000)).toBe(80_000);
		expect(timeoutMs(15, 120, 500_000)).toBe(0);
		expect(timeoutMs(15, undefined, 30_000)).toBe(900_000);
	});
});

describe('one task', () => {
	it('that is ready is delivered at the first look', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, READY);
		const { endings, tookMs } = await watch(clock, [task]);
		expect(endings).toEqual([
			{ outcome: 'finished', task: expect.objectContaining({ videoUrl: VIDEO }) },
		]);
		expect(tookMs).toBe(0);
		expect(task.readAt).toEqual([0]);
	});

	it('that was started just now is first looked at after one interval', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, READY);
		await watch(clock, [{ read: task.read, isNew: true }]);
		expect(task.readAt).toEqual([5_000]);
	});

	it('that was started just now is looked at within a shorter timeout', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING);
		const limits = { timeoutMs: 2_000, intervalMs: 5_000 };
		const { endings, tookMs } = await watch(clock, [{ read: task.read, isNew: true }], limits);
		expect(endings[0].outcome).toBe('timeout');
		expect(task.readAt).toEqual([2_000]);
		expect(tookMs).toBe(2_000);
	});

	it('that failed is an ending of its own, not an error', async () => {
		const clock = new VirtualClock();
		const { endings } = await watch(clock, [scripted(clock, RUNNING, FAILED)]);
		expect(endings).toMatchObject([
			{ outcome: 'finished', task: { state: 'failed', errorMessage: 'no' } },
		]);
	});

	it('that succeeded without a video ends, and holds none', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING, state('SUCCESS', { response: [] }));
		const { endings } = await watch(clock, [task]);
		expect(endings).toMatchObject([
			{ outcome: 'finished', task: { state: 'succeeded', videoUrl: null } },
		]);
		expect(task.readAt.length).toBe(2);
	});

	it('is looked at a last time when the time is up, and never after', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING);
		const { endings, tookMs } = await watch(clock, [task], {
			timeoutMs: 60_000,
			intervalMs: 5_000,
		});
		expect(endings).toEqual([{ outcome: 'timeout', statusWord: 'IN_PROGRESS' }]);
		expect(task.readAt[task.readAt.length - 1]).toBe(60_000);
		expect(tookMs).toBe(60_000);
	});

	it('that became ready in the last moment is delivered, not timed out', async () => {
		const clock = new VirtualClock();
		const task = readyAfter(clock, 59_999);
		const { endings } = await watch(clock, [task], { timeoutMs: 60_000, intervalMs: 5_000 });
		expect(endings[0].outcome).toBe('finished');
	});

	it('is looked at once when there is no time at all', async () => {
		const clock = new VirtualClock();
		const ready = scripted(clock, READY);
		const running = scripted(clock, RUNNING);
		const { endings } = await watch(clock, [ready, running], { timeoutMs: 0, intervalMs: 5_000 });
		expect(endings.map(({ outcome }) => outcome)).toEqual(['finished', 'timeout']);
		expect(running.readAt).toEqual([0]);
	});

	it('with a status that nobody knows goes on, and the word is quoted at the timeout', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, state('Daydreaming'));
		const { endings } = await watch(clock, [task], { timeoutMs: MINUTE, intervalMs: 5_000 });
		expect(endings).toEqual([{ outcome: 'timeout', statusWord: 'Daydreaming' }]);
	});

	it('with a status that nobody knows can still become ready', async () => {
		const clock = new VirtualClock();
		const { endings } = await watch(clock, [scripted(clock, state('Daydreaming'), READY)]);
		expect(endings[0].outcome).toBe('finished');
	});

	it('ends at the time limit although an answer is slow', async () => {
		const clock = new VirtualClock();
		const read = async () => {
			await clock.elapse(20_000);
			return RUNNING;
		};
		const limits = { timeoutMs: 30_000, intervalMs: 5_000 };
		const { endings, tookMs } = await watch(clock, [{ read, isNew: false }], limits);
		expect(endings[0].outcome).toBe('timeout');
		expect(tookMs).toBeLessThanOrEqual(50_000);
	});

	it('never sleeps longer than the time left, never shorter than the user wants unless it is up', async () => {
		const scenario = fc.record({
			intervalMs: fc.integer({ min: 1_000, max: 40_000 }),
			limitMs: fc.integer({ min: 1, max: 300_000 }),
			jitter: fc.double({ min: 0, max: 1, noNaN: true }),
		});
		await fc.assert(
			fc.asyncProperty(scenario, async ({ intervalMs, limitMs, jitter }) => {
				const clock = new VirtualClock(() => jitter);
				const task = scripted(clock, RUNNING);
				const { endings, tookMs } = await watch(clock, [task], { timeoutMs: limitMs, intervalMs });
				expect(endings[0].outcome).toBe('timeout');
				expect(tookMs).toBeCloseTo(limitMs, 3);
				const between = gaps(task.readAt);
				expect(between.slice(0, -1).every((gap) => gap >= intervalMs - 0.001)).toBe(true);
			}),
			{ numRuns: 40 },
		);
	});
});

describe('passing trouble', () => {
	it('does not end a wait', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble(), RUNNING, trouble(), trouble(), READY);
		const { endings } = await watch(clock, [task]);
		expect(endings[0].outcome).toBe('finished');
		expect(task.readAt.length).toBe(5);
	});

	it('means lost contact after five failed reads in a row', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ httpStatus: 502 }));
		const { endings } = await watch(clock, [task]);
		expect(endings).toMatchObject([{ outcome: 'lost', failure: { httpStatus: 502 } }]);
		expect(task.readAt.length).toBe(5);
	});

	it('is forgiven after four, and starts from nothing after a read that worked', async () => {
		const clock = new VirtualClock();
		const four = Array<Read>(4).fill(trouble());
		const task = scripted(clock, ...four, RUNNING, ...four, RUNNING, ...four, READY);
		const { endings } = await watch(clock, [task]);
		expect(endings[0].outcome).toBe('finished');
		expect(task.readAt.length).toBe(15);
	});

	it('until the time is up is a timeout, with the last word that was heard', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, state('QUEUED'), trouble());
		const { endings } = await watch(clock, [task], { timeoutMs: 10_000, intervalMs: 5_000 });
		expect(endings).toEqual([{ outcome: 'timeout', statusWord: 'QUEUED' }]);
	});

	it('is not called "still being made" at the timeout of a task that was never read', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ httpStatus: 502 }));
		const { endings } = await watch(clock, [task], { timeoutMs: 6_000, intervalMs: 5_000 });
		expect(endings).toMatchObject([{ outcome: 'lost', failure: { httpStatus: 502 } }]);
	});

	it('waits as long as the API asks', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ cause: 'rate_limited', retryAfterMs: 40_000 }), READY);
		await watch(clock, [task]);
		expect(task.readAt).toEqual([0, 40_000]);
	});

	it('waits at least its own interval when the API asks for less', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ cause: 'rate_limited', retryAfterMs: 1_000 }), READY);
		await watch(clock, [task]);
		expect(task.readAt).toEqual([0, 5_000]);
	});

	it('is asked again after a minute at the latest, whatever the API asks', async () => {
		const clock = new VirtualClock();
		const task = scripted(
			clock,
			trouble({ cause: 'rate_limited', retryAfterMs: 3_600_000 }),
			READY,
		);
		await watch(clock, [task]);
		expect(task.readAt).toEqual([0, 60_000]);
	});

	it('does not wait longer than the time left for an API that asks to', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ cause: 'rate_limited', retryAfterMs: 50_000 }));
		const { tookMs } = await watch(clock, [task], { timeoutMs: 20_000, intervalMs: 5_000 });
		expect(tookMs).toBe(20_000);
	});

	it('is not asked again where asking cannot help', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING, REFUSED);
		const { endings } = await watch(clock, [task]);
		expect(endings).toEqual([
			{ outcome: 'refused', failure: { cause: 'invalid_api_key', text: '' } },
		]);
		expect(task.readAt.length).toBe(2);
	});
});

describe('Stop', () => {
	it('ends a wait at once, for every task', async () => {
		const clock = new VirtualClock();
		const tasks = [scripted(clock, RUNNING), scripted(clock, RUNNING), scripted(clock, READY)];
		const { result, tookMs } = await clock.run(
			Promise.all([watchTasks(tasks, LIMITS, clock), clock.elapse(6_000).then(() => clock.stop())]),
		);
		expect(result[0].map(({ outcome }) => outcome)).toEqual(['stopped', 'stopped', 'finished']);
		expect(tookMs).toBe(6_000);
	});

	it('before the first look reads nothing of a task that was just started', async () => {
		const clock = new VirtualClock();
		clock.stop();
		const task = scripted(clock, READY);
		const { endings } = await watch(clock, [{ read: task.read, isNew: true }]);
		expect(endings).toEqual([{ outcome: 'stopped' }]);
		expect(task.readAt).toEqual([]);
	});
});

describe('many tasks', () => {
	it('take as long as the slowest, not the sum: 30 at once', async () => {
		const clock = new VirtualClock();
		const tasks = Array.from({ length: 30 }, (_, index) => readyAfter(clock, (index + 1) * 4_000));
		const { endings, tookMs } = await watch(clock, tasks);
		expect(endings.map(({ outcome }) => outcome)).toEqual(Array(30).fill('finished'));
		expect(tookMs).toBeGreaterThanOrEqual(120_000);
		expect(tookMs).toBeLessThanOrEqual(120_000 + 15_000);
	});

	it('each end for themselves, in the order they came in', async () => {
		const clock = new VirtualClock();
		const tasks = [
			scripted(clock, RUNNING),
			scripted(clock, trouble()),
			scripted(clock, REFUSED),
			scripted(clock, RUNNING, FAILED),
			readyAfter(clock, 50_000),
		];
		const { endings } = await watch(clock, tasks, { timeoutMs: 2 * MINUTE, intervalMs: 5_000 });
		expect(endings.map(({ outcome }) => outcome)).toEqual([
			'timeout',
			'lost',
			'refused',
			'finished',
			'finished',
		]);
	});

	it('are read ten at a time, and really ten', async () => {
		const clock = new VirtualClock();
		let running = 0;
		let most = 0;
		const read = async () => {
			most = Math.max(most, ++running);
			await clock.elapse(1_000);
			running--;
			return READY;
		};
		const tasks = Array.from({ length: 35 }, () => ({ read, isNew: false }));
		const { endings, tookMs } = await watch(clock, tasks);
		expect(endings.length).toBe(35);
		expect(most).toBe(10);
		expect(tookMs).toBe(4_000);
	});

	it('of any mixture always come to an end within the time, one ending each', async () => {
		const anyRead = fc.constantFrom(RUNNING, READY, FAILED, REFUSED, trouble());
		const script = fc.array(anyRead, { minLength: 1, maxLength: 6 });
		await fc.assert(
			fc.asyncProperty(fc.array(script, { maxLength: 12 }), async (scripts) => {
				const clock = new VirtualClock();
				const tasks = scripts.map((readings) => scripted(clock, ...readings));
				const { endings, tookMs } = await watch(clock, tasks);
				expect(endings.length).toBe(scripts.length);
				expect(tookMs).toBeLessThanOrEqual(LIMITS.timeoutMs);
				const possible: Array<Ending['outcome']> = ['finished', 'timeout', 'lost', 'refused'];
				for (const { outcome } of endings) expect(possible).toContain(outcome);
			}),
			{ numRuns: 40 },
		);
	});
});
