/** The calls to the API: what is sent, how often, and what each answer means. */
import type { IExecuteFunctions, IHttpRequestOptions, IWebhookFunctions } from 'n8n-workflow';

import { CREDENTIAL_TYPE, getCredential, type Credential } from '../../nodes/shared/api/credential';
import {
	createTask,
	getTaskPatiently,
	POST_MAX_TRIES,
	READ_MAX_FAILURES,
} from '../../nodes/shared/api/retry';
import {
	getTask,
	LEAST_POST_MS,
	PARALLEL_READS,
	POST_TIMEOUT_MS,
	READ_TIMEOUT_MS,
	type Sending,
} from '../../nodes/shared/api/client';
import { brakeOf } from '../../nodes/shared/api/brake';
import {
	contactLost,
	maybeCreated,
	notCreated,
	readRefused,
	type Charged,
	type ErrorCode,
} from '../../nodes/shared/task/errors';
import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import type { GenerateBody } from '../../nodes/shared/task/request';
import { VirtualClock } from './virtualClock';

const ID = 'seed15abc123def456pro';
/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const BASE = 'https://seedanceapi.org/v1';
const HTML = '<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>';
const BODY: GenerateBody = {
	prompt: 'a cat',
	aspect_ratio: '9:16',
	resolution: '720p',
	duration: '8',
};
const ACCOUNT: Credential = {
	apiKey: OWNER,
	baseUrl: BASE,
	reach: 'internet',
	decrypted: { apiKey: OWNER, baseUrl: BASE },
};
const CREATED = JSON.stringify({
	code: 200,
	message: 'success',
	data: { task_id: ID, status: 'IN_PROGRESS' },
});
const RUNNING = CREATED;
const RUNNING_REPLY = { statusCode: 200, headers: {}, body: RUNNING };

interface Reply {
	statusCode?: number;
	headers?: Record<string, unknown>;
	body?: unknown;
}

interface Sent {
	type: string;
	options: IHttpRequestOptions;
	more: unknown;
	/** Whether n8n would tie the request to Stop. */
	tiedToStop: boolean;
	/** Milliseconds since the beginning. */
	at: number;
	/** Whether it was cut off before it began, so that nothing leaves. */
	cutBefore: boolean;
}

/** An error that a request ends with instead of an answer. */
class NoAnswer {
	constructor(readonly error: unknown) {}
}

/** A request that has no end of its own, as one whose body drips: gives what the function gives once it is cut off. */
class Endless {
	constructor(readonly whenCut: () => unknown = () => new Promise(() => undefined)) {}
}

/** An answer that takes its time. */
class Slow {
	constructor(
		readonly ms: number,
		readonly reply: unknown,
	) {}
}

/** n8n's side of a call: gives these answers in turn, the last one for ever, and notes what was sent. */
function fakeN8n(clock: VirtualClock, ...replies: unknown[]) {
	const sent: Sent[] = [];
	const startedAt = clock.now();
	const stop = new AbortController();
	const n8n = {
		getExecutionCancelSignal: () => stop.signal,
		helpers: {
			async httpRequestWithAuthentication(
				this: object,
				type: string,
				options: IHttpRequestOptions,
				more: unknown,
			) {
				const tiedToStop = 'getExecutionCancelSignal' in this;
				const cutBefore = options.abortSignal?.aborted === true;
				sent.push({ type, options, more, tiedToStop, at: clock.now() - startedAt, cutBefore });
				const reply = replies[Math.min(sent.length, replies.length) - 1];
				if (reply instanceof NoAnswer) throw reply.error;
				if (reply instanceof Endless) {
					return await new Promise((resolve, reject) => {
						const end = () => Promise.resolve().then(reply.whenCut).then(resolve, reject);
						options.abortSignal?.addEventListener?.('abort', end);
					});
				}
				if (reply instanceof Slow) await clock.elapse(reply.ms);
				return await Promise.resolve(reply instanceof Slow ? reply.reply : reply);
			},
		},
	};
	const press = () => {
		stop.abort();
		clock.stop();
	};
	return { context: n8n as unknown as IExecuteFunctions, sent, press };
}

const answer = (
	statusCode: number,
	body: unknown,
	headers: Record<string, unknown> = {},
): Reply => ({
	statusCode,
	headers,
	body: typeof body === 'string' ? body : JSON.stringify(body),
});

const dropped = (code: string, more: object = {}) =>
	new NoAnswer(Object.assign(new Error(`request failed, ${code}`), { code, ...more }));

const HOUR = 3_600_000;

/** How one video is sent, on a brake of its own, and in which order that is told. */
function sendingOn(clock: VirtualClock, more: Partial<Sending> = {}) {
	const told: string[] = [];
	const sending: Sending = {
		clock,
		brake: brakeOf(clock),
		deadline: clock.now() + HOUR,
		onSend: () => told.push('send'),
		onRefused: () => told.push('refused'),
		...more,
	};
	return { sending, told };
}

async function post(...replies: unknown[]) {
	const clock = new VirtualClock();
	const { context, sent } = fakeN8n(clock, ...replies);
	const { sending, told } = sendingOn(clock);
	const { result, tookMs } = await clock.run(createTask(context, ACCOUNT, BODY, sending));
	expect(clock.asleep).toBe(0);
	return { result, sent, told, tookMs };
}

async function read(...replies: unknown[]) {
	const clock = new VirtualClock();
	const { context, sent } = fakeN8n(clock, ...replies);
	const { result, tookMs } = await clock.run(
		getTask(context, { credential: ACCOUNT, taskId: ID, clock }),
	);
	expect(clock.asleep).toBe(0);
	return { result, sent, tookMs };
}

describe('the numbers', () => {
	it('are those that were promised', () => {
		expect(POST_TIMEOUT_MS).toBe(60_000);
		expect(READ_TIMEOUT_MS).toBe(30_000);
		expect(POST_MAX_TRIES).toBe(5);
		expect(LEAST_POST_MS).toBe(1_000);
		expect(READ_MAX_FAILURES).toBe(5);
		expect(PARALLEL_READS).toBe(10);
		expect(CREDENTIAL_TYPE).toBe('seedanceApi');
	});
});

