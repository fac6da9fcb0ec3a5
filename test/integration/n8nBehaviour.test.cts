/**
 * What n8n does by itself, without running our nodes: the facts of docs/n8n-behaviour.md that n8n-core and n8n-workflow can show.
 * Another version of n8n that behaves differently fails here, under the name of the fact.
 */
import { ExecutionLifecycleHooks, WorkflowExecute } from 'n8n-core';
import {
	createRunExecutionData,
	NodeApiError,
	NodeConnectionTypes,
	NodeHelpers,
	NodeOperationError,
	Workflow,
	type IExecuteFunctions,
	type IHttpRequestOptions,
	type INode,
	type INodeExecutionData,
	type INodeType,
	type IRun,
	type IRunExecutionData,
	type WorkflowExecuteMode,
} from 'n8n-workflow';
import { createServer } from 'node:http';

import { Seedance } from '../../nodes/Seedance/Seedance.node';
import {
	additionalDataOf,
	Credentials,
	requireAsCore,
	startCore,
	type Core,
} from '../support/engine.cjs';

/** Where nothing answers: the discard port. */
const NOBODY = 'http://127.0.0.1:9/';
const IN_AN_HOUR = () => new Date(Date.now() + 3_600_000);
const ROW: INodeExecutionData[] = [{ json: { row: 7 } }];

type Execute = (this: IExecuteFunctions) => Promise<INodeExecutionData[][]>;

const credentials = new Credentials(
	new Map([['Account', { apiKey: 'a key of nobody', baseUrl: NOBODY }]]),
);
let core: Core;

beforeAll(async () => {
	core = await startCore();
});
afterEach(() => jest.restoreAllMocks());
afterAll(async () => await core.close());

function nodeType(outputs: number, execute: Execute): INodeType {
	return {
		description: {
			displayName: 'Test',
			name: 'test',
			group: ['transform'],
			version: 1,
			description: '',
			defaults: {},
			inputs: [NodeConnectionTypes.Main],
			outputs: Array.from({ length: outputs }, () => NodeConnectionTypes.Main),
			credentials: [{ name: 'seedanceApi' }],
			properties: [{ displayName: 'Text', name: 'text', type: 'string', default: '' }],
		},
		execute,
	};
}

/** `Start → Tested → After`, with `Failed` at the error output of `Tested`, which does what `execute` says. */
function workflowOf(execute: Execute, tested: Partial<INode> = {}, staticData?: object): Workflow {
	const types: Record<string, INodeType> = {
		'test.tested': nodeType(1, execute),
		'test.plain': nodeType(1, async function () {
			return [this.getInputData()];
		}),
	};
	const node = (name: string, type: string, more: Partial<INode> = {}): INode => ({
		id: name,
		name,
		type,
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
		...more,
	});
	const to = (name: string) => [{ node: name, type: NodeConnectionTypes.Main, index: 0 }];
	return new Workflow({
		id: 'workflow1',
		nodes: [
			node('Start', 'test.plain'),
			node('Tested', 'test.tested', {
				credentials: { seedanceApi: { id: '1', name: 'Account' } },
				...tested,
			}),
			node('After', 'test.plain'),
			node('Failed', 'test.plain'),
		],
		connections: {
			Start: { main: [to('Tested')] },
			Tested: { main: [to('After'), to('Failed')] },
		},
		active: false,
		nodeTypes: {
			getByName: (name) => types[name],
			getByNameAndVersion: (name) => NodeHelpers.getVersionedNodeType(types[name]),
			getKnownTypes: () => ({}),
		},
		settings: { executionOrder: 'v1' },
		...(staticData && { staticData: Object(staticData) }),
	});
}

