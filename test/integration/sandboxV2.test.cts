// The sandbox keeps version 2 of the contract: what each model accepts and costs, how long it takes, which task is whose, what
// an account may do at once, what a failure costs, and the clips in the new shapes.
import axios, { type AxiosInstance } from 'axios';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import rows from '../fixtures/sandboxTests.json';
import { probe } from '../sandbox/clips.cjs';
import { FAILURES, MODELS_V2, startSandbox, type Sandbox } from '../sandbox/server.cjs';

const PROMPT = { prompt: 'A boat' };
const MINI = { ...PROMPT, model: 'seedance-2-mini' };
const { v2: ROWS } = rows;
const ECHOES: Array<[object, object | null]> = Object(ROWS.echoes);
const CLIPS: Array<[object, number[]]> = Object(ROWS.clips);

let sandbox: Sandbox;
let v1: AxiosInstance;
let v2: AxiosInstance;

const client = (baseURL: string, headers: Record<string, string>) =>
	axios.create({
		baseURL,
		headers,
		validateStatus: () => true,
		maxRedirects: 0,
		proxy: false,
		timeout: 2_000,
	});
const keyOf = ({ apiKey }: { apiKey: string }) => ({ Authorization: `Bearer ${apiKey}` });
const post = async (body: unknown = PROMPT, api = v2) => await api.post('/generate', body);
const create = async (body?: unknown, api?: AxiosInstance): Promise<string> =>
	(await post(body, api)).data.data.task_id;
const read = async (task_id: string, api = v2) => await api.get('/status', { params: { task_id } });
const dataOf = async (taskId: string) => (await read(taskId)).data.data;
const control = async (data: object) => await axios.post(sandbox.controlUrl, data);

beforeAll(async () => {
	sandbox = await startSandbox({ credits: 100_000 });
	v1 = client(sandbox.baseUrl, keyOf(sandbox));
	v2 = client(sandbox.baseUrlV2, keyOf(sandbox));
});
afterEach(() => {
	sandbox.reset();
	const settings = { speed: 1, seed: 1, eitherVersion: false, firewall: false };
	Object.assign(sandbox, settings, { virtualLimits: false });
});
afterAll(async () => await sandbox.close());

