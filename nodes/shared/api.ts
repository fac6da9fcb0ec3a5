/**
 * The only file that talks to the Seedance API.
 *
 * Rules that must not regress:
 * - the POST that costs money is sent again only when it certainly was not accepted: refused
 *   connection, unknown host, 429. Everything ambiguous is reported, never repeated;
 * - the POST is not tied to Stop: its answer holds the id of a paid task;
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

import { type Clock } from './clock';
import type { CallFailure } from './errors';
import { isObject, numberOf, readableText, textOf, withoutSecrets } from './json';
import { isPublicUrl } from './publicUrl';
import { readTask, type Task } from './task';
import type { GenerateBody } from './videoRequest';

export const CREDENTIAL_TYPE = 'seedanceApi';
export const POST_TIMEOUT_MS = 60_000;
export const READ_TIMEOUT_MS = 30_000;
/** Tries of one POST, the first included, while the API certainly accepted none of them. */
export const POST_MAX_TRIES = 5;
/** A `Retry-After` longer than this is not waited for. */
export const RETRY_AFTER_MAX_MS = 60_000;
/** Reads of one task that may fail in a row. */
export const READ_MAX_FAILURES = 5;
/** Reads under way at once. */
export const PARALLEL_READS = 10;

type NodeFunctions = IExecuteFunctions | IWebhookFunctions;

/** A `seedanceApi` credential with its expressions resolved for one item. */
export interface Account {
	apiKey: string;
	/** Without a slash at its end. */
	baseUrl: string;
	/** Whether the API itself runs on this machine or network, as the sandbox does. */
	isLocal: boolean;
	decrypted: ICredentialDataDecryptedObject;
}

/** The credential of one item, tidied; a text says what is wrong with it. */
export async function getAccount(
	context: NodeFunctions,
	itemIndex = 0,
): Promise<Account | { problem: string }> {
	const decrypted: ICredentialDataDecryptedObject =
		'getExecutionCancelSignal' in context
			? await context.getCredentials(CREDENTIAL_TYPE, itemIndex)
			: await context.getCredentials(CREDENTIAL_TYPE);
	const apiKey = textOf(decrypted.apiKey) ?? '';
	const baseUrl = (textOf(decrypted.baseUrl) ?? '').replace(/\/+$/, '');
	if (!apiKey) return { problem: 'The credential holds no API key.' };
	if (/[^\x21-\x7e]/.test(apiKey)) {
		return {
			problem: 'The API key in the credential holds a space or a character that no key has.',
		};
	}
	if (!/^https?:\/\/[^/\s]+/i.test(baseUrl)) {
		return { problem: 'The base URL in the credential must start with http:// or https://.' };
	}
	return {
		apiKey,
		baseUrl,
		isLocal: !isPublicUrl(baseUrl),
		// Filled, so that n8n does not probe the base URL before every request (see the credential).
		decrypted: { ...decrypted, apiKey, baseUrl, reachability: 'not probed' },
	};
}

/** An answer of the API, its body parsed where it is JSON. */
interface Answer {
	status: number;
	headers: Record<string, unknown>;
	body: unknown;
}

type Called<T> = { ok: true; value: T } | { ok: false; failure: CallFailure };

function parseBody(body: unknown): unknown {
	const text = Buffer.isBuffer(body) ? body.toString('utf8') : body;
	if (typeof text !== 'string') return text;
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}

/** Codes of a connection that was never made, so nothing was sent. */
const NEVER_CONNECTED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'];
/** Codes of a request that a client refuses before it sends anything. */
const NEVER_SENT = /^(ERR_INVALID_URL|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_)/;

/** Every error in the chain of causes, n8n's wrapper first. */
function causesOf(error: unknown): Array<Record<string, unknown>> {
	const chain: Array<Record<string, unknown>> = [];
	let current: unknown = error;
	while (isObject(current) && chain.length < 6 && !chain.includes(current)) {
		chain.push(current);
		current = current.cause ?? (Array.isArray(current.errors) ? current.errors[0] : undefined);
	}
	return chain;
}

/** What a request without any answer means: was it never sent, or is its outcome unknown? */
function failureWithoutAnswer(error: unknown): CallFailure {
	const chain = causesOf(error);
	const codes = chain.map((cause) => textOf(cause.code)).filter((code) => code !== undefined);
	const connecting = chain.some((cause) =>
		['connect', 'getaddrinfo'].includes(String(cause.syscall)),
	);
	const neverSent = codes.some((code) => NEVER_CONNECTED.includes(code) || NEVER_SENT.test(code));
	// n8n's own guard against requests into private networks refuses before anything is sent.
	const blocked = chain.some((cause) => /^Ssrf/.test(textOf(cause.name) ?? ''));
	const cause = connecting || neverSent || blocked ? 'unreachable' : 'no_answer';
	return { cause, text: codes[codes.length - 1] ?? '' };
}

function isRefusedConnection(failure: CallFailure): boolean {
	return failure.cause === 'unreachable' && NEVER_CONNECTED.includes(failure.text);
}

