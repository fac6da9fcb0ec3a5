// Each fault of the sandbox does what its name says, and the ledger tells whether it cost anything; each form in which the
// contract leaves an answer open comes as it is called.
import axios, { type AxiosInstance } from 'axios';
import { gunzipSync } from 'node:zlib';

import {
	ENCODINGS,
	FAULT_KINDS,
	ODD_IDS,
	REASON_FORMS,
	RESPONSE_FORMS,
	routesOf,
	startSandbox,
	VIDEO_BODIES,
	WRONG_SHAPES,
	type Fault,
	type Sandbox,
	type TaskPlan,
} from '../sandbox/server.cjs';

const BYTES = 100_000;

let sandbox: Sandbox;
let api: AxiosInstance;
let now = 0;

beforeAll(async () => {
	sandbox = await startSandbox({ videoBytes: BYTES });
	sandbox.tasks.now = () => now;
	api = axios.create({
		baseURL: sandbox.baseUrl,
		headers: { Authorization: `Bearer ${sandbox.apiKey}` },
		validateStatus: () => true,
		maxRedirects: 0,
		proxy: false,
		timeout: 400,
	});
});
beforeEach(() => {
	now = 0;
});
afterEach(() => sandbox.reset());
afterAll(async () => await sandbox.close());

const post = async (prompt = 'A boat') => await api.post('/generate', { prompt });
const read = async (taskId: string) => await api.get('/status', { params: { task_id: taskId } });
const dataOf = async (taskId: string) => (await read(taskId)).data.data;
/** Makes a task with a plan; gives its id as the sandbox has it. */
const make = async (plan: TaskPlan = {}): Promise<string> => {
	sandbox.faults.on('generate', { kind: 'task', ...plan });
	await post();
	return sandbox.tasks.all().at(-1)?.id ?? '';
};
const finished = async (outcome: Omit<NonNullable<TaskPlan['outcome']>, 'status'> = {}) =>
	await make({ seconds: 0, outcome: { status: 'SUCCESS', ...outcome } });
const urlOf = async (taskId: string): Promise<string> => (await dataOf(taskId)).response[0];
const load = async (url: string) =>
	await axios.get<Buffer>(url, {
		responseType: 'arraybuffer',
		validateStatus: () => true,
		maxRedirects: 0,
		proxy: false,
		decompress: false,
		timeout: 2_000,
	});
/** The download of a finished video that meets a fault. */
const download = async (fault: Fault) => {
	const url = await urlOf(await finished());
	sandbox.faults.on('video', fault);
	return await load(url);
};
const charges = () => sandbox.ledger.charges().length;
const timed = async (work: () => Promise<unknown>) => {
	const start = Date.now();
	await work();
	return Date.now() - start;
};

