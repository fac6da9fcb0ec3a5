// The examples that make one video: from text, from an image, with a pause; and the first of them built by hand, beside it.
import axios from 'axios';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IDataObject } from 'n8n-workflow';

import { isRecord } from '../sandbox/server.cjs';
import { itemsOf, type SavedWorkflow, type WorkflowJson } from '../support/n8n/server.cjs';
import {
	api,
	deliver,
	endOf,
	n8n,
	posts,
	readError,
	retry,
	runsOf,
	sandbox,
	startWorkflow,
	until,
	untilWaiting,
	videos,
} from '../support/n8n/world.cjs';
import { HAND_BUILT, importExample, nodeOf, readWorkflow, runExample } from './examples.cjs';

/** The address that the workflow built by hand has in its nodes. */
const REAL_API = 'https://seedanceapi.org/v1';

/** The node that makes a video from an image. */
const IMAGE = 'Generate video from image';

/** A picture of one pixel. */
const PNG = readFileSync(join(__dirname, '..', 'fixtures', 'pixel.png'));

/** The nodes between the start of a workflow and its result. */
function stepsOf({ nodes }: WorkflowJson): string[] {
	const steps = nodes.filter(({ type }) => !/\.(manualTrigger|stickyNote)$/.test(type));
	return steps.map(({ name }) => name);
}

/** Imports the workflow built by hand as its note says, with the sandbox in place of the API. */
async function importHandBuilt(): Promise<SavedWorkflow> {
	const { id, name } = await api.createCredential({
		name: 'Made by hand',
		type: 'httpHeaderAuth',
		data: { name: 'Authorization', value: `Bearer ${sandbox.apiKey}` },
	});
	const workflow = readWorkflow(HAND_BUILT);
	for (const { type, parameters } of workflow.nodes) {
		if (!type.endsWith('.httpRequest')) continue;
		parameters.url = String(parameters.url).replace(REAL_API, sandbox.baseUrl);
	}
	for (const step of ['Start the video', 'Look at the video']) {
		nodeOf(workflow, step).credentials = { httpHeaderAuth: { id, name } };
	}
	return await api.createWorkflow(workflow);
}

describe('text-to-video.json', () => {
	it('needs 1 node for what takes 6 by hand: the same request, and the same file', async () => {
		const byHand = await importHandBuilt();
		const [fileByHand] = itemsOf(await runExample(byHand), 'Download the video');
		const ours = await importExample('text-to-video.json');
		const [file] = itemsOf(await runExample(ours), 'Generate video and wait');

		expect([stepsOf(byHand).length, stepsOf(ours).length]).toEqual([6, 1]);
		const [first, second] = posts();
		expect(first.json).toEqual(second.json);
		expect(fileByHand.binary?.data.fileSize).toBe(file.binary?.data.fileSize);
		expect(fileByHand.binary?.data.mimeType).toBe('video/mp4');
	});

	it('by hand goes round until the video has ended, and stops with the reason when it fails', async () => {
		videos.hold();
		const executionId = await startWorkflow((await importHandBuilt()).id);
		await sandbox.ledger.until((ledger) => ledger.statusReads().length === 2, 20_000);
		sandbox.finish(videos.ids()[0], { status: 'FAILED', errorMessage: 'It was too dark.' });
		const execution = await endOf(executionId);
		expect(execution).toMatchObject({ status: 'error', error: { message: 'It was too dark.' } });
		expect(execution.runData['Look at the video'].length).toBeGreaterThanOrEqual(2);
	}, 60_000);
});

