/**
 * The nodes in n8n's real editor, in a real browser: what a person finds, sees, clicks and gets. One n8n and one browser
 * serve all tests; each test has a tab of its own. With `--screenshots` the pictures of the README are renewed.
 */
import axios from 'axios';
import type { IConnections, IDataObject, INode, INodeParameters } from 'n8n-workflow';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { creditsFor, ASPECT_RATIOS, DURATIONS, RESOLUTIONS } from '../../nodes/shared/task/models';

import {
	CREDENTIAL_TYPE,
	NODE_TYPE,
	startTask,
	startWorld,
	stopWorld,
	tidyWorld,
	world,
	WRONG_KEY,
} from '../e2e/world.cjs';
import { readWorkflow } from '../e2e/examples.cjs';
import { expectCleanBooks } from '../support/books.cjs';
import { startBrowser, type Person, type SignedIn } from './browser.cjs';

/** Milliseconds: the first start of n8n makes its database. */
const START_TIMEOUT = 240_000;
const FAILURES = join(__dirname, '../../.cache/editor-failures');

const TRIGGER_TYPE = 'n8n-nodes-seedance.seedanceTrigger';
const STICKY_NOTE = 'n8n-nodes-base.stickyNote';
const EXAMPLES = join(__dirname, '../../examples');
const HAND_BUILT = join(__dirname, '../comparison/hand-built.json');
const PROMPT = 'A paper boat sails down a rainy street, camera close to the water';

jest.setTimeout(60_000);

let browser: SignedIn | undefined;

beforeAll(async () => {
	await startWorld();
	browser = await startBrowser(world().n8n);
}, START_TIMEOUT);
afterAll(async () => {
	await browser?.close();
	await stopWorld();
}, 60_000);
beforeEach(tidyWorld);
afterEach(() => expectCleanBooks(world().sandbox));

/** A test with a tab of its own; what the tab shows is kept when it fails. */
function sees(what: string, test: (person: Person) => Promise<void>): void {
	it(what, async () => {
		if (!browser) throw new Error('There is no browser');
		const person = await browser.newPerson();
		try {
			await test(person);
		} catch (error) {
			await person.keepForStudy(FAILURES, what);
			throw error;
		} finally {
			await person.leave();
		}
	});
}

const node = (name: string, type: string, column: number, more: Partial<INode> = {}): INode => ({
	id: `node-${column}`,
	name,
	type,
	typeVersion: 1,
	position: [column * 220, 0],
	parameters: {},
	...more,
});

const account = () => ({
	credentials: {
		[CREDENTIAL_TYPE]: { id: world().credential.id, name: 'Seedance account' },
	},
});

const START = 'When clicking ‘Execute workflow’';
const EDIT_FIELDS: Partial<INode> = {
	typeVersion: 3.4,
	parameters: {
		assignments: { assignments: [{ id: 'a1', name: 'link', value: '', type: 'string' }] },
	},
};

/** Saves Start → Seedance → Edit Fields; gives its id. */
async function workflowWith(
	parameters: INodeParameters,
	more: Partial<INode> = {},
): Promise<string> {
	const to = (name: string) => ({ main: [[{ node: name, type: 'main' as const, index: 0 }]] });
	const connections: IConnections = { [START]: to('Seedance'), Seedance: to('Edit Fields') };
	const { id } = await world().api.createWorkflow({
		name: 'My first video',
		nodes: [
			node(START, 'n8n-nodes-base.manualTrigger', 0),
			node('Seedance', NODE_TYPE, 1, {
				...account(),
				parameters: { resource: 'video', ...parameters },
				...more,
			}),
			node('Edit Fields', 'n8n-nodes-base.set', 2, EDIT_FIELDS),
		],
		connections,
		settings: { executionOrder: 'v1' },
	});
	return id;
}

/** Opens the Seedance node of a workflow that was made for it. */
async function openSeedance(person: Person, parameters: INodeParameters = {}): Promise<void> {
	await person.openWorkflow(await workflowWith({ prompt: PROMPT, ...parameters }));
	await person.openNode('Seedance');
}

