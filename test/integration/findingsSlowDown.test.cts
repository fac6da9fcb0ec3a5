// An API that asks to slow down, as long as it likes: every paid video arrives all the same. Fault 3 of those that use has shown;
// each test is another member of its kind.
import type { RateLimit } from '../sandbox/server.cjs';
import type { Run } from '../support/engine.cjs';
import { seedanceWorld } from '../support/seedanceWorld.cjs';

// As long as short videos take: each is read several times before it is ready.
const world = seedanceWorld({ taskSeconds: 45 });
const posts = () => world.sandbox.ledger.posts();
const CONTINUE = { onError: 'continueRegularOutput' } as const;
const NO_FILE = { downloadVideo: false };
/** Slow enough for the requests to come as fast as the limits are meant for. */
const LIMITED_SPEED = 25;

jest.setTimeout(30_000);
beforeEach(() => {
	world.n8n.clockSpeed = LIMITED_SPEED;
	world.sandbox.speed = LIMITED_SPEED;
});
afterEach(() => {
	world.sandbox.tasks.taskSeconds = 45;
	world.sandbox.faults.limits.now = Date.now;
});

const codes = ({ json }: Run) => json.map(({ error_code, succeeded }) => error_code ?? succeeded);
const all = (count: number, value: unknown) => Array(count).fill(value);

describe('3: being asked to slow down is no lost contact:', () => {
	/** Limits count in the time of the tasks. */
	const limit = (limits: Omit<RateLimit, 'route'>) => {
		world.sandbox.faults.limits.now = () => world.sandbox.tasks.now();
		world.sandbox.faults.limits.add({ route: 'status', ...limits });
	};
	const limited = () => world.sandbox.faults.limits.count('status');

	it.each<[string, Omit<RateLimit, 'route'>]>([
		['without a time', { perSecond: 2 }],
		['with the exact time', { perSecond: 2, retryAfter: 'exact' }],
		['with a time of its own', { perSecond: 2, retryAfter: 3 }],
		['counting what it refuses', { perSecond: 2, countsRefused: true }],
		['by the minute', { perMinute: 40 }],
	])('30 tasks at 2 reads a second, %s, all come', async (_, limits) => {
		limit(limits);
		const run = await world.waitFor(await world.existingTasks(30));
		expect(codes(run)).toEqual(all(30, true));
		expect(limited()).toBeGreaterThan(0);
	});

	it('100 tasks at 1 read a second all come', async () => {
		limit({ perSecond: 1 });
		const run = await world.waitFor(await world.existingTasks(100));
		expect(codes(run)).toEqual(all(100, true));
	});

	it('30 new videos at 2 reads a second all come', async () => {
		limit({ perSecond: 2 });
		const prompts = Array.from({ length: 30 }, (_, row) => `Row ${row}`);
		const run = await world.runPrompts(prompts, { parameters: NO_FILE, node: CONTINUE });
		expect(codes(run)).toEqual(all(30, true));
		expect(posts()).toHaveLength(30);
	});

	it('Get Status of 30 tasks at 2 reads a second reads all', async () => {
		world.sandbox.tasks.taskSeconds = Infinity;
		const taskIds = await world.existingTasks(30);
		taskIds.forEach((id) => world.sandbox.finish(id));
		limit({ perSecond: 2 });
		const run = await world.waitFor(taskIds, { operation: 'status' });
		expect(codes(run)).toEqual(all(30, true));
	});

	it('an account that allows no read at all holds no other account back', async () => {
		const mine = await world.existingTasks(5);
		const others = Array.from({ length: 5 }, () => world.sandbox.otherAccount.createTask());
		limit({ perSecond: 0, account: 'main' });
		world.n8n.credentials.set('By row', {
			apiKey: `={{ $json.mine ? '${world.sandbox.apiKey}' : '${world.sandbox.otherAccount.apiKey}' }}`,
			baseUrl: world.sandbox.baseUrl,
		});
		const run = await world.run(
			{ operation: 'wait', ...NO_FILE, options: { timeout: 1 } },
			{
				items: [
					...mine.map((task_id) => ({ json: { task_id, mine: true } })),
					...others.map((task_id) => ({ json: { task_id, mine: false } })),
				],
				credential: 'By row',
				node: CONTINUE,
			},
		);
		expect(codes(run)).toEqual([...all(5, 'contact_lost'), ...all(5, true)]);
		expect(run.json.slice(0, 5).map(({ task_id }) => task_id)).toEqual(mine);
	});

	it('is slowed down for once, not for each task that is asked', async () => {
		limit({ perSecond: 2, retryAfter: 'exact' });
		await world.waitFor(await world.existingTasks(30));
		expect(limited()).toBeLessThan(world.sandbox.ledger.statusReads().length / 2);
	});
});
