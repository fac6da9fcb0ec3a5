// Each operation of the Seedance node in n8n's engine: what is sent, byte for byte, and what comes out.
import type { IDataObject } from 'n8n-workflow';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { operationOptions } from '../../nodes/Seedance/operations';
import { metadataIn } from '../../nodes/shared/callback/signature';
import type { Order } from '../support/engine.cjs';
import { all, CONTINUE, NO_FILE, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, runPrompts, existingTask, existingTasks, waitFor, fault, posts, ids } = world;
const GENERATE = { operation: 'generate', prompt: 'A boat' };
const bodies = () => posts().map(({ body }) => body);
const generate = async (prompts: readonly unknown[], parameters: Order['parameters'] = {}) =>
	await runPrompts(prompts, { parameters: { operation: 'generate', ...parameters } });

describe('Generate and Wait', () => {
	it('makes a video, waits for it and hands it on as a file', async () => {
		const { status, items, json, reached } = await run({ prompt: 'A boat' });
		const [id] = ids();
		expect(status).toBe('success');
		const ended = { task_id: id, status: 'SUCCESS', finished: true, succeeded: true };
		const video_url = `${world.sandbox.origin}/videos/${id}.mp4`;
		const credits = { consumed_credits: 28, estimated_credits: 28 };
		expect(json).toMatchObject([{ ...ended, video_url, prompt: 'A boat', ...credits }]);
		expect(json[0].created_at).toMatch(/^\d{4}-\d\d-\d\dT/);
		const file = { fileName: `${id}.mp4`, mimeType: 'video/mp4', bytes: 200_000 };
		expect(items[0].binary?.data).toMatchObject(file);
		expect(reached('After')).toHaveLength(1);
		expect(world.sandbox.ledger.spent).toBe(28);
	});

	it('is what runs when no operation was chosen, and sends no Callback URL', async () => {
		const callbackUrl = 'http://127.0.0.1:9/webhook/some-id/webhook';
		const { json } = await world.n8n.run({ parameters: { prompt: 'A boat', callbackUrl } });
		expect(json[0]).toMatchObject({ succeeded: true });
		expect(bodies()[0]).not.toContain('callback_url');
	});

	it('watches several videos together instead of one after the other, and keeps their order', async () => {
		// Slow enough for a busy machine to read them all before the first one ends.
		world.n8n.clockSpeed = 25;
		world.sandbox.speed = 25;
		const prompts = ['slow 0', 'fast 1', 'slow 2', 'fast 3', 'slow 4', 'slow 5'];
		world.sandbox.tasks.taskSeconds = ({ prompt }) => (prompt.startsWith('slow') ? 50 : 5);
		const { json, items } = await runPrompts(prompts);
		// One after the other, the last would not be read before the first has ended.
		const slow = world.sandbox.tasks.all().filter(({ order }) => order.prompt.startsWith('slow'));
		const firstEnd = Math.min(...slow.map(({ endedAt }) => endedAt ?? 0));
		const early = world.reads().filter(({ at }) => at < firstEnd);
		expect(new Set(early.map(({ taskId }) => taskId))).toEqual(new Set(ids()));
		expect(json.map(({ prompt }) => prompt)).toEqual(prompts);
		expect(items.map(({ pairedItem }) => pairedItem)).toEqual(prompts.map((_, item) => ({ item })));
		const files = items.map(({ binary }) => binary?.data.fileName);
		expect(files).toEqual(ids().map((id) => `${id}.mp4`));
	});
});

describe('the request', () => {
	it('has prompt, ratio, resolution and duration always, and nothing that is not set', async () => {
		await run(GENERATE);
		await run({
			...GENERATE,
			imageSource: 'url',
			imageUrl: 'http://127.0.0.1/a.png',
			aspectRatio: '21:9',
			resolution: '480p',
			duration: '12',
			generateAudio: true,
			fixedLens: true,
		});
		expect(bodies()).toEqual([
			'{"prompt":"A boat","aspect_ratio":"9:16","resolution":"720p","duration":"8"}',
			'{"prompt":"A boat","aspect_ratio":"21:9","resolution":"480p","duration":"12","generate_audio":true,"fixed_lens":true,"image_urls":["http://127.0.0.1/a.png"]}',
		]);
	});
});

