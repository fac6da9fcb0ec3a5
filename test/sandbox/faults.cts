// Bad weather on order: rules that say which request meets which fault, used up in order and counted.
import {
	ERROR_SHAPES,
	type Answer,
	type ErrorCode,
	type ErrorShape,
	errorAnswer,
	htmlAnswer,
	isErrorCode,
	isRecord,
	jsonAnswer,
} from './contract.cjs';
import type { Outcome, TaskPlan } from './tasks.cjs';

/** The routes a fault can strike. */
export const ROUTES = ['generate', 'status', 'video'] as const;
export type Route = (typeof ROUTES)[number];

/** Answers that are JSON under HTTP 200, but not what the contract promises. */
export const WRONG_SHAPES = [
	'array',
	'null',
	'string',
	'number',
	'empty-object',
	'null-data',
	'array-data',
	'string-data',
	'no-data',
	'no-task-id',
	'empty-task-id',
	'numeric-task-id',
	'no-status',
	'no-code',
	'code-string',
] as const;
export type WrongShape = (typeof WRONG_SHAPES)[number];

/**
 * What can go wrong. Times are real milliseconds, unless a field is called `seconds` (virtual). On `generate`, `accept`
 * says whether the request is taken, and charged, before the answer goes wrong; the default is given with each kind.
 */
export type Fault =
	/** The usual answer, later. */
	| { kind: 'delay'; ms: number }
	/** The connection is reset before anything was done. */
	| { kind: 'reset' }
	/** Never an answer, nothing done. After `ms` the connection is cut; without it, never. */
	| { kind: 'hang'; ms?: number }
	/** Taken and charged, then the connection is reset: the answer is lost. */
	| { kind: 'accept-then-reset' }
	/** Taken and charged, and never answered. */
	| { kind: 'accept-then-hang'; ms?: number }
	/** Taken and charged, and answered with a server error. Default 502. */
	| { kind: 'accept-then-5xx'; status?: number; html?: boolean }
	/** Any answer at all; nothing is done. A text body is sent as it is, anything else as JSON. */
	| { kind: 'refuse-with'; status: number; body?: unknown; headers?: Record<string, string> }
	/** 429. `retryAfter` in seconds, sent as a number or as an HTTP date; none without it. */
	| { kind: 'rate-limit'; retryAfter?: number; as?: 'seconds' | 'date' }
	/** A server error, nothing done. Default 500. */
	| { kind: 'server-error'; status?: number }
	/** One error of the contract in one shape. `accept` default false. */
	| { kind: 'error'; code: ErrorCode; shape?: ErrorShape; accept?: boolean }
	/** A proxy's HTML page. `accept` default false. */
	| { kind: 'html'; status: number; accept?: boolean }
	/** The usual answer cut in the middle of its JSON. `accept` default true. */
	| { kind: 'invalid-json'; accept?: boolean }
	/** HTTP 200 and no body. `accept` default true. */
	| { kind: 'empty-body'; accept?: boolean }
	/** JSON of another shape than promised. `accept` default true. */
	| { kind: 'wrong-shape'; shape: WrongShape; accept?: boolean }
	/** A redirect. Default 307 to the same path on another origin. Nothing is done here. */
	| { kind: 'redirect'; status?: number; location?: string }
	/** status: this word instead of the true one. */
	| { kind: 'status-word'; word: string }
	/** status: success without a video, whatever the truth. */
	| { kind: 'no-video'; response?: 'empty' | 'null' | 'missing' }
	/** status: failure, whatever the truth. */
	| { kind: 'failed'; errorMessage?: string }
	/** generate and status: the id of another account's task in the answer. On generate the true task is charged. */
	| { kind: 'foreign-id' }
	/** generate: the new task is made to take this long and end this way. */
	| { kind: 'task'; seconds?: number; runningWord?: string; outcome?: Outcome }
	/** video: nothing is sent for `ms` once `afterBytes` have been. Default half of the body. */
	| { kind: 'stall'; ms: number; afterBytes?: number }
	/** video: the connection is cut once `afterBytes` have been sent. Default half of the body. */
	| { kind: 'cut'; afterBytes?: number }
	/** video: another content type than video/mp4. */
	| { kind: 'content-type'; value: string }
	/** video: sent without saying how long it is. */
	| { kind: 'no-content-length' }
	/** video: a synthetic body of this many bytes, streamed. */
	| { kind: 'video-bytes'; bytes: number };

export type FaultKind = Fault['kind'];

type FieldCheck = (value: unknown) => boolean;
const number: FieldCheck = (value) => typeof value === 'number' && value >= 0;
const text: FieldCheck = (value) => typeof value === 'string';
const flag: FieldCheck = (value) => typeof value === 'boolean';
const record: FieldCheck = (value) => isRecord(value);
const oneOf =
	(...allowed: readonly string[]): FieldCheck =>
	(value) =>
		typeof value === 'string' && allowed.includes(value);
