// What the tests of the Seedance node start from: a sandbox, n8n's engine, and rules that hold in every one of them.
import { startSandbox, type Sandbox, type SandboxOptions } from '../sandbox/server.cjs';
import { startEngine, type Engine, type Order, type Run } from './engine.cjs';

/** How many times faster than real time the sandbox and the node's clock run. */
export const SPEED = 100;

export interface World {
	readonly sandbox: Sandbox;
	readonly n8n: Engine;
	/** Runs Generate and Wait unless the parameters name another operation. */
	run: (parameters: Order['parameters'], order?: Omit<Order, 'parameters'>) => Promise<Run>;
	/** One item per prompt, each with `={{ $json.prompt }}`. */
	runPrompts: (prompts: readonly unknown[], order?: Partial<Order>) => Promise<Run>;
	/** Starts a task past the node, as an earlier workflow would have, and gives its id. */
	existingTask: (body?: Record<string, unknown>) => Promise<string>;
	/** So many of them, one after the other. */
	existingTasks: (count: number, prompt?: string) => Promise<string[]>;
	/** Wait for Video, an item for each task, without files; On Error is Continue. */
	waitFor: (
		taskIds: readonly string[],
		parameters?: Order['parameters'],
		order?: Partial<Order>,
	) => Promise<Run>;
}

/**
 * Registers the hooks that start a sandbox and an engine for a test file, make both new after each test and close them.
 * After each test the books must show a faithful client: no API key outside of the Authorization header or in anything
 * a person sees, no unknown field, no departure from the contract.
 */
export function seedanceWorld(options: SandboxOptions = {}): World {
	let sandbox: Sandbox;
	let n8n: Engine;
	const seen: Array<Promise<Run>> = [];

	beforeAll(async () => {
		sandbox = await startSandbox({
			speed: SPEED,
			taskSeconds: 12,
			videoBytes: 200_000,
			...options,
		});
		const engine = await startEngine({ clockSpeed: SPEED });
		n8n = Object.create(engine, {
			start: {
				value: (order: Order) => {
					const running = engine.start(order);
					seen.push(running.finished);
					return running;
				},
			},
			run: { value: async (order: Order) => await n8n.start(order).finished },
			retry: {
				value: async (run: Run, changes?: Partial<Order>) => {
					const retried = engine.retry(run, changes);
					seen.push(retried);
					return await retried;
				},
			},
		});
	});

	beforeEach(() => {
		n8n.credentials.clear();
		n8n.credentials.set('Main account', { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl });
		n8n.clockSpeed = SPEED;
		n8n.fullDisk = false;
		n8n.binariesInMemory = false;
	});

	afterEach(async () => {
		const ended = await Promise.all(seen);
		seen.length = 0;
		const { ledger } = sandbox;
		const shown = [...ended.map(({ everything }) => everything), JSON.stringify(n8n.logs)];
		const keys = [sandbox.apiKey, sandbox.otherAccount.apiKey];
		const leaks = shown.filter((text) => keys.some((key) => text.includes(key)));
		const [breaches, keyLeaks] = [ledger.breaches(), [...ledger.keyLeaks]];
		const unknown = ledger.posts().flatMap(({ unknownFields }) => unknownFields);
		sandbox.reset();
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

	const run: World['run'] = async (parameters, order = {}) =>
		await n8n.run({ ...order, parameters: { operation: 'generateAndWait', ...parameters } });

	const existingTask: World['existingTask'] = async (body = {}) => {
		const answer = await fetch(`${sandbox.baseUrl}/generate`, {
			method: 'POST',
			headers: {
				Authorization: `Bearer ${sandbox.apiKey}`,
				'Content-Type': 'application/json',
			},
			body: JSON.stringify({ prompt: 'A task of yesterday', ...body }),
		});
		await answer.text();
		const created = sandbox.ledger.posts().at(-1)?.taskId;
		if (!created) throw new Error('The sandbox took no task');
		return created;
	};

	return {
		get sandbox() {
			return sandbox;
		},
		get n8n() {
			return n8n;
		},
		run,
		runPrompts: async (prompts, order = {}) =>
			await run(
				{ prompt: '={{ $json.prompt }}', ...order.parameters },
				{
					...order,
					items: prompts.map((prompt) => ({ json: { prompt: Object(prompt).valueOf() } })),
				},
			),
		existingTask,
		existingTasks: async (count, prompt = 'Of yesterday') => {
			const made: string[] = [];
			for (let nth = 0; nth < count; nth++) made.push(await existingTask({ prompt }));
			return made;
		},
		waitFor: async (taskIds, parameters = {}, order = {}) =>
			await run(
				{ operation: 'wait', downloadVideo: false, ...parameters },
				{
					items: taskIds.map((task_id) => ({ json: { task_id } })),
					node: { onError: 'continueRegularOutput' },
					...order,
				},
			),
	};
}

/** The error of a run that has to have failed. */
export function failureOf(run: Run) {
	if (!run.error) throw new Error(`The run did not fail: ${JSON.stringify(run.json)}`);
	return run.error;
}
