// Free Restarts: which POSTs may take the place of a task that has failed, and how many of them there may be.
import { FAILURES } from '../../sandbox/server.cjs';
import type { Reading } from '../expected.cjs';

/** The reasons that are the vendor's own trouble, in the schedules and among the faults. */
const TROUBLES = [...FAILURES.trouble, 'Busy'];

/** Whether a reading shows a failure after which a video may be restarted: it cost nothing, for a reason that passes. */
export const isFreeFailure = ({ state, credits, reason }: Reading): boolean =>
	state === 'failed' && credits === 0 && TROUBLES.some((trouble) => reason?.startsWith(trouble));

/** The restarts of one execution and its retries, counted from POST to POST. */
export class Restarts {
	/** By what identifies a video. */
	private readonly counts = new Map<string, number>();
	/** Tasks that others have taken the place of. */
	private readonly replaced = new Set<string>();

	/** `readingsOf`: what reads of a task have shown. */
	constructor(private readonly readingsOf: (taskId: string) => readonly Reading[]) {}

	/**
	 * Whether a POST takes the place of one of these tasks of the same video, of which `most` restarts are allowed; then it
	 * counts as doing so. `at`: when it was sent.
	 */
	take(video: string, at: number, tasks: readonly string[], most: number): boolean {
		const count = this.counts.get(video) ?? 0;
		const failed = tasks
			.filter((taskId) => !this.replaced.has(taskId))
			.find((taskId) => this.mayBeReplaced(taskId, at));
		if (failed === undefined || count >= most) return false;
		this.replaced.add(failed);
		this.counts.set(video, count + 1);
		return true;
	}

	/** Whether a task was seen by then to have failed in a way after which another may take its place. */
	mayBeReplaced(taskId: string, at: number): boolean {
		return this.readingsOf(taskId).some((one) => one.at <= at && isFreeFailure(one));
	}

	/** Whether another task has taken its place. */
	has(taskId: string): boolean {
		return this.replaced.has(taskId);
	}

	/** Whether a task that has failed can be restarted, as a person's Retry does; then it counts as that. */
	renew(taskId: string): boolean {
		if (this.replaced.has(taskId)) return false;
		this.replaced.add(taskId);
		return true;
	}
}
