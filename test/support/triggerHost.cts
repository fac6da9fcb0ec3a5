// Hosts Seedance Trigger in this process as n8n does: a real HTTP server that makes n8n-core's own webhook context for
// each request, calls the node's `webhook()`, and does with the result what n8n 2.41 does (its `body-parser`,
// `live-webhooks`, `test-webhooks`, `webhook-helpers`, `webhook-request-handler` and `workflow-runner`, which no test can
// load). Only a run is not carried out: it is noted.
import { WebhookContext } from 'n8n-core';
import {
	jsonParse,
	LoggerProxy,
	NodeConnectionTypes,
	OperationalError,
	sanitizeXmlName,
	UnexpectedError,
	Workflow,
	type IDataObject,
	type INode,
	type INodeExecutionData,
	type INodeParameters,
	type INodeType,
	type INodeTypes,
	type IWebhookData,
	type IWebhookResponseData,
} from 'n8n-workflow';
import * as n8nWorkflow from 'n8n-workflow';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { parse as parseQuery } from 'node:querystring';
import type { Readable } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { createGunzip, createInflate } from 'node:zlib';

import type * as clockModule from '../../nodes/shared/n8n/clock';
import {
	startSandbox,
	type Outcome,
	type Sandbox,
	type SandboxOptions,
} from '../sandbox/server.cjs';
import {
	additionalDataOf,
	Credentials,
	fastClock,
	slowDeadlines,
	requireAsCore,
	SEEDANCE_TRIGGER,
	startCore,
	type LogLine,
	type StoredCredential,
} from './engine.cjs';

/** MB that n8n takes of a body unless N8N_PAYLOAD_SIZE_MAX says otherwise. */
const PAYLOAD_MAX_MB = 16;

/** A trigger node in a workflow; what is not given is that of the usual one. */
export interface TriggerPlace {
	/** Id of its workflow, whose static data it shares with the others in it. */
	workflow?: string;
	/** Name of the node, and its id. */
	node?: string;
	/** What is not given has the node's default. */
	parameters?: INodeParameters;
	/** Name of its credential; null for none. Default `Main account`. */
	credential?: string | null;
}

/** A run that was started. */
export interface StartedRun {
	workflow: string;
	node: string;
	mode: 'webhook' | 'manual';
	items: INodeExecutionData[];
	/** The json of the items. */
	json: IDataObject[];
}

export interface HostedTrigger {
	/** The production URL. */
	readonly url: string;
	/** Answers from `listen()` until it has started a run. */
	readonly testUrl: string;
	/** Its runs, in the order in which they were started. */
	readonly runs: readonly StartedRun[];
	/** May be changed at any time, as by publishing the workflow again. */
	parameters: INodeParameters;
	credential: string | null;
	/** "Listen for test event". */
	listen: () => void;
}

export interface TriggerHost {
	/** The trigger that is there from the beginning. */
	readonly trigger: HostedTrigger;
	/** Credentials by name. */
	readonly credentials: Map<string, StoredCredential>;
	/** Everything logged so far, oldest first. */
	readonly logs: LogLine[];
	/** The runs of all triggers, in the order in which they were started. */
	readonly runs: readonly StartedRun[];
	/** What the node's `webhook()` threw; n8n starts a run with an empty item then. */
	readonly thrown: readonly unknown[];
	/** The static data of each workflow as n8n's database has it: JSON. */
	readonly staticData: Map<string, string>;
	/** How many times faster than real time the node's clock runs. */
	clockSpeed: number;
	/**
	 * Called for each run before it is noted; it is not started when this rejects. `left` resolves when the connection
	 * of the sender is closed. Null for the usual.
	 */
	createRun: ((run: StartedRun, left: Promise<void>) => Promise<void>) | null;
	add: (place: TriggerPlace) => HostedTrigger;
	/** Ends this process and starts another one: nothing in memory, the static data kept. */
	restart: () => void;
	/** Fails all runs that are still being created, so that nothing hangs behind a test that has failed. */
	giveUp: () => void;
	/** Resolves when no request is being handled, those whose sender hung up included. */
	idle: () => Promise<void>;
	/** No runs, empty log and static data, the usual parameters, new memory. Added triggers are gone. */
	reset: () => void;
	close: () => Promise<void>;
}

