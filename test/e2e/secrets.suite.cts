// What all suites before left behind in n8n, looked through for keys, signatures and resume tokens.
import { leaksInExecutions, leaksInText } from '../support/leaks.cjs';
import { world, WRONG_KEY } from './world.cjs';

export function secretsSuite() {
	it("are not in n8n's log: no key, and no signature", () => {
		const { n8n, sandbox } = world();
		expect(n8n.log()).toContain('Seedance task');
		expect(n8n.log()).toContain('Seedance refused a callback');
		expect(leaksInText(n8n.log(), [sandbox.apiKey, WRONG_KEY])).toEqual([]);
	});

	it('are not in what an execution shows, and no key or signature anywhere in it', async () => {
		const { api, executionIds, n8n, sandbox } = world();
		expect(executionIds.length).toBeGreaterThan(0);
		const keys = [sandbox.apiKey, WRONG_KEY];
		const { found, tokens } = await leaksInExecutions(api, executionIds, keys, n8n.log());
		expect(found).toEqual([]);
		expect(tokens).toBeGreaterThan(0);
	});
}
