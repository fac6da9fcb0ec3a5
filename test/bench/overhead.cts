/** Overhead per item: Generate Without Waiting for many items against an API that answers at once. */
import { httpCreate, seedanceNode, type Flow, type Bed } from './bed.cjs';
import { BenchError, median, ratioOf } from './report.cjs';
import type { Row } from './rows.cjs';

const PLANS = {
	usual: { items: 1_000, rounds: 5 },
	quick: { items: 200, rounds: 3 },
};
const MARK = 1;
const GROSS = 3;
const PATIENCE_MS = 180_000;

export const overhead: Row = {
	name: 'overhead',
	what: 'overhead per item',
	measure: async ({ quick, say, withBed }) => {
		const { items, rounds } = PLANS[quick ? 'quick' : 'usual'];
		return await withBed(async (bed) => {
			const ours = await bed.publish('Generate', [seedanceNode(bed, 'generate')]);
			// One item per batch is how our node sends too: one POST after the other.
			const beside = await bed.publish('Generate by hand', [
				httpCreate(bed, { batching: { batch: { batchSize: 1, batchInterval: 0 } } }),
			]);
			const took: { ours: number[]; beside: number[] } = { ours: [], beside: [] };
			await nodeMs(bed, ours, 'Seedance', 10);
			await nodeMs(bed, beside, 'Create', 10);
			for (let round = 0; round < rounds; round++) {
				say(`round ${round + 1} of ${rounds}: ${items} items each`);
				const measureOurs = async () => took.ours.push(await nodeMs(bed, ours, 'Seedance', items));
				// Each goes first in every other round.
				if (round % 2) await measureOurs();
				took.beside.push(await nodeMs(bed, beside, 'Create', items));
				if (!(round % 2)) await measureOurs();
			}
			const ratio = ratioOf(took.ours, took.beside);
			const each = (ms: number[]) => `${(median(ms) / items).toFixed(2)} ms`;
			return {
				figures: [
					{
						name: `Generate, per item of ${items.toLocaleString('en')}`,
						ours: each(took.ours),
						beside: each(took.beside),
						ratio: `${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)}–${ratio.highest.toFixed(2)})`,
						mark: `≤ ${MARK.toFixed(1)} ×`,
						isMet: ratio.median <= MARK,
						isGross: ratio.median > GROSS,
					},
				],
				note: `The node's own time as n8n tells it, of ${rounds} rounds in turns; the ratio is the middle one of the rounds, with the lowest and the highest. Beside it an HTTP Request node with one item per batch.`,
			};
		});
	},
};

/** Milliseconds that the node took for so many items. */
async function nodeMs(bed: Bed, flow: Flow, node: string, items: number): Promise<number> {
	const mark = await bed.newestExecution();
	const before = await flow.count();
	await flow.start(Array.from({ length: items }, (_, row) => ({ prompt: `A boat ${row}` })));
	await bed.until('it has ended', async () => (await flow.count()) > before, PATIENCE_MS);
	const [{ runData, status }] = await bed.executionsSince(mark, flow);
	const [run] = runData[node];
	if (status !== 'success' || run.data?.main[0]?.length !== items) {
		throw new BenchError(`Generating ${items} items ended as "${status}".`);
	}
	return run.executionTime;
}
