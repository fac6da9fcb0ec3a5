/**
 * A step of the list of videos as the parameters of one of n8n's Data Table nodes. They hold
 * constants, numbers and hashes only: n8n would evaluate a text that starts with `=`.
 */
import type { INodeParameters } from 'n8n-workflow';

import { ListError, type Condition, type Step } from './videoList';

/** A value that may stand in a parameter. */
function constant(value: Condition['value']): Condition['value'] {
	if (typeof value !== 'string' || !value.startsWith('=')) return value;
	throw new ListError('a value that n8n would evaluate was to be written');
}

const conditionsOf = (conditions: readonly Condition[]): INodeParameters[] =>
	conditions.map(({ column, is, value }) => ({
		keyName: column,
		condition: is,
		keyValue: constant(value),
	}));

/** The row that an item names. */
const OF_ITEM = {
	id: { keyName: 'id', condition: 'eq', keyValue: '={{ $json.id }}' },
	task_id: { keyName: 'task_id', condition: 'eq', keyValue: '={{ $json.task_id }}' },
} as const;

/** Parameters that limit a read to the newest rows. */
const newest = (limit: number): INodeParameters => ({
	returnAll: false,
	limit,
	orderBy: true,
	orderByColumn: 'createdAt',
	orderByDirection: 'DESC',
});

/** The Data Table of the list. */
interface Target {
	id: string;
	/** The columns that exist. */
	columns: ReadonlySet<string>;
}

/**
 * The parameters of the Data Table node that does a step. Throws a {@link ListError} for a text
 * that n8n would evaluate.
 */
export function parametersOf(step: Step, { id, columns }: Target): INodeParameters {
	const row = (operation: string, more: INodeParameters): INodeParameters => ({
		resource: 'row',
		operation,
		dataTableId: { __rl: true, mode: 'id', value: id },
		...more,
	});
	const filter = (matchType: string, conditions: INodeParameters[]): INodeParameters =>
		conditions.length ? { matchType, filters: { conditions } } : {};
	const fromItems: INodeParameters = {
		columns: { mappingMode: 'autoMapInputData', value: null },
	};
	switch (step.do) {
		case 'get':
			return row('get', {
				...(step.newest === undefined ? { returnAll: true } : newest(step.newest)),
				...(step.any
					? filter('anyCondition', conditionsOf(step.any))
					: filter('allConditions', conditionsOf(step.all ?? []))),
			});
		case 'insert':
			return row('insert', fromItems);
		case 'updateEach':
			return row('update', {
				...fromItems,
				...filter('allConditions', [OF_ITEM[step.by ?? 'id'], ...conditionsOf(step.all)]),
			});
		case 'update': {
			const value: INodeParameters = {};
			for (const [name, given] of Object.entries(step.set)) {
				if (columns.has(name)) value[name] = constant(given);
			}
			return row('update', {
				columns: { mappingMode: 'defineBelow', value },
				...filter('allConditions', conditionsOf(step.all)),
			});
		}
		case 'delete':
			return row('deleteRows', filter('allConditions', conditionsOf(step.all)));
	}
}
