// The trigger with two webhook processes, which share no memory: each report starts a run at least once, and none is lost.
import axios from 'axios';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import { itemsOf, type Execution } from '../support/n8n/queue.cjs';
import {
	CREDENTIAL_TYPE,
	jsonOf,
	runSteps,
	saveWorkflow,
	seedance,
	until,
	workerOf,
	world,
} from './world.cjs';

const TRIGGER = 'Seedance Trigger';
const NEXT = 'Next';

/** Publishes `Seedance Trigger → Next`; gives its id and its path below each webhook process. */
async function publish(parameters: INodeParameters = {}): Promise<{ id: string; path: string }> {
	const { api, credential } = world();
	const webhookId = randomUUID();
	const id = await saveWorkflow([{ name: NEXT, type: 'n8n-nodes-base.noOp' }], {
		step: {
			name: TRIGGER,
			type: 'n8n-nodes-seedance.seedanceTrigger',
			parameters,
			webhookId,
			credentials: { [CREDENTIAL_TYPE]: { id: credential.id, name: credential.name } },
		},
	});
	await api.activateWorkflow(id);
	return { id, path: `webhook/${webhookId}/webhook` };
}

/** Starts videos that are reported to nobody but by `report`; gives their ids once they have ended. */
async function endedVideos(count: number, path: string): Promise<string[]> {
	const { sandbox, queue } = world();
	sandbox.callbacks.plan = { ...sandbox.callbacks.plan, never: true };
	const taskIds: string[] = [];
	for (let row = 0; row < count; row++) {
		const execution = await runSteps([
			seedance('Video', {
				operation: 'generate',
				callbackUrl: `${queue.webhookUrl}/${path}`,
				callbackMetadata: { values: [{ name: 'row', value: `={{ ${row} }}` }] },
			}),
		]);
		taskIds.push(String(jsonOf(execution, 'Video')[0].task_id));
	}
	await until('all have ended', () => sandbox.tasks.all().every(({ ended }) => ended));
	return taskIds;
}

/** Reports a video to one of the webhook processes; gives the status of the answer. */
async function report(taskId: string, webhook: number): Promise<number> {
	const { sandbox, queue } = world();
	const signed = new URL(String(sandbox.tasks.get(taskId)?.order.callback_url));
	const { baseUrl } = queue.webhooks[webhook];
	const { status } = await axios.post(
		`${baseUrl}${signed.pathname}${signed.search}`,
		{ data: { task_id: taskId, status: 'SUCCESS' } },
		{ validateStatus: () => true, proxy: false },
	);
	return status;
}

/** All ended executions of a workflow, once there are so many at least. */
async function runsOf(workflowId: string, atLeast: number): Promise<Execution[]> {
	const { api } = world();
	for (const end = Date.now() + 60_000; ; await sleep(200)) {
		const listed = await api.listExecutions(workflowId);
		if (listed.length >= atLeast && listed.every(({ status }) => status === 'success')) {
			return await Promise.all(listed.map(async ({ id }) => await api.getExecution(id)));
		}
		if (Date.now() > end) throw new Error(`Only ${listed.length} runs: ${JSON.stringify(listed)}`);
	}
}

const itemsIn = (runs: readonly Execution[]): IDataObject[] =>
	runs.flatMap((run) => jsonOf(run, NEXT));

export function triggerSuite() {
	it('starts each of 10 videos at least once when both webhook processes get every report at the same moment', async () => {
		const { id, path } = await publish();
		const taskIds = await endedVideos(10, path);
		const answers = await Promise.all(
			taskIds.flatMap((taskId) => [report(taskId, 0), report(taskId, 1)]),
		);
		expect(answers).toEqual(answers.map(() => 200));
		const items = itemsIn(await runsOf(id, taskIds.length));
		expect(items.length).toBeLessThanOrEqual(2 * taskIds.length);
		expect(new Set(items.map(({ task_id }) => task_id))).toEqual(new Set(taskIds));
		for (const { task_id, metadata } of items) {
			expect(metadata).toEqual({ row: taskIds.indexOf(String(task_id)) });
		}
	});

	it('starts once when one process gets all reports, and the other one is told of it later', async () => {
		const { id, path } = await publish();
		const [taskId] = await endedVideos(1, path);
		const answers = await Promise.all(
			[0, 0, 0].map(async (webhook) => await report(taskId, webhook)),
		);
		expect(answers).toEqual([200, 200, 200]);
		await runsOf(id, 1);
		expect(await report(taskId, 1)).toBe(200);
		expect(await runsOf(id, 1)).toHaveLength(1);
	});

	it('downloads the video on a worker, into the store that all processes share', async () => {
		const { api, sandbox } = world();
		const { id, path } = await publish({ downloadVideo: true });
		const [taskId] = await endedVideos(1, path);
		await report(taskId, 1);
		const [run] = await runsOf(id, 1);
		expect((await workerOf(run.id)).name).toContain('worker');
		const [item] = itemsOf(run, NEXT);
		if (!item.binary) throw new Error('There is no file');
		expect((await api.downloadBinary(item.binary.data)).length).toBe(sandbox.videoBytes);
	});
}
