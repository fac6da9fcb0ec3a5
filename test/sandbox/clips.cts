// The videos that the sandbox gives out: small playable MP4s of the requested shape, length and sound, made when first needed.
import { path as ffmpeg } from '@ffmpeg-installer/ffmpeg';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import type { ClipShape } from './contract.cjs';
import { sceneOf } from './scene.cjs';

/**
 * Width and height in pixels: the short side is 480 or 720, the long one follows from the ratio, and both are even
 * because the usual video encoding wants them so.
 */
export function sizeOf(ratio: string, resolution: string): { width: number; height: number } {
	const [across, down] = ratio.split(':').map(Number);
	const short = Number.parseInt(resolution, 10);
	const long = 2 * Math.round((short * Math.max(across, down)) / Math.min(across, down) / 2);
	return across >= down ? { width: long, height: short } : { width: short, height: long };
}

const making = new Map<string, Promise<string>>();

/** Where clips are kept from one run to the next. */
const clipFolder = () => path.join(tmpdir(), `seedance-sandbox-clips-${userInfo().username}`);

/**
 * Path of an MP4 (H.264, AAC when there is sound) of this shape. The first call for a shape encodes it, which takes one to
 * three seconds; later ones, also of other processes, find it in the cache. Throws with the encoder's own words when it
 * fails.
 */
export async function clipFor(shape: ClipShape, folder = clipFolder()): Promise<string> {
	const { width, height } = sizeOf(shape.ratio, shape.resolution);
	const sound = shape.hasSound ? 'sound' : 'silent';
	const file = path.join(folder, `v2-${width}x${height}-${shape.seconds}s-${sound}.mp4`);
	let clip = making.get(file);
	if (!clip) {
		clip = existsOrEncode(file, { width, height }, shape).finally(() => making.delete(file));
		making.set(file, clip);
	}
	return await clip;
}

async function existsOrEncode(
	file: string,
	size: ReturnType<typeof sizeOf>,
	shape: ClipShape,
): Promise<string> {
	const kept = await stat(file).catch(() => null);
	if (kept && kept.size > 0) return file;
	await mkdir(path.dirname(file), { recursive: true });
	const unfinished = `${file}.${randomUUID()}.mp4`;
	const { seconds, hasSound } = shape;
	const { layers, filter } = sceneOf(size.width, size.height);
	const pictures = layers.map((_, index) => `${unfinished}.${index}.pam`);
	const tone = `sine=frequency=440:sample_rate=48000:duration=${seconds}`;
	try {
		await Promise.all(
			pictures.map(async (picture, index) => await writeFile(picture, layers[index])),
		);
		await runEncoder([
			...['-loglevel', 'error', '-y'],
			...pictures.flatMap((picture) => ['-framerate', '12', '-i', picture]),
			...(hasSound ? ['-f', 'lavfi', '-i', tone] : []),
			...['-filter_complex', filter],
			...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '36', '-pix_fmt', 'yuv420p'],
			...(hasSound ? ['-c:a', 'aac', '-b:a', '64k'] : []),
			...['-t', String(seconds), '-movflags', '+faststart', unfinished],
		]);
		// Renaming is one step, so that no other process ever reads half a clip.
		await rename(unfinished, file);
	} finally {
		for (const one of [unfinished, ...pictures]) await rm(one, { force: true });
	}
	return file;
}

async function runEncoder(args: string[]): Promise<string> {
	const run = promisify(execFile)(ffmpeg, ['-hide_banner', '-nostdin', ...args], {
		maxBuffer: 4 * 1024 * 1024,
	});
	return (
		await run.catch((error: Error & { stderr?: string }) => {
			throw new Error(`The video encoder failed: ${error.stderr?.trim() || error.message}`);
		})
	).stderr;
}

/** What a video file holds, as a player reads it. `audioCodec` is null when it is silent. */
export interface Probe {
	width: number;
	height: number;
	/** Seconds, to the hundredth. */
	seconds: number;
	hasAudio: boolean;
	videoCodec: string;
	audioCodec: string | null;
}

/** Reads a video file with a real decoder, to its last frame. Throws when it cannot be played. */
export async function probe(file: string): Promise<Probe> {
	const report = await runEncoder(['-i', file, '-f', 'null', '-']);
	const length = /Duration: (\d+):(\d+):(\d+(?:\.\d+)?)/.exec(report);
	const video = /Stream #0:\d+.*?: Video: (\w+).*? (\d{2,})x(\d{2,})/.exec(report);
	const [, audioCodec = null] = /Stream #0:\d+.*?: Audio: (\w+)/.exec(report) ?? [];
	if (!length || !video) throw new Error(`${path.basename(file)} holds no video`);
	return {
		width: Number(video[2]),
		height: Number(video[3]),
		seconds: Number(length[1]) * 3600 + Number(length[2]) * 60 + Number(length[3]),
		hasAudio: audioCodec !== null,
		videoCodec: video[1],
		audioCodec,
	};
}
