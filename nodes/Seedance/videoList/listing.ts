/**
 * Decides by the list of videos, before anything is paid for, what becomes of each item of a run:
 * sent, taken over, reused, left out, or refused.
 */
import type { CreatedTask, Sent } from '../../shared/idempotency/executionMemory';
import { ListError, type Row } from '../../shared/idempotency/videoList';
import { openDataTableList } from '../../shared/idempotency/dataTableList';
import {
	busyElsewhere,
	interruptedUnclear,
	listUnavailable,
	reusedGone,
	type Problem,
} from '../../shared/task/errors';
import type { Options, TimedOptions } from '../run/options';
import type { Prepared } from '../run/prepare';
import type { Run } from '../run/run';
import { overBudget } from './creditBudget';
import { claimAll, type ClaimResult, type Search } from './claimVideos';
import { searchOf } from './searches';
import { adopt, closeFailed, type RecalledTask } from './recalledTasks';
import { ListSummary } from './summary';
import { PaidVideos } from './paidVideos';
import { availabilityOf } from './availability';
import { isShared } from './sameVideo';

/** Milliseconds that this run waits at least for another one that works on the same video. */
const LEAST_WAIT_MS = 95_000;

/** What becomes of one item. */
export type ListDecision =
	| { do: 'send' }
	| { do: 'sent'; sent: Sent & CreatedTask }
	| { do: 'skip' }
	| { do: 'refuse'; problem: Problem };

/** The list as one run uses it: its rows, its decisions, and its hints. */
export interface Listing {
	videos?: PaidVideos;
	summary: ListSummary;
	/** By item; one that is not there is to be sent. */
	items: Map<number, ListDecision>;
	/** Whether an item may not be sent without the list. */
	isNeeded: (item: Prepared) => boolean;
}

function decisionOf(found: ClaimResult): ListDecision {
	const { row } = found;
	switch (found.do) {
		case 'send':
		case 'skip':
			return { do: found.do };
		case 'takenOver':
		case 'join':
		case 'reuse':
			return {
				do: 'sent',
				sent: {
					taskId: row.task_id,
					model: row.model,
					createdAt: row.createdAt,
					executionId: row.execution_id,
					reused: found.do === 'takenOver' ? 'takenOver' : 'shared',
				},
			};
		case 'unclear':
			return { do: 'refuse', problem: interruptedUnclear(row.execution_id) };
		case 'wait':
			return { do: 'refuse', problem: busyElsewhere(row.execution_id) };
	}
}

/** Claims the rows of all items, and decides about each. Throws what the list throws. */
async function find(
	run: Run,
	videos: PaidVideos,
	items: readonly Prepared[],
	{ summary, ...listing }: Listing & { until: number },
): Promise<void> {
	const byIndex = new Map(items.map((item) => [item.itemIndex, item]));
	const gone = new Map<number, Row>();
	const session = videos.session(listing.until, async (index, row) => {
		const item = byIndex.get(index);
		const ageMs = videos.list.now() - row.createdAt;
		const presence = item ? await availabilityOf(run, item, row, ageMs) : 'there';
		// With Always Reuse, a video that is gone is an error (`reusedGone`), and not paid for again.
		const isKept = presence === 'gone' && item?.listed?.ifExists === 'always';
		if (isKept) gone.set(index, row);
		return presence === 'there' || isKept;
	});
	const searches = items.flatMap((item): Array<[number, Search]> => {
		const search = searchOf(run, item);
		return search ? [[item.itemIndex, search]] : [];
	});
	// The first claims may have to be renewed while the last items wait for another run.
	if (searches.length > 0) void videos.renew();
	const found = new Map<number, ClaimResult>();
	const held = new Map<number, Row>();
	try {
		await claimAll(session, new Map(searches), found);
	} finally {
		for (const [index, one] of found) {
			const item = byIndex.get(index);
			summary.add(one, item);
			const dead = one.do === 'reuse' ? gone.get(index) : undefined;
			listing.items.set(
				index,
				dead ? { do: 'refuse', problem: reusedGone(dead.task_id) } : decisionOf(one),
			);
			if (one.do === 'send' || one.do === 'takenOver') held.set(index, one.row);
		}
	}
	videos.hold(held);
}

/** A listing without rows and decisions. */
export function emptyListing(run: Run, { creditBudget }: Options): Listing {
	return {
		summary: new ListSummary(run),
		items: new Map(),
		isNeeded: ({ listed }) =>
			creditBudget !== undefined || (listed !== undefined && isShared(listed)),
	};
}

/**
 * Decides about the items to send, and about the recalled tasks (by item). Without a usable list,
 * items that need one are refused, and the others are sent. Never throws.
 */
export async function consultList(
	run: Run,
	options: TimedOptions,
	items: readonly Prepared[],
	recalled: ReadonlyMap<number, RecalledTask>,
): Promise<Listing> {
	const listing = emptyListing(run, options);
	if (!options.videoList || items.length + recalled.size === 0) return listing;
	const { summary } = listing;
	let videos: PaidVideos | undefined;
	try {
		const opened = await openDataTableList(run.context, true);
		if (!opened) return listing;
		summary.isNew = opened.isNew;
		videos = new PaidVideos(run, opened.list);
		await closeFailed(run, videos);
		await adopt(run, videos, recalled, (index, problem) => {
			listing.items.set(index, { do: 'refuse', problem });
		});
		const timeout = run.startedAt + options.timeout * 60_000;
		const until = Math.min(Math.max(timeout, run.clock.now() + LEAST_WAIT_MS), run.workUntil);
		await find(run, videos, items, { ...listing, until });
		await videos.ensureHeld();
		if (options.creditBudget) {
			const toSend = items.filter(({ itemIndex }) => listing.items.get(itemIndex)?.do === 'send');
			const zone = run.context.getTimezone();
			const over = await overBudget(videos.list, options.creditBudget, zone, toSend);
			for (const [index, problem] of over) listing.items.set(index, { do: 'refuse', problem });
			await videos.release([...over.keys()]);
		}
		const sent = items.filter(({ itemIndex }) => listing.items.get(itemIndex)?.do === 'send');
		const isReusing = sent.some(({ listed }) => listed?.ifExists === 'manualRuns');
		if (run.mode === 'manual' && isReusing && !run.isTool) {
			// An error here costs the hint only, not the decisions.
			await summary.findDifference(videos.list, sent).catch(() => undefined);
		}
		listing.videos = videos;
	} catch (error) {
		await videos?.giveBack();
		const reason = error instanceof ListError ? error.message : 'it could not be read';
		summary.unavailable = reason;
		// Decisions about paid videos stay; an item that would be sent is refused if it needs the list.
		for (const item of items.filter(listing.isNeeded)) {
			const known = listing.items.get(item.itemIndex);
			if (known && known.do !== 'send') continue;
			listing.items.set(item.itemIndex, { do: 'refuse', problem: listUnavailable(reason) });
		}
	}
	return listing;
}
