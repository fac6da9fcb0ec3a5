// What a caller could learn from each response of the sandbox: the fault that struck decides, not what the node made of it.
import { ERRORS, type PostEntry, type SandboxTask, type VideoRead } from '../sandbox/server.cjs';
import type { Exchange, ReadExchange } from './harness.cjs';

/**
 * What the response to a POST shows: a task, that nothing was made, or neither. `misled`: the id of another task.
 * `any`: an odd mixture, of which nothing is expected.
 */
export type PostOutcome = 'created' | 'refused' | 'unclear' | 'misled' | 'any';

/** Wrong shapes that still hold the task's id, or another one, where it can be found. */
const READABLE_POSTS: Readonly<Record<string, PostOutcome>> = {
	'array-data': 'created',
	'no-status': 'created',
	'no-code': 'created',
	'code-string': 'created',
	'numeric-task-id': 'misled',
};

/** Statuses that say nothing about what became of a request. */
const isVague = (status: number) => status < 300 || status === 408 || status >= 500;

export function postOutcomeOf({ entry, fault }: Exchange<PostEntry>): PostOutcome {
	const { answered, accepted } = entry;
	if (answered === null) return 'unclear';
	switch (fault?.kind) {
		case undefined:
		case 'delay':
		case 'drip':
		case 'task':
			return accepted ? 'created' : 'refused';
		case 'foreign-id':
			return accepted ? 'misled' : 'any';
		case 'wrong-shape':
			return accepted ? (READABLE_POSTS[fault.shape] ?? 'unclear') : 'any';
		case 'invalid-json':
		case 'empty-body':
			return 'unclear';
		case 'error':
			return fault.code === 'INTERNAL_ERROR' ? 'unclear' : 'refused';
		case 'refuse-with':
			if (JSON.stringify(fault.body ?? '').includes('task_id')) return 'misled';
	}
	return isVague(answered) ? 'unclear' : 'refused';
}

/** Whether a response to a POST says that no further one has any prospect. */
export function endsBatch({ entry, fault }: Exchange<PostEntry>): boolean {
	if (fault?.kind === 'error') {
		return fault.code === 'INVALID_API_KEY' || fault.code === 'INSUFFICIENT_CREDITS';
	}
	return entry.answered === 401 || entry.answered === 402;
}

/** What a read shows of its task, or how it went wrong: for now, or for good. */
export interface Reading {
	/** Virtual milliseconds since 1970. */
	at: number;
	/**
	 * `task`: it shows the task. `trouble`: it is read again, until the time is up. `limited`: 429, no failure, it is read
	 * again, later. `odd`: a refusal of another shape than promised, for now or for good. `final`: a refusal for good.
	 */
	kind: 'task' | 'trouble' | 'limited' | 'odd' | 'final';
	/** Of a task. */
	state?: 'running' | 'succeeded' | 'failed';
	hasVideo?: boolean;
	credits?: number | null;
	/** Of a failure: its reason; undefined for none. */
	reason?: string;
	/** Of a refusal for good: the error code of its item. */
	code?: string;
}

export const isShown = ({ kind }: Reading): boolean => kind === 'task';

export const SUCCESS_WORDS: readonly string[] =
	'SUCCESS SUCCEED SUCCEEDED COMPLETE COMPLETED DONE FINISHED'.split(' ');
const FAILURE_WORDS: readonly string[] =
	'FAIL FAILED FAILURE ERROR REJECTED CANCELLED CANCELED EXPIRED'.split(' ');
/** Wrong shapes that leave a status readable: its task's id and code may be missing, but must not be wrong. */
const READABLE_READS: readonly string[] = ['no-task-id', 'empty-task-id', 'no-code', 'code-string'];

