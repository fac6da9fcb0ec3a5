// The sandbox's callbacks: every shape, and every mishap on the way.
import axios from 'axios';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';

import {
	startSandbox,
	type CallbackPlan,
	type CallbackShape,
	type Outcome,
	type Sandbox,
} from '../sandbox/server.cjs';
import { portOf } from '../sandbox/unreachable.cjs';
import { startTaskAt } from '../support/tasks.cjs';

interface Received {
	method: string;
	url: string;
	type: string;
	body: string;
	/** What GET /status said at the moment of the callback. */
	shown: unknown;
}

let sandbox: Sandbox;
let received: Received[];
let answers: number[];
let current = '';
let hook: string;

const statusOf = async (taskId: string): Promise<unknown> => {
	const headers = { Authorization: `Bearer ${sandbox.apiKey}` };
	const options = { params: { task_id: taskId }, headers, proxy: false } as const;
	return (await axios.get(`${sandbox.baseUrl}/status`, options)).data.data.status;
};

const receiver = createServer((request, response) => {
	void (async () => {
		const { method = '', url = '', headers } = request;
		const body = (await buffer(request)).toString('latin1');
		const shown = await statusOf(current);
		received.push({ method, url, type: headers['content-type'] ?? '', body, shown });
		response.writeHead(answers.shift() ?? 200).end('noted');
	})();
});

beforeAll(async () => {
	sandbox = await startSandbox();
	await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
	hook = `http://127.0.0.1:${portOf(receiver.address())}/hook?seedance_sig=a%2Bb~c#part`;
});
beforeEach(() => {
	received = [];
	answers = [];
});
afterEach(() => sandbox.reset());
afterAll(async () => {
	await sandbox.close();
	receiver.closeAllConnections();
	receiver.close();
});

/** Makes a video, ends it, and waits until nothing is left to deliver. */
const run = async (plan: Partial<CallbackPlan> = {}, url = hook, outcome?: Outcome) => {
	sandbox.callbacks.planFor('A paper boat', { backoffMs: 5, ...plan });
	current = await startTaskAt(sandbox, { callback_url: url });
	sandbox.finish(current, outcome);
	await sandbox.callbacks.settled();
	return sandbox.callbacks.of(current);
};
const bodies = () => received.map(({ body }) => JSON.parse(body));

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

it.each<[CallbackShape, string, string, RegExp]>([
	['envelope', 'POST', JSON_TYPE, /^\{"code":200,.*"task_id":"ID","status":"SUCCESS","consumed_c/],
	['data', 'POST', JSON_TYPE, /^\{"task_id":"ID","status":"SUCCESS"/],
	[
		'neighbour',
		'POST',
		JSON_TYPE,
		/"data":\{"taskId":"ID","state":"success","resultJson":".*ID\.mp4/,
	],
	['empty', 'POST', FORM_TYPE, /^$/],
	['get', 'GET', '', /^$/],
	['form', 'POST', FORM_TYPE, /^task_id=ID&status=SUCCESS$/],
	['garbage', 'POST', 'application/octet-stream', /^\0\xff\xfe/],
])('is sent as %s, and written down with its answer', async (shape, method, type, body) => {
	const told = { shape, told: 'SUCCESS', attempt: 1, copy: 1 };
	const answered = { status: 200, answer: 'noted', error: null };
	expect(await run({ shape })).toMatchObject([{ ...told, ...answered }]);
	// The URL's own query stays as it was, since it is signed.
	const addition = shape === 'get' ? `&task_id=${current}` : '';
	const url = `/hook?seedance_sig=a%2Bb~c${addition}`;
	expect(received).toMatchObject([{ method, type, url }]);
	expect(received[0].body.replaceAll(current, 'ID')).toMatch(body);
});

it('can name a foreign id', async () => {
	await run({ foreignId: true });
	expect(bodies()[0].data.task_id).toMatch(/^other/);
});

it('is tried again until it is answered with 2xx, and given up after its attempts', async () => {
	answers = [503, 404];
	expect((await run({ attempts: 5 })).map(({ status }) => status)).toEqual([503, 404, 200]);
	answers = [500, 500, 500, 500];
	expect(await run({ attempts: 3 })).toHaveLength(3);
});

it('is delivered several times at the same moment, or again later', async () => {
	expect(await run({ copies: 3 })).toHaveLength(3);
	const [first, second] = await run({ copies: 2, copyGapMs: 60 });
	expect(second.at - first.at).toBeGreaterThanOrEqual(50);
});

it('comes before GET /status shows the end', async () => {
	await run({ earlyMs: 60_000 });
	expect(received[0].shown).toBe('IN_PROGRESS');
	expect(bodies()[0].data.status).toBe('SUCCESS');
	const task = sandbox.tasks.get(current);
	if (task) task.visibleAt = Date.now();
	expect(await statusOf(current)).toBe('SUCCESS');
});

it('never comes', async () => {
	expect(await run({ never: true })).toEqual([]);
});

it('tells of a failure', async () => {
	await run({}, hook, { status: 'FAILED', errorMessage: 'Blocked' });
	expect(bodies()[0].data).toMatchObject({ status: 'FAILED', error_message: 'Blocked' });
});

it('is delivered once more on request', async () => {
	await run();
	const task = sandbox.tasks.get(current);
	if (task) await sandbox.callbacks.deliver(task, { shape: 'data' });
	expect(received).toHaveLength(2);
});

it('never leaves this machine', async () => {
	expect(await run({}, 'http://192.0.2.1/hook')).toEqual([]);
	expect(sandbox.callbacks.refused).toMatchObject([{ url: 'http://192.0.2.1/hook' }]);
});

it('says that nobody was there', async () => {
	expect(await run({ attempts: 1 }, 'http://127.0.0.1:1/hook')).toMatchObject([
		{ status: null, error: expect.stringContaining('ECONNREFUSED') },
	]);
});
