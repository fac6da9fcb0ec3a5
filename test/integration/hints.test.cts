// What the editor says above the output after a run, and the highlighted data of an execution: credits that were used, tasks that
// still run, a loop that slows down.
import { ExecuteContext } from 'n8n-core';

import { OPERATIONS } from '../../nodes/Seedance/operations';
import { addRunHints } from '../../nodes/Seedance/run/hints';
import type { Run as NodeRun } from '../../nodes/Seedance/run/run';
import { NODE, type Order, type Run } from '../support/engine.cjs';
import { CONTINUE, ERROR_OUTPUT, RETRY_ON_FAIL, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, runPrompts, existingTask, existingTasks, waitFor, fault, ids } = world;
const NO_FILE = { downloadVideo: false };
const INVALID = { kind: 'error', code: 'INVALID_PROMPT' } as const;
const GENERATE = { operation: 'generate' };
const PIN = 'Pin this output while you build the next nodes.';
const STEP =
	'Build the next nodes with Execute step on each: that uses this output, without paying again.';
const AGAIN =
	process.env.SEEDANCE_LIST === 'off'
		? PIN
		: 'Run it again as often as you like while you build: the same settings give the same video, free, for 24 hours.';
const used = (credits: number, advice = AGAIN) => `This run used ${credits} credits. ${advice}`;
const finish = (which = 'them') => `Wait for Video finishes ${which} without paying again.`;
const generate = async (prompts: string[], order: Partial<Order> = {}): Promise<Run> =>
	await runPrompts(prompts, { ...order, parameters: { ...NO_FILE, ...order.parameters } });

describe('the credits of a run', () => {
	it.each<[string, number, string[], Partial<Order>]>([
		['with how not to pay them again', 28, ['one'], {}],
		[
			'of all videos, by the count of the API',
			112,
			['one', 'two', '[fail] three'],
			{ parameters: { generateAudio: true }, node: CONTINUE },
		],
		['of videos that were started without waiting', 56, ['a', 'b'], { parameters: GENERATE }],
		['of an earlier try of Retry On Fail too', 56, ['a', 'refused'], { node: RETRY_ON_FAIL }],
	])('are shown: %s', async (_, credits, prompts, order) => {
		fault('generate', INVALID, { prompt: 'refused' });
		const advice = order.node === CONTINUE ? PIN : AGAIN;
		expect((await generate(prompts, order)).hints).toEqual([used(credits, advice)]);
		expect(world.sandbox.ledger.spent).toBe(credits);
	});

	it.each([
		[PIN, { ifExists: 'never' }, CONTINUE],
		[PIN, { options: { videoList: false } }, CONTINUE],
		[STEP, { ifExists: 'never', downloadVideo: true }, CONTINUE],
		[STEP, { ifExists: 'never' }, ERROR_OUTPUT],
	])(
		'come with "%s" where a new run pays, because n8n pins no file and one branch only',
		async (advice, parameters, node) => {
			expect((await generate(['one'], { parameters, node })).hints).toEqual([used(28, advice)]);
		},
	);

	it('are those of this run only, in a loop', async () => {
		expect((await generate(['one'], { rounds: 2 })).hints).toEqual([used(28)]);
		expect(world.sandbox.ledger.spent).toBe(56);
	});

	it('are shown without advice while the execution is paused, and with it after', async () => {
		world.sandbox.tasks.taskSeconds = Infinity;
		const suspended = await generate(['one', 'two'], { parameters: { waitMethod: 'callback' } });
		expect(suspended.hints).toEqual(['This run used 56 credits.']);
		for (const id of ids()) world.sandbox.finish(id);
		// The hook has a few seconds only, and its reads take real time.
		world.n8n.clockSpeed = 1;
		const callback = { body: { data: { task_id: ids()[0] } } };
		expect((await world.n8n.callback(suspended, callback)).run?.hints).toEqual([used(56)]);
	});

	it('are not those of videos that failed, were refused, or that nobody knows of', async () => {
		fault('generate', INVALID, { prompt: 'refused' });
		const body = { code: 500, data: { task_id: 'seed15stray' } };
		fault('generate', { kind: 'refuse-with', status: 500, body }, { prompt: 'unclear' });
		const { json, hints } = await generate(['good', 'refused', 'unclear'], { node: CONTINUE });
		expect(json).toMatchObject([
			{ succeeded: true },
			{ error_code: 'invalid_input' },
			{ error_code: 'maybe_created' },
		]);
		expect(hints).toEqual([used(28, PIN)]);
		const nothing = await generate(['', '[fail]'], { node: CONTINUE });
		expect(nothing.hints).toEqual([]);
	});

	it('come after how many items failed, where n8n shows the mark of success', async () => {
		const { hints } = await generate(['good', '[fail]', ''], { node: ERROR_OUTPUT });
		expect(hints).toEqual([
			'2 of 3 items failed: see the Error Branch of this output.',
			used(28, STEP),
		]);
		const [alone] = (await generate([''], { node: ERROR_OUTPUT })).hints;
		expect(alone).toBe('1 of 1 item failed: see the Error Branch of this output.');
	});

	it('are not shown for a video that an earlier execution has paid for', async () => {
		const retried = await world.n8n.retry(await generate(['one'], { after: 'breaks' }));
		const waited = await waitFor([await existingTask()]);
		expect([retried.status, waited.json[0].succeeded]).toEqual(['success', true]);
		expect(waited).toMatchObject({ hints: [], highlighted: {} });
	});

	it.each(['trigger', 'webhook'] as const)(
		'are not shown in mode %s, but the tasks that still run are',
		async (mode) => {
			const parameters = { options: { timeout: 0.1 } };
			const { hints } = await generate(['[never]'], { mode, parameters, node: CONTINUE });
			expect(hints).toEqual([`1 of 1 task is still running: ${ids()[0]}. ${finish('it')}`]);
		},
	);
});

