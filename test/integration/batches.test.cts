// Batches: videos that are made a few at a time, an account that allows only so many, and videos that are restarted
// because they failed for free.
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import type { TaskPlan } from '../sandbox/server.cjs';
import type { Order, Run } from '../support/engine.cjs';
import { LIMIT, MOST, ROWS, TASK_SECONDS } from '../support/fullAccount.cjs';
import {
	all,
	codesOf,
	CONTINUE,
	NO_FILE,
	RETRY_ON_FAIL,
	seedanceWorld,
} from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { runPrompts, plan, fault, posts, charges, ids } = world;
const rows = (count: number) => Array.from({ length: count }, (_, index) => `A boat ${index}`);
const BUSY = { status: 'FAILED', errorMessage: 'Internal error: the model is overloaded' } as const;
const FAILED: TaskPlan = { outcome: BUSY };

const spies: Array<{ mockRestore: () => void }> = [];
/** Lets the account make so many at once; further POSTs get 429. Gives how many were made at once at most. */
function allow(most = Infinity, retryAfter?: number) {
	const { limits } = world.sandbox.faults;
	const refuse = limits.refuse.bind(limits);
	const seen = { most: 0, refused: 0 };
	const spy = jest.spyOn(limits, 'refuse').mockImplementation((route, account) => {
		const refused = refuse(route, account);
		if (refused || route !== 'generate') return refused;
		const running = world.sandbox.tasks.all().filter((task) => !task.ended).length;
		seen.most = Math.max(seen.most, Math.min(running + 1, most));
		if (running < most) return null;
		seen.refused++;
		return { kind: 'rate-limit', retryAfter, as: undefined };
	});
	spies.push(spy);
	return seen;
}
afterEach(() => spies.splice(0).forEach((spy) => spy.mockRestore()));

/** Where a read that a busy machine makes late would count as time of the account. */
function slowly(): void {
	world.n8n.clockSpeed = 25;
	world.sandbox.speed = 25;
}

/** What stands in the list of videos of a run. */
const rowsOf = ({ order }: Run) => order.tables?.find(TABLE)?.rows ?? [];

const runRows = async (count: number, options: object, order: Partial<Order> = {}): Promise<Run> =>
	await runPrompts(rows(count), {
		node: CONTINUE,
		...order,
		parameters: { ...NO_FILE, ...order.parameters, options: { ...options } },
	});

describe('Maximum Videos at Once', () => {
	it('is kept, and each video has its Timeout from its own start', async () => {
		world.sandbox.tasks.taskSeconds = 40;
		const seen = allow();
		const ended = await runRows(7, { maxAtOnce: 2, timeout: 1 });
		expect(codesOf(ended)).toEqual(all(7, true));
		expect([seen.most, posts().length]).toEqual([2, 7]);
	});

	it.each([undefined, 0, ''])('is no limit as %j', async (maxAtOnce) => {
		world.sandbox.tasks.taskSeconds = 60;
		const seen = allow();
		await runRows(4, { maxAtOnce });
		expect(seen.most).toBe(4);
	});
});

