/** n8n's own gate: the package passes it as a repository and as a tarball, and the gate is really asked. */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packPackage, ROOT, runTool } from './packed.cjs';

/** Installing the gate, the first time, takes most of it (milliseconds). */
jest.setTimeout(300_000);

interface Verdict {
	passed: boolean;
	details: string;
}

function isVerdicts(value: unknown): value is Verdict[] {
	return (
		Array.isArray(value) &&
		value.every((verdict) => typeof verdict.passed === 'boolean' && 'details' in verdict)
	);
}

/** What the gate says of each folder, in order. */
function gate(...requests: Array<`${'source' | 'package'}=${string}`>): Verdict[] {
	const output = runTool('node', [join(ROOT, 'test/gate/gate.mjs'), ...requests], ROOT);
	const verdicts: unknown = JSON.parse(output);
	if (!isVerdicts(verdicts)) throw new Error(`The gate gave something else: ${output}`);
	return verdicts;
}

describe("n8n's gate", () => {
	const packed = packPackage();
	const copies = mkdtempSync(join(tmpdir(), 'seedance-gate-'));

	/** A copy of the repository's published part, for spoiling. */
	function sourceCopy(name: string): string {
		const folder = join(copies, name);
		for (const part of ['nodes', 'credentials', 'icons', 'package.json']) {
			cpSync(join(ROOT, part), join(folder, part), { recursive: true });
		}
		return folder;
	}

	/** A copy of the unpacked tarball, for spoiling. */
	function packageCopy(name: string): string {
		const folder = join(copies, name);
		cpSync(packed.folder, folder, { recursive: true });
		return folder;
	}

	function someFile(ending: string): string {
		const file = packed.files.find((name) => name.endsWith(ending));
		if (!file) throw new Error(`There is no ${ending} in the package.`);
		return file;
	}

	afterAll(() => {
		packed.remove();
		rmSync(copies, { recursive: true, force: true });
	});

	it('lets the repository and the tarball pass', () => {
		const [source, tarball] = gate(`source=${ROOT}`, `package=${packed.folder}`);
		expect(source).toEqual({ passed: true, details: '\n' });
		expect(tarball).toEqual({ passed: true, details: '\n' });
	});

	it('refuses a node that reads the environment, even where a comment switches the rule off', () => {
		const folder = sourceCopy('environment');
		const node = someFile('.node.js').replace('dist/', '').replace(/\.js$/, '.ts');
		appendFileSync(
			join(folder, node),
			'/* eslint-disable */\nexport const home = process.env.HOME;\n',
		);
		const [verdict] = gate(`source=${folder}`);
		expect(verdict.passed).toBe(false);
		expect(verdict.details).toContain('no-restricted-globals');
	});

	it('refuses overrides in package.json', () => {
		const folder = sourceCopy('overrides');
		const path = join(folder, 'package.json');
		const manifest = readFileSync(path, 'utf8');
		writeFileSync(
			path,
			manifest.replace('"n8n": {', '"overrides": { "axios": "1.0.0" },\n"n8n": {'),
		);
		const [verdict] = gate(`source=${folder}`);
		expect(verdict.passed).toBe(false);
		expect(verdict.details).toContain('no-overrides-field');
	});

	it('refuses a tarball that writes to the console or requires what n8n does not allow', () => {
		const console = packageCopy('console');
		appendFileSync(join(console, someFile('.node.js')), "\nconsole.log('here');\n");
		const requires = packageCopy('requires');
		appendFileSync(join(requires, someFile('.credentials.js')), "\nrequire('child_process');\n");
		const [first, second] = gate(`package=${console}`, `package=${requires}`);
		expect(first.passed).toBe(false);
		expect(first.details).toContain('no-console');
		expect(second.passed).toBe(false);
		expect(second.details).toContain('no-restricted-imports');
	});
});
