/**
 * n8n's Data Tables in memory, for runs of the nodes in this process: what n8n 2.41.1 returns and refuses when an inline
 * sub-workflow of Data Table nodes in a row is executed. It knows what the list of videos needs; anything else throws.
 *
 *     const tables = new DataTables();
 *     additionalData.executeWorkflow = tables.executeWorkflow;
 */
import {
	validateFieldType,
	type IDataObject,
	type INode,
	type INodeExecutionData,
	type IWorkflowBase,
	type IWorkflowExecuteAdditionalData,
} from 'n8n-workflow';
import { randomBytes } from 'node:crypto';

export type CellType = 'string' | 'number' | 'boolean' | 'date';
type Cell = string | number | boolean | Date | null;
export interface TableRow {
	[column: string]: Cell;
	id: number;
	createdAt: Date;
	updatedAt: Date;
}

/** Columns that every table has. */
const SYSTEM: Record<string, CellType> = { id: 'number', createdAt: 'date', updatedAt: 'date' };
/** The expressions that parameters may hold. */
const EXPRESSION = /^=\{\{ \$json\.(id|task_id) \}\}$/;
/** SQLite takes no more conditions in one filter. */
const MOST_CONDITIONS = 1000;

const invalid = (why: string) => new Error(`Validation error with data table request: ${why}`);
const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null;

/** A value inside an object, by a path as `getNodeParameter` takes it. */
const at = (value: unknown, path: string): unknown =>
	path.split('.').reduce((of, key) => (isObject(of) ? of[key] : undefined), value);

const listAt = (value: unknown, path: string): unknown[] => {
	const found = at(value, path) ?? [];
	if (!Array.isArray(found)) throw new Error(`${path} is no list`);
	return found;
};

/** Parameters as a node gets them for one item. */
function resolved(value: unknown, item: IDataObject): unknown {
	if (Array.isArray(value)) return value.map((one) => resolved(one, item));
	if (isObject(value)) {
		return Object.fromEntries(
			Object.entries(value).map(([key, one]) => [key, resolved(one, item)]),
		);
	}
	if (typeof value !== 'string' || !value.startsWith('=')) return value;
	const name = EXPRESSION.exec(value)?.[1];
	if (!name || item[name] === undefined) throw new Error(`No value for the expression ${value}`);
	return item[name];
}

const comparable = (cell: Cell) => (cell instanceof Date ? cell.getTime() : cell);
const isLess = (a: Cell, b: Cell) =>
	typeof a === 'number' && typeof b === 'number' ? a < b : String(a) < String(b);

export class DataTable {
	readonly id = randomBytes(8).toString('hex');

	rows: TableRow[] = [];

	private lastId = 0;

	constructor(
		readonly name: string,
		readonly projectId: string,
		readonly columns: Map<string, CellType>,
	) {}

	/** Renames a column, or deletes it where there is no new name, as a person does. */
	renameColumn(name: string, to?: string): void {
		const type = this.columns.get(name);
		this.columns.delete(name);
		if (type && to) this.columns.set(to, type);
		for (const row of this.rows) {
			if (to) row[to] = row[name];
			delete row[name];
		}
	}

	/** A value as n8n takes it for a column. */
	private cell(name: string, value: unknown): Cell {
		const type = SYSTEM[name] ?? this.columns.get(name);
		if (!type) throw invalid(`unknown column name '${name}'`);
		if (value === null || value === undefined) return null;
		if (isObject(value)) throw new Error(`unexpected object input '${JSON.stringify(value)}'`);
		const { valid, errorMessage, newValue } = Object.assign(
			{ errorMessage: '', newValue: value },
			validateFieldType(name, value, type === 'date' ? 'dateTime' : type, { strict: false }),
		);
		if (!valid) {
			const why = `does not match column type '${type}': ${errorMessage}`;
			throw invalid(`value '${String(value)}' ${why}`);
		}
		if (type === 'string' && String(newValue).includes('\0')) {
			throw new Error('invalid byte sequence for encoding "UTF8": 0x00');
		}
		if (type === 'string') return String(newValue);
		if (type === 'date') return new Date(String(newValue));
		return type === 'number' ? Number(newValue) : Boolean(newValue);
	}

	private cells(values: unknown): Array<[string, Cell]> {
		const entries = Object.entries(Object(values)).filter(([name]) => !(name in SYSTEM));
		return entries.map(([name, value]) => [name, this.cell(name, value)]);
	}

