/**
 * What the suites with a real n8n share: the packed package in n8n, the sandbox as its API, and short ways to make and
 * run workflows and to read what came out.
 */
import axios from 'axios';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
	IConnections,
	IDataObject,
	INode,
	INodeParameters,
	IWorkflowSettings,
} from 'n8n-workflow';

import { startSandbox, type Outcome, type Sandbox } from '../../sandbox/server.cjs';
import { startTaskAt } from '../tasks.cjs';
import { itemsOf, type Execution, type N8nClient, type SavedCredential } from './client.cjs';
import { startN8n, type N8nServer } from './server.cjs';

const PACKAGE = 'n8n-nodes-seedance';
export const NODE_TYPE = `${PACKAGE}.seedance`;
export const TRIGGER_TYPE = `${PACKAGE}.seedanceTrigger`;
export const CREDENTIAL_TYPE = 'seedanceApi';

/** A key that no account has; it is as secret as the right one. */
export const WRONG_KEY = 'sk-of-somebody-else';

/** The names of the nodes in the workflows that are made here. */
export const START = 'When clicking ‘Execute workflow’';
export const TRIGGER = 'Seedance Trigger';
export const SEEDANCE = 'Seedance';
export const NEXT = 'Next';
export const ON_ERROR = 'On error';

export const CONTINUE = 'continueRegularOutput';
export const ERROR_OUTPUT = 'continueErrorOutput';

/** Virtual seconds per real second: a task of 50 to 105 s ends within a tenth of a second. */
const SPEED = 1000;

/** Bytes of each video where a test does not need the picture. */
const SMALL_VIDEO = 5_000;

/** Milliseconds. The first start of n8n makes its database; in queue mode two starts come one after the other. */
const START_TIMEOUT = 420_000;

/** The server; in queue mode there is none, and each suite uses its processes. */
export let n8n: N8nServer;
export let api: N8nClient;
export let sandbox: Sandbox;
/** Of the sandbox's main account. */
export let credential: SavedCredential;
/** Every execution that was run, for the checks at the end. */
export const executionIds: string[] = [];

interface Started {
	api: N8nClient;
	stop: () => Promise<void>;
}

/** More environment variables for n8n, asked for before it starts. */
type Environment = () => Promise<Record<string, string>>;

async function startServer(
	packages: string,
	signal: AbortSignal,
	environment: Environment,
): Promise<Started> {
	const customExtensions = join(__dirname, '..', 'listNode');
	const version = process.env.SEEDANCE_N8N;
	n8n = await startN8n({ packages, version, customExtensions, signal, env: await environment() });
	return n8n;
}

/**
 * Registers the hooks that start n8n and the sandbox for a test file, and give each test a sandbox without tasks and
 * faults. No test may break the contract of the API, or let the key go anywhere else.
 */
export function useN8n(start = startServer, environment: Environment = async () => ({})): void {
	const interruption = new AbortController();
	let starting: Promise<Started> | undefined;

	beforeAll(async () => {
		const packages = process.env.SEEDANCE_TARBALL;
		if (!packages) throw new Error('There is no packed package: start this suite with npm run.');
		sandbox = await startSandbox();
		starting = start(packages, interruption.signal, environment);
		({ api } = await starting);
		const data = { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl };
		credential = await api.createCredential({
			name: 'Seedance account',
			type: CREDENTIAL_TYPE,
			data,
		});
	}, START_TIMEOUT);

	afterAll(async () => {
		interruption.abort();
		const started = await starting?.catch(() => undefined);
		await Promise.allSettled([started?.stop(), sandbox?.close()]);
	}, 60_000);

	beforeEach(async () => {
		await sandbox.comeBack();
		sandbox.reset();
		sandbox.speed = SPEED;
		sandbox.errorShape = 'string-code';
		sandbox.videoBytes = SMALL_VIDEO;
	});

	afterEach(() => {
		const { apiKey, callbacks, ledger } = sandbox;
		const broken = { breaches: ledger.breaches(), leaks: ledger.keyLeaks };
		expect(broken).toEqual({ breaches: [], leaks: [] });
		const responses = JSON.stringify(callbacks.deliveries.map(({ answer }) => answer));
		expect(responses).not.toContain(apiKey);
		expect(responses).not.toMatch(/seedance_sig|signature=/);
	});
}

