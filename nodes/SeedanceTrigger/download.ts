/**
 * Download Video of the trigger: adds the file to the item that a callback has started a run with.
 */
import type { IDataObject, IExecuteFunctions, INode, INodeExecutionData } from 'n8n-workflow';

import { getCredential } from '../shared/api/credential';
import {
	DOWNLOAD_LIMIT_MS,
	fetchVideo,
	PARALLEL_DOWNLOADS,
	type FetchOptions,
} from '../shared/api/download';
import { findTaskWithRetry } from '../shared/api/retry';
import { textOf } from '../shared/json';
import { limiter, type Clock } from '../shared/n8n/clock';
import { workUntil } from '../shared/n8n/limit';
import { errorOutputItem, failedItem, onErrorOf } from '../shared/n8n/onError';
import { nodeError, type Problem } from '../shared/task/errors';
import { readTask, type Task } from '../shared/task/task';
import { taskItem } from '../shared/task/taskItem';
import { readFileField } from './parameters';

/**
 * The task in an item of the trigger, simplified or raw; undefined for a video that is not ready.
 */
function videoIn(json: IDataObject) {
	const taskId = textOf(json.task_id) ?? '';
	// A simplified item has the API's names too, but for the list of links.
	const task = readTask(taskId, { response: json.video_url, ...json }, '');
	return task?.state === 'succeeded' && task.videoUrl ? { task, url: task.videoUrl } : undefined;
}

/** A simplified item has this field; the API's own data has not. */
const isSimple = (json: IDataObject) => typeof json.succeeded === 'boolean';

/** The item with the link from a new read of its task. */
function withLinkOf(task: Task, json: IDataObject): IDataObject {
	return isSimple(json)
		? { ...json, video_url: task.videoUrl }
		: { ...json, response: task.raw.response };
}

/** The item of a video that could not be stored, as On Error wants it. Throws with Stop. */
function failedFile(
	node: INode,
	failed: IDataObject,
	problem: Problem,
	index: number,
): INodeExecutionData {
	const onError = onErrorOf(node);
	if (onError === 'stop') throw nodeError(node, problem, { tasks: [failed] });
	if (onError === 'errorOutput') return errorOutputItem(problem, failed, index);
	return { json: failed, pairedItem: { item: index } };
}

/** The field for files, and the limits of a download. */
interface Files extends Pick<FetchOptions, 'clock' | 'deadline'> {
	/** The binary field. */
	field: string;
}

/** One item, with its file where it has a video. */
async function withFile(
	context: IExecuteFunctions,
	{ json }: INodeExecutionData,
	index: number,
	{ field, ...limits }: Files,
): Promise<INodeExecutionData> {
	const pairedItem = { item: index };
	const video = videoIn(json);
	if (!video) return { json, pairedItem };
	const readAgain = async (): Promise<Task | undefined> => {
		const credential = await getCredential(context, index);
		if ('problem' in credential) return undefined;
		const wanted = { ...video.task, credential, clock: limits.clock };
		const read = await findTaskWithRetry(context, wanted);
		return read.outcome === 'task' ? read.task : undefined;
	};
	const got = await fetchVideo(context, video, { ...limits, readAgain });
	const latest = got.task === video.task ? json : withLinkOf(got.task, json);
	if (!got.ok) {
		const simple = isSimple(latest) ? latest : { ...taskItem(got.task), metadata: latest.metadata };
		return failedFile(context.getNode(), failedItem(simple, got.problem), got.problem, index);
	}
	return { json: latest, pairedItem, binary: { [field]: got.binary } };
}

/**
 * These items of a run, each with its file where Download Video is on and the video is ready.
 * Throws when a file could not be fetched and On Error is Stop; Retry in Executions then fetches it
 * again.
 */
export async function addFiles(
	context: IExecuteFunctions,
	items: readonly INodeExecutionData[],
	clock: Clock,
): Promise<INodeExecutionData[]> {
	const field = readFileField(context);
	if (!field) return items.map(({ json }, index) => ({ json, pairedItem: { item: index } }));
	const now = clock.now();
	const files = { field, clock, deadline: workUntil(context, now) ?? now + DOWNLOAD_LIMIT_MS };
	const inTurn = limiter(PARALLEL_DOWNLOADS);
	return await Promise.all(
		items.map(
			async (item, index) => await inTurn(async () => await withFile(context, item, index, files)),
		),
	);
}
