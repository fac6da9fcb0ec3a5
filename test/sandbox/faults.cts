// Faults on order: rules that say which request meets which fault, used up in order and counted.
import routesOfFaults from '../fixtures/faultRoutes.json';
import {
	errorResponse,
	htmlResponse,
	isRecord,
	jsonResponse,
	keysOf,
	SandboxError,
	type ApiResponse,
	type ErrorCode,
	type ErrorShape,
} from './contract.cjs';
import { RateLimits, ROUTES, type AccountName, type Route } from './limits.cjs';
import type { TaskPlan } from './tasks.cjs';

/** Bodies that the video host can send in place of the video. */
export const VIDEO_BODIES = ['html', 'json', 'text', 'webm', 'png'] as const;
export type VideoBodyKind = (typeof VIDEO_BODIES)[number];
/** How a video can be packed on its way. */
export const ENCODINGS = ['gzip', 'deflate', 'br'] as const;
export type Encoding = (typeof ENCODINGS)[number];

type Envelope = Record<string, unknown>;
type Misshape = (whole: Envelope, data: Envelope) => unknown;

/** Responses that are JSON under HTTP 200, but not what the contract promises. */
const MISSHAPES = {
	array: (whole) => [whole],
	null: () => null,
	string: () => 'ok',
	number: () => 1,
	'empty-object': () => ({}),
	'null-data': (whole) => ({ ...whole, data: null }),
	'array-data': (whole, data) => ({ ...whole, data: [data] }),
	'string-data': (whole) => ({ ...whole, data: 'ok' }),
	'no-data': (whole) => ({ ...whole, data: undefined }),
	'no-task-id': (whole, data) => ({ ...whole, data: { ...data, task_id: undefined } }),
	'empty-task-id': (whole, data) => ({ ...whole, data: { ...data, task_id: '' } }),
	'numeric-task-id': (whole, data) => ({ ...whole, data: { ...data, task_id: 15 } }),
	'no-status': (whole, data) => ({ ...whole, data: { ...data, status: undefined } }),
	'no-code': (whole) => ({ ...whole, code: undefined }),
	'code-string': (whole) => ({ ...whole, code: '200' }),
} satisfies Record<string, Misshape>;
export type WrongShape = keyof typeof MISSHAPES;
export const WRONG_SHAPES = keysOf(MISSHAPES);

/**
 * What can go wrong. Times are real milliseconds, unless a field is called `seconds` (virtual). On `generate`, `accept`
 * says whether the request is taken, and charged, before the response goes wrong; the default is given with each kind.
 */
export type Fault =
	/** The usual response, later. */
	| { kind: 'delay'; ms: number }
	/** The connection is reset before anything was done. */
	| { kind: 'reset' }
	/** Never a response, nothing done. After `ms` the connection is cut; without it, never. */
	| { kind: 'hang'; ms?: number }
	/**
	 * The usual response, a byte every `everyMs`: blanks before JSON, the body itself of a video. After `ms` the rest comes at
	 * once; without it the response never ends.
	 */
	| { kind: 'drip'; everyMs: number; ms?: number }
	/** Taken and charged, then the connection is reset: the response is lost. */
	| { kind: 'accept-then-reset' }
	/** Taken and charged, and never gets a response. */
	| { kind: 'accept-then-hang'; ms?: number }
	/** Taken and charged, and answered with a server error. Default 502. */
	| { kind: 'accept-then-5xx'; status?: number; html?: boolean }
	/** Any response at all; nothing is done. A text body is sent as it is, anything else as JSON. */
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
	/** The usual response cut in the middle of its JSON. `accept` default true. */
	| { kind: 'invalid-json'; accept?: boolean }
	/** HTTP 200 and no body. `accept` default true. */
	| { kind: 'empty-body'; accept?: boolean }
	/** JSON of another shape than promised. `accept` default true. */
	| { kind: 'wrong-shape'; shape: WrongShape; accept?: boolean }
	/** A redirect. Default 307 to the same path on another origin. Nothing is done here. */
	| { kind: 'redirect'; status?: number; location?: string }
	/** status: this word instead of the true one. */
	| { kind: 'status-word'; word: string }
	/** status: success without a video, whatever the state. */
	| { kind: 'no-video'; response?: 'empty' | 'null' | 'missing' }
	/** status: failure, whatever the state. */
	| { kind: 'failed'; errorMessage?: string }
	/** generate and status: the id of another account's task in the response. On generate the true task is charged. */
	| { kind: 'foreign-id' }
	/** generate: the new task is made to take this long, to end this way, or to be reported in another form. */
	| ({ kind: 'task' } & TaskPlan)
	/** video: nothing is sent for `ms` once `afterBytes` have been. Default half of the body. */
	| { kind: 'stall'; ms: number; afterBytes?: number }
	/** video: the connection is cut once `afterBytes` have been sent. Default half of the body. */
	| { kind: 'cut'; afterBytes?: number }
	/** video: another content type than video/mp4. */
	| { kind: 'content-type'; value: string }
	/** video: no content type. */
	| { kind: 'no-content-type' }
	/** video: packed on its way; its length is that of the packed body. */
	| { kind: 'encoded'; encoding: Encoding }
	/** video: something else under HTTP 200, as video/mp4 unless another type is given. */
	| { kind: 'video-body'; body: VideoBodyKind; contentType?: string }
	/** video: 206 and the first half. */
	| { kind: 'partial' }
	/** video: sent without saying how long it is. */
	| { kind: 'no-content-length' }
	/** video: a synthetic body of this many bytes, streamed. */
	| { kind: 'video-bytes'; bytes: number };

