// What use has shown: the small input of each fault that this suite can see, and members of its kind, as schedules.
// To add one, copy the schedule that a failing test prints into test/fixtures/faults/regressions.json.
import { PLAIN, readFixture, type Schedule } from './schedule.cjs';

const given: Array<{ topic: string; what: string; schedule: Partial<Schedule> }> =
	readFixture('regressions');

export const REGRESSIONS = given.map(({ topic, what, schedule }) => ({
	topic,
	what,
	schedule: {
		...PLAIN,
		...schedule,
		endings: { ...PLAIN.endings, ...schedule.endings },
	},
}));
