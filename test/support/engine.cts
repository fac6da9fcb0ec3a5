// Runs workflows through n8n-core's own engine in this process: the node from its source, credentials, binary
// store, log and memory as n8n has them. Only the node's clock may run faster, and nothing else is pretended.
import {
	BinaryDataService,
	ExecutionLifecycleHooks,
	ExternalSecretsProxy,
	WebhookContext,
	WorkflowExecute,
} from 'n8n-core';
import {
	createRunExecutionData,
	deepCopy,
	ICredentialsHelper,
	LoggerProxy,
	NodeConnectionTypes,
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
	type IWorkflowExecuteAdditionalData,
	type IWorkflowSettings,
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
import * as clock from '../../nodes/shared/n8n/clock';

/** Type names of the node, as n8n gives them to an installed package. */
export const SEEDANCE = 'n8n-nodes-seedance.seedance';
/** The same node as n8n hands it to an AI agent. */
export const SEEDANCE_TOOL = 'n8n-nodes-seedance.seedanceTool';
/** The trigger; its `execute` runs inside the execution that a callback has started. */
export const SEEDANCE_TRIGGER = 'n8n-nodes-seedance.seedanceTrigger';
/** Name of the node under test in every workflow made by `start`. */
export const NODE = 'Seedance';

/** One line that the node or n8n wrote to the log. */
export interface LogLine {
	level: 'debug' | 'info' | 'warn' | 'error';
	text: string;
	/** What was logged beside the text, as JSON. */
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
	/** An agent in the place of the node makes these calls of it as its tool, all at once. */
	toolCalls?: ToolCall[];
	/** The loop is one of n8n's Loop Over Items, by its type. */
	loopsOverItems?: boolean;
	/** Seconds of the node's clock after which n8n ends the execution, as it does at a limit of the whole instance. */
	endsAfter?: number;
}

/** How a run ended. */
export interface Run {
	status: IRun['status'];
	/** What the Seedance node gave, per output: 0 for success, 1 for the error output. */
	outputs: INodeExecutionData[][];
	/** The first output. */
	items: INodeExecutionData[];
	/** The JSON of the first output. */
	json: IDataObject[];
	/** What the editor says above the output, about the last run of the Seedance node. */
	hints: string[];
	/** What ended the run, as a person reads it. */
	error?: RunError;
	/** What a node received that ran: its output, for the pass-through nodes. */
	reached: (name: string) => INodeExecutionData[] | undefined;
	/** What the Seedance node remembers in this execution. */
	contextData: IDataObject;
	/** The highlighted data of the execution. */
	highlighted: Record<string, string>;
	/** The execution's id. */
	id: string;
	/** The whole execution as n8n stores it. */
	data: IRunExecutionData;
	/** Everything the run wrote to the log. */
	logs: readonly LogLine[];
	/** Everything a person or a later node may see, as one text: to look for secrets. */
	everything: string;
}

export interface RunError {
	message: string;
	description: string;
	context: IDataObject;
	node: string | undefined;
}

/** A callback for a suspended run, and what came of it. */
export interface Callback {
	method?: 'GET' | 'POST';
	/** The path behind the execution's id; by default the one of the address that the node has given out. */
	suffix?: string;
	query?: IDataObject;
	body?: unknown;
	/** The bytes of the body, which n8n keeps beside what it has parsed. */
	rawBody?: Buffer;
}
export interface CallbackAnswer {
	status: number;
	body: unknown;
	/** The run when it went on; undefined while it stays suspended. */
	run?: Run;
}

export interface Running {
	/** Stop in the editor. */
	stop: () => void;
	finished: Promise<Run>;
}

export interface Engine {
	/** Credentials by name. */
	readonly credentials: Map<string, StoredCredential>;
	/** Everything logged so far, oldest first. */
	readonly logs: LogLine[];
	/** The address under which n8n believes its REST API to be reachable. */
	restApiUrl: string;
	/** Keeps files in memory, as n8n 1 did by default. */
	binariesInMemory: boolean;
	/** No more file can be stored. */
	fullDisk: boolean;
	/** How many times faster than real time the node's clock runs. */
	clockSpeed: number;
	run: (order: Order) => Promise<Run>;
	start: (order: Order) => Running;
	/** "Retry" in the list of executions: goes on from the node that failed, with what it remembers. */
	retry: (run: Run, changes?: Partial<Order>) => Promise<Run>;
	/** A callback for a suspended run: n8n's resume hook with what it has stored, and the run when it goes on. */
	callback: (run: Run, callback: Callback, changes?: Partial<Order>) => Promise<CallbackAnswer>;
	/** A suspended run whose time is up. */
	timeUp: (run: Run) => Promise<Run>;
	/**
	 * Puts a file into n8n's store, as a node before this one would have.
	 *
	 * @param executionId `temp` for what a form or a webhook was sent
	 */
	storeFile: (
		bytes: Buffer,
		fileName: string,
		mimeType: string,
		executionId?: string,
	) => Promise<IBinaryData>;
	readFile: (file: IBinaryData) => Promise<Buffer>;
	/** What n8n has noted of a file: the type that it serves it under. */
	metadataOf: (id: string) => Promise<{ mimeType?: string }>;
	/** Removes the folder of this n8n. */
	close: () => Promise<void>;
}

const WORKFLOW_ID = 'workflow1';
const INSTANCE_URL = 'http://localhost:5678/';

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

function description(name: string, outputs = 1): INodeTypeDescription {
	return {
		displayName: name,
		name,
		group: ['transform'],
		version: 1,
		description: name,
		defaults: { name },
		inputs: [NodeConnectionTypes.Main],
		outputs: Array.from({ length: outputs }, () => NodeConnectionTypes.Main),
		properties: [],
	};
}

/** Gives its input on. */
class PassThrough implements INodeType {
	description = description('passThrough');

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		return [this.getInputData()];
	}
}

