/** Every sentence about a failure: what happened, what to do, and whether credits were spent. */
import { NodeApiError, NodeOperationError, type INode } from 'n8n-workflow';

import { USUAL_BASE_URL } from '../../nodes/shared/api/credential';
import * as errors from '../../nodes/shared/task/errors';
import type { CallFailure, Problem } from '../../nodes/shared/task/errors';

const ID = 'seed15abc123def456pro';
const NODE: INode = {
	id: '1',
	name: 'Seedance',
	type: 'n8n-nodes-seedance.seedance',
	typeVersion: 1,
	position: [0, 0],
	parameters: {},
};

const SPENT = 'The credits for this video were spent.';
const FREE = 'No credits were spent.';
const UNKNOWN = 'Whether credits were spent is not known.';

/** The text that n8n's editor shows of a description, which it takes for HTML. */
function textOf(description: string | null | undefined): string {
	const plain = (description ?? '').replace(/<br \/>/g, '\n');
	return plain.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
}

function failure(cause: CallFailure['cause'], more: Partial<CallFailure> = {}): CallFailure {
	return { cause, text: '', ...more };
}

const CAUSES: Array<CallFailure['cause']> = [
	'invalid_request',
	'invalid_api_key',
	'out_of_credits',
	'task_not_found',
	'forbidden',
	'firewall',
	'rate_limited',
	'redirected',
	'refused',
	'server_error',
	'unreadable',
	'unreachable',
	'no_answer',
	'out_of_time',
];

/** What `credential.ts` says of an empty base URL. */
const NO_BASE_URL = `The base URL in the credential is empty (the usual one is ${USUAL_BASE_URL}).`;

