// The grid: every fault of the sandbox × every operation × every On Error × Retry On Fail, for one item of three, once
// and for good, and then "Retry" in the list of executions when the trouble is over. A fault on a route that the operation
// does not call is tried in one setting.
import type { Fault, Route } from '../sandbox/server.cjs';
import { ENDLESS, FAULTS } from './faults.cjs';
import { ON_ERROR, OPERATIONS, PLAIN, type Schedule } from './schedule.cjs';
import { Suite } from './suite.cjs';

/** The operations, with Pause Until Callback once resumed by callbacks and once by its time limit. */
const COLUMNS: ReadonlyArray<Pick<Schedule, 'operation'> & Partial<Schedule> & { name: string }> = [
	...OPERATIONS.map((operation) => ({ name: operation, operation })),
	{
		name: 'pause until its time is up',
		operation: 'pause',
		callbacks: PLAIN.callbacks.map((callback) => ({ ...callback, isLost: true })),
	},
];

/** The routes that each operation calls. */
const REACHED: Readonly<Record<Schedule['operation'], readonly Route[]>> = {
	generate: ['generate'],
	poll: ['generate', 'status', 'video'],
	pause: ['generate', 'status'],
	status: ['status', 'video'],
	wait: ['status', 'video'],
	estimateCost: [],
};

/** Every On Error with and without Retry On Fail, and Simplify off. */
const SETTINGS: ReadonlyArray<Partial<Schedule>> = [
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

/** Where a fault is never met, it changes nothing in any setting. */
const ONE_SETTING = SETTINGS.slice(0, 1);

/** Get Status reads once: two videos are ready then, and one is being made. */
const AT_ONCE = { ends: 'ready', seconds: 0 } as const;
const READY_AT_ONCE = { ...PLAIN.endings, apple: AT_ONCE, birch: AT_ONCE };

/** Waits of the node after which the API takes connections again; the last is for good. */
const DOWN = [2, 6, 100_000];

/** Milliseconds for one cell in all settings, on a busy machine. */
const TIME_LIMIT_MS = 60_000;

/** A place in the grid: a schedule in everything but the settings. */
interface Cell {
	title: string;
	part: Partial<Schedule>;
	/** Whether its operation calls the route of the fault. */
	isReached: boolean;
	settings: ReadonlyArray<Partial<Schedule>>;
}

function cellsOf(route: Route, faults: readonly Fault[]): Cell[] {
	return faults.flatMap((fault) =>
		COLUMNS.flatMap(({ name, ...column }) => {
			const isReached = REACHED[column.operation].includes(route);
			return ([1, 'always'] as const)
				.filter((times) => isReached || times === 'always')
				.map((times) => ({
					title: `${route} met by ${JSON.stringify(fault)}, ${times}, ${name}`,
					isReached,
					settings: isReached ? SETTINGS : ONE_SETTING,
					part: {
						...column,
						faults: [{ route, name: 'birch' as const, fault, times }],
						endings: column.operation === 'status' ? READY_AT_ONCE : PLAIN.endings,
						download: route === 'video',
					},
				}));
		}),
	);
}

/** The cells of some routes; `withDown` adds those of an API that refuses connections. */
export function gridOf(routes: readonly Route[], withDown: boolean): Cell[] {
	const down = COLUMNS.flatMap(({ name, ...column }) =>
		DOWN.map((downForJumps) => ({
			title: `an API that refuses connections until ${downForJumps} waits have passed, ${name}`,
			isReached: false,
			settings: SETTINGS,
			part: { ...column, downForJumps },
		})),
	);
	return [
		...routes.flatMap((route) => cellsOf(route, FAULTS[route])),
		...routes.flatMap((route) =>
			cellsOf(route, ENDLESS[route]).filter(({ isReached }) => isReached),
		),
		...(withDown ? down : []),
	];
}

/** A cell in each of its settings. */
export function inAllSettings({ part, settings }: Cell): Schedule[] {
	return settings.map((one) => ({
		...PLAIN,
		items: ITEMS,
		lateCallback: true,
		retries: [{ heals: true }],
		...part,
		...one,
	}));
}

export function describeGrid(name: string, routes: readonly Route[], withDown: boolean): void {
	const suite = new Suite(name);

	it.each(gridOf(routes, withDown))(
		'$title',
		async (cell) => {
			const failures: string[] = [];
			for (const schedule of inAllSettings(cell)) {
				failures.push(await suite.check(schedule));
				const hasStruck = suite.harness.sandbox.faults.applied.length > 0;
				if (cell.isReached !== hasStruck) failures.push(`the fault struck: ${hasStruck}`);
			}
			expect(failures.filter(Boolean)).toEqual([]);
		},
		TIME_LIMIT_MS,
	);
}
