/** Cloudflare's firewall is told from the API, from a proxy, and from a page that happens to hold a number. */
import { firewallCodeOf } from '../../nodes/shared/api/firewall';

describe("the vendor's firewall", () => {
	it.each<[unknown, string]>([
		['error code: 1010', '1010'],
		['error code: 1020\n', '1020'],
		['<h1>Error <span>1006</span></h1><p>Access denied</p>', '1006'],
		['<title>Attention Required! | Cloudflare</title>', ''],
		['<div id="cf-error-details">Sorry</div>', ''],
		[{ error_code: 1010, cloudflare_error: true }, '1010'],
		[{ error_code: '1015' }, '1015'],
	])('is known by %j', (body, code) => {
		expect(firewallCodeOf(403, body)).toBe(code);
	});

	it.each<[number, unknown]>([
		[200, 'error code: 1010'],
		[401, { error_code: 1010 }],
		[403, 'error code: 7'],
		[403, '<h1>403 Forbidden</h1>'],
		[403, { code: 403, message: 'error' }],
		[403, { error_code: 40301 }],
		[403, undefined],
		[403, ['error code: 1010']],
	])('is not seen in HTTP %i %j', (status, body) => {
		expect(firewallCodeOf(status, body)).toBeUndefined();
	});
});
