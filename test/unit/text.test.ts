/** Texts that are cut: whole characters only. */
import * as fc from 'fast-check';

import { shorten, wellFormed } from '../../nodes/shared/text';

const FAMILY = '👨‍👩‍👧‍👦';

it('a shortened text keeps its start and is one line', () => {
	expect(shorten('a  cat\nsleeps', 60)).toBe('a cat sleeps');
	expect(shorten('abcdef', 4)).toBe('abc…');
	// Bounded, also where one character has no end.
	expect(shorten(`e${'\u0301'.repeat(5000)}`, 60).length).toBeLessThan(500);
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
