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

/** The real one, also where a test fakes the timers. */
const afterPromises = setImmediate;

/** Lets everything run that is not asleep. */
export const flushPromises = () => new Promise<void>((resolve) => void afterPromises(resolve));

export class VirtualClock implements Clock {
	private time = 1_000_000;

	private stopped = false;

	private sleepers: Sleeper[] = [];

	/** `random`: 0.5 means no jitter. */
	constructor(readonly random = () => 0.5) {}

	readonly now = () => this.time;

	async sleep(ms: number, cancel?: AbortSignal): Promise<boolean> {
		return this.stopped || cancel?.aborted ? false : await this.until(ms, true, cancel);
	}

	uncancellable(): Clock {
		const { now, random } = this;
		const sleep = async (ms: number, cancel?: AbortSignal) =>
			!cancel?.aborted && (await this.until(ms, false, cancel));
		return { now, random, sleep, uncancellable: () => this.uncancellable() };
	}

	/** Sleepers that nobody has woken yet: timers that a real clock would hold. */
	get asleep(): number {
		return this.sleepers.length;
	}

	/** Time that passes by itself, such as a slow response: not a sleep, and Stop does not shorten it. */
	async elapse(ms: number): Promise<void> {
		await this.until(ms, false);
	}

	/** The user's Stop: every sleep ends at once, unfinished, and so does every later one. */
	stop(): void {
		this.stopped = true;
		const ended = this.sleepers.filter(({ stops }) => stops);
		this.sleepers = this.sleepers.filter(({ stops }) => !stops);
		for (const { wake } of ended) wake(false);
	}

	/** What the work gives, and the milliseconds it took on this clock. */
	async run<T>(work: Promise<T>): Promise<{ result: T; tookMs: number }> {
		const startedAt = this.time;
		let isDone = false;
		const finished = work.finally(() => (isDone = true));
		for (;;) {
			await flushPromises();
			this.sleepers.sort((a, b) => a.wakesAt - b.wakesAt);
			const next = isDone ? undefined : this.sleepers.shift();
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
