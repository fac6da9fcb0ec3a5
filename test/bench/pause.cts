/**
 * `npm run bench:pause`: what it costs n8n when many executions pause until a callback: memory while they wait, looks at
 * each video, and how soon all go on when all videos get ready in the same instant.
 *
 * Beside it stand as many executions of a workflow that a user builds by hand: an HTTP Request node and n8n's own Wait node,
 * resumed by the same callbacks. What they need is n8n's own rate of resuming on this machine. `test/run.mjs` builds
 * and packs the package and hands it over in SEEDANCE_TARBALL.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { ensureN8n, InstallationError, N8nApiError } from '../support/n8n/server.cjs';
import { httpCreate, seedanceNode, startBed, type Bed, type Flow, type FlowNode } from './bed.cjs';
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

const USAGE = `Usage: ${COMMAND} -- [--quick] [--count <n>] [--check] [--write]
  --quick    30 executions instead of 300
  --count    so many executions
  --check    exit code 1 when a mark is missed
  --write    put the results into test/bench/RESULTS.md`;

/** Executions that are started at the same time. */
const STARTS_AT_ONCE = 4;
/** Milliseconds n8n gets to come to rest before its memory is read, and how often it is read then. */
const REST_MS = 10_000;
const READINGS = 5;
const PATIENCE_MS = 300_000;
/** Milliseconds without a further execution that goes on, after which the others count as lost. */
const STANDSTILL_MS = 60_000;
/** Attempts of the sender for one callback, for both kinds: n8n refuses some while it is busy. Neighbours make 3 to 10. */
const ATTEMPTS = 6;

/**
 * What is to be reached: megabytes of memory and looks for each execution, and how many times as long as n8n's own Wait nodes
 * all of them may take to resume.
 */
const MARKS = { memoryMb: 1, looks: 3, timesAsLong: 2 };

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.on(signal, () => interruption.abort(new BenchError('Interrupted.')));
}

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: {
			quick: { type: 'boolean', default: false },
			count: { type: 'string' },
			check: { type: 'boolean', default: false },
			write: { type: 'boolean', default: false },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help) return say(USAGE);
	const packages = process.env.SEEDANCE_TARBALL;
	if (!packages) throw new BenchError(`There is no packed package here: run \`${COMMAND}\`.`);
	const machine = await machineLine(await ensureN8n(undefined, interruption.signal));
	const count = Number(values.count ?? (values.quick ? 30 : 300));
	if (!Number.isInteger(count) || count < 1) throw new BenchError(USAGE);

	say('Starting n8n with the package, and the sandbox');
	const bed = await startBed(packages, interruption.signal);
	try {
		const others = watchOthers(bed.n8n.pid);
		const { text, missed } = await measure(bed, count);
		const summary = `${machine} · ${others()}`;
		console.log(`\n${summary}\n\n${text}`);
		if (values.write) writeResults(COMMAND, `\`${COMMAND} -- --write\`, ${summary}\n\n${text}`);
		if (values.check && missed) process.exitCode = 1;
	} finally {
		await bed.stop();
	}
}

/** Executions of one kind that wait for callbacks, and how they went on. */
interface Kind {
	/** Executions that still waited when no callback was on its way any more. */
	lost: number;
	/** Megabytes of memory for each that waits. */
	memoryMb: number;
	/** Megabytes of n8n while none waits, and while all do. */
	idleMb: number;
	waitingMb: number;
	/** Seconds from the moment the videos were ready to the end of each execution, shortest first. */
	seconds: number[];
	/** Callbacks that were sent for each task, the most; more than one means that n8n asked for another try. */
	callbacks: number;
	/** Reads of each task, the most. */
	looks: number;
}

/** Starts as many executions, lets all their videos get ready in the same instant, and waits for the end of all of them. */
async function measureKind(
	bed: Bed,
	name: string,
	nodes: readonly FlowNode[],
	count: number,
): Promise<Kind> {
	const { sandbox } = bed;
	sandbox.callbacks.plan = { ...sandbox.callbacks.plan, attempts: ATTEMPTS };
	const flow = await bed.publish(name, nodes);
	const start = async (prompt: string) => await flow.start([{ prompt }]);
	const untilWaiting = async (due: number) =>
		await bed.until(
			`${due} executions wait (${name})`,
			async () => (await countWaiting(flow)) === due,
			PATIENCE_MS,
		);
	const open = () => sandbox.tasks.all().filter(({ ended }) => !ended);

	say(`${name}: warming up`);
	await start('warm-up');
	await untilWaiting(1);
	for (const { id } of open()) sandbox.finish(id);
	await untilWaiting(0);
	const idleBeforeMb = await memoryAtRest(bed);
	const mark = await bed.newestExecution();

	say(`${name}: starting ${count} executions`);
	await atOnce(
		STARTS_AT_ONCE,
		count,
		async (row) => await start(`boat ${row}`),
		Infinity,
		interruption.signal,
	);
	await untilWaiting(count);
	const waitingMb = await memoryAtRest(bed);

	say(`${name}: all videos get ready`);
	const tasks = open();
	const readyAt = Date.now();
	for (const { id } of tasks) sandbox.finish(id);
	await sandbox.callbacks.settled();
	const answers = tasks.flatMap(({ id }) => sandbox.callbacks.of(id));
	say(`${name}: ${answers.length} callbacks, answered ${tally(answers.map(statusOf))}`);
	await untilStandstill(flow);

	// Right after its start n8n holds garbage that it drops under load: the lower of both is its idle memory.
	const idleMb = Math.min(idleBeforeMb, await memoryAtRest(bed));
	const executions = await bed.executionsSince(mark, flow);
	const ended = executions.filter(({ status }) => status === 'success');
	if (!ended.length) throw new BenchError(`No execution ended with its video (${name}).`);
	const most = (numbers: readonly number[]) => Math.max(...numbers);
	return {
		lost: count - ended.length,
		memoryMb: (waitingMb - idleMb) / count,
		idleMb,
		waitingMb,
		seconds: ended
			.map(({ stoppedAt }) => (Date.parse(stoppedAt ?? '') - readyAt) / 1000)
			.sort((one, other) => one - other),
		callbacks: most(tasks.map(({ id }) => sandbox.callbacks.of(id).length)),
		looks: most(tasks.map(({ id }) => sandbox.ledger.statusReads(id).length)),
	};
}