const optional =
	(check: FieldCheck): FieldCheck =>
	(value) =>
		value === undefined || check(value);

/** The fields of each kind and where it may strike: what the control endpoint checks a rule against. */
const KINDS: Record<FaultKind, { routes: readonly Route[]; fields: Record<string, FieldCheck> }> = {
	delay: { routes: ROUTES, fields: { ms: number } },
	reset: { routes: ROUTES, fields: {} },
	hang: { routes: ROUTES, fields: { ms: optional(number) } },
	'accept-then-reset': { routes: ['generate'], fields: {} },
	'accept-then-hang': { routes: ['generate'], fields: { ms: optional(number) } },
	'accept-then-5xx': {
		routes: ['generate'],
		fields: { status: optional(number), html: optional(flag) },
	},
	'refuse-with': {
		routes: ROUTES,
		fields: { status: number, body: () => true, headers: optional(record) },
	},
	'rate-limit': {
		routes: ROUTES,
		fields: { retryAfter: optional(number), as: optional(oneOf('seconds', 'date')) },
	},
	'server-error': { routes: ROUTES, fields: { status: optional(number) } },
	error: {
		routes: ['generate', 'status'],
		fields: {
			code: isErrorCode,
			shape: optional(oneOf(...ERROR_SHAPES)),
			accept: optional(flag),
		},
	},
	html: { routes: ROUTES, fields: { status: number, accept: optional(flag) } },
	'invalid-json': { routes: ['generate', 'status'], fields: { accept: optional(flag) } },
	'empty-body': { routes: ROUTES, fields: { accept: optional(flag) } },
	'wrong-shape': {
		routes: ['generate', 'status'],
		fields: { shape: oneOf(...WRONG_SHAPES), accept: optional(flag) },
	},
	redirect: { routes: ROUTES, fields: { status: optional(number), location: optional(text) } },
	'status-word': { routes: ['status'], fields: { word: text } },
	'no-video': {
		routes: ['status'],
		fields: { response: optional(oneOf('empty', 'null', 'missing')) },
	},
	failed: { routes: ['status'], fields: { errorMessage: optional(text) } },
	'foreign-id': { routes: ['generate', 'status'], fields: {} },
	task: {
		routes: ['generate'],
		fields: {
			seconds: optional(number),
			runningWord: optional(text),
			outcome: optional(isOutcome),
		},
	},
	stall: { routes: ['video'], fields: { ms: number, afterBytes: optional(number) } },
	cut: { routes: ['video'], fields: { afterBytes: optional(number) } },
	'content-type': { routes: ['video'], fields: { value: text } },
	'no-content-length': { routes: ['video'], fields: {} },
	'video-bytes': { routes: ['video'], fields: { bytes: number } },
};

function isFaultKind(value: unknown): value is FaultKind {
	return typeof value === 'string' && Object.hasOwn(KINDS, value);
}

/** Every kind of fault, for suites that go through all of them. */
export const FAULT_KINDS: readonly FaultKind[] = Object.keys(KINDS).filter(isFaultKind);

/** The routes a kind of fault can strike. */
export function routesOf(kind: FaultKind): readonly Route[] {
	return KINDS[kind].routes;
}

/** True for an outcome as the control endpoint takes it. */
export function isOutcome(value: unknown): value is Outcome {
	return (
		isRecord(value) &&
		oneOf('SUCCESS', 'FAILED')(value.status) &&
		optional(text)(value.word) &&
		optional(oneOf('url', 'empty', 'null', 'missing'))(value.response) &&
		optional(text)(value.errorMessage) &&
		optional(number)(value.videoStatus)
	);
}

function isFault(value: unknown): value is Fault {
	if (!isRecord(value) || !isFaultKind(value.kind)) return false;
	return Object.entries(KINDS[value.kind].fields).every(([field, check]) => check(value[field]));
}

/** Which requests a rule strikes. All conditions have to hold. */
export interface FaultMatch {
	route: Route;
	/** Part of the prompt; on status and video the prompt of the task that is asked for. */
	prompt?: string;
	/** status and video: only this task. */
	taskId?: string;
	/** Only from the n-th matching request on, counted from 1. */
	nth?: number;
	/** How often the rule strikes; default 1. */
	times?: number | 'always';
}

export interface FaultRule {
	match: FaultMatch;
	fault: Fault;
}

function isFaultMatch(value: unknown): value is FaultMatch {
	return (
		isRecord(value) &&
		oneOf(...ROUTES)(value.route) &&
		optional(text)(value.prompt) &&
		optional(text)(value.taskId) &&
		optional(number)(value.nth) &&
		(optional(number)(value.times) || value.times === 'always')
	);
}

