/** Every sentence about a failure: what happened, what to do, and whether credits were spent. */
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { USUAL_BASE_URL } from '../../nodes/shared/api/credential';
import * as errors from '../../nodes/shared/task/errors';
import type { CallFailure, Problem } from '../../nodes/shared/task/errors';
import expected from '../fixtures/errors.json';
import { nodeWith } from '../support/node';

const { contactLost, credentialProblem, downloadFailed, maybeCreated, nodeError } = errors;
const { notCreated, readRefused, taskFailed, timedOut, unforeseen } = errors;

type Cause = CallFailure['cause'];

const ID = 'seed15abc123def456pro';
const VIDEO = 'https://cdn.example.com/v.mp4';
const NODE = nodeWith();
const NO_BASE_URL = `The base URL in the credential is empty (the usual one is ${USUAL_BASE_URL}).`;

const failure = (cause: Cause, more: Partial<CallFailure> = {}): CallFailure => ({
	cause,
	text: '',
	...more,
});
/** An HTTP answer that is no success: of the API's own form, or of something in front of it. */
const http = (cause: Cause, httpStatus: number, text = '') => failure(cause, { httpStatus, text });
const api = (cause: Cause, httpStatus: number, text = '') =>
	failure(cause, { httpStatus, text, isApi: true });

const moved = { httpStatus: 308, location: 'https://www.example.com' };
const expired = { why: 'HTTP 403', status: 403, expiredMs: 7_200_000 };

/** Each sentence in each of its forms; what is expected of it stands in the fixture. */
const PROBLEMS: Record<keyof typeof expected, Problem> = {
	'a refused value': notCreated(http('invalid_request', 400, 'Prompt is empty')),
	'a refused value without a reason': notCreated(http('invalid_request', 400)),
	'a wrong key': notCreated(http('invalid_api_key', 401, 'bad key')),
	'an empty account': notCreated(http('out_of_credits', 402)),
	'a proxy that refuses': notCreated(http('forbidden', 403)),
	'an API that refuses': notCreated(api('forbidden', 403, 'Account suspended')),
	'the firewall of the vendor': notCreated(http('firewall', 403, 'error code: 1010')),
	'a time for sending that was over': notCreated(failure('out_of_time')),
	'a redirect': notCreated(failure('redirected', moved)),
	'a redirect to nowhere': notCreated(http('redirected', 301)),
	'too many requests': notCreated(http('rate_limited', 429, 'slow down')),
	'no connection': notCreated(failure('unreachable', { text: 'ECONNREFUSED' })),
	'no connection for no known reason': notCreated(failure('unreachable')),
	'a refusal of something else than the API': notCreated(
		http('refused', 405, 'Method not allowed'),
	),
	'any other refusal of the API': notCreated(api('refused', 409, 'Twice')),
	'a broken connection after the POST': maybeCreated(failure('no_answer', { text: 'ECONNRESET' })),
	'a server error after the POST': maybeCreated(http('server_error', 500, 'boom')),
	'an unreadable answer to the POST': maybeCreated(http('unreadable', 200)),
	'an unclear answer that names its task': maybeCreated(failure('refused', { taskId: ID })),
	'an unclear POST of an earlier try': errors.stillUnclear(),
	'an item that was not sent': errors.notSent('item 0 was refused.'),
	'one wrong value': errors.invalidInput(['Prompt is empty.']),
	'several wrong values': errors.invalidInput([
		'Prompt is empty.',
		'Duration "5" is not possible.',
	]),
	'an unusable credential': credentialProblem('The credential holds no API key.', {
		name: 'My account',
	}),
	'an unreadable credential': credentialProblem(''),
	'an unusable base URL at a new video': credentialProblem(NO_BASE_URL, {
		name: 'My key',
		field: 'baseUrl',
	}),
	'an unusable base URL at a task': credentialProblem(NO_BASE_URL, {
		field: 'baseUrl',
		taskId: ID,
	}),
	'something unforeseen': unforeseen('', undefined),
	'a run over the limit': errors.tooManyCredits(84, 3, 50),
	'a single video over the limit': errors.tooManyCredits(84, 1, 50),
	'a failed task that cost nothing': taskFailed(ID, 'NSFW content', 0),
	'a failed task that was charged': taskFailed(ID, 'render error', 28),
	'a failed task without reason or price': taskFailed(ID, null, null),
	'a success without a video': errors.noVideo(ID, 28),
	'a timeout': timedOut(ID, 15, 'RENDERING'),
	'a timeout of a task that was never read': timedOut(ID, 1, null),
	'a short timeout': timedOut(ID, 0.5, null),
	Stop: errors.stopped(ID),
	'lost contact by network': contactLost(ID, failure('unreachable', { text: 'ECONNREFUSED' })),
	'lost contact by silence': contactLost(ID, failure('no_answer')),
	'lost contact by server errors': contactLost(ID, http('server_error', 502)),
	'lost contact to too many requests': contactLost(ID, http('rate_limited', 429)),
	'lost contact at the firewall of the vendor': contactLost(ID, http('firewall', 403)),
	'a task of another account': readRefused(ID, http('task_not_found', 404)),
	'a key that no longer reads': readRefused(ID, http('invalid_api_key', 401)),
	'an empty account that no longer reads': readRefused(ID, http('out_of_credits', 402)),
	'the firewall of the vendor before a read': readRefused(ID, http('firewall', 403)),
	'a proxy before a read': readRefused(ID, http('forbidden', 403)),
	'a read that something else than the API refuses': readRefused(ID, http('refused', 405)),
	'a read that the API refuses': readRefused(ID, api('refused', 409, 'Busy')),
	'something unforeseen with a task': unforeseen('x is not a function', ID),
	'a failed download': downloadFailed(ID, VIDEO, { why: 'HTTP 500', status: 500 }),
	'an expired link': downloadFailed(ID, VIDEO, expired),
};

