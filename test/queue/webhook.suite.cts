// Calls from outside: a webhook process takes them, a worker runs the workflow.
import { N8nClient } from '../support/n8n/queue.cjs';
import { saveWorkflow, seedance, workerOf, world } from './world.cjs';

export function webhookSuite() {
	it('starts an execution on a worker and answers with its result; the main process takes no call', async () => {
		const { api, queue, sandbox } = world();
		const path = 'a-video-please';
		const workflowId = await saveWorkflow(
			[
				seedance('Video', {
					operation: 'generateAndWait',
					prompt: '={{ $json.body.prompt }}',
				}),
			],
			{
				step: {
					name: 'Webhook',
					type: 'n8n-nodes-base.webhook',
					typeVersion: 2,
					parameters: { httpMethod: 'POST', path, responseMode: 'lastNode' },
					webhookId: path,
				},
			},
		);
		await api.activateWorkflow(workflowId);
		const body = { prompt: 'A paper boat' };

		for (const { baseUrl } of queue.webhooks) {
			const answer = await new N8nClient(baseUrl).callWebhook('POST', path, { body });
			expect(answer).toMatchObject({ status: 200, body: { succeeded: true, ...body } });
		}
		const taskIds = sandbox.ledger.charges().map(({ taskId }) => taskId);
		expect(taskIds).toHaveLength(queue.webhooks.length);
		const executions = await api.listExecutions(workflowId);
		const workers = await Promise.all(executions.map(async ({ id }) => await workerOf(id)));
		for (const taskId of taskIds) {
			expect(workers.some((worker) => worker.log().includes(taskId))).toBe(true);
		}

		expect((await api.callWebhook('POST', path, { body })).status).toBe(404);
	});
}
