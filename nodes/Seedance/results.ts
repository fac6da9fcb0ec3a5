/**
 * From what became of each item to what the node gives out: its shape, On Error in its three settings,
 * and the one error that lists everything when the node stops.
 */
import type { IBinaryData, IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { nodeError, withItem, type Problem } from '../shared/errors';
import { taskItem, unreadTaskItem, type KnownTask, type Task, type TaskItem } from '../shared/task';
import { shorten } from '../shared/videoRequest';
import { isTool, onErrorOf, type Output } from './parameters';

/** What became of one input item. */
export interface Result {
	known: KnownTask;
	/** The last reading, if there was one. */
	task?: Task;
	problem?: Problem;
	/** The API's answer to the POST, for a task that was not read since. */
	raw?: IDataObject;
	/** How the item is to be given out; absent where nothing came to be. */
	output?: Output;
	/** A whole answer of its own, where the item is no task. */
	answer?: IDataObject;
	/** Not started only because another item ended the run. */
	isBystander?: boolean;
	file?: { field: string; binary: IBinaryData };
}

export const NOTHING_KNOWN: KnownTask = { taskId: null, prompt: null, estimatedCredits: null };

const LOOK_LATER =
	'Already started and charged. Do not generate again. Use Get Status with this task_id in 1 to 2 minutes.';

/** What a model should do after an outcome that must not make it generate again. */
const NEXT_STEPS: Readonly<Partial<Record<Problem['code'], string>>> = {
	timeout: LOOK_LATER,
	contact_lost: LOOK_LATER,
	maybe_created:
		'It may have been started and charged. Do not generate again. Ask the user to look in the Seedance dashboard first.',
};

function itemOf(result: Result): TaskItem {
	const { known, task, problem } = result;
	const created = known.taskId !== null || problem === undefined;
	const item = task ? taskItem(task, known) : unreadTaskItem(known, created);
	if (!problem) return item;
	return {
		...item,
		succeeded: false,
		error_message: `${problem.message} ${problem.description}`,
		error_code: problem.code,
		charged: problem.charged,
	};
}

function jsonOf(result: Result, simplify: boolean): IDataObject {
	if (result.answer) return result.answer;
	const raw = simplify || result.problem ? undefined : (result.task?.raw ?? result.raw);
	return raw ?? itemOf(result);
}

/** The one error of a node that stops: what is ready, what is not, and every task id. */
function stopError(context: IExecuteFunctions, results: readonly Result[]) {
	const total = results.length;
	const failed = results.flatMap((result, index) =>
		result.problem && !result.isBystander ? [{ index, result, problem: result.problem }] : [],
	);
	const [first] = failed;
	const tasks = results.map((result, index) => ({ item: index, ...itemOf(result) }));
	if (total === 1) return nodeError(context.getNode(), first.problem, { tasks });

	const lines = failed.map(({ index, problem, result }) => {
		const prompt = result.known.prompt ? `"${shorten(result.known.prompt, 40)}": ` : '';
		return withItem(`${prompt}${problem.message}`, index, total);
	});
	const ready = results.filter((result) => !result.problem && result.task?.state === 'succeeded');
	const ids = results.flatMap(({ known }) => (known.taskId ? [known.taskId] : []));
	const wasFollowed = results.some((result) => result.task);
	const bystanders = results.filter((result) => result.isBystander).length;
	const isInput = failed.every(({ problem }) => problem.code === 'invalid_input');
	const isSame = failed.every(({ problem }) => problem.message === first.problem.message);

	const headline = withItem(first.problem.message, first.index, total);
	const others = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
	const count = `${ready.length} of ${total} videos are ready and paid. `;
	const sentences = [
		isInput || isSame ? '' : lines.join(' '),
		first.problem.description,
		bystanders
			? `${bystanders} more ${bystanders === 1 ? 'item was' : 'items were'} not started and cost nothing.`
			: '',
		ids.length
			? `Click Retry in Executions: finished videos are delivered without paying again. Task IDs: ${ids.join(', ')}.`
			: '',
	];
	return nodeError(
		context.getNode(),
		{
			...first.problem,
			message:
				isInput && !isSame ? lines.join(' ') : `${wasFollowed ? count : ''}${headline}${others}`,
			description: sentences.filter(Boolean).join(' '),
		},
		{ tasks },
	);
}

/**
 * The node's output: one item per input item, in order, each with its `pairedItem`.
 * Throws only when On Error is Stop and an item failed, after everything has ended.
 */
export function deliver(
	context: IExecuteFunctions,
	results: readonly Result[],
): INodeExecutionData[][] {
	const onError = onErrorOf(context);
	const tool = isTool(context);
	const answersModel = ({ problem }: Result) => tool && !!problem && problem.code in NEXT_STEPS;
	if (onError === 'stop' && results.some((one) => one.problem && !answersModel(one))) {
		throw stopError(context, results);
	}
	const items = results.map((result, index): INodeExecutionData => {
		const pairedItem = { item: index };
		const simplify = tool || (result.output?.simplify ?? true);
		const json = jsonOf(result, simplify);
		if (result.problem && answersModel(result)) {
			return { json: { ...json, next_step: NEXT_STEPS[result.problem.code] }, pairedItem };
		}
		if (tool && !result.problem && json.status === 'IN_PROGRESS') {
			return { json: { ...json, next_step: LOOK_LATER }, pairedItem };
		}
		if (result.problem && onError === 'errorOutput' && !tool) {
			// n8n routes exactly this shape to the error output, and merges the input row into it (measured).
			const error = `${result.problem.message} ${result.problem.description}`;
			return { json: { error, details: json }, pairedItem };
		}
		const binary = result.file ? { [result.file.field]: result.file.binary } : undefined;
		return { json, pairedItem, ...(binary && { binary }) };
	});
	return [items];
}

/** One result per item, in order, from results by item index. */
export function inOrder(count: number, byItem: ReadonlyMap<number, Result>): Result[] {
	return Array.from({ length: count }, (_, index) => byItem.get(index) ?? { known: NOTHING_KNOWN });
}

/** The same problem for every item: what is wrong concerns the node, not one of them. */
export function sameForAll(count: number, problem: Problem): Result[] {
	return Array.from({ length: count }, () => ({ known: NOTHING_KNOWN, problem }));
}
