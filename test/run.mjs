/**
 * What the npm scripts run: `node test/run.mjs <command>`, from a fresh clone, with nothing but Node and npm. What is
 * missing is installed first, so only what needs no package is imported here at once. Arguments that follow the command go
 * to the program that is run. It stops at the first step that fails, and ends with an exit code other than 0.
 */
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tableOf, writeTable } from './compat/table.mjs';
import { summaryOf } from './faults/summary.mjs';
import { ensurePackages, InstallError } from './support/packages.mjs';
import { Interrupted, npm, run } from './support/process.mjs';
import { findServices } from './support/services.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const CACHE = join(ROOT, '.cache');

/** The packages for development take 1 GB, and as much again while they are replaced. */
const ALL_PACKAGES = { what: 'the packages for development', gigabytes: 2 };

/** What the first part of the demo needs: less than half of it. */
const DEMO_PACKAGES = {
	what: "n8n's engine",
	gigabytes: 1,
	only: ['@ffmpeg-installer/ffmpeg', 'axios', 'fastify', 'n8n-core', 'n8n-workflow', 'tsx'],
};

/** Per cent of lines and of branches that the tests have to reach in each of these folders. */
const COVERAGE = { lines: 95, branches: 95 };
const COVERED = ['./nodes/', './credentials/'];

/** Where the pictures of the documents are. */
const PICTURES = join(ROOT, '.github', 'images');

/** The browser: any Chromium that is there. */
const CHROMIUM = [
	process.env.CHROMIUM,
	'/usr/bin/chromium',
	'/usr/bin/chromium-browser',
	'/usr/bin/google-chrome',
];

/** A step that did not succeed; its message says which. */
class StepError extends Error {}

const commands = {
	test: runTests,
	smoke: runSmoke,
	e2e: runE2e,
	faults: runFaults,
	editor: runEditor,
	queue: runQueue,
	compat: runCompat,
	sandbox: async (args) => await runProgram('test/sandbox/cli.cts', args),
	demo: runDemo,
	dev: async (args) => await runProgramInN8n('test/demo/dev.cts', args),
	bench: async (args) => await runProgramInN8n('test/bench/bench.cts', args),
	'bench:trigger': async (args) => await runProgramInN8n('test/bench/trigger.cts', args),
	'bench:pause': async (args) => await runProgramInN8n('test/bench/pause.cts', args),
};

async function runTests() {
	await step("n8n's gate", async () => {
		const { ensureGate } = await import('./gate/gate.mjs');
		await ensureGate();
	});
	// Each of them keeps one core busy.
	await step('lint and type check', async () => {
		const results = await Promise.allSettled([npmRun('lint'), npmRun('typecheck')]);
		for (const { reason } of results) if (reason) throw reason;
	});
	await step('build', async () => await npmRun('build'));
	await step('unit and integration tests with coverage, checks of the package', async () => {
		const threshold = Object.fromEntries(COVERED.map((path) => [path, COVERAGE]));
		const options = ['--coverage', `--coverageThreshold=${JSON.stringify(threshold)}`];
		await jest(['unit', 'integration', 'package'], '--maxWorkers=2', ...options);
	});
}

/** Two files at the same time, each with an n8n of its own: they wait more than they work. */
async function runE2e(args) {
	await runInN8n('e2e', 'end-to-end tests', '--maxWorkers=2', ...args);
}

/** The core flow alone (test/e2e/coreFlow.suite.cts). */
async function runSmoke(args) {
	const name = 'the end-to-end tests that break most';
	await runInN8n('e2e', name, '--runInBand', '-t', '^smoke ', ...args);
}

/** Runs a suite with the packed package in a real n8n. */
async function runInN8n(project, name, ...options) {
	await preparePackageAndN8n();
	await step(name, async () => await jest([project], ...options));
}

