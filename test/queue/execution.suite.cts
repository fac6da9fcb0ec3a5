// Workflows that are started on the main process and run on a worker.
import axios from 'axios';

import { itemsOf } from '../support/n8n/queue.cjs';
import { jsonOf, runSteps, seedance, workerOf, world } from './world.cjs';

export function executionSuite() {
	it('runs on a worker, and its video can be read on the main process', async () => {
		const { api, queue, sandbox } = world();
		const execution = await runSteps([
			seedance('Video', { operation: 'generateAndWait', downloadVideo: true }),
		]);
		expect(execution.status).toBe('success');
		const worker = await workerOf(execution.id);
		const [{ json, binary }] = itemsOf(execution, 'Video');
		const taskId = String(json.task_id);
		expect(worker.log()).toContain(`Seedance task ${taskId} created`);
		expect(queue.main.log()).not.toContain(taskId);

		expect(binary?.data).toMatchObject({
			id: expect.stringMatching(/^database:/),
			fileName: `${taskId}.mp4`,
			mimeType: 'video/mp4',
		});
		const { data: sent } = await axios.get<Buffer>(String(json.video_url), {
			responseType: 'arraybuffer',
			proxy: false,
		});
		expect(sent).toHaveLength(sandbox.videoBytes ?? 0);
		expect(binary && (await api.downloadBinary(binary.data))).toEqual(sent);
	});

	it('waits for a video that a node before it has started, without paying again', async () => {
		const { ledger } = world().sandbox;
		const execution = await runSteps([
			seedance('Start', { operation: 'generate' }),
			seedance('Wait', { operation: 'wait', downloadVideo: true }),
		]);
		expect(jsonOf(execution, 'Start')).toMatchObject([{ status: 'IN_PROGRESS' }]);
		const [{ json, binary }] = itemsOf(execution, 'Wait');
		expect(json).toMatchObject({ task_id: ledger.charges()[0].taskId, succeeded: true });
		expect(binary?.data.fileName).toBe(`${String(json.task_id)}.mp4`);
		expect(ledger.charges()).toHaveLength(1);
	});
}
