// Requests that never reached the API: they cost nothing, they are told so, and they are sent once the cause is mended.
// Numbers are those of the faults that use has shown; each test is another member of its kind.
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import * as api from '../../nodes/shared/api/client';
import { UNREACHABLE_KINDS, type Fault } from '../sandbox/server.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

/** Milliseconds: a test takes a second or two, and many times that on a busy machine. */
jest.setTimeout(40_000);

const world = seedanceWorld();
/** The minute that a POST may take is made shorter: only the clock is not the real one. */
const limits: { POST_TIMEOUT_MS: number } = api;
const posts = () => world.sandbox.ledger.posts();
const charges = () => world.sandbox.ledger.charges();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const CONTINUE = { onError: 'continueRegularOutput' } as const;

const useBaseUrl = (baseUrl: string) =>
	world.n8n.credentials.set('Main account', { apiKey: world.sandbox.apiKey, baseUrl });

beforeEach(() => {
	jest.replaceProperty(limits, 'POST_TIMEOUT_MS', 5_000);
});
afterEach(() => {
	limits.POST_TIMEOUT_MS = 60_000;
});

describe('9: a request that never left', () => {
	it.each(UNREACHABLE_KINDS)('%s: costs nothing, and Retry starts it, once', async (kind) => {
		useBaseUrl(world.sandbox.unreachable[kind]);
		const run = await world.run({ prompt: 'A boat' });
		const { message, description, context } = failureOf(run);
		expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
		expect(message + description).not.toMatch(/may have been|charged:/);
		expect(description).toContain('No credits were spent.');
		expect(posts()).toHaveLength(0);

		useBaseUrl(world.sandbox.baseUrl);
		const retried = await world.n8n.retry(run);
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it.each(['https-to-http', 'unknown-host', 'bad-port'] as const)(
		'%s: is told of every row, and Retry On Fail sends nothing twice when it works again',
		async (kind) => {
			useBaseUrl(world.sandbox.unreachable[kind]);
			const running = world.n8n.start({
				parameters: { operation: 'generate', prompt: '={{ $json.prompt }}' },
				items: ['a', 'b', 'c'].map((prompt) => ({ json: { prompt } })),
				node: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1000 },
			});
			await new Promise((resolve) => setTimeout(resolve, 500));
			useBaseUrl(world.sandbox.baseUrl);
			const run = await running.finished;
			expect(run.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(charges()).toHaveLength(3);
		},
	);

	it.each(['https-to-http', 'refused', 'closing-tls', 'unknown-host', 'bad-port'] as const)(
		'%s: leaves every row not created when On Error continues',
		async (kind) => {
			useBaseUrl(world.sandbox.unreachable[kind]);
			const run = await world.runPrompts(['a', 'b', 'c'], { node: CONTINUE });
			expect(run.json).toMatchObject(
				Array(3).fill({ error_code: 'not_created', charged: 'no', task_id: null }),
			);
		},
	);

	it.each(['https-to-http', 'refused', 'silent-tls', 'bad-port'] as const)(
		'%s: a wait for a paid video keeps its ID, and does not call it lost',
		async (kind) => {
			const taskId = await world.existingTask({ prompt: '[never]' });
			useBaseUrl(world.sandbox.unreachable[kind]);
			const { message, description, context } = failureOf(
				await world.run({ operation: 'wait', taskId, options: { timeout: 0.5 } }),
			);
			expect(context).toMatchObject({ error_code: 'contact_lost', task_id: taskId });
			expect(message).toMatch(/could not be reached|has a port that does not exist/);
			expect(message + description).not.toMatch(/charged|not created|start/);
		},
	);

	describe('or that did:', () => {
		let server: Server;
		const sockets = new Set<Socket>();
		let received = 0;

		beforeAll(async () => {
			server = createServer((request) => {
				received++;
				request.socket.destroy();
			});
			server.on('connection', (socket: Socket) => sockets.add(socket));
			await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		});
		afterAll(async () => {
			for (const socket of sockets) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		});

		it('one that arrived and was cut off is never called "not created"', async () => {
			const address: AddressInfo | string | null = server.address();
			const port = typeof address === 'object' && address ? address.port : 0;
			useBaseUrl(`http://127.0.0.1:${port}/v1`);
			const run = await world.run({ prompt: 'A boat' });
			expect(failureOf(run).context).toMatchObject({
				error_code: 'maybe_created',
				charged: 'unknown',
			});
			expect(received).toBe(1);
			await world.n8n.retry(run);
			expect(received).toBe(1);
		});
	});

	it.each<Fault>([{ kind: 'hang' }, { kind: 'reset' }, { kind: 'accept-then-hang' }])(
		'is told apart from one that left: %j',
		async (fault) => {
			world.sandbox.faults.on('generate', fault);
			const run = await world.run({ prompt: 'A boat' });
			expect(failureOf(run).context).toMatchObject({
				error_code: 'maybe_created',
				charged: 'unknown',
			});
			await world.n8n.retry(run);
			expect(posts()).toHaveLength(1);
		},
	);
});

describe('38: the firewall in front of the API', () => {
	/** What Cloudflare answers when it blocks a client. */
	const BLOCKED: ReadonlyArray<[string, Fault]> = [
		['error code: 1010', { kind: 'firewall' }],
		['error code: 1020', { kind: 'firewall', code: 1020 }],
		['error code: 1006', { kind: 'refuse-with', status: 403, body: 'error code: 1006\n' }],
		[
			'a page',
			{
				kind: 'refuse-with',
				status: 403,
				body: '<!DOCTYPE html><html><body><div id="cf-error-details">Access denied</div></body></html>',
				headers: { 'content-type': 'text/html' },
			},
		],
	];

	it.each(BLOCKED)('that blocks a POST (%s) is named, the key is not blamed', async (_, fault) => {
		world.sandbox.faults.on('generate', fault, { times: 'always' });
		const run = await world.run({ prompt: 'A boat' });
		const { message, description, context } = failureOf(run);
		expect(context).toMatchObject({ error_code: 'not_created', charged: 'no' });
		expect(message).toContain('The firewall in front of the Seedance API blocked this n8n');
		expect(description).toContain('The API key is fine.');
		expect(description).toContain('No credits were spent.');
		expect(message + description).not.toMatch(/base URL|refused access|</);
		world.sandbox.faults.clear();
		const retried = await world.n8n.retry(run);
		expect(retried.json[0]).toMatchObject({ succeeded: true });
		expect(charges()).toHaveLength(1);
	});

	it.each(BLOCKED)('that blocks reads for a while (%s) ends no wait', async (_, fault) => {
		world.sandbox.faults.on('status', fault, { times: 6 });
		const run = await world.run({ prompt: 'A boat', downloadVideo: false });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
	});

	it('that blocks reads for ever is named, with the ID of the video', async () => {
		world.sandbox.faults.on('status', { kind: 'firewall' }, { times: 'always' });
		const run = await world.run({ prompt: 'A boat', options: { timeout: 1 } });
		const { message, context } = failureOf(run);
		expect(message).toContain('the firewall in front of the Seedance API blocked this n8n');
		expect(context).toMatchObject({ error_code: 'contact_lost', task_id: ids()[0] });
	});

	it('gets an honest name from every call', async () => {
		await world.run({ prompt: 'A boat' });
		const { ledger } = world.sandbox;
		const names = [...ledger.posts(), ...ledger.statusReads(), ...ledger.videoReads()].map(
			({ headers }) => headers['user-agent'],
		);
		expect(names.length).toBeGreaterThanOrEqual(3);
		expect(new Set(names)).toEqual(
			new Set([expect.stringMatching(/^n8n-nodes-seedance\/\d+\.\d+\.\d+ /)]),
		);
	});
});