describe('what is sent', () => {
	it('to start a video is one POST with the body, JSON, and the key by the credential alone', async () => {
		const { sent } = await post(answer(200, CREATED));
		expect(sent.length).toBe(1);
		const [{ type, options, more }] = sent;
		expect(type).toBe('seedanceApi');
		expect(options).toMatchObject({
			method: 'POST',
			url: 'https://seedanceapi.org/v1/generate',
			body: BODY,
			timeout: 60_000,
		});
		expect(options.qs).toBeUndefined();
		expect(JSON.stringify(options)).not.toContain(OWNER);
		expect(more).toMatchObject({
			credentialsDecrypted: { type: 'seedanceApi', data: { apiKey: OWNER, baseUrl: BASE } },
		});
	});

	it('to read a task is one GET with its id', async () => {
		const { sent } = await read(answer(200, RUNNING));
		expect(sent.length).toBe(1);
		expect(sent[0].options).toMatchObject({
			method: 'GET',
			url: 'https://seedanceapi.org/v1/status',
			qs: { task_id: ID },
			timeout: 30_000,
		});
		expect(sent[0].options.body).toBeUndefined();
		expect(JSON.stringify(sent[0].options)).not.toContain(OWNER);
	});

	it('never follows a redirect, and hands every answer to our own code', async () => {
		for (const { sent } of [await post(answer(200, CREATED)), await read(answer(200, RUNNING))]) {
			expect(sent[0].options).toMatchObject({
				disableFollowRedirect: true,
				returnFullResponse: true,
				ignoreHttpStatusErrors: true,
			});
		}
	});

	it('says honestly who it is, in both calls', async () => {
		for (const { sent } of [await post(answer(200, CREATED)), await read(answer(200, RUNNING))]) {
			expect(sent[0].options.headers).toEqual({
				Accept: 'application/json',
				'User-Agent': USER_AGENT,
			});
		}
		expect(USER_AGENT).toMatch(/^n8n-nodes-seedance\/\d/);
	});
});

describe('Stop', () => {
	it('does not cut off a POST: its answer holds the ID of a paid task', async () => {
		const clock = new VirtualClock();
		const { context, sent, press } = fakeN8n(clock, new Slow(20_000, answer(200, CREATED)));
		const { sending } = sendingOn(clock);
		const work = createTask(context, ACCOUNT, BODY, sending);
		const { result } = await clock.run(
			Promise.all([work, clock.elapse(3_000).then(() => press())]),
		);
		expect(result[0]).toMatchObject({ outcome: 'created', taskId: ID });
		expect(sent[0].options.abortSignal?.aborted).toBe(false);
		// n8n would tie it to Stop itself, if it could tell the signal.
		expect(sent[0].tiedToStop).toBe(false);
	});

	it('cuts off a read at once', async () => {
		const clock = new VirtualClock();
		const { context, sent, press } = fakeN8n(clock, new Endless());
		const work = getTask(context, { credential: ACCOUNT, taskId: ID, clock });
		const { result, tookMs } = await clock.run(
			Promise.all([work, clock.elapse(3_000).then(() => press())]),
		);
		expect(result[0]).toMatchObject({ outcome: 'unavailable', failure: { cause: 'no_answer' } });
		expect(sent[0].options.abortSignal?.aborted).toBe(true);
		expect(tookMs).toBe(3_000);
	});

	it('that came before lets no read out', async () => {
		const clock = new VirtualClock();
		const { context, sent, press } = fakeN8n(clock, new Endless());
		press();
		const { tookMs } = await clock.run(
			getTask(context, { credential: ACCOUNT, taskId: ID, clock }),
		);
		expect(sent[0].cutBefore).toBe(true);
		expect(tookMs).toBe(0);
	});

	it('ends the pause before a POST that was refused: nothing more is sent, nothing was charged', async () => {
		for (const reply of [answer(429, { code: 429 }), dropped('ECONNREFUSED')]) {
			const clock = new VirtualClock();
			const { context, sent, press } = fakeN8n(clock, reply);
			const { sending, told } = sendingOn(clock);
			const work = createTask(context, ACCOUNT, BODY, sending);
			const { result, tookMs } = await clock.run(
				Promise.all([work, clock.elapse(500).then(() => press())]),
			);
			expect(result[0].outcome).toBe('refused');
			expect(sent.length).toBe(1);
			expect(told).toEqual(['send', 'refused']);
			expect(tookMs).toBe(500);
		}
	});

	it('is heard through the clock, without a listener for each of many calls', async () => {
		const clock = new VirtualClock();
		const { context } = fakeN8n(clock, answer(200, RUNNING));
		const signal = context.getExecutionCancelSignal();
		if (!signal) throw new Error('no signal');
		const listen = jest.spyOn(signal, 'addEventListener');
		await clock.run(getTask(context, { credential: ACCOUNT, taskId: ID, clock }));
		expect(listen).not.toHaveBeenCalled();
	});
});

