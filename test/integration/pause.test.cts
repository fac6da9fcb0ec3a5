// Pause Until Callback in n8n's engine: what is stored, what a callback reads, and whether the run is resumed.
import type { IDataObject } from 'n8n-workflow';

import type { Fault } from '../sandbox/server.cjs';
import { SEEDANCE_TOOL, type Callback, type Order, type Run } from '../support/engine.cjs';
import { all, CONTINUE, failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, fault, plan, posts, ids } = world;
const PAUSE: Order['parameters'] = { waitMethod: 'callback' };
const ONE = { ...PAUSE, prompt: 'one' };
const GOES_ON = { status: 200, body: { message: 'The execution goes on.' } };
const NOTED = { status: 200, body: { message: 'Noted. The execution waits for more videos.' } };
const NOTHING_WAITS = { status: 404, body: { message: 'Nothing waits here.' } };
const NO_VIDEO = { kind: 'no-video', response: 'null' } as const;

const readsOf = (taskId: string) => world.reads(taskId).length;
const said = (task_id: string, status = 'SUCCESS') => ({
	body: { code: 200, data: { task_id, status } },
});
const callBack = async (suspended: Run, callback: Callback = said(ids()[0])) =>
	await world.n8n.callback(suspended, callback);
const finishAll = () => ids().forEach((id) => world.sandbox.finish(id));
const logText = () => world.n8n.logs.map(({ text }) => text).join();
const received = (ended: Run | undefined, name = 'After') =>
	ended?.reached(name)?.map(({ json }) => json);

/** A run with one video per prompt that has been suspended. */
async function paused(prompts = ['one'], order: Partial<Order> = {}): Promise<Run> {
	const parameters = { ...PAUSE, ...order.parameters };
	const suspended = await runPrompts(prompts, { ...order, parameters });
	expect(suspended.data.waitTill).toBeTruthy();
	return suspended;
}

/** Every video of a suspended run arrives with the next callback, and none is paid for again. */
async function expectResumed(suspended: Run, callback?: Callback): Promise<void> {
	const paid = posts().length;
	const { run: resumed } = await callBack(suspended, callback);
	expect(resumed?.json).toMatchObject(ids().map((task_id) => ({ task_id, succeeded: true })));
	expect(posts()).toHaveLength(paid);
}

beforeEach(() => {
	world.sandbox.tasks.taskSeconds = Infinity;
	world.sandbox.callbacks.plan = { ...world.sandbox.callbacks.plan, never: true };
});

