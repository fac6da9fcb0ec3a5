/**
 * `npm run bench:pause`: what it costs n8n when many executions pause until a callback: memory while they wait, looks at
 * each video, and how soon each goes on after its callback.
 *
 * The videos get ready one after the other, in a random order, at a pace that the machine can keep: what is measured is
 * the way from a callback to the end of its execution, not how many of them fit into a second. `test/run.mjs` builds and
 * packs the package and hands it over in SEEDANCE_TARBALL.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { INode } from 'n8n-workflow';

import { startSandbox, type Sandbox } from '../sandbox/server.cjs';
import { ensureN8n, InstallationError, startN8n, type N8nServer } from '../support/n8n/server.cjs';
import {
	atOnce,
	BenchError,
	machineLine,
	median,
	percentile,
	table,
	watchOthers,
	writeResults,
} from './report.cjs';

const COMMAND = 'npm run bench:pause';

const USAGE = `Usage: ${COMMAND} -- [--quick] [--check] [--write]
  --quick    30 executions instead of 300
  --check    exit code 1 when a mark is missed
  --write    put the results into test/bench/RESULTS.md`;

/** Executions that are started at the same time. */
const STARTS_AT_ONCE = 4;
/** Milliseconds from one video that is ready to the next. */
const PACE_MS = 250;
/** Milliseconds n8n gets to come to rest before its memory is read, and how often it is read then. */
const REST_MS = 10_000;
const READINGS = 5;
const PATIENCE_MS = 120_000;

/** What is to be reached: megabytes of memory and looks for each execution, seconds from the callback to the end. */
const MARKS = { memoryMb: 1, looks: 3, seconds: 2 };

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.on(signal, () => interruption.abort(new BenchError('Interrupted.')));
}

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: {
			quick: { type: 'boolean', default: false },
			check: { type: 'boolean', default: false },
			write: { type: 'boolean', default: false },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help) return say(USAGE);
	const packages = process.env.SEEDANCE_TARBALL;
	if (!packages) throw new BenchError(`There is no packed package here: run \`${COMMAND}\`.`);
	const machine = await machineLine(await ensureN8n(undefined, interruption.signal));
	const count = values.quick ? 30 : 300;

	let sandbox: Sandbox | undefined;
	let n8n: N8nServer | undefined;
	try {
		say('Starting n8n with the package, and the sandbox');
		sandbox = await startSandbox({ taskSeconds: Infinity, credits: 1e9 });
		n8n = await startN8n({ packages, signal: interruption.signal });
		const others = watchOthers(n8n.pid);
		const { text, missed } = await measure(n8n, sandbox, count);
		const summary = `${machine} · ${others()}`;
		console.log(`\n${summary}\n\n${text}`);
		if (values.write) writeResults(COMMAND, `\`${COMMAND} -- --write\`, ${summary}\n\n${text}`);
		if (values.check && missed) process.exitCode = 1;
	} finally {
		await Promise.allSettled([n8n?.stop(), sandbox?.close()]);
	}
}

async function measure(
	n8n: N8nServer,
	sandbox: Sandbox,
	count: number,
): Promise<{ text: string; missed: boolean }> {
	const { workflowId, path } = await publish(n8n, sandbox);
	const start = async (prompt: string) => {
		const { status } = await n8n.api.callWebhook('POST', path, { body: { prompt } });
		if (status !== 200) throw new BenchError(`n8n answered ${status} instead of starting a run.`);
	};
	const waiting = async () => await executionsIn(n8n, workflowId, 'waiting');

	say('Warming up');
	await start('warm-up');
	await until('the first execution waits', async () => (await waiting()) === 1);
	sandbox.finish(sandbox.tasks.all()[0].id);
	await until('the first execution has ended', async () => (await waiting()) === 0);
	const idleBeforeMb = await memoryAtRest(n8n);

	say(`Starting ${count} executions`);
	await atOnce(
		STARTS_AT_ONCE,
		count,
		async (row) => await start(`boat ${row}`),
		Infinity,
		interruption.signal,
	);
	await until(`${count} executions wait`, async () => (await waiting()) === count);
	const pausedMb = await memoryAtRest(n8n);

	say('The videos get ready, one after the other');
	const tasks = sandbox.tasks.all().filter(({ ended }) => !ended);
	const readyAt = new Map<string, number>();
	for (const { id } of shuffled(tasks)) {
		interruption.signal.throwIfAborted();
		readyAt.set(id, Date.now());
		sandbox.finish(id);
		await sleep(PACE_MS);
	}
	await sandbox.callbacks.settled();
	await until('all have ended', async () => (await waiting()) === 0);

	// Right after its start n8n holds garbage that it drops under load: the lower of both is its idle memory.
	const idleMb = Math.min(idleBeforeMb, await memoryAtRest(n8n));
	const seconds = await secondsToEnd(n8n, readyAt);
	if (seconds.length !== count) {
		throw new BenchError(`${seconds.length} of ${count} executions ended with their video.`);
	}
	const looks = tasks.map(({ id }) => sandbox.ledger.statusReads(id).length);
	const memoryMb = (pausedMb - idleMb) / count;
	const worst = Math.max(...seconds);
	const rows = [
		row(
			'Memory of n8n per paused execution',
			`${memoryMb.toFixed(2)} MB`,
			`< ${MARKS.memoryMb} MB`,
			memoryMb < MARKS.memoryMb,
		),
		row(
			'Looks at each video, the most',
			String(Math.max(...looks)),
			`≤ ${MARKS.looks}`,
			Math.max(...looks) <= MARKS.looks,
		),
		row(
			'From the callback to the end, the slowest',
			`${worst.toFixed(2)} s`,
			`≤ ${MARKS.seconds} s`,
			worst <= MARKS.seconds,
		),
		['… median', `${median(seconds).toFixed(2)} s`, '', ''],
		['… of 95 %', `${percentile(seconds, 0.95).toFixed(2)} s`, '', ''],
	];
	const text = [
		table(['Figure', 'measured', 'mark', ''], rows),
		'',
		`${count} executions paused on one n8n, all of them resumed, ${sandbox.ledger.posts().length - 1} videos paid. Memory: ${idleMb.toFixed(0)} MB idle, ${pausedMb.toFixed(0)} MB with all of them paused.`,
	].join('\n');
	return { text, missed: rows.some((cells) => cells[3] === 'miss') };
}

