// What a user reads when the API refuses, breaks, cannot be reached or stays silent, and whether it cost anything; responses in
// forms that the contract leaves open: link and reason are found wherever they stand.
import * as api from '../../nodes/shared/api/client';
import { REASON_FORMS, RESPONSE_FORMS, UNREACHABLE_KINDS, type Fault } from '../sandbox/server.cjs';
import { all, CONTINUE, failureOf, TROUBLE, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, fault, plan, posts, charges, ids } = world;
const BOAT = { prompt: 'A boat' };
const ALWAYS = { times: 'always' } as const;
const NO_COST = 'No credits were spent.';
const UNKNOWN_COST = 'Whether credits were spent is not known.';
const NOT_CREATED = { error_code: 'not_created', charged: 'no' };
const UNCLEAR = { error_code: 'maybe_created', charged: 'unknown' };

/** The minute that a POST may take is made shorter: only the clock is not the real one. */
const limits: { POST_TIMEOUT_MS: number } = api;
beforeAll(() => void jest.replaceProperty(limits, 'POST_TIMEOUT_MS', 5_000));

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

	it('names the task ID when an error response holds one', async () => {
		const body = { code: 500, data: { task_id: 'seed15known' } };
		fault('generate', { kind: 'refuse-with', status: 500, body });
		const unclear = await run(BOAT, { node: CONTINUE });
		expect(unclear.json[0]).toMatchObject({ task_id: 'seed15known', ...UNCLEAR });
		expect(unclear.json[0].error_message).toContain('seed15known');
		expect(unclear.highlighted).toMatchObject({ seedance_tasks: 'seed15known' });
		expect(unclear.logs.some(({ text }) => text.includes(': task seed15known ('))).toBe(true);
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

	it('is sent again by itself when the connection was refused, and reaches the API', async () => {
		world.n8n.clockSpeed = 10;
		await world.sandbox.goDown();
		const running = world.n8n.start({ parameters: { operation: 'generate', ...BOAT } });
		await new Promise((resolve) => setTimeout(resolve, 200));
		await world.sandbox.comeBack();
		expect((await running.finished).json[0]).toMatchObject({ task_id: ids()[0] });
		expect(charges()).toHaveLength(1);
	});
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
});

describe('something in front of the API', () => {
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

	it('gets an honest User-Agent from every call', async () => {
		await run(BOAT);
		const calls = [...posts(), ...world.reads(), ...world.sandbox.ledger.videoReads()];
		const names = new Set(calls.map(({ headers }) => headers['user-agent']));
		expect(calls.length).toBeGreaterThanOrEqual(3);
		expect([...names]).toEqual([expect.stringMatching(/^n8n-nodes-seedance\/\d+\.\d+\.\d+ /)]);
	});
});

it('the API key that a response repeats is shown to nobody', async () => {
	const body = { code: 400, message: `Bearer ${world.sandbox.apiKey} is not welcome` };
	fault('generate', { kind: 'refuse-with', status: 400, body });
	const { message } = await failure(BOAT);
	expect(message).toBe('The API refused the request: Bearer *** is not welcome.');
});

describe('the reason of a failure is shown where it stands', () => {
	it.each(REASON_FORMS)('as %s of a task', async (reasonAs) => {
		const errorMessage = 'A face of a known person was found';
		plan({ outcome: { status: 'FAILED', errorMessage, reasonAs } });
		const { message, context } = await failure(BOAT);
		expect(message).toContain(errorMessage);
		expect(message).not.toMatch(/[{}[\]"]/);
		expect(context).toMatchObject({ error_code: 'task_failed', charged: 'no' });
		const { json } = await run({ operation: 'status', taskId: ids()[0] });
		expect(json[0].error_message).toContain(errorMessage);
	});

	it.each(TROUBLE.refusals)('as %s of a POST under HTTP %i', async (_, status, body) => {
		fault('generate', { kind: 'refuse-with', status, body });
		const { message, description, context } = await failure(BOAT);
		expect(message).toContain('Not in your country');
		expect(message + description).not.toContain('base URL');
		expect(context).toMatchObject({ charged: 'no' });
	});
});

describe('the link of the video', () => {
	it.each(RESPONSE_FORMS)('is found as %s', async (responseAs) => {
		plan({ outcome: { status: 'SUCCESS', responseAs } });
		const { json, items } = await run(BOAT);
		const video_url = `${world.sandbox.origin}/videos/${ids()[0]}.mp4`;
		expect(json[0]).toMatchObject({ succeeded: true, video_url });
		expect(items[0].binary?.data.bytes).toBe(200_000);
	});

	it("is never taken from the user's own request", async () => {
		plan({ outcome: { status: 'SUCCESS', response: 'empty' } });
		const image = { imageSource: 'url', imageUrl: 'http://127.0.0.1/mine.png' };
		const { json } = await run({ ...BOAT, ...image }, { node: CONTINUE });
		expect(json[0]).toMatchObject({ video_url: null, error_code: 'no_video' });
	});
});

it('a success without its video in the response to a POST is no end to Generate Without Waiting', async () => {
	plan({ seconds: 0, answersEnd: true, outcome: { status: 'SUCCESS', response: 'empty' } });
	const { json } = await run({ ...BOAT, operation: 'generate' });
	expect(json).toMatchObject([{ task_id: ids()[0], finished: false, error_message: null }]);
});

it.each(['generate', 'generateAndWait'])(
	'the response to a POST may report the end at once to %s',
	async (operation) => {
		const error_message = expect.stringContaining('Not allowed');
		plan({ seconds: 0, answersEnd: true });
		const good = await run({ ...BOAT, operation });
		const video_url = expect.any(String);
		expect(good.json[0]).toMatchObject({ task_id: ids()[0], status: 'SUCCESS', video_url });
		const outcome = { status: 'FAILED', errorMessage: 'Not allowed' } as const;
		plan({ seconds: 0, answersEnd: true, outcome });
		const bad = await run({ ...BOAT, operation }, { node: CONTINUE });
		const ended = { status: 'FAILED', finished: true, succeeded: false, error_message };
		const failed = { error_code: 'task_failed', charged: 'no' };
		expect(bad.json[0]).toMatchObject({ task_id: ids()[1], ...ended, ...failed });
	},
);
