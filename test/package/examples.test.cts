/** The example workflows are whole, hold nothing private, say what they do, and use only fields that the nodes have. */
import { NodeHelpers, type INode } from 'n8n-workflow';
import { creditsOf, DEFAULT_MODEL, pricesOf } from '../../nodes/shared/task/models';
import { checkSettings } from '../../nodes/shared/task/request';
import type { WorkflowJson } from '../support/n8n/client.cjs';
import { filesIn, read } from './packed.cjs';
import { LABELS, NODES } from './shown.cjs';

const [node, trigger] = NODES;
const OUR_NODES: Record<string, typeof node> = {
	'n8n-nodes-seedance.seedance': node,
	// What n8n makes of it, for an AI agent.
	'n8n-nodes-seedance.seedanceTool': node,
	'n8n-nodes-seedance.seedanceTrigger': trigger,
};
/** The fields that n8n itself gives to every tool. */
const TOOL_FIELDS = ['descriptionType', 'toolDescription'];
const N8N_PACKAGES = /^(n8n-nodes-base|@n8n\/n8n-nodes-langchain)\./;
const STICKY_NOTE = 'n8n-nodes-base.stickyNote';

/** The canvas: a node's square with its name below it, and the dots that positions keep to. */
const NODE_SIZE = 96;
const NAME_HEIGHT = 48;
const GRID = 4;

function boxOf({ name, type, position: [left, top], parameters }: INode) {
	const isNote = type === STICKY_NOTE;
	const width = isNote ? Number(parameters.width) : NODE_SIZE;
	const height = isNote ? Number(parameters.height) : NODE_SIZE + NAME_HEIGHT;
	return { name, left, top, right: left + width, bottom: top + height };
}
type Box = ReturnType<typeof boxOf>;
const overlap = (a: Box, b: Box) =>
	a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** The credits of a node's video; the least and the most where an expression chooses the settings. */
function costsOf(parameters: INode['parameters']): number[] {
	const { resolution, duration, generateAudio } = parameters;
	if ([resolution, duration, generateAudio].some((value) => String(value).startsWith('='))) {
		const prices = pricesOf(DEFAULT_MODEL);
		return [Math.min(...prices), Math.max(...prices)];
	}
	const settings = checkSettings(parameters);
	if (!settings.ok) throw new Error(settings.problems.join(' '));
	return [creditsOf(settings.value)];
}

const examples = filesIn('examples').map((file) => {
	const source = read(`examples/${file}`);
	const workflow: WorkflowJson = JSON.parse(source);
	return { file, source, workflow };
});

const WORDS: Record<string, string[]> = JSON.parse(read('test/fixtures/package/words.json'));
/** What the notes may set in bold. */
const FINDABLE = new Set([
	...examples.flatMap(({ workflow }) => [workflow, ...workflow.nodes].map(({ name }) => name)),
	...LABELS,
	...Object.values(WORDS).flat(),
]);