	private test(condition: unknown): (row: TableRow) => boolean {
		const name = String(at(condition, 'keyName'));
		if (!(name in SYSTEM) && !this.columns.has(name)) {
			throw new Error(
				`Filter validation failed: Column(s) "${name}" do not exist in the selected table.`,
			);
		}
		const value = comparable(this.cell(name, at(condition, 'keyValue')));
		const how = at(condition, 'condition');
		return (row) => {
			const own = comparable(row[name] ?? null);
			if (how === 'eq') return own === value;
			if (how === 'neq') return own !== value;
			if (how !== 'gte' && how !== 'lt') throw new Error(`Not a condition here: ${String(how)}`);
			return own !== null && isLess(own, value) === (how === 'lt');
		};
	}

	select(parameters: unknown, isRequired: boolean): TableRow[] {
		const tests = listAt(parameters, 'filters.conditions').map((one) => this.test(one));
		if (tests.length === 0 && isRequired) throw new Error('At least one condition is required');
		if (tests.length > MOST_CONDITIONS) {
			throw new Error('SQLITE_ERROR: Expression tree is too large (maximum depth 1000)');
		}
		const isAll = at(parameters, 'matchType') === 'allConditions' || tests.length === 0;
		return this.rows.filter((row) =>
			isAll ? tests.every((holds) => holds(row)) : tests.some((holds) => holds(row)),
		);
	}

	/** All rows or none. */
	insert(items: readonly IDataObject[], now: Date): TableRow[] {
		const none = [...this.columns.keys()].map((name) => [name, null]);
		const rows = items.map((item) => Object.fromEntries([...none, ...this.cells(item)]));
		return rows.map((row) => {
			const inserted = { ...row, id: ++this.lastId, createdAt: now, updatedAt: now };
			this.rows.push(inserted);
			return { ...inserted };
		});
	}

	update(parameters: unknown, item: IDataObject, now: Date): TableRow[] {
		const isItem = at(parameters, 'columns.mappingMode') === 'autoMapInputData';
		const change = this.cells(isItem ? item : at(parameters, 'columns.value'));
		const found = this.select(parameters, true);
		if (change.length === 0) throw invalid('Data columns must not be empty');
		return found.map((row) => ({
			...Object.assign(row, Object.fromEntries(change), { updatedAt: now }),
		}));
	}

	delete(parameters: unknown): TableRow[] {
		const found = this.select(parameters, true);
		this.rows = this.rows.filter((row) => !found.includes(row));
		return found;
	}
}

/** What the nodes of a call do, in order: `list`, `create`, `get`, `insert`, `update`, `deleteRows`. */
export interface TableCall {
	operations: unknown[];
	workflow: IWorkflowBase;
	items: IDataObject[];
}

export class DataTables {
	/** All tables, the one first that was touched last. */
	all: DataTable[] = [];
	readonly calls: TableCall[] = [];
	/** The module is disabled. */
	isOff = false;
	/** The instance has no room left for tables. */
	isFull = false;
	/** Milliseconds by which the clock of the database is ahead. */
	aheadMs = 0;
	/** The next calls fail with these texts. */
	failures: string[] = [];
	/** Comes before each node of a call (counted from 0): others may do something in between, or fail it. */
	before: (call: TableCall, step: number) => unknown = () => undefined;
	/** The project of a workflow. */
	projectOf = (_workflowId: string): string => 'project';

	/** Makes a table as a person does. */
	make(name: string, columns: Record<string, CellType>, projectId = this.projectOf('')): DataTable {
		const table = new DataTable(name, projectId, new Map(Object.entries(columns)));
		this.all = [table, ...this.all];
		return table;
	}

	find(name: string, projectId = this.projectOf('')): DataTable | undefined {
		return this.all.find((table) => table.name === name && table.projectId === projectId);
	}

	remove(table: DataTable | undefined): void {
		this.all = this.all.filter((one) => one !== table);
	}

	/** What n8n hands to a node as `executeWorkflow`. */
	readonly executeWorkflow: IWorkflowExecuteAdditionalData['executeWorkflow'] = async (
		{ code },
		{ executionTimeoutTimestamp: deadline = Infinity },
		{ inputData = [], doNotWaitToFinish },
	) => {
		if (!code) throw new Error('Only inline workflows are executed here');
		const executionId = `${code.id} ${this.calls.length + 1}`;
		// A call that is waited for takes over the end of the time that the calling workflow has.
		const call = async () => {
			if (Date.now() < deadline || doNotWaitToFinish) return await this.call(code, inputData);
			throw new Error('The execution was cancelled because it timed out');
		};
		if (!doNotWaitToFinish) return { executionId, data: [await call()] };
		void call().catch(() => undefined);
		return { executionId, data: [null] };
	};

