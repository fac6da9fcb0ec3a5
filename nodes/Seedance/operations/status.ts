/** Get Status: reads existing videos once. A failed task is a result here, not an error. */
import { taskFields } from '../description/fields';
import { includeInput, optionsOf, videoList } from '../description/options';
import { downloadVideo, outputBinaryField, simplify } from '../description/resultFields';
import { pendingTasks } from '../run/taskIds';
import { recordReads } from '../videoList/recordReads';
import { finished, readAll } from '../run/watch';
import type { Operation } from './operation';

export const status: Operation = {
	label: 'Get Status',
	action: 'Get video status',
	description: 'Look once at a video that was started before',
	fields: [
		...taskFields,
		{ ...downloadVideo, default: false },
		outputBinaryField,
		simplify,
		optionsOf(includeInput, videoList),
	],
	callsApi: true,
	run: async (run) => {
		const items = await pendingTasks(run, { downloadsByDefault: false });
		return await recordReads(
			run,
			await finished(items, async (tasks) => await readAll(run, tasks)),
		);
	},
};
