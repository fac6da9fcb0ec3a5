/** The build's asset step: what it does with the icons, and what it refuses with a sentence. */
import { spawnSync } from 'node:child_process';
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesIn, ROOT } from './packed.cjs';

/** Each test starts a build (milliseconds). */
jest.setTimeout(60_000);

const LIGHT = 'icons/seedance.svg';
const DARK = 'icons/seedance.dark.svg';

describe('the icons', () => {
	let folder: string;

	const path = (name: string) => join(folder, name);
	const read = (name: string) => readFileSync(path(name), 'utf8');
	const build = () => {
		const { status, stdout, stderr } = spawnSync(
			'node',
			[join(ROOT, 'node_modules/gulp/bin/gulp.js'), 'icons'],
			{ cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
		);
		return { status, output: stdout + stderr };
	};

	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), 'seedance-icons-'));
		cpSync(join(ROOT, 'icons'), path('icons'), { recursive: true });
		cpSync(join(ROOT, 'gulpfile.js'), path('gulpfile.js'));
		symlinkSync(join(ROOT, 'node_modules'), path('node_modules'), 'junction');
	});

	afterEach(() => rmSync(folder, { recursive: true, force: true }));

	it('come out smaller, square, and still different', () => {
		expect(build()).toMatchObject({ status: 0 });
		for (const name of [LIGHT, DARK]) {
			expect(read(`dist/${name}`).length).toBeLessThan(read(name).length);
			expect(read(`dist/${name}`)).toContain('viewBox="0 0 60 60"');
		}
		expect(read(`dist/${LIGHT}`)).not.toBe(read(`dist/${DARK}`));
	});

	it('leave in dist only what n8n loads', () => {
		const loads = [
			'credentials/A.credentials.js',
			'icons/seedance.dark.svg',
			'icons/seedance.svg',
			'nodes/A/A.node.js',
			'nodes/A/A.node.json',
			'nodes/A/__schema__/v1.0.0/wait.json',
			'nodes/A/operations/wait.js',
		];
		const others = ['docs/editor.png', 'nodes/A/A.node.d.ts', 'nodes/A/A.node.js.map', 'test/a.js'];
		for (const name of [...loads, ...others].map((file) => `dist/${file}`)) {
			mkdirSync(join(path(name), '..'), { recursive: true });
			writeFileSync(path(name), '');
		}
		expect(build()).toMatchObject({ status: 0 });
		expect(filesIn(path('dist'))).toEqual(loads);
		expect(existsSync(path('dist/docs'))).toBe(false);
	});

	it.each([
		['without a dark twin', () => rmSync(path(DARK)), 'has no dark twin'],
		['without a light twin', () => rmSync(path(LIGHT)), 'has no light twin'],
		['the same for light and dark', () => cpSync(path(LIGHT), path(DARK)), 'are the same drawing'],
		['that are missing', () => [LIGHT, DARK].forEach((name) => rmSync(path(name))), 'no SVG'],
		['that are not square', () => change('0 0 60 60', '0 0 60 40'), 'is not square'],
		[
			'of unequal width and height',
			() => change('<svg ', '<svg width="60" height="40" '),
			'square',
		],
		['with a script', () => change('</svg>', '<script>alert(1)</script></svg>'), '<script>'],
		['with a handler', () => change('<svg ', '<svg onload="alert(1)" '), 'runs nothing'],
		[
			'that load something',
			() => change('</svg>', '<a href="http://127.0.0.1/"><path d="M0 0h9"/></a></svg>'),
			'loads nothing',
		],
		['with a picture inside', () => change('</svg>', '<image href="a.png"/></svg>'), '<image>'],
		[
			'that are too large',
			() => change('</svg>', `<text>${'a'.repeat(10_000)}</text></svg>`),
			'bytes',
		],
		['that are no SVG', () => change('</svg>', ''), 'seedance.svg'],
	])('%s are refused with a sentence', (_what, spoil, sentence) => {
		spoil();
		const { status, output } = build();
		expect(status).not.toBe(0);
		expect(output).toContain(sentence);
		expect(output).not.toMatch(/^\s+at /m);
	});

	function change(from: string, to: string): void {
		writeFileSync(path(LIGHT), read(LIGHT).replace(from, to));
	}
});
