// Schedules for the list of videos: several executions of one workflow, one after the other or at the same time, each
// perhaps ended by Stop or a crash, frozen, or left by its list. How they are drawn, and how one runs.
import type { AxiosStatic } from 'axios';
import type { IExecuteFunctions } from 'n8n-workflow';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';

import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { StartLimiter } from '../../nodes/Seedance/run/startLimiter';
import { claimTurns } from '../../nodes/Seedance/videoList/claimTurns';
import { liveClaims } from '../../nodes/Seedance/videoList/claimVideos';
import { IF_EXISTS } from '../../nodes/Seedance/videoList/sameVideo';
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { COLUMNS } from '../../nodes/shared/idempotency/videoList';
import * as clock from '../../nodes/shared/n8n/clock';
import type { PostEntry } from '../sandbox/server.cjs';
import { DataTables, type DataTable, type TableRow } from '../support/dataTables.cjs';
import { requireAsCore, type Run } from '../support/engine.cjs';
import * as fc from '../support/fastCheck.cjs';
import { readFixture } from './faults.cjs';
import { CREDENTIAL, type Exchange, type Harness } from './harness.cjs';
import { addTrouble, planOf } from './runner.cjs';
import {
	batches,
	ending,
	fault,
	nameIn,
	NAMES,
	ON_ERROR,
	PLAIN,
	SETTINGS,
	V1,
	type ModelName,
	type Name,
} from './schedule.cjs';

/** What fails of the list from a step on, until its execution ends; a deleted table stays away. */
const LIST = ['off', 'full', 'locked', 'sync', 'refuses', 'renamed', 'less', 'deleted'] as const;
const TROUBLE = ['stop', 'stop', 'crash', 'crash', 'freeze', ...LIST] as const;
/** Right before each node of a call of the list; after a call; before a request; after its response. */
const STEPS = ['list', 'listed', 'POST', 'GET', 'response'] as const;
type StepKind = (typeof STEPS)[number];

const REFUSALS: Readonly<Record<string, string>> = {
	locked: 'SQLITE_BUSY: database is locked',
	sync: 'QueryFailedError: synchronization error',
	refuses: 'The database said no',
};
/** Virtual milliseconds for which a process stands still: longer than a claim. */
const FREEZE_MS = 130_000;
/** Identifies the execution of a request. */
const HEADER = 'x-execution';
const LONGEST_TRACE_MS = 24 * 60 * 60_000;

const trouble = fc.record({
	kind: fc.constantFrom(...TROUBLE),
	at: fc.oneof(
		fc.record({ step: fc.constantFrom(...STEPS), nth: fc.integer({ min: 1, max: 6 }) }),
		fc.record({ step: fc.constant('any' as const), nth: fc.integer({ min: 1, max: 30 }) }),
	),
	/** Calls that are refused, of those that are refused for a while. */
	times: fc.constantFrom(1, 2, 3, 5),
});

const execution = fc.record({
	mode: fc.constantFrom('trigger', 'manual'),
	/** So many virtual seconds after the one before it has ended, or has begun. */
	begins: fc.constantFrom('after', 'after', 'beside'),
	seconds: fc.constantFrom(0, 0.1, 1, 8, 40, 100, 200),
	/** Executions of one worker share a process: they know which of them live, and die together. */
	worker: fc.constantFrom(0, 0, 1),
	trouble: fc.option(trouble, { freq: 4 }),
});

const name = fc.constantFrom<Name[]>(...NAMES.slice(0, 4));
const brief = ending.map(({ ends, seconds }) => ({
	seconds,
	ends: ends === 'failed' || ends === 'never' ? ends : ('ready' as const),
}));

