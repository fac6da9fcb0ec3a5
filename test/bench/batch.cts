/** Batch wall time: 1, 10 and 50 videos of mixed lengths, from the start of the node to the end of the execution. */
import type { Bench, Measured } from './bench.cjs';
import { compare } from './report.cjs';
import type { Flow } from './setup.cjs';

const MARK = { times: 1.05, seconds: 2 };
/** Seconds over the slowest video above which something is broken: an interval, and a slow machine. */
const GROSS_SECONDS = 20;
/** Seconds of the videos of a batch: from the shortest to the longest, evenly. Most videos take 1 to 2 minutes. */
const USUAL = { counts: [1, 10, 50], shortest: 45, longest: 120 };
const QUICK = { counts: [1, 10], shortest: 6, longest: 12 };

export async function batch({ quick, say, withSetup }: Bench): Promise<Measured> {
	return await withSetup(async (setup) => {
		const { counts, shortest, longest } = quick ? QUICK : USUAL;
		const ours = await setup.publish('keepChecking');
		const beside = await setup.publish('loopByHand');
		say(`${counts.join(', ')} videos of ${shortest} to ${longest} s, and the loop beside them`);
		for (const count of counts) {
			const rows = Array.from({ length: count }, (_, index) => {
				const seconds = longest - ((longest - shortest) * index) / Math.max(1, count - 1);
				return { prompt: `A boat ${index}, ${Math.round(seconds)} s` };
			});
			await ours.start(...rows);
			await beside.start(...rows);
		}
		const maxMs = (longest + 120) * 1000;
		for (const flow of [ours, beside]) await setup.untilEnded(flow, counts.length, maxMs);
		const wall = await wallSeconds(ours, 'Seedance');
		const wallBeside = await wallSeconds(beside, 'Create');
		const allowed = MARK.times * longest + MARK.seconds;
		return {
			figures: counts.map((count) => ({
				...compare(
					`${count} video${count > 1 ? 's' : ''}, the slowest ${longest} s`,
					[wall[count], wallBeside[count]],
					(seconds) => `${seconds.toFixed(1)} s`,
				),
				...(!quick && { mark: `≤ ${allowed.toFixed(0)} s`, isMet: wall[count] <= allowed }),
				isGross: wall[count] > longest + GROSS_SECONDS,
			})),
			note: 'Generate and Wait (Keep Checking) beside the loop Create → Wait 15 s → Look → IF, which handles all items of a batch together; all batches at the same time. From the start of the first node that does the work to the end of the execution. The loop looks every 15 s, and so right at the end of a video of 120 s.',
		};
	});
}

/** By the number of videos: seconds from the start of the node that begins the work to the end of the execution. */
async function wallSeconds(flow: Flow, first: string) {
	return Object.fromEntries(
		(await flow.executions()).map(({ runData, stoppedAt }) => {
			const count = runData.Rows[0].data?.main[0]?.length ?? 0;
			return [count, (Date.parse(stoppedAt ?? '') - runData[first][0].startTime) / 1000];
		}),
	);
}
