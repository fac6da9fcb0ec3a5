// The button "Test" of the credential's form: what passes, what does not, and what it says. It never costs anything.
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';

import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import { ERROR_SHAPES, type Fault } from '../sandbox/server.cjs';
import { HOST } from '../support/serverProcess.cjs';
import {
	api,
	BY_HAND,
	CONTINUE,
	credential,
	CREDENTIAL_TYPE,
	endOf,
	sandbox,
	saveChain,
	saveCredential,
	startWorkflow,
	WRONG_KEY,
} from '../support/n8n/world.cjs';

async function testWith(changes: { apiKey?: string; baseUrl?: string } = {}) {
	const { apiKey, baseUrl } = sandbox;
	const data = { apiKey, baseUrl, ...changes };
	return await api.testCredential({ name: 'Typed in the form', type: CREDENTIAL_TYPE, data });
}

/** What the form shows: it says what is wrong, and that testing costs nothing. */
const fails = (message: RegExp) => ({
	status: 'Error',
	message: expect.stringMatching(new RegExp(`${message.source}.*Testing is free\\.$`)),
});

/** Lets `use` talk to a server of the test's own; gives every request that came. */
async function requestsTo(
	listener: RequestListener,
	use: (origin: string) => Promise<void>,
): Promise<IncomingMessage[]> {
	const requests: IncomingMessage[] = [];
	const server = createServer((request, response) => {
		requests.push(request);
		listener(request, response);
	});
	await new Promise<void>((done) => server.listen(0, HOST, done));
	const address = server.address();
	const port = address !== null && typeof address === 'object' ? address.port : 0;
	try {
		await use(`http://${HOST}:${port}`);
		return requests;
	} finally {
		server.closeAllConnections();
		await new Promise((done) => server.close(done));
	}
}

