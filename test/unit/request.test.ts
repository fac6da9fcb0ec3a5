/** What a request may hold, the bytes that are sent for it, and their price. */
import { labelOf } from '../../nodes/Seedance/description/labels';
import * as models from '../../nodes/shared/task/models';
import type { ApiReach } from '../../nodes/shared/task/publicUrl';
import * as requests from '../../nodes/shared/task/request';
import type { RawFields, VideoRequest } from '../../nodes/shared/task/request';
import { checkTaskId, switchOf } from '../../nodes/shared/task/values';
import imageLinks from '../fixtures/imageLinks.json';
import prices from '../fixtures/prices.json';
import prompts from '../fixtures/prompts.json';
import bodies from '../fixtures/requestBodies.json';
import sheetValues from '../fixtures/sheetValues.json';
import taskIds from '../fixtures/taskIds.json';
import * as fc from '../support/fastCheck.cjs';

const V1 = models.DEFAULT_MODEL;
/** The names of the fields in a body of version 1. */
const SENT_AS: Record<string, string> = { aspectRatio: 'aspect_ratio', imageUrl: 'image_urls' };
const FIELDS = { prompt: 'a cat', aspectRatio: '9:16', resolution: '720p', duration: '8' };

function accepted(raw: RawFields, apiReach: ApiReach = 'internet'): VideoRequest {
	const checked = requests.checkVideoRequest({ ...FIELDS, ...raw }, apiReach);
	if (!checked.ok) throw new Error(checked.problems.join(' '));
	return checked.value;
}

function problemsOf(raw: RawFields): string[] {
	const checked = requests.checkVideoRequest({ ...FIELDS, ...raw }, 'internet');
	return checked.ok ? [] : checked.problems;
}

/** The bytes of the POST, as text. */
const bytes = (raw: RawFields, more: Partial<VideoRequest> = {}) =>
	JSON.stringify(requests.requestBody({ ...accepted(raw), ...more }));

it('starts with a vertical video of 8 seconds in 720p by the first version', () => {
	expect(bytes({ aspectRatio: '', resolution: '', duration: '' })).toBe(
		'{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8"}',
	);
	expect(models.PROMPT_MAX_LENGTH).toBe(2000);
});

describe('the bytes of the request', () => {
	it.each(bodies.bytes)('hold the four fields that are always sent and: $rest', (row) => {
		expect(bytes(row.raw, row.more)).toBe(
			`{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8"${row.rest}}`,
		);
	});

	it.each(prices)('and the price are right for $resolution, $duration s, $generateAudio', (row) => {
		const { resolution, duration, generateAudio, credits } = row;
		const audio = generateAudio ? ',"generate_audio":true' : '';
		for (const aspectRatio of V1.aspectRatios) {
			expect(bytes({ aspectRatio, resolution, duration, generateAudio })).toBe(
				`{"prompt":"a cat","aspect_ratio":"${aspectRatio}","resolution":"${resolution}","duration":"${duration}"${audio}}`,
			);
		}
		const request = accepted({ resolution, duration, generateAudio });
		expect(models.creditsOf(requests.settingsOf(request))).toBe(credits);
		expect(prices).toHaveLength(models.priceSettingsOf(V1).length);
	});
});

describe('a value from a sheet or an expression', () => {
	const tidied = Object.entries<unknown[][]>(sheetValues.tidied);
	it.each<unknown[]>([
		...prompts.plain.map((text) => ['prompt', text, text]),
		['prompt', 42, '42'],
		// Half a surrogate pair, as a cut text leaves it.
		['prompt', 'a cat \ud83d', 'a cat \ufffd'],
		['prompt', '\udc08 a cat 🐈', '\ufffd a cat 🐈'],
		...tidied.flatMap(([field, rows]) => rows.map((row) => [field, ...row])),
		...imageLinks.tidied.map((row) => ['imageUrl', ...row]),
		...[...imageLinks.one, ...imageLinks.files].map((link) => ['imageUrl', link, link]),
	])('as %s, tidied where only one thing can be meant: %j', (field, given, sent) => {
		const name = String(field);
		const body: unknown = JSON.parse(bytes({ [name]: given }));
		const value = name === 'imageUrl' ? [sent] : sent;
		expect(body).toHaveProperty(SENT_AS[name] ?? name, value);
	});

	it.each([
		[true, sheetValues.switchedOn],
		[false, [...sheetValues.switchedOff, undefined]],
	])('switches audio and lens %p: %j', (isOn, values) => {
		const on = { generateAudio: isOn, fixedLens: isOn };
		for (const value of values) {
			expect(accepted({ generateAudio: value, fixedLens: value })).toMatchObject(on);
		}
	});

	it('distinguishes yes, no, and anything else', () => {
		expect([true, 'Yes', 1, ' on '].map(switchOf)).toEqual([true, true, true, true]);
		expect([false, 'No', 0, 'OFF'].map(switchOf)).toEqual([false, false, false, false]);
		expect(['', 'maybe', 2, {}, null, undefined].map(switchOf)).toEqual(Array(6).fill(undefined));
	});

	it.each([undefined, null, '', '  ', '\n'])('is the default where there is none: %j', (empty) => {
		const names = ['aspectRatio', 'resolution', 'duration', 'generateAudio', 'fixedLens'];
		const emptied = Object.fromEntries([...names, 'model'].map((name) => [name, empty]));
		expect(bytes(emptied)).toBe(bytes({}));
	});
});

