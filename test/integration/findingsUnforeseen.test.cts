// What nobody foresaw: expressions that throw, and a throw in the middle of the work. Every item comes out, with its task where
// there is one, and none is called free of charge. Numbers are those of the faults that use has shown.
import { ExecuteContext } from 'n8n-core';

import * as follow from '../../nodes/Seedance/run/watch';
import * as identity from '../../nodes/shared/idempotency/identity';
import * as results from '../../nodes/Seedance/run/output';
import * as submit from '../../nodes/Seedance/run/submit';
import * as download from '../../nodes/shared/api/download';
import * as memory from '../../nodes/shared/idempotency/executionMemory';
import * as task from '../../nodes/shared/task/task';
import { SEEDANCE_TOOL, type LogLine, type Order, type Run } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

/** Milliseconds: a test takes a second or two, and many times that on a busy machine. */
jest.setTimeout(40_000);

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const CONTINUE = { onError: 'continueRegularOutput' } as const;
const ERROR_OUTPUT = { onError: 'continueErrorOutput' } as const;
/** Names of fields that only an input row has. */
const INPUT = { row: 'of the sheet' };

const THROWS = "={{ $('Nowhere').item.json.x }}";
/** n8n gives a field that takes no expression as the text that it is. */
const UNREADABLE = expect.stringMatching(/could not be read|still holds/);
/** Where an expression can throw, for each operation. */
const FIELDS: ReadonlyArray<[string, Order['parameters']]> = [
	['Operation', { operation: THROWS }],
	['Wait Method', { waitMethod: THROWS }],
	['Prompt', { prompt: THROWS }],
	['Aspect Ratio', { aspectRatio: THROWS }],
	['Resolution', { resolution: THROWS }],
	['Duration', { duration: THROWS }],
	['Generate Audio', { generateAudio: THROWS }],
	['Fixed Lens', { fixedLens: THROWS }],
	['Image', { imageSource: THROWS, imageUrl: 'http://127.0.0.1/a.png', imageBinaryField: 'data' }],
	['Image URL', { imageSource: 'url', imageUrl: THROWS }],
	['Input Data Field Name', { imageSource: 'binary', imageBinaryField: THROWS }],
	['Simplify', { simplify: THROWS }],
	['Download Video', { downloadVideo: THROWS }],
	['Output Data Field Name', { outputBinaryField: THROWS }],
	['Timeout', { options: { timeout: THROWS } }],
	['Check Every', { options: { pollInterval: THROWS } }],
	['Maximum Credits', { options: { maxCredits: THROWS } }],
	['Batching', { options: { batching: { batch: { batchSize: THROWS, batchInterval: 1 } } } }],
	['Include Other Input Fields', { options: { includeInput: THROWS } }],
	['Callback URL', { operation: 'generate', callbackUrl: THROWS }],
	[
		'Callback Metadata',
		{
			operation: 'generate',
			callbackUrl: 'http://127.0.0.1/hook',
			callbackMetadata: { values: [{ name: 'row', value: THROWS }] },
		},
	],
	['Duration of an estimate', { operation: 'estimateCost', duration: THROWS }],
	['Task ID to wait for', { operation: 'wait', taskId: THROWS }],
	['Task ID to look at', { operation: 'status', taskId: THROWS }],
	['Timeout of a wait', { operation: 'wait', taskId: 'seed15a', options: { timeout: THROWS } }],
	['Simplify of a look', { operation: 'status', taskId: 'seed15a', simplify: THROWS }],
];

