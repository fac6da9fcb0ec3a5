/** What the list of videos costs, beside what a user would build by hand with n8n's Data Table node to pay once. */
import { randomUUID } from 'node:crypto';
import { itemsOf, type Execution } from '../support/n8n/server.cjs';
import type { Bench, Measured } from './bench.cjs';
import { BenchError } from './program.cjs';
import { compare, median, type Figure } from './report.cjs';
import type { Flow, Setup } from './setup.cjs';

const USUAL = { many: 50, rounds: { 1: 7, many: 3 }, rows: 10_000, megabytes: 60, atOnce: 5 };
const QUICK = { many: 10, rounds: { 1: 3, many: 1 }, rows: 1_000, megabytes: 6, atOnce: 1 };
/** Milliseconds that the list may cost: the only video of a run, each of many, and ten equal keys until it is decided. */
const MARK = { 1: 500, many: 120, atOnce: 2_000 };
const GROSS = 4;
const EQUAL_KEYS = 10;
/** Seconds that the videos of the run take whose calls are counted: two minutes, and the time to start them. */
const WAIT_SECONDS = 130;
const [FEW, FEW_SECONDS] = [5, 6];
const MAX_MS = 240_000;
const INSERTED_AT_ONCE = 500;
const TEXT = 'x'.repeat(20_000);
const FREE = { video_key: '', claim: '', claimed_until: '' };
const FILLED = {
	...FREE,
	status: 'SUCCESS',
	handed_on: true,
	prompt: 'A boat at sea. '.repeat(10),
};
const HAND_COLUMNS = ['video_key', 'task_id', 'status', 'prompt'];

const KEY = { videoKey: '={{ $json.key }}' };
const OFF = { options: { videoList: false } };
const KINDS = ['on', 'off', 'skip', 'byHand'] as const;
type Kind = (typeof KINDS)[number];

export async function list(bench: Bench): Promise<Measured> {
	const { quick, say, withSetup } = bench;
	const { many, rounds, rows, megabytes } = quick ? QUICK : USUAL;
	return await withSetup(async (setup) => {
		const on = await setup.publish('generate');
		await on.run(videos(1), MAX_MS);
		const tables = new Tables(setup.n8n.api);
		const own = await tables.find('Seedance Videos');
		const hand = await tables.create('Videos by hand', HAND_COLUMNS);
		const flows: Record<Kind, Flow> = {
			on,
			off: await setup.publish('generate', OFF),
			skip: await setup.publish('generate', { ...KEY, ifExists: 'skip' }),
			byHand: await setup.publish('listByHand', {}, { TABLE: hand }),
		};
		for (const kind of KINDS) await flows[kind].run(videos(2), MAX_MS);
		const figures: Figure[] = [];
		const measure = async (what: string) => {
			for (const [count, times, mark] of [
				[1, rounds[1], MARK[1]],
				[many, rounds.many, MARK.many],
			]) {
				say(`${count} at a time, ${what}: ${times} rounds`);
				figures.push(...costsOf(await roundsOf(flows, count, times), count, what, mark));
			}
		};
		if (!quick) await measure('new table');
		say(`Filling: ${rows} rows in each table, ${megabytes} MB in another`);
		const filled = (row: number) => ({
			...FILLED,
			identity: randomUUID(),
			task_id: `filled-${row}`,
		});
		await tables.fill(own, rows, filled);
		await tables.fill(hand, rows, (row) => ({ video_key: `filled-${row}`, prompt: 'A boat' }));
		const other = await tables.create('Other', ['text']);
		await tables.fill(other, (megabytes * 1e6) / TEXT.length, () => ({ text: TEXT }));
		await measure(`${rows.toLocaleString('en')} rows`);
		figures.push(...(await equalKeys(bench, setup, flows.byHand)));
		say('Videos that take their time');
		if (!quick) figures.push(await wholeRun(setup, hand), await callsWhileWaiting(setup, flows));
		return {
			figures,
			note: `Generate Without Waiting against an API that responds at once, from the first row to the end of the execution, less the same with Keep Video List off; the middle of alternating rounds. By hand: Loop Over Items → Data Table Get → IF → Insert → Seedance without its list → Data Table Update. The tables were filled over n8n's REST interface: ${rows.toLocaleString('en')} rows in each of both, ${megabytes} MB in a third. Calls are the sub-workflows of a run, counted by the execution numbers that they take.`,
		};
	});
}