describe('a call that has no end of its own', () => {
	/** What the HTTP client of n8n throws when it is cut off, with its socket. */
	const cutWith = (socket: object) => () => {
		const request = { _currentRequest: { socket } };
		throw Object.assign(new Error('canceled'), { code: 'ERR_CANCELED', request });
	};

	it('ends when its time is up, cut off, though the API drips', async () => {
		const { result, sent, tookMs } = await read(new Endless());
		expect(result).toMatchObject({ outcome: 'unavailable', failure: { cause: 'no_answer' } });
		expect(sent[0].options.abortSignal?.aborted).toBe(true);
		expect(tookMs).toBeGreaterThanOrEqual(READ_TIMEOUT_MS);
		expect(tookMs).toBeLessThanOrEqual(READ_TIMEOUT_MS + 1_000);
	});

	it('ends at once after the cut where it lets itself be cut off', async () => {
		const { tookMs } = await read(new Endless(cutWith({ _bytesDispatched: 300 })));
		expect(tookMs).toBe(READ_TIMEOUT_MS);
	});

	it('ends in the time it is given where that is less', async () => {
		const clock = new VirtualClock();
		const { context, sent } = fakeN8n(clock, new Endless());
		const { tookMs } = await clock.run(
			getTask(context, { credential: ACCOUNT, taskId: ID, clock, ms: 3_000 }),
		);
		expect(tookMs).toBeLessThanOrEqual(4_000);
		expect(sent[0].options.timeout).toBe(3_000);
	});

	it('never gets more than its own limit, whatever it is given', async () => {
		const clock = new VirtualClock();
		const { context, sent } = fakeN8n(clock, new Endless());
		const { tookMs } = await clock.run(
			getTask(context, { credential: ACCOUNT, taskId: ID, clock, ms: HOUR }),
		);
		expect(tookMs).toBeLessThanOrEqual(READ_TIMEOUT_MS + 1_000);
		expect(sent[0].options.timeout).toBe(READ_TIMEOUT_MS);
	});

	it('is a POST that may have been charged, sent once', async () => {
		const { result, sent, told, tookMs } = await post(new Endless());
		expect(result).toMatchObject({ outcome: 'unclear', failure: { cause: 'no_answer' } });
		expect(sent.length).toBe(1);
		expect(told).toEqual(['send']);
		expect(tookMs).toBeLessThanOrEqual(POST_TIMEOUT_MS + 1_000);
	});

	it('is a POST that ends with the time of the whole run', async () => {
		const clock = new VirtualClock();
		const { context, sent } = fakeN8n(clock, new Endless());
		const { sending } = sendingOn(clock, { deadline: clock.now() + 7_000 });
		const { result, tookMs } = await clock.run(createTask(context, ACCOUNT, BODY, sending));
		expect(result.outcome).toBe('unclear');
		expect(sent[0].options.timeout).toBe(7_000);
		expect(tookMs).toBeLessThanOrEqual(8_000);
	});

	it.each([
		['still connecting', { connecting: true }],
		['in its TLS handshake', { connecting: false, secureConnecting: true, _bytesDispatched: 517 }],
		['without a byte sent', { connecting: false, _bytesDispatched: 0 }],
	])('still tells that it never left: %s', async (_name, socket) => {
		const { result, told } = await post(new Endless(cutWith(socket)));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'unreachable' } });
		expect(told).toEqual(['send', 'refused']);
	});

	it('still tells that it had left', async () => {
		const socket = { connecting: false, secureConnecting: false, _bytesDispatched: 300 };
		const { result, told } = await post(new Endless(cutWith(socket)));
		expect(result).toMatchObject({ outcome: 'unclear', failure: { cause: 'no_answer' } });
		expect(told).toEqual(['send']);
	});

	it('still gives an answer that came in the last moment', async () => {
		const { result } = await post(new Endless(() => answer(200, CREATED)));
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
	});
});

describe('an address that makes no URL', () => {
	it.each([
		'https://seedanceapi.org:99999/v1',
		'https://[::1/v1',
		'http://a b/v1',
		'https://%zz/v1',
	])('costs nothing, and nothing is sent: %s', async (baseUrl) => {
		const clock = new VirtualClock();
		const { context, sent } = fakeN8n(clock, answer(200, CREATED));
		const { sending, told } = sendingOn(clock);
		const credential = { ...ACCOUNT, baseUrl };
		const { result } = await clock.run(createTask(context, credential, BODY, sending));
		expect(result).toMatchObject({
			outcome: 'refused',
			failure: { cause: 'unreachable', text: 'ERR_INVALID_URL' },
		});
		expect(sent).toEqual([]);
		expect(told).toEqual(['send', 'refused']);
	});
});

describe('a started video', () => {
	it.each([
		['the documented answer', answer(200, CREATED)],
		['HTTP 201', answer(201, CREATED)],
		['a numeric code as text', answer(200, { code: '200', data: { task_id: ID } })],
		['no code at all', answer(200, { data: { task_id: ID } })],
		['an answer n8n parsed already', { statusCode: 200, headers: {}, body: JSON.parse(CREATED) }],
		['an answer as bytes', { statusCode: 200, headers: {}, body: Buffer.from(CREATED) }],
	])('is known by its id: %s', async (_name, reply) => {
		const { result, sent } = await post(reply);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
		expect(sent.length).toBe(1);
	});

	it("keeps the API's own answer for Raw, without the callback URL and the key", async () => {
		const data = { task_id: ID, status: 'IN_PROGRESS', callback_url: 'x', note: `by ${OWNER}` };
		const { result } = await post(answer(200, { code: 200, data }));
		expect(result).toMatchObject({ outcome: 'created' });
		expect('raw' in result && result.raw).toEqual({
			task_id: ID,
			status: 'IN_PROGRESS',
			note: 'by ***',
		});
	});

	it('is known by an id beside an empty `data` too', async () => {
		const { result } = await post(answer(200, { code: 200, task_id: ID, data: null }));
		expect(result).toEqual({ outcome: 'created', taskId: ID, raw: { task_id: ID } });
	});

	it('is told before and after to who keeps the books: sent, and never refused', async () => {
		expect((await post(answer(200, CREATED))).told).toEqual(['send']);
	});

	it('that has failed at once is told as failed', async () => {
		const data = { task_id: ID, status: 'FAILED', error_message: 'NSFW', consumed_credits: 0 };
		const { result } = await post(answer(200, { code: 200, data }));
		expect(result).toMatchObject({
			outcome: 'created',
			task: { state: 'failed', errorMessage: 'NSFW', consumedCredits: 0 },
		});
	});

	it('keeps an ID that JavaScript would round', async () => {
		const body = '{"code":200,"data":{"task_id":12345678901234567891,"status":"IN_PROGRESS"}}';
		const { result } = await post(answer(200, body));
		expect(result).toMatchObject({
			taskId: '12345678901234567891',
			raw: { task_id: '12345678901234567891' },
		});
	});

	it.each([
		['taskId', { taskId: ID }],
		['id', { id: ID }],
	])('carries its ID in Raw also where the API calls it "%s"', async (_name, data) => {
		const { result } = await post(answer(200, { code: 200, data }));
		expect(result).toMatchObject({ outcome: 'created', taskId: ID, raw: { task_id: ID } });
	});
});

