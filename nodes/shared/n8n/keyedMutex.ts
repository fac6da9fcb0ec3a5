/**
 * A mutex per key, within this process: callbacks for the same task or the same pause, and runs
 * that look for the same video, go one after another, in the order in which they came.
 */
import { withTimeout, type Clock } from './clock';

/** A claim on one key. */
export interface Lock {
	/** Whether it was free, so that nothing has to be waited for. */
	isFree: boolean;
	/**
	 * Waits for its turn, at most so many milliseconds. False when it did not come; release the lock
	 * even then.
	 */
	waitUntilHeld: (ms: number, clock: Clock) => Promise<boolean>;
	/** Lets the next one go on, also before its own turn has come. Calling it twice does no harm. */
	release: () => void;
}

export class KeyedMutex {
	/** By key: resolves when the last lock of it was released. */
	private readonly holders = new Map<string, Promise<void>>();

	/** Claims a key, at once: before anything is awaited. */
	acquire(key: string): Lock {
		const { holders } = this;
		const before = holders.get(key);
		let release = () => {};
		const released = new Promise<void>((resolve) => (release = resolve));
		const isThrough: Promise<void> = Promise.all([before, released]).then(() => {
			if (holders.get(key) === isThrough) holders.delete(key);
		});
		holders.set(key, isThrough);
		const turn = before?.then(() => true);
		return {
			isFree: before === undefined,
			waitUntilHeld: async (ms, clock) =>
				turn ? ((await withTimeout(turn, ms, clock)) ?? false) : true,
			release,
		};
	}

	/** Keys that are held or waited for; no other key takes memory. */
	get size(): number {
		return this.holders.size;
	}
}
