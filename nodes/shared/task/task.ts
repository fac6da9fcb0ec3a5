/** A task as the API tells it, and as the nodes give it out. */
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
import { creditsOf } from './models';
import { echoedSettings } from './request';

export type TaskState = 'running' | 'succeeded' | 'failed';

/** One reading of a task. */
export interface Task {
	taskId: string;
	state: TaskState;
	/** The API's own word for the state. */
	statusWord: string;
	videoUrl: string | null;
	prompt: string | null;
	/** Credits; null while the API does not tell them. */
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
/** What an expression leaves that found nothing. */
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
 * The words for an end, of the API and of those that clients guard against. One list, for reading
 * and for callbacks. Source: docs/api-contract.md#status-words.
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
 * Milliseconds for which such a task is read again
 * (docs/api-contract.md#a-success-without-a-video).
 */
export const NO_VIDEO_GRACE_MS = 30_000;

/** The state behind a status word, in any case. An unknown word means "still running". */
export function stateOf(statusWord: string): TaskState {
	const word = statusWord.trim().toUpperCase();
	if (SUCCESS_WORDS.includes(word)) return 'succeeded';
	return FAILURE_WORDS.includes(word) ? 'failed' : 'running';
}

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
 * Other names that speak of a video, or of what came out; never of an image, or of another address.
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

/**
 * Reads `data` of `GET /status` for a task. Undefined when it is no readable state of that task:
 * no status word, or another task's id.
 */
export function readTask(taskId: string, data: unknown, apiKey: string): Task | undefined {
	if (!isObject(data)) return undefined;
	const statusWord = textOf(data.status) ?? textOf(data.state);
	const answeredId = textOf(data.task_id) ?? textOf(data.taskId);
	if (!statusWord || (answeredId !== undefined && answeredId !== taskId)) return undefined;
	const state = stateOf(statusWord);
	const reason = state === 'failed' ? reasonOf(data) : textOf(data.error_message);
	const request = isObject(data.request) ? data.request : {};
	const settings = echoedSettings(request);
	return {
		taskId,
		state,
		statusWord,
		videoUrl: videoUrlOf(data),
		prompt: textOf(request.prompt) ?? null,
		consumedCredits: numberOf(data.consumed_credits),
		estimatedCredits: settings ? creditsOf(settings) : null,
		createdAt: textOf(data.created_at) ?? null,
		errorMessage: readableText(reason ?? '', apiKey) || null,
		raw: withoutSecrets(data, apiKey),
	};
}

/** The item both nodes give out: a fixed shape, with null instead of absent. */
export interface TaskItem extends IDataObject {
	task_id: string | null;
	status: 'IN_PROGRESS' | 'SUCCESS' | 'FAILED' | null;
	finished: boolean;
	succeeded: boolean;
	video_url: string | null;
	prompt: string | null;
	consumed_credits: number | null;
	estimated_credits: number | null;
	created_at: string | null;
	reused: boolean;
	error_message: string | null;
}

const NORMALISED = { running: 'IN_PROGRESS', succeeded: 'SUCCESS', failed: 'FAILED' } as const;

/** What is there of a task before it is read: its id, and what the request tells. */
export interface TaskSeed {
	taskId: string | null;
	prompt: string | null;
	estimatedCredits: number | null;
	/** Milliseconds since 1970 at which this execution has started it; absent for any other task. */
	createdAt?: number;
	/** Paid for by another run, as the list of videos tells. */
	isReused?: true;
}

/** The item of a task that was not read (yet). `created` is false when no task came to be. */
export function unreadTaskItem(seed: TaskSeed, created = true): TaskItem {
	return {
		task_id: seed.taskId,
		status: created ? 'IN_PROGRESS' : null,
		finished: !created,
		succeeded: false,
		video_url: null,
		prompt: seed.prompt,
		consumed_credits: null,
		estimated_credits: seed.estimatedCredits,
		created_at: null,
		reused: seed.isReused ?? false,
		error_message: null,
	};
}

/** The item of a task as it was read; `seed` fills in what the API does not repeat. */
export function taskItem(task: Task, seed?: TaskSeed): TaskItem {
	return {
		task_id: task.taskId,
		status: NORMALISED[task.state],
		finished: task.state !== 'running',
		succeeded: hasVideo(task),
		video_url: task.videoUrl,
		prompt: task.prompt ?? seed?.prompt ?? null,
		consumed_credits: task.consumedCredits,
		estimated_credits: seed?.estimatedCredits ?? task.estimatedCredits,
		created_at: task.createdAt,
		reused: seed?.isReused ?? false,
		error_message: task.errorMessage,
	};
}

/**
 * The API's own data as an item, which always carries the ID that this node knows, and no `error`
 * (docs/n8n-behaviour.md#error-at-the-top-of-an-item).
 */
export function rawItem(raw: IDataObject, taskId: string | null = null): IDataObject {
	const shown = without(raw, 'error');
	return taskId === null ? shown : { ...shown, task_id: taskId };
}
