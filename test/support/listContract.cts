/**
 * What every list of videos has to keep, wherever its Data Tables are: one suite for those in memory, for SQLite and for
 * PostgreSQL with several processes.
 */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import {
	COLUMNS,
	where,
	type Column,
	type NewRow,
	type Row,
	type Step,
} from '../../nodes/shared/idempotency/videoList';
import type { CellType, DataTables } from './dataTables.cjs';

export type Call = [Step, ...Step[]];

export interface CallOptions {
	/** Default true. */
	creates?: boolean;
	/** The calls are not awaited. */
	starts?: boolean;
	/** The workflow belongs to another project than all others. */
	isOther?: boolean;
}

/** What came of opening the list and of calls, each with the rows that it gave; of an error, its text. */
export interface ListOutput {
	isOpen: boolean;
	isNew?: boolean;
	rows: Row[][];
	/** Milliseconds since 1970, in the time of the list. */
	now?: number;
	error?: string;
}

export interface ListHost {
	/** Opens the list in an execution, and makes calls one after another. */
	ask: (calls: Call[], options?: CallOptions) => Promise<ListOutput>;
	/** The names of the tables in the project. */
	tables: () => Promise<string[]>;
	/** Makes a table as a person does. */
	make: (name: string, columns: Record<string, CellType>) => Promise<void>;
	/** The rows of a table as a person sees them. */
	rows: (name: string) => Promise<IDataObject[]>;
	/** Removes all tables of all projects. */
	clear: () => Promise<void>;
}

/** What a node gets in a workflow of an n8n with these tables, as far as the list uses it. */
export function contextOf(
	tables: DataTables,
	workflowId = 'workflow1',
	executionTimeoutTimestamp?: number,
): IExecuteFunctions {
	const additionalData = Object.assign(Object.create(null), { executionTimeoutTimestamp });
	const executeWorkflow: IExecuteFunctions['executeWorkflow'] = async (
		workflow,
		inputData,
		_callbacks,
		options,
	) => {
		const more = { parentWorkflowId: workflowId, inputData, ...options };
		return await tables.executeWorkflow(workflow, additionalData, more);
	};
	const getWorkflow = () => ({ id: workflowId, name: '={{ $now }} "calls"', active: false });
	return Object.assign(Object.create(null), { executeWorkflow, getWorkflow });
}

/** A row that counts for nothing, but for what a test says. */
export const aRow = (change: Partial<NewRow> = {}): NewRow => ({
	video_key: '',
	task_id: '',
	status: 'CLAIMED',
	handed_on: false,
	prompt: 'A boat',
	model: 'seedance-v1',
	resolution: '480p',
	duration: 4,
	credits: 28,
	charged: 'unknown',
	seconds: 0,
	budget_for: '',
	video_url: '',
	error_message: '',
	mode: 'manual',
	workflow: 'workflow1',
	node: 'Seedance',
	execution_id: '1',
	item: 0,
	claimed_until: '',
	claim: '',
	identity: 'a1',
	settings: 'b2',
	...change,
});

/** Texts that a program could take for more than text. */
export const NASTY_TEXTS = [
	'={{ $json.x }}',
	'=1+1',
	'{{ $env.HOME }}',
	`"; DROP TABLE data_table; --`,
	`' OR 1=1 --`,
	'🎬 köd \u200b\u202e "quoted"\n\tline',
	'null',
	'2026-05-12T10:32:00.000Z',
	'zero \0 character',
	'{"$json": [1]}',
];

const UPDATERS = 20;
const MAKERS = 10;

