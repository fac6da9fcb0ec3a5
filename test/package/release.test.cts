/** Publishing: what is checked before it, and what the workflows of GitHub Actions run, with which versions. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { filesIn, read, readManifest, ROOT } from './packed.cjs';

const SCRIPT = '.github/release.mjs';
const WORKFLOWS = '.github/workflows';

describe('the check of a release', () => {
	const folder = mkdtempSync(join(tmpdir(), 'seedance-release-'));
	const RELEASED =
		'# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- A thing.\n\n## [1.2.2] - 2025-12-01\n\n- Another.\n';

	function run(where: string, ...args: string[]) {
		const command = [join(where, SCRIPT), ...args];
		const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
		const problems = [...stderr.matchAll(/^- (.+)$/gm)].map(([, problem]) => problem);
		return { code: status, problems, notes: stdout.trim() };
	}

	/** Checks a repository that is ready for 1.2.3, but for what is given. */
	function check({ version = '1.2.3', lock = version, changelog = RELEASED, tag = 'v1.2.3' } = {}) {
		const packages = { '': { version: lock } };
		const files = {
			'package.json': JSON.stringify({ version }),
			'package-lock.json': JSON.stringify({ version: lock, packages }),
			'CHANGELOG.md': changelog,
		};
		for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
		return run(folder, tag);
	}

	beforeAll(() => {
		mkdirSync(join(folder, '.github'));
		cpSync(join(ROOT, SCRIPT), join(folder, SCRIPT));
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	it('lets a version pass that tag, package.json, lock file and changelog agree on, and tells its news', () => {
		expect(check()).toEqual({ code: 0, problems: [], notes: '### Added\n\n- A thing.' });
	});

	const refused: Array<Parameters<typeof check>[0] & { what: string; problem: string }> =
		JSON.parse(read('test/fixtures/package/release.json'));
	it.each(refused)('refuses $what', ({ problem, ...given }) => {
		const { code, problems, notes } = check(given);
		expect({ code, notes }).toEqual({ code: 1, notes: '' });
		expect(problems.join('\n')).toContain(problem);
	});

	it('finds in this repository nothing but a changelog whose release is not written yet', () => {
		const { problems } = run(ROOT);
		expect(problems.filter((problem) => !/CHANGELOG\.md/.test(problem))).toEqual([]);
		expect(read('CHANGELOG.md')).toMatch(/^## \[/m);
	});
});

interface Step {
	uses?: string;
	run?: string;
	with?: Record<string, unknown>;
	env?: Record<string, unknown>;
}

interface Job {
	uses?: string;
	'runs-on'?: string;
	needs?: string | string[];
	permissions?: Record<string, string>;
	strategy?: { matrix: { node: number[] } };
	steps?: Step[];
}

interface Workflow {
	on: Record<string, unknown>;
	permissions: Record<string, string>;
	jobs: Record<string, Job>;
}

const workflowOf = (name: string): Workflow =>
	parse(read(`${WORKFLOWS}/${name}`), { strict: true });
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps = [] }) => steps);
const linesOf = (workflow: Workflow) =>
	stepsOf(workflow).flatMap(({ run = '' }) => run.split('\n').map((line) => line.trim()));

