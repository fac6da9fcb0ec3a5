/** The values of a row of the list of videos: when it is made, and when its video has ended. */
import { chargedBy } from '../../shared/task/errors';
import {
	where,
	type Condition,
	type NewRow,
	type OwnChange,
	type Row,
	type Step,
} from '../../shared/idempotency/videoList';
import { hasVideo } from '../../shared/task/task';
import { shorten } from '../../shared/text';
import type { Prepared } from '../run/prepare';
import type { Result } from '../run/result';
import type { Run } from '../run/run';

/** Characters of a text in a row. */
const TEXT_MAX_LENGTH = 2000;
/** Milliseconds after which a task that the API does not know counts as gone, not as new. */
const DAY_MS = 24 * 60 * 60_000;

/** A text for a cell: on one line, and at most {@link TEXT_MAX_LENGTH} characters. */
export const cellText = (value: unknown): string => shorten(String(value ?? ''), TEXT_MAX_LENGTH);

/** The row of an item that may be sent. */
export function newRow(run: Run, item: Prepared, identity: string): NewRow {
	const { body, credits, listed, itemIndex } = item;
	return {
		video_key: cellText(listed?.videoKey),
		task_id: '',
		status: 'CLAIMED',
		handed_on: false,
		prompt: cellText(body.prompt),
		model: item.model.value,
		resolution: cellText(body.resolution),
		duration: Number(body.duration),
		credits,
		charged: 'unknown',
		seconds: 0,
		budget_for: cellText(listed?.budgetFor),
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

/** Whether the link of a video has expired, which is reported once. */
export function isExpired({ problem }: Result): boolean {
	return problem?.code === 'download_failed' && /has expired/.test(problem.message);
}

/** A row that no run holds. */
export const UNCLAIMED = { claim: '', claimed_until: '' } as const;

/**
 * Hands on all rows that a run holds, except those in SENDING, whose response is unknown: the next
 * run marks them as unclear when the claim has expired.
 */
export const handOnAll = (mine: Condition): Step => ({
	do: 'update',
	all: [mine, where('handed_on', false), where('status', 'SENDING', 'neq')],
	set: { handed_on: true, ...UNCLAIMED },
});

/** The effect of a result on its row. */
interface RowOutcome {
	change: OwnChange;
	/**
	 * The result has no problem: the workflow gets the video, or its task ID, if the node delivers
	 * it.
	 */
	isGiven: boolean;
	/** There will never be a video: this is reported once, also by an error of the node. */
	isClosed: boolean;
}

/**
 * The effect of a result on its row. `now` is in milliseconds since 1970, in the time of the list.
 */
export function rowOutcomeOf(result: Result, row: Row, now: number): RowOutcome {
	const { task, problem, seconds } = result;
	const { task_id } = row;
	const isFailed = task?.state === 'failed';
	const counted = task && task.state !== 'running' ? task.consumedCredits : null;
	const change: OwnChange = {
		id: row.id,
		// Again, because an earlier write may have failed.
		...(task_id && { task_id }),
		...(counted !== null && { credits: counted, charged: chargedBy(counted) }),
		// A row with a task was sent, whatever its status says.
		...(task_id && row.status !== 'SUCCESS' && { status: 'IN_PROGRESS' as const }),
		...(isFailed && { status: 'FAILED' as const }),
		...(task && hasVideo(task) && { status: 'SUCCESS' as const, video_url: task.videoUrl ?? '' }),
		...(seconds !== undefined && { seconds }),
		error_message: cellText(problem?.message),
	};
	const isForgotten = problem?.code === 'task_not_found' && now - row.createdAt > DAY_MS;
	return {
		change,
		isGiven: problem === undefined,
		isClosed: isFailed || isExpired(result) || isForgotten,
	};
}

/** Whether a change changes nothing (docs/n8n-behaviour.md#cost-of-a-write-to-a-data-table). */
export function isUnchanged(row: Row, change: OwnChange): boolean {
	const written: Readonly<Record<string, unknown>> = { ...row };
	return Object.entries(change).every(([name, value]) => written[name] === value);
}

/** The changes, merged into one for each row. */
export function mergedById(changes: readonly OwnChange[]): OwnChange[] {
	const byId = new Map<number, OwnChange>();
	for (const change of changes) byId.set(change.id, { ...byId.get(change.id), ...change });
	return [...byId.values()];
}
