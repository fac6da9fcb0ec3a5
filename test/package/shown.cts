/** What the nodes and the credential show in the editor. */
import type { INodeProperties } from 'n8n-workflow';
import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';

export const NODES = [new Seedance().description, new SeedanceTrigger().description];
export const CREDENTIAL = new SeedanceApi();

/** The operations as the editor lists them. */
export const OPERATIONS = (
	NODES[0].properties.find(({ name }) => name === 'operation')?.options ?? []
).flatMap((option) => ('action' in option ? [option] : []));

/** Fields, those inside of collections too, each with the labels that lead to it. */
export function fieldsIn(properties: readonly INodeProperties[], path: string[] = []): Field[] {
	return properties.flatMap((field) => {
		const labels = [...path, field.displayName];
		const inner = (field.options ?? []).flatMap((option) => {
			if ('values' in option) return fieldsIn(option.values, labels);
			return 'type' in option ? fieldsIn([option], labels) : [];
		});
		return [{ labels, field }, ...inner];
	});
}

export interface Field {
	labels: string[];
	field: INodeProperties;
}

export const FIELDS = [...NODES, CREDENTIAL].flatMap(({ displayName, properties }) =>
	fieldsIn(properties, [displayName]),
);

/** Everything that a person finds on the screen under its name: nodes, fields, choices, actions. */
export const LABELS = [
	...FIELDS.flatMap(({ labels, field: { options = [] } }) => [
		...labels,
		...options.map((one) => ('values' in one ? one.displayName : one.name)),
	]),
	...OPERATIONS.map(({ action }) => action),
];
