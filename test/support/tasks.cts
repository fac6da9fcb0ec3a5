// Starts a video at the sandbox without n8n, as somebody else's program would.
import axios from 'axios';

import { isRecord, type OrderV1, type OrderV2, type Sandbox } from '../sandbox/server.cjs';

const DRAFT = {
	prompt: 'A paper boat',
	aspect_ratio: '9:16',
	resolution: '480p',
	duration: '4',
} satisfies Partial<OrderV1>;

/**
 * Asks the API for a short draft, or what `order` says, in version 2 where that names a model; gives the task's id. Throws
 * when it starts none.
 */
export async function startTaskAt(
	{ baseUrl, apiKey }: Pick<Sandbox, 'baseUrl' | 'apiKey'>,
	order: Partial<OrderV1> | (Partial<OrderV2> & Pick<OrderV2, 'model'>) = {},
): Promise<string> {
	const isV2 = 'model' in order;
	const { data } = await axios.post<unknown>(
		`${isV2 ? baseUrl.replace(/1$/, '2') : baseUrl}/generate`,
		isV2 ? { prompt: DRAFT.prompt, ...order } : { ...DRAFT, ...order },
		{ headers: { authorization: `Bearer ${apiKey}` }, proxy: false },
	);
	const task = isRecord(data) && isRecord(data.data) ? data.data.task_id : undefined;
	if (typeof task !== 'string') throw new Error('The sandbox started no task');
	return task;
}
