/** Overhead per item: Generate Without Waiting for many items against an API that responds at once. */
import type { Bench, Measured } from './bench.cjs';
import { BenchError } from './program.cjs';
import { median, ratioOf } from './report.cjs';
import type { Flow } from './setup.cjs';

const USUAL = { items: 1_000, rounds: 5 };
const QUICK = { items: 200, rounds: 3 };
const MARK = 1;
const GROSS = 3;
const MAX_MS = 180_000;

export async function overhead({ quick, say, withSetup }: Bench): Promise<Measured> {
	const { items, rounds } = quick ? QUICK : USUAL;
	return await withSetup(async (setup) => {
		// The other side keeps no list either; what ours costs is a row of its own (list.cts).
		const alone = await setup.publish('generate', { options: { videoList: false } });
		const ours = { flow: alone, node: 'Seedance', ms: [0] };
		const beside = { flow: await setup.publish('generateByHand'), node: 'Create', ms: [0] };
		for (const { flow, node } of [ours, beside]) await nodeMs(flow, node, 10);
		for (let round = 0; round < rounds; round++) {
			say(`round ${round + 1} of ${rounds}: ${items} items each`);
			// Each goes first in every other round.
			for (const one of round % 2 ? [ours, beside] : [beside, ours]) {
				one.ms[round] = await nodeMs(one.flow, one.node, items);
			}
		}
		const ratio = ratioOf(ours.ms, beside.ms);
		const each = (ms: number[]) => `${(median(ms) / items).toFixed(2)} ms`;
		const figure = {
			name: `Generate, per item of ${items.toLocaleString('en')}`,
			ours: each(ours.ms),
			beside: each(beside.ms),
			ratio: ratio.text,
			mark: `≤ ${MARK.toFixed(1)} ×`,
			isMet: ratio.median <= MARK,
			isGross: ratio.median > GROSS,
		};
		return {
			figures: [figure],
			note: `The node's own time as n8n reports it, of ${rounds} alternating rounds; the ratio is the middle one of the rounds, with the lowest and the highest. Keep Video List is off. Beside it an HTTP Request node with one item per batch.`,
		};
	});
}

/** Milliseconds that the node took for so many items. */
async function nodeMs(flow: Flow, node: string, items: number): Promise<number> {
	const rows = Array.from({ length: items }, (_, row) => ({ prompt: `A boat ${row}` }));
	const { runData, status } = await flow.run(rows, MAX_MS);
	const [run] = runData[node];
	if (status !== 'success' || run.data?.main[0]?.length !== items) {
		throw new BenchError(`Generating ${items} items ended as "${status}".`);
	}
	return run.executionTime;
}
