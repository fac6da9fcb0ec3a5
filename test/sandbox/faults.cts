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
import { ID_FORMS, REASON_FORMS, RESPONSE_FORMS } from './forms.cjs';
import { RateLimits, ROUTES, type AccountName, type Route } from './limits.cjs';
import type { Outcome, TaskPlan } from './tasks.cjs';

/** Bodies that the video host can send in place of the video. */
export const VIDEO_BODIES = ['html', 'json', 'text', 'webm', 'png'] as const;
export type VideoBodyKind = (typeof VIDEO_BODIES)[number];
/** How a video can be packed on its way. */
export const ENCODINGS = ['gzip', 'deflate', 'br'] as const;
export type Encoding = (typeof ENCODINGS)[number];

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
	/**
	 * The usual answer, a byte every `everyMs`: blanks before JSON, the body itself of a video. After `ms` the rest comes at
	 * once; without it the answer never ends.
	 */
	| { kind: 'drip'; everyMs: number; ms?: number }
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
	/** The firewall before the API: 403 and the text `error code: 1010`, or another number. Nothing is done. */
	| { kind: 'firewall'; code?: number }
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
	/** generate: the new task is made to take this long, to end this way, or to be told in another form. */
	| ({ kind: 'task' } & TaskPlan)
	/** video: nothing is sent for `ms` once `afterBytes` have been. Default half of the body. */
	| { kind: 'stall'; ms: number; afterBytes?: number }
	/** video: the connection is cut once `afterBytes` have been sent. Default half of the body. */
	| { kind: 'cut'; afterBytes?: number }
	/** video: another content type than video/mp4. */
	| { kind: 'content-type'; value: string }
	/** video: no content type. */
	| { kind: 'no-content-type' }
	/** video: packed on its way; the length told is that of the packed body. */
	| { kind: 'encoded'; encoding: Encoding }
	/** video: something else under HTTP 200, as video/mp4 unless another type is told. */
	| { kind: 'video-body'; body: VideoBodyKind; contentType?: string }
	/** video: 206 and the first half. */
	| { kind: 'partial' }
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

const isLinkPlan: FieldCheck = (value) =>
	isRecord(value) &&
	fits(value, { seconds: number, refusals: number, status: number, isRenewed: flag });

/** The fields of a plan for a task, all optional. */
const PLAN_FIELDS: Record<keyof TaskPlan, FieldCheck> = {
	seconds: number,
	runningWord: text,
	outcome: isOutcome,
	unknownReads: number,
	unknownSeconds: number,
	id: text,
	idAs: oneOf(...ID_FORMS),
	answersEnd: flag,
};
const OUTCOME_FIELDS: Record<keyof Outcome, FieldCheck> = {
	status: oneOf('SUCCESS', 'FAILED'),
	word: text,
	response: oneOf('url', 'empty', 'null', 'missing'),
	urlAfterReads: number,
	urlAfterSeconds: number,
	responseAs: oneOf(...RESPONSE_FORMS),
	errorMessage: text,
	reasonAs: oneOf(...REASON_FORMS),
	videoStatus: number,
	link: isLinkPlan,
};

/** True when every field that is there is known and right, so that a misspelt one is not silently ignored. */
function fits(
	value: Record<string, unknown>,
	checks: Readonly<Record<string, FieldCheck>>,
): boolean {
	return Object.entries(value).every(
		([key, field]) => field === undefined || (Object.hasOwn(checks, key) && checks[key](field)),
	);
}

function allOptional(checks: Readonly<Record<string, FieldCheck>>): Record<string, FieldCheck> {
	return Object.fromEntries(
		Object.entries(checks).map(([field, check]) => [field, optional(check)]),
	);
}

/** The fields of each kind and where it may strike: what the control endpoint checks a rule against. */
const KINDS: Record<FaultKind, { routes: readonly Route[]; fields: Record<string, FieldCheck> }> = {
	delay: { routes: ROUTES, fields: { ms: number } },
	reset: { routes: ROUTES, fields: {} },
	hang: { routes: ROUTES, fields: { ms: optional(number) } },
	drip: { routes: ROUTES, fields: { everyMs: number, ms: optional(number) } },
	firewall: { routes: ROUTES, fields: { code: optional(number) } },
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
		fields: allOptional(PLAN_FIELDS),
	},
	stall: { routes: ['video'], fields: { ms: number, afterBytes: optional(number) } },
	cut: { routes: ['video'], fields: { afterBytes: optional(number) } },
	'content-type': { routes: ['video'], fields: { value: text } },
	'no-content-type': { routes: ['video'], fields: {} },
	encoded: { routes: ['video'], fields: { encoding: oneOf(...ENCODINGS) } },
	'video-body': {
		routes: ['video'],
		fields: { body: oneOf(...VIDEO_BODIES), contentType: optional(text) },
	},
	partial: { routes: ['video'], fields: {} },
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
	return isRecord(value) && value.status !== undefined && fits(value, OUTCOME_FIELDS);
}

