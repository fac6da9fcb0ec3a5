// The examples that make one video: from text, from an image, with a pause; and the first of them built by hand, beside it.
import axios from 'axios';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IDataObject } from 'n8n-workflow';

import { isRecord } from '../sandbox/server.cjs';
import { itemsOf, type SavedWorkflow, type WorkflowJson } from '../support/n8n/server.cjs';
import { importExample, nodeOf, readWorkflow, runExample } from './examples.cjs';
import { runsOf } from './triggers.cjs';
import { endOf, executed, readError, retry, until, world } from './world.cjs';

const HAND_BUILT = join(__dirname, '..', 'comparison', 'hand-built.json');

/** The address that the workflow built by hand has in its nodes. */
const REAL_API = 'https://seedanceapi.org/v1';

/** The node that makes a video from an image. */
const IMAGE = 'Generate video from image';

/** A picture of one pixel. */
const PNG = Buffer.from(
	'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
	'base64',
);

/** The nodes between the start of a workflow and its result. */
function stepsOf({ nodes }: WorkflowJson): string[] {
	return nodes
		.filter(({ type }) => !/\.(manualTrigger|stickyNote)$/.test(type))
		.map(({ name }) => name);
}

/** Imports the workflow built by hand as its note says, with the sandbox in place of the API. */
async function importHandBuilt(): Promise<SavedWorkflow> {
	const { api, sandbox } = world();
	const { id, name } = await api.createCredential({
		name: 'Made by hand',
		type: 'httpHeaderAuth',
		data: { name: 'Authorization', value: `Bearer ${sandbox.apiKey}` },
	});
	const workflow = readWorkflow(HAND_BUILT);
	for (const { parameters } of workflow.nodes.filter(({ type }) => type.endsWith('.httpRequest'))) {
		parameters.url = String(parameters.url).replace(REAL_API, sandbox.baseUrl);
	}
	for (const step of ['Start the video', 'Look at the video']) {
		nodeOf(workflow, step).credentials = { httpHeaderAuth: { id, name } };
	}
	return await api.createWorkflow(workflow);
}

