/**
 * The numbers among the Options, with their bounds. The fields and the checks derive from the list
 * here.
 */
import type { INodeProperties } from 'n8n-workflow';

import { POLL_INTERVAL_SECONDS } from '../../shared/api/pollInterval';
import { DEFAULT_MODEL } from '../../shared/task/models';

/**
 * Labels, paths, bounds and defaults. With the bounds, a mistyped number neither waits nor spends
 * without end.
 */
export const NUMBERS = {
	batchSize: {
		label: 'Items per Batch',
		path: 'options.batching.batch.batchSize',
		least: -1,
		most: 10_000,
		usual: 50,
		isWhole: true,
	},
	/** Milliseconds; one hour at most. */
	batchInterval: {
		label: 'Batch Interval (Ms)',
		path: 'options.batching.batch.batchInterval',
		least: 0,
		most: 3_600_000,
		usual: 1000,
		isWhole: false,
	},
	/** Seconds; one hour at most. */
	pollInterval: {
		label: 'Check Every (Seconds)',
		path: 'options.pollInterval',
		least: 1,
		most: 3600,
		usual: POLL_INTERVAL_SECONDS,
		isWhole: false,
	},
	/** Credits. */
	maxCredits: {
		label: 'Maximum Credits per Run',
		path: 'options.maxCredits',
		least: 0,
		most: 1_000_000,
		usual: 100,
		isWhole: false,
	},
	/** Credits. */
	periodCredits: {
		label: 'Maximum Credits per Period',
		path: 'options.creditBudget.budget.credits',
		least: 0,
		most: 10_000_000,
		usual: 1000,
		isWhole: false,
	},
	/** 0 for no limit. */
	maxAtOnce: {
		label: 'Maximum Videos at Once',
		path: 'options.maxAtOnce',
		least: 0,
		most: 10_000,
		usual: 0,
		isWhole: true,
	},
	restarts: {
		label: 'Free Restarts',
		path: 'options.restarts',
		least: 0,
		most: 2,
		usual: 0,
		isWhole: true,
	},
	/** Minutes; one week at most. */
	timeout: {
		label: 'Timeout (Minutes)',
		path: 'options.timeout',
		least: 0,
		most: 10_080,
		usual: DEFAULT_MODEL.timeoutMinutes,
		isWhole: false,
	},
} as const;

export type NumberField = keyof typeof NUMBERS;

/** A number field with its bounds in the editor; the caller adds the description. */
export const numberField = (field: NumberField): INodeProperties => {
	const { label, path, least, most, usual } = NUMBERS[field];
	return {
		displayName: label,
		name: path.slice(path.lastIndexOf('.') + 1),
		type: 'number',
		typeOptions: { minValue: least, maxValue: most },
		default: usual,
	};
};
