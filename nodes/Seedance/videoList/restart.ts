/** The rows of a restart, after a task that has failed without a charge. */
import { where, type NewRow } from '../../shared/idempotency/videoList';
import type { Options } from '../run/options';
import type { Prepared } from '../run/prepare';
import type { Result } from '../run/result';
import type { Run } from '../run/run';
import { overBudget } from './creditBudget';
import { rowOutcomeOf, UNCLAIMED } from './rowChanges';
import { CLAIM_MS } from './claimVideos';

/**
 * Closes the row of the failed task and reserves another for the item. Gives whether it may be
 * sent: not where it would exceed Maximum Credits per Period, nor without a list where the item
 * needs one. Never throws.
 */
export async function reserveRestart(
	run: Run,
	{ creditBudget }: Options,
	item: Prepared,
	failed: Result,
): Promise<boolean> {
	const { listing, context } = run;
	const isNeeded = listing?.isNeeded(item) ?? false;
	const videos = listing?.videos;
	const row = videos?.rows.get(item.itemIndex);
	if (!listing || !videos || !row) return !isNeeded;
	const { list, claim } = videos;
	const next: NewRow & { id?: number } = {
		...row,
		status: 'CLAIMED',
		task_id: '',
		credits: item.credits,
		charged: 'unknown',
		video_url: '',
		error_message: '',
		claim,
		claimed_until: new Date(list.now() + CLAIM_MS).toISOString(),
	};
	delete next.id;
	try {
		// The new row comes first, so that another run with the same video finds one at any moment.
		const [reserved] = await list.run({ do: 'insert', rows: [next] });
		await videos.flush();
		const end = rowOutcomeOf(failed, row, list.now()).change;
		const closed = { ...end, handed_on: true, ...UNCLAIMED };
		await list.run({ do: 'updateEach', rows: [closed], all: [where('claim', claim)] });
		videos.rows.delete(item.itemIndex);
		const zone = context.getTimezone();
		const over = creditBudget && (await overBudget(list, creditBudget, zone, [item]));
		videos.rows.set(item.itemIndex, reserved);
		if (!over || over.size === 0) return true;
		await videos.release([item.itemIndex]);
	} catch (error) {
		// The new row is released at the end with the other rows of this run.
		const reason = error instanceof Error ? error.message : '';
		context.logger.warn(`Seedance could not write its list of videos: ${reason}`);
		listing.summary.writeError = reason;
	}
	return false;
}

/** Deletes the reserved row, unless it has a task. Never throws. */
export async function endRestart({ listing }: Run, itemIndex: number): Promise<void> {
	const videos = listing?.videos;
	const row = videos?.rows.get(itemIndex);
	if (!videos || !row || row.task_id) return;
	await videos.flush();
	await videos.release([itemIndex]);
}
