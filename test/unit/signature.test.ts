/** Callback URLs: what is appended, what the signature covers, and how a delivery is read. */
import { createHmac } from 'crypto';

import * as signature from '../../nodes/shared/callback/signature';
import type { ApiReach } from '../../nodes/shared/task/publicUrl';
import urls from '../fixtures/callbackUrls.json';
import * as fc from '../support/fastCheck.cjs';

const { isSignedBy, isTestUrl, metadataIn, proofIn, signedCallbackUrl } = signature;

/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const HOOK = 'https://n8n.example.com/webhook/5d0f/webhook';
const HALF_PAIR = '\ud83d';

function sign(url: unknown, values: Record<string, unknown> = {}, apiReach: ApiReach = 'internet') {
	const entries = Object.entries(values).map(([name, value]) => ({ name, value }));
	return signedCallbackUrl(url, entries, OWNER, apiReach);
}

/** The signed URL of an input that has to be accepted. */
function signed(url: string, values: Record<string, unknown> = {}): string {
	const result = sign(url, values);
	if (!result.ok || result.value === undefined) throw new Error(JSON.stringify(result));
	return result.value;
}

function problemsOf(url: unknown, values: Record<string, unknown> = {}): string[] {
	const result = sign(url, values);
	return result.ok ? [] : result.problems;
}

/** The query as a server reads it. */
const queryOf = (url: string): Record<string, unknown> =>
	Object.fromEntries(new URL(url).searchParams);

/** The rule of the design, written down a second time. */
function expectedSignature(meta = ''): string {
	const key = createHmac('sha256', OWNER).update('n8n-nodes-seedance/callback').digest();
	return createHmac('sha256', key).update(`v1\n${meta}`).digest('base64url');
}

describe('a callback URL', () => {
	it.each(['', '  ', undefined, null])('is nothing where the field is empty: %j', (empty) => {
		expect(sign(empty)).toEqual({ ok: true, value: undefined });
	});

	it('gets its metadata as base64url of JSON, and a signature over it', () => {
		const meta = Buffer.from('{"row":7}').toString('base64url');
		const query = `?seedance_meta=${meta}&seedance_sig=${expectedSignature(meta)}`;
		expect(signed(HOOK, { row: 7 })).toBe(`${HOOK}${query}`);
		// The key as the credential sends it, without blanks around it.
		expect(signedCallbackUrl(HOOK, [], ` ${OWNER}\n`, 'internet')).toEqual(sign(HOOK));
	});

	it.each(urls.keepTheirForm)('with %s stays what it was', (_, url, joint) => {
		const query = `${joint}seedance_sig=${expectedSignature()}`;
		expect(signed(url)).toBe(`${url}${query}`);
		expect(signed(`${url}#b?c=2`)).toBe(`${url}${query}#b?c=2`);
	});

	it('may be as near as the API is', () => {
		expect(sign('http://127.0.0.1:5678/webhook/x', {}, 'loopback').ok).toBe(true);
		expect(sign('http://n8n:5678/webhook/x', {}, 'private').ok).toBe(true);
		const problems = [expect.stringContaining('this machine itself (localhost)')];
		const refused = sign('http://localhost:5678/webhook/x', {}, 'private');
		expect(refused).toEqual({ ok: false, problems });
	});

	it.each<unknown[]>(urls.refused)('%j is refused in one sentence: it %s', (url, ...texts) => {
		const problems = problemsOf(url);
		expect(problems).toEqual([expect.stringMatching(/^Callback URL .+\.$/s)]);
		for (const text of texts) expect(problems[0]).toContain(text);
	});

	it.each(urls.allowed)('%s is no such address, and passes', (url) => {
		expect(problemsOf(url)).toEqual([]);
	});

	it('that is a test URL passes, and is reported to be one', () => {
		const test = 'https://n8n.example.com/webhook-test/5d0f/webhook';
		expect(problemsOf(test)).toEqual([]);
		expect([test, 'https://a.example.com/n8n/webhook-test/5d0f'].every(isTestUrl)).toBe(true);
		const others = [HOOK, 'https://a.example.com/h?from=/webhook-test/x', '', 'x'];
		expect(others.some(isTestUrl)).toBe(false);
	});

	it('that resumes an execution is sent as it is, because n8n refuses a changed one', () => {
		const resume = 'https://n8n.example.com/webhook-waiting/4711?signature=0f0f';
		expect(sign(resume)).toEqual({ ok: true, value: resume });
		const problem = expect.stringContaining('Remove the metadata');
		expect(problemsOf(resume, { row: 1 })).toEqual([problem]);
	});

	it('that was signed before is refused', () => {
		expect(problemsOf(signed(HOOK, { row: 1 }))[0]).toContain('has been signed before');
	});

	it(`has at most ${signature.CALLBACK_URL_MAX_LENGTH} characters as it is sent`, () => {
		const room = 2000 - signed(HOOK).length;
		expect(signed(HOOK + 'x'.repeat(room))).toHaveLength(2000);
		expect(problemsOf(HOOK + 'x'.repeat(room + 1))[0]).toContain('has 2001 characters');
	});
});

