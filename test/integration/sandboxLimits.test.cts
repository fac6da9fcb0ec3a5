// The sandbox's limits, its two accounts, and the base URLs at which a request never leaves: each does what it says, in
// its own process and over the control endpoint.
import axios, { type AxiosInstance } from 'axios';

import { startSandbox, UNREACHABLE_KINDS, type Sandbox } from '../sandbox/server.cjs';

let sandbox: Sandbox;
let api: AxiosInstance;
let otherApi: AxiosInstance;

const clientOf = (apiKey: string) =>
	axios.create({
		baseURL: sandbox.baseUrl,
		headers: { Authorization: `Bearer ${apiKey}` },
		validateStatus: () => true,
		proxy: false,
		timeout: 2000,
	});

beforeAll(async () => {
	sandbox = await startSandbox();
	api = clientOf(sandbox.apiKey);
	otherApi = clientOf(sandbox.otherAccount.apiKey);
});
afterEach(() => {
	sandbox.reset();
	sandbox.faults.limits.now = Date.now;
});
afterAll(async () => await sandbox.close());

const control = async (method: string, path: string, data?: unknown) =>
	await axios.request({
		method,
		url: `${sandbox.controlUrl}${path}`,
		data,
		validateStatus: () => true,
		proxy: false,
	});
const post = async (client = api) => await client.post('/generate', { prompt: 'A boat' });
const statuses = async (count: number, call: () => Promise<{ status: number }>) => {
	const seen: number[] = [];
	for (let nth = 0; nth < count; nth += 1) seen.push((await call()).status);
	return seen;
};

describe('rate limits', () => {
	const read = async (client = api) => await client.get('/status?task_id=none');

	it('serve so many requests of any second, and refuse the others', async () => {
		let now = 1_000_000;
		sandbox.faults.limits.now = () => now;
		sandbox.faults.limits.add({ route: 'status', perSecond: 2 });
		expect(await statuses(3, read)).toEqual([404, 404, 429]);
		now += 999;
		expect(await statuses(1, read)).toEqual([429]);
		now += 1;
		expect(await statuses(3, read)).toEqual([404, 404, 429]);
		expect(sandbox.faults.limits.count('status', 'main')).toBe(3);
	});

	it('count each minute as well', async () => {
		let now = 1_000_000;
		sandbox.faults.limits.now = () => now;
		sandbox.faults.limits.add({ route: 'generate', perMinute: 2 });
		expect(await statuses(3, post)).toEqual([200, 200, 429]);
		now += 59_000;
		expect(await statuses(1, post)).toEqual([429]);
		now += 1_000;
		expect(await statuses(3, post)).toEqual([200, 200, 429]);
		expect(sandbox.ledger.charges()).toHaveLength(4);
	});

	it('let reads pass where POSTs are limited', async () => {
		sandbox.faults.limits.add({ route: 'generate', perSecond: 0 });
		expect((await post()).status).toBe(429);
		expect((await read()).status).toBe(404);
	});

	it('count each account by itself', async () => {
		sandbox.faults.limits.add({ route: 'status', perMinute: 1 });
		expect(await statuses(2, read)).toEqual([404, 429]);
		expect(await statuses(2, async () => await read(otherApi))).toEqual([404, 429]);
	});

	it('can stand for one account alone', async () => {
		sandbox.faults.limits.add({ route: 'generate', perSecond: 0, account: 'other' });
		expect((await post()).status).toBe(200);
		expect((await post(otherApi)).status).toBe(429);
		expect(sandbox.faults.limits.refused).toMatchObject([{ route: 'generate', account: 'other' }]);
	});

	it('say when to come back only where they are told to', async () => {
		sandbox.faults.limits.add({ route: 'status', perMinute: 0 });
		expect((await read()).headers['retry-after']).toBeUndefined();
		sandbox.faults.clear();
		sandbox.faults.limits.add({ route: 'status', perMinute: 1, retryAfter: 'exact' });
		await read();
		expect((await read()).headers['retry-after']).toBe('60');
		sandbox.faults.clear();
		sandbox.faults.limits.add({ route: 'status', perMinute: 0, retryAfter: 7 });
		expect((await read()).headers['retry-after']).toBe('7');
	});

	it('can count what they refuse, so that whoever insists stays shut out', async () => {
		let now = 1_000_000;
		sandbox.faults.limits.now = () => now;
		sandbox.faults.limits.add({ route: 'status', perSecond: 1, countsRefused: true });
		await statuses(2, read);
		now += 1_000;
		// The refused one of a second ago has left the window with the served one; insisting within it does not help.
		expect(await statuses(2, read)).toEqual([404, 429]);
		now += 600;
		expect((await read()).status).toBe(429);
		now += 600;
		expect((await read()).status).toBe(429);
		now += 1_000;
		expect((await read()).status).toBe(404);
	});

	it('write down a refused POST as one that cost nothing', async () => {
		sandbox.faults.limits.add({ route: 'generate', perSecond: 0 });
		await post();
		expect(sandbox.ledger.posts()).toMatchObject([
			{ accepted: false, answered: 429, fault: 'rate-limit' },
		]);
		expect(sandbox.faults.count('rate-limit')).toBe(1);
	});

	it('are set, shown and taken away over the control endpoint', async () => {
		const limit = { route: 'generate', perMinute: 0 };
		expect((await control('POST', '/limits', limit)).data).toEqual({ standing: [limit] });
		expect((await post()).status).toBe(429);
		const { data } = await control('GET', '/limits');
		expect(data.refused).toMatchObject([{ route: 'generate', account: 'main' }]);
		await control('DELETE', '/limits');
		expect((await post()).status).toBe(200);
	});

	it.each([
		{ route: 'status' },
		{ route: 'moon', perSecond: 1 },
		{ route: 'status', perSecnd: 1 },
		{ route: 'status', perSecond: -1 },
	])('are refused when they are none: %j', async (wrong) => {
		expect((await control('POST', '/limits', wrong)).status).toBe(400);
	});
});

