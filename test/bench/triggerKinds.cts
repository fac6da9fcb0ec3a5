/**
 * The kinds of delivery that `npm run bench:trigger` measures: the workflows that they go to, what is sent, and what has
 * to come of it.
 */
import axios from 'axios';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { INode, INodeParameters } from 'n8n-workflow';

import { signedCallbackUrl } from '../../nodes/shared/callback/signature';
import { isRecord, type Sandbox } from '../sandbox/server.cjs';
import type { N8nServer } from '../support/n8n/server.cjs';
import { startTaskAt } from '../support/tasks.cjs';
import { atOnce, BenchError } from './report.cjs';

/** The folder that n8n has to load for the trigger that does nothing. */
export const BARE_TRIGGER = join(__dirname, 'bareTrigger');

const BARE_ACCEPTED = 'A trigger that does nothing: accepts';
const BARE_REFUSED = 'A trigger that does nothing: refuses';

/** Tasks that are made at the same time, before a round. */
const MAKE_AT_ONCE = 20;

export interface Delivery {
	url: string;
	/** JSON: the envelope of `GET /status`, as the API posts it. */
	body: string;
}

/** One kind of delivery. */
export interface Kind {
	name: string;
	/** Times the rate of the Webhook node that it has to reach. */
	mark?: number;
	/** The kind that shows the least that n8n lets this one cost. */
	least?: string;
	workflowId: string;
	/** The status that every answer must have. */
	status: number;
	startsRuns: boolean;
	/** Whether each one reads its task at the API. */
	reads: boolean;
	/** Makes the deliveries of a round before its clock starts. */
	make: (count: number) => Promise<Delivery[]> | Delivery[];
}

/** Publishes the workflows and says what is delivered to them. The first kind is what the others are compared with. */
export async function prepareKinds(n8n: N8nServer, sandbox: Sandbox): Promise<Kind[]> {
	const [someBody] = await endedTasks(sandbox, 1);
	const repeat = (count: number, url: (row: number) => string): Delivery[] =>
		Array.from({ length: count }, (_, row) => ({ url: url(row), body: someBody }));

	const seedance = await n8n.api.createCredential({
		name: 'Seedance account',
		type: 'seedanceApi',
		data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl },
	});
	const trigger = await publish(n8n, {
		type: 'n8n-nodes-seedance.seedanceTrigger',
		typeVersion: 1,
		credentials: { seedanceApi: { id: seedance.id, name: seedance.name } },
	});
	const signed = (apiKey: string, row: number) => {
		const url = signedCallbackUrl(trigger.url, [{ name: 'row', value: row }], apiKey, 'loopback');
		if (!url.ok || !url.value) throw new BenchError('The URL of the trigger cannot be signed.');
		return url.value;
	};
	let delivered: Delivery[] = [];

	// As the editor makes it: the newest version, answering immediately.
	const webhookNode = { type: 'n8n-nodes-base.webhook', typeVersion: 2.1 };
	const webhook = await publish(n8n, webhookNode, {});
	const header = await n8n.api.createCredential({
		name: 'A header',
		type: 'httpHeaderAuth',
		data: { name: 'x-key', value: 'what the benchmark does not send' },
	});
	const guarded = await publish(
		n8n,
		{ ...webhookNode, credentials: { httpHeaderAuth: { id: header.id, name: header.name } } },
		{ authentication: 'headerAuth' },
	);
	const bare = { type: 'CUSTOM.bareTrigger', typeVersion: 1 };
	const bareAccepting = await publish(n8n, bare, { refuse: false });
	const bareRefusing = await publish(n8n, bare, { refuse: true });

	const accepted = { status: 200, startsRuns: true, reads: false };
	const refused = { status: 401, startsRuns: false, reads: false };
	return [
		{
			...accepted,
			name: "n8n's Webhook node: accepted",
			workflowId: webhook.id,
			make: (count) => repeat(count, () => webhook.url),
		},
		{
			...accepted,
			name: 'Seedance Trigger: accepted, a new video each',
			mark: 0.5,
			least: BARE_ACCEPTED,
			reads: true,
			workflowId: trigger.id,
			make: async (count) => {
				const bodies = await endedTasks(sandbox, count);
				delivered = bodies.map((body, row) => ({ url: signed(sandbox.apiKey, row), body }));
				return delivered;
			},
		},
		{
			...refused,
			name: 'Seedance Trigger: refused, wrong signature',
			mark: 2,
			least: BARE_REFUSED,
			workflowId: trigger.id,
			make: (count) => repeat(count, (row) => signed('sk-of-somebody-else', row)),
		},
		{
			...refused,
			name: 'Seedance Trigger: refused, none or malformed',
			mark: 2,
			least: BARE_REFUSED,
			workflowId: trigger.id,
			make: (count) =>
				repeat(count, (row) => (row % 2 ? trigger.url : signed(sandbox.apiKey, row).slice(0, -1))),
		},
		{
			...refused,
			name: 'Seedance Trigger: repeated, starts no run',
			least: BARE_REFUSED,
			status: 200,
			reads: true,
			workflowId: trigger.id,
			make: (count) =>
				Array.from({ length: count }, (_, index) => delivered[index % delivered.length]),
		},
		{
			...accepted,
			name: BARE_ACCEPTED,
			workflowId: bareAccepting.id,
			make: (count) => repeat(count, () => bareAccepting.url),
		},
		{
			...refused,
			name: BARE_REFUSED,
			workflowId: bareRefusing.id,
			make: (count) => repeat(count, () => bareRefusing.url),
		},
		{
			...refused,
			name: "n8n's Webhook node: refused, Header Auth",
			status: 403,
			workflowId: guarded.id,
			make: (count) => repeat(count, () => guarded.url),
		},
	];
}

