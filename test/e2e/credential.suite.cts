// The button "Test" of the credential's form: what passes, what does not, and what it says. It never costs anything.
import { ERROR_SHAPES } from '../sandbox/server.cjs';
import { CREDENTIAL_TYPE, world, WRONG_KEY } from './world.cjs';

async function testWith(changes: { apiKey?: string; baseUrl?: string } = {}) {
	const { api, sandbox } = world();
	const { apiKey, baseUrl } = sandbox;
	return await api.testCredential({
		name: 'Typed in the form',
		type: CREDENTIAL_TYPE,
		data: { apiKey, baseUrl, ...changes },
	});
}

const fails = (message: RegExp) => ({ status: 'Error', message: expect.stringMatching(message) });

export function credentialSuite() {
	afterEach(() => {
		const { ledger } = world().sandbox;
		expect({ posts: ledger.posts().length, spent: ledger.spent }).toEqual({ posts: 0, spent: 0 });
	});

	it('passes with the right key', async () => {
		expect(await testWith()).toMatchObject({ status: 'OK' });
		expect(world().sandbox.ledger.statusReads()).toHaveLength(1);
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

	// Only here n8n shows its own code: the server answers, and breaks off the test alone.
	it('does not pass when the connection breaks', async () => {
		world().sandbox.faults.on('status', { kind: 'reset' });
		expect(await testWith()).toEqual(fails(/ECONNRESET|reset|aborted/));
	});
}
