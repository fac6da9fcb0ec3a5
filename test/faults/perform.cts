// Plays one schedule: starts the workflow, lets the weather and the callbacks come, stops, retries, and keeps what happened.
import type { IDataObject, INodeExecutionData, INodeParameters } from 'n8n-workflow';

import {
	contractCredits,
	type AccountName,
	type LinkPlan,
	type PostEntry,
	type SandboxTask,
	type TaskPlan,
	type VideoOrder,
	type VideoRead,
} from '../sandbox/server.cjs';
import { NODE, type Callback, type Order, type Run } from '../support/engine.cjs';
import {
	accountOf,
	FORMS,
	hasTwoAccounts,
	isStarting,
	nameIn,
	promptOf,
	SETTINGS,
	WRONG_DURATION,
	type CallbackPlan,
	type Fate,
	type ItemPlan,
	type Schedule,
} from './schedule.cjs';
import { CREDENTIAL, type Met, type MetRead, type Stage } from './stage.cjs';

/** How an execution came to run: from the start, by Retry, by a callback, or because its time was up. */
export type Cause = 'start' | 'retry' | 'callback' | 'timeUp';

/** One stretch of an execution, from its start (or resumption) to its end (or suspension). */
export interface Episode {
	cause: Cause;
	/** Executions and their retries share a number; what a person starts anew gets the next. */
	lineage: number;
	run: Run;
	/** The same execution before this stretch. */
	before: Run | undefined;
	/** Stop struck while it ran. */
	isStopped: boolean;
	posts: Array<Met<PostEntry>>;
	reads: MetRead[];
	videos: Array<Met<VideoRead>>;
	/** How many reads the book held at its end. */
	readsUntil: number;
	/** Virtual milliseconds since 1970. */
	startedAt: number;
	/** Virtual milliseconds. */
	tookMs: number;
	/** Everything logged from its start until nothing was under way any more. */
	logs: string;
	/** The API refused connections during it. */
	wasDown: boolean;
	/** Tasks that were there when it began. */
	tasksBefore: ReadonlySet<string>;
}

/** A schedule that was played. */
export interface Story {
	schedule: Schedule;
	episodes: Episode[];
	/** Get Status and Wait for Video: by item, the task to look at. */
	taskIds: string[];
	/** POSTs that stand outside of every episode: those that made `taskIds`. */
	earlierPosts: number;
	/** Callbacks that were delivered. */
	callbacks: number;
	/** How often an execution went on a second time from the same pause. */
	resumedTwice: number;
	/** Requests whose caller still waited for an answer when everything else had ended. */
	leftOpen: number;
}

/** The price of every video here. */
export const CREDITS = contractCredits(
	SETTINGS.resolution,
	SETTINGS.duration,
	SETTINGS.generateAudio,
);
/** Where the API would post; nothing listens. */
const CALLBACK_URL = 'http://127.0.0.1:9/webhook/a-trigger/webhook';
/** Virtual milliseconds after which a sender tries again, and how often. */
const REDELIVERY_MS = 30_000;
const DELIVERIES = 3;
/** Virtual milliseconds: far more than any schedule may take. */
const LONGEST_STORY_MS = 4 * 60 * 60_000;
/** Rounds of pausing; more would be an endless loop. */
const MOST_PAUSES = 8;

/** Virtual seconds that a brief link lives. */
const BRIEF_LINK_SECONDS = 20;

function linkOf(link: Fate['link']): LinkPlan | undefined {
	switch (link) {
		case 'refusedOnce':
			return { refusals: 1, status: 404 };
		case 'brief':
			return { seconds: BRIEF_LINK_SECONDS };
		case 'dead':
			return { seconds: BRIEF_LINK_SECONDS, isRenewed: false, status: 410 };
		default:
			return undefined;
	}
}

