/** The waiting rules, on a virtual clock. */
import * as fc from 'fast-check';

import { READ_MAX_FAILURES } from '../../nodes/shared/api/retry';
import { PARALLEL_READS, type Read } from '../../nodes/shared/api/client';
import { RETRY_AFTER_MAX_MS } from '../../nodes/shared/api/brake';
import type { CallFailure } from '../../nodes/shared/task/errors';
import { NO_VIDEO_GRACE_MS, readTask } from '../../nodes/shared/task/task';
import {
	LAST_READ_MS,
	nextInterval,
	NOT_FOUND_GRACE_MS,
	POLL_GROWTH,
	POLL_INTERVAL_MAX_SECONDS,
	POLL_INTERVAL_SECONDS,
	POLL_INTERVAL_USUAL_SECONDS,
	POLL_JITTER,
	POLL_SHARE,
	TIMEOUT_MINUTES,
	watchTask,
	type Ending,
	type Watched,
} from '../../nodes/shared/api/polling';
import { VirtualClock } from './virtualClock';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const LIMITS = { timeoutMs: 15 * MINUTE, intervalMs: 5 * SECOND };
const VIDEO = 'https://cdn.example.com/v.mp4';

function state(status: string, more: object = {}): Read {
	const task = readTask('t', { task_id: 't', status, ...more }, '');
	if (!task) throw new Error('not a task');
	return { outcome: 'task', task };
}

const RUNNING = state('IN_PROGRESS');
const READY = state('SUCCESS', { response: [VIDEO] });
const EMPTY = state('SUCCESS', { response: [] });
const FAILED = state('FAILED', { error_message: 'no' });

function trouble(more: Partial<CallFailure> = {}): Read {
	return { outcome: 'unavailable', failure: { cause: 'server_error', text: '', ...more } };
}

const LIMITED = trouble({ cause: 'rate_limited', httpStatus: 429 });

function final(cause: CallFailure['cause']): Read {
	return { outcome: 'refused', failure: { cause, text: '', isApi: true } };
}

const REFUSED = final('invalid_api_key');

/** A watched task that notes when it was read, in milliseconds since it was made, and until when each read might take. */
interface Noted extends Watched {
	readAt: number[];
	until: number[];
}

/** A task whose state at a moment (milliseconds since it was made) is told by a function. */
function told(clock: VirtualClock, at: (ms: number, reads: number) => Read): Noted {
	const startedAt = clock.now();
	const readAt: number[] = [];
	const until: number[] = [];
	return {
		isNew: false,
		readAt,
		until,
		read: async (deadline) => {
			const now = clock.now() - startedAt;
			readAt.push(now);
			until.push(deadline - startedAt);
			return await Promise.resolve(at(now, readAt.length));
		},
	};
}

/** A task that gives these readings in turn, the last one for ever. */
function scripted(clock: VirtualClock, ...readings: Read[]): Noted {
	return told(clock, (_ms, reads) => readings[Math.min(reads, readings.length) - 1]);
}

/** A task that is ready after some milliseconds. */
function readyAfter(clock: VirtualClock, ms: number): Noted {
	return told(clock, (now) => (now >= ms ? READY : RUNNING));
}

async function watchAll(clock: VirtualClock, tasks: Watched[], limits = LIMITS) {
	const startedAt = clock.now();
	const { timeoutMs, intervalMs } = limits;
	const wait = { clock, startedAt, deadline: startedAt + timeoutMs, intervalMs };
	const work = Promise.all(tasks.map(async (task) => await watchTask(task, wait)));
	const { result, tookMs } = await clock.run(work);
	return { endings: result, tookMs };
}

async function watch(clock: VirtualClock, task: Watched, limits = LIMITS) {
	const { endings, tookMs } = await watchAll(clock, [task], limits);
	return { ending: endings[0], tookMs };
}