describe('11: an expression that throws', () => {
	const items = [{ json: INPUT }, { json: INPUT }];
	const nothingSent = () =>
		expect([posts().length, world.sandbox.ledger.statusReads().length]).toEqual([0, 0]);

	it.each(FIELDS)('in %s fails each item when On Error continues', async (_, parameters) => {
		const run = await world.run({ prompt: 'A boat', ...parameters }, { items, node: CONTINUE });
		expect(run.json).toMatchObject(
			Array(2).fill({
				succeeded: false,
				task_id: null,
				error_code: 'invalid_input',
				error_message: UNREADABLE,
			}),
		);
		expect(run.json[0]).not.toHaveProperty('row');
		nothingSent();
	});

	it.each(FIELDS)(
		'in %s goes to the error output, and no row to success',
		async (_, parameters) => {
			const run = await world.run(
				{ prompt: 'A boat', ...parameters },
				{ items, node: ERROR_OUTPUT },
			);
			expect(run.outputs[0]).toEqual([]);
			expect(run.outputs[1].map(({ json }) => json)).toEqual(
				Array(2).fill({
					...INPUT,
					error: UNREADABLE,
					details: expect.objectContaining({ succeeded: false, error_code: 'invalid_input' }),
				}),
			);
			nothingSent();
		},
	);

	it.each(FIELDS)(
		'in %s stops the node with one error, and nothing is sent',
		async (_, parameters) => {
			const run = await world.run({ prompt: 'A boat', ...parameters }, { items });
			const { message, description, context } = failureOf(run);
			expect(`${message} ${description}`).toMatch(/could not be read|still holds/);
			expect(context).toMatchObject({ error_code: 'invalid_input' });
			expect(run.reached('After')).toBeUndefined();
			nothingSent();
		},
	);

	it('for one row only keeps no other row from its video', async () => {
		const run = await world.run(
			{ prompt: "={{ $json.bad ? $('Nowhere').item.json.x : $json.prompt }}" },
			{
				items: [{ json: { prompt: 'a' } }, { json: { bad: true } }, { json: { prompt: 'c' } }],
				node: CONTINUE,
			},
		);
		expect(run.json.map(({ succeeded }) => succeeded)).toEqual([true, false, true]);
		expect(posts()).toHaveLength(2);
	});
});

const OOPS = () => {
	throw new Error('Oops');
};

/** What a test has broken, to be taken back: the engine's own clock and store stay as they are. */
const broken: Array<{ mockRestore: () => void }> = [];
afterEach(() => {
	for (const spy of broken.splice(0)) spy.mockRestore();
});

