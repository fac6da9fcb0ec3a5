// Pause Until Callback in n8n's engine: what is stored, what a callback reads, and how the run goes on or does not.
import type { INodeParameters } from 'n8n-workflow';

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
