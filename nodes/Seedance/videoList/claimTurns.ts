/**
 * Turns of the runs of this process: those that share a video ask the list one after another, so
 * that of ten that begin together one bids, and the others find its claim. It saves calls of the
 * list; who may pay is decided in the list (claims.ts), between processes as well.
 */
import type { Clock } from '../../shared/n8n/clock';
import { KeyedMutex } from '../../shared/n8n/keyedMutex';

/** Milliseconds after which a run goes on without its turn. */
const LONGEST_WAIT_MS = 5_000;

export const claimTurns = new KeyedMutex();

export interface Turn {
	/** Whether it came at once: no other run of this process is asking. */
	isFree: boolean;
	/** Waits for it, not for ever. Never throws. */
	wait: () => Promise<void>;
	/** Lets the next run go on. Calling it twice does no harm. */
	end: () => void;
}

/** The turn at all of these videos together, claimed at once. */
export function takeTurn(identities: ReadonlySet<string>, clock: Clock): Turn {
	// With no `await` between: otherwise two runs could wait for each other.
	const locks = [...identities].map((identity) => claimTurns.acquire(identity));
	return {
		isFree: locks.every(({ isFree }) => isFree),
		wait: async () => {
			const until = clock.now() + LONGEST_WAIT_MS;
			for (const lock of locks) {
				if (!(await lock.waitUntilHeld(until - clock.now(), clock))) return;
			}
		},
		end: () => locks.forEach(({ release }) => release()),
	};
}
