// Plays a share of the random schedules and judges each of them; for the test files that run at the same time.
import * as fc from 'fast-check';

import { judge } from './judge.cjs';
import { perform } from './perform.cjs';
import { schedules } from './random.cjs';
import type { Schedule } from './schedule.cjs';
import { schedulesOf, seedsOf } from './seeds.cjs';
import { openStage, type Stage } from './stage.cjs';
import { complaint, Tally } from './tally.cjs';

/** How many test files share the schedules. */
export const SHARES = 2;
/** Milliseconds for one share at least, with the search for the simplest schedule that fails, and for each schedule. */
const TIME_LIMIT_MS = 20 * 60_000;
const MS_EACH = 500;

/** Registers the tests of one share, counted from 1: one for each seed. */
export function describeShare(share: number): void {
	const seeds = seedsOf();
	const numRuns = Math.ceil(schedulesOf() / SHARES / seeds.length);
	const path = process.env.SCHEDULE_PATH;
	const tally = new Tally(`schedules ${share}`, numRuns * seeds.length);
	let stage: Stage;

	beforeAll(async () => {
		stage = await openStage();
	});
	afterAll(async () => {
		tally.close();
		await stage.close();
	});

	it.each(seeds)(
		`${numRuns} random schedules keep the promise, with SEED=%i`,
		async (seed) => {
			process.stdout.write(`faults, schedules ${share}: SEED=${seed}\n`);
			let isShrinking = false;
			const play = async (schedule: Schedule) => {
				const story = await perform(stage, schedule);
				const verdict = judge(stage, story);
				// What is tried while the simplest failing schedule is looked for is not counted again.
				if (!isShrinking) tally.add(stage, story, verdict);
				if (verdict.violations.length === 0) return;
				isShrinking = true;
				throw new Error(complaint(story, verdict));
			};
			const found = await fc.check(fc.asyncProperty(schedules, play), {
				seed: seed + share,
				numRuns,
				...(path && { path }),
			});
			if (!found.failed) return;
			throw new Error(
				[
					`After ${found.numRuns} schedules; again with SEED=${seed}${found.counterexamplePath ? `, this one alone with SCHEDULE_PATH=${found.counterexamplePath}` : ''} -t "share ${share}"`,
					found.errorInstance instanceof Error ? found.errorInstance.message : '',
				].join('\n'),
			);
		},
		Math.max(TIME_LIMIT_MS, numRuns * MS_EACH),
	);
}