/** One request with the account's key; every HTTP answer comes back, none is thrown. */
async function call(
	context: NodeFunctions,
	account: Account,
	options: Pick<IHttpRequestOptions, 'method' | 'url' | 'qs' | 'body' | 'timeout'>,
	tiedToStop: boolean,
): Promise<Called<Answer>> {
	// n8n ties every authenticated request to Stop when its `this` can tell the cancel signal, and so
	// would cut off the answer to a POST that was charged. Hiding that one method unties it (measured).
	const self = tiedToStop
		? context
		: new Proxy(context, {
				has: (target, key) => key !== 'getExecutionCancelSignal' && Reflect.has(target, key),
			});
	try {
		const answer: unknown = await context.helpers.httpRequestWithAuthentication.call(
			self,
			CREDENTIAL_TYPE,
			{
				...options,
				url: `${account.baseUrl}${options.url}`,
				headers: { Accept: 'application/json' },
				encoding: 'text',
				disableFollowRedirect: true,
				returnFullResponse: true,
				ignoreHttpStatusErrors: true,
			},
			{
				credentialsDecrypted: {
					id: '',
					name: CREDENTIAL_TYPE,
					type: CREDENTIAL_TYPE,
					data: account.decrypted,
				},
			},
		);
		if (!isObject(answer)) return { ok: false, failure: { cause: 'unreadable', text: '' } };
		return {
			ok: true,
			value: {
				status: numberOf(answer.statusCode) ?? 0,
				headers: isObject(answer.headers) ? answer.headers : {},
				body: parseBody(answer.body),
			},
		};
	} catch (error) {
		return { ok: false, failure: failureWithoutAnswer(error) };
	}
}

/** The document's string codes, and what each means. */
const STRING_CODES: Readonly<Record<string, CallFailure['cause']>> = {
	INVALID_PROMPT: 'invalid_request',
	INVALID_ASPECT_RATIO: 'invalid_request',
	INVALID_RESOLUTION: 'invalid_request',
	INVALID_DURATION: 'invalid_request',
	TOO_MANY_IMAGES: 'invalid_request',
	INVALID_API_KEY: 'invalid_api_key',
	INSUFFICIENT_CREDITS: 'out_of_credits',
	TASK_NOT_FOUND: 'task_not_found',
	INTERNAL_ERROR: 'server_error',
};

function causeOfNumber(code: number, isJson: boolean): CallFailure['cause'] | undefined {
	if (code >= 300 && code < 400) return 'redirected';
	if (code === 400 || code === 422) return isJson ? 'invalid_request' : 'refused';
	if (code === 401) return 'invalid_api_key';
	if (code === 402) return 'out_of_credits';
	if (code === 403) return 'forbidden';
	if (code === 404) return isJson ? 'task_not_found' : 'refused';
	if (code === 408) return 'no_answer';
	if (code === 429) return 'rate_limited';
	if (code >= 400 && code < 500) return 'refused';
	if (code >= 500) return 'server_error';
	return undefined;
}

/**
 * Why an answer is no success, in the order the contract's notes give: a string code anywhere in the
 * envelope, the numeric code, the HTTP status.
 */
function causeOf(answer: Answer): CallFailure['cause'] {
	const { body, status } = answer;
	const envelope = isObject(body) ? body : {};
	const error = isObject(envelope.error) ? envelope.error : {};
	const data = dataOf(body);
	const codes: unknown[] = [envelope.code, envelope.error, error.code, data.code];
	for (const code of codes) {
		const cause = typeof code === 'string' ? STRING_CODES[code.trim().toUpperCase()] : undefined;
		if (cause) return cause;
	}
	const numbers = [...codes.map(numberOf), status];
	for (const number of numbers) {
		const cause = number === null ? undefined : causeOfNumber(number, isObject(body));
		if (cause) return cause;
	}
	return 'unreadable';
}

function textOfAnswer(body: unknown, apiKey: string): string {
	const envelope = isObject(body) ? body : {};
	const error = isObject(envelope.error) ? envelope.error : {};
	const data = dataOf(body);
	// The most particular first: a `message` beside another text is often just "error".
	const texts = [data.error_message, error.message, envelope.message, envelope.msg, envelope.error];
	const found = typeof body === 'string' ? body : texts.find((text) => typeof text === 'string');
	return readableText(typeof found === 'string' ? found : '', apiKey);
}