describe('on generate', () => {
	it.each<[Fault, string, number]>([
		[{ kind: 'reset' }, 'ECONNRESET', 0],
		[{ kind: 'hang' }, 'ECONNABORTED', 0],
		[{ kind: 'hang', ms: 20 }, 'ECONNRESET', 0],
		[{ kind: 'accept-then-reset' }, 'ECONNRESET', 1],
		[{ kind: 'accept-then-hang' }, 'ECONNABORTED', 1],
	])('%j loses the answer (%s) with %i charges', async (fault, code, count) => {
		sandbox.faults.on('generate', fault);
		await expect(post()).rejects.toMatchObject({ code });
		expect(charges()).toBe(count);
		expect(sandbox.ledger.posts()).toMatchObject([{ accepted: count === 1, answered: null }]);
	});

	it.each<[Fault, number, number]>([
		[{ kind: 'accept-then-5xx' }, 502, 1],
		[{ kind: 'accept-then-5xx', status: 504, html: true }, 504, 1],
		[{ kind: 'server-error' }, 500, 0],
		[{ kind: 'server-error', status: 503 }, 503, 0],
		[{ kind: 'html', status: 522 }, 522, 0],
		[{ kind: 'html', status: 520, accept: true }, 520, 1],
		[{ kind: 'rate-limit' }, 429, 0],
		[{ kind: 'firewall' }, 403, 0],
		[{ kind: 'refuse-with', status: 418, body: { code: 418 } }, 418, 0],
		[{ kind: 'redirect' }, 307, 0],
		[{ kind: 'redirect', status: 301, location: 'http://127.0.0.1:9/' }, 301, 0],
		[{ kind: 'invalid-json' }, 200, 1],
		[{ kind: 'empty-body' }, 200, 1],
		[{ kind: 'empty-body', accept: false }, 200, 0],
	])('%j answers %i with %i charges', async (fault, status, count) => {
		sandbox.faults.on('generate', fault);
		const answer = await post();
		expect([answer.status, charges()]).toEqual([status, count]);
		// Whatever is not JSON of the contract's is left as a text.
		const isText = ['html', 'invalid-json', 'empty-body', 'firewall'].includes(fault.kind);
		if (isText) expect(typeof answer.data).toBe('string');
	});

	it('delays the usual answer', async () => {
		sandbox.faults.on('generate', { kind: 'delay', ms: 60 });
		expect(await timed(post)).toBeGreaterThanOrEqual(55);
		expect(charges()).toBe(1);
	});

	it('asks to come back later in seconds, as a date, or not at all', async () => {
		sandbox.faults.on('generate', { kind: 'rate-limit', retryAfter: 3 });
		sandbox.faults.on('generate', { kind: 'rate-limit', retryAfter: 3, as: 'date' });
		sandbox.faults.on('generate', { kind: 'rate-limit' });
		const [seconds, date, none] = [await post(), await post(), await post()].map(
			({ headers }) => headers['retry-after'],
		);
		expect([seconds, none]).toEqual(['3', undefined]);
		expect(Date.parse(date) - Date.now()).toBeGreaterThan(2000);
	});

	it.each(WRONG_SHAPES)('answers JSON of the wrong shape: %s', async (shape) => {
		const textOf = ({ data }: { data: unknown }) =>
			JSON.stringify(data).replace(/seed15[0-9a-f]+pro/, 'id');
		const right = textOf(await post());
		sandbox.faults.on('generate', { kind: 'wrong-shape', shape });
		expect(textOf(await post())).not.toBe(right);
		expect(charges()).toBe(2);
	});

	it("answers another account's task id, though the caller's own task was charged", async () => {
		sandbox.faults.on('generate', { kind: 'foreign-id' });
		const taskId = (await post()).data.data.task_id;
		expect(sandbox.tasks.get(taskId)?.account.name).toBe('other');
		expect(charges()).toBe(1);
	});

	it('tells the end of a task in the answer to its POST', async () => {
		const outcome = { status: 'FAILED', errorMessage: 'Blocked' } as const;
		sandbox.faults.on('generate', { kind: 'task', seconds: 0, answersEnd: true, outcome });
		expect((await post()).data.data).toMatchObject({ status: 'FAILED', error_message: 'Blocked' });
		expect(sandbox.ledger.spent).toBe(0);
	});
});

describe('on status', () => {
	it.each<[Fault, Record<string, unknown>]>([
		[{ kind: 'status-word', word: 'QUEUED' }, { status: 'QUEUED' }],
		[{ kind: 'no-video' }, { status: 'SUCCESS', response: [] }],
		[
			{ kind: 'no-video', response: 'null' },
			{ status: 'SUCCESS', response: null },
		],
		[
			{ kind: 'no-video', response: 'missing' },
			{ status: 'SUCCESS', response: undefined },
		],
		[
			{ kind: 'failed', errorMessage: 'Blocked' },
			{ status: 'FAILED', error_message: 'Blocked' },
		],
	])('%j shows %j', async (fault, expected) => {
		const taskId = await make();
		sandbox.faults.on('status', fault, { taskId });
		const data = await dataOf(taskId);
		for (const [field, value] of Object.entries(expected)) expect(data[field]).toEqual(value);
		expect(sandbox.ledger.statusReads(taskId)).toMatchObject([{ fault: fault.kind }]);
	});

	it('loses the answer', async () => {
		sandbox.faults.on('status', { kind: 'reset' });
		await expect(read('x')).rejects.toMatchObject({ code: 'ECONNRESET' });
	});
});

