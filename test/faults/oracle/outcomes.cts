// Rules for one item: whether it says of its task, and of its cost, what the sandbox knows.
import { isRefusedLink, isShown, type Reading } from '../expected.cjs';
import { CREDITS } from '../runner.cjs';
import { accountOf, SETTINGS } from '../schedule.cjs';
import { allowedFor } from './allowed.cjs';
import {
	asText,
	EARLY_MS,
	entriesOf,
	fixedPart,
	isAnswered,
	isHandedOn,
	isOfTask,
	promptIn,
	SECOND,
	textOf,
	type Facts,
	type Found,
} from './facts.cjs';

/** Fields of every item that is simplified, whatever became of it. */
const FIELDS =
	'task_id status finished succeeded video_url prompt consumed_credits estimated_credits created_at error_message'.split(
		' ',
	);
/** Reads of a task that is read only once, before it is given up. */
const FEWEST_TRIES = 2;
/** How long before its end a wait may have read last. */
const LAST_READ_MS = 90 * SECOND;

/** Codes of an item without a task. */
const CODES_WITHOUT_TASK =
	'not_created invalid_input invalid_api_key out_of_credits over_limit maybe_created'.split(' ');

/** What is wrong with an item; undefined for nothing. */
export function wrongIn(facts: Facts, found: Found): string | undefined {
	const { json, isInError } = found;
	const { operation, simplify } = facts.schedule;
	if (operation === 'estimateCost') return wrongEstimate(facts, found);
	const code = textOf(json.error_code);
	if (!simplify && code === undefined && !isInError) return wrongRaw(facts, found);
	const missing = FIELDS.filter((field) => json[field] === undefined);
	if (missing.length) return `without ${missing.join(', ')}`;
	if (code !== undefined && textOf(json.error_message) === undefined) return 'no reason';
	const isSuccess = code === undefined && json.status === 'SUCCESS' && json.finished;
	if (json.succeeded === true && !isSuccess) return 'a success that is none';
	const taskId = textOf(json.task_id);
	const readings = taskId === undefined ? [] : readingsUntil(facts, found, taskId);
	return (
		(taskId === undefined
			? wrongWithoutTask(facts, found)
			: wrongTask(facts, found, taskId, readings)) ?? wrongCharge(facts, found, taskId, readings)
	);
}

function wrongEstimate(facts: Facts, { index, json, isInError }: Found): string | undefined {
	const { isWrong } = facts.schedule.items[index];
	if (json.error_code !== undefined) {
		if (json.charged !== 'no') return 'an estimate that may have cost something';
		return json.error_code === 'invalid_input' && isWrong ? undefined : 'an estimate that failed';
	}
	// An error lists what has no problem as a task that is not there.
	if (isInError) return undefined;
	const { resolution, duration, generateAudio } = SETTINGS;
	const right = {
		estimated_credits: CREDITS,
		resolution,
		duration,
		generate_audio: generateAudio,
	};
	return !isWrong && asText(json) === asText(right)
		? undefined
		: `not the estimate: ${asText(json)}`;
}

/** What the node can have read of a task, in order. What the time limit hands on was decided before the pause. */
function readingsUntil(facts: Facts, { segment, runIndex }: Found, taskId: string): Reading[] {
	const before = isHandedOn(segment, runIndex)
		? facts.trace.segments.find(({ run }) => run === segment.before)
		: undefined;
	const { readsUntil } = before ?? segment;
	return facts.readings(taskId, facts.harness.requests.reads.slice(0, readsUntil));
}

