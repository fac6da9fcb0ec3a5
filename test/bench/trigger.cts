/**
 * `npm run bench:trigger`: how many deliveries a second the Seedance Trigger takes and refuses, beside n8n's own Webhook
 * node in the same n8n, which does no more than start a run.
 *
 * The kinds of delivery take turns, in several rounds and another order in each, so that what else the machine does
 * falls on all of them. Runs count when they have ended: n8n answers before that. `test/run.mjs` builds and packs the
 * package and hands it over in SEEDANCE_TARBALL.
 */
import axios from 'axios';
import { Agent } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { startSandbox, type Sandbox } from '../sandbox/server.cjs';
import { ensureN8n, InstallationError, startN8n, type N8nServer } from '../support/n8n/server.cjs';
import {
	atOnce,
	BenchError,
	cpuMsOf,
	machineLine,
	percentile,
	ratioOf,
	table,
	watchOthers,
	writeResults,
} from './report.cjs';
import { BARE_TRIGGER, prepareKinds, type Kind } from './triggerKinds.cjs';

const COMMAND = 'npm run bench:trigger';

const USAGE = `Usage: ${COMMAND} -- [--quick] [--check] [--write]
  --quick    fewer and shorter rounds, and only of what has a mark: 1.5 minutes instead of 5, at most
  --check    exit code 1 when a mark is missed
  --write    put the results into test/bench/RESULTS.md`;

/** Connections that are kept open, each with one delivery at a time. */
const CONCURRENCY = 10;

/** `seconds`: how long each kind of delivery is to last in a round; the warm-up tells how many requests that takes. */
const PLANS = {
	usual: { rounds: 5, seconds: 3, warmUp: 40 },
	quick: { rounds: 3, seconds: 1.5, warmUp: 40 },
};

/** On a machine that got busy, a kind is cut off after so many times its seconds: the end has to come in time. */
const PATIENCE = 1.3;

/** The trigger remembers 1,000 events; "delivered before" has to be among them. */
const MOST_REQUESTS = 900;
const FEWEST_REQUESTS = 20;

/** Milliseconds. */
const ANSWER_TIMEOUT = 30_000;
const RUNS_TIMEOUT = 60_000;
/** Milliseconds between two looks at how many runs have ended; each look costs n8n a little. */
const LOOK_EVERY = 100;

/** One kind in one round. Times in milliseconds. */
interface Measured {
	requests: number;
	/** From the first sending to the last answer. */
	answeredMs: number;
	/** From the first sending until every run has ended; the same as `answeredMs` where none starts. */
	endedMs: number;
	/** Of each answer. */
	answers: number[];
	/** What n8n's process used of all cores meanwhile; NaN where the system does not tell. */
	cpuMs: number;
}

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.on(signal, () => interruption.abort(new BenchError('Interrupted.')));
}

const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });

async function main(): Promise<void> {
	const wishes = wishesOf(process.argv.slice(2));
	if (!wishes) return say(USAGE);
	const packages = process.env.SEEDANCE_TARBALL;
	if (!packages) throw new BenchError(`There is no packed package here: run \`${COMMAND}\`.`);
	const machine = await machineLine(await ensureN8n(undefined, interruption.signal));

	let sandbox: Sandbox | undefined;
	let n8n: N8nServer | undefined;
	try {
		say('Starting n8n with the package, and the sandbox');
		sandbox = await startSandbox({ taskSeconds: 0, credits: 1e9 });
		n8n = await startN8n({
			packages,
			customExtensions: BARE_TRIGGER,
			signal: interruption.signal,
		});
		const all = await prepareKinds(n8n, sandbox);
		const kinds = wishes.quick ? all.filter(({ mark }, at) => at === 0 || mark) : all;
		const others = watchOthers(n8n.pid);
		const measured = await measureAll(n8n, sandbox, kinds, wishes.plan);
		const { text, missed } = report(kinds, measured);
		const summary = `${machine} · ${others()} · ${wishes.plan.rounds} rounds · ${CONCURRENCY} connections`;
		console.log(`\n${summary}\n\n${text}`);
		if (wishes.write) writeResults(COMMAND, `\`${wishes.command}\`, ${summary}\n\n${text}`);
		if (wishes.check && missed) process.exitCode = 1;
	} finally {
		agent.destroy();
		await Promise.allSettled([n8n?.stop(), sandbox?.close()]);
	}
}

