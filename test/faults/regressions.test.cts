// Each regression that this suite can see, as a schedule that runs and is checked.
import { REGRESSIONS } from './schedule.cjs';
import { Suite } from './suite.cjs';

const suite = new Suite('regressions');

it.each(REGRESSIONS)(
	'$topic: $what',
	async ({ schedule }) => {
		expect(await suite.check(schedule)).toBe('');
	},
	180_000,
);