const HOST = '127.0.0.1';
const METHODS = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'];
const USUAL: Required<TriggerPlace> = {
	workflow: 'workflow1',
	node: 'Seedance Trigger',
	parameters: {},
	credential: 'Main account',
};

/** An error that n8n answers with its own HTTP status. */
class ResponseError extends Error {
	constructor(
		readonly httpStatus: number,
		message: string,
		readonly hint?: string,
	) {
		super(message);
	}
}

/** The request as n8n hands it to a node: Express's, with what n8n's reader adds. */
interface WebhookRequest extends IncomingMessage {
	path: string;
	query: Record<string, unknown>;
	params: Record<string, string>;
	body?: unknown;
}

/** The response as n8n hands it to a node: the part of Express's that n8n and nodes use. */
interface WebhookReply extends ServerResponse {
	status: (code: number) => WebhookReply;
	json: (body: unknown) => WebhookReply;
	send: (body: string) => WebhookReply;
}

type WorkflowParameters = ConstructorParameters<typeof Workflow>[0];

/** What n8n answers by itself: nothing when the node has answered. */
type Answer = { noWebhookResponse: true } | { body: unknown; status: number };

const { parseIncomingMessage }: { parseIncomingMessage: (message: IncomingMessage) => void } =
	requireAsCore('@n8n/backend-network');
const qs: { parse: (text: string, options: object) => Record<string, unknown> } = createRequire(
	requireAsCore.resolve('@n8n/backend-network'),
)('qs');
const xml2js: {
	Parser: new (options: object) => { parseStringPromise: (text: string) => Promise<unknown> };
} = createRequire(require.resolve('n8n-workflow'))('xml2js');

function asRequest(message: IncomingMessage): WebhookRequest {
	const [path, query = ''] = (message.url ?? '').split(/\?(.*)/s);
	return Object.assign(message, {
		path,
		// As Express does with "query parser: extended".
		query: qs.parse(query, { allowPrototypes: true }),
		params: {},
	});
}

function asResponse(message: ServerResponse): WebhookReply {
	const end = (text: string, type: string) => {
		message.setHeader('Content-Type', type);
		message.setHeader('Content-Length', Buffer.byteLength(text));
		message.end(message.req.method === 'HEAD' ? undefined : text);
		return response;
	};
	const response: WebhookReply = Object.assign(message, {
		status: (code: number) => {
			message.statusCode = code;
			return response;
		},
		json: (body: unknown) => end(JSON.stringify(body) ?? '', 'application/json; charset=utf-8'),
		send: (body: string) => end(body, 'text/html; charset=utf-8'),
	});
	return response;
}

/** n8n's `readRawBody`: unpacked, and no larger than n8n takes. */
async function readRawBody(req: WebhookRequest): Promise<Buffer> {
	const limit = PAYLOAD_MAX_MB * 1024 * 1024;
	const packing = req.headers['content-encoding'];
	let stream: Readable = req;
	if (packing === 'gzip') stream = req.pipe(createGunzip());
	else if (packing === 'deflate') stream = req.pipe(createInflate());
	else if (Number(req.headers['content-length']) > limit) {
		throw new Error('request entity too large');
	}
	return await new Promise((resolve, reject) => {
		const chunks: Buffer[] = [];
		let size = 0;
		stream.on('data', (chunk: Buffer) => {
			size += chunk.length;
			if (size <= limit) return void chunks.push(chunk);
			stream.removeAllListeners('data');
			req.unpipe();
			req.resume();
			reject(new Error('request entity too large'));
		});
		stream.once('end', () => resolve(Buffer.concat(chunks)));
		stream.once('error', reject);
		req.once('close', () => {
			if (!req.complete) reject(new ResponseError(400, 'Request body stream was aborted mid-read'));
		});
	});
}

/** A form of several parts: fields and files by name, a lone one without its array. n8n uses formidable for this. */
async function parseParts(raw: Buffer, type: string) {
	const body: Record<'data' | 'files', Record<string, unknown>> = { data: {}, files: {} };
	let parts: FormData;
	try {
		parts = await new Response(new Uint8Array(raw), {
			headers: { 'content-type': type },
		}).formData();
	} catch {
		throw new ResponseError(400, 'The submitted form data could not be parsed.');
	}
	for (const name of new Set(parts.keys())) {
		const values = parts.getAll(name);
		const isText = values.every((value) => typeof value === 'string');
		body[isText ? 'data' : 'files'][name] = values.length === 1 ? values[0] : values;
	}
	return body;
}

