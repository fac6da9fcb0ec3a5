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
import { OPERATION_OPTIONS } from '../../nodes/Seedance/fields';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import { creditsFor } from '../../nodes/shared/pricing';
import { DURATIONS, RESOLUTIONS } from '../../nodes/shared/videoRequest';

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

/** The subtitle on the canvas, evaluated as the editor does. */
function subtitleOf(type: INodeType, chosen: INodeParameters): unknown {
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
	const { subtitle = '' } = type.description;
	return workflow.expression.getSimpleParameterValue(node, subtitle, 'internal', {});
}

describe('the subtitle on the canvas', () => {
	it.each([
		[{}, 'Generate and Wait · 720p · 8s · 9:16'],
		[{ generateAudio: true, duration: '12' }, 'Generate and Wait · 720p · 12s · 9:16 · audio'],
		[
			{ operation: 'generate', resolution: '480p', aspectRatio: '1:1' },
			'Generate Without Waiting · 480p · 8s · 1:1',
		],
		[{ operation: 'estimateCost', duration: '4' }, 'Get Cost Estimate · 720p · 4s'],
		[{ operation: 'status' }, 'Get Status'],
		[{ operation: 'wait', taskId: 'seed15' }, 'Wait for Video'],
	])('of %j is "%s"', (chosen, text) => {
		expect(subtitleOf(seedance, chosen)).toBe(text);
	});

	it.each(['resolution', 'duration', 'aspectRatio', 'generateAudio'])(
		'leaves %s out where it is an expression, and shows no code',
		(name) => {
			const expected: Record<string, string> = {
				resolution: 'Generate and Wait · 8s · 9:16',
				duration: 'Generate and Wait · 720p · 9:16',
				aspectRatio: 'Generate and Wait · 720p · 8s',
				generateAudio: 'Generate and Wait · 720p · 8s · 9:16',
			};
			expect(subtitleOf(seedance, { [name]: '={{ $json.value }}' })).toBe(expected[name]);
		},
	);

	it.each(OPERATION_OPTIONS.map(({ name, value }) => [String(value), name]))(
		'names %s as the list of operations does',
		(operation, name) => {
			expect(String(subtitleOf(seedance, { operation })).split(' · ')[0]).toBe(name);
		},
	);

	it.each([
		[['succeeded', 'failed'], 'Video Succeeded or Failed'],
		[['succeeded'], 'Video Succeeded'],
		[['failed'], 'Video Failed'],
	])('of a trigger on %j is "%s"', (events, text) => {
		expect(subtitleOf(new SeedanceTrigger(), { events })).toBe(text);
	});
});

/** Fields of the action node that are shown with these values. */
function shownWith(chosen: INodeParameters): INodeProperties[] {
	const node = nodeOf(seedance, chosen);
	return seedance.description.properties.filter((field) =>
		NodeHelpers.displayParameter(node.parameters, field, node, seedance.description),
	);
}

describe('the price that is shown before running', () => {
	const pricesWith = (chosen: INodeParameters) =>
		shownWith(chosen).flatMap(({ type, displayName }) =>
			type === 'notice' && /credits/.test(displayName) ? [displayName] : [],
		);

	it.each(
		RESOLUTIONS.flatMap((resolution) =>
			DURATIONS.flatMap((duration) =>
				[false, true].map((generateAudio) => ({ resolution, duration, generateAudio })),
			),
		),
	)('of %j is the one of the price table', (settings) => {
		const { resolution, duration, generateAudio } = settings;
		const credits = creditsFor(resolution, duration, generateAudio);
		for (const operation of ['generateAndWait', 'generate', 'estimateCost']) {
			expect(pricesWith({ operation, ...settings })).toEqual([
				`Each video with these settings costs ${credits} credits`,
			]);
		}
	});

	it.each(['status', 'wait'])('is absent from %s, which pays nothing', (operation) => {
		expect(pricesWith({ operation })).toEqual([]);
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
