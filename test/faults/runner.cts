// Runs one schedule: starts the workflow, lets the faults and the callbacks come, stops, retries, and keeps what happened.
import type { INodeExecutionData, INodeParameters } from 'n8n-workflow';

import {
	type LinkPlan,
	type PostEntry,
	type Route,
	type SandboxTask,
	type TaskPlan,
	type VideoOrder,
	type VideoRead,
} from '../sandbox/server.cjs';
import { NODE, type Callback, type Run } from '../support/engine.cjs';
import { CREDENTIAL, type Exchange, type Harness, type ReadExchange } from './harness.cjs';
import {
	accountOf,
	canRestart,
	creditsFor,
	FORMS,
	hasTwoAccounts,
	modelOf,
	nameIn,
	NOT_ACCEPTED,
	promptOf,
	V1,
	VIDEOS,
	WRONG_DURATION,
	type CallbackPlan,
	type Ending,
	type ItemPlan,
	type Schedule,
} from './schedule.cjs';

/** One stretch of an execution, from its start (or resumption) to its end (or suspension). */
export interface Segment {
	/** From the start, by Retry, by a callback, or because its time was up. */
	cause: 'start' | 'retry' | 'callback' | 'timeUp';
	/** Executions and their retries share a number; what a person restarts gets the next. */
	lineage: number;
	run: Run;
	/** The same execution before this stretch. */
	before: Run | undefined;
	/** It was stopped while it ran. */
	isStopped: boolean;
	posts: Array<Exchange<PostEntry>>;
	reads: ReadExchange[];
	videos: Array<Exchange<VideoRead>>;
	/** How many reads the harness had recorded at its end. */
	readsUntil: number;
	/** Virtual milliseconds since 1970. */
	startedAt: number;
	/** Virtual milliseconds. */
	tookMs: number;
	/** Everything logged from its start until nothing was running any more. */
	logs: string;
	/** Tasks that were there when it began. */
	tasksBefore: ReadonlySet<string>;
}

export interface Trace {
	schedule: Schedule;
	segments: Segment[];
	/** Get Status and Wait for Video: by item, the task to read. */
	taskIds: string[];
	/** POSTs outside of every segment: those that made `taskIds`. */
	earlierPosts: number;
	/** Callbacks that were delivered. */
	callbacks: number;
	/** How often an execution was resumed a second time from the same pause. */
	resumedTwice: number;
	/** Requests whose caller still waited for a response when everything else had ended. */
	leftOpen: number;
}

/** Where the API would post; nothing listens. */
const CALLBACK_URL = 'http://127.0.0.1:9/webhook/a-trigger/webhook';
/** Virtual milliseconds after which a sender tries again, and how often. */
const REDELIVERY_MS = 30_000;
const DELIVERIES = 3;
/** Virtual milliseconds: far more than any schedule may take. */
const LONGEST_TRACE_MS = 24 * 60 * 60_000;
/** Rounds of pausing; more would be an endless loop. */
const MOST_PAUSES = 8;
/** Virtual seconds that a brief link lives. */
const BRIEF_LINK_SECONDS = 20;

const LINKS: Readonly<Record<NonNullable<Ending['link']>, LinkPlan | undefined>> = {
	lasting: undefined,
	refusedOnce: { refusals: 1, status: 404 },
	brief: { seconds: BRIEF_LINK_SECONDS },
	dead: { seconds: BRIEF_LINK_SECONDS, isRenewed: false, status: 410 },
};

/** What the sandbox makes of the nth request with a prompt: the ending of its name, in the API's words. */
export function planOf(
	{ endings, failing }: Pick<Schedule, 'endings'> & Partial<Pick<Schedule, 'failing'>>,
	order: VideoOrder,
	nth: number,
): TaskPlan {
	const ending = endings[nameIn(order.prompt) ?? 'apple'];
	const { ends, seconds, unknownSeconds, urlLateSeconds, link = 'lasting' } = ending;
	const form = ending.form ? FORMS[ending.form] : {};
	const { first = 0, reason = NOT_ACCEPTED, isCharged = false } = failing ?? {};
	const failed: TaskPlan['outcome'] = {
		status: 'FAILED',
		...(isCharged && { charged: true }),
		// An API that repeats the callback URL, which holds a token.
		errorMessage: `${reason}${order.callback_url ? ` (told ${order.callback_url})` : ''}`,
		...form.failure,
	};
	const succeeded: TaskPlan['outcome'] = {
		status: 'SUCCESS',
		...(urlLateSeconds !== undefined && { urlAfterSeconds: urlLateSeconds }),
		...(LINKS[link] && { link: LINKS[link] }),
		...form.success,
	};
	const outcomes: Record<Ending['ends'], TaskPlan> = {
		never: { seconds: Infinity },
		failed: { outcome: failed },
		failedOnce: { outcome: nth === 1 ? failed : succeeded },
		noVideo: { outcome: { status: 'SUCCESS', response: 'empty' } },
		expired: { outcome: { status: 'SUCCESS', videoStatus: 410 } },
		ready: { outcome: succeeded },
	};
	return {
		...form.plan,
		...(unknownSeconds !== undefined && { unknownSeconds }),
		seconds,
		...outcomes[nth <= first ? 'failed' : ends],
	};
}

