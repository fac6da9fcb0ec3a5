/** The calls to the API: what is sent, how often, and what each response means. */
import type { IExecuteFunctions, IHttpRequestOptions } from 'n8n-workflow';

import { homepage, name, version } from '../../package.json';
import { createThrottle } from '../../nodes/shared/api/throttle';
import * as client from '../../nodes/shared/api/client';
import type { PostResult, ReadResult } from '../../nodes/shared/api/client';
import type { Credential } from '../../nodes/shared/api/credential';
import * as retry from '../../nodes/shared/api/retry';
import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import * as errors from '../../nodes/shared/task/errors';
import type { GenerateBody } from '../../nodes/shared/task/request';
import { stringCodes } from '../fixtures/responses.json';
import calls from '../fixtures/calls.json';
import promised from '../fixtures/promisedNumbers.json';
import { VirtualClock } from './virtualClock.cjs';

const HOUR = 3_600_000;
const ID = 'seed15abc123def456pro';
/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const BASE = 'https://seedanceapi.org/v1';
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

const TASK = { credential: ACCOUNT, taskId: ID };

/** What the API does with a request: a response, or a function that gives one in its own time. */
type Reply = object | string | ((options: IHttpRequestOptions, clock: VirtualClock) => unknown);

const respond = (statusCode: number, body: unknown, headers: object = {}) => ({
	statusCode,
	headers,
	body: typeof body === 'string' ? body : JSON.stringify(body),
});
const CREATED = respond(200, { code: 200, data: { task_id: ID, status: 'IN_PROGRESS' } });
const limited = (retryAfter?: string) => respond(429, { code: 429 }, { 'retry-after': retryAfter });

const dropped =
	(...errors: object[]): Reply =>
	() => {
		throw Object.assign(new Error('request failed'), ...errors);
	};
const DOWN = dropped({ code: 'ECONNREFUSED' });

/** A request that has no end of its own; `whenCut` is what it gives once it is cut off. */
const endless =
	(whenCut: () => unknown = () => new Promise(() => undefined)): Reply =>
	async ({ abortSignal }) =>
		await new Promise((resolve, reject) => {
			const end = () => Promise.resolve().then(whenCut).then(resolve, reject);
			abortSignal?.addEventListener?.('abort', end);
		});

/** An API that gives these replies in order, the last one for ever, and what a run does with it. */
function api(...replies: Reply[]) {
	const clock = new VirtualClock();
	const startedAt = clock.now();
	const throttle = createThrottle(clock);
	const stop = new AbortController();
	const sent: Array<{ options: IHttpRequestOptions; at: number; [more: string]: unknown }> = [];
	/** The callbacks that each POST made, in order. */
	const callbacks: string[] = [];
	/** When it was asked whether a POST may be sent, and the number of the one that may not. */
	const asked = { at: [] as number[], refuses: Infinity };
	const n8n = {
		getExecutionCancelSignal: () => stop.signal,
		helpers: {
			async httpRequestWithAuthentication(
				this: object,
				type: string,
				options: IHttpRequestOptions,
				more: unknown,
			) {
				sent.push({
					...{ type, options, more, at: clock.now() - startedAt },
					// Whether n8n would tie it to Stop, and whether it was cut off before it began.
					tiedToStop: 'getExecutionCancelSignal' in this,
					cutBefore: options.abortSignal?.aborted === true,
				});
				const reply = replies[Math.min(sent.length, replies.length) - 1];
				return typeof reply === 'function' ? await reply(options, clock) : reply;
			},
		},
	};
	const context = n8n as unknown as IExecuteFunctions;
	const post = async (leftMs = HOUR, credential = ACCOUNT): Promise<PostResult> =>
		await retry.createTask(context, credential, BODY, {
			clock,
			throttle,
			deadline: startedAt + leftMs,
			mayPost: async () => asked.at.push(clock.now() - startedAt) < asked.refuses,
			beforeWait: async () => undefined,
			onSend: () => callbacks.push('send'),
			onRefused: () => callbacks.push('refused'),
		});
	const read = async (ms?: number): Promise<ReadResult> =>
		await client.getTask(context, { ...TASK, clock, ms });
	const patiently = async () => await retry.findTaskWithRetry(context, { ...TASK, clock });
	const press = () => {
		stop.abort();
		clock.stop();
	};
	/** What the work gives; Stop is pressed after so many milliseconds, where that is wanted. */
	const run = async <T>(work: Promise<T>, stopAfterMs?: number) => {
		const stopping = stopAfterMs !== undefined && clock.elapse(stopAfterMs).then(press);
		const { result, tookMs } = await clock.run(Promise.all([work, stopping]));
		expect(clock.asleep).toBe(0);
		return { result: result[0], tookMs, sent, callbacks, times: sent.map(({ at }) => at) };
	};
	return { stop, asked, post, read, patiently, press, run };
}

