/** The credential: what it sends, and which answers its free test accepts. */
import type { ICredentialDataDecryptedObject, IHttpRequestOptions } from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { USER_AGENT } from '../../nodes/shared/api/userAgent';

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

const FIELDS = { apiKey: ' a-key-of-someone ', baseUrl: ' http://127.0.0.1:9/v1/ ' };

/** What n8n does before it sends a request: the hook, then the header; `result` is what it would send. */
async function send(
	toSend: IHttpRequestOptions,
	answer: (options: IHttpRequestOptions) => Promise<unknown>,
	fields: ICredentialDataDecryptedObject = { ...FIELDS },
) {
	const requests: IHttpRequestOptions[] = [];
	const httpRequest = async (options: IHttpRequestOptions) => {
		requests.push(options);
		return await answer(options);
	};
	const stored = await credential.preAuthentication.call({ helpers: { httpRequest } }, fields);
	const result: unknown = await credential
		.authenticate(fields, toSend)
		.catch((error: unknown) => error);
	return { result, requests, stored };
}

const TEST = { baseURL: 'http://127.0.0.1:9/v1', url: '/status', qs: request.qs };

/** As n8n does it in the test. */
async function hook(
	answer: (options: IHttpRequestOptions) => Promise<unknown>,
	fields?: ICredentialDataDecryptedObject,
) {
	return await send(TEST, answer, fields);
}

/** What is said about an answer; undefined where the test goes on. */
const says = async (statusCode: number, body: unknown) => {
	const { result } = await hook(async () => ({ statusCode, headers: {}, body }));
	return result instanceof Error ? result.message : undefined;
};

const RIGHT = { statusCode: 404, body: '{"code":"TASK_NOT_FOUND"}' };

