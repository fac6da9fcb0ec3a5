/**
 * The rows of the list that a run holds: reserved before the first request, written right before
 * and after each, renewed while it waits, and handed on or released at the end.
 *
 * Rules that must not regress:
 * - each request is sent only after its row went from CLAIMED to SENDING by compare-and-set;
 * - a list that fails after a request never takes its result with it;
 * - a video is handed on by compare-and-set, right before the node returns.
 */
import { randomBytes } from 'crypto';

import type { Sent } from '../../shared/idempotency/executionMemory';
import {
	where,
	type Row,
	type OwnChange,
	type RowStatus,
	type Step,
	type VideoList,
} from '../../shared/idempotency/videoList';
import { stops } from '../run/output';
import type { Result } from '../run/result';
import type { Run } from '../run/run';
import { cleanUp } from './cleanUp';
import { UNCLAIMED, handOnAll, mergedById } from './rowChanges';
import { endsOf } from './rowEnds';
import { failLostClaims } from './lostClaims';
import { CLAIM_MS, liveClaims, type ClaimSession } from './claimVideos';

/** Milliseconds of a claim that have to be left for a request. */
const LEAST_CLAIM_MS = 15_000;
const RENEW_MS = 60_000;

export class PaidVideos {
	readonly rows = new Map<number, Row>();
	private readonly isOver = new AbortController();
	private isRenewing = false;
	private renewal?: Promise<void>;
	/** Until when the claims certainly hold: milliseconds since 1970, in the time of the list. */
	private heldUntil = Infinity;
	private changes: OwnChange[] = [];

	constructor(
		private readonly run: Run,
		readonly list: VideoList,
		readonly claim = randomBytes(16).toString('hex'),
	) {
		liveClaims.add(claim);
	}

	private get mine() {
		return where('claim', this.claim);
	}

	/** What is needed to find rows for this run; `until` is in milliseconds since 1970. */
	session(until: number, isAvailable: ClaimSession['isAvailable']): ClaimSession {
		const { clock, executionId } = this.run;
		return { list: this.list, claim: this.claim, executionId, clock, until, isAvailable };
	}

	/** Holds rows from now on, by item, and renews their claims until the end. */
	hold(rows: ReadonlyMap<number, Row>): void {
		for (const [index, row] of rows) {
			this.rows.set(index, row);
			this.heldUntil = Math.min(this.heldUntil, Date.parse(row.claimed_until) || Infinity);
		}
		if (rows.size > 0) void this.renew();
	}

	/** Renews whatever this run has claimed, until its end. */
	async renew(): Promise<void> {
		if (this.isRenewing) return;
		this.isRenewing = true;
		while (await this.run.clock.sleep(RENEW_MS, this.isOver.signal)) {
			if (this.isOver.signal.aborted) return;
			await (this.renewal = this.renewNow());
		}
	}

	private async renewNow(): Promise<void> {
		const set = this.until(CLAIM_MS);
		const renewed = await this.write({ do: 'update', all: [this.mine], set });
		if (renewed) this.heldUntil = Date.parse(set.claimed_until);
	}

	/** Renews the claims where the first insert has shown that the list's clock is ahead. */
	async ensureHeld(): Promise<void> {
		if (this.heldUntil - this.list.now() < CLAIM_MS / 2) await this.renewNow();
	}

	private until(ms: number) {
		return { claimed_until: new Date(this.list.now() + ms).toISOString() };
	}

	/**
	 * Never throws, so that no paid result is lost: a failure becomes a hint, and gives undefined.
	 */
	private async write(...steps: [Step, ...Step[]]): Promise<Row[] | undefined> {
		try {
			return await this.list.run(...steps);
		} catch (error) {
			const reason = error instanceof Error ? error.message : '';
			this.run.context.logger.warn(`Seedance could not write its list of videos: ${reason}`);
			if (this.run.listing) this.run.listing.summary.writeError = reason;
			// When the workflow's time is over, only a call that is not waited for reaches the list.
			this.list.start(...steps);
			return undefined;
		}
	}

	/** The steps for all unwritten changes and `more`, one change for each row. */
	private takeChanges(more: readonly OwnChange[] = []): Step[] {
		const rows = mergedById([...this.changes, ...more]);
		this.changes = [];
		return rows.length ? [{ do: 'updateEach', rows, all: [this.mine] }] : [];
	}

	/**
	 * Whether a request may be sent, asked right before it. The same call writes the outcome of the
	 * request before it. Throws what the list throws; then nothing was sent.
	 */
	async begin(itemIndex: number): Promise<boolean> {
		const row = this.rows.get(itemIndex);
		if (!row) return true;
		// Another run may take over an expired claim: `LEAST_CLAIM_MS` have to be left of this one.
		const isHeld = () => this.heldUntil - this.list.now() >= LEAST_CLAIM_MS;
		if (!isHeld()) return false;
		const set = { status: 'SENDING' as const, ...this.until(CLAIM_MS) };
		const all = [where('id', row.id), this.mine, where('status', 'CLAIMED')];
		const changes = this.changes;
		const [first, ...more]: Step[] = [...this.takeChanges(), { do: 'update', all, set }];
		let won: Row[] | undefined;
		try {
			won = await this.list.run(first, ...more);
		} finally {
			// Unwritten changes go into the next call, but not that this row is unsent: it may be sent now.
			if (!won) this.changes = [...changes.filter(({ id }) => id !== row.id), ...this.changes];
		}
		return won.some(({ id }) => id === row.id) && isHeld();
	}

