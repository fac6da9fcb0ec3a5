// Rules for a run as a whole: how it ends, how long it takes, what it shows, and how it calls the API.
import { isRecord } from '../../sandbox/server.cjs';
import { NODE } from '../../support/engine.cjs';
import { isShown } from '../expected.cjs';
import type { Segment } from '../runner.cjs';
import { canRestart } from '../schedule.cjs';
import {
	asText,
	carriedRounds,
	entriesOf,
	hasOutcome,
	isOfTask,
	MINUTE,
	MOST_READS,
	SECOND,
	SLACK_MS,
	textOf,
	type Facts,
	type Violate,
} from './facts.cjs';

/** Faults that last for ever unless they say for how long. */
const ENDLESS_KINDS: readonly string[] = ['hang', 'accept-then-hang', 'drip'];
/** A callback is decided within 8 seconds. */
const LONGEST_CALLBACK_MS = 10 * SECOND;
/** A video is downloaded so soon after the reading that showed it. */
const SOON_MS = 10 * SECOND;
/** The shortest time limit of a workflow that leaves room for a response. */
const ROOMY_LIMIT_S = 15;
/** Milliseconds that one call may take, unless it is ended. */
const POST_DEADLINE_MS = MINUTE;
const READ_DEADLINE_MS = 30 * SECOND;
/** Milliseconds for one POST or one read, with its tries: where the API responds, and where it asks to wait. */
const USUAL_TRIES_MS = 15 * SECOND;
const LIMITED_TRIES_MS = 4 * MINUTE;
/** Milliseconds for downloads, of which three go at a time. */
const DOWNLOADS_MS = 3 * 65 * SECOND;

export function checkEnd(violate: Violate, { run, isStopped }: Segment): void {
	const { status, error, data } = run;
	const unstopped = data.waitTill ? 'waiting' : error ? 'error' : 'success';
	const expected = isStopped ? 'canceled' : unstopped;
	if (status !== expected) violate('went on', `the run is "${status}", not "${expected}"`);
	if (error && !isStopped && error.node !== NODE && error.node !== 'Between') {
		violate('wrong outcome', `failed at ${error.node}: ${error.message}`);
	}
}

export function checkTime(facts: Facts, violate: Violate, segment: Segment): void {
	const { run, tookMs, cause } = segment;
	const { executionTimeout, operation, rounds } = facts.schedule;
	if (isResumedEarly(facts, segment)) {
		violate('went on', 'it was resumed while a video was still being made');
	}
	const tooLong = (limit: number) => {
		const [took, most] = [tookMs, limit].map((ms) => Math.round(ms / SECOND));
		violate('took too long', `${took} s of at most ${most} s (${operation}, ${cause})`);
	};
	const tries = facts.tries * Math.max(1, entriesOf(run).length - carriedRounds(segment) + 1);
	const most = tries * longestTry(facts, segment) + SLACK_MS;
	if (tookMs > most) tooLong(most);
	// What is not out by then, n8n throws away, with the ids of what was paid.
	const isLimited = rounds === 1 && facts.tries === 1 && (cause === 'start' || cause === 'retry');
	const limit = (executionTimeout ?? 0) * SECOND;
	if (isLimited && limit >= ROOMY_LIMIT_S * SECOND && tookMs >= limit) tooLong(limit);
	checkDownloads(facts, violate, segment);
}

/** Whether an execution was resumed before the last of its videos had ended, and so held a slot for nothing. */
function isResumedEarly({ schedule }: Facts, { cause, tookMs }: Segment): boolean {
	const { endings, faults, limits, rounds } = schedule;
	// A success without its video is read again for a while before it is reported as that.
	const isPassing = Object.values(endings).some(
		({ ends, urlLateSeconds, unknownSeconds }) =>
			ends === 'noVideo' || urlLateSeconds !== undefined || unknownSeconds !== undefined,
	);
	// A callback that cannot read its tasks in time leaves that to the node.
	const isTroubled = faults.some(({ route, fault }) => route === 'status' || fault.kind === 'task');
	if (isPassing || isTroubled || limits.length > 0) return false;
	return cause === 'callback' && rounds === 1 && tookMs > LONGEST_CALLBACK_MS;
}

/** Virtual milliseconds that one try of the node may take at most. */
function longestTry({ schedule, waitMs, restarts }: Facts, { cause }: Segment): number {
	const { items, batch, operation, faults, limits, unreachable, downForJumps, download } = schedule;
	const { maxAtOnce } = schedule;
	const isLimited = limits.length > 0 || faults.some(({ fault }) => fault.kind === 'rate-limit');
	const isEndless =
		unreachable !== null ||
		faults.some(({ fault }) =>
			'ms' in fault ? fault.ms === undefined : ENDLESS_KINDS.includes(fault.kind),
		);
	const unlimited = isEndless ? POST_DEADLINE_MS : USUAL_TRIES_MS;
	const patience = isLimited ? LIMITED_TRIES_MS : unlimited;
	const hasFaults =
		faults.length > 0 || limits.length > 0 || unreachable !== null || downForJumps > 0;
	const sending = hasFaults ? items.length * patience * (cause === 'retry' ? 2 : 1) : 0;
	const pausing = batch
		? Math.ceil(items.length / Math.max(1, batch.size)) * batch.seconds * SECOND
		: 0;
	// Each video has its time from its own start, and one that waits for a slot has that time before it.
	const isLimitedAtOnce = maxAtOnce !== null || limits.some(({ route }) => route === 'generate');
	const oneWait = isLimitedAtOnce ? items.length * waitMs + Math.max(waitMs, MINUTE) : waitMs;
	const waits = canRestart(operation) ? (1 + restarts) * oneWait : waitMs;
	const waiting = ['poll', 'wait', 'pause'].includes(operation) ? waits : 0;
	const trying = isEndless ? MOST_READS * READ_DEADLINE_MS : 0;
	const reading = operation === 'status' && hasFaults ? patience + trying : 0;
	const loading = download ? Math.ceil(items.length / 3) * DOWNLOADS_MS : 0;
	return sending + pausing + waiting + reading + loading;
}