/** Runs it from the start, or goes on with what n8n has stored of a run. */
async function run(
	workflow: Workflow,
	{ stored, mode = 'manual' }: { stored?: IRunExecutionData; mode?: WorkflowExecuteMode } = {},
): Promise<IRun> {
	const node = workflow.getNode('Start');
	if (!node) throw new Error('The workflow has no start');
	const data =
		stored ??
		createRunExecutionData({
			executionData: { nodeExecutionStack: [{ node, data: { main: [ROW] }, source: null }] },
		});
	const hooks = new ExecutionLifecycleHooks(mode, '1', {
		id: workflow.id,
		name: 'A workflow',
		active: false,
		activeVersionId: null,
		isArchived: false,
		createdAt: new Date(0),
		updatedAt: new Date(0),
		nodes: Object.values(workflow.nodes),
		connections: workflow.connectionsBySourceNode,
	});
	const additionalData = { ...additionalDataOf(credentials), executionId: '1', hooks };
	return await new WorkflowExecute(additionalData, mode, data).processRunExecutionData(workflow);
}

const outputOf = ({ data }: IRun, name: string) =>
	data.resultData.runData[name]?.at(-1)?.data?.main[0]?.map(({ json }) => json);

/** What was given out, as n8n stores an execution that waits. */
const asStored = ({ data }: IRun): IRunExecutionData => JSON.parse(JSON.stringify(data));

describe('a suspended node', () => {
	const suspends = (calls: unknown[]): Execute =>
		async function () {
			const { data } = this.getExecuteData();
			calls.push(
				[this.getInputData(), data.main[1]].map((items) => items?.map(({ json }) => json)),
			);
			if (calls.length > 1) return [this.getInputData()];
			data.main = [[{ json: { kept: true } }], this.getInputData()];
			await this.putExecutionToWait(IN_AN_HOUR());
			return [[]];
		};

	it('is passed over when the time is up: its stored input goes on, and nothing beside it', async () => {
		const calls: unknown[] = [];
		const workflow = workflowOf(suspends(calls));
		const paused = await run(workflow);
		expect(paused.data.waitTill).toBeTruthy();
		const ended = await run(workflow, { stored: asStored(paused) });
		expect(outputOf(ended, 'After')).toEqual([{ kept: true }]);
		expect(calls).toHaveLength(1);
	});

	it('runs once more when a resume hook enables it again, with what the hook gives', async () => {
		const calls: unknown[] = [];
		const workflow = workflowOf(suspends(calls));
		const stored = asStored(await run(workflow));
		const [entry] = stored.executionData?.nodeExecutionStack ?? [];
		expect(entry.data.main[1]).toMatchObject(ROW);
		// What n8n does for a callback: the node off, and what the hook returns in the place of its input.
		delete stored.waitTill;
		stored.resultData.runData.Tested.pop();
		entry.node.disabled = false;
		entry.data.main = [ROW, [{ json: { read: 1 } }]];
		const ended = await run(workflow, { stored });
		expect(calls[1]).toEqual([[{ row: 7 }], [{ read: 1 }]]);
		expect(outputOf(ended, 'After')).toEqual([{ row: 7 }]);
	});
});