export type FaultKind = Fault['kind'];

export const FAULT_KINDS: readonly FaultKind[] = keysOf(routesOfFaults);

/** The routes that a kind of fault can apply to. */
export function routesOf(kind: FaultKind): readonly Route[] {
	const routes: readonly string[] = routesOfFaults[kind];
	return ROUTES.filter((route) => routes.includes(route));
}

/** Which requests a rule applies to. All conditions have to hold. */
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
	/** How often the rule applies; default 1. */
	times?: number | 'always';
}

export interface FaultRule {
	match: FaultMatch;
	fault: Fault;
}

/** The request that a rule is compared with. */
export interface FaultTarget {
	prompt: string | null;
	taskId: string | null;
	/** Whose key the request carries; null without one, as a download is. */
	account: AccountName | null;
}

export class Faults {
	/** Limits for each account; a request beyond them meets a `rate-limit` before any rule applies. */
	readonly limits = new RateLimits();
	/** Every fault that a request has met, in order. `at`: milliseconds since 1970. */
	readonly applied: Array<FaultTarget & { at: number; kind: FaultKind; route: Route }> = [];
	private standing: Array<FaultRule & { matched: number; used: number }> = [];

	/**
	 * Adds rules behind those that stand. Of several that match a request the first applies.
	 * Throws when a rule names a kind that cannot apply to its route, which would never come true unnoticed.
	 */
	add(...rules: readonly FaultRule[]): void {
		const wrong = rules.find(({ match, fault }) => !routesOf(fault.kind).includes(match.route));
		if (wrong) throw new SandboxError(`Not a fault rule: ${JSON.stringify(wrong)}`);
		this.standing.push(...rules.map((rule) => ({ ...rule, matched: 0, used: 0 })));
	}

	/** Short for `add` with a route: `faults.on('generate', { kind: 'reset' })`. */
	on(route: Route, fault: Fault, match: Omit<FaultMatch, 'route'> = {}): void {
		this.add({ match: { ...match, route }, fault });
	}

	get pending(): readonly FaultRule[] {
		return this.standing
			.filter((rule) => rule.used < limitOf(rule))
			.map(({ match, fault }) => ({ match, fault }));
	}

	count(kind?: FaultKind): number {
		return this.applied.filter((each) => kind === undefined || each.kind === kind).length;
	}

	/** Takes all rules and limits away; what was met stays counted. */
	clear(): void {
		this.standing = [];
		this.limits.clear();
	}

	/** Takes all rules and limits away and forgets what was met. */
	reset(): void {
		this.clear();
		this.limits.refused.length = 0;
		this.applied.length = 0;
	}

	/** The fault that this request meets, if any, and one use of its rule. */
	take(route: Route, target: FaultTarget): Fault | null {
		const fault = this.limits.refuse(route, target.account) ?? this.ruleFor(route, target);
		if (fault) this.applied.push({ at: Date.now(), kind: fault.kind, route, ...target });
		return fault;
	}

	private ruleFor(route: Route, target: FaultTarget): Fault | null {
		for (const rule of this.standing) {
			if (!matches(rule.match, route, target) || rule.used >= limitOf(rule)) continue;
			rule.matched += 1;
			if (rule.matched < (rule.match.nth ?? 1)) continue;
			rule.used += 1;
			return rule.fault;
		}
		return null;
	}
}

function limitOf({ match: { times = 1 } }: FaultRule): number {
	return times === 'always' ? Infinity : times;
}

function matches(match: FaultMatch, route: Route, target: FaultTarget): boolean {
	return (
		match.route === route &&
		(match.account ?? target.account) === target.account &&
		(match.taskId ?? target.taskId) === target.taskId &&
		(match.prompt === undefined || (target.prompt?.includes(match.prompt) ?? false))
	);
}

/** How a request ends: with a response, with one that drips, with a cut connection, or never. */
export type Ending =
	| ApiResponse
	| { drip: ApiResponse; everyMs: number; ms?: number }
	| { reset: true }
	| { hang: true; ms?: number };

