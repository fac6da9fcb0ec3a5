// What a sheet or an expression gives is checked before anything is sent: broken values cost nothing, empty cells are defaults.
import type { Order } from '../support/engine.cjs';
import {
	all,
	CONTINUE,
	ERROR_OUTPUT,
	failureOf,
	fixture,
	seedanceWorld,
} from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, posts } = world;
const GENERATE = { operation: 'generate', prompt: 'A cat' };
/** `throwing`: where an expression can throw, and what is said then. `refused`: values, and what is said. */
const INPUT = fixture<{
	throwing: Array<[string, Order['parameters']]>;
	refused: Array<[Order['parameters'], string]>;
}>('input');
const nothingSent = () => expect([...posts(), ...world.reads()]).toEqual([]);

describe('an expression that throws', () => {
	it.each(INPUT.throwing)('fails each item in every setting: %s', async (says, parameters) => {
		const row = { row: 'of the sheet' };
		const runWith = async (node?: Order['node']) =>
			await run(
				{ prompt: 'A boat', ...parameters },
				{ items: [{ json: row }, { json: row }], node },
			);
		const error_message = expect.stringContaining(says);
		// A task that is known may have been paid for.
		const task_id = says.startsWith('Task ID') ? null : (parameters?.taskId ?? null);
		const charged = task_id === null ? 'no' : 'unknown';
		const of = { task_id, error_code: 'invalid_input', charged };
		const item = { ...of, succeeded: false, error_message };

		const continued = await runWith(CONTINUE);
		expect(continued.json).toMatchObject(all(2, item));
		expect(continued.json[0]).not.toHaveProperty('row');

		const [success, failed] = (await runWith(ERROR_OUTPUT)).outputs;
		const details = expect.objectContaining({ succeeded: false, ...of });
		expect(success).toEqual([]);
		expect(failed.map(({ json }) => json)).toEqual(
			all(2, { ...row, error: error_message, details }),
		);

		const stopped = await runWith();
		const { message, description, context } = failureOf(stopped);
		expect(`${message} ${description}`).toEqual(error_message);
		expect({ task_id: null, ...context }).toMatchObject(of);
		expect(/No credits were spent/.test(description)).toBe(charged === 'no');
		expect(stopped.reached('After')).toBeUndefined();
		nothingSent();
	});

	it('for one row only keeps no other row from its video', async () => {
		const prompt = "={{ $json.bad ? $('Nowhere').item.json.x : $json.prompt }}";
		const items = [{ json: { prompt: 'a' } }, { json: { bad: true } }, { json: { prompt: 'c' } }];
		const { json } = await run({ prompt }, { items, node: CONTINUE });
		expect(json.map(({ succeeded }) => succeeded)).toEqual([true, false, true]);
		expect(posts()).toHaveLength(2);
	});
});

it('of a single item says nothing about others, in every setting', async () => {
	for (const node of [CONTINUE, ERROR_OUTPUT, undefined]) {
		const ended = await run({ prompt: '={{ "" }}' }, { node });
		const text = node ? JSON.stringify(ended.outputs) : failureOf(ended).description;
		expect(text).toContain('No credits were spent.');
		expect(text).not.toContain('send this item alone again');
	}
});

it.each(INPUT.refused)('%j is refused before it costs: %s', async (parameters, reason) => {
	const { message, description, context } = await failure({ prompt: 'A cat', ...parameters });
	expect(`${message} ${description}`).toContain(reason);
	expect(description).toContain('No credits were spent.');
	expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
	nothingSent();
});

it.each([
	['={{ $json.none }}', 'Task ID is empty: this item has no such value.'],
	['seed{{ $json.id }}', 'Task ID'],
	['seed15abc123def456pro, seed15xyz789', 'Task ID holds 2 IDs; each item takes one.'],
])('the Task ID %j is refused by Get Status and Wait for Video', async (taskId, reason) => {
	for (const operation of ['status', 'wait']) {
		const { message, context } = await failure({ operation, taskId });
		expect(message).toContain(reason);
		expect(context).toMatchObject({ error_code: 'invalid_input' });
	}
	nothingSent();
});

it('an operation that does not exist is named', async () => {
	const { message, node } = await failure({ operation: 'remove' });
	expect(message).toBe('Operation "remove" does not exist in this node.');
	expect(node).toBe('Seedance');
});

