// Rules for one item: whether it says of its task, and of its cost, what the sandbox knows.
import type { PostEntry } from '../../sandbox/server.cjs';
import { isRefusedLink, isShown, type Reading } from '../expected.cjs';
import type { Exchange } from '../harness.cjs';
import { accountOf, creditsOf, modelOf, NOT_ACCEPTED, V1, VIDEOS } from '../schedule.cjs';
import { allowedFor } from './allowed.cjs';
import { isFreeFailure } from './restarts.cjs';
import {
	asText,
	EARLY_MS,
	entriesOf,
	fixedPart,
	hasOutcome,
	isHandedOn,
	isOfTask,
	promptIn,
	SECOND,
	textOf,
	type Facts,
	type Found,
} from './facts.cjs';

/** Fields of every simplified item, in any outcome. */
const FIELDS =
	'task_id status finished succeeded video_url model prompt consumed_credits estimated_credits created_at error_message'.split(
		' ',
	);
/** Codes of an item without a task. */
const CODES_WITHOUT_TASK =
	'not_created invalid_input invalid_api_key out_of_credits over_limit maybe_created'.split(' ');
/** Reads of a task that is read only once, before it is given up. */
const FEWEST_TRIES = 2;
/** How long before its end a wait may have read last. */
const LAST_READ_MS = 90 * SECOND;

/** What is wrong with an item; undefined for nothing. */
export const wrongIn = (facts: Facts, found: Found): string | undefined =>
	new Item(facts, found).wrong();

const notAllowed = (readings: readonly Reading[], allowed: readonly string[]) =>
	`${asText(readings.slice(-6))} allows ${allowed.join(', ') || 'nothing'}`;

class Item {
	private readonly json = this.found.json;
	private readonly code = textOf(this.found.json.error_code);
	private readonly taskId = textOf(this.found.json.task_id);
	/** The POSTs of its execution, and of its retries. */
	private readonly posts: ReadonlyArray<Exchange<PostEntry>> = this.facts.posts(this.found.segment);
	private readonly isWrong = this.facts.schedule.items[this.found.index].isWrong;
	private readonly account = accountOf(this.facts.schedule, this.found.index);
	/** As its row says. */
	private readonly model = modelOf(
		this.facts.schedule,
		this.facts.schedule.items[this.found.index].name,
	);
	/** What the node can have read of its task, in order. */
	private readonly readings: readonly Reading[];

	constructor(
		private readonly facts: Facts,
		private readonly found: Found,
	) {
		const { segment, runIndex } = found;
		// The items that a timed-out pause passes on were stored before it.
		const before = isHandedOn(segment, runIndex)
			? facts.trace.segments.find(({ run }) => run === segment.before)
			: undefined;
		const reads = facts.harness.requests.reads.slice(0, (before ?? segment).readsUntil);
		this.readings = this.taskId === undefined ? [] : facts.readings(this.taskId, reads);
	}

	wrong(): string | undefined {
		const { json, code, facts, taskId } = this;
		const { operation, simplify } = facts.schedule;
		if (operation === 'estimateCost') return this.wrongEstimate();
		if (!simplify && code === undefined && !this.found.isInError) return this.wrongRaw();
		const missing = FIELDS.filter((field) => json[field] === undefined);
		if (missing.length) return `without ${missing.join(', ')}`;
		if (code !== undefined && textOf(json.error_message) === undefined) return 'no reason';
		const isSuccess = code === undefined && json.status === 'SUCCESS' && json.finished;
		if (json.succeeded === true && !isSuccess) return 'a success that is none';
		const wrong = taskId === undefined ? this.wrongWithoutTask() : this.wrongTask(taskId);
		return wrong ?? this.wrongCharge();
	}

	private wrongEstimate(): string | undefined {
		const { json, isWrong } = this;
		if (this.code !== undefined) {
			if (json.charged !== 'no') return 'an estimate that may have cost something';
			return this.code === 'invalid_input' && isWrong ? undefined : 'an estimate that failed';
		}
		// An error lists what has no problem as a task that is not there.
		if (this.found.isInError) return undefined;
		const { model } = this;
		const { resolution, duration } = VIDEOS[model];
		const right = asText({
			estimated_credits: creditsOf(model),
			model,
			resolution: resolution || null,
			duration,
			generate_audio: false,
		});
		return !isWrong && asText(json) === right ? undefined : `not the estimate: ${asText(json)}`;
	}

	/** The API's own data as an item. */
	private wrongRaw(): string | undefined {
		const { facts, found, taskId, posts, readings } = this;
		if (facts.isStarting) {
			if (taskId === undefined) return 'a raw item without its task';
			const isMade = posts.some((post) => isOfTask(taskId)(post) || hasOutcome(post, 'misled'));
			if (!isMade) return 'a task that was not made for it';
		} else if (taskId !== facts.trace.taskIds[found.index]) {
			// The node knows the id, also where the API has left it out.
			return `${taskId ?? 'no task'} instead of the one it was given`;
		}
		const allowed = allowedFor(facts, found, taskId ?? '', readings);
		return allowed.some((one) => ['success', 'running', 'failed', 'emptySuccess'].includes(one))
			? undefined
			: `raw status ${String(this.json.status)} where ${notAllowed(readings, allowed)}`;
	}

