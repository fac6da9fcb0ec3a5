/** What one execution remembers of the POSTs it has sent. */
import type { IContextObject } from 'n8n-workflow';

import { type Keys } from '../../nodes/shared/idempotency/identity';
import { type Sent, executionMemory } from '../../nodes/shared/idempotency/executionMemory';

const KEY: Keys = ['0:0:settings'];
const TASK = { taskId: 'seed1', executionId: '17', createdAt: 1_000 };

/** A node context as n8n gives it back after storing it. */
function stored(context: object): IContextObject {
	return JSON.parse(JSON.stringify(context));
}

describe('the memory of an execution', () => {
	it('knows nothing at first', () => {
		expect(executionMemory({}).recall(KEY)).toEqual({ state: 'none' });
	});

	it('remembers a POST whose answer never came, also after n8n stored and read it', () => {
		const context = {};
		executionMemory(context).sending(KEY);
		expect(executionMemory(stored(context)).recall(KEY)).toEqual({ state: 'sending' });
	});

	it('remembers the task of a POST, also after n8n stored and read it', () => {
		const context = {};
		const memory = executionMemory(context);
		memory.sending(KEY);
		memory.created(KEY, TASK);
		expect(executionMemory(stored(context)).recall(KEY)).toEqual({ state: 'created', ...TASK });
	});

	it('is the same for all who look at the same context', () => {
		const context = {};
		const first = executionMemory(context);
		const second = executionMemory(context);
		first.sending(KEY);
		expect(second.recall(KEY)).toEqual({ state: 'sending' });
		second.created(KEY, TASK);
		expect(first.recall(KEY)).toMatchObject({ taskId: 'seed1' });
	});

	it('keeps runs, items and settings apart', () => {
		const memory = executionMemory({});
		memory.created(['0:0:a'], TASK);
		memory.sending(['0:1:a']);
		expect(memory.recall(['0:0:a'])).toMatchObject({ taskId: 'seed1' });
		expect(memory.recall(['0:1:a'])).toEqual({ state: 'sending' });
		expect(memory.recall(['1:0:a'])).toEqual({ state: 'none' });
		expect(memory.recall(['0:0:b'])).toEqual({ state: 'none' });
	});

	it('forgets one item alone', () => {
		const memory = executionMemory({});
		memory.created(['a'], TASK);
		memory.created(['b'], { ...TASK, taskId: 'seed2' });
		memory.forget(['a']);
		expect(memory.recall(['a'])).toEqual({ state: 'none' });
		expect(memory.recall(['b'])).toMatchObject({ taskId: 'seed2' });
	});

	it('leaves the rest of the node context alone', () => {
		const context: IContextObject = { other: 1 };
		executionMemory(context).created(KEY, TASK);
		expect(context.other).toBe(1);
	});

	it('knows no key that only JavaScript put there', () => {
		expect(executionMemory({}).recall(['constructor'])).toEqual({ state: 'none' });
		expect(executionMemory({}).recall(['__proto__'])).toEqual({ state: 'none' });
	});
});

