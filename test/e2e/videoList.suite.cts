// The list of videos in n8n's own Data Table: paid once across executions, in a real n8n.
import type { IDataObject } from 'n8n-workflow';

import {
	api,
	BY_HAND,
	CONTINUE,
	crash,
	endOf,
	executionIds,
	output,
	posts,
	run,
	sandbox,
	saveChain,
	seedance,
	startWorkflow,
	THEN,
	until,
	videos,
	WRONG_KEY,
} from '../support/n8n/world.cjs';

const TABLE = 'Seedance Videos';

interface Table {
	id: string;
	name: string;
	projectId: string;
}

async function tables(): Promise<Table[]> {
	const path = '/data-tables-global?take=100';
	return (await api.call<{ data: Table[] }>('GET', path)).data;
}

async function rows(): Promise<IDataObject[]> {
	const table = (await tables()).find(({ name }) => name === TABLE);
	if (!table) return [];
	const path = `/projects/${table.projectId}/data-tables/${table.id}/rows?take=100`;
	return (await api.call<{ data: IDataObject[] }>('GET', path)).data;
}

/** Saves a workflow with one Seedance node that waits; it is run again and again. */
async function saved(
	parameters = {},
	prompts: Array<IDataObject | string> = [unique()],
	node = {},
) {
	return await saveChain([BY_HAND, seedance(parameters, node), THEN], { rows: prompts });
}

let count = 0;
const unique = () => `A boat, number ${++count}`;

async function runAgain(workflowId: string) {
	return await endOf(await startWorkflow(workflowId));
}

describe('the list of videos', () => {
	it('gives a video again in a second run by hand, free, and says so', async () => {
		const workflow = await saved();
		const [first] = output(await runAgain(workflow));
		const second = await runAgain(workflow);
		expect(output(second)).toMatchObject([{ task_id: first.task_id, reused: true }]);
		expect(posts()).toHaveLength(1);
		expect(await rows()).toContainEqual(
			expect.objectContaining({ task_id: first.task_id, status: 'SUCCESS', handed_on: true }),
		);
	});

	it('goes on after Stop with the same video', async () => {
		videos.hold();
		const workflow = await saved();
		const id = await startWorkflow(workflow);
		await sandbox.ledger.until(() => sandbox.ledger.statusReads().length > 0);
		await api.stopExecution(id);
		expect((await endOf(id)).status).toBe('canceled');
		sandbox.speed = 1000;
		const [taskId] = videos.paidIds();
		expect(output(await runAgain(workflow))).toMatchObject([{ task_id: taskId, succeeded: true }]);
		expect(posts()).toHaveLength(1);
	});
});
