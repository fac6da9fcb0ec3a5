// What the contract leaves open and the sandbox can do: answers that drip, states that pass, links that die, and every
// form in which an id, a URL or a reason may come.
import axios, { type AxiosInstance } from 'axios';
import { gunzipSync } from 'node:zlib';

import {
	ENCODINGS,
	ODD_IDS,
	REASON_FORMS,
	RESPONSE_FORMS,
	startSandbox,
	VIDEO_BODIES,
	type Fault,
	type Sandbox,
	type TaskPlan,
} from '../sandbox/server.cjs';

let sandbox: Sandbox;
let api: AxiosInstance;
let now = 0;

beforeAll(async () => {
	sandbox = await startSandbox({ videoBytes: 2_000 });
	sandbox.tasks.now = () => now;
	api = axios.create({
		baseURL: sandbox.baseUrl,
		headers: { Authorization: `Bearer ${sandbox.apiKey}` },
		validateStatus: () => true,
		proxy: false,
		timeout: 2_000,
	});
});
beforeEach(() => {
	now = 0;
});
afterEach(() => sandbox.reset());
afterAll(async () => await sandbox.close());

const post = async (prompt = 'A boat') => await api.post('/generate', { prompt });
const read = async (taskId: string) => await api.get('/status', { params: { task_id: taskId } });
/** Makes a task with a plan; gives its id as the sandbox knows it. */
const make = async (plan: TaskPlan) => {
	sandbox.faults.on('generate', { kind: 'task', ...plan });
	await post();
	return sandbox.tasks.all().at(-1)?.id ?? '';
};
const load = async (url: string) =>
	await axios.get<Buffer>(url, {
		responseType: 'arraybuffer',
		validateStatus: () => true,
		proxy: false,
		decompress: false,
		timeout: 2_000,
	});
const videoOf = async (taskId: string): Promise<string> =>
	(await read(taskId)).data.data.response[0];

describe('answers that drip', () => {
	it('come byte by byte for a time, and then whole', async () => {
		const taskId = await make({ seconds: 0 });
		sandbox.faults.on('status', { kind: 'drip', everyMs: 10, ms: 80 });
		const start = Date.now();
		const { data } = await read(taskId);
		expect(Date.now() - start).toBeGreaterThanOrEqual(75);
		expect(data.data).toMatchObject({ task_id: taskId, status: 'SUCCESS' });
	});

	it.each(['generate', 'status'] as const)(
		'never end on %s, whatever a limit of silence says',
		async (route) => {
			const taskId = await make({});
			sandbox.faults.on(route, { kind: 'drip', everyMs: 20 });
			const call = async (signal?: AbortSignal) =>
				route === 'generate'
					? await api.post('/generate', { prompt: 'A duck' }, { signal, timeout: 0 })
					: await api.get(`/status?task_id=${taskId}`, { signal, timeout: 0 });
			const failed: unknown = await call(AbortSignal.timeout(300)).catch((error: unknown) => error);
			expect(failed).toMatchObject({ code: 'ERR_CANCELED' });
			const entries =
				route === 'generate' ? sandbox.ledger.posts() : sandbox.ledger.statusReads(taskId);
			expect(entries.at(-1)).toMatchObject({ fault: 'drip', answered: null });
			expect(sandbox.ledger.charges()).toHaveLength(route === 'generate' ? 2 : 1);
		},
	);

	it('let a video crawl for a time', async () => {
		const taskId = await make({ seconds: 0 });
		sandbox.faults.on('video', { kind: 'drip', everyMs: 10, ms: 80 });
		const start = Date.now();
		const { data } = await load(await videoOf(taskId));
		expect(Date.now() - start).toBeGreaterThanOrEqual(75);
		expect(data).toHaveLength(2_000);
	});
});

