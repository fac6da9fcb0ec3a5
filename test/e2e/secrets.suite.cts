// What all suites before left behind in n8n, looked through for keys, signatures and resume tokens.
import { isRecord } from '../sandbox/server.cjs';
import { world, WRONG_KEY } from './world.cjs';

/** A signature of a callback URL, wherever it stands. */
const SIGNATURE = /seedance_sig(=|%3D)[\w-]{43}/;

/** Everything of an execution that people and later nodes see: what its nodes gave, its error, its hints. */
function seenOf(data: unknown): string {
	return JSON.stringify(isRecord(data) ? data.resultData : null);
}

/** The token that resumes an execution; n8n keeps it beside the results. */
function tokenOf(data: unknown): string | undefined {
	return isRecord(data) && typeof data.resumeToken === 'string' ? data.resumeToken : undefined;
}

export function secretsSuite() {
	it("are not in n8n's log: no key, and no signature", () => {
		const { n8n, sandbox } = world();
		expect(n8n.log()).toContain('Seedance task');
		expect(n8n.log()).toContain('Seedance refused a callback');
		expect(n8n.log()).not.toContain(sandbox.apiKey);
		expect(n8n.log()).not.toContain(WRONG_KEY);
		expect(n8n.log()).not.toMatch(SIGNATURE);
	});

	it('are not in what an execution shows, and no key or signature anywhere in it', async () => {
		const { api, executionIds, n8n, sandbox } = world();
		expect(executionIds.length).toBeGreaterThan(0);
		const found: string[] = [];
		let tokens = 0;
		for (const id of executionIds) {
			const stored = JSON.stringify(await api.call('GET', `/executions/${id}`));
			const { data } = await api.getExecution(id);
			const token = tokenOf(data);
			if (stored.includes(sandbox.apiKey) || stored.includes(WRONG_KEY)) found.push(`${id}: key`);
			if (SIGNATURE.test(stored)) found.push(`${id}: signature`);
			if (token === undefined) continue;
			tokens++;
			if (seenOf(data).includes(token)) found.push(`${id}: token shown`);
			if (n8n.log().includes(token)) found.push(`${id}: token logged`);
		}
		expect(found).toEqual([]);
		// Otherwise this has looked for nothing.
		expect(tokens).toBeGreaterThan(0);
	});
}
