// What is allowed over all executions of a schedule with the list of videos: compares them with what the sandbox knows and
// with the rows. It takes the node's word for nothing but where a row stands for a POST.
import type { IDataObject } from 'n8n-workflow';

import { isRecord } from '../sandbox/server.cjs';
import { postOutcomeOf, isRefusedLink, readingOf } from './expected.cjs';
import type { Harness } from './harness.cjs';
import { asText, isOfTask } from './oracle/facts.cjs';
import { Restarts } from './oracle/restarts.cjs';
import {
	isKeyed,
	isShared,
	type Execution,
	type ListPost,
	type ListTrace,
} from './listSchedules.cjs';

export const LIST_RULES = [
	/** A video was paid for that was there already. */
	'charged twice',
	/** The ID of a paid task is nowhere, or not in the list. */
	'id lost',
	/** An unclear request was reported twice, or paid for again before it was reported. */
	'unclear',
	'handed on twice',
	/** A row says that the workflow has got a video which it has not. */
	'handed on to nobody',
	/** A POST that no row stands for. */
	'sent without the list',
	/** An execution is over, and holds a row. */
	'claim left',
	/** An item got the video of another, or none. */
	'wrong video',
	'secret shown',
] as const;
/** What interrupts an execution, and not the list. */
const NO_REFUSAL: readonly string[] = ['stop', 'crash', 'freeze'];
export type ListRule = (typeof LIST_RULES)[number];
export type ListViolation = { rule: ListRule; text: string };

/** An item as it was given out, or as an error lists it. */
interface ReportedItem {
	execution: Execution;
	index: number;
	json: IDataObject;
	/** Later nodes got it. */
	isOutput: boolean;
}

function reportedBy(execution: Execution): ReportedItem[] {
	const { run } = execution;
	if (!run) return [];
	const isOutput = run.status === 'success';
	const items = run.outputs.flat().map(({ json, pairedItem }) => {
		const first = Array.isArray(pairedItem) ? pairedItem[0] : pairedItem;
		const index = (typeof first === 'object' ? first.item : first) ?? -1;
		return { index, json: isRecord(json.details) ? json.details : json };
	});
	const tasks: unknown[] = Array.isArray(run.error?.context.tasks) ? run.error.context.tasks : [];
	const listed = tasks.filter(isRecord).map((json, index) => ({ index, json }));
	return [...items, ...listed].map(({ index, json }) => ({
		...{ execution, index, isOutput },
		json: JSON.parse(JSON.stringify(json)),
	}));
}

class ListOracle {
	readonly violations: ListViolation[] = [];
	private readonly reported: ReportedItem[];
	/** What later nodes got. */
	private readonly given: ReportedItem[];
	private readonly paid: ListPost[];
	private readonly restarts = new Restarts((taskId) => {
		const { requests, sandbox } = this.harness;
		const task = sandbox.tasks.get(taskId);
		return requests.reads.filter(isOfTask(taskId)).map((read) => readingOf(read, task));
	});

	constructor(
		private readonly harness: Harness,
		private readonly trace: ListTrace,
	) {
		this.reported = trace.executions.flatMap(reportedBy);
		this.given = this.reported.filter(
			({ isOutput, json }) => isOutput && json.task_id && json.error_code === undefined,
		);
		this.paid = trace.posts.filter(({ entry }) => entry.accepted);
	}

	private violate(rule: ListRule, text: string): void {
		this.violations.push({ rule, text });
	}

	private describe({ entry, execution, name }: ListPost): string {
		return `POST ${entry.index} (${name}, task ${entry.taskId}) of execution ${execution.nth}`;
	}

	/** How often a video may be restarted. */
	private get most(): number {
		const { operation, failing } = this.trace.schedule;
		return operation === 'generateAndWait' ? (failing?.restarts ?? 0) : 0;
	}

	private wanted(name: string): number {
		const { items } = this.trace.schedule;
		return isKeyed(this.trace.schedule) ? 1 : items.filter((one) => one === name).length;
	}

	/** Whether something was read of a task after which it counts for nothing: failed, unknown, gone. */
	private isGone(taskId: string | null): boolean {
		const { requests, sandbox } = this.harness;
		const task = sandbox.tasks.get(taskId ?? '');
		const isOver = ({ kind, state }: ReturnType<typeof readingOf>) =>
			state === 'failed' || kind === 'final' || kind === 'odd';
		return (
			task?.outcome.status === 'FAILED' ||
			requests.reads.filter(isOfTask(taskId)).some((read) => isOver(readingOf(read, task))) ||
			requests.videos
				.filter(isOfTask(taskId))
				.some((one) => one.fault !== null || isRefusedLink(one))
		);
	}

	private isGivenOut(by: Execution, taskId: string | null): boolean {
		return this.given.some(({ execution, json }) => execution === by && json.task_id === taskId);
	}

