// Equal Reuse Keys of one run share a video, and may not stand for two.
import { keyProblems, sharedKeys } from '../../nodes/Seedance/videoList/reuseKeys';

type Items = Parameters<typeof sharedKeys>[0];
/** Items by key, settings and account; each other field is no matter here. */
const items = (...given: Array<[key: string, settings: string, account?: string]>): Items =>
	given.map(([videoKey, settings, account = ''], itemIndex) =>
		Object.assign(Object.create(null), {
			itemIndex,
			listed: { videoKey, settings, identity: `${account} ${videoKey || settings}` },
		}),
	);
const sharing = (given: Items) =>
	[...sharedKeys(given)].map(([to, { itemIndex }]) => [to, itemIndex]);

it.each<[string, Items, number[][], number[]]>([
	['different keys', items(['1', 'a'], ['2', 'a']), [], []],
	['no keys', items(['', 'a'], ['', 'a'], ['', 'b']), [], []],
	[
		'equal keys',
		items(['1', 'a'], ['2', 'b'], ['1', 'a'], ['1', 'a']),
		[
			[2, 0],
			[3, 0],
		],
		[],
	],
	[
		'a key that stands for two',
		items(['1', 'a'], ['1', 'b'], ['1', 'a']),
		[
			[1, 0],
			[2, 0],
		],
		[1],
	],
	['a key at two accounts', items(['1', 'a', 'x'], ['1', 'b', 'y']), [], []],
])('%s', (_, given, shared, refused) => {
	expect(sharing(given)).toEqual(shared);
	expect([...keyProblems(given).keys()]).toEqual(refused);
});

it('the refusal names both items and says what to do', () => {
	const problem = keyProblems(items(['row 7', 'a'], ['row 7', 'b'])).get(1);
	expect(problem).toMatchObject({ code: 'invalid_input', charged: 'no' });
	expect(problem?.message).toContain(
		'"row 7" stands for two different videos: number 1 has the same key',
	);
});
