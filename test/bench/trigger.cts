/**
 * `npm run bench:trigger`: how many deliveries a second the Seedance Trigger takes and refuses, beside n8n's own Webhook
 * node in the same n8n, which does no more than start a run.
 *
 * The kinds of delivery alternate, in several rounds and another order in each, so that what else the machine does
 * falls on all of them. Runs count when they have ended: n8n responds before that.
 */
import axios from 'axios';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { prepareKinds, type Kind } from './deliveries.cjs';
import { BenchError, runProgram, type Program, type Report } from './program.cjs';
import { atOnce, percentile, ratioOf, table } from './report.cjs';
import { Setup } from './setup.cjs';

const USAGE = `Usage: npm run bench:trigger -- [--quick] [--write]
  --quick    fewer and shorter rounds, and only of what has a mark: 1.5 minutes instead of 5, at most
  --write    put the results into test/bench/RESULTS.md`;

/** The folder that n8n has to load for the trigger that does nothing. */
const BARE_TRIGGER = join(__dirname, 'bareTrigger');

/** Connections that are kept open, each with one delivery at a time. */
const CONNECTIONS = 10;

/** `ms`: how long each kind of delivery lasts in a round. */
const USUAL = { rounds: 5, ms: 3_000 };
const QUICK = { rounds: 3, ms: 1_500 };
/** The trigger remembers 1,000 events; "repeated" has to be among them. */
const MOST_REQUESTS = 900;
/** Milliseconds. */
const RESPONSE_TIMEOUT = 30_000;
const RUNS_TIMEOUT = 60_000;
const COUNT_EVERY = 100;

/** One kind in one round. */
type Measured = Awaited<ReturnType<typeof deliver>>;

async function measure(program: Program): Promise<Report> {
	const { command, machine, quick, say } = program;
	say('Starting n8n with the package, and the sandbox');
	const setup = await Setup.start(program, { taskSeconds: 0 }, BARE_TRIGGER);
	try {
		const all = await prepareKinds(setup);
		const kinds = quick ? all.filter(({ mark }, at) => at === 0 || mark) : all;
		const others = setup.watchOthers();
		const rounds = await measureKinds(program, setup, kinds);
		return {
			summary: `\`${command}\`, ${machine} · ${others()} · ${rounds[0].length} rounds · ${CONNECTIONS} connections`,
			text: report(kinds, rounds),
		};
	} finally {
		await setup.stop();
	}
}

