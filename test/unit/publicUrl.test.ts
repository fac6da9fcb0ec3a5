/** Which addresses the API can reach from the internet. */
import * as fc from 'fast-check';

import { isPublicUrl, reachOf, unreachableReason } from '../../nodes/shared/task/publicUrl';

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
		expect(unreachableReason(url, 'internet')).toBeUndefined();
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
		'http://[::127.0.0.1]/file',
		'http://[64:ff9b::10.0.0.1]/file',
		'http://[ff02::1]/file',
		'http://[2001:db8::1]/file',
		'http://192.0.2.1/file',
		'http://198.18.0.1/file',
		'http://198.51.100.7/file',
		'http://203.0.113.9/file',
		'http://nas.home.arpa/file',
		'http://shop.test/file',
		'http://files.corp/file',
	])('%s is not', (url) => {
		expect(isPublicUrl(url)).toBe(false);
		expect(unreachableReason(url, 'internet')).toBe(
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
				expect(['string', 'undefined']).toContain(typeof unreachableReason(text, 'internet'));
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
			expect(unreachableReason(url, 'internet')).toBe(reason);
			expect(unreachableReason(url, 'loopback')).toBe(reason);
		},
	);

	it.each(['https://user:secret@example.com/a.png', 'https://user@example.com/a.png'])(
		'%s would hand on a login',
		(url) => {
			expect(unreachableReason(url, 'loopback')).toContain('user name or password');
		},
	);

	const LOOPBACK = [
		'http://localhost:5678/hook',
		'http://LOCALHOST./hook',
		'http://n8n.localhost/hook',
		'http://localhost.localdomain/hook',
		'http://127.0.0.1/hook',
		'http://127.9.9.9/hook',
		'http://127.1/hook',
		'http://2130706433/hook',
		'http://0x7f000001/hook',
		'http://0177.0.0.1/hook',
		'http://0.0.0.0:5678/hook',
		'http://0/hook',
		'http://[::1]/hook',
		'http://[::]/hook',
		'http://[0:0:0:0:0:0:0:1]/hook',
		'http://[::ffff:127.0.0.1]/hook',
		'http://[::7f00:1]/hook',
	];
	const PRIVATE = [
		'http://n8n:5678/hook',
		'http://n8n.internal/hook',
		'http://10.0.0.7/hook',
		'http://192.168.1.5/hook',
		'http://172.20.0.3/hook',
		'http://[fd00::5]/hook',
		'http://[fe80::1]/hook',
		'http://[::ffff:10.0.0.7]/hook',
	];
	const PUBLIC = ['https://n8n.example.com/hook', 'http://8.8.8.8/hook', 'http://[2606:4700::1]/'];

	it.each(LOOPBACK)('%s is this machine alone', (url) => {
		expect(reachOf(url)).toBe('loopback');
	});

	it.each(PRIVATE)('%s is in this network', (url) => {
		expect(reachOf(url)).toBe('private');
	});

	it.each(PUBLIC)('%s is on the internet', (url) => {
		expect(reachOf(url)).toBe('internet');
	});

	it('an API on this machine reaches everything', () => {
		const all = [...LOOPBACK, ...PRIVATE, ...PUBLIC];
		expect(all.filter((url) => unreachableReason(url, 'loopback'))).toEqual([]);
	});

	it('an API in this network reaches the network, and not this machine', () => {
		const reached = [...PRIVATE, ...PUBLIC];
		expect(reached.filter((url) => unreachableReason(url, 'private'))).toEqual([]);
		for (const url of LOOPBACK) {
			expect(unreachableReason(url, 'private')).toContain('points to this machine itself');
		}
	});

	it('an API on the internet reaches the internet only', () => {
		expect(PUBLIC.filter((url) => unreachableReason(url, 'internet'))).toEqual([]);
		for (const url of [...LOOPBACK, ...PRIVATE]) {
			expect(unreachableReason(url, 'internet')).toContain('points to a private address');
		}
	});

	it('an API whose address cannot be read is thought to reach nothing private', () => {
		expect(reachOf('https://[not-an-address')).toBe('internet');
	});
});