const withoutMark = (text: string) => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);

async function parsed(raw: Buffer, contentType = '', encoding?: BufferEncoding): Promise<unknown> {
	if (contentType === 'application/json') return jsonParse(withoutMark(raw.toString(encoding)));
	if (contentType.endsWith('/xml') || contentType.endsWith('+xml')) {
		const parser = new xml2js.Parser({
			async: true,
			normalize: true,
			normalizeTags: true,
			explicitArray: false,
			tagNameProcessors: [sanitizeXmlName],
			attrNameProcessors: [sanitizeXmlName],
		});
		return await parser.parseStringPromise(raw.toString(encoding));
	}
	if (contentType === 'application/x-www-form-urlencoded') {
		const text = withoutMark(raw.toString(encoding));
		return parseQuery(text, undefined, undefined, { maxKeys: 1000 });
	}
	return contentType === 'text/plain' ? raw.toString(encoding) : undefined;
}

/** n8n's `parseRequestBody` for a node of version 1. There is no body at all where n8n does not know its type. */
async function parseRequestBody(req: WebhookRequest): Promise<void> {
	parseIncomingMessage(req);
	const { contentType, encoding } = req;
	if (contentType?.startsWith('multipart/') && contentType !== 'multipart/form-data') return;
	req.rawBody = await readRawBody(req);
	if (contentType === 'multipart/form-data') {
		req.body = await parseParts(req.rawBody, req.headers['content-type'] ?? '');
		return;
	}
	if (!req.rawBody.length) return;
	try {
		req.body = await parsed(req.rawBody, contentType, encoding);
	} catch (error) {
		const why = error instanceof Error ? error.message : '';
		throw new ResponseError(422, 'Failed to parse request body', why);
	}
}

/**
 * Loads the node's modules anew, as a process that has just started, with their clock at the host's speed. Packages stay
 * the same, so that the node and n8n-core share n8n-workflow as they do in n8n.
 */
function loadTrigger(speed: () => number): INodeType {
	let trigger: INodeType | undefined;
	jest.doMock('n8n-workflow', () => n8nWorkflow);
	jest.isolateModules(() => {
		const clock: typeof clockModule = require('../../nodes/shared/n8n/clock');
		const { realClock } = clock;
		const unbound: typeof realClock = (signal) => ({
			...realClock(signal),
			// A node leaves sleeps behind that nobody waits for; they must not keep this process alive.
			sleep: async (ms, cancel) =>
				await sleep(ms, true, { ref: false, signal: cancel }).catch(() => false),
		});
		jest.spyOn(clock, 'realClock').mockImplementation(fastClock(unbound, speed));
		slowDeadlines(clock, speed);
		const node: {
			SeedanceTrigger: new () => INodeType;
		} = require('../../nodes/SeedanceTrigger/SeedanceTrigger.node');
		trigger = new node.SeedanceTrigger();
	});
	jest.dontMock('n8n-workflow');
	if (!trigger) throw new Error('The trigger could not be loaded');
	return trigger;
}