describe('Generate Without Waiting', () => {
	it('gives the task ID at once, and what the request says of the video', async () => {
		const running = { status: 'IN_PROGRESS', finished: false, succeeded: false };
		const unread = { video_url: null, consumed_credits: null, created_at: null };
		expect((await run(GENERATE)).json).toMatchObject([
			{ task_id: ids()[0], ...running, ...unread, prompt: 'A boat', estimated_credits: 28 },
		]);
		expect(world.reads()).toHaveLength(0);
	});

	it('writes every task ID to the log, with credential, execution and item', async () => {
		const { logs, id: execution } = await generate(['a', 'b']);
		const lines = logs.filter(({ level }) => level === 'info').map(({ text }) => text);
		const where = `credential "Main account", execution ${execution}`;
		expect(lines).toEqual(
			ids().map((id, item) => `Seedance task ${id} created (${where}, item ${item})`),
		);
	});

	it('pauses between groups of Items per Batch', async () => {
		const batch = { batchSize: 2, batchInterval: 15_000 };
		await generate(['a', 'b', 'c', 'd', 'e'], { options: { batching: { batch } } });
		const at = posts().map((post) => post.at);
		expect(at).toHaveLength(5);
		expect(at[2] - at[1]).toBeGreaterThanOrEqual(145);
		expect(at[4] - at[3]).toBeGreaterThanOrEqual(145);
	});
});

describe('a Callback URL', () => {
	/** The sandbox is on this machine, so the API may be given an address that only exists here. */
	const HOOK = 'http://127.0.0.1:9/webhook/some-id/webhook';
	const urls = () => world.sandbox.tasks.all().map(({ order }) => order.callback_url ?? '');
	const queries = () => urls().map((url) => new URL(url).searchParams);
	const metadata = () => queries().map((query) => metadataIn(Object.fromEntries(query)));
	const withValues = (values: IDataObject) => ({
		...GENERATE,
		callbackUrl: HOOK,
		callbackMetadata: {
			values: Object.entries(values).map(([name, value]) => ({ name, value: String(value) })),
		},
	});
	beforeEach(() => {
		world.sandbox.callbacks.plan = { ...world.sandbox.callbacks.plan, never: true };
	});

	it('is signed for each item with its own metadata, and not sent where the field is empty', async () => {
		const items = [{ row: 2 }, { row: [1, { a: 1 }] }].map((json) => ({ json }));
		await run(withValues({ row: '={{ $json.row }}', none: '={{ $json.none }}', typed: '5' }), {
			items,
		});
		const others = { none: null, typed: '5' };
		expect(metadata()).toEqual(items.map(({ json }) => ({ ...json, ...others })));
		const form =
			/^http:\/\/127\.0\.0\.1:9\/webhook\/some-id\/webhook\?seedance_meta=.+&seedance_sig=[\w-]{43}$/;
		expect(urls()).toEqual(all(2, expect.stringMatching(form)));
		expect(new Set(queries().map((query) => query.get('seedance_sig'))).size).toBe(2);

		const hooks = ['', HOOK].map((hook) => ({ json: { hook } }));
		await run({ ...GENERATE, callbackUrl: '={{ $json.hook }}' }, { items: hooks });
		expect(bodies()[2]).not.toContain('callback_url');
		expect(urls()[3]).toContain('seedance_sig=');
	});

	it('is shown signed to nobody but the API, also not when the API repeats it', async () => {
		const message = `Cannot use ${HOOK}?seedance_sig=${'s'.repeat(43)}`;
		fault('generate', { kind: 'refuse-with', status: 400, body: { code: 400, message } });
		const refused = await run({ ...GENERATE, callbackUrl: HOOK });
		expect(refused.error?.message).toContain('Cannot use');
		expect(refused.everything).not.toContain('s'.repeat(43));

		const started = await run({ ...GENERATE, callbackUrl: HOOK, simplify: false });
		const read = await run({ operation: 'status', taskId: ids()[0], simplify: false });
		const signature = queries()[0].get('seedance_sig') ?? '';
		expect(signature).toHaveLength(43);
		expect(started.everything + read.everything).not.toContain(signature);
		expect(read.json[0]).toHaveProperty('request.prompt');
	});
});

describe('Get Status', () => {
	it('reports a failed video as a result, not as an error', async () => {
		const taskId = await world.finishedTask({ status: 'FAILED', errorMessage: 'Not allowed' });
		const { status, json } = await run({ operation: 'status', taskId });
		expect(status).toBe('success');
		const failed = { status: 'FAILED', finished: true, succeeded: false };
		expect(json[0]).toMatchObject({ ...failed, error_message: 'Not allowed' });
		expect(json[0]).not.toHaveProperty('error_code');
	});

	it('takes the task ID of each item and downloads only on request', async () => {
		const tasks = [
			await world.finishedTask(),
			await world.finishedTask(undefined, { duration: '4' }),
		];
		const items = tasks.map((task_id) => ({ json: { task_id } }));
		const { json } = await run({ operation: 'status' }, { items });
		expect(json.map(({ task_id }) => task_id)).toEqual(tasks);
		expect(json.map(({ estimated_credits }) => estimated_credits)).toEqual([28, 14]);
		expect(world.sandbox.ledger.videoReads()).toHaveLength(0);
		const loaded = await run({ operation: 'status', downloadVideo: true }, { items });
		const names = loaded.items.map(({ binary }) => binary?.data.fileName);
		expect(names).toEqual(tasks.map((id) => `${id}.mp4`));
	});
});

