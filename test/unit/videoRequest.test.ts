/** What a request may hold, and the bytes that are sent for it. */
import * as fc from 'fast-check';

import {
	ASPECT_RATIOS,
	DEFAULTS,
	DURATIONS,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
	checkSettings,
	checkVideoRequest,
	requestBody,
	requestKey,
	shorten,
	switchOf,
	type RawFields,
	type VideoRequest,
} from '../../nodes/shared/videoRequest';

const FIELDS = { prompt: 'a cat', aspectRatio: '9:16', resolution: '720p', duration: '8' };
const LINK = 'https://cdn.example.com/cat.png';

function accepted(raw: RawFields, apiIsLocal = false): VideoRequest {
	const checked = checkVideoRequest(raw, apiIsLocal);
	if (!checked.ok) throw new Error(checked.problems.join(' '));
	return checked.value;
}

function problemsOf(raw: RawFields, apiIsLocal = false): string[] {
	const checked = checkVideoRequest(raw, apiIsLocal);
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
					.filter((text) => !!text.trim()),
				(prompt) => {
					expect(JSON.parse(bytes({ ...FIELDS, prompt }))).toMatchObject({ prompt });
				},
			),
		);
	});

	it.each(['', '   ', '\n', null, undefined])('that is empty is refused: %j', (prompt) => {
		expect(problemsOf({ ...FIELDS, prompt })).toEqual([
			'Prompt is empty. Describe the video in words.',
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
		[12, '12'],
	])('duration %j is %s', (given, duration) => {
		expect(accepted({ ...FIELDS, duration: given }).duration).toBe(duration);
	});

	it.each([
		[' 720P ', '720p'],
		['480P', '480p'],
		['720', '720p'],
		[480, '480p'],
	])('resolution %j is %s', (given, resolution) => {
		expect(accepted({ ...FIELDS, resolution: given }).resolution).toBe(resolution);
	});

	it.each([
		[' 16:9 ', '16:9'],
		['9 : 16', '9:16'],
		['21:9\n', '21:9'],
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
		['aspectRatio', '', 'Aspect Ratio ""', '9:16, 16:9, 1:1, 3:4, 4:3, 21:9, 9:21'],
		['aspectRatio', undefined, 'Aspect Ratio "undefined"', '9:16, 16:9'],
		['aspectRatio', { a: 1 }, 'Aspect Ratio "{"a":1}"', '9:16, 16:9'],
		['resolution', '1080p', 'Resolution "1080p"', '720p, 480p'],
		['resolution', null, 'Resolution "null"', '720p, 480p'],
		['duration', '5', 'Duration "5"', '4, 8, 12'],
		['duration', 8.5, 'Duration "8.5"', '4, 8, 12'],
		['duration', -8, 'Duration "-8"', '4, 8, 12'],
		['duration', '8 minutes', 'Duration "8 minutes"', '4, 8, 12'],
		['duration', undefined, 'Duration "undefined"', '4, 8, 12'],
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
					false,
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

	it('is quoted short, however long it is', () => {
		const [problem] = problemsOf({ ...FIELDS, resolution: 'x'.repeat(5000) });
		expect(problem.length).toBeLessThan(200);
	});

	it.each([
		'9:16:00',
		'16:09:00',
		'9:16:00 AM',
		'9:16 AM',
		'09:16',
		'1899-12-30T09:16:00.000Z',
		0.386111111,
		new Date(0),
	])('%j is told to be a time that a spreadsheet made of the ratio', (aspectRatio) => {
		const [problem] = problemsOf({ ...FIELDS, aspectRatio });
		expect(problem).toContain('time');
		expect(problem).toContain('spreadsheet');
		expect(problem).toContain('Allowed: 9:16');
	});

	it('that is no time is not called one', () => {
		expect(problemsOf({ ...FIELDS, aspectRatio: '2:1' })[0]).not.toContain('spreadsheet');
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
		expect(problem).toContain('Image URL');
		expect(problem).toContain('at most 1');
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
		[{ url: LINK }, 'is not a web link'],
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
		expect(accepted({ ...FIELDS, imageUrl }, true).imageUrl).toBe(imageUrl);
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

describe('the request key', () => {
	const request: VideoRequest = accepted({ ...FIELDS, imageUrl: LINK });

	it('is a SHA-256 in hex, the same for the same video', () => {
		expect(requestKey(request)).toMatch(/^[0-9a-f]{64}$/);
		expect(requestKey({ ...request })).toBe(requestKey(request));
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
		expect(requestKey({ ...request, ...change })).not.toBe(requestKey(request));
	});

	it('does not depend on the callback URL', () => {
		const called = { ...request, callbackUrl: 'https://n8n.example.com/resume?signature=1' };
		expect(requestKey(called)).toBe(requestKey(request));
	});

	it('goes by the input file itself, whose link differs each time', () => {
		const first = { ...request, imageUrl: 'https://n8n.example.com/signed?token=1' };
		const second = { ...request, imageUrl: 'https://n8n.example.com/signed?token=2' };
		expect(requestKey(first, 'file-1')).toBe(requestKey(second, 'file-1'));
		expect(requestKey(first, 'file-1')).not.toBe(requestKey(first, 'file-2'));
	});

	it('does not mistake a field for its neighbour', () => {
		const a = { ...request, generateAudio: true, fixedLens: false };
		const b = { ...request, generateAudio: false, fixedLens: true };
		expect(requestKey(a)).not.toBe(requestKey(b));
	});
});

describe('a shortened text', () => {
	it('keeps its start, is one line, and does not cut a character in two', () => {
		expect(shorten('a  cat\nsleeps', 60)).toBe('a cat sleeps');
		expect(shorten('abcdef', 4)).toBe('abc…');
		expect(shorten('🐈🐈🐈🐈', 3)).toBe('🐈🐈…');
	});
});