/** Each factory in each of its forms: name, problem, code, charged, what its message holds, what its advice holds. */
const CASES: Array<[string, Problem, errors.ErrorCode, errors.Charged, string, string]> = [
	[
		'a refused value',
		errors.notCreated(failure('invalid_request', { text: 'Prompt is empty', httpStatus: 400 })),
		'invalid_input',
		'no',
		'Prompt is empty',
		'Change the value',
	],
	[
		'a refused value without a reason',
		errors.notCreated(failure('invalid_request', { httpStatus: 400 })),
		'invalid_input',
		'no',
		'no reason',
		'Change the value',
	],
	[
		'a wrong key',
		errors.notCreated(failure('invalid_api_key', { text: 'bad key', httpStatus: 401 })),
		'invalid_api_key',
		'no',
		'API key was refused',
		'seedanceapi.org dashboard',
	],
	[
		'an empty account',
		errors.notCreated(failure('out_of_credits', { httpStatus: 402 })),
		'out_of_credits',
		'no',
		'not have enough credits',
		'Add credits at seedanceapi.org',
	],
	[
		'a proxy that refuses',
		errors.notCreated(failure('forbidden', { httpStatus: 403 })),
		'not_created',
		'no',
		'refused access (HTTP 403)',
		'Check the base URL',
	],
	[
		'an API that refuses',
		errors.notCreated(
			failure('forbidden', { httpStatus: 403, isApi: true, text: 'Account suspended' }),
		),
		'not_created',
		'no',
		'refused access (HTTP 403): Account suspended',
		'seedanceapi.org dashboard',
	],
	[
		'the firewall of the vendor',
		errors.notCreated(failure('firewall', { httpStatus: 403, text: 'error code: 1010' })),
		'not_created',
		'no',
		'firewall in front of the Seedance API',
		'The API key is fine',
	],
	[
		'a time for sending that was over',
		errors.notCreated(failure('out_of_time')),
		'not_created',
		'no',
		'time was up before the video was started',
		"this workflow's settings",
	],
	[
		'a redirect',
		errors.notCreated(
			failure('redirected', { httpStatus: 308, location: 'https://www.example.com' }),
		),
		'not_created',
		'no',
		'redirects to https://www.example.com',
		'final address',
	],
	[
		'a redirect to nowhere',
		errors.notCreated(failure('redirected', { httpStatus: 301 })),
		'not_created',
		'no',
		'another address',
		'final address',
	],
	[
		'too many requests',
		errors.notCreated(failure('rate_limited', { httpStatus: 429, text: 'slow down' })),
		'not_created',
		'no',
		'too many requests',
		'Options > Batching',
	],
	[
		'no connection',
		errors.notCreated(failure('unreachable', { text: 'ECONNREFUSED' })),
		'not_created',
		'no',
		'could not be reached, so the video was not started',
		'internet connection (ECONNREFUSED). Check the base URL',
	],
	[
		'no connection for no known reason',
		errors.notCreated(failure('unreachable')),
		'not_created',
		'no',
		'could not be reached',
		'internet connection',
	],
	[
		'any other refusal of something else than the API',
		errors.notCreated(failure('refused', { httpStatus: 405, text: 'Method not allowed' })),
		'not_created',
		'no',
		"not the API's (HTTP 405)",
		'Method not allowed',
	],
	[
		'any other refusal of the API',
		errors.notCreated(failure('refused', { httpStatus: 409, text: 'Twice', isApi: true })),
		'not_created',
		'no',
		'refused to start the video (HTTP 409): Twice',
		'Change what it names',
	],
	[
		'a broken connection after the POST',
		errors.maybeCreated(failure('no_answer', { text: 'ECONNRESET' })),
		'maybe_created',
		'unknown',
		'may have been started, and charged',
		'not sent a second time',
	],
	[
		'a server error after the POST',
		errors.maybeCreated(failure('server_error', { httpStatus: 500, text: 'boom' })),
		'maybe_created',
		'unknown',
		'server error (HTTP 500)',
		'Look in your seedanceapi.org dashboard',
	],
	[
		'an unreadable answer to the POST',
		errors.maybeCreated(failure('unreadable', { httpStatus: 200 })),
		'maybe_created',
		'unknown',
		'could not be read',
		'without paying again',
	],
	[
		'an answer to the POST that is an error with a task id',
		errors.maybeCreated(failure('refused', { taskId: ID })),
		'maybe_created',
		'unknown',
		'unclear',
		ID,
	],
	[
		'an unclear POST of an earlier try',
		errors.stillUnclear(),
		'maybe_created',
		'unknown',
		'earlier try',
		'dashboard',
	],
	[
		'an item that was not sent',
		errors.notSent('item 0 was refused.'),
		'not_created',
		'no',
		'item 0 was refused.',
		'send this item alone again',
	],
	[
		'one wrong value',
		errors.invalidInput(['Prompt is empty.']),
		'invalid_input',
		'no',
		'Prompt is empty.',
		'Correct this value',
	],
	[
		'several wrong values, one in each line',
		errors.invalidInput(['Prompt is empty.', 'Duration "5" is not possible.']),
		'invalid_input',
		'no',
		'2 values cannot be used.',
		'Prompt is empty.\nDuration "5" is not possible.\nCorrect these values.',
	],
	[
		'an unusable credential',
		errors.credentialProblem('The credential holds no API key.', { name: 'My account' }),
		'invalid_api_key',
		'no',
		'holds no API key',
		'the credential "My account"',
	],
	[
		'an unreadable credential',
		errors.credentialProblem(''),
		'invalid_api_key',
		'no',
		'could not be read',
		'Seedance credential of this node',
	],
	[
		'a base URL that cannot work, at a video that was to be started',
		errors.credentialProblem(NO_BASE_URL, { name: 'My key', field: 'baseUrl' }),
		'not_created',
		'no',
		'base URL in the credential is empty',
		'Open the credential "My key"',
	],
	[
		'a base URL that cannot work, at a task that was to be read',
		errors.credentialProblem(NO_BASE_URL, { field: 'baseUrl', taskId: ID }),
		'contact_lost',
		'unknown',
		'base URL in the credential is empty',
		ID,
	],
	[
		'something unforeseen',
		errors.unforeseen('', undefined),
		'maybe_created',
		'unknown',
		'ran into something unforeseen',
		'Wait for Video gets the video without paying again',
	],
	[
		'a run over the limit',
		errors.tooManyCredits(84, 3, 50),
		'over_limit',
		'no',
		'3 videos would cost 84 credits, more than Maximum Credits per Run (50)',
		'Nothing was started',
	],
	[
		'a single video over the limit',
		errors.tooManyCredits(84, 1, 50),
		'over_limit',
		'no',
		'The video would cost 84 credits',
		'Raise Options',
	],
	[
		'a failed task that cost nothing',
		errors.taskFailed(ID, 'NSFW content', 0),
		'task_failed',
		'no',
		'NSFW content',
		'paid for anew',
	],
	[
		'a failed task that was charged',
		errors.taskFailed(ID, 'render error', 28),
		'task_failed',
		'yes',
		'render error',
		'paid for anew',
	],
	[
		'a failed task without reason or price',
		errors.taskFailed(ID, null, null),
		'task_failed',
		'unknown',
		'no reason',
		'paid for anew',
	],
	[
		'a success without a video',
		errors.noVideo(ID, 28),
		'no_video',
		'yes',
		'holds no video',
		'Get Status',
	],
	[
		'a timeout',
		errors.timedOut(ID, 15, 'RENDERING'),
		'timeout',
		'unknown',
		'after 15 minutes',
		'RENDERING',
	],
	[
		'a timeout of a task that was never read',
		errors.timedOut(ID, 1, null),
		'timeout',
		'unknown',
		'after 1 minute ',
		'Wait for Video',
	],
	['a short timeout', errors.timedOut(ID, 0.5, null), 'timeout', 'unknown', '30 seconds', 'lost'],
	['Stop', errors.stopped(ID), 'timeout', 'unknown', 'was stopped', 'does not pay again'],
	[
		'lost contact by network',
		errors.contactLost(ID, failure('unreachable', { text: 'ECONNREFUSED' })),
		'contact_lost',
		'unknown',
		'could not be reached',
		'does not pay again',
	],
	[
		'lost contact by silence',
		errors.contactLost(ID, failure('no_answer')),
		'contact_lost',
		'unknown',
		'could not be reached',
		'Wait for Video',
	],
	[
		'lost contact by server errors',
		errors.contactLost(ID, failure('server_error', { httpStatus: 502 })),
		'contact_lost',
		'unknown',
		'no usable answer (HTTP 502)',
		'Get Status',
	],
	[
		'a task of another account',
		errors.readRefused(ID, failure('task_not_found', { httpStatus: 404 })),
		'task_not_found',
		'unknown',
		'no task',
		'API key of the account',
	],
	[
		'a key that no longer reads',
		errors.readRefused(ID, failure('invalid_api_key', { httpStatus: 401 })),
		'invalid_api_key',
		'unknown',
		'API key was refused',
		'credential',
	],
	[
		'an empty account that no longer reads',
		errors.readRefused(ID, failure('out_of_credits', { httpStatus: 402 })),
		'out_of_credits',
		'unknown',
		'enough credits',
		'Add credits',
	],
	[
		'the firewall of the vendor before a read',
		errors.readRefused(ID, failure('firewall', { httpStatus: 403 })),
		'contact_lost',
		'unknown',
		'firewall in front of the Seedance API',
		'The API key is fine',
	],
	[
		'contact lost at the firewall of the vendor',
		errors.contactLost(ID, failure('firewall', { httpStatus: 403 })),
		'contact_lost',
		'unknown',
		'firewall in front of the Seedance API',
		'does not pay again',
	],
	[
		'contact lost to too many requests',
		errors.contactLost(ID, failure('rate_limited', { httpStatus: 429 })),
		'contact_lost',
		'unknown',
		'too many requests',
		'does not pay again',
	],
	[
		'something unforeseen with a task',
		errors.unforeseen('x is not a function', ID),
		'contact_lost',
		'unknown',
		`unforeseen (task ${ID}): x is not a function`,
		`Wait for Video with task ID ${ID}`,
	],
	[
		'a proxy before a read',
		errors.readRefused(ID, failure('forbidden', { httpStatus: 403 })),
		'contact_lost',
		'unknown',
		'refused access',
		'base URL',
	],
	[
		'a read that something else than the API refuses',
		errors.readRefused(ID, failure('refused', { httpStatus: 405 })),
		'contact_lost',
		'unknown',
		'HTTP 405',
		'Check the base URL',
	],
	[
		'a read that the API refuses',
		errors.readRefused(ID, failure('refused', { httpStatus: 409, text: 'Busy', isApi: true })),
		'contact_lost',
		'unknown',
		'(HTTP 409): Busy',
		'Check the task ID',
	],
	[
		'a failed download',
		errors.downloadFailed(ID, 'https://cdn.example.com/v.mp4', { why: 'HTTP 500', status: 500 }),
		'download_failed',
		'yes',
		'could not be downloaded',
		'https://cdn.example.com/v.mp4',
	],
	[
		'an expired link',
		errors.downloadFailed(ID, 'https://cdn.example.com/v.mp4', {
			why: 'HTTP 403',
			status: 403,
			expiredMs: 7_200_000,
		}),
		'download_failed',
		'yes',
		'expired',
		'https://cdn.example.com/v.mp4',
	],
];

