/**
 * The examples that post, as a user gets them going: imported, with the credentials of the networks chosen in n8n's own
 * nodes; and what is checked in each of them.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IDataObject, INode } from 'n8n-workflow';

import type { SavedWorkflow, WorkflowJson } from '../support/n8n/server.cjs';
import { endOf, sandbox, startWorkflow } from '../support/n8n/world.cjs';
import { accounts } from '../support/networks/world.cjs';
import { fetchFile } from '../support/networks/remoteFile.cjs';
import { FOLDER, importExample, taskOf } from './examples.cjs';

/** Imports an example; `filledIn` and `changes` are as for `importExample`. */
export async function importPosting(
	file: string,
	filledIn: Record<string, IDataObject>,
	options: {
		changes?: Record<string, IDataObject>;
		credentials?: Record<string, INode['credentials']>;
	} = {},
): Promise<SavedWorkflow> {
	const { nodes }: WorkflowJson = JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
	const chosen = nodes.flatMap(({ name, type }): Array<[string, INode['credentials']]> => {
		return accounts[type] ? [[name, accounts[type]]] : [];
	});
	const credentials = { ...Object.fromEntries(chosen), ...options.credentials };
	return await importExample(file, filledIn, { ...options, credentials });
}

/** Runs a workflow by its button, until it ends. */
export const runOnce = async ({ id }: SavedWorkflow) => await endOf(await startWorkflow(id));

/** What distinguishes one file from another, and can be read in a test's output. */
export const hashOf = (bytes?: Buffer) => bytes && createHash('sha256').update(bytes).digest('hex');

/** The hash of the video that the sandbox has made for a prompt. */
export async function fileOf(prompt: string): Promise<string | undefined> {
	return hashOf(await fetchFile(`${sandbox.origin}/videos/${taskOf({ prompt })}.mp4`));
}
