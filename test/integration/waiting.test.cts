// The wait for paid videos: odd states, answers that hang or drip, limits of time that hold, and Stop, which loses no ID.
import type { Fault, TaskPlan } from '../sandbox/server.cjs';
import type { Order } from '../support/engine.cjs';
import {
	all,
	codesOf,
	CONTINUE,
	failureOf,
	NO_FILE,
	TROUBLE,
	seedanceWorld,
	SPEED,
} from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, waitFor, existingTask, existingTasks } = world;
const { fault, plan, posts, reads, ids } = world;
const BOAT = { prompt: 'A boat' };
const ALWAYS = { times: 'always' } as const;

describe('a video that', () => {
	it('failed is told with its reason, its ID and that it cost nothing', async () => {
		const { message, description, context } = await failure({ prompt: '[fail]' });
		expect(message).toBe(
			`The video could not be generated (task ${ids()[0]}): The content was not accepted.`,
		);
		expect(description).toMatch(/Change the prompt or the image.*No credits were spent\.$/s);
		expect(context).toMatchObject({ error_code: 'task_failed', charged: 'no', task_id: ids()[0] });
		expect(reads().length).toBeLessThan(5);
	});

	it('is not ready in time keeps its ID, and is said not to be lost', async () => {
		plan({ seconds: 9999, runningWord: 'QUEUED' });
		const { message, description, context } = await failure({ ...BOAT, options: { timeout: 0.5 } });
		expect(message).toBe(`The video was not ready after 30 seconds (task ${ids()[0]}).`);
		expect(description).toContain('(status QUEUED)');
		expect(description).toContain(`Wait for Video or Get Status with task ID ${ids()[0]}`);
		expect(context).toMatchObject({ error_code: 'timeout', charged: 'unknown' });
	});

	it('cannot be read until the Timeout is out of contact, not lost', async () => {
		fault('status', { kind: 'html', status: 502 }, ALWAYS);
		const { message, description, context } = await failure({ ...BOAT, options: { timeout: 2 } });
		expect(message).toContain(`Contact lost with task ${ids()[0]}: the API gave no usable answer`);
		expect(message).toContain('(HTTP 502)');
		expect(description).toContain('The video is not lost');
		expect(context).toMatchObject({ error_code: 'contact_lost', task_id: ids()[0] });
		expect(reads().length).toBeGreaterThan(5);
	});

	it.each(TROUBLE.unreadTasks)('cannot be read twelve times is waited for: %j', async (trouble) => {
		fault('status', trouble, { times: 12 });
		const { json } = await run({ ...BOAT, ...NO_FILE });
		expect(json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(world.sandbox.faults.count(trouble.kind)).toBe(12);
	});
});

describe('"no such task"', () => {
	it.each<TaskPlan>([{ unknownReads: 1 }, { unknownReads: 4 }, { unknownSeconds: 25 }])(
		'is a passing state of a task that was just made: %j',
		async (unknown) => {
			plan(unknown);
			expect(codesOf(await run({ ...BOAT, ...NO_FILE }))).toEqual([true]);
		},
	);

	it('is one also in an execution that is retried at once', async () => {
		plan({ unknownSeconds: 40 }, { prompt: 'a' });
		fault('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const node = { retryOnFail: true, maxTries: 2, waitBetweenTries: 1 };
		expect(codesOf(await runPrompts(['a', 'b'], { parameters: NO_FILE, node }))).toEqual([
			true,
			true,
		]);
		expect(posts()).toHaveLength(3);
	});

	it('is one also right before a pause, and of a task that was read before', async () => {
		plan({ unknownReads: 1, seconds: 9_999 });
		const paused = await run({ ...BOAT, waitMethod: 'callback' });
		expect(paused.status).toBe('waiting');
		expect(paused.json[0]).toMatchObject({ task_id: ids()[0], status: 'IN_PROGRESS' });
		const taskId = await existingTask();
		fault('status', { kind: 'error', code: 'TASK_NOT_FOUND' }, { taskId, nth: 2, times: 3 });
		expect(codesOf(await waitFor([taskId]))).toEqual([true]);
	});

	it('is believed after a while, and then its ID is told', async () => {
		plan({ unknownSeconds: 9_999 });
		const { message, context } = await failure(BOAT);
		expect(message).toContain(ids()[0]);
		expect(context).toMatchObject({ error_code: 'task_not_found', charged: 'unknown' });
	});

	it('is believed at once of an ID that this run did not make', async () => {
		expect(codesOf(await waitFor(['seed15unknown']))).toEqual(['task_not_found']);
		expect(reads()).toHaveLength(1);
	});
});

describe('a success whose link is not there yet', () => {
	it.each([
		{ urlAfterReads: 1 },
		{ urlAfterSeconds: 20 },
		{ urlAfterReads: 2, response: 'empty' },
		{ urlAfterReads: 2, response: 'null' },
		{ urlAfterReads: 2, response: 'missing', word: 'completed' },
	] as const)('is waited for: %j', async (late) => {
		plan({ outcome: { status: 'SUCCESS', ...late } });
		const { json, items } = await run(BOAT);
		expect(json[0]).toMatchObject({ succeeded: true, video_url: expect.any(String) });
		expect(items[0].binary).toBeDefined();
	});

	it.each(['empty', 'null', 'missing'] as const)('that never comes (%s)', async (response) => {
		plan({ seconds: 1, outcome: { status: 'SUCCESS', response } });
		const { message, description, context } = await failure(BOAT);
		expect(message).toBe(`The API says that task ${ids()[0]} succeeded, but it holds no video.`);
		expect(description).toContain('The credits for this video were spent.');
		expect(context).toMatchObject({ error_code: 'no_video', charged: 'yes' });
		const seconds = ((reads().at(-1)?.at ?? 0) - reads()[0].at) / (1000 / SPEED);
		expect(seconds).toBeGreaterThanOrEqual(29);
		expect(seconds).toBeLessThan(60);
	});

	it('when the time is up is told as it is, without waiting on', async () => {
		plan({ seconds: 1, outcome: { status: 'SUCCESS', response: 'empty' } });
		const { json } = await run({ ...BOAT, options: { timeout: 0.2 } }, { node: CONTINUE });
		expect(json[0]).toMatchObject({ task_id: ids()[0], error_code: 'no_video' });
	});
});

describe('time', () => {
	it('between two reads is never less than Check Every (Seconds)', async () => {
		await run({ ...BOAT, options: { pollInterval: 8 } });
		const at = [posts()[0], ...reads()].map((entry) => entry.at);
		expect(at.length).toBeGreaterThanOrEqual(3);
		expect(at[1] - at[0]).toBeGreaterThanOrEqual(75);
		expect(at[2] - at[1]).toBeGreaterThanOrEqual(75);
	});

	it("for the wait ends ten seconds before the workflow's own limit", async () => {
		const { message } = await failure(
			{ prompt: '[never]' },
			{ settings: { executionTimeout: 25 } },
		);
		expect(message).toMatch(/^The video was not ready after 1[0-5] seconds/);
	});

	it('of zero reads once', async () => {
		const taskId = await existingTask({ prompt: '[never]' });
		const { context } = await failure({ operation: 'wait', taskId, options: { timeout: 0 } });
		expect(context).toMatchObject({ error_code: 'timeout' });
		expect(reads()).toHaveLength(1);
	});
});

describe('where deadlines and the clock run at the same speed,', () => {
	const EVEN_SPEED = 10;
	beforeEach(() => {
		world.n8n.clockSpeed = EVEN_SPEED;
		world.sandbox.speed = EVEN_SPEED;
	});
	/** Seconds of the node's clock since a time in milliseconds. */
	const secondsSince = (start: number, end = Date.now()) => ((end - start) * EVEN_SPEED) / 1000;
	const OPEN_ENDED: ReadonlyArray<[string, Fault]> = [
		['hang', { kind: 'hang' }],
		['drip', { kind: 'drip', everyMs: 20 }],
	];

	describe.each(OPEN_ENDED)('reads that %s:', (_, endless) => {
		it.each<[string, number, Partial<Order>]>([
			['n8n ends the execution', 15, { endsAfter: 15 }],
			['the limit in the settings of the workflow', 19, { settings: { executionTimeout: 20 } }],
		])('the items come out with their IDs before %s', async (_limit, seconds, order) => {
			fault('status', endless, ALWAYS);
			const start = Date.now();
			const ended = await runPrompts(['a', 'b', 'c'], { node: CONTINUE, ...order });
			expect(ended.status).toBe('success');
			expect(ended.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(codesOf(ended)).toEqual(all(3, 'contact_lost'));
			expect(secondsSince(start)).toBeLessThan(seconds + 1);
		});

		it('the Timeout of 6 seconds holds, and Get Status ends before n8n does', async () => {
			const taskIds = await existingTasks(2);
			fault('status', endless, ALWAYS);
			const lost = taskIds.map((task_id) => ({ task_id, error_code: 'contact_lost' }));
			const start = Date.now();
			const waited = await waitFor(taskIds, { options: { timeout: 0.1 } });
			expect(secondsSince(start)).toBeLessThan(16);
			const read = await waitFor(
				taskIds,
				{ operation: 'status' },
				{ endsAfter: 15, node: CONTINUE },
			);
			expect([waited, read]).toMatchObject(all(2, { status: 'success', json: lost }));
		});

		it('a Retry that has to see which tasks have failed gives all IDs in time', async () => {
			const first = await runPrompts(['a', 'b', '[fail] c'], { parameters: NO_FILE });
			failureOf(first);
			fault('status', endless, ALWAYS);
			const retried = await world.n8n.retry(first, { node: CONTINUE, endsAfter: 15 });
			expect(retried.status).toBe('success');
			expect(retried.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(posts()).toHaveLength(3);
		});

		it('Stop ends them at once', async () => {
			const taskIds = await existingTasks(2);
			fault('status', endless, ALWAYS);
			const running = world.n8n.start({
				parameters: { operation: 'wait', taskId: '={{ $json.task_id }}' },
				items: taskIds.map((task_id) => ({ json: { task_id } })),
			});
			await world.sandbox.ledger.until((ledger) => ledger.statusReads().length === 2);
			const start = Date.now();
			running.stop();
			expect((await running.finished).status).toBe('canceled');
			expect(Date.now() - start).toBeLessThan(500);
		});
	});

	it.each<[string, Fault]>([
		['hangs', { kind: 'accept-then-hang' }],
		['drips', { kind: 'drip', everyMs: 20 }],
	])('a POST that %s is told as unclear before n8n ends the execution', async (_, endless) => {
		fault('generate', endless, { prompt: 'b' });
		const parameters = { operation: 'generate' };
		const order = { parameters, node: CONTINUE, endsAfter: 15 };
		const { status, json } = await runPrompts(['a', 'b', 'c'], order);
		expect(status).toBe('success');
		expect(json).toMatchObject([
			{ task_id: ids()[0] },
			{ error_code: 'maybe_created', charged: 'unknown' },
			{ error_code: 'not_created', charged: 'no' },
		]);
		expect(posts()).toHaveLength(2);
	});

	it.each([
		[1, 9],
		[11, 30],
	])('%i tasks that hang do not hold up %i others', async (hanging, ready) => {
		world.sandbox.tasks.taskSeconds = 0;
		const stuck = await existingTasks(hanging, 'stuck');
		const good = await existingTasks(ready, 'good');
		fault('status', { kind: 'hang' }, { prompt: 'stuck', ...ALWAYS });
		const start = Date.now();
		const parameters = { downloadVideo: true, options: { timeout: 0.5 } };
		const ended = await waitFor([...stuck, ...good], parameters);
		expect(codesOf(ended)).toEqual([...all(hanging, 'contact_lost'), ...all(ready, true)]);
		const stored = world.sandbox.ledger.videoReads().map(({ at }) => secondsSince(start, at));
		expect(stored).toHaveLength(ready);
		expect(Math.max(...stored)).toBeLessThan(20);
	});

	it('a limit that n8n has for the whole instance counts, although no setting tells it', async () => {
		const order = { node: CONTINUE, endsAfter: 20 };
		const { status, json } = await runPrompts(['[never] a', '[never] b'], order);
		expect(status).toBe('success');
		expect(json).toMatchObject(ids().map((task_id) => ({ task_id, error_code: 'timeout' })));
		expect(json[0].error_message).toContain("the timeout in this workflow's settings");
	});

	it('the shorter of two limits wins', async () => {
		const settings = { executionTimeout: 3_600 };
		const { status, json } = await runPrompts(['[never]'], {
			node: CONTINUE,
			endsAfter: 12,
			settings,
		});
		expect(status).toBe('success');
		expect(json[0]).toMatchObject({ task_id: ids()[0], error_code: 'timeout' });
	});
});

it('an answer that drips to its end is taken', async () => {
	fault('generate', { kind: 'drip', everyMs: 10, ms: 100 });
	fault('status', { kind: 'drip', everyMs: 10, ms: 100 }, { times: 3 });
	const { json } = await run({ ...BOAT, ...NO_FILE });
	expect(json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
});

describe('Stop', () => {
	const start = (parameters: Order['parameters'], prompts = ['[never] a', 'b', 'c']) =>
		world.n8n.start({
			parameters: { operation: 'generate', prompt: '={{ $json.prompt }}', ...parameters },
			items: prompts.map((prompt) => ({ json: { prompt } })),
		});

	it('ends the wait at once, with the task ID in the log', async () => {
		world.n8n.clockSpeed = 4;
		const running = start({ operation: 'generateAndWait' }, ['[never]']);
		await world.logged('created');
		const stoppedAt = Date.now();
		running.stop();
		const { status, logs } = await running.finished;
		expect(Date.now() - stoppedAt).toBeLessThan(500);
		expect(status).toBe('canceled');
		expect(logs.some(({ text }) => text.includes(ids()[0]))).toBe(true);
	});

	it('during the POST still reads the answer and logs its ID, and sends no other item', async () => {
		fault('generate', { kind: 'delay', ms: 200 });
		const running = start({ operation: 'generateAndWait' });
		await world.sandbox.ledger.until(() => posts().length === 1);
		running.stop();
		await running.finished;
		await world.logged('created');
		expect(world.n8n.logs.some(({ text }) => text.includes(`task ${ids()[0]} created`))).toBe(true);
		expect(posts()).toMatchObject([{ accepted: true, answered: 200 }]);
	});

	it('in the pause between two groups sends no further item', async () => {
		const batching = { batch: { batchSize: 1, batchInterval: 60_000 } };
		const running = start({ options: { batching } });
		await world.logged('created');
		running.stop();
		expect((await running.finished).status).toBe('canceled');
		expect(posts()).toHaveLength(1);
	});

	it('before a POST that is to be repeated sends it no more', async () => {
		fault('generate', { kind: 'rate-limit', retryAfter: 60 }, ALWAYS);
		const running = start({}, ['A boat']);
		await world.sandbox.ledger.until(() => posts()[0]?.answered === 429);
		await new Promise((resolve) => setTimeout(resolve, 50));
		running.stop();
		expect((await running.finished).status).toBe('canceled');
		expect(posts()).toHaveLength(1);
	});
});
