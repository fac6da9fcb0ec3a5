// The simulated video host: gives out finished videos, and takes note of anyone who brings the API key along.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { pause } from './callbacks.cjs';
import { clipFor } from './clips.cjs';
import { type Answer, htmlAnswer } from './contract.cjs';
import { refusalOf, type Encoding, type Fault, type VideoBodyKind } from './faults.cjs';
import type { VideoRead } from './ledger.cjs';
import { finishWith, safeHeaders, type SandboxState } from './state.cjs';

const CHUNK_BYTES = 256 * 1024;

/** Adds `GET /videos/<task_id>.mp4`. Faults strike only where `withFaults` says so: not where a redirect leads. */
export function addVideos(app: FastifyInstance, state: SandboxState, withFaults: boolean): void {
	app.get<{ Params: { file: string } }>('/videos/:file', async (request, reply) => {
		const taskId = request.params.file.replace(/\.mp4$/, '');
		const link = new URL(request.url, state.origin()).searchParams.get('link');
		const task = state.tasks.get(taskId);
		if (request.headers.authorization !== undefined) state.ledger.recordLeak('video', request.url);
		const read = state.ledger.recordVideoRead({
			at: Date.now(),
			taskId,
			headers: safeHeaders(state, request),
			fault: null,
			answered: null,
			bytes: 0,
			complete: false,
		});
		const fault = withFaults
			? state.faults.take('video', {
					prompt: task?.order.prompt ?? null,
					taskId,
					account: null,
				})
			: null;
		read.fault = fault?.kind ?? null;
		if (fault?.kind === 'delay') await pause(fault.ms);
		const refusal = refusalOfVideo(state, request, fault);
		if (refusal) {
			read.answered = await finishWith(refusal, reply, state.hanging);
		} else if (!task?.ended || task.outcome.status !== 'SUCCESS') {
			read.answered = await finishWith(htmlAnswer(404, 'Not Found'), reply, state.hanging);
		} else {
			const gone =
				task.outcome.videoStatus ??
				state.tasks.refusalOfLink(task, link === null ? null : Number(link));
			if (gone !== null) {
				read.answered = await finishWith(htmlAnswer(gone, 'Gone'), reply, state.hanging);
				return reply;
			}
			const body = await bodyFor(state, fault, () => clipFor(task.order));
			if (fault?.kind === 'drip') state.hanging.add(reply.raw);
			await stream(reply, body, fault, read);
		}
		state.log(`GET  /videos        ${taskId}: ${read.answered ?? read.fault}, ${read.bytes} bytes`);
		state.ledger.changed();
		return reply;
	});
}

function refusalOfVideo(state: SandboxState, request: FastifyRequest, fault: Fault | null) {
	switch (fault?.kind) {
		case 'refuse-with':
		case 'rate-limit':
		case 'firewall':
		case 'server-error':
		case 'redirect':
			return refusalOf(fault, `${state.elsewhere()}${request.url}`, state.faults.limits.now());
		case 'html':
			return htmlAnswer(fault.status);
		case 'empty-body': {
			const empty: Answer = { status: 200, headers: { 'content-type': 'video/mp4' }, body: '' };
			return empty;
		}
		case 'reset':
			return { reset: true as const };
		case 'hang':
			return { hang: true as const, ms: fault.ms };
		default:
			return null;
	}
}

interface VideoBody {
	status: number;
	bytes: number;
	/** Without the length, which {@link stream} adds. */
	headers: OutgoingHttpHeaders;
	chunks: () => AsyncIterable<Buffer>;
}

const PACKERS: Readonly<Record<Encoding, (body: Buffer) => Buffer>> = {
	gzip: (body) => gzipSync(body),
	deflate: (body) => deflateSync(body),
	br: (body) => brotliCompressSync(body),
};