	private wrongWithoutTask(): string | undefined {
		const { facts, found, code, posts, isWrong, account } = this;
		const { segment } = found;
		const { schedule } = facts;
		const { items, operation, unreachable, maxVideos, downForJumps, executionTimeout } = schedule;
		if (code === undefined) return 'neither a task nor an error';
		if (operation === 'pause' && facts.hasTwoAccounts) return undefined;
		// A base URL that is none, or whose API could not call back, is reported before the values are read.
		const isBase = ['invalid_input', 'invalid_api_key', 'not_created'].includes(code);
		if (unreachable !== null && isBase) return undefined;
		// Values may also be refused by the API, or by the limit of credits.
		const isRefused = maxVideos !== null || posts.some((post) => hasOutcome(post, 'refused'));
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
		const hasFailed = posts.some((post) => !hasOutcome(post, 'created'));
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
		return segment.posts.some(
			(post) => post.entry.account === account && !hasOutcome(post, 'created'),
		)
			? undefined
			: 'not started because of another account';
	}

	private wrongTask(taskId: string): string | undefined {
		const { json, code, facts, found, posts, readings } = this;
		const { trace, isStarting } = facts;
		const isMine = isOfTask(taskId);
		const isMisled =
			isStarting && !posts.some(isMine) && posts.some((post) => hasOutcome(post, 'misled', 'any'));
		if (!isStarting && taskId !== trace.taskIds[found.index])
			return 'another task than it was given';
		const wrongOwner = isStarting && !isMisled && this.wrongOwner(taskId);
		if (wrongOwner) return wrongOwner;
		if (isStarting && code === 'task_failed' && this.isOldFailure(taskId)) {
			return 'a failed task that a person wanted restarted';
		}
		if (code === 'task_failed' && this.isLeftAlone()) return 'a free failure, left alone';
		if (code === 'maybe_created') {
			// Its response was unusable, but for an id in it.
			const isOdd = posts.some((post) => isMine(post) && hasOutcome(post, 'unclear'));
			return isMisled || isOdd ? undefined : 'a task whose id was reported, as unclear';
		}
		const outcome = code ?? outcomeOf(json);
		if (found.segment.isStopped && outcome !== 'success') return undefined;
		const allowed = allowedFor(facts, found, taskId, readings);
		if (!allowed.includes(outcome)) return `"${outcome}" where ${notAllowed(readings, allowed)}`;
		const early = this.givenUpEarly(taskId, outcome);
		if (early) return early;
		if (outcome === 'task_failed' && this.hidesReason(taskId))
			return 'a failure without its reason';
		const task = facts.task(taskId);
		if (outcome === 'success') {
			const url = `${facts.harness.sandbox.origin}/videos/${encodeURIComponent(taskId)}.mp4`;
			if (textOf(json.video_url)?.split('?')[0] !== url) {
				return `the video ${String(json.video_url)}`;
			}
			if (task?.account.name !== this.account) return 'the task of another account';
		}
		if (isMisled) return undefined;
		if (typeof json.prompt === 'string' && fixedPart(json.prompt) !== this.prompt()) {
			return `the prompt "${json.prompt}"`;
		}
		const { estimated_credits: estimate, consumed_credits: consumed } = json;
		// An expression may give another model each time; what was made has the one of its POST.
		const price = task?.credits ?? creditsOf(this.model);
		if (estimate !== null && estimate !== price) return `an estimate of ${String(estimate)}`;
		const model = task ? (task.model ?? V1) : this.model;
		const isNamed = json.model === model || (!isStarting && json.model === null);
		if (!isNamed) return `the model ${String(json.model)} instead of ${model}`;
		const isCounted =
			task && readings.some((reading) => isShown(reading) && reading.credits === consumed);
		return consumed === null || isCounted
			? undefined
			: `${String(consumed)} credits that the API did not report`;
	}

	private prompt(): string {
		return this.facts.promptAt(this.found.index, this.found.runIndex);
	}

	/** Whether a task that a run has made was made for this item, and for no other. */
	private wrongOwner(taskId: string): string | undefined {
		const { segment, runIndex, all } = this.found;
		const mine = this.posts.find(isOfTask(taskId));
		if (!mine) return 'a task that was not made for it';
		const prompt = promptIn(mine.entry);
		if (prompt !== this.prompt()) return `the task of "${prompt}"`;
		if (all.filter(({ task_id }) => task_id === taskId).length > 1) {
			return 'the task of another item as well';
		}
		const earlier = entriesOf(segment.run).slice(0, runIndex);
		return earlier.some(({ data }) => asText(data ?? {}).includes(`"task_id":"${taskId}"`))
			? 'the task of another round as well'
			: undefined;
	}

