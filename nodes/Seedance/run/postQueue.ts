/**
 * The POSTs of one run: one after the other, each when it is its turn, and none once there is a
 * reason against it.
 *
 * Rules that must not regress:
 * - asking whether a video was sent and claiming it is one step without an `await` between;
 * - a refused key or an empty account ends the items of that account, and of no other;
 * - with On Error = Stop no POST follows one that failed;
 * - while a row waits, it stands in the list of videos as what it is: not sent.
 */
import { LEAST_POST_MS } from '../../shared/api/client';
import type { CreatedTask, ExecutionMemory, Sent } from '../../shared/idempotency/executionMemory';
import { notSent, rateLimitedUntilDeadline, type Problem } from '../../shared/task/errors';
import type { TimedOptions } from './options';
import type { Prepared } from './prepare';
import { credentialKey, type Run } from './run';
import { recalled, send } from './send';
import type { StartLimiter } from './startLimiter';

/** Milliseconds that sending gets in any case, however short the Timeout is. */
const SENDING_MS = 60_000;
const DAY_MS = 24 * 60 * 60_000;
/** Milliseconds of a wait below which the list of videos is not told that it begins. */
const SHORT_MS = 5_000;

/** What has become of one video that was to be started. */
export type StartOutcome =
	| {
			sent: Sent;
			/** Whether this very call has sent it. */
			isNew: boolean;
			/** Of a task: it counts as under way until this is called. */
			release?: () => void;
	  }
	/** Nothing was sent for it: the end of a sentence. */
	| { because: string };

interface QueueEntry {
	item: Prepared;
	account: string;
	failed?: CreatedTask;
	/** Why it was refused with 429 the last time. */
	limited?: Problem;
	end: (outcome: StartOutcome) => void;
	endWith: (error: unknown) => void;
	/** What equal calls of the same moment get, from its first POST on. */
	held?: { resolve: (sent: Sent) => void; reject: (error: unknown) => void };
}

export class PostQueue {
	private readonly queue: QueueEntry[] = [];
	private readonly endedAccounts = new Map<string, string>();
	private readonly firstUntil: number;
	private ended?: string;
	private isAtWork = false;
	private sent = 0;
	private pausedAfter = 0;
	/** Whether the list of videos has not been told yet what came of the last POST. */
	private needsFlush = false;
	/** Milliseconds that the fastest of the videos took. */
	private fastestMs = 0;

	/** `limiter`: where the ends of the videos are waited for; else a 429 is given up sooner. */
	constructor(
		private readonly run: Run,
		private readonly memory: ExecutionMemory,
		private readonly options: TimedOptions,
		private readonly work: { items: number; limiter?: StartLimiter },
	) {
		const { batchSize, batchInterval, timeout } = options;
		const pauses = Math.max(0, Math.ceil(work.items / batchSize) - 1);
		const until = run.startedAt + timeout * 60_000;
		// What came before, such as reading the tasks of an earlier try, does not use it up.
		const wanted = Math.max(until, run.clock.now() + SENDING_MS) + pauses * batchInterval;
		this.firstUntil = wanted;
	}

	/**
	 * Starts a video when it is its turn; `failed` is the task that it takes the place of. Throws what
	 * nobody foresaw.
	 */
	async start(item: Prepared, failed?: CreatedTask): Promise<StartOutcome> {
		return await new Promise<StartOutcome>((end, endWith) => {
			const account = credentialKey(item.credential);
			this.queue.push({ item, account, failed, end, endWith });
			this.work.limiter?.wake();
			if (!this.isAtWork) void this.sendAll();
		});
	}

	/** A video of this run was ready after so many milliseconds: what has less time is not started. */
	noteReadyAfter(ms: number): void {
		this.fastestMs = this.fastestMs > 0 ? Math.min(this.fastestMs, ms) : ms;
	}

	/** Nothing more is sent. */
	stop(because: string): void {
		this.ended ??= because;
		this.work.limiter?.wake();
	}

	/** Milliseconds since 1970 until which videos are started. */
	private until(): number {
		const { run, options, work, firstUntil } = this;
		const { limiter } = work;
		if (!limiter) return Math.min(firstUntil, run.workUntil);
		// What is under way ends by itself: until then every row has its time before it.
		const moved = limiter.running > 0 ? run.clock.now() : limiter.lastChangeAt;
		const timeout = Math.max(options.timeout * 60_000, SENDING_MS);
		return Math.min(Math.max(firstUntil, moved + timeout), run.workUntil);
	}

	private async sendAll(): Promise<void> {
		this.isAtWork = true;
		try {
			// What is asked for in the same turn is looked at together.
			await Promise.resolve();
			while (this.queue.length > 0) await this.step();
		} catch (error) {
			for (const { endWith, held } of this.queue.splice(0)) {
				held?.reject(error);
				endWith(error);
			}
		} finally {
			this.isAtWork = false;
			this.work.limiter?.idle();
		}
	}

