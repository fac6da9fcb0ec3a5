/**
 * The examples as a user gets them going: imported from their files, with a credential and their addresses filled in; their
 * Data Tables; and a stand-in for the social network that they post to.
 */
import fastify from 'fastify';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { IDataObject, INode } from 'n8n-workflow';

import { isRecord } from '../sandbox/server.cjs';
import {
	ensureN8n,
	type Execution,
	type SavedWorkflow,
	type WorkflowJson,
} from '../support/n8n/server.cjs';
import {
	api,
	credential,
	CREDENTIAL_TYPE,
	endOf,
	n8n,
	sandbox,
	startWorkflow,
	until,
} from '../support/n8n/world.cjs';
import { HOST } from '../support/serverProcess.cjs';

export const FOLDER = join(__dirname, '..', '..', 'examples');

/** What 6 nodes of n8n's own do that one node of this package does. */
export const HAND_BUILT = join(__dirname, '..', 'fixtures', 'hand-built.json');

/** The node of the examples that posts. */
export const POST = 'Post the video';

/** Fields by the name of their node. */
type Fields = Record<string, IDataObject>;

/** A workflow in a file, with our credential chosen in the nodes of this package. */
export function readWorkflow(path: string): WorkflowJson {
	const workflow: WorkflowJson = JSON.parse(readFileSync(path, 'utf8'));
	for (const node of workflow.nodes) {
		if (!node.type.startsWith('n8n-nodes-seedance.')) continue;
		node.credentials = { [CREDENTIAL_TYPE]: { id: credential.id, name: credential.name } };
	}
	return workflow;
}

/**
 * Imports an example and does what its notes ask for: chooses the credential in the nodes of this package, and replaces the
 * given placeholders. Throws where there is none to replace.
 *
 * @param options.changes fields that are set to another value
 * @param options.credentials of other nodes
 */
export async function importExample(
	file: string,
	filledIn: Fields = {},
	options: { changes?: Fields; credentials?: Record<string, INode['credentials']> } = {},
): Promise<SavedWorkflow> {
	const workflow = readWorkflow(join(FOLDER, file));
	for (const [name, values] of Object.entries(filledIn)) {
		const { parameters } = nodeOf(workflow, name);
		for (const field of Object.keys(values)) {
			const stored: unknown = parameters[field];
			// What is chosen from a list has its value inside.
			const value = isRecord(stored) ? stored.value : stored;
			if (String(value).startsWith('<REPLACE THIS')) continue;
			throw new Error(`${file}: ${field} of "${name}" is no placeholder`);
		}
		Object.assign(parameters, values);
	}
	for (const [name, values] of Object.entries(options.changes ?? {})) {
		Object.assign(nodeOf(workflow, name).parameters, values);
	}
	for (const [name, credentials] of Object.entries(options.credentials ?? {})) {
		Object.assign(nodeOf(workflow, name), { credentials });
	}
	return await api.createWorkflow(workflow);
}

/** Runs a workflow by its button, to a good end. */
export async function runExample({ id }: SavedWorkflow): Promise<Execution> {
	const execution = await endOf(await startWorkflow(id));
	expect(execution).toMatchObject({ status: 'success' });
	return execution;
}

export function nodeOf({ nodes }: WorkflowJson, name: string): INode {
	const found = nodes.find((node) => node.name === name);
	if (!found) throw new Error(`There is no node "${name}"`);
	return found;
}

/** The Data Tables that the examples make, for callbacks and for a batch; and the list of the package. */
export const ORDERS = 'Video Orders';
export const BATCH = 'Videos to Post';
export const LIST = 'Seedance Videos';

/** The columns of the examples' Data Tables; all of them hold text. */
export const COLUMNS = ['prompt', 'caption', 'task_id', 'status', 'video_url', 'error'] as const;

/** The part of a row that a user fills in or changes. */
export interface Cells extends Record<(typeof COLUMNS)[number], string | null> {
	/** In tables of their own alone. */
	file?: string | null;
	image_url?: string | null;
	/** In the list of the package alone. */
	handed_on?: boolean;
	error_message?: string;
}

export interface Row extends Cells {
	id: number;
}

/** Without the times that n8n keeps of each row. */
const tidied = (rows: Array<Row & { createdAt: string; updatedAt: string }>): Row[] =>
	rows.map(({ createdAt, updatedAt, ...row }) => row).sort((a, b) => a.id - b.id);

interface ListedTable {
	id: string;
	name: string;
	projectId: string;
	columns: Array<{ name: string; type: string }>;
}

