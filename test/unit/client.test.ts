/** The calls to the API: what is sent, how often, and what each answer means. */
import type { IExecuteFunctions, IHttpRequestOptions } from 'n8n-workflow';

import { homepage, name, version } from '../../package.json';
import { brakeOf } from '../../nodes/shared/api/brake';
import * as client from '../../nodes/shared/api/client';
import type { Created, Read } from '../../nodes/shared/api/client';
import type { Credential } from '../../nodes/shared/api/credential';
import * as retry from '../../nodes/shared/api/retry';
import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import * as errors from '../../nodes/shared/task/errors';
import type { GenerateBody } from '../../nodes/shared/task/request';
import { stringCodes } from '../fixtures/answers.json';
import calls from '../fixtures/calls.json';
import promised from '../fixtures/promisedNumbers.json';
import { VirtualClock } from './virtualClock.cjs';

const HOUR = 3_600_000;
const ID = 'seed15abc123def456pro';
/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const BASE = 'https://seedanceapi.org/v1';
const HTML = '<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>';
const VIDEO = 'https://cdn.example.com/v.mp4';
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

/** What the API does with a request: an answer, or a function that gives one in its own time. */
type Reply = object | string | ((options: IHttpRequestOptions, clock: VirtualClock) => unknown);

const answer = (statusCode: number, body: unknown, headers: object = {}) => ({
	statusCode,
	headers,
	body: typeof body === 'string' ? body : JSON.stringify(body),
});
const CREATED = answer(200, { code: 200, data: { task_id: ID, status: 'IN_PROGRESS' } });
const limited = (retryAfter?: string) => answer(429, { code: 429 }, { 'retry-after': retryAfter });

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

/** An API that gives these replies in turn, the last one for ever, and what a run does with it. */
function api(...replies: Reply[]) {
	const clock = new VirtualClock();
	const startedAt = clock.now();
	const brake = brakeOf(clock);
	const stop = new AbortController();
	const sent: Array<{ options: IHttpRequestOptions; at: number; [more: string]: unknown }> = [];
	/** What was told of each POST, in order. */
	const told: string[] = [];
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
	const post = async (leftMs = HOUR, credential = ACCOUNT): Promise<Created> =>
		await retry.createTask(context, credential, BODY, {
			clock,
			brake,
			deadline: startedAt + leftMs,
			onSend: () => told.push('send'),
			onRefused: () => told.push('refused'),
		});
	const read = async (ms?: number): Promise<Read> =>
		await client.getTask(context, { ...TASK, clock, ms });
	const press = () => {
		stop.abort();
		clock.stop();
	};
	/** What the work gives; Stop is pressed after so many milliseconds, where that is wanted. */
	const run = async <T>(work: Promise<T>, stopAfterMs?: number) => {
		const stopping = stopAfterMs !== undefined && clock.elapse(stopAfterMs).then(press);
		const { result, tookMs } = await clock.run(Promise.all([work, stopping]));
		expect(clock.asleep).toBe(0);
		return { result: result[0], tookMs, sent, told, times: sent.map(({ at }) => at) };
	};
	return { clock, context, stop, sent, told, post, read, press, run };
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
const FIVE_TRIES = [0, 1_000, 3_000, 7_000, 15_000];

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
		const { result, sent, told } = await run(post(HOUR, { ...ACCOUNT, baseUrl }));
		const failure = { cause: 'unreachable', text: 'ERR_INVALID_URL' };
		expect(result).toMatchObject({ outcome: 'refused', failure });
		expect(sent).toEqual([]);
		expect(told).toEqual(['send', 'refused']);
	});
});

