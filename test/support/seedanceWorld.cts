// What the tests of the Seedance node start from: a sandbox, n8n's engine, and rules that hold in every one of them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
	startSandbox,
	type Fault,
	type FaultMatch,
	type Outcome,
	type Route,
	type Sandbox,
	type SandboxOptions,
	type TaskPlan,
	type OrderV1,
} from '../sandbox/server.cjs';
import {
	startEngine,
	type Engine,
	type Order,
	type Run,
	type RunError,
	type StoredCredential,
} from './engine.cjs';
import { startTaskAt } from './tasks.cjs';

/** How many times faster than real time the sandbox and the node's clock run. */
export const SPEED = 100;

export const CONTINUE = { onError: 'continueRegularOutput' } as const;
export const ERROR_OUTPUT = { onError: 'continueErrorOutput' } as const;
export const RETRY_ON_FAIL = { retryOnFail: true, maxTries: 3, waitBetweenTries: 5 };
export const NO_FILE = { downloadVideo: false };

type Parameters = Order['parameters'];
type Match = Omit<FaultMatch, 'route'>;

/**
 * Registers the hooks that start a sandbox and an engine for a test file, make both new after each test and close them.
 * After each test the ledger must show a faithful client: no API key outside of the Authorization header or in anything
 * a person sees, no unknown field, no departure from the contract.
 */
export function seedanceWorld(options: SandboxOptions = {}) {
	// A test takes a second or two, and many times that on a busy machine.
	jest.setTimeout(40_000);
	let sandbox: Sandbox;
	let n8n: Engine;
	const runs: Array<Promise<Run>> = [];
	const { taskSeconds = 12, videoBytes = 200_000 } = options;

	beforeAll(async () => {
		sandbox = await startSandbox({ speed: SPEED, ...options, taskSeconds, videoBytes });
		n8n = await startEngine();
		n8n.onRun = (run) => runs.push(run);
	});

	beforeEach(() => {
		n8n.credentials.clear();
		setCredential({});
		Object.assign(n8n, { clockSpeed: SPEED, fullDisk: false, binariesInMemory: false });
	});

	afterEach(async () => {
		const ended = await Promise.all(runs.splice(0));
		const { ledger } = sandbox;
		const shown = [...ended.map(({ everything }) => everything), JSON.stringify(n8n.logs)];
		const keys = [sandbox.apiKey, sandbox.otherAccount.apiKey];
		const leaks = shown.filter((text) => keys.some((key) => text.includes(key)));
		const [breaches, keyLeaks] = [ledger.breaches(), [...ledger.keyLeaks]];
		const unknown = ledger.posts().flatMap(({ unknownFields }) => unknownFields);
		sandbox.reset();
		Object.assign(sandbox, { speed: options.speed ?? SPEED, videoBytes });
		sandbox.tasks.taskSeconds = taskSeconds;
		sandbox.faults.limits.now = Date.now;
		n8n.logs.length = 0;
		expect({ leaks, keyLeaks, breaches, unknown }).toEqual({
			leaks: [],
			keyLeaks: [],
			breaches: [],
			unknown: [],
		});
	});

	afterAll(async () => {
		await sandbox.close();
		await n8n.close();
	});

	const setCredential = (change: Partial<StoredCredential>, name = 'Main account') => {
		const { apiKey, baseUrl } = sandbox;
		n8n.credentials.set(name, { apiKey, baseUrl, ...change });
	};
	const run = async (parameters: Parameters, order: Partial<Order> = {}) =>
		await n8n.run({ ...order, parameters: { operation: 'generateAndWait', ...parameters } });
	/** Lets requests of a route meet a fault: the next one, or those that `match`. */
	const fault = (route: Route, what: Fault, match: Match = {}) =>
		sandbox.faults.on(route, what, match);
	/** Starts a task past the node, as an earlier workflow would have, and gives its id. */
	const existingTask = async (body: Partial<OrderV1> = {}) =>
		await startTaskAt(sandbox, {
			prompt: 'A task of yesterday',
			aspect_ratio: '1:1',
			resolution: '720p',
			duration: '8',
			...body,
		});

	/** How the next task goes on, or those that `match`. */
	const plan = (wanted: TaskPlan, match?: Match) =>
		fault('generate', { kind: 'task', ...wanted }, match);

	return {
		get sandbox(): Sandbox {
			return sandbox;
		},
		get n8n(): Engine {
			return n8n;
		},
		run,
		failure: async (parameters: Parameters, order?: Partial<Order>) =>
			failureOf(await run(parameters, order)),
		/** One item per prompt, each with `={{ $json.prompt }}`. */
		runPrompts: async (prompts: readonly unknown[], order: Partial<Order> = {}) => {
			const items = prompts.map((prompt) => ({ json: { prompt: Object(prompt).valueOf() } }));
			const parameters = { prompt: '={{ $json.prompt }}', ...order.parameters };
			return await run(parameters, { ...order, items });
		},
		existingTask,
		/** The same for a task that has ended by now. */
		finishedTask: async (outcome?: Outcome, body?: Partial<OrderV1>) => {
			plan({ seconds: Infinity });
			const taskId = await existingTask(body);
			sandbox.finish(taskId, outcome);
			return taskId;
		},
		existingTasks: async (count: number, prompt = 'Of yesterday') => {
			const made: string[] = [];
			for (let nth = 0; nth < count; nth++) made.push(await existingTask({ prompt }));
			return made;
		},
		/** Wait for Video, an item for each task, without files; On Error is Continue. */
		waitFor: async (
			taskIds: readonly string[],
			parameters: Parameters = {},
			order: Partial<Order> = {},
		) => {
			const items = taskIds.map((task_id) => ({ json: { task_id } }));
			const wait = { operation: 'wait', ...NO_FILE, ...parameters };
			return await run(wait, { items, node: CONTINUE, ...order });
		},
		fault,
		plan,
		setCredential,
		posts: () => sandbox.ledger.posts(),
		charges: () => sandbox.ledger.charges(),
		reads: (taskId?: string) => sandbox.ledger.statusReads(taskId),
		ids: () => sandbox.tasks.all().map(({ id }) => id),
		/** Resolves when the node has written such a line to the log. */
		logged: async (part: string) => {
			const end = Date.now() + 5000;
			while (!n8n.logs.some(({ text }) => text.startsWith('Seedance') && text.includes(part))) {
				if (Date.now() > end) throw new Error(`Nothing with "${part}" was logged`);
				await new Promise((resolve) => setTimeout(resolve, 5));
			}
		},
	};
}

export function failureOf(run: Run | undefined): RunError {
	if (!run?.error) throw new Error(`The run did not fail: ${JSON.stringify(run?.json)}`);
	return run.error;
}

/** What became of each item: its error code, or whether it succeeded. */
export function codesOf({ json }: Run): unknown[] {
	return json.map(({ error_code, succeeded }) => error_code ?? succeeded);
}

export const all = (count: number, value: unknown): unknown[] => Array(count).fill(value);

/** A list of plain data from `test/fixtures`: inputs, bodies, faults. */
export function fixture<T>(name: string): T {
	return JSON.parse(readFileSync(join(__dirname, '../fixtures', `${name}.json`), 'utf8'));
}

/** What goes wrong, as lists: faults of a route, responses, credentials, and what is said of them. */
export const TROUBLE = fixture<{
	unclearPosts: Fault[];
	unreadTasks: Fault[];
	passingDownloads: Fault[];
	failingDownloads: Array<[Fault, string]>;
	refusals: Array<[string, number, object]>;
	credentials: Array<[string, Partial<StoredCredential>, string]>;
}>('trouble');
