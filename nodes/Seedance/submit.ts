/**
 * From input items to created tasks: check everything, recall what was already paid for, sum the
 * credits, then send each POST exactly once, one after the other.
 */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';

import { createTask, CREDENTIAL_TYPE, getTaskPatiently, type Account } from '../shared/api';
import type { Clock } from '../shared/clock';
import {
	invalidInput,
	maybeCreated,
	notCreated,
	notSent,
	stillUnclear,
	tooManyCredits,
	type Problem,
} from '../shared/errors';
import { memoryIn, type Memory } from '../shared/memory';
import { onErrorOf } from '../shared/onError';
import { creditsOf } from '../shared/pricing';
import type { KnownTask } from '../shared/task';
import {
	checkVideoRequest,
	requestBody,
	requestKey,
	shorten,
	type Checked,
	type VideoRequest,
} from '../shared/videoRequest';
import type { Followed } from './follow';
import { accountOf } from './account';
import { imageLink } from './imageFile';
import {
	isTool,
	rawFields,
	readOutput,
	runIndexOf,
	textParameter,
	unreadable,
	type Options,
	type Output,
} from './parameters';
import { NOTHING_KNOWN, type Result } from './results';

const REQUEST_FIELDS = [
	'prompt',
	'aspectRatio',
	'resolution',
	'duration',
	'generateAudio',
	'fixedLens',
] as const;

/** An item that may be sent: everything about it is checked. */
interface Prepared {
	itemIndex: number;
	request: VideoRequest;
	account: Account;
	memoryKey: string;
	known: KnownTask;
	output: Output;
}

export interface Submitted {
	/** Tasks that exist: created now, or remembered from an earlier try. */
	followed: Followed[];
	/** Items without a task, by their index. */
	failed: Map<number, Result>;
}

/** The address to which the end of an item's task is told; undefined for none. May throw what an expression throws. */
export type CallbackOf = (itemIndex: number, account: Account) => Checked<string | undefined>;

/** `runIndex`: the run of the node in its execution; undefined for an AI tool. */
async function prepare(
	context: IExecuteFunctions,
	itemIndex: number,
	runIndex: number | undefined,
	callbackOf: CallbackOf,
): Promise<Prepared | { known: KnownTask; problem: Problem }> {
	let known = NOTHING_KNOWN;
	try {
		const raw = rawFields(context, itemIndex, REQUEST_FIELDS);
		const prompt = typeof raw.prompt === 'string' ? raw.prompt : null;
		known = { ...NOTHING_KNOWN, prompt };
		const output = readOutput(context, itemIndex, true);
		const found = await accountOf(context, itemIndex);
		if ('problem' in found) return { known, problem: found.problem };
		const { account } = found;
		const imageSource = textParameter(context, itemIndex, 'imageSource', 'none');
		const problems: string[] = [];
		let image: { imageUrl?: unknown } = {};
		let imageIdentity: string | undefined;
		if (imageSource === 'url') {
			image = rawFields(context, itemIndex, ['imageUrl']);
		} else if (imageSource === 'binary') {
			const field = textParameter(context, itemIndex, 'imageBinaryField', 'data');
			const link = await imageLink(context, itemIndex, field, account.isLocal);
			if ('problem' in link) problems.push(link.problem);
			else [image, imageIdentity] = [{ imageUrl: link.url }, link.identity];
		} else if (imageSource !== 'none') {
			problems.push(
				`Image "${shorten(imageSource, 60)}" is not possible. Allowed: none, url, binary.`,
			);
		}
		const checked = checkVideoRequest({ ...raw, ...image }, account.isLocal);
		if (!checked.ok) problems.unshift(...checked.problems);
		const callback = callbackOf(itemIndex, account);
		if (!callback.ok) problems.push(...callback.problems);
		if (!checked.ok || !callback.ok || problems.length) {
			return { known, problem: invalidInput(problems) };
		}
		const request = { ...checked.value, callbackUrl: callback.value };
		const key = requestKey(request, imageIdentity);
		// As an AI tool each try has a new run index, so there the request alone is the key.
		const memoryKey = runIndex === undefined ? key : `${runIndex}:${itemIndex}:${key}`;
		known = { taskId: null, prompt: request.prompt, estimatedCredits: creditsOf(request) };
		return { itemIndex, request, account, memoryKey, known, output };
	} catch (error) {
		return { known, problem: invalidInput([unreadable('A field', error)]) };
	}
}

/**
 * What an earlier try of this execution left for an item: a task to go on with, an unclear POST, or nothing.
 * A failed task is made anew only when a person retries.
 */
async function recall(
	context: IExecuteFunctions,
	memory: Memory,
	item: Prepared,
	clock: Clock,
): Promise<{ taskId: string } | { problem: Problem } | undefined> {
	const remembered = memory.recall(item.memoryKey);
	if (remembered.state === 'sending') return { problem: stillUnclear() };
	if (remembered.state === 'none') return undefined;
	// Mode `retry` lasts for all automatic tries of a retried execution; only the first may make it anew.
	const isMadeHere = remembered.executionId === context.getExecutionId();
	if (context.getMode() !== 'retry' || isMadeHere) return { taskId: remembered.taskId };
	const read = await getTaskPatiently(context, item.account, remembered.taskId, clock);
	if (read.outcome === 'task' && read.task.state === 'failed') {
		memory.forget(item.memoryKey);
		return undefined;
	}
	return { taskId: remembered.taskId };
}

