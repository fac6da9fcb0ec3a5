// Runs workflows through n8n-core's own engine in this process: the node from its source, credentials, binary
// store, log and memory as n8n has them. Only the node's clock may run faster, and nothing else is pretended.
import * as core from 'n8n-core';
import {
	createRunExecutionData,
	deepCopy,
	ICredentialsHelper,
	LoggerProxy,
	NodeHelpers,
	replaceCircularReferences,
	sleep,
	Workflow,
	type IBinaryData,
	type ICredentialDataDecryptedObject,
	type ICredentials,
	type ICredentialsExpressionResolveValues,
	type IDataObject,
	type IExecuteData,
	type IExecuteFunctions,
	type IHttpRequestOptions,
	type INode,
	type INodeCredentialsDetails,
	type INodeExecutionData,
	type INodeParameters,
	type INodeProperties,
	type INodeType,
	type INodeTypeDescription,
	type INodeTypes,
	type IRequestOptionsSimplified,
	type IRun,
	type IRunExecutionData,
	type IWebhookData,
	type IWebhookDescription,
	type IWorkflowExecuteAdditionalData,
	type IWorkflowSettings,
	type NodeConnectionType,
	type WorkflowExecuteMode,
} from 'n8n-workflow';
import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { COLUMNS } from '../../nodes/shared/idempotency/videoList';
import * as clock from '../../nodes/shared/n8n/clock';
import { DataTables } from './dataTables.cjs';

/** Type names of the node, as n8n gives them to an installed package. */
export const SEEDANCE = 'n8n-nodes-seedance.seedance';
/** The same node as n8n hands it to an AI agent. */
export const SEEDANCE_TOOL = 'n8n-nodes-seedance.seedanceTool';
/** The trigger; its `execute` runs inside the execution that a callback has started. */
export const SEEDANCE_TRIGGER = 'n8n-nodes-seedance.seedanceTrigger';
/** Name of the node under test in every workflow made by `start`. */
export const NODE = 'Seedance';

/** One line that the node or n8n wrote to the log; `more` is what was logged beside the text, as JSON. */
export interface LogLine {
	level: 'debug' | 'info' | 'warn' | 'error';
	text: string;
	more: string;
}

/** A credential as stored: values may be expressions (`={{ $json.key }}`). */
export interface StoredCredential {
	apiKey: string;
	baseUrl: string;
}

/** A run of `Start → Seedance → After`, with `Failed` at the error output. */
export interface Order {
	/** The node's parameters; what is not given has the node's default. */
	parameters: INodeParameters;
	/** Input of the Seedance node; default one empty item. */
	items?: INodeExecutionData[];
	/** Settings of the node: onError, retryOnFail, maxTries, waitBetweenTries (milliseconds) … */
	node?: Partial<INode>;
	/** Name of the credential; null for none. Default `Main account`. */
	credential?: string | null;
	/** Settings of the workflow, such as executionTimeout (seconds). */
	settings?: IWorkflowSettings;
	mode?: WorkflowExecuteMode;
	/** `breaks` puts a node between Seedance and `After` that fails the first time it runs. */
	after?: 'breaks';
	/** How often the Seedance node runs, in a loop with itself. Default 1. */
	rounds?: number;
	loopsOverItems?: boolean;
	/** An agent in the place of the node makes these calls of it as its tool, all at once. */
	toolCalls?: ToolCall[];
	/** The Data Tables of its n8n. By default new ones, for it and its retries. */
	tables?: DataTables;
	/** Keep Video List is off, unless the parameters say otherwise. */
	listIsOff?: boolean;
	/** Seconds of the node's clock after which n8n ends the execution, as it does at a limit of the whole instance. */
	endsAfter?: number;
}

export interface Callback {
	method?: 'GET' | 'POST';
	/** The path behind the execution's id; by default the one of the address that the node has given out. */
	suffix?: string;
	query?: IDataObject;
	body?: unknown;
}

/** What came of a callback; `run` is there when the execution was resumed. */
export interface CallbackResponse {
	status: number;
	body: unknown;
	run?: Run;
}

export interface Running {
	/** Stop in the editor. */
	stop: () => void;
	finished: Promise<Run>;
}

