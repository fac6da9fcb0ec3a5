// The list of videos in n8n's own Data Table: paid once across executions, in a real n8n.
import { randomUUID } from 'node:crypto';
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import type { Execution } from '../support/n8n/server.cjs';
import {
	api,
	BY_HAND,
	CONTINUE,
	crash,
	deliver,
	endOf,
	output,
	posts,
	run,
	runsOf,
	sandbox,
	saveChain,
	seedance,
	startWorkflow,
	THEN,
	videos,
} from '../support/n8n/world.cjs';

const TABLE = 'Seedance Videos';

interface Table {
	id: string;
	name: string;
	projectId: string;
}

async function tables(): Promise<Table[]> {
	const path = '/data-tables-global?take=100';
	return (await api.call<{ data: Table[] }>('GET', path)).data;
}

async function rows(): Promise<IDataObject[]> {
	const table = (await tables()).find(({ name }) => name === TABLE);
	if (!table) return [];
	const path = `/projects/${table.projectId}/data-tables/${table.id}/rows?take=100&sortBy=createdAt:desc`;
	return (await api.call<{ data: IDataObject[] }>('GET', path)).data;
}

let count = 0;
const unique = () => `A boat, number ${++count}`;

type Given = Array<IDataObject | string>;

/** A workflow that is run by hand, again and again. */
async function byHand(parameters: INodeParameters = {}, rows: Given = [unique()], node = {}) {
	return await saveChain([BY_HAND, seedance(parameters, node), THEN], { rows });
}

async function runAgain(workflowId: string, timeoutMs?: number): Promise<Execution> {
	return await endOf(await startWorkflow(workflowId), timeoutMs);
}

/** A published workflow that each call of its address starts. */
async function published(parameters: INodeParameters = {}, node = {}) {
	const path = randomUUID();
	const webhook = { path, httpMethod: 'POST', responseMode: 'onReceived' };
	const id = await saveChain([
		{ name: 'Webhook', type: 'n8n-nodes-base.webhook', parameters: webhook, webhookId: path },
		seedance({ prompt: '={{ $json.body.prompt }}', ...parameters }, node),
		THEN,
	]);
	await api.activateWorkflow(id);
	return {
		id,
		call: async (body: IDataObject) => await deliver(`${api.baseUrl}/webhook/${path}`, body),
	};
}

/** Time passes for a claim: what a crashed run held is free. */
async function claimsRunOut(): Promise<void> {
	const { id, projectId } = (await tables()).find(({ name }) => name === TABLE) ?? fail();
	await api.call('PATCH', `/projects/${projectId}/data-tables/${id}/rows`, {
		filter: { type: 'and', filters: [{ columnName: 'claim', condition: 'neq', value: '' }] },
		data: { claimed_until: new Date(0).toISOString() },
	});
}

const fail = (): never => {
	throw new Error(`There is no Data Table ${TABLE}`);
};

const taskIdsOf = (execution: Execution) => output(execution).map(({ task_id }) => task_id);

/** Stops an execution that waits for its videos. */
async function stopped(workflowId: string, waiting = 1): Promise<string> {
	videos.hold();
	const id = await startWorkflow(workflowId);
	await sandbox.ledger.until(() => sandbox.ledger.statusReads().length >= waiting, 20_000);
	await api.stopExecution(id);
	expect((await endOf(id)).status).toBe('canceled');
	sandbox.speed = 1000;
	return id;
}

