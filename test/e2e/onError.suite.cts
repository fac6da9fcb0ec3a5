// On Error in its three settings: what comes out of which output when one of several videos fails. Nothing is dropped.
import type { IDataObject } from 'n8n-workflow';

import { jsonAt, NEXT, ON_ERROR, readError, runScene, world, type Scene } from './world.cjs';

/** One that works, one whose task fails, one with a wrong value, one that works. */
const ROWS: IDataObject[] = [
	{ row: 1, prompt: 'First', ratio: '1:1' },
	{ row: 2, prompt: 'Second [fail]', ratio: '1:1' },
	{ row: 3, prompt: 'Third', ratio: '5:4' },
	{ row: 4, prompt: 'Fourth', ratio: '1:1' },
];

const SCENE: Scene = {
	parameters: { operation: 'generateAndWait', aspectRatio: '={{ $json.ratio }}' },
	rows: ROWS,
};

/** What a good item and the two bad ones hold, in both Continue settings. */
const GOOD = { status: 'SUCCESS', finished: true, succeeded: true, error_message: null };
const FAILED_TASK = {
	task_id: expect.any(String),
	status: 'FAILED',
	finished: true,
	succeeded: false,
	video_url: null,
	prompt: 'Second [fail]',
	consumed_credits: 0,
	estimated_credits: 8,
	error_message: expect.stringContaining('The content was not accepted'),
	error_code: 'task_failed',
	charged: 'no',
};
const WRONG_VALUE = {
	task_id: null,
	status: null,
	finished: true,
	succeeded: false,
	video_url: null,
	prompt: 'Third',
	error_message: expect.stringContaining('5:4'),
	error_code: 'invalid_input',
	charged: 'no',
};

export function onErrorSuite() {
	it('Stop spends nothing when one item is wrong', async () => {
		const execution = await runScene(SCENE);
		const { message, description } = readError(execution);
		expect(message).toMatch(/5:4.*\[item 2\]/);
		expect(description).toContain('No credits were spent.');
		expect(world().sandbox.ledger.posts()).toHaveLength(0);
		expect(jsonAt(execution, NEXT)).toEqual([]);
	});

	it('Stop follows all tasks to their end, and counts what is ready', async () => {
		const rows = ROWS.filter(({ ratio }) => ratio === '1:1');
		const { message, description, context } = readError(await runScene({ ...SCENE, rows }));
		const ids = world()
			.sandbox.ledger.charges()
			.map(({ taskId }) => taskId);
		expect(message).toBe(
			`2 of 3 videos are ready and paid. The video could not be generated (task ${ids[1]}): The content was not accepted. [item 1] (number 2 of 3)`,
		);
		expect(description).toContain('Click Retry in Executions');
		for (const id of ids) expect(description).toContain(id);
		expect(context.tasks).toMatchObject([
			{ item: 0, task_id: ids[0], succeeded: true },
			{ item: 1, task_id: ids[1], error_code: 'task_failed' },
			{ item: 2, task_id: ids[2], succeeded: true },
		]);
	});

	it('Stop sends no further request after one that was refused', async () => {
		const { sandbox } = world();
		sandbox.faults.on('generate', { kind: 'error', code: 'INVALID_PROMPT' }, { nth: 2 });
		const { message, description } = readError(
			await runScene({
				parameters: { operation: 'generateAndWait' },
				rows: [{ prompt: 'one' }, { prompt: 'two' }, { prompt: 'three' }],
			}),
		);
		expect(message).toContain('The API refused the request');
		expect(message).toContain('[item 1]');
		expect(description).toContain(sandbox.ledger.charges()[0].taskId);
		expect(description).toContain('1 more item was not started and cost nothing');
		expect(sandbox.ledger.posts()).toHaveLength(2);
	});

	it('Continue gives every row in its place, failed ones in the same shape', async () => {
		const execution = await runScene({
			...SCENE,
			settings: { onError: 'continueRegularOutput' },
		});
		expect(execution.status).toBe('success');
		const items = jsonAt(execution, NEXT);
		expect(items).toEqual([
			expect.objectContaining({ ...GOOD, prompt: 'First' }),
			expect.objectContaining(FAILED_TASK),
			expect.objectContaining(WRONG_VALUE),
			expect.objectContaining({ ...GOOD, prompt: 'Fourth' }),
		]);
		const shape = Object.keys(items[0]);
		for (const item of items) {
			expect(Object.keys(item)).toEqual(expect.arrayContaining(shape));
			expect(item).not.toHaveProperty('error');
		}
		expect(world().sandbox.ledger.posts()).toHaveLength(3);
	});

	it('the error output gets the failed rows with their input and all details', async () => {
		const execution = await runScene({
			...SCENE,
			settings: { onError: 'continueErrorOutput' },
		});
		expect(execution.status).toBe('success');
		expect(jsonAt(execution, NEXT)).toEqual([
			expect.objectContaining({ ...GOOD, prompt: 'First' }),
			expect.objectContaining({ ...GOOD, prompt: 'Fourth' }),
		]);
		expect(jsonAt(execution, ON_ERROR)).toEqual([
			{
				...ROWS[1],
				error: expect.stringContaining('The content was not accepted'),
				details: expect.objectContaining(FAILED_TASK),
			},
			{
				...ROWS[2],
				error: expect.stringContaining('5:4'),
				details: expect.objectContaining(WRONG_VALUE),
			},
		]);
	});

	it.each(['continueRegularOutput', 'continueErrorOutput'] as const)(
		'%s drops no row when the key is refused, and sends one request only',
		async (onError) => {
			const { sandbox } = world();
			sandbox.faults.on(
				'generate',
				{ kind: 'error', code: 'INVALID_API_KEY' },
				{ times: 'always' },
			);
			const execution = await runScene({
				parameters: { operation: 'generateAndWait' },
				rows: [{ prompt: 'one' }, { prompt: 'two' }, { prompt: 'three' }],
				settings: { onError },
			});
			expect([...jsonAt(execution, NEXT), ...jsonAt(execution, ON_ERROR)]).toHaveLength(3);
			expect(sandbox.ledger.posts()).toHaveLength(1);
		},
	);

	it('the error output gets a video that is paid for but could not be downloaded, with its link', async () => {
		world().sandbox.faults.on('video', { kind: 'html', status: 404 }, { times: 'always' });
		const execution = await runScene({
			parameters: { operation: 'generateAndWait', downloadVideo: true },
			settings: { onError: 'continueErrorOutput' },
		});
		expect(jsonAt(execution, ON_ERROR)).toMatchObject([
			{
				details: {
					error_code: 'download_failed',
					charged: 'yes',
					video_url: expect.stringContaining('.mp4'),
				},
			},
		]);
	});
}
