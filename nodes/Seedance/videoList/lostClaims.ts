/** Fails items whose video another execution has taken over or handed on meanwhile. */
import type { Row } from '../../shared/idempotency/videoList';
import { chargedBy, handedOnElsewhere } from '../../shared/task/errors';
import type { Result } from '../run/result';

/**
 * The results; an item that lost its row gets a problem that names the other execution. `lost`: the
 * items with the rows that they had; `now`: those rows as just read.
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
		// A row that a person has deleted was not taken by another execution.
		if (!row || row.execution_id === executionId) continue;
		const { seed, task } = results[index];
		const taskId = seed.taskId ?? row.task_id;
		const charged = seed.isReused ? 'no' : chargedBy(task?.consumedCredits ?? null);
		const problem = handedOnElsewhere(taskId, row, charged);
		// Equal items of this run share the video.
		for (const [at, result] of results.entries()) {
			if (at !== index && result.seed.taskId !== taskId) continue;
			changed[at] = { ...result, problem, file: undefined };
		}
	}
	return changed;
}
