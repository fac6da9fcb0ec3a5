/** Memory of a download: the peak of n8n over its rest while a file of a given size is fetched. */
import { setTimeout as sleep } from 'node:timers/promises';
import { httpDownload, seedanceNode, type Flow, type FlowNode, type Bed } from './bed.cjs';
import { BenchError } from './report.cjs';
import type { Bench, Figure, Row } from './rows.cjs';

const PLANS = {
	usual: { sizes: [10, 100, 500] },
	quick: { sizes: [10, 100] },
};
/** Megabytes that the largest file may cost more than the smallest. */
const MARK_MB = 60;
const GROSS_MB = 90;
const MB = 1024 * 1024;
/** Milliseconds n8n gets to come to rest. */
const REST_MS = 3_000;
const PATIENCE_MS = 120_000;

export const downloads: Row = {
	name: 'downloads',
	what: 'memory of a download',
	measure: async (bench) => {
		const { sizes } = PLANS[bench.quick ? 'quick' : 'usual'];
		const ours: number[] = [];
		const beside: number[] = [];
		for (const size of sizes) {
			ours.push(await peakMb(bench, size, 'Seedance'));
			beside.push(await peakMb(bench, size, 'HTTP Request'));
		}
		const more = (list: number[]) => list[list.length - 1] - list[0];
		const megabytes = (value: number) => `${value.toFixed(0)} MB`;
		const [smallest, largest] = [sizes[0], sizes[sizes.length - 1]];
		return {
			figures: [
				...sizes.map(
					(size, index): Figure => ({
						name: `Download of ${size} MB, peak over rest`,
						ours: megabytes(ours[index]),
						beside: megabytes(beside[index]),
						ratio: (ours[index] / beside[index]).toFixed(2),
						mark: '',
					}),
				),
				{
					name: `${largest} MB cost more than ${smallest} MB`,
					ours: megabytes(more(ours)),
					beside: megabytes(more(beside)),
					ratio: '',
					mark: `< ${MARK_MB} MB`,
					isMet: more(ours) < MARK_MB,
					isGross: more(ours) > GROSS_MB,
				},
			],
			note: `Resident memory as the kernel counts its peak, ${bench.quick ? 'in one n8n' : 'each in a new n8n'} after a download of 1 MB. Wait for Video with Download Video, beside it an HTTP Request node with the response format File.`,
		};
	},
};

/** Megabytes over the rest that n8n takes at its peak while one file is fetched. */
async function peakMb(bench: Bench, size: number, who: 'Seedance' | 'HTTP Request') {
	bench.say(`${size} MB with ${who}`);
	return await bench.withBed(async (bed) => {
		const node: FlowNode =
			who === 'Seedance' ? seedanceNode(bed, 'wait', { downloadVideo: true }) : httpDownload();
		const flow = await bed.publish(`Download with ${who}`, [node]);
		await download(bed, flow, node.name, 1);
		await sleep(REST_MS, undefined, { signal: bench.signal });
		const rest = bed.memoryMb().now;
		bed.forgetPeak();
		await download(bed, flow, node.name, size);
		return bed.memoryMb().peak - rest;
	}, true);
}

async function download(bed: Bed, flow: Flow, node: string, size: number): Promise<void> {
	const { sandbox } = bed;
	sandbox.videoBytes = size * MB;
	try {
		const taskId = await bed.newTask('A boat, 0 s');
		const mark = await bed.newestExecution();
		const before = await flow.count();
		await flow.start([{ task_id: taskId, url: `${sandbox.origin}/videos/${taskId}.mp4` }]);
		await bed.until(
			'the download has ended',
			async () => (await flow.count()) > before,
			PATIENCE_MS,
		);
		const [{ runData }] = await bed.executionsSince(mark, flow);
		const file = runData[node]?.[0]?.data?.main[0]?.[0]?.binary?.data;
		if (file?.bytes !== sandbox.videoBytes && !file?.fileSize?.startsWith(String(size))) {
			throw new BenchError(`The file of ${size} MB has not come whole: ${JSON.stringify(file)}.`);
		}
	} finally {
		sandbox.videoBytes = null;
	}
}
