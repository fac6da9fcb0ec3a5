/** What may be shown of the API's JSON and texts, how outside values are read, and how texts are cut: whole characters only. */
import { isObject, numberOf, readableText, textOf, withoutSecrets } from '../../nodes/shared/json';
import { firstSentence, shorten, wellFormed } from '../../nodes/shared/text';
import secrets from '../fixtures/secrets.json';
import * as fc from '../support/fastCheck.cjs';

/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';

describe('JSON that is shown', () => {
	it.each(secrets.json)('is without %s, at any depth', (...[, given, shown]) => {
		const value = Object(given);
		const before = JSON.stringify(value);
		expect(withoutSecrets(value, OWNER)).toEqual(shown);
		// It is a copy: the response that was read stays as it was.
		expect(JSON.stringify(value)).toBe(before);
	});

	it('is otherwise the same JSON, and not garbled where there is no key to hide', () => {
		expect(withoutSecrets({ a: 'banana' }, '')).toEqual({ a: 'banana' });
		fc.assert(
			fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue()), (value) => {
				const plain: unknown = JSON.parse(JSON.stringify(value));
				expect(withoutSecrets(value, OWNER)).toEqual(plain);
			}),
		);
	});
});

describe('text of the API for a person', () => {
	it.each([
		...secrets.texts,
		['x'.repeat(300), 'x'.repeat(300)],
		['x'.repeat(301), `${'x'.repeat(299)}…`],
	])('is one line without HTML, key and tokens, of 300 characters: %j', (text, shown) => {
		expect(readableText(text, OWNER)).toBe(shown);
	});

	it('is cut between two characters', () => {
		const whole = ['🙂', '👨‍👩‍👧‍👦'];
		for (const before of [297, 298, 299, 300]) {
			for (const emoji of whole) {
				const text = readableText(`${'x'.repeat(before)}${emoji}${'y'.repeat(20)}`, OWNER);
				expect(text.replace(emoji, '')).toMatch(/^x+y*…$/);
			}
		}
	});

	it('is one line without the key, whatever came', () => {
		fc.assert(
			fc.property(fc.string(), fc.string(), (before, after) => {
				const text = readableText(`${before} ${OWNER} ${after}`, OWNER);
				expect(text).not.toContain(OWNER);
				expect(text).not.toMatch(/[\n\r\t]/);
				expect([...text].length).toBeLessThanOrEqual(300);
			}),
		);
	});
});

describe('values from outside', () => {
	it('objects are distinguished from lists and nothing', () => {
		expect([{}, { a: 1 }].every(isObject)).toBe(true);
		expect([[], null, undefined, 'x', 1, true].some(isObject)).toBe(false);
	});

	it('texts are trimmed and well-formed, numbers become text, everything else is nothing', () => {
		expect(['  seed1 ', 42, 'cut \ud83d'].map(textOf)).toEqual(['seed1', '42', 'cut \ufffd']);
		for (const value of ['', '  ', NaN, Infinity, true, null, undefined, {}, []]) {
			expect(textOf(value)).toBeUndefined();
		}
	});

	it('numbers may come as text; an empty value is no zero', () => {
		expect([28, ' 28 ', 0].map(numberOf)).toEqual([28, 28, 0]);
		for (const value of ['', '28 credits', NaN, null, undefined, {}, true]) {
			expect(numberOf(value)).toBeNull();
		}
	});
});

const FAMILY = '👨‍👩‍👧‍👦';

it('a shortened text keeps its start and is one line', () => {
	expect(shorten('a  cat\nsleeps', 60)).toBe('a cat sleeps');
	expect(shorten('abcdef', 4)).toBe('abc…');
	// Bounded, also where one character has no end.
	expect(shorten(`e${'\u0301'.repeat(5000)}`, 60).length).toBeLessThan(500);
});

it.each([
	['Prompt is empty.', 'Prompt is empty.', ''],
	['"a.b" is no link. Enter one. Or two.', '"a.b" is no link.', 'Enter one. Or two.'],
	['Prompt "One. Two" is odd. Change it.', 'Prompt "One. Two" is odd.', 'Change it.'],
	['It has 1.5 s. Élan helps.', 'It has 1.5 s.', 'Élan helps.'],
	['"8" is not supported. Allowed: 5, 10.', '"8" is not supported. Allowed: 5, 10.', ''],
	['A " alone. Change it', 'A " alone. Change it', ''],
])('of %j, the first sentence is %j', (text, first, rest) => {
	expect(firstSentence(text)).toEqual([first, rest]);
});

it.each(['🐈', FAMILY, '🇹🇷', '👍🏽', 'é', '❤️'])('a shortened text keeps %s whole', (character) => {
	expect(shorten(character.repeat(4), 3)).toBe(`${character.repeat(2)}…`);
	expect(shorten(character.repeat(3), 3)).toBe(character.repeat(3));
});

it('no text is ever half a surrogate pair, wherever it is cut and whatever it was', () => {
	const unit = fc.constantFrom('a', ' ', '🐈', FAMILY, '\ud83d', '\udc08', '\u0301', '\u200d');
	const any = fc.string({ unit, maxLength: 40 });
	const halves = /\p{Surrogate}/u;
	fc.assert(
		fc.property(any, fc.integer({ min: 1, max: 20 }), (text, length) => {
			expect(shorten(text, length)).not.toMatch(halves);
			expect(wellFormed(text)).not.toMatch(halves);
		}),
	);
	fc.assert(
		fc.property(fc.string({ unit: 'grapheme' }), (text) => {
			expect(wellFormed(text)).toBe(text);
		}),
	);
});