let made = 0;
const videos = (count: number, seconds = '') =>
	Array.from({ length: count }, () => ({
		// Other rows of the bench share the sandbox, and its boats.
		prompt: `A listed boat ${++made}${seconds}`,
		key: `key ${made}`,
	}));

/** By kind, a value for each round. */
type Round = Record<Kind, number[]>;

/** Runs all kinds alternately, each round in another order. */
async function roundsOf(flows: Record<Kind, Flow>, count: number, rounds: number) {
	const empty = () => ({ on: [], off: [], skip: [], byHand: [] });
	const [ms, calls]: [Round, Round] = [empty(), empty()];
	let last: { kind: Kind; id: number } | undefined;
	for (let round = 0; round < rounds; round++) {
		for (const at of KINDS.keys()) {
			const kind = KINDS[(at + round) % KINDS.length];
			const execution = await flows[kind].run(videos(count), MAX_MS);
			const started = execution.runData.Seedance?.flatMap(({ data }) => data?.main[0] ?? []);
			if (execution.status !== 'success' || started?.length !== count) {
				throw new BenchError(`${count} videos (${kind}) ended as "${execution.status}".`);
			}
			ms[kind].push(wallMs(execution));
			const id = Number(execution.id);
			if (last) calls[last.kind].push(id - last.id - 1);
			last = { kind, id };
		}
	}
	return [ms, calls] as const;
}

const wallMs = ({ runData, stoppedAt }: Execution) =>
	Date.parse(stoppedAt ?? '') - runData.Rows[0].startTime;

function costsOf(
	[ms, calls]: readonly [Round, Round],
	count: number,
	what: string,
	mark: number,
): Figure[] {
	const more = (kind: Kind) =>
		median(ms[kind].map((value, round) => value - ms.off[round])) / count;
	const written = (value: number) => `${value.toFixed(0)} ms`;
	const name = count === 1 ? `1 video, ${what}` : `${count} videos, ${what}, for each`;
	const [on, skip, byHand] = [more('on'), more('skip'), more('byHand')];
	return [
		{
			...compare(`${name}: more than without the list`, [on, byHand], written),
			mark: `≤ ${mark} ms`,
			isMet: on <= mark,
			isGross: on > GROSS * mark,
		},
		{
			...compare(`${name}: with a Reuse Key and Skip`, [skip, byHand], written),
			mark: '≤ by hand',
			isMet: skip <= byHand,
		},
		{
			name: `${name}: calls of a run, without and with a key`,
			ours: `${median(calls.on)}, ${median(calls.skip)}`,
		},
	];
}

/** Executions that start in the same moment with one key, until one of them sends its request. */
async function equalKeys({ quick, say }: Bench, setup: Setup, byHand: Flow): Promise<Figure[]> {
	const { atOnce } = quick ? QUICK : USUAL;
	const ours = await setup.publish('generate', { ...KEY, ifExists: 'always' });
	const [decided, ended]: number[][] = [[], []];
	const paid = async (flow: Flow) => {
		const due = (await flow.count()) + EQUAL_KEYS;
		const [row] = videos(1);
		await Promise.all(Array.from({ length: EQUAL_KEYS }, async () => await flow.start(row)));
		await setup.untilEnded(flow, due, MAX_MS);
		return setup.sandbox.tasks.all().filter(({ order }) => order.prompt === row.prompt);
	};
	say(`${EQUAL_KEYS} executions with one key, ${atOnce} times`);
	for (let round = 0; round < atOnce; round++) {
		const [task, ...others] = await paid(ours);
		const executions = (await ours.executions()).slice(-EQUAL_KEYS);
		const ids = executions.map((one) => itemsOf(one, 'Seedance')[0]?.json.task_id);
		if (others.length || ids.some((id) => id !== task.id)) {
			throw new BenchError(`Equal keys paid ${1 + others.length} times.`);
		}
		const from = Math.min(...executions.map(({ runData }) => runData.Rows[0].startTime));
		decided.push(task.createdAt - from);
		ended.push(Math.max(...executions.map(({ stoppedAt }) => Date.parse(stoppedAt ?? ''))) - from);
	}
	const { length: times } = await paid(byHand);
	const seconds = (values: number[]) => `${(median(values) / 1000).toFixed(2)} s`;
	const name = `${EQUAL_KEYS} executions with one key at once`;
	return [
		{ name: `${name}: paid`, ours: '1 ×', beside: `${times} ×`, mark: '1 ×', isMet: true },
		{
			name: `${name}: until it is decided`,
			ours: seconds(decided),
			mark: `≤ ${MARK.atOnce / 1000} s`,
			// Ten executions share the processor, so the time says little of one machine on another.
			isMet: median(decided) <= MARK.atOnce,
		},
		{ name: `${name}: until all have the video`, ours: seconds(ended) },
	];
}

