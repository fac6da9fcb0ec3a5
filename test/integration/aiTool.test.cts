// The node as a tool of an AI agent: JSON only, and nothing that makes a model pay for the same video again.
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { DataTables } from '../support/dataTables.cjs';
import { SEEDANCE_TOOL, type Order } from '../support/engine.cjs';
import { all, CONTINUE, RETRY_ON_FAIL, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, fault, posts, ids } = world;
const ask = async (parameters: Order['parameters'] = {}, node: Order['node'] = {}) =>
	await run({ prompt: 'A boat', ...parameters }, { node: { type: SEEDANCE_TOOL, ...node } });
const NOT_AGAIN = { next_step: expect.stringContaining('Do not generate again.') };

describe('the output for a model', () => {
	it('is the link, without a download and without hints', async () => {
		const { items, json, hints } = await ask({ downloadVideo: true, simplify: false });
		const video_url = expect.stringContaining(ids()[0]);
		expect(json[0]).toMatchObject({ task_id: ids()[0], succeeded: true, video_url });
		expect(items[0]).not.toHaveProperty('binary');
		expect(world.sandbox.ledger.videoReads()).toHaveLength(0);
		expect(hints).toEqual([]);
	});

	it.each<[string, Order['node']]>([
		['Stop', {}],
		['Continue', CONTINUE],
		['the error output', { onError: 'continueErrorOutput' }],
	])('is to read later when the time was up, with On Error = %s', async (_, node) => {
		const { status, json, hints } = await ask(
			{ prompt: '[never]', options: { timeout: 0.1 } },
			node,
		);
		expect([status, hints]).toEqual(['success', []]);
		expect(json[0]).toMatchObject({
			task_id: ids()[0],
			status: 'IN_PROGRESS',
			error_code: 'timeout',
			next_step:
				'Already started and charged. Do not generate again. Use Get Status with this task_id in 1 to 2 minutes.',
		});
	});

	it('is to read later at a video that Get Status finds running', async () => {
		const taskId = await world.existingTask({ prompt: '[never]' });
		const next_step = expect.stringContaining('Use Get Status');
		const { json } = await ask({ operation: 'status', taskId });
		expect(json[0]).toMatchObject({ status: 'IN_PROGRESS', next_step });
	});

	it('is not to generate again what may have been accepted', async () => {
		fault('generate', { kind: 'accept-then-reset' });
		const next_step = expect.stringContaining('It may have been started and charged.');
		const unclear = { error_code: 'maybe_created', charged: 'unknown', next_step };
		expect((await ask()).json[0]).toMatchObject(unclear);
		expect(posts()).toHaveLength(1);
	});

	it('is the error of a failed task, which Retry On Fail does not restart', async () => {
		const node = { type: SEEDANCE_TOOL, ...RETRY_ON_FAIL };
		const { context } = await failure({ prompt: '[fail]' }, { node });
		expect(context).toMatchObject({ error_code: 'task_failed' });
		expect(posts()).toHaveLength(1);
	});
});

it('is remembered under keys that reveal nothing of the request', async () => {
	const { contextData } = await ask({ operation: 'generate' });
	expect(contextData.seedance).toMatchObject({ version: 2 });
	expect(Object.keys(Object(Object(contextData.seedance).tasks))).toEqual([
		expect.stringMatching(/^[0-9a-f]{64}$/),
	]);
});

describe('equal items of one call', () => {
	it('are one video', async () => {
		const node = { type: SEEDANCE_TOOL };
		const parameters = { operation: 'generate' };
		const { json } = await runPrompts(['A boat', 'A boat', 'A car'], { parameters, node });
		expect(json.map(({ task_id }) => task_id)).toEqual([ids()[0], ids()[0], ids()[1]]);
		expect(json[0]).toMatchObject({ status: 'IN_PROGRESS', ...NOT_AGAIN });
		expect(posts()).toHaveLength(2);
	});
});

describe('an agent that calls the tool', () => {
	const PROMPT = { prompt: '={{ $fromAI("prompt", "", "string") }}' };
	const GENERATE = { operation: 'generate' };
	type Calls = NonNullable<Order['toolCalls']>;
	const call = async (toolCalls: Calls, parameters: Order['parameters'] = GENERATE, node = {}) => {
		const { reached } = await run({ ...PROMPT, ...parameters }, { toolCalls, node });
		return reached('Agent')?.map(({ json }) => Object([json.answer ?? json].flat()[0])) ?? [];
	};
	const boat = { values: { prompt: 'A boat' } };
	const boats = (...at: number[]) => at.map((afterMs) => ({ ...boat, afterMs }));
	const duration = '={{ $fromAI("duration", "", "string") }}';

	it.each<[string, Calls, Order['parameters']]>([
		['twice in the same turn', [boat, boat], GENERATE],
		['twice in the same turn, with a wait', [boat, boat], { operation: 'generateAndWait' }],
		['twice, 5 ms apart', boats(0, 5), GENERATE],
		['five times, while the POST is in flight and after it', boats(0, 0, 10, 60, 100), GENERATE],
		[
			'with the same values in another form',
			['8', ' 8s ', '8'].map((text) => ({ values: { prompt: 'A boat', duration: text } })),
			{ ...GENERATE, duration },
		],
	])('%s starts one video, and every call gets its ID', async (_, calls, parameters) => {
		fault('generate', { kind: 'delay', ms: 40 });
		const responses = await call(calls, parameters);
		expect(responses).toMatchObject(all(calls.length, { task_id: ids()[0] }));
		expect(responses[1]).not.toHaveProperty('error_code');
		expect(posts()).toHaveLength(1);
	});

	it('twice in the same turn has one row in the list of videos', async () => {
		fault('generate', { kind: 'delay', ms: 40 });
		const tables = new DataTables();
		await run({ ...PROMPT, ...GENERATE }, { toolCalls: [boat, boat], tables });
		expect(posts()).toHaveLength(1);
		expect(tables.find(TABLE)?.rows).toMatchObject([{ task_id: ids()[0], handed_on: true }]);
	});
});
