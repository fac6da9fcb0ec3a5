/** Reading the node's fields: n8n's own expressions, empty cells, bounds, and which field a problem belongs to. */
import * as fc from 'fast-check';
import {
	Workflow,
	type IDataObject,
	type IExecuteFunctions,
	type INode,
	type INodeParameters,
} from 'n8n-workflow';

import { FieldError } from '../../nodes/Seedance/run/fieldReading';
import { operationFields } from '../../nodes/Seedance/operations';
import { labelOf } from '../../nodes/Seedance/description/labels';

import { NUMBERS, type NumberField } from '../../nodes/Seedance/description/numbers';
import {
	fieldProblems,
	rawFields,
	readOptions,
	readOutput,
	readTogether,
	textParameter,
	waitMethodOf,
} from '../../nodes/Seedance/run/parameters';
import { Seedance } from '../../nodes/Seedance/Seedance.node';

const seedance = new Seedance();
/** An expression that n8n cannot read. */
const BROKEN = "={{ $('Nowhere').item.json.x }}";

/** What a path such as `options.timeout` or `values[0].name` leads to, as n8n finds it. */
function at(tree: unknown, path: string): unknown {
	return path
		.split(/[.[\]]+/)
		.filter(Boolean)
		.reduce((node: unknown, name) => Object(node)[name], tree);
}

/** The node's context with these parameters and items, its expressions evaluated by n8n. */
function contextWith(parameters: INodeParameters, ...items: IDataObject[]): IExecuteFunctions {
	const node: INode = {
		id: '1',
		name: 'Seedance',
		type: 'n8n-nodes-seedance.seedance',
		typeVersion: 1,
		position: [0, 0],
		parameters,
	};
	const { expression } = new Workflow({
		nodes: [node],
		connections: {},
		active: false,
		nodeTypes: {
			getByName: () => seedance,
			getByNameAndVersion: () => seedance,
			getKnownTypes: () => ({}),
		},
	});
	const input = (items.length ? items : [{}]).map((json) => ({ json }));
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
			if (options?.rawExpressions) return stored;
			return expression.getParameterValue(
				Object(stored).valueOf(),
				null,
				0,
				itemIndex,
				node.name,
				input,
				'manual',
				{},
			);
		},
		evaluateExpression: (text: string, itemIndex: number) =>
			expression.resolveSimpleParameterValue(
				`=${text}`,
				{},
				null,
				0,
				itemIndex,
				node.name,
				input,
				'manual',
				{},
			),
	};
	return Object.assign(Object.create(null), parts);
}

/** The problems that reading tells, of which there has to be one at least. */
function problemsOf(read: () => unknown): readonly string[] {
	try {
		read();
	} catch (error) {
		return error instanceof FieldError ? error.problems : [`not a FieldError: ${String(error)}`];
	}
	return [];
}

const optionsOf = (options: INodeParameters, ...items: IDataObject[]) =>
	readOptions(contextWith({ options }, ...items));

