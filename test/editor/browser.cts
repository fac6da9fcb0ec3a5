/**
 * A headless Chromium signed in to n8n, and its tabs with n8n's editor: who clicks and types where the screen shows it,
 * and whose clicks and typed fields are counted. It reaches this machine only.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, selectors, type Locator, type Page } from 'playwright-core';

import PICTURES from '../fixtures/package/pictures.json';
import { HOST } from '../support/serverProcess.cjs';
import type { N8nServer } from '../support/n8n/server.cjs';
import { n8n } from '../support/n8n/world.cjs';

/** The attribute by which n8n marks what its own tests look for. */
selectors.setTestIdAttribute('data-test-id');

/** Milliseconds until something that has to appear counts as missing. */
const PATIENCE = 15_000;

/** Milliseconds for a whole run: the node reads its task for the first time after about five seconds. */
export const RUN_PATIENCE = 30_000;

/** Two panes and the fields between them, so that their text is readable at the width of a README and no tab is cut off. */
const WINDOW = { width: 1360, height: 800 };

/** What a test that failed has shown. */
const FAILURES = join(__dirname, '../../.cache/editor-failures');

/** Where pictures are kept; unset: none are taken. */
const PICTURE_FOLDER = process.env.SEEDANCE_SCREENSHOTS;

/** Pixels that a picture has below the last thing it shows, and around nodes with their names. */
const MARGIN = 14;
const NODE_MARGIN = { side: 72, top: 32, bottom: 88 };

/** So that n8n shows a workflow at its own size, and how wide a picture of it may be to be read in a document. */
const CANVAS_WINDOW = { width: 2400, height: 1500 };
const WIDEST = 1240;

/** Hides everything but the nodes and the lines between them. */
const ONLY_NODES = `[data-test-id^="canvas-handle-plus"], body :not(:has(.vue-flow__viewport)):not(.vue-flow__viewport, .vue-flow__viewport *):not(.vue-flow__background, .vue-flow__background *),
.vue-flow__node:has([data-test-id="sticky"]) * { visibility: hidden !important; }`;

/** Hides the ways to other nodes, and what n8n shows for a while of a button. */
const NO_NEIGHBOURS = `[data-test-id="floating-node"], [data-reka-popper-content-wrapper]:has([role="tooltip"]),
[role="tooltip"] { visibility: hidden !important; }`;

interface Box {
	x: number;
	y: number;
	width: number;
	height: number;
}

async function boxesOf(parts: readonly Locator[]): Promise<Box[]> {
	const found = await Promise.all(parts.map(async (part) => await part.boundingBox()));
	return found.filter((box) => box !== null);
}

/** The smallest box around all of these. */
function around(boxes: readonly Box[]): Box {
	const x = Math.min(...boxes.map((box) => box.x));
	const y = Math.min(...boxes.map((box) => box.y));
	const width = Math.max(...boxes.map((box) => box.x + box.width)) - x;
	return { x, y, width, height: Math.max(...boxes.map((box) => box.y + box.height)) - y };
}

/** A test with a tab of its own; what the tab shows is kept when it fails. */
type InTab = (
	behaviour: string,
	test: (tab: EditorTab) => Promise<void>,
	timeoutMs?: number,
) => void;

/** Registers the hooks that start the browser once n8n is there, for a test file; gives the way to write its tests. */
export function useBrowser(): InTab {
	let browser: Awaited<ReturnType<typeof startBrowser>> | undefined;
	beforeAll(async () => void (browser = await startBrowser(n8n)));
	afterAll(async () => await browser?.close());
	return (behaviour, test, timeoutMs) => {
		const inItsTab = async () => {
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
		};
		it(behaviour, inItsTab, timeoutMs);
	};
}

/** Starts Chromium and signs it in as the owner of this n8n. */
async function startBrowser({ baseUrl, login }: N8nServer) {
	const browser = await chromium.launch({
		executablePath: process.env.SEEDANCE_CHROMIUM,
		args: [
			'--no-sandbox',
			'--disable-gpu',
			'--disable-dev-shm-usage',
			// n8n's editor asks for pictures and news elsewhere.
			`--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${HOST}`,
		],
	});
	const session = await browser.newContext({ baseURL: baseUrl });
	const data = { emailOrLdapLoginId: login.email, password: login.password };
	const response = await session.request.post('/rest/login', { data });
	if (!response.ok()) throw new Error(`n8n refused the browser (HTTP ${response.status()})`);
	const storageState = await session.storageState();
	await session.close();
	const newTab = async () => {
		// A window of its own: n8n remembers in the browser how data was last viewed.
		const context = await browser.newContext({
			baseURL: baseUrl,
			storageState,
			viewport: WINDOW,
			deviceScaleFactor: PICTURE_FOLDER ? 1.5 : 1,
			colorScheme: 'light',
			reducedMotion: 'reduce',
		});
		context.setDefaultTimeout(PATIENCE);
		return new EditorTab(await context.newPage());
	};
	return { newTab, close: async () => await browser.close() };
}

