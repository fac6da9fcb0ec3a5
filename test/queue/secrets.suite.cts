// What all suites before left behind, in every process and in the database, looked through for keys, signatures and tokens.
import { leaksInExecutions, leaksInText } from '../support/leaks.cjs';
import { world } from './world.cjs';

export function secretsSuite() {
	it('are in the log of no process: no key, and no signature', () => {
		const { queue, sandbox } = world();
		for (const worker of queue.workers) expect(worker.log()).toContain('Seedance task');
		expect(leaksInText(queue.logs(), [sandbox.apiKey])).toEqual([]);
	});

	it('are not in what an execution shows, and no key or signature anywhere in it', async () => {
		const { api, queue, sandbox } = world();
		const executions = await api.listExecutions();
		expect(executions.length).toBeGreaterThan(0);
		const ids = executions.map(({ id }) => id);
		const { found, tokens } = await leaksInExecutions(api, ids, [sandbox.apiKey], queue.logs());
		expect(found).toEqual([]);
		expect(tokens).toBeGreaterThan(0);
	});
}
