// What one schedule of the fault suite holds – items, settings, faults, Stop, callbacks, and what a person does
// afterwards – and how schedules are drawn at random. What stands first in each choice is the simplest, so that a failing
// schedule shrinks towards a plain one.
import {
	contractCredits,
	contractCreditsV2,
	FAILURES,
	ROUTES,
	UNREACHABLE_KINDS,
	type AccountName,
	type Fault,
	type Outcome,
	type RateLimit,
	type Route,
	type TaskPlan,
} from '../sandbox/server.cjs';
import * as fc from '../support/fastCheck.cjs';
import { ENDLESS, FAULTS, readFixture } from './faults.cjs';

type Drawn<T> = T extends fc.Arbitrary<infer Value> ? Value : never;

/** Operations and, for Generate and Wait, its two ways to wait. */
export const OPERATIONS = ['generate', 'poll', 'pause', 'status', 'wait', 'estimateCost'] as const;
export const ON_ERROR = ['stopWorkflow', 'continueRegularOutput', 'continueErrorOutput'] as const;

/** What items are called; two of the same name have equal prompts. */
export const NAMES = ['apple', 'birch', 'cedar', 'daisy', 'ember', 'ferns'] as const;
export type Name = (typeof NAMES)[number];
/**
 * The models of the suite, and what the rows of each ask for: the cheapest, and an empty cell where the model has no such
 * field. The first two take the same, so that an expression can give either.
 */
export const VIDEOS = {
	'seedance-v1': { resolution: '480p', duration: '4' },
	'seedance-2-mini': { resolution: '480p', duration: '4' },
	'seedance-2.0-fast': { resolution: '', duration: '5' },
} as const;
export type ModelName = keyof typeof VIDEOS;
export const V1 = 'seedance-v1' satisfies ModelName;

/** Items and faults share few names, so that they meet. */
const USUAL_NAMES = NAMES.slice(0, 4);

/** What a failed task says, unless its schedule has something else. */
export const NOT_ACCEPTED = 'Not accepted';

/** How the tasks of one name end. `failedOnce`: the first one fails, those after it succeed. */
const ENDS = ['ready', 'failed', 'failedOnce', 'never', 'noVideo', 'expired'] as const;

/**
 * How the links to a video behave. `refusedOnce`: at the first request; `brief`: dead 20 seconds after the reading that
 * showed it, and renewed by each further one; `dead`: the same, and never renewed.
 */
const LINKS = ['lasting', 'refusedOnce', 'brief', 'dead'] as const;

/** Forms of a task's responses that a caller has to understand all the same, where the contract is silent. */
export const FORMS: Readonly<
	Record<string, { plan?: TaskPlan; success?: Partial<Outcome>; failure?: Partial<Outcome> }>
> = readFixture('forms');

/** One in so many is true. */
const rarely = (oneIn: number): fc.Arbitrary<boolean> =>
	fc.integer({ min: 0, max: oneIn - 1 }).map((number) => number === oneIn - 1);

