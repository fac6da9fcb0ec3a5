/** What a credential must hold: a base URL that cannot work is told before any request. */
import { readCredential } from '../../nodes/shared/api/credential';

const KEY = 'sk-of-a-person';
const read = (baseUrl: unknown, apiKey: unknown = KEY) =>
	readCredential({ apiKey: apiKey as string, baseUrl: baseUrl as string });
const label = (length: number) => 'a'.repeat(length);

describe('a credential', () => {
	it.each([
		['https://seedanceapi.org/v1', 'https://seedanceapi.org/v1'],
		[' https://seedanceapi.org/v1//\n', 'https://seedanceapi.org/v1'],
		['HTTPS://SeedanceAPI.org/V1', 'https://seedanceapi.org/V1'],
		['http://127.0.0.1:4010/v1', 'http://127.0.0.1:4010/v1'],
		['http://[::1]:4010/v1', 'http://[::1]:4010/v1'],
		['http://[::1]/v1', 'http://[::1]/v1'],
		['http://seedance_proxy/v1', 'http://seedance_proxy/v1'],
		['https://proxy.example:65535', 'https://proxy.example:65535'],
		['https://proxy.example:/v1', 'https://proxy.example/v1'],
		['https://bücher.example/v1', 'https://xn--bcher-kva.example/v1'],
		['https://proxy.example./v1', 'https://proxy.example./v1'],
		['https://proxy.example/to/https:/seedanceapi.org', undefined],
		[`https://${label(63)}.example/v1`, undefined],
	])('takes the base URL %j', (text, tidied = text.trim()) => {
		expect(read(text)).toEqual({ apiKey: KEY, baseUrl: tidied });
	});

	it.each([
		['', 'is empty'],
		['  ', 'is empty'],
		[undefined, 'is empty'],
		[null, 'is empty'],
		[{}, 'is empty'],
		['seedanceapi.org/v1', 'must start with http:// or https://'],
		['//seedanceapi.org/v1', 'must start with http:// or https://'],
		['https:/seedanceapi.org/v1', 'must start with http:// or https://'],
		['https//seedanceapi.org/v1', 'must start with http:// or https://'],
		['htps://seedanceapi.org/v1', 'must start with http:// or https://'],
		['ftp://seedanceapi.org/v1', 'must start with http:// or https://'],
		['file:///etc/passwd', 'must start with http:// or https://'],
		['undefined/v1', 'must start with http:// or https://'],
		['localhost:4010', 'must start with http:// or https://'],
		['https://https://seedanceapi.org/v1', 'twice'],
		['http://https:seedanceapi.org', 'twice'],
		['https://me:secret@seedanceapi.org/v1', 'user name or a password'],
		['https://me@seedanceapi.org/v1', 'user name or a password'],
		['https://@seedanceapi.org/v1', 'user name or a password'],
		['https://seedance api.org/v1', 'holds a space'],
		['https://seedanceapi.org/v 1', 'holds a space'],
		['https://seedanceapi.org/v1\u200b/x', 'holds a space or another character'],
		['https://seedanceapi.org\\v1', 'another character that no address has'],
		['https://seedanceapi.org/{{ $json.v }}', 'another character'],
		['"https://seedanceapi.org/v1"', 'must start with'],
		['https://seedanceapi.org/v1"', 'another character'],
		['https://[object Object]/v1', 'holds a space'],
		['https://seedanceapi.org/v1?key=1', 'must end after its path'],
		['https://seedanceapi.org/v1#top', 'must end after its path'],
		['https://seedanceapi.org?', 'must end after its path'],
		['https://seedanceapi.org:99999/v1', 'a port is a number from 1 to 65535'],
		['https://seedanceapi.org:65536/v1', 'a port is a number'],
		['https://seedanceapi.org:0/v1', 'a port is a number'],
		['https://seedanceapi.org:-1/v1', 'a port is a number'],
		['https://seedanceapi.org:port/v1', 'a port is a number'],
		['https:///v1', 'names no server'],
		['https://:8080/v1', 'names no server'],
		['https://1.2.3.999/v1', 'names no server'],
		['https://[::zz]/v1', 'names no server'],
		['https://seedance%api.org/v1', 'names no server'],
		['https://seedanceapi..org/v1', 'names no server'],
		['https://./v1', 'names no server'],
		[`https://${label(64)}.org/v1`, 'names no server'],
		[`https://${`${label(60)}.`.repeat(5)}org/v1`, 'names no server'],
		['https://seedanceapi.org/v1/generate', 'must end before /generate or /status'],
		['https://seedanceapi.org/v1/status/', 'must end before /generate or /status'],
	])('refuses the base URL %j: it %s', (text, flaw) => {
		expect(read(text)).toEqual({ problem: expect.stringContaining(flaw), field: 'baseUrl' });
	});

	it('names the usual base URL, and quotes nothing of what stands there: it may be the key', () => {
		for (const text of [
			'',
			KEY,
			`https://me:${KEY}@x.org`,
			`https://x.org?${KEY}`,
			`http://${KEY} `,
		]) {
			const found = read(text);
			if (!('problem' in found)) continue;
			expect(found.problem).toContain('(the usual one is https://seedanceapi.org/v1).');
			expect(found.problem).not.toContain(KEY);
		}
		expect(read(`https://me:${KEY}@x.org`)).toHaveProperty('problem');
	});

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
