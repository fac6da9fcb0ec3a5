/**
 * Runs everything that this repository can run, from a fresh clone, with nothing but Node and npm:
 *
 *     node test/run.mjs            npm test: lint, type check, build, tests with coverage, checks of the package
 *     node test/run.mjs faults     npm run test:faults: every fault in every place, and thousands of random schedules
 *     node test/run.mjs e2e        npm run test:e2e: the packed package in a real n8n server
 *     node test/run.mjs editor     npm run test:editor: n8n's editor in a real browser; --screenshots renews the pictures
 *     node test/run.mjs queue      npm run test:queue: the packed package in n8n's queue mode, with PostgreSQL and Redis
 *     node test/run.mjs compat     npm run test:compat: the core flow in each n8n of test/support/n8n. `--n8n 2.8.4` runs one
 *                                  of them, `--write` puts the table into docs/limits-and-compatibility.md
 *     node test/run.mjs sandbox    npm run sandbox: the API simulated on this machine
 *     node test/run.mjs demo       npm run demo: the sandbox, n8n and one generated video
 *     node test/run.mjs bench      npm run bench: this package beside what a user would build by hand
 *     node test/run.mjs bench:trigger   npm run bench:trigger: deliveries a second, beside n8n's own Webhook node
 *     node test/run.mjs bench:pause     npm run bench:pause: what many paused executions cost
 *
 * What is missing is installed first. Arguments that follow go to the program that is run. It stops at the first step
 * that fails, says which, and ends with an exit code other than 0. It uses Node's built-ins only.
 */
import { spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tableOf, writeTable } from './compat/table.mjs';
import { summaryOf } from './faults/summary.mjs';
import { ensureGate } from './gate/gate.mjs';
import { environmentForNpm, InstallError, installPackages, npmCommand } from './packages.mjs';
import {
	ensureN8n,
	InstallError as N8nInstallError,
	knownVersions,
} from './support/n8n/install.mjs';
import { ensureServices } from './support/services.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const CACHE = join(ROOT, '.cache');
const JEST = join('node_modules', 'jest', 'bin', 'jest.js');

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

/** The packages for development take 1 GB, and as much again while they are replaced. */
const REQUIRED_BYTES = 2 * 1024 ** 3;

/** The second of two signals within this time (milliseconds) is the same Ctrl-C: npm passes on what the terminal sent. */
const SAME_SIGNAL = 1_000;

/** A step that did not succeed; its message says which. */
class StepError extends Error {}

const commands = {
	test: runTests,
	faults: runFaults,
	e2e: runEndToEnd,
	editor: runEditor,
	queue: runQueue,
	compat: runCompat,
	sandbox: runSandbox,
	demo: runDemo,
	bench: async (args) => await runBench('bench', args),
	'bench:trigger': async (args) => await runBench('trigger', args),
	'bench:pause': async (args) => await runBench('pause', args),
};

async function runTests() {
	await step("n8n's gate", ensureGate);
	await step('lint', () => npmRun('lint'));
	await step('type check', () => npmRun('typecheck'));
	await step('build', build);
	await step('unit and integration tests with coverage', () =>
		jest(
			['unit', 'integration'],
			'--coverage',
			`--coverageThreshold=${JSON.stringify(Object.fromEntries(COVERED.map((path) => [path, COVERAGE])))}`,
		),
	);
	await step('checks of the package', () => jest(['package']));
}

/**
 * SEED repeats the random schedules, SCHEDULES says how many, SEEDS=fixed takes the seeds of test/faults/seeds.json. What
 * they counted is told at the end, whatever it is.
 */
async function runFaults(args) {
	if (process.env.SEEDS !== 'fixed') process.env.SEED ||= String(randomInt(2 ** 31));
	const seed = process.env.SEED ? `SEED=${process.env.SEED}` : 'SEEDS=fixed';
	mkdirSync(CACHE, { recursive: true });
	const counts = mkdtempSync(join(CACHE, 'faults-'));
	process.env.SEEDANCE_FAULTS_COUNTS = counts;
	say(seed);
	try {
		await step('fault suite', () => jest(['faults'], '--maxWorkers=100%', ...args));
	} finally {
		say(`\n${summaryOf(counts)}${seed}`);
		rmSync(counts, { recursive: true, force: true });
	}
}