const posted = async (...replies: Reply[]) => {
	const { run, post } = api(...replies);
	return await run(post());
};
const readOnce = async (...replies: Reply[]) => {
	const { run, read } = api(...replies);
	return await run(read());
};
/** So many videos, one after another, on one account. */
const postedInTurn = async (count: number, ...replies: Reply[]) => {
	const { run, post } = api(...replies);
	const inTurn = async () => {
		const outcomes: string[] = [];
		while (outcomes.length < count) outcomes.push((await post()).outcome);
		return outcomes;
	};
	return await run(inTurn());
};

/** What a POST and a read make of a reply, each sent once. */
const both = async (reply: Reply) => {
	const [post, read] = [await posted(reply), await readOnce(reply)];
	expect([post.sent.length, read.sent.length]).toEqual([1, 1]);
	return { post: post.result, read: read.result };
};

it('keeps the numbers that were promised', () => {
	expect({ ...client, ...retry }).toMatchObject(promised.client);
});

describe('what is sent', () => {
	it.each([
		[posted, { method: 'POST', url: `${BASE}/generate`, body: BODY, timeout: 60_000 }],
		[readOnce, { method: 'GET', url: `${BASE}/status`, qs: { task_id: ID }, timeout: 30_000 }],
	])('is one request, with the key by the credential alone', async (call, request) => {
		const { sent } = await call(CREATED);
		expect(sent).toHaveLength(1);
		const [{ type, options, more }] = sent;
		expect(type).toBe('seedanceApi');
		expect(options).toEqual({
			...request,
			headers: { Accept: 'application/json', 'User-Agent': USER_AGENT },
			encoding: 'text',
			abortSignal: expect.anything(),
			disableFollowRedirect: true,
			returnFullResponse: true,
			ignoreHttpStatusErrors: true,
		});
		expect(JSON.stringify(options)).not.toContain(OWNER);
		expect(more).toMatchObject({
			credentialsDecrypted: { type: 'seedanceApi', data: { apiKey: OWNER, baseUrl: BASE } },
		});
	});

	it('names the package, its version and its homepage', () => {
		expect(USER_AGENT).toBe(`${name}/${version} (+${homepage.replace(/#.*$/, '')})`);
	});

	it.each(calls.noUrl)('is nothing, at no cost, where there is no URL: %s', async (baseUrl) => {
		const { run, post } = api(CREATED);
		const { result, sent, callbacks } = await run(post(HOUR, { ...ACCOUNT, baseUrl }));
		const failure = { cause: 'unreachable', text: 'ERR_INVALID_URL' };
		expect(result).toMatchObject({ outcome: 'refused', failure });
		expect(sent).toEqual([]);
		expect(callbacks).toEqual(['send', 'refused']);
	});
});

