/** The rows of the list of videos that a run holds again after a pause. */
import { openDataTableList } from '../../shared/idempotency/dataTableList';
import { where, type Row } from '../../shared/idempotency/videoList';
import type { Options } from '../run/parameters';
import type { Result } from '../run/result';
import type { Run } from '../run/run';
import { emptyListing, type Listing } from './listing';
import { PaidVideos } from './paidVideos';

/**
 * Holds the rows again that a pause has claimed; undefined without a list. Never throws: a paid
 * video goes on also without the list.
 */
export async function resumeListing(
	run: Run,
	options: Options,
	claim: string | undefined,
	results: readonly Result[],
): Promise<Listing | undefined> {
	if (claim === undefined || !options.videoList) return undefined;
	try {
		const opened = await openDataTableList(run.context, false);
		if (!opened) return undefined;
		const rows = await opened.list.run({ do: 'get', all: [where('claim', claim)] });
		const videos = new PaidVideos(run, opened.list, claim);
		videos.hold(byItem(rows, results));
		return { ...emptyListing(run, options), videos };
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		run.context.logger.warn(`Seedance could not read its list of videos: ${reason}`);
		return undefined;
	}
}

/**
 * The rows by item: by their task, since a person may have deleted the column `item`. A task whose
 * ID could not be written into its row is found by that column.
 */
function byItem(rows: readonly Row[], results: readonly Result[]): Map<number, Row> {
	const taskIds = results.map(({ seed }) => seed.taskId);
	const held = new Map<number, Row>();
	for (const row of rows) {
		const at = row.task_id ? taskIds.indexOf(row.task_id) : -1;
		const index = at >= 0 ? at : row.item;
		held.set(index, { ...row, task_id: row.task_id || (taskIds[index] ?? '') });
	}
	return held;
}
