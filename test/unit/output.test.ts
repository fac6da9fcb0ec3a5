/** What the node gives out for what became of each item, and the one error with which it stops. */
import { itemsOf, outputOf } from '../../nodes/Seedance/run/output';
import { forEveryItem, NO_SEED, sameForAll, type Result } from '../../nodes/Seedance/run/result';
import type { Run } from '../../nodes/Seedance/run/run';
import { errorOutputItem, type OnError } from '../../nodes/shared/n8n/onError';
import * as errors from '../../nodes/shared/task/errors';
import { readTask } from '../../nodes/shared/task/task';
import { nodeWith } from '../support/node';

const NODE = nodeWith();
const VIDEO = 'https://cdn.example.com/v.mp4';
const RAW = { simplify: false, includeInput: false };

const seed = (taskId: string | null, prompt = 'a cat') => ({
	taskId,
	model: 'seedance-v1',
	prompt,
	estimatedCredits: 28,
});
const read = (taskId: string, data: object) =>
	readTask(taskId, { status: 'IN_PROGRESS', ...data }, '');
const ready = (taskId: string, more: Partial<Result> = {}): Result => ({
	seed: seed(taskId),
	task: read(taskId, { status: 'SUCCESS', response: [VIDEO], consumed_credits: 28 }),
	...more,
});
const failed = (taskId: string): Result => ({
	seed: seed(taskId),
	task: read(taskId, { status: 'FAILED', consumed_credits: 0 }),
	problem: errors.taskFailed(taskId, 'NSFW', 0),
});
const without = (problem: errors.Problem, prompt?: string): Result => ({
	...{ seed: seed(null, prompt), problem },
});
const unsent = () => ({ ...without(errors.notSent('item 0 ended it.')), isBystander: true });

const given = (results: Result[], more: Partial<{ onError: OnError; isTool: boolean }> = {}) => {
	const input = results.map((_, row) => ({ json: { row, status: 'of the row', error: 1 } }));
	return itemsOf(results, { onError: 'continue', isTool: false, ...more, input });
};
const jsonOf = (result: Result, onError: OnError = 'continue') =>
	given([result], { onError })[0].json;

function runOf(count: number, isTool = false): Run {
	const input = Array(count).fill({ json: {} });
	const context = { getNode: () => NODE, getInputData: () => input };
	return { onError: 'stop', isTool, context, input } as unknown as Run;
}

/** The error with which the node stops. `starts`: whether its operation starts videos. */
function stoppedBy(starts: boolean, results: Result[]) {
	try {
		outputOf(runOf(results.length), results, starts);
	} catch (error) {
		const { message, description, context } = error as ReturnType<typeof errors.nodeError>;
		return { message, description: description ?? '', context };
	}
	throw new Error('it did not stop');
}
const stopped = (...results: Result[]) => stoppedBy(true, results);

