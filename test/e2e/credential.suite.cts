// The button "Test" of the credential's form: what passes, what does not, and what it says. It never costs anything.
import type { INode } from 'n8n-workflow';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import { ERROR_SHAPES } from '../sandbox/server.cjs';
import { CREDENTIAL_TYPE, endOf, executed, START, world, WRONG_KEY } from './world.cjs';

async function testWith(changes: { apiKey?: string; baseUrl?: string } = {}) {
	const { api, sandbox } = world();
	const { apiKey, baseUrl } = sandbox;
	return await api.testCredential({
		name: 'Typed in the form',
		type: CREDENTIAL_TYPE,
		data: { apiKey, baseUrl, ...changes },
	});
}

/** What the form shows: it says what is wrong, and that testing costs nothing. */
const fails = (message: RegExp) => ({
	status: 'Error',
	message: expect.stringMatching(new RegExp(`${message.source}.*Testing is free\\.$`)),
});

/** A server of the test's own; gives what `use` gives, and every request that came meanwhile. */
async function withServer<T>(
	listener: RequestListener,
	use: (origin: string) => Promise<T>,
): Promise<{ result: T; requests: IncomingMessage[] }> {
	const requests: IncomingMessage[] = [];
	const server = createServer((request, response) => {
		requests.push(request);
		listener(request, response);
	});
	await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
	const { port } = server.address() as AddressInfo;
	try {
		return { result: await use(`http://127.0.0.1:${port}`), requests };
	} finally {
		server.closeAllConnections();
		await new Promise((done) => server.close(done));
	}
}

/** Runs n8n's own HTTP Request node with a credential of ours, once for each of three items. */
async function runHttpRequest(origin: string, method: string) {
	const { api } = world();
	const credential = await api.createCredential({
		name: 'For HTTP Request',
		type: CREDENTIAL_TYPE,
		data: { apiKey: world().sandbox.apiKey, baseUrl: `${origin}/v1` },
	});
	const at = (name: string, type: string, more: Partial<INode>): INode => ({
		id: `e2e-${name}`,
		name,
		type,
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
		...more,
	});
	const { id } = await api.createWorkflow({
		name: 'HTTP Request',
		nodes: [
			at(START, 'n8n-nodes-base.manualTrigger', {}),
			at('HTTP Request', 'n8n-nodes-base.httpRequest', {
				typeVersion: 4.2,
				onError: 'continueRegularOutput',
				parameters: {
					method,
					url: `${origin}/v1/${method === 'POST' ? 'generate' : 'status?task_id=1'}`,
					authentication: 'predefinedCredentialType',
					nodeCredentialType: CREDENTIAL_TYPE,
				},
				credentials: { [CREDENTIAL_TYPE]: { id: credential.id, name: credential.name } },
			}),
		],
		connections: { [START]: { main: [[{ node: 'HTTP Request', type: 'main', index: 0 }]] } },
		pinData: { [START]: [1, 2, 3].map((row) => ({ json: { row } })) },
		settings: { executionOrder: 'v1' },
	});
	const execution = await api.runWorkflow(id);
	executed(execution);
	return await endOf(execution);
}

/** Everything that n8n has stored of a credential. */
async function storedIn(id: string): Promise<unknown> {
	return await world().api.call('GET', `/credentials/${id}?includeData=true`);
}

