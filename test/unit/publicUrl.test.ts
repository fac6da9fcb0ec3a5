/** Which addresses the API can reach from the internet. */
import { isPublicUrl, reachOf, unreachableReason } from '../../nodes/shared/task/publicUrl';
import addresses from '../fixtures/addresses.json';
import * as fc from '../support/fastCheck.cjs';

const { loopback, internet, private: inNetwork } = addresses;
const reasons = (urls: string[], reach: 'internet' | 'private' | 'loopback') =>
	new Set(urls.map((url) => unreachableReason(url, reach)));

it.each([...addresses.public, ...internet])('%s can be reached from the internet', (url) => {
	expect(isPublicUrl(url)).toBe(true);
	expect(reachOf(url)).toBe('internet');
});

it.each([...addresses.notPublic, ...loopback, ...inNetwork])('%s cannot', (url) => {
	expect(isPublicUrl(url)).toBe(false);
	expect(unreachableReason(url, 'internet')).toBe(
		'points to a private address, which the Seedance API cannot reach from the internet',
	);
});

it('no private IPv4 address passes, however it is spelt', () => {
	const byte = fc.integer({ min: 0, max: 255 });
	const range = (min: number, max: number) => fc.integer({ min, max });
	const host = fc.oneof(
		fc.tuple(fc.constantFrom(0, 10, 127), byte, byte, byte),
		fc.tuple(range(224, 255), byte, byte, byte),
		fc.tuple(fc.constant(172), range(16, 31), byte, byte),
		fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
		fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
		fc.tuple(fc.constant(100), range(64, 127), byte, byte),
	);
	fc.assert(
		fc.property(host, ([a, b, c, d]) => {
			const spellings = [
				`${a}.${b}.${c}.${d}`,
				String(((a * 256 + b) * 256 + c) * 256 + d),
				`0x${a.toString(16)}.${b}.${c}.${d}`,
				`[::ffff:${a}.${b}.${c}.${d}]`,
			];
			expect(spellings.filter((spelling) => isPublicUrl(`http://${spelling}/`))).toEqual([]);
		}),
	);
});

it('nothing makes it throw, and no text that is no link is public', () => {
	fc.assert(
		fc.property(fc.string(), (text) => {
			expect(typeof isPublicUrl(text)).toBe('boolean');
			expect(['string', 'undefined']).toContain(typeof unreachableReason(text, 'internet'));
		}),
	);
	expect([isPublicUrl('no link'), isPublicUrl('data:text/plain,hello')]).toEqual([false, false]);
});

describe('why a link cannot be used', () => {
	it('is that it is no web link, or would hand on a login', () => {
		const noWebLink = 'is not a web link that starts with http:// or https://';
		for (const url of addresses.noWebLinks) {
			for (const reach of ['internet', 'loopback'] as const) {
				expect([url, unreachableReason(url, reach)]).toEqual([url, noWebLink]);
			}
		}
		for (const login of ['user:secret', 'user']) {
			const reason = unreachableReason(`https://${login}@example.com/a.png`, 'loopback');
			expect(reason).toContain('user name or password');
		}
	});

	it('goes by how far the API itself can reach: this machine, its network, or the internet', () => {
		expect(loopback.filter((url) => reachOf(url) !== 'loopback')).toEqual([]);
		expect(inNetwork.filter((url) => reachOf(url) !== 'private')).toEqual([]);
		const none = new Set([undefined]);
		expect(reasons([...loopback, ...inNetwork, ...internet], 'loopback')).toEqual(none);
		expect(reasons([...inNetwork, ...internet], 'private')).toEqual(none);
		for (const reason of reasons(loopback, 'private')) {
			expect(reason).toContain('points to this machine itself');
		}
		expect(reasons(internet, 'internet')).toEqual(none);
	});

	it('an API whose address cannot be read is thought to reach nothing private', () => {
		expect(reachOf('https://[not-an-address')).toBe('internet');
	});
});
