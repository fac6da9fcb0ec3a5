/** Items whose video another execution has handed on while this one waited for it. */
import type { Row } from '../../shared/idempotency/videoList';
import { handedOnElsewhere } from '../../shared/task/errors';
import type { Result } from '../run/result';

/**
 * The results, in which what was lost is a problem that names the other execution. `lost`: the items
 * with the rows that they had; `now`: those rows as they stand.
 */
export function failLostClaims(
	results: readonly Result[],
	lost: ReadonlyArray<[number, Row]>,
	now: readonly Row[],
	executionId: string,
): Result[] {
	const changed = [...results];
	for (const [index, { id }] of lost) {
		const row = now.find((one) => one.id === id);
		// A row that a person has deleted was taken by nobody.
		if (!row || row.execution_id === executionId) continue;
		const taskId = results[index].seed.taskId ?? row.task_id;
		const problem = handedOnElsewhere(taskId, row.execution_id);
		// Equal items of this run share the video.
		for (const [at, result] of results.entries()) {
			if (at !== index && result.seed.taskId !== taskId) continue;
			changed[at] = { ...result, problem, file: undefined };
		}
	}
	return changed;
}
