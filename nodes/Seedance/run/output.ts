/**
 * Turns the results into the node's output: the shape of its items, and On Error in its three
 * settings.
 */
import type { IDataObject, INodeExecutionData } from 'n8n-workflow';

import { without } from '../../shared/json';
import { errorOutputItem, type OnError } from '../../shared/n8n/onError';
import { ofOnlyItem, type Problem } from '../../shared/task/errors';
import { modelOr, usualTimeOf } from '../../shared/task/models';
import { rawItem } from '../../shared/task/taskItem';
import { isRunning, itemOf, type Result } from './result';
import type { Run } from './run';
import { stopError } from './stopError';

/** What a model should do about a running task: read it when it may be ready. */
function readLater({ seed, task }: Result): string {
	const time = usualTimeOf(modelOr(seed.model ?? task?.model ?? null));
	return `Already started and charged. Do not generate again. Use Get Status with this task_id in ${time}.`;
}

/** Problems after which a model should read the task later, also when another run started it. */
const READ_LATER_CODES: ReadonlyArray<Problem['code']> = ['timeout', 'contact_lost', 'no_video'];

/** What a model should do after a POST whose outcome is not known. */
const ASK_FIRST =
	'It may have been started and charged. Do not generate again. Ask the user to look in the Seedance dashboard first.';

/** What a model reads about a video that Skip leaves out: without a result it would call again. */
const SKIPPED =
	'This video was made and handed on before, so nothing was started and no credits were spent. Do not generate it again.';

function jsonOf(result: Result, simplify: boolean): IDataObject {
	const { json, problem, task, seed } = result;
	if (json) return json;
	const raw = simplify ? undefined : (task?.raw ?? result.raw);
	if (!raw) return itemOf(result);
	const shown = rawItem(raw, seed.taskId ?? task?.taskId ?? null);
	if (!problem) return shown;
	// The link may stand in an unknown place, so the API's data is shown beside the failure.
	return problem.code === 'no_video' ? { ...shown, ...itemOf(result) } : itemOf(result);
}

/**
 * What a model should do next about a paid task. It is output, not an error: after an error, a
 * model would generate again.
 */
function nextStepOf(result: Result): string | undefined {
	const { problem, seed } = result;
	if (!problem) return isRunning(result) ? readLater(result) : undefined;
	if (problem.code === 'task_failed') return undefined;
	if (problem.code === 'maybe_created') return ASK_FIRST;
	const mayBePaid = seed.estimatedCredits !== null || READ_LATER_CODES.includes(problem.code);
	return seed.taskId && mayBePaid ? readLater(result) : undefined;
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
	return results.flatMap((result, index): INodeExecutionData[] => {
		const pairedItem = { item: index };
		if (result.isSkipped) return isTool ? [{ json: { next_step: SKIPPED }, pairedItem }] : [];
		if (result.items) return result.items.map((json) => ({ json, pairedItem }));
		const own = jsonOf(result, isTool || (result.output?.simplify ?? true));
		// Without `error` (docs/n8n-behaviour.md#error-at-the-top-of-an-item).
		const given = result.output?.includeInput ? without(input[index]?.json ?? {}, 'error') : {};
		const json = { ...given, ...own };
		const next_step = isTool ? nextStepOf(result) : undefined;
		if (next_step) return [{ json: { ...json, next_step }, pairedItem }];
		if (result.problem && onError === 'errorOutput' && !isTool) {
			return [errorOutputItem(result.problem, own, index)];
		}
		const binary = result.file ? { [result.file.field]: result.file.binary } : undefined;
		return [{ json, pairedItem, ...(binary && { binary }) }];
	});
}

/** Whether the node stops with an error instead of giving out its items. */
export function stops({ onError, isTool }: Run, results: readonly Result[]): boolean {
	return onError === 'stop' && results.some((one) => one.problem && !(isTool && nextStepOf(one)));
}

/**
 * The node's output: one item per input item, in order, without those that Skip leaves out. Throws
 * only when On Error is Stop and an item failed, after everything has ended. `starts`: whether the
 * operation starts videos, which decides how to go on.
 */
export function outputOf(
	run: Run,
	results: readonly Result[],
	starts: boolean,
): INodeExecutionData[][] {
	if (stops(run, results)) throw stopError(run, results, starts);
	const [only] = results;
	const shown =
		results.length === 1 && only.problem
			? [{ ...only, problem: ofOnlyItem(only.problem) }]
			: results;
	return [itemsOf(shown, run)];
}
