/**
 * Reads a task whose version of the API may not be known: a bare task ID is read from the first
 * version, and from the others after a clean "no such task" (docs/api-contract.md#version-2).
 */
import { modelNamed, type ApiVersion } from '../task/models';
import { getTask, type ReadResult, type TaskRead } from './client';
import type { NodeFunctions } from './credential';
import { baseUrlOf, FIRST_VERSION, OTHER_VERSIONS } from './versions';

/**
 * Which version has which task, by task ID, as reads have shown; kept while the tasks are watched.
 */
export class VersionCache {
	/** The version that has a task. */
	readonly found = new Map<string, ApiVersion>();
	/** The responses of versions without the task, kept until all versions have been read. */
	readonly refused = new Map<string, Map<ApiVersion, ReadResult>>();
}

/** A task to read, and what is known of it. */
export interface TaskQuery extends Omit<TaskRead, 'version'> {
	/** The value of the node's field Model; null or absent where it is not known. */
	model?: string | null;
	/** The results of earlier reads; this one is added. */
	known?: VersionCache;
}

/**
 * Whether a version does not have the task. A later version may be missing altogether: then any 404
 * counts.
 */
const isUnknown = (read: ReadResult, version: ApiVersion) =>
	read.outcome !== 'task' &&
	(version === FIRST_VERSION
		? read.outcome === 'refused' && read.failure.cause === 'task_not_found'
		: read.failure.cause === 'task_not_found' || read.failure.httpStatus === 404);

/**
 * Reads one task, once in each version that may have it. Where one of them gives no clear response,
 * the next read goes on there: an account with one request a second would never get beyond the
 * first version. Cancelled by Stop. Never throws.
 */
export async function findTask(context: NodeFunctions, wanted: TaskQuery): Promise<ReadResult> {
	const { credential, taskId, model, known = new VersionCache() } = wanted;
	const own = modelNamed(model ?? '')?.version ?? known.found.get(taskId);
	if (own) return await getTask(context, { ...wanted, version: own });
	const refused = known.refused.get(taskId) ?? new Map<ApiVersion, ReadResult>();
	known.refused.set(taskId, refused);
	for (const version of [FIRST_VERSION, ...OTHER_VERSIONS]) {
		if (refused.has(version) || baseUrlOf(credential, version) === undefined) continue;
		const read = await getTask(context, { ...wanted, version });
		if (read.outcome === 'task') known.found.set(taskId, version);
		if (!isUnknown(read, version)) return read;
		refused.set(version, read);
	}
	known.refused.delete(taskId);
	return [...refused.values()][0];
}
