// What a user reads when the API refuses, breaks or stays silent, whether it cost anything, and On Error in its settings.
import * as api from '../../nodes/shared/api/client';
import {
	ERROR_CODES,
	ERROR_SHAPES,
	ERRORS,
	WRONG_SHAPES,
	type ErrorCode,
	type ErrorShape,
	type Fault,
} from '../sandbox/server.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
/** The minute that a POST waits for its answer is made shorter: only the clock is not the real one. */
const limits: { POST_TIMEOUT_MS: number } = api;
const posts = () => world.sandbox.ledger.posts();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const CONTINUE = { onError: 'continueRegularOutput' } as const;
const ERROR_OUTPUT = { onError: 'continueErrorOutput' } as const;

const NO_COST = 'No credits were spent.';
const UNKNOWN_COST = 'Whether credits were spent is not known.';

interface Told {
	code: string;
	charged: string;
	message: string;
}

/** What a person is told when the POST meets an error of the contract. */
function toldOfPost(code: ErrorCode, shape: ErrorShape): Told {
	const { status, message } = ERRORS[code];
	switch (code) {
		case 'INVALID_API_KEY':
			return { code: 'invalid_api_key', charged: 'no', message: 'The API key was refused.' };
		case 'INSUFFICIENT_CREDITS':
			return {
				code: 'out_of_credits',
				charged: 'no',
				message: 'Your Seedance account does not have enough credits.',
			};
		case 'INTERNAL_ERROR':
			return {
				code: 'maybe_created',
				charged: 'unknown',
				message:
					'The video may have been started, and charged: the API answered with a server error',
			};
		case 'TASK_NOT_FOUND':
			return {
				code: 'not_created',
				charged: 'no',
				message:
					shape === 'html'
						? `The base URL gave an answer that is not the API's (HTTP ${status}).`
						: 'The API refused to start the video',
			};
		default:
			return shape === 'html'
				? {
						code: 'not_created',
						charged: 'no',
						message: `The base URL gave an answer that is not the API's (HTTP ${status}).`,
					}
				: {
						code: 'invalid_input',
						charged: 'no',
						// Where the envelope says no more than "error", that is what is passed on.
						message: `The API refused the request: ${shape === 'data-code' ? '' : message}`,
					};
	}
}

/** What a person is told when reading a task meets an error of the contract. */
function toldOfRead(code: ErrorCode, shape: ErrorShape, taskId: string): Told {
	const charged = 'unknown';
	const contactLost = {
		code: 'contact_lost',
		charged,
		message: `Contact lost with task ${taskId}: the API gave no usable answer`,
	};
	switch (code) {
		case 'INVALID_API_KEY':
			return { code: 'invalid_api_key', charged, message: 'The API key was refused. Task' };
		case 'INSUFFICIENT_CREDITS':
			return { code: 'out_of_credits', charged, message: 'not have enough credits. Task' };
		case 'INTERNAL_ERROR':
			return contactLost;
		case 'TASK_NOT_FOUND':
			if (shape === 'html') break;
			return {
				code: 'task_not_found',
				charged,
				message: `There is no task ${taskId} in this Seedance account.`,
			};
	}
	// A page of something in front of the API says nothing about the task, and is asked again.
	return shape === 'html'
		? contactLost
		: { ...contactLost, message: 'The API refused to tell the state of the task' };
}

const CASES = ERROR_CODES.flatMap((code) => ERROR_SHAPES.map((shape) => ({ code, shape })));

