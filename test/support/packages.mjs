/**
 * Installs the packages of a lock file with npm, whole or not at all: this project's own, n8n, and n8n's gate. Plain
 * Node where it has to work before any package is there.
 *
 * The packages arrive in a folder of their own, which is moved to its place when all of them are there. Whatever ends
 * the installation (Ctrl-C, a full disk, no network, SIGKILL), the place holds what it held before.
 */
import { createHash } from 'node:crypto';
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statfsSync,
	writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { npm } from './process.mjs';

const GIGABYTE = 1024 ** 3;

/** A disk with less than this left counts as full. */
const FULL_BYTES = 20 * 1024 ** 2;

const CI = [
	...['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
	// npm's own patience with a network that is not there is many minutes.
	...['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-timeout=60000'],
];

/** How npm says that the registry does not respond, or that without it a package is missing. */
const NO_NETWORK =
	/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;

/** How old (milliseconds) a lock may get that its holder does not renew, for instance because it was killed. */
const STALE_LOCK = 60_000;

/** Something that the person at the terminal can act on: shown as one sentence, without a stack. */
export class InstallError extends Error {}

/**
 * Makes sure that `node_modules` of a folder holds what its lock file names; with `only`, these packages and what they need.
 * Throws InstallError with one sentence when it cannot. `what`: the packages as messages call them; `gigabytes`: free space
 * without which nothing begins.
 */
export async function ensurePackages(folder, { what, gigabytes, only }) {
	const { manifest, lock } = recipeIn(folder);
	if (isInstalled(lock, folder, only)) return;
	const names = only ?? Object.keys(manifest.devDependencies);
	const devDependencies = Object.fromEntries(
		names.map((name) => [name, manifest.devDependencies[name]]),
	);
	// npm leaves out of the lock file what nothing in package.json needs.
	const packages = { ...lock.packages, '': { devDependencies } };
	const recipe = { manifest: { devDependencies }, lock: { ...lock, packages } };
	const target = join(folder, 'node_modules');
	await install(join(folder, '.cache', 'packages'), { recipe, what, gigabytes, only }, (stage) => {
		if (existsSync(target)) renameSync(target, join(stage, 'replaced'));
		renameSync(join(stage, 'node_modules'), target);
	});
}

/**
 * Makes sure that packages are installed in the user's cache folder, under a name that changes with their lock file; gives
 * the folder. Only one process installs them; others wait for it. `recipe`: the folder with package.json and the lock file;
 * `finish`: does what else belongs to a complete installation.
 */
export async function installOnce(name, { recipe: recipeFolder, what, gigabytes, finish }) {
	const recipe = recipeIn(recipeFolder);
	const lockFile = readFileSync(join(recipeFolder, 'package-lock.json'));
	const hash = createHash('sha256').update(lockFile).digest('hex').slice(0, 12);
	const folder = join(cacheRoot(), `${name}-${hash}`);
	const isComplete = () => existsSync(join(folder, '.complete'));
	if (isComplete()) return folder;

	makeFolder(cacheRoot());
	const { default: lockfile } = await import('proper-lockfile');
	const options = { lockfilePath: `${folder}.lock`, realpath: false, stale: STALE_LOCK };
	if (await lockfile.check(folder, options)) {
		say(`Another process is installing ${what}: waiting for it.`);
	}
	const retries = { forever: true, minTimeout: 1_000, maxTimeout: 1_000 };
	const unlock = await lockfile.lock(folder, { ...options, retries });
	try {
		if (isComplete()) return folder;
		await install(folder, { recipe, what, gigabytes }, async (stage) => {
			await finish?.(stage);
			writeFileSync(join(stage, '.complete'), '');
			remove(folder);
			renameSync(stage, folder);
		});
		return folder;
	} finally {
		await unlock();
	}
}

/** Where n8n and its gate are installed: SEEDANCE_N8N_CACHE, or a folder in the user's cache folder. */
export function cacheRoot() {
	const { SEEDANCE_N8N_CACHE, XDG_CACHE_HOME } = process.env;
	if (SEEDANCE_N8N_CACHE) return resolve(SEEDANCE_N8N_CACHE);
	return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'n8n-nodes-seedance');
}

