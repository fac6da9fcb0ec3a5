/** The credential: what it must hold, what it sends, which responds its free test accepts, and how long it is kept. */
import type {
	ICredentialDataDecryptedObject,
	IExecuteFunctions,
	IHttpRequestOptions,
	IWebhookFunctions,
} from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { CREDENTIAL_TYPE, getCredential, readCredential } from '../../nodes/shared/api/credential';
import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import { cachedCredential, CREDENTIAL_KEPT_MS } from '../../nodes/shared/n8n/credentialCache';
import { credentialTest } from '../fixtures/responses.json';
import baseUrls from '../fixtures/baseUrls.json';
import { VirtualClock } from './virtualClock.cjs';

const { passes, fails, connections, firewall } = credentialTest;

const credential = new SeedanceApi();
const { request, rules = [] } = credential.test;

const USUAL = 'https://seedanceapi.org/v1';
const URL = 'http://127.0.0.1:9/v1/status';
const FIELDS = { apiKey: ' a-key-of-someone ', baseUrl: ' http://127.0.0.1:9/v1/ ' };
const TEST = { baseURL: 'http://127.0.0.1:9/v1', url: '/status', qs: request.qs };
const RIGHT = { statusCode: 404, body: '{"code":"TASK_NOT_FOUND"}' };

/** The value at a dotted path. */
const at = (body: unknown, path: string) =>
	path.split('.').reduce<unknown>((value, key) => Object(value)[key], body);

