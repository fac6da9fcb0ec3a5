/** What a credential must hold: a base URL that cannot work is told before any request. */
import { readCredential } from '../../nodes/shared/api/credential';
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
