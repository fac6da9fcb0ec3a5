// What the editor says above the output after a run: credits that were used, tasks that still run, a loop that slows down.
import type { Run as NodeRun } from '../../nodes/Seedance/run/run';
import { OPERATIONS } from '../../nodes/Seedance/operations';
import { addRunHints } from '../../nodes/Seedance/run/hints';
import { NODE, SEEDANCE_TOOL, type Order, type Run } from '../support/engine.cjs';
import { seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const NO_FILE = { prompt: '={{ $json.prompt }}', downloadVideo: false };
const PIN = 'Pin this output while you build the next nodes.';
const CONTINUE = { onError: 'continueRegularOutput' } as const;

const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const generate = async (prompts: string[], order: Partial<Order> = {}): Promise<Run> =>
	await world.runPrompts(prompts, { ...order, parameters: { ...NO_FILE, ...order.parameters } });

describe('the credits of a run', () => {
	it('are told, with how not to pay them again', async () => {
		expect((await generate(['one'])).hints).toEqual([`This run used 28 credits. ${PIN}`]);
		expect(world.sandbox.ledger.spent).toBe(28);
	});

	it('are those of all videos, by the count of the API', async () => {
		const run = await generate(['one', 'two', '[fail] three'], {
			parameters: { generateAudio: true },
			node: CONTINUE,
		});
		expect(world.sandbox.ledger.spent).toBe(2 * 56);
		expect(run.hints).toEqual([`This run used 112 credits. ${PIN}`]);
	});

	it('come with other advice where there is a file, because n8n cannot pin that', async () => {
		const run = await generate(['one'], { parameters: { downloadVideo: true } });
		expect(run.items[0].binary).toBeDefined();
		expect(run.hints).toEqual([
			'This run used 28 credits. Build the next nodes with Execute step on each: that uses this output, without paying again.',
		]);
	});

	it('are told of videos that were started without waiting', async () => {
		const run = await generate(['one', 'two'], { parameters: { operation: 'generate' } });
		expect(run.hints).toEqual([`This run used 56 credits. ${PIN}`]);
	});

	it('hold those of an earlier try of Retry On Fail', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const node = { retryOnFail: true, maxTries: 2, waitBetweenTries: 1 };
		expect((await generate(['a', 'b'], { node })).hints).toEqual([
			`This run used 56 credits. ${PIN}`,
		]);
		expect(world.sandbox.ledger.spent).toBe(56);
	});

	it('are those of this run only, in a loop', async () => {
		const run = await generate(['one'], { rounds: 2 });
		expect(world.sandbox.ledger.spent).toBe(56);
		expect(run.hints).toEqual([`This run used 28 credits. ${PIN}`]);
	});

	it('are told after a pause', async () => {
		world.sandbox.tasks.taskSeconds = Infinity;
		const suspended = await generate(['one', 'two'], { parameters: { waitMethod: 'callback' } });
		world.sandbox.tasks.taskSeconds = 12;
		for (const id of ids()) world.sandbox.finish(id);
		// The hook has a few seconds only, and its reads take real time.
		world.n8n.clockSpeed = 1;
		const { run } = await world.n8n.callback(suspended, { body: { data: { task_id: ids()[0] } } });
		expect(run?.json).toMatchObject([{ succeeded: true }, { succeeded: true }]);
		expect(run?.hints).toEqual([`This run used 56 credits. ${PIN}`]);
	});

	it.each([
		['was not started', { prompt: '={{ "" }}' }],
		['failed and was refunded', { prompt: '[fail]' }],
	])('are not told when the only video %s', async (_, parameters) => {
		expect((await generate(['x'], { parameters, node: CONTINUE })).hints).toEqual([]);
		expect(world.sandbox.ledger.spent).toBe(0);
	});

	it('are not those of a video that was refused, or that nobody knows of', async () => {
		const { faults } = world.sandbox;
		faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'refused' });
		const unclear = { code: 500, data: { task_id: 'seed15stray' } };
		faults.on(
			'generate',
			{ kind: 'refuse-with', status: 500, body: unclear },
			{ prompt: 'unclear' },
		);
		const run = await generate(['good', 'refused', 'unclear'], { node: CONTINUE });
		expect(run.json.map(({ error_code: code }) => code)).toEqual([
			undefined,
			'invalid_input',
			'maybe_created',
		]);
		expect(run.hints).toEqual([`This run used 28 credits. ${PIN}`]);
	});

	it('are not told of a video that an earlier execution has paid for', async () => {
		const first = await generate(['one'], { after: 'breaks' });
		const retried = await world.n8n.retry(first);
		const taskId = await world.existingTask();
		const waited = await world.run({ operation: 'wait', taskId, downloadVideo: false });
		expect([retried.status, waited.json[0].succeeded]).toEqual(['success', true]);
		expect(waited.hints).toEqual([]);
	});

	it.each(['trigger', 'webhook'] as const)(
		'are not told in mode %s, which nobody builds in',
		async (mode) => {
			expect((await generate(['one'], { mode })).hints).toEqual([]);
		},
	);

	it('are not told to an AI agent', async () => {
		const run = await generate(['[never]'], {
			parameters: { options: { timeout: 0.1 } },
			node: { type: SEEDANCE_TOOL },
		});
		expect(run.json[0]).toHaveProperty('next_step');
		expect(run.hints).toEqual([]);
	});
});

