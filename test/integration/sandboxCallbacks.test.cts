// The sandbox's callbacks: every known shape, and every known mishap on the way.
import axios from 'axios';
import fastify, { type FastifyInstance } from 'fastify';

import {
	CALLBACK_SHAPES,
	startSandbox,
	type CallbackPlan,
	type Sandbox,
} from '../sandbox/server.cjs';

interface Received {
	method: string;
	url: string;
	type: string | undefined;
	body: Buffer;
	/** What GET /status said at the moment of the callback. */
	shown: unknown;
}

let sandbox: Sandbox;
let receiver: FastifyInstance;
let received: Received[];
let answers: number[];
let hook: string;

const statusOf = async (taskId: string): Promise<unknown> =>
	(
		await axios.get(`${sandbox.baseUrl}/status`, {
			params: { task_id: taskId },
			headers: { Authorization: `Bearer ${sandbox.apiKey}` },
			proxy: false,
		})
	).data.data.status;

let current = '';

beforeAll(async () => {
	sandbox = await startSandbox();
	receiver = fastify({ forceCloseConnections: true });
	receiver.removeAllContentTypeParsers();
	receiver.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
		done(null, body),
	);
	receiver.all('/hook', async (request, reply) => {
		received.push({
			method: request.method,
			url: request.url,
			type: request.headers['content-type'],
			body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
			shown: current === '' ? null : await statusOf(current),
		});
		await reply.code(answers.shift() ?? 200).send('noted');
	});
	hook = `${await receiver.listen({ host: '127.0.0.1', port: 0 })}/hook?seedance_sig=a%2Bb~c#part`;
});
beforeEach(() => {
	received = [];
	answers = [];
});
afterEach(() => {
	sandbox.reset();
	current = '';
});
afterAll(async () => {
	await sandbox.close();
	await receiver.close();
});

const start = async (plan: Partial<CallbackPlan> = {}, url = hook): Promise<string> => {
	sandbox.callbacks.planFor('A boat', { backoffMs: 5, ...plan });
	const answer = await axios.post(
		`${sandbox.baseUrl}/generate`,
		{ prompt: 'A boat', callback_url: url },
		{ headers: { Authorization: `Bearer ${sandbox.apiKey}` }, proxy: false },
	);
	current = answer.data.data.task_id;
	return current;
};

const run = async (plan: Partial<CallbackPlan> = {}): Promise<string> => {
	const taskId = await start(plan);
	sandbox.finish(taskId);
	await sandbox.callbacks.settled();
	return taskId;
};

describe('shapes', () => {
	it('sends the whole status envelope by default', async () => {
		const taskId = await run();
		expect(received).toHaveLength(1);
		const [{ method, type, body }] = received;
		expect([method, type]).toEqual(['POST', 'application/json']);
		expect(JSON.parse(body.toString())).toMatchObject({
			code: 200,
			data: { task_id: taskId, status: 'SUCCESS', consumed_credits: 28 },
		});
	});

	it('sends the data alone', async () => {
		const taskId = await run({ shape: 'data' });
		expect(JSON.parse(received[0].body.toString())).toMatchObject({
			task_id: taskId,
			status: 'SUCCESS',
		});
	});

	it("sends a neighbour's body", async () => {
		const taskId = await run({ shape: 'neighbour' });
		const { msg, data } = JSON.parse(received[0].body.toString());
		expect(msg).toBe('success');
		expect(data).toMatchObject({ taskId, state: 'success' });
		expect(JSON.parse(data.resultJson).resultUrls[0]).toContain(`${taskId}.mp4`);
	});

	it('sends no body', async () => {
		await run({ shape: 'empty' });
		expect(received[0]).toMatchObject({ method: 'POST', body: Buffer.alloc(0) });
	});

	it("sends a GET with the task id behind the URL's own query, which stays as it was", async () => {
		const taskId = await run({ shape: 'get' });
		expect(received[0].method).toBe('GET');
		expect(received[0].url).toBe(`/hook?seedance_sig=a%2Bb~c&task_id=${taskId}`);
	});

	it('sends a form', async () => {
		const taskId = await run({ shape: 'form' });
		expect(received[0].type).toBe('application/x-www-form-urlencoded');
		expect(received[0].body.toString()).toBe(`task_id=${taskId}&status=SUCCESS`);
	});

	it('sends garbage', async () => {
		await run({ shape: 'garbage' });
		expect(() => JSON.parse(received[0].body.toString())).toThrow();
	});

	it('can name a foreign id', async () => {
		const taskId = await run({ foreignId: true });
		expect(received[0].body.toString()).not.toContain(`"task_id":"${taskId}"`);
	});

	it.each(CALLBACK_SHAPES)('writes down the delivery and its answer: %s', async (shape) => {
		const taskId = await run({ shape });
		expect(sandbox.callbacks.of(taskId)).toMatchObject([
			{ shape, told: 'SUCCESS', attempt: 1, copy: 1, status: 200, answer: 'noted', error: null },
		]);
	});
});

