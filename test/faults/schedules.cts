// Runs random schedules and checks each of them; for the test files that run at the same time.
import * as fc from '../support/fastCheck.cjs';
import { schedules } from './schedule.cjs';
import { ALL } from './seeds.cjs';
import { Suite } from './suite.cjs';

/** How many test files share the schedules. */
const SHARES = 2;
/** Milliseconds for one share at least, with the search for the simplest schedule that fails, and for each schedule. */
const TIME_LIMIT_MS = 20 * 60_000;
const MS_EACH = 500;

/** Random schedules of one kind. */
interface Kind<T> {
	/** As the summary shows it. */
	name: string;
	drawn: fc.Arbitrary<T>;
	seeds: readonly number[];
	/** For each seed. */
	numRuns: number;
	/** Runs and checks one; gives what is wrong, or nothing. */
	check: (schedule: T, isCounted: boolean) => Promise<string>;
	/** Added to each seed, so that shares differ. */
	share?: number;
}

/** Registers the tests of one kind: one for each seed. */
export function describeSeeds<T>({ name, drawn, seeds, numRuns, check, share = 0 }: Kind<T>): void {
	const path = process.env.SCHEDULE_PATH;

	it.each(seeds)(
		`${numRuns} random schedules keep the promise, with SEED=%i`,
		async (seed) => {
			process.stdout.write(`faults, ${name}: SEED=${seed}\n`);
			let isShrinking = false;
			const property = fc.asyncProperty(drawn, async (schedule) => {
				// What is tried while the simplest failing schedule is searched is not counted again.
				const failure = await check(schedule, !isShrinking);
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
				`After ${found.numRuns} schedules of ${name}; again with ${again}\n${String(found.errorInstance)}`,
			);
		},
		Math.max(TIME_LIMIT_MS, numRuns * MS_EACH),
	);
}

/** Registers the tests of one share of the schedules of one execution, counted from 1. */
export function describeShare(share: number): void {
	const name = `schedules ${share}`;
	const suite = new Suite(name);
	const { seeds } = ALL;
	const numRuns = Math.ceil(ALL.schedules / SHARES / seeds.length);
	const check = async (...given: Parameters<Suite['check']>) => await suite.check(...given);
	describeSeeds({ name, drawn: schedules, seeds, numRuns, check, share });
}
