/** What the node gives out when something threw that nobody foresaw: every item, with the ID of its task where there is one. */
import { unforeseen } from '../shared/errors';
import { readableText } from '../shared/json';
import { memoryIn } from '../shared/memory';
import { NOTHING_KNOWN, type Result } from './results';
import type { Run } from './run';

/** The task of an item of this run, by what the execution remembers. */
function taskIdsOf({ context, isTool, runIndex, count }: Run): Map<number, string> {
	if (isTool) return new Map();
	return memoryIn(context.getContext('node')).tasksOfRun(runIndex, count);
}

/** One result per item, in order. Never throws. */
export function resultsOfUnforeseen(run: Run, error: unknown): Result[] {
	const reason = error instanceof Error ? readableText(error.message, '') : '';
	run.context.logger.error(`Seedance ran into something unforeseen: ${reason}`);
	const taskIds = taskIdsOf(run);
	return Array.from({ length: run.count }, (_, index) => {
		const taskId = taskIds.get(index);
		const known = { ...NOTHING_KNOWN, taskId: taskId ?? null };
		return { known, problem: unforeseen(reason, taskId) };
	});
}
