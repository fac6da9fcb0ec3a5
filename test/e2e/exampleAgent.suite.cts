// The example with n8n's own AI Agent: a scripted stand-in for the model calls the Seedance node as a tool.
import { randomUUID } from 'node:crypto';

import { ASPECT_RATIOS, DURATIONS, RESOLUTIONS } from '../../nodes/shared/task/models';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import { startChatModel, toolAnswers, type ChatModel, type ModelAnswer } from './chatModel.cjs';
import { importExample } from './examples.cjs';
import { runsOf } from './triggers.cjs';
import { world } from './world.cjs';

const TRIGGER = 'When chat message received';
const GENERATE = 'Generate video';

/** What a model fills in. */
const BOAT = {
	prompt: 'A paper boat on a pond',
	aspect_ratio: '21:9',
	resolution: '480p',
	duration: '12',
	generate_audio: true,
};
const makeBoat = { tool: 'Generate_video', args: BOAT };

export function exampleAgentSuite() {
	let model: ChatModel;
	let credentialId: string;
	let workflow: SavedWorkflow;

	/** Imports the example with the stand-in behind its model, and other Options where the test needs them. */
	async function importAgent(options?: { timeout: number }): Promise<SavedWorkflow> {
		const openAiApi = { id: credentialId, name: 'A stand-in' };
		return await importExample(
			'agent.json',
			{},
			{
				credentials: { 'OpenAI Chat Model': { openAiApi } },
				...(options && { changes: { [GENERATE]: { options } } }),
			},
		);
	}

	/** Writes in the editor's chat, and gives the execution that answers. */
	async function chat(
		chatInput: string,
		script: ModelAnswer[],
		{ agent = workflow, sessionId = String(randomUUID()) } = {},
	): Promise<{ said: unknown; answers: string[] }> {
		model.script.push(...script);
		const said = await world().api.chat(agent.id, TRIGGER, { chatInput, sessionId });
		for (const { status } of await runsOf(agent.id, 1)) expect(status).toBe('success');
		const last = model.requests.at(-1);
		return { said, answers: last ? toolAnswers(last) : [] };
	}

	const parsed = (answers: string[]) => answers.map((text): unknown => JSON.parse(text));

	beforeAll(async () => {
		model = await startChatModel();
		const { id } = await world().api.createCredential({
			name: 'A stand-in',
			type: 'openAiApi',
			data: { apiKey: 'none', url: model.baseUrl },
		});
		credentialId = id;
		workflow = await importAgent();
	});

	beforeEach(() => {
		model.script.length = 0;
		model.requests.length = 0;
	});

	afterEach(() => {
		expect(model.script).toEqual([]);
		expect(world().sandbox.ledger.doubleCharges()).toEqual([]);
	});

	afterAll(async () => await model.close());

	it('uses the version of the AI Agent that n8n gives to new ones', async () => {
		const types = await world().api.nodeTypes();
		for (const node of workflow.nodes) {
			if (!node.type.startsWith('@n8n/')) continue;
			const known = types.filter(({ name }) => name === node.type);
			const defaults = known.map(({ defaultVersion, version }) => defaultVersion ?? version);
			expect(defaults.flat()).toContain(node.typeVersion);
			expect(node.typeVersion).toBe(Math.max(...defaults.flat()));
		}
	});

	it('makes the video with the values that the model has chosen', async () => {
		const { sandbox } = world();
		const { said, answers } = await chat('A boat, please', [[makeBoat], 'Here it is.']);
		expect(said).toMatchObject({ output: 'Here it is.' });
		const [post, ...others] = sandbox.ledger.posts();
		expect(others).toEqual([]);
		expect(post.json).toEqual(BOAT);
		const [task] = sandbox.tasks.all();
		expect(parsed(answers)).toMatchObject([
			[{ task_id: task.id, succeeded: true, consumed_credits: 38, video_url: expect.anything() }],
		]);
	});

	it('tells the model what it may choose, in which units, and what it costs', async () => {
		await chat('Hello', ['Hello!']);
		const [{ tools }] = model.requests;
		expect(tools.map(({ name }) => name).sort()).toEqual([
			'Generate_video',
			'Get_cost_estimate',
			'Get_video_status',
		]);
		const described = (tool: string) => {
			const offer = tools.find(({ name }) => name === tool);
			const { properties = {}, required } = Object(offer?.parameters);
			const texts = Object.entries<{ description?: string }>(properties);
			return {
				...offer,
				required,
				fields: Object.fromEntries(
					texts.map(([name, { description = '' }]) => [name, description]),
				),
			};
		};
		const { description, required, fields } = described('Generate_video');
		expect(Object.keys(fields).sort()).toEqual(Object.keys(BOAT).sort());
		expect(required).toContain('prompt');
		for (const ratio of ASPECT_RATIOS) expect(fields.aspect_ratio).toContain(ratio);
		for (const word of RESOLUTIONS) expect(fields.resolution).toContain(word);
		expect(fields.duration).toMatch(new RegExp(`seconds.*${DURATIONS.join(', ')}`));
		expect(fields.prompt).toContain('2000 characters');
		expect(fields.generate_audio).toContain('twice the credits');
		expect(description).toMatch(/8 to 84 credits.*next_step/);
		expect(described('Get_video_status').fields).toEqual({
			task_id: expect.stringContaining('task_id'),
		});
		expect(described('Get_cost_estimate').description).toContain('Free');
	});

	it('offers a text for the model where a person writes the description of the tool', async () => {
		const types = await world().api.nodeTypes();
		const tool = types.find(({ name }) => name === 'n8n-nodes-seedance.seedanceTool');
		const text = tool?.properties.find(({ name }) => name === 'toolDescription')?.default;
		expect(text).toMatch(/costs credits.*1 to 2 minutes.*video_url.*next_step/);
	});

	it('pays once for a video that the model asks for twice', async () => {
		const { sandbox } = world();
		const { said, answers } = await chat('A boat, please', [
			[makeBoat],
			[makeBoat, makeBoat],
			'Here it is.',
		]);
		expect(said).toMatchObject({ output: 'Here it is.' });
		const [task, ...others] = sandbox.tasks.all();
		expect(others).toEqual([]);
		expect(parsed(answers)).toMatchObject(Array(3).fill([{ task_id: task.id, succeeded: true }]));
		expect(sandbox.ledger.posts()).toHaveLength(1);
		expect(sandbox.ledger.spent).toBe(38);
	});

	it('answers with a next step when the time is up, and the model gets the video later, without paying again', async () => {
		const { sandbox } = world();
		const agent = await importAgent({ timeout: 0.02 });
		sandbox.speed = 0.001;
		const sessionId = randomUUID();
		const late = await chat('A boat, please', [[makeBoat], 'It takes longer.'], {
			agent,
			sessionId,
		});
		expect(late.said).toMatchObject({ output: 'It takes longer.' });
		const [task] = sandbox.tasks.all();
		expect(parsed(late.answers)).toMatchObject([
			[
				{
					task_id: task.id,
					status: 'IN_PROGRESS',
					error_code: 'timeout',
					next_step: expect.stringMatching(/Do not generate again.*Get Status/),
				},
			],
		]);
		sandbox.finish(task.id);
		const look = { tool: 'Get_video_status', args: { task_id: task.id } };
		const found = await chat('And now?', [[look], 'There it is.'], { agent, sessionId });
		expect(parsed(found.answers).at(-1)).toMatchObject([{ task_id: task.id, succeeded: true }]);
		expect(sandbox.ledger.posts()).toHaveLength(1);
	});

	it('refuses a value that is not possible with one that is, and a video that is too dear, before it pays', async () => {
		const { sandbox } = world();
		const { answers } = await chat('Ten seconds, please', [
			[{ tool: 'Generate_video', args: { ...BOAT, duration: '10' } }],
			[{ tool: 'Generate_video', args: { ...BOAT, resolution: '720p' } }],
			'That does not work.',
		]);
		const [impossible, tooDear] = answers;
		expect(impossible).toMatch(/Duration.*4, 8, 12/);
		expect(tooDear).toMatch(/84 credits.*56/);
		expect(sandbox.ledger.posts()).toEqual([]);
	});

	it('tells the cost for nothing', async () => {
		const { sandbox } = world();
		const { prompt, aspect_ratio, ...args } = BOAT;
		const { answers } = await chat(`${prompt}, ${aspect_ratio}`, [
			[{ tool: 'Get_cost_estimate', args }],
			'38 credits.',
		]);
		expect(parsed(answers)).toMatchObject([[{ estimated_credits: 38 }]]);
		expect(sandbox.ledger.posts()).toEqual([]);
	});
}
