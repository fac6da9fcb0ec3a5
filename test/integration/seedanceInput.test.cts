// What a sheet or an expression gives is checked before anything is sent: broken values cost nothing, empty cells are defaults.
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const rows = (...values: Array<string | number | null>) => values.map((x) => ({ json: { x } }));
const BROKEN = "={{ $('Nowhere').item.json.x }}";

describe('a broken expression', () => {
	it.each([
		['an object', '={{ $json }}', 'Prompt must be text, but the expression gave an object'],
		['an object in a text', '=A cat in {{ $json }}', 'Prompt holds "[object Object]"'],
		['a list', '={{ ["a", "b"] }}', 'Prompt must be text, but the expression gave a list of 2'],
		['a date', '={{ $now }}', 'Prompt must be text, but the expression gave a date'],
		['no number', '={{ 0 / 0 }}', 'Prompt must be text, but the expression gave NaN'],
		['nothing', '={{ $json.none }}', 'Prompt is empty: this item has no such value'],
		[
			'nothing in a text',
			'=A cat in {{ $json.city }}',
			'this item has no value for {{ $json.city }}',
		],
		[
			'a template that was not filled in',
			'A cat in {{city}} style {{style}}',
			'Prompt still holds "{{city}}"',
		],
		['the word for nothing', '=undefined', 'Prompt is only the word "undefined"'],
	])('as prompt that gives %s is refused before it costs', async (_, prompt, reason) => {
		const { message, description, context } = failureOf(
			await world.run({ operation: 'generate', prompt }, { items: rows(1) }),
		);
		expect(message).toContain(reason);
		expect(description).toContain('No credits were spent.');
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		expect(posts()).toEqual([]);
	});

	it.each([
		['Duration', { duration: BROKEN }],
		['Simplify', { simplify: BROKEN }],
		['Image', { imageSource: BROKEN, imageUrl: 'x' }],
		['Image URL', { imageSource: 'url', imageUrl: BROKEN }],
		['Download Video', { downloadVideo: BROKEN }],
		['Output Data Field Name', { outputBinaryField: BROKEN }],
		['Wait Method', { waitMethod: BROKEN }],
		['Maximum Credits per Run', { options: { maxCredits: BROKEN } }],
		['Items per Batch', { options: { batching: { batch: { batchSize: BROKEN } } } }],
		['Include Other Input Fields', { options: { includeInput: BROKEN } }],
		['Callback URL', { operation: 'generate', callbackUrl: BROKEN }],
		[
			'Callback Metadata "row"',
			{ operation: 'generate', callbackMetadata: { values: [{ name: 'row', value: BROKEN }] } },
		],
	])('is told by the label of its field: %s', async (label, parameters) => {
		const run = await world.run(
			{ prompt: 'A cat', ...parameters },
			{ node: { onError: 'continueRegularOutput' } },
		);
		expect(run.json).toEqual([
			expect.objectContaining({
				succeeded: false,
				error_code: 'invalid_input',
				error_message: expect.stringContaining(`${label} could not be read: `),
			}),
		]);
		expect(posts()).toEqual([]);
	});
});

it('every field of an item that cannot be read is told at once', async () => {
	const broken = { duration: BROKEN, resolution: BROKEN, simplify: BROKEN, imageSource: BROKEN };
	const run = await world.run(
		{ prompt: 'A cat', imageUrl: 'x', ...broken },
		{ node: { onError: 'continueRegularOutput' } },
	);
	const message = String(run.json[0].error_message);
	for (const label of ['Duration', 'Resolution', 'Simplify', 'Image']) {
		expect(message).toContain(`${label} could not be read: `);
	}
	expect(run.json[0]).toMatchObject({ prompt: null, error_code: 'invalid_input', charged: 'no' });
});

it.each(['status', 'wait'])('%s takes one Task ID an item, and says so', async (operation) => {
	const taskId = 'seed15abc123def456pro, seed15xyz789';
	expect(failureOf(await world.run({ operation, taskId })).message).toContain(
		'Task ID holds 2 IDs; each item takes one.',
	);
	expect(world.sandbox.ledger.statusReads()).toHaveLength(0);
});

it('Include Other Input Fields adds the row to the output, for the items that ask for it', async () => {
	const run = await world.run(
		{ operation: 'generate', prompt: 'A cat', options: { includeInput: '={{ $json.keep }}' } },
		{ items: [true, false].map((keep) => ({ json: { keep, row: 7, status: 'new' } })) },
	);
	expect(run.json.map(({ row, status }) => [row, status])).toEqual([
		[7, 'IN_PROGRESS'],
		[undefined, 'IN_PROGRESS'],
	]);
});

it('an empty cell is the default of its field, and is sent as such', async () => {
	const cell = '={{ $json.x }}';
	const run = await world.run(
		{
			operation: 'generate',
			prompt: 'A cat',
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
		},
		{ items: [{ json: {} }, ...rows(null, '', '  ')] },
	);
	expect(run.json).toHaveLength(4);
	for (const { json } of posts()) {
		expect(json).toEqual({
			prompt: 'A cat',
			aspect_ratio: '9:16',
			resolution: '720p',
			duration: '8',
		});
	}
	expect(posts()).toHaveLength(4);
});

it.each([8, '8', '8s', '={{ 8 }}', '={{ "8" }}'])(
	'the duration %j is sent as the text that the API wants',
	async (duration) => {
		await world.run({ operation: 'generate', prompt: 'A cat', duration });
		expect(posts().map(({ json }) => json)).toMatchObject([{ duration: '8' }]);
	},
);

it.each([
	['imageUrl', 'https://drive.google.com/file/d/1AbC/view', 'is a page of Google Drive'],
	['imageUrl', 'https://a.example.com/1.png, https://b.example.com/2.png', 'holds 2 links'],
	['callbackUrl', 'https://n8n.example.com/workflow/Yx3K9dQ2LmN8pRsT', "n8n's editor"],
	['callbackUrl', 'https://n8n.example.com/form/9d1f2a', 'the address of a form'],
])('%s %s is refused before anything is paid', async (name, link, reason) => {
	const run = await world.run({
		operation: 'generate',
		prompt: 'A cat',
		...(name === 'imageUrl' && { imageSource: 'url' }),
		[name]: link,
	});
	expect(failureOf(run).message).toContain(reason);
	expect(posts()).toEqual([]);
});

it('a number beyond its bounds is refused before anything is paid', async () => {
	const options = { timeout: 1e12, pollInterval: 3_000_000 };
	const { description } = failureOf(await world.run({ prompt: 'A cat', options }));
	expect(description).toContain('Timeout (Minutes) must be a number from 0 to 10080');
	expect(description).toContain('Check Every (Seconds) must be a number from 1 to 3600');
	expect(posts()).toEqual([]);
});

it('an API in the network of n8n cannot call this machine, and nothing is paid', async () => {
	world.n8n.credentials.set('Main account', {
		apiKey: world.sandbox.apiKey,
		baseUrl: 'http://proxy.internal/v1',
	});
	const callbackUrl = 'http://localhost:5678/webhook/x';
	const run = await world.run({ operation: 'generate', prompt: 'A cat', callbackUrl });
	expect(failureOf(run).message).toContain('points to this machine itself (localhost)');
});