/** SEEDANCE_LIST=off runs a suite with the list of videos off, but where an order says something of it. */
const LIST_IS_OFF = process.env.SEEDANCE_LIST === 'off';

const WORKFLOW = { id: 'workflow1', name: 'A workflow under test', active: false };
/** Not `localhost`, which version 2 refuses as the host of a callback. */
const INSTANCE_URL = 'http://127.0.0.1:5678/';

type Service<T> = abstract new (...dependencies: never[]) => T;
interface ServiceContainer {
	get: <T>(type: Service<T>) => T;
	set: <T>(type: Service<T>, instance: T) => void;
}

/** Packages that n8n-core brings may be there in several copies: this gives the ones that it uses itself. */
export const requireAsCore = createRequire(require.resolve('n8n-core'));
// n8n-core finds its services in a container of a package of its own.
const { Container }: { Container: ServiceContainer } = requireAsCore('@n8n/di');
const { Logger }: { Logger: Service<object> } = requireAsCore('@n8n/backend-common');

/** A node of the tests: what it does, and what its description has beside one input and one output. */
function nodeType(
	name: string,
	execute: (this: IExecuteFunctions) => Promise<INodeExecutionData[][]>,
	more: Partial<INodeTypeDescription> = {},
): INodeType {
	const texts = { displayName: name, name, description: name, defaults: { name } };
	const usual = { version: 1, inputs: ['main' as const], outputs: ['main' as const] };
	return {
		description: { ...texts, ...usual, group: ['transform'], properties: [], ...more },
		execute,
	};
}

const field = (name: string): INodeProperties => {
	return { displayName: name, name, type: 'string', default: '', noDataExpression: true };
};

export interface ToolCall {
	/** What the model fills in: `$fromAI('prompt')` and the like. */
	values: Record<string, string>;
	/** Turns of the event loop that pass before it; default 0. */
	after?: number;
	/** Real milliseconds that pass before it; default 0. */
	afterMs?: number;
}

/** What one call of a tool gave: its output as n8n hands it to a model, or its error. */
export type ToolOutput = { answer: unknown } | { error: string };

interface CallableTool {
	invoke: (values: Record<string, string>) => Promise<unknown>;
}

function isToolList(value: unknown): value is CallableTool[] {
	return Array.isArray(value) && value.length > 0 && value.every((tool) => 'invoke' in tool);
}

/** The node as n8n hands it to an agent: its output leads to a model. */
function asAgentTool(node: Seedance): INodeType {
	const toolDescription = { ...node.description, outputs: ['ai_tool'] };
	return Object.create(node, { description: { value: toolDescription } });
}

const AGENT_TOOL = 'n8n-nodes-seedance.agentSeedanceTool';
const LOOP_OVER_ITEMS = 'n8n-nodes-base.splitInBatches';
const PASS_THROUGH = nodeType('passThrough', async function () {
	return [this.getInputData()];
});

/** Sends its input round again until it has run `rounds` times, then on. */
const ROUNDS = nodeType(
	'rounds',
	async function () {
		const round = Number(this.evaluateExpression('{{ $runIndex }}', 0)) + 1;
		const isLast = round >= Number(this.getNodeParameter('rounds', 0));
		return isLast ? [[], this.getInputData()] : [this.getInputData(), []];
	},
	{ outputs: ['main', 'main'], properties: [field('rounds')] },
);

const NODE_TYPES: Readonly<Record<string, INodeType>> = {
	[SEEDANCE]: new Seedance(),
	[SEEDANCE_TOOL]: new Seedance(),
	[SEEDANCE_TRIGGER]: new SeedanceTrigger(),
	[AGENT_TOOL]: asAgentTool(new Seedance()),
	[LOOP_OVER_ITEMS]: ROUNDS,
	'test.rounds': ROUNDS,
	'test.passThrough': PASS_THROUGH,
	'n8n-nodes-base.manualTrigger': PASS_THROUGH,
	// Fails when it runs for the first time in an execution, also across a retry.
	'test.breaksOnce': nodeType('breaksOnce', async function () {
		const memory = this.getContext('node');
		if (memory.broke) return [this.getInputData()];
		memory.broke = true;
		throw new Error('A later node broke');
	}),
	// Calls the Seedance node as its tool, all calls of one turn at once, as an agent of n8n does.
	'test.agent': nodeType(
		'agent',
		async function () {
			const tools = await this.getInputConnectionData('ai_tool', 0);
			if (!isToolList(tools)) throw new Error('The agent has no tool');
			const calls: ToolCall[] = JSON.parse(String(this.getNodeParameter('calls', 0)));
			const responses = calls.map(async ({ values, after = 0, afterMs = 0 }) => {
				if (afterMs > 0) await sleep(afterMs);
				for (let turns = 0; turns < after; turns += 1) await new Promise(setImmediate);
				try {
					return { json: { answer: JSON.parse(String(await tools[0].invoke(values))) } };
				} catch (error) {
					return { json: { error: error instanceof Error ? error.message : String(error) } };
				}
			});
			return [await Promise.all(responses)];
		},
		{ inputs: ['main', { type: 'ai_tool' }], properties: [field('calls')] },
	),
};

