/**
 * Suspends and resumes executions. No other file depends on how n8n does that.
 *
 * - docs/n8n-behaviour.md#timer-resume: when the time is up, n8n hands the stored input on. So the
 *   items for that case are stored as the input, and the original input as `data.main[1]`, which
 *   n8n ignores;
 * - docs/n8n-behaviour.md#callback-resume: the node is enabled again in the stored entry. So n8n
 *   runs it once more inside the resumed execution, and it ends as every node does: with its items,
 *   On Error and Retry On Fail.
 */
import type {
	IDataObject,
	IExecuteFunctions,
	INodeExecutionData,
	IWebhookFunctions,
} from 'n8n-workflow';

import { isObject } from '../../shared/json';

/**
 * Suspends the execution until a callback or `until`. `atTimeout` is handed to the next node when
 * the time is up; the node's input is kept for {@link reEnableNode}.
 */
export async function suspend(
	context: IExecuteFunctions,
	until: Date,
	atTimeout: INodeExecutionData[],
): Promise<void> {
	const { data } = context.getExecuteData();
	data.main = [atTimeout, context.getInputData()];
	await context.putExecutionToWait(until);
}

function isItems(value: unknown): value is INodeExecutionData[] {
	return Array.isArray(value) && value.every((item) => isObject(item) && isObject(item.json));
}

/**
 * The stored entry of the suspended node, not in n8n's types (docs/n8n-behaviour.md#stored-entry).
 */
function storedEntry(context: IWebhookFunctions): Record<string, unknown> | undefined {
	const entry: unknown = 'executeData' in context ? context.executeData : undefined;
	return isObject(entry) ? entry : undefined;
}

/**
 * Lets n8n run the suspended node again, with its original input, and with the tasks that the
 * callback has read. Gives what the resume hook has to return for that; undefined where this n8n
 * stores the entry in another form.
 */
export function reEnableNode(
	context: IWebhookFunctions,
	readings: readonly IDataObject[],
): INodeExecutionData[][] | undefined {
	const entry = storedEntry(context);
	const main: unknown = isObject(entry?.data) ? entry.data.main : undefined;
	const input: unknown = Array.isArray(main) ? main[1] : undefined;
	if (!isObject(entry?.node) || !isItems(input)) return undefined;
	entry.node.disabled = false;
	return [input, readings.map((json) => ({ json }))];
}

/** The tasks that the resuming callback has read. */
export function storedReadings(context: IExecuteFunctions): IDataObject[] {
	return context.getExecuteData().data.main?.[1]?.map(({ json }) => json) ?? [];
}

/** The node context of the suspended node (docs/n8n-behaviour.md#context-in-a-resume-hook). */
export function storedContext(context: IWebhookFunctions): Record<string, unknown> {
	// Escaped, because braces in a node's name would end the expression.
	const name = JSON.stringify(context.getNode().name).replace(
		/[{}]/g,
		(brace) => `\\u00${brace.charCodeAt(0).toString(16)}`,
	);
	const found: unknown = context.evaluateExpression(`{{ $node[${name}].context }}`);
	return isObject(found) ? found : {};
}
