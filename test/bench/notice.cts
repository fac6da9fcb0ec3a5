/** Time to notice, from the end of a task to the output of the node, and how often its status was read for that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord, type Sandbox } from '../sandbox/server.cjs';
import type { Bench, Measured } from './bench.cjs';
import { BenchError } from './program.cjs';
import { compare, median, type Figure } from './report.cjs';
import type { Flow, Setup } from './setup.cjs';

/**
 * Executions with one video each, of so many seconds; `beside` of them by hand as well. `reads`: the seconds of the videos
 * whose reads are counted.
 */
const USUAL = { count: 200, beside: 40, shortest: 30, longest: 120, reads: [80, 90] };
/** Videos that take nearly the same time: how many are made first, from whose times the node knows that of the others. */
const ALIKE = { first: 20, then: 80, seconds: 90, spread: 0.15 };
const QUICK = { count: 20, beside: 5, shortest: 6, longest: 14, reads: [0, Infinity] };
/** Milliseconds between two executions that are started, so that they do not poll in step. */
const PACE_MS = 100;

/** Seconds, and reads of a video; `gross` is the median above which something is broken. */
const KINDS = [
	{ name: 'Keep Checking', file: 'keepChecking', median: 6, worst: 15, reads: 12, gross: 12 },
	{ name: 'Pause Until Callback', file: 'pause', median: 0.3, reads: 3, gross: 3 },
];

export async function notice({ quick, say, withSetup }: Bench): Promise<Measured> {
	const form = quick ? QUICK : USUAL;
	const { count, shortest, longest } = form;
	return await withSetup(async (setup) => {
		const alike = quick ? [] : await noticedAlike(setup, say);
		const flows: Array<{ flow: Flow; due: number; last: string }> = [];
		for (const { file } of KINDS) {
			flows.push({ flow: await setup.publish(file), due: count, last: 'Seedance' });
		}
		flows.push({ flow: await setup.publish('loopByHand'), due: form.beside, last: 'Done' });
		say(`${count} videos each, checking and pausing, and ${form.beside} by hand`);
		for (let index = 0; index < count; index++) {
			for (const { flow, due } of flows.filter((one) => index < one.due)) {
				const seconds = shortest + ((longest - shortest) * index) / (due - 1);
				await flow.start({ prompt: `Boat ${index}, ${seconds.toFixed(1)} s` });
			}
			await sleep(PACE_MS);
		}
		for (const { flow, due } of flows) await setup.untilEnded(flow, due, (longest + 120) * 1000);
		say('Reading what came of them');
		const found: Noticed[][] = [];
		for (const { flow, due, last } of flows) {
			found.push(await noticed(setup.sandbox, flow, last));
			if (found.at(-1)?.length === due) continue;
			throw new BenchError(`${found.at(-1)?.length} of ${due} have their video.`);
		}
		const [, , byHand] = found;
		return {
			figures: [
				...KINDS.flatMap((kind, at) => timesOf(kind, found[at], byHand)),
				...KINDS.map((kind, at) => readsOf(kind, found[at], byHand, form.reads)),
				...alike,
			],
			note: `${count} executions with one video each of ${shortest} to ${longest} s, for each way of waiting at the same time, and ${form.beside} loops built by hand (Wait 15 s), in one n8n on the real clock.${quick ? '' : ALIKE_NOTE}`,
		};
	});
}

const ALIKE_NOTE = ` Before them ${ALIKE.first} and then ${ALIKE.then} executions with one video each of ${ALIKE.seconds} s ± ${ALIKE.spread * 100} %: for the first nothing is known, for the others what the list of videos has noted of the first.`;

