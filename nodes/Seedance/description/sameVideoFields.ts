/** The fields about videos that were paid for before. */
import type { INodeProperties } from 'n8n-workflow';

/** What happens when the same video was paid for before. */
export const sameVideoFields: INodeProperties[] = [
	{
		displayName: 'If Same Video Exists',
		name: 'ifExists',
		type: 'options',
		options: [
			{
				name: 'Always Generate',
				value: 'never',
				description:
					'Pay for a new video. One that an interrupted run has paid for is finished first.',
			},
			{
				name: 'Always Reuse',
				value: 'always',
				description: 'Every run gives the same video. The next nodes run again too.',
			},
			{
				name: 'Reuse in Manual Runs',
				value: 'manualRuns',
				description:
					'Executing in the editor gives the same video again for 24 hours, free. Published runs generate.',
			},
			{
				name: 'Skip',
				value: 'skip',
				description: 'Leave out items whose video was handed on before',
			},
		],
		default: 'manualRuns',
		description: 'What to do if this node has already paid for the same video',
	},
	{
		displayName: 'Reuse Key',
		name: 'videoKey',
		type: 'string',
		default: '',
		placeholder: 'e.g. {{ $json.row_id }}',
		description:
			'What makes a video the same, such as a row ID. Counts for this node only. Empty: all settings.',
		displayOptions: { hide: { ifExists: ['never'] } },
	},
];
