/** The rules of the house for the sources: checked types, and one direction of imports. */
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { filesIn, ROOT } from './packed.cjs';

const files = ['nodes', 'credentials'].flatMap((folder) =>
	filesIn(join(ROOT, folder))
		.filter((name) => name.endsWith('.ts'))
		.map((name) => `${folder}/${name}`),
);

function parse(file: string): ts.SourceFile {
	return ts.createSourceFile(
		file,
		readFileSync(join(ROOT, file), 'utf8'),
		ts.ScriptTarget.Latest,
		true,
	);
}

function nodesOf(file: string): ts.Node[] {
	const all: ts.Node[] = [];
	const visit = (node: ts.Node): void => {
		all.push(node);
		ts.forEachChild(node, visit);
	};
	visit(parse(file));
	return all;
}

/** The files of this repository that a file imports, without their extension. */
function importsOf(file: string): string[] {
	return nodesOf(file)
		.filter((node) => ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
		.flatMap(({ moduleSpecifier }) =>
			moduleSpecifier && ts.isStringLiteral(moduleSpecifier) ? [moduleSpecifier.text] : [],
		)
		.filter((name) => name.startsWith('.'))
		.map((name) => posix.join(posix.dirname(file), name));
}

/** `nodes/Seedance` of `nodes/Seedance/operations/wait.ts`. */
function roomOf(path: string): string {
	const [top, room] = path.split('/');
	return top === 'nodes' ? `${top}/${room}` : top;
}

describe('the sources', () => {
	it('are there', () => {
		expect(files.some((file) => file.startsWith('nodes/'))).toBe(true);
		expect(files.some((file) => file.startsWith('credentials/'))).toBe(true);
	});

	it('use no `any`', () => {
		const uses = files.filter((file) =>
			nodesOf(file).some(({ kind }) => kind === ts.SyntaxKind.AnyKeyword),
		);
		expect(uses).toEqual([]);
	});

	it('switch no check off', () => {
		const switched = /eslint-disable|@ts-(?:ignore|nocheck|expect-error)|prettier-ignore|istanbul/;
		expect(files.filter((file) => switched.test(readFileSync(join(ROOT, file), 'utf8')))).toEqual(
			[],
		);
	});

	it('say in their first lines what they are for', () => {
		const silent = files.filter(
			(file) => !/^\s*(\/\/|\/\*)/.test(readFileSync(join(ROOT, file), 'utf8')),
		);
		expect(silent).toEqual([]);
	});

	it('import in one direction: nodes from shared, and never back or across', () => {
		const wrong = files.flatMap((file) =>
			importsOf(file)
				.filter((target) => ![roomOf(file), 'nodes/shared'].includes(roomOf(target)))
				.map((target) => `${file} imports ${target}`),
		);
		expect(wrong).toEqual([]);
	});
});
