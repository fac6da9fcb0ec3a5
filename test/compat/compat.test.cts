/**
 * The core flow in one version of n8n, which SEEDANCE_N8N names: what a user of that version can rely on. The name of each
 * check is a row of the table of compatibility in docs/, which `npm run test:compat` prints.
 *
 * What an n8n cannot do stands in gaps.json, with the reason. Such a check has to fail there, so that the table is corrected
 * as soon as it works.
 */
import { randomUUID } from 'node:crypto';
import axios from 'axios';
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import { importExample, nodeOf, rowWhen, startNetwork, VideoTable } from '../e2e/examples.cjs';
import { runsOf, saveTrigger, startedWith, TRIGGER, TRIGGER_TYPE } from '../e2e/triggers.cjs';
import {
	CREDENTIAL_TYPE,
	endOf,
	executed,
	jsonAt,
	NEXT,
	NODE_TYPE,
	ON_ERROR,
	readError,
	retry,
	runScene,
	startScene,
	startTask,
	startWorld,
	stopWorld,
	tidyWorld,
	until,
	world,
	WRONG_KEY,
	type Scene,
} from '../e2e/world.cjs';
import { expectCleanBooks } from '../support/books.cjs';
import { itemsOf } from '../support/n8n/server.cjs';
import gaps from './gaps.json';

const GAPS: Array<{ n8n: string; check: string; why: string }> = gaps;

/** Milliseconds: the first start of n8n makes its database. */
const START_TIMEOUT = 240_000;

/** Milliseconds from the moment a video is ready to what follows. */
const SOON = 3_000;

const PAUSE: INodeParameters = { operation: 'generateAndWait', waitMethod: 'callback' };

/** One row of the table. It has to fail in the versions of n8n that gaps.json names for it. */
function check(name: string, run: () => Promise<void>, timeoutMs = 60_000): void {
	const isGap = GAPS.some((gap) => gap.check === name && gap.n8n === process.env.SEEDANCE_N8N);
	(isGap ? it.failing : it)(name, run, timeoutMs);
}

/** Tasks that end only when a check says so. */
function slow(): void {
	world().sandbox.speed = 0.001;
}

/** Starts a workflow that pauses; gives its execution and the tasks, in the order of the rows. */
async function paused(
	rows: IDataObject[],
	parameters: INodeParameters = {},
	settings: Scene['settings'] = {},
): Promise<{ id: string; taskIds: string[] }> {
	slow();
	const id = await startScene({ parameters: { ...PAUSE, ...parameters }, rows, settings });
	await world().api.waitForExecution(id, { status: ['waiting', 'error', 'success'] });
	expect((await world().api.getExecution(id)).status).toBe('waiting');
	return {
		id,
		taskIds: world()
			.sandbox.tasks.all()
			.map((task) => task.id),
	};
}

/** Lets a video end, and waits until its report was taken. */
async function finish(taskId: string, outcome?: { status: 'FAILED' }): Promise<void> {
	world().sandbox.finish(taskId, outcome);
	await world().sandbox.callbacks.settled();
}

const posts = () => world().sandbox.ledger.posts();

beforeAll(startWorld, START_TIMEOUT);
afterAll(stopWorld, 60_000);
beforeEach(tidyWorld);
afterEach(() => expectCleanBooks(world().sandbox));

