import { createHash } from 'node:crypto';
// Money: what one execution pays for, whatever its expressions give anew, however its calls coincide, and however it is retried.
// The numbers are those of the faults that use has shown; each test is another member of its kind.

import { SEEDANCE_TOOL, type Order, type Run } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

/** Milliseconds: a test takes a second or two, and many times that on a busy machine. */
jest.setTimeout(40_000);

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const charges = () => world.sandbox.ledger.charges();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);

const CONTINUE = { onError: 'continueRegularOutput' } as const;
const RETRY_ON_FAIL = { retryOnFail: true, maxTries: 3, waitBetweenTries: 5 };
const rows = (count: number) => Array.from({ length: count }, (_, row) => ({ json: { row } }));

afterEach(() => {
	world.sandbox.tasks.taskSeconds = 12;
});

/** Parameters that come out differently each time they are read. */
const CHANGING: ReadonlyArray<[string, Order['parameters']]> = [
	['a random number', { prompt: '=A boat {{ Math.random() }}' }],
	['the time of day', { prompt: '=A boat at {{ $now.toMillis() }}' }],
	['a date of JavaScript', { prompt: '=A boat at {{ new Date().getTime() }}' }],
	['a random word', { prompt: '=A boat {{ Math.random().toString(36).slice(2) }}' }],
	[
		'a list in random order',
		{ prompt: '={{ [1, 2, 3, 4, 5, 6, 7, 8].sort(() => Math.random() - 0.5).join(" ") }}' },
	],
	[
		'an image link that is signed anew',
		{
			prompt: 'A boat',
			imageSource: 'url',
			imageUrl: '=http://127.0.0.1/a.png?signature={{ Math.random() }}',
		},
	],
	[
		'a random ratio, and a random word',
		{
			prompt: '=A boat {{ Math.random() }}',
			aspectRatio: '={{ ["1:1", "16:9", "9:16", "4:3", "3:4"].randomItem() }}',
		},
	],
	[
		'an id of its own',
		{ prompt: '=A boat {{ Date.now() }}-{{ Math.random() }}', resolution: '480p' },
	],
];