describe('the sentences', () => {
	it.each(CASES)(
		'of %s say what happened, what to do, and the cost',
		(_name, problem, code, charged, what, advice) => {
			expect(problem.code).toBe(code);
			expect(problem.charged).toBe(charged);
			expect(problem.message).toContain(what);
			expect(problem.description).toContain(advice);
			const cost = { yes: SPENT, no: FREE, unknown: UNKNOWN }[charged];
			expect(problem.description.endsWith(cost)).toBe(true);
		},
	);

	it.each(CASES)(
		'of %s are sentences that n8n does not turn into something else',
		(_name, problem) => {
			const text = `${problem.message} ${problem.description}`;
			expect(text).not.toMatch(/canceled/i);
			expect(text).not.toMatch(/retry automatically|undefined|null|NaN|\[object/);
			expect(problem.message.length).toBeGreaterThan(15);
		},
	);

	it.each(CASES)('of %s use none of the words that n8n asks not to use', (_name, problem) => {
		// "Server error" is what HTTP calls it; the others are the API's own words in a case.
		const theirs = /server error|render error|error code: 1010/g;
		const ours = `${problem.message} ${problem.description}`.replace(theirs, '');
		expect(ours).not.toMatch(/\b(error|problem|failure|mistake)s?\b/i);
	});

	it.each(CASES.filter(([, { taskId }]) => taskId !== undefined))(
		'of %s hold the task ID in the description, which n8n never rewrites',
		(_name, problem) => {
			expect(problem.description).toContain(ID);
		},
	);

	const aboutTask = ['task_failed', 'timeout', 'contact_lost', 'no_video', 'download_failed'];
	it.each(CASES.filter(([, { code }]) => aboutTask.includes(code) || code === 'task_not_found'))(
		'of %s name the task in message and description',
		(_name, problem) => {
			expect(problem.taskId).toBe(ID);
			expect(problem.message).toContain(ID);
			expect(problem.description).toContain(ID);
		},
	);

	it('cover every error code that users can meet', () => {
		expect([...new Set(CASES.map(([, , code]) => code))].sort()).toEqual(
			[
				'task_failed',
				'timeout',
				'contact_lost',
				'no_video',
				'download_failed',
				'not_created',
				'maybe_created',
				'out_of_credits',
				'over_limit',
				'invalid_input',
				'invalid_api_key',
				'task_not_found',
			].sort(),
		);
	});

	it('keep apart a failure, a timeout, lost contact and a success without a video', () => {
		const four = [
			errors.taskFailed(ID, null, null),
			errors.timedOut(ID, 15, null),
			errors.contactLost(ID, failure('no_answer')),
			errors.noVideo(ID, 28),
		];
		expect(new Set(four.map(({ code }) => code)).size).toBe(4);
		expect(new Set(four.map(({ message }) => message)).size).toBe(4);
	});

	it.each(CAUSES)('exist for the cause "%s", for a POST and for a read', (cause) => {
		for (const found of [
			errors.notCreated(failure(cause)),
			errors.maybeCreated(failure(cause)),
			errors.readRefused(ID, failure(cause)),
			errors.contactLost(ID, failure(cause)),
		]) {
			expect(found.message).not.toMatch(/undefined|HTTP \)/);
			expect(found.description).not.toMatch(/undefined|HTTP \)/);
		}
	});

	it('of a POST that was refused never say that it was charged', () => {
		for (const cause of CAUSES) expect(errors.notCreated(failure(cause)).charged).toBe('no');
	});

	it('of a POST with an unclear outcome never say that it was free', () => {
		for (const cause of CAUSES) expect(errors.maybeCreated(failure(cause)).charged).toBe('unknown');
	});

	it('repeat the API’s own words, and only where it sent some', () => {
		const text = 'Balance is 3 credits';
		expect(
			errors.notCreated(failure('out_of_credits', { text, httpStatus: 402 })).description,
		).toContain(text);
		expect(errors.notCreated(failure('out_of_credits')).description).not.toContain('API said');
	});

	it('do not speak of an HTTP status that says success', () => {
		const found = errors.notCreated(
			failure('rate_limited', { httpStatus: 200, text: 'slow down' }),
		);
		expect(found.message).not.toContain('HTTP');
		expect(found.description).toContain('slow down');
		expect(errors.nodeError(NODE, found)).toBeInstanceOf(NodeOperationError);
	});

	it("name the limit that was reached: the node's, or the workflow's own", () => {
		expect(errors.timedOut(ID, 15, null).description).toContain('Options > Timeout');
		const byWorkflow = errors.timedOut(ID, 1.8, null, true).description;
		expect(byWorkflow).toContain("workflow's settings");
		expect(byWorkflow).not.toContain('Options > Timeout');
	});

	it('keep an endless reason short', () => {
		expect(errors.taskFailed(ID, 'x'.repeat(5000), null).message.length).toBeLessThan(400);
		expect(errors.timedOut(ID, 15, 'x'.repeat(5000)).description.length).toBeLessThan(400);
	});

	it('round the minutes of a timeout', () => {
		expect(errors.timedOut(ID, 14.8333, null).message).toContain('14.8 minutes');
		expect(errors.timedOut(ID, 0, null).message).toContain('after 0 seconds');
		expect(errors.timedOut(ID, 1 / 60, null).message).toContain('after 1 second ');
	});
});