function parametersOf(schedule: Schedule): INodeParameters {
	const { operation, batch, maxVideos, rounds, timeout, pollInterval, failing, maxAtOnce } =
		schedule;
	const own = (field: string) => `$('Start').all()[$itemIndex].json.${field}`;
	const either = "['seedance-v1', 'seedance-2-mini'][Math.round(Math.random())]";
	const settings = {
		model: `={{ ${schedule.changingModel ? either : own('model')} }}`,
		resolution: `={{ ${own('resolution')} }}`,
		duration: `={{ ${own('duration')} }}`,
		generateAudio: false,
	};
	if (operation === 'estimateCost') return { operation, ...settings };

	const batching = batch && {
		batch: { batchSize: batch.size, batchInterval: batch.seconds * 1000 },
	};
	const options = {
		...(operation !== 'generate' && { timeout }),
		...(operation !== 'generate' && pollInterval !== null && { pollInterval }),
		...(operation !== 'wait' &&
			maxVideos !== null && { maxCredits: creditsFor(schedule, maxVideos) }),
		...(operation !== 'wait' && batching && { batching }),
		...(canRestart(operation) && failing && { restarts: failing.restarts }),
		...(maxAtOnce !== null && { maxAtOnce }),
	};
	const output = { simplify: schedule.simplify, downloadVideo: schedule.download };
	const taskId = `={{ ${own('task_id')} }}`;
	if (operation === 'status') return { operation, taskId, ...output };
	if (operation === 'wait') return { operation, taskId, ...output, options };

	const part = rounds === 1 || schedule.sameEachRound ? '' : ' + ", part " + $runIndex';
	const change = schedule.changingPrompt ? ' + " ~" + Math.random()' : '';
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
		options,
	};
}

/** The task of each item that reads one, started past the node; items of the same name read the same one. */
async function tasksFor({ sandbox }: Harness, schedule: Schedule): Promise<string[]> {
	const ids = new Map<string, string>();
	const idOf = async ({ name, task, account = 'main' }: ItemPlan): Promise<string> => {
		if (task === 'unknown') return `seed15unknown-${name}`;
		const isMain = (task === 'own') === (account === 'main');
		const { apiKey } = isMain ? sandbox : sandbox.otherAccount;
		const order = { prompt: promptOf(schedule, name, 0), aspect_ratio: '9:16' };
		const model = modelOf(schedule, name);
		const { resolution, duration } = VIDEOS[model];
		const isV1 = model === V1;
		const settings = isV1
			? { resolution, duration }
			: { model, ...(resolution && { resolution }), duration: Number(duration) };
		await fetch(`${isV1 ? sandbox.baseUrl : sandbox.baseUrlV2}/generate`, {
			method: 'POST',
			headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
			body: JSON.stringify({ ...order, ...settings }),
		});
		// Its response may hold the id in any form.
		return sandbox.ledger.posts().at(-1)?.taskId ?? '';
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
			model: modelOf(schedule, name),
			...VIDEOS[modelOf(schedule, name)],
			...(isWrong && { duration: WRONG_DURATION }),
			...(taskIds[row] !== undefined && { task_id: taskIds[row] }),
		},
	}));
}

function callbackFor({ claim, shape }: CallbackPlan, task_id: string): Callback {
	const hasEnded = claim === 'ended';
	const status = hasEnded ? 'SUCCESS' : 'IN_PROGRESS';
	const bodies: Record<CallbackPlan['shape'], Callback> = {
		envelope: { body: { code: 200, message: 'success', data: { task_id, status } } },
		neighbour: {
			body: { code: 200, data: { taskId: task_id, state: hasEnded ? 'success' : 'run' } },
		},
		empty: {},
		get: { method: 'GET', query: { task_id } },
		stranger: { body: { code: 200, data: { task_id: 'other-provider-1', status } } },
	};
	return bodies[shape];
}

class ScheduleRun {
	readonly trace: Trace;
	private lineage = 0;
	private isDown = false;
	private jumps = 0;
	/** Callbacks that got "come again". */
	private refusals = 0;
	/** Counts the requests and the jumps after one of which the run is stopped. */
	private count: (at: Route | 'jump') => void = () => undefined;

