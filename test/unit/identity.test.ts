// What tells one video from another. A wrong key pays twice, or hands on the wrong video.
import {
	keysOf,
	listIdentity,
	nthIdentity,
	requestKey,
	settingsKey,
} from '../../nodes/shared/idempotency/identity';

const BODY = { prompt: 'A boat', aspect_ratio: '9:16', resolution: '720p', duration: '8' };
const SETTINGS = { prompt: '={{ $json.prompt }}', resolution: '720p', generateAudio: true };

/** SHA-256 of `["A boat","9:16","720p","8",false,false,null]`, which version 1 of this package took. */
const OF_VERSION_1 = '66fa15457b24909fb85b6b244c228faf';

describe('the key of the settings', () => {
	it.each(['prompt', 'fixedLens', 'imageSource', 'imageUrl', 'imageBinaryField'])(
		'changes with %s',
		(name) => {
			expect(settingsKey({ ...SETTINGS, [name]: 'another' })).not.toBe(settingsKey(SETTINGS));
		},
	);

	it.each(['operation', 'simplify', 'options', 'callbackUrl'])(
		'does not change with %s',
		(name) => {
			expect(settingsKey({ ...SETTINGS, [name]: 'another' })).toBe(settingsKey(SETTINGS));
		},
	);

	it('depends neither on the order of the settings, nor on those that are not set', () => {
		const [prompt, ...others] = Object.entries(SETTINGS);
		const turned = Object.fromEntries([...others, prompt]);
		expect(settingsKey({ ...turned, fixedLens: undefined, duration: null })).toBe(
			settingsKey(SETTINGS),
		);
	});
});

describe('the keys of an item', () => {
	it('are its place with its settings, and what version 1 would have used', () => {
		const keys = keysOf({ place: '0:3', settings: 'abc', body: BODY });
		expect(keys).toEqual(['0:3:abc', expect.stringMatching(`^0:3:${OF_VERSION_1}`)]);
	});

	it('of version 1 tell every parameter that it had, and take the file in place of its link', () => {
		const ofVersion1 = (change: object, imageIdentity?: string) =>
			keysOf({ place: '0:0', settings: '', body: { ...BODY, ...change }, imageIdentity })[1];
		const keys = [
			ofVersion1({}),
			ofVersion1({ generate_audio: true }),
			ofVersion1({ fixed_lens: true }),
			ofVersion1({ image_urls: ['https://example.com/a.png'] }),
			ofVersion1({ image_urls: ['https://example.com/a.png'] }, 'file-1'),
		];
		expect(new Set(keys).size).toBe(keys.length);
		expect(ofVersion1({ image_urls: ['https://example.com/b.png'] }, 'file-1')).toBe(keys[4]);
	});

	it('as an AI tool, which has no items, are those of the request alone', () => {
		const [key, older] = keysOf({ settings: 'abc', body: BODY });
		expect(key).toBe(requestKey(BODY));
		expect(older).toMatch(new RegExp(`^${OF_VERSION_1}`));
	});
});

it('a parameter that the API does not know yet is in the key of the request', () => {
	expect(requestKey({ ...BODY, seed: 7 })).not.toBe(requestKey(BODY));
	expect(requestKey({ ...BODY, callback_url: 'https://example.com' })).toBe(requestKey(BODY));
});

describe('the identity across executions', () => {
	const NODE = { workflowId: 'w', nodeId: 'n', account: 'a https://x' };
	const OF = { ...NODE, settings: 'abc' };

	it('differs by workflow, node, account, settings and key, and by nothing run together', () => {
		const identities = [
			OF,
			...(['workflowId', 'nodeId', 'account', 'settings'] as const).map((name) => ({
				...OF,
				[name]: 'other',
			})),
			{ ...OF, workflowId: 'wn', nodeId: '' },
			{ ...NODE, videoKey: 'abc' },
			{ ...NODE, videoKey: '' },
		].map(listIdentity);
		expect(new Set(identities).size).toBe(identities.length);
		expect(identities.every((one) => /^[0-9a-f]{64}$/.test(one))).toBe(true);
	});

	it('goes by the Reuse Key alone where there is one', () => {
		const keyed = { ...OF, videoKey: '7' };
		expect(listIdentity({ ...keyed, settings: 'other' })).toBe(listIdentity(keyed));
	});

	it('of the first of several equals is that of a single one; each further has its own', () => {
		const all = [0, 1, 2, 10].map((nth) => nthIdentity(listIdentity(OF), nth));
		expect(all[0]).toBe(listIdentity(OF));
		expect(new Set(all).size).toBe(4);
	});

	it('takes an input file in place of its link, which differs each time', () => {
		const at = (url: string) => requestKey({ ...BODY, image_urls: [url] }, 'hash of the file');
		expect(at('https://a.example')).toBe(at('https://b.example'));
		expect(at('https://a.example')).not.toBe(
			requestKey({ ...BODY, image_urls: ['https://a.example'] }),
		);
	});
});
