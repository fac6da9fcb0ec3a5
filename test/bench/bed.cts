/**
 * Where the rows of `npm run bench` are measured: a sandbox, a real n8n with the packed package, and the workflows that do
 * the same work with our node and with what a user would otherwise build by hand.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IConnections, INode, INodeParameters } from 'n8n-workflow';

import { startSandbox, type Sandbox, type SandboxOptions } from '../sandbox/server.cjs';
import { startN8n, type Execution, type N8nServer } from '../support/n8n/server.cjs';
import { startTaskAt } from '../support/tasks.cjs';
import { BenchError, cpuMsOf } from './report.cjs';

/** Seconds that the hand-built loop waits between two looks: as long as our node does at most. */
export const LOOP_WAIT_SECONDS = 15;

/** Milliseconds between two looks at what n8n has come to; each costs it a little. */
const LOOK_EVERY_MS = 500;

/** A published workflow that is started by a webhook. */
export interface Flow {
	id: string;
	/** Starts it with these rows, one item each. */
	start: (rows: ReadonlyArray<Record<string, unknown>>) => Promise<void>;
	/** Executions that have ended or stand in this state, of all times. */
	count: (status?: readonly string[]) => Promise<number>;
}

export interface Bed {
	readonly n8n: N8nServer;
	readonly sandbox: Sandbox;
	readonly credentials: BedCredentials;
	/** Publishes `Webhook → Split Out → …nodes`. `wires` are the connections of nodes that lead elsewhere: from, output, to. */
	publish: (
		name: string,
		nodes: readonly FlowNode[],
		wires?: ReadonlyArray<[string, number, string]>,
	) => Promise<Flow>;
	/** Starts a task outside of n8n, and gives its id. */
	newTask: (prompt: string) => Promise<string>;
	/** Waits until it holds; throws BenchError after `maxMs` milliseconds. */
	until: (what: string, holds: () => Promise<boolean>, maxMs: number) => Promise<void>;
	/** The newest id of an execution: a mark for {@link executionsSince}. */
	newestExecution: () => Promise<number>;
	/** The executions after that mark, whole. */
	executionsSince: (mark: number, flow: Flow) => Promise<Execution[]>;
	/** Resident megabytes of n8n's process, and the most since {@link forgetPeak}. */
	memoryMb: () => { now: number; peak: number };
	forgetPeak: () => void;
	/** Milliseconds of processor time that n8n has used. */
	cpuMs: () => number;
	stop: () => Promise<void>;
}

/** A node of a flow, as far as it is not like the others. */
export type FlowNode = Pick<INode, 'name' | 'type' | 'typeVersion' | 'parameters'> &
	Partial<Pick<INode, 'credentials' | 'onError'>>;

/** Credentials that a bed has, by what a node calls them. */
export interface BedCredentials {
	seedanceApi: NonNullable<INode['credentials']>;
	httpHeaderAuth: NonNullable<INode['credentials']>;
}

/**
 * Starts n8n and the sandbox. A task takes as long as its prompt says at its end ("… 75 s"), and without that for ever.
 *
 * @throws BenchError, or what starting throws
 */
export async function startBed(
	packages: string,
	signal: AbortSignal,
	options: SandboxOptions = {},
): Promise<Bed> {
	const sandbox = await startSandbox({
		credits: 1e9,
		taskSeconds: ({ prompt }) => Number(/([\d.]+) s$/.exec(prompt)?.[1] ?? Infinity),
		...options,
	});
	let n8n: N8nServer;
	try {
		n8n = await startN8n({ packages, signal });
	} catch (error) {
		await sandbox.close();
		throw error;
	}
	const credential = async (type: string, data: Record<string, string>) => {
		const { id, name } = await n8n.api.createCredential({ name: `For ${type}`, type, data });
		return { [type]: { id, name } };
	};
	const procOf = (file: string) => `/proc/${n8n.pid}/${file}`;
	const bed: Bed = {
		n8n,
		sandbox,
		credentials: {
			seedanceApi: await credential('seedanceApi', {
				apiKey: sandbox.apiKey,
				baseUrl: sandbox.baseUrl,
			}),
			// As users build it: the key in a header.
			httpHeaderAuth: await credential('httpHeaderAuth', {
				name: 'Authorization',
				value: `Bearer ${sandbox.apiKey}`,
			}),
		},
		publish: async (name, nodes, wires = []) => {
			const path = randomUUID();
			const { id } = await n8n.api.createWorkflow(flowOf(name, path, nodes, wires));
			await n8n.api.activateWorkflow(id);
			return {
				id,
				start: async (rows) => {
					const { status } = await n8n.api.callWebhook('POST', path, { body: { rows } });
					if (status !== 200) {
						throw new BenchError(`n8n answered ${status} instead of starting "${name}".`);
					}
				},
				count: async (status) => await n8n.api.countExecutions(id, status),
			};
		},
		newTask: async (prompt) => await startTaskAt(sandbox, { prompt }),
		until: async (what, holds, maxMs) => {
			for (const end = Date.now() + maxMs; !(await holds()); ) {
				if (Date.now() > end) {
					throw new BenchError(`Still not so after ${Math.round(maxMs / 1000)} s: ${what}.`);
				}
				await sleep(LOOK_EVERY_MS, undefined, { signal });
			}
		},
		newestExecution: async () => Number((await n8n.api.listExecutions())[0]?.id ?? 0),
		executionsSince: async (mark, flow) => {
			const newest = await bed.newestExecution();
			const found: Execution[] = [];
			for (let id = mark + 1; id <= newest; id++) {
				signal.throwIfAborted();
				const execution = await n8n.api.getExecution(String(id));
				if (execution.workflowId === flow.id) found.push(execution);
			}
			return found;
		},
		memoryMb: () => {
			if (!existsSync(procOf('status'))) {
				throw new BenchError('This system does not tell the memory of a process.');
			}
			const status = readFileSync(procOf('status'), 'utf8');
			const megabytes = (name: string) =>
				Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
			return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
		},
		// 5 sets the kernel's peak back to what is resident now.
		forgetPeak: () => writeFileSync(procOf('clear_refs'), '5'),
		cpuMs: () => cpuMsOf(n8n.pid),
		stop: async () => {
			await Promise.allSettled([n8n.stop(), sandbox.close()]);
		},
	};
	return bed;
}

