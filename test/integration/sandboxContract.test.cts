// The sandbox keeps the contract: what it accepts, refuses, limits, charges, gives back and writes in its ledger.
import axios, { type AxiosInstance } from 'axios';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import rows from '../fixtures/sandboxTests.json';
import { probe } from '../sandbox/clips.cjs';
import {
	ASPECT_RATIOS,
	DURATIONS,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
	startSandbox,
	UNREACHABLE_KINDS,
	type Sandbox,
} from '../sandbox/server.cjs';

const PROMPT = { prompt: 'A boat' };

let sandbox: Sandbox;
let api: AxiosInstance;
let other: AxiosInstance;

const client = (apiKey: string | null) =>
	axios.create({
		baseURL: sandbox.baseUrl,
		headers: apiKey === null ? {} : { Authorization: `Bearer ${apiKey}` },
		validateStatus: () => true,
		maxRedirects: 0,
		proxy: false,
		timeout: 2_000,
	});
const post = async (body: unknown = PROMPT, account = api) => await account.post('/generate', body);
const create = async (body?: unknown): Promise<string> => (await post(body)).data.data.task_id;
const read = async (taskId: string, account = api) =>
	await account.get('/status', { params: { task_id: taskId } });
const control = async (data: object) => await client(null).post(sandbox.controlUrl, data);

beforeAll(async () => {
	sandbox = await startSandbox({ credits: 10_000 });
	api = client(sandbox.apiKey);
	other = client(sandbox.otherAccount.apiKey);
});
afterEach(() => {
	sandbox.reset();
	sandbox.errorShape = 'string-code';
	sandbox.speed = 1;
	sandbox.faults.limits.now = Date.now;
});
afterAll(async () => await sandbox.close());

describe('POST /generate', () => {
	it('takes the values of the contract, no more and no fewer, and responds with a task ID', async () => {
		expect(ASPECT_RATIOS.join(' ')).toBe('1:1 16:9 9:16 4:3 3:4 21:9 9:21');
		expect([...RESOLUTIONS, ...DURATIONS, PROMPT_MAX_LENGTH].join(' ')).toBe(
			'480p 720p 4 8 12 2000',
		);
		const task_id = expect.stringMatching(/^seed15[0-9a-f]+pro$/);
		const data = { task_id, status: 'IN_PROGRESS' };
		for (const aspect_ratio of ASPECT_RATIOS) {
			const response = await post({ ...PROMPT, aspect_ratio });
			expect(response.data).toEqual({ code: 200, message: 'success', data });
		}
		// Characters, not the halves of an emoji.
		expect((await post({ prompt: '🚤'.repeat(2000) })).status).toBe(200);
		expect((await post({ prompt: '🚤'.repeat(2001) })).data.code).toBe('INVALID_PROMPT');
	});

	it.each<unknown[]>(rows.charges)(
		'charges for %s and %s s what the contract prints: %i, with audio %i',
		async (resolution, duration, ...prices) => {
			for (const generate_audio of [false, true]) {
				await create({ ...PROMPT, resolution, duration, generate_audio });
			}
			const charged = sandbox.ledger.charges().map(({ credits }) => credits);
			expect(charged).toEqual(prices);
			expect(sandbox.ledger.balance).toBe(10_000 - charged[0] - charged[1]);
		},
	);

	it.each<unknown[]>(rows.refusedPosts)('refuses %s without charging', async (_, body, code) => {
		const response = await post(body);
		expect([response.status, response.data.code]).toEqual([400, code]);
		expect(sandbox.ledger.charges()).toHaveLength(0);
		expect(sandbox.ledger.posts()[0]).toMatchObject({ accepted: false, taskId: null, charged: 0 });
	});

	it.each([null, 'Bearer wrong', 'right', 'Basic right'])(
		'returns 401 to a key given as: %s',
		async (given) => {
			const Authorization = given?.replace('right', sandbox.apiKey);
			const response = await client(null).post('/generate', PROMPT, { headers: { Authorization } });
			expect([response.status, response.data.code]).toEqual([401, 'INVALID_API_KEY']);
			expect(sandbox.ledger.charges()).toHaveLength(0);
		},
	);

	it('returns 402 when the balance of the account is short by one credit', async () => {
		sandbox.ledger.balance = 27;
		sandbox.otherAccount.balance = 28;
		const response = await post();
		expect([response.status, response.data.code]).toEqual([402, 'INSUFFICIENT_CREDITS']);
		expect((await post(PROMPT, other)).status).toBe(200);
		expect(sandbox.ledger.chargesOf('other')).toMatchObject([{ credits: 28 }]);
		expect([sandbox.ledger.balance, sandbox.otherAccount.balance]).toEqual([27, 0]);
	});

	it('writes down what departs from the contract, and nothing of a request that does not', async () => {
		await create(rows.fullRequest);
		expect(sandbox.ledger.posts()).toMatchObject([{ unknownFields: [], breaches: [] }]);
		await create({ ...PROMPT, aspectRatio: '9:16', duration: 8 });
		expect(sandbox.ledger.posts()[1].unknownFields).toEqual(['aspectRatio']);
		expect(sandbox.ledger.breaches()).toEqual(['duration is not a string']);
	});

	it('keeps the body byte for byte, and counts how often each was charged', async () => {
		const body = '{ "prompt" : "Ein Boot \\u00fc ü 🚤" }';
		await api.post('/generate', body, { headers: { 'content-type': 'application/json' } });
		expect(sandbox.ledger.posts()[0].rawBody.equals(Buffer.from(body))).toBe(true);
		await create({ prompt: 'B' });
		await create({ prompt: 'B' });
		expect(sandbox.ledger.doubleCharges()).toEqual(['{"prompt":"B"}']);
		expect(sandbox.ledger.postsWithPrompt('B')).toBe(2);
	});
});

