// Each fault of the sandbox does what its name says, and the books tell whether it cost anything.
import axios, { type AxiosInstance } from 'axios';

import {
	FAULT_KINDS,
	routesOf,
	startSandbox,
	WRONG_SHAPES,
	type Fault,
	type Sandbox,
} from '../sandbox/server.cjs';

let sandbox: Sandbox;
let api: AxiosInstance;

beforeAll(async () => {
	sandbox = await startSandbox({ videoBytes: 100_000 });
	api = axios.create({
		baseURL: sandbox.baseUrl,
		headers: { Authorization: `Bearer ${sandbox.apiKey}` },
		validateStatus: () => true,
		maxRedirects: 0,
		proxy: false,
		timeout: 400,
	});
});
afterEach(() => sandbox.reset());
afterAll(async () => await sandbox.close());

const post = async (prompt = 'A boat') => await api.post('/generate', { prompt });
const charges = () => sandbox.ledger.charges().length;

describe('on generate', () => {
	const lost: Array<[Fault, string, number]> = [
		[{ kind: 'reset' }, 'ECONNRESET', 0],
		[{ kind: 'hang' }, 'ECONNABORTED', 0],
		[{ kind: 'hang', ms: 20 }, 'ECONNRESET', 0],
		[{ kind: 'accept-then-reset' }, 'ECONNRESET', 1],
		[{ kind: 'accept-then-hang' }, 'ECONNABORTED', 1],
	];
	it.each(lost)('%j loses the answer (%s) with %i charges', async (fault, code, count) => {
		sandbox.faults.on('generate', fault);
		await expect(post()).rejects.toMatchObject({ code });
		expect(charges()).toBe(count);
		expect(sandbox.ledger.posts()).toMatchObject([{ accepted: count === 1, answered: null }]);
	});

	const answered: Array<[Fault, number, number]> = [
		[{ kind: 'accept-then-5xx' }, 502, 1],
		[{ kind: 'accept-then-5xx', status: 504, html: true }, 504, 1],
		[{ kind: 'server-error' }, 500, 0],
		[{ kind: 'server-error', status: 503 }, 503, 0],
		[{ kind: 'html', status: 403 }, 403, 0],
		[{ kind: 'html', status: 522 }, 522, 0],
		[{ kind: 'html', status: 520, accept: true }, 520, 1],
		[{ kind: 'rate-limit' }, 429, 0],
		[{ kind: 'refuse-with', status: 418, body: { code: 418 } }, 418, 0],
		[{ kind: 'redirect' }, 307, 0],
		[{ kind: 'redirect', status: 301, location: 'http://127.0.0.1:9/' }, 301, 0],
		[{ kind: 'invalid-json' }, 200, 1],
		[{ kind: 'empty-body' }, 200, 1],
		[{ kind: 'empty-body', accept: false }, 200, 0],
	];
	it.each(answered)('%j answers %i with %i charges', async (fault, status, count) => {
		sandbox.faults.on('generate', fault);
		expect((await post()).status).toBe(status);
		expect(charges()).toBe(count);
	});

	it('delays the usual answer', async () => {
		sandbox.faults.on('generate', { kind: 'delay', ms: 60 });
		const start = Date.now();
		expect((await post()).status).toBe(200);
		expect(Date.now() - start).toBeGreaterThanOrEqual(55);
	});

	it('asks to come back later in seconds, as a date, or not at all', async () => {
		sandbox.faults.on('generate', { kind: 'rate-limit', retryAfter: 3 });
		sandbox.faults.on('generate', { kind: 'rate-limit', retryAfter: 3, as: 'date' });
		sandbox.faults.on('generate', { kind: 'rate-limit' });
		expect((await post()).headers['retry-after']).toBe('3');
		const date = Date.parse(String((await post()).headers['retry-after']));
		expect(date - Date.now()).toBeGreaterThan(2000);
		expect((await post()).headers['retry-after']).toBeUndefined();
	});

	it('cuts the answer in the middle of its JSON', async () => {
		sandbox.faults.on('generate', { kind: 'invalid-json' });
		expect(typeof (await post()).data).toBe('string');
	});

	it.each(WRONG_SHAPES)('answers JSON of the wrong shape: %s', async (shape) => {
		const right = (await post()).data;
		sandbox.faults.on('generate', { kind: 'wrong-shape', shape });
		const wrong = (await post()).data;
		const shapeOf = (envelope: unknown) =>
			JSON.stringify(envelope).replace(/seed15[0-9a-f]+pro/, 'id');
		expect(shapeOf(wrong)).not.toBe(shapeOf(right));
		expect(charges()).toBe(2);
	});

	it("answers another account's task id, though the caller's own task was charged", async () => {
		sandbox.faults.on('generate', { kind: 'foreign-id' });
		const taskId = (await post()).data.data.task_id;
		expect(sandbox.tasks.get(taskId)?.account.name).toBe('other');
		expect(charges()).toBe(1);
	});

	it('makes the new task take its time and end as told', async () => {
		sandbox.faults.on('generate', {
			kind: 'task',
			seconds: 0,
			outcome: { status: 'SUCCESS', word: 'COMPLETED', response: 'null' },
		});
		const taskId = (await post()).data.data.task_id;
		const { data } = (await api.get('/status', { params: { task_id: taskId } })).data;
		expect(data).toMatchObject({ status: 'COMPLETED', response: null });
	});
});

