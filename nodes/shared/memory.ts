/**
 * The execution's memory of the POSTs a node has sent, so that Retry On Fail and a retried execution go on
 * with paid tasks instead of paying again. It lives in n8n's node context, which survives both (measured);
 * it does not survive Stop, a crash or a new run.
 */
import type { IContextObject } from 'n8n-workflow';

import { isObject, textOf } from './json';

/** What is remembered of one item: nothing, a POST without a known outcome, or the task it made. */
export type Remembered =
	| { state: 'none' }
	| { state: 'sending' }
	| { state: 'created'; taskId: string; executionId?: string };

const FIELD = 'seedance';

export interface Memory {
	recall(key: string): Remembered;
	/** Right before the POST. */
	sending(key: string): void;
	/** `executionId`: the execution that made the task, to tell a retry by a person from an automatic one. */
	created(key: string, taskId: string, executionId: string): void;
	/** The POST certainly created nothing, or a person wants a failed task anew. */
	forget(key: string): void;
}

/** The memory in a node's context object. */
export function memoryIn(context: IContextObject): Memory {
	const entries: Record<string, unknown> = isObject(context[FIELD]) ? context[FIELD] : {};
	context[FIELD] = entries;
	return {
		recall: (key) => {
			const entry = Object.hasOwn(entries, key) ? entries[key] : undefined;
			if (!isObject(entry)) return { state: 'none' };
			const taskId = textOf(entry.taskId);
			if (taskId === undefined) return { state: 'sending' };
			return { state: 'created', taskId, executionId: textOf(entry.executionId) };
		},
		sending: (key) => {
			entries[key] = { state: 'sending' };
		},
		created: (key, taskId, executionId) => {
			entries[key] = { state: 'created', taskId, executionId };
		},
		forget: (key) => {
			delete entries[key];
		},
	};
}
