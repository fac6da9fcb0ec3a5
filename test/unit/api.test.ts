/** The calls to the API: what is sent, how often, and what each answer means. */
import type { IExecuteFunctions, IHttpRequestOptions, IWebhookFunctions } from 'n8n-workflow';

import {
	createTask,
	CREDENTIAL_TYPE,
	getAccount,
	getTask,
	getTaskPatiently,
	PARALLEL_READS,
	POST_MAX_TRIES,
	POST_TIMEOUT_MS,
	READ_MAX_FAILURES,
	READ_TIMEOUT_MS,
	RETRY_AFTER_MAX_MS,
	type Account,
} from '../../nodes/shared/api';
import {
	contactLost,
	maybeCreated,
	notCreated,
	readRefused,
	type Charged,
	type ErrorCode,
} from '../../nodes/shared/errors';
import type { GenerateBody } from '../../nodes/shared/videoRequest';
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
const ACCOUNT: Account = {
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
}

/** An error that a request ends with instead of an answer. */
class NoAnswer {
	constructor(readonly error: unknown) {}
}

/** n8n's side of a call: gives these answers in turn, the last one for ever, and notes what was sent. */
function fakeN8n(...replies: unknown[]) {
	const sent: Sent[] = [];
	const n8n = {
		getExecutionCancelSignal: () => undefined,
		helpers: {
			async httpRequestWithAuthentication(
				this: object,
				type: string,
				options: IHttpRequestOptions,
				more: unknown,
			) {
				sent.push({ type, options, more, tiedToStop: 'getExecutionCancelSignal' in this });
				const reply = replies[Math.min(sent.length, replies.length) - 1];
				if (reply instanceof NoAnswer) throw reply.error;
				return await Promise.resolve(reply);
			},
		},
	};
	return { context: n8n as unknown as IExecuteFunctions, sent };
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

async function post(...replies: unknown[]) {
	const { context, sent } = fakeN8n(...replies);
	const clock = new VirtualClock();
	const { result } = await clock.run(createTask(context, ACCOUNT, BODY, clock));
	return { result, sent, sleeps: clock.sleeps };
}

async function read(...replies: unknown[]) {
	const { context, sent } = fakeN8n(...replies);
	const result = await getTask(context, ACCOUNT, ID, new VirtualClock());
	return { result, sent };
}

describe('the numbers', () => {
	it('are those that were promised', () => {
		expect(POST_TIMEOUT_MS).toBe(60_000);
		expect(READ_TIMEOUT_MS).toBe(30_000);
		expect(POST_MAX_TRIES).toBe(5);
		expect(RETRY_AFTER_MAX_MS).toBe(60_000);
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

	it('is not cut off by Stop when it costs money', async () => {
		const { sent } = await post(answer(200, CREATED));
		expect(sent[0].tiedToStop).toBe(false);
	});

	it('ends with Stop when it only reads', async () => {
		const { sent } = await read(answer(200, RUNNING));
		expect(sent[0].tiedToStop).toBe(true);
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
	read: 'final' | 'transient';
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
		(code): Meaning => ({ code, status: 400, ...input, read: 'final', readCode: 'contact_lost' }),
	),
	{
		code: 'INVALID_API_KEY',
		status: 401,
		post: 'refused',
		postCode: 'invalid_api_key',
		charged: 'no',
		read: 'final',
		readCode: 'invalid_api_key',
	},
	{
		code: 'INSUFFICIENT_CREDITS',
		status: 402,
		post: 'refused',
		postCode: 'out_of_credits',
		charged: 'no',
		read: 'final',
		readCode: 'out_of_credits',
	},
	{
		code: 'TASK_NOT_FOUND',
		status: 404,
		post: 'refused',
		postCode: 'not_created',
		charged: 'no',
		read: 'final',
		readCode: 'task_not_found',
	},
	{
		code: 'INTERNAL_ERROR',
		status: 500,
		post: 'unclear',
		postCode: 'maybe_created',
		charged: 'unknown',
		read: 'transient',
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
			result.outcome === 'final'
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
		[400, 'refused', 'final'],
		[401, 'refused', 'final'],
		[402, 'refused', 'final'],
		[403, 'refused', 'final'],
		[404, 'refused', 'final'],
		[405, 'refused', 'final'],
		[200, 'unclear', 'transient'],
		[408, 'unclear', 'transient'],
		[500, 'unclear', 'transient'],
		[502, 'unclear', 'transient'],
		[503, 'unclear', 'transient'],
		[504, 'unclear', 'transient'],
		[520, 'unclear', 'transient'],
		[521, 'unclear', 'transient'],
		[522, 'unclear', 'transient'],
		[523, 'unclear', 'transient'],
		[524, 'unclear', 'transient'],
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
		['no answer object', undefined],
	])('is passing trouble for a read: %s', async (_name, reply) => {
		const { result } = await read(reply);
		expect(result).toMatchObject({ outcome: 'transient', failure: { cause: 'unreadable' } });
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
			expect(result.outcome).toBe('transient');
		},
	);
});

describe('a success code under an HTTP error', () => {
	it('is not taken for a success', async () => {
		const data = { task_id: ID, status: 'SUCCESS' };
		expect((await post(answer(500, { code: 200, data }))).result.outcome).toBe('unclear');
		expect((await read(answer(500, { code: 200, data }))).result.outcome).toBe('transient');
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
			const { result, sent, sleeps } = await post(dropped(code));
			expect(result).toMatchObject({
				outcome: 'refused',
				failure: { cause: 'unreachable', text: code },
			});
			expect(sent.length).toBe(5);
			expect(sleeps).toEqual([1_000, 2_000, 4_000, 8_000]);
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
		const { result, sent } = await post(dropped('ECONNREFUSED'), dropped('ECONNRESET'));
		expect(result.outcome).toBe('unclear');
		expect(sent.length).toBe(2);
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
		const { result, sent } = await post(answer(429, { code: 429 }));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'rate_limited' } });
		expect(sent.length).toBe(5);
	});

	it.each([
		['7', 7_000],
		['60', 60_000],
		['0', 0],
		[new Date(1_000_000 + 30_000).toUTCString(), 30_000],
		[new Date(0).toUTCString(), 0],
	])('wait as long as Retry-After asks: %s', async (header, ms) => {
		const { sleeps } = await post(
			answer(429, { code: 429 }, { 'retry-after': header }),
			answer(200, CREATED),
		);
		expect(sleeps).toEqual([ms]);
	});

	it.each(['61', '3600'])('do not wait longer than a minute: %s', async (header) => {
		const { result, sent, sleeps } = await post(
			answer(429, { code: 429 }, { 'retry-after': header }),
			answer(200, CREATED),
		);
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'rate_limited' } });
		expect(sent.length).toBe(1);
		expect(sleeps).toEqual([]);
	});

	it.each([undefined, '', 'soon'])('wait by themselves where the header is %p', async (header) => {
		const { sleeps } = await post(
			answer(429, { code: 429 }, { 'retry-after': header }),
			answer(200, CREATED),
		);
		expect(sleeps).toEqual([1_000]);
	});

	it('do not outlast Stop: nothing more is sent, nothing was charged', async () => {
		const { context, sent } = fakeN8n(answer(429, { code: 429 }));
		const clock = new VirtualClock();
		clock.stop();
		const { result } = await clock.run(createTask(context, ACCOUNT, BODY, clock));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'rate_limited' } });
		expect(sent.length).toBe(1);
	});

	it('are passing trouble for a read, with the time the API asks for', async () => {
		const { result } = await read(answer(429, { code: 429 }, { 'retry-after': '9' }));
		expect(result).toMatchObject({ outcome: 'transient', failure: { retryAfterMs: 9_000 } });
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
			expect(reading).toMatchObject({ outcome: 'final', failure: { cause: 'redirected' } });
		},
	);

	it('within the same host or to nowhere is still a redirect', async () => {
		const inside = await read(answer(302, '', { location: '/login' }));
		expect(inside.result).toMatchObject({ failure: { location: 'https://seedanceapi.org' } });
		const nowhere = await read(answer(302, '', { location: 'https://' }));
		expect(nowhere.result).toMatchObject({ outcome: 'final', failure: { location: undefined } });
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

	it('of a failed task is an answer, not an error', async () => {
		const data = { task_id: ID, status: 'FAILED', error_message: 'INVALID_PROMPT' };
		const { result } = await read(answer(200, { code: 200, message: 'success', data }));
		expect(result).toMatchObject({ outcome: 'task', task: { state: 'failed' } });
	});

	it.each(['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'ECONNABORTED'])(
		'is passing trouble on a bad network: %s',
		async (code) => {
			const { result, sent } = await read(dropped(code));
			expect(result.outcome).toBe('transient');
			expect(sent.length).toBe(1);
		},
	);

	it.each([401, 402, 403, 404])('ends at once on HTTP %i', async (status) => {
		const { result } = await read(answer(status, { code: status }));
		expect(result.outcome).toBe('final');
	});

	it.each([408, 429, 500, 502, 503, 504, 524])('is asked again on HTTP %i', async (status) => {
		const { result } = await read(answer(status, { code: status }));
		expect(result.outcome).toBe('transient');
	});

	it('never shows the API key that an answer repeats', async () => {
		const { result } = await read(answer(401, { code: 401, message: `key ${OWNER} is unknown` }));
		expect(JSON.stringify(result)).not.toContain(OWNER);
	});
});

describe('a patient read', () => {
	async function patiently(replies: unknown[], stopped = false) {
		const { context, sent } = fakeN8n(...replies);
		const clock = new VirtualClock();
		if (stopped) clock.stop();
		const { result } = await clock.run(getTaskPatiently(context, ACCOUNT, ID, clock));
		return { result, sent, sleeps: clock.sleeps };
	}

	it('asks again after passing trouble, and ends with the answer', async () => {
		const { result, sent, sleeps } = await patiently([
			answer(502, HTML),
			dropped('ECONNRESET'),
			answer(200, RUNNING),
		]);
		expect(result.outcome).toBe('task');
		expect(sent.length).toBe(3);
		expect(sleeps).toEqual([1_000, 2_000]);
	});

	it('ends after five tries', async () => {
		const { result, sent, sleeps } = await patiently([answer(502, HTML)]);
		expect(result.outcome).toBe('transient');
		expect(sent.length).toBe(5);
		expect(sleeps).toEqual([1_000, 2_000, 4_000, 8_000]);
	});

	it('does not ask again where asking cannot help', async () => {
		const { result, sent } = await patiently([answer(401, { code: 401 })]);
		expect(result.outcome).toBe('final');
		expect(sent.length).toBe(1);
	});

	it('waits as long as the API asks, a minute at most', async () => {
		const wait = (seconds: string) => answer(429, { code: 429 }, { 'retry-after': seconds });
		const { sleeps } = await patiently([wait('20'), wait('600'), answer(200, RUNNING)]);
		expect(sleeps).toEqual([20_000, 60_000]);
	});

	it('ends with Stop', async () => {
		const { result, sent } = await patiently([answer(502, HTML)], true);
		expect(result.outcome).toBe('transient');
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
		await getAccount(context, 7);
		await getAccount(context);
		expect(asked).toEqual([
			['seedanceApi', 7],
			['seedanceApi', 0],
		]);
	});

	it('is read without an item where there is none, in a webhook', async () => {
		const { context, asked } = withCredential({ apiKey: OWNER, baseUrl: BASE }, true);
		await getAccount(context);
		expect(asked).toEqual([['seedanceApi']]);
	});

	it('is tidied: blanks around the key, slashes at the end of the address', async () => {
		const { context } = withCredential({
			apiKey: ` ${OWNER}\n`,
			baseUrl: ` ${BASE}// `,
			other: 1,
		});
		expect(await getAccount(context)).toEqual({
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
		expect(await getAccount(context)).toMatchObject({ reach: 'loopback' });
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
		const account = await getAccount(context);
		expect(account).toMatchObject({ problem: expect.stringContaining(problem) });
		expect(JSON.stringify(account)).not.toContain('sk-');
	});
});