/** Runs a program with the packed package in a real n8n. */
async function runProgramInN8n(program, args) {
	await preparePackageAndN8n();
	return await runProgram(program, args);
}

async function preparePackageAndN8n() {
	await step('n8n', async () => await ensureN8n());
	await buildAndPack();
}

/**
 * SEED repeats the random schedules, SCHEDULES says how many, SEEDS=fixed takes the seeds of test/faults/seeds.json. What
 * they counted is printed at the end, whatever it is.
 */
async function runFaults(args) {
	if (process.env.SEEDS !== 'fixed') process.env.SEED ||= String(randomInt(2 ** 31));
	const seed = process.env.SEED ? `SEED=${process.env.SEED}` : 'SEEDS=fixed';
	mkdirSync(CACHE, { recursive: true });
	const counts = mkdtempSync(join(CACHE, 'faults-'));
	process.env.SEEDANCE_FAULTS_COUNTS = counts;
	say(seed);
	try {
		await step('fault suite', async () => await jest(['faults'], '--maxWorkers=100%', ...args));
	} finally {
		say(`\n${summaryOf(counts)}${seed}`);
		rmSync(counts, { recursive: true, force: true });
	}
}

/** With `--screenshots`, what the browser shows is kept as the pictures of the documents. */
async function runEditor(args) {
	const chromium = CHROMIUM.find((path) => path && existsSync(path));
	if (!chromium) {
		throw new StepError(
			'Chromium is missing. Install it (on Debian: apt-get install chromium), or set CHROMIUM to its path.',
		);
	}
	process.env.SEEDANCE_CHROMIUM = chromium;
	if (args.includes('--screenshots')) process.env.SEEDANCE_SCREENSHOTS = PICTURES;
	const others = args.filter((arg) => arg !== '--screenshots');
	await runInN8n('editor', "tests of n8n's editor", '--runInBand', ...others);
}

async function runQueue(args) {
	findServices();
	await runInN8n('queue', "tests of n8n's queue mode", '--runInBand', ...args);
}

/**
 * The core flow in each n8n of test/support/n8n, to its end, also when one before it failed. `--n8n 2.8.4` runs one of them,
 * `--write` puts the table into the document.
 */
async function runCompat(args) {
	const others = [...args];
	const at = others.indexOf('--n8n');
	const [, chosen] = at < 0 ? [] : others.splice(at, 2);
	const isWritten = others.includes('--write');
	if (isWritten && (chosen || others.length > 1)) {
		throw new StepError('--write needs all checks in all versions: leave the other arguments out.');
	}
	const { knownVersions } = await import('./support/n8n/install.mjs');
	await buildAndPack();
	const runs = [];
	const failed = [];
	for (const version of chosen ? [chosen] : knownVersions()) {
		const { node } = await step(`n8n ${version}`, async () => await ensureN8n({ version }));
		const report = join(CACHE, `compat-${version}.json`);
		rmSync(report, { force: true });
		process.env.SEEDANCE_N8N = version;
		const options = ['--runInBand', '--json', `--outputFile=${report}`];
		await step(`core flow in n8n ${version}`, async () => {
			await jest(['compat'], ...options, ...others.filter((arg) => arg !== '--write'));
		}).catch((error) => {
			if (!(error instanceof StepError)) throw error;
			failed.push(error.message);
		});
		const { output } = await run(node, ['--version'], { cwd: ROOT, quiet: true });
		runs.push({ n8n: version, node: output.trim().replace('v', ''), report: readJson(report) });
	}
	const table = tableOf(runs, readJson(join(ROOT, 'test', 'compat', 'gaps.json')));
	say(`\n${table}`);
	if (failed.length > 0) throw new StepError(failed.join('\n'));
	if (isWritten) writeTable(join(ROOT, 'docs', 'limits-and-compatibility.md'), table);
}