function wishesOf(args: string[]) {
	try {
		const { values } = parseArgs({
			args,
			options: {
				quick: { type: 'boolean', default: false },
				check: { type: 'boolean', default: false },
				write: { type: 'boolean', default: false },
				help: { type: 'boolean', short: 'h' },
			},
		});
		if (values.help) return undefined;
		return {
			...values,
			plan: values.quick ? PLANS.quick : PLANS.usual,
			command: [COMMAND, ...(args.length ? ['--', ...args] : [])].join(' '),
		};
	} catch (error) {
		throw new BenchError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
	}
}

/** Warms up, and measures every kind in every round; gives the rounds of each kind, in the order of `kinds`. */
async function measureAll(
	n8n: N8nServer,
	sandbox: Sandbox,
	kinds: readonly Kind[],
	{ rounds, seconds, warmUp }: (typeof PLANS)[keyof typeof PLANS],
): Promise<Measured[][]> {
	const maxMs = seconds * 1000 * PATIENCE;
	const requests: number[] = [];
	for (const kind of kinds) {
		// The second half tells the rate: in the first one, n8n still loads and compiles.
		await measure(n8n, sandbox, kind, warmUp / 2, maxMs);
		const rate = rateOf(await measure(n8n, sandbox, kind, warmUp / 2, maxMs));
		requests.push(Math.min(Math.max(Math.round(rate * seconds), FEWEST_REQUESTS), MOST_REQUESTS));
		say(`warm-up      ${kind.name}: ${rate.toFixed(1)}/s`);
	}
	const measured: Measured[][] = kinds.map(() => []);
	for (let round = 0; round < rounds; round++) {
		for (let turn = 0; turn < kinds.length; turn++) {
			const at = (round + turn) % kinds.length;
			const result = await measure(n8n, sandbox, kinds[at], requests[at], maxMs);
			measured[at].push(result);
			say(`round ${round + 1} of ${rounds} ${kinds[at].name}: ${rateOf(result).toFixed(1)}/s`);
		}
	}
	return measured;
}

/** Deliveries a second, the runs that they start included. */
function rateOf({ requests, endedMs }: Measured): number {
	return (requests / endedMs) * 1000;
}

function totalOf(rounds: readonly Measured[], figure: (one: Measured) => number): number {
	return rounds.reduce((total, one) => total + figure(one), 0);
}

/** What one delivery costs n8n, in milliseconds of processor time. */
function cpuMsOfOne(rounds: readonly Measured[]): number {
	return totalOf(rounds, (one) => one.cpuMs) / totalOf(rounds, (one) => one.requests);
}

/**
 * Sends so many deliveries of a kind, fewer when `maxMs` milliseconds are over. Throws when anything else happens than
 * that kind says.
 */
async function measure(
	n8n: N8nServer,
	sandbox: Sandbox,
	kind: Kind,
	most: number,
	maxMs: number,
): Promise<Measured> {
	const deliveries = await kind.make(most);
	const runsBefore = await n8n.api.countExecutions(kind.workflowId);
	const readsBefore = sandbox.ledger.statusReads().length;

	const cpuBefore = cpuMsOf(n8n.pid);
	const started = performance.now();
	const send = async (index: number) => {
		const sent = performance.now();
		const { url, body } = deliveries[index];
		const { status } = await axios.post<unknown>(url, body, {
			headers: { 'content-type': 'application/json' },
			httpAgent: agent,
			timeout: ANSWER_TIMEOUT,
			validateStatus: () => true,
			proxy: false,
		});
		return { status, ms: performance.now() - sent };
	};
	const answers = await atOnce(CONCURRENCY, most, send, maxMs, interruption.signal);
	const answeredMs = performance.now() - started;
	const requests = answers.length;
	// What was cut off was not delivered, so it cannot be repeated either.
	deliveries.length = requests;
	const runs = kind.startsRuns ? requests : 0;
	for (const end = Date.now() + RUNS_TIMEOUT; ; await sleep(LOOK_EVERY)) {
		interruption.signal.throwIfAborted();
		if ((await n8n.api.countExecutions(kind.workflowId)) >= runsBefore + runs) break;
		if (Date.now() > end) throw new BenchError(`${kind.name}: not all runs have ended.`);
	}
	const endedMs = kind.startsRuns ? performance.now() - started : answeredMs;
	const cpuMs = cpuMsOf(n8n.pid) - cpuBefore;

	const wrong = answers.find(({ status }) => status !== kind.status);
	if (wrong) throw new BenchError(`${kind.name}: an answer was ${wrong.status}.${logOf(n8n)}`);
	const succeeded = await n8n.api.countExecutions(kind.workflowId, ['success']);
	if (succeeded !== runsBefore + runs) {
		throw new BenchError(`${kind.name}: ${succeeded - runsBefore} runs succeeded, not ${runs}.`);
	}
	const reads = sandbox.ledger.statusReads().length - readsBefore;
	if (reads !== (kind.reads ? requests : 0)) {
		throw new BenchError(
			`${kind.name}: ${reads} reads reached the API, of ${requests} deliveries.`,
		);
	}
	return { requests, answeredMs, endedMs, cpuMs, answers: answers.map(({ ms }) => ms) };
}

