/**
 * One server program that a test or the demo starts: on a port of the loopback address, with everything it prints in a
 * file, waited for until it says that it is ready, and never outliving us.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** The only address that anything here listens on. */
export const HOST = '127.0.0.1';

/** Milliseconds. Without load n8n, the slowest of them, is ready after about 20 s; its first start makes the database. */
const START_TIMEOUT = 180_000;

/** Milliseconds that a server gets to end by itself. */
const STOP_TIMEOUT = 20_000;

const PORT_TAKEN = /port \d+ is already in use/;

export interface ServerProgram {
	name: string;
	command: string;
	args: string[];
	cwd: string;
	/** Its whole environment, asked for at each start. */
	env: () => Promise<NodeJS.ProcessEnv>;
	port: number;
	/** What it prints when it is ready; a port may respond before, with errors. */
	ready: string;
	logFile: string;
	/** What ends it in order; by default SIGTERM. */
	stopSignal?: NodeJS.Signals;
	signal?: AbortSignal;
}

export class PortInUseError extends Error {
	constructor(readonly port: number) {
		super(`Port ${port} is in use by another program.`);
	}
}

/** Servers to end when this process ends before it has stopped them. */
const running = new Set<ServerProcess>();

const killAll = () => running.forEach((server) => server.killNow());

process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	const onSignal = () => {
		// Other listeners of the signal end everything in order.
		if (process.listenerCount(signal) > 1) return;
		killAll();
		process.off(signal, onSignal);
		process.kill(process.pid, signal);
	};
	process.on(signal, onSignal);
}

export class ServerProcess {
	readonly baseUrl: string;
	private child: ChildProcess | undefined;

	private whenEnded: Promise<void> = Promise.resolve();

	constructor(private readonly program: ServerProgram) {
		this.baseUrl = `http://${HOST}:${program.port}`;
	}

	get name(): string {
		return this.program.name;
	}

	get pid(): number | undefined {
		return this.child?.pid;
	}

	log(): string {
		const { logFile } = this.program;
		return existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
	}

	/** Resolves when it is ready. When it does not get there, nothing is left running: throws the end of its log. */
	async start(): Promise<void> {
		const { name, command, args, cwd, port, signal, logFile } = this.program;
		if (this.child) throw new Error(`${name} is already running`);
		if (!(await isPortFree(port))) throw new PortInUseError(port);
		const env = await this.program.env();
		if (signal?.aborted) throw cancelled(name);
		const child = spawn(command, args, {
			cwd,
			env,
			// A group of its own: Ctrl-C at the terminal comes to us alone, and we can end it with what it has started.
			detached: true,
			stdio: ['pipe', 'pipe', 'pipe'],
		});
		this.child = child;
		running.add(this);
		const log = createWriteStream(logFile, { flags: 'a' });
		child.stdout.on('data', (chunk: Buffer) => log.write(chunk));
		child.stderr.on('data', (chunk: Buffer) => log.write(chunk));
		this.whenEnded = new Promise((done) => {
			const end = () => {
				this.child = undefined;
				running.delete(this);
				log.end(done);
			};
			child.once('close', end);
			child.once('error', end);
		});
		try {
			await this.untilReady(child);
		} catch (error) {
			await this.kill9();
			throw error;
		}
	}

	private async untilReady(child: ChildProcess): Promise<void> {
		const { name, port, ready, signal } = this.program;
		const over = new AbortController();
		let printed = '';
		const waiting = new Promise<void>((done, fail) => {
			const failed = (what: string) =>
				fail(new Error(`${name} ${what}.\n${printed.trim().split('\n').slice(-12).join('\n')}`));
			const timer = setTimeout(() => failed('was not ready in time'), START_TIMEOUT);
			over.signal.addEventListener('abort', () => clearTimeout(timer));
			signal?.addEventListener('abort', () => fail(cancelled(name)), { signal: over.signal });
			const onOutput = (chunk: Buffer) => {
				if (over.signal.aborted) return;
				printed += chunk.toString();
				if (PORT_TAKEN.test(printed)) fail(new PortInUseError(port));
				if (printed.includes(ready)) done();
			};
			child.stdout?.on('data', onOutput);
			child.stderr?.on('data', onOutput);
			child.once('error', fail);
			child.once('close', () => failed('ended before it was ready'));
		});
		await waiting.finally(() => over.abort());
	}

	async stop(): Promise<void> {
		await this.end(this.program.stopSignal ?? 'SIGTERM');
	}

	async kill9(): Promise<void> {
		await this.end('SIGKILL');
	}

	async ended(): Promise<void> {
		await this.whenEnded;
	}

	/** At once and without waiting: the last thing this process does. */
	killNow(): void {
		if (this.pid !== undefined) sendSignal(this.pid, 'SIGKILL');
	}

	private async end(signal: NodeJS.Signals): Promise<void> {
		const { pid } = this;
		if (pid === undefined) return;
		sendSignal(pid, signal);
		const timer = setTimeout(() => sendSignal(pid, 'SIGKILL'), STOP_TIMEOUT);
		await this.whenEnded;
		clearTimeout(timer);
	}
}

export async function freePort(): Promise<number> {
	return (await freePorts(1))[0];
}

/** So many different ports of the loopback address that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
	// All are held at the same time: asked for one after the other, the same port may come twice.
	const held = await Promise.all(Array.from({ length: count }, () => listen(0)));
	await Promise.all(held.map(async ({ close }) => await close()));
	return held.map(({ port }) => port);
}

export async function isPortFree(port: number): Promise<boolean> {
	try {
		await (await listen(port)).close();
		return true;
	} catch {
		return false;
	}
}

function listen(wanted: number): Promise<{ port: number; close: () => Promise<unknown> }> {
	return new Promise((done, fail) => {
		const server = createServer();
		server.once('error', fail);
		server.listen(wanted, HOST, () => {
			const address = server.address();
			const port = address !== null && typeof address === 'object' ? address.port : wanted;
			done({ port, close: () => new Promise((closed) => server.close(closed)) });
		});
	});
}

/** A killed server takes everything with it that it has started; one that ends in order does that itself. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
	const isGroup = signal === 'SIGKILL' && process.platform !== 'win32';
	try {
		process.kill(isGroup ? -pid : pid, signal);
	} catch {
		// It has ended by itself.
	}
}

function cancelled(name: string): Error {
	return new Error(`The start of ${name} was cancelled.`);
}