function nodeTypeOf(name: string): INodeType {
	const found = NODE_TYPES[name];
	if (!found) throw new Error(`The test engine has no node type ${name}`);
	return found;
}

export const nodeTypes: INodeTypes = {
	getByName: nodeTypeOf,
	getByNameAndVersion: (name) => NodeHelpers.getVersionedNodeType(nodeTypeOf(name)),
	getKnownTypes: () => ({}),
};

/** The part of n8n's credentials helper that a node uses, over credentials kept in a map. */
export class Credentials extends ICredentialsHelper {
	private readonly type = new SeedanceApi();
	getParentTypes = () => [];
	isCredentialUsableByNode = () => true;
	preAuthentication = async () => undefined;
	runPreAuthentication = async () => undefined;
	updateCredentials = async () => undefined;
	updateCredentialsOauthTokenData = async () => undefined;
	getCredentialsProperties = () => this.type.properties;

	constructor(private readonly stored: ReadonlyMap<string, StoredCredential>) {
		super();
	}

	async authenticate(
		credentials: ICredentialDataDecryptedObject,
		_typeName: string,
		requestOptions: IHttpRequestOptions | IRequestOptionsSimplified,
	): Promise<IHttpRequestOptions> {
		const url = 'url' in requestOptions ? String(requestOptions.url) : '';
		const headers: IDataObject = { ...requestOptions.headers };
		return await this.type.authenticate(credentials, { ...requestOptions, url, headers });
	}

	async getCredentials(): Promise<ICredentials> {
		throw new Error('Credentials are given out decrypted only');
	}

	async getDecrypted(
		_additionalData: IWorkflowExecuteAdditionalData,
		{ name }: INodeCredentialsDetails,
		_type: string,
		mode: WorkflowExecuteMode,
		executeData?: IExecuteData,
		_raw?: boolean,
		resolve?: ICredentialsExpressionResolveValues,
	): Promise<ICredentialDataDecryptedObject> {
		const found = this.stored.get(name);
		if (!found) throw new Error(`Credential "${name}" could not be found`);
		if (!resolve) return { ...found };
		const { workflow, runExecutionData, runIndex, itemIndex, node, connectionInputData } = resolve;
		const at = [
			runIndex,
			itemIndex,
			node.name,
			connectionInputData,
			mode,
			{},
			executeData,
		] as const;
		const valueOf = (text: string) =>
			String(workflow.expression.getParameterValue(text, runExecutionData, ...at));
		return { apiKey: valueOf(found.apiKey), baseUrl: valueOf(found.baseUrl) };
	}
}

function asJson(value: object): string {
	return JSON.stringify(replaceCircularReferences(deepCopy(value)));
}

/** A copy that went through JSON, as everything does that n8n stores. */
function asStored(data: IRunExecutionData): IRunExecutionData {
	const copy: IRunExecutionData = JSON.parse(JSON.stringify(replaceCircularReferences(data)));
	return copy;
}

/** The part of n8n's response that a resume hook uses. */
class HookResponse extends EventEmitter {
	statusCode = 200;
	closed = false;
	writableEnded = false;
	body: unknown;

	setHeader(): void {}

	status(code: number): this {
		this.statusCode = code;
		return this;
	}

	json(body: unknown): void {
		this.body = body;
		this.writableEnded = true;
	}

	close(): void {
		Object.assign(this, { writableEnded: true, closed: true }).emit('close');
	}
}

