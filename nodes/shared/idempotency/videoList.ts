/**
 * The list of videos that were paid for: the columns of a row, and the steps on the list. Where the
 * rows are stored is known to the implementation alone (dataTableList.ts).
 */

/** The status of a row. */
export type RowStatus =
	/** A bid for a Reuse Key (claims.ts). */
	| 'PENDING'
	/** Reserved; nothing was sent. */
	| 'CLAIMED'
	/** The request may have left. */
	| 'SENDING'
	| 'IN_PROGRESS'
	| 'SUCCESS'
	| 'FAILED'
	/** Unknown whether it was started; that was reported to a person. */
	| 'UNCLEAR';

/**
 * The columns and their types, in the order in which a person sees them: the first four fit into a
 * window, and show which video a row is, its outcome and its ID.
 */
export const COLUMNS = {
	prompt: 'string',
	status: 'string',
	handed_on: 'boolean',
	task_id: 'string',
	video_url: 'string',
	video_key: 'string',
	model: 'string',
	resolution: 'string',
	duration: 'number',
	credits: 'number',
	charged: 'string',
	seconds: 'number',
	budget_for: 'string',
	error_message: 'string',
	mode: 'string',
	workflow: 'string',
	node: 'string',
	execution_id: 'string',
	item: 'number',
	claimed_until: 'string',
	claim: 'string',
	identity: 'string',
	settings: 'string',
} as const;

export type Column = keyof typeof COLUMNS;

/** What a new row holds. Texts are never null: an empty one says that there is nothing. */
export interface NewRow {
	/** The Reuse Key as a person wrote it; empty without one. */
	video_key: string;
	task_id: string;
	status: RowStatus;
	/** Whether the workflow has got the video, or its task ID where that was asked for. */
	handed_on: boolean;
	prompt: string;
	model: string;
	resolution: string;
	/** Seconds. */
	duration: number;
	/** The API's count once it has reported one, the price by the table until then. */
	credits: number;
	charged: 'yes' | 'no' | 'unknown';
	/** How long the video took to be made; 0 where no run has seen that. */
	seconds: number;
	/** The value of Maximum Credits per Period > For. */
	budget_for: string;
	video_url: string;
	error_message: string;
	mode: 'manual' | 'production';
	/** The ID of the workflow. */
	workflow: string;
	/** The name of the node. */
	node: string;
	execution_id: string;
	/** Counted from 0. */
	item: number;
	/** Until when its run holds it: ISO 8601, in the time of the list; empty when nobody does. */
	claimed_until: string;
	/** Identifies the run that holds it; empty when none does. */
	claim: string;
	/** What makes it the same video (identity.ts), as SHA-256 (hex). */
	identity: string;
	/** SHA-256 (hex) of the request, to see whether a Reuse Key stands for other settings. */
	settings: string;
}

export interface Row extends NewRow {
	id: number;
	/** Milliseconds since 1970, in the time of the list. */
	createdAt: number;
}

/** One condition. Texts are hashes, status words and times only, never what a person wrote. */
export interface Condition {
	column: Column | 'id' | 'createdAt';
	is: 'eq' | 'neq' | 'gte' | 'lt';
	value: string | number | boolean;
}

/** Changes of one row, which is named by its `id`. */
export type OwnChange = Partial<NewRow> & { id: number };
/** The same, or named by its `task_id`. */
export type RowChange = OwnChange | (Partial<NewRow> & { task_id: string });

/**
 * One step. `all` and `any` are the conditions that have to hold. `insert` and `updateEach` may
 * only come first in a call; the latter changes a row only if `all` holds for it. `newest` limits a
 * read to so many rows, the last ones. An update by claim and status is a compare-and-set: a row
 * that it does not give was changed by another run.
 */
export type Step =
	| { do: 'get'; all?: readonly Condition[]; any?: readonly Condition[]; newest?: number }
	| { do: 'insert'; rows: readonly NewRow[] }
	| {
			do: 'updateEach';
			by?: 'id' | 'task_id';
			rows: readonly RowChange[];
			all: readonly Condition[];
	  }
	| { do: 'update'; all: readonly Condition[]; set: Partial<NewRow> }
	| { do: 'delete'; all: readonly Condition[] };

export interface VideoList {
	/**
	 * Does the steps in order, in one call, and gives the rows of the last one. Everything is stored
	 * when it returns. Throws a {@link ListError} when that is not certain. The rows of the later
	 * steps show whether an insert before them was done.
	 */
	run(...steps: [Step, ...Step[]]): Promise<Row[]>;
	/** Does the steps without waiting for them. Never throws. */
	start(...steps: [Step, ...Step[]]): void;
	/** Milliseconds since 1970, in the time of the list as far as it is known. */
	now(): number;
	/** Whether it has these columns: conditions may name no other. */
	has(...columns: Column[]): boolean;
}

/** Why the list cannot be used or written, in a sentence for a person. */
export class ListError extends Error {}

/** A condition on one column: equality, unless `is` says otherwise. */
export const where = (
	column: Condition['column'],
	value: Condition['value'],
	is: Condition['is'] = 'eq',
): Condition => ({ column, is, value });
