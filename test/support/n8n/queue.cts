/**
 * Starts n8n in queue mode for its tests, as large installations run it: PostgreSQL, Redis, one main process, workers
 * that run the executions and webhook processes that take the calls from outside. All of it is on the loopback address,
 * in one temporary folder, with our packed package installed in every process.
 *
 *     const queue = await startQueue({ packages: 'n8n-nodes-seedance-0.2.0.tgz', webhooks: 2 });
 *     try { … queue.api.runWorkflow(…) … queue.workers[0].kill9() … } finally { await queue.stop(); }
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts, HOST, ServerProcess, type ServerProgram } from '../serverProcess.cjs';
import { N8nClient } from './client.cjs';
import {
	encryptionKey,
	ensureN8n,
	installPackages,
	LOGIN,
	n8nProgram,
	removeFolder,
	runScript,
	type N8nRole,
} from './server.cjs';

export interface QueueOptions {
	/** The path of a packed package (`npm pack`) to install as community nodes, in every process. */
	packages: string;
	/** How many processes run executions. */
	workers: number;
	/** How many processes take calls from outside. Test URLs and the editor always belong to the main process. */
	webhooks: number;
	/** More environment variables for every n8n process, or other values for ours. */
	env: Record<string, string>;
	/** Aborts the start, and ends what runs by then. */
	signal: AbortSignal;
}