/** Registers the suite for a host. */
export function listContract(hostOf: () => ListHost): void {
	const ask: ListHost['ask'] = async (...call) => await hostOf().ask(...call);
	/** The rows that one call gives, by a list that has to be there. */
	const run = async (...steps: Call): Promise<Row[]> => {
		const { rows, error } = await ask([steps]);
		expect(error).toBeUndefined();
		return rows[0];
	};
	const insert = async (...changes: Array<Partial<NewRow>>) =>
		await run({ do: 'insert', rows: changes.map(aRow) });
	const get = async (): Promise<Row[]> => await run({ do: 'get' });
	const ids = (rows: readonly Row[]) => rows.map(({ id }) => id);
	const tasks = (rows: readonly Row[]) => rows.map(({ task_id }) => task_id);

	beforeEach(async () => await hostOf().clear());

	it('is made when it is first needed, with all columns, and found from then on', async () => {
		expect(await ask([], { creates: false })).toMatchObject({ isOpen: false });
		expect(await hostOf().tables()).toEqual([]);
		expect(await ask([])).toMatchObject({ isOpen: true, isNew: true });
		expect(await ask([], { creates: false })).toMatchObject({ isOpen: true, isNew: false });
		await insert({});
		const [row] = await hostOf().rows(TABLE);
		expect(Object.keys(row)).toEqual(expect.arrayContaining(Object.keys(COLUMNS)));
	});

	it('is made once when many need it at the same moment', async () => {
		const makers = Array.from({ length: MAKERS }, async () => {
			return await ask([[{ do: 'insert', rows: [aRow()] }]]);
		});
		const responses = await Promise.all(makers);
		expect(responses.filter(({ error }) => error !== undefined)).toEqual([]);
		expect(await hostOf().tables()).toEqual([TABLE]);
		expect(await get()).toHaveLength(MAKERS);
	});

	it('gives new rows their ids and its own time, and keeps every text a text', async () => {
		const rowsOf = (texts: readonly string[]) =>
			texts.map((text, item) =>
				aRow({
					...{ item, video_key: text, prompt: text, budget_for: text, error_message: text },
					...{ task_id: text, video_url: text, node: text },
				}),
			);
		// PostgreSQL takes no zero character.
		const kept = rowsOf(NASTY_TEXTS.map((text) => text.replace('\0', '\ufffd')));
		const before = Date.now();
		const written: Call = [{ do: 'insert', rows: rowsOf(NASTY_TEXTS) }];
		const { rows, now = 0 } = await ask([written, [{ do: 'get' }]]);
		const [inserted, found] = rows;
		expect(inserted).toMatchObject(kept);
		expect(found).toEqual(inserted);
		expect(new Set(ids(inserted)).size).toBe(kept.length);
		for (const time of [now, ...inserted.map(({ createdAt }) => createdAt)]) {
			expect(Math.abs(time - before)).toBeLessThan(10_000);
		}
		const change = inserted.map(({ id }, index) => ({ id, video_url: NASTY_TEXTS[index] }));
		expect(await run({ do: 'updateEach', rows: change, all: [] })).toMatchObject(kept);
	});

	it('refuses a condition or a value that n8n would evaluate', async () => {
		for (const step of [
			{ do: 'get', all: [where('claim', '=1')] },
			{ do: 'update', all: [where('claim', '')], set: { claim: '=1' } },
		] satisfies Step[]) {
			const { error } = await ask([[{ do: 'insert', rows: [aRow()] }], [step]]);
			expect(error).toBe('a value that n8n would evaluate was to be written');
		}
		expect((await get()).map(({ claim }) => claim)).toEqual(['', '']);
	});

	it('gives the rows for which all conditions hold, or any, be there a thousand of them', async () => {
		const all = await insert(
			{ task_id: 'a', status: 'SUCCESS', handed_on: true, item: 1 },
			{ task_id: 'b', status: 'FAILED', item: 2 },
			{ task_id: 'c', status: 'SUCCESS', item: 3 },
		);
		const { createdAt } = all[0];
		const at = (ms: number) => new Date(createdAt + ms).toISOString();
		const success = where('status', 'SUCCESS');
		const cases: Array<[Step & { do: 'get' }, string]> = [
			[{ do: 'get', all: [success] }, 'ac'],
			[{ do: 'get', all: [success, where('handed_on', false)] }, 'c'],
			[{ do: 'get', all: [where('status', 'SUCCESS', 'neq')] }, 'b'],
			[{ do: 'get', all: [where('item', 2, 'gte')] }, 'bc'],
			[{ do: 'get', all: [where('item', 2, 'lt')] }, 'a'],
			[{ do: 'get', all: [where('createdAt', at(-60_000), 'gte')] }, 'abc'],
			[{ do: 'get', all: [where('createdAt', at(60_000), 'gte')] }, ''],
			[{ do: 'get', any: [where('status', 'FAILED'), where('item', 3)] }, 'bc'],
			[{ do: 'get', any: [where('id', all[0].id)] }, 'a'],
		];
		const response = await ask(cases.map(([step]): Call => [step]));
		expect(response.rows.map((rows) => tasks(rows).join(''))).toEqual(cases.map(([, is]) => is));

		const many = Array.from({ length: 1100 }, (_, nth) => where('id', all[0].id + nth));
		expect(tasks(await run({ do: 'get', any: many })).sort()).toEqual(['a', 'b', 'c']);
	});

	it('gives the newest so many where no more are wanted', async () => {
		for (const task_id of ['a', 'b', 'c', 'd']) {
			await insert({ task_id, seconds: task_id === 'c' ? 0 : 90 });
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		const all = [where('seconds', 1, 'gte')];
		expect(tasks(await run({ do: 'get', all, newest: 2 })).sort()).toEqual(['b', 'd']);
	});

	it('lets one of many callers win that change a row from what it was, at the same moment', async () => {
		for (let round = 0; round < 2; round++) {
			const [{ id }] = await insert({});
			const all = [where('id', id), where('claim', ''), where('status', 'CLAIMED')];
			const claims = Array.from({ length: UPDATERS }, (_, index) => `c${round}${index}`);
			const rows = await Promise.all(
				claims.map(async (claim) => {
					return await run({ do: 'update', all, set: { claim, status: 'SENDING' } });
				}),
			);
			expect(rows.flat()).toHaveLength(1);
			const now = await run({ do: 'get', all: [where('id', id)] });
			expect(now).toMatchObject([{ claim: rows.flat()[0].claim, status: 'SENDING' }]);
		}
	});

	it('changes many rows in one call, each as far as the conditions hold for it', async () => {
		const [a, b, c] = await insert(
			{ task_id: 'a', claim: 'aa' },
			{ task_id: 'b', claim: 'bb' },
			{ task_id: 'c', claim: 'aa' },
		);
		const mine = [where('claim', 'aa')];
		const byId = [a, b, c].map(({ id }) => ({
			...{ id, credits: id, video_url: '=a' },
			// What is not said stays as it is.
			prompt: undefined,
		}));
		expect(tasks(await run({ do: 'updateEach', rows: byId, all: mine }))).toEqual(['a', 'c']);
		const byTask = ['a', 'b', 'nobody'].map((task_id) => ({ task_id, error_message: '=b' }));
		const updated = await run({ do: 'updateEach', by: 'task_id', rows: byTask, all: [] });
		expect(tasks(updated)).toEqual(['a', 'b']);
		expect(await get()).toMatchObject([
			{ ...a, credits: a.id, video_url: '=a', error_message: '=b' },
			{ ...b, error_message: '=b' },
			{ ...c, credits: c.id, video_url: '=a' },
		]);
	});

	it('does steps in order, and gives the rows of the last, also after one that found nothing', async () => {
		const [a, b] = await insert({ task_id: 'a' }, { task_id: 'b' }, { task_id: 'c' });
		const nobody = [where('task_id', 'nobody')];
		const rows = await run(
			{ do: 'updateEach', rows: [a, b].map(({ id }) => ({ id, item: 7 })), all: nobody },
			{ do: 'delete', all: nobody },
			{ do: 'update', all: [where('item', 0)], set: { item: 5 } },
			{ do: 'delete', all: [where('task_id', 'b')] },
			{ do: 'get', all: [where('item', 5)] },
		);
		expect(tasks(rows)).toEqual(['a', 'c']);
		const all = [where('item', 5)];
		expect(tasks(await run({ do: 'get' }, { do: 'get', all }))).toEqual(['a', 'c']);
		expect(await run({ do: 'get' }, { do: 'update', all: nobody, set: { item: 8 } })).toEqual([]);
		expect(await run({ do: 'get' }, { do: 'delete', all: nobody })).toEqual([]);
	});

	it('deletes what the conditions name', async () => {
		const [a] = await insert({ task_id: 'a', claim: 'aa' }, { task_id: 'b', claim: 'aa' });
		const all = [where('id', a.id), where('claim', 'aa'), where('status', 'CLAIMED')];
		expect(tasks(await run({ do: 'delete', all }))).toEqual(['a']);
		expect(tasks(await get())).toEqual(['b']);
	});

	it('does steps that nobody waits for', async () => {
		await ask([[{ do: 'insert', rows: [aRow({ task_id: 'a' })] }]], { starts: true });
		for (let tries = 0; tries < 50; tries++) {
			if ((await get()).length > 0) break;
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
		expect(tasks(await get())).toEqual(['a']);
	});

	it('never uses a table of a similar name, be it touched more recently', async () => {
		await insert({ task_id: 'a' });
		for (const name of [`${TABLE} (copy)`, TABLE.toLowerCase()]) {
			await hostOf().make(name, COLUMNS);
			const later = await insert({ task_id: name });
			await run({ do: 'update', all: [where('id', later[0].id)], set: { item: 9 } });
			expect(await hostOf().rows(name)).toEqual([]);
		}
		expect(await hostOf().rows(TABLE)).toHaveLength(3);
	});

	const table = (change: Partial<Record<Column, CellType | undefined>>) =>
		Object.fromEntries(
			Object.entries({ ...COLUMNS, ...change }).flatMap(([name, type]) =>
				type ? [[name, type] as const] : [],
			),
		);

	it('leaves out a column that a person has deleted, or has for something else', async () => {
		const change = { prompt: undefined, duration: undefined, seconds: 'date' } as const;
		await hostOf().make(TABLE, table(change));
		const [{ id }] = await insert({ task_id: 'a' });
		await run({ do: 'update', all: [where('id', id)], set: { prompt: 'other', item: 3 } });
		await run({ do: 'updateEach', rows: [{ id, duration: 9, seconds: 9, credits: 5 }], all: [] });
		expect(await get()).toMatchObject([
			{ task_id: 'a', prompt: '', item: 3, credits: 5, seconds: 0 },
		]);
	});

	it.each([
		['has no column for the claim', { claim: undefined }, 'claim'],
		['has another type for a column', { handed_on: 'string' }, 'handed_on'],
	] as const)('does not write into a table that %s', async (_, change, column) => {
		await hostOf().make(TABLE, table(change));
		const { error } = await ask([[{ do: 'insert', rows: [aRow()] }]]);
		expect(error).toBe(`the Data Table ${TABLE} has no column ${column} of the right type`);
		expect(await hostOf().tables()).toEqual([TABLE]);
		expect(await hostOf().rows(TABLE)).toEqual([]);
	});

	it('is not seen by another project, which has its own', async () => {
		await insert({ task_id: 'a' });
		const other = await ask([[{ do: 'insert', rows: [aRow({ task_id: 'b' })] }]], {
			isOther: true,
		});
		expect(other).toMatchObject({ isNew: true, rows: [[{ task_id: 'b' }]] });
		expect(tasks(await get())).toEqual(['a']);
	});
}