	/** Whether a video that was paid for has to be gone on with, or given again, instead of paying as `post` does. */
	private isOwed(earlier: ListPost, post: ListPost): boolean {
		const { schedule, deletedAt } = this.trace;
		const [by, now] = [earlier.execution, post.execution];
		const { taskId } = earlier.entry;
		// A process that stood still right before the request cannot know that its claim is over.
		if (post.at === now.frozenUntil) return false;
		if (by === now || earlier.order > post.order || earlier.name !== post.name) return false;
		if (deletedAt.some((at) => earlier.order < at && at < post.order)) return false;
		if (!isShared(schedule) && (by.endedAt > now.beganAt || now.isLeft)) return false;
		if (this.isGone(taskId) || postOutcomeOf(earlier) !== 'created') return false;
		const row = post.rows?.find((one) => one.task_id === taskId);
		const isReusing =
			schedule.ifExists === 'always' ||
			schedule.ifExists === 'skip' ||
			(schedule.ifExists === 'manualRuns' && now.plan.mode === 'manual');
		const isCut = by.isDead || by.frozenUntil > 0 || by.isLeft;
		if (!row && !isCut)
			return by.endedAt < now.beganAt && (isReusing || !this.isGivenOut(by, taskId));
		if (!row) {
			// It was interrupted before the ID could be written: that has to be reported first.
			const isOpen = post.rows?.some(
				(one) => one.id === earlier.row?.id && one.status === 'SENDING',
			);
			return isOpen === true && by.endedAt < now.beganAt && !by.isLeft;
		}
		// Without a shared one, what a living execution holds is its own.
		const holder = this.trace.executions.find(({ id }) => id === row.execution_id);
		const isHeld = holder && holder !== now && holder.endedAt > now.beganAt;
		if (isHeld && !isShared(schedule)) return false;
		return row.handed_on !== true || isReusing;
	}

	checkCharges(): void {
		for (const post of this.paid) {
			const { execution, name, order, row, at } = post;
			const own = this.paid.filter(
				(one) => one.execution === execution && one.name === name && one.order <= order,
			);
			const wanted = this.wanted(name);
			const owed = this.paid.filter((one) => this.isOwed(one, post));
			const same = owed.filter((one) => one.row && row && one.row.identity === row.identity);
			const isOver = wanted === 1 && owed.length > 0;
			const video = `${execution.nth} ${name}`;
			const before = own.slice(0, -1).map(({ entry }) => entry.taskId ?? '');
			const isOwn =
				own.length <= wanted || this.restarts.take(video, at, before, this.most * wanted);
			if (isOwn && same.length === 0 && !isOver) continue;
			const there = owed.map(({ entry }) => entry.taskId).join(', ') || 'its own';
			this.violate('charged twice', `${this.describe(post)}: there was ${there}`);
		}
	}

	/** Whether a later POST of the run for the same video has taken its place, or may have: an earlier task may have served an item alike. */
	private isReplaced({ entry: { taskId }, execution, name, order }: ListPost): boolean {
		if (this.restarts.has(taskId ?? '')) return true;
		const later = this.paid.filter(
			(one) => one.execution === execution && one.name === name && one.order > order,
		);
		return this.most > 0 && later.some(({ at }) => this.restarts.mayBeReplaced(taskId ?? '', at));
	}

	/** Every POST that is sent while the list works has its row, which was turned to SENDING right before. */
	checkRows(): void {
		for (const post of this.trace.posts) {
			const { isLeft, frozenUntil, beganAt } = post.execution;
			// A table that is deleted right after it was made is missed without a call that fails.
			const isGone =
				post.rows === undefined &&
				this.trace.deletedAt.some((at) => beganAt < at && at < post.order);
			const isExcused = frozenUntil > 0 || ((isLeft || isGone) && !isShared(this.trace.schedule));
			if (!post.row && !isExcused) this.violate('sent without the list', this.describe(post));
		}
	}

	checkIds(): void {
		const { listed, rows, deletedAt, executions } = this.trace;
		const unlisted = this.paid.filter(
			(one) => postOutcomeOf(one) === 'created' && !listed.has(one.entry.taskId),
		);
		for (const post of unlisted) {
			const { execution, entry } = post;
			const { isDead, isLeft, frozenUntil, run } = execution;
			const isReported = this.reported.some(
				(one) => one.execution === execution && one.json.task_id === entry.taskId,
			);
			const row = rows.find(({ id }) => id === post.row?.id);
			const isUnclear = !post.row || row?.status === 'SENDING' || row?.status === 'UNCLEAR';
			const isCut = (isDead || frozenUntil > 0) && (isUnclear || isReported);
			if (!isCut && !isLeft && deletedAt.length === 0) {
				this.violate('id lost', `${this.describe(post)} is not in the list`);
			}
			// A restarted one cost nothing, and is only in the log.
			const isReplaced = this.isReplaced(post);
			if (!isReported && !isReplaced && !isDead && run?.status !== 'canceled') {
				this.violate('id lost', `${this.describe(post)} is nowhere`);
			}
		}
		for (const execution of executions.filter(({ isDead, isLeft }) => isDead && !isLeft)) {
			const open = unlisted.filter((one) => one.execution === execution).length;
			if (open > 1) this.violate('unclear', `${open} tasks of ${execution.nth}, not one`);
		}
	}

