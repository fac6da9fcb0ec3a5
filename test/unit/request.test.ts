/** What a request may hold, and the bytes that are sent for it. */
import * as fc from 'fast-check';

import type { ApiReach } from '../../nodes/shared/task/publicUrl';
import { requestKey } from '../../nodes/shared/idempotency/identity';
import {
	ASPECT_RATIOS,
	DEFAULTS,
	DURATIONS,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
} from '../../nodes/shared/task/models';
import { switchOf } from '../../nodes/shared/task/values';
import {
	checkSettings,
	checkVideoRequest,
	echoedSettings,
	requestBody,
	type RawFields,
	type VideoRequest,
} from '../../nodes/shared/task/request';

const FIELDS = { prompt: 'a cat', aspectRatio: '9:16', resolution: '720p', duration: '8' };
const LINK = 'https://cdn.example.com/cat.png';

function accepted(raw: RawFields, apiReach: ApiReach = 'internet'): VideoRequest {
	const checked = checkVideoRequest(raw, apiReach);
	if (!checked.ok) throw new Error(checked.problems.join(' '));
	return checked.value;
}

function problemsOf(raw: RawFields, apiReach: ApiReach = 'internet'): string[] {
	const checked = checkVideoRequest(raw, apiReach);
	return checked.ok ? [] : checked.problems;
}

/** The bytes of the POST, as text. */
function bytes(raw: RawFields, more: Partial<VideoRequest> = {}): string {
	return JSON.stringify(requestBody({ ...accepted(raw), ...more }));
}

describe('what the API offers', () => {
	it('is offered whole, and nothing else', () => {
		expect([...ASPECT_RATIOS].sort()).toEqual(
			['1:1', '16:9', '9:16', '4:3', '3:4', '21:9', '9:21'].sort(),
		);
		expect([...RESOLUTIONS].sort()).toEqual(['480p', '720p']);
		expect([...DURATIONS]).toEqual(['4', '8', '12']);
		expect(PROMPT_MAX_LENGTH).toBe(2000);
	});

	it('starts with a vertical video of 8 seconds in 720p', () => {
		expect(DEFAULTS).toEqual({ aspectRatio: '9:16', resolution: '720p', duration: '8' });
		expect(ASPECT_RATIOS[0]).toBe('9:16');
	});
});

describe('the bytes of the request', () => {
	it('hold prompt, ratio, resolution and duration always, and nothing that was not set', () => {
		expect(bytes(FIELDS)).toBe(
			'{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8"}',
		);
		expect(bytes({ ...FIELDS, generateAudio: false, fixedLens: false })).toBe(
			'{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8"}',
		);
	});

	it('hold audio alone', () => {
		expect(bytes({ ...FIELDS, generateAudio: true })).toBe(
			'{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8","generate_audio":true}',
		);
	});

	it('hold the fixed lens alone', () => {
		expect(bytes({ ...FIELDS, fixedLens: true })).toBe(
			'{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8","fixed_lens":true}',
		);
	});

	it('hold the image alone, as a list of one', () => {
		expect(bytes({ ...FIELDS, imageUrl: LINK })).toBe(
			'{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8","image_urls":["https://cdn.example.com/cat.png"]}',
		);
	});

	it('hold the callback URL alone', () => {
		expect(bytes(FIELDS, { callbackUrl: 'https://n8n.example.com/webhook/1?a=b' })).toBe(
			'{"prompt":"a cat","aspect_ratio":"9:16","resolution":"720p","duration":"8","callback_url":"https://n8n.example.com/webhook/1?a=b"}',
		);
	});

	it('hold everything together', () => {
		const raw = {
			prompt: 'Ein Kater\n"Tom" 🐈',
			aspectRatio: '21:9',
			resolution: '480p',
			duration: '12',
			generateAudio: true,
			fixedLens: true,
			imageUrl: LINK,
		};
		expect(bytes(raw, { callbackUrl: 'https://n8n.example.com/w' })).toBe(
			'{"prompt":"Ein Kater\\n\\"Tom\\" 🐈","aspect_ratio":"21:9","resolution":"480p","duration":"12","generate_audio":true,"fixed_lens":true,"image_urls":["https://cdn.example.com/cat.png"],"callback_url":"https://n8n.example.com/w"}',
		);
	});

	const combinations = ASPECT_RATIOS.flatMap((aspectRatio) =>
		RESOLUTIONS.flatMap((resolution) =>
			DURATIONS.flatMap((duration) =>
				[false, true].map((audio) => [aspectRatio, resolution, duration, audio] as const),
			),
		),
	);

	it('are tested in all 7 × 2 × 3 combinations, silent and with audio', () => {
		expect(combinations.length).toBe(84);
	});

	it.each(combinations)(
		'%s at %s and %s seconds, audio %s',
		(ratio, resolution, duration, audio) => {
			const raw = {
				prompt: 'a cat',
				aspectRatio: ratio,
				resolution,
				duration,
				generateAudio: audio,
			};
			expect(bytes(raw)).toBe(
				`{"prompt":"a cat","aspect_ratio":"${ratio}","resolution":"${resolution}","duration":"${duration}"${audio ? ',"generate_audio":true' : ''}}`,
			);
		},
	);

	it('never hold a key that the contract does not know', () => {
		const known = [
			'prompt',
			'aspect_ratio',
			'resolution',
			'duration',
			'generate_audio',
			'fixed_lens',
			'image_urls',
			'callback_url',
		];
		const raw = { ...FIELDS, imageUrl: LINK, model: 'x', seed: 1, callback_url: 'y', apiKey: 'z' };
		const body = requestBody(accepted(raw));
		expect(Object.keys(body).filter((key) => !known.includes(key))).toEqual([]);
		expect(body.callback_url).toBeUndefined();
	});
});