describe('POST /v2/generate', () => {
	it('takes of each model the values of the page, no more and no fewer', async () => {
		for (const [model, { durations, ratios, resolutions }] of Object.entries(MODELS_V2)) {
			const bodies = [
				...durations.map((duration) => ({ duration })),
				...ratios.map((aspect_ratio) => ({ aspect_ratio })),
				...resolutions.map((resolution) => ({ resolution })),
			];
			for (const body of bodies)
				expect((await post({ ...PROMPT, model, ...body })).status).toBe(200);
		}
		expect(MODELS_V2).toMatchObject(ROWS.models);
		expect(Object.keys(MODELS_V2)).toEqual(Object.keys(ROWS.models));
	});

	it('responds with a task ID that is its own, and does not look like one of version 1', async () => {
		const made = Object.keys(ROWS.models).flatMap((model) => [model, model]);
		const ids: string[] = [];
		for (const model of made) {
			const { data } = await post({ ...PROMPT, model });
			ids.push(data.data.task_id);
			const task_id = expect.stringMatching(/^seed20[0-9a-f]{12}(std|fast|mini)$/);
			expect(data).toEqual({
				code: 200,
				message: 'success',
				data: { task_id, status: 'IN_PROGRESS' },
			});
		}
		expect(new Set(ids).size).toBe(6);
		const charges = sandbox.ledger.charges().map(({ version, model }) => [version, model]);
		expect(charges).toEqual(made.map((model) => [2, model]));
	});

	it.each<unknown[]>(ROWS.charges)(
		'charges for %s, %p and %i s what the contract prints: %i, with a reference video %p',
		async (model, resolution, duration, ...prices) => {
			const body = { ...PROMPT, model, duration, ...(resolution !== null && { resolution }) };
			await create(body);
			const reference_video_urls = ['https://example.com/a.mp4'];
			if (prices.length > 1) await create({ ...body, reference_video_urls });
			expect(sandbox.ledger.charges().map(({ credits }) => credits)).toEqual(prices);
		},
	);

	it('has a table of prices that agrees with its rule', () => {
		const prices = Object.values(MODELS_V2).flatMap(({ price }) => Object.values(price));
		const both = prices.flatMap(({ printed, perSecond }) =>
			Object.entries(printed).map(([s, credits]) => [credits, Math.ceil(perSecond * Number(s))]),
		);
		expect(both).toHaveLength(18);
		for (const [printed, reckoned] of both) expect(printed).toBe(reckoned);
	});

	it.each<unknown[]>(ROWS.refusedPosts)('refuses %s without charging', async (_, body, code) => {
		const response = await post(body);
		expect([response.status, response.data.code]).toEqual([400, code]);
		expect(sandbox.ledger.charges()).toHaveLength(0);
		expect(sandbox.ledger.posts()).toMatchObject([{ version: 2, accepted: false, charged: 0 }]);
	});

	it('passes over fields that version 2 does not have, and writes them down', async () => {
		const ofVersion1 = { generate_audio: true, fixed_lens: true, image_urls: [] };
		await create({ ...PROMPT, ...ofVersion1, other: 1, aspectRatio: '9:16' });
		const unknownFields = [...Object.keys(ofVersion1), 'other', 'aspectRatio'];
		expect(sandbox.ledger.posts()).toMatchObject([{ accepted: true, unknownFields, breaches: [] }]);
		await create({ ...PROMPT, model: 'seedance-2.0', public: false }, v1);
		expect(sandbox.ledger.posts()[1].unknownFields).toEqual(['model', 'public']);
	});

	it('returns 401 without a key and 402 when the balance is short by one credit', async () => {
		expect((await post(PROMPT, client(sandbox.baseUrlV2, {}))).data.code).toBe('INVALID_API_KEY');
		sandbox.ledger.balance = 239;
		expect((await post()).data.code).toBe('INSUFFICIENT_CREDITS');
		sandbox.ledger.balance = 240;
		expect((await post()).status).toBe(200);
		expect(sandbox.ledger.balance).toBe(0);
	});
});

describe('GET /v2/status', () => {
	it.each(ECHOES)('repeats the request %j as %j', async (body, echo) => {
		const task_id = await create(body);
		sandbox.finish(task_id);
		expect(await dataOf(task_id)).toMatchObject({
			task_id,
			status: 'SUCCESS',
			error_message: null,
		});
		expect((await dataOf(task_id)).request).toEqual(echo ?? body);
	});

	it('knows no task of version 1, nor the other way round, unless set to', async () => {
		const [one, two] = [await create(undefined, v1), await create()];
		const codes = async () => {
			const reads = [await read(one), await read(two, v1), await read(two), await read(one, v1)];
			return reads.map(({ status, data }) => [status, data.code]);
		};
		const [unknown, known] = [
			[404, 'TASK_NOT_FOUND'],
			[200, 200],
		];
		expect(await codes()).toEqual([unknown, unknown, known, known]);
		expect(sandbox.ledger.statusReads(two)).toMatchObject([{ version: 1 }, { version: 2 }]);
		await control({ settings: { eitherVersion: true } });
		expect(await codes()).toEqual([known, known, known, known]);
	});

	it("shows no task of another account's", async () => {
		const theirs = await create(MINI, client(sandbox.baseUrlV2, keyOf(sandbox.otherAccount)));
		expect((await read(theirs)).data.code).toBe('TASK_NOT_FOUND');
		expect(sandbox.ledger.chargesOf('other')).toMatchObject([{ credits: 154 }]);
	});
});