const row = (name: string, measured: string, mark: string, isMet: boolean) => [
	name,
	measured,
	mark,
	isMet ? 'met' : 'miss',
];

/** Publishes `Webhook → Seedance (pauses)`. */
async function publish(n8n: N8nServer, sandbox: Sandbox) {
	const { id, name } = await n8n.api.createCredential({
		name: 'Seedance account',
		type: 'seedanceApi',
		data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl },
	});
	const path = randomUUID();
	const node = (more: Partial<INode> & { name: string; type: string }): INode => ({
		id: randomUUID(),
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
		...more,
	});
	const saved = await n8n.api.createWorkflow({
		name: 'Many that pause',
		nodes: [
			node({
				name: 'Webhook',
				type: 'n8n-nodes-base.webhook',
				typeVersion: 2,
				webhookId: path,
				parameters: { httpMethod: 'POST', path },
			}),
			node({
				name: 'Seedance',
				type: 'n8n-nodes-seedance.seedance',
				credentials: { seedanceApi: { id, name } },
				parameters: {
					resource: 'video',
					operation: 'generateAndWait',
					waitMethod: 'callback',
					prompt: '={{ $json.body.prompt }}',
				},
			}),
		],
		connections: { Webhook: { main: [[{ node: 'Seedance', type: 'main', index: 0 }]] } },
		settings: { executionOrder: 'v1' },
	});
	await n8n.api.activateWorkflow(saved.id);
	return { workflowId: saved.id, path };
}

/** How many executions of a workflow have this status. */
async function executionsIn(n8n: N8nServer, workflowId: string, status: string): Promise<number> {
	const filter = encodeURIComponent(JSON.stringify({ workflowId, status: [status] }));
	const answer = await n8n.api.call('GET', `/executions?filter=${filter}&limit=1`);
	const count: unknown =
		typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'count') : 0;
	return Number(count);
}

/** Seconds from the moment a video was ready to the end of the execution that waited for it. */
async function secondsToEnd(
	n8n: N8nServer,
	readyAt: ReadonlyMap<string, number>,
): Promise<number[]> {
	const seconds: number[] = [];
	// A new n8n counts its executions from 1, and has run no others; the first one was the warm-up.
	for (let id = 2; id <= readyAt.size + 1; id++) {
		const { runData, stoppedAt } = await n8n.api.getExecution(String(id));
		const json = runData.Seedance?.at(-1)?.data?.main[0]?.[0]?.json;
		const at = readyAt.get(String(json?.task_id));
		if (at !== undefined && json?.succeeded === true) {
			seconds.push((Date.parse(stoppedAt ?? '') - at) / 1000);
		}
	}
	return seconds;
}

/** Resident megabytes of n8n's process, the lowest of several readings after a rest: garbage is no cost of waiting. */
async function memoryAtRest(n8n: N8nServer): Promise<number> {
	const readings: number[] = [];
	for (let reading = 0; reading < READINGS; reading++) {
		await sleep(REST_MS / READINGS, undefined, { signal: interruption.signal });
		const file = `/proc/${n8n.pid}/status`;
		if (!existsSync(file))
			throw new BenchError('This system does not tell the memory of a process.');
		readings.push(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, 'utf8'))?.[1]) / 1024);
	}
	return Math.min(...readings);
}

function shuffled<T>(list: readonly T[]): T[] {
	const copy = [...list];
	for (let last = copy.length - 1; last > 0; last--) {
		const other = Math.floor(Math.random() * (last + 1));
		[copy[last], copy[other]] = [copy[other], copy[last]];
	}
	return copy;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
	for (const end = Date.now() + PATIENCE_MS; !(await holds()); ) {
		if (Date.now() > end)
			throw new BenchError(`Still not so after ${PATIENCE_MS / 1000} s: ${what}.`);
		await sleep(500, undefined, { signal: interruption.signal });
	}
}

function say(text: string): void {
	process.stderr.write(`${text}\n`);
}

main().catch((error: unknown) => {
	const expected = [BenchError, InstallationError].some((kind) => error instanceof kind);
	const text = error instanceof Error ? (expected ? error.message : error.stack) : String(error);
	process.stderr.write(`\n${text}\n`);
	process.exitCode = interruption.signal.aborted ? 130 : 1;
});
