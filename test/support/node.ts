/** A Seedance node in a workflow of its own, as n8n's expressions and errors want to have it. */
import { Workflow, type INode, type INodeParameters, type INodeType } from 'n8n-workflow';

export function nodeWith(parameters: INodeParameters = {}): INode {
	return {
		id: '1',
		name: 'Seedance',
		type: 'n8n-nodes-seedance.seedance',
		typeVersion: 1,
		position: [0, 0],
		parameters,
	};
}

/** What evaluates the node's expressions. */
export function expressionOf(type: INodeType, node: INode) {
	const nodeTypes = {
		getByName: () => type,
		getByNameAndVersion: () => type,
		getKnownTypes: () => ({}),
	};
	return new Workflow({ nodes: [node], connections: {}, active: false, nodeTypes }).expression;
}