describe('Wait for Video', () => {
	it('waits for tasks of an earlier workflow without paying again, also twice for the same', async () => {
		const [first, second] = await existingTasks(2);
		const { items, json } = await waitFor([first, second, first], { downloadVideo: true });
		const waited = [first, second, first].map((task_id) => ({ task_id, succeeded: true }));
		expect(json).toMatchObject(waited);
		expect(items.map(({ binary }) => binary?.data.bytes)).toEqual(all(3, 200_000));
		expect(posts()).toHaveLength(2);
	});

	it('says where it stops that it starts and costs nothing', async () => {
		for (const [operation, starts] of [
			['wait', false],
			['generateAndWait', true],
		] as const) {
			const taskId = await existingTask();
			const items = [taskId, ' '].map((id) => ({ json: { id, prompt: starts ? '[fail]' : 'a' } }));
			const fields = { operation, taskId: '={{ $json.id }}', prompt: '={{ $json.prompt }}' };
			const { description } = await world.failure(fields, { items });
			expect(/it starts no video and costs nothing/.test(description)).toBe(!starts);
		}
	});

	it('gives the raw response without the callback address when Simplify is off', async () => {
		const callback_url = `${world.sandbox.elsewhere.origin}/hook`;
		const taskId = await existingTask({ callback_url });
		const { json } = await run({ operation: 'wait', taskId, simplify: false });
		const response = [expect.stringContaining(`${taskId}.mp4`)];
		expect(json[0]).toMatchObject({ task_id: taskId, status: 'SUCCESS', response });
		expect(json[0]).not.toHaveProperty('request.callback_url');
	});
});

describe('Get Cost Estimate', () => {
	const FIELDS = { operation: 'estimateCost', duration: '={{ $json.seconds }}' };

	it('needs no credential and makes no request', async () => {
		const items = [4, '12'].map((seconds) => ({ json: { seconds } }));
		const parameters = { ...FIELDS, resolution: '480p', generateAudio: true };
		const ended = await run(parameters, { credential: null, items });
		const model = 'seedance-v1';
		expect(ended.json).toEqual([
			{ estimated_credits: 14, model, resolution: '480p', duration: '4', generate_audio: true },
			{ estimated_credits: 38, model, resolution: '480p', duration: '12', generate_audio: true },
		]);
		expect(ended.items.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 1 }]);
	});
});

describe('Include Other Input Fields', () => {
	const json = { row: 7, prompt: 'of the sheet', status: 'draft', error: 'an old one' };
	const items = [{ json: { ...json, keep: true } }, { json: { ...json, keep: false } }];
	const options = { includeInput: '={{ $json.keep }}' };
	const include = async (parameters: Order['parameters']) =>
		(await run({ prompt: 'A boat', ...NO_FILE, options, ...parameters }, { items, node: CONTINUE }))
			.json;

	it('adds the fields of the row for the items that want it, and those of Seedance win', async () => {
		const [kept, left] = await include({});
		const won = { prompt: 'A boat', status: 'SUCCESS', succeeded: true };
		expect(kept).toMatchObject({ row: 7, ...won });
		expect(kept).not.toHaveProperty('error');
		expect(left).not.toHaveProperty('row');
		expect((await include({ options: {} }))[0]).not.toHaveProperty('row');
	});

	it('adds them to a raw item and to a failed one as well', async () => {
		expect((await include({ simplify: false }))[0]).toMatchObject({ row: 7, status: 'SUCCESS' });
		const failed = { row: 7, succeeded: false, error_code: 'task_failed' };
		expect((await include({ prompt: '[fail]' }))[0]).toMatchObject(failed);
	});

	it.each<[string, Order['parameters']]>([
		['a prompt', { prompt: '={{ $json.none }}' }],
		['an option', { options: { ...options, timeout: '={{ "soon" }}' } }],
		['a Task ID', { operation: 'status', taskId: '={{ $json.none }}' }],
		['a field of its file', { downloadVideo: true, outputBinaryField: '={{ $json }}' }],
	])('adds them to an item that was refused for %s', async (_, parameters) => {
		const [kept, left] = await include(parameters);
		expect(kept).toMatchObject({ row: 7, error_code: 'invalid_input', succeeded: false });
		expect(left).toMatchObject({ error_code: 'invalid_input' });
		expect(left).not.toHaveProperty('row');
	});
});