describe('tasks that still run', () => {
	it('are named after Get Status, up to three, and are no news when all have ended', async () => {
		const [ended, ...open] = await existingTasks(6, '[never]');
		world.sandbox.finish(ended);
		const { hints } = await waitFor([ended, ...open], { operation: 'status' });
		const three = open.slice(0, 3).join(', ');
		expect(hints).toEqual([`5 of 6 tasks still running: ${three} and 2 more. ${finish()}`]);
		expect((await waitFor([ended], { operation: 'status' })).hints).toEqual([]);
	});
});

it.each<[boolean, string, Partial<Order>]>([
	[true, 'once it has come round', { rounds: 2, loopsOverItems: true }],
	[false, 'when it comes round once', { loopsOverItems: true }],
	[false, 'when it is of another kind', { rounds: 2 }],
	[false, 'without a wait', { rounds: 2, loopsOverItems: true, parameters: GENERATE }],
])('Loop Over Items is called slower (%s) %s', async (isSlower, _, order) => {
	const slower = 'This node handles all items at once; Loop Over Items makes it slower.';
	expect((await generate(['one'], order)).hints.includes(slower)).toBe(isSlower);
});

describe('a hint has the colour of what it says:', () => {
	const hintsOf = ({ data }: Run) => data.resultData.runData[NODE].at(-1)?.hints;
	const location = 'outputPane';

	it('a limit that started nothing is a warning, not a green tick', async () => {
		const parameters = { options: { maxCredits: 55 } };
		const message =
			'The 2 videos would cost 56 credits, more than Maximum Credits per Run (55). Nothing was started.';
		const ended = await generate(['one', 'two'], { parameters, node: ERROR_OUTPUT });
		expect(hintsOf(ended)).toEqual([{ message, type: 'warning', location }]);
		const budget = { credits: 30, period: 'day', budgetFor: '={{ $json.prompt }}' };
		const ofClients = await generate(['a', 'b', 'b'], {
			parameters: { options: { creditBudget: { budget } } },
			node: CONTINUE,
			tables: world.n8n.tables(),
		});
		expect(ofClients.hints[0]).toMatch(/for "b" .* 2 of 3 items were not started\.$/);
		const credits = { message: used(28), type: 'info', location };
		expect(hintsOf(await generate(['one']))).toEqual([credits]);
	});

	it('a test URL as Callback URL is a warning, however the field came by it', async () => {
		const generateWith = async (path: string) => {
			const callbackUrl = `={{ 'http://127.0.0.1:5678/${path}/' + 'abc/webhook' }}`;
			return await generate(['one'], { parameters: { ...GENERATE, callbackUrl } });
		};
		const message = expect.stringContaining('works for two minutes only');
		const test = hintsOf(await generateWith('webhook-test'));
		expect(test).toContainEqual({ message, type: 'warning', location });
		expect((await generateWith('webhook')).hints.join()).not.toContain('two minutes');
	});

	it('one about a field takes no others along where that field is a list, or broken in one row', async () => {
		const url = 'http://127.0.0.1:5678/webhook-test/abc/webhook';
		const listed = { parameters: { ...GENERATE, callbackUrl: `={{ ['${url}'] }}` } };
		const hints = (await generate(['one'], listed)).hints.join();
		expect(hints).toContain('two minutes');
		expect(hints).toContain('This run used 28 credits.');
		const throwing = "={{ $json.prompt === 'a' ? $('Nowhere').item.json.x : '' }}";
		for (const field of ['callbackUrl', 'ifExists']) {
			const parameters = { ...GENERATE, [field]: throwing };
			const ended = await generate(['a', 'b'], { parameters, node: CONTINUE });
			expect(ended.hints.join()).toContain('This run used 28 credits.');
		}
	});
});