async function runEndToEnd(args) {
	await step('n8n', () => ensureN8n());
	await step('build', build);
	const tarball = await step('pack', pack);
	process.env.SEEDANCE_TARBALL = tarball;
	await step('end-to-end tests', () => jest(['e2e'], '--runInBand', ...args));
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
	await step('n8n', () => ensureN8n());
	await step('build', build);
	process.env.SEEDANCE_TARBALL = await step('pack', pack);
	const others = args.filter((arg) => arg !== '--screenshots');
	await step("tests of n8n's editor", () => jest(['editor'], '--runInBand', ...others));
}

async function runQueue(args) {
	await step('Redis and PostgreSQL', ensureServices);
	await step('n8n', () => ensureN8n());
	await step('build', build);
	process.env.SEEDANCE_TARBALL = await step('pack', pack);
	await step("tests of n8n's queue mode", () => jest(['queue'], '--runInBand', ...args));
}

/** Every version is run to its end, also when one before it failed; the table shows all of them. */
async function runCompat(args) {
	const { chosen, isWritten, others } = compatArguments(args);
	const versions = chosen ? [chosen] : knownVersions();
	const gaps = JSON.parse(readFileSync(join(ROOT, 'test', 'compat', 'gaps.json'), 'utf8'));
	await step('build', build);
	process.env.SEEDANCE_TARBALL = await step('pack', pack);
	const runs = [];
	const failed = [];
	for (const version of versions) {
		const { node } = await step(`n8n ${version}`, () => ensureN8n({ version }));
		const report = join(CACHE, `compat-${version}.json`);
		rmSync(report, { force: true });
		process.env.SEEDANCE_N8N = version;
		try {
			await step(`core flow in n8n ${version}`, () =>
				jest(['compat'], '--runInBand', '--json', `--outputFile=${report}`, ...others),
			);
		} catch (error) {
			if (!(error instanceof StepError)) throw error;
			failed.push(error);
		}
		const { output } = await run(node, ['--version'], { quiet: true });
		runs.push({
			n8n: version,
			node: output.trim().replace('v', ''),
			report: JSON.parse(readFileSync(report, 'utf8')),
		});
	}
	const table = tableOf(runs, gaps);
	say(`\n${table}`);
	if (failed.length > 0) throw new StepError(failed.map(({ message }) => message).join('\n'));
	if (isWritten) writeTable(join(ROOT, 'docs', 'limits-and-compatibility.md'), table);
}

/** The table of compatibility shows whole runs of all versions, nothing less. */
function compatArguments(args) {
	const others = [...args];
	const at = others.indexOf('--n8n');
	const [, chosen] = at < 0 ? [] : others.splice(at, 2);
	const writing = others.indexOf('--write');
	const isWritten = writing >= 0;
	if (isWritten) others.splice(writing, 1);
	if (isWritten && (chosen || others.length > 0)) {
		throw new StepError('--write needs all checks in all versions: leave the other arguments out.');
	}
	return { chosen, isWritten, others };
}

async function runSandbox(args) {
	return await runProgram('test/sandbox/cli.cts', args);
}

async function runDemo(args) {
	if (!isBuilt()) await step('build', build);
	process.env.SEEDANCE_TARBALL = await pack();
	return await runProgram('test/demo/demo.cts', args);
}

/** A benchmark of `test/bench`, with the packed package in a real n8n. */
async function runBench(name, args) {
	await step('n8n', () => ensureN8n());
	await step('build', build);
	process.env.SEEDANCE_TARBALL = await step('pack', pack);
	return await runProgram(`test/bench/${name}.cts`, args);
}

async function jest(projects, ...args) {
	const { code } = await run(process.execPath, [
		JEST,
		'-c',
		'test/jest.config.cjs',
		'--ci',
		'--selectProjects',
		...projects,
		...args,
	]);
	if (code !== 0) throw new StepError();
}

/** Runs a script of package.json; what it prints is shown only when it fails. */
async function npmRun(script) {
	const [command, ...first] = npmCommand();
	const { code, output } = await run(command, [...first, 'run', script], { quiet: true });
	if (code !== 0) {
		process.stderr.write(output);
		throw new StepError();
	}
}

async function build() {
	rmSync(builtFrom(), { force: true });
	await npmRun('build');
	mkdirSync(CACHE, { recursive: true });
	writeFileSync(builtFrom(), buildHash());
}

/** Whether dist is what the build made of the sources as they are now. */
function isBuilt() {
	return (
		existsSync(join(ROOT, 'dist')) &&
		existsSync(builtFrom()) &&
		readFileSync(builtFrom(), 'utf8') === buildHash()
	);
}

function builtFrom() {
	return join(CACHE, 'built-from');
}

