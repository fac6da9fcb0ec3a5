// The sandbox keeps the contract: what it accepts, refuses, charges, gives back and writes in its books.
import axios, { type AxiosInstance } from 'axios';

import {
	ASPECT_RATIOS,
	contractCredits,
	DURATIONS,
	ERROR_CODES,
	ERROR_SHAPES,
	ERRORS,
	errorAnswer,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
	startSandbox,
	type Sandbox,
} from '../sandbox/server.cjs';

let sandbox: Sandbox;
let api: AxiosInstance;

const client = (apiKey: string | null) =>
	axios.create({
		baseURL: sandbox.baseUrl,
		headers: apiKey === null ? {} : { Authorization: `Bearer ${apiKey}` },
		validateStatus: () => true,
		maxRedirects: 0,
		proxy: false,
	});

const create = async (body: unknown = { prompt: 'A boat' }): Promise<string> =>
	(await api.post('/generate', body)).data.data.task_id;

const status = async (taskId: string) => await api.get('/status', { params: { task_id: taskId } });

beforeAll(async () => {
	sandbox = await startSandbox({ credits: 10_000 });
	api = client(sandbox.apiKey);
});
afterEach(() => {
	sandbox.reset();
	sandbox.errorShape = 'string-code';
	sandbox.speed = 1;
});
afterAll(async () => await sandbox.close());

