// What a user reads when the API refuses, breaks, cannot be reached or stays silent, and whether it cost anything.
import * as api from '../../nodes/shared/api/client';
import {
	ERROR_CODES,
	ERROR_SHAPES,
	ERRORS,
	UNREACHABLE_KINDS,
	type ErrorCode,
	type ErrorShape,
	type Fault,
} from '../sandbox/server.cjs';
import {
	all,
	CONTINUE,
	failureOf,
	RETRY_ON_FAIL,
	TROUBLE,
	seedanceWorld,
} from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, existingTask, fault, posts, charges, ids } = world;
const BOAT = { prompt: 'A boat' };
const ALWAYS = { times: 'always' } as const;
const NO_COST = 'No credits were spent.';
const UNKNOWN_COST = 'Whether credits were spent is not known.';
const NOT_CREATED = { error_code: 'not_created', charged: 'no' };
const UNCLEAR = { error_code: 'maybe_created', charged: 'unknown' };

/** The minute that a POST may take is made shorter: only the clock is not the real one. */
const limits: { POST_TIMEOUT_MS: number } = api;
beforeAll(() => void jest.replaceProperty(limits, 'POST_TIMEOUT_MS', 5_000));

describe('an error of the contract', () => {
	/** What a person is told of a POST, and of a read. A page of something in front of the API says nothing about a task. */
	function toldOf(code: ErrorCode, shape: ErrorShape): [string, string] {
		if (code === 'INVALID_API_KEY') return ['invalid_api_key', 'invalid_api_key'];
		if (code === 'INSUFFICIENT_CREDITS') return ['out_of_credits', 'out_of_credits'];
		if (code === 'INTERNAL_ERROR') return ['maybe_created', 'contact_lost'];
		if (shape === 'html') return ['not_created', 'contact_lost'];
		if (code === 'TASK_NOT_FOUND') return ['not_created', 'task_not_found'];
		return ['invalid_input', 'contact_lost'];
	}
	const CASES = ERROR_CODES.flatMap((code) => ERROR_SHAPES.map((shape) => ({ code, shape })));

	it.each(CASES)('$code as $shape is told apart, of a POST and of a read', async (error) => {
		const taskId = await existingTask();
		fault('generate', { kind: 'error', ...error }, ALWAYS);
		fault('status', { kind: 'error', ...error }, ALWAYS);

		const [ofPost, ofRead] = toldOf(error.code, error.shape);
		const charged = ofPost === 'maybe_created' ? 'unknown' : 'no';
		const post = await failure(BOAT);
		expect(post.context).toMatchObject({ error_code: ofPost, charged });
		expect(post.description).toMatch(new RegExp(`${charged === 'no' ? NO_COST : UNKNOWN_COST}$`));
		// Where the envelope says no more than "error", that is what is passed on.
		const isSaid = ofPost === 'invalid_input' && error.shape !== 'data-code';
		if (isSaid) expect(post.message).toContain(ERRORS[error.code].message);
		expect(posts()).toHaveLength(2);

		const read = await failure({ operation: 'status', taskId });
		const context = { error_code: ofRead, charged: 'unknown', task_id: taskId };
		expect(read).toMatchObject({ context, description: expect.stringContaining(taskId) });
		for (const { message, description } of [post, read]) {
			expect(message + description).not.toMatch(/<|retry automatically/i);
		}
	});
});

