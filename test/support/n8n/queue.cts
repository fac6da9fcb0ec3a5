/**
 * Starts n8n in queue mode for its tests, as large installations run it: PostgreSQL, Redis, one main process, workers
 * that run the executions and webhook processes that take the calls from outside. All of it is on the loopback address,
 * in one temporary folder, with our packed package installed in every process.
 *
 *     const queue = await startQueue({ packages: 'n8n-nodes-seedance-0.1.0.tgz', webhooks: 2 });
 *     try { … queue.api.runWorkflow(…) … queue.workers[0].kill9() … } finally { await queue.stop(); }
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts, HOST, ServerProcess } from '../serverProcess.cjs';
import { N8nClient } from './client.cjs';
import {
	encryptionKey,
	ensureN8n,
	InstallationError,
	installPackages,
	LOGIN,
	n8nProcess,
	type N8nRole,
} from './server.cjs';

export * from './client.cjs';

export interface QueueOptions {
	/** A folder name beside this file; by default `DEFAULT_N8N_VERSION`. */
	version?: string;
	/** Paths of packed packages (`npm pack`) to install as community nodes, in every process. */
	packages?: string | string[];
	/** How many processes run executions; by default 2. */
	workers?: number;
	/**
	 * How many processes take calls from outside; by default 1. The main process takes them only where there are none;
	 * test URLs and the editor always belong to the main process.
	 */
	webhooks?: number;
	/** More environment variables for every n8n process, or other values for ours. */
	env?: Record<string, string>;
	/** Aborts the start; whatever runs by then is ended. */
	signal?: AbortSignal;
}

/** One of the n8n processes. */
export interface QueueProcess {
	/** `main`, `worker 1`, `webhook 2`, … */
	readonly name: string;
	/** Of the editor, of the webhooks, or of a worker's `/healthz`. */
	readonly baseUrl: string;
	readonly port: number;
	/** Undefined while it does not run. */
	readonly pid: number | undefined;
	/** What it has printed since it was first started. */
	log(): string;
	/** Ends it as a power cut does. */
	kill9(): Promise<void>;
	/** Ends it as an operator does, which lets a worker finish its executions for a while. */
	stop(): Promise<void>;
	/** Starts it again, on the same port and folder, and waits until it is ready. */
	start(): Promise<void>;
}

export interface N8nQueue {
	readonly version: string;
	/** Holds everything, until `stop()`. */
	readonly folder: string;
	/** A session signed in as the owner, on the main process. */
	readonly api: N8nClient;
	readonly main: QueueProcess;
	readonly workers: readonly QueueProcess[];
	readonly webhooks: readonly QueueProcess[];
	/** The address that n8n tells the world: of the first webhook process, without a path. */
	readonly webhookUrl: string;
	/** What all of them have printed, databases included. */
	logs(): string;
	/** Ends everything in order, and what does not end by force. Removes the folder. */
	stop(): Promise<void>;
}

/** Where the servers' programs are; found or installed by `services.mjs`. */
interface Services {
	redis: string;
	postgres: { server: string; initdb: string };
}

/** A server that n8n stands on, and how n8n gets in. */
interface Store {
	server: ServerProcess;
	env: Record<string, string>;
}

/** What every server of one queue has in common. */
interface Site {
	folder: string;
	/** The user for what refuses to run as root, or should not. */
	user: { uid: number; gid: number } | undefined;
	signal: AbortSignal;
	onSpawn: (pid: number, signal: NodeJS.Signals) => () => void;
}

/** Users that every Debian has, the better one first. */
const PLAIN_USERS = ['postgres', 'nobody'];

/**
 * Starts everything and resolves when every process is ready and the owner is signed in. When one of them does not get
 * there, all are ended.
 *
 * @throws Error with the end of that process's log
 */
