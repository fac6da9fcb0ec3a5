// The sandbox keeps the contract: what it accepts, refuses, limits, charges, gives back and writes in its ledger.
import axios, { type AxiosInstance } from 'axios';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { clipFor, probe, sizeOf } from '../sandbox/clips.cjs';
import {
	ASPECT_RATIOS,
	DURATIONS,
	ERROR_CODES,
	ERROR_SHAPES,
	ERRORS,
	errorAnswer,
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
const post = async (body: unknown = PROMPT) => await api.post('/generate', body);
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
	it('answers a task id and IN_PROGRESS, in the envelope of the contract', async () => {
		const { status, data } = await post();
		const task_id = expect.stringMatching(/^seed15[0-9a-f]+pro$/);
		expect(status).toBe(200);
		const started = { task_id, status: 'IN_PROGRESS' };
		expect(data).toEqual({ code: 200, message: 'success', data: started });
	});

	it('takes the values of the contract, no more and no fewer', async () => {
		expect(ASPECT_RATIOS.join(' ')).toBe('1:1 16:9 9:16 4:3 3:4 21:9 9:21');
		expect([...RESOLUTIONS, ...DURATIONS, PROMPT_MAX_LENGTH].join(' ')).toBe(
			'480p 720p 4 8 12 2000',
		);
		for (const aspect_ratio of ASPECT_RATIOS) {
			expect((await post({ ...PROMPT, aspect_ratio })).status).toBe(200);
		}
	});

	it.each([
		['480p', '4', 8, 14],
		['480p', '8', 14, 28],
		['480p', '12', 19, 38],
		['720p', '4', 14, 28],
		['720p', '8', 28, 56],
		['720p', '12', 42, 84],
	])('charges for %s and %s s what the contract prints: %i, with audio %i', async (...row) => {
		const [resolution, duration, silent, withAudio] = row;
		await create({ ...PROMPT, resolution, duration, generate_audio: false });
		await create({ ...PROMPT, resolution, duration, generate_audio: true });
		expect(sandbox.ledger.charges().map(({ credits }) => credits)).toEqual([silent, withAudio]);
		expect(sandbox.ledger.balance).toBe(10_000 - silent - withAudio);
	});

	it.each<[string, unknown, string]>([
		['no prompt', {}, 'INVALID_PROMPT'],
		['a prompt of spaces', { prompt: '  \n' }, 'INVALID_PROMPT'],
		['a prompt that is a number', { prompt: 5 }, 'INVALID_PROMPT'],
		['a prompt of 2001 characters', { prompt: '🚤'.repeat(2001) }, 'INVALID_PROMPT'],
		['an unknown ratio', { ...PROMPT, aspect_ratio: '2:1' }, 'INVALID_ASPECT_RATIO'],
		['an unknown resolution', { ...PROMPT, resolution: '1080p' }, 'INVALID_RESOLUTION'],
		['an unknown duration', { ...PROMPT, duration: '5' }, 'INVALID_DURATION'],
		['a duration with a unit', { ...PROMPT, duration: '8s' }, 'INVALID_DURATION'],
		['two images', { ...PROMPT, image_urls: ['http://a/1', 'http://a/2'] }, 'TOO_MANY_IMAGES'],
		['an array', [], 'INVALID_PROMPT'],
		['no JSON', 'prompt=x', 'INVALID_PROMPT'],
	])('refuses %s without charging', async (_what, body, code) => {
		const answer = await post(body);
		expect([answer.status, answer.data.code]).toEqual([400, code]);
		expect(sandbox.ledger.charges()).toHaveLength(0);
		expect(sandbox.ledger.posts()[0]).toMatchObject({ accepted: false, taskId: null, charged: 0 });
	});

	it('counts the 2000 characters of a prompt, not the halves of an emoji', async () => {
		expect((await post({ prompt: '🚤'.repeat(2000) })).status).toBe(200);
	});

	it.each([null, 'Bearer wrong', 'right', 'Basic right'])(
		'answers 401 to a key given as: %s',
		async (given) => {
			const Authorization = given?.replace('right', sandbox.apiKey);
			const answer = await client(null).post('/generate', PROMPT, { headers: { Authorization } });
			expect([answer.status, answer.data.code]).toEqual([401, 'INVALID_API_KEY']);
			expect(sandbox.ledger.charges()).toHaveLength(0);
		},
	);

	it('answers 402 when the balance is short by one credit, and leaves it alone', async () => {
		sandbox.ledger.balance = 27;
		const answer = await post();
		expect([answer.status, answer.data.code]).toEqual([402, 'INSUFFICIENT_CREDITS']);
		expect(sandbox.ledger.balance).toBe(27);
	});

	it('tolerates an unknown field and a duration sent as a number, and writes both down', async () => {
		await create({ ...PROMPT, aspectRatio: '9:16', duration: 8 });
		expect(sandbox.ledger.posts()[0].unknownFields).toEqual(['aspectRatio']);
		expect(sandbox.ledger.breaches()).toEqual(['duration is not a string']);
	});

	it('finds no fault with a request that has every field as the contract wants it', async () => {
		await create({
			...PROMPT,
			aspect_ratio: '9:16',
			resolution: '480p',
			duration: '4',
			generate_audio: true,
			fixed_lens: true,
			image_urls: ['https://example.com/boat.png'],
			callback_url: 'https://example.com/hook',
		});
		expect(sandbox.ledger.posts()).toMatchObject([{ unknownFields: [], breaches: [] }]);
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
	it('shows a running task without credits and without a video', async () => {
		const { data } = (await read(await create())).data;
		expect(data).toMatchObject({ status: 'IN_PROGRESS', response: [], error_message: null });
		expect(data).not.toHaveProperty('consumed_credits');
	});

	it('shows a finished task as the contract prints it, with the defaults of the contract', async () => {
		const task_id = await create();
		sandbox.finish(task_id);
		expect((await read(task_id)).data).toEqual({
			code: 200,
			message: 'success',
			data: {
				task_id,
				status: 'SUCCESS',
				consumed_credits: 28,
				error_message: null,
				created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
				request: { ...PROMPT, aspect_ratio: '1:1', resolution: '720p', duration: '8' },
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

	it('echoes the callback URL, which callers have to cut', async () => {
		const callback_url = 'http://127.0.0.1:9/?sig=1';
		const taskId = await create({ ...PROMPT, callback_url });
		expect((await read(taskId)).data.data.request).toMatchObject({ callback_url });
	});

	it('shows a task to its own account alone, and counts the reads of each', async () => {
		const [mine, theirs] = [await create(), sandbox.otherAccount.createTask()];
		for (const taskId of ['seed15000000000000pro', theirs]) {
			const answer = await read(taskId);
			expect([answer.status, answer.data.code]).toEqual([404, 'TASK_NOT_FOUND']);
		}
		expect((await read(theirs, other)).data.data.task_id).toBe(theirs);
		await read(mine);
		expect(sandbox.ledger.statusReads(mine)).toHaveLength(1);
		expect(sandbox.ledger.statusReads()).toHaveLength(4);
	});
});

it.each(ERROR_CODES.flatMap((code) => ERROR_SHAPES.map((shape) => ({ code, shape }))))(
	'can answer $code as $shape',
	async ({ code, shape }) => {
		sandbox.faults.on('generate', { kind: 'error', code, shape });
		const plain = { transformResponse: (body: string) => body };
		const answer = await api.post('/generate', PROMPT, plain);
		expect(answer.data).toBe(errorAnswer(code, shape).body);
		expect(answer.status).toBe(shape.endsWith('http-200') ? 200 : ERRORS[code].status);
		expect(sandbox.ledger.charges()).toHaveLength(0);
	},
);

describe('time', () => {
	it('makes a video at the time of its length divided by the speed, which may change', async () => {
		const taskId = await create({ ...PROMPT, duration: '4' });
		sandbox.speed = 500;
		await sandbox.ledger.until(() => sandbox.tasks.get(taskId)?.ended === true);
		const { endedAt = null, createdAt = 0 } = sandbox.tasks.get(taskId) ?? {};
		expect((endedAt ?? 0) - createdAt).toBeGreaterThanOrEqual(95);
	});

	it('goes on as words in a prompt say', async () => {
		sandbox.speed = 1_000_000;
		const prompts = ['A boat [never]', 'A boat [fail]', 'A boat [no video]', 'A boat'];
		const taskIds = await Promise.all(prompts.map((prompt) => create({ prompt })));
		await sandbox.ledger.until(() => sandbox.tasks.all().filter(({ ended }) => ended).length === 3);
		const ends = await Promise.all(taskIds.map(async (id) => (await read(id)).data.data));
		const words = ends.map(({ status }) => status);
		expect(words).toEqual(['IN_PROGRESS', 'FAILED', 'SUCCESS', 'SUCCESS']);
		expect(ends.map(({ response }) => response.length)).toEqual([0, 0, 0, 1]);
	});
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
		for (let nth = 0; nth < count; nth += 1) statuses.push(await call());
		return statuses;
	};
	let now = 0;
	beforeEach(() => {
		now = 1_000_000;
		sandbox.faults.limits.now = () => now;
	});

	it('serve so many requests of any second, and count each route and account by itself', async () => {
		sandbox.faults.limits.add({ route: 'status', perSecond: 2 });
		expect(await inTurn(3, READ)).toEqual([404, 404, 429]);
		expect([await POST(), (await read('none', other)).status]).toEqual([200, 404]);
		now += 999;
		expect(await READ()).toBe(429);
		now += 1;
		expect(await inTurn(3, READ)).toEqual([404, 404, 429]);
		expect(sandbox.faults.limits.count('status', 'main')).toBe(3);
	});

	it('count each minute as well, and write a refused POST down as one that cost nothing', async () => {
		sandbox.faults.limits.add({ route: 'generate', perMinute: 2 });
		expect(await inTurn(3, POST)).toEqual([200, 200, 429]);
		now += 59_000;
		expect(await POST()).toBe(429);
		now += 1_000;
		expect(await inTurn(3, POST)).toEqual([200, 200, 429]);
		expect(sandbox.ledger.charges()).toHaveLength(4);
		const refused = { accepted: false, answered: 429, fault: 'rate-limit' };
		expect(sandbox.ledger.posts()[2]).toMatchObject(refused);
	});

	it('can stand for one account alone', async () => {
		sandbox.faults.limits.add({ route: 'generate', perSecond: 0, account: 'other' });
		expect([await POST(), (await other.post('/generate', PROMPT)).status]).toEqual([200, 429]);
		expect(sandbox.faults.limits.refused).toMatchObject([{ route: 'generate', account: 'other' }]);
	});

	it.each([
		[undefined, undefined],
		['exact', '60'],
		[7, '7'],
	] as const)('say when to come back as they are told to: %s', async (retryAfter, header) => {
		sandbox.faults.limits.add({ route: 'status', perMinute: 1, retryAfter });
		await READ();
		expect((await read('none')).headers['retry-after']).toBe(header);
	});

	it('can count what they refuse, so that whoever insists stays shut out', async () => {
		sandbox.faults.limits.add({ route: 'status', perSecond: 1, countsRefused: true });
		expect(await inTurn(2, READ)).toEqual([404, 429]);
		for (const [ms, status] of [
			[600, 429],
			[600, 429],
			[1_000, 404],
		]) {
			now += ms;
			expect(await READ()).toBe(status);
		}
	});
});

it('lets the accounts pay from a balance of their own', async () => {
	sandbox.otherAccount.balance = 0;
	expect((await post()).status).toBe(200);
	expect((await other.post('/generate', PROMPT)).status).toBe(402);
	sandbox.ledger.balance = 0;
	sandbox.otherAccount.balance = 28;
	expect((await post()).status).toBe(402);
	expect((await other.post('/generate', PROMPT)).status).toBe(200);
	expect(sandbox.ledger.chargesOf('other')).toMatchObject([{ credits: 28 }]);
	expect(sandbox.otherAccount.balance).toBe(0);
});

describe('the control endpoint', () => {
	it('tells another process what has happened, and at which base URLs nothing can', async () => {
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
		{ settings: { sped: 7 } },
		{ finish: { seed15: { status: 'SUCCESS', link: { minutes: 1 } } } },
	])('refuses what is not described: %j', async (wrong) => {
		expect((await control(wrong)).status).toBe(400);
		expect(sandbox.faults.pending).toHaveLength(0);
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

	it('says that its port is in use, and can be closed twice, also while it is down', async () => {
		const port = Number(new URL(sandbox.origin).port);
		await expect(startSandbox({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
		const shortLived = await startSandbox();
		await shortLived.goDown();
		await shortLived.close();
		await shortLived.close();
		await expect(axios.get(shortLived.baseUrl)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
	});

	it('answers a web page under HTTP 200 where a base URL is wrong', async () => {
		const { status, headers } = await api.get(`${sandbox.websiteUrl}/status`);
		expect([status, headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
	});

	const reasons: Record<string, string[]> = {
		'https-to-http': ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
		refused: ['ECONNREFUSED'],
		'silent-tls': ['ECONNABORTED'],
		'closing-tls': ['ECONNRESET'],
		'unknown-host': ['ENOTFOUND', 'EAI_AGAIN'],
		'bad-port': ['TypeError: Invalid URL'],
		'no-url': ['TypeError: Invalid URL'],
	};
	it.each(UNREACHABLE_KINDS)('lets no request leave for the base URL "%s"', async (kind) => {
		const { [kind]: baseURL } = sandbox.unreachable;
		const failed = api.post('/generate', PROMPT, { baseURL, timeout: 300 });
		const error: unknown = await failed.catch((reason: unknown) => reason);
		expect(reasons[kind]).toContain(axios.isAxiosError(error) ? error.code : String(error));
		expect(sandbox.ledger.posts()).toHaveLength(0);
	});
});

describe('a clip', () => {
	let folder: string;
	beforeAll(async () => {
		folder = await mkdtemp(path.join(tmpdir(), 'sandbox-clips-test-'));
	});
	afterAll(async () => await rm(folder, { recursive: true, force: true }));

	it.each([
		['9:16', '480p', '4', true, 480, 854],
		['16:9', '720p', '8', false, 1280, 720],
		['21:9', '480p', '12', true, 1120, 480],
	] as const)(
		'of %s, %s, %s s, audio %s has %i × %i pixels, and is made once',
		async (...row) => {
			const [aspect_ratio, resolution, duration, generate_audio, width, height] = row;
			expect(sizeOf(aspect_ratio, resolution)).toEqual({ width, height });
			const shape = { aspect_ratio, resolution, duration, generate_audio };
			const [file, same] = await Promise.all([clipFor(shape, folder), clipFor(shape, folder)]);
			expect(same).toBe(file);
			const audioCodec = generate_audio ? 'aac' : null;
			const found = { width, height, videoCodec: 'h264', hasAudio: generate_audio, audioCodec };
			const { seconds, ...others } = await probe(file);
			expect(others).toEqual(found);
			expect(seconds).toBeCloseTo(Number(duration), 0);
		},
		60_000,
	);

	it('is what the video host gives out, and what is no video is not taken for one', async () => {
		const taskId = await create({ ...PROMPT, aspect_ratio: '3:4', resolution: '480p' });
		sandbox.finish(taskId);
		const [url] = (await read(taskId)).data.data.response;
		const whole = { responseType: 'arraybuffer', timeout: 60_000 } as const;
		const video = await client(null).get<Buffer>(url, whole);
		expect(video.headers['content-type']).toBe('video/mp4');
		const file = path.join(folder, 'downloaded.mp4');
		await writeFile(file, video.data);
		expect(await probe(file)).toMatchObject({ width: 480, height: 640, hasAudio: false });
		expect(sandbox.ledger.keyLeaks).toEqual([]);
		await writeFile(file, 'not a video');
		await expect(probe(file)).rejects.toThrow('The video encoder failed');
	}, 60_000);
});
