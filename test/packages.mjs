/**
 * Installs the packages of a lock file, whole or not at all. Needs nothing but Node 20 and npm, because it runs before
 * any package is there.
 *
 * The packages are fetched into a folder beside their destination and moved there when all have arrived: whatever ends
 * the installation (Ctrl-C, a full disk, no network), the next run finds what was there before, or nothing.
 */
import { spawn } from 'node:child_process';
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statfsSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const RECIPE = ['package.json', 'package-lock.json', '.npmrc'];
const GIGABYTE = 1024 ** 3;

/** A disk with less than this left counts as full. */
const FULL_BYTES = 20 * 1024 ** 2;

/** How npm says that nobody answered, or that without asking anybody it lacks a package. */
const NETWORK =
	/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;

/** Something that the person at the terminal can act on: shown as one sentence, without a stack. */
export class InstallError extends Error {}

/**
 * Installs what the lock file names, unless exactly that is there already.
 *
 * @param {{ recipe: string, folder: string, what: string, requiredBytes: number }} options
 *   `recipe`: the folder with package.json and package-lock.json; `folder`: gets the `node_modules`, may be the same;
 *   `what`: how the packages are called in messages; `requiredBytes`: free bytes without which nothing begins
 * @returns {Promise<boolean>} whether something had to be installed
 * @throws {InstallError} with one sentence, when it is not possible
 */
export async function installPackages({ recipe, folder, what, requiredBytes }) {
	if (isInstalled(recipe, folder)) return false;
	let stage;
	try {
		mkdirSync(join(folder, '.cache'), { recursive: true });
		removeAbandoned(join(folder, '.cache'));
		stage = mkdtempSync(join(folder, '.cache', `install-${process.pid}-`));
	} catch (error) {
		throw new InstallError(`The folder ${folder} cannot be written to (${error.code}).`);
	}
	const stopCleaning = cleanWhenEnded(stage);
	try {
		const { bavail, bsize } = statfsSync(stage);
		if (bavail * bsize < requiredBytes) {
			const gigabytes = (bytes) => (bytes / GIGABYTE).toFixed(1);
			throw new InstallError(
				`Not enough disk space for ${what}: ${gigabytes(bavail * bsize)} GB are free in ${folder}, ` +
					`${gigabytes(requiredBytes)} GB are needed.`,
			);
		}
		for (const name of RECIPE) {
			if (existsSync(join(recipe, name))) copyFileSync(join(recipe, name), join(stage, name));
		}
		await fetchPackages(stage, what);
		replace(join(stage, 'node_modules'), join(folder, 'node_modules'), join(stage, 'replaced'));
		return true;
	} finally {
		stopCleaning();
		remove(stage);
	}
}

/** npm writes down what it installed as its last step; that has to be what the lock file asks for. */
function isInstalled(recipe, folder) {
	const wanted = readPackages(join(recipe, 'package-lock.json'));
	const present = readPackages(join(folder, 'node_modules', '.package-lock.json'));
	if (!wanted || !present) return false;
	const same = (path) =>
		present[path]?.version === wanted[path]?.version &&
		present[path]?.integrity === wanted[path]?.integrity;
	return (
		Object.keys(present).every(same) &&
		Object.entries(wanted).every(
			([path, { optional, os, cpu }]) => path === '' || optional || os || cpu || same(path),
		)
	);
}

function readPackages(lockFile) {
	try {
		return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
	} catch {
		return undefined;
	}
}

function replace(from, to, aside) {
	try {
		if (existsSync(to)) renameSync(to, aside);
		renameSync(from, to);
	} catch (error) {
		// Another process has put the same packages there in the meantime: theirs are as good.
		if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(error.code)) throw error;
	}
}

/** What a killed process left of its installation. */
function removeAbandoned(cache) {
	for (const name of readdirSync(cache)) {
		const [, pid] = /^install-(\d+)-/.exec(name) ?? [];
		if (pid && !isRunning(Number(pid))) remove(join(cache, name));
	}
	mkdirSync(cache, { recursive: true });
}

function isRunning(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return error.code === 'EPERM';
	}
}

