/** Reading the node's fields: n8n's own expressions, empty cells, bounds, and which field a problem belongs to. */
import type { IDataObject, IExecuteFunctions, INodeParameters } from 'n8n-workflow';

import { timeoutFor } from '../../nodes/Seedance/run/options';
import { labelOf } from '../../nodes/Seedance/description/labels';
import { NUMBERS, type NumberField } from '../../nodes/Seedance/description/numbers';
import { operationFields } from '../../nodes/Seedance/operations';
import { FieldError } from '../../nodes/Seedance/run/fieldReading';
import * as reading from '../../nodes/Seedance/run/parameters';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import readings from '../fixtures/parameters.json';
import * as fc from '../support/fastCheck.cjs';
import { expressionOf, nodeWith } from '../support/node';

const { rawFields, readOptions, readOutput, readTogether, textParameter, waitMethodOf } = reading;
const { fieldProblems } = reading;

const seedance = new Seedance();
/** An expression that n8n cannot read. */
const BROKEN = "={{ $('Nowhere').item.json.x }}";
const CELL = '={{ $json.x }}';

/** What a path such as `options.timeout` or `values[0].name` leads to, as n8n finds it. */
const at = (tree: unknown, path: string): unknown =>
	path
		.split(/[.[\]]+/)
		.filter(Boolean)
		.reduce((node: unknown, name) => Object(node)[name], tree);

/** The node's context with these parameters and items, its expressions evaluated by n8n. */
function contextWith(parameters: INodeParameters, ...items: IDataObject[]): IExecuteFunctions {
	const node = nodeWith(parameters);
	const expression = expressionOf(seedance, node);
	const input = (items.length ? items : [{}]).map((json) => ({ json }));
	const evaluate = (value: INodeParameters[string], itemIndex: number) =>
		expression.getParameterValue(value, null, 0, itemIndex, node.name, input, 'manual', {});
	const parts = {
		getNode: () => ({ ...node, parameters }),
		getNodeParameter: (
			path: string,
			itemIndex: number,
			fallback: unknown,
			options?: { rawExpressions?: boolean },
		) => {
			const stored = at(parameters, path) ?? fallback;
			if (stored === undefined) throw new Error(`Could not get parameter "${path}"`);
			return options?.rawExpressions ? stored : evaluate(Object(stored).valueOf(), itemIndex);
		},
		evaluateExpression: (text: string, itemIndex: number) => evaluate(`=${text}`, itemIndex),
	};
	return Object.assign(Object.create(null), parts);
}

/** The problems that reading reports; those of one field are recognised by its label and this. */
function problemsOf(read: () => unknown): readonly string[] {
	try {
		read();
	} catch (error) {
		return error instanceof FieldError ? error.problems : [`not a FieldError: ${String(error)}`];
	}
	return [];
}

const optionsOf = (options: INodeParameters | string, ...items: IDataObject[]) =>
	readOptions(contextWith({ options }, ...items));

describe('a field that cannot be read', () => {
	const PARTS = ['options', 'pauseNotice', 'dropdownNotice', 'callbackMetadata'];
	const FIELDS = new Map(operationFields.map(({ name, displayName }) => [name, displayName]));

	const NAMED = [...FIELDS].filter(([name]) => !PARTS.includes(name));
	it.each(NAMED)('is named by its label: %s is %s', (name, label) => {
		const problems = problemsOf(() => rawFields(contextWith({ [name]: BROKEN }), 0, [name]));
		expect(problems).toEqual([expect.stringContaining(`${label} could not be read: `)]);
	});

	const both = ['Duration is odd.', 'Prompt is empty.'];
	it.each([
		[new FieldError(both), both],
		[new Error('no data.'), ['The settings of this node could not be read: no data.']],
		['no', ['The settings of this node could not be read: no.']],
	])('is recognised by its own label where a caller knows no better: %s', (error, problems) => {
		expect(fieldProblems(error)).toEqual(problems);
		expect(fieldProblems('no', 'Duration')).toEqual(['Duration could not be read: no.']);
	});

	it('is gathered from several readers, and their values are given where all can be read', () => {
		const fail = (label: string) => () => {
			throw new FieldError([`${label} is wrong.`]);
		};
		expect(readTogether({ a: () => 7, b: () => 'x' })).toEqual({ a: 7, b: 'x' });
		const problems = problemsOf(() => readTogether({ a: fail('A'), b: () => 7, c: fail('C') }));
		expect(problems).toEqual(['A is wrong.', 'C is wrong.']);
	});

	it('has a label, whatever its parameter is', () => {
		expect(labelOf('options.batching.batch.batchSize')).toBe('Items per Batch');
		expect(labelOf('options.includeInput')).toBe('Include Other Input Fields');
		expect(labelOf('unheardOf')).toBe('unheardOf');
	});
});

/** What reading a node with these parameters gives for an item, or the beginnings of the problems that it reports. */
interface Case {
	reader: string;
	parameters: INodeParameters;
	given: unknown[];
	item?: object;
	gives?: unknown;
	problems?: string[];
}

