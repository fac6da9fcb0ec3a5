/**
 * Starts a real n8n server for the end-to-end tests and the demo: on the loopback address, in a folder of its own,
 * without any traffic to the outside, with our packed package installed as users get it.
 *
 *     const n8n = await startN8n({ packages: 'n8n-nodes-seedance-0.1.0.tgz' });
 *     try { … n8n.api.createWorkflow(…) … } finally { await n8n.stop(); }
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import {
	freePort,
	HOST,
	PortInUseError,
	removeFolder,
	ServerProcess,
	type ServerProgram,
} from '../serverProcess.cjs';
import { N8nClient, type Login } from './client.cjs';

export * from './client.cjs';
export { freePort, isPortFree, PortInUseError } from '../serverProcess.cjs';

/** The n8n that is started unless another one is asked for. */
export const DEFAULT_N8N_VERSION = '2.41.1';

/** The owner account of every server that we set up. */
export const LOGIN: Login = { email: 'demo@seedance.example', password: 'Seedance-demo-1' };

/** Where an installed n8n is; made by `install.mjs`. */
export interface Installation {
	version: string;
	folder: string;
	/** The Node that runs it. */
	node: string;
	/** The script that starts it. */
	entry: string;
}

export interface StartOptions {
	/** A folder name beside this file; by default `DEFAULT_N8N_VERSION`. */
	version?: string;
	/** n8n's user folder. Given: it is kept, with its database. By default a new one that `stop()` removes. */
	userFolder?: string;
	/** Paths of packed packages (`npm pack`) to install as community nodes, in place of those that are there. */
	packages?: string | string[];
	/** A folder of unpacked nodes, which n8n names `CUSTOM.<node>`. */
	customExtensions?: string;
	/** More environment variables, or other values for ours. */
	env?: Record<string, string>;
	/** The editor's port; by default a free one. */
	port?: number;
	/** Aborts the start; the server is ended. */
	signal?: AbortSignal;
}

export interface N8nServer {
	/** Of the editor and the webhooks, e.g. `http://127.0.0.1:41234`. */
	readonly baseUrl: string;
	readonly restUrl: string;
	readonly port: number;
	readonly version: string;
	readonly userFolder: string;
	/** The owner account, for people who open the editor. */
	readonly login: Login;
	/** Everything n8n has printed, in a file. */
	readonly logFile: string;
	/** A session signed in as the owner. */
	readonly api: N8nClient;
	/** Of the running n8n; undefined while it does not run. */
	readonly pid: number | undefined;
	/** What n8n has printed since it was first started. */
	log(): string;
	/** Ends n8n as an operator does; kills it when it does not end. Removes its user folder if nobody gave one. */
	stop(): Promise<void>;
	/** Ends n8n as a power cut does. Its folder stays; `start()` goes on from there. */
	kill9(): Promise<void>;
	/** Starts n8n again after `kill9()`, on the same port and folder, and waits until it is ready. */
	start(): Promise<void>;
	/** Ends n8n in order and starts it again. */
	restart(): Promise<void>;
	/** Resolves when n8n has ended, for whatever reason. */
	ended(): Promise<void>;
}

/** n8n could not be installed. The message is a sentence that has been shown on stderr already. */
export class InstallationError extends Error {}

/**
 * Installs n8n where it is missing, with progress on stderr.
 *
 * @param signal aborts the installation; nothing of it stays
 * @throws InstallationError when it fails
 */
