/**
 * The outcome of the task that a callback names, and its item. A success without its video may
 * still get it: a callback needs its response within seconds, so the run that it starts reads the
 * task again before anything is given out.
 */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { getCredential, type Credential } from '../shared/api/credential';
import { findTask, VersionCache } from '../shared/api/findTask';
import type { Clock } from '../shared/n8n/clock';
import { isObject, textOf } from '../shared/json';
import { hasEnded, hasVideo, NO_VIDEO_GRACE_MS, readTask, type Task } from '../shared/task/task';
import { rawItem, taskItem } from '../shared/task/taskItem';
import { recordOutcomes } from '../shared/idempotency/recordOutcomes';
import { deduplicationOf } from './deduplication';
import { readEvents, readKeepsList, readSimplify, type VideoEvent } from './parameters';

/** `noVideo`: a success whose video is not there (yet). */
export type Outcome = VideoEvent | 'noVideo';

/** The outcome of a task that has ended; a running one would give `noVideo`. */
export function outcomeOf(task: Task): Outcome {
	if (task.state === 'failed') return 'failed';
	return hasVideo(task) ? 'succeeded' : 'noVideo';
}

/**
 * The item of an event: the task as the API reports it, simplified or raw, and the metadata of its
 * callback.
 */
export function eventItem(task: Task, simplify: boolean, metadata: IDataObject): IDataObject {
	const json = simplify ? taskItem(task) : rawItem(task.raw, task.taskId);
	return { ...json, metadata };
}

const isData = (value: unknown): value is IDataObject => isObject(value);

/** Milliseconds between two reads of a success without its video. */
const READ_AGAIN_MS = 2_000;
/** Milliseconds that n8n may take from the callback to the run. */
const START_MARGIN_MS = 15_000;

/** Until when (milliseconds since 1970) a run that starts now may wait for its video. */
export function awaitedUntil(clock: Clock): number {
	return clock.now() + NO_VIDEO_GRACE_MS + START_MARGIN_MS;
}

/**
 * The task in an item of the trigger, simplified or raw. A simplified item has the API's names, but
 * for the list of links.
 */
function taskIn(json: IDataObject): Task | undefined {
	return readTask(textOf(json.task_id) ?? '', { response: json.video_url, ...json }, '');
}

/**
 * Records what this run gives out in the list of videos, unless Keep Video List is off. Never
 * throws: a broken expression there must not turn an accepted callback into an error.
 */
export async function recordItems(
	context: IExecuteFunctions,
	items: readonly INodeExecutionData[],
): Promise<void> {
	try {
		if (!readKeepsList(context)) return;
	} catch {
		return;
	}
	const tasks = items.flatMap(({ json }) => taskIn(json) ?? []);
	await recordOutcomes(
		context,
		tasks.map((task) => ({ task, isHandedOn: true })),
	);
}

/**
 * Reads a task until it has ended, for at most {@link NO_VIDEO_GRACE_MS}; gives the last reading.
 * Stop ends it.
 */
async function readUntilEnded(
	context: IExecuteFunctions,
	credential: Credential,
	first: Task,
	clock: Clock,
): Promise<Task> {
	const deadline = clock.now() + NO_VIDEO_GRACE_MS;
	const known = new VersionCache();
	let task = first;
	while (!hasEnded(task)) {
		const read = await findTask(context, { ...task, known, credential, clock });
		if (read.outcome === 'task') task = read.task;
		const left = deadline - clock.now();
		if (hasEnded(task) || left <= 0) break;
		if (!(await clock.sleep(Math.min(READ_AGAIN_MS, left)))) break;
	}
	return task;
}

/**
 * The items of a run: those of its callback, read again where a success had no video. None for an
 * outcome that Trigger On does not include. Throws what an expression or the credential throws.
 */
export async function confirmedItems(
	context: IExecuteFunctions,
	clock: Clock,
): Promise<INodeExecutionData[]> {
	const trigger = `${context.getWorkflow().id}:${context.getNode().id}`;
	const items: INodeExecutionData[] = [];
	for (const item of context.getInputData()) {
		const task = taskIn(item.json);
		if (!task || outcomeOf(task) !== 'noVideo') {
			items.push(item);
			continue;
		}
		const credential = await getCredential(context);
		const last =
			'problem' in credential ? task : await readUntilEnded(context, credential, task, clock);
		const outcome = outcomeOf(last) === 'succeeded' ? 'succeeded' : 'failed';
		deduplicationOf(trigger, {}).confirmVideo(task.taskId, outcome);
		if (!readEvents(context).includes(outcome)) continue;
		const metadata = isData(item.json.metadata) ? item.json.metadata : {};
		items.push({ ...item, json: eventItem(last, readSimplify(context), metadata) });
	}
	return items;
}