/** What the sandbox makes of a request: the fate of its name, in the API's words. */
export function planOf(
	schedule: Pick<Schedule, 'fates'>,
	order: VideoOrder,
	nth: number,
): TaskPlan {
	const name = nameIn(order.prompt);
	const fate = name ? schedule.fates[name] : schedule.fates.apple;
	const { ends, seconds, unknownSeconds, urlLateSeconds } = fate;
	const form = fate.form ? FORMS[fate.form] : {};
	const link = linkOf(fate.link);
	const failed: TaskPlan['outcome'] = {
		status: 'FAILED',
		// An API that repeats the callback URL, which holds a token.
		errorMessage: `Not accepted${order.callback_url ? ` (told ${order.callback_url})` : ''}`,
		...form.failure,
	};
	const succeeded: TaskPlan['outcome'] = {
		status: 'SUCCESS',
		...(urlLateSeconds !== undefined && { urlAfterSeconds: urlLateSeconds }),
		...(link && { link }),
		...form.success,
	};
	const plan = { ...form.plan, ...(unknownSeconds !== undefined && { unknownSeconds }) };
	switch (ends) {
		case 'never':
			return { ...plan, seconds: Infinity };
		case 'failed':
			return { ...plan, seconds, outcome: failed };
		case 'failedOnce':
			return { ...plan, seconds, outcome: nth === 1 ? failed : succeeded };
		case 'noVideo':
			return { ...plan, seconds, outcome: { status: 'SUCCESS', response: 'empty' } };
		case 'expired':
			return { ...plan, seconds, outcome: { status: 'SUCCESS', videoStatus: 410 } };
		case 'ready':
			return { ...plan, seconds, outcome: succeeded };
	}
}

function parametersOf(schedule: Schedule): INodeParameters {
	const { operation } = schedule;
	const own = (field: string) => `$('Start').all()[$itemIndex].json.${field}`;
	const part = schedule.rounds === 1 || schedule.sameEachRound ? '' : ' + ", part " + $runIndex';
	const change = schedule.changingPrompt ? ' + " ~" + Math.random()' : '';
	const options: IDataObject = {
		...(operation !== 'generate' && { timeout: schedule.timeout }),
		...(operation !== 'generate' &&
			schedule.pollInterval !== null && { pollInterval: schedule.pollInterval }),
		...(operation !== 'wait' &&
			schedule.maxVideos !== null && { maxCredits: schedule.maxVideos * CREDITS }),
		...(operation !== 'wait' &&
			schedule.batch && {
				batching: {
					batch: {
						batchSize: schedule.batch.size,
						batchInterval: schedule.batch.seconds * 1000,
					},
				},
			}),
	};
	const settings = {
		resolution: SETTINGS.resolution,
		duration: `={{ ${own('duration')} }}`,
		generateAudio: SETTINGS.generateAudio,
	};
	if (operation === 'estimateCost') return { operation, ...settings };
	const output = { simplify: schedule.simplify, downloadVideo: schedule.download };
	if (!isStarting(operation)) {
		return {
			operation,
			taskId: `={{ ${own('task_id')} }}`,
			...output,
			...(operation === 'wait' && { options: JSON.parse(JSON.stringify(options)) }),
		};
	}
	return {
		operation: operation === 'generate' ? 'generate' : 'generateAndWait',
		prompt: `={{ ${own('prompt')}${part}${change} }}`,
		...settings,
		...output,
		...(operation === 'pause' && { waitMethod: 'callback' }),
		...(operation === 'generate' &&
			schedule.hasCallbackUrl && {
				callbackUrl: CALLBACK_URL,
				callbackMetadata: { values: [{ name: 'row', value: '={{ $itemIndex }}' }] },
			}),
		options: JSON.parse(JSON.stringify(options)),
	};
}

/** A task of an earlier workflow, started past the node. */
async function earlierTask(stage: Stage, prompt: string, account: AccountName): Promise<string> {
	const { sandbox } = stage;
	const apiKey = account === 'other' ? sandbox.otherAccount.apiKey : sandbox.apiKey;
	const answer = await fetch(`${sandbox.baseUrl}/generate`, {
		method: 'POST',
		headers: {
			Authorization: `Bearer ${apiKey}`,
			'Content-Type': 'application/json',
		},
		body: JSON.stringify({ prompt, aspect_ratio: '9:16', resolution: '480p', duration: '4' }),
	});
	await answer.text();
	const taskId = sandbox.ledger.posts().at(-1)?.taskId;
	if (!taskId) throw new Error('The sandbox took no task');
	return taskId;
}

