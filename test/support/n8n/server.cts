/**
 * Starts a real n8n server for the end-to-end tests and the demo: on the loopback address, in a folder of its own,
 * without any traffic to the outside, with our packed package installed as users get it.
 *
 *     const n8n = await startN8n({ packages: 'n8n-nodes-seedance-0.2.0.tgz' });
 *     try { … n8n.api.createWorkflow(…) … } finally { await n8n.stop(); }
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import {
	freePort,
	HOST,
	PortInUseError,
	ServerProcess,
	type ServerProgram,
} from '../serverProcess.cjs';
import { N8nClient } from './client.cjs';

export * from './client.cjs';
export { isPortFree, PortInUseError } from '../serverProcess.cjs';

/** The n8n that is started unless another one is asked for. */
export const DEFAULT_N8N_VERSION = '2.41.1';

/** The owner account of every server that we set up. */
export const LOGIN = { email: 'demo@seedance.example', password: 'Seedance-demo-1' };

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

/** Something could not be installed. The message is a sentence that has been shown on stderr already. */
export class InstallationError extends Error {}

const execute = promisify(execFile);
const MAX_BUFFER = 64 * 1024 * 1024;

/** Installs n8n where it is missing, with progress on stderr. The signal ends that; nothing of it stays. */
export async function ensureN8n(
	version = DEFAULT_N8N_VERSION,
	signal?: AbortSignal,
): Promise<Installation> {
	return await runScript(join(__dirname, 'install.mjs'), ['--version', version], signal);
}

/** Runs one of our `.mjs` scripts, which jest cannot import; gives the JSON that it prints last. */
export async function runScript<T>(
	script: string,
	args: string[] = [],
	signal?: AbortSignal,
): Promise<T> {
	const running = execute(process.execPath, [script, ...args], { signal, maxBuffer: MAX_BUFFER });
	running.child.stderr?.pipe(process.stderr);
	try {
		const { stdout } = await running;
		return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
	} catch (error) {
		const sentence = String(Object(error).stderr).trim().split('\n').at(-1);
		throw new InstallationError(sentence || 'The installation did not succeed.');
	}
}

/**
 * Starts n8n and resolves when it is ready and the owner is signed in.
 *
 * @throws PortInUseError when the given port is taken; otherwise Error with the end of n8n's log
 */
export async function startN8n(options: StartOptions = {}): Promise<N8nServer> {
	const installation = await ensureN8n(options.version, options.signal);
	const ownFolder = options.userFolder ? undefined : mkdtempSync(join(tmpdir(), 'n8n-seedance-'));
	const userFolder = ownFolder ?? resolve(options.userFolder ?? '');
	try {
		mkdirSync(join(userFolder, '.n8n'), { recursive: true });
		if (options.packages !== undefined) {
			await installPackages([options.packages].flat(), userFolder);
		}
		// A kept folder holds the words of earlier servers.
		await rm(logFileIn(userFolder), { force: true });
		for (let attempt = 1; ; attempt++) {
			const port = options.port ?? (await freePort());
			const n8n = new N8nServer(installation, userFolder, port, options);
			try {
				await n8n.start();
				return n8n;
			} catch (error) {
				await n8n.kill9();
				// Between finding a free port and using it, another program may have taken it.
				const isOurPort = error instanceof PortInUseError && options.port === undefined;
				if (!isOurPort || attempt === 3) throw error;
			}
		}
	} catch (error) {
		if (ownFolder) await removeFolder(ownFolder);
		throw error;
	}
}

/** An n8n with its editor. `start()` also signs the owner in, after `kill9()` too: port and folder stay the same. */
export class N8nServer extends ServerProcess {
	/** The owner account, for people who open the editor. */
	readonly login = LOGIN;

	/** A session signed in as the owner. */
	readonly api: N8nClient;
	readonly version: string;

	constructor(
		installation: Installation,
		readonly userFolder: string,
		port: number,
		private readonly options: StartOptions,
	) {
		const { customExtensions, env, signal } = options;
		const folder = customExtensions && { N8N_CUSTOM_EXTENSIONS: resolve(customExtensions) };
		super(n8nProgram({ installation, userFolder, port, env: { ...folder, ...env }, signal }));
		this.api = new N8nClient(this.baseUrl);
		this.version = installation.version;
	}

	/** Where n8n's output goes. */
	get logFile(): string {
		return logFileIn(this.userFolder);
	}

	override async start(): Promise<void> {
		await super.start();
		await this.api.signIn(LOGIN);
	}

	/** Ends n8n as an operator does. Removes its user folder, unless one was given. */
	override async stop(): Promise<void> {
		await super.stop();
		if (this.options.userFolder === undefined) await removeFolder(this.userFolder);
	}

	/** Ends n8n in order and starts it again. */
	async restart(): Promise<void> {
		await super.stop();
		await this.start();
	}
}

/**
 * Installs packed packages where n8n keeps its community nodes, with the same npm options as n8n's own installation.
 * What was installed there before is replaced.
 */
export async function installPackages(tarballs: string[], userFolder: string): Promise<void> {
	const nodes = join(userFolder, '.n8n', 'nodes');
	const modules = join(nodes, 'node_modules');
	await rm(modules, { recursive: true, force: true });
	mkdirSync(nodes, { recursive: true });
	const writeManifest = async (dependencies: object) => {
		const manifest = { name: 'installed-nodes', private: true, dependencies };
		await writeFile(join(nodes, 'package.json'), JSON.stringify(manifest, null, 2));
	};
	await writeManifest({});
	const options = [
		...['--no-save', '--package-lock=false', '--ignore-scripts=true', '--bin-links=false'],
		// n8n brings the peer n8n-workflow itself, and the package depends on nothing else.
		...['--install-strategy=shallow', '--legacy-peer-deps', '--offline', '--loglevel=error'],
		...['--audit=false', '--fund=false'],
	];
	const script = process.env.npm_execpath ?? '';
	const [command, ...first] = script.endsWith('npm-cli.js') ? [process.execPath, script] : ['npm'];
	await execute(
		command,
		[...first, 'install', ...tarballs.map((file) => resolve(file)), ...options],
		{
			cwd: nodes,
			maxBuffer: MAX_BUFFER,
		},
	);
	const names = readdirSync(modules).filter((name) => !name.startsWith('.'));
	const versions = names.map((name): [string, string] => {
		return [name, JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version];
	});
	await writeManifest(Object.fromEntries(versions));
}

/** What n8n can be started as, and what it prints when it is ready. */
const READY = {
	start: 'Editor is now accessible',
	worker: 'n8n worker is now ready',
	webhook: 'Webhook listener waiting for requests',
} as const;

export type N8nRole = keyof typeof READY;

/** How n8n is run. The user folder exists, and holds the packages that it loads. */
export function n8nProgram({
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
} & Partial<Pick<ServerProgram, 'name' | 'signal'>>): ServerProgram {
	return {
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
		logFile: logFileIn(userFolder),
		...more,
	};
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

const logFileIn = (userFolder: string) => join(userFolder, 'n8n.log');

export async function removeFolder(folder: string): Promise<void> {
	await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
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
	return {
		...Object.fromEntries(names.map((name) => [name, process.env[name]])),
		// n8n starts its task runners with the `node` it finds first.
		PATH: [nodeFolder, process.env.PATH ?? ''].join(delimiter),
	};
}
