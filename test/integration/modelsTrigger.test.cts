// Seedance Trigger and videos of version 2: a callback is signed as in version 1, names a bare task ID, and the item names the model.
import { signedCallbackUrl } from '../../nodes/shared/callback/signature';
import type { Fault } from '../sandbox/server.cjs';
import { json, hangUp, send, signedQuery } from '../support/hostile.cjs';
import { triggerWorld } from '../support/triggerHost.cjs';

const STARTED = '200 The workflow was started.';
const MODELS = ['seedance-2.0', 'seedance-2.0-fast', 'seedance-2-mini'] as const;
const PRICES = { 'seedance-2.0': 240, 'seedance-2.0-fast': 160, 'seedance-2-mini': 154 };

jest.setTimeout(60_000);
const world = triggerWorld();
afterAll(hangUp);

const started = () => world.host.trigger.runs.map((run) => run.json[0]);
const versionsOf = (taskId: string) =>
	world.sandbox.ledger.statusReads(taskId).map(({ version }) => version);
async function deliver(taskId: string, query = signedQuery(world.sandbox.apiKey)): Promise<string> {
	const body = json({ code: 200, data: { task_id: taskId, status: 'SUCCESS' } });
	const { status, body: text } = await send(world.host.trigger.url, { query, ...body });
	return `${status} ${JSON.parse(text).message}`;
}

it.each(MODELS)(
	'a callback about a video of %s starts a run that names its model',
	async (model) => {
		const taskId = await world.startTask({ model });
		world.sandbox.finish(taskId);
		const { apiKey } = world.sandbox;
		const entries = [{ name: 'row', value: '7' }];
		const signed = signedCallbackUrl('http://127.0.0.1/hook', entries, apiKey, 'loopback');
		if (!signed.ok || !signed.value) throw new Error('The URL could not be signed');
		expect(await deliver(taskId, '')).toContain('401');
		expect(await deliver(taskId, signed.value.split('?')[1])).toBe(STARTED);
		expect(started()).toMatchObject([
			{
				task_id: taskId,
				model,
				status: 'SUCCESS',
				succeeded: true,
				video_url: expect.stringContaining(taskId),
				consumed_credits: PRICES[model],
				estimated_credits: PRICES[model],
				metadata: { row: '7' },
			},
		]);
		expect(versionsOf(taskId)).toEqual([1, 2]);
		expect(await deliver(taskId)).toBe('200 This was delivered before.');
	},
);

it('callbacks about both versions start a run each, and a failed one names its reason', async () => {
	const taskIds = [await world.startTask(), await world.startTask({ model: 'seedance-2.0' })];
	world.sandbox.finish(taskIds[0]);
	world.sandbox.finish(taskIds[1], { status: 'FAILED', errorMessage: 'Not allowed' });
	expect(await Promise.all(taskIds.map(async (id) => await deliver(id)))).toEqual([
		STARTED,
		STARTED,
	]);
	const byId = new Map(started().map((item) => [item.task_id, item]));
	expect(taskIds.map((id) => byId.get(id))).toMatchObject([
		{ model: 'seedance-v1', succeeded: true },
		{ model: 'seedance-2.0', status: 'FAILED', error_message: 'Not allowed', consumed_credits: 0 },
	]);
});

it.each<[string, Fault]>([
	['is in trouble', { kind: 'server-error' }],
	['limits its reads', { kind: 'rate-limit' }],
])('where /v2 %s it gets a 503, and nothing is lost', async (_, fault) => {
	const taskId = await world.startTask({ model: 'seedance-2.0' });
	world.sandbox.finish(taskId);
	world.host.clockSpeed = 20;
	// The first read is that of /v1, which does not know it, and is not asked again.
	world.sandbox.faults.on('status', fault, { nth: 2, times: 'always' });
	expect(await deliver(taskId)).toContain('503');
	expect(started()).toEqual([]);
	expect(versionsOf(taskId)).toEqual([1, 2, 2, 2]);
	world.sandbox.faults.clear();
	expect(await deliver(taskId)).toBe(STARTED);
});

it('a task that neither version knows starts nothing', async () => {
	expect(await deliver('seed20nowhere')).toBe('404 This account has no such task.');
	// In both, and once more.
	expect(versionsOf('seed20nowhere')).toEqual([1, 2, 1, 2]);
});