describe('the items', () => {
	it('come out in order, each leading back to its row, with no error at the top', () => {
		const items = given([ready('t0'), failed('t1'), unsent()]);
		expect(items.map(({ pairedItem }) => pairedItem)).toEqual([0, 1, 2].map((item) => ({ item })));
		expect(items.map(({ json }) => json.task_id)).toEqual(['t0', 't1', null]);
		for (const { json } of items) expect(json).not.toHaveProperty('error');
	});

	it('of failures keep the fixed shape, with the code, the cost and the whole text', () => {
		const [{ json: good }, { json: bad }] = given([ready('t0'), failed('t1')]);
		expect(Object.keys(bad)).toEqual([...Object.keys(good), 'error_code', 'charged']);
		expect(bad).toMatchObject({ succeeded: false, error_code: 'task_failed', charged: 'no' });
		expect(bad.error_message).toContain('NSFW');
	});

	it('of the error output hold the error and the details, in the shape that n8n routes there', () => {
		const json = jsonOf(failed('t1'), 'errorOutput');
		expect(Object.keys(json)).toEqual(['error', 'details']);
		expect(json.details).toMatchObject({ task_id: 't1', error_code: 'task_failed' });
		const item = errorOutputItem(errors.invalidInput(['Wrong.']), { task_id: null }, 3);
		expect(item.json).toEqual({ error: expect.any(String), details: { task_id: null } });
		expect(item.pairedItem).toEqual({ item: 3 });
		// Older n8n routes an item by an error of its own, for which newer ones would take the details away.
		expect(item.error?.message).toBe(item.json.error);
		expect({ ...item }).not.toHaveProperty('error');
		expect(JSON.parse(JSON.stringify(item))).not.toHaveProperty('error');
	});

	it('without Simplify carry the ID that this node knows, under each On Error', () => {
		const task = read('t0', { task_id: '', status: 'SUCCESS', response: [VIDEO] });
		for (const onError of ['stop', 'continue', 'errorOutput'] as const) {
			const json = jsonOf({ seed: seed('t0'), task, output: RAW }, onError);
			expect(json).toMatchObject({ task_id: 't0', status: 'SUCCESS' });
		}
		// Also where no video was found in what the API gave.
		const response = { odd: VIDEO };
		const odd = read('t0', { status: 'SUCCESS', response });
		const problem = errors.noVideo('t0', 28);
		const json = jsonOf({ seed: seed('t0'), task: odd, problem, output: RAW });
		expect(json).toMatchObject({ response, error_code: 'no_video', task_id: 't0' });
	});

	it('have the fields of the row where that is wanted, and those of the video win', () => {
		const json = jsonOf(ready('t0', { output: { simplify: true, includeInput: true } }));
		expect(json).toMatchObject({ row: 0, status: 'SUCCESS', task_id: 't0' });
		expect(json).not.toHaveProperty('error');
		expect(jsonOf(ready('t0'))).not.toHaveProperty('row');
	});

	it('of which some path has forgotten one are never said to have cost nothing', () => {
		const results = forEveryItem(runOf(3), Object.assign([], { 1: ready('t1') }));
		const charged = results.map(({ problem }) => problem?.charged);
		expect(charged).toEqual(['unknown', undefined, 'unknown']);
		expect(results[1].seed.taskId).toBe('t1');
	});

	it('have one problem, which is the node’s own, each', () => {
		const problem = errors.invalidInput(['Operation "x" does not exist in this node.']);
		const results = sameForAll(runOf(3), problem);
		expect(results).toMatchObject(Array(3).fill({ seed: NO_SEED, problem }));
		expect(stopped(...results).message).toBe(problem.message);
	});
});

