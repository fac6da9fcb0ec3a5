// Each operation in a workflow that is run by hand: what reaches the next node, and what it cost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IBinaryData } from 'n8n-workflow';

import { probe, sizeOf } from '../sandbox/clips.cjs';
import { ENCODINGS } from '../sandbox/server.cjs';
import { itemsOf } from '../support/n8n/server.cjs';
import {
	api,
	NEXT,
	output,
	paidIds,
	posts,
	run,
	sandbox,
	startTask,
} from '../support/n8n/world.cjs';

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

	it("gives the API's own data when Simplify is off", async () => {
		expect(output(await run({ simplify: false }))).toMatchObject([
			{
				status: 'SUCCESS',
				request: { prompt: 'A paper boat', duration: '4' },
				response: [expect.stringContaining('.mp4')],
			},
		]);
	});

	it('starts nothing when the rows would cost more than Maximum Credits', async () => {
		const options = { pollInterval: 1, maxCredits: 20 };
		const execution = await run({ options }, { rows: ['one', 'two', 'three'] });
		expect(execution.error?.message).toContain('24 credits');
		expect(posts()).toHaveLength(0);
	});
});

it('Generate Without Waiting gives the task ID at once, although the video never gets ready', async () => {
	const [json] = output(await run({ operation: 'generate' }, { rows: ['Slowly [never]'] }));
	expect(Object.keys(json).sort()).toEqual(ITEM_KEYS);
	expect(json).toMatchObject({
		task_id: paidIds()[0],
		status: 'IN_PROGRESS',
		finished: false,
		estimated_credits: 8,
	});
	expect(sandbox.ledger.statusReads()).toHaveLength(0);
});

it.each([
	['A boat [never]', { status: 'IN_PROGRESS', finished: false, succeeded: false }],
	['A boat', { status: 'SUCCESS', finished: true, succeeded: true }],
	['A boat [fail]', { status: 'FAILED', finished: true, succeeded: false }],
])('Get Status reports a task as an answer, and costs nothing: %s', async (prompt, expected) => {
	const taskId = await startTask(prompt);
	if (expected.finished) {
		await sandbox.ledger.until(() => sandbox.tasks.get(taskId)?.ended === true);
	}
	const execution = await run({ operation: 'status' }, { rows: [{ task_id: taskId }] });
	expect(execution.status).toBe('success');
	expect(output(execution)).toMatchObject([{ task_id: taskId, ...expected }]);
	expect([posts().length, sandbox.ledger.statusReads().length]).toEqual([1, 1]);
});

describe('Wait for Video', () => {
	it('goes on while the video is being made, and ends when it is ready', async () => {
		const taskId = await startTask('A boat [never]');
		sandbox.faults.on('status', { kind: 'server-error', status: 503 });
		const execution = run({ operation: 'wait' }, { rows: [{ task_id: taskId }] });
		await sandbox.ledger.until(({ statusEntries }) =>
			statusEntries.some(({ shown }) => shown === 'IN_PROGRESS'),
		);
		sandbox.finish(taskId);
		expect(output(await execution)).toMatchObject([{ task_id: taskId, succeeded: true }]);
	});
});

it('Get Cost Estimate tells the credits of each row without a credential and without a request', async () => {
	const execution = await run(
		{
			operation: 'estimateCost',
			resolution: '={{ $json.resolution }}',
			duration: '={{ $json.seconds }}',
			generateAudio: '={{ $json.audio }}',
		},
		{
			rows: [
				{ resolution: '480p', seconds: 4, audio: false },
				{ resolution: ' 720P ', seconds: '12s', audio: true },
			],
			credentials: {},
		},
	);
	expect(output(execution)).toEqual([
		{ estimated_credits: 8, resolution: '480p', duration: '4', generate_audio: false },
		{ estimated_credits: 84, resolution: '720p', duration: '12', generate_audio: true },
	]);
	expect([...posts(), ...sandbox.ledger.statusReads()]).toEqual([]);
});
