// Hosts Seedance Trigger in this process: an HTTP server that makes n8n-core's own webhook context for each request, calls
// the node's `webhook()`, and does with the result what n8n 2.41 does. What n8n-core does not bring (how a body is read, and
// in which order n8n responds, starts a run and saves static data) is a copy: test/e2e/trigger.suite.cts sends the same
// requests to a real n8n and compares. A run is not carried out but noted.
import {
	jsonParse,
	NodeConnectionTypes,
	sanitizeXmlName,
	Workflow,
	type IDataObject,
	type INode,
	type INodeParameters,
	type INodeType,
	type INodeTypes,
	type IWebhookResponseData,
} from 'n8n-workflow';
import * as n8nWorkflow from 'n8n-workflow';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { parse as parseQuery } from 'node:querystring';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

import type * as clockModule from '../../nodes/shared/n8n/clock';
import {
	startSandbox,
	type Outcome,
	type Sandbox,
	type SandboxOptions,
} from '../sandbox/server.cjs';
import { portOf } from '../sandbox/unreachable.cjs';
import {
	Credentials,
	fastClock,
	hookContext,
	requireAsCore,
	SEEDANCE_TRIGGER,
	slowDeadlines,
	startCore,
	type Core,
	type LogLine,
	type StoredCredential,
} from './engine.cjs';
import { startTaskAt } from './tasks.cjs';

interface TriggerOptions {
	/** Id of its workflow, whose static data it shares with the others in it. */
	workflow: string;
	/** Name of the node, and its id. */
	node: string;
	/** What is not given has the node's default. */
	parameters: INodeParameters;
	/** Name of its credential; null for none. */
	credential: string | null;
}

interface StartedRun {
	workflow: string;
	node: string;
	mode: 'webhook' | 'manual';
	json: IDataObject[];
}

/** Its options may be changed at any time, as by publishing the workflow again. */
export interface HostedTrigger extends TriggerOptions {
	readonly url: string;
	/** Responds from `listen()` until it has started a run. */
	readonly testUrl: string;
	readonly runs: readonly StartedRun[];
	listen: () => void;
}

/** The part of Express's response that n8n's nodes use. */
type Reply = ServerResponse & {
	status: (code: number) => Reply;
	json: (body: unknown) => Reply;
};
type WorkflowParameters = ConstructorParameters<typeof Workflow>[0];

const { parseIncomingMessage }: { parseIncomingMessage: (message: IncomingMessage) => void } =
	requireAsCore('@n8n/backend-network');
const qs: { parse: (text: string, options: object) => Record<string, unknown> } = createRequire(
	requireAsCore.resolve('@n8n/backend-network'),
)('qs');
const xml2js: {
	Parser: new (options: object) => { parseStringPromise: (text: string) => Promise<unknown> };
} = createRequire(require.resolve('n8n-workflow'))('xml2js');

function asReply(message: ServerResponse): Reply {
	const reply: Reply = Object.assign(message, {
		status: (code: number) => {
			message.statusCode = code;
			return reply;
		},
		json: (body: unknown) => {
			message.setHeader('Content-Type', 'application/json; charset=utf-8');
			message.end(JSON.stringify(body));
			return reply;
		},
	});
	return reply;
}

/** What n8n makes of a body for a node of version 1: nothing where it does not know the type. */
async function parsedBody(req: IncomingMessage, raw: Buffer): Promise<unknown> {
	const { contentType = '', encoding, headers } = req;
	const text = raw.toString(encoding).replace(/^\ufeff/, '');
	if (contentType === 'multipart/form-data') {
		const type = { 'content-type': headers['content-type'] ?? '' };
		const parts = await new Response(new Uint8Array(raw), { headers: type }).formData();
		return { data: Object.fromEntries(parts), files: {} };
	}
	if (!raw.length) return undefined;
	if (contentType === 'application/json') return jsonParse(text);
	if (contentType === 'application/x-www-form-urlencoded') return parseQuery(text);
	if (/[/+]xml$/.test(contentType)) {
		return await new xml2js.Parser({
			normalize: true,
			normalizeTags: true,
			explicitArray: false,
			tagNameProcessors: [sanitizeXmlName],
			attrNameProcessors: [sanitizeXmlName],
		}).parseStringPromise(text);
	}
	return contentType === 'text/plain' ? text : undefined;
}