/** Milliseconds of a `Retry-After` header, in seconds or as a date. */
function retryAfterMs(headers: Record<string, unknown>, nowMs: number): number | undefined {
	const text = textOf(headers['retry-after']);
	if (text === undefined) return undefined;
	const seconds = Number(text);
	const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - nowMs;
	return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function originOf(location: unknown, baseUrl: string): string | undefined {
	try {
		return new URL(String(location), baseUrl).origin;
	} catch {
		return undefined;
	}
}

function failureOf(answer: Answer, account: Account, nowMs: number): CallFailure {
	return {
		cause: causeOf(answer),
		text: textOfAnswer(answer.body, account.apiKey),
		httpStatus: answer.status,
		location: originOf(answer.headers.location, account.baseUrl),
		retryAfterMs: retryAfterMs(answer.headers, nowMs),
		taskId: taskIdOf(answer.body),
	};
}

/** The `data` of an envelope; empty where there is none. */
function dataOf(body: unknown): Record<string, unknown> {
	return isObject(body) && isObject(body.data) ? body.data : {};
}

function taskIdOf(body: unknown): string | undefined {
	return textOf(dataOf(body).task_id) ?? (isObject(body) ? textOf(body.task_id) : undefined);
}

/** 2xx and `code` 200, or no `code` at all: a task id is never thrown away for a missing field. */
function isSuccess(answer: Answer): boolean {
	const code = isObject(answer.body) ? (answer.body.code ?? 200) : 0;
	return answer.status >= 200 && answer.status < 300 && numberOf(code) === 200;
}

/** How a `POST /generate` ended. `unclear`: it may have been accepted and charged. */
export type Created =
	| { outcome: 'created'; taskId: string; raw: IDataObject }
	| { outcome: 'refused'; failure: CallFailure }
	| { outcome: 'unclear'; failure: CallFailure };

/** Causes after which nobody knows whether the POST was accepted. */
const UNCLEAR: ReadonlyArray<CallFailure['cause']> = ['no_answer', 'server_error', 'unreadable'];

/**
 * Starts one video. Sent once; again only after a refused connection, an unknown host or a 429, at
 * most {@link POST_MAX_TRIES} times. Never throws.
 */
export async function createTask(
	context: NodeFunctions,
	account: Account,
	body: GenerateBody,
	clock: Clock,
): Promise<Created> {
	for (let tries = 1; ; tries++) {
		const called = await call(
			context,
			account,
			{ method: 'POST', url: '/generate', body: { ...body }, timeout: POST_TIMEOUT_MS },
			false,
		);
		const taskId = called.ok ? taskIdOf(called.value.body) : undefined;
		if (called.ok && taskId && isSuccess(called.value)) {
			const raw = { task_id: taskId, ...withoutSecrets(dataOf(called.value.body), account.apiKey) };
			return { outcome: 'created', taskId, raw };
		}
		const failure = called.ok ? failureOf(called.value, account, clock.now()) : called.failure;
		if (failure.taskId || UNCLEAR.includes(failure.cause)) return { outcome: 'unclear', failure };
		const mayRepeat = failure.cause === 'rate_limited' || isRefusedConnection(failure);
		const pauseMs = failure.retryAfterMs ?? 1000 * 2 ** (tries - 1);
		if (!mayRepeat || tries >= POST_MAX_TRIES || pauseMs > RETRY_AFTER_MAX_MS) {
			return { outcome: 'refused', failure };
		}
		if (!(await clock.sleep(pauseMs))) return { outcome: 'refused', failure };
	}
}

/** How a `GET /status` ended. `final`: asking again gives the same. */
export type Read =
	| { outcome: 'task'; task: Task }
	| { outcome: 'transient'; failure: CallFailure }
	| { outcome: 'final'; failure: CallFailure };

const FINAL: ReadonlyArray<CallFailure['cause']> = [
	'invalid_api_key',
	'out_of_credits',
	'task_not_found',
	'forbidden',
	'invalid_request',
	'redirected',
	'refused',
];

/** Reads one task, once, within `timeoutMs` (milliseconds). Tied to Stop. Never throws. */
export async function getTask(
	context: NodeFunctions,
	account: Account,
	taskId: string,
	clock: Clock,
	timeoutMs = READ_TIMEOUT_MS,
): Promise<Read> {
	const called = await call(
		context,
		account,
		{ method: 'GET', url: '/status', qs: { task_id: taskId }, timeout: timeoutMs },
		true,
	);
	if (!called.ok) return { outcome: 'transient', failure: called.failure };
	const answer = called.value;
	const data = isObject(answer.body) ? answer.body.data : undefined;
	const task = isSuccess(answer) ? readTask(taskId, data, account.apiKey) : undefined;
	if (task) return { outcome: 'task', task };
	const failure = failureOf(answer, account, clock.now());
	return { outcome: FINAL.includes(failure.cause) ? 'final' : 'transient', failure };
}

/**
 * Reads one task, patiently: passing trouble is asked again after 1, 2, 4 … seconds, up to
 * {@link READ_MAX_FAILURES} tries. Ends early when the clock's sleep is cut short by Stop.
 */
export async function getTaskPatiently(
	context: NodeFunctions,
	account: Account,
	taskId: string,
	clock: Clock,
): Promise<Read> {
	for (let tries = 1; ; tries++) {
		const read = await getTask(context, account, taskId, clock);
		if (read.outcome !== 'transient' || tries >= READ_MAX_FAILURES) return read;
		const pauseMs = Math.min(read.failure.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
		if (!(await clock.sleep(Math.max(pauseMs, 1000 * 2 ** (tries - 1))))) return read;
	}
}