/** Every shape in which one error can come: [shape, HTTP status, body]. */
function shapesOf(code: string, status: number): Array<[string, number, unknown]> {
	const message = 'the reason';
	return [
		['a string code with its HTTP status', status, { code, message }],
		['a string code under HTTP 200', 200, { code, message }],
		['a string code in lower case', status, { code: code.toLowerCase(), message }],
		['`error` as a string code', status, { error: code, message }],
		['`error.code`', status, { error: { code, message } }],
		['`error.code` beside a numeric code', 200, { code: 999, error: { code, message } }],
		['`data.code`', status, { code: status, data: { code }, msg: message }],
		[
			'a string code in `data` with its text there',
			status,
			{ data: { code, error_message: message } },
		],
	];
}

/** Shapes without a string code. */
function numericShapesOf(status: number): Array<[string, number, unknown]> {
	const message = 'the reason';
	return [
		['a numeric code', status, { code: status, message }],
		['a numeric code as text', status, { code: String(status), msg: message }],
		['a numeric code under HTTP 200', 200, { code: status, message }],
		['a numeric `error.code` under HTTP 200', 200, { error: { code: status, message } }],
		['the HTTP status alone', status, { message }],
	];
}

type Meaning = {
	code: string;
	status: number;
	post: 'refused' | 'unclear';
	postCode: ErrorCode;
	charged: Charged;
	read: 'refused' | 'unavailable';
	readCode: ErrorCode;
};

const input = { post: 'refused', postCode: 'invalid_input', charged: 'no' } as const;
const NINE: Meaning[] = [
	...[
		'INVALID_PROMPT',
		'INVALID_ASPECT_RATIO',
		'INVALID_RESOLUTION',
		'INVALID_DURATION',
		'TOO_MANY_IMAGES',
	].map(
		(code): Meaning => ({ code, status: 400, ...input, read: 'refused', readCode: 'contact_lost' }),
	),
	{
		code: 'INVALID_API_KEY',
		status: 401,
		post: 'refused',
		postCode: 'invalid_api_key',
		charged: 'no',
		read: 'refused',
		readCode: 'invalid_api_key',
	},
	{
		code: 'INSUFFICIENT_CREDITS',
		status: 402,
		post: 'refused',
		postCode: 'out_of_credits',
		charged: 'no',
		read: 'refused',
		readCode: 'out_of_credits',
	},
	{
		code: 'TASK_NOT_FOUND',
		status: 404,
		post: 'refused',
		postCode: 'not_created',
		charged: 'no',
		read: 'refused',
		readCode: 'task_not_found',
	},
	{
		code: 'INTERNAL_ERROR',
		status: 500,
		post: 'unclear',
		postCode: 'maybe_created',
		charged: 'unknown',
		read: 'unavailable',
		readCode: 'contact_lost',
	},
];

const EVERY_SHAPE = NINE.flatMap((meaning) =>
	[...shapesOf(meaning.code, meaning.status), ...numericShapesOf(meaning.status)].map(
		([shape, status, body]) => [meaning.code, shape, status, body, meaning] as const,
	),
);

describe('the nine error codes of the contract, in every shape', () => {
	it('are nine', () => {
		expect(NINE.length).toBe(9);
	});

	it.each(EVERY_SHAPE)('%s on a POST, as %s', async (_code, _shape, status, body, meaning) => {
		const { result, sent } = await post(answer(status, body));
		expect(sent.length).toBe(1);
		expect(result.outcome).toBe(meaning.post);
		if (result.outcome === 'created') return;
		const sentences =
			result.outcome === 'refused' ? notCreated(result.failure) : maybeCreated(result.failure);
		expect(sentences).toMatchObject({ code: meaning.postCode, charged: meaning.charged });
		expect(`${sentences.message} ${sentences.description}`).toContain('the reason');
	});

	it.each(EVERY_SHAPE)('%s on a read, as %s', async (_code, _shape, status, body, meaning) => {
		const { result } = await read(answer(status, body));
		expect(result.outcome).toBe(meaning.read);
		if (result.outcome === 'task') return;
		const sentences =
			result.outcome === 'refused'
				? readRefused(ID, result.failure)
				: contactLost(ID, result.failure);
		expect(sentences).toMatchObject({ code: meaning.readCode, charged: 'unknown', taskId: ID });
		expect(sentences.description).toContain(ID);
	});

	it('go by the string code before the numeric one, and by that before the HTTP status', async () => {
		const both = await post(answer(500, { code: 402, error: 'INVALID_API_KEY' }));
		expect(both.result).toMatchObject({
			outcome: 'refused',
			failure: { cause: 'invalid_api_key' },
		});
		const number = await post(answer(500, { code: 402 }));
		expect(number.result).toMatchObject({
			outcome: 'refused',
			failure: { cause: 'out_of_credits' },
		});
		const unknown = await post(answer(402, { code: 'SOMETHING_NEW' }));
		expect(unknown.result).toMatchObject({ failure: { cause: 'out_of_credits' } });
	});
});

