// A run of the trigger in n8n's engine: what its `execute` makes of the item that a callback has started it with. A success
// without its video is read again for a while; Download Video adds the file.
import type { IDataObject, IWorkflowSettings } from 'n8n-workflow';
import { setTimeout as pause } from 'node:timers/promises';

import { NO_VIDEO_GRACE_MS } from '../../nodes/shared/task/task';
import type { Fault, OrderV2 } from '../sandbox/server.cjs';
import { SEEDANCE_TRIGGER, type Order } from '../support/engine.cjs';
import { CONTINUE, ERROR_OUTPUT, failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';
import { startTaskAt } from '../support/tasks.cjs';
import { mp4Of, videoHost } from '../support/videoHost.cjs';

const METADATA = { row: 7 };
const NO_VIDEO: Fault = { kind: 'no-video', response: 'null' };
const DOWNLOAD = { downloadVideo: true };

const world = seedanceWorld();
const host = videoHost();

/** What the trigger's webhook hands over for a finished task: simplified, or raw. */
async function item(
	simplify = true,
	fault?: Fault,
	model?: OrderV2['model'],
): Promise<IDataObject> {
	world.plan({ seconds: Infinity });
	const prompt = 'A task of yesterday';
	const taskId = await (model
		? startTaskAt(world.sandbox, { model, prompt })
		: world.existingTask({ prompt }));
	world.sandbox.finish(taskId);
	// A bare ID is looked for in version 1 first.
	if (fault) world.sandbox.faults.on('status', fault, { nth: model ? 2 : 1 });
	const { json } = await world.run({ operation: 'status', taskId, simplify });
	expect(json[0]).toMatchObject({ task_id: taskId, status: 'SUCCESS' });
	return { ...json[0], metadata: METADATA };
}

const run = async (
	json: IDataObject | IDataObject[],
	parameters: Order['parameters'] = {},
	node: Order['node'] = {},
	order: Partial<Order> = {},
) =>
	await world.n8n.run({
		parameters: { ...parameters },
		items: [json].flat().map((one) => ({ json: one })),
		node: { type: SEEDANCE_TRIGGER, ...node },
		...order,
	});

const always = (route: 'status' | 'video', fault: Fault) =>
	world.sandbox.faults.on(route, fault, { times: 'always' });

describe('a video that is there', () => {
	it('is given on as it is, without another read, while Download Video is off', async () => {
		const json = await item();
		const reads = world.sandbox.ledger.statusReads().length;
		expect((await run(json)).items).toEqual([{ json, pairedItem: { item: 0 } }]);
		expect(world.sandbox.ledger.statusReads()).toHaveLength(reads);
		expect(world.sandbox.ledger.videoReads()).toEqual([]);
	});

	it.each([
		[true, 'clip', 'clip'],
		[false, ' ', 'data'],
	])('is added to the item as a file, Simplify %s, field %j', async (simplify, ...fields) => {
		const [outputBinaryField, field] = fields;
		const json = await item(simplify);
		const { items } = await run(json, { ...DOWNLOAD, outputBinaryField });
		expect(items[0].json).toEqual(json);
		const file = { fileName: `${String(json.task_id)}.mp4`, mimeType: 'video/mp4' };
		expect(items[0].binary).toEqual({ [field]: expect.objectContaining(file) });
	});

	it('is fetched three at a time', async () => {
		let most = 0;
		host.respond = async (_request, response) => {
			most = Math.max(most, host.open);
			await pause(50);
			response.writeHead(200).end(mp4Of(5000));
		};
		const given = [];
		for (let count = 0; count < 7; count++) given.push(await item());
		host.takeOver(world.sandbox);
		const { items } = await run(given, DOWNLOAD);
		const sizes = items.map(({ binary }) => binary?.data.bytes);
		expect(sizes).toEqual(Array(7).fill(mp4Of(5000).length));
		expect(most).toBe(3);
	});
});

it('is given out although the expression of Keep Video List is broken', async () => {
	const json = await item();
	const options = { videoList: "={{ $('No such node').item.json.keep }}" };
	expect(await run(json, { options })).toMatchObject({ status: 'success', items: [{ json }] });
});

it('fetches nothing for a video that failed', async () => {
	const json = { ...(await item()), status: 'FAILED', succeeded: false, video_url: null };
	expect((await run(json, DOWNLOAD)).items).toEqual([{ json, pairedItem: { item: 0 } }]);
	expect(world.sandbox.ledger.videoReads()).toEqual([]);
});

describe('a success without its video', () => {
	it.each([
		[true, { succeeded: true, video_url: expect.any(String) }],
		[false, { status: 'SUCCESS', response: [expect.any(String)] }],
	])('is given out with it when it comes, as Simplify (%s) wants it', async (simplify, ready) => {
		const json = await item(simplify, NO_VIDEO);
		world.sandbox.faults.on('status', NO_VIDEO, { times: 3 });
		// The grace period has to be long enough for four requests on a busy machine.
		world.n8n.clockSpeed = 20;
		const { items } = await run(json, { ...DOWNLOAD, simplify });
		expect(items[0].json).toMatchObject({ task_id: json.task_id, ...ready, metadata: METADATA });
		expect(items[0].binary?.data.fileName).toBe(`${String(json.task_id)}.mp4`);
	});

	it.each<Fault>([NO_VIDEO, { kind: 'server-error' }])(
		'is given out as it is after the grace period and not before: %j',
		async (fault) => {
			const json = await item(true, NO_VIDEO);
			always('status', fault);
			world.n8n.clockSpeed = 20;
			const start = Date.now();
			const { items } = await run(json);
			expect(Date.now() - start).toBeGreaterThanOrEqual(NO_VIDEO_GRACE_MS / 20 - 100);
			expect(items).toMatchObject([{ json: { task_id: json.task_id, succeeded: false } }]);
			expect(world.sandbox.ledger.statusReads(String(json.task_id)).length).toBeGreaterThan(5);
		},
	);

	it.each([
		['succeeded', true, 1],
		['succeeded', false, 0],
		['failed', true, 0],
		['failed', false, 1],
	])(
		'with only "%s" ticked, and the video there in the end: %s, gives out %d items',
		async (event, comes, count) => {
			const json = await item(true, NO_VIDEO);
			world.sandbox.faults.on('status', NO_VIDEO, { times: comes ? 2 : 'always' });
			const { items, status } = await run(json, { events: [event] });
			expect([status, items.length]).toEqual(['success', count]);
		},
	);
});

it.each([true, false])(
	'a video of version 2 is read again in its own, Simplify %s',
	async (simplify) => {
		const json = await item(simplify, NO_VIDEO, 'seedance-2.0-fast');
		const taskId = String(json.task_id);
		const before = world.reads(taskId).length;
		world.sandbox.faults.on('status', NO_VIDEO);
		const { items } = await run(json, { ...DOWNLOAD, simplify });
		const expected = simplify
			? { model: 'seedance-2.0-fast', succeeded: true, consumed_credits: 160 }
			: { request: { model: 'seedance-2.0-fast' }, response: [expect.any(String)] };
		expect(items[0].json).toMatchObject({ task_id: taskId, ...expected, metadata: METADATA });
		expect(items[0].binary?.data.fileName).toBe(`${taskId}.mp4`);
		expect(
			new Set(
				world
					.reads(taskId)
					.slice(before)
					.map(({ version }) => version),
			),
		).toEqual(new Set([2]));
	},
);

describe('when the file cannot be fetched', () => {
	const failed = { error_code: 'download_failed', charged: 'yes' };
	beforeEach(() => always('video', { kind: 'html', status: 404 }));

	it('fails with Stop, says that the video is paid and where it is, and Retry fetches it', async () => {
		const json = await item();
		const stopped = await run(json, DOWNLOAD);
		const { message, description, context } = failureOf(stopped);
		expect(message).toContain(`could not be downloaded (task ${String(json.task_id)}): HTTP 404.`);
		expect(description).toContain(String(json.video_url));
		expect(context).toMatchObject(failed);
		world.sandbox.faults.clear();
		expect((await world.n8n.retry(stopped)).items[0].binary?.data).toBeDefined();
	});

	it.each([true, false])('gives the item with the reason, Simplify %s', async (simplify) => {
		const json = await item(simplify);
		const { task_id } = json;
		const expected = {
			task_id,
			status: 'SUCCESS',
			succeeded: false,
			prompt: 'A task of yesterday',
			...failed,
			metadata: METADATA,
		};
		const { items } = await run(json, DOWNLOAD, CONTINUE);
		expect(items).toMatchObject([{ json: expected }]);
		expect(items[0].binary).toBeUndefined();
		const { outputs } = await run(json, DOWNLOAD, ERROR_OUTPUT);
		expect(outputs).toMatchObject([[], [{ json: { task_id, details: expected } }]]);
	});
});

describe('a link that died before the file was fetched', () => {
	/** Lets the API report another link from now on. */
	function renew({ task_id }: IDataObject): string {
		const url = `${host.url}?fresh`;
		const data = { task_id, status: 'SUCCESS', consumed_credits: 28, response: [url] };
		const body = { code: 200, message: 'success', data };
		always('status', { kind: 'refuse-with', status: 200, body });
		host.respond = (_request, response) => response.writeHead(200).end(mp4Of(5000));
		return url;
	}

	it.each([
		[403, true],
		[404, true],
		[410, true],
		[410, false],
	])('with HTTP %i is read again and put into the item, Simplify %s', async (status, simplify) => {
		const json = await item(simplify);
		const url = renew(json);
		always('video', { kind: 'html', status });
		const { items } = await run(json, DOWNLOAD);
		expect(items[0].binary?.data.bytes).toBe(mp4Of(5000).length);
		expect(items[0].json).toEqual({
			...json,
			...(simplify ? { video_url: url } : { response: [url] }),
		});
	});

	it('fails as before when there is no credential to read it with', async () => {
		const json = await item();
		always('video', { kind: 'html', status: 410 });
		world.n8n.credentials.set('Main account', { apiKey: '', baseUrl: '' });
		expect(failureOf(await run(json, DOWNLOAD)).message).toContain('HTTP 410');
	});
});

describe('a server that drips', () => {
	const REASON = 'the time was up before all of it had arrived';

	/** Sends `start`, then a byte now and then, for ever. */
	const drip = (start: Buffer) => {
		host.respond = async (_request, response) => {
			response.writeHead(200);
			response.write(start);
			while (!response.destroyed) {
				response.write('x');
				await pause(10);
			}
		};
		host.takeOver(world.sandbox);
	};

	it.each<[string, Buffer, IWorkflowSettings, number]>([
		['the video', mp4Of(5000), { executionTimeout: 60 }, 100],
		['its very beginning', Buffer.alloc(1), { executionTimeout: 60 }, 100],
		['the video, where the workflow has no limit', mp4Of(5000), {}, 500],
	])('%s has its download ended in time', async (_what, start, settings, clockSpeed) => {
		const json = await item();
		drip(start);
		world.n8n.clockSpeed = clockSpeed;
		const begun = Date.now();
		const { items } = await run(json, DOWNLOAD, CONTINUE, { settings });
		expect(Date.now() - begun).toBeLessThan(1500);
		expect(items[0].json).toMatchObject({
			task_id: json.task_id,
			error_code: 'download_failed',
			error_message: expect.stringContaining(REASON),
		});
		expect(host.requests).toHaveLength(1);
		for (let round = 0; host.open > 0 && round < 100; round++) await pause(10);
		expect(host.open).toBe(0);
	});
});
