// The simulated video host: gives out finished videos, and takes note of anyone who brings the API key along.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { finishWith } from './api.cjs';
import { pause } from './callbacks.cjs';
import { clipFor } from './clips.cjs';
import { htmlResponse } from './contract.cjs';
import {
	refusalOf,
	type Encoding,
	type Ending,
	type Fault,
	type VideoBodyKind,
} from './faults.cjs';
import type { VideoRead } from './ledger.cjs';
import type { Sandbox } from './server.cjs';
import type { SandboxTask } from './tasks.cjs';
import { termsOf } from './versions.cjs';

const CHUNK_BYTES = 256 * 1024;
const MP4 = { 'content-type': 'video/mp4' };

/** Adds `GET /videos/<task_id>.mp4`. Faults apply only where `withFaults` says so: not where a redirect leads. */
export function addVideos(app: FastifyInstance, sandbox: Sandbox, withFaults: boolean): void {
	const { faults, ledger, tasks } = sandbox;

	/** What is sent instead of a video; null where one is due. */
	const refusal = (fault: Fault | null, url: string, task?: SandboxTask): Ending | null => {
		const around = { elsewhere: `${sandbox.elsewhere.origin}${url}`, now: faults.limits.now() };
		const refused = refusalOf(fault, around);
		if (refused) return refused;
		if (fault?.kind === 'html') return htmlResponse(fault.status);
		if (fault?.kind === 'empty-body') return { status: 200, headers: MP4, body: '' };
		if (!task?.ended || task.outcome.status !== 'SUCCESS') return htmlResponse(404, 'Not Found');
		const link = new URL(url, sandbox.origin).searchParams.get('link');
		const gone =
			task.outcome.videoStatus ?? tasks.refusalOfLink(task, link === null ? null : Number(link));
		return gone === null ? null : htmlResponse(gone, 'Gone');
	};

	app.get<{ Params: { file: string } }>('/videos/:file', async (request, reply) => {
		const { url, headers, params } = request;
		const taskId = params.file.replace(/\.mp4$/, '');
		const task = tasks.get(taskId);
		if (headers.authorization !== undefined) ledger.recordLeak('video', url);
		const entry = sandbox.entryOf(request);
		const read = ledger.record(ledger.videoEntries, {
			...entry,
			taskId,
			bytes: 0,
			complete: false,
		});
		const target = { prompt: task?.order.prompt ?? null, taskId, account: null };
		const fault = withFaults ? faults.take('video', target) : null;
		read.fault = fault?.kind ?? null;
		if (fault?.kind === 'delay') await pause(fault.ms);
		const refused = refusal(fault, url, task);
		if (refused) {
			read.answered = await finishWith(refused, reply, sandbox);
		} else if (task) {
			if (fault?.kind === 'drip') sandbox.hanging.add(reply.raw);
			await stream(reply, await bodyFor(sandbox, fault, task), fault, read);
		}
		sandbox.log(
			`GET  /videos        ${taskId}: ${read.answered ?? read.fault}, ${read.bytes} bytes`,
		);
		ledger.changed();
		return reply;
	});
}

interface VideoBody {
	status?: number;
	bytes: number;
	/** Without the length, which {@link stream} adds. */
	headers: OutgoingHttpHeaders;
	chunks: Readable;
}

const PACKERS: Readonly<Record<Encoding, (body: Buffer) => Buffer>> = {
	gzip: (body) => gzipSync(body),
	deflate: (body) => deflateSync(body),
	br: (body) => brotliCompressSync(body),
};

const filled = (hex: string) => Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(2_000)]);

/** What is sent in place of a video. Each begins as bodies of its kind do, which distinguishes them. */
const OTHER_BODIES: Readonly<Record<VideoBodyKind, Buffer>> = {
	html: Buffer.from(htmlResponse(200, 'Sign in').body),
	json: Buffer.from('{"code":"LINK_EXPIRED","message":"The link is not valid any more"}'),
	text: Buffer.from('The file is not available at the moment.\n'),
	webm: filled('1a45dfa39f4286810142f7810142f2810442f381084282847765626d'),
	png: filled('89504e470d0a1a0a0000000d49484452'),
};

const whole = (body: Buffer, headers: OutgoingHttpHeaders): VideoBody => ({
	bytes: body.length,
	headers,
	chunks: Readable.from([body]),
});

