/** The collection "Options": settings that are rarely needed. */
import type { INodeProperties } from 'n8n-workflow';

import { POLL_INTERVAL_MAX_SECONDS } from '../../shared/api/pollInterval';
import { DEFAULT_MODEL, MODELS } from '../../shared/task/models';
import { numberField } from './numbers';
import { notAsTool } from './toolFields';

export { keepVideoList as videoList } from '../../shared/n8n/outputFields';

export const batching: INodeProperties = {
	displayName: 'Batching',
	name: 'batching',
	placeholder: 'Add Batching',
	type: 'fixedCollection',
	typeOptions: { multipleValues: false },
	default: { batch: {} },
	description: 'Start the videos in groups, with a pause between them',
	displayOptions: notAsTool,
	options: [
		{
			displayName: 'Batching',
			name: 'batch',
			values: [
				{
					...numberField('batchSize'),
					description: 'How many videos to start before pausing. Use -1 for no batches.',
				},
				{
					...numberField('batchInterval'),
					description: 'Milliseconds between two groups',
				},
			],
		},
	],
};

export const maxCredits: INodeProperties = {
	...numberField('maxCredits'),
	description: 'Start nothing when all items together would cost more. Read from the first item.',
};

export const creditBudget: INodeProperties = {
	displayName: 'Maximum Credits per Period',
	name: 'creditBudget',
	placeholder: 'Add Limit',
	type: 'fixedCollection',
	typeOptions: { multipleValues: false },
	default: { budget: {} },
	description:
		'Start nothing that would exceed it, by the list of videos of this project (time zone of the workflow)',
	options: [
		{
			displayName: 'Limit',
			name: 'budget',
			values: [
				{
					...numberField('periodCredits'),
					displayName: 'Credits',
					description: 'The most credits that may be spent in one period',
				},
				{
					displayName: 'Period',
					name: 'period',
					type: 'options',
					options: [
						{ name: 'Day', value: 'day' },
						{ name: 'Week', value: 'week', description: 'From Monday' },
						{ name: 'Month', value: 'month' },
					],
					default: 'day',
					description: 'The calendar period that the limit is for',
				},
				{
					displayName: 'For',
					name: 'budgetFor',
					type: 'string',
					default: '',
					placeholder: 'e.g. {{ $json.client }}',
					description: 'Count only the videos with the same value, such as those of one client',
				},
			],
		},
	],
};

export const maxAtOnce: INodeProperties = {
	...numberField('maxAtOnce'),
	description:
		"For this run. Timeout counts from each video's start. With 0, as many as the account allows.",
	displayOptions: notAsTool,
};

export const restarts: INodeProperties = {
	...numberField('restarts'),
	description: 'How often to restart a failed video that cost nothing',
};

export const pollInterval: INodeProperties = {
	...numberField('pollInterval'),
	description: `How often to check, in seconds. Slows down to every ${POLL_INTERVAL_MAX_SECONDS} seconds for long waits, and is never more often than this.`,
};

const LONGEST_TIMEOUT = Math.max(...MODELS.map(({ timeoutMinutes }) => timeoutMinutes));

export const timeout: INodeProperties = {
	...numberField('timeout'),
	description: `How long to wait for the videos. They are still made afterwards. Without this option: ${DEFAULT_MODEL.timeoutMinutes}, with slower models up to ${LONGEST_TIMEOUT}.`,
};

export const includeInput: INodeProperties = {
	displayName: 'Include Other Input Fields',
	name: 'includeInput',
	type: 'boolean',
	default: false,
	description: "Whether to add the input's fields to the output. Seedance fields win, e.g. status.",
	displayOptions: notAsTool,
};

/** The Options of an operation, in alphabetical order of their labels, as n8n asks for. */
export const optionsOf = (...options: INodeProperties[]): INodeProperties => ({
	displayName: 'Options',
	name: 'options',
	type: 'collection',
	placeholder: 'Add option',
	default: {},
	options,
});
