/** Time to notice, from the end of a task to the output of the node, and how often its status was read for that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord, type Sandbox } from '../sandbox/server.cjs';
import { BenchError } from './program.cjs';
import { median } from './report.cjs';
import { compare, type Figure, type Row } from './rows.cjs';
import type { Flow } from './setup.cjs';

/** Executions with one video each, of so many seconds; `beside` of them by hand as well. */
const USUAL = { count: 200, beside: 40, shortest: 30, longest: 120 };
const QUICK = { count: 20, beside: 5, shortest: 6, longest: 14 };
/** Milliseconds between two executions that are started, so that they do not poll in step. */
const PACE_MS = 100;
/** Seconds of the videos whose reads are counted. */
const READS_OF = { from: 80, to: 90 };

/** Seconds, and reads of a video; `gross` is the median above which something is broken. */
const MARKS = {
	keepChecking: { name: 'Keep Checking', median: 6, worst: 15, reads: 12, gross: 12 },
	pause: { name: 'Pause Until Callback', median: 0.3, worst: undefined, reads: 3, gross: 3 },
};

interface Noticed {
	/** Seconds from the end of the task until the node put it out. */
	after: number;
	/** Seconds that the task took. */
	length: number;
	reads: number;
}

export const notice: Row = {
	name: 'notice',
	what: 'time to notice, and status reads per task',
	measure: async ({ quick, say, withSetup }) =>
		await withSetup(async (setup) => {
			const { count, beside, shortest, longest } = quick ? QUICK : USUAL;
			const kinds = {
				keepChecking: { flow: await setup.publish('keepChecking'), due: count, last: 'Seedance' },
				pause: { flow: await setup.publish('pause'), due: count, last: 'Seedance' },
				byHand: { flow: await setup.publish('loopByHand'), due: beside, last: 'Done' },
			};
			say(`${count} videos each, checking and pausing, and ${beside} by hand`);
			for (let index = 0; index < count; index++) {
				for (const { flow, due } of Object.values(kinds)) {
					const seconds = shortest + ((longest - shortest) * index) / (due - 1);
					if (index < due) await flow.start({ prompt: `Boat ${index}, ${seconds.toFixed(1)} s` });
				}
				await sleep(PACE_MS);
			}
			for (const { flow, due } of Object.values(kinds)) {
				await setup.untilEnded(flow, due, (longest + 120) * 1000);
			}
			say('Reading what came of them');
			const noticedBy = async (kind: keyof typeof kinds) => {
				const { flow, due, last } = kinds[kind];
				const found = await noticed(setup.sandbox, flow, last);
				if (found.length === due) return found;
				throw new BenchError(`${found.length} of ${due} have their video.`);
			};
			const byHand = await noticedBy('byHand');
			const pairs = [
				{ found: await noticedBy('keepChecking'), byHand, marks: MARKS.keepChecking },
				{ found: await noticedBy('pause'), byHand, marks: MARKS.pause },
			];
			return {
				figures: [...pairs.flatMap(times), ...pairs.map((pair) => reads(pair, quick))],
				note: `${count} executions with one video each of ${shortest} to ${longest} s, for each way of waiting at the same time, and ${beside} loops built by hand (Wait 15 s), in one n8n on the real clock.`,
			};
		}),
};

interface Pair {
	found: Noticed[];
	byHand: Noticed[];
	marks: (typeof MARKS)[keyof typeof MARKS];
}

function times({ found, byHand, marks }: Pair): Figure[] {
	const figure = (name: 'median' | 'worst', of: (values: number[]) => number): Figure => {
		const [ours, beside] = [found, byHand].map((list) => of(list.map(({ after }) => after)));
		const mark = marks[name];
		return {
			...compare(`${marks.name}, ${name}`, [ours, beside], (value) => `${value.toFixed(2)} s`),
			mark: mark === undefined ? '' : `≤ ${mark} s`,
			isMet: mark === undefined ? undefined : ours <= mark,
			isGross: name === 'median' && ours > marks.gross,
		};
	};
	return [figure('median', median), figure('worst', (values) => Math.max(...values))];
}

function reads({ found, byHand, marks }: Pair, quick: boolean): Figure {
	const { from, to } = quick ? { from: 0, to: Infinity } : READS_OF;
	const mosts = [found, byHand].map((list) => {
		const counted = list.filter(({ length }) => length >= from && length <= to);
		return Math.max(...counted.map((one) => one.reads));
	});
	const [most] = mosts;
	const about = quick ? '' : `, of ${from} to ${to} s`;
	return {
		...compare(`${marks.name}: most looks at a video${about}`, mosts, String),
		mark: `≤ ${marks.reads}`,
		isMet: most <= marks.reads,
		isGross: most > 2 * marks.reads,
	};
}

/** What each execution noticed of its task, and when. Throws when one did not end well. */
async function noticed({ tasks, ledger }: Sandbox, flow: Flow, last: string): Promise<Noticed[]> {
	return (await flow.executions()).map(({ id, status, runData }) => {
		const run = runData[last]?.at(-1);
		const json = run?.data?.main[0]?.[0]?.json;
		const data = isRecord(json?.data) ? json.data : json;
		const task = tasks.get(String(data?.task_id));
		if (status !== 'success' || !run || !task?.endedAt || data?.status !== 'SUCCESS') {
			throw new BenchError(`Execution ${id} ended as "${status}", without its video.`);
		}
		return {
			after: Math.max(0, run.startTime + run.executionTime - task.endedAt) / 1000,
			length: (task.endedAt - task.createdAt) / 1000,
			reads: ledger.statusReads(task.id).length,
		};
	});
}
