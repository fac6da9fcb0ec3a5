// Tasks of version 2, and both versions in one run, wherever a task is remembered, waited for or handed on: in a pause, in
// the list of videos, at a retry, at every setting of On Error, and as an AI tool.
import type { IDataObject } from 'n8n-workflow';

import type { Fault } from '../sandbox/server.cjs';
import { SEEDANCE_TOOL, type Order, type Run } from '../support/engine.cjs';
import {
	ALWAYS,
	KEY,
	listWorld,
	PRODUCTION,
	reusedOf,
	SHORT,
	tasksOf,
} from '../support/listWorld.cjs';
import {
	all,
	CONTINUE,
	ERROR_OUTPUT,
	failureOf,
	RETRY_ON_FAIL,
} from '../support/seedanceWorld.cjs';

const list = listWorld();
const { world, rows } = list;
const { fault, plan, posts, reads, ids, charges } = world;
type Parameters = Order['parameters'];

const V1 = 'seedance-v1';
const TWO = 'seedance-2.0';
const MINI = 'seedance-2-mini';
// 8 seconds, which the field starts with, where the model takes them.
const PRICES: Readonly<Record<string, number>> = { [V1]: 28, [TWO]: 240, [MINI]: 246 };
const MIXED = [V1, TWO, MINI];
const REUSED = { ...KEY, ...ALWAYS };
const BOAT = { prompt: 'A boat', operation: 'generateAndWait', downloadVideo: false };

/** One item for each model, with a prompt of its own. */
const rowsOf = (models: readonly string[]) =>
	models.map((model, row) => ({ model, prompt: `Boat ${row}`, key: `k${row}` }));
const runOf = async (models: readonly string[], parameters: Parameters = {}, order = {}) =>
	await list.run(rowsOf(models), { model: '={{ $json.model }}', ...parameters }, order);
const modelsOf = ({ json }: Pick<Run, 'json'>) => json.map(({ model }) => model);
const finishAll = () =>
	world.sandbox.tasks.all().forEach(({ id, ended }) => ended || world.sandbox.finish(id));
/** Every task was asked for in its own version, and nowhere else. */
function expectOwnVersions(): void {
	const asked = reads().map(({ taskId, version }) => [taskId, version]);
	expect(asked.length).toBeGreaterThan(0);
	expect(asked).toEqual(
		asked.map(([taskId]) => [taskId, String(taskId).startsWith('seed15') ? 1 : 2]),
	);
}

describe('Pause Until Callback', () => {
	const PAUSE = { waitMethod: 'callback' };
	beforeEach(() => {
		world.sandbox.tasks.taskSeconds = Infinity;
		world.sandbox.callbacks.plan = { ...world.sandbox.callbacks.plan, never: true };
	});
	const callBack = async (suspended: Run, nth: number) => {
		const data = { task_id: ids()[nth], status: 'SUCCESS' };
		return await world.n8n.callback(suspended, { body: { code: 200, data } });
	};
	const resultsIn = ({ contextData }: Run): IDataObject[] =>
		Object(Object(contextData).seedancePause).results;

	it.each([0, 1, 2])(
		'goes on with models of both versions at a callback of video %i',
		async (nth) => {
			const suspended = await runOf(MIXED, PAUSE);
			expect(resultsIn(suspended).map(({ seed }) => Object(seed).model)).toEqual(MIXED);
			for (const { body } of posts()) expect(body).toContain('"callback_url":"http');
			world.sandbox.finish(ids()[nth]);
			expect(await callBack(suspended, nth)).toMatchObject({ status: 200 });
			finishAll();
			const { run: resumed } = await callBack(suspended, nth);
			expect(resumed?.json).toMatchObject(
				MIXED.map((model, row) => ({
					task_id: ids()[row],
					succeeded: true,
					model,
					consumed_credits: PRICES[model],
				})),
			);
			expectOwnVersions();
			expect(posts()).toHaveLength(3);
		},
	);

	it('of a package that knew no models is resumed as it was', async () => {
		plan({ seconds: 0, outcome: { status: 'FAILED', errorMessage: 'Not allowed' } }, { nth: 1 });
		const suspended = await runOf([V1, V1, TWO], PAUSE, { node: CONTINUE });
		for (const { seed, task } of resultsIn(suspended)) {
			delete Object(seed).model;
			delete Object(task).model;
		}
		finishAll();
		const { run: resumed } = await callBack(suspended, 2);
		expect(resumed?.json).toMatchObject([
			{ status: 'FAILED', finished: true, error_code: 'task_failed', consumed_credits: 0 },
			{ succeeded: true, consumed_credits: 28 },
			{ succeeded: true, model: TWO, consumed_credits: 240 },
		]);
	});
});

