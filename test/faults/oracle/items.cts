// Rules for the output of each round: every item once and in its place, its file, and every charge at an item.
import type { IDataObject, INodeExecutionData, ITaskData } from 'n8n-workflow';

import { isRecord } from '../../sandbox/server.cjs';
import { SUCCESS_WORDS } from '../expected.cjs';
import type { Segment } from '../runner.cjs';
import {
	asText,
	carriedRounds,
	entriesOf,
	hasOutcome,
	isHandedOn,
	outputsOf,
	promptIn,
	shown,
	textOf,
	type Facts,
	type Found,
	type Violate,
} from './facts.cjs';
import { wrongIn } from './outcomes.cjs';
import { isFreeFailure } from './restarts.cjs';

/** Every round of the node that a segment has ended. */
export function checkRounds(facts: Facts, violate: Violate, segment: Segment): void {
	const { run, isStopped } = segment;
	const entries = entriesOf(run);
	const until = run.data.waitTill ? entries.length - 1 : entries.length;
	for (let runIndex = carriedRounds(segment); runIndex < until; runIndex += 1) {
		const round = new Round(facts, violate, segment, runIndex);
		const entry = entries[runIndex];
		if (!entry.error) round.checkOutput(outputsOf(entry));
		else if (!isStopped) round.checkError(entry.error);
	}
}

/** What an item in the list of an error says of its cost. */
function costOf({ error_code, charged, consumed_credits, task_id }: IDataObject): string {
	if (error_code !== undefined) return String(charged);
	if (typeof consumed_credits === 'number') return consumed_credits > 0 ? 'yes' : 'no';
	return task_id === null ? 'no' : 'unknown';
}

function indexOf({ pairedItem }: INodeExecutionData): number {
	const first = Array.isArray(pairedItem) ? pairedItem[0] : pairedItem;
	return (typeof first === 'object' ? first.item : first) ?? -1;
}

const isAscending = (numbers: readonly number[]) =>
	numbers.every((number, at) => at === 0 || numbers[at - 1] < number);

const plain = (json: unknown): IDataObject => JSON.parse(JSON.stringify(json));

class Round {
	/** How many items went in. */
	private readonly count: number;

	constructor(
		private readonly facts: Facts,
		private readonly violate: Violate,
		private readonly segment: Segment,
		private readonly runIndex: number,
	) {
		this.count = facts.inputOf(segment.run, runIndex);
	}

	/** The node failed: nothing goes on, and the error lists every item. */
	checkError(error: NonNullable<ITaskData['error']>): void {
		const { violate, count, segment, facts } = this;
		const wrong = (text: string) => violate('wrong outcome', text);
		const { runData } = segment.run.data.resultData;
		const { onError } = facts.schedule;
		if (onError !== 'stopWorkflow') {
			return violate('went on', `the node threw with On Error ${onError}: ${error.message}`);
		}
		if (segment.run.status !== 'error') {
			violate('went on', `the node failed and the run is "${segment.run.status}"`);
		}
		if ((runData.Rounds?.length ?? 0) > this.runIndex || runData.After || runData.Between) {
			violate('went on', 'a node ran after the one that failed');
		}
		const context: Record<string, unknown> =
			'context' in error && isRecord(error.context) ? error.context : {};
		const tasks: unknown[] = Array.isArray(context.tasks) ? context.tasks : [];
		const jsons = tasks.filter(isRecord).map(plain);
		if (jsons.length !== count || jsons.some(({ item }, index) => item !== index)) {
			return violate('items', `the error lists ${jsons.length} of ${count}: ${error.message}`);
		}
		const codes = jsons.map(({ error_code }) => error_code).filter((code) => code !== undefined);
		if (codes.length === 0) wrong(`the node failed without a failed item: ${error.message}`);
		if (!codes.some((code) => code === context.error_code)) {
			wrong(`the error is ${String(context.error_code)} of no item`);
		}
		const costs = jsons.map(costOf);
		const cost = ['yes', 'unknown'].find((one) => costs.includes(one)) ?? 'no';
		if (context.charged !== cost) {
			wrong(`the error says charged "${String(context.charged)}", its items ${costs.join(', ')}`);
		}
		const [text, ready, all] =
			/^(\d+) of (\d+) videos (?:is|are) ready and paid/.exec(error.message ?? '') ?? [];
		const truly = jsons.filter(({ status, video_url }) => status === 'SUCCESS' && video_url);
		if (text && (Number(ready) !== truly.length || Number(all) !== count)) {
			wrong(`"${text}", but there are ${truly.length} of ${count}`);
		}
		this.checkItems(jsons, true);
	}