describe('a failed node', () => {
	it('that throws hands its input on as if it were its output, with On Error = Continue', async () => {
		const workflow = workflowOf(
			async () => {
				throw new Error('Broken');
			},
			{ onError: 'continueRegularOutput' },
		);
		expect(outputOf(await run(workflow), 'After')).toEqual([{ row: 7 }]);
	});

	it.each([
		['The job was canceled', 'canceled'],
		['The job was cancelled', 'error'],
	])('whose message says "%s" ends its execution as %s', async (message, status) => {
		const workflow = workflowOf(async function () {
			throw new NodeOperationError(this.getNode(), message);
		});
		expect((await run(workflow)).status).toBe(status);
	});

	it.each([
		['a text', 'Broken', 2],
		['null, which older n8n takes for an error as well', null, 1],
	])(
		'is run again by Retry On Fail when its first item has an error: %s',
		async (_, error, runs) => {
			let calls = 0;
			const workflow = workflowOf(
				async function () {
					calls++;
					const memory = this.getContext('node');
					memory.calls = Number(memory.calls ?? 0) + 1;
					return [[{ json: { error, calls: memory.calls } }]];
				},
				{ retryOnFail: true, maxTries: 2, waitBetweenTries: 1 },
			);
			// The node's context is the same object in each try.
			expect(outputOf(await run(workflow), 'After')).toEqual([{ error, calls: runs }]);
			expect(calls).toBe(runs);
		},
	);

	it('gives an item to the error output, with its row, by its error and its details alone', async () => {
		const item = (json: INodeExecutionData['json'], error?: Error): INodeExecutionData => ({
			json,
			pairedItem: { item: 0 },
			...(error && { error: new NodeOperationError(workflow.nodes.Tested, error) }),
		});
		const hidden = item({ error: 'hidden', details: { code: 1 } });
		Object.defineProperty(hidden, 'error', { value: { message: 'hidden' }, enumerable: false });
		const workflow = workflowOf(
			async () => [
				[
					item({ error: 'by its shape', details: { code: 2 } }),
					item({ error: 'one field more', details: {}, charged: 'no' }),
					item({ prompt: 'lost' }, new Error('by its own error')),
					hidden,
				],
			],
			{ onError: 'continueErrorOutput' },
		);
		const ended = await run(workflow);
		expect(outputOf(ended, 'Failed')).toEqual([
			{ row: 7, error: 'by its shape', details: { code: 2 } },
			{ error: 'by its own error' },
			{ row: 7, error: 'hidden', details: { code: 1 } },
		]);
		expect(outputOf(ended, 'After')).toEqual([
			{ error: 'one field more', details: {}, charged: 'no' },
		]);
	});
});

describe('an error of a node', () => {
	const node = workflowOf(async () => [[]]).nodes.Tested;

	it('gets another message where it holds the name of a system error, until it is set again', () => {
		const error = new NodeOperationError(node, 'Task seed-eperm-1 failed');
		expect(error.message).toContain('Operation not permitted');
		expect(error.messages).toEqual(['Task seed-eperm-1 failed']);
		error.message = 'Task seed-eperm-1 failed';
		expect(error.message).toBe('Task seed-eperm-1 failed');
	});

	it('advises to retry automatically where n8n finds the words for a status', () => {
		const error = new NodeApiError(node, { httpCode: '503' });
		expect(error.message).toContain('retry automatically');
	});

	it('of the guard of private networks has a name that begins with Ssrf', () => {
		type Blocked = new (target: string) => Error;
		const network: Record<string, Blocked> = requireAsCore('@n8n/backend-network');
		for (const name of ['SsrfBlockedIpError', 'SsrfBlockedHostnameError']) {
			expect(new network[name]('10.0.0.1').name).toBe(name);
		}
	});
});

describe('the highlighted data of an execution', () => {
	const highlights = (values: Record<string, string>) =>
		workflowOf(async function () {
			const customData: unknown = Reflect.get(this, 'customData');
			for (const [key, value] of Object.entries(values)) Object(customData).set(key, value);
			return [ROW];
		});

	it('has ten values: a further one is ignored without a word', async () => {
		const names = Array.from({ length: 11 }, (_, at) => `name_${at}`);
		const workflow = highlights(Object.fromEntries(names.map((name) => [name, 'x'])));
		const before = core.logs.length;
		const { metadata } = (await run(workflow)).data.resultData;
		expect(Object.keys(metadata ?? {})).toEqual(names.slice(0, 10));
		expect(core.logs.slice(before).filter(({ level }) => level === 'error')).toEqual([]);
	});

	it('keeps 512 characters of a value, and complains beyond 255', async () => {
		const complaints = () => core.logs.filter(({ text }) => text.includes('Custom data value'));
		expect((await run(highlights({ a: 'x'.repeat(255) }))).data.resultData.metadata).toEqual({
			a: 'x'.repeat(255),
		});
		expect(complaints()).toEqual([]);
		const { metadata } = (await run(highlights({ a: 'x'.repeat(600) }))).data.resultData;
		expect(metadata?.a).toHaveLength(512);
		expect(complaints()).toHaveLength(1);
	});
});