/** The task of each item that looks at one; items of the same name look at the same one. */
async function tasksFor(stage: Stage, schedule: Schedule): Promise<string[]> {
	const ids = new Map<string, string>();
	const idOf = async ({ name, task, account = 'main' }: ItemPlan): Promise<string> => {
		if (task === 'unknown') return `seed15unknown-${name}`;
		const owner = (task === 'own') === (account === 'main') ? 'main' : 'other';
		return await earlierTask(stage, promptOf(schedule, name, 0), owner);
	};
	const all: string[] = [];
	for (const item of schedule.items) {
		const key = `${item.name} ${item.task} ${item.account ?? 'main'}`;
		const id = ids.get(key) ?? (await idOf(item));
		ids.set(key, id);
		all.push(item.isWrong ? '' : id);
	}
	return all;
}

function itemsOf(schedule: Schedule, taskIds: readonly string[]): INodeExecutionData[] {
	const isTwo = hasTwoAccounts(schedule);
	return schedule.items.map(({ name, isWrong }, row) => ({
		json: {
			row,
			// The rest of the prompt is the node's expression.
			prompt: `A film about ${name}`,
			...(isTwo && { account: accountOf(schedule, row) }),
			duration: isWrong ? WRONG_DURATION : SETTINGS.duration,
			...(taskIds[row] !== undefined && { task_id: taskIds[row] }),
		},
	}));
}

function bodyOf({ claim, shape }: CallbackPlan, taskId: string): Callback {
	const status = claim === 'ended' ? 'SUCCESS' : 'IN_PROGRESS';
	switch (shape) {
		case 'envelope':
			return { body: { code: 200, message: 'success', data: { task_id: taskId, status } } };
		case 'neighbour':
			return {
				body: { code: 200, data: { taskId, state: claim === 'ended' ? 'success' : 'run' } },
			};
		case 'empty':
			return {};
		case 'get':
			return { method: 'GET', query: { task_id: taskId } };
		case 'stranger':
			return { body: { code: 200, data: { task_id: 'other-provider-1', status } } };
	}
}

class Player {
	readonly story: Story;
	private lineage = 0;
	private isDown = false;
	private jumps = 0;

	constructor(
		private readonly stage: Stage,
		private readonly schedule: Schedule,
		taskIds: string[],
	) {
		this.story = {
			schedule,
			episodes: [],
			taskIds,
			earlierPosts: stage.book.posts.length,
			callbacks: 0,
			resumedTwice: 0,
			leftOpen: 0,
		};
	}

	async play(): Promise<void> {
		const { schedule } = this;
		let run = await this.toItsEnd(await this.start());
		if (run.status === 'canceled' && schedule.runsAgainAfterStop) {
			this.lineage += 1;
			run = await this.toItsEnd(await this.start(false));
		}
		for (const { heals } of schedule.retries) {
			if (run.status !== 'error') break;
			if (heals) await this.heal();
			const failed = run;
			const again = await this.episode('retry', failed, async () => ({
				run: await this.stage.n8n.retry(failed),
			}));
			run = await this.toItsEnd(again ?? failed);
		}
	}

	/** The API takes connections again when the clock has jumped often enough. */
	async jumped(): Promise<void> {
		this.jumps += 1;
		if (this.isDown && this.jumps >= this.schedule.downForJumps) await this.comeBack();
	}

	private async heal(): Promise<void> {
		this.stage.sandbox.faults.clear();
		this.stage.setCredential(hasTwoAccounts(this.schedule) ? 'byRow' : 'main');
		if (this.isDown) await this.comeBack();
	}

	async goDown(): Promise<void> {
		this.isDown = true;
		await this.stage.sandbox.goDown();
	}

