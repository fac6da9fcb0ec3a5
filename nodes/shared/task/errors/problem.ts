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
	/**
	 * What to do about it, without how to start its item again and what it cost. Absent where an
	 * earlier version has stored the problem.
	 */
	advice?: string;
	taskId?: string;
	httpStatus?: number;
}

/** What a problem has cost, as a sentence. */
export const COST: Readonly<Record<Charged, string>> = {
	yes: 'The credits for this video were spent.',
	no: 'No credits were spent.',
	unknown: 'Whether credits were spent is not known.',
};

/**
 * Whether a task was charged, by the API's own count. Null is unknown, not zero
 * (docs/api-contract.md#cost-of-a-failed-task).
 */
export function chargedBy(consumedCredits: number | null): Charged {
	if (consumedCredits === null) return 'unknown';
	return consumedCredits > 0 ? 'yes' : 'no';
}

/** How one item of several is started again without paying for the others. */
const START_AGAIN =
	'Then send this item alone again, or click Retry in Executions if the execution failed. A new run pays again for videos that the workflow already has, unless If Same Video Exists reuses or skips them.';

/**
 * The facts of a problem; `advice` says what to do next. `isUnsent`: its item was certainly not
 * sent, and can be sent again.
 */
interface Facts extends Pick<Problem, 'code' | 'charged' | 'message' | 'taskId' | 'httpStatus'> {
	advice: string;
	isUnsent?: boolean;
}

/** A text with a full stop, where it has no end. */
export function asSentence(text: string): string {
	return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** Puts the facts into sentences: the cost last, and the task id in the description as well. */
export function problem({ code, charged, message, isUnsent, ...facts }: Facts): Problem {
	const { taskId } = facts;
	const id = taskId && !facts.advice.includes(taskId) ? `Task ID: ${taskId}.` : '';
	const advice = [facts.advice, id].filter(Boolean).join(' ');
	const again = isUnsent ? START_AGAIN : '';
	return {
		...facts,
		...{ code, charged, advice },
		message: asSentence(message),
		description: [advice, again, COST[charged]].filter(Boolean).join(' '),
	};
}

/** A problem whose item is the only one of its run: there is no other to be paid for again. */
export function ofOnlyItem({ charged, advice, ...found }: Problem): Problem {
	const { description } = found;
	return {
		...found,
		charged,
		description: advice === undefined ? description : `${advice} ${COST[charged]}`.trim(),
	};
}
