// Errors in a real n8n: what a person reads in the editor: what happened, what to do, what it cost. Nothing paid is dropped.
import type { INodeParameters } from 'n8n-workflow';

import type { Fault } from '../sandbox/server.cjs';
import type { Execution } from '../support/n8n/server.cjs';
import {
	CONTINUE,
	output,
	posts,
	readError,
	run,
	sandbox,
	saveCredential,
	videos,
	WRONG_KEY,
} from '../support/n8n/world.cjs';

const NOTHING_SPENT = 'No credits were spent.';

/** Checks what every error has to keep: no false advice, no page of a proxy, and what it cost. */
function readChecked(execution: Execution) {
	const error = readError(execution);
	const shown = JSON.stringify(execution.error);
	expect(shown).not.toMatch(/retry automatically|retry on fail/i);
	expect(shown).not.toMatch(/<!doctype|<html|<h1/i);
	expect(error.description).toMatch(/credits.*(were spent|is not known)\./);
	return error;
}

const refused = { error_code: 'invalid_input', charged: 'no' };
const unclear = { error_code: 'maybe_created', charged: 'unknown' };

describe('an error', () => {
	it.each<[Fault, string, string, object]>([
		[
			{ kind: 'error', code: 'INVALID_PROMPT', shape: 'string-code' },
			'The API refused the request: The prompt is invalid or empty.',
			'Change the value that it names',
			refused,
		],
		[
			{ kind: 'error', code: 'INSUFFICIENT_CREDITS', shape: 'numeric-code-http-200' },
			'Your Seedance account does not have enough credits.',
			'Add credits at seedanceapi.org',
			{ error_code: 'out_of_credits', charged: 'no' },
		],
		[{ kind: 'firewall' }, 'firewall', '', { error_code: 'not_created', charged: 'no' }],
		[
			{ kind: 'error', code: 'INTERNAL_ERROR', shape: 'numeric-code-http-200', accept: true },
			'The video may have been started, and charged',
			'Look in your seedanceapi.org dashboard',
			unclear,
		],
		[
			{ kind: 'html', status: 502, accept: true },
			'The video may have been started, and charged',
			'Whether credits were spent is not known.',
			unclear,
		],
	])(
		'of the request says what to do and what it cost: %j',
		async (fault, title, advice, expected) => {
			sandbox.faults.on('generate', fault, { times: 'always' });
			const { message, description, context } = readChecked(await run());
			expect(message).toContain(title);
			expect(description).toContain(advice);
			if (expected !== unclear) expect(description).toContain(NOTHING_SPENT);
			expect(context).toMatchObject(expected);
			expect(posts()).toHaveLength(1);
		},
	);

	it.each(['string-code', 'numeric-code-http-200'] as const)(
		'about the key or the task names it, and what to check, answered as %s',
		async (shape) => {
			sandbox.errorShape = shape;
			const credentials = await saveCredential({ apiKey: WRONG_KEY });
			const key = readChecked(await run({}, { credentials }));
			expect(key.message).toBe('The API key was refused.');
			expect(key.description).toContain('your seedanceapi.org dashboard');
			expect(key.context).toMatchObject({ error_code: 'invalid_api_key', charged: 'no' });

			const taskId = sandbox.otherAccount.createTask();
			const execution = await run({ operation: 'status' }, { rows: [{ task_id: taskId }] });
			const task = readChecked(execution);
			expect(task.message).toBe(`There is no task ${taskId} in this Seedance account.`);
			expect(task.description).toMatch(/Check the task ID.*the account that started it/);
			expect(task.context).toMatchObject({ error_code: 'task_not_found', task_id: taskId });
		},
	);

	it('of an API that nobody can reach says what to check', async () => {
		const credentials = await saveCredential({ baseUrl: 'https://no-such-host.invalid/v1' });
		// A host that is not found is tried again: a name server may be slow for a moment.
		const options = { credentials, timeoutMs: 60_000 };
		const { message, description } = readChecked(await run({ operation: 'generate' }, options));
		expect(message).toBe('The Seedance API could not be reached, so the video was not started.');
		expect(description).toMatch(/ENOTFOUND.*Check the base URL in the credential/);
		expect(description).toContain(NOTHING_SPENT);
	});

	it.each<[string, string, INodeParameters, string, object]>([
		[
			'has failed',
			'A boat [fail]',
			{},
			'The video could not be generated (task ID): The content was not accepted.',
			{ error_code: 'task_failed', charged: 'no' },
		],
		[
			'is not ready in time',
			'A boat [never]',
			{ options: { pollInterval: 1, timeout: 0.03 } },
			'The video was not ready after 2 seconds (task ID).',
			{ error_code: 'timeout', charged: 'unknown' },
		],
	])('of a video that %s names its task', async (_, prompt, parameters, title, expected) => {
		const { message, context } = readChecked(await run(parameters, { rows: [prompt] }));
		const [task_id] = videos.paidIds();
		expect(message).toBe(title.replace('ID', task_id));
		expect(context).toMatchObject({ ...expected, task_id });
	});

	it('of wrong values comes before any request, with all of them and their items', async () => {
		const rows = [
			{ prompt: 'A good one', ratio: '1:1', seconds: 4 },
			{ prompt: 'A wrong ratio', ratio: '5:4', seconds: 4 },
			{ prompt: 'A wrong duration', ratio: '1:1', seconds: 7 },
		];
		const parameters = { aspectRatio: '={{ $json.ratio }}', duration: '={{ $json.seconds }}' };
		const { message, description } = readChecked(await run(parameters, { rows }));
		expect(message).toBe('2 of 3 items cannot be used.');
		const [ratio, duration] = description.split('<br />');
		expect(ratio).toMatch(/"A wrong ratio".*5:4.*\[item 1\] \(number 2 of 3\)/);
		expect(duration).toMatch(/"A wrong duration".*7.*\[item 2\] \(number 3 of 3\)/);
		expect(description).toContain(NOTHING_SPENT);
		expect(posts()).toHaveLength(0);
	});
});

