// The sandbox's videos are real ones: a decoder finds the picture, the length and the sound that were asked for.
import axios from 'axios';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { clipFor, probe, sizeOf } from '../sandbox/clips.cjs';
import { ASPECT_RATIOS, RESOLUTIONS, startSandbox } from '../sandbox/server.cjs';

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'sandbox-clips-test-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

describe('size', () => {
	it.each([
		['16:9', '720p', 1280, 720],
		['9:16', '720p', 720, 1280],
		['1:1', '480p', 480, 480],
		['16:9', '480p', 854, 480],
		['4:3', '720p', 960, 720],
		['3:4', '480p', 480, 640],
		['21:9', '720p', 1680, 720],
		['9:21', '480p', 480, 1120],
	] as const)('of %s at %s is %i × %i', (ratio, resolution, width, height) => {
		expect(sizeOf(ratio, resolution)).toEqual({ width, height });
	});

	it('is even for every ratio and resolution', () => {
		const sizes = ASPECT_RATIOS.flatMap((ratio) =>
			RESOLUTIONS.map((resolution) => sizeOf(ratio, resolution)),
		);
		expect(sizes.every(({ width, height }) => width % 2 === 0 && height % 2 === 0)).toBe(true);
	});
});

describe('a clip', () => {
	it.each([
		['9:16', '480p', '4', true],
		['16:9', '720p', '8', false],
		['21:9', '480p', '12', true],
	] as const)(
		'of %s, %s, %s s, audio %s is one to a decoder',
		async (aspect_ratio, resolution, duration, generate_audio) => {
			const file = await clipFor({ aspect_ratio, resolution, duration, generate_audio }, folder);
			const found = await probe(file);
			expect(found).toMatchObject({ ...sizeOf(aspect_ratio, resolution), videoCodec: 'h264' });
			expect(found.hasAudio).toBe(generate_audio);
			expect(found.audioCodec).toBe(generate_audio ? 'aac' : null);
			expect(Math.abs(found.seconds - Number(duration))).toBeLessThan(0.1);
		},
		60_000,
	);

	it('is made once, however many ask at the same time', async () => {
		const shape = {
			aspect_ratio: '1:1',
			resolution: '480p',
			duration: '4',
			generate_audio: false,
		} as const;
		const files = await Promise.all([clipFor(shape, folder), clipFor(shape, folder)]);
		expect(files[0]).toBe(files[1]);
	}, 60_000);

	it('that is no video is not taken for one', async () => {
		const file = path.join(folder, 'text.mp4');
		await writeFile(file, 'not a video');
		await expect(probe(file)).rejects.toThrow('The video encoder failed');
	});

	it('is what the video host gives out', async () => {
		const sandbox = await startSandbox({ taskSeconds: 0 });
		try {
			const headers = { Authorization: `Bearer ${sandbox.apiKey}` };
			const created = await axios.post(
				`${sandbox.baseUrl}/generate`,
				{ prompt: 'A boat', aspect_ratio: '3:4', resolution: '480p', duration: '4' },
				{ headers, proxy: false },
			);
			const { data } = await axios.get(`${sandbox.baseUrl}/status`, {
				params: { task_id: created.data.data.task_id },
				headers,
				proxy: false,
			});
			const video = await axios.get<Buffer>(data.data.response[0], {
				responseType: 'arraybuffer',
				proxy: false,
			});
			expect(video.headers['content-type']).toBe('video/mp4');
			const file = path.join(folder, 'downloaded.mp4');
			await writeFile(file, video.data);
			expect(await probe(file)).toMatchObject({ width: 480, height: 640, hasAudio: false });
			expect(sandbox.ledger.keyLeaks).toEqual([]);
		} finally {
			await sandbox.close();
		}
	}, 60_000);
});
