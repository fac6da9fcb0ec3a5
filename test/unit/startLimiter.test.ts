/**
 * Limits how many videos run at once: the pace that an account's responses teach, shared by all runs of
 * the process, beside the best possible schedule.
 */
import { StartLimiter } from '../../nodes/Seedance/run/startLimiter';
import { AdaptiveLimit } from '../../nodes/shared/api/adaptiveLimit';
import { FITS, MOST, TASK_SECONDS } from '../support/fullAccount.cjs';
import { VirtualClock } from './virtualClock.cjs';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const ACCOUNT = { apiKey: 'sk', baseUrl: 'https://api.test/v1', reach: 'any', decrypted: {} };
type Credential = Parameters<StartLimiter['msUntilSlot']>[0];
const credential = (apiKey = 'sk') => ({ ...ACCOUNT, apiKey }) as unknown as Credential;

interface Limits {
	atOnce?: number;
	perMinute?: number;
	/** Whether 429 says in how many milliseconds a start of the minute is free again. */
	sendsRetryAfter?: boolean;
}

/** An API that starts so many videos at once and a minute, each of which takes `taskMs`. */
function apiOf(
	clock: VirtualClock,
	{ atOnce = Infinity, perMinute = Infinity, sendsRetryAfter }: Limits,
) {
	const starts: number[] = [];
	let running = 0;
	let posts = 0;
	return {
		counts: () => ({ posts, started: starts.length }),
		post: (taskMs: number): { refused?: { retryAfterMs?: number } } => {
			posts++;
			const recent = starts.filter((at) => clock.now() - at < MINUTE);
			if (running >= atOnce || recent.length >= perMinute) {
				const retryAfterMs =
					sendsRetryAfter && recent.length >= perMinute
						? recent[0] + MINUTE - clock.now()
						: undefined;
				return { refused: { retryAfterMs } };
			}
			starts.push(clock.now());
			running++;
			void clock.sleep(taskMs).then(() => running--);
			return {};
		},
	};
}

interface Rows {
	rows: number;
	atOnce?: number;
	/** Milliseconds after which the run begins. */
	after?: number;
	apiKey?: string;
}

const TASK_MS = TASK_SECONDS * SECOND;
/** Milliseconds until a run notices that a task has ended. */
const NOTICE_MS = 8 * SECOND;

/** Runs that start their rows with one account, as the node does. Gives when each ended, in ms. */
async function play(limits: Limits, runs: readonly Rows[], taskMs = TASK_MS) {
	const clock = new VirtualClock();
	const api = apiOf(clock, limits);
	const begun = clock.now();
	let most = 0;
	const one = async ({ rows, atOnce, after = 0, apiKey }: Rows) => {
		const account = credential(apiKey);
		await clock.sleep(after);
		const limiter = new StartLimiter(clock, atOnce);
		const ends: Array<Promise<void>> = [];
		for (let row = 0; row < rows; ) {
			const ms = limiter.msUntilSlot(account);
			if (ms > 0) {
				await limiter.waitForChange(Math.min(ms, 60 * MINUTE));
				continue;
			}
			limiter.postSent(account);
			// A response takes its time.
			await clock.sleep(200);
			limiter.idle();
			const { refused } = api.post(taskMs);
			if (refused) {
				limiter.refused(account, refused.retryAfterMs);
				continue;
			}
			row++;
			limiter.accepted(account);
			const leave = limiter.acquire(account);
			most = Math.max(most, limiter.running);
			ends.push(clock.sleep(taskMs + NOTICE_MS).then(leave));
		}
		limiter.idle();
		await Promise.all(ends);
		limiter.close();
		return clock.now() - begun;
	};
	const { result } = await clock.run(Promise.all(runs.map(one)));
	return { ended: result, most, ...api.counts() };
}

