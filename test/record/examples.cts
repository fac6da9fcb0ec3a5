// Runs the nodes of this package in each example, in n8n's engine. What n8n's own nodes would hand them is given here.
import { WebhookContext } from 'n8n-core';
import {
	Workflow,
	type IDataObject,
	type INode,
	type INodeExecutionData,
	type IWebhookData,
} from 'n8n-workflow';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { CREDENTIAL, type Harness } from '../faults/harness.cjs';
import { isRecord } from '../sandbox/server.cjs';
import {
	additionalDataOf,
	Credentials,
	HookResponse,
	nodeTypes,
	type Run,
} from '../support/engine.cjs';
import { startTaskAt } from '../support/tasks.cjs';
import { normalized, recordOf } from './normalized.cjs';

const FOLDER = join(__dirname, '..', '..', 'examples');
const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
const CALLBACK_URL = 'https://n8n.example.com/webhook/a-trigger/webhook';
/** Virtual milliseconds after which every video has ended. */
const ALL_ENDED_MS = 200_000;

/** The rows of the examples' Data Table. Words in brackets tell the sandbox how a task ends. */
const ROWS: IDataObject[] = [
	{ id: 1, prompt: 'A kite over the sea', caption: 'Windy' },
	{ id: 2, prompt: 'A [fail] forbidden thing', caption: 'Never' },
	{ id: 3, prompt: 'A'.repeat(2001), caption: 'Too long' },
	{ id: 4, prompt: 'A cat with [no video]', caption: 'Meow' },
];
/** What a model fills in. */
const FILLED_IN = { prompt: 'A tea pot', resolution: '480p', duration: '4', aspect_ratio: '1:1' };

type Tell = (name: string, value: unknown) => void;

async function inputOf(harness: Harness, file: string): Promise<INodeExecutionData[]> {
	switch (file) {
		case 'image-to-video.json': {
			const Image = await harness.n8n.storeFile(PNG, 'boat.png', 'image/png');
			return [{ json: { Prompt: 'The boat drifts away' }, binary: { Image } }];
		}
		case 'catch-up.json': {
			const ids = ['seed15unknown', ''];
			for (const prompt of ['A kite', 'A [fail] thing', 'A [no video] thing', 'A [never] thing']) {
				ids.push(await startTaskAt(harness.sandbox, { prompt }));
			}
			await harness.time.sleep(ALL_ENDED_MS);
			return ids.map((task_id) => ({ json: { task_id } }));
		}
		case 'batch-with-credit-limit.json':
		case 'generate-with-callback.json':
			return ROWS.map((json) => ({ json }));
		default:
			return [{ json: {} }];
	}
}

/** Runs a node to its end: a pause is resumed by the callback of each video. */
async function runNode(
	{ n8n, sandbox, time, endOf }: Harness,
	{ type, parameters, onError }: INode,
	items: INodeExecutionData[],
): Promise<Run> {
	const task_id = sandbox.tasks.all()[0]?.id ?? 'none';
	let run = await n8n.run({
		parameters,
		items,
		credential: CREDENTIAL,
		node: { onError },
		...(type.endsWith('Tool') && { toolCalls: [{ values: { ...FILLED_IN, task_id } }] }),
	});
	for (const task of sandbox.tasks.all()) {
		if (!run.data.waitTill) break;
		await time.sleep(endOf(task) - time.now());
		run = (await n8n.callback(run, {})).run ?? run;
	}
	return run;
}

/** Gives what calls the trigger's hook as n8n does; always of the same workflow, which remembers what was delivered. */
function triggerHook({ n8n, time }: Harness, node: INode) {
	const own = { ...node, credentials: { seedanceApi: { id: CREDENTIAL, name: CREDENTIAL } } };
	const nodes = [own];
	const workflow = new Workflow({ id: 'ready', nodes, connections: {}, active: true, nodeTypes });
	const additionalData = additionalDataOf(new Credentials(n8n.credentials));
	const nodeType = nodeTypes.getByNameAndVersion(node.type);
	const webhookData: IWebhookData = {
		httpMethod: 'POST',
		node: node.name,
		path: '',
		webhookDescription: (nodeType.description.webhooks ?? [])[0],
		workflowId: 'ready',
		workflowExecuteAdditionalData: additionalData,
	};
	return async (query: IDataObject, body: IDataObject) => {
		const logged = n8n.logs.length;
		const response = new HookResponse();
		const httpRequest = Object.create(null);
		Object.assign(httpRequest, { method: 'POST', query, body, headers: {} });
		const context = new WebhookContext(
			workflow,
			own,
			{ ...additionalData, httpRequest, httpResponse: Object.assign(response) },
			'webhook',
			webhookData,
			[],
			null,
		);
		const { workflowData, webhookResponse } = { ...(await nodeType.webhook?.call(context)) };
		Object.assign(response, { writableEnded: true, closed: true }).emit('close');
		await time.idle();
		const logs = n8n.logs.slice(logged).map(({ text }) => text);
		const { statusCode, body: refusal } = response;
		return { statusCode, refusal, workflowData, webhookResponse, logs };
	};
}

async function recordCallbacks(harness: Harness, trigger: INode, tell: Tell): Promise<void> {
	const { sandbox, time } = harness;
	const deliver = triggerHook(harness, trigger);
	for (const { taskId, json, index } of sandbox.ledger.posts()) {
		const url = new URL(isRecord(json) ? String(json.callback_url) : '');
		const query = Object.fromEntries(url.searchParams);
		const body = { code: 200, data: { task_id: taskId, status: 'SUCCESS' } };
		const unknown = { code: 200, data: { task_id: 'seed15unknown' } };
		const deliveries: Array<[string, IDataObject, IDataObject]> = [
			['too early', query, body],
			['after its end', query, body],
			['repeated', query, body],
			['not signed', {}, body],
			['changed', { ...query, seedance_meta: 'eyJ9' }, body],
			['of an unknown task', query, unknown],
			['without a task', query, {}],
		];
		for (const [what, given, sent] of deliveries) {
			const told = normalized(harness, await deliver(given, sent));
			tell(`example video-ready.json: callback of POST ${index}, ${what}`, told);
			await time.sleep(ALL_ENDED_MS);
		}
	}
}

export async function recordExamples(harness: Harness, tell: Tell): Promise<void> {
	const nodesOf = (file: string, type: RegExp): INode[] => {
		const { nodes }: { nodes: INode[] } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
		return nodes.filter((node) => type.test(node.type));
	};
	const record = async (file: string, changes: INode['parameters'] = {}) => {
		harness.reset();
		let items = await inputOf(harness, file);
		for (const node of nodesOf(file, /\.seedance(Tool)?$/)) {
			const parameters = { ...node.parameters, ...changes };
			const run = await runNode(harness, { ...node, parameters }, items);
			const logs = run.logs.map(({ text }) => text);
			const answers = run.reached('Agent');
			const name = `example ${[file, ...Object.keys(changes)].join(', ')}: ${node.name}`;
			tell(name, normalized(harness, { ...recordOf(run, logs), answers }));
			// The next one in the workflow gets its items; each tool of an agent starts afresh.
			if (!answers) items = run.items.map(({ json }) => ({ json }));
		}
	};
	for (const file of readdirSync(FOLDER).sort()) await record(file);
	await record('generate-with-callback.json', { callbackUrl: CALLBACK_URL });
	await recordCallbacks(harness, nodesOf('video-ready.json', /\.seedanceTrigger$/)[0], tell);
}