describe('on the video', () => {
	it('streams a body of any size, recognisable as MP4', async () => {
		const { data } = await download({ kind: 'video-bytes', bytes: 3_000_001 });
		expect([data.length, data.subarray(4, 8).toString()]).toEqual([3_000_001, 'ftyp']);
		expect(sandbox.ledger.videoReads()).toMatchObject([{ bytes: 3_000_001, complete: true }]);
	});

	it('cuts the connection half way', async () => {
		await expect(download({ kind: 'cut' })).rejects.toThrow();
		expect(sandbox.ledger.videoReads()).toMatchObject([{ bytes: BYTES / 2, complete: false }]);
	});

	it.each<Fault>([
		{ kind: 'stall', ms: 80, afterBytes: 10 },
		{ kind: 'drip', everyMs: 10, ms: 80 },
		{ kind: 'delay', ms: 80 },
	])('%j makes it late, and sends all of it', async (fault) => {
		const took = await timed(async () => expect((await download(fault)).data).toHaveLength(BYTES));
		expect(took).toBeGreaterThanOrEqual(75);
	});

	it.each<[Fault, number, Record<string, string | undefined>]>([
		[{ kind: 'html', status: 410 }, 410, { 'content-type': 'text/html; charset=utf-8' }],
		[{ kind: 'content-type', value: 'a/b' }, 200, { 'content-type': 'a/b' }],
		[{ kind: 'no-content-type' }, 200, { 'content-type': undefined }],
		[{ kind: 'no-content-length' }, 200, { 'content-length': undefined }],
		[{ kind: 'partial' }, 206, { 'content-range': 'bytes 0-49999/100000' }],
		[{ kind: 'empty-body' }, 200, { 'content-length': '0' }],
	])('%j answers %i with %j', async (fault, status, expected) => {
		const answer = await download(fault);
		expect(answer.status).toBe(status);
		for (const [name, value] of Object.entries(expected)) expect(answer.headers[name]).toBe(value);
		if (fault.kind.startsWith('no-')) expect(answer.data).toHaveLength(BYTES);
	});

	it.each(ENCODINGS)('packs it with %s, its length being the one on the wire', async (encoding) => {
		const { data, headers } = await download({ kind: 'encoded', encoding });
		expect(headers['content-encoding']).toBe(encoding);
		expect(headers['content-length']).toBe(String(data.length));
		expect(data.length).toBeLessThan(BYTES);
		if (encoding === 'gzip') expect(gunzipSync(data)).toHaveLength(BYTES);
	});

	it.each(VIDEO_BODIES)('sends %s under video/mp4', async (body) => {
		const { data, headers, status } = await download({ kind: 'video-body', body });
		expect([status, headers['content-type']]).toEqual([200, 'video/mp4']);
		expect(data.subarray(4, 8).toString()).not.toBe('ftyp');
	});

	it('redirects to another origin that has the video', async () => {
		const { headers } = await download({ kind: 'redirect', status: 302 });
		expect((await load(String(headers.location))).data).toHaveLength(BYTES);
	});

	it.each<Fault>([{ kind: 'reset' }, { kind: 'hang', ms: 50 }])('%j loses it', async (fault) => {
		await expect(download(fault)).rejects.toThrow();
	});
});

describe('an answer that drips', () => {
	it('comes byte by byte for a time, and then whole', async () => {
		const taskId = await finished();
		sandbox.faults.on('status', { kind: 'drip', everyMs: 10, ms: 80 });
		const took = await timed(async () =>
			expect(await dataOf(taskId)).toMatchObject({ status: 'SUCCESS' }),
		);
		expect(took).toBeGreaterThanOrEqual(75);
	});

	it('never ends, whatever a limit of silence says', async () => {
		sandbox.faults.on('generate', { kind: 'drip', everyMs: 20 });
		const options = { signal: AbortSignal.timeout(300), timeout: 200 };
		const failed = api.post('/generate', { prompt: 'A duck' }, options);
		await expect(failed).rejects.toThrow();
		expect(sandbox.ledger.posts()).toMatchObject([{ fault: 'drip', answered: null }]);
		expect(charges()).toBe(1);
	});
});

