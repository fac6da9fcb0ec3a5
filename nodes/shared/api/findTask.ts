/**
 * Reads a task whose version of the API may not be known: a bare task ID is asked for in the first,
 * and in the others after a clean "no such task" (docs/api-contract.md#version-2).
 */
import { modelNamed, type ApiVersion } from '../task/models';
import { getTask, type ReadResult, type TaskRead } from './client';
import type { NodeFunctions } from './credential';
import { baseUrlOf, FIRST_VERSION, OTHER_VERSIONS } from './versions';

/** What reads have told of where tasks are, by their IDs: kept for as long as they are watched. */
export class VersionCache {
	/** The version that has a task. */
	readonly found = new Map<string, ApiVersion>();
	/** What the versions without it have answered, as long as another could not say. */
	readonly refused = new Map<string, Map<ApiVersion, ReadResult>>();
}

/** A task to read, and what is known of it. */
export interface TaskQuery extends Omit<TaskRead, 'version'> {
	/** The value of the node's field Model; null or absent where it is not known. */
	model?: string | null;
	/** What earlier reads have told; added to. */
	known?: VersionCache;
}

/** Whether a version does not have the task; the later ones may not be there at all. */
const isUnknown = (read: ReadResult, version: ApiVersion) =>
	read.outcome !== 'task' &&
	(version === FIRST_VERSION
		? read.outcome === 'refused' && read.failure.cause === 'task_not_found'
		: read.failure.cause === 'task_not_found' || read.failure.httpStatus === 404);

/**
 * Reads one task, once in each version that it may be in. Where one of them could not say, the next
 * read goes on with it: an account that may ask once a second would never get beyond the first.
 * Tied to Stop. Never throws.
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
