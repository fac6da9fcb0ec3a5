/** What a run learns of one task while it watches it: its model, and how long its video took. */
import type { ReadResult } from '../../shared/api/client';
import type { GenerationTime } from '../../shared/api/pollInterval';
import { modelOr } from '../../shared/task/models';
import type { Run } from './run';
import type { PendingTask } from './watch';

export interface TrackedTask {
	/** Reads the task, by a deadline (milliseconds since 1970). */
	read: (deadline: number) => Promise<ReadResult>;
	/** The value of the node's field Model, as far as it is known by now. */
	readonly model: string | null;
	/** How long such videos take. The model and the window may become known later. */
	readonly generationTime: GenerationTime;
	/**
	 * Seconds from the start to the midpoint between the last read that showed it running and the
	 * first that showed it succeeded. Undefined for what this run has not started, or has not seen
	 * succeed.
	 */
	seconds: () => number | undefined;
}

/** Keeps what the reads of one task show. */
export function trackTask(
	{ clock, readTask, readyWindows }: Run,
	pending: PendingTask,
): TrackedTask {
	const { isNew, seed, itemIndex } = pending;
	let { model } = seed;
	let madeAt: number | undefined;
	let runningAt = seed.createdAt;
	return {
		read: async (deadline) => {
			const found = await readTask(pending, deadline);
			if (found.outcome !== 'task') return found;
			const { task } = found;
			model ??= task.model;
			if (task.state === 'running') runningAt = clock.now();
			if (task.state === 'succeeded') madeAt ??= clock.now();
			return found;
		},
		get model() {
			return model;
		},
		generationTime: {
			get usualMs() {
				const [from, to] = modelOr(model).usualSeconds;
				return [from * 1000, to * 1000] as const;
			},
			get window() {
				return readyWindows.get(itemIndex);
			},
		},
		seconds: () => {
			const { createdAt } = seed;
			if (!isNew || createdAt === undefined || madeAt === undefined) return undefined;
			return Math.round(((runningAt ?? createdAt) + madeAt) / 2 - createdAt) / 1000;
		},
	};
}
