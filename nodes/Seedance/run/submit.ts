/**
 * Turns input items into tasks: checks everything, recalls what was already paid for, adds up the
 * credits, then sends each POST exactly once, one after the other.
 *
 * Rules that must not regress:
 * - with On Error = Stop nothing is sent when one item is wrong.
 */
import { executionMemory } from '../../shared/idempotency/executionMemory';
import { tooManyCredits } from '../../shared/task/errors';
import { consultList, type Listing } from '../videoList/listing';
import type { RecalledTask } from '../videoList/recalledTasks';
import { keyProblems, sharedKeys } from '../videoList/reuseKeys';
import { timeoutFor } from './options';
import type { Options } from './parameters';
import type { TaskWatcher } from './taskWatcher';
import { prepareAll, type CallbackOf, type Prepared } from './prepare';
import type { Run } from './run';
import { recall } from './send';
import { PostQueue } from './postQueue';
import { BEFORE, Submission } from './submission';
import type { ItemState } from './watch';

/** Sends the items through the queue. */
async function sendAll(
	submission: Submission,
	postQueue: PostQueue,
	items: readonly Prepared[],
): Promise<void> {
	await Promise.all(
		items.map(async (item) => {
			const outcome = await postQueue.start(item);
			if ('because' in outcome) submission.skip(item, outcome.because);
			else submission.take(item, outcome.sent, outcome);
		}),
	);
}

/** Sends the items, unless they would cost more than the run may. */
async function sendWithinLimit(
	submission: Submission,
	postQueue: PostQueue,
	items: readonly Prepared[],
	{ maxCredits }: Options,
): Promise<void> {
	const total = items.reduce((sum, { credits }) => sum + credits, 0);
	if (maxCredits !== undefined && total > maxCredits) {
		const problem = tooManyCredits(total, items.length, maxCredits);
		for (const item of items) submission.fail({ ...item, problem });
	} else await sendAll(submission, postQueue, items);
}

/**
 * Why a run with On Error = Stop sends nothing; undefined where it may send. An item that an
 * interrupted run has left unclear fails alone.
 */
function blockingReason(listing: Listing | undefined, isUnclear: boolean): string | undefined {
	if (isUnclear) return 'the outcome of an earlier item is not known.';
	const refused = [...(listing?.items.values() ?? [])].some(
		(one) => one.do === 'refuse' && one.problem.code !== 'maybe_created',
	);
	return refused ? 'another item cannot be started.' : undefined;
}

/** The default of {@link submitAll}: no callback. */
const NO_CALLBACK: CallbackOf = () => ({ ok: true, value: undefined });

/** The callback and the watcher of the videos that are started. */
interface Others {
	callbackOf?: CallbackOf;
	/** Watches each task from its start; undefined where the run does not wait. */
	watcher?: TaskWatcher;
}

/**
 * Starts the videos of all items, each with the callback URL that `callbackOf` gives. Gives one
 * state per item, in order, when all are sent. Throws an unexpected error only.
 */
export async function submitAll(
	run: Run,
	options: Options,
	{ callbackOf = NO_CALLBACK, watcher }: Others,
): Promise<ItemState[]> {
	const stops = run.onError === 'stop';
	const memory = executionMemory(run.context.getContext('node'));
	const submission = new Submission(run, memory, (task) => watcher?.watch(task));

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

	const duplicates = sharedKeys(usable);
	const leaders = usable.filter(({ itemIndex }) => !duplicates.has(itemIndex));
	const found = await Promise.all(leaders.map(async (item) => await recall(run, memory, item)));
	const recalledTasks = new Map<number, RecalledTask>();
	for (const [index, { itemIndex }] of leaders.entries()) {
		const sent = found[index];
		const isOwn = sent && 'taskId' in sent && sent.reused !== 'shared';
		if (isOwn) recalledTasks.set(itemIndex, sent);
	}
	const unknown = leaders.filter((_, index) => !found[index]);
	const isUnclear = found.some((sent) => sent && 'problem' in sent);
	const models = usable.map(({ model }) => model.value);
	const timed = { ...options, timeout: timeoutFor(options, models) };
	const listing =
		stops && isUnclear ? undefined : await consultList(run, timed, unknown, recalledTasks);
	run.listing = listing;
	const postQueue = new PostQueue(run, memory, timed, {
		items: leaders.length,
		limiter: watcher?.limiter,
	});
	watcher?.restartWith(postQueue);
	const toSend: Prepared[] = [];
	for (const [index, item] of leaders.entries()) {
		const sent = found[index];
		const listed = listing?.items.get(item.itemIndex) ?? { do: 'send' };
		if (listed.do !== 'send') submission.applyDecision(item, listed);
		else if (sent) submission.take(item, sent, BEFORE);
		else toSend.push(item);
	}
	const blocked = stops ? blockingReason(listing, isUnclear) : undefined;
	if (blocked !== undefined) {
		for (const item of toSend) submission.skip(item, blocked);
	} else await sendWithinLimit(submission, postQueue, toSend, options);
	for (const item of usable) {
		const leader = duplicates.get(item.itemIndex);
		if (leader) submission.share(item, leader);
	}
	return submission.all();
}