export const listSchedules = fc.record({
	operation: fc.constantFrom('generateAndWait', 'generateAndWait', 'generate'),
	items: fc.array(name, { minLength: 1, maxLength: 6 }),
	ifExists: fc.constantFrom(...IF_EXISTS),
	hasKey: fc.boolean(),
	/** With a Reuse Key: each execution asks for another prompt. */
	isChanging: fc.boolean(),
	onError: fc.constantFrom(...ON_ERROR),
	retryOnFail: fc.constantFrom(false, false, true),
	download: fc.constantFrom(false, false, true),
	endings: fc.record({ apple: brief, birch: brief, cedar: brief, daisy: brief }),
	faults: fc
		.array(fault, { maxLength: 2 })
		.map((list) => list.filter((one) => one.fault.kind !== 'rate-limit' || one.times !== 'always')),
	/** The clock of the database is ahead by so many milliseconds. */
	aheadMs: fc.constantFrom(0, 0, 3000, -3000),
	/** Seeds how long each call of the list takes. */
	noise: fc.integer({ min: 1, max: 1000 }),
	executions: fc.array(execution, { minLength: 2, maxLength: 4, size: 'max' }),
	// Last, so that a seed draws the rest as before.
	/** The videos of these names are made by a model of version 2. */
	ofVersion2: fc.oneof(
		{ arbitrary: fc.constant<Name[]>([]), weight: 2 },
		{ arbitrary: fc.subarray<Name>(NAMES.slice(0, 4), { minLength: 1 }), weight: 1 },
	),
	...batches,
});
type Drawn<T> = T extends fc.Arbitrary<infer Value> ? Value : never;
export type ListSchedule = Drawn<typeof listSchedules>;
type Plan = ListSchedule['executions'][number];

const plain: Omit<ListSchedule, 'executions'> = readFixture('listPlain');
const one: Omit<Plan, 'begins'> = { mode: 'trigger', seconds: 1, worker: 0, trouble: null };
type Regression = { topic: string; what: string; executions: Array<Partial<Plan>> };
type Changed = Regression & { schedule: Partial<ListSchedule> };
const regressions: Changed[] = readFixture('listRegressions');
/** What use and this suite have shown, each as small as it was found to be. */
export const LIST_REGRESSIONS = regressions.map(({ topic, what, schedule, executions }) => ({
	...{ topic, what },
	schedule: {
		...{ ...plain, ...schedule },
		endings: { ...plain.endings, ...schedule.endings },
		executions: executions.map((plan): Plan => ({ begins: 'after', ...one, ...plan })),
	},
}));

/** Whether equal videos of several executions are one. */
export const isKeyed = ({ hasKey, ifExists }: ListSchedule) => hasKey && ifExists !== 'never';
export const isShared = (schedule: ListSchedule) =>
	isKeyed(schedule) || schedule.ifExists === 'always' || schedule.ifExists === 'skip';

/** One execution, and what happened to it. */
export class Execution {
	run: Run | undefined;
	/** The interruption that was met; undefined when it ended before. */
	met: (typeof TROUBLE)[number] | undefined;
	/** In the order of everything that happened; Infinity for not yet. */
	beganAt = 0;
	endedAt = Infinity;
	/** Its list has failed, or could not be used, for a while at least. */
	isLeft = false;
	/** Tasks whose rows were marked as delivered by a call that began after Stop. */
	readonly handedOnLate: unknown[] = [];
	readonly died: Promise<void>;
	die: () => void = () => undefined;
	isDead = false;
	frozenUntil = 0;
	readonly tries: Array<Promise<unknown>> = [];
	private readonly counts = new Map<string, number>();

	/** As n8n counts; known from the first try of the node. */
	id = '';

	constructor(
		readonly nth: number,
		readonly plan: Plan,
		private readonly interrupt: (execution: Execution) => void,
	) {
		this.died = new Promise((resolve) => {
			this.die = () => {
				this.isDead = true;
				resolve();
			};
		});
	}

	/** Whether this is the step of its interruption, which then happens. */
	count(kind: StepKind): void {
		const at = this.plan.trouble?.at;
		for (const step of [kind, 'any']) {
			const nth = (this.counts.get(step) ?? 0) + 1;
			this.counts.set(step, nth);
			if (!this.met && step === at?.step && nth === at.nth) this.interrupt(this);
		}
	}
}

/** A POST as it came in, with what the list held at that moment; undefined where there was none. */
export interface ListPost extends Exchange<PostEntry> {
	execution: Execution;
	name: Name;
	at: number;
	order: number;
	rows: TableRow[] | undefined;
	/** The row that stands for it. */
	row: TableRow | undefined;
}

export interface ListTrace {
	schedule: ListSchedule;
	executions: Execution[];
	posts: ListPost[];
	/** The list at the end, and every task ID that ever stood in it. */
	rows: TableRow[];
	listed: ReadonlySet<unknown>;
	/** When the table was deleted, in the order of everything. */
	deletedAt: readonly number[];
	/** When everything was over, in the time of the list. */
	endedAt: number;
}