const limited = (timeoutMs: number, intervalMs = LIMITS.intervalMs) => ({ timeoutMs, intervalMs });
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
		expect(READ_MAX_FAILURES).toBe(5);
		expect(PARALLEL_READS).toBe(10);
		expect(RETRY_AFTER_MAX_MS).toBe(60_000);
		expect(NO_VIDEO_GRACE_MS).toBe(30_000);
		expect(NOT_FOUND_GRACE_MS).toBe(60_000);
		expect(LAST_READ_MS).toBe(2_000);
	});
});

describe('the interval between two reads', () => {
	const MIDDLE = 0.5;

	it('grows by a quarter from 5 to 8.5 seconds while most videos are being made', () => {
		const intervals = [0, 1, 2, 3, 50].map((reads) => nextInterval(reads, 121_000, 5_000, MIDDLE));
		expect(intervals.map(Math.round)).toEqual([5_000, 6_250, 7_813, 8_500, 8_500]);
	});

	it('is 7 % of the time waited later, up to 15 seconds', () => {
		const intervals = [150_000, 200_000, 215_000, 1e9].map((waitedMs) =>
			nextInterval(50, waitedMs, 5_000, MIDDLE),
		);
		expect(intervals.map(Math.round)).toEqual([10_500, 14_000, 15_000, 15_000]);
	});

	it('grows to 15 seconds at once while a task cannot be read', () => {
		const intervals = [0, 1, 2, 3, 4, 5, 50].map((reads) =>
			nextInterval(reads, Infinity, 5_000, MIDDLE),
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
				(reads, waitedMs, intervalMs, random) => {
					const interval = nextInterval(reads, waitedMs, intervalMs, random);
					expect(interval).toBeGreaterThanOrEqual(intervalMs);
					expect(interval).toBeLessThanOrEqual(Math.max(intervalMs, 15_000) * 1.1 + 1e-6);
				},
			),
		);
	});

	it('is what a watched task really gets', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, ...Array<Read>(40).fill(RUNNING), READY);
		await watch(clock, task);
		const between = gaps(task.readAt).map(Math.round);
		expect(between.slice(0, 6)).toEqual([5_000, 6_250, 7_813, 8_500, 8_500, 8_500]);
		expect(between.at(-1)).toBe(15_000);
	});

	it('goes on growing from the first pause of a new task, which needs 12 reads when it takes 90 seconds', async () => {
		const clock = new VirtualClock();
		const task = readyAfter(clock, 90_000);
		await watch(clock, { ...task, isNew: true });
		expect(task.readAt.slice(0, 4).map(Math.round)).toEqual([5_000, 11_250, 19_063, 27_563]);
		expect(task.readAt.length).toBeLessThanOrEqual(12);
	});

	it('is jittered by the clock it is given', async () => {
		const clock = new VirtualClock(() => 1);
		const task = scripted(clock, RUNNING, RUNNING, READY);
		await watch(clock, task);
		expect(gaps(task.readAt).map(Math.round)).toEqual([5_500, 6_875]);
	});
});

