/** Which addresses the API can reach from the internet. */
import * as fc from 'fast-check';

import { isPublicUrl, unreachableReason } from '../../nodes/shared/publicUrl';

describe('an address that the internet can reach', () => {
	it.each([
		'https://cdn.example.com/cat.png',
		'http://example.com',
		'https://example.com.:8443/a',
		'https://8.8.8.8/a.png',
		'https://172.15.0.1/a',
		'https://172.32.0.1/a',
		'https://100.63.0.1/a',
		'https://100.128.0.1/a',
		'https://169.253.1.1/a',
		'https://192.167.1.1/a',
		'https://223.255.255.1/a',
		'https://[2606:4700::1111]/a',
		'https://[::ffff:8.8.8.8]/a',
		'https://local.example.com/a',
	])('%s is public', (url) => {
		expect(isPublicUrl(url)).toBe(true);
		expect(unreachableReason(url, false)).toBeUndefined();
	});

	it.each([
		'http://localhost:5678/file',
		'http://LOCALHOST/file',
		'http://localhost./file',
		'http://n8n:5678/file',
		'http://nas.local/file',
		'http://db.internal/file',
		'http://printer.lan/file',
		'http://box.home/file',
		'http://app.localhost/file',
		'http://this.localdomain/file',
		'http://127.0.0.1/file',
		'http://127.1/file',
		'http://2130706433/file',
		'http://0x7f.0.0.1/file',
		'http://0.0.0.0/file',
		'http://10.1.2.3/file',
		'http://172.16.0.1/file',
		'http://172.31.255.255/file',
		'http://192.168.178.20/file',
		'http://169.254.169.254/latest/meta-data',
		'http://100.64.0.1/file',
		'http://100.127.255.255/file',
		'http://224.0.0.1/file',
		'http://255.255.255.255/file',
		'http://[::1]/file',
		'http://[::]/file',
		'http://[fc00::1]/file',
		'http://[fd12:3456::1]/file',
		'http://[fe80::1]/file',
		'http://[febf::1]/file',
		'http://[::ffff:127.0.0.1]/file',
		'http://[::ffff:192.168.0.1]/file',
	])('%s is not', (url) => {
		expect(isPublicUrl(url)).toBe(false);
		expect(unreachableReason(url, false)).toBe(
			'points to a private address, which the Seedance API cannot reach from the internet',
		);
	});

	it('no private IPv4 address passes, however it is spelt', () => {
		const byte = fc.integer({ min: 0, max: 255 });
		const host = fc.oneof(
			fc.tuple(fc.constantFrom(0, 10, 127), byte, byte, byte),
			fc.tuple(fc.integer({ min: 224, max: 255 }), byte, byte, byte),
			fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
			fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
			fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
			fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), byte, byte),
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

	it('never throws, whatever it is given', () => {
		fc.assert(
			fc.property(fc.string(), (text) => {
				expect(typeof isPublicUrl(text)).toBe('boolean');
				expect(['string', 'undefined']).toContain(typeof unreachableReason(text, false));
			}),
		);
		expect(isPublicUrl('no link at all')).toBe(false);
		expect(isPublicUrl('data:text/plain,hello')).toBe(false);
	});
});

describe('why a link cannot be used', () => {
	it.each(['cat.png', '', 'ftp://example.com/a.png', 'file:///etc/hosts', 'javascript:alert(1)'])(
		'"%s" is no web link',
		(url) => {
			const reason = 'is not a web link that starts with http:// or https://';
			expect(unreachableReason(url, false)).toBe(reason);
			expect(unreachableReason(url, true)).toBe(reason);
		},
	);

	it.each(['https://user:secret@example.com/a.png', 'https://user@example.com/a.png'])(
		'%s would hand on a login',
		(url) => {
			expect(unreachableReason(url, true)).toContain('user name or password');
		},
	);

	it('lets local links through when the API itself is local', () => {
		expect(unreachableReason('http://127.0.0.1:9000/cat.png', true)).toBeUndefined();
		expect(unreachableReason('http://localhost/cat.png', true)).toBeUndefined();
	});
});
