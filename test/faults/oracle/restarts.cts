// Free Restarts: which POSTs may take the place of a task that has failed, and how far that may go.
import { FAILURES, type PostEntry } from '../../sandbox/server.cjs';
import type { Reading } from '../expected.cjs';
import type { Exchange } from '../harness.cjs';

/** The reasons that are the vendor's own trouble, in the schedules and among the faults. */
const TROUBLES = [...FAILURES.trouble, 'Busy'];

/** Whether a reading shows a failure after which a video may be started anew: it cost nothing, for a reason that passes. */
export const isFreeFailure = ({ state, credits, reason }: Reading): boolean =>
	state === 'failed' && credits === 0 && TROUBLES.some((trouble) => reason?.startsWith(trouble));

/** The restarts of one execution and its retries, counted up from POST to POST. */
export class Restarts {
	/** By task: how often its video had been started anew by then. */
	private readonly depths = new Map<string, number>();
	/** Tasks that others have taken the place of. */
	private readonly replaced = new Set<string>();

	/** `most`: Free Restarts. `readingsOf`: what reads of a task have shown. */
	constructor(
		private readonly most: number,
		private readonly readingsOf: (taskId: string) => readonly Reading[],
	) {}

	/** Whether a POST takes the place of one of these tasks of the same video; then it counts as doing so. */
	take({ entry, at }: Exchange<PostEntry>, tasks: readonly string[]): boolean {
		const failed = tasks
			.filter((taskId) => !this.replaced.has(taskId) && this.depthOf(taskId) < this.most)
			.filter((taskId) => this.readingsOf(taskId).some((one) => one.at <= at && isFreeFailure(one)))
			.sort((a, b) => this.depthOf(a) - this.depthOf(b))
			.at(0);
		if (failed === undefined) return false;
		this.replaced.add(failed);
		if (entry.taskId !== null) this.depths.set(entry.taskId, this.depthOf(failed) + 1);
		return true;
	}

	has(taskId: string): boolean {
		return this.replaced.has(taskId);
	}

	private depthOf(taskId: string): number {
		return this.depths.get(taskId) ?? 0;
	}
}
