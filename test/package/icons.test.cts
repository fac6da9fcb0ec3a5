/** The build's asset step: what it does with the icons, and what it refuses with a sentence. */
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { filesIn, read as readAt, ROOT, run, temporaryFolder } from './packed.cjs';

/** Each test starts a build (milliseconds). */
jest.setTimeout(60_000);

const LIGHT = 'icons/seedance.svg';
const DARK = 'icons/seedance.dark.svg';

describe('the icons', () => {
	const parent = temporaryFolder();
	let folder: string;
	const path = (name: string) => join(folder, name);
	const read = (name: string) => readAt(path(name));
	const write = (name: string, text: string) => {
		mkdirSync(dirname(path(name)), { recursive: true });
		writeFileSync(path(name), text);
	};
	const build = () => run('node', [join(ROOT, 'node_modules/gulp/bin/gulp.js'), 'icons'], folder);

	beforeEach(() => {
		folder = mkdtempSync(join(parent, 'icons-'));
		cpSync(join(ROOT, 'icons'), path('icons'), { recursive: true });
		cpSync(join(ROOT, 'gulpfile.js'), path('gulpfile.js'));
		symlinkSync(join(ROOT, 'node_modules'), path('node_modules'), 'junction');
	});

	it('come out smaller, square, and still different', () => {
		expect(build()).toMatchObject({ status: 0 });
		for (const name of [LIGHT, DARK]) {
			expect(read(`dist/${name}`).length).toBeLessThan(read(name).length);
			expect(read(`dist/${name}`)).toContain('viewBox="0 0 60 60"');
		}
		expect(read(`dist/${LIGHT}`)).not.toBe(read(`dist/${DARK}`));
	});

	it('leave in dist only what n8n loads', () => {
		const node = ['A.node.js', 'A.node.json', '__schema__/v1.0.0/wait.json', 'operations/wait.js'];
		const others = ['docs/editor.png', 'nodes/A/A.node.d.ts', 'nodes/A/A.node.js.map', 'test/a.js'];
		const loaded = [
			'credentials/A.credentials.js',
			...[DARK, LIGHT],
			...node.map((name) => `nodes/A/${name}`),
		];
		for (const name of [...loaded, ...others]) write(`dist/${name}`, '');
		expect(build()).toMatchObject({ status: 0 });
		expect(filesIn(path('dist'))).toEqual(loaded);
		expect(existsSync(path('dist/docs'))).toBe(false);
	});

	const insert = (svg: string) => write(LIGHT, read(LIGHT).replace('</svg>', `${svg}</svg>`));
	const spoilt: Array<{ what: string; replace: string; with: string; sentence: string }> =
		JSON.parse(readAt('test/fixtures/package/icons.json'));
	it.each([
		['without a dark twin', () => rmSync(path(DARK)), 'has no dark twin'],
		['without a light twin', () => rmSync(path(LIGHT)), 'has no light twin'],
		['the same for light and dark', () => cpSync(path(LIGHT), path(DARK)), 'are the same drawing'],
		['that are missing', () => [LIGHT, DARK].forEach((name) => rmSync(path(name))), 'no SVG'],
		['that are too large', () => insert(`<text>${'a'.repeat(10_000)}</text>`), 'bytes'],
		...spoilt.map(({ what, replace, with: by, sentence }): [string, () => void, string] => [
			what,
			() => write(LIGHT, read(LIGHT).replace(replace, by)),
			sentence,
		]),
	])('%s are refused with a sentence', (_what, spoil, sentence) => {
		spoil();
		const { status, output } = build();
		expect(status).not.toBe(0);
		expect(output).toContain(sentence);
		expect(output).not.toMatch(/^\s+at /m);
	});
});
