/** Sentences about the list of videos: videos of other executions, and limits over time. */
import { CHECK_DASHBOARD } from './starting';
import { problem, type Charged, type Problem } from './problem';

/** The name of the list, as a person finds it in n8n under Overview, Data tables. */
export const LIST_NAME = 'Seedance Videos';

/** A setting needs the list, and there is none. `reason` is the end of a sentence. */
export function listUnavailable(reason: string): Problem {
	return problem({
		code: 'not_created',
		charged: 'no',
		message: `Not started: the list of videos cannot be used, because ${reason}.`,
		advice:
			'Reuse Key, Always Reuse, Skip and Maximum Credits per Period need it. Correct the cause, or remove them: then every run pays for new videos.',
	});
}

/** The list cannot be read. `reason` is the end of a sentence. */
export function listUnreadable(reason: string): Problem {
	return problem({
		code: 'invalid_input',
		charged: 'no',
		message: `The Data Table ${LIST_NAME} cannot be read: ${reason}.`,
		advice: 'Look under Overview, Data tables, whether it is there and has all its columns.',
	});
}

/** An item whose reservation was lost before it was sent. */
export function reservationLost(): Problem {
	return problem({
		code: 'not_created',
		charged: 'no',
		message:
			'Not started: another execution has taken over this video, or its reservation in the list of videos has run out.',
		advice: '',
		isUnsent: true,
	});
}

/** An item whose request an interrupted run has sent without learning the outcome. */
export function interruptedUnclear(executionId: string): Problem {
	return problem({
		code: 'maybe_created',
		charged: 'unknown',
		message: `Execution ${executionId} was interrupted right after it had sent this video: it may have been started, and charged.`,
		advice: `It was not sent again. ${CHECK_DASHBOARD} This is told once: the next run pays for the video anew.`,
	});
}

const ONCE =
	'It is not handed on twice. To use it here as well, read it with Get Status, which is free.';

/**
 * A video that another execution has handed on first, or is about to: its row in the list.
 * `charged`: whether this execution has paid for it; then it is not one that was never created.
 */
export function handedOnElsewhere(
	taskId: string,
	{ execution_id: id, handed_on: isOver }: { execution_id: string; handed_on: boolean },
	charged: Charged,
): Problem {
	const how = isOver ? 'has handed on this video already' : 'has taken over this video';
	return problem({
		code: charged === 'no' ? 'not_created' : 'contact_lost',
		charged,
		message: `Execution ${id} ${how} (task ${taskId}).`,
		advice: ONCE,
		taskId,
	});
}

/** The same where another run took it at the same moment, so that it is not known which. */
export function takenElsewhere(taskId: string, charged: Charged): Problem {
	return problem({
		code: charged === 'no' ? 'not_created' : 'contact_lost',
		charged,
		message: `Another run has taken over this video (task ${taskId}).`,
		advice: ONCE,
		taskId,
	});
}

/** A video that another execution was still working on when the time was up. */
export function busyElsewhere(executionId: string): Problem {
	return problem({
		code: 'not_created',
		charged: 'no',
		message: `Not started: execution ${executionId} is working on the same video, and was not ready in time.`,
		advice: 'Run the workflow again when that execution has ended; this run paid nothing for it.',
	});
}

/** A video that was handed on before and is to be used again, but is gone. */
export function reusedGone(taskId: string): Problem {
	return problem({
		code: 'download_failed',
		charged: 'no',
		message: `The video that was paid for before (task ${taskId}) is no longer available.`,
		advice:
			'The API no longer gives it. To pay for a new one, change the Reuse Key, or set If Same Video Exists to Always Generate for one run.',
		taskId,
	});
}

/** A limit per period that the run would exceed. */
export function overPeriodLimit(about: {
	credits: number;
	spent: number;
	limit: number;
	period: string;
	budgetFor: string;
}): Problem {
	const { credits, spent, limit, period, budgetFor } = about;
	const whom = budgetFor ? ` for "${budgetFor}"` : '';
	return problem({
		code: 'over_limit',
		charged: 'no',
		message: `Not started: ${credits} credits ${spent ? 'more ' : ''}would exceed Maximum Credits per Period${whom} (${limit} per ${period}${spent ? `, of which ${spent} are spent or reserved` : ''}).`,
		advice: `${credits > limit ? 'Send fewer items, choose cheaper settings' : `Wait for the next ${period}`}, or raise the limit. What was spent is in the Data Table ${LIST_NAME} (Overview → Data tables).`,
	});
}
