/** What one execution remembers of the POSTs it has sent. */
import { memoryIn } from '../../nodes/shared/memory';

/** A node context as n8n gives it back after storing it. */
function stored(context: object): Record<string, unknown> {
	return JSON.parse(JSON.stringify(context));
}

describe('the memory of an execution', () => {
	it('knows nothing at first', () => {
		expect(memoryIn({}).recall('0:0:key')).toEqual({ state: 'none' });
	});

	it('remembers a POST whose answer never came, also after n8n stored and read it', () => {
		const context = {};
		memoryIn(context).sending('0:0:key');
		expect(memoryIn(stored(context)).recall('0:0:key')).toEqual({ state: 'sending' });
	});

	it('remembers the task of a POST, also after n8n stored and read it', () => {
		const context = {};
		const memory = memoryIn(context);
		memory.sending('0:0:key');
		memory.created('0:0:key', 'seed1', '17');
		expect(memoryIn(stored(context)).recall('0:0:key')).toEqual({
			state: 'created',
			taskId: 'seed1',
			executionId: '17',
		});
	});

	it('keeps items apart', () => {
		const memory = memoryIn({});
		memory.created('0:0:key', 'seed1', '17');
		memory.sending('0:1:key');
		expect(memory.recall('0:0:key')).toEqual({
			state: 'created',
			taskId: 'seed1',
			executionId: '17',
		});
		expect(memory.recall('0:1:key')).toEqual({ state: 'sending' });
		expect(memory.recall('1:0:key')).toEqual({ state: 'none' });
	});

	it('forgets one item alone', () => {
		const memory = memoryIn({});
		memory.created('a', 'seed1', '17');
		memory.created('b', 'seed2', '17');
		memory.forget('a');
		expect(memory.recall('a')).toEqual({ state: 'none' });
		expect(memory.recall('b')).toEqual({ state: 'created', taskId: 'seed2', executionId: '17' });
	});

	it('takes a task without a usable id for an unclear POST, never for nothing', () => {
		for (const taskId of ['', null, {}]) {
			const memory = memoryIn({ seedance: { a: { state: 'created', taskId } } });
			expect(memory.recall('a')).toEqual({ state: 'sending' });
		}
	});

	it('knows a task also where the execution that made it was not noted', () => {
		const memory = memoryIn({ seedance: { a: { state: 'created', taskId: 'seed1' } } });
		expect(memory.recall('a')).toMatchObject({ state: 'created', taskId: 'seed1' });
	});

	it('leaves the rest of the node context alone and survives rubbish in its place', () => {
		const context: Record<string, unknown> = { other: 1, seedance: 'rubbish' };
		memoryIn(context).created('a', 'seed1', '17');
		expect(context.other).toBe(1);
		expect(memoryIn(context).recall('a')).toEqual({
			state: 'created',
			taskId: 'seed1',
			executionId: '17',
		});
		expect(memoryIn({ seedance: { a: 'rubbish' } }).recall('a')).toEqual({ state: 'none' });
	});

	it('knows no key that only JavaScript put there', () => {
		expect(memoryIn({}).recall('constructor')).toEqual({ state: 'none' });
		expect(memoryIn({}).recall('__proto__')).toEqual({ state: 'none' });
	});
});