describe('the node panel', () => {
	for (const text of ['seedance', 'video', 'text to video']) {
		sees(`finds both nodes by "${text}"`, async (person) => {
			await person.openNewWorkflow();
			await person.openNodePanel();
			expect(await person.search(text)).toContain('Seedance');
			await person.click(person.listed('Seedance'));
			await person.category('Triggers (2)').waitFor();
			await person.category('Actions (5)').waitFor();
		});
	}

	sees('adds the trigger', async (person) => {
		await person.openNewWorkflow();
		await person.openNodePanel();
		await person.search('seedance');
		await person.click(person.listed('Seedance'));
		await person.click(person.listed('On video succeeded'));
		await person.field('events').waitFor();
		expect(await person.seen('node-title-container').innerText()).toBe('Seedance Trigger');
		await person.closeNode();
		expect(await person.onCanvas('Seedance Trigger').innerText()).toContain('Video Succeeded');
	});
});

sees('gives a newcomer the first video after 6 clicks and 2 typed fields', async (person) => {
	const { sandbox } = world();
	sandbox.videoBytes = null;
	await person.openNewWorkflow();
	await person.openNodePanel();
	await person.search('seedance');
	await person.click(person.listed('Seedance'));
	await person.click(person.category('Actions (5)'));
	await person.click(person.listed('Generate video and wait'));
	await person.type(
		person.field('prompt').locator('textarea').or(person.field('prompt')).last(),
		PROMPT,
	);
	await person.executeToEnd();
	await person.output().getByText('1 item').waitFor();

	expect(person.clicks).toBeLessThanOrEqual(6);
	expect(person.typedFields).toBeLessThanOrEqual(2);
	const [{ body }, ...others] = sandbox.ledger.posts();
	expect(JSON.parse(body)).toMatchObject({ prompt: PROMPT });
	expect(others).toEqual([]);
});

describe('Generate and Wait', () => {
	sees('gives the item, the video to look at, and what to do next', async (person) => {
		const { sandbox } = world();
		sandbox.videoBytes = null;
		await openSeedance(person);
		await person.executeToEnd();
		const [{ id }] = sandbox.tasks.all();
		expect(await person.hints()).toEqual([
			'This run used 28 credits. Build the next nodes with Execute step on each: that uses this output, without paying again.',
		]);

		await person.click(person.output().getByTestId('radio-button-json'));
		await person.output().getByText(id).first().waitFor();
		await person.click(person.output().getByTestId('radio-button-binary'));
		await person.click(person.output().getByTestId('ndv-view-binary-data'));
		const video = person.page.locator('video');
		await video.waitFor();
		await person.page.waitForFunction('document.querySelector("video").readyState > 0');
		const [width, height] = await video.evaluate((element: object) =>
			['videoWidth', 'videoHeight'].map((name) => Number(Reflect.get(element, name))),
		);
		expect(width / height).toBeCloseTo(9 / 16, 1);
		await person.picture('seedance-node', person.fields(), person.output());
	});

	sees('is not paid again when a node after it is run', async (person) => {
		const { sandbox } = world();
		await openSeedance(person);
		await person.executeToEnd();
		await person.closeNode();
		await person.openNode('Edit Fields');
		await person.executeToEnd();
		expect(sandbox.ledger.posts()).toHaveLength(1);
	});
});

