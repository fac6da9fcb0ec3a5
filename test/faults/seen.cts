// What a caller could learn from each answer of the sandbox: the fault that struck decides, not what the node made of it.
import {
	ERRORS,
	type Fault,
	type PostEntry,
	type SandboxTask,
	type VideoRead,
} from '../sandbox/server.cjs';
import type { Met, MetRead } from './stage.cjs';

/**
 * What the answer to a POST tells: a task, that nothing was made, or neither. `misled`: the id of another task.
 * `any`: an odd mixture, of which nothing is expected.
 */
export type PostAnswer = 'created' | 'refused' | 'unclear' | 'misled' | 'any';

/** Wrong shapes that still hold the task's id, or another one, where it can be found. */
const READABLE_POSTS: Readonly<Record<string, PostAnswer>> = {
	'array-data': 'created',
	'no-status': 'created',
	'no-code': 'created',
	'code-string': 'created',
	'numeric-task-id': 'misled',
};

function ofStatus(status: number): PostAnswer {
	return status < 300 || status === 408 || status >= 500 ? 'unclear' : 'refused';
}

function hasTaskId(fault: Fault | null): boolean {
	return fault?.kind === 'refuse-with' && JSON.stringify(fault.body ?? '').includes('task_id');
}

export function answerToPost({ entry, fault }: Met<PostEntry>): PostAnswer {
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
		default:
			return hasTaskId(fault) ? 'misled' : ofStatus(answered);
	}
}

/** Whether an answer to a POST says that no further one has any prospect. */
export function endsBatch({ entry, fault }: Met<PostEntry>): boolean {
	if (fault?.kind === 'error') {
		return fault.code === 'INVALID_API_KEY' || fault.code === 'INSUFFICIENT_CREDITS';
	}
	return entry.answered === 401 || entry.answered === 402;
}

/** What a read shows of its task, or how it went wrong: for now, or for good, and then with which error code. */
export type Look = {
	/** Virtual milliseconds since 1970. */
	at: number;
} & (
	| {
			kind: 'task';
			state: 'running' | 'succeeded' | 'failed';
			hasVideo: boolean;
			credits: number | null;
	  }
	/** It is asked again, until the time is up. */
	| { kind: 'trouble' }
	/** 429: no failure, it is asked again, later. */
	| { kind: 'limited' }
	/** A refusal of another shape than promised: for now or for good. */
	| { kind: 'odd' }
	| { kind: 'final'; code: string }
);

export const SUCCESS_WORDS: readonly string[] = [
	'SUCCESS',
	'SUCCEED',
	'SUCCEEDED',
	'COMPLETE',
	'COMPLETED',
	'DONE',
	'FINISHED',
];
export const FAILURE_WORDS: readonly string[] = [
	'FAIL',
	'FAILED',
	'FAILURE',
	'ERROR',
	'REJECTED',
	'CANCELLED',
	'CANCELED',
	'EXPIRED',
];
/** Wrong shapes that leave a status readable: its task's id and code may be missing, but must not be wrong. */
const READABLE_READS: readonly string[] = ['no-task-id', 'empty-task-id', 'no-code', 'code-string'];

function taskIn({ entry, at, hasEnded }: MetRead, task: SandboxTask | undefined): Look {
	const word = (entry.shown ?? '').toUpperCase();
	const state = SUCCESS_WORDS.includes(word)
		? 'succeeded'
		: FAILURE_WORDS.includes(word)
			? 'failed'
			: 'running';
	const isSuccess = hasEnded && task?.outcome.status === 'SUCCESS';
	return {
		at,
		kind: 'task',
		state,
		hasVideo: state === 'succeeded' && entry.showsVideo,
		credits: hasEnded ? (isSuccess ? task.credits : 0) : null,
	};
}

/** `isPage`: the answer is a web page, which comes from a proxy and not from the API. */
function refusedRead(at: number, status: number, isPage: boolean): Look {
	const final = (code: string): Look => ({ at, kind: 'final', code });
	if (status === 429) return { at, kind: 'limited' };
	if (status < 300 || status === 408 || status >= 500) return { at, kind: 'trouble' };
	if (status === 401) return final('invalid_api_key');
	if (status === 402) return final('out_of_credits');
	if (isPage) return { at, kind: status === 403 || status === 404 ? 'trouble' : 'odd' };
	if (status === 404) return final('task_not_found');
	if (status === 403) return final('contact_lost');
	return { at, kind: 'odd' };
}

/** What one read of a task showed to its caller. */
export function lookOf(read: MetRead, task: SandboxTask | undefined): Look {
	const { entry, fault, at } = read;
	const { answered } = entry;
	const trouble: Look = { at, kind: 'trouble' };
	if (answered === null) return trouble;
	switch (fault?.kind) {
		case undefined:
		case 'delay':
		case 'drip':
		case 'status-word':
		case 'no-video':
			return answered === 200 ? taskIn(read, task) : refusedRead(at, answered, false);
		case 'failed':
			return answered === 200
				? { at, kind: 'task', state: 'failed', hasVideo: false, credits: 0 }
				: refusedRead(at, answered, false);
		case 'wrong-shape':
			// Of a task that the API does not know, or not yet, there is nothing to be misshaped but its refusal.
			if (!task || task.account.name !== entry.account) return { at, kind: 'odd' };
			if (entry.shown !== null && READABLE_READS.includes(fault.shape)) return taskIn(read, task);
			return task.plan.unknownSeconds === undefined ? trouble : { at, kind: 'odd' };
		case 'foreign-id':
			return answered === 200 ? trouble : refusedRead(at, answered, false);
		case 'error':
			if (fault.code === 'INTERNAL_ERROR') return trouble;
			return refusedRead(at, ERRORS[fault.code].status, fault.shape === 'html');
		case 'html':
			return refusedRead(at, answered, true);
		case 'firewall':
			return { at, kind: 'odd' };
		case 'invalid-json':
		case 'empty-body':
			return trouble;
		case 'redirect':
			return { at, kind: 'final', code: 'contact_lost' };
		default:
			return refusedRead(at, answered, false);
	}
}

/** Real milliseconds without a byte that a download survives. */
const SHORT_STALL_MS = 500;
/** Bodies that are videos, whatever they are sent as. */
const VIDEOS: readonly string[] = ['webm'];

/** Whether a link was refused: it may be dead, and a new reading may give one that lives. */
export function isRefusedLink({ entry }: Met<VideoRead>): boolean {
	return entry.answered === 403 || entry.answered === 404 || entry.answered === 410;
}

/** Whether a download went wrong. What only looks odd, or comes late, is a video all the same. */
export function isBrokenDownload(video: Met<VideoRead>): boolean {
	const { fault, entry } = video;
	if (isRefusedLink(video)) return true;
	switch (fault?.kind) {
		case 'redirect':
			return false;
		case undefined:
		case 'delay':
		case 'content-type':
		case 'no-content-type':
		case 'encoded':
		case 'no-content-length':
		case 'video-bytes':
			return entry.answered !== 200;
		case 'video-body':
			return !VIDEOS.includes(fault.body);
		case 'drip':
			return fault.ms === undefined;
		case 'stall':
			return fault.ms > SHORT_STALL_MS;
		default:
			return true;
	}
}
