/** The trigger node "Seedance Trigger": its description and the dispatch, nothing else. */
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
import { handleCallback } from './handleCallback';
import { triggerFields, triggerHints, triggerPanel, triggerWebhooks } from './description';
import { addFiles } from './download';
import { confirmedItems, recordItems } from './outcome';

export class SeedanceTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Seedance Trigger',
		name: 'seedanceTrigger',
		icon: { light: 'file:../../icons/seedance.svg', dark: 'file:../../icons/seedance.dark.svg' },
		group: ['trigger'],
		version: 1,
		subtitle:
			'={{ $parameter["events"].length === 1 ? ($parameter["events"][0] === "failed" ? "Video Failed" : "Video Succeeded") : "Video Succeeded or Failed" }}',
		description:
			'Create AI videos with Seedance, and start a workflow when one is ready or has failed',
		eventTriggerDescription:
			'Waiting for a callback. To send one yourself, open the Test URL in your browser with ?task_id= and the ID of a video.',
		activationMessage:
			"This workflow now starts when a video is ready whose Callback URL is this trigger's Production URL.",
		defaults: { name: 'Seedance Trigger' },
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		credentials: [{ name: 'seedanceApi', required: true }],
		webhooks: triggerWebhooks,
		triggerPanel,
		hints: triggerHints,
		properties: triggerFields,
	};

	async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
		return await handleCallback(this, realClock());
	}

	/**
	 * Runs inside the recorded execution that {@link webhook} started
	 * (docs/n8n-behaviour.md#work-after-the-response).
	 */
	async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
		const clock = realClock(this.getExecutionCancelSignal?.());
		const items = await addFiles(this, await confirmedItems(this, clock), clock);
		await recordItems(this, items);
		return [items];
	}
}