// The output schemas from which the editor lets people map fields before a run, each against what the node really gives. n8n finds a
// schema by resource and operation alone, so it describes the simplified output.
describe('the schema of', () => {
	interface Schema {
		properties: Record<string, { type: string | string[]; enum?: unknown[] }>;
		required: string[];
	}
	const folder = join(__dirname, '../../nodes/Seedance/__schema__/v1.0.0/video');
	const schemaOf = (operation: string): Schema =>
		JSON.parse(readFileSync(join(folder, `${operation}.json`), 'utf8'));
	const typesOf = (value: unknown): string[] => {
		if (value === null) return ['null'];
		return Number.isInteger(value) ? ['integer', 'number'] : [typeof value];
	};

	/** How an item differs from its schema, one line for each field. */
	function differences(item: IDataObject, { properties, required }: Schema): string[] {
		const missing = required.filter((name) => !(name in item)).map((name) => `no ${name}`);
		const wrong = Object.entries(item).filter(([name, value]) => {
			const { type = [], enum: values = [value] } = properties[name] ?? {};
			return !typesOf(value).some((one) => type.includes(one)) || !values.includes(value);
		});
		return [...missing, ...wrong.map(([name, value]) => `${name} is ${String(value)}`)];
	}

	it.each(operationOptions.map(({ value }) => String(value)))(
		'%s fits all that the operation gives, and promises nothing else',
		async (operation) => {
			const items = [];
			for (const prompt of ['one', '[fail] two', '[never] three']) {
				items.push({ json: { prompt, task_id: await existingTask({ prompt }) } });
			}
			items.push({ json: { prompt: '', task_id: '' } });
			const tables = world.n8n.tables();
			if (operation === 'getAll') {
				const paid = { operation: 'generate', prompt: '={{ $json.prompt }}' };
				await run(paid, { items: items.splice(0, 3), tables, node: CONTINUE });
			}
			const isEstimate = operation === 'estimateCost';
			const { json } = await run(
				{
					operation,
					...(operation === 'getAll' && { filters: { includeManual: true } }),
					...(operation.startsWith('generate') && { prompt: '={{ $json.prompt }}' }),
					...(/AndWait|wait/.test(operation) && { options: { timeout: 1 } }),
				},
				{ items, node: CONTINUE, tables, ...(isEstimate && { credential: null }) },
			);
			const schema = schemaOf(operation);
			expect(json.length).toBeGreaterThanOrEqual(3);
			expect(json.flatMap((item) => differences(item, schema))).toEqual([]);
			const given = new Set(json.flatMap((item) => Object.keys(item)));
			expect([...given].sort()).toEqual(Object.keys(schema.properties).sort());
		},
	);
});

// Each call of the list takes n8n a twentieth of a second, and each row that is changed in it a part of that.
it.each([
	['generate', [], 1],
	// How long such videos took here is read in the same call.
	['generateAndWait', ['update,get'], 2],
])('%s writes each change of the list once, in few calls', async (operation, beforeWait, ends) => {
	const tables = world.n8n.tables();
	const items = ['one', 'two'].map((prompt) => ({ json: { prompt } }));
	await run({ operation, prompt: '={{ $json.prompt }}' }, { items, tables, mode: 'trigger' });
	const made = tables.calls.map(({ operations }) => operations.join());
	const send = ['update', 'update,update'];
	const finish = 'update,deleteRows,update';
	const cleanUp = made.slice(6 + beforeWait.length);
	expect(made).toEqual(['list', 'get', 'insert', ...send, ...beforeWait, finish, ...cleanUp]);
	expect(['', 'deleteRows']).toContain(cleanUp.join());
	expect(tables.calls[made.indexOf(finish)].items).toHaveLength(ends);
});

it('bids for Reuse Keys in few calls, however many', async () => {
	const tables = world.n8n.tables();
	const items = Array.from({ length: 30 }, (_, nth) => ({ json: { prompt: `${nth}` } }));
	const parameters = { operation: 'generate', prompt: '={{ $json.prompt }}' };
	const keyed = { ...parameters, videoKey: '={{ $json.prompt }}' };
	await run(keyed, { items, tables, mode: 'trigger' });
	const made = tables.calls.map(({ operations }) => operations.join());
	expect(made.slice(0, 5)).toEqual(['list', 'get', 'insert,get', 'update', 'update']);
	expect(tables.calls[3].items).toHaveLength(1);
	expect(world.posts()).toHaveLength(30);
});
