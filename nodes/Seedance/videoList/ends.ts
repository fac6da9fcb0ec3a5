/** What becomes of a row of the list of videos: when it is made, and when its video has ended. */
import { chargedBy } from '../../shared/task/errors';
import type { NewRow, Row, RowChange } from '../../shared/idempotency/videoList';
import { hasVideo } from '../../shared/task/task';
import { shorten } from '../../shared/text';
import type { Prepared } from '../run/prepare';
import type { Result } from '../run/result';
import type { Run } from '../run/run';

/** Characters of a text in a row. */
const TEXT_MAX_LENGTH = 2000;
const MODEL = 'seedance-v1';

const cell = (value: unknown): string => shorten(String(value ?? ''), TEXT_MAX_LENGTH);

/** The row of an item that may be sent. */
export function newRow(run: Run, item: Prepared, identity: string): NewRow {
	const { body, credits, listed, itemIndex } = item;
	return {
		video_key: cell(listed?.videoKey),
		task_id: '',
		status: 'CLAIMED',
		handed_on: false,
		prompt: cell(body.prompt),
		model: MODEL,
		resolution: cell(body.resolution),
		duration: Number(body.duration),
		credits,
		charged: 'unknown',
		budget_for: cell(listed?.budgetFor),
		video_url: '',
		error_message: '',
		mode: run.mode === 'manual' ? 'manual' : 'production',
		workflow: run.context.getWorkflow().id ?? '',
		node: run.node.name,
		execution_id: run.executionId,
		item: itemIndex,
		claimed_until: '',
		claim: '',
		identity,
		settings: listed?.settings ?? '',
	};
}

/**
 * What a result changes in its row, and whether the workflow gets the video by it. A failed video
 * counts as handed on: it was told, and there is nothing else to be got.
 */
export function endOf(result: Result, row: Row): { change: RowChange; isHandedOn: boolean } {
	const { task, problem, seed } = result;
	const taskId = task?.taskId ?? seed.taskId ?? row.task_id;
	const isFailed = task?.state === 'failed';
	const counted = task && task.state !== 'running' ? task.consumedCredits : null;
	const change: RowChange = {
		id: row.id,
		// Whatever could be written before: a row that has a task was sent.
		...(taskId && {
			task_id: taskId,
			status: row.status === 'SUCCESS' ? row.status : ('IN_PROGRESS' as const),
		}),
		...(counted !== null && { credits: counted, charged: chargedBy(counted) }),
		...(isFailed && { status: 'FAILED' as const }),
		...(task && hasVideo(task) && { status: 'SUCCESS' as const, video_url: task.videoUrl ?? '' }),
		error_message: cell(problem?.message),
	};
	// An expired link stays dead: it is told once, and not again by every run.
	const isLost = problem?.code === 'download_failed' && /has expired/.test(problem.message);
	return { change, isHandedOn: isFailed || isLost || problem === undefined };
}
