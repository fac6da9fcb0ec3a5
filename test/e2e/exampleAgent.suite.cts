// The example with n8n's own AI Agent: a scripted stand-in for the model calls the Seedance node as a tool.
import { randomUUID } from 'node:crypto';
import type { INode } from 'n8n-workflow';

import { DEFAULT_MODEL } from '../../nodes/shared/task/models';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import { api, NODE_TYPE, posts, runsOf, sandbox, videos } from '../support/n8n/world.cjs';
import { startChatModel, toolOutputs, type ChatModel, type ModelReply } from './chatModel.cjs';
import { importExample } from './examples.cjs';

/** What a model fills in. */
const BOAT = {
	prompt: 'A paper boat on a pond',
	aspect_ratio: '21:9',
	resolution: '480p',
	duration: '12',
	generate_audio: true,
};
const makeBoat = (changes: object = {}) => ({
	tool: 'Generate_video',
	args: { ...BOAT, ...changes },
});

const parsed = (outputs: string[]) => outputs.map((text): unknown => JSON.parse(text));

describe('agent.json', () => {
	let model: ChatModel;
	let credentials: Record<string, INode['credentials']>;
	let workflow: SavedWorkflow;

	/** Writes in the editor's chat; gives what it shows then, and what the tools have answered to the model. */
	async function chat(
		chatInput: string,
		script: ModelReply[],
		{ agent = workflow, sessionId = String(randomUUID()) } = {},
	): Promise<{ said: unknown; outputs: string[] }> {
		model.script.push(...script);
		const said = await api.chat(agent.id, { chatInput, sessionId });
		for (const { status } of await runsOf(agent.id, 1)) expect(status).toBe('success');
		expect(model.script).toEqual([]);
		const last = model.requests.at(-1);
		return { said, outputs: last ? toolOutputs(last) : [] };
	}

	beforeAll(async () => {
		model = await startChatModel();
		const data = { apiKey: 'none', url: model.baseUrl };
		const stored = await api.createCredential({ name: 'A stand-in', type: 'openAiApi', data });
		credentials = { 'OpenAI Chat Model': { openAiApi: { id: stored.id, name: stored.name } } };
		workflow = await importExample('agent.json', {}, { credentials });
	});

	beforeEach(() => {
		model.script.length = 0;
		model.requests.length = 0;
	});

	afterEach(() => expect(sandbox.ledger.doubleCharges()).toEqual([]));

	afterAll(async () => await model.close());

	it('uses the version of the AI Agent that n8n gives to new ones', async () => {
		const types = await api.nodeTypes();
		for (const node of workflow.nodes.filter(({ type }) => type.startsWith('@n8n/'))) {
			const offered = types.filter(({ name }) => name === node.type);
			const defaults = offered.flatMap(({ defaultVersion, version }) => defaultVersion ?? version);
			expect(node.typeVersion).toBe(Math.max(...defaults));
		}
	});

	it('makes the video with the values that the model has chosen, once for three calls', async () => {
		const { said, outputs } = await chat('A boat, please', [
			[makeBoat()],
			[makeBoat(), makeBoat()],
			'Here it is.',
		]);
		expect(said).toMatchObject({ output: 'Here it is.' });
		expect(posts().map(({ json }) => json)).toEqual([BOAT]);
		const [{ id }] = sandbox.tasks.all();
		const made = { task_id: id, succeeded: true, consumed_credits: 38 };
		expect(parsed(outputs)).toMatchObject(
			Array(3).fill([{ ...made, video_url: expect.stringContaining('.mp4') }]),
		);
		expect(sandbox.ledger.spent).toBe(38);
	});

	it('tells the model what it may choose, in which units, and what it costs', async () => {
		await chat('Hello', ['Hello!']);
		const offered = model.requests[0].tools.map(({ function: tool }) => tool);
		const tools = new Map(offered.map((tool) => [tool.name, tool]));
		expect([...tools.keys()].sort()).toEqual([
			'Generate_video',
			'Get_cost_estimate',
			'Get_video_status',
		]);
		const fieldsOf = (tool: string): Record<string, string> =>
			Object.fromEntries(
				Object.entries(tools.get(tool)?.parameters.properties ?? {}).map(
					([name, { description = '' }]) => [name, description],
				),
			);
		const fields = fieldsOf('Generate_video');
		expect(Object.keys(fields).sort()).toEqual(Object.keys(BOAT).sort());
		expect(tools.get('Generate_video')?.parameters.required).toContain('prompt');
		for (const ratio of DEFAULT_MODEL.aspectRatios) expect(fields.aspect_ratio).toContain(ratio);
		for (const word of DEFAULT_MODEL.resolutions) expect(fields.resolution).toContain(word);
		expect(fields.duration).toMatch(new RegExp(`seconds.*${DEFAULT_MODEL.durations.join(', ')}`));
		expect(fields.prompt).toContain('2000 characters');
		expect(fields.generate_audio).toContain('twice the credits');
		expect(tools.get('Generate_video')?.description).toMatch(/8 to 84 credits.*next_step/);
		expect(fieldsOf('Get_video_status')).toEqual({
			task_id: expect.stringContaining('task_id'),
		});
		expect(tools.get('Get_cost_estimate')?.description).toContain('Free');
	});

	it('offers a text for the model where a person writes the description of the tool', async () => {
		const tool = (await api.nodeTypes()).find(({ name }) => name === `${NODE_TYPE}Tool`);
		const text = tool?.properties.find(({ name }) => name === 'toolDescription')?.default;
		expect(text).toMatch(/costs credits.*1 to 2 minutes.*video_url.*next_step/);
	});

	it('responds with a next step when the time is up, and the model gets the video later, without paying again', async () => {
		const changes = { 'Generate video': { options: { timeout: 0.02 } } };
		const agent = await importExample('agent.json', {}, { credentials, changes });
		const options = { agent, sessionId: randomUUID() };
		videos.hold();
		const late = await chat('A boat, please', [[makeBoat()], 'It takes longer.'], options);
		expect(late.said).toMatchObject({ output: 'It takes longer.' });
		const [{ id }] = sandbox.tasks.all();
		const next_step = expect.stringMatching(/Do not generate again.*Get Status/);
		expect(parsed(late.outputs)).toMatchObject([
			[{ task_id: id, status: 'IN_PROGRESS', error_code: 'timeout', next_step }],
		]);
		sandbox.finish(id);
		const read = { tool: 'Get_video_status', args: { task_id: id } };
		const found = await chat('And now?', [[read], 'There it is.'], options);
		expect(parsed(found.outputs).at(-1)).toMatchObject([{ task_id: id, succeeded: true }]);
		expect(posts()).toHaveLength(1);
	});

	it('refuses a value that is not possible with one that is, and a video that is too dear, and names the cost, before it pays', async () => {
		const { prompt, aspect_ratio, ...args } = BOAT;
		const { outputs } = await chat(`${prompt}, ${aspect_ratio}`, [
			[makeBoat({ duration: '10' })],
			[makeBoat({ resolution: '720p' })],
			[{ tool: 'Get_cost_estimate', args }],
			'38 credits.',
		]);
		expect(outputs).toEqual([
			expect.stringMatching(/Duration.*4, 8, 12/),
			expect.stringMatching(/84 credits.*56/),
			expect.stringContaining('"estimated_credits":38'),
		]);
		expect(posts()).toEqual([]);
	});
});
