// Running it again after a failure, by hand or by Retry On Fail: what is paid for is fetched, never bought a second time.
import { itemsOf } from '../support/n8n/server.cjs';
import { jsonAt, NEXT, readError, retry, runScene, world } from './world.cjs';

export function retrySuite() {
	it('fetches a paid video whose download failed, without paying again', async () => {
		const { faults, ledger } = world().sandbox;
		faults.on('video', { kind: 'html', status: 404 }, { times: 'always' });
		const failed = await runScene({
			parameters: { operation: 'generateAndWait', downloadVideo: true },
		});
		const { message, context } = readError(failed);
		expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		expect(message).toContain(ledger.charges()[0].taskId);
		faults.clear();

		const again = await retry(failed.id);

		expect(again.status).toBe('success');
		const [item] = itemsOf(again, NEXT);
		expect(item.json.task_id).toBe(ledger.charges()[0].taskId);
		expect(item.binary?.data?.mimeType).toBe('video/mp4');
		expect(ledger.posts()).toHaveLength(1);
	});

	it('goes on with the tasks of a batch that a refusal ended, and starts only the others', async () => {
		const { faults, ledger } = world().sandbox;
		faults.on('generate', { kind: 'error', code: 'INSUFFICIENT_CREDITS' }, { nth: 3 });
		const prompts = ['one', 'two', 'three', 'four'];
		const failed = await runScene({
			parameters: { operation: 'generateAndWait' },
			rows: prompts.map((prompt) => ({ prompt })),
		});
		expect(readError(failed).message).toContain('not have enough credits');
		expect(ledger.charges()).toHaveLength(2);

		const again = await retry(failed.id);

		expect(jsonAt(again, NEXT)).toMatchObject(
			prompts.map((prompt) => ({ prompt, succeeded: true })),
		);
		expect(prompts.map((prompt) => ledger.chargesWithPrompt(prompt))).toEqual([1, 1, 1, 1]);
	});

	it('waits on for a video that was not ready in time', async () => {
		const { ledger, ...sandbox } = world().sandbox;
		const failed = await runScene({
			parameters: { operation: 'generateAndWait', options: { pollInterval: 1, timeout: 0.02 } },
			rows: [{ prompt: 'A boat [never]' }],
		});
		const [{ taskId }] = ledger.charges();
		expect(readError(failed).context).toMatchObject({ error_code: 'timeout' });
		sandbox.finish(taskId);

		const again = await retry(failed.id);

		expect(jsonAt(again, NEXT)).toMatchObject([{ task_id: taskId, succeeded: true }]);
		expect(ledger.posts()).toHaveLength(1);
	});

	it('does not send a request again whose outcome nobody knows', async () => {
		const { faults, ledger } = world().sandbox;
		faults.on('generate', { kind: 'accept-then-reset' });
		const failed = await runScene({ parameters: { operation: 'generateAndWait' } });
		expect(readError(failed).context).toMatchObject({ error_code: 'maybe_created' });

		const again = await retry(failed.id);

		const { message, description } = readError(again);
		expect(message).toContain('An earlier try of this item was sent');
		expect(description).toContain('It is not sent again');
		expect(ledger.posts()).toHaveLength(1);
	});

	it('makes a failed task anew when a person retries', async () => {
		const { faults, ledger } = world().sandbox;
		faults.on('generate', { kind: 'task', outcome: { status: 'FAILED' } });
		const failed = await runScene({ parameters: { operation: 'generateAndWait' } });
		expect(readError(failed).context).toMatchObject({ error_code: 'task_failed', charged: 'no' });

		const again = await retry(failed.id);

		expect(jsonAt(again, NEXT)).toMatchObject([{ succeeded: true }]);
		expect(ledger.posts()).toHaveLength(2);
		expect(ledger.spent).toBe(8);
	});

	it('by Retry On Fail does not pay for a failed task again', async () => {
		const { ledger } = world().sandbox;
		const failed = await runScene({
			parameters: { operation: 'generateAndWait' },
			rows: [{ prompt: 'one' }, { prompt: 'two [fail]' }],
			settings: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 },
		});
		expect(readError(failed).message).toContain('1 of 2 videos are ready and paid');
		expect(ledger.posts()).toHaveLength(2);
	});

	it('by Retry On Fail does not send an unclear request again', async () => {
		const { faults, ledger } = world().sandbox;
		faults.on('generate', { kind: 'accept-then-5xx' });
		const failed = await runScene({
			parameters: { operation: 'generateAndWait' },
			settings: { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 },
		});
		expect(readError(failed).context).toMatchObject({ error_code: 'maybe_created' });
		expect(ledger.posts()).toHaveLength(1);
	});
}
