// Answers in forms that the contract leaves open: the ID, the link and the reason are found wherever they stand, and an ID that is
// known is never thrown away. Numbers are those of the faults that use has shown; each test is another member of its kind.
import {
	ODD_IDS,
	REASON_FORMS,
	RESPONSE_FORMS,
	type Fault,
	type TaskPlan,
} from '../sandbox/server.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

/** Milliseconds: a test takes a second or two, and many times that on a busy machine. */
jest.setTimeout(40_000);

const world = seedanceWorld();
const posts = () => world.sandbox.ledger.posts();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const CONTINUE = { onError: 'continueRegularOutput' } as const;
const NO_FILE = { downloadVideo: false };
const plan = (wish: TaskPlan) => world.sandbox.faults.on('generate', { kind: 'task', ...wish });
/** Generates without waiting, and waits for what that gave in a second run, as a later workflow would. */
const generateThenWait = async () => {
	const started = await world.run({ operation: 'generate', prompt: 'A boat' });
	const waited = await world.run(
		{ operation: 'wait', ...NO_FILE },
		{ items: started.json.map((json) => ({ json })), node: CONTINUE },
	);
	return [started.json[0], waited.json[0]];
};

describe('30: the reason of a failure is shown wherever it stands:', () => {
	it.each(REASON_FORMS)('as %s of a task', async (reasonAs) => {
		const errorMessage = 'A face of a known person was found';
		plan({ outcome: { status: 'FAILED', errorMessage, reasonAs } });
		const { message, context } = failureOf(await world.run({ prompt: 'A boat' }));
		expect(message).toContain(errorMessage);
		expect(message).not.toMatch(/[{}[\]"]/);
		expect(context).toMatchObject({ error_code: 'task_failed', charged: 'no' });
	});

	it.each(REASON_FORMS)('as %s in Get Status', async (reasonAs) => {
		const errorMessage = 'A face of a known person was found';
		plan({ seconds: 0, outcome: { status: 'FAILED', errorMessage, reasonAs } });
		const { json } = await world.run({ operation: 'generate', prompt: 'A boat' });
		const read = await world.run({ operation: 'status', taskId: String(json[0].task_id) });
		expect(read.json[0].error_message).toContain(errorMessage);
	});

	it.each([403, 405, 409, 413, 451])('as JSON under HTTP %i of a POST', async (status) => {
		const body = { code: status, message: 'Only two videos at once for this plan' };
		world.sandbox.faults.on('generate', { kind: 'refuse-with', status, body });
		const { message, description, context } = failureOf(await world.run({ prompt: 'A boat' }));
		expect(message).toContain('Only two videos at once for this plan');
		expect(message + description).not.toContain('base URL');
		expect(context).toMatchObject({ charged: 'no' });
	});

	it.each<[string, object]>([
		['error.message', { code: 403, error: { message: 'Not in your country' } }],
		['detail', { detail: 'Not in your country' }],
		['a list of errors', { error: [{ message: 'Not in your country' }] }],
		['msg', { code: 403, msg: 'Not in your country' }],
		['data.error_message', { code: 403, data: { error_message: 'Not in your country' } }],
	])('as %s of a refused POST', async (_, body) => {
		world.sandbox.faults.on('generate', { kind: 'refuse-with', status: 403, body });
		const { message, description } = failureOf(await world.run({ prompt: 'A boat' }));
		expect(message).toContain('Not in your country');
		expect(description).not.toContain('base URL');
	});

	it.each([403, 404, 405])('but a page under HTTP %i is about the base URL', async (status) => {
		world.sandbox.faults.on('generate', { kind: 'html', status });
		const { message, description } = failureOf(await world.run({ prompt: 'A boat' }));
		expect(description).toContain('Check the base URL');
		expect(message + description).not.toContain('<');
	});
});

describe('31: the link of the video is found wherever it stands:', () => {
	it.each(RESPONSE_FORMS)('as %s', async (responseAs) => {
		plan({ outcome: { status: 'SUCCESS', responseAs } });
		const run = await world.run({ prompt: 'A boat' });
		expect(run.json[0]).toMatchObject({
			succeeded: true,
			video_url: `${world.sandbox.origin}/videos/${ids()[0]}.mp4`,
		});
		expect(run.items[0].binary?.data.bytes).toBe(200_000);
	});

	it('and where it is in none of them, Raw shows what came', async () => {
		const data = { status: 'SUCCESS', consumed_credits: 28, clip: { at: 'cdn.example/a.mp4' } };
		const taskId = await world.existingTask();
		world.sandbox.faults.on(
			'status',
			{ kind: 'refuse-with', status: 200, body: { code: 200, data: { task_id: taskId, ...data } } },
			{ times: 'always' },
		);
		const run = await world.run({ operation: 'wait', taskId, simplify: false }, { node: CONTINUE });
		expect(run.json[0]).toMatchObject({
			task_id: taskId,
			clip: { at: 'cdn.example/a.mp4' },
			error_code: 'no_video',
			charged: 'yes',
		});
	});

	it("is never taken from the user's own request", async () => {
		plan({ outcome: { status: 'SUCCESS', response: 'empty' } });
		const run = await world.run(
			{ prompt: 'A boat', imageSource: 'url', imageUrl: 'http://127.0.0.1/mine.png' },
			{ node: CONTINUE },
		);
		expect(run.json[0]).toMatchObject({ video_url: null, error_code: 'no_video' });
	});
});

describe('32: one list of words, in any case:', () => {
	it.each([
		'SUCCESS',
		'succeed',
		'Succeeded',
		'COMPLETE',
		'completed',
		'DONE',
		'finished',
		' Success ',
	])('%s is a success', async (word) => {
		plan({ outcome: { status: 'SUCCESS', word } });
		const run = await world.run({ prompt: 'A boat', ...NO_FILE });
		expect(run.json[0]).toMatchObject({ status: 'SUCCESS', succeeded: true });
	});

	it.each(['FAIL', 'failed', 'failure', 'Error', 'REJECTED', 'cancelled', 'Canceled', 'expired'])(
		'%s is a failure',
		async (word) => {
			plan({ outcome: { status: 'FAILED', word, errorMessage: 'No' } });
			const run = await world.run({ prompt: 'A boat', ...NO_FILE }, { node: CONTINUE });
			expect(run.json[0]).toMatchObject({ status: 'FAILED', error_code: 'task_failed' });
		},
	);

	it.each(['QUEUED', 'pending', 'Running', 'PROCESSING', 'reviewing'])('%s runs', async (word) => {
		plan({ runningWord: word });
		const run = await world.run({ prompt: 'A boat', ...NO_FILE });
		expect(run.json[0]).toMatchObject({ succeeded: true });
	});
});

describe('33: what the POST answers', () => {
	it.each(['task_id', 'taskId', 'id', 'number'] as const)(
		'with the ID as %s is shown whole, and Wait for Video takes it',
		async (idAs) => {
			plan({ idAs });
			const [started, waited] = await generateThenWait();
			expect(started).toMatchObject({ task_id: ids()[0], status: 'IN_PROGRESS' });
			expect(waited).toMatchObject({ task_id: ids()[0], succeeded: true });
		},
	);

	it.each([...ODD_IDS, 'x'.repeat(500)])(
		'with the ID %j is shown whole, and Wait for Video takes it',
		async (id) => {
			plan({ id });
			const [started, waited] = await generateThenWait();
			expect(started).toMatchObject({ task_id: id });
			expect(waited).toMatchObject({ task_id: id, succeeded: true });
		},
	);

	it.each([
		'a b/../c',
		"it's",
		'2026-02-07T10:30:00Z',
		'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66',
	])('with the ID %j is waited for in the same step', async (id) => {
		plan({ id });
		const run = await world.run({ prompt: 'A boat' });
		expect(run.json[0]).toMatchObject({ task_id: id, succeeded: true });
		expect(run.items[0].binary).toBeDefined();
	});

	it.each(['generate', 'generateAndWait'])('FAILED at once is told by %s', async (operation) => {
		const outcome = { status: 'FAILED', errorMessage: 'Not allowed' } as const;
		plan({ seconds: 0, answersEnd: true, outcome });
		const run = await world.run({ operation, prompt: 'A boat' }, { node: CONTINUE });
		expect(run.json[0]).toMatchObject({
			task_id: ids()[0],
			status: 'FAILED',
			finished: true,
			succeeded: false,
			error_code: 'task_failed',
			charged: 'no',
			error_message: expect.stringContaining('Not allowed'),
		});
	});

	it.each(['generate', 'generateAndWait'])('SUCCESS at once is told by %s', async (operation) => {
		plan({ seconds: 0, answersEnd: true });
		const run = await world.run({ operation, prompt: 'A boat' });
		expect(run.json[0]).toMatchObject({
			task_id: ids()[0],
			status: 'SUCCESS',
			video_url: expect.any(String),
		});
	});

	it.each<[string, object]>([
		['in the envelope', { code: 200, message: 'success', task_id: 'seed15outside' }],
		['in data alone', { data: { task_id: 'seed15outside' } }],
		['as a number', { code: 200, data: { task_id: 12_345 } }],
	])('with the ID %s is no lost video', async (_, body) => {
		world.sandbox.faults.on('generate', { kind: 'refuse-with', status: 200, body });
		const run = await world.run({ operation: 'generate', prompt: 'A boat' });
		expect(run.json[0].task_id).toMatch(/^(seed15outside|12345)$/);
	});

	it.each([undefined, null, '', ' ', 'undefined', '[object Object]', '{{ $json.id }}'])(
		'and Wait for Video refuses only what is no ID at all: %j',
		async (task_id) => {
			const run = await world.run(
				{ operation: 'wait' },
				{ items: [{ json: { ...(task_id !== undefined && { task_id }) } }], node: CONTINUE },
			);
			expect(run.json[0]).toMatchObject({ error_code: 'invalid_input', charged: 'no' });
			expect(world.sandbox.ledger.statusReads()).toHaveLength(0);
		},
	);
});

describe('40: an ID that is known is never thrown away', () => {
	const BARE: readonly Fault[] = [
		{ kind: 'wrong-shape', shape: 'empty-task-id' },
		{ kind: 'wrong-shape', shape: 'no-task-id' },
	];
	const lasting = (fault: Fault) => world.sandbox.faults.on('status', fault, { times: 'always' });

	it.each(BARE)('by a read without it, Simplify off: %j', async (fault) => {
		lasting(fault);
		const run = await world.run({ prompt: 'A boat', simplify: false });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], status: 'SUCCESS' });
	});

	it.each(BARE)('by Get Status and Wait for Video, Simplify on or off: %j', async (fault) => {
		const taskId = await world.existingTask();
		world.sandbox.finish(taskId);
		lasting(fault);
		for (const operation of ['status', 'wait']) {
			for (const simplify of [true, false]) {
				const run = await world.run({ operation, taskId, simplify, ...NO_FILE });
				expect(run.json[0]).toMatchObject({ task_id: taskId });
			}
		}
	});

	it.each(BARE)('by a failure, Simplify off: %j', async (fault) => {
		plan({ outcome: { status: 'FAILED' } });
		lasting(fault);
		const run = await world.run({ prompt: 'A boat', simplify: false }, { node: CONTINUE });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], error_code: 'task_failed' });
	});

	it('by a read of another task, which is not taken for this one', async () => {
		world.sandbox.faults.on('status', { kind: 'foreign-id' }, { times: 3 });
		const run = await world.run({ prompt: 'A boat', simplify: false, ...NO_FILE });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], status: 'SUCCESS' });
	});

	it('by the answer to the POST, Simplify off', async () => {
		plan({ idAs: 'taskId' });
		const run = await world.run({ operation: 'generate', prompt: 'A boat', simplify: false });
		expect(run.json[0]).toMatchObject({ task_id: ids()[0], status: 'IN_PROGRESS' });
	});

	it.each<Fault>([
		{ kind: 'wrong-shape', shape: 'empty-task-id' },
		{ kind: 'wrong-shape', shape: 'no-task-id' },
		{ kind: 'wrong-shape', shape: 'null-data' },
	])(
		'and where the POST gives none, that is told, and nothing is sent again: %j',
		async (fault) => {
			world.sandbox.faults.on('generate', fault, { times: 'always' });
			const run = await world.run({ prompt: 'A boat', simplify: false }, { node: CONTINUE });
			expect(run.json[0]).toMatchObject({
				task_id: null,
				error_code: 'maybe_created',
				charged: 'unknown',
			});
			expect(posts()).toHaveLength(1);
		},
	);
});