const CASES = Object.entries(expected).map(
	([name, texts]) => [name, texts, PROBLEMS[name as keyof typeof expected]] as const,
);

const COST: Record<string, string> = {
	yes: 'The credits for this video were spent.',
	no: 'No credits were spent.',
	unknown: 'Whether credits were spent is not known.',
};
/** Codes of problems that always have a task. */
const ABOUT_A_TASK = /^(task_failed|timeout|contact_lost|no_video|download_failed|task_not_found)$/;
/** Everything that a person may be told to do that sends a paid request once more. */
const STARTS_ANEW =
	/\b(run|send|start|generate)\b[^.]*\b(again|anew)\b|\bnew run\b|\bRetry\b|\banother video\b/i;

const CAUSES = [
	...['invalid_request', 'invalid_api_key', 'out_of_credits', 'task_not_found', 'forbidden'],
	...['firewall', 'rate_limited', 'redirected', 'refused', 'server_error', 'unreadable'],
	...['unreachable', 'no_answer', 'out_of_time'],
] as Cause[];

/** A problem as one text. */
const all = ({ message, description }: Problem) => `${message} ${description}`;

/** The text that n8n's editor shows of a description, which it takes for HTML. */
function shownAs(description: string | null | undefined): string {
	const plain = (description ?? '').replace(/<br \/>/g, '\n');
	return plain.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
}