	constructor(
		private readonly harness: Harness,
		private readonly schedule: Schedule,
		taskIds: string[],
	) {
		this.trace = {
			schedule,
			segments: [],
			taskIds,
			earlierPosts: harness.requests.posts.length,
			callbacks: 0,
			resumedTwice: 0,
			leftOpen: 0,
		};
	}

	async toItsEnd(): Promise<void> {
		const { schedule, harness } = this;
		harness.onRequest = (route) => this.count(route);
		harness.onJump = () => {
			this.jumped();
			this.count('jump');
		};
		if (schedule.downForJumps > 0) {
			this.isDown = true;
			await harness.sandbox.goDown();
		}
		let run = await this.throughPauses(await this.start(schedule.stop));
		if (run.status === 'canceled' && schedule.runsAgainAfterStop) {
			this.lineage += 1;
			run = await this.throughPauses(await this.start(null));
		}
		for (const { heals } of schedule.retries) {
			if (run.status !== 'error') break;
			if (heals) await this.heal();
			const failed = run;
			const again = await this.segment('retry', failed, async () => ({
				run: await harness.n8n.retry(failed),
			}));
			run = await this.throughPauses(again ?? failed);
		}
	}

	async comeBack(): Promise<void> {
		if (!this.isDown) return;
		this.isDown = false;
		const end = this.harness.time.begin();
		await this.harness.sandbox.comeBack();
		end();
	}

	private async heal(): Promise<void> {
		this.harness.sandbox.faults.clear();
		this.harness.setCredential(hasTwoAccounts(this.schedule) ? 'byRow' : 'main');
		await this.comeBack();
	}

	private async start(stop: Schedule['stop']): Promise<Run> {
		const { schedule, harness } = this;
		const { onError, retryOnFail, executionTimeout, laterNodeBreaks, rounds } = schedule;
		const run = await this.segment('start', undefined, async () => {
			const running = harness.n8n.start({
				parameters: parametersOf(schedule),
				items: itemsOf(schedule, this.trace.taskIds),
				node: {
					onError,
					...(retryOnFail && { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 }),
				},
				credential: CREDENTIAL,
				settings: executionTimeout === null ? {} : { executionTimeout },
				...(laterNodeBreaks && { after: 'breaks' }),
				rounds,
			});
			let isStopped = false;
			let counted = 0;
			this.count = (at) => {
				if (at !== stop?.at || (counted += 1) !== stop.nth) return;
				isStopped = true;
				running.stop();
			};
			const ended = await running.finished;
			this.count = () => undefined;
			return { run: ended, isStopped: isStopped && ended.status === 'canceled' };
		});
		if (!run) throw new Error('A run that was started has no end');
		return run;
	}

	/** The API takes connections again when the clock has jumped often enough. */
	private jumped(): void {
		this.jumps += 1;
		if (this.jumps >= this.schedule.downForJumps) void this.comeBack();
	}

	/** Follows a run through all of its pauses. */
	private async throughPauses(run: Run): Promise<Run> {
		let current = run;
		// What was stopped is not suspended, even where the node still asked for it.
		const isPaused = () => Boolean(current.data.waitTill) && current.status !== 'canceled';
		for (let pauses = 0; isPaused() && pauses < MOST_PAUSES; pauses += 1) {
			current = (await this.callBack(current)) ?? (await this.timeUp(current));
		}
		return current;
	}

	private async timeUp(run: Run): Promise<Run> {
		const { time, n8n } = this.harness;
		await time.sleep(new Date(run.data.waitTill ?? 0).getTime() - time.now());
		const ended = await this.segment('timeUp', run, async () => ({ run: await n8n.timeUp(run) }));
		return ended ?? run;
	}

	/** Delivers what is planned for the tasks that a suspended run waits for; the run when it was resumed. */
	private async callBack(run: Run): Promise<Run | undefined> {
		const { harness, schedule } = this;
		const { callbacks } = schedule;
		const waiting = this.tasksOf(run);
		const planned = waiting
			.map((task, index) => ({ task, plan: callbacks[index % callbacks.length] }))
			.sort((a, b) => a.plan.rank - b.plan.rank);
		for (const { task, plan } of planned.filter((one) => one.plan.isEarly)) {
			const early = callbackFor({ ...plan, claim: 'ended' }, task.id);
			const resumed = await this.deliver(run, early, 1);
			if (resumed) return resumed;
		}
		for (const { task, plan } of planned.filter((one) => !one.plan.isLost)) {
			if (!(await this.until(harness.endOf(task), run))) continue;
			for (let tries = 1; tries <= DELIVERIES; tries += 1) {
				const before = this.refusals;
				const resumed = await this.deliver(run, callbackFor(plan, task.id), plan.copies);
				if (resumed) return resumed;
				if (this.refusals === before) break;
				if (!(await this.until(harness.time.now() + REDELIVERY_MS, run))) break;
			}
		}
		if (!schedule.lastCallback) return undefined;
		for (const task of waiting) await this.until(harness.endOf(task), run);
		return await this.deliver(run, {}, 1);
	}

