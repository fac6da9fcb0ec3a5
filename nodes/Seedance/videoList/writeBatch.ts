/** One round of changes in the list of videos: the actions of many items, in few calls. */
import {
	where,
	type Condition,
	type NewRow,
	type OwnChange,
	type Row,
	type Step,
	type VideoList,
} from '../../shared/idempotency/videoList';

/** Rows that are deleted in one call, each by a step of its own. */
const DELETED_AT_ONCE = 20;

/** Rows of one claim and status, what they get, and the conditions of the compare-and-set. */
interface Changes {
	rows: OwnChange[];
	all: Condition[];
	/** The values that all of them get; undefined where these differ. */
	common: Partial<NewRow> | undefined;
}

/** The outcome of a round. */
export interface WriteResult {
	/** The rows that are changed or new. */
	changed: Row[];
	/** All rows of the items, read after a bid was made or withdrawn. */
	read?: Row[];
}

/** The changes of one round; each kind is made in one call, or in one for each old claim. */
export class WriteBatch {
	readonly inserts: NewRow[] = [];
	private readonly changes = new Map<string, Changes>();
	private readonly changing: Row[] = [];
	private readonly withdrawn: Row[] = [];

	/** Changes a row, unless another run has changed it since it was read. */
	update(row: Row, set: Partial<NewRow>): void {
		this.add(row, set, undefined);
	}

	/** Confirms a bid of this run. All bids get the same values, so that one call is enough. */
	confirmBid(row: Row, set: Partial<NewRow>): void {
		this.add(row, set, set);
	}

	private add(row: Row, set: Partial<NewRow>, common: Changes['common']): void {
		const { id, claim, status } = row;
		this.changing.push(row);
		const key = `${claim} ${status} ${set.status ?? ''}`;
		const all = [where('claim', claim), where('status', status), where('handed_on', false)];
		const changes = this.changes.get(key) ?? { rows: [], all, common };
		changes.rows.push({ ...set, id });
		this.changes.set(key, changes);
	}

	delete(row: Row): void {
		this.withdrawn.push(row);
	}

	/** The rows that were to be changed or deleted, and were not. */
	conflicts({ changed, read = [] }: WriteResult): Row[] {
		const isLeft = (row: Row) =>
			read.some(({ id, status }) => id === row.id && status === row.status);
		return [
			...this.changing.filter(({ id }) => !changed.some((row) => row.id === id)),
			...this.withdrawn.filter(isLeft),
		];
	}

	get isEmpty(): boolean {
		return !this.inserts.length && !this.changes.size && !this.withdrawn.length;
	}

	/**
	 * The update of some rows, as one step where its conditions match no other row of those that were
	 * read.
	 */
	private stepOf({ rows, all, common }: Changes, read: readonly Row[]): Step {
		const ids = new Set(rows.map(({ id }) => id));
		const own = read.find(({ id }) => ids.has(id));
		const isAll = read.every(
			({ id, claim, status }) => ids.has(id) || claim !== own?.claim || status !== own.status,
		);
		return common && isAll ? { do: 'update', all, set: common } : { do: 'updateEach', rows, all };
	}

	/**
	 * Makes the changes. `before`: the rows as they were read; `again` reads the rows of all items,
	 * in the call in which a bid is made or withdrawn, and after it.
	 */
	async commit(list: VideoList, before: readonly Row[], again: Step): Promise<WriteResult> {
		const changed: Row[] = [];
		for (const changes of this.changes.values()) {
			changed.push(...(await list.run(this.stepOf(changes, before))));
		}
		const deletes = this.withdrawn.map(({ id, claim, status }): Step => {
			const all = [where('id', id), where('claim', claim), where('status', status)];
			return { do: 'delete', all };
		});
		while (deletes.length > DELETED_AT_ONCE) {
			const [first, ...rest] = deletes.splice(0, DELETED_AT_ONCE);
			await list.run(first, ...rest);
		}
		const isBid = deletes.length > 0 || this.inserts.some(({ status }) => status === 'PENDING');
		const inserts: Step[] = this.inserts.length ? [{ do: 'insert', rows: this.inserts }] : [];
		const [first, ...rest] = [...inserts, ...deletes, ...(isBid ? [again] : [])];
		if (!first) return { changed };
		const rows = await list.run(first, ...rest);
		return isBid ? { changed, read: rows } : { changed: [...changed, ...rows] };
	}
}
