// The judge of the fault suite: holds what a schedule's executions say against what the sandbox knows. It reads the
// books, the tasks and the stored executions, and takes the node's word for nothing.
import {
	replaceCircularReferences,
	type IDataObject,
	type INodeExecutionData,
	type ITaskData,
} from 'n8n-workflow';

import { isRecord, type PostEntry, type SandboxTask } from '../sandbox/server.cjs';
import { NODE, type Run } from '../support/engine.cjs';
import { CREDITS, type Episode, type Story } from './perform.cjs';
import {
	accountOf,
	hasTwoAccounts,
	isStarting,
	promptOf,
	SETTINGS,
	type Schedule,
} from './schedule.cjs';
import {
	answerToPost,
	endsBatch,
	isBrokenDownload,
	isRefusedLink,
	lookOf,
	SUCCESS_WORDS,
	type Look,
} from './seen.cjs';
import type { Met, Stage } from './stage.cjs';

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

export interface Violation {
	rule: Rule;
	text: string;
}

/** Where the id of each paid task was found: the first place counts. */
export interface Whereabouts {
	output: number;
	error: number;
	data: number;
	log: number;
	/** The answer was lost, so that no caller can know the id: told as "may have been started". */
	untold: number;
}

export interface Verdict {
	violations: Violation[];
	ids: Whereabouts;
}

/** Fields of every item that is simplified, whatever became of it. */
const FIELDS = [
	'task_id',
	'status',
	'finished',
	'succeeded',
	'video_url',
	'prompt',
	'consumed_credits',
	'estimated_credits',
	'created_at',
	'error_message',
];
/** Faults that last for ever unless they say for how long. */
const ENDLESS_KINDS: readonly string[] = ['hang', 'accept-then-hang', 'drip'];
/** Virtual milliseconds. */
const SECOND = 1000;
const MINUTE = 60_000;
/** What passes beside the waits: clocks of callbacks that nobody waits for any more, and the like. */
const SLACK_MS = 15 * SECOND;
/** A callback is decided within 8 seconds. */
const LONGEST_CALLBACK_MS = 10 * SECOND;
const MOST_POSTS = 5;
/** Reads in a row that have failed at the end of a wait which has lost contact. */
const MOST_READS = 5;
/** Reads of a task that is looked at only once, before it is given up. */
const FEWEST_TRIES = 2;
const MOST_TRIES = 3;
/** A 404 within so long after a task was made is no answer. Around it, either is right. */
const YOUNG_MS = MINUTE;
const YOUNG_SLACK_MS = 6 * SECOND;
/** A success without its video is read again for so long before that is its end. */
const GRACE_MS = 30 * SECOND;
/** How much earlier than its limit a wait may end, and how long before its end it may have read last. */
const EARLY_MS = 2 * SECOND;
const LAST_READ_MS = 90 * SECOND;
/** A `Retry-After` up to here is honoured. */
const LONGEST_RETRY_AFTER_MS = MINUTE;
/** A video is downloaded so soon after the reading that showed it. */
const SOON_MS = 10 * SECOND;
/** The shortest time limit of a workflow that leaves room for an answer. */
const ROOMY_LIMIT_S = 15;
/** Milliseconds that one call may take, when nobody ends it. */
const POST_DEADLINE_MS = MINUTE;
const READ_DEADLINE_MS = 30 * SECOND;

/** An item as it was given out, or as an error lists it. */
interface Found {
	episode: Episode;
	runIndex: number;
	index: number;
	json: IDataObject;
	/** From the context of the error of a node that stops. */
	isInError: boolean;
	/** The other items of the same output, for tasks that several look at. */
	all: IDataObject[];
}

function textOf(value: unknown): string | undefined {
	return typeof value === 'string' && value !== '' ? value : undefined;
}

function asText(value: unknown): string {
	return JSON.stringify(replaceCircularReferences(value)) ?? '';
}

function shown(json: IDataObject): string {
	const { task_id, status, succeeded, error_code, charged } = json;
	return JSON.stringify({ task_id, status, succeeded, error_code, charged });
}

/** What an item in the list of an error says of its cost. */
function costOf({ error_code, charged, consumed_credits, task_id }: IDataObject): string {
	if (error_code !== undefined) return String(charged);
	if (typeof consumed_credits === 'number') return consumed_credits > 0 ? 'yes' : 'no';
	return task_id === null ? 'no' : 'unknown';
}

function indexOf({ pairedItem }: INodeExecutionData): number | undefined {
	const first = Array.isArray(pairedItem) ? pairedItem[0] : pairedItem;
	return typeof first === 'object' ? first.item : first;
}

function isAscending(numbers: readonly number[]): boolean {
	return numbers.every((number, at) => at === 0 || numbers[at - 1] < number);
}

function entriesOf(run: Run): ITaskData[] {
	return run.data.resultData.runData[NODE] ?? [];
}

function outputsOf(entry: ITaskData | undefined): INodeExecutionData[][] {
	return (entry?.data?.main ?? []).map((items) => items ?? []);
}

/** Whether the node itself is what a run failed at. */
function failedAtNode(run: Run): boolean {
	return run.data.resultData.lastNodeExecuted === NODE && Boolean(entriesOf(run).at(-1)?.error);
}

/** How many rounds of the node an episode has taken over from before. */
function carriedRounds({ cause, before }: Episode): number {
	if (!before) return 0;
	const count = entriesOf(before).length;
	return cause === 'retry' && !failedAtNode(before) ? count : count - 1;
}

/** Whether n8n has handed on the items of a round because the time of the pause was up, without asking the node. */
function isHandedOn(episode: Episode, runIndex: number): boolean {
	return episode.cause === 'timeUp' && runIndex === carriedRounds(episode);
}

function promptIn({ json }: PostEntry): string {
	const prompt = isRecord(json) ? textOf(json.prompt) : undefined;
	// What follows is different at each evaluation.
	return (prompt ?? '').split(' ~')[0];
}

/** The length of the longest run of entries for which `test` holds. */
function longestRun<T>(list: readonly T[], test: (entry: T) => boolean): number {
	let longest = 0;
	let current = 0;
	for (const entry of list) {
		current = test(entry) ? current + 1 : 0;
		longest = Math.max(longest, current);
	}
	return longest;
}

/** The last place at which `test` holds; -1 for none. */
function lastIndexOf<T>(list: readonly T[], test: (entry: T) => boolean): number {
	return list.reduce((last, entry, index) => (test(entry) ? index : last), -1);
}

/** Judges one story on the stage on which it was played, before that is made new. */
export function judge(stage: Stage, story: Story): Verdict {
	return new Judge(stage, story).verdict();
}

class Judge {
	private readonly violations: Violation[] = [];
	private readonly ids: Whereabouts = { output: 0, error: 0, data: 0, log: 0, untold: 0 };
	private readonly schedule: Schedule;

	constructor(
		private readonly stage: Stage,
		private readonly story: Story,
	) {
		this.schedule = story.schedule;
	}

	verdict(): Verdict {
		const { episodes, resumedTwice } = this.story;
		if (resumedTwice > 0) this.report('resumed twice', `${resumedTwice} times`);
		for (const lineage of new Set(episodes.map((episode) => episode.lineage))) {
			const own = episodes.filter((episode) => episode.lineage === lineage);
			this.charges(own);
			this.whereabouts(own);
		}
		for (const episode of episodes) {
			this.restraint(episode);
			this.pause(episode);
			this.rounds(episode);
			this.end(episode);
			this.time(episode);
			this.patience(episode);
			this.brake(episode);
			this.secrets(episode);
		}
		this.handedOnThoughEnded();
		this.contract();
		return { violations: this.violations, ids: this.ids };
	}

