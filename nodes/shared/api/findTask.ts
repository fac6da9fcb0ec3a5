/**
 * Reads a task whose version of the API may not be known: a bare task ID is asked for in the first,
 * and in the others after a clean "no such task" (docs/api-contract.md#version-2).
 */
import { modelNamed, type ApiVersion } from '../task/models';
import { getTask, type Read, type TaskRead } from './client';
import type { NodeFunctions } from './credential';
import { baseUrlOf, FIRST_VERSION, OTHER_VERSIONS } from './versions';

/** Where tasks were found, by their IDs: kept for as long as they are watched. */
export type KnownVersions = Map<string, ApiVersion>;

/** A task to read, and what is known of it. */
export interface Wanted extends Omit<TaskRead, 'version'> {
	/** The value of the node's field Model; null or absent where it is not known. */
	model?: string | null;
	/** What earlier reads have found; added to. */
	known?: KnownVersions;
}

/** Whether that version does not have the task, or is not there at all. */
const isUnknown = (read: Read) =>
	read.outcome !== 'task' &&
	(read.failure.cause === 'task_not_found' || read.failure.httpStatus === 404);

/** Reads one task, once in each version that it may be in. Tied to Stop. Never throws. */
export async function findTask(context: NodeFunctions, wanted: Wanted): Promise<Read> {
	const { credential, taskId, model, known } = wanted;
	const version = modelNamed(model ?? '')?.version ?? known?.get(taskId);
	if (version) return await getTask(context, { ...wanted, version });
	const first = await getTask(context, { ...wanted, version: FIRST_VERSION });
	if (first.outcome === 'task') known?.set(taskId, FIRST_VERSION);
	if (first.outcome !== 'refused' || first.failure.cause !== 'task_not_found') return first;
	for (const other of OTHER_VERSIONS) {
		if (baseUrlOf(credential, other) === undefined) continue;
		const read = await getTask(context, { ...wanted, version: other });
		if (read.outcome === 'task') known?.set(taskId, other);
		if (!isUnknown(read)) return read;
	}
	return first;
}
