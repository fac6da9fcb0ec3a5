/** Texts that are cut: whole characters only. */
import * as fc from 'fast-check';

import { readableText, textOf, withoutSecrets } from '../../nodes/shared/json';
import { shorten, wellFormed } from '../../nodes/shared/text';

const HALVES = /\p{Surrogate}/u;
const FAMILY = '👨‍👩‍👧‍👦';

describe('a shortened text', () => {
	it('keeps its start, is one line, and does not cut a character in two', () => {
		expect(shorten('a  cat\nsleeps', 60)).toBe('a cat sleeps');
		expect(shorten('abcdef', 4)).toBe('abc…');
		expect(shorten('🐈🐈🐈🐈', 3)).toBe('🐈🐈…');
	});

	it.each([FAMILY, '🇹🇷', '👍🏽', 'é', '❤️'])('keeps %s whole, or leaves it out', (character) => {
		expect(shorten(character.repeat(4), 3)).toBe(`${character.repeat(2)}…`);
		expect(shorten(character.repeat(3), 3)).toBe(character.repeat(3));
	});

	it('is bounded, also where one character has no end', () => {
		expect(shorten(`e${'\u0301'.repeat(5000)}`, 60).length).toBeLessThan(500);
	});

	it('is never half a surrogate pair, wherever it is cut and whatever it was', () => {
		const unit = fc.constantFrom('a', ' ', '🐈', FAMILY, '\ud83d', '\udc08', '\u0301', '\u200d');
		fc.assert(
			fc.property(
				fc.string({ unit, maxLength: 40 }),
				fc.integer({ min: 1, max: 20 }),
				(text, length) => {
					expect(shorten(text, length)).not.toMatch(HALVES);
					expect(wellFormed(text)).not.toMatch(HALVES);
				},
			),
		);
	});

	it('that was well-formed stays as it is', () => {
		fc.assert(
			fc.property(fc.string({ unit: 'grapheme' }), (text) => {
				expect(wellFormed(text)).toBe(text);
			}),
		);
	});
});

describe('what is shown of the API', () => {
	it('is cut between two characters', () => {
		for (const before of [297, 298, 299, 300]) {
			const text = readableText(`${'x'.repeat(before)}${FAMILY}${'y'.repeat(20)}`, 'key');
			expect(text).not.toMatch(HALVES);
			expect([...'👨👩👧👦'].filter((part) => text.includes(part)).length % 4).toBe(0);
			expect(text.endsWith('…')).toBe(true);
		}
	});

	it('holds no half of a surrogate pair that the API has sent', () => {
		expect(textOf('cut \ud83d')).toBe('cut \ufffd');
		expect(JSON.stringify(withoutSecrets({ a: ['cut \ud83d'] }, ''))).toBe('{"a":["cut \ufffd"]}');
	});
});