describe('the list of videos', () => {
	it('names the model of each row; Get Many shows it, and Wait for Video finishes', async () => {
		plan({ seconds: Infinity }, { times: 'always' });
		const first = await runOf(MIXED, SHORT, { ...PRODUCTION, node: CONTINUE });
		expect(modelsOf(first)).toEqual(MIXED);
		expect(rows().map(({ model, credits }) => [model, credits])).toEqual(
			MIXED.map((model) => [model, PRICES[model]]),
		);
		const got = await list.run([''], { operation: 'getAll' });
		expect(modelsOf(got)).toEqual([...MIXED].reverse());
		finishAll();
		const wait = { operation: 'wait', taskId: '={{ $json.task_id }}' };
		const ended = await list.run(got.json, wait);
		expect(ended.json).toMatchObject(
			[...MIXED].reverse().map((model) => ({ model, succeeded: true })),
		);
		expect(rows()).toMatchObject(all(3, { status: 'SUCCESS', handed_on: true }));
	});

	it('a run goes on with the videos of a stopped one, each in its version', async () => {
		plan({ seconds: Infinity }, { times: 'always' });
		const first = list.world.n8n.start(
			list.orderOf(rowsOf(MIXED), { model: '={{ $json.model }}' }, PRODUCTION),
		);
		await world.logged(`${MIXED[2]})`);
		first.stop();
		await first.finished;
		list.claimsRunOut();
		finishAll();
		const second = await runOf(MIXED, {}, PRODUCTION);
		expect([reusedOf(second), modelsOf(second)]).toEqual([all(3, true), MIXED]);
		expectOwnVersions();
		expect(charges()).toHaveLength(3);
	});

	it('another model is another video; without a key it is paid for', async () => {
		await runOf([TWO], ALWAYS, PRODUCTION);
		const again = await runOf([TWO], ALWAYS, PRODUCTION);
		expect([reusedOf(again), modelsOf(again)]).toEqual([[true], [TWO]]);
		expect(reusedOf(await runOf([MINI], ALWAYS, PRODUCTION))).toEqual([false]);
		expect(rows().map(({ model }) => model)).toEqual([TWO, MINI]);
	});

	it.each([
		[TWO, V1],
		[V1, TWO],
	])('a Reuse Key gives the video of %s to a row of %s, and says so', async (made, wanted) => {
		await runOf([made], REUSED, PRODUCTION);
		const second = await runOf([wanted], REUSED, PRODUCTION);
		expect(tasksOf(second)).toEqual([ids()[0]]);
		expect(second.json).toMatchObject([
			{
				model: made,
				reused: true,
				estimated_credits: PRICES[made],
				consumed_credits: PRICES[made],
			},
		]);
		expect(second.hints.join()).toContain('with another prompt or other settings');
		expectOwnVersions();
		expect(posts()).toHaveLength(1);
	});
});

