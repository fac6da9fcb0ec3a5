/** The action node "Seedance": its description and the dispatch to its operations, nothing else. */
import {
	NodeConnectionTypes,
	type IExecuteFunctions,
	type INodeExecutionData,
	type INodeType,
	type INodeTypeDescription,
} from 'n8n-workflow';

import { realClock, type Clock } from '../shared/clock';
import { invalidInput } from '../shared/errors';
import { videoFields, type Operation } from './fields';
import { estimateCost } from './operations/estimateCost';
import { generate } from './operations/generate';
import { generateAndWait } from './operations/generateAndWait';
import { status } from './operations/status';
import { wait } from './operations/wait';
import { textParameter } from './parameters';
import { deliver, sameForAll, type Result } from './results';

const OPERATIONS: Readonly<
	Record<Operation, (context: IExecuteFunctions, clock: Clock) => Promise<Result[]>>
> = { generateAndWait, generate, estimateCost, status, wait };

function isOperation(name: string): name is Operation {
	return Object.hasOwn(OPERATIONS, name);
}

export class Seedance implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Seedance',
		name: 'seedance',
		icon: { light: 'file:../../icons/seedance.svg', dark: 'file:../../icons/seedance.dark.svg' },
		group: ['transform'],
		version: 1,
		subtitle: '={{ $parameter["operation"] }}',
		description: 'Generate AI videos from text or an image with the Seedance API',
		defaults: { name: 'Seedance' },
		usableAsTool: true,
		inputs: [NodeConnectionTypes.Main],
		outputs: [NodeConnectionTypes.Main],
		credentials: [
			{
				name: 'seedanceApi',
				required: true,
				displayOptions: { show: { operation: ['generateAndWait', 'generate', 'status', 'wait'] } },
			},
		],
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
				options: [
					{
						name: 'Generate and Wait',
						value: 'generateAndWait',
						action: 'Generate video and wait',
						description: 'Generate a video and continue when it is ready, usually 1 to 2 minutes',
					},
					{
						name: 'Generate Without Waiting',
						value: 'generate',
						action: 'Generate video without waiting',
						description: 'Start a video and get its task ID at once',
					},
					{
						name: 'Get Cost Estimate',
						value: 'estimateCost',
						action: 'Get cost estimate',
						description: 'Calculate the credits without generating',
					},
					{
						name: 'Get Status',
						value: 'status',
						action: 'Get video status',
						description: 'Look once at a video that was started before',
					},
					{
						name: 'Wait for Video',
						value: 'wait',
						action: 'Wait for video',
						description: 'Wait for videos that were started before, without paying again',
					},
				],
				default: 'generateAndWait',
			},
			...videoFields,
		],
	};

	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const operation = textParameter(this, 0, 'operation');
		const results = isOperation(operation)
			? await OPERATIONS[operation](this, realClock(this.getExecutionCancelSignal?.()))
			: sameForAll(
					this.getInputData().length,
					invalidInput([`Operation "${operation}" does not exist in this node.`]),
				);
		return deliver(this, results);
	}
}
