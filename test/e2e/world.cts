/**
 * What the end-to-end suites share: one real n8n with the packed package, one sandbox, and short ways to run a workflow
 * with the Seedance node in it and to read what came out.
 */
import type { IDataObject, INode, INodeParameters, IWorkflowSettings } from 'n8n-workflow';
import { setTimeout as sleep } from 'node:timers/promises';

import { startSandbox, type Sandbox } from '../sandbox/server.cjs';
import {
	errorOf,
	itemsOf,
	startN8n,
	type Execution,
	type N8nClient,
	type N8nServer,
	type SavedCredential,
} from '../support/n8n/server.cjs';
import { startTaskAt } from '../support/tasks.cjs';

export const NODE_TYPE = 'n8n-nodes-seedance.seedance';
export const CREDENTIAL_TYPE = 'seedanceApi';

/** A key that no account has; it is as secret as the right one. */
export const WRONG_KEY = 'sk-of-somebody-else';

/** The names of the nodes in every workflow that is run here. */
export const START = 'When clicking ‘Execute workflow’';
export const SEEDANCE = 'Seedance';
export const NEXT = 'Next';
export const ON_ERROR = 'On error';

/** Virtual seconds per real second: a task of 50 to 105 s ends within a tenth of a second. */
const SPEED = 1000;

/** Bytes of each video where a test does not look at the picture. */
const SMALL_VIDEO = 5_000;

let n8n: N8nServer | undefined;
let sandbox: Sandbox | undefined;
let credential: SavedCredential | undefined;
const executionIds: string[] = [];

/** Starts both servers, n8n in the version that SEEDANCE_N8N names, and saves a credential for the sandbox's main account. */
export async function startWorld(): Promise<void> {
	const packages = process.env.SEEDANCE_TARBALL;
	if (!packages) throw new Error('There is no packed package here: run `npm run test:e2e`.');
	sandbox = await startSandbox();
	n8n = await startN8n({ packages, version: process.env.SEEDANCE_N8N });
	credential = await n8n.api.createCredential({
		name: 'Seedance account',
		type: CREDENTIAL_TYPE,
		data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl },
	});
}

/** Stops what was started, however far the start came. */
export async function stopWorld(): Promise<void> {
	await Promise.allSettled([n8n?.stop(), sandbox?.close()]);
}

/** The sandbox as a test expects to find it: no tasks, no faults, empty books. */
export async function tidyWorld(): Promise<void> {
	const { sandbox: api } = world();
	await api.comeBack();
	api.reset();
	api.speed = SPEED;
	api.errorShape = 'string-code';
	api.videoBytes = SMALL_VIDEO;
}

export interface World {
	n8n: N8nServer;
	api: N8nClient;
	sandbox: Sandbox;
	credential: SavedCredential;
	/** Every execution that was run, for the checks at the end. */
	executionIds: readonly string[];
}

/** Throws before `startWorld()` has succeeded. */
export function world(): World {
	if (!n8n || !sandbox || !credential) throw new Error('n8n and the sandbox do not run');
	return { n8n, api: n8n.api, sandbox, credential, executionIds };
}

export interface Scene {
	/** Fields of the Seedance node; the others are those of a cheap and short video without download. */
	parameters: INodeParameters;
	/** The json of the items that the node gets; by default one, with a prompt. */
	rows?: IDataObject[];
	/** Settings of the node: On Error, Retry On Fail. */
	settings?: Partial<Pick<INode, 'onError' | 'retryOnFail' | 'maxTries' | 'waitBetweenTries'>>;
	/** A saved credential's id; by default the right one, null for a node without any. */
	credentialId?: string | null;
	workflowSettings?: IWorkflowSettings;
}

