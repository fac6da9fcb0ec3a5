// Answers in forms that the contract leaves open: the ID, the link and the reason are found wherever they stand, and an ID that is
// there is never thrown away.
import { ODD_IDS, REASON_FORMS, RESPONSE_FORMS, type Fault } from '../sandbox/server.cjs';
import { CONTINUE, NO_FILE, TROUBLE, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, existingTask, fault, plan, ids } = world;
const BOAT = { prompt: 'A boat' };
const GENERATE = { operation: 'generate', ...BOAT };

describe('the reason of a failure is shown where it stands', () => {
	it.each(REASON_FORMS)('as %s of a task', async (reasonAs) => {
		const errorMessage = 'A face of a known person was found';
		plan({ outcome: { status: 'FAILED', errorMessage, reasonAs } });
		const { message, context } = await failure(BOAT);
		expect(message).toContain(errorMessage);
		expect(message).not.toMatch(/[{}[\]"]/);
		expect(context).toMatchObject({ error_code: 'task_failed', charged: 'no' });
		const { json } = await run({ operation: 'status', taskId: ids()[0] });
		expect(json[0].error_message).toContain(errorMessage);
	});

	it.each(TROUBLE.refusals)('as %s of a POST under HTTP %i', async (_, status, body) => {
		fault('generate', { kind: 'refuse-with', status, body });
		const { message, description, context } = await failure(BOAT);
		expect(message).toContain('Not in your country');
		expect(message + description).not.toContain('base URL');
		expect(context).toMatchObject({ charged: 'no' });
	});
});

describe('the link of the video', () => {
	it.each(RESPONSE_FORMS)('is found as %s', async (responseAs) => {
		plan({ outcome: { status: 'SUCCESS', responseAs } });
		const { json, items } = await run(BOAT);
		const video_url = `${world.sandbox.origin}/videos/${ids()[0]}.mp4`;
		expect(json[0]).toMatchObject({ succeeded: true, video_url });
		expect(items[0].binary?.data.bytes).toBe(200_000);
	});

	it('where it is in none of them is not there, and Raw shows what came', async () => {
		const taskId = await existingTask();
		const clip = { at: 'cdn.example/a.mp4' };
		const data = { task_id: taskId, status: 'SUCCESS', consumed_credits: 28, clip };
		const body = { code: 200, data };
		fault('status', { kind: 'refuse-with', status: 200, body }, { times: 'always' });
		const { json } = await run({ operation: 'wait', taskId, simplify: false }, { node: CONTINUE });
		const no_video = { error_code: 'no_video', charged: 'yes' };
		expect(json[0]).toMatchObject({ task_id: taskId, clip, ...no_video });
	});

	it("is never taken from the user's own request", async () => {
		plan({ outcome: { status: 'SUCCESS', response: 'empty' } });
		const image = { imageSource: 'url', imageUrl: 'http://127.0.0.1/mine.png' };
		const { json } = await run({ ...BOAT, ...image }, { node: CONTINUE });
		expect(json[0]).toMatchObject({ video_url: null, error_code: 'no_video' });
	});
});

describe('a status word', () => {
	it.each(['Succeeded', 'completed', ' Done '])(
		'"%s" is a success, and Raw keeps it',
		async (word) => {
			plan({ outcome: { status: 'SUCCESS', word } });
			const raw = await run({ ...BOAT, ...NO_FILE, simplify: false });
			expect(raw.json[0]).toMatchObject({ status: word });
			const { json } = await run({ operation: 'status', taskId: ids()[0] });
			expect(json[0]).toMatchObject({ status: 'SUCCESS', succeeded: true });
		},
	);

	it.each(['error', 'Cancelled', 'EXPIRED'])(
		'"%s" is a failure, and no endless wait',
		async (word) => {
			plan({ outcome: { status: 'FAILED', word, errorMessage: 'No' } });
			const { json } = await run({ ...BOAT, ...NO_FILE }, { node: CONTINUE });
			expect(json[0]).toMatchObject({ status: 'FAILED', error_code: 'task_failed' });
		},
	);

	it.each(['QUEUED', 'reviewing'])('"%s" runs', async (word) => {
		plan({ runningWord: word });
		expect((await run({ ...BOAT, ...NO_FILE })).json[0]).toMatchObject({ succeeded: true });
	});
});

describe('the answer to a POST', () => {
	/** Generates without waiting, and waits for what that gave in a second run, as a later workflow would. */
	const generateThenWait = async () => {
		const started = await run(GENERATE);
		const items = started.json.map((json) => ({ json }));
		const waited = await run({ operation: 'wait', ...NO_FILE }, { items });
		return [started.json[0], waited.json[0]];
	};

	it.each([
		...(['task_id', 'taskId', 'id', 'number'] as const).map((idAs) => ({ idAs })),
		...[...ODD_IDS, 'x'.repeat(500)].map((id) => ({ id })),
	])('gives the ID whole, and Wait for Video takes it: %j', async (form) => {
		plan(form);
		const [started, waited] = await generateThenWait();
		expect(started).toMatchObject({ task_id: ids()[0], status: 'IN_PROGRESS' });
		expect(waited).toMatchObject({ task_id: ids()[0], succeeded: true });
		if ('id' in form) expect(started.task_id).toBe(form.id);
	});

	it.each(['generate', 'generateAndWait'])('may tell the end at once to %s', async (operation) => {
		const error_message = expect.stringContaining('Not allowed');
		plan({ seconds: 0, answersEnd: true });
		const good = await run({ ...BOAT, operation });
		const video_url = expect.any(String);
		expect(good.json[0]).toMatchObject({ task_id: ids()[0], status: 'SUCCESS', video_url });
		const outcome = { status: 'FAILED', errorMessage: 'Not allowed' } as const;
		plan({ seconds: 0, answersEnd: true, outcome });
		const bad = await run({ ...BOAT, operation }, { node: CONTINUE });
		const ended = { status: 'FAILED', finished: true, succeeded: false, error_message };
		const told = { error_code: 'task_failed', charged: 'no' };
		expect(bad.json[0]).toMatchObject({ task_id: ids()[1], ...ended, ...told });
	});

	it.each<[string, Fault]>([
		...(['no-code', 'code-string', 'no-status', 'array-data'] as const).map(
			(shape): [string, Fault] => [shape, { kind: 'wrong-shape', shape }],
		),
		...[
			{ code: 200, message: 'success', task_id: 'seed15outside' },
			{ data: { task_id: 'seed15outside' } },
			{ code: 200, data: { task_id: 12_345 } },
		].map((body): [string, Fault] => [
			JSON.stringify(body),
			{ kind: 'refuse-with', status: 200, body },
		]),
	])('that holds the ID in another shape is no lost video: %s', async (_, form) => {
		fault('generate', form);
		const { json } = await run(GENERATE);
		expect([ids()[0], 'seed15outside', '12345']).toContain(json[0].task_id);
	});
});

describe('an ID that is there is never thrown away', () => {
	const BARE: readonly Fault[] = [
		{ kind: 'wrong-shape', shape: 'empty-task-id' },
		{ kind: 'wrong-shape', shape: 'no-task-id' },
	];
	const ALWAYS = { times: 'always' } as const;

	it.each(BARE)('by a read without it, Simplify on or off: %j', async (bare) => {
		const taskId = await world.finishedTask();
		fault('status', bare, ALWAYS);
		for (const parameters of [
			{ operation: 'status' },
			{ operation: 'status', simplify: false },
			{ operation: 'wait' },
			{ operation: 'wait', simplify: false },
		]) {
			const { json } = await run({ ...parameters, taskId, ...NO_FILE });
			expect(json[0]).toMatchObject({ task_id: taskId });
		}
		plan({ outcome: { status: 'FAILED' } });
		const failed = await run({ ...BOAT, simplify: false }, { node: CONTINUE });
		expect(failed.json[0]).toMatchObject({ task_id: ids()[1], error_code: 'task_failed' });
	});

	it('by a read of another task, which is not taken for this one', async () => {
		fault('status', { kind: 'foreign-id' }, { times: 3 });
		const { json } = await run({ ...BOAT, simplify: false, ...NO_FILE });
		expect(json[0]).toMatchObject({ task_id: ids()[0], status: 'SUCCESS' });
	});
});
