// Runs a share of the random schedules and checks each of them; for the test files that run at the same time.
import * as fc from 'fast-check';

import { schedules } from './schedule.cjs';
import { ALL_SCHEDULES, ALL_SEEDS } from './seeds.cjs';
import { Suite } from './suite.cjs';

/** How many test files share the schedules. */
const SHARES = 2;
/** Milliseconds for one share at least, with the search for the simplest schedule that fails, and for each schedule. */
const TIME_LIMIT_MS = 20 * 60_000;
const MS_EACH = 500;

/** Registers the tests of one share, counted from 1: one for each seed. */
export function describeShare(share: number): void {
	const suite = new Suite(`schedules ${share}`);
	const numRuns = Math.ceil(ALL_SCHEDULES / SHARES / ALL_SEEDS.length);
	const path = process.env.SCHEDULE_PATH;

	it.each(ALL_SEEDS)(
		`${numRuns} random schedules keep the promise, with SEED=%i`,
		async (seed) => {
			process.stdout.write(`faults, schedules ${share}: SEED=${seed}\n`);
			let isShrinking = false;
			const property = fc.asyncProperty(schedules, async (schedule) => {
				// What is tried while the simplest failing schedule is searched is not counted again.
				const failure = await suite.check(schedule, !isShrinking);
				if (!failure) return;
				isShrinking = true;
				throw new Error(failure);
			});
			const options = { seed: seed + share, numRuns, ...(path && { path }) };
			const found = await fc.check(property, options);
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