describe('an error of the contract', () => {
	it.each(CASES)('$code as $shape on the POST is told apart', async ({ code, shape }) => {
		world.sandbox.faults.on('generate', { kind: 'error', code, shape }, { times: 'always' });
		const error = failureOf(await world.run({ prompt: 'A boat' }));
		const told = toldOfPost(code, shape);
		expect(error.message).toContain(told.message);
		expect(error.context).toMatchObject({ error_code: told.code, charged: told.charged });
		expect(error.description).toMatch(
			new RegExp(`${told.charged === 'no' ? NO_COST : UNKNOWN_COST}$`),
		);
		expect(error.message + error.description).not.toMatch(/<|retry automatically/i);
		expect(posts()).toHaveLength(1);
	});

	it.each(CASES)('$code as $shape on a read is told apart', async ({ code, shape }) => {
		const id = await world.existingTask();
		world.sandbox.faults.on('status', { kind: 'error', code, shape }, { times: 'always' });
		const error = failureOf(await world.run({ operation: 'status', taskId: id }));
		const told = toldOfRead(code, shape, id);
		expect(error.message).toContain(told.message);
		expect(error.context).toMatchObject({
			error_code: told.code,
			charged: told.charged,
			task_id: id,
		});
		expect(error.description).toContain(id);
		expect(error.message + error.description).not.toMatch(/<|retry automatically/i);
	});
});