describe('1: a value that an expression computes anew makes no other video:', () => {
	it.each(CHANGING)('%s, where the answer of the POST was lost', async (_, parameters) => {
		world.sandbox.faults.on('generate', { kind: 'accept-then-reset' }, { times: 'always' });
		const run = await world.run(parameters, { node: RETRY_ON_FAIL });
		expect(failureOf(run).context).toMatchObject({ error_code: 'maybe_created' });
		expect(failureOf(run).description).toContain('It is not sent again.');
		expect(posts()).toHaveLength(1);
	});

	it.each(CHANGING)('%s, where a person retries after the time was up', async (_, parameters) => {
		world.sandbox.tasks.taskSeconds = 60;
		const run = await world.run({ ...parameters, options: { timeout: 0.2 } });
		expect(failureOf(run).context).toMatchObject({ error_code: 'timeout' });
		const retried = await world.n8n.retry(run, {
			parameters: { operation: 'generateAndWait', ...parameters },
		});
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it('the id of the execution, which a retry has another of', async () => {
		const parameters = { prompt: '=A boat for {{ $execution.id }}', options: { timeout: 0.1 } };
		const run = await world.run({ ...parameters, prompt: `${parameters.prompt} [slow]` });
		const retried = await world.n8n.retry(run, {
			parameters: { ...parameters, prompt: `${parameters.prompt} [slow]`, options: {} },
		});
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it('ten prompts that change at each try are not paid again by a Retry', async () => {
		world.sandbox.tasks.taskSeconds = ({ prompt }) => (prompt.startsWith('Row 7') ? 60 : 5);
		const prompt = '=Row {{ $json.row }} {{ Math.random() }}';
		const run = await world.run({ prompt, options: { timeout: 0.5 } }, { items: rows(10) });
		expect(failureOf(run).message).toMatch(/^9 of 10 videos are ready and paid\./);
		const retried = await world.n8n.retry(run);
		expect(retried.json.map(({ task_id }) => task_id)).toEqual(ids());
		expect(posts()).toHaveLength(10);
	});

	it('of ten prompts that change, a Retry starts the failed one anew and no other', async () => {
		world.sandbox.faults.on(
			'generate',
			{ kind: 'task', outcome: { status: 'FAILED' } },
			{ prompt: 'Row 7' },
		);
		const prompt = '=Row {{ $json.row }} {{ $now.toMillis() }}';
		const run = await world.run({ prompt }, { items: rows(10) });
		expect(failureOf(run).message).toMatch(/^9 of 10 videos are ready and paid\./);
		const retried = await world.n8n.retry(run);
		expect(retried.json.map(({ succeeded }) => succeeded)).toEqual(Array(10).fill(true));
		expect(posts()).toHaveLength(11);
		expect(posts().filter(({ body }) => body.includes('Row 7'))).toHaveLength(2);
	});

	it('with Retry On Fail, rows that were refused are started and the others are not started again', async () => {
		world.sandbox.faults.on(
			'generate',
			{ kind: 'error', code: 'INVALID_PROMPT' },
			{ prompt: 'Row 2' },
		);
		const prompt = '=Row {{ $json.row }} {{ Math.random() }}';
		const run = await world.run({ prompt }, { items: rows(4), node: RETRY_ON_FAIL });
		expect(run.json.map(({ succeeded }) => succeeded)).toEqual([true, true, true, true]);
		expect(charges()).toHaveLength(4);
	});

	it('in a loop, a Retry goes on with the round that failed', async () => {
		world.sandbox.tasks.taskSeconds = () => (ids().length >= 2 ? 60 : 5);
		const prompt = '=A boat {{ Math.random() }}';
		const order = { rounds: 3 };
		const run = await world.run({ prompt, options: { timeout: 0.3 } }, order);
		expect(failureOf(run).context).toMatchObject({ error_code: 'timeout' });
		expect(posts()).toHaveLength(3);
		world.sandbox.finish(ids()[2]);
		const retried = await world.n8n.retry(run);
		expect(retried.status).toBe('success');
		expect(posts()).toHaveLength(3);
	});

	it('a credential whose address comes out differently each time', async () => {
		const { apiKey, baseUrl } = world.sandbox;
		world.n8n.credentials.set('Changing', {
			apiKey,
			baseUrl: `=${baseUrl}{{ "/".repeat(Math.ceil(Math.random() * 20)) }}`,
		});
		world.sandbox.faults.on('generate', { kind: 'accept-then-reset' }, { times: 'always' });
		const prompt = '=A boat {{ Math.random() }}';
		const run = await world.run({ prompt }, { credential: 'Changing', node: RETRY_ON_FAIL });
		expect(failureOf(run).context).toMatchObject({ error_code: 'maybe_created' });
		expect(posts()).toHaveLength(1);
	});
});

describe("1: at a person's Retry", () => {
	const FIRST = { operation: 'generateAndWait', prompt: 'A boat', aspectRatio: '9:16' };
	/** A run whose video was not ready in time, and is ready by the Retry. */
	const slowRun = async (): Promise<Run> => {
		world.sandbox.tasks.taskSeconds = 60;
		const run = await world.run({ ...FIRST, options: { timeout: 0.1 } });
		world.sandbox.tasks.taskSeconds = 5;
		expect(failureOf(run).context).toMatchObject({ error_code: 'timeout' });
		for (const id of ids()) world.sandbox.finish(id);
		return run;
	};

	it.each<[string, Order['parameters']]>([
		['the prompt', { prompt: 'A car' }],
		['the prompt, by an expression', { prompt: '={{ "A boat" }}' }],
		['the ratio', { aspectRatio: '1:1' }],
		['the resolution', { resolution: '480p' }],
		['the duration', { duration: '4' }],
		['the sound', { generateAudio: true }],
		['the lens', { fixedLens: true }],
		['the image', { imageSource: 'url', imageUrl: 'http://127.0.0.1/a.png' }],
	])('a node in which %s was changed makes a new video', async (_, change) => {
		const run = await slowRun();
		const retried = await world.n8n.retry(run, { parameters: { ...FIRST, ...change } });
		expect(retried.json[0]).toMatchObject({ task_id: ids()[1], succeeded: true });
		expect(charges()).toHaveLength(2);
	});

	it.each<[string, Partial<Order>]>([
		['the Timeout', { parameters: { ...FIRST, options: { timeout: 30 } } }],
		['Check Every', { parameters: { ...FIRST, options: { pollInterval: 9 } } }],
		['Maximum Credits', { parameters: { ...FIRST, options: { maxCredits: 28 } } }],
		['Simplify', { parameters: { ...FIRST, simplify: false } }],
		['Download Video', { parameters: { ...FIRST, downloadVideo: false } }],
		['the name of the file', { parameters: { ...FIRST, outputBinaryField: 'video' } }],
		['the operation', { parameters: { ...FIRST, operation: 'generate' } }],
		['Wait Method', { parameters: { ...FIRST, waitMethod: 'callback' } }],
		['On Error', { parameters: FIRST, node: { onError: 'continueErrorOutput' } }],
		['Retry On Fail', { parameters: FIRST, node: { retryOnFail: true, maxTries: 2 } }],
	])('a node in which only %s was changed makes no new video', async (_, change) => {
		const run = await slowRun();
		const retried = await world.n8n.retry(run, change);
		expect(retried.status).toBe('success');
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0] });
		expect(posts()).toHaveLength(1);
	});

	it('a task that version 1 of this package remembered is not paid again', async () => {
		const run = await slowRun();
		// What version 1 stored: entries by run, item and evaluated request, with no version and no time.
		const { executionData } = run.data;
		const context = executionData?.contextData['node:Seedance'] ?? {};
		const request = ['A boat', '9:16', '720p', '8', false, false, null];
		const hash = createHash('sha256').update(JSON.stringify(request)).digest('hex');
		const entry = { state: 'created', taskId: ids()[0], executionId: run.id };
		context.seedance = { [`0:0:${hash}`]: entry };
		const retried = await world.n8n.retry(run);
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});
});

describe('2: a tool that an agent calls', () => {
	const PROMPT = { prompt: '={{ $fromAI("prompt", "", "string") }}' };
	const call = async (
		toolCalls: NonNullable<Order['toolCalls']>,
		parameters: Order['parameters'] = {},
		order: Partial<Order> = {},
	) => {
		const run = await world.run({ ...PROMPT, ...parameters }, { toolCalls, ...order });
		return run.reached('Agent')?.map(({ json }) => Object([json.answer ?? json].flat()[0])) ?? [];
	};
	const boat = { values: { prompt: 'A boat' } };
	const car = { values: { prompt: 'A car' } };
	const cat = { values: { prompt: 'A cat' } };

	it.each(['generate', 'generateAndWait'])(
		'twice in the same turn starts one video with %s, and both calls get its ID',
		async (operation) => {
			world.sandbox.faults.on('generate', { kind: 'delay', ms: 40 });
			const answers = await call([boat, boat], { operation });
			expect(answers).toMatchObject([{ task_id: ids()[0] }, { task_id: ids()[0] }]);
			expect(answers[1]).not.toHaveProperty('error_code');
			expect(posts()).toHaveLength(1);
		},
	);

	it('twice, 5 ms apart, starts one video, and both calls get its ID', async () => {
		world.sandbox.faults.on('generate', { kind: 'delay', ms: 60 });
		const answers = await call([boat, { ...boat, afterMs: 5 }], { operation: 'generate' });
		expect(answers).toMatchObject([{ task_id: ids()[0] }, { task_id: ids()[0] }]);
		expect(answers[1]).not.toHaveProperty('error_code');
		expect(posts()).toHaveLength(1);
	});

	it('five times, while the answer comes and after it, starts one video', async () => {
		world.sandbox.faults.on('generate', { kind: 'delay', ms: 40 });
		const answers = await call(
			[0, 0, 10, 60, 100].map((afterMs) => ({ ...boat, afterMs })),
			{ operation: 'generate' },
		);
		expect(answers.map(({ task_id }) => task_id)).toEqual(Array(5).fill(ids()[0]));
		expect(posts()).toHaveLength(1);
	});

	it('with the same values in another form starts one video', async () => {
		world.sandbox.faults.on('generate', { kind: 'delay', ms: 40 });
		const duration = '={{ $fromAI("duration", "", "string") }}';
		const answers = await call(
			['8', ' 8s ', '8'].map((text) => ({ values: { prompt: 'A boat', duration: text } })),
			{ operation: 'generate', duration },
		);
		expect(answers.map(({ task_id }) => task_id)).toEqual(Array(3).fill(ids()[0]));
		expect(posts()).toHaveLength(1);
	});

	it('with three different inputs in the same turn starts three videos', async () => {
		const answers = await call([boat, car, cat], { operation: 'generate' });
		expect(new Set(answers.map(({ task_id }) => task_id))).toEqual(new Set(ids()));
		expect(
			posts()
				.map(({ body }) => JSON.parse(body).prompt)
				.sort(),
		).toEqual(['A boat', 'A car', 'A cat']);
	});

	it('twice with equal and once with another input starts two videos', async () => {
		const answers = await call([boat, car, boat], { operation: 'generate' });
		expect(answers[0].task_id).toBe(answers[2].task_id);
		expect(posts()).toHaveLength(2);
	});

	it('twice, when the answer is lost, sends one POST, and says so to both', async () => {
		world.sandbox.faults.on('generate', { kind: 'accept-then-reset' }, { times: 'always' });
		const answers = await call([boat, { ...boat, afterMs: 5 }, { ...boat, afterMs: 80 }]);
		expect(answers).toMatchObject(
			Array(3).fill({
				error_code: 'maybe_created',
				next_step: expect.stringContaining('Do not generate again.'),
			}),
		);
		expect(posts()).toHaveLength(1);
	});

	it('twice, when the API asks to slow down first, starts one video', async () => {
		world.sandbox.faults.on('generate', { kind: 'rate-limit' });
		const answers = await call([boat, boat], { operation: 'generate' });
		expect(answers).toMatchObject([{ task_id: ids()[0] }, { task_id: ids()[0] }]);
		expect(charges()).toHaveLength(1);
	});

	it('twice, when the POST is refused, tells both, and may be called again', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' });
		const answers = await call([boat, boat, { ...boat, afterMs: 150 }], { operation: 'generate' });
		expect(answers.slice(0, 2)).toMatchObject(
			Array(2).fill({ error: expect.stringContaining('The API refused the request') }),
		);
		expect(answers[2]).toMatchObject({ task_id: ids()[0] });
		expect(posts()).toHaveLength(2);
	});

	it('with Retry On Fail and a failed task starts one video', async () => {
		world.sandbox.faults.on('generate', { kind: 'task', outcome: { status: 'FAILED' } });
		const answers = await call(
			[boat],
			{},
			{ node: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 } },
		);
		expect(answers).toMatchObject([
			{ error: expect.stringContaining('The video could not be generated') },
		]);
		expect(posts()).toHaveLength(1);
	});
});