it('hints are left out where n8n has no place for them, and never take a result with them', () => {
	const bareRun = (parts: object): NodeRun => {
		const context = { getNodeParameter: () => '', ...parts };
		return Object.assign(Object.create(null), {
			context,
			mode: 'manual',
			isTool: false,
			runIndex: 0,
		});
	};
	const results = [{ seed: { taskId: 'seed1', model: null, prompt: null, estimatedCredits: 28 } }];
	addRunHints(bareRun({}), OPERATIONS.generate, results);
	const warnings: string[] = [];
	const logger = { warn: (text: string) => warnings.push(text) };
	const addExecutionHints = () => {
		throw new Error('no room');
	};
	addRunHints(bareRun({ logger, addExecutionHints }), OPERATIONS.generate, results);
	expect(warnings).toEqual([expect.stringContaining('no room')]);
});

describe('the highlighted data of an execution', () => {
	it('are there when the execution is stopped during the wait', async () => {
		const running = world.n8n.start({ parameters: { prompt: '[never]' } });
		await world.sandbox.ledger.until((ledger) => ledger.statusReads().length > 0);
		running.stop();
		const { status, highlighted } = await running.finished;
		expect(status).toBe('canceled');
		expect(highlighted).toEqual({ seedance_tasks: ids()[0], seedance_credits: '28' });
	});

	it('add up over a loop and a Retry, and count no video twice', async () => {
		fault('generate', INVALID, { prompt: 'b' });
		const { highlighted } = await generate(['a', 'b'], { node: RETRY_ON_FAIL, rounds: 2 });
		expect(highlighted).toEqual({ seedance_tasks: ids().join(', '), seedance_credits: '112' });
		expect(ids()).toHaveLength(4);
	});

	it('that cannot be written take no paid result with them', async () => {
		const spy = jest.spyOn(ExecuteContext.prototype, 'customData', 'get').mockImplementation(() => {
			throw new Error('Oops');
		});
		const { json } = await run({ prompt: 'A boat' });
		spy.mockRestore();
		expect(json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
	});
});
