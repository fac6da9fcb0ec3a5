/**
 * The only file that talks to the Seedance API.
 *
 * Rules that must not regress:
 * - the POST that costs money is sent again only when it certainly was not accepted: it never left
 *   this machine, or a 429. Everything ambiguous is reported, never repeated;
 * - the POST is not tied to Stop: its answer holds the id of a paid task;
 * - every call ends in the time it is given, whatever the API does; n8n's own timeout is one of silence;
 * - redirects are never followed with the key;
 * - the key goes into the Authorization header, by the credential, and nowhere else.
 */
import type {
	ICredentialDataDecryptedObject,
	IDataObject,
	IExecuteFunctions,
	IHttpRequestOptions,
	IWebhookFunctions,
} from 'n8n-workflow';

import { RETRY_AFTER_MAX_MS, type Brake } from './brake';
import { within, type Clock } from '../n8n/clock';
import { readCredential, type CredentialFlaw } from './credential';
import {
	dataOf,
	failureOf,
	isSuccess,
	parseBody,
	reasonOfAnswer,
	taskIdOf,
	type HttpResponse,
} from './envelope';
import type { CallFailure } from '../task/errors';
import { isObject, numberOf, withoutSecrets } from '../json';
import { reachOf, type ApiReach } from '../task/publicUrl';
import { readTask, type Task } from '../task/task';
import { failureWithoutAnswer, isRefusedConnection } from './unsent';
import { USER_AGENT } from './userAgent';
import type { GenerateBody } from '../task/request';

export const CREDENTIAL_TYPE = 'seedanceApi';
/** Milliseconds that one POST, and one read, may take in all. */
export const POST_TIMEOUT_MS = 60_000;
export const READ_TIMEOUT_MS = 30_000;
/** Milliseconds that have to be left for a POST, so that the answer to a paid one can still be read. */
export const LEAST_POST_MS = 1_000;
/** Tries of one POST, the first included, while the API certainly accepted none of them. */
export const POST_MAX_TRIES = 5;
/** Reads of one task that may fail in a row where nobody waits for it, and at the end of a wait. */
export const READ_MAX_FAILURES = 5;
/** Reads under way at once. */
export const PARALLEL_READS = 10;
/** Milliseconds in which a call that was cut off tells how far it had come. */
const CUT_OFF_MS = 1_000;

type NodeFunctions = IExecuteFunctions | IWebhookFunctions;

/** A `seedanceApi` credential with its expressions resolved for one item. */
export interface Credential {
	apiKey: string;
	/** Without a slash at its end. */
	baseUrl: string;
	/** From where the API looks at links and callbacks; the sandbox runs on this machine. */
	reach: ApiReach;
	decrypted: ICredentialDataDecryptedObject;
}

/** The credential of one item, tidied; a text says what is wrong with it. */
export async function getCredential(
	context: NodeFunctions,
	itemIndex = 0,
): Promise<Credential | CredentialFlaw> {
	const decrypted: ICredentialDataDecryptedObject =
		'getExecutionCancelSignal' in context
			? await context.getCredentials(CREDENTIAL_TYPE, itemIndex)
			: await context.getCredentials(CREDENTIAL_TYPE);
	const read = readCredential(decrypted);
	if ('problem' in read) return read;
	const { apiKey, baseUrl } = read;
	return {
		apiKey,
		baseUrl,
		reach: reachOf(baseUrl),
		decrypted: { ...decrypted, apiKey, baseUrl },
	};
}

type Called = { ok: true; response: HttpResponse } | { ok: false; failure: CallFailure };

/** What is sent, and how long it may take in all. */
interface Call extends Pick<IHttpRequestOptions, 'method' | 'url' | 'qs' | 'body'> {
	/** Milliseconds. */
	ms: number;
	clock: Clock;
	/** Whether Stop ends it. */
	isTiedToStop: boolean;
}

/**
 * A context whose requests n8n does not tie to Stop: n8n does so where `this` can tell the cancel signal, and then ignores
 * the signal it is handed. Without it, a POST that was charged still gets its answer, and the deadline is ours.
 */
function untiedFrom(context: NodeFunctions): NodeFunctions {
	if (!('getExecutionCancelSignal' in context)) return context;
	return new Proxy(context, {
		has: (target, key) => key !== 'getExecutionCancelSignal' && Reflect.has(target, key),
	});
}

/** The address of a call, or undefined where the base URL makes none. */
function addressOf(credential: Credential, path: string): string | undefined {
	try {
		return new URL(`${credential.baseUrl}${path}`).href;
	} catch {
		return undefined;
	}
}

