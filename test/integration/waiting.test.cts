// The wait for paid videos: responses that hang or drip, an API that asks to slow down, limits of time that hold, and Stop,
// which loses no ID.
import type { Fault, RateLimit } from '../sandbox/server.cjs';
import type { Order, Run } from '../support/engine.cjs';
import {
	all,
	codesOf,
	CONTINUE,
	NO_FILE,
	TROUBLE,
	seedanceWorld,
} from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, waitFor, existingTasks } = world;
const { fault, plan, posts, reads, ids } = world;
const BOAT = { prompt: 'A boat' };
const ALWAYS = { times: 'always' } as const;
const NOT_CREATED = { error_code: 'not_created', charged: 'no', task_id: null };
const rows = (count: number) => Array.from({ length: count }, (_, row) => `Row ${row}`);

describe('a video that', () => {
	it('failed is reported with its reason, its ID and that it cost nothing', async () => {
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

	it.each(TROUBLE.unreadTasks)('cannot be read twelve times is waited for: %j', async (trouble) => {
		fault('status', trouble, { times: 12 });
		const { json } = await run({ ...BOAT, ...NO_FILE });
		expect(json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(world.sandbox.faults.count(trouble.kind)).toBe(12);
	});
});

describe('time', () => {
	it('between two reads is never less than Check Every (Seconds)', async () => {
		plan({ seconds: 60 });
		await run({ ...BOAT, options: { pollInterval: 20 } });
		const at = [posts()[0], ...reads()].map((entry) => entry.at);
		expect(at.length).toBeGreaterThanOrEqual(3);
		expect(at[1] - at[0]).toBeGreaterThanOrEqual(195);
		expect(at[2] - at[1]).toBeGreaterThanOrEqual(195);
	});

	it("for the wait ends ten seconds before the workflow's own limit", async () => {
		const { message } = await failure(
			// The list takes real time, of which this clock makes a hundred times as much.
			{ prompt: '[never]', options: { videoList: false } },
			{ settings: { executionTimeout: 25 } },
		);
		expect(message).toMatch(/^The video was not ready after 1[0-5] seconds/);
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
		it('the items come out with their IDs before n8n ends the execution', async () => {
			fault('status', endless, ALWAYS);
			const ended = await runPrompts(['a', 'b', 'c'], { node: CONTINUE, endsAfter: 15 });
			expect(ended.status).toBe('success');
			expect(ended.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(codesOf(ended)).toEqual(all(3, 'contact_lost'));
			const read = await waitFor(ids(), { operation: 'status' }, { endsAfter: 15 });
			expect(codesOf(read)).toEqual(all(3, 'contact_lost'));
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
	])('a POST that %s is reported as unclear before n8n ends the execution', async (_, endless) => {
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

	it('tasks that hang do not hold up others', async () => {
		const [hanging, ready] = [11, 30];
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

	it('a limit that n8n has for the whole instance counts, although no setting shows it', async () => {
		const order = { node: CONTINUE, endsAfter: 20 };
		const { status, json } = await runPrompts(['[never] a', '[never] b'], order);
		expect(status).toBe('success');
		expect(json).toMatchObject(ids().map((task_id) => ({ task_id, error_code: 'timeout' })));
		expect(json[0].error_message).toContain("the timeout in this workflow's settings");
	});
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

	it('during the POST still reads the response and logs its ID, and sends no other item', async () => {
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
});

describe('being asked to slow down is no lost contact:', () => {
	/** Slow enough for the requests to come as fast as the limits are meant for. */
	beforeEach(() => {
		// As long as short videos take: each is read several times before it is ready.
		world.sandbox.tasks.taskSeconds = 45;
		world.n8n.clockSpeed = 25;
		world.sandbox.speed = 25;
	});
	/** Limits count in the time of the tasks. */
	const limit = (limits: Omit<RateLimit, 'route'>) => {
		world.sandbox.faults.limits.now = () => world.sandbox.tasks.now();
		world.sandbox.faults.limits.add({ route: 'status', ...limits });
	};
	const limited = () => world.sandbox.faults.limits.count('status');
	const wait = (count: number) => async () => await waitFor(await existingTasks(count));
	const generate = async () => await runPrompts(rows(30), { parameters: NO_FILE, node: CONTINUE });

	it.each<[string, Omit<RateLimit, 'route'>, number, () => Promise<Run>]>([
		['tasks, with the exact time', { perSecond: 2, retryAfter: 'exact' }, 30, wait(30)],
		['tasks at 1 read a second', { perSecond: 1 }, 100, wait(100)],
		['new videos, with a time of its own', { perSecond: 2, retryAfter: 3 }, 30, generate],
	])('%s, all come', async (_, limits, count, start) => {
		limit(limits);
		expect(codesOf(await start())).toEqual(all(count, true));
		expect(limited()).toBeGreaterThan(0);
		if (limits.retryAfter === 'exact') expect(limited()).toBeLessThan(world.reads().length / 2);
		expect(posts()).toHaveLength(count);
	});
});

describe('a POST that the API asks to wait with', () => {
	it('is not waited for beyond the limit of the workflow, and what was started comes out', async () => {
		world.n8n.clockSpeed = 10;
		fault('generate', { kind: 'rate-limit', retryAfter: 55 }, { nth: 3, ...ALWAYS });
		const order = { parameters: { operation: 'generate' }, node: CONTINUE, endsAfter: 20 };
		const { status, json } = await runPrompts(rows(10), order);
		expect(status).toBe('success');
		expect(json.map(({ task_id }) => task_id)).toEqual([...ids(), ...all(8, null)]);
		expect(json[9]).toMatchObject(NOT_CREATED);
	});

	it('is not waited for beyond the Timeout', async () => {
		fault('generate', { kind: 'rate-limit', retryAfter: 50 }, ALWAYS);
		const start = Date.now();
		const parameters = { options: { timeout: 1 } };
		const { json } = await runPrompts(rows(10), { parameters, node: CONTINUE });
		expect((Date.now() - start) / 10).toBeLessThan(110);
		expect(json).toMatchObject(all(10, NOT_CREATED));
	});
});