/** Warms up, and measures every kind in every round; gives the rounds of each kind, in the order of `kinds`. */
async function measureKinds({ quick, say, signal }: Program, setup: Setup, kinds: readonly Kind[]) {
	const { rounds, ms } = quick ? QUICK : USUAL;
	const limits = { limit: CONNECTIONS, count: MOST_REQUESTS, maxMs: ms, signal };
	const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
	const measured: Measured[][] = kinds.map(() => []);
	// The first of each is the warm-up, in which n8n still loads and compiles, and is written over.
	for (let round = -1; round < rounds; round++) {
		for (let turn = 0; turn < kinds.length; turn++) {
			const at = (Math.max(0, round) + turn) % kinds.length;
			const found = await deliver(setup, kinds[at], limits, agent);
			measured[at][Math.max(0, round)] = found;
			const name = round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`;
			say(`${name}, ${kinds[at].name}: ${rateOf(found).toFixed(1)}/s`);
		}
	}
	agent.destroy();
	return measured;
}

/** Sends deliveries of a kind within the limits. Throws when anything else happens than that kind says. */
async function deliver(
	setup: Setup,
	kind: Kind,
	limits: Parameters<typeof atOnce>[0],
	httpAgent: Agent,
) {
	const deliveries = await kind.make(limits.count);
	const runsBefore = await kind.flow.count();
	const readsBefore = setup.sandbox.ledger.statusReads().length;
	const cpuBefore = setup.cpuMs();
	const started = performance.now();
	const responses = await atOnce(limits, async (index) => {
		const sent = performance.now();
		const { url, body } = deliveries[index];
		const { status } = await axios.post<unknown>(url, body, {
			headers: { 'content-type': 'application/json' },
			httpAgent,
			timeout: RESPONSE_TIMEOUT,
			validateStatus: () => true,
			proxy: false,
		});
		return { status, ms: performance.now() - sent };
	});
	const respondedMs = performance.now() - started;
	const requests = responses.length;
	// What was cut off was not delivered, so it cannot be repeated either.
	deliveries.length = requests;
	const runs = kind.startsRuns ? requests : 0;
	const haveEnded = async () => (await kind.flow.count()) >= runsBefore + runs;
	await setup.until(`${kind.name}: all runs end`, haveEnded, RUNS_TIMEOUT, COUNT_EVERY);
	const endedMs = kind.startsRuns ? performance.now() - started : respondedMs;
	const cpuMs = setup.cpuMs() - cpuBefore;

	const wrong = responses.find(({ status }) => status !== kind.status);
	const log = () => setup.n8n.log().trim().split('\n').slice(-10).join('\n');
	if (wrong) throw new BenchError(`${kind.name}: a response was ${wrong.status}. n8n:\n${log()}`);
	const succeeded = (await kind.flow.count(['success'])) - runsBefore;
	const reads = setup.sandbox.ledger.statusReads().length - readsBefore;
	if (succeeded !== runs || reads !== (kind.reads ? requests : 0)) {
		throw new BenchError(
			`${kind.name}: of ${requests} deliveries, ${succeeded} runs succeeded, and ${reads} reads reached the API.`,
		);
	}
	return {
		requests,
		/** Milliseconds of each response. */
		responses: responses.map(({ ms }) => ms),
		/** Milliseconds from the first sending to the last response. */
		respondedMs,
		/** … until every run has ended; the same where none starts. */
		endedMs,
		/** Milliseconds that n8n's process used of all cores meanwhile. */
		cpuMs,
	};
}

/** Deliveries a second, the runs that they start included. */
const rateOf = ({ requests, endedMs }: Measured) => (requests / endedMs) * 1000;

const sum = (rounds: readonly Measured[], of: 'requests' | 'respondedMs' | 'endedMs' | 'cpuMs') =>
	rounds.reduce((total, round) => total + round[of], 0);

/** What one delivery costs n8n, in milliseconds of processor time. */
const cpuMsOfOne = (rounds: readonly Measured[]) => sum(rounds, 'cpuMs') / sum(rounds, 'requests');

function report(kinds: readonly Kind[], measured: Measured[][]): string {
	const compare = (at: number, baseAt: number) => ({
		ratio: ratioOf(measured[at].map(rateOf), measured[baseAt].map(rateOf)),
		byCpu: (cpuMsOfOne(measured[baseAt]) / cpuMsOfOne(measured[at])).toFixed(2),
	});
	const rows = kinds.map(({ name, mark }, at) => {
		const rounds = measured[at];
		const requests = sum(rounds, 'requests');
		const endedMs = sum(rounds, 'endedMs');
		const responses = rounds.flatMap((one) => one.responses);
		const { ratio, byCpu } = compare(at, 0);
		return [
			name,
			String(requests),
			(endedMs / 1000).toFixed(1),
			((requests / endedMs) * 1000).toFixed(1),
			((requests / sum(rounds, 'respondedMs')) * 1000).toFixed(1),
			percentile(responses, 0.5).toFixed(0),
			percentile(responses, 0.95).toFixed(0),
			cpuMsOfOne(rounds).toFixed(0),
			byCpu,
			at === 0 ? '1' : ratio.text,
			mark === undefined ? '' : `≥ ${mark}: ${ratio.median >= mark ? 'met' : 'miss'}`,
		];
	});
	const head =
		'Delivery|requests|seconds|per second|responses per second|p50 ms|p95 ms|CPU ms|× by CPU|× Webhook node|mark';
	// What is left of the rates when only what n8n does itself counts: the marks do not show it.
	const least = kinds.flatMap(({ name, least }, at) => {
		const leastAt = kinds.findIndex((kind) => kind.name === least);
		if (leastAt < 0) return [];
		const { ratio, byCpu } = compare(at, leastAt);
		return [`- ${name}: ${ratio.median.toFixed(2)}, by CPU ${byCpu} × "${least}"`];
	});
	const explained = least.length ? [LEAST, least.join('\n')] : [];
	return [table(head.split('|'), rows), LEGEND, ...explained].join('\n\n');
}

const LEGEND = `Seconds run from the first delivery until every run has ended; p50 and p95 are of the responses; CPU is what
n8n's process used of all cores for one delivery. × Webhook node: how many times its rate, the middle of the
rounds, with the lowest and the highest; × by CPU: the same reckoned from CPU, which other programs hardly move.`;

const LEAST = `n8n 2.41 builds an isolate for expressions for each delivery to a trigger other than its own Webhook node, one for
each run and one whenever a credential is read. So the least that a trigger of any package can cost decides too:`;

void runProgram('bench:trigger', USAGE, measure);