/** True for a plan of a task as the control endpoint takes it. */
export function isTaskPlan(value: unknown): value is TaskPlan {
	return isRecord(value) && fits(value, PLAN_FIELDS);
}

function isFault(value: unknown): value is Fault {
	if (!isRecord(value) || !isFaultKind(value.kind)) return false;
	const { kind: _kind, ...given } = value;
	const { fields } = KINDS[value.kind];
	return (
		Object.entries(fields).every(([field, check]) => check(given[field])) && fits(given, fields)
	);
}

/** Which requests a rule strikes. All conditions have to hold. */
export interface FaultMatch {
	route: Route;
	/** Part of the prompt; on status and video the prompt of the task that is asked for. */
	prompt?: string;
	/** status and video: only this task. */
	taskId?: string;
	/** generate and status: only requests with the key of this account. */
	account?: AccountName;
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
		optional(oneOf('main', 'other'))(value.account) &&
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
	account: AccountName | null;
}

interface StandingRule extends FaultRule {
	seen: number;
	used: number;
}

/** The request a rule is held against. */
export interface FaultTarget {
	prompt: string | null;
	taskId: string | null;
	/** Whose key the request carries; null without one, as a download is. */
	account: AccountName | null;
}

export class Faults {
	/** Limits for each account; a request beyond them meets a `rate-limit` before any rule is looked at. */
	readonly limits = new RateLimits();
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

	/** Takes all rules and limits away; what struck stays counted. */
	clear(): void {
		this.standing = [];
		this.limits.clear();
	}

	/** Takes all rules and limits away and forgets what struck. */
	reset(): void {
		this.clear();
		this.limits.reset();
		this.applied.length = 0;
	}

	/** The fault that strikes this request, if any, and one use of its rule. */
	take(route: Route, target: FaultTarget): Fault | null {
		const beyond = this.limits.refuse(route, target.account);
		if (beyond) {
			const { limit, secondsLeft } = beyond;
			const retryAfter = limit.retryAfter === 'exact' ? Math.ceil(secondsLeft) : limit.retryAfter;
			this.applied.push({ at: Date.now(), kind: 'rate-limit', route, ...target });
			return { kind: 'rate-limit', retryAfter, as: limit.as };
		}
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
	if (match.account !== undefined && match.account !== target.account) return false;
	if (match.prompt !== undefined && !target.prompt?.includes(match.prompt)) return false;
	return match.taskId === undefined || match.taskId === target.taskId;
}

/** How a request ends: with an answer, with one that drips, with a cut connection, or never. */
export type Ending =
	| Answer
	| { drip: Answer; everyMs: number; ms?: number }
	| { reset: true }
	| { hang: true; ms?: number };

/** What a fault needs to know about the place where it strikes. */
export interface FaultScene {
	/** Does what the request asks for and gives the usual answer. */
	proceed: (plan?: TaskPlan) => Answer;
	/** Where a redirect leads. */
	elsewhere: string;
	/** Milliseconds since 1970, from which a date in `Retry-After` is reckoned. */
	now: number;
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
		case 'drip':
			return { drip: scene.proceed(), everyMs: fault.everyMs, ms: fault.ms };
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
		case 'firewall':
		case 'server-error':
		case 'redirect':
			return refusalOf(fault, scene.elsewhere, scene.now);
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
		case 'task': {
			const { kind: _kind, ...plan } = fault;
			return scene.proceed(plan);
		}
		default:
			return scene.proceed();
	}
}

/** The answer of the faults that refuse without doing anything, which are the same on every route. */
export function refusalOf(
	fault: Extract<
		Fault,
		{ kind: 'refuse-with' | 'rate-limit' | 'firewall' | 'server-error' | 'redirect' }
	>,
	elsewhere: string,
	now: number,
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
					: { 'retry-after': retryAfterHeader(fault.retryAfter, fault.as ?? 'seconds', now) },
			);
		case 'firewall':
			return {
				status: 403,
				headers: { 'content-type': 'text/plain; charset=UTF-8', server: 'cloudflare' },
				body: `error code: ${fault.code ?? 1010}`,
			};
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
function retryAfterHeader(seconds: number, as: 'seconds' | 'date', now: number): string {
	if (as === 'seconds') return String(seconds);
	return new Date(Math.ceil((now + seconds * 1000) / 1000) * 1000).toUTCString();
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
