// n8n killed with SIGKILL at the worst moments, and started again: what a user then finds, and what it cost.
import { randomUUID } from 'node:crypto';

import { itemsOf, type Execution } from '../support/n8n/server.cjs';
import {
	endOf,
	jsonAt,
	NEXT,
	retry,
	runScene,
	saveWorkflow,
	START,
	startScene,
	until,
	world,
	type Scene,
} from './world.cjs';

const WAIT: Scene = { parameters: { operation: 'generateAndWait' } };

/** Starts a workflow, kills n8n once something is so, and starts it again; gives the execution as the user finds it. */
async function killed(scene: Scene, moment: string, isSo: () => boolean): Promise<Execution> {
	const { n8n, api } = world();
	const id = await startScene(scene);
	await until(moment, isSo);
	await n8n.kill9();
	await n8n.start();
	await api.login(n8n.login);
	return await endOf(id);
}

/** The ids that n8n's log names as created since the sandbox's books are empty. */
function idsInLog(): string[] {
	const { n8n, sandbox } = world();
	const made = sandbox.tasks.all().map(({ id }) => id);
	return made.filter((id) => n8n.log().includes(`Seedance task ${id} created`));
}

/** What Wait for Video gives for a task, in a new workflow. */
async function fetched(taskId: string): Promise<unknown> {
	const { sandbox } = world();
	sandbox.speed = 1000;
	const execution = await runScene({ parameters: { operation: 'wait', taskId } });
	return jsonAt(execution, NEXT)[0];
}

export function crashSuite() {
	const posts = () => world().sandbox.ledger.posts().length;
	const charges = () =>
		world()
			.sandbox.ledger.charges()
			.map(({ taskId }) => taskId);

	it('before the request: nothing was paid, and a new run makes the video', async () => {
		const { sandbox } = world();
		await sandbox.goDown();
		const { n8n, api } = world();
		const id = await startScene(WAIT);
		await api.waitForExecution(id, { status: ['running'] });
		await n8n.kill9();
		await sandbox.comeBack();
		await n8n.start();
		await api.login(n8n.login);
		const found = await endOf(id);
		expect(found.status).toBe('crashed');
		expect(charges()).toEqual([]);
		const again = await runScene(WAIT);
		expect(jsonAt(again, NEXT)).toMatchObject([{ succeeded: true }]);
		expect(charges()).toHaveLength(1);
	}, 90_000);

	it('between the request and its answer: paid, and no log knows the task', async () => {
		world().sandbox.faults.on('generate', { kind: 'accept-then-hang', ms: 20_000 });
		const found = await killed(WAIT, 'it was charged', () => charges().length === 1);
		expect(found.status).toBe('crashed');
		expect(idsInLog()).toEqual([]);
		// n8n keeps nothing of what the node had remembered: a new run pays again.
		await runScene(WAIT);
		expect(charges()).toHaveLength(2);
	}, 90_000);

	it('right after the answer: paid, and the log has the task, which Wait for Video fetches', async () => {
		const { sandbox } = world();
		sandbox.speed = 0.001;
		const found = await killed(WAIT, 'it was logged', () => idsInLog().length === 1);
		expect(found.status).toBe('crashed');
		const [taskId] = idsInLog();
		expect(charges()).toEqual([taskId]);
		expect(await fetched(taskId)).toMatchObject({ task_id: taskId, succeeded: true });
		expect(posts()).toBe(1);
	}, 90_000);

	it('during the wait: paid, and the log has the task, which Wait for Video fetches', async () => {
		const { sandbox } = world();
		sandbox.speed = 0.001;
		const found = await killed(WAIT, 'it was looked at', () => {
			return sandbox.ledger.statusReads().length > 0;
		});
		expect(found.status).toBe('crashed');
		const [taskId] = idsInLog();
		expect(charges()).toEqual([taskId]);
		expect(await fetched(taskId)).toMatchObject({ succeeded: true });
		expect(posts()).toBe(1);
	}, 90_000);

	it('of an execution that was run by hand cannot be retried; of a published workflow it can, and pays again', async () => {
		const { sandbox, api } = world();
		sandbox.speed = 0.001;
		const byHand = await killed(WAIT, 'it was charged', () => charges().length === 1);
		await expect(retry(byHand.id)).rejects.toThrow('cannot be retried');

		const path = randomUUID();
		const workflowId = await saveWorkflow({ parameters: { ...WAIT.parameters, prompt: 'A boat' } });
		const { nodes } = await api.getWorkflow(workflowId);
		await api.updateWorkflow(workflowId, {
			pinData: {},
			nodes: nodes.map((node) => {
				if (node.name !== START) return node;
				const parameters = { path, httpMethod: 'POST', options: {} };
				return {
					...node,
					type: 'n8n-nodes-base.webhook',
					typeVersion: 2.1,
					webhookId: path,
					parameters,
				};
			}),
		});
		await api.activateWorkflow(workflowId);
		await api.callWebhook('POST', path);
		await until('it was charged', () => charges().length === 2);
		await world().n8n.kill9();
		await world().n8n.start();
		await api.login(world().n8n.login);
		const [{ id }] = await api.listExecutions(workflowId);
		const published = await endOf(id);
		expect(published.status).toBe('crashed');
		sandbox.speed = 1000;
		const again = await retry(published.id);
		expect(again.status).toBe('success');
		expect(charges()).toHaveLength(3);
	}, 120_000);

	it('during the download: paid, and the log has the task, which Wait for Video downloads', async () => {
		const { sandbox } = world();
		sandbox.faults.on('video', { kind: 'stall', ms: 60_000 });
		const found = await killed(
			{ parameters: { operation: 'generateAndWait', downloadVideo: true } },
			'the download has begun',
			() => sandbox.ledger.videoReads().length === 1,
		);
		expect(found.status).toBe('crashed');
		const [taskId] = idsInLog();
		expect(charges()).toEqual([taskId]);
		const execution = await runScene({
			parameters: { operation: 'wait', taskId, downloadVideo: true },
		});
		expect(itemsOf(execution, NEXT)[0].binary?.data?.fileName).toBe(`${taskId}.mp4`);
		expect(posts()).toBe(1);
	}, 90_000);

	it('during the pause: the execution goes on by itself when the video is ready', async () => {
		const { sandbox, n8n, api } = world();
		sandbox.speed = 0.001;
		const id = await startScene({
			parameters: { operation: 'generateAndWait', waitMethod: 'callback' },
		});
		await api.waitForExecution(id, { status: ['waiting'] });
		await n8n.kill9();
		await n8n.start();
		await api.login(n8n.login);
		expect((await api.getExecution(id)).status).toBe('waiting');
		sandbox.finish(sandbox.tasks.all()[0].id);
		expect(jsonAt(await endOf(id), NEXT)).toMatchObject([{ succeeded: true }]);
		expect(posts()).toBe(1);
	}, 90_000);
}
