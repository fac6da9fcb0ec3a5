/** The action node "Seedance": its description and the dispatch to its operations, nothing else. */
import {
	NodeConnectionTypes,
	type IExecuteFunctions,
	type INodeExecutionData,
	type INodeType,
	type INodeTypeDescription,
	type IWebhookFunctions,
	type IWebhookResponseData,
} from 'n8n-workflow';

import { realClock } from '../shared/n8n/clock';
import { invalidInput } from '../shared/task/errors';
import { nodeHints, OPERATION_OPTIONS, videoFields, type Operation } from './description/fields';
import { estimateCost } from './operations/estimateCost';
import { generate } from './operations/generate';
import { generateAndWait } from './operations/generateAndWait';
import { status } from './operations/status';
import { wait } from './operations/wait';
import { fieldProblems, textParameter } from './run/fieldReading';
import { outputOf, sameForAll, type Result } from './run/output';
import { resume } from './pause/resume';
import { resumeWebhooks } from './pause/resumeAddress';
import { runOf, type Run } from './run/run';
import { addRunHints } from './run/hints';
import { resultsOfUnforeseen } from './run/unforeseen';

const OPERATIONS: Readonly<Record<Operation, (run: Run) => Promise<Result[]>>> = {
	generateAndWait,
	generate,
	estimateCost,
	status,
	wait,
};

function isOperation(name: string): name is Operation {
	return Object.hasOwn(OPERATIONS, name);
}

/** What became of every item. The one guard around all operations: whatever nobody foresaw is a failed item too. */
async function resultsOf(run: Run): Promise<Result[]> {
	let operation: string;
	try {
		operation = textParameter(run.context, 0, 'operation');
	} catch (error) {
		return sameForAll(run.count, invalidInput(fieldProblems(error)));
	}
	try {
		if (isOperation(operation)) return await OPERATIONS[operation](run);
		const problem = invalidInput([`Operation "${operation}" does not exist in this node.`]);
		return sameForAll(run.count, problem);
	} catch (error) {
		return resultsOfUnforeseen(run, error);
	}
}

export class Seedance implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Seedance',
		name: 'seedance',
		icon: { light: 'file:../../icons/seedance.svg', dark: 'file:../../icons/seedance.dark.svg' },
		group: ['transform'],
		version: 1,
		// Written out, because n8n's lint reads plain text only; tests hold it against the operations and the room there is.
		subtitle:
			'={{ ({ generateAndWait: "Generate and Wait", generate: "Generate", estimateCost: "Cost Estimate", status: "Get Status", wait: "Wait for Video" })[$rawParameter["operation"]] + (["status", "wait"].includes($rawParameter["operation"]) ? "" : [["", $rawParameter["resolution"]], ["", $rawParameter["duration"], "s"], ["+ ", $rawParameter["generateAudio"] === true ? "audio" : "="]].filter((part) => !String(part[1]).startsWith("=")).map((part, index) => (index ? " " : " · ") + part.join("")).join("")) }}',
		description: 'Generate AI videos from text or an image with the Seedance API',
		defaults: { name: 'Seedance' },
		usableAsTool: {
			replacements: {
				// What n8n offers as the text for the model, when a person chooses to write it.
				description:
					'Generates AI videos from text or an image with the Seedance API. A new video costs credits and takes 1 to 2 minutes. Answers with JSON: video_url is the link to the video, and a next_step says what to do instead of generating again.',
			},
		},
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [
			{
				name: 'seedanceApi',
				required: true,
				displayOptions: { show: { operation: ['generateAndWait', 'generate', 'status', 'wait'] } },
			},
		],
		webhooks: resumeWebhooks,
		waitingNodeTooltip: 'Paused. The workflow continues when the last video is ready.',
		hints: nodeHints,
		properties: [
			{
				displayName: 'Resource',
				name: 'resource',
				type: 'options',
				noDataExpression: true,
				options: [{ name: 'Video', value: 'video' }],
				default: 'video',
			},
			{
				displayName: 'Operation',
				name: 'operation',
				type: 'options',
				noDataExpression: true,
				displayOptions: { show: { resource: ['video'] } },
				options: OPERATION_OPTIONS,
				default: 'generateAndWait',
			},
			...videoFields,
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const run = runOf(this, realClock(this.getExecutionCancelSignal?.()));
		const results = await resultsOf(run);
		addRunHints(run, results);
		return outputOf(run, results);
	}

	/** A callback for an execution that this node has suspended. */
	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		return await resume(this, realClock());
	}
}