describe('POST /generate', () => {
	it('answers a task id and IN_PROGRESS, in the envelope of the contract', async () => {
		const { status: http, data } = await api.post('/generate', { prompt: 'A boat' });
		expect(http).toBe(200);
		expect(data).toEqual({
			code: 200,
			message: 'success',
			data: { task_id: expect.stringMatching(/^seed15[0-9a-f]+pro$/), status: 'IN_PROGRESS' },
		});
	});

	it('knows the values of the contract, no more and no fewer', () => {
		expect([...ASPECT_RATIOS].sort()).toEqual([
			'16:9',
			'1:1',
			'21:9',
			'3:4',
			'4:3',
			'9:16',
			'9:21',
		]);
		expect([...RESOLUTIONS].sort()).toEqual(['480p', '720p']);
		expect([...DURATIONS]).toEqual(['4', '8', '12']);
		expect(PROMPT_MAX_LENGTH).toBe(2000);
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
		await create({ prompt: 'A boat', resolution, duration, generate_audio: false });
		await create({ prompt: 'A boat', resolution, duration, generate_audio: true });
		expect(sandbox.ledger.charges().map(({ credits }) => credits)).toEqual([silent, withAudio]);
		expect(sandbox.ledger.balance).toBe(10_000 - silent - withAudio);
	});

	it('fills in the defaults of the contract: 720p, 8 seconds, 1:1, silent', async () => {
		const taskId = await create({ prompt: 'A boat' });
		expect(sandbox.ledger.spent).toBe(contractCredits('720p', '8', false));
		expect((await status(taskId)).data.data.request).toEqual({
			prompt: 'A boat',
			aspect_ratio: '1:1',
			resolution: '720p',
			duration: '8',
		});
	});

	it.each(ASPECT_RATIOS)('takes the aspect ratio %s', async (aspect_ratio) => {
		expect((await api.post('/generate', { prompt: 'A boat', aspect_ratio })).status).toBe(200);
	});

	it.each([
		['no prompt', {}, 'INVALID_PROMPT'],
		['an empty prompt', { prompt: '' }, 'INVALID_PROMPT'],
		['a prompt of spaces', { prompt: '  \n' }, 'INVALID_PROMPT'],
		['a prompt that is a number', { prompt: 5 }, 'INVALID_PROMPT'],
		['a prompt of 2001 characters', { prompt: 'x'.repeat(2001) }, 'INVALID_PROMPT'],
		['an unknown ratio', { prompt: 'x', aspect_ratio: '2:1' }, 'INVALID_ASPECT_RATIO'],
		['an unknown resolution', { prompt: 'x', resolution: '1080p' }, 'INVALID_RESOLUTION'],
		['an unknown duration', { prompt: 'x', duration: '5' }, 'INVALID_DURATION'],
		['a duration with a unit', { prompt: 'x', duration: '8s' }, 'INVALID_DURATION'],
		['two images', { prompt: 'x', image_urls: ['http://a/1', 'http://a/2'] }, 'TOO_MANY_IMAGES'],
		['an array', [], 'INVALID_PROMPT'],
		['no JSON', 'prompt=x', 'INVALID_PROMPT'],
	])('refuses %s without charging', async (_what, body, code) => {
		const answer = await api.post('/generate', body);
		expect(answer.status).toBe(400);
		expect(answer.data.code).toBe(code);
		expect(sandbox.ledger.charges()).toHaveLength(0);
		expect(sandbox.ledger.posts()[0]).toMatchObject({ accepted: false, taskId: null, charged: 0 });
	});

	it('takes a prompt of exactly 2000 characters', async () => {
		expect((await api.post('/generate', { prompt: 'x'.repeat(2000) })).status).toBe(200);
	});

	it('counts characters, not the halves of an emoji', async () => {
		expect((await api.post('/generate', { prompt: '🚤'.repeat(2000) })).status).toBe(200);
		expect((await api.post('/generate', { prompt: '🚤'.repeat(2001) })).status).toBe(400);
	});

	it.each([
		['none', null],
		['a wrong one', 'Bearer wrong'],
		['one without Bearer', 'right'],
		['one as Basic', 'Basic right'],
	])('answers 401 to a key given as: %s', async (_what, authorization) => {
		const headers =
			authorization === null
				? {}
				: { Authorization: authorization.replace('right', sandbox.apiKey) };
		const answer = await client(null).post('/generate', { prompt: 'A boat' }, { headers });
		expect(answer.status).toBe(401);
		expect(answer.data.code).toBe('INVALID_API_KEY');
		expect(sandbox.ledger.charges()).toHaveLength(0);
	});

	it('answers 402 when the balance is short by one credit, and leaves it alone', async () => {
		sandbox.ledger.balance = 27;
		const answer = await api.post('/generate', { prompt: 'A boat' });
		expect([answer.status, answer.data.code]).toEqual([402, 'INSUFFICIENT_CREDITS']);
		expect(sandbox.ledger.balance).toBe(27);
	});

	it('tolerates an unknown field, and writes it down', async () => {
		await create({ prompt: 'A boat', aspectRatio: '9:16' });
		expect(sandbox.ledger.posts()[0].unknownFields).toEqual(['aspectRatio']);
	});

	it('tolerates a duration sent as a number, and writes it down', async () => {
		await create({ prompt: 'A boat', duration: 8 });
		expect(sandbox.ledger.breaches()).toEqual(['duration is not a string']);
	});

	it('finds no fault with a request that has every field as the contract wants it', async () => {
		await create({
			prompt: 'A boat',
			aspect_ratio: '9:16',
			resolution: '480p',
			duration: '4',
			generate_audio: true,
			fixed_lens: true,
			image_urls: ['https://example.com/boat.png'],
			callback_url: 'https://example.com/hook',
		});
		expect(sandbox.ledger.breaches()).toEqual([]);
		expect(sandbox.ledger.posts()[0].unknownFields).toEqual([]);
	});

	it('keeps the body byte for byte', async () => {
		const body = '{ "prompt" : "Ein Boot \\u00fc ü 🚤" }';
		await api.post('/generate', body, { headers: { 'content-type': 'application/json' } });
		expect(sandbox.ledger.posts()[0].body).toBe(body);
		expect(sandbox.ledger.posts()[0].rawBody.equals(Buffer.from(body))).toBe(true);
	});

	it('counts how often each body came and was charged', async () => {
		await create({ prompt: 'A' });
		await create({ prompt: 'B' });
		await create({ prompt: 'B' });
		expect([...sandbox.ledger.postsPerBody().values()]).toEqual([1, 2]);
		expect(sandbox.ledger.doubleCharges()).toEqual(['{"prompt":"B"}']);
		expect(sandbox.ledger.chargesWithPrompt('B')).toBe(2);
	});
});

