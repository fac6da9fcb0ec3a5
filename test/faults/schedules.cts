// Plays a share of the random schedules and judges each of them; for the test files that run at the same time.
import * as fc from 'fast-check';

import { judge } from './judge.cjs';
import { perform } from './perform.cjs';
import { schedules } from './random.cjs';
import type { Schedule } from './schedule.cjs';
import { openStage, type Stage } from './stage.cjs';
import { complaint, Tally } from './tally.cjs';

/** How many test files share the schedules. */
export const SHARES = 2;
const DEFAULT_SCHEDULES = 2_000;
/** Milliseconds for one share, with the search for the simplest schedule that fails. */
const TIME_LIMIT_MS = 20 * 60_000;

/** A whole number from the environment. Throws when there is something else. */
function numberFrom(name: string): number | undefined {
	const text = process.env[name];
	if (text === undefined || text === '') return undefined;
	const number = Number(text);
	if (!Number.isInteger(number)) throw new Error(`${name} must be a whole number, not "${text}"`);
	return number;
}

/** Registers the test of one share, counted from 1. */
export function describeShare(share: number): void {
	const seed = (numberFrom('SEED') ?? Date.now() % 2 ** 31) + share;
	const all = numberFrom('SCHEDULES') ?? DEFAULT_SCHEDULES;
	const numRuns = Math.ceil(all / SHARES);
	const path = process.env.SCHEDULE_PATH;
	const tally = new Tally(`schedules ${share}`, numRuns);
	let stage: Stage;

	beforeAll(async () => {
		stage = await openStage();
	});
	afterAll(async () => {
		tally.close();
		await stage.close();
	});

	it(
		`${numRuns} random schedules keep the promise`,
		async () => {
			process.stdout.write(`faults, schedules ${share}: SEED=${seed - share}\n`);
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
				seed,
				numRuns,
				...(path && { path }),
			});
			if (!found.failed) return;
			throw new Error(
				[
					`After ${found.numRuns} schedules; again with SEED=${seed - share}${found.counterexamplePath ? `, this one alone with SCHEDULE_PATH=${found.counterexamplePath}` : ''} -t "share ${share}"`,
					found.errorInstance instanceof Error ? found.errorInstance.message : '',
				].join('\n'),
			);
		},
		TIME_LIMIT_MS,
	);
}
