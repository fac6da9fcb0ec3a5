/** Publishing: what is checked before it, and what the workflows of GitHub Actions run, with which versions. */
import { cpSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { filesIn, read, readManifest, ROOT, run, temporaryFolder } from './packed.cjs';

const SCRIPT = '.github/release.mjs';
const WORKFLOWS = '.github/workflows';

describe('the check of a release', () => {
	const folder = temporaryFolder();
	const RELEASED =
		'# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- A thing.\n\n## [1.2.2] - 2025-12-01\n\n- Another.\n';

	function checkAt(where: string, ...tag: string[]) {
		const { status, stdout, stderr } = run('node', [join(where, SCRIPT), ...tag]);
		const problems = [...stderr.matchAll(/^- (.+)$/gm)].map(([, problem]) => problem);
		return { code: status, problems, notes: stdout.trim() };
	}

	/** Checks a repository that is ready for 1.2.3, but for what is given. */
	function check(given: Record<string, string> = {}) {
		const { version = '1.2.3', changelog = RELEASED, tag = 'v1.2.3' } = given;
		const { lock = version } = given;
		const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
		write('package.json', JSON.stringify({ version }));
		const packages = { '': { version: lock } };
		write('package-lock.json', JSON.stringify({ version: lock, packages }));
		write('CHANGELOG.md', changelog);
		return checkAt(folder, tag);
	}

	beforeAll(() => {
		mkdirSync(join(folder, '.github'));
		cpSync(join(ROOT, SCRIPT), join(folder, SCRIPT));
	});

	it('lets a version pass that tag, package.json, lock file and changelog agree on, and prints its news', () => {
		expect(check()).toEqual({ code: 0, problems: [], notes: '### Added\n\n- A thing.' });
	});

	const refused: Array<Record<string, string>> = JSON.parse(
		read('test/fixtures/package/release.json'),
	);
	it.each(refused)('refuses $what', ({ problem, ...given }) => {
		const { code, problems, notes } = check(given);
		expect({ code, notes }).toEqual({ code: 1, notes: '' });
		expect(problems.join('\n')).toContain(problem);
	});

	it('finds in this repository nothing but a changelog whose release is not written yet', () => {
		const { problems } = checkAt(ROOT);
		expect(problems.filter((problem) => !/CHANGELOG\.md/.test(problem))).toEqual([]);
		expect(read('CHANGELOG.md')).toMatch(/^## \[/m);
	});
});

const workflowOf = (name: string): object => parse(read(`${WORKFLOWS}/${name}`), { strict: true });
/** All texts that a workflow has under a key, however deep. */
const textsOf = (name: string, key: string): string[] =>
	[...JSON.stringify(workflowOf(name)).matchAll(/"([\w-]+)":("(?:\\.|[^"])*"|\d+)/g)]
		.filter(([, found]) => found === key)
		.map(([, , text]) => String(JSON.parse(text)));

describe('the workflows of GitHub Actions', () => {
	const { scripts, engines } = readManifest();
	const files = filesIn(WORKFLOWS);
	const exists = (file: string) => existsSync(join(ROOT, file));

	describe.each(files)('%s', (name) => {
		const runs = textsOf(name, 'run').join('\n');

		it('runs scripts of package.json and files that exist', () => {
			const commands = [...runs.matchAll(/\bnpm (?:run ([\w:]+)|(test)\b)/g)].map(
				([, run, test]) => run ?? test,
			);
			const named = runs.match(/(?<![\w/])\.[\w-]+\/[\w./-]+/g) ?? [];
			expect([...commands, ...named]).not.toEqual([]);
			expect(commands.filter((command) => !(command in scripts))).toEqual([]);
			expect(named.filter((file) => !exists(file))).toEqual([]);
		});

		it('pins each action to a commit, with its version beside it', () => {
			const source = read(`${WORKFLOWS}/${name}`);
			const used = [...source.matchAll(/uses: (.+)$/gm)].map(([, uses]) => uses);
			const pinned = /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
			const isFixed = (uses: string) => (uses.startsWith('./') ? exists(uses) : pinned.test(uses));
			expect(used).not.toEqual([]);
			expect(used.filter((uses) => !isFixed(uses))).toEqual([]);
		});

		it('may only read, but for a job that says otherwise, and runs nothing that somebody else names', () => {
			expect(workflowOf(name)).toMatchObject({ permissions: { contents: 'read' } });
			expect(runs).not.toContain('${{');
		});
	});

	it('use the Nodes that package.json and .nvmrc speak of, and the oldest of them by default', () => {
		const oldest = Number(/"node":">=(\d+)\./.exec(JSON.stringify(engines))?.[1]);
		const tested = [oldest, 22, 24];
		expect(Number(read('.nvmrc'))).toBe(oldest);
		expect(workflowOf('ci.yml')).toHaveProperty('jobs.test.strategy.matrix.node', tested);
		const given = files.flatMap((file) => [
			...textsOf(file, 'node-version'),
			...textsOf(file, 'node-version-file'),
		]);
		const allowed = ['.nvmrc', '${{ matrix.node }}', ...tested.map(String)];
		expect(given.filter((version) => !allowed.includes(version))).toEqual([]);
	});

	it('check every push and every pull request with .ci/run, and npm test on each Node', () => {
		const on = { push: { branches: ['**'] }, pull_request: null, workflow_call: null };
		expect(workflowOf('ci.yml')).toHaveProperty('on', on);
		expect(files).toContain('nightly.yml');
		expect(textsOf('ci.yml', 'run')).toEqual(['npm test', '.ci/run']);
		expect(statSync(join(ROOT, '.ci/run')).mode & 0o100).toBe(0o100);
		const runs = [...read('.ci/run').matchAll(/^limited .* (npm .+)$/gm)].map(([, run]) => run);
		expect(runs).toEqual(expect.arrayContaining(['npm test', 'npm run test:e2e']));
		for (const part of ["npmRun('lint')", "npmRun('typecheck')", "'unit', 'integration'"]) {
			expect(read('test/run.mjs')).toContain(part);
		}
	});

	const jobs: Record<string, { needs?: string; uses?: string; steps: object[] }> = Object(
		workflowOf('release.yml'),
	).jobs;

	it('publish only a tag, after its version was checked and all tests have passed', () => {
		expect(workflowOf('release.yml')).toHaveProperty('on', { push: { tags: ['v*.*.*'] } });
		const check = { run: `node ${SCRIPT} "$TAG"`, env: { TAG: '${{ github.ref_name }}' } };
		expect(jobs.version.steps).toContainEqual(expect.objectContaining(check));
		expect(jobs.test).toMatchObject({ needs: 'version', uses: './.github/workflows/ci.yml' });
		expect(jobs.publish.needs).toBe('test');
	});

	it('publish with a statement of provenance, for everybody, and an npm that needs no token', () => {
		expect(jobs.publish).toHaveProperty('permissions', { contents: 'read', 'id-token': 'write' });
		const setup = {
			uses: expect.stringMatching(/^actions\/setup-node@/),
			with: expect.objectContaining({ 'node-version': 24 }),
		};
		expect(jobs.publish.steps).toContainEqual(expect.objectContaining(setup));
		expect(textsOf('release.yml', 'run').slice(-4)).toEqual([
			'npm ci --ignore-scripts',
			'npm run build',
			'npm run test:package',
			'npm publish --provenance --access public',
		]);
	});
});