describe('Stop', () => {
	it('does not cut off a POST: its response holds the ID of a paid task', async () => {
		const { run, post } = api(async (_, clock) => {
			await clock.elapse(20_000);
			return CREATED;
		});
		const { result, sent } = await run(post(), 3_000);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
		// n8n would cancel it at Stop itself, if it recognised the signal.
		const [{ tiedToStop, options }] = sent;
		expect({ tiedToStop, aborted: options.abortSignal?.aborted }).toEqual({
			tiedToStop: false,
			aborted: false,
		});
	});

	it('cuts off a read at once, and lets none out that comes later', async () => {
		const { run, read } = api(endless());
		const { result, sent, tookMs } = await run(read(), 3_000);
		expect(result).toMatchObject({ outcome: 'unavailable', failure: { cause: 'no_response' } });
		expect(sent[0]).toMatchObject({
			cutBefore: false,
			options: { abortSignal: { aborted: true } },
		});
		expect(tookMs).toBe(3_000);
		expect((await run(read())).tookMs).toBe(0);
		expect(sent[1].cutBefore).toBe(true);
	});

	it.each([[limited()], [DOWN]])('ends the pause after a refused POST', async (reply) => {
		const { run, post } = api(reply);
		const { result, callbacks, tookMs } = await run(post(), 500);
		expect(result.outcome).toBe('refused');
		expect(callbacks).toEqual(['send', 'refused']);
		expect(tookMs).toBe(500);
	});

	it('is heard through the clock, without a listener for each of many calls', async () => {
		const { run, read, stop } = api(CREATED);
		const listen = jest.spyOn(stop.signal, 'addEventListener');
		await run(read());
		expect(listen).not.toHaveBeenCalled();
	});
});

describe('a call that has no end of its own', () => {
	it.each(calls.timeLimits)('is cut off in time: $kind, $given ms', async (row) => {
		const { kind, given, limit } = row;
		const { run, post, read } = api(endless());
		const call = kind === 'post' ? post : read;
		const { result, sent, callbacks, tookMs } = await run<PostResult | ReadResult>(call(given));
		const outcome = kind === 'post' ? 'unclear' : 'unavailable';
		expect(result).toMatchObject({ outcome, failure: { cause: 'no_response' } });
		expect(sent).toMatchObject([{ options: { timeout: limit, abortSignal: { aborted: true } } }]);
		expect(callbacks).toEqual(kind === 'post' ? ['send'] : []);
		expect(tookMs).toBeGreaterThanOrEqual(limit);
		expect(tookMs).toBeLessThanOrEqual(limit + 1_000);
	});

	it.each(calls.sockets)(
		'is recognised by its socket at once as $outcome: $socket',
		async (row) => {
			const { outcome, socket } = row;
			const request = { _currentRequest: { socket } };
			const canceled = Object.assign(new Error('canceled'), { code: 'ERR_CANCELED', request });
			const { result, callbacks, tookMs } = await posted(endless(() => Promise.reject(canceled)));
			const isSent = outcome === 'unclear';
			const cause = isSent ? 'no_response' : 'unreachable';
			expect(result).toMatchObject({ outcome, failure: { cause } });
			expect(callbacks).toEqual(isSent ? ['send'] : ['send', 'refused']);
			expect(tookMs).toBe(60_000);
		},
	);

	it('still gives a response that came in the last moment', async () => {
		const { result } = await posted(endless(() => CREATED));
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
	});
});

it.each([
	['429', limited()],
	['refused connection', DOWN],
])('each POST asks whether it may be sent, after the wait that a %s has made', async (_, reply) => {
	const { run, post, asked } = api(reply);
	asked.refuses = 3;
	const { result, times } = await run(post());
	expect(result.outcome).toBe('refused');
	expect(times).toHaveLength(2);
	expect(asked.at.slice(0, 2)).toEqual(times);
	expect(asked.at[2]).toBeGreaterThan(times[1]);
});

describe('a started video', () => {
	it.each<Reply>([
		CREATED,
		// As n8n parsed it already, and as bytes.
		{ ...CREATED, body: JSON.parse(CREATED.body) },
		{ ...CREATED, body: Buffer.from(CREATED.body) },
	])('is recognised by its ID, and never as refused (%#)', async (reply) => {
		const { result, callbacks } = await posted(reply);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID, raw: { task_id: ID } });
		expect(callbacks).toEqual(['send']);
	});

	it("keeps the API's own response for Raw, without the callback URL and the key", async () => {
		const data = { task_id: ID, status: 'IN_PROGRESS', callback_url: 'x', note: `by ${OWNER}` };
		const { result } = await posted(respond(200, { code: 200, data }));
		const raw = { task_id: ID, status: 'IN_PROGRESS', note: 'by ***' };
		expect(result).toEqual({ outcome: 'created', taskId: ID, raw, task: expect.anything() });
		const rounded = await posted(respond(200, '{"data":{"task_id":12345678901234567891}}'));
		const taskId = '12345678901234567891';
		expect(rounded.result).toMatchObject({ taskId, raw: { task_id: taskId } });
	});
});

