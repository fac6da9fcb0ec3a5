/** The credential: what it sends, and which answers its free test accepts. */
import type { IHttpRequestOptions } from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';

const credential = new SeedanceApi();
const { request, rules = [] } = credential.test;

/** The value at a dotted path. */
function at(body: unknown, path: string): unknown {
	return path
		.split('.')
		.reduce<unknown>(
			(value, key) =>
				typeof value === 'object' && value !== null
					? Object.getOwnPropertyDescriptor(value, key)?.value
					: undefined,
			body,
		);
}

/** What n8n shows for an answer: the rules in order, by status where it threw, by body where not. */
function verdict(status: number, body: unknown): string {
	const ignored = request.ignoreHttpStatusErrors;
	const except = typeof ignored === 'object' ? (ignored.except ?? []) : [];
	const throws = (status < 200 || status > 299) && except.includes(status);
	for (const rule of rules) {
		if (throws && rule.type === 'responseCode' && rule.properties.value === status) {
			return rule.properties.message;
		}
		if (!throws && rule.type === 'responseSuccessBody') {
			const { key, value, message } = rule.properties;
			if (at(body, key) === value) return message;
		}
	}
	return throws ? `HTTP ${status}` : 'OK';
}

const HTML = '<!DOCTYPE html><html><body>Welcome</body></html>';

describe('the credential', () => {
	it('is called Seedance API and has a light and a dark icon', () => {
		expect(credential.name).toBe('seedanceApi');
		expect(credential.displayName).toBe('Seedance API');
		expect(credential.icon).toEqual({
			light: expect.stringMatching(/seedance\.svg$/),
			dark: expect.stringMatching(/seedance\.dark\.svg$/),
		});
	});

	it('asks for a hidden key and a base URL that is set already', () => {
		const [apiKey, baseUrl] = credential.properties;
		expect(credential.properties.filter(({ type }) => type !== 'hidden')).toHaveLength(2);
		expect(apiKey).toMatchObject({
			name: 'apiKey',
			required: true,
			default: '',
			typeOptions: { password: true },
		});
		expect(baseUrl).toMatchObject({ name: 'baseUrl', default: 'https://seedanceapi.org/v1' });
	});

	describe('before its test', () => {
		const probe = async (answer: () => Promise<unknown>) => {
			const requests: IHttpRequestOptions[] = [];
			const httpRequest = async (options: IHttpRequestOptions) => {
				requests.push(options);
				return await answer();
			};
			const fields = { apiKey: 'a-key-of-someone', baseUrl: ' http://127.0.0.1:9/v1 ' };
			const result = await credential.preAuthentication.call({ helpers: { httpRequest } }, fields);
			return { result, requests };
		};

		it('asks the base URL without the key, and follows no redirect', async () => {
			const { result, requests } = await probe(async () => '<html></html>');
			expect(result).toEqual({});
			expect(requests).toHaveLength(1);
			expect(requests[0]).toMatchObject({
				url: 'http://127.0.0.1:9/v1',
				disableFollowRedirect: true,
				ignoreHttpStatusErrors: true,
			});
			expect(JSON.stringify(requests)).not.toContain('a-key-of-someone');
		});

		it('says what to check when nothing answers, with no code that n8n would show instead', async () => {
			const broken = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
			const error: unknown = await probe(async () => await Promise.reject(broken)).catch((e) => e);
			expect(error).toMatchObject({
				message: expect.stringContaining('Nothing answers at the base URL. Check its spelling'),
			});
			expect(error).not.toHaveProperty('code');
		});

		it('is asked only by a field that the nodes fill, so they never pay for a probe', () => {
			const expirable = credential.properties.filter(({ typeOptions }) => typeOptions?.expirable);
			expect(expirable.map(({ name, type }) => [name, type])).toEqual([['reachability', 'hidden']]);
		});
	});

	it('says which keys work', () => {
		const { hint = '', description = '' } = credential.properties[0];
		expect(description).toContain('seedanceapi.org');
		expect(`${hint} ${description}`).toMatch(/other vendors do not work/i);
	});

	it('sends the trimmed key in the Authorization header, and nowhere else', async () => {
		const request = { url: 'http://127.0.0.1:9/v1/status', headers: { Accept: 'text/plain' } };
		expect(await credential.authenticate({ apiKey: ' a-key\n' }, request)).toEqual({
			url: request.url,
			headers: { Accept: 'text/plain', Authorization: 'Bearer a-key' },
		});
		expect(request.headers).toEqual({ Accept: 'text/plain' });
	});
});

