/** What the editor shows of both nodes before anything runs: subtitle, prices, and n8n's rules for texts. */
import { NodeHelpers } from 'n8n-workflow';
import type { INodeParameters, INodeProperties, INodeType } from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { operationOptions } from '../../nodes/Seedance/operations';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import modelPrices from '../fixtures/modelPrices.json';
import prices from '../fixtures/prices.json';
import texts from '../fixtures/editorTexts.json';
import { expressionOf, nodeWith } from '../support/node';

const seedance = new Seedance();
const trigger = new SeedanceTrigger();

/** An expression of the description, evaluated as the editor does: every field has its default or what was chosen. */
function evaluated(type: INodeType, chosen: INodeParameters, expression = ''): unknown {
	const { description } = type;
	const node = nodeWith(chosen);
	const { properties } = description;
	const filled = NodeHelpers.getNodeParameters(properties, chosen, true, false, node, description);
	node.parameters = filled ?? {};
	return expressionOf(type, node).getSimpleParameterValue(node, expression, 'internal', {});
}

const subtitleOf = (type: INodeType, chosen: INodeParameters) =>
	evaluated(type, chosen, type.description.subtitle);

/** The hints with this word that the editor shows with these values. */
const hintsAbout = (word: string, chosen: INodeParameters) =>
	(seedance.description.hints ?? [])
		.filter(({ message }) => message.includes(word))
		.filter(({ displayCondition }) => evaluated(seedance, chosen, displayCondition) === true)
		.map(({ message }) => message);

describe('the subtitle on the canvas', () => {
	// What is an expression is left out, and no code is shown.
	it.each<unknown[]>(texts.subtitles)('of %j is "%s"', (chosen, text) => {
		expect(subtitleOf(seedance, Object(chosen))).toBe(text);
	});

	it('has a word for every operation, and fits under a node', () => {
		const found = operationOptions.map(({ value }) => subtitleOf(seedance, { operation: value }));
		expect(new Set(found).size).toBe(operationOptions.length);
		for (const text of found) expect(text).toMatch(/^[A-Z][\w ·]{7,27}$/);
	});

	it('shows the settings of a video for the operations that have them, and for no other', () => {
		const chosen = { model: 'seedance-v1', resolution: '720p', duration: 8 };
		for (const { value: operation } of operationOptions) {
			const parameters = { operation, ...chosen };
			const node = nodeWith();
			const expression = expressionOf(seedance, node);
			// As a node keeps them whose operation was changed.
			node.parameters = parameters;
			const { subtitle = '' } = seedance.description;
			const text = expression.getSimpleParameterValue(node, subtitle, 'internal', {});
			const hasSettings = shownFields(parameters).has('resolution');
			expect([operation, String(text).includes('720p')]).toEqual([operation, hasSettings]);
		}
	});

	it.each<unknown[]>(texts.triggerSubtitles)('of a trigger on %j is "%s"', (events, text) => {
		expect(subtitleOf(trigger, Object({ events }))).toBe(text);
	});
});

describe('the price that is shown before running', () => {
	const cost = (credits: number, time = '1 to 2') => [
		`Each video with these settings costs ${credits} credits and usually takes ${time} minutes.`,
	];

	it.each(prices)('is that of the price table, with seconds as number and text: %j', (row) => {
		const { credits, ...settings } = row;
		for (const operation of ['generateAndWait', 'generate', 'estimateCost']) {
			for (const duration of [settings.duration, Number(settings.duration)]) {
				const chosen = { ...settings, operation, duration };
				expect(hintsAbout('credits', chosen)).toEqual(cost(credits));
			}
		}
	});

	it('is there for a node that was just added, absent from operations that pay nothing', () => {
		expect(hintsAbout('credits', {})).toEqual(cost(28));
		expect(hintsAbout('credits', { operation: 'status', resolution: '720p' })).toEqual([]);
		expect(hintsAbout('credits', { operation: 'wait', resolution: '720p' })).toEqual([]);
	});

	it.each<unknown[]>(texts.expressions)('is the range %s with %j', (range, chosen) => {
		expect(hintsAbout('credits', Object(chosen))).toEqual([
			`Depending on the expressions, each video costs ${String(range)}.`,
		]);
	});

	it.each(modelPrices)('is that of the table of version 2: %j', (row) => {
		const { credits, ...settings } = row;
		const time = settings.model === 'seedance-2-mini' ? '1 to 10' : '2 to 10';
		for (const [seconds, price] of Object.entries(credits)) {
			const chosen = { ...settings, operation: 'generate', duration: Number(seconds) };
			expect(hintsAbout('credits', chosen)).toEqual(cost(price, time));
		}
	});
});