describe('a web page instead of an answer', () => {
	it.each([
		[400, 'refused', 'unavailable'],
		[401, 'refused', 'refused'],
		[402, 'refused', 'refused'],
		[403, 'refused', 'unavailable'],
		[404, 'refused', 'unavailable'],
		[405, 'refused', 'unavailable'],
		[200, 'unclear', 'unavailable'],
		[408, 'unclear', 'unavailable'],
		[500, 'unclear', 'unavailable'],
		[502, 'unclear', 'unavailable'],
		[503, 'unclear', 'unavailable'],
		[504, 'unclear', 'unavailable'],
		[520, 'unclear', 'unavailable'],
		[521, 'unclear', 'unavailable'],
		[522, 'unclear', 'unavailable'],
		[523, 'unclear', 'unavailable'],
		[524, 'unclear', 'unavailable'],
	])(
		'under HTTP %i is %s on a POST and %s on a read, and is never shown',
		async (status, posted, got) => {
			const { result, sent } = await post(answer(status, HTML));
			expect(result).toMatchObject({ outcome: posted, failure: { httpStatus: status, text: '' } });
			expect(sent.length).toBe(1);
			const { result: reading } = await read(answer(status, HTML));
			expect(reading).toMatchObject({ outcome: got, failure: { text: '' } });
		},
	);

	it('under HTTP 404 does not say that the task is unknown: the address may be wrong', async () => {
		const { result } = await read(answer(404, HTML));
		expect(result).toMatchObject({ failure: { cause: 'refused' } });
	});
});

describe('an answer that cannot be used', () => {
	it.each([
		['nothing', answer(200, '')],
		['half a JSON', answer(200, '{"code":200,"data":{"task')],
		['a success without a task id', answer(200, { code: 200, data: {} })],
		['a list', answer(200, [])],
		['null', answer(200, 'null')],
		['no answer object', 'text'],
		['an answer without a status', { body: CREATED }],
		['an unknown code', answer(200, { code: 1234 })],
	])('leaves a POST unclear, sent once: %s', async (_name, reply) => {
		const { result, sent } = await post(reply);
		expect(result.outcome).toBe('unclear');
		expect(sent.length).toBe(1);
	});

	it.each([
		['half a JSON', answer(200, '{"code":200,"data":{"sta')],
		['no status', answer(200, { code: 200, data: { task_id: ID } })],
		['another task', answer(200, { code: 200, data: { task_id: 'foreign', status: 'SUCCESS' } })],
		['another taskId', answer(200, { code: 200, data: { taskId: 'foreign', status: 'SUCCESS' } })],
		['no answer object', 'text'],
	])('is passing trouble for a read: %s', async (_name, reply) => {
		const { result } = await read(reply);
		expect(result).toMatchObject({ outcome: 'unavailable', failure: { cause: 'unreadable' } });
	});

	it.each([400, 402, 429, 500])(
		'that holds a task id is never called free or sent again: HTTP %i',
		async (status) => {
			const body = { code: status, message: 'hm', data: { task_id: ID } };
			const { result, sent } = await post(answer(status, body));
			expect(result).toMatchObject({ outcome: 'unclear', failure: { taskId: ID } });
			expect(sent.length).toBe(1);
		},
	);
});

describe('a code that is no success under HTTP 200', () => {
	const data = { task_id: ID, status: 'SUCCESS', response: ['https://cdn.example.com/v.mp4'] };

	it.each([500, 1234, 'FAILURE', false])('is not taken for a started video: %p', async (code) => {
		const { result } = await post(answer(200, { code, data }));
		expect(result).toMatchObject({ outcome: 'unclear', failure: { taskId: ID } });
	});

	it.each([500, 1234, 'FAILURE', false])(
		'is not taken for a state of the task: %p',
		async (code) => {
			const { result } = await read(answer(200, { code, data }));
			expect(result.outcome).toBe('unavailable');
		},
	);
});

describe('a success code under an HTTP error', () => {
	it('is not taken for a success', async () => {
		const data = { task_id: ID, status: 'SUCCESS' };
		expect((await post(answer(500, { code: 200, data }))).result.outcome).toBe('unclear');
		expect((await read(answer(500, { code: 200, data }))).result.outcome).toBe('unavailable');
	});
});

