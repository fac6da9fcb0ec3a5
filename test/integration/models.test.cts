// Every operation with the models of version 2, alone and mixed with the first one: where requests go, what they hold, and
// what comes out.
import type { Order } from '../support/engine.cjs';
import { CONTINUE, NO_FILE, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld({ taskSeconds: 20 });
const { run, waitFor, posts, reads, ids } = world;

type Row = Record<string, unknown>;
/** One item for each row; model, duration and resolution come from it. */
const runRows = async (rows: readonly Row[], parameters: Order['parameters'] = {}, order = {}) =>
	await run(
		{
			prompt: 'A boat',
			model: '={{ $json.model }}',
			...NO_FILE,
			...parameters,
		},
		{ items: rows.map((json) => ({ json: Object(json) })), ...order },
	);

it.each([
	[
		'seedance-2.0',
		'{"model":"seedance-2.0","prompt":"A boat","aspect_ratio":"9:16","duration":5,"public":false}',
		240,
	],
	[
		'seedance-2.0-fast',
		'{"model":"seedance-2.0-fast","prompt":"A boat","aspect_ratio":"9:16","duration":5,"public":false}',
		160,
	],
	[
		'seedance-2-mini',
		'{"model":"seedance-2-mini","prompt":"A boat","aspect_ratio":"9:16","resolution":"720p","duration":5,"public":false}',
		154,
	],
])(
	'Generate and Wait makes a video of %s at /v2 and hands it on as a file',
	async (model, body, credits) => {
		const { json, items } = await run({ prompt: 'A boat', model });
		const [task_id] = ids();
		const priced = { consumed_credits: credits, estimated_credits: credits };
		expect(json).toMatchObject([{ task_id, model, succeeded: true, ...priced }]);
		expect(posts().map((post) => [post.version, post.body])).toEqual([[2, body]]);
		expect(new Set(reads().map(({ version }) => version))).toEqual(new Set([2]));
		expect(items[0].binary?.data).toMatchObject({
			fileName: `${task_id}.mp4`,
			mimeType: 'video/mp4',
		});
		expect(world.sandbox.ledger.spent).toBe(credits);
	},
);

it('rows choose their models: the default of each field counts where the model takes it, and all are watched together', async () => {
	const models = ['seedance-v1', 'seedance-2.0', '', 'seedance-2-mini'];
	const { json } = await runRows(models.map((model) => ({ model })));
	const made = ['seedance-v1', 'seedance-2.0', 'seedance-v1', 'seedance-2-mini'];
	expect(json.map(({ model, succeeded }) => [model, succeeded])).toEqual(
		made.map((model) => [model, true]),
	);
	expect(posts().map(({ version }) => version)).toEqual([1, 2, 1, 2]);
	expect(json.map(({ estimated_credits }) => estimated_credits)).toEqual([28, 240, 28, 246]);
});

it('what a model does not take is refused before anything is sent, with the item that holds it', async () => {
	const rows = [
		{ model: 'seedance-2.0', seconds: 5 },
		{ model: 'seedance-2.0', seconds: 8 },
	];
	const failed = await world.failure(
		{ prompt: 'A boat', model: '={{ $json.model }}', duration: '={{ $json.seconds }}' },
		{ items: rows.map((json) => ({ json })) },
	);
	const text = `${failed.message} ${failed.description}`;
	expect(text).toContain(
		'Duration "8" is not supported by Seedance 2.0. Allowed: 5, 10, 15 seconds.',
	);
	expect(text).toContain('item 1');
	expect(posts()).toEqual([]);
	const { json } = await runRows(rows, { duration: '={{ $json.seconds }}' }, { node: CONTINUE });
	expect(json.map(({ error_code, succeeded }) => error_code ?? succeeded)).toEqual([
		true,
		'invalid_input',
	]);
});

it('a bare task ID is found in either version, and read where it was found', async () => {
	const { json } = await runRows([{ model: 'seedance-v1' }, { model: 'seedance-2.0' }], {
		operation: 'generate',
	});
	const taskIds = json.map(({ task_id }) => String(task_id));
	const [first, second] = taskIds;
	const ended = await waitFor(taskIds);
	expect(ended.json).toMatchObject([
		{ task_id: first, model: 'seedance-v1', succeeded: true, estimated_credits: 28 },
		{ task_id: second, model: 'seedance-2.0', succeeded: true, estimated_credits: 240 },
	]);
	const asked = reads(second).map(({ version }) => version);
	expect(asked[0]).toBe(1);
	expect(new Set(asked.slice(1))).toEqual(new Set([2]));
	expect(new Set(reads(first).map(({ version }) => version))).toEqual(new Set([1]));
});

it('the Timeout of a bare task ID is that of its model, once a read has shown it', async () => {
	Object.assign(world.n8n, { clockSpeed: 400 });
	world.sandbox.speed = 400;
	world.sandbox.tasks.taskSeconds = 20 * 60;
	const { json } = await runRows([{ model: 'seedance-v1' }, { model: 'seedance-2.0' }], {
		operation: 'generate',
	});
	const ended = await waitFor(json.map(({ task_id }) => String(task_id)));
	expect(ended.json.map(({ error_code, succeeded }) => error_code ?? succeeded)).toEqual([
		'timeout',
		true,
	]);
	expect(ended.json[0].error_message).toContain('15 minutes');
});

it('with a base URL that does not end in /v1, the models of version 2 are refused, and nothing is spent', async () => {
	world.setCredential({ baseUrl: `${world.sandbox.origin}/v1/proxy` });
	const { json } = await runRows([{ model: 'seedance-2.0' }], {}, { node: CONTINUE });
	expect(json).toMatchObject([{ error_code: 'invalid_input', charged: 'no' }]);
	expect(json[0].error_message).toContain('Seedance 2.0 is served at /v2');
	expect(posts()).toEqual([]);
});

it('Get Cost Estimate knows every model', async () => {
	const items = [{ json: { model: 'seedance-2.0-fast' } }, { json: { model: 'seedance-2-mini' } }];
	const { json } = await run({ operation: 'estimateCost', model: '={{ $json.model }}' }, { items });
	expect(json).toEqual([
		{
			estimated_credits: 160,
			model: 'seedance-2.0-fast',
			resolution: null,
			duration: '5',
			generate_audio: false,
		},
		{
			estimated_credits: 246,
			model: 'seedance-2-mini',
			resolution: '720p',
			duration: '8',
			generate_audio: false,
		},
	]);
});