async function fetchPackages(folder, what) {
	const paths = Object.keys(readPackages(join(folder, 'package-lock.json'))).filter(Boolean);
	const started = Date.now();
	process.stderr.write(`Installing ${what} (${paths.length} packages) …\n`);
	let told = started;
	const timer = setInterval(() => {
		const here = paths.filter((path) => existsSync(join(folder, path, 'package.json'))).length;
		const seconds = Math.round((Date.now() - started) / 1000);
		const line = `  ${here} of ${paths.length} packages, ${seconds} s`;
		if (process.stderr.isTTY) process.stderr.write(`\r${line}\u001b[K`);
		else if (Date.now() - told >= 10_000) {
			told = Date.now();
			process.stderr.write(`${line}\n`);
		}
	}, 1_000);
	try {
		const offline = !(await registryAnswers(folder));
		const { code, output } = await runNpm(
			[
				'ci',
				'--ignore-scripts',
				'--include=dev',
				'--loglevel=error',
				offline ? '--offline' : '--prefer-offline',
			],
			folder,
		);
		// On a full disk npm may well say that all is done.
		if (code !== 0 || /\bENOSPC\b/.test(output) || !isInstalled(folder, folder)) {
			throw new InstallError(explanation(output, what, folder));
		}
	} finally {
		clearInterval(timer);
		if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
	}
	process.stderr.write(`Installed ${what} in ${Math.round((Date.now() - started) / 1000)} s.\n`);
}

/**
 * Asks the registry one question, so that a machine without network hears of it in seconds and not in minutes. Without
 * an answer the packages may still be in npm's cache.
 */
async function registryAnswers(folder) {
	const { code, output } = await runNpm(
		[
			'view',
			'n8n-workflow',
			'name',
			'--prefer-online',
			'--fetch-retries=0',
			'--fetch-timeout=20000',
		],
		folder,
	);
	if (code === 0) return true;
	const reason = NETWORK.exec(output)?.[0];
	if (reason)
		process.stderr.write(`The npm registry does not answer (${reason}): trying npm's cache.\n`);
	return !reason;
}

/** npm does not always say so: it may leave files out and tell nothing. */
function isFull(output, folder) {
	const { bavail, bsize } = statfsSync(folder);
	return /\bENOSPC\b/.test(output) || bavail * bsize < FULL_BYTES;
}

function explanation(output, what, folder) {
	if (isFull(output, folder)) {
		return `The disk became full while installing ${what}. Free some space, then run this again.`;
	}
	const [network] = NETWORK.exec(output) ?? [];
	if (network) {
		return (
			`The npm registry does not answer, so ${what} could not be installed. ` +
			"Check the network connection or npm's proxy settings, then run this again."
		);
	}
	const reason = output
		.split('\n')
		.filter((line) => /^npm (error|ERR!) \S/.test(line) && !/complete log/.test(line));
	return `npm could not install ${what}: ${reason.slice(0, 4).join(' ') || 'it gave no reason and did not install all of them.'}`;
}

/**
 * npm as this Node can run it: the one that runs us, or the one beside this Node, or the one on the PATH.
 *
 * @returns {[string, ...string[]]} the program and its first arguments
 */
export function npmCommand() {
	const bin = dirname(process.execPath);
	const script = [
		process.env.npm_execpath ?? '',
		join(bin, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
		join(bin, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
	].find((path) => path.endsWith('npm-cli.js') && existsSync(path));
	return script ? [process.execPath, script] : ['npm'];
}

/**
 * The environment without what `npm run` tells its scripts about the package that it runs them for, and without
 * `NODE_ENV`, with which npm leaves packages out and some lint rules look the other way.
 */
export function environmentForNpm() {
	return Object.fromEntries(
		Object.entries(process.env).filter(
			([name]) =>
				!/^(NODE_ENV$|npm_(package|lifecycle|config_ignore_scripts|config_local_prefix))/i.test(
					name,
				),
		),
	);
}

let npm;

function runNpm(args, cwd) {
	const [command, ...first] = npmCommand();
	return new Promise((done, fail) => {
		npm = spawn(command, [...first, ...args], {
			cwd,
			env: environmentForNpm(),
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		let output = '';
		const keep = (chunk) => (output += chunk);
		npm.stdout.on('data', keep);
		npm.stderr.on('data', keep);
		npm.on('error', ({ code }) =>
			fail(
				new InstallError(
					code === 'ENOENT'
						? 'npm was not found. Install Node together with npm, then run this again.'
						: `npm could not be started (${code}).`,
				),
			),
		);
		npm.on('close', (code) => done({ code, output }));
	});
}

/** Ctrl-C and its like: end npm and take away what has arrived so far. */
function cleanWhenEnded(stage) {
	const clean = (signal) => {
		npm?.kill('SIGKILL');
		process.stderr.write('\nInterrupted: removing what was installed so far …\n');
		remove(stage);
		process.exit(signal === 'SIGINT' ? 130 : 143);
	};
	const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
	for (const signal of signals) process.on(signal, clean);
	return () => {
		for (const signal of signals) process.off(signal, clean);
	};
}

/** Removes the folder, and the one around it when that is empty now. */
function remove(stage) {
	rmSync(stage, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
	const around = dirname(stage);
	if (existsSync(around) && readdirSync(around).length === 0) rmSync(around, { recursive: true });
}
