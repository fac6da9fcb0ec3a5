// The outcomes that an item may have, from what the node has read of its task.
import { isBrokenDownload, isShown, type Reading } from '../expected.cjs';
import {
	EARLY_MS,
	hasOutcome,
	isHandedOn,
	isOfTask,
	MINUTE,
	MOST_READS,
	SECOND,
	SLACK_MS,
	type Facts,
	type Found,
} from './facts.cjs';

/** A 404 within so long after a task was made is not final. Around it, either is right. */
const YOUNG_MS = MINUTE;
const YOUNG_SLACK_MS = 6 * SECOND;
/** A success without its video is read again for so long before that is its end. */
const GRACE_MS = 30 * SECOND;

/** The outcomes that these readings of a task allow. */
export function allowedFor(
	facts: Facts,
	found: Found,
	taskId: string,
	readings: readonly Reading[],
): string[] {
	const { schedule, isStarting } = facts;
	const isShared =
		found.all.filter((json) => json.task_id === taskId).length > 1 ||
		(!isStarting && (schedule.rounds > 1 || facts.isNamedTwice(taskId)));
	if (!isShared || readings.length === 0) {
		return new Allowed(facts, found, taskId, readings).outcomes();
	}
	// Several items, or several rounds, read the task: any of its readings may be the last of one.
	return readings.flatMap((_, index) =>
		new Allowed(facts, found, taskId, readings.slice(0, index + 1)).outcomes().concat('timeout'),
	);
}

/** What is right when the last of these readings was the last. */
class Allowed {
	private readonly last: Reading | undefined;
	/** How many of the readings were made in the segment itself. */
	private readonly readNow: number;

	constructor(
		private readonly facts: Facts,
		private readonly found: Found,
		private readonly taskId: string,
		private readonly readings: readonly Reading[],
	) {
		this.last = readings.at(-1);
		this.readNow = facts.readings(taskId, found.segment.reads).length;
	}

	outcomes(): string[] {
		const { facts, last } = this;
		const { operation } = facts.schedule;
		if (operation === 'generate') return ['running'];
		const ended = this.ended();
		const around = this.whateverWasRead();
		if (this.isHandedOn && ended === undefined) return [...around, 'running'];
		if (ended) return [...around, ...ended];
		const open = [...around, ...this.afterGrace()];
		// An earlier round, try or run may have read it, and this wait only been asked to slow down.
		const isOfAnother =
			facts.schedule.rounds > 1 || facts.tries > 1 || this.found.segment.cause === 'retry';
		if (isOfAnother && this.wasLimited) open.push('timeout', 'contact_lost');
		if (!last) return this.hadNoTime() ? [...open, 'timeout', 'contact_lost'] : open;
		if (operation === 'status') {
			if (isShown(last)) return [...open, 'running'];
			if (last.kind === 'final') return [...open, last.code ?? ''];
			return [...open, 'contact_lost', ...(last.kind === 'odd' ? ['task_not_found'] : [])];
		}
		switch (last.kind) {
			case 'task':
				return [...open, 'timeout'];
			case 'odd':
				return [...open, 'contact_lost', 'task_not_found', 'timeout'];
			case 'final':
				return [...open, ...this.afterRefusal(last)];
			default:
				return [...open, ...this.afterTrouble()];
		}
	}

	private get isHandedOn(): boolean {
		return isHandedOn(this.found.segment, this.found.runIndex);
	}

	private get wasLimited(): boolean {
		return this.readings.some(({ kind }) => kind === 'limited');
	}

	/** Outcomes that are right for any last reading. */
	private whateverWasRead(): string[] {
		const { facts, found } = this;
		const { downForJumps, unreachable } = facts.schedule;
		const allowed: string[] = [];
		const isCut = found.all.some(
			({ task_id, error_code }) =>
				error_code !== undefined && (task_id === null || error_code === 'maybe_created'),
		);
		// A node that stops before it waits says of its other tasks only that they were started.
		if (found.isInError && facts.isStarting && (isCut || this.readNow === 0)) {
			allowed.push('running');
		}
		if (downForJumps > 0 || unreachable !== null) allowed.push('contact_lost', 'timeout');
		// A base URL that is none makes the credential unusable, whatever task is asked for.
		if (unreachable === 'no-url' || unreachable === 'bad-port') allowed.push('invalid_api_key');
		// With no time at all, the last read before the pause has none either, and after a 429 it may come too late.
		if (this.isHandedOn && (facts.waitMs === 0 || this.wasLimited)) allowed.push('running');
		if (facts.waitMs === 0) allowed.push('timeout', 'contact_lost');
		return allowed;
	}

	/** Whether there was no time for a single read, or a 429 may have taken all of it. */
	private hadNoTime(): boolean {
		const { posts, reads } = this.found.segment;
		const isLimited = [...posts, ...reads].some(({ entry }) => entry.answered === 429);
		return this.facts.waitMs < SLACK_MS || isLimited;
	}

