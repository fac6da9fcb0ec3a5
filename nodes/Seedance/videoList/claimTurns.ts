/**
 * Turns of the runs of this process: those that share a video ask the list one after another, so
 * that of ten that begin together one bids, and the others find its claim. It saves calls of the
 * list; who may pay is decided in the list alone (claims.ts), between processes as well.
 */
import type { Clock } from '../../shared/n8n/clock';
import { KeyedMutex } from '../../shared/n8n/keyedMutex';

/** Milliseconds after which a run goes on without its turn. */
const LONGEST_WAIT_MS = 5_000;

export const claimTurns = new KeyedMutex();

/**
 * Waits for the turn at all of these videos together. Gives what ends it; calling that twice does no
 * harm. Never throws.
 */
export async function takeTurn(identities: ReadonlySet<string>, clock: Clock): Promise<() => void> {
	// All at once, with no `await` between: otherwise two runs could wait for each other.
	const locks = [...identities].map((identity) => claimTurns.acquire(identity));
	const until = clock.now() + LONGEST_WAIT_MS;
	for (const lock of locks) {
		if (!(await lock.waitUntilHeld(until - clock.now(), clock))) break;
	}
	return () => locks.forEach(({ release }) => release());
}
