/**
 * Where a benchmark measures: a sandbox, a real n8n with the packed package, and the workflows of `test/fixtures/bench`, some
 * with our nodes, some with what a user builds by hand for the same work.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSandbox, type Sandbox, type SandboxOptions } from '../sandbox/server.cjs';
import {
	N8nApiError,
	startN8n,
	type Execution,
	type N8nServer,
	type WorkflowJson,
} from '../support/n8n/server.cjs';
import { BenchError, type Program } from './program.cjs';

const WORKFLOWS = join(__dirname, '..', 'fixtures', 'bench');

function unlessGone(error: unknown): undefined {
	if (!(error instanceof N8nApiError) || error.status !== 404) throw error;
}

/** A published workflow that a webhook starts. */
export interface Flow {
	webhookUrl: string;
	/** Starts it with these rows, one item each. */
	start: (...rows: Array<Record<string, unknown>>) => Promise<void>;
	/** Executions that have ended, or stand in one of these states. */
	count: (status?: readonly string[]) => Promise<number>;
	/** Starts it and gives its execution, once that has ended. */
	run: (rows: Array<Record<string, unknown>>, maxMs: number) => Promise<Execution>;
	/** All executions, the oldest first. */
	executions: () => Promise<Execution[]>;
}

export class Setup {
	private constructor(
		readonly n8n: N8nServer,
		readonly sandbox: Sandbox,
		private readonly signal: AbortSignal,
		/** What stands between per cent signs in a workflow file. */
		private readonly values: Record<string, string>,
	) {}

	/** A task takes as long as its prompt says at its end ("… 75 s"), and without that for ever. */
	static async start(
		{ tarball, signal }: Pick<Program, 'tarball' | 'signal'>,
		options: SandboxOptions = {},
		customExtensions?: string,
	): Promise<Setup> {
		const sandbox = await startSandbox({
			credits: 1e9,
			taskSeconds: ({ prompt }) => Number(/([\d.]+) s$/.exec(prompt)?.[1] ?? Infinity),
			...options,
		});
		try {
			const n8n = await startN8n({ packages: tarball, customExtensions, signal });
			const credential = async (type: string, data: Record<string, string>) =>
				(await n8n.api.createCredential({ name: type, type, data })).id;
			const { apiKey, baseUrl } = sandbox;
			return new Setup(n8n, sandbox, signal, {
				BASE_URL: baseUrl,
				SEEDANCE_API: await credential('seedanceApi', { apiKey, baseUrl }),
				API_KEY_HEADER: await credential('httpHeaderAuth', {
					name: 'Authorization',
					value: `Bearer ${apiKey}`,
				}),
			});
		} catch (error) {
			await sandbox.close();
			throw error;
		}
	}

	/**
	 * Saves and activates a workflow of `test/fixtures/bench`, with a webhook path of its own. `parameters` are more ones of
	 * its Seedance node, `more` are values of the file.
	 */
	async publish(file: string, parameters: object = {}, more: object = {}): Promise<Flow> {
		const { api, baseUrl } = this.n8n;
		const values: Record<string, string> = { ...this.values, ...more, WEBHOOK_ID: randomUUID() };
		const text = readFileSync(join(WORKFLOWS, `${file}.json`), 'utf8');
		const workflow: WorkflowJson = JSON.parse(
			text.replace(/%([A-Z_]+)%/g, (_, name: string) => values[name]),
		);
		for (const node of workflow.nodes) {
			if (node.type === 'n8n-nodes-seedance.seedance') Object.assign(node.parameters, parameters);
		}
		const { id } = await api.createWorkflow(workflow);
		await api.activateWorkflow(id);
		const newest = async () => Number((await api.listExecutions())[0]?.id ?? 0);
		const before = await newest();
		const flow: Flow = {
			webhookUrl: `${baseUrl}/webhook/${values.WEBHOOK_ID}`,
			start: async (...rows) => {
				const { status } = await api.callWebhook('POST', values.WEBHOOK_ID, { body: { rows } });
				if (status !== 200) throw new BenchError(`n8n returned ${status} to a start of "${file}".`);
			},
			count: async (status) => await api.countExecutions(id, status),
			run: async (rows, maxMs) => {
				const ended = await flow.count();
				await flow.start(...rows);
				await this.untilEnded(flow, ended + 1, maxMs);
				const [last] = await api.listExecutions(id);
				return await api.getExecution(last.id);
			},
			// n8n's list has an end, so the executions are read one after another.
			executions: async () => {
				const last = await newest();
				const found: Execution[] = [];
				for (let at = before + 1; at <= last; at++) {
					this.signal.throwIfAborted();
					// A call of the list of videos takes a number as well, and leaves nothing behind.
					const one = await api.getExecution(String(at)).catch(unlessGone);
					if (one?.workflowId === id) found.push(one);
				}
				return found;
			},
		};
		return flow;
	}

	/** Waits until it holds; throws BenchError after `maxMs` milliseconds. Each check costs n8n a little. */
	async until(what: string, holds: () => boolean | Promise<boolean>, maxMs: number, everyMs = 500) {
		for (const end = Date.now() + maxMs; !(await holds()); ) {
			if (Date.now() > end) throw new BenchError(`Not so after ${maxMs / 1000} s: ${what}.`);
			await sleep(everyMs, undefined, { signal: this.signal });
		}
	}

	/** Waits until so many executions of a flow have ended. */
	async untilEnded(flow: Flow, count: number, maxMs: number): Promise<void> {
		const haveEnded = async () => (await flow.count()) >= count;
		await this.until(`${count} executions have ended`, haveEnded, maxMs);
	}

	/** Resident megabytes of n8n's process, and the most since {@link forgetPeak}. */
	memoryMb(): { now: number; peak: number } {
		const status = this.read('status');
		const megabytes = (name: string) =>
			Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
		return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
	}

	/** 5 sets the kernel's peak back to what is resident now. */
	forgetPeak(): void {
		writeFileSync(`/proc/${this.n8n.pid}/clear_refs`, '5');
	}

	/** Milliseconds of processor time that n8n has used. */
	cpuMs(): number {
		// The fields follow the command's name, which stands in brackets; 14 and 15 count hundredths of a second.
		const fields = this.read('stat').split(') ').at(-1)?.split(' ') ?? [];
		return (Number(fields[11]) + Number(fields[12])) * 10;
	}

	/** Call what it gives at the end: the share of the processors that other programs have used since. */
	watchOthers(): () => string {
		const othersMs = () => {
			const { user, system } = process.cpuUsage();
			const busy = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
			return busy.reduce((sum, ms) => sum + ms, 0) - (user + system) / 1000 - this.cpuMs();
		};
		const before = { ms: othersMs(), at: Date.now() };
		return () => {
			const share = (othersMs() - before.ms) / (Date.now() - before.at) / cpus().length;
			const percent = Math.max(0, Math.round(share * 100));
			return `other programs used ${percent} % of the processors meanwhile`;
		};
	}

	async stop(): Promise<void> {
		await Promise.allSettled([this.n8n.stop(), this.sandbox.close()]);
	}

	private read(file: string): string {
		const path = `/proc/${this.n8n.pid}/${file}`;
		if (existsSync(path)) return readFileSync(path, 'utf8');
		throw new BenchError('This system does not show what a process uses: there is no /proc.');
	}
}
