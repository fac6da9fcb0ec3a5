// What all suites before left behind, in every process and in the database, looked through for the API key.
import { world } from './world.cjs';

export function secretsSuite() {
	it('is in the log of no process', () => {
		const { queue, sandbox } = world();
		for (const worker of queue.workers) expect(worker.log()).toContain('Seedance task');
		expect(queue.logs()).not.toContain(sandbox.apiKey);
	});

	it('is in no execution, neither in its data nor in its workflow', async () => {
		const { api, sandbox } = world();
		const executions = await api.listExecutions();
		expect(executions.length).toBeGreaterThan(0);
		const withKey: string[] = [];
		for (const { id } of executions) {
			const stored = JSON.stringify(await api.call('GET', `/executions/${id}`));
			if (stored.includes(sandbox.apiKey)) withKey.push(id);
		}
		expect(withKey).toEqual([]);
	});
}
