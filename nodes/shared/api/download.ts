/**
 * Video URL → n8n's binary store, streamed: memory stays flat whatever the size.
 *
 * Rules that must not regress:
 * - the API key never goes to the video's host;
 * - what is stored is a whole video: HTTP 200, the first bytes of a video, and its last ones;
 * - every stream is destroyed and every fetch ends: by its deadline, on Stop, and when no more
 *   bytes arrive;
 * - a link is called expired only when it was refused again after the task was read again, minutes
 *   after its start (docs/api-contract.md#life-of-a-link).
 */
import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';

import { RETRY_AFTER_MAX_MS } from './throttle';
import { withTimeout, type Clock } from '../n8n/clock';
import { downloadFailed, type Problem } from '../task/errors';
import { extensionOf } from './fileType';
import { isObject, numberOf, readableText, textOf } from '../json';
import { hasVideo, type Task } from '../task/task';
import { USER_AGENT } from './userAgent';
import { videoStreamOf, checkedTypeOf } from './downloadResponse';
import { DownloadError, headOf, isByteStream, wholeOf, type ByteStream } from './videoStream';

/** Downloads in flight at once. */
export const PARALLEL_DOWNLOADS = 3;
/** Milliseconds without a byte after which a download has stalled. */
export const STALL_MS = 60_000;
/** Milliseconds between two checks whether bytes still arrive. */
const STALL_CHECK_MS = 2_000;
/** Tries of one link, the first included. */
export const DOWNLOAD_MAX_TRIES = 3;
/** Milliseconds before the second try of a link, and before each further one. */
const DELAYS_MS = [2_000, 5_000];
/** Milliseconds since the task was created; a refused link that is younger has not expired. */
export const EXPIRED_AFTER_MS = 5 * 60_000;
/** Milliseconds for a download in a run that has no limit of its own. */
export const DOWNLOAD_LIMIT_MS = 10 * 60_000;

/**
 * HTTP statuses with which video hosts refuse a link: for good, or because the file is not there
 * yet.
 */
export const REFUSED_LINK_STATUSES = [403, 404, 410];

/**
 * How a fetch ended; `task` is the latest reading, whose link may be newer than the one that was
 * given.
 */
export type Fetched =
	| { ok: true; binary: IBinaryData; task: Task }
	| { ok: false; problem: Problem; task: Task };

/** The limits of a fetch, and how to get a fresh link. */
export interface FetchOptions {
	clock: Clock;
	/** Milliseconds since 1970: the fetch has ended by then, whatever the server does. */
	deadline: number;
	/** Reads the task once more; undefined when it cannot be read. */
	readAgain: () => Promise<Task | undefined>;
}

/**
 * Rejects when a try has to end before its file has come: Stop, the deadline, {@link STALL_MS}
 * without a byte.
 */
async function endEarly(
	{ clock, deadline }: FetchOptions,
	lastByteAt: () => number,
	isDone: AbortSignal,
): Promise<never> {
	for (;;) {
		const now = clock.now();
		if (now >= deadline) {
			throw new DownloadError('the time was up before all of it had arrived', { isFinal: true });
		}
		if (now - lastByteAt() >= STALL_MS) {
			throw new DownloadError(`the server stopped sending for ${STALL_MS / 1000} seconds`);
		}
		if (!(await clock.sleep(Math.min(STALL_CHECK_MS, deadline - now), isDone))) {
			throw new DownloadError('the execution was stopped', { isFinal: true });
		}
	}
}

/** Lets n8n store the stream, and gives the file once all of it has come and is stored. */
async function store(
	context: IExecuteFunctions,
	stream: ByteStream,
	file: { name: string; type: string },
	whole: Promise<void>,
): Promise<IBinaryData> {
	const prepare = async () => await context.helpers.prepareBinaryData(stream, file.name, file.type);
	const stored = prepare().catch((error: unknown) => {
		const { code, message } = isObject(error) ? error : {};
		const reason = textOf(code) ?? readableText(textOf(message) ?? 'no reason given', '');
		throw new DownloadError(`n8n could not store the file (${reason})`);
	});
	// A stream that breaks makes n8n's store fail as well, but later.
	const [binary] = await Promise.all([stored, whole]);
	return binary;
}

/** The stream of a response, with its errors ignored. */
function muted(response: unknown): ByteStream | undefined {
	const body = isObject(response) ? response.body : undefined;
	if (!isByteStream(body)) return undefined;
	body.on('error', () => {});
	return body;
}

/**
 * One try. Stores nothing but a video, and leaves no stream open. Throws when there is no video.
 */