describe('the test of the credential', () => {
	it('reads a task that cannot exist, which costs nothing, without following redirects', () => {
		expect(request.method ?? 'GET').toBe('GET');
		expect(request.url).toBe('/status');
		expect(request.qs).toEqual({ task_id: expect.any(String) });
		expect(request.disableFollowRedirect).toBe(true);
		expect(request.body).toBeUndefined();
	});

	it('asks the base URL that was entered, less a slash at its end', () => {
		expect(request.baseURL).toContain('$credentials.baseUrl');
		const cut = /replace\(\/(.*)\/,/.exec(String(request.baseURL))?.[1] ?? '';
		expect('https://seedanceapi.org/v1//'.replace(new RegExp(cut), '')).toBe(
			'https://seedanceapi.org/v1',
		);
	});

	it.each([
		[404, { code: 'TASK_NOT_FOUND', message: 'no such task' }],
		[404, { code: 404, message: 'no such task' }],
		[200, { code: 404, message: 'no such task' }],
		[200, { code: 200, message: 'success', data: { status: 'FAILED' } }],
		[400, { code: 'INVALID_PROMPT' }],
	])('passes with a right key: HTTP %i %j', (status, body) => {
		expect(verdict(status, body)).toBe('OK');
	});

	it.each([
		[401, { code: 'INVALID_API_KEY' }],
		[401, { code: 401 }],
		[401, HTML],
		[401, undefined],
		[200, { code: 401, message: 'unauthorized' }],
		[200, { code: '401' }],
		[200, { code: 'INVALID_API_KEY' }],
		[200, { code: 500, error: 'INVALID_API_KEY' }],
		[200, { code: 1, error: { code: 'INVALID_API_KEY' } }],
		[200, { code: 1, data: { code: 401 } }],
		[400, { code: 'INVALID_API_KEY' }],
	])('says that the key is wrong: HTTP %i %j', (status, body) => {
		expect(verdict(status, body)).toContain('API key was refused');
	});

	it.each([500, 501, 502, 503, 504, 520, 521, 522, 523, 524])(
		'does not pass while the server has trouble: HTTP %i, as status and as code',
		(status) => {
			expect(verdict(status, HTML)).toContain('trouble right now');
			expect(verdict(200, { code: status })).toContain('trouble right now');
		},
	);

	it('does not pass on the documented server error under any status', () => {
		expect(verdict(200, { code: 'INTERNAL_ERROR' })).toContain('trouble right now');
		expect(verdict(500, { code: 'INTERNAL_ERROR' })).toContain('trouble right now');
	});

	it.each([200, 404, 405, 418, 599])(
		'does not pass where a web page answers: HTTP %i',
		(status) => {
			expect(verdict(status, HTML)).toContain('does not lead to the Seedance API');
			expect(verdict(status, HTML)).toContain('https://seedanceapi.org/v1');
		},
	);

	it.each([undefined, {}, { message: 'hello' }, [], { error: 'Not Found' }])(
		'does not pass where some other API answers: %j',
		(body) => {
			expect(verdict(200, body)).toContain('does not lead to the Seedance API');
		},
	);

	it.each([301, 302, 303, 307, 308])('says that the base URL redirects: HTTP %i', (status) => {
		expect(verdict(status, HTML)).toContain('redirects to another address');
	});

	it('says that a firewall may be in the way', () => {
		expect(verdict(403, HTML)).toContain('firewall or proxy');
		expect(verdict(200, { code: 403 })).toContain('firewall or proxy');
	});

	it('does not pass when the key could not be checked for too many requests', () => {
		expect(verdict(429, { code: 429 })).toContain('Try again in a few minutes');
	});
});
