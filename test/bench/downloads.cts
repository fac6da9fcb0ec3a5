/** Memory of a download: the peak of n8n over its rest while a file of a given size is fetched. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '../sandbox/server.cjs';
import { startTaskAt } from '../support/tasks.cjs';
import { BenchError } from './program.cjs';
import { compare, type Bench, type Row } from './rows.cjs';
import type { Flow } from './setup.cjs';

/** Megabytes of the files, and what the largest may cost more than the smallest. */
const SIZES = { usual: [10, 100, 500], quick: [10, 100] };
const MARK_MB = 60;
const GROSS_MB = 90;
/** Milliseconds n8n gets to come to rest, and for a download. */
const REST_MS = 3_000;
const MAX_MS = 120_000;

export const downloads: Row = {
	name: 'downloads',
	what: 'memory of a download',
	measure: async (bench) => {
		const sizes = SIZES[bench.quick ? 'quick' : 'usual'];
		const peaks: Array<{ size: number; ours: number; beside: number }> = [];
		for (const size of sizes) {
			const ours = await peakMb(bench, size, 'download', 'Seedance');
			peaks.push({ size, ours, beside: await peakMb(bench, size, 'downloadByHand', 'Download') });
		}
		const megabytes = (value: number) => `${value.toFixed(0)} MB`;
		const [smallest, largest] = [peaks[0], peaks[peaks.length - 1]];
		const more = largest.ours - smallest.ours;
		return {
			figures: [
				...peaks.map(({ size, ours, beside }) =>
					compare(`Download of ${size} MB, peak over rest`, [ours, beside], megabytes),
				),
				{
					name: `${largest.size} MB cost more than ${smallest.size} MB`,
					ours: megabytes(more),
					beside: megabytes(largest.beside - smallest.beside),
					mark: `< ${MARK_MB} MB`,
					isMet: more < MARK_MB,
					isGross: more > GROSS_MB,
				},
			],
			note: `Resident memory as the kernel counts its peak, ${bench.quick ? 'in one n8n' : 'each in a new n8n'} after a download of 1 MB. Wait for Video with Download Video, beside it an HTTP Request node with the response format File.`,
		};
	},
};

/** Megabytes over the rest that n8n takes at its peak while one file is fetched. */
async function peakMb({ say, withSetup, signal }: Bench, size: number, file: string, node: string) {
	say(`${size} MB with ${node}`);
	return await withSetup(async (setup) => {
		const flow = await setup.publish(file);
		await download(setup.sandbox, flow, node, 1);
		await sleep(REST_MS, undefined, { signal });
		const rest = setup.memoryMb().now;
		setup.forgetPeak();
		await download(setup.sandbox, flow, node, size);
		return setup.memoryMb().peak - rest;
	}, true);
}

async function download(sandbox: Sandbox, flow: Flow, node: string, size: number): Promise<void> {
	sandbox.videoBytes = size * 1024 * 1024;
	try {
		const taskId = await startTaskAt(sandbox, { prompt: 'A boat, 0 s' });
		const row = { task_id: taskId, url: `${sandbox.origin}/videos/${taskId}.mp4` };
		const { runData } = await flow.run([row], MAX_MS);
		const video = runData[node]?.[0]?.data?.main[0]?.[0]?.binary?.data;
		if (video?.bytes !== sandbox.videoBytes && !video?.fileSize?.startsWith(String(size))) {
			throw new BenchError(`The file of ${size} MB has not come whole: ${JSON.stringify(video)}.`);
		}
	} finally {
		sandbox.videoBytes = null;
	}
}
