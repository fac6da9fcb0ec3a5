// The sandbox's rate limits: at most so many requests a second or a minute for each account, and 429 beyond.
import { isRecord } from './contract.cjs';

/** The routes that a limit or a fault can strike. */
export const ROUTES = ['generate', 'status', 'video'] as const;
export type Route = (typeof ROUTES)[number];

export type AccountName = 'main' | 'other';

/** One limit. Each account has its own count, as each has its own key. */
export interface RateLimit {
	route: Route;
	/** Requests that are served within any second. */
	perSecond?: number;
	/** Requests that are served within any minute. */
	perMinute?: number;
	/** Only this account is limited; without it each of them is. */
	account?: AccountName;
	/** What `Retry-After` says, in seconds; `exact` for the time until one is served again; no such header without it. */
	retryAfter?: number | 'exact';
	/** The form of `Retry-After`. Default seconds. */
	as?: 'seconds' | 'date';
	/** Requests that were refused count as well, so that whoever insists stays shut out. Default false. */
	countsRefused?: boolean;
}

/** A request that was refused with 429 because of a limit. */
export interface Limited {
	/** Milliseconds since 1970, by {@link RateLimits.now}. */
	at: number;
	route: Route;
	account: AccountName | null;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const FIELDS: Record<keyof RateLimit, (value: unknown) => boolean> = {
	route: (value) => ROUTES.some((route) => route === value),
	perSecond: isCount,
	perMinute: isCount,
	account: (value) => value === 'main' || value === 'other',
	retryAfter: (value) => value === 'exact' || (typeof value === 'number' && value >= 0),
	as: (value) => value === 'seconds' || value === 'date',
	countsRefused: (value) => typeof value === 'boolean',
};

function isCount(value: unknown): boolean {
	return typeof value === 'number' && value >= 0;
}

function hasField(key: string): key is keyof RateLimit {
	return Object.hasOwn(FIELDS, key);
}

/** True for a limit as the control endpoint takes it. */
export function isRateLimit(value: unknown): value is RateLimit {
	if (!isRecord(value) || value.route === undefined) return false;
	if (value.perSecond === undefined && value.perMinute === undefined) return false;
	return Object.entries(value).every(([key, field]) => hasField(key) && FIELDS[key](field));
}

export class RateLimits {
	/** Every request that was refused because of a limit, in order. */
	readonly refused: Limited[] = [];
	/** Milliseconds since 1970; a suite with a clock of its own sets it. */
	now: () => number = Date.now;
	private limits: RateLimit[] = [];
	/** By route and account, when a request was counted. */
	private readonly counted = new Map<string, number[]>();

	/** Adds limits to those that stand; all of them have to be kept. Throws at one that is none. */
	add(...limits: RateLimit[]): void {
		for (const limit of limits) {
			if (!isRateLimit(limit)) {
				throw new Error(`Not a rate limit of the sandbox: ${JSON.stringify(limit)}`);
			}
		}
		this.limits.push(...limits);
	}

	get standing(): readonly RateLimit[] {
		return this.limits;
	}

	/** How many requests were refused, of one route or account, or of all. */
	count(route?: Route, account?: AccountName): number {
		return this.refused.filter(
			(one) =>
				(route === undefined || one.route === route) &&
				(account === undefined || one.account === account),
		).length;
	}

	/** Takes all limits away; what was refused stays counted. */
	clear(): void {
		this.limits = [];
		this.counted.clear();
	}

	/** Takes all limits away and forgets what was refused. */
	reset(): void {
		this.clear();
		this.refused.length = 0;
	}

	/** Counts a request. Gives the limit that refuses it, with the seconds until one is served again; else null. */
	refuse(
		route: Route,
		account: AccountName | null,
	): { limit: RateLimit; secondsLeft: number } | null {
		const limits = this.limits.filter(
			(limit) =>
				limit.route === route && (limit.account === undefined || limit.account === account),
		);
		if (limits.length === 0) return null;
		const now = this.now();
		const key = `${route} ${account ?? ''}`;
		const times = (this.counted.get(key) ?? []).filter((at) => now - at < MINUTE_MS);
		this.counted.set(key, times);
		const waits = limits.map((limit) => ({ limit, secondsLeft: secondsLeft(limit, times, now) }));
		const longest = waits.reduce((a, b) => (b.secondsLeft > a.secondsLeft ? b : a));
		if (longest.secondsLeft === 0) {
			times.push(now);
			return null;
		}
		if (longest.limit.countsRefused) times.push(now);
		this.refused.push({ at: now, route, account });
		return longest;
	}
}

/** Seconds until a limit lets one more request pass; 0 when it does now. */
function secondsLeft(limit: RateLimit, times: readonly number[], now: number): number {
	const windows = [
		{ most: limit.perSecond, ms: SECOND_MS },
		{ most: limit.perMinute, ms: MINUTE_MS },
	];
	return Math.max(
		...windows.map(({ most, ms }) => {
			if (most === undefined) return 0;
			const recent = times.filter((at) => now - at < ms);
			if (recent.length < most) return 0;
			const frees = most === 0 ? now : recent[recent.length - Math.ceil(most)];
			return Math.max(1, frees + ms - now) / SECOND_MS;
		}),
	);
}
