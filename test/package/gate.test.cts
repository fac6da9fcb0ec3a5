/** n8n's own gate: the package passes it as a repository and as a tarball, and the gate is really asked. */
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packPackage, read, ROOT, runTool, temporaryFolder } from './packed.cjs';

/** Installing the gate, the first time, takes most of it (milliseconds). */
jest.setTimeout(300_000);

interface Refused {
	title: string;
	kind: 'source' | 'package';
	file: string;
	append?: string;
	replace?: string;
	with?: string;
	/** Of the gate, against what was done to the file. */
	rule: string;
}
/** What the gate reads of the repository, and of the tarball. */
const PARTS = {
	source: ['nodes', 'credentials', 'icons', 'package.json'],
	package: ['dist', 'package.json'],
};
const REFUSED: Refused[] = JSON.parse(read('test/fixtures/package/gate.json'));

describe("n8n's gate", () => {
	const packed = packPackage();
	const copies = temporaryFolder();
	let verdicts: Array<{ passed: boolean; details: string }>;

	beforeAll(() => {
		const folders = REFUSED.map(({ kind, file, append = '', ...change }) => {
			const from = kind === 'source' ? ROOT : packed.folder;
			const folder = mkdtempSync(join(copies, 'copy-'));
			for (const part of PARTS[kind]) {
				cpSync(join(from, part), join(folder, part), { recursive: true });
			}
			const text = read(join(folder, file)) + append;
			const { replace = '', with: by = '' } = change;
			writeFileSync(join(folder, file), text.replace(replace, by));
			return `${kind}=${folder}`;
		});
		const requests = [`source=${ROOT}`, `package=${packed.folder}`, ...folders];
		verdicts = JSON.parse(runTool('node', [join(ROOT, 'test/gate/gate.mjs'), ...requests]));
	});

	afterAll(() => packed.remove());

	it('lets the repository and the tarball pass', () => {
		const passed = { passed: true, details: '\n' };
		expect(verdicts.slice(0, 2)).toEqual([passed, passed]);
	});

	it.each(REFUSED)('$title', ({ rule, title }) => {
		const verdict = verdicts[2 + REFUSED.findIndex((one) => one.title === title)];
		expect(verdict).toEqual({ passed: false, details: expect.stringContaining(rule) });
	});
});
