// Download Video of the trigger, in n8n's engine: what its `execute` makes of the item that a callback has started a run with.
import type { IDataObject, INode, IWorkflowSettings } from 'n8n-workflow';
import { setTimeout as pause } from 'node:timers/promises';

import { SEEDANCE_TRIGGER } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';
import { mp4Of, videoHost } from '../support/videoHost.cjs';

const world = seedanceWorld();
const host = videoHost();
const METADATA = { row: 7 };

/** What the trigger's webhook hands over for a task: simplified, or raw. */
async function item(simplify = true): Promise<IDataObject> {
	const taskId = await world.existingTask();
	world.sandbox.finish(taskId);
	const { json } = await world.run({ operation: 'status', taskId, simplify });
	return { ...json[0], metadata: METADATA };
}

const run = async (
	parameters: IDataObject,
	json: IDataObject | IDataObject[],
	node: Partial<INode> = {},
	settings: IWorkflowSettings = {},
) =>
	await world.n8n.run({
		parameters: JSON.parse(JSON.stringify(parameters)),
		items: [json].flat().map((one) => ({ json: one })),
		node: { type: SEEDANCE_TRIGGER, ...node },
		settings,
	});

it('gives the item on as it is while Download Video is off', async () => {
	const json = await item();
	const { items } = await run({}, json);
	expect(items).toEqual([{ json, pairedItem: { item: 0 } }]);
});

it.each([true, false])('adds the file to the item, Simplify %s', async (simplify) => {
	const json = await item(simplify);
	const { items } = await run({ downloadVideo: true, outputBinaryField: 'clip' }, json);
	expect(items[0].json).toEqual(json);
	expect(items[0].binary?.clip).toMatchObject({
		fileName: `${String(json.task_id)}.mp4`,
		mimeType: 'video/mp4',
	});
});

it('uses the field "data" where none is given', async () => {
	const { items } = await run({ downloadVideo: true, outputBinaryField: ' ' }, await item());
	expect(items[0].binary?.data).toBeDefined();
});

it('fetches nothing for a video that failed', async () => {
	const json = { ...(await item()), status: 'FAILED', succeeded: false, video_url: null };
	const { items } = await run({ downloadVideo: true }, json);
	expect(items).toEqual([{ json, pairedItem: { item: 0 } }]);
	expect(world.sandbox.ledger.videoReads()).toEqual([]);
});

describe('when the file cannot be fetched', () => {
	beforeEach(() => {
		world.sandbox.faults.on('video', { kind: 'html', status: 404 }, { times: 'always' });
	});

	it('fails with Stop, says that the video is paid and where it is, and Retry fetches it', async () => {
		const json = await item();
		const failed = await run({ downloadVideo: true }, json);
		const { message, description, context } = failureOf(failed);
		expect(message).toContain(`could not be downloaded (task ${String(json.task_id)}): HTTP 404.`);
		expect(description).toContain(String(json.video_url));
		expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		world.sandbox.faults.clear();
		const again = await world.n8n.retry(failed);
		expect(again.items[0].binary?.data).toBeDefined();
	});

	it.each([true, false])(
		'gives the item with the reason with Continue, Simplify %s',
		async (simplify) => {
			const json = await item(simplify);
			const { items } = await run({ downloadVideo: true }, json, {
				onError: 'continueRegularOutput',
			});
			expect(items).toHaveLength(1);
			expect(items[0].json).toMatchObject({
				task_id: json.task_id,
				status: 'SUCCESS',
				succeeded: false,
				prompt: 'A task of yesterday',
				error_code: 'download_failed',
				charged: 'yes',
				metadata: METADATA,
			});
			expect(items[0].binary).toBeUndefined();
		},
	);

	it('gives the item to the error output', async () => {
		const json = await item();
		const { outputs } = await run({ downloadVideo: true }, json, {
			onError: 'continueErrorOutput',
		});
		expect(outputs[0]).toEqual([]);
		expect(outputs[1].map((one) => one.json)).toMatchObject([
			{ task_id: json.task_id, details: { error_code: 'download_failed', metadata: METADATA } },
		]);
	});
});

