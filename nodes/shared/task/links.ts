/**
 * A link out of a field: one only, a link of the web, no left-over of an expression, and no page
 * that only shows a file.
 */
import type { ApiReach } from './publicUrl';
import { unreachableReason } from './publicUrl';
import { sharePageReason } from './sharePage';
import { asText, brokenReason, isEmpty, listInText, quote, type Checked } from './values';

const IMAGE_NAME = /\.(?:png|jpe?g|webp|gif|bmp|avif|heic|tiff?)$/i;
/**
 * The start of a link that has another link in its query: what follows a comma then may belong to
 * it.
 */
const LINK_IN_QUERY = /[?&][^=&\s]*=https?:\/\/[^\s;|]*$/i;

/**
 * How many links a text holds, separated by commas, semicolons, bars or blanks. Commas inside a
 * link count for nothing.
 */
function countLinks(text: string): number {
	let count = 1;
	for (const { 0: separator, index } of text.matchAll(/[\s,;|]+(?=https?:\/\/)/gi)) {
		const isInQuery = separator === ',' && LINK_IN_QUERY.test(text.slice(0, index));
		if (index > 0 && !isInQuery) count++;
	}
	if (count > 1) return count;
	const images = text.split(/[\s;|]+|,\s*(?=[^/?]*$)/).filter((part) => IMAGE_NAME.test(part));
	return Math.max(1, images.length);
}

/** A text without the marks that people and sheets put around a link. */
function bare(text: string): string {
	const inside = /^(?:"([^"]*)"|'([^']*)'|<([^>]*)>)$/.exec(text.trim());
	return (inside?.[1] ?? inside?.[2] ?? inside?.[3] ?? text).trim();
}

/** The text of a link with its escapes resolved, so that `%7B%7B` is seen for what it is. */
function unescaped(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

/**
 * A part of a link that an expression without a value has left: a whole folder, file name or query
 * value.
 */
const NOTHING_IN_LINK = /[/=](undefined|null|NaN)(?=[/?#&]|\.\w+(?:[?#]|$)|$)/;

/**
 * The one link that a field holds, tidied; undefined where the field is empty. Refused with its
 * reason, in a sentence that names the field: no text, several links, a left-over of an expression.
 */
function oneLink(field: string, value: unknown): Checked<string | undefined> {
	const refuse = (reason: string): Checked<undefined> => ({
		ok: false,
		problems: [`${field} ${reason}.`],
	});
	const several = (count: number) =>
		refuse(
			`holds ${count} links; it takes one. Choose one of them, or give each an item of its own (Split Out node)`,
		);
	const list: unknown[] = Array.isArray(value)
		? value
		: (typeof value === 'string' && listInText(value)) || [value];
	if (list.length > 1) return several(list.length);
	const [only] = list;
	if (isEmpty(only)) return { ok: true, value: undefined };
	const text = bare(asText(only) ?? '');
	const broken = brokenReason(asText(only) === undefined ? only : unescaped(text));
	if (broken) return refuse(broken);
	const nothing = /^https?:/i.test(text) ? NOTHING_IN_LINK.exec(unescaped(text)) : null;
	if (nothing) {
		return refuse(
			`${quote(text)} holds "${nothing[1]}" as a part of its address: the expression found no value in this item`,
		);
	}
	if (/^data:/i.test(text)) return { ok: true, value: text };
	const count = countLinks(text);
	return count > 1 ? several(count) : { ok: true, value: text };
}

/**
 * The image of a request. Refused where the field is empty, or its link is none that the API could
 * fetch an image from; `apiReach`: how far the API itself can reach.
 */
export function checkImageUrl(value: unknown, apiReach: ApiReach): Checked<string> {
	const link = oneLink('Image URL', value);
	if (!link.ok) return link;
	const refuse = (reason: string): Checked<string> => ({
		ok: false,
		problems: [`Image URL ${reason}.`],
	});
	if (!link.value) {
		return refuse(
			'is empty: this item has no such value. Enter a link to an image, or set Image to "None"',
		);
	}
	if (/^data:/i.test(link.value)) {
		return refuse(
			'holds the image itself (a data URI), which the API does not take. Use a public link, or set Image to "From Input File"',
		);
	}
	const url = link.value;
	const reason = unreachableReason(url, apiReach) ?? sharePageReason(url);
	return reason ? refuse(`${quote(url)} ${reason}`) : { ok: true, value: url };
}

/**
 * A callback address as the user gave it; undefined where the field is empty. Refused where the API
 * could not reach it; `apiReach`: how far the API itself can reach.
 */
export function checkCallbackLink(value: unknown, apiReach: ApiReach): Checked<string | undefined> {
	const link = oneLink('Callback URL', value);
	if (!link.ok || link.value === undefined) return link;
	const reason = /\s/.test(link.value)
		? 'is not a web link that starts with http:// or https://, or holds a blank'
		: unreachableReason(link.value, apiReach);
	if (!reason) return link;
	return { ok: false, problems: [`Callback URL ${quote(link.value)} ${reason}.`] };
}