export async function ensureN8n(
	version = DEFAULT_N8N_VERSION,
	signal?: AbortSignal,
): Promise<Installation> {
	const installer = join(__dirname, 'install.mjs');
	const child = spawn(process.execPath, [installer, '--version', version], {
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let out = '';
	let lastWords = '';
	child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
	child.stderr.on('data', (chunk: Buffer) => {
		process.stderr.write(chunk);
		lastWords = chunk.toString();
	});
	const onAbort = () => child.kill('SIGTERM');
	signal?.addEventListener('abort', onAbort);
	const code = await new Promise<number | null>((done, fail) => {
		child.once('error', fail);
		child.once('close', done);
	});
	signal?.removeEventListener('abort', onAbort);
	if (code !== 0) {
		throw new InstallationError(lastWords.trim() || `The installation ended with code ${code}.`);
	}
	const installation: unknown = JSON.parse(out.trim().split('\n').at(-1) ?? '');
	if (!isInstallation(installation)) throw new Error('The installer gave no installation.');
	return installation;
}

/**
 * Starts n8n and resolves when it is ready and the owner is signed in.
 *
 * @throws PortInUseError when the given port is taken; otherwise Error with the end of n8n's log
 */
export async function startN8n(options: StartOptions = {}): Promise<N8nServer> {
	const installation = await ensureN8n(options.version, options.signal);
	const ownFolder = options.userFolder === undefined;
	const userFolder = ownFolder
		? mkdtempSync(join(tmpdir(), 'n8n-seedance-'))
		: resolve(options.userFolder ?? '');
	try {
		mkdirSync(join(userFolder, '.n8n'), { recursive: true });
		if (options.packages !== undefined) {
			await installPackages([options.packages].flat(), userFolder);
		}
		return await RunningN8n.launch(installation, userFolder, ownFolder, options);
	} catch (error) {
		if (ownFolder) await removeFolder(userFolder);
		throw error;
	}
}

/**
 * Installs packed packages where n8n keeps its community nodes, with the same npm options as n8n's own installation.
 * What was installed there before is replaced.
 */
export async function installPackages(tarballs: string[], userFolder: string): Promise<void> {
	const nodes = join(userFolder, '.n8n', 'nodes');
	mkdirSync(nodes, { recursive: true });
	await rm(join(nodes, 'node_modules'), { recursive: true, force: true });
	const writeManifest = async (dependencies: Record<string, string>) =>
		await writeFile(
			join(nodes, 'package.json'),
			JSON.stringify({ name: 'installed-nodes', private: true, dependencies }, null, 2),
		);
	await writeManifest({});
	await npm(
		[
			'install',
			...tarballs.map((tarball) => resolve(tarball)),
			'--no-save',
			'--package-lock=false',
			'--ignore-scripts=true',
			'--bin-links=false',
			'--install-strategy=shallow',
			// n8n brings the peer n8n-workflow itself, and the package depends on nothing else.
			'--legacy-peer-deps',
			'--offline',
			'--audit=false',
			'--fund=false',
		],
		nodes,
	);
	const { stdout } = await npm(['ls', '--json', '--depth=0'], nodes);
	await writeManifest(versionsOf(JSON.parse(stdout)));
}

/**
 * Runs npm to its end and gives what it printed.
 *
 * @throws Error with the last lines of npm's complaint
 */
export async function npm(
	args: string[],
	cwd: string,
): Promise<{ stdout: string; stderr: string }> {
	const script = process.env.npm_execpath;
	const [command, first] =
		script?.endsWith('npm-cli.js') === true ? [process.execPath, [script]] : ['npm', []];
	try {
		return await promisify(execFile)(command, [...first, ...args], {
			cwd,
			maxBuffer: 64 * 1024 * 1024,
			env: { ...process.env, npm_config_loglevel: 'error' },
		});
	} catch (error) {
		const output = isRecord(error) ? `${error.stdout ?? ''}\n${error.stderr ?? ''}`.trim() : '';
		if (args[0] === 'ls' && isRecord(error) && typeof error.stdout === 'string') {
			// It complains about everything that package.json does not name, and lists it all the same.
			return { stdout: error.stdout, stderr: '' };
		}
		throw new Error(`npm ${args[0]} failed.\n${output.split('\n').slice(-15).join('\n')}`);
	}
}

/** What n8n can be started as, and what it prints when it is ready. */
const READY = {
	start: 'Editor is now accessible',
	worker: 'n8n worker is now ready',
	webhook: 'Webhook listener waiting for requests',
} as const;

export type N8nRole = keyof typeof READY;

/**
 * An n8n process that has not been started yet.
 *
 * @param options.userFolder exists, and holds the packages that it loads
 * @param options.env more environment variables, or other values for ours
 */
export function n8nProcess({
	installation: { version, folder, node, entry },
	role = 'start',
	userFolder,
	port,
	env,
	...more
}: {
	installation: Installation;
	role?: N8nRole;
	userFolder: string;
	port: number;
	env?: Record<string, string>;
} & Partial<Pick<ServerProgram, 'name' | 'logFile' | 'signal' | 'onSpawn'>>): ServerProcess {
	return new ServerProcess({
		name: 'n8n',
		command: node,
		args: ['--require', join(__dirname, 'end-with-parent.cjs'), entry, role],
		cwd: userFolder,
		env: async () => ({
			...inheritedEnvironment(dirname(node)),
			N8N_USER_FOLDER: userFolder,
			N8N_ENCRYPTION_KEY: await encryptionKey(userFolder),
			N8N_HOST: HOST,
			N8N_LISTEN_ADDRESS: HOST,
			N8N_PORT: String(port),
			N8N_RUNNERS_BROKER_LISTEN_ADDRESS: HOST,
			N8N_RUNNERS_BROKER_PORT: String(await freePort()),
			N8N_SECURE_COOKIE: 'false',
			N8N_LOG_LEVEL: 'info',
			NO_COLOR: '1',
			...QUIET,
			// Without it, n8n 1 saves that an execution has ended before it saves with what.
			...(version.startsWith('1.') && { DB_SQLITE_POOL_SIZE: '3' }),
			N8N_DISABLED_MODULES: TALKATIVE_MODULES.filter((name) => hasModule(folder, name)).join(','),
			...env,
		}),
		port,
		ready: READY[role],
		logFile: join(userFolder, 'n8n.log'),
		...more,
	});
}

/**
 * The key in a user folder, made where there is none: credentials that were saved with it must stay readable, for the
 * life of the folder.
 */
export async function encryptionKey(userFolder: string): Promise<string> {
	const file = join(userFolder, 'encryption.key');
	if (!existsSync(file)) {
		await writeFile(file, randomBytes(24).toString('hex'), { mode: 0o600 });
	}
	return readFileSync(file, 'utf8');
}

class RunningN8n implements N8nServer {
	readonly baseUrl: string;

	readonly restUrl: string;

	readonly login = LOGIN;

	readonly api: N8nClient;

	private constructor(
		private readonly server: ServerProcess,
		readonly version: string,
		readonly userFolder: string,
		private readonly ownFolder: boolean,
		readonly logFile: string,
	) {
		this.baseUrl = server.baseUrl;
		this.restUrl = `${this.baseUrl}/rest`;
		this.api = new N8nClient(this.baseUrl);
	}

	static async launch(
		installation: Installation,
		userFolder: string,
		ownFolder: boolean,
		{ port: wanted, customExtensions, env, signal }: StartOptions,
	): Promise<RunningN8n> {
		const logFile = join(userFolder, 'n8n.log');
		// A kept folder holds the words of earlier servers.
		await rm(logFile, { force: true });
		for (let attempt = 1; ; attempt++) {
			const server = n8nProcess({
				installation,
				userFolder,
				port: wanted ?? (await freePort()),
				env: {
					...(customExtensions !== undefined && {
						N8N_CUSTOM_EXTENSIONS: resolve(customExtensions),
					}),
					...env,
				},
				logFile,
				signal,
			});
			const { version } = installation;
			const n8n = new RunningN8n(server, version, userFolder, ownFolder, logFile);
			try {
				await n8n.start();
				await n8n.api.signIn(LOGIN);
				return n8n;
			} catch (error) {
				await n8n.kill9();
				// Between finding a free port and using it, another program may have taken it.
				if (!(error instanceof PortInUseError) || wanted !== undefined || attempt === 3) {
					throw error;
				}
			}
		}
	}

	get port(): number {
		return this.server.port;
	}

	get pid(): number | undefined {
		return this.server.pid;
	}

	log(): string {
		return this.server.log();
	}

	async start(): Promise<void> {
		await this.server.start();
	}

	async stop(): Promise<void> {
		await this.server.stop();
		if (this.ownFolder) await removeFolder(this.userFolder);
	}

	async kill9(): Promise<void> {
		await this.server.kill9();
	}

	async restart(): Promise<void> {
		await this.server.stop();
		await this.server.start();
	}

	async ended(): Promise<void> {
		await this.server.ended();
	}
}

/** Everything with which n8n would talk to the outside or show banners, turned off. */
const QUIET = {
	N8N_DIAGNOSTICS_ENABLED: 'false',
	N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
	N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED: 'false',
	N8N_DYNAMIC_BANNERS_ENABLED: 'false',
	N8N_HIRING_BANNER_ENABLED: 'false',
	N8N_TEMPLATES_ENABLED: 'false',
	N8N_PERSONALIZATION_ENABLED: 'false',
	N8N_VERIFIED_PACKAGES_ENABLED: 'false',
	N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
	N8N_REINSTALL_MISSING_PACKAGES: 'false',
	N8N_LICENSE_AUTO_RENEW_ENABLED: 'false',
	N8N_AI_ENABLED: 'false',
	N8N_MCP_COMMUNITY_NODE_DISCOVERY_ENABLED: 'false',
};

/** Parts of n8n that would talk to the outside as well; not every version has them, or starts when one is named in vain. */
const TALKATIVE_MODULES = ['mcp-registry', 'source-control'];

function hasModule(installed: string, name: string): boolean {
	const modules = join(installed, 'node_modules', 'n8n', 'dist', 'modules');
	return [name, `${name}.ee`].some((one) => existsSync(join(modules, one)));
}

/**
 * What n8n needs of our environment. No more: a test runner's NODE_ENV or a shell's N8N_… and proxy variables would
 * make it another n8n.
 */
function inheritedEnvironment(nodeFolder: string): NodeJS.ProcessEnv {
	const names = ['HOME', 'USERPROFILE', 'LANG', 'LC_ALL', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot'];
	const inherited = names.flatMap((name) => {
		const value = process.env[name];
		return value === undefined ? [] : [[name, value]];
	});
	// n8n starts its task runners with the `node` it finds first.
	const separator = process.platform === 'win32' ? ';' : ':';
	return {
		...Object.fromEntries(inherited),
		PATH: [nodeFolder, process.env.PATH ?? ''].join(separator),
	};
}

/** Names and versions out of `npm ls --json`. */
function versionsOf(tree: unknown): Record<string, string> {
	const { dependencies } = isRecord(tree) ? tree : { dependencies: undefined };
	const versions: Record<string, string> = {};
	for (const [name, entry] of Object.entries(isRecord(dependencies) ? dependencies : {})) {
		if (isRecord(entry) && typeof entry.version === 'string') versions[name] = entry.version;
	}
	return versions;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isInstallation(value: unknown): value is Installation {
	return (
		isRecord(value) &&
		[value.version, value.folder, value.node, value.entry].every((part) => typeof part === 'string')
	);
}
