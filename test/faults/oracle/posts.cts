// Rules for what was sent: what may be paid for, what must not be sent, how soon, and where the ids of paid tasks are.
import type { PostEntry } from '../../sandbox/server.cjs';
import { postOutcomeOf, endsBatch } from '../expected.cjs';
import type { Exchange } from '../harness.cjs';
import type { Segment } from '../runner.cjs';
import { creditsFor, creditsOf, modelOf, promptOf } from '../schedule.cjs';
import {
	asText,
	EARLY_MS,
	entriesOf,
	failedAtNode,
	ID_PLACES,
	hasOutcome,
	isOfTask,
	MINUTE,
	promptIn,
	SECOND,
	type Facts,
	type IdCounts,
	type Violate,
} from './facts.cjs';
import { Restarts } from './restarts.cjs';

const MOST_POSTS = 5;
/** The same where the ends of videos are waited for: then ever more slowly, for the whole Timeout. */
const MOST_POSTS_WAITING = 16;
/** A `Retry-After` up to here is honoured. */
const LONGEST_RETRY_AFTER_MS = MINUTE;

/** By prompt, how many items of an execution and its retries wanted that video. */
function wantedIn(facts: Facts, segments: readonly Segment[]) {
	const { schedule } = facts;
	const wanted = new Map<string, number>();
	const rounds = segments.map(({ run, isStopped }) => entriesOf(run).length + Number(isStopped));
	const most = Math.min(Math.max(1, ...rounds), schedule.rounds);
	for (let runIndex = 0; runIndex < most; runIndex += 1) {
		const items = Math.max(...segments.map(({ run }) => facts.inputOf(run, runIndex)));
		for (const { name } of schedule.items.slice(0, items)) {
			const prompt = promptOf(schedule, name, runIndex);
			wanted.set(prompt, (wanted.get(prompt) ?? 0) + 1);
		}
	}
	return wanted;
}

/** At most one charge for each item that is protected, and no POST after one that may have been accepted. */
export function checkCharges(facts: Facts, violate: Violate, segments: readonly Segment[]): void {
	// A prompt that comes out differently at each try is the same item all the same.
	const wanted = wantedIn(facts, segments);
	const held = new Map<string, number>();
	const renewed = new Map<string, number>();
	const restarts = new Restarts((taskId) => facts.readings(taskId));
	const sent: Array<Exchange<PostEntry>> = [];
	for (const { cause, posts, tasksBefore } of segments) {
		for (const post of posts.filter((one) => !hasOutcome(one, 'refused', 'any'))) {
			const prompt = promptIn(post.entry);
			const already = held.get(prompt) ?? 0;
			const tasks = facts.knownFrom(sent.filter(({ entry }) => promptIn(entry) === prompt));
			sent.push(post);
			if (already < (wanted.get(prompt) ?? 0)) {
				held.set(prompt, already + 1);
				continue;
			}
			// A person's Retry restarts a failed task, once.
			const isRenewed =
				cause === 'retry' &&
				tasks.some((id) => tasksBefore.has(id) && facts.isReportedFailed(id) && restarts.renew(id));
			const again = (renewed.get(prompt) ?? 0) + Number(isRenewed);
			renewed.set(prompt, again);
			const most = facts.restarts * (already + again);
			if (isRenewed || restarts.take(prompt, post.at, tasks, most)) continue;
			violate(
				post.entry.accepted ? 'charged twice' : 'sent again',
				`POST ${post.entry.index} for "${prompt}" (${cause}), ${already} before it`,
			);
		}
	}
}

