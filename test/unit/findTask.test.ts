/** Where a task is asked for: in its own version of the API, or in each until one knows it. */
import { readCredential } from '../../nodes/shared/api/credential';
import { findTask, VersionCache } from '../../nodes/shared/api/findTask';
import { baseUrlOf } from '../../nodes/shared/api/versions';
import type { NodeFunctions } from '../../nodes/shared/api/credential';
import { VirtualClock } from './virtualClock.cjs';

const BASE = 'https://seedanceapi.org';
const DONE = {
	statusCode: 200,
	body: { code: 200, data: { status: 'SUCCESS', response: ['https://a.example/v.mp4'] } },
};
const UNKNOWN = { statusCode: 404, body: { code: 'TASK_NOT_FOUND', message: 'no such task' } };
const PAGE = { statusCode: 404, body: '<html>nothing here</html>' };
const BROKEN = { statusCode: 500, body: { code: 'INTERNAL_ERROR' } };
const LIMITED = { statusCode: 429, body: { code: 'RATE_LIMITED' } };
const WRONG_KEY = { statusCode: 401, body: { code: 'INVALID_API_KEY' } };

interface World {
	v1?: object | object[];
	v2?: object | object[];
	model?: string | null;
	baseUrl?: string;
}

/** Reads so often; gives the last read, and the versions that were asked. */
async function find(
	{ v1 = UNKNOWN, v2 = UNKNOWN, model, baseUrl = `${BASE}/v1` }: World,
	times = 1,
) {
	const asked: string[] = [];
	const helpers = {
		httpRequestWithAuthentication: async (_type: string, { url }: { url: string }) => {
			const isSecond = new URL(url).pathname === '/v2/status';
			asked.push(isSecond ? 'v2' : 'v1');
			// A list gives one response after the other, the last one for ever.
			const responses = [isSecond ? v2 : v1].flat();
			const earlier = asked.filter((version) => version === asked.at(-1)).length - 1;
			return await Promise.resolve(responses[Math.min(earlier, responses.length - 1)]);
		},
	};
	const context: NodeFunctions = Object.assign(Object.create(null), { helpers });
	const credential = { apiKey: 'sk', baseUrl, reach: 'internet' as const, decrypted: {} };
	const known = new VersionCache();
	let outcome = '';
	for (let read = 0; read < times; read++) {
		const task = { credential, taskId: 'seed1', clock: new VirtualClock(), model, known };
		const found = await findTask(context, task);
		outcome =
			found.outcome === 'task' ? `${found.task.state} ${found.task.model}` : found.failure.cause;
	}
	return { outcome, asked: asked.join(' ') };
}

describe('a task', () => {
	it.each<[World, string, string]>([
		// Its own version alone, where the model is known.
		[{ v1: DONE, model: 'seedance-v1' }, 'succeeded seedance-v1', 'v1'],
		[{ v2: DONE, model: 'seedance-2.0-fast' }, 'succeeded null', 'v2'],
		[{ v1: DONE, model: 'seedance-2-mini' }, 'task_not_found', 'v2'],
		// Each, where it is not.
		[{ v1: DONE }, 'succeeded seedance-v1', 'v1'],
		[{ v2: DONE }, 'succeeded null', 'v1 v2'],
		[{ v2: DONE, model: null }, 'succeeded null', 'v1 v2'],
		[{ v2: DONE, model: 'a word in the table' }, 'succeeded null', 'v1 v2'],
		[{}, 'task_not_found', 'v1 v2'],
		// Only a clean "no such task" leads on.
		[{ v1: BROKEN, v2: DONE }, 'server_error', 'v1'],
		[{ v1: WRONG_KEY, v2: DONE }, 'invalid_api_key', 'v1'],
		[{ v1: PAGE, v2: DONE }, 'refused', 'v1'],
		// Unknown while the second has trouble; where it is not served at all, nothing is there.
		[{ v2: BROKEN }, 'server_error', 'v1 v2'],
		[{ v2: PAGE }, 'task_not_found', 'v1 v2'],
		[{ v2: DONE, baseUrl: 'https://proxy.example/seedance' }, 'task_not_found', 'v1'],
	])('%j: %s, asked in %s', async (world, outcome, asked) => {
		expect(await find(world)).toEqual({ outcome, asked });
	});

	it('is searched for once, and then read where it was found', async () => {
		expect((await find({ v2: DONE }, 3)).asked).toBe('v1 v2 v2 v2');
		expect((await find({ v1: DONE }, 2)).asked).toBe('v1 v1');
	});

	it.each<[World, number, string, string]>([
		[{ v2: [LIMITED, BROKEN, DONE] }, 4, 'succeeded null', 'v1 v2 v2 v2 v2'],
		[{ v2: [LIMITED, UNKNOWN] }, 2, 'task_not_found', 'v1 v2 v2'],
		// A finished search starts again.
		[{ v1: [UNKNOWN, DONE] }, 2, 'succeeded seedance-v1', 'v1 v2 v1'],
		[{ v1: [LIMITED, UNKNOWN], v2: DONE }, 2, 'succeeded null', 'v1 v1 v2'],
	])(
		'is searched for where a version could not say: %j, %i times',
		async (world, times, outcome, asked) => {
			expect(await find(world, times)).toEqual({ outcome, asked });
		},
	);
});

describe('the address of a version', () => {
	it.each([
		[`${BASE}/v1`, `${BASE}/v2`],
		['http://127.0.0.1:4000/v1', 'http://127.0.0.1:4000/v2'],
		['https://proxy.example/a/v1', 'https://proxy.example/a/v2'],
		['https://proxy.example/av1', undefined],
		['https://proxy.example', undefined],
	])('for the base URL %s is %s', (baseUrl, second) => {
		expect(baseUrlOf({ baseUrl }, 'v1')).toBe(baseUrl);
		expect(baseUrlOf({ baseUrl }, 'v2')).toBe(second);
	});

	it.each(['https://seedanceapi.org/v2', 'https://seedanceapi.org/v2/'])(
		'%s is refused as a base URL, where a request of the first version would be a dearer one',
		(baseUrl) => {
			expect(readCredential({ apiKey: 'sk', baseUrl })).toMatchObject({
				field: 'baseUrl',
				problem: expect.stringContaining('must end in /v1'),
			});
		},
	);

	it('is found behind a slash at the end of the base URL, too', () => {
		const read = readCredential({ apiKey: 'sk', baseUrl: `${BASE}/v1/` });
		expect('baseUrl' in read && baseUrlOf(read, 'v2')).toBe(`${BASE}/v2`);
	});
});