describe('a field that cannot be read', () => {
	const NAMES = operationFields
		.map(({ name }) => name)
		.filter((name) => !['options', 'pauseNotice', 'callbackMetadata'].includes(name));

	it.each([...new Set(NAMES)])('is named by its label: %s', (name) => {
		const problems = problemsOf(() => rawFields(contextWith({ [name]: BROKEN }), 0, [name]));
		const label = operationFields.find((field) => field.name === name)?.displayName;
		expect(problems).toEqual([expect.stringMatching(/ could not be read: .+\.$/)]);
		expect(problems[0].startsWith(`${label} could not be read: `)).toBe(true);
	});

	it('does not hide another: all are told at once', () => {
		const context = contextWith({ prompt: BROKEN, duration: BROKEN, resolution: '720p' });
		const problems = problemsOf(() => rawFields(context, 0, ['prompt', 'duration', 'resolution']));
		expect(problems).toEqual([
			expect.stringMatching(/^Prompt could not be read/),
			expect.stringMatching(/^Duration could not be read/),
		]);
	});

	it('is named for the output: Simplify, Download Video, Output Data Field Name', () => {
		const all = contextWith({ simplify: BROKEN, downloadVideo: BROKEN });
		expect(problemsOf(() => readOutput(all, 0, true))).toEqual([
			expect.stringMatching(/^Simplify could not be read/),
			expect.stringMatching(/^Download Video could not be read/),
		]);
		const name = contextWith({ outputBinaryField: BROKEN, options: { includeInput: BROKEN } });
		expect(problemsOf(() => readOutput(name, 0, true))).toEqual([
			expect.stringMatching(/^Output Data Field Name could not be read/),
			expect.stringMatching(/^Include Other Input Fields could not be read/),
		]);
	});

	it('is named among the Options, each by its own label', () => {
		const { problems } = optionsOf({
			timeout: BROKEN,
			pollInterval: 5,
			maxCredits: BROKEN,
			batching: { batch: { batchSize: BROKEN, batchInterval: BROKEN } },
		});
		expect(problems.map((problem) => problem.replace(/ could not be read: .+\.$/, ''))).toEqual([
			'Items per Batch',
			'Maximum Credits per Run',
			'Batch Interval (Ms)',
			'Timeout (Minutes)',
		]);
	});

	it('is told as Options where these are one expression', () => {
		const { problems } = readOptions(contextWith({ options: BROKEN }));
		expect(problems).toEqual([expect.stringMatching(/^Options could not be read: .+\.$/)]);
	});

	it('is named in Callback Metadata by the name of the value', () => {
		const callbackMetadata = {
			values: [
				{ name: 'row', value: 1 },
				{ name: 'sheet', value: BROKEN },
				{ name: BROKEN, value: 2 },
			],
		};
		const context = contextWith({ callbackMetadata });
		expect(problemsOf(() => rawFields(context, 0, ['callbackMetadata']))).toEqual([
			expect.stringMatching(/^Callback Metadata "sheet" could not be read: .+\.$/),
			expect.stringMatching(/^Callback Metadata "3" could not be read: .+\.$/),
		]);
	});

	it('is told by its own label where a caller knows no better', () => {
		const error = new FieldError(['Duration could not be read: x.', 'Prompt is empty.']);
		expect(fieldProblems(error)).toEqual(['Duration could not be read: x.', 'Prompt is empty.']);
		expect(fieldProblems(new Error('no data.'))).toEqual([
			'The settings of this node could not be read: no data.',
		]);
		expect(fieldProblems('no', 'Duration')).toEqual(['Duration could not be read: no.']);
	});

	it('is gathered from several readers, and their values are given where all can be read', () => {
		const read = () => 7;
		const fail = (label: string) => () => {
			throw new FieldError([`${label} is wrong.`]);
		};
		expect(readTogether({ a: read, b: () => 'x' })).toEqual({ a: 7, b: 'x' });
		expect(problemsOf(() => readTogether({ a: fail('A'), b: read, c: fail('C') }))).toEqual([
			'A is wrong.',
			'C is wrong.',
		]);
	});

	it('has a label, whatever its parameter is', () => {
		expect(labelOf('options.batching.batch.batchSize')).toBe('Items per Batch');
		expect(labelOf('options.includeInput')).toBe('Include Other Input Fields');
		expect(labelOf('unheardOf')).toBe('unheardOf');
	});
});

describe('an empty cell', () => {
	const EMPTY = [{}, { x: null }, { x: '' }, { x: ' \n' }];

	it('is the default of how an item is given out', () => {
		const cell = '={{ $json.x }}';
		const parameters = {
			simplify: cell,
			downloadVideo: cell,
			outputBinaryField: cell,
			options: { includeInput: cell },
		};
		const context = contextWith(parameters, ...EMPTY);
		for (const itemIndex of EMPTY.keys()) {
			expect(readOutput(context, itemIndex, true)).toEqual({
				simplify: true,
				fileField: 'data',
				includeInput: false,
			});
			expect(readOutput(context, itemIndex, false)).toEqual({
				simplify: true,
				includeInput: false,
			});
		}
	});

	it.each(EMPTY)('is the default of every number among the Options: %j', (item) => {
		const cell = '={{ $json.x }}';
		const batching = { batch: { batchSize: cell, batchInterval: cell } };
		const { options, problems } = optionsOf({ timeout: cell, pollInterval: cell, batching }, item);
		expect(problems).toEqual([]);
		expect(options).toEqual({
			maxCredits: undefined,
			timeout: 15,
			pollInterval: 5,
			batchSize: 50,
			batchInterval: 1000,
		});
	});

	it.each(EMPTY)('is an error for Maximum Credits, because a limit must not vanish: %j', (item) => {
		const { problems } = optionsOf({ maxCredits: '={{ $json.x }}' }, item);
		expect(problems).toEqual([expect.stringMatching(/^Maximum Credits per Run is empty: /)]);
	});

	it.each(EMPTY)('is the default of a dropdown: %j', (item) => {
		expect(waitMethodOf(contextWith({ waitMethod: '={{ $json.x }}' }, item))).toBe('poll');
		const context = contextWith({ imageSource: '={{ $json.x }}' }, item);
		expect(textParameter(context, 0, 'imageSource', 'none')).toBe('none');
	});
});

describe('a dropdown', () => {
	it('takes its own values only', () => {
		expect(waitMethodOf(contextWith({ waitMethod: 'callback' }))).toBe('callback');
		expect(problemsOf(() => waitMethodOf(contextWith({ waitMethod: 'pause' })))).toEqual([
			'Wait Method "pause" is not supported. Allowed: poll, callback.',
		]);
	});

	it('is no object, no list and no broken expression', () => {
		for (const value of ['={{ {a: 1} }}', '={{ ["url"] }}', '[object Object]', 'undefined']) {
			const context = contextWith({ imageSource: value });
			expect(problemsOf(() => textParameter(context, 0, 'imageSource', 'none'))).toEqual([
				expect.stringMatching(/^Image (?:must be text|holds|is only the word)/),
			]);
		}
	});
});

