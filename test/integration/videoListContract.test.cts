// The list of videos against Data Tables in memory; a real n8n keeps the same contract (test/e2e, test/queue).
import { openDataTableList } from '../../nodes/shared/idempotency/dataTableList';
import { ListError, where } from '../../nodes/shared/idempotency/videoList';
import { DataTables } from '../support/dataTables.cjs';
import {
	aRow,
	contextOf,
	listContract,
	type ListOutput,
	type ListHost,
} from '../support/listContract.cjs';

let tables = new DataTables();

const host: ListHost = {
	ask: async (calls, { creates = true, starts, isOther } = {}) => {
		const response: ListOutput = { isOpen: false, rows: [] };
		try {
			const opened = await openDataTableList(contextOf(tables, isOther ? 'other' : 'own'), creates);
			if (!opened) return response;
			Object.assign(response, { isOpen: true, isNew: opened.isNew });
			for (const steps of calls) {
				if (starts) opened.list.start(...steps);
				else response.rows.push(await opened.list.run(...steps));
			}
			return { ...response, now: opened.list.now() };
		} catch (error) {
			return { ...response, error: String(Reflect.get(Object(error), 'message')) };
		}
	},
	tables: async () => tables.all.map(({ name }) => name),
	make: async (name, columns) => void tables.make(name, columns),
	rows: async (name) => tables.find(name)?.rows.map((row) => ({ ...row })) ?? [],
	clear: async () => {
		tables = new DataTables();
		tables.projectOf = (workflowId) => (workflowId === 'other' ? 'other' : 'own');
	},
};

listContract(() => host);

/** A list that is there, with one row. */
async function opened() {
	tables = new DataTables();
	const list = (await openDataTableList(contextOf(tables), true))?.list;
	if (!list) throw new Error('There is no list');
	await list.run({ do: 'insert', rows: [aRow()] });
	tables.calls.length = 0;
	return list;
}

it.each([
	['synchronization error: result count changed during pagination', 4],
	['SQLITE_BUSY: database is locked', 4],
	['deadlock detected', 4],
	['Data table size limit exceeded', 1],
])('makes a call that failed with "%s" %i times at most', async (reason, times) => {
	const list = await opened();
	tables.failures = Array(times - 1).fill(reason);
	expect(await list.run({ do: 'get' })).toHaveLength(1);
	tables.failures = Array(9).fill(reason);
	await expect(list.run({ do: 'get' })).rejects.toThrow(new ListError(reason));
	expect(tables.calls).toHaveLength(2 * times);
});

it.each([0, 1])('makes no insert twice that others follow: step %i failed', async (failing) => {
	const list = await opened();
	let failures = 1;
	tables.before = (_, step) => {
		if (step === failing && failures-- > 0) throw new Error('SQLITE_BUSY: database is locked');
	};
	const rows = [aRow({ claim: 'c1' })];
	const given = await list.run({ do: 'insert', rows }, { do: 'get', all: [where('claim', 'c1')] });
	expect(given).toHaveLength(failing);
	expect(tables.all[0].rows).toHaveLength(1 + failing);
});

it.each([
	['the module off', () => (tables.isOff = true), 'the module is disabled'],
	['full tables', () => (tables.isFull = true), 'Data table size limit exceeded'],
	['a deleted table', () => tables.remove(tables.all[0]), 'could not be found in this project'],
	[
		'a renamed column',
		() => tables.all[0].renameColumn('claim', 'x'),
		"unknown column name 'claim'",
	],
])('says why it could not be written: %s', async (_, happens, reason) => {
	const list = await opened();
	happens();
	const all = [where('status', 'CLAIMED')];
	const steps = { do: 'update', all, set: { claim: 'c1' } } as const;
	await expect(list.run({ do: 'get' }, steps)).rejects.toThrow(ListError);
	await expect(list.run(steps)).rejects.toThrow(reason);
	list.start(steps);
});

it('reads the time of the database, and leaves no trace in the list of executions', async () => {
	const list = await opened();
	tables.aheadMs = 3_600_000;
	await list.run({ do: 'insert', rows: [aRow()] });
	expect(Math.abs(list.now() - Date.now() - tables.aheadMs)).toBeLessThan(1000);
	expect(tables.calls[0].workflow.settings).toEqual({
		executionOrder: 'v1',
		saveDataSuccessExecution: 'none',
		saveDataErrorExecution: 'none',
		saveManualExecutions: false,
		saveExecutionProgress: false,
		callerPolicy: 'workflowsFromSameOwner',
	});
});

it('is written after the time of the workflow is over, by calls that nobody waits for', async () => {
	await opened();
	const late = contextOf(tables, 'workflow1', Date.now() + 50);
	const list = (await openDataTableList(late, false))?.list;
	await new Promise((resolve) => setTimeout(resolve, 60));
	const step = { do: 'update', all: [where('status', 'CLAIMED')], set: { claim: 'c1' } } as const;
	await expect(list?.run(step)).rejects.toThrow('because it timed out');
	list?.start(step);
	await new Promise(setImmediate);
	expect(tables.all[0].rows).toMatchObject([{ claim: 'c1' }]);
});
