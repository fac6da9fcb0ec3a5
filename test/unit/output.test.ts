/** What the node gives out for what became of each item, and the one error with which it stops. */
import type { INode } from 'n8n-workflow';

import type { Output } from '../../nodes/Seedance/run/parameters';
import {
	outputOf,
	forEveryItem,
	itemsOf,
	NO_SEED,
	sameForAll,
	type Result,
} from '../../nodes/Seedance/run/output';
import type { Run } from '../../nodes/Seedance/run/run';
import * as errors from '../../nodes/shared/task/errors';
import type { OnError } from '../../nodes/shared/n8n/onError';
import { readTask } from '../../nodes/shared/task/task';

const NODE: INode = {
	id: '1',
	name: 'Seedance',
	type: 'n8n-nodes-seedance.seedance',
	typeVersion: 1,
	position: [0, 0],
	parameters: {},
};
const VIDEO = 'https://cdn.example.com/v.mp4';
const RAW: Output = { simplify: false, includeInput: false };

function taskOf(taskId: string, data: object) {
	const task = readTask(taskId, { status: 'IN_PROGRESS', ...data }, '');
	if (!task) throw new Error('not a task');
	return task;
}

const seed = (taskId: string | null, prompt = 'a cat') => ({
	taskId,
	prompt,
	estimatedCredits: 28,
});
const ready = (taskId: string): Result => ({
	seed: seed(taskId),
	task: taskOf(taskId, { status: 'SUCCESS', response: [VIDEO], consumed_credits: 28 }),
});
const failed = (taskId: string, reason = 'NSFW'): Result => ({
	seed: seed(taskId),
	task: taskOf(taskId, { status: 'FAILED', consumed_credits: 0 }),
	problem: errors.taskFailed(taskId, reason, 0),
});
const wrong = (sentence: string, prompt: string): Result => ({
	seed: seed(null, prompt),
	problem: errors.invalidInput([sentence]),
});
const unsent = (): Result => ({
	seed: seed(null),
	problem: errors.notSent('item 0 ended the run.'),
	isBystander: true,
});

const given = (results: Result[], more: Partial<{ onError: OnError; isTool: boolean }> = {}) => {
	const input = results.map((_, index) => ({
		json: { row: index, status: 'of the row', error: 1 },
	}));
	return itemsOf(results, { onError: 'continue', isTool: false, ...more, input });
};

/** The error with which the node stops. */
function stopped(results: Result[], isTool = false) {
	const context = { getNode: () => NODE, getInputData: () => results.map(() => ({ json: {} })) };
	const run = { onError: 'stop', isTool, context } as unknown as Run;
	try {
		outputOf(run, results);
	} catch (error) {
		if (error instanceof Error) {
			const { context: told, description } = error as ReturnType<typeof errors.nodeError>;
			return { message: error.message, description: description ?? '', context: told };
		}
	}
	throw new Error('it did not stop');
}

