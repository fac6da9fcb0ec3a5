// An API that asks to slow down, as long as it likes: what was paid for arrives, and nothing is sent beyond the limits.
import type { RateLimit } from '../sandbox/server.cjs';
import type { Run } from '../support/engine.cjs';
import { all, codesOf, CONTINUE, NO_FILE, seedanceWorld } from '../support/seedanceWorld.cjs';

// As long as short videos take: each is read several times before it is ready.
const world = seedanceWorld({ taskSeconds: 45 });
const { run, failure, runPrompts, existingTasks, waitFor, fault, posts, charges, ids } = world;
const rows = (count: number) => Array.from({ length: count }, (_, row) => `Row ${row}`);
const GENERATE = { operation: 'generate' };
const ALWAYS = { times: 'always' } as const;
const NOT_CREATED = { error_code: 'not_created', charged: 'no', task_id: null };

describe('being asked to slow down is no lost contact:', () => {
	/** Slow enough for the requests to come as fast as the limits are meant for. */
	beforeEach(() => {
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
		['tasks at 2 reads a second', { perSecond: 2 }, 30, wait(30)],
		['tasks, with the exact time', { perSecond: 2, retryAfter: 'exact' }, 30, wait(30)],
		['tasks, counting what it refuses', { perSecond: 2, countsRefused: true }, 30, wait(30)],
		['tasks, by the minute', { perMinute: 40 }, 30, wait(30)],
		['tasks at 1 read a second', { perSecond: 1 }, 100, wait(100)],
		['new videos, with a time of its own', { perSecond: 2, retryAfter: 3 }, 30, generate],
	])('%s, all come', async (_, limits, count, start) => {
		limit(limits);
		expect(codesOf(await start())).toEqual(all(count, true));
		expect(limited()).toBeGreaterThan(0);
		if (limits.retryAfter === 'exact') expect(limited()).toBeLessThan(world.reads().length / 2);
		expect(posts()).toHaveLength(count);
	});

	it('Get Status of 30 tasks at 2 reads a second reads all', async () => {
		world.sandbox.tasks.taskSeconds = Infinity;
		const taskIds = await existingTasks(30);
		taskIds.forEach((id) => world.sandbox.finish(id));
		limit({ perSecond: 2 });
		expect(codesOf(await waitFor(taskIds, { operation: 'status' }))).toEqual(all(30, true));
	});

	it('an account that allows no read at all holds no other account back', async () => {
		const { apiKey, otherAccount } = world.sandbox;
		const mine = await existingTasks(5);
		const others = mine.map(() => otherAccount.createTask());
		limit({ perSecond: 0, account: 'main' });
		world.setCredential({ apiKey: `={{ $json.mine ? '${apiKey}' : '${otherAccount.apiKey}' }}` });
		const ended = await run(
			{ operation: 'wait', ...NO_FILE, options: { timeout: 1 } },
			{
				items: [...mine, ...others].map((task_id, row) => ({ json: { task_id, mine: row < 5 } })),
				node: CONTINUE,
			},
		);
		expect(codesOf(ended)).toEqual([...all(5, 'contact_lost'), ...all(5, true)]);
		expect(ended.json.slice(0, 5).map(({ task_id }) => task_id)).toEqual(mine);
	});
});

describe('a POST that the API asks to wait with', () => {
	const TIMES = [{}, { retryAfter: 20 }, { retryAfter: 20, as: 'date' as const }];

	it.each(TIMES)('is sent again, up to five times: %j', async (how) => {
		fault('generate', { kind: 'rate-limit', ...how }, { times: 3 });
		const { json } = await run({ ...GENERATE, prompt: 'A boat' });
		expect(json[0]).toMatchObject({ task_id: ids()[0] });
		expect([posts().length, charges().length]).toEqual([4, 1]);
	});

	it('waits as long as the API asks, but not more than a minute', async () => {
		fault('generate', { kind: 'rate-limit', retryAfter: 30 });
		await run({ ...GENERATE, prompt: 'A boat' });
		expect(posts()[1].at - posts()[0].at).toBeGreaterThanOrEqual(295);
		fault('generate', { kind: 'rate-limit', retryAfter: 61 });
		const { context } = await failure({ prompt: 'A boat' });
		expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
		expect(posts()).toHaveLength(3);
	});

	it.each(TIMES)('each time (%j) is sent five times for ten rows', async (how) => {
		fault('generate', { kind: 'rate-limit', ...how }, ALWAYS);
		expect((await runPrompts(rows(10), { node: CONTINUE })).json).toMatchObject(
			all(10, NOT_CREATED),
		);
		expect(posts().length).toBeLessThanOrEqual(5);
		expect(((posts().at(-1)?.at ?? 0) - posts()[0].at) / 10).toBeLessThan(120);
	});

	it('each time, with On Error = Stop, is sent five times, and the node says what it cost', async () => {
		fault('generate', { kind: 'rate-limit' }, ALWAYS);
		const items = rows(10).map((row) => ({ json: { row } }));
		const { message, description, context } = await failure(
			{ prompt: '={{ $json.row }}' },
			{ items },
		);
		expect(message).toContain('The API is receiving too many requests from you (HTTP 429).');
		expect(description).toContain('9 more items were not started and cost nothing.');
		expect(description).toMatch(/Batching.*No credits were spent\./s);
		expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
		expect(posts()).toHaveLength(5);
	});

	it('now and then starts every video, each once', async () => {
		const { limits } = world.sandbox.faults;
		limits.now = () => world.sandbox.tasks.now();
		limits.add({ route: 'generate', perSecond: 0.2, retryAfter: 'exact' });
		const { json } = await runPrompts(rows(10), { parameters: GENERATE });
		expect(json.map(({ task_id }) => task_id)).toEqual(ids());
		expect(charges()).toHaveLength(10);
	});

	it('is not waited for beyond the limit of the workflow, and what was started comes out', async () => {
		world.n8n.clockSpeed = 10;
		fault('generate', { kind: 'rate-limit', retryAfter: 55 }, { nth: 3, ...ALWAYS });
		const order = { parameters: GENERATE, node: CONTINUE, endsAfter: 20 };
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
