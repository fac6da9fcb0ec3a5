/**
 * The only file that talks to the Seedance API.
 *
 * Rules that must not regress:
 * - the POST that costs money is sent again only when it certainly was not accepted: it never left
 *   this machine, or a 429. Everything ambiguous is reported, never repeated;
 * - the POST is not cancelled by Stop: its response holds the id of a paid task;
 * - every call ends in the time it is given, whatever the API does
 *   (docs/n8n-behaviour.md#timeout-of-silence);
 * - redirects are never followed with the key (docs/n8n-behaviour.md#redirects);
 * - the key goes into the Authorization header, by the credential, and nowhere else.
 */
import type { IDataObject, IHttpRequestOptions } from 'n8n-workflow';

import type { Throttle } from './throttle';
import { withTimeout, type Clock } from '../n8n/clock';
import { CREDENTIAL_TYPE, type Credential, type NodeFunctions } from './credential';
import { dataOf, failureOf, isSuccess, parseBody, taskIdOf, type HttpResponse } from './envelope';
import type { CallFailure } from '../task/errors';
import { isObject, numberOf, withoutSecrets } from '../json';
import { readTask, type Task } from '../task/task';
import { withoutCancelSignal } from '../n8n/cancelSignal';
import { failureOfNetworkError } from './networkError';
import { USER_AGENT } from './userAgent';
import { isRefusal, taskIn } from './statusResponse';
import { baseUrlOf, FIRST_VERSION } from './versions';
import type { ApiVersion } from '../task/models';
import { modelOfBody, type GenerateBody } from '../task/request';

/** Milliseconds that one POST, and one read, may take in all. */
export const POST_TIMEOUT_MS = 60_000;
export const READ_TIMEOUT_MS = 30_000;
/** Milliseconds that have to be left for a POST, so that its response can still be read. */
export const LEAST_POST_MS = 1_000;
/** Reads in flight at once. */
export const PARALLEL_READS = 10;
/** Milliseconds in which a call that was aborted still ends, and shows how far it had come. */
const CUT_OFF_MS = 1_000;

/** What is sent, and how long it may take in all. */
interface Call extends Pick<IHttpRequestOptions, 'method' | 'url' | 'qs' | 'body'> {
	version: ApiVersion;
	/** Milliseconds. */
	ms: number;
	clock: Clock;
	/** Whether Stop ends it. */
	isCancellable: boolean;
}

/**
 * The address of a call; undefined where there is none
 * (docs/n8n-behaviour.md#addresses-that-are-no-url).
 */
function addressOf(credential: Credential, { version, url }: Call): string | undefined {
	try {
		return new URL(`${baseUrlOf(credential, version) ?? ''}${url}`).href;
	} catch {
		return undefined;
	}
}

/**
 * One request with the account's key. Gives every HTTP response, whatever its status
 * (docs/n8n-behaviour.md#repeated-requests). Ends at most {@link CUT_OFF_MS} after `ms`. Never
 * throws.
 */
