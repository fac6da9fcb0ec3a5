/**
 * Pause Until Callback: one suspended execution waits for all its videos. What it needs to know when it goes on
 * is kept in the execution: nothing is evaluated a second time, so nothing can be paid for a second time.
 */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import type { Account } from '../shared/api';
import { isObject, numberOf, textOf } from '../shared/json';
import { unreachableReason } from '../shared/publicUrl';
import { hasEnded, readTask } from '../shared/task';
import type { Checked } from '../shared/videoRequest';
import { accountOf } from './account';
import { resultOfTask, waitLimit, watchAll, type PendingTask } from './follow';
import { fieldProblems, waitMethodOf, type Options } from './parameters';
import type { CallbackOf } from './prepare';
import { inOrder, itemsOf, type Result } from './results';
import type { Run } from './run';
import type { Submitted } from './submit';
import { readingsAtWakeUp, resumeUrlOf, suspend } from './suspension';

/** Where the pause is kept in the node's context. */
const FIELD = 'seedancePause';

/** A pause, as it is kept. */
export interface Pause {
	/** The run of the node that paused. */
	runIndex: number;
	executionId: string;
	/** Milliseconds since 1970. */
	pausedAt: number;
	/** One per item, in order: a task to wait for, or what became of it already. */
	results: Result[];
}

function isResult(value: unknown): value is Result {
	return isObject(value) && isObject(value.known);
}

/** The pause that is kept in a node's context. */
export function keptPause(context: Readonly<Record<string, unknown>>): Pause | undefined {
	const kept: unknown = context[FIELD];
	if (!isObject(kept) || !Array.isArray(kept.results) || !kept.results.every(isResult)) {
		return undefined;
	}
	return {
		runIndex: numberOf(kept.runIndex) ?? -1,
		executionId: textOf(kept.executionId) ?? '',
		pausedAt: numberOf(kept.pausedAt) ?? 0,
		results: kept.results,
	};
}

/** The pause that this very run of the node comes from; undefined when it runs for the first time, or is retried. */
export function pauseBefore({ context, runIndex }: Run): Pause | undefined {
	const pause = keptPause(context.getContext('node'));
	const isMine = pause?.runIndex === runIndex && pause.executionId === context.getExecutionId();
	return isMine ? pause : undefined;
}

/** How an execution is started where n8n cannot suspend it well; there the node keeps checking. */
const CANNOT_PAUSE = ['integrated', 'evaluation', 'retry'];

/** Whether Wait Method is Pause Until Callback; a problem where that cannot be read. Never throws. */
export function wantsPause(context: IExecuteFunctions): { pauses: boolean; problem?: string } {
	try {
		return { pauses: waitMethodOf(context) === 'callback' };
	} catch (error) {
		return { pauses: false, problem: fieldProblems(error).join(' ') };
	}
}

/**
 * Whether this run can pause. Not as an AI tool, in a sub-workflow, in an unsaved workflow, or when it is retried: the
 * callbacks of remembered tasks lead to the execution that failed.
 */
export function canPause({ context, isTool }: Run): boolean {
	return !isTool && Boolean(context.getWorkflow().id) && !CANNOT_PAUSE.includes(context.getMode());
}

/** The callback URL of every item: the one that resumes this execution. Refused where it could not work. */
export function resumeCallback(context: IExecuteFunctions): CallbackOf {
	const url = resumeUrlOf(context);
	let first: Account | undefined;
	return (_, account): Checked<string> => {
		first ??= account;
		if (account.apiKey !== first.apiKey || account.baseUrl !== first.baseUrl) {
			return {
				ok: false,
				problems: [
					'Pause Until Callback needs one account for all items, but the credential gives different ones. Set Wait Method to "Keep Checking".',
				],
			};
		}
		const reason = unreachableReason(url, account.reach);
		if (!reason) return { ok: true, value: url };
		return {
			ok: false,
			problems: [
				`Pause Until Callback is not possible: the address of this n8n ${reason}. Set WEBHOOK_URL to its public address, or set Wait Method to "Keep Checking".`,
			],
		};
	};
}

/** Whether there is nothing to wait for: not started, failed, or ready. */
export function isSettled({ problem, task }: Result): boolean {
	return problem !== undefined || (task !== undefined && hasEnded(task));
}

/**
 * Reads every task once, so that an end that was reported while this execution still ran is not missed, and suspends the
 * execution unless all have ended. Gives one result per item, as far as it is known by now.
 */
export async function pauseFor(
	run: Run,
	{ pending, failed }: Submitted,
	options: Options,
): Promise<Result[]> {
	const { context, clock, count, onError } = run;
	const { deadline } = waitLimit(run, options);
	const known = new Map(failed);
	await Promise.all(
		pending.map(async (one) => {
			const { account, taskId, output } = one;
			const read = await run.readTask(account, taskId, deadline);
			const isOver = read.outcome === 'task' && hasEnded(read.task);
			const result = isOver ? resultOfTask(one.known, read.task) : { known: one.known };
			known.set(one.itemIndex, { ...result, output });
		}),
	);
	const results = inOrder(count, known);
	if (results.every(isSettled)) return results;

	const pause: Pause = {
		runIndex: run.runIndex,
		executionId: context.getExecutionId(),
		pausedAt: clock.now(),
		results,
	};
	context.getContext('node')[FIELD] = pause;
	// When the time is up, n8n hands these on without asking the node, so that On Error cannot stop there.
	const atTimeout = itemsOf(results, {
		onError: onError === 'stop' ? 'continue' : onError,
		isTool: false,
		input: context.getInputData(),
	});
	await suspend(context, new Date(deadline), atTimeout);
	return results.map((result) => ({ ...result, problem: undefined }));
}

/**
 * Goes on after a pause: what the callback has read is not read again, anything else is watched to its end. Nothing is
 * evaluated or started anew. Gives one result per item.
 */
export async function goOn(run: Run, { results }: Pause, options: Options): Promise<Result[]> {
	const { context } = run;
	const readings = new Map(
		readingsAtWakeUp(context).map((data): [unknown, IDataObject] => [data.task_id, data]),
	);
	const known = new Map<number, Result>();
	const open: PendingTask[] = [];
	for (const [itemIndex, result] of results.entries()) {
		const { taskId } = result.known;
		const output = result.output ?? { simplify: true, includeInput: false };
		// Only what the account may see was kept, so that there is no key to be cut out.
		const task = taskId === null ? undefined : readTask(taskId, readings.get(taskId), '');
		if (isSettled(result) || taskId === null) {
			known.set(itemIndex, result);
		} else if (task && task.state !== 'running') {
			known.set(itemIndex, { ...resultOfTask(result.known, task), output });
		} else {
			const found = await accountOf(context, itemIndex, taskId);
			if ('problem' in found) {
				known.set(itemIndex, { known: result.known, problem: found.problem });
			} else {
				const { account } = found;
				open.push({ itemIndex, taskId, account, known: result.known, isNew: false, output });
			}
		}
	}
	const ended = await watchAll(run, open, options);
	ended.forEach((result, index) => known.set(open[index].itemIndex, result));
	return inOrder(results.length, known);
}
