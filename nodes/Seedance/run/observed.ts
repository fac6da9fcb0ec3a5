/** What a run sees of one task while it watches it: its model, how long such videos take, and this one. */
import type { Read } from '../../shared/api/client';
import type { Pace } from '../../shared/api/pace';
import { modelOr } from '../../shared/task/models';
import type { Run } from './run';
import type { PendingTask } from './watch';

export interface Observed {
	/** Reads the task, by a deadline (milliseconds since 1970). */
	read: (deadline: number) => Promise<Read>;
	/** The value of the node's field Model, as far as it is known by now. */
	readonly model: string | null;
	/** How long such videos take; what the API and the list of videos tell may come later. */
	readonly pace: Pace;
	/**
	 * Seconds that the video took: until the middle between the last look at which it was still being
	 * made and the first at which it was not. Undefined for what this run has not started, or has not
	 * seen succeed.
	 */
	seconds: () => number | undefined;
}

/** Watches what the reads of one task tell. */
export function observed({ clock, readTask, knownTimes }: Run, pending: PendingTask): Observed {
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
		pace: {
			get usualMs() {
				const [from, to] = modelOr(model).usualSeconds;
				return [from * 1000, to * 1000] as const;
			},
			get known() {
				return knownTimes.get(itemIndex);
			},
		},
		seconds: () => {
			const { createdAt } = seed;
			if (!isNew || createdAt === undefined || madeAt === undefined) return undefined;
			return Math.round(((runningAt ?? createdAt) + madeAt) / 2 - createdAt) / 1000;
		},
	};
}
