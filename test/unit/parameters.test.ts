/** Reading the node's fields: n8n's own expressions, empty cells, bounds, and which field a problem belongs to. */
import * as fc from 'fast-check';
import type { IDataObject, IExecuteFunctions, INodeParameters } from 'n8n-workflow';

import { labelOf } from '../../nodes/Seedance/description/labels';
import { NUMBERS, type NumberField } from '../../nodes/Seedance/description/numbers';
import { operationFields } from '../../nodes/Seedance/operations';
import { FieldError } from '../../nodes/Seedance/run/fieldReading';
import * as reading from '../../nodes/Seedance/run/parameters';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import templates from '../fixtures/templates.json';
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

/** The problems that reading tells; those of one field are told by its label and this. */
function problemsOf(read: () => unknown): readonly string[] {
	try {
		read();
	} catch (error) {
		return error instanceof FieldError ? error.problems : [`not a FieldError: ${String(error)}`];
	}
	return [];
}
const UNREADABLE = / could not be read: .+\.$/;
/** The labels of the fields that cannot be read. */
const unreadable = (problems: readonly string[]) =>
	problems.map((problem) => (UNREADABLE.test(problem) ? problem.replace(UNREADABLE, '') : problem));

const optionsOf = (options: INodeParameters | string, ...items: IDataObject[]) =>
	readOptions(contextWith({ options }, ...items));

