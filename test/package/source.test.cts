/** The rules of the house for the sources: checked types, one direction of imports, and how large a file may get. */
import { posix } from 'node:path';
import ts from 'typescript';
import { freeFields, priceFields, requestFields } from '../../nodes/Seedance/description/fields';
import { OPERATIONS } from '../../nodes/Seedance/operations';
import { PARAMETER_NAMES } from '../../nodes/shared/task/request';
import { filesUnder, read } from './packed.cjs';

const sources = filesUnder('nodes', 'credentials')
	.filter((name) => name.endsWith('.ts'))
	.map((file) => {
		const text = read(file);
		const nodes: ts.Node[] = [];
		const visit = (node: ts.Node): void => {
			nodes.push(node);
			ts.forEachChild(node, visit);
		};
		visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
		return { file, text, nodes };
	});

/** The files of this repository that a file imports, without their extension. */
function importsOf({ file, nodes }: (typeof sources)[number]): string[] {
	return nodes
		.filter((node) => ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
		.map(({ moduleSpecifier }) => moduleSpecifier?.getText().slice(1, -1) ?? '')
		.filter((name) => name.startsWith('.'))
		.map((name) => posix.join(posix.dirname(file), name));
}

/** `nodes/Seedance` of `nodes/Seedance/operations/wait.ts`. */
const roomOf = (path: string) =>
	path
		.split('/')
		.slice(0, path.startsWith('nodes/') ? 2 : 1)
		.join('/');

describe('the sources', () => {
	it('are there', () => {
		for (const folder of ['nodes/', 'credentials/']) {
			expect(sources.some(({ file }) => file.startsWith(folder))).toBe(true);
		}
	});

	const CHECKS = /eslint-disable|@ts-(?:ignore|nocheck|expect-error)|prettier-ignore|istanbul/;
	it.each<[string, (source: (typeof sources)[number]) => boolean]>([
		['use no `any`', ({ nodes }) => !nodes.some(({ kind }) => kind === ts.SyntaxKind.AnyKeyword)],
		['switch no check off', ({ text }) => !CHECKS.test(text)],
		['say in their first lines what they are for', ({ text }) => /^\s*(\/\/|\/\*)/.test(text)],
		[
			'take at most 4 parameters in a function',
			({ nodes }) => nodes.every((node) => !ts.isFunctionLike(node) || node.parameters.length <= 4),
		],
		['have at most 250 lines', ({ text }) => text.trimEnd().split('\n').length <= 250],
	])('%s', (_rule, holds) => {
		expect(sources.filter((source) => !holds(source)).map(({ file }) => file)).toEqual([]);
	});

	it('import in one direction: nodes from shared, and never back or across', () => {
		const wrong = sources.flatMap((source) =>
			importsOf(source)
				.filter((target) => ![roomOf(source.file), 'nodes/shared'].includes(roomOf(target)))
				.map((target) => `${source.file} imports ${target}`),
		);
		expect(wrong).toEqual([]);
	});

	it('register every operation that has a file', () => {
		const names = sources.flatMap(
			({ file }) => /^nodes\/Seedance\/operations\/(\w+)\.ts$/.exec(file)?.[1] ?? [],
		);
		const operations = names.filter((name) => !['index', 'operation'].includes(name));
		expect(operations).toEqual(Object.keys(OPERATIONS).sort());
	});

	it('ask for every parameter of a request, and send what they ask for; an image has rules of its own', () => {
		const fields = [...requestFields, ...priceFields, ...freeFields].map(({ name }) => name);
		const names = [...new Set(fields)];
		expect(names.filter((name) => !name.startsWith('image')).sort()).toEqual(
			[...PARAMETER_NAMES].sort(),
		);
	});
});