/** Ends n8n as a power cut does, and starts it again. */
export async function crash(): Promise<void> {
	await n8n.kill9();
	await n8n.start();
}

/** Waits until something holds; throws after `timeoutMs`. */
export async function until(
	what: string,
	holds: () => boolean | Promise<boolean>,
	timeoutMs = 15_000,
): Promise<void> {
	for (const end = Date.now() + timeoutMs; !(await holds()); await sleep(50)) {
		if (Date.now() > end) throw new Error(`Still not so after ${timeoutMs} ms: ${what}`);
	}
}

/** Waits until n8n's log says so; what it prints takes a moment to arrive. */
export async function logged(text: string): Promise<void> {
	await until(`the log says "${text}"`, () => n8n.log().includes(text));
}

/** Saves one more credential for the sandbox; gives it as a node refers to it. */
export async function saveCredential(change: IDataObject): Promise<Required<INode>['credentials']> {
	const { apiKey, baseUrl } = sandbox;
	const data = { apiKey, baseUrl, ...change };
	const name = 'Another account';
	const { id } = await api.createCredential({ name, type: CREDENTIAL_TYPE, data });
	return { [CREDENTIAL_TYPE]: { id, name } };
}

/** One node of a workflow; each takes its items from the one before. A node of this package gets the right credential. */
export type Step = Partial<INode> & Pick<INode, 'name' | 'type'>;

export const BY_HAND: Step = { name: START, type: 'n8n-nodes-base.manualTrigger' };
export const THEN: Step = { name: NEXT, type: 'n8n-nodes-base.noOp' };

/** A Seedance node that makes a cheap and short video without a file, unless the parameters say otherwise. */
export function seedance(parameters: INodeParameters = {}, node: Partial<INode> = {}): Step {
	const { operation = 'generateAndWait' } = parameters;
	const isPaid = operation === 'generate' || operation === 'generateAndWait';
	const isWaiting = operation === 'wait' || operation === 'generateAndWait';
	return {
		name: SEEDANCE,
		type: NODE_TYPE,
		...node,
		parameters: {
			resource: 'video',
			operation,
			...(isPaid && { prompt: '={{ $json.prompt }}', resolution: '480p', duration: '4' }),
			...(isWaiting && { downloadVideo: false, options: { pollInterval: 1 } }),
			...parameters,
		},
	};
}

/** The json of items; a text is a prompt. */
type Rows = ReadonlyArray<IDataObject | string>;

/** Saves a workflow of steps in a row, the first of which gives the rows; gives its id. */
export async function saveChain(
	steps: readonly Step[],
	{ rows, settings }: { rows?: Rows; settings?: IWorkflowSettings } = {},
): Promise<string> {
	const account = { [CREDENTIAL_TYPE]: { id: credential.id, name: credential.name } };
	const connections: IConnections = {};
	steps.slice(0, -1).forEach(({ name, onError }, index) => {
		const targets = [steps[index + 1].name, ...(onError === ERROR_OUTPUT ? [ON_ERROR] : [])];
		connections[name] = { main: targets.map((node) => [{ node, type: 'main', index: 0 }]) };
	});
	const isSplit = steps.some(({ onError }) => onError === ERROR_OUTPUT);
	const all = isSplit ? [...steps, { ...THEN, name: ON_ERROR }] : steps;
	const pinned = rows?.map((row) => ({ json: typeof row === 'string' ? { prompt: row } : row }));
	const { id } = await api.createWorkflow({
		name: expect.getState().currentTestName?.slice(0, 120) ?? 'Test',
		nodes: all.map((step, column) => ({
			id: randomUUID(),
			typeVersion: 1,
			position: [column * 220, 0],
			parameters: {},
			...(step.type.startsWith(PACKAGE) && { credentials: account }),
			...step,
		})),
		connections,
		// The editor saves it also where nothing is pinned: without it, a second Execute step fails in n8n.
		pinData: pinned ? { [steps[0].name]: pinned } : {},
		settings: { executionOrder: 'v1', ...settings },
	});
	return id;
}