describe.each(Object.entries<Case[]>(readings))('a field %s', (_, cases) => {
	const readers: Record<string, (context: IExecuteFunctions, ...given: never[]) => unknown> = {
		fields: (context, names: string[]) => rawFields(context, 0, names),
		output: (context, hasFile: boolean) => readOutput(context, 0, hasFile),
		text: (context, name: string, usual: string) => textParameter(context, 0, name, usual),
		waitMethod: waitMethodOf,
		options: (context) => {
			const { options, problems } = readOptions(context);
			if (problems.length) throw new FieldError(problems);
			return options;
		},
	};

	it.each(cases)('as $reader: $parameters, $item', ({ reader, parameters, given, ...row }) => {
		const { item = {}, gives, problems = [] } = row;
		const read = () => readers[reader](contextWith(parameters, { ...item }), ...(given as never[]));
		const beginnings = problems.map((text, index) =>
			problemsOf(read)[index]?.slice(0, text.length),
		);
		expect([beginnings, problemsOf(read).length]).toEqual([problems, problems.length]);
		if (!problems.length) expect(read()).toEqual(gives);
	});
});

describe('a number among the Options', () => {
	/** The Options with one number, where it stands in the node. */
	const withNumber = (field: NumberField, value: unknown) => {
		const name = NUMBERS[field].path.split('.').at(-1) ?? '';
		const one: INodeParameters = { [name]: Object(value).valueOf() };
		return optionsOf(name.startsWith('batch') ? { batching: { batch: one } } : one);
	};
	const NO_NUMBERS = [
		...['soon', '5 minutes', 'Infinity', 'NaN', '1,000', true],
		...['={{ 0 / 0 }}', '={{ 1 / 0 }}', '={{ {} }}', '={{ [5] }}'],
	];

	it.each<NumberField>(['batchSize', 'batchInterval', 'pollInterval', 'maxCredits', 'timeout'])(
		'%s is taken from its least to its most, and refused beyond or where it is none',
		(field) => {
			const { label, least, most } = NUMBERS[field];
			for (const value of [least, most, String(most), ` ${most} `, `={{ ${most} }}`]) {
				expect(withNumber(field, value).problems).toEqual([]);
			}
			for (const value of [least - 1, most + 1, 1e12, -1e12]) {
				const { problems } = withNumber(field, value);
				const range = `number from ${least} to ${most}, not "${value}".`;
				expect(problems).toEqual([expect.stringContaining(range)]);
				expect(problems[0].startsWith(`${label} must be a `)).toBe(true);
			}
			for (const value of NO_NUMBERS) {
				const range = expect.stringMatching(/ must be a .*number from /);
				expect(withNumber(field, value).problems).toEqual([range]);
			}
		},
	);

	it('is whole where it counts videos, and a number where it was text', () => {
		expect(withNumber('batchSize', 2.5).problems).toEqual([
			'Items per Batch must be a whole number from -1 to 10000, not "2.5".',
		]);
		expect(withNumber('timeout', '20').options.timeout).toBe(20);
	});

	it('makes no groups of -1 or 0 items, and none where Batching was not added', () => {
		for (const size of [-1, 0]) {
			expect(withNumber('batchSize', size).options.batchSize).toBe(Infinity);
		}
		const none = { batchSize: Infinity, batchInterval: 0 };
		expect(optionsOf({ batching: {} }).options).toMatchObject(none);
	});

	it('never waits for ever and never undercuts a second, whatever it is given', () => {
		fc.assert(
			fc.property(fc.oneof(fc.double(), fc.integer(), fc.string()), (value) => {
				const { options } = optionsOf({ timeout: `={{ ${JSON.stringify(value) ?? 'null'} }}` });
				const minutes = timeoutFor(options, [null]);
				expect(minutes).toBeLessThanOrEqual(10_080);
				expect(minutes).toBeGreaterThanOrEqual(0);
			}),
		);
	});

	it('has its bounds in the editor, too', () => {
		const inEditor = JSON.stringify(operationFields);
		for (const { least, most } of Object.values(NUMBERS)) {
			expect(inEditor).toContain(`"typeOptions":{"minValue":${least},"maxValue":${most}}`);
		}
	});
});

it('one expression alone may find nothing, and every text is well-formed', () => {
	const read = (item: IDataObject) =>
		rawFields(contextWith({ prompt: '={{ $json.prompt }}' }, item), 0, ['prompt']).prompt;
	expect([{}, { prompt: 'cut \ud83d' }].map(read)).toEqual([undefined, 'cut \ufffd']);
});

it('Include Other Input Fields is read for each item', () => {
	const context = contextWith({ options: { includeInput: CELL } }, { x: true }, { x: 'no' });
	const read = (item: number) => readOutput(context, item, false).includeInput;
	expect([0, 1].map(read)).toEqual([true, false]);
});
