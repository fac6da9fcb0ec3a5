/** Every sentence about a failure: what happened, what to do, and whether credits were spent. */
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { DEFAULT_BASE_URL } from '../../nodes/shared/api/credential';
import * as errors from '../../nodes/shared/task/errors';
import type { CallFailure, Problem } from '../../nodes/shared/task/errors';
import { causes, codes, sentences } from '../fixtures/errors.json';
import { nodeWith } from '../support/node';

const { contactLost, maybeCreated, nodeError, notCreated, readRefused } = errors;
const { taskFailed, timedOut, unexpectedError } = errors;

type Cause = CallFailure['cause'];

const ID = 'seed15abc123def456pro';
const NODE = nodeWith();

const failure = (cause: Cause, more: Partial<CallFailure> = {}): CallFailure => ({
	cause,
	text: '',
	...more,
});
/** An HTTP response that is no success: of the API's own form, or of something in front of it. */
const http = (cause: Cause, httpStatus: number, text = '') => failure(cause, { httpStatus, text });
const api = (cause: Cause, httpStatus: number, text = '') =>
	failure(cause, { httpStatus, text, isApi: true });

/** Each sentence in each of its forms: which function writes it, of what, and what is expected of it. */
const CASES = sentences.map(({ name, of: [writer, ...given], ...texts }) => {
	const write = errors[writer as keyof typeof errors] as (...given: unknown[]) => Problem;
	return [name, texts, write(...given)] as const;
});

const COST: Record<string, string> = {
	yes: 'The credits for this video were spent.',
	no: 'No credits were spent.',
	unknown: 'Whether credits were spent is not known.',
};
/** Codes of problems that always have a task. */
const ABOUT_A_TASK = /^(task_failed|timeout|contact_lost|no_video|download_failed|task_not_found)$/;
/** Everything that a message may advise that sends a paid request once more. */
const STARTS_AGAIN =
	/\b(run|send|start|generate)\b[^.]*\b(again|anew)\b|\bnew run\b|\bRetry\b|\banother video\b/i;

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
		for (const text of texts.says) expect(message).toContain(text);
		for (const text of texts.advises) expect(description).toContain(text);
		for (const text of texts.never ?? []) expect(all(problem)).not.toContain(text);
		expect(message.length).toBeGreaterThan(15);
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
			if (/base URL/i.test(ours)) expect(ours).toContain(DEFAULT_BASE_URL);
		},
	);

	it.each(CASES)('of %s advise nothing that pays again without saying so', (_name, _, found) => {
		const { code, description, taskId } = found;
		expect(all(found)).not.toMatch(/\brun (it|this|them) again\b/i);
		if (STARTS_AGAIN.test(all(found))) expect(all(found)).toMatch(/\bpa(y|ys|id|ying)\b/);
		if (code === 'not_created' || (code === 'invalid_input' && found.charged === 'no')) {
			expect(description).toContain('send this item alone again');
			expect(description).toContain(
				'A new run pays again for videos that the workflow already has',
			);
		}
		if (code === 'maybe_created' && !taskId) {
			expect(description).toContain('seedanceapi.org dashboard');
			expect(description).toContain('Wait for Video gets the video without paying again');
		}
		if (taskId && ['timeout', 'contact_lost', 'maybe_created'].includes(code)) {
			expect(description).not.toMatch(STARTS_AGAIN);
		}
	});

	it('cover every error code, and some advice that starts a video again', () => {
		const found = new Set(CASES.map(([, , { code }]) => code));
		expect([...found].sort()).toEqual(codes);
		const rerun = CASES.filter(([, , { description }]) => STARTS_AGAIN.test(description));
		expect(rerun.length).toBeGreaterThan(10);
		const messages = CASES.map(([, , { message }]) => message);
		expect(new Set(messages).size).toBeGreaterThan(CASES.length - 10);
	});

	it.each(causes as Cause[])(
		'exist for the cause "%s", and claim no cost that is not known',
		(cause) => {
			const [post, unclear] = [notCreated(failure(cause)), maybeCreated(failure(cause))];
			expect([post.charged, unclear.charged]).toEqual(['no', 'unknown']);
			const reads = [readRefused(ID, failure(cause)), contactLost(ID, failure(cause))];
			for (const found of [post, unclear, ...reads]) {
				expect(all(found)).not.toMatch(/undefined|HTTP \)/);
			}
		},
	);

	it('doubt the base URL where it may be wrong, and not where the API itself has answered', () => {
		expect(DEFAULT_BASE_URL).toBe('https://seedanceapi.org/v1');
		for (const cause of ['unreachable', 'redirected', 'forbidden', 'refused'] as const) {
			expect(notCreated(failure(cause)).description).toContain(DEFAULT_BASE_URL);
		}
		for (const cause of ['forbidden', 'refused', 'invalid_request', 'firewall'] as const) {
			const found = api(cause, 409, 'why');
			expect(all(notCreated(found)) + all(readRefused(ID, found))).not.toContain('base URL');
		}
	});

	it('keep an endless reason short, and are never free for an unexpected error', () => {
		const endless = 'x'.repeat(5_000);
		expect(taskFailed(ID, endless, null).message.length).toBeLessThan(400);
		expect(timedOut(ID, 15, endless).description.length).toBeLessThan(400);
		expect(unexpectedError(endless, ID).message.length).toBeLessThan(300);
		const [withTask, without] = [unexpectedError('x', ID), unexpectedError('x', undefined)];
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
		const success = notCreated(http('rate_limited', 200));
		expect(nodeError(NODE, success)).toBeInstanceOf(NodeOperationError);
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