describe('a POST whose outcome nobody knows', () => {
	it.each(TROUBLE.unclearPosts)('is sent once, also at a Retry: %j', async (trouble) => {
		fault('generate', trouble, ALWAYS);
		const first = await run(BOAT);
		const { message, description, context } = failureOf(first);
		expect(message).toContain('The video may have been started, and charged');
		expect(description).toContain('It was not sent a second time.');
		expect(description).toContain(UNKNOWN_COST);
		expect(context).toMatchObject(UNCLEAR);
		const logged = first.logs.map(({ text }) => text);
		expect(logged).toContainEqual(expect.stringMatching(/^Seedance task may have been created/));
		await world.n8n.retry(first);
		expect(posts()).toHaveLength(1);
	});

	it('names the task ID when an error answer holds one', async () => {
		const body = { code: 500, data: { task_id: 'seed15known' } };
		fault('generate', { kind: 'refuse-with', status: 500, body });
		const unclear = await run(BOAT, { node: CONTINUE });
		expect(unclear.json[0]).toMatchObject({ task_id: 'seed15known', ...UNCLEAR });
		expect(unclear.json[0].error_message).toContain('seed15known');
		expect(unclear.highlighted).toMatchObject({ seedance_tasks: 'seed15known' });
		expect(unclear.logs.some(({ text }) => text.includes(': task seed15known ('))).toBe(true);
	});

	it('does not keep the other items from being made when On Error continues', async () => {
		fault('generate', { kind: 'accept-then-reset' }, { prompt: 'b' });
		const { json } = await runPrompts(['a', 'b', 'c'], { node: CONTINUE });
		expect(json).toMatchObject([{ succeeded: true }, UNCLEAR, { succeeded: true }]);
		expect(posts()).toHaveLength(3);
	});
});