describe('before the pause', () => {
	it('gives the API the address that resumes this execution, and reads every task once', async () => {
		const suspended = await paused(['one', 'two', 'three']);
		const { resumeToken, resultData } = suspended.data;
		expect(resumeToken).toBeTruthy();
		for (const { order } of world.sandbox.tasks.all()) {
			const { pathname, search } = new URL(String(order.callback_url));
			const path = `^/webhook-waiting/${suspended.id}/seedance-[0-9a-f]{32}$`;
			expect(pathname).toMatch(new RegExp(path));
			expect(search).toBe(`?signature=${resumeToken}`);
		}
		const shown = JSON.stringify([resultData, suspended.contextData, suspended.logs]);
		expect(shown).not.toContain(resumeToken);
		expect(ids().map(readsOf)).toEqual([1, 1, 1]);
	});

	it.each<[string, number, number, Partial<Order>]>([
		['the time of its option', 180, 192, { parameters: { options: { timeout: 3 } } }],
		["less than the workflow's own limit", 40, 52, { settings: { executionTimeout: 60 } }],
	])('waits for %s', async (_, least, most, order) => {
		world.n8n.clockSpeed = 1;
		const before = Date.now();
		const { data } = await paused(['one'], order);
		const seconds = (new Date(data.waitTill ?? 0).getTime() - before) / 1000;
		expect(seconds).toBeGreaterThanOrEqual(least);
		expect(seconds).toBeLessThan(most);
	});

	it('does not pause when all videos have ended already', async () => {
		world.sandbox.tasks.taskSeconds = 0;
		const { data, json } = await runPrompts(['one', 'two'], { parameters: PAUSE });
		expect(data.waitTill).toBeFalsy();
		expect(json).toMatchObject(all(2, { succeeded: true }));
	});

	it.each<[string, Partial<Order>]>([
		['in mode retry', { mode: 'retry' }],
		['in mode integrated', { mode: 'integrated' }],
		['in mode evaluation', { mode: 'evaluation' }],
		['as an AI tool', { node: { type: SEEDANCE_TOOL } }],
	])('keeps checking %s', async (_, order) => {
		world.sandbox.tasks.taskSeconds = 12;
		const { json, items } = await run(ONE, order);
		expect(json).toMatchObject([{ succeeded: true }]);
		expect(items[0].binary).toBeUndefined();
		expect(world.sandbox.tasks.all()[0].order.callback_url).toBeNull();
	});

	it('is refused for free where the API could not reach this n8n', async () => {
		world.setCredential({ baseUrl: 'https://seedance.example.com/v1' });
		const { message, description } = await failure(ONE);
		expect(message).toContain(
			'Pause Until Callback is not supported here: the address of this n8n',
		);
		expect(description).toContain('Set N8N_WEBHOOK_URL (WEBHOOK_URL before n8n 2.41)');
		expect(description).toContain('No credits were spent.');
	});

	it.each([
		'$json.end || "none"',
		'$("Start").item.json.end',
		'$("Start").all()[$itemIndex].json.end',
	])('is refused for a single item with %s, before anything is paid', async (expression) => {
		const { apiKey } = world.sandbox;
		// A key of which an expression gives the end: a whole one in an item would count as shown.
		world.setCredential({ apiKey: `={{ "${apiKey.slice(0, -4)}" + (${expression}) }}` });
		const { message, description } = await failure(ONE, {
			items: [{ json: { end: apiKey.slice(-4) } }],
		});
		expect(message).toContain('Pause Until Callback needs one account for all items');
		expect(description).toContain('set Wait Method to "Keep Checking"');
		expect(description).toContain('No credits were spent.');
		expect(posts()).toEqual([]);
	});

	it('watches a success without its video itself, since no callback will come for it again', async () => {
		world.sandbox.tasks.taskSeconds = 0;
		fault('status', NO_VIDEO, { times: 4 });
		const { data, json } = await run(ONE);
		expect(data.waitTill).toBeFalsy();
		expect(json).toMatchObject([{ succeeded: true, video_url: expect.any(String) }]);
	});
});

