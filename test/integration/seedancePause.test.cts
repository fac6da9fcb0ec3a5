// Pause Until Callback in n8n's engine: what is stored, what a callback reads, and how the run goes on or does not.
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import type { Order, Run } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const PAUSE: INodeParameters = { waitMethod: 'callback' };

const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const readsOf = (taskId: string) => world.sandbox.ledger.statusReads(taskId).length;
const said = (task_id: string, status = 'SUCCESS') => ({
	body: { code: 200, data: { task_id, status } },
});

/** A run with one video per prompt that has been suspended. */
async function paused(prompts: string[] = ['one'], order: Partial<Order> = {}): Promise<Run> {
	const run = await world.runPrompts(prompts, {
		...order,
		parameters: { prompt: '={{ $json.prompt }}', ...PAUSE, ...order.parameters },
	});
	expect(run.data.waitTill).toBeTruthy();
	return run;
}

beforeEach(() => {
	world.sandbox.tasks.taskSeconds = Infinity;
	world.sandbox.callbacks.plan = { ...world.sandbox.callbacks.plan, never: true };
});
afterEach(() => {
	world.sandbox.tasks.taskSeconds = 12;
});

describe('before the pause', () => {
	it('gives the API the address that resumes this execution, with a segment of the node before its token', async () => {
		const run = await paused();
		const [{ order }] = world.sandbox.tasks.all();
		const { resumeToken } = run.data;
		expect(resumeToken).toBeTruthy();
		const { pathname, search } = new URL(String(order.callback_url));
		expect(pathname).toMatch(new RegExp(`^/webhook-waiting/${run.id}/seedance-[0-9a-f]{32}$`));
		expect(search).toBe(`?signature=${resumeToken}`);
		const shown = JSON.stringify([run.data.resultData, run.contextData, run.logs]);
		expect(shown).not.toContain(resumeToken);
	});

	it('reads every task once', async () => {
		await paused(['one', 'two', 'three']);
		expect(ids().map(readsOf)).toEqual([1, 1, 1]);
	});

	it('waits for the time of its option', async () => {
		world.n8n.clockSpeed = 1;
		const before = Date.now();
		const run = await paused(['one'], { parameters: { options: { timeout: 3 } } });
		const wait = new Date(run.data.waitTill ?? 0).getTime() - before;
		expect(wait).toBeGreaterThanOrEqual(3 * 60_000);
		expect(wait).toBeLessThan(3.2 * 60_000);
	});

	it("ends before the workflow's own time limit", async () => {
		world.n8n.clockSpeed = 1;
		const before = Date.now();
		const run = await paused(['one'], { settings: { executionTimeout: 60 } });
		expect(new Date(run.data.waitTill ?? 0).getTime() - before).toBeLessThan(52_000);
	});

	it('does not pause when all videos have ended already', async () => {
		world.sandbox.tasks.taskSeconds = 0;
		const run = await world.runPrompts(['one', 'two'], {
			parameters: { prompt: '={{ $json.prompt }}', ...PAUSE },
		});
		expect(run.data.waitTill).toBeFalsy();
		expect(run.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
	});

	it('pauses all the same when a task cannot be read just then', async () => {
		world.sandbox.faults.on('status', { kind: 'server-error' });
		const run = await paused();
		world.sandbox.finish(ids()[0]);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ succeeded: true }]);
	});

	it('fails at once with Stop when an item cannot be started, and suspends nothing', async () => {
		world.sandbox.faults.on(
			'generate',
			{ kind: 'error', code: 'INSUFFICIENT_CREDITS' },
			{ nth: 2 },
		);
		const run = await world.runPrompts(['one', 'two'], {
			parameters: { prompt: '={{ $json.prompt }}', ...PAUSE },
		});
		expect(run.data.waitTill).toBeFalsy();
		expect(failureOf(run).message).toContain('not have enough credits');
	});

	it.each([
		['retry', 'mode' as const],
		['integrated', 'mode' as const],
		['evaluation', 'mode' as const],
	])('keeps checking in mode %s', async (mode) => {
		world.sandbox.tasks.taskSeconds = 12;
		const run = await world.run({ prompt: 'one', ...PAUSE }, { mode: mode as Order['mode'] });
		expect(run.json).toMatchObject([{ succeeded: true }]);
		expect(run.items[0].binary).toBeUndefined();
		expect(world.sandbox.tasks.all()[0].order.callback_url).toBeNull();
	});

	it('keeps checking as an AI tool', async () => {
		world.sandbox.tasks.taskSeconds = 12;
		const run = await world.run(
			{ prompt: 'one', ...PAUSE },
			{ node: { type: 'n8n-nodes-seedance.seedanceTool' } },
		);
		expect(run.json).toMatchObject([{ succeeded: true }]);
		expect(world.sandbox.tasks.all()[0].order.callback_url).toBeNull();
	});

	it('is refused for free where the API could not reach this n8n', async () => {
		world.n8n.credentials.set('Main account', {
			apiKey: world.sandbox.apiKey,
			baseUrl: 'https://seedance.example.com/v1',
		});
		const { message, description } = failureOf(await world.run({ prompt: 'one', ...PAUSE }));
		expect(message).toContain('Pause Until Callback is not possible: the address of this n8n');
		expect(message).toContain('Set N8N_WEBHOOK_URL (WEBHOOK_URL before n8n 2.41)');
		expect(description).toContain('No credits were spent.');
	});

	/** A key of which an expression gives the end: a whole one in an item would count as shown. */
	const keyEndingWith = (expression: string) =>
		`={{ "${world.sandbox.apiKey.slice(0, -4)}" + (${expression}) }}`;
	const keyEnd = () => world.sandbox.apiKey.slice(-4);

	it.each<[string, string]>([
		['the key of the item', '$json.end'],
		['the key of the item, or a fixed one', '$json.end || "none"'],
		['the key behind an item of another node', '$("Start").item.json.end'],
		['the key at the place of the item', '$("Start").all()[$itemIndex].json.end'],
	])('is refused for a single item with %s, before anything is paid', async (_, expression) => {
		const { sandbox, n8n } = world;
		const apiKey = keyEndingWith(expression);
		n8n.credentials.set('Main account', { apiKey, baseUrl: sandbox.baseUrl });
		const items = [{ json: { end: keyEnd() } }];
		const run = await world.run({ prompt: 'one', ...PAUSE }, { items });
		const { message, description } = failureOf(run);
		expect(message).toContain('Pause Until Callback needs one account for all items');
		expect(message).toContain('set Wait Method to "Keep Checking"');
		expect(description).toContain('No credits were spent.');
		expect(sandbox.ledger.posts()).toEqual([]);
	});

	it('is not refused for a key that is the same for all items, though an expression gives it', async () => {
		const { sandbox, n8n } = world;
		n8n.credentials.set('Main account', {
			apiKey: `={{ "${sandbox.apiKey}" }}`,
			baseUrl: sandbox.baseUrl,
		});
		const run = await paused();
		world.sandbox.finish(ids()[0]);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ succeeded: true }]);
	});

	it('watches a success without its video itself, since no callback will come for it again', async () => {
		world.sandbox.tasks.taskSeconds = 0;
		world.sandbox.faults.on('status', { kind: 'no-video', response: 'null' }, { times: 4 });
		const run = await world.runPrompts(['one'], { parameters: PAUSE });
		expect(run.data.waitTill).toBeFalsy();
		expect(run.json).toMatchObject([{ succeeded: true, video_url: expect.any(String) }]);
	});

	it('pauses for the others beside a success without its video, and reads that one again later', async () => {
		world.sandbox.tasks.taskSeconds = ({ prompt }) => (prompt === 'ready' ? 0 : Infinity);
		world.sandbox.faults.on('generate', { kind: 'task', seconds: 0 }, { nth: 1 });
		const noVideo = { kind: 'no-video', response: 'null' } as const;
		world.sandbox.faults.on('status', noVideo, { nth: 1 });
		const run = await paused(['ready', 'late']);
		world.sandbox.finish(ids()[1]);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[1]));
		expect(resumed?.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
	});

	it('stores a date that n8n can keep, however long the Timeout', async () => {
		world.n8n.clockSpeed = 1;
		const run = await world.run({
			prompt: 'one',
			...PAUSE,
			options: { timeout: 1e12 },
		});
		if (run.status === 'error') return expect(failureOf(run).message).toContain('Timeout');
		const until = new Date(run.data.waitTill ?? 0);
		expect(until.getFullYear()).toBeGreaterThan(2025);
		expect(until.getFullYear()).toBeLessThanOrEqual(3000);
	});

	it('is refused for an item that has another key than the first one', async () => {
		const { sandbox, n8n } = world;
		n8n.credentials.set('Main account', {
			apiKey: `={{ $json.row === 0 ? "${sandbox.apiKey}" : "${sandbox.otherAccount.apiKey}" }}`,
			baseUrl: sandbox.baseUrl,
		});
		const items = [{ json: { row: 0 } }, { json: { row: 1 } }];
		const { message, description } = failureOf(
			await world.run({ prompt: 'one', ...PAUSE }, { items }),
		);
		expect(message).toContain('needs one account for all items');
		expect(description).toContain('No credits were spent.');
		expect(sandbox.ledger.posts()).toEqual([]);
	});
});

