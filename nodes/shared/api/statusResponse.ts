/** Reads a response to `GET /status`: the task, or whether reading again would give the same. */
import { dataOf, isSuccess, reasonInBody, type HttpResponse } from './envelope';
import type { CallFailure } from '../task/errors';
import type { ApiVersion } from '../task/models';
import { readTask, type Task } from '../task/task';

/**
 * Whether a response refuses a read for good. One that is not the API's, such as a proxy's page,
 * does not.
 */
export function isRefusal({ cause, isApi }: CallFailure): boolean {
	if (cause === 'invalid_api_key' || cause === 'out_of_credits' || cause === 'redirected')
		return true;
	return (
		isApi === true && ['task_not_found', 'forbidden', 'invalid_request', 'refused'].includes(cause)
	);
}

/**
 * The task in a response; undefined without one. The reason of a failed task may stand beside its
 * data.
 */
export function taskIn(
	response: HttpResponse,
	taskId: string,
	apiKey: string,
	version: ApiVersion,
): Task | undefined {
	if (!isSuccess(response)) return undefined;
	const { body } = response;
	const task = readTask(taskId, dataOf(body), apiKey, version);
	if (task?.state !== 'failed' || task.errorMessage !== null) return task;
	return { ...task, errorMessage: reasonInBody(body, apiKey) || null };
}