function logOf(n8n: N8nServer): string {
	return ` The end of n8n's log:\n${n8n.log().trim().split('\n').slice(-10).join('\n')}`;
}

/** The table with its notes, and whether a mark was missed. */
function report(kinds: readonly Kind[], measured: Measured[][]): { text: string; missed: boolean } {
	let missed = false;
	const rows = kinds.map(({ name, mark }, at) => {
		const rounds = measured[at];
		const requests = totalOf(rounds, (one) => one.requests);
		const endedMs = totalOf(rounds, (one) => one.endedMs);
		const answeredMs = totalOf(rounds, (one) => one.answeredMs);
		const answers = rounds.flatMap((one) => one.answers);
		const ratio = ratioOf(rounds.map(rateOf), measured[0].map(rateOf));
		const byCpu = cpuMsOfOne(measured[0]) / cpuMsOfOne(rounds);
		const isMissed = mark !== undefined && ratio.median < mark;
		missed ||= isMissed;
		return [
			name,
			String(requests),
			(endedMs / 1000).toFixed(1),
			((requests / endedMs) * 1000).toFixed(1),
			((requests / answeredMs) * 1000).toFixed(1),
			percentile(answers, 0.5).toFixed(0),
			percentile(answers, 0.95).toFixed(0),
			cpuMsOfOne(rounds).toFixed(0),
			byCpu.toFixed(2),
			at === 0
				? '1'
				: `${ratio.median.toFixed(2)} (${ratio.lowest.toFixed(2)}–${ratio.highest.toFixed(2)})`,
			mark === undefined ? '' : `≥ ${mark}: ${isMissed ? 'miss' : 'met'}`,
		];
	});
	const head = [
		'Delivery',
		'requests',
		'seconds',
		'per second',
		'answered per second',
		'p50 ms',
		'p95 ms',
		'CPU ms',
		'× by CPU',
		'× Webhook node',
		'mark',
	];
	const notes = [
		'Seconds run from the first delivery until every run has ended; p50 and p95 are of the answers; CPU is what',
		"n8n's process used of all cores for one delivery. × Webhook node: how many times its rate, the middle of the",
		'rounds, with the lowest and the highest; × by CPU: the same reckoned from CPU, which other programs hardly move.',
		...compareWithLeast(kinds, measured),
	];
	return { text: `${table(head, rows)}\n\n${notes.join('\n')}`, missed };
}

/** What is left of the rates when only what n8n does itself counts: the marks cannot tell. */
function compareWithLeast(kinds: readonly Kind[], measured: Measured[][]): string[] {
	const lines = kinds.flatMap(({ name, least }, at) => {
		const leastAt = kinds.findIndex((kind) => kind.name === least);
		if (leastAt < 0) return [];
		const ratio = ratioOf(measured[at].map(rateOf), measured[leastAt].map(rateOf));
		const byCpu = cpuMsOfOne(measured[leastAt]) / cpuMsOfOne(measured[at]);
		return [`- ${name}: ${ratio.median.toFixed(2)}, by CPU ${byCpu.toFixed(2)} × "${least}"`];
	});
	if (!lines.length) return [];
	return [
		'',
		'n8n 2.41 builds an isolate for expressions for each delivery to a trigger other than its own Webhook node, one for',
		'each run and one whenever a credential is read. So the least that a trigger of any package can cost decides too:',
		'',
		...lines,
	];
}

/** Progress; the table alone goes to stdout. */
function say(text: string): void {
	process.stderr.write(`${text}\n`);
}

main().catch((error: unknown) => {
	// The installer has said it already.
	if (!(error instanceof InstallationError)) {
		const isExpected = error instanceof BenchError || interruption.signal.aborted;
		const { message, stack } = error instanceof Error ? error : { message: error, stack: error };
		say(`\n${isExpected ? message : stack}`);
	}
	process.exitCode = interruption.signal.aborted ? 130 : 1;
});
