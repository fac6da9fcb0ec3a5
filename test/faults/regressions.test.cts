// Each regression that this suite can see, as a schedule that runs and is checked.
import { openHarness, type Harness } from './harness.cjs';
import { checkTrace } from './oracle.cjs';
import { REGRESSIONS } from './regressions.cjs';
import { runSchedule } from './runner.cjs';
import { describeFailure, Stats } from './stats.cjs';

let harness: Harness;
const stats = new Stats('regressions', REGRESSIONS.length);

beforeAll(async () => {
	harness = await openHarness();
});
afterAll(async () => {
	stats.close();
	await harness.close();
});

it.each(REGRESSIONS)(
	'$topic: $what',
	async ({ schedule }) => {
		const trace = await runSchedule(harness, schedule);
		const report = checkTrace(harness, trace);
		stats.add(harness, trace, report);
		expect(describeFailure(schedule, report)).toBe('');
	},
	180_000,
);
