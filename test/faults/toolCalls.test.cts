// An agent calls the node as its tool, several times in the same answer: equal calls share one POST and its answer.
import * as fc from 'fast-check';

import { complaintOf, Tally } from './tally.cjs';
import { fate, fault } from './random.cjs';
import { NAMES, ON_ERROR, PLAIN, type Schedule } from './schedule.cjs';
import { seedOf } from './seeds.cjs';
import { openStage, type Stage } from './stage.cjs';
import { judgeCalls, performCalls, type Calls } from './toolCalls.cjs';

const COUNT = 200;
const TIME_LIMIT_MS = 10 * 60_000;
const EQUAL: Calls = {
	operation: 'generateAndWait',
	calls: [
		{ name: 'apple', after: 0 },
		{ name: 'apple', after: 0 },
	],
	fates: PLAIN.fates,
	faults: [],
	retryOnFail: false,
	onError: 'stopWorkflow',
	affordable: null,
};

const calls: fc.Arbitrary<Calls> = fc.record({
	operation: fc.constantFrom<Calls['operation'][]>('generateAndWait', 'generate'),
	calls: fc.array(
		fc.record({
			name: fc.constantFrom(...NAMES.slice(0, 2)),
			after: fc.constantFrom(0, 0, 0, 1, 4, 40),
		}),
		{ minLength: 2, maxLength: 4, size: 'max' },
	),
	fates: fc
		.record({ apple: fate, birch: fate })
		.map((own): Schedule['fates'] => ({ ...PLAIN.fates, ...own })),
	faults: fc.array(fault, { maxLength: 2, size: 'max' }),
	retryOnFail: fc.boolean(),
	onError: fc.constantFrom(...ON_ERROR),
	affordable: fc.constantFrom(null, null, null, 0, 1),
});

let stage: Stage;
const tally = new Tally('tool calls', COUNT + 4);

beforeAll(async () => {
	stage = await openStage();
});
afterAll(async () => {
	tally.close();
	await stage.close();
});

async function play(plan: Calls): Promise<string> {
	const run = await performCalls(stage, plan);
	const verdict = judgeCalls(stage, plan, run);
	tally.add(stage, { episodes: [], earlierPosts: 0, callbacks: 0 }, verdict);
	return verdict.violations.length ? complaintOf(plan, verdict) : '';
}

it('pays once for two equal calls of the same moment', async () => {
	expect(await play(EQUAL)).toBe('');
	expect(stage.book.posts).toHaveLength(1);
});

it('pays once for an equal call that comes while the first one is under way', async () => {
	const [first, second] = EQUAL.calls;
	const faults = [
		{ route: 'generate', name: null, fault: { kind: 'delay', ms: 30 }, times: 1 },
	] as const;
	expect(
		await play({ ...EQUAL, faults: [...faults], calls: [first, { ...second, after: 4 }] }),
	).toBe('');
	expect(stage.book.posts).toHaveLength(1);
});

it('tells both of two equal calls when the answer to their one POST is lost', async () => {
	const fault = {
		route: 'generate',
		name: null,
		fault: { kind: 'accept-then-reset' },
		times: 1,
	} as const;
	expect(await play({ ...EQUAL, faults: [fault] })).toBe('');
	expect(stage.book.posts).toHaveLength(1);
});

it('pays for each of two different calls of the same moment', async () => {
	const [first, second] = EQUAL.calls;
	expect(await play({ ...EQUAL, calls: [first, { ...second, name: 'birch' }] })).toBe('');
	expect(stage.book.posts).toHaveLength(2);
});

it(
	`${COUNT} groups of calls at random keep the promise`,
	async () => {
		const seed = seedOf();
		process.stdout.write(`faults, tool calls: SEED=${seed}\n`);
		await fc.assert(
			fc.asyncProperty(calls, async (plan) => expect(await play(plan)).toBe('')),
			{ seed, numRuns: COUNT },
		);
	},
	TIME_LIMIT_MS,
);