/** Starts a host on a free port. Needs jest. One per test file, and no engine beside it; close it when done. */
export async function startTriggerHost(): Promise<TriggerHost> {
	const core = await startCore();
	const credentials = new Map<string, StoredCredential>();
	const helper = new Credentials(credentials);
	const runs: StartedRun[] = [];
	const thrown: unknown[] = [];
	const staticData = new Map<string, string>();
	const places = new Map<string, Required<TriggerPlace>>();
	const listening = new Set<string>();
	const underWay = new Set<Promise<void>>();
	const pending = new Set<(reason: Error) => void>();
	let clockSpeed = 1;
	let createRun: TriggerHost['createRun'] = null;
	let nodeType = loadTrigger(() => clockSpeed);

	const nodeTypes: INodeTypes = {
		getByName: () => nodeType,
		getByNameAndVersion: () => nodeType,
		getKnownTypes: () => ({}),
	};

	/** What n8n reads of a workflow for each request, its static data as they are in the database at this moment. */
	const load = async (place: Required<TriggerPlace>): Promise<WorkflowParameters> => {
		await turn();
		const nodes = [...places.values()]
			.filter(({ workflow }) => workflow === place.workflow)
			.map(
				({ node: name, parameters, credential }): INode => ({
					id: `id of ${name}`,
					name,
					type: SEEDANCE_TRIGGER,
					typeVersion: 1,
					position: [0, 0],
					webhookId: `id of ${name}`,
					parameters,
					...(credential !== null && {
						credentials: { seedanceApi: { id: credential, name: credential } },
					}),
				}),
			);
		return {
			id: place.workflow,
			name: 'A workflow under test',
			nodes,
			connections: {
				[place.node]: { main: [[{ node: 'Next', type: NodeConnectionTypes.Main, index: 0 }]] },
			},
			active: true,
			nodeTypes,
			staticData: JSON.parse(staticData.get(place.workflow) ?? 'null') ?? undefined,
			settings: { executionOrder: 'v1' },
		};
	};

	/** Saved whole when it was changed, so that of several at once the last one wins. */
	const saveStaticData = async (workflow: Workflow) => {
		if (workflow.staticData.__dataChanged !== true) return;
		const json = JSON.stringify(workflow.staticData);
		await turn();
		staticData.set(workflow.id, json);
		workflow.staticData.__dataChanged = false;
	};

	/**
	 * n8n makes another workflow of what it has loaded, on the same object of static data, and forgets by that that the
	 * data were changed. (Its next one has static data of its own.)
	 */
	const startRun = async (loaded: WorkflowParameters, run: StartedRun, res: WebhookReply) => {
		new Workflow(loaded);
		await turn();
		if (createRun) {
			const left = new Promise<void>((resolve) => res.once('close', resolve));
			const givenUp = new Promise<void>((_, reject) => pending.add(reject));
			await Promise.race([createRun(run, left), givenUp]);
		}
		runs.push(run);
	};

	/** n8n's `executeWebhook`; `respond` may be called before a run is started. */
	const executeWebhook = async (
		loaded: WorkflowParameters,
		workflow: Workflow,
		node: INode,
		mode: StartedRun['mode'],
		req: WebhookRequest,
		res: WebhookReply,
		respond: (error: Error | null, answer?: Answer) => Promise<void>,
	): Promise<boolean> => {
		let hasResponded = false;
		try {
			const description = nodeType.description.webhooks?.find(
				({ httpMethod }) => httpMethod === req.method,
			);
			if (!description) {
				throw new ResponseError(404, `This webhook is not registered for ${req.method} requests.`);
			}
			const additionalData = {
				...additionalDataOf(helper),
				httpRequest: req,
				httpResponse: res,
			};
			await parseRequestBody(req);
			const webhookData: IWebhookData = {
				httpMethod: description.httpMethod === 'GET' ? 'GET' : 'POST',
				node: node.name,
				path: req.path,
				webhookDescription: description,
				workflowId: workflow.id,
				workflowExecuteAdditionalData: additionalData,
				webhookId: node.webhookId,
				isTest: mode === 'manual',
			};
			let result: IWebhookResponseData;
			try {
				const context = new WebhookContext(
					workflow,
					node,
					additionalData,
					mode,
					webhookData,
					[],
					null,
				);
				if (!nodeType.webhook) throw new UnexpectedError('Node does not have any webhooks defined');
				result = await nodeType.webhook.call(context);
			} catch (error) {
				thrown.push(error);
				LoggerProxy.error('The node threw', { error });
				void respond(new Error('Workflow Webhook Error: Workflow could not be started!'));
				hasResponded = true;
				result = { noWebhookResponse: true, workflowData: [[{ json: {} }]] };
			}
			if (req.contentType === 'multipart/form-data') void result.webhookResponse;
			if (result.noWebhookResponse === true && !hasResponded) {
				void respond(null, { noWebhookResponse: true });
				hasResponded = true;
			}
			const [items] = result.workflowData ?? [];
			if (!items) {
				const body = result.webhookResponse ?? { message: 'Webhook call received' };
				if (!hasResponded) void respond(null, { body, status: 200 });
				return false;
			}
			const json = items.map((item) => item.json);
			const run = { workflow: workflow.id, node: node.name, mode, items, json };
			await startRun(loaded, run, res);
			if (!hasResponded) {
				const given = description.responseData ?? 'firstEntryJson';
				const usual = result.webhookResponse ?? { message: 'Workflow was started' };
				const body = given === 'noData' ? undefined : given || usual;
				void respond(null, { body, status: 200 });
			}
			return true;
		} catch (cause) {
			const error =
				cause instanceof ResponseError && cause.httpStatus < 500
					? cause
					: new OperationalError('There was a problem executing the workflow', { cause });
			if (hasResponded) throw error;
			void respond(error);
			return false;
		}
	};

	const answerOf = async (req: WebhookRequest, res: WebhookReply): Promise<Answer> => {
		const found = /^\/webhook(-test)?\/(.+?)\/?$/.exec(req.path);
		const key = decodeURIComponent(found?.[2] ?? '');
		const place = places.get(key);
		const isTest = found?.[1] !== undefined;
		if (!place || (isTest && !listening.has(key))) {
			throw new ResponseError(404, `The requested webhook "${req.method}" is not registered.`);
		}
		const loaded = await load(place);
		const workflow = new Workflow(loaded);
		const node = workflow.getNode(place.node);
		if (!node) throw new ResponseError(404, 'Could not find node to process webhook.');
		const mode = isTest ? 'manual' : 'webhook';
		return await new Promise((resolve, reject) => {
			executeWebhook(loaded, workflow, node, mode, req, res, async (error, answer) => {
				if (error || !answer) return reject(error);
				if (!isTest) await saveStaticData(workflow);
				resolve(answer);
			}).then((isStarted) => {
				if (isStarted && isTest) listening.delete(key);
			}, reject);
		});
	};

	/** n8n's `WebhookRequestHandler`. */
	const handle = async (req: WebhookRequest, res: WebhookReply) => {
		if (req.method === 'OPTIONS') return void res.status(204).end();
		try {
			if (!METHODS.includes(req.method ?? '')) {
				throw new Error(`The method ${req.method} is not supported.`);
			}
			const answer = await answerOf(req, res);
			if ('noWebhookResponse' in answer) return;
			res.status(answer.status).setHeader('Content-Security-Policy', 'sandbox');
			if (typeof answer.body === 'string') res.send(answer.body);
			else res.json(answer.body);
		} catch (error) {
			const message = error instanceof Error ? error.message : String(error);
			LoggerProxy.error(`Error in handling webhook request ${req.method} ${req.path}: ${message}`, {
				error,
			});
			const status = error instanceof ResponseError ? error.httpStatus : 500;
			const hint = error instanceof ResponseError ? error.hint : undefined;
			res.status(status).json({ code: status === 500 ? 0 : status, message, hint });
		}
	};

	const server = createServer((message, answer) => {
		const handling = handle(asRequest(message), asResponse(answer)).finally(() =>
			underWay.delete(handling),
		);
		underWay.add(handling);
	});
	await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
	const address = server.address();
	if (address === null || typeof address === 'string') throw new Error('The host has no port');
	const { port }: AddressInfo = address;

	const add = (given: TriggerPlace = {}): HostedTrigger => {
		const place = { ...USUAL, ...given };
		const key = `${place.workflow}/${place.node}`;
		places.set(key, place);
		const path = key.split('/').map(encodeURIComponent).join('/');
		return {
			url: `http://${HOST}:${port}/webhook/${path}`,
			testUrl: `http://${HOST}:${port}/webhook-test/${path}`,
			get runs() {
				return runs.filter(
					({ workflow, node }) => workflow === place.workflow && node === place.node,
				);
			},
			get parameters() {
				return place.parameters;
			},
			set parameters(parameters) {
				place.parameters = parameters;
			},
			get credential() {
				return place.credential;
			},
			set credential(credential) {
				place.credential = credential;
			},
			listen: () => void listening.add(key),
		};
	};
	let trigger = add();
	const giveUp = () => {
		for (const fail of pending) fail(new Error('Given up'));
		pending.clear();
	};
	const restart = () => {
		nodeType = loadTrigger(() => clockSpeed);
	};

	return {
		get trigger() {
			return trigger;
		},
		credentials,
		logs: core.logs,
		runs,
		thrown,
		staticData,
		get clockSpeed() {
			return clockSpeed;
		},
		set clockSpeed(speed) {
			clockSpeed = speed;
		},
		get createRun() {
			return createRun;
		},
		set createRun(create) {
			createRun = create;
		},
		add,
		restart,
		giveUp,
		idle: async () => {
			while (underWay.size) await Promise.all(underWay);
		},
		reset: () => {
			restart();
			runs.length = 0;
			thrown.length = 0;
			core.logs.length = 0;
			staticData.clear();
			places.clear();
			listening.clear();
			clockSpeed = 1;
			createRun = null;
			trigger = add();
		},
		close: async () => {
			giveUp();
			await new Promise<void>((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			});
			await Promise.allSettled(underWay);
			jest.restoreAllMocks();
			await core.close();
		},
	};
}