describe('the advice', () => {
	/** Everything that a person may be told to do that sends a paid request once more. */
	const STARTS_ANEW =
		/\b(run|send|start|generate)\b[^.]*\b(again|anew)\b|\bnew run\b|\bRetry\b|\banother video\b/i;
	const SAYS_WHAT_IT_PAYS = /\bpa(y|ys|id|ying)\b/;

	it.each(CASES)(
		'of %s never says to run it again without saying what that pays',
		(_name, found) => {
			const text = `${found.message} ${found.description}`;
			expect(text).not.toMatch(/\brun (it|this|them) again\b/i);
			if (STARTS_ANEW.test(text)) expect(text).toMatch(SAYS_WHAT_IT_PAYS);
		},
	);

	it.each(CASES.filter(([, { code, taskId }]) => code === 'maybe_created' && !taskId))(
		'of %s sends to look for the task first',
		(_name, { description }) => {
			expect(description).toContain('seedanceapi.org dashboard');
			expect(description).toContain('Wait for Video gets the video without paying again');
		},
	);

	it('after a look in vain says what sending it again pays', () => {
		for (const found of [errors.maybeCreated(failure('no_answer')), errors.stillUnclear()]) {
			expect(found.description).toContain('If it is not there');
			expect(found.description).toContain('which pays for this one video');
		}
	});

	it('after an unclear answer that named the task is to wait for that task, not to send it again', () => {
		const { description } = errors.maybeCreated(failure('server_error', { taskId: ID }));
		expect(description).toContain(`Wait for Video or Get Status with task ID ${ID}`);
		expect(description).not.toMatch(STARTS_ANEW);
	});

	it('is seen by this very test: there is some that starts a video again', () => {
		expect(
			CASES.filter(([, { description }]) => STARTS_ANEW.test(description)).length,
		).toBeGreaterThan(10);
	});

	it.each(CASES.filter(([, { code }]) => code === 'not_created' || code === 'invalid_input'))(
		'of %s says how this item alone is sent, and that a new run pays for all',
		(_name, { description }) => {
			expect(description).toContain('send this item alone again');
			expect(description).toContain('A new run pays for all items.');
		},
	);

	it.each(
		CASES.filter(([, { taskId, code }]) => taskId && ['timeout', 'contact_lost'].includes(code)),
	)('of %s never starts a video again that exists', (_name, { description }) => {
		expect(description).not.toMatch(STARTS_ANEW);
	});

	it.each(CASES)(
		'of %s names the usual base URL where it speaks of the base URL',
		(_name, found) => {
			const text = `${found.message} ${found.description}`;
			if (/base URL/i.test(text)) expect(text).toContain(USUAL_BASE_URL);
		},
	);

	it('names the usual base URL in at least these causes', () => {
		for (const cause of ['unreachable', 'redirected', 'forbidden', 'refused'] as const) {
			expect(errors.notCreated(failure(cause)).description).toContain(USUAL_BASE_URL);
		}
		expect(USUAL_BASE_URL).toBe('https://seedanceapi.org/v1');
	});

	it('does not doubt the base URL where the API itself has answered', () => {
		for (const cause of ['forbidden', 'refused', 'invalid_request', 'firewall'] as const) {
			const found = failure(cause, { isApi: true, httpStatus: 409, text: 'why' });
			for (const { message, description } of [
				errors.notCreated(found),
				errors.readRefused(ID, found),
			]) {
				expect(`${message} ${description}`).not.toContain('base URL');
			}
		}
	});

	it("gives the API's own reason in the headline where it gives one", () => {
		for (const status of [403, 409, 413]) {
			const cause = status === 403 ? 'forbidden' : 'refused';
			const found = failure(cause, { isApi: true, httpStatus: status, text: 'the reason' });
			expect(errors.notCreated(found).message).toContain('the reason');
			expect(errors.readRefused(ID, found).message).toContain('the reason');
		}
	});
});

