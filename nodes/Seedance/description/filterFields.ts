/** The fields of Get Many. */
import type { INodeProperties } from 'n8n-workflow';

export const filterFields: INodeProperties[] = [
	{
		displayName: 'Return All',
		name: 'returnAll',
		type: 'boolean',
		default: false,
		description: 'Whether to return all results or only up to a given limit',
	},
	{
		displayName: 'Limit',
		name: 'limit',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 50,
		description: 'Max number of results to return',
		displayOptions: { show: { returnAll: [false] } },
	},
	{
		displayName: 'Filters',
		name: 'filters',
		type: 'collection',
		placeholder: 'Add Filter',
		default: {},
		options: [
			{
				displayName: 'Include Manual Runs',
				name: 'includeManual',
				type: 'boolean',
				default: false,
				description: 'Whether to include videos of executions in the editor',
			},
			{
				displayName: 'Not Finished',
				name: 'notFinished',
				type: 'boolean',
				default: true,
				description: 'Whether to return only videos that are still being made, as far as is known',
			},
			{
				displayName: 'Not Handed On',
				name: 'notHandedOn',
				type: 'boolean',
				default: true,
				description:
					'Whether to return only videos that were paid for and that no workflow has got, because its run was interrupted. Videos that a run is still working on are left out.',
			},
			{
				displayName: 'Since',
				name: 'since',
				type: 'dateTime',
				default: '',
				description: 'Return only videos that were started at or after this time',
			},
			{
				displayName: 'Status',
				name: 'status',
				type: 'options',
				options: [
					{ name: 'Failed', value: 'FAILED' },
					{ name: 'In Progress', value: 'IN_PROGRESS' },
					{ name: 'Success', value: 'SUCCESS' },
				],
				default: 'SUCCESS',
				description: 'Return only videos with this status',
			},
			{
				displayName: 'This Workflow Only',
				name: 'thisWorkflowOnly',
				type: 'boolean',
				default: true,
				description: 'Whether to return only videos that this workflow has started',
			},
		],
	},
];

/** Whether a filter is on where it was just added. */
export function isOnByDefault(name: string): boolean {
	return filterFields
		.flatMap(({ options = [] }) => options)
		.some((filter) => filter.name === name && 'default' in filter && filter.default === true);
}
