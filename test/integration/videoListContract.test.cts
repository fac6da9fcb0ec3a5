// The list of videos against Data Tables in memory; a real n8n keeps the same contract (test/e2e, test/queue).
import type { IExecuteFunctions, INodeExecutionData, IExecuteWorkflowInfo } from 'n8n-workflow';

import { openDataTableList } from '../../nodes/shared/idempotency/dataTableList';
import { DataTables } from '../support/dataTables.cjs';
import { additionalDataOf, Credentials } from '../support/engine.cjs';
import { listContract, type ListAnswer, type ListHost } from '../support/listContract.cjs';

let tables = new DataTables();

/** What a node gets in a workflow, as far as the list uses it. */
function contextOf(workflowId: string): IExecuteFunctions {
	const executeWorkflow = async (
		workflow: IExecuteWorkflowInfo,
		inputData: INodeExecutionData[],
		_callbacks: unknown,
		options: object,
	) => {
		const additionalData = additionalDataOf(new Credentials(new Map()), tables);
		return await tables.executeWorkflow(workflow, additionalData, {
			parentWorkflowId: workflowId,
			inputData,
			...options,
		});
	};
	const getWorkflow = () => ({ id: workflowId, name: '=A workflow', active: false });
	return Object.assign(Object.create(null), { executeWorkflow, getWorkflow });
}

const host: ListHost = {
	ask: async (calls, { creates = true, starts, isOther } = {}) => {
		const answer: ListAnswer = { isOpen: false, rows: [] };
		try {
			const opened = await openDataTableList(contextOf(isOther ? 'other' : 'own'), creates);
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
