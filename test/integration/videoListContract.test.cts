// The list of videos against Data Tables in memory; a real n8n keeps the same contract (test/e2e, test/queue).
import { openDataTableList } from '../../nodes/shared/idempotency/dataTableList';
import { DataTables } from '../support/dataTables.cjs';
import {
	contextOf,
	listContract,
	type ListAnswer,
	type ListHost,
} from '../support/listContract.cjs';

let tables = new DataTables();

const host: ListHost = {
	ask: async (calls, { creates = true, starts, isOther } = {}) => {
		const answer: ListAnswer = { isOpen: false, rows: [] };
		try {
			const opened = await openDataTableList(contextOf(tables, isOther ? 'other' : 'own'), creates);
			if (!opened) return answer;
			Object.assign(answer, { isOpen: true, isNew: opened.isNew });
			for (const steps of calls) {
				if (starts) opened.list.start(...steps);
				else answer.rows.push(await opened.list.run(...steps));
			}
			return { ...answer, now: opened.list.now() };
		} catch (error) {
			return { ...answer, error: String(Reflect.get(Object(error), 'message')) };
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