describe('image-to-video.json', () => {
	/** Puts an image and a prompt into the published form; gives the workflow's id when its video is started. */
	async function submitForm(changes: IDataObject = {}): Promise<string> {
		videos.hold();
		const options = { changes: { [IMAGE]: changes } };
		const workflow = await importExample('image-to-video.json', {}, options);
		await api.activateWorkflow(workflow.id);
		const form = new FormData();
		form.append('field-0', new Blob([PNG], { type: 'image/png' }), 'boat.png');
		form.append('field-1', 'The boat drifts away');
		const { webhookId } = nodeOf(workflow, 'On form submission');
		expect((await deliver(`${n8n.baseUrl}/form/${webhookId}`, form)).status).toBe(200);
		await sandbox.ledger.until((ledger) => ledger.charges().length === 1);
		return workflow.id;
	}

	/** What the API does with the link: it fetches the image, and is not signed in. */
	async function expectImage(): Promise<void> {
		const [{ json }] = posts();
		const [link] = isRecord(json) && Array.isArray(json.image_urls) ? json.image_urls : [];
		expect(link).toContain('/rest/binary-data/signed?token=');
		const options = { responseType: 'arraybuffer', proxy: false } as const;
		const { data } = await axios.get<Buffer>(String(link), options);
		expect(data.equals(PNG)).toBe(true);
	}

	it('makes a video from the image that somebody puts into its form', async () => {
		const id = await submitForm();
		await expectImage();
		sandbox.finish(videos.ids()[0]);
		const [execution] = await runsOf(id, 1);
		await api.deactivateWorkflow(id);
		expect(execution.status).toBe('success');
		const [{ json, binary }] = itemsOf(execution, IMAGE);
		const prompt = 'The boat drifts away';
		expect(json).toMatchObject({ succeeded: true, prompt, consumed_credits: 28 });
		expect(binary?.data?.mimeType).toBe('video/mp4');
	});

	it('does not pay again when a run that took too long is retried', async () => {
		const id = await submitForm({ options: { timeout: 0.02 } });
		const [failed] = await runsOf(id, 1);
		expect(readError(failed).context).toMatchObject({ error_code: 'timeout' });
		sandbox.finish(videos.ids()[0]);
		const again = await retry(failed);
		await api.deactivateWorkflow(id);
		expect(posts()).toHaveLength(1);
		expect(itemsOf(again, IMAGE)).toMatchObject([{ json: { succeeded: true } }]);
	});

	// n8n moves the file that the form was sent at exactly this moment.
	it.each([
		['waiting', { waitMethod: 'callback' }],
		['success', { operation: 'generate' }],
	])('keeps the image where the API fetches it when the run is "%s"', async (state, changes) => {
		const id = await submitForm(changes);
		await until('n8n has saved the execution', async () => {
			const [{ status }] = await api.listExecutions(id);
			return status === state;
		});
		await expectImage();
		sandbox.finish(videos.ids()[0]);
		await runsOf(id, 1);
		await api.deactivateWorkflow(id);
	});
});

it.each([
	['goes on when the video is ready, and downloads it', 15],
	['finishes a video that was not ready when the time of the pause was up', 0.05],
])(
	'pause-then-wait.json %s',
	async (_, timeout) => {
		videos.hold();
		const changes = { 'Generate video and pause': { options: { timeout } } };
		const { id } = await importExample('pause-then-wait.json', {}, { changes });
		const executionId = await startWorkflow(id);
		await untilWaiting(executionId);
		const [taskId] = videos.ids();
		const isOver = timeout < 1;
		if (isOver) {
			const reads = () => sandbox.ledger.statusReads(taskId).length;
			await until('the second step reads the task', () => reads() > 1, 90_000);
			expect((await api.getExecution(executionId)).status).toBe('running');
		}
		sandbox.finish(taskId);
		const execution = await endOf(executionId, 60_000);
		expect(execution.status).toBe('success');
		const status = isOver ? 'IN_PROGRESS' : 'SUCCESS';
		expect(itemsOf(execution, 'Generate video and pause')).toMatchObject([
			{ json: { task_id: taskId, status } },
		]);
		const [{ json, binary }] = itemsOf(execution, 'Get the video');
		expect(json).toMatchObject({ task_id: taskId, succeeded: true, consumed_credits: 28 });
		expect(binary?.data?.mimeType).toBe('video/mp4');
		expect(posts()).toHaveLength(1);
	},
	180_000,
);
