// The wait for a video: its named ends, its limits, and Stop, which never loses the id of a paid task.
import type { Fault } from '../sandbox/server.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);

describe('a task that', () => {
	it('failed is told with its reason, its id and that it cost nothing', async () => {
		const { message, description, context } = failureOf(
			await world.run({ prompt: '[fail] A boat' }),
		);
		expect(message).toBe(
			`The video could not be generated (task ${ids()[0]}): The content was not accepted.`,
		);
		expect(description).toContain('Change the prompt or the image');
		expect(description).toMatch(/No credits were spent\.$/);
		expect(context).toMatchObject({ error_code: 'task_failed', charged: 'no', task_id: ids()[0] });
		expect(world.sandbox.ledger.statusReads().length).toBeLessThan(5);
	});

	it.each(['FAILED', 'error', 'Cancelled', 'canceled', 'EXPIRED'])(
		'ended with the word %s has failed, and is no endless wait',
		async (word) => {
			world.sandbox.faults.on('generate', { kind: 'task', outcome: { status: 'FAILED', word } });
			const run = await world.run({ prompt: 'A boat' });
			expect(failureOf(run).context).toMatchObject({ error_code: 'task_failed' });
			expect(run.status).toBe('error');
		},
	);

	it.each(['empty', 'null', 'missing'] as const)(
		'succeeded without a video (%s) is not a success',
		async (response) => {
			world.sandbox.faults.on('generate', {
				kind: 'task',
				outcome: { status: 'SUCCESS', response },
			});
			const { message, description, context } = failureOf(await world.run({ prompt: 'A boat' }));
			expect(message).toBe(`The API says that task ${ids()[0]} succeeded, but it holds no video.`);
			expect(description).toContain('The credits for this video were spent.');
			expect(context).toMatchObject({ error_code: 'no_video', charged: 'yes' });
		},
	);

	it('is not ready in time keeps its id, and says that it is not lost', async () => {
		world.sandbox.faults.on('generate', { kind: 'task', seconds: 9999, runningWord: 'QUEUED' });
		const run = await world.run({ prompt: 'A boat', options: { timeout: 0.5 } });
		const { message, description, context } = failureOf(run);
		expect(message).toBe(`The video was not ready after 30 seconds (task ${ids()[0]}).`);
		expect(description).toContain('(status QUEUED)');
		expect(description).toContain(`Wait for Video or Get Status with task ID ${ids()[0]}`);
		expect(context).toMatchObject({ error_code: 'timeout', charged: 'unknown' });
	});

	it('is not ready in time comes out as in progress when On Error continues', async () => {
		const run = await world.run(
			{ prompt: '[never] A boat', options: { timeout: 0.2 } },
			{ node: { onError: 'continueRegularOutput' } },
		);
		expect(run.json[0]).toMatchObject({
			task_id: ids()[0],
			status: 'IN_PROGRESS',
			finished: false,
			succeeded: false,
			prompt: '[never] A boat',
			estimated_credits: 28,
			error_code: 'timeout',
		});
	});

	it('cannot be read until the Timeout is out of contact, not lost', async () => {
		world.sandbox.faults.on('status', { kind: 'html', status: 502 }, { times: 'always' });
		const { message, description, context } = failureOf(
			await world.run({ prompt: 'A boat', options: { timeout: 2 } }),
		);
		expect(message).toContain(
			`Contact lost with task ${ids()[0]}: the API gave no usable answer (HTTP 502)`,
		);
		expect(description).toContain('The video is not lost');
		expect(context).toMatchObject({ error_code: 'contact_lost', task_id: ids()[0] });
		expect(world.sandbox.ledger.statusReads().length).toBeGreaterThan(5);
	});

	it.each<Fault>([
		{ kind: 'server-error', status: 503 },
		{ kind: 'html', status: 200 },
		{ kind: 'html', status: 404 },
		{ kind: 'html', status: 403 },
		{ kind: 'empty-body' },
		{ kind: 'invalid-json' },
		{ kind: 'wrong-shape', shape: 'no-data' },
		{ kind: 'reset' },
		{ kind: 'refuse-with', status: 408 },
		{ kind: 'firewall' },
	])('cannot be read twelve times in a row is waited for all the same: %j', async (fault) => {
		world.sandbox.faults.on('status', fault, { times: 12 });
		const run = await world.run({ prompt: 'A boat', downloadVideo: false });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(world.sandbox.faults.count(fault.kind)).toBe(12);
	});

	it('is out of reach is told so', async () => {
		const id = await world.existingTask({ prompt: '[never]' });
		await world.sandbox.goDown();
		const run = await world.run({ operation: 'wait', taskId: id, options: { timeout: 2 } });
		await world.sandbox.comeBack();
		expect(failureOf(run).message).toContain('the Seedance API could not be reached');
		expect(failureOf(run).context).toMatchObject({ error_code: 'contact_lost', task_id: id });
	});

	it('cannot be read four times in a row is waited for', async () => {
		world.sandbox.faults.on('status', { kind: 'reset' }, { times: 2 });
		world.sandbox.faults.on('status', { kind: 'rate-limit', retryAfter: 1 });
		world.sandbox.faults.on('status', { kind: 'server-error' });
		const run = await world.run({ prompt: 'A boat' });
		expect(run.json[0]).toMatchObject({ succeeded: true });
	});

	it('the account does not know ends the wait at once', async () => {
		const run = await world.run({ operation: 'wait', taskId: 'seed15unknown' });
		expect(failureOf(run).context).toMatchObject({ error_code: 'task_not_found' });
		expect(world.sandbox.ledger.statusReads()).toHaveLength(1);
	});

	it('is in a state nobody knows is waited for', async () => {
		world.sandbox.faults.on('generate', { kind: 'task', runningWord: 'REVIEWING' });
		expect((await world.run({ prompt: 'A boat' })).json[0]).toMatchObject({ succeeded: true });
	});
});

