// The node as a tool of an AI agent: JSON only, and nothing that makes a model pay for the same video again.
import { SEEDANCE_TOOL } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const TOOL = { type: SEEDANCE_TOOL };
const ask = async (parameters = {}, node = {}) =>
	await world.run({ prompt: 'A boat', ...parameters }, { node: { ...TOOL, ...node } });

it('answers with the link and downloads nothing', async () => {
	const run = await ask({ downloadVideo: true, simplify: false });
	expect(run.json[0]).toMatchObject({
		task_id: ids()[0],
		succeeded: true,
		video_url: expect.stringContaining(ids()[0]),
	});
	expect(run.items[0]).not.toHaveProperty('binary');
	expect(world.sandbox.ledger.videoReads()).toHaveLength(0);
});

it('tells a model to look later when the video is not ready in time', async () => {
	const run = await ask({ prompt: '[never]', options: { timeout: 0.1 } });
	expect(run.status).toBe('success');
	expect(run.json[0]).toMatchObject({
		task_id: ids()[0],
		status: 'IN_PROGRESS',
		error_code: 'timeout',
		next_step:
			'Already started and charged. Do not generate again. Use Get Status with this task_id in 1 to 2 minutes.',
	});
});

it('tells a model to look later when contact is lost', async () => {
	world.sandbox.faults.on('status', { kind: 'server-error' }, { times: 'always' });
	const run = await ask({ options: { timeout: 1 } });
	expect(run.json[0]).toMatchObject({
		error_code: 'contact_lost',
		next_step: expect.stringContaining('Do not generate again.'),
	});
});

it('tells a model not to generate again what may have been accepted', async () => {
	world.sandbox.faults.on('generate', { kind: 'accept-then-reset' });
	const run = await ask();
	expect(run.json[0]).toMatchObject({
		error_code: 'maybe_created',
		charged: 'unknown',
		next_step: expect.stringContaining('It may have been started and charged.'),
	});
	expect(posts()).toHaveLength(1);
});

it.each(['continueRegularOutput', 'continueErrorOutput'] as const)(
	'gives the same answer with On Error = %s',
	async (onError) => {
		const run = await ask({ prompt: '[never]', options: { timeout: 0.1 } }, { onError });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], next_step: expect.any(String) });
	},
);

it('fails for a failed task, so that the model changes its prompt', async () => {
	expect(failureOf(await ask({ prompt: '[fail]' })).context).toMatchObject({
		error_code: 'task_failed',
	});
});

it('knows the same request again in a later run of the same execution', async () => {
	world.sandbox.faults.on('status', { kind: 'failed' }, { times: 'always' });
	const run = await ask({}, { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 });
	expect(failureOf(run).context).toMatchObject({ error_code: 'task_failed' });
	expect(posts()).toHaveLength(1);
	expect(run.contextData.seedance).toMatchObject({ version: 2 });
	expect(Object.keys(Object(Object(run.contextData.seedance).tasks))).toEqual([
		expect.stringMatching(/^[0-9a-f]{64}$/),
	]);
});

it('makes one video of two equal calls', async () => {
	const run = await world.runPrompts(['A boat', 'A boat', 'A car'], {
		parameters: { operation: 'generate' },
		node: TOOL,
	});
	expect(posts()).toHaveLength(2);
	expect(run.json.map(({ task_id }) => task_id)).toEqual([ids()[0], ids()[0], ids()[1]]);
	expect(run.json[0]).toMatchObject({
		status: 'IN_PROGRESS',
		next_step: expect.stringContaining('Do not generate again.'),
	});
});

it('sends the second of two equal calls no more when the outcome of the first is not known', async () => {
	world.sandbox.faults.on('generate', { kind: 'accept-then-reset' });
	const run = await world.runPrompts(['A boat', 'A boat'], {
		node: { ...TOOL, onError: 'continueRegularOutput' },
	});
	expect(posts()).toHaveLength(1);
	expect(run.json.map(({ error_code }) => error_code)).toEqual(['maybe_created', 'maybe_created']);
});

it('tells a model to look later at a running video', async () => {
	const taskId = await world.existingTask({ prompt: '[never]' });
	const run = await ask({ operation: 'status', taskId });
	expect(run.json[0]).toMatchObject({
		status: 'IN_PROGRESS',
		next_step: expect.stringContaining('Use Get Status'),
	});
});
