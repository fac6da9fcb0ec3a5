/**
 * The POSTs of one run: sent one after the other, each when it has a slot, and none once the run or
 * its account has ended.
 *
 * Rules that must not regress:
 * - asking whether a video was sent and claiming it is one step without an `await` between;
 * - a refused key or an empty account ends the items of that account, and of no other;
 * - with On Error = Stop no POST follows one that failed;
 * - while a row waits, the list of videos shows it as not sent.
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
/** Milliseconds of a wait above which the list gets the last outcome before it. */
const SHORT_MS = 5_000;

/** How the start of one video ended. */
export type StartOutcome =
	| {
			sent: Sent;
			/** Whether this call has sent it. */
			isNew: boolean;
			/** Frees the slot of its task. */
			release?: () => void;
	  }
	/** Nothing was sent for it; why, as the end of a sentence. */
	| { because: string };

interface QueueEntry {
	item: Prepared;
	account: string;
	failed?: CreatedTask;
	/** The problem of its last 429. */
	limited?: Problem;
	end: (outcome: StartOutcome) => void;
	endWith: (error: unknown) => void;
	/** Settles what equal calls await (`ExecutionMemory.hold`); set before the first POST. */
	held?: { resolve: (sent: Sent) => void; reject: (error: unknown) => void };
}

export class PostQueue {
	private readonly queue: QueueEntry[] = [];
	private readonly endedAccounts = new Map<string, string>();
	private readonly firstUntil: number;
	private ended?: string;
	private readonly isOver = new AbortController();
	private isAtWork = false;
	private sent = 0;
	private pausedAfter = 0;
	/** Whether the outcome of the last POST is not in the list of videos yet. */
	private needsFlush = false;
	/** Milliseconds that the fastest video of this run took; 0 before one is ready. */
	private fastestMs = 0;

	/** `limiter`: absent where the run does not wait for its videos; then few 429 end a row. */
	constructor(
		private readonly run: Run,
		private readonly memory: ExecutionMemory,
		private readonly options: TimedOptions,
		private readonly work: { items: number; limiter?: StartLimiter },
	) {
		const { batchSize, batchInterval, timeout } = options;
		const pauses = Math.max(0, Math.ceil(work.items / batchSize) - 1);
		const until = run.startedAt + timeout * 60_000;
		// At least `SENDING_MS` from now: reading the tasks of an earlier try may have used up the
		// Timeout.
		const wanted = Math.max(until, run.clock.now() + SENDING_MS) + pauses * batchInterval;
		this.firstUntil = wanted;
	}

	/**
	 * Starts a video when it has a slot; `failed` is the task that it replaces. Throws an unexpected
	 * error.
	 */
	async start(item: Prepared, failed?: CreatedTask): Promise<StartOutcome> {
		return await new Promise<StartOutcome>((end, endWith) => {
			const account = credentialKey(item.credential);
			this.queue.push({ item, account, failed, end, endWith });
			this.work.limiter?.wake();
			if (!this.isAtWork) void this.sendAll();
		});
	}

	/** A video of this run took so many milliseconds. A row with less time left is not started. */
	noteReadyAfter(ms: number): void {
		this.fastestMs = this.fastestMs > 0 ? Math.min(this.fastestMs, ms) : ms;
	}

	/** Nothing more is sent. */
	stop(because: string): void {
		this.ended ??= because;
		this.isOver.abort('over');
		this.work.limiter?.wake();
	}

	/** Milliseconds since 1970 until which videos are started. */
	private until(): number {
		const { run, options, work, firstUntil } = this;
		const { limiter } = work;
		if (!limiter) return Math.min(firstUntil, run.workUntil);
		// While videos are running, the Timeout of a waiting row has not begun: it counts from the last
		// start or end.
		const moved = limiter.running > 0 ? run.clock.now() : limiter.lastChangeAt;
		const timeout = Math.max(options.timeout * 60_000, SENDING_MS);
		return Math.min(Math.max(firstUntil, moved + timeout), run.workUntil);
	}

	private async sendAll(): Promise<void> {
		this.isAtWork = true;
		try {
			// Entries that are added in the same tick are handled together.
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

	/** Ends expired entries, then starts one video, or waits until one may have a slot. */
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
			await clock.sleep(Math.min(options.batchInterval, left), this.isOver.signal);
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
			// An entry whose last POST got a 429, and that only the time ended, fails with that 429
			// instead of "not sent".
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

	/**
	 * Sends the POST of an entry, unless the memory has its video. May end the run or the account.
	 */
	private async startOne(entry: QueueEntry): Promise<void> {
		const { run, memory, work } = this;
		const { limiter } = work;
		const { item, failed } = entry;
		// From here to `hold` nothing is awaited, so that an equal call finds this one in flight.
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
			// Before anything is awaited, so that the next entry sees the slot as taken.
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
