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
import { nodeHints } from './description/hints';
import { TOOL_DESCRIPTION, WAITING_TOOLTIP } from './description/modelFields';
import { operationFields, operationNamed, operationOptions, operationsWhere } from './operations';
import type { Operation } from './operations/operation';
import { resume } from './pause/resume';
import { resumeWebhooks } from './pause/resumeAddress';
import { addRunHints } from './run/hints';
import { forEveryItem, sameForAll, type Result } from './run/result';
import { outputOf, stops } from './run/output';
import { fieldProblems, textParameter } from './run/parameters';
import { runOf, type Run } from './run/run';
import { resultsOfUnexpectedError } from './run/unexpectedError';

/** The operation that a person has chosen, or why it cannot be read. */
function chosenOperation(run: Run): Operation | { problems: string[] } {
	try {
		const name = textParameter(run.context, 0, 'operation');
		const problems = [`Operation "${name}" does not exist in this node.`];
		return operationNamed(name) ?? { problems };
	} catch (error) {
		return { problems: fieldProblems(error) };
	}
}

/**
 * The one guard: an unexpected error becomes a failed item as well
 * (docs/n8n-behaviour.md#input-as-output).
 */
async function resultsOf(run: Run, operation: Operation): Promise<Result[]> {
	try {
		return forEveryItem(run, await operation.run(run));
	} catch (error) {
		return resultsOfUnexpectedError(run, error);
	}
}

/**
 * Writes the outcome of each item into the list of videos, right before the results are given out.
 */
async function withList(run: Run, results: Result[]): Promise<Result[]> {
	if (!run.listing?.videos) return results;
	// n8n drops what a node gives out after Stop.
	const isDelivered = !stops(run, results) && !run.isStopped();
	return await run.listing.videos.finish(results, isDelivered);
}

export class Seedance implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Seedance',
		name: 'seedance',
		icon: { light: 'file:../../icons/seedance.svg', dark: 'file:../../icons/seedance.dark.svg' },
		group: ['transform'],
		version: 1,
		// Written out (docs/n8n-behaviour.md#plain-values); tests compare it with the operations, and
		// check that it fits.
		subtitle:
			'={{ ({ generateAndWait: "Generate and Wait", generate: "Generate", estimateCost: "Cost Estimate", getAll: "Get Many", status: "Get Status", wait: "Wait for Video" })[$rawParameter["operation"]] + (["getAll", "status", "wait"].includes($rawParameter["operation"]) || String($rawParameter["model"]).startsWith("=") ? "" : [["", String($rawParameter["model"] ?? "").replace("seedance-", "")], ["", $rawParameter["resolution"]], ["", $rawParameter["duration"], "s"], ["+ ", $rawParameter["generateAudio"] === true ? "audio" : "="]].filter((part) => !["undefined", "", "v1"].includes(String(part[1])) && !String(part[1]).startsWith("=")).map((part, index) => (index ? " " : " · ") + part.join("")).join("")) }}',
		description: 'Generate AI videos from text or an image with the Seedance API',
		defaults: { name: 'Seedance' },
		usableAsTool: {
			replacements: {
				// docs/n8n-behaviour.md#description-of-a-tool
				description: TOOL_DESCRIPTION,
			},
		},
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [
			{
				name: 'seedanceApi',
				required: true,
				displayOptions: { show: { operation: operationsWhere(({ callsApi }) => callsApi) } },
			},
		],
		webhooks: resumeWebhooks,
		waitingNodeTooltip: WAITING_TOOLTIP,
		hints: nodeHints,
		properties: [
			{
				// There is one resource, but n8n names nodes and tools by it
				// (docs/n8n-behaviour.md#names-from-the-resource).
				displayName: 'Resource',
				name: 'resource',
				type: 'hidden',
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
				options: operationOptions,
				default: 'generateAndWait',
			},
			...operationFields,
		],
	};

	/**
	 * Runs the operation. With On Error = Stop, throws the node's one error when an item failed; with
	 * the other settings only `runOf` can throw.
	 */
	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const run = runOf(this, realClock(this.getExecutionCancelSignal?.()));
		const operation = chosenOperation(run);
		if ('problems' in operation) {
			return outputOf(run, sameForAll(run, invalidInput(operation.problems)), true);
		}
		const results = await withList(run, await resultsOf(run, operation));
		addRunHints(run, operation, results);
		return outputOf(run, results, operation.starts === true);
	}

	/** A callback for an execution that this node has suspended. */
	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		return await resume(this, realClock());
	}
}
