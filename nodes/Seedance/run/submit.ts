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
import { consultList, type Listed, type Listing, type RecalledTask } from '../videoList/listing';
import { keyProblems, sharedKeys } from '../videoList/reuseKeys';
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
		const { taskId, model, createdAt, reused, raw, task } = sent;
		const { itemIndex, credential, output } = item;
		this.run.taskIds.set(itemIndex, taskId);
		const seed = {
			...item.seed,
			taskId,
			...(model !== undefined && { model }),
			...(createdAt !== undefined && { createdAt }),
			...(reused && { isReused: true as const }),
		};
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

	/** What the list of videos says of an item that is not to be sent. */
	takeListed(item: Prepared, listed: Exclude<Listed, { do: 'send' }>): void {
		const { itemIndex, seed } = item;
		if (listed.do === 'sent') {
			// n8n may run the node once more, after it has handed the video on.
			this.memory.created(item.keys, listed.sent);
			this.take(item, listed.sent, false);
		} else if (listed.do === 'refuse') this.fail({ ...item, problem: listed.problem });
		else this.states[itemIndex] = { result: { seed, isSkipped: true } };
	}

	/** An item that shares the video of another one, which is in already. */
	share(item: Prepared, leader: Prepared): void {
		const state = this.states[leader.itemIndex];
		if (!state) return;
		if ('result' in state) this.states[item.itemIndex] = { result: { ...state.result } };
		else {
			const { createdAt } = state.pending.seed;
			this.take(item, { ...state.pending, createdAt, reused: 'shared' }, false);
		}
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
			await run.listing?.videos?.flush();
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

/** Sends the items, unless they would cost more than the run may. */
async function sendWithinLimit(
	submission: Submission,
	items: readonly Prepared[],
	options: Options,
): Promise<void> {
	const { maxCredits } = options;
	const total = items.reduce((sum, { credits }) => sum + credits, 0);
	if (maxCredits !== undefined && total > maxCredits) {
		const problem = tooManyCredits(total, items.length, maxCredits);
		for (const item of items) submission.fail({ ...item, problem });
	} else await sendAll(submission, items, options);
}

/**
 * Why a run that stops at a failure sends nothing; undefined where it may. What an interrupted run
 * has left unclear fails its own item alone.
 */
function blockingReason(listing: Listing | undefined, isUnclear: boolean): string | undefined {
	if (isUnclear) return 'the outcome of an earlier item is not known.';
	const refused = [...(listing?.items.values() ?? [])].some(
		(one) => one.do === 'refuse' && one.problem.code !== 'maybe_created',
	);
	return refused ? 'another item cannot be started.' : undefined;
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
	for (const item of await prepareAll(run, callbackOf, options.videoList)) {
		if ('problem' in item) submission.fail(item);
		else prepared.push(item);
	}
	const keys = keyProblems(prepared);
	for (const item of prepared) {
		const problem = keys.get(item.itemIndex);
		if (problem) submission.fail({ ...item, problem });
	}
	const usable = prepared.filter(({ itemIndex }) => !keys.has(itemIndex));
	if (stops && submission.hasFailed) {
		for (const item of usable) submission.skip(item, 'another item is wrong.');
		return submission.all();
	}

	const followers = sharedKeys(usable);
	const leaders = usable.filter(({ itemIndex }) => !followers.has(itemIndex));
	const found = await Promise.all(leaders.map(async (item) => await recall(run, memory, item)));
	const recalledTasks = new Map<number, RecalledTask>();
	for (const [index, { itemIndex }] of leaders.entries()) {
		const sent = found[index];
		const isOwn = sent && 'taskId' in sent && sent.reused !== 'shared';
		if (isOwn) recalledTasks.set(itemIndex, sent);
	}
	const unknown = leaders.filter((_, index) => !found[index]);
	const isUnclear = found.some((sent) => sent && 'problem' in sent);
	const listing =
		stops && isUnclear ? undefined : await consultList(run, options, unknown, recalledTasks);
	run.listing = listing;
	const toSend: Prepared[] = [];
	for (const [index, item] of leaders.entries()) {
		const sent = found[index];
		const listed = listing?.items.get(item.itemIndex) ?? { do: 'send' };
		if (listed.do !== 'send') submission.takeListed(item, listed);
		else if (sent) submission.take(item, sent, false);
		else toSend.push(item);
	}
	const blocked = stops ? blockingReason(listing, isUnclear) : undefined;
	if (blocked !== undefined) {
		for (const item of toSend) submission.skip(item, blocked);
	} else await sendWithinLimit(submission, toSend, options);
	for (const item of usable) {
		const leader = followers.get(item.itemIndex);
		if (leader) submission.share(item, leader);
	}
	return submission.all();
}
