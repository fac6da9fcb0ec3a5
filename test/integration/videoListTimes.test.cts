// How long videos took here: written when a run has seen one being made, and how that times the polling of the next run.
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import type { Order } from '../support/engine.cjs';
import type { TableRow } from '../support/dataTables.cjs';
import { listWorld, tasksOf } from '../support/listWorld.cjs';

const list = listWorld();
const { world, run, rows } = list;
const { plan, ids } = world;
const NEVER = { ifExists: 'never' };
const DURATION = { ...NEVER, duration: '={{ $json.duration }}' };

/** Virtual seconds between two reads of a task. */
function gapsOf(taskId: string): number[] {
	const at = world.sandbox.ledger.statusReads(taskId).map((read) => read.at);
	return at.slice(1).map((time, index) => ((time - at[index]) * world.sandbox.speed) / 1000);
}

/**
 * Where 90 seconds are known, a video of 65 seconds is polled every 15 seconds; otherwise some reads are 5 seconds apart.
 * A busy machine makes the time between two reads longer, and never shorter.
 */
const isKnown = (taskId: string) => Math.min(...gapsOf(taskId)) > 11;

/** Puts rows of such videos as the last one into the list, that took so many seconds. */
function took(seconds: readonly number[], change: Partial<TableRow> = {}): void {
	const row = rows()[rows().length - 1];
	const made = { ...row, status: 'SUCCESS', handed_on: true, identity: 'other', ...change };
	list.tables.find(TABLE)?.insert(
		seconds.map((one) => ({ ...made, seconds: one })),
		new Date(),
	);
}

/** The task of a new video, with the calls of the list that it took. */
async function next(parameters: Order['parameters'] = {}, seconds = 65) {
	plan({ seconds });
	const before = list.tables.calls.length;
	const ran = await run(['next'], { ...NEVER, ...parameters });
	expect(ran.json).toMatchObject([{ succeeded: true }]);
	return { ran, taskId: ids()[ids().length - 1], calls: list.tables.calls.length - before };
}

it('of videos is written when they were started and seen to be made, and the next is polled by it', async () => {
	// Slow enough for several reads on a busy machine before the end.
	Object.assign(world.n8n, { clockSpeed: 20 });
	world.sandbox.speed = 20;
	for (let video = 0; video < 4; video++) plan({ seconds: 60 });
	const first = await run(['a', 'b', '[fail]', 'c'], NEVER, {
		node: { onError: 'continueRegularOutput' },
	});
	const found = tasksOf(first).map((id) => rows().find(({ task_id }) => task_id === id)?.seconds);
	const [a, b, failed, c] = found.map(Number);
	expect(failed).toBe(0);
	for (const seconds of [a, b, c]) {
		expect(seconds).toBeGreaterThan(50);
		// A busy machine responds late, and a millisecond is a tenth of a second here.
		expect(seconds).toBeLessThan(150);
	}
	expect(isKnown((await next({}, 40)).taskId)).toBe(true);
});

it('is not written for a video that another run has started', async () => {
	await list.late();
	const { json } = await run([{ prompt: 'a', key: 'a' }], {}, { mode: 'trigger' });
	expect(json).toMatchObject([{ succeeded: true, reused: true }]);
	expect(rows()).toMatchObject([{ status: 'SUCCESS', seconds: 0 }]);
});

describe('three that took 90 seconds', () => {
	it.each<[string, boolean, Partial<TableRow>]>([
		['count', true, {}],
		['count from another workflow', true, { workflow: 'other', node: 'other' }],
		['do not count for another model', false, { model: 'other' }],
		['do not count for another resolution', false, { resolution: 'other' }],
		['do not count for another duration', false, { duration: 99 }],
		['do not count at another price, as with sound', false, { credits: 99 }],
		['do not count where they failed', false, { status: 'FAILED' }],
	])('%s', async (_, counts, change) => {
		await next();
		rows()[0].seconds = 0;
		const { calls: usual, taskId: before } = await next();
		rows()[1].seconds = 0;
		took([90, 90, 90], change);
		const { calls, taskId } = await next();
		expect(isKnown(before)).toBe(false);
		expect(isKnown(taskId)).toBe(counts);
		// It is read in a call that is made anyway.
		expect(calls).toBe(usual);
	});

	it('count for the items alike, and no others', async () => {
		Object.assign(world.n8n, { clockSpeed: 40 });
		world.sandbox.speed = 40;
		const items = ['8', '4'].map((duration) => ({ prompt: duration, duration }));
		await run(items, DURATION);
		items.forEach(() => plan({ seconds: 65 }));
		for (const row of rows()) row.seconds = 0;
		took([90, 90, 90]);
		const { json } = await run(items, DURATION);
		expect(json.map(({ task_id }) => isKnown(String(task_id)))).toEqual([false, true]);
	});

	it.each([
		['closely, where nobody has set Check Every', {}, 0, 7],
		['no sooner than Check Every says', { options: { pollInterval: 8 } }, 7.9, Infinity],
	])('are when the next is read: %s', async (_, parameters, least, most) => {
		await next();
		took([90, 90, 90]);
		const { taskId } = await next(parameters, 95);
		const gaps = gapsOf(taskId);
		expect(Math.min(...gaps)).toBeGreaterThanOrEqual(least);
		expect(Math.min(...gaps)).toBeLessThanOrEqual(most);
	});

	it('are the newest 20 at most', async () => {
		await next();
		took(Array<number>(30).fill(500), { createdAt: new Date(0) });
		for (const row of rows()) row.createdAt = new Date(0);
		took(Array<number>(20).fill(90));
		expect(isKnown((await next()).taskId)).toBe(true);
	});
});

describe('no run fails, waits or warns because of it, where', () => {
	it.each(['seconds', 'model', 'resolution', 'duration', 'credits'])(
		'the table has no column %s, as one of an earlier version',
		async (column) => {
			await next();
			const { calls: usual } = await next();
			took([90, 90, 90]);
			list.tables.find(TABLE)?.renameColumn(column);
			const { ran, taskId, calls } = await next();
			expect(isKnown(taskId)).toBe(false);
			expect(calls).toBe(usual);
			expect(ran.hints).toEqual([expect.stringContaining('This run used')]);
			expect(rows().find(({ task_id }) => task_id === taskId)).toMatchObject({
				status: 'SUCCESS',
				handed_on: true,
			});
		},
	);

	it('it cannot be read', async () => {
		await next();
		took([90, 90, 90]);
		let failed = 0;
		list.tables.before = ({ operations }, step) => {
			if (operations[step] !== 'get' || step === 0) return;
			failed++;
			throw new Error('No reading now');
		};
		const { ran, taskId } = await next();
		expect(failed).toBe(1);
		expect(isKnown(taskId)).toBe(false);
		expect(ran.hints).toEqual([expect.stringContaining('This run used')]);
		expect(rows().find(({ task_id }) => task_id === taskId)).toMatchObject({ handed_on: true });
	});

	it('Keep Video List is off: nothing is called', async () => {
		await next();
		took([90, 90, 90]);
		const { calls, taskId } = await next({ ifExists: 'manualRuns', options: { videoList: false } });
		expect(calls).toBe(0);
		expect(isKnown(taskId)).toBe(false);
	});
});