const never = new Promise<never>(() => undefined);
const running = new AsyncLocalStorage<{ execution: Execution; world: ListWorld }>();

/** One schedule while it runs. */
class ListWorld {
	readonly tables = new DataTables();
	readonly executions: Execution[] = [];
	readonly posts: ListPost[] = [];
	readonly listed = new Set<unknown>();
	readonly deletedAt: number[] = [];
	private deleted: DataTable | undefined;
	private order = 0;
	private refusals: string[] = [];
	private readonly stops = new Map<Execution, () => void>();

	constructor(
		readonly harness: Harness,
		readonly schedule: ListSchedule,
	) {
		const { tables } = this;
		tables.make(TABLE, COLUMNS);
		tables.aheadMs = schedule.aheadMs;
		let noise = schedule.noise;
		tables.before = async (_call, step) => {
			await this.step('list');
			noise = (noise * 48_271) % 2_147_483_647;
			await harness.time.sleep(5 + (noise % 60));
			await this.alive();
			const refusal = step === 0 ? this.refusals.shift() : undefined;
			if (refusal) throw new Error(refusal);
		};
	}

	private get rows(): TableRow[] | undefined {
		return this.tables.find(TABLE)?.rows.map((row) => ({ ...row }));
	}

	/** Waits while the process stands still; for ever where it is dead. */
	async alive(): Promise<void> {
		const { execution } = running.getStore() ?? {};
		const { time } = this.harness;
		while (execution && execution.frozenUntil > time.now()) {
			if (!(await time.sleep(execution.frozenUntil - time.now()))) break;
		}
		if (execution?.isDead) await never;
	}

	async step(kind: StepKind): Promise<void> {
		await this.alive();
		running.getStore()?.execution.count(kind);
		await this.alive();
	}

	private readonly interrupt = (execution: Execution): void => {
		const { trouble: plan, worker } = execution.plan;
		if (!plan) return;
		execution.met = plan.kind;
		const living = this.executions.filter(({ endedAt }) => endedAt === Infinity);
		const ofProcess = living.filter((one) => one.plan.worker === worker);
		const table = this.tables.find(TABLE);
		switch (plan.kind) {
			case 'stop':
				return this.stops.get(execution)?.();
			case 'crash':
				for (const one of ofProcess) {
					one.met ??= 'crash';
					one.endedAt = this.order += 1;
					one.die();
				}
				return;
			case 'freeze':
				for (const one of ofProcess) one.frozenUntil = this.harness.time.now() + FREEZE_MS;
				return;
			case 'off':
			case 'full':
				return void (this.tables[plan.kind === 'off' ? 'isOff' : 'isFull'] = true);
			case 'renamed':
				for (const one of living) one.isLeft = true;
				if (table?.columns.has('claim')) table.renameColumn('claim', 'whose');
				return;
			case 'less':
				return table?.renameColumn('prompt');
			case 'deleted':
				this.deletedAt.push((this.order += 1));
				this.deleted = table;
				return this.tables.remove(table);
			default:
				this.refusals = Array.from({ length: plan.times }, () => REFUSALS[plan.kind]);
		}
	};

	private heal({ met }: Execution): void {
		if (met === 'off') this.tables.isOff = false;
		if (met === 'full') this.tables.isFull = false;
		const table = this.tables.find(TABLE);
		if (table?.columns.has('whose') && met === 'renamed') table.renameColumn('whose', 'claim');
		if (met && met in REFUSALS) this.refusals = [];
	}

	/** The tables as an execution sees them. */
	private tablesOf(execution: Execution): DataTables {
		const executeWorkflow: DataTables['executeWorkflow'] = async (...call) => {
			const handedOn = () =>
				(this.rows ?? [])
					.filter((row) => row.handed_on && row.execution_id === execution.id)
					.flatMap(({ status, task_id }) => (status === 'SUCCESS' ? [task_id] : []));
			const before = execution.met === 'stop' ? handedOn() : undefined;
			try {
				return await this.tables.executeWorkflow(...call);
			} catch (error) {
				execution.isLeft = true;
				throw error;
			} finally {
				for (const { task_id } of this.rows ?? []) this.listed.add(task_id);
				const late = before && handedOn().filter((taskId) => !before.includes(taskId));
				execution.handedOnLate.push(...(late ?? []));
				await this.step('listed');
			}
		};
		return Object.assign(new DataTables(), { executeWorkflow });
	}

