/** What may be shown of the API's JSON and texts, and how outside values are read. */
import * as fc from 'fast-check';

import { isObject, numberOf, readableText, textOf, withoutSecrets } from '../../nodes/shared/json';

/** Stands for the account's key. */
const ACCOUNT = 'sk-seedance-0123456789';

describe('JSON that is shown', () => {
	it('holds no callback URL, at any depth and in either spelling', () => {
		const shown = withoutSecrets(
			{
				task_id: 't1',
				callback_url: 'https://n8n.example.com/1?seedance_sig=abc',
				request: { prompt: 'a cat', callback_url: 'https://n8n.example.com/2', callbackUrl: 'x' },
				list: [{ CALLBACK_URL: 'x', kept: 1 }],
			},
			ACCOUNT,
		);
		expect(shown).toEqual({
			task_id: 't1',
			request: { prompt: 'a cat' },
			list: [{ kept: 1 }],
		});
	});

	it('keeps a link to an input file of this n8n, without the token that opens it', () => {
		const link = 'https://n8n.example.com/rest/binary-data/signed?token=eyJh.bGci&x=1';
		expect(withoutSecrets({ request: { image_urls: [link] } }, ACCOUNT)).toEqual({
			request: {
				image_urls: ['https://n8n.example.com/rest/binary-data/signed?token=***&x=1'],
			},
		});
	});

	it('keeps no signature of ours in any text', () => {
		const shown = withoutSecrets(
			{
				note: 'see https://a.example.com/?a=1&seedance_sig=s3cr3t here',
			},
			ACCOUNT,
		);
		expect(shown.note).toBe('see https://a.example.com/?a=1&seedance_sig=*** here');
	});

	it("leaves the video's own link whole, signed or not", () => {
		const response = ['https://cdn.example.com/v.mp4?token=abc&signature=def&Expires=1'];
		expect(withoutSecrets({ response }, ACCOUNT)).toEqual({ response });
	});

	it('never holds the API key, wherever the answer repeats it', () => {
		const shown = withoutSecrets(
			{ a: `Bearer ${ACCOUNT}`, list: [{ b: ACCOUNT }], n: 1, yes: true, nothing: null },
			ACCOUNT,
		);
		expect(shown).toEqual({
			a: 'Bearer ***',
			list: [{ b: '***' }],
			n: 1,
			yes: true,
			nothing: null,
		});
	});

	it('is not garbled where there is no key to hide', () => {
		expect(withoutSecrets({ a: 'banana' }, '')).toEqual({ a: 'banana' });
	});

	it('is a copy: the answer that was read stays as it was', () => {
		const data = { callback_url: 'x', request: { callback_url: 'y' } };
		withoutSecrets(data, ACCOUNT);
		expect(data).toEqual({ callback_url: 'x', request: { callback_url: 'y' } });
	});

	it('is otherwise the same JSON', () => {
		fc.assert(
			fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue()), (value) => {
				const plain: unknown = JSON.parse(JSON.stringify(value));
				expect(withoutSecrets(value, ACCOUNT)).toEqual(plain);
			}),
		);
	});
});

describe('text of the API for a person', () => {
	it.each([
		'<!DOCTYPE html><html><body>502 Bad Gateway</body></html>',
		'<html>\n<head><title>x</title></head></html>',
		'\n  <body class="x">oops</body>',
		'< HTML >',
	])('is nothing where a web page came: %j', (page) => {
		expect(readableText(page, ACCOUNT)).toBe('');
	});

	it('loses single tags, line breaks and runs of blanks', () => {
		expect(readableText(' Not <b>enough</b>\n\t credits ', ACCOUNT)).toBe('Not enough credits');
	});

	it('never holds the API key, however often it is repeated', () => {
		expect(readableText(`key ${ACCOUNT} (${ACCOUNT}) is wrong`, ACCOUNT)).toBe(
			'key *** (***) is wrong',
		);
		expect(readableText('nothing to hide', '')).toBe('nothing to hide');
	});

	it('never holds a signature, a file token or a resume token', () => {
		const text = readableText(
			'a https://x.example.com/w?seedance_sig=AAA b https://x.example.com/rest/binary-data/signed?token=BBB c https://x.example.com/webhook-waiting/1?signature=CCC d',
			ACCOUNT,
		);
		expect(text).not.toMatch(/AAA|BBB|CCC/);
		expect(text).toContain('seedance_sig=***');
	});

	it('is at most 300 characters long', () => {
		expect(readableText('x'.repeat(300), ACCOUNT)).toBe('x'.repeat(300));
		expect(readableText('x'.repeat(301), ACCOUNT)).toBe(`${'x'.repeat(299)}…`);
	});

	it.each([297, 298, 299, 300])('is never cut inside of an emoji: after %i letters', (letters) => {
		const text = readableText(`${'x'.repeat(letters)}${'🙂'.repeat(10)}`, ACCOUNT);
		expect(text).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
		expect([...text].length).toBe(300);
		expect(text.endsWith('…')).toBe(true);
	});

	it('is one line without the key, whatever came', () => {
		fc.assert(
			fc.property(fc.string(), fc.string(), (before, after) => {
				const text = readableText(`${before} ${ACCOUNT} ${after}`, ACCOUNT);
				expect(text).not.toContain(ACCOUNT);
				expect(text).not.toMatch(/[\n\r\t]/);
				expect([...text].length).toBeLessThanOrEqual(300);
			}),
		);
	});
});

describe('values from outside', () => {
	it('objects are told from lists and nothing', () => {
		expect([{}, { a: 1 }].every(isObject)).toBe(true);
		expect([[], null, undefined, 'x', 1, true].some(isObject)).toBe(false);
	});

	it('texts are trimmed, numbers become text, everything else is nothing', () => {
		expect(textOf('  seed1 ')).toBe('seed1');
		expect(textOf(42)).toBe('42');
		for (const value of ['', '  ', NaN, Infinity, true, null, undefined, {}, []]) {
			expect(textOf(value)).toBeUndefined();
		}
	});

	it('numbers may come as text; an empty value is no zero', () => {
		expect(numberOf(28)).toBe(28);
		expect(numberOf(' 28 ')).toBe(28);
		expect(numberOf(0)).toBe(0);
		for (const value of ['', '28 credits', NaN, null, undefined, {}, true]) {
			expect(numberOf(value)).toBeNull();
		}
	});
});

describe('a resume address of this n8n', () => {
	const url = 'https://n8n.example.com/webhook-waiting/7?signature=0123abcd';

	it('loses its token wherever the API repeats it', () => {
		expect(withoutSecrets({ error_message: `Could not tell ${url} about it` }, '')).toEqual({
			error_message:
				'Could not tell https://n8n.example.com/webhook-waiting/7?signature=*** about it',
		});
	});

	it('is told from the signed link of a video, which stays whole', () => {
		const response = ['https://cdn.example.com/a.mp4?x=1&signature=0123abcd'];
		expect(withoutSecrets({ response }, '')).toEqual({ response });
	});
});
