/**
 * The nodes in n8n's real editor, in a real browser: what a person finds, reads, clicks and gets. One n8n and one browser
 * serve all tests; each test has a tab of its own. With `--screenshots` the pictures of the README are renewed.
 */
import axios from 'axios';
import type { IDataObject, INode, INodeParameters } from 'n8n-workflow';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

import { creditsFor } from '../../nodes/shared/task/models';
import { FOLDER, HAND_BUILT, readWorkflow } from '../e2e/examples.cjs';
import FIELDS from '../fixtures/editor.json';
import {
	api,
	BY_HAND,
	CREDENTIAL_TYPE,
	n8n,
	NODE_TYPE,
	posts,
	sandbox,
	saveChain,
	saveCredential,
	saveTrigger,
	SEEDANCE,
	TRIGGER,
	until,
	useN8n,
	videos,
	WRONG_KEY,
	type Step,
} from '../support/n8n/world.cjs';
import { startBrowser, type Browser, type EditorTab } from './browser.cjs';

/** What a test that failed has shown. */
const FAILURES = join(__dirname, '../../.cache/editor-failures');

const STICKY_NOTE = 'n8n-nodes-base.stickyNote';
const PROMPT = 'A paper boat sails down a rainy street, camera close to the water';

const EDIT_FIELDS: Step = {
	name: 'Edit Fields',
	type: 'n8n-nodes-base.set',
	typeVersion: 3.4,
	parameters: {
		assignments: { assignments: [{ id: 'a1', name: 'link', value: '', type: 'string' }] },
	},
};

jest.setTimeout(60_000);
useN8n();

let browser: Browser | undefined;
beforeAll(async () => void (browser = await startBrowser(n8n)));
afterAll(async () => await browser?.close());

/** A test with a tab of its own; what the tab shows is kept when it fails. */
function inTab(behaviour: string, test: (tab: EditorTab) => Promise<void>): void {
	it(behaviour, async () => {
		if (!browser) throw new Error('There is no browser');
		const tab = await browser.newTab();
		try {
			await test(tab);
		} catch (error) {
			await tab.keepScreenshot(FAILURES, behaviour);
			throw error;
		} finally {
			await tab.close();
		}
	});
}

/** Opens Start → Seedance → Edit Fields. */
async function openWorkflow(
	tab: EditorTab,
	parameters: INodeParameters = {},
	node: Partial<INode> = {},
): Promise<void> {
	const fields = { resource: 'video', prompt: PROMPT, ...parameters };
	const step = { name: SEEDANCE, type: NODE_TYPE, parameters: fields, ...node };
	await tab.openWorkflow(await saveChain([BY_HAND, step, EDIT_FIELDS]));
}

/** Opens the Seedance node of such a workflow. */
async function openSeedance(...order: Parameters<typeof openWorkflow>): Promise<void> {
	await openWorkflow(...order);
	await order[0].openNode(SEEDANCE);
}

/** Waits until the screen shows this; otherwise shows the difference. */
async function expectSoon<T>(read: () => Promise<T>, wanted: T): Promise<void> {
	let shown: T | undefined;
	await until('the screen shows it', async () => {
		shown = await read();
		return JSON.stringify(shown) === JSON.stringify(wanted);
	}).catch(() => undefined);
	expect(shown).toEqual(wanted);
}

for (const text of ['seedance', 'video', 'text to video']) {
	inTab(`the node panel finds both nodes by "${text}"`, async (tab) => {
		expect(await tab.search(text)).toContain('Seedance');
		await tab.click(tab.listed('Seedance'));
		await tab.category('Triggers (2)').waitFor();
		await tab.category(/Actions \(\d\)/).waitFor();
	});
}

inTab('the node panel adds the trigger', async (tab) => {
	await tab.search('seedance');
	await tab.click(tab.listed('Seedance'));
	await tab.click(tab.listed('On video succeeded'));
	await tab.field('events').waitFor();
	expect(await tab.find('node-title-container').innerText()).toBe(TRIGGER);
	await tab.closeNode();
	expect(await tab.onCanvas(TRIGGER).innerText()).toContain('Video Succeeded');
});

inTab('a newcomer gets the first video after 6 clicks and 2 typed fields', async (tab) => {
	await tab.search('seedance');
	await tab.click(tab.listed('Seedance'));
	await tab.click(tab.category(/Actions \(\d\)/));
	await tab.click(tab.listed('Generate video and wait'));
	const prompt = tab.field('prompt');
	await tab.type(prompt.locator('textarea').or(prompt).last(), PROMPT);
	await tab.executeToEnd();
	await tab.output().getByText('1 item').waitFor();

	expect(tab.clicks).toBeLessThanOrEqual(6);
	expect(tab.typedFields).toBeLessThanOrEqual(2);
	expect(posts()).toMatchObject([{ json: { prompt: PROMPT } }]);
});

