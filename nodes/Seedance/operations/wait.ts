/** Wait for Video: waits for existing videos, all together, without paying again. */
import { taskFields } from '../description/fields';
import { includeInput, optionsOf, pollInterval, timeout, videoList } from '../description/options';
import { downloadVideo, outputBinaryField, simplify } from '../description/resultFields';
import { readOptions } from '../run/parameters';
import { pendingTasks } from '../run/taskIds';
import { recordReads } from '../videoList/recordReads';
import { finished, watchAll } from '../run/watch';
import type { Operation } from './operation';

export const wait: Operation = {
	label: 'Wait for Video',
	action: 'Wait for video',
	description: 'Wait for videos that were started before, without paying again',
	fields: [
		...taskFields,
		downloadVideo,
		outputBinaryField,
		simplify,
		optionsOf(pollInterval, includeInput, videoList, timeout),
	],
	callsApi: true,
	waits: true,
	run: async (run) => {
		const { options, problems } = readOptions(run.context);
		const items = await pendingTasks(run, { downloadsByDefault: true, problems });
		const results = await finished(items, async (tasks) => await watchAll(run, tasks, options));
		return await recordReads(run, results);
	},
};