	private report(rule: Rule, text: string): void {
		this.violations.push({ rule, text });
	}

	private task(taskId: string): SandboxTask | undefined {
		return this.stage.sandbox.tasks.get(taskId);
	}

	private own(episode: Episode): Episode[] {
		return this.story.episodes.filter(({ lineage }) => lineage === episode.lineage);
	}

	/** How often the node may have tried in one round. */
	private get tries(): number {
		return this.schedule.retryOnFail ? MOST_TRIES : 1;
	}

	// Charges and POSTs

	/** By prompt, how many items of an execution and its retries wanted that video. */
	private wanted(episodes: readonly Episode[]): Map<string, number> {
		const { schedule } = this;
		const wanted = new Map<string, number>();
		const rounds = Math.max(
			1,
			...episodes.map(({ run, isStopped }) => entriesOf(run).length + (isStopped ? 1 : 0)),
		);
		for (let runIndex = 0; runIndex < Math.min(rounds, schedule.rounds); runIndex += 1) {
			const items = Math.max(...episodes.map(({ run }) => this.inputOf(run, runIndex)));
			for (const { name } of schedule.items.slice(0, items)) {
				const prompt = promptOf(schedule, name, runIndex);
				wanted.set(prompt, (wanted.get(prompt) ?? 0) + 1);
			}
		}
		return wanted;
	}

	/** How many items one round of the node got. */
	private inputOf(run: Run, runIndex: number): number {
		if (runIndex === 0) return this.schedule.items.length;
		return outputsOf(entriesOf(run)[runIndex - 1])[0]?.length ?? 0;
	}

	/** At most one charge for each item that is protected, and no POST after one that may have been accepted. */
	private charges(episodes: readonly Episode[]): void {
		// A prompt that comes out differently at each try is the same item all the same.
		const wanted = this.wanted(episodes);
		const held = new Map<string, number>();
		const replaced = new Set<string>();
		for (const episode of episodes) {
			for (const post of episode.posts) {
				const answer = answerToPost(post);
				if (answer === 'refused' || answer === 'any') continue;
				const prompt = promptIn(post.entry);
				const already = held.get(prompt) ?? 0;
				if (already < (wanted.get(prompt) ?? 0)) {
					held.set(prompt, already + 1);
					continue;
				}
				const failed = episode.cause === 'retry' && this.failedBefore(episode, prompt, replaced);
				if (failed) replaced.add(failed);
				else {
					this.report(
						post.entry.accepted ? 'charged twice' : 'sent again',
						`POST ${post.entry.index} for "${prompt}" (${episode.cause}), ${already} before it`,
					);
				}
			}
		}
	}

	/** A failed task with this prompt that an earlier episode has made and nobody has replaced yet. */
	private failedBefore(
		episode: Episode,
		prompt: string,
		replaced: ReadonlySet<string>,
	): string | undefined {
		return (
			this.own(episode)
				.flatMap(({ posts }) => posts)
				.map(({ entry }) => entry)
				.find(
					({ taskId, ...entry }) =>
						taskId !== null &&
						promptIn({ taskId, ...entry }) === prompt &&
						episode.tasksBefore.has(taskId) &&
						!replaced.has(taskId) &&
						this.isToldFailed(taskId),
				)?.taskId ?? undefined
		);
	}

	/** Whether a read has shown this task as failed. */
	private isToldFailed(taskId: string): boolean {
		const task = this.task(taskId);
		return this.stage.book.reads
			.filter(({ entry }) => entry.taskId === taskId)
			.map((read) => lookOf(read, task))
			.some((look) => look.kind === 'task' && look.state === 'failed');
	}

	/** What must not be sent at all. */
	private restraint(episode: Episode): void {
		const { schedule } = this;
		const { posts, cause, before, reads, videos } = episode;
		const none = (because: string) => {
			if (posts.length) this.report('went on', `${posts.length} POSTs ${because} (${cause})`);
		};
		if (!isStarting(schedule.operation)) none('of an operation that starts nothing');
		if (schedule.operation === 'estimateCost' && reads.length + videos.length > 0) {
			this.report('went on', 'the estimate called the API');
		}
		if (schedule.operation === 'pause' && hasTwoAccounts(schedule)) {
			none('of a pause whose key comes from the row');
		}
		const stops = schedule.onError === 'stopWorkflow';
		if (stops && schedule.items.some(({ isWrong }) => isWrong)) none('though an item is wrong');
		if (cause === 'retry' && before && !failedAtNode(before)) none('of a node that had succeeded');
		if (schedule.rounds === 1 && (cause === 'callback' || cause === 'timeUp'))
			none('after a pause');
		if (schedule.maxVideos !== null && schedule.items.length > 0 && cause === 'start') {
			const most = schedule.maxVideos;
			const good = schedule.items.filter(({ isWrong }) => !isWrong).length;
			if (good > most && schedule.rounds === 1) none('beyond Maximum Credits per Run');
		}
		this.failedPosts(episode, stops);
	}

	/** What follows a POST that failed. */
	private failedPosts({ posts, run }: Episode, stops: boolean): void {
		const { items, rounds } = this.schedule;
		const accounts = [...new Set(posts.map(({ entry }) => entry.account))];
		if (this.tries === 1 && (stops || rounds === 1)) {
			// With On Error = Stop nothing follows at all; else nothing of the same account.
			const groups = stops
				? [posts]
				: accounts.map((account) => posts.filter(({ entry }) => entry.account === account));
			for (const group of groups) {
				const last = group.findIndex((post) => {
					if (answerToPost(post) === 'created' || post.entry.answered === 429) return false;
					return stops ? answerToPost(post) !== 'misled' : endsBatch(post);
				});
				if (last >= 0 && last < group.length - 1) {
					this.report('went on', `${group.length - 1 - last} POSTs after one that ends the batch`);
				}
			}
		}
		const most = items.length * Math.min(rounds, entriesOf(run).length + 1) * this.tries;
		const refused = posts.filter((post) => answerToPost(post) === 'refused');
		const limited = refused.filter(({ entry }) => entry.answered === 429).length;
		if (refused.length - limited > most) {
			this.report('sent again', `${refused.length - limited} POSTs that were refused`);
		}
		for (const account of accounts) {
			const own = posts.filter(({ entry }) => entry.account === account);
			const longest = longestRun(own, ({ entry }) => entry.answered === 429);
			const allowed = MOST_POSTS * this.tries * Math.min(rounds, entriesOf(run).length + 1);
			if (longest > allowed) {
				this.report('sent again', `${longest} POSTs in a row that were answered with 429`);
			}
		}
	}

	/** A task whose end was reported while the execution still ran is seen right before the pause. */
	private pause({ run, posts, reads, isStopped }: Episode): void {
		const { downForJumps, executionTimeout } = this.schedule;
		// No time at all leaves none for a look, and the limit of a workflow may leave none.
		if (this.waitMs === 0 || executionTimeout !== null) return;
		if (!run.data.waitTill || isStopped || downForJumps > 0) return;
		// What the API has asked to wait for, it is not asked before.
		if ([...posts, ...reads].some(({ entry }) => entry.answered === 429)) return;
		const round = entriesOf(run).length - 1;
		const prompts = this.schedule.items.map(({ name }) => promptOf(this.schedule, name, round));
		for (const post of posts.filter((one) => answerToPost(one) === 'created')) {
			const { taskId } = post.entry;
			if (!prompts.includes(promptIn(post.entry))) continue;
			if (reads.some(({ entry }) => entry.taskId === taskId)) continue;
			this.report('wrong outcome', `task ${taskId} was not looked at right before the pause`);
		}
	}

	// Ids