describe('one task', () => {
	it('that is ready is delivered at the first read', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, READY);
		const { ending, tookMs } = await watch(clock, task);
		expect(ending).toEqual({
			outcome: 'finished',
			task: expect.objectContaining({ videoUrl: VIDEO }),
		});
		expect(tookMs).toBe(0);
		expect(task.readAt).toEqual([0]);
	});

	it('that was started just now is first read after one interval', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, READY);
		await watch(clock, { ...task, isNew: true });
		expect(task.readAt).toEqual([5_000]);
	});

	it('that was started just now is read within a shorter Timeout, with time for the answer', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING);
		const { ending } = await watch(clock, { ...task, isNew: true }, limited(4_000));
		expect(ending.outcome).toBe('timeout');
		expect(task.readAt).toEqual([2_000]);
		expect(task.until).toEqual([4_000]);
	});

	it('that failed is an ending of its own, not an error', async () => {
		const clock = new VirtualClock();
		const { ending } = await watch(clock, scripted(clock, RUNNING, FAILED));
		expect(ending).toMatchObject({
			outcome: 'finished',
			task: { state: 'failed', errorMessage: 'no' },
		});
	});

	it('is read a last time shortly before the time is up, and never after', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING);
		const { ending, tookMs } = await watch(clock, task, limited(MINUTE));
		expect(ending).toEqual({ outcome: 'timeout', statusWord: 'IN_PROGRESS' });
		expect(task.readAt.at(-1)).toBe(58_000);
		expect(tookMs).toBe(58_000);
	});

	it('that became ready before the last read is delivered, not timed out', async () => {
		const clock = new VirtualClock();
		const { ending } = await watch(clock, readyAfter(clock, 57_999), limited(MINUTE));
		expect(ending.outcome).toBe('finished');
	});

	it.each([0, 1, 1_999, 2_000])(
		'is read once where there is hardly any time: %i ms',
		async (ms) => {
			const clock = new VirtualClock();
			const ready = scripted(clock, READY);
			const running = { ...scripted(clock, RUNNING), isNew: true };
			const { endings } = await watchAll(clock, [ready, running], limited(ms));
			expect(endings.map(({ outcome }) => outcome)).toEqual(['finished', 'timeout']);
			expect(running.readAt).toEqual([0]);
			expect(running.until).toEqual([2_000]);
		},
	);

	it('with a status that nobody knows goes on, and the word is quoted at the timeout', async () => {
		const clock = new VirtualClock();
		const { ending } = await watch(clock, scripted(clock, state('Daydreaming')), limited(MINUTE));
		expect(ending).toEqual({ outcome: 'timeout', statusWord: 'Daydreaming' });
	});

	it('with a status that nobody knows can still become ready', async () => {
		const clock = new VirtualClock();
		const { ending } = await watch(clock, scripted(clock, state('Daydreaming'), READY));
		expect(ending.outcome).toBe('finished');
	});
});

describe('each read', () => {
	it('gets the time that is left, and no more', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING);
		await watch(clock, task, limited(MINUTE));
		expect(task.readAt.length).toBeGreaterThan(5);
		expect(task.until).toEqual(task.until.map(() => MINUTE));
	});

	it('that never answers but at its end lets the wait end by the deadline', async () => {
		const clock = new VirtualClock();
		const read = async (deadline: number) => {
			await clock.elapse(Math.min(30_000, deadline - clock.now()));
			return trouble({ cause: 'no_answer' });
		};
		const { ending, tookMs } = await watch(clock, { read, isNew: false }, limited(100_000));
		expect(ending.outcome).toBe('unavailable');
		expect(tookMs).toBeLessThanOrEqual(100_000);
	});

	it('that is slow does not make another one after the deadline', async () => {
		const clock = new VirtualClock();
		const starts: number[] = [];
		const startedAt = clock.now();
		const read = async (deadline: number) => {
			starts.push(clock.now() - startedAt);
			await clock.elapse(Math.min(29_500, deadline - clock.now()));
			return RUNNING;
		};
		const { ending, tookMs } = await watch(clock, { read, isNew: false }, limited(30_000));
		expect(ending.outcome).toBe('timeout');
		expect(starts).toEqual([0]);
		expect(tookMs).toBe(29_500);
	});
});