/** Each video is downloaded when it is ready, and not when the slowest is. */
function checkDownloads(facts: Facts, violate: Violate, segment: Segment): void {
	const { reads, videos, run, isStopped, cause } = segment;
	const { operation, faults, limits } = facts.schedule;
	const isBusy = faults.some(({ route }) => route === 'video') || limits.length > 0;
	const isWait = operation === 'poll' || operation === 'wait';
	if (!isWait || isBusy || isStopped || run.error || cause !== 'start' || facts.tries > 1) return;
	for (const taskId of new Set(videos.map(({ entry }) => entry.taskId))) {
		const shown = facts
			.readings(
				taskId,
				reads.filter(({ entry }) => entry.showsVideo),
			)
			.find(isShown);
		const first = videos.find(isOfTask(taskId));
		if (!shown || !first || first.at - shown.at <= SOON_MS) continue;
		const late = Math.round((first.at - shown.at) / SECOND);
		violate('took too long', `the video of ${taskId} was left for ${late} s`);
	}
}

/** No key, signature or resume token stands where a person or a later node sees it. */
export function checkSecrets(facts: Facts, violate: Violate, { run, logs }: Segment): void {
	const { sandbox, requests } = facts.harness;
	const { resultData, executionData, resumeToken } = run.data;
	const everything = `${run.everything}${logs}`;
	const visible = `${asText([resultData, executionData?.contextData])}${logs}`;
	const signatures = requests.posts.flatMap(
		({ entry }) => /seedance_sig=([\w-]+)/.exec(entry.body)?.[1] ?? [],
	);
	const secrets: Array<[string, string, string[]]> = [
		['the API key', everything, [sandbox.apiKey, sandbox.otherAccount.apiKey]],
		['the resume token', visible, resumeToken ? [resumeToken] : []],
		['the signature of a callback URL', everything, signatures],
	];
	for (const [name, text, values] of secrets) {
		if (values.some((secret) => text.includes(secret))) violate('secret shown', name);
	}
}

/** How the API was called, over the whole trace. */
export function checkCalls(facts: Facts, violate: Violate): void {
	const { trace, harness } = facts;
	const { ledger } = harness.sandbox;
	const unknown = ledger.posts().flatMap(({ unknownFields }) => unknownFields);
	for (const breach of new Set([...ledger.breaches(), ...unknown])) violate('contract', breach);
	for (const { where } of ledger.keyLeaks) violate('secret shown', `the API key: ${where}`);
	if (trace.leftOpen > 0) violate('took too long', `${trace.leftOpen} calls were never ended`);
	const own = harness.requests.posts.slice(trace.earlierPosts);
	const inside = trace.segments.reduce((sum, { posts }) => sum + posts.length, 0);
	if (own.length > inside) violate('charged twice', `${own.length - inside} POSTs of callbacks`);
	// The address that resumes an execution belongs to the node: a later node that waits must not respond to it.
	const isShared = own.some(({ entry: { json } }) => {
		const url = isRecord(json) ? textOf(json.callback_url) : undefined;
		const [, rest] = /\/webhook-waiting\/([^?]*)/.exec(url ?? '') ?? [];
		return rest !== undefined && rest.split('/').filter(Boolean).length <= 1;
	});
	if (facts.schedule.operation === 'pause' && isShared) {
		violate('resumed twice', 'the callback URL is the one of every node that waits');
	}
	checkVersions(facts, violate);
	checkHandedOn(facts, violate);
}

/** A node that has started a task knows where it is: it asks for it there, and nowhere else. */
function checkVersions(facts: Facts, violate: Violate): void {
	if (!facts.isStarting) return;
	const { segments } = facts.trace;
	const made = segments.flatMap(({ posts }) => posts.filter((post) => hasOutcome(post, 'created')));
	for (const { entry } of segments.flatMap(({ reads }) => reads)) {
		const task = facts.task(entry.taskId ?? '');
		if (!task || task.version === entry.version || !made.some(isOfTask(task.id))) continue;
		violate(
			'contract',
			`task ${task.id} of version ${task.version} was read at /v${entry.version}`,
		);
	}
}

/** When the time of a pause is up, items say "in progress" only of tasks whose end was not read before. */
function checkHandedOn(facts: Facts, violate: Violate): void {
	const { schedule, trace, harness } = facts;
	if (schedule.rounds > 1 || facts.waitMs === 0) return;
	for (const segment of trace.segments.filter(({ cause }) => cause === 'timeUp')) {
		const posts = facts.posts(segment);
		// Where the id of a task is unknown, so is its end.
		if (posts.some((post) => hasOutcome(post, 'misled', 'any'))) continue;
		const made = posts.filter((post) => hasOutcome(post, 'created'));
		const before = harness.requests.reads.slice(0, segment.readsUntil);
		const hasEnded = (taskId: string) => {
			const state = facts.readings(taskId, before).at(-1)?.state;
			return state !== undefined && state !== 'running';
		};
		if (made.length > 0 && made.every(({ entry }) => hasEnded(entry.taskId ?? ''))) {
			violate('wrong outcome', 'handed on unfinished, though every task was read as ended');
		}
	}
}
