/** `npm run bench`: the work of this package beside what a user would build by hand, in one table with ratios. */
import { batch } from './batch.cjs';
import { downloads } from './downloads.cjs';
import { notice } from './notice.cjs';
import { overhead } from './overhead.cjs';
import { loading, packed } from './package.cjs';
import { BenchError, runProgram, type Program, type Report } from './program.cjs';
import { table } from './report.cjs';
import type { Bench, Row, RowResult } from './rows.cjs';
import { Setup } from './setup.cjs';
import { waiting } from './waiting.cjs';

const ROWS: readonly Row[] = [batch, notice, overhead, downloads, waiting, loading, packed];

const USAGE = `Usage: npm run bench -- [row …] [--quick] [--write]
  row        only these: ${ROWS.map(({ name }) => name).join(', ')}
  --quick    smaller and shorter, under 3 minutes; ends with exit code 1 when something is grossly slower or larger
  --write    put the results into test/bench/RESULTS.md`;

async function measure(program: Program): Promise<Report> {
	const { quick, names, signal, say, machine } = program;
	const unknown = names.find((name) => !ROWS.some((row) => row.name === name));
	if (unknown) throw new BenchError(`There is no row "${unknown}".\n\n${USAGE}`);
	const rows = ROWS.filter(({ name }) => !names.length || names.includes(name));
	const started = Date.now();
	let shared: Setup | undefined;
	const bench: Bench = {
		...program,
		withSetup: async (work, isFresh = false) => {
			signal.throwIfAborted();
			if (!isFresh || quick) return await work((shared ??= await Setup.start(program)));
			const setup = await Setup.start(program);
			return await work(setup).finally(async () => await setup.stop());
		},
	};
	const results: Array<RowResult & { row: Row }> = [];
	try {
		for (const [index, row] of rows.entries()) {
			say(`${index + 1} of ${rows.length}: ${row.what}`);
			results.push({ row, ...(await measureRow(row, bench)) });
		}
	} finally {
		await shared?.stop();
	}
	const lines = results.flatMap(({ row, figures }) =>
		figures.map(({ name, ours, beside = '', ratio = '', mark = '', isMet }) => {
			const verdict = isMet === undefined ? '' : isMet ? 'met' : 'MISS';
			return [`${row.name}: ${name}`, ours, beside, ratio, mark, verdict];
		}),
	);
	const notes = results.map(({ row, note }) => `- ${row.name}: ${note}`).join('\n');
	const figures = table(['Figure', 'this package', 'by hand', 'ratio', 'mark', ''], lines);
	const gross = results.flatMap((result) => result.figures.filter(({ isGross }) => isGross));
	return {
		summary: `${machine} · ${((Date.now() - started) / 60_000).toFixed(1)} minutes`,
		text: `${figures}\n\n${notes}`,
		failure:
			quick && gross.length
				? `Far off its mark: ${gross.map(({ name }) => name).join('; ')}.`
				: undefined,
	};
}

/** What a row gives. One that fails is a miss, and does not take the others with it. */
async function measureRow(row: Row, bench: Bench): Promise<RowResult> {
	try {
		return await row.measure(bench);
	} catch (error) {
		if (bench.signal.aborted || !(error instanceof BenchError)) throw error;
		bench.say(error.message);
		const name = `${row.what}: not measured`;
		return { figures: [{ name, ours: '', isMet: false, isGross: true }], note: error.message };
	}
}

void runProgram('bench', USAGE, measure);