export function exampleVideosSuite() {
	it('text-to-video.json delivers a video file once a credential is chosen', async () => {
		const workflow = await importExample('text-to-video.json');
		const [item] = itemsOf(await runExample(workflow), 'Generate video and wait');
		expect(item.json).toMatchObject({ succeeded: true, consumed_credits: 56 });
		expect(item.binary?.data?.mimeType).toBe('video/mp4');
	});

	it('text-to-video.json needs 1 node for what takes 6 by hand: the same request, and the same file', async () => {
		const { sandbox } = world();
		const byHand = await importHandBuilt();
		const [fileByHand] = itemsOf(await runExample(byHand), 'Download the video');

		const ours = await importExample('text-to-video.json');
		const [file] = itemsOf(await runExample(ours), 'Generate video and wait');

		expect([stepsOf(byHand).length, stepsOf(ours).length]).toEqual([6, 1]);
		const [first, second] = sandbox.ledger.posts();
		expect(first.json).toEqual(second.json);
		expect(fileByHand.binary?.data.fileSize).toBe(file.binary?.data.fileSize);
		expect(fileByHand.binary?.data.mimeType).toBe('video/mp4');
	});

	it('the same by hand goes round until the video has ended, and stops with the reason when it fails', async () => {
		const { api, sandbox } = world();
		sandbox.speed = 0.001;
		const byHand = await importHandBuilt();
		const executionId = await api.runWorkflow(byHand.id);
		executed(executionId);
		await sandbox.ledger.until((ledger) => ledger.statusReads().length === 2, 20_000);
		const [task] = sandbox.tasks.all();
		sandbox.finish(task.id, { status: 'FAILED', errorMessage: 'It was too dark.' });
		const execution = await endOf(executionId);
		expect(execution).toMatchObject({ status: 'error', error: { message: 'It was too dark.' } });
		expect(execution.runData['Look at the video'].length).toBeGreaterThanOrEqual(2);
	}, 60_000);

	describe('image-to-video.json', () => {
		/** Puts an image and a prompt into the published form; gives the workflow when its video is started. */
		async function submitForm(changes: IDataObject = {}): Promise<SavedWorkflow> {
			const { api, n8n, sandbox } = world();
			sandbox.speed = 0.001;
			const workflow = await importExample(
				'image-to-video.json',
				{},
				{ changes: { [IMAGE]: changes } },
			);
			await api.activateWorkflow(workflow.id);
			const form = new FormData();
			form.append('field-0', new Blob([PNG], { type: 'image/png' }), 'boat.png');
			form.append('field-1', 'The boat drifts away');
			const { webhookId } = nodeOf(workflow, 'On form submission');
			const address = `${n8n.baseUrl}/form/${webhookId}`;
			const { status } = await axios.post(address, form, { proxy: false });
			expect(status).toBe(200);
			await sandbox.ledger.until((ledger) => ledger.charges().length === 1);
			return workflow;
		}

		/** What the API does with the link: it fetches the image, and is not signed in. */
		async function fetchImage(): Promise<{ status: number; data: Buffer }> {
			const [{ json }] = world().sandbox.ledger.posts();
			const [link] = isRecord(json) && Array.isArray(json.image_urls) ? json.image_urls : [];
			expect(link).toContain('/rest/binary-data/signed?token=');
			return await axios.get<Buffer>(String(link), {
				responseType: 'arraybuffer',
				validateStatus: () => true,
				proxy: false,
			});
		}

		it('makes a video from the image that somebody puts into its form', async () => {
			const { api, sandbox } = world();
			const { id } = await submitForm();
			expect((await fetchImage()).data.equals(PNG)).toBe(true);
			sandbox.finish(sandbox.tasks.all()[0].id);
			const [execution] = await runsOf(id, 1);
			await api.deactivateWorkflow(id);
			expect(execution.status).toBe('success');
			const [item] = itemsOf(execution, IMAGE);
			expect(item.json).toMatchObject({
				succeeded: true,
				prompt: 'The boat drifts away',
				consumed_credits: 28,
			});
			expect(item.binary?.data?.mimeType).toBe('video/mp4');
		});

		it('does not pay again when a run that took too long is retried', async () => {
			const { api, sandbox } = world();
			const { id } = await submitForm({ options: { timeout: 0.02 } });
			const [failed] = await runsOf(id, 1);
			expect(readError(failed).context).toMatchObject({ error_code: 'timeout' });
			sandbox.finish(sandbox.tasks.all()[0].id);
			const again = await retry(failed.id);
			await api.deactivateWorkflow(id);
			expect(sandbox.ledger.posts()).toHaveLength(1);
			expect(again.status).toBe('success');
			expect(itemsOf(again, IMAGE)[0].json).toMatchObject({ succeeded: true });
		});

		// n8n moves the file that the form was sent at exactly this moment.
		it.each([
			['has paused', 'waiting', { waitMethod: 'callback' }],
			['has ended', 'success', { operation: 'generate' }],
		])(
			'keeps the image where the API looks for it when the execution %s',
			async (_, state, changes) => {
				const { api, sandbox } = world();
				const { id } = await submitForm(changes);
				for (const end = Date.now() + 15_000; ; await sleep(50)) {
					const [{ status }] = await api.listExecutions(id);
					if (status === state) break;
					if (Date.now() > end) throw new Error(`The execution is "${status}"`);
				}
				const { status, data } = await fetchImage();
				expect(status).toBe(200);
				expect(data.equals(PNG)).toBe(true);
				sandbox.finish(sandbox.tasks.all()[0].id);
				await runsOf(id, 1);
				await api.deactivateWorkflow(id);
			},
		);
	});

	describe('pause-then-wait.json', () => {
		/** Runs the example until it is put aside; gives its execution and its task. */
		async function paused(timeout: number): Promise<{ executionId: string; taskId: string }> {
			const { api, sandbox } = world();
			sandbox.speed = 0.001;
			const changes = { 'Generate video and pause': { options: { timeout } } };
			const workflow = await importExample('pause-then-wait.json', {}, { changes });
			const executionId = await api.runWorkflow(workflow.id);
			executed(executionId);
			await api.waitForExecution(executionId, { status: ['waiting', 'error', 'success'] });
			expect((await api.getExecution(executionId)).status).toBe('waiting');
			const [{ id: taskId }] = sandbox.tasks.all();
			return { executionId, taskId };
		}

		it('goes on when the video is ready, and downloads it', async () => {
			const { sandbox } = world();
			const { executionId, taskId } = await paused(15);
			sandbox.finish(taskId);
			const execution = await endOf(executionId);
			expect(execution.status).toBe('success');
			const [item] = itemsOf(execution, 'Get the video');
			expect(item.json).toMatchObject({ task_id: taskId, succeeded: true, consumed_credits: 28 });
			expect(item.binary?.data?.mimeType).toBe('video/mp4');
			expect(sandbox.ledger.posts()).toHaveLength(1);
		});

		it('finishes a video that was not ready when the time of the pause was up', async () => {
			const { sandbox, api } = world();
			const { executionId, taskId } = await paused(0.05);
			await until(
				'the second step looks',
				() => sandbox.ledger.statusReads(taskId).length > 1,
				90_000,
			);
			expect((await api.getExecution(executionId)).status).toBe('running');
			sandbox.finish(taskId);
			const execution = await endOf(executionId, 60_000);
			expect(execution.status).toBe('success');
			expect(itemsOf(execution, 'Generate video and pause')[0].json).toMatchObject({
				task_id: taskId,
				status: 'IN_PROGRESS',
			});
			const [item] = itemsOf(execution, 'Get the video');
			expect(item.json).toMatchObject({ task_id: taskId, succeeded: true });
			expect(item.binary?.data?.mimeType).toBe('video/mp4');
			expect(sandbox.ledger.posts()).toHaveLength(1);
		}, 180_000);
	});
}
