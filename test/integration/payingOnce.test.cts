// What one execution pays for: whatever its expressions give the next time, and however it is retried, no video is paid for twice.
import { createHash } from 'node:crypto';

import { NODE, type Order, type Run } from '../support/engine.cjs';
import {
	all,
	codesOf,
	failureOf,
	RETRY_ON_FAIL,
	fixture,
	seedanceWorld,
} from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, runPrompts, fault, plan, posts, charges, ids } = world;
/** `changing`: fields that change at each reading. `changes`: of a node before a Retry, and the videos paid then. */
const REQUESTS = fixture<{
	changing: Array<[string, Order['parameters']]>;
	changes: Array<[string, number, Order['parameters'], Order['node']]>;
}>('requests');
const PROMPT = { prompt: 'A boat' };
const RANDOM = { prompt: '={{ $json.prompt }} {{ Math.random() }}' };
const LOST = { kind: 'accept-then-reset' } as const;
const INVALID = { kind: 'error', code: 'INVALID_PROMPT' } as const;
const retry: typeof world.n8n.retry = async (...given) => await world.n8n.retry(...given);
const codeOf = (failed: Run) => failureOf(failed).context.error_code;

describe('a value that an expression computes again makes no other video:', () => {
	it.each(REQUESTS.changing)('%s, where a POST lost its response', async (_, parameters) => {
		fault('generate', LOST, { times: 'always' });
		const { message, description, context } = await failure(parameters, { node: RETRY_ON_FAIL });
		expect(message).toContain('An earlier try of this item was sent');
		expect(description).toContain('It is not sent again.');
		expect(context).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(posts()).toHaveLength(1);
	});

	it.each(REQUESTS.changing)('%s, where a person retries', async (_, parameters) => {
		world.sandbox.tasks.taskSeconds = 60;
		const first = await run({ ...parameters, options: { timeout: 0.2 } });
		expect(codeOf(first)).toBe('timeout');
		const retried = await retry(first, { parameters });
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it('a credential whose address comes out differently each time', async () => {
		const slashes = '{{ "/".repeat(Math.ceil(Math.random() * 20)) }}';
		world.setCredential({ baseUrl: `=${world.sandbox.baseUrl}${slashes}` });
		fault('generate', LOST, { times: 'always' });
		expect(codeOf(await run(PROMPT, { node: RETRY_ON_FAIL }))).toBe('maybe_created');
		expect(posts()).toHaveLength(1);
	});
});

describe('Retry On Fail', () => {
	const node = RETRY_ON_FAIL;

	it('goes on with paid tasks and creates what was never created, within Maximum Credits', async () => {
		fault('generate', INVALID, { prompt: 'b' });
		const parameters = { ...RANDOM, options: { maxCredits: 84 } };
		expect(codesOf(await runPrompts(['a', 'b', 'c'], { parameters, node }))).toEqual(all(3, true));
		expect([charges().length, posts().length]).toEqual([3, 4]);
	});

	it('does not restart a failed task, unless a person retries, and then once', async () => {
		const first = await run({ prompt: '[fail]' }, { node });
		expect([codeOf(first), posts().length]).toEqual(['task_failed', 1]);
		expect([codeOf(await retry(first)), posts().length]).toEqual(['task_failed', 2]);
	});
});

describe("a person's Retry", () => {
	const FIRST = { ...PROMPT, aspectRatio: '9:16' };
	/** A run whose video was not ready in time, and is ready by the Retry. */
	const slowRun = async () => {
		plan({ seconds: 60 });
		const tables = world.n8n.tables();
		const first = await run({ ...FIRST, options: { timeout: 0.1 } }, { tables });
		expect(codeOf(first)).toBe('timeout');
		world.sandbox.finish(ids()[0]);
		return first;
	};

	it.each(REQUESTS.changes)(
		'with a change of %s: %i paid',
		async (_, videos, change, node = {}) => {
			const parameters = { operation: 'generateAndWait', ...FIRST, ...change };
			const retried = await retry(await slowRun(), { parameters, node });
			expect(retried).toMatchObject({ status: 'success', json: [{ task_id: ids()[videos - 1] }] });
			expect(charges()).toHaveLength(videos);
		},
	);

	it('finds a task as version 1 of this package remembered it', async () => {
		const first = await slowRun();
		const request = ['A boat', '9:16', '720p', '8', false, false, null];
		const key = createHash('sha256').update(JSON.stringify(request)).digest('hex');
		const entry = { state: 'created', taskId: ids()[0], executionId: first.id };
		first.contextData.seedance = { [`0:0:${key}`]: entry };
		expect((await retry(first)).json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it('restarts the failed task, and no other, also where all prompts change', async () => {
		plan({ outcome: { status: 'FAILED', errorMessage: 'Busy' } }, { prompt: 'b' });
		const first = await runPrompts(['a', 'b', 'c', 'd'], { parameters: RANDOM });
		expect(failureOf(first)).toMatchObject({
			message: expect.stringMatching(
				/^3 of 4 videos are ready and paid\. .*Busy.*\[item 1\] \(number 2 of 4\)$/,
			),
			description: expect.stringContaining('paid for are delivered without paying again'),
		});
		expect(codesOf(await retry(first))).toEqual(all(4, true));
		expect(posts()).toHaveLength(5);
		expect(posts().filter(({ body }) => body.includes('"b '))).toHaveLength(2);
		expect(world.sandbox.ledger.spent).toBe(4 * 28);
	});

	it('sends no other item while the outcome of one is not known, and says what was paid', async () => {
		world.setCredential({}, 'By item');
		fault('generate', LOST, { prompt: 'b' });
		const first = await runPrompts(['a', 'b', 'c'], { credential: 'By item' });
		const again = await retry(first);
		expect(failureOf(again).message).toMatch(/An earlier try of this item was sent.*\[item 1\]/);
		const unclear = { error_code: 'maybe_created', charged: 'unknown' };
		const tasksOf = (error_code: string) => ({
			description: expect.stringContaining(`Task IDs: ${ids()[0]}.`),
			context: {
				tasks: [
					{ task_id: ids()[0], status: 'IN_PROGRESS' },
					unclear,
					{ error_code, charged: 'no' },
				],
			},
		});
		expect(failureOf(again)).toMatchObject(tasksOf('not_created'));
		const apiKey = `={{ $json.prompt === 'c' ? '' : '${world.sandbox.apiKey}' }}`;
		world.setCredential({ apiKey }, 'By item');
		expect(failureOf(await retry(first))).toMatchObject(tasksOf('invalid_api_key'));
		expect(posts()).toHaveLength(2);
	});

	it('after a later node has failed runs nothing again, and counts no credits', async () => {
		const first = await run({ ...PROMPT, downloadVideo: false }, { after: 'breaks' });
		expect(failureOf(first)).toMatchObject({ message: 'A later node broke', node: 'Between' });
		const reads = world.reads().length;
		const retried = await retry(first);
		expect(retried.reached('After')?.[0].json).toMatchObject({ task_id: ids()[0] });
		expect([posts().length, world.reads().length]).toEqual([1, reads]);
	});
});

describe('a new video is', () => {
	it('each round of a loop', async () => {
		const { data } = await run({ ...PROMPT, downloadVideo: false }, { rounds: 3 });
		expect([charges().length, data.resultData.runData[NODE].length]).toEqual([3, 3]);
	});

	it('each of several equal items, and each execution', async () => {
		const parameters = { operation: 'generate' };
		const { json } = await runPrompts(['same', 'same'], { parameters });
		await runPrompts(['same'], { parameters });
		expect(new Set(json.map(({ task_id }) => task_id)).size).toBe(2);
		expect(charges()).toHaveLength(3);
	});
});

it('an execution remembers task ids only, no key and no prompt', async () => {
	const { contextData } = await run({ operation: 'generate', prompt: 'A secret boat' });
	expect(JSON.stringify(contextData)).toContain(ids()[0]);
	expect(JSON.stringify(contextData)).not.toContain('secret');
});
