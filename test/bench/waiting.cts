/** Idle cost of waiting: processor time of n8n per minute while many executions wait for their video. */
import { setTimeout as sleep } from 'node:timers/promises';
import { handBuiltLoop, seedanceNode, type Flow, type Bed } from './bed.cjs';
import { atOnce, BenchError } from './report.cjs';
import type { Bench, Figure, Row } from './rows.cjs';

const PLANS = {
	usual: { counts: [1, 100, 300], seconds: 45 },
	quick: { counts: [20], seconds: 12 },
};
/** Processor seconds per minute and 100 executions below which a way of waiting costs nothing that can be told. */
const NOTHING = 0.1;
/** Times the loop built by hand. */
const MARK_POLL = 1;
const GROSS_POLL = 2;
const STARTS_AT_ONCE = 4;
/** Milliseconds from one video that is ready to the next, at the end: a pace that the machine can keep. */
const PACE_MS = 250;
/** Milliseconds n8n gets to come to rest after the last start. */
const REST_MS = 3_000;
const PATIENCE_MS = 180_000;

const KINDS = ['loop', 'poll', 'pause'] as const;
type Kind = (typeof KINDS)[number];
type Costs = Record<Kind, number[]>;

export const waiting: Row = {
	name: 'waiting',
	what: 'idle cost of waiting',
	measure: async (bench) => {
		const { counts, seconds } = PLANS[bench.quick ? 'quick' : 'usual'];
		const costs: Costs = { loop: [], poll: [], pause: [] };
		for (const kind of KINDS) {
			costs[kind] = await bench.withBed(
				async (bed) => await costsOf(bench, bed, kind, counts, seconds),
				true,
			);
		}
		return {
			figures: counts.flatMap((count, at) => figuresOf(count, at, costs, bench.quick)),
			note: `What n8n uses of a processor in ${seconds} s, ${bench.quick ? 'whatever for' : 'less what it uses with nothing waiting'}, reckoned to a minute. Beside it the loop Wait 15 s → Look → IF.`,
		};
	},
};

function figuresOf(count: number, at: number, costs: Costs, quick: boolean): Figure[] {
	const ofOne = (value: number) => `${value.toFixed(2)} s`;
	const [loop, poll, pause] = KINDS.map((kind) => costs[kind][at]);
	const hardlyAny = (value: number) => value <= Math.max(NOTHING, (NOTHING * count) / 100);
	const many = `${count} execution${count > 1 ? 's' : ''}`;
	return [
		{
			name: `${many}, Keep Checking: CPU per minute`,
			ours: ofOne(poll),
			beside: ofOne(loop),
			ratio: hardlyAny(loop) ? '' : (poll / loop).toFixed(2),
			mark: '≤ the loop',
			isMet: poll <= MARK_POLL * loop || hardlyAny(poll),
			isGross: poll > GROSS_POLL * loop && !hardlyAny(poll),
		},
		{
			name: `${many}, Pause Until Callback: CPU per minute`,
			ours: ofOne(pause),
			beside: ofOne(loop),
			ratio: hardlyAny(loop) ? '' : (pause / loop).toFixed(2),
			mark: quick ? '' : '≈ 0',
			isMet: quick ? undefined : hardlyAny(pause),
			isGross: pause > loop && !hardlyAny(pause),
		},
	];
}

/** Processor seconds per minute that so many waiting executions cost, for each of the counts. */
async function costsOf(
	{ quick, say, signal }: Bench,
	bed: Bed,
	kind: Kind,
	counts: readonly number[],
	seconds: number,
): Promise<number[]> {
	const flow = await publish(bed, kind);
	const { tasks } = bed.sandbox;
	const measure = async () => {
		await sleep(REST_MS, undefined, { signal });
		const [cpu, at] = [bed.cpuMs(), performance.now()];
		await sleep(seconds * 1000, undefined, { signal });
		return ((bed.cpuMs() - cpu) / (performance.now() - at)) * 60;
	};
	// An n8n that the rows share has videos of other rows as well, which never get ready.
	const name = `Waiting, ${kind}`;
	const running = () =>
		tasks.all().filter(({ ended, order }) => !ended && order.prompt.startsWith(name));
	const startUpTo = async (count: number) => {
		const before = running().length;
		const start = async (index: number) => await flow.start([{ prompt: `${name} ${index}` }]);
		await atOnce(STARTS_AT_ONCE, count - before, start, Infinity, signal);
		const areThere = async () => await Promise.resolve(running().length === count);
		await bed.until(`${count} wait`, areThere, PATIENCE_MS);
	};
	const finishAll = async (due: number) => {
		for (const { id } of running()) {
			bed.sandbox.finish(id);
			await sleep(PACE_MS, undefined, { signal });
		}
		await bed.until('all have ended', async () => (await flow.count()) === due, PATIENCE_MS);
		if ((await flow.count(['success'])) !== due) {
			throw new BenchError(`Not every execution that waited (${kind}) got its video.`);
		}
	};
	const warmUps = quick ? 0 : 1;
	if (warmUps) {
		// What n8n loads and compiles at the first of its kind is no cost of waiting.
		await startUpTo(warmUps);
		await sleep(REST_MS, undefined, { signal });
		await finishAll(warmUps);
	}
	// In an n8n that other rows have used just now, rest is no rest: the quick form compares what n8n uses in all.
	const idle = quick ? 0 : await measure();
	const costs: number[] = [];
	for (const count of counts) {
		say(`${kind}: ${count} executions wait`);
		await startUpTo(count);
		costs.push(Math.max(0, (await measure()) - idle));
	}
	say(`${kind}: all videos get ready`);
	await finishAll(warmUps + counts[counts.length - 1]);
	return costs;
}

async function publish(bed: Bed, kind: Kind): Promise<Flow> {
	if (kind === 'loop') {
		const loop = handBuiltLoop(bed);
		return await bed.publish('Waiting by hand', loop.nodes, loop.wires);
	}
	return await bed.publish(`Waiting, ${kind}`, [
		seedanceNode(bed, 'generateAndWait', {
			...(kind === 'pause' ? { waitMethod: 'callback' } : { downloadVideo: false }),
		}),
	]);
}
