/** How an operation waits for its videos, and what it gives out of them. */
import type { INodeProperties } from 'n8n-workflow';

/** How an operation waits. */
export const waitFields: INodeProperties[] = [
	{
		displayName: 'Wait Method',
		name: 'waitMethod',
		type: 'options',
		options: [
			{
				name: 'Keep Checking',
				value: 'poll',
				description: 'Check the videos until they are ready. Works in every n8n.',
			},
			{
				name: 'Pause Until Callback',
				value: 'callback',
				description:
					'Pause the execution until the API reports the videos. It uses no resources while paused and survives a restart. Needs an n8n that the API can reach.',
			},
		],
		default: 'poll',
		description: 'How to wait for the videos',
	},
	{
		displayName:
			'When the time is up, the items go on with status IN_PROGRESS. Let a Seedance node with Wait for Video follow: it finishes them, and downloads the videos.',
		name: 'pauseNotice',
		type: 'notice',
		default: '',
		displayOptions: {
			show: { waitMethod: ['callback'] },
		},
	},
];

/**
 * The file of the video. Not offered with Pause Until Callback: a Wait for Video step after it does
 * that.
 */
export const downloadVideo: INodeProperties = {
	displayName: 'Download Video',
	name: 'downloadVideo',
	type: 'boolean',
	default: true,
	description:
		'Whether to add the video as a file to the item, for the next nodes to post or store',
};

export const outputBinaryField: INodeProperties = {
	displayName: 'Output Data Field Name',
	name: 'outputBinaryField',
	type: 'string',
	required: true,
	default: 'data',
	hint: 'The name of the output field to put the video file in',
	description: 'The name of the binary field that holds the video',
	displayOptions: {
		show: { downloadVideo: [true] },
		hide: { waitMethod: ['callback'] },
	},
};

export const simplify: INodeProperties = {
	displayName: 'Simplify',
	name: 'simplify',
	type: 'boolean',
	default: true,
	description: 'Whether to return a simplified version of the response instead of the raw data',
};
