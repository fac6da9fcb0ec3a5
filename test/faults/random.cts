// Schedules at random. What stands first in each choice is the simplest, so that a failing schedule shrinks towards a
// plain one.
import * as fc from 'fast-check';

import { ROUTES, type Route } from '../sandbox/server.cjs';
import {
	ENDS,
	NAMES,
	ON_ERROR,
	OPERATIONS,
	PLAIN,
	SHAPES,
	type CallbackPlan,
	type Fate,
	type FaultPlan,
	type ItemPlan,
	type Schedule,
	type StopPlan,
} from './schedule.cjs';
import { FAULTS } from './weather.cjs';

/** One in so many is true. */
const rarely = (oneIn: number): fc.Arbitrary<boolean> =>
	fc.integer({ min: 0, max: oneIn - 1 }).map((number) => number === oneIn - 1);

/** One in so many is a value, the others null. */
const sometimes = <T,>(oneIn: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
	fc.oneof({ arbitrary: fc.constant(null), weight: oneIn - 1 }, { arbitrary: value, weight: 1 });

const item: fc.Arbitrary<ItemPlan> = fc.record({
	name: fc.constantFrom(...NAMES.slice(0, 4)),
	isWrong: rarely(25),
	task: fc.constantFrom('own', 'own', 'own', 'own', 'foreign', 'unknown'),
});

const fate: fc.Arbitrary<Fate> = fc.record({
	ends: fc.constantFrom('ready', 'ready', 'ready', ...ENDS),
	seconds: fc.constantFrom(12, 0, 4, 40, 90, 200),
});

const fates: fc.Arbitrary<Schedule['fates']> = fc.record({
	apple: fate,
	birch: fate,
	cedar: fate,
	daisy: fate,
	ember: fate,
	ferns: fate,
});

/** One of the faults of a route: each kind as often as any other. */
const faultOn = (route: Route): fc.Arbitrary<FaultPlan> => {
	const kinds = [...new Set(FAULTS[route].map(({ kind }) => kind))];
	const faults = kinds.map((kind) =>
		fc.constantFrom(...FAULTS[route].filter((fault) => fault.kind === kind)),
	);
	return fc.record({
		route: fc.constant(route),
		name: fc.constantFrom(...NAMES.slice(0, 4), null),
		fault: fc.oneof(...faults),
		times: fc.constantFrom<FaultPlan['times'][]>(1, 1, 2, 4, 'always'),
	});
};

const fault: fc.Arbitrary<FaultPlan> = fc.oneof(
	{ arbitrary: faultOn('generate'), weight: 3 },
	{ arbitrary: faultOn('status'), weight: 3 },
	{ arbitrary: faultOn('video'), weight: 2 },
);

const stop: fc.Arbitrary<StopPlan> = fc.record({
	at: fc.constantFrom<StopPlan['at'][]>(...ROUTES, 'jump'),
	nth: fc.integer({ min: 1, max: 6 }),
});

const callback: fc.Arbitrary<CallbackPlan> = fc.record({
	isLost: rarely(4),
	isEarly: rarely(4),
	copies: fc.constantFrom(1, 1, 2, 3),
	claim: fc.constantFrom('ended', 'ended', 'running'),
	shape: fc.constantFrom(...SHAPES),
	rank: fc.nat({ max: 9 }),
});

/** Any schedule. */
export const schedules: fc.Arbitrary<Schedule> = fc
	.record<Schedule>({
		operation: fc.constantFrom(
			...(['poll', 'poll', 'poll', 'pause', 'pause', 'pause', 'generate'] as const),
			...OPERATIONS,
		),
		onError: fc.constantFrom(...ON_ERROR),
		retryOnFail: rarely(2),
		items: fc.array(item, { minLength: 1, maxLength: 6, size: 'max' }),
		fates,
		faults: fc.array(fault, { maxLength: 4, size: 'max' }),
		rounds: fc.constantFrom(1, 1, 1, 2, 3),
		sameEachRound: rarely(3),
		changingPrompt: rarely(8),
		laterNodeBreaks: rarely(5),
		simplify: rarely(5).map((isRaw) => !isRaw),
		download: rarely(2),
		hasCallbackUrl: rarely(2),
		timeout: fc.constantFrom(2, 2, 0.5, 5, 0),
		pollInterval: sometimes(4, fc.constantFrom(1, 20)),
		batch: sometimes(
			5,
			fc.record({ size: fc.constantFrom(1, 2, 3), seconds: fc.constantFrom(1, 30) }),
		),
		maxVideos: sometimes(12, fc.integer({ min: 0, max: 6 })),
		affordable: sometimes(8, fc.integer({ min: 0, max: 5 })),
		executionTimeout: sometimes(10, fc.constantFrom(60, 15, 3)),
		downForJumps: sometimes(25, fc.constantFrom(1, 3, 1000)).map((jumps) => jumps ?? 0),
		stop: sometimes(4, stop),
		callbacks: fc.array(callback, { minLength: 1, maxLength: 4, size: 'max' }),
		lastCallback: rarely(2),
		lateCallback: rarely(3),
		retries: fc.array(fc.record({ heals: rarely(2) }), { maxLength: 2, size: 'max' }),
		runsAgainAfterStop: rarely(2),
	})
	.map(sensible);

/** Leaves out what would only mix two odd things whose mixture nobody could judge. */
function sensible(schedule: Schedule): Schedule {
	// A rate limit that lasts for ever would be waited for again and again; it is in the grid.
	const faults = schedule.faults.map((plan) =>
		plan.fault.kind === 'rate-limit' && plan.times === 'always' ? { ...plan, times: 4 } : plan,
	);
	return { ...PLAIN, ...schedule, faults };
}