/** The whole run of a few videos that take their time: by hand one after the other, as the loop makes them. */
async function wholeRun(setup: Setup, table: string): Promise<Figure> {
	const wait = { operation: 'generateAndWait', downloadVideo: false };
	const ours = await setup.publish('generate', { ...wait, ...KEY, ifExists: 'skip' });
	const byHand = await setup.publish('listByHand', wait, { TABLE: table });
	const seconds: number[] = [];
	for (const flow of [ours, byHand]) {
		seconds.push(wallMs(await flow.run(videos(FEW, `, ${FEW_SECONDS} s`), MAX_MS)) / 1000);
	}
	const name = `${FEW} videos of ${FEW_SECONDS} s, Generate and Wait with a Reuse Key and Skip: the whole run`;
	const compared = compare(name, seconds, (one) => `${one.toFixed(1)} s`);
	return { ...compared, mark: '≤ by hand', isMet: seconds[0] <= seconds[1] };
}

/** Calls a minute that a run makes while it waits for many videos. */
async function callsWhileWaiting(setup: Setup, flows: Record<Kind, Flow>) {
	const { many } = USUAL;
	const flow = await setup.publish('keepChecking');
	const callsOf = async (seconds: number) => {
		const { id } = await flow.run(videos(many, `, ${seconds} s`), MAX_MS + seconds * 1000);
		const next = await flows.off.run(videos(1), MAX_MS);
		return Number(next.id) - Number(id) - 1;
	};
	const perMinute = ((await callsOf(WAIT_SECONDS)) - (await callsOf(0))) / (WAIT_SECONDS / 60);
	return {
		name: `${many} videos of ${WAIT_SECONDS} s: calls a minute while they are waited for`,
		ours: perMinute.toFixed(2),
		mark: '≤ 1',
		isMet: perMinute <= 1,
	};
}

/** Data Tables, as the editor makes and fills them. */
class Tables {
	private projectId = '';

	constructor(private readonly api: Setup['n8n']['api']) {}

	async find(name: string): Promise<string> {
		type Found = { data: Array<{ id: string; name: string; projectId: string }> };
		const { data } = await this.api.call<Found>('GET', '/data-tables-global?take=100');
		const table = data.find((one) => one.name === name);
		if (!table) throw new BenchError(`There is no Data Table ${name}.`);
		this.projectId = table.projectId;
		return table.id;
	}

	async create(name: string, columns: string[]): Promise<string> {
		const path = `/projects/${this.projectId}/data-tables`;
		const typed = columns.map((column) => ({ name: column, type: 'string' }));
		return (await this.api.call<{ id: string }>('POST', path, { name, columns: typed })).id;
	}

	async fill(id: string, count: number, rowOf: (row: number) => object): Promise<void> {
		const path = `/projects/${this.projectId}/data-tables/${id}/insert`;
		for (let from = 0; from < count; from += INSERTED_AT_ONCE) {
			const length = Math.min(INSERTED_AT_ONCE, count - from);
			const data = Array.from({ length }, (_, row) => rowOf(from + row));
			await this.api.call('POST', path, { data, returnType: 'count' });
		}
	}
}
