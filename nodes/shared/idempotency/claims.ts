/**
 * Which run may pay for a video: the protocol by which runs that know nothing of each other agree,
 * over rows that can only be read, inserted, and changed by compare-and-set. Pure: it takes the
 * rows that were read, and gives the next action. A test goes through every interleaving of two and
 * three runs.
 *
 * Rules that must not regress:
 * - a bid is read again after its insert has returned, and wins only while no other row lives;
 * - of two bids, the one with the higher id gives way; the lower one waits until it is gone, and is
 *   confirmed by compare-and-set. "The lowest id wins" without that pays twice;
 * - a video that may have been paid for and was not handed on comes first; a row that was never
 *   sent comes after everything that costs nothing;
 * - a video that another run hands on while this one wants the same is shared, however fast that
 *   was.
 */
import type { RowStatus } from './videoList';

/** What the protocol reads in a row of the identity. */
export interface ClaimedRow {
	id: number;
	status: RowStatus;
	claim: string;
	/** Milliseconds since 1970, in the time of the list; 0 when nobody holds it. */
	claimedUntil: number;
	handedOn: boolean;
	hasTask: boolean;
	/** Milliseconds since 1970. */
	createdAt: number;
}

/** What one run asks of an identity. */
export interface ClaimRequest {
	/** The claim of this run. */
	claim: string;
	/** Milliseconds since 1970, in the time of the list. */
	now: number;
	/** Whether equal videos of other runs are to be shared, which takes a bid. */
	isShared: boolean;
	/** Milliseconds: older videos that were not handed on are left alone. */
	maxAgeMs: number;
	/** What to do with a video that was handed on; undefined to pay for another. */
	handedOn?: { do: 'reuse' | 'skip'; maxAgeMs: number };
	/** Rows of other runs that are certainly alive, and that this run does not wait for. */
	isLive: (row: ClaimedRow) => boolean;
	/** Rows whose run pauses, without a process that lives. */
	isPaused: (row: ClaimedRow) => boolean;
	/** Rows that had been handed on when this run first read: a video of a run before it. */
	isEarlier: (row: ClaimedRow) => boolean;
}

export type ClaimAction<R> =
	/** Take the row of a paid video over, by compare-and-set from its present claim and status. */
	| { do: 'takeOver'; row: R }
	/** Report once that it is unknown whether it was started, by the same compare-and-set. */
	| { do: 'markUnclear'; row: R }
	/** Another run works on it: share its task as soon as there is one, read again until then. */
	| { do: 'join'; row: R }
	/** Read again later. */
	| { do: 'wait'; row: R }
	| { do: 'reuse'; row: R }
	| { do: 'skip'; row: R }
	/** Insert a row: reserved at once, or as a bid. */
	| { do: 'insert'; status: 'CLAIMED' | 'PENDING' }
	/** Delete a bid, or a row that was never sent, by id, claim and status. */
	| { do: 'withdraw'; row: R }
	/** Turn the own bid into a claim, by compare-and-set. */
	| { do: 'confirm'; row: R }
	/** This run holds it, and nothing was sent yet. */
	| { do: 'send'; row: R };

const newest = <R extends ClaimedRow>(rows: readonly R[]): R | undefined =>
	rows.reduce<R | undefined>((best, row) => (best && best.id > row.id ? best : row), undefined);

/** Whether a row counts at all: a failed or unclear video does not exist, as far as reuse goes. */
const exists = ({ status }: ClaimedRow) => status !== 'FAILED' && status !== 'UNCLEAR';

/**
 * What to do about an unclaimed video that was paid for, or may have been; undefined without any.
 */
function actionForUnclaimed<R extends ClaimedRow>(
	free: readonly R[],
	request: ClaimRequest,
): ClaimAction<R> | undefined {
	const paid = newest(
		free.filter((row) => row.hasTask && request.now - row.createdAt <= request.maxAgeMs),
	);
	if (paid) return { do: 'takeOver', row: paid };
	const unclear = free.find(({ status, hasTask }) => status === 'SENDING' && !hasTask);
	return unclear && { do: 'markUnclear', row: unclear };
}

/** What to do about a video that was handed on; undefined to pay for another one. */
function actionForHandedOn<R extends ClaimedRow>(
	rows: readonly R[],
	request: ClaimRequest,
): ClaimAction<R> | undefined {
	const { handedOn, now, isShared, isEarlier } = request;
	const row = newest(rows.filter((one) => one.handedOn && one.hasTask));
	if (!row) return undefined;
	if (handedOn && now - row.createdAt <= handedOn.maxAgeMs) return { do: handedOn.do, row };
	return isShared && !isEarlier(row) ? { do: 'join', row } : undefined;
}

/** What to do about the own bid, given the living rows of others. */
function actionForBid<R extends ClaimedRow>(own: R, held: readonly R[]): ClaimAction<R> {
	const isOutbid = held.some(({ status, id }) => status !== 'PENDING' || id < own.id);
	if (isOutbid) return { do: 'withdraw', row: own };
	const [later] = held;
	return later ? { do: 'wait', row: later } : { do: 'confirm', row: own };
}

/** What to do about a video that another run holds; undefined to pay for another one. */
function actionForHeld<R extends ClaimedRow>(
	held: readonly R[],
	request: ClaimRequest,
): ClaimAction<R> | undefined {
	const isBid = ({ status }: R) => status === 'PENDING';
	if (!request.isShared) {
		// A paused execution may have been stopped; that cannot be seen from here.
		const paused = held.find((row) => row.hasTask && request.isPaused(row));
		if (paused && request.handedOn?.do === 'reuse') return { do: 'join', row: paused };
		const unknown = held.find((row) => !request.isLive(row));
		return unknown && { do: 'wait', row: unknown };
	}
	const holder = newest(held.filter((row) => !isBid(row))) ?? newest(held);
	if (!holder) return undefined;
	if (request.handedOn?.do !== 'skip') return { do: 'join', row: holder };
	// That run hands the video on itself: nothing is left to do here.
	return { do: !isBid(holder) && request.isLive(holder) ? 'skip' : 'wait', row: holder };
}

/** The next action of a run that has just read all rows of an identity. Pure. */
export function nextAction<R extends ClaimedRow>(
	rows: readonly R[],
	request: ClaimRequest,
): ClaimAction<R> {
	const live = rows.filter(exists);
	const own = live.find((row) => row.claim === request.claim && !row.handedOn);
	const others = live.filter((row) => row !== own);
	if (own && own.status !== 'PENDING') {
		return own.hasTask ? { do: 'takeOver', row: own } : { do: 'send', row: own };
	}
	const free = others.filter((row) => row.claimedUntil <= request.now && !row.handedOn);
	const held = others.filter((row) => row.claimedUntil > request.now && !row.handedOn);
	const unsent = newest(free.filter(({ status }) => status === 'CLAIMED'));
	const unfinished = actionForUnclaimed(free, request);
	const again = actionForHandedOn(others, request);
	// The own bid has to be gone before anything of another run is taken.
	if (own && (unfinished ?? again ?? unsent)) return { do: 'withdraw', row: own };
	if (unfinished) return unfinished;
	const forgotten = free.find(({ status }) => status === 'PENDING');
	if (forgotten) return { do: 'withdraw', row: forgotten };
	if (own) return actionForBid(own, held);
	const instead = actionForHeld(held, request) ?? again;
	if (instead) return instead;
	// Not taken over: its age would count as that of the video that this run pays for.
	if (unsent) return { do: 'withdraw', row: unsent };
	return { do: 'insert', status: request.isShared ? 'PENDING' : 'CLAIMED' };
}
