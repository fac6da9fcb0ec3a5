/**
 * Limits how many videos run at once: per run (Maximum Videos at Once), and per account over all
 * runs of this process, which share the learnt limit. Paying once does not depend on it: another
 * process learns the limit again.
 */
import { createHash } from 'crypto';

import type { Credential } from '../../shared/api/credential';
import { AdaptiveLimit } from '../../shared/api/adaptiveLimit';
import type { Clock } from '../../shared/n8n/clock';
import { credentialKey } from './run';

/** The share of one run in an account. */
interface Share {
	running: number;
	/** It has a row that waits for the account only. */
	isWaiting: boolean;
	/** Its POST is in flight. */
	isPosting: boolean;
	wake: () => void;
}

/** An account, kept while runs of this process start videos with it. */
interface Account {
	/** The clock of the first run: all times of the limit are by it. */
	clock: Clock;
	limit: AdaptiveLimit;
	shares: Map<StartLimiter, Share>;
}

const accounts = new Map<string, Account>();

const runningAt = ({ shares }: Account): number =>
	[...shares.values()].reduce((sum, { running }) => sum + running, 0);

function wakeAll({ shares }: Account): void {
	for (const { wake } of shares.values()) wake();
}

/** The slots of one run. Call {@link close} when the run ends. */
export class StartLimiter {
	/** Tasks of this run that are being watched, with any account. */
	running = 0;
	/** Milliseconds since 1970 at which a video was started, or one has ended. */
	lastChangeAt: number;
	private readonly used = new Map<string, string>();
	private waker = new AbortController();

	/**
	 * `atOnce`: the most videos of this run at once. `onWait` is called before each
	 * {@link waitForChange}.
	 */
	constructor(
		private readonly clock: Clock,
		private readonly atOnce = Infinity,
		private readonly onWait = () => {},
	) {
		this.lastChangeAt = clock.now();
	}

	/**
	 * Milliseconds until a row of this account may be started, 0 for now; Infinity when a running
	 * video has to end first, or another run comes first.
	 */
	msUntilSlot(credential: Credential): number {
		const { account, share } = this.at(credential);
		share.isWaiting = false;
		if (this.running >= this.atOnce) return Infinity;
		const now = account.clock.now();
		const posting = [...account.shares.values()].filter(({ isPosting }) => isPosting).length;
		const ms = account.limit.nextAt(now, runningAt(account) + posting) - now;
		share.isWaiting = true;
		// Fairness: while the account is limited, a run waits as long as another waiting run has fewer
		// videos running.
		const isBehind = [...account.shares].find(
			([limiter, other]) => limiter !== this && other.isWaiting && other.running < share.running,
		);
		return account.limit.isLimited && isBehind ? Infinity : Math.max(0, ms);
	}

	/** A POST with this account is sent: it is in flight until {@link idle}. */
	postSent(credential: Credential): void {
		this.idle();
		this.at(credential).share.isPosting = true;
	}

	/** Clears the waiting and posting flags of this run, and wakes the runs of those accounts. */
	idle(): void {
		for (const hash of this.used.values()) {
			const account = accounts.get(hash);
			const share = account?.shares.get(this);
			if (!account || !(share?.isWaiting || share?.isPosting)) continue;
			Object.assign(share, { isWaiting: false, isPosting: false });
			wakeAll(account);
		}
	}

	/** The POST was accepted. Call it before {@link acquire}. */
	accepted(credential: Credential): void {
		const { account } = this.at(credential);
		account.limit.onAccepted(account.clock.now(), runningAt(account));
		this.lastChangeAt = this.clock.now();
		wakeAll(account);
	}

	/** The POST was refused with 429. */
	refused(credential: Credential, retryAfterMs?: number): void {
		const { account } = this.at(credential);
		account.limit.onRateLimited(account.clock.now(), runningAt(account), retryAfterMs);
		wakeAll(account);
	}

	/**
	 * Takes a slot for a task. Gives the function that frees it, to be called once, when the task has
	 * ended.
	 */
	acquire(credential: Credential): () => void {
		const { account, share } = this.at(credential);
		share.running++;
		this.running++;
		return () => {
			share.running--;
			this.running--;
			this.lastChangeAt = this.clock.now();
			wakeAll(account);
			this.wake();
		};
	}

	/** Waits so many milliseconds, or until a slot may be free. */
	async waitForChange(ms: number): Promise<void> {
		this.onWait();
		await this.clock.sleep(ms, this.waker.signal);
		this.waker = new AbortController();
	}

	/** Ends {@link waitForChange}. */
	wake(): void {
		this.waker.abort('changed');
	}

	/** Frees all slots of this run, which has ended. */
	close(): void {
		for (const hash of this.used.values()) {
			const account = accounts.get(hash);
			account?.shares.delete(this);
			if (account?.shares.size === 0) accounts.delete(hash);
			else if (account) wakeAll(account);
		}
		this.used.clear();
	}

	private at(credential: Credential): { account: Account; share: Share } {
		const key = credentialKey(credential);
		const hash = this.used.get(key) ?? createHash('sha256').update(key).digest('hex');
		this.used.set(key, hash);
		const found = accounts.get(hash);
		const account = found ?? { clock: this.clock, limit: new AdaptiveLimit(), shares: new Map() };
		if (!found) accounts.set(hash, account);
		const share = account.shares.get(this) ?? {
			running: 0,
			isWaiting: false,
			isPosting: false,
			wake: () => this.wake(),
		};
		account.shares.set(this, share);
		return { account, share };
	}
}
