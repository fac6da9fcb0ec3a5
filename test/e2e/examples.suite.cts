// The example workflows: each is imported as a user imports it, gets a credential, and runs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isRecord } from '../sandbox/server.cjs';
import { itemsOf, type WorkflowJson } from '../support/n8n/server.cjs';
import { CREDENTIAL_TYPE, endOf, NODE_TYPE, world } from './world.cjs';

const FOLDER = join(__dirname, '..', '..', 'examples');

function isWorkflow(value: unknown): value is WorkflowJson {
	return isRecord(value) && typeof value.name === 'string' && Array.isArray(value.nodes);
}

export function examplesSuite() {
	it('text-to-video.json delivers a video file once a credential is chosen', async () => {
		const { api, credential } = world();
		const workflow: unknown = JSON.parse(readFileSync(join(FOLDER, 'text-to-video.json'), 'utf8'));
		if (!isWorkflow(workflow)) throw new Error('The example is not a workflow');
		const seedance = workflow.nodes.find(({ type }) => type === NODE_TYPE);
		if (!seedance) throw new Error('The example holds no Seedance node');
		expect(seedance.credentials).toBeUndefined();
		const { id, name } = credential;
		seedance.credentials = { [CREDENTIAL_TYPE]: { id, name } };
		const saved = await api.createWorkflow(workflow);
		const execution = await endOf(await api.runWorkflow(saved.id));
		expect(execution.status).toBe('success');
		const [item] = itemsOf(execution, seedance.name);
		expect(item.json).toMatchObject({ succeeded: true, consumed_credits: 56 });
		expect(item.binary?.data?.mimeType).toBe('video/mp4');
	});

	it('has no other file than the ones that are run here', () => {
		expect(readdirSync(FOLDER)).toEqual(['text-to-video.json']);
	});
}
