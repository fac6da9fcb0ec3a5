/**
 * What the queue suites share: one n8n in queue mode with the packed package in every process, one sandbox, and short
 * ways to run a workflow and to see which process did what.
 */
import type { IConnections, IDataObject, INode, INodeParameters } from 'n8n-workflow';
import { setTimeout as sleep } from 'node:timers/promises';

import { startSandbox, type Sandbox } from '../sandbox/server.cjs';
import {
	itemsOf,
	startQueue,
	type Execution,
	type N8nClient,
	type N8nQueue,
	type QueueProcess,
	type SavedCredential,
} from '../support/n8n/queue.cjs';

export const PACKAGE = 'n8n-nodes-seedance';
export const NODE_TYPE = `${PACKAGE}.seedance`;
export const CREDENTIAL_TYPE = 'seedanceApi';

/** The name of the node that every workflow here begins with. */
export const START = 'When clicking ‘Execute workflow’';

/** Virtual seconds per real second: a task of 50 to 105 s ends within a tenth of a second. */
const SPEED = 1000;

/** Bytes of each video. */
const VIDEO_BYTES = 5_000;

/** Two of each: what one has in its memory, the other does not know. */
const WORKERS = 2;
const WEBHOOKS = 2;

/**
 * How soon n8n sees that a worker is gone, in milliseconds: it holds a lock on its execution, and the others look for
 * locks that have run out. n8n's own values, 60, 10 and 30 s, would make one test last for two minutes.
 */
const STALLED = {
	QUEUE_WORKER_LOCK_DURATION: '10000',
	QUEUE_WORKER_LOCK_RENEW_TIME: '2000',
	QUEUE_WORKER_STALLED_INTERVAL: '3000',
};

let starting: Promise<void> | undefined;
const interruption = new AbortController();
let queue: N8nQueue | undefined;
let sandbox: Sandbox | undefined;
let credential: SavedCredential | undefined;

/** Starts everything and saves a credential for the sandbox's main account. */
export async function startWorld(): Promise<void> {
	starting = start();
	await starting;
}

async function start(): Promise<void> {
	const packages = process.env.SEEDANCE_TARBALL;
	if (!packages) throw new Error('There is no packed package here: run `npm run test:queue`.');
	sandbox = await startSandbox();
	queue = await startQueue({
		packages,
		workers: WORKERS,
		webhooks: WEBHOOKS,
		env: STALLED,
		signal: interruption.signal,
	});
	credential = await queue.api.createCredential({
		name: 'Seedance account',
		type: CREDENTIAL_TYPE,
		data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl },
	});
}

/** Stops what was started, however far the start came; one that still goes on ends here. */
export async function stopWorld(): Promise<void> {
	interruption.abort();
	await starting?.catch(() => undefined);
	await Promise.allSettled([queue?.stop(), sandbox?.close()]);
}

/** The sandbox as a test expects to find it: no tasks, no faults, empty books. */
export function tidyWorld(): void {
	const { sandbox: api } = world();
	api.reset();
	api.speed = SPEED;
	api.videoBytes = VIDEO_BYTES;
	api.callbacks.plan = { ...api.callbacks.plan, never: false };
}

export interface World {
	queue: N8nQueue;
	api: N8nClient;
	sandbox: Sandbox;
	credential: SavedCredential;
}

/** Throws before `startWorld()` has succeeded. */
export function world(): World {
	if (!queue || !sandbox || !credential) throw new Error('n8n and the sandbox do not run');
	return { queue, api: queue.api, sandbox, credential };
}

/** One node of a workflow; each takes its items from the one before. */
export interface Step {
	name: string;
	/** By default the Seedance node's. A node of the package gets the right credential. */
	type?: string;
	typeVersion?: number;
	parameters?: INodeParameters;
	/** For a node that n8n calls from outside. */
	webhookId?: string;
	/** The Seedance node gets the right ones by itself. */
	credentials?: INode['credentials'];
}

/** A Seedance node that makes a cheap and short video, or looks at one often. */
export function seedance(name: string, parameters: INodeParameters): Step {
	const { operation } = parameters;
	const request = { prompt: '={{ $json.prompt }}', resolution: '480p', duration: '4' };
	const wait = { downloadVideo: false, options: { pollInterval: 1 } };
	return {
		name,
		parameters: {
			resource: 'video',
			...(operation !== 'wait' && request),
			...(operation !== 'generate' && wait),
			...parameters,
		},
	};
}

/**
 * Saves a workflow of steps in a row.
 *
 * @param trigger what begins it; by default a person, who gives one prompt
 */
export async function saveWorkflow(steps: Step[], trigger = byHand()): Promise<string> {
	const { api, credential: account } = world();
	const all = [trigger.step, ...steps];
	const connections: IConnections = {};
	all.slice(1).forEach(({ name }, index) => {
		connections[all[index].name] = { main: [[{ node: name, type: 'main', index: 0 }]] };
	});
	const { id } = await api.createWorkflow({
		name: all.map(({ name }) => name).join(', '),
		nodes: all.map(
			({ type = NODE_TYPE, ...step }, column): INode => ({
				id: `queue-node-${column}`,
				type,
				typeVersion: 1,
				position: [column * 220, 0],
				parameters: {},
				...(type.startsWith(`${PACKAGE}.`) && {
					credentials: { [CREDENTIAL_TYPE]: { id: account.id, name: account.name } },
				}),
				...step,
			}),
		),
		connections,
		pinData: trigger.pinData,
		settings: { executionOrder: 'v1' },
	});
	return id;
}

function byHand(prompt = 'A paper boat'): { step: Step; pinData?: IDataObject } {
	return {
		step: { name: START, type: 'n8n-nodes-base.manualTrigger' },
		pinData: { [START]: [{ json: { prompt } }] },
	};
}

/** Begins a workflow as "Execute workflow" does; gives the execution's id. */
export async function startSteps(steps: Step[], prompt?: string): Promise<string> {
	return await world().api.runWorkflow(await saveWorkflow(steps, byHand(prompt)));
}

/** Runs a workflow to its end. */
export async function runSteps(steps: Step[], prompt?: string): Promise<Execution> {
	return await endOf(await startSteps(steps, prompt));
}

export async function endOf(executionId: string, timeoutMs = 30_000): Promise<Execution> {
	return await world().api.waitForExecution(executionId, { timeoutMs });
}

/** The worker that has taken this execution, once one has. */
export async function workerOf(executionId: string): Promise<QueueProcess> {
	const { workers } = world().queue;
	const took = (worker: QueueProcess) =>
		worker.log().includes(`Worker started execution ${executionId} (`);
	await until(`a worker takes execution ${executionId}`, () => workers.some(took));
	const [worker, ...others] = workers.filter(took);
	if (others.length > 0) throw new Error(`Several workers took execution ${executionId}`);
	return worker;
}

/** The json of the items that a node put out. */
export function jsonOf(execution: Execution, name: string): IDataObject[] {
	return itemsOf(execution, name).map(({ json }) => json);
}

/** Looks again and again until something holds; throws after `timeoutMs`. */
export async function until(
	what: string,
	holds: () => boolean | Promise<boolean>,
	timeoutMs = 15_000,
): Promise<void> {
	for (const end = Date.now() + timeoutMs; !(await holds()); await sleep(50)) {
		if (Date.now() > end) throw new Error(`Still not so after ${timeoutMs} ms: ${what}`);
	}
}