/** Fails when it runs for the first time in an execution, also across a retry. */
class BreaksOnce implements INodeType {
	description = description('breaksOnce');

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const memory = this.getContext('node');
		if (!memory.broke) {
			memory.broke = true;
			throw new Error('A later node broke');
		}
		return [this.getInputData()];
	}
}

/** Sends its input round again until it has run `rounds` times, then on. */
class Rounds implements INodeType {
	description: INodeTypeDescription = {
		...description('rounds', 2),
		properties: [
			{ displayName: 'Rounds', name: 'rounds', type: 'number', default: 1, noDataExpression: true },
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const round = Number(this.evaluateExpression('{{ $runIndex }}', 0)) + 1;
		const isLast = round >= Number(this.getNodeParameter('rounds', 0));
		return isLast ? [[], this.getInputData()] : [this.getInputData(), []];
	}
}

/** A call of a tool, as a model asks for it. */
export interface ToolCall {
	/** What the model fills in: `$fromAI('prompt')` and the like. */
	values: Record<string, string>;
	/** Turns of the event loop that pass before it; default 0. */
	after?: number;
	/** Real milliseconds that pass before it; default 0. */
	afterMs?: number;
}

/** What one call of a tool gave: its answer as n8n hands it to a model, or its error. */
export type ToolAnswer = { answer: unknown } | { error: string };

interface CallableTool {
	invoke: (values: Record<string, string>) => Promise<unknown>;
}

function isToolList(value: unknown): value is CallableTool[] {
	return Array.isArray(value) && value.length > 0 && value.every((tool) => 'invoke' in tool);
}

/** Calls the Seedance node as its tool, all calls of one answer at once, as an agent of n8n does. */
class AgentOfTests implements INodeType {
	description: INodeTypeDescription = {
		...description('agent'),
		inputs: [NodeConnectionTypes.Main, { type: NodeConnectionTypes.AiTool }],
		properties: [
			{ displayName: 'Calls', name: 'calls', type: 'json', default: '[]', noDataExpression: true },
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const tools = await this.getInputConnectionData(NodeConnectionTypes.AiTool, 0);
		if (!isToolList(tools)) throw new Error('The agent has no tool');
		const calls: ToolCall[] = JSON.parse(String(this.getNodeParameter('calls', 0)));
		const answers = await Promise.all(
			calls.map(async ({ values, after = 0, afterMs = 0 }): Promise<IDataObject> => {
				if (afterMs > 0) await sleep(afterMs);
				for (let turns = 0; turns < after; turns += 1) await nextTurn();
				try {
					const answer = await tools[0].invoke(values);
					return { answer: JSON.parse(String(answer)) };
				} catch (error) {
					return { error: error instanceof Error ? error.message : String(error) };
				}
			}),
		);
		return [answers.map((json) => ({ json }))];
	}
}

async function nextTurn(): Promise<void> {
	await new Promise<void>((resolve) => setImmediate(resolve));
}

/** The node as n8n hands it to an agent: its output leads to a model. */
function asAgentTool(node: Seedance): INodeType {
	const toolDescription = { ...node.description, outputs: [NodeConnectionTypes.AiTool] };
	return Object.create(node, { description: { value: toolDescription } });
}

const AGENT_TOOL = 'n8n-nodes-seedance.agentSeedanceTool';
const LOOP_OVER_ITEMS = 'n8n-nodes-base.splitInBatches';

const NODE_TYPES: Readonly<Record<string, INodeType>> = {
	[SEEDANCE]: new Seedance(),
	[SEEDANCE_TOOL]: new Seedance(),
	[SEEDANCE_TRIGGER]: new SeedanceTrigger(),
	[AGENT_TOOL]: asAgentTool(new Seedance()),
	'test.agent': new AgentOfTests(),
	'test.passThrough': new PassThrough(),
	'test.breaksOnce': new BreaksOnce(),
	'test.rounds': new Rounds(),
	[LOOP_OVER_ITEMS]: new Rounds(),
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

	constructor(private readonly stored: ReadonlyMap<string, StoredCredential>) {
		super();
	}

	getParentTypes(): string[] {
		return [];
	}

	isCredentialUsableByNode(): boolean {
		return true;
	}

	/** Applies the `authenticate` of the credential class. */
	async authenticate(
		credentials: ICredentialDataDecryptedObject,
		_typeName: string,
		requestOptions: IHttpRequestOptions | IRequestOptionsSimplified,
	): Promise<IHttpRequestOptions> {
		const url = 'url' in requestOptions ? String(requestOptions.url) : '';
		const headers: IDataObject = { ...requestOptions.headers };
		return await this.type.authenticate(credentials, { ...requestOptions, url, headers });
	}

	async preAuthentication(): Promise<undefined> {
		return undefined;
	}

	async runPreAuthentication(): Promise<undefined> {
		return undefined;
	}

	async getCredentials(): Promise<ICredentials> {
		throw new Error('Credentials are given out decrypted only');
	}

	async getDecrypted(
		_additionalData: IWorkflowExecuteAdditionalData,
		nodeCredentials: INodeCredentialsDetails,
		_type: string,
		mode: WorkflowExecuteMode,
		executeData?: IExecuteData,
		_raw?: boolean,
		resolve?: ICredentialsExpressionResolveValues,
	): Promise<ICredentialDataDecryptedObject> {
		const found = this.stored.get(nodeCredentials.name);
		if (!found) throw new Error(`Credential "${nodeCredentials.name}" could not be found`);
		const values: Record<string, string> = {};
		for (const [name, value] of Object.entries(found)) {
			values[name] = resolve
				? String(
						resolve.workflow.expression.getParameterValue(
							value,
							resolve.runExecutionData,
							resolve.runIndex,
							resolve.itemIndex,
							resolve.node.name,
							resolve.connectionInputData,
							mode,
							{},
							executeData,
							false,
							{},
						),
					)
				: value;
		}
		return values;
	}

	async updateCredentials(): Promise<void> {}

	async updateCredentialsOauthTokenData(): Promise<void> {}

	getCredentialsProperties(): INodeProperties[] {
		return this.type.properties;
	}
}

/** Collects what is logged, in the place of n8n's logger. */
function logInto(lines: LogLine[]) {
	const at = (level: LogLine['level']) => (text: string, more?: object) => {
		lines.push({ level, text, more: more ? asJson(more) : '' });
	};
	const logger = {
		debug: at('debug'),
		info: at('info'),
		warn: at('warn'),
		error: at('error'),
		scoped: () => logger,
	};
	return logger;
}

function asJson(value: object): string {
	return JSON.stringify(replaceCircularReferences(deepCopy(value)));
}

/** The part of n8n's response that a resume hook uses. */
export class HookResponse extends EventEmitter {
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
}

/** A copy that went through JSON, as everything does that n8n stores. */
function asStored(data: IRunExecutionData): IRunExecutionData {
	const copy: IRunExecutionData = JSON.parse(JSON.stringify(replaceCircularReferences(data)));
	return copy;
}

function nodesOf(order: Order): INode[] {
	const node = (name: string, type: string, more: Partial<INode> = {}): INode => ({
		id: name,
		name,
		type,
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
		...more,
	});
	const credential = order.credential === undefined ? 'Main account' : order.credential;
	const { toolCalls } = order;
	return [
		node('Start', 'test.passThrough'),
		...(toolCalls
			? [node('Agent', 'test.agent', { parameters: { calls: JSON.stringify(toolCalls) } })]
			: []),
		node(NODE, toolCalls ? AGENT_TOOL : SEEDANCE, {
			parameters: { resource: 'video', ...order.parameters },
			...(credential !== null && {
				credentials: { seedanceApi: { id: credential, name: credential } },
			}),
			...order.node,
		}),
		node('Rounds', order.loopsOverItems ? LOOP_OVER_ITEMS : 'test.rounds', {
			parameters: { rounds: order.rounds ?? 1 },
		}),
		node('Between', order.after === 'breaks' ? 'test.breaksOnce' : 'test.passThrough'),
		node('After', 'test.passThrough'),
		node('Failed', 'test.passThrough'),
	];
}

const toAgent = [{ node: 'Agent', type: NodeConnectionTypes.AiTool, index: 0 }];
const to = (node: string) => [{ node, type: NodeConnectionTypes.Main, index: 0 }];

function workflowOf(order: Order): Workflow {
	const hasErrorOutput = order.node?.onError === 'continueErrorOutput';
	return new Workflow({
		id: WORKFLOW_ID,
		name: 'A workflow under test',
		nodes: nodesOf(order),
		connections: order.toolCalls
			? { Start: { main: [to('Agent')] }, [NODE]: { ai_tool: [toAgent] } }
			: {
					Start: { main: [to(NODE)] },
					[NODE]: { main: hasErrorOutput ? [to('Rounds'), to('Failed')] : [to('Rounds')] },
					Rounds: { main: [to(NODE), to('Between')] },
					Between: { main: [to('After')] },
				},
		active: false,
		nodeTypes,
		settings: { executionOrder: 'v1', ...order.settings },
	});
}

function textField(value: unknown, field: string): string {
	const found: unknown =
		typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
	return typeof found === 'string' ? found : '';
}

function errorOf(run: IRun): RunError | undefined {
	const { error } = run.data.resultData;
	if (!error) return undefined;
	return {
		message: error.message,
		description: textField(error, 'description'),
		context: 'context' in error && error.context ? error.context : {},
		node: run.data.resultData.lastNodeExecuted,
	};
}

function runOf(id: string, run: IRun, logs: readonly LogLine[]): Run {
	const { data } = run;
	const last = (name: string) => data.resultData.runData[name]?.at(-1)?.data?.main;
	const outputs = (last(NODE) ?? []).map((items) => items ?? []);
	const items = outputs[0] ?? [];
	return {
		id,
		status: run.status,
		outputs,
		items,
		json: items.map(({ json }) => json),
		hints: (data.resultData.runData[NODE]?.at(-1)?.hints ?? []).map(({ message }) => message),
		error: errorOf(run),
		reached: (name) => last(name)?.flatMap((output) => output ?? []),
		contextData: data.executionData?.contextData[`node:${NODE}`] ?? {},
		highlighted: data.resultData.metadata ?? {},
		data,
		logs,
		everything: asJson({ data, logs }),
	};
}

/** What n8n-core needs in a process before it can run anything. */
export interface Core {
	/** Everything logged so far, oldest first. */
	readonly logs: LogLine[];
	readonly binaries: BinaryDataService;
	/** Removes the folder of this n8n. */
	close: () => Promise<void>;
}

/** Starts n8n-core in this process: a folder, a binary store, a log. Once per test file; close it when done. */
export async function startCore(): Promise<Core> {
	const folder = await mkdtemp(join(tmpdir(), 'seedance-engine-'));
	process.env.N8N_USER_FOLDER = folder;
	process.env.N8N_ENCRYPTION_KEY = 'a key for tests only';
	process.env.N8N_DEFAULT_BINARY_DATA_MODE = 'filesystem';
	const logs: LogLine[] = [];
	const logger = logInto(logs);
	Container.set(Logger, logger);
	LoggerProxy.init(logger);
	const binaries = Container.get(BinaryDataService);
	await binaries.init();
	return {
		logs,
		binaries,
		close: async () => await rm(folder, { recursive: true, force: true }),
	};
}

/** What n8n hands to everything that it runs, as far as the nodes use it. */
export function additionalDataOf(
	credentialsHelper: ICredentialsHelper,
	restApiUrl = `${INSTANCE_URL}rest`,
): IWorkflowExecuteAdditionalData {
	const unused = async () => {
		throw new Error('Not part of this n8n');
	};
	return {
		credentialsHelper,
		executeWorkflow: unused,
		getRunExecutionData: async () => undefined,
		getRuntimeCredential: async () => undefined,
		startRunnerTask: unused,
		currentNodeExecutionIndex: 0,
		restApiUrl,
		instanceBaseUrl: INSTANCE_URL,
		formBaseUrl: `${INSTANCE_URL}form`,
		formWaitingBaseUrl: `${INSTANCE_URL}form-waiting`,
		formTestBaseUrl: `${INSTANCE_URL}form-test`,
		webhookBaseUrl: `${INSTANCE_URL}webhook`,
		webhookWaitingBaseUrl: `${INSTANCE_URL}webhook-waiting`,
		webhookTestBaseUrl: `${INSTANCE_URL}webhook-test`,
		mcpBaseUrl: `${INSTANCE_URL}mcp`,
		mcpTestBaseUrl: `${INSTANCE_URL}mcp-test`,
		variables: {},
		logAiEvent: () => undefined,
		externalSecretsProxy: new ExternalSecretsProxy(),
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
			untied: () => fastClock(realClock, speed)(),
			now: () => start + (real.now() - start) * speed(),
			sleep: async (ms, cancel) => await real.sleep(ms / speed(), cancel),
		};
	};
}

/** Lets deadlines pass no faster than {@link DEADLINE_SPEED} where a node's clock runs at this speed. Needs jest. */
export function slowDeadlines(module: typeof clock, speed: () => number): void {
	const { within } = module;
	jest
		.spyOn(module, 'within')
		.mockImplementation(
			async (work, ms, clockOfNode) =>
				await within(work, ms * Math.max(1, speed() / DEADLINE_SPEED), clockOfNode),
		);
}

/**
 * Starts the engine in this process. `clockSpeed` is how many times faster than real time the node's clock runs (default
 * 100); needs jest. One per test file; close it when done.
 */
export async function startEngine(options: { clockSpeed?: number } = {}): Promise<Engine> {
	const core = await startCore();
	const { logs, binaries } = core;
	const credentials = new Map<string, StoredCredential>();
	const helper = new Credentials(credentials);
	let executions = 0;
	let clockSpeed = options.clockSpeed ?? 100;
	let restApiUrl = `${INSTANCE_URL}rest`;
	let binariesInMemory = false;
	let fullDisk = false;
	const store = binaries.store.bind(binaries);
	jest.spyOn(binaries, 'store').mockImplementation(async (location, file, binary) => {
		if (!fullDisk) return await store(location, file, binary);
		throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
	});

	const { realClock } = clock;
	jest.spyOn(clock, 'realClock').mockImplementation(fastClock(realClock, () => clockSpeed));
	slowDeadlines(clock, () => clockSpeed);

	const launch = (
		order: Order,
		mode: WorkflowExecuteMode,
		given?: IRunExecutionData,
		executionId = String((executions += 1)),
	): Running => {
		const workflow = workflowOf(order);
		const start = workflow.getNode('Start');
		if (!start) throw new Error('The workflow has no start');
		const data =
			given ??
			createRunExecutionData({
				executionData: {
					nodeExecutionStack: [
						{ node: start, data: { main: [order.items ?? [{ json: {} }]] }, source: null },
					],
				},
			});
		const additionalData: IWorkflowExecuteAdditionalData = {
			...additionalDataOf(helper, restApiUrl),
			executionId,
			...(order.endsAfter !== undefined && {
				executionTimeoutTimestamp: Date.now() + order.endsAfter * 1000,
			}),
			hooks: new ExecutionLifecycleHooks(mode, executionId, {
				id: WORKFLOW_ID,
				name: 'A workflow under test',
				active: false,
				activeVersionId: null,
				isArchived: false,
				createdAt: new Date(0),
				updatedAt: new Date(0),
				nodes: Object.values(workflow.nodes),
				connections: workflow.connectionsBySourceNode,
			}),
		};
		const before = logs.length;
		// The first end that n8n stores counts: for a run that was stopped, that is "canceled".
		const stored: Array<IRun['status']> = [];
		additionalData.hooks?.addHandler('workflowExecuteAfter', (run) => void stored.push(run.status));
		const running = new WorkflowExecute(additionalData, mode, data).processRunExecutionData(
			workflow,
		);
		const timeUp =
			order.endsAfter === undefined
				? undefined
				: setTimeout(() => running.cancel(), (order.endsAfter * 1000) / clockSpeed);
		return {
			stop: () => running.cancel(),
			finished: running.then((run) => {
				clearTimeout(timeUp);
				return {
					...runOf(executionId, run, logs.slice(before)),
					status: stored[0] ?? run.status,
				};
			}),
		};
	};

	/** Runs what has to answer within seconds of its clock, and sends requests meanwhile. */
	const inRequestTime = async <T,>(work: () => Promise<T>): Promise<T> => {
		const usual = clockSpeed;
		clockSpeed = Math.min(usual, DEADLINE_SPEED);
		try {
			return await work();
		} finally {
			clockSpeed = usual;
		}
	};

	const orders = new WeakMap<Run, Order>();
	const orderOf = (run: Run): Order => {
		const order = orders.get(run);
		if (!order) throw new Error('That is no run of this engine');
		return order;
	};
	const start = (order: Order): Running => {
		const running = launch(order, order.mode ?? 'manual');
		return {
			stop: running.stop,
			finished: running.finished.then((run) => {
				orders.set(run, order);
				return run;
			}),
		};
	};

	return {
		credentials,
		logs,
		get restApiUrl() {
			return restApiUrl;
		},
		set restApiUrl(url) {
			restApiUrl = url;
		},
		get binariesInMemory() {
			return binariesInMemory;
		},
		set binariesInMemory(inMemory) {
			binariesInMemory = inMemory;
			Reflect.set(binaries, 'mode', inMemory ? 'default' : 'filesystem-v2');
		},
		get fullDisk() {
			return fullDisk;
		},
		set fullDisk(isFull) {
			fullDisk = isFull;
		},
		get clockSpeed() {
			return clockSpeed;
		},
		set clockSpeed(speed) {
			clockSpeed = speed;
		},
		start,
		run: async (order) => await start(order).finished,
		retry: async (run, changes = {}) => {
			const order = orderOf(run);
			// What n8n does with the stored execution: the error and the failed run of its node go away.
			const data = asStored(run.data);
			const { lastNodeExecuted, runData } = data.resultData;
			delete data.resultData.error;
			if (lastNodeExecuted && runData[lastNodeExecuted]?.at(-1)?.error) {
				runData[lastNodeExecuted].pop();
			}
			const again = { ...order, ...changes };
			// "Retry with currently saved workflow" runs the nodes as they stand there now.
			const workflow = workflowOf(again);
			for (const entry of data.executionData?.nodeExecutionStack ?? []) {
				entry.node = workflow.getNode(entry.node.name) ?? entry.node;
			}
			const retried = await launch(again, 'retry', data).finished;
			orders.set(retried, again);
			return retried;
		},
		callback: async (run, { method = 'POST', query = {}, body, rawBody, suffix }, changes = {}) => {
			const order = { ...orderOf(run), ...changes };
			const mode = order.mode ?? 'manual';
			// What n8n does with the stored execution before it calls the hook.
			const data = asStored(run.data);
			const entry = data.executionData?.nodeExecutionStack[0];
			if (!entry || !data.waitTill) throw new Error('Only a suspended run can get a callback');
			entry.node.disabled = true;
			delete data.waitTill;
			data.resultData.runData[NODE].pop();
			const workflow = workflowOf(order);
			const node = workflow.getNode(NODE);
			const hook = nodeTypeOf(SEEDANCE).webhook;
			if (!node || !hook) throw new Error('The node has no resume hook');
			// n8n gives a call to the webhook of the waiting node whose path is the rest of the address.
			const webhooks = (nodeTypeOf(SEEDANCE).description.webhooks ?? []).map((webhook) => ({
				webhook,
				path: workflow.expression.getSimpleParameterValue(
					node,
					webhook.path,
					'internal',
					{},
					undefined,
					'',
				),
			}));
			const wanted = suffix ?? webhooks[0]?.path;
			const found = webhooks.find(
				({ webhook, path }) => webhook.httpMethod === method && path === wanted,
			);
			if (!found) return { status: 404, body: 'no waiting webhook with a matching path/method' };
			const response = new HookResponse();
			const context = new WebhookContext(
				workflow,
				node,
				{
					...additionalDataOf(helper, restApiUrl),
					executionId: run.id,
					httpRequest: Object.assign(Object.create(null), {
						method,
						query,
						body,
						rawBody,
						headers: {},
					}),
					httpResponse: Object.assign(response),
				},
				mode,
				{
					httpMethod: method,
					node: NODE,
					path: String(found.path),
					webhookDescription: found.webhook,
					workflowId: WORKFLOW_ID,
					workflowExecuteAdditionalData: additionalDataOf(helper, restApiUrl),
				},
				[],
				data,
			);
			const { workflowData, webhookResponse } = await inRequestTime(
				async () => await hook.call(context),
			);
			if (!workflowData) return { status: response.statusCode, body: response.body };
			entry.data.main = workflowData;
			entry.metadata = { ...entry.metadata, forwardAllOutputs: true };
			const resumed = launch(order, mode, data, run.id);
			response.writableEnded = true;
			response.closed = true;
			response.emit('close');
			const ended = await resumed.finished;
			orders.set(ended, order);
			return { status: 200, body: webhookResponse, run: ended };
		},
		timeUp: async (run) => {
			const order = orderOf(run);
			const ended = await launch(order, order.mode ?? 'manual', asStored(run.data), run.id)
				.finished;
			orders.set(ended, order);
			return ended;
		},
		storeFile: async (bytes, fileName, mimeType, executionId = 'earlier') =>
			await binaries.store({ type: 'execution', workflowId: WORKFLOW_ID, executionId }, bytes, {
				data: '',
				fileName,
				mimeType,
			}),
		readFile: async (file) => await binaries.getAsBuffer(file),
		metadataOf: async (id) => await binaries.getMetadata(id),
		close: async () => {
			jest.restoreAllMocks();
			await core.close();
		},
	};
}