describe('an outage', () => {
	it('of ten minutes does not end a wait of fifteen: the video is delivered', async () => {
		const clock = new VirtualClock();
		const down = trouble({ cause: 'unreachable', text: 'ECONNREFUSED' });
		const task = told(clock, (ms) => (ms < 10 * MINUTE ? down : READY));
		const { ending, tookMs } = await watch(clock, task);
		expect(ending.outcome).toBe('finished');
		expect(tookMs).toBeLessThanOrEqual(10 * MINUTE + 16_500);
	});

	it.each<CallFailure['cause']>([
		'unreachable',
		'no_answer',
		'server_error',
		'unreadable',
		'firewall',
	])('of the kind "%s" lasts to the end of the time before contact is lost', async (cause) => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING, trouble({ cause, httpStatus: 502 }));
		const { ending, tookMs } = await watch(clock, task);
		expect(ending).toMatchObject({ outcome: 'unavailable', failure: { cause, httpStatus: 502 } });
		expect(tookMs).toBe(LIMITS.timeoutMs - LAST_READ_MS);
	});

	it('is read through ever more slowly, up to every 15 seconds', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble());
		await watch(clock, task);
		const between = gaps(task.readAt).map(Math.round);
		expect(between.slice(0, 6)).toEqual([5_000, 6_250, 7_813, 9_766, 12_207, 15_000]);
		expect(between.slice(5, -1)).toEqual(between.slice(5, -1).map(() => 15_000));
	});

	it.each([
		[4, 'timeout'],
		[5, 'unavailable'],
	] as const)('of the last %i reads ends in "%s"', async (failed, outcome) => {
		const clock = new VirtualClock();
		// With an interval of 20 seconds and no growth, a wait of 202 seconds reads 11 times.
		const good = Array<Read>(11 - failed).fill(state('QUEUED'));
		const task = scripted(clock, ...good, trouble());
		const { ending } = await watch(clock, task, limited(202_000, 20_000));
		expect(task.readAt.length).toBe(11);
		expect(ending.outcome).toBe(outcome);
	});

	it('that was over before the last five reads leaves a timeout with the last word', async () => {
		const clock = new VirtualClock();
		const task = told(clock, (ms) => (ms > 40_000 && ms < 700_000 ? trouble() : state('QUEUED')));
		const { ending } = await watch(clock, task);
		expect(ending).toEqual({ outcome: 'timeout', statusWord: 'QUEUED' });
	});

	it('starts to count anew after each read that worked', async () => {
		const clock = new VirtualClock();
		const four = Array<Read>(4).fill(trouble());
		// 10 reads, the last four of which fail: eight failures, but never five in a row.
		const task = scripted(clock, RUNNING, ...four, RUNNING, ...four);
		const { ending } = await watch(clock, task, limited(182_000, 20_000));
		expect(task.readAt.length).toBe(10);
		expect(ending.outcome).toBe('timeout');
	});

	it('is not called "still being made" where the task was never read at all', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ httpStatus: 502 }));
		const { ending } = await watch(clock, task, limited(8_000));
		expect(task.readAt.length).toBeLessThan(5);
		expect(ending).toMatchObject({ outcome: 'unavailable', failure: { httpStatus: 502 } });
	});
});

describe('an API that asks to slow down', () => {
	it('is never counted as one that failed, however often it asks', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING, LIMITED);
		const { ending } = await watch(clock, task);
		expect(task.readAt.length).toBeGreaterThan(50);
		expect(ending).toEqual({ outcome: 'timeout', statusWord: 'IN_PROGRESS' });
	});

	it('does not make up the fifth of five failed reads', async () => {
		const clock = new VirtualClock();
		const last = [trouble(), LIMITED, trouble(), LIMITED, trouble(), LIMITED, trouble(), LIMITED];
		const task = scripted(clock, RUNNING, RUNNING, RUNNING, ...last);
		const { ending } = await watch(clock, task, limited(202_000, 20_000));
		expect(task.readAt.length).toBe(11);
		expect(ending.outcome).toBe('timeout');
	});

	it('gets the pause it asks for, also with an error that is no 429', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ httpStatus: 503, retryAfterMs: 40_000 }), READY);
		await watch(clock, task);
		expect(task.readAt).toEqual([0, 40_000]);
	});

	it("gets the user's interval where it asks for less", async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ retryAfterMs: 1_000 }), READY);
		await watch(clock, task);
		expect(task.readAt).toEqual([0, 5_000]);
	});

	it('is asked again after a minute at the latest', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ retryAfterMs: 3_600_000 }), READY);
		await watch(clock, task);
		expect(task.readAt).toEqual([0, 60_000]);
	});

	it('is not waited for longer than the time that is left', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, trouble({ retryAfterMs: 50_000 }));
		const { tookMs } = await watch(clock, task, limited(20_000));
		expect(tookMs).toBe(18_000);
		expect(task.readAt).toEqual([0, 18_000]);
	});
});

