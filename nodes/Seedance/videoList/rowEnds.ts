/** The ends of a run's videos in the list: what each row gets, and which of them are handed on. */
import type { OwnChange, Row } from '../../shared/idempotency/videoList';
import type { Result } from '../run/result';
import { isUnchanged, rowOutcomeOf, UNCLAIMED } from './rowChanges';

/** How a run ends. `now` is in milliseconds since 1970, in the time of the list. */
interface RunEnd {
	now: number;
	/** Whether the node gives its items out. */
	isDelivered: boolean;
	isStopped: boolean;
}

/**
 * The changes of the rows (by item), and the IDs of those that are handed on. A row without a task
 * has no end, also where its item got the video of an equal one: it was never sent, and is deleted.
 */
export function endsOf(
	rows: ReadonlyMap<number, Row>,
	results: readonly Result[],
	{ now, isDelivered, isStopped }: RunEnd,
): { ends: OwnChange[]; handedOn: ReadonlySet<number> } {
	const handedOn = new Set<number>();
	const ends = [...rows].flatMap(([index, row]): OwnChange[] => {
		const result = results[index];
		if (!result || !row.task_id) return [];
		const { change, isGiven, isClosed } = rowOutcomeOf(result, row, now);
		// After Stop nobody has seen the failure: the row stays open, and the next run reports it.
		if (isClosed ? !isStopped : isGiven && isDelivered) handedOn.add(row.id);
		const end = handedOn.has(row.id) ? change : { ...change, ...UNCLAIMED };
		return isUnchanged(row, end) ? [] : [end];
	});
	return { ends, handedOn };
}