describe('several tasks', () => {
	it('are all followed to their end before the node fails', async () => {
		const run = await world.runPrompts(['a', '[fail] b', 'c', '[no video] d']);
		const { message, description, context } = failureOf(run);
		expect(message).toMatch(
			/^2 of 4 videos are ready and paid\. .*\[item 1\] \(number 2 of 4\) \(and 1 more\)$/,
		);
		expect(description).toContain('[item 3]');
		for (const id of ids()) expect(description).toContain(id);
		expect(context.tasks).toMatchObject([
			{ item: 0, succeeded: true },
			{ item: 1, error_code: 'task_failed' },
			{ item: 2, succeeded: true },
			{ item: 3, error_code: 'no_video' },
		]);
	});

	it('do not hide each other when On Error uses the error output', async () => {
		const run = await world.runPrompts(['a', '[fail] b', 'c'], {
			node: { onError: 'continueErrorOutput' },
		});
		expect(run.json.map(({ prompt }) => prompt)).toEqual(['a', 'c']);
		expect(run.outputs[1][0].json).toEqual({
			prompt: '[fail] b',
			error: expect.stringContaining('The video could not be generated'),
			details: expect.objectContaining({
				task_id: ids()[1],
				status: 'FAILED',
				error_code: 'task_failed',
				charged: 'no',
			}),
		});
	});
});

describe('time', () => {
	it('between two looks is never less than Check Every (Seconds)', async () => {
		await world.run({ prompt: 'A boat', options: { pollInterval: 8 } });
		const at = world.sandbox.ledger.statusReads().map((read) => read.at);
		expect(at.length).toBeGreaterThanOrEqual(2);
		expect(at[0] - posts()[0].at).toBeGreaterThanOrEqual(75);
		expect(at[1] - at[0]).toBeGreaterThanOrEqual(75);
	});

	it("for the wait ends ten seconds before the workflow's own limit", async () => {
		const run = await world.run({ prompt: '[never]' }, { settings: { executionTimeout: 25 } });
		expect(failureOf(run).message).toMatch(/^The video was not ready after 1[0-5] seconds/);
	});

	it('of zero looks once', async () => {
		const id = await world.existingTask({ prompt: '[never]' });
		const run = await world.run({ operation: 'wait', taskId: id, options: { timeout: 0 } });
		expect(failureOf(run).context).toMatchObject({ error_code: 'timeout' });
		expect(world.sandbox.ledger.statusReads()).toHaveLength(1);
	});
});

