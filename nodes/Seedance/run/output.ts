/**
 * From what became of each item to what the node gives out: its shape, On Error in its three settings,
 * and the one error that lists everything when the node stops.
 */
import type { IBinaryData, IDataObject, INodeExecutionData } from 'n8n-workflow';

import {
	nodeError,
	unforeseen,
	withItem,
	type Charged,
	type Problem,
} from '../../shared/task/errors';
import { without } from '../../shared/json';
import { errorOutputItem, failedItem, type OnError } from '../../shared/n8n/onError';
import {
	hasVideo,
	rawItem,
	taskItem,
	unreadTaskItem,
	type TaskSeed,
	type Task,
} from '../../shared/task/task';
import { shorten } from '../../shared/text';
import type { Output } from './parameters';
import type { Run } from './run';

/** What became of one input item. */
export interface Result {
	seed: TaskSeed;
	/** The last reading, if there was one. */
	task?: Task;
	problem?: Problem;
	/** The API's answer to the POST, for a task that was not read since. */
	raw?: IDataObject;
	/** How the item is to be given out; absent where nothing came to be. */
	output?: Output;
	/** A whole answer of its own, where the item is no task. */
	json?: IDataObject;
	/** Not started only because another item ended the run. */
	isBystander?: boolean;
	file?: { field: string; binary: IBinaryData };
}

export const NO_SEED: TaskSeed = { taskId: null, prompt: null, estimatedCredits: null };

const READ_LATER =
	'Already started and charged. Do not generate again. Use Get Status with this task_id in 1 to 2 minutes.';

/** Problems that only a task that exists can have; an id that this run did not make may be made up. */
const ALWAYS_PAID: ReadonlyArray<Problem['code']> = ['timeout', 'contact_lost', 'no_video'];

/** What a model should do after a POST whose outcome is not known. */
const ASK_FIRST =
	'It may have been started and charged. Do not generate again. Ask the user to look in the Seedance dashboard first.';

/** Whether a task of this item is still being made, as far as it was read. */
export function isRunning({ seed, task, problem }: Result): boolean {
	if (problem) return false;
	return task ? task.state === 'running' : seed.taskId !== null;
}

function itemOf(result: Result): IDataObject {
	const { seed, task, problem } = result;
	const created = seed.taskId !== null || problem === undefined;
	const item = task ? taskItem(task, seed) : unreadTaskItem(seed, created);
	if (!problem) return item;
	return failedItem(item, problem);
}

function jsonOf(result: Result, simplify: boolean): IDataObject {
	const { json: answer, problem, task, seed } = result;
	if (answer) return answer;
	const raw = simplify ? undefined : (task?.raw ?? result.raw);
	if (!raw) return itemOf(result);
	const shown = rawItem(raw, seed.taskId ?? task?.taskId ?? null);
	if (!problem) return shown;
	// A video may stand in a form that nobody has seen yet, so what the API gave is shown beside the failure.
	return problem.code === 'no_video' ? { ...shown, ...itemOf(result) } : itemOf(result);
}

/** Whether one item has cost credits, as far as it is known. */
function costOf({ problem, task, seed }: Result): Charged {
	if (problem) return problem.charged;
	const credits = task?.consumedCredits ?? null;
	if (credits !== null) return credits > 0 ? 'yes' : 'no';
	return seed.taskId === null ? 'no' : 'unknown';
}

/** Whether a run has cost credits: it has when one of its items has, and was free only when all of them were. */
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

/** The advice of all problems, one per line; said once where it is the same for several. */
function adviceOf(failed: readonly Failed[], total: number): string[] {
	const [{ problem, index }, ...others] = failed;
	const isOne = others.every((other) => other.problem.message === problem.message);
	if (isOne && failed.length === total) return [problem.description];
	if (isOne) return [withItem(problem.description, index, total)];
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
function wayOn(failed: readonly Failed[]): string {
	const wait = 'Wait for Video gets them without paying again.';
	// Where an outcome is unclear, Retry would stop at it again.
	if (failed.some(({ problem }) => problem.code === 'maybe_created')) {
		return `The other videos are not lost: ${wait}`;
	}
	const retry =
		'Click Retry in Executions: finished videos are delivered without paying again, and only a failed one is started anew.';
	return `${retry} To get the finished ones even if an item fails again: set On Error of this node to Continue (using error output), save, and choose Retry with currently saved workflow. A new run, or a changed prompt or setting of this node, pays for all items.`;
}

/** The one error of a node that stops: what is ready, what is not, and every task id. */
function stopError({ node }: Run, results: readonly Result[]) {
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
		ids.length ? wayOn(failed) : '',
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

/** What a model should do next about a paid task: an answer to it, since it would generate again after an error. */
function nextStepOf(result: Result): string | undefined {
	const { problem, seed } = result;
	if (!problem) return isRunning(result) ? READ_LATER : undefined;
	if (problem.code === 'task_failed') return undefined;
	if (problem.code === 'maybe_created') return ASK_FIRST;
	const isPaid = seed.estimatedCredits !== null || ALWAYS_PAID.includes(problem.code);
	return seed.taskId && isPaid ? READ_LATER : undefined;
}

/** How results are given out. */
export interface OutputContext {
	onError: OnError;
	isTool: boolean;
	/** The input items, for those whose fields are to be kept. */
	input: readonly INodeExecutionData[];
}

/** One item per result, in order, each with its `pairedItem`. */
export function itemsOf(
	results: readonly Result[],
	{ onError, isTool, input }: OutputContext,
): INodeExecutionData[] {
	return results.map((result, index): INodeExecutionData => {
		const pairedItem = { item: index };
		const own = jsonOf(result, isTool || (result.output?.simplify ?? true));
		// Older n8n runs a node again when an item has `error` at its top.
		const given = result.output?.includeInput ? without(input[index]?.json ?? {}, 'error') : {};
		const json = { ...given, ...own };
		const next_step = isTool ? nextStepOf(result) : undefined;
		if (next_step) return { json: { ...json, next_step }, pairedItem };
		if (result.problem && onError === 'errorOutput' && !isTool) {
			return errorOutputItem(result.problem, own, index);
		}
		const binary = result.file ? { [result.file.field]: result.file.binary } : undefined;
		return { json, pairedItem, ...(binary && { binary }) };
	});
}

/**
 * The node's output: one item per input item, in order.
 * Throws only when On Error is Stop and an item failed, after everything has ended.
 */
export function outputOf(run: Run, results: readonly Result[]): INodeExecutionData[][] {
	const { onError, isTool } = run;
	if (onError === 'stop' && results.some((one) => one.problem && !(isTool && nextStepOf(one)))) {
		throw stopError(run, results);
	}
	return [itemsOf(results, run)];
}

/** One result per item; an item that has none is told as what nobody foresaw, so that it is never said to have cost nothing. */
export function forEveryItem({ input }: Run, results: readonly Result[]): Result[] {
	return input.map(
		(_, index) => results[index] ?? { seed: NO_SEED, problem: unforeseen('', undefined) },
	);
}

/** The same problem for every item: what is wrong concerns the node, not one of them. */
export function sameForAll({ input }: Run, problem: Problem): Result[] {
	return input.map(() => ({ seed: NO_SEED, problem }));
}