/** What n8n shows for a response: the rules in order, by status where it threw, by body where not. */
function shownBy(status: number, body: unknown): string {
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

/** What n8n does before it sends a request: the hook, then the header; `result` is what it would send. */
async function send(
	respond: () => unknown = () => RIGHT,
	toSend: IHttpRequestOptions = TEST,
	fields: ICredentialDataDecryptedObject = FIELDS,
) {
	const requests: IHttpRequestOptions[] = [];
	const httpRequest = async (options: IHttpRequestOptions) => {
		requests.push(options);
		return await Promise.resolve().then(respond);
	};
	const stored = await credential.preAuthentication.call({ helpers: { httpRequest } }, fields);
	const result: unknown = await credential
		.authenticate(fields, toSend)
		.catch((error: unknown) => error);
	return { result, requests, stored };
}

/** What is said about a response; undefined where the test goes on. */
const said = async (statusCode: number, body: unknown) => {
	const { result } = await send(() => ({ statusCode, headers: {}, body }));
	return result instanceof Error ? result.message : undefined;
};
const failing = (error: unknown) => async () => await Promise.reject(error);

describe('the credential', () => {
	it('is called Seedance API, has two icons, a hidden key and a base URL that is set', () => {
		expect(credential).toMatchObject({ name: 'seedanceApi', displayName: 'Seedance API' });
		expect(credential.icon).toEqual({
			light: expect.stringMatching(/seedance\.svg$/),
			dark: expect.stringMatching(/seedance\.dark\.svg$/),
		});
		const shown = credential.properties.filter(({ type }) => type !== 'hidden');
		const typeOptions = { password: true };
		expect(shown).toMatchObject([
			{ name: 'apiKey', required: true, default: '', typeOptions },
			{ name: 'baseUrl', default: USUAL },
		]);
		const { hint = '', description = '' } = shown[0];
		expect(description).toContain('seedanceapi.org');
		expect(`${hint} ${description}`).toMatch(/other vendors do not work/i);
	});

	it('sends the trimmed key in the Authorization header, and nowhere else', async () => {
		const toSend = { url: URL, headers: { Accept: 'text/plain' } };
		expect(await credential.authenticate({ apiKey: ' a-key\n' }, toSend)).toEqual({
			url: URL,
			headers: { Accept: 'text/plain', Authorization: 'Bearer a-key' },
		});
		expect(toSend.headers).toEqual({ Accept: 'text/plain' });
	});
});

describe('before the test', () => {
	it('the credential sends what the test sends, each time afresh, and stores nothing', async () => {
		await send();
		const { result, requests, stored } = await send();
		const Authorization = 'Bearer a-key-of-someone';
		expect(stored).toEqual({});
		expect(result).toMatchObject({ headers: { Authorization } });
		expect(requests).toMatchObject([
			{
				url: URL,
				qs: request.qs,
				headers: { Authorization, 'User-Agent': USER_AGENT },
				disableFollowRedirect: true,
				ignoreHttpStatusErrors: true,
			},
		]);
		expect(requests[0].method ?? 'GET').toBe('GET');
	});

	it.each<IHttpRequestOptions>([
		{ method: 'POST', url: 'http://127.0.0.1:9/v1/generate', body: {} },
		{ url: URL, qs: { task_id: 'seed15a' } },
		{ url: `${URL}?task_id=seed15a` },
	])('nothing is sent or stored for a request of a node: %j', async (toSend) => {
		const { result, requests, stored } = await send(() => RIGHT, toSend);
		expect({ requests, stored }).toEqual({ requests: [], stored: {} });
		expect(result).toEqual({ ...toSend, headers: { Authorization: 'Bearer a-key-of-someone' } });
	});

	it('nothing is sent where nothing can be sent', async () => {
		for (const [change, text] of [
			[{ baseUrl: 'seedanceapi.org/v1' }, 'must start with http:// or https://'],
			[{ baseUrl: 'https://seedanceapi.org:99999/v1' }, 'a port is a number'],
			[{ apiKey: 'sk one' }, 'holds a space'],
		] as const) {
			const { result, requests } = await send(() => RIGHT, TEST, { ...FIELDS, ...change });
			expect(String(result)).toContain(text);
			expect(String(result)).toMatch(/Testing is free\.$/);
			expect(requests).toEqual([]);
		}
	});

	it.each(connections)('no response says what to check: $says', async ({ says, codes }) => {
		for (const code of codes) {
			const broken = Object.assign(new Error(`something ${code}`), { code });
			for (const error of [broken, new Error('wrapped', { cause: broken })]) {
				const { result } = await send(failing(error));
				const { message, ...more } = result as Error & Record<string, unknown>;
				expect(message).toContain(says);
				expect(message).toContain(USUAL);
				expect(message).toMatch(/Testing is free\.$/);
				// n8n shows the code of an error, or a sentence of its own for it, instead of our text.
				expect({ more, cause: (result as Error).cause }).toEqual({ more: {}, cause: undefined });
				expect(message).not.toContain(code);
			}
		}
	});

	it("n8n's own protection of private networks is distinguished", async () => {
		const blocked = Object.assign(new Error('no'), { name: 'SsrfBlockedIpError' });
		expect(String((await send(failing(blocked))).result)).toContain('set up not to send');
	});

	it.each(firewall)('knows the firewall of the vendor from others: %s', async (body, ...texts) => {
		for (const text of texts) expect(await said(403, body)).toContain(text);
	});
});

describe('the test of the credential', () => {
	it('reads a task that cannot exist, which costs nothing, and names this package', () => {
		expect(request).toMatchObject({ url: '/status', disableFollowRedirect: true });
		expect(request.method ?? 'GET').toBe('GET');
		expect(request.qs).toEqual({ task_id: expect.any(String) });
		expect(request.body).toBeUndefined();
		expect(request.headers).toMatchObject({ 'User-Agent': USER_AGENT });
	});

	it('asks the base URL that was entered, less a slash at its end', () => {
		expect(request.baseURL).toContain('$credentials.baseUrl');
		const cut = /replace\(\/(.*)\/,/.exec(String(request.baseURL))?.[1] ?? '';
		expect(`${USUAL}//`.replace(new RegExp(cut), '')).toBe(USUAL);
	});

	it.each<unknown[]>(passes)('passes with a right key: HTTP %i %j', async (code, body) => {
		const status = Number(code);
		expect(shownBy(status, body)).toBe('OK');
		expect(await said(status, JSON.stringify(body))).toBeUndefined();
	});

	it.each(fails)('says "$says" at HTTP $statuses', async ({ says, statuses, bodies }) => {
		for (const status of statuses) {
			for (const body of bodies) {
				const shown = shownBy(status, body ?? undefined);
				expect(shown).toContain(says);
				expect(await said(status, body ?? undefined)).toBe(shown);
				expect(await said(status, JSON.stringify(body ?? undefined))).toBe(shown);
			}
		}
	});

	it('says at every end that it costs nothing, and names the usual base URL where it speaks of it', () => {
		const texts = new Set(rules.map(({ properties }) => properties.message));
		expect(texts.size).toBeGreaterThan(4);
		for (const text of texts) {
			expect(text).toMatch(/Testing is free\.$/);
			if (/base URL/.test(text)) expect(text).toContain(USUAL);
		}
	});
});

const KEY = 'sk-of-a-person';
const read = (baseUrl: unknown) => readCredential({ apiKey: KEY, baseUrl: baseUrl as string });

describe('what a credential holds', () => {
	it.each(baseUrls.taken)('takes the base URL %j', (text, baseUrl) => {
		expect(read(text)).toEqual({ apiKey: KEY, baseUrl });
	});

	it.each<unknown[]>([...baseUrls.refused, [undefined, 'is empty']])(
		'refuses the base URL %j: it %s',
		(text, flaw) => {
			const problem = expect.stringContaining(String(flaw));
			expect(read(text)).toEqual({ problem, field: 'baseUrl' });
		},
	);

	it.each(['', KEY, `https://me:${KEY}@x.org`, `https://x.org?${KEY}`, `http://a ${KEY}`])(
		'names the usual base URL, and quotes nothing of what stands there: it may be the key (%#)',
		(text) => {
			const found = JSON.stringify(read(text));
			expect(found).toContain('(the usual one is https://seedanceapi.org/v1).');
			expect(found).not.toContain(KEY);
		},
	);

	it.each<unknown[]>([...baseUrls.refusedKeys, [undefined, 'holds no API key']])(
		'refuses the key %j without showing it: %s',
		(apiKey, flaw) => {
			const found = readCredential({ apiKey: apiKey as string, baseUrl: USUAL });
			expect(found).toEqual({ problem: expect.stringContaining(String(flaw)), field: 'apiKey' });
			expect(JSON.stringify(found)).not.toContain('sk');
		},
	);
});

describe('the credential of an item', () => {
	/** n8n's side, in a run or in a webhook, and what it was asked for. */
	function n8nWith(data: object, isRun = true) {
		const getCredentials = jest.fn().mockResolvedValue(data);
		const inRun = isRun && { getExecutionCancelSignal: () => undefined };
		const context = { ...inRun, getCredentials } as unknown as IExecuteFunctions;
		return { context, getCredentials };
	}

	it('is resolved for that very item, and without one in a webhook', async () => {
		const run = n8nWith({ apiKey: KEY, baseUrl: USUAL });
		for (const item of [7, undefined]) await getCredential(run.context, item);
		const asked = [7, 0].map((item) => [CREDENTIAL_TYPE, item]);
		expect(run.getCredentials.mock.calls).toEqual(asked);
		const webhook = n8nWith({ apiKey: KEY, baseUrl: USUAL }, false);
		await getCredential(webhook.context);
		expect(webhook.getCredentials.mock.calls).toEqual([['seedanceApi']]);
	});

	it.each([
		[` ${USUAL}// `, USUAL, 'internet'],
		['http://127.0.0.1:4010/v1', 'http://127.0.0.1:4010/v1', 'loopback'],
	])('is tidied, and shows how far the API reaches: %j', async (entered, baseUrl, reach) => {
		const { context } = n8nWith({ apiKey: ` ${KEY}\n`, baseUrl: entered, other: 1 });
		const tidied = { apiKey: KEY, baseUrl };
		expect(await getCredential(context)).toEqual({
			...{ ...tidied, reach },
			decrypted: { ...tidied, other: 1 },
		});
	});

	it('that cannot be used is recognised by what is wrong with it', async () => {
		const { context } = n8nWith({ apiKey: KEY, baseUrl: 'ftp://seedanceapi.org' });
		expect(await getCredential(context)).toMatchObject({ field: 'baseUrl' });
	});
});

describe('the credential of a trigger', () => {
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

	it('serves all callbacks of a second with one reading, and is read again after that', async () => {
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
});
