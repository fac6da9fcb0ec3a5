// What the rules of the oracle share: their names, and what the sandbox and n8n know of a trace.
import {
	replaceCircularReferences,
	type IDataObject,
	type INodeExecutionData,
	type ITaskData,
} from 'n8n-workflow';

import { isRecord, type PostEntry, type SandboxTask } from '../../sandbox/server.cjs';
import { NODE, type Run } from '../../support/engine.cjs';
import { postOutcomeOf, isShown, readingOf, type PostOutcome, type Reading } from '../expected.cjs';
import type { Exchange, Harness } from '../harness.cjs';
import type { Segment, Trace } from '../runner.cjs';
import { canRestart, hasTwoAccounts, isStarting, promptOf, type Schedule } from '../schedule.cjs';

/** The promises, by what breaks them. */
export const RULES = [
	/** One item's video was paid for twice. */
	'charged twice',
	/** A POST that may have been accepted was sent again. */
	'sent again',
	/** The id of a paid task is nowhere. */
	'id lost',
	/** An item is missing, doubled or out of place. */
	'items',
	/** An item says something else than the sandbox knows. */
	'wrong outcome',
	/** Something went on that had to stop. */
	'went on',
	'took too long',
	/** A key, a signature or a resume token where a person or a node sees it. */
	'secret shown',
	/** An execution went on twice from one pause. */
	'resumed twice',
	/** The API was called in another way than its contract allows. */
	'contract',
] as const;
export type Rule = (typeof RULES)[number];
export type Violate = (rule: Rule, text: string) => void;

/**
 * Where the id of each paid task was found: the first place counts. `unknown`: the response was lost, so that no caller can
 * know the id, and is reported as "may have been started".
 */
export const ID_PLACES = ['output', 'error', 'data', 'log'] as const;
export type IdCounts = Record<(typeof ID_PLACES)[number] | 'unknown', number>;

export interface Report {
	violations: Array<{ rule: Rule; text: string }>;
	ids: IdCounts;
}

/** An item as it was given out, or as an error lists it. */
export interface Found {
	segment: Segment;
	runIndex: number;
	index: number;
	json: IDataObject;
	/** From the context of the error of a node that stops. */
	isInError: boolean;
	/** The other items of the same output, for tasks that several read. */
	all: IDataObject[];
}

/** Virtual milliseconds. */
export const SECOND = 1000;
export const MINUTE = 60_000;
/** Time that passes beside the waits, such as clocks of abandoned callbacks. */
export const SLACK_MS = 15 * SECOND;
/** How much earlier than its limit a wait may end. */
export const EARLY_MS = 2 * SECOND;
/** Reads in a row that have failed at the end of a wait which has lost contact. */
export const MOST_READS = 5;
/** How often n8n tries a node with Retry On Fail. */
const MOST_TRIES = 3;

export const textOf = (value: unknown): string | undefined =>
	typeof value === 'string' && value !== '' ? value : undefined;

export const asText = (value: unknown): string =>
	JSON.stringify(replaceCircularReferences(value)) ?? '';

export function shown({ task_id, status, succeeded, error_code, charged }: IDataObject): string {
	return JSON.stringify({ task_id, status, succeeded, error_code, charged });
}

export const entriesOf = (run: Run): ITaskData[] => run.data.resultData.runData[NODE] ?? [];

export const outputsOf = (entry: ITaskData | undefined): INodeExecutionData[][] =>
	(entry?.data?.main ?? []).map((items) => items ?? []);

/** Whether the node itself is what a run failed at. */
export const failedAtNode = (run: Run): boolean =>
	run.data.resultData.lastNodeExecuted === NODE && Boolean(entriesOf(run).at(-1)?.error);

/** How many rounds of the node a segment has taken over from before. */
export function carriedRounds({ cause, before }: Segment): number {
	if (!before) return 0;
	const count = entriesOf(before).length;
	return cause === 'retry' && !failedAtNode(before) ? count : count - 1;
}

/** Whether the pause timed out, so that n8n passed on the items of the round without running the node. */
export const isHandedOn = (segment: Segment, runIndex: number): boolean =>
	segment.cause === 'timeUp' && runIndex === carriedRounds(segment);

/** A prompt without what is different at each evaluation. */
export const fixedPart = (prompt: string): string => prompt.split(' ~')[0];