/** What is sent in place of a video. Each begins as bodies of its kind do, which is how they are told apart. */
const OTHER_BODIES: Readonly<Record<VideoBodyKind, Buffer>> = {
	html: Buffer.from(
		'<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n',
	),
	json: Buffer.from('{"code":"LINK_EXPIRED","message":"The link is not valid any more"}'),
	text: Buffer.from('The file is not available at the moment.\n'),
	webm: filled(Buffer.from('1a45dfa39f4286810142f7810142f2810442f381084282847765626d', 'hex')),
	png: filled(Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')),
};

function filled(start: Buffer): Buffer {
	return Buffer.concat([start, Buffer.alloc(2_000 - start.length)]);
}

async function bodyFor(
	state: SandboxState,
	fault: Fault | null,
	clip: () => Promise<string>,
): Promise<VideoBody> {
	const usual = await usualBody(state, fault, clip);
	switch (fault?.kind) {
		case 'content-type':
			return { ...usual, headers: { 'content-type': fault.value } };
		case 'no-content-type':
			return { ...usual, headers: {} };
		case 'video-body':
			return {
				...whole(OTHER_BODIES[fault.body]),
				headers: { 'content-type': fault.contentType ?? 'video/mp4' },
			};
		case 'encoded': {
			const packed = PACKERS[fault.encoding](await gathered(usual));
			return {
				...whole(packed),
				headers: { ...usual.headers, 'content-encoding': fault.encoding },
			};
		}
		case 'partial': {
			const all = await gathered(usual);
			const half = all.subarray(0, Math.ceil(all.length / 2));
			return {
				...whole(half),
				status: 206,
				headers: {
					...usual.headers,
					'content-range': `bytes 0-${half.length - 1}/${all.length}`,
				},
			};
		}
		default:
			return usual;
	}
}

async function usualBody(
	state: SandboxState,
	fault: Fault | null,
	clip: () => Promise<string>,
): Promise<VideoBody> {
	const headers = { 'content-type': 'video/mp4' };
	const synthetic = fault?.kind === 'video-bytes' ? fault.bytes : state.videoBytes;
	if (synthetic !== null) {
		return { status: 200, headers, bytes: synthetic, chunks: () => syntheticChunks(synthetic) };
	}
	const file = await clip();
	const { size } = await stat(file);
	return {
		status: 200,
		headers,
		bytes: size,
		chunks: () => createReadStream(file, { highWaterMark: CHUNK_BYTES }),
	};
}

function whole(body: Buffer): Omit<VideoBody, 'headers'> {
	async function* chunks(): AsyncIterable<Buffer> {
		yield await Promise.resolve(body);
	}
	return { status: 200, bytes: body.length, chunks };
}

async function gathered({ chunks }: VideoBody): Promise<Buffer> {
	const parts: Buffer[] = [];
	for await (const chunk of chunks()) parts.push(chunk);
	return Buffer.concat(parts);
}

/** As many bytes as asked for from one small buffer, so that the sandbox's own memory stays flat. */
async function* syntheticChunks(bytes: number): AsyncIterable<Buffer> {
	const filler = Buffer.alloc(CHUNK_BYTES, 0x53);
	const start = Buffer.from(filler);
	// An MP4 begins with a box called ftyp, which is how its type is recognised.
	Buffer.from('\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2', 'latin1').copy(start);
	for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) {
		const chunk = sent === 0 ? start : filler;
		yield chunk.subarray(0, Math.min(CHUNK_BYTES, bytes - sent));
	}
}

async function stream(
	reply: FastifyReply,
	body: VideoBody,
	fault: Fault | null,
	read: VideoRead,
): Promise<void> {
	reply.hijack();
	const { raw } = reply;
	raw.writeHead(body.status, {
		...body.headers,
		...(fault?.kind === 'no-content-length' ? {} : { 'content-length': body.bytes }),
	});
	read.answered = body.status;
	let drips = fault?.kind === 'drip' ? fault : null;
	const dripsUntil = Date.now() + (drips?.ms ?? Infinity);
	const troubled = fault?.kind === 'stall' || fault?.kind === 'cut' ? fault : null;
	const troubleAt = troubled ? (troubled.afterBytes ?? Math.floor(body.bytes / 2)) : Infinity;
	let trouble = troubled;
	for await (const chunk of body.chunks()) {
		let rest = chunk;
		while (drips && rest.length > 0) {
			if (Date.now() >= dripsUntil) {
				drips = null;
				break;
			}
			if (!(await write(raw, rest.subarray(0, 1), read))) return;
			rest = rest.subarray(1);
			await pause(drips.everyMs);
		}
		if (trouble && read.bytes + rest.length >= troubleAt) {
			const before = rest.subarray(0, troubleAt - read.bytes);
			rest = rest.subarray(before.length);
			if (!(await write(raw, before, read))) return;
			if (trouble.kind === 'cut') {
				raw.destroy();
				return;
			}
			await pause(trouble.ms);
			trouble = null;
		}
		if (!(await write(raw, rest, read))) return;
	}
	raw.end();
	read.complete = true;
}

/** Hands bytes to the connection and waits until it has taken them; false when the caller has gone. */
async function write(raw: ServerResponse, chunk: Buffer, read: VideoRead): Promise<boolean> {
	if (raw.destroyed) return false;
	if (chunk.length === 0) return true;
	const taken = await new Promise<boolean>((resolve) => {
		const gone = () => resolve(false);
		raw.once('close', gone);
		raw.write(chunk, (error) => {
			raw.off('close', gone);
			resolve(!error);
		});
	});
	if (taken) read.bytes += chunk.length;
	return taken;
}
