/**
 * Video URL → n8n's binary store, streamed: memory stays flat whatever the size. The API key never goes
 * to the video's host. A link that has expired is told apart from passing trouble.
 */
import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';

import type { Clock } from './clock';
import { downloadFailed, type Problem } from './errors';
import type { Task } from './task';
import { isObject, numberOf, textOf } from './json';

/** Downloads under way at once. */
export const PARALLEL_DOWNLOADS = 3;
/** Milliseconds without a byte after which a download has stalled. */
export const STALL_MS = 60_000;
/** Milliseconds between two looks whether bytes still arrive. */
const STALL_CHECK_MS = 2_000;
export const DOWNLOAD_MAX_TRIES = 3;

export type Downloaded =
	| { ok: true; binary: IBinaryData }
	| { ok: false; why: string; expired: boolean };

/** HTTP statuses by which video hosts say that a link is over. */
const EXPIRED_STATUSES = [403, 404, 410];

/** The part of a Node.js stream that is used here; n8n's types hide it behind `any`. */
interface ByteStream {
	on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
	on(event: 'newListener', listener: (event: string) => void): unknown;
	pause(): unknown;
	resume(): unknown;
	destroy(error?: Error): unknown;
}

function isByteStream(
	value: unknown,
): value is ByteStream & Parameters<IExecuteFunctions['helpers']['prepareBinaryData']>[0] {
	return (
		isObject(value) &&
		typeof value.on === 'function' &&
		typeof value.pause === 'function' &&
		typeof value.resume === 'function' &&
		typeof value.destroy === 'function'
	);
}

function mimeTypeOf(header: unknown): string {
	const type = (textOf(header) ?? '').split(';')[0].trim().toLowerCase();
	return !type || type.endsWith('/octet-stream') ? 'video/mp4' : type;
}

class DownloadError extends Error {
	constructor(
		message: string,
		readonly final = false,
		readonly expired = false,
	) {
		super(message);
	}
}

async function downloadOnce(
	context: IExecuteFunctions,
	url: string,
	fileName: string,
	clock: Clock,
): Promise<IBinaryData> {
	const response: unknown = await context.helpers.httpRequest({
		url,
		// Compressed, its length would not be the length that the server announces.
		headers: { 'Accept-Encoding': 'identity' },
		encoding: 'stream',
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
		timeout: STALL_MS,
		abortSignal: context.getExecutionCancelSignal?.(),
	});
	const answer = isObject(response) ? response : {};
	const stream = answer.body;
	if (!isByteStream(stream)) throw new DownloadError('the server sent no file');
	const status = numberOf(answer.statusCode) ?? 0;
	const headers = isObject(answer.headers) ? answer.headers : {};
	const mimeType = mimeTypeOf(headers['content-type']);
	if (status < 200 || status > 299) {
		stream.destroy();
		const expired = EXPIRED_STATUSES.includes(status);
		throw new DownloadError(`HTTP ${status}`, expired, expired);
	}
	if (/^(text\/|application\/(json|xml|xhtml))/.test(mimeType)) {
		stream.destroy();
		throw new DownloadError(`the server sent ${mimeType} instead of a video`);
	}
	// Paused first, so that counting bytes does not start the flow before n8n reads the stream.
	let lastByte = clock.now();
	let bytes = 0;
	let isDone = false;
	stream.pause();
	stream.on('data', (chunk) => {
		lastByte = clock.now();
		bytes += chunk.length;
	});
	// Where n8n collects the file in memory, for its database, it only listens: a paused stream would wait for ever.
	stream.on('newListener', (event) => {
		if (event === 'data') void Promise.resolve().then(() => stream.resume());
	});
	const stalled = (async (): Promise<never> => {
		let isStopped = false;
		while (!isDone && !isStopped && clock.now() - lastByte < STALL_MS) {
			isStopped = !(await clock.sleep(STALL_CHECK_MS));
		}
		if (!isDone) stream.destroy(new Error('no more bytes'));
		throw new DownloadError(
			isStopped
				? 'the execution was stopped'
				: `the server stopped sending for ${STALL_MS / 1000} seconds`,
		);
	})();
	stalled.catch(() => {});
	try {
		const stored = context.helpers.prepareBinaryData(stream, fileName, mimeType);
		stored.catch(() => {});
		const binary = await Promise.race([stored, stalled]);
		const expected = numberOf(headers['content-length']);
		if (bytes === 0 || (expected !== null && bytes !== expected)) {
			throw new DownloadError(`only ${bytes} of ${expected ?? 'the'} bytes arrived`);
		}
		return binary;
	} finally {
		isDone = true;
	}
}

/** Codes of a file system that takes no more. */
const NOT_STORED = ['ENOSPC', 'EACCES', 'EROFS', 'EDQUOT', 'EPERM'];

/** What a person can use of a failed connection: its code, or its message without the address. */
function reasonOf(error: unknown): string {
	if (error instanceof DownloadError) return error.message;
	const code = isObject(error) ? textOf(error.code) : undefined;
	if (code && NOT_STORED.includes(code)) return `n8n could not store the file (${code})`;
	return `the connection failed${code ? ` (${code})` : ''}`;
}

/**
 * Stores the video behind `url` as `<task id>.mp4`, with the type the server tells. Tries
 * {@link DOWNLOAD_MAX_TRIES} times; an expired link once. Never throws.
 */
export async function downloadVideo(
	context: IExecuteFunctions,
	url: string,
	taskId: string,
	clock: Clock,
): Promise<Downloaded> {
	const fileName = `${taskId.replace(/[^\w.-]/g, '_')}.mp4`;
	for (let tries = 1; ; tries++) {
		try {
			return { ok: true, binary: await downloadOnce(context, url, fileName, clock) };
		} catch (error) {
			const isFinal = error instanceof DownloadError && error.final;
			const expired = error instanceof DownloadError && error.expired;
			if (isFinal || tries >= DOWNLOAD_MAX_TRIES || !(await clock.sleep(1000 * tries))) {
				return { ok: false, why: reasonOf(error), expired };
			}
		}
	}
}

export async function fetchVideo(
	context: IExecuteFunctions,
	{ task, url }: { task: Task; url: string },
	{ clock }: { clock: Clock; deadline: number; readAgain: () => Promise<Task | undefined> },
): Promise<
	{ ok: true; binary: IBinaryData; task: Task } | { ok: false; problem: Problem; task: Task }
> {
	const got = await downloadVideo(context, url, task.taskId, clock);
	if (got.ok) return { ok: true, binary: got.binary, task };
	return { ok: false, task, problem: downloadFailed(task.taskId, url, got.why, got.expired) };
}