describe('a callback', () => {
	it('lets the run go on with the video, its input and its place', async () => {
		const run = await paused(['one', 'two'], { after: 'breaks' });
		for (const taskId of ids()) world.sandbox.finish(taskId);
		const answer = await world.n8n.callback(run, said(ids()[1]));
		expect(answer).toMatchObject({ status: 200, body: { message: 'The execution goes on.' } });
		expect(answer.run?.items.map(({ json, pairedItem }) => [json.prompt, pairedItem])).toEqual([
			['one', { item: 0 }],
			['two', { item: 1 }],
		]);
		expect(ids().map(readsOf)).toEqual([2, 2]);
		expect(world.sandbox.ledger.posts()).toHaveLength(2);
	});

	it('is noted while other videos are not ready, and reads no more than it needs', async () => {
		const run = await paused(['a', 'b', 'c', 'd']);
		const [a, b, c, d] = ids();
		world.sandbox.finish(a);
		expect(await world.n8n.callback(run, said(a))).toEqual({
			status: 200,
			body: { message: 'Noted. The execution waits for more videos.' },
		});
		expect([a, b, c, d].map(readsOf)).toEqual([2, 1, 1, 2]);
	});

	it.each([
		['without a body', {}],
		['with a body that names another task', said('seed999')],
		['as a GET', { method: 'GET' as const, query: {} }],
		['with bytes', { body: Buffer.from([0, 255]) }],
	])('is understood %s', async (_, callback) => {
		const run = await paused(['one', 'two']);
		for (const taskId of ids()) world.sandbox.finish(taskId);
		const { run: resumed } = await world.n8n.callback(run, callback);
		expect(resumed?.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
	});

	it('is asked to come again when it claims an end that the API does not show', async () => {
		const run = await paused();
		expect(await world.n8n.callback(run, said(ids()[0]))).toMatchObject({ status: 503 });
		expect(world.n8n.logs.map(({ text }) => text).join()).toContain(
			`it says that task ${ids()[0]} has ended, but the API shows it as running`,
		);
	});

	it('is only noted when it tells that the video is being made', async () => {
		const run = await paused();
		const before = readsOf(ids()[0]);
		expect(await world.n8n.callback(run, said(ids()[0], 'IN_PROGRESS'))).toMatchObject({
			status: 200,
		});
		expect(readsOf(ids()[0])).toBe(before + 1);
	});

	it.each([
		['the API is in trouble', { kind: 'server-error' } as const, 'no usable answer'],
		['the key is refused', { kind: 'error', code: 'INVALID_API_KEY' } as const, 'key was refused'],
		['the task is unknown', { kind: 'error', code: 'TASK_NOT_FOUND' } as const, 'there is no task'],
	])('is asked to come again when %s, and then goes on', async (_, fault, reason) => {
		const run = await paused();
		world.sandbox.finish(ids()[0]);
		world.sandbox.faults.on('status', fault, { times: 'always' });
		expect(await world.n8n.callback(run, said(ids()[0]))).toMatchObject({ status: 503 });
		expect(world.n8n.logs.map(({ text }) => text).join()).toContain(reason);
		world.sandbox.faults.clear();
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ succeeded: true }]);
	});

	it('that comes twice at the same moment lets the run go on once', async () => {
		const run = await paused();
		world.sandbox.finish(ids()[0]);
		const answers = await Promise.all(
			[1, 2, 3].map(async () => await world.n8n.callback(run, said(ids()[0]))),
		);
		expect(answers.filter((answer) => answer.run)).toHaveLength(1);
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
	});

	it('that comes to the bare address of the execution resumes nothing', async () => {
		const run = await paused();
		world.sandbox.finish(ids()[0]);
		for (const method of ['POST', 'GET'] as const) {
			const bare = { method, suffix: '', ...said(ids()[0]) };
			expect(await world.n8n.callback(run, bare)).toEqual({
				status: 404,
				body: { message: 'Nothing waits here.' },
			});
		}
		expect(readsOf(ids()[0])).toBe(1);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ succeeded: true }]);
	});

	it('that comes to the address of another node finds no webhook', async () => {
		const run = await paused();
		world.sandbox.finish(ids()[0]);
		const elsewhere = { suffix: `seedance-${'0'.repeat(32)}`, ...said(ids()[0]) };
		expect(await world.n8n.callback(run, elsewhere)).toMatchObject({ status: 404 });
		expect(readsOf(ids()[0])).toBe(1);
	});

	it.each([
		['an id with a slash', 'a/b?c#d'],
		['an id with braces and quotes', '}}{{"\'`'],
		['an id of other letters', 'düğüm 1 🎬'],
		['a long id', 'x'.repeat(300)],
	])('reaches a node whose name and id are %s', async (_, odd) => {
		const run = await paused(['one'], { node: { id: odd } });
		const [{ order }] = world.sandbox.tasks.all();
		const { pathname } = new URL(String(order.callback_url));
		world.sandbox.finish(ids()[0]);
		const suffix = decodeURIComponent(pathname.split('/').at(-1) ?? '');
		const { run: resumed } = await world.n8n.callback(run, { suffix, ...said(ids()[0]) });
		expect(resumed?.json).toMatchObject([{ succeeded: true }]);
	});

	it('that tells the end of a success without its video lets the node read it again', async () => {
		const run = await paused(['one', 'two']);
		for (const taskId of ids()) world.sandbox.finish(taskId);
		const noVideo = { kind: 'no-video', response: 'null' } as const;
		world.sandbox.faults.on('status', noVideo, { times: 3, taskId: ids()[1] });
		const answer = await world.n8n.callback(run, said(ids()[1]));
		expect(answer).toMatchObject({ status: 200, body: { message: 'The execution goes on.' } });
		expect(answer.run?.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
	});

	it('is not sent away when there is no time to read the tasks: the node reads them', async () => {
		const run = await paused(['one', 'two']);
		for (const taskId of ids()) world.sandbox.finish(taskId);
		world.sandbox.faults.on('status', { kind: 'hang' }, { times: 2 });
		const answer = await world.n8n.callback(run, said(ids()[1]));
		expect(answer).toMatchObject({ status: 200, body: { message: 'The execution goes on.' } });
		expect(answer.run?.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
		expect(world.sandbox.ledger.posts()).toHaveLength(2);
	});

	it('is only noted when there is no time and it tells that the video is being made', async () => {
		const run = await paused();
		world.sandbox.faults.on('status', { kind: 'hang' });
		const answer = await world.n8n.callback(run, said(ids()[0], 'IN_PROGRESS'));
		expect(answer).toEqual({
			status: 200,
			body: { message: 'Noted. The execution waits for more videos.' },
		});
	});

	it('for a credential that cannot be read without the run lets the node read it', async () => {
		const { sandbox, n8n } = world;
		const apiKey = `={{ "${sandbox.apiKey.slice(0, -4)}" + $("Start").first().json.end }}`;
		n8n.credentials.set('Account of the run', { apiKey, baseUrl: sandbox.baseUrl });
		const end = sandbox.apiKey.slice(-4);
		const items = ['one', 'two'].map((prompt) => ({ json: { prompt, end } }));
		const run = await world.run(
			{ prompt: '={{ $json.prompt }}', ...PAUSE },
			{ items, credential: 'Account of the run' },
		);
		expect(run.data.waitTill).toBeTruthy();
		for (const taskId of ids()) sandbox.finish(taskId);
		const { run: resumed } = await n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
		expect(sandbox.ledger.posts()).toHaveLength(2);
	});

	it('for a credential that is gone ends with the ids, and never says that nothing was spent', async () => {
		const { apiKey, baseUrl } = world.sandbox;
		world.n8n.credentials.set('Account to go', { apiKey, baseUrl });
		const run = await paused(['one'], {
			node: { onError: 'continueRegularOutput' },
			credential: 'Account to go',
		});
		world.n8n.credentials.set('Account to go', { apiKey: ' ', baseUrl });
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ task_id: ids()[0], charged: 'unknown' }]);
		expect(String(resumed?.json[0].error_message)).not.toContain('No credits were spent');
	});

	it('for an execution that waits for something else is told so', async () => {
		const run = await paused();
		delete run.data.executionData?.contextData['node:Seedance'].seedancePause;
		expect(await world.n8n.callback(run, said(ids()[0]))).toEqual({
			status: 404,
			body: { message: 'Nothing waits here.' },
		});
	});

	it('gives the items as they are where this n8n stores a suspended node in another way', async () => {
		const run = await paused(['good', 'bad'], { node: { onError: 'stopWorkflow' } });
		const [good, bad] = ids();
		world.sandbox.finish(good);
		world.sandbox.finish(bad, { status: 'FAILED' });
		run.data.executionData?.nodeExecutionStack[0].data.main.splice(1);
		const { run: resumed } = await world.n8n.callback(run, said(bad));
		expect(resumed?.reached('After')?.map(({ json }) => json)).toMatchObject([
			{ task_id: good, succeeded: true },
			{ task_id: bad, succeeded: false, error_code: 'task_failed' },
		]);
	});
});

