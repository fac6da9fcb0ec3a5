// Pause Until Callback: one suspended execution waits for its videos, and goes on with all of them when the last is ready.
import axios from 'axios';
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import { itemsOf } from '../support/n8n/server.cjs';
import {
	CREDENTIAL_TYPE,
	endOf,
	executed,
	jsonAt,
	NEXT,
	ON_ERROR,
	readError,
	retry,
	runScene,
	saveWorkflow,
	START,
	startScene,
	until,
	world,
	type Scene,
} from './world.cjs';

const PAUSE: INodeParameters = { operation: 'generateAndWait', waitMethod: 'callback' };

/** Milliseconds from the last callback to the end of the execution. */
const SOON = 2_000;

/** Starts a workflow and waits until its execution is suspended; gives its id and the tasks, in the order of the rows. */
async function pausedScene(
	rows: IDataObject[] = [{ prompt: 'one' }],
	scene: Partial<Scene> = {},
): Promise<{ id: string; taskIds: string[] }> {
	const { api, sandbox } = world();
	sandbox.speed = 0.001;
	const id = await startScene({ ...scene, parameters: { ...PAUSE, ...scene.parameters }, rows });
	await api.waitForExecution(id, { status: ['waiting', 'error', 'success'], timeoutMs: 20_000 });
	expect((await api.getExecution(id)).status).toBe('waiting');
	const tasks = sandbox.tasks.all();
	return { id, taskIds: tasks.map((task) => task.id) };
}

/** Lets a video get ready, and waits until everybody has been told. */
async function finish(taskId: string, ...rest: [{ status: 'SUCCESS' | 'FAILED' }?]): Promise<void> {
	const { sandbox } = world();
	sandbox.finish(taskId, ...rest);
	await sandbox.callbacks.settled();
}

const answersTo = (taskId: string) =>
	world()
		.sandbox.callbacks.of(taskId)
		.map(({ status }) => status);