/** n8n's log cannot be written to, from the n-th task on. */
function breakLog(nth: number) {
	const { logs } = world.n8n;
	const push = logs.push.bind(logs);
	let created = 0;
	return jest.spyOn(logs, 'push').mockImplementation((...lines: LogLine[]) => {
		if (lines.some(({ text }) => / created \(/.test(text)) && (created += 1) >= nth) OOPS();
		return push(...lines);
	});
}

/** Something inside that throws when all videos, or all but the last, have been paid for. */
const BREAKS: ReadonlyArray<[string, () => { mockRestore: () => void }]> = [
	['the wait', () => jest.spyOn(follow, 'watchAll').mockRejectedValue(new Error('Oops'))],
	['the end of a task', () => jest.spyOn(task, 'hasEnded').mockImplementation(OOPS)],
	['a download', () => jest.spyOn(download, 'fetchVideo').mockRejectedValue(new Error('Oops'))],
	['the order of the results', () => jest.spyOn(results, 'forEveryItem').mockImplementation(OOPS)],
	['the log', () => breakLog(3)],
];

describe('12: something unforeseen', () => {
	const run3 = async (node: Order['node'] = {}) =>
		await world.runPrompts(['a', 'b', 'c'], { node });

	it.each(BREAKS)(
		'in %s: every item comes out with its task, when On Error continues',
		async (_, arrange) => {
			broken.push(arrange());
			const run = await run3(CONTINUE);
			expect(ids()).toHaveLength(3);
			expect(run.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(run.json).toMatchObject(
				Array(3).fill({
					succeeded: false,
					error_code: 'contact_lost',
					charged: 'unknown',
					error_message: expect.stringContaining('Wait for Video'),
				}),
			);
			expect(JSON.stringify(run.json)).not.toContain('No credits were spent');
		},
	);

	it.each(BREAKS)('in %s: no row goes down the success branch', async (_, arrange) => {
		broken.push(arrange());
		const run = await run3(ERROR_OUTPUT);
		expect(run.outputs[0]).toEqual([]);
		expect(run.outputs[1].map(({ json }) => Object(json.details).task_id)).toEqual(ids());
	});

	it.each(BREAKS)('in %s: the error of the node names every task', async (_, arrange) => {
		broken.push(arrange());
		const { description, context } = failureOf(await run3());
		for (const id of ids()) expect(description).toContain(id);
		expect(context).toMatchObject({ charged: 'unknown' });
		expect(description).not.toContain('No credits were spent');
	});

	it('before the first POST: the items come out, and no cost is claimed', async () => {
		broken.push(jest.spyOn(identity, 'settingsKey').mockImplementation(OOPS));
		const run = await run3(CONTINUE);
		expect(run.json).toMatchObject(
			Array(3).fill({ task_id: null, succeeded: false, charged: 'unknown' }),
		);
		expect(JSON.stringify(run.json)).not.toContain('No credits were spent');
	});

	it('between two POSTs: the items come out, those that exist with their task', async () => {
		broken.push(breakLog(2));
		const run = await run3(CONTINUE);
		expect(ids()).toHaveLength(2);
		expect(run.json.map(({ task_id }) => task_id)).toEqual([...ids(), null]);
		expect(run.json.map(({ charged }) => charged)).toEqual(Array(3).fill('unknown'));
	});

	it('in the memory of the execution itself: the items come out all the same', async () => {
		broken.push(jest.spyOn(memory, 'executionMemory').mockImplementation(OOPS));
		const run = await run3(CONTINUE);
		expect(run.json).toMatchObject(Array(3).fill({ succeeded: false, charged: 'unknown' }));
	});

	it.each(['wait', 'status'])('in %s: every item keeps the ID it was given', async (operation) => {
		const taskIds = [await world.existingTask(), await world.existingTask({ prompt: 'b' })];
		const name = operation === 'wait' ? 'watchAll' : 'readAll';
		broken.push(jest.spyOn(follow, name).mockRejectedValue(new Error('Oops')));
		const run = await world.run(
			{ operation },
			{ items: taskIds.map((task_id) => ({ json: { task_id } })), node: CONTINUE },
		);
		expect(run.json.map(({ task_id }) => task_id)).toEqual(taskIds);
		expect(run.json).toMatchObject(
			Array(2).fill({ error_code: 'contact_lost', charged: 'unknown' }),
		);
	});

	it('as an AI tool: the model gets the ID, and is told not to generate again', async () => {
		broken.push(jest.spyOn(follow, 'watchAll').mockRejectedValue(new Error('Oops')));
		const run = await world.run({ prompt: 'A boat' }, { node: { type: SEEDANCE_TOOL } });
		expect(run.json[0]).toMatchObject({
			task_id: ids()[0],
			next_step: expect.stringContaining('Do not generate again.'),
		});
	});

	it('is gone on with by a Retry, without paying again', async () => {
		broken.push(jest.spyOn(follow, 'watchAll').mockRejectedValueOnce(new Error('Oops')));
		const run = await run3();
		failureOf(run);
		const retried = await world.n8n.retry(run);
		expect(retried.json.map(({ task_id }) => task_id)).toEqual(ids());
		expect(posts()).toHaveLength(3);
	});

	it('an item that some path forgets is never called free of charge', async () => {
		const { submitAll } = submit;
		broken.push(
			jest
				.spyOn(submit, 'submitAll')
				.mockImplementation(async (...given) => (await submitAll(...given)).slice(0, 2)),
		);
		const run = await run3(CONTINUE);
		expect(run.json.map(({ succeeded }) => succeeded)).toEqual([true, true, false]);
		expect(run.json[2]).toMatchObject({ charged: 'unknown' });
		expect(run.json[2].error_message).not.toContain('No credits were spent');
	});
});

describe('the highlighted data of an execution', () => {
	it('tell the IDs and the credits of what it has started', async () => {
		const run = await world.runPrompts(['a', 'b'], { parameters: { operation: 'generate' } });
		expect(run.highlighted).toEqual({
			seedance_tasks: ids().join(', '),
			seedance_credits: '56',
		});
	});

	it('are there when the execution is stopped during the wait', async () => {
		const running = world.n8n.start({
			parameters: { operation: 'generateAndWait', prompt: '[never]' },
		});
		await world.sandbox.ledger.until((ledger) => ledger.statusReads().length > 0);
		running.stop();
		const run = await running.finished;
		expect(run.status).toBe('canceled');
		expect(run.highlighted).toMatchObject({ seedance_tasks: ids()[0], seedance_credits: '28' });
	});

	it('hold the IDs of fifty videos, within what n8n keeps of a value', async () => {
		const prompts = Array.from({ length: 50 }, (_, row) => `Row ${row}`);
		const run = await world.runPrompts(prompts, { parameters: { operation: 'generate' } });
		const { seedance_credits: credits, ...lists } = run.highlighted;
		const values = Object.values(lists);
		expect(Math.max(...values.map(({ length }) => length))).toBeLessThanOrEqual(255);
		expect(values.flatMap((list) => list.split(', '))).toEqual(ids());
		expect(credits).toBe(String(50 * 28));
	});

	it('hold the newest IDs of more videos than there is room for', async () => {
		const prompts = Array.from({ length: 70 }, (_, row) => `Row ${row}`);
		const run = await world.runPrompts(prompts, { parameters: { operation: 'generate' } });
		const shown = Object.values(run.highlighted).join(', ');
		for (const id of ids().slice(-5)) expect(shown).toContain(id);
		expect(run.highlighted.seedance_credits).toBe(String(70 * 28));
	});

	it('add up over a loop and a Retry, and count no video twice', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b'], {
			node: { retryOnFail: true, maxTries: 2, waitBetweenTries: 1 },
			rounds: 2,
		});
		expect(run.highlighted).toEqual({
			seedance_tasks: ids().join(', '),
			seedance_credits: String(28 * ids().length),
		});
		expect(ids()).toHaveLength(4);
	});

	it('name a video of which only an error answer told', async () => {
		const body = { code: 500, data: { task_id: 'seed15known' } };
		world.sandbox.faults.on('generate', { kind: 'refuse-with', status: 500, body });
		const run = await world.run({ prompt: 'A boat' }, { node: CONTINUE });
		expect(run.highlighted).toMatchObject({ seedance_tasks: 'seed15known' });
	});

	it('hold nothing where nothing was started', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' });
		const refused = await world.run({ prompt: 'A boat' }, { node: CONTINUE });
		const taskId = await world.existingTask();
		const waited = await world.run({ operation: 'wait', taskId });
		expect([refused.highlighted, waited.highlighted]).toEqual([{}, {}]);
	});

	it('that cannot be written take no paid result with them', async () => {
		broken.push(jest.spyOn(ExecuteContext.prototype, 'customData', 'get').mockImplementation(OOPS));
		const run = await world.run({ prompt: 'A boat' });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
	});
});

