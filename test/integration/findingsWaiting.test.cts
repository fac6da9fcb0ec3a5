// The wait for paid videos: an API that passes through odd states, hangs or drips, and limits of time that hold.
// Numbers are those of the faults that use has shown; each test is another member of its kind.
import type { Fault } from '../sandbox/server.cjs';
import { SPEED, failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';
import type { Run } from '../support/engine.cjs';

/** Milliseconds: a test takes a second or two, and many times that on a busy machine. */
jest.setTimeout(40_000);

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const CONTINUE = { onError: 'continueRegularOutput' } as const;
const NO_FILE = { downloadVideo: false };

/** Deadlines and the clock run at this speed alike (see the test engine), where a test is about a deadline. */
const EVEN_SPEED = 10;
const evenly = () => {
	world.n8n.clockSpeed = EVEN_SPEED;
	world.sandbox.speed = EVEN_SPEED;
};
afterEach(() => {
	world.sandbox.speed = SPEED;
	world.sandbox.tasks.taskSeconds = 12;
});

const codes = ({ json }: Run) => json.map(({ error_code, succeeded }) => error_code ?? succeeded);
const all = (count: number, value: unknown) => Array(count).fill(value);

describe('4: "no such task" is a passing state of a task that was just made:', () => {
	it.each([{ unknownReads: 1 }, { unknownReads: 4 }, { unknownSeconds: 25 }])(
		'%j',
		async (plan) => {
			world.sandbox.faults.on('generate', { kind: 'task', ...plan });
			const run = await world.run({ prompt: 'A boat', ...NO_FILE });
			expect(run.json[0]).toMatchObject({ task_id: ids()[0], succeeded: true });
		},
	);

	it('also in an execution that is retried at once', async () => {
		world.sandbox.faults.on('generate', { kind: 'task', unknownSeconds: 40 }, { prompt: 'a' });
		world.sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b'], {
			parameters: NO_FILE,
			node: { retryOnFail: true, maxTries: 2, waitBetweenTries: 1 },
		});
		expect(codes(run)).toEqual([true, true]);
		expect(posts()).toHaveLength(3);
	});

	it('also right before a pause', async () => {
		world.sandbox.faults.on('generate', { kind: 'task', unknownReads: 1, seconds: 9_999 });
		const run = await world.run({ prompt: 'A boat', waitMethod: 'callback' });
		expect(run.status).toBe('waiting');
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], status: 'IN_PROGRESS' });
	});

	it('also of a task that was read before', async () => {
		const [taskId] = await world.existingTasks(1);
		const match = { taskId, nth: 2, times: 3 };
		world.sandbox.faults.on('status', { kind: 'error', code: 'TASK_NOT_FOUND' }, match);
		expect(codes(await world.waitFor([taskId]))).toEqual([true]);
	});

	it('but not for ever, and then its ID is told', async () => {
		world.sandbox.faults.on('generate', { kind: 'task', unknownSeconds: 9_999 });
		const { message, context } = failureOf(await world.run({ prompt: 'A boat' }));
		expect(message).toContain(ids()[0]);
		expect(context).toMatchObject({ error_code: 'task_not_found', charged: 'unknown' });
	});

	it('and the end at once for an ID that this run did not make', async () => {
		const run = await world.waitFor(['seed15unknown']);
		expect(codes(run)).toEqual(['task_not_found']);
		expect(world.sandbox.ledger.statusReads()).toHaveLength(1);
	});
});

describe('5: a video is stored when it is ready:', () => {
	it('its link may die long before the slowest row ends', async () => {
		const outcome = { status: 'SUCCESS', link: { seconds: 60, isRenewed: false } } as const;
		world.sandbox.faults.on('generate', { kind: 'task', seconds: 5, outcome }, { prompt: 'fast' });
		world.sandbox.faults.on('generate', { kind: 'task', seconds: 300 }, { prompt: 'slow' });
		const run = await world.runPrompts(['fast', 'slow'], { node: CONTINUE });
		expect(codes(run)).toEqual([true, true]);
		expect(run.items.map(({ binary }) => binary?.data.bytes)).toEqual([200_000, 200_000]);
		const { tasks, ledger } = world.sandbox;
		const slow = tasks.all().find(({ order }) => order.prompt === 'slow');
		const [fastFile] = ledger.videoReads();
		expect(fastFile.at).toBeLessThan(slow?.endedAt ?? 0);
	});

	it.each([403, 404, 410])('a link that is refused (%i) is read anew', async (status) => {
		const outcome = { status: 'SUCCESS', link: { refusals: 1, status } } as const;
		world.sandbox.faults.on('generate', { kind: 'task', outcome });
		const run = await world.run({ prompt: 'A boat' }, { node: CONTINUE });
		expect(codes(run)).toEqual([true]);
		expect(run.items[0].binary?.data.bytes).toBe(200_000);
	});

	it('a download that fails hides no other result, and says that it is paid', async () => {
		world.sandbox.faults.on('video', { kind: 'server-error' }, { prompt: 'b', times: 'always' });
		const run = await world.runPrompts(['a', 'b', 'c'], { node: CONTINUE });
		expect(codes(run)).toEqual([true, 'download_failed', true]);
		expect(run.json[1]).toMatchObject({
			task_id: ids()[1],
			charged: 'yes',
			video_url: expect.any(String),
		});
	});
});