it.each<unknown[]>(texts.waitingTooltips)('a pause with %j says "%s"', (chosen, text) => {
	const { waitingNodeTooltip } = seedance.description;
	expect(evaluated(seedance, Object(chosen), waitingNodeTooltip)).toBe(text);
});

/** The fields that the editor shows with these values: by name, with their choices and default. */
function shownFields(
	chosen: INodeParameters,
	description = seedance.description,
): Map<string, { choices: unknown[]; usual: unknown }> {
	const { properties } = description;
	const node = nodeWith(chosen);
	const filled = NodeHelpers.getNodeParameters(properties, chosen, true, false, node, description);
	const shown = properties.filter((field) =>
		NodeHelpers.displayParameter(filled ?? {}, field, node, description),
	);
	const fields = new Map<string, { choices: unknown[]; usual: unknown }>();
	for (const { name, options = [], default: usual } of shown) {
		// One name, one field: n8n would show both.
		expect(fields.has(name)).toBe(false);
		const choices = options.flatMap((one) => ('value' in one ? [one.value] : []));
		fields.set(name, { choices, usual });
	}
	return fields;
}

it('a condition of a field is there or left out: n8n 1.123.81 fails on one that is undefined', () => {
	for (const { displayOptions = {} } of seedance.description.properties) {
		for (const rule of Object.values(displayOptions)) expect(rule).toBeDefined();
	}
});

describe('a tool of an AI agent', () => {
	const tool = { ...seedance.description, name: 'seedanceTool' };

	/** What the node shows and a tool does not, and the other way round. */
	const differences = (one: typeof tool, other: typeof tool, chosen: INodeParameters) => {
		const there = shownFields(chosen, other);
		return [...shownFields(chosen, one).keys()].filter((name) => !there.has(name));
	};

	it.each<[string, string[], string[]]>([
		[
			'generateAndWait',
			['waitMethod', 'downloadVideo', 'outputBinaryField', 'simplify'],
			['dropdownNotice'],
		],
		['generate', ['simplify'], ['dropdownNotice']],
		['estimateCost', [], ['dropdownNotice']],
		['getAll', ['simplify'], []],
		['status', ['downloadVideo', 'outputBinaryField', 'simplify'], []],
		['wait', ['downloadVideo', 'outputBinaryField', 'simplify'], []],
	])('with %s lacks the fields that would do nothing: %j', (operation, hidden, added) => {
		const chosen = { operation, downloadVideo: true };
		expect(differences(seedance.description, tool, chosen)).toEqual(hidden);
		expect(differences(tool, seedance.description, chosen)).toEqual(added);
		expect(shownFields({ ...chosen, waitMethod: 'callback' }, tool).has('pauseNotice')).toBe(false);
	});

	it('lacks the Options that would do nothing', () => {
		const options = seedance.description.properties.flatMap((field) =>
			field.name === 'options' ? textsOf([field]).slice(1) : [],
		);
		const isShown = (field: INodeProperties) =>
			NodeHelpers.displayParameter({}, field, nodeWith({}), tool);
		const hidden = options.filter((field) => !isShown(field)).map(({ name }) => name);
		expect([...new Set(hidden)].sort()).toEqual(['batching', 'includeInput', 'maxAtOnce']);
	});

	it('says how a dropdown is left to the model', () => {
		const notice = tool.properties.find(({ name }) => name === 'dropdownNotice');
		expect(notice?.displayName).toContain("{{ $fromAI('duration', ");
	});
});

