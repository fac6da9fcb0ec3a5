/**
 * The one error of a node that stops: what is ready, what is not, and how to get the videos that
 * exist.
 */
import {
	COST,
	nodeError,
	ofOnlyItem,
	withItem,
	type Charged,
	type Problem,
} from '../../shared/task/errors';
import { hasVideo } from '../../shared/task/task';
import { shorten } from '../../shared/text';
import { itemOf, type Result } from './result';
import type { Run } from './run';

/** Whether one item has cost credits, as far as is known. */
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

/** What an item has cost, said where the run was not free. */
const COST_OF_ITEM: Readonly<Record<Charged, string>> = {
	yes: 'This cost its credits.',
	no: 'This cost nothing.',
	unknown: 'Whether this cost credits is not known.',
};

/**
 * What to do about one problem. Without its task ID where there are several, so that equal advice
 * is said once.
 */
function adviceOn({ problem }: Failed, ofRun: Charged, isOne: boolean): string {
	const { advice, taskId, charged } = problem;
	if (advice === undefined) return problem.description;
	const text = isOne
		? advice
		: advice.replace(` Task ID: ${taskId}.`, '').replace(`task ID ${taskId}`, 'its task ID');
	return [text, ofRun === 'no' ? '' : COST_OF_ITEM[charged]].filter(Boolean).join(' ');
}

/**
 * Every problem with its item, one per line, and its advice, said once where it is the same for
 * several. The title is not repeated.
 */
function adviceOf(failed: readonly Failed[], total: number, ofRun: Charged): string[] {
	const [{ problem }, ...others] = failed;
	const isSame = others.every((other) => other.problem.message === problem.message);
	const isTitle = others.length === 0 || (isSame && failed.length === total);
	const advice = new Map<string, Failed[]>();
	for (const one of failed) {
		const text = adviceOn(one, ofRun, others.length === 0);
		advice.set(text, [...(advice.get(text) ?? []), one]);
	}
	return [...advice].flatMap(([text, ones]) => [
		...(isTitle ? [] : ones.map((one) => sentenceOf(one, total))),
		text,
	]);
}

const WAIT = 'Wait for Video gets them without paying again.';
const FREE =
	'videos that are paid for are delivered without paying again, and only a failed one is started anew';
const WITHOUT =
	'To get the others even if one fails again, set On Error of this node to Continue (using error output), save,';
const SAVED = 'choose Retry with currently saved workflow.';
const READS =
	'Click Retry in Executions, or run this node again: it starts no video and costs nothing, however often it runs.';

/** Where nothing was read: a run of the whole workflow may pay for videos in a node before. */
const READS_AGAIN =
	'Then run this node again, or save, and choose Retry with currently saved workflow in Executions: this node starts no video and costs nothing.';

/** How to go on after the failure, and how to get the videos that exist. */
function wayOn(
	failed: readonly Failed[],
	{ hasTasks, isListed, starts }: { hasTasks: boolean; isListed: boolean; starts: boolean },
): string {
	// Where an outcome is unclear, Retry would stop at it again.
	if (failed.some(({ problem }) => problem.code === 'maybe_created')) {
		return hasTasks ? `The other videos are not lost: ${WAIT}` : '';
	}
	if (!starts) {
		return hasTasks ? `${READS} ${WITHOUT} and run this node again, or ${SAVED}` : READS_AGAIN;
	}
	if (!hasTasks) return 'Then run the workflow again.';
	return isListed
		? `Click Retry in Executions, or run the workflow again with the other items as they are: ${FREE}. ${WITHOUT} and run it again, or ${SAVED}`
		: `Click Retry in Executions: ${FREE}. A new run, or a changed prompt or setting of this node, pays for all items. ${WITHOUT} and ${SAVED}`;
}

/** How many videos there are, without those that Skip leaves out; empty when none was started. */
function countOf(results: readonly Result[]): string {
	const total = results.filter(({ isSkipped }) => !isSkipped).length;
	const say = (count: number, how: string) =>
		`${count} of ${total} videos ${count === 1 ? 'is' : 'are'} ${how}. `;
	const ready = results.filter(({ task }) => task !== undefined && hasVideo(task)).length;
	if (results.some(({ task }) => task)) return say(ready, 'ready and paid');
	const started = results.filter(
		({ seed, problem }) =>
			seed.estimatedCredits !== null && seed.taskId && !seed.isReused && !problem,
	).length;
	return started ? say(started, 'started and charged') : '';
}

/**
 * The one error of a node that stops, returned and not thrown. Its context has `error_code`,
 * `charged`, `task_id` and `tasks`. `starts`: whether the operation starts videos.
 */
export function stopError({ node, listing }: Run, results: readonly Result[], starts: boolean) {
	const total = results.length;
	const all = results.flatMap((result, index): Failed[] =>
		result.problem ? [{ index, result, problem: result.problem }] : [],
	);
	const causes = all.filter(({ result }) => !result.isBystander);
	const failed = causes.length ? causes : all;
	const [{ problem: first }] = failed;
	const tasks = results.flatMap((result, item) =>
		result.isSkipped ? [] : { item, ...itemOf(result) },
	);
	if (total === 1) return nodeError(node, ofOnlyItem(first), { tasks });

	const ids = results.flatMap(({ seed }) => (seed.taskId ? [seed.taskId] : []));
	const isListed = listing?.videos !== undefined && listing.summary.isComplete;
	const unsent = all.length - failed.length;
	const charged = costOfAll(results);
	const sentences = [
		...adviceOf(failed, total, charged),
		unsent
			? `${unsent} more ${unsent === 1 ? 'item was' : 'items were'} not started and cost nothing.`
			: '',
		wayOn(failed, { hasTasks: ids.length > 0, isListed, starts }),
		ids.length ? `Task IDs: ${ids.join(', ')}.` : '',
		charged === 'no' ? COST.no : '',
	];
	return nodeError(
		node,
		{
			...first,
			charged,
			message: `${countOf(results)}${headlineOf(failed, total)}`,
			description: sentences.filter(Boolean).join('\n'),
		},
		{ tasks },
	);
}