describe('a task', () => {
	it('is not there for so many reads, or for so many seconds', async () => {
		const [byReads, bySeconds] = [
			await make({ seconds: 0, unknownReads: 2 }),
			await make({ seconds: 0, unknownSeconds: 30 }),
		];
		const statuses = [await read(byReads), await read(byReads), await read(byReads)];
		expect(statuses.map(({ status }) => status)).toEqual([404, 404, 200]);
		expect(statuses[0].data.code).toBe('TASK_NOT_FOUND');
		now = 29_999;
		expect((await read(bySeconds)).status).toBe(404);
		now = 30_000;
		expect((await read(bySeconds)).status).toBe(200);
	});

	it.each([
		['empty', []],
		['null', null],
		['missing', undefined],
	] as const)(
		'succeeds before its URL is there, the response being %s',
		async (response, early) => {
			const taskId = await finished({ response, urlAfterReads: 2 });
			const reads = [await dataOf(taskId), await dataOf(taskId), await dataOf(taskId)];
			expect(reads.map(({ status }) => status)).toEqual(Array(3).fill('SUCCESS'));
			expect([reads[0].response, reads[1].response]).toEqual([early, early]);
			expect(reads[2].response).toHaveLength(1);
		},
	);

	it('succeeds so many seconds before its URL is there', async () => {
		const taskId = await finished({ urlAfterSeconds: 20 });
		expect((await dataOf(taskId)).response).toEqual([]);
		now = 20_000;
		expect((await dataOf(taskId)).response).toHaveLength(1);
	});

	it.each([403, 404, 410])('has links that die with %i, and a fresh one', async (status) => {
		const taskId = await finished({ link: { seconds: 60, status } });
		const first = await urlOf(taskId);
		now = 59_999;
		expect((await load(first)).status).toBe(200);
		now = 60_000;
		expect((await load(first)).status).toBe(status);
		expect((await load(await urlOf(taskId))).status).toBe(200);
		expect((await load(first)).status).toBe(status);
	});

	it('has links that stay dead, or are refused at first', async () => {
		const dead = await finished({ link: { seconds: 60, isRenewed: false } });
		const first = await urlOf(dead);
		now = 60_000;
		expect([await urlOf(dead), (await load(first)).status]).toEqual([first, 403]);
		const url = await urlOf(await finished({ link: { refusals: 1, status: 404 } }));
		expect([(await load(url)).status, (await load(url)).status]).toEqual([404, 200]);
	});

	it.each(['taskId', 'id'] as const)('has its id as %s', async (idAs) => {
		const data = await dataOf(await make({ idAs }));
		expect(data.task_id).toBeUndefined();
		expect(data[idAs]).toMatch(/^seed15/);
	});

	it('has its id as a number that JavaScript cannot hold', async () => {
		const digits = await make({ idAs: 'number' });
		const plain = { transformResponse: (body: string) => body };
		const { data } = await api.get<string>(`/status?task_id=${digits}`, plain);
		expect(data).toContain(`"task_id":${digits},`);
		expect(String(Number(digits))).not.toBe(digits);
	});

	it.each(ODD_IDS)('may have an odd id, but never that of another: %s', async (id) => {
		const taskId = await make({ seconds: 0, id });
		expect(taskId).toBe(id);
		expect((await load(await urlOf(taskId))).status).toBe(200);
		expect(await make({ id })).toBe(`${id}2`);
	});

	it.each(RESPONSE_FORMS)('names its video as %s', async (responseAs) => {
		const taskId = await finished({ responseAs });
		const data = await dataOf(taskId);
		const isContract = Array.isArray(data.response) && typeof data.response[0] === 'string';
		expect(isContract).toBe(responseAs === 'urls');
		expect(JSON.stringify(data)).toContain(`/videos/${taskId}.mp4`);
	});

	it.each(REASON_FORMS)('tells the reason of its failure as %s', async (reasonAs) => {
		const outcome = { status: 'FAILED', errorMessage: 'Blocked', reasonAs } as const;
		const data = await dataOf(await make({ seconds: 0, outcome }));
		expect(data.error_message === 'Blocked').toBe(reasonAs === 'error_message');
		expect(JSON.stringify(data)).toContain('Blocked');
	});
});

describe('a rule', () => {
	const statuses = async (...prompts: string[]) => {
		const answers = [];
		for (const prompt of prompts) answers.push((await post(prompt)).status);
		return answers;
	};

	it('is used up before the next one, once unless told otherwise', async () => {
		sandbox.faults.on('generate', { kind: 'server-error', status: 500 });
		sandbox.faults.on('generate', { kind: 'server-error', status: 503 }, { times: 2 });
		expect(await statuses('A', 'B', 'C', 'D')).toEqual([500, 503, 503, 200]);
		expect(sandbox.faults.count('server-error')).toBe(3);
		expect(sandbox.faults.pending).toHaveLength(0);
		expect(sandbox.faults.applied[0]).toMatchObject({ route: 'generate', prompt: 'A' });
	});

	it('applies only to its prompt, its account, and from the n-th request on', async () => {
		const fault: Fault = { kind: 'server-error' };
		sandbox.faults.on('generate', fault, { account: 'other', times: 'always' });
		sandbox.faults.on('generate', fault, { prompt: 'duck', times: 'always' });
		sandbox.faults.on('generate', { kind: 'server-error', status: 502 }, { nth: 2 });
		expect(await statuses('A boat', 'A duck', 'A boat', 'A boat')).toEqual([200, 500, 502, 200]);
		const headers = { Authorization: `Bearer ${sandbox.otherAccount.apiKey}` };
		expect((await api.post('/generate', { prompt: 'A boat' }, { headers })).status).toBe(500);
	});

	it('is refused where it could never apply, and each kind applies somewhere', () => {
		expect(() => sandbox.faults.on('status', { kind: 'cut' })).toThrow('Not a fault rule');
		expect(FAULT_KINDS.every((kind) => routesOf(kind).length > 0)).toBe(true);
	});
});
