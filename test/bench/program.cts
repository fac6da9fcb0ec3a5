/** What the benchmark programs share: their command line, how they end, and where their results go. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureN8n, InstallationError, type Installation } from '../support/n8n/server.cjs';

const RESULTS = join(__dirname, 'RESULTS.md');

/** What went wrong, in a sentence for the person at the terminal. */
export class BenchError extends Error {}

export interface Program {
	/** As it was called, e.g. `npm run bench:pause -- --quick`. */
	command: string;
	/** What the figures are measured on, when, and the load average before. */
	machine: string;
	/** The packed package; `test/run.mjs` makes it. */
	tarball: string;
	signal: AbortSignal;
	/** Progress goes to stderr; only the results go to stdout. */
	say: (text: string) => void;
	quick: boolean;
	names: string[];
}

export interface Report {
	summary: string;
	text: string;
	/** A sentence that makes the program fail, after it has shown and written the results. */
	failure?: string;
}

/** Runs `npm run <name>` to its end. The results go to stdout, and with `--write` into RESULTS.md. */
export async function runProgram(
	name: string,
	usage: string,
	work: (program: Program) => Promise<Report>,
): Promise<void> {
	const started = Date.now();
	const say = (text: string) => {
		const seconds = String(Math.round((Date.now() - started) / 1000)).padStart(4);
		process.stderr.write(`[${seconds} s] ${text}\n`);
	};
	const interruption = new AbortController();
	const { signal } = interruption;
	for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
		process.on(name, () => interruption.abort(new BenchError('Interrupted.')));
	}
	try {
		const { values, positionals: names } = parse(usage);
		const { quick, write, help } = values;
		if (help) return console.log(usage);
		const tarball = process.env.SEEDANCE_TARBALL;
		if (!tarball) throw new BenchError(`There is no packed package here: run \`npm run ${name}\`.`);
		const machine = machineLine(await ensureN8n(undefined, signal));
		const given = [...names, ...(quick ? ['--quick'] : [])];
		const heading = ['npm run', name, ...(given.length ? ['--', ...given] : [])].join(' ');
		const command = write ? `${heading}${given.length ? '' : ' --'} --write` : heading;
		const report = await work({ command, machine, tarball, signal, say, quick, names });
		const results = `${report.summary}\n\n${report.text}`;
		console.log(`\n${results}`);
		if (write) writeResults(heading, results);
		if (report.failure) throw new BenchError(report.failure);
	} catch (error) {
		process.exitCode = signal.aborted ? 130 : 1;
		// The installer has said it already.
		if (error instanceof InstallationError) return;
		const isExpected = error instanceof BenchError || signal.aborted;
		const { message, stack } = error instanceof Error ? error : new Error(String(error));
		process.stderr.write(`\n${isExpected ? message : stack}\n`);
	}
}

function parse(usage: string) {
	const flag = { type: 'boolean', default: false } as const;
	try {
		const options = { quick: flag, write: flag, help: { ...flag, short: 'h' } };
		return parseArgs({ allowPositionals: true, options });
	} catch (error) {
		throw new BenchError(`${error instanceof Error ? error.message : error}\n\n${usage}`);
	}
}

function machineLine({ version, node }: Installation): string {
	const [{ model } = { model: '' }] = cpus();
	return [
		new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
		`${cpus().length} cores (${model.trim() || process.arch})`,
		`${Math.round(totalmem() / 1024 ** 3)} GB memory`,
		`n8n ${version} on Node ${execFileSync(node, ['--version']).toString().trim().slice(1)}`,
		`load from Node ${process.versions.node}`,
		`load average before ${loadavg()[0].toFixed(1)}`,
	].join(' · ');
}

/** Puts a section into RESULTS.md, in the place of the one with the same heading. */
function writeResults(heading: string, text: string): void {
	const [head, ...sections] = readFileSync(RESULTS, 'utf8').split(/^(?=## )/m);
	const section = `## ${heading}\n\n${text.trim()}\n`;
	const at = sections.findIndex((one) => one.startsWith(`## ${heading}\n`));
	sections.splice(at < 0 ? sections.length : at, 1, section);
	writeFileSync(RESULTS, `${[head, ...sections].map((part) => part.trim()).join('\n\n')}\n`);
}