describe('several wrong items', () => {
	const items = [
		{ json: { row: 1, prompt: 'A boat', ratio: '9:16', seconds: '8' } },
		{ json: { row: 2, prompt: 'A clock', ratio: '9:16:00', seconds: '8' } },
		{ json: { row: 3, prompt: 'A bird', ratio: '9:16', seconds: '7' } },
		{ json: { row: 4, prompt: ' ', ratio: '2:1', seconds: '8' } },
	];
	const FIELDS = {
		prompt: '={{ $json.prompt }}',
		aspectRatio: '={{ $json.ratio }}',
		duration: '={{ $json.seconds }}',
	};

	it('are all named in one error, one problem per line, and nothing is sent', async () => {
		const { message, description, context } = await failure(FIELDS, { items });
		expect(message).toBe('3 of 4 items cannot be used.');
		expect(description.split('<br />')).toEqual(
			expect.arrayContaining([
				expect.stringMatching(
					/^"A clock": Aspect Ratio "9:16:00" looks like a time or a date.*\[item 1\] \(number 2 of 4\)$/,
				),
				expect.stringMatching(/^"A bird": Duration "7" is not supported\..*\[item 2\]/),
				expect.stringMatching(/\[item 3\] \(number 4 of 4\)$/),
				expect.stringMatching(/^Prompt is empty/),
				expect.stringMatching(/^Aspect Ratio "2:1" is not supported\./),
				'1 more item was not started and cost nothing.',
			]),
		);
		expect(description).not.toContain('A boat');
		expect(description).toContain('No credits were spent.');
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		nothingSent();
	});

	it('have the fixed shape beside the finished videos when On Error continues', async () => {
		const ended = await run(FIELDS, { items, node: CONTINUE });
		expect(ended.json.map(({ succeeded }) => succeeded)).toEqual([true, false, false, false]);
		const error_message = expect.stringMatching(/^Duration "7" .* No credits were spent\.$/);
		const item = { error_code: 'invalid_input', charged: 'no', error_message };
		const nothing = { task_id: null, status: null, video_url: null, estimated_credits: null };
		expect(ended.json[2]).toMatchObject({ ...nothing, finished: true, prompt: 'A bird', ...item });
		expect(ended.items.map(({ pairedItem }) => pairedItem)).toEqual(
			items.map((_, item) => ({ item })),
		);
		expect(posts()).toHaveLength(1);
	});

	it('go to the error output with their input row and the details', async () => {
		const ended = await run(FIELDS, { items, node: ERROR_OUTPUT });
		const [success, failed] = ended.outputs.map((output) => output.map(({ json }) => json));
		expect(success).toEqual([expect.objectContaining({ succeeded: true, prompt: 'A boat' })]);
		expect(success[0]).not.toHaveProperty('error');
		expect(failed).toHaveLength(3);
		expect(failed[1]).toEqual({
			...items[2].json,
			error: expect.stringContaining('Duration "7" is not supported.'),
			details: expect.objectContaining({ error_code: 'invalid_input', succeeded: false }),
		});
		expect(['After', 'Failed'].map((name) => ended.reached(name)?.length)).toEqual([1, 3]);
	});
});

describe('Maximum Credits per Run', () => {
	const runThree = async (maxCredits: number, operation = 'generate') =>
		await runPrompts(['a', 'b', 'c'], { parameters: { operation, options: { maxCredits } } });

	it('starts nothing when all items together cost more, and everything when they cost as much', async () => {
		const { message, description, context } = failureOf(await runThree(83, 'generateAndWait'));
		expect(message).toContain(
			'The 3 videos would cost 84 credits, more than Maximum Credits per Run (83).',
		);
		expect(context).toMatchObject({ error_code: 'over_limit', charged: 'no' });
		expect(description).toContain('No credits were spent.');
		nothingSent();
		expect((await runThree(84)).json).toHaveLength(3);
	});
});

it('an empty cell is the default of its field, and is sent as such', async () => {
	const cell = '={{ $json.x }}';
	const parameters = {
		...GENERATE,
		imageSource: cell,
		imageUrl: 'https://a.example.com/cat.png',
		aspectRatio: cell,
		resolution: cell,
		duration: cell,
		generateAudio: cell,
		fixedLens: cell,
		simplify: cell,
		callbackUrl: cell,
		options: { includeInput: cell },
	};
	const items = [{ json: {} }, ...[null, '', '  '].map((x) => ({ json: { x } }))];
	expect((await run(parameters, { items })).json).toHaveLength(4);
	const sent = { prompt: 'A cat', aspect_ratio: '9:16', resolution: '720p', duration: '8' };
	expect(posts().map(({ json }) => json)).toEqual(all(4, sent));
});