describe('the items', () => {
	it('come out in order, each leading back to its row', () => {
		const items = given([ready('t0'), failed('t1'), unsent()]);
		expect(items.map(({ pairedItem }) => pairedItem)).toEqual([
			{ item: 0 },
			{ item: 1 },
			{ item: 2 },
		]);
		expect(items.map(({ json }) => json.task_id)).toEqual(['t0', 't1', null]);
	});

	it('of failures keep the fixed shape, with the code, the cost and the whole text', () => {
		const [{ json: good }, { json: bad }] = given([ready('t0'), failed('t1')]);
		expect(Object.keys(bad)).toEqual([...Object.keys(good), 'error_code', 'charged']);
		expect(bad).toMatchObject({ succeeded: false, error_code: 'task_failed', charged: 'no' });
		expect(bad.error_message).toContain('NSFW');
	});

	it('never have an error at the top but for the error output', () => {
		for (const { json } of given([ready('t0'), failed('t1'), unsent()])) {
			expect(json).not.toHaveProperty('error');
		}
		const [{ json }] = given([failed('t1')], { onError: 'errorOutput' });
		expect(Object.keys(json)).toEqual(['error', 'details']);
		expect(json.details).toMatchObject({ task_id: 't1', error_code: 'task_failed' });
	});

	it.each(['stop', 'continue', 'errorOutput'] as const)(
		'without Simplify carry the ID that this node knows, under On Error %s',
		(onError) => {
			const task = taskOf('t0', { task_id: '', status: 'SUCCESS', response: [VIDEO] });
			const [{ json }] = given([{ seed: seed('t0'), task, output: RAW }], { onError });
			expect(json).toMatchObject({ task_id: 't0', status: 'SUCCESS' });
		},
	);

	it('without Simplify show what the API gave where no video was found in it', () => {
		const task = taskOf('t0', { status: 'SUCCESS', response: { odd: VIDEO } });
		const problem = errors.noVideo('t0', 28);
		const [{ json }] = given([{ seed: seed('t0'), task, problem, output: RAW }]);
		expect(json).toMatchObject({ response: { odd: VIDEO }, error_code: 'no_video', task_id: 't0' });
	});

	it('have the fields of the row where that is wanted, and those of the video win', () => {
		const output: Output = { simplify: true, includeInput: true };
		const [{ json }] = given([{ ...ready('t0'), output }]);
		expect(json).toMatchObject({ row: 0, status: 'SUCCESS', task_id: 't0' });
		expect(json).not.toHaveProperty('error');
		const [{ json: without }] = given([ready('t0')]);
		expect(without).not.toHaveProperty('row');
	});
});

const ofItems = (count: number): Run =>
	Object.assign(Object.create(null), { input: Array(count).fill({ json: {} }) });

describe('an item that some path has forgotten', () => {
	it('is never said to have cost nothing', () => {
		const given: Result[] = [];
		given[1] = ready('t1');
		const results = forEveryItem(ofItems(3), given);
		expect(results.map(({ problem }) => problem?.charged)).toEqual([
			'unknown',
			undefined,
			'unknown',
		]);
		expect(results[1].seed.taskId).toBe('t1');
	});
});

describe('a problem of the node itself', () => {
	it('is one for every item', () => {
		const problem = errors.invalidInput(['Operation "x" does not exist in this node.']);
		expect(sameForAll(ofItems(3), problem)).toEqual(Array(3).fill({ seed: NO_SEED, problem }));
		expect(stopped(sameForAll(ofItems(3), problem)).message).toBe(problem.message);
	});
});