function nodesOf(order: Order): INode[] {
	const { credential = 'Main account', toolCalls } = order;
	const node = (name: string, type: string, more: Partial<INode> = {}): INode => ({
		id: name,
		name,
		type,
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
		...more,
	});
	return [
		node('Start', 'test.passThrough'),
		...(toolCalls
			? [node('Agent', 'test.agent', { parameters: { calls: JSON.stringify(toolCalls) } })]
			: []),
		node(NODE, toolCalls ? AGENT_TOOL : SEEDANCE, {
			parameters: {
				resource: 'video',
				...order.parameters,
				...(order.listIsOff && {
					options: { videoList: false, ...Object(order.parameters.options) },
				}),
			},
			...(credential !== null && {
				credentials: { seedanceApi: { id: credential, name: credential } },
			}),
			...order.node,
		}),
		node('Rounds', order.loopsOverItems ? LOOP_OVER_ITEMS : 'test.rounds', {
			parameters: { rounds: String(order.rounds ?? 1) },
		}),
		node('Between', order.after === 'breaks' ? 'test.breaksOnce' : 'test.passThrough'),
		node('After', 'test.passThrough'),
		node('Failed', 'test.passThrough'),
	];
}

function workflowOf(order: Order): Workflow {
	const to = (node: string, type: NodeConnectionType = 'main') => [{ node, type, index: 0 }];
	const errorOutput = order.node?.onError === 'continueErrorOutput' ? [to('Failed')] : [];
	return new Workflow({
		...WORKFLOW,
		nodes: nodesOf(order),
		connections: order.toolCalls
			? { Start: { main: [to('Agent')] }, [NODE]: { ai_tool: [to('Agent', 'ai_tool')] } }
			: {
					Start: { main: [to(NODE)] },
					[NODE]: { main: [to('Rounds'), ...errorOutput] },
					Rounds: { main: [to(NODE), to('Between')] },
					Between: { main: [to('After')] },
				},
		nodeTypes,
		settings: { executionOrder: 'v1', ...order.settings },
	});
}

export interface RunError {
	message: string;
	description: string;
	context: IDataObject;
	node: string | undefined;
}

function errorOf(result: IRunExecutionData['resultData']): RunError | undefined {
	const { error, lastNodeExecuted: node } = result;
	if (!error) return undefined;
	const description: unknown = Reflect.get(error, 'description');
	return {
		message: error.message,
		description: typeof description === 'string' ? description : '',
		context: 'context' in error && error.context ? error.context : {},
		node,
	};
}

export type Run = ReturnType<typeof runOf>;

function runOf(id: string, order: Order, { status, data }: IRun, logs: readonly LogLine[]) {
	const { runData, metadata } = data.resultData;
	const last = (name: string) => runData[name]?.at(-1)?.data?.main;
	/** What the Seedance node gave, per output: 0 for success, 1 for the error output. */
	const outputs = (last(NODE) ?? []).map((found) => found ?? []);
	const items = outputs[0] ?? [];
	return {
		id,
		order,
		status,
		outputs,
		items,
		json: items.map(({ json }) => json),
		/** What the editor says above the output, about the last run of the Seedance node. */
		hints: (runData[NODE]?.at(-1)?.hints ?? []).map(({ message }) => message),
		error: errorOf(data.resultData),
		/** What a node received that ran: its output, for the pass-through nodes. */
		reached: (name: string) => last(name)?.flatMap((output) => output ?? []),
		contextData: data.executionData?.contextData[`node:${NODE}`] ?? {},
		highlighted: metadata ?? {},
		/** The whole execution as n8n stores it, and everything the run wrote to the log. */
		data,
		logs,
		/** Everything a person or a later node may see, as one text: to look for secrets. */
		everything: asJson({ data, logs }),
	};
}

export type Core = Awaited<ReturnType<typeof startCore>>;

