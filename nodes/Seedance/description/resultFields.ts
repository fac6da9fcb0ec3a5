/** The fields for waiting and for the output. */
import type { INodeProperties } from 'n8n-workflow';

import {
	downloadVideo as file,
	outputBinaryField as fileField,
	simplify as short,
} from '../../shared/n8n/outputFields';
import { notAsTool } from './toolFields';

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
		displayOptions: notAsTool,
	},
	{
		displayName:
			'The videos are not downloaded here: add a Seedance node with Wait for Video after this one. It also finishes a video that is late, which goes on with status IN_PROGRESS when Options > Timeout is over.',
		name: 'pauseNotice',
		type: 'notice',
		default: '',
		displayOptions: {
			show: { waitMethod: ['callback'], ...notAsTool.show },
		},
	},
];

export const downloadVideo: INodeProperties = { ...file, displayOptions: notAsTool };

export const simplify: INodeProperties = { ...short, displayOptions: notAsTool };

/**
 * The name of the file's field. Hidden with Pause Until Callback, which gives no file: a Wait for
 * Video step after it does.
 */
export const outputBinaryField: INodeProperties = {
	...fileField,
	displayOptions: {
		show: { downloadVideo: [true], ...notAsTool.show },
		hide: { waitMethod: ['callback'] },
	},
};