	/**
	 * What was interrupted between a POST and its response is reported by one later execution; by further
	 * ones only where the list could not record that at some time.
	 */
	checkReported(): void {
		const isRefused = this.trace.executions.some(({ met }) => met && !NO_REFUSAL.includes(met));
		for (const { id, nth } of this.trace.executions) {
			const about = `Execution ${id} was interrupted`;
			const reported = this.reported.filter(({ json }) =>
				String(json.error_message).startsWith(about),
			);
			const by = [...new Set(reported.map(({ execution }) => execution.nth))];
			if (by.length > 1 && !isRefused)
				this.violate('unclear', `of ${nth}, reported by ${by.join(', ')}`);
		}
	}

	checkHandedOn(): void {
		const { schedule, executions, rows, deletedAt, listed } = this.trace;
		const isManual = ({ plan }: Execution) =>
			schedule.ifExists === 'manualRuns' && plan.mode === 'manual';
		for (const taskId of new Set(this.given.map(({ json }) => String(json.task_id)))) {
			const by = executions
				.filter((one) => this.isGivenOut(one, taskId))
				// A run by hand may deliver again what another run has delivered, even one that began later.
				.sort((a, b) => a.endedAt - b.endedAt);
			const isExcused = by.some(({ isLeft }) => isLeft) || deletedAt.length > 0;
			if (isShared(schedule) || !listed.has(taskId) || isExcused) continue;
			const more = by.slice(1).filter((one) => !isManual(one));
			if (more.length) this.violate('handed on twice', `task ${taskId}, by ${more[0].nth} as well`);
		}
		for (const { handedOnLate, nth } of executions.filter((one) => one.handedOnLate.length)) {
			this.violate('handed on to nobody', `${handedOnLate.join(', ')} of ${nth}, after Stop`);
		}
		const handedOn = rows.filter((row) => row.handed_on === true && row.status === 'SUCCESS');
		for (const { task_id, execution_id } of handedOn) {
			const by = executions.find(({ id }) => id === execution_id);
			const isInterrupted = !by || by.met === 'stop' || by.isDead;
			if (isInterrupted || this.given.some(({ json }) => json.task_id === task_id)) continue;
			// A link that stays dead is reported once, and its row is closed.
			const reported = this.reported.filter(({ json }) => json.task_id === task_id);
			if (reported.some(({ json }) => /has expired/.test(String(json.error_message)))) continue;
			this.violate('handed on to nobody', `task ${task_id} of execution ${by.nth}`);
		}
	}

	checkClaims(): void {
		const { executions, rows, endedAt } = this.trace;
		for (const { id, status, claim, claimed_until, execution_id } of rows) {
			const by = executions.find((one) => one.id === execution_id);
			if (!by || by.isDead || by.isLeft || by.frozenUntil > 0) continue;
			const isHeld = Boolean(claim) && !(Date.parse(String(claimed_until)) <= endedAt);
			if (!isHeld && !/^(PENDING|CLAIMED|SENDING)$/.test(String(status))) continue;
			this.violate('claim left', `row ${id} is ${status}, claim "${claim}", of ${by.nth}`);
		}
	}

	/** Each item comes out once, except those that Skip leaves out, with the video of its own name. */
	checkItems(): void {
		const { executions, schedule } = this.trace;
		const isMisled = this.paid.some((one) => postOutcomeOf(one) === 'misled');
		for (const { execution, index, json } of isMisled ? [] : this.reported) {
			const task = this.harness.sandbox.tasks.get(String(json.task_id));
			if (!task || task.order.prompt.includes(schedule.items[index] ?? '?')) continue;
			this.violate('wrong video', `item ${index} of execution ${execution.nth}: ${asText(json)}`);
		}
		for (const { run, nth } of executions.filter((one) => one.run?.status === 'success')) {
			const missing = schedule.items.length - (run?.outputs.flat().length ?? 0);
			if (missing === 0 || (missing > 0 && schedule.ifExists === 'skip')) continue;
			this.violate('wrong video', `${missing} items are missing in execution ${nth}`);
		}
	}

	checkSecrets(): void {
		const { sandbox } = this.harness;
		const text = asText([this.trace.rows, this.trace.executions.map(({ run }) => run?.hints)]);
		const secrets = [sandbox.apiKey, sandbox.otherAccount.apiKey, 'seedance_sig'];
		if (secrets.some((one) => text.includes(one))) this.violate('secret shown', text);
	}
}

/** Checks one trace on the harness on which it ran, before that is reset. */
export function checkListTrace(harness: Harness, trace: ListTrace): ListViolation[] {
	const oracle = new ListOracle(harness, trace);
	oracle.checkCharges();
	oracle.checkRows();
	oracle.checkIds();
	oracle.checkReported();
	oracle.checkHandedOn();
	oracle.checkClaims();
	oracle.checkItems();
	oracle.checkSecrets();
	return oracle.violations;
}