describe('Stop', () => {
	it('does not cut off a POST: its answer holds the ID of a paid task', async () => {
		const { run, post } = api(async (_, clock) => {
			await clock.elapse(20_000);
			return CREATED;
		});
		const { result, sent } = await run(post(), 3_000);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
		// n8n would tie it to Stop itself, if it could tell the signal.
		const [{ tiedToStop, options }] = sent;
		expect({ tiedToStop, aborted: options.abortSignal?.aborted }).toEqual({
			tiedToStop: false,
			aborted: false,
		});
	});

	it('cuts off a read at once, and lets none out that comes later', async () => {
		const { run, read } = api(endless());
		const { result, sent, tookMs } = await run(read(), 3_000);
		expect(result).toMatchObject({ outcome: 'unavailable', failure: { cause: 'no_answer' } });
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
		const { result, told, tookMs } = await run(post(), 500);
		expect(result.outcome).toBe('refused');
		expect(told).toEqual(['send', 'refused']);
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
		const { result, sent, told, tookMs } = await run<Created | Read>(call(given));
		const outcome = kind === 'post' ? 'unclear' : 'unavailable';
		expect(result).toMatchObject({ outcome, failure: { cause: 'no_answer' } });
		expect(sent).toMatchObject([{ options: { timeout: limit, abortSignal: { aborted: true } } }]);
		expect(told).toEqual(kind === 'post' ? ['send'] : []);
		expect(tookMs).toBeGreaterThanOrEqual(limit);
		expect(tookMs).toBeLessThanOrEqual(limit + 1_000);
	});

	it.each(calls.sockets)(
		'tells by its socket at once that it is $outcome: $socket',
		async (row) => {
			const { outcome, socket } = row;
			const request = { _currentRequest: { socket } };
			const canceled = Object.assign(new Error('canceled'), { code: 'ERR_CANCELED', request });
			const { result, told, tookMs } = await posted(endless(() => Promise.reject(canceled)));
			const isSent = outcome === 'unclear';
			const cause = isSent ? 'no_answer' : 'unreachable';
			expect(result).toMatchObject({ outcome, failure: { cause } });
			expect(told).toEqual(isSent ? ['send'] : ['send', 'refused']);
			expect(tookMs).toBe(60_000);
		},
	);

	it('still gives an answer that came in the last moment', async () => {
		const { result } = await posted(endless(() => CREATED));
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
	});
});

describe('a started video', () => {
	it.each<Reply>([
		CREATED,
		// As n8n parsed it already, and as bytes.
		{ ...CREATED, body: JSON.parse(CREATED.body) },
		{ ...CREATED, body: Buffer.from(CREATED.body) },
	])('is told by its ID, and never as refused (%#)', async (reply) => {
		const { result, told } = await posted(reply);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID, raw: { task_id: ID } });
		expect(told).toEqual(['send']);
	});

	it("keeps the API's own answer for Raw, without the callback URL and the key", async () => {
		const data = { task_id: ID, status: 'IN_PROGRESS', callback_url: 'x', note: `by ${OWNER}` };
		const { result } = await posted(answer(200, { code: 200, data }));
		const raw = { task_id: ID, status: 'IN_PROGRESS', note: 'by ***' };
		expect(result).toEqual({ outcome: 'created', taskId: ID, raw, task: expect.anything() });
		const rounded = await posted(answer(200, '{"data":{"task_id":12345678901234567891}}'));
		const taskId = '12345678901234567891';
		expect(rounded.result).toMatchObject({ taskId, raw: { task_id: taskId } });
	});

	it('that has failed at once is told as failed', async () => {
		const data = { task_id: ID, status: 'FAILED', error_message: 'NSFW', consumed_credits: 0 };
		const { result } = await posted(answer(200, { code: 200, data }));
		const task = { state: 'failed', errorMessage: 'NSFW', consumedCredits: 0 };
		expect(result).toMatchObject({ outcome: 'created', task });
	});
});

describe('the nine error codes of the contract', () => {
	it.each(stringCodes)('$code ends one POST as $onPost, one read as $onRead', async (expected) => {
		const { code, status, onPost, onRead } = expected;
		const message = 'the reason';
		for (const reply of [
			answer(status, { code, message }),
			answer(status, { error: { code, message } }),
			answer(status, { message }),
			answer(200, { code, message }),
			answer(200, { code: status, message }),
		]) {
			const { post, read } = await both(reply);
			if (post.outcome === 'created' || read.outcome === 'task') throw new Error('accepted');
			const told = { refused: errors.notCreated, unclear: errors.maybeCreated };
			const ofPost = told[post.outcome](post.failure);
			expect(`${post.outcome}: ${ofPost.code}, ${ofPost.charged}`).toBe(onPost);
			expect(`${ofPost.message} ${ofPost.description}`).toContain(message);
			const says = { refused: errors.readRefused, unavailable: errors.contactLost };
			const ofRead = says[read.outcome](ID, read.failure);
			expect(`${read.outcome}: ${ofRead.code}`).toBe(onRead);
			expect(ofRead).toMatchObject({ charged: 'unknown', taskId: ID });
		}
	});
});