	/** Whether the reason of a failure was reported, in whatever form, and the item does not have it. */
	private hidesReason(taskId: string): boolean {
		// What a fault reports in the place of the task has a reason of its own.
		const isOther = this.facts.schedule.faults.some(({ fault }) =>
			['failed', 'task', 'status-word'].includes(fault.kind),
		);
		const reason = this.facts.schedule.failing?.reason ?? NOT_ACCEPTED;
		const isNamed = textOf(this.json.error_message)?.includes(reason) === true;
		return this.found.segment.reads.some(isOfTask(taskId)) && !isOther && !isNamed;
	}

	/** Whether a person's Retry found a failed task, and nothing kept it from restarting it. */
	private isOldFailure(taskId: string): boolean {
		const { segment } = this.found;
		const { items, retries, affordable, otherAffordable, maxVideos, downForJumps, unreachable } =
			this.facts.schedule;
		const isHindered =
			[affordable, otherAffordable, maxVideos, unreachable].some((limit) => limit !== null) ||
			downForJumps > 0 ||
			items.some(({ isWrong }) => isWrong) ||
			!retries.every(({ heals }) => heals) ||
			this.posts.some((post) => hasOutcome(post, 'unclear'));
		if (segment.cause !== 'retry' || isHindered || !segment.tasksBefore.has(taskId)) return false;
		return this.facts.readings(taskId, segment.reads)[0]?.state === 'failed';
	}

	/** Whether it ends as a failure that had to be restarted, where nothing at all was in the way. */
	private isLeftAlone(): boolean {
		const { facts, found, posts, readings } = this;
		const { operation, items, faults, limits, ...schedule } = facts.schedule;
		const { affordable, otherAffordable, maxVideos, unreachable, executionTimeout } = schedule;
		const limited = [affordable, otherAffordable, maxVideos, unreachable, executionTimeout];
		const isHindered =
			faults.length + limits.length + schedule.downForJumps > 0 ||
			limited.some((limit) => limit !== null) ||
			schedule.stop !== null ||
			schedule.rounds > 1 ||
			facts.tries > 1;
		const isAlone = items.filter(({ name }) => name === items[found.index].name).length === 1;
		const mayStart = operation === 'poll' && found.segment.cause === 'start' && isAlone;
		if (!mayStart || isHindered || !readings.some(isFreeFailure)) return false;
		const own = posts.filter(({ entry }) => promptIn(entry) === this.prompt());
		return own.length <= facts.restarts;
	}

	/** What is wrong when a task was given up before its time was up, or before it was asked for again. */
	private givenUpEarly(taskId: string, outcome: string): string | undefined {
		const { facts, readings } = this;
		const { segment, runIndex, isInError } = this.found;
		const { operation, rounds, executionTimeout, unreachable } = facts.schedule;
		const last = readings.at(-1);
		if (operation === 'status') {
			const isHasty =
				executionTimeout === null && outcome === 'contact_lost' && last?.kind === 'trouble';
			return isHasty && readings.length < FEWEST_TRIES ? 'given up after one read' : undefined;
		}
		if (rounds > 1 || facts.tries > 1 || isHandedOn(segment, runIndex)) return undefined;
		const isOpen = !last || last.kind === 'trouble' || last.kind === 'limited';
		// Where the base URL is no URL, waiting does not help.
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
		const lastVideo = segment.videos.filter(isOfTask(taskId)).at(-1);
		if (!lastVideo || !isRefusedLink(lastVideo)) return undefined;
		const first = readings.findIndex(({ hasVideo }) => hasVideo);
		return first >= 0 && first < readings.length - 1
			? undefined
			: 'a link was given up without a new reading';
	}

	/** Whether the cost that it names is right. */
	private wrongCharge(): string | undefined {
		const { charged } = this.json;
		if (this.code === undefined)
			return charged === undefined ? undefined : 'a cost without an error';
		const charge = this.facts.harness.sandbox.ledger
			.chargesOf(this.account)
			.find((one) => one.taskId === this.taskId);
		const isPaid = charge !== undefined && charge.refunded === 0;
		// The count that the API reports counts, also where it charged another.
		const isLied = this.readings.some(({ credits }) => credits === 0);
		if (charged === 'no' && isPaid && !isLied) return 'charged, though it says no';
		if (charged === 'yes' && !isPaid) return 'not charged, though it says yes';
		const allowed = this.knowableCosts(this.code);
		return allowed.includes(String(charged))
			? undefined
			: `charged "${String(charged)}" where it can know ${allowed.join(' or ')}`;
	}

	/** What it can know about its cost. */
	private knowableCosts(code: string): string[] {
		if (code === 'download_failed') return ['yes'];
		if (code === 'task_failed' || code === 'no_video') {
			return this.readings.map(({ credits }) =>
				credits === undefined || credits === null ? 'unknown' : credits > 0 ? 'yes' : 'no',
			);
		}
		return [this.taskId !== undefined || code === 'maybe_created' ? 'unknown' : 'no'];
	}
}

function outcomeOf({ succeeded, status }: Found['json']): string {
	if (succeeded === true) return 'success';
	if (status === 'FAILED') return 'failed';
	return status === 'SUCCESS' ? 'emptySuccess' : 'running';
}