describe.each(examples)('$file', ({ source, workflow }) => {
	const { name: title, nodes, connections } = workflow;
	const notes = nodes.filter(({ type }) => type === STICKY_NOTE);
	const steps = nodes.filter(({ type }) => type !== STICKY_NOTE);
	const names = steps.map(({ name }) => name);
	const notesText = notes.map(({ parameters }) => String(parameters.content)).join('\n');
	/** All connections; those that are not `main` lead from a model, a memory or a tool to its agent. */
	const links = Object.entries(connections).flatMap(([from, outputs]) =>
		Object.entries(outputs).flatMap(([type, targets]) =>
			targets.flat().flatMap((target) => (target ? [{ from, to: target.node, type }] : [])),
		),
	);
	const flow = links.filter(({ type }) => type === 'main');

	it('is a workflow with a name, nodes of different names and ids, and the current execution order', () => {
		expect(title).toMatch(/\S/);
		for (const key of ['name', 'id'] as const) {
			expect(new Set(nodes.map((one) => one[key])).size).toBe(nodes.length);
		}
		expect(workflow.settings).toEqual({ executionOrder: 'v1' });
		// Indented with tabs, as an export that people compare.
		expect(source).toMatch(/^\{\n\t"name"[^]*\}\n$/);
	});

	/** Where the flow comes to from this node, with the node itself. */
	const reachedFrom = (start: string) => {
		const reached = new Set([start]);
		// A set that grows while it is walked through.
		for (const name of reached) {
			for (const { from, to } of flow) if (from === name) reached.add(to);
		}
		return reached;
	};

	it('leads from its trigger to every node', () => {
		const ends = links.flatMap(({ from, to }) => [from, to]);
		expect(ends.filter((name) => !names.includes(name))).toEqual([]);
		const triggers = steps.filter(({ type }) => /trigger$/i.test(type));
		expect(triggers).toHaveLength(1);
		const reached = reachedFrom(triggers[0].name);
		for (const name of reached) {
			for (const { from, to, type } of links) {
				if (type !== 'main' && to === name) reached.add(from);
			}
		}
		expect([...reached].sort()).toEqual([...names].sort());
	});

	it('names in its expressions nodes that exist, and in bold what a reader can find', () => {
		const expressions = JSON.stringify(steps.map(({ parameters }) => parameters));
		const named = [...expressions.matchAll(/\$\('([^']+)'\)/g)].map(([, name]) => name);
		expect(named.filter((name) => !names.includes(name))).toEqual([]);
		const bold = [...notesText.matchAll(/\*\*(.+?)\*\*/g)].flatMap(([, words]) =>
			words.split(' → '),
		);
		expect(bold.filter((words) => !FINDABLE.has(words))).toEqual([]);
	});

	// An error workflow has none.
	for (const step of steps.filter(({ type }) => type in OUR_NODES)) {
		it(`uses in "${step.name}" only fields that the node shows, and leaves out none that it needs`, () => {
			const description = OUR_NODES[step.type];
			const { properties, version } = description;
			const isTool = step.type.endsWith('Tool');
			const own = Object.fromEntries(
				Object.entries(step.parameters).filter(([name]) => !isTool || !TOOL_FIELDS.includes(name)),
			);
			const shown = NodeHelpers.getNodeParameters(properties, own, true, false, step, description);
			expect(shown).toEqual(expect.objectContaining(own));
			expect(NodeHelpers.getNodeParametersIssues(properties, step, description)).toBeNull();
			expect(step.typeVersion).toBe(version);
		});
	}

	it('holds nothing of the n8n it was made in: other nodes, credentials, data, webhooks, addresses', () => {
		const others = steps.filter(({ type }) => !(type in OUR_NODES) && !N8N_PACKAGES.test(type));
		expect(others).toEqual([]);
		const { pinData = {}, ...rest } = workflow;
		expect(pinData).toEqual({});
		expect(Object.keys(rest).sort()).toEqual(['connections', 'name', 'nodes', 'settings']);
		// n8n gives a webhook id to each import; one that is published would be the same for everybody.
		expect(nodes.filter((one) => one.credentials ?? one.webhookId)).toEqual([]);
		// The address under which YouTube shows every video belongs to no user.
		expect(source).not.toMatch(
			/localhost|127\.0\.0\.1|\/home\/|\/Users\/|[A-Z]:\\\\|\bsk-|Bearer |instanceId|https?:\/\/(?!youtu\.be\/)/,
		);
	});

	it('says in its notes what it does, how to set it up in order, and what it costs', () => {
		expect(notes[0].parameters.content).toMatch(new RegExp(`^## ${title}\\n`));
		expect(notesText).toMatch(/^1\. .*\n2\. /m);
		expect(notesText).toMatch(/\bcosts?\b/i);
		expect(notesText).toContain('**Seedance API**');
		const prices = steps
			.filter(({ parameters }) => String(parameters.operation).startsWith('generate'))
			.flatMap(({ parameters }) => costsOf(parameters));
		const stated = prices.length ? prices.map((price) => `${price} credits`) : ['Nothing.'];
		expect(stated.filter((text) => !notesText.includes(text))).toEqual([]);
	});

	it('lies tidily on the canvas: on the grid, nothing over anything else, from left to right but where it goes round', () => {
		const boxes = nodes.map(boxOf);
		const overlapping = boxes.flatMap((a, index) =>
			boxes.slice(index + 1).flatMap((b) => (overlap(a, b) ? [`${a.name} / ${b.name}`] : [])),
		);
		expect(overlapping).toEqual([]);
		expect(nodes.flatMap(({ position }) => position).filter((at) => at % GRID !== 0)).toEqual([]);
		const leftOf = Object.fromEntries(boxes.map(({ name, left }) => [name, left]));
		const backwards = flow.filter(({ from, to }) => leftOf[from] >= leftOf[to]);
		expect(backwards.filter(({ from, to }) => !reachedFrom(to).has(from))).toEqual([]);
	});
});