	/** Ends what is over, and starts one video, or waits until that may be possible. */
	private async step(): Promise<void> {
		const { run, options, queue, work } = this;
		const { clock } = run;
		this.rejectExpired();
		if (queue.length === 0) return;
		const isGroupFull = this.sent > 0 && this.sent % options.batchSize === 0;
		if (isGroupFull && this.pausedAfter < this.sent) {
			this.pausedAfter = this.sent;
			await run.listing?.videos?.flush();
			const left = Math.max(0, this.until() - clock.now());
			await clock.sleep(Math.min(options.batchInterval, left));
			return;
		}
		const waits = queue.map(({ item }) => work.limiter?.msUntilSlot(item.credential) ?? 0);
		const next = waits.findIndex((ms) => ms <= 0);
		if (next >= 0) return await this.startOne(queue[next]);
		const left = Math.max(LEAST_POST_MS, this.until() - LEAST_POST_MS - clock.now());
		const ms = Math.min(...waits, left + 1, DAY_MS);
		if (this.needsFlush && ms > SHORT_MS) {
			this.needsFlush = false;
			await run.listing?.videos?.flush();
		} else await work.limiter?.waitForChange(ms);
	}

	/** Why nothing is sent for an entry; undefined where it may be. */
	private blockReason({ account }: QueueEntry): string | undefined {
		const { run, work, fastestMs } = this;
		if (run.isStopped()) this.ended ??= 'the execution was stopped.';
		const now = run.clock.now();
		if (this.until() - now < LEAST_POST_MS) {
			this.ended ??= `the time was up${work.limiter ? ' before its turn came' : ''}.`;
		}
		if (run.workUntil - now < fastestMs) {
			this.ended ??= "the workflow's time limit leaves less than a video of this run took.";
		}
		return this.ended ?? this.endedAccounts.get(account);
	}

	private rejectExpired(): void {
		for (const entry of [...this.queue]) {
			const wasEnded = this.ended ?? this.endedAccounts.get(entry.account);
			const because = this.blockReason(entry);
			if (!because) continue;
			// Whom the API has put off until the time was up is told that.
			const isPutOff = wasEnded === undefined && !this.run.isStopped();
			if (entry.limited && isPutOff) {
				const problem = rateLimitedUntilDeadline(
					entry.limited,
					this.until() === this.run.workUntil,
				);
				this.finish(entry, { sent: { problem, endsAccount: true }, isNew: true });
			} else this.finish(entry, { because });
		}
	}

	private finish(entry: QueueEntry, outcome: StartOutcome): void {
		this.queue.splice(this.queue.indexOf(entry), 1);
		const sent = 'sent' in outcome ? outcome.sent : { problem: notSent(outcome.because) };
		entry.held?.resolve(sent);
		entry.end(outcome);
	}

	/** Asks whether it was sent before, sends its POST, and notes what that means for the others. */
	private async startOne(entry: QueueEntry): Promise<void> {
		const { run, memory, work } = this;
		const { limiter } = work;
		const { item, failed } = entry;
		// From here to `hold` nothing is awaited: an equal call of the same moment finds this one under
		// way.
		if (!entry.held) {
			const inFlight = memory.inFlight(item.keys);
			const found = inFlight ?? recalled(memory, item);
			const isFailed = found && 'taskId' in found && found.taskId === failed?.taskId;
			if (found && !isFailed) {
				const sent = await found;
				const release = 'taskId' in sent ? limiter?.acquire(item.credential) : undefined;
				this.finish(entry, { sent, isNew: false, release });
				return;
			}
			const sending = new Promise<Sent>((resolve, reject) => (entry.held = { resolve, reject }));
			memory.hold(item.keys, sending);
		}
		const deadline = Math.min(this.until(), run.clock.now() + DAY_MS);
		limiter?.postSent(item.credential);
		const waitsItself = limiter !== undefined;
		const sent = await send(run, memory, item, { deadline, waitsItself, failed });
		limiter?.idle();
		this.needsFlush = true;
		if (limiter && 'problem' in sent && sent.limited) {
			limiter.refused(item.credential, sent.limited.retryAfterMs);
			entry.limited = sent.problem;
			return;
		}
		this.sent++;
		let release: (() => void) | undefined;
		if (!('problem' in sent)) {
			// At once, before anybody asks for the next turn.
			limiter?.accepted(item.credential);
			release = limiter?.acquire(item.credential);
		} else {
			const reason = `item ${item.itemIndex} ended the run. ${sent.problem.message}`;
			if (run.onError === 'stop') this.ended ??= reason;
			else if (sent.endsAccount) this.endedAccounts.set(entry.account, reason);
		}
		this.finish(entry, { sent, isNew: true, release });
	}
}
