/** Sentences about videos that were not started, or may have been. */
import { shorten } from '../../text';
import {
	reasonSuffix,
	CHECK_BASE_URL,
	explain,
	statusSuffix,
	quotedReason,
	type CallFailure,
} from './failure';
import { problem, type ErrorCode, type Problem } from './problem';

/** A `POST /generate` that certainly created nothing. */
export function notCreated(failure: CallFailure): Problem {
	const more = { httpStatus: failure.httpStatus };
	const refused = (code: ErrorCode, message: string, advice: string) =>
		problem({ code, charged: 'no', message, advice, isUnsent: true, ...more });
	const known = explain(failure);
	if (known) return refused(...known);
	switch (failure.cause) {
		case 'invalid_request':
			return refused(
				'invalid_input',
				`The API refused the request: ${failure.text || 'it gave no reason'}`,
				'Change the value that it names.',
			);
		case 'rate_limited':
			return refused(
				'not_created',
				`The API is receiving too many requests from you${statusSuffix(failure)}.`,
				`Wait a few minutes, or set Options > Batching to send fewer videos at a time.${quotedReason(failure)}`,
			);
		case 'out_of_time':
			return refused(
				'not_created',
				'The time was up before the video was started.',
				"Raise the timeout in this workflow's settings, or send fewer items at a time.",
			);
		case 'unreachable':
			return refused(
				'not_created',
				'The Seedance API could not be reached, so the video was not started.',
				`Check this n8n's internet connection${failure.text ? ` (${failure.text})` : ''}. ${CHECK_BASE_URL}`,
			);
		default:
			return failure.isApi
				? refused(
						'not_created',
						`The API refused to start the video${statusSuffix(failure)}${reasonSuffix(failure)}.`,
						'Change what it names.',
					)
				: refused(
						'not_created',
						`The base URL gave an answer that is not the API's${statusSuffix(failure)}.`,
						`${CHECK_BASE_URL}${quotedReason(failure)}`,
					);
	}
}

/**
 * A video that the API has refused with 429 until its time was up. `isWorkflowLimit`: the
 * workflow's own time limit came first.
 */
export function rateLimitedUntilDeadline(
	{ httpStatus }: Problem,
	isWorkflowLimit: boolean,
): Problem {
	const status = httpStatus === undefined ? '' : ` (HTTP ${httpStatus})`;
	return problem({
		code: 'not_created',
		charged: 'no',
		message: `The video was not started: your Seedance account had no room for it before its time was up${status}.`,
		advice: `An account makes only so many videos at once, and starts only so many a minute; other workflows count as well. Wait until some are ready, or raise ${isWorkflowLimit ? "the timeout in this workflow's settings" : 'Options > Timeout'}.`,
		isUnsent: true,
		httpStatus,
	});
}

const WHY_UNCLEAR: Readonly<Partial<Record<CallFailure['cause'], string>>> = {
	no_response: 'the connection was dropped, or no answer came in time, after the request was sent',
	unreadable: 'the answer could not be read',
	server_error: 'the API answered with a server error',
};

/** How a person finds a task whose ID never arrived, and gets its video without paying again. */
export const CHECK_DASHBOARD =
	'Look in your seedanceapi.org dashboard whether the task is there. With its task ID, Wait for Video gets the video without paying again.';

/** A `POST /generate` whose outcome is not known: it is never sent again by itself. */
export function maybeCreated(failure: CallFailure): Problem {
	const why = WHY_UNCLEAR[failure.cause] ?? 'the answer was unclear';
	const { httpStatus, taskId } = failure;
	const next = taskId
		? `Use Wait for Video or Get Status with task ID ${taskId}, which does not pay again.`
		: `${CHECK_DASHBOARD} If it is not there, send this item alone again, which pays for this one video.`;
	return problem({
		code: 'maybe_created',
		charged: 'unknown',
		message: `The video may have been started, and charged: ${why}${statusSuffix(failure)}.`,
		advice: `It was not sent a second time. ${next}${quotedReason(failure)}`,
		httpStatus,
		taskId,
	});
}

/**
 * An earlier try of this same item in this execution sent the request and never learned the
 * outcome.
 */
export function stillUnclear(): Problem {
	return problem({
		code: 'maybe_created',
		charged: 'unknown',
		message:
			'An earlier try of this item was sent and its outcome is not known: the video may have been started, and charged.',
		advice: `It is not sent again. ${CHECK_DASHBOARD} If it is not there, send this item alone in a new run, which pays for this one video.`,
	});
}

/**
 * An item that was not sent because an earlier one ended the batch. `because` is the end of a
 * sentence, or several.
 */
export function notSent(because: string): Problem {
	return problem({
		code: 'not_created',
		charged: 'no',
		message: `The video was not started: ${because}`,
		advice: 'Correct the cause.',
		isUnsent: true,
	});
}

/**
 * An unexpected error. Its cost is unknown, so `charged` is never "no". `reason`: the message of
 * the error, or empty; `taskId`: the item's task where the node knows one.
 */
export function unexpectedError(reason: string, taskId: string | undefined): Problem {
	const task = taskId ? ` (task ${taskId})` : '';
	const what = `This node ran into something unforeseen${task}${reason ? `: ${shorten(reason, 200)}` : ''}`;
	return taskId
		? problem({
				code: 'contact_lost',
				charged: 'unknown',
				message: what,
				advice: `The video is not lost: use Wait for Video with task ID ${taskId}, which does not pay again.`,
				taskId,
			})
		: problem({
				code: 'maybe_created',
				charged: 'unknown',
				message: what,
				advice: CHECK_DASHBOARD,
			});
}

/** A run that would cost more than the user's limit. */
export function tooManyCredits(credits: number, videos: number, limit: number): Problem {
	return problem({
		code: 'over_limit',
		charged: 'no',
		message: `The ${videos === 1 ? 'video' : `${videos} videos`} would cost ${credits} credits, more than Maximum Credits per Run (${limit}).`,
		advice:
			'Nothing was started. Raise Options > Maximum Credits per Run, send fewer items, or choose cheaper settings.',
	});
}
