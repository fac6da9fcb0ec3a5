/**
 * The stream of a video: checked before it is stored, counted while it passes, and never left open.
 */
import type { IExecuteFunctions } from 'n8n-workflow';

import { HEAD_BYTES } from './fileType';
import { isObject } from '../json';
import { boxReader } from './videoBoxes';

/** Why one try gave no file, as the end of a sentence. */
export class DownloadError extends Error {
	constructor(
		message: string,
		readonly more: { status?: number; retryAfterMs?: number; isFinal?: boolean } = {},
	) {
		super(message);
	}
}

/** The part of a Node.js stream that is used here; n8n's types hide it behind `any`. */
interface Bytes {
	on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
	on(event: 'error', listener: (error: unknown) => void): unknown;
	on(event: 'newListener', listener: (event: string) => void): unknown;
	on(event: 'end' | 'close', listener: () => void): unknown;
	pause(): unknown;
	resume(): unknown;
	unshift(bytes: Uint8Array): unknown;
	destroy(error?: Error): unknown;
}

/** A stream that n8n can store. */
export type ByteStream = Bytes & Parameters<IExecuteFunctions['helpers']['prepareBinaryData']>[0];

const STREAM_METHODS = ['on', 'pause', 'resume', 'unshift', 'destroy'];

/** Whether a value is a Node.js stream, by the methods used here. */
export function isByteStream(value: unknown): value is ByteStream {
	return isObject(value) && STREAM_METHODS.every((name) => typeof value[name] === 'function');
}

/**
 * The first {@link HEAD_BYTES} of a stream, which is paused then and still gives all its bytes. A
 * shorter body is given as it is: the stream has ended. Rejects when the stream breaks before.
 * `onBytes` is called whenever some arrive.
 */
export async function headOf(stream: Bytes, onBytes: () => void): Promise<Uint8Array> {
	return await new Promise((resolve, reject) => {
		let head = Buffer.alloc(0);
		let isRead = false;
		stream.on('error', reject);
		stream.on('close', () => reject(new DownloadError('the connection was closed')));
		stream.on('end', () => resolve(head));
		stream.on('data', (chunk) => {
			if (isRead) return;
			onBytes();
			head = Buffer.concat([head, chunk]);
			if (head.length < HEAD_BYTES) return;
			isRead = true;
			stream.pause();
			stream.unshift(head);
			resolve(head.subarray(0, HEAD_BYTES));
		});
	});
}

/**
 * Watches a paused stream while n8n reads it. Resolves when the whole file has come, rejects when
 * it has not. `length` is that of the header, in bytes; null without one.
 */
export async function wholeOf(
	stream: Bytes,
	length: number | null,
	onBytes: () => void,
): Promise<void> {
	return await new Promise((resolve, reject) => {
		const boxes = boxReader();
		let bytes = 0;
		stream.on('data', (chunk) => {
			onBytes();
			bytes += chunk.length;
			boxes.add(chunk);
		});
		stream.on('error', reject);
		stream.on('close', () => reject(new DownloadError('the connection was closed')));
		stream.on('end', () => {
			// A compressed body has another length (docs/n8n-behaviour.md#compressed-bodies), and some
			// servers send none.
			if (bytes === length || !boxes.isCut()) resolve();
			else stream.destroy(new DownloadError(`the file breaks off after ${bytes} bytes`));
		});
		// Where n8n collects a file, it only listens (docs/n8n-behaviour.md#collected-streams).
		stream.on('newListener', (event) => {
			if (event === 'data') void Promise.resolve().then(() => stream.resume());
		});
	});
}
