/**
 * The nodes in n8n's real editor, in a real browser: what a person finds, reads, clicks and gets. One n8n and one browser
 * serve all tests; each test has a tab of its own. With `--screenshots` the pictures of the README are renewed.
 */
import axios from 'axios';
import type { IDataObject, INode, INodeParameters } from 'n8n-workflow';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

import { dropdownNotice } from '../../nodes/Seedance/description/toolFields';
import { DEFAULT_MODEL, MODELS, usualTimeOf } from '../../nodes/shared/task/models';
import { FOLDER, HAND_BUILT, readWorkflow } from '../e2e/examples.cjs';
import FIELDS from '../fixtures/editor.json';
import { creditsFor } from '../support/prices';
import {
	api,
	BY_HAND,
	CREDENTIAL_TYPE,
	endOf,
	NODE_TYPE,
	posts,
	run,
	sandbox,
	saveChain,
	saveCredential,
	saveTrigger,
	SEEDANCE,
	startWorkflow,
	TRIGGER,
	until,
	useN8n,
	videos,
	WRONG_KEY,
	type Step,
} from '../support/n8n/world.cjs';
import { RUN_PATIENCE, useBrowser, type EditorTab } from './browser.cjs';

const PIXEL = join(__dirname, '../fixtures/pixel.png');

const STICKY_NOTE = 'n8n-nodes-base.stickyNote';
const PROMPT = 'A paper boat sails down a rainy street, camera close to the water';

const USED =
	'This run used 28 credits. Run it again as often as you like while you build: the same settings give the same video, free, for 24 hours.';

const EDIT_FIELDS: Step = {
	name: 'Edit Fields',
	type: 'n8n-nodes-base.set',
	typeVersion: 3.4,
	parameters: {
		assignments: { assignments: [{ id: 'a1', name: 'link', value: '', type: 'string' }] },
	},
};

const AGENT: Step = {
	name: 'Agent',
	type: '@n8n/n8n-nodes-langchain.agent',
	typeVersion: 3,
};

jest.setTimeout(120_000);
useN8n();
const inTab = useBrowser();

/** Opens Start → Seedance → Edit Fields; gives its ID. */
async function openWorkflow(
	tab: EditorTab,
	parameters: INodeParameters = {},
	node: Partial<INode> = {},
): Promise<string> {
	const fields = { resource: 'video', prompt: PROMPT, ...parameters };
	const step = { name: SEEDANCE, type: NODE_TYPE, parameters: fields, ...node };
	const id = await saveChain([BY_HAND, step, EDIT_FIELDS]);
	await tab.openWorkflow(id);
	return id;
}

async function openSeedance(...order: Parameters<typeof openWorkflow>): Promise<string> {
	const id = await openWorkflow(...order);
	await order[0].openNode(SEEDANCE);
	return id;
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

/** The hint beside the settings of a model. */
const costAndTime = (credits: number, model = DEFAULT_MODEL) =>
	`Each video with these settings costs ${credits} credits and usually takes ${usualTimeOf(model)}.`;

for (const text of ['seedance', 'video', 'text to video']) {
	inTab(`the node panel finds both nodes by "${text}"`, async (tab) => {
		expect(await tab.search(text)).toContain('Seedance');
		await tab.click(tab.listed('Seedance'));
		await tab.category('Triggers (2)').waitFor();
		await tab.category(/Actions \(\d\)/).waitFor();
	});
}

// n8n shows the description of one of them as that of the package.
inTab('the headline of the package fits both nodes', async (tab) => {
	await tab.search('seedance');
	const entry = tab.find('item-iterator-item').filter({ has: tab.listed('Seedance') });
	expect(await entry.first().innerText()).toContain('AI videos');
});

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
	expect((await tab.hints()).at(-1)).toBe(USED);

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
	await tab.picture('seedance-node', [tab.fields(), tab.output()], tab.field('resolution'));
});

