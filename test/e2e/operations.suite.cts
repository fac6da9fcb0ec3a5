// Each operation in a workflow that is run by hand: what reaches the next node, and what it cost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INodeExecutionData } from 'n8n-workflow';

import { probe, sizeOf } from '../sandbox/clips.cjs';
import { itemsOf } from '../support/n8n/server.cjs';
import { jsonAt, NEXT, runScene, startTask, world } from './world.cjs';

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

/** What a player sees in an item's file. */
async function watch(item: INodeExecutionData | undefined, field = 'data') {
	const binary = item?.binary?.[field];
	if (!binary) throw new Error(`The item holds no file "${field}"`);
	const folder = mkdtempSync(join(tmpdir(), 'seedance-video-'));
	try {
		const file = join(folder, 'video.mp4');
		writeFileSync(file, await world().api.downloadBinary(binary));
		return { ...binary, ...(await probe(file)) };
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

export function operationsSuite() {
	describe('Generate and Wait', () => {
		it.each([
			['9:16', '480p', '4', true, 14],
			['16:9', '720p', '8', false, 28],
		] as const)(
			'delivers the video as a file: %s, %s, %s s, audio %s',
			async (aspectRatio, resolution, duration, generateAudio, credits) => {
				const { sandbox } = world();
				sandbox.videoBytes = null;
				const execution = await runScene({
					parameters: {
						operation: 'generateAndWait',
						aspectRatio,
						resolution,
						duration,
						generateAudio,
						downloadVideo: true,
					},
				});
				const [item] = itemsOf(execution, NEXT);
				expect(Object.keys(item.json).sort()).toEqual(ITEM_KEYS);
				expect(item.json).toMatchObject({
					status: 'SUCCESS',
					finished: true,
					succeeded: true,
					prompt: 'A paper boat',
					consumed_credits: credits,
					estimated_credits: credits,
					error_message: null,
				});
				const video = await watch(item);
				expect(video).toMatchObject({
					...sizeOf(aspectRatio, resolution),
					hasAudio: generateAudio,
					fileName: `${String(item.json.task_id)}.mp4`,
					mimeType: 'video/mp4',
				});
				expect(Math.abs(video.seconds - Number(duration))).toBeLessThan(0.1);
				expect(sandbox.ledger.spent).toBe(credits);
			},
		);

		it('sends exactly what the fields say', async () => {
			await runScene({
				parameters: {
					operation: 'generateAndWait',
					aspectRatio: '21:9',
					resolution: '720p',
					duration: '12',
					generateAudio: true,
					fixedLens: true,
					imageSource: 'url',
					imageUrl: 'https://images.example.com/boat.png',
				},
				rows: [{ prompt: '2026' }],
			});
			expect(
				world()
					.sandbox.ledger.posts()
					.map(({ json }) => json),
			).toEqual([
				{
					prompt: '2026',
					aspect_ratio: '21:9',
					resolution: '720p',
					duration: '12',
					generate_audio: true,
					fixed_lens: true,
					image_urls: ['https://images.example.com/boat.png'],
				},
			]);
		});

		it('makes a video for each of five rows and keeps their order, for one charge each', async () => {
			const { ledger } = world().sandbox;
			const prompts = ['one', 'two', 'three', 'four', 'five'];
			const execution = await runScene({
				parameters: { operation: 'generateAndWait', downloadVideo: true },
				rows: prompts.map((prompt) => ({ prompt })),
			});
			const items = itemsOf(execution, NEXT);
			expect(items.map(({ json }) => json.prompt)).toEqual(prompts);
			expect(items.every(({ json, binary }) => json.succeeded && binary?.data)).toBe(true);
			expect(items.map(({ pairedItem }) => pairedItem)).toEqual(
				prompts.map((_, item) => ({ item })),
			);
			expect(prompts.map((prompt) => ledger.chargesWithPrompt(prompt))).toEqual([1, 1, 1, 1, 1]);
		});

		it("gives the API's own data when Simplify is off", async () => {
			const [json] = jsonAt(
				await runScene({ parameters: { operation: 'generateAndWait', simplify: false } }),
				NEXT,
			);
			expect(json).toMatchObject({
				status: 'SUCCESS',
				request: { prompt: 'A paper boat', duration: '4' },
				response: [expect.stringContaining('.mp4')],
			});
		});

		it('starts nothing when the rows would cost more than Maximum Credits', async () => {
			const execution = await runScene({
				parameters: {
					operation: 'generateAndWait',
					options: { pollInterval: 1, maxCredits: 20 },
				},
				rows: [{ prompt: 'one' }, { prompt: 'two' }, { prompt: 'three' }],
			});
			expect(execution.error?.message).toContain('24 credits');
			expect(world().sandbox.ledger.posts()).toHaveLength(0);
		});
	});

	describe('Generate Without Waiting', () => {
		it('gives the task ID at once, although the video never gets ready', async () => {
			const { ledger } = world().sandbox;
			const execution = await runScene({
				parameters: { operation: 'generate' },
				rows: [{ prompt: 'Slowly [never]' }],
			});
			const [json] = jsonAt(execution, NEXT);
			expect(Object.keys(json).sort()).toEqual(ITEM_KEYS);
			expect(json).toMatchObject({
				task_id: ledger.charges()[0].taskId,
				status: 'IN_PROGRESS',
				finished: false,
				estimated_credits: 8,
			});
			expect(ledger.statusReads()).toHaveLength(0);
		});
	});

	describe('Get Status', () => {
		it.each([
			['a running', 'A boat [never]', { status: 'IN_PROGRESS', finished: false, succeeded: false }],
			['a finished', 'A boat', { status: 'SUCCESS', finished: true, succeeded: true }],
			['a failed', 'A boat [fail]', { status: 'FAILED', finished: true, succeeded: false }],
		])('reports %s task as an answer, and costs nothing', async (_, prompt, expected) => {
			const { ledger, tasks } = world().sandbox;
			const taskId = await startTask(prompt);
			if (expected.finished) await ledger.until(() => tasks.get(taskId)?.ended === true);
			const execution = await runScene({
				parameters: { operation: 'status' },
				rows: [{ task_id: taskId }],
			});
			expect(execution.status).toBe('success');
			expect(jsonAt(execution, NEXT)).toMatchObject([{ task_id: taskId, ...expected }]);
			expect(ledger.posts()).toHaveLength(1);
			expect(ledger.statusReads()).toHaveLength(1);
		});
	});

	describe('Wait for Video', () => {
		it('waits for videos that were started before, and downloads them without paying again', async () => {
			const { ledger } = world().sandbox;
			const ids = [await startTask('one'), await startTask('two')];
			const execution = await runScene({
				parameters: { operation: 'wait', downloadVideo: true, outputBinaryField: 'video' },
				rows: ids.map((id) => ({ task_id: id })),
			});
			const items = itemsOf(execution, NEXT);
			expect(items.map(({ json }) => json.task_id)).toEqual(ids);
			expect(items.map(({ binary }) => binary?.video?.fileName)).toEqual(
				ids.map((id) => `${id}.mp4`),
			);
			expect(ledger.posts()).toHaveLength(2);
		});

		it('goes on while the video is being made, and ends when it is ready', async () => {
			const { sandbox } = world();
			const taskId = await startTask('A boat [never]');
			sandbox.faults.on('status', { kind: 'server-error', status: 503 });
			const execution = runScene({
				parameters: { operation: 'wait' },
				rows: [{ task_id: taskId }],
			});
			await sandbox.ledger.until(({ statusEntries }) =>
				statusEntries.some(({ shown }) => shown === 'IN_PROGRESS'),
			);
			sandbox.finish(taskId);
			expect(jsonAt(await execution, NEXT)).toMatchObject([{ task_id: taskId, succeeded: true }]);
		});
	});

	describe('Get Cost Estimate', () => {
		it('tells the credits of each row without a credential and without a request', async () => {
			const execution = await runScene({
				parameters: {
					operation: 'estimateCost',
					resolution: '={{ $json.resolution }}',
					duration: '={{ $json.seconds }}',
					generateAudio: '={{ $json.audio }}',
				},
				rows: [
					{ resolution: '480p', seconds: 4, audio: false },
					{ resolution: ' 720P ', seconds: '12s', audio: true },
				],
				credentialId: null,
			});
			expect(jsonAt(execution, NEXT)).toEqual([
				{ estimated_credits: 8, resolution: '480p', duration: '4', generate_audio: false },
				{ estimated_credits: 84, resolution: '720p', duration: '12', generate_audio: true },
			]);
			const { ledger } = world().sandbox;
			expect([...ledger.posts(), ...ledger.statusReads()]).toEqual([]);
		});
	});
}
