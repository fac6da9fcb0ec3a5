/**
 * Checks the links of a field: how many there are, and that each is a web link, without remains of
 * an expression, and no page that only shows a file.
 */
import type { Model } from './models';
import type { ApiReach } from './publicUrl';
import { unreachableReason } from './publicUrl';
import { sharePageReason } from './sharePage';
import { asText, brokenReason, isEmpty, listInText, quote, type Checked } from './values';

const IMAGE_NAME = /\.(?:png|jpe?g|webp|gif|bmp|avif|heic|tiff?)$/i;
/** The start of a link that has another link in its query, so that a comma may be part of it. */
const LINK_IN_QUERY = /[?&][^=&\s]*=https?:\/\/[^\s;|]*$/i;

/**
 * The links of a text, separated by commas, semicolons, bars or blanks. A comma may be part of one.
 */
function linksIn(text: string): string[] {
	const links: string[] = [];
	let from = 0;
	for (const { 0: separator, index } of text.matchAll(/[\s,;|]+(?=https?:\/\/)/gi)) {
		const isInQuery = separator === ',' && LINK_IN_QUERY.test(text.slice(from, index));
		if (index === 0 || isInQuery) continue;
		links.push(text.slice(from, index));
		from = index + separator.length;
	}
	return [...links, text.slice(from)];
}

/** How many links a text holds, or names of images. */
function countLinks(text: string): number {
	const count = linksIn(text).length;
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
 * A part of a link that comes from an expression without a value: a whole folder, file name or
 * query value.
 */
const NOTHING_IN_LINK = /[/=](undefined|null|NaN)(?=[/?#&]|\.\w+(?:[?#]|$)|$)/;

/** The values of a field: a list, also one as JSON in a text, or one value. */
function entriesOf(value: unknown): unknown[] {
	if (Array.isArray(value)) return value;
	return (typeof value === 'string' && listInText(value)) || [value];
}

/** The links of a field, one by one, without empty ones. */
function partsOf(value: unknown): unknown[] {
	return entriesOf(value)
		.flatMap((entry) => (typeof entry === 'string' ? linksIn(entry.trim()) : [entry]))
		.map((entry) => (typeof entry === 'string' ? entry.replace(/[\s,;|]+$/, '') : entry))
		.filter((entry) => !isEmpty(entry));
}

/** How many links a field holds. */
export const countOfLinks = (value: unknown): number => partsOf(value).length;

/**
 * The one link that a field holds, tidied; undefined where the field is empty. Refused with a
 * sentence that names the field: no text, several links, or remains of an expression.
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
	const list = entriesOf(value);
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
 * The link of a file for the API. Refused where it is empty, or where the API could not fetch it;
 * `empty` and `data` say what to do about a field without a value, and about a file in place of a
 * link.
 */
function fileLink(
	field: string,
	value: unknown,
	apiReach: ApiReach,
	{ empty, data }: { empty: string; data: string },
): Checked<string> {
	const link = oneLink(field, value);
	if (!link.ok) return link;
	const refuse = (reason: string): Checked<string> => ({
		ok: false,
		problems: [`${field} ${reason}.`],
	});
	if (!link.value) return refuse(`is empty: this item has no such value. ${empty}`);
	if (/^data:/i.test(link.value)) {
		return refuse(`holds the file itself (a data URI), which the API does not take. ${data}`);
	}
	const url = link.value;
	const unreachable = unreachableReason(url, apiReach);
	if (unreachable) return refuse(`${quote(url)} ${unreachable}. ${data}`);
	const page = sharePageReason(url);
	return page ? refuse(`${quote(url)} ${page}`) : { ok: true, value: url };
}

/** All links, or every problem with them. */
function allOf(links: ReadonlyArray<Checked<string>>): Checked<string[]> {
	const problems = links.flatMap((link) => (link.ok ? [] : link.problems));
	if (problems.length) return { ok: false, problems: [...new Set(problems)] };
	return { ok: true, value: links.flatMap((link) => (link.ok ? [link.value] : [])) };
}

const IMAGE_ADVICE = {
	empty: 'Enter a link to an image, or set Image to "None"',
	data: 'Use a public link, or set Image to "From Input File"',
};

/**
 * The images of a request: one at least, and no more than the model takes. `apiReach`: how far the
 * API itself can reach. `areFiles`: the links lead to files of the item.
 */
export function checkImageUrls(
	value: unknown,
	apiReach: ApiReach,
	{ maxImages, label }: Model,
	areFiles = false,
): Checked<string[]> {
	const files = areFiles ? countOfLinks(value) : 0;
	if (files > maxImages) {
		const most = maxImages === 1 ? 'one' : `at most ${maxImages}`;
		const problem = `Input Data Field Name names ${files} files; ${label} takes ${most}. Enter fewer names, or choose another Model.`;
		return { ok: false, problems: [problem] };
	}
	const parts = maxImages === 1 ? [value] : partsOf(value);
	if (parts.length > maxImages) {
		const problem = `Image URL holds ${parts.length} links; ${label} takes at most ${maxImages}.`;
		return { ok: false, problems: [problem] };
	}
	const links = parts.length ? parts : [undefined];
	return allOf(links.map((link) => fileLink('Image URL', link, apiReach, IMAGE_ADVICE)));
}

/** The reference videos of a request, none at all included, and no more than the model takes. */
export function checkVideoUrls(
	value: unknown,
	apiReach: ApiReach,
	{ maxReferenceVideos, label }: Model,
): Checked<string[]> {
	const field = 'Reference Videos';
	const parts = partsOf(value);
	if (parts.length > maxReferenceVideos) {
		const problem = `${field} holds ${parts.length} links; ${label} takes at most ${maxReferenceVideos}.`;
		return { ok: false, problems: [problem] };
	}
	const advice = { empty: 'Enter a link to a video', data: 'Use a public link' };
	return allOf(parts.map((link) => fileLink(field, link, apiReach, advice)));
}

/**
 * A callback address as the user gave it; undefined where the field is empty. Refused where the API
 * could not reach it; `apiReach`: how far the API itself can reach.
 */
export function checkCallbackLink(value: unknown, apiReach: ApiReach): Checked<string | undefined> {
	const link = oneLink('Callback URL', value);
	if (!link.ok || link.value === undefined) return link;
	const reason = /\s/.test(link.value)
		? 'is not a web link that starts with http:// or https://, or it contains a space'
		: unreachableReason(link.value, apiReach);
	if (!reason) return link;
	return { ok: false, problems: [`Callback URL ${quote(link.value)} ${reason}.`] };
}