describe('states that pass', () => {
	it('do not know a task for so many reads', async () => {
		const taskId = await make({ seconds: 0, unknownReads: 2 });
		const seen = [await read(taskId), await read(taskId), await read(taskId)];
		expect(seen.map(({ status }) => status)).toEqual([404, 404, 200]);
		expect(seen[0].data.code).toBe('TASK_NOT_FOUND');
	});

	it('do not know a task for so many seconds', async () => {
		const taskId = await make({ seconds: 0, unknownSeconds: 30 });
		now = 29_999;
		expect((await read(taskId)).status).toBe(404);
		now = 30_000;
		expect((await read(taskId)).status).toBe(200);
	});

	it.each(['empty', 'null', 'missing'] as const)(
		'tell a success before its URL, the response being %s',
		async (response) => {
			const outcome = { status: 'SUCCESS', response, urlAfterReads: 2 } as const;
			const taskId = await make({ seconds: 0, outcome });
			const [first, second, third] = [
				(await read(taskId)).data.data,
				(await read(taskId)).data.data,
				(await read(taskId)).data.data,
			];
			for (const early of [first, second]) {
				expect(early.status).toBe('SUCCESS');
				expect(early.response).toEqual({ empty: [], null: null, missing: undefined }[response]);
			}
			expect(third.response).toHaveLength(1);
		},
	);

	it('tell a success before its URL for so many seconds', async () => {
		const taskId = await make({
			seconds: 0,
			outcome: { status: 'SUCCESS', urlAfterSeconds: 20 },
		});
		expect((await read(taskId)).data.data.response).toEqual([]);
		now = 20_000;
		expect((await read(taskId)).data.data.response).toHaveLength(1);
	});
});

describe('links', () => {
	it.each([403, 404, 410])(
		'die after their time with %i, and a reading gives a fresh one',
		async (status) => {
			const taskId = await make({
				seconds: 0,
				outcome: { status: 'SUCCESS', link: { seconds: 60, status } },
			});
			const first = await videoOf(taskId);
			now = 59_999;
			expect((await load(first)).status).toBe(200);
			now = 60_000;
			expect((await load(first)).status).toBe(status);
			const fresh = await videoOf(taskId);
			expect((await load(fresh)).status).toBe(200);
			expect((await load(first)).status).toBe(status);
		},
	);

	it('stay dead where a reading does not renew them', async () => {
		const taskId = await make({
			seconds: 0,
			outcome: { status: 'SUCCESS', link: { seconds: 60, isRenewed: false } },
		});
		const first = await videoOf(taskId);
		now = 60_000;
		expect(await videoOf(taskId)).toBe(first);
		expect((await load(first)).status).toBe(403);
	});

	it('are refused at first, and then work', async () => {
		const taskId = await make({
			seconds: 0,
			outcome: { status: 'SUCCESS', link: { refusals: 1, status: 404 } },
		});
		const url = await videoOf(taskId);
		expect([(await load(url)).status, (await load(url)).status]).toEqual([404, 200]);
	});
});

describe('bodies of a video', () => {
	const strike = async (fault: Fault) => {
		const taskId = await make({ seconds: 0 });
		sandbox.faults.on('video', fault);
		return await load(await videoOf(taskId));
	};

	it.each(ENCODINGS)(
		'are packed with %s, their length being the one on the wire',
		async (encoding) => {
			const { data, headers } = await strike({ kind: 'encoded', encoding });
			expect(headers['content-encoding']).toBe(encoding);
			expect(headers['content-length']).toBe(String(data.length));
			expect(data.length).toBeLessThan(2_000);
			if (encoding === 'gzip') expect(gunzipSync(data)).toHaveLength(2_000);
		},
	);

	it.each(VIDEO_BODIES)('are %s under video/mp4', async (body) => {
		const { data, headers, status } = await strike({ kind: 'video-body', body });
		expect([status, headers['content-type']]).toEqual([200, 'video/mp4']);
		expect(data.subarray(4, 8).toString()).not.toBe('ftyp');
	});

	it('come half, with 206', async () => {
		const { data, headers, status } = await strike({ kind: 'partial' });
		expect([status, data.length]).toEqual([206, 1_000]);
		expect(headers['content-range']).toBe('bytes 0-999/2000');
	});

	it('come without a type', async () => {
		expect((await strike({ kind: 'no-content-type' })).headers['content-type']).toBeUndefined();
	});
});

