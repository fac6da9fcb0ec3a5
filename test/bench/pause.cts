/**
 * `npm run bench:pause`: what it costs n8n when many executions pause until a callback: memory while they wait, reads of
 * each video, and how soon all go on when all videos get ready in the same instant.
 *
 * Beside it stand as many executions of a workflow that a user builds by hand: an HTTP Request node and n8n's own Wait node,
 * resumed by the same callbacks. What they need is n8n's own rate of resuming on this machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { N8nApiError } from '../support/n8n/server.cjs';
import { BenchError, runProgram, type Program, type Report } from './program.cjs';
import { atOnce, median, percentile, table, type Figure } from './report.cjs';
import { Setup, type Flow } from './setup.cjs';

const USAGE = `Usage: npm run bench:pause -- [--quick] [--write]
  --quick    30 executions instead of 300
  --write    put the results into test/bench/RESULTS.md`;

const STARTS_AT_ONCE = 4;
/** Milliseconds n8n gets to come to rest before its memory is read, and how often it is read then. */
const REST_MS = 10_000;
const READINGS = 5;
const MAX_MS = 300_000;
/** Milliseconds without progress after which the remaining executions count as lost. */
const STANDSTILL_MS = 60_000;
/** Attempts of the sender for one callback, for both kinds: n8n refuses some while it is busy. Neighbours make 3 to 10. */
const ATTEMPTS = 6;

/**
 * What is to be reached: megabytes of memory and reads for each execution, and how many times as long as n8n's own Wait nodes
 * all of them may take to resume.
 */
const MARKS = { memoryMb: 1, reads: 3, timesAsLong: 2 };

async function measure(program: Program): Promise<Report> {
	const { command, machine, quick, say } = program;
	const count = quick ? 30 : 300;
	say('Starting n8n with the package, and the sandbox');
	const setup = await Setup.start(program);
	try {
		const others = setup.watchOthers();
		const byHand = await measureKind(program, setup, 'pauseByHand', count);
		const ours = await measureKind(program, setup, 'pause', count);
		const figures = figuresOf(ours, byHand, count).map(({ name, ours, mark = '', isMet }) => {
			return [name, ours, mark, isMet === undefined ? '' : isMet ? 'met' : 'miss'];
		});
		const note = `${count} executions paused on one n8n, their videos ready in the same instant. Memory: ${ours.idleMb.toFixed(0)} MB idle, ${ours.waitingMb.toFixed(0)} MB with all of them paused.`;
		return {
			summary: `\`${command}\`, ${machine} · ${others()}`,
			text: `${table(['Figure', 'measured', 'mark', ''], figures)}\n\n${note}`,
		};
	} finally {
		await setup.stop();
	}
}

/** Executions of one kind that wait for callbacks, and how they went on. */
type Kind = Awaited<ReturnType<typeof measureKind>>;

/** Starts as many executions, lets all their videos get ready in the same instant, and waits for the end of all of them. */
async function measureKind(
	{ say, signal }: Program,
	setup: Setup,
	workflow: string,
	count: number,
) {
	const { sandbox } = setup;
	sandbox.callbacks.plan = { ...sandbox.callbacks.plan, attempts: ATTEMPTS };
	const flow = await setup.publish(workflow);
	const untilWaiting = async (due: number) => {
		const areThere = async () => (await countWaiting(flow)) === due;
		await setup.until(`${due} executions wait (${workflow})`, areThere, MAX_MS);
	};
	const finishAll = () => {
		const open = sandbox.tasks.all().filter(({ ended }) => !ended);
		for (const { id } of open) sandbox.finish(id);
		return open;
	};

	say(`${workflow}: warming up`);
	await flow.start({ prompt: 'warm-up' });
	await untilWaiting(1);
	finishAll();
	await untilWaiting(0);
	const idleBeforeMb = await memoryAtRest(setup, signal);

	say(`${workflow}: starting ${count} executions`);
	const limits = { limit: STARTS_AT_ONCE, count, signal };
	await atOnce(limits, async (row) => await flow.start({ prompt: `boat ${row}` }));
	await untilWaiting(count);
	const waitingMb = await memoryAtRest(setup, signal);

	say(`${workflow}: all videos get ready`);
	const readyAt = Date.now();
	const tasks = finishAll();
	await sandbox.callbacks.settled();
	await untilStandstill(flow, signal);
	// Right after its start n8n holds garbage that it drops under load: the lower of both is its idle memory.
	const idleMb = Math.min(idleBeforeMb, await memoryAtRest(setup, signal));

	const [, ...executions] = await flow.executions();
	const ended = executions.filter(({ status }) => status === 'success');
	if (!ended.length) throw new BenchError(`No execution ended with its video (${workflow}).`);
	const most = (of: (id: string) => readonly unknown[]) =>
		Math.max(...tasks.map(({ id }) => of(id).length));
	return {
		/** Executions that still waited when no callback was on its way any more. */
		lost: count - ended.length,
		/** Megabytes of n8n while none waits, and while all do. */
		idleMb,
		waitingMb,
		/** Seconds from the moment the videos were ready to the end of each execution. */
		seconds: ended.map(({ stoppedAt }) => (Date.parse(stoppedAt ?? '') - readyAt) / 1000),
		/** Callbacks that were sent for each task, the most; more than one means that n8n asked for another try. */
		callbacks: most((id) => sandbox.callbacks.of(id)),
		/** Reads of each task, the most. */
		reads: most((id) => sandbox.ledger.statusReads(id)),
	};
}