describe('the fields', () => {
	const VIDEO = [
		'Prompt',
		'Image',
		'Aspect Ratio',
		'Resolution',
		'Duration',
		'Generate Audio',
		'Fixed Lens',
	];
	const DOWNLOAD = ['Download Video', 'Output Data Field Name'];
	const BY_OPERATION: Record<string, string[]> = {
		'Generate and Wait': [...VIDEO, 'Wait Method', ...DOWNLOAD, 'Simplify', 'Options'],
		'Generate Without Waiting': [
			...VIDEO,
			'Callback URL',
			'Callback Metadata',
			'Simplify',
			'Options',
		],
		'Get Cost Estimate': ['Resolution', 'Duration', 'Generate Audio'],
		'Get Status': ['Task ID', 'Download Video', 'Simplify', 'Options'],
		'Wait for Video': ['Task ID', ...DOWNLOAD, 'Simplify', 'Options'],
	};

	sees('are those of the operation, in the order people think', async (person) => {
		await openSeedance(person);
		for (const [operation, fields] of Object.entries(BY_OPERATION)) {
			if (operation !== 'Generate and Wait') await person.choose('operation', operation);
			await expectSoon(async () => await person.fieldNames(), ['Resource', 'Operation', ...fields]);
		}
	});

	sees('follow the choice of an image, a wait method and a download', async (person) => {
		await openSeedance(person);
		await person.choose('imageSource', 'From URL');
		await person.field('imageUrl').waitFor();
		await person.choose('imageSource', 'From Input File');
		await person.field('imageBinaryField').waitFor();
		await person.field('imageUrl').waitFor({ state: 'hidden' });
		await person.choose('waitMethod', 'Pause Until Callback');
		await person.page.getByText('When the time is up, the items go on').waitFor();
		await person.field('downloadVideo').waitFor({ state: 'hidden' });
	});

	sees('offer exactly the values of the contract', async (person) => {
		await openSeedance(person);
		const firstWords = async (name: string) =>
			(await person.choicesOf(name)).map((text) => text.split(' ')[0]);
		expect(await firstWords('aspectRatio')).toEqual([...ASPECT_RATIOS]);
		expect(await firstWords('resolution')).toEqual([...RESOLUTIONS]);
		expect(await firstWords('duration')).toEqual([...DURATIONS]);

		expect(await person.choicesOf('aspectRatio')).toEqual([
			'9:16 (Vertical: TikTok, Reels, Shorts)',
			'16:9 (Landscape: YouTube)',
			'1:1 (Square)',
			'3:4 (Portrait)',
			'4:3',
			'21:9 (Wide)',
			'9:21 (Tall)',
		]);
		expect(await person.choicesOf('resolution')).toEqual(['720p', '480p (Draft, Cheaper)']);
		expect(await person.choicesOf('duration')).toEqual(['4 Seconds', '8 Seconds', '12 Seconds']);
		expect(await person.choicesOf('imageSource')).toEqual(['None', 'From URL', 'From Input File']);
		expect(await person.choicesOf('waitMethod')).toEqual(['Keep Checking', 'Pause Until Callback']);
		// n8n adds the last one to every node with a credential.
		expect(await person.choicesOf('operation')).toEqual([
			...Object.keys(BY_OPERATION),
			'Custom API Call',
		]);
		expect(await person.choicesOf('resource')).toEqual(['Video', 'Custom API Call']);
	});

	sees(
		'tell the price before anything runs, and none where a setting is an expression',
		async (person) => {
			const price = (credits: number) => [
				`Each video with these settings costs ${credits} credits.`,
			];
			const texts = async () => await person.hints();
			await openSeedance(person);
			await expectSoon(texts, price(creditsFor('720p', '8', false)));
			await person.choose('duration', '12 Seconds');
			await expectSoon(texts, price(creditsFor('720p', '12', false)));
			await person.choose('resolution', '480p (Draft, Cheaper)');
			await expectSoon(texts, price(creditsFor('480p', '12', false)));
			await person.click(person.field('generateAudio'));
			await expectSoon(texts, price(creditsFor('480p', '12', true)));
			await person.picture('seedance-price', person.fields(), person.output());
			await person.choose('operation', 'Get Status');
			await expectSoon(texts, []);

			await openSeedance(person, { resolution: '={{ "480p" }}' });
			await expectSoon(texts, []);
			expect(world().sandbox.ledger.posts()).toEqual([]);
		},
	);
});

sees('a node on the canvas with what it does, and no code', async (person) => {
	await person.openWorkflow(await workflowWith({ prompt: PROMPT, duration: '12' }));
	expect(await person.onCanvas('Seedance').innerText()).toContain('Generate and Wait · 720p 12s');
	await person.openWorkflow(
		await workflowWith({ prompt: PROMPT, duration: '={{ $json.seconds }}' }),
	);
	const text = await person.onCanvas('Seedance').innerText();
	expect(text).toContain('Generate and Wait · 720p');
	expect(text).not.toMatch(/json|[{}=]/);
});

sees('the fields of a video to map in the next node, before anything has run', async (person) => {
	const { sandbox } = world();
	await person.openWorkflow(await workflowWith({ prompt: PROMPT, downloadVideo: false }));
	await person.openNode('Edit Fields');
	const field = person.seen('ndv-input-panel').locator('[data-name="video_url"]');
	const target = person.seen('assignment-value').first();
	await person.drag(field, target);
	await target.getByText('$json.video_url').waitFor();
	await person.picture('map-before-run', person.seen('ndv-input-panel'), person.fields());
	expect(sandbox.ledger.posts()).toEqual([]);

	await person.executeToEnd();
	const [{ id }] = sandbox.tasks.all();
	await person.output().getByText(id).first().waitFor();
});

