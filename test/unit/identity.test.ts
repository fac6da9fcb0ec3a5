// What distinguishes one video from another. A wrong key pays twice, or hands on the wrong video.
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import {
	memoryKeysOf,
	listIdentity,
	nthIdentity,
	requestKey,
	settingsKey,
} from '../../nodes/shared/idempotency/identity';
import { PARAMETER_NAMES } from '../../nodes/shared/task/request';

const BODY = { prompt: 'A boat', aspect_ratio: '9:16', resolution: '720p', duration: '8' };
const LINK = ['https://example.com/a.png'];
const OTHER_LINK = ['https://example.com/b.png'];
const SETTINGS = { prompt: '={{ $json.prompt }}', resolution: '720p', generateAudio: true };

/** The fields of the first release, and their key in the memory of its executions. */
const FIRST_SETTINGS = {
	...{ prompt: '={{ $json.prompt }}', aspectRatio: '9:16', resolution: '720p', duration: 8 },
	...{ generateAudio: false, fixedLens: false },
	...{ imageSource: 'url', imageUrl: '={{ $json.image }}', imageBinaryField: 'data' },
};
const OF_FIRST_SETTINGS = 'a285896a6439f30a23f15605e4b31577f68ac4aa87042dbe681da8ba155cddd3';

/** SHA-256 of `["A boat","9:16","720p","8",false,false,null]`, which version 1 of this package took. */
const OF_VERSION_1 = '66fa15457b24909fb85b6b244c228faf';

describe('the key of the settings', () => {
	it('changes with each that shapes the video, and with no other', () => {
		const key = settingsKey(SETTINGS);
		for (const name of [...PARAMETER_NAMES, 'imageSource', 'imageUrl', 'imageBinaryField']) {
			expect([name, settingsKey({ ...SETTINGS, [name]: 'another' })]).not.toEqual([name, key]);
		}
		for (const name of ['operation', 'simplify', 'options', 'callbackUrl']) {
			expect([name, settingsKey({ ...SETTINGS, [name]: 'another' })]).toEqual([name, key]);
		}
	});

	it.each([...PARAMETER_NAMES])(
		'stays the same after an update that adds its field: %s',
		(name) => {
			const fields = new Seedance().description.properties.filter((field) => field.name === name);
			expect(fields).not.toEqual([]);
			for (const field of name in FIRST_SETTINGS ? [] : fields) {
				const updated = settingsKey({ ...FIRST_SETTINGS, [name]: field.default });
				expect([field.default, updated]).toEqual([field.default, OF_FIRST_SETTINGS]);
			}
		},
	);

	it('is that of the first release for its fields', () => {
		expect(settingsKey(FIRST_SETTINGS)).toBe(OF_FIRST_SETTINGS);
	});

	it('depends neither on the order of the settings, nor on those that are not set', () => {
		const turned = Object.fromEntries(Object.entries(SETTINGS).reverse());
		const more = { ...turned, fixedLens: undefined, duration: null };
		expect(settingsKey(more)).toBe(settingsKey(SETTINGS));
	});
});

describe('the keys of an item', () => {
	it('are its place with its settings, and what version 1 would have used', () => {
		const keys = memoryKeysOf({ place: '0:3', settings: 'abc', body: BODY });
		expect(keys).toEqual(['0:3:abc', expect.stringMatching(`^0:3:${OF_VERSION_1}`)]);
	});

	it('as an AI tool, which has no items, are those of the request alone', () => {
		const [key, older] = memoryKeysOf({ settings: 'abc', body: BODY });
		expect(key).toBe(requestKey(BODY));
		expect(older).toMatch(new RegExp(`^${OF_VERSION_1}`));
	});
});

describe.each<[string, (body: typeof BODY & object, file?: string) => string]>([
	['the key of a request', (body, file) => requestKey(body, file === undefined ? file : [file])],
	[
		'the key of version 1',
		(body, file) =>
			memoryKeysOf({
				settings: '',
				body,
				imageIdentities: file === undefined ? file : [file],
			})[1] ?? '',
	],
])('%s', (_, keyOf) => {
	it('is another for each other video, and takes the input file in place of its link', () => {
		const videos = [
			{},
			...[{ prompt: 'A car' }, { aspect_ratio: '16:9' }, { resolution: '480p' }, { duration: '4' }],
			...[{ generate_audio: true }, { fixed_lens: true }],
			...[{ image_urls: LINK }, { image_urls: OTHER_LINK }],
		];
		const keys = videos.map((change) => keyOf({ ...BODY, ...change }));
		const ofFiles = ['1', '2'].map((file) => keyOf({ ...BODY, ...{ image_urls: LINK } }, file));
		expect(new Set([...keys, ...ofFiles]).size).toBe(keys.length + 2);
		expect(keyOf({ ...BODY, ...{ image_urls: OTHER_LINK } }, '1')).toBe(ofFiles[0]);
	});
});

it('the key of a request is a SHA-256 in hex of all that is sent but the callback URL', () => {
	expect(requestKey(BODY)).toMatch(/^[0-9a-f]{64}$/);
	expect(requestKey({ ...BODY, callback_url: 'https://example.com' })).toBe(requestKey(BODY));
	expect(requestKey({ ...BODY, seed: 7 })).not.toBe(requestKey(BODY));
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
		const at = (url: string) => requestKey({ ...BODY, image_urls: [url] }, ['hash of the file']);
		expect(at('https://a.example')).toBe(at('https://b.example'));
		expect(at('https://a.example')).not.toBe(
			requestKey({ ...BODY, image_urls: ['https://a.example'] }),
		);
	});
});
