/** Memory of a download: the peak of n8n over its rest while a file of a given size is fetched. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startTaskAt } from '../support/tasks.cjs';
import type { Bench, Measured } from './bench.cjs';
import { BenchError } from './program.cjs';
import { compare } from './report.cjs';

/** Megabytes of the files, and what the largest may cost more than the smallest. */
const USUAL = [10, 100, 500];
const QUICK = [10, 100];
const MARK_MB = 60;
const GROSS_MB = 90;
/** Milliseconds n8n gets to come to rest, and for a download. */
const REST_MS = 3_000;
const MAX_MS = 120_000;

const written = (megabytes: number) => `${megabytes.toFixed(0)} MB`;

export async function downloads(bench: Bench): Promise<Measured> {
	const sizes = bench.quick ? QUICK : USUAL;
	const peaks: Array<[number, number]> = [];
	for (const size of sizes) {
		const ours = await peakMb(bench, size, 'download', 'Seedance');
		peaks.push([ours, await peakMb(bench, size, 'downloadByHand', 'Download')]);
	}
	const [more, moreBeside] = [0, 1].map((of) => peaks[peaks.length - 1][of] - peaks[0][of]);
	return {
		figures: [
			...sizes.map((size, at) =>
				compare(`Download of ${size} MB, peak over rest`, peaks[at], written),
			),
			{
				name: `${sizes.at(-1)} MB cost more than ${sizes[0]} MB`,
				ours: written(more),
				beside: written(moreBeside),
				mark: `< ${MARK_MB} MB`,
				isMet: more < MARK_MB,
				isGross: more > GROSS_MB,
			},
		],
		note: `Resident memory as the kernel counts its peak, ${bench.quick ? 'in one n8n' : 'each in a new n8n'} after a download of 1 MB. Wait for Video with Download Video, beside it an HTTP Request node with the response format File.`,
	};
}

/** Megabytes over the rest that n8n takes at its peak while one file is fetched. */
async function peakMb({ say, withSetup, signal }: Bench, size: number, file: string, node: string) {
	say(`${size} MB with ${node}`);
	return await withSetup(async (setup) => {
		const { sandbox } = setup;
		const flow = await setup.publish(file);
		const download = async (megabytes: number) => {
			sandbox.videoBytes = megabytes * 1024 * 1024;
			const taskId = await startTaskAt(sandbox, { prompt: 'A boat, 0 s' });
			const row = { task_id: taskId, url: `${sandbox.origin}/videos/${taskId}.mp4` };
			const { runData } = await flow.run([row], MAX_MS);
			const video = runData[node]?.[0]?.data?.main[0]?.[0]?.binary?.data;
			if (video?.bytes === sandbox.videoBytes) return;
			if (video?.fileSize?.startsWith(String(megabytes))) return;
			throw new BenchError(`The file of ${size} MB has not come whole: ${JSON.stringify(video)}.`);
		};
		try {
			await download(1);
			await sleep(REST_MS, undefined, { signal });
			const rest = setup.memoryMb().now;
			setup.forgetPeak();
			await download(size);
			return setup.memoryMb().peak - rest;
		} finally {
			sandbox.videoBytes = null;
		}
	}, true);
}
