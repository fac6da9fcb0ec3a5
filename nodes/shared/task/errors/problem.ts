/**
 * A problem: what happened, what to do, and whether it was charged. The sentences stand beside this
 * file, by subject.
 */
export type ErrorCode =
	| 'task_failed'
	| 'timeout'
	| 'contact_lost'
	| 'no_video'
	| 'download_failed'
	| 'not_created'
	| 'maybe_created'
	| 'out_of_credits'
	| 'over_limit'
	| 'invalid_input'
	| 'invalid_api_key'
	| 'task_not_found';

/** Whether credits were spent: what is known, never what is hoped. */
export type Charged = 'yes' | 'no' | 'unknown';

/**
 * What went wrong with one item, for a person (`message`, `description`) and for a workflow (the
 * rest).
 */
export interface Problem {
	code: ErrorCode;
	charged: Charged;
	/** What happened, one sentence. */
	message: string;
	/**
	 * What to do next, and what it cost. Plain text; a line break stands between several problems.
	 */
	description: string;
	taskId?: string;
	httpStatus?: number;
}

const COST: Readonly<Record<Charged, string>> = {
	yes: 'The credits for this video were spent.',
	no: 'No credits were spent.',
	unknown: 'Whether credits were spent is not known.',
};

/**
 * What the API's own count says: null is no answer, not zero
 * (docs/api-contract.md#cost-of-a-failed-task).
 */
export function chargedBy(consumedCredits: number | null): Charged {
	if (consumedCredits === null) return 'unknown';
	return consumedCredits > 0 ? 'yes' : 'no';
}

/** What a problem is made of; `advice` says what to do next. */
interface Facts extends Pick<Problem, 'code' | 'charged' | 'message' | 'taskId' | 'httpStatus'> {
	advice: string;
}

/** Puts the facts into sentences: the cost last, and the task id in the description as well. */
export function problem({ code, charged, message, advice, ...more }: Facts): Problem {
	const id = more.taskId && !advice.includes(more.taskId) ? ` Task ID: ${more.taskId}.` : '';
	const sentence = /[.!?…]$/.test(message) ? message : `${message}.`;
	return {
		code,
		charged,
		message: sentence,
		description: `${advice}${id} ${COST[charged]}`,
		...more,
	};
}
