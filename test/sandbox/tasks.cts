// The sandbox's tasks and their time: a task ends after so many virtual seconds, a speed factor turns those into real ones.
import { createHash, randomBytes } from 'node:crypto';

import { SandboxError } from './contract.cjs';
import {
	FAILURES,
	idFields,
	reasonFields,
	responseFields,
	type IdForm,
	type ReasonForm,
	type ResponseForm,
} from './forms.cjs';
import type { Account } from './ledger.cjs';
import { termsOf, type VideoOrder } from './versions.cjs';

export interface Outcome {
	status: 'SUCCESS' | 'FAILED';
	/** The word shown instead of `status`, for example `COMPLETED` or `cancelled`. */
	word?: string;
	/** What stands in `response` of a success: the URL, `[]`, null, or no such key. Default: the URL. */
	response?: 'url' | 'empty' | 'null' | 'missing';
	/** The URL comes late: so many readings of the task show the success with `response` as it says, default empty. */
	urlAfterReads?: number;
	/** The same, for so many virtual seconds after the end. */
	urlAfterSeconds?: number;
	/** In which form the URL comes. Default `urls`, the contract's. */
	responseAs?: ResponseForm;
	errorMessage?: string;
	/** A failure costs its price all the same, and says so. Default false. */
	charged?: boolean;
	/** In which form and field the reason comes. Default `error_message`, the contract's. */
	reasonAs?: ReasonForm;
	/** The video host responds with this status instead of the video (403, 404, 410). */
	videoStatus?: number;
	/** Links that die, or that work only at the second try. */
	link?: LinkPlan;
}

export interface LinkPlan {
	/** Virtual seconds that a link lives from the reading that showed it. */
	seconds?: number;
	/** So many requests for this video are refused at first. */
	refusals?: number;
	/** The status of a refusal. Default 403. */
	status?: number;
	/** Each reading of the task gives a fresh link. Default true. */
	isRenewed?: boolean;
}

/** What a test or a prompt wants of a task before it starts. */
export interface TaskPlan {
	/** Virtual seconds until it ends; Infinity for never. */
	seconds?: number;
	/** The word shown while it runs. Default `IN_PROGRESS`. */
	runningWord?: string;
	outcome?: Outcome;
	/** So many readings right after the creation get TASK_NOT_FOUND. */
	unknownReads?: number;
	/** The same, for so many virtual seconds. */
	unknownSeconds?: number;
	/** The id of the task instead of a made-up one; one that is taken gets a number behind it. */
	id?: string;
	/** Under which name, or as what, responses hold the id. Default `task_id`, the contract's. */
	idAs?: IdForm;
	/** The POST's own response shows the end, where the task has ended by then (`seconds: 0`). */
	answersEnd?: boolean;
}

export type SandboxTask = ReturnType<typeof newTask>;

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Words in a prompt that steer a task, for people who try things without code. */
export const PROMPT_WORDS: Readonly<Record<string, TaskPlan>> = {
	'[fail]': { outcome: { status: 'FAILED', errorMessage: 'The content was not accepted' } },
	'[fail charged]': {
		outcome: { status: 'FAILED', charged: true, errorMessage: 'The content was not accepted' },
	},
	'[moderated]': { outcome: { status: 'FAILED', errorMessage: FAILURES.moderation[0] } },
	'[overloaded]': { outcome: { status: 'FAILED', errorMessage: FAILURES.trouble[3] } },
	'[never]': { seconds: Infinity },
	'[no video]': { outcome: { status: 'SUCCESS', response: 'empty' } },
	'[expired]': { outcome: { status: 'SUCCESS', videoStatus: 410 } },
};

/** Virtual time: `speed` virtual milliseconds pass in each real one. The speed may change at any moment. */
export class VirtualClock {
	private real = Date.now();
	private virtual = 0;

	constructor(private factor: number) {}

	get speed(): number {
		return this.factor;
	}

	set speed(factor: number) {
		this.virtual = this.now();
		this.real = Date.now();
		this.factor = factor;
	}

	/** Virtual milliseconds since the sandbox started. */
	now(): number {
		return this.virtual + (Date.now() - this.real) * this.factor;
	}
}

export class TaskStore {
	/** Virtual milliseconds, by which the windows of a plan are measured; a suite with a clock of its own sets it. */
	now: () => number;
	/** Seeds how long tasks take where that may vary: the same seed, prompt and count give the same time. */
	seed = 1;
	private readonly byId = new Map<string, SandboxTask>();
	private readonly timers = new Map<string, NodeJS.Timeout>();