	/** Notes that nothing was created: a further request has to {@link begin} again; else the row goes. */
	refused(itemIndex: number): void {
		const row = this.rows.get(itemIndex);
		if (row) this.changes.push({ id: row.id, status: 'CLAIMED' });
	}

	/** Notes the outcome of a request; the next {@link begin} or {@link flush} writes it. */
	sent(itemIndex: number, sent: Sent): void {
		const row = this.rows.get(itemIndex);
		if (!row) return;
		const { id } = row;
		const taskId = 'taskId' in sent ? sent.taskId : sent.problem.taskId;
		if (taskId) {
			const change = { id, task_id: taskId, status: 'IN_PROGRESS' as const };
			this.changes.push(change);
			this.rows.set(itemIndex, { ...row, ...change });
		} else if ('problem' in sent && sent.problem.charged === 'no') this.refused(itemIndex);
		else this.changes.push({ id, status: 'UNCLEAR', ...UNCLAIMED });
	}

	/** Writes the last outcome. Gives the rows that `reading` reads after it. Never throws. */
	async flush(reading?: Step): Promise<Row[]> {
		const { changes } = this;
		const [step] = this.takeChanges();
		if (!step) return [];
		// When the read fails, the changes are written without it.
		const read = reading && (await this.list.run(step, reading).catch(() => undefined));
		if (!read && !(await this.write(step))) this.changes = [...changes, ...this.changes];
		return read ?? [];
	}

	/** Deletes the rows of items that are not sent. Never throws. */
	async release(items: readonly number[]): Promise<void> {
		for (const index of items) {
			const row = this.rows.get(index);
			this.rows.delete(index);
			if (!row) continue;
			const all = [where('id', row.id), this.mine, where('status', 'CLAIMED')];
			await this.write({ do: 'delete', all });
		}
	}

	/** Holds the rows until a pause ends (milliseconds since 1970), without a process that renews. */
	async keepUntil(until: number): Promise<void> {
		this.end();
		// A renewal that came after this would cut the claim short.
		await this.renewal;
		const [changes] = this.takeChanges();
		const ms = until - this.run.clock.now() + CLAIM_MS;
		const keep: Step = { do: 'update', all: [this.mine], set: this.until(ms) };
		await (changes ? this.write(changes, keep) : this.write(keep));
	}

	private deleteAs(status: RowStatus): Step {
		return { do: 'delete', all: [this.mine, where('status', status)] };
	}

	/** Releases all rows of this run, before anything was sent. Never throws. */
	async giveBack(): Promise<void> {
		const free: Step = { do: 'update', all: [this.mine], set: UNCLAIMED };
		await this.write(this.deleteAs('CLAIMED'), this.deleteAs('PENDING'), free);
		this.rows.clear();
		this.end();
	}

	private end(): void {
		this.isOver.abort('over');
		liveClaims.delete(this.claim);
	}

	/**
	 * Writes the ends of all videos, hands on those that are given out (none where `isDelivered` is
	 * false, because the node stops with an error), and releases the others. Gives the results; one
	 * whose video another execution has handed on meanwhile is a problem. Never throws.
	 */
	async finish(results: readonly Result[], isDelivered: boolean): Promise<Result[]> {
		this.isOver.abort('over');
		const { list, run } = this;
		const now = list.now();
		const { ends, handedOn } = endsOf(this.rows, results, {
			now,
			isDelivered,
			isStopped: run.isStopped(),
		});
		const steps = [...this.takeChanges(ends), this.deleteAs('CLAIMED')];
		const [first, ...more] = handedOn.size ? [...steps, handOnAll(this.mine)] : steps;
		const given = await this.write(first, ...more);
		this.end();
		if (isDelivered && run.isStopped()) await this.takeBack(given ?? []);
		const old = cleanUp(now);
		if (old) await this.write(old);
		const lost = [...this.rows].filter(
			([, { id }]) => handedOn.has(id) && !given?.some((row) => row.id === id),
		);
		if (!given || lost.length === 0) return [...results];
		const read = await this.write({ do: 'get', any: lost.map(([, { id }]) => where('id', id)) });
		const final = failLostClaims(results, lost, read ?? [], run.executionId);
		// A lost video may stop the node: then the others are not delivered either.
		if (isDelivered && stops(run, final)) await this.takeBack(given);
		return final;
	}

	/** After Stop or an error, n8n drops the output: the rows are not handed on after all. */
	private async takeBack(rows: readonly Row[]): Promise<void> {
		const all = [where('handed_on', true)];
		const changes = rows.map(({ id }) => ({ id, handed_on: false }));
		if (changes.length) await this.write({ do: 'updateEach', rows: changes, all });
	}
}