export async function startQueue(options: QueueOptions = {}): Promise<N8nQueue> {
	const services = await ensureServices();
	const installation = await ensureN8n(options.version, options.signal);
	const user = await plainUser();
	const folder = mkdtempSync(join(tmpdir(), 'n8n-queue-'));
	// The plain user has to get to its own folders in it, and needs to see nothing else.
	chmodSync(folder, 0o711);

	const leftovers = watchLeftovers(folder);
	const stopping = new AbortController();
	const signal = AbortSignal.any([stopping.signal, options.signal ?? []].flat());
	const site: Site = { folder, user, signal, onSpawn: leftovers.watch };
	const servers: ServerProcess[] = [];
	const stores: ServerProcess[] = [];
	const stop = async () => {
		stopping.abort();
		await Promise.allSettled(servers.map((server) => server.stop()));
		await Promise.allSettled(stores.map((server) => server.stop()));
		await leftovers.remove();
	};

	try {
		const { workers: workerCount = 2, webhooks: webhookCount = 1 } = options;
		const [postgresPort, redisPort, mainPort, ...ports] = await freePorts(
			3 + workerCount + webhookCount,
		);
		const webhookPorts = ports.splice(workerCount);
		const packed = await preparePackages(site, [options.packages ?? []].flat());
		const postgres = await preparePostgres(site, services, postgresPort);
		const redis = prepareRedis(site, services, redisPort);
		stores.push(postgres.server, redis.server);

		const webhookUrl = `http://${HOST}:${webhookPorts[0] ?? mainPort}`;
		const env: Record<string, string> = {
			...postgres.env,
			...redis.env,
			EXECUTIONS_MODE: 'queue',
			// Otherwise what is run by hand runs on the main process; n8n 3 will have it no other way.
			OFFLOAD_MANUAL_EXECUTIONS_TO_WORKERS: 'true',
			N8N_DEFAULT_BINARY_DATA_MODE: 'database',
			// n8n listens for the end of an execution only after it has queued it, and misses one that is very short: whoever
			// waits for it (a retry, a webhook that answers when it is done) then waits for good. Kept, it is looked for again.
			N8N_EXECUTIONS_QUEUE_KEEP_LAST_COMPLETED: '100',
			N8N_EXECUTIONS_QUEUE_KEEP_LAST_FAILED: '100',
			WEBHOOK_URL: `${webhookUrl}/`,
			N8N_DISABLE_PRODUCTION_MAIN_PROCESS: String(webhookCount > 0),
		};
		const add = async (name: string, role: N8nRole, port: number) => {
			const userFolder = join(folder, name.replace(' ', '-'));
			await cp(packed, userFolder, { recursive: true });
			const server = n8nProcess({
				name,
				installation,
				role,
				userFolder,
				port,
				env: { ...env, ...(role === 'worker' && healthEnvironment(port)), ...options.env },
				signal,
				onSpawn: (pid) => leftovers.watch(pid, 'SIGKILL'),
			});
			servers.push(server);
			return server;
		};
		const main = await add('main', 'start', mainPort);
		const workers = await Promise.all(
			ports.map((port, index) => add(`worker ${index + 1}`, 'worker', port)),
		);
		const webhooks = await Promise.all(
			webhookPorts.map((port, index) => add(`webhook ${index + 1}`, 'webhook', port)),
		);

		const api = new N8nClient(main.baseUrl);
		await Promise.all(stores.map((server) => server.start()));
		// It makes the database that the others expect.
		await main.start();
		await Promise.all([
			api.signIn(LOGIN),
			...[...workers, ...webhooks].map((server) => server.start()),
		]);
		return {
			version: installation.version,
			folder,
			api,
			main,
			workers,
			webhooks,
			webhookUrl,
			logs: () => [...servers, ...stores].map((server) => server.log()).join('\n'),
			stop,
		};
	} catch (error) {
		await stop();
		throw error;
	}
}