inTab('a run gives the item, the video to watch, and what to do next', async (tab) => {
	sandbox.videoBytes = null;
	await openSeedance(tab);
	await tab.executeToEnd();
	expect(await tab.hints()).toEqual([
		'This run used 28 credits. Build the next nodes with Execute step on each: that uses this output, without paying again.',
	]);

	await tab.click(tab.output().getByTestId('radio-button-json'));
	await tab.output().getByText(videos.ids()[0]).first().waitFor();
	await tab.click(tab.output().getByTestId('radio-button-binary'));
	await tab.click(tab.output().getByTestId('ndv-view-binary-data'));
	const video = tab.page.locator('video');
	await video.waitFor();
	await tab.page.waitForFunction('document.querySelector("video").readyState > 0');
	const [width, height] = await video.evaluate((element: object) =>
		['videoWidth', 'videoHeight'].map((name) => Number(Reflect.get(element, name))),
	);
	expect(width / height).toBeCloseTo(9 / 16, 1);
	await tab.picture('seedance-node', tab.fields(), tab.output());
});

inTab('a run is not paid again when a node after it is run', async (tab) => {
	await openSeedance(tab);
	await tab.executeToEnd();
	await tab.closeNode();
	await tab.openNode(EDIT_FIELDS.name);
	await tab.executeToEnd();
	expect(posts()).toHaveLength(1);
});

describe('the fields', () => {
	inTab('are those of the operation, in the order people think', async (tab) => {
		await openSeedance(tab);
		for (const [operation, fields] of Object.entries(FIELDS.byOperation)) {
			if (operation !== 'Generate and Wait') await tab.choose('operation', operation);
			await expectSoon(async () => await tab.fieldNames(), ['Resource', 'Operation', ...fields]);
		}
	});

	inTab('follow the choice of an image, a wait method and a download', async (tab) => {
		await openSeedance(tab);
		await tab.choose('imageSource', 'From URL');
		await tab.field('imageUrl').waitFor();
		await tab.choose('imageSource', 'From Input File');
		await tab.field('imageBinaryField').waitFor();
		await tab.field('imageUrl').waitFor({ state: 'hidden' });
		await tab.choose('waitMethod', 'Pause Until Callback');
		await tab.page.getByText('When the time is up, the items go on').waitFor();
		await tab.field('downloadVideo').waitFor({ state: 'hidden' });
	});

	inTab('offer exactly the values of the contract', async (tab) => {
		await openSeedance(tab);
		// n8n adds Custom API Call to every node with a credential.
		for (const [field, choices] of Object.entries(FIELDS.choices)) {
			expect(await tab.choicesOf(field)).toEqual(choices);
		}
	});

	inTab('tell the price before anything runs, and none where one is an expression', async (tab) => {
		const expectPrice = async (...credits: number[]) =>
			await expectSoon(
				async () => await tab.hints(),
				credits.map((count) => `Each video with these settings costs ${count} credits.`),
			);
		await openSeedance(tab);
		await expectPrice(creditsFor('720p', '8', false));
		await tab.choose('duration', '12 Seconds');
		await expectPrice(creditsFor('720p', '12', false));
		await tab.choose('resolution', '480p (Draft, Cheaper)');
		await expectPrice(creditsFor('480p', '12', false));
		await tab.click(tab.field('generateAudio'));
		await expectPrice(creditsFor('480p', '12', true));
		await tab.picture('seedance-price', tab.fields(), tab.output());
		await tab.choose('operation', 'Get Status');
		await expectPrice();
		await openSeedance(tab, { resolution: '={{ "480p" }}' });
		await expectPrice();
		expect(posts()).toEqual([]);
	});
});

inTab('the canvas shows what a node does, and no code', async (tab) => {
	await openWorkflow(tab, { duration: '12' });
	expect(await tab.onCanvas(SEEDANCE).innerText()).toContain('Generate and Wait · 720p 12s');
	await openWorkflow(tab, { duration: '={{ $json.seconds }}' });
	const text = await tab.onCanvas(SEEDANCE).innerText();
	expect(text).toContain('Generate and Wait · 720p');
	expect(text).not.toMatch(/json|[{}=]/);
});

inTab('the next node offers the fields of a video to map, before anything has run', async (tab) => {
	await openWorkflow(tab, { downloadVideo: false });
	await tab.openNode(EDIT_FIELDS.name);
	const field = tab.find('ndv-input-panel').locator('[data-name="video_url"]');
	const target = tab.find('assignment-value').first();
	await tab.drag(field, target);
	await target.getByText('$json.video_url').waitFor();
	await tab.picture('map-before-run', tab.find('ndv-input-panel'), tab.fields());
	expect(posts()).toEqual([]);
	await tab.executeToEnd();
	await tab.output().getByText(videos.ids()[0]).first().waitFor();
});

