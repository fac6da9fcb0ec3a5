/** The example workflows are whole, hold nothing private, say what they do, and use only fields that the nodes have. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeHelpers, type INode, type INodeProperties, type INodeType } from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import { creditsFor, DURATIONS, RESOLUTIONS } from '../../nodes/shared/task/models';
import { checkSettings } from '../../nodes/shared/task/request';
import type { WorkflowJson } from '../support/n8n/client.cjs';
import { readJson, ROOT } from './packed.cjs';

const FOLDER = join(ROOT, 'examples');
const STICKY_NOTE = 'n8n-nodes-base.stickyNote';
const OUR_NODES: Record<string, INodeType> = {
	'n8n-nodes-seedance.seedance': new Seedance(),
	// What n8n makes of it, for an AI agent.
	'n8n-nodes-seedance.seedanceTool': new Seedance(),
	'n8n-nodes-seedance.seedanceTrigger': new SeedanceTrigger(),
};

/** The fields that n8n itself gives to every tool. */
const TOOL_FIELDS = ['descriptionType', 'toolDescription'];

/** Where n8n's own nodes come from. */
const N8N_PACKAGES = /^(n8n-nodes-base|@n8n\/n8n-nodes-langchain)\./;

/** What an exported workflow may tell of the n8n that it comes from. */
const ALLOWED_KEYS = ['name', 'nodes', 'connections', 'pinData', 'settings'];

/** The canvas: a node's square with its name below it, and the dots that positions keep to. */
const NODE_SIZE = 96;
const NAME_HEIGHT = 48;
const GRID = 4;

interface Box {
	name: string;
	left: number;
	top: number;
	right: number;
	bottom: number;
}

function isWorkflow(value: unknown): value is WorkflowJson {
	return typeof value === 'object' && value !== null && 'nodes' in value && 'connections' in value;
}

function exampleOf(file: string): WorkflowJson {
	const workflow: unknown = readJson(join(FOLDER, file));
	if (!isWorkflow(workflow)) throw new Error(`${file} is not a workflow`);
	return workflow;
}

function boxOf({ name, type, position: [left, top], parameters }: INode): Box {
	const isNote = type === STICKY_NOTE;
	const width = isNote ? Number(parameters.width) : NODE_SIZE;
	const height = isNote ? Number(parameters.height) : NODE_SIZE + NAME_HEIGHT;
	return { name, left, top, right: left + width, bottom: top + height };
}

