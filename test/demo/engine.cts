/**
 * The first part of `npm run demo`: the example workflow in n8n's own engine, in this process, against the sandbox. It
 * needs no n8n server. With SEEDANCE_API_KEY set it uses the real API.
 */
import { ExecutionLifecycleHooks, WorkflowExecute } from 'n8n-core';
import {
	NodeConnectionTypes,
	NodeHelpers,
	Workflow,
	type IExecuteFunctions,
	type INodeType,
	type INodeTypes,
} from 'n8n-workflow';

import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { additionalDataOf, Credentials, startCore, type Core } from '../support/engine.cjs';
import {
	announce,
	CREDENTIAL_NAME,
	DemoError,
	openApi,
	readWishes,
	runProgram,
	saveVideo,
	say,
	SEEDANCE,
	seedanceNodeOf,
	showPaidTasks,
	withCredential,
	type Api,
	type Wishes,
} from './demo.cjs';

const EXECUTION_ID = '1';

const manualTrigger: INodeType = {
	description: {
		displayName: 'Manual Trigger',
		name: 'manualTrigger',
		group: ['trigger'],
		version: 1,
		description: 'Starts the workflow',
		defaults: { name: 'Manual Trigger' },
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		properties: [],
	},
	async execute(this: IExecuteFunctions) {
		return [this.getInputData()];
	},
};

const types: Record<string, INodeType> = {
	'n8n-nodes-base.manualTrigger': manualTrigger,
	[SEEDANCE]: new Seedance(),
};

const nodeTypes: INodeTypes = {
	getByName: (name) => types[name],
	getByNameAndVersion: (name) => NodeHelpers.getVersionedNodeType(types[name]),
	getKnownTypes: () => ({}),
};

async function runExample(core: Core, api: Api, wishes: Wishes, signal: AbortSignal) {
	const { name, nodes, connections, settings } = withCredential(wishes.example, '1');
	const workflow = new Workflow({
		id: 'demo',
		name,
		nodes: nodes.filter(({ type }) => type in types),
		connections,
		active: false,
		nodeTypes,
		settings,
	});
	const { apiKey, baseUrl } = api;
	const credentials = new Credentials(new Map([[CREDENTIAL_NAME, { apiKey, baseUrl }]]));
	const hooks = new ExecutionLifecycleHooks('manual', EXECUTION_ID, {
		id: 'demo',
		name,
		active: false,
		activeVersionId: null,
		isArchived: false,
		createdAt: new Date(),
		updatedAt: new Date(),
		nodes,
		connections,
	});
	const running = new WorkflowExecute(
		{ ...additionalDataOf(credentials), executionId: EXECUTION_ID, hooks },
		'manual',
	).run({ workflow });
	signal.addEventListener('abort', () => running.cancel());
	const { data, status } = await running;
	signal.throwIfAborted();
	const { runData, error } = data.resultData;
	if (status !== 'success') {
		throw new DemoError(
			`The workflow ended with "${status}".\n${error?.message ?? ''}\n${error?.description ?? ''}`.trim(),
		);
	}
	const item = runData[seedanceNodeOf(wishes.example).name]?.[0].data?.main[0]?.[0];
	if (!item?.binary?.data) throw new DemoError('The workflow succeeded, but it gave no video.');
	await saveVideo(await core.binaries.getAsBuffer(item.binary.data), item.json, wishes, api);
}

runProgram(async (signal) => {
	const wishes = readWishes(process.argv.slice(2));
	if (!wishes) return;
	const api = await openApi({ speed: wishes.speed, log: (line) => say(`  ${line}`) });
	const core = await startCore();
	try {
		await announce(wishes, api, signal);
		say("n8n's engine runs examples/text-to-video.json …");
		await runExample(core, api, wishes, signal);
	} catch (error) {
		if (!api.sandbox) showPaidTasks(core.logs.map(({ text }) => text).join('\n'));
		throw error;
	} finally {
		await core.close();
		await api.sandbox?.close();
	}
});
