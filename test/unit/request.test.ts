/** What a request may hold, and the bytes that are sent for it. */
import * as fc from 'fast-check';

import { requestKey } from '../../nodes/shared/idempotency/identity';
import {
	ASPECT_RATIOS,
	DEFAULTS,
	DURATIONS,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
} from '../../nodes/shared/task/models';
import type { ApiReach } from '../../nodes/shared/task/publicUrl';
import {
	checkSettings,
	checkVideoRequest,
	echoedSettings,
	requestBody,
	type RawFields,
	type VideoRequest,
} from '../../nodes/shared/task/request';
import { switchOf } from '../../nodes/shared/task/values';
import imageLinks from '../fixtures/imageLinks.json';
import prompts from '../fixtures/prompts.json';
import sheetValues from '../fixtures/sheetValues.json';

const FIELDS = { prompt: 'a cat', aspectRatio: '9:16', resolution: '720p', duration: '8' };
const LINK = 'https://cdn.example.com/cat.png';

function accepted(raw: RawFields, apiReach: ApiReach = 'internet'): VideoRequest {
	const checked = checkVideoRequest({ ...FIELDS, ...raw }, apiReach);
	if (!checked.ok) throw new Error(checked.problems.join(' '));
	return checked.value;
}

function problemsOf(raw: RawFields): string[] {
	const checked = checkVideoRequest({ ...FIELDS, ...raw }, 'internet');
	return checked.ok ? [] : checked.problems;
}

/** The bytes of the POST, as text. */
const bytes = (raw: RawFields, more: Partial<VideoRequest> = {}) =>
	JSON.stringify(requestBody({ ...accepted(raw), ...more }));

it('offers what the API offers, starting with a vertical video of 8 seconds in 720p', () => {
	expect(ASPECT_RATIOS).toEqual(['9:16', '16:9', '1:1', '3:4', '4:3', '21:9', '9:21']);
	expect(RESOLUTIONS).toEqual(['720p', '480p']);
	expect(DURATIONS).toEqual(['4', '8', '12']);
	expect(PROMPT_MAX_LENGTH).toBe(2000);
	expect(DEFAULTS).toEqual({ aspectRatio: '9:16', resolution: '720p', duration: '8' });
});

describe('the bytes of the request', () => {
	const callbackUrl = 'https://n8n.example.com/w?a=b';
	const switches = ',"generate_audio":true,"fixed_lens":true';

	it.each<[RawFields, Partial<VideoRequest>, string]>([
		[{}, {}, ''],
		[{ generateAudio: false, fixedLens: false }, {}, ''],
		[{ generateAudio: true }, {}, ',"generate_audio":true'],
		[{ fixedLens: true }, {}, ',"fixed_lens":true'],
		[{ imageUrl: LINK }, {}, `,"image_urls":["${LINK}"]`],
		[{}, { callbackUrl }, `,"callback_url":"${callbackUrl}"`],
		[
			{ generateAudio: true, fixedLens: true, imageUrl: LINK },
			{ callbackUrl },
			`${switches},"image_urls":["${LINK}"],"callback_url":"${callbackUrl}"`,
		],
		// Nothing goes in that the contract does not have.
		[{ model: 'x', seed: 1, callback_url: 'y', apiKey: 'z' }, {}, ''],
	])('hold, for %j and %j, the four fields that are always sent and: %s', (raw, more, rest) => {
		expect(bytes(raw, more)).toBe(
			`{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8"${rest}}`,
		);
	});

	it('are right in all 7 × 2 × 3 combinations, silent and with audio', () => {
		let combinations = 0;
		for (const aspectRatio of ASPECT_RATIOS) {
			for (const resolution of RESOLUTIONS) {
				for (const duration of DURATIONS) {
					for (const generateAudio of [false, true]) {
						combinations++;
						expect(bytes({ aspectRatio, resolution, duration, generateAudio })).toBe(
							`{"prompt":"a cat","aspect_ratio":"${aspectRatio}","resolution":"${resolution}","duration":"${duration}"${generateAudio ? ',"generate_audio":true' : ''}}`,
						);
					}
				}
			}
		}
		expect(combinations).toBe(84);
	});
});

