/**
 * Calls n8n's own Data Table nodes, because a community node cannot reach Data Tables itself: by an
 * inline sub-workflow of these nodes alone (docs/n8n-behaviour.md#data-tables-of-a-community-node).
 */
import {
	NodeConnectionTypes,
	type IDataObject,
	type IExecuteFunctions,
	type IExecuteWorkflowInfo,
	type INode,
	type INodeExecutionData,
	type INodeParameters,
	type IWorkflowBase,
} from 'n8n-workflow';

import { readableText } from '../json';
import { ListError } from './videoList';

/** Tries of a call that fails in a way known to be transient. */
const TRIES = 4;
const PASSING = /synchronization error|SQLITE_BUSY|deadlock/i;

function node(name: string, type: string, parameters: INodeParameters, isFirst: boolean): INode {
	return {
		id: name,
		name,
		type: `n8n-nodes-base.${type}`,
		typeVersion: 1,
		position: [0, 0],
		parameters,
		// The first node takes the items; each further one runs once, also after a step without rows.
		...(!isFirst && { executeOnce: true }),
		alwaysOutputData: true,
	};
}

/** An inline workflow of Data Table nodes in a row, and its input. */
function inlineWorkflow(
	context: IExecuteFunctions,
	tableNodes: readonly INodeParameters[],
	items: readonly IDataObject[],
): [IExecuteWorkflowInfo, INodeExecutionData[]] {
	const { id = '', name = '' } = context.getWorkflow();
	const nodes = [
		node('Start', 'executeWorkflowTrigger', {}, true),
		...tableNodes.map((parameters, index) =>
			node(`Step ${index + 1}`, 'dataTable', parameters, index === 0),
		),
	];
	const connections = Object.fromEntries(
		nodes
			.slice(1)
			.map((to, index) => [
				nodes[index].name,
				{ main: [[{ node: to.name, type: NodeConnectionTypes.Main, index: 0 }]] },
			]),
	);
	const now = new Date();
	const code: IWorkflowBase = {
		id,
		name,
		active: false,
		isArchived: false,
		activeVersionId: null,
		createdAt: now,
		updatedAt: now,
		nodes,
		connections,
		// So that no execution is saved, and the instance's caller policy does not apply.
		settings: {
			executionOrder: 'v1',
			saveDataSuccessExecution: 'none',
			saveDataErrorExecution: 'none',
			saveManualExecutions: false,
			saveExecutionProgress: false,
			callerPolicy: 'workflowsFromSameOwner',
		},
	};
	return [{ code }, (items.length ? items : [{}]).map((json) => ({ json }))];
}

/**
 * Runs Data Table nodes in a row; gives the output of the last one. Throws a {@link ListError}. A
 * repeated call leaves out an insert that other nodes follow: it may have been done, and their rows
 * show whether it was.
 */
export async function runDataTables(
	context: IExecuteFunctions,
	tableNodes: readonly INodeParameters[],
	items: readonly IDataObject[] = [],
): Promise<IDataObject[]> {
	const isInsertRead = tableNodes.length > 1 && tableNodes[0].operation === 'insert';
	let [workflow, input] = inlineWorkflow(context, tableNodes, items);
	let reason = '';
	for (let tries = 1; tries <= TRIES; tries++) {
		try {
			const { data } = await context.executeWorkflow(workflow, input);
			return data?.[0]?.map(({ json }) => json) ?? [];
		} catch (error) {
			reason = error instanceof Error ? error.message : String(error);
		}
		if (!PASSING.test(reason)) break;
		if (isInsertRead) [workflow, input] = inlineWorkflow(context, tableNodes.slice(1), []);
	}
	throw new ListError(readableText(reason, '') || 'n8n gave no reason');
}

/** The same without waiting: it still works when the workflow's time is over. Never throws. */
export function startDataTables(
	context: IExecuteFunctions,
	tableNodes: readonly INodeParameters[],
	items: readonly IDataObject[],
): void {
	const [workflow, input] = inlineWorkflow(context, tableNodes, items);
	context
		.executeWorkflow(workflow, input, undefined, { doNotWaitToFinish: true })
		.catch(() => undefined);
}
