/** Callback URLs: what is appended, what the signature covers, and how a delivery is read. */
import { createHmac } from 'crypto';
import * as fc from 'fast-check';

import {
	CALLBACK_URL_MAX_LENGTH,
	isSignedBy,
	isTestUrl,
	metadataIn,
	METADATA_MAX_BYTES,
	proofIn,
	signedCallbackUrl,
	type MetadataEntry,
} from '../../nodes/shared/callback/signature';
import type { ApiReach } from '../../nodes/shared/task/publicUrl';

/** Stands for the account's key. */
const ACCOUNT = 'sk-seedance-0123456789';
const HOOK = 'https://n8n.example.com/webhook/5d0f/webhook';

const entries = (values: Record<string, unknown>): MetadataEntry[] =>
	Object.entries(values).map(([name, value]) => ({ name, value }));

function sign(url: unknown, values: Record<string, unknown> = {}, apiReach: ApiReach = 'internet') {
	return signedCallbackUrl(url, entries(values), ACCOUNT, apiReach);
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
function queryOf(url: string): Record<string, unknown> {
	return Object.fromEntries(new URL(url).searchParams);
}

/** The rule of the design, written down a second time. */
function expectedSignature(meta: string): string {
	const key = createHmac('sha256', ACCOUNT).update('n8n-nodes-seedance/callback').digest();
	return createHmac('sha256', key).update(`v1\n${meta}`).digest('base64url');
}

describe('a callback URL', () => {
	it('is nothing where the field is empty', () => {
		for (const empty of ['', '  ', undefined, null]) {
			expect(sign(empty)).toEqual({ ok: true, value: undefined });
		}
	});

	it('gets a signature, and no metadata where there is none', () => {
		expect(signed(HOOK)).toBe(`${HOOK}?seedance_sig=${expectedSignature('')}`);
	});

	it('gets its metadata as base64url of JSON, covered by the signature', () => {
		const meta = Buffer.from('{"row":7}').toString('base64url');
		expect(signed(HOOK, { row: 7 })).toBe(
			`${HOOK}?seedance_meta=${meta}&seedance_sig=${expectedSignature(meta)}`,
		);
	});

	it('is signed with the key without blanks around it, as the credential sends it', () => {
		expect(signedCallbackUrl(HOOK, [], ` ${ACCOUNT}\n`, 'internet')).toEqual(sign(HOOK));
	});

	it.each([
		['a query', 'https://a.example.com/h?a=1&b=%20', '&'],
		['an empty query', 'https://a.example.com/h?', ''],
		['a query that ends openly', 'https://a.example.com/h?a=1&', ''],
		['a port and a path prefix', 'https://a.example.com:8443/n8n/webhook/x', '?'],
		['international characters', 'https://bücher.example.com/wébhook/ß?q=ü', '&'],
		['escapes', 'https://a.example.com/a%2Fb%2520?x=%C3%BC', '&'],
	])('with %s stays what it was', (_, url, joint) => {
		expect(signed(url)).toBe(`${url}${joint}seedance_sig=${expectedSignature('')}`);
	});

	it('keeps its fragment at its end', () => {
		expect(signed('https://a.example.com/h?a=1#b?c=2')).toBe(
			`https://a.example.com/h?a=1&seedance_sig=${expectedSignature('')}#b?c=2`,
		);
	});

	it.each([
		['no link', 'my-webhook'],
		['another protocol', 'ftp://a.example.com/h'],
		['a blank inside', 'https://a.example.com/h x'],
		['this machine', 'http://localhost:5678/webhook/x'],
		['a private address', 'http://192.168.1.5/webhook/x'],
		['a password', 'https://me:secret@a.example.com/h'],
		['a number', 5],
	])('is refused for %s, in a sentence that names the field', (_, url) => {
		const [problem, ...others] = problemsOf(url);
		expect(problem).toMatch(/^Callback URL ".+" .+\.$/);
		expect(others).toEqual([]);
	});

	it('may be on this machine when the API is', () => {
		expect(sign('http://127.0.0.1:5678/webhook/x', {}, 'loopback').ok).toBe(true);
	});

	it('that leads to this machine is refused where the API is only in the same network', () => {
		expect(sign('http://n8n:5678/webhook/x', {}, 'private').ok).toBe(true);
		const refused = sign('http://localhost:5678/webhook/x', {}, 'private');
		expect(refused).toMatchObject({
			ok: false,
			problems: [expect.stringContaining('this machine itself (localhost)')],
		});
	});

	it.each([
		['https://n8n.example.com/workflow/Yx3K9dQ2LmN8pRsT', "n8n's editor"],
		['https://n8n.example.com/workflow/12', "n8n's editor"],
		['https://n8n.example.com/workflow/new?projectId=1', "n8n's editor"],
		['https://n8n.example.com/workflow/Yx3K9dQ2LmN8pRsT/executions/77', "n8n's editor"],
		['https://example.com/n8n/workflow/Yx3K9dQ2LmN8pRsT/debug/5', "n8n's editor"],
		['https://n8n.example.com/home/workflows', "n8n's editor"],
		['https://n8n.example.com/projects/P4k/workflows', "n8n's editor"],
		['https://n8n.example.com/form/9d1f2a', 'a form'],
		['https://n8n.example.com/form-test/9d1f2a', 'a form'],
		['https://n8n.example.com/form-waiting/4711', 'a form'],
		['https://n8n.example.com/webhook/9d1f2a/chat', 'a chat'],
		['https://n8n.example.com/webhook-test/9d1f2a/chat', 'a chat'],
		['https://n8n.example.com/hooks/0b7c5f1e-1a2b-4c3d-8e9f-001122334455/chat', 'a chat'],
		['https://n8n.example.com/mcp/9d1f2a', 'an MCP server'],
	])('%s is refused as the address of %s, with what to use', (url, what) => {
		const [problem, ...others] = problemsOf(url);
		expect(problem).toContain(`is the address of ${what}`);
		expect(problem).toContain('Use the Production URL');
		expect(others).toEqual([]);
	});

	it.each([
		'https://n8n.example.com/webhook/workflow/done',
		'https://n8n.example.com/webhook/form/7',
		'https://n8n.example.com/webhook/chat',
		'https://n8n.example.com/webhook/mcp/x',
		'https://hooks.example.com/api/workflow/7',
		'https://hooks.example.com/workflows/7/run',
		'https://hooks.example.com/forms/7',
		'https://hooks.example.com/chat',
		'https://hooks.example.com/team/chat',
		'https://hooks.example.com/home/video-ready',
		'https://hooks.example.com/?next=/workflow/7',
		'https://workflow.example.com/form',
	])('%s is no such address, and passes', (url) => {
		expect(problemsOf(url)).toEqual([]);
	});

	it('that is a test URL passes, and is known to be one', () => {
		const test = 'https://n8n.example.com/webhook-test/5d0f/webhook';
		expect(problemsOf(test)).toEqual([]);
		expect(isTestUrl(test)).toBe(true);
		expect(isTestUrl('https://example.com/n8n/webhook-test/5d0f')).toBe(true);
		for (const other of [HOOK, 'https://a.example.com/h?from=/webhook-test/x', '', 'x']) {
			expect(isTestUrl(other)).toBe(false);
		}
	});

	it('that resumes an execution is sent as it is, because n8n refuses a changed one', () => {
		const resume = 'https://n8n.example.com/webhook-waiting/4711?signature=0f0f';
		expect(sign(resume)).toEqual({ ok: true, value: resume });
		expect(problemsOf(resume, { row: 1 })).toEqual([
			expect.stringContaining('Remove the metadata'),
		]);
	});

	it.each([
		['https://a.example.com/1, https://b.example.com/2', 'holds 2 links'],
		['https://a.example.com/1;https://b.example.com/2', 'holds 2 links'],
		['https://a.example.com/1\nhttps://b.example.com/2\nhttps://c.example.com/3', 'holds 3 links'],
		['["https://a.example.com/1","https://b.example.com/2"]', 'holds 2 links'],
		[['https://a.example.com/1', 'https://b.example.com/2'], 'holds 2 links'],
		['undefined', 'is only the word "undefined"'],
		['https://n8n.example.com/webhook/undefined', 'holds "undefined" as a part of its address'],
		['https://n8n.example.com/webhook/{{ $json.path }}', 'still holds "{{ $json.path }}"'],
		['https://n8n.example.com/webhook/[object Object]', 'gave an object'],
		[{ url: HOOK }, 'must be text, but the expression gave an object'],
	])('%j is refused: %s', (url, reason) => {
		const problems = problemsOf(url);
		expect(problems).toEqual([expect.stringMatching(/^Callback URL .+\.$/s)]);
		expect(problems[0]).toContain(reason);
	});

	it('that was signed before is refused', () => {
		expect(problemsOf(signed(HOOK, { row: 1 }))[0]).toContain('has been signed before');
	});

	it(`has at most ${CALLBACK_URL_MAX_LENGTH} characters as it is sent`, () => {
		const room = CALLBACK_URL_MAX_LENGTH - signed(HOOK).length;
		expect(signed(HOOK + 'x'.repeat(room))).toHaveLength(2000);
		expect(problemsOf(HOOK + 'x'.repeat(room + 1))[0]).toContain('has 2001 characters');
	});
});

describe('metadata', () => {
	it('comes back with the types it was given, whatever they are', () => {
		const values = { n: 7, half: 0.5, yes: true, nothing: null, list: [1, 'a'], deep: { a: {} } };
		expect(metadataIn(queryOf(signed(HOOK, values)))).toEqual(values);
	});

	it('comes back for every JSON object that is small enough', () => {
		fc.assert(
			fc.property(
				fc.dictionary(
					fc.string({ minLength: 1, maxLength: 8 }).filter((name) => name === name.trim()),
					fc.jsonValue({ maxDepth: 2 }),
					{ minKeys: 1, maxKeys: 3 },
				),
				(given) => {
					const json = JSON.stringify(given);
					fc.pre(Buffer.byteLength(json) <= 600);
					// What a broken expression leaves is refused, see below.
					fc.pre(!/\{\{|\$\{|<%|\[object|"(?:undefined|null|NaN)"/i.test(json));
					const query = queryOf(signed(HOOK, given));
					expect(JSON.stringify(metadataIn(query))).toBe(json);
					expect(isSignedBy(proofIn(query), ACCOUNT)).toBe(true);
				},
			),
		);
	});

	it(`may have ${METADATA_MAX_BYTES} bytes, and one more is refused with what to send instead`, () => {
		const room = 1000 - '{"a":""}'.length;
		expect(signed(HOOK, { a: 'x'.repeat(room) })).toContain('seedance_meta=');
		expect(problemsOf(HOOK, { a: 'x'.repeat(room + 1) })).toEqual([
			'Callback Metadata has 1001 bytes; at most 1000 fit into a URL. Send a row number or an ID instead, and look the rest up when the video is ready.',
		]);
		expect(problemsOf(HOOK, { a: 'ü'.repeat(room) })[0]).toContain(`${8 + 2 * room} bytes`);
	});

	it('without a URL is refused, because it would go nowhere', () => {
		expect(problemsOf('', { row: 1 })[0]).toContain('Callback URL is empty');
	});

	it.each([
		['without a name', [{ name: ' ', value: 1 }], 'without a name'],
		[
			'with a name twice',
			[
				{ name: 'row', value: 1 },
				{ name: 'row', value: 2 },
			],
			'"row" twice',
		],
		['that is no JSON', [{ name: 'row', value: 1n }], 'cannot be written as JSON'],
	])('%s is refused', (_, given, sentence) => {
		const result = signedCallbackUrl(HOOK, given, ACCOUNT, 'internet');
		expect(result.ok ? '' : result.problems.join()).toContain(sentence);
	});

	it.each([
		['[object Object]', 'gave an object'],
		['undefined', 'is only the word "undefined"'],
		['null', 'is only the word "null"'],
		['{{ $json.row }}', 'still holds'],
		[Number.NaN, 'must be text, but the expression gave NaN'],
		[new Date(0), 'gave a date'],
	])('with the broken value %j is refused, by its name', (value, reason) => {
		const [problem, ...others] = problemsOf(HOOK, { row: value });
		expect(problem).toContain('Callback Metadata "row"');
		expect(problem).toContain(reason);
		expect(others).toEqual([]);
	});

	it('holds no half of a surrogate pair, at any depth', () => {
		const half = '\ud83d';
		expect(metadataIn(queryOf(signed(HOOK, { a: half, b: [{ c: `x${half}` }] })))).toEqual({
			a: '\ufffd',
			b: [{ c: 'x\ufffd' }],
		});
	});

	it('tells its problems together with those of the URL', () => {
		expect(problemsOf('nowhere', { '': 1 })).toHaveLength(2);
	});

	it('keeps a value that an expression did not find, as null', () => {
		expect(metadataIn(queryOf(signed(HOOK, { row: undefined })))).toEqual({ row: null });
	});

	it('is an empty object where there is none that can be read', () => {
		for (const seedance_meta of [
			undefined,
			'',
			'ew',
			'bm8',
			'W10',
			'bnVsbA',
			['e30'],
			{},
			7,
			'#',
		]) {
			expect(metadataIn({ seedance_meta })).toEqual({});
		}
	});
});

describe('a signature', () => {
	const query = queryOf(signed(HOOK, { row: 1 }));

	it('of this account is recognised', () => {
		expect(isSignedBy(proofIn(query), ACCOUNT)).toBe(true);
	});

	it.each([
		['another key', query, `${ACCOUNT}x`],
		['other metadata', { ...query, seedance_meta: 'eyJyb3ciOjJ9' }, ACCOUNT],
		['no metadata', { seedance_sig: query.seedance_sig }, ACCOUNT],
		[
			'metadata it was not made for',
			{ ...queryOf(signed(HOOK)), seedance_meta: query.seedance_meta },
			ACCOUNT,
		],
	])('does not hold for %s', (_, changed, apiKey) => {
		expect(typeof proofIn(changed)).toBe('object');
		expect(isSignedBy(proofIn(changed), apiKey)).toBe(false);
	});

	it('is told from none at all', () => {
		expect(proofIn({})).toBe('absent');
		expect(isSignedBy('absent', ACCOUNT)).toBe(false);
	});

	it('is told from what cannot be one, without a look at the key', () => {
		const { seedance_sig: right } = query;
		const wrong = ['', `${right}x`, String(right).slice(1), [right], { 0: right }, 5, null];
		for (const seedance_sig of wrong) expect(proofIn({ ...query, seedance_sig })).toBe('malformed');
		for (const seedance_meta of [['e30'], {}, 7, null, 'e30=', 'x'.repeat(1335)]) {
			expect(proofIn({ ...query, seedance_meta })).toBe('malformed');
		}
		expect(isSignedBy('malformed', ACCOUNT)).toBe(false);
	});

	it('does not hold for any other text', () => {
		fc.assert(
			fc.property(fc.stringMatching(/^[\w-]{43}$/), (seedance_sig) => {
				fc.pre(seedance_sig !== query.seedance_sig);
				expect(isSignedBy(proofIn({ ...query, seedance_sig }), ACCOUNT)).toBe(false);
			}),
		);
	});
});