/** Adds to a request what Express and n8n's reader of bodies add. Gives whether it is a form in several parts. */
async function readRequest(req: IncomingMessage): Promise<boolean> {
	parseIncomingMessage(req);
	const sent = await buffer(req);
	const raw = req.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
	const isMultipart = req.contentType === 'multipart/form-data';
	const [, query = ''] = (req.url ?? '').split(/\?(.*)/s);
	Object.assign(req, {
		// As Express does with "query parser: extended".
		query: qs.parse(query, { allowPrototypes: true }),
		...(!isMultipart && { rawBody: raw }),
		body: await parsedBody(req, raw),
	});
	return isMultipart;
}

/**
 * Loads the node's modules again, as a process that has just started, with their clock at the host's speed. Packages stay
 * the same, so that the node and n8n-core share n8n-workflow as they do in n8n.
 */
function loadTrigger(speed: () => number): INodeType {
	const loaded: INodeType[] = [];
	jest.doMock('n8n-workflow', () => n8nWorkflow);
	jest.isolateModules(() => {
		const clock = jest.requireActual<typeof clockModule>('../../nodes/shared/n8n/clock');
		const { realClock } = clock;
		const unbound: typeof realClock = (signal) => ({
			...realClock(signal),
			// A node leaves sleeps behind that nobody waits for; they must not keep this process alive.
			sleep: async (ms, cancel) =>
				await sleep(ms, true, { ref: false, signal: cancel }).catch(() => false),
		});
		jest.spyOn(clock, 'realClock').mockImplementation(fastClock(unbound, speed));
		slowDeadlines(clock, speed);
		const node = jest.requireActual<{ SeedanceTrigger: new () => INodeType }>(
			'../../nodes/SeedanceTrigger/SeedanceTrigger.node',
		);
		loaded.push(new node.SeedanceTrigger());
	});
	jest.dontMock('n8n-workflow');
	return loaded[0];
}

class TriggerHost {
	readonly credentials = new Map<string, StoredCredential>();
	/** The static data of each workflow as n8n's database has it: JSON. */
	readonly staticData = new Map<string, string>();
	readonly runs: StartedRun[] = [];
	/** What the node's `webhook()` threw; n8n starts a run with an empty item then. */
	readonly thrown: unknown[] = [];
	/** How many times faster than real time the node's clock runs. */
	clockSpeed = 1;
	/**
	 * Called for each run before it is noted; it is not started when this rejects. `left` resolves when the connection
	 * of the sender is closed. Null for the usual.
	 */
	createRun: ((run: StartedRun, left: Promise<void>) => Promise<void>) | null = null;
	trigger!: HostedTrigger;
	private nodeType = loadTrigger(() => this.clockSpeed);
	private readonly triggers = new Map<string, HostedTrigger>();
	private readonly listening = new Set<string>();
	private readonly inFlight = new Set<Promise<void>>();
	private readonly pending = new Set<(reason: Error) => void>();
	private readonly helper = new Credentials(this.credentials);
	private readonly nodeTypes: INodeTypes = {
		getByName: () => this.nodeType,
		getByNameAndVersion: () => this.nodeType,
		getKnownTypes: () => ({}),
	};
	private readonly server = createServer((message, response) => {
		const res = asReply(response);
		const handling = this.handle(message, res)
			.catch((error: Error) => void res.status(500).json({ code: 0, message: error.message }))
			.finally(() => this.inFlight.delete(handling));
		this.inFlight.add(handling);
	});

	constructor(private readonly core: Core) {}

	get logs(): LogLine[] {
		return this.core.logs;
	}

	async open(): Promise<void> {
		await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
		this.trigger = this.add();
	}