describe('a prompt', () => {
	it.each([
		['123', '123'],
		['007', '007'],
		['1e3', '1e3'],
		['true', 'true'],
		['{"a":1}', '{"a":1}'],
	])('that looks like something else stays text: %s', (given, sent) => {
		expect(bytes({ ...FIELDS, prompt: given })).toContain(`{"prompt":${JSON.stringify(sent)},`);
	});

	it('that an expression made a number or a yes is sent as text', () => {
		expect(accepted({ ...FIELDS, prompt: 42 }).prompt).toBe('42');
		expect(accepted({ ...FIELDS, prompt: true }).prompt).toBe('true');
	});

	it('is sent as it was written', () => {
		fc.assert(
			fc.property(
				fc
					.string({ unit: 'grapheme', minLength: 1, maxLength: 200 })
					.filter((text) => !!text.trim() && !/\{\{|\$|<%|\[object/.test(text)),
				(prompt) => {
					expect(JSON.parse(bytes({ ...FIELDS, prompt }))).toMatchObject({ prompt });
				},
			),
		);
	});

	it.each(['', '   ', '\n', null, undefined])('that is empty is refused: %j', (prompt) => {
		expect(problemsOf({ ...FIELDS, prompt })).toEqual([
			'Prompt is empty: this item has no such value. Describe the video in words, or check the name in the expression.',
		]);
	});

	it('may have 2000 characters and not one more', () => {
		expect(problemsOf({ ...FIELDS, prompt: 'x'.repeat(2000) })).toEqual([]);
		const [problem] = problemsOf({ ...FIELDS, prompt: 'x'.repeat(2001) });
		expect(problem).toContain('Prompt');
		expect(problem).toContain('2001');
		expect(problem).toContain('2000');
	});

	it('that is no text is refused, with what it is', () => {
		const [problem] = problemsOf({ ...FIELDS, prompt: { scene: 'cat' } });
		expect(problem).toContain('Prompt must be text');
		expect(problem).toContain('scene');
	});

	it('with half a surrogate pair, as a cut text leaves it, is sent well-formed', () => {
		expect(accepted({ ...FIELDS, prompt: 'a cat \ud83d' }).prompt).toBe('a cat \ufffd');
		expect(accepted({ ...FIELDS, prompt: '\udc08 a cat 🐈' }).prompt).toBe('\ufffd a cat 🐈');
	});

	it.each([
		['[object Object]', 'gave an object'],
		['A cat in [object Object] style', 'gave an object'],
		['[object Promise]', 'gave an object'],
		['[object Undefined] at night', 'gave an object'],
		['[Array]', 'gave an object'],
		['Colours: [Object]', 'gave an object'],
		['undefined', 'is only the word "undefined"'],
		[' Null ', 'is only the word "Null"'],
		['NaN', 'is only the word "NaN"'],
		['"undefined"', 'is only the word'],
		['A cat in {{city}} style {{style}}', 'still holds "{{city}}"'],
		['A cat in {{ $json.city }}', 'still holds "{{ $json.city }}"'],
		['A cat in {{ $json.city', 'still holds'],
		['A cat in ${city}', 'still holds "${city}"'],
		['$json.prompt', 'still holds'],
		["$('Sheet').item.json.prompt", 'still holds'],
		['#N/A', 'the error of a formula'],
		['#REF!', 'the error of a formula'],
		[{ scene: 'a cat' }, 'Choose one value of it such as its "scene"'],
		[['a cat', 'a dog'], 'gave a list of 2'],
		[['a cat'], 'gave a list of 1'],
		[[], 'gave a list of 0'],
		[new Date(0), 'gave a date'],
		[{ isLuxonDateTime: true, ts: 0 }, 'gave a date'],
		[Promise.resolve('a cat'), 'gave a Promise'],
		[Number.NaN, 'gave NaN'],
		[Number.POSITIVE_INFINITY, 'gave Infinity'],
		[() => 'a cat', 'gave a function'],
	])('that is a broken expression is refused before it costs: %j', (prompt, reason) => {
		const problems = problemsOf({ ...FIELDS, prompt });
		expect(problems).toEqual([expect.stringMatching(/^Prompt .+\.$/)]);
		expect(problems[0]).toContain(reason);
	});

	it.each([
		'A cat in undefined style',
		'an undefined shape floats over a null island',
		'The word NULL in neon letters',
		'Infinity pool at dusk',
		'A price tag of $5 and {curly} braces',
		'{"scene":{"subject":"cat"}}',
		'[Subject: a cat] [Object: a vase] [Style: noir]',
		'An object [red] on a table',
		'The hashtag #N on a wall',
		'nullify',
		'0',
	])('that only looks like one passes: %s', (prompt) => {
		expect(accepted({ ...FIELDS, prompt }).prompt).toBe(prompt);
	});

	it('is never what JavaScript writes for something that is no text', () => {
		const anything = fc.anything({
			withMap: true,
			withDate: true,
			withSet: true,
			withNullPrototype: true,
		});
		fc.assert(
			fc.property(fc.string(), anything, fc.string(), (before, value, after) => {
				const prompt = `${before}${Object.prototype.toString.call(value)}${after}`;
				expect(problemsOf({ ...FIELDS, prompt })).not.toEqual([]);
			}),
		);
	});
});

describe('values from sheets and expressions', () => {
	it.each([
		[8, '8'],
		['8', '8'],
		['8s', '8'],
		[' 8 S ', '8'],
		['12 seconds', '12'],
		['4 sec', '4'],
		['4.0', '4'],
		['8,0', '8'],
		['12 Seconds', '12'],
		['8-second', '8'],
		['８', '8'],
		['00:08', '8'],
		['0:00:12', '12'],
		[12, '12'],
	])('duration %j is %s', (given, duration) => {
		expect(accepted({ ...FIELDS, duration: given }).duration).toBe(duration);
	});

	it.each([
		[' 720P ', '720p'],
		['480P', '480p'],
		['720', '720p'],
		[480, '480p'],
		['720.0', '720p'],
		['480p (Draft, Cheaper)', '480p'],
	])('resolution %j is %s', (given, resolution) => {
		expect(accepted({ ...FIELDS, resolution: given }).resolution).toBe(resolution);
	});

	it.each([
		[' 16:9 ', '16:9'],
		['9 : 16', '9:16'],
		['21:9\n', '21:9'],
		['9/16', '9:16'],
		['9x16', '9:16'],
		['16 × 9', '16:9'],
		['16 by 9', '16:9'],
		['16 to 9', '16:9'],
		['16-9', '16:9'],
		['16∶9', '16:9'],
		['１６：９', '16:9'],
		['1920x1080', '16:9'],
		['1080 x 1920 px', '9:16'],
		['9:16 (Vertical: TikTok, Reels, Shorts)', '9:16'],
		[0.5625, '9:16'],
		['0.5625', '9:16'],
		['0,5625', '9:16'],
		[16 / 9, '16:9'],
		['1.78', '16:9'],
		[0.75, '3:4'],
		[4 / 3, '4:3'],
		[1, '1:1'],
		[21 / 9, '21:9'],
		[9 / 21, '9:21'],
	])('aspect ratio %j is %s', (given, aspectRatio) => {
		expect(accepted({ ...FIELDS, aspectRatio: given }).aspectRatio).toBe(aspectRatio);
	});

	it.each([true, 'TRUE', ' true ', 'yes', 1, '1', 'on'])(
		'%j switches audio and lens on',
		(given) => {
			const request = accepted({ ...FIELDS, generateAudio: given, fixedLens: given });
			expect([request.generateAudio, request.fixedLens]).toEqual([true, true]);
		},
	);

	it.each([false, 'FALSE', 'no', 0, '0', 'off', '', ' ', null, undefined])(
		'%j leaves audio and lens off',
		(given) => {
			const request = accepted({ ...FIELDS, generateAudio: given, fixedLens: given });
			expect([request.generateAudio, request.fixedLens]).toEqual([false, false]);
		},
	);

	it('tells yes from no, and both from anything else', () => {
		expect([true, 'Yes', 1, ' on '].map(switchOf)).toEqual([true, true, true, true]);
		expect([false, 'No', 0, 'OFF'].map(switchOf)).toEqual([false, false, false, false]);
		expect(['', 'maybe', 2, {}, null, undefined].map(switchOf)).toEqual(Array(6).fill(undefined));
	});

	it('tidied values make the same bytes as typed ones', () => {
		const untidy = { prompt: 'a cat', aspectRatio: ' 9:16', resolution: '720P', duration: 8 };
		expect(bytes(untidy)).toBe(bytes(FIELDS));
	});
});

describe('a refused value', () => {
	it.each([
		['aspectRatio', '2:1', 'Aspect Ratio "2:1"', '9:16, 16:9, 1:1, 3:4, 4:3, 21:9, 9:21'],
		['aspectRatio', '18:32', 'Aspect Ratio "18:32"', '9:16, 16:9, 1:1, 3:4, 4:3, 21:9, 9:21'],
		['aspectRatio', 'undefined', 'Aspect Ratio is only the word "undefined"', '9:16, 16:9'],
		['aspectRatio', '{{ $json.ratio }}', 'Aspect Ratio still holds', '9:16, 16:9'],
		['aspectRatio', 2, 'Aspect Ratio "2"', '9:16, 16:9'],
		['aspectRatio', 0.5, 'Aspect Ratio "0.5"', '9:16, 16:9'],
		['aspectRatio', '1600x1200x1', 'Aspect Ratio "1600x1200x1"', '9:16, 16:9'],
		['aspectRatio', { a: 1 }, 'Aspect Ratio "{"a":1}"', '9:16, 16:9'],
		['resolution', '1080p', 'Resolution "1080p"', '720p, 480p'],
		['resolution', 'null', 'Resolution is only the word "null"', '720p, 480p'],
		['duration', '5', 'Duration "5"', '4, 8, 12'],
		['duration', 8.5, 'Duration "8.5"', '4, 8, 12'],
		['duration', -8, 'Duration "-8"', '4, 8, 12'],
		['duration', '8 minutes', 'Duration "8 minutes"', '4, 8, 12'],
		['duration', Number.NaN, 'Duration "NaN"', '4, 8, 12'],
		['duration', '[object Object]', 'Duration holds "[object Object]"', '4, 8, 12'],
		['generateAudio', 'loud', 'Generate Audio "loud"', 'true, false'],
		['generateAudio', [true], 'Generate Audio "[true]"', 'true, false'],
		['fixedLens', 'maybe', 'Fixed Lens "maybe"', 'true, false'],
	])('%s %j is named with its field and what is allowed', (field, value, named, allowed) => {
		const problems = problemsOf({ ...FIELDS, [field]: value });
		expect(problems.length).toBe(1);
		expect(problems[0]).toContain(named);
		expect(problems[0]).toContain(`Allowed: ${allowed}`);
	});

	it('is refused whatever it is: only the contract’s values pass', () => {
		const anything = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.jsonValue());
		fc.assert(
			fc.property(anything, anything, anything, (aspectRatio, resolution, duration) => {
				const checked = checkVideoRequest(
					{ prompt: 'a cat', aspectRatio, resolution, duration },
					'internet',
				);
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
		for (const field of [...fields, 'Fixed Lens', 'Image URL']) {
			expect(problems.filter((problem) => problem.startsWith(field)).length).toBe(1);
		}
		expect(problems.length).toBe(7);
	});

	it.each([undefined, null, '', '  ', '\n'])(
		'is not an empty one: %j is the default of its field',
		(empty) => {
			const request = accepted({
				prompt: 'a cat',
				aspectRatio: empty,
				resolution: empty,
				duration: empty,
				generateAudio: empty,
				fixedLens: empty,
			});
			expect(request).toEqual({
				prompt: 'a cat',
				...DEFAULTS,
				generateAudio: false,
				fixedLens: false,
			});
		},
	);

	it('is quoted short, however long it is', () => {
		const [problem] = problemsOf({ ...FIELDS, resolution: 'x'.repeat(5000) });
		expect(problem.length).toBeLessThan(200);
	});

	it.each([
		'9:16:00',
		'16:09:00',
		'9:16:00 AM',
		'9:16 AM',
		'09:16 a.m.',
		'4:09 PM',
		'09:16',
		'16:09',
		'4:03',
		'04:03:00',
		'1:01',
		'01:01:00',
		'21:09',
		'09.16',
		'16h09',
		'1899-12-30 16:09:00',
		'1899-12-30T09:16:00.000Z',
		'30.12.1899 16:09:00',
		'12/30/1899 4:09:00 PM',
		'Sat Dec 30 1899 16:09:00 GMT+0100',
		'2026-09-16',
		'16-Sep',
		'Sep 16',
		'16.09.2026',
		'PT9H16M',
		0.386111111,
		'0.3861',
		0.6729166666666667,
		'0,672916667',
		0.16875,
		0.127777778,
		'1.386111',
		46281,
		new Date(0),
		{ isLuxonDateTime: true },
	])('%j is told to be a time or a date that a spreadsheet made of the ratio', (aspectRatio) => {
		const [problem, ...others] = problemsOf({ ...FIELDS, aspectRatio });
		expect(problem).toContain('looks like a time or a date: a spreadsheet');
		expect(problem).toContain('Allowed: 9:16');
		expect(others).toEqual([]);
	});

	it.each(['08:00', '8:00:00', '12:00 AM', '1899-12-30T00:00:08.000Z'])(
		'%j is told to be a time that a spreadsheet made of the duration',
		(duration) => {
			const [problem] = problemsOf({ ...FIELDS, duration });
			expect(problem).toContain('looks like a time or a date');
			expect(problem).toContain('Allowed: 4, 8, 12 seconds.');
		},
	);

	it.each(ASPECT_RATIOS.map((ratio) => [ratio]))(
		'%s as every form of a time is refused with the hint, and never taken for another ratio',
		(ratio) => {
			const [first, second] = ratio.split(':').map(Number);
			const two = (number: number) => String(number).padStart(2, '0');
			const forms = [
				`${first}:${two(second)}:00`,
				`${two(first)}:${two(second)}:00`,
				`1899-12-30 ${two(first)}:${two(second)}:00`,
				`00:${two(first)}:${two(second)}`,
				(first * 60 + second) / 1440,
				String((first * 60 + second) / 1440),
				(first * 60 + second) / 86400,
			];
			for (const aspectRatio of forms) {
				expect(problemsOf({ ...FIELDS, aspectRatio })[0]).toContain('a spreadsheet');
			}
		},
	);

	it('that is no time is not called one', () => {
		for (const aspectRatio of ['2:1', '5:4', 2.35, 0.5, '1.9', 'wide', 7, 'a separate one']) {
			expect(problemsOf({ ...FIELDS, aspectRatio })[0]).not.toContain('spreadsheet');
		}
	});

	it('is quoted even where it cannot be written down', () => {
		const circular: Record<string, unknown> = {};
		circular.self = circular;
		for (const value of [circular, 1n, Symbol('x'), () => 1]) {
			expect(problemsOf({ ...FIELDS, resolution: value })).toHaveLength(1);
		}
	});
});

describe('an image link', () => {
	it('is sent trimmed, from a text or a list of one', () => {
		expect(accepted({ ...FIELDS, imageUrl: ` ${LINK} ` }).imageUrl).toBe(LINK);
		expect(accepted({ ...FIELDS, imageUrl: [LINK] }).imageUrl).toBe(LINK);
	});

	it('is not sent when no image is wanted', () => {
		expect(accepted(FIELDS).imageUrl).toBeUndefined();
	});

	it('is only one', () => {
		const [problem] = problemsOf({ ...FIELDS, imageUrl: [LINK, LINK] });
		expect(problem).toBe(
			'Image URL holds 2 links; it takes one. Choose one of them, or give each an item of its own (Split Out node).',
		);
	});

	it.each([
		['https://a.example.com/1.png, https://b.example.com/2.png', 2],
		['https://a.example.com/1.png,https://b.example.com/2.png', 2],
		['https://a.example.com/1.png;https://b.example.com/2.png', 2],
		['https://a.example.com/1.png | https://b.example.com/2.png', 2],
		['https://a.example.com/1.png https://b.example.com/2.png', 2],
		['https://a.example.com/1.png\nhttps://b.example.com/2.png\n', 2],
		['https://a.example.com/1.png\r\nhttps://b.example.com/2.png\r\nhttp://c.example.com/3', 3],
		['["https://a.example.com/1.png", "https://b.example.com/2.png"]', 2],
		['https://a.example.com/1.png; 2.png; 3.png', 3],
		['https://a.example.com/1?a=1,2,https://b.example.com/2', 2],
	])('is only one, also in one cell: %j', (imageUrl, count) => {
		expect(problemsOf({ ...FIELDS, imageUrl })).toEqual([
			expect.stringContaining(`Image URL holds ${count} links`),
		]);
	});

	it.each([
		'https://a.example.com/1.png?crop=1,2,3;x|y',
		'https://a.example.com/w_100,h_100/cat.png',
		'https://a.example.com/fetch/w_1,h_2/https://b.example.com/cat.png',
		'https://a.example.com/?url=https://b.example.com/cat.png',
		'https://a.example.com/?urls=https://b.example.com/1.png,https://c.example.com/2.png',
		'https://a.example.com/a.png/b.png',
		'https://a.example.com/my cat.png',
		'https://a.example.com/null-island.png',
		'https://a.example.com/undefined-behaviour?x=nullable',
	])('with commas or another link in it is still one: %s', (imageUrl) => {
		expect(accepted({ ...FIELDS, imageUrl }).imageUrl).toBe(imageUrl);
	});

	it.each([
		[`"${LINK}"`, LINK],
		[`<${LINK}>`, LINK],
		[`["${LINK}"]`, LINK],
	])('is tidied where only one thing can be meant: %j', (imageUrl, sent) => {
		expect(accepted({ ...FIELDS, imageUrl }).imageUrl).toBe(sent);
	});

	it.each([
		['undefined', 'is only the word'],
		['[object Object]', 'gave an object'],
		['https://a.example.com/undefined', 'holds "undefined" as a part'],
		['https://a.example.com/undefined.png', 'holds "undefined" as a part'],
		['https://a.example.com/null/cat.png', 'holds "null" as a part'],
		['https://a.example.com/cat?id=undefined', 'holds "undefined" as a part'],
		['https://a.example.com/[object%20Object]', 'gave an object'],
		['https://a.example.com/%7B%7Bfile%7D%7D', 'still holds "{{file}}"'],
		['https://a.example.com/{{ $json.file }}', 'still holds'],
		[[{ url: LINK }], 'gave an object'],
		['[{"url":"https://a.example.com/1.png"}]', 'gave an object'],
	])('that is a broken expression is refused: %j', (imageUrl, reason) => {
		const problems = problemsOf({ ...FIELDS, imageUrl });
		expect(problems).toEqual([expect.stringMatching(/^Image URL .+\.$/)]);
		expect(problems[0]).toContain(reason);
	});

	it.each([
		[
			'https://drive.google.com/file/d/1AbC_d-9/view?usp=sharing',
			'Google Drive',
			'https://drive.google.com/uc?export=download&id=1AbC_d-9',
		],
		['https://drive.google.com/open?id=1AbC', 'Google Drive', 'uc?export=download&id=1AbC'],
		['https://drive.google.com/drive/folders/1AbC', 'Google Drive', 'Open the folder'],
		['https://docs.google.com/document/d/1AbC/edit', 'Google Docs', 'From Input File'],
		['https://photos.app.goo.gl/Xy12', 'Google Photos', 'From Input File'],
		['https://photos.google.com/share/Xy12', 'Google Photos', 'From Input File'],
		['https://www.dropbox.com/s/abc/cat.png?dl=0', 'Dropbox', 'raw=1'],
		['https://www.dropbox.com/scl/fi/abc/cat.png?rlkey=1&dl=0', 'Dropbox', 'raw=1'],
		['https://www.dropbox.com/scl/fo/abc/folder?rlkey=1&dl=1', 'Dropbox', 'rather than its folder'],
		['https://1drv.ms/i/s!Abc', 'OneDrive', 'From Input File'],
		['https://onedrive.live.com/?cid=1&id=2', 'OneDrive', 'From Input File'],
		['https://acme.sharepoint.com/:i:/g/Eabc', 'OneDrive', 'download=1'],
		['https://www.icloud.com/iclouddrive/0abc#cat', 'iCloud', 'From Input File'],
		['https://share.icloud.com/photos/0abc', 'iCloud', 'From Input File'],
		['https://app.box.com/s/abc', 'Box', 'Direct Link'],
		['https://imgur.com/a/abc', 'Imgur', 'https://i.imgur.com/'],
		['https://github.com/a/b/blob/main/cat.png', 'GitHub', '"Raw"'],
		['https://we.tl/t-abc', 'WeTransfer', 'From Input File'],
		['https://www.google.com/imgres?imgurl=x', 'Google Images', 'address of the image'],
	])(
		'to a page that shows the file is refused, with what to use: %s',
		(imageUrl, name, instead) => {
			const problems = problemsOf({ ...FIELDS, imageUrl });
			expect(problems).toHaveLength(1);
			expect(problems[0]).toContain(`is a page of ${name}`);
			expect(problems[0]).toContain(instead);
		},
	);

	it.each([
		'https://drive.google.com/uc?export=download&id=1AbC',
		'https://drive.google.com/uc?export=view&id=1AbC',
		'https://drive.google.com/thumbnail?id=1AbC&sz=w1000',
		'https://drive.usercontent.google.com/download?id=1AbC',
		'https://lh3.googleusercontent.com/d/1AbC',
		'https://www.dropbox.com/s/abc/cat.png?raw=1',
		'https://www.dropbox.com/scl/fi/abc/cat.png?rlkey=1&dl=1',
		'https://dl.dropboxusercontent.com/s/abc/cat.png',
		'https://onedrive.live.com/download?resid=1',
		'https://api.onedrive.com/v1.0/shares/u!abc/root/content',
		'https://acme.sharepoint.com/:i:/g/Eabc?download=1',
		'https://acme.box.com/shared/static/abc.png',
		'https://i.imgur.com/abc.png',
		'https://raw.githubusercontent.com/a/b/main/cat.png',
		'https://github.com/a/b/blob/main/cat.png?raw=true',
		'https://images.unsplash.com/photo-1?w=1000',
		'https://my-dropbox.com/cat.png',
		'https://drive.google.com.example.com/file/d/1/view',
	])('to the file itself passes: %s', (imageUrl) => {
		expect(accepted({ ...FIELDS, imageUrl }).imageUrl).toBe(imageUrl);
	});

	it.each(['', '  ', null, undefined])('that is %j is told to be empty', (imageUrl) => {
		expect(problemsOf({ ...FIELDS, imageUrl })[0]).toContain('Image URL is empty');
		expect(problemsOf({ ...FIELDS, imageUrl: [] })[0]).toContain('Image URL is empty');
	});

	it('that holds the image itself is refused with the way out, and is not printed', () => {
		const data = `data:image/png;base64,${'A'.repeat(2000)}`;
		const [problem] = problemsOf({ ...FIELDS, imageUrl: data });
		expect(problem).toContain('data URI');
		expect(problem).toContain('From Input File');
		expect(problem).not.toContain('AAAA');
	});

	it.each([
		['cat.png', 'is not a web link'],
		[{ url: LINK }, 'must be text, but the expression gave an object'],
		['ftp://example.com/cat.png', 'is not a web link'],
		['http://localhost/cat.png', 'private address'],
		['http://192.168.0.5/cat.png', 'private address'],
		['https://me:secret@example.com/cat.png', 'user name or password'],
	])('%j is refused', (imageUrl, reason) => {
		const problems = problemsOf({ ...FIELDS, imageUrl });
		expect(problems.length).toBe(1);
		expect(problems[0]).toContain('Image URL');
		expect(problems[0]).toContain(reason);
	});

	it('may be local when the API is', () => {
		const imageUrl = 'http://127.0.0.1:4000/cat.png';
		expect(accepted({ ...FIELDS, imageUrl }, 'loopback').imageUrl).toBe(imageUrl);
	});
});

describe('the settings that decide the price', () => {
	it('are checked without a prompt', () => {
		expect(checkSettings({ resolution: '480P', duration: '12s', generateAudio: 'yes' })).toEqual({
			ok: true,
			value: { resolution: '480p', duration: '12', generateAudio: true },
		});
	});

	it('are refused like a whole request', () => {
		const checked = checkSettings({ resolution: '4k', duration: '60' });
		expect(checked).toEqual({
			ok: false,
			problems: [
				expect.stringContaining('Resolution "4k"'),
				expect.stringContaining('Duration "60"'),
			],
		});
	});
});

describe("the settings in the API's echo of a request", () => {
	it('are known where it tells resolution and duration', () => {
		const echo = { resolution: '480p', duration: '12', generate_audio: true };
		expect(echoedSettings(echo)).toEqual({
			resolution: '480p',
			duration: '12',
			generateAudio: true,
		});
	});

	it.each([{}, { resolution: '720p' }, { duration: '8' }, { resolution: '', duration: '8' }])(
		'are unknown in %j: there is no default for what the API has made',
		(echo) => {
			expect(echoedSettings(echo)).toBeUndefined();
		},
	);
});

describe('the request key', () => {
	const request: VideoRequest = accepted({ ...FIELDS, imageUrl: LINK });
	const keyOf = (given: VideoRequest, identity?: string) =>
		requestKey(requestBody(given), identity);

	it('is a SHA-256 in hex, the same for the same video', () => {
		expect(keyOf(request)).toMatch(/^[0-9a-f]{64}$/);
		expect(keyOf({ ...request })).toBe(keyOf(request));
	});

	const changes: Array<Partial<VideoRequest>> = [
		{ prompt: 'a dog' },
		{ aspectRatio: '16:9' },
		{ resolution: '480p' },
		{ duration: '4' },
		{ generateAudio: true },
		{ fixedLens: true },
		{ imageUrl: 'https://cdn.example.com/dog.png' },
		{ imageUrl: undefined },
	];

	it.each(changes)('differs for another video: %j', (change) => {
		expect(keyOf({ ...request, ...change })).not.toBe(keyOf(request));
	});

	it('does not depend on the callback URL', () => {
		const called = { ...request, callbackUrl: 'https://n8n.example.com/resume?signature=1' };
		expect(keyOf(called)).toBe(keyOf(request));
	});

	it('goes by the input file itself, whose link differs each time', () => {
		const first = { ...request, imageUrl: 'https://n8n.example.com/signed?token=1' };
		const second = { ...request, imageUrl: 'https://n8n.example.com/signed?token=2' };
		expect(keyOf(first, 'file-1')).toBe(keyOf(second, 'file-1'));
		expect(keyOf(first, 'file-1')).not.toBe(keyOf(first, 'file-2'));
	});

	it('does not mistake a field for its neighbour', () => {
		const a = { ...request, generateAudio: true, fixedLens: false };
		const b = { ...request, generateAudio: false, fixedLens: true };
		expect(keyOf(a)).not.toBe(keyOf(b));
	});
});