describe('an account that allows only so many', () => {
	it('is fitted into: no row fails, and the limit is not run into for each of them', async () => {
		slowly();
		const seen = allow(3);
		const ended = await runRows(20, {});
		expect(codesOf(ended)).toEqual(all(20, true));
		expect(charges()).toHaveLength(20);
		expect(posts().length).toBeLessThanOrEqual(24);
		expect(seen.refused).toBe(posts().length - 20);
	});

	it('is shared by two runs, and none of them fails', async () => {
		slowly();
		allow(3);
		const [one, other] = await Promise.all([runRows(10, {}), runRows(10, { videoList: false })]);
		expect([...codesOf(one), ...codesOf(other)]).toEqual(all(20, true));
		expect(posts().length).toBeLessThanOrEqual(26);
	});

	it('is asked again when it says so, and not before', async () => {
		world.n8n.clockSpeed = 20;
		world.sandbox.speed = 20;
		world.sandbox.tasks.taskSeconds = 5;
		fault('generate', { kind: 'rate-limit', retryAfter: 20 }, { nth: 2 });
		await runRows(2, {});
		const [, refused, again] = posts().map(({ at }) => at);
		expect((again - refused) / 50).toBeGreaterThanOrEqual(19);
	});

	it('that has no room for the whole Timeout fails the rows, without a charge', async () => {
		allow(0);
		const ended = await runRows(3, { timeout: 10 });
		expect(codesOf(ended)).toEqual(all(3, 'not_created'));
		expect(ended.json[0].error_message).toContain('no room for it before its time was up');
		expect(ended.json[2].error_message).toContain('the time was up before its turn came');
		expect(posts().length).toBeLessThan(14);
		expect(charges()).toEqual([]);
	});

	it('what does not fit into the time of the workflow is not started', async () => {
		world.n8n.clockSpeed = 20;
		world.sandbox.speed = 20;
		world.sandbox.tasks.taskSeconds = 20;
		const ended = await runRows(6, { maxAtOnce: 1 }, { settings: { executionTimeout: 75 } });
		const codes = codesOf(ended);
		const ready = codes.filter((code) => code === true).length;
		expect(ready).toBeGreaterThanOrEqual(1);
		expect(codes).toEqual([...all(ready, true), ...all(6 - ready, 'not_created')]);
		expect(charges()).toHaveLength(ready);
		// On a busy machine the time may be over before it is read.
		expect(ended.json[5].error_message).toMatch(/the workflow's time limit|the time was up/);
	});
});

// How long that takes beside the best possible is held on a virtual clock (test/unit/startLimiter.test.ts).
it('50 rows with tasks of 8 minutes, and a second run beside them, fit into three at once and five a minute', async () => {
	const SPEED = 500;
	world.n8n.clockSpeed = SPEED;
	world.sandbox.speed = SPEED;
	world.sandbox.tasks.taskSeconds = TASK_SECONDS;
	const { limits } = world.sandbox.faults;
	limits.now = () => world.sandbox.tasks.now();
	limits.add(LIMIT);
	const { run, beside } = ROWS;
	const runs = await Promise.all([runRows(run, {}), runRows(beside, { videoList: false })]);
	expect(runs.flatMap(codesOf)).toEqual(all(run + beside, true));
	expect(charges()).toHaveLength(run + beside);
	expect(posts().length / (run + beside)).toBeLessThanOrEqual(MOST.posts);
}, 120_000);

describe('On Error = Stop', () => {
	it('starts nothing after a refused POST, and names the tasks that there are', async () => {
		fault('generate', { kind: 'refuse-with', status: 400, body: { message: 'No' } }, { nth: 3 });
		const { error } = await runRows(6, { maxAtOnce: 1 }, { node: {} });
		expect(error?.description).toContain('3 more items were not started');
		expect(error?.description).toContain(ids()[1]);
		expect(posts()).toHaveLength(3);
	});

	it('goes on after a failed task: what was asked for is made, and then reported', async () => {
		plan({ outcome: { status: 'FAILED', errorMessage: 'A known face' } });
		const { error } = await runRows(4, { maxAtOnce: 1 }, { node: {} });
		expect(error?.message).toContain('3 of 4 videos are ready');
		expect(posts()).toHaveLength(4);
	});
});

it('Stop: nothing more is sent, and the rows that wait are given back', async () => {
	const started = world.n8n.start({
		parameters: {
			operation: 'generateAndWait',
			prompt: '={{ $json.prompt }}',
			...NO_FILE,
			options: { maxAtOnce: 1 },
		},
		items: rows(4).map((prompt) => ({ json: { prompt } })),
	});
	await world.logged('created');
	started.stop();
	const stopped = await started.finished;
	expect(posts()).toHaveLength(1);
	expect(rowsOf(stopped).map(({ task_id, claim }) => [task_id, claim])).toEqual([[ids()[0], '']]);
});

describe('Free Restarts', () => {
	it.each([
		['once', 1, 1, true],
		['twice', 2, 2, true],
		['not more often than allowed', 3, 2, 'task_failed'],
		['never, without the option', 1, 0, 'task_failed'],
	])('%s', async (_, failures, restarts, code) => {
		for (let nth = 0; nth < failures; nth++) plan(FAILED);
		const ended = await runRows(1, { restarts });
		expect(codesOf(ended)).toEqual([code]);
		const tries = Math.min(failures, restarts) + 1;
		expect(ended.json[0].task_id).toBe(ids()[tries - 1]);
		expect(posts()).toHaveLength(tries);
		const own = rowsOf(ended).map(({ task_id, status, charged }) => ({ task_id, status, charged }));
		const last =
			code === true ? { status: 'SUCCESS', charged: 'yes' } : { status: 'FAILED', charged: 'no' };
		expect(own).toEqual(
			ids().map((task_id, nth) => ({
				task_id,
				...(nth === tries - 1 ? last : { status: 'FAILED', charged: 'no' }),
			})),
		);
	});

	it.each([
		['is named where it would have helped', BUSY, {}, true],
		['is not named where it was used up', BUSY, { restarts: 1 }, false],
		[
			'is not named for a reason that it does not solve',
			{ ...BUSY, errorMessage: 'No' },
			{},
			false,
		],
	])('%s', async (_, outcome, options, isNamed) => {
		fault('generate', { kind: 'task', outcome }, { times: 'always' });
		const { error } = await runRows(1, options, { node: {} });
		expect(error?.description?.includes('Free Restarts')).toBe(isNamed);
	});

	it('is never repeated by Retry On Fail', async () => {
		fault('generate', { kind: 'task', ...FAILED }, { times: 'always' });
		await runRows(1, { restarts: 1 }, { node: RETRY_ON_FAIL });
		expect(posts()).toHaveLength(2);
	});

	it('leaves what is not known, or was refused, to a person', async () => {
		fault('generate', { kind: 'task', outcome: { status: 'FAILED', errorMessage: 'Unknown' } });
		expect(codesOf(await runRows(1, { restarts: 2 }))).toEqual(['task_failed']);
		expect(posts()).toHaveLength(1);
	});

	it('whose outcome nobody knows is reported as that, and not sent again', async () => {
		plan(FAILED);
		fault('generate', { kind: 'accept-then-reset' });
		const ended = await runRows(1, { restarts: 2 });
		expect(ended.json[0]).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(posts()).toHaveLength(2);
	});

	it('that is refused leaves the free failure as it was', async () => {
		plan(FAILED);
		fault('generate', { kind: 'refuse-with', status: 402, body: { message: 'Empty' } });
		const ended = await runRows(1, { restarts: 2 });
		expect(ended.json[0]).toMatchObject({
			task_id: ids()[0],
			error_code: 'task_failed',
			charged: 'no',
		});
		expect(rowsOf(ended)).toMatchObject([{ task_id: ids()[0], status: 'FAILED', handed_on: true }]);
	});

	it('counts in Maximum Credits per Period, which others may have used up', async () => {
		plan(FAILED);
		const budget = { budget: { credits: 28, period: 'day' } };
		const ended = await runRows(1, { restarts: 1, creditBudget: budget });
		expect(codesOf(ended)).toEqual([true]);
		expect(posts()).toHaveLength(2);
	});
});

describe('with Pause Until Callback', () => {
	const pausing = { waitMethod: 'callback' };

	it('keeps checking while rows wait for a slot, and pauses for the last ones', async () => {
		const seen = allow();
		const paused = await runRows(5, { maxAtOnce: 2 }, { parameters: pausing });
		expect(paused.status).toBe('waiting');
		expect([posts().length, seen.most]).toEqual([5, 2]);
		expect(world.sandbox.tasks.all().filter((task) => task.ended)).not.toHaveLength(5);
	});

	it('fits into what the account allows', async () => {
		allow(2);
		const paused = await runRows(5, {}, { parameters: pausing });
		expect(paused.status).toBe('waiting');
		expect(charges()).toHaveLength(5);
	});
});