describe('what is stored', () => {
	it('has a version', () => {
		const context: IContextObject = {};
		executionMemory(context).created(KEY, TASK);
		expect(stored(context)).toEqual({
			seedance: { version: 2, tasks: { '0:0:settings': { state: 'created', ...TASK } } },
		});
	});

	it('of version 1 is still read, and kept under the new form', () => {
		const old = {
			seedance: {
				'0:0:request': { state: 'created', taskId: 'seed1', executionId: '17' },
				'0:1:request': { state: 'sending' },
			},
		};
		const context = stored(old);
		const memory = executionMemory(context);
		expect(memory.recall(['0:0:settings', '0:0:request'])).toMatchObject({
			state: 'created',
			taskId: 'seed1',
			executionId: '17',
		});
		expect(memory.recall(['0:1:settings', '0:1:request'])).toEqual({ state: 'sending' });
		expect(stored(context)).toEqual({ seedance: { version: 2, tasks: old.seedance } });
		expect(executionMemory(stored(context)).recall(['0:1:settings', '0:1:request'])).toEqual({
			state: 'sending',
		});
	});

	it('under the key of now goes before what an earlier version left', () => {
		const memory = executionMemory({});
		memory.created(['old'], { ...TASK, taskId: 'old' });
		memory.created(['new', 'old'], { ...TASK, taskId: 'new' });
		expect(memory.recall(['new', 'old'])).toMatchObject({ taskId: 'new' });
	});

	it('is forgotten under every key of the item, so that nothing old comes up again', () => {
		const memory = executionMemory({});
		memory.created(['old'], TASK);
		memory.sending(['new', 'old']);
		memory.forget(['new', 'old']);
		expect(memory.recall(['new', 'old'])).toEqual({ state: 'none' });
	});

	it.each(['rubbish', 7, null, [], { version: 2, tasks: 'rubbish' }])(
		'in an unknown form does not stop new videos from being remembered: %j',
		(seedance) => {
			const context = stored({ seedance });
			executionMemory(context).created(KEY, TASK);
			expect(executionMemory(stored(context)).recall(KEY)).toEqual({ state: 'created', ...TASK });
		},
	);

	it('of a newer version is read as far as it is known', () => {
		const tasks = { '0:0:settings': { state: 'created', ...TASK, more: true } };
		const memory = executionMemory(stored({ seedance: { version: 3, tasks } }));
		expect(memory.recall(KEY)).toEqual({ state: 'created', ...TASK });
	});

	it.each([
		{ state: 'created', taskId: '' },
		{ state: 'created', taskId: null },
		{ state: 'created', taskId: {} },
		{ state: 'something new' },
		{},
	])('without a usable ID is an unclear POST, never nothing: %j', (entry) => {
		const memory = executionMemory(stored({ seedance: { version: 2, tasks: { a: entry } } }));
		expect(memory.recall(['a'])).toEqual({ state: 'sending' });
	});

	it('is a task also where the execution that made it was not noted', () => {
		const tasks = { a: { state: 'created', taskId: 'seed1' } };
		const memory = executionMemory(stored({ seedance: { version: 2, tasks } }));
		expect(memory.recall(['a'])).toMatchObject({ state: 'created', taskId: 'seed1' });
	});
});

describe('a POST of this moment', () => {
	/** A promise that is settled from outside. */
	function pending() {
		let resolve: (sent: Sent) => void = () => undefined;
		let reject: (error: Error) => void = () => undefined;
		const sent = new Promise<Sent>((yes, no) => {
			resolve = yes;
			reject = no;
		});
		return { sent, resolve, reject };
	}

	it('is shared with everybody who asks for the same video before it has ended', async () => {
		const context = {};
		const { sent, resolve } = pending();
		executionMemory(context).hold(KEY, sent);
		const found = executionMemory(context).underWay(KEY);
		expect(found).toBe(sent);
		resolve({ taskId: 'seed1' });
		await expect(found).resolves.toEqual({ taskId: 'seed1' });
	});

	it('is under way no more when it has ended, well or not', async () => {
		const memory = executionMemory({});
		for (const end of ['resolve', 'reject'] as const) {
			const one = pending();
			memory.hold(KEY, one.sent);
			if (end === 'resolve') one.resolve({ taskId: 'seed1' });
			else one.reject(new Error('broke'));
			await one.sent.catch(() => undefined);
			await Promise.resolve();
			expect(memory.underWay(KEY)).toBeUndefined();
		}
	});

	it('is not shared with another video, nor with another execution', () => {
		const memory = executionMemory({});
		memory.hold(KEY, pending().sent);
		expect(memory.underWay(['0:1:settings'])).toBeUndefined();
		expect(executionMemory({}).underWay(KEY)).toBeUndefined();
	});

	it('is never stored', () => {
		const context: IContextObject = {};
		executionMemory(context).hold(KEY, pending().sent);
		expect(stored(context)).toEqual({ seedance: { version: 2, tasks: {} } });
	});
});

describe('the tasks of a run', () => {
	it('are known by item, for that run alone', () => {
		const memory = executionMemory({});
		memory.created(['0:0:a'], TASK);
		memory.created(['0:11:a'], { ...TASK, taskId: 'seed11' });
		memory.created(['1:0:a'], { ...TASK, taskId: 'other run' });
		memory.sending(['0:1:a']);
		expect([...memory.tasksOfRun(0, 12)]).toEqual([
			[0, 'seed1'],
			[11, 'seed11'],
		]);
		expect([...memory.tasksOfRun(1, 12)]).toEqual([[0, 'other run']]);
		expect([...memory.tasksOfRun(2, 12)]).toEqual([]);
	});

	it('are those of items that the run still has, and none of a tool', () => {
		const memory = executionMemory({});
		memory.created(['0:5:a'], TASK);
		memory.created(['a1b2c3'], TASK);
		expect([...memory.tasksOfRun(0, 5)]).toEqual([]);
	});
});