describe('on status', () => {
	const cases: Array<[Fault, Record<string, unknown>]> = [
		[{ kind: 'status-word', word: 'QUEUED' }, { status: 'QUEUED' }],
		[{ kind: 'no-video' }, { status: 'SUCCESS', response: [] }],
		[
			{ kind: 'no-video', response: 'null' },
			{ status: 'SUCCESS', response: null },
		],
		[
			{ kind: 'failed', errorMessage: 'Blocked' },
			{ status: 'FAILED', error_message: 'Blocked', consumed_credits: 0 },
		],
	];
	it.each(cases)('%j shows %j', async (fault, seen) => {
		const taskId = (await post()).data.data.task_id;
		sandbox.faults.on('status', fault, { taskId });
		const { data } = (await api.get('/status', { params: { task_id: taskId } })).data;
		expect(data).toMatchObject(seen);
		expect(sandbox.ledger.statusReads(taskId)).toMatchObject([{ fault: fault.kind }]);
	});

	it('leaves the response out', async () => {
		const taskId = (await post()).data.data.task_id;
		sandbox.faults.on('status', { kind: 'no-video', response: 'missing' });
		const { data } = (await api.get('/status', { params: { task_id: taskId } })).data;
		expect(data).not.toHaveProperty('response');
	});

	it('loses the answer', async () => {
		sandbox.faults.on('status', { kind: 'reset' });
		await expect(api.get('/status?task_id=x')).rejects.toMatchObject({ code: 'ECONNRESET' });
	});
});

describe('on the video', () => {
	const ready = async () => {
		const taskId = (await post()).data.data.task_id;
		sandbox.finish(taskId);
		return `${sandbox.origin}/videos/${taskId}.mp4`;
	};
	const download = async (timeout = 5000) =>
		await axios.get<Buffer>(await ready(), {
			responseType: 'arraybuffer',
			validateStatus: () => true,
			maxRedirects: 0,
			proxy: false,
			timeout,
		});

	it('streams a body of any size, recognisable as MP4', async () => {
		sandbox.faults.on('video', { kind: 'video-bytes', bytes: 3_000_001 });
		const { data } = await download();
		expect(data).toHaveLength(3_000_001);
		expect(data.subarray(4, 8).toString()).toBe('ftyp');
		expect(sandbox.ledger.videoReads()).toMatchObject([{ bytes: 3_000_001, complete: true }]);
	});

	it('cuts the connection half way', async () => {
		sandbox.faults.on('video', { kind: 'cut' });
		await expect(download()).rejects.toThrow();
		expect(sandbox.ledger.videoReads()).toMatchObject([{ bytes: 50_000, complete: false }]);
	});

	it('stalls, and goes on', async () => {
		sandbox.faults.on('video', { kind: 'stall', ms: 80, afterBytes: 10 });
		const start = Date.now();
		expect((await download()).data).toHaveLength(100_000);
		expect(Date.now() - start).toBeGreaterThanOrEqual(75);
	});

	it.each([403, 404, 410])('answers %i', async (status) => {
		sandbox.faults.on('video', { kind: 'html', status });
		expect((await download()).status).toBe(status);
	});

	it('says another content type', async () => {
		sandbox.faults.on('video', { kind: 'content-type', value: 'application/octet-stream' });
		expect((await download()).headers['content-type']).toBe('application/octet-stream');
	});

	it('does not say how long it is', async () => {
		sandbox.faults.on('video', { kind: 'no-content-length' });
		const { headers, data } = await download();
		expect(headers['content-length']).toBeUndefined();
		expect(data).toHaveLength(100_000);
	});

	it('redirects to another origin that has the video', async () => {
		sandbox.faults.on('video', { kind: 'redirect', status: 302 });
		const { headers } = await download();
		const moved = await axios.get<Buffer>(String(headers.location), {
			responseType: 'arraybuffer',
			proxy: false,
		});
		expect(moved.data).toHaveLength(100_000);
	});

	it.each<Fault>([{ kind: 'reset' }, { kind: 'hang' }])('%j loses it', async (fault) => {
		sandbox.faults.on('video', fault);
		await expect(download(300)).rejects.toThrow();
	});
});

describe('rules', () => {
	it('are used up in their order, once each unless told otherwise', async () => {
		sandbox.faults.on('generate', { kind: 'server-error', status: 500 });
		sandbox.faults.on('generate', { kind: 'server-error', status: 503 }, { times: 2 });
		const seen = [await post(), await post(), await post(), await post()];
		expect(seen.map(({ status }) => status)).toEqual([500, 503, 503, 200]);
		expect(sandbox.faults.count('server-error')).toBe(3);
	});

	it('strike only the request with their prompt', async () => {
		sandbox.faults.on('generate', { kind: 'server-error' }, { prompt: 'duck', times: 'always' });
		expect((await post('A boat')).status).toBe(200);
		expect((await post('A duck')).status).toBe(500);
		expect((await post('A duck again')).status).toBe(500);
	});

	it('strike from the n-th request on', async () => {
		sandbox.faults.on('generate', { kind: 'server-error' }, { nth: 2 });
		const seen = [await post(), await post(), await post()];
		expect(seen.map(({ status }) => status)).toEqual([200, 500, 200]);
	});

	it('write down what struck whom', async () => {
		sandbox.faults.on('generate', { kind: 'server-error' });
		await post('A boat');
		expect(sandbox.faults.applied).toMatchObject([
			{ kind: 'server-error', route: 'generate', prompt: 'A boat', taskId: null },
		]);
		expect(sandbox.faults.pending).toHaveLength(0);
	});

	it('are refused where they could never strike', () => {
		expect(() => sandbox.faults.on('status', { kind: 'cut' })).toThrow('Not a fault rule');
	});

	it('can strike at least one route each', () => {
		expect(FAULT_KINDS.every((kind) => routesOf(kind).length > 0)).toBe(true);
	});
});