describe('a field that cannot be read', () => {
	const PARTS = ['options', 'pauseNotice', 'callbackMetadata'];
	const FIELDS = new Map(operationFields.map(({ name, displayName }) => [name, displayName]));

	const NAMED = [...FIELDS].filter(([name]) => !PARTS.includes(name));
	it.each(NAMED)('is named by its label: %s is %s', (name, label) => {
		const problems = problemsOf(() => rawFields(contextWith({ [name]: BROKEN }), 0, [name]));
		expect(unreadable(problems)).toEqual([label]);
	});

	it('does not hide another, nor how the item is given out: all are told at once', () => {
		const request = { prompt: BROKEN, duration: BROKEN, resolution: '720p' };
		const given = { simplify: BROKEN, downloadVideo: BROKEN, options: { includeInput: BROKEN } };
		const context = contextWith({ ...request, ...given });
		const names = ['prompt', 'duration', 'resolution'];
		const fields = problemsOf(() => rawFields(context, 0, names));
		expect(unreadable(fields)).toEqual(['Prompt', 'Duration']);
		const output = problemsOf(() => readOutput(context, 0, true));
		const include = 'Include Other Input Fields';
		expect(unreadable(output)).toEqual(['Simplify', 'Download Video', include]);
		const field = problemsOf(() => readOutput(contextWith({ outputBinaryField: BROKEN }), 0, true));
		expect(unreadable(field)).toEqual(['Output Data Field Name']);
	});

	it('is named among the Options, each by its own label', () => {
		const batch = { batchSize: BROKEN, batchInterval: BROKEN };
		const numbers = { timeout: BROKEN, pollInterval: 5, maxCredits: BROKEN };
		const { problems } = optionsOf({ ...numbers, batching: { batch } });
		const credits = 'Maximum Credits per Run';
		const labels = ['Items per Batch', credits, 'Batch Interval (Ms)', 'Timeout (Minutes)'];
		expect(unreadable(problems)).toEqual(labels);
		expect(unreadable(optionsOf(BROKEN).problems)).toEqual(['Options']);
	});

	it('is named in Callback Metadata by the name of the value', () => {
		const values = [
			{ name: 'row', value: 1 },
			{ name: 'sheet', value: BROKEN },
			{ name: BROKEN, value: 2 },
		];
		const context = contextWith({ callbackMetadata: { values } });
		const problems = problemsOf(() => rawFields(context, 0, ['callbackMetadata']));
		expect(unreadable(problems)).toEqual(['Callback Metadata "sheet"', 'Callback Metadata "3"']);
	});

	const both = ['Duration is odd.', 'Prompt is empty.'];
	it.each([
		[new FieldError(both), both],
		[new Error('no data.'), ['The settings of this node could not be read: no data.']],
		['no', ['The settings of this node could not be read: no.']],
	])('is told by its own label where a caller knows no better: %s', (error, problems) => {
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

describe.each<IDataObject>([{}, { x: null }, { x: '' }, { x: ' \n' }])(
	'an empty cell, %j,',
	(item) => {
		it('is the default of how an item is given out', () => {
			const options = { includeInput: CELL };
			const fields = { simplify: CELL, downloadVideo: CELL, outputBinaryField: CELL, options };
			const context = contextWith(fields, item);
			const defaults = { simplify: true, includeInput: false };
			expect(readOutput(context, 0, true)).toEqual({ ...defaults, fileField: 'data' });
			expect(readOutput(context, 0, false)).toEqual(defaults);
		});

		it('is the default of every number among the Options', () => {
			const batching = { batch: { batchSize: CELL, batchInterval: CELL } };
			expect(optionsOf({ timeout: CELL, pollInterval: CELL, batching }, item)).toEqual({
				problems: [],
				options: { timeout: 15, pollInterval: 5, batchSize: 50, batchInterval: 1000 },
			});
		});

		it('is an error for Maximum Credits, because a limit must not vanish', () => {
			const { problems } = optionsOf({ maxCredits: CELL }, item);
			expect(problems).toEqual([expect.stringMatching(/^Maximum Credits per Run is empty: /)]);
		});

		it('is the default of a dropdown', () => {
			const context = contextWith({ waitMethod: CELL, imageSource: CELL }, item);
			expect(waitMethodOf(context)).toBe('poll');
			expect(textParameter(context, 0, 'imageSource', 'none')).toBe('none');
		});
	},
);

describe('a dropdown', () => {
	it('takes its own values only', () => {
		expect(waitMethodOf(contextWith({ waitMethod: 'callback' }))).toBe('callback');
		expect(problemsOf(() => waitMethodOf(contextWith({ waitMethod: 'pause' })))).toEqual([
			'Wait Method "pause" is not supported. Allowed: poll, callback.',
		]);
	});

	it.each(['={{ {a: 1} }}', '={{ ["url"] }}', '[object Object]', 'undefined'])(
		'is no object, no list and no broken expression: %s',
		(imageSource) => {
			const context = contextWith({ imageSource });
			const problems = problemsOf(() => textParameter(context, 0, 'imageSource', 'none'));
			const reason = /^Image (?:must be text|holds|is only the word)/;
			expect(problems).toEqual([expect.stringMatching(reason)]);
		},
	);
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
				expect(options.timeout).toBeLessThanOrEqual(10_080);
				expect(options.timeout).toBeGreaterThanOrEqual(0);
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

describe('a text that is put together of several expressions', () => {
	const read = (name: string, text: string, item: IDataObject) => () =>
		rawFields(contextWith({ [name]: text }, item), 0, [name])[name];

	it.each(templates.incomplete)('of which none finds anything is refused: %j', (row) => {
		const { field, text, item, missing } = row;
		const reason = `is incomplete: this item has no value for {{ ${missing} }}.`;
		const problems = problemsOf(read(field, text, item));
		expect(problems).toEqual([expect.stringContaining(`${labelOf(field)} ${reason}`)]);
	});

	it.each([
		...templates.complete,
		// One expression alone may find nothing, and every text is well-formed.
		{ text: '={{ $json.prompt }}', item: {}, prompt: undefined },
		{ text: '={{ $json.prompt }}', item: { prompt: 'cut \ud83d' }, prompt: 'cut \ufffd' },
	])('passes where one finds something, or may be empty: %j', ({ text, item, prompt }) => {
		expect(read('prompt', text, item)()).toBe(prompt);
	});
});

it('Include Other Input Fields is read for each item', () => {
	const context = contextWith({ options: { includeInput: CELL } }, { x: true }, { x: 'no' });
	const read = (item: number) => readOutput(context, item, false).includeInput;
	expect([0, 1].map(read)).toEqual([true, false]);
});