export const promptIn = ({ json }: Pick<PostEntry, 'json'>): string =>
	fixedPart((isRecord(json) && textOf(json.prompt)) || '');

export const hasOutcome = (post: Exchange<PostEntry>, ...outcomes: PostOutcome[]): boolean =>
	outcomes.includes(postOutcomeOf(post));

/** For filters: requests for a task. */
export const isOfTask =
	(taskId: string | null) =>
	({ entry }: { entry: { taskId: string | null } }): boolean =>
		entry.taskId === taskId;

/** A trace, and what the sandbox knows of it. */
export class Facts {
	readonly schedule: Schedule;
	readonly isStarting: boolean;
	readonly hasTwoAccounts: boolean;
	/** How often the node may have tried in one round. */
	readonly tries: number;
	/** The time that a wait has, in virtual milliseconds. */
	readonly waitMs: number;
	/** Free Restarts. */
	readonly restarts: number;

	constructor(
		readonly harness: Harness,
		readonly trace: Trace,
	) {
		const { schedule } = trace;
		const { timeout, executionTimeout, retryOnFail, operation } = schedule;
		this.schedule = schedule;
		this.isStarting = isStarting(operation);
		this.hasTwoAccounts = hasTwoAccounts(schedule);
		this.tries = retryOnFail ? MOST_TRIES : 1;
		const limit = executionTimeout === null ? Infinity : Math.max(0, executionTimeout - 10);
		this.restarts = canRestart(operation) ? (schedule.failing?.restarts ?? 0) : 0;
		this.waitMs = Math.min(timeout * MINUTE, limit * SECOND);
	}

	task(taskId: string): SandboxTask | undefined {
		return this.harness.sandbox.tasks.get(taskId);
	}

	/** The POSTs of the execution that a segment belongs to, and of its retries. */
	posts({ lineage }: Segment): Array<Exchange<PostEntry>> {
		return this.trace.segments.flatMap((one) => (one.lineage === lineage ? one.posts : []));
	}

	/** What reads of a task have shown; of all that there were, unless some are given. */
	readings(taskId: string, reads = this.harness.requests.reads): Reading[] {
		const task = this.task(taskId);
		const own = reads.filter(isOfTask(taskId));
		let wasShown = false;
		return own.flatMap((read, index) => {
			const { version, answered } = read.entry;
			const reading = readingOf(read, version === (task?.version ?? 1) ? task : undefined);
			// A caller that got the ID of another task knows a version for it.
			if (this.isStarting) return [reading];
			wasShown ||= isShown(reading);
			// A second version that is not served at all does not have the task either.
			const isGone =
				reading.code === 'task_not_found' || (version !== 1 && answered === 404 && !wasShown);
			if (!isGone) return [reading];
			// What the first version does not have is nowhere only when the second one says so, too.
			// The reads of several items that name the task may come between.
			if (version === 1 && own.slice(index + 1).some(({ entry }) => entry.version === 2)) return [];
			return [{ at: reading.at, kind: 'final', code: 'task_not_found' }];
		});
	}

	isReportedFailed(taskId: string): boolean {
		return this.readings(taskId).some(({ state }) => state === 'failed');
	}

	/** The tasks in the responses to these POSTs: where one had another's ID, any other's, or its own beside it. */
	knownFrom(posts: ReadonlyArray<Exchange<PostEntry>>): string[] {
		const made = this.harness.requests.posts.map(({ entry }) => entry.taskId);
		const foreign = this.harness.sandbox.tasks.all().filter(({ id }) => !made.includes(id));
		return posts.flatMap((post) => [
			...(hasOutcome(post, 'misled') ? foreign.map(({ id }) => id) : []),
			...(post.entry.taskId ? [post.entry.taskId] : []),
		]);
	}

	/** How many items one round of the node got. */
	inputOf(run: Run, runIndex: number): number {
		if (runIndex === 0) return this.schedule.items.length;
		return outputsOf(entriesOf(run)[runIndex - 1])[0]?.length ?? 0;
	}

	/** The prompt of an item. */
	promptAt(index: number, runIndex: number): string {
		return promptOf(this.schedule, this.schedule.items[index].name, runIndex);
	}

	/** Whether several items of the input name the task. */
	isNamedTwice(taskId: string): boolean {
		return this.trace.taskIds.filter((id) => id === taskId).length > 1;
	}
}
