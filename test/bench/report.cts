/** Figures out of several measurements, tables of them, and work that is done many times at once. */

/** One line of the table of `npm run bench`. What is left out stays empty. */
export interface Figure {
	name: string;
	ours: string;
	/** The same work done by what stands beside us. */
	beside?: string;
	/** How many times that. */
	ratio?: string;
	/** What is to be reached. */
	mark?: string;
	isMet?: boolean;
	/** So far off that something has broken, on any machine: the only thing that fails the quick form. */
	isGross?: boolean;
}

/** A figure of both, and how many times the other's ours is. */
export const compare = (
	name: string,
	[ours, beside]: readonly number[],
	written: (value: number) => string,
) => ({ name, ours: written(ours), beside: written(beside), ratio: (ours / beside).toFixed(2) });

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

/**
 * How many times `base` the values are. They are compared round by round, because what disturbs the machine disturbs
 * both figures of a round; the middle round counts, and `text` gives it with the lowest and the highest.
 */
export function ratioOf(values: readonly number[], base: readonly number[]) {
	const ratios = values.map((value, round) => value / base[round]);
	const middle = median(ratios);
	const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)].map((one) => one.toFixed(2));
	return { median: middle, text: `${middle.toFixed(2)} (${lowest}–${highest})` };
}

/** A table in Markdown that is readable as it stands; all columns but the first are figures. */
export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
	const widths = head.map((_, column) =>
		Math.max(3, ...[head, ...rows].map((row) => row[column].length)),
	);
	const padded = (cell: string, at: number) =>
		at ? cell.padStart(widths[at]) : cell.padEnd(widths[at]);
	const line = (cells: readonly string[]) => `| ${cells.map(padded).join(' | ')} |`;
	const rule = widths.map((width, at) => (at ? '-'.repeat(width - 1) + ':' : '-'.repeat(width)));
	return [line(head), line(rule), ...rows.map(line)].join('\n');
}

interface AtOnce {
	limit: number;
	count: number;
	maxMs?: number;
	signal?: AbortSignal;
}

/**
 * Does something `count` times, at most `limit` of them at once; gives the results in order. Begins with nothing more
 * after `maxMs` milliseconds, and throws when `signal` is aborted.
 */
export async function atOnce<T>(
	{ limit, count, maxMs = Infinity, signal }: AtOnce,
	work: (index: number) => Promise<T>,
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