async function call(
	context: NodeFunctions,
	credential: Credential,
	one: Call,
): Promise<{ ok: true; response: HttpResponse } | { ok: false; failure: CallFailure }> {
	const { method, qs, body, ms, clock, isCancellable } = one;
	const address = addressOf(credential, one);
	if (!address) return { ok: false, failure: { cause: 'unreachable', text: 'ERR_INVALID_URL' } };
	const cut = new AbortController();
	// No abort listener per call, because Node.js warns above ten. Stop ends the clock's sleep in
	// `withTimeout`, and then this call is aborted.
	const isStopped =
		isCancellable &&
		'getExecutionCancelSignal' in context &&
		context.getExecutionCancelSignal()?.aborted;
	if (isStopped) cut.abort();
	try {
		const request: Promise<unknown> = context.helpers.httpRequestWithAuthentication.call(
			withoutCancelSignal(context),
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
		let received = await withTimeout(request, ms, clock);
		if (received === undefined) {
			cut.abort();
			// The aborted call still shows whether it had left, or gives a response that came at the last
			// moment.
			received = await withTimeout(request, CUT_OFF_MS, clock);
		}
		if (received === undefined) return { ok: false, failure: { cause: 'no_response', text: '' } };
		if (!isObject(received)) return { ok: false, failure: { cause: 'unreadable', text: '' } };
		const response = {
			status: numberOf(received.statusCode) ?? 0,
			headers: isObject(received.headers) ? received.headers : {},
			body: parseBody(received.body),
		};
		return { ok: true, response };
	} catch (error) {
		return { ok: false, failure: failureOfNetworkError(error) };
	}
}

/** How a `POST /generate` ended. `unclear`: it may have been accepted and charged. */
export type PostResult =
	| { outcome: 'created'; taskId: string; task?: Task; raw: IDataObject }
	| { outcome: 'refused'; failure: CallFailure }
	| { outcome: 'unclear'; failure: CallFailure };

/** Causes after which it is unknown whether the POST was accepted. */
const UNCLEAR: ReadonlyArray<CallFailure['cause']> = ['no_response', 'server_error', 'unreadable'];

/** The limits of one POST, and what is called before and after it. */
export interface PostOptions {
	clock: Clock;
	/** The throttle of the account. */
	throttle: Throttle;
	/** Milliseconds since 1970 after which nothing more is sent. */
	deadline: number;
	/** Called right before each POST. */
	onSend: () => void;
	/** Called when a POST was certainly not accepted. */
	onRefused: () => void;
}

/** One POST, once. Never throws. */
export async function postTask(
	context: NodeFunctions,
	credential: Credential,
	body: GenerateBody,
	{ clock, deadline, onSend, onRefused }: PostOptions,
): Promise<PostResult> {
	const ms = Math.min(POST_TIMEOUT_MS, deadline - clock.now());
	const { version } = modelOfBody(body);
	onSend();
	const called = await call(context, credential, {
		method: 'POST',
		version,
		url: '/generate',
		body: { ...body },
		ms,
		clock: clock.uncancellable(),
		isCancellable: false,
	});
	const { apiKey, baseUrl } = credential;
	const taskId = called.ok ? taskIdOf(called.response.body) : undefined;
	if (called.ok && taskId && isSuccess(called.response)) {
		const data = dataOf(called.response.body);
		const raw = { ...withoutSecrets(data, apiKey), task_id: taskId };
		return { outcome: 'created', taskId, task: readTask(taskId, raw, apiKey, version), raw };
	}
	const failure = called.ok
		? failureOf(called.response, { apiKey, baseUrl, nowMs: clock.now() })
		: called.failure;
	if (failure.taskId || UNCLEAR.includes(failure.cause)) return { outcome: 'unclear', failure };
	onRefused();
	return { outcome: 'refused', failure };
}

/**
 * How a `GET /status` ended. `unavailable`: the state is unknown, and reading again may help.
 * `refused`: reading again gives the same, unless it gave something else before.
 */
export type ReadResult =
	| { outcome: 'task'; task: Task }
	| { outcome: 'unavailable'; failure: CallFailure }
	| { outcome: 'refused'; failure: CallFailure };
export type FailedRead = Exclude<ReadResult, { outcome: 'task' }>;

/** Which task to read, with which key, and how long that may take. */
export interface TaskRead {
	credential: Credential;
	taskId: string;
	/** Where it was made; the first version where absent. */
	version?: ApiVersion;
	clock: Clock;
	/** Milliseconds in all; {@link READ_TIMEOUT_MS} at most, and where absent. */
	ms?: number;
}

/** Reads one task, once. Cancelled by Stop. Never throws. */
export async function getTask(
	context: NodeFunctions,
	{ credential, taskId, version = FIRST_VERSION, clock, ms = READ_TIMEOUT_MS }: TaskRead,
): Promise<ReadResult> {
	const called = await call(context, credential, {
		method: 'GET',
		version,
		url: '/status',
		qs: { task_id: taskId },
		ms: Math.min(ms, READ_TIMEOUT_MS),
		clock,
		isCancellable: true,
	});
	if (!called.ok) return { outcome: 'unavailable', failure: called.failure };
	const { response } = called;
	const { apiKey, baseUrl } = credential;
	const task = taskIn(response, taskId, apiKey, version);
	if (task) return { outcome: 'task', task };
	const failure = failureOf(response, { apiKey, baseUrl, nowMs: clock.now() });
	return { outcome: isRefusal(failure) ? 'refused' : 'unavailable', failure };
}