/** Maximum Videos at Once: what a run has started and has not seen the end of, before each of its POSTs. */
export function checkAtOnce(facts: Facts, violate: Violate, { posts }: Segment): void {
	const { maxAtOnce, executionTimeout } = facts.schedule;
	// The limit of a workflow ends waits sooner.
	if (maxAtOnce === null || executionTimeout !== null) return;
	for (const [nth, post] of posts.entries()) {
		const running = posts.slice(0, nth).filter((earlier) => {
			const { taskId } = earlier.entry;
			if (!hasOutcome(earlier, 'created') || post.at >= earlier.at + facts.waitMs - EARLY_MS)
				return false;
			return !facts
				.readings(taskId ?? '')
				.some(
					({ kind, state, at }) =>
						at <= post.at && (kind === 'final' || kind === 'odd' || (state && state !== 'running')),
				);
		});
		if (running.length < maxAtOnce) continue;
		violate('went on', `POST ${post.entry.index} with ${running.length} running`);
	}
}

/** What must not be sent at all. */
export function checkRestraint(facts: Facts, violate: Violate, segment: Segment): void {
	const { operation, onError, items, rounds, maxVideos } = facts.schedule;
	const { posts, cause, before, reads, videos } = segment;
	const isResumed = cause === 'callback' || cause === 'timeUp';
	const right = items.filter(({ isWrong }) => !isWrong);
	const wrong = items.length - right.length;
	const total = right.reduce((sum, { name }) => sum + creditsOf(modelOf(facts.schedule, name)), 0);
	const isTooMuch = maxVideos !== null && total > creditsFor(facts.schedule, maxVideos);
	const reasons: Array<[boolean, string]> = [
		[!facts.isStarting, 'of an operation that starts nothing'],
		[operation === 'pause' && facts.hasTwoAccounts, 'of a pause whose key comes from the row'],
		[onError === 'stopWorkflow' && wrong > 0, 'though an item is wrong'],
		[cause === 'retry' && !!before && !failedAtNode(before), 'of a node that had succeeded'],
		[rounds === 1 && isResumed, 'after a pause'],
		[rounds === 1 && cause === 'start' && isTooMuch, 'beyond Maximum Credits per Run'],
	];
	for (const [isDue, because] of posts.length > 0 ? reasons : []) {
		if (isDue) violate('went on', `${posts.length} POSTs ${because} (${cause})`);
	}
	if (operation === 'estimateCost' && reads.length + videos.length > 0) {
		violate('went on', 'the estimate called the API');
	}
	checkAfterRefusals(facts, violate, segment);
}

/** What follows a POST that failed. */
function checkAfterRefusals(facts: Facts, violate: Violate, { posts, run }: Segment): void {
	const { operation, items, rounds, onError } = facts.schedule;
	const waits = operation === 'poll' || operation === 'pause';
	const stops = onError === 'stopWorkflow';
	const byAccount = [...new Set(posts.map(({ entry }) => entry.account))].map((account) =>
		posts.filter(({ entry }) => entry.account === account),
	);
	if (facts.tries === 1 && (stops || rounds === 1)) {
		// With On Error = Stop nothing follows at all; else nothing of the same account.
		const isLast = (post: Exchange<PostEntry>) =>
			!hasOutcome(post, 'created') &&
			post.entry.answered !== 429 &&
			(stops ? !hasOutcome(post, 'misled') : endsBatch(post));
		for (const group of stops ? [posts] : byAccount) {
			const last = group.findIndex(isLast);
			const more = last < 0 ? 0 : group.length - 1 - last;
			if (more > 0) violate('went on', `${more} POSTs after one that ends the batch`);
		}
	}
	const tries = facts.tries * Math.min(rounds, entriesOf(run).length + 1);
	const refused = posts.filter(
		(post) => hasOutcome(post, 'refused') && post.entry.answered !== 429,
	);
	if (refused.length > items.length * tries) {
		violate('sent again', `${refused.length} POSTs that were refused`);
	}
	for (const group of byAccount) {
		let inARow = 0;
		const longest = Math.max(
			...group.map(({ entry }) => (inARow = entry.answered === 429 ? inARow + 1 : 0)),
		);
		if (longest > (waits ? MOST_POSTS_WAITING : MOST_POSTS) * tries) {
			violate('sent again', `${longest} POSTs in a row that got 429`);
		}
	}
}

