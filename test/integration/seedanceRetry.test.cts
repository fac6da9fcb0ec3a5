// Nothing is paid twice: Retry On Fail, "Retry" in the list of executions, loops, and what a node remembers of its POSTs.
import { NODE, type Run } from '../support/engine.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const charges = () => world.sandbox.ledger.charges().length;
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);

const RETRY_ON_FAIL = { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 };
const NEVER_PAID_TWICE = () => expect(world.sandbox.ledger.doubleCharges()).toEqual([]);

describe('Retry On Fail', () => {
	afterEach(NEVER_PAID_TWICE);

	it('goes on with paid tasks and creates what was never created', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b', 'c'], { node: RETRY_ON_FAIL });
		expect(run.status).toBe('success');
		expect(run.json.map(({ prompt, succeeded }) => [prompt, succeeded])).toEqual([
			['a', true],
			['b', true],
			['c', true],
		]);
		expect(charges()).toBe(3);
		expect(posts()).toHaveLength(4);
	});

	it('does not send again what may have been accepted', async () => {
		world.sandbox.faults.on('generate', { kind: 'accept-then-reset' }, { times: 'always' });
		const error = failureOf(await world.run({ prompt: 'A boat' }, { node: RETRY_ON_FAIL }));
		expect(error.message).toContain('An earlier try of this item was sent');
		expect(error.context).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(posts()).toHaveLength(1);
	});

	it('does not make a failed task anew', async () => {
		const run = await world.run({ prompt: '[fail] A boat' }, { node: RETRY_ON_FAIL });
		expect(failureOf(run).context).toMatchObject({ error_code: 'task_failed' });
		expect(posts()).toHaveLength(1);
	});

	it('downloads again what could not be downloaded', async () => {
		world.sandbox.faults.on('video', { kind: 'server-error' }, { times: 3 });
		const run = await world.run({ prompt: 'A boat' }, { node: RETRY_ON_FAIL });
		expect(run.items[0].binary?.data.bytes).toBe(200_000);
		expect(posts()).toHaveLength(1);
	});

	it('goes on waiting for the same task after the time was up', async () => {
		world.sandbox.tasks.taskSeconds = 60;
		const run = await world.run(
			{ prompt: 'A boat', options: { timeout: 0.5 } },
			{ node: RETRY_ON_FAIL },
		);
		world.sandbox.tasks.taskSeconds = 12;
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it('has nothing to repeat when On Error continues', async () => {
		const run = await world.run(
			{ prompt: '[fail] A boat' },
			{ node: { ...RETRY_ON_FAIL, onError: 'continueRegularOutput' } },
		);
		expect(run.json[0]).toMatchObject({ error_code: 'task_failed' });
		expect(run.json[0]).not.toHaveProperty('error');
		expect(posts()).toHaveLength(1);
	});

	it('does not count paid tasks against Maximum Credits per Run again', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b'], {
			parameters: { options: { maxCredits: 56 } },
			node: RETRY_ON_FAIL,
		});
		expect(run.status).toBe('success');
		expect(charges()).toBe(2);
	});
});

