/**
 * The core flow: what a user of any supported n8n can rely on. The name of each check is a row of the table of
 * compatibility in docs/, which `npm run test:compat` prints; there, SEEDANCE_N8N names the version. What is done in two
 * minutes stands under "smoke".
 *
 * What an n8n cannot do stands in test/compat/gaps.json, with the reason. Such a check has to fail there, so that the table
 * is corrected as soon as it works.
 */
import { randomUUID } from 'node:crypto';
import type { IDataObject } from 'n8n-workflow';

import gaps from '../compat/gaps.json';
import { itemsOf } from '../support/n8n/server.cjs';
import {
	api,
	credential,
	CREDENTIAL_TYPE,
	deliver,
	endOf,
	ERROR_OUTPUT,
	generate,
	logged,
	n8n,
	NEXT,
	NODE_TYPE,
	ON_ERROR,
	output,
	pause,
	posts,
	readError,
	retry,
	RETRY_ON_FAIL,
	run,
	runsOf,
	sandbox,
	saveTrigger,
	SEEDANCE,
	start,
	startedWith,
	succeeded,
	TRIGGER_TYPE,
	videos,
	WRONG_KEY,
} from '../support/n8n/world.cjs';
import {
	importExample,
	nodeOf,
	ORDERS,
	runExample,
	startNetwork,
	VideoTable,
} from './examples.cjs';

const GAPS: Array<{ n8n: string; check: string; why: string }> = gaps;

/** Milliseconds from the moment a video is ready to what follows. */
const SOON = 3_000;

const GOOD_AND_BAD = [{ prompt: 'good' }, { prompt: 'bad', row: 2 }];

/** One row of the table. It has to fail in the versions of n8n that gaps.json names for it. */
function check(name: string, test: () => Promise<void>): void {
	const isGap = GAPS.some((gap) => gap.check === name && gap.n8n === process.env.SEEDANCE_N8N);
	(isGap ? it.failing : it)(name, test, 120_000);
}