	private whereabouts(episodes: readonly Episode[]): void {
		const accepted = episodes.flatMap(({ posts }) => posts).filter(({ entry }) => entry.accepted);
		if (accepted.length === 0) return;
		// Of an execution that was stopped n8n keeps what was there before; the node's part of it is not relied on.
		const kept = episodes.filter(({ isStopped }) => !isStopped).map(({ run }) => run);
		const entries = (run: Run) => Object.values(run.data.resultData.runData).flat();
		const places = {
			output: asText(kept.map((run) => entries(run).map(({ data }) => data))),
			error: asText(kept.map((run) => [run.error, entries(run).map(({ error }) => error)])),
			data: asText(kept.map((run) => run.data.executionData)),
			log: episodes.map(({ logs }) => logs).join('\n'),
		};
		const told = `${places.output}${places.error}${places.log}`;
		for (const post of accepted) {
			const { taskId, index } = post.entry;
			const answer = answerToPost(post);
			if (answer === 'misled') continue;
			const place = (['output', 'error', 'data', 'log'] as const).find((name) =>
				places[name].includes(taskId ?? ''),
			);
			// An odd answer may hold the id all the same, and then it is found.
			if (answer === 'unclear' && !place) {
				this.ids.untold += 1;
				if (!/maybe_created|may have been created/.test(told)) {
					this.report('id lost', `POST ${index} was charged, and its lost answer is told nowhere`);
				}
				continue;
			}
			if (place) this.ids[place] += 1;
			else this.report('id lost', `task ${taskId} of POST ${index} is nowhere`);
		}
	}

	// Items

	/** Every round of the node that an episode has ended. */
	private rounds(episode: Episode): void {
		const { run, isStopped } = episode;
		const entries = entriesOf(run);
		const until = run.data.waitTill ? entries.length - 1 : entries.length;
		for (let runIndex = carriedRounds(episode); runIndex < until; runIndex += 1) {
			const entry = entries[runIndex];
			const count = this.inputOf(run, runIndex);
			if (entry.error) {
				if (!isStopped) this.failedRound(episode, runIndex, entry, count);
			} else {
				this.round(episode, runIndex, outputsOf(entry), count);
			}
		}
	}

	private failedRound(
		episode: Episode,
		runIndex: number,
		{ error }: ITaskData,
		count: number,
	): void {
		const { onError } = this.schedule;
		const { runData } = episode.run.data.resultData;
		if (onError !== 'stopWorkflow') {
			this.report('went on', `the node threw with On Error ${onError}: ${error?.message}`);
			return;
		}
		if (episode.run.status !== 'error') {
			this.report('went on', `the node failed and the run is "${episode.run.status}"`);
		}
		if ((runData.Rounds?.length ?? 0) > runIndex || runData.After || runData.Between) {
			this.report('went on', 'a node ran after the one that failed');
		}
		const context: unknown = error && 'context' in error ? error.context : undefined;
		const told = isRecord(context) ? context : {};
		const tasks: unknown[] = Array.isArray(told.tasks) ? told.tasks : [];
		const jsons = tasks.flatMap((json): IDataObject[] =>
			isRecord(json) ? [JSON.parse(JSON.stringify(json))] : [],
		);
		if (jsons.length !== count || jsons.some(({ item }, index) => item !== index)) {
			this.report('items', `the error lists ${jsons.length} of ${count} items: ${error?.message}`);
			return;
		}
		const failed = jsons.filter(({ error_code }) => error_code !== undefined);
		if (failed.length === 0) {
			this.report('wrong outcome', `the node failed without a failed item: ${error?.message}`);
		}
		const isKnown = failed.some(({ error_code }) => error_code === told.error_code);
		if (!isKnown)
			this.report('wrong outcome', `the error is ${String(told.error_code)} of no item`);
		const costs = jsons.map(costOf);
		const cost = costs.includes('yes') ? 'yes' : costs.includes('unknown') ? 'unknown' : 'no';
		if (told.charged !== cost) {
			const said = String(told.charged);
			this.report(
				'wrong outcome',
				`the error says charged "${said}", its items ${costs.join(', ')}`,
			);
		}
		const ready = /^(\d+) of (\d+) videos are ready and paid/.exec(error?.message ?? '');
		if (ready) {
			const truly = jsons.filter(({ status, video_url }) => status === 'SUCCESS' && video_url);
			if (Number(ready[1]) !== truly.length || Number(ready[2]) !== count) {
				this.report('wrong outcome', `"${ready[0]}", but there are ${truly.length} of ${count}`);
			}
		}
		for (const [index, json] of jsons.entries()) {
			this.item({ episode, runIndex, index, json, isInError: true, all: jsons });
		}
		this.coverage(episode, runIndex, jsons);
	}

	private round(
		episode: Episode,
		runIndex: number,
		outputs: INodeExecutionData[][],
		count: number,
	): void {
		const { onError } = this.schedule;
		const [good = [], bad = []] = outputs;
		const [goodAt, badAt] = [good, bad].map((items) => items.map((item) => indexOf(item) ?? -1));
		const all = [...goodAt, ...badAt].sort((a, b) => a - b);
		const isWhole = all.length === count && all.every((index, at) => index === at);
		if (!isWhole || !isAscending(goodAt) || !isAscending(badAt)) {
			this.report('items', `${count} went in, and out came ${asText([goodAt, badAt])}`);
			return;
		}
		if (onError !== 'continueErrorOutput' && bad.length > 0) {
			this.report('items', `${bad.length} items at an error output that there is none of`);
		}
		const jsons = new Map<number, IDataObject>();
		for (const [at, { json }] of good.entries()) jsons.set(goodAt[at], json);
		for (const [at, { json }] of bad.entries()) {
			const details: unknown = json.details;
			if (!isRecord(details) || textOf(json.error) === undefined) {
				this.report('items', `the error output holds ${asText(json)}`);
				continue;
			}
			if (runIndex === 0 && json.row !== badAt[at]) {
				this.report('items', `the row ${String(json.row)} was merged into item ${badAt[at]}`);
			}
			if (details.error_code === undefined) {
				this.report('wrong outcome', `the error output holds ${asText(details)}`);
			}
			jsons.set(badAt[at], JSON.parse(JSON.stringify(details)));
		}
		const isPassedOn = isHandedOn(episode, runIndex);
		for (const { json } of good) {
			if (json.error_code === undefined) continue;
			if (onError === 'continueErrorOutput' || (onError === 'stopWorkflow' && !isPassedOn)) {
				this.report('went on', `a failed item at the first output: ${shown(json)}`);
			}
			if ('error' in json) this.report('items', `an item holds "error": ${asText(json)}`);
		}
		const list = Array.from({ length: count }, (_, index) => jsons.get(index) ?? {});
		for (const [index, json] of list.entries()) {
			this.item({ episode, runIndex, index, json, isInError: false, all: list });
		}
		this.files(episode, good);
		this.coverage(episode, runIndex, list);
	}

	/** One item against the truth. */
	private item(found: Found): void {
		const wrong =
			this.schedule.operation === 'estimateCost'
				? this.wrongEstimate(found)
				: this.wrongItem(found);
		if (wrong) {
			const { episode, runIndex, index, json } = found;
			this.report(
				'wrong outcome',
				`${wrong} – item ${index} of round ${runIndex} (${episode.cause}): ${shown(json)}`,
			);
		}
	}

	private wrongEstimate({ index, json, isInError }: Found): string | undefined {
		const { isWrong } = this.schedule.items[index];
		if (json.error_code !== undefined) {
			if (json.charged !== 'no') return 'an estimate that may have cost something';
			return json.error_code === 'invalid_input' && isWrong ? undefined : 'an estimate that failed';
		}
		// An error lists what has no problem as a task that is not there.
		if (isInError) return undefined;
		const right = {
			estimated_credits: CREDITS,
			resolution: SETTINGS.resolution,
			duration: SETTINGS.duration,
			generate_audio: SETTINGS.generateAudio,
		};
		return !isWrong && asText(json) === asText(right)
			? undefined
			: `not the estimate: ${asText(json)}`;
	}

