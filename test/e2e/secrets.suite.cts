// What all suites before left behind in n8n, looked through for the API key.
import { world, WRONG_KEY } from './world.cjs';

export function secretsSuite() {
	it("is nowhere in n8n's log", () => {
		const { n8n, sandbox } = world();
		expect(n8n.log()).toContain('Seedance task');
		expect(n8n.log()).not.toContain(sandbox.apiKey);
		expect(n8n.log()).not.toContain(WRONG_KEY);
	});

	it('is in no execution, neither in its data nor in its workflow', async () => {
		const { api, executionIds, sandbox } = world();
		expect(executionIds.length).toBeGreaterThan(0);
		const withKey: string[] = [];
		for (const id of executionIds) {
			const stored = JSON.stringify(await api.call('GET', `/executions/${id}`));
			if (stored.includes(sandbox.apiKey) || stored.includes(WRONG_KEY)) withKey.push(id);
		}
		expect(withKey).toEqual([]);
	});
}
