/**
 * Records the ends of tasks in the list of videos where another run has started them: for Get
 * Status, Wait for Video and the trigger.
 */
import type { IExecuteFunctions } from 'n8n-workflow';

import { chargedBy } from '../task/errors';
import { hasEnded, hasVideo, type Task } from '../task/task';
import { openDataTableList } from './dataTableList';
import type { RowChange } from './videoList';

/** The change of a task's row after a read. `isHandedOn`: the workflow gets the video now. */
function changeOf(task: Task, isHandedOn: boolean): RowChange {
	const { taskId, consumedCredits, videoUrl, errorMessage } = task;
	return {
		task_id: taskId,
		status: hasVideo(task) ? 'SUCCESS' : 'FAILED',
		...(consumedCredits !== null && {
			credits: consumedCredits,
			charged: chargedBy(consumedCredits),
		}),
		video_url: videoUrl ?? '',
		error_message: errorMessage ?? '',
		...(isHandedOn && { handed_on: true }),
	};
}

/**
 * Writes the ends of tasks into their rows, where a list has them. Best effort: never throws, and
 * makes no list.
 */
export async function recordOutcomes(
	context: IExecuteFunctions,
	ends: ReadonlyArray<{ task: Task; isHandedOn: boolean }>,
): Promise<void> {
	const rows = ends
		.filter(({ task }) => hasEnded(task))
		.map(({ task, isHandedOn }) => changeOf(task, isHandedOn));
	if (rows.length === 0) return;
	try {
		const opened = await openDataTableList(context, false);
		await opened?.list.run({ do: 'updateEach', by: 'task_id', rows, all: [] });
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		context.logger.debug(`Seedance could not write its list of videos: ${reason}`);
	}
}
