/**
 * What the list of videos says of each item before anything is paid for: the moves of the protocol
 * (claims.ts), made for all items of a run together, in few calls.
 */
import { nextAction, type ClaimedRow, type ClaimRequest } from '../../shared/idempotency/claims';
import {
	ListError,
	where,
	type NewRow,
	type Row,
	type Step,
	type VideoList,
} from '../../shared/idempotency/videoList';
import type { Clock } from '../../shared/n8n/clock';
import { WriteBatch } from './writeBatch';

/** Milliseconds for which a claim holds without being renewed. */
export const CLAIM_MS = 90_000;
/** A claim beyond this is that of a pause, whose execution needs no process to live. */
const LONGEST_RUNNING_CLAIM_MS = CLAIM_MS + 15_000;
/** Milliseconds between two readings: at first for the one that may win, and for the others; at most. */
const SOON_MS = 150;
const LESS_SOON_MS = 450;
const LATER_MS = 2_000;
/** Times that a row may refuse a change although it looks the same as before. */
const MOST_REFUSALS = 5;

/** What is wanted for one item, and what a new row of it would hold. */
export interface Search {
	identity: string;
	isShared: boolean;
	maxAgeMs: number;
	handedOn?: ClaimRequest['handedOn'];
	newRow: NewRow;
}

/** What was found for one item. */
export type ClaimResult =
	/** Its row is reserved: it may be sent. */
	| { do: 'send'; row: Row }
	/** An interrupted run has paid for it; its row is this run's now. */
	| { do: 'takenOver'; row: Row }
	/** Another execution has paid for it, or is about to hand it on. */
	| { do: 'join'; row: Row }
	/** It was handed on before, and is given again. */
	| { do: 'reuse'; row: Row }
	| { do: 'skip'; row: Row }
	/** Nobody knows whether it was started. */
	| { do: 'unclear'; row: Row }
	/** Another run was at it until the time was up. */
	| { do: 'wait'; row: Row };

/** Claims of the runs of this process, which certainly live. */
export const liveClaims = new Set<string>();

export interface ClaimSession {
	list: VideoList;
	claim: string;
	executionId: string;
	clock: Clock;
	/** Milliseconds since 1970, by the clock. */
	until: number;
	/** Whether the video of a row that was handed on can still be had. Never throws. */
	isAvailable: (index: number, row: Row) => Promise<boolean>;
}

const holdUntil = (list: VideoList) => new Date(list.now() + CLAIM_MS).toISOString();

/** What makes a row this run's own. */
export function claimedBy({
	list,
	claim,
	executionId,
}: Pick<ClaimSession, 'list' | 'claim' | 'executionId'>): Partial<NewRow> {
	return { claim, claimed_until: holdUntil(list), execution_id: executionId };
}

type ListedRow = ClaimedRow & { row: Row };

const listed = (row: Row): ListedRow => ({
	row,
	id: row.id,
	status: row.status,
	claim: row.claim,
	claimedUntil: row.claim ? Date.parse(row.claimed_until) || 0 : 0,
	handedOn: row.handed_on,
	hasTask: row.task_id !== '',
	createdAt: row.createdAt,
});

/**
 * Finds out about all items together, into `found`. Throws what the list throws; what is paid for is
 * in `found` then as far as it was read, so that nobody pays for it again.
 */
export async function claimAll(
	session: ClaimSession,
	searches: ReadonlyMap<number, Search>,
	found: Map<number, ClaimResult>,
): Promise<void> {
	/** Videos that are paid for, or may be, and that this run has not got yet. */
	const paid = new Map<number, ClaimResult>();
	try {
		await claimLoop(session, searches, { found, paid });
	} finally {
		for (const [index, one] of paid) if (!found.has(index)) found.set(index, one);
	}
}

