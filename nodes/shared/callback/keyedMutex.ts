/**
 * A mutex per key: callbacks for the same task or the same pause run one after another, in the
 * order in which they came.
 */
import { withTimeout, type Clock } from '../n8n/clock';

/** A claim on one key. */
export interface Lock {
	/**
	 * Waits for its turn, at most so many milliseconds. False when the turn did not come; the lock
	 * still has to be released.
	 */
	waitUntilHeld: (ms: number, clock: Clock) => Promise<boolean>;
	/**
	 * Lets the next one go on; also for a lock whose turn has not come. More than once does no harm.
	 */
	release: () => void;
}

export class KeyedMutex {
	/** By key: when the last one that has asked for it is through. */
	private readonly holders = new Map<string, Promise<void>>();

	/** Claims a key, at once: before anything is awaited. */
	acquire(key: string): Lock {
		const { holders: holders } = this;
		const before = holders.get(key);
		let release = () => {};
		const released = new Promise<void>((resolve) => (release = resolve));
		const isThrough: Promise<void> = Promise.all([before, released]).then(() => {
			if (holders.get(key) === isThrough) holders.delete(key);
		});
		holders.set(key, isThrough);
		const turn = before?.then(() => true);
		return {
			waitUntilHeld: async (ms, clock) =>
				turn ? ((await withTimeout(turn, ms, clock)) ?? false) : true,
			release,
		};
	}

	/** Keys that somebody holds or waits for. No other key takes memory. */
	get size(): number {
		return this.holders.size;
	}
}