describe('a model that an expression computes again', () => {
	/** With so many items, some of each model, and some that come out differently at the retry. */
	const MANY = Array.from({ length: 12 }, (_, row) => `Boat ${row}`);
	const EITHER = '={{ Math.random() < 0.5 ? "seedance-v1" : "seedance-2-mini" }}';
	const MANY_BOATS = { operation: 'generateAndWait', prompt: '={{ $json.prompt }}' };
	const parameters = { model: EITHER, duration: 4, downloadVideo: false };
	const many = async (more: Parameters = {}, order: Partial<Order> = {}) =>
		await world.runPrompts(MANY, {
			parameters: { ...MANY_BOATS, ...parameters, ...more },
			...order,
		});

	/** Each item has the task that was made for it, with the model and the price of that. */
	function expectSame({ json }: Run): void {
		const made = new Map(charges().map(({ taskId, ...charge }) => [taskId, charge]));
		expect(json).toMatchObject(
			MANY.map((prompt, row) => {
				const { model, credits } = made.get(String(json[row].task_id)) ?? {};
				return {
					prompt,
					model: model ?? V1,
					consumed_credits: credits,
					estimated_credits: credits,
				};
			}),
		);
		expect(charges()).toHaveLength(MANY.length);
		expectOwnVersions();
	}

	it('is that of the task where a person retries', async () => {
		plan({ seconds: Infinity }, { times: 'always' });
		const first = await many({ options: { timeout: 1 } });
		expect(failureOf(first).context).toMatchObject({ error_code: 'timeout' });
		finishAll();
		const retried = await world.n8n.retry(first, { parameters: { ...MANY_BOATS, ...parameters } });
		expect(tasksOf(retried)).toEqual(ids());
		expectSame(retried);
	});

	it('is that of the task where n8n retries by itself', async () => {
		fault('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: MANY[11] });
		expectSame(await many({}, { node: RETRY_ON_FAIL }));
	});

	it('is not sent again where the response of the POST was lost', async () => {
		fault('generate', { kind: 'accept-then-reset' }, { times: 'always' });
		const failed = failureOf(await world.run({ ...BOAT, ...parameters }, { node: RETRY_ON_FAIL }));
		expect(failed.context).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(posts()).toHaveLength(1);
	});
});

describe('On Error, with rows of both versions of which one fails', () => {
	beforeEach(() => {
		plan({ outcome: { status: 'FAILED', errorMessage: 'Not allowed' } }, { nth: 2 });
	});
	const FAILED = { model: TWO, status: 'FAILED', error_code: 'task_failed', charged: 'no' };
	const GOOD = [
		{ model: V1, succeeded: true },
		{ model: MINI, succeeded: true },
	];

	it('= Stop counts what is ready, and a retry pays for the failed one alone', async () => {
		const first = await runOf(MIXED);
		const { message, context } = failureOf(first);
		expect(message).toContain('2 of 3 videos are ready and paid');
		expect(context.tasks).toMatchObject([GOOD[0], FAILED, GOOD[1]]);
		expect((await world.n8n.retry(first)).json).toMatchObject(
			MIXED.map((model) => ({ model, succeeded: true })),
		);
		expect(posts().map(({ version }) => version)).toEqual([1, 2, 2, 2]);
	});

	it('= Continue gives each in its place', async () => {
		const { items, json } = await runOf(MIXED, {}, { node: CONTINUE });
		expect(json).toMatchObject([GOOD[0], FAILED, GOOD[1]]);
		expect(items.map(({ pairedItem }) => pairedItem)).toEqual([0, 1, 2].map((item) => ({ item })));
	});

	it('= Continue (using error output) gives the failed one there, with its row', async () => {
		const { outputs } = await runOf(MIXED, {}, { node: ERROR_OUTPUT });
		expect(outputs[0].map(({ json }) => json)).toMatchObject(GOOD);
		expect(outputs[1]).toMatchObject([
			{ json: { key: 'k1', error: expect.any(String), details: FAILED } },
		]);
	});
});

describe('an AI tool', () => {
	const node = { type: SEEDANCE_TOOL };
	const later = (time: string) => ({
		next_step: expect.stringContaining(`this task_id in ${time}.`),
	});

	it.each([
		[V1, '1 to 2 minutes'],
		[TWO, '2 to 10 minutes'],
		[MINI, '1 to 10 minutes'],
	])('shows how long %s takes: %s', async (model, time) => {
		plan({ seconds: Infinity }, { times: 'always' });
		for (const more of [{ options: { timeout: 0.1 } }, { operation: 'generate' }]) {
			const { json } = await world.run({ ...BOAT, model, ...more }, { node });
			expect(json).toMatchObject([{ status: 'IN_PROGRESS', ...later(time) }]);
		}
		const { json } = await world.run({ operation: 'status', taskId: ids()[0] }, { node });
		expect(json).toMatchObject([{ status: 'IN_PROGRESS', model, ...later(time) }]);
	});

	it('lets the model choose, and correct a value that its choice does not take', async () => {
		const from = (name: string) => `={{ $fromAI("${name}", "", "string") }}`;
		const asked = { prompt: from('prompt'), model: from('model'), duration: from('duration') };
		const call = async (values: IDataObject) => {
			const order = { toolCalls: [{ values: { prompt: 'A boat', ...values } }] };
			const { data } = await world.run({ operation: 'generate', ...asked }, order);
			return JSON.stringify(data.resultData.runData);
		};
		expect(await call({ model: TWO, duration: '8' })).toContain(
			'is not supported by Seedance 2.0. Allowed: 5, 10, 15 seconds.',
		);
		expect(await call({ model: 'sora', duration: '8' })).toContain(`Allowed: ${V1}, ${TWO}, `);
		expect(posts()).toEqual([]);
		expect(await call({ model: 'Seedance 2.0', duration: '10 seconds' })).toContain(TWO);
		expect(posts()[0].json).toMatchObject({ model: TWO, duration: 10 });
	});
});

describe('images and reference videos', () => {
	const links = (count: number, end: string) =>
		Array.from({ length: count }, (_, nth) => `https://files.example.com/${nth}.${end}`);

	it('four images from links are sent, without a ratio', async () => {
		const imageUrl = links(4, 'png').join(', ');
		const json = await world.run({ ...BOAT, model: TWO, imageSource: 'url', imageUrl });
		expect(json.json).toMatchObject([{ succeeded: true }]);
		expect(posts()[0].json).toEqual({
			model: TWO,
			prompt: 'A boat',
			duration: 5,
			public: false,
			images: links(4, 'png'),
		});
	});

	it('two files of one item are sent, and are the same images at a retry', async () => {
		const bytes = Buffer.from('89504e470d0a1a0a', 'hex');
		const binary = {
			data: await world.n8n.storeFile(bytes, 'a.png', 'image/png'),
			image2: await world.n8n.storeFile(bytes, 'b.png', 'image/png'),
		};
		const files = { imageSource: 'binary', imageBinaryField: 'data, image2' };
		plan({ seconds: Infinity });
		const order = { items: [{ json: {}, binary }] };
		const first = await world.run({ ...BOAT, ...files, model: TWO, ...SHORT }, order);
		const { images } = Object(posts()[0].json);
		expect(images).toHaveLength(2);
		expect(new Set(images).size).toBe(2);
		finishAll();
		expect((await world.n8n.retry(first)).json).toMatchObject([{ succeeded: true, model: TWO }]);
		expect(posts()).toHaveLength(1);
		const { message } = failureOf(await world.run({ ...BOAT, ...files }, order));
		expect(message).toContain('Input Data Field Name names 2 files');
	});

	it('reference videos change the price, and no other model takes them', async () => {
		const referenceVideos = '={{ $json.references }}';
		const items = [MINI, TWO].map((model) => ({
			json: { model, references: links(3, 'mp4').join(',') },
		}));
		const parameters = { ...BOAT, model: '={{ $json.model }}', referenceVideos };
		const { json } = await world.run(parameters, { items, node: CONTINUE });
		expect(json).toMatchObject([
			{ model: MINI, estimated_credits: 150, consumed_credits: 150 },
			{ error_code: 'invalid_input', charged: 'no' },
		]);
		expect(posts()).toHaveLength(1);
		expect(posts()[0].json).toMatchObject({ reference_video_urls: links(3, 'mp4') });
	});
});

describe('trouble at /v2', () => {
	const ALL = { times: 'always' } as const;

	it('the firewall is named, and what it blocked was not started', async () => {
		fault('generate', { kind: 'firewall' });
		const { json } = await runOf([TWO, V1], {}, { node: CONTINUE });
		expect(json).toMatchObject([{ error_code: 'not_created', charged: 'no' }, { succeeded: true }]);
		expect(json[0].error_message).toContain('The firewall in front of the Seedance API');
	});

	it.each<Fault>([
		{ kind: 'accept-then-reset' },
		{ kind: 'server-error' },
		{ kind: 'invalid-json' },
		{ kind: 'wrong-shape', shape: 'array' },
	])(
		'an unclear response to a POST is reported as that, and it is not sent again: %j',
		async (unclear) => {
			fault('generate', unclear, ALL);
			const { json } = await runOf([TWO], {}, { node: { ...CONTINUE, ...RETRY_ON_FAIL } });
			expect(json).toMatchObject([{ error_code: 'maybe_created', charged: 'unknown', model: TWO }]);
			expect(posts()).toHaveLength(1);
		},
	);

	it.each<Fault>([
		{ kind: 'server-error' },
		{ kind: 'html', status: 404 },
		{ kind: 'rate-limit' },
		{ kind: 'empty-body' },
		{ kind: 'error', code: 'TASK_NOT_FOUND' },
	])('reads that go wrong are made again, and never at /v1: %j', async (trouble) => {
		fault('status', trouble, { times: 3 });
		expect((await runOf([TWO, V1])).json).toMatchObject(all(2, { succeeded: true }));
		expectOwnVersions();
	});
});

it('Generate Without Waiting signs the Callback URL of a video of version 2', async () => {
	const callbackUrl = 'http://127.0.0.1:9/webhook/a-trigger/webhook';
	const metadata = { callbackMetadata: { values: [{ name: 'row', value: '7' }] } };
	await runOf([TWO], { operation: 'generate', callbackUrl, ...metadata });
	const { callback_url } = Object(posts()[0].json);
	expect(callback_url).toMatch(/\?seedance_meta=[\w-]+&seedance_sig=[\w-]{43}$/);
	expect(posts()[0].version).toBe(2);
});

describe('the base URL of the credential', () => {
	const READ = { operation: 'status', taskId: '={{ $json.task_id }}' };
	const started = async () => tasksOf(await runOf([V1, TWO], { operation: 'generate' }));

	it.each(['/', '//'])('that ends with %s serves both versions', async (end) => {
		world.setCredential({ baseUrl: `${world.sandbox.baseUrl}${end}` });
		expect((await runOf(MIXED)).json).toMatchObject(all(3, { succeeded: true }));
		expectOwnVersions();
	});

	it('that ends in /v2 is refused before anything is sent', async () => {
		world.setCredential({ baseUrl: world.sandbox.baseUrlV2 });
		const { json } = await runOf([V1, TWO], {}, { node: CONTINUE });
		expect(json).toMatchObject(
			all(2, { charged: 'no', error_message: expect.stringContaining('/v1') }),
		);
		expect(posts()).toEqual([]);
	});

	it('that does not end in /v1 is asked for tasks as it is, and nowhere else', async () => {
		const items = (await started()).map((task_id) => ({ json: { task_id } }));
		world.setCredential({ baseUrl: `${world.sandbox.baseUrl}/proxy` });
		const { json } = await world.run(READ, { items, node: CONTINUE });
		expect(json).toMatchObject(all(2, { succeeded: false }));
		expect(reads().filter(({ version }) => version === 2)).toEqual([]);
	});
});