describe('mishaps', () => {
	it('tries again until it is answered with 2xx', async () => {
		answers = [503, 404];
		const taskId = await run({ attempts: 5 });
		expect(sandbox.callbacks.of(taskId).map(({ status }) => status)).toEqual([503, 404, 200]);
	});

	it('gives up after its attempts', async () => {
		answers = [500, 500, 500, 500];
		await run({ attempts: 3 });
		expect(received).toHaveLength(3);
	});

	it('delivers the same event several times at the same moment', async () => {
		await run({ copies: 3 });
		expect(received).toHaveLength(3);
	});

	it('delivers the same event again later', async () => {
		const taskId = await run({ copies: 2, copyGapMs: 60 });
		const [first, second] = sandbox.callbacks.of(taskId);
		expect(second.at - first.at).toBeGreaterThanOrEqual(50);
	});

	it('comes before GET /status shows the end', async () => {
		const taskId = await run({ earlyMs: 400 });
		expect(received[0].shown).toBe('IN_PROGRESS');
		expect(JSON.parse(received[0].body.toString()).data.status).toBe('SUCCESS');
		const end = sandbox.tasks.get(taskId)?.visibleAt ?? Infinity;
		await new Promise((resolve) => setTimeout(resolve, end - Date.now() + 1));
		expect(await statusOf(taskId)).toBe('SUCCESS');
	});

	it('comes late', async () => {
		const taskId = await run({ lateMs: 80 });
		const [delivery] = sandbox.callbacks.of(taskId);
		expect(delivery.at - (sandbox.tasks.get(taskId)?.endedAt ?? 0)).toBeGreaterThanOrEqual(75);
	});

	it('never comes', async () => {
		await run({ never: true });
		expect(received).toHaveLength(0);
	});

	it('comes at every change of status', async () => {
		await run({ everyChange: true });
		const told = received.map(({ body }) => JSON.parse(body.toString()).data.status);
		expect(told.sort()).toEqual(['IN_PROGRESS', 'SUCCESS']);
	});

	it('tells of a failure', async () => {
		const taskId = await start();
		sandbox.finish(taskId, { status: 'FAILED', errorMessage: 'Blocked' });
		await sandbox.callbacks.settled();
		expect(JSON.parse(received[0].body.toString()).data).toMatchObject({
			status: 'FAILED',
			error_message: 'Blocked',
		});
	});

	it('is delivered once more on request', async () => {
		const taskId = await run();
		await axios.post(`${sandbox.controlUrl}/tasks/${taskId}/callback`, { shape: 'data' });
		expect(received).toHaveLength(2);
	});

	it('never leaves this machine', async () => {
		const taskId = await start({}, 'http://192.0.2.1/hook');
		sandbox.finish(taskId);
		await sandbox.callbacks.settled();
		expect(sandbox.callbacks.deliveries).toHaveLength(0);
		expect(sandbox.callbacks.refused).toMatchObject([{ taskId, url: 'http://192.0.2.1/hook' }]);
	});

	it('writes down that nobody was there', async () => {
		const taskId = await start({ attempts: 1 }, 'http://127.0.0.1:1/hook');
		sandbox.finish(taskId);
		await sandbox.callbacks.settled();
		expect(sandbox.callbacks.of(taskId)).toMatchObject([
			{ status: null, error: expect.stringContaining('ECONNREFUSED') },
		]);
	});
});