describe('GET /status', () => {
	it('shows a task before its end and after it as the contract prints it', async () => {
		const callback_url = 'http://127.0.0.1:9/?sig=1';
		const task_id = await create({ ...PROMPT, callback_url });
		const { data: running } = (await read(task_id)).data;
		expect(running).toMatchObject({ status: 'IN_PROGRESS', response: [], error_message: null });
		expect(running).not.toHaveProperty('consumed_credits');
		sandbox.finish(task_id);
		const defaults = { aspect_ratio: '1:1', resolution: '720p', duration: '8' };
		expect((await read(task_id)).data).toEqual({
			code: 200,
			message: 'success',
			data: {
				task_id,
				status: 'SUCCESS',
				consumed_credits: 28,
				error_message: null,
				created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
				// It repeats the callback URL, which callers have to cut.
				request: { ...PROMPT, ...defaults, callback_url },
				response: [`${sandbox.origin}/videos/${task_id}.mp4`],
			},
		});
	});

	it('gives the credits of a failed task back and says 0 were consumed', async () => {
		const taskId = await create();
		sandbox.finish(taskId, { status: 'FAILED', errorMessage: 'Blocked' });
		const failed = { status: 'FAILED', consumed_credits: 0, error_message: 'Blocked' };
		expect((await read(taskId)).data.data).toMatchObject({ ...failed, response: [] });
		expect(sandbox.ledger.posts()).toMatchObject([{ charged: 28, refunded: 28 }]);
		expect([sandbox.ledger.balance, sandbox.ledger.spent]).toEqual([10_000, 0]);
	});

	it('shows a task to its own account alone, and counts the reads of each', async () => {
		const [mine, theirs] = [await create(), sandbox.otherAccount.createTask()];
		for (const taskId of ['seed15000000000000pro', theirs]) {
			const response = await read(taskId);
			expect([response.status, response.data.code]).toEqual([404, 'TASK_NOT_FOUND']);
		}
		expect((await read(theirs, other)).data.data.task_id).toBe(theirs);
		await read(mine);
		expect(sandbox.ledger.statusReads(mine)).toHaveLength(1);
		expect(sandbox.ledger.statusReads()).toHaveLength(4);
	});
});

it('makes a video at the time of its length divided by the speed, which may change', async () => {
	const taskId = await create({ ...PROMPT, duration: '4' });
	sandbox.speed = 500;
	await sandbox.ledger.until(() => sandbox.tasks.get(taskId)?.ended === true);
	const { endedAt = null, createdAt = 0 } = sandbox.tasks.get(taskId) ?? {};
	expect((endedAt ?? 0) - createdAt).toBeGreaterThanOrEqual(95);
});