	async comeBack(): Promise<void> {
		if (!this.isDown) return;
		this.isDown = false;
		const end = this.stage.time.begin();
		await this.stage.sandbox.comeBack();
		end();
	}

	private async start(mayBeStopped = true): Promise<Run> {
		const { schedule, stage } = this;
		const order: Order = {
			parameters: parametersOf(schedule),
			items: itemsOf(schedule, this.story.taskIds),
			node: {
				onError: schedule.onError,
				...(schedule.retryOnFail && { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 }),
			},
			credential: CREDENTIAL,
			settings:
				schedule.executionTimeout === null ? {} : { executionTimeout: schedule.executionTimeout },
			...(schedule.laterNodeBreaks && { after: 'breaks' }),
			rounds: schedule.rounds,
		};
		const run = await this.episode('start', undefined, async () => {
			const running = stage.n8n.start(order);
			const stop = mayBeStopped ? schedule.stop : null;
			let isStopped = false;
			let seen = 0;
			const count = (at: string) => {
				if (at !== stop?.at || (seen += 1) !== stop.nth) return;
				isStopped = true;
				running.stop();
			};
			stage.onRequest = count;
			this.onJump = () => count('jump');
			const ended = await running.finished;
			stage.onRequest = () => undefined;
			this.onJump = () => undefined;
			return { run: ended, isStopped: isStopped && ended.status === 'canceled' };
		});
		if (!run) throw new Error('A run that was started has no end');
		return run;
	}

	onJump: () => void = () => undefined;

	/** Follows a run through all of its pauses. */
	private async toItsEnd(run: Run): Promise<Run> {
		let current = run;
		// What was stopped is not suspended, even where the node still asked for it.
		const isPaused = () => Boolean(current.data.waitTill) && current.status !== 'canceled';
		for (let pauses = 0; isPaused() && pauses < MOST_PAUSES; pauses += 1) {
			current = (await this.callBack(current)) ?? (await this.timeUp(current));
		}
		return current;
	}

	private async timeUp(run: Run): Promise<Run> {
		const { time, n8n } = this.stage;
		await time.sleep(new Date(run.data.waitTill ?? 0).getTime() - time.now());
		const ended = await this.episode('timeUp', run, async () => ({ run: await n8n.timeUp(run) }));
		return ended ?? run;
	}

	/** Delivers what is planned for the tasks that a suspended run waits for; the run when it went on. */
	private async callBack(run: Run): Promise<Run | undefined> {
		const { stage, schedule } = this;
		const { callbacks } = schedule;
		const waiting = this.tasksOfRun(run);
		const planned = waiting
			.map((task, index) => ({ task, plan: callbacks[index % callbacks.length] }))
			.sort((a, b) => a.plan.rank - b.plan.rank);
		for (const { task, plan } of planned.filter(({ plan }) => plan.isEarly)) {
			const resumed = await this.deliver(run, bodyOf({ ...plan, claim: 'ended' }, task.id), 1);
			if (resumed) return resumed;
		}
		for (const { task, plan } of planned.filter(({ plan }) => !plan.isLost)) {
			if (!(await this.until(stage.endOf(task), run))) continue;
			for (let tries = 1; tries <= DELIVERIES; tries += 1) {
				const answers = this.refusals;
				const resumed = await this.deliver(run, bodyOf(plan, task.id), plan.copies);
				if (resumed) return resumed;
				if (this.refusals === answers) break;
				if (!(await this.until(stage.time.now() + REDELIVERY_MS, run))) break;
			}
		}
		if (!schedule.lastCallback) return undefined;
		for (const task of waiting) await this.until(stage.endOf(task), run);
		return await this.deliver(run, {}, 1);
	}

	/** Callbacks that were answered with "come again". */
	private refusals = 0;

