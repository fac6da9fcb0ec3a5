/**
 * The text beside each picture of the documents is true: it says what test/editor sees on the screen when it takes the picture,
 * in words that the nodes, n8n or the example have.
 */
import { CREDENTIAL, LABELS, NODES } from './shown.cjs';
import PICTURES from '../fixtures/package/pictures.json';
import { filesIn, filesUnder, read } from './packed.cjs';

const documents = ['README.md', ...filesUnder('docs').filter((file) => file.endsWith('.md'))];
const pictures = documents.flatMap((document) =>
	[...read(document).matchAll(/<img alt="([^"]*)" src="[^"]*\/([\w-]+)-light\.png"/g)].map(
		([, alt, name]) => ({ document, name, alt }),
	),
);
const words: Record<string, string[]> = JSON.parse(read('test/fixtures/package/words.json'));
/** What stands on the screen: labels, hints, sentences of the code, and what the examples hold. */
const onScreen = [
	...LABELS,
	...words.labelsOfN8n,
	...NODES.flatMap(({ hints = [] }) => hints.map(({ message }) => message)),
	CREDENTIAL.displayName,
	...filesUnder('nodes', 'examples', 'test/editor').map(read),
].join('\n');

/** The workflow that the picture of an example shows. */
function workflowOf(name: string): string {
	const file = `${name.replace(/^example-|-2$/g, '')}.json`;
	const folder = filesIn('examples').includes(file) ? 'examples' : 'test/fixtures';
	return JSON.parse(read(`${folder}/${file}`)).name;
}

it.each(pictures)('$document says what $name shows', ({ document, name, alt }) => {
	if (!name.startsWith('example-')) {
		expect({ name, alt }).toEqual({ name, alt: Object(PICTURES)[name]?.alt });
		return;
	}
	const whole = `The workflow ${workflowOf(name)} on the canvas of n8n`;
	const isInTwo = read(document).includes(`/${name.replace(/-2$/, '')}-2-light.png`);
	const part = isInTwo ? (name.endsWith('-2') ? ', its end' : ', its beginning') : '';
	expect(alt).toBe(whole + part);
});

it.each(Object.entries(PICTURES))('%s: the browser looks for what its text says', (_, picture) => {
	const { alt, shows } = picture;
	expect(shows).not.toEqual([]);
	const said = alt.toLowerCase();
	expect(shows.filter((text) => !said.includes(text.toLowerCase()))).toEqual([]);
	expect(shows.filter((text) => !onScreen.includes(text))).toEqual([]);
});