describe('the workflows of GitHub Actions', () => {
	const { scripts, engines } = readManifest();
	const files = filesIn(WORKFLOWS);
	const exists = (file: string) => existsSync(join(ROOT, file));

	it('are one for every change, one for a release, and one for every night', () => {
		expect(files).toEqual(['ci.yml', 'nightly.yml', 'release.yml']);
	});

	describe.each(files)('%s', (name) => {
		const workflow = workflowOf(name);
		const jobs = Object.values(workflow.jobs);
		const lines = linesOf(workflow);

		it('runs scripts of package.json and files that exist', () => {
			expect(jobs.filter((job) => !job.uses && !(job.steps && job['runs-on']))).toEqual([]);
			const commands = lines.flatMap((line) =>
				[...line.matchAll(/\bnpm (?:run ([\w:]+)|(test)\b)/g)].map(([, run, test]) => run ?? test),
			);
			const named = lines.flatMap((line) => line.match(/(?<![\w/])\.[\w-]+\/[\w./-]+/g) ?? []);
			expect([...commands, ...named]).not.toEqual([]);
			expect(commands.filter((command) => !(command in scripts))).toEqual([]);
			expect(named.filter((file) => !exists(file))).toEqual([]);
		});

		it('pins each action to a commit, with its version beside it, and names jobs that are there', () => {
			const used = [...read(`${WORKFLOWS}/${name}`).matchAll(/uses: (.+)$/gm)].map(([, uses]) => uses);
			const isPinned = (uses: string) =>
				/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(uses);
			expect(used).not.toEqual([]);
			expect(
				used.filter((uses) => !(uses.startsWith('./') ? exists(uses) : isPinned(uses))),
			).toEqual([]);
			const needed = jobs.flatMap(({ needs = [] }) => needs);
			expect(needed.filter((job) => !(job in workflow.jobs))).toEqual([]);
		});

		it('may only read, but for a job that says otherwise, and runs nothing that somebody else names', () => {
			expect(workflow.permissions).toEqual({ contents: 'read' });
			expect(lines.filter((line) => line.includes('${{'))).toEqual([]);
		});
	});

	it('use the Nodes that package.json and .nvmrc speak of, and the oldest of them by default', () => {
		const oldest = Number(/"node":">=(\d+)\./.exec(JSON.stringify(engines))?.[1]);
		expect(Number(read('.nvmrc'))).toBe(oldest);
		const { node: matrix = [] } = workflowOf('ci.yml').jobs.test.strategy?.matrix ?? {};
		expect(matrix).toEqual([oldest, 22, 24]);
		const setUps = files
			.flatMap((file) => stepsOf(workflowOf(file)))
			.filter(({ uses }) => uses?.startsWith('actions/setup-node@'));
		const versions = setUps.map((step) => step.with?.['node-version-file'] ?? step.with?.['node-version']);
		const allowed = ['.nvmrc', '${{ matrix.node }}', ...matrix];
		expect(versions.filter((version) => !allowed.some((one) => one === version))).toEqual([]);
	});

	it('check every push and every pull request with .ci/run, and npm test on each Node', () => {
		const ci = workflowOf('ci.yml');
		expect(ci.on).toEqual({ push: { branches: ['**'] }, pull_request: null, workflow_call: null });
		expect(linesOf(ci).filter((line) => line)).toEqual(['npm test', '.ci/run']);
		expect(statSync(join(ROOT, '.ci/run')).mode & 0o100).toBe(0o100);
		const runs = [...read('.ci/run').matchAll(/^limited .* (npm .+)$/gm)].map(([, run]) => run);
		expect(runs).toEqual(expect.arrayContaining(['npm test', 'npm run test:e2e']));
		for (const part of ["npmRun('lint')", "npmRun('typecheck')", "'unit', 'integration'"]) {
			expect(read('test/run.mjs')).toContain(part);
		}
	});

	describe('publish', () => {
		const release = workflowOf('release.yml');
		const { publish, test, version } = release.jobs;

		it('only a tag, after its version was checked and all tests have passed', () => {
			expect(release.on).toEqual({ push: { tags: ['v*.*.*'] } });
			expect(version.steps?.at(-1)).toMatchObject({
				run: `node ${SCRIPT} "$TAG"`,
				env: { TAG: '${{ github.ref_name }}' },
			});
			expect(test).toMatchObject({ needs: 'version', uses: './.github/workflows/ci.yml' });
			expect(publish.needs).toBe('test');
		});

		it('with a statement of provenance, which takes the permission for it, and for everybody', () => {
			expect(publish.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
			expect(publish.steps?.flatMap(({ run = [] }) => run)).toEqual([
				'npm ci --ignore-scripts',
				'npm run build',
				'npm run test:package',
				'npm publish --provenance --access public',
			]);
		});

		it('with an npm that signs in without a token', () => {
			const setup = publish.steps?.find(({ uses }) => uses?.startsWith('actions/setup-node@'));
			expect(Number(setup?.with?.['node-version'])).toBeGreaterThanOrEqual(24);
		});
	});
});
