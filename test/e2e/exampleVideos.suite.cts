// The examples that make one video: from text, from an image, with a pause; and the first of them built by hand, beside it.
import axios from 'axios';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isRecord } from '../sandbox/server.cjs';
import { itemsOf, type SavedWorkflow, type WorkflowJson } from '../support/n8n/server.cjs';
import {
	api,
	deliver,
	endOf,
	n8n,
	posts,
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

const PNG = readFileSync(join(__dirname, '..', 'fixtures', 'pixel.png'));

/** How many nodes lie between the start of a workflow and its result. */
const stepsOf = ({ nodes }: WorkflowJson) =>
	nodes.filter(({ type }) => !/\.(manualTrigger|stickyNote)$/.test(type)).length;

/** Imports the workflow built by hand as its note says, with the sandbox in place of the API. */
async function importHandBuilt(): Promise<SavedWorkflow> {
	const account = await api.createCredential({
		name: 'Made by hand',
		type: 'httpHeaderAuth',
		data: { name: 'Authorization', value: `Bearer ${sandbox.apiKey}` },
	});
	const workflow = readWorkflow(HAND_BUILT);
	for (const { name, type, parameters } of workflow.nodes) {
		if (!type.endsWith('.httpRequest')) continue;
		parameters.url = String(parameters.url).replace(REAL_API, sandbox.baseUrl);
		if (name === 'Download the video') continue;
		nodeOf(workflow, name).credentials = { httpHeaderAuth: { id: account.id, name: account.name } };
	}
	return await api.createWorkflow(workflow);
}

it('text-to-video.json needs 1 node for what takes 6 by hand: the same request, and the same file', async () => {
	const byHand = await importHandBuilt();
	const [fileByHand] = itemsOf(await runExample(byHand), 'Download the video');
	const ours = await importExample('text-to-video.json');
	const [file] = itemsOf(await runExample(ours), 'Generate video and wait');
	expect([stepsOf(byHand), stepsOf(ours)]).toEqual([6, 1]);
	const [first, second] = posts();
	expect(first.json).toEqual(second.json);
	expect(fileByHand.binary?.data.fileSize).toBe(file.binary?.data.fileSize);
	expect(fileByHand.binary?.data.mimeType).toBe('video/mp4');
});

// n8n moves the file that the form was sent when the run pauses: for the callback, or for the last page of the form.
it.each([
	['is running', 'running', {}],
	['waits', 'waiting', { waitMethod: 'callback' }],
	['has reached the last page', 'waiting', { operation: 'generate' }],
])(
	'image-to-video.json makes a video from the image that somebody puts into its form, which the API can fetch while the run %s',
	async (_, state, changes) => {
		videos.hold();
		const options = { changes: { [IMAGE]: changes } };
		const workflow = await importExample('image-to-video.json', {}, options);
		await api.activateWorkflow(workflow.id);
		const form = new FormData();
		form.append('field-0', new Blob([PNG], { type: 'image/png' }), 'boat.png');
		form.append('field-1', 'The boat drifts away');
		const { webhookId } = nodeOf(workflow, 'On form submission');
		const { status, data: response } = await deliver(`${n8n.baseUrl}/form/${webhookId}`, form);
		expect(status).toBe(200);
		const page = String(isRecord(response) && response.formWaitingUrl);
		await sandbox.ledger.until((ledger) => ledger.charges().length === 1);
		await until('n8n has saved the execution', async () => {
			const [execution] = await api.listExecutions(workflow.id);
			return execution.status === state;
		});
		// The API is not signed in to n8n.
		const [{ json: sent }] = posts();
		const [link] = isRecord(sent) && Array.isArray(sent.image_urls) ? sent.image_urls : [];
		expect(link).toContain('/rest/binary-data/signed?token=');
		const { data } = await axios.get<Buffer>(String(link), {
			responseType: 'arraybuffer',
			proxy: false,
		});
		expect(data.equals(PNG)).toBe(true);
		sandbox.finish(videos.ids()[0]);
		const get = async (url: string) =>
			String((await deliver(url, undefined, { method: 'GET' })).data);
		// As the page of the form asks.
		const question = page.replace('?', '/n8n-execution-status?');
		await until(
			'the form is at its last page',
			async () => (await get(question)) === 'form-waiting',
		);
		expect(await get(page)).toContain('Your video');
		await deliver(page);
		const [execution] = await runsOf(workflow.id, 1);
		await api.deactivateWorkflow(workflow.id);
		expect(execution.status).toBe('success');
		if (state !== 'running') return;
		const [{ json, binary }] = itemsOf(execution, IMAGE);
		const prompt = 'The boat drifts away';
		expect(json).toMatchObject({ succeeded: true, prompt, consumed_credits: 28 });
		expect(binary?.data?.mimeType).toBe('video/mp4');
	},
);

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