	/**
	 * @param taskSeconds virtual seconds for every task instead of the usual times
	 * @param onEnd called once per task when it ends, before anyone can read the end; gives how many milliseconds to hide it
	 */
	constructor(
		private readonly clock: VirtualClock,
		public taskSeconds: number | ((order: VideoOrder) => number) | undefined,
		private readonly onEnd: (task: SandboxTask) => number,
	) {
		this.now = () => clock.now();
	}

	/** Starts a task. A plan given here wins over words in the prompt. */
	create(account: Account, order: VideoOrder, credits: number, given: TaskPlan = {}): SandboxTask {
		const words = Object.entries(PROMPT_WORDS).filter(([word]) => order.prompt.includes(word));
		const plan: TaskPlan = Object.assign({}, ...words.map(([, steered]) => steered), given);
		const endsAt = this.clock.now() + (plan.seconds ?? this.usualSeconds(order)) * 1000;
		const fixed = { id: this.newId(plan, order), account, order, credits, plan, endsAt };
		const task = newTask({ ...fixed, startedAt: this.now() });
		this.byId.set(task.id, task);
		this.arm(task);
		return task;
	}

	/** The task with this id, as it is at the present moment. */
	get(id: string): SandboxTask | undefined {
		const task = this.byId.get(id);
		if (task && !task.ended && this.clock.now() >= task.endsAt) this.end(task);
		return task;
	}

	/** Counts a reading of a task by its own account. False while the API does not show the task yet. */
	countRead(task: SandboxTask): boolean {
		task.reads += 1;
		const { unknownReads = 0, unknownSeconds = 0 } = task.plan;
		if (task.reads <= unknownReads) return false;
		if (this.now() < task.startedAt + unknownSeconds * 1000) return false;
		if (showsEnd(task)) task.readsOfEnd += 1;
		return true;
	}

	/** Whether the URL of a finished video is there already. */
	hasUrl({ outcome, readsOfEnd, finishedAt }: SandboxTask): boolean {
		const { urlAfterReads = 0, urlAfterSeconds = 0 } = outcome;
		return readsOfEnd > urlAfterReads && this.now() >= finishedAt + urlAfterSeconds * 1000;
	}

	showLink({ outcome, links }: SandboxTask): number | null {
		if (outcome.link?.seconds === undefined) return null;
		if (outcome.link.isRenewed !== false || links.length === 0) links.push(this.now());
		return links.length - 1;
	}

	/** The status with which a request for a video is refused because of its link; null when it is served. */
	refusalOfLink(task: SandboxTask, link: number | null): number | null {
		const { seconds, refusals = 0, status = 403 } = task.outcome.link ?? {};
		if (task.refusals < refusals) {
			task.refusals += 1;
			return status;
		}
		if (seconds === undefined) return null;
		const shownAt = link === null ? undefined : task.links[link];
		return shownAt !== undefined && this.now() < shownAt + seconds * 1000 ? null : status;
	}

	all(): readonly SandboxTask[] {
		return [...this.byId.values()];
	}

	/**
	 * Seconds until each running task of an account ends, the soonest first; Infinity for never. `speed` virtual
	 * seconds pass in one of them.
	 */
	secondsToEnds(account: Account['name'] | null, speed: number): number[] {
		return this.all()
			.filter((task) => task.account.name === account && !this.get(task.id)?.ended)
			.map(({ endsAt }) => (speed > 0 ? (endsAt - this.clock.now()) / speed / 1000 : Infinity))
			.sort((a, b) => (a < b ? -1 : 1));
	}

	/** Ends a task now. Throws when there is none with this id, or when it has ended before. */
	finish(id: string, outcome?: Outcome): SandboxTask {
		const task = this.get(id);
		if (!task) throw new SandboxError(`The sandbox has no task ${id}`, 404);
		if (task.ended) throw new SandboxError(`Task ${id} has ended before`, 404);
		task.outcome = outcome ?? task.outcome;
		this.end(task);
		return task;
	}

	/** Reckons all running tasks again after the clock's speed has changed. */
	rearm(): void {
		for (const task of this.byId.values()) if (!task.ended) this.arm(task);
	}

	clear(): void {
		for (const timer of this.timers.values()) clearTimeout(timer);
		this.timers.clear();
		this.byId.clear();
	}

	private usualSeconds(order: VideoOrder): number {
		const { taskSeconds } = this;
		if (taskSeconds !== undefined) {
			return typeof taskSeconds === 'function' ? taskSeconds(order) : taskSeconds;
		}
		const { model, secondsToMake } = termsOf(order);
		const [least, most] = secondsToMake;
		const nth = this.all().filter((task) => task.order.prompt === order.prompt).length;
		const what = JSON.stringify([this.seed, model, order.prompt, order.duration, nth]);
		const chance = createHash('sha256').update(what).digest().readUInt32BE() / 2 ** 32;
		return Math.round(least + chance * (most - least));
	}