describe('"no such task"', () => {
	const NOT_FOUND = final('task_not_found');

	it('is not believed in the first minute of a task that this execution has started', async () => {
		const clock = new VirtualClock();
		const task = told(clock, (ms) => (ms < 55_000 ? NOT_FOUND : READY));
		const { ending } = await watch(clock, { ...task, isNew: true, createdAt: clock.now() });
		expect(ending.outcome).toBe('finished');
	});

	it('is believed after that minute', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, NOT_FOUND);
		const { ending, tookMs } = await watch(clock, { ...task, createdAt: clock.now() });
		expect(ending).toMatchObject({ outcome: 'refused', failure: { cause: 'task_not_found' } });
		expect(tookMs).toBeGreaterThanOrEqual(NOT_FOUND_GRACE_MS);
		expect(tookMs).toBeLessThanOrEqual(NOT_FOUND_GRACE_MS + 16_500);
	});

	it('counts that minute from when the task was made, not from when the wait began', async () => {
		const clock = new VirtualClock();
		const createdAt = clock.now() - 50_000;
		const { tookMs } = await watch(clock, { ...scripted(clock, NOT_FOUND), createdAt });
		expect(tookMs).toBeGreaterThanOrEqual(10_000);
		expect(tookMs).toBeLessThanOrEqual(20_000);
	});

	it('is believed at once of an ID that this execution has not made', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, NOT_FOUND, READY);
		const { ending } = await watch(clock, task);
		expect(ending.outcome).toBe('refused');
		expect(task.readAt).toEqual([0]);
	});

	it('is not believed just after the task was seen, whoever made it', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING, NOT_FOUND, RUNNING, NOT_FOUND, NOT_FOUND, READY);
		const { ending } = await watch(clock, task);
		expect(ending.outcome).toBe('finished');
	});

	it('is believed of a task that was seen when it goes on for a minute', async () => {
		const clock = new VirtualClock();
		const { ending, tookMs } = await watch(clock, scripted(clock, RUNNING, NOT_FOUND));
		expect(ending).toMatchObject({ outcome: 'refused', failure: { cause: 'task_not_found' } });
		expect(tookMs).toBeLessThanOrEqual(NOT_FOUND_GRACE_MS + 16_500);
	});
});

describe('a refusal', () => {
	it.each<CallFailure['cause']>(['invalid_api_key', 'out_of_credits', 'forbidden'])(
		'of the account ends the wait at once, also of a task that was seen before: %s',
		async (cause) => {
			const clock = new VirtualClock();
			const task = scripted(clock, RUNNING, final(cause), READY);
			const { ending } = await watch(clock, { ...task, createdAt: clock.now() });
			expect(ending).toMatchObject({ outcome: 'refused', failure: { cause } });
			expect(task.readAt.length).toBe(2);
		},
	);

	it.each<CallFailure['cause']>(['redirected', 'refused', 'invalid_request'])(
		'of something in between passes when the API has answered well before: %s',
		async (cause) => {
			const clock = new VirtualClock();
			const seen = scripted(clock, RUNNING, ...Array<Read>(20).fill(final(cause)), READY);
			expect((await watch(clock, seen)).ending.outcome).toBe('finished');
			// Its POST was answered well.
			const own = scripted(clock, ...Array<Read>(20).fill(final(cause)), READY);
			expect((await watch(clock, { ...own, createdAt: clock.now() })).ending.outcome).toBe(
				'finished',
			);
		},
	);

	it.each<CallFailure['cause']>(['redirected', 'refused', 'invalid_request'])(
		'of something in between ends the wait where the API has never answered: %s',
		async (cause) => {
			const clock = new VirtualClock();
			const task = scripted(clock, trouble(), final(cause), READY);
			const { ending } = await watch(clock, task);
			expect(ending).toMatchObject({ outcome: 'refused', failure: { cause } });
			expect(task.readAt.length).toBe(2);
		},
	);

	it('that says "no such task" until the time is up, too early to be believed, is lost contact', async () => {
		const clock = new VirtualClock();
		const task = { ...scripted(clock, final('task_not_found')), createdAt: clock.now() };
		const { ending } = await watch(clock, task, { timeoutMs: 40_000, intervalMs: 5_000 });
		expect(ending).toMatchObject({ outcome: 'unavailable', failure: { cause: 'task_not_found' } });
	});

	it('that does not pass is lost contact at the end, not "still being made"', async () => {
		const clock = new VirtualClock();
		const { ending } = await watch(clock, scripted(clock, RUNNING, final('redirected')));
		expect(ending).toMatchObject({ outcome: 'unavailable', failure: { cause: 'redirected' } });
	});
});