	/** Delivers one callback, several times at the same moment; the run when it went on. */
	private async deliver(run: Run, callback: Callback, copies: number): Promise<Run | undefined> {
		const { n8n } = this.stage;
		const resumed = await this.episode('callback', run, async () => {
			const answers = await Promise.all(
				Array.from({ length: copies }, async () => await n8n.callback(run, callback)),
			);
			this.story.callbacks += copies;
			this.refusals += answers.filter(({ status }) => status === 503).length;
			const runs = answers.flatMap((answer) => answer.run ?? []);
			this.story.resumedTwice += Math.max(0, runs.length - 1);
			return { run: runs[0] };
		});
		if (resumed && this.schedule.lateCallback) {
			const { run: again } = await n8n.callback(run, callback);
			this.story.callbacks += 1;
			if (again) this.story.resumedTwice += 1;
		}
		return resumed;
	}

	/** Lets time pass until then; false when the suspended run would not wait so long. */
	private async until(then: number, run: Run): Promise<boolean> {
		const { time } = this.stage;
		if (then >= new Date(run.data.waitTill ?? 0).getTime()) return false;
		if (then > time.now()) await time.sleep(then - time.now());
		return true;
	}

	/** The tasks that the last round of a run has made, in the order of their creation. */
	private tasksOfRun(run: Run): SandboxTask[] {
		const { sandbox } = this.stage;
		const kept = JSON.stringify(run.data.executionData?.contextData[`node:${NODE}`] ?? {});
		return sandbox.tasks
			.all()
			.filter(({ id, account, ended }) => account.name === 'main' && !ended && kept.includes(id));
	}

	private async episode(
		cause: Cause,
		before: Run | undefined,
		work: () => Promise<{ run: Run | undefined; isStopped?: boolean }>,
	): Promise<Run | undefined> {
		const { book, time, n8n, sandbox } = this.stage;
		const from = {
			posts: book.posts.length,
			reads: book.reads.length,
			videos: book.videos.length,
			logs: n8n.logs.length,
		};
		const startedAt = time.now();
		const tasksBefore = new Set(sandbox.tasks.all().map(({ id }) => id));
		const wasDown = this.isDown;
		const { run, isStopped = false } = await work();
		const tookMs = time.now() - startedAt;
		await time.idle();
		if (!run) return undefined;
		this.story.episodes.push({
			cause,
			lineage: this.lineage,
			run,
			before,
			isStopped,
			posts: book.posts.slice(from.posts),
			reads: book.reads.slice(from.reads),
			videos: book.videos.slice(from.videos),
			readsUntil: book.reads.length,
			startedAt,
			tookMs,
			logs: n8n.logs
				.slice(from.logs)
				.map(({ text, more }) => `${text} ${more}`)
				.join('\n'),
			wasDown,
			tasksBefore,
		});
		return run;
	}
}

/** Plays a schedule on a stage that is made new for it. */
export async function perform(stage: Stage, schedule: Schedule): Promise<Story> {
	stage.reset();
	const { sandbox, time } = stage;
	time.latest = time.now() + LONGEST_STORY_MS;
	stage.planOf = (order, nth) => planOf(schedule, order, nth);
	const taskIds =
		isStarting(schedule.operation) || schedule.operation === 'estimateCost'
			? []
			: await tasksFor(stage, schedule);
	if (schedule.affordable !== null) sandbox.ledger.balance = schedule.affordable * CREDITS;
	if (schedule.otherAffordable !== null) {
		sandbox.otherAccount.balance = schedule.otherAffordable * CREDITS;
	}
	sandbox.faults.limits.add(...schedule.limits);
	stage.setCredential(
		hasTwoAccounts(schedule) ? 'byRow' : 'main',
		schedule.unreachable === null ? undefined : sandbox.unreachable[schedule.unreachable],
	);
	for (const { route, name, fault, times } of schedule.faults) {
		sandbox.faults.on(route, fault, { times, ...(name !== null && { prompt: name }) });
	}
	const player = new Player(stage, schedule, taskIds);
	stage.onJump = () => {
		void player.jumped();
		player.onJump();
	};
	if (schedule.downForJumps > 0) await player.goDown();
	try {
		await player.play();
	} finally {
		await player.comeBack();
		await time.idle();
	}
	player.story.leftOpen = stage.openRequests();
	return player.story;
}