/** Saves and publishes `trigger → No Operation`, with n8n's defaults for what is kept of its runs. */
async function publish(
	n8n: N8nServer,
	trigger: Pick<INode, 'type' | 'typeVersion' | 'credentials'>,
	parameters: INodeParameters = {},
): Promise<{ id: string; url: string }> {
	const webhookId = randomUUID();
	// n8n's own node names its path itself, the others get theirs from their id.
	const isOwn = trigger.type === 'n8n-nodes-base.webhook';
	const ownParameters = { httpMethod: 'POST', path: webhookId, options: {} };
	const node = (name: string, position: [number, number]) => ({ id: randomUUID(), name, position });
	const { id } = await n8n.api.createWorkflow({
		name: trigger.type,
		nodes: [
			{
				...node('Start', [0, 0]),
				...trigger,
				webhookId,
				parameters: isOwn ? { ...ownParameters, ...parameters } : parameters,
			},
			{ ...node('Next', [220, 0]), type: 'n8n-nodes-base.noOp', typeVersion: 1, parameters: {} },
		],
		connections: { Start: { main: [[{ node: 'Next', type: 'main', index: 0 }]] } },
		settings: { executionOrder: 'v1' },
	});
	await n8n.api.activateWorkflow(id);
	return { id, url: `${n8n.baseUrl}/webhook/${webhookId}${isOwn ? '' : '/webhook'}` };
}

/** Has so many videos made over the API; gives what it tells of each of them at its end. */
async function endedTasks(sandbox: Sandbox, count: number): Promise<string[]> {
	const api = axios.create({
		baseURL: sandbox.baseUrl,
		headers: { authorization: `Bearer ${sandbox.apiKey}` },
		proxy: false,
	});
	return await atOnce(MAKE_AT_ONCE, count, async () => {
		const taskId = await startTaskAt(sandbox);
		for (;;) {
			const told = await api.get<unknown>('/status', { params: { task_id: taskId } });
			const task = isRecord(told.data) ? told.data.data : undefined;
			if (isRecord(task) && task.status === 'SUCCESS') return JSON.stringify(told.data);
		}
	});
}
