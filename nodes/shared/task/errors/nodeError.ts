/** The error that a node throws for a problem, in the form that n8n's editor shows well. */
import {
	NodeApiError,
	NodeOperationError,
	type IDataObject,
	type INode,
	type JsonObject,
} from 'n8n-workflow';

import type { Problem } from './problem';

/**
 * Marks a message with its item where there are several: counted from 0 as n8n's messages do, and
 * as a person counts.
 */
export function withItem(message: string, itemIndex: number, itemCount: number): string {
	return itemCount > 1
		? `${message} [item ${itemIndex}] (number ${itemIndex + 1} of ${itemCount})`
		: message;
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/**
 * A text as HTML, as which the editor shows a description
 * (docs/n8n-behaviour.md#descriptions-are-html).
 */
function asHtml(text: string): string {
	return text.replace(/[&<>]/g, (sign) => HTML[sign]).replace(/\n/g, '<br />');
}

/**
 * The error a node throws for a problem. Its context holds `error_code`, `charged` and the task
 * ids, for error workflows. Texts are set after construction, because n8n rewrites some messages
 * (docs/n8n-behaviour.md#names-of-system-errors, docs/n8n-behaviour.md#advice-of-n8n).
 */
export function nodeError(
	node: INode,
	found: Problem,
	context: IDataObject = {},
): NodeApiError | NodeOperationError {
	const { httpStatus } = found;
	const description = asHtml(found.description);
	// n8n takes this spelling for a run that a person stopped
	// (docs/n8n-behaviour.md#the-word-canceled).
	const message = found.message.replace(/canceled/g, 'cancelled').replace(/Canceled/g, 'Cancelled');
	const response: JsonObject = { message, description };
	const error =
		httpStatus && httpStatus >= 300
			? new NodeApiError(node, response, { message, description, httpCode: String(httpStatus) })
			: new NodeOperationError(node, message, { description });
	error.message = message;
	error.description = description;
	error.messages = [];
	Object.assign(error.context, {
		error_code: found.code,
		charged: found.charged,
		...(found.taskId && { task_id: found.taskId }),
		...context,
	});
	return error;
}