describe('a prompt', () => {
	const EMPTY = 'is empty: this item has no such value. Describe the video in words, or';
	const TEXTS = ['123', '007', '1e3', 'true', '{"a":1}', 'Ein Kater\n"Tom" 🐈', ...prompts.plain];

	it.each<unknown[]>([
		...TEXTS.map((text) => [text, text]),
		[42, '42'],
		[true, 'true'],
		// Half a surrogate pair, as a cut text leaves it.
		['a cat \ud83d', 'a cat \ufffd'],
		['\udc08 a cat 🐈', '\ufffd a cat 🐈'],
	])('that only looks like something else is sent as text: %j', (prompt, sent) => {
		expect(bytes({ prompt })).toContain(`{"prompt":${JSON.stringify(sent)},`);
	});

	it('is sent as it was written', () => {
		const isPlain = (text: string) => !!text.trim() && !/\{\{|\$|<%|\[object/.test(text);
		const written = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter(isPlain);
		fc.assert(
			fc.property(written, (prompt) => {
				expect(JSON.parse(bytes({ prompt }))).toMatchObject({ prompt });
			}),
		);
	});

	it('may have 2000 characters and not one more', () => {
		expect(problemsOf({ prompt: 'x'.repeat(2000) })).toEqual([]);
		expect(problemsOf({ prompt: 'x'.repeat(2001) })).toEqual([
			'Prompt has 2001 characters; the API takes at most 2000. Shorten it.',
		]);
	});

	it.each<unknown[]>([
		...prompts.broken,
		...['', '   ', '\n', null, undefined].map((empty) => [empty, EMPTY]),
		[new Date(0), 'gave a date'],
		[Promise.resolve('a cat'), 'gave a Promise'],
		[Number.NaN, 'gave NaN'],
		[Number.POSITIVE_INFINITY, 'gave Infinity'],
		[() => 'a cat', 'gave a function'],
	])('that is a broken expression is refused before it costs: %j', (prompt, reason) => {
		const problems = problemsOf({ prompt });
		expect(problems).toEqual([expect.stringMatching(/^Prompt .+\.$/)]);
		expect(problems[0]).toContain(reason);
	});

	it('is never what JavaScript writes for something that is no text', () => {
		const withAll = { withMap: true, withDate: true, withSet: true, withNullPrototype: true };
		fc.assert(
			fc.property(fc.string(), fc.anything(withAll), fc.string(), (before, value, after) => {
				const prompt = `${before}${Object.prototype.toString.call(value)}${after}`;
				expect(problemsOf({ prompt })).not.toEqual([]);
			}),
		);
	});
});

describe('values from sheets and expressions', () => {
	const tidied = Object.entries<unknown[][]>(sheetValues.tidied);
	it.each(tidied.flatMap(([field, rows]) => rows.map((row) => [field, ...row])))(
		'%s %j is sent as %s',
		(field, given, sent) => {
			expect(accepted({ [String(field)]: given })).toMatchObject({ [String(field)]: sent });
		},
	);

	it.each([
		[true, sheetValues.switchedOn],
		[false, [...sheetValues.switchedOff, undefined]],
	])('switch audio and lens %p: %j', (isOn, values) => {
		const on = { generateAudio: isOn, fixedLens: isOn };
		for (const value of values) {
			expect(accepted({ generateAudio: value, fixedLens: value })).toMatchObject(on);
		}
	});

	it('tell yes from no, and both from anything else', () => {
		expect([true, 'Yes', 1, ' on '].map(switchOf)).toEqual([true, true, true, true]);
		expect([false, 'No', 0, 'OFF'].map(switchOf)).toEqual([false, false, false, false]);
		expect(['', 'maybe', 2, {}, null, undefined].map(switchOf)).toEqual(Array(6).fill(undefined));
	});

	it.each([undefined, null, '', '  ', '\n'])('are the default where there is none: %j', (empty) => {
		const names = ['aspectRatio', 'resolution', 'duration', 'generateAudio', 'fixedLens'];
		const request = accepted(Object.fromEntries(names.map((name) => [name, empty])));
		const off = { generateAudio: false, fixedLens: false };
		expect(request).toEqual({ prompt: 'a cat', ...DEFAULTS, ...off });
	});
});

describe('a refused value', () => {
	it.each<unknown[]>([
		...sheetValues.refused,
		['duration', Number.NaN, 'Duration "NaN"', '4, 8, 12'],
	])('%s %j is named with its field and what is allowed', (field, value, named, allowed) => {
		const problems = problemsOf({ [String(field)]: value });
		expect(problems).toEqual([expect.stringContaining(`Allowed: ${String(allowed)}`)]);
		expect(problems[0]).toContain(named);
		// That is no time is not called one.
		expect(problems[0]).not.toContain('spreadsheet');
	});

	it('is refused whatever it is: only the contract’s values pass', () => {
		const anything = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.jsonValue());
		fc.assert(
			fc.property(anything, anything, anything, (aspectRatio, resolution, duration) => {
				const raw = { prompt: 'a cat', aspectRatio, resolution, duration };
				const checked = checkVideoRequest(raw, 'internet');
				if (!checked.ok) {
					expect(checked.problems.length).toBeGreaterThan(0);
					return;
				}
				expect(ASPECT_RATIOS).toContain(checked.value.aspectRatio);
				expect(RESOLUTIONS).toContain(checked.value.resolution);
				expect(DURATIONS).toContain(checked.value.duration);
			}),
		);
	});

	it('does not hide another: all problems come at once', () => {
		const problems = problemsOf({
			prompt: '',
			aspectRatio: '2:1',
			resolution: '1080p',
			duration: '5',
			generateAudio: 'loud',
			fixedLens: 'maybe',
			imageUrl: 'cat.png',
		});
		const fields = ['Prompt', 'Aspect Ratio', 'Resolution', 'Duration', 'Generate Audio'];
		expect(problems).toEqual(
			[...fields, 'Fixed Lens', 'Image URL'].map((field) => expect.stringMatching(`^${field} `)),
		);
	});

	it('is quoted short, however long it is, and even where it cannot be written down', () => {
		const circular: Record<string, unknown> = {};
		circular.self = circular;
		for (const resolution of ['x'.repeat(5000), circular, 1n, Symbol('x'), () => 1]) {
			const problems = problemsOf({ resolution });
			expect(problems).toHaveLength(1);
			expect(problems[0].length).toBeLessThan(200);
		}
	});

	it.each<unknown[]>([...sheetValues.asTime, ['aspectRatio', new Date(0), '9:16']])(
		'%s %j is told to be a time or a date that a spreadsheet made of it',
		(field, value, allowed) => {
			const problems = problemsOf({ [String(field)]: value });
			expect(problems).toEqual([expect.stringContaining(`Allowed: ${String(allowed)}`)]);
			expect(problems[0]).toContain('looks like a time or a date: a spreadsheet');
		},
	);

	it.each(ASPECT_RATIOS)('%s in every form of a time is never taken for another ratio', (ratio) => {
		const [first, second] = ratio.split(':').map(Number);
		const [hours, minutes] = [first, second].map((number) => String(number).padStart(2, '0'));
		const forms = [
			`${first}:${minutes}:00`,
			`${hours}:${minutes}:00`,
			`1899-12-30 ${hours}:${minutes}:00`,
			`00:${hours}:${minutes}`,
			(first * 60 + second) / 1440,
			String((first * 60 + second) / 1440),
			(first * 60 + second) / 86400,
		];
		for (const aspectRatio of forms) {
			expect(problemsOf({ aspectRatio })[0]).toContain('a spreadsheet');
		}
	});
});

describe('an image link', () => {
	it.each<unknown[]>([
		[` ${LINK} `, LINK],
		[[LINK], LINK],
		...imageLinks.tidied,
		...[...imageLinks.one, ...imageLinks.files].map((link) => [link, link]),
	])('is sent, tidied where only one thing can be meant: %j', (imageUrl, sent) => {
		expect(accepted({ imageUrl }).imageUrl).toBe(sent);
	});

	it('is not sent when no image is wanted, and may be local when the API is', () => {
		expect(accepted({}).imageUrl).toBeUndefined();
		const imageUrl = 'http://127.0.0.1:4000/cat.png';
		expect(accepted({ imageUrl }, 'loopback').imageUrl).toBe(imageUrl);
	});

	it.each<unknown[]>([
		...imageLinks.refused,
		...['', '  ', null, undefined, []].map((empty) => [empty, 'is empty']),
		[
			[LINK, LINK],
			'holds 2 links; it takes one. Choose one of them, or give each an item of its own',
		],
	])('%j is refused: it %s', (imageUrl, reason, instead = '') => {
		const problems = problemsOf({ imageUrl });
		expect(problems).toEqual([expect.stringMatching(/^Image URL .+\.$/)]);
		expect(problems[0]).toContain(reason);
		expect(problems[0]).toContain(instead);
	});

	it('that holds the image itself is refused with the way out, and is not printed', () => {
		const [problem] = problemsOf({ imageUrl: `data:image/png;base64,${'A'.repeat(2000)}` });
		expect(problem).toContain('data URI');
		expect(problem).toContain('From Input File');
		expect(problem).not.toContain('AAAA');
	});
});

describe('the settings that decide the price', () => {
	it('are checked without a prompt, and refused like a whole request', () => {
		expect(checkSettings({ resolution: '480P', duration: '12s', generateAudio: 'yes' })).toEqual({
			ok: true,
			value: { resolution: '480p', duration: '12', generateAudio: true },
		});
		const refused = ['Resolution "4k"', 'Duration "60"'];
		expect(checkSettings({ resolution: '4k', duration: '60' })).toEqual({
			ok: false,
			problems: refused.map((text) => expect.stringContaining(text)),
		});
	});

	it("are read in the API's echo of a request, which has no default for what was made", () => {
		const echo = { resolution: '480p', duration: '12', generate_audio: true };
		const settings = { resolution: '480p', duration: '12', generateAudio: true };
		expect(echoedSettings(echo)).toEqual(settings);
		for (const less of [{}, { resolution: '720p' }, { duration: '8' }, { ...echo, duration: '' }]) {
			expect(echoedSettings(less)).toBeUndefined();
		}
	});
});

describe('the request key', () => {
	const request = accepted({ imageUrl: LINK });
	const keyOf = (change: Partial<VideoRequest> = {}, file?: string) =>
		requestKey(requestBody({ ...request, ...change }), file);

	it('is a SHA-256 in hex, the same for the same video, whatever its callback URL', () => {
		expect(keyOf()).toMatch(/^[0-9a-f]{64}$/);
		expect(keyOf({ callbackUrl: 'https://n8n.example.com/resume' })).toBe(keyOf());
	});

	it.each<Partial<VideoRequest>>([
		{ prompt: 'a dog' },
		{ aspectRatio: '16:9' },
		{ resolution: '480p' },
		{ duration: '4' },
		{ generateAudio: true },
		{ fixedLens: true },
		{ imageUrl: 'https://cdn.example.com/dog.png' },
		{ imageUrl: undefined },
	])('differs for another video: %j', (change) => {
		expect(keyOf(change)).not.toBe(keyOf());
	});

	it('goes by the input file itself, whose link differs each time', () => {
		const [first, second] = [1, 2].map((token) => ({ imageUrl: `https://n8n/f?token=${token}` }));
		expect(keyOf(first, 'file-1')).toBe(keyOf(second, 'file-1'));
		expect(keyOf(first, 'file-1')).not.toBe(keyOf(first, 'file-2'));
	});

	it('does not mistake a field for its neighbour', () => {
		expect(keyOf({ generateAudio: true })).not.toBe(keyOf({ fixedLens: true }));
	});
});
