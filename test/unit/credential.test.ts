/** What a credential must hold: a base URL that cannot work is told before any request. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { CREDENTIAL_TYPE, getCredential, readCredential } from '../../nodes/shared/api/credential';
import baseUrls from '../fixtures/baseUrls.json';

const KEY = 'sk-of-a-person';
const read = (baseUrl: unknown, apiKey: unknown = KEY) =>
	readCredential({ apiKey: apiKey as string, baseUrl: baseUrl as string });
const label = (length: number) => 'a'.repeat(length);
const LONGEST = `https://${label(63)}.example/v1`;

describe('a credential', () => {
	it.each([...baseUrls.taken, [LONGEST, LONGEST]])('takes the base URL %j', (text, baseUrl) => {
		expect(read(text)).toEqual({ apiKey: KEY, baseUrl });
	});

	it.each<unknown[]>([
		...baseUrls.refused,
		[undefined, 'is empty'],
		[`https://${label(64)}.org/v1`, 'names no server'],
		[`https://${`${label(60)}.`.repeat(5)}org/v1`, 'names no server'],
	])('refuses the base URL %j: it %s', (text, flaw) => {
		expect(read(text)).toEqual({
			problem: expect.stringContaining(String(flaw)),
			field: 'baseUrl',
		});
	});

	it.each(['', KEY, `https://me:${KEY}@x.org`, `https://x.org?${KEY}`, `http://a ${KEY}`])(
		'names the usual base URL, and quotes nothing of what stands there: it may be the key (%#)',
		(text) => {
			const found = JSON.stringify(read(text));
			expect(found).toContain('(the usual one is https://seedanceapi.org/v1).');
			expect(found).not.toContain(KEY);
		},
	);

	it.each([
		['', 'holds no API key'],
		['   ', 'holds no API key'],
		[undefined, 'holds no API key'],
		['sk one two', 'holds a space or a character'],
		['sk-ключ', 'holds a space or a character'],
		['sk-1\r\nX-Evil: 1', 'holds a space or a character'],
	])('refuses the key %j without showing it: %s', (apiKey, flaw) => {
		const found = readCredential({ apiKey: apiKey as string, baseUrl: 'https://x.org' });
		expect(found).toEqual({ problem: expect.stringContaining(flaw), field: 'apiKey' });
		expect(JSON.stringify(found)).not.toContain('sk');
	});
});

describe('the credential of an item', () => {
	const BASE = 'https://seedanceapi.org/v1';

	/** n8n's side, in a run or in a webhook, and what it was asked for. */
	function n8nWith(data: object, isRun = true) {
		const getCredentials = jest.fn().mockResolvedValue(data);
		const inRun = isRun && { getExecutionCancelSignal: () => undefined };
		return {
			context: { ...inRun, getCredentials } as unknown as IExecuteFunctions,
			getCredentials,
		};
	}

	it('is resolved for that very item, and without one in a webhook', async () => {
		const run = n8nWith({ apiKey: KEY, baseUrl: BASE });
		await getCredential(run.context, 7);
		await getCredential(run.context);
		const inRun = [7, 0].map((item) => [CREDENTIAL_TYPE, item]);
		expect(run.getCredentials.mock.calls).toEqual(inRun);
		const webhook = n8nWith({ apiKey: KEY, baseUrl: BASE }, false);
		await getCredential(webhook.context);
		expect(webhook.getCredentials.mock.calls).toEqual([['seedanceApi']]);
	});

	it.each([
		[` ${BASE}// `, BASE, 'internet'],
		['http://127.0.0.1:4010/v1', 'http://127.0.0.1:4010/v1', 'loopback'],
	])('is tidied, and tells how far the API reaches: %j', async (entered, baseUrl, reach) => {
		const { context } = n8nWith({ apiKey: ` ${KEY}\n`, baseUrl: entered, other: 1 });
		const tidied = { apiKey: KEY, baseUrl };
		const decrypted = { ...tidied, other: 1 };
		expect(await getCredential(context)).toEqual({ ...tidied, reach, decrypted });
	});

	it('that cannot be used is told by what is wrong with it', async () => {
		const { context } = n8nWith({ apiKey: KEY, baseUrl: 'ftp://seedanceapi.org' });
		expect(await getCredential(context)).toMatchObject({ field: 'baseUrl' });
	});
});