/** Installs what is missing, with progress on stderr, as `ensureN8n` does. */
async function ensureServices(): Promise<Services> {
	const child = spawn(process.execPath, [join(__dirname, '..', 'services.mjs')], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	let out = '';
	child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
	const code = await new Promise<number | null>((done, fail) => {
		child.once('error', fail);
		child.once('close', done);
	});
	if (code !== 0) throw new InstallationError('Redis and PostgreSQL are not here.');
	const services: unknown = JSON.parse(out.trim().split('\n').at(-1) ?? '');
	if (!isServices(services)) throw new Error('services.mjs did not say where they are.');
	return services;
}

/** PostgreSQL refuses to run as root. Undefined where we are not root: then it runs as we do. */
async function plainUser(): Promise<Site['user']> {
	if (process.getuid?.() !== 0) return undefined;
	for (const name of PLAIN_USERS) {
		const id = async (option: string) =>
			Number((await promisify(execFile)('id', [option, name])).stdout);
		try {
			return { uid: await id('-u'), gid: await id('-g') };
		} catch {
			// There is no such user here.
		}
	}
	throw new Error(`Root needs one of these users to run PostgreSQL: ${PLAIN_USERS.join(', ')}.`);
}

/** An empty database, not started yet. */
async function preparePostgres(
	site: Site,
	{ postgres: { server, initdb } }: Services,
	port: number,
): Promise<Store> {
	const { user, signal } = site;
	const password = newPassword();
	const folder = makeFolder(site, 'postgres');
	const passwordFile = writeSecret(site, join(folder, 'password'), password);
	const data = join(folder, 'data');
	// What PostgreSQL says, and with that when it is ready, depends on the language.
	const env = { PATH: process.env.PATH, LC_ALL: 'C' };
	const making = promisify(execFile)(
		initdb,
		[
			`--pgdata=${data}`,
			'--username=n8n',
			`--pwfile=${passwordFile}`,
			'--auth=scram-sha-256',
			'--encoding=UTF8',
			'--locale=C',
			'--no-sync',
		],
		{ cwd: folder, env, signal, ...user },
	);
	const onEnd =
		making.child.pid === undefined ? undefined : site.onSpawn(making.child.pid, 'SIGTERM');
	await making.finally(onEnd);
	const settings = {
		listen_addresses: HOST,
		port: String(port),
		unix_socket_directories: '',
		// Nobody needs the data after a power cut.
		fsync: 'off',
		synchronous_commit: 'off',
		full_page_writes: 'off',
	};
	return {
		server: new ServerProcess({
			name: 'PostgreSQL',
			command: server,
			args: ['-D', data, ...Object.entries(settings).flatMap((pair) => ['-c', pair.join('=')])],
			cwd: folder,
			env: async () => env,
			user,
			port,
			ready: 'database system is ready to accept connections',
			logFile: join(site.folder, 'postgres.log'),
			// "Fast shutdown": does not wait until its clients leave.
			stopSignal: 'SIGINT',
			signal,
			// "Immediate shutdown": the only one that is quick and leaves no shared memory.
			onSpawn: (pid) => site.onSpawn(pid, 'SIGQUIT'),
		}),
		env: {
			DB_TYPE: 'postgresdb',
			DB_POSTGRESDB_HOST: HOST,
			DB_POSTGRESDB_PORT: String(port),
			DB_POSTGRESDB_DATABASE: 'postgres',
			DB_POSTGRESDB_USER: 'n8n',
			DB_POSTGRESDB_PASSWORD: password,
		},
	};
}

/** A Redis that keeps everything in memory, not started yet. */
function prepareRedis(site: Site, { redis }: Services, port: number): Store {
	const { user, signal } = site;
	const password = newPassword();
	const folder = makeFolder(site, 'redis');
	const settings = [
		`bind ${HOST}`,
		`port ${port}`,
		`requirepass ${password}`,
		'save ""',
		'appendonly no',
	];
	return {
		server: new ServerProcess({
			name: 'Redis',
			command: redis,
			args: [writeSecret(site, join(folder, 'redis.conf'), settings.join('\n'))],
			cwd: folder,
			env: async () => ({ PATH: process.env.PATH, LC_ALL: 'C' }),
			user,
			port,
			ready: 'Ready to accept connections',
			logFile: join(site.folder, 'redis.log'),
			signal,
			onSpawn: (pid) => site.onSpawn(pid, 'SIGTERM'),
		}),
		env: {
			QUEUE_BULL_REDIS_HOST: HOST,
			QUEUE_BULL_REDIS_PORT: String(port),
			QUEUE_BULL_REDIS_PASSWORD: password,
		},
	};
}

/**
 * A user folder with everything that all n8n processes have alike: the packages, and the encryption key, without which
 * a worker could not read the credentials that were saved on the main process.
 */
async function preparePackages({ folder }: Site, tarballs: string[]): Promise<string> {
	const packed = join(folder, 'packages');
	mkdirSync(join(packed, '.n8n'), { recursive: true });
	if (tarballs.length > 0) await installPackages(tarballs, packed);
	await encryptionKey(packed);
	return packed;
}

/** A worker answers nobody but those who ask after its health. */
function healthEnvironment(port: number): Record<string, string> {
	return {
		QUEUE_HEALTH_CHECK_ACTIVE: 'true',
		QUEUE_HEALTH_CHECK_PORT: String(port),
		N8N_WORKER_SERVER_ADDRESS: HOST,
	};
}

/** Ends what is left when this process is gone before it could, and removes the folder in every case. */
function watchLeftovers(folder: string): {
	watch: (pid: number, signal: NodeJS.Signals) => () => void;
	remove: () => Promise<void>;
} {
	const child = spawn(process.execPath, [join(__dirname, 'end-leftovers.cjs'), folder], {
		detached: true,
		stdio: ['pipe', 'ignore', 'ignore'],
	});
	// Without it the tests go on; only what they leave behind would stay.
	child.stdin.on('error', () => undefined);
	const ended = new Promise((done) => child.once('close', done));
	return {
		watch: (pid, signal) => {
			child.stdin.write(`started ${pid} ${signal}\n`);
			return () => child.stdin.write(`ended ${pid}\n`);
		},
		remove: async () => {
			child.stdin.end();
			await ended;
		},
	};
}

function makeFolder({ folder, user }: Site, name: string): string {
	const path = join(folder, name);
	mkdirSync(path, { mode: 0o700 });
	if (user) chownSync(path, user.uid, user.gid);
	return path;
}

function writeSecret({ user }: Site, file: string, text: string): string {
	writeFileSync(file, text, { mode: 0o600 });
	if (user) chownSync(file, user.uid, user.gid);
	return file;
}

function newPassword(): string {
	return randomBytes(18).toString('hex');
}

function isServices(value: unknown): value is Services {
	if (!isRecord(value) || !isRecord(value.postgres)) return false;
	return [value.redis, value.postgres.server, value.postgres.initdb].every(
		(path) => typeof path === 'string',
	);
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