describe('before the test', () => {
	it('the credential sends what the test sends, with the name of this package, and stores nothing', async () => {
		const { result, requests, stored } = await hook(async () => RIGHT);
		expect(stored).toEqual({});
		expect(result).toMatchObject({ headers: { Authorization: 'Bearer a-key-of-someone' } });
		expect(requests).toHaveLength(1);
		expect(requests[0]).toMatchObject({
			url: 'http://127.0.0.1:9/v1/status',
			qs: request.qs,
			headers: { Authorization: 'Bearer a-key-of-someone', 'User-Agent': USER_AGENT },
			disableFollowRedirect: true,
			ignoreHttpStatusErrors: true,
		});
		expect(requests[0].method ?? 'GET').toBe('GET');
	});

	it('asks anew at each test', async () => {
		expect((await hook(async () => RIGHT)).requests).toHaveLength(1);
		expect((await hook(async () => RIGHT)).requests).toHaveLength(1);
	});

	it.each([
		{ method: 'POST' as const, url: 'http://127.0.0.1:9/v1/generate', body: {} },
		{ url: 'http://127.0.0.1:9/v1/status', qs: { task_id: 'seed15a' } },
		{ url: 'http://127.0.0.1:9/v1/status?task_id=seed15a' },
	])('sends and stores nothing for a request of a node: %j', async (toSend) => {
		const { result, requests, stored } = await send(toSend, async () => RIGHT);
		expect({ requests, stored }).toEqual({ requests: [], stored: {} });
		expect(result).toEqual({ ...toSend, headers: { Authorization: 'Bearer a-key-of-someone' } });
	});

	it.each([
		[{ baseUrl: 'seedanceapi.org/v1' }, 'must start with http:// or https://'],
		[{ baseUrl: 'https://seedanceapi.org:99999/v1' }, 'a port is a number'],
		[{ apiKey: 'sk one' }, 'holds a space'],
	])('sends nothing where nothing can be sent: %j', async (change, text) => {
		const { result, requests } = await hook(async () => RIGHT, { ...FIELDS, ...change });
		expect(result).toMatchObject({ message: expect.stringContaining(text) });
		expect(result).toMatchObject({ message: expect.stringMatching(/Testing is free\.$/) });
		expect(requests).toEqual([]);
	});

	it.each([
		['ECONNREFUSED', 'Nothing answers at the base URL. Check its spelling'],
		['ENOTFOUND', 'Nothing answers at the base URL. Check its spelling'],
		['EAI_AGAIN', 'Nothing answers at the base URL. Check its spelling'],
		['EHOSTUNREACH', 'Nothing answers at the base URL. Check its spelling'],
		['ECONNRESET', 'was reset before an answer came'],
		['EPIPE', 'was reset before an answer came'],
		['ETIMEDOUT', 'did not answer in time'],
		['ECONNABORTED', 'did not answer in time'],
		['EPROTO', 'No secure connection'],
		['ERR_SSL_WRONG_VERSION_NUMBER', 'No secure connection'],
		['DEPTH_ZERO_SELF_SIGNED_CERT', 'No secure connection'],
		['CERT_HAS_EXPIRED', 'No secure connection'],
		['HPE_INVALID_CONSTANT', 'does not lead to the Seedance API'],
		['E_SOMETHING_NEW', 'Nothing answers at the base URL'],
	])('says what to check when the request ends with %s', async (code, text) => {
		const broken = Object.assign(new Error(`something ${code}`), { code });
		for (const error of [broken, new Error('wrapped', { cause: broken })]) {
			const { result } = await hook(async () => await Promise.reject(error));
			const { message, ...more } = result as Error & Record<string, unknown>;
			expect(message).toContain(text);
			expect(message).toContain('https://seedanceapi.org/v1');
			expect(message).toMatch(/Testing is free\.$/);
			// n8n shows the code of an error, or a sentence of its own for it, instead of our text.
			expect({ more, cause: (result as Error).cause }).toEqual({ more: {}, cause: undefined });
			expect(message).not.toContain(code);
		}
	});

	it("tells n8n's own protection of private networks apart", async () => {
		class SsrfBlockedIpError extends Error {
			override name = 'SsrfBlockedIpError';
		}
		const { result } = await hook(async () => await Promise.reject(new SsrfBlockedIpError('no')));
		expect(result).toMatchObject({ message: expect.stringContaining('set up not to send') });
	});

	it.each([
		['text', 'error code: 1010', ', error 1010)'],
		['text', 'error code: 1020\n', ', error 1020)'],
		['JSON', '{"error_code":1010,"cloudflare_error":true}', ', error 1010)'],
		['a page', '<html><title>Attention Required! | Cloudflare</title></html>', '(Cloudflare)'],
		['a page', '<h1>Error <span>1006</span></h1><p>Access denied</p>', ', error 1006)'],
	])(
		'knows the firewall of the vendor by its %s, and does not blame the key: %s',
		async (_, body, named) => {
			const text = await says(403, body);
			expect(text).toContain(named);
			expect(text).toContain('the key is not the reason');
		},
	);

	it.each([
		[403, HTML],
		[403, '{"code":403,"message":"Forbidden"}'],
		[403, 'error code: 7'],
	])('does not take another refusal for that firewall: HTTP %i %s', async (status, body) => {
		expect(await says(status, body)).toContain('Check the base URL');
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

	it('names this package to the server', () => {
		expect(request.headers).toMatchObject({ 'User-Agent': USER_AGENT });
	});

	it.each([
		[404, { code: 'TASK_NOT_FOUND', message: 'no such task' }],
		[404, { code: 404, message: 'no such task' }],
		[200, { code: 404, message: 'no such task' }],
		[200, { code: 200, message: 'success', data: { status: 'FAILED' } }],
		[400, { code: 'INVALID_PROMPT' }],
	])('passes with a right key: HTTP %i %j', async (status, body) => {
		expect(verdict(status, body)).toBe('OK');
		expect(await says(status, JSON.stringify(body))).toBeUndefined();
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
	])('says that the key is wrong: HTTP %i %j', async (status, body) => {
		expect(verdict(status, body)).toContain('API key was refused');
		expect(await says(status, body)).toBe(verdict(status, body));
		expect(await says(status, JSON.stringify(body))).toBe(verdict(status, body));
	});

	it.each([500, 501, 502, 503, 504, 520, 521, 522, 523, 524])(
		'does not pass while the server has trouble: HTTP %i, as status and as code',
		async (status) => {
			expect(verdict(status, HTML)).toContain('trouble right now');
			expect(verdict(200, { code: status })).toContain('trouble right now');
			expect(await says(status, HTML)).toBe(verdict(status, HTML));
			expect(await says(200, { code: status })).toBe(verdict(status, HTML));
		},
	);

	it('does not pass on the documented server error under any status', () => {
		expect(verdict(200, { code: 'INTERNAL_ERROR' })).toContain('trouble right now');
		expect(verdict(500, { code: 'INTERNAL_ERROR' })).toContain('trouble right now');
	});

	it.each([200, 404, 405, 418, 599])(
		'does not pass where a web page answers: HTTP %i',
		async (status) => {
			expect(verdict(status, HTML)).toContain('does not lead to the Seedance API');
			expect(await says(status, HTML)).toBe(verdict(status, HTML));
			expect(verdict(status, HTML)).toContain('https://seedanceapi.org/v1');
		},
	);

	it.each([undefined, {}, { message: 'hello' }, [], { error: 'Not Found' }])(
		'does not pass where some other API answers: %j',
		async (body) => {
			expect(verdict(200, body)).toContain('does not lead to the Seedance API');
			expect(await says(200, body)).toBe(verdict(200, body));
		},
	);

	it.each([301, 302, 303, 307, 308])(
		'says that the base URL redirects: HTTP %i',
		async (status) => {
			expect(verdict(status, HTML)).toContain('redirects to another address');
			expect(await says(status, HTML)).toBe(verdict(status, HTML));
		},
	);

	it('says that a firewall may be in the way', () => {
		expect(verdict(403, HTML)).toContain('firewall or proxy');
		expect(verdict(200, { code: 403 })).toContain('firewall or proxy');
	});

	it('does not pass when the key could not be checked for too many requests', () => {
		expect(verdict(429, { code: 429 })).toContain('Try again in a few minutes');
	});

	it('says at every end that it costs nothing, and names the usual base URL where it speaks of it', () => {
		const texts = new Set(rules.map(({ properties }) => properties.message));
		for (const text of texts) {
			expect(text).toMatch(/Testing is free\.$/);
			if (/base URL/.test(text)) expect(text).toContain('https://seedanceapi.org/v1');
		}
		expect(texts.size).toBeGreaterThan(4);
	});
});