describe('something unforeseen', () => {
	it('is never said to have cost nothing', () => {
		for (const found of [errors.unforeseen('x', ID), errors.unforeseen('x', undefined)]) {
			expect(found.charged).toBe('unknown');
		}
	});

	it('keeps a long reason short', () => {
		expect(errors.unforeseen('x'.repeat(5_000), ID).message.length).toBeLessThan(300);
	});
});

describe('the item number', () => {
	it('is named where there are several items, and not where there is one', () => {
		expect(errors.withItem('Prompt is empty.', 3, 30)).toBe(
			'Prompt is empty. [item 3] (number 4 of 30)',
		);
		expect(errors.withItem('Prompt is empty.', 0, 1)).toBe('Prompt is empty.');
	});
});

describe('the error that a node throws', () => {
	it('shows each of several problems on a line of its own', () => {
		const error = errors.nodeError(NODE, errors.invalidInput(['One.', 'Two.']));
		expect(error.description).toMatch(/^One\.<br \/>Two\.<br \/>Correct these values\./);
	});

	it('shows foreign signs as they are: n8n takes a description for HTML', () => {
		const found = errors.notCreated(
			failure('refused', { httpStatus: 405, text: '<img src=x onerror="a()"> & <b>\nmore' }),
		);
		const { description } = errors.nodeError(NODE, found);
		expect(description).toContain('&lt;img src=x onerror="a()"&gt; &amp; &lt;b&gt;<br />more');
		expect(description?.replace(/<br \/>/g, '')).not.toMatch(/[<>]/);
	});

	it('holds message, description, error code, charge and task for error workflows', () => {
		const error = errors.nodeError(NODE, errors.timedOut(ID, 15, null), { tasks: [{ item: 0 }] });
		expect(error).toBeInstanceOf(NodeOperationError);
		expect(error.message).toBe(errors.timedOut(ID, 15, null).message);
		expect(textOf(error.description)).toBe(errors.timedOut(ID, 15, null).description);
		expect(error.context).toMatchObject({
			error_code: 'timeout',
			charged: 'unknown',
			task_id: ID,
			tasks: [{ item: 0 }],
		});
	});

	it('is an API error with its status where the API answered', () => {
		const problem = errors.notCreated(failure('out_of_credits', { httpStatus: 402 }));
		const error = errors.nodeError(NODE, problem);
		expect(error).toBeInstanceOf(NodeApiError);
		expect(error).toMatchObject({ httpCode: '402', message: problem.message });
		expect(error.context).toMatchObject({ error_code: 'out_of_credits', charged: 'no' });
		expect(error.context).not.toHaveProperty('task_id');
	});

	it.each(CASES)('says exactly the sentences of %s', (_name, problem) => {
		const error = errors.nodeError(NODE, problem);
		expect(error.message).toBe(problem.message);
		expect(textOf(error.description)).toBe(problem.description);
		expect(JSON.stringify(error.messages)).not.toMatch(/retry automatically/);
	});

	it.each(['ECONNREFUSED', 'EPERM', 'enoent', 'ETIMEDOUT'])(
		'survives a reason that holds %s, which n8n would replace by a text of its own',
		(word) => {
			const problem = errors.taskFailed(`seed-${word}-1`, `reason ${word}`, 0);
			for (const found of [problem, { ...problem, httpStatus: 500 }]) {
				const error = errors.nodeError(NODE, found);
				expect(error.message).toBe(problem.message);
				expect(error.message).toContain(word);
				expect(error.description).toContain(`seed-${word}-1`);
			}
		},
	);

	it('never makes n8n take a failed run for one that a person stopped', () => {
		const found = [
			errors.taskFailed(ID, 'Job was canceled by the provider', 0),
			errors.invalidInput(['Resolution "canceled" is not possible.']),
		];
		for (const problem of found) {
			// n8n looks for exactly this in the message of an error.
			expect(errors.nodeError(NODE, problem).message.includes('canceled')).toBe(false);
		}
	});
});