	private wrongItem(found: Found): string | undefined {
		const { json, isInError } = found;
		const code = textOf(json.error_code);
		if (!this.schedule.simplify && code === undefined && !isInError) return this.wrongRaw(found);
		const missing = FIELDS.filter((field) => json[field] === undefined);
		if (missing.length) return `without ${missing.join(', ')}`;
		if (code !== undefined && textOf(json.error_message) === undefined) return 'no reason';
		const isRight = json.succeeded === true;
		if (isRight && (code !== undefined || json.status !== 'SUCCESS' || !json.finished)) {
			return 'a success that is none';
		}
		const taskId = textOf(json.task_id);
		const wrong = taskId === undefined ? this.wrongWithout(found) : this.wrongTask(found, taskId);
		return wrong ?? this.wrongCharge(found, taskId);
	}

	/** An item without a task. */
	private wrongWithout({ json, index, episode }: Found): string | undefined {
		const { schedule } = this;
		const code = textOf(json.error_code);
		if (code === undefined) return 'neither a task nor an error';
		const { isWrong } = schedule.items[index];
		if (schedule.operation === 'pause' && hasTwoAccounts(schedule)) return undefined;
		// A base URL that is none, or whose API could not call back, is told before the values are looked at.
		const isBase = ['invalid_input', 'invalid_api_key', 'not_created'].includes(code);
		if (schedule.unreachable !== null && isBase) {
			return undefined;
		}
		if (isWrong !== (code === 'invalid_input') && !this.hasInvalidPosts(episode)) {
			return isWrong ? 'a wrong value that is not named' : 'a right value that is refused';
		}
		if (!isStarting(schedule.operation))
			return isWrong ? undefined : 'a task that was not looked at';
		const codes = [
			'not_created',
			'invalid_input',
			'invalid_api_key',
			'out_of_credits',
			'over_limit',
		];
		if (![...codes, 'maybe_created'].includes(code)) return 'an error that only a task can have';
		const posts = this.own(episode).flatMap((one) => one.posts);
		const hasCause =
			posts.some((post) => answerToPost(post) !== 'created') ||
			schedule.items.some((item) => item.isWrong) ||
			schedule.maxVideos !== null ||
			episode.isStopped ||
			schedule.downForJumps > 0 ||
			schedule.unreachable !== null ||
			// There was no time for it.
			schedule.executionTimeout !== null;
		if (!hasCause) return 'not started, and nothing was in the way';
		return this.isOtherAccountsTrouble(episode, index)
			? 'not started because of another account'
			: undefined;
	}

	/** Whether nothing was in the way of an item but what happened to another account. */
	private isOtherAccountsTrouble(episode: Episode, index: number): boolean {
		const { schedule } = this;
		const isSimple =
			hasTwoAccounts(schedule) &&
			schedule.onError !== 'stopWorkflow' &&
			schedule.rounds === 1 &&
			this.tries === 1 &&
			schedule.maxVideos === null &&
			schedule.executionTimeout === null &&
			schedule.timeout > 0 &&
			schedule.downForJumps === 0 &&
			schedule.unreachable === null;
		if (!isSimple || episode.isStopped || schedule.items[index].isWrong) return false;
		const account = accountOf(schedule, index);
		return !episode.posts.some(
			(post) => post.entry.account === account && answerToPost(post) !== 'created',
		);
	}

	/** Whether values were refused by the API, or by the limit of credits. */
	private hasInvalidPosts(episode: Episode): boolean {
		if (this.schedule.maxVideos !== null) return true;
		return this.own(episode)
			.flatMap(({ posts }) => posts)
			.some((post) => answerToPost(post) === 'refused');
	}

	/** An item that names a task. */
	private wrongTask(found: Found, taskId: string): string | undefined {
		const { schedule, story } = this;
		const { json, index, runIndex, episode } = found;
		const code = textOf(json.error_code);
		const task = this.task(taskId);
		const prompt = promptOf(schedule, schedule.items[index].name, runIndex);
		let isMisled = false;
		if (isStarting(schedule.operation)) {
			const posts = this.own(episode).flatMap((one) => one.posts);
			const mine = posts.find(({ entry }) => entry.taskId === taskId);
			isMisled = !mine && posts.some((post) => ['misled', 'any'].includes(answerToPost(post)));
			if (!mine && !isMisled) return 'a task that was not made for it';
			if (mine && promptIn(mine.entry) !== prompt) return `the task of "${promptIn(mine.entry)}"`;
			const twins = found.all.filter((other) => other.task_id === taskId);
			if (twins.length > 1 && !isMisled) return 'the task of another item as well';
			if (!isMisled && this.isOfOtherRound(found, taskId))
				return 'the task of another round as well';
			if (code === 'task_failed' && this.isOldFailure(episode, taskId)) {
				return 'a failed task that a person wanted anew';
			}
		} else if (taskId !== story.taskIds[index]) {
			return 'another task than it was given';
		}
		if (code === 'maybe_created') {
			// Its answer was none, but for an id in it.
			const isOdd = this.own(episode).some(({ posts }) =>
				posts.some((post) => post.entry.taskId === taskId && answerToPost(post) === 'unclear'),
			);
			return isMisled || isOdd ? undefined : 'a task that is known, as unclear';
		}
		const outcome = this.outcomeOf(json);
		const looks = this.looksAt(found, taskId);
		if (episode.isStopped && outcome !== 'success') return undefined;
		const allowed = this.allowedAfter(looks, found, taskId);
		if (!allowed.includes(outcome)) {
			return `"${outcome}" where ${asText(looks.slice(-6))} allows ${allowed.join(', ') || 'nothing'}`;
		}
		const early = this.givenUpEarly(found, taskId, looks, outcome);
		if (early) return early;
		if (outcome === 'task_failed' && this.hidesReason(found, taskId))
			return 'a failure without its reason';
		if (outcome === 'success') {
			const url = `${this.stage.sandbox.origin}/videos/${encodeURIComponent(taskId)}.mp4`;
			if (textOf(json.video_url)?.split('?')[0] !== url) {
				return `the video ${String(json.video_url)}`;
			}
			if (task?.account.name !== accountOf(schedule, index)) return 'the task of another account';
		}
		return isMisled ? undefined : this.wrongFacts(found, task, looks);
	}

	/** Whether the reason of a failure was told, in whatever form, and the item does not have it. */
	private hidesReason({ json, episode }: Found, taskId: string): boolean {
		// What a fault tells in the place of the task has a reason of its own.
		const isOther = this.schedule.faults.some(
			({ fault }) =>
				fault.kind === 'failed' || fault.kind === 'task' || fault.kind === 'status-word',
		);
		const isRead = episode.reads.some(({ entry }) => entry.taskId === taskId);
		return isRead && !isOther && textOf(json.error_message)?.includes('Not accepted') !== true;
	}

	/** Whether an earlier round of the same execution has given out that task. */
	private isOfOtherRound({ episode, runIndex }: Found, taskId: string): boolean {
		return entriesOf(episode.run)
			.slice(0, runIndex)
			.some(({ data }) => asText(data ?? {}).includes(`"task_id":"${taskId}"`));
	}