/** One request with the account's key; every HTTP answer comes back, none is thrown. Ends in its time, whatever comes. */
async function call(
	context: NodeFunctions,
	credential: Credential,
	{ method, url, qs, body, ms, clock, isTiedToStop }: Call,
): Promise<Called> {
	const address = addressOf(credential, url);
	if (!address) return { ok: false, failure: { cause: 'unreachable', text: 'ERR_INVALID_URL' } };
	const cut = new AbortController();
	// A listener of its own at Stop for each call would be one of many: the clock has one for all.
	const isStopped =
		isTiedToStop &&
		'getExecutionCancelSignal' in context &&
		context.getExecutionCancelSignal()?.aborted;
	if (isStopped) cut.abort();
	try {
		const request: Promise<unknown> = context.helpers.httpRequestWithAuthentication.call(
			untiedFrom(context),
			CREDENTIAL_TYPE,
			{
				method,
				url: address,
				...(qs && { qs }),
				...(body !== undefined && { body }),
				headers: { Accept: 'application/json', 'User-Agent': USER_AGENT },
				encoding: 'text',
				timeout: Math.max(1, Math.round(ms)),
				abortSignal: cut.signal,
				disableFollowRedirect: true,
				returnFullResponse: true,
				ignoreHttpStatusErrors: true,
			},
			{
				credentialsDecrypted: {
					id: '',
					name: CREDENTIAL_TYPE,
					type: CREDENTIAL_TYPE,
					data: credential.decrypted,
				},
			},
		);
		let answer = await within(request, ms, clock);
		if (answer === undefined) {
			cut.abort();
			// What was cut off still tells whether it had left, or that its answer came in the last moment.
			answer = await within(request, CUT_OFF_MS, clock);
		}
		if (answer === undefined) return { ok: false, failure: { cause: 'no_answer', text: '' } };
		if (!isObject(answer)) return { ok: false, failure: { cause: 'unreadable', text: '' } };
		const response = {
			status: numberOf(answer.statusCode) ?? 0,
			headers: isObject(answer.headers) ? answer.headers : {},
			body: parseBody(answer.body),
		};
		return { ok: true, response };
	} catch (error) {
		return { ok: false, failure: failureWithoutAnswer(error) };
	}
}

/** How a `POST /generate` ended. `unclear`: it may have been accepted and charged. */
export type Created =
	| { outcome: 'created'; taskId: string; task?: Task; raw: IDataObject }
	| { outcome: 'refused'; failure: CallFailure }
	| { outcome: 'unclear'; failure: CallFailure };

/** Causes after which nobody knows whether the POST was accepted. */
const UNCLEAR: ReadonlyArray<CallFailure['cause']> = ['no_answer', 'server_error', 'unreadable'];

/** How the sending of one POST is bounded, and who is told of it. */
export interface Sending {
	clock: Clock;
	/** The brake of the account. */
	brake: Brake;
	/** Milliseconds since 1970 after which nothing more is sent. */
	deadline: number;
	/** Called right before each POST. */
	onSend: () => void;
	/** Called when a POST was certainly not accepted. */
	onRefused: () => void;
}

/** One POST, once. */
async function post(
	context: NodeFunctions,
	credential: Credential,
	body: GenerateBody,
	{ clock, deadline, onSend, onRefused }: Sending,
): Promise<Created> {
	const ms = Math.min(POST_TIMEOUT_MS, deadline - clock.now());
	onSend();
	const called = await call(context, credential, {
		method: 'POST',
		url: '/generate',
		body: { ...body },
		ms,
		clock: clock.untied(),
		isTiedToStop: false,
	});
	const { apiKey, baseUrl } = credential;
	const taskId = called.ok ? taskIdOf(called.response.body) : undefined;
	if (called.ok && taskId && isSuccess(called.response)) {
		const data = dataOf(called.response.body);
		const raw = { ...withoutSecrets(data, apiKey), task_id: taskId };
		return { outcome: 'created', taskId, task: readTask(taskId, raw, apiKey), raw };
	}
	const failure = called.ok
		? failureOf(called.response, { apiKey, baseUrl, nowMs: clock.now() })
		: called.failure;
	if (failure.taskId || UNCLEAR.includes(failure.cause)) return { outcome: 'unclear', failure };
	onRefused();
	return { outcome: 'refused', failure };
}

/**
 * Starts one video. Sent once; again only after a refused connection, an unknown host or a 429, at most
 * {@link POST_MAX_TRIES} times in a row for all videos of the account, and never in the last {@link LEAST_POST_MS} before
 * the deadline. Never throws.
 * Source of the rule: the design, "Generate"; there is no idempotency key.
 */