export function credentialSuite() {
	afterEach(() => {
		const { ledger } = world().sandbox;
		expect({ posts: ledger.posts().length, spent: ledger.spent }).toEqual({ posts: 0, spent: 0 });
	});

	it('passes with the right key', async () => {
		expect(await testWith()).toMatchObject({ status: 'OK' });
	});

	it('asks the API at every test, a saved one too, and stores nothing', async () => {
		const { api, credential, sandbox } = world();
		const { ledger } = sandbox;
		const before = await storedIn(credential.id);
		const full = { ...credential, data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl } };
		for (const _ of [1, 2]) {
			const reads = ledger.statusReads().length;
			expect(await api.testCredential(full)).toMatchObject({ status: 'OK' });
			expect(ledger.statusReads().length).toBeGreaterThan(reads);
		}
		await sandbox.goDown();
		expect(await api.testCredential(full)).toEqual(fails(/Nothing answers at the base URL/));
		await sandbox.comeBack();
		expect(await storedIn(credential.id)).toEqual(before);
	});

	it('says who asks, in each of its requests', async () => {
		const { requests } = await withServer(
			(_, response) => {
				response.writeHead(404, { 'content-type': 'application/json' });
				response.end('{"code":"TASK_NOT_FOUND"}');
			},
			async (origin) => {
				expect(await testWith({ baseUrl: `${origin}/v1` })).toMatchObject({ status: 'OK' });
			},
		);
		expect(requests.length).toBeGreaterThan(0);
		for (const { headers, url } of requests) {
			expect({ url, by: headers['user-agent'] }).toEqual({
				url: '/v1/status?task_id=n8n-credential-test',
				by: USER_AGENT,
			});
		}
	});

	it('passes with a saved credential, whose key the form does not know', async () => {
		const { api, credential, sandbox } = world();
		const result = await api.testCredential({
			...credential,
			data: {
				apiKey: '__n8n_BLANK_VALUE_e5362baf-c777-4d57-a609-6eaf1f9e87f6',
				baseUrl: sandbox.baseUrl,
			},
		});
		expect(result).toMatchObject({ status: 'OK' });
	});

	it('forgives a space around the key and a slash after the base URL', async () => {
		const { apiKey, baseUrl } = world().sandbox;
		const result = await testWith({ apiKey: ` ${apiKey} `, baseUrl: `${baseUrl}/` });
		expect(result).toMatchObject({ status: 'OK' });
	});

	it.each(ERROR_SHAPES)('says that a wrong key is refused, answered as %s', async (shape) => {
		world().sandbox.errorShape = shape;
		expect(await testWith({ apiKey: WRONG_KEY })).toEqual(
			fails(/API key was refused.*seedanceapi\.org dashboard/),
		);
	});

	it.each([500, 502, 503, 520])('does not pass when the API answers %i', async (status) => {
		world().sandbox.faults.on('status', { kind: 'server-error', status });
		expect(await testWith()).toEqual(fails(/has trouble right now.*check the base URL/));
	});

	it("does not pass when a proxy's error page comes", async () => {
		world().sandbox.faults.on('status', { kind: 'html', status: 502 });
		expect(await testWith()).toEqual(fails(/has trouble right now.*check the base URL/));
	});

	it.each(['string-code-http-200', 'numeric-code-http-200'] as const)(
		'does not pass when a server error comes as %s',
		async (shape) => {
			world().sandbox.faults.on('status', { kind: 'error', code: 'INTERNAL_ERROR', shape });
			expect(await testWith()).toEqual(fails(/has trouble right now/));
		},
	);

	it('does not pass when a proxy refuses access', async () => {
		world().sandbox.faults.on('status', { kind: 'html', status: 403 });
		expect(await testWith()).toEqual(fails(/Check the base URL.*firewall or proxy/));
	});

	it('does not pass when the base URL leads to a website', async () => {
		expect(await testWith({ baseUrl: world().sandbox.websiteUrl })).toEqual(
			fails(/base URL does not lead to the Seedance API.*https:\/\/seedanceapi\.org\/v1/),
		);
	});

	it('does not pass when the base URL lacks its path', async () => {
		expect(await testWith({ baseUrl: world().sandbox.origin })).toEqual(
			fails(/base URL does not lead to the Seedance API/),
		);
	});

	it.each([301, 302, 307, 308])(
		'does not pass when the base URL redirects with %i, and sends the key nowhere else',
		async (status) => {
			const { sandbox } = world();
			sandbox.faults.on('status', { kind: 'redirect', status });
			expect(await testWith()).toEqual(fails(/redirects to another address.*final address/));
			expect(sandbox.elsewhere.requests).toEqual([]);
		},
	);

	it('does not pass when nothing listens at the base URL, and says what to check', async () => {
		await world().sandbox.goDown();
		expect(await testWith()).toEqual(fails(/Nothing answers at the base URL\. Check its spelling/));
	});

	it('does not pass when the host does not exist, and says what to check', async () => {
		expect(await testWith({ baseUrl: 'http://no-such-host.invalid/v1' })).toEqual(
			fails(/Nothing answers at the base URL\. Check its spelling/),
		);
	});

	it('does not pass when the connection breaks, and says what to check', async () => {
		world().sandbox.faults.on('status', { kind: 'reset' });
		expect(await testWith()).toEqual(fails(/was reset before an answer came.*check the base URL/));
	});

	it.each([
		['text', 'error code: 1010', /Cloudflare, error 1010/],
		['JSON', { error_code: 1010, cloudflare_error: true }, /Cloudflare, error 1010/],
		['a page', '<title>Access denied | Cloudflare</title>', /Cloudflare/],
	])(
		"does not blame the key when the vendor's firewall refuses, in %s",
		async (_, body, message) => {
			world().sandbox.faults.on('status', { kind: 'refuse-with', status: 403, body });
			const result = await testWith();
			expect(result).toEqual(fails(message));
			expect(result.message).toContain('the key is not the reason');
		},
	);

	it('does not pass with https:// where plain http answers, and says so', async () => {
		const baseUrl = world().sandbox.baseUrl.replace('http://', 'https://');
		expect(await testWith({ baseUrl })).toEqual(
			fails(/No secure connection.*starts with https:\/\/ or http:\/\/ rightly/),
		);
	});

	it.each([
		['seedanceapi.org/v1', /must start with http:\/\/ or https:\/\//],
		['http://127.0.0.1:99999/v1', /a port is a number from 1 to 65535/],
		['http://127.0.0.999/v1', /names no server/],
		['http://127.0.0.1/v 1', /holds a space/],
		['http://me:secret@127.0.0.1/v1', /user name or a password/],
		['http://127.0.0.1/v1?a=1', /must end after its path/],
	])(
		'does not pass with the base URL %s, and says what is wrong with it',
		async (baseUrl, flaw) => {
			const result = await testWith({ baseUrl });
			expect(result).toEqual(fails(flaw));
			expect(result.message).toContain('the usual one is https://seedanceapi.org/v1');
			expect(result.message).not.toContain('secret');
		},
	);

	describe("in n8n's HTTP Request node, with 3 items", () => {
		it('makes 3 requests, all with the key', async () => {
			const { result, requests } = await withServer(
				(_, response) => response.end('{}'),
				async (origin) => await runHttpRequest(origin, 'GET'),
			);
			expect(result.status).toBe('success');
			expect(requests.map(({ url }) => url)).toEqual(Array(3).fill('/v1/status?task_id=1'));
			for (const { headers } of requests) {
				expect(headers.authorization).toBe(`Bearer ${world().sandbox.apiKey}`);
			}
		});

		it.each<[string, RequestListener]>([
			['a server error', (_, response) => response.writeHead(502).end()],
			['a refused key', (_, response) => response.writeHead(401).end('{"code":401}')],
			['a lost answer', (request) => request.socket.resetAndDestroy()],
		])('makes 3 and repeats no POST that ended with %s', async (_, listener) => {
			const { requests } = await withServer(
				listener,
				async (origin) => await runHttpRequest(origin, 'POST'),
			);
			expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual(
				Array(3).fill('POST /v1/generate'),
			);
		});
	});
}