/** One tab of n8n's editor. Everything waits for what it needs on the screen. */
export class EditorTab {
	clicks = 0;

	typedFields = 0;

	constructor(readonly page: Page) {}

	async close(): Promise<void> {
		await this.page.context().close();
	}

	find(testId: string): Locator {
		return this.page.getByTestId(testId).filter({ visible: true });
	}

	async click(target: Locator): Promise<void> {
		await target.click();
		this.clicks += 1;
	}

	async doubleClick(target: Locator): Promise<void> {
		await target.dblclick();
		this.clicks += 2;
	}

	/** Fills in a field; the click into it belongs to that. */
	async type(target: Locator, text: string): Promise<void> {
		await target.fill(text);
		this.typedFields += 1;
	}

	/** Searches the node panel of a new workflow; gives the names that it lists then. */
	async search(text: string): Promise<string[]> {
		await this.page.goto('/workflow/new');
		await this.click(this.find('canvas-plus-button'));
		const box = this.find('node-creator-search-bar');
		await box.waitFor();
		const isBox = await box.evaluate((element) => element.matches('input'));
		await this.type(isBox ? box : box.locator('input'), text);
		await this.listed('Seedance').first().waitFor();
		return await this.find('node-creator-item-name').allInnerTexts();
	}

	/** Entries of the node panel with exactly this name. */
	listed(name: string): Locator {
		return this.find('node-creator-item-name').filter({ hasText: new RegExp(`^${name}$`) });
	}

	/** A heading of a list in the node panel, such as "Actions (5)". */
	category(text: string | RegExp): Locator {
		return this.find('node-creator-category-item').filter({ hasText: text });
	}

	async openWorkflow(id: string): Promise<void> {
		await this.page.goto(`/workflow/${id}`);
		await this.find('canvas').locator('[data-node-name]').first().waitFor();
	}

	onCanvas(name: string): Locator {
		return this.find('canvas').locator(`[data-node-name="${name}"]`).first();
	}

	async openNode(name: string): Promise<void> {
		await this.doubleClick(this.onCanvas(name));
		await this.fields().waitFor();
	}

	async closeNode(): Promise<void> {
		await this.click(this.find('ndv-close-button'));
		await this.find('ndv').waitFor({ state: 'hidden' });
	}

	/** The fields of the open node, with its tabs. */
	fields(): Locator {
		return this.find('node-parameters');
	}

	field(name: string): Locator {
		return this.find(`parameter-input-${name}`).first();
	}

	/** The names of all fields that the open node shows, from top to bottom, without those of the tab Settings. */
	async fieldNames(): Promise<string[]> {
		const items = this.fields().locator('.parameter-item, .multi-parameter');
		const texts = await items.filter({ visible: true }).allInnerTexts();
		return texts.map((text) => text.split('\n')[0].trim());
	}

	/** The choices of a dropdown as they stand on the screen. */
	async choicesOf(name: string): Promise<string[]> {
		await this.click(this.field(name));
		const choices = this.choices();
		await choices.first().waitFor();
		const texts = await choices.locator('.option-headline').allInnerTexts();
		await this.page.keyboard.press('Escape');
		await choices.first().waitFor({ state: 'hidden' });
		return texts.map((text) => text.trim());
	}

	async choose(name: string, choice: string): Promise<void> {
		await this.click(this.field(name));
		const headline = this.page.locator('.option-headline').getByText(choice, { exact: true });
		await this.click(this.choices().filter({ has: headline }));
		await this.choices().first().waitFor({ state: 'hidden' });
	}

	/** What a dropdown, a switch or a line of text shows; undefined where the field is not there. */
	async shown(name: string): Promise<string | boolean | undefined> {
		const field = this.field(name);
		if ((await field.count()) === 0) return undefined;
		const input = field.locator('input').first();
		return (await input.getAttribute('type')) === 'checkbox'
			? await input.isChecked()
			: await input.inputValue();
	}

	async redMarks(): Promise<string[]> {
		const marked = this.page
			.locator('[data-test-id^="parameter-input-"]')
			.filter({ has: this.page.getByTestId('parameter-issues'), visible: true });
		const ids = marked.evaluateAll((fields) =>
			fields.map((field) => String(Reflect.get(Reflect.get(field, 'dataset'), 'testId'))),
		);
		return (await ids).map((id) => id.replace('parameter-input-', ''));
	}

	private choices(): Locator {
		return this.page.getByRole('option').filter({ visible: true });
	}

