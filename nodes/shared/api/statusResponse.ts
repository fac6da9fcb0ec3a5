/** Reads a response to `GET /status`: the task, or whether reading again would give the same. */
import {
	dataOf,
	failureOf,
	isSuccess,
	layersOf,
	reasonInBody,
	type HttpResponse,
} from './envelope';
import type { CallFailure } from '../task/errors';
import type { ApiVersion } from '../task/models';
import { byRank, isObject, textOf } from '../json';
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

/** The ID that an object gives for its task, however it is spelt. */
function idOf(layer: Record<string, unknown>): string | undefined {
	const rankOf = (name: string) => (name === 'taskid' ? 0 : name === 'id' ? 1 : undefined);
	return byRank(layer, rankOf)
		.map(textOf)
		.find((id) => id !== undefined);
}

/**
 * Whether a state outside `data` is that of the task: an end has to come with what only a task has,
 * because a `status` there may be that of the call, which may have failed.
 */
function isOfTask({ state, videoUrl, consumedCredits, createdAt }: Task): boolean {
	if (state === 'succeeded') return videoUrl !== null;
	return state === 'running' || consumedCredits !== null || createdAt !== null;
}

/**
 * The objects outside `data` that name the task, the likeliest first; none in the body of an error
 * with a code, nor beside a `data`.
 */
function namedElsewhere(response: HttpResponse, taskId: string): unknown[] {
	const { body } = response;
	const { cause } = failureOf(response, { apiKey: '', baseUrl: '', nowMs: 0 });
	if (cause !== 'unreadable') return [];
	return layersOf(body).filter(
		(layer) => idOf(layer) === taskId && !(layer === body && isObject(layer.data)),
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
	const read = (layer: unknown) => readTask(taskId, layer, apiKey, version);
	const task =
		read(dataOf(body)) ??
		namedElsewhere(response, taskId)
			.map(read)
			.find((found) => found !== undefined && isOfTask(found));
	if (task?.state !== 'failed' || task.errorMessage !== null) return task;
	return { ...task, errorMessage: reasonInBody(body, apiKey) || null };
}
