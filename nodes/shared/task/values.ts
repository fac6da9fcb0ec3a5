/**
 * Values from expressions and people's sheets: an empty one, a broken expression, a list in one
 * cell. They are refused before anything is paid for, with a reason that a person can act on.
 */
import { isObject, parseJson } from '../json';
import { shorten } from '../text';

/** A checked value, or every problem with it, each a sentence. */
export type Checked<T> = { ok: true; value: T } | { ok: false; problems: string[] };

/** Whether an expression or a cell gave nothing: absent, null, or blank. */
export function isEmpty(value: unknown): boolean {
	return value === undefined || value === null || (typeof value === 'string' && !value.trim());
}

/** Text, and numbers and switches as their text; undefined for anything that is no text. */
export function asText(value: unknown): string | undefined {
	if (typeof value === 'string') return value;
	if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
		return String(value);
	}
	return undefined;
}

/** A text of a dropdown in plain characters and lower case, without the explanation in brackets. */
export function plain(value: unknown): string {
	const text = (asText(value) ?? '').normalize('NFKC').replace(/\s*\([^)]*\)\s*$/, '');
	return text.trim().toLowerCase();
}

const YES = ['true', 'yes', 'y', 'on', '1'];
const NO = ['false', 'no', 'n', 'off', '0'];

/** Yes or no from a switch, a sheet or an expression; undefined for anything else. */
export function switchOf(value: unknown): boolean | undefined {
	const text = plain(value);
	if (YES.includes(text)) return true;
	return NO.includes(text) ? false : undefined;
}

/** A date as n8n's expressions hold it: of JavaScript, or of luxon. */
export function isDate(value: unknown): value is object {
	return value instanceof Date || (isObject(value) && value.isLuxonDateTime === true);
}

/** Any value as a short text in quotation marks. Never throws. */
export function quote(value: unknown): string {
	let text = asText(value);
	try {
		text ??= JSON.stringify(value) ?? String(value);
	} catch {
		text = 'an object';
	}
	return `"${shorten(text, 60)}"`;
}

/** The first part of an object that holds text, as an expression names it. */
function partWithText(value: Record<string, unknown>): string {
	const found = Object.entries(value).find(
		([key, part]) => /^[a-z_]\w*$/i.test(key) && typeof part === 'string' && part.trim(),
	);
	return found ? ` such as its "${found[0]}"` : '';
}

/** Why a value is no text, and what to do about it; undefined for other values. */
function notText(value: unknown): string | undefined {
	if (typeof value === 'number' && !Number.isFinite(value)) {
		return `must be text, but the expression gave ${value}, the result of a calculation that failed`;
	}
	if (typeof value === 'boolean') {
		return `must be text, but the expression gave ${value}, a yes/no value. Let it give the text itself`;
	}
	if (isDate(value)) {
		return 'must be text, but the expression gave a date. Turn it into text, for example with .toFormat("yyyy-MM-dd")';
	}
	if (Array.isArray(value)) {
		return `must be text, but the expression gave a list of ${value.length}. Choose one entry, for example with [0] at its end, or give each entry an item of its own (Split Out node)`;
	}
	if (typeof value === 'object' && value !== null && 'then' in value) {
		return 'must be text, but the expression gave a Promise, a value that is not there yet. Fetch it in a node before this one';
	}
	if (isObject(value)) {
		return `must be text, but the expression gave an object: ${quote(value)}. Choose one value of it${partWithText(value)}`;
	}
	if (typeof value === 'function' || typeof value === 'symbol') {
		return `must be text, but the expression gave a ${typeof value}`;
	}
	return undefined;
}

/** Words for "no value", which no person means when they stand alone. */
const NO_VALUE = /^["'[(]?(?:undefined|null|nan|-?infinity|#undefined)["'\])]?$/i;
/** What spreadsheets show in a cell whose formula failed. */
const SHEET_ERROR = /^#(?:N\/A|REF!|VALUE!|NAME\?|DIV\/0!|NUM!|NULL!|ERROR!|SPILL!|CALC!)$/i;
/** How JavaScript writes something that is no text into a text. */
const OBJECT_AS_TEXT =
	/\[object \w+\]|\[(?:Object|Array|Promise|Circular|Function(?:: [^\]]*| \(anonymous\))?)\]|\[(?:Object: \{|Array: \[)/;
/** Placeholders of n8n and of text templates that were not replaced. */
const PLACEHOLDER = /\{\{[^}]*(?:\}\}?)?|\$\{[^}]*\}|<%[^%]*%>/;
/** An expression of n8n that stands in a field as plain text. */
const CODE = /\$(?:json|binary|node|input|item)(?:\.\w|\[|\?\.)|\$\(['"][^'"]*['"]\)/;

/**
 * Why a value is a broken expression, as the rest of a sentence about its field without the full
 * stop; undefined where it is none. A sentence that holds the word "undefined" or "null" is an
 * ordinary text.
 */
export function brokenReason(value: unknown): string | undefined {
	const text = asText(value);
	if (typeof value !== 'string' || text === undefined) return notText(value);
	const word = text.trim();
	if (NO_VALUE.test(word)) {
		return `is only the word ${quote(word)}: the expression found no value in this item`;
	}
	if (SHEET_ERROR.test(word)) {
		return `is ${quote(word)}, the error of a formula in a spreadsheet. Correct that cell`;
	}
	const object = OBJECT_AS_TEXT.exec(text);
	if (object) {
		return `holds ${quote(object[0])}: the expression gave an object where text was expected. Choose one value of that object in the expression`;
	}
	const placeholder = PLACEHOLDER.exec(text) ?? CODE.exec(text);
	if (placeholder) {
		return `still holds ${quote(placeholder[0])}, which was not replaced by a value. Switch the field from Fixed to Expression and check that name`;
	}
	return undefined;
}

/**
 * The entries of a list that stands in a text as JSON; undefined where the text is no such list.
 */
export function listInText(text: string): unknown[] | undefined {
	if (!/^\s*\[[\s\S]*\]\s*$/.test(text)) return undefined;
	const list = parseJson(text);
	return Array.isArray(list) ? list : undefined;
}

/**
 * The form of the API's task IDs: one word of letters and digits. A text of other words counts as
 * one ID.
 */
const LIKE_AN_ID = /^(?=.*\d)[\w-]{6,}$/;

/**
 * The Task ID of an item, tidied. Refused, with the reason, where the field is empty, is a broken
 * expression, or holds several IDs; whether one text can be an ID is for `isTaskId`.
 */
export function checkTaskId(value: unknown): Checked<string> {
	const refuse = (reason: string): Checked<string> => ({
		ok: false,
		problems: [`Task ID ${reason}.`],
	});
	const list = Array.isArray(value)
		? value
		: typeof value === 'string'
			? (listInText(value) ?? [value])
			: [value];
	const several = (count: number) =>
		refuse(
			`holds ${count} IDs; each item takes one. Give each ID an item of its own (Split Out node)`,
		);
	if (list.length > 1) return several(list.length);
	const only: unknown = list[0];
	if (isEmpty(only)) {
		return refuse('is empty: this item has no such value. Map the task_id of the generated video');
	}
	const broken = brokenReason(only);
	if (broken) return refuse(broken);
	const id = asText(only)?.trim() ?? '';
	const parts = id.split(/[\s,;|]+/).filter(Boolean);
	if (parts.length > 1 && parts.every((part) => LIKE_AN_ID.test(part)))
		return several(parts.length);
	return { ok: true, value: id };
}
