/** Sentences about tasks that exist: failed, without a video, not ready in time, or unreadable. */
import { shorten } from '../../text';
import {
	reasonSuffix,
	CHECK_BASE_URL,
	explain,
	statusSuffix,
	quotedReason,
	type CallFailure,
} from './failure';
import { chargedBy, problem, type Problem } from './problem';
import { formatMinutes } from './timeSpan';

/** Characters of the API's reason in a title; a longer one stands below it as well. */
const TITLE_REASON = 100;

/**
 * A task that has failed. `couldRestart`: Free Restarts would have restarted it, but is not set.
 */
export function taskFailed(
	taskId: string,
	reason: string | null,
	consumedCredits: number | null,
	couldRestart = false,
): Problem {
	const isLong = reason !== null && reason.length > TITLE_REASON;
	const whole = isLong ? `The API's reason: "${shorten(reason, 300)}". ` : '';
	const next = couldRestart
		? 'This is a trouble of the service itself. Options > Free Restarts lets this node start such a video anew by itself.'
		: 'Change the prompt or the image if the reason names them.';
	return problem({
		code: 'task_failed',
		charged: chargedBy(consumedCredits),
		message: `The video could not be generated (task ${taskId})${reason ? `: ${shorten(reason, TITLE_REASON)}` : '. The API gave no reason.'}`,
		advice: `${whole}${next} Another video for this item is paid for anew.`,
		taskId,
	});
}

/** A task that succeeded, by its status, but holds no video. */
export function noVideo(taskId: string, consumedCredits: number | null): Problem {
	return problem({
		code: 'no_video',
		charged: chargedBy(consumedCredits),
		message: `The API says that task ${taskId} succeeded, but it holds no video.`,
		advice:
			'Look at it again later with Get Status; if it stays empty, ask the support of seedanceapi.org with the task ID.',
		taskId,
	});
}

/** A task that was still running when the time was up. `statusWord` is what the API said last. */
export function timedOut(
	taskId: string,
	minutes: number,
	statusWord: string | null,
	isWorkflowLimit = false,
): Problem {
	return problem({
		code: 'timeout',
		charged: 'unknown',
		message: `The video was not ready after ${formatMinutes(minutes)} (task ${taskId}).`,
		advice: `It is still being made${statusWord ? ` (status ${shorten(statusWord, 40)})` : ''} and is not lost: use Wait for Video or Get Status with task ID ${taskId}, which does not pay again, or raise ${isWorkflowLimit ? "the timeout in this workflow's settings" : 'Options > Timeout'}.`,
		taskId,
	});
}

/** A wait that ended because the execution was stopped. */
export function stopped(taskId: string): Problem {
	return problem({
		code: 'timeout',
		charged: 'unknown',
		message: `The wait for task ${taskId} was stopped.`,
		advice: `The video goes on being made: use Wait for Video with task ID ${taskId}, which does not pay again.`,
		taskId,
	});
}

/**
 * The problem of a task that could not be read: `refused` when asking again gives the same,
 * `unavailable` when its state is unknown now.
 */
export function readProblem(
	taskId: string,
	{ outcome, failure }: { outcome: 'unavailable' | 'refused'; failure: CallFailure },
): Problem {
	return outcome === 'refused' ? readRefused(taskId, failure) : contactLost(taskId, failure);
}

/** A task that could not be read any more. */
export function contactLost(taskId: string, failure: CallFailure): Problem {
	const WHY: Partial<Record<CallFailure['cause'], string>> = {
		unreachable: 'the Seedance API could not be reached',
		no_response: 'the Seedance API could not be reached',
		rate_limited: `the API is receiving too many requests from you${statusSuffix(failure)}`,
		firewall: `the firewall in front of the Seedance API blocked this n8n${statusSuffix(failure)}`,
	};
	const why = WHY[failure.cause] ?? `the API gave no usable answer${statusSuffix(failure)}`;
	return problem({
		code: 'contact_lost',
		charged: 'unknown',
		message: `Contact lost with task ${taskId}: ${why}, even after several attempts.`,
		advice: `The video is not lost: use Wait for Video or Get Status with task ID ${taskId} later, which does not pay again.${quotedReason(failure)}`,
		taskId,
		httpStatus: failure.httpStatus,
	});
}

/** A read that ended at once: a wrong key, a task unknown to the account, a redirect. */
export function readRefused(taskId: string, failure: CallFailure): Problem {
	const more = { taskId, httpStatus: failure.httpStatus };
	if (failure.cause === 'task_not_found') {
		return problem({
			code: 'task_not_found',
			charged: 'unknown',
			message: `There is no task ${taskId} in this Seedance account.`,
			advice: `Check the task ID, and that the credential holds the API key of the account that started it.${quotedReason(failure)}`,
			...more,
		});
	}
	const explained = explain(failure);
	const [code, what, advice] = explained ?? [
		'contact_lost',
		`The API refused to tell the state of the task${statusSuffix(failure)}${failure.isApi ? reasonSuffix(failure) : ''}.`,
		failure.isApi ? 'Check the task ID.' : CHECK_BASE_URL,
	];
	const wayOn = `Then use Wait for Video or Get Status with task ID ${taskId}, which does not pay again.`;
	return problem({
		code: code === 'not_created' ? 'contact_lost' : code,
		charged: 'unknown',
		message: `${what} Task ${taskId} could not be read.`,
		advice: explained ? `${advice} ${wayOn}` : advice,
		...more,
	});
}
