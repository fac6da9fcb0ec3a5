// The button "Test" of the credential's form: what passes, what does not, and what it says. It never costs anything.
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';

import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import type { Fault } from '../sandbox/server.cjs';
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
} from '../support/n8n/world.cjs';

async function testWith(changes: { apiKey?: string; baseUrl?: string } = {}) {
	const { apiKey, baseUrl } = sandbox;
	return await api.testCredential({ ...credential, data: { apiKey, baseUrl, ...changes } });
}

/** What the form shows: it says what is wrong, and that testing costs nothing. */
const fails = (message: RegExp) => ({
	status: 'Error',
	message: expect.stringMatching(new RegExp(`${message.source}.*Testing is free\\.$`)),
});

describe('the credential test', () => {
	afterEach(() => {
		const { ledger } = sandbox;
		expect({ posts: ledger.posts().length, spent: ledger.spent }).toEqual({ posts: 0, spent: 0 });
	});

	it('asks the API at every test, a saved one too, and stores nothing', async () => {
		const stored = async () =>
			await api.call('GET', `/credentials/${credential.id}?includeData=true`);
		const before = await stored();
		const reads = () => sandbox.ledger.statusReads();
		// What the form holds of a saved key: n8n fills in the key itself.
		const blank = '__n8n_BLANK_VALUE_e5362baf-c777-4d57-a609-6eaf1f9e87f6';
		for (const apiKey of [sandbox.apiKey, blank, ` ${sandbox.apiKey} `]) {
			const asked = reads().length;
			const baseUrl = `${sandbox.baseUrl}/`;
			expect(await testWith({ apiKey, baseUrl })).toMatchObject({ status: 'OK' });
			expect(reads().length).toBeGreaterThan(asked);
		}
		for (const { headers } of reads()) expect(headers['user-agent']).toBe(USER_AGENT);
		await sandbox.goDown();
		expect(await testWith()).toEqual(fails(/Nothing answers at the base URL/));
		await sandbox.comeBack();
		expect(await stored()).toEqual(before);
	});

	const shape = 'numeric-code-http-200';
	it.each<[Fault, RegExp]>([
		[{ kind: 'error', code: 'INTERNAL_ERROR', shape }, /has trouble right now/],
		[{ kind: 'html', status: 403 }, /Check the base URL.*firewall or proxy/],
		[{ kind: 'redirect', status: 302 }, /redirects to another address.*final address/],
		[{ kind: 'reset' }, /was reset before an answer came.*check the base URL/],
	])('does not pass when the API returns %j, and says what to check', async (fault, message) => {
		sandbox.faults.on('status', fault);
		expect(await testWith()).toEqual(fails(message));
		// A redirect is not followed: the key goes nowhere else.
		expect(sandbox.elsewhere.requests).toEqual([]);
	});

	it.each<[string, () => string, RegExp]>([
		['a website', () => sandbox.websiteUrl, /does not lead to the Seedance API.*\.org\/v1/],
		['an unknown host', () => 'http://no-such-host.invalid/v1', /Nothing answers.*its spelling/],
		[
			'https:// where plain http answers',
			() => sandbox.baseUrl.replace('http://', 'https://'),
			/A secure connection.*should start with https:\/\/ or with http:\/\//,
		],
		['no address', () => 'seedanceapi.org/v1', /must start with http.*the usual one is https:/],
	])('does not pass with a base URL that leads to %s', async (_, baseUrl, message) => {
		expect(await testWith({ baseUrl: baseUrl() })).toEqual(fails(message));
	});

	it.each<[string, string, RequestListener]>([
		['GET', 'gets a response', (_, response) => response.end('{}')],
		['POST', 'ends with a server error', (_, response) => response.writeHead(502).end()],
		['POST', 'ends with a refused key', (_, response) => response.writeHead(401).end('{}')],
		['POST', 'gets no response', (request) => request.socket.resetAndDestroy()],
	])(
		"gives the key to n8n's HTTP Request node, which repeats no %s that %s",
		async (method, _, listener) => {
			const requests: IncomingMessage[] = [];
			const server = createServer((request, response) => {
				requests.push(request);
				listener(request, response);
			});
			await new Promise<void>((done) => server.listen(0, HOST, done));
			const origin = `http://${HOST}:${Object(server.address()).port}`;
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
			try {
				const id = await startWorkflow(await saveChain([BY_HAND, httpRequest], { rows }));
				expect((await endOf(id)).status).toBe('success');
			} finally {
				server.closeAllConnections();
				server.close();
			}
			expect(requests.map((request) => request.method)).toEqual(Array(3).fill(method));
			for (const { headers } of requests) {
				expect(headers.authorization).toBe(`Bearer ${sandbox.apiKey}`);
			}
		},
	);
});
