/**
 * Claims the rows of all items of a run together, in few calls, before anything is paid for.
 * claims.ts decides each step.
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
import { takeTurn } from './claimTurns';
import { WriteBatch } from './writeBatch';

/** Milliseconds for which a claim holds without being renewed. */
export const CLAIM_MS = 90_000;
/** A claim that holds longer is that of a pause, which no process has to renew. */
const LONGEST_RUNNING_CLAIM_MS = CLAIM_MS + 15_000;
/**
 * Milliseconds between two reads of the rows: the first with a bid, the first without one, the
 * longest.
 */
const SOON_MS = 150;
const LESS_SOON_MS = 450;
const LATER_MS = 2_000;
/** Times that a row may refuse a change although it reads the same as before. */
const MOST_REFUSALS = 5;

/** What one item looks for, and the new row that it would insert. */
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
	/** Another run was still working on it when the time was up. */
	| { do: 'wait'; row: Row };

/** Claims of the runs of this process, which are certainly alive. */
export const liveClaims = new Set<string>();

export interface ClaimSession {
	list: VideoList;
	claim: string;
	executionId: string;
	clock: Clock;
	/** Milliseconds since 1970, by the clock. */
	until: number;
	/** Whether the video of a row that was handed on is still available. Never throws. */
	isAvailable: (index: number, row: Row) => Promise<boolean>;
}

const holdUntil = (list: VideoList) => new Date(list.now() + CLAIM_MS).toISOString();

type Claimant = Pick<ClaimSession, 'list' | 'claim' | 'executionId'>;

/** The columns that claim a row for this run. */
export function claimedBy({ list, claim, executionId }: Claimant): Partial<NewRow> {
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
 * Claims all items together, and puts each result into `found`. Throws what the list throws; the
 * paid videos that were read are in `found` even then, so that they are not paid for again.
 */
export async function claimAll(
	session: ClaimSession,
	searches: ReadonlyMap<number, Search>,
	found: Map<number, ClaimResult>,
): Promise<void> {
	/** Videos that are paid for, or may be, and that this run has not claimed yet. */
	const paid = new Map<number, ClaimResult>();
	const shared = identitiesOf([...searches].filter(([, { isShared }]) => isShared));
	const turn = takeTurn(shared, session.clock);
	try {
		// What another run hands on during the wait is shared, so the list is read before it.
		const before = turn.isFree ? undefined : await session.list.run(rowsOf(shared));
		await turn.wait();
		await claimLoop(session, searches, { found, paid, before, endTurn: turn.end });
	} finally {
		turn.end();
		for (const [index, one] of paid) if (!found.has(index)) found.set(index, one);
	}
}

interface ClaimProgress extends Record<'found' | 'paid', Map<number, ClaimResult>> {
	/** The rows of the shared videos, where they were read before. */
	before: readonly Row[] | undefined;
	endTurn: () => void;
}

const identitiesOf = (searches: ReadonlyArray<[number, Search]>): ReadonlySet<string> =>
	new Set(searches.map(([, { identity }]) => identity));

/** The step that reads all rows of these videos. */
const rowsOf = (identities: ReadonlySet<string>): Step => ({
	do: 'get',
	any: [...identities].map((identity) => where('identity', identity)),
});

const handedOnOf = (rows: readonly Row[]): ReadonlySet<number> =>
	new Set(rows.flatMap(({ id, handed_on }) => (handed_on ? [id] : [])));

async function claimLoop(
	session: ClaimSession,
	searches: ReadonlyMap<number, Search>,
	{ found, paid, before, endTurn }: ClaimProgress,
): Promise<void> {
	const { list, claim, clock } = session;
	/** Rows whose video is no longer available. */
	const useless = new Set<number>();
	/** By row: the `claimed_until` first read. A different one later means that its run is alive. */
	const firstClaims = new Map<number, number>();
	/** Rows that had been handed on when this was first read. */
	let earlier = before && handedOnOf(before);
	/** The rows, where the round before has read them already. */
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
		const get = rowsOf(identitiesOf(open));
		const read = readBefore ?? (await list.run(get));
		const atFirst = (earlier ??= handedOnOf(read));
		const rows = read.filter(({ id }) => !useless.has(id)).map(listed);
		const round = new WriteBatch();
		const waiting = new Map<number, Row>();
		const again: Array<[number, Row]> = [];
		const mine = claimedBy(session);
		for (const [index, { identity, newRow, ...request }] of open) {
			const own = rows.filter(({ row }) => row.identity === identity);
			const move = nextAction(own, {
				...request,
				claim,
				now: list.now(),
				isLive,
				isPaused,
				isEarlier: ({ id }) => atFirst.has(id),
			});
			paid.delete(index);
			if ('row' in move && move.row.hasTask) paid.set(index, { do: 'join', row: move.row.row });
			switch (move.do) {
				case 'insert':
					round.inserts.push({ ...newRow, ...mine, status: move.status });
					break;
				case 'takeOver': {
					const { row } = move.row;
					if (row.claim === claim) found.set(index, { do: 'takenOver', row });
					else round.update(row, { status: row.status, item: index, ...mine });
					break;
				}
				case 'confirm':
					round.confirmBid(move.row.row, { ...mine, status: 'CLAIMED' });
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
		// The checks of a link take as long as the network does.
		if (again.length > 0) endTurn();
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
			// A person has emptied cells of the row, and no condition matches an empty cell.
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
		if (!isBidding) endTurn();
		const firstMs = isBidding ? SOON_MS : LESS_SOON_MS;
		const delayMs = Math.min(firstMs * 1.5 ** rounds, LATER_MS) * (0.5 + clock.random());
		const isOver = clock.now() + delayMs >= session.until;
		if (!isOver && (await clock.sleep(delayMs))) continue;
		if (isBidding) {
			// Other runs would wait for a bid that is left behind until its claim has expired.
			await list.run({ do: 'delete', all: [where('claim', claim), where('status', 'PENDING')] });
		}
		for (const [index, row] of waiting) found.set(index, { do: 'wait', row });
	}
}
