// Each fault of the sandbox does what its name says, and the ledger shows whether it cost anything; each form in which the
// contract leaves a response open comes as it is called; each callback is delivered in its shape, with every mishap on the way.
import axios, { type AxiosInstance } from 'axios';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

import rows from '../fixtures/sandboxTests.json';
import {
	CALLBACK_SHAPES,
	ENCODINGS,
	FAULT_KINDS,
	ODD_IDS,
	routesOf,
	startSandbox,
	VIDEO_BODIES,
	WRONG_SHAPES,
	type CallbackPlan,
	type CallbackShape,
	type Fault,
	type Outcome,
	type Sandbox,
	type TaskPlan,
} from '../sandbox/server.cjs';
import { portOf } from '../sandbox/unreachable.cjs';

const BYTES = 100_000;
const FAULTS: {
	lostResponses: Array<[Fault, string, number]>;
	oddResponses: Array<[Fault, number, number]>;
	shownStates: Array<[Fault, Record<string, unknown>]>;
	videos: Array<[Fault, number, Record<string, string | null>]>;
} = Object(rows);

let sandbox: Sandbox;
let api: AxiosInstance;
let now = 0;

beforeAll(async () => {
	sandbox = await startSandbox({ videoBytes: BYTES });
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

const post = async (prompt = 'A boat', more: object = {}) =>
	await api.post('/generate', { prompt, ...more });
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
	await api.get<Buffer>(url, { responseType: 'arraybuffer', decompress: false, timeout: 2_000 });
/** The download of a finished video that meets a fault. */
const download = async (fault: Fault) => {
	const url = await urlOf(await finished());
	sandbox.faults.on('video', fault);
	return await load(url);
};
const charges = () => sandbox.ledger.charges().length;

describe('on generate', () => {
	it.each(FAULTS.lostResponses)('%j loses the response (%s) with %i charges', async (...row) => {
		const [fault, code, count] = row;
		sandbox.faults.on('generate', fault);
		const signal = AbortSignal.timeout(fault.kind === 'drip' ? 300 : 2_000);
		await expect(api.post('/generate', { prompt: 'A boat' }, { signal })).rejects.toMatchObject({
			code,
		});
		expect(charges()).toBe(count);
		expect(sandbox.ledger.posts()).toMatchObject([{ accepted: count === 1, answered: null }]);
	});

	it.each(FAULTS.oddResponses)('%j returns %i with %i charges', async (fault, status, count) => {
		sandbox.faults.on('generate', fault);
		const response = await post();
		expect([response.status, charges()]).toEqual([status, count]);
		// Whatever is not JSON of the contract's is left as a text.
		const isText = ['html', 'invalid-json', 'empty-body', 'firewall'].includes(fault.kind);
		if (isText) expect(typeof response.data).toBe('string');
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

	it.each(WRONG_SHAPES)('returns JSON of the wrong shape: %s', async (shape) => {
		const textOf = ({ data }: { data: unknown }) =>
			JSON.stringify(data).replace(/seed15[0-9a-f]+pro/, 'id');
		const right = textOf(await post());
		sandbox.faults.on('generate', { kind: 'wrong-shape', shape });
		expect(textOf(await post())).not.toBe(right);
		expect(charges()).toBe(2);
	});

	it("returns another account's task id, though the caller's own task was charged", async () => {
		sandbox.faults.on('generate', { kind: 'foreign-id' });
		const taskId = (await post()).data.data.task_id;
		expect(sandbox.tasks.get(taskId)?.account.name).toBe('other');
		expect(charges()).toBe(1);
	});
});

it.each(FAULTS.shownStates)('%j on status shows %j', async (fault, expected) => {
	const taskId = await make();
	sandbox.faults.on('status', fault, { taskId });
	const { status, response, error_message } = await dataOf(taskId);
	expect({ error_message: null, ...expected }).toEqual({ status, response, error_message });
	expect(sandbox.ledger.statusReads(taskId)).toMatchObject([{ fault: fault.kind }]);
});

describe('on the video', () => {
	it('streams a body of any size, recognisable as MP4', async () => {
		const { data } = await download({ kind: 'video-bytes', bytes: 3_000_001 });
		expect([data.length, data.subarray(4, 8).toString()]).toEqual([3_000_001, 'ftyp']);
		expect(sandbox.ledger.videoReads()).toMatchObject([{ bytes: 3_000_001, complete: true }]);
	});

	it.each<[Fault, number]>([
		[{ kind: 'cut' }, BYTES / 2],
		[{ kind: 'reset' }, 0],
		[{ kind: 'hang', ms: 50 }, 0],
	])('%j loses it after %i bytes', async (fault, bytes) => {
		await expect(download(fault)).rejects.toThrow();
		expect(sandbox.ledger.videoReads()).toMatchObject([{ bytes, complete: false }]);
	});

	it.each<Fault>([
		{ kind: 'stall', ms: 80, afterBytes: 10 },
		{ kind: 'drip', everyMs: 10, ms: 80 },
		{ kind: 'delay', ms: 80 },
	])('%j makes it late, and sends all of it', async (fault) => {
		const start = Date.now();
		expect((await download(fault)).data).toHaveLength(BYTES);
		expect(Date.now() - start).toBeGreaterThanOrEqual(75);
	});

	it.each(FAULTS.videos)('%j returns %i with %j', async (fault, status, expected) => {
		const response = await download(fault);
		expect(response.status).toBe(status);
		for (const [name, value] of Object.entries(expected)) {
			expect(response.headers[name] ?? null).toBe(value);
		}
		if (fault.kind.startsWith('no-')) expect(response.data).toHaveLength(BYTES);
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
});

describe('a task', () => {
	beforeEach(() => {
		sandbox.tasks.now = () => now;
	});

	it('is not there for so many reads, or for so many seconds', async () => {
		const byReads = await make({ seconds: 0, unknownReads: 2 });
		const bySeconds = await make({ seconds: 0, unknownSeconds: 30 });
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
	] as const)('succeeds before its URL is there, the response being %s', async (...row) => {
		const [response, early] = row;
		const byReads = await finished({ response, urlAfterReads: 2 });
		const bySeconds = await finished({ response, urlAfterSeconds: 20 });
		for (const taskId of [byReads, byReads, bySeconds]) {
			const { status, response: shown } = await dataOf(taskId);
			expect([status, shown]).toEqual(['SUCCESS', early]);
		}
		now = 20_000;
		for (const taskId of [byReads, bySeconds]) expect(await urlOf(taskId)).toMatch(/^http/);
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

	it.each(ODD_IDS)('may have an odd id, but never that of another: %s', async (id) => {
		const taskId = await make({ seconds: 0, id });
		expect(taskId).toBe(id);
		expect((await load(await urlOf(taskId))).status).toBe(200);
		expect(await make({ id })).toBe(`${id}2`);
	});
});

describe('a rule', () => {
	const statuses = async (...prompts: string[]) => {
		const responses = [];
		for (const prompt of prompts) responses.push((await post(prompt)).status);
		return responses;
	};

	it('is used up before the next one, once unless set otherwise', async () => {
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

describe('a callback', () => {
	let received: Array<Record<'method' | 'url' | 'type' | 'body' | 'shown', string>> = [];
	let responses: number[] = [];
	let current = '';
	let hook = '';

	const receiver = createServer((request, response) => {
		void (async () => {
			const { method = '', url = '', headers } = request;
			const body = (await buffer(request)).toString('latin1');
			const shown = (await dataOf(current)).status;
			received.push({ method, url, type: headers['content-type'] ?? '', body, shown });
			response.writeHead(responses.shift() ?? 200).end('noted');
		})();
	});
	beforeAll(async () => {
		await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
		hook = `http://127.0.0.1:${portOf(receiver.address())}/hook?seedance_sig=a%2Bb~c#part`;
	});
	beforeEach(() => {
		sandbox.tasks.now = Date.now;
		received = [];
		responses = [];
	});
	afterAll(() => {
		receiver.closeAllConnections();
		receiver.close();
	});

	/** Makes a video, ends it, and gives what was delivered when nothing is left to deliver. */
	const run = async (plan: Partial<CallbackPlan> = {}, url = hook, outcome?: Outcome) => {
		sandbox.callbacks.planFor('A boat', { backoffMs: 5, ...plan });
		current = (await post('A boat', { callback_url: url })).data.data.task_id;
		sandbox.finish(current, outcome);
		await sandbox.callbacks.settled();
		return sandbox.callbacks.of(current);
	};
	const bodies = () => received.map(({ body }) => JSON.parse(body).data);

	it.each(rows.callbacks)('comes as %s, and is written down with its response', async (...row) => {
		const [name, method, type, form] = row;
		const shape = CALLBACK_SHAPES.find((one): one is CallbackShape => one === name);
		const expected = { shape, told: 'SUCCESS', attempt: 1, copy: 1 };
		const answered = { status: 200, answer: 'noted', error: null };
		expect(await run({ shape })).toMatchObject([{ ...expected, ...answered }]);
		// The URL's own query stays as it was, since it is signed.
		const addition = shape === 'get' ? `&task_id=${current}` : '';
		const url = `/hook?seedance_sig=a%2Bb~c${addition}`;
		expect(received).toMatchObject([{ method, type, url }]);
		expect(received[0].body.replaceAll(current, 'ID')).toMatch(new RegExp(form));
	});

	it('is tried again until it gets 2xx, and given up after its attempts', async () => {
		responses = [503, 404];
		expect((await run({ attempts: 5 })).map(({ status }) => status)).toEqual([503, 404, 200]);
		responses = [500, 500, 500, 500];
		expect(await run({ attempts: 3 })).toHaveLength(3);
	});

	it('comes several times at the same moment, or again later, or never', async () => {
		expect(await run({ copies: 3 })).toHaveLength(3);
		const [first, second] = await run({ copies: 2, copyGapMs: 60 });
		expect(second.at - first.at).toBeGreaterThanOrEqual(50);
		expect(await run({ never: true })).toEqual([]);
	});

	it('comes before GET /status shows the end', async () => {
		await run({ earlyMs: 60_000 });
		expect(received[0].shown).toBe('IN_PROGRESS');
		expect(bodies()).toMatchObject([{ status: 'SUCCESS' }]);
		const task = sandbox.tasks.get(current);
		if (task) task.visibleAt = Date.now();
		expect((await dataOf(current)).status).toBe('SUCCESS');
	});

	it('reports a failure, and names a foreign id', async () => {
		await run({ foreignId: true }, hook, { status: 'FAILED', errorMessage: 'Blocked' });
		const task_id = expect.stringMatching(/^other/);
		expect(bodies()[0]).toMatchObject({ task_id, status: 'FAILED', error_message: 'Blocked' });
	});

	it('never leaves this machine, and says that nobody was there', async () => {
		expect(await run({}, 'http://192.0.2.1/hook')).toEqual([]);
		expect(sandbox.callbacks.refused).toMatchObject([{ url: 'http://192.0.2.1/hook' }]);
		expect(await run({ attempts: 1 }, 'http://127.0.0.1:1/hook')).toMatchObject([
			{ status: null, error: expect.stringContaining('ECONNREFUSED') },
		]);
	});
});