describe('ids', () => {
	it.each(['taskId', 'id'] as const)('come as %s', async (idAs) => {
		sandbox.faults.on('generate', { kind: 'task', idAs });
		const { data } = await post();
		expect(data.data.task_id).toBeUndefined();
		expect((await read(data.data[idAs])).data.data[idAs]).toBe(data.data[idAs]);
	});

	it('come as a number that JavaScript cannot hold', async () => {
		sandbox.faults.on('generate', { kind: 'task', idAs: 'number' });
		const { data: text } = await api.post<string>(
			'/generate',
			{ prompt: 'A boat' },
			{ transformResponse: (body: string) => body },
		);
		const [, digits = ''] = /"task_id":(\d+),/.exec(text) ?? [];
		expect(BigInt(digits)).toBeGreaterThan(2n ** 53n);
		expect(String(Number(digits))).not.toBe(digits);
		expect((await read(digits)).status).toBe(200);
	});

	it.each(ODD_IDS)('may be odd: %s', async (id) => {
		const taskId = await make({ seconds: 0, id });
		expect(taskId).toBe(id);
		const url = await videoOf(taskId);
		expect((await load(url)).status).toBe(200);
	});

	it('are never given twice', async () => {
		expect([await make({ id: 'same' }), await make({ id: 'same' })]).toEqual(['same', 'same2']);
	});
});

it('tells the failure of a task in the answer to its POST', async () => {
	sandbox.faults.on('generate', {
		kind: 'task',
		seconds: 0,
		answersEnd: true,
		outcome: { status: 'FAILED', errorMessage: 'Blocked' },
	});
	expect((await post()).data.data).toMatchObject({ status: 'FAILED', error_message: 'Blocked' });
	expect(sandbox.ledger.spent).toBe(0);
});

describe('forms of an end', () => {
	it.each(RESPONSE_FORMS)('name the video as %s', async (responseAs) => {
		const taskId = await make({ seconds: 0, outcome: { status: 'SUCCESS', responseAs } });
		const { data } = (await read(taskId)).data;
		const isContract = Array.isArray(data.response) && typeof data.response[0] === 'string';
		expect(isContract).toBe(responseAs === 'urls');
		expect(JSON.stringify(data)).toContain(`/videos/${taskId}.mp4`);
	});

	it.each(REASON_FORMS)('tell the reason as %s', async (reasonAs) => {
		const outcome = { status: 'FAILED', errorMessage: 'Blocked', reasonAs } as const;
		const { data } = (await read(await make({ seconds: 0, outcome }))).data;
		expect(data.error_message === 'Blocked').toBe(reasonAs === 'error_message');
		expect(JSON.stringify(data)).toContain('Blocked');
	});
});

it('answers as the firewall before the API does', async () => {
	sandbox.faults.on('status', { kind: 'firewall' });
	const { data, status } = await read('any');
	expect([status, data]).toEqual([403, 'error code: 1010']);
});

describe('the control endpoint', () => {
	const settings = async (data: unknown) =>
		await axios.post(`${sandbox.controlUrl}/settings`, data, {
			validateStatus: () => true,
			proxy: false,
		});

	it('gives every new task a plan', async () => {
		await settings({ taskPlan: { unknownReads: 1, outcome: { status: 'FAILED' } } });
		const taskId: string = (await post()).data.data.task_id;
		expect([(await read(taskId)).status, (await read(taskId)).status]).toEqual([404, 200]);
	});

	it.each([
		{ taskPlan: { unknownRead: 1 } },
		{ taskPlan: { idAs: 'colour' } },
		{ taskPlan: { outcome: { status: 'SUCCESS', link: { minutes: 1 } } } },
	])('refuses a plan that is none: %j', async (wrong) => {
		expect((await settings(wrong)).status).toBe(400);
	});

	it('takes the new faults as rules', async () => {
		const rule = { match: { route: 'status' }, fault: { kind: 'drip', everyMs: 5, ms: 20 } };
		const taken = await axios.post(`${sandbox.controlUrl}/faults`, rule, { proxy: false });
		expect(taken.data).toEqual({ pending: 1 });
	});
});