	/** Whether a person's Retry found a failed task, and nothing kept it from making it anew. */
	private isOldFailure(episode: Episode, taskId: string): boolean {
		const { items, retries, affordable, otherAffordable, maxVideos, downForJumps, unreachable } =
			this.schedule;
		const isHindered =
			affordable !== null ||
			otherAffordable !== null ||
			maxVideos !== null ||
			unreachable !== null ||
			downForJumps > 0 ||
			items.some(({ isWrong }) => isWrong) ||
			!retries.every(({ heals }) => heals) ||
			this.own(episode).some(({ posts }) => posts.some((post) => answerToPost(post) === 'unclear'));
		if (episode.cause !== 'retry' || isHindered || !episode.tasksBefore.has(taskId)) return false;
		const first = episode.reads.find(({ entry }) => entry.taskId === taskId);
		const look = first && lookOf(first, this.task(taskId));
		return look?.kind === 'task' && look.state === 'failed';
	}

	/** The time that a wait has, in virtual milliseconds. */
	private get waitMs(): number {
		const { timeout, executionTimeout } = this.schedule;
		const limit =
			executionTimeout === null ? Infinity : Math.max(0, executionTimeout - 10) * SECOND;
		return Math.min(timeout * MINUTE, limit);
	}

	/** What is wrong when a task was given up before its time was up, or before it was asked for anew. */
	private givenUpEarly(
		{ episode, runIndex, isInError }: Found,
		taskId: string,
		looks: readonly Look[],
		outcome: string,
	): string | undefined {
		const { operation, rounds } = this.schedule;
		const last = looks.at(-1);
		const isOpen = last?.kind === 'trouble' || last?.kind === 'limited' || !last;
		if (operation === 'status') {
			const hasTime = this.schedule.executionTimeout === null;
			const isHasty = hasTime && outcome === 'contact_lost' && last?.kind === 'trouble';
			return isHasty && looks.length < FEWEST_TRIES ? 'given up after one read' : undefined;
		}
		if (rounds > 1 || this.tries > 1 || isHandedOn(episode, runIndex)) return undefined;
		// Where the base URL is no URL, waiting helps nobody.
		const { unreachable } = this.schedule;
		const isHopeless = unreachable === 'no-url' || unreachable === 'bad-port';
		const isWait = !isHopeless && (episode.cause === 'start' || episode.cause === 'retry');
		if (isWait && !isInError && isOpen && ['timeout', 'contact_lost'].includes(outcome)) {
			if (episode.tookMs < this.waitMs - EARLY_MS) {
				return `given up after ${episode.tookMs} ms of ${this.waitMs}`;
			}
			if (last && last.at < episode.startedAt + this.waitMs - LAST_READ_MS) {
				return 'not asked for any more long before its time was up';
			}
		}
		// The limit of a workflow may leave no time for it.
		if (outcome !== 'download_failed' || this.schedule.executionTimeout !== null) return undefined;
		const refused = episode.videos.find(
			(video) => video.entry.taskId === taskId && isRefusedLink(video),
		);
		const lastVideo = episode.videos.filter(({ entry }) => entry.taskId === taskId).at(-1);
		if (!refused || !lastVideo || !isRefusedLink(lastVideo)) return undefined;
		const shown = looks.findIndex((look) => look.kind === 'task' && look.hasVideo);
		return shown >= 0 && shown < looks.length - 1
			? undefined
			: 'a link was given up without a new reading';
	}

	/** What an item says of its task beside the outcome. */
	private wrongFacts(
		{ json, index, runIndex }: Found,
		task: SandboxTask | undefined,
		looks: readonly Look[],
	): string | undefined {
		const { schedule } = this;
		const prompt = promptOf(schedule, schedule.items[index].name, runIndex);
		if (typeof json.prompt === 'string' && json.prompt.split(' ~')[0] !== prompt) {
			return `the prompt "${json.prompt}"`;
		}
		if (json.estimated_credits !== null && json.estimated_credits !== CREDITS) {
			return `an estimate of ${String(json.estimated_credits)}`;
		}
		const { consumed_credits: consumed } = json;
		if (consumed === null) return undefined;
		const isTold = looks.some((look) => look.kind === 'task' && look.credits === consumed);
		return isTold && task ? undefined : `${String(consumed)} credits that nobody told`;
	}

	/** The API's own data as an item. */
	private wrongRaw(found: Found): string | undefined {
		const { json, index, episode } = found;
		const taskId = textOf(json.task_id);
		const { operation } = this.schedule;
		if (taskId === undefined && isStarting(operation)) return 'a raw item without its task';
		const isMade = this.own(episode).some(({ posts }) =>
			posts.some((post) => post.entry.taskId === taskId || answerToPost(post) === 'misled'),
		);
		if (isStarting(operation) && !isMade) return 'a task that was not made for it';
		// Whatever the API has left out: the node knows the id.
		if (!isStarting(operation) && taskId !== this.story.taskIds[index]) {
			return `${taskId ?? 'no task'} instead of the one it was given`;
		}
		const id = taskId ?? '';
		const looks = this.looksAt(found, id);
		const allowed = this.allowedAfter(looks, found, id);
		if (
			allowed.some((outcome) => ['success', 'running', 'failed', 'emptySuccess'].includes(outcome))
		)
			return undefined;
		return `raw status ${String(json.status)} where ${asText(looks.slice(-6))} allows ${allowed.join(', ') || 'nothing'}`;
	}

	private outcomeOf(json: IDataObject): string {
		const code = textOf(json.error_code);
		if (code !== undefined) return code;
		if (json.succeeded === true) return 'success';
		if (json.status === 'FAILED') return 'failed';
		return json.status === 'SUCCESS' ? 'emptySuccess' : 'running';
	}

	/** What the node can have seen of a task, in order. */
	private looksAt({ episode, runIndex }: Found, taskId: string): Look[] {
		const task = this.task(taskId);
		const { reads } = this.stage.book;
		// What the time limit hands on was settled before the pause.
		const until = isHandedOn(episode, runIndex)
			? this.readsBeforePause(episode)
			: episode.readsUntil;
		return reads
			.slice(0, until)
			.filter(({ entry }) => entry.taskId === taskId)
			.map((read) => lookOf(read, task));
	}

	/** Whether several items, or several rounds, look at a task, so that any of its readings may be the last of one. */
	private isShared({ all }: Found, taskId: string): boolean {
		if (all.filter((json) => json.task_id === taskId).length > 1) return true;
		if (isStarting(this.schedule.operation)) return false;
		return this.schedule.rounds > 1 || this.story.taskIds.filter((id) => id === taskId).length > 1;
	}

	private readsBeforePause(episode: Episode): number {
		const before = this.story.episodes.find(({ run }) => run === episode.before);
		return before?.readsUntil ?? episode.readsUntil;
	}

	/** The outcomes that these looks at a task allow. */
	private allowedAfter(looks: readonly Look[], found: Found, taskId: string): string[] {
		if (!this.isShared(found, taskId) || looks.length === 0) {
			return this.allowedFor(looks, found, taskId);
		}
		return looks.flatMap((_, index) =>
			this.allowedFor(looks.slice(0, index + 1), found, taskId).concat('timeout'),
		);
	}

