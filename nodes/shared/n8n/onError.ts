/** n8n's On Error, and the form of a failed item under each of its settings. */
import type { IDataObject, INode, INodeExecutionData } from 'n8n-workflow';

import type { Problem } from '../task/errors';

/** What On Error says: stop, go on in the one output, or use the error output. */
export type OnError = 'stop' | 'continue' | 'errorOutput';

/** The setting of a node; old workflows have `continueOnFail` instead. */
export function onErrorOf({ onError, continueOnFail }: INode): OnError {
	if (onError === 'continueErrorOutput') return 'errorOutput';
	const goesOn = onError === undefined ? continueOnFail : onError === 'continueRegularOutput';
	return goesOn ? 'continue' : 'stop';
}

/** The item of a task with what went wrong: the same shape, and two fields for workflows. */
export function failedItem<T extends IDataObject>(item: T, problem: Problem): T & IDataObject {
	return {
		...item,
		succeeded: false,
		error_message: `${problem.message} ${problem.description}`,
		error_code: problem.code,
		charged: problem.charged,
	};
}

/**
 * An item that n8n sends to the error output with its input row merged in: exactly this shape
 * (docs/n8n-behaviour.md#error-output). The item's own error, which older versions need, is hidden
 * from a copy (docs/n8n-behaviour.md#error-output-before-n8n-241).
 */
export function errorOutputItem(
	problem: Problem,
	details: IDataObject,
	itemIndex: number,
): INodeExecutionData {
	const error = `${problem.message} ${problem.description}`;
	const item: INodeExecutionData = { json: { error, details }, pairedItem: { item: itemIndex } };
	return Object.defineProperty(item, 'error', { value: { message: error }, enumerable: false });
}