describe('the time of a video', () => {
	/** Virtual seconds from its start to its end. */
	const secondsOf = async (body?: object) => {
		const task = sandbox.tasks.get(await create(body));
		return Math.round(((task?.endsAt ?? 0) - (task?.startedAt ?? 0)) / 1000);
	};
	const times = async (count: number) => {
		sandbox.tasks.clear();
		const seconds: number[] = [];
		for (let nth = 0; nth < count; nth += 1) seconds.push(await secondsOf());
		return seconds;
	};

	it('is 2 to 10 minutes, differs from one to the next, and is the same with the same seed', async () => {
		const first = await times(40);
		expect(Math.min(...first)).toBeGreaterThanOrEqual(120);
		expect(Math.max(...first)).toBeLessThanOrEqual(600);
		expect(Math.max(...first) - Math.min(...first)).toBeGreaterThan(300);
		expect(await times(40)).toEqual(first);
		await control({ settings: { seed: 2 } });
		expect(await times(40)).not.toEqual(first);
	});

	it('is shortened by the speed, and may be an outlier', async () => {
		const fault = { kind: 'task', seconds: 3600 };
		await control({ faults: [{ match: { route: 'generate' }, fault }] });
		expect(await secondsOf()).toBe(3600);
		const taskId = await create();
		sandbox.speed = 6_000;
		await sandbox.ledger.until(() => sandbox.tasks.get(taskId)?.ended === true, 2_000);
	});
});

describe('the limits of an account', () => {
	const statusesOf = async (...apis: AxiosInstance[]) => {
		const statuses: number[] = [];
		for (const api of apis) statuses.push((await post(PROMPT, api)).status);
		return statuses;
	};

	it('let so many videos of both versions be running at once, for each key by itself', async () => {
		await control({ limits: [{ route: 'generate', running: 3 }] });
		const together = await Promise.all(
			[v1, v2, v2, v2, v1].map(async (api) => await post(PROMPT, api)),
		);
		expect(together.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429]);
		expect(together.find(({ status }) => status === 429)?.headers).not.toHaveProperty(
			'retry-after',
		);
		expect(sandbox.ledger.charges()).toHaveLength(3);
		const other = client(sandbox.baseUrlV2, keyOf(sandbox.otherAccount));
		expect(await statusesOf(other)).toEqual([200]);
		sandbox.finish(sandbox.tasks.all()[0].id);
		expect(await statusesOf(v2, v2)).toEqual([200, 429]);
		expect(sandbox.faults.limits.count('generate', 'main')).toBe(3);
	});

	it('let so many start in a minute, real or virtual', async () => {
		await control({ limits: [{ route: 'generate', perMinute: 2 }] });
		expect(await statusesOf(v1, v2, v2)).toEqual([200, 200, 429]);
		await control({ settings: { virtualLimits: true } });
		expect(await statusesOf(v1, v2, v2)).toEqual([200, 200, 429]);
		const { now } = sandbox.faults.limits;
		sandbox.faults.limits.now = () => now() + 60_000;
		expect(await statusesOf(v2)).toEqual([200]);
	});

	it.each([
		['exact', [1_000, 400], false, '100'],
		['exact', [1_000, 400], true, '400'],
		['exact', [Infinity, Infinity], false, undefined],
		[9, [1_000, 400], false, '9'],
	] as const)(
		'say when to come back as set: %s, with %p s left at speed 4, virtual: %p',
		async (retryAfter, left, virtualLimits, expected) => {
			Object.assign(sandbox, { speed: 4, virtualLimits });
			for (const seconds of left) sandbox.faults.on('generate', { kind: 'task', seconds });
			sandbox.faults.limits.add({ route: 'generate', running: 2, retryAfter });
			expect(await statusesOf(v2, v2)).toEqual([200, 200]);
			const { status, headers } = await post();
			expect([status, headers['retry-after']]).toEqual([429, expected]);
		},
	);
});

