/**
 * The state of each item of a run while its videos are started; reports each task to the watcher.
 */
import type { ExecutionMemory, Sent } from '../../shared/idempotency/executionMemory';
import { notSent } from '../../shared/task/errors';
import type { ListDecision } from '../videoList/listing';
import type { Prepared, Unusable } from './prepare';
import type { Run } from './run';
import { recalled } from './send';
import type { ItemState, PendingTask } from './watch';

/** A task to watch. */
export interface NewTask {
	pending: PendingTask;
	item: Prepared;
	/** How often its video was restarted already. */
	restarts: number;
	/** Frees its slot; absent where it has none yet. */
	release?: () => void;
	/** The item whose video it shares. */
	leaderIndex?: number;
}

/** How a task came to be. */
interface TaskOrigin extends Pick<NewTask, 'release' | 'leaderIndex'> {
	/** Started by this very run. */
	isNew: boolean;
}

/** The origin of a task from before this run. */
export const BEFORE: TaskOrigin = { isNew: false };

/** The states of the items of a run so far. */
export class Submission {
	private readonly states: ItemState[] = [];
	/** Whether an item has no task. */
	hasFailed = false;

	/** `onTask` is called with each task at once. */
	constructor(
		readonly run: Run,
		readonly memory: ExecutionMemory,
		private readonly onTask?: (task: NewTask) => void,
	) {}

	/** Takes the outcome of an item's POST, of now or before. */
	take(item: Prepared, sent: Sent, how: TaskOrigin): void {
		if ('problem' in sent) return this.fail({ ...item, problem: sent.problem });
		const { isNew, release, leaderIndex } = how;
		const { taskId, model, createdAt, reused, raw, task, restarts = 0 } = sent;
		const { itemIndex, credential, output } = item;
		this.run.taskIds.set(itemIndex, taskId);
		const seed = {
			...item.seed,
			taskId,
			...(model !== undefined && { model }),
			// The price would be that of another model; the read of the task gives its own.
			...(model !== undefined && model !== item.model.value && { estimatedCredits: null }),
			...(createdAt !== undefined && { createdAt }),
			...(reused && { isReused: true as const }),
		};
		const pending = { itemIndex, taskId, credential, seed, isNew, output, raw, task };
		this.states[itemIndex] = { pending };
		this.onTask?.({ pending, item, restarts, release, leaderIndex });
	}

	/** Fails an item without a known task. `isBystander`: only because another item ended the run. */
	fail(item: Unusable, isBystander?: true): void {
		const { itemIndex, problem, output } = item;
		const taskId = problem.taskId ?? null;
		if (taskId !== null) this.run.taskIds.set(itemIndex, taskId);
		const seed = { ...item.seed, taskId };
		this.hasFailed = true;
		this.states[itemIndex] = { result: { seed, problem, output, isBystander } };
	}

	/** Skips an item for which nothing more is sent. A task of an earlier try still counts. */
	skip(item: Prepared, because: string): void {
		const found = recalled(this.memory, item);
		if (found) this.take(item, found, BEFORE);
		else this.fail({ ...item, problem: notSent(because) }, true);
	}

	/** Applies the decision of the list about an item that is not to be sent. */
	applyDecision(item: Prepared, listed: Exclude<ListDecision, { do: 'send' }>): void {
		const { itemIndex, seed } = item;
		if (listed.do === 'sent') {
			// For Retry On Fail, which may come after the video was handed on.
			this.memory.created(item.keys, listed.sent);
			this.take(item, listed.sent, BEFORE);
		} else if (listed.do === 'refuse') this.fail({ ...item, problem: listed.problem });
		else this.states[itemIndex] = { result: { seed, isSkipped: true } };
	}

	/** Gives an item the video of its leader, whose state is known already. */
	share(item: Prepared, leader: Prepared): void {
		const state = this.states[leader.itemIndex];
		if (!state) return;
		if ('result' in state) this.states[item.itemIndex] = { result: { ...state.result } };
		else {
			const { createdAt, model } = state.pending.seed;
			const sent: Sent = { ...state.pending, createdAt, reused: 'shared', ...(model && { model }) };
			this.take(item, sent, { isNew: false, leaderIndex: leader.itemIndex });
		}
	}

	/** One per item, in order. */
	all(): ItemState[] {
		return [...this.states];
	}
}
