/** A task as the API reports it. */
import type { IDataObject } from 'n8n-workflow';

import { parseBody, reasonIn } from '../api/envelope';
import {
	byRank,
	isObject,
	numberOf,
	rankBy,
	readableText,
	textOf,
	without,
	withoutSecrets,
} from '../json';
import { creditsOf, DEFAULT_MODEL, modelNamed, type ApiVersion } from './models';
import { echoedSettings } from './request';

export type TaskState = 'running' | 'succeeded' | 'failed';

/** One reading of a task. */
export interface Task {
	taskId: string;
	state: TaskState;
	/** The API's own word for the state. */
	statusWord: string;
	videoUrl: string | null;
	/** The value of the node's field Model; null where the API does not report it. */
	model: string | null;
	prompt: string | null;
	/** Credits; null while the API does not report them. */
	consumedCredits: number | null;
	/** Credits by the price table, from the API's echo of the request; null without that echo. */
	estimatedCredits: number | null;
	createdAt: string | null;
	errorMessage: string | null;
	/** The API's `data`, without what must not be shown. */
	raw: IDataObject;
}

/** Characters of a task ID. */
const TASK_ID_MAX_LENGTH = 500;
/** What an expression without a value leaves behind. */
const BROKEN = /\{\{|\}\}|\[object |^(undefined|null|NaN)$/;

/**
 * Whether a text can be a task ID. The API promises no form of it, so whatever it gave may be asked
 * for again; only the leftovers of a broken expression and control characters are refused.
 */
export function isTaskId(text: string): boolean {
	return (
		text.length > 0 &&
		text.length <= TASK_ID_MAX_LENGTH &&
		!/[\p{Cc}\p{Cs}]/u.test(text) &&
		!BROKEN.test(text)
	);
}

/**
 * The status words that end a task: the API's own, and others that clients guard against. One list,
 * for reads and callbacks. Source: docs/api-contract.md#status-words.
 */
const SUCCESS_WORDS = [
	'SUCCESS',
	'SUCCEED',
	'SUCCEEDED',
	'COMPLETE',
	'COMPLETED',
	'DONE',
	'FINISHED',
];
const FAILURE_WORDS = [
	'FAIL',
	'FAILED',
	'FAILURE',
	'ERROR',
	'REJECTED',
	'CANCELLED',
	'CANCELED',
	'EXPIRED',
];

/**
 * Milliseconds for which a success without a video is read again
 * (docs/api-contract.md#a-success-without-a-video).
 */
export const NO_VIDEO_GRACE_MS = 30_000;

/** The state behind a status word, in any case. An unknown word means "still running". */
export function stateOf(statusWord: string): TaskState {
	const word = statusWord.trim().toUpperCase();
	if (SUCCESS_WORDS.includes(word)) return 'succeeded';
	return FAILURE_WORDS.includes(word) ? 'failed' : 'running';
}

/** Whether a task succeeded and its link is known: the one definition of "has a video". */
export function hasVideo(task: Task): boolean {
	return task.state === 'succeeded' && task.videoUrl !== null;
}

/** Whether a task has ended for good: a success without its video may still get one. */
export function hasEnded(task: Task): boolean {
	return task.state === 'failed' || hasVideo(task);
}

/** Where the link of a video stands in an object, by plain names, the likeliest first. */
const URL_NAMES = [
	'response',
	'videourl',
	'url',
	'video',
	'videos',
	'output',
	'result',
	'downloadurl',
];
/**
 * Other names that may hold the link of the video; never that of an image or of another address.
 */
const LIKE_A_VIDEO =
	/^(?!.*(image|cover|thumb|poster|frame|preview|callback|webhook|status|cancel|request|input|page|audio)).*(video|output|result|content|media|file|download|play)|^urls$/;
const urlRank = rankBy(URL_NAMES, LIKE_A_VIDEO);
const URL_DEPTH = 4;

/**
 * The first web link in a value: a text, a list, an object under one of the usual names, or any of
 * these as JSON in a text.
 */
function linkIn(given: unknown, depth = URL_DEPTH): string | undefined {
	const value = parseBody(given);
	const text = textOf(value);
	if (text !== undefined) return /^https?:\/\/\S+$/i.test(text) ? text : undefined;
	if (depth === 0) return undefined;
	const inner: unknown[] = Array.isArray(value)
		? value
		: isObject(value)
			? byRank(value, urlRank)
			: [];
	return inner.map((one) => linkIn(one, depth - 1)).find((link) => link !== undefined);
}

/**
 * The video's link, never one of the user's own `request`
 * (docs/api-contract.md#where-the-link-stands).
 */
function videoUrlOf(data: Record<string, unknown>): string | null {
	return linkIn(data, URL_DEPTH + 1) ?? null;
}

/** The reason of a failed task, wherever the API put it. */
function reasonOf(data: Record<string, unknown>): string | undefined {
	return reasonIn(without(data, 'request', 'response'));
}

/** The model of a response: the one it names, or the only one that its version of the API has. */
function modelOf(data: Record<string, unknown>, version: ApiVersion | undefined) {
	const request = isObject(data.request) ? data.request : {};
	const named = modelNamed(textOf(request.model) ?? textOf(data.model) ?? '');
	return named ?? (version === DEFAULT_MODEL.version ? DEFAULT_MODEL : undefined);
}

/**
 * Reads `data` of `GET /status` for a task. Undefined when it has no status word, or another task's
 * id. `version`: of the API that gave it, where that is known.
 */
export function readTask(
	taskId: string,
	data: unknown,
	apiKey: string,
	version?: ApiVersion,
): Task | undefined {
	if (!isObject(data)) return undefined;
	const statusWord = textOf(data.status) ?? textOf(data.state);
	const echoedId = textOf(data.task_id) ?? textOf(data.taskId);
	if (!statusWord || (echoedId !== undefined && echoedId !== taskId)) return undefined;
	const state = stateOf(statusWord);
	const reason = state === 'failed' ? reasonOf(data) : textOf(data.error_message);
	const request = isObject(data.request) ? data.request : {};
	const model = modelOf(data, version);
	const settings = model && echoedSettings(request, model);
	return {
		taskId,
		state,
		statusWord,
		videoUrl: videoUrlOf(data),
		model: model?.value ?? null,
		prompt: textOf(request.prompt) ?? null,
		consumedCredits: numberOf(data.consumed_credits),
		estimatedCredits: settings ? creditsOf(settings) : null,
		createdAt: textOf(data.created_at) ?? null,
		errorMessage: readableText(reason ?? '', apiKey) || null,
		raw: withoutSecrets(data, apiKey),
	};
}