/** A Data Table, over n8n's own REST interface and, for what that cannot do, in n8n's database. */
export class VideoTable {
	private readonly path: string;

	private constructor(private readonly table: ListedTable) {
		this.path = `/projects/${table.projectId}/data-tables/${table.id}`;
	}

	static async named(name: string): Promise<VideoTable[]> {
		const { data } = await api.call<{ data: ListedTable[] }>('GET', '/data-tables-global');
		return data.filter((table) => table.name === name).map((table) => new VideoTable(table));
	}

	/** Each as `name: type`. */
	get columns(): string[] {
		return this.table.columns.map(({ name, type }) => `${name}: ${type}`);
	}

	/** Adds rows; gives them with their ids. */
	async add(...data: Array<Partial<Cells> | IDataObject>): Promise<Row[]> {
		return tidied(await api.call('POST', `${this.path}/insert`, { data, returnType: 'all' }));
	}

	/** All rows, in the order of their ids. */
	async rows(): Promise<Row[]> {
		const path = `${this.path}/rows?take=100`;
		return tidied((await api.call<{ data: Parameters<typeof tidied>[0] }>('GET', path)).data);
	}

	async rowWhen(id: number, holds: (row: Row) => boolean): Promise<Row> {
		let found: Row[] = [];
		await until(`row ${id} is as expected`, async () => {
			found = (await this.rows()).filter((row) => row.id === id && holds(row));
			return found.length > 0;
		});
		return found[0];
	}

	/** What a user does in the table itself. */
	async edit(id: number, data: Partial<Cells> | IDataObject): Promise<void> {
		const filters = [{ columnName: 'id', condition: 'eq', value: id }];
		await api.call('PATCH', `${this.path}/rows`, { filter: { type: 'and', filters }, data });
	}

	async empty(): Promise<void> {
		const filter = { type: 'and', filters: [{ columnName: 'id', condition: 'gt', value: 0 }] };
		const query = encodeURIComponent(JSON.stringify(filter));
		await api.call('DELETE', `${this.path}/rows?filter=${query}`);
	}

	/**
	 * Lets minutes pass for rows: moves the time of their last change back. n8n keeps that column to itself, so this writes
	 * into its database, with the SQLite of the Node that runs n8n.
	 */
	async letPass(minutes: number, ...rows: Row[]): Promise<void> {
		const { node } = await ensureN8n();
		const database = join(n8n.userFolder, '.n8n', 'database.sqlite');
		const sql = `UPDATE "data_table_user_${this.table.id}"
			SET updatedAt = strftime('%Y-%m-%d %H:%M:%f', updatedAt, '-${minutes} minutes')
			WHERE id IN (${rows.map(({ id }) => id).join(', ')})`;
		const script = `
			const { DatabaseSync } = require('node:sqlite');
			const [, file, sql] = process.argv;
			const { changes } = new DatabaseSync(file, { timeout: 10_000 }).prepare(sql).run();
			if (changes !== ${rows.length}) throw new Error(changes + ' rows were changed');`;
		await promisify(execFile)(node, ['-e', script, database, sql]);
	}
}

export type Prompted = Pick<Row, 'prompt'>;

/** The task of a row, by its prompt; empty when none was started. */
export function taskOf({ prompt }: Prompted): string {
	return sandbox.tasks.all().find(({ order }) => order.prompt === prompt)?.id ?? '';
}

export function videoOf(row: Prompted): string {
	return `${sandbox.origin}/videos/${taskOf(row)}.mp4`;
}

/** How a row looks, and what was posted of it, once its video is ready. */
export const ready = (row: Row): Row => ({
	...row,
	status: 'SUCCESS',
	task_id: taskOf(row),
	video_url: videoOf(row),
	error: '',
});
export const posted = (row: Row) => ({ video_url: videoOf(row), caption: row.caption });

export type Network = Awaited<ReturnType<typeof startNetwork>>;

/** A server that takes posts as a social network does. */
export async function startNetwork() {
	const server = fastify({ forceCloseConnections: true });
	const network = {
		url: '',
		/** What was posted, in order of arrival. */
		posts: [] as unknown[],
		/** While true, it returns 503 and keeps nothing. */
		isDown: false,
		close: async () => await server.close(),
	};
	server.post('/posts', async ({ body }, reply) => {
		if (network.isDown) return await reply.code(503).send();
		network.posts.push(body);
		return { ok: true };
	});
	network.url = `${await server.listen({ host: HOST, port: 0 })}/posts`;
	return network;
}
