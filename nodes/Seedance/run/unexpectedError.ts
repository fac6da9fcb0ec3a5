/**
 * The node's results after an unexpected error: every item fails, with the ID of its task where
 * there is one.
 */
import { unexpectedError } from '../../shared/task/errors';
import { readableText } from '../../shared/json';
import { taskIdReader } from './rememberedTasks';
import { NO_SEED, type Result } from './result';
import type { Run } from './run';

/** One result per item, in order. Never throws. */
export function resultsOfUnexpectedError(run: Run, error: unknown): Result[] {
	const reason = error instanceof Error ? readableText(error.message, '') : '';
	run.context.logger.error(`Seedance ran into something unforeseen: ${reason}`);
	const taskIdOf = taskIdReader(run);
	return run.input.map((_, index) => {
		const taskId = taskIdOf(index);
		const seed = { ...NO_SEED, taskId: taskId ?? null };
		return { seed, problem: unexpectedError(reason, taskId) };
	});
}
