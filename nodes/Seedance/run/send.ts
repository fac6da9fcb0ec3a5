/**
 * Starts one item's video: recalls what an earlier try of this execution has left, or sends the
 * POST, stored in the memory before and after.
 */
import { createTask } from '../../shared/api/retry';
import {
	listUnavailable,
	maybeCreated,
	notCreated,
	reservationLost,
	stillUnclear,
	type CallFailure,
	type Problem,
} from '../../shared/task/errors';
import type {
	CreatedTask,
	ExecutionMemory,
	Remembered,
	Sent,
} from '../../shared/idempotency/executionMemory';
import { DEFAULT_MODEL } from '../../shared/task/models';
import { highlight } from './highlightedData';
import { credentialName } from './itemCredential';
import type { Prepared } from './prepare';
import type { Run } from './run';
import { readTaskWithRetry } from './watch';

/** Refusals after which no further item of the same account can be started. */
const ENDS_ACCOUNT: ReadonlyArray<CallFailure['cause']> = [
	'invalid_api_key',
	'out_of_credits',
	'rate_limited',
];
/** Milliseconds that a retry by a person gets to see which of its tasks have failed. */
const RECALL_MS = 60_000;

/** The memory of an item now: a task, an unclear POST, or nothing. */
export function recalled(
	memory: ExecutionMemory,
	{ keys }: Prepared,
): { problem: Problem } | Exclude<Remembered, { state: 'none' | 'sending' }> | undefined {
	const remembered = memory.recall(keys);
	if (remembered.state === 'none') return undefined;
	return remembered.state === 'sending' ? { problem: stillUnclear() } : remembered;
}

/**
 * What an earlier try of this execution has left for an item: a task to go on with, an unclear
 * POST, or nothing. A failed task is forgotten only when a person retries.
 */
export async function recall(
	run: Run,
	memory: ExecutionMemory,
	item: Prepared,
): Promise<Sent | undefined> {
	// A POST of an equal call that is in flight is not unclear: the queue awaits it for this item.
	if (memory.inFlight(item.keys)) return undefined;
	const found = recalled(memory, item);
	if (!found || 'problem' in found) return found;
	// Only the first try of a retried execution may start it again
	// (docs/n8n-behaviour.md#mode-of-a-retry).
	const isMadeHere = found.executionId === run.executionId;
	if (run.mode !== 'retry' || isMadeHere) return found;
	const { credential } = item;
	const seed = { model: found.model ?? item.model.value };
	const deadline = Math.min(run.clock.now() + RECALL_MS, run.workUntil);
	const read = await readTaskWithRetry(run, { credential, taskId: found.taskId, seed }, deadline);
	if (read.outcome === 'task' && read.task.state === 'failed') {
		memory.forget(item.keys);
		run.failedTasks.add(found.taskId);
		return undefined;
	}
	return found;
}

/**
 * Why the list of videos blocks an item; undefined where it does not, or where it cannot be written
 * and the item does not need it. Never throws.
 */
async function heldBack({ listing, context }: Run, item: Prepared): Promise<Problem | undefined> {
	if (!listing?.videos) return undefined;
	try {
		return (await listing.videos.begin(item.itemIndex)) ? undefined : reservationLost();
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		listing.summary.unavailable = reason;
		context.logger.warn(`Seedance could not write its list of videos: ${reason}`);
		return listing.isNeeded(item) ? listUnavailable(reason) : undefined;
	}
}

/** How one video is started. */
export interface SendOptions {
	/** Milliseconds since 1970. */
	deadline: number;
	/** Whether the caller waits by itself after a 429. */
	waitsItself?: boolean;
	/** The task that it replaces, which has failed without a charge. */
	failed?: CreatedTask;
}

/**
 * Sends one POST by a deadline, and stores it before and after: in the list of videos, and in the
 * memory of the execution.
 */
export async function send(
	run: Run,
	memory: ExecutionMemory,
	item: Prepared,
	how: SendOptions,
): Promise<Sent> {
	const sent = await post(run, memory, item, how);
	run.listing?.videos?.sent(item.itemIndex, sent);
	return sent;
}

async function post(
	run: Run,
	memory: ExecutionMemory,
	item: Prepared,
	{ deadline, waitsItself, failed }: SendOptions,
): Promise<Sent> {
	const { context, clock, executionId } = run;
	const ofModel = item.model === DEFAULT_MODEL ? '' : `, ${item.model.value}`;
	const where = `credential "${credentialName(run) ?? ''}", execution ${executionId}, item ${item.itemIndex}${ofModel}`;
	const { keys, credential, model, body, credits } = item;
	let blocked: Problem | undefined;
	const created = await createTask(context, credential, body, {
		clock,
		throttle: run.throttleFor(credential),
		deadline,
		waitsItself,
		mayPost: async () => (blocked = await heldBack(run, item)) === undefined,
		beforeWait: async () => void (await run.listing?.videos?.flush()),
		onSend: () => memory.sending(keys),
		onRefused: () => {
			run.listing?.videos?.refused(item.itemIndex);
			// The replaced task is stored again: otherwise a retry would start the video once more.
			if (failed) memory.created(keys, failed);
			else memory.forget(keys);
		},
	});
	if (blocked) return { problem: blocked };
	const createdAt = clock.now();
	if (created.outcome === 'created') {
		const { taskId, task, raw } = created;
		run.taskIds.set(item.itemIndex, taskId);
		const restarts = failed && { restarts: (failed.restarts ?? 0) + 1 };
		memory.created(keys, { taskId, model: model.value, executionId, createdAt, ...restarts });
		const instead = failed ? `, in place of ${failed.taskId}, which failed without a charge` : '';
		context.logger.info(`Seedance task ${taskId} created (${where}${instead})`);
		highlight(context, taskId, credits);
		return { taskId, createdAt, task, raw, ...restarts };
	}
	if (created.outcome === 'refused') {
		const { cause, retryAfterMs } = created.failure;
		const limited = cause === 'rate_limited' && { limited: { retryAfterMs } };
		const endsAccount = ENDS_ACCOUNT.includes(cause);
		return { problem: notCreated(created.failure), endsAccount, ...limited };
	}
	const { taskId } = created.failure;
	if (taskId) {
		memory.created(keys, { taskId, model: model.value, executionId, createdAt });
		highlight(context, taskId, credits);
	}
	const id = taskId ? `: task ${taskId}` : '';
	context.logger.warn(`Seedance task may have been created${id} (${where})`);
	return { problem: maybeCreated(created.failure) };
}