describe('the sentences', () => {
	it.each(CASES)('of %s say what happened, what to do, and the cost', (_name, texts, problem) => {
		const { code, charged, message, description, taskId } = problem;
		expect({ code, charged }).toEqual({ code: texts.code, charged: texts.charged });
		expect(message).toContain(texts.says);
		expect(message.length).toBeGreaterThan(15);
		expect(description).toContain(texts.advises);
		expect(description.endsWith(COST[charged])).toBe(true);
		// n8n never rewrites a description.
		if (taskId) expect(description).toContain(taskId);
		if (ABOUT_A_TASK.test(code)) {
			expect(taskId).toBe(ID);
			expect(message).toContain(ID);
		}
	});

	it.each(CASES)(
		'of %s hold no word that misleads, or that n8n asks to avoid',
		(_name, _, found) => {
			expect(all(found)).not.toMatch(/canceled|retry automatically|undefined|null|NaN|\[object/i);
			// "Server error" is what HTTP calls it; the others are the API's own words in a case.
			const ours = all(found).replace(/server error|render error|error code: 1010/g, '');
			expect(ours).not.toMatch(/\b(error|problem|failure|mistake)s?\b/i);
			if (/base URL/i.test(ours)) expect(ours).toContain(USUAL_BASE_URL);
		},
	);

	it.each(CASES)('of %s advise nothing that pays again without saying so', (_name, _, found) => {
		const { code, description, taskId } = found;
		expect(all(found)).not.toMatch(/\brun (it|this|them) again\b/i);
		if (STARTS_ANEW.test(all(found))) expect(all(found)).toMatch(/\bpa(y|ys|id|ying)\b/);
		if (code === 'not_created' || code === 'invalid_input') {
			expect(description).toContain('send this item alone again');
			expect(description).toContain('A new run pays for all items.');
		}
		if (code === 'maybe_created' && !taskId) {
			expect(description).toContain('seedanceapi.org dashboard');
			expect(description).toContain('Wait for Video gets the video without paying again');
		}
		if (taskId && ['timeout', 'contact_lost', 'maybe_created'].includes(code)) {
			expect(description).not.toMatch(STARTS_ANEW);
		}
	});

	it('cover every error code, and some advice that starts a video again', () => {
		const codes = new Set(CASES.map(([, , { code }]) => code));
		expect([...codes].sort()).toEqual([
			...['contact_lost', 'download_failed', 'invalid_api_key', 'invalid_input', 'maybe_created'],
			...['no_video', 'not_created', 'out_of_credits', 'over_limit', 'task_failed'],
			...['task_not_found', 'timeout'],
		]);
		const anew = CASES.filter(([, , { description }]) => STARTS_ANEW.test(description));
		expect(anew.length).toBeGreaterThan(10);
		const messages = CASES.map(([, , { message }]) => message);
		expect(new Set(messages).size).toBeGreaterThan(CASES.length - 10);
	});

	it.each(CAUSES)('exist for the cause "%s", and claim no cost that is not known', (cause) => {
		const [post, unclear] = [notCreated(failure(cause)), maybeCreated(failure(cause))];
		expect([post.charged, unclear.charged]).toEqual(['no', 'unknown']);
		const reads = [readRefused(ID, failure(cause)), contactLost(ID, failure(cause))];
		for (const found of [post, unclear, ...reads]) {
			expect(all(found)).not.toMatch(/undefined|HTTP \)/);
		}
	});

	it('repeat the API’s own words, and only where it sent some', () => {
		const { description } = notCreated(http('out_of_credits', 402, 'Balance is 3 credits'));
		expect(description).toContain('Balance is 3 credits');
		expect(notCreated(failure('out_of_credits')).description).not.toContain('API said');
		const [forbidden, refused] = [api('forbidden', 403, 'why'), api('refused', 413, 'why')];
		for (const found of [forbidden, refused]) {
			expect(notCreated(found).message).toContain('why');
			expect(readRefused(ID, found).message).toContain('why');
		}
	});

	it('do not speak of an HTTP status that says success', () => {
		const found = notCreated(http('rate_limited', 200, 'slow down'));
		expect(found.message).not.toContain('HTTP');
		expect(found.description).toContain('slow down');
		expect(nodeError(NODE, found)).toBeInstanceOf(NodeOperationError);
	});

	it('doubt the base URL where it may be wrong, and not where the API itself has answered', () => {
		expect(USUAL_BASE_URL).toBe('https://seedanceapi.org/v1');
		for (const cause of ['unreachable', 'redirected', 'forbidden', 'refused'] as const) {
			expect(notCreated(failure(cause)).description).toContain(USUAL_BASE_URL);
		}
		for (const cause of ['forbidden', 'refused', 'invalid_request', 'firewall'] as const) {
			const found = api(cause, 409, 'why');
			expect(all(notCreated(found)) + all(readRefused(ID, found))).not.toContain('base URL');
		}
	});

	it('where the dashboard shows no task say what sending it again pays', () => {
		for (const { description } of [maybeCreated(failure('no_answer')), errors.stillUnclear()]) {
			expect(description).toContain('If it is not there');
			expect(description).toContain('which pays for this one video');
		}
	});

	it('name the limit that was reached, with its minutes rounded', () => {
		expect(timedOut(ID, 14.8333, null).message).toContain('14.8 minutes');
		expect(timedOut(ID, 0, null).message).toContain('after 0 seconds');
		expect(timedOut(ID, 1 / 60, null).message).toContain('after 1 second ');
		expect(timedOut(ID, 15, null).description).toContain('Options > Timeout');
		const byWorkflow = timedOut(ID, 1.8, null, true).description;
		expect(byWorkflow).toContain("workflow's settings");
		expect(byWorkflow).not.toContain('Options > Timeout');
	});

	it('keep an endless reason short, and are never free where nobody foresaw what happened', () => {
		const endless = 'x'.repeat(5_000);
		expect(taskFailed(ID, endless, null).message.length).toBeLessThan(400);
		expect(timedOut(ID, 15, endless).description.length).toBeLessThan(400);
		expect(unforeseen(endless, ID).message.length).toBeLessThan(300);
		const [withTask, without] = [unforeseen('x', ID), unforeseen('x', undefined)];
		expect([withTask.charged, without.charged]).toEqual(['unknown', 'unknown']);
	});

	it('name the item where there are several', () => {
		const numbered = 'Prompt is empty. [item 3] (number 4 of 30)';
		expect(errors.withItem('Prompt is empty.', 3, 30)).toBe(numbered);
		expect(errors.withItem('Prompt is empty.', 0, 1)).toBe('Prompt is empty.');
	});
});