describe('a POST without an answer', () => {
	it.each([
		['ECONNRESET', {}],
		['ETIMEDOUT', {}],
		['ECONNABORTED', {}],
		['EPIPE', {}],
		['ERR_BAD_RESPONSE', {}],
		['ECONNRESET', { syscall: 'read' }],
	])('may have been charged, and is sent exactly once: %s %j', async (code, more) => {
		const { result, sent } = await post(dropped(code, more), answer(200, CREATED));
		expect(result).toMatchObject({ outcome: 'unclear', failure: { cause: 'no_answer' } });
		expect(sent.length).toBe(1);
	});

	it.each([undefined, null, 'text', new Error('socket hang up')])(
		'and without a cause that is known counts as one that was sent: %p',
		async (error) => {
			const { result, sent } = await post(new NoAnswer(error), answer(200, CREATED));
			expect(result.outcome).toBe('unclear');
			expect(sent.length).toBe(1);
		},
	);

	it.each(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])(
		'that was never sent is tried again: %s',
		async (code) => {
			const { result, sent } = await post(dropped(code), answer(200, CREATED));
			expect(result).toMatchObject({ outcome: 'created', taskId: ID });
			expect(sent.length).toBe(2);
			expect(sent[1].options.body).toEqual(BODY);
		},
	);

	it.each(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])(
		'that is never sent ends after five tries and cost nothing: %s',
		async (code) => {
			const { result, sent, told } = await post(dropped(code));
			expect(result).toMatchObject({
				outcome: 'refused',
				failure: { cause: 'unreachable', text: code },
			});
			expect(sent.map(({ at }) => at)).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
			expect(told).toEqual(Array(5).fill(['send', 'refused']).flat());
		},
	);

	it('is understood through the wrappers of n8n', async () => {
		const inner = Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' });
		const wrapped = Object.assign(new Error('n8n says'), {
			cause: { message: 'axios', cause: inner },
		});
		const { result, sent } = await post(new NoAnswer(wrapped), answer(200, CREATED));
		expect(result.outcome).toBe('created');
		expect(sent.length).toBe(2);
	});

	it('is understood where both address families were tried', async () => {
		const errors = [Object.assign(new Error('v6'), { code: 'ECONNREFUSED', syscall: 'connect' })];
		const wrapped = Object.assign(new Error('all failed'), { errors });
		const { result } = await post(new NoAnswer(wrapped), answer(200, CREATED));
		expect(result.outcome).toBe('created');
	});

	it("that n8n's own guard of private networks refused was never sent", async () => {
		const blocked = Object.assign(new Error('blocked'), { name: 'SsrfBlockedIpError' });
		const { result, sent } = await post(new NoAnswer({ cause: blocked }));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'unreachable' } });
		expect(sent.length).toBe(1);
	});

	it('is not read for ever where errors cause each other', async () => {
		const a: { cause?: object } = {};
		const b = { cause: a };
		a.cause = b;
		const { result } = await post(new NoAnswer(a));
		expect(result.outcome).toBe('unclear');
	});

	it.each([
		['ETIMEDOUT', { syscall: 'connect' }],
		['ERR_INVALID_URL', {}],
		['DEPTH_ZERO_SELF_SIGNED_CERT', {}],
		['CERT_HAS_EXPIRED', {}],
		['UNABLE_TO_VERIFY_LEAF_SIGNATURE', {}],
		['ERR_TLS_CERT_ALTNAME_INVALID', {}],
	])('cost nothing where no connection was made, and is not hammered: %s', async (code, more) => {
		const { result, sent } = await post(dropped(code, more));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'unreachable' } });
		expect(sent.length).toBe(1);
	});

	it('ends when a retry meets an unclear outcome: refused first, reset then', async () => {
		const { result, sent, told } = await post(dropped('ECONNREFUSED'), dropped('ECONNRESET'));
		expect(result.outcome).toBe('unclear');
		expect(sent.length).toBe(2);
		// What the books end with is "sent", never "refused".
		expect(told).toEqual(['send', 'refused', 'send']);
	});

	it('is waited for five times in all, not for each video: the next ones are tried once', async () => {
		const clock = new VirtualClock();
		const { context, sent } = fakeN8n(clock, dropped('ECONNREFUSED'));
		const { sending } = sendingOn(clock);
		const three = async () => {
			for (let video = 0; video < 3; video++) await createTask(context, ACCOUNT, BODY, sending);
		};
		await clock.run(three());
		expect(sent.length).toBe(5 + 1 + 1);
	});

	it('is waited for again once the API has answered', async () => {
		const clock = new VirtualClock();
		const down = dropped('ECONNREFUSED');
		const { context, sent } = fakeN8n(
			clock,
			...Array<unknown>(5).fill(down),
			answer(200, CREATED),
			down,
			answer(200, CREATED),
		);
		const { sending } = sendingOn(clock);
		const three = async () => {
			const outcomes: string[] = [];
			for (let video = 0; video < 3; video++) {
				outcomes.push((await createTask(context, ACCOUNT, BODY, sending)).outcome);
			}
			return outcomes;
		};
		expect((await clock.run(three())).result).toEqual(['refused', 'created', 'created']);
		expect(sent.length).toBe(8);
	});
});

describe('the time for sending', () => {
	it('that is over lets nothing out', async () => {
		for (const left of [999, 0, -1, -60_000]) {
			const clock = new VirtualClock();
			const { context, sent } = fakeN8n(clock, answer(200, CREATED));
			const { sending, told } = sendingOn(clock, { deadline: clock.now() + left });
			const { result } = await clock.run(createTask(context, ACCOUNT, BODY, sending));
			expect(result).toEqual({ outcome: 'refused', failure: { cause: 'out_of_time', text: '' } });
			expect(sent).toEqual([]);
			expect(told).toEqual([]);
		}
	});

	it('ends the tries of a POST that is refused again and again', async () => {
		for (const reply of [answer(429, { code: 429 }), dropped('ECONNREFUSED')]) {
			const clock = new VirtualClock();
			const { context, sent } = fakeN8n(clock, reply);
			const { sending } = sendingOn(clock, { deadline: clock.now() + 5_000 });
			const { result, tookMs } = await clock.run(createTask(context, ACCOUNT, BODY, sending));
			expect(result.outcome).toBe('refused');
			expect(tookMs).toBe(5_000);
			expect(sent.at(-1)?.at).toBeLessThan(5_000);
		}
	});

	it('lets nothing out whose answer could not be read any more', async () => {
		const clock = new VirtualClock();
		const { context, sent } = fakeN8n(clock, dropped('ECONNREFUSED'));
		// The fourth try would come 200 ms before the end.
		const { sending } = sendingOn(clock, { deadline: clock.now() + 7_200 });
		const { result } = await clock.run(createTask(context, ACCOUNT, BODY, sending));
		expect(result.outcome).toBe('refused');
		expect(sent.map(({ at }) => at)).toEqual([0, 1_000, 3_000]);
	});

	it('tells the last refusal where there was one, since that is the cause', async () => {
		const clock = new VirtualClock();
		const { context } = fakeN8n(clock, answer(429, { code: 429 }, { 'retry-after': '30' }));
		const { sending } = sendingOn(clock, { deadline: clock.now() + 5_000 });
		const { result } = await clock.run(createTask(context, ACCOUNT, BODY, sending));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'rate_limited' } });
	});
});

