/**
 * The knowledge that the code leans on: what docs/api-contract.md and docs/n8n-behaviour.md name exists, each fact has its
 * version, code and test, and each comment that calls something measured links to its fact. A failure says what to correct.
 */
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { anchorsOf as anchorsIn, filesUnder, read, ROOT } from './packed.cjs';

const CONTRACT = 'docs/api-contract.md';
const BEHAVIOUR = 'docs/n8n-behaviour.md';

const exists = (file: string) => existsSync(join(ROOT, file));

const sourcesOf = (...folders: string[]): Map<string, string> =>
	new Map(
		filesUnder(...folders)
			.filter((file) => /\.[cm]?ts$/.test(file))
			.map((file) => [file, read(file)]),
	);
const PRODUCT = sourcesOf('nodes', 'credentials');
const TESTS = sourcesOf('test');

const anchorsOf = (document: string) => anchorsIn(read(document));

interface Fact {
	/** `docs/n8n-behaviour.md#timer-resume` */
	name: string;
	/** Its last line: version, code, test. */
	source: string;
}

/** The facts of a document, or of one part of it: its headings of the third level. */
function factsOf(document: string, part = ''): Fact[] {
	const text = read(document);
	const from = part ? text.indexOf(`\n## ${part}\n`) + 1 : 0;
	const inPart = part ? text.slice(from).split(/^## /m)[1] : text;
	return inPart
		.split(/^### /m)
		.slice(1)
		.map((section) => {
			const [heading, ...lines] = section
				.split(/^## /m)[0]
				.split('\n')
				.filter((line) => line.trim());
			return { name: `${document}#${anchorsIn(`# ${heading}`)}`, source: lines.at(-1) ?? '' };
		});
}

/** Where a text that is not in its file stands now, as the end of a sentence. */
function whereIs(text: string, among: ReadonlyMap<string, string>): string {
	const found = [...among].filter(([, source]) => source.includes(text)).map(([file]) => file);
	return found.length ? `it is in ${found.slice(0, 3).join(', ')}` : 'it is nowhere';
}

/** What is wrong with the code and the test that a fact names. */
function problemsOf({ name, source }: Fact, form: RegExp): string[] {
	const [, code, test] = form.exec(source) ?? [];
	if (code === undefined || test === undefined)
		return [`${name}: its last line has not the form of the others: ${source}`];
	const places = [...code.matchAll(/`([^`]+)`(?: \(([^)]+)\))?/g)].flatMap(
		([, file, symbols = '']) => {
			const found = PRODUCT.get(file);
			if (found === undefined) return [`${name}: there is no ${file}`];
			return [...symbols.matchAll(/`([^`]+)`/g)]
				.filter(([, symbol]) => !found.includes(symbol))
				.map(([, symbol]) => `${name}: ${symbol} is not in ${file}, ${whereIs(symbol, PRODUCT)}`);
		},
	);
	const titles = [...test.matchAll(/`([^`]+)` "([^"]+)"/g)];
	const tests = titles
		.filter(([, file, title]) => !TESTS.get(file)?.includes(title))
		.map(([, file, title]) => `${name}: "${title}" is not in ${file}, ${whereIs(title, TESTS)}`);
	return [
		...places,
		...tests,
		...(code.includes('`') ? [] : [`${name}: names no code`]),
		...(titles.length ? [] : [`${name}: names no test`]),
	];
}

const comments = (source: string) =>
	source.match(/\/\*[^]*?\*\/|(?:^\s*\/\/.*\n)+|\/\/.*$/gm) ?? [];
const LINK = /docs\/(?:api-contract|n8n-behaviour)\.md#[\w-]+/g;

describe('what the code leans on', () => {
	it('has a version, code and a test for each fact about n8n', () => {
		const facts = factsOf(BEHAVIOUR);
		expect(facts).not.toEqual([]);
		const form = /^@?n8n(?:\/node-cli)? (?:\d+\.\d+\.\d+(?:, )?)+ · (.+) · (.+)$/;
		expect(facts.flatMap((fact) => problemsOf(fact, form))).toEqual([]);
	});

	it('has code and a test for each question that the API leaves open', () => {
		const facts = factsOf(CONTRACT, 'What version 1 leaves open');
		expect(facts).not.toEqual([]);
		const form = /^Code: (.+) · Test: (.+)$/;
		expect(facts.flatMap((fact) => problemsOf(fact, form))).toEqual([]);
	});

	it.each([CONTRACT, BEHAVIOUR])(
		'links to what exists, once under each heading: %s',
		(document) => {
			const text = read(document);
			const paths = [...text.matchAll(/`((?:nodes|credentials|test|docs)\/[^`]+)`/g)];
			const links = [...text.matchAll(/\]\((?!https:)([^)#\s]*)#?([^)\s]*)\)/g)].map(
				([, path, anchor]) => ({ file: path ? posix.join('docs', path) : document, anchor }),
			);
			const dead = [
				...paths.map(([, path]) => path).filter((path) => !exists(path)),
				...links
					.filter(
						({ file, anchor }) => !exists(file) || (anchor && !anchorsOf(file).includes(anchor)),
					)
					.map(({ file, anchor }) => `${file}#${anchor}`),
			];
			expect(dead).toEqual([]);
			const anchors = anchorsOf(document);
			expect(anchors.filter((anchor, at) => anchors.indexOf(anchor) !== at)).toEqual([]);
		},
	);

	it('is where comments link to', () => {
		const links = [...PRODUCT, ...TESTS].flatMap(([file, source]) =>
			[...source.matchAll(LINK)].map(([link]) => ({ file, link })),
		);
		expect(links.filter(({ file }) => PRODUCT.has(file))).not.toEqual([]);
		const known = new Set(
			[CONTRACT, BEHAVIOUR].flatMap((document) =>
				anchorsOf(document).map((anchor) => `${document}#${anchor}`),
			),
		);
		expect(links.filter(({ link }) => !known.has(link))).toEqual([]);
	});

	it('is linked by the code that it names, fact by fact', () => {
		const unlinked = factsOf(BEHAVIOUR).filter(({ name, source }) => {
			const link = new RegExp(`${name.replace('.', '\\.')}(?![\\w-])`);
			return ![...source.matchAll(/`([^`]+)`/g)].some(([, file]) =>
				link.test(PRODUCT.get(file) ?? ''),
			);
		});
		expect(unlinked.map(({ name, source }) => `${name} in a comment of ${source}`)).toEqual([]);
	});

	it('is linked by each comment that speaks of a measurement, of a design or of notes', () => {
		const bare = [...PRODUCT].flatMap(([file, source]) =>
			comments(source)
				.filter((comment) => /\bmeasured\b|\bthe design\b|\bcontract's notes\b/i.test(comment))
				.filter((comment) => !comment.match(LINK))
				.map((comment) => `${file}: ${comment.replace(/[\s/*]+/g, ' ').trim()}`),
		);
		expect(bare).toEqual([]);
	});
});