function overlap(a: Box, b: Box): boolean {
	return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Every text in the parameters, however deep. */
function textsIn(value: unknown): string[] {
	if (typeof value === 'string') return [value];
	return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function labelsIn(properties: readonly INodeProperties[]): string[] {
	return properties.flatMap(({ displayName, options = [] }) => [
		displayName,
		...options.flatMap((option) => ('displayName' in option ? [option.displayName] : [])),
	]);
}

/** The credits of a node's video; the least and the most where an expression chooses the settings. */
function pricesOf(parameters: INode['parameters']): number[] {
	const { resolution, duration, generateAudio } = parameters;
	if ([resolution, duration, generateAudio].some((value) => String(value).startsWith('='))) {
		const all = RESOLUTIONS.flatMap((sharpness) =>
			DURATIONS.flatMap((seconds) =>
				[false, true].map((audio) => creditsFor(sharpness, seconds, audio)),
			),
		);
		return [Math.min(...all), Math.max(...all)];
	}
	const settings = checkSettings(parameters);
	if (!settings.ok) throw new Error(settings.problems.join(' '));
	const { value } = settings;
	return [creditsFor(value.resolution, value.duration, value.generateAudio)];
}

const files = readdirSync(FOLDER).sort();

it('there are examples', () => {
	expect(files).toContain('text-to-video.json');
});

/** What the notes may set in bold. */
const FINDABLE = new Set([
	...files.map(exampleOf).flatMap(({ name, nodes }) => [name, ...nodes.map((node) => node.name)]),
	...Object.values(OUR_NODES).flatMap(({ description }) => labelsIn(description.properties)),
	new SeedanceApi().displayName,
	'Seedance Videos',
	...['Execute workflow', 'Publish', 'Production URL', 'Schedule Trigger', 'Limit Per Input Row'],
	// Options of the node's lists.
	...['Keep Checking'],
	// Stressed, not named.
	...['before', 'contains'],
]);

describe.each(files)('%s', (file) => {
	const source = readFileSync(join(FOLDER, file), 'utf8');
	const workflow = exampleOf(file);
	const { nodes, connections } = workflow;
	const notes = nodes.filter(({ type }) => type === STICKY_NOTE);
	const steps = nodes.filter(({ type }) => type !== STICKY_NOTE);
	const names = steps.map(({ name }) => name);
	const notesText = notes.map(({ parameters }) => String(parameters.content)).join('\n');
	const linksOf = (kind: 'flow' | 'sub-node') =>
		Object.entries(connections).flatMap(([from, outputs]) =>
			Object.entries(outputs)
				.filter(([type]) => (type === 'main') === (kind === 'flow'))
				.flatMap(([, targets]) => targets.flat())
				.flatMap((target) => (target ? [{ from, to: target.node }] : [])),
		);
	const links = linksOf('flow');
	/** From a model, a memory or a tool to its agent. */
	const subLinks = linksOf('sub-node');

	it('is a workflow with a name, nodes of different names and ids, and the current execution order', () => {
		expect(workflow.name).toMatch(/\S/);
		expect(new Set(nodes.map(({ name }) => name)).size).toBe(nodes.length);
		expect(new Set(nodes.map(({ id }) => id)).size).toBe(nodes.length);
		expect(workflow.settings).toEqual({ executionOrder: 'v1' });
	});

	it('is indented with tabs, as an export that people compare', () => {
		expect(source.startsWith('{\n\t"name"')).toBe(true);
		expect(source.endsWith('}\n')).toBe(true);
	});

	it('leads from its trigger to every node', () => {
		expect(
			[...links, ...subLinks].filter(
				({ from, to }) => !names.includes(from) || !names.includes(to),
			),
		).toEqual([]);
		const triggers = steps.filter(({ type }) => /trigger$/i.test(type));
		expect(triggers).toHaveLength(1);
		const reached = new Set(triggers.map(({ name }) => name));
		// A set that grows while it is walked through.
		for (const name of reached) {
			for (const { from, to } of links) if (from === name) reached.add(to);
			for (const { from, to } of subLinks) if (to === name) reached.add(from);
		}
		expect([...reached].sort()).toEqual([...names].sort());
	});

	it('speaks in its expressions of nodes that exist', () => {
		const named = textsIn(steps.map(({ parameters }) => parameters)).flatMap((text) =>
			[...text.matchAll(/\$\('([^']+)'\)/g)].map(([, name]) => name),
		);
		expect(named.filter((name) => !names.includes(name))).toEqual([]);
	});

	it('sets in bold in its notes what a reader can find: nodes, workflows, fields, words of n8n', () => {
		const bold = [...notesText.matchAll(/\*\*(.+?)\*\*/g)].map(([, words]) => words);
		expect(bold.filter((words) => !FINDABLE.has(words))).toEqual([]);
	});

	it.each(steps.filter(({ type }) => type in OUR_NODES))(
		'uses in "$name" only fields that the node shows, and leaves out none that it needs',
		(node) => {
			const { description } = OUR_NODES[node.type];
			const { properties } = description;
			const isTool = node.type.endsWith('Tool');
			const own = Object.fromEntries(
				Object.entries(node.parameters).filter(([name]) => !isTool || !TOOL_FIELDS.includes(name)),
			);
			const shown = NodeHelpers.getNodeParameters(properties, own, true, false, node, description);
			expect(shown).toEqual(expect.objectContaining(own));
			expect(NodeHelpers.getNodeParametersIssues(properties, node, description)).toBeNull();
			expect(node.typeVersion).toBe(description.version);
		},
	);

	it('uses no node but those of n8n and of this package', () => {
		const others = steps.filter(({ type }) => !(type in OUR_NODES) && !N8N_PACKAGES.test(type));
		expect(others).toEqual([]);
	});

	it('holds no credential, no data, no address of a webhook, and nothing of the n8n it was made in', () => {
		expect(Object.keys(workflow).filter((key) => !ALLOWED_KEYS.includes(key))).toEqual([]);
		expect(workflow.pinData ?? {}).toEqual({});
		for (const node of nodes) {
			expect(node.credentials).toBeUndefined();
			// n8n gives one to each import; one that is published would be the same for everybody.
			expect(node.webhookId).toBeUndefined();
		}
		expect(source).not.toMatch(
			/localhost|127\.0\.0\.1|\/home\/|\/Users\/|[A-Z]:\\\\|\bsk-|Bearer /,
		);
		expect(source).not.toMatch(/instanceId|https?:\/\//);
	});

	it('says in its notes what it does, how to set it up in order, and what it costs', () => {
		const [first] = notes;
		expect(first.parameters.content).toMatch(new RegExp(`^## ${workflow.name}\\n`));
		expect(notesText).toMatch(/^1\. .*\n2\. /m);
		expect(notesText).toMatch(/\bcosts?\b/i);
		expect(notesText).toContain('**Seedance API**');
	});

	it('gives the price of its videos as the price table does', () => {
		const paid = steps.filter(({ parameters }) =>
			String(parameters.operation).startsWith('generate'),
		);
		for (const price of paid.flatMap(({ parameters }) => pricesOf(parameters))) {
			expect(notesText).toContain(`${price} credits`);
		}
		if (!paid.length) expect(notesText).toContain('Nothing.');
	});

	it('lies tidily on the canvas: on the grid, from left to right, nothing over anything else', () => {
		const boxes = nodes.map(boxOf);
		const overlapping = boxes.flatMap((a, index) =>
			boxes.slice(index + 1).flatMap((b) => (overlap(a, b) ? [`${a.name} / ${b.name}`] : [])),
		);
		expect(overlapping).toEqual([]);
		expect(nodes.flatMap(({ position }) => position).filter((at) => at % GRID !== 0)).toEqual([]);
		const leftOf = new Map(boxes.map(({ name, left }) => [name, left]));
		const backwards = links.filter(
			({ from, to }) => (leftOf.get(from) ?? 0) >= (leftOf.get(to) ?? 0),
		);
		expect(backwards).toEqual([]);
	});
});