/** Of what the build reads and what it made. */
function buildHash() {
	const hash = createHash('sha256');
	const add = (path) => hash.update(path).update(readFileSync(join(ROOT, path)));
	for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'gulpfile.js'])
		add(name);
	for (const folder of ['nodes', 'credentials', 'icons', 'dist']) {
		for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
			if (entry.isFile())
				add(join((entry.parentPath ?? entry.path).slice(ROOT.length + 1), entry.name));
		}
	}
	return hash.digest('hex');
}

/** The package as it would be published: the path of its tarball. */
async function pack() {
	const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
	mkdirSync(CACHE, { recursive: true });
	const [command, ...first] = npmCommand();
	const { code, output } = await run(
		command,
		[...first, 'pack', '--ignore-scripts', '--pack-destination', CACHE],
		{ quiet: true },
	);
	if (code !== 0) {
		process.stderr.write(output);
		throw new StepError('The package could not be packed.');
	}
	return join(CACHE, `${name}-${version}.tgz`);
}

/** Runs one of this repository's TypeScript programs; gives its exit code. */
async function runProgram(program, args) {
	const { code } = await run(process.execPath, ['--require', 'tsx/cjs', program, ...args], {
		signalsTo: 'program',
	});
	return code;
}

/**
 * Runs a program in the repository's folder to its end.
 *
 * It gets a process group of its own, so that Ctrl-C reaches it once, through us: a terminal and npm would each deliver
 * it, and a program takes the second for "at once, without tidying up".
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ quiet?: boolean, signalsTo?: 'program' | 'group' }} [options] `quiet`: collect what it prints;
 *   `signalsTo`: whether a signal goes to the program alone, which then ends what it started, or to all of them
 * @returns {Promise<{ code: number, output: string }>}
 */
function run(command, args, { quiet = false, signalsTo = 'group' } = {}) {
	const grouped = process.platform !== 'win32';
	return new Promise((done, fail) => {
		const child = spawn(command, args, {
			cwd: ROOT,
			env: environmentForNpm(),
			detached: grouped,
			stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
		});
		let output = '';
		const keep = (chunk) => (output += chunk);
		child.stdout?.on('data', keep);
		child.stderr?.on('data', keep);

		let interrupted;
		let last = 0;
		const forward = (signal) => {
			if (Date.now() - last < SAME_SIGNAL) return;
			last = Date.now();
			interrupted = signal;
			try {
				process.kill(grouped && signalsTo === 'group' ? -child.pid : child.pid, signal);
			} catch {
				// It has just ended by itself.
			}
		};
		const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
		for (const signal of signals) process.on(signal, forward);
		const watch = setInterval(() => npmIsGone() && forward('SIGTERM'), 500);
		const forget = () => {
			clearInterval(watch);
			for (const signal of signals) process.off(signal, forward);
		};

		child.on('error', (error) => {
			forget();
			fail(new StepError(`${command} could not be started (${error.code}).`));
		});
		child.on('close', (exitCode, signal) => {
			forget();
			const code = exitCode ?? 128 + (constants.signals[signal] ?? 0);
			// Nothing follows a Ctrl-C; a program that was asked to end and did so has not failed.
			if (interrupted && signalsTo === 'group') process.exit(128 + constants.signals[interrupted]);
			done({ code, output });
		});
	});
}

const parent = process.ppid;

/** npm passes SIGTERM on to the shell between us, which ends without telling us: we are somebody else's child then. */
function npmIsGone() {
	return process.env.npm_lifecycle_event !== undefined && process.ppid !== parent;
}

/** One step with its name and how long it took. */
async function step(name, work) {
	const started = Date.now();
	say(`\n== ${name}`);
	try {
		const result = await work();
		say(`== ${name}: done in ${seconds(started)}`);
		return result;
	} catch (error) {
		if (!(error instanceof StepError)) throw error;
		throw new StepError(
			`Failed: ${name}, after ${seconds(started)}.${error.message ? ` ${error.message}` : ''}`,
		);
	}
}

function seconds(since) {
	return `${Math.round((Date.now() - since) / 1000)} s`;
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
	await installPackages({
		recipe: ROOT,
		folder: ROOT,
		what: 'the packages for development',
		requiredBytes: REQUIRED_BYTES,
	});
	process.exitCode = (await command(args)) ?? 0;
} catch (error) {
	const expected = [StepError, InstallError, N8nInstallError].some((kind) => error instanceof kind);
	process.stderr.write(`\n${expected ? error.message : error.stack}\n`);
	process.exitCode = 1;
}