describe('2: equal items of one run', () => {
	it('are as many videos where a person wants them so', async () => {
		const run = await world.runPrompts(['same', 'same', 'same'], {
			parameters: { operation: 'generate' },
		});
		expect(new Set(run.json.map(({ task_id }) => task_id)).size).toBe(3);
	});

	it('are one video where an agent runs the node as its tool', async () => {
		const run = await world.runPrompts(['same', 'same'], {
			parameters: { operation: 'generate' },
			node: { type: SEEDANCE_TOOL },
		});
		expect(run.json.map(({ task_id }) => task_id)).toEqual([ids()[0], ids()[0]]);
		expect(posts()).toHaveLength(1);
	});
});

describe('10: the trouble of one account', () => {
	/** Rows A and B by turns, A with the main account and B with the other. */
	const ACCOUNTS = ['A', 'B', 'A', 'B', 'A'];
	const items = ACCOUNTS.map((name, row) => ({ json: { name, prompt: `${name}${row}` } }));
	const byRow = (keyOfA = world.sandbox.apiKey) => {
		world.n8n.credentials.set('By row', {
			apiKey: `={{ $json.name === 'A' ? '${keyOfA}' : '${world.sandbox.otherAccount.apiKey}' }}`,
			baseUrl: world.sandbox.baseUrl,
		});
	};
	const runByRow = async (node: Order['node']) =>
		await world.run({ prompt: '={{ $json.prompt }}' }, { credential: 'By row', items, node });
	const codes = (run: Run) => run.json.map(({ error_code }) => error_code ?? 'ready');
	const postsOf = (account: string | null) => posts().filter((post) => post.account === account);

	it('empty: the rows of the other account are made', async () => {
		byRow();
		world.sandbox.ledger.balance = 0;
		const run = await runByRow(CONTINUE);
		expect(codes(run)).toEqual(['out_of_credits', 'ready', 'not_created', 'ready', 'not_created']);
		expect(run.json[2]).toMatchObject({
			charged: 'no',
			error_message: expect.stringContaining('item 0 ended the run'),
		});
		expect([postsOf('main').length, postsOf('other').length]).toEqual([1, 2]);
	});

	it('empty after its first video: what was paid for is delivered, in the order of the rows', async () => {
		byRow();
		world.sandbox.ledger.balance = 30;
		const run = await runByRow(CONTINUE);
		expect(codes(run)).toEqual(['ready', 'ready', 'out_of_credits', 'ready', 'not_created']);
		expect(charges()).toHaveLength(1);
	});

	it('with a wrong key: the rows of the other account are made', async () => {
		byRow('sk-wrong');
		const run = await runByRow(CONTINUE);
		expect(codes(run)).toEqual(['invalid_api_key', 'ready', 'not_created', 'ready', 'not_created']);
		expect([postsOf(null).length, postsOf('other').length]).toEqual([1, 2]);
	});

	it('asked to slow down for ever: the rows of the other account are made', async () => {
		byRow();
		world.sandbox.faults.on(
			'generate',
			{ kind: 'rate-limit' },
			{ account: 'main', times: 'always' },
		);
		const run = await runByRow(CONTINUE);
		expect(codes(run)).toEqual(['not_created', 'ready', 'not_created', 'ready', 'not_created']);
		expect(postsOf('main').length).toBeLessThanOrEqual(5);
		expect(postsOf('other')).toHaveLength(2);
	});

	it('unreachable: the rows of the other account are made', async () => {
		const { apiKey, baseUrl, otherAccount, unreachable } = world.sandbox;
		world.n8n.credentials.set('By row', {
			apiKey: `={{ $json.name === 'A' ? '${apiKey}' : '${otherAccount.apiKey}' }}`,
			baseUrl: `={{ $json.name === 'A' ? '${unreachable.refused}' : '${baseUrl}' }}`,
		});
		const run = await runByRow(CONTINUE);
		expect(codes(run)).toEqual(['not_created', 'ready', 'not_created', 'ready', 'not_created']);
		expect(postsOf('other')).toHaveLength(2);
	});

	it.each([
		['empty', () => void (world.sandbox.ledger.balance = 0), 'out_of_credits'],
		['with a wrong key', () => byRow('sk-wrong'), 'invalid_api_key'],
	])('%s: with On Error = Stop no POST follows', async (_, trouble, code) => {
		byRow();
		trouble();
		const run = await runByRow({});
		expect(failureOf(run).context).toMatchObject({ error_code: code, charged: 'no' });
		expect(posts()).toHaveLength(1);
	});
});