describe('the error with which the node stops', () => {
	it('counts what is ready and paid, and names the item as n8n and as a person counts', () => {
		const { message } = stopped([ready('t0'), ready('t1'), failed('t2')]);
		expect(message).toContain('2 of 3 videos are ready and paid.');
		expect(message).toContain('[item 2] (number 3 of 3)');
	});

	it('lists every task ID, and all items for error workflows', () => {
		const { description, context } = stopped([ready('t0'), failed('t1'), ready('t2')]);
		expect(description).toContain('Task IDs: t0, t1, t2.');
		expect(context.tasks).toMatchObject([
			{ item: 0, task_id: 't0' },
			{ item: 1, task_id: 't1', error_code: 'task_failed' },
			{ item: 2, task_id: 't2' },
		]);
	});

	it('lists each of several problems on a line of its own, with the start of its prompt', () => {
		const { message, description } = stopped([
			wrong('Duration "5" is not possible.', 'a cat'),
			wrong('Prompt is empty.', 'a dog'),
		]);
		expect(message).toBe('2 of 2 items cannot be used.');
		const lines = description.split('<br />');
		expect(lines[0]).toBe('"a cat": Duration "5" is not possible. [item 0] (number 1 of 2)');
		expect(lines.some((line) => line.startsWith('"a dog": Prompt is empty. [item 1]'))).toBe(true);
	});

	it('gives the way that delivers finished videos, and says what a new run pays', () => {
		const { description } = stopped([ready('t0'), failed('t1')]);
		expect(description).toContain('finished videos are delivered without paying again');
		expect(description).toContain('Continue (using error output)');
		expect(description).toContain('Retry with currently saved workflow');
		expect(description).toContain(
			'A new run, or a changed prompt or setting of this node, pays for all items.',
		);
	});

	it('does not send to Retry where an outcome is unclear: it would stop there again', () => {
		const unclear = { seed: seed(null), problem: errors.stillUnclear() };
		const { description } = stopped([ready('t0'), unclear]);
		expect(description).not.toContain('Click Retry');
		expect(description).toContain('Wait for Video gets them without paying again');
	});

	it('tells the cost of the whole run, not of the item that failed alone', () => {
		const free = { seed: seed(null), problem: errors.notSent('another item is wrong.') };
		expect(stopped([free, unsent()]).context).toMatchObject({ charged: 'no' });
		expect(stopped([ready('t0'), free]).context).toMatchObject({ charged: 'yes' });
		expect(stopped([{ seed: seed('t1') }, free]).context).toMatchObject({ charged: 'unknown' });
	});

	it('is about the cause, not about those that only were not started', () => {
		const cause = errors.notCreated({ cause: 'out_of_credits', text: '', httpStatus: 402 });
		const { message, description, context } = stopped([
			{ seed: seed(null), problem: cause },
			unsent(),
			unsent(),
		]);
		expect(message).toContain('does not have enough credits');
		expect(description).toContain('2 more items were not started and cost nothing.');
		expect(context).toMatchObject({ error_code: 'out_of_credits', charged: 'no' });
	});

	it('does not say one cost where the items differ', () => {
		const lost = errors.contactLost('t1', { cause: 'no_answer', text: '' });
		const { context } = stopped([failed('t0'), { seed: seed('t1'), problem: lost }]);
		expect(context.charged).toBe('unknown');
	});

	it('of a single item is its own', () => {
		const result = failed('t0');
		const { message, context } = stopped([result]);
		expect(message).toBe(result.problem?.message);
		expect(context).toMatchObject({ task_id: 't0', error_code: 'task_failed' });
	});
});

describe('an AI tool', () => {
	const lost = errors.contactLost('t0', { cause: 'no_answer', text: '' });
	const maybe = errors.maybeCreated({ cause: 'no_answer', text: '' });

	it.each([
		['a timeout', { seed: seed('t0'), problem: errors.timedOut('t0', 15, null) }, 'Get Status'],
		['lost contact', { seed: seed('t0'), problem: lost }, 'Get Status'],
		['a video that is being made', { seed: seed('t0'), task: taskOf('t0', {}) }, 'Get Status'],
		['an unclear start', { seed: seed(null), problem: maybe }, 'Ask the user'],
	])('hears of %s what to do next, and not to generate again', (_name, result: Result, step) => {
		const [{ json }] = given([result], { isTool: true, onError: 'errorOutput' });
		expect(json.next_step).toContain('Do not generate again');
		expect(json.next_step).toContain(step);
		const context = { getNode: () => NODE, getInputData: () => [{ json: {} }] };
		const run = { onError: 'stop', isTool: true, context } as unknown as Run;
		expect(() => outputOf(run, [result])).not.toThrow();
	});

	it('hears of a failed video and of one that is ready without a next step', () => {
		for (const result of [ready('t0'), failed('t0')]) {
			expect(given([result], { isTool: true })[0].json).not.toHaveProperty('next_step');
		}
	});

	it('gets the fixed shape also where Simplify is off', () => {
		const [{ json }] = given([{ ...ready('t0'), output: RAW }], { isTool: true });
		expect(json).toMatchObject({ succeeded: true, video_url: VIDEO });
	});
});