describe('a POST whose outcome nobody knows', () => {
	const unclear: Fault[] = [
		{ kind: 'reset' },
		{ kind: 'accept-then-reset' },
		{ kind: 'hang' },
		{ kind: 'accept-then-hang' },
		{ kind: 'hang', ms: 20 },
		{ kind: 'accept-then-5xx' },
		{ kind: 'accept-then-5xx', status: 504, html: true },
		{ kind: 'server-error', status: 500 },
		{ kind: 'server-error', status: 503 },
		{ kind: 'html', status: 520 },
		{ kind: 'html', status: 200, accept: true },
		{ kind: 'invalid-json' },
		{ kind: 'empty-body' },
		{ kind: 'refuse-with', status: 408 },
		{ kind: 'error', code: 'INTERNAL_ERROR', accept: true },
		...WRONG_SHAPES.filter(
			(shape) =>
				!['no-code', 'code-string', 'numeric-task-id', 'no-status', 'array-data'].includes(shape),
		).map((shape): Fault => ({ kind: 'wrong-shape', shape })),
	];
	it.each(unclear)('is sent once and said to be unclear: %j', async (fault) => {
		const shortened = jest.replaceProperty(limits, 'POST_TIMEOUT_MS', 5_000);
		world.sandbox.faults.on('generate', fault, { times: 'always' });
		const run = await world.run({ prompt: 'A boat' });
		shortened.restore();
		const error = failureOf(run);
		expect(error.message).toContain('The video may have been started, and charged');
		expect(error.description).toContain('It was not sent a second time.');
		expect(error.description).toContain(UNKNOWN_COST);
		expect(error.context).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(posts()).toHaveLength(1);
		expect(
			run.logs.some(({ text }) => text.startsWith('Seedance task may have been created')),
		).toBe(true);
	});

	it.each(['no-code', 'code-string', 'no-status', 'array-data'] as const)(
		'is taken as created when the answer holds the task id in another shape: %s',
		async (shape) => {
			world.sandbox.faults.on('generate', { kind: 'wrong-shape', shape });
			const run = await world.run({ operation: 'generate', prompt: 'A boat' });
			expect(run.json[0]).toMatchObject({ task_id: ids()[0] });
		},
	);

	it('names the task id when an error answer holds one', async () => {
		const body = { code: 500, data: { task_id: 'seed15known' } };
		world.sandbox.faults.on('generate', { kind: 'refuse-with', status: 500, body });
		const run = await world.run({ prompt: 'A boat' });
		expect(failureOf(run).description).toContain('seed15known');
		expect(failureOf(run).context).toMatchObject({ task_id: 'seed15known' });
		expect(run.logs.some(({ text }) => text.includes(': task seed15known ('))).toBe(true);
	});

	it('does not keep the other items from being made when On Error continues', async () => {
		world.sandbox.faults.on('generate', { kind: 'accept-then-reset' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b', 'c'], { node: CONTINUE });
		expect(run.json.map(({ succeeded }) => succeeded)).toEqual([true, false, true]);
		expect(run.json[1]).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(posts()).toHaveLength(3);
	});
});

describe('a POST that was certainly not accepted', () => {
	it.each([{ retryAfter: 2 }, { retryAfter: 2, as: 'date' as const }, {}])(
		'is sent again after too many requests: %j',
		async (how) => {
			world.sandbox.faults.on('generate', { kind: 'rate-limit', ...how }, { times: 3 });
			const run = await world.run({ operation: 'generate', prompt: 'A boat' });
			expect(run.json[0]).toMatchObject({ task_id: ids()[0] });
			expect(posts()).toHaveLength(4);
			expect(world.sandbox.ledger.charges()).toHaveLength(1);
		},
	);

	it('waits as long as the API asks', async () => {
		world.sandbox.faults.on('generate', { kind: 'rate-limit', retryAfter: 30 });
		await world.run({ operation: 'generate', prompt: 'A boat' });
		expect(posts()[1].at - posts()[0].at).toBeGreaterThanOrEqual(295);
	});

	it('is given up after five tries', async () => {
		world.sandbox.faults.on('generate', { kind: 'rate-limit' }, { times: 'always' });
		const error = failureOf(await world.run({ prompt: 'A boat' }));
		expect(error.message).toBe('The API is receiving too many requests from you (HTTP 429).');
		expect(error.description).toContain('Batching');
		expect(error.description).toContain(NO_COST);
		expect(posts()).toHaveLength(5);
	});

	it('is given up at once when the API asks for more than a minute', async () => {
		world.sandbox.faults.on('generate', { kind: 'rate-limit', retryAfter: 61 });
		expect(failureOf(await world.run({ prompt: 'A boat' })).context).toMatchObject({
			error_code: 'not_created',
			charged: 'no',
		});
		expect(posts()).toHaveLength(1);
	});

	it('is sent again when the connection was refused, and reaches the API that came back', async () => {
		world.n8n.clockSpeed = 10;
		await world.sandbox.goDown();
		const running = world.n8n.start({ parameters: { operation: 'generate', prompt: 'A boat' } });
		await new Promise((resolve) => setTimeout(resolve, 200));
		await world.sandbox.comeBack();
		expect((await running.finished).json[0]).toMatchObject({ task_id: ids()[0] });
		expect(world.sandbox.ledger.charges()).toHaveLength(1);
	});

	it('says that the API cannot be reached', async () => {
		await world.sandbox.goDown();
		const run = await world.run({ prompt: 'A boat' });
		await world.sandbox.comeBack();
		expect(failureOf(run).message).toBe(
			'The Seedance API could not be reached, so the video was not started.',
		);
		expect(failureOf(run).description).toContain(NO_COST);
	});

	it.each([301, 302, 307, 308])('does not follow a %i redirect', async (status) => {
		world.sandbox.faults.on('generate', { kind: 'redirect', status });
		const error = failureOf(await world.run({ prompt: 'A boat' }));
		expect(error.message).toBe(
			`The base URL in the credential points elsewhere: the server redirects to ${world.sandbox.elsewhere.origin}.`,
		);
		expect(error.description).toContain('The API key was not sent there.');
		expect(world.sandbox.elsewhere.requests).toHaveLength(0);
	});

	it('says that a proxy refused access', async () => {
		world.sandbox.faults.on('generate', { kind: 'html', status: 403 });
		const error = failureOf(await world.run({ prompt: 'A boat' }));
		expect(error.message).toBe('Something in front of the API refused access (HTTP 403).');
		expect(error.context).toMatchObject({ error_code: 'not_created', charged: 'no' });
	});
});

describe('a read', () => {
	it('does not follow a redirect', async () => {
		const id = await world.existingTask();
		world.sandbox.faults.on('status', { kind: 'redirect' }, { times: 'always' });
		const error = failureOf(await world.run({ operation: 'wait', taskId: id }));
		expect(error.message).toContain('points elsewhere');
		expect(error.description).toContain('The API key was not sent there.');
		expect(error.context).toMatchObject({ error_code: 'contact_lost', charged: 'unknown' });
		expect(world.sandbox.elsewhere.requests).toHaveLength(0);
	});

	it('of another account is no such task', async () => {
		const id = world.sandbox.otherAccount.createTask();
		const error = failureOf(await world.run({ operation: 'wait', taskId: id }));
		expect(error.message).toBe(`There is no task ${id} in this Seedance account.`);
		expect(error.description).toContain('the account that started it');
	});

	it("never takes another task's state for its own", async () => {
		const id = await world.existingTask();
		world.sandbox.faults.on('status', { kind: 'foreign-id' }, { times: 'always' });
		const error = failureOf(
			await world.run({ operation: 'wait', taskId: id, options: { timeout: 1 } }),
		);
		expect(error.context).toMatchObject({ error_code: 'contact_lost', task_id: id });
	});
});

describe('items that are wrong', () => {
	const ITEMS = [
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
		const { message, description, context } = failureOf(await world.run(FIELDS, { items: ITEMS }));
		expect(message).toBe('3 of 4 items cannot be used.');
		const lines = description.split('<br />');
		expect(lines).toEqual(
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
		expect(description).toContain(NO_COST);
		expect(context).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
		expect(posts()).toHaveLength(0);
	});

	it('come out in the fixed shape beside the finished videos when On Error continues', async () => {
		const run = await world.run(FIELDS, { items: ITEMS, node: CONTINUE });
		expect(run.json.map(({ succeeded }) => succeeded)).toEqual([true, false, false, false]);
		expect(run.json[2]).toEqual({
			task_id: null,
			status: null,
			finished: true,
			succeeded: false,
			video_url: null,
			prompt: 'A bird',
			consumed_credits: null,
			estimated_credits: null,
			created_at: null,
			error_message: expect.stringMatching(
				/^Duration "7" is not supported\..* No credits were spent\.$/,
			),
			error_code: 'invalid_input',
			charged: 'no',
		});
		expect(run.items.map(({ pairedItem }) => pairedItem)).toEqual(
			ITEMS.map((_, item) => ({ item })),
		);
		expect(posts()).toHaveLength(1);
	});

	it('go to the error output with their input row and the details', async () => {
		const run = await world.run(FIELDS, { items: ITEMS, node: ERROR_OUTPUT });
		expect(run.json).toEqual([expect.objectContaining({ succeeded: true, prompt: 'A boat' })]);
		expect(run.items[0].json).not.toHaveProperty('error');
		expect(run.outputs[1]).toHaveLength(3);
		expect(run.outputs[1][1].json).toEqual({
			...ITEMS[2].json,
			error: expect.stringContaining('Duration "7" is not supported.'),
			details: expect.objectContaining({ error_code: 'invalid_input', succeeded: false }),
		});
		expect(run.reached('Failed')).toHaveLength(3);
		expect(run.reached('After')).toHaveLength(1);
	});

	it.each([
		[
			'a field that cannot be read',
			{ prompt: "={{ $('Nowhere').item.json.x }}" },
			/^Prompt could not be read: /,
		],
		[
			'an image source that does not exist',
			{ prompt: 'A', imageSource: 'disk' },
			/^Image "disk" is not supported\. Allowed: none, url, binary\.$/,
		],
		[
			'an image without a link',
			{ prompt: 'A', imageSource: 'url', imageUrl: '={{ $json.none }}' },
			/^Image URL is empty/,
		],
	])('say so: %s', async (_, parameters, message) => {
		expect(failureOf(await world.run(parameters)).message).toMatch(message);
		expect(posts()).toHaveLength(0);
	});

	it.each([
		['={{ $json.none }}', 'Task ID is empty: this item has no such value.'],
		['seed{{ $json.id }}', 'Task ID'],
		["={{ $('Nowhere').item.json.x }}", 'Task ID could not be read: '],
	])('say so for the task id %j', async (taskId, message) => {
		for (const operation of ['status', 'wait']) {
			const error = failureOf(await world.run({ operation, taskId }));
			expect(error.message).toContain(message);
			expect(error.context).toMatchObject({ error_code: 'invalid_input' });
		}
		expect(world.sandbox.ledger.statusReads()).toHaveLength(0);
	});
});

describe('a refused POST among several', () => {
	it('with On Error = Stop ends the node at once and names what exists', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'c' });
		const { message, description, context } = failureOf(
			await world.runPrompts(['a', 'b', 'c', 'd']),
		);
		expect(message).toBe(
			'The API refused the request: The prompt is invalid or empty. [item 2] (number 3 of 4)',
		);
		expect(description).toContain(NO_COST);
		expect(description).toContain('1 more item was not started and cost nothing.');
		expect(description).toContain('Click Retry in Executions');
		expect(description).toContain(`Task IDs: ${ids().join(', ')}.`);
		expect(ids()).toHaveLength(2);
		expect(context.tasks).toMatchObject([
			{ item: 0, task_id: ids()[0] },
			{ item: 1, task_id: ids()[1] },
			{ item: 2, error_code: 'invalid_input' },
			{ item: 3, error_code: 'not_created', charged: 'no' },
		]);
		expect(posts()).toHaveLength(3);
		expect(world.sandbox.ledger.statusReads()).toHaveLength(0);
	});

	it('does not keep the others from being made when On Error continues', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b', 'c'], { node: ERROR_OUTPUT });
		expect(run.json.map(({ prompt }) => prompt)).toEqual(['a', 'c']);
		expect(run.outputs[1].map(({ json }) => json.prompt)).toEqual(['b']);
	});

	it.each(['INVALID_API_KEY', 'INSUFFICIENT_CREDITS'] as const)(
		'for %s sends no further item in any setting',
		async (code) => {
			world.sandbox.faults.on('generate', { kind: 'error', code }, { prompt: 'b' });
			const run = await world.runPrompts(['a', 'b', 'c', 'd'], { node: CONTINUE });
			expect(posts()).toHaveLength(2);
			expect(run.json.map(({ succeeded }) => succeeded)).toEqual([true, false, false, false]);
			expect(run.json[3]).toMatchObject({
				error_code: 'not_created',
				charged: 'no',
				error_message: expect.stringContaining('item 1 ended the run'),
			});
		},
	);

	it('for an empty account leaves the finished videos paid and delivered', async () => {
		world.sandbox.ledger.balance = 60;
		const run = await world.runPrompts(['a', 'b', 'c'], { node: CONTINUE });
		expect(run.json.map(({ error_code }) => error_code)).toEqual([
			undefined,
			undefined,
			'out_of_credits',
		]);
		expect(world.sandbox.ledger.spent).toBe(56);
	});
});