/** A task whose end was reported while the execution still ran is read right before the pause. */
export function checkPauses(facts: Facts, violate: Violate, segment: Segment): void {
	const { run, posts, reads, isStopped } = segment;
	const { downForJumps, executionTimeout, items } = facts.schedule;
	// No time at all leaves none for a read, and the limit of a workflow may leave none.
	if (facts.waitMs === 0 || executionTimeout !== null) return;
	if (!run.data.waitTill || isStopped || downForJumps > 0) return;
	// What the API has asked to wait for, it is not asked before.
	if ([...posts, ...reads].some(({ entry }) => entry.answered === 429)) return;
	const round = entriesOf(run).length - 1;
	const prompts = items.map((_, index) => facts.promptAt(index, round));
	for (const { entry } of posts.filter((post) => hasOutcome(post, 'created'))) {
		if (!prompts.includes(promptIn(entry)) || reads.some(isOfTask(entry.taskId))) continue;
		violate('wrong outcome', `task ${entry.taskId} was not read right before the pause`);
	}
}

/** A 429 slows everything of its account down: no POST, and no read, comes sooner than it asks for. */
export function checkThrottle(facts: Facts, violate: Violate, segment: Segment): void {
	const { posts, reads, cause } = segment;
	// A callback needs a response within seconds; its few reads have no throttle.
	if (facts.tries > 1 || facts.schedule.rounds > 1 || cause === 'callback') return;
	// The last read of a task is due when the time is up, whatever the API has asked for.
	const isLastRead = (read: (typeof reads)[number]) =>
		read === reads.filter(isOfTask(read.entry.taskId)).at(-1);
	const isTooSoon = <T extends (typeof posts | typeof reads)[number]>(
		requests: readonly T[],
		most: number,
		isExempt: (request: T) => boolean,
	) =>
		requests.some(({ entry: { account, answered }, fault, at }) => {
			if (answered !== 429 || fault?.kind !== 'rate-limit') return false;
			const until = at + Math.min((fault.retryAfter ?? 0) * SECOND, most) - SECOND;
			return requests.some(
				(one) => one.entry.account === account && one.at > at && one.at < until && !isExempt(one),
			);
		});
	if (isTooSoon(posts, Infinity, () => false)) {
		violate('sent again', 'a POST sooner than 429 had asked for');
	}
	if (isTooSoon(reads, LONGEST_RETRY_AFTER_MS, isLastRead)) {
		violate('sent again', 'a read sooner than 429 had asked for');
	}
}

/** The id of every paid task is somewhere, or its lost response is reported. */
export function checkIds(violate: Violate, segments: readonly Segment[], counts: IdCounts): void {
	const accepted = segments.flatMap(({ posts }) => posts.filter(({ entry }) => entry.accepted));
	if (accepted.length === 0) return;
	// Of an execution that was stopped n8n keeps what was there before; the node's part of it is not relied on.
	const kept = segments.filter(({ isStopped }) => !isStopped).map(({ run }) => run);
	const entries = kept.map((run) => Object.values(run.data.resultData.runData).flat());
	const texts = {
		output: asText(entries.map((list) => list.map(({ data }) => data))),
		error: asText([
			kept.map((run) => run.error),
			entries.map((list) => list.map(({ error }) => error)),
		]),
		data: asText(kept.map((run) => run.data.executionData)),
		log: segments.map(({ logs }) => logs).join('\n'),
	};
	const isLossReported = /maybe_created|may have been created/.test(
		`${texts.output}${texts.error}${texts.log}`,
	);
	for (const post of accepted) {
		const { taskId, index } = post.entry;
		const outcome = postOutcomeOf(post);
		if (outcome === 'misled') continue;
		const place = ID_PLACES.find((name) => texts[name].includes(taskId ?? ''));
		// An odd response may hold the id all the same, and then it is found.
		const isLost = outcome === 'unclear' && !place;
		if (isLost || place) counts[place ?? 'unknown'] += 1;
		if (isLost ? !isLossReported : !place) {
			violate('id lost', `task ${taskId} of POST ${index} (${outcome}) is nowhere`);
		}
	}
}
