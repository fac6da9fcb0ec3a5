/**
 * Cause → what happened, what to do, was it charged. Every sentence about a failed call, task, wait or
 * download that a user reads is written here, once.
 */
import {
	NodeApiError,
	NodeOperationError,
	type IDataObject,
	type INode,
	type JsonObject,
} from 'n8n-workflow';

import { USUAL_BASE_URL } from '../api/credential';
import { shorten } from './request';

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

/** What went wrong with one item, for a person (`message`, `description`) and for a workflow (the rest). */
export interface Problem {
	code: ErrorCode;
	charged: Charged;
	/** What happened, one sentence. */
	message: string;
	/** What to do next, and what it cost. Plain text; a line break stands between several problems. */
	description: string;
	taskId?: string;
	httpStatus?: number;
}

const COST: Readonly<Record<Charged, string>> = {
	yes: 'The credits for this video were spent.',
	no: 'No credits were spent.',
	unknown: 'Whether credits were spent is not known.',
};

/** What the API's own count says: null is no answer, not zero. */
function chargedBy(consumedCredits: number | null): Charged {
	if (consumedCredits === null) return 'unknown';
	return consumedCredits > 0 ? 'yes' : 'no';
}

/** Puts the facts into sentences: the cost last, and the task id in the description as well. */
function problem(
	code: ErrorCode,
	charged: Charged,
	message: string,
	advice: string,
	more: { taskId?: string; httpStatus?: number } = {},
): Problem {
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

/** How an API call ended when it gave no usable data. Made by the API file, put into words here. */
export interface CallFailure {
	/** By the document's string code, numeric code or HTTP status; see `causeOf` in the API file. */
	cause:
		| 'invalid_request'
		| 'invalid_api_key'
		| 'out_of_credits'
		| 'task_not_found'
		| 'forbidden'
		| 'firewall'
		| 'rate_limited'
		| 'redirected'
		| 'refused'
		| 'server_error'
		| 'unreadable'
		| 'unreachable'
		| 'no_answer'
		/** Not sent at all: the time for sending was over. */
		| 'out_of_time';
	/** The API's own words, made readable; empty when it sent none. */
	text: string;
	httpStatus?: number;
	/** Whether the answer has the form of the API's, and is not a page of something in front of it. */
	isApi?: boolean;
	/** Where a redirect points: the origin only. */
	location?: string;
	/** Milliseconds the API asks to wait. */
	retryAfterMs?: number;
	/** A task id found in an answer that is no success. */
	taskId?: string;
}

const CHECK_BASE_URL = `Check the base URL in the credential; the usual one is ${USUAL_BASE_URL}.`;
/** How one item is started again without paying for the others. */
const START_AGAIN =
	'Then send this item alone again, or click Retry in Executions if the execution failed: as long as the prompt and the settings of this node stay the same, videos that exist are not paid for again. A new run pays for all items.';

const said = (failure: CallFailure) =>
	failure.text && failure.httpStatus ? ` The API said: "${failure.text}".` : '';
/** An error can come under HTTP 200, which would only confuse. */
const isHttpError = (failure: CallFailure) => (failure.httpStatus ?? 0) >= 300;
const http = (failure: CallFailure) =>
	isHttpError(failure) ? ` (HTTP ${failure.httpStatus})` : '';
/** The API's own reason as the end of a sentence. */
const because = (failure: CallFailure) => (failure.text ? `: ${failure.text}` : '');

/** What a failure means whatever the call was: [code, what happened, what to do]. */
function explain(failure: CallFailure): [ErrorCode, string, string] | undefined {
	switch (failure.cause) {
		case 'invalid_api_key':
			return [
				'invalid_api_key',
				'The API key was refused.',
				`Open the credential and enter the API key from your seedanceapi.org dashboard; keys of other vendors do not work.${said(failure)}`,
			];
		case 'out_of_credits':
			return [
				'out_of_credits',
				'Your Seedance account does not have enough credits.',
				`Add credits at seedanceapi.org.${said(failure)}`,
			];
		case 'firewall':
			return [
				'not_created',
				`The firewall in front of the Seedance API blocked this n8n${http(failure)}.`,
				`The API key is fine. Wait a few minutes; if it stays like this, ask the support of seedanceapi.org to let the address of your server through.${said(failure)}`,
			];
		case 'forbidden':
			return failure.isApi
				? [
						'not_created',
						`The API refused access${http(failure)}${because(failure)}.`,
						'Look in your seedanceapi.org dashboard whether this account and its key may do this.',
					]
				: [
						'not_created',
						`Something in front of the API refused access${http(failure)}.`,
						`Check whether a firewall or proxy blocks this n8n. ${CHECK_BASE_URL}${said(failure)}`,
					];
		case 'redirected':
			return [
				'not_created',
				`The base URL in the credential points elsewhere: the server redirects to ${failure.location ?? 'another address'}.`,
				`Set the base URL in the credential to the final address; the usual one is ${USUAL_BASE_URL}. The API key was not sent there.`,
			];
		default:
			return undefined;
	}
}

/** A `POST /generate` that certainly created nothing. */
export function notCreated(failure: CallFailure): Problem {
	const more = { httpStatus: failure.httpStatus };
	const told = (code: ErrorCode, message: string, advice: string) =>
		problem(code, 'no', message, `${advice} ${START_AGAIN}`, more);
	const known = explain(failure);
	if (known) return told(...known);
	switch (failure.cause) {
		case 'invalid_request':
			return told(
				'invalid_input',
				`The API refused the request: ${failure.text || 'it gave no reason'}`,
				'Change the value that it names.',
			);
		case 'rate_limited':
			return told(
				'not_created',
				`The API is receiving too many requests from you${http(failure)}.`,
				`Wait a few minutes, or set Options > Batching to send fewer videos at a time.${said(failure)}`,
			);
		case 'out_of_time':
			return told(
				'not_created',
				'The time was up before the video was started.',
				"Raise the timeout in this workflow's settings, or send fewer items at a time.",
			);
		case 'unreachable':
			return told(
				'not_created',
				'The Seedance API could not be reached, so the video was not started.',
				`Check this n8n's internet connection${failure.text ? ` (${failure.text})` : ''}. ${CHECK_BASE_URL}`,
			);
		default:
			return failure.isApi
				? told(
						'not_created',
						`The API refused to start the video${http(failure)}${because(failure)}.`,
						'Change what it names.',
					)
				: told(
						'not_created',
						`The base URL gave an answer that is not the API's${http(failure)}.`,
						`${CHECK_BASE_URL}${said(failure)}`,
					);
	}
}

const WHY_UNCLEAR: Readonly<Partial<Record<CallFailure['cause'], string>>> = {
	no_answer: 'the connection broke, or no answer came in time, after the request was sent',
	unreadable: 'the answer could not be read',
	server_error: 'the API answered with a server error',
};

/** Where a person finds a task whose ID never arrived, and how its video is had without paying again. */
const LOOK_FIRST =
	'Look in your seedanceapi.org dashboard whether the task is there. With its task ID, Wait for Video gets the video without paying again.';

/** A `POST /generate` whose outcome is not known: it is never sent again by itself. */
export function maybeCreated(failure: CallFailure): Problem {
	const why = WHY_UNCLEAR[failure.cause] ?? 'the answer was unclear';
	const { httpStatus, taskId } = failure;
	const look = taskId
		? `Use Wait for Video or Get Status with task ID ${taskId}, which does not pay again.`
		: `${LOOK_FIRST} If it is not there, send this item alone again, which pays for this one video.`;
	return problem(
		'maybe_created',
		'unknown',
		`The video may have been started, and charged: ${why}${http(failure)}.`,
		`It was not sent a second time. ${look}${said(failure)}`,
		{ httpStatus, taskId },
	);
}

/** An earlier try of this same item in this execution sent the request and never learned the outcome. */
export function stillUnclear(): Problem {
	return problem(
		'maybe_created',
		'unknown',
		'An earlier try of this item was sent and its outcome is not known: the video may have been started, and charged.',
		`It is not sent again. ${LOOK_FIRST} If it is not there, send this item alone in a new run, which pays for this one video.`,
	);
}

/** An item that was not sent because an earlier one ended the batch. `because` is the end of a sentence, or several. */
export function notSent(because: string): Problem {
	return problem(
		'not_created',
		'no',
		`The video was not started: ${because}`,
		`Mend the cause. ${START_AGAIN}`,
	);
}

/**
 * What nobody foresaw, so that nobody knows what it cost: `charged` is never "no". `reason` is what was thrown, or empty;
 * `taskId` is the item's task where the node knows of one.
 */
export function unforeseen(reason: string, taskId: string | undefined): Problem {
	const task = taskId ? ` (task ${taskId})` : '';
	const what = `This node ran into something unforeseen${task}${reason ? `: ${shorten(reason, 200)}` : ''}`;
	return taskId
		? problem(
				'contact_lost',
				'unknown',
				what,
				`The video is not lost: use Wait for Video with task ID ${taskId}, which does not pay again.`,
				{ taskId },
			)
		: problem('maybe_created', 'unknown', what, LOOK_FIRST);
}

/**
 * Values that were refused before any request. `sentences` come from the checks; `advice` says what to do about one of them
 * for which "correct this value" is not enough.
 */
export function invalidInput(sentences: readonly string[], advice?: string): Problem {
	const isOne = sentences.length === 1;
	const correct = `Correct ${isOne ? 'this value' : 'these values'}.`;
	return problem(
		'invalid_input',
		'no',
		isOne ? sentences[0] : `${sentences.length} values cannot be used.`,
		isOne
			? `${advice ?? correct} ${START_AGAIN}`
			: [...sentences, ...(advice ? [advice] : []), `${correct} ${START_AGAIN}`].join('\n'),
	);
}

/**
 * A credential that cannot be used, told before anything was sent.
 *
 * @param reason one sentence; empty where nobody knows
 * @param about.name of the credential, as its owner calls it
 * @param about.taskId of a task that was to be read with it: nothing is known about what that cost
 */
export function credentialProblem(
	reason: string,
	about: { name?: string; field?: 'apiKey' | 'baseUrl'; taskId?: string } = {},
): Problem {
	const { name, field, taskId } = about;
	const what = reason || 'The Seedance credential could not be read.';
	const which = name
		? `the credential "${name}" of this node`
		: 'the Seedance credential of this node';
	const advice = `Open ${which} and correct it.`;
	if (taskId === undefined) {
		const code = field === 'baseUrl' ? 'not_created' : 'invalid_api_key';
		return problem(code, 'no', what, `${advice} ${START_AGAIN}`);
	}
	return problem(
		field === 'baseUrl' ? 'contact_lost' : 'invalid_api_key',
		'unknown',
		`${what} Task ${taskId} could not be read.`,
		`${advice} Then read the task with Wait for Video and task ID ${taskId}, which does not pay again.`,
		{ taskId },
	);
}

/** A run that would cost more than the user's limit. */
export function tooManyCredits(credits: number, videos: number, limit: number): Problem {
	return problem(
		'over_limit',
		'no',
		`The ${videos === 1 ? 'video' : `${videos} videos`} would cost ${credits} credits, more than Maximum Credits per Run (${limit}).`,
		'Nothing was started. Raise Options > Maximum Credits per Run, send fewer items, or choose cheaper settings.',
	);
}

/** A task that the API says has failed. */
export function taskFailed(
	taskId: string,
	reason: string | null,
	consumedCredits: number | null,
): Problem {
	return problem(
		'task_failed',
		chargedBy(consumedCredits),
		`The video could not be generated (task ${taskId})${reason ? `: ${shorten(reason, 300)}` : '. The API gave no reason.'}`,
		'Change the prompt or the image if the reason names them. Another video for this item is paid for anew.',
		{ taskId },
	);
}

/** A task that succeeded, by its status, but holds no video. */
export function noVideo(taskId: string, consumedCredits: number | null): Problem {
	return problem(
		'no_video',
		chargedBy(consumedCredits),
		`The API says that task ${taskId} succeeded, but it holds no video.`,
		'Look at it again later with Get Status; if it stays empty, ask the support of seedanceapi.org with the task ID.',
		{ taskId },
	);
}

/** A task that was still running when the time was up. `statusWord` is what the API said last. */
export function timedOut(
	taskId: string,
	minutes: number,
	statusWord: string | null,
	isWorkflowLimit = false,
): Problem {
	return problem(
		'timeout',
		'unknown',
		`The video was not ready after ${formatMinutes(minutes)} (task ${taskId}).`,
		`It is still being made${statusWord ? ` (status ${shorten(statusWord, 40)})` : ''} and is not lost: use Wait for Video or Get Status with task ID ${taskId}, which does not pay again, or raise ${isWorkflowLimit ? "the timeout in this workflow's settings" : 'Options > Timeout'}.`,
		{ taskId },
	);
}

function formatMinutes(minutes: number): string {
	const isShort = minutes < 1;
	const count = isShort ? Math.round(minutes * 60) : Math.round(minutes * 10) / 10;
	const unit = isShort ? 'second' : 'minute';
	return `${count} ${count === 1 ? unit : `${unit}s`}`;
}

/** A wait that ended because the execution was stopped. */
export function stopped(taskId: string): Problem {
	return problem(
		'timeout',
		'unknown',
		`The wait for task ${taskId} was stopped.`,
		`The video goes on being made: use Wait for Video with task ID ${taskId}, which does not pay again.`,
		{ taskId },
	);
}

/** A task that could not be read any more. */
export function contactLost(taskId: string, failure: CallFailure): Problem {
	const WHY: Partial<Record<CallFailure['cause'], string>> = {
		unreachable: 'the Seedance API could not be reached',
		no_answer: 'the Seedance API could not be reached',
		rate_limited: `the API is receiving too many requests from you${http(failure)}`,
		firewall: `the firewall in front of the Seedance API blocked this n8n${http(failure)}`,
	};
	const why = WHY[failure.cause] ?? `the API gave no usable answer${http(failure)}`;
	return problem(
		'contact_lost',
		'unknown',
		`Contact lost with task ${taskId}: ${why}, even after several attempts.`,
		`The video is not lost: use Wait for Video or Get Status with task ID ${taskId} later, which does not pay again.${said(failure)}`,
		{ taskId, httpStatus: failure.httpStatus },
	);
}

/** A read that ended at once: a wrong key, a task unknown to the account, a redirect. */
export function readRefused(taskId: string, failure: CallFailure): Problem {
	const more = { taskId, httpStatus: failure.httpStatus };
	if (failure.cause === 'task_not_found') {
		return problem(
			'task_not_found',
			'unknown',
			`There is no task ${taskId} in this Seedance account.`,
			`Check the task ID, and that the credential holds the API key of the account that started it.${said(failure)}`,
			more,
		);
	}
	const [code, what, advice] = explain(failure) ?? [
		'contact_lost',
		`The API refused to tell the state of the task${http(failure)}${failure.isApi ? because(failure) : ''}.`,
		failure.isApi ? 'Check the task ID.' : CHECK_BASE_URL,
	];
	return problem(
		code === 'not_created' ? 'contact_lost' : code,
		'unknown',
		`${what} Task ${taskId} could not be read.`,
		advice,
		more,
	);
}

/** What is known of a download that gave no file. */
export interface DownloadFailure {
	/** What happened, as the end of a sentence. */
	why: string;
	/** HTTP status of the video's server. */
	status?: number;
	/** Milliseconds since the task was created, for a link that is too old. */
	expiredMs?: number;
}

/** A time span in the largest unit that says it well: "12 minutes", "3 hours", "2 days". */
function formatAge(ms: number): string {
	const hours = ms / 3_600_000;
	if (hours < 2) return formatMinutes(Math.floor(ms / 60_000));
	return hours < 48 ? `${Math.floor(hours)} hours` : `${Math.floor(hours / 24)} days`;
}

/** A video that is ready and paid for, but could not be stored. */
export function downloadFailed(taskId: string, url: string, failure: DownloadFailure): Problem {
	const { why, status, expiredMs } = failure;
	// The link comes from outside, and n8n shows descriptions as HTML.
	const link = url.replace(/[<>"]/g, encodeURIComponent);
	const free = `Wait for Video with task ID ${taskId}, or Retry in Executions if the execution failed`;
	if (expiredMs !== undefined) {
		return problem(
			'download_failed',
			'yes',
			`The link of the video has expired (task ${taskId}): ${why}, ${formatAge(expiredMs)} after the video was started.`,
			`Reading the task again gave no link that works. To ask for one later without paying again, use ${free}; if it stays like this, ask the support of seedanceapi.org with the task ID. The link was ${link}`,
			{ taskId },
		);
	}
	const blocked =
		status === 403
			? ' If the link opens in your browser, a firewall or proxy keeps this n8n away from it.'
			: '';
	return problem(
		'download_failed',
		'yes',
		`The video is ready, but could not be downloaded (task ${taskId}): ${why}.`,
		`Nothing is lost: the video is at ${link} and downloading it again does not pay again. Use ${free}.${blocked}`,
		{ taskId },
	);
}

/** Marks a message with its item where there are several: counted from 0 as n8n's messages do, and as a person counts. */
export function withItem(message: string, itemIndex: number, itemCount: number): string {
	return itemCount > 1
		? `${message} [item ${itemIndex}] (number ${itemIndex + 1} of ${itemCount})`
		: message;
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** A text as n8n's editor shows a description: as HTML, in which a line break is a tag and foreign signs are escaped. */
function asHtml(text: string): string {
	return text.replace(/[&<>]/g, (sign) => HTML[sign]).replace(/\n/g, '<br />');
}

/**
 * The error a node throws for a problem. Its context holds `error_code`, `charged` and the task ids, for
 * error workflows. Texts are set after construction, because n8n rewrites a message that holds
 * the name of a system error anywhere (measured).
 */
export function nodeError(
	node: INode,
	found: Problem,
	context: IDataObject = {},
): NodeApiError | NodeOperationError {
	const { httpStatus } = found;
	const description = asHtml(found.description);
	// n8n takes any error whose message holds this spelling for a run that a person stopped.
	const message = found.message.replace(/canceled/g, 'cancelled').replace(/Canceled/g, 'Cancelled');
	const response: JsonObject = { message, description };
	const error =
		httpStatus && httpStatus >= 300
			? new NodeApiError(node, response, { message, description, httpCode: String(httpStatus) })
			: new NodeOperationError(node, message, { description });
	error.message = message;
	error.description = description;
	error.messages = [];
	Object.assign(error.context, {
		error_code: found.code,
		charged: found.charged,
		...(found.taskId && { task_id: found.taskId }),
		...context,
	});
	return error;
}