/** Saves a workflow: a start with the rows, the Seedance node, and one node for each of its outputs. */
export async function saveWorkflow(scene: Scene): Promise<string> {
	const { api, credential: usual } = world();
	const { parameters, rows = [{ prompt: 'A paper boat' }], settings = {} } = scene;
	const { credentialId = usual.id } = scene;
	const credentials =
		credentialId === null
			? undefined
			: { [CREDENTIAL_TYPE]: { id: credentialId, name: usual.name } };
	const seedance: INode = {
		...node(SEEDANCE, NODE_TYPE, 1),
		parameters: { ...usualParameters(parameters), ...parameters },
		...(credentials && { credentials }),
		...settings,
	};
	const to = (name: string) => [{ node: name, type: 'main' as const, index: 0 }];
	const { id } = await api.createWorkflow({
		name: expect.getState().currentTestName?.slice(0, 120) ?? 'Test',
		nodes: [
			node(START, 'n8n-nodes-base.manualTrigger', 0),
			seedance,
			node(NEXT, 'n8n-nodes-base.noOp', 2),
			node(ON_ERROR, 'n8n-nodes-base.noOp', 3),
		],
		connections: {
			[START]: { main: [to(SEEDANCE)] },
			[SEEDANCE]: {
				main: [to(NEXT), ...(settings.onError === 'continueErrorOutput' ? [to(ON_ERROR)] : [])],
			},
		},
		pinData: { [START]: rows.map((json) => ({ json })) },
		settings: { executionOrder: 'v1', ...scene.workflowSettings },
	});
	return id;
}

/** Runs a workflow with the Seedance node to its end, as "Execute workflow" does. */
export async function runScene(scene: Scene, timeoutMs = 30_000): Promise<Execution> {
	return await endOf(await startScene(scene), timeoutMs);
}

/** Starts it and gives the execution's id. */
export async function startScene(scene: Scene): Promise<string> {
	const id = await world().api.runWorkflow(await saveWorkflow(scene));
	executionIds.push(id);
	return id;
}

/** Notes executions that were started in another way, for the checks at the end. */
export function executed(...ids: string[]): void {
	executionIds.push(...ids);
}

export async function endOf(executionId: string, timeoutMs = 30_000): Promise<Execution> {
	return await world().api.waitForExecution(executionId, { timeoutMs });
}

/** "Retry" in the list of executions; gives the new one. */
export async function retry(executionId: string): Promise<Execution> {
	const execution = await world().api.retryExecution(executionId);
	executionIds.push(execution.id);
	return execution;
}

/** The json of the items that a node behind the Seedance node got. */
export function jsonAt(execution: Execution, name: string): IDataObject[] {
	return itemsOf(execution, name).map(({ json }) => json);
}

/** What a person reads when a workflow ends with an error: the headline, and the text below it. */
export function readError(execution: Execution): {
	message: string;
	description: string;
	context: IDataObject;
} {
	if (execution.status !== 'error') {
		throw new Error(`Execution ${execution.id} ended with "${execution.status}", not an error`);
	}
	const error = errorOf(execution);
	return {
		message: error?.message ?? '',
		description: error?.description ?? '',
		context: error?.context ?? {},
	};
}

/** Asks the sandbox for a video without n8n; gives the task's id. */
export async function startTask(prompt?: string): Promise<string> {
	return await startTaskAt(world().sandbox, prompt === undefined ? {} : { prompt });
}

/** Looks again and again until something holds; throws after `timeoutMs`. */
export async function until(what: string, holds: () => boolean, timeoutMs = 15_000): Promise<void> {
	for (const end = Date.now() + timeoutMs; !holds(); await sleep(50)) {
		if (Date.now() > end) throw new Error(`Still not so after ${timeoutMs} ms: ${what}`);
	}
}

function usualParameters({ operation }: INodeParameters): INodeParameters {
	const usual: INodeParameters = { resource: 'video' };
	if (operation === 'generate' || operation === 'generateAndWait') {
		Object.assign(usual, {
			prompt: '={{ $json.prompt }}',
			resolution: '480p',
			duration: '4',
		});
	}
	if (operation === 'generateAndWait' || operation === 'wait') {
		Object.assign(usual, { downloadVideo: false, options: { pollInterval: 1 } });
	}
	return usual;
}

function node(name: string, type: string, column: number): INode {
	return {
		id: `e2e-node-${column}`,
		name,
		type,
		typeVersion: 1,
		position: [column * 220, 0],
		parameters: {},
	};
}
