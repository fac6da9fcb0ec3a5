// An agent calls the node as its tool, several times in the same turn: equal calls share one POST and its response.
import * as fc from '../support/fastCheck.cjs';
import { ending, fault, NAMES, ON_ERROR, PLAIN, type Schedule } from './schedule.cjs';
import { ALL } from './seeds.cjs';
import { describeFailure, Suite } from './suite.cjs';
import { checkToolCalls, EQUAL, type Calls } from './toolCalls.cjs';

const COUNT = 200;
const TIME_LIMIT_MS = 10 * 60_000;

const calls: fc.Arbitrary<Calls> = fc.record({
	operation: fc.constantFrom<Calls['operation'][]>('generateAndWait', 'generate'),
	calls: fc.array(
		fc.record({
			name: fc.constantFrom(...NAMES.slice(0, 2)),
			after: fc.constantFrom(0, 0, 0, 1, 4, 40),
		}),
		{ minLength: 2, maxLength: 4, size: 'max' },
	),
	endings: fc
		.record({ apple: ending, birch: ending })
		.map((own): Schedule['endings'] => ({ ...PLAIN.endings, ...own })),
	faults: fc.array(fault, { maxLength: 2, size: 'max' }),
	retryOnFail: fc.boolean(),
	onError: fc.constantFrom(...ON_ERROR),
	affordable: fc.constantFrom(null, null, null, 0, 1),
});

const [first, second] = EQUAL.calls;
const on = (fault: Schedule['faults'][number]['fault']): Schedule['faults'] => [
	{ route: 'generate', name: null, fault, times: 1 },
];

const suite = new Suite('tool calls');

async function check(plan: Calls): Promise<void> {
	const report = await checkToolCalls(suite.harness, plan);
	suite.count({ segments: [], earlierPosts: 0, callbacks: 0 }, report);
	expect(describeFailure(plan, report)).toBe('');
}

it.each<[string, number, Partial<Calls>]>([
	['pays once for two equal calls of the same moment', 1, {}],
	[
		'pays once for an equal call that comes while the first one is in flight',
		1,
		{ faults: on({ kind: 'delay', ms: 30 }), calls: [first, { ...second, after: 4 }] },
	],
	[
		'pays once for two equal calls whose POST has a lost response, and reports it to both',
		1,
		{ faults: on({ kind: 'accept-then-reset' }) },
	],
	[
		'pays for each of two different calls of the same moment',
		2,
		{ calls: [first, { ...second, name: 'birch' }] },
	],
])('%s', async (_what, posts, plan) => {
	await check({ ...EQUAL, ...plan });
	expect(suite.harness.requests.posts).toHaveLength(posts);
});

it('keeps the promise where n8n mixes up the arguments of two calls at a retry', async () => {
	await check({
		...EQUAL,
		calls: [{ name: 'birch', after: 4 }, first],
		faults: [{ route: 'generate', name: 'birch', fault: { kind: 'hang' }, times: 1 }],
		retryOnFail: true,
		affordable: 0,
	});
	expect(suite.harness.sandbox.ledger.charges()).toEqual([]);
});

it(
	`${COUNT} groups of calls at random keep the promise`,
	async () => {
		const [seed] = ALL.seeds;
		process.stdout.write(`faults, tool calls: SEED=${seed}\n`);
		await fc.assert(fc.asyncProperty(calls, check), { seed, numRuns: COUNT });
	},
	TIME_LIMIT_MS,
);
