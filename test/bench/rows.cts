/** What a row of `npm run bench` is: what it gets, and what it gives for the table. */
import type { Bed } from './bed.cjs';

/** One line of the table. */
export interface Figure {
	name: string;
	ours: string;
	/** The same work done by what stands beside us, or empty. */
	beside: string;
	/** How many times that, or empty. */
	ratio: string;
	/** What is to be reached, or empty. */
	mark: string;
	/** Whether the mark is reached; undefined where there is none. */
	isMet?: boolean;
	/** So far off that something has broken, on any machine: the only thing that fails the quick form. */
	isGross?: boolean;
}

export interface RowResult {
	figures: Figure[];
	/** How it was measured, in a sentence or two. */
	note: string;
}

export interface Bench {
	/** Smaller and shorter, for a check that nothing has broken. */
	quick: boolean;
	/** The packed package. */
	tarball: string;
	signal: AbortSignal;
	/** Tells the person at the terminal what goes on. */
	say: (text: string) => void;
	/**
	 * Does something with n8n and a sandbox: the one that all rows share, or, when memory or processor time is measured, a new
	 * one (not in the quick form, which has no time for that).
	 */
	withBed: <T>(work: (bed: Bed) => Promise<T>, isFresh?: boolean) => Promise<T>;
}

export interface Row {
	/** As in `npm run bench -- <name>`. */
	name: string;
	what: string;
	measure: (bench: Bench) => Promise<RowResult>;
}
