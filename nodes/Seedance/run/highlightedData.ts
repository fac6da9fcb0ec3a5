/**
 * Highlighted data of an execution: the IDs and the credits of the videos that it has started. n8n
 * keeps it also after Stop, which loses the output, and shows it on registered and licensed
 * instances.
 */
import type { IExecuteFunctions } from 'n8n-workflow';

import { isObject, numberOf, readableText, textOf } from '../../shared/json';

/** Names under which n8n keeps them. */
const TASKS = 'seedance_tasks';
export const CREDITS = 'seedance_credits';
/** The values that hold the IDs, eleven in each (docs/n8n-behaviour.md#highlighted-data). */
const LISTS = [TASKS, ...[2, 3, 4, 5].map((nth) => `${TASKS}_${nth}`)];
/**
 * Characters of a value beyond which n8n complains in its log
 * (docs/n8n-behaviour.md#highlighted-data).
 */
const VALUE_MAX_LENGTH = 255;
/** Stands before the newest IDs where there is no room for all. */
const MORE = '… ';

interface CustomData {
	get: (key: string) => unknown;
	set: (key: string, value: unknown) => unknown;
}

function isCustomData(value: unknown): value is CustomData {
	return isObject(value) && typeof value.get === 'function' && typeof value.set === 'function';
}

function findCustomData(context: IExecuteFunctions): CustomData | undefined {
	const own: unknown = Reflect.get(context, 'customData');
	if (isCustomData(own)) return own;
	const execution: unknown = context.getWorkflowDataProxy(0).$execution;
	const found: unknown = isObject(execution) ? execution.customData : undefined;
	return isCustomData(found) ? found : undefined;
}

/** By context, because n8n builds the whole data proxy again for each call. */
const stores = new WeakMap<IExecuteFunctions, CustomData | undefined>();

/** n8n's store of highlighted data (docs/n8n-behaviour.md#store-of-highlighted-data). */
function customDataOf(context: IExecuteFunctions): CustomData | undefined {
	if (!stores.has(context)) stores.set(context, findCustomData(context));
	return stores.get(context);
}

/** The list with one more ID at its end; the oldest are dropped where not all fit. */
function withNewest(list: string, taskId: string): string {
	// Without half of a surrogate pair at the end.
	let shown = taskId.slice(0, VALUE_MAX_LENGTH - MORE.length).replace(/[\ud800-\udbff]$/, '');
	for (const id of list.replace(MORE, '').split(', ').filter(Boolean).reverse()) {
		if (MORE.length + id.length + 2 + shown.length > VALUE_MAX_LENGTH) break;
		shown = `${id}, ${shown}`;
	}
	return `${MORE}${shown}`;
}

/**
 * Adds an ID to the first list that has room; without room, to the last one in place of its oldest
 * IDs.
 */
function addTask(data: CustomData, taskId: string): void {
	let last = TASKS;
	for (const key of LISTS) {
		const list = textOf(data.get(key)) ?? '';
		if (list) last = key;
		const longer = list ? `${list}, ${taskId}` : taskId;
		if (longer.length > VALUE_MAX_LENGTH || list.startsWith(MORE)) continue;
		data.set(key, longer);
		// n8n silently ignores a value beyond the tenth.
		if (data.get(key) === longer) return;
	}
	data.set(last, withNewest(textOf(data.get(last)) ?? '', taskId));
}

/**
 * Adds a task that was just started, with its credits by the price table. Never throws: n8n has
 * room for ten values, shared with the user's, and a paid result must not depend on them.
 */
export function highlight(context: IExecuteFunctions, taskId: string, credits: number): void {
	try {
		const data = customDataOf(context);
		if (!data) return;
		addTask(data, taskId);
		data.set(CREDITS, String((numberOf(data.get(CREDITS)) ?? 0) + credits));
	} catch (error) {
		const reason = error instanceof Error ? readableText(error.message, '') : '';
		context.logger.warn(`Seedance could not add to the highlighted data: ${reason}`);
	}
}
