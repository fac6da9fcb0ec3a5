/**
 * `npm run bench:pause`: what it costs n8n when many executions pause until a callback: memory while they wait, looks at
 * each video, and how soon each goes on after its callback.
 *
 * The videos get ready one after the other, in a random order, at a pace that the machine can keep: what is measured is
 * the way from a callback to the end of its execution, not how many of them fit into a second. `test/run.mjs` builds and
 * packs the package and hands it over in SEEDANCE_TARBALL.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { ensureN8n, InstallationError, type Execution } from '../support/n8n/server.cjs';
import { seedanceNode, startBed, type Bed } from './bed.cjs';
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

async function measure(bed: Bed, count: number): Promise<{ text: string; missed: boolean }> {
	const { sandbox } = bed;
	const pausing = seedanceNode(bed, 'generateAndWait', { waitMethod: 'callback' });
	const flow = await bed.publish('Many that pause', [pausing]);
	const start = async (prompt: string) => await flow.start([{ prompt }]);
	const untilWaiting = async (due: number) =>
		await bed.until(
			`${due} executions wait`,
			async () => (await flow.count(['waiting'])) === due,
			PATIENCE_MS,
		);

	say('Warming up');
	await start('warm-up');
	await untilWaiting(1);
	sandbox.finish(sandbox.tasks.all()[0].id);
	await untilWaiting(0);
	const idleBeforeMb = await memoryAtRest(bed);
	const mark = await bed.newestExecution();

	say(`Starting ${count} executions`);
	await atOnce(
		STARTS_AT_ONCE,
		count,
		async (row) => await start(`boat ${row}`),
		Infinity,
		interruption.signal,
	);
	await untilWaiting(count);
	const pausedMb = await memoryAtRest(bed);

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
	await untilWaiting(0);

	// Right after its start n8n holds garbage that it drops under load: the lower of both is its idle memory.
	const idleMb = Math.min(idleBeforeMb, await memoryAtRest(bed));
	const seconds = secondsToEnd(await bed.executionsSince(mark, flow), readyAt);
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

/** Seconds from the moment a video was ready to the end of the execution that waited for it. */
function secondsToEnd(
	executions: readonly Execution[],
	readyAt: ReadonlyMap<string, number>,
): number[] {
	return executions.flatMap(({ runData, stoppedAt }) => {
		const json = runData.Seedance?.at(-1)?.data?.main[0]?.[0]?.json;
		const at = readyAt.get(String(json?.task_id));
		if (at === undefined || json?.succeeded !== true) return [];
		return [(Date.parse(stoppedAt ?? '') - at) / 1000];
	});
}

/** Resident megabytes of n8n's process, the lowest of several readings after a rest: garbage is no cost of waiting. */
async function memoryAtRest(bed: Bed): Promise<number> {
	const readings: number[] = [];
	for (let reading = 0; reading < READINGS; reading++) {
		await sleep(REST_MS / READINGS, undefined, { signal: interruption.signal });
		readings.push(bed.memoryMb().now);
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

function say(text: string): void {
	process.stderr.write(`${text}\n`);
}

main().catch((error: unknown) => {
	const expected = [BenchError, InstallationError].some((kind) => error instanceof kind);
	const text = error instanceof Error ? (expected ? error.message : error.stack) : String(error);
	process.stderr.write(`\n${text}\n`);
	process.exitCode = interruption.signal.aborted ? 130 : 1;
});
