// A worker that dies while it waits for a video: what is lost, and what is still there.
import { jsonOf, runSteps, seedance, startSteps, workerOf, world } from './world.cjs';

const GENERATE_AND_WAIT = seedance('Video', { operation: 'generateAndWait' });

/** Milliseconds: the lock of the dead worker has to run out; n8n may look at the execution for 30 s more. */
const NOTICED_WITHIN = 60_000;

export function workerSuite() {
	it('leaves the task ID in its log, with which another worker gets the paid video', async () => {
		const { api, sandbox } = world();
		const { ledger } = sandbox;
		const executionId = await startSteps([GENERATE_AND_WAIT], 'A boat [never]');
		await ledger.until(() => ledger.statusReads().length > 0);
		const dead = await workerOf(executionId);
		await dead.kill9();
		const [{ taskId }] = ledger.charges();

		// Nobody has noticed yet: it looks as if it went on.
		expect(await api.getExecution(executionId)).toMatchObject({ status: 'running', runData: {} });
		expect(dead.log()).toContain(
			`Seedance task ${taskId} created (credential "Seedance account", execution ${executionId}, item 0)`,
		);

		const meanwhile = await runSteps([GENERATE_AND_WAIT]);
		expect(jsonOf(meanwhile, 'Video')).toMatchObject([{ succeeded: true }]);
		expect((await workerOf(meanwhile.id)).name).not.toBe(dead.name);

		sandbox.finish(taskId);
		const rescue = await runSteps([seedance('Rescue', { operation: 'wait', taskId })]);
		expect(jsonOf(rescue, 'Rescue')).toMatchObject([{ task_id: taskId, succeeded: true }]);
		expect(ledger.charges()).toHaveLength(2);

		await dead.start();
		await expectToTakeExecutions(dead.name);

		// No other worker goes on with the execution, and nothing of it is kept: a retry has nothing to begin with.
		const execution = await api.waitForExecution(executionId, {
			status: ['error'],
			timeoutMs: NOTICED_WITHIN,
		});
		expect(execution.error?.message).toContain('failed to be processed too many times');
		expect(execution.runData).toEqual({});
		const posts = ledger.posts().length;
		const retried = await api.retryExecution(executionId);
		expect(retried).toMatchObject({ status: 'error', runData: {} });
		expect(ledger.posts()).toHaveLength(posts);
	});
}

/** Idle workers take executions in turns, so that each of them gets one of a few. */
async function expectToTakeExecutions(worker: string): Promise<void> {
	const takers: string[] = [];
	while (!takers.includes(worker)) {
		if (takers.length === 5) throw new Error(`${worker} took none of five executions`);
		const { id } = await runSteps([seedance('Video', { operation: 'generate' })]);
		takers.push((await workerOf(id)).name);
	}
}