inTab('a run is not paid again when a node after it is run', async (tab) => {
	await openSeedance(tab);
	await tab.executeToEnd();
	await tab.closeNode();
	await tab.openNode(EDIT_FIELDS.name);
	await tab.executeToEnd();
	await tab.output().getByText('1 item').waitFor();
	expect(posts()).toHaveLength(1);
});

describe('the fields', () => {
	inTab('are those of the operation, in the order people think', async (tab) => {
		await openSeedance(tab);
		for (const [operation, fields] of Object.entries(FIELDS.byOperation)) {
			if (operation !== 'Generate and Wait') await tab.choose('operation', operation);
			await expectSoon(async () => await tab.fieldNames(), ['Operation', ...fields]);
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
		await tab.page.getByText('The videos are not downloaded here').waitFor();
		await tab.field('downloadVideo').waitFor({ state: 'hidden' });
	});

	inTab('offer exactly the values of the contract', async (tab) => {
		await openSeedance(tab);
		// n8n adds Custom API Call to every node with a credential.
		for (const [field, choices] of Object.entries(FIELDS.choices)) {
			expect(await tab.choicesOf(field)).toEqual(choices);
		}
	});

	inTab(
		'show the price before anything runs, and a range where one is an expression',
		async (tab) => {
			const expectPrice = async (...credits: number[]) =>
				await expectSoon(
					async () => await tab.hints(),
					credits.map((count) => costAndTime(count)),
				);
			await openSeedance(tab);
			await expectPrice(creditsFor('720p', 8, false));
			await tab.choose('duration', '12 Seconds');
			await expectPrice(creditsFor('720p', 12, false));
			await tab.choose('resolution', '480p (Draft, Cheaper)');
			await expectPrice(creditsFor('480p', 12, false));
			await tab.click(tab.field('generateAudio'));
			await expectPrice(creditsFor('480p', 12, true));
			await tab.scrollTo('aspectRatio');
			const last = tab.fields().getByText('Costs about twice the credits');
			await tab.picture('seedance-price', [tab.fields(), tab.output()], last);
			await tab.choose('operation', 'Get Status');
			await expectPrice();
			await openSeedance(tab, { resolution: '={{ "480p" }}' });
			await expectSoon(
				async () => await tab.hints(),
				[
					'Depending on the expressions, each video costs 14 to 28 credits and usually takes 1 to 2 minutes.',
				],
			);
			expect(posts()).toEqual([]);
		},
	);
});

describe('the model', () => {
	/** Such that each model comes after each other one. */
	const TOUR = [0, 1, 0, 2, 0, 3, 1, 2, 1, 3, 2, 3, 0].map((index) => MODELS[index]);

	type Shown = Record<string, string | boolean | undefined>;
	const FIELD_NAMES = [...new Set(Object.values(FIELDS.leftOver).flatMap(Object.keys))];

	const shownIn = async (tab: EditorTab): Promise<Shown> => {
		const shown: Shown = {};
		for (const name of FIELD_NAMES) shown[name] = await tab.shown(name);
		return shown;
	};

	async function fillIn(tab: EditorTab, values: Shown): Promise<void> {
		for (const [name, value] of Object.entries(values)) {
			if ((await tab.shown(name)) === value) continue;
			if (typeof value === 'boolean') await tab.click(tab.field(name));
			else if (name === 'referenceVideos')
				await tab.type(tab.field(name).locator('input'), String(value));
			else await tab.choose(name, String(value));
		}
	}

	/** `15 Seconds` is 15, `21:9 (Wide)` is 21:9. */
	const valueOf = (text: Shown[string]) => text && String(text).split(' ')[0];

	/** The body of a request for what the editor shows. */
	function bodyOf(model: string, shown: Shown): IDataObject {
		const isV1 = model === 'seedance-v1';
		const body = {
			model: isV1 ? undefined : model,
			prompt: PROMPT,
			aspect_ratio: valueOf(shown.aspectRatio),
			resolution: valueOf(shown.resolution),
			duration: isV1 ? valueOf(shown.duration) : Number(valueOf(shown.duration)),
			generate_audio: shown.generateAudio || undefined,
			fixed_lens: shown.fixedLens || undefined,
			public: shown.public,
			reference_video_urls: shown.referenceVideos ? [shown.referenceVideos] : undefined,
		};
		return JSON.parse(JSON.stringify(body));
	}

	inTab(
		'all 12 switches leave values that it takes, no red mark, and a body and a price that are those shown',
		async (tab) => {
			const options = { videoList: false };
			const id = await openSeedance(tab, { operation: 'generate', options });
			for (const [index, { value }] of TOUR.slice(0, -1).entries()) {
				await fillIn(tab, FIELDS.leftOver[value as keyof typeof FIELDS.leftOver]);
				const before = await shownIn(tab);
				const model = TOUR[index + 1];
				await tab.choose('model', model.label);

				const choices: Array<[string, readonly unknown[], unknown]> = [
					['aspectRatio', model.aspectRatios, '9:16'],
					['resolution', model.resolutions, '720p'],
					['duration', model.durations.map(String), String(model.defaultDuration)],
				];
				const left = choices.map(([name, values, usual]) => {
					const value = valueOf(before[name]);
					return values.length ? (values.includes(value) ? value : usual) : undefined;
				});
				const shown = async () => await shownIn(tab);
				await expectSoon(
					async () => {
						const now = await shown();
						return choices.map(([name]) => valueOf(now[name]) ?? null);
					},
					left.map((value) => value ?? null),
				);
				expect(await tab.redMarks()).toEqual([]);
				const names = await tab.fieldNames();
				expect(names).toEqual([...new Set(names)]);

				await until('n8n has saved it', async () => {
					const { nodes } = await api.getWorkflow(id);
					const { parameters } = nodes.find(({ name }) => name === SEEDANCE) ?? {};
					return (parameters?.model ?? MODELS[0].value) === model.value;
				});
				const hints = await tab.hints();
				await endOf(await startWorkflow(id));
				const [post] = posts().slice(index);
				expect(post).toMatchObject({ accepted: true, json: {} });
				expect(post.json).toEqual(bodyOf(model.value, await shown()));
				expect(hints).toEqual([costAndTime(Number(post.charged), model)]);
			}
		},
		360_000,
	);

	inTab('of an image hides the ratio where it gives the shape', async (tab) => {
		const image = { imageSource: 'url', imageUrl: 'https://example.com/boat.jpg' };
		await openSeedance(tab, { ...image, aspectRatio: '9:21' });
		for (const { label, hasRatioWithImage } of MODELS) {
			await tab.choose('model', label);
			const ratio = hasRatioWithImage ? ['Aspect Ratio'] : [];
			const read = async () => (await tab.fieldNames()).filter((name) => name === 'Aspect Ratio');
			await expectSoon(read, ratio);
		}
	});

	// What n8n does with an expression, not what one would expect: docs/n8n-behaviour.md.
	inTab('from an expression shows each field once, as for the first item', async (tab) => {
		const readControls = async () => {
			const names = await tab.fieldNames();
			const counted = ['Aspect Ratio', 'Resolution', 'Duration'].map(
				(name) => names.filter((one) => one === name).length,
			);
			return [...counted, await tab.shown('duration'), await tab.redMarks(), await tab.hints()];
		};
		const range = ['Depending on the expressions, each video costs 8 to 720 credits.'];
		await openSeedance(tab, { model: '={{ "seedance-2.0" }}' });
		await expectSoon(readControls, [1, 0, 1, '8', ['duration'], range]);
		await tab.choose('duration', '5 Seconds');
		await expectSoon(readControls, [1, 0, 1, '5 Seconds', [], range]);
		for (const model of ['={{ "seedance-2-mini" }}', '={{ $json.model }}']) {
			await openSeedance(tab, { model });
			await expectSoon(readControls, [1, 1, 1, '8 Seconds', [], range]);
		}
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

inTab('a tool has no field that does nothing, and says how the model chooses', async (tab) => {
	const tool: Step = { name: SEEDANCE, type: `${NODE_TYPE}Tool`, parameters: {} };
	await tab.openWorkflow(await saveChain([tool, AGENT]));
	await tab.openNode(SEEDANCE);
	const { displayName: notice } = dropdownNotice;
	await expectSoon(
		async () => await tab.fieldNames(),
		['Tool Description', 'Operation', notice, ...FIELDS.ofTool],
	);
	await tab.click(tab.fields().getByPlaceholder('Add option'));
	const added = tab.page.getByRole('option').filter({ visible: true });
	await added.first().waitFor();
	expect((await added.allInnerTexts()).map((text) => text.trim())).toEqual(FIELDS.optionsOfTool);
});

inTab('a tool that is described by hand begins with the name of its action', async (tab) => {
	const tool: Step = {
		name: SEEDANCE,
		type: `${NODE_TYPE}Tool`,
		parameters: { resource: 'video' },
	};
	await tab.openWorkflow(await saveChain([tool, AGENT]));
	await tab.openNode(SEEDANCE);
	expect(await tab.shown('model')).toBe('Seedance (API v1)');
	await tab.choose('descriptionType', 'Set Manually');
	const description = tab.field('toolDescription').locator('textarea');
	await expectSoon(
		async () => await description.inputValue(),
		'Generate video and wait in Seedance',
	);
});

inTab('the next node offers the fields of a video to map, before anything has run', async (tab) => {
	await openWorkflow(tab, { downloadVideo: false });
	await tab.openNode(EDIT_FIELDS.name);
	const field = tab.find('ndv-input-panel').locator('[data-name="video_url"]');
	const target = tab.find('assignment-value').first();
	await tab.drag(field, target);
	await target.getByText('$json.video_url').waitFor();
	await tab.picture('map-before-run', [tab.find('ndv-input-panel'), tab.fields()]);
	expect(posts()).toEqual([]);
	await tab.executeToEnd();
	await tab.output().getByText(videos.ids()[0]).first().waitFor();
});

/** An app at Google without any consent. */
const MADE_UP_CLIENT = { clientId: 'made-up', clientSecret: 'made-up' };

/** What a person chooses in the nodes of n8n: made up, because nothing runs here. */
const OTHER_ACCOUNTS: Record<string, { type: string; data: IDataObject } | undefined> = {
	'n8n-nodes-base.httpRequest': {
		type: 'httpHeaderAuth',
		data: { name: 'Authorization', value: 'Bearer made-up' },
	},
	'@n8n/n8n-nodes-langchain.lmChatOpenAi': { type: 'openAiApi', data: { apiKey: 'made-up' } },
	'n8n-nodes-base.telegram': { type: 'telegramApi', data: { accessToken: 'made-up' } },
	'n8n-nodes-base.s3': { type: 's3', data: { accessKeyId: 'made-up', secretAccessKey: 'made-up' } },
	'n8n-nodes-base.youTube': { type: 'youTubeOAuth2Api', data: MADE_UP_CLIENT },
	'n8n-nodes-base.googleSheets': { type: 'googleSheetsOAuth2Api', data: MADE_UP_CLIENT },
	'n8n-nodes-base.facebookGraphApi': { type: 'facebookGraphApi', data: { accessToken: 'made-up' } },
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
		const steps = workflow.nodes.filter(({ type }) => type !== STICKY_NOTE);
		await tab.canvasPicture(
			`example-${example}`,
			steps.map(({ name }) => name),
		);
	});
}

it('the examples hold nothing that n8n 3 takes away, by the report of n8n itself', async () => {
	type Found = Array<{ ruleId: string; nbAffectedWorkflows: number }>;
	const reported = async () => {
		const path = '/breaking-changes/report/refresh?version=v3';
		const { report } = await api.call<{ report: { workflowResults: Found } }>('POST', path);
		return report.workflowResults.map(({ ruleId }) => ruleId);
	};
	for (const file of readdirSync(FOLDER))
		await api.createWorkflow(readWorkflow(join(FOLDER, file)));
	expect(await reported()).toEqual([]);
	await api.createWorkflow({
		...readWorkflow(HAND_BUILT),
		settings: { callerPolicy: 'any' },
	});
	expect(await reported()).toEqual(['caller-policy-any-removed-v3']);
});

describe('the form of image-to-video.json', () => {
	/** Publishes the example, and sends its form as a visitor does. */
	async function sendForm(tab: EditorTab, prompt: string): Promise<string> {
		const workflow = await api.createWorkflow(readWorkflow(join(FOLDER, 'image-to-video.json')));
		await api.activateWorkflow(workflow.id);
		const form = workflow.nodes.find(({ name }) => name === 'On form submission');
		await tab.page.goto(`/form/${String(form?.webhookId)}`);
		await tab.page.locator('input[type="file"]').setInputFiles(PIXEL);
		await tab.type(tab.page.locator('textarea'), prompt);
		await tab.click(tab.page.getByRole('button', { name: 'Submit' }));
		return workflow.id;
	}

	inTab('ends with the video', async (tab) => {
		sandbox.videoBytes = null;
		const id = await sendForm(tab, 'The boat drifts away');
		await tab.page.getByText('Your video', { exact: true }).waitFor({ timeout: RUN_PATIENCE });
		const video = tab.page.locator('video');
		await until('the video plays', async () => {
			const seconds = await video.evaluate((element) => Number(Reflect.get(element, 'duration')));
			return seconds > 7;
		});
		await tab.picture('form-ending', [tab.page.locator('.card').first()]);
		await api.deactivateWorkflow(id);
	});

	// The visitor who fills in the form owns neither the account nor this n8n.
	for (const [prompt, text] of [
		['A boat [fail]', 'Please try another image or other words.'],
		['A boat, on an account without credits', 'This is not your fault: please try again later.'],
	]) {
		inTab(`says to its visitor what to do where there is no video: ${prompt}`, async (tab) => {
			if (prompt.endsWith('without credits')) sandbox.ledger.balance = 3;
			const id = await sendForm(tab, prompt);
			await tab.page
				.getByText('There is no video', { exact: true })
				.waitFor({ timeout: RUN_PATIENCE });
			await tab.page.getByText(text).waitFor();
			await api.deactivateWorkflow(id);
		});
	}
});

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
	await tab.closeNode();
	await tab.page.getByText('To send one yourself, open the Test URL').first().waitFor();
	await tab.openNode(TRIGGER);
	await axios.get(`${url.trim()}?task_id=${taskId}`, { proxy: false });
	await tab.output().getByText(taskId).first().waitFor();
	await tab.click(tab.page.getByText('Webhook URLs', { exact: true }));
	await tab.picture('seedance-trigger', [tab.fields(), tab.output()], tab.field('simplify'));
});

describe('the list of videos', () => {
	const LIST = 'Seedance Videos';

	/** As in an n8n where nothing was generated yet. */
	async function dropList(): Promise<void> {
		const { data } = await api.call<{ data: IDataObject[] }>('GET', '/data-tables-global?take=9');
		for (const { id, name, projectId } of data) {
			if (name !== LIST) continue;
			await api.call('DELETE', `/projects/${String(projectId)}/data-tables/${String(id)}`);
		}
	}

	/** "Execute step", until the hints begin like that. */
	async function executeTo(tab: EditorTab, ...beginnings: string[]): Promise<void> {
		await tab.execute();
		const read = async () =>
			(await tab.hints()).map((hint, index) => hint.slice(0, beginnings[index]?.length));
		await expectSoon(read, beginnings);
	}

	inTab('makes the second run by hand free, and says what each has cost', async (tab) => {
		await dropList();
		await openSeedance(tab, { downloadVideo: false });
		await executeTo(tab, `Created the Data Table ${LIST} (Overview → Data tables)`, USED);
		await executeTo(
			tab,
			'Reused the video made just now (same settings): no credits were spent for it.',
		);
		await tab.scrollTo('ifExists');
		await tab.picture('reused-video', [tab.fields(), tab.output()], tab.field('videoKey'));
		expect(posts()).toHaveLength(1);

		const prompt = tab.field('prompt');
		await tab.type(prompt.locator('textarea').or(prompt).last(), 'A lighthouse at dusk');
		await executeTo(tab, 'Not reused: Prompt differs from the video made just now.', USED);
		await tab.choose('ifExists', 'Skip');
		await executeTo(tab, 'Left out a video, handed on before: no credits were spent.');
		await tab.output().getByText('No output data returned').waitFor();
		expect(posts()).toHaveLength(2);
	});

	inTab('shows the task ID of a stopped run, whose video the next one gets', async (tab) => {
		await dropList();
		await run({ prompt: 'A lighthouse at dusk, waves rolling in' });
		videos.hold();
		const workflow = await openSeedance(tab, { downloadVideo: false });
		await tab.execute();
		await sandbox.ledger.until(() => videos.paidIds().length === 2, RUN_PATIENCE);
		await tab.closeNode();
		await tab.click(tab.find('stop-execution-button'));
		await tab.find('execute-workflow-button').getByText('Execute workflow').waitFor();
		const taskId = videos.paidIds()[1];

		await tab.page.goto('/home/workflows');
		await tab.click(tab.page.getByText('Data tables', { exact: true }));
		await tab.click(tab.page.getByText(LIST, { exact: true }));
		const row = tab.page.locator('.ag-row').filter({ hasText: taskId });
		await expectSoon(
			async () => (await row.first().innerText()).split('\n').slice(1, 4),
			[PROMPT, 'IN_PROGRESS', taskId],
		);
		await tab.picture('video-list', [
			tab.find('data-table-breadcrumbs'),
			tab.find('data-table-grid').locator('.ag-header'),
			row.first(),
		]);

		const filters = { notHandedOn: true };
		await openSeedance(tab, { operation: 'getAll', filters });
		await executeTo(tab, '1 video was left out, made by runs in the editor. To list it,');
		await openSeedance(tab, { operation: 'getAll', filters: { ...filters, includeManual: true } });
		await executeTo(tab);
		await tab.output().getByText('1 item').waitFor();
		await tab.output().getByText(taskId).first().waitFor();

		sandbox.speed = 1000;
		await tab.openWorkflow(workflow);
		await tab.openNode(SEEDANCE);
		await executeTo(tab, 'Took over a video of an earlier run:');
		await tab.output().getByText(taskId).first().waitFor();
		expect(posts()).toHaveLength(2);
	});
});

describe('an error says what to do and what it cost', () => {
	inTab('beyond a limit per period', async (tab) => {
		const budget = { credits: 1, period: 'day' };
		await openSeedance(tab, { options: { creditBudget: { budget } } });
		const [message, description] = await tab.executeToError();
		expect(message).toMatch(
			/^Not started: 28 credits more would exceed Maximum Credits per Period/,
		);
		expect(description).toMatch(/raise the limit\..* No credits were spent\.$/);
		expect(posts()).toEqual([]);
	});

	inTab('without credits', async (tab) => {
		sandbox.ledger.balance = 3;
		await openSeedance(tab);
		const [message, description] = await tab.executeToError();
		expect(message).toBe('Your Seedance account does not have enough credits.');
		expect(description).toMatch(/^Add credits at seedanceapi\.org\..* No credits were spent\.$/);
		await tab.picture('no-credits', [tab.fields(), tab.output()], tab.field('imageSource'));
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
