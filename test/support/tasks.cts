// Starts a video at the sandbox without n8n, as somebody else's program would.
import axios from 'axios';

import { isRecord, type Sandbox, type VideoOrder } from '../sandbox/server.cjs';

/** Asks the API for a short draft, or what `order` says; gives the task's id. Throws when it starts none. */
export async function startTaskAt(
	{ baseUrl, apiKey }: Pick<Sandbox, 'baseUrl' | 'apiKey'>,
	order: Partial<VideoOrder> = {},
): Promise<string> {
	const { data } = await axios.post<unknown>(
		`${baseUrl}/generate`,
		{ prompt: 'A paper boat', aspect_ratio: '9:16', resolution: '480p', duration: '4', ...order },
		{ headers: { authorization: `Bearer ${apiKey}` }, proxy: false },
	);
	const task = isRecord(data) && isRecord(data.data) ? data.data.task_id : undefined;
	if (typeof task !== 'string') throw new Error('The sandbox started no task');
	return task;
}