it('On Error = Stop follows all tasks to their end, and counts what is ready', async () => {
	const rows = ['First', 'Second [fail]', 'Third'];
	const { message, description, context } = readChecked(await run({}, { rows }));
	const ids = videos.paidIds();
	expect(message).toBe(
		`2 of 3 videos are ready and paid. The video could not be generated (task ${ids[1]}): The content was not accepted. [item 1] (number 2 of 3)`,
	);
	expect(description).toContain('Click Retry in Executions');
	for (const id of ids) expect(description).toContain(id);
	expect(context.tasks).toMatchObject([
		{ item: 0, task_id: ids[0], succeeded: true },
		{ item: 1, task_id: ids[1], error_code: 'task_failed' },
		{ item: 2, task_id: ids[2], succeeded: true },
	]);
});

it('On Error = Continue gives every row in its place, failed ones in the same shape', async () => {
	const rows = ['1:1', '5:4', '1:1'].map((ratio) => ({ prompt: `As ${ratio}`, ratio, row: 7 }));
	const parameters = { aspectRatio: '={{ $json.ratio }}' };
	const execution = await run(parameters, { rows, onError: CONTINUE });
	expect(execution.status).toBe('success');
	const items = output(execution);
	expect(items).toMatchObject([
		{ prompt: 'As 1:1', succeeded: true, error_message: null },
		{ prompt: 'As 5:4', succeeded: false, task_id: null, error_code: 'invalid_input' },
		{ prompt: 'As 1:1', succeeded: true, error_message: null },
	]);
	for (const item of items) {
		expect(Object.keys(item)).toEqual(expect.arrayContaining(Object.keys(items[0])));
		expect(item).not.toHaveProperty('error');
		expect(item).not.toHaveProperty('row');
	}
	expect(posts()).toHaveLength(2);
});