describe('the error that a node throws', () => {
	it.each(CASES)('says exactly the sentences of %s', (_name, _, problem) => {
		const error = nodeError(NODE, problem);
		expect(error.message).toBe(problem.message);
		expect(shownAs(error.description)).toBe(problem.description);
		expect(error.messages).toEqual([]);
	});

	it('shows several problems line by line, and foreign signs as they are: n8n takes it for HTML', () => {
		const several = nodeError(NODE, errors.invalidInput(['One.', 'Two.'])).description;
		expect(several).toMatch(/^One\.<br \/>Two\.<br \/>Correct these values\./);
		const foreign = http('refused', 405, '<img src=x onerror="a()"> & <b>\nmore');
		const { description } = nodeError(NODE, notCreated(foreign));
		expect(description).toContain('&lt;img src=x onerror="a()"&gt; &amp; &lt;b&gt;<br />more');
		expect(description?.replace(/<br \/>/g, '')).not.toMatch(/[<>]/);
	});

	it('holds error code, charge and task for error workflows', () => {
		const tasks = [{ item: 0 }];
		const error = nodeError(NODE, timedOut(ID, 15, null), { tasks });
		expect(error).toBeInstanceOf(NodeOperationError);
		const context = { error_code: 'timeout', charged: 'unknown', task_id: ID, tasks };
		expect(error.context).toMatchObject(context);
	});

	it('is an API error with its status where the API answered', () => {
		const problem = notCreated(http('out_of_credits', 402));
		const error = nodeError(NODE, problem);
		expect(error).toBeInstanceOf(NodeApiError);
		expect(error).toMatchObject({ httpCode: '402', message: problem.message });
		expect(error.context).toMatchObject({ error_code: 'out_of_credits', charged: 'no' });
		expect(error.context).not.toHaveProperty('task_id');
	});

	it.each(['ECONNREFUSED', 'EPERM', 'enoent', 'ETIMEDOUT'])(
		'keeps a reason that holds %s, which n8n would replace by a text of its own',
		(word) => {
			const problem = taskFailed(`seed-${word}-1`, `reason ${word}`, 0);
			for (const found of [problem, { ...problem, httpStatus: 500 }]) {
				const { message, description } = nodeError(NODE, found);
				expect(message).toBe(problem.message);
				expect(message).toContain(word);
				expect(description).toContain(`seed-${word}-1`);
			}
		},
	);

	it('never makes n8n take a failed run for one that a person stopped', () => {
		for (const reason of ['Job was canceled', 'Canceled by the provider: canceled']) {
			expect(nodeError(NODE, taskFailed(ID, reason, 0)).message).not.toMatch(/canceled/i);
		}
	});
});

describe('a failed download', () => {
	it.each([
		[5 * 60_000, '5 minutes'],
		[119 * 60_000, '119 minutes'],
		[2 * 3_600_000, '2 hours'],
		[47 * 3_600_000, '47 hours'],
		[72 * 3_600_000, '3 days'],
	])('by an expired link tells its age: %d ms', (expiredMs, age) => {
		const { message } = downloadFailed(ID, VIDEO, { why: 'HTTP 410', expiredMs });
		expect(message).toBe(
			`The link of the video has expired (task ${ID}): HTTP 410, ${age} after the video was started.`,
		);
	});

	it('names the ways that do not pay again, and a firewall only at HTTP 403', () => {
		const { description } = downloadFailed(ID, VIDEO, { why: 'HTTP 500' });
		expect(description).toContain(`Nothing is lost: the video is at ${VIDEO}`);
		expect(description).toContain('does not pay again');
		expect(description).toContain(`Wait for Video with task ID ${ID}`);
		expect(description).toContain('Retry in Executions if the execution failed');
		expect(description).not.toContain('firewall');
		const forbidden = downloadFailed(ID, VIDEO, { why: 'HTTP 403', status: 403 });
		expect(forbidden.description).toContain('a firewall or proxy keeps this n8n away from it');
	});

	it('shows a link that holds HTML as text', () => {
		const { description } = downloadFailed(ID, 'https://x/<b>"', { why: 'HTTP 500' });
		expect(description).toContain('https://x/%3Cb%3E%22');
	});
});