describe('a pause that another version of the package has stored', () => {
	const storedIn = (run: Run): IDataObject => {
		const kept = run.data.executionData?.contextData['node:Seedance'].seedancePause;
		if (typeof kept !== 'object' || kept === null || Array.isArray(kept))
			throw new Error('No pause');
		return kept;
	};
	const resultsIn = (run: Run): IDataObject[] => {
		const { results } = storedIn(run);
		if (!Array.isArray(results)) throw new Error('No results');
		return results.map((result) => Object(result));
	};
	/** As version 1 wrote it: without a number, and with the bare address given out. */
	const asVersion1 = (run: Run) => void delete storedIn(run).version;

	it('has a number', async () => {
		expect(storedIn(await paused())).toMatchObject({ version: 2 });
	});

	it('goes on with a callback to the bare address when it is of version 1', async () => {
		const run = await paused(['one', 'two']);
		asVersion1(run);
		for (const taskId of ids()) world.sandbox.finish(taskId);
		const { run: resumed } = await world.n8n.callback(run, { suffix: '', ...said(ids()[0]) });
		expect(resumed?.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
		expect(world.sandbox.ledger.posts()).toHaveLength(2);
	});

	it('hands on its ids when the time is up and it is of version 1', async () => {
		const run = await paused(['one']);
		asVersion1(run);
		const late = await world.n8n.timeUp(run);
		expect(late.reached('After')?.map(({ json }) => json.task_id)).toEqual(ids());
	});

	it.each<[string, unknown]>([
		['a newer version', 3],
		['a version that is no number', 'next'],
		['an empty version', null],
	])('stays suspended with %s, and hands on its ids when the time is up', async (_, version) => {
		const run = await paused(['one']);
		Object.assign(storedIn(run), { version });
		world.sandbox.finish(ids()[0]);
		expect(await world.n8n.callback(run, said(ids()[0]))).toMatchObject({ status: 503 });
		expect(world.n8n.logs.map(({ text }) => text).join()).toContain('another version');
		const late = await world.n8n.timeUp(run);
		expect(late.reached('After')?.map(({ json }) => json.task_id)).toEqual(ids());
		expect(world.sandbox.ledger.posts()).toHaveLength(1);
	});

	it.each<[string, (stored: IDataObject, results: IDataObject[]) => unknown]>([
		['no output', (_, [first]) => delete first.output],
		['an output of another form', (_, [first]) => Object.assign(first, { output: 'simple' })],
		['a reading of another form', (_, [first]) => Object.assign(first, { task: { state: 7 } })],
		['a problem of another form', (_, [first]) => Object.assign(first, { problem: 'lost' })],
		['a number for an id', (_, [first]) => Object.assign(Object(first.known), { prompt: 7 })],
		[
			'nothing but ids',
			(_, results) =>
				results.forEach((result) => {
					const { taskId } = Object(result.known);
					for (const name of Object.keys(result)) delete result[name];
					Object.assign(result, { known: { taskId } });
				}),
		],
		['a date of another form', (stored) => Object.assign(stored, { pausedAt: 'yesterday' })],
		['fields of its own', (stored) => Object.assign(stored, { more: { a: 1 } })],
	])('goes on with %s, and pays nothing again', async (_, change) => {
		const run = await paused(['one', 'two']);
		change(storedIn(run), resultsIn(run));
		for (const taskId of ids()) world.sandbox.finish(taskId);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json.map(({ task_id, succeeded }) => [task_id, succeeded])).toEqual(
			ids().map((taskId) => [taskId, true]),
		);
		expect(world.sandbox.ledger.posts()).toHaveLength(2);
	});

	it.each<[string, unknown]>([
		['a text', 'paused'],
		['a list', []],
		['an object without results', { runIndex: 0 }],
		['results of another form', { version: 2, results: { one: 1 } }],
	])('that is %s is not thrown away: the callback is asked to come again', async (_, value) => {
		const run = await paused();
		Object.assign(Object(run.data.executionData?.contextData['node:Seedance']), {
			seedancePause: value,
		});
		expect(await world.n8n.callback(run, said(ids()[0]))).toMatchObject({ status: 503 });
	});

	it('names an item of which nothing can be read as one that may have been paid for', async () => {
		const run = await paused(['one', 'two'], { node: { onError: 'continueRegularOutput' } });
		const results = storedIn(run).results;
		if (!Array.isArray(results)) throw new Error('No results');
		results[0] = 7;
		world.sandbox.finish(ids()[1]);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[1]));
		expect(resumed?.json).toMatchObject([{ charged: 'unknown' }, { succeeded: true }]);
	});
});

