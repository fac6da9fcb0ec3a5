/** What the editor shows of both nodes before anything runs: subtitle, prices, and n8n's rules for texts. */
import {
	NodeHelpers,
	Workflow,
	type INode,
	type INodeParameters,
	type INodeProperties,
	type INodeType,
} from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { operationOptions } from '../../nodes/Seedance/operations';

import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import { creditsFor, DURATIONS, RESOLUTIONS } from '../../nodes/shared/task/models';

const seedance = new Seedance();

/** A node as the editor holds it: every field that is shown, with its default or what was chosen. */
function nodeOf(type: INodeType, chosen: INodeParameters): INode {
	const { properties } = type.description;
	const node: INode = {
		id: '1',
		name: 'Node',
		type: 'node',
		typeVersion: 1,
		position: [0, 0],
		parameters: chosen,
	};
	const filled = NodeHelpers.getNodeParameters(
		properties,
		chosen,
		true,
		false,
		node,
		type.description,
	);
	return { ...node, parameters: filled ?? {} };
}

/** An expression of the description, evaluated as the editor does. */
function evaluated(type: INodeType, chosen: INodeParameters, expression: string): unknown {
	const node = nodeOf(type, chosen);
	const workflow = new Workflow({
		nodes: [node],
		connections: {},
		active: false,
		nodeTypes: {
			getByName: () => type,
			getByNameAndVersion: () => type,
			getKnownTypes: () => ({}),
		},
	});
	return workflow.expression.getSimpleParameterValue(node, expression, 'internal', {});
}

function subtitleOf(type: INodeType, chosen: INodeParameters): unknown {
	return evaluated(type, chosen, type.description.subtitle ?? '');
}

describe('the subtitle on the canvas', () => {
	it.each([
		[{}, 'Generate and Wait · 720p 8s'],
		[{ generateAudio: true, duration: 12 }, 'Generate and Wait · 720p 12s + audio'],
		[{ duration: '12' }, 'Generate and Wait · 720p 12s'],
		[{ operation: 'generate', resolution: '480p' }, 'Generate · 480p 8s'],
		[{ operation: 'estimateCost', duration: 4 }, 'Cost Estimate · 720p 4s'],
		[{ operation: 'status', taskId: '={{ $json.task_id }}' }, 'Get Status'],
		[{ operation: 'wait', taskId: 'seed15' }, 'Wait for Video'],
	])('of %j is "%s"', (chosen, text) => {
		expect(subtitleOf(seedance, chosen)).toBe(text);
	});

	it.each([
		[['resolution'], 'Generate and Wait · 8s'],
		[['duration'], 'Generate and Wait · 720p'],
		[['generateAudio'], 'Generate and Wait · 720p 8s'],
		[['resolution', 'duration', 'generateAudio'], 'Generate and Wait'],
	])('leaves %j out where that is an expression, and shows no code', (names, text) => {
		const chosen = Object.fromEntries(names.map((name) => [name, '={{ $json.value }}']));
		expect(subtitleOf(seedance, chosen)).toBe(text);
	});

	it('has a word for every operation, and fits under a node', () => {
		const texts = operationOptions.map(({ value }) => subtitleOf(seedance, { operation: value }));
		expect(new Set(texts).size).toBe(operationOptions.length);
		for (const text of texts) expect(text).toMatch(/^[A-Z][\w ·]{7,27}$/);
	});

	it.each([
		[['succeeded', 'failed'], 'Video Succeeded or Failed'],
		[['succeeded'], 'Video Succeeded'],
		[['failed'], 'Video Failed'],
	])('of a trigger on %j is "%s"', (events, text) => {
		expect(subtitleOf(new SeedanceTrigger(), { events })).toBe(text);
	});
});

describe('the price that is shown before running', () => {
	/** The hints about credits that the editor shows with these values. */
	const pricesWith = (chosen: INodeParameters) =>
		(seedance.description.hints ?? [])
			.filter(({ message }) => message.includes('credits'))
			.filter(({ displayCondition = '' }) => evaluated(seedance, chosen, displayCondition) === true)
			.map(({ message }) => message);

	it.each(
		RESOLUTIONS.flatMap((resolution) =>
			DURATIONS.flatMap((duration) =>
				[false, true].map((generateAudio) => ({ resolution, duration, generateAudio })),
			),
		),
	)('of %j is the one of the price table, with the seconds as number and as text', (settings) => {
		const { resolution, duration, generateAudio } = settings;
		const credits = creditsFor(resolution, duration, generateAudio);
		for (const operation of ['generateAndWait', 'generate', 'estimateCost']) {
			for (const seconds of [duration, Number(duration)]) {
				expect(pricesWith({ operation, ...settings, duration: seconds })).toEqual([
					`Each video with these settings costs ${credits} credits.`,
				]);
			}
		}
	});

	it('is there for a node that was just added', () => {
		expect(pricesWith({})).toEqual(['Each video with these settings costs 28 credits.']);
	});

	it.each(['resolution', 'duration', 'generateAudio'])(
		'is absent when %s is an expression, also one that can be evaluated',
		(name) => {
			const value = { resolution: '720p', duration: 8, generateAudio: false }[name];
			expect(pricesWith({ [name]: `={{ ${JSON.stringify(value)} }}` })).toEqual([]);
			expect(pricesWith({ [name]: '={{ $json.value }}' })).toEqual([]);
		},
	);

	it.each(['status', 'wait'])('is absent from %s, which pays nothing', (operation) => {
		expect(pricesWith({ operation, resolution: '720p' })).toEqual([]);
	});
});

