/**
 * The packed package in n8n's queue mode, against the sandbox: what is started on one process runs on another, which may
 * die. One n8n serves all tests, because its five processes take longer to start than all of the workflows.
 */
import axios from 'axios';
import type { INodeParameters } from 'n8n-workflow';

import { secretsSuite } from '../support/leaks.cjs';
import { N8nClient, itemsOf, type Execution } from '../support/n8n/client.cjs';
import { LIST_NODE, n8nListContract } from '../support/n8n/listHost.cjs';
import { startQueue, type N8nQueue } from '../support/n8n/queue.cjs';
import {
	api,
	deliver,
	endOf,
	generate,
	NEXT,
	output,
	pause,
	posts,
	run,
	runsOf,
	sandbox,
	saveChain,
	saveTrigger,
	seedance,
	start,
	startedWith,
	succeeded,
	until,
	useN8n,
	videos,
} from '../support/n8n/world.cjs';
import type { ServerProcess } from '../support/serverProcess.cjs';

/**
 * How soon n8n sees that a worker is gone, in milliseconds: it holds a lock on its execution, and the others look for
 * locks that have run out. n8n's own values, 60, 10 and 30 s, would make one test last for two minutes.
 */
const STALLED = {
	QUEUE_WORKER_LOCK_DURATION: '10000',
	QUEUE_WORKER_LOCK_RENEW_TIME: '2000',
	QUEUE_WORKER_STALLED_INTERVAL: '3000',
};

/** Milliseconds: the lock of the dead worker has to run out; n8n may take 30 s more to check the execution. */
const NOTICED_WITHIN = 60_000;

/** No workflow may be called by another one unless it says so. */
const NO_CALLERS = { N8N_WORKFLOW_CALLER_POLICY_DEFAULT_OPTION: 'none' };

let queue: N8nQueue;

jest.setTimeout(120_000);
// Two of each: what one has in its memory, the other does not know.
useN8n(async (packages, signal) => {
	const env = { ...STALLED, ...LIST_NODE, ...NO_CALLERS };
	queue = await startQueue({ packages, workers: 2, webhooks: 2, env, signal });
	return queue;
});

/** The worker that has taken this execution, once one has. */
async function workerOf(executionId: string): Promise<ServerProcess> {
	const started = `Worker started execution ${executionId} (`;
	const took = () => queue.workers.filter((worker) => worker.log().includes(started));
	await until(`a worker takes execution ${executionId}`, () => took().length > 0);
	const [worker, ...others] = took();
	expect(others).toEqual([]);
	return worker;
}

it('an execution runs on a worker, and its video can be read on the main process', async () => {
	const execution = await run({ downloadVideo: true });
	const worker = await workerOf(execution.id);
	const [{ json, binary }] = itemsOf(execution, NEXT);
	const taskId = String(json.task_id);
	expect(worker.log()).toContain(`Seedance task ${taskId} created`);
	expect(queue.main.log()).not.toContain(taskId);
	const fileName = `${taskId}.mp4`;
	const id: unknown = expect.stringMatching(/^database:/);
	expect(binary?.data).toMatchObject({ id, fileName, mimeType: 'video/mp4' });
	const options = { responseType: 'arraybuffer', proxy: false } as const;
	const { data: sent } = await axios.get<Buffer>(String(json.video_url), options);
	expect(sent).toHaveLength(sandbox.videoBytes ?? 0);
	expect(binary && (await api.downloadBinary(binary.data))).toEqual(sent);
});

/** Publishes a workflow that a call of this path starts, and that responds with its video; gives its id. */
async function publishAt(path: string, parameters: INodeParameters): Promise<string> {
	const webhook = {
		name: 'Webhook',
		type: 'n8n-nodes-base.webhook',
		typeVersion: 2,
		parameters: { httpMethod: 'POST', path, responseMode: 'lastNode' },
		webhookId: path,
	};
	const workflowId = await saveChain([webhook, seedance(parameters)]);
	await api.activateWorkflow(workflowId);
	return workflowId;
}

it('a webhook process starts an execution on a worker and responds with its result; the main process takes no call', async () => {
	const path = 'a-video-please';
	const workflowId = await publishAt(path, { prompt: '={{ $json.body.prompt }}' });
	const body = { prompt: 'A paper boat' };
	for (const { baseUrl } of queue.webhooks) {
		const response = await new N8nClient(baseUrl).callWebhook('POST', path, { body });
		expect(response).toMatchObject({ status: 200, body: { succeeded: true, ...body } });
	}
	const taskIds = videos.paidIds();
	expect(taskIds).toHaveLength(2);
	const executions = await api.listExecutions(workflowId);
	const workers = await Promise.all(executions.map(async ({ id }) => await workerOf(id)));
	for (const taskId of taskIds) {
		expect(workers.some((worker) => worker.log().includes(taskId))).toBe(true);
	}
	expect((await api.callWebhook('POST', path, { body })).status).toBe(404);
});

it('ten executions at the same moment with one Reuse Key pay once, on two workers', async () => {
	const path = 'one-key';
	const sameVideo = { prompt: 'A paper boat', videoKey: '={{ $json.body.key }}' };
	const workflowId = await publishAt(path, sameVideo);
	const calls = Array.from({ length: 10 }, async (_, nth) => {
		const { baseUrl } = queue.webhooks[nth % 2];
		return await new N8nClient(baseUrl).callWebhook('POST', path, { body: { key: 7 } });
	});
	const taskIds = (await Promise.all(calls)).map(({ body }) => Object(body).task_id);
	expect(taskIds).toEqual(Array(10).fill(videos.paidIds()[0]));
	expect(posts()).toHaveLength(1);
	const executions = await api.listExecutions(workflowId);
	const workers = await Promise.all(executions.map(async ({ id }) => await workerOf(id)));
	expect(new Set(workers).size).toBe(2);
}, 120_000);