describe('after the pause', () => {
	it('fails with Stop when a video failed, counts what is ready, and a retry pays for the failed one only', async () => {
		const run = await paused(['good', 'bad']);
		const [good, bad] = ids();
		world.sandbox.finish(good);
		world.sandbox.finish(bad, { status: 'FAILED', errorMessage: 'Not allowed' });
		const { run: failed } = await world.n8n.callback(run, said(bad));
		if (!failed) throw new Error('It did not go on');
		expect(failureOf(failed).message).toContain('1 of 2 videos are ready and paid');
		expect(failed.reached('After')).toBeUndefined();

		world.sandbox.tasks.taskSeconds = 12;
		const again = await world.n8n.retry(failed);
		expect(again.json).toMatchObject([{ task_id: good }, { prompt: 'bad', succeeded: true }]);
		expect(
			['good', 'bad'].map(
				(prompt) => world.sandbox.ledger.posts().filter(({ body }) => body.includes(prompt)).length,
			),
		).toEqual([1, 2]);
	});

	it('does not pay again when Retry On Fail runs the node again', async () => {
		const run = await paused(['good', 'bad'], {
			node: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 },
		});
		const [good, bad] = ids();
		world.sandbox.finish(good);
		world.sandbox.finish(bad, { status: 'FAILED' });
		const { run: failed } = await world.n8n.callback(run, said(good));
		expect(failed?.status).toBe('error');
		expect(world.sandbox.ledger.posts()).toHaveLength(2);
	});

	it.each(['continueRegularOutput', 'continueErrorOutput'] as const)(
		'gives failed videos and refused items in their places with %s',
		async (onError) => {
			world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { nth: 2 });
			const run = await paused(['good', 'refused', 'bad'], { node: { onError } });
			const [good, bad] = ids();
			world.sandbox.finish(good);
			world.sandbox.finish(bad, { status: 'FAILED' });
			const { run: resumed } = await world.n8n.callback(run, said(bad));
			const [first, second = []] = resumed?.outputs ?? [];
			if (onError === 'continueRegularOutput') {
				expect(first.map(({ json }) => json)).toMatchObject([
					{ prompt: 'good', succeeded: true },
					{ prompt: 'refused', error_code: 'invalid_input' },
					{ prompt: 'bad', error_code: 'task_failed' },
				]);
			} else {
				expect(first.map(({ json }) => json)).toMatchObject([{ prompt: 'good' }]);
				expect(second.map(({ json }) => json)).toMatchObject([
					{ prompt: 'refused', details: { error_code: 'invalid_input' } },
					{ prompt: 'bad', details: { error_code: 'task_failed' } },
				]);
			}
		},
	);

	it('evaluates nothing anew, so that a prompt which changes each time is paid for once', async () => {
		const run = await paused(['one'], { parameters: { prompt: '={{ "x" + Math.random() }}' } });
		world.sandbox.finish(ids()[0]);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ task_id: ids()[0], succeeded: true }]);
		expect(world.sandbox.ledger.posts()).toHaveLength(1);
	});

	it('gives the raw answer when Simplify is off', async () => {
		const run = await paused(['one'], { parameters: { simplify: false } });
		world.sandbox.finish(ids()[0]);
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json[0]).toMatchObject({ response: [expect.any(String)] });
		expect(resumed?.json[0]).not.toHaveProperty('request.callback_url');
	});

	it('pauses anew in the next round of a loop', async () => {
		const run = await paused(['one'], { rounds: 2 });
		world.sandbox.finish(ids()[0]);
		const { run: second } = await world.n8n.callback(run, said(ids()[0]));
		if (!second) throw new Error('It did not go on');
		expect(second.data.waitTill).toBeTruthy();
		expect(ids()).toHaveLength(2);
		world.sandbox.finish(ids()[1]);
		const { run: ended } = await world.n8n.callback(second, said(ids()[1]));
		expect(ended?.reached('After')?.map(({ json }) => json)).toMatchObject([
			{ task_id: ids()[1], succeeded: true },
		]);
	});

	it('names no success without a video', async () => {
		const run = await paused(['one'], { node: { onError: 'continueRegularOutput' } });
		world.sandbox.finish(ids()[0], { status: 'SUCCESS', response: 'empty' });
		const { run: resumed } = await world.n8n.callback(run, said(ids()[0]));
		expect(resumed?.json).toMatchObject([{ succeeded: false, error_code: 'no_video' }]);
	});
});