/** The API's own data as an item. */
function wrongRaw(facts: Facts, found: Found): string | undefined {
	const { json, index, segment } = found;
	const taskId = textOf(json.task_id);
	if (facts.isStarting) {
		if (taskId === undefined) return 'a raw item without its task';
		const isMade = facts
			.posts(segment)
			.some((post) => post.entry.taskId === taskId || isAnswered(post, 'misled'));
		if (!isMade) return 'a task that was not made for it';
	} else if (taskId !== facts.trace.taskIds[index]) {
		// Whatever the API has left out: the node knows the id.
		return `${taskId ?? 'no task'} instead of the one it was given`;
	}
	const readings = readingsUntil(facts, found, taskId ?? '');
	const allowed = allowedFor(facts, found, taskId ?? '', readings);
	return allowed.some((one) => ['success', 'running', 'failed', 'emptySuccess'].includes(one))
		? undefined
		: `raw status ${String(json.status)} where ${notAllowed(readings, allowed)}`;
}

const notAllowed = (readings: readonly Reading[], allowed: readonly string[]) =>
	`${asText(readings.slice(-6))} allows ${allowed.join(', ') || 'nothing'}`;

/** An item without a task. */
function wrongWithoutTask(facts: Facts, { json, index, segment }: Found): string | undefined {
	const { schedule } = facts;
	const { items, operation, unreachable, maxVideos, downForJumps, executionTimeout } = schedule;
	const code = textOf(json.error_code);
	const posts = facts.posts(segment);
	if (code === undefined) return 'neither a task nor an error';
	if (operation === 'pause' && facts.hasTwoAccounts) return undefined;
	// A base URL that is none, or whose API could not call back, is told before the values are read.
	const isBase = ['invalid_input', 'invalid_api_key', 'not_created'].includes(code);
	if (unreachable !== null && isBase) return undefined;
	const { isWrong } = items[index];
	// Values may also be refused by the API, or by the limit of credits.
	const isRefused = maxVideos !== null || posts.some((post) => isAnswered(post, 'refused'));
	if (isWrong !== (code === 'invalid_input') && !isRefused) {
		return isWrong ? 'a wrong value that is not named' : 'a right value that is refused';
	}
	if (!facts.isStarting) return isWrong ? undefined : 'a task that was not read';
	if (!CODES_WITHOUT_TASK.includes(code)) return 'an error that only a task can have';
	const isHindered =
		maxVideos !== null ||
		segment.isStopped ||
		downForJumps > 0 ||
		unreachable !== null ||
		// There was no time for it.
		executionTimeout !== null;
	const hasFailed = posts.some((post) => !isAnswered(post, 'created'));
	if (!isHindered && !hasFailed && !items.some((item) => item.isWrong)) {
		return 'not started, and nothing was in the way';
	}
	// Each POST without an end takes its minute, and videos are started until the Timeout, for a minute at least.
	const endless = segment.posts.filter(({ entry }) =>
		['hang', 'accept-then-hang', 'drip'].includes(String(entry.fault)),
	);
	// Where nothing else can be in the way, what happened to another account must not be.
	const isSimple =
		endless.length < Math.max(1, schedule.timeout) &&
		facts.hasTwoAccounts &&
		schedule.onError !== 'stopWorkflow' &&
		schedule.rounds === 1 &&
		facts.tries === 1 &&
		schedule.timeout > 0;
	if (!isSimple || isHindered || isWrong) return undefined;
	const account = accountOf(schedule, index);
	return segment.posts.some(
		(post) => post.entry.account === account && !isAnswered(post, 'created'),
	)
		? undefined
		: 'not started because of another account';
}

