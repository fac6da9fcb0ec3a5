// Random schedules of several executions that share a list of videos, and those in which a fault was found once.
import { checkListTrace } from './listOracle.cjs';
import {
	LIST_REGRESSIONS,
	listRunner,
	listSchedules,
	type ListSchedule,
} from './listSchedules.cjs';
import { describeSeeds } from './schedules.cjs';
import { ALL_OF_LIST } from './seeds.cjs';
import { describeFailure, Suite } from './suite.cjs';

const suite = new Suite('list of videos');
let run: ReturnType<typeof listRunner>;
beforeAll(() => (run = listRunner(suite.harness)));

async function check(schedule: ListSchedule, isCounted: boolean): Promise<string> {
	const trace = await run(schedule);
	const violations = checkListTrace(suite.harness, trace);
	if (isCounted) {
		suite.add('runs', trace.executions.length);
		suite.add('POSTs', trace.posts.length);
		suite.add('charges', trace.posts.filter(({ entry }) => entry.accepted).length);
		for (const { met } of trace.executions) if (met) suite.add(`interruptions: ${met}`, 1);
		suite.countSchedule(violations);
	}
	return describeFailure(schedule, { violations });
}

it.each(LIST_REGRESSIONS)(
	'$topic: $what',
	async ({ schedule }) => {
		expect(await check(schedule, true)).toBe('');
	},
	60_000,
);

const { seeds, schedules } = ALL_OF_LIST;
describeSeeds({
	...{ name: suite.name, drawn: listSchedules, seeds, check },
	numRuns: Math.ceil(schedules / seeds.length),
});