describe('a number among the Options', () => {
	const fields: NumberField[] = [
		'batchSize',
		'batchInterval',
		'pollInterval',
		'maxCredits',
		'timeout',
	];

	/** The Options with one number, where it stands in the node. */
	const withNumber = (field: NumberField, value: unknown): INodeParameters => {
		const name = NUMBERS[field].path.split('.').at(-1) ?? '';
		const one = { [name]: Object(value).valueOf() };
		return name.startsWith('batch') ? { batching: { batch: one } } : one;
	};

	it.each(fields)('%s is taken from its least to its most, as number and as text', (field) => {
		const { least, most } = NUMBERS[field];
		for (const value of [least, most, String(most), ` ${most} `, `={{ ${most} }}`]) {
			expect(optionsOf(withNumber(field, value)).problems).toEqual([]);
		}
		expect(optionsOf(withNumber('timeout', '20')).options.timeout).toBe(20);
	});

	it.each(fields)('%s is refused beyond, with label, value and range', (field) => {
		const { label, least, most } = NUMBERS[field];
		for (const value of [least - 1, most + 1, 1e12, -1e12]) {
			const { problems } = optionsOf(withNumber(field, value));
			expect(problems).toEqual([
				expect.stringContaining(`number from ${least} to ${most}, not "${value}".`),
			]);
			expect(problems[0].startsWith(`${label} must be a `)).toBe(true);
		}
	});

	it.each(fields)('%s is refused where it is no number', (field) => {
		const values = [
			'soon',
			'5 minutes',
			'={{ 0 / 0 }}',
			'={{ 1 / 0 }}',
			'Infinity',
			'NaN',
			true,
			'={{ {} }}',
			'={{ [5] }}',
			'1,000',
		];
		for (const value of values) {
			expect(optionsOf(withNumber(field, value)).problems).toEqual([
				expect.stringMatching(/ must be a .*number from /),
			]);
		}
	});

	it('is whole where it counts videos', () => {
		expect(optionsOf(withNumber('batchSize', 2.5)).problems).toEqual([
			'Items per Batch must be a whole number from -1 to 10000, not "2.5".',
		]);
	});

	it('makes no groups of -1 or 0 items, and none where Batching was not added', () => {
		for (const size of [-1, 0]) {
			expect(optionsOf(withNumber('batchSize', size)).options.batchSize).toBe(Infinity);
		}
		const { options } = optionsOf({ batching: {} });
		expect(options).toMatchObject({ batchSize: Infinity, batchInterval: 0 });
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
		const inner = operationFields.flatMap((field) => JSON.stringify(field));
		for (const { least, most } of Object.values(NUMBERS)) {
			expect(inner.join()).toContain(`"typeOptions":{"minValue":${least},"maxValue":${most}}`);
		}
	});
});

describe('a text that is put together of several expressions', () => {
	const TEMPLATE = '=A cat in {{ $json.city }} style {{ $json.style }}';
	const read = (prompt: string, item: IDataObject) => () =>
		rawFields(contextWith({ prompt }, item), 0, ['prompt']);

	it.each([{}, { city: null }, { city: null, style: null }])(
		'none of which finds anything is refused, and names them: %j',
		(item) => {
			expect(problemsOf(read(TEMPLATE, item))).toEqual([
				expect.stringMatching(
					/^Prompt is incomplete: this item has no value for \{\{ \$json\.city \}\} and \{\{ \$json\.style \}\}\./,
				),
			]);
		},
	);

	it.each([
		[TEMPLATE, { city: 'Rome' }, 'A cat in Rome style '],
		[TEMPLATE, { city: '', style: '' }, 'A cat in  style '],
		['=A cat {{ $json.more ?? "" }}', {}, 'A cat '],
		['=A cat', {}, 'A cat'],
		['A cat', {}, 'A cat'],
		['={{ $json.prompt }}', { prompt: 'A cat' }, 'A cat'],
	])(
		'passes where one finds something, or says itself that it may be empty: %s',
		(text, item, prompt) => {
			expect(read(text, item)()).toEqual({ prompt });
		},
	);

	it('is nothing where it is one expression alone', () => {
		expect(read('={{ $json.prompt }}', {})()).toEqual({ prompt: undefined });
	});

	it.each(['imageUrl', 'callbackUrl'])('is refused for %s as well', (name) => {
		const context = contextWith({ [name]: '=https://a.example.com/{{ $json.file }}' });
		expect(problemsOf(() => rawFields(context, 0, [name]))).toEqual([
			expect.stringContaining('is incomplete: this item has no value for {{ $json.file }}'),
		]);
	});
});

it('every text that is read is well-formed', () => {
	const context = contextWith({ prompt: '={{ $json.p }}' }, { p: 'cut \ud83d' });
	expect(rawFields(context, 0, ['prompt'])).toEqual({ prompt: 'cut \ufffd' });
});

it('Include Other Input Fields is read for each item', () => {
	const context = contextWith(
		{ options: { includeInput: '={{ $json.x }}' } },
		{ x: true },
		{ x: 'no' },
	);
	expect([0, 1].map((index) => readOutput(context, index, false).includeInput)).toEqual([
		true,
		false,
	]);
});