	/** The outcomes that are right when the last of these looks was the last. */
	private allowedFor(looks: readonly Look[], found: Found, taskId: string): string[] {
		const { operation } = this.schedule;
		const { episode, isInError } = found;
		if (operation === 'generate') return ['running'];
		const look = looks.at(-1);
		const allowed: string[] = [];
		const isReadNow = episode.reads.some(({ entry }) => entry.taskId === taskId);
		const isCut = isInError && found.all.some((json) => this.isUnstarted(json));
		// A node that stops before it waits tells of its other tasks only that they were started.
		if (isInError && isStarting(operation) && (isCut || !isReadNow)) allowed.push('running');
		const { downForJumps, unreachable } = this.schedule;
		if (downForJumps > 0 || unreachable !== null) allowed.push('contact_lost', 'timeout');
		// A base URL that is none makes the credential unusable, whatever task is asked for.
		if (unreachable === 'no-url' || unreachable === 'bad-port') allowed.push('invalid_api_key');
		const isLookup = operation === 'status';
		const settled = this.settledBy(looks, found, taskId);
		const isHandedOnNow = isHandedOn(episode, found.runIndex);
		// With no time at all, the last look before the pause has none either, and after a 429 it may come too late.
		const isTooLate = this.waitMs === 0 || looks.some(({ kind }) => kind === 'limited');
		if (isHandedOnNow && isTooLate) allowed.push('running');
		if (this.waitMs === 0) allowed.push('timeout', 'contact_lost');
		if (isHandedOnNow && !settled.isFinal) return [...allowed, 'running'];
		if (settled.isFinal) return [...allowed, ...settled.outcomes];
		allowed.push(...settled.outcomes);
		// An earlier round, try or run may have read it, and this wait only been asked to slow down.
		const isOfAnother = this.schedule.rounds > 1 || this.tries > 1 || episode.cause === 'retry';
		if (isOfAnother && looks.some(({ kind }) => kind === 'limited')) {
			allowed.push('timeout', 'contact_lost');
		}
		if (look === undefined) {
			// Without the time for a single read there is none, and a 429 may have taken all of it.
			const isAskedToWait = [...episode.posts, ...episode.reads].some(
				({ entry }) => entry.answered === 429,
			);
			const hasNoTime = this.waitMs < SLACK_MS || isAskedToWait;
			return hasNoTime ? [...allowed, 'timeout', 'contact_lost'] : allowed;
		}
		if (isLookup) {
			if (look.kind === 'task') return [...allowed, 'running'];
			if (look.kind === 'final') return [...allowed, look.code];
			return [...allowed, 'contact_lost', ...(look.kind === 'odd' ? ['task_not_found'] : [])];
		}
		switch (look.kind) {
			case 'task':
				return [...allowed, 'timeout'];
			case 'odd':
				return [...allowed, 'contact_lost', 'task_not_found', 'timeout'];
			case 'final':
				return [...allowed, ...this.afterRefusal(look, looks, found, taskId)];
			case 'trouble':
			case 'limited':
				return [...allowed, ...this.afterTrouble(looks, found, taskId)];
		}
	}

	/** A 404 of a task that this run has made a moment ago is no answer yet. */
	private afterRefusal(
		look: Look & { kind: 'final' },
		looks: readonly Look[],
		found: Found,
		taskId: string,
	): string[] {
		const seen = looks.filter(({ kind }) => kind === 'task').at(-1);
		// One that was there a moment ago is not believed to be gone either.
		const age = Math.min(
			this.ageAt(look, found, taskId),
			seen ? Math.max(look.at - seen.at, YOUNG_MS) : Infinity,
		);
		if (look.code !== 'task_not_found' || age > YOUNG_MS + YOUNG_SLACK_MS) return [look.code];
		const passing = this.afterTrouble(looks, found, taskId);
		// Retried, or the id of another task: since when this run has it can be argued.
		const isMade = this.own(found.episode).some(({ posts }) =>
			posts.some(({ entry }) => entry.taskId === taskId),
		);
		const isOlder = !isMade || found.episode.tasksBefore.has(taskId);
		return isOlder || age > YOUNG_MS - YOUNG_SLACK_MS ? [...passing, look.code] : passing;
	}

	/** Virtual milliseconds since a task was made, at a look; Infinity for one that this execution has not made. */
	private ageAt({ at }: Look, { episode }: Found, taskId: string): number {
		if (!isStarting(this.schedule.operation)) return Infinity;
		const posts = this.own(episode).flatMap((one) => one.posts);
		const made =
			posts.find(({ entry }) => entry.taskId === taskId) ??
			// The latest: each round of the node has sent one of its own.
			posts
				.filter((post) => post.at <= at && ['misled', 'any'].includes(answerToPost(post)))
				.at(-1);
		return made ? at - made.at : Infinity;
	}

	/** What a wait ends with that could not read its task at the end: contact is lost only after several failed reads. */
	private afterTrouble(looks: readonly Look[], found: Found, taskId: string): string[] {
		const now = looks.slice(
			-found.episode.reads.filter((one) => one.entry.taskId === taskId).length,
		);
		const counted = now.filter(({ kind }) => kind !== 'limited');
		const isFailure = (look: Look) =>
			look.kind === 'trouble' ||
			look.kind === 'odd' ||
			(look.kind === 'final' && this.ageAt(look, found, taskId) <= YOUNG_MS + YOUNG_SLACK_MS);
		const lastGood = lastIndexOf(counted, (look) => !isFailure(look));
		const failures = counted.length - 1 - lastGood;
		if (failures < MOST_READS) {
			// Too few reads for either word, where not one has shown the task.
			return lastGood < 0 ? ['timeout', 'contact_lost'] : ['timeout'];
		}
		// The last one may have been cut off by the end of the time, and not be counted.
		const isClear = failures > MOST_READS + 1 && now.every(({ kind }) => kind === 'trouble');
		return isClear ? ['contact_lost'] : ['contact_lost', 'timeout'];
	}

	private isUnstarted({ task_id, error_code }: IDataObject): boolean {
		return error_code !== undefined && (task_id === null || error_code === 'maybe_created');
	}

	/** The outcomes of a task that has ended. */
	private settledBy(
		looks: readonly Look[],
		found: Found,
		taskId: string,
	): { isFinal: boolean; outcomes: string[] } {
		const { episode, isInError } = found;
		const isLookup = this.schedule.operation === 'status';
		const look = looks.at(-1);
		const open = { isFinal: false, outcomes: [] };
		if (look === undefined) return open;
		if (look.kind !== 'task') {
			// What showed a success without its video, and then nothing more, may be told as that.
			return isLookup ? open : { isFinal: false, outcomes: this.afterGrace(looks, found, look.at) };
		}
		if (look.state === 'running') return open;
		if (look.state === 'failed') {
			return { isFinal: true, outcomes: [isLookup ? 'failed' : 'task_failed'] };
		}
		if (!look.hasVideo) {
			if (isLookup) return { isFinal: true, outcomes: ['emptySuccess'] };
			return { isFinal: false, outcomes: this.afterGrace(looks, found, look.at) };
		}
		const { operation, download } = this.schedule;
		if (!download || operation === 'pause') return { isFinal: true, outcomes: ['success'] };
		const tries = episode.videos.filter(({ entry }) => entry.taskId === taskId);
		const isBroken = tries.some((video) => isBrokenDownload(video));
		const last = tries.at(-1);
		const isLastBroken = last !== undefined && isBrokenDownload(last);
		const isLooked =
			!isStarting(operation) &&
			(this.schedule.rounds > 1 || this.story.taskIds.filter((id) => id === taskId).length > 1);
		if (isLooked && isBroken) return { isFinal: true, outcomes: ['success', 'download_failed'] };
		// What a redirect leads to is another host, whose answers stand in no book.
		const { outcome: end } = this.task(taskId) ?? {};
		if (last?.fault?.kind === 'redirect' && (end?.link ?? end?.videoStatus) !== undefined) {
			return { isFinal: true, outcomes: ['success', 'download_failed'] };
		}
		// The limit of a workflow may leave no time for it.
		const isCutShort = last === undefined && this.schedule.executionTimeout !== null;
		if (isCutShort) return { isFinal: true, outcomes: ['success', 'download_failed'] };
		// Without any try it was not to be stored, because the node had failed already.
		const isUntried = last === undefined && isInError;
		if (isUntried) return { isFinal: true, outcomes: ['success'] };
		return { isFinal: true, outcomes: [isLastBroken ? 'download_failed' : 'success'] };
	}