describe('metadata', () => {
	it('comes back with the types it was given, well-formed, and null where nothing was found', () => {
		const values = { n: 7, half: 0.5, yes: true, nothing: null, list: [1, 'a'], deep: { a: {} } };
		expect(metadataIn(queryOf(signed(HOOK, values)))).toEqual(values);
		const odd = { row: undefined, a: HALF_PAIR, b: [{ c: `x${HALF_PAIR}` }] };
		const mended = { row: null, a: '\ufffd', b: [{ c: 'x\ufffd' }] };
		expect(metadataIn(queryOf(signed(HOOK, odd)))).toEqual(mended);
	});

	it('comes back for every JSON object that is small enough', () => {
		const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => text === text.trim());
		const value = fc.jsonValue({ maxDepth: 2 });
		const values = fc.dictionary(name, value, { minKeys: 1, maxKeys: 3 });
		fc.assert(
			fc.property(values, (given) => {
				const json = JSON.stringify(given);
				fc.pre(Buffer.byteLength(json) <= 600);
				// What a broken expression leaves is refused, see below.
				fc.pre(!/\{\{|\$\{|<%|\[object|"(?:undefined|null|NaN)"/i.test(json));
				const query = queryOf(signed(HOOK, given));
				expect(JSON.stringify(metadataIn(query))).toBe(json);
				expect(isSignedBy(proofIn(query), OWNER)).toBe(true);
			}),
		);
	});

	it(`may have ${signature.METADATA_MAX_BYTES} bytes, and one more is refused with what to send instead`, () => {
		const room = 1000 - '{"a":""}'.length;
		expect(signed(HOOK, { a: 'x'.repeat(room) })).toContain('seedance_meta=');
		expect(problemsOf(HOOK, { a: 'x'.repeat(room + 1) })).toEqual([
			'Callback Metadata has 1001 bytes; at most 1000 fit into a URL. Send a row number or an ID instead, and look the rest up when the video is ready.',
		]);
		expect(problemsOf(HOOK, { a: 'ü'.repeat(room) })[0]).toContain(`${8 + 2 * room} bytes`);
	});

	it('without a URL is refused, because it would go nowhere, and its problems are all reported', () => {
		expect(problemsOf('', { row: 1 })[0]).toContain('Callback URL is empty');
		expect(problemsOf('nowhere', { '': 1 })).toHaveLength(2);
	});

	const row = (value: unknown) => ({ name: 'row', value });
	it.each([
		['without a name', [{ name: ' ', value: 1 }]],
		['"row" twice', [row(1), row(2)]],
		['cannot be written as JSON', [row(1n)]],
		['"row" holds "[object Object]": the expression gave an object', [row('[object Object]')]],
		['"row" is only the word "undefined"', [row('undefined')]],
		['"row" is only the word "null"', [row('null')]],
		['"row" still holds', [row('{{ $json.row }}')]],
		['"row" must be text, but the expression gave NaN', [row(Number.NaN)]],
		['gave a date', [row(new Date(0))]],
	])('is refused where it is broken: %s', (sentence, given) => {
		const problems = [expect.stringContaining(sentence)];
		expect(signedCallbackUrl(HOOK, given, OWNER, 'internet')).toEqual({ ok: false, problems });
	});

	it.each([undefined, ...urls.noMetadata])(
		'is an empty object where there is none that can be read: %j',
		(seedance_meta) => {
			expect(metadataIn({ seedance_meta })).toEqual({});
		},
	);
});

describe('a signature', () => {
	const query = queryOf(signed(HOOK, { row: 1 }));
	const { seedance_sig, seedance_meta } = query;

	it.each([
		[true, 'this account', query, OWNER],
		[false, 'another key', query, `${OWNER}x`],
		[false, 'other metadata', { ...query, seedance_meta: 'eyJyb3ciOjJ9' }, OWNER],
		[false, 'no metadata', { seedance_sig }, OWNER],
		[false, 'metadata it was not made for', { ...queryOf(signed(HOOK)), seedance_meta }, OWNER],
	])('holds (%p) for %s', (holds, _, given, apiKey) => {
		expect(typeof proofIn(given)).toBe('object');
		expect(isSignedBy(proofIn(given), apiKey)).toBe(holds);
	});

	it('is distinguished from none at all, and from what cannot be one, without the key', () => {
		expect(proofIn({})).toBe('absent');
		const right = String(seedance_sig);
		for (const sig of ['', `${right}x`, right.slice(1), [right], { 0: right }, 5, null]) {
			expect(proofIn({ ...query, seedance_sig: sig })).toBe('malformed');
		}
		for (const meta of urls.malformed) {
			expect(proofIn({ ...query, seedance_meta: meta })).toBe('malformed');
		}
		expect([isSignedBy('absent', OWNER), isSignedBy('malformed', OWNER)]).toEqual([false, false]);
	});

	it('does not hold for any other text', () => {
		fc.assert(
			fc.property(fc.stringMatching(/^[\w-]{43}$/), (other) => {
				fc.pre(other !== seedance_sig);
				expect(isSignedBy(proofIn({ ...query, seedance_sig: other }), OWNER)).toBe(false);
			}),
		);
	});
});