/** True for a rule as the control endpoint takes it: known route and kind, fields of the right type. */
export function isFaultRule(value: unknown): value is FaultRule {
	if (!isRecord(value) || !isFaultMatch(value.match) || !isFault(value.fault)) return false;
	return routesOf(value.fault.kind).includes(value.match.route);
}

/** One strike of a rule. */
export interface AppliedFault {
	/** Milliseconds since 1970. */
	at: number;
	kind: FaultKind;
	route: Route;
	prompt: string | null;
	taskId: string | null;
}

interface StandingRule extends FaultRule {
	seen: number;
	used: number;
}

/** The request a rule is held against. */
export interface FaultTarget {
	prompt: string | null;
	taskId: string | null;
}

export class Faults {
	/** Every strike, in order. */
	readonly applied: AppliedFault[] = [];
	private standing: StandingRule[] = [];

	/**
	 * Adds rules behind those that stand. Of several that match a request the first strikes.
	 * Throws when a rule names a kind that cannot strike its route, which would never come true unnoticed.
	 */
	add(...rules: FaultRule[]): void {
		for (const rule of rules) {
			if (!isFaultRule(rule)) {
				throw new Error(`Not a fault rule of the sandbox: ${JSON.stringify(rule)}`);
			}
		}
		this.standing.push(...rules.map((rule) => ({ ...rule, seen: 0, used: 0 })));
	}

	/** Short for `add` with a route: `faults.on('generate', { kind: 'reset' })`. */
	on(route: Route, fault: Fault, match: Omit<FaultMatch, 'route'> = {}): void {
		this.add({ match: { ...match, route }, fault });
	}

	/** Rules that can still strike. */
	get pending(): readonly FaultRule[] {
		return this.standing
			.filter((rule) => rule.used < limitOf(rule))
			.map(({ match, fault }) => ({ match, fault }));
	}

	/** How many faults struck, of one kind or of all. */
	count(kind?: FaultKind): number {
		return this.applied.filter((each) => kind === undefined || each.kind === kind).length;
	}

	/** Takes all rules away; what struck stays counted. */
	clear(): void {
		this.standing = [];
	}

	/** Takes all rules away and forgets what struck. */
	reset(): void {
		this.clear();
		this.applied.length = 0;
	}

	/** The fault that strikes this request, if any, and one use of its rule. */
	take(route: Route, target: FaultTarget): Fault | null {
		for (const rule of this.standing) {
			if (!matches(rule, route, target) || rule.used >= limitOf(rule)) continue;
			rule.seen += 1;
			if (rule.seen < (rule.match.nth ?? 1)) continue;
			rule.used += 1;
			this.applied.push({ at: Date.now(), kind: rule.fault.kind, route, ...target });
			return rule.fault;
		}
		return null;
	}
}

function limitOf({ match: { times = 1 } }: FaultRule): number {
	return times === 'always' ? Infinity : times;
}

function matches({ match }: FaultRule, route: Route, target: FaultTarget): boolean {
	if (match.route !== route) return false;
	if (match.prompt !== undefined && !target.prompt?.includes(match.prompt)) return false;
	return match.taskId === undefined || match.taskId === target.taskId;
}

/** How a request ends: with an answer, with a cut connection, or never. */
export type Ending = Answer | { reset: true } | { hang: true; ms?: number };

/** What a fault needs to know about the place where it strikes. */
export interface FaultScene {
	/** Does what the request asks for and gives the usual answer. */
	proceed: (plan?: TaskPlan) => Answer;
	/** Where a redirect leads. */
	elsewhere: string;
	/** A task of another account. */
	foreignTaskId: () => string;
}

