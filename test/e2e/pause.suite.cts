// Pause Until Callback: one suspended execution waits for its videos, and goes on with all of them when the last is ready.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { ensureN8n, type Execution } from '../support/n8n/server.cjs';
import {
	api,
	BY_HAND,
	deliver,
	endOf,
	executionIds,
	logged,
	n8n,
	output,
	pause,
	posts,
	retry,
	sandbox,
	saveChain,
	SEEDANCE,
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

const approval = (parameters: Step['parameters']): Step => ({
	name: 'Approval',
	type: 'n8n-nodes-base.wait',
	typeVersion: 1.1,
	parameters,
});

/** Runs steps until they wait, and then until the first video is ready and they wait again; gives the execution's id. */
async function waitTwice(...steps: Step[]): Promise<string> {
	videos.hold();
	const id = await api.runWorkflow(await saveChain([BY_HAND, ...steps, THEN], { rows: ['one'] }));
	await untilWaiting(id);
	await videos.finish(videos.ids()[0]);
	await until('the next node waits', async () => (await lastNodeOf(id)) === steps[1].name);
	await untilWaiting(id);
	return id;
}

async function lastNodeOf(id: string): Promise<string | undefined> {
	const { runData } = await api.getExecution(id);
	const began = (name: string) => Math.max(...runData[name].map(({ startTime }) => startTime));
	return Object.keys(runData)
		.sort((one, other) => began(one) - began(other))
		.at(-1);
}

/** Changes the stored data of an execution, as another version of the package would have written them. */
async function changeStored(executionId: string, change: string): Promise<void> {
	const { node, entry } = await ensureN8n();
	const database = join(n8n.userFolder, '.n8n', 'database.sqlite');
	const flatted = createRequire(entry).resolve('flatted');
	const script = `
		const { DatabaseSync } = require('node:sqlite');
		const [, file, id, flatted] = process.argv;
		const { parse, stringify } = require(flatted);
		const database = new DatabaseSync(file, { timeout: 10_000 });
		const { data } = database.prepare('SELECT data FROM execution_data WHERE executionId = ?').get(id);
		const stored = parse(data);
		const context = stored.executionData.contextData['node:${SEEDANCE}'];
		${change};
		database.prepare('UPDATE execution_data SET data = ? WHERE executionId = ?').run(stringify(stored), id);`;
	await promisify(execFile)(node, ['-e', script, database, executionId, flatted]);
}

function expectDelivered(execution: Execution, ids: readonly string[]): void {
	expect(output(execution)).toMatchObject(ids.map((task_id) => ({ task_id, succeeded: true })));
	expect(posts()).toHaveLength(ids.length);
}

describe('Pause Until Callback', () => {
	it('does not evaluate anything a second time: a prompt that changes each time is paid for once', async () => {
		const { id, taskIds: ids } = await pause(['x'], { prompt: '={{ "no " + Math.random() }}' });
		await videos.finish(ids[0]);
		expectDelivered(await endOf(id), ids);
	});

	it('makes only the failed video anew when a person retries', async () => {
		const { id, taskIds: ids } = await pause(['good', 'bad']);
		await videos.finish(ids[1], { status: 'FAILED' });
		await videos.finish(ids[0]);
		const failed = await endOf(id);
		expect(failed.status).toBe('error');
		sandbox.speed = 1000;
		expect(output(await retry(failed))).toMatchObject([
			{ prompt: 'good', task_id: ids[0], succeeded: true },
			{ prompt: 'bad', succeeded: true },
		]);
		expect(['good', 'bad'].map((text) => sandbox.ledger.postsWithPrompt(text))).toEqual([1, 2]);
	}, 60_000);

	it('survives SIGKILL of n8n with one of two callbacks lost: both videos are delivered', async () => {
		const { id, taskIds: ids } = await pause(['one', 'two']);
		await n8n.kill9();
		sandbox.callbacks.planFor(ids[0], { never: true });
		await videos.finish(ids[0]);
		await n8n.start();
		await videos.finish(ids[1]);
		expectDelivered(await endOf(id), ids);
	}, 120_000);

	it('goes on once when all callbacks come at the same moment, several times each', async () => {
		const rows = Array.from({ length: 10 }, (_, index) => `boat ${index}`);
		sandbox.callbacks.planFor('boat', { copies: 3, attempts: 3, backoffMs: 1 });
		const { id, taskIds: ids } = await pause(rows);
		for (const taskId of ids) sandbox.finish(taskId);
		expectDelivered(await endOf(id), ids);
		await videos.allFinished();
	});

	it('keeps checking in a sub-workflow', async () => {
		const trigger = { name: 'Called', type: 'n8n-nodes-base.executeWorkflowTrigger' };
		const passthrough = { typeVersion: 1.1, parameters: { inputSource: 'passthrough' } };
		const child = await saveChain([
			{ ...trigger, ...passthrough },
			seedance({ ...PAUSE, prompt: 'From a child' }),
		]);
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

	it('is stopped by Stop, and nothing is paid again', async () => {
		sandbox.callbacks.planFor('one', { attempts: 1 });
		const { id, taskIds: ids } = await pause();
		await api.stopExecution(id);
		expect((await api.getExecution(id)).status).toBe('canceled');
		await videos.finish(ids[0]);
		const statuses = sandbox.callbacks.of(ids[0]).map(({ status }) => status);
		expect(statuses).not.toContain(200);
		expect(posts()).toHaveLength(1);
		await logged(`Seedance task ${ids[0]} created`);
	});
});

describe('a callback that is delivered again', () => {
	it('does not pass a Wait node "On Webhook Call" later in the workflow', async () => {
		const parameters = { resume: 'webhook', httpMethod: 'POST', options: {} };
		// n8n's Wait node shows the token of its address in what it gives out: not looked through for secrets.
		const id = await waitTwice(seedance(PAUSE), approval(parameters));
		const [taskId] = videos.ids();
		const url = videos.callbackUrlOf(taskId);
		expect((await deliver(url, succeeded(taskId))).status).toBe(404);
		expect((await deliver(url, undefined, { method: 'GET' })).status).toBe(404);
		expect((await api.getExecution(id)).status).toBe('waiting');
		// The approval itself comes to n8n's own resume URL.
		expect((await deliver(bareUrlOf(taskId), { approved: true })).status).toBe(200);
		expect((await endOf(id)).status).toBe('success');
	});

	it('does not fill in a form that the workflow waits for', async () => {
		const form = { formTitle: 'Approval', formFields: { values: [] } };
		const id = await waitTwice(seedance(PAUSE), approval({ resume: 'form', ...form, options: {} }));
		const [taskId] = videos.ids();
		const { status } = await deliver(videos.callbackUrlOf(taskId), succeeded(taskId));
		expect(status).toBeGreaterThanOrEqual(400);
		expect((await api.getExecution(id)).status).toBe('waiting');
		await api.stopExecution(id);
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

describe('an execution that another version of the package has paused', () => {
	it('goes on with the address and the state of the first version', async () => {
		const { id, taskIds: ids } = await pause(['one', 'two']);
		await changeStored(id, 'delete context.seedancePause.version');
		sandbox.callbacks.planFor('', { never: true });
		for (const taskId of ids) sandbox.finish(taskId);
		const bare = bareUrlOf(ids[0]);
		expect((await deliver(bare.split('?')[0], succeeded(ids[0]))).status).toBe(401);
		expect((await deliver(bare, succeeded(ids[0]))).status).toBe(200);
		expectDelivered(await endOf(id), ids);
	});

	it('waits on when a newer version has stored it: the callback is asked to come again', async () => {
		const { id, taskIds: ids } = await pause();
		await changeStored(id, 'context.seedancePause.version = 9');
		sandbox.callbacks.planFor('', { never: true });
		sandbox.finish(ids[0]);
		expect((await deliver(videos.callbackUrlOf(ids[0]), succeeded(ids[0]))).status).toBe(503);
		expect((await api.getExecution(id)).status).toBe('waiting');
		await api.stopExecution(id);
	});
});