describe('the fields of a model', () => {
	const OF_MODELS = ['aspectRatio', 'resolution', 'duration', 'generateAudio', 'fixedLens'];
	const ALL = [...OF_MODELS, 'public', 'referenceVideos'];

	it.each<[string, Record<string, unknown[]>, string[]]>([
		['seedance-v1', { duration: [4, 8, 12], resolution: ['720p', '480p'] }, OF_MODELS],
		['seedance-2.0', { duration: [5, 10, 15] }, ['aspectRatio', 'duration', 'public']],
		['seedance-2.0-fast', { duration: [5, 10, 15] }, ['aspectRatio', 'duration', 'public']],
		[
			'seedance-2-mini',
			{ duration: [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], resolution: ['720p', '480p'] },
			['aspectRatio', 'resolution', 'duration', 'public', 'referenceVideos'],
		],
		['={{ $json.model }}', { resolution: ['720p', '480p'] }, ALL],
		// What an expression that finds nothing is for the editor.
		['', { resolution: ['720p', '480p'] }, ALL],
	])('%s: each once, with its choices and a default among them', (model, choices, names) => {
		const fields = shownFields({ model, operation: 'generate' });
		expect(ALL.filter((name) => fields.has(name))).toEqual(names);
		for (const [name, values] of Object.entries(choices)) {
			expect(fields.get(name)?.choices).toEqual(values);
		}
		for (const { choices: all, usual } of fields.values()) {
			if (all.length) expect(all).toContain(usual);
		}
	});

	it.each(['seedance-v1', 'seedance-2.0', 'seedance-2.0-fast', 'seedance-2-mini'])(
		'%s has a ratio beside an image only where the video need not follow the image',
		(model) => {
			const fields = shownFields({ model, operation: 'generate', imageSource: 'url' });
			expect(fields.has('aspectRatio')).toBe(model === 'seedance-v1');
		},
	);

	it('the durations are numbers, so that a number from a sheet is one of the choices', () => {
		const durations = shownFields({}).get('duration');
		expect(durations?.choices.every((choice) => typeof choice === 'number')).toBe(true);
	});

	it('says of each model what it costs and how long it takes', () => {
		const model = seedance.description.properties.find(({ name }) => name === 'model');
		const texts = (model?.options ?? []).map((one) => ('value' in one ? one.description : ''));
		expect(texts).toEqual([
			'8 to 84 credits, usually 1 to 2 minutes',
			'240 to 720 credits, usually 2 to 10 minutes',
			'160 to 480 credits, usually 2 to 10 minutes',
			'36 to 462 credits, usually 1 to 10 minutes',
		]);
	});
});

it.each(texts.testUrls)('a hint about a test URL is shown %i times for %s with %s', (...row) => {
	const [count, operation, callbackUrl] = row;
	expect(hintsAbout('two minutes', { operation, callbackUrl })).toHaveLength(Number(count));
});

it('Include Other Input Fields is offered by every operation that gives out videos, and off', () => {
	const isOffered = ({ name, options = [] }: INodeProperties) =>
		name === 'options' &&
		options.some((one) => one.name === 'includeInput' && 'default' in one && one.default === false);
	const offering = seedance.description.properties.filter(isOffered);
	const operations = offering.flatMap((field) => field.displayOptions?.show?.operation ?? []);
	expect(operations).toEqual(['generateAndWait', 'generate', 'status', 'wait']);
});

/** Every field, option and entry with its texts, at any depth. */
function textsOf(fields: readonly INodeProperties[]): INodeProperties[] {
	return fields.flatMap((field) => [
		field,
		...(field.options ?? []).flatMap((option) => {
			if ('values' in option) return textsOf(option.values);
			return 'displayName' in option && 'type' in option ? textsOf([option]) : [];
		}),
	]);
}

describe("n8n's rules for texts", () => {
	const types = [seedance, trigger];
	const fields = textsOf([
		...types.flatMap(({ description }) => description.properties),
		...new SeedanceApi().properties,
	]);
	const SMALL = ['a', 'an', 'and', 'at', 'by', 'for', 'in', 'of', 'on', 'per', 'the', 'to', 'with'];
	const isTitle = (word: string, index: number) =>
		/^[(A-Z0-9>]/.test(word) || (index > 0 && SMALL.includes(word));
	/** What needs no description: n8n's own dropdowns, and what holds no value. */
	const isBare = ({ type, name }: INodeProperties) =>
		['notice', 'hidden', 'collection'].includes(type) || ['operation', 'resource'].includes(name);

	const RULES: Record<string, (field: INodeProperties) => boolean> = {
		'names in Title Case': ({ type, displayName }) =>
			type === 'notice' || displayName.split(' ').every(isTitle),
		'a description that begins with a capital': (field) =>
			isBare(field) || /^[A-Z0-9]/.test(field.description ?? ''),
		'a full stop only where there are several sentences': ({ description = '' }) =>
			description === '' || /[.!?] [A-Z0-9]/.test(description) === description.endsWith('.'),
		'"Whether" before what a switch does': ({ type, description }) =>
			type !== 'boolean' || /^Whether /.test(description ?? ''),
		'an example as a placeholder': ({ type, placeholder }) =>
			placeholder?.startsWith(type === 'string' ? 'e.g. ' : 'Add ') ?? true,
	};
	it.each(Object.entries(RULES))('want %s', (_, isKept) => {
		expect(fields.length).toBeGreaterThan(40);
		const wrong = fields.filter((field) => !isKept(field));
		expect(wrong.map(({ displayName }) => displayName)).toEqual([]);
	});

	it('want hints of at most 120 characters', () => {
		const hints = [
			...fields.flatMap(({ hint }) => hint ?? []),
			...types.flatMap(({ description }) => description.hints ?? []).map(({ message }) => message),
		];
		expect(hints.length).toBeGreaterThan(5);
		expect(hints.filter((hint) => hint.length > 120)).toEqual([]);
	});
});
