/**
 * The list of videos in n8n's own Data Table "Seedance Videos": with dataTableSteps.ts and
 * dataTableCalls.ts the only file that knows Data Tables.
 *
 * Rules that must not regress:
 * - texts of a person or of the API are passed as items, where one that starts with `=` is not
 *   evaluated;
 * - the table is found by its exact name, once a run, and used by its id;
 * - never upsert; no more than {@link MOST_CONDITIONS} conditions at a time.
 */
import type { IDataObject, IExecuteFunctions, INodeParameters } from 'n8n-workflow';

import { isObject, textOf } from '../json';
import { runDataTables, startDataTables } from './dataTableCalls';
import { parametersOf } from './dataTableSteps';
import { rowOf } from './listRow';
import { COLUMNS, ListError, type Column, type Row, type Step, type VideoList } from './videoList';

export const TABLE = 'Seedance Videos';
/** Conditions of one filter (docs/n8n-behaviour.md#filters-of-a-data-table). */
const MOST_CONDITIONS = 200;
/** Columns without which a table is not this list. */
const ESSENTIAL: readonly Column[] = [
	'identity',
	'claim',
	'claimed_until',
	'status',
	'task_id',
	'handed_on',
];

/** A value for a cell: PostgreSQL takes no text that holds a zero character. */
const cell = <T>(value: T): T | string =>
	typeof value === 'string' ? value.split('\0').join('\ufffd') : value;

/** An insert that takes longer, in milliseconds, is not used to compare the clocks. */
const QUICK_CALL_MS = 5_000;
/** By table: milliseconds that the list's clock is ahead of this process's, by the last insert. */
const offsetsMs = new Map<string, number>();

class DataTableList implements VideoList {
	constructor(
		private readonly context: IExecuteFunctions,
		private readonly tableId: string,
		/**
		 * The columns that exist: one that a person has deleted, or that an earlier version did not
		 * make, is not written.
		 */
		private readonly columns: ReadonlySet<string>,
	) {}

	now(): number {
		return Date.now() + (offsetsMs.get(this.tableId) ?? 0);
	}

	/** The values of a row whose columns exist. */
	private present(row: Partial<Row>): IDataObject {
		// An undefined value would be written as null.
		const entries = Object.entries(row).filter(([, value]) => value !== undefined);
		const present = entries.filter(([name]) => name === 'id' || this.columns.has(name));
		return Object.fromEntries(present.map(([name, value]) => [name, cell(value)]));
	}

	private parametersOf(step: Step): INodeParameters {
		return parametersOf(step, { id: this.tableId, columns: this.columns });
	}

	private itemsOf(step: Step): IDataObject[] {
		return 'rows' in step ? step.rows.map((row) => this.present(row)) : [];
	}

	has(...columns: Column[]): boolean {
		return columns.every((name) => this.columns.has(name));
	}

	async run(...steps: [Step, ...Step[]]): Promise<Row[]> {
		const [first] = steps;
		const last = steps[steps.length - 1];
		if (last.do === 'get' && last.any && last.any.length > MOST_CONDITIONS) {
			const [before, ...others] = steps.slice(0, -1);
			if (before) await this.run(before, ...others);
			const some = await this.run({ do: 'get', any: last.any.slice(0, MOST_CONDITIONS) });
			return [...some, ...(await this.run({ do: 'get', any: last.any.slice(MOST_CONDITIONS) }))];
		}
		const parameters = steps.map((step) => this.parametersOf(step));
		const askedAt = Date.now();
		const found = await runDataTables(this.context, parameters, this.itemsOf(first));
		const rows = found.flatMap((item) => rowOf(item) ?? []);
		const returnedAt = Date.now();
		// A slow call, as when the process stood still, is no measure of the clocks.
		const isQuick = returnedAt - askedAt < QUICK_CALL_MS;
		if (first.do === 'insert' && isQuick) {
			const [{ claim, identity }] = first.rows;
			const inserted = rows
				.filter((row) => row.claim === claim && row.identity === identity)
				.at(-1);
			if (inserted?.createdAt) {
				offsetsMs.set(this.tableId, inserted.createdAt - (askedAt + returnedAt) / 2);
			}
		}
		return rows;
	}

	start(...steps: [Step, ...Step[]]): void {
		const parameters = steps.map((step) => this.parametersOf(step));
		startDataTables(this.context, parameters, this.itemsOf(steps[0]));
	}
}

interface Table {
	id: string;
	columns: ReadonlyMap<string, unknown>;
}

/**
 * The table of exactly that name, of those whose name contains it
 * (docs/n8n-behaviour.md#names-of-data-tables).
 */
async function findTable(context: IExecuteFunctions): Promise<Table | undefined> {
	const list: INodeParameters = {
		resource: 'table',
		operation: 'list',
		returnAll: true,
		options: { filterName: TABLE },
	};
	const found = (await runDataTables(context, [list])).find(({ name }) => name === TABLE);
	const id = textOf(found?.id);
	if (!found || id === undefined) return undefined;
	const columns: unknown[] = Array.isArray(found.columns) ? found.columns : [];
	return {
		id,
		columns: new Map(
			columns.filter(isObject).map(({ name, type }) => [textOf(name) ?? '', type] as const),
		),
	};
}

/**
 * Makes the table. When several runs do so at once, one of them makes it and the others find it.
 */
async function createTable(context: IExecuteFunctions): Promise<void> {
	const columns = Object.entries(COLUMNS).map(([name, type]) => ({ name, type }));
	const create: INodeParameters = {
		resource: 'table',
		operation: 'create',
		tableName: TABLE,
		columns: { column: columns },
		options: { createIfNotExists: true },
	};
	await runDataTables(context, [create]);
}

/** The list, and whether it was made just now. */
export interface OpenedList {
	list: VideoList;
	isNew: boolean;
}

/**
 * The list of the workflow's project. Where it does not exist, it is made if `creates` is set; else
 * undefined. Throws a {@link ListError} that says why there cannot be one: an n8n without Data
 * Tables, a workflow that was never saved, a table of that name with other columns.
 */
export async function openDataTableList(
	context: IExecuteFunctions,
	creates: boolean,
): Promise<OpenedList | undefined> {
	if (typeof context.executeWorkflow !== 'function') {
		throw new ListError('this n8n runs the node without a workflow around it');
	}
	if (!context.getWorkflow().id) throw new ListError('the workflow has not been saved yet');
	let table = await findTable(context);
	const isNew = table === undefined;
	if (!table) {
		if (!creates) return undefined;
		let reason = 'it was made, but cannot be found';
		try {
			await createTable(context);
		} catch (error) {
			reason = error instanceof Error ? error.message : reason;
		}
		table = await findTable(context);
		if (!table) throw new ListError(`it could not be made: ${reason}`);
	}
	const { columns } = table;
	const missing = ESSENTIAL.filter((name) => columns.get(name) !== COLUMNS[name]);
	if (missing.length) {
		throw new ListError(
			`the Data Table ${TABLE} has no column ${missing.join(', ')} of the right type`,
		);
	}
	// A column of another type is a person's own, of the same name.
	const ours = Object.entries(COLUMNS).filter(([name, type]) => columns.get(name) === type);
	const names = new Set(ours.map(([name]) => name));
	return { list: new DataTableList(context, table.id, names), isNew };
}