	private async call(workflow: IWorkflowBase, input: INodeExecutionData[]) {
		const after = ({ name }: INode): INode | undefined => {
			const [next, ...more] = listAt(workflow.connections[name], 'main').flat(2);
			if (more.length) throw new Error('Only nodes in a row are executed here');
			return workflow.nodes.find((node) => node.name === at(next, 'node'));
		};
		const [start] = workflow.nodes;
		const nodes: INode[] = [];
		for (let node = after(start); node; node = after(node)) nodes.push(node);
		const types = [start, ...nodes].map(({ type }) => type.replace('n8n-nodes-base.', ''));
		if (!/^executeWorkflowTrigger(,dataTable)+$/.test(types.join())) {
			throw new Error(`Not a sub-workflow of Data Table nodes: ${types.join()}`);
		}
		let items: IDataObject[] = input.map(({ json }) => ({ ...json }));
		const call = { workflow, items, operations: nodes.map((node) => node.parameters.operation) };
		this.calls.push(call);
		for (const [step, node] of nodes.entries()) {
			await this.before(call, step);
			const failure = step === 0 ? this.failures.shift() : undefined;
			if (failure !== undefined) throw new Error(failure);
			if (items.length) items = await this.run(node, items, this.projectOf(workflow.id));
		}
		return items.map((json) => ({ json, pairedItem: { item: 0 } }));
	}

	/** One node. Each of its items is a statement of its own, but for an insert. */
	private async run(node: INode, input: IDataObject[], projectId: string): Promise<IDataObject[]> {
		if (this.isOff) {
			throw new Error('Attempted to use Data table node but the module is disabled');
		}
		const items = node.executeOnce ? input.slice(0, 1) : input;
		const given: IDataObject[] = [];
		for (const item of node.parameters.operation === 'insert' ? [{}] : items) {
			await Promise.resolve();
			const parameters = resolved(node.parameters, item);
			const found =
				at(parameters, 'resource') === 'table'
					? await this.onTables(parameters, projectId)
					: this.onRows(
							parameters,
							projectId,
							at(parameters, 'operation') === 'insert' ? items : [item],
						);
			given.push(...found);
		}
		return given.length || !node.alwaysOutputData ? given : [{}];
	}

	private async onTables(parameters: unknown, projectId: string): Promise<IDataObject[]> {
		const named = (name: string): IDataObject[] =>
			this.all
				.filter((table) => table.projectId === projectId)
				.filter((table) => table.name.toLowerCase().includes(name.toLowerCase()))
				.map(({ columns, id, name }) => ({
					...{ id, name, projectId },
					columns: [...columns].map(([column, type], index) => ({ name: column, type, index })),
				}));
		if (at(parameters, 'operation') === 'list') {
			return named(String(at(parameters, 'options.filterName') ?? ''));
		}
		const name = String(at(parameters, 'tableName'));
		const [latest] = named(name);
		if (at(parameters, 'options.createIfNotExists') && latest?.name === name) return [latest];
		// Others may make it between the two.
		await Promise.resolve();
		if (this.find(name, projectId)) {
			throw new Error(`Data table with name '${name}' already exists in this project`);
		}
		const columns = listAt(parameters, 'columns.column');
		const types = columns.map((one) => [String(at(one, 'name')), at(one, 'type')]);
		this.make(name, Object.fromEntries(types), projectId);
		return named(name).slice(0, 1);
	}

	/** All rows, or the newest so many. */
	private read(table: DataTable, parameters: unknown): TableRow[] {
		const found = table.select(parameters, false);
		if (at(parameters, 'returnAll') === true) return found;
		const isNewest = at(parameters, 'orderBy') === true;
		const order = `${String(at(parameters, 'orderByColumn'))} ${String(at(parameters, 'orderByDirection'))}`;
		if (!isNewest || order !== 'createdAt DESC') throw new Error('Only the newest are read here');
		return found
			.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime())
			.slice(0, Number(at(parameters, 'limit')));
	}

	private onRows(parameters: unknown, projectId: string, items: IDataObject[]): IDataObject[] {
		const id = at(parameters, 'dataTableId.value');
		const table = this.all.find((one) => one.id === id && one.projectId === projectId);
		if (!table) throw new Error(`Data table with ID '${id}' could not be found in this project`);
		const operation = at(parameters, 'operation');
		if (this.isFull && (operation === 'insert' || operation === 'update')) {
			throw invalid('Data table size limit exceeded: 50MB used, limit is 50MB');
		}
		if (operation !== 'get') this.all = [table, ...this.all.filter((one) => one !== table)];
		const now = new Date(Date.now() + this.aheadMs);
		switch (operation) {
			case 'get':
				return this.read(table, parameters).map((row) => ({ ...row }));
			case 'insert':
				return table.insert(items, now);
			case 'update':
				return table.update(parameters, items[0], now);
			case 'deleteRows':
				return table.delete(parameters);
			default:
				throw new Error(`Not an operation here: ${String(operation)}`);
		}
	}
}