describe('Stop', () => {
	it('ends the wait at once, with the task id in the log', async () => {
		world.n8n.clockSpeed = 4;
		const running = world.n8n.start({
			parameters: { operation: 'generateAndWait', prompt: '[never] A boat' },
		});
		await world.sandbox.ledger.until((ledger) => ledger.charges().length === 1);
		await logged('created');
		const start = Date.now();
		running.stop();
		const run = await running.finished;
		expect(Date.now() - start).toBeLessThan(500);
		expect(run.status).toBe('canceled');
		expect(run.logs.some(({ text }) => text.includes(ids()[0]))).toBe(true);
	});

	it('during a read ends at once', async () => {
		const id = await world.existingTask({ prompt: '[never]' });
		world.sandbox.faults.on('status', { kind: 'hang' }, { times: 'always' });
		const running = world.n8n.start({ parameters: { operation: 'wait', taskId: id } });
		await world.sandbox.ledger.until((ledger) => ledger.statusReads().length === 1);
		const start = Date.now();
		running.stop();
		expect((await running.finished).status).toBe('canceled');
		expect(Date.now() - start).toBeLessThan(500);
	});

	it('during the POST still reads the answer and logs its task id, and sends no other item', async () => {
		world.sandbox.faults.on('generate', { kind: 'delay', ms: 200 });
		const running = world.n8n.start({
			parameters: { operation: 'generateAndWait', prompt: '={{ $json.prompt }}' },
			items: [{ json: { prompt: 'a' } }, { json: { prompt: 'b' } }],
		});
		await world.sandbox.ledger.until((ledger) => ledger.posts().length === 1);
		running.stop();
		await running.finished;
		await logged('created');
		expect(world.n8n.logs.some(({ text }) => text.includes(`task ${ids()[0]} created`))).toBe(true);
		expect(posts()).toHaveLength(1);
		expect(posts()[0]).toMatchObject({ accepted: true, answered: 200 });
	});

	it('in the pause between two groups sends no further item', async () => {
		const batching = { batch: { batchSize: 1, batchInterval: 60_000 } };
		const running = world.n8n.start({
			parameters: { operation: 'generate', prompt: '={{ $json.prompt }}', options: { batching } },
			items: ['a', 'b', 'c'].map((prompt) => ({ json: { prompt } })),
		});
		await logged('created');
		running.stop();
		expect((await running.finished).status).toBe('canceled');
		expect(posts()).toHaveLength(1);
	});

	it('before a POST that is to be repeated sends it no more', async () => {
		world.sandbox.faults.on(
			'generate',
			{ kind: 'rate-limit', retryAfter: 60 },
			{ times: 'always' },
		);
		const running = world.n8n.start({
			parameters: { operation: 'generateAndWait', prompt: 'A boat' },
		});
		await world.sandbox.ledger.until((ledger) => ledger.posts()[0]?.answered === 429);
		await new Promise((resolve) => setTimeout(resolve, 50));
		running.stop();
		expect((await running.finished).status).toBe('canceled');
		expect(posts()).toHaveLength(1);
	});
});

/** Resolves when the node has written such a line to the log. */
async function logged(part: string): Promise<void> {
	const end = Date.now() + 5000;
	while (!world.n8n.logs.some(({ text }) => text.startsWith('Seedance') && text.includes(part))) {
		if (Date.now() > end) throw new Error(`Nothing with "${part}" was logged`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}