describe('a key', () => {
	it('stands nowhere in the ledger, neither one of an account nor a foreign one', async () => {
		await create();
		await read('x', client('sk-live-real-key'));
		const text = JSON.stringify([sandbox.ledger.snapshot(), sandbox.ledger.posts()]);
		expect(text).not.toContain(sandbox.apiKey);
		expect(text).not.toContain('sk-live-real-key');
	});

	it('is noticed in the address, at the video host, and behind a redirect to another origin', async () => {
		await api.get('/status', { params: { task_id: 'x', key: sandbox.apiKey } });
		expect(sandbox.ledger.breaches()).toContain('the API key is in the address');
		await api.get(`${sandbox.origin}/videos/none.mp4`);
		sandbox.faults.on('status', { kind: 'redirect', status: 302 });
		const { location } = (await read('x')).headers;
		expect(location).toBe(`${sandbox.elsewhere.origin}/v1/status?task_id=x`);
		await api.get(location);
		const places = sandbox.ledger.keyLeaks.map(({ where }) => where);
		expect(places).toEqual(['url', 'video', 'other origin']);
		expect(sandbox.elsewhere.requests).toHaveLength(1);
	});
});

describe('rate limits', () => {
	const READ = async () => (await read('none')).status;
	const POST = async () => (await post()).status;
	const inTurn = async (count: number, call: () => Promise<number>) => {
		const statuses: number[] = [];
		while (statuses.length < count) statuses.push(await call());
		return statuses;
	};
	let now = 0;
	beforeEach(() => {
		now = 1_000_000;
		sandbox.faults.limits.now = () => now;
	});

	it.each([
		['status', READ, { perSecond: 2 }, [404, 404, 429], 1_000],
		['generate', POST, { perMinute: 2 }, [200, 200, 429], 60_000],
	] as const)(
		'on %s serve so many requests of any second or minute, for each route and account by itself',
		async (route, call, limit, statuses, ms) => {
			sandbox.faults.limits.add({ route, ...limit });
			expect(await inTurn(3, call)).toEqual(statuses);
			expect((await read('none', other)).status).toBe(404);
			expect(await (call === READ ? POST() : READ())).not.toBe(429);
			now += ms - 1;
			expect(await call()).toBe(429);
			now += 1;
			expect(await inTurn(3, call)).toEqual(statuses);
			expect(sandbox.faults.limits.count(route, 'main')).toBe(3);
			const refused = { accepted: false, charged: 0, answered: 429, fault: 'rate-limit' };
			if (call === POST) expect(sandbox.ledger.posts()[2]).toMatchObject(refused);
		},
	);

	it.each([
		[undefined, undefined],
		['exact', '60'],
		[7, '7'],
	] as const)('say when to come back as set: %s', async (retryAfter, header) => {
		sandbox.faults.limits.add({ route: 'status', perMinute: 1, retryAfter });
		await READ();
		expect((await read('none')).headers['retry-after']).toBe(header);
	});

	it('can count what they refuse, so that a caller that insists stays shut out', async () => {
		sandbox.faults.limits.add({ route: 'status', perSecond: 1, countsRefused: true });
		expect(await inTurn(2, READ)).toEqual([404, 429]);
		const later = async (ms: number) => {
			now += ms;
			return await READ();
		};
		expect([await later(600), await later(600), await later(1_000)]).toEqual([429, 429, 404]);
	});
});

