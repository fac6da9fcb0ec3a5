/**
 * Ten questions that people ask, fixed before the README was written: README and documents answer each of them, in these
 * sentences. After changing a sentence, check that its question is still answered.
 */
import { read } from './packed.cjs';

interface Asked {
	question: string;
	/** The document, and its words without links and marks. */
	answers: Array<[document: string, sentence: string]>;
}
const QUESTIONS: Asked[] = JSON.parse(read('test/fixtures/package/questions.json'));

/** A document as it is read: the words of links, of labels and of code, without their marks. */
const wordsOf = (document: string) =>
	read(document)
		.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
		.replace(/\*\*|`|(?<!\w)\*|\*(?!\w)/g, '');

it('are ten', () => expect(QUESTIONS).toHaveLength(10));

it.each(QUESTIONS)('$question', ({ answers }) => {
	expect(answers.map(([document]) => document)).toContainEqual(expect.stringMatching(/\.md$/));
	expect(answers.filter(([document, words]) => !wordsOf(document).includes(words))).toEqual([]);
});
