/** Idle cost of waiting: processor time of n8n per minute while many executions wait for their video. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Measured } from './bench.cjs';
import { BenchError } from './program.cjs';
import { atOnce, compare, type Figure } from './report.cjs';
import type { Setup } from './setup.cjs';

const USUAL = { counts: [1, 100, 300], seconds: 45 };
const QUICK = { counts: [20], seconds: 12 };
/** Processor seconds per minute and 100 executions below which a way of waiting costs nothing measurable. */
const NOTHING = 0.1;
/** Times the loop built by hand above which something is broken. */
const GROSS_POLL = 2;
/**
 * Processor seconds per minute that the quick form lets pass in any row: V8 tidies up its memory some seconds after the
 * work of the rows before ("Mark-Compact (reduce)" of --trace-gc), up to twice in 12 s and half a second each time.
 */
const QUICK_TIDYING = 5;
const STARTS_AT_ONCE = 4;
/** Milliseconds from one video that is ready to the next, at the end: a pace that the machine can keep. */
const PACE_MS = 250;
/** Milliseconds n8n gets to come to rest after the last start. */
const REST_MS = 3_000;
const MAX_MS = 180_000;

export async function waiting(bench: Bench): Promise<Measured> {
	const { quick } = bench;
	const { counts, seconds } = quick ? QUICK : USUAL;
	const costsOf = async (workflow: string) =>
		await bench.withSetup(async (setup) => await measure(bench, setup, workflow), true);
	const loops = await costsOf('loopByHand');
	const polls = await costsOf('keepChecking');
	const pauses = await costsOf('pause');
	const figuresOf = (count: number, at: number): Figure[] => {
		const [loop, poll, pause] = [loops[at], polls[at], pauses[at]];
		const tidying = quick ? QUICK_TIDYING : 0;
		const isNothing = (value: number) => value <= Math.max(NOTHING, (NOTHING * count) / 100);
		const figure = (how: string, ours: number) => {
			const name = `${count} execution${count > 1 ? 's' : ''}, ${how}: CPU per minute`;
			const compared = compare(name, [ours, loop], (value) => `${value.toFixed(2)} s`);
			return isNothing(loop) ? { ...compared, ratio: '' } : compared;
		};
		return [
			{
				...figure('Keep Checking', poll),
				mark: '≤ the loop',
				isMet: poll <= loop || isNothing(poll),
				isGross: poll > GROSS_POLL * loop + tidying && !isNothing(poll),
			},
			{
				...figure('Pause Until Callback', pause),
				...(!quick && { mark: '≈ 0', isMet: isNothing(pause) }),
				isGross: pause > loop + tidying && !isNothing(pause),
			},
		];
	};
	return {
		figures: counts.flatMap(figuresOf),
		note: `What n8n uses of a processor in ${seconds} s, ${quick ? 'whatever for' : 'less what it uses with nothing waiting'}, reckoned to a minute. Beside it the loop Wait 15 s → Look → IF.`,
	};
}

/** Processor seconds per minute that so many waiting executions cost, for each of the counts. */
async function measure(bench: Bench, setup: Setup, workflow: string): Promise<number[]> {
	const { quick, say, signal } = bench;
	const { counts, seconds } = quick ? QUICK : USUAL;
	const flow = await setup.publish(workflow);
	// An n8n that the rows share has videos of other rows as well, which never get ready.
	const name = `Waiting, ${workflow}`;
	const running = () =>
		setup.sandbox.tasks.all().filter(({ ended, order }) => !ended && order.prompt.startsWith(name));
	const cpuPerMinute = async () => {
		await sleep(REST_MS, undefined, { signal });
		const [cpu, at] = [setup.cpuMs(), performance.now()];
		await sleep(seconds * 1000, undefined, { signal });
		return ((setup.cpuMs() - cpu) / (performance.now() - at)) * 60;
	};
	const startUpTo = async (count: number) => {
		const limits = { limit: STARTS_AT_ONCE, count: count - running().length, signal };
		await atOnce(limits, async (index) => await flow.start({ prompt: `${name} ${index}` }));
		await setup.until(`${count} wait`, () => running().length === count, MAX_MS);
	};
	const finishAll = async (due: number) => {
		for (const { id } of running()) {
			setup.sandbox.finish(id);
			await sleep(PACE_MS, undefined, { signal });
		}
		await setup.untilEnded(flow, due, MAX_MS);
		if ((await flow.count(['success'])) !== due) {
			throw new BenchError(`Not every execution that waited (${workflow}) got its video.`);
		}
	};
	// What n8n loads and compiles at the first of its kind is no cost of waiting. In an n8n that other rows have used just now,
	// rest is no rest: the quick form compares what n8n uses in all.
	const warmUps = quick ? 0 : 1;
	await startUpTo(warmUps);
	await sleep(warmUps * REST_MS, undefined, { signal });
	await finishAll(warmUps);
	const idle = quick ? 0 : await cpuPerMinute();
	const costs: number[] = [];
	for (const count of counts) {
		say(`${workflow}: ${count} executions wait`);
		await startUpTo(count);
		costs.push(Math.max(0, (await cpuPerMinute()) - idle));
	}
	say(`${workflow}: all videos get ready`);
	await finishAll(warmUps + counts[counts.length - 1]);
	return costs;
}
