/** Publishing: what is checked before it, and what the workflows of GitHub Actions run. */
import { spawnSync } from 'node:child_process';
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readJson, ROOT } from './packed.cjs';

const SCRIPT = '.github/release.mjs';
const WORKFLOWS = '.github/workflows';

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

describe('the check of a release', () => {
	const folder = mkdtempSync(join(tmpdir(), 'seedance-release-'));
	const RELEASED = `# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- A thing.\n\n## [1.2.2] - 2025-12-01\n\n- Another.\n`;

	/** A repository that is ready for 1.2.3, but for what is given. */
	function check(
		spoilt: { version?: string; lock?: string; changelog?: string } = {},
		tag = 'v1.2.3',
	): { code: number | null; problems: string[]; notes: string } {
		const { version = '1.2.3', lock = version, changelog = RELEASED } = spoilt;
		const write = (name: string, content: unknown) =>
			writeFileSync(
				join(folder, name),
				typeof content === 'string' ? content : JSON.stringify(content),
			);
		write('package.json', { version });
		write('package-lock.json', { version: lock, packages: { '': { version: lock } } });
		write('CHANGELOG.md', changelog);
		return run(folder, tag);
	}

	function run(where: string, ...args: string[]) {
		const { status, stdout, stderr } = spawnSync(process.execPath, [join(where, SCRIPT), ...args], {
			encoding: 'utf8',
		});
		const problems = [...stderr.matchAll(/^- (.+)$/gm)].map(([, problem]) => problem);
		return { code: status, problems, notes: stdout.trim() };
	}

	beforeAll(() => {
		mkdirSync(join(folder, '.github'));
		cpSync(join(ROOT, SCRIPT), join(folder, SCRIPT));
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	it('lets a version pass that tag, package.json, lock file and changelog agree on, and tells its news', () => {
		expect(check()).toEqual({ code: 0, problems: [], notes: '### Added\n\n- A thing.' });
	});

	it.each([
		['another tag', {}, 'v1.2.4', /tag is v1\.2\.4, but package\.json has version 1\.2\.3/],
		['a tag without the v', {}, '1.2.3', /has to be v1\.2\.3/],
		['a version that is none', { version: '1.2' }, 'v1.2', /"1\.2" is not a version/],
		['another version in the lock file', { lock: '1.2.2' }, 'v1.2.3', /package-lock\.json/],
		['a changelog that ends before', { version: '1.2.4' }, 'v1.2.4', /is 1\.2\.3, not 1\.2\.4/],
		['no version in the changelog', { changelog: '# Changelog\n' }, 'v1.2.3', /is missing/],
		['no date', { changelog: RELEASED.replace(' - 2026-01-31', '') }, 'v1.2.3', /needs a date/],
		['a day that is none', { changelog: RELEASED.replace('01-31', '02-31') }, 'v1.2.3', /a date/],
		[
			'nothing told of the version',
			{ changelog: '## [1.2.3] - 2026-01-31\n\n## [1.2.2] - 2025-12-01\n' },
			'v1.2.3',
			/says nothing about 1\.2\.3/,
		],
		[
			'entries that are not released',
			{ changelog: RELEASED.replace('## [1.2.3]', '- New.\n\n## [1.2.3]') },
			'v1.2.3',
			/still has entries under Unreleased/,
		],
	])('refuses %s', (_what, spoilt, tag, problem) => {
		const { code, problems, notes } = check(spoilt, tag);
		expect(code).toBe(1);
		expect(problems.join('\n')).toMatch(problem);
		expect(notes).toBe('');
	});

	it('finds in this repository nothing that its release does not settle: a heading and a date in the changelog', () => {
		const { problems } = run(ROOT);
		expect(problems.filter((problem) => !/CHANGELOG\.md/.test(problem))).toEqual([]);
		expect(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')).toMatch(/^## \[/m);
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
	needs?: string | string[];
	permissions?: Record<string, string>;
	steps: Step[];
}

interface Workflow {
	on: Record<string, unknown>;
	permissions: Record<string, string>;
	jobs: Record<string, Job>;
}

/** Throws where YAML itself, or what GitHub Actions makes of it, is not as expected. */
function workflowOf(name: string): Workflow {
	const read: unknown = parse(readFileSync(join(ROOT, WORKFLOWS, name), 'utf8'), { strict: true });
	if (
		!isObject(read) ||
		!isObject(read.on) ||
		!isObject(read.permissions) ||
		!isObject(read.jobs)
	) {
		throw new Error(`${name} needs "on", "permissions" and "jobs".`);
	}
	const jobs = Object.entries(read.jobs).map(([job, value]): [string, Job] => {
		if (!isObject(value)) throw new Error(`${name}: ${job} is no job.`);
		const steps = Array.isArray(value.steps) ? value.steps.filter(isObject) : [];
		if (value.uses === undefined && (steps.length === 0 || value['runs-on'] === undefined)) {
			throw new Error(`${name}: ${job} does nothing, or nowhere.`);
		}
		return [job, { ...value, steps }];
	});
	return { on: read.on, permissions: read.permissions, jobs: Object.fromEntries(jobs) } as Workflow;
}

const manifest = readJson(join(ROOT, 'package.json'));
const files = readdirSync(join(ROOT, WORKFLOWS)).sort();
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps }) => steps);
const linesOf = (workflow: Workflow) =>
	stepsOf(workflow).flatMap(({ run = '' }) => run.split('\n').map((line) => line.trim()));

describe('the workflows of GitHub Actions', () => {
	it('are one for every change, one for a release, and one for every night', () => {
		expect(files).toEqual(['ci.yml', 'nightly.yml', 'release.yml']);
	});

	describe.each(files)('%s', (name) => {
		const workflow = workflowOf(name);
		const { jobs } = workflow;

		it('runs scripts of package.json and files that exist', () => {
			const lines = linesOf(workflow);
			const scripts = lines.flatMap((line) =>
				[...line.matchAll(/\bnpm (?:run ([\w:]+)|(test)\b)/g)].map(([, run, test]) => run ?? test),
			);
			for (const script of scripts) expect(manifest).toHaveProperty(['scripts', script]);
			const named = lines.flatMap((line) => line.match(/(?<![\w/])\.[\w-]+\/[\w./-]+/g) ?? []);
			expect([...scripts, ...named]).not.toEqual([]);
			expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
		});

		it('uses actions in a fixed version, and workflows and jobs that are there', () => {
			const used = [...Object.values(jobs), ...stepsOf(workflow)].flatMap(({ uses }) => uses ?? []);
			const isFixed = (uses: string) => /^[\w-]+\/[\w-]+@(v\d+|[0-9a-f]{40})$/.test(uses);
			expect(used).not.toEqual([]);
			expect(
				used.filter(
					(uses) => !(uses.startsWith('./') ? existsSync(join(ROOT, uses)) : isFixed(uses)),
				),
			).toEqual([]);
			const needed = Object.values(jobs).flatMap(({ needs = [] }) => needs);
			expect(needed.filter((job) => !(job in jobs))).toEqual([]);
		});

		it('may only read, but for a job that says otherwise', () => {
			expect(workflow.permissions).toEqual({ contents: 'read' });
		});

		it('puts nothing that somebody else names into a command', () => {
			expect(linesOf(workflow).filter((line) => line.includes('${{'))).toEqual([]);
		});
	});

	it('check every push and every pull request with .ci/run: lint, types, tests, end-to-end tests', () => {
		const ci = workflowOf('ci.yml');
		expect(ci.on).toEqual({
			push: { branches: ['**'] },
			pull_request: null,
			workflow_call: null,
		});
		expect(linesOf(ci)).toContain('.ci/run');
		expect(statSync(join(ROOT, '.ci/run')).mode & 0o100).toBe(0o100);
		const script = readFileSync(join(ROOT, '.ci/run'), 'utf8');
		const runs = [...script.matchAll(/^limited .* (npm .+)$/gm)].map(([, command]) => command);
		expect(runs).toEqual(expect.arrayContaining(['npm test', 'npm run test:e2e']));
		const suites = readFileSync(join(ROOT, 'test/run.mjs'), 'utf8');
		for (const part of ["npmRun('lint')", "npmRun('typecheck')", "'unit', 'integration'"]) {
			expect(suites).toContain(part);
		}
	});

	describe('publish', () => {
		const release = workflowOf('release.yml');
		const { publish, test, version } = release.jobs;

		it('only a tag, after its version was checked and all tests have passed', () => {
			expect(release.on).toEqual({ push: { tags: ['v*.*.*'] } });
			expect(version.steps.map(({ run }) => run)).toContain(`node ${SCRIPT} "$TAG"`);
			expect(version.steps.at(-1)?.env).toEqual({ TAG: '${{ github.ref_name }}' });
			expect(test).toMatchObject({ needs: 'version', uses: './.github/workflows/ci.yml' });
			expect(publish.needs).toBe('test');
		});

		it('with a statement of provenance, which takes the permission for it, and for everybody', () => {
			expect(publish.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
			const runs = publish.steps.map(({ run }) => run);
			expect(runs.at(-1)).toBe('npm publish --provenance --access public');
			expect(runs).toEqual(
				expect.arrayContaining([
					'npm ci --ignore-scripts',
					'npm run build',
					'npm run test:package',
				]),
			);
		});

		it('with an npm that signs in without a token', () => {
			const setup = publish.steps.find(({ uses }) => uses?.startsWith('actions/setup-node@'));
			expect(Number(setup?.with?.['node-version'])).toBeGreaterThanOrEqual(24);
		});
	});
});
