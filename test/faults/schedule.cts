// What one schedule of the fault suite holds: items, settings, faults, Stop, callbacks, and what a person does afterwards.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type {
	AccountName,
	Fault,
	Outcome,
	RateLimit,
	Route,
	TaskPlan,
	UnreachableKind,
} from '../sandbox/server.cjs';

/** A file of test/fixtures/faults. */
export const readFixture = (name: string) =>
	JSON.parse(readFileSync(join(__dirname, '..', 'fixtures', 'faults', `${name}.json`), 'utf8'));

/** Operations and, for Generate and Wait, its two ways to wait. */
export const OPERATIONS = ['generate', 'poll', 'pause', 'status', 'wait', 'estimateCost'] as const;

export const ON_ERROR = ['stopWorkflow', 'continueRegularOutput', 'continueErrorOutput'] as const;

/** What items are called; two of the same name have equal prompts. */
export const NAMES = ['apple', 'birch', 'cedar', 'daisy', 'ember', 'ferns'] as const;
export type Name = (typeof NAMES)[number];

/** How the tasks of one name end. `failedOnce`: the first one fails, those after it succeed. */
export const ENDS = ['ready', 'failed', 'failedOnce', 'never', 'noVideo', 'expired'] as const;

/**
 * How the links to a video behave. `refusedOnce`: at the first request; `brief`: dead 20 seconds after the reading that
 * showed it, and renewed by each further one; `dead`: the same, and never renewed.
 */
export const LINKS = ['lasting', 'refusedOnce', 'brief', 'dead'] as const;

export interface Ending {
	ends: (typeof ENDS)[number];
	/** Virtual seconds until then. */
	seconds: number;
	/** For so many virtual seconds after its creation the API does not know the task. */
	unknownSeconds?: number;
	/** A success comes so many virtual seconds before its URL. */
	urlLateSeconds?: number;
	link?: (typeof LINKS)[number];
	/** The form of its answers, where the contract is silent. */
	form?: keyof typeof FORMS;
}

/** Forms of a task's answers that a caller has to understand all the same. */
export const FORMS: Readonly<
	Record<string, { plan?: TaskPlan; success?: Partial<Outcome>; failure?: Partial<Outcome> }>
> = readFixture('forms');

export interface ItemPlan {
	name: Name;
	/** Values that are refused before anything is sent. */
	isWrong: boolean;
	/** Get Status and Wait for Video: whose task the item names. */
	task: 'own' | 'foreign' | 'unknown';
	/** Whose key the row's credential holds; `main` where there is one account. */
	account?: AccountName;
}

export interface FaultPlan {
	route: Route;
	/** Strikes only requests for this name; null for all. */
	name: Name | null;
	fault: Fault;
	times: number | 'always';
}

/** What a callback readings like; `claim` is what it says of its task. */
export const SHAPES = ['envelope', 'neighbour', 'empty', 'get', 'stranger'] as const;

export interface CallbackPlan {
	/** Never delivered. */
	isLost: boolean;
	/** Also delivered before the end. */
	isEarly: boolean;
	/** Deliveries at the same moment. */
	copies: number;
	claim: 'ended' | 'running';
	shape: (typeof SHAPES)[number];
	/** Callbacks come in this order, whatever the order in which the tasks end. */
	rank: number;
}

export interface Schedule {
	operation: (typeof OPERATIONS)[number];
	onError: (typeof ON_ERROR)[number];
	retryOnFail: boolean;
	items: ItemPlan[];
	endings: Record<Name, Ending>;
	faults: FaultPlan[];
	/** How often the node runs, in a loop with itself. */
	rounds: number;
	/** Each round asks for the same videos again. */
	sameEachRound: boolean;
	/** Each evaluation gives another prompt. */
	changingPrompt: boolean;
	laterNodeBreaks: boolean;
	simplify: boolean;
	download: boolean;
	/** Generate Without Waiting: a callback URL, which is signed. */
	hasCallbackUrl: boolean;
	/** Minutes. */
	timeout: number;
	/** Seconds; null for the default. */
	pollInterval: number | null;
	batch: { size: number; seconds: number } | null;
	/** Maximum Credits per Run, in videos; null for no limit. */
	maxVideos: number | null;
	/** What the account can pay, in videos; null for plenty. */
	affordable: number | null;
	/** The same for the other account, where rows use two. */
	otherAffordable: number | null;
	/** Requests beyond them are answered with 429, by the virtual clock. */
	limits: RateLimit[];
	/** The base URL of the credential is one at which no request leaves; corrected when things heal. */
	unreachable: UnreachableKind | null;
	/** The workflow's own time limit in seconds; null for none. */
	executionTimeout: number | null;
	/** The API refuses connections until the clock has jumped so often. */
	downForJumps: number;
	/** At the nth (from 1) request of a route, or jump of the clock. */
	stop: { at: Route | 'jump'; nth: number } | null;
	/** By item, over again where there are more items. */
	callbacks: CallbackPlan[];
	/** One more callback after all others, when all videos that ever end have ended. */
	lastCallback: boolean;
	/** One more callback when the execution goes on already. */
	lateCallback: boolean;
	/** "Retry" in the list of executions, as long as it has failed. `heals`: the trouble is over by then. */
	retries: Array<{ heals: boolean }>;
	/** After Stop the workflow is run once more, from the start. */
	runsAgainAfterStop: boolean;
}

/** A schedule without any trouble; others are made from it. */
export const PLAIN: Schedule = readFixture('plain');

/** The credits of each video: the cheapest, so that no price is a multiple of another fact. */
export const SETTINGS = { resolution: '480p', duration: '4', generateAudio: false } as const;
/** A duration that no video can have. */
export const WRONG_DURATION = '7';

export const isStarting = (operation: Schedule['operation']): boolean =>
	operation === 'generate' || operation === 'poll' || operation === 'pause';

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

/** Whether rows of one run use two accounts. */
export const hasTwoAccounts = ({ items }: Schedule): boolean =>
	items.some(({ account }) => account === 'other');