describe('when the time is up', () => {
	it.each(['stopWorkflow', 'continueRegularOutput'] as const)(
		'the items go on with their ids, with %s',
		async (onError) => {
			const run = await paused(['one', 'two'], { node: { onError } });
			const late = await world.n8n.timeUp(run);
			expect(
				late.reached('After')?.map(({ json, pairedItem }) => [json, pairedItem]),
			).toMatchObject(
				ids().map((task_id, item) => [
					{ task_id, status: 'IN_PROGRESS', finished: false, succeeded: false },
					{ item },
				]),
			);
			expect(world.sandbox.ledger.posts()).toHaveLength(2);
		},
	);

	it('a Wait for Video step after it finishes them, without paying again', async () => {
		const late = await world.n8n.timeUp(await paused(['one', 'two']));
		for (const taskId of ids()) world.sandbox.finish(taskId);
		const rescue = await world.run(
			{ operation: 'wait', taskId: '={{ $json.task_id }}' },
			{ items: late.reached('After') },
		);
		expect(rescue.json).toMatchObject(ids().map((task_id) => ({ task_id, succeeded: true })));
		expect(rescue.items.map(({ binary }) => binary?.data.fileName)).toEqual(
			ids().map((id) => `${id}.mp4`),
		);
		expect(world.sandbox.ledger.posts()).toHaveLength(2);
	});

	it('refused items keep their place and their reason', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { nth: 1 });
		const run = await paused(['refused', 'two'], { node: { onError: 'continueErrorOutput' } });
		const late = await world.n8n.timeUp(run);
		expect(late.reached('After')?.map(({ json }) => json)).toMatchObject([{ prompt: 'two' }]);
		expect(late.reached('Failed')?.map(({ json }) => json)).toMatchObject([
			{ prompt: 'refused', details: { error_code: 'invalid_input' } },
		]);
	});

	it('a video that had failed before the pause is not given as one that is being made', async () => {
		world.sandbox.tasks.taskSeconds = ({ prompt }) => (prompt === 'bad' ? 0 : Infinity);
		world.sandbox.faults.on(
			'generate',
			{ kind: 'task', seconds: 0, outcome: { status: 'FAILED' } },
			{ nth: 1 },
		);
		const run = await paused(['bad', 'two']);
		const late = await world.n8n.timeUp(run);
		expect(late.reached('After')?.map(({ json }) => json)).toMatchObject([
			{ prompt: 'bad', status: 'FAILED', finished: true, error_code: 'task_failed' },
			{ prompt: 'two', status: 'IN_PROGRESS' },
		]);
	});
});