describe('a success without a video', () => {
	it('is read again for 30 seconds, and delivered when its video comes', async () => {
		const clock = new VirtualClock();
		const task = told(clock, (ms) => (ms < 29_000 ? EMPTY : READY));
		const { ending } = await watch(clock, task);
		expect(ending).toMatchObject({ outcome: 'finished', task: { videoUrl: VIDEO } });
		expect(task.readAt).toEqual([0, 5_000, 10_000, 15_000, 20_000, 25_000, 30_000]);
	});

	it('is one without a video after these 30 seconds', async () => {
		const clock = new VirtualClock();
		const { ending, tookMs } = await watch(clock, scripted(clock, EMPTY));
		expect(ending).toMatchObject({
			outcome: 'finished',
			task: { state: 'succeeded', videoUrl: null },
		});
		expect(tookMs).toBe(NO_VIDEO_GRACE_MS);
	});

	it('gets its 30 seconds from when it was first seen, not from the start of the wait', async () => {
		const clock = new VirtualClock();
		const task = told(clock, (ms) => (ms < 5 * MINUTE ? RUNNING : EMPTY));
		const { tookMs } = await watch(clock, task);
		expect(tookMs).toBeGreaterThanOrEqual(5 * MINUTE + NO_VIDEO_GRACE_MS);
	});

	it('gets all of them again when it was running once more in between', async () => {
		const clock = new VirtualClock();
		const task = told(clock, (ms) =>
			ms < 5_000 || (ms > 50_000 && ms < 70_000) ? EMPTY : RUNNING,
		);
		const again = told(clock, (ms) =>
			ms < 4_000 ? EMPTY : ms < 60_000 ? RUNNING : ms < 80_000 ? EMPTY : READY,
		);
		expect((await watch(clock, again)).ending).toMatchObject({ task: { videoUrl: VIDEO } });
		expect((await watch(clock, task)).ending.outcome).toBe('timeout');
	});

	it('never undercuts the interval that the user wants', async () => {
		const clock = new VirtualClock();
		const task = told(clock, (ms) => (ms < 10_000 ? EMPTY : READY));
		await watch(clock, task, limited(15 * MINUTE, 25_000));
		expect(task.readAt).toEqual([0, 25_000]);
	});

	it('is told as such when the time is up before', async () => {
		const clock = new VirtualClock();
		const { ending } = await watch(clock, scripted(clock, EMPTY), limited(10_000));
		expect(ending).toMatchObject({ outcome: 'finished', task: { state: 'succeeded' } });
	});

	it('is told as such, not as "still being made", when the reads after it failed', async () => {
		const clock = new VirtualClock();
		const task = scripted(clock, RUNNING, EMPTY, trouble());
		const { ending } = await watch(clock, task, limited(18_000));
		expect(task.readAt.length).toBe(4);
		expect(ending).toMatchObject({ outcome: 'finished', task: { state: 'succeeded' } });
	});
});

describe('Stop', () => {
	it('ends a wait at once, for every task', async () => {
		const clock = new VirtualClock();
		const tasks = [scripted(clock, RUNNING), scripted(clock, trouble()), scripted(clock, READY)];
		const stop = clock.elapse(6_000).then(() => clock.stop());
		const { endings, tookMs } = await watchAll(clock, tasks);
		await stop;
		expect(endings.map(({ outcome }) => outcome)).toEqual(['stopped', 'stopped', 'finished']);
		expect(tookMs).toBe(6_000);
		expect(clock.asleep).toBe(0);
	});

	it('before the first read reads nothing of a task that was just started', async () => {
		const clock = new VirtualClock();
		clock.stop();
		const task = scripted(clock, READY);
		const { ending } = await watch(clock, { ...task, isNew: true });
		expect(ending).toEqual({ outcome: 'stopped' });
		expect(task.readAt).toEqual([]);
	});
});