describe('an answer that cannot be used', () => {
	it.each(calls.webPages)('as a web page is $onPost on a POST, $onRead on a read', async (row) => {
		const { onPost, onRead, statuses } = row;
		for (const httpStatus of statuses) {
			const { post, read } = await both(answer(httpStatus, HTML));
			const failure = { httpStatus, text: '' };
			expect(post).toMatchObject({ outcome: onPost, failure });
			expect(read).toMatchObject({ outcome: onRead, failure });
		}
	});

	it.each(calls.unusable)('is unclear on a POST, trouble for a read: $name', async (row) => {
		const failure = { cause: row.cause ?? 'unreadable' };
		const { post, read } = await both(row.reply);
		expect(post).toMatchObject({ outcome: 'unclear', failure });
		expect(read).toMatchObject({ outcome: 'unavailable', failure });
	});

	it.each(calls.notThisTask)('is passing trouble for a read: %j', async (data) => {
		const { result } = await readOnce(answer(200, { code: 200, data }));
		expect(result).toMatchObject({ outcome: 'unavailable', failure: { cause: 'unreadable' } });
	});

	it.each(calls.withTaskId)('that holds a task ID is never free nor a state: %j', async (row) => {
		const data = { task_id: ID, status: 'SUCCESS', response: [VIDEO] };
		for (const status of row.statuses) {
			for (const code of row.codes ?? [status]) {
				const { post, read } = await both(answer(status, { code, message: 'hm', data }));
				expect(post).toMatchObject({ outcome: 'unclear', failure: { taskId: ID } });
				expect(read.outcome).toBe(row.onRead);
			}
		}
	});

	it.each([301, 302, 303, 307, 308])('as a redirect ends a call: HTTP %i', async (status) => {
		const headers = { location: 'https://www.example.com/v1/generate?key=1' };
		const { post, read } = await both(answer(status, '', headers));
		const failure = { cause: 'redirected', location: 'https://www.example.com' };
		expect([post, read]).toMatchObject(Array(2).fill({ outcome: 'refused', failure }));
	});
});

describe('a POST without an answer', () => {
	it.each(calls.sentOnce)('is $outcome, $cause, and sent exactly once: $error', async (row) => {
		const { result, sent } = await posted(dropped(row.error), CREATED);
		expect(result).toMatchObject({ outcome: row.outcome, failure: { cause: row.cause } });
		expect(sent).toHaveLength(1);
	});

	it('that was never sent is sent again, also where n8n wraps the error', async () => {
		const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
		const wrapped = dropped({ cause: new Error('axios', { cause: refused }) });
		const { result, sent } = await posted(wrapped, CREATED);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
		expect(sent.map(({ options }) => options.body)).toEqual([BODY, BODY]);
	});

	it.each([
		['unreachable', DOWN],
		['rate_limited', limited()],
	])('or after a 429 ends with the fifth try, at no cost: %s (%#)', async (cause, reply) => {
		const { result, times, told } = await posted(reply);
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause } });
		expect(times).toEqual(FIVE_TRIES);
		expect(told).toEqual(Array(5).fill(['send', 'refused']).flat());
	});

	it('ends when a retry meets an unclear outcome: the last that is told is "send"', async () => {
		const { result, told } = await posted(DOWN, dropped({ code: 'ECONNRESET' }));
		expect([result.outcome, ...told]).toEqual(['unclear', 'send', 'refused', 'send']);
	});

	it('is waited for five times in all, then once for each video, until the API answers', async () => {
		expect((await postedInTurn(3, DOWN)).sent).toHaveLength(5 + 1 + 1);
		const replies = [...Array<Reply>(5).fill(DOWN), CREATED, DOWN, CREATED];
		const { result, sent } = await postedInTurn(3, ...replies);
		expect(result).toEqual(['refused', 'created', 'created']);
		expect(sent).toHaveLength(8);
	});
});