describe('smoke', () => {
	check('Both nodes, the credential and the AI tool are there once installed', async () => {
		const names = (await api.nodeTypes()).map(({ name }) => name);
		expect(names).toEqual(expect.arrayContaining([NODE_TYPE, `${NODE_TYPE}Tool`, TRIGGER_TYPE]));
		expect((await api.credentialTypes()).map(({ name }) => name)).toContain(CREDENTIAL_TYPE);
	});

	check('The test of the credential passes, and says why a wrong key does not', async () => {
		const { apiKey, baseUrl } = sandbox;
		const test = async (data: IDataObject) => await api.testCredential({ ...credential, data });
		expect(await test({ apiKey, baseUrl })).toMatchObject({ status: 'OK' });
		expect(await test({ apiKey: WRONG_KEY, baseUrl })).toEqual({
			status: 'Error',
			message: expect.stringContaining('API key was refused'),
		});
		expect(posts()).toEqual([]);
	});

	check('Generate and Wait delivers the video as a file', async () => {
		const execution = await run({ downloadVideo: true }, { rows: ['one', 'two'] });
		// Of the node itself: n8n pairs what the next node puts out.
		const items = itemsOf(execution, SEEDANCE);
		expect(items).toMatchObject([
			{ json: { prompt: 'one', succeeded: true, consumed_credits: 8 }, pairedItem: { item: 0 } },
			{ json: { prompt: 'two', succeeded: true, consumed_credits: 8 }, pairedItem: { item: 1 } },
		]);
		for (const { binary, json } of items) {
			const file = binary?.data;
			expect(file).toMatchObject({ mimeType: 'video/mp4', fileName: `${json.task_id}.mp4` });
			if (file) expect((await api.downloadBinary(file)).length).toBe(5_000);
		}
		expect(posts()).toHaveLength(2);
	});

	check('Get Status and Wait for Video take a task that was started before', async () => {
		videos.hold();
		const rows = output(await run({ operation: 'generate' }));
		expect(rows).toMatchObject([{ status: 'IN_PROGRESS', finished: false }]);
		const status = await run({ operation: 'status' }, { rows });
		expect(output(status)).toMatchObject([{ status: 'IN_PROGRESS', finished: false }]);
		sandbox.finish(String(rows[0].task_id));
		const waited = await run({ operation: 'wait', downloadVideo: true }, { rows });
		expect(itemsOf(waited, NEXT)).toMatchObject([
			{ json: { task_id: rows[0].task_id, succeeded: true }, binary: { data: {} } },
		]);
		expect(posts()).toHaveLength(1);
	});

	check('Get Cost Estimate needs no credential', async () => {
		const parameters = { operation: 'estimateCost', resolution: '720p', duration: '8' };
		const execution = await run(parameters, { credentials: {} });
		expect(output(execution)).toMatchObject([{ estimated_credits: 28 }]);
	});

	check('An error is shown with our own words, and nothing is charged', async () => {
		const { message, description, context } = readError(await run({ duration: '5' }));
		expect(message).toContain('Duration');
		expect(description).toContain('No credits were spent.');
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		expect(posts()).toEqual([]);
	});

	check('The error output gets failed items together with their row', async () => {
		const rows = [{ prompt: 'good' }, { prompt: 'bad [fail]', row: 2 }];
		const execution = await run({}, { rows, onError: ERROR_OUTPUT });
		expect(output(execution)).toMatchObject([{ prompt: 'good', succeeded: true }]);
		expect(output(execution, ON_ERROR)).toMatchObject([
			{ row: 2, error: expect.any(String), details: { error_code: 'task_failed' } },
		]);
	});

	check('Retry of an execution fetches a paid video without paying again', async () => {
		sandbox.faults.on('video', { kind: 'html', status: 404 }, { times: 'always' });
		const failed = await run({ downloadVideo: true });
		const [taskId] = videos.paidIds();
		const { message, context } = readError(failed);
		expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		expect(message).toContain(taskId);
		sandbox.faults.clear();
		expect(itemsOf(await retry(failed), NEXT)).toMatchObject([
			{ json: { task_id: taskId }, binary: { data: { mimeType: 'video/mp4' } } },
		]);
		expect(posts()).toHaveLength(1);
	});

	check('Retry On Fail does not send a request again whose outcome nobody knows', async () => {
		sandbox.faults.on('generate', { kind: 'accept-then-5xx' });
		const failed = await run({}, RETRY_ON_FAIL);
		expect(readError(failed).context).toMatchObject({ error_code: 'maybe_created' });
		expect(posts()).toHaveLength(1);
	});

	check('Stop during the paid request lets it finish, and its task ID is in the log', async () => {
		sandbox.faults.on('generate', { kind: 'delay', ms: 1_500 });
		const id = await start({}, { rows: ['A boat [never]', 'The next one'] });
		await sandbox.ledger.until(() => posts().length === 1);
		await api.stopExecution(id);
		expect(videos.paidIds()).toEqual([]);
		expect((await endOf(id, SOON)).status).toBe('canceled');
		await sandbox.ledger.until(() => videos.paidIds().length === 1);
		const where = `credential "Seedance account", execution ${id}, item 0`;
		await logged(`Seedance task ${videos.paidIds()[0]} created (${where})`);
		expect(posts()).toHaveLength(1);
	});

	check('Seedance Trigger starts once for a signed callback, and for no other', async () => {
		videos.hold();
		const workflow = await saveTrigger();
		const [taskId] = await generate(workflow.productionUrl, [{ row: 7 }]);
		const unsigned = await deliver(workflow.productionUrl, succeeded(taskId));
		expect(unsigned.status).toBe(401);
		sandbox.callbacks.planFor('A boat', { copies: 3, copyGapMs: 0 });
		await videos.finish(taskId);
		const runs = await runsOf(workflow.id, 1);
		expect(startedWith(runs)).toMatchObject([
			{ task_id: taskId, succeeded: true, metadata: { row: 7 } },
		]);
	});

	check("The trigger's Test URL takes a video that exists", async () => {
		const workflow = await saveTrigger({}, { isPublished: false });
		const taskId = await videos.ready();
		await api.listenForTestEvent(workflow.id);
		const read = async (id: string) =>
			await deliver(`${workflow.testUrl}?task_id=${id}`, undefined, { method: 'GET' });
		expect((await read('none')).status).toBe(404);
		expect((await read(taskId)).status).toBe(200);
		expect(startedWith(await runsOf(workflow.id, 1))).toMatchObject([
			{ task_id: taskId, succeeded: true, metadata: {} },
		]);
	});

	check('The trigger downloads the video inside the execution', async () => {
		videos.hold();
		const workflow = await saveTrigger({ downloadVideo: true });
		const [taskId] = await generate(workflow.productionUrl);
		await videos.finish(taskId);
		const [execution] = await runsOf(workflow.id, 1);
		const file = itemsOf(execution, NEXT)[0]?.binary?.data;
		expect(file).toMatchObject({ mimeType: 'video/mp4', fileName: `${taskId}.mp4` });
		expect(file && (await api.downloadBinary(file)).length).toBe(sandbox.videoBytes);
	});

	check('Pause Until Callback goes on when the last video is reported', async () => {
		const rows = ['one', 'two', 'three'].map((prompt) => ({ prompt }));
		const { id, taskIds: ids } = await pause(rows);
		expect((await api.getExecution(id)).waitTill).not.toBeNull();
		await videos.finish(ids[2]);
		await videos.finish(ids[0]);
		expect((await api.getExecution(id)).status).toBe('waiting');
		const reported = Date.now();
		await videos.finish(ids[1]);
		const execution = await endOf(id);
		expect(Date.now() - reported).toBeLessThan(SOON);
		expect(output(execution)).toHaveLength(3);
		expect(itemsOf(execution, SEEDANCE)).toMatchObject(
			rows.map(({ prompt }, item) => ({
				json: { prompt, task_id: ids[item], status: 'SUCCESS', succeeded: true },
				pairedItem: { item },
			})),
		);
		expect(sandbox.callbacks.deliveries.map(({ status }) => status)).toEqual([200, 200, 200]);
		expect(sandbox.ledger.statusReads().length).toBeLessThanOrEqual(9);
		expect(posts()).toHaveLength(3);
	});

	check('Pause Until Callback fails, and runs no next node, when a video has failed', async () => {
		const { id, taskIds: ids } = await pause(GOOD_AND_BAD);
		await videos.finish(ids[1], { status: 'FAILED' });
		await videos.finish(ids[0]);
		const failed = await endOf(id);
		const { message, context } = readError(failed);
		expect(message).toContain('1 of 2 videos is ready and paid');
		expect(context).toMatchObject({ error_code: 'task_failed' });
		expect(failed.runData[NEXT]).toBeUndefined();
	});

	check('Pause Until Callback gives failed items to the error output', async () => {
		const { id, taskIds: ids } = await pause(GOOD_AND_BAD, {}, { onError: ERROR_OUTPUT });
		await videos.finish(ids[0]);
		await videos.finish(ids[1], { status: 'FAILED' });
		const execution = await endOf(id);
		expect(output(execution)).toMatchObject([{ prompt: 'good', succeeded: true }]);
		expect(output(execution, ON_ERROR)).toMatchObject([
			{ row: 2, details: { prompt: 'bad', error_code: 'task_failed' } },
		]);
	});

	check('Pause Until Callback stays paused for a forged callback', async () => {
		const { id, taskIds: ids } = await pause();
		const url = videos.callbackUrlOf(ids[0]);
		expect((await deliver(url, succeeded(ids[0]))).status).toBe(503);
		// Not every n8n gives its address a token and asks for it; ours believes no callback either way.
		expect([401, 503]).toContain((await deliver(url.split('?')[0], succeeded(ids[0]))).status);
		expect((await api.getExecution(id)).status).toBe('waiting');
		await videos.finish(ids[0]);
		const [item] = output(await endOf(id));
		expect(item.video_url).toBe(`${sandbox.origin}/videos/${ids[0]}.mp4`);
	});
});