/** Videos that take nearly the same time, before and after the node knows it. */
async function noticedAlike(setup: Setup, say: Bench['say']): Promise<Figure[]> {
	const { first, then, seconds, spread } = ALIKE;
	// Of a length of their own, so that no other video counts as one of them.
	const flow = await setup.publish('keepChecking', { duration: '4' });
	for (const [before, due] of [
		[0, first],
		[first, then],
	]) {
		say(`${due} videos of ${seconds} s ± ${spread * 100} %, when ${before} such videos are known`);
		for (let index = 0; index < due; index++) {
			const share = 1 + spread * ((2 * index) / (due - 1) - 1);
			await flow.start({ prompt: `Boat ${index}, ${(seconds * share).toFixed(1)} s` });
			await sleep(PACE_MS);
		}
		await setup.untilEnded(flow, before + due, (seconds * (1 + spread) + 120) * 1000);
	}
	const found = await noticed(setup.sandbox, flow, 'Seedance');
	return [found.slice(0, first), found.slice(first)].flatMap((ones, isKnown) => {
		const what = `${seconds} s ± ${spread * 100} %, ${isKnown ? 'known' : 'not known yet'}`;
		const after = median(ones.map((one) => one.after));
		const most = (list: Noticed[]) => Math.max(...list.map(({ reads }) => reads));
		const usual = median(ones.map(({ reads }) => reads));
		const upTo90 = ones.filter(({ length }) => length >= 80 && length <= 90);
		return [
			{
				name: `Keep Checking, median, ${what}`,
				ours: `${after.toFixed(2)} s`,
				...(isKnown && { mark: '≤ 2 s', isMet: Math.round(after * 10) <= 20 }),
			},
			{
				name: `Keep Checking: reads of a video (half of them; of 80 to 90 s; the most), ${what}`,
				ours: `${usual}; ${most(upTo90)}; ${most(ones)}`,
				...(isKnown && { mark: '≤ 9; ≤ 9', isMet: Math.max(usual, most(upTo90)) <= 9 }),
			},
		];
	});
}

type Kind = (typeof KINDS)[number];

function timesOf(kind: Kind, found: Noticed[], byHand: Noticed[]): Figure[] {
	const figure = (name: 'median' | 'worst', of: (values: number[]) => number): Figure => {
		const [ours, beside] = [found, byHand].map((list) => of(list.map(({ after }) => after)));
		const mark = kind[name];
		return {
			...compare(`${kind.name}, ${name}`, [ours, beside], (value) => `${value.toFixed(2)} s`),
			...(mark !== undefined && { mark: `≤ ${mark} s`, isMet: ours <= mark }),
			isGross: name === 'median' && ours > kind.gross,
		};
	};
	return [figure('median', median), figure('worst', (values) => Math.max(...values))];
}

function readsOf(kind: Kind, found: Noticed[], byHand: Noticed[], [from, to]: number[]): Figure {
	const mosts = [found, byHand].map((list) => {
		const counted = list.filter(({ length }) => length >= from && length <= to);
		return Math.max(...counted.map(({ reads }) => reads));
	});
	const about = to === Infinity ? '' : `, of ${from} to ${to} s`;
	return {
		...compare(`${kind.name}: most reads of a video${about}`, mosts, String),
		mark: `≤ ${kind.reads}`,
		isMet: mosts[0] <= kind.reads,
		isGross: mosts[0] > 2 * kind.reads,
	};
}

type Noticed = Awaited<ReturnType<typeof noticed>>[number];

/** What each execution noticed of its task, and when. Throws when one did not end well. */
async function noticed({ tasks, ledger }: Sandbox, flow: Flow, last: string) {
	return (await flow.executions()).map(({ id, status, runData }) => {
		const run = runData[last]?.at(-1);
		const json = run?.data?.main[0]?.[0]?.json;
		const data = isRecord(json?.data) ? json.data : json;
		const task = tasks.get(String(data?.task_id));
		if (status !== 'success' || !run || !task?.endedAt || data?.status !== 'SUCCESS') {
			throw new BenchError(`Execution ${id} ended as "${status}", without its video.`);
		}
		return {
			/** Seconds from the end of the task until the node put it out. */
			after: Math.max(0, run.startTime + run.executionTime - task.endedAt) / 1000,
			/** Seconds that the task took. */
			length: (task.endedAt - task.createdAt) / 1000,
			reads: ledger.statusReads(task.id).length,
		};
	});
}