	/** Drags with the mouse, as n8n follows it: its own drag begins only when the pointer moves. */
	async drag(from: Locator, onto: Locator): Promise<void> {
		const { mouse } = this.page;
		await from.hover();
		await mouse.down();
		const box = await onto.boundingBox();
		if (!box) throw new Error('There is nothing to drop it on');
		await mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 10 });
		await mouse.up();
	}

	/** "Execute step" of the open node. */
	async execute(): Promise<void> {
		await this.click(this.find('node-execute-button'));
	}

	/** "Execute step" of the open node, until n8n says that the run has ended well. */
	async executeToEnd(): Promise<void> {
		await this.execute();
		const message = this.page.getByText('Node executed successfully').first();
		await message.waitFor({ timeout: RUN_PATIENCE });
	}

	/** "Execute step" of the open node, until it shows an error; gives its headline and the text below. */
	async executeToError(): Promise<[message: string, description: string]> {
		await this.execute();
		const message = this.output().getByTestId('node-error-message');
		await message.waitFor({ timeout: RUN_PATIENCE });
		const description = this.output().getByTestId('node-error-description');
		return [await message.innerText(), await description.innerText()];
	}

	/** The right pane of the open node. */
	output(): Locator {
		return this.find('output-panel');
	}

	/** The callouts above the output. */
	async hints(): Promise<string[]> {
		const texts = await this.output().getByTestId('node-hint').allInnerTexts();
		return texts.map((text) => text.trim());
	}

	/** Scrolls the fields until this one is the first, right below the tabs. */
	async scrollTo(name: string): Promise<void> {
		const item = this.fields()
			.locator('.parameter-item')
			.filter({ has: this.field(name) });
		await item.first().evaluate((element: object) => {
			// Past the rest of the field before it.
			Reflect.set(Reflect.get(element, 'style'), 'scrollMarginTop', '8px');
			Reflect.apply(Reflect.get(element, 'scrollIntoView'), element, [{ block: 'start' }]);
		});
	}

	/**
	 * Keeps a part of the window, from the left edge of the first of these to the right edge of the last, in light and
	 * dark, as the documents' pictures `<name>-light.png` and `<name>-dark.png`. Whether pictures were asked for or not,
	 * what the text beside it says has to be on the screen.
	 *
	 * @param until what stands below it is cut off
	 */
	async picture(name: keyof typeof PICTURES, parts: Locator[], until?: Locator): Promise<void> {
		for (const text of PICTURES[name].shows) {
			await this.page.getByText(text).filter({ visible: true }).first().waitFor();
		}
		if (!PICTURE_FOLDER) return;
		const style = await this.page.addStyleTag({ content: NO_NEIGHBOURS });
		for (const toast of await this.page.locator('.el-notification__closeBtn').all()) {
			await toast.click();
		}
		await this.page.locator('.el-notification').first().waitFor({ state: 'hidden' });
		const { x, y, width, height } = around(await boxesOf(parts));
		const [end] = until ? await boxesOf([until]) : [];
		const bottom = end ? Math.min(end.y + end.height + MARGIN, y + height) : y + height;
		await this.keepPicture(name, { x, y, width, height: bottom - y });
		await style.evaluate((element: object) =>
			Reflect.apply(Reflect.get(element, 'remove'), element, []),
		);
	}

	/**
	 * Keeps these nodes and nothing else, at their own size; those that are too wide for a document in two pictures, of which
	 * the second is `<name>-2`. Does nothing unless pictures were asked for.
	 */
	async canvasPicture(name: string, nodes: readonly string[]): Promise<void> {
		if (!PICTURE_FOLDER) return;
		await this.page.setViewportSize(CANVAS_WINDOW);
		await this.click(this.find('zoom-to-fit'));
		await this.page.addStyleTag({ content: ONLY_NODES });
		const boxes = (await boxesOf(nodes.map((node) => this.onCanvas(node)))).map((box) => ({
			x: box.x - NODE_MARGIN.side,
			y: box.y - NODE_MARGIN.top,
			width: box.width + 2 * NODE_MARGIN.side,
			height: box.height + NODE_MARGIN.top + NODE_MARGIN.bottom,
		}));
		const whole = around(boxes);
		if (whole.width <= WIDEST) return await this.keepPicture(name, whole);
		const middle = whole.x + whole.width / 2;
		const isLeft = (box: Box) => box.x + box.width / 2 < middle;
		const right = around(boxes.filter((box) => !isLeft(box)));
		// Both show the lines between them.
		await this.keepPicture(name, { ...whole, width: right.x - whole.x });
		await this.keepPicture(`${name}-2`, { ...whole, x: right.x, width: right.width });
	}

	private async keepPicture(name: string, clip: Box): Promise<void> {
		const folder = String(PICTURE_FOLDER);
		mkdirSync(folder, { recursive: true });
		await this.page.mouse.move(0, 0);
		for (const colorScheme of ['dark', 'light'] as const) {
			await this.page.emulateMedia({ colorScheme });
			const path = join(folder, `${name}-${colorScheme}.png`);
			await this.page.screenshot({ path, clip, animations: 'disabled' });
		}
	}

	/** Keeps what the window shows at the end of a test that failed. */
	async keepScreenshot(folder: string, name: string): Promise<void> {
		const file = `${name.replace(/\W+/g, '-').slice(0, 100)}.png`;
		await this.page.screenshot({ path: join(folder, file) });
	}
}