	add(given: Partial<TriggerOptions> = {}): HostedTrigger {
		const usual = { workflow: 'workflow1', node: 'Seedance Trigger', parameters: {} };
		const options = { ...usual, credential: 'Main account', ...given };
		const { workflow, node } = options;
		const key = `${workflow}/${node}`;
		const path = key.split('/').map(encodeURIComponent).join('/');
		const origin = `http://127.0.0.1:${portOf(this.server.address())}`;
		const { runs } = this;
		const trigger = {
			...options,
			url: `${origin}/webhook/${path}`,
			testUrl: `${origin}/webhook-test/${path}`,
			get runs() {
				return runs.filter((run) => run.workflow === workflow && run.node === node);
			},
			listen: () => void this.listening.add(key),
		};
		this.triggers.set(key, trigger);
		return trigger;
	}

	/** Ends this process and starts another one: nothing in memory, the static data kept. */
	restart(): void {
		this.nodeType = loadTrigger(() => this.clockSpeed);
	}

	/** Fails all runs that are still being created, so that nothing hangs behind a test that has failed. */
	giveUp(): void {
		for (const fail of this.pending) fail(new Error('Given up'));
		this.pending.clear();
	}

	/** Resolves when no request is being handled, those whose sender hung up included. */
	async idle(): Promise<void> {
		while (this.inFlight.size) await Promise.all(this.inFlight);
	}

	/** No runs, empty log and static data, the usual trigger alone, new memory. */
	reset(): void {
		this.restart();
		for (const list of [this.runs, this.thrown, this.logs]) list.length = 0;
		for (const kept of [this.staticData, this.triggers, this.listening]) kept.clear();
		this.clockSpeed = 1;
		this.createRun = null;
		this.trigger = this.add();
	}

	async close(): Promise<void> {
		this.giveUp();
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
		await this.idle();
		jest.restoreAllMocks();
		await this.core.close();
	}

	/** What n8n reads of a workflow for each request, its static data as they are in the database at this moment. */
	private async load(id: string): Promise<WorkflowParameters> {
		await turn();
		const nodes = [...this.triggers.values()]
			.filter(({ workflow }) => workflow === id)
			.map(
				({ node: name, parameters, credential }): INode => ({
					id: `id of ${name}`,
					name,
					webhookId: `id of ${name}`,
					type: SEEDANCE_TRIGGER,
					typeVersion: 1,
					position: [0, 0],
					parameters,
					...(credential !== null && {
						credentials: { seedanceApi: { id: credential, name: credential } },
					}),
				}),
			);
		const next = { node: 'Next', type: NodeConnectionTypes.Main, index: 0 };
		return {
			id,
			nodes,
			connections: Object.fromEntries(nodes.map(({ name }) => [name, { main: [[next]] }])),
			active: true,
			nodeTypes: this.nodeTypes,
			staticData: JSON.parse(this.staticData.get(id) ?? 'null') ?? undefined,
			settings: { executionOrder: 'v1' },
		};
	}

	/**
	 * n8n makes another workflow of what it has loaded, on the same object of static data, and forgets by that that the
	 * data were changed. (Its next one has static data of its own.)
	 */
	private async startRun(loaded: WorkflowParameters, run: StartedRun, res: Reply): Promise<void> {
		new Workflow(loaded);
		await turn();
		if (this.createRun) {
			const left = new Promise<void>((resolve) => res.once('close', resolve));
			const givenUp = new Promise<void>((_, reject) => this.pending.add(reject));
			await Promise.race([this.createRun(run, left), givenUp]);
		}
		this.runs.push(run);
	}

