/** The rows of the list of videos that a run holds again after a pause. */
import { openDataTableList } from '../../shared/idempotency/dataTableList';
import { where } from '../../shared/idempotency/videoList';
import type { Options } from '../run/parameters';
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
): Promise<Listing | undefined> {
	if (claim === undefined || !options.videoList) return undefined;
	try {
		const opened = await openDataTableList(run.context, false);
		if (!opened) return undefined;
		const rows = await opened.list.run({ do: 'get', all: [where('claim', claim)] });
		const videos = new PaidVideos(run, opened.list, claim);
		videos.hold(new Map(rows.map((row) => [row.item, row])));
		return { ...emptyListing(run, options), videos };
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		run.context.logger.warn(`Seedance could not read its list of videos: ${reason}`);
		return undefined;
	}
}