/** The status of an answer, and its words where it is a refusal: n8n's own differ from the node's. */
function statusOf({ status, answer }: { status: number | null; answer: string }): string {
	if (status === null) return 'by nobody in time';
	const [, words = ''] = /"message":"((?:\\.|[^"])*)"/.exec(answer) ?? [];
	return status < 400 ? String(status) : `${status} ${words.replace(/\d+/g, '…')}`;
}

/** "200 (3), 503 (1)": how often each of these words stands there. */
function tally(words: readonly string[]): string {
	const counts = new Map<string, number>();
	for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
	return [...counts].map(([word, count]) => `${word} (${count})`).join(', ');
}

/** Executions that wait; undefined while n8n is too busy to tell: it answers 503 then, to every request. */
async function countWaiting(flow: Flow): Promise<number | undefined> {
	try {
		return await flow.count(['waiting']);
	} catch (error) {
		if (error instanceof N8nApiError && error.status === 503) return undefined;
		throw error;
	}
}

/** Waits until no execution waits any more, or until none of them goes on. */
async function untilStandstill(flow: Flow): Promise<void> {
	let last: number | undefined;
	for (let since = Date.now(); Date.now() - since < STANDSTILL_MS; await sleep(1_000)) {
		interruption.signal.throwIfAborted();
		const waiting = await countWaiting(flow);
		if (waiting === 0) return;
		// While n8n is too busy to tell, nobody knows.
		if (waiting === undefined || waiting !== last) since = Date.now();
		last = waiting ?? last;
	}
}

/** n8n's own Wait node behind an HTTP Request node that starts the video: what a user builds. */
function handBuilt(bed: Bed): FlowNode[] {
	const create = httpCreate(bed);
	const body =
		'={{ JSON.stringify({ prompt: $json.prompt, aspect_ratio: "9:16", resolution: "720p", duration: "8", callback_url: $execution.resumeUrl }) }}';
	return [
		{ ...create, parameters: { ...create.parameters, jsonBody: body } },
		{
			name: 'Wait',
			type: 'n8n-nodes-base.wait',
			typeVersion: 1.1,
			parameters: { resume: 'webhook', httpMethod: 'POST', options: {} },
		},
	];
}

async function measure(bed: Bed, count: number): Promise<{ text: string; missed: boolean }> {
	const pausing = seedanceNode(bed, 'generateAndWait', { waitMethod: 'callback' });
	const byHand = await measureKind(bed, 'HTTP Request → Wait', handBuilt(bed), count);
	const ours = await measureKind(bed, 'Pause Until Callback', [pausing], count);
	const [all, allByHand] = [ours, byHand].map(({ seconds }) => seconds[seconds.length - 1]);
	const times = all / allByHand;
	const pace = ({ seconds }: Kind) => {
		const last = seconds[seconds.length - 1];
		return `${last.toFixed(1)} s, ${(seconds.length / last).toFixed(1)} a second`;
	};
	const rows = [
		row(
			'Memory of n8n per paused execution',
			`${ours.memoryMb.toFixed(2)} MB`,
			`< ${MARKS.memoryMb} MB`,
			ours.memoryMb < MARKS.memoryMb,
		),
		row(
			'Looks at each video, the most',
			String(ours.looks),
			`≤ ${MARKS.looks}`,
			ours.looks <= MARKS.looks,
		),
		row('Executions that did not resume', String(ours.lost), '0', ours.lost === 0),
		["… n8n's own Wait nodes", String(byHand.lost), '', ''],
		row(
			'The others resumed within',
			pace(ours),
			`≤ ${MARKS.timesAsLong} × n8n's Wait nodes`,
			times <= MARKS.timesAsLong,
		),
		["… n8n's own Wait nodes", pace(byHand), '', ''],
		['… half of them', `${median(ours.seconds).toFixed(1)} s`, '', ''],
		['… 95 % of them', `${percentile(ours.seconds, 0.95).toFixed(1)} s`, '', ''],
		['Callbacks sent for one video, the most', String(ours.callbacks), '', ''],
		["… to n8n's own Wait nodes", String(byHand.callbacks), '', ''],
	];
	const text = [
		table(['Figure', 'measured', 'mark', ''], rows),
		'',
		`${count} executions paused on one n8n, their videos ready in the same instant. Memory: ${ours.idleMb.toFixed(0)} MB idle, ${ours.waitingMb.toFixed(0)} MB with all of them paused.`,
	].join('\n');
	return { text, missed: rows.some((cells) => cells[3] === 'miss') };
}

const row = (name: string, measured: string, mark: string, isMet: boolean) => [
	name,
	measured,
	mark,
	isMet ? 'met' : 'miss',
];

/** Resident megabytes of n8n's process, the lowest of several readings after a rest: garbage is no cost of waiting. */
async function memoryAtRest(bed: Bed): Promise<number> {
	const readings: number[] = [];
	for (let reading = 0; reading < READINGS; reading++) {
		await sleep(REST_MS / READINGS, undefined, { signal: interruption.signal });
		readings.push(bed.memoryMb().now);
	}
	return Math.min(...readings);
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