describe('a refused value', () => {
	it.each<unknown[]>([
		...prompts.broken.map((row) => ['prompt', ...row]),
		['prompt', undefined, 'is empty: this item has no such value'],
		['prompt', new Date(0), 'gave a date'],
		['prompt', Promise.resolve('a cat'), 'gave a Promise'],
		['prompt', Number.NaN, 'gave NaN'],
		['prompt', Number.POSITIVE_INFINITY, 'gave Infinity'],
		['prompt', () => 'a cat', 'gave a function'],
		...imageLinks.refused.map((row) => ['imageUrl', ...row]),
		['imageUrl', undefined, 'is empty'],
		...sheetValues.refused,
		['duration', Number.NaN, 'Duration "NaN"', 'Allowed: 4, 8, 12'],
	])('is named with its field, the reason and what to do: %s %j', (field, value, ...texts) => {
		const problems = problemsOf({ [String(field)]: value });
		const label = labelOf(String(field));
		expect(problems).toEqual([expect.stringMatching(new RegExp(`^${label} [^]+\\.$`))]);
		for (const text of texts) expect(problems[0]).toContain(text);
		// That is no time is not called one.
		expect(problems[0]).not.toContain('looks like a time');
	});

	it.each<unknown[]>([
		...sheetValues.asTime,
		['aspectRatio', new Date(0), 'Allowed: 9:16'],
		...bodies.ratiosAsTime.map((time) => ['aspectRatio', time, 'Allowed: 9:16']),
	])('is reported to be a time that a spreadsheet made of it: %s %j', (field, value, allowed) => {
		const problems = problemsOf({ [String(field)]: value });
		expect(problems).toEqual([expect.stringContaining(String(allowed))]);
		expect(problems[0]).toContain('looks like a time or a date: a spreadsheet');
	});

	it('is refused whatever it is: only the contract’s values pass', () => {
		const anything = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.jsonValue());
		fc.assert(
			fc.property(anything, anything, anything, (aspectRatio, resolution, duration) => {
				const raw = { prompt: 'a cat', aspectRatio, resolution, duration };
				const checked = requests.checkVideoRequest(raw, 'internet');
				if (!checked.ok) {
					expect(checked.problems.length).toBeGreaterThan(0);
					return;
				}
				expect(V1.aspectRatios).toContain(checked.value.aspectRatio);
				expect(V1.resolutions).toContain(checked.value.resolution);
				expect(V1.durations).toContain(checked.value.duration);
			}),
		);
	});

	it('does not hide another: all problems come at once', () => {
		const settings = { aspectRatio: '2:1', resolution: '1080p', duration: '5' };
		const others = { generateAudio: 'loud', fixedLens: 'maybe', imageUrl: 'cat.png' };
		const raw = { prompt: '', ...settings, ...others };
		expect(problemsOf(raw)).toEqual(
			Object.keys(raw).map((name) => expect.stringMatching(`^${labelOf(name)} `)),
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
});

describe('a prompt', () => {
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

describe('an image link', () => {
	it('is not sent when no image is wanted, and may be local when the API is', () => {
		expect(accepted({}).imageUrls).toEqual([]);
		const imageUrl = 'http://127.0.0.1:4000/cat.png';
		expect(accepted({ imageUrl }, 'loopback').imageUrls).toEqual([imageUrl]);
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
		const settings = { resolution: '480P', duration: '12s', generateAudio: 'yes' };
		expect(requests.checkSettings(settings)).toEqual({
			ok: true,
			value: {
				model: V1,
				resolution: '480p',
				duration: 12,
				generateAudio: true,
				referenceVideos: 0,
			},
		});
		const refused = ['Resolution "4k"', 'Duration "60"'];
		expect(requests.checkSettings({ resolution: '4k', duration: '60' })).toEqual({
			ok: false,
			problems: refused.map((text) => expect.stringContaining(text)),
		});
	});

	it("are read in the API's echo of a request, which has no default for what was made", () => {
		const echo = { resolution: '480p', duration: '12', generate_audio: true };
		const settings = { resolution: '480p', duration: 12, generateAudio: true };
		expect(requests.echoedSettings(echo, V1)).toMatchObject(settings);
		for (const less of [{}, { resolution: '720p' }, { duration: '8' }, { ...echo, duration: '' }]) {
			expect(requests.echoedSettings(less, V1)).toBeUndefined();
		}
	});
});

describe('the Task ID of an item', () => {
	it.each<unknown[]>(taskIds.taken)('%j is %s', (given, value) => {
		expect(checkTaskId(given)).toEqual({ ok: true, value });
	});

	it.each<unknown[]>([
		...taskIds.refused,
		[undefined, 'is empty: this item has no such value'],
		[new Date(0), 'gave a date'],
		[Number.NaN, 'gave NaN'],
	])('%j is refused: it %s', (given, reason) => {
		const checked = checkTaskId(given);
		const problems = checked.ok ? [] : checked.problems;
		expect(problems).toEqual([expect.stringMatching(/^Task ID [^]+\.$/)]);
		expect(problems[0]).toContain(reason);
	});
});
