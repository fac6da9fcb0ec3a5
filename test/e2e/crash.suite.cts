// n8n killed with SIGKILL at the worst moments, and started again: what a user then finds, and what it cost.
import { randomUUID } from 'node:crypto';
import type { INodeParameters } from 'n8n-workflow';

import { itemsOf, type Execution } from '../support/n8n/server.cjs';
import {
	api,
	crash,
	endOf,
	n8n,
	NEXT,
	output,
	posts,
	retry,
	run,
	sandbox,
	saveChain,
	seedance,
	start,
	THEN,
	until,
	videos,
} from '../support/n8n/world.cjs';

/** Starts a workflow, kills n8n once something is so, and starts it again; gives the execution as the user finds it. */
async function killed(isSo: () => boolean, parameters: INodeParameters = {}): Promise<Execution> {
	const id = await start(parameters);
	await until('the moment has come', isSo);
	await crash();
	const found = await endOf(id);
	expect(found.status).toBe('crashed');
	return found;
}

const idsInLog = () =>
	videos.ids().filter((id) => n8n.log().includes(`Seedance task ${id} created`));

describe('a crash of n8n', () => {
	it('before the request: nothing was paid, and a new run makes the video', async () => {
		await sandbox.goDown();
		const id = await start();
		await api.waitForExecution(id, { status: ['running'] });
		await n8n.kill9();
		await sandbox.comeBack();
		await n8n.start();
		expect((await endOf(id)).status).toBe('crashed');
		expect(videos.paidIds()).toEqual([]);
		expect(output(await run())).toMatchObject([{ succeeded: true }]);
		expect(videos.paidIds()).toHaveLength(1);
	}, 90_000);

	it('between the request and its answer: paid, and no log knows the task', async () => {
		sandbox.faults.on('generate', { kind: 'accept-then-hang', ms: 20_000 });
		await killed(() => videos.paidIds().length === 1);
		expect(idsInLog()).toEqual([]);
		// n8n keeps nothing of what the node had remembered: a new run pays again.
		await run();
		expect(videos.paidIds()).toHaveLength(2);
	}, 90_000);

	it.each<[string, () => boolean]>([
		['right after the answer', () => idsInLog().length === 1],
		['during the wait', () => sandbox.ledger.statusReads().length > 0],
	])(
		'%s: paid, and the log has the task, which Wait for Video fetches',
		async (_, isSo) => {
			videos.hold();
			await killed(isSo);
			const [taskId] = idsInLog();
			expect(videos.paidIds()).toEqual([taskId]);
			sandbox.speed = 1000;
			const execution = await run({ operation: 'wait', taskId });
			expect(output(execution)).toMatchObject([{ task_id: taskId, succeeded: true }]);
			expect(posts()).toHaveLength(1);
		},
		90_000,
	);

	it('of an execution that was run by hand cannot be retried; of a published workflow it can, and pays again', async () => {
		videos.hold();
		const byHand = await killed(() => videos.paidIds().length === 1);
		await expect(retry(byHand)).rejects.toThrow('cannot be retried');

		const path = randomUUID();
		const webhook = {
			name: 'Webhook',
			type: 'n8n-nodes-base.webhook',
			typeVersion: 2.1,
			webhookId: path,
			parameters: { path, httpMethod: 'POST', options: {} },
		};
		const workflowId = await saveChain([webhook, seedance({ prompt: 'A boat' }), THEN]);
		await api.activateWorkflow(workflowId);
		await api.callWebhook('POST', path);
		await until('it was charged', () => videos.paidIds().length === 2);
		await crash();
		const [{ id }] = await api.listExecutions(workflowId);
		const published = await endOf(id);
		expect(published.status).toBe('crashed');
		sandbox.speed = 1000;
		expect((await retry(published)).status).toBe('success');
		expect(videos.paidIds()).toHaveLength(3);
	}, 120_000);

	it('during the download: paid, and the log has the task, which Wait for Video downloads', async () => {
		sandbox.faults.on('video', { kind: 'stall', ms: 60_000 });
		await killed(() => sandbox.ledger.videoReads().length === 1, { downloadVideo: true });
		const [taskId] = idsInLog();
		expect(videos.paidIds()).toEqual([taskId]);
		const execution = await run({ operation: 'wait', taskId, downloadVideo: true });
		expect(itemsOf(execution, NEXT)[0].binary?.data?.fileName).toBe(`${taskId}.mp4`);
		expect(posts()).toHaveLength(1);
	}, 90_000);
});