export function pauseSuite() {
	it('goes on at once when the video is ready, with few looks at it', async () => {
		const { sandbox, api } = world();
		const { id, taskIds } = await pausedScene();
		expect((await api.getExecution(id)).waitTill).not.toBeNull();
		sandbox.finish(taskIds[0]);
		const called = Date.now();
		const execution = await endOf(id);
		expect(Date.now() - called).toBeLessThan(SOON);
		expect(jsonAt(execution, NEXT)).toMatchObject([
			{ task_id: taskIds[0], status: 'SUCCESS', succeeded: true, prompt: 'one' },
		]);
		expect(itemsOf(execution, NEXT)[0].pairedItem).toEqual({ item: 0 });
		await sandbox.callbacks.settled();
		expect(answersTo(taskIds[0])).toEqual([200]);
		expect(sandbox.ledger.posts()).toHaveLength(1);
		expect(sandbox.ledger.statusReads(taskIds[0]).length).toBeLessThanOrEqual(3);
	});

	it('waits for all its items, and gives them in the order of the rows', async () => {
		const { sandbox, api } = world();
		const rows = ['one', 'two', 'three'].map((prompt) => ({ prompt }));
		const { id, taskIds } = await pausedScene(rows);
		await finish(taskIds[2]);
		await finish(taskIds[0]);
		expect((await api.getExecution(id)).status).toBe('waiting');
		await finish(taskIds[1]);
		const execution = await endOf(id);
		expect(jsonAt(execution, NEXT)).toMatchObject(
			rows.map(({ prompt }, index) => ({ prompt, task_id: taskIds[index], succeeded: true })),
		);
		for (const taskId of taskIds) expect(answersTo(taskId)).toEqual([200]);
		expect(sandbox.ledger.statusReads().length).toBeLessThanOrEqual(3 * taskIds.length);
		expect(sandbox.ledger.posts()).toHaveLength(3);
	});

	it('does not evaluate anything a second time: a prompt that changes each time is paid for once', async () => {
		const { sandbox } = world();
		const { id, taskIds } = await pausedScene([{ prompt: 'x' }], {
			parameters: { prompt: '={{ "number " + Math.random() }}' },
		});
		await finish(taskIds[0]);
		const execution = await endOf(id);
		expect(jsonAt(execution, NEXT)).toMatchObject([{ task_id: taskIds[0], succeeded: true }]);
		expect(sandbox.ledger.posts()).toHaveLength(1);
	});

	it('does not pause when everything has ended before it could', async () => {
		const { sandbox } = world();
		sandbox.faults.on('generate', { kind: 'task', seconds: 0 });
		const execution = await runScene({ parameters: PAUSE });
		expect(jsonAt(execution, NEXT)).toMatchObject([{ succeeded: true }]);
	});

	describe('when a video fails', () => {
		const rows = [{ prompt: 'good' }, { prompt: 'bad' }];

		it('fails at the end with Stop, and runs no next node', async () => {
			const { sandbox } = world();
			const { id, taskIds } = await pausedScene(rows);
			await finish(taskIds[1], { status: 'FAILED' });
			await finish(taskIds[0]);
			const failed = await endOf(id);
			const { message, context } = readError(failed);
			expect(message).toContain('1 of 2 videos are ready and paid');
			expect(context).toMatchObject({ error_code: 'task_failed' });
			expect(failed.runData[NEXT]).toBeUndefined();

			sandbox.speed = 1000;
			const again = await retry(failed.id);
			expect(again.status).toBe('success');
			expect(jsonAt(again, NEXT)).toMatchObject([
				{ prompt: 'good', task_id: taskIds[0], succeeded: true },
				{ prompt: 'bad', succeeded: true },
			]);
			expect(sandbox.ledger.posts().map(({ body }) => JSON.parse(String(body)))).toMatchObject([
				{ prompt: 'good' },
				{ prompt: 'bad' },
				{ prompt: 'bad' },
			]);
		}, 60_000);

		it('gives it in its place with Continue', async () => {
			const { id, taskIds } = await pausedScene(rows, {
				settings: { onError: 'continueRegularOutput' },
			});
			await finish(taskIds[0]);
			await finish(taskIds[1], { status: 'FAILED' });
			expect(jsonAt(await endOf(id), NEXT)).toMatchObject([
				{ prompt: 'good', succeeded: true },
				{ prompt: 'bad', succeeded: false, error_code: 'task_failed' },
			]);
		});

		it('gives it to the error output, with its row', async () => {
			const { id, taskIds } = await pausedScene(
				rows.map((row, index) => ({ ...row, row: index })),
				{ settings: { onError: 'continueErrorOutput' } },
			);
			await finish(taskIds[0]);
			await finish(taskIds[1], { status: 'FAILED' });
			const execution = await endOf(id);
			expect(jsonAt(execution, NEXT)).toMatchObject([{ prompt: 'good', succeeded: true }]);
			expect(jsonAt(execution, ON_ERROR)).toMatchObject([
				{ row: 1, details: { prompt: 'bad', error_code: 'task_failed' } },
			]);
		});
	});

	it('hands the task IDs on when the time is up', async () => {
		const { sandbox } = world();
		const { id, taskIds } = await pausedScene([{ prompt: 'one' }, { prompt: 'two' }], {
			parameters: { options: { timeout: 0.05 } },
		});
		const execution = await endOf(id, 100_000);
		expect(execution.status).toBe('success');
		expect(jsonAt(execution, NEXT)).toMatchObject(
			taskIds.map((task_id) => ({
				task_id,
				status: 'IN_PROGRESS',
				finished: false,
				succeeded: false,
			})),
		);
		expect(sandbox.ledger.posts()).toHaveLength(2);
	}, 120_000);

	it('survives SIGKILL of n8n with one of two callbacks lost: both videos are delivered', async () => {
		const { sandbox, n8n, api } = world();
		const { id, taskIds } = await pausedScene([{ prompt: 'one' }, { prompt: 'two' }]);
		await n8n.kill9();
		sandbox.callbacks.planFor(taskIds[0], { never: true });
		await finish(taskIds[0]);
		await n8n.start();
		await api.login(n8n.login);
		await finish(taskIds[1]);
		expect(jsonAt(await endOf(id), NEXT)).toMatchObject([
			{ task_id: taskIds[0], succeeded: true },
			{ task_id: taskIds[1], succeeded: true },
		]);
		expect(sandbox.ledger.posts()).toHaveLength(2);
	}, 120_000);

	it('stays suspended for a forged callback, and for one without the token of its URL', async () => {
		const { sandbox, api } = world();
		const { id, taskIds } = await pausedScene();
		const url = String(sandbox.tasks.get(taskIds[0])?.order.callback_url);
		const forged = { data: { task_id: taskIds[0], status: 'SUCCESS', response: ['https://evil'] } };
		const post = async (address: string) =>
			(await axios.post(address, forged, { validateStatus: () => true, proxy: false })).status;
		expect(await post(url)).toBe(503);
		expect(await post(url.split('?')[0])).toBe(401);
		expect((await api.getExecution(id)).status).toBe('waiting');
		await finish(taskIds[0]);
		const [item] = jsonAt(await endOf(id), NEXT);
		expect(item.video_url).toBe(`${sandbox.origin}/videos/${taskIds[0]}.mp4`);
	});

	it('goes on once when all callbacks come at the same moment, several times each', async () => {
		const { sandbox } = world();
		const rows = Array.from({ length: 10 }, (_, index) => ({ prompt: `boat ${index}` }));
		sandbox.callbacks.planFor('boat', { copies: 3, attempts: 3, backoffMs: 1 });
		const { id, taskIds } = await pausedScene(rows);
		for (const taskId of taskIds) sandbox.finish(taskId);
		const execution = await endOf(id);
		expect(jsonAt(execution, NEXT)).toMatchObject(rows.map((row) => ({ ...row, succeeded: true })));
		await sandbox.callbacks.settled();
		expect(sandbox.ledger.posts()).toHaveLength(10);
	});

	it('is refused before anything is charged where the API could not reach this n8n', async () => {
		const { sandbox, api } = world();
		const { id } = await api.createCredential({
			name: 'A public API',
			type: CREDENTIAL_TYPE,
			data: { apiKey: sandbox.apiKey, baseUrl: 'https://seedance.example.com/v1' },
		});
		const { message, description } = readError(
			await runScene({ parameters: PAUSE, credentialId: id }),
		);
		expect(message).toContain('Pause Until Callback is not possible');
		expect(message).toContain('WEBHOOK_URL');
		expect(description).toContain('No credits were spent.');
	});

	it('keeps checking in a sub-workflow', async () => {
		const { api, sandbox } = world();
		const child = await saveWorkflow({ parameters: { ...PAUSE, prompt: 'From a child' } });
		const { nodes, connections } = await api.getWorkflow(child);
		await api.updateWorkflow(child, {
			nodes: nodes.map((node) =>
				node.name === START
					? {
							...node,
							type: 'n8n-nodes-base.executeWorkflowTrigger',
							typeVersion: 1.1,
							parameters: { inputSource: 'passthrough' },
						}
					: node,
			),
			connections,
		});
		await api.activateWorkflow(child).catch(() => undefined);
		const parent = await api.createWorkflow({
			name: 'Parent',
			nodes: [
				{
					id: 'p1',
					name: 'Begin',
					type: 'n8n-nodes-base.manualTrigger',
					typeVersion: 1,
					position: [0, 0],
					parameters: {},
				},
				{
					id: 'p2',
					name: 'Call',
					type: 'n8n-nodes-base.executeWorkflow',
					typeVersion: 1.2,
					position: [220, 0],
					parameters: {
						workflowId: { __rl: true, mode: 'id', value: child },
						workflowInputs: { mappingMode: 'defineBelow', value: {} },
					},
				},
			],
			connections: { Begin: { main: [[{ node: 'Call', type: 'main', index: 0 }]] } },
			settings: { executionOrder: 'v1' },
		});
		const id = await api.runWorkflow(parent.id);
		executed(id);
		const execution = await endOf(id);
		expect(execution.error).toBeUndefined();
		expect(jsonAt(execution, 'Call')).toMatchObject([{ succeeded: true }]);
		expect(String(sandbox.ledger.posts()[0].body)).not.toContain('callback_url');
	});

	it('is stopped by Stop, and nothing is paid again', async () => {
		const { sandbox, api, n8n } = world();
		sandbox.callbacks.planFor('one', { attempts: 1 });
		const { id, taskIds } = await pausedScene();
		await api.stopExecution(id);
		expect((await api.getExecution(id)).status).toBe('canceled');
		await finish(taskIds[0]);
		expect(answersTo(taskIds[0]).every((status) => status !== 200)).toBe(true);
		expect(sandbox.ledger.posts()).toHaveLength(1);
		await until('logged', () => n8n.log().includes(`Seedance task ${taskIds[0]} created`));
	});
}
