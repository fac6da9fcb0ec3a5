// Download Video of the trigger, in n8n's engine: what its `execute` makes of the item that a callback has started a run with.
import type { IDataObject, INode } from 'n8n-workflow';

import { SEEDANCE_TRIGGER } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const METADATA = { row: 7 };

/** What the trigger's webhook hands over for a task: simplified, or raw. */
async function item(simplify = true): Promise<IDataObject> {
	const taskId = await world.existingTask();
	world.sandbox.finish(taskId);
	const { json } = await world.run({ operation: 'status', taskId, simplify });
	return { ...json[0], metadata: METADATA };
}

const run = async (parameters: IDataObject, json: IDataObject, node: Partial<INode> = {}) =>
	await world.n8n.run({
		parameters: JSON.parse(JSON.stringify(parameters)),
		items: [{ json }],
		node: { type: SEEDANCE_TRIGGER, ...node },
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
		expect(message).toContain(`The link of the video has expired (task ${String(json.task_id)}`);
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
