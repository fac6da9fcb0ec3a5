/**
 * Text that people see: whole characters only, on one line, cut where it gets long. Knows nothing
 * of n8n.
 */

let segmenter: Intl.Segmenter | undefined;

/**
 * Splits a text into characters as a reader sees them: an emoji of several parts stays one. Made on
 * first use, because that takes 9 ms.
 */
function characters(): Intl.Segmenter {
	return (segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' }));
}

/** UTF-16 units per shown character on average, at most: endless combining marks are cut, too. */
const UNITS_PER_CHARACTER = 16;

/**
 * A text without halves of a surrogate pair: each becomes U+FFFD, as
 * `String.prototype.toWellFormed` has it. Halves come from texts that were cut by length; strict
 * JSON parsers refuse them.
 */
export function wellFormed(text: string): string {
	return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/**
 * The first sentence of a text, and the rest, which may be empty. A sentence ends with a full stop
 * before a space and a capital letter, and not within quotation marks, which hold what people
 * typed; what is allowed instead ("Allowed: …") is a part of it.
 */
export function firstSentence(text: string): [first: string, rest: string] {
	const first = /^(?:"[^"]*"|[^"])*?\.(?= (?!Allowed:)\p{Lu})/u.exec(text)?.[0] ?? text;
	return [first, text.slice(first.length).trim()];
}

/**
 * The first `length` characters of a text, well-formed and on one line, with an ellipsis where it
 * was cut.
 */
export function shorten(text: string, length: number): string {
	const line = wellFormed(text.replace(/\s+/g, ' ').trim());
	const kept: string[] = [];
	let units = 0;
	for (const { segment } of characters().segment(line)) {
		units += segment.length;
		if (kept.length === length || units > length * UNITS_PER_CHARACTER) {
			return `${kept.slice(0, length - 1).join('')}…`;
		}
		kept.push(segment);
	}
	return line;
}
