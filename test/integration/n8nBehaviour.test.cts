/**
 * What n8n does by itself, without running our nodes: the facts of docs/n8n-behaviour.md that n8n-core and n8n-workflow can show.
 * Another version of n8n that behaves differently fails here, under the name of the fact.
 */
import {
	NodeApiError,
	NodeHelpers,
	NodeOperationError,
	Workflow,
	type IDataObject,
	type IExecuteFunctions,
	type IHttpRequestOptions,
	type INode,
	type INodeExecutionData,
} from 'n8n-workflow';
import { createServer } from 'node:http';

import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { portOf } from '../sandbox/unreachable.cjs';
import {
	Credentials,
	NODE,
	nodeTypes,
	requireAsCore,
	SEEDANCE,
	startEngine,
	type Engine,
	type Run,
} from '../support/engine.cjs';
import { CONTINUE, ERROR_OUTPUT } from '../support/seedanceWorld.cjs';

/** Where nothing listens: the discard port. */
const NOBODY = 'http://127.0.0.1:9/';
const ROW: INodeExecutionData[] = [{ json: { row: 7 } }];
const TESTED: INode = {
	id: '1',
	name: 'Tested',
	type: SEEDANCE,
	typeVersion: 1,
	position: [0, 0],
	parameters: {},
};

type Execute = (this: IExecuteFunctions) => Promise<INodeExecutionData[][]>;

let n8n: Engine;
beforeAll(async () => {
	n8n = await startEngine({ clockSpeed: 1 });
	n8n.credentials.set('Main account', { apiKey: 'a key of nobody', baseUrl: NOBODY });
});
afterAll(async () => await n8n.close());

/** Runs a node that does what `execute` says in the place of ours: see `start` of the engine. */
async function run(
	execute: Execute,
	{ parameters = { prompt: 'A boat' }, ...node }: Partial<INode> = {},
) {
	jest.spyOn(Seedance.prototype, 'execute').mockImplementation(execute);
	return await n8n.run({ parameters, items: ROW, node });
}

const outputOf = (ended: Run, name = 'After') => ended.reached(name)?.map(({ json }) => json);

describe('a suspended node', () => {
	/** Suspends the first time; gives what it found at each run, and the run that it has suspended. */
	const suspend = async () => {
		const calls: unknown[] = [];
		const paused = await run(async function () {
			const { data } = this.getExecuteData();
			calls.push(
				[this.getInputData(), data.main[1]].map((items) => items?.map(({ json }) => json)),
			);
			if (calls.length > 1) return [this.getInputData()];
			data.main = [[{ json: { kept: true } }], this.getInputData()];
			await this.putExecutionToWait(new Date(Date.now() + 3_600_000));
			return [[]];
		});
		expect(paused.data.waitTill).toBeTruthy();
		return { calls, paused };
	};

	it('is passed over when the time is up: its stored input goes on, and nothing beside it', async () => {
		const { calls, paused } = await suspend();
		expect(outputOf(await n8n.timeUp(paused))).toEqual([{ kept: true }]);
		expect(calls).toHaveLength(1);
	});

	it('runs once more when a resume hook enables it again, with what the hook gives', async () => {
		const { calls, paused } = await suspend();
		const { data } = paused;
		const [entry] = data.executionData?.nodeExecutionStack ?? [];
		expect(entry.data.main[1]).toMatchObject(ROW);
		// What n8n does for a callback: the node is on, and what the hook returns is in the place of its input.
		delete data.waitTill;
		data.resultData.runData[NODE].pop();
		entry.data.main = [ROW, [{ json: { read: 1 } }]];
		const ended = await n8n.retry(paused);
		expect(calls[1]).toEqual([[{ row: 7 }], [{ read: 1 }]]);
		expect(outputOf(ended)).toEqual([{ row: 7 }]);
	});
});

describe('a failed node', () => {
	it('that throws hands its input on as if it were its output, with On Error = Continue', async () => {
		const broken = async () => {
			throw new Error('Broken');
		};
		expect(outputOf(await run(broken, CONTINUE))).toEqual([{ row: 7 }]);
	});

	it.each([
		['The job was canceled', 'canceled'],
		['The job was cancelled', 'error'],
	])('whose message says "%s" ends its execution as %s', async (message, status) => {
		const ended = await run(async function () {
			throw new NodeOperationError(this.getNode(), message);
		});
		expect(ended.status).toBe(status);
	});

	it.each([
		['a text', 'Broken', 2],
		['null, which older n8n takes for an error as well', null, 1],
	])(
		'is run again by Retry On Fail when its first item has an error: %s',
		async (_, error, runs) => {
			let calls = 0;
			const ended = await run(
				async function () {
					calls++;
					const memory = this.getContext('node');
					memory.calls = Number(memory.calls ?? 0) + 1;
					return [[{ json: { error, calls: memory.calls } }]];
				},
				{ retryOnFail: true, maxTries: 2, waitBetweenTries: 1 },
			);
			// The node's context is the same object in each try.
			expect(outputOf(ended)).toEqual([{ error, calls: runs }]);
			expect(calls).toBe(runs);
		},
	);

	it('gives an item to the error output, with its row, by its error and its details alone', async () => {
		const item = (json: INodeExecutionData['json'], error?: Error): INodeExecutionData => ({
			json,
			pairedItem: { item: 0 },
			...(error && { error: new NodeOperationError(TESTED, error) }),
		});
		const hidden = item({ error: 'hidden', details: { code: 1 } });
		Object.defineProperty(hidden, 'error', { value: { message: 'hidden' }, enumerable: false });
		const ended = await run(
			async () => [
				[
					item({ error: 'by its shape', details: { code: 2 } }),
					item({ error: 'one field more', details: {}, charged: 'no' }),
					item({ prompt: 'lost' }, new Error('by its own error')),
					hidden,
				],
			],
			ERROR_OUTPUT,
		);
		expect(outputOf(ended, 'Failed')).toEqual([
			{ row: 7, error: 'by its shape', details: { code: 2 } },
			{ error: 'by its own error' },
			{ row: 7, error: 'hidden', details: { code: 1 } },
		]);
		expect(outputOf(ended)).toEqual([{ error: 'one field more', details: {}, charged: 'no' }]);
	});
});

