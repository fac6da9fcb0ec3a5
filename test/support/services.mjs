/**
 * Finds the servers that n8n's queue mode needs beside n8n, Redis and PostgreSQL, and installs them where it can.
 *
 *     node test/support/services.mjs
 *
 * They are only programs here: whoever needs them starts them on ports and in folders of its own. Progress goes to
 * stderr; the last thing on stdout is one line of JSON that says where they are. Needs nothing but Node 20.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InstallError } from '../packages.mjs';

/** Debian keeps PostgreSQL's programs here, off the PATH, in one folder for each version. */
const DEBIAN_POSTGRES = '/usr/lib/postgresql';

/** Debian's packages ask this program whether they may start their service; where it is missing they may. */
const START_POLICY = '/usr/sbin/policy-rc.d';

/** Debian's package for each of the servers. */
const DEBIAN_PACKAGES = { redis: 'redis-server', postgres: 'postgresql' };

/**
 * Makes sure that the servers are installed and says where they are. As root on Debian it installs the missing ones,
 * without starting the services that come with their packages.
 *
 * @returns {Promise<{ redis: string, postgres: { server: string, initdb: string } }>} the programs' paths
 * @throws {InstallError} with one sentence, when one is missing and cannot be installed
 */
export async function ensureServices() {
	const found = findServices();
	const missing = Object.keys(DEBIAN_PACKAGES).filter((name) => !found[name]);
	if (missing.length === 0) return found;

	const packages = missing.map((name) => DEBIAN_PACKAGES[name]);
	if (process.getuid?.() !== 0 || !onPath('apt-get')) {
		throw new InstallError(
			`Tests of n8n's queue mode need Redis and PostgreSQL; missing here: ${packages.join(' and ')}. ` +
				"Install what is missing (only root on a Debian system can leave that to this command), so that `redis-server` and PostgreSQL's `initdb` and `postgres` are on the PATH, then run this again.",
		);
	}
	await install(packages);
	const installed = findServices();
	const still = Object.keys(DEBIAN_PACKAGES).filter((name) => !installed[name]);
	if (still.length === 0) return installed;
	throw new InstallError(`${still.join(' and ')} cannot be found although apt-get installed it.`);
}

/** Undefined for what is not there. */
function findServices() {
	return { redis: onPath('redis-server'), postgres: findPostgres() };
}

/** Both programs come from the same folder: they have to be of one version. */
function findPostgres() {
	const folders = [...pathFolders(), ...debianFolders()];
	const folder = folders.find((path) => ['initdb', 'postgres'].every((name) => runs(path, name)));
	return folder && { server: join(folder, 'postgres'), initdb: join(folder, 'initdb') };
}

/** Newest version first. */
function debianFolders() {
	if (!existsSync(DEBIAN_POSTGRES)) return [];
	return readdirSync(DEBIAN_POSTGRES)
		.sort((one, other) => Number(other) - Number(one))
		.map((version) => join(DEBIAN_POSTGRES, version, 'bin'));
}

function onPath(program) {
	const folder = pathFolders().find((path) => runs(path, program));
	return folder && join(folder, program);
}

function pathFolders() {
	return (process.env.PATH ?? '').split(delimiter).filter(Boolean);
}

function runs(folder, program) {
	try {
		accessSync(join(folder, program), constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

async function install(packages) {
	say(`Installing Debian's ${packages.join(' and ')} …`);
	const started = Date.now();
	const allowServices = forbidServices();
	const endNow = endLater();
	try {
		await aptGet(['update']);
		await aptGet(['install', '--yes', '--no-install-recommends', ...packages]);
	} finally {
		allowServices();
		endNow();
	}
	say(`Installed in ${Math.round((Date.now() - started) / 1000)} s.`);
}

/**
 * Until the returned function is called, the packages do not start their services. Where the machine has a rule of its
 * own for that, as Debian's container images do, it is left alone.
 */
function forbidServices() {
	if (existsSync(START_POLICY)) return () => undefined;
	writeFileSync(START_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
	return () => rmSync(START_POLICY, { force: true });
}

/**
 * Ctrl-C does not end us before the returned function is called: a half installed package would have to be repaired by
 * hand, and the services would stay forbidden.
 */
function endLater() {
	let interrupted;
	const note = (signal) => {
		if (!interrupted) say('\nInterrupted: waiting for apt-get to finish …');
		interrupted = signal;
	};
	const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
	for (const signal of signals) process.on(signal, note);
	return () => {
		for (const signal of signals) process.off(signal, note);
		if (interrupted) process.kill(process.pid, interrupted);
	};
}

/** Runs apt-get to its end; what it prints is shown only when it fails. */
async function aptGet(args) {
	// In a group of its own: Ctrl-C at the terminal comes to us alone.
	const child = spawn('apt-get', ['--quiet', '-o', 'DPkg::Lock::Timeout=120', ...args], {
		env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
		detached: true,
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let output = '';
	const keep = (chunk) => (output += chunk);
	child.stdout.on('data', keep);
	child.stderr.on('data', keep);
	const code = await new Promise((done, fail) => {
		child.once('error', fail);
		child.once('close', done);
	});
	if (code === 0) return;
	const reason = output.split('\n').filter((line) => /^(E|Err|W):? /.test(line));
	throw new InstallError(
		`\`apt-get ${args.join(' ')}\` failed: ${reason.slice(0, 3).join(' ') || `code ${code}`}`,
	);
}

function say(text) {
	process.stderr.write(`${text}\n`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	try {
		process.stdout.write(`${JSON.stringify(await ensureServices())}\n`);
	} catch (error) {
		say(error instanceof InstallError ? error.message : String(error?.stack ?? error));
		process.exitCode = 1;
	}
}