/** Starts n8n-core in this process: a folder, a binary store, a log. Once per test file; close it when done. */
export async function startCore() {
	const folder = await mkdtemp(join(tmpdir(), 'seedance-engine-'));
	process.env.N8N_USER_FOLDER = folder;
	process.env.N8N_ENCRYPTION_KEY = 'a key for tests only';
	process.env.N8N_DEFAULT_BINARY_DATA_MODE = 'filesystem';
	const logs: LogLine[] = [];
	const at = (level: LogLine['level']) => (text: string, more?: object) => {
		logs.push({ level, text, more: more ? asJson(more) : '' });
	};
	const levels = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
	const logger = { ...levels, scoped: () => logger };
	Container.set(Logger, logger);
	LoggerProxy.init(logger);
	const binaries = Container.get(core.BinaryDataService);
	await binaries.init();
	const close = async () => await rm(folder, { recursive: true, force: true });
	return { logs, binaries, close };
}

/** Data Tables with an empty list of videos, as there are after the first run of a Seedance node. */
function tablesWithList(): DataTables {
	const tables = new DataTables();
	tables.make(TABLE, COLUMNS);
	return tables;
}

/** What n8n hands to everything that it runs, as far as the nodes use it; without tables, it has none. */
export function additionalDataOf(
	credentialsHelper: ICredentialsHelper,
	tables = Object.assign(new DataTables(), { isOff: true }),
): IWorkflowExecuteAdditionalData {
	return Object.assign(Object.create(null), {
		credentialsHelper,
		executeWorkflow: tables.executeWorkflow,
		currentNodeExecutionIndex: 0,
		restApiUrl: `${INSTANCE_URL}rest`,
		instanceBaseUrl: INSTANCE_URL,
		webhookBaseUrl: `${INSTANCE_URL}webhook`,
		webhookWaitingBaseUrl: `${INSTANCE_URL}webhook-waiting`,
		webhookTestBaseUrl: `${INSTANCE_URL}webhook-test`,
		formWaitingBaseUrl: `${INSTANCE_URL}form-waiting`,
		variables: {},
		externalSecretsProxy: new core.ExternalSecretsProxy(),
	});
}

interface HookCall {
	mode: WorkflowExecuteMode;
	helper: ICredentialsHelper;
	request: object;
	response: object;
	/** Of a suspended execution. */
	data?: IRunExecutionData;
	executionId?: string;
}

/** What n8n hands to the `webhook()` of a node. */
export function hookContext(
	workflow: Workflow,
	node: INode,
	webhookDescription: IWebhookDescription,
	{ mode, helper, request, response, data, executionId }: HookCall,
) {
	const additionalData: IWorkflowExecuteAdditionalData = Object.assign(additionalDataOf(helper), {
		executionId,
		httpRequest: request,
		httpResponse: response,
	});
	const webhook: IWebhookData = {
		httpMethod: webhookDescription.httpMethod === 'GET' ? 'GET' : 'POST',
		node: node.name,
		path: '',
		webhookDescription,
		workflowId: workflow.id,
		workflowExecuteAdditionalData: additionalData,
		isTest: mode === 'manual' && data === undefined,
	};
	return new core.WebhookContext(workflow, node, additionalData, mode, webhook, [], data ?? null);
}

/** What n8n starts a workflow with: the items of its first node. */
export const startData = (node: INode, items: INodeExecutionData[] = [{ json: {} }]) =>
	createRunExecutionData({
		executionData: { nodeExecutionStack: [{ node, data: { main: [items] }, source: null }] },
	});

/** Runs a workflow from where its data stand, in n8n's engine. */
export function execute(
	workflow: Workflow,
	data: IRunExecutionData,
	helper: ICredentialsHelper,
	mode: WorkflowExecuteMode,
	{
		tables,
		...more
	}: { executionId: string; executionTimeoutTimestamp?: number; tables?: DataTables },
): { stop: () => void; endInTime: () => void; ended: Promise<IRun> } {
	const hooks = new core.ExecutionLifecycleHooks(mode, more.executionId, {
		...WORKFLOW,
		activeVersionId: null,
		isArchived: false,
		createdAt: new Date(0),
		updatedAt: new Date(0),
		nodes: Object.values(workflow.nodes),
		connections: workflow.connectionsBySourceNode,
	});
	// The first end that n8n stores counts: for a run that was stopped, that is "canceled".
	const stored: Array<IRun['status']> = [];
	hooks.addHandler('workflowExecuteAfter', ({ status }) => void stored.push(status));
	const additionalData = { ...additionalDataOf(helper, tables), ...more, hooks };
	const running = new core.WorkflowExecute(additionalData, mode, data).processRunExecutionData(
		workflow,
	);
	const stop = () => running.cancel();
	return {
		stop,
		/** At its time limit n8n ends it, and calls of others that it makes later. */
		endInTime: () => {
			additionalData.executionTimeoutTimestamp = Date.now();
			stop();
		},
		ended: running.then((run) => ({ ...run, status: stored[0] ?? run.status })),
	};
}

