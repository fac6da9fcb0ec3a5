/**
 * The examples as a user gets them going: imported from their files, with a credential and their addresses filled in; the
 * Data Table they share; and a stand-in for the social network that they post to.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { IDataObject, INode } from 'n8n-workflow';

import { isRecord } from '../sandbox/server.cjs';
import {
	ensureN8n,
	type Execution,
	type SavedWorkflow,
	type WorkflowJson,
} from '../support/n8n/server.cjs';
import { CREDENTIAL_TYPE, endOf, executed, world } from './world.cjs';

export const FOLDER = join(__dirname, '..', '..', 'examples');

const HOST = '127.0.0.1';
/** How a value begins that a user has to replace. */
const PLACEHOLDER = '<REPLACE THIS';

function isWorkflow(value: unknown): value is WorkflowJson {
	return isRecord(value) && typeof value.name === 'string' && Array.isArray(value.nodes);
}

/** What a user fills in: by the name of the node, its fields. */
export type FilledIn = Record<string, IDataObject>;

/** What a user does beyond that. */
export interface Choices {
	/** Credentials of other nodes, by the node's name. */
	credentials?: Record<string, NonNullable<INode['credentials']>>;
	/** Fields that are set to another value, by the node's name. */
	changes?: FilledIn;
}

/** A workflow in a file, with our credential chosen in the nodes of this package. */
export function readWorkflow(path: string): WorkflowJson {
	const { credential } = world();
	const workflow: unknown = JSON.parse(readFileSync(path, 'utf8'));
	if (!isWorkflow(workflow)) throw new Error(`${path} is not a workflow`);
	for (const node of workflow.nodes) {
		if (!node.type.startsWith('n8n-nodes-seedance.')) continue;
		node.credentials = { [CREDENTIAL_TYPE]: { id: credential.id, name: credential.name } };
	}
	return workflow;
}

/**
 * Imports an example and does what its notes ask for: chooses the credential in the nodes of this package, and replaces the
 * given placeholders. Throws where there is none to replace.
 */
export async function importExample(
	file: string,
	filledIn: FilledIn = {},
	{ credentials = {}, changes = {} }: Choices = {},
): Promise<SavedWorkflow> {
	const workflow = readWorkflow(join(FOLDER, file));
	for (const [name, chosen] of Object.entries(credentials)) {
		nodeOf(workflow, name).credentials = chosen;
	}
	for (const [name, values] of Object.entries(changes)) {
		Object.assign(nodeOf(workflow, name).parameters, values);
	}
	for (const [name, values] of Object.entries(filledIn)) {
		const { parameters } = nodeOf(workflow, name);
		for (const [field, value] of Object.entries(values)) {
			if (!String(parameters[field]).startsWith(PLACEHOLDER)) {
				throw new Error(`${file}: ${field} of "${name}" is no placeholder`);
			}
			Object.assign(parameters, { [field]: value });
		}
	}
	return await world().api.createWorkflow(workflow);
}

/** Runs a workflow by its button, to a good end. */
export async function runExample({ id }: SavedWorkflow, timeoutMs?: number): Promise<Execution> {
	const executionId = await world().api.runWorkflow(id);
	executed(executionId);
	const execution = await endOf(executionId, timeoutMs);
	expect(execution).toMatchObject({ status: 'success' });
	return execution;
}

export function nodeOf({ nodes }: WorkflowJson, name: string): INode {
	const found = nodes.find((node) => node.name === name);
	if (!found) throw new Error(`There is no node "${name}"`);
	return found;
}

/** The columns of the examples' Data Table; all of them hold text. */
export const COLUMNS = ['prompt', 'caption', 'task_id', 'status', 'video_url', 'error'] as const;

/** The part of a row that a user fills in or changes. */
export type Cells = Record<(typeof COLUMNS)[number], string | null>;

export interface Row extends Cells {
	id: number;
}

