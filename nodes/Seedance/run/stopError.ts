/**
 * The one error of a node that stops: what is ready, what is not, and how the videos that exist are
 * had.
 */
import {
	LIST_NAME,
	nodeError,
	withItem,
	type Charged,
	type Problem,
} from '../../shared/task/errors';
import { hasVideo } from '../../shared/task/task';
import { shorten } from '../../shared/text';
import { itemOf, type Result } from './result';
import type { Run } from './run';

/** Whether one item has cost credits, as far as it is known. */
function costOf({ problem, task, seed }: Result): Charged {
	if (problem) return problem.charged;
	if (seed.isReused) return 'no';
	const credits = task?.consumedCredits ?? null;
	if (credits !== null) return credits > 0 ? 'yes' : 'no';
	return seed.taskId === null ? 'no' : 'unknown';
}

/**
 * Whether a run has cost credits: it has when one of its items has, and was free only when all of
 * them were.
 */
function costOfAll(results: readonly Result[]): Charged {
	const costs = results.map(costOf);
	if (costs.includes('yes')) return 'yes';
	return costs.includes('unknown') ? 'unknown' : 'no';
}

interface Failed {
	index: number;
	result: Result;
	problem: Problem;
}

/** What stopped the node, in one sentence: the first problem, or how many items cannot be used. */
function headlineOf(failed: readonly Failed[], total: number): string {
	const [{ problem, index }, ...others] = failed;
	const isOne = others.every((other) => other.problem.message === problem.message);
	if (isOne && failed.length === total) return problem.message;
	if (!isOne && failed.every((one) => one.problem.code === 'invalid_input')) {
		return `${failed.length} of ${total} items cannot be used.`;
	}
	const more = others.length ? ` (and ${others.length} more)` : '';
	return `${withItem(problem.message, index, total)}${more}`;
}

/** One problem with the start of its prompt and its item. */
function sentenceOf({ problem, result, index }: Failed, total: number): string {
	const prompt = result.seed.prompt ? `"${shorten(result.seed.prompt, 40)}": ` : '';
	return withItem(`${prompt}${problem.message}`, index, total);
}

/**
 * Every problem with its item, one per line, and the advice; said once where it is the same for
 * several.
 */
function adviceOf(failed: readonly Failed[], total: number): string[] {
	const [{ problem }, ...others] = failed;
	const isOne = others.every((other) => other.problem.message === problem.message);
	if (isOne && failed.length === total) return [problem.description];
	if (failed.length === 1) return [problem.description];
	const advice = new Map<string, Failed[]>();
	for (const one of failed) {
		const { description } = one.problem;
		advice.set(description, [...(advice.get(description) ?? []), one]);
	}
	return [...advice].flatMap(([description, ones]) => [
		...ones.map((one) => sentenceOf(one, total)),
		description,
	]);
}

/** How the videos that exist are had after a failure, which is told only where there are some. */
function wayOn(failed: readonly Failed[], isListed: boolean): string {
	const wait = 'Wait for Video gets them without paying again.';
	// Where an outcome is unclear, Retry would stop at it again.
	if (failed.some(({ problem }) => problem.code === 'maybe_created')) {
		return `The other videos are not lost: ${wait}`;
	}
	const free =
		'finished videos are delivered without paying again, and only a failed one is started anew';
	const retry = isListed
		? `Click Retry in Executions, or run the workflow again with the same prompts and settings: ${free}. They are in the Data Table ${LIST_NAME}.`
		: `Click Retry in Executions: ${free}. A new run, or a changed prompt or setting of this node, pays for all items.`;
	return `${retry} If an item fails each time, set On Error of this node to Continue (using error output), save, and choose Retry with currently saved workflow.`;
}

/** The one error of a node that stops: what is ready, what is not, and every task id. */
export function stopError({ node, listing }: Run, results: readonly Result[]) {
	const total = results.length;
	const all = results.flatMap((result, index): Failed[] =>
		result.problem ? [{ index, result, problem: result.problem }] : [],
	);
	const causes = all.filter(({ result }) => !result.isBystander);
	const failed = causes.length ? causes : all;
	const [{ problem: first }] = failed;
	const tasks = results.map((result, index) => ({ item: index, ...itemOf(result) }));
	if (total === 1) return nodeError(node, first, { tasks });

	const ready = results.filter(({ task }) => task !== undefined && hasVideo(task));
	const isFollowed = results.some(({ task }) => task);
	const count = isFollowed ? `${ready.length} of ${total} videos are ready and paid. ` : '';
	const unsent = all.length - failed.length;
	const ids = results.flatMap(({ seed }) => (seed.taskId ? [seed.taskId] : []));
	const sentences = [
		...adviceOf(failed, total),
		unsent
			? `${unsent} more ${unsent === 1 ? 'item was' : 'items were'} not started and cost nothing.`
			: '',
		ids.length ? wayOn(failed, listing?.videos !== undefined) : '',
		ids.length ? `Task IDs: ${ids.join(', ')}.` : '',
	];
	return nodeError(
		node,
		{
			...first,
			charged: costOfAll(results),
			message: `${count}${headlineOf(failed, total)}`,
			description: sentences.filter(Boolean).join('\n'),
		},
		{ tasks },
	);
}
