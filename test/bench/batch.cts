/** Batch wall time: 1, 10 and 50 videos of mixed lengths, from the start of the node to its end. */
import { handBuiltLoop, seedanceNode, type Flow, type Bed } from './bed.cjs';
import type { Figure, Row } from './rows.cjs';
import type { Execution } from '../support/n8n/server.cjs';

const MARK = { times: 1.05, seconds: 2 };
/** Seconds over the slowest video above which something is broken: an interval, and a slow machine. */
const GROSS_SECONDS = 20;

const PLANS = {
	/** Seconds of the videos of a batch: from the shortest to the longest, evenly. Most videos take 1 to 2 minutes. */
	usual: { counts: [1, 10, 50], shortest: 45, longest: 120 },
	quick: { counts: [1, 10], shortest: 6, longest: 12 },
};

export const batch: Row = {
	name: 'batch',
	what: 'batch wall time',
	measure: async ({ quick, say, withBed }) => {
		const { counts, shortest, longest } = PLANS[quick ? 'quick' : 'usual'];
		const lengths = (count: number) =>
			Array.from({ length: count }, (_, index) =>
				Math.round(longest - ((longest - shortest) * index) / Math.max(1, count - 1)),
			);
		return await withBed(async (bed) => {
			const loop = handBuiltLoop(bed);
			const ours = await bed.publish('Batch', [seedanceNode(bed, 'generateAndWait', FILELESS)]);
			const beside = await bed.publish('Batch by hand', loop.nodes, loop.wires);
			const mark = await bed.newestExecution();
			say(`${counts.join(', ')} videos of ${shortest} to ${longest} s, and the loop beside them`);
			for (const count of counts) {
				const rows = (who: string) =>
					lengths(count).map((seconds, index) => ({ prompt: `${who} ${index}, ${seconds} s` }));
				await ours.start(rows('A boat'));
				await beside.start(rows('A ship'));
			}
			const hasEnded = async (flow: Flow) => (await flow.count()) === counts.length;
			await bed.until(
				'all batches have ended',
				async () => (await hasEnded(ours)) && (await hasEnded(beside)),
				(longest + 120) * 1000,
			);
			const wall = await wallSeconds(bed, mark, ours, 'Seedance');
			const wallBeside = await wallSeconds(bed, mark, beside, 'Create');
			const figures = counts.map((count): Figure => {
				const allowed = MARK.times * longest + MARK.seconds;
				return {
					name: `${count} video${count > 1 ? 's' : ''}, the slowest ${longest} s`,
					ours: `${wall[count].toFixed(1)} s`,
					beside: `${wallBeside[count].toFixed(1)} s`,
					ratio: (wall[count] / wallBeside[count]).toFixed(2),
					mark: quick ? '' : `≤ ${allowed.toFixed(0)} s`,
					isMet: quick ? undefined : wall[count] <= allowed,
					isGross: wall[count] > longest + GROSS_SECONDS,
				};
			});
			return { figures, note: NOTE };
		});
	},
};

/** Nothing is downloaded, as the loop beside it does not either. */
const FILELESS = { downloadVideo: false };

const NOTE =
	'Generate and Wait (Keep Checking) beside the loop Create → Wait 15 s → Look → IF, which handles all items of a batch together; all batches at the same time. From the start of the first node that does the work to the end of the execution. The loop looks every 15 s, and so right at the end of a video of 120 s.';

/** By the number of videos: seconds from the start of the node that begins the work to the end of the execution. */
async function wallSeconds(
	bed: Bed,
	mark: number,
	flow: Flow,
	first: string,
): Promise<Record<number, number>> {
	const ended = await bed.executionsSince(mark, flow);
	return Object.fromEntries(
		ended.map(({ runData, stoppedAt }: Execution) => {
			const count = runData.Rows[0].data?.main[0]?.length ?? 0;
			return [count, (Date.parse(stoppedAt ?? '') - runData[first][0].startTime) / 1000];
		}),
	);
}
