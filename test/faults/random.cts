// Schedules at random. What stands first in each choice is the simplest, so that a failing schedule shrinks towards a
// plain one.
import * as fc from 'fast-check';

import {
	ROUTES,
	UNREACHABLE_KINDS,
	type AccountName,
	type RateLimit,
	type Route,
} from '../sandbox/server.cjs';
import {
	ENDS,
	FORMS,
	LINKS,
	NAMES,
	ON_ERROR,
	OPERATIONS,
	PLAIN,
	SHAPES,
	type CallbackPlan,
	type Ending,
	type FaultPlan,
	type ItemPlan,
	type Schedule,
} from './schedule.cjs';
import { ENDLESS, FAULTS } from './faults.cjs';

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
	account: fc.constantFrom('main', 'other'),
});

export const ending: fc.Arbitrary<Ending> = fc
	.record({
		ends: fc.constantFrom('ready', 'ready', 'ready', ...ENDS),
		seconds: fc.constantFrom(12, 0, 4, 40, 90, 200),
		unknownSeconds: sometimes(8, fc.constantFrom(4, 20, 50, 90)),
		urlLateSeconds: sometimes(8, fc.constantFrom(3, 12, 25, 50)),
		link: sometimes(5, fc.constantFrom(...LINKS)),
		form: sometimes(6, fc.constantFrom(...Object.keys(FORMS))),
	})
	.map(({ unknownSeconds, urlLateSeconds, link, form, ...plain }) => ({
		...plain,
		...(unknownSeconds !== null && { unknownSeconds }),
		...(urlLateSeconds !== null && { urlLateSeconds }),
		...(link !== null && { link }),
		...(form !== null && { form }),
	}));

const endings: fc.Arbitrary<Schedule['endings']> = fc.record({
	apple: ending,
	birch: ending,
	cedar: ending,
	daisy: ending,
	ember: ending,
	ferns: ending,
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

/** At most so many requests a second or a minute, as neighbours of the API allow. */
const limit: fc.Arbitrary<RateLimit> = fc
	.record({
		route: fc.constantFrom<Route[]>('status', 'generate'),
		window: fc.constantFrom({ perSecond: 1 }, { perSecond: 2 }, { perMinute: 20 }),
		retryAfter: sometimes(2, fc.constantFrom<Array<RateLimit['retryAfter']>>('exact', 3)),
		account: sometimes(4, fc.constantFrom<AccountName[]>('main', 'other')),
	})
	.map(({ route, window, retryAfter, account }) => ({
		route,
		...window,
		...(retryAfter !== null && { retryAfter }),
		...(account !== null && { account }),
	}));

/** Connections that nobody ends: its caller has to. */
const endless = (route: Route): fc.Arbitrary<FaultPlan> =>
	fc.record({
		route: fc.constant(route),
		name: fc.constantFrom(...NAMES.slice(0, 4), null),
		fault: fc.constantFrom(...ENDLESS[route]),
		times: fc.constantFrom<FaultPlan['times'][]>(1, 1, 2, 'always'),
	});

export const fault: fc.Arbitrary<FaultPlan> = fc.oneof(
	{ arbitrary: faultOn('generate'), weight: 9 },
	{ arbitrary: faultOn('status'), weight: 9 },
	{ arbitrary: faultOn('video'), weight: 6 },
	...ROUTES.map((route) => ({ arbitrary: endless(route), weight: 1 })),
);

const stop: fc.Arbitrary<NonNullable<Schedule['stop']>> = fc.record({
	at: fc.constantFrom<Array<Route | 'jump'>>(...ROUTES, 'jump'),
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
	.record<Schedule & { isTwoAccounts: boolean }>({
		operation: fc.constantFrom(
			...(['poll', 'poll', 'poll', 'pause', 'pause', 'pause', 'generate'] as const),
			...OPERATIONS,
		),
		onError: fc.constantFrom(...ON_ERROR),
		retryOnFail: rarely(2),
		items: fc.array(item, { minLength: 1, maxLength: 6, size: 'max' }),
		endings,
		faults: fc.array(fault, { maxLength: 4, size: 'max' }),
		rounds: fc.constantFrom(1, 1, 1, 2, 3),
		sameEachRound: rarely(3),
		changingPrompt: rarely(5),
		laterNodeBreaks: rarely(5),
		simplify: rarely(3).map((isRaw) => !isRaw),
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
		otherAffordable: sometimes(3, fc.integer({ min: 0, max: 3 })),
		limits: fc
			.tuple(rarely(5), fc.array(limit, { minLength: 1, maxLength: 2, size: 'max' }))
			.map(([isLimited, limits]) => (isLimited ? limits : [])),
		unreachable: sometimes(30, fc.constantFrom(...UNREACHABLE_KINDS)),
		isTwoAccounts: rarely(6),
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

/** Leaves out mixtures of two odd things for which the oracle has no expectation. */
function sensible({ isTwoAccounts, ...schedule }: Schedule & { isTwoAccounts: boolean }): Schedule {
	// A rate limit that lasts for ever would be waited for again and again; it is in the grid.
	const faults = schedule.faults.map((plan) =>
		plan.fault.kind === 'rate-limit' && plan.times === 'always' ? { ...plan, times: 4 } : plan,
	);
	// A pause needs one account for all of its items.
	const isTwo = isTwoAccounts && schedule.operation !== 'pause';
	const items = schedule.items.map(({ account, ...item }) => (isTwo ? { ...item, account } : item));
	const { otherAffordable, unreachable, downForJumps } = schedule;
	return {
		...PLAIN,
		...schedule,
		faults,
		items,
		otherAffordable: isTwo ? otherAffordable : null,
		// Where nothing leaves, it does not matter what is at the other end.
		downForJumps: unreachable === null ? downForJumps : 0,
	};
}