describe('an example', () => {
	/** What a person chooses in the nodes of n8n: made up, because nothing runs here. */
	const OTHER_ACCOUNTS: Record<string, { type: string; data: IDataObject } | undefined> = {
		'n8n-nodes-base.httpRequest': {
			type: 'httpHeaderAuth',
			data: { name: 'Authorization', value: 'Bearer made-up' },
		},
		'@n8n/n8n-nodes-langchain.lmChatOpenAi': { type: 'openAiApi', data: { apiKey: 'made-up' } },
	};
	const needsAccount = ({ type, parameters }: INode) =>
		!type.endsWith('.httpRequest') || parameters.genericAuthType !== undefined;
	const shows = (what: string, path: string) =>
		sees(`shows every node of ${what}, and what each does`, async (person) => {
			const { api } = world();
			const workflow = readWorkflow(path);
			for (const step of workflow.nodes) {
				const kind = OTHER_ACCOUNTS[step.type];
				if (!kind || !needsAccount(step)) continue;
				const { id, name } = await api.createCredential({ name: 'Account', ...kind });
				step.credentials = { [kind.type]: { id, name } };
			}
			const { id } = await api.createWorkflow(workflow);
			await person.openWorkflow(id);
			await person.showWhole();
			for (const { name, type } of workflow.nodes) {
				if (type !== STICKY_NOTE) await person.onCanvas(name).waitFor();
			}
			const shown = await person.canvas().innerText();
			expect(shown).not.toMatch(/Install this node|unknown node|\{\{|=\$/i);
			await person.picture(`example-${what}`, person.canvas());
		});

	for (const file of readdirSync(EXAMPLES)) shows(file.replace('.json', ''), join(EXAMPLES, file));
	shows('hand-built', HAND_BUILT);
});

describe('the credential', () => {
	sees('is tested when it is saved: red with what to do, then green', async (person) => {
		const { api, sandbox } = world();
		const name = 'Another account';
		const { id } = await api.createCredential({
			name,
			type: CREDENTIAL_TYPE,
			data: { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl },
		});
		try {
			await person.page.goto('/home/credentials');
			await person.click(person.page.getByText(name, { exact: true }));
			const form = person.seen('credential-edit-dialog');
			const key = person.field('apiKey').locator('input').or(person.field('apiKey')).last();
			await person.type(key, WRONG_KEY);
			await person.click(person.seen('credential-save-button'));
			await person.click(form.getByText('More details'));
			await form.getByText('The API key was refused.').first().waitFor();

			await person.type(key, sandbox.apiKey);
			await person.click(person.seen('credential-save-button'));
			await person.seen('credentials-config-container-test-success').waitFor();
			expect(sandbox.ledger.posts()).toEqual([]);
		} finally {
			await api.deleteCredential(id);
		}
	});
});

describe('the trigger', () => {
	sees('receives a test event while it listens', async (person) => {
		const { api } = world();
		const taskId = await startTask();
		world().sandbox.finish(taskId);
		const { id } = await api.createWorkflow({
			name: 'When a video is ready',
			nodes: [
				node('Seedance Trigger', TRIGGER_TYPE, 0, { ...account(), webhookId: 'editor-test' }),
			],
			connections: {},
			settings: { executionOrder: 'v1' },
		});
		await person.openWorkflow(id);
		await person.openNode('Seedance Trigger');
		await person.click(person.page.getByText('Webhook URLs', { exact: true }));
		const url = await person.page.locator('.webhook-url').filter({ visible: true }).innerText();
		expect(url).toMatch(/\/webhook-test\//);
		await person.click(person.seen('trigger-execute-button').first());
		await person.seen('trigger-listening').waitFor();

		await axios.get(`${url.trim()}?task_id=${taskId}`, { proxy: false });
		await person.output().getByText(taskId).first().waitFor();
		await person.picture('seedance-trigger', person.fields(), person.output());
	});
});

describe('an error', () => {
	const errorOf = async (person: Person) => {
		const message = person.output().getByTestId('node-error-message');
		await message.waitFor({ timeout: 30_000 });
		const description = person.output().getByTestId('node-error-description');
		return `${await message.innerText()} | ${await description.innerText()}`;
	};

	sees('without credits: what to do, and that nothing was spent', async (person) => {
		world().sandbox.ledger.balance = 3;
		await openSeedance(person);
		await person.execute();
		expect(await errorOf(person)).toMatch(
			/^Your Seedance account does not have enough credits\. \| Add credits at seedanceapi\.org\..* No credits were spent\.$/,
		);
		await person.picture('no-credits', person.fields(), person.output());
	});

	sees('with a wrong key: which one it takes, and that nothing was spent', async (person) => {
		const { api, sandbox } = world();
		const { id } = await api.createCredential({
			name: 'Wrong account',
			type: CREDENTIAL_TYPE,
			data: { apiKey: WRONG_KEY, baseUrl: sandbox.baseUrl },
		});
		const credentials = { [CREDENTIAL_TYPE]: { id, name: 'Wrong account' } };
		await person.openWorkflow(await workflowWith({ prompt: PROMPT }, { credentials }));
		await person.openNode('Seedance');
		await person.execute();
		expect(await errorOf(person)).toMatch(
			/^The API key was refused\..* \| .*credential.*No credits were spent\.$/,
		);
		expect(sandbox.ledger.spent).toBe(0);
	});

	sees('of a server that is down: where it looked, and that nothing was spent', async (person) => {
		const { sandbox } = world();
		await openSeedance(person);
		await sandbox.goDown();
		try {
			await person.execute();
			expect(await errorOf(person)).toMatch(
				/could not be reached.* \| .*base URL.*No credits were spent\.$/i,
			);
		} finally {
			await sandbox.comeBack();
		}
		expect(sandbox.ledger.posts()).toEqual([]);
	});

	sees('of a failed video: its reason, its task, what to do and what it cost', async (person) => {
		await openSeedance(person, { prompt: '[fail] A boat' });
		await person.execute();
		const text = await errorOf(person);
		const [{ id }] = world().sandbox.tasks.all();
		expect(text).toMatch(/^The video could not be generated \(task \S+\): .+ \| Change the prompt/);
		expect(text).toContain(`Task ID: ${id}.`);
		expect(text).toMatch(/No credits were spent\.$/);
	});
});

describe('a run that is refused', () => {
	sees('has one problem per line, with foreign signs as they are', async (person) => {
		await openSeedance(person, {
			prompt: 'A boat',
			aspectRatio: '={{ "<b>wide</b>" }}',
			resolution: '={{ "4K & more" }}',
			duration: '={{ 7 }}',
		});
		await person.execute();
		const message = person.output().getByTestId('node-error-message');
		await message.waitFor({ timeout: 30_000 });
		expect(await message.innerText()).toBe('3 values cannot be used.');
		const description = await person.output().getByTestId('node-error-description').innerText();
		const lines = description.split('\n').filter(Boolean);
		expect(lines[0]).toMatch(/^Aspect Ratio "<b>wide<\/b>"/);
		expect(lines[1]).toMatch(/^Resolution "4K & more"/);
		expect(lines[2]).toMatch(/^Duration "7"/);
		expect(lines.at(-1)).toMatch(/No credits were spent\.$/);
		expect(world().sandbox.ledger.posts()).toEqual([]);
	});

	sees('by Maximum Credits per Run says so above an output that looks good', async (person) => {
		await person.openWorkflow(
			await workflowWith(
				{ prompt: PROMPT, options: { maxCredits: 5 } },
				{ onError: 'continueErrorOutput' },
			),
		);
		await person.openNode('Seedance');
		await person.execute();
		await expectSoon(
			async () => (await person.hints()).some((hint) => hint.includes('Maximum Credits per Run')),
			true,
		);
		expect(world().sandbox.ledger.posts()).toEqual([]);
	});
});

/** Looks until the screen shows this, then compares, so that a difference is told. */
async function expectSoon<T>(look: () => Promise<T>, wanted: T): Promise<void> {
	const end = Date.now() + 10_000;
	let seen = await look();
	while (JSON.stringify(seen) !== JSON.stringify(wanted) && Date.now() < end) {
		await new Promise((done) => setTimeout(done, 50));
		seen = await look();
	}
	expect(seen).toEqual(wanted);
}