describe('a callback', () => {
	it('resumes the run with every video at its item', async () => {
		const suspended = await paused(['one', 'two']);
		finishAll();
		const response = await callBack(suspended, said(ids()[1]));
		expect(response).toMatchObject(GOES_ON);
		expect(response.run?.items.map(({ json, pairedItem }) => [json.prompt, pairedItem])).toEqual([
			['one', { item: 0 }],
			['two', { item: 1 }],
		]);
		expect(ids().map(readsOf)).toEqual([2, 2]);
		expect(posts()).toHaveLength(2);
	});

	it('is noted while other videos are not ready, and reads no more than it needs', async () => {
		const suspended = await paused(['a', 'b', 'c', 'd']);
		world.sandbox.finish(ids()[0]);
		expect(await callBack(suspended)).toEqual(NOTED);
		expect(ids().map(readsOf)).toEqual([2, 1, 1, 2]);
	});

	const onReads =
		(trouble: Fault, times = 1) =>
		() =>
			fault('status', trouble, { times });
	const nothing = () => undefined;
	it.each<[string, () => unknown, () => unknown]>([
		['whose task could not be read right before it', onReads({ kind: 'server-error' }), nothing],
		['whose video is not there yet: the node reads it', nothing, onReads(NO_VIDEO, 3)],
		['in no time to read the tasks: the node reads them', nothing, onReads({ kind: 'hang' }, 2)],
	])('resumes a pause %s', async (_, before, after) => {
		before();
		// Nothing is evaluated again, so that a prompt which changes each time is paid for once.
		const prompt = '={{ $json.prompt + Math.random() }}';
		world.setCredential({ apiKey: `={{ "${world.sandbox.apiKey}" }}` });
		const suspended = await paused(['one', 'two'], { parameters: { prompt } });
		finishAll();
		after();
		await expectResumed(suspended, said(ids()[1]));
	});

	it('is asked to come again when it claims an end that the API does not show', async () => {
		expect(await callBack(await paused())).toMatchObject({ status: 503 });
		const reason = `it says that task ${ids()[0]} has ended, but the API shows it as running`;
		expect(logText()).toContain(reason);
	});

	it('is only noted when it says that the video is being made', async () => {
		const suspended = await paused();
		const before = readsOf(ids()[0]);
		expect(await callBack(suspended, said(ids()[0], 'IN_PROGRESS'))).toEqual(NOTED);
		expect(readsOf(ids()[0])).toBe(before + 1);
		fault('status', { kind: 'hang' });
		expect(await callBack(suspended, said(ids()[0], 'IN_PROGRESS'))).toEqual(NOTED);
	});

	describe('that names no task of the run', () => {
		const FOREIGN = said('foreign1');
		const NAMES_NONE = 'it says that a task has ended and names none of this run';
		/** The API shows the end later than the callback reports it. */
		const late = () => fault('status', { kind: 'status-word', word: 'IN_PROGRESS' }, { times: 3 });

		it.each<[string, Callback]>([
			['has no body', {}],
			['has an ID of its own', FOREIGN],
		])('is about the only video, also when it comes early and %s', async (_, callback) => {
			const suspended = await paused();
			finishAll();
			late();
			await expectResumed(suspended, callback);
			expect(readsOf(ids()[0])).toBe(5);
		});

		it('is about the only video of equal items', async () => {
			const order = { mode: 'trigger', parameters: { videoKey: 'one' } } as const;
			const suspended = await paused(['one', 'one'], { ...order, tables: world.n8n.tables() });
			expect(posts()).toHaveLength(1);
			finishAll();
			late();
			expect(await callBack(suspended, {})).toMatchObject(GOES_ON);
		});

		it('is about the last video that is left', async () => {
			const suspended = await paused(['one', 'two']);
			world.sandbox.finish(ids()[0]);
			expect(await callBack(suspended)).toEqual(NOTED);
			world.sandbox.finish(ids()[1]);
			late();
			await expectResumed(suspended, {});
		});

		it.each([
			['the only video runs', ['one']],
			['several run', ['one', 'two', 'three']],
		])('is asked to come again when it claims an end while %s', async (_, prompts) => {
			const suspended = await paused(prompts);
			expect(await callBack(suspended, FOREIGN)).toMatchObject({ status: 503 });
			expect(logText()).toContain(NAMES_NONE);
			expect(logText()).toContain(`the API shows task ${ids().at(-1)} as running`);
		});

		it('costs one reading, and no patience, while several videos run', async () => {
			const suspended = await paused(['one', 'two', 'three']);
			for (const callback of [FOREIGN, {}]) await callBack(suspended, callback);
			expect(ids().map(readsOf)).toEqual([1, 1, 3]);
		});

		it('is noted when the end of one of several videos is there', async () => {
			const suspended = await paused(['one', 'two']);
			world.sandbox.finish(ids()[1]);
			expect(await callBack(suspended, FOREIGN)).toEqual(NOTED);
		});

		it.each<[string, string[], Callback]>([
			['that a video is being made', ['one'], said('foreign1', 'IN_PROGRESS')],
			['nothing, while several run', ['one', 'two'], {}],
		])('is noted when it says %s', async (_, prompts, callback) => {
			const suspended = await paused(prompts);
			expect(await callBack(suspended, callback)).toEqual(NOTED);
			expect(readsOf(ids().at(-1) ?? '')).toBe(2);
		});
	});

	it('for a video that had ended before the pause is noted at once', async () => {
		plan({ seconds: 0 }, { nth: 1 });
		const suspended = await paused(['ready', 'two']);
		expect(await callBack(suspended)).toEqual(NOTED);
		expect(readsOf(ids()[1])).toBe(2);
	});

	it.each([
		['the API is in trouble', { kind: 'server-error' } as const, 'no usable answer'],
		['the key is refused', { kind: 'error', code: 'INVALID_API_KEY' } as const, 'key was refused'],
		['the task is unknown', { kind: 'error', code: 'TASK_NOT_FOUND' } as const, 'there is no task'],
	])('is asked to come again when %s, and then resumes the run', async (_, trouble, reason) => {
		const suspended = await paused();
		finishAll();
		fault('status', trouble, { times: 'always' });
		expect(await callBack(suspended)).toMatchObject({ status: 503 });
		expect(logText()).toContain(reason);
		world.sandbox.faults.clear();
		await expectResumed(suspended);
	});

	it('that comes thrice at the same moment resumes the run once', async () => {
		const suspended = await paused();
		finishAll();
		const responses = await Promise.all([1, 2, 3].map(async () => await callBack(suspended)));
		expect(responses.filter((response) => response.run)).toHaveLength(1);
		expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
	});

	it('that comes to the bare address, or to that of another node, resumes nothing', async () => {
		const suspended = await paused();
		finishAll();
		const callback = said(ids()[0]);
		for (const method of ['POST', 'GET'] as const) {
			const bare = await callBack(suspended, { ...callback, method, suffix: '' });
			expect(bare).toEqual(NOTHING_WAITS);
		}
		const other = await callBack(suspended, { ...callback, suffix: `seedance-${'0'.repeat(32)}` });
		expect(other).toMatchObject({ status: 404 });
		expect(readsOf(ids()[0])).toBe(1);
		await expectResumed(suspended);
	});

	it.each(['a/b?c#d', '}}{{"\'`', 'düğüm 1 🎬', 'x'.repeat(300)])(
		'reaches a node whose ID is %j',
		async (id) => {
			const suspended = await paused(['one'], { node: { id } });
			const [{ order }] = world.sandbox.tasks.all();
			const { pathname } = new URL(String(order.callback_url));
			finishAll();
			const suffix = decodeURIComponent(pathname.split('/').at(-1) ?? '');
			await expectResumed(suspended, { suffix, ...said(ids()[0]) });
		},
	);

	it('for a credential that cannot be read without the run lets the node read it', async () => {
		const { apiKey } = world.sandbox;
		const key = `={{ "${apiKey.slice(0, -4)}" + $("Start").first().json.end }}`;
		world.setCredential({ apiKey: key }, 'Account of the run');
		const items = ['one', 'two'].map((prompt) => ({ json: { prompt, end: apiKey.slice(-4) } }));
		const order = { items, credential: 'Account of the run' };
		const suspended = await run({ ...PAUSE, prompt: '={{ $json.prompt }}' }, order);
		expect(suspended.data.waitTill).toBeTruthy();
		finishAll();
		await expectResumed(suspended);
	});

	it('for a credential that is gone ends with the IDs, and never says that nothing was spent', async () => {
		world.setCredential({}, 'Account to go');
		const suspended = await paused(['one'], { node: CONTINUE, credential: 'Account to go' });
		world.setCredential({ apiKey: ' ' }, 'Account to go');
		const { run: resumed } = await callBack(suspended);
		expect(resumed?.json).toMatchObject([{ task_id: ids()[0], charged: 'unknown' }]);
		expect(resumed?.json[0].error_message).not.toContain('No credits were spent');
	});

	it('gives the items as they are where this n8n stores a suspended node in another way', async () => {
		const suspended = await paused(['good', 'bad']);
		const [good, bad] = ids();
		world.sandbox.finish(good);
		world.sandbox.finish(bad, { status: 'FAILED' });
		suspended.data.executionData?.nodeExecutionStack[0].data.main.splice(1);
		expect(received((await callBack(suspended, said(bad))).run)).toMatchObject([
			{ task_id: good, succeeded: true },
			{ task_id: bad, succeeded: false, error_code: 'task_failed' },
		]);
	});
});