/** Installs into a folder beside `place`; `finish` moves it from there. */
async function install(place, { recipe, what, gigabytes, only }, finish) {
	makeFolder(dirname(place));
	removeAbandoned(place);
	const stage = `${place}.partial-${process.pid}`;
	makeFolder(stage);
	try {
		const free = freeBytes(stage) / GIGABYTE;
		if (free < gigabytes) {
			throw new InstallError(
				`Not enough disk space for ${what}: ${free.toFixed(1)} GB are free in ${dirname(place)}, ${gigabytes.toFixed(1)} GB are needed.`,
			);
		}
		writeFileSync(join(stage, 'package.json'), JSON.stringify(recipe.manifest));
		writeFileSync(join(stage, 'package-lock.json'), JSON.stringify(recipe.lock));
		const started = Date.now();
		await fetchPackages(stage, { lock: recipe.lock, what, only });
		await finish(stage);
		say(`Installed ${what} in ${secondsSince(started)} s.`);
	} finally {
		remove(stage);
	}
}

async function fetchPackages(folder, { lock, what, only }) {
	say(`Installing ${what} …`);
	const started = Date.now();
	const full = new AbortController();
	const timer = setInterval(() => {
		// npm goes on for minutes on a full disk, one failing package after the other.
		if (freeBytes(folder) < FULL_BYTES) full.abort();
		if (secondsSince(started) % 10 === 0) say(`  ${secondsSince(started)} s`);
	}, 1_000);
	try {
		const options = { disposable: true, killed: full.signal };
		// Without network, the packages may still be in npm's cache. One question finds that out at once.
		const ping = await npm(['ping', '--fetch-retries=0', '--fetch-timeout=20000'], folder, options);
		const source = NO_NETWORK.test(ping.output) ? '--offline' : '--prefer-offline';
		const { code, output } = await npm([...CI, source], folder, options);
		// On a full disk npm may leave files out and say that all is done.
		if (full.signal.aborted || /\bENOSPC\b/.test(output)) {
			throw new InstallError(
				`The disk became full while installing ${what}. Free some space, then run this again.`,
			);
		}
		if (code !== 0 || !isInstalled(lock, folder, only)) throw failureOf(output, what);
	} catch (error) {
		if (error.code !== 'ENOENT') throw error;
		throw new InstallError('npm was not found. Install Node together with npm.');
	} finally {
		clearInterval(timer);
	}
}

function failureOf(output, what) {
	if (NO_NETWORK.test(output)) {
		return new InstallError(
			`The npm registry does not respond, so ${what} could not be installed. Check the network connection or npm's proxy settings, then run this again.`,
		);
	}
	const lines = output.split('\n').filter((line) => /^npm error \S/.test(line));
	return new InstallError(
		`npm could not install ${what}: ${lines.slice(0, 4).join(' ') || 'it did not say why.'}`,
	);
}

/** npm writes down what it has installed as its last step; that has to be what the lock file asks for. */
function isInstalled({ packages: wanted }, folder, only) {
	const path = join(folder, 'node_modules', '.package-lock.json');
	const present = existsSync(path) ? readJson(path).packages : {};
	const isSame = (name) =>
		present[name]?.version === wanted[name]?.version &&
		present[name]?.integrity === wanted[name]?.integrity;
	const needed = only
		? only.map((name) => `node_modules/${name}`)
		: Object.keys(wanted).filter((name) => {
				// npm leaves out what its own lock file calls extraneous.
				const { optional, extraneous, os, cpu } = wanted[name];
				return name && !optional && !extraneous && !os && !cpu;
			});
	return [...Object.keys(present), ...needed].every(isSame);
}

function recipeIn(folder) {
	return {
		manifest: readJson(join(folder, 'package.json')),
		lock: readJson(join(folder, 'package-lock.json')),
	};
}

/** What killed processes have left of their installations. */
function removeAbandoned(place) {
	for (const name of readdirSync(dirname(place))) {
		const [, path, pid] = /^(.+)\.partial-(\d+)$/.exec(name) ?? [];
		if (path === basename(place) && !isRunning(Number(pid))) remove(join(dirname(place), name));
	}
}

function isRunning(pid) {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		return error.code === 'EPERM';
	}
}

function makeFolder(path) {
	try {
		mkdirSync(path, { recursive: true });
	} catch (error) {
		throw new InstallError(`The folder ${path} cannot be made (${error.code}).`);
	}
}

function remove(path) {
	rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

function freeBytes(path) {
	const { bavail, bsize } = statfsSync(path);
	return bavail * bsize;
}

function readJson(path) {
	return JSON.parse(readFileSync(path, 'utf8'));
}

function secondsSince(started) {
	return Math.round((Date.now() - started) / 1000);
}

function say(text) {
	process.stderr.write(`${text}\n`);
}
