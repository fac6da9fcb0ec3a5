/** Published workflows that start with a Seedance Trigger: how the suites make them and read what they ran. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IDataObject, INode, INodeParameters } from 'n8n-workflow';

import { itemsOf, type Execution } from '../support/n8n/server.cjs';
import { CREDENTIAL_TYPE, executed, NEXT, world } from './world.cjs';

export const TRIGGER_TYPE = 'n8n-nodes-seedance.seedanceTrigger';
export const TRIGGER = 'Seedance Trigger';

/** A workflow with a trigger: its id, and its addresses. */
export interface TriggerWorkflow {
	id: string;
	/** Below `/webhook/` and `/webhook-test/`. */
	path: string;
	productionUrl: string;
	testUrl: string;
}

/** Saves `Seedance Trigger → Next`; published unless `isPublished` is false. */
export async function saveTrigger(
	parameters: INodeParameters = {},
	options: { credentialId?: string; isPublished?: boolean; node?: Partial<INode> } = {},
): Promise<TriggerWorkflow> {
	const { api, credential, n8n } = world();
	const webhookId = randomUUID();
	const { id } = await api.createWorkflow({
		name: expect.getState().currentTestName?.slice(0, 120) ?? 'Trigger',
		nodes: [
			{
				id: randomUUID(),
				name: TRIGGER,
				type: TRIGGER_TYPE,
				typeVersion: 1,
				position: [0, 0],
				webhookId,
				parameters,
				credentials: {
					[CREDENTIAL_TYPE]: { id: options.credentialId ?? credential.id, name: credential.name },
				},
				...options.node,
			},
			{
				id: randomUUID(),
				name: NEXT,
				type: 'n8n-nodes-base.noOp',
				typeVersion: 1,
				position: [220, 0],
				parameters: {},
			},
		],
		connections: { [TRIGGER]: { main: [[{ node: NEXT, type: 'main', index: 0 }]] } },
		settings: { executionOrder: 'v1' },
	});
	if (options.isPublished !== false) await api.activateWorkflow(id);
	const path = `${webhookId}/webhook`;
	return {
		id,
		path,
		productionUrl: `${n8n.baseUrl}/webhook/${path}`,
		testUrl: `${n8n.baseUrl}/webhook-test/${path}`,
	};
}

/** The ended executions of a workflow, oldest first. Waits until there are as many; more are given as well. */
export async function runsOf(
	workflowId: string,
	atLeast = 0,
	timeoutMs = 30_000,
): Promise<Execution[]> {
	const { api } = world();
	for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
		const listed = await api.listExecutions(workflowId);
		const running = listed.filter(({ status }) => ['new', 'running', 'waiting'].includes(status));
		if (listed.length >= atLeast && running.length === 0) {
			const ids = listed.map(({ id }) => id).sort((a, b) => Number(a) - Number(b));
			executed(...ids);
			return await Promise.all(ids.map(async (id) => await api.getExecution(id)));
		}
		if (Date.now() > end) {
			throw new Error(
				`${listed.length} executions instead of ${atLeast}, ${running.length} of them running`,
			);
		}
	}
}

/** What the node behind the trigger got, over several executions. */
export function startedWith(runs: readonly Execution[]): IDataObject[] {
	return runs.flatMap((run) => itemsOf(run, NEXT).map(({ json }) => json));
}