describe('a pause that another version of the package has stored', () => {
	const contextOf = (suspended: Run): IDataObject => Object(suspended.contextData);
	const storedIn = (suspended: Run): IDataObject => Object(contextOf(suspended).seedancePause);
	const resultsIn = (suspended: Run): IDataObject[] => Object(storedIn(suspended).results);

	it.each([1, 2])('of version %i is resumed, or hands on its IDs', async (version) => {
		const suspended = await paused(['one', 'two']);
		const stored = storedIn(suspended);
		expect(stored).toMatchObject({ version: 3 });
		Object.assign(stored, { version });
		if (version === 1) delete stored.version;
		stored.results = resultsIn(suspended).map(({ seed, ...result }) => ({
			...result,
			known: seed,
		}));
		const late = await world.n8n.timeUp(suspended);
		expect(received(late)?.map(({ task_id }) => task_id)).toEqual(ids());
		finishAll();
		const bare = version === 1 && { suffix: '' };
		await expectResumed(suspended, { ...bare, ...said(ids()[0]) });
	});

	it.each<[string, unknown]>([
		['a newer version', 4],
		['a version that is no number', 'next'],
	])('stays suspended with %s, and hands on its IDs when the time is up', async (_, version) => {
		const suspended = await paused();
		Object.assign(storedIn(suspended), { version });
		finishAll();
		expect(await callBack(suspended)).toMatchObject({ status: 503 });
		expect(logText()).toContain('another version');
		const late = await world.n8n.timeUp(suspended);
		expect(received(late)?.map(({ task_id }) => task_id)).toEqual(ids());
		expect(posts()).toHaveLength(1);
	});

	it.each<[string, (stored: IDataObject, results: IDataObject[]) => unknown]>([
		['no output', (_, [first]) => delete first.output],
		['an output of another form', (_, [first]) => Object.assign(first, { output: 'simple' })],
		['a reading of another form', (_, [first]) => Object.assign(first, { task: { state: 7 } })],
		['a problem of another form', (_, [first]) => Object.assign(first, { problem: 'lost' })],
		['a number for a prompt', (_, [first]) => Object.assign(Object(first.seed), { prompt: 7 })],
		['a date of another form', (stored) => Object.assign(stored, { pausedAt: 'yesterday' })],
		['fields of its own', (stored) => Object.assign(stored, { more: { a: 1 } })],
		[
			'nothing but IDs',
			(stored, results) =>
				(stored.results = results.map(({ seed }) => ({
					seed: { taskId: Object(seed).taskId },
				}))),
		],
	])('is resumed with %s, and pays nothing again', async (_, change) => {
		const suspended = await paused(['one', 'two']);
		change(storedIn(suspended), resultsIn(suspended));
		finishAll();
		await expectResumed(suspended);
	});

	it.each<[string, unknown]>([
		['a text', 'paused'],
		['an object without results', { runIndex: 0 }],
		['results of another form', { version: 2, results: { one: 1 } }],
	])('that is %s is not thrown away: the callback is asked to come again', async (_, value) => {
		const suspended = await paused();
		Object.assign(contextOf(suspended), { seedancePause: value });
		expect(await callBack(suspended)).toMatchObject({ status: 503 });
		delete contextOf(suspended).seedancePause;
		expect(await callBack(suspended)).toEqual(NOTHING_WAITS);
	});

	it('names an item of which nothing can be read as one that may have been paid for', async () => {
		const suspended = await paused(['one', 'two'], { node: CONTINUE });
		Object.assign(resultsIn(suspended), { 0: 7 });
		world.sandbox.finish(ids()[1]);
		const { run: resumed } = await callBack(suspended, said(ids()[1]));
		expect(resumed?.json).toMatchObject([{ charged: 'unknown' }, { succeeded: true }]);
	});
});