describe('the time for sending', () => {
	it.each([999, 0, -1, -60_000])('that is over lets nothing out: %i ms', async (leftMs) => {
		const { run, post } = api(CREATED);
		const { result, sent, told } = await run(post(leftMs));
		expect(result).toEqual({ outcome: 'refused', failure: { cause: 'out_of_time', text: '' } });
		expect([...sent, ...told]).toEqual([]);
	});

	// 7,200 ms: the fourth try would come 200 ms before the end, too late to read its answer.
	it.each(calls.shortTime)('ends the tries; the last refusal is the cause: %j', async (row) => {
		const { cause, leftMs, tries, retryAfter } = row;
		const { run, post } = api(cause === 'unreachable' ? DOWN : limited(retryAfter));
		const { result, times, tookMs } = await run(post(leftMs));
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause } });
		expect(times).toEqual(tries);
		expect(tookMs).toBeLessThanOrEqual(leftMs);
	});
});

describe('too many requests', () => {
	// A Retry-After of 0 asks for nothing: soon, not at once.
	it.each(calls.tooMany)('are tried again, as late as Retry-After asks: %j', async (row) => {
		const { reply, ms } = row;
		const { result, times } = await posted(reply, CREATED);
		expect(result).toMatchObject({ outcome: 'created', taskId: ID });
		expect(times).toEqual([0, ms]);
	});

	it.each(['61', '3600'])('are not waited for longer than a minute: %s', async (header) => {
		const { result, sent, tookMs } = await posted(limited(header), CREATED);
		expect(result).toMatchObject({ outcome: 'refused', failure: { cause: 'rate_limited' } });
		expect([sent.length, tookMs]).toEqual([1, 0]);
	});

	it('are five in a row for the whole account, counted anew after another answer', async () => {
		expect((await postedInTurn(10, limited())).sent).toHaveLength(5 + 9);
		const four = Array<Reply>(4).fill(limited());
		const { result, sent } = await postedInTurn(2, ...four, CREATED, ...four, CREATED);
		expect(result).toEqual(['created', 'created']);
		expect(sent).toHaveLength(10);
	});
});

describe('a read', () => {
	it('gives the task', async () => {
		const data = { task_id: ID, status: 'success', response: [VIDEO] };
		const { result } = await readOnce(answer(200, { code: 200, data }));
		const task = { taskId: ID, state: 'succeeded', videoUrl: VIDEO };
		expect(result).toMatchObject({ outcome: 'task', task });
	});

	it.each(calls.reasons)('finds the reason of a failure, also beside its data: %j', async (row) => {
		const { result } = await readOnce(answer(200, { code: 200, ...row.body }));
		expect(result).toMatchObject({ outcome: 'task', task: { errorMessage: row.reason } });
	});

	it('is passing trouble on a bad network, and with the time that the API asks for', async () => {
		const waited = await readOnce(limited('9'));
		expect(waited.result).toMatchObject({
			outcome: 'unavailable',
			failure: { retryAfterMs: 9_000 },
		});
		for (const code of ['ECONNRESET', 'ECONNREFUSED']) {
			const { result, sent } = await readOnce(dropped({ code }));
			expect([result.outcome, sent.length]).toEqual(['unavailable', 1]);
		}
	});

	it.each(calls.reads)('is $outcome with HTTP $statuses, without the key', async (row) => {
		const { outcome, statuses } = row;
		for (const code of statuses) {
			const { result } = await readOnce(answer(code, { code, message: `key ${OWNER}` }));
			expect(result.outcome).toBe(outcome);
			expect(JSON.stringify(result)).not.toContain(OWNER);
		}
	});
});

describe('a patient read', () => {
	it.each<[string, string, Reply[], number[]]>([
		['ends with the answer', 'task', [answer(502, HTML), DOWN, CREATED], [0, 1_000, 3_000]],
		['ends after five tries', 'unavailable', [answer(502, HTML)], FIVE_TRIES],
		['does not ask again in vain', 'refused', [answer(401, { code: 401 })], [0]],
		['waits a minute at most', 'task', [limited('20'), limited('600'), CREATED], [0, 2e4, 8e4]],
	])('%s', async (_name, outcome, replies, tries) => {
		const { run, context, clock } = api(...replies);
		const { result, times } = await run(retry.getTaskPatiently(context, { ...TASK, clock }));
		expect(result.outcome).toBe(outcome);
		expect(times).toEqual(tries);
	});

	it('ends with Stop', async () => {
		const { run, context, clock, press } = api(answer(502, HTML));
		press();
		const { result, sent } = await run(retry.getTaskPatiently(context, { ...TASK, clock }));
		expect(result.outcome).toBe('unavailable');
		expect(sent).toHaveLength(1);
	});
});