	/** `no_video`, where the task has been a success without its video for long enough, or for all the time there was. */
	private afterGrace(looks: readonly Look[], { episode }: Found, at: number): string[] {
		const since = looks.find(
			(look) => look.kind === 'task' && look.state === 'succeeded' && !look.hasVideo,
		)?.at;
		if (since === undefined) return [];
		const isLong = at - since >= GRACE_MS - EARLY_MS;
		const isTimeUp = episode.tookMs >= this.waitMs - EARLY_MS;
		return isLong || isTimeUp ? ['no_video'] : [];
	}

	/** Whether an item says the truth about its cost. */
	private wrongCharge(found: Found, taskId: string | undefined): string | undefined {
		const { json } = found;
		const code = textOf(json.error_code);
		if (code === undefined) {
			return json.charged === undefined ? undefined : 'a cost without an error';
		}
		const charge = this.stage.sandbox.ledger
			.chargesOf(accountOf(this.schedule, found.index))
			.find((one) => taskId !== undefined && one.taskId === taskId);
		const isPaid = charge !== undefined && charge.refunded === 0;
		const looks = taskId === undefined ? [] : this.looksAt(found, taskId);
		// An API that tells another count than it charges is believed.
		const isLied = looks.some((look) => look.kind === 'task' && look.credits === 0);
		if (json.charged === 'no' && isPaid && !isLied) return 'charged, though it says no';
		if (json.charged === 'yes' && !isPaid) return 'not charged, though it says yes';
		const allowed = this.chargesOf(code, taskId !== undefined, looks);
		return allowed.includes(String(json.charged))
			? undefined
			: `charged "${String(json.charged)}" where it can know ${allowed.join(' or ')}`;
	}

	/** What an item can know about its cost. */
	private chargesOf(code: string, hasTask: boolean, looks: readonly Look[]): string[] {
		if (code === 'download_failed') return ['yes'];
		if (code === 'task_failed' || code === 'no_video') {
			return looks.map((look) => {
				if (look.kind !== 'task' || look.credits === null) return 'unknown';
				return look.credits > 0 ? 'yes' : 'no';
			});
		}
		if (code === 'maybe_created') return ['unknown'];
		return hasTask ? ['unknown'] : ['no'];
	}

	/** Downloads are whole, and only there where they were asked for. */
	private files({ isStopped }: Episode, items: readonly INodeExecutionData[]): void {
		const { download, operation } = this.schedule;
		const isWanted = download && ['poll', 'status', 'wait'].includes(operation);
		for (const { json, binary } of items) {
			const file = binary?.data;
			const isReady =
				json.succeeded === true ||
				(json.error_code === undefined &&
					SUCCESS_WORDS.includes(String(json.status).toUpperCase()));
			if (file && (!isWanted || !isReady)) this.report('items', `a file at ${shown(json)}`);
			if (!isWanted || json.succeeded !== true || isStopped) continue;
			if (!file?.bytes) this.report('wrong outcome', `a success without its file: ${shown(json)}`);
		}
	}

	/** Every charge of an episode stands at an item that owns up to it. */
	private coverage(episode: Episode, runIndex: number, jsons: readonly IDataObject[]): void {
		const { schedule } = this;
		const isRepeated = schedule.rounds > 1 && schedule.sameEachRound;
		if (!isStarting(schedule.operation) || isRepeated || episode.isStopped) return;
		const posts = this.own(episode)
			.filter((one) => this.story.episodes.indexOf(one) <= this.story.episodes.indexOf(episode))
			.flatMap((one) => one.posts);
		const prompts = new Set(
			schedule.items.slice(0, jsons.length).map(({ name }) => promptOf(schedule, name, runIndex)),
		);
		for (const prompt of prompts) {
			const mine = posts.filter(({ entry }) => promptIn(entry) === prompt);
			const own = jsons.filter(
				(_, index) => promptOf(schedule, schedule.items[index].name, runIndex) === prompt,
			);
			// One whose id was found all the same stands at an item by it.
			const unclear = mine.filter(
				(post) =>
					answerToPost(post) === 'unclear' &&
					!(
						post.entry.taskId !== null &&
						own.some(
							({ task_id, error_code }) =>
								task_id === post.entry.taskId && error_code !== 'maybe_created',
						)
					),
			).length;
			const odd = mine.filter((post) => ['misled', 'any'].includes(answerToPost(post))).length;
			const said = own.filter(({ error_code }) => error_code === 'maybe_created').length;
			if (unclear > said) {
				this.report('wrong outcome', `${unclear} unclear POSTs for "${prompt}", ${said} told`);
			}
			if (said > unclear + odd) {
				this.report(
					'wrong outcome',
					`${said} items "${prompt}" are unclear, ${unclear} POSTs were`,
				);
			}
			for (const { entry } of mine.filter((post) => answerToPost(post) === 'created')) {
				const taskId = entry.taskId ?? '';
				if (own.some(({ task_id }) => task_id === taskId)) continue;
				// A failed task that was made anew on request stands at no item any more.
				if (!episode.tasksBefore.has(taskId) || !this.isToldFailed(taskId)) {
					this.report('wrong outcome', `task ${taskId} was charged and stands at no item`);
				}
			}
		}
	}

	// The run

	private end({ run, isStopped }: Episode): void {
		const { status } = run;
		const failedAt = run.error?.node;
		const expected = isStopped
			? 'canceled'
			: run.data.waitTill
				? 'waiting'
				: run.error
					? 'error'
					: 'success';
		if (status !== expected) this.report('went on', `the run is "${status}", not "${expected}"`);
		if (run.error && !isStopped && failedAt !== NODE && failedAt !== 'Between') {
			this.report('wrong outcome', `failed at ${failedAt}: ${run.error.message}`);
		}
	}

	private time(episode: Episode): void {
		const { schedule } = this;
		if (this.isWokenEarly(episode)) {
			this.report('went on', 'it was woken up while a video was still being made');
		}
		const { run, tookMs, cause } = episode;
		const rounds = Math.max(1, entriesOf(run).length - carriedRounds(episode) + 1);
		const most = rounds * this.tries * this.longestTry(episode) + SLACK_MS;
		const tell = (limit: number) =>
			this.report(
				'took too long',
				`${Math.round(tookMs / SECOND)} s of at most ${Math.round(limit / SECOND)} s (${schedule.operation}, ${cause})`,
			);
		if (tookMs > most) tell(most);
		const { executionTimeout } = schedule;
		// What is not out by then, n8n throws away, with the ids of what was paid.
		const isLimited =
			executionTimeout !== null &&
			executionTimeout >= ROOMY_LIMIT_S &&
			schedule.rounds === 1 &&
			this.tries === 1 &&
			(cause === 'start' || cause === 'retry');
		if (isLimited && tookMs >= executionTimeout * SECOND) tell(executionTimeout * SECOND);
	}

	/** Each video is downloaded when it is ready, and not when the slowest is. */
	private patience({ reads, videos, run, isStopped, cause }: Episode): void {
		const { operation, faults, limits } = this.schedule;
		const isBusy = faults.some(({ route }) => route === 'video') || limits.length > 0;
		const isWait = operation === 'poll' || operation === 'wait';
		if (!isWait || isBusy || isStopped || run.error || cause !== 'start') return;
		for (const taskId of new Set(videos.map(({ entry }) => entry.taskId))) {
			const shown = reads.find(
				(read) =>
					read.entry.taskId === taskId &&
					lookOf(read, this.task(taskId)).kind === 'task' &&
					read.entry.showsVideo,
			);
			const first = videos.find(({ entry }) => entry.taskId === taskId);
			if (!shown || !first || this.tries > 1 || first.at - shown.at <= SOON_MS) continue;
			const late = Math.round((first.at - shown.at) / SECOND);
			this.report('took too long', `the video of ${taskId} was left lying for ${late} s`);
		}
	}