	/** The node gave items: each one once, at the output where it belongs, with its file. */
	checkOutput([good = [], bad = []]: INodeExecutionData[][]): void {
		const { violate, count, segment, runIndex, facts } = this;
		const { onError } = facts.schedule;
		const [goodAt, badAt] = [good, bad].map((items) => items.map(indexOf));
		const all = [...goodAt, ...badAt].sort((a, b) => a - b);
		const isWhole = all.length === count && all.every((index, at) => index === at);
		if (!isWhole || !isAscending(goodAt) || !isAscending(badAt)) {
			return violate('items', `${count} went in, and out came ${asText([goodAt, badAt])}`);
		}
		if (onError !== 'continueErrorOutput' && bad.length > 0) {
			violate('items', `${bad.length} items at an error output that there is none of`);
		}
		const jsons: IDataObject[] = Array.from({ length: count }, () => ({}));
		for (const [at, { json }] of good.entries()) jsons[goodAt[at]] = json;
		for (const [at, { json }] of bad.entries()) {
			const { details, row } = json;
			if (!isRecord(details) || textOf(json.error) === undefined) {
				violate('items', `the error output holds ${asText(json)}`);
				continue;
			}
			if (runIndex === 0 && row !== badAt[at]) {
				violate('items', `the row ${String(row)} was merged into item ${badAt[at]}`);
			}
			if (details.error_code === undefined) {
				violate('wrong outcome', `the error output holds ${asText(details)}`);
			}
			jsons[badAt[at]] = plain(details);
		}
		const mayHoldFailures =
			onError === 'continueRegularOutput' ||
			(onError === 'stopWorkflow' && isHandedOn(segment, runIndex));
		for (const { json } of good.filter((item) => item.json.error_code !== undefined)) {
			if (!mayHoldFailures) violate('went on', `a failed item at the first output: ${shown(json)}`);
			if ('error' in json) violate('items', `an item holds "error": ${asText(json)}`);
		}
		this.checkFiles(good);
		this.checkItems(jsons, false);
	}

	private checkItems(all: IDataObject[], isInError: boolean): void {
		const { segment, runIndex } = this;
		for (const [index, json] of all.entries()) {
			const found: Found = { segment, runIndex, index, json, isInError, all };
			const wrong = wrongIn(this.facts, found);
			const where = `item ${index} of round ${runIndex} (${segment.cause})`;
			if (wrong) this.violate('wrong outcome', `${wrong} – ${where}: ${shown(json)}`);
		}
		this.checkCharges(all);
	}

	/** Downloads are whole, and only there where they were asked for. */
	private checkFiles(items: readonly INodeExecutionData[]): void {
		const { download, operation } = this.facts.schedule;
		const isWanted = download && ['poll', 'status', 'wait'].includes(operation);
		for (const { json, binary } of items) {
			const { succeeded, error_code, status } = json;
			const isReady =
				succeeded === true ||
				(error_code === undefined && SUCCESS_WORDS.includes(String(status).toUpperCase()));
			if (binary?.data && (!isWanted || !isReady))
				this.violate('items', `a file at ${shown(json)}`);
			const isDue = isWanted && succeeded === true && !this.segment.isStopped;
			if (isDue && !binary?.data?.bytes) {
				this.violate('wrong outcome', `a success without its file: ${shown(json)}`);
			}
		}
	}

	/** Every charge until now stands at an item that owns up to it. */
	private checkCharges(jsons: readonly IDataObject[]): void {
		const { facts, segment, runIndex } = this;
		const { rounds, sameEachRound } = facts.schedule;
		const isRepeated = rounds > 1 && sameEachRound;
		if (!facts.isStarting || isRepeated || segment.isStopped) return;
		const { segments } = facts.trace;
		const posts = segments
			.slice(0, segments.indexOf(segment) + 1)
			.flatMap((one) => (one.lineage === segment.lineage ? one.posts : []));
		const prompts = jsons.map((_, index) => facts.promptAt(index, runIndex));
		const wrong = (text: string) => this.violate('wrong outcome', text);
		for (const prompt of new Set(prompts)) {
			const mine = posts.filter(({ entry }) => promptIn(entry) === prompt);
			const own = jsons.filter((_, index) => prompts[index] === prompt);
			// One whose id was found all the same stands at an item by it.
			const isFound = (taskId: string | null) =>
				own.some((json) => json.task_id === taskId && json.error_code !== 'maybe_created');
			const unclear = mine.filter(
				(post) =>
					hasOutcome(post, 'unclear') &&
					(post.entry.taskId === null || !isFound(post.entry.taskId)),
			).length;
			const odd = mine.filter((post) => hasOutcome(post, 'misled', 'any')).length;
			const said = own.filter(({ error_code }) => error_code === 'maybe_created').length;
			if (unclear > said || said > unclear + odd) {
				wrong(`${unclear} unclear POSTs for "${prompt}", ${said} reported`);
			}
			for (const { entry } of mine.filter((post) => hasOutcome(post, 'created'))) {
				const taskId = entry.taskId ?? '';
				// A failed task that was restarted on request stands at no item any more.
				const isReplaced = segment.tasksBefore.has(taskId) && facts.isReportedFailed(taskId);
				if (own.some(({ task_id }) => task_id === taskId) || isReplaced) continue;
				// Nor does one in whose place another was started.
				const isRestarted =
					facts.restarts > 0 &&
					facts.readings(taskId).some(isFreeFailure) &&
					mine.some((post) => post.entry.index > entry.index);
				if (isRestarted) continue;
				wrong(`task ${taskId} was charged and stands at no item`);
			}
		}
	}
}
