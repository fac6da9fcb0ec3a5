// The output schemas from which the editor lets people map fields before a run: each against what the node really gives.
// n8n finds a schema by resource and operation alone, so it describes the simplified output; triggers have none.
import type { IDataObject } from 'n8n-workflow';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { operationOptions } from '../../nodes/Seedance/operations';

import { seedanceWorld } from '../support/seedanceWorld.cjs';

interface FieldSchema {
	type: string | string[];
	enum?: unknown[];
}

interface Schema {
	type: 'object';
	properties: Record<string, FieldSchema>;
	required: string[];
}

const FOLDER = join(__dirname, '../../nodes/Seedance/__schema__/v1.0.0/video');
const schemaOf = (operation: string): Schema =>
	JSON.parse(readFileSync(join(FOLDER, `${operation}.json`), 'utf8'));

const typeOf = (value: unknown): string[] => {
	if (value === null) return ['null'];
	if (Number.isInteger(value)) return ['integer', 'number'];
	return [typeof value];
};

/** How an item differs from its schema, one line for each field. */
function differences(item: IDataObject, { properties, required }: Schema): string[] {
	const missing = required.filter((name) => !(name in item)).map((name) => `${name} is missing`);
	const wrong = Object.entries(item).flatMap(([name, value]) => {
		const field = properties[name];
		if (!field) return [`${name} is not in the schema`];
		const types = [field.type].flat();
		if (!typeOf(value).some((type) => types.includes(type)))
			return [`${name} is a ${typeOf(value)}`];
		return field.enum && !field.enum.includes(value) ? [`${name} is ${String(value)}`] : [];
	});
	return [...missing, ...wrong];
}

const world = seedanceWorld();
const PROMPT = '={{ $json.prompt }}';
const CONTINUE = { onError: 'continueRegularOutput' } as const;

const parametersOf = (operation: string) => ({
	operation,
	...(operation.startsWith('generate') && { prompt: PROMPT }),
	...(['status', 'wait'].includes(operation) && { taskId: '={{ $json.task_id }}' }),
	...(['generateAndWait', 'wait'].includes(operation) && { options: { timeout: 1 } }),
});

describe.each(operationOptions.map(({ value }) => String(value)))(
	'the schema of %s',
	(operation) => {
		const isEstimate = operation === 'estimateCost';

		/** Items of one run: good ones, failed ones, running ones. */
		const itemsOf = async (): Promise<IDataObject[]> => {
			const prompts = ['one', '[fail] two', '[never] three'];
			const items = [];
			for (const prompt of prompts) {
				items.push({ json: { prompt, task_id: await world.existingTask({ prompt }) } });
			}
			items.push({ json: { prompt: '', task_id: '' } });
			const run = await world.n8n.run({
				parameters: parametersOf(operation),
				items,
				node: CONTINUE,
				...(isEstimate && { credential: null }),
			});
			return run.json;
		};

		it('fits all that the operation gives', async () => {
			const items = await itemsOf();
			expect(items).toHaveLength(4);
			expect(items.map((item) => differences(item, schemaOf(operation)))).toEqual([[], [], [], []]);
		});

		it('promises no field that the operation never gives', async () => {
			const given = new Set((await itemsOf()).flatMap((item) => Object.keys(item)));
			expect([...given].sort()).toEqual(Object.keys(schemaOf(operation).properties).sort());
		});
	},
);
