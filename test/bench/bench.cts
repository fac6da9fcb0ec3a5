/** `npm run bench`: the work of this package beside what a user would build by hand, in one table with ratios. */
import { batch } from './batch.cjs';
import { downloads } from './downloads.cjs';
import { fullAccount } from './fullAccount.cjs';
import { list } from './list.cjs';
import { notice } from './notice.cjs';
import { overhead } from './overhead.cjs';
import { loading, packed } from './package.cjs';
import { BenchError, runProgram, type Program, type Report } from './program.cjs';
import { table, type Figure } from './report.cjs';
import { Setup } from './setup.cjs';
import { waiting } from './waiting.cjs';

export interface Bench extends Program {
	/**
	 * Does something with n8n and a sandbox: the ones that all rows share, or, when memory or processor time is measured, new
	 * ones (not in the quick form, which has no time for that).
	 */
	withSetup: <T>(work: (setup: Setup) => Promise<T>, isFresh?: boolean) => Promise<T>;
}

export interface Measured {
	figures: Figure[];
	/** How it was measured, in a sentence or two. */
	note: string;
}

/** By the name of each row, as in `npm run bench -- <name>`, what measures it. */
const ROWS: Record<string, (bench: Bench) => Promise<Measured>> = {
	...{ batch, 'full-account': fullAccount, notice, overhead, list, downloads, waiting, loading },
	package: packed,
};

const USAGE = `Usage: npm run bench -- [row …] [--quick] [--write]
  row        only these: ${Object.keys(ROWS).join(', ')}
  --quick    smaller and shorter, under 3 minutes; ends with exit code 1 when something is grossly slower or larger
  --write    put the results into test/bench/RESULTS.md`;

async function measure(program: Program): Promise<Report> {
	const { quick, signal, say, machine } = program;
	const names = program.names.length > 0 ? program.names : Object.keys(ROWS);
	const unknown = names.find((name) => !Object.hasOwn(ROWS, name));
	if (unknown) throw new BenchError(`There is no row "${unknown}".\n\n${USAGE}`);
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
	const lines: string[][] = [];
	const notes: string[] = [];
	const gross: string[] = [];
	try {
		for (const [index, row] of names.entries()) {
			say(`${index + 1} of ${names.length}: ${row}`);
			const { figures, note } = await measureRow(row, bench);
			notes.push(`- ${row}: ${note}`);
			for (const { name, ours, beside = '', ratio = '', mark = '', isMet, isGross } of figures) {
				const verdict = isMet === undefined ? '' : isMet ? 'met' : 'MISS';
				lines.push([`${row}: ${name}`, ours, beside, ratio, mark, verdict]);
				if (isGross) gross.push(name);
			}
		}
	} finally {
		await shared?.stop();
	}
	const figures = table(['Figure', 'this package', 'by hand', 'ratio', 'mark', ''], lines);
	return {
		summary: `${machine} · ${((Date.now() - started) / 60_000).toFixed(1)} minutes`,
		text: `${figures}\n\n${notes.join('\n')}`,
		failure: quick && gross.length ? `Far off its mark: ${gross.join('; ')}.` : undefined,
	};
}

/** What a row gives. One that fails is a miss, and does not take the others with it. */
async function measureRow(row: string, bench: Bench): Promise<Measured> {
	try {
		return await ROWS[row](bench);
	} catch (error) {
		if (bench.signal.aborted || !(error instanceof BenchError)) throw error;
		bench.say(error.message);
		const figures = [{ name: 'not measured', ours: '', isMet: false, isGross: true }];
		return { figures, note: error.message };
	}
}

void runProgram('bench', USAGE, measure);