/** An item that names a task. */
function wrongTask(
	facts: Facts,
	found: Found,
	taskId: string,
	readings: Reading[],
): string | undefined {
	const { json, index, segment } = found;
	const { schedule, trace, isStarting } = facts;
	const posts = facts.posts(segment);
	const code = textOf(json.error_code);
	const mine = posts.find(isOfTask(taskId));
	const isMisled = isStarting && !mine && posts.some((post) => isAnswered(post, 'misled', 'any'));
	if (!isStarting && taskId !== trace.taskIds[index]) return 'another task than it was given';
	if (isStarting && !isMisled) {
		const wrong = wrongOwner(facts, found, taskId);
		if (wrong) return wrong;
	}
	if (isStarting && code === 'task_failed' && isOldFailure(facts, found, taskId)) {
		return 'a failed task that a person wanted anew';
	}
	if (code === 'maybe_created') {
		// Its answer was none, but for an id in it.
		const isOdd = posts.some((post) => isOfTask(taskId)(post) && isAnswered(post, 'unclear'));
		return isMisled || isOdd ? undefined : 'a task whose id was told, as unclear';
	}
	const outcome = code ?? outcomeOf(json);
	if (segment.isStopped && outcome !== 'success') return undefined;
	const allowed = allowedFor(facts, found, taskId, readings);
	if (!allowed.includes(outcome)) return `"${outcome}" where ${notAllowed(readings, allowed)}`;
	const early = givenUpEarly(facts, found, taskId, readings, outcome);
	if (early) return early;
	if (outcome === 'task_failed' && hidesReason(facts, found, taskId)) {
		return 'a failure without its reason';
	}
	const task = facts.task(taskId);
	if (outcome === 'success') {
		const url = `${facts.harness.sandbox.origin}/videos/${encodeURIComponent(taskId)}.mp4`;
		if (textOf(json.video_url)?.split('?')[0] !== url) return `the video ${String(json.video_url)}`;
		if (task?.account.name !== accountOf(schedule, index)) return 'the task of another account';
	}
	if (isMisled) return undefined;
	if (typeof json.prompt === 'string' && fixedPart(json.prompt) !== promptOf(facts, found)) {
		return `the prompt "${json.prompt}"`;
	}
	const { estimated_credits: estimate, consumed_credits: consumed } = json;
	if (estimate !== null && estimate !== CREDITS) return `an estimate of ${String(estimate)}`;
	const isTold =
		task && readings.some((reading) => isShown(reading) && reading.credits === consumed);
	return consumed === null || isTold ? undefined : `${String(consumed)} credits that nobody told`;
}

function outcomeOf({ succeeded, status }: Found['json']): string {
	if (succeeded === true) return 'success';
	if (status === 'FAILED') return 'failed';
	return status === 'SUCCESS' ? 'emptySuccess' : 'running';
}

const promptOf = (facts: Facts, { index, runIndex }: Found) => facts.promptAt(index, runIndex);

/** Whether a task that a run has made was made for this item, and for no other. */
function wrongOwner(facts: Facts, found: Found, taskId: string): string | undefined {
	const { segment, runIndex, all } = found;
	const mine = facts.posts(segment).find(isOfTask(taskId));
	if (!mine) return 'a task that was not made for it';
	const prompt = promptIn(mine.entry);
	if (prompt !== promptOf(facts, found)) return `the task of "${prompt}"`;
	if (all.filter(({ task_id }) => task_id === taskId).length > 1) {
		return 'the task of another item as well';
	}
	const earlier = entriesOf(segment.run).slice(0, runIndex);
	return earlier.some(({ data }) => asText(data ?? {}).includes(`"task_id":"${taskId}"`))
		? 'the task of another round as well'
		: undefined;
}

/** Whether the reason of a failure was told, in whatever form, and the item does not have it. */
function hidesReason({ schedule }: Facts, { json, segment }: Found, taskId: string): boolean {
	// What a fault tells in the place of the task has a reason of its own.
	const isOther = schedule.faults.some(({ fault }) =>
		['failed', 'task', 'status-word'].includes(fault.kind),
	);
	const isTold = textOf(json.error_message)?.includes('Not accepted') === true;
	return segment.reads.some(isOfTask(taskId)) && !isOther && !isTold;
}