	private async handle(req: IncomingMessage, res: Reply): Promise<void> {
		const [, test, path = ''] = /^\/webhook(-test)?\/([^?]+)/.exec(req.url ?? '') ?? [];
		const key = decodeURIComponent(path);
		const trigger = this.triggers.get(key);
		const webhook = this.nodeType.description.webhooks?.find(
			({ httpMethod }) => httpMethod === req.method,
		);
		if (!trigger || !webhook || (test && !this.listening.has(key))) {
			return void res.status(404).json({ message: 'This webhook is not registered.' });
		}
		const loaded = await this.load(trigger.workflow);
		const workflow = new Workflow(loaded);
		const node = workflow.getNode(trigger.node);
		if (!node || !this.nodeType.webhook) throw new Error('The trigger is gone');
		const isMultipart = await readRequest(req);
		const mode = test ? 'manual' : 'webhook';
		const request = Object.assign(req, { path, params: {} });
		const { helper } = this;
		const context = hookContext(workflow, node, webhook, { mode, helper, request, response: res });
		const result: IWebhookResponseData = await this.nodeType.webhook
			.call(context)
			.catch((error: unknown) => {
				this.thrown.push(error);
				throw error;
			});
		// n8n reads the response to a form in several parts before it starts the run as well.
		if (isMultipart) void result.webhookResponse;
		const [items] = result.workflowData ?? [];
		if (items) {
			const json = items.map((item) => item.json);
			await this.startRun(loaded, { workflow: workflow.id, node: node.name, mode, json }, res);
			if (test) this.listening.delete(key);
		}
		if (result.noWebhookResponse) return;
		const response: unknown = result.webhookResponse;
		// The static data are saved whole when they were changed, so that of several at once the last one wins.
		if (!test && workflow.staticData.__dataChanged === true) {
			const json = JSON.stringify(workflow.staticData);
			await turn();
			this.staticData.set(workflow.id, json);
		}
		res.status(200).json(response);
	}
}

/** Starts a host on a free port. One per test file, and no engine beside it. Needs jest. Close it when done. */
export async function startTriggerHost(): Promise<TriggerHost> {
	const host = new TriggerHost(await startCore());
	await host.open();
	return host;
}

/**
 * Registers the hooks that start both for a test file, make both new after each test and close them. After each test
 * nothing may have been thrown, no key or signature may be in the log, and the ledger must show a faithful client.
 */
export function triggerWorld(options: SandboxOptions = {}) {
	let sandbox: Sandbox;
	let host: TriggerHost;

	beforeAll(async () => {
		sandbox = await startSandbox({ taskSeconds: Infinity, videoBytes: 1_000, ...options });
		host = await startTriggerHost();
	});

	beforeEach(() => {
		host.credentials.clear();
		host.credentials.set('Main account', { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl });
	});

	afterEach(async () => {
		await sandbox.comeBack();
		host.giveUp();
		await host.idle();
		const { ledger, apiKey, otherAccount } = sandbox;
		const log = JSON.stringify(host.logs);
		const secrets = [apiKey, otherAccount.apiKey, 'seedance_sig'];
		const found = {
			thrown: [...host.thrown],
			secretsInLog: secrets.filter((one) => log.includes(one)),
			breaches: ledger.breaches(),
			keyLeaks: [...ledger.keyLeaks],
			polluted: Object.keys(Object.prototype),
		};
		sandbox.reset();
		host.reset();
		const nothing = { thrown: [], secretsInLog: [], breaches: [], keyLeaks: [], polluted: [] };
		expect(found).toEqual(nothing);
	});

	afterAll(async () => {
		await host.close();
		await sandbox.close();
	});

	/** Starts a task past the nodes; gives its id. */
	const startTask = async (order?: Parameters<typeof startTaskAt>[1]) =>
		await startTaskAt(sandbox, order);
	return {
		get host() {
			return host;
		},
		get sandbox() {
			return sandbox;
		},
		startTask,
		endedTask: async (prompt = 'A paper boat', outcome?: Outcome) => {
			const taskId = await startTask({ prompt });
			sandbox.finish(taskId, outcome);
			return taskId;
		},
		/** The item that the design gives a run for a task: what the API reports, in the fixed shape. */
		itemOf: async (taskId: string, metadata: IDataObject = {}): Promise<IDataObject> => {
			const headers = { Authorization: `Bearer ${sandbox.apiKey}` };
			const response = await fetch(`${sandbox.baseUrl}/status?task_id=${taskId}`, { headers });
			const { data }: { data: IDataObject } = JSON.parse(await response.text());
			const [url = null] = [data.response].flat();
			return {
				task_id: taskId,
				status: data.status,
				finished: true,
				succeeded: data.status === 'SUCCESS' && url !== null,
				video_url: url,
				model: 'seedance-v1',
				prompt: sandbox.tasks.get(taskId)?.order.prompt,
				consumed_credits: data.consumed_credits,
				estimated_credits: 8,
				created_at: data.created_at,
				reused: false,
				error_message: data.error_message,
				metadata,
			};
		},
	};
}
