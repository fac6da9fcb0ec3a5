/** Time to notice, from the end of a task to the output of the node, and how often the task was looked at for that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { handBuiltLoop, seedanceNode, type Flow, type Bed } from './bed.cjs';
import { BenchError, median } from './report.cjs';
import type { Figure, Row } from './rows.cjs';
import { isRecord } from '../sandbox/server.cjs';

const PLANS = {
	/** Executions with one video each, of so many seconds; `beside` of them by hand as well. */
	usual: { count: 200, beside: 40, shortest: 30, longest: 120 },
	quick: { count: 20, beside: 5, shortest: 6, longest: 14 },
};
/** Milliseconds between two executions that are started, so that they do not look in step. */
const PACE_MS = 100;

/** Seconds, and looks at a video of `LOOKED_AT` seconds. */
const MARKS = { pollMedian: 6, pollWorst: 15, pauseMedian: 0.3, pollLooks: 12, pauseLooks: 3 };
const LOOKED_AT = { from: 80, to: 90 };
const GROSS = { pollMedian: 12, pauseMedian: 3 };

interface Noticed {
	/** Seconds from the end of the task until the node put it out. */
	after: number;
	/** Seconds that the task took. */
	length: number;
	looks: number;
}

export const notice: Row = {
	name: 'notice',
	what: 'time to notice, and status reads per task',
	measure: async ({ quick, say, withBed }) => {
		const { count, beside, shortest, longest } = PLANS[quick ? 'quick' : 'usual'];
		return await withBed(async (bed) => {
			const loop = handBuiltLoop(bed);
			const poll = await bed.publish('Keep checking', [
				seedanceNode(bed, 'generateAndWait', { downloadVideo: false }),
			]);
			const pause = await bed.publish('Pause', [
				seedanceNode(bed, 'generateAndWait', { waitMethod: 'callback' }),
			]);
			const byHand = await bed.publish('By hand', loop.nodes, loop.wires);
			const mark = await bed.newestExecution();
			say(`${count} videos each, checking and pausing, and ${beside} by hand`);
			const lengthOf = (index: number, of: number) =>
				(shortest + ((longest - shortest) * index) / (of - 1)).toFixed(1);
			for (let index = 0; index < count; index++) {
				const prompt = (who: string, of: number) =>
					`${who} ${index}, ${lengthOf(index % of, of)} s`;
				await poll.start([{ prompt: prompt('Checked', count) }]);
				await pause.start([{ prompt: prompt('Paused', count) }]);
				if (index < beside) await byHand.start([{ prompt: prompt('By hand', beside) }]);
				await sleep(PACE_MS);
			}
			const counts = new Map([
				[poll, count],
				[pause, count],
				[byHand, beside],
			]);
			await bed.until(
				'all have ended',
				async () => {
					for (const [flow, due] of counts) if ((await flow.count()) < due) return false;
					return true;
				},
				(longest + 120) * 1000,
			);
			say('Reading what came of them');
			const ofPoll = await noticed(bed, mark, poll, 'Seedance');
			const ofPause = await noticed(bed, mark, pause, 'Seedance');
			const ofLoop = await noticed(bed, mark, byHand, 'Done');
			for (const [flow, found] of [
				[poll, ofPoll],
				[pause, ofPause],
			] as const) {
				const due = counts.get(flow);
				if (found.length !== due)
					throw new BenchError(`${found.length} of ${due} have their video.`);
			}
			return {
				figures: [...times(ofPoll, ofPause, ofLoop), ...looks(ofPoll, ofPause, ofLoop, quick)],
				note: `${count} executions with one video each of ${shortest} to ${longest} s, for each way of waiting at the same time, and ${beside} loops built by hand (Wait 15 s), in one n8n on the real clock.`,
			};
		});
	},
};

function times(poll: Noticed[], pause: Noticed[], loop: Noticed[]): Figure[] {
	const middle = (of: Noticed[]) => median(of.map(({ after }) => after));
	const worst = (of: Noticed[]) => Math.max(...of.map(({ after }) => after));
	const figure = (
		name: string,
		ours: number,
		beside: number,
		mark: number | undefined,
		gross = Infinity,
	): Figure => ({
		name,
		ours: `${ours.toFixed(2)} s`,
		beside: `${beside.toFixed(2)} s`,
		ratio: (ours / beside).toFixed(2),
		mark: mark === undefined ? '' : `≤ ${mark} s`,
		isMet: mark === undefined ? undefined : ours <= mark,
		isGross: ours > gross,
	});
	return [
		figure('Keep Checking, median', middle(poll), middle(loop), MARKS.pollMedian, GROSS.pollMedian),
		figure('Keep Checking, worst', worst(poll), worst(loop), MARKS.pollWorst),
		figure(
			'Pause Until Callback, median',
			middle(pause),
			middle(loop),
			MARKS.pauseMedian,
			GROSS.pauseMedian,
		),
		figure('Pause Until Callback, worst', worst(pause), worst(loop), undefined),
	];
}

function looks(poll: Noticed[], pause: Noticed[], loop: Noticed[], quick: boolean): Figure[] {
	const range = quick ? { from: 0, to: Infinity } : LOOKED_AT;
	const most = (of: Noticed[]) =>
		Math.max(
			...of
				.filter(({ length }) => length >= range.from && length <= range.to)
				.map((one) => one.looks),
		);
	const about = quick ? '' : `, of ${LOOKED_AT.from} to ${LOOKED_AT.to} s`;
	const figure = (name: string, of: Noticed[], mark: number): Figure => ({
		name: `${name}: most looks at a video${about}`,
		ours: String(most(of)),
		beside: String(most(loop)),
		ratio: (most(of) / most(loop)).toFixed(2),
		mark: `≤ ${mark}`,
		isMet: most(of) <= mark,
		isGross: most(of) > 2 * mark,
	});
	return [
		figure('Keep Checking', poll, MARKS.pollLooks),
		figure('Pause Until Callback', pause, MARKS.pauseLooks),
	];
}

/** What an execution noticed of its task, and when. Throws when one did not end well. */
async function noticed(bed: Bed, mark: number, flow: Flow, last: string): Promise<Noticed[]> {
	const found: Noticed[] = [];
	for (const { id, status, runData } of await bed.executionsSince(mark, flow)) {
		const run = runData[last]?.at(-1);
		const json = run?.data?.main[0]?.[0]?.json;
		const data = isRecord(json?.data) ? json.data : json;
		const task = bed.sandbox.tasks.get(String(data?.task_id));
		if (status !== 'success' || !run || !task?.endedAt || data?.status !== 'SUCCESS') {
			throw new BenchError(`Execution ${id} ended as "${status}", without its video.`);
		}
		found.push({
			after: Math.max(0, run.startTime + run.executionTime - task.endedAt) / 1000,
			length: (task.endedAt - task.createdAt) / 1000,
			looks: bed.sandbox.ledger.statusReads(task.id).length,
		});
	}
	return found;
}
