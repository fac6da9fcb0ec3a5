/**
 * The registry of operations: the dropdown, the conditions of all fields and the credential rule
 * derive from it.
 */
import type { INodeProperties, INodePropertyOptions } from 'n8n-workflow';

import { estimateCost } from './estimateCost';
import { generate } from './generate';
import { generateAndWait } from './generateAndWait';
import type { Operation } from './operation';
import { getAll } from './getAll';
import { status } from './status';
import { wait } from './wait';

export const OPERATIONS = {
	generateAndWait,
	generate,
	estimateCost,
	getAll,
	status,
	wait,
} satisfies Record<string, Operation>;

const ENTRIES: ReadonlyArray<[string, Operation]> = Object.entries(OPERATIONS);

/** The operation of that name, or undefined. */
export function operationNamed(name: string): Operation | undefined {
	return ENTRIES.find(([value]) => value === name)?.[1];
}

/** The names of the operations that fit, in the order of the dropdown. */
export function operationsWhere(holds: (operation: Operation) => unknown): string[] {
	return ENTRIES.flatMap(([name, operation]) => (holds(operation) ? [name] : []));
}

/** The operations as the editor lists them. */
export const operationOptions: INodePropertyOptions[] = ENTRIES.map(
	([value, { label, action, description }]) => ({ name: label, value, action, description }),
);

/** Merges the lists, each field once, in the order of each operation as far as these agree. */
function inOneOrder(lists: ReadonlyArray<readonly INodeProperties[]>): INodeProperties[] {
	const left = lists.map((list) => [...list]);
	const ordered: INodeProperties[] = [];
	for (;;) {
		const heads = left.flatMap(([head]) => (head ? [head] : []));
		if (heads.length === 0) return ordered;
		const next = heads.find((head) => left.every((list) => list.indexOf(head) <= 0)) ?? heads[0];
		ordered.push(next);
		for (const list of left) if (list.includes(next)) list.splice(list.indexOf(next), 1);
	}
}

/**
 * A field, shown for the operations that have it. Choices that depend on another field are hidden
 * for the other operations instead, because only then n8n resets a choice that no longer exists
 * (docs/n8n-behaviour.md#fields-that-depend-on-another).
 */
function shown(field: INodeProperties): INodeProperties {
	const { show, ...others } = field.displayOptions ?? {};
	if (others.hide && field.options) {
		const operation = operationsWhere(({ fields }) => !fields.includes(field));
		return { ...field, displayOptions: { hide: { operation, ...others.hide } } };
	}
	const operation = operationsWhere(({ fields }) => fields.includes(field));
	return {
		...field,
		displayOptions: { show: { resource: ['video'], operation, ...show }, ...others },
	};
}

/** Every field below the operation. */
export const operationFields: INodeProperties[] = inOneOrder(
	ENTRIES.map(([, { fields }]) => fields),
).map(shown);
