/**
 * Reads the body of a callback: which task it names, and whether that task has ended. Takes JSON,
 * forms and texts, however they are nested, and whatever the content type says
 * (docs/api-contract.md#the-body-of-a-callback).
 *
 * Rules that must not regress:
 * - a callback only says which task to read; nothing in it becomes output;
 * - a body of any size and form is read in bounded time.
 */
import type { IWebhookFunctions } from 'n8n-workflow';

import { parseBody } from '../api/envelope';
import { isObject, plainName, textOf } from '../json';
import { isTaskId, stateOf } from '../task/task';

/** Values of one body that are read, and how deep they may lie. */
const MAX_VALUES = 1000;
const MAX_DEPTH = 6;
/** Entries of one object or list that are read. */
const MAX_ENTRIES = 50;
/** Characters of a text that is searched. A callback has a few hundred. */
const MAX_TEXT_LENGTH = 1_000_000;
/** Task ids that one callback may name: the API's own, and perhaps one of a provider behind it. */
const MAX_TASK_IDS = 3;

type Layer = Record<string, unknown>;

/** Fields that hold the task itself; they are read before the fields beside them. */
const WRAPPERS = ['data', 'payload', 'body', 'task'];

const isJsonText = (text: string) => /^\s*[[{"]/.test(text);

/**
 * The content of a text or of bytes: JSON, or the fields of a form; undefined where it is neither.
 * Any other value stays as it is.
 */
function opened(value: unknown, isBody: boolean): unknown {
	const given = Buffer.isBuffer(value) ? value.toString('utf8') : value;
	if (typeof given !== 'string') return given;
	if (given.length > MAX_TEXT_LENGTH) return undefined;
	const text = given.replace(/^\uFEFF/, '').trim();
	// Twice: JSON may have been encoded as a JSON text once more.
	if (isJsonText(text)) return parseBody(parseBody(text));
	// A value inside is a form only when it names a task: any text may hold an "=".
	const isForm = /^[\w.[\]-]+=/.test(text) && (isBody || /(^|&)task[_-]?id=/i.test(text));
	if (!isForm) return undefined;
	return Object.fromEntries([...new URLSearchParams(text)].slice(0, MAX_ENTRIES));
}

/**
 * Every object in a body: what is wrapped in `data` first, then its wrapper, then whatever else
 * lies inside.
 */
function layersOf(body: unknown): Layer[] {
	const layers: Layer[] = [];
	let left = MAX_VALUES;
	const collect = (given: unknown, depth: number): void => {
		if (left-- <= 0 || depth > MAX_DEPTH) return;
		const value = opened(given, depth === 0);
		const next = (inner: unknown) => collect(inner, depth + 1);
		if (Array.isArray(value)) value.slice(0, MAX_ENTRIES).forEach(next);
		if (!isObject(value)) return;
		const entries = Object.entries(value).slice(0, MAX_ENTRIES);
		const isWrapper = ([name]: [string, unknown]) => WRAPPERS.includes(plainName(name));
		entries.filter(isWrapper).forEach(([, inner]) => next(inner));
		layers.push(value);
		entries.filter((entry) => !isWrapper(entry)).forEach(([, inner]) => next(inner));
		// A form whose sender put the JSON in the place of a field's name.
		entries
			.map(([name]) => name)
			.filter(isJsonText)
			.forEach(next);
	};
	collect(body, 0);
	return layers;
}

/** The values of a layer's fields of one name, however it is spelled. */
function valuesOf(layer: Layer, name: string): unknown[] {
	return Object.entries(layer)
		.slice(0, MAX_ENTRIES)
		.filter(([key]) => plainName(key) === name)
		.map(([, value]) => value);
}

/** The texts of those values; a query or a form may hold a list where one value belongs. */
function textsOf(layer: Layer, name: string): string[] {
	return valuesOf(layer, name)
		.flatMap((value) => (Array.isArray(value) ? value.slice(0, MAX_TASK_IDS) : [value]))
		.map(textOf)
		.filter((text) => text !== undefined);
}

/**
 * An id that stands in a text which is neither JSON nor a form: after its name, or as the only
 * word.
 */
function idsInText(body: unknown): string[] {
	const text = Buffer.isBuffer(body) ? body.toString('utf8') : body;
	if (typeof text !== 'string' || text.length > MAX_TEXT_LENGTH) return [];
	const named = [...text.matchAll(/task[ _-]?id["']?\s*[:=>]\s*["']?([\w.:-]{1,200})/gi)];
	const [lone] = /^\s*"?([\w.:-]{8,200})"?\s*$/.exec(text)?.slice(1) ?? [];
	return [...named.map(([, id]) => id), ...(lone && /\d/.test(lone) ? [lone] : [])];
}

/** The task ids that a callback may mean, the likeliest first; the query counts last. */
export function taskIdsIn(body: unknown, query: Readonly<Record<string, unknown>>): string[] {
	const layers = layersOf(body);
	const found = [
		...layers.flatMap((layer) => textsOf(layer, 'taskid')),
		...layers.flatMap((layer) => textsOf(layer, 'id')),
		...(layers.length ? [] : idsInText(body)),
		...textsOf(query, 'taskid'),
	].filter(isTaskId);
	return [...new Set(found)].slice(0, MAX_TASK_IDS);
}

/** Words of the API and of other providers for a running task. `stateOf` knows those for an end. */
const RUNNING_WORDS =
	/^(in.?progress|queue|pending|running|processing|generating|waiting|submitted|created|started)/i;

/** The state of the task according to a body: ended, running, or nothing that is known. */
export function callbackStateIn(body: unknown): 'ended' | 'running' | 'nothing' {
	const layers = layersOf(body);
	const named = layers.filter((layer) => textsOf(layer, 'taskid').length > 0);
	// The word beside the task's id decides: an event around it may have a status of its own.
	const words = [...named, ...layers].flatMap((layer) => [
		...textsOf(layer, 'status'),
		...textsOf(layer, 'state'),
	]);
	for (const word of words) {
		if (stateOf(word) !== 'running') return 'ended';
		if (RUNNING_WORDS.test(word)) return 'running';
	}
	return 'nothing';
}

/**
 * The body of a callback: the bytes where they are JSON that names a task, because n8n rounds long
 * numbers; else as n8n has parsed it where that names a task; else the bytes
 * (docs/n8n-behaviour.md#bodies-of-other-types).
 */
export function bodyOf(context: IWebhookFunctions): unknown {
	const body: unknown = context.getBodyData();
	const { rawBody }: { rawBody?: unknown } = context.getRequestObject();
	if (!Buffer.isBuffer(rawBody) || rawBody.length === 0) return body;
	const json = isJsonText(rawBody.toString('utf8')) ? opened(rawBody, true) : undefined;
	if (typeof json === 'object' && taskIdsIn(json, {}).length > 0) return json;
	if (taskIdsIn(body, {}).length > 0) return body;
	const isEmpty = !isObject(body) || Object.keys(body).length === 0;
	return isEmpty || taskIdsIn(rawBody, {}).length > 0 ? rawBody : body;
}

/**
 * Whether a sender's text may go into the log: short, of ordinary letters, and nothing that grants
 * access.
 */
const isPlain = (text: string, maxLength: number) =>
	text.length <= maxLength && /^[\w.:-]+$/.test(text) && !/seedance_|signature/i.test(text);

/** A task id that a sender has named, for n8n's log. */
export function loggedId(taskId: string): string {
	return isPlain(taskId, 200) ? taskId : 'with an odd ID';
}

/** Characters of a shape: a sender must not fill the log. */
const SHAPE_MAX_LENGTH = 300;

function shapeOfValue(value: unknown, depth: number): string {
	if (Buffer.isBuffer(value)) return `${value.length} bytes`;
	if (Array.isArray(value)) {
		return value.length ? `list of ${value.length}: ${shapeOfValue(value[0], depth + 1)}` : 'list';
	}
	if (!isObject(value)) return value === null ? 'null' : typeof value;
	if (depth > 2) return 'object';
	const fields = Object.entries(value).slice(0, 10);
	const names = fields.map(([name, inner]) => {
		return `${isPlain(name, 30) ? name : 'an odd name'}: ${shapeOfValue(inner, depth + 1)}`;
	});
	return names.length ? `{ ${names.join(', ')} }` : 'empty object';
}

/** The shape of a body for n8n's log: names and types of its fields, and no values. */
export function shapeOf(body: unknown): string {
	if (body === undefined || body === '') return 'nothing';
	const layers = typeof body === 'string' || Buffer.isBuffer(body) ? layersOf(body) : [body];
	const [shown] = layers.length ? layers : [body];
	const shape = shapeOfValue(shown, 0);
	return shape.length > SHAPE_MAX_LENGTH ? `${shape.slice(0, SHAPE_MAX_LENGTH)} …` : shape;
}