/** Whether a person's Retry found a failed task, and nothing kept it from making it anew. */
function isOldFailure(facts: Facts, { segment }: Found, taskId: string): boolean {
	const { items, retries, affordable, otherAffordable, maxVideos, downForJumps, unreachable } =
		facts.schedule;
	const isHindered =
		[affordable, otherAffordable, maxVideos, unreachable].some((limit) => limit !== null) ||
		downForJumps > 0 ||
		items.some(({ isWrong }) => isWrong) ||
		!retries.every(({ heals }) => heals) ||
		facts.posts(segment).some((post) => isAnswered(post, 'unclear'));
	if (segment.cause !== 'retry' || isHindered || !segment.tasksBefore.has(taskId)) return false;
	return facts.readings(taskId, segment.reads)[0]?.state === 'failed';
}

/** What is wrong when a task was given up before its time was up, or before it was asked for anew. */
function givenUpEarly(
	facts: Facts,
	{ segment, runIndex, isInError }: Found,
	taskId: string,
	readings: readonly Reading[],
	outcome: string,
): string | undefined {
	const { operation, rounds, executionTimeout, unreachable } = facts.schedule;
	const last = readings.at(-1);
	if (operation === 'status') {
		const isHasty =
			executionTimeout === null && outcome === 'contact_lost' && last?.kind === 'trouble';
		return isHasty && readings.length < FEWEST_TRIES ? 'given up after one read' : undefined;
	}
	if (rounds > 1 || facts.tries > 1 || isHandedOn(segment, runIndex)) return undefined;
	const isOpen = !last || last.kind === 'trouble' || last.kind === 'limited';
	// Where the base URL is no URL, waiting helps nobody.
	const isHopeless = unreachable === 'no-url' || unreachable === 'bad-port';
	const isWait = !isHopeless && (segment.cause === 'start' || segment.cause === 'retry');
	if (isWait && !isInError && isOpen && ['timeout', 'contact_lost'].includes(outcome)) {
		if (segment.tookMs < facts.waitMs - EARLY_MS) {
			return `given up after ${segment.tookMs} ms of ${facts.waitMs}`;
		}
		if (last && last.at < segment.startedAt + facts.waitMs - LAST_READ_MS) {
			return 'not asked for any more long before its time was up';
		}
	}
	// The limit of a workflow may leave no time for it.
	if (outcome !== 'download_failed' || executionTimeout !== null) return undefined;
	const videos = segment.videos.filter(isOfTask(taskId));
	const lastVideo = videos.at(-1);
	if (!lastVideo || !isRefusedLink(lastVideo)) return undefined;
	const first = readings.findIndex(({ hasVideo }) => hasVideo);
	return first >= 0 && first < readings.length - 1
		? undefined
		: 'a link was given up without a new reading';
}

/** Whether an item says the truth about its cost. */
function wrongCharge(
	facts: Facts,
	{ json, index }: Found,
	taskId: string | undefined,
	readings: readonly Reading[],
): string | undefined {
	const code = textOf(json.error_code);
	const { charged } = json;
	if (code === undefined) return charged === undefined ? undefined : 'a cost without an error';
	const charge = facts.harness.sandbox.ledger
		.chargesOf(accountOf(facts.schedule, index))
		.find((one) => one.taskId === taskId);
	const isPaid = charge !== undefined && charge.refunded === 0;
	// An API that tells another count than it charges is believed.
	const isLied = readings.some(({ credits }) => credits === 0);
	if (charged === 'no' && isPaid && !isLied) return 'charged, though it says no';
	if (charged === 'yes' && !isPaid) return 'not charged, though it says yes';
	const allowed = costsOf(code, taskId !== undefined, readings);
	return allowed.includes(String(charged))
		? undefined
		: `charged "${String(charged)}" where it can know ${allowed.join(' or ')}`;
}

/** What an item can know about its cost. */
function costsOf(code: string, hasTask: boolean, readings: readonly Reading[]): string[] {
	if (code === 'download_failed') return ['yes'];
	if (code === 'task_failed' || code === 'no_video') {
		return readings.map(({ credits }) =>
			credits === undefined || credits === null ? 'unknown' : credits > 0 ? 'yes' : 'no',
		);
	}
	return [hasTask || code === 'maybe_created' ? 'unknown' : 'no'];
}
