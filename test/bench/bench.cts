/**
 * `npm run bench`: the work of this package beside what a user would build by hand, measured in one go in the same n8n and
 * printed as one table with ratios. `test/run.mjs` builds and packs the package and hands it over in SEEDANCE_TARBALL.
 */
import { parseArgs } from 'node:util';
import { ensureN8n, InstallationError } from '../support/n8n/server.cjs';
import { batch } from './batch.cjs';
import { startBed, type Bed } from './bed.cjs';
import { downloads } from './downloads.cjs';
import { loading } from './loading.cjs';
import { notice } from './notice.cjs';
import { overhead } from './overhead.cjs';
import { packed } from './packed.cjs';
import { BenchError, machineLine, table, writeResults } from './report.cjs';
import type { Bench, Figure, Row, RowResult } from './rows.cjs';
import { waiting } from './waiting.cjs';

const ROWS: readonly Row[] = [batch, notice, overhead, downloads, waiting, loading, packed];

const COMMAND = 'npm run bench';

const USAGE = `Usage: ${COMMAND} -- [row …] [--quick] [--write]
  row        only these: ${ROWS.map(({ name }) => name).join(', ')}
  --quick    smaller and shorter, under 3 minutes; ends with exit code 1 when something is grossly slower or larger
  --write    put the results into test/bench/RESULTS.md`;

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.on(signal, () => interruption.abort(new BenchError('Interrupted.')));
}

async function main(): Promise<void> {
	const wishes = wishesOf(process.argv.slice(2));
	if (!wishes) return console.log(USAGE);
	const tarball = process.env.SEEDANCE_TARBALL;
	if (!tarball) throw new BenchError(`There is no packed package here: run \`${COMMAND}\`.`);
	const { quick, rows } = wishes;
	const { signal } = interruption;
	const machine = await machineLine(await ensureN8n(undefined, signal));

	let shared: Bed | undefined;
	const started = Date.now();
	const say = (text: string) =>
		process.stderr.write(
			`[${String(Math.round((Date.now() - started) / 1000)).padStart(4)} s] ${text}\n`,
		);
	const bench: Bench = {
		quick,
		tarball,
		signal,
		say,
		withBed: async (work, isFresh = false) => {
			signal.throwIfAborted();
			if (!isFresh || quick) return await work((shared ??= await startBed(tarball, signal)));
			const bed = await startBed(tarball, signal);
			try {
				return await work(bed);
			} finally {
				await bed.stop();
			}
		},
	};
	const results: Array<RowResult & { row: Row }> = [];
	try {
		for (const [index, row] of rows.entries()) {
			say(`${index + 1} of ${rows.length}: ${row.what}`);
			results.push({ row, ...(await measured(row, bench)) });
		}
	} finally {
		await shared?.stop();
	}
	const minutes = ((Date.now() - started) / 60_000).toFixed(1);
	const summary = `${machine} · ${minutes} minutes`;
	const text = reportOf(results);
	console.log(`\n${summary}\n\n${text}`);
	if (wishes.write) writeResults(wishes.command, `${summary}\n\n${text}`);
	const gross = results.flatMap(({ figures }) => figures.filter(({ isGross }) => isGross));
	if (quick && gross.length) {
		throw new BenchError(`Far off its mark: ${gross.map(({ name }) => name).join('; ')}.`);
	}
}

/** What a row gives. One that fails is a miss, and does not take the others with it. */
async function measured(row: Row, bench: Bench): Promise<RowResult> {
	try {
		return await row.measure(bench);
	} catch (error) {
		if (bench.signal.aborted || !(error instanceof BenchError)) throw error;
		bench.say(error.message);
		const name = `${row.what}: not measured`;
		const nothing = { ours: '', beside: '', ratio: '', mark: '' };
		return { figures: [{ name, ...nothing, isMet: false, isGross: true }], note: error.message };
	}
}

function wishesOf(args: string[]) {
	try {
		const { values, positionals } = parseArgs({
			args,
			allowPositionals: true,
			options: {
				quick: { type: 'boolean', default: false },
				write: { type: 'boolean', default: false },
				help: { type: 'boolean', short: 'h' },
			},
		});
		if (values.help) return undefined;
		const unknown = positionals.find((name) => !ROWS.some((row) => row.name === name));
		if (unknown !== undefined) throw new Error(`There is no row "${unknown}".`);
		const named = ROWS.filter(({ name }) => positionals.includes(name));
		const wanted = args.filter((arg) => arg !== '--write');
		return {
			...values,
			rows: named.length ? named : ROWS,
			command: [COMMAND, ...(wanted.length ? ['--', ...wanted] : [])].join(' '),
		};
	} catch (error) {
		throw new BenchError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
	}
}

function reportOf(results: ReadonlyArray<RowResult & { row: Row }>): string {
	const verdict = ({ isMet }: Figure) => (isMet === undefined ? '' : isMet ? 'met' : 'MISS');
	const lines = results.flatMap(({ row, figures }) =>
		figures.map((figure) => [
			`${row.name}: ${figure.name}`,
			figure.ours,
			figure.beside,
			figure.ratio,
			figure.mark,
			verdict(figure),
		]),
	);
	return [
		table(['Figure', 'this package', 'by hand', 'ratio', 'mark', ''], lines),
		'',
		...results.map(({ row, note }) => `- ${row.name}: ${note}`),
	].join('\n');
}

main().catch((error: unknown) => {
	const isExpected =
		error instanceof BenchError ||
		error instanceof InstallationError ||
		interruption.signal.aborted;
	const text = error instanceof Error ? (isExpected ? error.message : error.stack) : String(error);
	process.stderr.write(`\n${text}\n`);
	process.exitCode = interruption.signal.aborted ? 130 : 1;
});
