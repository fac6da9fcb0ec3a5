// The sandbox's limits: at most so many requests a second or a minute, or so many videos running at once, for each
// account in both versions together; 429 beyond. None stands unless it is added.

import { SandboxError } from './contract.cjs';

/** The routes that a limit or a fault can apply to. */
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
	/** generate: videos of the account running at once, counted when a request arrives. */
	running?: number;
	/** Only this account is limited; without it each of them is. */
	account?: AccountName;
	/** `Retry-After`, in seconds; `exact` for the time until one is served again, if that is known; else no such header. */
	retryAfter?: number | 'exact';
	/** The form of `Retry-After`. Default seconds. */
	as?: 'seconds' | 'date';
	/** Requests that were refused count as well, so that a caller that insists stays shut out. Default false. */
	countsRefused?: boolean;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
/** Longer than any other time, and still finite. */
const NEVER = Number.MAX_VALUE;

export class RateLimits {
	/** Every request that was refused because of a limit, in order. `at`: by {@link now}. */
	readonly refused: Array<{ at: number; route: Route; account: AccountName | null }> = [];
	/** Milliseconds since 1970; a suite with a clock of its own sets it. */
	now: () => number = Date.now;
	/** Seconds, as fast as those of {@link now}, until each running video of an account ends, the soonest first. */
	secondsToEnds: (account: AccountName | null) => readonly number[] = () => [];
	standing: RateLimit[] = [];
	/** By route and account, when a request was counted. */
	private readonly counted = new Map<string, number[]>();

	/** Adds limits to those that stand; all of them have to be kept. Throws for one that could never apply. */
	add(...limits: readonly RateLimit[]): void {
		const wrong = limits.find((limit) => limit.running !== undefined && limit.route !== 'generate');
		if (wrong) throw new SandboxError(`Not a limit: ${JSON.stringify(wrong)}`);
		this.standing.push(...limits);
	}

	count(route?: Route, account?: AccountName): number {
		return this.refused.filter(
			(one) => (route ?? one.route) === one.route && (account ?? one.account) === one.account,
		).length;
	}

	/** Takes all limits away; what was refused stays counted. */
	clear(): void {
		this.standing = [];
		this.counted.clear();
	}

	/** Counts a request. Gives the fault that it meets when it is one too many. */
	refuse(route: Route, account: AccountName | null) {
		const limits = this.standing.filter(
			(limit) => limit.route === route && (limit.account ?? account) === account,
		);
		if (limits.length === 0) return null;
		const now = this.now();
		const key = `${route} ${account ?? ''}`;
		const times = (this.counted.get(key) ?? []).filter(
			// One that lies ahead was counted by another clock.
			(at) => at <= now && now - at < MINUTE_MS,
		);
		this.counted.set(key, times);
		const [{ limit, left }] = limits
			.map((each) => {
				const left = Math.max(secondsLeft(each, times, now), this.secondsToPlace(each, account));
				return { limit: each, left };
			})
			.sort((a, b) => b.left - a.left);
		if (left === 0 || limit.countsRefused) times.push(now);
		if (left === 0) return null;
		this.refused.push({ at: now, route, account });
		const exact = left < NEVER ? Math.ceil(left) : undefined;
		const retryAfter = limit.retryAfter === 'exact' ? exact : limit.retryAfter;
		return { kind: 'rate-limit' as const, retryAfter, as: limit.as };
	}

	/** Seconds until so many videos have ended that one more may start; 0 when it may now. */
	private secondsToPlace({ running }: RateLimit, account: AccountName | null): number {
		if (running === undefined) return 0;
		const ends = this.secondsToEnds(account);
		if (ends.length < running) return 0;
		const seconds = ends[ends.length - running];
		return Number.isFinite(seconds) ? Math.max(seconds, 1 / SECOND_MS) : NEVER;
	}
}

/** Seconds until a limit lets one more request pass; 0 when it does now. */
function secondsLeft(limit: RateLimit, times: readonly number[], now: number): number {
	const left = (most: number | undefined, ms: number) => {
		const recent = times.filter((at) => now - at < ms);
		if (most === undefined || recent.length < most) return 0;
		const frees = most === 0 ? now : recent[recent.length - Math.ceil(most)];
		return Math.max(1, frees + ms - now) / SECOND_MS;
	};
	return Math.max(left(limit.perSecond, SECOND_MS), left(limit.perMinute, MINUTE_MS));
}