export interface RunOptions
	extends Partial<
		Pick<INode, 'onError' | 'retryOnFail' | 'maxTries' | 'waitBetweenTries' | 'credentials'>
	> {
	/** The items that the node gets; by default one, with a prompt. */
	rows?: Rows;
	settings?: IWorkflowSettings;
	timeoutMs?: number;
}

export const RETRY_ON_FAIL = { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 };

/** Starts a workflow with the Seedance node, as "Execute workflow" does; gives the execution's id. */
export async function start(
	parameters: INodeParameters = {},
	{ rows = ['A paper boat'], settings, timeoutMs, ...node }: RunOptions = {},
): Promise<string> {
	const steps = [BY_HAND, seedance(parameters, node), THEN];
	return await startWorkflow(await saveChain(steps, { rows, settings }));
}

export async function run(
	parameters: INodeParameters = {},
	options: RunOptions = {},
): Promise<Execution> {
	return await endOf(await start(parameters, options), options.timeoutMs);
}

export async function startWorkflow(workflowId: string): Promise<string> {
	const id = await api.runWorkflow(workflowId);
	executionIds.push(id);
	return id;
}

export async function endOf(executionId: string, timeoutMs = 30_000): Promise<Execution> {
	return await api.waitForExecution(executionId, { timeoutMs });
}

/** "Retry" in the list of executions; gives the new one. */
export async function retry({ id }: Execution): Promise<Execution> {
	const execution = await api.retryExecution(id);
	executionIds.push(execution.id);
	return execution;
}

export async function untilWaiting(id: string): Promise<void> {
	const status = ['waiting', 'error', 'success'];
	const execution = await api.waitForExecution(id, { status, timeoutMs: 20_000 });
	expect(execution.status).toBe('waiting');
}

/** Runs Generate and Wait with Pause Until Callback until it is suspended; its tasks come in the order of the rows. */
export async function pause(
	rows: Rows = ['one'],
	parameters: INodeParameters = {},
	options: RunOptions = {},
): Promise<{ id: string; taskIds: string[] }> {
	videos.hold();
	const id = await start({ waitMethod: 'callback', ...parameters }, { rows, ...options });
	await untilWaiting(id);
	return { id, taskIds: videos.ids() };
}

export function output(execution: Execution, name = NEXT): IDataObject[] {
	return itemsOf(execution, name).map(({ json }) => json);
}

/** What a person reads when a workflow ends with an error: the headline, and the text below it. */
export function readError(execution: Execution) {
	const { status, error } = execution;
	if (status !== 'error') throw new Error(`The execution ended with "${status}", not an error`);
	const { message = '', description, context = {} } = error ?? {};
	return { message, description: description ?? '', context };
}

export const posts = () => sandbox.ledger.posts();

export const videos = {
	ids: () => sandbox.tasks.all().map(({ id }) => id),

	/** Those that the main account has paid for, in order. */
	paidIds: () => sandbox.ledger.charges().map(({ taskId }) => taskId),

	/** From now on a video ends only when a test says so. */
	hold(): void {
		sandbox.speed = 0.001;
	},

	start: async (prompt = 'A paper boat') => await startTaskAt(sandbox, { prompt }),

	async ready(prompt?: string): Promise<string> {
		const taskId = await videos.start(prompt);
		await until('the video is ready', () => sandbox.tasks.get(taskId)?.ended === true);
		return taskId;
	},

	async finish(taskId: string, outcome?: Outcome): Promise<void> {
		sandbox.finish(taskId, outcome);
		await sandbox.callbacks.settled();
	},

	/** Waits until all have ended, and every callback got a response. */
	async allFinished(): Promise<void> {
		await until('every video has ended', () => sandbox.tasks.all().every(({ ended }) => ended));
		await sandbox.callbacks.settled();
	},

	/** The address that the API got for a task, as it was sent. */
	callbackUrlOf(taskId: string): string {
		const url = sandbox.tasks.get(taskId)?.order.callback_url;
		if (!url) throw new Error(`Task ${taskId} has no callback URL`);
		return url;
	},
};

