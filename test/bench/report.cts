/** What the benchmarks share: figures out of several rounds, a table of them, what they were measured on, RESULTS.md. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Installation } from '../support/n8n/server.cjs';

/** What went wrong, in a sentence for the person at the terminal. */
export class BenchError extends Error {}

const RESULTS = join(__dirname, 'RESULTS.md');

const HEAD =
	'# Results of the benchmarks\n\nEach section is written by the command that it names, with `--write`. They compare things that were measured\nside by side in one run: the ratios mean more than the figures, which depend on the machine and what else it did.\n';

/** The value below which `share` (0 to 1) of the values lie. NaN when there are none. */
export function percentile(values: readonly number[], share: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

/** Of an even number of values the mean of the two in the middle, so that none is preferred. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How many times the base something is, over rounds of which each measured both. */
export interface Ratio {
	/** The middle one: a round that was disturbed does not move it. */
	median: number;
	lowest: number;
	highest: number;
}

/** Compares round by round, because what disturbs a machine disturbs the neighbours in a round alike. */
export function ratioOf(rates: readonly number[], baseRates: readonly number[]): Ratio {
	const ratios = rates.map((rate, round) => rate / baseRates[round]);
	return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

/** A table in Markdown that is readable as it stands; all columns but the first are figures. */
export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
	const widths = head.map((_, column) =>
		Math.max(3, ...[head, ...rows].map((row) => row[column].length)),
	);
	const line = (cells: readonly string[]) =>
		`| ${cells
			.map((cell, column) =>
				column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
			)
			.join(' | ')} |`;
	const rule = widths.map((width, column) =>
		column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
	);
	return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** What the figures were measured on, when, and how busy it was (the load average) before. */
export async function machineLine({ version, node }: Installation): Promise<string> {
	const { stdout } = await promisify(execFile)(node, ['--version']);
	const cores = cpus();
	return [
		new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
		`${cores.length} cores (${cores[0]?.model.trim() || process.arch})`,
		`${Math.round(totalmem() / 1024 ** 3)} GB memory`,
		`n8n ${version} on Node ${stdout.trim().slice(1)}`,
		`load from Node ${process.versions.node}`,
		`load average before ${loadavg()[0].toFixed(1)}`,
	].join(' · ');
}

/** Milliseconds of processor time that a process has used; NaN where there is no /proc. */
export function cpuMsOf(pid: number | undefined): number {
	const file = `/proc/${pid}/stat`;
	if (!existsSync(file)) return NaN;
	// The fields follow the command's name, which stands in brackets; 14 and 15 count hundredths of a second.
	const fields = readFileSync(file, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
	return (Number(fields[11]) + Number(fields[12])) * 10;
}

/**
 * Watches how much of the processors goes to programs other than us and the measured process. Call what it gives at the
 * end: it tells the share since then, in words.
 */
export function watchOthers(pid: number | undefined): () => string {
	const busy = () =>
		cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
	const othersMs = () => {
		const { user, system } = process.cpuUsage();
		return busy() - (user + system) / 1000 - cpuMsOf(pid);
	};
	const before = { ms: othersMs(), at: Date.now() };
	return () => {
		const share = (othersMs() - before.ms) / (Date.now() - before.at) / cpus().length;
		return Number.isNaN(share)
			? 'what other programs used is not known'
			: `other programs used ${Math.max(0, Math.round(share * 100))} % of the processors meanwhile`;
	};
}

/**
 * Does something so many times, at most `limit` of them at once; gives the results in order. Begins with nothing more
 * after `maxMs` milliseconds, and throws when `signal` is aborted.
 */
export async function atOnce<T>(
	limit: number,
	count: number,
	work: (index: number) => Promise<T>,
	maxMs = Infinity,
	signal?: AbortSignal,
): Promise<T[]> {
	const results: T[] = [];
	const end = performance.now() + maxMs;
	let next = 0;
	const worker = async () => {
		while (next < count && performance.now() < end) {
			signal?.throwIfAborted();
			const index = next++;
			results[index] = await work(index);
		}
	};
	await Promise.all(Array.from({ length: limit }, worker));
	return results;
}

/** Puts a section into RESULTS.md, in the place of the one with the same heading. */
export function writeResults(heading: string, text: string): void {
	const before = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : HEAD;
	const [head, ...sections] = before.split(/^(?=## )/m);
	const section = `## ${heading}\n\n${text.trim()}\n`;
	const at = sections.findIndex((one) => one.startsWith(`## ${heading}\n`));
	if (at < 0) sections.push(section);
	else sections[at] = section;
	writeFileSync(RESULTS, [head, ...sections].map((part) => part.trim()).join('\n\n') + '\n');
}
