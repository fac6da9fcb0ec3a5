// Each finding that this suite can see, as a schedule that is played and judged.
import { FINDINGS } from './findings.cjs';
import { judge } from './judge.cjs';
import { perform } from './perform.cjs';
import { PLAIN } from './schedule.cjs';
import { openStage, type Stage } from './stage.cjs';
import { complaint, Tally } from './tally.cjs';

let stage: Stage;
const tally = new Tally('findings', FINDINGS.length);

beforeAll(async () => {
	stage = await openStage();
});
afterAll(async () => {
	tally.close();
	await stage.close();
});

it.each(FINDINGS)(
	'%i: %s',
	async (_number, _what, part) => {
		const story = await perform(stage, { ...PLAIN, ...part });
		const verdict = judge(stage, story);
		tally.add(stage, story, verdict);
		expect(verdict.violations.length ? complaint(story, verdict) : '').toBe('');
	},
	180_000,
);