async function claimLoop(
	session: ClaimSession,
	searches: ReadonlyMap<number, Search>,
	{ found, paid }: Record<'found' | 'paid', Map<number, ClaimResult>>,
): Promise<void> {
	const { list, claim, clock } = session;
	/** Rows that turned out to be no use, and since when a row has had the claim that it has. */
	const useless = new Set<number>();
	const firstClaims = new Map<number, number>();
	/** Rows that had been handed on when this was first read. */
	let earlier: ReadonlySet<number> | undefined;
	/** What the round before has read already. */
	let readBefore: Row[] | undefined;
	const refusals = new Map<string, number>();
	const isPaused = (row: ClaimedRow) => row.claimedUntil - list.now() > LONGEST_RUNNING_CLAIM_MS;
	const isLive = (row: ClaimedRow): boolean => {
		const first = firstClaims.get(row.id) ?? row.claimedUntil;
		firstClaims.set(row.id, first);
		return liveClaims.has(row.claim) || isPaused(row) || row.claimedUntil !== first;
	};
	for (let rounds = 0; ; rounds++) {
		const open = [...searches].filter(([index]) => !found.has(index));
		if (open.length === 0) return;
		const identities = [...new Set(open.map(([, { identity }]) => identity))];
		const get: Step = {
			do: 'get',
			any: identities.map((identity) => where('identity', identity)),
		};
		const read = readBefore ?? (await list.run(get));
		const before = (earlier ??= new Set(read.filter((row) => row.handed_on).map(({ id }) => id)));
		const isEarlier = ({ id }: ClaimedRow) => before.has(id);
		const rows = read.filter(({ id }) => !useless.has(id)).map(listed);
		const round = new WriteBatch();
		const waiting = new Map<number, Row>();
		const again: Array<[number, Row]> = [];
		const confirmed = claimedBy(session);
		for (const [index, search] of open) {
			const { identity, newRow, ...request } = search;
			const own = rows.filter(({ row }) => row.identity === identity);
			const move = nextAction(own, {
				...request,
				claim,
				now: list.now(),
				isLive,
				isPaused,
				isEarlier,
			});
			paid.delete(index);
			if ('row' in move && move.row.hasTask) paid.set(index, { do: 'join', row: move.row.row });
			switch (move.do) {
				case 'insert':
					round.inserts.push({ ...newRow, ...claimedBy(session), status: move.status });
					break;
				case 'takeOver': {
					const { row } = move.row;
					// Nothing was sent for a reservation: what this run sends may differ, with a key.
					const set = row.task_id ? { status: row.status, item: index } : newRow;
					if (row.claim === claim) found.set(index, { do: 'takenOver', row });
					else round.update(row, { ...set, ...claimedBy(session) });
					break;
				}
				case 'confirm':
					round.confirmBid(move.row.row, { ...confirmed, status: 'CLAIMED' });
					break;
				case 'markUnclear':
					paid.set(index, { do: 'unclear', row: move.row.row });
					round.update(move.row.row, { status: 'UNCLEAR', claim: '', claimed_until: '' });
					break;
				case 'withdraw':
					round.delete(move.row.row);
					break;
				case 'reuse':
					again.push([index, move.row.row]);
					break;
				case 'join':
					if (move.row.hasTask) found.set(index, { do: 'join', row: move.row.row });
					else waiting.set(index, move.row.row);
					break;
				case 'wait':
					waiting.set(index, move.row.row);
					break;
				default:
					found.set(index, { do: move.do, row: move.row.row });
			}
		}
		await Promise.all(
			again.map(async ([index, row]) => {
				if (await session.isAvailable(index, row)) found.set(index, { do: 'reuse', row });
				else useless.add(row.id);
			}),
		);
		const made = await round.commit(list, read, get);
		readBefore = made.read;
		for (const row of round.conflicts(made)) {
			const state = `${row.id} ${row.status} ${row.claim}`;
			const times = (refusals.get(state) ?? 0) + 1;
			refusals.set(state, times);
			// A person has emptied cells of it: no condition holds for those.
			if (times > MOST_REFUSALS) throw new ListError(`row ${row.id} of it cannot be changed`);
		}
		for (const row of made.changed) {
			const index = open.find(([, { identity }]) => identity === row.identity)?.[0];
			if (index === undefined || found.has(index)) continue;
			if (row.status === 'UNCLEAR') found.set(index, { do: 'unclear', row });
			else if (row.status === 'CLAIMED') found.set(index, { do: 'send', row });
			else if (row.task_id) found.set(index, { do: 'takenOver', row });
		}
		if (waiting.size === 0 || !round.isEmpty) continue;
		const isBidding = rows.some((row) => row.claim === claim && row.status === 'PENDING');
		const firstMs = isBidding ? SOON_MS : LESS_SOON_MS;
		const pauseMs = Math.min(firstMs * 1.5 ** rounds, LATER_MS) * (0.5 + clock.random());
		const isOver = clock.now() + pauseMs >= session.until;
		if (!isOver && (await clock.sleep(pauseMs))) continue;
		if (isBidding) {
			// A bid that is left behind would be waited for by others until its claim is over.
			await list.run({ do: 'delete', all: [where('claim', claim), where('status', 'PENDING')] });
		}
		for (const [index, row] of waiting) found.set(index, { do: 'wait', row });
	}
}