	/** A POST has arrived: what the list says of it now. */
	private arrived(): void {
		const post = this.harness.requests.posts.at(-1);
		const nth = Number(post?.entry.headers[HEADER]);
		const execution = this.executions.find((one) => one.nth === nth);
		if (!post || !execution) return;
		const { rows } = this;
		const name = nameIn(post.entry.body) ?? 'ferns';
		// One that could not be written any more is still SENDING when the next POST is sent.
		const isPaid = ({ id, createdAt }: TableRow) =>
			this.posts.some(
				({ entry, row }) => entry.accepted && row?.id === id && row.createdAt === createdAt,
			);
		// A table may have been deleted right before it.
		const row = (rows ?? this.deleted?.rows)?.find(
			(one) =>
				one.status === 'SENDING' &&
				one.execution_id === execution.id &&
				!one.task_id &&
				!isPaid(one) &&
				(one.prompt === undefined || String(one.prompt).includes(name)),
		);
		this.posts.push({ ...post, execution, name, order: (this.order += 1), rows, row });
	}

	private start(plan: Plan, nth: number): Promise<unknown> {
		const { schedule, harness } = this;
		const { operation, ifExists, onError, retryOnFail, items, isChanging } = schedule;
		const { failing, maxAtOnce } = schedule;
		const waiting = {
			timeout: 2,
			...(failing && { restarts: failing.restarts }),
			...(maxAtOnce !== null && { maxAtOnce }),
		};
		const execution = new Execution(nth, plan, this.interrupt);
		execution.beganAt = this.order += 1;
		execution.isLeft = this.tables.find(TABLE)?.columns.has('whose') ?? false;
		this.executions.push(execution);
		const take = isKeyed(schedule) && isChanging ? `, take ${nth}` : '';
		const started = running.run({ execution, world: this }, () =>
			harness.n8n.start({
				parameters: {
					operation,
					prompt: '={{ $json.prompt }}',
					model: '={{ $json.model }}',
					...SETTINGS,
					downloadVideo: schedule.download,
					ifExists,
					...(isKeyed(schedule) && { videoKey: '={{ $json.key }}' }),
					options: operation === 'generateAndWait' ? waiting : {},
				},
				items: items.map((key) => {
					const model: ModelName = schedule.ofVersion2.includes(key) ? 'seedance-2-mini' : V1;
					return { json: { key, model, prompt: `A film about ${key}${take}` } };
				}),
				node: {
					onError,
					...(retryOnFail && { retryOnFail: true, maxTries: 2, waitBetweenTries: 1 }),
				},
				credential: CREDENTIAL,
				mode: plan.mode === 'manual' ? 'manual' : 'trigger',
				tables: this.tablesOf(execution),
			}),
		);
		this.stops.set(execution, started.stop);
		const finished = started.finished.then((run) => void (execution.run ??= run));
		const isOver = Promise.race([finished, execution.died]);
		void isOver
			.then(async () => await Promise.race([Promise.allSettled(execution.tries), execution.died]))
			.then(() => {
				if (execution.isDead) execution.run = undefined;
				else execution.endedAt = this.order += 1;
				this.heal(execution);
			});
		return isOver;
	}

	async run(): Promise<ListTrace> {
		const { harness, schedule } = this;
		harness.onRequest = (route) => route === 'generate' && this.arrived();
		let isOver: Promise<unknown> = Promise.resolve();
		for (const [index, plan] of schedule.executions.entries()) {
			if (index > 0 && plan.begins === 'after') await isOver;
			if (index > 0 && plan.seconds > 0) await harness.time.sleep(plan.seconds * 1000);
			isOver = this.start(plan, index + 1);
		}
		const { executions } = this;
		while (executions.some(({ endedAt }) => endedAt === Infinity)) await harness.time.sleep(1000);
		await harness.time.idle();
		for (const { task_id } of this.rows ?? []) this.listed.add(task_id);
		return {
			...{ schedule, executions, posts: this.posts, listed: this.listed },
			...{ deletedAt: this.deletedAt, rows: this.rows ?? [] },
			endedAt: harness.time.now() + schedule.aheadMs,
		};
	}
}

