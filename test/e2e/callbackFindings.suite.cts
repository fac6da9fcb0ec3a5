// Callbacks that reach a real n8n at the wrong moment, at the wrong node, in an odd form, or after an update of the package.
import axios from 'axios';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { INode, INodeParameters } from 'n8n-workflow';

import { ensureN8n } from '../support/n8n/server.cjs';
import {
	CREDENTIAL_TYPE,
	endOf,
	executed,
	jsonAt,
	NEXT,
	NODE_TYPE,
	readError,
	runScene,
	SEEDANCE,
	START,
	startScene,
	until,
	world,
} from './world.cjs';
import { runsOf, saveTrigger, startedWith } from './triggers.cjs';

const PAUSE: INodeParameters = {
	resource: 'video',
	operation: 'generateAndWait',
	waitMethod: 'callback',
	prompt: 'A paper boat',
	resolution: '480p',
	duration: '4',
};

type Part = Pick<INode, 'name' | 'type' | 'typeVersion' | 'parameters'> & Partial<INode>;

const seedance = (name: string, parameters: INodeParameters = {}): Part => ({
	name,
	type: NODE_TYPE,
	typeVersion: 1,
	parameters: { ...PAUSE, ...parameters },
	credentials: { [CREDENTIAL_TYPE]: { id: world().credential.id, name: world().credential.name } },
});

const wait = (parameters: INodeParameters): Part => ({
	name: 'Approval',
	type: 'n8n-nodes-base.wait',
	typeVersion: 1.1,
	parameters,
});

/** Runs `Start → parts → Next` until it waits; gives its id. */
async function waitingRun(parts: readonly Part[]): Promise<string> {
	const { api, sandbox } = world();
	sandbox.speed = 0.001;
	const all: Part[] = [
		{ name: START, type: 'n8n-nodes-base.manualTrigger', typeVersion: 1, parameters: {} },
		...parts,
		{ name: NEXT, type: 'n8n-nodes-base.noOp', typeVersion: 1, parameters: {} },
	];
	const { id: workflowId } = await api.createWorkflow({
		name: expect.getState().currentTestName?.slice(0, 120) ?? 'Test',
		nodes: all.map((part, index) => ({
			id: `callback-node-${index}`,
			position: [index * 220, 0],
			...part,
		})),
		connections: Object.fromEntries(
			all
				.slice(1)
				.map(({ name }, index) => [
					all[index].name,
					{ main: [[{ node: name, type: 'main' as const, index: 0 }]] },
				]),
		),
		settings: { executionOrder: 'v1' },
	});
	const id = await api.runWorkflow(workflowId);
	// n8n's own Wait node shows the token of its address in what it gives out, so those are not looked through for secrets.
	if (parts.every(({ type }) => type === NODE_TYPE)) executed(id);
	await waits(id);
	return id;
}

/** The execution waits, and everything that was to be done before is done. */
async function waits(id: string): Promise<void> {
	const status = ['waiting', 'error', 'success'] as const;
	await world().api.waitForExecution(id, { status: [...status], timeoutMs: 20_000 });
	expect((await world().api.getExecution(id)).status).toBe('waiting');
}

/** The node that an execution waits at. */
const waitsAt = async (id: string) => {
	const { status, lastNode } = await stateOf(id);
	return status === 'waiting' ? lastNode : status;
};

async function stateOf(id: string): Promise<{ status: string; lastNode: string | undefined }> {
	const { status, runData } = await world().api.getExecution(id);
	const ran = Object.entries(runData).map(([name, runs]) => ({
		name,
		at: Math.max(...runs.map(({ startTime }) => startTime)),
	}));
	ran.sort((one, other) => one.at - other.at);
	return { status, lastNode: ran.at(-1)?.name };
}

const callbackUrlOf = (taskId: string) =>
	String(world().sandbox.tasks.get(taskId)?.order.callback_url);

async function call(
	url: string,
	body?: unknown,
	headers: Record<string, string> = {},
	method = 'POST',
): Promise<number> {
	const options = { validateStatus: () => true, proxy: false as const, maxRedirects: 5 };
	return (await axios.request({ url, method, data: body, headers, ...options })).status;
}

const said = (taskId: string) => ({ code: 200, data: { task_id: taskId, status: 'SUCCESS' } });

/** Lets a video get ready, and waits until the API's callback was answered. */
async function finish(taskId: string): Promise<void> {
	const { sandbox } = world();
	sandbox.finish(taskId);
	await sandbox.callbacks.settled();
}

const taskIds = () =>
	world()
		.sandbox.tasks.all()
		.map(({ id }) => id);

