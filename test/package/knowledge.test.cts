/**
 * The knowledge that the code leans on: each fact in docs/n8n-behaviour.md and each open question in docs/api-contract.md
 * names its version, code and test, and each comment that calls something measured links to its fact.
 */
import { anchorsOf as anchorsIn, filesUnder, read } from './packed.cjs';

const CONTRACT = 'docs/api-contract.md';
const BEHAVIOUR = 'docs/n8n-behaviour.md';

const sourcesOf = (...folders: string[]): Map<string, string> =>
	new Map(
		filesUnder(...folders)
			.filter((file) => /\.[cm]?ts$/.test(file))
			.map((file) => [file, read(file)]),
	);
const PRODUCT = sourcesOf('nodes', 'credentials');
const TESTS = sourcesOf('test');
/** What a fact may name as its code: of what the API leaves open, the sandbox shows a side of its own. */
const CODE = new Map([...PRODUCT, ...sourcesOf('test/sandbox')]);

/** Each heading of both documents, as comments link to it. */
const anchors = [CONTRACT, BEHAVIOUR].flatMap((document) =>
	anchorsIn(read(document)).map((anchor) => `${document}#${anchor}`),
);

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
	const facts = inPart.split(/^### /m).slice(1);
	expect(facts).not.toEqual([]);
	return facts.map((section) => {
		const lines = section.split(/^## /m)[0].trimEnd().split('\n');
		return { name: `${document}#${anchorsIn(`# ${lines[0]}`)}`, source: lines.at(-1) ?? '' };
	});
}

/** What is wrong with the code and the test that a fact names. */
function problemsOf({ name, source }: Fact, form: RegExp): string[] {
	const [, code, test] = form.exec(source) ?? [];
	if (!code?.includes('`')) return [`${name}: its last line has not the form of the others`];
	const symbols = [...code.matchAll(/`([^`]+)`(?: \(([^)]+)\))?/g)].flatMap(
		([, file, list = '']) => [
			[file, ''],
			...[...list.matchAll(/`([^`]+)`/g)].map(([, symbol]) => [file, symbol]),
		],
	);
	const titles = [...test.matchAll(/`([^`]+)` "([^"]+)"/g)].map(([, file, title]) => [file, title]);
	return [
		...symbols.filter(
			([file, symbol]) => !new RegExp(`(?<!\\w)${symbol}(?!\\w)`).test(CODE.get(file) ?? ''),
		),
		...titles.filter(([file, title]) => !TESTS.get(file)?.includes(title)),
		...(titles.length ? [] : [['', 'a test']]),
	].map(([file, text]) => `${name}: ${text} is not in ${file}`);
}

const comments = (source: string) =>
	source.match(/\/\*[^]*?\*\/|(?:^\s*\/\/.*\n)+|\/\/.*$/gm) ?? [];
const LINK = /docs\/(?:api-contract|n8n-behaviour)\.md#[\w-]+/g;

describe('what the code leans on', () => {
	it.each([
		[
			'a version, code and a test for each fact about n8n',
			() => factsOf(BEHAVIOUR),
			/^@?n8n(?:\/node-cli)? (?:\d+\.\d+\.\d+(?:, )?)+ · (.+) · (.+)$/,
		],
		[
			'code and a test for each question that the API leaves open',
			() => [1, 2].flatMap((nth) => factsOf(CONTRACT, `What version ${nth} leaves open`)),
			/^Code: (.+) · Test: (.+)$/,
		],
	])('has %s', (_what, facts, form) => {
		expect(facts().flatMap((fact) => problemsOf(fact, form))).toEqual([]);
	});

	it('is where comments link to, once under each heading', () => {
		const links = [...PRODUCT, ...TESTS].flatMap(([file, source]) =>
			[...source.matchAll(LINK)].map(([link]) => ({ file, link })),
		);
		expect(links.filter(({ file }) => PRODUCT.has(file))).not.toEqual([]);
		expect(links.filter(({ link }) => !anchors.includes(link))).toEqual([]);
		expect(anchors.filter((anchor, at) => anchors.indexOf(anchor) !== at)).toEqual([]);
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
