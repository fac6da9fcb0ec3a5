/**
 * What this execution has sent for the items of this run, where nothing else names it: a Retry may
 * be refused before it asks for it.
 */
import { executionMemory, type Remembered } from '../../shared/idempotency/executionMemory';
import { sentBefore, type Problem } from '../../shared/task/errors';
import type { Result } from './result';
import type { Run } from './run';

/** Problems that may come before the execution is asked for what it has sent. */
const BEFORE_RECALL: ReadonlyArray<Problem['code']> = ['invalid_input', 'invalid_api_key'];

/** What the execution remembers of this run, by item. Never throws. */
function rememberedItems({ context, isTool, runIndex, input }: Run): Map<number, Remembered> {
	if (isTool) return new Map();
	try {
		return executionMemory(context.getContext('node')).itemsOfRun(runIndex, input.length);
	} catch {
		return new Map();
	}
}

const taskIdOf = (remembered: Remembered | undefined) =>
	remembered?.state === 'created' ? remembered.taskId : undefined;

/** The task of an item: the one that this run knows of, or that the execution remembers. */
export function taskIdReader(run: Run): (itemIndex: number) => string | undefined {
	const remembered = rememberedItems(run);
	return (itemIndex) => run.taskIds.get(itemIndex) ?? taskIdOf(remembered.get(itemIndex));
}

/**
 * The results, where each item that was refused before anything was sent names what was sent for it
 * before. Never throws.
 */
export function withEarlierTasks(run: Run, results: readonly Result[]): Result[] {
	const remembered = rememberedItems(run);
	return results.map((result, index) => {
		const { seed, problem } = result;
		const earlier = remembered.get(index);
		if (!earlier || !problem || seed.taskId !== null) return result;
		if (!BEFORE_RECALL.includes(problem.code)) return result;
		const taskId = taskIdOf(earlier);
		return {
			...result,
			seed: { ...seed, taskId: taskId ?? null },
			problem: sentBefore(problem, taskId),
		};
	});
}