describe('Seedance Trigger', () => {
	let workflowId: string;
	let taskIds: string[];

	/** Publishes a trigger, and starts videos that the API calls back to nobody, until they have ended. */
	async function publish(count: number, parameters: INodeParameters = {}): Promise<void> {
		const { id, path } = await saveTrigger(parameters);
		workflowId = id;
		sandbox.callbacks.planFor('', { never: true });
		const rows = Array.from({ length: count }, (_, row) => ({ row }));
		taskIds = await generate(`${queue.webhookUrl}/webhook/${path}`, rows);
		await videos.allFinished();
	}

	/** Delivers the end of a video to one of the webhook processes; gives the status of the response. */
	async function deliverEnd(taskId: string, webhook: number): Promise<number> {
		const { pathname, search } = new URL(videos.callbackUrlOf(taskId));
		const url = `${queue.webhooks[webhook].baseUrl}${pathname}${search}`;
		return (await deliver(url, succeeded(taskId))).status;
	}

	const runs = async (atLeast: number): Promise<Execution[]> => {
		const all = await runsOf(workflowId, atLeast, 60_000);
		expect(all.filter(({ status }) => status !== 'success')).toEqual([]);
		return all;
	};

	it('starts each of 10 videos at least once when both webhook processes get every callback at the same moment', async () => {
		await publish(10);
		const sent = taskIds.flatMap((taskId) => [deliverEnd(taskId, 0), deliverEnd(taskId, 1)]);
		expect(await Promise.all(sent)).toEqual(sent.map(() => 200));
		const items = startedWith(await runs(10));
		expect(items.length).toBeLessThanOrEqual(20);
		expect(new Set(items.map(({ task_id }) => task_id))).toEqual(new Set(taskIds));
		for (const { task_id, metadata } of items) {
			expect(metadata).toEqual({ row: taskIds.indexOf(String(task_id)) });
		}
	});

	it('starts once when one process gets all callbacks, and the other one hears of it later', async () => {
		await publish(1);
		const [taskId] = taskIds;
		const sent = [0, 0, 0].map(async (webhook) => await deliverEnd(taskId, webhook));
		expect(await Promise.all(sent)).toEqual([200, 200, 200]);
		await runs(1);
		expect(await deliverEnd(taskId, 1)).toBe(200);
		expect(await runs(1)).toHaveLength(1);
	});

	it('downloads the video on a worker, into the store that all processes share', async () => {
		await publish(1, { downloadVideo: true });
		await deliverEnd(taskIds[0], 1);
		const [execution] = await runs(1);
		expect((await workerOf(execution.id)).name).toContain('worker');
		const [{ binary }] = itemsOf(execution, NEXT);
		expect(binary && (await api.downloadBinary(binary.data)).length).toBe(sandbox.videoBytes);
	});
});

it('a pause outlives its worker: another one goes on when a webhook process gets the callback', async () => {
	const { id, taskIds } = await pause();
	expect(videos.callbackUrlOf(taskIds[0])).toContain(queue.webhookUrl);
	const dead = await workerOf(id);
	await dead.kill9();
	await videos.finish(taskIds[0]);
	expect(output(await endOf(id))).toMatchObject([{ task_id: taskIds[0], succeeded: true }]);
	expect(sandbox.callbacks.of(taskIds[0])).toMatchObject([{ status: 200 }]);
	expect(posts()).toHaveLength(1);
	await dead.start();
});

it('a worker that dies leaves the task ID in its log, with which another worker gets the paid video', async () => {
	const executionId = await start({}, { rows: ['A boat [never]'] });
	await sandbox.ledger.until((ledger) => ledger.statusReads().length > 0);
	const dead = await workerOf(executionId);
	await dead.kill9();
	const [taskId] = videos.paidIds();

	// Not noticed yet: it still seems to run.
	expect(await api.getExecution(executionId)).toMatchObject({ status: 'running', runData: {} });
	const where = `credential "Seedance account", execution ${executionId}, item 0`;
	expect(dead.log()).toContain(`Seedance task ${taskId} created (${where})`);

	const meanwhile = await run();
	expect(output(meanwhile)).toMatchObject([{ succeeded: true }]);
	expect((await workerOf(meanwhile.id)).name).not.toBe(dead.name);

	sandbox.finish(taskId);
	const rescue = await run({ operation: 'wait', taskId });
	expect(output(rescue)).toMatchObject([{ task_id: taskId, succeeded: true }]);
	expect(videos.paidIds()).toHaveLength(2);

	await dead.start();
	// Idle workers take executions alternately, so that each of them gets one of a few.
	const takers: string[] = [];
	while (!takers.includes(dead.name)) {
		expect(takers.length).toBeLessThan(5);
		takers.push((await workerOf((await run({ operation: 'generate' })).id)).name);
	}

	// No other worker goes on with the execution, and nothing of it is kept: a retry has nothing to begin with.
	const noticed = { status: ['error'], timeoutMs: NOTICED_WITHIN };
	const execution = await api.waitForExecution(executionId, noticed);
	expect(execution.error?.message).toContain('failed to be processed too many times');
	expect(execution.runData).toEqual({});
	const before = posts().length;
	const retried = await api.retryExecution(executionId);
	expect(retried).toMatchObject({ status: 'error', runData: {} });
	expect(posts()).toHaveLength(before);
});

n8nListContract(() => queue.webhooks.map(({ baseUrl }) => baseUrl));

// The last one: it reads what all the others have left behind.
secretsSuite(() => queue.logs(), ['Seedance task']);