/** Deadlines pass at most so many times faster than real time: the requests that they limit take real time. */
const DEADLINE_SPEED = 10;

/** A node's clock that runs so many times faster than real time. */
export function fastClock(
	realClock: typeof clock.realClock,
	speed: () => number,
): typeof clock.realClock {
	return (signal) => {
		const real = realClock(signal);
		const start = real.now();
		return {
			...real,
			uncancellable: () => fastClock(realClock, speed)(),
			now: () => start + (real.now() - start) * speed(),
			sleep: async (ms, cancel) => await real.sleep(ms / speed(), cancel),
		};
	};
}

/** Lets deadlines pass no faster than {@link DEADLINE_SPEED} where a node's clock runs at this speed. Needs jest. */
export function slowDeadlines(module: typeof clock, speed: () => number): void {
	const { withTimeout } = module;
	jest
		.spyOn(module, 'withTimeout')
		.mockImplementation(
			async (work, ms, clockOfNode) =>
				await withTimeout(work, ms * Math.max(1, speed() / DEADLINE_SPEED), clockOfNode),
		);
}

export type Engine = Awaited<ReturnType<typeof startEngine>>;

/**
 * Starts the engine in this process. `clockSpeed` is how many times faster than real time the node's clock runs (default
 * 100); needs jest. One per test file; close it when done.
 */