function shownTask({ entry, at, hasEnded }: ReadExchange, task: SandboxTask | undefined): Reading {
	const word = (entry.shown ?? '').toUpperCase();
	const hasSucceeded = SUCCESS_WORDS.includes(word);
	const hasFailed = FAILURE_WORDS.includes(word);
	const isPaid = task?.outcome.status === 'SUCCESS' || task?.outcome.charged;
	const credits = isPaid ? (task?.credits ?? 0) : 0;
	const isFailure = hasFailed && hasEnded && task?.outcome.status === 'FAILED';
	return {
		at,
		kind: 'task',
		...(isFailure && { reason: task.outcome.errorMessage }),
		state: hasSucceeded ? 'succeeded' : hasFailed ? 'failed' : 'running',
		hasVideo: hasSucceeded && entry.showsVideo,
		credits: hasEnded ? credits : null,
	};
}

const CODES: Readonly<Record<number, string>> = {
	401: 'invalid_api_key',
	402: 'out_of_credits',
	403: 'contact_lost',
	404: 'task_not_found',
};

/** `isPage`: the response is a web page, which comes from a proxy and not from the API. */
function refusedRead(at: number, status: number, isPage = false): Reading {
	if (status === 429) return { at, kind: 'limited' };
	const isProxy = isPage && (status === 403 || status === 404);
	if (isVague(status) || isProxy) return { at, kind: 'trouble' };
	const isFinal = status in CODES && (!isPage || status < 403);
	return isFinal ? { at, kind: 'final', code: CODES[status] } : { at, kind: 'odd' };
}

/** What one read of a task showed to its caller. */
export function readingOf(read: ReadExchange, task: SandboxTask | undefined): Reading {
	const { entry, fault, at } = read;
	const { answered } = entry;
	const trouble: Reading = { at, kind: 'trouble' };
	const odd: Reading = { at, kind: 'odd' };
	if (answered === null) return trouble;
	switch (fault?.kind) {
		case undefined:
		case 'delay':
		case 'drip':
		case 'status-word':
		case 'no-video':
			return answered === 200 ? shownTask(read, task) : refusedRead(at, answered);
		case 'failed':
			return answered === 200
				? { at, kind: 'task', state: 'failed', hasVideo: false, credits: 0 }
				: refusedRead(at, answered);
		case 'wrong-shape':
			// Of a task that the API does not know, or not yet, there is nothing to be misshaped but its refusal.
			if (!task || task.account.name !== entry.account) return odd;
			if (entry.shown !== null && READABLE_READS.includes(fault.shape))
				return shownTask(read, task);
			return task.plan.unknownSeconds === undefined ? trouble : odd;
		case 'foreign-id':
			return answered === 200 ? trouble : refusedRead(at, answered);
		case 'error':
			if (fault.code === 'INTERNAL_ERROR') return trouble;
			return refusedRead(at, ERRORS[fault.code].status, fault.shape === 'html');
		case 'html':
			return refusedRead(at, answered, true);
		case 'firewall':
			return odd;
		case 'invalid-json':
		case 'empty-body':
			return trouble;
		case 'redirect':
			return { at, kind: 'final', code: 'contact_lost' };
		default:
			return refusedRead(at, answered);
	}
}

/** Real milliseconds without a byte that a download survives. */
const SHORT_STALL_MS = 500;
/** Faults that a video survives: it is only odd, or late. */
const HARMLESS: readonly string[] =
	'delay content-type no-content-type encoded no-content-length video-bytes'.split(' ');

/** Whether a link was refused: it may be dead, and a new reading may give one that lives. */
export function isRefusedLink({ entry }: Exchange<VideoRead>): boolean {
	return [403, 404, 410].includes(entry.answered ?? 0);
}

export function isBrokenDownload(video: Exchange<VideoRead>): boolean {
	const { fault, entry } = video;
	if (isRefusedLink(video)) return true;
	if (!fault || HARMLESS.includes(fault.kind)) return entry.answered !== 200;
	switch (fault.kind) {
		case 'redirect':
			return false;
		case 'video-body':
			// That is a video, whatever it is sent as.
			return fault.body !== 'webm';
		case 'drip':
			return fault.ms === undefined;
		case 'stall':
			return fault.ms > SHORT_STALL_MS;
		default:
			return true;
	}
}
