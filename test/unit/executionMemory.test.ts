/** What one execution remembers of the POSTs it has sent. */
import type { IContextObject } from 'n8n-workflow';

import { executionMemory, type Sent } from '../../nodes/shared/idempotency/executionMemory';
import type { MemoryKeys } from '../../nodes/shared/idempotency/identity';
import forms from '../fixtures/executionMemory.json';

const KEY: MemoryKeys = ['0:0:settings'];
const TASK = { taskId: 'seed1', executionId: '17', createdAt: 1_000 };
const NONE = { state: 'none' };
const SENDING = { state: 'sending' };
const CREATED = { state: 'created', ...TASK };

/** A node context as n8n gives it back after storing it. */
const stored = (context: object): IContextObject => JSON.parse(JSON.stringify(context));

describe('the memory of an execution', () => {
	it('remembers a POST and its task, at once for all and after n8n stored it', () => {
		const context: IContextObject = { other: 1 };
		const [first, second] = [executionMemory(context), executionMemory(context)];
		expect(first.recall(KEY)).toEqual(NONE);
		first.sending(KEY);
		expect(second.recall(KEY)).toEqual(SENDING);
		expect(executionMemory(stored(context)).recall(KEY)).toEqual(SENDING);
		second.created(KEY, TASK);
		expect(first.recall(KEY)).toEqual(CREATED);
		expect(executionMemory(stored(context)).recall(KEY)).toEqual(CREATED);
		const tasks = { '0:0:settings': CREATED };
		expect(stored(context)).toEqual({ other: 1, seedance: { version: 2, tasks } });
	});

	it('keeps runs, items and settings apart, and forgets one alone', () => {
		const memory = executionMemory({});
		memory.created(['0:0:a'], TASK);
		memory.sending(['0:1:a']);
		expect([memory.recall(['1:0:a']), memory.recall(['0:0:b'])]).toEqual([NONE, NONE]);
		memory.forget(['0:0:a']);
		expect([memory.recall(['0:0:a']), memory.recall(['0:1:a'])]).toEqual([NONE, SENDING]);
	});

	it('has no key that only JavaScript put there', () => {
		expect(executionMemory({}).recall(['constructor'])).toEqual(NONE);
		expect(executionMemory({}).recall(['__proto__'])).toEqual(NONE);
	});
});

describe('what is stored', () => {
	it.each(forms.entries)('$name: $stored', ({ stored: seedance, keys, recalled }) => {
		const [key, ...earlier] = keys;
		const memory = executionMemory(stored({ seedance }));
		expect(memory.recall([key, ...earlier])).toMatchObject(recalled);
	});

	it('of version 1 is kept under the new form', () => {
		const tasks = { '0:0:request': { state: 'created', taskId: 'seed1' }, '0:1:request': SENDING };
		const context = stored({ seedance: tasks });
		executionMemory(context).recall(KEY);
		expect(stored(context)).toEqual({ seedance: { version: 2, tasks } });
	});

	it('under the key of now goes before an earlier one, and is forgotten under both', () => {
		const memory = executionMemory({});
		memory.created(['old'], { ...TASK, taskId: 'old' });
		memory.created(['new', 'old'], { ...TASK, taskId: 'new' });
		expect(memory.recall(['new', 'old'])).toMatchObject({ taskId: 'new' });
		memory.forget(['new', 'old']);
		expect(memory.recall(['new', 'old'])).toEqual(NONE);
		expect(memory.recall(['old'])).toEqual(NONE);
	});

	it.each(forms.unknown)(
		'in an unknown form does not stop new videos from being remembered: %j',
		(seedance) => {
			const context = stored({ seedance });
			executionMemory(context).created(KEY, TASK);
			expect(executionMemory(stored(context)).recall(KEY)).toEqual(CREATED);
		},
	);
});

describe('a POST of this moment', () => {
	it('is shared by all calls for the same video, and by no others', () => {
		const context: IContextObject = {};
		const sent = new Promise<Sent>(() => undefined);
		executionMemory(context).hold(KEY, sent);
		expect(executionMemory(context).inFlight(KEY)).toBe(sent);
		expect(executionMemory(context).inFlight(['0:1:settings'])).toBeUndefined();
		expect(executionMemory({}).inFlight(KEY)).toBeUndefined();
		// It is never stored.
		expect(stored(context)).toEqual({ seedance: { version: 2, tasks: {} } });
	});

	it.each([true, false])('is no longer in flight when it has ended, well: %p', async (isWell) => {
		const memory = executionMemory({});
		const sent = isWell ? Promise.resolve({ taskId: 'seed1' }) : Promise.reject(new Error('broke'));
		memory.hold(KEY, sent);
		expect(memory.inFlight(KEY)).toBe(sent);
		await sent.catch(() => undefined);
		await Promise.resolve();
		expect(memory.inFlight(KEY)).toBeUndefined();
	});
});

it('the tasks of a run are those of its items, for that run alone, and none of a tool', () => {
	const memory = executionMemory({});
	memory.created(['0:0:a'], TASK);
	memory.created(['0:11:a'], { ...TASK, taskId: 'seed11' });
	memory.created(['0:12:a'], { ...TASK, taskId: 'an item that the run has no more' });
	memory.created(['1:0:a'], { ...TASK, taskId: 'other run' });
	memory.created(['a1b2c3'], TASK);
	memory.sending(['0:1:a']);
	const found = [0, 1, 2].map((run) => [...memory.tasksOfRun(run, 12)]);
	const first = [
		[0, 'seed1'],
		[11, 'seed11'],
	];
	expect(found).toEqual([first, [[0, 'other run']], []]);
});
