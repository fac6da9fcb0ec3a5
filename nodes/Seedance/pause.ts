/**
 * Pause Until Callback: one suspended execution waits for all its videos. What it needs to know when it goes on
 * is kept in the execution: nothing is evaluated a second time, so nothing can be paid for a second time.
 */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { getTask, PARALLEL_READS, type Account } from '../shared/api';
import { limiter, type Clock } from '../shared/clock';
import { isObject, numberOf, textOf } from '../shared/json';
import { onErrorOf } from '../shared/onError';
import { unreachableReason } from '../shared/publicUrl';
import { hasEnded, readTask } from '../shared/task';
import type { Checked } from '../shared/videoRequest';
import { timeoutMs } from '../shared/waiting';
import { accountOf } from './account';
import { resultOfTask, watchAll, type Followed } from './follow';
import { isTool, runIndexOf, textParameter, type Options } from './parameters';
import { inOrder, itemsOf, type Result } from './results';
import type { CallbackOf } from './submit';
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
export function pauseBefore(context: IExecuteFunctions): Pause | undefined {
	const pause = keptPause(context.getContext('node'));
	const isMine =
		pause?.runIndex === runIndexOf(context) && pause.executionId === context.getExecutionId();
	return isMine ? pause : undefined;
}

/** How an execution is started where n8n cannot suspend it well; there the node keeps checking. */
const CANNOT_PAUSE = ['integrated', 'evaluation', 'retry'];

/** Whether Wait Method is Pause Until Callback. */
export function wantsPause(context: IExecuteFunctions): boolean {
	return textParameter(context, 0, 'waitMethod', 'poll') === 'callback';
}

/**
 * Whether this run can pause. Not as an AI tool, in a sub-workflow, in an unsaved workflow, or when it is retried: the
 * callbacks of remembered tasks lead to the execution that failed.
 */
export function canPause(context: IExecuteFunctions): boolean {
	return (
		!isTool(context) &&
		Boolean(context.getWorkflow().id) &&
		!CANNOT_PAUSE.includes(context.getMode())
	);
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
		const reason = unreachableReason(url, account.isLocal);
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
 * `startedAt` (milliseconds): when this node began.
 */
export async function pauseFor(
	context: IExecuteFunctions,
	followed: readonly Followed[],
	failed: ReadonlyMap<number, Result>,
	options: Options,
	clock: Clock,
	startedAt: number,
): Promise<Result[]> {
	const inTurn = limiter(PARALLEL_READS);
	const known = new Map(failed);
	await Promise.all(
		followed.map(async (one) => {
			const { account, taskId, output } = one;
			const read = await inTurn(async () => await getTask(context, account, taskId, clock));
			const isOver = read.outcome === 'task' && hasEnded(read.task);
			const result = isOver ? resultOfTask(one.known, read.task) : { known: one.known };
			known.set(one.itemIndex, { ...result, output });
		}),
	);
	const results = inOrder(context.getInputData().length, known);
	if (results.every(isSettled)) return results;

	const limit = context.getWorkflowSettings?.().executionTimeout;
	const timeout = timeoutMs(options.timeout, limit, clock.now() - startedAt);
	const pause: Pause = {
		runIndex: runIndexOf(context),
		executionId: context.getExecutionId(),
		pausedAt: clock.now(),
		results,
	};
	context.getContext('node')[FIELD] = pause;
	// When the time is up, n8n hands these on without asking the node, so that On Error cannot stop there.
	const onError = onErrorOf(context.getNode());
	const atTimeout = itemsOf(results, onError === 'stop' ? 'continue' : onError, false);
	await suspend(context, new Date(clock.now() + timeout), atTimeout);
	return results.map((result) => ({ ...result, problem: undefined }));
}

/**
 * Goes on after a pause: what the callback has read is not read again, anything else is watched to its end. Nothing is
 * evaluated or started anew. Gives one result per item.
 */
export async function goOn(
	context: IExecuteFunctions,
	{ results }: Pause,
	options: Options,
	clock: Clock,
	startedAt: number,
): Promise<Result[]> {
	const readings = new Map(
		readingsAtWakeUp(context).map((data): [unknown, IDataObject] => [data.task_id, data]),
	);
	const known = new Map<number, Result>();
	const open: Followed[] = [];
	for (const [itemIndex, result] of results.entries()) {
		const { taskId } = result.known;
		const output = result.output ?? { simplify: true };
		// Only what the account may see was kept, so that there is no key to be cut out.
		const task = taskId === null ? undefined : readTask(taskId, readings.get(taskId), '');
		if (isSettled(result) || taskId === null) {
			known.set(itemIndex, result);
		} else if (task && task.state !== 'running') {
			known.set(itemIndex, { ...resultOfTask(result.known, task), output });
		} else {
			const found = await accountOf(context, itemIndex);
			if ('problem' in found) {
				known.set(itemIndex, { known: result.known, problem: { ...found.problem, taskId } });
			} else {
				const { account } = found;
				open.push({ itemIndex, taskId, account, known: result.known, isNew: false, output });
			}
		}
	}
	const ended = await watchAll(context, open, options, clock, startedAt);
	ended.forEach((result, index) => known.set(open[index].itemIndex, result));
	return inOrder(results.length, known);
}