describe('the list of videos', () => {
	it('gives a video again in a second run by hand, free, and pays when the prompt differs', async () => {
		const prompt = unique();
		const workflow = await byHand({}, [prompt]);
		const [first] = output(await runAgain(workflow));
		expect(first).toMatchObject({ reused: false, succeeded: true });
		expect(output(await runAgain(workflow))).toMatchObject([
			{ task_id: first.task_id, reused: true, video_url: first.video_url },
		]);
		expect(posts()).toHaveLength(1);
		expect(await rows()).toContainEqual(
			expect.objectContaining({
				task_id: first.task_id,
				status: 'SUCCESS',
				handed_on: true,
				prompt,
				mode: 'manual',
				charged: 'yes',
				credits: first.consumed_credits,
				claim: '',
			}),
		);
	});

	it('goes on after Stop with the same video, whose ID Get Many finds', async () => {
		const workflow = await byHand();
		const id = await stopped(workflow);
		const [taskId] = videos.paidIds();
		const filters = { notHandedOn: true, includeManual: true };
		const found = await run({ operation: 'getAll', returnAll: true, filters });
		expect(output(found)).toContainEqual(
			expect.objectContaining({ task_id: taskId, execution_id: id, handed_on: false }),
		);
		expect(output(await runAgain(workflow))).toMatchObject([
			{ task_id: taskId, succeeded: true, reused: true },
		]);
		expect(posts()).toHaveLength(1);
		const after = output(await run({ operation: 'getAll', returnAll: true, filters }));
		expect(after.map(({ task_id }) => task_id)).not.toContain(taskId);
	});

	it('goes on after a crash during the wait with the same video', async () => {
		const workflow = await byHand();
		videos.hold();
		await startWorkflow(workflow);
		await sandbox.ledger.until(() => sandbox.ledger.statusReads().length > 0);
		await crash();
		sandbox.speed = 1000;
		// The claim of the dead process is waited for, a minute and a half at most.
		const again = await runAgain(workflow, 150_000);
		expect(output(again)).toMatchObject([{ task_id: videos.paidIds()[0], succeeded: true }]);
		expect(posts()).toHaveLength(1);
	}, 240_000);

	it.each([1, 25, 49])(
		'of 50 rows, killed between request %i and its response, reports one once and pays for each other once',
		async (k) => {
			const prompts = Array.from({ length: 50 }, unique);
			const workflow = await byHand({}, prompts, { onError: CONTINUE });
			videos.hold();
			sandbox.faults.on('generate', { kind: 'accept-then-hang', ms: 60_000 }, { nth: k });
			await startWorkflow(workflow);
			await sandbox.ledger.until(() => videos.paidIds().length === k, 60_000);
			await crash();
			sandbox.faults.reset();
			await claimsRunOut();
			sandbox.speed = 1000;
			const items = output(await runAgain(workflow, 120_000));
			const before = videos.paidIds().slice(0, k);
			expect(items.slice(0, k - 1).map(({ task_id }) => task_id)).toEqual(before.slice(0, k - 1));
			expect(items[k - 1]).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
			expect(items.filter(({ error_code }) => error_code)).toHaveLength(1);
			expect(posts()).toHaveLength(50);
			const third = output(await runAgain(workflow, 120_000));
			expect(third.map(({ succeeded }) => succeeded)).toEqual(Array(50).fill(true));
			expect(posts()).toHaveLength(51);
		},
		300_000,
	);

	it.each(['always', 'manualRuns'])(
		'pays once for ten executions at the same moment with one key (%s)',
		async (ifExists) => {
			const key = unique();
			const { id, call } = await published({ ifExists, videoKey: '={{ $json.body.key }}' });
			const prompt = unique();
			await Promise.all(Array.from({ length: 10 }, async () => await call({ prompt, key })));
			const executions = await runsOf(id, 10, 60_000);
			expect(executions.flatMap(taskIdsOf)).toEqual(Array(10).fill(videos.paidIds()[0]));
			expect(posts()).toHaveLength(1);
		},
		90_000,
	);

	it('with Skip leaves out what was handed on, and keeps a key from outside as text', async () => {
		const key = '={{ $json.body.prompt }}"; DROP TABLE x; --';
		const { id, call } = await published({ ifExists: 'skip', videoKey: '={{ $json.body.key }}' });
		for (const executions of [1, 2]) {
			await call({ prompt: unique(), key });
			await runsOf(id, executions);
		}
		const [first, second] = await runsOf(id, 2);
		expect(output(first)).toMatchObject([{ succeeded: true }]);
		expect(second.status).toBe('success');
		expect(posts()).toHaveLength(1);
		const [row, ...others] = (await rows()).filter(({ workflow }) => workflow === id);
		expect([row.video_key, others]).toEqual([key, []]);
	});

	it('starts nothing that would exceed a limit per period, of all workflows together', async () => {
		const budgetFor = unique();
		const limit = (credits: number) => ({
			options: { creditBudget: { budget: { credits, period: 'day', budgetFor } } },
		});
		const price = Number(output(await run(limit(1000)))[0].consumed_credits);
		const execution = await run(limit(2 * price), { rows: ['a', 'b'], onError: CONTINUE });
		expect(output(execution)).toMatchObject(
			Array(2).fill({ error_code: 'over_limit', charged: 'no', task_id: null }),
		);
		expect(posts()).toHaveLength(1);
		expect(output(await run(limit(2 * price)))).toMatchObject([{ succeeded: true }]);
	});

	it('records what Get Status and Wait for Video read', async () => {
		const { id } = await stopped(await byHand()).then((id) => ({ id }));
		const taskId = videos.paidIds()[0];
		await videos.allFinished();
		await run({ operation: 'wait', taskId });
		const row = (await rows()).find(({ task_id }) => task_id === taskId);
		expect(row).toMatchObject({ execution_id: id, status: 'SUCCESS', handed_on: true });
	});

	it('makes no call where it is off, and refuses what needs it', async () => {
		const before = await rows();
		const options = { videoList: false };
		const off = await byHand({ options });
		for (const runs of [1, 2]) {
			await runAgain(off);
			expect(posts()).toHaveLength(runs);
		}
		const refused = await run({ options, videoKey: 'a' }, { onError: CONTINUE });
		expect(output(refused)).toMatchObject([{ error_code: 'invalid_input', charged: 'no' }]);
		expect(await rows()).toHaveLength(before.length);
	});

	it('leaves no execution of its own behind, and no claim', async () => {
		const { id, call } = await published();
		await call({ prompt: unique() });
		await runsOf(id, 1);
		const listed = await api.listExecutions(id);
		expect(listed).toHaveLength(1);
		const own = (await rows()).filter(({ workflow }) => workflow === id);
		expect(own).toMatchObject([{ mode: 'production', claim: '', claimed_until: '' }]);
	});
});