/** Executions that wait; undefined while n8n is too busy to say: it returns 503 then, to every request. */
async function countWaiting(flow: Flow): Promise<number | undefined> {
	try {
		return await flow.count(['waiting']);
	} catch (error) {
		if (error instanceof N8nApiError && error.status === 503) return undefined;
		throw error;
	}
}

/** Waits until no execution waits any more, or until there is no more progress. */
async function untilStandstill(flow: Flow, signal: AbortSignal): Promise<void> {
	let last: number | undefined;
	for (let since = Date.now(); Date.now() - since < STANDSTILL_MS; ) {
		const waiting = await countWaiting(flow);
		if (waiting === 0) return;
		// n8n was too busy to say.
		if (waiting === undefined || waiting !== last) since = Date.now();
		last = waiting ?? last;
		await sleep(1_000, undefined, { signal });
	}
}

/** Resident megabytes of n8n's process, the lowest of several readings after a rest: garbage is no cost of waiting. */
async function memoryAtRest(setup: Setup, signal: AbortSignal): Promise<number> {
	const readings: number[] = [];
	for (let reading = 0; reading < READINGS; reading++) {
		await sleep(REST_MS / READINGS, undefined, { signal });
		readings.push(setup.memoryMb().now);
	}
	return Math.min(...readings);
}

function figuresOf(ours: Kind, byHand: Kind, count: number): Figure[] {
	const last = ({ seconds }: Kind) => Math.max(...seconds);
	const pace = (kind: Kind) =>
		`${last(kind).toFixed(1)} s, ${(kind.seconds.length / last(kind)).toFixed(1)} a second`;
	const figure = (name: string, value: string | number, mark?: string, isMet?: boolean) => {
		return { name, ours: String(value), mark, isMet };
	};
	const memoryMb = (ours.waitingMb - ours.idleMb) / count;
	const isInTime = last(ours) / last(byHand) <= MARKS.timesAsLong;
	const { memoryMb: most, reads, timesAsLong } = MARKS;
	return [
		figure(
			'Memory of n8n per paused execution',
			`${memoryMb.toFixed(2)} MB`,
			`< ${most} MB`,
			memoryMb < most,
		),
		figure('Reads of each video, the most', ours.reads, `≤ ${reads}`, ours.reads <= reads),
		figure('Executions that did not resume', ours.lost, '0', ours.lost === 0),
		figure("… n8n's own Wait nodes", byHand.lost),
		figure(
			'The others resumed within',
			pace(ours),
			`≤ ${timesAsLong} × n8n's Wait nodes`,
			isInTime,
		),
		figure("… n8n's own Wait nodes", pace(byHand)),
		figure('… half of them', `${median(ours.seconds).toFixed(1)} s`),
		figure('… 95 % of them', `${percentile(ours.seconds, 0.95).toFixed(1)} s`),
		figure('Callbacks sent for one video, the most', ours.callbacks),
		figure("… to n8n's own Wait nodes", byHand.callbacks),
	];
}

void runProgram('bench:pause', USAGE, measure);
