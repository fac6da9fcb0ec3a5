/** What the editor shows of the trigger: its fields, hints, URLs and the panel beside them. */
import type {
	INodeProperties,
	IWebhookDescription,
	NodeHint,
	TriggerPanelDefinition,
} from 'n8n-workflow';

import {
	downloadVideo,
	keepVideoList,
	outputBinaryField,
	simplify,
} from '../shared/n8n/outputFields';

/**
 * One address for both methods: POST is usual, some senders only GET. There is nothing to register
 * at the API.
 */
export const triggerWebhooks: IWebhookDescription[] = [
	{
		name: 'default',
		httpMethod: 'POST',
		responseMode: 'onReceived',
		// Empty, so that n8n responds with what the trigger gives
		// (docs/n8n-behaviour.md#default-response).
		responseData: '',
		path: 'webhook',
	},
	{
		name: 'setup',
		httpMethod: 'GET',
		responseMode: 'onReceived',
		responseData: '',
		path: 'webhook',
		ndvHideUrl: true,
	},
];

export const triggerPanel: TriggerPanelDefinition = {
	header: 'Start this workflow when a video is ready or has failed',
	executionsHelp: {
		inactive:
			'<b>To test:</b> click <i>Execute step</i>. Then open the Test URL in your browser with <i>?task_id=</i> and the ID of a video that exists already. Or paste the Test URL into <i>Callback URL</i> of a Seedance node and run it: listening ends after 2 minutes.<br /><br /><b>For real runs:</b> paste the <b>Production URL</b> into <i>Callback URL</i> of the Seedance node (operation <i>Generate Without Waiting</i>), and <a data-key="activate">publish</a> (activate) this workflow. Both nodes need the same credential.<br /><br /><b>If nothing starts:</b> choose the same credential in both nodes; another one is the usual reason. n8n\'s server log says why a callback was refused: search it for <i>Seedance refused a callback</i>.',
		active:
			'<b>For real runs:</b> paste the <b>Production URL</b> into <i>Callback URL</i> of the Seedance node (operation <i>Generate Without Waiting</i>). Each video that was sent with this URL then starts this workflow; see <a data-key="executions">executions</a>. Both nodes need the same credential.<br /><br /><b>To test:</b> click <i>Execute step</i>. Then open the Test URL in your browser with <i>?task_id=</i> and the ID of a video that exists already.<br /><br /><b>If nothing starts:</b> choose the same credential in both nodes; another one is the usual reason. n8n\'s server log says why a callback was refused: search it for <i>Seedance refused a callback</i>.',
	},
	activationHint:
		'This workflow starts for each video that was sent with its Production URL as Callback URL, once that video is ready or has failed. There is nothing to set up at Seedance.',
};

export const triggerHints: NodeHint[] = [
	{
		message:
			'Failed videos do not start this workflow. Tick Video Failed too, unless another workflow handles them.',
		displayCondition:
			'={{ $parameter["events"].length === 1 && $parameter["events"][0] === "succeeded" }}',
		whenToDisplay: 'always',
		location: 'ndv',
	},
	{
		message: 'Videos that are ready do not start this workflow: only Video Failed is ticked.',
		displayCondition:
			'={{ $parameter["events"].length === 1 && $parameter["events"][0] === "failed" }}',
		whenToDisplay: 'always',
		location: 'ndv',
	},
];

export const triggerFields: INodeProperties[] = [
	{
		// While n8n listens, it says "Go to Seedance and create an event", which cannot be changed:
		// this notice says what to do.
		displayName:
			'Open Webhook URLs above, and paste the Production URL into Callback URL of a Seedance node that uses the same credential. To test, click Execute step, and open the Test URL in your browser with ?task_id= and the ID of a video.',
		name: 'notice',
		type: 'notice',
		default: '',
	},
	{
		displayName: 'Trigger On',
		name: 'events',
		type: 'multiOptions',
		required: true,
		options: [
			{
				name: 'Video Failed',
				value: 'failed',
				description: 'The video could not be made, or was reported as ready but has no file',
			},
			{
				name: 'Video Succeeded',
				value: 'succeeded',
				description: 'The video is ready',
			},
		],
		default: ['succeeded', 'failed'],
		description: 'What starts this workflow',
	},
	{ ...downloadVideo, default: false },
	{ ...outputBinaryField, displayOptions: { show: { downloadVideo: [true] } } },
	simplify,
	{
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add option',
		default: {},
		options: [
			{
				displayName: 'Ignore Duplicates',
				name: 'ignoreDuplicates',
				type: 'boolean',
				default: true,
				description:
					'Whether to start the workflow only once for each video when its callback comes several times',
			},
			keepVideoList,
			{
				displayName: 'Require Signature',
				name: 'requireSignature',
				type: 'boolean',
				default: true,
				description:
					'Whether to accept only callbacks that a Seedance node with the same credential has signed. Without it, anybody who knows the URL can start this workflow with videos of your account.',
			},
		],
	},
];
