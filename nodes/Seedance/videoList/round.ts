/** One round of changes in the list of videos: the moves of many items, in few calls. */
import {
	where,
	type NewRow,
	type Row,
	type RowChange,
	type Step,
	type VideoList,
} from '../../shared/idempotency/videoList';

/** Moves of one round that change rows; each kind is made in one call, or one for each old claim. */
export class Round {
	readonly inserts: NewRow[] = [];
	private readonly changes = new Map<string, { rows: RowChange[]; all: Step & { do: 'update' } }>();
	private readonly withdrawn: Row[] = [];
	private readonly wanted: Row[] = [];

	/** Changes a row as far as nobody else has done so since it was read. */
	change(row: Row, set: Partial<NewRow>): void {
		const { id, claim, status } = row;
		this.wanted.push(row);
		const key = `${claim} ${status} ${set.status ?? ''}`;
		const all = [where('claim', claim), where('status', status), where('handed_on', false)];
		const step = this.changes.get(key) ?? { rows: [], all: { do: 'update', all, set } };
		step.rows.push({ ...set, id });
		this.changes.set(key, step);
	}

	withdraw(row: Row): void {
		this.withdrawn.push(row);
		this.wanted.push(row);
	}

	/** The rows that were to be changed or deleted, and were not. */
	refused(changed: readonly Row[]): Row[] {
		return this.wanted.filter(({ id }) => !changed.some((row) => row.id === id));
	}

	get isEmpty(): boolean {
		return !this.inserts.length && !this.changes.size && !this.withdrawn.length;
	}

	/** Makes the moves. Gives the rows that are changed or new. */
	async make(list: VideoList): Promise<Row[]> {
		const rows: Row[] = [];
		for (const { id, claim, status } of this.withdrawn) {
			const all = [where('id', id), where('claim', claim), where('status', status)];
			rows.push(...(await list.run({ do: 'delete', all })));
		}
		for (const { rows: changed, all } of this.changes.values()) {
			rows.push(...(await list.run({ do: 'updateEach', rows: changed, all: all.all })));
		}
		if (this.inserts.length) {
			rows.push(...(await list.run({ do: 'insert', rows: this.inserts })));
		}
		return rows;
	}
}
