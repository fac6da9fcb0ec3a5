/**
 * Runs programs, npm among them. Plain Node, because it works before any package is installed.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The second of two signals within this time (milliseconds) is the same Ctrl-C: npm passes on what the terminal sent. */
const SAME_SIGNAL = 1_000;

/** Ctrl-C, or a signal that means the same, while a program ran. */
export class Interrupted extends Error {
	/** @param {string} signal @param {number} programCode what the program itself ended with */
	constructor(signal, programCode) {
		super('Interrupted.');
		this.code = 128 + constants.signals[signal];
		this.programCode = programCode;
	}
}

/**
 * Runs a program to its end.
 *
 * It gets a process group of its own, so that Ctrl-C reaches it once, through us: a terminal and npm would each deliver
 * it, and a program takes the second for "at once, without tidying up".
 *
 * `quiet` collects what it prints instead of showing it; `signalsTo: 'program'` signals it alone, because it ends what it has
 * started; `disposable`: nothing of its work is kept when a signal comes, so it is killed; `killed` kills it and what it has
 * started. Throws Interrupted when a signal has come meanwhile.
 */
export async function run(
	command,
	args,
	{ cwd, env = environment(), quiet = false, signalsTo = 'group', disposable = false, killed },
) {
	const hasGroup = process.platform !== 'win32';
	const child = spawn(command, args, {
		cwd,
		env,
		detached: hasGroup,
		stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
	});
	const send = (signal, to) => {
		try {
			process.kill(hasGroup && to === 'group' ? -child.pid : child.pid, signal);
		} catch {
			// It has just ended by itself.
		}
	};
	let interruption;
	let last = 0;
	const forward = (signal) => {
		if (Date.now() - last < SAME_SIGNAL) return;
		last = Date.now();
		interruption = signal;
		send(disposable ? 'SIGKILL' : signal, signalsTo);
	};
	const kill = () => send('SIGKILL', 'group');
	for (const signal of SIGNALS) process.on(signal, forward);
	killed?.addEventListener('abort', kill);
	const parent = process.ppid;
	// npm passes SIGTERM on to the shell between us, which ends without a word: then we are somebody else's child.
	const watch = setInterval(() => {
		if (process.env.npm_lifecycle_event === undefined || process.ppid === parent) return;
		clearInterval(watch);
		forward('SIGTERM');
	}, 500);
	let output = '';
	for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part) => (output += part));
	try {
		const code = await new Promise((done, fail) => {
			child.once('error', fail);
			child.once('close', (exitCode, signal) => done(exitCode ?? 128 + constants.signals[signal]));
		});
		if (interruption) throw new Interrupted(interruption, code);
		return { code, output };
	} finally {
		clearInterval(watch);
		for (const signal of SIGNALS) process.off(signal, forward);
		killed?.removeEventListener('abort', kill);
	}
}

/** Runs npm in a folder and collects what it prints: the npm that runs us, or the one beside this Node, or any. */
export async function npm(args, cwd, { env = {}, ...options } = {}) {
	const bin = dirname(process.execPath);
	const script = [
		process.env.npm_execpath ?? '',
		join(bin, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
		join(bin, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
	].find((path) => path.endsWith('npm-cli.js') && existsSync(path));
	const [command, ...first] = script ? [process.execPath, script] : ['npm'];
	return await run(command, [...first, ...args], {
		cwd,
		quiet: true,
		env: { ...environment(), ...env },
		...options,
	});
}

/**
 * Our environment without what `npm run` adds about the package that it runs them for, and without
 * `NODE_ENV`, with which npm leaves packages out and some lint rules are silent.
 */
function environment() {
	const ofNpm = /^(NODE_ENV$|npm_(package|lifecycle|config_ignore_scripts|config_local_prefix))/i;
	return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofNpm.test(name)));
}