describe('a link that died before the file was fetched', () => {
	/** Lets the API tell another link from now on. */
	function renew(taskId: unknown): string {
		const url = `${host.url}?fresh`;
		const data = { task_id: taskId, status: 'SUCCESS', consumed_credits: 28, response: [url] };
		const body = { code: 200, message: 'success', data };
		world.sandbox.faults.on(
			'status',
			{ kind: 'refuse-with', status: 200, body },
			{ times: 'always' },
		);
		host.answer = (_request, response) => response.writeHead(200).end(mp4Of(5000));
		return url;
	}

	it.each([403, 404, 410])('with HTTP %i is read anew, and stands in the item', async (status) => {
		const json = await item();
		const url = renew(json.task_id);
		world.sandbox.faults.on('video', { kind: 'html', status }, { times: 'always' });
		const { items } = await run({ downloadVideo: true }, json);
		expect(items[0].binary?.data.bytes).toBe(mp4Of(5000).length);
		expect(items[0].json).toEqual({ ...json, video_url: url });
	});

	it('stands in the item with Simplify off too', async () => {
		const json = await item(false);
		const url = renew(json.task_id);
		world.sandbox.faults.on('video', { kind: 'html', status: 410 }, { times: 'always' });
		const { items } = await run({ downloadVideo: true }, json);
		expect(items[0].binary?.data).toBeDefined();
		expect(items[0].json).toEqual({ ...json, response: [url] });
	});

	it('fails as before when there is no credential to read it with', async () => {
		const json = await item();
		world.sandbox.faults.on('video', { kind: 'html', status: 410 }, { times: 'always' });
		world.n8n.credentials.set('Main account', { apiKey: '', baseUrl: '' });
		const { message } = failureOf(await run({ downloadVideo: true }, json));
		expect(message).toContain('HTTP 410');
	});
});

describe('a server that drips', () => {
	/** Sends `start`, then a byte now and then, for ever. */
	const drip = (start: Buffer) => {
		host.answer = async (_request, response) => {
			response.writeHead(200);
			response.write(start);
			while (!response.destroyed) {
				response.write('x');
				await pause(10);
			}
		};
		host.takeOver(world.sandbox);
	};

	it.each([
		['the video', mp4Of(5000)],
		['its very beginning', Buffer.alloc(1)],
	])('%s ends the download before the workflow is ended by its own limit', async (_what, start) => {
		const json = await item();
		drip(start);
		const begun = Date.now();
		const { items } = await run(
			{ downloadVideo: true },
			json,
			{ onError: 'continueRegularOutput' },
			{ executionTimeout: 60 },
		);
		expect(Date.now() - begun).toBeLessThan(1500);
		expect(items[0].json).toMatchObject({
			task_id: json.task_id,
			error_code: 'download_failed',
			error_message: expect.stringContaining('the time was up before all of it had arrived'),
		});
		expect(host.requests).toHaveLength(1);
		for (let round = 0; host.open > 0 && round < 100; round++) await pause(10);
		expect(host.open).toBe(0);
	});

	it('also ends it where the workflow has no limit', async () => {
		world.n8n.clockSpeed = 500;
		const json = await item();
		drip(mp4Of(5000));
		const { message } = failureOf(await run({ downloadVideo: true }, json));
		expect(message).toContain('the time was up before all of it had arrived');
	});
});

it('fetches three files of a run at a time', async () => {
	let most = 0;
	host.answer = async (_request, response) => {
		most = Math.max(most, host.open);
		await pause(50);
		response.writeHead(200).end(mp4Of(5000));
	};
	const items = [];
	for (let count = 0; count < 7; count++) items.push(await item());
	host.takeOver(world.sandbox);
	const fetched = await run({ downloadVideo: true }, items);
	expect(fetched.items.map(({ binary }) => binary?.data.bytes)).toEqual(
		items.map(() => mp4Of(5000).length),
	);
	expect(most).toBe(3);
});