describe('the credential test', () => {
	afterEach(() => {
		const { ledger } = sandbox;
		expect({ posts: ledger.posts().length, spent: ledger.spent }).toEqual({ posts: 0, spent: 0 });
	});

	it('asks the API at every test, a saved one too, and stores nothing', async () => {
		const stored = async () =>
			await api.call('GET', `/credentials/${credential.id}?includeData=true`);
		const before = await stored();
		const { apiKey, baseUrl, ledger } = sandbox;
		const full = { ...credential, data: { apiKey, baseUrl } };
		for (const _ of [1, 2]) {
			const reads = ledger.statusReads().length;
			expect(await api.testCredential(full)).toMatchObject({ status: 'OK' });
			expect(ledger.statusReads().length).toBeGreaterThan(reads);
		}
		await sandbox.goDown();
		expect(await api.testCredential(full)).toEqual(fails(/Nothing answers at the base URL/));
		await sandbox.comeBack();
		expect(await stored()).toEqual(before);
	});

	it('says who asks, in each of its requests', async () => {
		const requests = await requestsTo(
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
			expect(url).toBe('/v1/status?task_id=n8n-credential-test');
			expect(headers['user-agent']).toBe(USER_AGENT);
		}
	});

	it('passes with a saved credential, whose key the form does not know', async () => {
		const apiKey = '__n8n_BLANK_VALUE_e5362baf-c777-4d57-a609-6eaf1f9e87f6';
		const data = { apiKey, baseUrl: sandbox.baseUrl };
		expect(await api.testCredential({ ...credential, data })).toMatchObject({ status: 'OK' });
	});

	it('forgives a space around the key and a slash after the base URL', async () => {
		const { apiKey, baseUrl } = sandbox;
		const result = await testWith({ apiKey: ` ${apiKey} `, baseUrl: `${baseUrl}/` });
		expect(result).toMatchObject({ status: 'OK' });
	});

	it.each(ERROR_SHAPES)('says that a wrong key is refused, answered as %s', async (shape) => {
		sandbox.errorShape = shape;
		expect(await testWith({ apiKey: WRONG_KEY })).toEqual(
			fails(/API key was refused.*seedanceapi\.org dashboard/),
		);
	});

	const shape = 'numeric-code-http-200';
	it.each<[Fault, RegExp]>([
		[{ kind: 'server-error', status: 502 }, /has trouble right now.*check the base URL/],
		[{ kind: 'html', status: 502 }, /has trouble right now.*check the base URL/],
		[{ kind: 'error', code: 'INTERNAL_ERROR', shape }, /has trouble right now/],
		[{ kind: 'html', status: 403 }, /Check the base URL.*firewall or proxy/],
		[{ kind: 'redirect', status: 302 }, /redirects to another address.*final address/],
		[{ kind: 'reset' }, /was reset before an answer came.*check the base URL/],
		[
			{ kind: 'refuse-with', status: 403, body: 'error code: 1010' },
			/Cloudflare, error 1010.*the key is not the reason/,
		],
	])('does not pass when the API answers %j, and says what to check', async (fault, message) => {
		sandbox.faults.on('status', fault);
		expect(await testWith()).toEqual(fails(message));
		// A redirect is not followed: the key goes nowhere else.
		expect(sandbox.elsewhere.requests).toEqual([]);
	});

	it.each<[string, () => string, RegExp]>([
		['a website', () => sandbox.websiteUrl, /does not lead to the Seedance API.*\.org\/v1/],
		['no path', () => sandbox.origin, /base URL does not lead to the Seedance API/],
		['an unknown host', () => 'http://no-such-host.invalid/v1', /Nothing answers.*its spelling/],
		[
			'https:// where plain http answers',
			() => sandbox.baseUrl.replace('http://', 'https://'),
			/No secure connection.*starts with https:\/\/ or http:\/\/ rightly/,
		],
	])('does not pass with a base URL that leads to %s', async (_, baseUrl, message) => {
		expect(await testWith({ baseUrl: baseUrl() })).toEqual(fails(message));
	});

	it.each([
		['seedanceapi.org/v1', /must start with http:\/\/ or https:\/\//],
		['http://me:secret@127.0.0.1/v1', /user name or a password/],
	])(
		'does not pass with the base URL %s, and says what is wrong with it',
		async (baseUrl, flaw) => {
			const result = await testWith({ baseUrl });
			expect(result).toEqual(fails(flaw));
			expect(result.message).toContain('the usual one is https://seedanceapi.org/v1');
			expect(result.message).not.toContain('secret');
		},
	);

	it.each<[string, string, RequestListener]>([
		['GET', 'is answered', (_, response) => response.end('{}')],
		['POST', 'ends with a server error', (_, response) => response.writeHead(502).end()],
		['POST', 'ends with a refused key', (_, response) => response.writeHead(401).end('{}')],
		['POST', 'gets no answer', (request) => request.socket.resetAndDestroy()],
	])(
		"gives the key to n8n's HTTP Request node, which repeats no %s that %s",
		async (method, _, listener) => {
			const requests = await requestsTo(listener, async (origin) => {
				const httpRequest = {
					name: 'HTTP Request',
					type: 'n8n-nodes-base.httpRequest',
					typeVersion: 4.2,
					onError: CONTINUE,
					parameters: {
						method,
						url: `${origin}/v1/generate`,
						authentication: 'predefinedCredentialType',
						nodeCredentialType: CREDENTIAL_TYPE,
					},
					credentials: await saveCredential({ baseUrl: `${origin}/v1` }),
				} as const;
				const rows = ['one', 'two', 'three'];
				const id = await startWorkflow(await saveChain([BY_HAND, httpRequest], { rows }));
				expect((await endOf(id)).status).toBe('success');
			});
			expect(requests.map((request) => request.method)).toEqual(Array(3).fill(method));
			for (const { headers } of requests) {
				expect(headers.authorization).toBe(`Bearer ${sandbox.apiKey}`);
			}
		},
	);
});
