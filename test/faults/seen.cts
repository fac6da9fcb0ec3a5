// What a caller could learn from each answer of the sandbox: the fault that struck decides, not what the node made of it.
import type { Fault, PostEntry, SandboxTask, VideoRead } from '../sandbox/server.cjs';
import type { Met, MetRead } from './stage.cjs';

/**
 * What the answer to a POST tells: a task, that nothing was made, or neither. `misled`: the id of another task.
 * `any`: an odd mixture, of which nothing is expected.
 */
export type PostAnswer = 'created' | 'refused' | 'unclear' | 'misled' | 'any';

/** Wrong shapes that still hold the task's id, or another one, where the contract has it. */
const READABLE_POSTS: Readonly<Record<string, PostAnswer>> = {
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
export type Look =
	| {
			kind: 'task';
			state: 'running' | 'succeeded' | 'failed';
			hasVideo: boolean;
			credits: number | null;
	  }
	| { kind: 'trouble' }
	/** A refusal of another shape than promised: the one or the other. */
	| { kind: 'odd' }
	| { kind: 'final'; code: string };

const SUCCESS_WORDS = ['SUCCESS', 'SUCCEEDED', 'COMPLETED'];
const FAILURE_WORDS = ['FAILED', 'ERROR', 'CANCELLED', 'CANCELED', 'EXPIRED'];
/** Wrong shapes that leave a status readable: its task's id and code may be missing, but must not be wrong. */
const READABLE_READS: readonly string[] = ['no-task-id', 'empty-task-id', 'no-code', 'code-string'];

const TROUBLE: Look = { kind: 'trouble' };
const final = (code: string): Look => ({ kind: 'final', code });

function taskIn(
	{ entry, hasEnded }: MetRead,
	task: SandboxTask | undefined,
	hidesVideo: boolean,
): Look {
	const word = (entry.shown ?? '').toUpperCase();
	const state = SUCCESS_WORDS.includes(word)
		? 'succeeded'
		: FAILURE_WORDS.includes(word)
			? 'failed'
			: 'running';
	const isSuccess = hasEnded && task?.outcome.status === 'SUCCESS';
	return {
		kind: 'task',
		state,
		hasVideo:
			state === 'succeeded' &&
			isSuccess &&
			!hidesVideo &&
			(task.outcome.response ?? 'url') === 'url',
		credits: hasEnded ? (isSuccess ? task.credits : 0) : null,
	};
}

function refusedRead(status: number, isJson: boolean): Look {
	if (status < 300 || status === 408 || status === 429 || status >= 500) return TROUBLE;
	if (status === 401) return final('invalid_api_key');
	if (status === 402) return final('out_of_credits');
	if (status === 404 && isJson) return final('task_not_found');
	return final('contact_lost');
}

/** What one read of a task showed to its caller. */
export function lookOf(read: MetRead, task: SandboxTask | undefined): Look {
	const { entry, fault } = read;
	const { answered } = entry;
	if (answered === null) return TROUBLE;
	switch (fault?.kind) {
		case undefined:
		case 'delay':
			return answered === 200 ? taskIn(read, task, false) : refusedRead(answered, true);
		case 'status-word':
			return answered === 200 ? taskIn(read, task, false) : refusedRead(answered, true);
		case 'no-video':
			return answered === 200 ? taskIn(read, task, true) : refusedRead(answered, true);
		case 'failed':
			return answered === 200
				? { kind: 'task', state: 'failed', hasVideo: false, credits: 0 }
				: refusedRead(answered, true);
		case 'wrong-shape':
			if (task?.account.name !== 'main') return { kind: 'odd' };
			if (entry.shown === null || !READABLE_READS.includes(fault.shape)) return TROUBLE;
			return taskIn(read, task, false);
		case 'foreign-id':
			return answered === 200 ? TROUBLE : refusedRead(answered, true);
		case 'error':
			if (fault.code === 'INTERNAL_ERROR') return TROUBLE;
			if (fault.code === 'INVALID_API_KEY') return final('invalid_api_key');
			if (fault.code === 'INSUFFICIENT_CREDITS') return final('out_of_credits');
			if (fault.code === 'TASK_NOT_FOUND' && fault.shape !== 'html') return final('task_not_found');
			return final('contact_lost');
		case 'html':
			return refusedRead(answered, false);
		case 'invalid-json':
		case 'empty-body':
			return TROUBLE;
		default:
			return refusedRead(answered, true);
	}
}

/** Real milliseconds without a byte that a download survives. */
const SHORT_STALL_MS = 500;

/** Whether a download went wrong. What only looks odd, or comes late, is a video all the same. */
export function isBrokenDownload(
	{ fault }: Met<VideoRead>,
	task: SandboxTask | undefined,
): boolean {
	if (task?.outcome.videoStatus !== undefined) return true;
	switch (fault?.kind) {
		case undefined:
		case 'delay':
		case 'redirect':
		case 'content-type':
		case 'no-content-length':
		case 'video-bytes':
			return false;
		case 'stall':
			return fault.ms > SHORT_STALL_MS;
		default:
			return true;
	}
}