/** `Webhook → Split Out → …nodes`, each connected to the next one unless `wires` says where it leads. */
function flowOf(
	name: string,
	path: string,
	nodes: readonly FlowNode[],
	wires: ReadonlyArray<[string, number, string]>,
) {
	const all: INode[] = [
		{
			name: 'Webhook',
			type: 'n8n-nodes-base.webhook',
			typeVersion: 2,
			webhookId: path,
			parameters: { httpMethod: 'POST', path },
		},
		{
			name: 'Rows',
			type: 'n8n-nodes-base.splitOut',
			typeVersion: 1,
			parameters: { fieldToSplitOut: 'body.rows', options: {} },
		},
		...nodes,
	].map((node, index) => ({ id: randomUUID(), position: [index * 200, 0], ...node }));
	const connections: IConnections = {};
	const wire = (from: string, output: number, to: string) => {
		const outputs = ((connections[from] ??= { main: [] }).main ??= []);
		while (outputs.length <= output) outputs.push([]);
		outputs[output]?.push({ node: to, type: 'main', index: 0 });
	};
	const wired = new Set(wires.map(([from]) => from));
	for (const [index, { name: to }] of all.slice(1).entries()) {
		if (!wired.has(all[index].name)) wire(all[index].name, 0, to);
	}
	for (const [from, output, to] of wires) wire(from, output, to);
	return { name, nodes: all, connections, settings: { executionOrder: 'v1' as const } };
}

// ---- what does the work ------------------------------------------------------------------------------------------

/** Our node with these parameters; the prompt is each row's own. */
export function seedanceNode(
	{ credentials }: Bed,
	operation: string,
	parameters: INodeParameters = {},
): FlowNode {
	return {
		name: 'Seedance',
		type: 'n8n-nodes-seedance.seedance',
		typeVersion: 1,
		credentials: credentials.seedanceApi,
		parameters: { resource: 'video', operation, prompt: '={{ $json.prompt }}', ...parameters },
	};
}

const httpRequest = (name: string, parameters: INodeParameters): FlowNode => ({
	name,
	type: 'n8n-nodes-base.httpRequest',
	typeVersion: 4.2,
	parameters: { options: {}, ...parameters },
});

/** With the API key in a header. */
const signedIn = ({ credentials }: Bed, { parameters, ...node }: FlowNode): FlowNode => ({
	...node,
	credentials: credentials.httpHeaderAuth,
	parameters: {
		authentication: 'genericCredentialType',
		genericAuthType: 'httpHeaderAuth',
		...parameters,
	},
});

/** The POST as a user builds it with an HTTP Request node. */
export function httpCreate(bed: Bed, options: INodeParameters = {}): FlowNode {
	const create = httpRequest('Create', {
		method: 'POST',
		url: `${bed.sandbox.baseUrl}/generate`,
		sendBody: true,
		specifyBody: 'json',
		jsonBody:
			'={{ JSON.stringify({ prompt: $json.prompt, aspect_ratio: "9:16", resolution: "720p", duration: "8" }) }}',
		options,
	});
	return signedIn(bed, create);
}

/** A download as a user builds it with an HTTP Request node; each row has its `url`. */
export function httpDownload(): FlowNode {
	return httpRequest('Download', {
		url: '={{ $json.url }}',
		options: { response: { response: { responseFormat: 'file' } } },
	});
}

/** The loop of nodes that waits for all rows together: the best of what users build. Give both to `publish`. */
export function handBuiltLoop(
	bed: Bed,
	waitSeconds = LOOP_WAIT_SECONDS,
): { nodes: FlowNode[]; wires: Array<[string, number, string]> } {
	const look = httpRequest('Look', {
		url: `=${bed.sandbox.baseUrl}/status?task_id={{ $json.data.task_id }}`,
	});
	return {
		nodes: [
			httpCreate(bed),
			{
				name: 'Wait',
				type: 'n8n-nodes-base.wait',
				typeVersion: 1.1,
				parameters: { amount: waitSeconds, unit: 'seconds' },
			},
			signedIn(bed, look),
			{
				name: 'Still running?',
				type: 'n8n-nodes-base.if',
				typeVersion: 2.2,
				parameters: {
					conditions: {
						options: { version: 2, caseSensitive: true, typeValidation: 'strict' },
						combinator: 'and',
						conditions: [
							{
								id: 'running',
								leftValue: '={{ $json.data.status }}',
								rightValue: 'IN_PROGRESS',
								operator: { type: 'string', operation: 'equals' },
							},
						],
					},
				},
			},
			{ name: 'Done', type: 'n8n-nodes-base.noOp', typeVersion: 1, parameters: {} },
		],
		wires: [
			['Still running?', 0, 'Wait'],
			['Still running?', 1, 'Done'],
		],
	};
}