describe('after the pause', () => {
	it('fails with Stop when a video failed, counts what is ready, and a retry pays for the failed one only', async () => {
		const suspended = await paused(['good', 'bad']);
		const [good, bad] = ids();
		world.sandbox.finish(good);
		world.sandbox.finish(bad, { status: 'FAILED', errorMessage: 'Not allowed' });
		const { run: failed = suspended } = await callBack(suspended, said(bad));
		expect(failureOf(failed).message).toContain('1 of 2 videos is ready and paid');
		expect(failed.reached('After')).toBeUndefined();

		world.sandbox.tasks.taskSeconds = 12;
		const { json } = await world.n8n.retry(failed);
		expect(json).toMatchObject([{ task_id: good }, { prompt: 'bad', succeeded: true }]);
		const { ledger } = world.sandbox;
		expect([ledger.postsWithPrompt('good'), ledger.postsWithPrompt('bad')]).toEqual([1, 2]);
	});

	it('gives an item that was refused before it in its place, with its reason', async () => {
		fault('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { nth: 2 });
		const suspended = await paused(['good', 'refused'], { node: CONTINUE });
		finishAll();
		const { run: resumed } = await callBack(suspended);
		const refused = { prompt: 'refused', error_code: 'invalid_input', charged: 'no' };
		expect(resumed?.json).toMatchObject([{ prompt: 'good', succeeded: true }, refused]);
	});

	describe('with Skip', () => {
		/** A pause for a new video beside one that was handed on before. */
		const pausedBesideSkipped = async (node: Order['node'] = {}) => {
			const order = { tables: world.n8n.tables(), mode: 'trigger', node } as const;
			const parameters = { ifExists: 'skip' };
			plan({ seconds: 0 });
			await runPrompts(['old'], { ...order, parameters });
			return await paused(['old', 'new'], { ...order, parameters });
		};

		it.each<[string, Order['node']]>([
			['Stop', {}],
			['Continue', CONTINUE],
		])('leaves the old video out and gives the new one at its item, with %s', async (_, node) => {
			const suspended = await pausedBesideSkipped(node);
			world.sandbox.finish(ids()[1]);
			const { run: resumed } = await callBack(suspended, said(ids()[1]));
			expect(resumed?.error).toBeUndefined();
			expect(resumed?.items).toMatchObject([
				{ json: { prompt: 'new', succeeded: true }, pairedItem: { item: 1 } },
			]);
			expect(posts()).toHaveLength(2);
		});

		it('leaves the old video out where this n8n stores a suspended node in another way', async () => {
			const suspended = await pausedBesideSkipped();
			world.sandbox.finish(ids()[1]);
			suspended.data.executionData?.nodeExecutionStack[0].data.main.splice(1);
			const given = received((await callBack(suspended, said(ids()[1]))).run);
			expect(given).toMatchObject([{ prompt: 'new', succeeded: true }]);
		});

		it('does not name the old video as a task when the node stops', async () => {
			const suspended = await pausedBesideSkipped();
			const [, bad] = ids();
			world.sandbox.finish(bad, { status: 'FAILED' });
			const { message, context } = failureOf((await callBack(suspended, said(bad))).run);
			expect(message).toMatch(/^0 of 1 videos are ready/);
			expect(context.tasks).toMatchObject([{ item: 1, task_id: bad }]);
		});
	});

	it.each<[string, Order['parameters']]>([
		['an option', { options: { pollInterval: 0 } }],
		['Wait Method', { waitMethod: 'by post' }],
	])('gives the videos also when %s cannot be read any more', async (_, parameters) => {
		const suspended = await paused(['one', 'two']);
		const [entry] = suspended.data.executionData?.nodeExecutionStack ?? [];
		Object.assign(entry.node.parameters, parameters);
		finishAll();
		await expectResumed(suspended);
	});
});

describe('when the time is up', () => {
	it.each(['stopWorkflow', 'continueRegularOutput'] as const)(
		'the items go on with their IDs, with %s, and Wait for Video finishes them',
		async (onError) => {
			const late = await world.n8n.timeUp(await paused(['one', 'two'], { node: { onError } }));
			const running = { status: 'IN_PROGRESS', finished: false, succeeded: false };
			const items = late.reached('After');
			expect(items?.map(({ json, pairedItem }) => [json, pairedItem])).toMatchObject(
				ids().map((task_id, item) => [{ task_id, ...running }, { item }]),
			);
			finishAll();
			const rescue = await run({ operation: 'wait' }, { items });
			expect(rescue.json).toMatchObject(ids().map((task_id) => ({ task_id, succeeded: true })));
			const names = rescue.items.map(({ binary }) => binary?.data.fileName);
			expect(names).toEqual(ids().map((id) => `${id}.mp4`));
			expect(posts()).toHaveLength(2);
		},
	);

	it('a video that had failed before the pause is not given as one that is being made', async () => {
		plan({ seconds: 0, outcome: { status: 'FAILED' } }, { nth: 1 });
		const late = await world.n8n.timeUp(await paused(['bad', 'two']));
		expect(received(late)).toMatchObject([
			{ prompt: 'bad', status: 'FAILED', finished: true, error_code: 'task_failed' },
			{ prompt: 'two', status: 'IN_PROGRESS' },
		]);
	});
});
