/** The credential of a trigger: read once for all callbacks of a second, because each reading costs n8n 40 ms. */
import type { IWebhookFunctions } from 'n8n-workflow';

import { cachedCredential, CREDENTIAL_KEPT_MS } from '../../nodes/shared/n8n/credentialCache';
import { VirtualClock } from './virtualClock.cjs';

/** A trigger node whose credential holds this key; `reads` counts how often n8n is asked for it. */
function triggerWith(apiKey: string, nodeId: string, clock = new VirtualClock()) {
	const trigger = { apiKey, reads: 0 };
	const context = {
		getNode: () => ({ id: nodeId, credentials: { seedanceApi: { id: '1' } } }),
		getWorkflow: () => ({ id: 'workflow1' }),
		getCredentials: async () => {
			trigger.reads++;
			const data = { apiKey: trigger.apiKey, baseUrl: 'https://seedanceapi.org/v1' };
			return await Promise.resolve(data);
		},
	} as unknown as IWebhookFunctions;
	return { clock, trigger, read: async () => await cachedCredential(context, clock) };
}

it('serves all callbacks of a second with one reading, and is read anew after that', async () => {
	const { clock, trigger, read } = triggerWith('the-first-key', 'node1');
	const found = await Promise.all(Array.from({ length: 20 }, read));
	await clock.run(clock.elapse(CREDENTIAL_KEPT_MS - 1));
	trigger.apiKey = 'the-second-key';
	expect([...found, await read()]).toEqual(Array(21).fill(found[0]));
	expect(trigger.reads).toBe(1);
	await clock.run(clock.elapse(1));
	expect(await read()).toMatchObject({ apiKey: 'the-second-key' });
	expect(trigger.reads).toBe(2);
});

it('belongs to one node, and is not kept where it cannot be used', async () => {
	const [one, other] = ['one', 'other'].map((name) => triggerWith(`the-key-of-${name}`, name));
	await one.read();
	expect(await other.read()).toMatchObject({ apiKey: 'the-key-of-other' });
	const broken = triggerWith('', 'broken');
	for (let reads = 1; reads <= 2; reads++) {
		expect(await broken.read()).toMatchObject({ problem: expect.any(String) });
	}
	expect(broken.trigger.reads).toBe(2);
});