describe('6: a success whose link is not there yet', () => {
	it.each([{ urlAfterReads: 1 }, { urlAfterReads: 2 }, { urlAfterSeconds: 20 }])(
		'is waited for: %j',
		async (late) => {
			world.sandbox.faults.on('generate', {
				kind: 'task',
				outcome: { status: 'SUCCESS', ...late },
			});
			const run = await world.run({ prompt: 'A boat' });
			expect(run.json[0]).toMatchObject({ succeeded: true, video_url: expect.any(String) });
			expect(run.items[0].binary).toBeDefined();
		},
	);

	it.each(['empty', 'null', 'missing'] as const)('(%s) is waited for, too', async (response) => {
		const outcome = { status: 'SUCCESS', response, urlAfterReads: 2 } as const;
		world.sandbox.faults.on('generate', { kind: 'task', outcome });
		expect(codes(await world.run({ prompt: 'A boat', ...NO_FILE }))).toEqual([true]);
	});

	it('is waited for under another word of success', async () => {
		const outcome = { status: 'SUCCESS', word: 'completed', urlAfterReads: 2 } as const;
		world.sandbox.faults.on('generate', { kind: 'task', outcome });
		expect(codes(await world.run({ prompt: 'A boat', ...NO_FILE }))).toEqual([true]);
	});

	it('and never comes is no_video, after half a minute and not before', async () => {
		const outcome = { status: 'SUCCESS', response: 'empty' } as const;
		world.sandbox.faults.on('generate', { kind: 'task', seconds: 1, outcome });
		const run = await world.run({ prompt: 'A boat' });
		expect(failureOf(run).context).toMatchObject({ error_code: 'no_video', charged: 'yes' });
		const reads = world.sandbox.ledger.statusReads().map(({ at }) => at);
		const seconds = ((reads.at(-1) ?? 0) - reads[0]) / (1000 / SPEED);
		expect(seconds).toBeGreaterThanOrEqual(29);
		expect(seconds).toBeLessThan(60);
	});

	it('when the time is up is told as it is, without waiting on', async () => {
		const outcome = { status: 'SUCCESS', response: 'empty' } as const;
		world.sandbox.faults.on('generate', { kind: 'task', seconds: 1, outcome });
		const run = await world.run(
			{ prompt: 'A boat', options: { timeout: 0.2 } },
			{ node: CONTINUE },
		);
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], error_code: 'no_video' });
	});
});

