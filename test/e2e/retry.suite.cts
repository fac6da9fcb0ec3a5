// Running it again after a failure, by hand or by Retry On Fail: what is paid for is fetched, never bought a second time.
import {
	output,
	posts,
	readError,
	retry,
	RETRY_ON_FAIL,
	run,
	sandbox,
	videos,
} from '../support/n8n/world.cjs';

describe('Retry', () => {
	it.each(['={{ $json.prompt }} {{ Math.random() }}', '={{ $json.prompt }} {{ $execution.id }}'])(
		'goes on with the tasks of a batch that a refusal ended, and starts only the others: %s',
		async (prompt) => {
			const refused = { kind: 'error', code: 'INSUFFICIENT_CREDITS' } as const;
			sandbox.faults.on('generate', refused, { nth: 3 });
			const failed = await run({ prompt }, { rows: ['one', 'two', 'three', 'four'] });
			expect(readError(failed).message).toContain('not have enough credits');
			const before = videos.paidIds();
			expect(before).toHaveLength(2);

			const again = output(await retry(failed));

			expect(again).toMatchObject(
				['one', 'two', 'three', 'four'].map((text) => ({
					prompt: expect.stringMatching(`^${text}`),
					succeeded: true,
				})),
			);
			const delivered = again.map(({ task_id }) => task_id);
			expect(delivered).toEqual([...before, ...videos.paidIds().slice(2)]);
			expect(videos.paidIds()).toHaveLength(4);
		},
	);

	it('waits on for a video that was not ready in time', async () => {
		const options = { pollInterval: 1, timeout: 0.02 };
		const failed = await run({ options }, { rows: ['A boat [never]'] });
		const [taskId] = videos.paidIds();
		expect(readError(failed).context).toMatchObject({ error_code: 'timeout' });
		sandbox.finish(taskId);
		expect(output(await retry(failed))).toMatchObject([{ task_id: taskId, succeeded: true }]);
		expect(posts()).toHaveLength(1);
	});

	it('does not send a request again whose outcome nobody knows', async () => {
		sandbox.faults.on('generate', { kind: 'accept-then-reset' });
		const failed = await run();
		expect(readError(failed).context).toMatchObject({ error_code: 'maybe_created' });
		const { message, description } = readError(await retry(failed));
		expect(message).toContain('An earlier try of this item was sent');
		expect(description).toContain('It is not sent again');
		expect(posts()).toHaveLength(1);
	});

	it('makes a failed task anew when a person retries', async () => {
		sandbox.faults.on('generate', { kind: 'task', outcome: { status: 'FAILED' } });
		const failed = await run();
		expect(readError(failed).context).toMatchObject({ error_code: 'task_failed', charged: 'no' });
		expect(output(await retry(failed))).toMatchObject([{ succeeded: true }]);
		expect(posts()).toHaveLength(2);
		expect(sandbox.ledger.spent).toBe(8);
	});
});

describe('Retry On Fail', () => {
	it('does not pay for a failed task again', async () => {
		const failed = await run({}, { rows: ['one', 'two [fail]'], ...RETRY_ON_FAIL });
		expect(readError(failed).message).toContain('1 of 2 videos are ready and paid');
		expect(posts()).toHaveLength(2);
	});

	it('sends one POST when its answer is lost, though the prompt changes', async () => {
		const prompt = '=A boat {{ Math.random() }}';
		sandbox.faults.on('generate', { kind: 'accept-then-reset' });
		const { context } = readError(await run({ prompt }, RETRY_ON_FAIL));
		expect(context).toMatchObject({ error_code: 'maybe_created', charged: 'unknown' });
		expect(posts()).toHaveLength(1);
	});
});
