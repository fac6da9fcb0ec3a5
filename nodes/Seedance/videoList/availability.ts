/** Whether a video that was handed on before is still available, checked before it is reused. */
import { EXPIRED_AFTER_MS } from '../../shared/api/download';
import { isLinkRefused } from '../../shared/api/linkProbe';
import { NOT_FOUND_GRACE_MS } from '../../shared/api/polling';
import type { Row } from '../../shared/idempotency/videoList';
import { hasVideo } from '../../shared/task/task';
import type { Prepared } from '../run/prepare';
import type { Run } from '../run/run';
import { readTaskWithRetry } from '../run/watch';

/** Milliseconds for reading a task. */
const READ_MS = 60_000;

/** `gone`: it was paid for, and is no longer available. `failed`: there never was one. */
export type Availability = 'there' | 'gone' | 'failed';

/** Milliseconds between two checks of a video that seems to be gone. */
const CHECK_AGAIN_MS = 5_000;

/** Reads the task and tries its link, once. */
async function check(run: Run, item: Prepared, row: Row, ageMs: number): Promise<Availability> {
	const { clock, context } = run;
	const deadline = Math.min(clock.now() + READ_MS, run.workUntil);
	const seed = { model: row.model };
	const task = { credential: item.credential, taskId: row.task_id, seed };
	const read = await readTaskWithRetry(run, task, deadline);
	if (read.outcome === 'unavailable') return 'there';
	if (read.outcome === 'refused') {
		const isUnknown = read.failure.cause === 'task_not_found' && ageMs > NOT_FOUND_GRACE_MS;
		return isUnknown ? 'gone' : 'there';
	}
	const { task: found } = read;
	if (found.state === 'failed') return 'failed';
	if (!hasVideo(found) || found.videoUrl === null || ageMs < EXPIRED_AFTER_MS) return 'there';
	return (await isLinkRefused(context, found.videoUrl, clock)) ? 'gone' : 'there';
}

/**
 * Reads the task of a row again, and tries its link. `ageMs`: the age of the row. A task that
 * cannot be read now counts as there, and so does one that the API does not know yet, or whose link
 * does not open yet: a transient failure is no reason to pay again. Gone is only what is refused
 * again {@link CHECK_AGAIN_MS} later, after the task was read anew. Never throws.
 */
export async function availabilityOf(
	run: Run,
	item: Prepared,
	row: Row,
	ageMs: number,
): Promise<Availability> {
	const first = await check(run, item, row, ageMs);
	if (first !== 'gone') return first;
	return (await run.clock.sleep(CHECK_AGAIN_MS)) ? await check(run, item, row, ageMs) : 'there';
}