/** Makes a harness run such schedules: every step of an execution is counted, and the time of its list is the clock's. */
export function listRunner(harness: Harness) {
	const { time } = harness;
	const network = createRequire(requireAsCore.resolve('@n8n/backend-network'));
	const axios: AxiosStatic = network('axios');
	const current = () => running.getStore();
	let isRunning = false;

	const realNow = Date.now.bind(Date);
	jest.spyOn(Date, 'now').mockImplementation(() => (isRunning ? time.now() : realNow()));
	const gated = (own: clock.Clock): clock.Clock => ({
		...own,
		sleep: async (...given) => await own.sleep(...given).finally(() => current()?.world.alive()),
		uncancellable: () => gated(own.uncancellable()),
	});
	jest.spyOn(clock, 'realClock').mockImplementation((signal) => gated(time.clock(signal)));

	const { execute } = Seedance.prototype;
	jest.spyOn(Seedance.prototype, 'execute').mockImplementation(async function (
		this: IExecuteFunctions,
	) {
		const tried = execute.call(this);
		const execution = current()?.execution;
		if (execution) execution.id = this.getExecutionId();
		execution?.tries.push(tried);
		return await tried;
	});

	// Another process, or one that is dead, is not known to live.
	const owners = new Map<string, Execution | undefined>();
	const [add, has] = [liveClaims.add.bind(liveClaims), liveClaims.has.bind(liveClaims)];
	jest.spyOn(liveClaims, 'add').mockImplementation((claim) => {
		owners.set(claim, current()?.execution);
		return add(claim);
	});
	jest.spyOn(liveClaims, 'has').mockImplementation((claim) => {
		const [owner, me] = [owners.get(claim), current()?.execution];
		return has(claim) && !owner?.isDead && owner?.plan.worker === me?.plan.worker;
	});

	// Nor does it hold a turn, or a slot: what a process shares goes with it.
	const takeTurn = claimTurns.acquire.bind(claimTurns);
	jest.spyOn(claimTurns, 'acquire').mockImplementation((identity) => {
		const { plan, died } = current()?.execution ?? {};
		const lock = takeTurn(`${plan?.worker} ${identity}`);
		void died?.then(lock.release);
		return lock;
	});
	const limiters = new Set<StartLimiter>();
	const seen = (one: StartLimiter) => {
		if (limiters.has(one)) return;
		limiters.add(one);
		void current()?.execution.died.then(() => one.close());
	};
	const { msUntilSlot, acquire } = StartLimiter.prototype;
	jest.spyOn(StartLimiter.prototype, 'msUntilSlot').mockImplementation(function (
		this: StartLimiter,
		...given
	) {
		seen(this);
		return msUntilSlot.apply(this, given);
	});
	jest.spyOn(StartLimiter.prototype, 'acquire').mockImplementation(function (
		this: StartLimiter,
		...given
	) {
		seen(this);
		return acquire.apply(this, given);
	});

	axios.interceptors.request.use(async (config) => {
		const { world, execution } = current() ?? {};
		await world?.step(config.method?.toUpperCase() === 'POST' ? 'POST' : 'GET');
		if (execution) config.headers.set(HEADER, String(execution.nth));
		return config;
	});
	const answered = async (body?: unknown) => {
		const { world, execution } = current() ?? {};
		execution?.count('response');
		// What nobody reads any more has no end, be it that its process dies later, while it stands still.
		if (body instanceof Readable) void execution?.died.then(() => body.destroy());
		await world?.alive();
	};
	axios.interceptors.response.use(
		async (response) => {
			await answered(response.data);
			return response;
		},
		async (error: unknown) => {
			await answered();
			throw error;
		},
	);

	return async (schedule: ListSchedule): Promise<ListTrace> => {
		harness.reset();
		isRunning = true;
		time.latest = time.now() + LONGEST_TRACE_MS;
		const endings = { ...PLAIN.endings, ...schedule.endings };
		harness.planOf = (order, nth) => planOf({ ...schedule, endings }, order, nth);
		addTrouble(harness, schedule);
		if (schedule.fewVideos) harness.sandbox.faults.limits.add(schedule.fewVideos);
		try {
			return await new ListWorld(harness, schedule).run();
		} finally {
			isRunning = false;
			owners.clear();
			liveClaims.clear();
			for (const one of limiters) one.close();
			limiters.clear();
		}
	};
}
