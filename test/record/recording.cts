// Records the examples and the schedules of the fault suite, one after the other on the same harness.
import * as fc from 'fast-check';

import { gridOf, inAllSettings } from '../faults/grid.cjs';
import { openHarness, type Harness } from '../faults/harness.cjs';
import { schedules } from '../faults/schedule.cjs';
import { REGRESSIONS } from '../faults/schedule.cjs';
import { runSchedule, type Segment } from '../faults/runner.cjs';
import type { Schedule } from '../faults/schedule.cjs';
import { recordExamples } from './examples.cjs';
import { normalized, recordOf } from './normalized.cjs';

const RANDOM = { seed: 1, numRuns: 3_000 };
const PROGRESS_EVERY = 500;

/** When requests came and what they met. Of several tasks at the same moment, any may be the first. */
const timesOf = (
	requests: ReadonlyArray<Segment['reads'][number] | Segment['videos'][number]>,
	startedAt: number,
): string[] =>
	requests
		.map(({ entry: { answered }, fault, at }) =>
			[Math.round((at - startedAt) / 1000), 's:', answered, fault?.kind].join(' '),
		)
		.sort();

/** The lines of a log, without stacks and what n8n adds to them. */
const textsIn = (logs: string) =>
	logs
		.split('\n')
		.filter((line) => !/^\s+at /.test(line))
		.map((line) => line.replace(/ (\{".*)?$/, ''));

async function recordSchedule(harness: Harness, schedule: Schedule): Promise<unknown> {
	const { segments, callbacks, resumedTwice, leftOpen } = await runSchedule(harness, schedule);
	const { ledger, otherAccount, elsewhere } = harness.sandbox;
	return normalized(harness, {
		segments: segments.map(({ cause, run, isStopped, logs, posts, reads, videos, startedAt }) => ({
			...{ cause, isStopped, ...recordOf(run, textsIn(logs)) },
			posts: posts.map(({ entry: { rawBody, headers, at, ...entry } }) => ({
				...entry,
				agent: headers['user-agent'],
			})),
			reads: timesOf(reads, startedAt),
			videos: timesOf(videos, startedAt),
		})),
		callbacks: { callbacks, resumedTwice, leftOpen },
		balances: [ledger.balance, otherAccount.balance],
		breaches: ledger.breaches(),
		keyLeaks: ledger.keyLeaks.map(({ where }) => where),
		elsewhere: elsewhere.requests.length,
	});
}

/** By a name of its own, each schedule that runs. */
function schedulesToRun(every: number): Array<[string, Schedule]> {
	const name = (what: string, schedule: Schedule): [string, Schedule] => [what, schedule];
	const grid = gridOf(['generate', 'status', 'video'], true)
		.filter(({ isReached, part }) => isReached || part.downForJumps !== undefined)
		.flatMap((cell) =>
			inAllSettings(cell).map((one, nth) => name(`grid: ${cell.title}, setting ${nth + 1}`, one)),
		);
	const random = fc
		.sample(schedules, RANDOM)
		.map((schedule, nth) => name(`random ${nth + 1}`, schedule));
	const regressions = REGRESSIONS.map(({ topic, what, schedule }) =>
		name(`regression, ${topic}: ${what}`, schedule),
	);
	return regressions.concat([...grid, ...random].filter((_, index) => index % every === 0));
}

/** By the name of each record, what it holds. `every`: of the grid and the random schedules, each so-manieth runs. */
export async function record(every: number): Promise<Record<string, unknown>> {
	const harness = await openHarness();
	const { time } = harness;
	const clock = time.clock.bind(time);
	// Jitter depends on which of the requests of a moment comes first; here all of them get the same.
	time.clock = (signal) => ({ ...clock(signal), random: () => 0.5 });
	const recording: Record<string, unknown> = {};
	try {
		await recordExamples(harness, (name, value) => (recording[name] = value));
		const all = schedulesToRun(every);
		for (const [index, [name, schedule]] of all.entries()) {
			recording[name] = await recordSchedule(harness, schedule);
			if (index % PROGRESS_EVERY === 0) process.stdout.write(`${index} of ${all.length}\n`);
		}
	} finally {
		await harness.close();
	}
	return recording;
}