describe('this version of n8n', () => {
	check('Both nodes, the credential and the AI tool are there once installed', async () => {
		const { api } = world();
		const names = (await api.nodeTypes()).map(({ name }) => name);
		expect(names).toEqual(expect.arrayContaining([NODE_TYPE, `${NODE_TYPE}Tool`, TRIGGER_TYPE]));
		expect((await api.credentialTypes()).map(({ name }) => name)).toContain(CREDENTIAL_TYPE);
	});

	check('The test of the credential passes, and tells why a wrong key does not', async () => {
		const { api, credential, sandbox } = world();
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
		const execution = await runScene({
			parameters: { operation: 'generateAndWait', downloadVideo: true },
			rows: [{ prompt: 'one' }, { prompt: 'two' }],
		});
		const items = itemsOf(execution, NEXT);
		expect(items.map(({ json }) => json)).toMatchObject([
			{ prompt: 'one', succeeded: true, consumed_credits: 8 },
			{ prompt: 'two', succeeded: true, consumed_credits: 8 },
		]);
		for (const { binary, json } of items) {
			const file = binary?.data;
			expect(file).toMatchObject({ mimeType: 'video/mp4', fileName: `${json.task_id}.mp4` });
			if (file) expect((await world().api.downloadBinary(file)).length).toBe(5_000);
		}
		expect(posts()).toHaveLength(2);
	});

	check('Get Status and Wait for Video take a task that was started before', async () => {
		const { sandbox } = world();
		slow();
		const started = await runScene({ parameters: { operation: 'generate' } });
		const rows = jsonAt(started, NEXT);
		expect(rows).toMatchObject([{ status: 'IN_PROGRESS', finished: false }]);
		const status = await runScene({ parameters: { operation: 'status' }, rows });
		expect(jsonAt(status, NEXT)).toMatchObject([{ status: 'IN_PROGRESS', finished: false }]);
		sandbox.finish(String(rows[0].task_id));
		const waited = await runScene({ parameters: { operation: 'wait', downloadVideo: true }, rows });
		expect(itemsOf(waited, NEXT)).toMatchObject([
			{ json: { task_id: rows[0].task_id, succeeded: true }, binary: { data: {} } },
		]);
		expect(posts()).toHaveLength(1);
	});

	check('Get Cost Estimate needs no credential', async () => {
		const execution = await runScene({
			parameters: { operation: 'estimateCost', resolution: '720p', duration: '8' },
			credentialId: null,
		});
		expect(jsonAt(execution, NEXT)).toMatchObject([{ estimated_credits: 28 }]);
	});

	check('An error is shown with our own words, and nothing is charged', async () => {
		const { message, description, context } = readError(
			await runScene({ parameters: { operation: 'generateAndWait', duration: '5' } }),
		);
		expect(message).toContain('Duration');
		expect(description).toContain('No credits were spent.');
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		expect(posts()).toEqual([]);
	});

	check('The error output gets failed items together with their row', async () => {
		const execution = await runScene({
			parameters: { operation: 'generateAndWait' },
			rows: [
				{ prompt: 'good', row: 1 },
				{ prompt: 'bad [fail]', row: 2 },
			],
			settings: { onError: 'continueErrorOutput' },
		});
		expect(jsonAt(execution, NEXT)).toMatchObject([{ prompt: 'good', succeeded: true }]);
		expect(jsonAt(execution, ON_ERROR)).toMatchObject([
			{ row: 2, error: expect.any(String), details: { error_code: 'task_failed' } },
		]);
	});

	check('Retry of an execution fetches a paid video without paying again', async () => {
		const { faults, ledger } = world().sandbox;
		faults.on('video', { kind: 'html', status: 404 }, { times: 'always' });
		const failed = await runScene({
			parameters: { operation: 'generateAndWait', downloadVideo: true },
		});
		expect(readError(failed).context).toMatchObject({ error_code: 'download_failed' });
		faults.clear();
		const again = await retry(failed.id);
		expect(itemsOf(again, NEXT)).toMatchObject([
			{ json: { task_id: ledger.charges()[0].taskId }, binary: { data: {} } },
		]);
		expect(posts()).toHaveLength(1);
	});

	check('Retry On Fail does not send a request again whose outcome nobody knows', async () => {
		world().sandbox.faults.on('generate', { kind: 'accept-then-5xx' });
		const failed = await runScene({
			parameters: { operation: 'generateAndWait' },
			settings: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 },
		});
		expect(readError(failed).context).toMatchObject({ error_code: 'maybe_created' });
		expect(posts()).toHaveLength(1);
	});

	check('Stop during the paid request lets it finish, and its task ID is in the log', async () => {
		const { api, n8n, sandbox } = world();
		sandbox.faults.on('generate', { kind: 'delay', ms: 1_500 });
		const id = await startScene({
			parameters: { operation: 'generateAndWait' },
			rows: [{ prompt: 'A boat [never]' }],
		});
		await sandbox.ledger.until((ledger) => ledger.posts().length === 1);
		await api.stopExecution(id);
		expect((await endOf(id)).status).toBe('canceled');
		await sandbox.ledger.until((ledger) => ledger.charges().length === 1);
		const [{ taskId }] = sandbox.ledger.charges();
		await until('logged', () => n8n.log().includes(`Seedance task ${taskId} created`));
	});

	check('Seedance Trigger starts once for a signed callback, and for no other', async () => {
		const { sandbox } = world();
		slow();
		const workflow = await saveTrigger();
		const execution = await runScene({
			parameters: {
				operation: 'generate',
				callbackUrl: workflow.productionUrl,
				callbackMetadata: { values: [{ name: 'row', value: '={{ 7 }}' }] },
			},
		});
		const [{ task_id: taskId }] = jsonAt(execution, NEXT);
		const report = { data: { task_id: taskId, status: 'SUCCESS' } };
		const forged = await world().api.callWebhook('POST', workflow.path, { body: report });
		expect(forged.status).toBe(401);
		sandbox.callbacks.planFor('A paper boat', { copies: 3, copyGapMs: 0 });
		await finish(String(taskId));
		const runs = await runsOf(workflow.id, 1);
		expect(startedWith(runs)).toMatchObject([
			{ task_id: taskId, succeeded: true, metadata: { row: 7 } },
		]);
	});

	check("The trigger's Test URL takes a video that exists", async () => {
		const { api, sandbox } = world();
		const workflow = await saveTrigger({}, { isPublished: false });
		const taskId = await startTask();
		await until('ended', () => sandbox.tasks.get(taskId)?.ended === true);
		await api.listenForTestEvent(workflow.id, TRIGGER);
		const path = `${workflow.path}?task_id=${taskId}`;
		const { status } = await api.callWebhook('GET', path, { kind: 'webhook-test' });
		expect(status).toBe(200);
		expect(startedWith(await runsOf(workflow.id, 1))).toMatchObject([{ task_id: taskId }]);
	});

	check('The trigger downloads the video inside the execution', async () => {
		slow();
		const workflow = await saveTrigger({ downloadVideo: true });
		const execution = await runScene({
			parameters: { operation: 'generate', callbackUrl: workflow.productionUrl },
		});
		await finish(String(jsonAt(execution, NEXT)[0].task_id));
		const [run] = await runsOf(workflow.id, 1);
		expect(itemsOf(run, NEXT)).toMatchObject([{ binary: { data: { mimeType: 'video/mp4' } } }]);
	});

	check('Pause Until Callback goes on when the last video is reported', async () => {
		const { api } = world();
		const { id, taskIds } = await paused([{ prompt: 'one' }, { prompt: 'two' }]);
		await finish(taskIds[1]);
		expect((await api.getExecution(id)).status).toBe('waiting');
		const reported = Date.now();
		await finish(taskIds[0]);
		const execution = await endOf(id);
		expect(Date.now() - reported).toBeLessThan(SOON);
		expect(jsonAt(execution, NEXT)).toMatchObject([
			{ prompt: 'one', task_id: taskIds[0], succeeded: true },
			{ prompt: 'two', task_id: taskIds[1], succeeded: true },
		]);
		expect(posts()).toHaveLength(2);
	});

	check('Pause Until Callback fails, and runs no next node, when a video has failed', async () => {
		const { id, taskIds } = await paused([{ prompt: 'good' }, { prompt: 'bad' }]);
		await finish(taskIds[1], { status: 'FAILED' });
		await finish(taskIds[0]);
		const failed = await endOf(id);
		expect(readError(failed)).toMatchObject({
			message: expect.stringContaining('1 of 2 videos are ready and paid'),
			context: { error_code: 'task_failed' },
		});
		expect(failed.runData[NEXT]).toBeUndefined();
	});

	check('Pause Until Callback gives failed items to the error output', async () => {
		const { id, taskIds } = await paused(
			[{ prompt: 'good' }, { prompt: 'bad', row: 2 }],
			{},
			{ onError: 'continueErrorOutput' },
		);
		await finish(taskIds[0]);
		await finish(taskIds[1], { status: 'FAILED' });
		const execution = await endOf(id);
		expect(jsonAt(execution, NEXT)).toMatchObject([{ prompt: 'good', succeeded: true }]);
		expect(jsonAt(execution, ON_ERROR)).toMatchObject([
			{ row: 2, details: { prompt: 'bad', error_code: 'task_failed' } },
		]);
	});

	check('Pause Until Callback stays paused for a forged callback', async () => {
		const { api, sandbox } = world();
		const { id, taskIds } = await paused([{ prompt: 'one' }]);
		const url = String(sandbox.tasks.get(taskIds[0])?.order.callback_url);
		const forged = { data: { task_id: taskIds[0], status: 'SUCCESS' } };
		const options = { validateStatus: () => true, proxy: false as const };
		expect((await axios.post(url, forged, options)).status).toBe(503);
		// Not every n8n gives its address a token and asks for it; ours believes no report either way.
		const { status } = await axios.post(url.split('?')[0], forged, options);
		expect([401, 503]).toContain(status);
		expect((await api.getExecution(id)).status).toBe('waiting');
		await finish(taskIds[0]);
		expect((await endOf(id)).status).toBe('success');
	});

	check(
		'Pause Until Callback outlives a crash of n8n',
		async () => {
			const { n8n, api } = world();
			const { id, taskIds } = await paused([{ prompt: 'one' }]);
			await n8n.kill9();
			await n8n.start();
			await api.login(n8n.login);
			await finish(taskIds[0]);
			expect(jsonAt(await endOf(id), NEXT)).toMatchObject([
				{ task_id: taskIds[0], succeeded: true },
			]);
			expect(posts()).toHaveLength(1);
		},
		120_000,
	);

	check(
		'Pause Until Callback hands the task IDs on when the time is up',
		async () => {
			const { id, taskIds } = await paused([{ prompt: 'one' }], { options: { timeout: 0.05 } });
			const execution = await endOf(id, 100_000);
			expect(execution.status).toBe('success');
			expect(jsonAt(execution, NEXT)).toMatchObject([
				{ task_id: taskIds[0], status: 'IN_PROGRESS', finished: false },
			]);
			expect(posts()).toHaveLength(1);
		},
		120_000,
	);

	check('The example text-to-video.json runs', async () => {
		const { api } = world();
		const { id } = await importExample('text-to-video.json');
		const executionId = await api.runWorkflow(id);
		executed(executionId);
		const execution = await endOf(executionId);
		expect(itemsOf(execution, 'Generate video and wait')).toMatchObject([
			{ json: { succeeded: true }, binary: { data: { mimeType: 'video/mp4' } } },
		]);
	});

	check('The examples with a Data Table run', async () => {
		const { api, n8n, sandbox } = world();
		const run = async (id: string) => {
			const execution = await endOf(await api.runWorkflow(id));
			expect(execution).toMatchObject({ status: 'success' });
		};
		const network = await startNetwork();
		try {
			const ready = await importExample('video-ready.json', {
				'Post the video': { url: network.url },
			});
			// In older versions it is the editor that gives a trigger its address, not the server.
			const trigger = nodeOf(ready, 'When a video is ready or has failed');
			trigger.webhookId ??= randomUUID();
			await api.updateWorkflow(ready.id, { nodes: ready.nodes });
			await api.activateWorkflow(ready.id);
			const path = `${trigger.webhookId}/webhook`;
			const generate = await importExample('generate-with-callback.json', {
				'Start the videos': { callbackUrl: `${n8n.baseUrl}/webhook/${path}` },
			});
			const catchUp = await importExample('catch-up.json', {
				'Post the video': { url: network.url },
			});
			slow();
			await run(generate.id);
			const [table] = await VideoTable.named('Seedance Videos');
			const [row] = await table.add({ prompt: 'A kite', caption: 'Windy' });
			await run(generate.id);
			await run(catchUp.id);
			const [task] = sandbox.tasks.all();
			sandbox.finish(task.id);
			await rowWhen(table, row.id, ({ status }) => status === 'SUCCESS');
			await runsOf(ready.id, 1);
			expect(network.posts).toMatchObject([{ caption: 'Windy' }]);
			await api.deactivateWorkflow(ready.id);
		} finally {
			await network.close();
		}
	});
});
