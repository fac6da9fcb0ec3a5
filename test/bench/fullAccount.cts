/** Batches on an account that allows few videos at once, on a clock that jumps, beside the best possible schedule. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { loadNodesFrom } from '../support/builtNodes.cjs';
import { bestSeconds, FITS, LIMIT, MOST, ROWS, TASK_SECONDS } from '../support/fullAccount.cjs';
import type { Bench, Measured } from './bench.cjs';

const DIST = join(__dirname, '..', '..', 'dist');
/** Times the mark above which something is broken. */
const GROSS = 1.5;

export async function fullAccount({ say }: Bench): Promise<Measured> {
	// The quick form takes as many: what an account allows has to be found out first, which few rows do not outweigh.
	const { run, beside } = ROWS;
	const videos = run + beside;
	say(`${run} rows, and ${beside} beside them, of ${TASK_SECONDS / 60} minutes each`);
	loadNodesFrom(DIST);
	// Loaded only now: it takes the nodes as they are.
	const load = createRequire(__filename);
	const suite: typeof import('../faults/harness.cjs') = load('../faults/harness.cjs');
	const harness = await suite.openHarness();
	try {
		const { sandbox, time, n8n, requests } = harness;
		harness.planOf = () => ({ seconds: TASK_SECONDS });
		sandbox.faults.limits.add(LIMIT);
		const startedAt = time.now();
		const ended = await Promise.all(
			[run, beside].map(
				async (rows, nth) =>
					await n8n.run({
						parameters: {
							operation: 'generateAndWait',
							prompt: '={{ $json.prompt }}',
							downloadVideo: false,
						},
						items: Array.from({ length: rows }, (_, row) => ({
							json: { prompt: `A boat ${row} of run ${nth}` },
						})),
						credential: suite.CREDENTIAL,
						node: { onError: 'continueRegularOutput' },
					}),
			),
		);
		const ratio = (time.now() - startedAt) / 1000 / bestSeconds(videos);
		const posts = requests.posts.length / videos;
		const items = ended.flatMap(({ outputs }) => outputs.flat());
		const delivered = items.filter(({ json }) => json.succeeded === true).length;
		const name = `${run} and ${beside} rows`;
		return {
			figures: [
				{
					name: `${name}: times the best possible schedule`,
					ours: ratio.toFixed(3),
					mark: `≤ ${MOST.ratio}`,
					isMet: ratio <= MOST.ratio,
					isGross: ratio > GROSS * MOST.ratio,
				},
				{
					name: `${name}: POSTs a row`,
					ours: posts.toFixed(2),
					mark: `≤ ${MOST.posts}`,
					isMet: posts <= MOST.posts,
					isGross: posts > GROSS * MOST.posts,
				},
				{
					name: `${name}: delivered; failed`,
					ours: `${delivered}; ${videos - delivered}`,
					mark: `${videos}; 0`,
					isMet: delivered === videos,
					isGross: delivered < videos,
				},
			],
			note: `Two runs of Generate and Wait at the same time, with the default Timeout, on an account that allows ${FITS.atOnce} videos at once and ${FITS.perMinute} starts a minute; each video takes ${TASK_SECONDS / 60} minutes. In n8n's engine, on a clock that jumps, so that the machine does not count. The best possible schedule keeps ${FITS.atOnce} videos running until the last one ends.`,
		};
	} finally {
		await harness.close();
	}
}