describe('two accounts', () => {
	it('pay from a balance of their own, so that one of them alone can be empty', async () => {
		sandbox.otherAccount.balance = 0;
		expect((await post()).status).toBe(200);
		expect((await post(otherApi)).status).toBe(402);
		sandbox.ledger.balance = 0;
		sandbox.otherAccount.balance = 28;
		expect((await post()).status).toBe(402);
		expect((await post(otherApi)).status).toBe(200);
		expect(sandbox.ledger.chargesOf('other')).toMatchObject([{ credits: 28 }]);
		expect(sandbox.otherAccount.balance).toBe(0);
	});

	it('are known, and emptied, over the control endpoint', async () => {
		await control('POST', '/settings', { otherCredits: 5 });
		const { data } = await control('GET', '/accounts');
		expect(data.other).toMatchObject({ apiKey: sandbox.otherAccount.apiKey, balance: 5 });
		expect((await post(otherApi)).status).toBe(402);
	});

	it('can be struck one alone by a fault', async () => {
		sandbox.faults.on('generate', { kind: 'server-error' }, { account: 'other' });
		expect((await post()).status).toBe(200);
		expect((await post(otherApi)).status).toBe(500);
	});
});

describe('base URLs at which a request never leaves', () => {
	const reasons: Record<string, string[]> = {
		'https-to-http': ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
		refused: ['ECONNREFUSED'],
		'silent-tls': ['ECONNABORTED'],
		'closing-tls': ['ECONNRESET'],
		'unknown-host': ['ENOTFOUND', 'EAI_AGAIN'],
		'bad-port': ['TypeError: Invalid URL'],
		'no-url': ['TypeError: Invalid URL'],
	};

	it.each(UNREACHABLE_KINDS)('%s', async (kind) => {
		const failed = axios.post(
			`${sandbox.unreachable[kind]}/generate`,
			{ prompt: 'A boat' },
			{ proxy: false, timeout: 300, headers: { Authorization: `Bearer ${sandbox.apiKey}` } },
		);
		const error: unknown = await failed.catch((reason: unknown) => reason);
		expect(reasons[kind]).toContain(axios.isAxiosError(error) ? error.code : String(error));
		expect(sandbox.ledger.posts()).toHaveLength(0);
	});

	it('are told over the control endpoint', async () => {
		expect((await control('GET', '/unreachable')).data).toEqual(sandbox.unreachable);
	});
});
