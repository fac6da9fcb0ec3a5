/**
 * Calls of n8n's own Data Table nodes by a community node, which cannot reach Data Tables itself: an
 * inline sub-workflow of these nodes and nothing else
 * (docs/n8n-behaviour.md#data-tables-of-a-community-node).
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

/** Times that a call is made whose failure is known to pass. */
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
		// The first takes the items; each further one runs once, and also after a step without rows.
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
		// No trace in the list of executions, and no say of the instance's caller policy.
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
 * Runs Data Table nodes in a row; gives what the last one gave. Throws a {@link ListError}. A call
 * that failed and is made again leaves out an insert that others follow: it may have been done, and
 * what they give tells whether it was.
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

/**
 * The same, without waiting for it: the time of the workflow may be over, and with it that of every
 * call that is waited for. Never throws.
 */
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