async function downloadOnce(
	context: IExecuteFunctions,
	{ task, url }: { task: Task; url: string },
	options: FetchOptions,
): Promise<IBinaryData> {
	const isDone = new AbortController();
	const request = new AbortController();
	let lastByteAt = options.clock.now();
	const onBytes = () => {
		lastByteAt = options.clock.now();
	};
	const ask = async (): Promise<unknown> =>
		await context.helpers.httpRequest({
			url,
			headers: { 'Accept-Encoding': 'identity', 'User-Agent': USER_AGENT },
			encoding: 'stream',
			returnFullResponse: true,
			ignoreHttpStatusErrors: true,
			timeout: STALL_MS,
			abortSignal: request.signal,
		});
	const asked = ask();
	const load = async (): Promise<IBinaryData> => {
		const response = await asked;
		muted(response);
		onBytes();
		const received = isObject(response) ? response : {};
		const headers = isObject(received.headers) ? received.headers : {};
		const stream = videoStreamOf(received, headers);
		const type = checkedTypeOf(await headOf(stream, onBytes), headers);
		const name = `${task.taskId.replace(/[^\w.-]/g, '_').slice(0, 100)}.${extensionOf(type)}`;
		const whole = wholeOf(stream, numberOf(headers['content-length']), onBytes);
		return await store(context, stream, { name, type }, whole);
	};
	let isStored = false;
	try {
		const early = endEarly(options, () => lastByteAt, isDone.signal);
		const binary = await Promise.race([load(), early]);
		isStored = true;
		return binary;
	} finally {
		isDone.abort();
		// Destroying the stream alone may leave the connection open
		// (docs/n8n-behaviour.md#wrapped-streams).
		if (!isStored) request.abort();
		asked.then(
			(response) => muted(response)?.destroy(),
			() => {},
		);
	}
}

/**
 * Why a try failed. Of a failed connection it shows the code only, which is what helps a person.
 */
function failureOf(error: unknown): DownloadError {
	if (error instanceof DownloadError) return error;
	const code = isObject(error) ? textOf(error.code) : undefined;
	return new DownloadError(`the connection failed${code ? ` (${code})` : ''}`);
}

/** Milliseconds since a task was created; undefined without a time, or for one without its zone. */
function ageOf({ createdAt }: Task, nowMs: number): number | undefined {
	const text = createdAt ?? '';
	const isZoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text);
	const seconds = numberOf(text);
	const createdMs = isZoned ? Date.parse(text) : (seconds ?? NaN) * (text.length > 11 ? 1 : 1000);
	return Number.isFinite(createdMs) ? nowMs - createdMs : undefined;
}

/** The task, read again; undefined when it cannot be read in time or has no video any more. */
async function freshTask({ clock, deadline, readAgain }: FetchOptions): Promise<Task | undefined> {
	const reading = (async () => await readAgain())();
	const task = await withTimeout(
		reading.catch(() => undefined),
		deadline - clock.now(),
		clock,
	);
	return task && hasVideo(task) ? task : undefined;
}

/**
 * Stores the video behind `url` as `<task id>.mp4`, or with the extension of what it is. Tries a
 * link up to {@link DOWNLOAD_MAX_TRIES} times. When it is refused (403, 404, 410), the task is read
 * again, once, and its fresh link is tried as well. Ends by the deadline, and on Stop. Never
 * throws.
 */
export async function fetchVideo(
	context: IExecuteFunctions,
	video: { task: Task; url: string },
	options: FetchOptions,
): Promise<Fetched> {
	const { clock, deadline } = options;
	let { task, url } = video;
	let hasAsked = false;
	let isConfirmed = false;
	for (let tries = 1; ; tries++) {
		try {
			return { ok: true, binary: await downloadOnce(context, { task, url }, options), task };
		} catch (error) {
			const { message, more } = failureOf(error);
			const isRefused = REFUSED_LINK_STATUSES.includes(more.status ?? 0);
			const mayAsk = isRefused && !hasAsked;
			const asksFor = Math.min(more.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
			const delayMs = Math.max(asksFor, DELAYS_MS[Math.min(tries, DELAYS_MS.length) - 1]);
			const isOver = more.isFinal || (tries >= DOWNLOAD_MAX_TRIES && !mayAsk);
			if (isOver || clock.now() + delayMs >= deadline || !(await clock.sleep(delayMs))) {
				const age = isRefused && isConfirmed ? ageOf(task, clock.now()) : undefined;
				const isExpired = age !== undefined && age >= EXPIRED_AFTER_MS;
				return {
					ok: false,
					task,
					problem: downloadFailed(task.taskId, url, {
						why: message,
						status: more.status,
						expiredMs: isExpired ? age : undefined,
					}),
				};
			}
			if (!mayAsk) continue;
			hasAsked = true;
			const fresh = await freshTask(options);
			isConfirmed = fresh !== undefined;
			// A fresh link gets all its tries, the old one at least one more.
			tries = fresh && fresh.videoUrl !== url ? 0 : Math.min(tries, DOWNLOAD_MAX_TRIES - 1);
			if (fresh?.videoUrl) [task, url] = [fresh, fresh.videoUrl];
		}
	}
}