describe('36: a POST that the API asks to wait with', () => {
	const TEN = Array.from({ length: 10 }, (_, row) => `Row ${row}`);
	/** Virtual seconds from the first POST to the last. */
	const sendingSeconds = () => ((posts().at(-1)?.at ?? 0) - posts()[0].at) / 10;

	it.each([
		['without a time', {}],
		['for 20 seconds', { retryAfter: 20 }],
		['for 20 seconds, as a date', { retryAfter: 20, as: 'date' as const }],
	])('%s, each time, is sent five times for ten rows when On Error continues', async (_, how) => {
		world.sandbox.faults.on('generate', { kind: 'rate-limit', ...how }, { times: 'always' });
		const run = await world.runPrompts(TEN, { node: CONTINUE });
		expect(run.json).toMatchObject(
			Array(10).fill({ error_code: 'not_created', charged: 'no', task_id: null }),
		);
		expect(posts().length).toBeLessThanOrEqual(5);
		expect(sendingSeconds()).toBeLessThan(120);
	});

	it('each time, with On Error = Stop, is sent five times, and the node says what it cost', async () => {
		world.sandbox.faults.on('generate', { kind: 'rate-limit' }, { times: 'always' });
		const { message, description, context } = failureOf(await world.runPrompts(TEN));
		expect(message).toContain('The API is receiving too many requests from you (HTTP 429).');
		expect(description).toContain('9 more items were not started and cost nothing.');
		expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
		expect(posts().length).toBeLessThanOrEqual(5);
	});

	it('now and then starts every video, each once', async () => {
		world.sandbox.faults.limits.now = () => world.sandbox.tasks.now();
		world.sandbox.faults.limits.add({ route: 'generate', perSecond: 0.2, retryAfter: 'exact' });
		const run = await world.runPrompts(TEN, { parameters: { operation: 'generate' } });
		world.sandbox.faults.limits.now = Date.now;
		expect(run.json.map(({ task_id }) => task_id)).toEqual(ids());
		expect(charges()).toHaveLength(10);
	});

	it('is not waited for beyond the limit of the workflow, and what was started comes out', async () => {
		world.n8n.clockSpeed = 10;
		world.sandbox.faults.on(
			'generate',
			{ kind: 'rate-limit', retryAfter: 55 },
			{ nth: 3, times: 'always' },
		);
		const run = await world.runPrompts(TEN, {
			parameters: { operation: 'generate' },
			node: CONTINUE,
			endsAfter: 20,
		});
		expect(run.status).toBe('success');
		expect(run.json.map(({ task_id }) => task_id)).toEqual([...ids(), ...Array(8).fill(null)]);
		expect(run.json[9]).toMatchObject({ error_code: 'not_created', charged: 'no' });
	});

	it('is not waited for beyond the Timeout', async () => {
		world.sandbox.faults.on(
			'generate',
			{ kind: 'rate-limit', retryAfter: 50 },
			{ times: 'always' },
		);
		const start = Date.now();
		const run = await world.runPrompts(TEN, {
			parameters: { options: { timeout: 1 } },
			node: CONTINUE,
		});
		expect((Date.now() - start) / 10).toBeLessThan(110);
		expect(run.json).toMatchObject(Array(10).fill({ error_code: 'not_created', charged: 'no' }));
	});
});