describe('Include Other Input Fields', () => {
	const ROW = { json: { row: 7, prompt: 'of the sheet', status: 'draft', error: 'an old one' } };
	const include = async (
		parameters: Order['parameters'],
		order: Partial<Order> = {},
	): Promise<Run> =>
		await world.run(
			{ prompt: 'A boat', options: { includeInput: true }, ...parameters },
			{ items: [ROW], ...order },
		);

	it('adds the fields of the row, and those of Seedance win', async () => {
		const { json } = await include({});
		expect(json[0]).toMatchObject({ row: 7, prompt: 'A boat', status: 'SUCCESS', succeeded: true });
	});

	it('never puts an error key on a good item', async () => {
		const { json } = await include({ operation: 'generate' });
		expect(json[0]).not.toHaveProperty('error');
		expect(json[0]).toMatchObject({ row: 7, task_id: ids()[0] });
	});

	it('adds them to Raw and to a failed item as well', async () => {
		const raw = await include({ simplify: false });
		expect(raw.json[0]).toMatchObject({ row: 7, task_id: ids()[0] });
		const failed = await include({ prompt: '[fail]' }, { node: CONTINUE });
		expect(failed.json[0]).toMatchObject({ row: 7, succeeded: false, error_code: 'task_failed' });
	});

	it('is off unless it is chosen', async () => {
		const { json } = await include({ options: {} });
		expect(json[0]).not.toHaveProperty('row');
	});
});
