// The grid: every fault of the sandbox × every operation × every On Error × Retry On Fail, for one item of three, once
// and for good, and then "Retry" in the list of executions when the trouble is over. For the test files that share it.
import type { Fault, Route } from '../sandbox/server.cjs';
import { judge } from './judge.cjs';
import { perform } from './perform.cjs';
import {
	ON_ERROR,
	OPERATIONS,
	PLAIN,
	type OperationUnderTest,
	type Schedule,
} from './schedule.cjs';
import { openStage, type Stage } from './stage.cjs';
import { complaint, Tally } from './tally.cjs';
import { ENDLESS, FAULTS } from './weather.cjs';

interface Column {
	name: string;
	operation: OperationUnderTest;
	part: Partial<Schedule>;
}

/** The operations, with Pause Until Callback once woken by callbacks and once by its time limit. */
const COLUMNS: readonly Column[] = [
	...OPERATIONS.map((operation) => ({ name: operation, operation, part: {} })),
	{
		name: 'pause until its time is up',
		operation: 'pause',
		part: { callbacks: PLAIN.callbacks.map((callback) => ({ ...callback, isLost: true })) },
	},
];

/** The routes that each operation calls. */
const REACHED: Readonly<Record<OperationUnderTest, readonly Route[]>> = {
	generate: ['generate'],
	poll: ['generate', 'status', 'video'],
	pause: ['generate', 'status'],
	status: ['status', 'video'],
	wait: ['status', 'video'],
	estimateCost: [],
};

type Settings = Pick<Schedule, 'onError' | 'retryOnFail' | 'simplify'>;

/** Every On Error with and without Retry On Fail, and Simplify off. */
const SETTINGS: readonly Settings[] = [
	...ON_ERROR.flatMap((onError) =>
		[false, true].map((retryOnFail) => ({ onError, retryOnFail, simplify: true })),
	),
	{ onError: 'continueRegularOutput', retryOnFail: false, simplify: false },
];

const ITEMS = (['apple', 'birch', 'cedar'] as const).map((name) => ({
	name,
	isWrong: false,
	task: 'own' as const,
}));

/** Get Status looks once, at two videos that are ready and one that is being made. */
const AT_ONCE = { ends: 'ready', seconds: 0 } as const;
const READY_AT_ONCE = { ...PLAIN.fates, apple: AT_ONCE, birch: AT_ONCE };

/** Waits of the node after which the API takes connections again; the last is for good. */
const DOWN = [2, 6, 100_000];

/** Milliseconds for one cell in all settings, on a busy machine. */
const TIME_LIMIT_MS = 60_000;

interface Cell extends Column {
	route: Route;
	fault: Fault;
	times: 1 | 'always';
}

const isReached = (operation: OperationUnderTest, route: Route) =>
	REACHED[operation].includes(route);

function cellsOf(route: Route): Cell[] {
	return FAULTS[route].flatMap((fault) =>
		COLUMNS.flatMap((column) =>
			(isReached(column.operation, route) ? ([1, 'always'] as const) : (['always'] as const)).map(
				(times) => ({ ...column, route, fault, times }),
			),
		),
	);
}

function endlessCellsOf(route: Route): Cell[] {
	return (ENDLESS[route] ?? []).flatMap((fault) =>
		COLUMNS.filter(({ operation }) => isReached(operation, route)).flatMap((column) =>
			([1, 'always'] as const).map((times): Cell => ({ ...column, route, fault, times })),
		),
	);
}

function scheduleOf({ route, fault, operation, part, times }: Cell): Partial<Schedule> {
	return {
		...part,
		operation,
		faults: [{ route, name: 'birch', fault, times }],
		fates: operation === 'status' ? READY_AT_ONCE : PLAIN.fates,
		download: route === 'video',
	};
}

/** Registers the tests of some rows; `withDown` adds those of an API that refuses connections. */
export function describeGrid(name: string, routes: readonly Route[], withDown: boolean): void {
	const cells = routes.flatMap(cellsOf);
	const endless = routes.flatMap(endlessCellsOf);
	const down = withDown
		? COLUMNS.flatMap((column) => DOWN.map((downForJumps) => ({ ...column, downForJumps })))
		: [];
	const total = SETTINGS.length * (cells.length + down.length + endless.length);
	const tally = new Tally(name, total);
	let stage: Stage;

	beforeAll(async () => {
		stage = await openStage();
	});
	afterAll(async () => {
		tally.close();
		await stage.close();
	});

	/** Plays a cell in some settings: what is wrong with it, and where the fault did not strike. */
	async function play(cell: Partial<Schedule>, all = SETTINGS): Promise<string[]> {
		const complaints: string[] = [];
		for (const settings of all) {
			const story = await perform(stage, {
				...PLAIN,
				items: ITEMS,
				lateCallback: true,
				retries: [{ heals: true }],
				...cell,
				...settings,
			});
			const verdict = judge(stage, story);
			tally.add(stage, story, verdict);
			if (verdict.violations.length) complaints.push(complaint(story, verdict));
			const { operation = PLAIN.operation, faults = [] } = cell;
			const isDue = faults.some(({ route }) => isReached(operation, route));
			const hasStruck = stage.sandbox.faults.applied.length > 0;
			if (isDue !== hasStruck) complaints.push(`the fault ${isDue ? 'never struck' : 'struck'}`);
		}
		return complaints;
	}

	it.each(cells)(
		'$route met by $fault, $times, $name',
		async (cell) => {
			expect(await play(scheduleOf(cell))).toEqual([]);
		},
		TIME_LIMIT_MS,
	);

	describe('a connection that nobody cuts', () => {
		it.each(endless)(
			'$route met by $fault, $times, $name',
			async (cell) => {
				expect(await play(scheduleOf(cell))).toEqual([]);
			},
			TIME_LIMIT_MS,
		);
	});

	if (down.length === 0) return;
	describe('an API that refuses connections', () => {
		it.each(down)(
			'until $downForJumps waits have passed, $name',
			async ({ operation, part, downForJumps }) => {
				expect(await play({ ...part, operation, downForJumps })).toEqual([]);
			},
			TIME_LIMIT_MS,
		);
	});
}