describe('a link that has expired', () => {
	it.each([
		[5 * 60_000, '5 minutes'],
		[119 * 60_000, '119 minutes'],
		[2 * 3_600_000, '2 hours'],
		[47 * 3_600_000, '47 hours'],
		[72 * 3_600_000, '3 days'],
	])('is told with its age: %d ms', (expiredMs, age) => {
		const { message } = errors.downloadFailed(ID, 'https://x/v.mp4', {
			why: 'HTTP 410',
			expiredMs,
		});
		expect(message).toBe(
			`The link of the video has expired (task ${ID}): HTTP 410, ${age} after the video was started.`,
		);
	});
});

describe('a failed download', () => {
	it('names the ways that do not pay again', () => {
		const { description } = errors.downloadFailed(ID, 'https://x/v.mp4', { why: 'HTTP 500' });
		expect(description).toContain('Nothing is lost: the video is at https://x/v.mp4');
		expect(description).toContain('does not pay again');
		expect(description).toContain(`Wait for Video with task ID ${ID}`);
		expect(description).toContain('Retry in Executions if the execution failed');
		expect(description).not.toContain('firewall');
	});

	it('with HTTP 403 speaks of a firewall', () => {
		const failure = { why: 'HTTP 403', status: 403 };
		const { description } = errors.downloadFailed(ID, 'https://x/v.mp4', failure);
		expect(description).toContain('a firewall or proxy keeps this n8n away from it');
	});

	it('shows a link that holds HTML as text', () => {
		const { description } = errors.downloadFailed(ID, 'https://x/<b>"', { why: 'HTTP 500' });
		expect(description).toContain('https://x/%3Cb%3E%22');
	});
});