describe('a request that never left', () => {
	const use = (kind: (typeof UNREACHABLE_KINDS)[number]) =>
		world.setCredential({ baseUrl: world.sandbox.unreachable[kind] });

	it.each(UNREACHABLE_KINDS)('%s: costs nothing, and Retry starts it, once', async (kind) => {
		use(kind);
		const first = await run(BOAT);
		const { message, description, context } = failureOf(first);
		expect(context).toMatchObject(NOT_CREATED);
		expect(message + description).not.toMatch(/may have been|charged:/);
		expect(description).toContain(NO_COST);
		const { json } = await runPrompts(['a', 'b', 'c'], { node: CONTINUE });
		expect(json).toMatchObject(all(3, { ...NOT_CREATED, task_id: null }));
		expect(posts()).toHaveLength(0);

		world.setCredential({});
		const retried = await world.n8n.retry(first);
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it.each(['https-to-http', 'unknown-host', 'bad-port'] as const)(
		'%s: Retry On Fail sends nothing twice when it works again',
		async (kind) => {
			use(kind);
			const running = world.n8n.start({
				parameters: { operation: 'generate', prompt: '={{ $json.prompt }}' },
				items: ['a', 'b', 'c'].map((prompt) => ({ json: { prompt } })),
				node: { ...RETRY_ON_FAIL, waitBetweenTries: 1000 },
			});
			await new Promise((resolve) => setTimeout(resolve, 500));
			world.setCredential({});
			const { json } = await running.finished;
			expect(json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(charges()).toHaveLength(3);
		},
	);

	it('is sent again by itself when the connection was refused, and reaches the API', async () => {
		world.n8n.clockSpeed = 10;
		await world.sandbox.goDown();
		const running = world.n8n.start({ parameters: { operation: 'generate', ...BOAT } });
		await new Promise((resolve) => setTimeout(resolve, 200));
		await world.sandbox.comeBack();
		expect((await running.finished).json[0]).toMatchObject({ task_id: ids()[0] });
		expect(charges()).toHaveLength(1);
	});

	it.each(['https-to-http', 'refused', 'silent-tls', 'bad-port'] as const)(
		'%s: a wait for a paid video keeps its ID, and does not call it lost',
		async (kind) => {
			const taskId = await existingTask({ prompt: '[never]' });
			use(kind);
			const wait = { operation: 'wait', taskId, options: { timeout: 0.5 } };
			const { message, description, context } = await failure(wait);
			expect(context).toMatchObject({ error_code: 'contact_lost', task_id: taskId });
			expect(message).toMatch(/could not be reached|has a port that does not exist/);
			expect(message + description).not.toMatch(/charged|not created|start/);
		},
	);
});

describe('a redirect', () => {
	it.each([301, 302, 307, 308])('of a POST (%i) is not followed', async (status) => {
		fault('generate', { kind: 'redirect', status });
		const { message, description } = await failure(BOAT);
		expect(message).toBe(
			`The base URL in the credential points elsewhere: the server redirects to ${world.sandbox.elsewhere.origin}.`,
		);
		expect(description).toContain('The API key was not sent there.');
		expect(world.sandbox.elsewhere.requests).toHaveLength(0);
	});

	it('of a read is not followed', async () => {
		const taskId = await existingTask();
		fault('status', { kind: 'redirect' }, ALWAYS);
		const { message, description, context } = await failure({ operation: 'wait', taskId });
		expect(message).toContain('points elsewhere');
		expect(description).toContain('The API key was not sent there.');
		expect(context).toMatchObject({ error_code: 'contact_lost', charged: 'unknown' });
		expect(world.sandbox.elsewhere.requests).toHaveLength(0);
	});
});

describe('something in front of the API', () => {
	it('that refuses access is told so', async () => {
		fault('generate', { kind: 'html', status: 403 });
		const { message, context } = await failure(BOAT);
		expect(message).toBe('Something in front of the API refused access (HTTP 403).');
		expect(context).toMatchObject(NOT_CREATED);
	});

	it.each<Fault>([
		{ kind: 'firewall' },
		{
			kind: 'refuse-with',
			status: 403,
			body: '<!DOCTYPE html><html><body><div id="cf-error-details">Denied</div></body></html>',
			headers: { 'content-type': 'text/html' },
		},
	])('that is a firewall and blocks a POST is named, not the key: %j', async (blocked) => {
		fault('generate', blocked, ALWAYS);
		const first = await run(BOAT);
		const { message, description, context } = failureOf(first);
		expect(context).toMatchObject(NOT_CREATED);
		expect(message).toContain('The firewall in front of the Seedance API blocked this n8n');
		expect(description).toContain('The API key is fine.');
		expect(description).toContain(NO_COST);
		expect(message + description).not.toMatch(/base URL|refused access|</);
		world.sandbox.faults.clear();
		expect((await world.n8n.retry(first)).json[0]).toMatchObject({ succeeded: true });
		expect(charges()).toHaveLength(1);
	});

	it('that is a firewall and blocks reads for ever is named, with the ID of the video', async () => {
		fault('status', { kind: 'firewall' }, ALWAYS);
		const { message, context } = await failure({ ...BOAT, options: { timeout: 1 } });
		expect(message).toContain('the firewall in front of the Seedance API blocked this n8n');
		expect(context).toMatchObject({ error_code: 'contact_lost', task_id: ids()[0] });
	});

	it('gets an honest User-Agent from every call', async () => {
		await run(BOAT);
		const calls = [...posts(), ...world.reads(), ...world.sandbox.ledger.videoReads()];
		const names = new Set(calls.map(({ headers }) => headers['user-agent']));
		expect(calls.length).toBeGreaterThanOrEqual(3);
		expect([...names]).toEqual([expect.stringMatching(/^n8n-nodes-seedance\/\d+\.\d+\.\d+ /)]);
	});
});

describe('a task', () => {
	it('of another account is no such task', async () => {
		const taskId = world.sandbox.otherAccount.createTask();
		const { message, description } = await failure({ operation: 'wait', taskId });
		expect(message).toBe(`There is no task ${taskId} in this Seedance account.`);
		expect(description).toContain('the account that started it');
	});
});

it('the API key that an answer repeats is shown to nobody', async () => {
	const body = { code: 400, message: `Bearer ${world.sandbox.apiKey} is not welcome` };
	fault('generate', { kind: 'refuse-with', status: 400, body });
	const { message } = await failure(BOAT);
	expect(message).toBe('The API refused the request: Bearer *** is not welcome.');
});