function listOf(value: unknown): Array<Record<string, unknown>> {
	return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** Leaves out the times that n8n keeps of each row. */
function rowsIn(answer: unknown): Row[] {
	return listOf(answer)
		.filter(isRow)
		.map(({ id, prompt, caption, task_id, status, video_url, error }) => {
			return { id, prompt, caption, task_id, status, video_url, error };
		})
		.sort((a, b) => a.id - b.id);
}

function isRow(value: Record<string, unknown>): value is Record<string, unknown> & Row {
	return (
		typeof value.id === 'number' &&
		COLUMNS.every((name) => value[name] === null || typeof value[name] === 'string')
	);
}

/** A Data Table, over n8n's own REST interface and, for what that cannot do, in n8n's database. */
export class VideoTable {
	private constructor(
		readonly id: string,
		readonly columns: ReadonlyArray<{ name: string; type: string }>,
		private readonly path: string,
	) {}

	/** The tables of this name. */
	static async named(name: string): Promise<VideoTable[]> {
		const listed = await world().api.call('GET', '/data-tables-global');
		return listOf(isRecord(listed) ? listed.data : undefined)
			.filter((table) => table.name === name)
			.map(({ id, projectId, columns }) => {
				const path = `/projects/${String(projectId)}/data-tables/${String(id)}`;
				const types = listOf(columns).map((column) => ({
					name: String(column.name),
					type: String(column.type),
				}));
				return new VideoTable(String(id), types, path);
			});
	}

	/** Adds rows; gives them with their ids. */
	async add(...rows: Array<Partial<Cells>>): Promise<Row[]> {
		const body = { data: rows, returnType: 'all' };
		return rowsIn(await world().api.call('POST', `${this.path}/insert`, body));
	}

	/** All rows, in the order of their ids. */
	async rows(): Promise<Row[]> {
		const found = await world().api.call('GET', `${this.path}/rows?take=100`);
		return rowsIn(isRecord(found) ? found.data : undefined);
	}

	/** What a user does in the table itself. */
	async edit(id: number, data: Partial<Cells>): Promise<void> {
		const filters = [{ columnName: 'id', condition: 'eq', value: id }];
		await world().api.call('PATCH', `${this.path}/rows`, {
			filter: { type: 'and', filters },
			data,
		});
	}

	async empty(): Promise<void> {
		const filter = { type: 'and', filters: [{ columnName: 'id', condition: 'gt', value: 0 }] };
		const query = encodeURIComponent(JSON.stringify(filter));
		await world().api.call('DELETE', `${this.path}/rows?filter=${query}`);
	}

	/**
	 * Lets minutes pass for rows: moves the time of their last change back. n8n keeps that column to itself, so this writes
	 * into its database, with the SQLite of the Node that runs n8n.
	 */
	async letPass(minutes: number, ...ids: number[]): Promise<void> {
		const { node } = await ensureN8n();
		const database = join(world().n8n.userFolder, '.n8n', 'database.sqlite');
		const sql = `UPDATE "data_table_user_${this.id}"
			SET updatedAt = strftime('%Y-%m-%d %H:%M:%f', updatedAt, '-${minutes} minutes')
			WHERE id IN (${ids.join(', ')})`;
		const script = `
			const { DatabaseSync } = require('node:sqlite');
			const [, file, sql] = process.argv;
			const { changes } = new DatabaseSync(file, { timeout: 10_000 }).prepare(sql).run();
			if (changes !== ${ids.length}) throw new Error(changes + ' rows were changed');`;
		await promisify(execFile)(node, ['-e', script, database, sql]);
	}
}

/** A row when it holds; throws with the last state when it does not within 15 seconds. */
export async function rowWhen(
	table: VideoTable,
	id: number,
	holds: (row: Row) => boolean,
): Promise<Row> {
	for (const end = Date.now() + 15_000; ; await sleep(50)) {
		const row = (await table.rows()).find((one) => one.id === id);
		if (row && holds(row)) return row;
		if (Date.now() > end) throw new Error(`Row ${id} is still ${JSON.stringify(row)}`);
	}
}

/** A server that takes posts as a social network does, and keeps them. */
export interface Network {
	url: string;
	/** What was posted, in order of arrival. */
	posts: unknown[];
	/** While true, it answers 503 and keeps nothing. */
	isDown: boolean;
	close: () => Promise<void>;
}

export async function startNetwork(): Promise<Network> {
	const server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on('data', (chunk: Buffer) => chunks.push(chunk));
		request.on('end', () => {
			response.statusCode = network.isDown ? 503 : 200;
			if (!network.isDown) network.posts.push(JSON.parse(Buffer.concat(chunks).toString('utf8')));
			response.setHeader('content-type', 'application/json').end('{"ok":true}');
		});
	});
	server.listen(0, HOST);
	await once(server, 'listening');
	const address = server.address();
	if (address === null || typeof address === 'string') throw new Error('The network has no port');
	const network: Network = {
		url: `http://${HOST}:${address.port}/posts`,
		posts: [],
		isDown: false,
		close: async () => {
			server.closeAllConnections();
			server.close();
			await once(server, 'close');
		},
	};
	return network;
}