export async function startEngine({ clockSpeed = 100 } = {}) {
	const { logs, binaries, close } = await startCore();
	const credentials = new Map<string, StoredCredential>();
	const helper = new Credentials(credentials);
	let executions = 0;
	const store = binaries.store.bind(binaries);
	jest.spyOn(binaries, 'store').mockImplementation(async (location, file, binary) => {
		if (!engine.fullDisk) return await store(location, file, binary);
		throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
	});
	const speed = (): number => engine.clockSpeed;
	const { realClock } = clock;
	jest.spyOn(clock, 'realClock').mockImplementation(fastClock(realClock, speed));
	slowDeadlines(clock, speed);

	/** Runs a workflow from its start, or from where the given data stands. */
	const launch = (
		ordered: Order,
		mode: WorkflowExecuteMode = ordered.mode ?? 'manual',
		given?: IRunExecutionData,
		executionId = String((executions += 1)),
	): Running => {
		const listIsOff = LIST_IS_OFF && !ordered.tables;
		const order: Order = { tables: engine.tables(), listIsOff, ...ordered };
		const workflow = workflowOf(order);
		const { items, endsAfter = Infinity } = order;
		const data = given ?? startData(workflow.nodes.Start, items);
		const isLimited = Number.isFinite(endsAfter);
		const before = logs.length;
		const { stop, endInTime, ended } = execute(workflow, data, helper, mode, {
			executionId,
			tables: order.tables,
			...(isLimited && { executionTimeoutTimestamp: Date.now() + endsAfter * 1000 }),
		});
		const timeUp = isLimited ? setTimeout(endInTime, (endsAfter * 1000) / speed()) : undefined;
		const finished = ended.then((run) => {
			clearTimeout(timeUp);
			return runOf(executionId, order, run, logs.slice(before));
		});
		engine.onRun(finished);
		return { stop, finished };
	};

	/** Runs work that has to end within seconds of its clock, while other requests arrive. */
	const inRequestTime = async <T,>(work: () => Promise<T>): Promise<T> => {
		const usual = engine.clockSpeed;
		engine.clockSpeed = Math.min(usual, DEADLINE_SPEED);
		try {
			return await work();
		} finally {
			engine.clockSpeed = usual;
		}
	};

	const engine = {
		/** How many times faster than real time the node's clock runs. */
		clockSpeed,
		/** No more file can be stored. */
		fullDisk: false,
		/** The Data Tables for an order that has none of its own. */
		tables: tablesWithList,
		/** Called with every run that is started, retried or resumed. */
		onRun: (_finished: Promise<Run>): void => undefined,
		credentials,
		logs,
		/** Keeps files in memory, as n8n 1 did by default. */
		get binariesInMemory(): boolean {
			return Reflect.get(binaries, 'mode') === 'default';
		},
		set binariesInMemory(inMemory) {
			Reflect.set(binaries, 'mode', inMemory ? 'default' : 'filesystem-v2');
		},
		start: (order: Order): Running => launch(order),
		run: async (order: Order): Promise<Run> => await launch(order).finished,
		/** "Retry" in the list of executions: goes on from the node that failed, with what it remembers. */
		retry: async (run: Run, changes: Partial<Order> = {}): Promise<Run> => {
			const order = { ...run.order, ...changes };
			// What n8n does with the stored execution: the error and the failed run of its node go away.
			const data = asStored(run.data);
			const { lastNodeExecuted = '', runData } = data.resultData;
			delete data.resultData.error;
			if (runData[lastNodeExecuted]?.at(-1)?.error) runData[lastNodeExecuted].pop();
			// "Retry with currently saved workflow" runs the nodes as they stand there now.
			const workflow = workflowOf(order);
			for (const entry of data.executionData?.nodeExecutionStack ?? []) {
				entry.node = workflow.getNode(entry.node.name) ?? entry.node;
			}
			return await launch(order, 'retry', data).finished;
		},
		/** A callback for a suspended run: n8n's resume hook with what it has stored, and the run when it goes on. */
		callback: async (
			run: Run,
			{ method = 'POST', query = {}, body, suffix }: Callback,
			changes: Partial<Order> = {},
		): Promise<CallbackResponse> => {
			const order = { ...run.order, ...changes };
			const mode = order.mode ?? 'manual';
			// What n8n does with the stored execution before it calls the hook.
			const data = asStored(run.data);
			const entry = data.executionData?.nodeExecutionStack[0];
			if (!entry || !data.waitTill) throw new Error('Only a suspended run can get a callback');
			entry.node.disabled = true;
			delete data.waitTill;
			data.resultData.runData[NODE].pop();
			const workflow = workflowOf(order);
			const node = workflow.nodes[NODE];
			const { description, webhook: hook } = nodeTypeOf(SEEDANCE);
			// n8n gives a call to the webhook of the waiting node whose path is the rest of the address.
			const pathOf = ({ path }: IWebhookDescription) =>
				String(workflow.expression.getSimpleParameterValue(node, path, 'internal', {}));
			const { webhooks = [] } = description;
			const wanted = suffix ?? (webhooks[0] && pathOf(webhooks[0]));
			const found = webhooks.find(
				(webhook) => webhook.httpMethod === method && pathOf(webhook) === wanted,
			);
			if (!found || !hook) {
				return { status: 404, body: 'no waiting webhook with a matching path/method' };
			}
			const response = new HookResponse();
			const context = hookContext(workflow, node, found, {
				...{ mode, helper, response, data, executionId: run.id },
				request: { method, query, body, headers: {} },
			});
			const { workflowData, webhookResponse } = await inRequestTime(
				async () => await hook.call(context),
			);
			if (!workflowData) return { status: response.statusCode, body: response.body };
			entry.data.main = workflowData;
			entry.metadata = { ...entry.metadata, forwardAllOutputs: true };
			const resumed = launch(order, mode, data, run.id);
			response.close();
			return { status: 200, body: webhookResponse, run: await resumed.finished };
		},
		timeUp: async ({ order, data, id }: Run): Promise<Run> =>
			await launch(order, undefined, asStored(data), id).finished,
		/** Puts a file into n8n's store, as a node before this one would have; `temp` is where a form's files are. */
		storeFile: async (
			bytes: Buffer,
			fileName: string,
			mimeType: string,
			executionId = 'earlier',
		): Promise<IBinaryData> =>
			await binaries.store({ type: 'execution', workflowId: WORKFLOW.id, executionId }, bytes, {
				data: '',
				fileName,
				mimeType,
			}),
		readFile: async (file: IBinaryData) => await binaries.getAsBuffer(file),
		/** What n8n has noted of a file: the type that it serves it under. */
		metadataOf: async (id: string) => await binaries.getMetadata(id),
		close: async () => {
			jest.restoreAllMocks();
			await close();
		},
	};
	return engine;
}