/** What a person chooses in the nodes of n8n: made up, because nothing runs here. */
const OTHER_ACCOUNTS: Record<string, { type: string; data: IDataObject } | undefined> = {
	'n8n-nodes-base.httpRequest': {
		type: 'httpHeaderAuth',
		data: { name: 'Authorization', value: 'Bearer made-up' },
	},
	'@n8n/n8n-nodes-langchain.lmChatOpenAi': { type: 'openAiApi', data: { apiKey: 'made-up' } },
};

for (const path of [...readdirSync(FOLDER).map((file) => join(FOLDER, file)), HAND_BUILT]) {
	const example = basename(path, '.json');
	inTab(`the canvas shows every node of ${example}, and what each does`, async (tab) => {
		const workflow = readWorkflow(path);
		for (const step of workflow.nodes) {
			const kind = OTHER_ACCOUNTS[step.type];
			const isOpen = step.type.endsWith('.httpRequest') && !step.parameters.genericAuthType;
			if (!kind || isOpen) continue;
			const { id, name } = await api.createCredential({ name: 'Account', ...kind });
			step.credentials = { [kind.type]: { id, name } };
		}
		await tab.openWorkflow((await api.createWorkflow(workflow)).id);
		await tab.click(tab.find('zoom-to-fit'));
		for (const { name, type } of workflow.nodes) {
			if (type !== STICKY_NOTE) await tab.onCanvas(name).waitFor();
		}
		const canvas = tab.find('canvas').first();
		expect(await canvas.innerText()).not.toMatch(/Install this node|unknown node|\{\{|=\$/i);
		await tab.picture(`example-${example}`, canvas);
	});
}

inTab('the credential is tested when it is saved: red with what to do, then green', async (tab) => {
	const { name } = Object(await saveCredential({}))[CREDENTIAL_TYPE];
	await tab.page.goto('/home/credentials');
	await tab.click(tab.page.getByText(name, { exact: true }));
	const key = tab.field('apiKey').locator('input').or(tab.field('apiKey')).last();
	await tab.type(key, WRONG_KEY);
	await tab.click(tab.find('credential-save-button'));
	const form = tab.find('credential-edit-dialog');
	await tab.click(form.getByText('More details'));
	await form.getByText('The API key was refused.').first().waitFor();

	await tab.type(key, sandbox.apiKey);
	await tab.click(tab.find('credential-save-button'));
	await tab.find('credentials-config-container-test-success').waitFor();
	expect(posts()).toEqual([]);
});

inTab('the trigger receives a test event while it listens', async (tab) => {
	const taskId = await videos.ready();
	await tab.openWorkflow((await saveTrigger({}, { isPublished: false })).id);
	await tab.openNode(TRIGGER);
	await tab.click(tab.page.getByText('Webhook URLs', { exact: true }));
	const url = await tab.page.locator('.webhook-url').filter({ visible: true }).innerText();
	expect(url).toMatch(/\/webhook-test\//);
	await tab.click(tab.find('trigger-execute-button').first());
	await tab.find('trigger-listening').waitFor();
	await axios.get(`${url.trim()}?task_id=${taskId}`, { proxy: false });
	await tab.output().getByText(taskId).first().waitFor();
	await tab.picture('seedance-trigger', tab.fields(), tab.output());
});

describe('an error says what to do and what it cost', () => {
	inTab('without credits', async (tab) => {
		sandbox.ledger.balance = 3;
		await openSeedance(tab);
		const [message, description] = await tab.executeToError();
		expect(message).toBe('Your Seedance account does not have enough credits.');
		expect(description).toMatch(/^Add credits at seedanceapi\.org\..* No credits were spent\.$/);
		await tab.picture('no-credits', tab.fields(), tab.output());
	});

	inTab('of wrong values, one per line, with foreign signs as they are', async (tab) => {
		await openSeedance(tab, {
			aspectRatio: '={{ "<b>wide</b>" }}',
			resolution: '={{ "4K & more" }}',
			duration: '={{ 7 }}',
		});
		const [message, description] = await tab.executeToError();
		expect(message).toBe('3 values cannot be used.');
		const lines = description.split('\n').filter(Boolean);
		expect(lines[0]).toMatch(/^Aspect Ratio "<b>wide<\/b>"/);
		expect(lines[1]).toMatch(/^Resolution "4K & more"/);
		expect(lines[2]).toMatch(/^Duration "7"/);
		expect(lines.at(-1)).toMatch(/No credits were spent\.$/);
		expect(posts()).toEqual([]);
	});
});
