// What is allowed over all executions of a schedule with the list of videos: compares them with what the sandbox knows and
// with the rows. It takes the node's word for nothing but where a row stands for a POST.
import type { IDataObject } from 'n8n-workflow';

import { isRecord } from '../sandbox/server.cjs';
import type { TableRow } from '../support/dataTables.cjs';
import { answerToPost, isRefusedLink, readingOf } from './expected.cjs';
import type { Harness } from './harness.cjs';
import { asText, isOfTask } from './oracle/facts.cjs';
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
	/** What nobody knows was told twice, or paid for again before it was told. */
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
export type ListRule = (typeof LIST_RULES)[number];
export type ListViolation = { rule: ListRule; text: string };

/** An item as it was given out, or as an error lists it. */
interface Told {
	execution: Execution;
	index: number;
	json: IDataObject;
	/** Later nodes got it. */
	isOutput: boolean;
}

function toldBy(execution: Execution): Told[] {
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

const isInterrupted = ({ met }: Execution) => met === 'stop' || met === 'crash';

class ListOracle {
	readonly violations: ListViolation[] = [];
	private readonly told: Told[];
	private readonly paid: ListPost[];

	constructor(
		private readonly harness: Harness,
		private readonly trace: ListTrace,
	) {
		this.told = trace.executions.flatMap(toldBy);
		this.paid = trace.posts.filter(({ entry }) => entry.accepted);
	}

	private violate(rule: ListRule, text: string): void {
		this.violations.push({ rule, text });
	}

	private describe({ entry, execution, name }: ListPost): string {
		return `POST ${entry.index} (${name}, task ${entry.taskId}) of execution ${execution.nth}`;
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
		return this.told.some(
			({ execution, isOutput, json }) =>
				execution === by && isOutput && json.task_id === taskId && json.error_code === undefined,
		);
	}

	/** Whether a video that was paid for has to be gone on with, or given again, instead of paying as `post` does. */
	private isOwed(earlier: ListPost, post: ListPost): boolean {
		const { schedule, deletedAt } = this.trace;
		const [by, now] = [earlier.execution, post.execution];
		const { taskId } = earlier.entry;
		// A process that stood still right before the request cannot know that its claim is over.
		if (post.at === now.frozenUntil) return false;
		if (by === now || earlier.order > post.order || earlier.name !== post.name) return false;
		if (earlier.order < deletedAt && deletedAt < post.order) return false;
		if (!isShared(schedule) && (by.endedAt > now.beganAt || now.isLeft)) return false;
		if (this.isGone(taskId) || answerToPost(earlier) !== 'created') return false;
		const row = post.rows?.find((one) => one.task_id === taskId);
		const isReusing =
			schedule.ifExists === 'always' ||
			schedule.ifExists === 'skip' ||
			(schedule.ifExists === 'manualRuns' && now.plan.mode === 'manual');
		const isCut = by.isDead || by.frozenUntil > 0 || by.isLeft;
		if (!row && !isCut)
			return by.endedAt < now.beganAt && (isReusing || !this.isGivenOut(by, taskId));
		if (!row) {
			// It was interrupted before the ID could be written: that has to be told first.
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
			const { execution, name, order, row } = post;
			const own = this.paid.filter(
				(one) => one.execution === execution && one.name === name && one.order <= order,
			);
			const wanted = this.wanted(name);
			const owed = this.paid.filter((one) => this.isOwed(one, post));
			const same = owed.filter((one) => one.row && row && one.row.identity === row.identity);
			const isOver = wanted === 1 && owed.length > 0;
			if (own.length <= wanted && same.length === 0 && !isOver) continue;
			const there = owed.map(({ entry }) => entry.taskId).join(', ') || 'its own';
			this.violate('charged twice', `${this.describe(post)}: there was ${there}`);
		}
	}

	/** Every POST that is sent while the list works has its row, which was turned to SENDING right before. */
	checkRows(): void {
		const needed = isShared(this.trace.schedule);
		for (const post of this.trace.posts) {
			const { execution } = post;
			const isExcused = execution.isLeft && !needed;
			const isFrozen = execution.met === 'freeze' || execution.frozenUntil > 0;
			if (post.row || isExcused || isFrozen) continue;
			// A POST that was certainly refused is sent again without another look.
			this.violate('sent without the list', this.describe(post));
		}
	}

	checkIds(): void {
		const { listed, rows } = this.trace;
		for (const post of this.paid.filter((one) => answerToPost(one) === 'created')) {
			const { execution, entry } = post;
			const isListed = listed.has(entry.taskId);
			const isTold = this.told.some(
				({ json, execution: by }) => by === execution && json.task_id === entry.taskId,
			);
			const row = rows.find(({ id }) => id === post.row?.id);
			const isUnclear = row?.status === 'SENDING' || row?.status === 'UNCLEAR' || !post.row;
			const isCut = execution.met === 'crash' || execution.frozenUntil > 0;
			const isExcused = execution.isLeft || this.trace.deletedAt < Infinity;
			if (!isListed && !(isCut && (isUnclear || isTold)) && !isExcused) {
				this.violate('id lost', `${this.describe(post)} is not in the list`);
			}
			if (!isListed && !isTold && execution.run?.status !== 'canceled' && !execution.isDead) {
				this.violate('id lost', `${this.describe(post)} is nowhere`);
			}
		}
		for (const execution of this.trace.executions.filter(({ isDead }) => isDead)) {
			const open = this.paid.filter(
				(one) =>
					one.execution === execution &&
					!listed.has(one.entry.taskId) &&
					answerToPost(one) === 'created',
			);
			if (open.length > 1 && !execution.isLeft) {
				this.violate('unclear', `${open.length} tasks of execution ${execution.nth}, not one`);
			}
		}
	}

	/** What was interrupted between a POST and its answer is told by one later execution. */
	checkTold(): void {
		for (const { id, nth } of this.trace.executions) {
			const about = this.told.filter(({ json }) =>
				String(json.error_message).startsWith(`Execution ${id} was interrupted`),
			);
			const tellers = new Set(about.map(({ execution }) => execution.nth));
			if (tellers.size > 1)
				this.violate('unclear', `of ${nth}, told by ${[...tellers].join(', ')}`);
		}
	}

	checkHandedOn(): void {
		const { schedule, executions, rows, deletedAt } = this.trace;
		const got = this.told.filter(
			({ isOutput, json }) => isOutput && json.task_id && json.error_code === undefined,
		);
		for (const taskId of new Set(got.map(({ json }) => json.task_id))) {
			const by = new Set(
				got.filter(({ json }) => json.task_id === taskId).map(({ execution }) => execution),
			);
			const isManual = ({ plan }: Execution) =>
				schedule.ifExists === 'manualRuns' && plan.mode === 'manual';
			const others = [...by].slice(1).filter((one) => !isManual(one));
			const isExcused = [...by].some(({ isLeft }) => isLeft) || deletedAt < Infinity;
			const isListed = this.trace.listed.has(taskId);
			if (isShared(schedule) || !isListed || isExcused || others.length === 0) continue;
			this.violate(
				'handed on twice',
				`task ${taskId} by ${[...by].map(({ nth }) => nth).join(', ')}`,
			);
		}
		for (const { handedOnLate, nth } of executions.filter((one) => one.handedOnLate.length)) {
			this.violate('handed on to nobody', `${handedOnLate.join(', ')} of ${nth}, after Stop`);
		}
		for (const row of rows.filter((one) => one.handed_on === true && one.status === 'SUCCESS')) {
			const by = executions.find(({ id }) => id === row.execution_id);
			if (!by || isInterrupted(by) || got.some(({ json }) => json.task_id === row.task_id))
				continue;
			this.violate('handed on to nobody', `task ${row.task_id} of execution ${by.nth}`);
		}
	}

	checkClaims(): void {
		const { executions, rows, endedAt } = this.trace;
		const isOpen = ({ status }: TableRow) => /^(PENDING|CLAIMED|SENDING)$/.test(String(status));
		for (const row of rows) {
			const by = executions.find(({ id }) => id === row.execution_id);
			if (!by || by.isDead || by.isLeft || by.frozenUntil > 0) continue;
			const until = Date.parse(String(row.claimed_until));
			const isHeld = Boolean(row.claim) && !(until <= endedAt);
			if (isHeld || isOpen(row)) {
				const text = `row ${row.id} is ${row.status}, claim "${row.claim}", of ${by.nth}`;
				this.violate('claim left', text);
			}
		}
	}

	/** Each item comes out once, but for those that Skip leaves out, with a video of its own name. */
	checkItems(): void {
		const { executions, schedule } = this.trace;
		const { sandbox } = this.harness;
		for (const { execution, index, json } of this.told) {
			const task = sandbox.tasks.get(String(json.task_id));
			const isWrong = task && !task.order.prompt.includes(schedule.items[index] ?? '?');
			const isMisled = this.paid.some((one) => answerToPost(one) === 'misled');
			if (isWrong && !isMisled) {
				this.violate('wrong video', `item ${index} of execution ${execution.nth}: ${asText(json)}`);
			}
		}
		for (const { run, nth } of executions.filter((one) => one.run?.status === 'success')) {
			const count = run?.outputs.flat().length;
			const isShort = schedule.ifExists === 'skip' && Number(count) <= schedule.items.length;
			if (count === schedule.items.length || isShort) continue;
			this.violate('wrong video', `${count} items of ${schedule.items.length}, execution ${nth}`);
		}
	}

	checkSecrets(): void {
		const { sandbox } = this.harness;
		const text = asText([this.trace.rows, this.trace.executions.map(({ run }) => run?.hints)]);
		const isShown = [sandbox.apiKey, sandbox.otherAccount.apiKey, 'seedance_sig'].some((secret) =>
			text.includes(secret),
		);
		if (isShown) this.violate('secret shown', text);
	}
}

/** Checks one trace on the harness on which it ran, before that is reset. */
export function checkListTrace(harness: Harness, trace: ListTrace): ListViolation[] {
	const oracle = new ListOracle(harness, trace);
	oracle.checkCharges();
	oracle.checkRows();
	oracle.checkIds();
	oracle.checkTold();
	oracle.checkHandedOn();
	oracle.checkClaims();
	oracle.checkItems();
	oracle.checkSecrets();
	return oracle.violations;
}
