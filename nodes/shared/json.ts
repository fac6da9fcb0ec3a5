/** Reading JSON from outside: type guards instead of casts, and text that is safe to show. */
import type { IDataObject } from 'n8n-workflow';

import { shorten, wellFormed } from './text';

/** Whether a value is an object that is neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text as JSON; undefined where it is none. */
export function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** A key in small letters and digits alone: `taskId`, `task_id` and `TASK-ID` are one name. */
export function plainName(key: string): string {
	return key.toLowerCase().replace(/[^a-z\d]/g, '');
}

/**
 * The values of an object, ordered by the rank of their names. `rankOf` gets each name as
 * {@link plainName} makes it; undefined leaves the value out.
 */
export function byRank(
	object: Readonly<Record<string, unknown>>,
	rankOf: (name: string) => number | undefined,
): unknown[] {
	return Object.entries(object)
		.flatMap(([key, value]) => {
			const rank = rankOf(plainName(key));
			return rank === undefined ? [] : [{ rank, value }];
		})
		.sort((a, b) => a.rank - b.rank)
		.map(({ value }) => value);
}

/** Ranks names by their place in a list of plain names; those that match the pattern come last. */
export function rankBy(
	names: readonly string[],
	others: RegExp,
): (name: string) => number | undefined {
	return (name) => {
		const at = names.indexOf(name);
		if (at >= 0) return at;
		return others.test(name) ? names.length : undefined;
	};
}

/** A copy of an object without some of its keys. */
export function without<T>(
	object: Readonly<Record<string, T>>,
	...keys: string[]
): Record<string, T> {
	return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** A non-empty text, well-formed, or a number as text; undefined for everything else. */
export function textOf(value: unknown): string | undefined {
	if (typeof value === 'number' && Number.isFinite(value)) return String(value);
	return typeof value === 'string' && value.trim() ? wellFormed(value.trim()) : undefined;
}

/** A number, or a text that holds one; null for everything else. */
export function numberOf(value: unknown): number | null {
	const text = textOf(value);
	const number = text === undefined ? NaN : Number(text);
	return Number.isFinite(number) ? number : null;
}

/**
 * Query values that grant access: a signature of ours, and n8n's tokens of file and resume links.
 */
const ACCESS_VALUES =
	/(seedance_sig|binary-data\/signed\?token|[?&]signature)(?:(=)[^&\s"'<>]+|(%3D)[^&\s"'<>%]+)/gi;

/** A text with every access value of ours and of n8n blanked. */
function withoutAccess(text: string): string {
	return text.replace(ACCESS_VALUES, '$1$2$3***');
}

/**
 * A copy of the API's JSON that may be shown: callback URLs are cut (they hold a signature or a
 * resume token), and links to files of this n8n lose their token. The link of the video itself
 * stays whole.
 */
export function withoutSecrets(value: Record<string, unknown>, apiKey: string): IDataObject {
	const copy: IDataObject = JSON.parse(
		JSON.stringify(value, (key, inner: unknown) => {
			if (/^callback_?url$/i.test(key)) return undefined;
			if (typeof inner !== 'string') return inner;
			const isOurs = /seedance_sig|binary-data\/signed|webhook-waiting\//i.test(inner);
			return wellFormed(withoutKey(isOurs ? withoutAccess(inner) : inner, apiKey));
		}),
	);
	return copy;
}

/**
 * A text without the API key. A key below 6 characters is left, because blanking it would garble
 * words.
 */
function withoutKey(text: string, apiKey: string): string {
	return apiKey.length >= 6 ? text.split(apiKey).join('***') : text;
}

/** Comments and tags of HTML, and not what stands between two signs, such as `< 12 and >`. */
const HTML = /<!--[\s\S]*?-->|<\/?[a-z!?][^<>]*>/gi;

/** Text of the API for a person: no HTML, no key, no tokens, one line, at most 300 characters. */
export function readableText(text: string, apiKey: string): string {
	if (/<\s*(!doctype|html|head|body)\b/i.test(text)) return '';
	// What is left of nested tags does not become one.
	const plain = withoutAccess(text.replace(HTML, ' ').replace(/<(?=[a-z/!?])/gi, '< '));
	return shorten(withoutKey(plain, apiKey), 300);
}