describe('many tasks', () => {
	it('take as long as the slowest, not the sum: 30 at once', async () => {
		const clock = new VirtualClock();
		const tasks = Array.from({ length: 30 }, (_, index) => readyAfter(clock, (index + 1) * 4_000));
		const { endings, tookMs } = await watchAll(clock, tasks);
		expect(endings.map(({ outcome }) => outcome)).toEqual(Array(30).fill('finished'));
		expect(tookMs).toBeGreaterThanOrEqual(120_000);
		expect(tookMs).toBeLessThanOrEqual(120_000 + 15_000);
	});

	it('each end for themselves', async () => {
		const clock = new VirtualClock();
		const tasks = [
			scripted(clock, RUNNING),
			scripted(clock, trouble()),
			scripted(clock, REFUSED),
			scripted(clock, RUNNING, FAILED),
			readyAfter(clock, 50_000),
		];
		const { endings } = await watchAll(clock, tasks, limited(2 * MINUTE));
		expect(endings.map(({ outcome }) => outcome)).toEqual([
			'timeout',
			'unavailable',
			'refused',
			'finished',
			'finished',
		]);
	});
});

describe('a wait for anything', () => {
	/** What an API may do to one read: an answer, and the milliseconds that it takes. */
	const anyRead = fc.constantFrom(
		RUNNING,
		READY,
		EMPTY,
		FAILED,
		REFUSED,
		LIMITED,
		trouble(),
		trouble({ retryAfterMs: 90_000 }),
		final('task_not_found'),
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

	it('always ends, by the deadline and the last read at the latest, with an ending that was seen', async () => {
		await fc.assert(
			fc.asyncProperty(scenario, async ({ script, jitter, isNew, isOwn, ...limits }) => {
				const clock = new VirtualClock(() => jitter);
				const seen: Read[] = [];
				const starts: number[] = [];
				const ends: number[] = [];
				const read = async (deadline: number) => {
					starts.push(clock.now());
					const [reading, takes] = script[Math.min(starts.length, script.length) - 1];
					await clock.elapse(Math.min(takes, 30_000, deadline - clock.now()));
					ends.push(clock.now());
					seen.push(reading);
					return reading;
				};
				const createdAt = isOwn ? clock.now() : undefined;
				const { ending, tookMs } = await watch(clock, { read, isNew, createdAt }, limits);

				expect(tookMs).toBeLessThanOrEqual(limits.timeoutMs + LAST_READ_MS);
				// Not before the task's own end: the last read is what it ends with, or the time is up.
				const last = seen[seen.length - 1];
				const possible: Ending['outcome'][] = ['finished', 'timeout', 'unavailable', 'refused'];
				expect(possible).toContain(ending.outcome);
				const isUp = tookMs >= limits.timeoutMs - LAST_READ_MS - 0.001;
				if (ending.outcome === 'refused') expect(last.outcome).toBe('refused');
				if (ending.outcome === 'timeout' || ending.outcome === 'unavailable')
					expect(isUp).toBe(true);
				if (ending.outcome === 'finished')
					expect(seen.map(({ outcome }) => outcome)).toContain('task');
				// A video that was seen is never anything but delivered, and a failure never anything but told.
				const hasEnded = last === READY || last === FAILED;
				if (hasEnded) expect(ending).toMatchObject({ outcome: 'finished', task: { taskId: 't' } });
				expect(seen.slice(0, -1)).not.toContain(READY);
				expect(seen.slice(0, -1)).not.toContain(FAILED);
				// The user's interval lies between two reads, but for the last one, for which the time is up.
				const pauses = starts.slice(1).map((start, index) => start - ends[index]);
				for (const pause of pauses.slice(0, -1)) {
					expect(pause).toBeGreaterThanOrEqual(limits.intervalMs - 0.001);
				}
			}),
			{ numRuns: 150 },
		);
	}, 60_000);
});