/** One in so many is a value, the others null. */
const sometimes = <T,>(oneIn: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
	fc.oneof({ arbitrary: fc.constant(null), weight: oneIn - 1 }, { arbitrary: value, weight: 1 });

const withoutNulls = (object: object) =>
	JSON.parse(JSON.stringify(object, (_key, value: unknown) => value ?? undefined));

export interface ItemPlan {
	name: Name;
	/** Values that are refused before anything is sent. */
	isWrong: boolean;
	/** Get Status and Wait for Video: whose task the item names. */
	task: 'own' | 'foreign' | 'unknown';
	/** Whose key the row's credential holds; `main` where there is one account. */
	account?: AccountName;
}
const item: fc.Arbitrary<ItemPlan> = fc.record({
	name: fc.constantFrom(...USUAL_NAMES),
	isWrong: rarely(25),
	task: fc.constantFrom('own', 'own', 'own', 'own', 'foreign', 'unknown'),
	account: fc.constantFrom('main', 'other'),
});

export interface Ending {
	ends: (typeof ENDS)[number];
	/** Virtual seconds until then. */
	seconds: number;
	/** For so many virtual seconds after its creation the API does not know the task. */
	unknownSeconds?: number;
	/** A success comes so many virtual seconds before its URL. */
	urlLateSeconds?: number;
	link?: (typeof LINKS)[number];
	form?: keyof typeof FORMS;
}
export const ending: fc.Arbitrary<Ending> = fc
	.record({
		ends: fc.constantFrom('ready', 'ready', 'ready', ...ENDS),
		seconds: fc.constantFrom(12, 0, 4, 40, 90, 200),
		unknownSeconds: sometimes(8, fc.constantFrom(4, 20, 50, 90)),
		urlLateSeconds: sometimes(8, fc.constantFrom(3, 12, 25, 50)),
		link: sometimes(5, fc.constantFrom(...LINKS)),
		form: sometimes(6, fc.constantFrom(...Object.keys(FORMS))),
	})
	.map(withoutNulls);

export interface FaultPlan {
	route: Route;
	/** Strikes only requests for this name; null for all. */
	name: Name | null;
	fault: Fault;
	times: number | 'always';
}
const faultPlan = (
	route: Route,
	faultOfRoute: fc.Arbitrary<Fault>,
	times: Array<FaultPlan['times']>,
): fc.Arbitrary<FaultPlan> =>
	fc.record({
		route: fc.constant(route),
		name: fc.constantFrom(...USUAL_NAMES, null),
		fault: faultOfRoute,
		times: fc.constantFrom(...times),
	});

/** One of the faults of a route: each kind as often as any other. */
const faultOn = (route: Route): fc.Arbitrary<FaultPlan> => {
	const kinds = [...new Set(FAULTS[route].map(({ kind }) => kind))];
	const faults = kinds.map((kind) =>
		fc.constantFrom(...FAULTS[route].filter((one) => one.kind === kind)),
	);
	return faultPlan(route, fc.oneof(...faults), [1, 1, 2, 4, 'always']);
};

/** Connections that only their caller ends. */
const endless = (route: Route): fc.Arbitrary<FaultPlan> =>
	faultPlan(route, fc.constantFrom(...ENDLESS[route]), [1, 1, 2, 'always']);

export const fault: fc.Arbitrary<FaultPlan> = fc.oneof(
	{ arbitrary: faultOn('generate'), weight: 9 },
	{ arbitrary: faultOn('status'), weight: 9 },
	{ arbitrary: faultOn('video'), weight: 6 },
	...ROUTES.map((route) => ({ arbitrary: endless(route), weight: 1 })),
);

/** At most so many requests a second or a minute, as neighbours of the API allow. */
const limit: fc.Arbitrary<RateLimit> = fc
	.record({
		route: fc.constantFrom('status', 'generate'),
		window: fc.constantFrom({ perSecond: 1 }, { perSecond: 2 }, { perMinute: 20 }),
		retryAfter: sometimes(2, fc.constantFrom('exact', 3)),
		account: sometimes(4, fc.constantFrom('main', 'other')),
	})
	.map(({ window, ...rest }) => withoutNulls({ ...rest, ...window }));

/** So few videos at once, or starts a minute, as an account may be allowed. */
const fewVideos: fc.Arbitrary<RateLimit> = fc
	.record({
		most: fc.constantFrom({ running: 2 }, { running: 1 }, { running: 3 }, { perMinute: 2 }),
		retryAfter: sometimes(3, fc.constantFrom('exact', 3)),
	})
	.map(({ most, retryAfter }) => withoutNulls({ route: 'generate', ...most, retryAfter }));

const failing = fc.record({
	/** Free Restarts. */
	restarts: fc.constantFrom(1, 2, 0),
	/** So many of the tasks of one name fail first, however they end otherwise. */
	first: fc.constantFrom(1, 0, 2),
	reason: fc.constantFrom(...FAILURES.trouble, ...FAILURES.trouble, ...FAILURES.moderation),
	isCharged: rarely(5),
});

/** What is drawn for batches. */
export const batches = {
	/**
	 * What failed tasks say and cost, and how often the node may restart them. Null for failures that say that something
	 * was not accepted, and cost nothing; then nothing is restarted.
	 */
	failing: sometimes(3, failing),
	/** Maximum Videos at Once; null for no limit. */
	maxAtOnce: sometimes(6, fc.constantFrom(1, 2, 3)),
	/** A limit of the account; null for none. */
	fewVideos: sometimes(10, fewVideos),
};

const callback = fc.record({
	/** Never delivered. */
	isLost: rarely(4),
	/** Also delivered before the end. */
	isEarly: rarely(4),
	/** Deliveries at the same moment. */
	copies: fc.constantFrom(1, 1, 2, 3),
	/** What it says of its task. */
	claim: fc.constantFrom('ended', 'ended', 'running'),
	shape: fc.constantFrom('envelope', 'neighbour', 'empty', 'get', 'stranger'),
	/** Callbacks come in this order; the tasks may end in another. */
	rank: fc.nat({ max: 9 }),
});
export type CallbackPlan = Drawn<typeof callback>;

const drawn = fc.record({
	operation: fc.constantFrom(
		...(['poll', 'poll', 'poll', 'pause', 'pause', 'pause', 'generate'] as const),
		...OPERATIONS,
	),
	onError: fc.constantFrom(...ON_ERROR),
	retryOnFail: rarely(2),
	items: fc.array(item, { minLength: 1, maxLength: 6, size: 'max' }),
	endings: fc.record({
		apple: ending,
		birch: ending,
		cedar: ending,
		daisy: ending,
		ember: ending,
		ferns: ending,
	}),
	faults: fc.array(fault, { maxLength: 4, size: 'max' }),
	/** How often the node runs, in a loop with itself. */
	rounds: fc.constantFrom(1, 1, 1, 2, 3),
	/** Each round asks for the same videos again. */
	sameEachRound: rarely(3),
	/** Each evaluation gives another prompt. */
	changingPrompt: rarely(5),
	laterNodeBreaks: rarely(5),
	simplify: rarely(3).map((isRaw) => !isRaw),
	download: rarely(2),
	/** Generate Without Waiting: a callback URL, which is signed. */
	hasCallbackUrl: rarely(2),
	/** Minutes. */
	timeout: fc.constantFrom(2, 2, 0.5, 5, 0),
	/** Seconds; null for the default. */
	pollInterval: sometimes(4, fc.constantFrom(1, 20)),
	batch: sometimes(
		5,
		fc.record({ size: fc.constantFrom(1, 2, 3), seconds: fc.constantFrom(1, 30) }),
	),
	/** Maximum Credits per Run, in videos; null for no limit. */
	maxVideos: sometimes(12, fc.integer({ min: 0, max: 6 })),
	/** What the account can pay, in videos; null for plenty. */
	affordable: sometimes(8, fc.integer({ min: 0, max: 5 })),
	/** The same for the other account, where rows use two. */
	otherAffordable: sometimes(3, fc.integer({ min: 0, max: 3 })),
	/** Requests beyond them get 429, by the virtual clock. */
	limits: fc
		.tuple(rarely(5), fc.array(limit, { minLength: 1, maxLength: 2, size: 'max' }))
		.map(([isLimited, limits]) => (isLimited ? limits : [])),
	/** The base URL of the credential is one at which no request leaves; corrected when things heal. */
	unreachable: sometimes(30, fc.constantFrom(...UNREACHABLE_KINDS)),
	/** Rows use the keys of two accounts; else the accounts of the items do not count. */
	isTwoAccounts: rarely(6),
	/** The workflow's own time limit in seconds; null for none. */
	executionTimeout: sometimes(10, fc.constantFrom(60, 15, 3)),
	/** The API refuses connections until the clock has jumped so often. */
	downForJumps: sometimes(25, fc.constantFrom(1, 3, 1000)).map((jumps): number => jumps ?? 0),
	/** At the nth (from 1) request of a route, or jump of the clock. */
	stop: sometimes(
		4,
		fc.record({
			at: fc.constantFrom(...ROUTES, 'jump'),
			nth: fc.integer({ min: 1, max: 6 }),
		}),
	),
	/** By item, over again where there are more items. */
	callbacks: fc.array(callback, { minLength: 1, maxLength: 4, size: 'max' }),
	/** One more callback after all others, when all videos that ever end have ended. */
	lastCallback: rarely(2),
	/** One more callback after the execution has resumed. */
	lateCallback: rarely(3),
	/** "Retry" in the list of executions, as long as it has failed. `heals`: the trouble is over by then. */
	retries: fc.array(fc.record({ heals: rarely(2) }), { maxLength: 2, size: 'max' }),
	/** After Stop the workflow is run once more, from the start. */
	runsAgainAfterStop: rarely(2),
	// Last, so that a seed draws what it drew before there were models.
	/** By name, over again where there are more names; null for version 1 alone. */
	models: sometimes(
		3,
		fc.array(fc.constantFrom<ModelName[]>('seedance-2-mini', V1, 'seedance-2.0-fast'), {
			minLength: 1,
			maxLength: 3,
			size: 'max',
		}),
	),
	/** Each evaluation gives one of two models. */
	changingModel: rarely(3),
	...batches,
});
export type Schedule = Omit<Drawn<typeof drawn>, 'isTwoAccounts' | 'fewVideos'>;

/** A schedule without any trouble; others are made from it. */
export const PLAIN: Schedule = readFixture('plain');

/** Any schedule, without mixtures of two odd things for which the oracle has no expectation. */
export const schedules: fc.Arbitrary<Schedule> = drawn.map((given) => {
	const { isTwoAccounts, fewVideos: few, ...schedule } = given;
	const { operation, otherAffordable, unreachable, downForJumps, models, maxVideos } = schedule;
	// A pause needs one account for all of its items.
	const isTwo = isTwoAccounts && operation !== 'pause';
	return {
		...PLAIN,
		...schedule,
		// A rate limit that lasts for ever would be waited for again and again; it is in the grid.
		faults: schedule.faults.map((plan) =>
			plan.fault.kind === 'rate-limit' && plan.times === 'always' ? { ...plan, times: 4 } : plan,
		),
		items: schedule.items.map(({ account, ...rest }) => (isTwo ? { ...rest, account } : rest)),
		otherAffordable: isTwo ? otherAffordable : null,
		limits: few === null ? schedule.limits : [...schedule.limits, few],
		maxAtOnce: canRestart(operation) ? schedule.maxAtOnce : null,
		// Where nothing leaves, it does not matter what is at the other end.
		downForJumps: unreachable === null ? downForJumps : 0,
		// What such rows would cost together is unknown.
		changingModel:
			schedule.changingModel && models !== null && maxVideos === null && isStarting(operation),
	};
});

const regressions: Array<{ topic: string; what: string; schedule: Partial<Schedule> }> =
	readFixture('regressions');
/**
 * What use has shown: the small input of each fault that this suite can see, and members of its kind. To add one, copy the
 * schedule that a failing test prints into test/fixtures/faults/regressions.json.
 */
export const REGRESSIONS = regressions.map(({ topic, what, schedule }) => ({
	topic,
	what,
	schedule: { ...PLAIN, ...schedule, endings: { ...PLAIN.endings, ...schedule.endings } },
}));

/** What a video of version 1 is here: the cheapest, so that no price is a multiple of another fact. */
export const SETTINGS = { ...VIDEOS[V1], generateAudio: false } as const;
/** A duration that no video can have. */
export const WRONG_DURATION = '16';

/** The model of all items of one name, as their rows say. */
export function modelOf({ models, changingModel }: Models, name: Name): ModelName {
	const model = models?.[NAMES.indexOf(name) % models.length] ?? V1;
	return changingModel && model === 'seedance-2.0-fast' ? 'seedance-2-mini' : model;
}
type Models = Pick<Schedule, 'models' | 'changingModel'>;

/** Credits of one video, by the sandbox's own tables. */
export function creditsOf(model: ModelName): number {
	const { resolution, duration } = VIDEOS[model];
	if (model === V1) {
		return contractCredits(SETTINGS.resolution, SETTINGS.duration, SETTINGS.generateAudio);
	}
	return contractCreditsV2(model, Number(duration), resolution || null);
}

/** Credits of so many videos, each as dear as the dearest of a schedule. */
export const creditsFor = (schedule: Models & Pick<Schedule, 'items'>, videos: number): number =>
	videos * Math.max(...schedule.items.map(({ name }) => creditsOf(modelOf(schedule, name))));

export const isStarting = (operation: Schedule['operation']): boolean =>
	operation === 'generate' || operation === 'poll' || operation === 'pause';

/** Generate and Wait, which alone has Maximum Videos at Once and Free Restarts. */
export const canRestart = (operation: Schedule['operation']): boolean =>
	operation === 'poll' || operation === 'pause';

/** The prompt of an item in one round of the node; with a changing one, its beginning. */
export function promptOf(schedule: Schedule, name: Name, runIndex: number): string {
	// A task of an earlier workflow stays the same, however often it is read.
	const isSame = schedule.rounds === 1 || schedule.sameEachRound || !isStarting(schedule.operation);
	return `A film about ${name}${isSame ? '' : `, part ${runIndex}`}`;
}

export const nameIn = (prompt: string): Name | undefined =>
	NAMES.find((name) => prompt.includes(name));

/** Whose key the row of an item uses. */
export const accountOf = ({ items }: Schedule, index: number): AccountName =>
	items[index]?.account ?? 'main';

export const hasTwoAccounts = ({ items }: Schedule): boolean =>
	items.some(({ account }) => account === 'other');