	private newId({ id, idAs }: TaskPlan, order: VideoOrder): string {
		const [start, end] = termsOf(order).idEnds;
		const digits = BigInt(`0x${randomBytes(6).toString('hex')}`);
		// As a number it is one that is too large for JavaScript to hold.
		const made =
			idAs === 'number'
				? String(9_007_199_254_740_993n + (digits << 1n))
				: `${start}${digits.toString(16).padStart(12, '0')}${end}`;
		const wanted = id ?? made;
		let free = wanted;
		for (let nth = 2; this.byId.has(free); nth += 1) free = `${wanted}${nth}`;
		return free;
	}

	private arm(task: SandboxTask): void {
		clearTimeout(this.timers.get(task.id));
		const { clock } = this;
		if (task.endsAt === Infinity || clock.speed <= 0) return;
		const wait = Math.max(0, Math.ceil((task.endsAt - clock.now()) / clock.speed));
		const timer = setTimeout(
			() => (clock.now() >= task.endsAt ? this.end(task) : this.arm(task)),
			Math.min(wait, LONGEST_TIMER_MS),
		);
		this.timers.set(task.id, timer.unref());
	}

	private end(task: SandboxTask): void {
		if (task.ended) return;
		clearTimeout(this.timers.get(task.id));
		task.ended = true;
		task.endedAt = Date.now();
		task.finishedAt = this.now();
		task.visibleAt = task.endedAt;
		task.visibleAt = task.endedAt + this.onEnd(task);
	}
}

/** What a task starts with. Times are virtual milliseconds; `endsAt` is Infinity for one that never ends. */
interface Start {
	id: string;
	account: Account;
	order: VideoOrder;
	credits: number;
	plan: TaskPlan;
	endsAt: number;
	startedAt: number;
}

function newTask(start: Start) {
	const lists: { links: number[]; endedAt: number | null } = { links: [], endedAt: null };
	const { runningWord = 'IN_PROGRESS', outcome = { status: 'SUCCESS' } } = start.plan;
	const { version, model } = termsOf(start.order);
	return {
		...start,
		version,
		model,
		/** When each link to its video was first shown; and the real time of the end, in milliseconds since 1970. */
		...lists,
		runningWord,
		outcome,
		createdAt: Date.now(),
		/** True once it has ended, shown or not. */
		ended: false,
		finishedAt: Infinity,
		/** Real time from which GET /status shows the end. Later than `endedAt` when the callback is early. */
		visibleAt: Infinity,
		/** Readings of the account that owns it, and those of them that showed the end. */
		reads: 0,
		readsOfEnd: 0,
		/** Requests for its video that were refused because of the plan for links. */
		refusals: 0,
	};
}

export function showsEnd(task: SandboxTask): boolean {
	return task.ended && Date.now() >= task.visibleAt;
}

export interface ShownVideo {
	/** False while the success is there and its URL is not. */
	isThere: boolean;
	/** Called once, and only where the response holds the URL: a fresh link counts from then. */
	url: () => string;
}

export interface Envelope {
	code: number;
	message: string;
	data: Record<string, unknown>;
}

/**
 * The body of GET /status for a task, as the contract prints it, or in the form that the task's plan wants. `asEnded`
 * shows the end even where it is still hidden, which is what an early callback does.
 */
export function statusEnvelope(
	task: SandboxTask,
	video: ShownVideo,
	asEnded = showsEnd(task),
): Envelope {
	const { outcome, order } = task;
	const succeeded = outcome.status === 'SUCCESS';
	const isPaid = succeeded || outcome.charged === true;
	const reason = outcome.errorMessage ?? 'The video could not be generated';
	const data = {
		...idFields(task.id, task.plan.idAs),
		status: asEnded ? (outcome.word ?? outcome.status) : task.runningWord,
		...(asEnded && { consumed_credits: isPaid ? task.credits : 0 }),
		created_at: new Date(task.createdAt).toISOString().replace(/\.\d+Z$/, 'Z'),
		request: termsOf(order).echo,
		...(asEnded && succeeded ? responseOf(outcome, video) : { response: [] }),
		...(asEnded && !succeeded ? reasonFields(reason, outcome.reasonAs) : { error_message: null }),
	};
	return { code: 200, message: 'success', data };
}

function responseOf(outcome: Outcome, video: ShownVideo): Record<string, unknown> {
	const isLate = outcome.urlAfterReads !== undefined || outcome.urlAfterSeconds !== undefined;
	const { response = isLate ? 'empty' : 'url' } = outcome;
	if (response === 'url' || (isLate && video.isThere)) {
		return responseFields(video.url(), outcome.responseAs);
	}
	return response === 'missing' ? {} : { response: response === 'null' ? null : [] };
}