	/** Delivers one callback, several times at the same moment; the run when it was resumed. */
	private async deliver(run: Run, callback: Callback, copies: number): Promise<Run | undefined> {
		const { trace } = this;
		const { n8n } = this.harness;
		const resumed = await this.segment('callback', run, async () => {
			const responses = await Promise.all(
				Array.from({ length: copies }, async () => await n8n.callback(run, callback)),
			);
			trace.callbacks += copies;
			this.refusals += responses.filter(({ status }) => status === 503).length;
			const runs = responses.flatMap((response) => response.run ?? []);
			trace.resumedTwice += Math.max(0, runs.length - 1);
			return { run: runs[0] };
		});
		if (resumed && this.schedule.lateCallback) {
			const { run: again } = await n8n.callback(run, callback);
			trace.callbacks += 1;
			if (again) trace.resumedTwice += 1;
		}
		return resumed;
	}

	/** Lets time pass until then; false when the suspended run would not wait so long. */
	private async until(then: number, run: Run): Promise<boolean> {
		const { time } = this.harness;
		if (then >= new Date(run.data.waitTill ?? 0).getTime()) return false;
		if (then > time.now()) await time.sleep(then - time.now());
		return true;
	}

	/** The running tasks that a run has made, in the order of their creation. */
	private tasksOf(run: Run): SandboxTask[] {
		const kept = JSON.stringify(run.data.executionData?.contextData[`node:${NODE}`] ?? {});
		return this.harness.sandbox.tasks
			.all()
			.filter(({ id, account, ended }) => account.name === 'main' && !ended && kept.includes(id));
	}

	private async segment(
		cause: Segment['cause'],
		before: Run | undefined,
		work: () => Promise<{ run: Run | undefined; isStopped?: boolean }>,
	): Promise<Run | undefined> {
		const { requests, time, n8n, sandbox } = this.harness;
		const { posts, reads, videos } = requests;
		const from = [posts.length, reads.length, videos.length, n8n.logs.length];
		const startedAt = time.now();
		const tasksBefore = new Set(sandbox.tasks.all().map(({ id }) => id));
		const { run, isStopped = false } = await work();
		const tookMs = time.now() - startedAt;
		await time.idle();
		if (!run) return undefined;
		this.trace.segments.push({
			cause,
			lineage: this.lineage,
			run,
			before,
			isStopped,
			posts: posts.slice(from[0]),
			reads: reads.slice(from[1]),
			videos: videos.slice(from[2]),
			readsUntil: reads.length,
			startedAt,
			tookMs,
			logs: n8n.logs
				.slice(from[3])
				.map(({ text, more }) => `${text} ${more}`)
				.join('\n'),
			tasksBefore,
		});
		return run;
	}
}

/** Lets faults strike from now on, and limits the credits that the account can pay. */
export function addTrouble(
	{ sandbox }: Harness,
	{ faults, balance }: Pick<Schedule, 'faults'> & { balance?: number },
): void {
	if (balance !== undefined) sandbox.ledger.balance = balance;
	for (const { route, name, fault, times } of faults) {
		sandbox.faults.on(route, fault, { times, ...(name !== null && { prompt: name }) });
	}
}

/** Runs a schedule on a harness that is reset for it. */
export async function runSchedule(harness: Harness, schedule: Schedule): Promise<Trace> {
	const { sandbox, time } = harness;
	const { operation, affordable, otherAffordable, limits, unreachable, faults } = schedule;
	harness.reset();
	harness.planOf = (order, nth) => planOf(schedule, order, nth);
	time.latest = time.now() + LONGEST_TRACE_MS;
	const readsTasks = operation === 'status' || operation === 'wait';
	const taskIds = readsTasks ? await tasksFor(harness, schedule) : [];
	const balance = affordable === null ? undefined : creditsFor(schedule, affordable);
	addTrouble(harness, { faults, balance });
	if (otherAffordable !== null) {
		sandbox.otherAccount.balance = creditsFor(schedule, otherAffordable);
	}
	sandbox.faults.limits.add(...limits);
	harness.setCredential(
		hasTwoAccounts(schedule) ? 'byRow' : 'main',
		unreachable === null ? undefined : sandbox.unreachable[unreachable],
	);
	const run = new ScheduleRun(harness, schedule, taskIds);
	try {
		await run.toItsEnd();
	} finally {
		await run.comeBack();
		await time.idle();
	}
	run.trace.leftOpen = harness.openRequests();
	return run.trace;
}