describe('too many requests', () => {
	it.each([
		['as status', answer(429, { code: 429 })],
		['as a web page', answer(429, HTML)],
		['as a code under HTTP 200', answer(200, { code: 429 })],
	])('are tried again: %s', async (_name, reply) => {
		const { result, sent } = await post(reply, answer(200, CREATED));
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
		expect(sent.length).toBe(2);
	});

	it('end after five tries and cost nothing', async () => {
		const { result, sent, told } = await post(answer(429, { code: 429 }));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'rate_limited' } });
		expect(sent.map(({ at }) => at)).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
		expect(told).toEqual(Array(5).fill(['send', 'refused']).flat());
	});

	it('are five in a row for the whole account, not for each video', async () => {
		const clock = new VirtualClock();
		const { context, sent } = fakeN8n(clock, answer(429, { code: 429 }));
		const { sending } = sendingOn(clock);
		const ten = async () => {
			for (let video = 0; video < 10; video++) await createTask(context, ACCOUNT, BODY, sending);
		};
		await clock.run(ten());
		expect(sent.length).toBe(5 + 9);
	});

	it('are counted anew after an answer that is none', async () => {
		const limited = answer(429, { code: 429 });
		const clock = new VirtualClock();
		const four = Array<unknown>(4).fill(limited);
		const { context, sent } = fakeN8n(clock, ...four, answer(200, CREATED), ...four, RUNNING_REPLY);
		const { sending } = sendingOn(clock);
		const two = async () => [
			await createTask(context, ACCOUNT, BODY, sending),
			await createTask(context, ACCOUNT, BODY, sending),
		];
		const { result } = await clock.run(two());
		expect(result.map(({ outcome }) => outcome)).toEqual(['created', 'created']);
		expect(sent.length).toBe(10);
	});

	it.each([
		['7', 7_000],
		['60', 60_000],
		[new Date(1_000_000 + 30_000).toUTCString(), 30_000],
	])('wait as long as Retry-After asks: %s', async (header, ms) => {
		const { sent } = await post(
			answer(429, { code: 429 }, { 'retry-after': header }),
			answer(200, CREATED),
		);
		expect(sent.map(({ at }) => at)).toEqual([0, ms]);
	});

	it.each(['0', new Date(0).toUTCString()])(
		'are tried again soon, not at once, where Retry-After asks for nothing: %s',
		async (header) => {
			const { sent } = await post(
				answer(429, { code: 429 }, { 'retry-after': header }),
				answer(200, CREATED),
			);
			expect(sent[1].at).toBeGreaterThan(0);
			expect(sent[1].at).toBeLessThanOrEqual(1_000);
		},
	);

	it.each(['61', '3600'])('do not wait longer than a minute: %s', async (header) => {
		const { result, sent, tookMs } = await post(
			answer(429, { code: 429 }, { 'retry-after': header }),
			answer(200, CREATED),
		);
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'rate_limited' } });
		expect(sent.length).toBe(1);
		expect(tookMs).toBe(0);
	});

	it.each([undefined, '', 'soon'])('wait by themselves where the header is %p', async (header) => {
		const { sent } = await post(
			answer(429, { code: 429 }, { 'retry-after': header }),
			answer(200, CREATED),
		);
		expect(sent.map(({ at }) => at)).toEqual([0, 1_000]);
	});

	it('are passing trouble for a read, with the time the API asks for', async () => {
		const { result } = await read(answer(429, { code: 429 }, { 'retry-after': '9' }));
		expect(result).toMatchObject({ outcome: 'unavailable', failure: { retryAfterMs: 9_000 } });
	});
});

describe('a redirect', () => {
	it.each([301, 302, 303, 307, 308])(
		'ends a call and names where it points, without path or query: HTTP %i',
		async (status) => {
			const headers = { location: 'https://www.example.com/v1/generate?key=1' };
			const { result, sent } = await post(answer(status, '', headers));
			expect(result).toMatchObject({
				outcome: 'refused',
				failure: { cause: 'redirected', location: 'https://www.example.com' },
			});
			expect(sent.length).toBe(1);
			const { result: reading } = await read(answer(status, '', headers));
			expect(reading).toMatchObject({ outcome: 'refused', failure: { cause: 'redirected' } });
		},
	);

	it('that names no address is not said to lead back to where it came from', async () => {
		for (const headers of [{}, { location: '' }, { location: 'mailto:a@example.com' }]) {
			const { result } = await read(answer(302, '', headers));
			expect(result).toMatchObject({ failure: { cause: 'redirected', location: undefined } });
		}
	});

	it('within the same host or to nowhere is still a redirect', async () => {
		const inside = await read(answer(302, '', { location: '/login' }));
		expect(inside.result).toMatchObject({ failure: { location: 'https://seedanceapi.org' } });
		const nowhere = await read(answer(302, '', { location: 'https://' }));
		expect(nowhere.result).toMatchObject({ outcome: 'refused', failure: { location: undefined } });
	});
});