describe('what a running node finds', () => {
	/** What `look` finds out inside of the node. */
	async function inside<T>(
		look: (context: IExecuteFunctions) => Promise<T>,
		tested: Partial<INode> = {},
	): Promise<T> {
		const found: T[] = [];
		await run(
			workflowOf(async function () {
				found.push(await look(this));
				return [ROW];
			}, tested),
		);
		return found[0];
	}

	it('ties its requests to Stop, whatever signal they bring, unless the context hides that it has one', async () => {
		const own = new AbortController().signal;
		const sent: IHttpRequestOptions[] = [];
		jest.spyOn(credentials, 'authenticate').mockImplementation(async (_data, _type, options) => {
			const request = { ...options, url: NOBODY, headers: {} };
			sent.push(request);
			return await Promise.resolve(request);
		});
		const signals = await inside(async (context) => {
			const hiding = new Proxy(context, {
				has: (target, key) => key !== 'getExecutionCancelSignal' && Reflect.has(target, key),
			});
			for (const caller of [context, hiding]) {
				await context.helpers.httpRequestWithAuthentication
					.call(caller, 'seedanceApi', { url: NOBODY, abortSignal: own })
					.catch(() => undefined);
			}
			return { ofStop: context.getExecutionCancelSignal?.() };
		});
		expect(signals.ofStop).toBeInstanceOf(AbortSignal);
		expect(sent).toHaveLength(2);
		expect(sent[0].abortSignal).toBe(signals.ofStop);
		expect(sent[1].abortSignal).toBe(own);
	});

	it('sends a request again whose response was 401, unless it takes every response', async () => {
		let requests = 0;
		const server = createServer((_, response) => {
			requests++;
			response.writeHead(401).end('{}');
		});
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const address = server.address();
		const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
		const send = async (ignoreHttpStatusErrors: boolean) => {
			requests = 0;
			await inside(async (context) => {
				const request = { url, method: 'POST', ignoreHttpStatusErrors } as const;
				await context.helpers.httpRequestWithAuthentication
					.call(context, 'seedanceApi', request)
					.catch(() => undefined);
			});
			return requests;
		};
		try {
			expect(await send(false)).toBe(2);
			expect(await send(true)).toBe(1);
		} finally {
			await new Promise((resolve) => server.close(resolve));
		}
	});

	it('is not told that an AI agent runs it', async () => {
		expect(await inside(async (context) => context.isToolExecution?.())).toBe(false);
	});

	it('gets a text in which an expression without a value has left nothing, and the text as it was written', async () => {
		const text = '=A cat in {{ $json.city }}';
		const values = await inside(
			async (context) => [
				context.getNodeParameter('text', 0),
				context.getNodeParameter('text', 0, '', { rawExpressions: true }),
			],
			{ parameters: { text } },
		);
		expect(values).toEqual(['A cat in ', text]);
	});
});

it('names a node by its resource and operation, and by its own name without a resource', () => {
	const { description } = new Seedance();
	const parameters = { resource: 'video', operation: 'generateAndWait' };
	expect(NodeHelpers.makeNodeName(parameters, description)).toBe('Generate video and wait');
	expect(NodeHelpers.makeDescription(parameters, description)).toContain('Generate video and wait');
	const alone = { operation: 'generateAndWait' };
	expect(NodeHelpers.makeNodeName(alone, description)).toBe('Seedance');
	expect(NodeHelpers.makeDescription(alone, description)).toBe(description.description);
});

describe('static data', () => {
	/** A workflow as n8n loads it for a callback, changed, and made anew from the same data to start its run. */
	function changed(staticData: object | undefined): unknown {
		const loaded = workflowOf(async () => [ROW], {}, staticData);
		loaded.getStaticData('node', loaded.nodes.Tested).delivered = ['seed1'];
		expect(loaded.staticData.__dataChanged).toBe(true);
		workflowOf(async () => [ROW], {}, staticData);
		return loaded.staticData.__dataChanged;
	}

	it('is not known to have changed any more once a run was started from it, but for the first change', () => {
		expect(changed(undefined)).toBe(true);
		expect(changed({ 'node:Tested': { delivered: [] } })).toBe(false);
	});
});
