/**
 * The rows of the tasks that an earlier try of this execution, or the execution that is retried, has
 * started: this run holds them again, unless another one has taken over the video.
 */
import type { CreatedTask } from '../../shared/idempotency/executionMemory';
import { where, type Row } from '../../shared/idempotency/videoList';
import {
	handedOnElsewhere,
	takenElsewhere,
	type Charged,
	type Problem,
} from '../../shared/task/errors';
import type { Run } from '../run/run';
import { claimedBy, liveClaims } from './claimVideos';
import type { PaidVideos } from './paidVideos';

/** A task that the memory of the execution holds. */
export type RecalledTask = Pick<CreatedTask, 'taskId' | 'reused'> & { executionId?: string };

/** An item whose row nobody holds, and whether this execution has paid for it. */
interface FreeTask {
	index: number;
	row: Row;
	charged: Charged;
}

/** Closes the rows of failed tasks that a person retries, so that they are not taken over. */
export async function closeFailed({ failedTasks }: Run, { list }: PaidVideos): Promise<void> {
	const rows = [...failedTasks].map((task_id) => ({
		task_id,
		status: 'FAILED' as const,
		handed_on: true,
	}));
	if (rows.length) await list.run({ do: 'updateEach', by: 'task_id', rows, all: [] });
}

/**
 * Claims the rows of recalled tasks (by item), and refuses the items whose video another run has
 * delivered or works on. Throws what the list throws; what was refused before stays refused.
 */
export async function adopt(
	run: Run,
	videos: PaidVideos,
	recalled: ReadonlyMap<number, RecalledTask>,
	refuse: (index: number, problem: Problem) => void,
): Promise<void> {
	if (recalled.size === 0) return;
	const { list, claim } = videos;
	const rows = await list.run({
		do: 'updateEach',
		by: 'task_id',
		rows: [...recalled.values()].map(({ taskId }) => ({ task_id: taskId, node: run.node.name })),
		all: [],
	});
	const held = new Map<number, Row>();
	const free: FreeTask[] = [];
	for (const [index, { taskId, executionId, reused }] of recalled) {
		const row = rows.find(({ task_id }) => task_id === taskId);
		if (!row) continue;
		const charged = executionId === run.executionId && !reused ? 'unknown' : 'no';
		const isElsewhere = ![run.executionId, executionId].includes(row.execution_id);
		// A row with an `error_message` was closed without being delivered, such as for a dead link.
		if (row.handed_on && isElsewhere && row.error_message === '') {
			refuse(index, handedOnElsewhere(taskId, row, charged));
		}
		// On Retry On Fail, n8n has dropped the output of the earlier try, so a row that it marked
		// `handed_on` is taken back.
		const isDropped = !run.isTool && row.execution_id === run.executionId;
		if (row.handed_on && !isDropped) continue;
		const isFree = !row.claim || Date.parse(row.claimed_until) <= list.now();
		if (!isFree && isElsewhere && liveClaims.has(row.claim)) {
			refuse(index, handedOnElsewhere(taskId, row, charged));
			continue;
		}
		// An earlier try, or a crash of the execution that is retried, left its claim.
		free.push({ index, row, charged });
	}
	const mine = claimedBy({ list, claim, executionId: run.executionId });
	const oldOf = ({ row }: FreeTask) => `${row.claim} ${row.handed_on}`;
	for (const old of new Set(free.map(oldOf))) {
		const ones = free.filter((one) => oldOf(one) === old);
		const [{ row: first }] = ones;
		const won = await list.run({
			do: 'updateEach',
			rows: ones.map(({ index, row: { id } }) => ({ id, item: index, handed_on: false, ...mine })),
			all: [where('claim', first.claim), where('handed_on', first.handed_on)],
		});
		for (const { index, row, charged } of ones) {
			const own = won.find(({ id }) => id === row.id);
			if (own) held.set(index, own);
			// Another run has claimed the row first, and delivers the video.
			else refuse(index, takenElsewhere(row.task_id, charged));
		}
	}
	videos.hold(held);
}
