/**
 * A clock for tests: hours pass in no time, in the order in which real sleepers would wake. Work runs
 * under {@link VirtualClock.run}, which moves time on whenever everything is asleep.
 */
import type { Clock } from '../../nodes/shared/n8n/clock';

interface Sleeper {
	wakesAt: number;
	wake: (finished: boolean) => void;
	/** Whether Stop ends this sleep. */
	stops: boolean;
}

/** Rounds of promise callbacks after which all work that needs no time has been done. */
const ROUNDS = 400;

/** Lets everything run that is not asleep. */
export async function settle(): Promise<void> {
	for (let round = 0; round < ROUNDS; round++) await Promise.resolve();
}

export class VirtualClock implements Clock {
	/** Every sleep that was asked for, in milliseconds. */
	readonly sleeps: number[] = [];

	private time = 1_000_000;

	private stopped = false;

	private sleepers: Sleeper[] = [];

	/** `jitter`: what `random()` gives, 0.5 means none. */
	constructor(private readonly jitter: () => number = () => 0.5) {}

	now(): number {
		return this.time;
	}

	random(): number {
		return this.jitter();
	}

	async sleep(ms: number, cancel?: AbortSignal): Promise<boolean> {
		this.sleeps.push(ms);
		return this.stopped || cancel?.aborted ? false : await this.until(ms, true, cancel);
	}

	untied(): Clock {
		return {
			now: () => this.time,
			random: () => this.random(),
			untied: () => this.untied(),
			sleep: async (ms, cancel) => !cancel?.aborted && (await this.until(ms, false, cancel)),
		};
	}

	/** Sleepers that nobody has woken yet: timers that a real clock would hold. */
	get asleep(): number {
		return this.sleepers.length;
	}

	/** Time that passes by itself, such as a slow answer: not a sleep, and Stop does not shorten it. */
	async elapse(ms: number): Promise<void> {
		await this.until(ms, false);
	}

	/** The user's Stop: every sleep ends at once, unfinished, and so does every later one. */
	stop(): void {
		this.stopped = true;
		const ended = this.sleepers.filter((sleeper) => sleeper.stops);
		this.sleepers = this.sleepers.filter((sleeper) => !sleeper.stops);
		for (const sleeper of ended) sleeper.wake(false);
	}

	/** What the work gives, and the milliseconds it took on this clock. */
	async run<T>(work: Promise<T>): Promise<{ result: T; tookMs: number }> {
		const startedAt = this.time;
		let done = false;
		const finished = work.finally(() => {
			done = true;
		});
		for (;;) {
			await settle();
			if (done || this.sleepers.length === 0) break;
			this.sleepers.sort((a, b) => a.wakesAt - b.wakesAt);
			const next = this.sleepers.shift();
			if (!next) break;
			this.time = Math.max(this.time, next.wakesAt);
			next.wake(true);
		}
		return { result: await finished, tookMs: this.time - startedAt };
	}

	private async until(ms: number, stops: boolean, cancel?: AbortSignal): Promise<boolean> {
		return await new Promise((resolve) => {
			const sleeper = { wakesAt: this.time + ms, wake: resolve, stops };
			this.sleepers.push(sleeper);
			cancel?.addEventListener('abort', () => {
				this.sleepers = this.sleepers.filter((one) => one !== sleeper);
				resolve(false);
			});
		});
	}
}
