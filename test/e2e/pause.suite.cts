// Pause Until Callback: one suspended execution waits for its videos, and goes on with all of them when the last is ready.
import {
	api,
	BY_HAND,
	deliver,
	endOf,
	executionIds,
	output,
	pause,
	posts,
	sandbox,
	saveChain,
	seedance,
	startWorkflow,
	succeeded,
	THEN,
	until,
	untilWaiting,
	videos,
	type Step,
} from '../support/n8n/world.cjs';

const PAUSE = { waitMethod: 'callback' };

/** The address of the execution itself, which n8n's own Wait node has, and which version 1 of this package gave out. */
const bareUrlOf = (taskId: string) => videos.callbackUrlOf(taskId).replace(/\/seedance-[^?]*/, '');

/** Runs steps until they wait, and then until the first video is ready and they wait again; gives the execution's id. */
async function waitTwice(...steps: Step[]): Promise<string> {
	videos.hold();
	const id = await api.runWorkflow(await saveChain([BY_HAND, ...steps, THEN], { rows: ['one'] }));
	await untilWaiting(id);
	await videos.finish(videos.ids()[0]);
	await until('the next node has begun', async () => {
		return steps[1].name in (await api.getExecution(id)).runData;
	});
	await untilWaiting(id);
	return id;
}

async function expectDelivered(executionId: string, ids: readonly string[]): Promise<void> {
	expect(output(await endOf(executionId))).toMatchObject(
		ids.map((task_id) => ({ task_id, succeeded: true })),
	);
	expect(posts()).toHaveLength(ids.length);
}

describe('Pause Until Callback', () => {
	it('goes on once when all callbacks come at the same moment, several times each, and evaluates nothing again', async () => {
		sandbox.callbacks.planFor('boat', { copies: 3, attempts: 3, backoffMs: 1 });
		const prompt = '={{ "boat " + Math.random() }}';
		const { id, taskIds: ids } = await pause(Array(10).fill('x'), { prompt });
		for (const taskId of ids) sandbox.finish(taskId);
		await expectDelivered(id, ids);
		await videos.allFinished();
	});

	it('keeps checking in a sub-workflow', async () => {
		const called: Step = {
			name: 'Called',
			type: 'n8n-nodes-base.executeWorkflowTrigger',
			typeVersion: 1.1,
			parameters: { inputSource: 'passthrough' },
		};
		const child = await saveChain([called, seedance({ ...PAUSE, prompt: 'From a child' })]);
		await api.activateWorkflow(child).catch(() => undefined);
		const call: Step = {
			name: 'Call',
			type: 'n8n-nodes-base.executeWorkflow',
			typeVersion: 1.2,
			parameters: {
				workflowId: { __rl: true, mode: 'id', value: child },
				workflowInputs: { mappingMode: 'defineBelow', value: {} },
			},
		};
		const execution = await endOf(await startWorkflow(await saveChain([BY_HAND, call])));
		expect(execution.error).toBeUndefined();
		expect(output(execution, 'Call')).toMatchObject([{ succeeded: true }]);
		expect(String(posts()[0].body)).not.toContain('callback_url');
	});

	it('is stopped by Stop, and its callback starts nothing any more', async () => {
		sandbox.callbacks.planFor('one', { attempts: 1 });
		const { id, taskIds: ids } = await pause();
		await api.stopExecution(id);
		expect((await api.getExecution(id)).status).toBe('canceled');
		await videos.finish(ids[0]);
		expect(sandbox.callbacks.of(ids[0]).map(({ status }) => status)).not.toContain(200);
		expect(posts()).toHaveLength(1);
	});
});

describe('a callback that is delivered again', () => {
	it('does not pass a Wait node "On Webhook Call" later in the workflow', async () => {
		const approval: Step = {
			name: 'Approval',
			type: 'n8n-nodes-base.wait',
			typeVersion: 1.1,
			parameters: { resume: 'webhook', httpMethod: 'POST', options: {} },
		};
		// n8n's Wait node shows the token of its address in what it gives out: not looked through for secrets.
		const id = await waitTwice(seedance(PAUSE), approval);
		const [taskId] = videos.ids();
		const url = videos.callbackUrlOf(taskId);
		expect((await deliver(url, succeeded(taskId))).status).toBe(404);
		expect((await deliver(url, undefined, { method: 'GET' })).status).toBe(404);
		expect((await api.getExecution(id)).status).toBe('waiting');
		// The approval itself comes to n8n's own resume URL.
		expect((await deliver(bareUrlOf(taskId), { approved: true })).status).toBe(200);
		expect((await endOf(id)).status).toBe('success');
	});

	it('does not resume another Seedance node of the same execution, whatever their names', async () => {
		const names = ['Seedance }}"\'{{ 🎬', 'Düğüm: 2/3?#'];
		const id = await waitTwice(...names.map((name) => seedance(PAUSE, { name })));
		executionIds.push(id);
		const [first, second] = videos.ids();
		const reads = () => sandbox.ledger.statusReads(second).length;
		const before = reads();
		expect(videos.callbackUrlOf(first)).not.toBe(videos.callbackUrlOf(second));
		for (const [url, taskId] of [
			[videos.callbackUrlOf(first), first],
			[bareUrlOf(second), second],
		]) {
			expect((await deliver(url, succeeded(taskId))).status).toBe(404);
		}
		expect(reads()).toBe(before);
		expect((await api.getExecution(id)).status).toBe('waiting');
		await videos.finish(second);
		expect(output(await endOf(id))).toMatchObject([{ task_id: second, succeeded: true }]);
		expect(posts()).toHaveLength(2);
	});
});