async function bodyFor(
	{ videoBytes }: Sandbox,
	fault: Fault | null,
	task: SandboxTask,
): Promise<VideoBody> {
	if (fault?.kind === 'video-body') {
		return whole(OTHER_BODIES[fault.body], { 'content-type': fault.contentType ?? 'video/mp4' });
	}
	const synthetic = fault?.kind === 'video-bytes' ? fault.bytes : videoBytes;
	const file = synthetic === null ? await clipFor(termsOf(task.order).clip) : '';
	const bytes = synthetic ?? (await stat(file)).size;
	const chunks =
		synthetic === null
			? createReadStream(file, { highWaterMark: CHUNK_BYTES })
			: Readable.from(syntheticChunks(bytes, task.id));
	switch (fault?.kind) {
		case 'content-type':
			return { bytes, chunks, headers: { 'content-type': fault.value } };
		case 'no-content-type':
			return { bytes, chunks, headers: {} };
		case 'encoded': {
			const packed = PACKERS[fault.encoding](await buffer(chunks));
			return whole(packed, { ...MP4, 'content-encoding': fault.encoding });
		}
		case 'partial': {
			const half = (await buffer(chunks)).subarray(0, Math.ceil(bytes / 2));
			const range = `bytes 0-${half.length - 1}/${bytes}`;
			return { ...whole(half, { ...MP4, 'content-range': range }), status: 206 };
		}
		default:
			return { bytes, chunks, headers: MP4 };
	}
}

/**
 * As many bytes as asked for from one small buffer, so that the sandbox's own memory stays flat. The task's ID is in them:
 * the videos of two tasks are different.
 */
function* syntheticChunks(bytes: number, taskId: string): Iterable<Buffer> {
	const filler = Buffer.alloc(CHUNK_BYTES, 0x53);
	const start = Buffer.from(filler);
	// An MP4 begins with a box called ftyp, which is how its type is recognised.
	start.write('\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2', 'latin1');
	start.write(taskId, 32, 'latin1');
	for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) {
		yield (sent === 0 ? start : filler).subarray(0, Math.min(CHUNK_BYTES, bytes - sent));
	}
}

/** The chunks of a body, slowed down, held up or cut short as a fault says. */
async function* faulty({ chunks, bytes }: VideoBody, fault: Fault | null): AsyncIterable<Buffer> {
	const drip = fault?.kind === 'drip' ? fault : null;
	const dripsUntil = Date.now() + (drip?.ms ?? Infinity);
	let trouble = fault?.kind === 'stall' || fault?.kind === 'cut' ? fault : null;
	const troubleAt = trouble?.afterBytes ?? Math.floor(bytes / 2);
	let sent = 0;
	for await (const chunk of chunks) {
		let rest: Buffer = chunk;
		while (drip && rest.length > 0 && Date.now() < dripsUntil) {
			yield rest.subarray(0, 1);
			rest = rest.subarray(1);
			await pause(drip.everyMs);
		}
		if (trouble && sent + rest.length >= troubleAt) {
			yield rest.subarray(0, troubleAt - sent);
			if (trouble.kind === 'cut') return;
			rest = rest.subarray(troubleAt - sent);
			sent = troubleAt;
			await pause(trouble.ms);
			trouble = null;
		}
		sent += rest.length;
		yield rest;
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
	const { status = 200, bytes, headers } = body;
	raw.writeHead(status, {
		...headers,
		...(fault?.kind !== 'no-content-length' && { 'content-length': bytes }),
	});
	read.answered = status;
	for await (const chunk of faulty(body, fault)) {
		if (chunk.length > 0 && !(await write(raw, chunk))) return;
		read.bytes += chunk.length;
	}
	read.complete = read.bytes === bytes;
	if (read.complete) raw.end();
	else raw.destroy();
}

/** Hands bytes to the connection and waits until it has taken them; false when the caller has gone. */
async function write(raw: ServerResponse, chunk: Buffer): Promise<boolean> {
	if (raw.destroyed) return false;
	return await new Promise<boolean>((resolve) => {
		const gone = () => resolve(false);
		raw.once('close', gone);
		raw.write(chunk, (error) => {
			raw.off('close', gone);
			resolve(!error);
		});
	});
}