/** First a video through n8n's engine in a process of its own, then the real n8n; --once and --editor leave one out. */
async function runDemo(args) {
	if (!args.includes('--editor')) {
		const code = await runProgram('test/demo/engine.cts', args);
		if (code !== 0 || ['--once', '--help', '-h'].some((flag) => args.includes(flag))) return code;
	}
	say(
		'Next comes the real editor of n8n. The first time, that installs about 4 GB of packages, which takes some minutes. Ctrl-C ends it here.\n',
	);
	await ensurePackages(ROOT, ALL_PACKAGES);
	return await runProgramInN8n('test/demo/editor.cts', args);
}

async function jest(projects, ...args) {
	const script = join('node_modules', 'jest', 'bin', 'jest.js');
	const options = ['-c', 'test/jest.config.cjs', '--ci', '--selectProjects', ...projects];
	const { code } = await run(process.execPath, [script, ...options, ...args], { cwd: ROOT });
	if (code !== 0) throw new StepError();
}

/** Runs a script of package.json; what it prints is shown only when it fails. */
async function npmRun(script) {
	await quietly(['run', script]);
}

async function quietly(args) {
	const { code, output } = await npm(args, ROOT);
	if (code === 0) return;
	process.stderr.write(output);
	throw new StepError();
}

/** Builds the package and packs it as it would be published, for the tests and programs that install it. */
async function buildAndPack() {
	await step('build', async () => await npmRun('build'));
	const { name, version } = readJson(join(ROOT, 'package.json'));
	mkdirSync(CACHE, { recursive: true });
	await step('pack', async () => {
		await quietly(['pack', '--ignore-scripts', '--pack-destination', CACHE]);
	});
	process.env.SEEDANCE_TARBALL = join(CACHE, `${name}-${version}.tgz`);
}

async function ensureN8n(options) {
	const { ensureN8n: install } = await import('./support/n8n/install.mjs');
	return await install(options);
}

/** Runs one of this repository's TypeScript programs; gives its exit code, also after Ctrl-C. */
async function runProgram(program, args) {
	const options = { cwd: ROOT, signalsTo: 'program' };
	try {
		const all = ['--require', './test/support/typescript.cjs', program, ...args];
		return (await run(process.execPath, all, options)).code;
	} catch (error) {
		if (error instanceof Interrupted) return error.programCode;
		throw error;
	}
}

/** One step with its name and how long it took. */
async function step(name, work) {
	const started = Date.now();
	const seconds = () => Math.round((Date.now() - started) / 1000);
	say(`\n== ${name}`);
	try {
		const result = await work();
		say(`== ${name}: done in ${seconds()} s`);
		return result;
	} catch (error) {
		if (!(error instanceof StepError)) throw error;
		throw new StepError(`Failed: ${name}, after ${seconds()} s. ${error.message}`.trim());
	}
}

function readJson(path) {
	return JSON.parse(readFileSync(path, 'utf8'));
}

function say(text) {
	process.stdout.write(`${text}\n`);
}

function checkNode() {
	const [major, minor] = process.versions.node.split('.').map(Number);
	if (major > 20 || (major === 20 && minor >= 15)) return;
	throw new StepError(`Node 20.15 or newer is needed; this is Node ${process.versions.node}.`);
}

try {
	const [name = 'test', ...args] = process.argv.slice(2);
	const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
	if (!command) {
		throw new StepError(`There is no "${name}" to run, only ${Object.keys(commands).join(', ')}.`);
	}
	checkNode();
	const needsEngineOnly = name === 'demo' && !args.includes('--editor');
	await ensurePackages(ROOT, needsEngineOnly ? DEMO_PACKAGES : ALL_PACKAGES);
	process.exitCode = (await command(args)) ?? 0;
} catch (error) {
	const isExpected = [StepError, InstallError, Interrupted].some((kind) => error instanceof kind);
	process.stderr.write(`\n${isExpected ? error.message : error.stack}\n`);
	process.exitCode = error instanceof Interrupted ? error.code : 1;
}