describe('7 and 8: an answer that never comes, or never ends,', () => {
	const OPEN_ENDED: ReadonlyArray<[string, Fault]> = [
		['hangs', { kind: 'hang' }],
		['drips', { kind: 'drip', everyMs: 20 }],
	];
	/** Seconds of the node's clock that some work took. */
	const secondsOf = async <T,>(work: Promise<T>): Promise<[T, number]> => {
		const start = Date.now();
		const done = await work;
		return [done, ((Date.now() - start) * EVEN_SPEED) / 1000];
	};

	it.each(OPEN_ENDED)(
		'on reads that %s: the items come out with their IDs before n8n ends the execution',
		async (_, fault) => {
			evenly();
			world.sandbox.faults.on('status', fault, { times: 'always' });
			const run = await world.runPrompts(['a', 'b', 'c'], { node: CONTINUE, endsAfter: 15 });
			expect(run.status).toBe('success');
			expect(run.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(codes(run)).toEqual(all(3, 'contact_lost'));
		},
	);

	it.each(OPEN_ENDED)(
		'on reads that %s: the limit in the settings of the workflow holds as well',
		async (_, fault) => {
			evenly();
			world.sandbox.faults.on('status', fault, { times: 'always' });
			const [run, seconds] = await secondsOf(
				world.runPrompts(['a', 'b'], { node: CONTINUE, settings: { executionTimeout: 20 } }),
			);
			expect(run.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(seconds).toBeLessThan(19);
		},
	);

	it.each(OPEN_ENDED)('on reads that %s: the Timeout of 6 seconds holds', async (_, fault) => {
		evenly();
		const taskIds = await world.existingTasks(2);
		world.sandbox.faults.on('status', fault, { times: 'always' });
		const [run, seconds] = await secondsOf(world.waitFor(taskIds, { options: { timeout: 0.1 } }));
		expect(run.json.map(({ task_id }) => task_id)).toEqual(taskIds);
		expect(seconds).toBeLessThan(16);
	});

	it.each(OPEN_ENDED)('on Get Status that %s: it ends in time, with the ID', async (_, fault) => {
		evenly();
		const taskIds = await world.existingTasks(2);
		world.sandbox.faults.on('status', fault, { times: 'always' });
		const run = await world.waitFor(taskIds, { operation: 'status' }, { endsAfter: 15 });
		expect(run.status).toBe('success');
		expect(run.json).toMatchObject(
			taskIds.map((task_id) => ({ task_id, error_code: 'contact_lost' })),
		);
	});

	it.each(OPEN_ENDED)(
		'on the look at what a Retry goes on with, that %s: the IDs come out in time',
		async (_, fault) => {
			evenly();
			const run = await world.runPrompts(['a', 'b', '[fail] c'], {
				parameters: NO_FILE,
				node: { onError: 'stopWorkflow' },
			});
			failureOf(run);
			world.sandbox.faults.on('status', fault, { times: 'always' });
			const retried = await world.n8n.retry(run, { node: CONTINUE, endsAfter: 15 });
			expect(retried.status).toBe('success');
			expect(retried.json.map(({ task_id }) => task_id)).toEqual(ids());
			expect(posts()).toHaveLength(3);
		},
	);

	it.each<[string, Fault]>([
		['hangs', { kind: 'accept-then-hang' }],
		['drips', { kind: 'drip', everyMs: 20 }],
	])('on a POST that %s: it is told as unclear before n8n ends the execution', async (_, fault) => {
		evenly();
		world.sandbox.faults.on('generate', fault, { prompt: 'b' });
		const run = await world.runPrompts(['a', 'b', 'c'], {
			parameters: { operation: 'generate' },
			node: CONTINUE,
			endsAfter: 15,
		});
		expect(run.status).toBe('success');
		expect(run.json[0]).toMatchObject({ task_id: ids()[0] });
		expect(run.json[1]).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(run.json[2]).toMatchObject({ error_code: 'not_created', charged: 'no' });
		expect(posts()).toHaveLength(2);
	});

	it.each([
		[1, 9],
		[11, 30],
	])('on %i of the tasks: the other %i come as soon as they are ready', async (hanging, ready) => {
		evenly();
		world.sandbox.tasks.taskSeconds = 0;
		const stuck = await world.existingTasks(hanging, 'stuck');
		const good = await world.existingTasks(ready, 'good');
		world.sandbox.faults.on('status', { kind: 'hang' }, { prompt: 'stuck', times: 'always' });
		const start = Date.now();
		const run = await world.waitFor([...stuck, ...good], {
			downloadVideo: true,
			options: { timeout: 0.5 },
		});
		expect(codes(run)).toEqual([...all(hanging, 'contact_lost'), ...all(ready, true)]);
		const stored = world.sandbox.ledger.videoReads().map(({ at }) => at - start);
		expect(stored).toHaveLength(ready);
		expect((Math.max(...stored) * EVEN_SPEED) / 1000).toBeLessThan(20);
	});

	it('but comes late is taken: a read that drips to its end', async () => {
		const taskIds = await world.existingTasks(1);
		world.sandbox.faults.on('status', { kind: 'drip', everyMs: 10, ms: 100 }, { times: 3 });
		expect(codes(await world.waitFor(taskIds))).toEqual([true]);
	});

	it('but comes late is taken: a POST that drips to its end', async () => {
		world.sandbox.faults.on('generate', { kind: 'drip', everyMs: 10, ms: 100 });
		const run = await world.run({ operation: 'generate', prompt: 'A boat' });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0] });
	});

	it.each(OPEN_ENDED)('on reads that %s: Stop ends them at once', async (_, fault) => {
		const taskIds = await world.existingTasks(2);
		world.sandbox.faults.on('status', fault, { times: 'always' });
		const running = world.n8n.start({
			parameters: { operation: 'wait', taskId: '={{ $json.task_id }}' },
			items: taskIds.map((task_id) => ({ json: { task_id } })),
		});
		await world.sandbox.ledger.until((ledger) => ledger.statusReads().length === 2);
		const start = Date.now();
		running.stop();
		expect((await running.finished).status).toBe('canceled');
		expect(Date.now() - start).toBeLessThan(500);
	});
});

describe('a limit of time', () => {
	it('that n8n has for the whole instance counts, although no setting tells it', async () => {
		evenly();
		const run = await world.runPrompts(['[never] a', '[never] b'], {
			node: CONTINUE,
			endsAfter: 20,
		});
		expect(run.status).toBe('success');
		expect(run.json).toMatchObject(ids().map((task_id) => ({ task_id, error_code: 'timeout' })));
		expect(run.json[0].error_message).toContain("the timeout in this workflow's settings");
	});

	it('that is shorter than the other wins', async () => {
		evenly();
		const run = await world.run(
			{ prompt: '[never]' },
			{ node: CONTINUE, endsAfter: 12, settings: { executionTimeout: 3_600 } },
		);
		expect(run.status).toBe('success');
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], error_code: 'timeout' });
	});
});
