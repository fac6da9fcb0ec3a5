// Runs a share of the random schedules and checks each of them; for the test files that run at the same time.
import * as fc from 'fast-check';

import { openHarness, type Harness } from './harness.cjs';
import { checkTrace } from './oracle.cjs';
import { schedules } from './random.cjs';
import { runSchedule } from './runner.cjs';
import { schedulesOf, seedsOf } from './seeds.cjs';
import { describeFailure, Stats } from './stats.cjs';

/** How many test files share the schedules. */
const SHARES = 2;
/** Milliseconds for one share at least, with the search for the simplest schedule that fails, and for each schedule. */
const TIME_LIMIT_MS = 20 * 60_000;
const MS_EACH = 500;

/** Registers the tests of one share, counted from 1: one for each seed. */
export function describeShare(share: number): void {
	const seeds = seedsOf();
	const numRuns = Math.ceil(schedulesOf() / SHARES / seeds.length);
	const path = process.env.SCHEDULE_PATH;
	const stats = new Stats(`schedules ${share}`, numRuns * seeds.length);
	let harness: Harness;

	beforeAll(async () => {
		harness = await openHarness();
	});
	afterAll(async () => {
		stats.close();
		await harness.close();
	});

	it.each(seeds)(
		`${numRuns} random schedules keep the promise, with SEED=%i`,
		async (seed) => {
			process.stdout.write(`faults, schedules ${share}: SEED=${seed}\n`);
			let isShrinking = false;
			const property = fc.asyncProperty(schedules, async (schedule) => {
				const trace = await runSchedule(harness, schedule);
				const report = checkTrace(harness, trace);
				// What is tried while the simplest failing schedule is searched is not counted again.
				if (!isShrinking) stats.add(harness, trace, report);
				if (report.violations.length === 0) return;
				isShrinking = true;
				throw new Error(describeFailure(schedule, report));
			});
			const found = await fc.check(property, {
				seed: seed + share,
				numRuns,
				...(path && { path }),
			});
			if (!found.failed) return;
			const alone = found.counterexamplePath;
			const again = `SEED=${seed}${alone ? `, this one alone with SCHEDULE_PATH=${alone}` : ''}`;
			throw new Error(
				`After ${found.numRuns} schedules; again with ${again} -t "share ${share}"\n${String(found.errorInstance)}`,
			);
		},
		Math.max(TIME_LIMIT_MS, numRuns * MS_EACH),
	);
}
