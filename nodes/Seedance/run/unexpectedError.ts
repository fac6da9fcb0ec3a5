/**
 * The node's results after an unexpected error: every item fails, with the ID of its task where
 * there is one.
 */
import { unexpectedError } from '../../shared/task/errors';
import { readableText } from '../../shared/json';
import { executionMemory } from '../../shared/idempotency/executionMemory';
import { outputOfRefused } from './parameters';
import { NO_SEED, type Result } from './result';
import type { Run } from './run';

/**
 * The tasks of this run by item: those that it knows of, and those that the execution remembers.
 * Never throws.
 */
function taskIdsOf({ context, isTool, runIndex, input, taskIds }: Run): Map<number, string> {
	if (isTool) return taskIds;
	try {
		const remembered = executionMemory(context.getContext('node')).tasksOfRun(
			runIndex,
			input.length,
		);
		return new Map([...remembered, ...taskIds]);
	} catch {
		return taskIds;
	}
}

/** One result per item, in order. Never throws. */
export function resultsOfUnexpectedError(run: Run, error: unknown): Result[] {
	const reason = error instanceof Error ? readableText(error.message, '') : '';
	run.context.logger.error(`Seedance ran into something unforeseen: ${reason}`);
	const taskIds = taskIdsOf(run);
	return run.input.map((_, index) => {
		const taskId = taskIds.get(index);
		const seed = { ...NO_SEED, taskId: taskId ?? null };
		const output = outputOfRefused(run.context, index);
		return { seed, problem: unexpectedError(reason, taskId), output };
	});
}