describe('an error of a node', () => {
	it('gets another message where it holds the name of a system error, until it is set again', () => {
		const error = new NodeOperationError(TESTED, 'Task seed-eperm-1 failed');
		expect(error.message).toContain('Operation not permitted');
		expect(error.messages).toEqual(['Task seed-eperm-1 failed']);
		error.message = 'Task seed-eperm-1 failed';
		expect(error.message).toBe('Task seed-eperm-1 failed');
	});

	it('advises to retry automatically where n8n finds the words for a status', () => {
		const error = new NodeApiError(TESTED, { httpCode: '503' });
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
	const highlight = async (values: Record<string, string>) =>
		await run(async function () {
			const customData: unknown = Reflect.get(this, 'customData');
			for (const [key, value] of Object.entries(values)) Object(customData).set(key, value);
			return [ROW];
		});

	it('has ten values: a further one is ignored without a word', async () => {
		const names = Array.from({ length: 11 }, (_, at) => `name_${at}`);
		const ended = await highlight(Object.fromEntries(names.map((name) => [name, 'x'])));
		expect(Object.keys(ended.highlighted)).toEqual(names.slice(0, 10));
		expect(ended.logs.filter(({ level }) => level === 'error')).toEqual([]);
	});

	it('keeps 512 characters of a value, and complains beyond 255', async () => {
		const complaints = ({ logs }: Run) =>
			logs.filter(({ text }) => text.includes('Custom data value'));
		const short = await highlight({ a: 'x'.repeat(255) });
		expect([short.highlighted.a.length, complaints(short).length]).toEqual([255, 0]);
		const long = await highlight({ a: 'x'.repeat(600) });
		expect([long.highlighted.a.length, complaints(long).length]).toEqual([512, 1]);
	});
});

describe('what a running node finds', () => {
	/** What `find` finds out inside of the node. */
	async function inside<T>(
		find: (context: IExecuteFunctions) => Promise<T>,
		node: Partial<INode> = {},
	): Promise<T> {
		const found: T[] = [];
		await run(async function () {
			found.push(await find(this));
			return [ROW];
		}, node);
		return found[0];
	}

	it('cancels its requests at Stop, whatever signal they bring, unless the context hides that it has one', async () => {
		const own = new AbortController().signal;
		const sent: IHttpRequestOptions[] = [];
		const spy = jest
			.spyOn(Credentials.prototype, 'authenticate')
			.mockImplementation(async (_data, _type, options) => {
				const request = { ...options, url: NOBODY, headers: {} };
				sent.push(request);
				return await Promise.resolve(request);
			});
		const ofStop = await inside(async (context) => {
			const hiding = new Proxy(context, {
				has: (target, key) => key !== 'getExecutionCancelSignal' && Reflect.has(target, key),
			});
			for (const caller of [context, hiding]) {
				await context.helpers.httpRequestWithAuthentication
					.call(caller, 'seedanceApi', { url: NOBODY, abortSignal: own })
					.catch(() => undefined);
			}
			return context.getExecutionCancelSignal?.();
		});
		spy.mockRestore();
		expect(ofStop).toBeInstanceOf(AbortSignal);
		expect(sent).toHaveLength(2);
		expect(sent[0].abortSignal).toBe(ofStop);
		expect(sent[1].abortSignal).toBe(own);
	});

	it('sends a request again whose response was 401, unless it takes every response', async () => {
		let requests = 0;
		const server = createServer((_, response) => {
			requests++;
			response.writeHead(401).end('{}');
		});
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const url = `http://127.0.0.1:${portOf(server.address())}/`;
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

	it('does not know that an AI agent runs it', async () => {
		expect(await inside(async (context) => context.isToolExecution?.())).toBe(false);
	});

	it('gets a text in which an expression without a value has left nothing, and the text as it was written', async () => {
		const text = '=A cat in {{ $json.city }}';
		const values = await inside(
			async (context) => [
				context.getNodeParameter('prompt', 0),
				context.getNodeParameter('prompt', 0, '', { rawExpressions: true }),
			],
			{ parameters: { prompt: text } },
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
	/** A workflow as n8n loads it for a callback, changed, and created again from the same data to start its run. */
	function changed(staticData: IDataObject | undefined): unknown {
		const stored = {
			id: 'workflow1',
			nodes: [TESTED],
			connections: {},
			active: false,
			nodeTypes,
			staticData,
		};
		const loaded = new Workflow(stored);
		loaded.getStaticData('node', loaded.nodes.Tested).delivered = ['seed1'];
		expect(loaded.staticData.__dataChanged).toBe(true);
		new Workflow(stored);
		return loaded.staticData.__dataChanged;
	}

	it('is not known to have changed any more once a run was started from it, but for the first change', () => {
		expect(changed(undefined)).toBe(true);
		expect(changed({ 'node:Tested': { delivered: [] } })).toBe(false);
	});
});
