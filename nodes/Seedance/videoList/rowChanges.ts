/** What becomes of a row of the list of videos: when it is made, and when its video has ended. */
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
/** Milliseconds after which a task that the API does not know is gone, not new. */
const DAY_MS = 24 * 60 * 60_000;

/** A text as a row holds it: on one line, and not endless. */
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

/** Whether the link of a video stays dead: that is told once. */
export function isExpired({ problem }: Result): boolean {
	return problem?.code === 'download_failed' && /has expired/.test(problem.message);
}

/** A row that no run holds. */
export const UNCLAIMED = { claim: '', claimed_until: '' } as const;

/**
 * Hands on all rows that a run holds, but for a request whose answer nobody has: that row says so
 * when the claim is over.
 */
export const handOnAll = (mine: Condition): Step => ({
	do: 'update',
	all: [mine, where('handed_on', false), where('status', 'SENDING', 'neq')],
	set: { handed_on: true, ...UNCLAIMED },
});

/** What a result means for its row. */
interface RowOutcome {
	change: OwnChange;
	/** The workflow gets the video by it, if the node gives it out. */
	isGiven: boolean;
	/** There is nothing to be got, now or later: it is told once, also by an error of the node. */
	isClosed: boolean;
}

/** What a result changes in its row. `now` is in milliseconds since 1970, in the time of the list. */
export function rowOutcomeOf(result: Result, row: Row, now: number): RowOutcome {
	const { task, problem, seed, seconds } = result;
	const taskId = task?.taskId ?? seed.taskId ?? row.task_id;
	const isFailed = task?.state === 'failed';
	const counted = task && task.state !== 'running' ? task.consumedCredits : null;
	const change: OwnChange = {
		id: row.id,
		...(taskId && { task_id: taskId }),
		...(counted !== null && { credits: counted, charged: chargedBy(counted) }),
		// Whatever could be written before: a row that has a task was sent.
		...(taskId && row.status !== 'SUCCESS' && { status: 'IN_PROGRESS' as const }),
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

/** The changes, those of one row as one. */
export function mergedById(changes: readonly OwnChange[]): OwnChange[] {
	const byId = new Map<number, OwnChange>();
	for (const change of changes) byId.set(change.id, { ...byId.get(change.id), ...change });
	return [...byId.values()];
}