describe('the error with which the node stops', () => {
	it('counts what is ready, names the item as n8n and as a person counts, and lists all', () => {
		const { message, description, context } = stopped(ready('t0'), ready('t1'), failed('t2'));
		expect(message).toContain('2 of 3 videos are ready and paid.');
		expect(message).toContain('[item 2] (number 3 of 3)');
		expect(description).toContain('Task IDs: t0, t1, t2.');
		expect(context.tasks).toMatchObject([
			{ item: 0, task_id: 't0' },
			{ item: 1, task_id: 't1' },
			{ item: 2, task_id: 't2', error_code: 'task_failed' },
		]);
	});

	it('lists each problem with the start of its prompt, and says one advice once', () => {
		const duration = without(errors.invalidInput(['Duration "5" is not possible.']), 'a cat');
		const prompt = without(errors.invalidInput(['Prompt is empty.']), 'a dog');
		const { message, description } = stopped(duration, prompt);
		expect(message).toBe('2 of 2 items cannot be used.');
		const lines = description.split('<br />');
		expect(lines[0]).toBe('"a cat": Duration "5" is not possible. [item 0] (number 1 of 2)');
		expect(lines[1]).toMatch(/^"a dog": Prompt is empty\. \[item 1\]/);
		const empty = () => errors.invalidInput(['Prompt is empty.']);
		const shared = stopped(without(empty(), 'a'), without(empty(), 'b'), unsent()).description;
		expect(shared).toContain('"a": Prompt is empty. [item 0] (number 1 of 3)');
		expect(shared).toContain('"b": Prompt is empty. [item 1] (number 2 of 3)');
		expect(shared.split(String(empty().advice))).toHaveLength(2);
		expect(shared.split('No credits were spent.')).toHaveLength(2);
		expect(shared).toContain('Then run the workflow again.');
		const long = { ...errors.timedOut('t0', 15, null), taskId: 't0' };
		const two = [long, errors.timedOut('t1', 15, null)].map((problem, index) => ({
			...{ seed: seed(`t${index}`), problem },
		}));
		const late = stopped(...two).description;
		expect(late.split('with its task ID, which does not pay again')).toHaveLength(2);
		expect(late).toContain('Whether this cost credits is not known.');
	});

	it('gives the way that delivers finished videos, and says what a new run pays', () => {
		const { description } = stopped(ready('t0'), failed('t1'));
		for (const advice of [
			'videos that are paid for are delivered without paying again',
			'Continue (using error output)',
			'Retry with currently saved workflow',
			'A new run, or a changed prompt or setting of this node, pays for all items.',
		]) {
			expect(description).toContain(advice);
		}
		// Retry would stop again where an outcome is unclear.
		const unclear = stopped(ready('t0'), without(errors.stillUnclear())).description;
		expect(unclear).not.toContain('Click Retry');
		expect(unclear).toContain('Wait for Video gets them without paying again');
	});

	it('says of an operation that starts nothing that it costs nothing', () => {
		const { description } = stoppedBy(false, [ready('t0'), failed('t1')]);
		expect(description).not.toMatch(/started anew|pays for all/);
		expect(description).toContain('it starts no video and costs nothing');
		expect(description).toContain('Continue (using error output), save, and run this node again');
		expect(description).toContain('choose Retry with currently saved workflow.');
		// A run of the whole workflow would pay in the node before.
		const empty = () => without(errors.invalidInput(['Task ID is empty.']));
		const unread = stoppedBy(false, [empty(), empty()]).description;
		expect(unread).not.toContain('run the workflow again');
		expect(unread).toContain('Then run this node again');
	});

	it('never says that nothing was spent where something was', () => {
		const poor = errors.notCreated({ cause: 'out_of_credits', text: '', httpStatus: 402 });
		const { message, description } = stopped({ seed: seed('t0') }, without(poor), unsent());
		expect(message).toMatch(/^1 of 3 videos is started and charged\. /);
		// Nor is what an earlier run has paid for, or a task that only was to be read.
		const reused = { seed: { ...seed('t0'), isReused: true as const } };
		const given = { seed: { ...seed('t0'), estimatedCredits: null } };
		for (const one of [reused, given]) {
			expect(stopped(one, without(poor)).message).not.toContain('charged');
		}
		expect(description).not.toContain('No credits were spent');
		expect(description).not.toContain('pays again');
		expect(description).toContain('This cost nothing.');
		const failedForNothing = stopped(ready('t0'), failed('t1')).description;
		expect(failedForNothing).not.toContain('No credits were spent');
	});

	const free = without(errors.notSent('another item is wrong.'));
	const lost = errors.contactLost('t1', { cause: 'no_response', text: '' });
	it.each([
		['no', [free, unsent()]],
		['yes', [ready('t0'), free]],
		['unknown', [{ seed: seed('t1') }, free]],
		['unknown', [failed('t0'), { seed: seed('t1'), problem: lost }]],
	])('names the cost of the whole run: %s', (charged, results) => {
		expect(stopped(...results).context).toMatchObject({ charged });
	});

	it('is about the cause, not about those that only were not started', () => {
		const empty = errors.notCreated({ cause: 'out_of_credits', text: '', httpStatus: 402 });
		const { message, description, context } = stopped(without(empty), unsent(), unsent());
		expect(message).toContain('does not have enough credits');
		expect(description).toContain('2 more items were not started and cost nothing.');
		expect(context).toMatchObject({ error_code: 'out_of_credits', charged: 'no' });
	});

	it('of a single item says nothing about others', () => {
		const wrong = errors.invalidInput(['Prompt is empty.']);
		expect(stopped(without(wrong)).description).toBe('Correct this value. No credits were spent.');
		expect(wrong.description).toContain('send this item alone again');
	});

	it('of a single item is its own', () => {
		const { message, context } = stopped(failed('t0'));
		expect(message).toBe(failed('t0').problem?.message);
		expect(context).toMatchObject({ task_id: 't0', error_code: 'task_failed' });
	});
});

describe('an AI tool', () => {
	const silence = { cause: 'no_response', text: '' } as const;
	const about = (problem: errors.Problem): Result => ({ seed: seed('t0'), problem });

	it.each<[string, Result, string]>([
		['a timeout', about(errors.timedOut('t0', 15, null)), 'Get Status'],
		['lost contact', about(errors.contactLost('t0', silence)), 'Get Status'],
		['a running video', { seed: seed('t0'), task: read('t0', {}) }, 'Get Status'],
		['an unclear start', without(errors.maybeCreated(silence)), 'Ask the user'],
	])('hears of %s what to do next, and not to generate again', (_name, result, step) => {
		const [{ json }] = given([result], { isTool: true, onError: 'errorOutput' });
		expect(json.next_step).toContain('Do not generate again');
		expect(json.next_step).toContain(step);
		expect(() => outputOf(runOf(1, true), [result], true)).not.toThrow();
	});

	it('hears of a failed video and of one that is ready without a next step', () => {
		for (const result of [ready('t0'), failed('t0')]) {
			expect(given([result], { isTool: true })[0].json).not.toHaveProperty('next_step');
		}
	});

	it('gets the fixed shape also where Simplify is off', () => {
		const [{ json }] = given([ready('t0', { output: RAW })], { isTool: true });
		expect(json).toMatchObject({ succeeded: true, video_url: VIDEO });
	});
});
