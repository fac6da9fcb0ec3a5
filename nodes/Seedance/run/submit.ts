/**
 * From input items to created tasks: check everything, recall what was already paid for, sum the
 * credits, then send each POST exactly once, one after the other.
 *
 * Rules that must not regress:
 * - looking whether a video was sent and holding its place is one step without an `await` between;
 * - a refused key or an empty account ends the rows of that account, and of no other;
 * - with On Error = Stop nothing is sent when one item is wrong, and no POST follows one that failed.
 */
import { createTask, CREDENTIAL_TYPE, LEAST_POST_MS, patiently } from '../../shared/api/client';
import {
	maybeCreated,
	notCreated,
	notSent,
	stillUnclear,
	tooManyCredits,
	type CallFailure,
	type Problem,
} from '../../shared/task/errors';
import { memoryIn, type Memory, type Sent } from '../../shared/idempotency/executionMemory';
import { creditsOf } from '../../shared/task/models';
import type { TaskSeed } from '../../shared/task/task';
import { requestBody } from '../../shared/task/request';
import type { PendingTask } from './watch';
import { highlight } from './highlightedData';
import type { Options } from './parameters';
import { prepare, settingsKey, type CallbackOf, type Prepared } from './prepare';
import type { Result } from './output';
import { credentialKey, type Run } from './run';

/** Refusals after which no further item of the same account can be started. */
const ENDS_ACCOUNT: ReadonlyArray<CallFailure['cause']> = [
	'invalid_api_key',
	'out_of_credits',
	'rate_limited',
];
/** Milliseconds that sending gets in any case, however short the Timeout is. */
const SENDING_MS = 60_000;
/** Milliseconds that a retry by a person gets to see which of its tasks have failed. */
const RECALL_MS = 60_000;

export interface Submitted {
	/** Tasks that exist: created now, or remembered from an earlier try. */
	pending: PendingTask[];
	/** Items without a task, by their index. */
	failed: Map<number, Result>;
}

/**
 * What an earlier try of this execution left for an item: a task to go on with, an unclear POST, or nothing.
 * A failed task is made anew only when a person retries.
 */
async function recall(run: Run, memory: Memory, item: Prepared): Promise<Sent | undefined> {
	// What an equal call sends at this moment is no lost answer: it is waited for when it is this item's turn.
	if (memory.underWay(item.memoryKeys)) return undefined;
	const remembered = recallNow(memory, item);
	if (!remembered || 'problem' in remembered) return remembered;
	const { context, clock } = run;
	// Mode `retry` lasts for all automatic tries of a retried execution; only the first may make it anew.
	const isMadeHere = remembered.executionId === context.getExecutionId();
	if (context.getMode() !== 'retry' || isMadeHere) return remembered;
	const deadline = Math.min(clock.now() + RECALL_MS, run.workUntil);
	const readOnce = async () => await run.readTask(item.credential, remembered.taskId, deadline);
	const read = await patiently(readOnce, clock, deadline);
	if (read.outcome === 'task' && read.task.state === 'failed') {
		memory.forget(item.memoryKeys);
		return undefined;
	}
	return remembered;
}

/** {@link recall}, from what stands in the memory at this moment. */
function recallNow(
	memory: Memory,
	{ memoryKeys }: Prepared,
): { problem: Problem } | { taskId: string; createdAt?: number; executionId?: string } | undefined {
	const remembered = memory.recall(memoryKeys);
	if (remembered.state === 'none') return undefined;
	return remembered.state === 'sending' ? { problem: stillUnclear() } : remembered;
}

/** Sends one POST and remembers it, before and after. */
async function send(run: Run, memory: Memory, item: Prepared, deadline: number): Promise<Sent> {
	const { context, clock } = run;
	const executionId = context.getExecutionId();
	const credentialName = context.getNode().credentials?.[CREDENTIAL_TYPE]?.name ?? '';
	const where = `credential "${credentialName}", execution ${executionId}, item ${item.itemIndex}`;
	const { memoryKeys, credential, request } = item;
	const created = await createTask(context, credential, requestBody(request), {
		clock,
		brake: run.brakeFor(credential),
		deadline,
		onSend: () => memory.sending(memoryKeys),
		onRefused: () => memory.forget(memoryKeys),
	});
	const createdAt = clock.now();
	if (created.outcome === 'created') {
		const { taskId, task, raw } = created;
		run.taskIds.set(item.itemIndex, taskId);
		memory.created(memoryKeys, { taskId, executionId, createdAt });
		context.logger.info(`Seedance task ${taskId} created (${where})`);
		highlight(context, taskId, creditsOf(request));
		return { taskId, createdAt, task, raw };
	}
	if (created.outcome === 'refused') {
		const endsAccount = ENDS_ACCOUNT.includes(created.failure.cause);
		return { problem: notCreated(created.failure), endsAccount };
	}
	const { taskId } = created.failure;
	if (taskId) {
		memory.created(memoryKeys, { taskId, executionId, createdAt });
		highlight(context, taskId, creditsOf(request));
	}
	const id = taskId ? `: task ${taskId}` : '';
	context.logger.warn(`Seedance task may have been created${id} (${where})`);
	return { problem: maybeCreated(created.failure) };
}

/** What has become of the items of a run so far. */
class Submission implements Submitted {
	readonly pending: PendingTask[] = [];
	readonly failed = new Map<number, Result>();