export async function createTask(
	context: NodeFunctions,
	credential: Credential,
	body: GenerateBody,
	sending: Sending,
): Promise<Created> {
	const { clock, brake, deadline } = sending;
	let failure: CallFailure = { cause: 'out_of_time', text: '' };
	for (let tries = 1; ; tries++) {
		const isMyTurn = await brake.turn(deadline);
		if (!isMyTurn || deadline - clock.now() < LEAST_POST_MS) return { outcome: 'refused', failure };
		const sentAt = clock.now();
		const created = await post(context, credential, body, sending);
		if (created.outcome === 'refused') failure = created.failure;
		if (created.outcome === 'refused' && failure.cause === 'rate_limited') {
			brake.slowDown(sentAt, failure.retryAfterMs);
			const isTooLong = (failure.retryAfterMs ?? 0) > RETRY_AFTER_MAX_MS;
			if (isTooLong || brake.limitedInARow >= POST_MAX_TRIES) return created;
			continue;
		}
		const isDown = created.outcome === 'refused' && isRefusedConnection(failure);
		if (!isDown) {
			brake.answered();
			return created;
		}
		if (tries >= POST_MAX_TRIES || brake.isDown) {
			brake.isDown = true;
			return created;
		}
		const pauseMs = Math.min(1000 * 2 ** (tries - 1), deadline - clock.now());
		if (pauseMs > 0 && !(await clock.sleep(pauseMs))) return created;
	}
}

/** How a `GET /status` ended. `final`: asking again gives the same, unless it gave something else before. */
export type Read =
	| { outcome: 'task'; task: Task }
	| { outcome: 'transient'; failure: CallFailure }
	| { outcome: 'final'; failure: CallFailure };

/** Answers that end a read at once. An answer that is not the API's, such as a proxy's page, does not. */
function isFinal({ cause, isApi }: CallFailure): boolean {
	if (cause === 'invalid_api_key' || cause === 'out_of_credits' || cause === 'redirected')
		return true;
	return (
		isApi === true && ['task_not_found', 'forbidden', 'invalid_request', 'refused'].includes(cause)
	);
}

/** The task that an answer tells, where it tells one. The reason of a failed one may stand beside its data. */
function taskIn(response: HttpResponse, taskId: string, apiKey: string): Task | undefined {
	if (!isSuccess(response)) return undefined;
	const { body } = response;
	const task = readTask(taskId, dataOf(body), apiKey);
	if (task?.state !== 'failed' || task.errorMessage !== null) return task;
	return { ...task, errorMessage: reasonOfAnswer(body, apiKey) || null };
}

/** Reads one task, once, within `timeoutMs` (milliseconds) in all. Tied to Stop. Never throws. */
export async function getTask(
	context: NodeFunctions,
	credential: Credential,
	taskId: string,
	clock: Clock,
	timeoutMs = READ_TIMEOUT_MS,
): Promise<Read> {
	const called = await call(context, credential, {
		method: 'GET',
		url: '/status',
		qs: { task_id: taskId },
		ms: Math.min(timeoutMs, READ_TIMEOUT_MS),
		clock,
		isTiedToStop: true,
	});
	if (!called.ok) return { outcome: 'transient', failure: called.failure };
	const { response } = called;
	const { apiKey, baseUrl } = credential;
	const task = taskIn(response, taskId, apiKey);
	if (task) return { outcome: 'task', task };
	const failure = failureOf(response, { apiKey, baseUrl, nowMs: clock.now() });
	return { outcome: isFinal(failure) ? 'final' : 'transient', failure };
}

/**
 * Reads one task, patiently: passing trouble is asked again after 1, 2, 4 … seconds, up to
 * {@link READ_MAX_FAILURES} tries. Ends early when the clock's sleep is cut short by Stop.
 */
export async function getTaskPatiently(
	context: NodeFunctions,
	credential: Credential,
	taskId: string,
	clock: Clock,
): Promise<Read> {
	return await patiently(async () => await getTask(context, credential, taskId, clock), clock);
}

/** {@link getTaskPatiently}, with a read of one's own, and not beyond the deadline (milliseconds since 1970). */
export async function patiently(
	read: () => Promise<Read>,
	clock: Clock,
	deadline = Infinity,
): Promise<Read> {
	for (let tries = 1; ; tries++) {
		const found = await read();
		if (found.outcome !== 'transient' || tries >= READ_MAX_FAILURES) return found;
		const asked = Math.min(found.failure.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
		const pauseMs = Math.max(asked, 1000 * 2 ** (tries - 1));
		if (clock.now() + pauseMs >= deadline || !(await clock.sleep(pauseMs))) return found;
	}
}
