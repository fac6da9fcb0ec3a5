/**
 * From input items to created tasks: check everything, recall what was already paid for, sum the
 * credits, then send each POST exactly once, one after the other.
 *
 * Rules that must not regress:
 * - asking whether a video was sent and claiming it is one step without an `await` between;
 * - a refused key or an empty account ends the items of that account, and of no other;
 * - with On Error = Stop nothing is sent when one item is wrong, and no POST follows one that
 *   failed.
 */
import { LEAST_POST_MS } from '../../shared/api/client';
import {
	executionMemory,
	type ExecutionMemory,
	type Sent,
} from '../../shared/idempotency/executionMemory';
import { notSent, tooManyCredits } from '../../shared/task/errors';
import type { Options } from './parameters';
import { prepareAll, type CallbackOf, type Prepared, type Unusable } from './prepare';
import { credentialKey, type Run } from './run';
import { recall, recalled, send } from './send';
import type { ItemState } from './watch';

/** Milliseconds that sending gets in any case, however short the Timeout is. */
const SENDING_MS = 60_000;

/** What has become of the items of a run so far. */
class Submission {
	private readonly states: ItemState[] = [];
	/** Whether an item has no task. */
	hasFailed = false;

	constructor(
		readonly run: Run,
		readonly memory: ExecutionMemory,
	) {}

	/** An item whose video was sent, now or before. */
	take(item: Prepared, sent: Sent, isNew: boolean): void {
		if ('problem' in sent) return this.fail({ ...item, problem: sent.problem });
		const { taskId, createdAt, raw, task } = sent;
		const { itemIndex, credential, output } = item;
		this.run.taskIds.set(itemIndex, taskId);
		const seed = { ...item.seed, taskId, ...(createdAt !== undefined && { createdAt }) };
		this.states[itemIndex] = {
			pending: { itemIndex, taskId, credential, seed, isNew, output, raw, task },
		};
	}

	/**
	 * An item without a task, or with one of which nobody knows. `isBystander`: only because another
	 * ended the run.
	 */
	fail(item: Unusable & { output?: Prepared['output'] }, isBystander?: true): void {
		const { itemIndex, problem, output } = item;
		const taskId = problem.taskId ?? null;
		if (taskId !== null) this.run.taskIds.set(itemIndex, taskId);
		const seed = { ...item.seed, taskId };
		this.hasFailed = true;
		this.states[itemIndex] = { result: { seed, problem, output, isBystander } };
	}

	/** An item for which nothing more is sent; what an earlier try has paid for is still told. */
	skip(item: Prepared, because: string): void {
		const found = recalled(this.memory, item);
		if (found) this.take(item, found, false);
		else this.fail({ ...item, problem: notSent(because) }, true);
	}

	/** One per item, in order. */
	all(): ItemState[] {
		return [...this.states];
	}
}

/** Milliseconds since 1970 until which videos are started. */
function sendUntil(run: Run, options: Options, items: number): number {
	const pauses = Math.max(0, Math.ceil(items / options.batchSize) - 1);
	const timeout = run.startedAt + options.timeout * 60_000;
	// What came before, such as reading the tasks of an earlier try, does not use it up.
	const wanted = Math.max(timeout, run.clock.now() + SENDING_MS) + pauses * options.batchInterval;
	return Math.min(wanted, run.workUntil);
}

/** Sends the items one after the other, as far as that makes sense. */
async function sendAll(
	submission: Submission,
	items: readonly Prepared[],
	options: Options,
): Promise<void> {
	const { run, memory } = submission;
	const { clock } = run;
	const deadline = sendUntil(run, options, items.length);
	const endedAccounts = new Map<string, string>();
	let ended: string | undefined;
	let sent = 0;
	for (const item of items) {
		const account = credentialKey(item.credential);
		if (!(ended ?? endedAccounts.has(account)) && sent > 0 && sent % options.batchSize === 0) {
			await clock.sleep(Math.min(options.batchInterval, Math.max(0, deadline - clock.now())));
		}
		if (run.isStopped()) ended ??= 'the execution was stopped.';
		if (deadline - clock.now() < LEAST_POST_MS) ended ??= 'the time was up.';
		const because = ended ?? endedAccounts.get(account);
		if (because) {
			submission.skip(item, because);
			continue;
		}
		// From here to `hold` nothing is awaited: an equal call of the same moment finds this one under
		// way.
		const already = memory.underWay(item.keys) ?? recalled(memory, item);
		if (already) {
			submission.take(item, await already, false);
			continue;
		}
		const sending = send(run, memory, item, deadline);
		memory.hold(item.keys, sending);
		const outcome = await sending;
		sent++;
		submission.take(item, outcome, true);
		if (!('problem' in outcome)) continue;
		const reason = `item ${item.itemIndex} ended the run. ${outcome.problem.message}`;
		if (run.onError === 'stop') ended = reason;
		else if (outcome.endsAccount) endedAccounts.set(account, reason);
	}
}

/** The default of {@link submitAll}: nobody is told. */
const NO_CALLBACK: CallbackOf = () => ({ ok: true, value: undefined });

/**
 * Starts the videos of all items, each with the callback URL that `callbackOf` gives. Gives one
 * state per item, in order.
 */
export async function submitAll(
	run: Run,
	options: Options,
	callbackOf: CallbackOf = NO_CALLBACK,
): Promise<ItemState[]> {
	const stops = run.onError === 'stop';
	const memory = executionMemory(run.context.getContext('node'));
	const submission = new Submission(run, memory);

	const prepared: Prepared[] = [];
	for (const item of await prepareAll(run, callbackOf)) {
		if ('problem' in item) submission.fail(item);
		else prepared.push(item);
	}
	if (stops && submission.hasFailed) {
		for (const item of prepared) submission.skip(item, 'another item is wrong.');
		return submission.all();
	}

	const toSend: Prepared[] = [];
	const found = await Promise.all(prepared.map(async (item) => await recall(run, memory, item)));
	for (const [index, item] of prepared.entries()) {
		const sent = found[index];
		if (sent) submission.take(item, sent, false);
		else toSend.push(item);
	}
	if (stops && submission.hasFailed) {
		for (const item of toSend)
			submission.skip(item, 'the outcome of an earlier item is not known.');
		return submission.all();
	}

	const total = toSend.reduce((sum, { credits }) => sum + credits, 0);
	if (options.maxCredits !== undefined && total > options.maxCredits) {
		const problem = tooManyCredits(total, toSend.length, options.maxCredits);
		for (const item of toSend) submission.fail({ ...item, problem });
		return submission.all();
	}
	await sendAll(submission, toSend, options);
	return submission.all();
}
