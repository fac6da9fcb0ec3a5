/** Download Video of the trigger: adds the file to the item that a delivery has started a run with. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import type { Clock } from '../shared/clock';
import { downloadVideo } from '../shared/download';
import { downloadFailed, nodeError } from '../shared/errors';
import { textOf } from '../shared/json';
import { errorOutputItem, failedItem, onErrorOf } from '../shared/onError';
import { readTask, taskItem } from '../shared/task';
import { readFileField } from './settings';

/** The video's link in an item of the trigger, simplified or raw; undefined for a video that is not ready. */
function videoIn(json: IDataObject) {
	const taskId = textOf(json.task_id) ?? '';
	// A simplified item has the API's names too, but for the list of links.
	const task = readTask(taskId, { response: json.video_url, ...json }, '');
	return task?.state === 'succeeded' && task.videoUrl ? { task, url: task.videoUrl } : undefined;
}

async function withFile(
	context: IExecuteFunctions,
	{ json }: INodeExecutionData,
	index: number,
	field: string,
	clock: Clock,
): Promise<INodeExecutionData> {
	const pairedItem = { item: index };
	const video = videoIn(json);
	if (!video) return { json, pairedItem };
	const { task, url } = video;
	const got = await downloadVideo(context, url, task.taskId, clock);
	if (got.ok) return { json, pairedItem, binary: { [field]: got.binary } };
	const problem = downloadFailed(task.taskId, url, got.why, got.expired);
	const onError = onErrorOf(context.getNode());
	const isSimple = json.video_url === url;
	const failed = failedItem(
		isSimple ? json : { ...taskItem(task), metadata: json.metadata },
		problem,
	);
	if (onError === 'stop') throw nodeError(context.getNode(), problem, { tasks: [failed] });
	if (onError === 'errorOutput') return errorOutputItem(problem, failed, index);
	return { json: failed, pairedItem };
}

/**
 * The items of a run, each with its file where Download Video is on and the video is ready.
 * Throws when a file could not be fetched and On Error is Stop; Retry in Executions then fetches it again.
 */
export async function addFiles(
	context: IExecuteFunctions,
	clock: Clock,
): Promise<INodeExecutionData[]> {
	const field = readFileField(context);
	const items = context.getInputData();
	if (!field) return items.map(({ json }, index) => ({ json, pairedItem: { item: index } }));
	return await Promise.all(
		items.map(async (item, index) => await withFile(context, item, index, field, clock)),
	);
}