describe('the dropdown of Duration', () => {
	const duration = seedance.description.properties.find(({ name }) => name === 'duration');

	it('has numbers, so that a number from a sheet is one of its choices', () => {
		const values = (duration?.options ?? []).map((option) => 'value' in option && option.value);
		expect(values).toEqual([4, 8, 12]);
		expect(values).toContain(duration?.default);
	});
});

describe('the hint about a test URL', () => {
	/** Whether the editor shows it with this Callback URL. */
	const isShown = (callbackUrl: string, operation = 'generate') =>
		(seedance.description.hints ?? [])
			.filter(({ message }) => message.includes('two minutes'))
			.some(({ displayCondition = '' }) =>
				evaluated(seedance, { operation, callbackUrl }, displayCondition),
			);

	it('is shown before the run, also where the URL stands in an expression', () => {
		expect(isShown('https://n8n.example.com/webhook-test/5d0f/webhook')).toBe(true);
		expect(isShown('=https://n8n.example.com/webhook-test/{{ $json.path }}')).toBe(true);
	});

	it('is absent from a Production URL, and from operations without a callback', () => {
		expect(isShown('https://n8n.example.com/webhook/5d0f/webhook')).toBe(false);
		expect(isShown('={{ $json.url }}')).toBe(false);
		expect(isShown('https://n8n.example.com/webhook-test/5d0f', 'generateAndWait')).toBe(false);
	});
});

describe('Include Other Input Fields', () => {
	it('is offered by every operation that gives out videos, and off', () => {
		const offering = seedance.description.properties.filter(
			({ name, options = [] }) =>
				name === 'options' &&
				options.some(
					(option) =>
						option.name === 'includeInput' && 'default' in option && option.default === false,
				),
		);
		expect(offering.flatMap(({ displayOptions }) => displayOptions?.show?.operation ?? [])).toEqual(
			['generateAndWait', 'generate', 'status', 'wait'],
		);
	});
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
	const types = [seedance, new SeedanceTrigger()];
	const fields = textsOf([
		...types.flatMap(({ description }) => description.properties),
		...new SeedanceApi().properties,
	]);
	const named = (all: readonly INodeProperties[]) => all.map(({ displayName }) => displayName);
	const SMALL = ['a', 'an', 'and', 'at', 'by', 'for', 'in', 'of', 'on', 'per', 'the', 'to', 'with'];

	it('find the fields', () => {
		expect(fields.length).toBeGreaterThan(40);
	});

	it('want names in Title Case', () => {
		const inTitleCase = (name: string) =>
			name
				.split(' ')
				.every((word, index) => /^[(A-Z0-9>]/.test(word) || (index > 0 && SMALL.includes(word)));
		const wrong = fields.filter(
			({ type, displayName }) => type !== 'notice' && !inTitleCase(displayName),
		);
		expect(named(wrong)).toEqual([]);
	});

	it('want a description of every field, a sentence that begins with a capital', () => {
		const wrong = fields.filter(({ type, name, description }) => {
			if (['notice', 'hidden'].includes(type) || name === 'operation' || name === 'resource') {
				return false;
			}
			const isBundle = type === 'collection';
			return !isBundle && !/^[A-Z0-9]/.test(description ?? '');
		});
		expect(named(wrong)).toEqual([]);
	});

	it('want a full stop only where there are several sentences', () => {
		const wrong = fields.filter(({ description = '' }) => {
			const isMany = /[.!?] [A-Z0-9]/.test(description);
			return description !== '' && isMany !== description.endsWith('.');
		});
		expect(named(wrong)).toEqual([]);
	});

	it('want "Whether" before what a switch does', () => {
		const wrong = fields.filter(
			({ type, description }) => type === 'boolean' && !description?.startsWith('Whether '),
		);
		expect(named(wrong)).toEqual([]);
	});

	it('want an example as a placeholder', () => {
		const wrong = fields.filter(
			({ type, placeholder }) =>
				placeholder !== undefined && !placeholder.startsWith(type === 'string' ? 'e.g. ' : 'Add '),
		);
		expect(named(wrong)).toEqual([]);
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