/** A host and a sandbox whose tasks end when a test says so. */
export interface TriggerWorld {
	readonly host: TriggerHost;
	readonly sandbox: Sandbox;
	/** Starts a task past the nodes; gives its id. */
	startTask: (order?: { prompt?: string; callback_url?: string }) => Promise<string>;
	/** Starts a task and ends it. */
	endedTask: (prompt?: string, outcome?: Outcome) => Promise<string>;
	/** The item that the design gives a run for a task: what the API tells, in the fixed shape. */
	itemOf: (taskId: string, metadata?: IDataObject) => Promise<IDataObject>;
}

/**
 * Registers the hooks that start both for a test file, make both new after each test and close them. After each test
 * nothing may have been thrown, no key or signature may be in the log, and the books must show a faithful client.
 */
export function triggerWorld(options: SandboxOptions = {}): TriggerWorld {
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
		const { ledger } = sandbox;
		const log = JSON.stringify(host.logs);
		const found = {
			thrown: [...host.thrown],
			secretsInLog: [sandbox.apiKey, sandbox.otherAccount.apiKey, 'seedance_sig'].filter((secret) =>
				log.includes(secret),
			),
			breaches: ledger.breaches(),
			keyLeaks: [...ledger.keyLeaks],
			isPolluted: 'polluted' in {},
		};
		sandbox.reset();
		host.reset();
		expect(found).toEqual({
			thrown: [],
			secretsInLog: [],
			breaches: [],
			keyLeaks: [],
			isPolluted: false,
		});
	});

	afterAll(async () => {
		await host.close();
		await sandbox.close();
	});

	const call = async (path: string, body?: object): Promise<Record<string, unknown>> => {
		const answer = await fetch(`${sandbox.baseUrl}${path}`, {
			method: body ? 'POST' : 'GET',
			headers: {
				Authorization: `Bearer ${sandbox.apiKey}`,
				...(body && { 'Content-Type': 'application/json' }),
			},
			body: body && JSON.stringify(body),
		});
		const { data }: { data: Record<string, unknown> } = JSON.parse(await answer.text());
		return data;
	};
	const startTask: TriggerWorld['startTask'] = async (order = {}) =>
		String(
			(
				await call('/generate', {
					prompt: 'A paper boat',
					aspect_ratio: '9:16',
					resolution: '480p',
					duration: '4',
					...order,
				})
			).task_id,
		);

	return {
		get host() {
			return host;
		},
		get sandbox() {
			return sandbox;
		},
		startTask,
		endedTask: async (prompt, outcome) => {
			const taskId = await startTask({ prompt: prompt ?? 'A paper boat' });
			sandbox.finish(taskId, outcome);
			return taskId;
		},
		itemOf: async (taskId, metadata = {}) => {
			const task = await call(`/status?task_id=${taskId}`);
			const urls = Array.isArray(task.response) ? task.response : [];
			const prompt = sandbox.tasks.get(taskId)?.order.prompt;
			return {
				task_id: taskId,
				status: String(task.status),
				finished: true,
				succeeded: task.status === 'SUCCESS' && urls.length > 0,
				video_url: urls.length ? String(urls[0]) : null,
				prompt: prompt ?? null,
				consumed_credits: Number(task.consumed_credits),
				estimated_credits: 8,
				created_at: String(task.created_at),
				error_message: task.error_message === null ? null : String(task.error_message),
				metadata,
			};
		},
	};
}
