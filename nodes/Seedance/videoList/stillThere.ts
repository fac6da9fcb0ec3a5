/** Whether a video that was paid for long ago can still be had, before it is given again. */
import { linkIsDead } from '../../shared/api/linkProbe';
import type { Row } from '../../shared/idempotency/videoList';
import { hasVideo } from '../../shared/task/task';
import type { Prepared } from '../run/prepare';
import type { Run } from '../run/run';
import { readPatiently } from '../run/watch';

/** Milliseconds that a task gets to be read. */
const READ_MS = 60_000;

/**
 * Reads the task of a row again, and tries its link. A task that cannot be read now counts as there:
 * what is paid for is not paid for again because of passing trouble. Never throws.
 */
export async function isStillThere(run: Run, item: Prepared, row: Row): Promise<boolean> {
	const { clock, context } = run;
	const deadline = Math.min(clock.now() + READ_MS, run.workUntil);
	const task = { credential: item.credential, taskId: row.task_id };
	const read = await readPatiently(run, task, deadline);
	if (read.outcome === 'unavailable') return true;
	if (read.outcome === 'refused') return read.failure.cause !== 'task_not_found';
	if (read.task.state === 'failed') return false;
	if (!hasVideo(read.task) || read.task.videoUrl === null) return true;
	return !(await linkIsDead(context, read.task.videoUrl, clock));
}