	/** The outcomes of a task whose end was shown; undefined for one that goes on. */
	private ended(): string[] | undefined {
		const { last } = this;
		const isLookup = this.facts.schedule.operation === 'status';
		if (last?.state === 'failed') return [isLookup ? 'failed' : 'task_failed'];
		if (last?.state !== 'succeeded') return undefined;
		if (last.hasVideo) return this.afterVideo();
		return isLookup ? ['emptySuccess'] : undefined;
	}

	/** A video that is there was downloaded, or that went wrong. */
	private afterVideo(): string[] {
		const { facts, taskId, found } = this;
		const { operation, download, rounds, executionTimeout } = facts.schedule;
		if (!download || operation === 'pause') return ['success'];
		const tries = found.segment.videos.filter(isOfTask(taskId));
		const last = tries.at(-1);
		const isShared = !facts.isStarting && (rounds > 1 || facts.isNamedTwice(taskId));
		// What a redirect leads to is another host, whose responses are not recorded.
		const { link, videoStatus } = facts.task(taskId)?.outcome ?? {};
		const isElsewhere = last?.fault?.kind === 'redirect' && (link ?? videoStatus) !== undefined;
		// The limit of a workflow may leave no time for it.
		const isCutShort = last === undefined && executionTimeout !== null;
		if ((isShared && tries.some(isBrokenDownload)) || isElsewhere || isCutShort) {
			return ['success', 'download_failed'];
		}
		// Without any try it was not to be stored, because the node had failed already.
		return [last && isBrokenDownload(last) ? 'download_failed' : 'success'];
	}

	/** `no_video`, where a task has been a success without its video for long enough, or for all the time there was. */
	private afterGrace(): string[] {
		const { readings, last, facts, found } = this;
		if (!last || last.state === 'running' || facts.schedule.operation === 'status') return [];
		const since = readings.find(({ state, hasVideo }) => state === 'succeeded' && !hasVideo)?.at;
		if (since === undefined) return [];
		const isTimeUp = found.segment.tookMs >= facts.waitMs - EARLY_MS;
		return last.at - since >= GRACE_MS - EARLY_MS || isTimeUp ? ['no_video'] : [];
	}

	/** A 404 of a task that this run has made a moment ago is not final. */
	private afterRefusal(last: Reading): string[] {
		const { facts, found, taskId, readings } = this;
		const code = last.code ?? '';
		const good = readings.filter(isShown).at(-1);
		// One that was there a moment ago is not believed to be gone either.
		const since = good ? Math.max(last.at - good.at, YOUNG_MS) : Infinity;
		const age = Math.min(this.ageAt(last), since);
		if (code !== 'task_not_found' || age > YOUNG_MS + YOUNG_SLACK_MS) return [code];
		// Retried, or the id of another task: since when this run has it can be argued.
		const isMade = facts.posts(found.segment).some(isOfTask(taskId));
		const isOlder = !isMade || found.segment.tasksBefore.has(taskId);
		const mayBeFinal = isOlder || age > YOUNG_MS - YOUNG_SLACK_MS;
		return [...this.afterTrouble(), ...(mayBeFinal ? [code] : [])];
	}

	/** Virtual milliseconds since a task was made, at a reading; Infinity for one that this execution has not made. */
	private ageAt({ at }: Reading): number {
		if (!this.facts.isStarting) return Infinity;
		const posts = this.facts.posts(this.found.segment);
		const made =
			posts.find(isOfTask(this.taskId)) ??
			// The latest: each round of the node has sent one of its own.
			posts.filter((post) => post.at <= at && hasOutcome(post, 'misled', 'any')).at(-1);
		return made ? at - made.at : Infinity;
	}

	/** What a wait ends with that could not read its task at the end: contact is lost only after several failed reads. */
	private afterTrouble(): string[] {
		const now = this.readings.slice(-this.readNow);
		const counted = now.filter(({ kind }) => kind !== 'limited');
		const isFailure = (reading: Reading) =>
			reading.kind === 'trouble' ||
			reading.kind === 'odd' ||
			(reading.kind === 'final' && this.ageAt(reading) <= YOUNG_MS + YOUNG_SLACK_MS);
		const failures = [...counted].reverse().findIndex((reading) => !isFailure(reading));
		// Too few reads for either word, where not one has shown the task.
		if (failures < 0 && counted.length < MOST_READS) return ['timeout', 'contact_lost'];
		const inARow = failures < 0 ? counted.length : failures;
		if (inARow < MOST_READS) return ['timeout'];
		// The last one may have been cut off by the end of the time, and not be counted.
		const isClear = inARow > MOST_READS + 1 && now.every(({ kind }) => kind === 'trouble');
		return isClear ? ['contact_lost'] : ['contact_lost', 'timeout'];
	}
}