/** Applies a fault to a call of the API. Without one the request proceeds as usual. */
export function endingOf(fault: Fault | null, scene: FaultScene): Ending {
	if (!fault) return scene.proceed();
	const accepted = (accept: boolean | undefined, byDefault: boolean) => {
		if (accept ?? byDefault) scene.proceed();
	};
	switch (fault.kind) {
		case 'reset':
			return { reset: true };
		case 'hang':
			return { hang: true, ms: fault.ms };
		case 'accept-then-reset':
			scene.proceed();
			return { reset: true };
		case 'accept-then-hang':
			scene.proceed();
			return { hang: true, ms: fault.ms };
		case 'accept-then-5xx': {
			scene.proceed();
			return serverError(fault.status ?? 502, fault.html ?? false);
		}
		case 'refuse-with':
		case 'rate-limit':
		case 'server-error':
		case 'redirect':
			return refusalOf(fault, scene.elsewhere);
		case 'error':
			accepted(fault.accept, false);
			return errorAnswer(fault.code, fault.shape);
		case 'html':
			accepted(fault.accept, false);
			return htmlAnswer(fault.status);
		case 'empty-body':
			accepted(fault.accept, true);
			return { status: 200, headers: { 'content-type': 'application/json' }, body: '' };
		case 'invalid-json': {
			const usual = fault.accept === false ? errorAnswer('INTERNAL_ERROR') : scene.proceed();
			return { ...usual, status: 200, body: usual.body.slice(0, usual.body.length / 2) };
		}
		case 'wrong-shape': {
			const usual = fault.accept === false ? errorAnswer('INTERNAL_ERROR') : scene.proceed();
			return jsonAnswer(200, misshape(JSON.parse(usual.body), fault.shape));
		}
		case 'status-word':
			return withData(scene.proceed(), { status: fault.word });
		case 'no-video': {
			const { response = 'empty' } = fault;
			return withData(scene.proceed(), {
				status: 'SUCCESS',
				response: response === 'empty' ? [] : response === 'null' ? null : undefined,
			});
		}
		case 'failed':
			return withData(scene.proceed(), {
				status: 'FAILED',
				consumed_credits: 0,
				response: [],
				error_message: fault.errorMessage ?? 'The video could not be generated',
			});
		case 'foreign-id':
			return withData(scene.proceed(), { task_id: scene.foreignTaskId() });
		case 'task':
			return scene.proceed({
				seconds: fault.seconds,
				runningWord: fault.runningWord,
				outcome: fault.outcome,
			});
		default:
			return scene.proceed();
	}
}

/** The answer of the faults that refuse without doing anything, which are the same on every route. */
export function refusalOf(
	fault: Extract<Fault, { kind: 'refuse-with' | 'rate-limit' | 'server-error' | 'redirect' }>,
	elsewhere: string,
): Answer {
	switch (fault.kind) {
		case 'refuse-with':
			return typeof fault.body === 'string' || fault.body === undefined
				? { status: fault.status, headers: { ...fault.headers }, body: fault.body ?? '' }
				: jsonAnswer(fault.status, fault.body, fault.headers);
		case 'rate-limit':
			return jsonAnswer(
				429,
				{ code: 429, message: 'Too many requests' },
				fault.retryAfter === undefined
					? {}
					: { 'retry-after': retryAfterHeader(fault.retryAfter, fault.as ?? 'seconds') },
			);
		case 'server-error':
			return serverError(fault.status ?? 500, false);
		case 'redirect':
			return {
				status: fault.status ?? 307,
				headers: { location: fault.location ?? elsewhere },
				body: '',
			};
	}
}

/** An HTTP date has no fractions of a second, so it is rounded up: never earlier than asked for. */
function retryAfterHeader(seconds: number, as: 'seconds' | 'date'): string {
	if (as === 'seconds') return String(seconds);
	return new Date(Math.ceil((Date.now() + seconds * 1000) / 1000) * 1000).toUTCString();
}

function serverError(status: number, html: boolean): Answer {
	if (html) return htmlAnswer(status);
	return jsonAnswer(status, {
		code: status === 500 ? 'INTERNAL_ERROR' : status,
		message: 'Server error, try again later',
		data: null,
	});
}

/** The usual answer with some keys of `data` replaced; a key with undefined is left out. */
function withData(usual: Answer, changes: Record<string, unknown>): Answer {
	const envelope: unknown = JSON.parse(usual.body);
	if (!isRecord(envelope) || !isRecord(envelope.data)) return usual;
	return {
		...usual,
		body: JSON.stringify({ ...envelope, data: { ...envelope.data, ...changes } }),
	};
}

function misshape(envelope: unknown, shape: WrongShape): unknown {
	const whole = isRecord(envelope) ? envelope : {};
	const data = isRecord(whole.data) ? whole.data : {};
	switch (shape) {
		case 'array':
			return [envelope];
		case 'null':
			return null;
		case 'string':
			return 'ok';
		case 'number':
			return 1;
		case 'empty-object':
			return {};
		case 'null-data':
			return { ...whole, data: null };
		case 'array-data':
			return { ...whole, data: [data] };
		case 'string-data':
			return { ...whole, data: 'ok' };
		case 'no-data':
			return { ...whole, data: undefined };
		case 'no-task-id':
			return { ...whole, data: { ...data, task_id: undefined } };
		case 'empty-task-id':
			return { ...whole, data: { ...data, task_id: '' } };
		case 'numeric-task-id':
			return { ...whole, data: { ...data, task_id: 15 } };
		case 'no-status':
			return { ...whole, data: { ...data, status: undefined } };
		case 'no-code':
			return { ...whole, code: undefined };
		case 'code-string':
			return { ...whole, code: '200' };
	}
}
