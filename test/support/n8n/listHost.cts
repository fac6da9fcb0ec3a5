/**
 * The contract of the list of videos in a real n8n: each execution is a call of a webhook, behind which a node of these
 * tests opens the list of the installed package. That node is a custom extension (`listNode`) of every process.
 */
import type { IDataObject } from 'n8n-workflow';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import { listContract, type ListOutput, type ListHost } from '../listContract.cjs';
import { N8nClient } from './client.cjs';
import { api } from './world.cjs';

/** What n8n needs to load the node. */
export const LIST_NODE = { N8N_CUSTOM_EXTENSIONS: join(__dirname, '..', 'listNode') };

const ALL = 'take=100';

interface Table {
	id: string;
	name: string;
	projectId: string;
}

interface Project {
	client: N8nClient;
	/** Of the user who made the workflow: several others take a licence. */
	id: string;
	workflowId: string;
	path: string;
}

async function projectOf(client: N8nClient): Promise<Project> {
	const { id } = await client.call<{ id: string }>('GET', '/projects/personal');
	const path = randomUUID();
	const webhook = { httpMethod: 'POST', path, responseMode: 'lastNode' };
	const node = { typeVersion: 1, position: [0, 0] as [number, number], parameters: {} };
	const workflow = await client.createWorkflow({
		// A name that n8n would evaluate if it were a parameter.
		name: '={{ $execution.id }} "calls"',
		nodes: [
			{
				...node,
				...{ id: 'a', name: 'Webhook', type: 'n8n-nodes-base.webhook', typeVersion: 2 },
				...{ webhookId: path, parameters: webhook },
			},
			{ ...node, id: 'b', name: 'List', type: 'CUSTOM.videoList' },
		],
		connections: { Webhook: { main: [[{ node: 'List', type: 'main', index: 0 }]] } },
		settings: { executionOrder: 'v1' },
	});
	await client.activateWorkflow(workflow.id);
	return { client, id, workflowId: workflow.id, path };
}

/** A second user, signed in. */
async function invited(): Promise<N8nClient> {
	const email = 'second@seedance.example';
	const password = 'Seedance-demo-2';
	const [{ user }] = await api.call<Array<{ user: { inviteAcceptUrl: string } }>>(
		'POST',
		'/invitations',
		[{ email, role: 'global:member' }],
	);
	const token = new URL(user.inviteAcceptUrl).searchParams.get('token');
	const name = { firstName: 'Second', lastName: 'Tester' };
	const client = new N8nClient(api.baseUrl);
	await client.call('POST', '/invitations/accept', { token, password, ...name });
	return client;
}

/** Registers the suite. `urls` are those of the processes that take calls of webhooks, which take calls alternately. */
export function n8nListContract(urls: () => string[] = () => [api.baseUrl]): void {
	let own: Project;
	let other: Project;
	let asked = 0;

	const tablesOf = async ({ client, id }: Project): Promise<Table[]> => {
		const all = await client.call<{ data: Table[] }>('GET', `/data-tables-global?${ALL}`);
		return all.data.filter(({ projectId }) => projectId === id);
	};
	const pathOf = (project: Project) => `/projects/${project.id}/data-tables`;

	const host: ListHost = {
		ask: async (calls, { creates = true, starts = false, isOther = false } = {}) => {
			const urlsNow = urls();
			const { path } = isOther ? other : own;
			if (!isOther) asked += 1;
			const client = new N8nClient(urlsNow[asked % urlsNow.length]);
			const response = await client.callWebhook('POST', path, { body: { calls, creates, starts } });
			if (response.status !== 200) throw new Error(`n8n returned ${JSON.stringify(response)}`);
			return Object.assign({ isOpen: false, rows: [] } satisfies ListOutput, response.body);
		},
		tables: async () => (await tablesOf(own)).map(({ name }) => name),
		make: async (name, columns) => {
			const all = Object.entries(columns).map(([column, type]) => ({ name: column, type }));
			await own.client.call('POST', pathOf(own), { name, columns: all });
		},
		rows: async (name) => {
			const table = (await tablesOf(own)).find((one) => one.name === name);
			const path = `${pathOf(own)}/${table?.id}/rows?${ALL}`;
			return (await own.client.call<{ data: IDataObject[] }>('GET', path)).data;
		},
		clear: async () => {
			for (const project of [own, other]) {
				for (const { id } of await tablesOf(project)) {
					await project.client.call('DELETE', `${pathOf(project)}/${id}`);
				}
			}
		},
	};

	describe('the list of videos in Data Tables', () => {
		beforeAll(async () => {
			own = await projectOf(api);
			other = await projectOf(await invited());
		});

		listContract(() => host);

		it('leaves no execution behind, of calls that fail as well', async () => {
			const fails = await host.ask([
				[{ do: 'get', all: [{ column: 'item', is: 'eq', value: 'x' }] }],
			]);
			expect(fails.error).toContain("does not match column type 'number'");
			expect(await api.countExecutions(own.workflowId, ['success'])).toBe(asked);
			expect(await api.listExecutions(own.workflowId)).not.toContainEqual(
				expect.objectContaining({ mode: 'integrated' }),
			);
			expect(await api.countExecutions(own.workflowId)).toBe(asked);
		});
	});
}