describe('a read', () => {
	it('gives the task', async () => {
		const { result } = await read(
			answer(200, {
				code: 200,
				data: { task_id: ID, status: 'success', response: ['https://cdn.example.com/v.mp4'] },
			}),
		);
		expect(result).toMatchObject({
			outcome: 'task',
			task: { taskId: ID, state: 'succeeded', videoUrl: 'https://cdn.example.com/v.mp4' },
		});
	});

	it.each([
		['in its data', { code: 200, message: 'success', data: { error_message: 'why' } }],
		['wrapped', { code: 200, data: { error_message: { message: 'why' } } }],
		['under another name', { code: 200, data: { fail_reason: 'why' } }],
		['beside its data', { code: 200, message: 'why', data: {} }],
		['in an error beside its data', { code: 200, error: { message: 'why' }, data: {} }],
	])('of a failed task tells the reason, wherever it stands: %s', async (_name, body) => {
		const data = { ...body.data, task_id: ID, status: 'FAILED' };
		const { result } = await read(answer(200, { ...body, data }));
		expect(result).toMatchObject({ task: { state: 'failed', errorMessage: 'why' } });
	});

	it('of a failed task without a reason makes none up', async () => {
		const data = { task_id: ID, status: 'FAILED' };
		const { result } = await read(answer(200, { code: 200, message: 'success', data }));
		expect(result).toMatchObject({ task: { state: 'failed', errorMessage: null } });
	});

	it('of a failed task is an answer, not an error', async () => {
		const data = { task_id: ID, status: 'FAILED', error_message: 'INVALID_PROMPT' };
		const { result } = await read(answer(200, { code: 200, message: 'success', data }));
		expect(result).toMatchObject({ outcome: 'task', task: { state: 'failed' } });
	});

	it.each(['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'ECONNABORTED'])(
		'is passing trouble on a bad network: %s',
		async (code) => {
			const { result, sent } = await read(dropped(code));
			expect(result.outcome).toBe('unavailable');
			expect(sent.length).toBe(1);
		},
	);

	it.each([401, 402, 403, 404])('ends at once on HTTP %i', async (status) => {
		const { result } = await read(answer(status, { code: status }));
		expect(result.outcome).toBe('refused');
	});

	it.each([408, 429, 500, 502, 503, 504, 524])('is asked again on HTTP %i', async (status) => {
		const { result } = await read(answer(status, { code: status }));
		expect(result.outcome).toBe('unavailable');
	});

	it('never shows the API key that an answer repeats', async () => {
		const { result } = await read(answer(401, { code: 401, message: `key ${OWNER} is unknown` }));
		expect(JSON.stringify(result)).not.toContain(OWNER);
	});
});

describe('a patient read', () => {
	async function patiently(replies: unknown[], stopped = false) {
		const clock = new VirtualClock();
		const { context, sent, press } = fakeN8n(clock, ...replies);
		if (stopped) press();
		const { result } = await clock.run(
			getTaskPatiently(context, { credential: ACCOUNT, taskId: ID, clock }),
		);
		return { result, sent, times: sent.map(({ at }) => at) };
	}

	it('asks again after passing trouble, and ends with the answer', async () => {
		const { result, times } = await patiently([
			answer(502, HTML),
			dropped('ECONNRESET'),
			answer(200, RUNNING),
		]);
		expect(result.outcome).toBe('task');
		expect(times).toEqual([0, 1_000, 3_000]);
	});

	it('ends after five tries', async () => {
		const { result, times } = await patiently([answer(502, HTML)]);
		expect(result.outcome).toBe('unavailable');
		expect(times).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
	});

	it('does not ask again where asking cannot help', async () => {
		const { result, sent } = await patiently([answer(401, { code: 401 })]);
		expect(result.outcome).toBe('refused');
		expect(sent.length).toBe(1);
	});

	it('waits as long as the API asks, a minute at most', async () => {
		const wait = (seconds: string) => answer(429, { code: 429 }, { 'retry-after': seconds });
		const { times } = await patiently([wait('20'), wait('600'), answer(200, RUNNING)]);
		expect(times).toEqual([0, 20_000, 80_000]);
	});

	it('ends with Stop', async () => {
		const { result, sent } = await patiently([answer(502, HTML)], true);
		expect(result.outcome).toBe('unavailable');
		expect(sent.length).toBe(1);
	});
});

describe('the account of an item', () => {
	function withCredential(data: object, isWebhook = false) {
		const asked: unknown[][] = [];
		const n8n = {
			...(isWebhook ? {} : { getExecutionCancelSignal: () => undefined }),
			getCredentials: async (...args: unknown[]) => {
				asked.push(args);
				return await Promise.resolve(data);
			},
		};
		return { context: n8n as unknown as IExecuteFunctions & IWebhookFunctions, asked };
	}

	it('is resolved for that very item, since a credential may hold expressions', async () => {
		const { context, asked } = withCredential({ apiKey: OWNER, baseUrl: BASE });
		await getCredential(context, 7);
		await getCredential(context);
		expect(asked).toEqual([
			['seedanceApi', 7],
			['seedanceApi', 0],
		]);
	});

	it('is read without an item where there is none, in a webhook', async () => {
		const { context, asked } = withCredential({ apiKey: OWNER, baseUrl: BASE }, true);
		await getCredential(context);
		expect(asked).toEqual([['seedanceApi']]);
	});

	it('is tidied: blanks around the key, slashes at the end of the address', async () => {
		const { context } = withCredential({
			apiKey: ` ${OWNER}\n`,
			baseUrl: ` ${BASE}// `,
			other: 1,
		});
		expect(await getCredential(context)).toEqual({
			apiKey: OWNER,
			baseUrl: BASE,
			reach: 'internet',
			decrypted: { apiKey: OWNER, baseUrl: BASE, other: 1 },
		});
	});

	it('is local where the API is on this machine', async () => {
		const { context } = withCredential({
			apiKey: OWNER,
			baseUrl: 'http://127.0.0.1:4010/v1',
		});
		expect(await getCredential(context)).toMatchObject({ reach: 'loopback' });
	});

	it.each([
		[{ apiKey: '', baseUrl: BASE }, 'no API key'],
		[{ apiKey: '   ', baseUrl: BASE }, 'no API key'],
		[{ baseUrl: BASE }, 'no API key'],
		[{ apiKey: 'sk one two', baseUrl: BASE }, 'space or a character'],
		[{ apiKey: 'sk-ключ', baseUrl: BASE }, 'space or a character'],
		[{ apiKey: 'sk-1\r\nX-Evil: 1', baseUrl: BASE }, 'space or a character'],
		[{ apiKey: OWNER, baseUrl: '' }, 'base URL'],
		[{ apiKey: OWNER }, 'base URL'],
		[{ apiKey: OWNER, baseUrl: 'seedanceapi.org/v1' }, 'base URL'],
		[{ apiKey: OWNER, baseUrl: 'ftp://seedanceapi.org' }, 'base URL'],
	])('says what is wrong with it, without showing the key: %j', async (data, problem) => {
		const { context } = withCredential(data);
		const credential = await getCredential(context);
		expect(credential).toMatchObject({ problem: expect.stringContaining(problem) });
		expect(JSON.stringify(credential)).not.toContain('sk-');
		if (problem === 'base URL') expect(JSON.stringify(credential)).toContain(BASE);
	});
});
