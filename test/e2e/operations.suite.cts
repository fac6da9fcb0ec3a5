// Each operation in a workflow that is run by hand: what reaches the next node, and what it cost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IBinaryData } from 'n8n-workflow';

import { probe, sizeOf } from '../sandbox/clips.cjs';
import { ENCODINGS } from '../sandbox/server.cjs';
import { itemsOf } from '../support/n8n/server.cjs';
import { api, NEXT, posts, run, sandbox } from '../support/n8n/world.cjs';

/** The keys of a simplified item, whatever the task's state. */
const ITEM_KEYS = [
	'consumed_credits',
	'created_at',
	'error_message',
	'estimated_credits',
	'finished',
	'prompt',
	'status',
	'succeeded',
	'task_id',
	'video_url',
];

/** What a player shows of a file. */
async function play(binary: IBinaryData) {
	const folder = mkdtempSync(join(tmpdir(), 'seedance-video-'));
	try {
		const file = join(folder, 'video.mp4');
		writeFileSync(file, await api.downloadBinary(binary));
		return await probe(file);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

describe('Generate and Wait', () => {
	it('delivers a file that plays, as it was ordered', async () => {
		sandbox.videoBytes = null;
		const wanted = { aspectRatio: '16:9', resolution: '480p', duration: '4', generateAudio: true };
		const [{ json, binary }] = itemsOf(await run({ ...wanted, downloadVideo: true }), NEXT);
		expect(Object.keys(json).sort()).toEqual(ITEM_KEYS);
		expect(json).toMatchObject({
			status: 'SUCCESS',
			finished: true,
			succeeded: true,
			prompt: 'A paper boat',
			consumed_credits: 14,
			estimated_credits: 14,
			error_message: null,
		});
		if (!binary) throw new Error('The item holds no file');
		const video = await play(binary.data);
		expect(video).toMatchObject({ ...sizeOf('16:9', '480p'), hasAudio: true });
		expect(Math.abs(video.seconds - 4)).toBeLessThan(0.1);
		expect(sandbox.ledger.spent).toBe(14);
	});

	it.each(ENCODINGS)('stores a video that comes packed as %s, unpacked', async (encoding) => {
		sandbox.faults.on('video', { kind: 'encoded', encoding }, { times: 'always' });
		const [{ binary }] = itemsOf(await run({ downloadVideo: true }), NEXT);
		const file = binary && (await api.downloadBinary(binary.data));
		expect(file?.length).toBe(sandbox.videoBytes);
		expect(file?.toString('latin1', 4, 8)).toBe('ftyp');
	});

	it('stores the first video though its link dies before the last one is ready', async () => {
		sandbox.speed = 1;
		const outcome = { status: 'SUCCESS', link: { seconds: 5, isRenewed: false } } as const;
		sandbox.faults.on('generate', { kind: 'task', seconds: 1, outcome }, { prompt: 'soon' });
		sandbox.faults.on('generate', { kind: 'task', seconds: 13 }, { prompt: 'late' });
		const options = { rows: ['soon', 'late'], timeoutMs: 45_000 };
		const items = itemsOf(await run({ downloadVideo: true }, options), NEXT);
		const sizes = items.map(async ({ binary }) =>
			binary ? (await api.downloadBinary(binary.data)).length : 0,
		);
		expect(await Promise.all(sizes)).toEqual(items.map(() => sandbox.videoBytes));
		expect(items).toHaveLength(2);
	});

	it('sends exactly what the fields say, and who sends it', async () => {
		const imageUrl = 'https://images.example.com/boat.png';
		await run(
			{
				aspectRatio: '21:9',
				resolution: '720p',
				duration: '12',
				generateAudio: true,
				fixedLens: true,
				imageSource: 'url',
				imageUrl,
			},
			{ rows: ['2026'] },
		);
		expect(posts().map(({ json }) => json)).toEqual([
			{
				prompt: '2026',
				aspect_ratio: '21:9',
				resolution: '720p',
				duration: '12',
				generate_audio: true,
				fixed_lens: true,
				image_urls: [imageUrl],
			},
		]);
		for (const { headers } of [...posts(), ...sandbox.ledger.statusReads()]) {
			expect(headers['user-agent']).toMatch(/^n8n-nodes-seedance\/\d+\.\d+\.\d+ /);
		}
	});
});