/** A task that exists; `raw` is the API's answer where this run sent the POST. */
interface Sent {
	taskId: string;
	raw?: IDataObject;
}

/** Sends one POST and remembers it, before and after. */
async function send(
	context: IExecuteFunctions,
	memory: Memory,
	item: Prepared,
	clock: Clock,
): Promise<Sent | { problem: Problem }> {
	const where = `credential "${context.getNode().credentials?.[CREDENTIAL_TYPE]?.name ?? ''}", execution ${context.getExecutionId()}, item ${item.itemIndex}`;
	memory.sending(item.memoryKey);
	const created = await createTask(context, item.account, requestBody(item.request), clock);
	if (created.outcome === 'created') {
		memory.created(item.memoryKey, created.taskId, context.getExecutionId());
		context.logger.info(`Seedance task ${created.taskId} created (${where})`);
		return { taskId: created.taskId, raw: created.raw };
	}
	if (created.outcome === 'refused') {
		memory.forget(item.memoryKey);
		return { problem: notCreated(created.failure) };
	}
	const { taskId } = created.failure;
	if (taskId) memory.created(item.memoryKey, taskId, context.getExecutionId());
	const id = taskId ? `: task ${taskId}` : '';
	context.logger.warn(`Seedance task may have been created${id} (${where})`);
	return { problem: maybeCreated(created.failure) };
}

/** Problems after which no further item can be started. */
const ENDS_BATCH: ReadonlyArray<Problem['code']> = ['invalid_api_key', 'out_of_credits'];

/**
 * Starts the videos of all items, each with the callback URL that `callbackOf` gives. With On Error = Stop nothing is sent when one item is wrong, and no
 * POST follows one that failed.
 */
export async function submitAll(
	context: IExecuteFunctions,
	options: Options,
	clock: Clock,
	callbackOf: CallbackOf = () => ({ ok: true, value: undefined }),
): Promise<Submitted> {
	const stops = onErrorOf(context.getNode()) === 'stop';
	const memory = memoryIn(context.getContext('node'));
	const failed = new Map<number, Result>();
	const followed: Followed[] = [];
	const toSend: Prepared[] = [];

	const follow = (item: Prepared, { taskId, raw }: Sent, isNew: boolean) =>
		followed.push({
			itemIndex: item.itemIndex,
			taskId,
			account: item.account,
			known: { ...item.known, taskId },
			isNew,
			output: item.output,
			raw,
		});
	const fail = (item: { itemIndex: number; known: KnownTask }, problem: Problem, wasSent = true) =>
		failed.set(item.itemIndex, {
			known: { ...item.known, taskId: problem.taskId ?? null },
			problem,
			...(!wasSent && { isBystander: true }),
		});

	const prepared: Prepared[] = [];
	// Asked once: n8n gives it by an expression only, which costs as much as an item's whole check.
	const runIndex = isTool(context) ? undefined : runIndexOf(context);
	for (let itemIndex = 0; itemIndex < context.getInputData().length; itemIndex++) {
		const item = await prepare(context, itemIndex, runIndex, callbackOf);
		if ('problem' in item) fail({ itemIndex, known: item.known }, item.problem);
		else prepared.push(item);
	}
	// Nothing more is sent, but what an earlier try has paid for is still told.
	const leave = (item: Prepared, because: string) => {
		const remembered = memory.recall(item.memoryKey);
		if (remembered.state === 'created') follow(item, remembered, false);
		else if (remembered.state === 'sending') fail(item, stillUnclear());
		else fail(item, notSent(because), false);
	};
	if (stops && failed.size > 0) {
		for (const item of prepared) leave(item, 'another item is wrong.');
		return { followed, failed };
	}

	for (const item of prepared) {
		const found = await recall(context, memory, item, clock);
		if (!found) toSend.push(item);
		else if ('problem' in found) fail(item, found.problem);
		else follow(item, found, false);
	}

	if (stops && failed.size > 0) {
		for (const item of toSend) leave(item, 'the outcome of an earlier item is not known.');
		return { followed, failed };
	}

	const total = toSend.reduce((sum, { request }) => sum + creditsOf(request), 0);
	if (options.maxCredits !== undefined && total > options.maxCredits) {
		const problem = tooManyCredits(total, toSend.length, options.maxCredits);
		for (const item of toSend) fail(item, problem);
		return { followed, failed };
	}

	let ended: string | undefined;
	let sent = 0;
	for (const item of toSend) {
		if (!ended && sent > 0 && sent % options.batchSize === 0) {
			await clock.sleep(options.batchInterval);
		}
		if (context.getExecutionCancelSignal?.()?.aborted) ended ??= 'the execution was stopped.';
		if (ended) {
			leave(item, ended);
			continue;
		}
		// Equal requests of an AI tool share one key: the second goes on with the task of the first.
		const already = await recall(context, memory, item, clock);
		if (already) {
			if ('problem' in already) fail(item, already.problem);
			else follow(item, already, false);
			continue;
		}
		const outcome = await send(context, memory, item, clock);
		sent++;
		if ('taskId' in outcome) {
			follow(item, outcome, true);
			continue;
		}
		fail(item, outcome.problem);
		const { code, message } = outcome.problem;
		if (stops || ENDS_BATCH.includes(code))
			ended = `item ${item.itemIndex} ended the run. ${message}`;
	}
	return { followed, failed };
}
