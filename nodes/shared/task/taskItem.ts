/** A task as an output item. */
import type { IDataObject } from 'n8n-workflow';

import { without } from '../json';
import { hasVideo, type Task } from './task';

/** The item both nodes give out: a fixed shape, with null instead of absent. */
export interface TaskItem extends IDataObject {
	task_id: string | null;
	status: 'IN_PROGRESS' | 'SUCCESS' | 'FAILED' | null;
	finished: boolean;
	succeeded: boolean;
	video_url: string | null;
	model: string | null;
	prompt: string | null;
	consumed_credits: number | null;
	estimated_credits: number | null;
	created_at: string | null;
	reused: boolean;
	error_message: string | null;
}

const NORMALISED = { running: 'IN_PROGRESS', succeeded: 'SUCCESS', failed: 'FAILED' } as const;

/** The facts about a task before it is read: its id, and those of its request. */
export interface TaskSeed {
	taskId: string | null;
	/** The value of the node's field Model; null where it is not known. */
	model: string | null;
	prompt: string | null;
	estimatedCredits: number | null;
	/** Milliseconds since 1970 at which this execution has started it; absent for any other task. */
	createdAt?: number;
	/** Paid for by another run, by the list of videos. */
	isReused?: true;
}

/** The item of a task that was not read (yet). `created` is false when there is no task. */
export function unreadTaskItem(seed: TaskSeed, created = true): TaskItem {
	return {
		task_id: seed.taskId,
		status: created ? 'IN_PROGRESS' : null,
		finished: !created,
		succeeded: false,
		video_url: null,
		model: seed.model,
		prompt: seed.prompt,
		consumed_credits: null,
		estimated_credits: seed.estimatedCredits,
		created_at: null,
		reused: seed.isReused ?? false,
		error_message: null,
	};
}

/** The item of a task as it was read; `seed` fills in values that the API does not repeat. */
export function taskItem(task: Task, seed?: TaskSeed): TaskItem {
	return {
		task_id: task.taskId,
		status: NORMALISED[task.state],
		finished: task.state !== 'running',
		succeeded: hasVideo(task),
		video_url: task.videoUrl,
		model: seed?.model ?? task.model,
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