describe('GET /status', () => {
	it('shows a running task without credits and without a video', async () => {
		const { data } = (await status(await create())).data;
		expect(data).toMatchObject({ status: 'IN_PROGRESS', response: [], error_message: null });
		expect(data).not.toHaveProperty('consumed_credits');
	});

	it('shows a finished task as the contract prints it', async () => {
		const taskId = await create();
		sandbox.finish(taskId);
		expect((await status(taskId)).data).toEqual({
			code: 200,
			message: 'success',
			data: {
				task_id: taskId,
				status: 'SUCCESS',
				consumed_credits: 28,
				created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
				request: { prompt: 'A boat', aspect_ratio: '1:1', resolution: '720p', duration: '8' },
				response: [`${sandbox.origin}/videos/${taskId}.mp4`],
				error_message: null,
			},
		});
	});

	it('gives the credits of a failed task back and says 0 were consumed', async () => {
		const taskId = await create();
		sandbox.finish(taskId, { status: 'FAILED', errorMessage: 'Blocked' });
		const { data } = (await status(taskId)).data;
		expect(data).toMatchObject({
			status: 'FAILED',
			consumed_credits: 0,
			response: [],
			error_message: 'Blocked',
		});
		expect(sandbox.ledger.balance).toBe(10_000);
		expect(sandbox.ledger.posts()[0]).toMatchObject({ charged: 28, refunded: 28 });
		expect(sandbox.ledger.spent).toBe(0);
	});

	it('echoes the callback URL, which callers have to cut', async () => {
		const taskId = await create({ prompt: 'A boat', callback_url: 'http://127.0.0.1:9/?sig=1' });
		expect((await status(taskId)).data.data.request.callback_url).toBe('http://127.0.0.1:9/?sig=1');
	});

	it.each([
		['an unknown task', () => 'seed15000000000000pro'],
		["another account's task", () => sandbox.otherAccount.createTask()],
	])('answers 404 for %s', async (_what, taskId) => {
		const answer = await status(taskId());
		expect([answer.status, answer.data.code]).toEqual([404, 'TASK_NOT_FOUND']);
	});

	it('shows the other account its own task', async () => {
		const taskId = sandbox.otherAccount.createTask();
		const other = client(sandbox.otherAccount.apiKey);
		const answer = await other.get('/status', { params: { task_id: taskId } });
		expect(answer.data.data.task_id).toBe(taskId);
	});

	it('counts the reads of each task', async () => {
		const [one, two] = [await create(), await create()];
		await status(one);
		await status(one);
		await status(two);
		expect(sandbox.ledger.statusReads(one)).toHaveLength(2);
		expect(sandbox.ledger.statusReads()).toHaveLength(3);
	});
});

describe('errors', () => {
	it.each(ERROR_CODES.flatMap((code) => ERROR_SHAPES.map((shape) => ({ code, shape }))))(
		'can answer $code as $shape',
		async ({ code, shape }) => {
			sandbox.faults.on('generate', { kind: 'error', code, shape });
			const answer = await api.post(
				'/generate',
				{ prompt: 'A boat' },
				{ responseType: 'text', transformResponse: (body: string) => body },
			);
			expect(answer.data).toBe(errorAnswer(code, shape).body);
			expect(answer.status).toBe(shape.endsWith('http-200') ? 200 : ERRORS[code].status);
			expect(sandbox.ledger.charges()).toHaveLength(0);
		},
	);

	it('answers its own errors in the shape that was set', async () => {
		sandbox.errorShape = 'numeric-code-http-200';
		const answer = await api.post('/generate', { prompt: '' });
		expect([answer.status, answer.data.code]).toEqual([200, 400]);
	});
});

describe('time', () => {
	it('makes a video at the time of its length divided by the speed', async () => {
		sandbox.speed = 500;
		const taskId = await create({ prompt: 'A boat', duration: '4' });
		await sandbox.ledger.until(() => sandbox.tasks.get(taskId)?.ended === true);
		const task = sandbox.tasks.get(taskId);
		expect((task?.endedAt ?? 0) - (task?.createdAt ?? 0)).toBeGreaterThanOrEqual(99);
	});

	it('reckons running tasks anew when the speed changes', async () => {
		const taskId = await create();
		sandbox.speed = 10_000;
		await sandbox.ledger.until(() => sandbox.tasks.get(taskId)?.ended === true, 5000);
		expect((await status(taskId)).data.data.status).toBe('SUCCESS');
	});

	it.each([
		['[fail]', { status: 'FAILED' }],
		['[no video]', { status: 'SUCCESS', response: [] }],
	])('lets a prompt with %s decide how its task ends', async (word, seen) => {
		const taskId = await create({ prompt: `A boat ${word}` });
		sandbox.finish(taskId);
		expect((await status(taskId)).data.data).toMatchObject(seen);
	});

	it('never ends a task whose prompt says [never]', async () => {
		sandbox.speed = 1_000_000;
		const never = await create({ prompt: 'A boat [never]' });
		const usual = await create();
		await sandbox.ledger.until(() => sandbox.tasks.get(usual)?.ended === true);
		expect((await status(never)).data.data.status).toBe('IN_PROGRESS');
	});
});