describe('tasks that still run', () => {
	const look = async (taskIds: string[], parameters: Order['parameters'] = {}) =>
		await world.n8n.run({
			parameters: { operation: 'status', taskId: '={{ $json.task_id }}', ...parameters },
			items: taskIds.map((task_id) => ({ json: { task_id } })),
		});
	const tasks = async (...prompts: string[]) => {
		const made: string[] = [];
		for (const prompt of prompts) made.push(await world.existingTask({ prompt }));
		return made;
	};

	it('are named after Get Status, with what to do', async () => {
		const [first, second, third] = await tasks('[never] one', 'two', '[never] three');
		world.sandbox.finish(second);
		expect((await look([first, second, third])).hints).toEqual([
			`2 of 3 tasks still running: ${first}, ${third}. Wait for Video finishes them without paying again.`,
		]);
	});

	it('are named up to three', async () => {
		const made = await tasks(...Array<string>(5).fill('[never]'));
		const [hint] = (await look(made)).hints;
		expect(hint).toContain(
			`5 of 5 tasks still running: ${made.slice(0, 3).join(', ')} and 2 more.`,
		);
		expect(hint).not.toContain(made[3]);
	});

	it('are named when the time was up, beside what was paid for them', async () => {
		const run = await generate(['one', '[never] two'], {
			parameters: { options: { timeout: 1 } },
			node: CONTINUE,
		});
		expect(run.hints).toEqual([
			`1 of 2 tasks still running: ${ids()[1]}. Wait for Video finishes them without paying again.`,
			`This run used 56 credits. ${PIN}`,
		]);
	});

	it('are told in every mode, because an execution can be looked at later', async () => {
		const [task] = await tasks('[never]');
		const run = await world.run(
			{ operation: 'wait', taskId: task, options: { timeout: 0.1 } },
			{ mode: 'trigger', node: CONTINUE },
		);
		expect(run.hints).toEqual([
			`1 of 1 task is still running: ${task}. Wait for Video finishes them without paying again.`,
		]);
	});

	it('are no news when all have ended', async () => {
		const [task] = await tasks('one');
		world.sandbox.finish(task);
		expect((await look([task])).hints).toEqual([]);
	});
});

describe('Loop Over Items around the node', () => {
	const SLOWER = 'This node handles all items at once; Loop Over Items makes it slower.';

	it('is called slower, once it has come round', async () => {
		const run = await generate(['one'], { rounds: 2, loopsOverItems: true });
		expect(run.hints).toContain(SLOWER);
	});

	it.each([
		['that comes round once', { loopsOverItems: true }],
		['of another kind', { rounds: 2 }],
		[
			'that starts videos without waiting',
			{ rounds: 2, loopsOverItems: true, parameters: { operation: 'generate' } },
		],
	])('is not, in a loop %s', async (_, order) => {
		expect((await generate(['one'], order)).hints).not.toContain(SLOWER);
	});
});

describe('a hint has the colour of what it says', () => {
	const hintsOf = (run: Run) => run.data.resultData.runData[NODE].at(-1)?.hints;

	it('a limit that started nothing is a warning, not a green tick', async () => {
		const run = await generate(['one', 'two'], {
			parameters: { options: { maxCredits: 55 } },
			node: { onError: 'continueErrorOutput' },
		});
		expect(hintsOf(run)).toEqual([
			{
				message:
					'The 2 videos would cost 56 credits, more than Maximum Credits per Run (55). Nothing was started.',
				type: 'warning',
				location: 'outputPane',
			},
		]);
	});

	it('a test URL as Callback URL is a warning, however the field came by it', async () => {
		const callbackUrl = "={{ 'http://127.0.0.1:5678/webhook-test/' + 'abc/webhook' }}";
		const parameters = { operation: 'generate', callbackUrl };
		const run = await generate(['one'], { parameters });
		expect(hintsOf(run)).toContainEqual({
			message: expect.stringContaining('works for two minutes only'),
			type: 'warning',
			location: 'outputPane',
		});
		const real = "={{ 'http://127.0.0.1:5678/webhook/abc/webhook' }}";
		const other = await generate(['one'], { parameters: { ...parameters, callbackUrl: real } });
		expect(other.hints.join()).not.toContain('two minutes');
	});

	it('the credits of a run are information', async () => {
		const run = await generate(['one']);
		expect(hintsOf(run)).toEqual([
			{ message: `This run used 28 credits. ${PIN}`, type: 'info', location: 'outputPane' },
		]);
	});
});

/** A run in the editor of which n8n gives no more than these parts. */
function bareRun(parts: object): NodeRun {
	const context = {
		getNode: () => ({ type: 'seedance', name: 'Seedance' }),
		getMode: () => 'manual',
		getNodeParameter: () => 'generate',
		...parts,
	};
	return Object.assign(Object.create(null), {
		context,
		mode: 'manual',
		isTool: false,
		runIndex: 0,
	});
}

it('are left out where n8n has no place for them', () => {
	const known = { taskId: 'seed1', prompt: null, estimatedCredits: 28 };
	expect(() => addRunHints(bareRun({}), OPERATIONS.generate, [{ seed: known }])).not.toThrow();
});

it('never take a paid result with them, whatever goes wrong', () => {
	const warnings: string[] = [];
	const run = bareRun({
		logger: { warn: (text: string) => warnings.push(text) },
		addExecutionHints: () => {
			throw new Error('no room');
		},
	});
	const known = { taskId: 'seed1', prompt: null, estimatedCredits: 28 };
	addRunHints(run, OPERATIONS.generate, [{ seed: known }]);
	expect(warnings).toEqual([expect.stringContaining('no room')]);
});