describe('an account that allows three at once and five starts a minute', () => {
	it.each<[string, Limits, Rows[], number]>([
		['one run of 50', FITS, [{ rows: 50 }], 17],
		['one run of 50, with the right number set', FITS, [{ rows: 50, atOnce: 3 }], 17],
		['one run of 50, with too large a number', FITS, [{ rows: 50, atOnce: 10 }], 17],
		['two runs of 50 that begin together', FITS, [{ rows: 50 }, { rows: 50 }], 34],
		[
			'a second one when the first has taken all',
			FITS,
			[{ rows: 50 }, { rows: 20, after: 3 * MINUTE }],
			24,
		],
		['a third, small one', FITS, [{ rows: 30 }, { rows: 30 }, { rows: 1, after: 20 * MINUTE }], 21],
	])('%s: at most 1.2 POSTs a row, and as fast as can be', async (_, limits, runs, rounds) => {
		const { ended, posts, started } = await play(limits, runs);
		const rows = runs.reduce((sum, run) => sum + run.rows, 0);
		expect(started).toBe(rows);
		expect(posts / rows).toBeLessThanOrEqual(MOST.posts);
		expect(Math.max(...ended) / (rounds * TASK_MS)).toBeLessThanOrEqual(MOST.ratio);
	});

	it('lets a run that came later have its share', async () => {
		const { ended } = await play(FITS, [{ rows: 50 }, { rows: 1, after: MINUTE }]);
		// The next video that ends makes room for it.
		expect(ended[1]).toBeLessThan(2 * TASK_MS + MINUTE);
	});
});

describe('starts a minute alone', () => {
	it.each([
		['without a time', {}],
		['with a time', { sendsRetryAfter: true }],
	])(
		'%s: at most 1.25 POSTs a row, and at most half as long again as the best',
		async (_, more) => {
			const { ended, posts } = await play({ perMinute: 5, ...more }, [{ rows: 50 }], MINUTE / 2);
			expect(posts / 50).toBeLessThanOrEqual(1.25);
			expect(ended[0] / (9.5 * MINUTE)).toBeLessThanOrEqual(1.5);
		},
	);
});

it('no more than Maximum Videos at Once, over all accounts of the run', async () => {
	const { most, posts } = await play({}, [{ rows: 20, atOnce: 4 }]);
	expect([most, posts]).toEqual([4, 20]);
});

it('another account is not held back', async () => {
	const clock = new VirtualClock();
	const limiter = new StartLimiter(clock);
	limiter.refused(credential(), 30 * SECOND);
	expect([limiter.msUntilSlot(credential()), limiter.msUntilSlot(credential('other'))]).toEqual([
		30 * SECOND,
		0,
	]);
	limiter.close();
});

it('what was learnt is gone when the last run of the account has ended', () => {
	const clock = new VirtualClock();
	const first = new StartLimiter(clock);
	first.refused(credential(), MINUTE);
	const second = new StartLimiter(clock);
	expect(second.msUntilSlot(credential())).toBe(MINUTE);
	first.close();
	expect(second.msUntilSlot(credential())).toBe(MINUTE);
	second.close();
	expect(new StartLimiter(clock).msUntilSlot(credential())).toBe(0);
});

describe('a limit', () => {
	it('with nothing running, asks ever more slowly, and never gives up', () => {
		const limit = new AdaptiveLimit();
		const pauses = Array.from({ length: 9 }, () => {
			limit.onRateLimited(0, 0);
			return limit.nextAt(0, 0) / SECOND;
		});
		expect(pauses).toEqual([2, 4, 8, 16, 32, 64, 120, 120, 120]);
		limit.onAccepted(0, 0);
		limit.onRateLimited(0, 0);
		expect(limit.nextAt(0, 0)).toBe(2 * SECOND);
	});

	it('waits for an end at the number that went well, and for as long as it is asked to', () => {
		const limit = new AdaptiveLimit();
		for (let running = 0; running < 3; running++) limit.onAccepted(0, running);
		limit.onRateLimited(0, 3, 10 * SECOND);
		expect([limit.nextAt(0, 3), limit.nextAt(0, 2)]).toEqual([10 * SECOND, 10 * SECOND]);
		limit.onRateLimited(10 * SECOND, 3);
		limit.onRateLimited(70 * SECOND, 3);
		expect([limit.nextAt(71 * SECOND, 3), limit.nextAt(71 * SECOND, 2)]).toEqual([
			Infinity,
			71 * SECOND,
		]);
	});
});