/** Changes the stored data of an execution, as another version of the package would have written them. */
async function changeStored(executionId: string, change: string): Promise<void> {
	const { node, entry } = await ensureN8n();
	const database = join(world().n8n.userFolder, '.n8n', 'database.sqlite');
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

export function callbackFindingsSuite() {
	describe('a callback that is delivered again', () => {
		it('does not pass a Wait node "On Webhook Call" later in the workflow', async () => {
			const id = await waitingRun([
				seedance(SEEDANCE),
				wait({ resume: 'webhook', httpMethod: 'POST', options: {} }),
			]);
			const [taskId] = taskIds();
			await finish(taskId);
			await waits(id);
			expect(await waitsAt(id)).toBe('Approval');
			const url = callbackUrlOf(taskId);
			expect(await call(url, said(taskId))).toBe(404);
			expect(await call(url, undefined, {}, 'GET')).toBe(404);
			expect(await waitsAt(id)).toBe('Approval');
			// The approval itself comes to n8n's own resume URL.
			expect(await call(url.replace(/\/seedance-[^?]*/, ''), { approved: true })).toBe(200);
			expect((await endOf(id)).status).toBe('success');
		});

		it('does not fill in a form that the workflow waits for', async () => {
			const id = await waitingRun([
				seedance(SEEDANCE),
				wait({ resume: 'form', formTitle: 'Approval', formFields: { values: [] }, options: {} }),
			]);
			const [taskId] = taskIds();
			await finish(taskId);
			await waits(id);
			expect(await call(callbackUrlOf(taskId), said(taskId))).toBeGreaterThanOrEqual(400);
			expect(await waitsAt(id)).toBe('Approval');
			await world().api.stopExecution(id);
		});

		it('does not resume another Seedance node of the same execution, whatever their names', async () => {
			const names = ['Seedance }}"\'{{ 🎬', 'Düğüm: 2/3?#'];
			const id = await waitingRun(names.map((name) => seedance(name)));
			const [first] = taskIds();
			await finish(first);
			await until('the second node has started its video', () => taskIds().length === 2);
			await waits(id);
			const [, second] = taskIds();
			const reads = () => world().sandbox.ledger.statusReads(second).length;
			const before = reads();
			expect(callbackUrlOf(first)).not.toBe(callbackUrlOf(second));
			expect(await call(callbackUrlOf(first), said(first))).toBe(404);
			// Neither does the bare address of the execution, which the first version gave out.
			const bare = callbackUrlOf(second).replace(/\/seedance-[^?]*/, '');
			expect(await call(bare, said(second))).toBe(404);
			expect(reads()).toBe(before);
			expect(await waitsAt(id)).toBe(names[1]);
			await finish(second);
			const execution = await endOf(id);
			expect(jsonAt(execution, NEXT)).toMatchObject([{ task_id: second, succeeded: true }]);
			expect(world().sandbox.ledger.posts()).toHaveLength(2);
		});
	});

	describe('an execution that another version of the package has paused', () => {
		const pausedScene = async () => {
			world().sandbox.speed = 0.001;
			const rows = [{ prompt: 'one' }, { prompt: 'two' }];
			const id = await startScene({
				parameters: { ...PAUSE, prompt: '={{ $json.prompt }}' },
				rows,
			});
			await waits(id);
			return { id, ids: taskIds() };
		};

		it('goes on with the address and the state of the first version', async () => {
			const { sandbox } = world();
			const { id, ids } = await pausedScene();
			await changeStored(id, 'delete context.seedancePause.version');
			for (const taskId of ids) {
				sandbox.callbacks.planFor(taskId, { never: true });
				sandbox.finish(taskId);
			}
			const bare = callbackUrlOf(ids[0]).replace(/\/seedance-[^?]*/, '');
			expect(await call(bare.split('?')[0], said(ids[0]))).toBe(401);
			expect(await call(bare, said(ids[0]))).toBe(200);
			expect(jsonAt(await endOf(id), NEXT)).toMatchObject(
				ids.map((task_id) => ({ task_id, succeeded: true })),
			);
			expect(sandbox.ledger.posts()).toHaveLength(2);
		});

		it('waits on when a newer version has stored it: the callback is asked to come again', async () => {
			const { sandbox, api } = world();
			const { id, ids } = await pausedScene();
			await changeStored(id, 'context.seedancePause.version = 9');
			sandbox.callbacks.planFor(ids[0], { never: true });
			sandbox.finish(ids[0]);
			expect(await call(callbackUrlOf(ids[0]), said(ids[0]))).toBe(503);
			expect((await api.getExecution(id)).status).toBe('waiting');
			await api.stopExecution(id);
		});
	});

	describe('a body', () => {
		const json = (taskId: string) => JSON.stringify(said(taskId));
		const boundary = 'cut-here';
		const part = (name: string, value: string) =>
			`--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

		it.each<[string, Record<string, string>, (taskId: string) => string]>([
			['JSON without a content type', {}, json],
			['JSON under text/plain', { 'content-type': 'text/plain' }, json],
			['JSON under a type of its own', { 'content-type': 'application/x-seedance' }, json],
			['JSON sent as a form', { 'content-type': 'application/x-www-form-urlencoded' }, json],
			[
				'a form whose field holds the JSON',
				{ 'content-type': 'application/x-www-form-urlencoded' },
				(taskId) => `payload=${encodeURIComponent(json(taskId))}`,
			],
			[
				'multipart fields',
				{ 'content-type': `multipart/form-data; boundary=${boundary}` },
				(taskId) => `${part('task_id', taskId)}${part('status', 'SUCCESS')}--${boundary}--\r\n`,
			],
			[
				'JSON in a multipart field',
				{ 'content-type': `multipart/form-data; boundary=${boundary}` },
				(taskId) => `${part('data', json(taskId))}--${boundary}--\r\n`,
			],
			['a list', { 'content-type': 'application/json' }, (taskId) => `[${json(taskId)}]`],
			[
				'XML',
				{ 'content-type': 'application/xml' },
				(taskId) => `<r><data><taskId>${taskId}</taskId></data></r>`,
			],
		])(
			'that is %s starts the trigger once, and n8n’s database remembers it',
			async (_, headers, write) => {
				const { sandbox } = world();
				sandbox.speed = 0.001;
				const workflow = await saveTrigger();
				const [taskId] = jsonAt(
					await runScene({
						parameters: { operation: 'generate', callbackUrl: workflow.productionUrl },
					}),
					NEXT,
				).map(({ task_id: id }) => String(id));
				sandbox.callbacks.planFor(taskId, { never: true });
				sandbox.finish(taskId);
				const url = callbackUrlOf(taskId);
				const data = Buffer.from(write(taskId));
				// axios would name a content type of its own.
				const sent = { 'content-type': false, ...headers };
				const post = async () =>
					(
						await axios.post(url, data, {
							headers: sent,
							validateStatus: () => true,
							proxy: false,
						})
					).status;
				expect(await post()).toBe(200);
				expect(await post()).toBe(200);
				const runs = await runsOf(workflow.id, 1);
				expect(startedWith(runs)).toMatchObject([{ task_id: taskId, succeeded: true }]);
				const { staticData } = Object(await world().api.getWorkflow(workflow.id));
				expect(JSON.stringify(staticData)).toContain(`${taskId}:succeeded`);
			},
		);

		it('without an id is refused, and n8n’s log shows its form', async () => {
			const workflow = await saveTrigger();
			const execution = await runScene({
				parameters: { operation: 'generate', callbackUrl: workflow.productionUrl },
			});
			const [{ task_id: taskId }] = jsonAt(execution, NEXT);
			const url = callbackUrlOf(String(taskId));
			expect(await call(url, { event: 'done', detail: { note: 'private words' } })).toBe(400);
			await until('logged', () =>
				world().n8n.log().includes('{ event: string, detail: { note: string } }'),
			);
			expect(world().n8n.log()).not.toContain('private words');
		});
	});

	it('pauses not with a key that comes from the item, and nothing is paid', async () => {
		const { sandbox, api } = world();
		const { id } = await api.createCredential({
			name: 'A key of the item',
			type: CREDENTIAL_TYPE,
			data: {
				apiKey: `={{ "${sandbox.apiKey.slice(0, -4)}" + $json.end }}`,
				baseUrl: sandbox.baseUrl,
			},
		});
		const { message, description } = readError(
			await runScene({
				parameters: PAUSE,
				rows: [{ end: sandbox.apiKey.slice(-4) }],
				credentialId: id,
			}),
		);
		expect(message).toContain('Pause Until Callback needs one account for all items');
		expect(description).toContain('No credits were spent.');
		expect(sandbox.ledger.posts()).toEqual([]);
	});

	it('waits for the video of a success that has none yet, in the run that its callback has started', async () => {
		const { sandbox } = world();
		sandbox.speed = 0.001;
		const workflow = await saveTrigger();
		const execution = await runScene({
			parameters: { operation: 'generate', callbackUrl: workflow.productionUrl },
		});
		const taskId = String(jsonAt(execution, NEXT)[0].task_id);
		sandbox.faults.on('status', { kind: 'no-video', response: 'empty' }, { times: 12 });
		await finish(taskId);
		const [run, ...others] = await runsOf(workflow.id, 1, 60_000);
		expect(others).toEqual([]);
		expect(startedWith([run])).toMatchObject([{ task_id: taskId, succeeded: true }]);
	}, 90_000);
}