describe('Retry of an execution', () => {
	it('creates what was never created and goes on with the rest', async () => {
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b', 'c']);
		expect(failureOf(run).description).toContain('Click Retry in Executions');
		const [paid] = ids();
		const retried = await world.n8n.retry(run);
		expect(retried.json.map(({ task_id }) => task_id)).toEqual(ids());
		expect(retried.json[0]).toMatchObject({ task_id: paid, succeeded: true });
		expect(charges()).toBe(3);
		NEVER_PAID_TWICE();
	});

	it('makes a failed task anew, once, because a person asked for it', async () => {
		world.sandbox.faults.on('generate', {
			kind: 'task',
			outcome: { status: 'FAILED', errorMessage: 'Busy' },
		});
		const run = await world.runPrompts(['a', 'b']);
		expect(failureOf(run).message).toMatch(
			/^1 of 2 videos are ready and paid\. .*Busy.*\[item 0\] \(number 1 of 2\)$/,
		);
		expect(failureOf(run).description).toContain(
			'finished videos are delivered without paying again',
		);
		const retried = await world.n8n.retry(run);
		expect(retried.json.map(({ prompt, succeeded }) => [prompt, succeeded])).toEqual([
			['a', true],
			['b', true],
		]);
		expect(world.sandbox.ledger.postsWithPrompt('a')).toBe(2);
		expect(world.sandbox.ledger.postsWithPrompt('b')).toBe(1);
		expect(world.sandbox.ledger.spent).toBe(56);
	});

	it('makes a failed task anew only once, also when Retry On Fail tries again by itself', async () => {
		const run = await world.run({ prompt: '[fail] A boat' }, { node: RETRY_ON_FAIL });
		expect(posts()).toHaveLength(1);
		const retried = await world.n8n.retry(run);
		expect(failureOf(retried).context).toMatchObject({ error_code: 'task_failed' });
		expect(posts()).toHaveLength(2);
	});

	it('goes on with a task whose id came with an error', async () => {
		const task_id = await world.existingTask();
		world.sandbox.faults.on('generate', {
			kind: 'refuse-with',
			status: 500,
			body: { code: 500, data: { task_id } },
		});
		const run = await world.run({ prompt: 'A boat' });
		expect(failureOf(run).context).toMatchObject({ error_code: 'maybe_created', task_id });
		const retried = await world.n8n.retry(run);
		expect(retried.json[0]).toMatchObject({ task_id, succeeded: true });
		expect(posts()).toHaveLength(2);
	});

	it('sends no other item while the outcome of one is not known', async () => {
		world.sandbox.faults.on('generate', { kind: 'accept-then-reset' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b', 'c']);
		const retried = await world.n8n.retry(run);
		const { message, description, context } = failureOf(retried);
		expect(message).toContain('An earlier try of this item was sent');
		expect(message).toContain('[item 1]');
		expect(description).toContain(`Task IDs: ${ids()[0]}.`);
		expect(context.tasks).toMatchObject([
			{ task_id: ids()[0] },
			{ error_code: 'maybe_created' },
			{ error_code: 'not_created', charged: 'no' },
		]);
		expect(posts()).toHaveLength(2);
	});

	it('still tells what was paid when another item has become wrong', async () => {
		world.n8n.credentials.set('By item', {
			apiKey: world.sandbox.apiKey,
			baseUrl: world.sandbox.baseUrl,
		});
		world.sandbox.faults.on('generate', { kind: 'accept-then-reset' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b', 'c'], { credential: 'By item' });
		expect(posts()).toHaveLength(2);
		world.n8n.credentials.set('By item', {
			apiKey: `={{ $json.prompt === 'c' ? '' : '${world.sandbox.apiKey}' }}`,
			baseUrl: world.sandbox.baseUrl,
		});
		const retried = await world.n8n.retry(run);
		const { description, context } = failureOf(retried);
		expect(description).toContain(`Task IDs: ${ids()[0]}.`);
		expect(context.tasks).toMatchObject([
			{ task_id: ids()[0], status: 'IN_PROGRESS' },
			{ error_code: 'maybe_created', charged: 'unknown' },
			{ error_code: 'invalid_api_key', charged: 'no' },
		]);
		expect(posts()).toHaveLength(2);
	});

	it('does not send again what may have been accepted, however often it is retried', async () => {
		world.sandbox.faults.on('generate', { kind: 'accept-then-5xx' });
		let run: Run = await world.run({ prompt: 'A boat' });
		for (let times = 0; times < 2; times++) {
			run = await world.n8n.retry(run);
			expect(failureOf(run).message).toContain('An earlier try of this item was sent');
		}
		expect(posts()).toHaveLength(1);
	});

	it('goes on with a task that cannot be read just then', async () => {
		world.sandbox.faults.on('status', { kind: 'server-error' }, { times: 'always' });
		const run = await world.run({ prompt: 'A boat', options: { timeout: 1 } });
		expect(failureOf(run).context).toMatchObject({ error_code: 'contact_lost' });
		world.sandbox.faults.clear();
		const retried = await world.n8n.retry(run);
		expect(retried.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		expect(posts()).toHaveLength(1);
	});

	it('does not run the node again when a later one had failed', async () => {
		const run = await world.run({ prompt: 'A boat' }, { after: 'breaks' });
		expect(failureOf(run)).toMatchObject({ message: 'A later node broke', node: 'Between' });
		const reads = world.sandbox.ledger.statusReads().length;
		const retried = await world.n8n.retry(run);
		expect(retried.reached('After')?.[0].json).toMatchObject({ task_id: ids()[0] });
		expect(posts()).toHaveLength(1);
		expect(world.sandbox.ledger.statusReads()).toHaveLength(reads);
	});
});

describe('a new run of the node', () => {
	it('in a loop is a new video each time', async () => {
		const run = await world.run({ prompt: 'A boat', downloadVideo: false }, { rounds: 3 });
		expect(run.status).toBe('success');
		expect(charges()).toBe(3);
		expect(run.data.resultData.runData[NODE]).toHaveLength(3);
	});

	it('makes one video for each of two equal items', async () => {
		const run = await world.runPrompts(['same', 'same'], { parameters: { operation: 'generate' } });
		expect(new Set(run.json.map(({ task_id }) => task_id)).size).toBe(2);
	});

	it('in another execution pays again', async () => {
		await world.run({ operation: 'generate', prompt: 'A boat' });
		await world.run({ operation: 'generate', prompt: 'A boat' });
		expect(charges()).toBe(2);
	});
});

it('remembers task ids only, no key and no prompt', async () => {
	const run = await world.run({ operation: 'generate', prompt: 'A secret boat' });
	expect(JSON.stringify(run.contextData)).toContain(ids()[0]);
	expect(JSON.stringify(run.contextData)).not.toContain('secret');
});
