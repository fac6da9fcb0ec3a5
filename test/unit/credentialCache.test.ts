/** The credential of a trigger: read once for all callbacks of a second, because each reading costs n8n 40 ms. */
import type { IWebhookFunctions } from 'n8n-workflow';

import type { Clock } from '../../nodes/shared/n8n/clock';
import { cachedCredential, CREDENTIAL_KEPT_MS } from '../../nodes/shared/n8n/credentialCache';

let now = 0;
const clock: Clock = {
	now: () => now,
	random: () => 0,
	sleep: async () => await Promise.resolve(true),
	untied: () => clock,
};

/** A trigger node whose credential holds this key; `reads` counts how often n8n is asked for it. */
function triggerWith(apiKey: string, nodeId: string) {
	const trigger = { apiKey, reads: 0 };
	const context = {
		getNode: () => ({ id: nodeId, credentials: { seedanceApi: { id: '1' } } }),
		getWorkflow: () => ({ id: 'workflow1' }),
		getCredentials: async () => {
			trigger.reads++;
			const { apiKey: key } = trigger;
			return await Promise.resolve({ apiKey: key, baseUrl: 'https://seedanceapi.org/v1' });
		},
	} as unknown as IWebhookFunctions;
	return { trigger, read: async () => await cachedCredential(context, clock) };
}

it('serves all callbacks of a second with one reading, and is read anew after that', async () => {
	const { trigger, read } = triggerWith('the-first-key', 'node1');
	const found = await Promise.all(Array.from({ length: 20 }, read));
	now += CREDENTIAL_KEPT_MS - 1;
	trigger.apiKey = 'the-second-key';
	expect([...found, await read()]).toEqual(Array(21).fill(found[0]));
	expect(trigger.reads).toBe(1);
	now += 1;
	expect(await read()).toMatchObject({ apiKey: 'the-second-key' });
	expect(trigger.reads).toBe(2);
});

it('belongs to one node, and is not kept where it cannot be used', async () => {
	const one = triggerWith('the-key-of-one', 'node2');
	const other = triggerWith('the-key-of-other', 'node3');
	await one.read();
	expect(await other.read()).toMatchObject({ apiKey: 'the-key-of-other' });
	const broken = triggerWith('', 'node4');
	for (let reads = 1; reads <= 2; reads++) {
		expect(await broken.read()).toMatchObject({ problem: expect.any(String) });
	}
	expect(broken.trigger.reads).toBe(2);
});
