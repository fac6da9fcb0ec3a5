// Pause Until Callback across processes: a worker pauses, a webhook process gets the report, another worker goes on.
import { jsonOf, endOf, seedance, startSteps, workerOf, world } from './world.cjs';

const PAUSE = seedance('Video', { operation: 'generateAndWait', waitMethod: 'callback' });
const STEPS = [PAUSE, { name: 'Next', type: 'n8n-nodes-base.noOp' }];

/** Starts an execution that pauses; gives its id and the task it waits for. */
async function paused(): Promise<{ id: string; taskId: string }> {
	const { api, sandbox } = world();
	sandbox.speed = 0.001;
	const id = await startSteps(STEPS);
	await api.waitForExecution(id, { status: ['waiting', 'error'], timeoutMs: 20_000 });
	const [task] = sandbox.tasks.all();
	return { id, taskId: task.id };
}

export function pauseSuite() {
	it('goes on with the video when a webhook process gets the report', async () => {
		const { sandbox, queue } = world();
		const { id, taskId } = await paused();
		expect(sandbox.tasks.get(taskId)?.order.callback_url).toContain(queue.webhookUrl);
		sandbox.finish(taskId);
		const execution = await endOf(id);
		expect(execution.status).toBe('success');
		expect(jsonOf(execution, 'Next')).toMatchObject([{ task_id: taskId, succeeded: true }]);
		await sandbox.callbacks.settled();
		expect(sandbox.callbacks.of(taskId)).toMatchObject([{ status: 200 }]);
		expect(sandbox.ledger.posts()).toHaveLength(1);
	});

	it('fails properly with Stop when the video failed, and runs no next node', async () => {
		const { sandbox } = world();
		const { id, taskId } = await paused();
		sandbox.finish(taskId, { status: 'FAILED', errorMessage: 'Not allowed' });
		const execution = await endOf(id);
		expect(execution.status).toBe('error');
		expect(execution.error?.message).toContain(`task ${taskId}`);
		expect(execution.runData.Next).toBeUndefined();
	});

	it('outlives the worker that paused: another one goes on', async () => {
		const { sandbox } = world();
		const { id, taskId } = await paused();
		const dead = await workerOf(id);
		await dead.kill9();
		sandbox.finish(taskId);
		const execution = await endOf(id);
		expect(jsonOf(execution, 'Next')).toMatchObject([{ task_id: taskId, succeeded: true }]);
		expect(sandbox.ledger.posts()).toHaveLength(1);
		await dead.start();
	});
}