export interface N8nQueue {
	/** A session signed in as the owner, on the main process. */
	readonly api: N8nClient;
	readonly main: ServerProcess;
	/** `worker 1`, `worker 2`, … Their `stop()` lets them finish executions for a while, `kill9()` does not. */
	readonly workers: readonly ServerProcess[];
	readonly webhooks: readonly ServerProcess[];
	/** The address that n8n shows to the world: of the first webhook process, without a path. */
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

/** What the stores of one queue have in common. */
interface Site {
	folder: string;
	/** The user for what refuses to run as root, or should not. */
	user: { uid: number; gid: number } | undefined;
	signal: AbortSignal;
}

/** Users that every Debian has, the better one first. */
const PLAIN_USERS = ['postgres', 'nobody'];

/** What PostgreSQL says, and with that when it is ready, depends on the language. */
const STORE_ENV = { PATH: process.env.PATH, LC_ALL: 'C' };

const run = promisify(execFile);

/** Resolves when every process is ready and the owner is signed in. When one does not get there, all are ended. */
export async function startQueue(options: QueueOptions): Promise<N8nQueue> {
	const services = await runScript<Services>(join(__dirname, '..', 'services.mjs'));
	const installation = await ensureN8n(undefined, options.signal);
	const user = await plainUser();
	const folder = mkdtempSync(join(tmpdir(), 'n8n-queue-'));
	// The plain user has to get to its own folders in it, and needs to see nothing else.
	chmodSync(folder, 0o711);

	const stopping = new AbortController();
	const signal = AbortSignal.any([stopping.signal, options.signal]);
	const site: Site = { folder, user, signal };
	const servers: ServerProcess[] = [];
	const stores: ServerProcess[] = [];
	const stop = async () => {
		stopping.abort();
		await Promise.allSettled(servers.map(async (server) => await server.stop()));
		await Promise.allSettled(stores.map(async (server) => await server.stop()));
		await removeFolder(folder);
	};

	try {
		const [postgresPort, redisPort, mainPort, ...ports] = await freePorts(
			3 + options.workers + options.webhooks,
		);
		const webhookPorts = ports.splice(options.workers);
		// All n8n processes have the same packages, and the same key: it reads the credentials that another one has saved.
		const packed = join(folder, 'packages');
		await installPackages([options.packages], packed);
		await encryptionKey(packed);
		const postgres = await preparePostgres(site, services, postgresPort);
		const redis = prepareRedis(site, services, redisPort);
		stores.push(postgres.server, redis.server);

		const webhookUrl = `http://${HOST}:${webhookPorts[0]}`;
		const env: Record<string, string> = {
			...postgres.env,
			...redis.env,
			EXECUTIONS_MODE: 'queue',
			// Otherwise what is run by hand runs on the main process; n8n 3 will have it no other way.
			OFFLOAD_MANUAL_EXECUTIONS_TO_WORKERS: 'true',
			N8N_DEFAULT_BINARY_DATA_MODE: 'database',
			// n8n listens for the end of an execution only after it has queued it, and misses one that is very short: a caller that
			// waits for it (a retry, a webhook that responds when it is done) then waits for good. Kept, it is found again.
			N8N_EXECUTIONS_QUEUE_KEEP_LAST_COMPLETED: '100',
			N8N_EXECUTIONS_QUEUE_KEEP_LAST_FAILED: '100',
			WEBHOOK_URL: `${webhookUrl}/`,
			N8N_DISABLE_PRODUCTION_MAIN_PROCESS: 'true',
			...options.env,
		};
		const add = async (name: string, role: N8nRole, port: number) => {
			const userFolder = join(folder, name.replace(' ', '-'));
			await cp(packed, userFolder, { recursive: true });
			// A worker responds only to checks of its health.
			const health = {
				QUEUE_HEALTH_CHECK_ACTIVE: 'true',
				QUEUE_HEALTH_CHECK_PORT: String(port),
				N8N_WORKER_SERVER_ADDRESS: HOST,
			};
			const program = n8nProgram({
				name,
				installation,
				role,
				userFolder,
				port,
				env: { ...env, ...(role === 'worker' && health) },
				signal,
			});
			const server = new ServerProcess(program);
			servers.push(server);
			return server;
		};
		const addAll = async (role: 'worker' | 'webhook', of: number[]) =>
			await Promise.all(
				of.map(async (port, index) => await add(`${role} ${index + 1}`, role, port)),
			);
		const main = await add('main', 'start', mainPort);
		const workers = await addAll('worker', ports);
		const webhooks = await addAll('webhook', webhookPorts);

		const api = new N8nClient(main.baseUrl);
		await Promise.all(stores.map(async (server) => await server.start()));
		// It makes the database that the others expect.
		await main.start();
		await Promise.all([
			api.signIn(LOGIN),
			...[...workers, ...webhooks].map(async (server) => await server.start()),
		]);
		const logs = () => [...servers, ...stores].map((server) => server.log()).join('\n');
		return { api, main, workers, webhooks, webhookUrl, logs, stop };
	} catch (error) {
		await stop();
		throw error;
	}
}

/** PostgreSQL refuses to run as root. Undefined where we are not root: then it runs as we do. */
async function plainUser(): Promise<Site['user']> {
	if (process.getuid?.() !== 0) return undefined;
	for (const name of PLAIN_USERS) {
		const id = async (option: string) => Number((await run('id', [option, name])).stdout);
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
	const data = join(folder, 'data');
	await run(
		initdb,
		[
			`--pgdata=${data}`,
			'--username=n8n',
			`--pwfile=${writeSecret(site, join(folder, 'password'), password)}`,
			'--auth=scram-sha-256',
			'--encoding=UTF8',
			'--locale=C',
			'--no-sync',
		],
		{ cwd: folder, env: STORE_ENV, signal, ...user },
	);
	const settings = {
		listen_addresses: HOST,
		port: String(port),
		unix_socket_directories: '',
		// The data need not survive a power cut.
		fsync: 'off',
		synchronous_commit: 'off',
		full_page_writes: 'off',
	};
	return {
		server: storeServer(site, {
			name: 'PostgreSQL',
			program: [
				server,
				'-D',
				data,
				...Object.entries(settings).flatMap((pair) => ['-c', pair.join('=')]),
			],
			cwd: folder,
			port,
			ready: 'database system is ready to accept connections',
			// "Fast shutdown": does not wait until its clients leave.
			stopSignal: 'SIGINT',
			// "Immediate shutdown": the only one that is quick and leaves no shared memory.
			endSignal: 'SIGQUIT',
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
		server: storeServer(site, {
			name: 'Redis',
			program: [redis, writeSecret(site, join(folder, 'redis.conf'), settings.join('\n'))],
			cwd: folder,
			port,
			ready: 'Ready to accept connections',
			stopSignal: 'SIGTERM',
			endSignal: 'SIGTERM',
		}),
		env: {
			QUEUE_BULL_REDIS_HOST: HOST,
			QUEUE_BULL_REDIS_PORT: String(port),
			QUEUE_BULL_REDIS_PASSWORD: password,
		},
	};
}

/** @param options.endSignal what ends it when this process is gone before it could */
function storeServer(
	{ folder, user, signal }: Site,
	{
		program,
		endSignal,
		...more
	}: { program: string[]; endSignal: NodeJS.Signals } & Pick<
		ServerProgram,
		'name' | 'cwd' | 'port' | 'ready' | 'stopSignal'
	>,
): ServerProcess {
	const options = JSON.stringify({ signal: endSignal, ...user });
	return new ServerProcess({
		...more,
		command: process.execPath,
		args: [join(__dirname, 'run-with-parent.cjs'), options, ...program],
		env: async () => STORE_ENV,
		logFile: join(folder, `${more.name}.log`),
		signal,
	});
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