describe('the nine error codes of the contract', () => {
	it.each(stringCodes)('$code ends one POST as $onPost, one read as $onRead', async (expected) => {
		const { code, status, onPost, onRead } = expected;
		const message = 'the reason';
		for (const reply of [
			respond(status, { code, message }),
			respond(status, { error: { code, message } }),
			respond(status, { message }),
			respond(200, { code, message }),
			respond(200, { code: status, message }),
		]) {
			const { post, read } = await both(reply);
			if (post.outcome === 'created' || read.outcome === 'task') throw new Error('accepted');
			const errorOf = { refused: errors.notCreated, unclear: errors.maybeCreated };
			const ofPost = errorOf[post.outcome](post.failure);
			expect(`${post.outcome}: ${ofPost.code}, ${ofPost.charged}`).toBe(onPost);
			expect(`${ofPost.message} ${ofPost.description}`).toContain(message);
			const says = { refused: errors.readRefused, unavailable: errors.contactLost };
			const ofRead = says[read.outcome](ID, read.failure);
			expect(`${read.outcome}: ${ofRead.code}`).toBe(onRead);
			expect(ofRead).toMatchObject({ charged: 'unknown', taskId: ID });
		}
	});
});

/** What a call gives for these replies, when each request was sent, and which callbacks it made. */
interface Case {
	name: string;
	call: string;
	/** By their names, as n8n gives them, or as errors that are thrown. */
	replies: Array<string | object>;
	leftMs?: number;
	gives: object;
	times: number[];
	callbacks: string[];
}

describe.each(Object.entries<Case[]>(calls.groups))('what a call gives: %s', (_, cases) => {
	const named: Record<string, Reply> = { CREATED, DOWN };
	const replyOf = (given: string | object) => {
		if (typeof given === 'string') return named[given];
		return 'throws' in given ? dropped(Object(given.throws)) : given;
	};

	it.each(cases)('$name', async ({ call, replies, leftMs, gives, times, callbacks }) => {
		const { run, post, read, patiently } = api(...replies.map(replyOf));
		const calling: Record<string, typeof post | typeof read> = { post, read, patiently };
		const { result, ...noted } = await run<PostResult | ReadResult>(calling[call](leftMs));
		expect(result).toMatchObject(gives);
		expect(noted).toMatchObject({ times, callbacks });
		expect(noted.tookMs).toBeLessThanOrEqual(Math.max(0, leftMs ?? HOUR));
		expect(JSON.stringify(result)).not.toContain(OWNER);
	});
});

describe('what comes of many calls', () => {
	it('a POST that never left is sent again, also where n8n wraps the error', async () => {
		const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
		const wrapped = dropped({ cause: new Error('axios', { cause: refused }) });
		const { result, sent } = await posted(wrapped, CREATED);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
		expect(sent.map(({ options }) => options.body)).toEqual([BODY, BODY]);
	});

	it('a broken connection is tried five times in all, then once a video, until one gets a response', async () => {
		expect((await postedInTurn(3, DOWN)).sent).toHaveLength(5 + 1 + 1);
		const replies = [...Array<Reply>(5).fill(DOWN), CREATED, DOWN, CREATED];
		const { result, sent } = await postedInTurn(3, ...replies);
		expect(result).toEqual(['refused', 'created', 'created']);
		expect(sent).toHaveLength(8);
	});

	it('five 429 in a row end the tries of the account, counted again after a response', async () => {
		expect((await postedInTurn(10, limited())).sent).toHaveLength(5 + 9);
		const four = Array<Reply>(4).fill(limited());
		const { result, sent } = await postedInTurn(2, ...four, CREATED, ...four, CREATED);
		expect(result).toEqual(['created', 'created']);
		expect(sent).toHaveLength(10);
	});

	it('a patient read ends with Stop', async () => {
		const { run, patiently, press } = api(respond(502, ''));
		press();
		const { result, sent } = await run(patiently());
		expect([result.outcome, sent.length]).toEqual(['unavailable', 1]);
	});
});