describe('secrets', () => {
	it('keeps no key in its books, neither a known nor a foreign one', async () => {
		await create();
		await client('sk-live-real-key').get('/status', { params: { task_id: 'x' } });
		const books = JSON.stringify([sandbox.ledger.snapshot(), sandbox.ledger.posts()]);
		expect(books).not.toContain(sandbox.apiKey);
		expect(books).not.toContain('sk-live-real-key');
	});

	it('notices a key in the address', async () => {
		await api.get('/status', { params: { task_id: 'x', key: sandbox.apiKey } });
		expect(sandbox.ledger.keyLeaks).toMatchObject([{ where: 'url' }]);
		expect(sandbox.ledger.breaches()).toContain('the API key is in the address');
	});

	it('notices a key that is brought to the video host', async () => {
		const taskId = await create();
		sandbox.finish(taskId, { status: 'SUCCESS', videoStatus: 410 });
		await api.get(`${sandbox.origin}/videos/${taskId}.mp4`);
		expect(sandbox.ledger.keyLeaks).toMatchObject([{ where: 'video' }]);
	});

	it('notices a key that follows a redirect to another origin', async () => {
		sandbox.faults.on('status', { kind: 'redirect', status: 302 });
		const { headers } = await status('x');
		expect(headers.location).toBe(`${sandbox.elsewhere.origin}/v1/status?task_id=x`);
		await api.get(headers.location);
		expect(sandbox.ledger.keyLeaks).toMatchObject([{ where: 'other origin' }]);
		expect(sandbox.elsewhere.requests).toHaveLength(1);
	});
});

describe('control endpoint', () => {
	const control = async (method: string, path: string, data?: unknown) =>
		await axios.request({
			method,
			url: `${sandbox.controlUrl}${path}`,
			data,
			validateStatus: () => true,
			proxy: false,
		});

	it('tells another process about its health and its books, without a key', async () => {
		await create();
		expect((await control('GET', '/health')).data).toMatchObject({
			ok: true,
			baseUrl: sandbox.baseUrl,
		});
		const { data } = await control('GET', '/ledger');
		expect(data).toMatchObject({ balance: 9972, spent: 28, keyLeaks: [] });
		expect(data.posts[0]).toMatchObject({ body: '{"prompt":"A boat"}', accepted: true });
	});

	it('takes faults and takes them away', async () => {
		const rule = { match: { route: 'generate' }, fault: { kind: 'server-error', status: 503 } };
		await control('POST', '/faults', [rule, rule]);
		expect((await api.post('/generate', { prompt: 'A boat' })).status).toBe(503);
		await control('DELETE', '/faults');
		expect((await api.post('/generate', { prompt: 'A boat' })).status).toBe(200);
	});

	it.each([
		['an unknown kind', { match: { route: 'generate' }, fault: { kind: 'earthquake' } }],
		['an unknown route', { match: { route: 'moon' }, fault: { kind: 'reset' } }],
		['a wrong field', { match: { route: 'generate' }, fault: { kind: 'delay', ms: 'long' } }],
		['a route it cannot strike', { match: { route: 'status' }, fault: { kind: 'cut' } }],
	])('refuses a rule with %s', async (_what, rule) => {
		expect((await control('POST', '/faults', rule)).status).toBe(400);
		expect(sandbox.faults.pending).toHaveLength(0);
	});

	it('ends a task, once', async () => {
		const taskId = await create();
		const path = `/tasks/${taskId}/finish`;
		expect((await control('POST', path, { status: 'FAILED' })).data.status).toBe('FAILED');
		expect((await control('POST', path)).status).toBe(404);
	});

	it('changes settings while it runs, and refuses misspelt ones', async () => {
		await control('POST', '/settings', { speed: 7, errorShape: 'html', credits: 5 });
		expect([sandbox.speed, sandbox.errorShape, sandbox.ledger.balance]).toEqual([7, 'html', 5]);
		expect((await control('POST', '/settings', { sped: 7 })).status).toBe(400);
	});

	it('starts afresh', async () => {
		await create();
		await control('POST', '/reset');
		expect(sandbox.ledger.posts()).toHaveLength(0);
		expect(sandbox.ledger.balance).toBe(10_000);
	});
});

describe('being there', () => {
	it('is refused while it is down, and has kept its tasks when it comes back', async () => {
		const taskId = await create();
		await sandbox.goDown();
		const refused = await status(taskId).catch((error: unknown) => error);
		await sandbox.comeBack();
		expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
		expect((await status(taskId)).data.data.task_id).toBe(taskId);
	});

	it('says that its port is in use', async () => {
		const port = Number(new URL(sandbox.origin).port);
		await expect(startSandbox({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
	});

	it('answers a web page under HTTP 200 where a base URL is wrong', async () => {
		const answer = await api.get(`${sandbox.websiteUrl}/status`);
		expect(answer.status).toBe(200);
		expect(answer.headers['content-type']).toContain('text/html');
	});

	it('can be closed twice, also while it is down', async () => {
		const shortLived = await startSandbox();
		await shortLived.goDown();
		await shortLived.close();
		await shortLived.close();
		await expect(axios.get(shortLived.baseUrl)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
	});
});