describe('the core flow', () => {
	check('Pause Until Callback outlives a crash of n8n', async () => {
		const { id, taskIds: ids } = await pause(['one', 'two']);
		// One callback is lost while n8n is gone.
		await n8n.kill9();
		sandbox.callbacks.planFor(ids[0], { never: true });
		await videos.finish(ids[0]);
		await n8n.start();
		expect((await api.getExecution(id)).status).toBe('waiting');
		await videos.finish(ids[1]);
		const delivered = ids.map((task_id) => ({ task_id, succeeded: true }));
		expect(output(await endOf(id))).toMatchObject(delivered);
		expect(posts()).toHaveLength(2);
	});

	check('Pause Until Callback hands the task IDs on when the time is up', async () => {
		const { id, taskIds: ids } = await pause(['one', 'two'], { options: { timeout: 0.05 } });
		const execution = await endOf(id, 100_000);
		expect(execution.status).toBe('success');
		const open = { status: 'IN_PROGRESS', finished: false, succeeded: false };
		expect(output(execution)).toMatchObject(ids.map((task_id) => ({ task_id, ...open })));
		expect(posts()).toHaveLength(2);
	});

	check('The example text-to-video.json runs', async () => {
		const execution = await runExample(await importExample('text-to-video.json'));
		expect(itemsOf(execution, 'Generate video and wait')).toMatchObject([
			{
				json: { succeeded: true, consumed_credits: 56 },
				binary: { data: { mimeType: 'video/mp4' } },
			},
		]);
	});

	check('The examples with a Data Table run', async () => {
		const network = await startNetwork();
		try {
			const to = { 'Post the video': { url: network.url } };
			const ready = await importExample('video-ready.json', to);
			// In older versions it is the editor that gives a trigger its address, not the server.
			const trigger = nodeOf(ready, 'When a video is ready or has failed');
			trigger.webhookId ??= randomUUID();
			await api.updateWorkflow(ready.id, { nodes: ready.nodes });
			await api.activateWorkflow(ready.id);
			const callbackUrl = `${n8n.baseUrl}/webhook/${trigger.webhookId}/webhook`;
			const starting = await importExample('generate-with-callback.json', {
				'Start the videos': { callbackUrl },
			});
			const lost = await importExample('lost-callbacks.json', to);
			videos.hold();
			await runExample(starting);
			const [table] = await VideoTable.named(ORDERS);
			const [row] = await table.add({ prompt: 'A kite', caption: 'Windy' });
			await runExample(starting);
			await runExample(lost);
			sandbox.finish(videos.ids()[0]);
			await table.rowWhen(row.id, ({ status }) => status === 'SUCCESS');
			await runsOf(ready.id, 1);
			expect(network.posts).toMatchObject([{ caption: 'Windy' }]);
			await api.deactivateWorkflow(ready.id);
		} finally {
			await network.close();
		}
	});
});