	constructor(
		private readonly memory: Memory,
		private readonly taskIds: Run['taskIds'],
	) {}

	/** An item whose video was sent, now or before. */
	take(item: Prepared, sent: Sent, isNew: boolean): void {
		if ('problem' in sent) return this.fail(item, sent.problem);
		const { taskId, createdAt, raw, task } = sent;
		const { itemIndex, credential, output } = item;
		this.taskIds.set(itemIndex, taskId);
		const seed = { ...item.seed, taskId, ...(createdAt !== undefined && { createdAt }) };
		this.pending.push({ itemIndex, taskId, credential, seed, isNew, output, raw, task });
	}

	fail(item: { itemIndex: number; seed: TaskSeed; output?: Result['output'] }, problem: Problem) {
		const taskId = problem.taskId ?? null;
		if (taskId !== null) this.taskIds.set(item.itemIndex, taskId);
		const seed = { ...item.seed, taskId };
		this.failed.set(item.itemIndex, { seed, problem, output: item.output });
	}

	/** An item for which nothing more is sent; what an earlier try has paid for is still told. */
	leave(item: Prepared, because: string): void {
		const remembered = recallNow(this.memory, item);
		if (remembered) return this.take(item, remembered, false);
		this.fail(item, notSent(because));
		const result = this.failed.get(item.itemIndex);
		if (result) result.isBystander = true;
	}
}

/** Milliseconds since 1970 until which videos are started. */
function sendUntil(run: Run, options: Options, items: number): number {
	const pauses = Math.max(0, Math.ceil(items / options.batchSize) - 1);
	const wanted = Math.max(options.timeout * 60_000, SENDING_MS) + pauses * options.batchInterval;
	return Math.min(run.startedAt + wanted, run.workUntil);
}

/** Sends the items one after the other, as far as that makes sense. */
async function sendAll(
	run: Run,
	items: readonly Prepared[],
	options: Options,
	submission: Submission,
	memory: Memory,
): Promise<void> {
	const { context, clock, onError } = run;
	const deadline = sendUntil(run, options, items.length);
	const endedAccounts = new Map<string, string>();
	let ended: string | undefined;
	let sent = 0;
	for (const item of items) {
		const credential = credentialKey(item.credential);
		if (!(ended ?? endedAccounts.has(credential)) && sent > 0 && sent % options.batchSize === 0) {
			await clock.sleep(Math.min(options.batchInterval, Math.max(0, deadline - clock.now())));
		}
		if (context.getExecutionCancelSignal?.()?.aborted) ended ??= 'the execution was stopped.';
		if (deadline - clock.now() < LEAST_POST_MS) ended ??= 'the time was up.';
		const because = ended ?? endedAccounts.get(credential);
		if (because) {
			submission.leave(item, because);
			continue;
		}
		// From here to `hold` nothing is awaited: an equal call of the same moment finds this one under way.
		const already = memory.underWay(item.memoryKeys) ?? recallNow(memory, item);
		if (already) {
			submission.take(item, await already, false);
			continue;
		}
		const sending = send(run, memory, item, deadline);
		memory.hold(item.memoryKeys, sending);
		const outcome = await sending;
		sent++;
		submission.take(item, outcome, true);
		if (!('problem' in outcome)) continue;
		const reason = `item ${item.itemIndex} ended the run. ${outcome.problem.message}`;
		if (onError === 'stop') ended = reason;
		else if (outcome.endsAccount) endedAccounts.set(credential, reason);
	}
}

/** The default of {@link submitAll}: nobody is told. */
const NO_CALLBACK: CallbackOf = () => ({ ok: true, value: undefined });

/** Starts the videos of all items, each with the callback URL that `callbackOf` gives. Gives what exists and what does not. */
export async function submitAll(
	run: Run,
	options: Options,
	callbackOf: CallbackOf = NO_CALLBACK,
): Promise<Submitted> {
	const { context, count, onError } = run;
	const stops = onError === 'stop';
	const memory = memoryIn(context.getContext('node'));
	const submission = new Submission(memory, run.taskIds);

	const settings = settingsKey(context);
	const prepared: Prepared[] = [];
	for (let itemIndex = 0; itemIndex < count; itemIndex++) {
		const item = await prepare(run, itemIndex, settings, callbackOf);
		if ('problem' in item) submission.fail({ itemIndex, seed: item.seed }, item.problem);
		else prepared.push(item);
	}
	if (stops && submission.failed.size > 0) {
		for (const item of prepared) submission.leave(item, 'another item is wrong.');
		return submission;
	}

	const toSend: Prepared[] = [];
	const recalled = await Promise.all(prepared.map(async (item) => await recall(run, memory, item)));
	for (const [index, item] of prepared.entries()) {
		const found = recalled[index];
		if (found) submission.take(item, found, false);
		else toSend.push(item);
	}
	if (stops && submission.failed.size > 0) {
		for (const item of toSend) {
			submission.leave(item, 'the outcome of an earlier item is not known.');
		}
		return submission;
	}

	const total = toSend.reduce((sum, { request }) => sum + creditsOf(request), 0);
	if (options.maxCredits !== undefined && total > options.maxCredits) {
		const problem = tooManyCredits(total, toSend.length, options.maxCredits);
		for (const item of toSend) submission.fail(item, problem);
		return submission;
	}
	await sendAll(run, toSend, options, submission, memory);
	return submission;
}