/** Where a redirect leads, and now, from which a date in `Retry-After` is reckoned (milliseconds since 1970). */
interface Surroundings {
	elsewhere: string;
	now: number;
}

/** Applies a fault to a call of the API. `proceed` does what the request asks for and gives the usual response. */
export function endingOf(
	fault: Fault | null,
	proceed: (plan?: TaskPlan) => ApiResponse,
	around: Surroundings & { foreignTaskId: () => string },
): Ending {
	const refusal = refusalOf(fault, around);
	if (refusal) return refusal;
	if (fault?.kind === 'task') {
		const { kind: _kind, ...plan } = fault;
		return proceed(plan);
	}
	const given = fault && 'accept' in fault ? fault.accept : undefined;
	const isAccepted = given ?? (fault?.kind !== 'error' && fault?.kind !== 'html');
	const usual = isAccepted ? proceed() : errorResponse('INTERNAL_ERROR');
	switch (fault?.kind) {
		case 'drip':
			return { drip: usual, everyMs: fault.everyMs, ms: fault.ms };
		case 'accept-then-reset':
			return { reset: true };
		case 'accept-then-hang':
			return { hang: true, ms: fault.ms };
		case 'accept-then-5xx':
			return fault.html ? htmlResponse(fault.status ?? 502) : serverError(fault.status ?? 502);
		case 'error':
			return errorResponse(fault.code, fault.shape);
		case 'html':
			return htmlResponse(fault.status);
		case 'empty-body':
			return { status: 200, headers: { 'content-type': 'application/json' }, body: '' };
		case 'invalid-json':
			return { ...usual, status: 200, body: usual.body.slice(0, usual.body.length / 2) };
		case 'wrong-shape': {
			const whole: unknown = JSON.parse(usual.body);
			const envelope = isRecord(whole) ? whole : {};
			const data = isRecord(envelope.data) ? envelope.data : {};
			return jsonResponse(200, MISSHAPES[fault.shape](envelope, data));
		}
		case 'status-word':
			return withData(usual, { status: fault.word });
		case 'no-video': {
			const response = { empty: [], null: null, missing: undefined }[fault.response ?? 'empty'];
			return withData(usual, { status: 'SUCCESS', response });
		}
		case 'failed':
			return withData(usual, {
				status: 'FAILED',
				consumed_credits: 0,
				response: [],
				error_message: fault.errorMessage ?? 'The video could not be generated',
			});
		case 'foreign-id':
			return withData(usual, { task_id: around.foreignTaskId() });
		default:
			return usual;
	}
}

/** The ending of a fault that does nothing with the request, the same on every route; null for any other. */
export function refusalOf(fault: Fault | null, { elsewhere, now }: Surroundings): Ending | null {
	switch (fault?.kind) {
		case 'reset':
			return { reset: true };
		case 'hang':
			return { hang: true, ms: fault.ms };
		case 'refuse-with':
			return typeof fault.body === 'string' || fault.body === undefined
				? { status: fault.status, headers: { ...fault.headers }, body: fault.body ?? '' }
				: jsonResponse(fault.status, fault.body, fault.headers);
		case 'rate-limit': {
			const { retryAfter, as } = fault;
			// An HTTP date has no fractions of a second, so it is rounded up: never earlier than asked for.
			const date = new Date(Math.ceil(now / 1000 + (retryAfter ?? 0)) * 1000).toUTCString();
			return jsonResponse(
				429,
				{ code: 429, message: 'Too many requests' },
				retryAfter === undefined ? {} : { 'retry-after': as === 'date' ? date : `${retryAfter}` },
			);
		}
		case 'firewall':
			return {
				status: 403,
				headers: { 'content-type': 'text/plain; charset=UTF-8', server: 'cloudflare' },
				body: `error code: ${fault.code ?? 1010}`,
			};
		case 'server-error':
			return serverError(fault.status ?? 500);
		case 'redirect':
			return {
				status: fault.status ?? 307,
				headers: { location: fault.location ?? elsewhere },
				body: '',
			};
		default:
			return null;
	}
}

function serverError(status: number): ApiResponse {
	return jsonResponse(status, {
		code: status === 500 ? 'INTERNAL_ERROR' : status,
		message: 'Server error, try again later',
		data: null,
	});
}

/** The usual response with some keys of `data` replaced; a key with undefined is left out. */
function withData(usual: ApiResponse, changes: Envelope): ApiResponse {
	const envelope: unknown = JSON.parse(usual.body);
	if (!isRecord(envelope) || !isRecord(envelope.data)) return usual;
	const data = { ...envelope.data, ...changes };
	return { ...usual, body: JSON.stringify({ ...envelope, data }) };
}