/** A callback for the end of a video; its link is forged. */
export const succeeded = (taskId: string) => ({
	code: 200,
	data: { task_id: taskId, status: 'SUCCESS', response: ['https://evil.example.com/other.mp4'] },
});

/** Sends something to an address as the API would. No status is an error. */
export async function deliver(
	url: string,
	body?: unknown,
	{ method = 'POST', headers }: { method?: string; headers?: Record<string, string | false> } = {},
): Promise<{ status: number; data: unknown; retryAfter: unknown }> {
	const response = await axios.request<unknown>({
		url,
		method,
		data: body,
		headers,
		validateStatus: () => true,
		proxy: false,
	});
	const { status, data, headers: received } = response;
	return { status, data, retryAfter: received['retry-after'] };
}

export interface TriggerWorkflow {
	id: string;
	/** Below `/webhook/` and `/webhook-test/`. */
	path: string;
	productionUrl: string;
	testUrl: string;
}

/** Saves `Seedance Trigger → Next`, published unless `isPublished` is false. */
export async function saveTrigger(
	parameters: INodeParameters = {},
	{ isPublished = true, ...node }: Partial<INode> & { isPublished?: boolean } = {},
): Promise<TriggerWorkflow> {
	const webhookId = randomUUID();
	const trigger = { name: TRIGGER, type: TRIGGER_TYPE, webhookId, parameters, ...node };
	const id = await saveChain([trigger, THEN]);
	if (isPublished) await api.activateWorkflow(id);
	const path = `${webhookId}/webhook`;
	return {
		id,
		path,
		productionUrl: `${api.baseUrl}/webhook/${path}`,
		testUrl: `${api.baseUrl}/webhook-test/${path}`,
	};
}

/** Generates a video per row, whose callback goes to this address with the number of the row; gives the task ids. */
export async function generate(
	callbackUrl: string,
	rows: IDataObject[] = [{ row: 1 }],
): Promise<string[]> {
	const execution = await run(
		{
			operation: 'generate',
			prompt: '={{ "A boat, number " + $json.row }}',
			callbackUrl,
			callbackMetadata: { values: [{ name: 'row', value: '={{ $json.row }}' }] },
		},
		{ rows },
	);
	expect(execution.status).toBe('success');
	return output(execution).map(({ task_id: id }) => String(id));
}

/** The ended executions of a workflow, oldest first. Waits until there are as many; more are given as well. */
export async function runsOf(
	workflowId: string,
	atLeast = 0,
	timeoutMs = 30_000,
): Promise<Execution[]> {
	for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
		const listed = await api.listExecutions(workflowId);
		const open = listed.filter(({ status }) => ['new', 'running', 'waiting'].includes(status));
		if (listed.length >= atLeast && open.length === 0) {
			const ids = listed.map(({ id }) => id).sort((a, b) => Number(a) - Number(b));
			executionIds.push(...ids);
			return await Promise.all(ids.map(async (id) => await api.getExecution(id)));
		}
		if (Date.now() > end) {
			const counted = `${listed.length} executions, ${open.length} of them not ended`;
			throw new Error(`${counted}, instead of ${atLeast} that have`);
		}
	}
}

/** What the node behind the trigger got, over several executions. */
export function startedWith(runs: readonly Execution[]): IDataObject[] {
	return runs.flatMap((execution) => output(execution));
}
