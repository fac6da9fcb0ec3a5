// A success without its video in a run of the trigger, in n8n's engine: read again for a while, and then given out as what it is.
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import { NO_VIDEO_GRACE_MS } from '../../nodes/shared/task/task';
import type { Fault } from '../sandbox/server.cjs';
import { SEEDANCE_TRIGGER, type Run } from '../support/engine.cjs';
import { seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const METADATA = { row: 7 };
const NO_VIDEO: Fault = { kind: 'no-video', response: 'null' };

/** What the trigger's webhook hands over for a success without its video: simplified, or raw. */
async function item(simplify = true): Promise<IDataObject> {
	const taskId = await world.existingTask();
	world.sandbox.finish(taskId);
	world.sandbox.faults.on('status', NO_VIDEO);
	const { json } = await world.run({ operation: 'status', taskId, simplify });
	expect(json[0]).toMatchObject({ task_id: taskId, status: 'SUCCESS' });
	return { ...json[0], metadata: METADATA };
}

const run = async (json: IDataObject, parameters: INodeParameters = {}): Promise<Run> =>
	await world.n8n.run({ parameters, items: [{ json }], node: { type: SEEDANCE_TRIGGER } });

it('gives the video out when it comes within the grace period, with its metadata', async () => {
	const json = await item();
	world.sandbox.faults.on('status', NO_VIDEO, { times: 5 });
	const { items } = await run(json);
	expect(items).toMatchObject([
		{ json: { task_id: json.task_id, succeeded: true, video_url: expect.any(String) } },
	]);
	expect(items[0].json.metadata).toEqual(METADATA);
});

it('gives it out raw when Simplify is off', async () => {
	const json = await item(false);
	const { items } = await run(json, { simplify: false });
	expect(items).toMatchObject([
		{ json: { task_id: json.task_id, response: [expect.any(String)], metadata: METADATA } },
	]);
});

it('downloads the video that came later', async () => {
	const json = await item();
	world.sandbox.faults.on('status', NO_VIDEO, { times: 2 });
	const { items } = await run(json, { downloadVideo: true });
	expect(items[0].binary?.data).toMatchObject({ fileName: `${String(json.task_id)}.mp4` });
});

it('gives out a success without a video when none has come, after the grace period and not before', async () => {
	const json = await item();
	world.sandbox.faults.on('status', NO_VIDEO, { times: 'always' });
	world.n8n.clockSpeed = 20;
	const start = Date.now();
	const { items } = await run(json);
	expect(Date.now() - start).toBeGreaterThanOrEqual(NO_VIDEO_GRACE_MS / 20 - 100);
	expect(items).toMatchObject([{ json: { task_id: json.task_id, succeeded: false } }]);
	expect(world.sandbox.ledger.statusReads(String(json.task_id)).length).toBeGreaterThan(5);
});

it.each([
	['succeeded', true, 1],
	['succeeded', false, 0],
	['failed', true, 0],
	['failed', false, 1],
])(
	'with only "%s" ticked, and the video there in the end: %s, gives out %d items',
	async (event, comes, count) => {
		const json = await item();
		world.sandbox.faults.on('status', NO_VIDEO, { times: comes ? 2 : 'always' });
		const { items, status } = await run(json, { events: [event] });
		expect(status).toBe('success');
		expect(items).toHaveLength(count);
	},
);

it('reads nothing for a video that is there', async () => {
	const taskId = await world.existingTask();
	world.sandbox.finish(taskId);
	const { json } = await world.run({ operation: 'status', taskId });
	const before = world.sandbox.ledger.statusReads(taskId).length;
	expect((await run(json[0])).json).toEqual(json);
	expect(world.sandbox.ledger.statusReads(taskId)).toHaveLength(before);
});

it('gives out what is known when the API is down for the whole grace period', async () => {
	const json = await item();
	world.sandbox.faults.on('status', { kind: 'server-error' }, { times: 'always' });
	const { items } = await run(json);
	expect(items).toMatchObject([{ json: { task_id: json.task_id, succeeded: false } }]);
});
