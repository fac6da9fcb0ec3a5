/** A task as the API tells it, and as the nodes give it out. */
import type { IDataObject } from 'n8n-workflow';

import { isObject, numberOf, readableText, textOf, withoutSecrets } from './json';
import { creditsOf } from './pricing';
import { checkSettings } from './videoRequest';

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

/** Task ids are short tokens of any form; blanks, quotes or brackets are a mapping gone wrong or an attack. */
export function isTaskId(text: string): boolean {
	return /^[^\s\p{C}{}<>"']{1,200}$/u.test(text);
}

const SUCCESS_WORDS = ['SUCCESS', 'SUCCEEDED', 'COMPLETED'];
const FAILURE_WORDS = ['FAILED', 'ERROR', 'CANCELLED', 'CANCELED', 'EXPIRED'];

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

/** The video's link: `response[0]` by the document; a bare text is taken too. */
function videoUrlOf(response: unknown): string | null {
	const list: unknown[] = Array.isArray(response) ? response : [response];
	const url = list.map(textOf).find((text) => text && /^https?:\/\//i.test(text));
	return url ?? null;
}

/**
 * Reads `data` of `GET /status` for a task. Undefined when it is no readable state of that task:
 * no status word, or another task's id.
 */
export function readTask(taskId: string, data: unknown, apiKey: string): Task | undefined {
	if (!isObject(data)) return undefined;
	const statusWord = textOf(data.status);
	const answeredId = textOf(data.task_id);
	if (!statusWord || (answeredId !== undefined && answeredId !== taskId)) return undefined;
	const request = isObject(data.request) ? data.request : {};
	const settings = checkSettings({ ...request, generateAudio: request.generate_audio });
	return {
		taskId,
		state: stateOf(statusWord),
		statusWord,
		videoUrl: videoUrlOf(data.response),
		prompt: textOf(request.prompt) ?? null,
		consumedCredits: numberOf(data.consumed_credits),
		estimatedCredits: settings.ok ? creditsOf(settings.value) : null,
		createdAt: textOf(data.created_at) ?? null,
		errorMessage: readableText(textOf(data.error_message) ?? '', apiKey) || null,
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
	error_message: string | null;
}

const NORMALISED = { running: 'IN_PROGRESS', succeeded: 'SUCCESS', failed: 'FAILED' } as const;

/** What is known of a task without reading it: its id, and what the request tells. */
export interface KnownTask {
	taskId: string | null;
	prompt: string | null;
	estimatedCredits: number | null;
}

/** The item of a task that was not read (yet). `created` is false when no task came to be. */
export function unreadTaskItem(known: KnownTask, created = true): TaskItem {
	return {
		task_id: known.taskId,
		status: created ? 'IN_PROGRESS' : null,
		finished: !created,
		succeeded: false,
		video_url: null,
		prompt: known.prompt,
		consumed_credits: null,
		estimated_credits: known.estimatedCredits,
		created_at: null,
		error_message: null,
	};
}

/** The item of a task as it was read; `known` fills in what the API does not repeat. */
export function taskItem(task: Task, known?: KnownTask): TaskItem {
	return {
		task_id: task.taskId,
		status: NORMALISED[task.state],
		finished: task.state !== 'running',
		succeeded: hasVideo(task),
		video_url: task.videoUrl,
		prompt: task.prompt ?? known?.prompt ?? null,
		consumed_credits: task.consumedCredits,
		estimated_credits: known?.estimatedCredits ?? task.estimatedCredits,
		created_at: task.createdAt,
		error_message: task.errorMessage,
	};
}

/** The API's own data as an item. Older n8n runs a node again when an item has `error` at its top (measured). */
export function rawItem(raw: IDataObject): IDataObject {
	return Object.fromEntries(Object.entries(raw).filter(([key]) => key !== 'error'));
}