describe('a video that fails', () => {
	it.each([
		[undefined, 0],
		[true, 240],
	] as const)('costs what is said, when charged is %p: %i credits', async (charged, consumed) => {
		for (const errorMessage of [...FAILURES.moderation, ...FAILURES.trouble]) {
			const outcome = { status: 'FAILED', errorMessage, charged };
			const rule = { match: { route: 'generate' }, fault: { kind: 'task', seconds: 0, outcome } };
			await control({ faults: [rule] });
			const expected = { consumed_credits: consumed, error_message: errorMessage, response: [] };
			expect(await dataOf(await create())).toMatchObject({ status: 'FAILED', ...expected });
		}
		expect(sandbox.ledger.spent).toBe(7 * consumed);
		expect(sandbox.ledger.balance).toBe(100_000 - 7 * consumed);
	});

	it.each([
		['[fail]', 0, 'The content was not accepted'],
		['[fail charged]', 240, 'The content was not accepted'],
		['[moderated]', 0, FAILURES.moderation[0]],
		['[overloaded]', 0, 'The model is overloaded'],
	])('can be ordered in the prompt: %s', async (word, consumed_credits, error_message) => {
		const taskId = await create({ prompt: `A boat ${word}` });
		sandbox.finish(taskId);
		expect(await dataOf(taskId)).toMatchObject({ consumed_credits, error_message });
	});

	it('can be ended so by hand', async () => {
		const taskId = await create(MINI);
		await control({ finish: { [taskId]: { status: 'FAILED', charged: true } } });
		expect(await dataOf(taskId)).toMatchObject({ status: 'FAILED', consumed_credits: 154 });
		expect(sandbox.ledger.posts()).toMatchObject([{ charged: 154, refunded: 0 }]);
	});
});

describe('the firewall', () => {
	const AGENTS = [undefined, 'axios/1.7.0', 'node', 'python-requests/2.32', 'curl/8.5.0', 'Robot'];
	const ORDINARY = ['n8n-nodes-seedance/0.1.0 (+https://example.com)', 'Mozilla/5.0 (X11)'];

	it('blocks clients without a name of their own at both versions, once it is switched on', async () => {
		await control({ settings: { firewall: true } });
		for (const api of [v1, v2]) {
			for (const agent of AGENTS) {
				const headers = { 'User-Agent': agent ?? null };
				const responses = [
					await api.post('/generate', PROMPT, { headers }),
					await api.get('/status', { headers, params: { task_id: 'x' } }),
				];
				for (const { status, data } of responses) {
					expect([agent, status, data]).toEqual([agent, 403, 'error code: 1010']);
				}
			}
			for (const agent of ORDINARY) {
				const headers = { 'User-Agent': agent };
				expect((await api.post('/generate', PROMPT, { headers })).status).toBe(200);
			}
		}
		expect(sandbox.ledger.charges()).toHaveLength(4);
		expect(sandbox.ledger.posts()[0]).toMatchObject({ fault: 'firewall', answered: 403 });
		await control({ settings: { firewall: false } });
		expect((await post()).status).toBe(200);
	});

	it.each(['generate', 'status'] as const)('can be a fault of %s as well', async (route) => {
		sandbox.faults.on(route, { kind: 'firewall' });
		const response = route === 'generate' ? await post() : await read('x');
		expect([response.status, response.data]).toEqual([403, 'error code: 1010']);
	});
});

it('gives out silent clips of the ratio, size and length that were ordered, 16:9 with images', async () => {
	const folder = await mkdtemp(path.join(tmpdir(), 'sandbox-clips-test-'));
	const file = path.join(folder, 'downloaded.mp4');
	for (const [body, [width, height, seconds]] of CLIPS) {
		const taskId = await create(body);
		sandbox.finish(taskId);
		const [url] = (await dataOf(taskId)).response;
		const whole = { responseType: 'arraybuffer', timeout: 60_000 } as const;
		await writeFile(file, (await axios.get<Buffer>(url, whole)).data);
		const clip = await probe(file);
		expect(clip).toMatchObject({ width, height, hasAudio: false });
		expect(clip.seconds).toBeCloseTo(seconds, 0);
	}
	await rm(folder, { recursive: true });
}, 60_000);