describe('the control endpoint', () => {
	it('shows another process what has happened, and at which base URLs nothing can', async () => {
		await create();
		const { data } = await client(null).get(sandbox.controlUrl);
		const { baseUrl, unreachable } = sandbox;
		expect(data).toMatchObject({ baseUrl, unreachable, balance: 9972, spent: 28, keyLeaks: [] });
		expect(data.posts[0]).toMatchObject({ body: '{"prompt":"A boat"}', accepted: true });
	});

	it('takes faults and limits, and takes them away', async () => {
		const rule = { match: { route: 'generate' }, fault: { kind: 'server-error', status: 503 } };
		expect((await control({ faults: [rule, rule] })).data.faults).toEqual([rule, rule]);
		expect((await post()).status).toBe(503);
		const limit = { route: 'generate', perMinute: 0 };
		expect((await control({ clear: true, limits: [limit] })).data.limits).toEqual([limit]);
		expect((await post()).status).toBe(429);
		await control({ clear: true });
		expect((await post()).status).toBe(200);
	});

	it.each([
		{ faults: [{ match: { route: 'generate' }, fault: { kind: 'earthquake' } }] },
		{ faults: [{ match: { route: 'moon' }, fault: { kind: 'reset' } }] },
		{ faults: [{ match: { route: 'generate' }, fault: { kind: 'delay', ms: 'long' } }] },
		{ faults: [{ match: { route: 'status' }, fault: { kind: 'cut' } }] },
		{ limits: [{ route: 'status' }] },
		{ limits: [{ route: 'status', perSecond: -1 }] },
		{ limits: [{ route: 'status', running: 1 }] },
		{ settings: { sped: 7 } },
		{ settings: { eitherVersion: 'yes' } },
		{ finish: { seed15: { status: 'SUCCESS', link: { minutes: 1 } } } },
	])('refuses what is not described: %j', async (wrong) => {
		expect((await control(wrong)).status).toBe(400);
		expect([...sandbox.faults.pending, ...sandbox.faults.limits.standing]).toHaveLength(0);
	});

	it('ends a task, once, and changes settings while it runs', async () => {
		const end = { finish: { [await create()]: { status: 'FAILED' } } };
		expect((await control(end)).data.tasks).toMatchObject([
			{ ended: true, outcome: { status: 'FAILED' } },
		]);
		expect((await control(end)).status).toBe(404);
		await control({ credits: 29, settings: { speed: 7, errorShape: 'html' } });
		expect([sandbox.speed, sandbox.errorShape, sandbox.ledger.balance]).toEqual([7, 'html', 29]);
		await control({ reset: true });
		expect([sandbox.ledger.posts().length, sandbox.ledger.balance]).toEqual([0, 10_000]);
	});
});

describe('being there', () => {
	it('is refused while it is down, and has kept its tasks when it comes back', async () => {
		const taskId = await create();
		await sandbox.goDown();
		await expect(read(taskId)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
		await sandbox.comeBack();
		expect((await read(taskId)).data.data.task_id).toBe(taskId);
	});

	it('returns a web page under HTTP 200 where a base URL is wrong', async () => {
		const { status, headers } = await api.get(`${sandbox.websiteUrl}/status`);
		expect([status, headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
	});

	it.each(UNREACHABLE_KINDS)('lets no request leave for the base URL "%s"', async (kind) => {
		const { [kind]: baseURL } = sandbox.unreachable;
		const failed = api.post('/generate', PROMPT, { baseURL, timeout: 300 });
		const error: unknown = await failed.catch((reason: unknown) => reason);
		const reason = axios.isAxiosError(error) ? error.code : String(error);
		expect(rows.unreachable[kind]).toContain(reason);
		expect(sandbox.ledger.posts()).toHaveLength(0);
	});
});

it('gives out a clip of the size that was ordered, and what is no video is not taken for one', async () => {
	const folder = await mkdtemp(path.join(tmpdir(), 'sandbox-clips-test-'));
	const file = path.join(folder, 'downloaded.mp4');
	const taskId = await create({ ...PROMPT, aspect_ratio: '3:4', resolution: '480p' });
	sandbox.finish(taskId);
	const [url] = (await read(taskId)).data.data.response;
	const whole = { responseType: 'arraybuffer', timeout: 60_000 } as const;
	const video = await client(null).get<Buffer>(url, whole);
	expect(video.headers['content-type']).toBe('video/mp4');
	await writeFile(file, video.data);
	expect(await probe(file)).toMatchObject({ width: 480, height: 640, hasAudio: false });
	await writeFile(file, 'not a video');
	await expect(probe(file)).rejects.toThrow('The video encoder failed');
	await rm(folder, { recursive: true });
}, 60_000);