describe('a credential that cannot be used', () => {
	const use = (change: { apiKey?: string; baseUrl?: string }) =>
		world.n8n.credentials.set('Main account', {
			apiKey: world.sandbox.apiKey,
			baseUrl: world.sandbox.baseUrl,
			...change,
		});
	const OPERATIONS = ['generateAndWait', 'generate', 'status', 'wait'];

	it.each([
		['without a key', { apiKey: ' ' }, 'The credential holds no API key.'],
		['with a space in the key', { apiKey: 'sk a' }, 'holds a space'],
	])('%s is named before anything is sent', async (_, change, message) => {
		use(change);
		for (const operation of OPERATIONS) {
			const error = failureOf(await world.run({ operation, prompt: 'A', taskId: 'seed15a' }));
			expect(error.message).toContain(message);
			expect(error.description).toContain('Open the credential "Main account" of this node');
			expect(error.context).toMatchObject({ error_code: 'invalid_api_key' });
		}
		expect(posts()).toHaveLength(0);
	});

	it.each([
		['without http', 'seedanceapi.org/v1', 'must start with http:// or https://'],
		['with a port that does not exist', 'http://127.0.0.1:99999/v1', 'a port is a number'],
		['with a host that cannot exist', 'http://127.0.0.999/v1', 'names no server'],
		['with a space', 'http://127.0.0.1:1/v 1', 'holds a space'],
		['with a password', 'http://me:secret@127.0.0.1:1/v1', 'user name or a password'],
		['with a query', 'http://127.0.0.1:1/v1?a=1', 'must end after its path'],
	])('has a base URL %s: told before anything is sent', async (_, baseUrl, flaw) => {
		use({ baseUrl });
		for (const operation of OPERATIONS) {
			const error = failureOf(await world.run({ operation, prompt: 'A', taskId: 'seed15a' }));
			const isRead = operation === 'status' || operation === 'wait';
			expect(error.message).toContain(flaw);
			expect(error.message).toContain('(the usual one is https://seedanceapi.org/v1)');
			expect(error.message).not.toContain('secret');
			expect(error.description).toContain('Open the credential "Main account" of this node');
			expect(error.context).toMatchObject({
				error_code: isRead ? 'contact_lost' : 'not_created',
				charged: isRead ? 'unknown' : 'no',
			});
		}
		expect(posts()).toHaveLength(0);
	});

	it.each(['http://127.0.0.1:99999/v1', 'http://no such host/v1', 'https://:80/v1'])(
		'leaves nothing unclear: a retry with the right one starts the video (%s)',
		async (baseUrl) => {
			use({ baseUrl });
			const first = await world.run({ operation: 'generate', prompt: 'A boat' });
			expect(failureOf(first).context).toMatchObject({ error_code: 'not_created', charged: 'no' });
			use({});
			const second = await world.n8n.retry(first);
			expect(second.json).toMatchObject([{ task_id: ids()[0] }]);
			expect(posts()).toHaveLength(1);
		},
	);

	it('does not say that a task which exists has cost nothing', async () => {
		use({ apiKey: '' });
		const run = await world.run({ operation: 'wait', taskId: 'seed15a' }, { node: CONTINUE });
		expect(run.json[0]).toMatchObject({ task_id: 'seed15a', charged: 'unknown' });
		expect(run.everything).not.toContain('No credits were spent');
	});

	it('that is gone is told with the reason n8n gives', async () => {
		const run = await world.run({ prompt: 'A' }, { credential: 'Deleted', node: CONTINUE });
		expect(run.json[0]).toMatchObject({
			error_code: 'invalid_api_key',
			charged: 'no',
			error_message: expect.stringContaining('Credential "Deleted" could not be found'),
		});
	});

	it('is resolved for each item, so that only the wrong one fails', async () => {
		world.n8n.credentials.set('By item', {
			apiKey: `={{ $json.ok ? '${world.sandbox.apiKey}' : '' }}`,
			baseUrl: world.sandbox.baseUrl,
		});
		const run = await world.run(
			{ operation: 'generate', prompt: 'A boat' },
			{ credential: 'By item', node: CONTINUE, items: [{ json: {} }, { json: { ok: true } }] },
		);
		expect(run.json).toMatchObject([{ error_code: 'invalid_api_key' }, { task_id: ids()[0] }]);
	});

	it('whose address is a web page is told apart from the API', async () => {
		world.n8n.credentials.set('Main account', {
			apiKey: world.sandbox.apiKey,
			baseUrl: world.sandbox.websiteUrl,
		});
		const read = failureOf(await world.run({ operation: 'status', taskId: 'seed15a' }));
		expect(read.message).toContain('the API gave no usable answer');
	});
});

it('never shows the API key that an answer repeats', async () => {
	const body = { code: 400, message: `Bearer ${world.sandbox.apiKey} is not welcome` };
	world.sandbox.faults.on('generate', { kind: 'refuse-with', status: 400, body });
	const error = failureOf(await world.run({ prompt: 'A boat' }));
	expect(error.message).toBe('The API refused the request: Bearer *** is not welcome.');
});