	/** A 429 slows everything of its account down: no POST, and no read, comes sooner than it asks for. */
	private brake(episode: Episode): void {
		if (this.tries > 1 || this.schedule.rounds > 1) return;
		// A callback has to be answered within seconds; its few reads have no brake.
		if (episode.cause === 'callback') return;
		this.tooSoon('POSTs', episode.posts, () => false);
		const lastReads = new Set(
			[...new Set(episode.reads.map(({ entry }) => entry.taskId))].map((taskId) =>
				episode.reads.filter(({ entry }) => entry.taskId === taskId).at(-1),
			),
		);
		// The last look at a task is due when the time is up, whatever the API has asked for.
		this.tooSoon('reads', episode.reads, (read) => lastReads.has(read));
	}

	private tooSoon<T extends { account: string | null; answered: number | null }, M extends Met<T>>(
		what: string,
		requests: readonly M[],
		isExempt: (request: M) => boolean,
	): void {
		for (const { entry, fault, at } of requests) {
			if (entry.answered !== 429 || fault?.kind !== 'rate-limit') continue;
			const asked = (fault.retryAfter ?? 0) * SECOND;
			const until = at + (what === 'reads' ? Math.min(asked, LONGEST_RETRY_AFTER_MS) : asked);
			const soon = requests.filter(
				(one) =>
					one.entry.account === entry.account &&
					one.at > at &&
					one.at < until - SECOND &&
					!isExempt(one),
			);
			if (soon.length === 0) continue;
			this.report('sent again', `${soon.length} ${what} sooner than 429 had asked for`);
			return;
		}
	}

	/** The time of a pause was up, and the items say "in progress", although every task had been read as ended. */
	private handedOnThoughEnded(): void {
		if (this.schedule.rounds > 1 || this.waitMs === 0) return;
		for (const episode of this.story.episodes) {
			if (episode.cause !== 'timeUp') continue;
			const posts = this.own(episode).flatMap((one) => one.posts);
			// Of a task whose id was not told nobody knows that it has ended.
			if (posts.some((post) => ['misled', 'any'].includes(answerToPost(post)))) continue;
			const made = posts
				.filter((post) => answerToPost(post) === 'created')
				.map(({ entry }) => entry.taskId ?? '');
			const before = this.stage.book.reads.slice(0, episode.readsUntil);
			const hasEnded = (taskId: string) => {
				const last = before.filter(({ entry }) => entry.taskId === taskId).at(-1);
				const look = last && lookOf(last, this.task(taskId));
				return look?.kind === 'task' && look.state !== 'running';
			};
			if (made.length > 0 && made.every(hasEnded)) {
				this.report('wrong outcome', 'handed on unfinished, though every task was read as ended');
			}
		}
	}

	/** Whether an execution was woken up before the last of its videos had ended, and so held its place for nothing. */
	private isWokenEarly({ cause, tookMs }: Episode): boolean {
		const isPassing = Object.values(this.schedule.fates).some(
			({ ends, urlLateSeconds, unknownSeconds }) =>
				ends === 'noVideo' || urlLateSeconds !== undefined || unknownSeconds !== undefined,
		);
		// A success without its video is read again for a while before it is told as that.
		// A callback that cannot read its tasks in time leaves that to the node.
		const isTroubled = this.schedule.faults.some(
			({ route, fault }) => route === 'status' || fault.kind === 'task',
		);
		if (isPassing || isTroubled || this.schedule.limits.length > 0) return false;
		return cause === 'callback' && this.schedule.rounds === 1 && tookMs > LONGEST_CALLBACK_MS;
	}

	/** Virtual milliseconds that one try of the node may take at most. */
	private longestTry({ cause }: Episode): number {
		const { schedule } = this;
		const { items, batch, operation } = schedule;
		const count = items.length;
		const { faults, limits, unreachable } = schedule;
		const isLimited = limits.length > 0 || faults.some(({ fault }) => fault.kind === 'rate-limit');
		const isEndless =
			unreachable !== null ||
			faults.some(({ fault }) => 'ms' in fault && fault.ms === undefined) ||
			faults.some(({ fault }) => ENDLESS_KINDS.includes(fault.kind) && !('ms' in fault));
		const once = isEndless ? POST_DEADLINE_MS : 15 * SECOND;
		const patience = isLimited ? 4 * MINUTE : once;
		const groups = batch ? Math.ceil(count / Math.max(1, batch.size)) : 0;
		const hasFaults =
			faults.length > 0 || limits.length > 0 || unreachable !== null || schedule.downForJumps > 0;
		const sending = hasFaults ? count * patience : 0;
		const recalling = cause === 'retry' && hasFaults ? count * patience : 0;
		const pausing = batch ? groups * batch.seconds * SECOND : 0;
		const waits = operation === 'poll' || operation === 'wait' || operation === 'pause';
		const limit = schedule.executionTimeout ?? Infinity;
		const waiting = waits
			? Math.min(schedule.timeout * MINUTE, Math.max(0, limit - 10) * SECOND)
			: 0;
		const trying = isEndless ? MOST_READS * READ_DEADLINE_MS : 0;
		const looking = operation === 'status' && hasFaults ? patience + trying : 0;
		const loading = schedule.download ? Math.ceil(count / 3) * 3 * 65 * SECOND : 0;
		return sending + recalling + pausing + waiting + looking + loading;
	}

	// Secrets and contract

	private secrets(episode: Episode): void {
		const { sandbox } = this.stage;
		const { run, logs } = episode;
		const { resultData, executionData, resumeToken } = run.data;
		const visible = `${asText([resultData, executionData?.contextData])}${logs}`;
		const keys = [sandbox.apiKey, sandbox.otherAccount.apiKey];
		if (keys.some((key) => `${run.everything}${logs}`.includes(key))) {
			this.report('secret shown', 'the API key');
		}
		if (resumeToken && visible.includes(resumeToken)) {
			this.report('secret shown', 'the resume token');
		}
		const signatures = this.stage.book.posts.flatMap(
			({ entry }) => /seedance_sig=([\w-]+)/.exec(entry.body)?.[1] ?? [],
		);
		if (signatures.some((signature) => `${run.everything}${logs}`.includes(signature))) {
			this.report('secret shown', 'the signature of a callback URL');
		}
	}

	private contract(): void {
		const { sandbox, book } = this.stage;
		const { ledger } = sandbox;
		const unknown = ledger.posts().flatMap(({ unknownFields }) => unknownFields);
		for (const breach of new Set([...ledger.breaches(), ...unknown])) {
			this.report('contract', breach);
		}
		for (const { where } of ledger.keyLeaks) this.report('secret shown', `the API key: ${where}`);
		if (this.story.leftOpen > 0) {
			this.report('took too long', `${this.story.leftOpen} calls were never ended`);
		}
		this.callbackUrls();
		const inside = this.story.episodes.reduce((sum, { posts }) => sum + posts.length, 0);
		const outside = book.posts.length - this.story.earlierPosts - inside;
		if (outside > 0) this.report('charged twice', `${outside} POSTs of callbacks`);
	}

	/** The address that resumes an execution belongs to the node: a later node that waits must not answer to it. */
	private callbackUrls(): void {
		if (this.schedule.operation !== 'pause') return;
		for (const { entry } of this.stage.book.posts.slice(this.story.earlierPosts)) {
			const url = isRecord(entry.json) ? textOf(entry.json.callback_url) : undefined;
			const [, rest] = /\/webhook-waiting\/([^?]*)/.exec(url ?? '') ?? [];
			if (rest === undefined || rest.split('/').filter(Boolean).length > 1) continue;
			this.report('resumed twice', 'the callback URL is the one of every node that waits');
			return;
		}
	}
}
