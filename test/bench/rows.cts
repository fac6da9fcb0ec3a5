/** What a row of `npm run bench` is: what it gets, and what it gives for the table. */
import type { Program } from './program.cjs';
import type { Setup } from './setup.cjs';

/** One line of the table. What is left out stays empty. */
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

export interface RowResult {
	figures: Figure[];
	/** How it was measured, in a sentence or two. */
	note: string;
}

export interface Bench extends Pick<Program, 'quick' | 'tarball' | 'signal' | 'say'> {
	/**
	 * Does something with n8n and a sandbox: the ones that all rows share, or, when memory or processor time is measured, new
	 * ones (not in the quick form, which has no time for that).
	 */
	withSetup: <T>(work: (setup: Setup) => Promise<T>, isFresh?: boolean) => Promise<T>;
}

export interface Row {
	/** As in `npm run bench -- <name>`. */
	name: string;
	what: string;
	measure: (bench: Bench) => Promise<RowResult>;
}

/** A figure of both, and how many times the other's ours is. */
export const compare = (
	name: string,
	[ours, beside]: readonly number[],
	written: (value: number) => string,
) => ({ name, ours: written(ours), beside: written(beside), ratio: (ours / beside).toFixed(2) });
