/**
 * A headless Chromium signed in to n8n, and its tabs with n8n's editor: who clicks and types where the screen shows it,
 * and whose clicks and typed fields are counted. It reaches this machine only.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, selectors, type Locator, type Page } from 'playwright-core';

import { HOST } from '../support/serverProcess.cjs';
import type { N8nServer } from '../support/n8n/server.cjs';

/** The attribute by which n8n marks what its own tests look for. */
selectors.setTestIdAttribute('data-test-id');

/** Milliseconds until something that has to appear counts as missing. */
const PATIENCE = 15_000;

/** Milliseconds for a whole run: the node reads its task for the first time after about five seconds. */
export const RUN_PATIENCE = 30_000;

/** Two panes and the fields between them, so that their text is readable at the width of a README. */
const WINDOW = { width: 1120, height: 720 };

export type Browser = Awaited<ReturnType<typeof startBrowser>>;

/** Starts Chromium and signs it in as the owner of this n8n. */
export async function startBrowser({ baseUrl, login }: N8nServer) {
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
		// A window of its own: n8n keeps in the browser how somebody last viewed data.
		const context = await browser.newContext({
			baseURL: baseUrl,
			storageState,
			viewport: WINDOW,
			deviceScaleFactor: process.env.SEEDANCE_SCREENSHOTS ? 1.5 : 1,
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

	/** A node on the canvas. */
	onCanvas(name: string): Locator {
		return this.find('canvas').locator(`[data-node-name="${name}"]`).first();
	}

	/** Opens the panel of a node. */
	async openNode(name: string): Promise<void> {
		await this.onCanvas(name).dblclick();
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

	/** The names of the fields that n8n marks red. */
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

	/**
	 * Keeps a part of the window, from the left edge of the first of these to the right edge of the last, in light and
	 * dark, as the README's pictures `<name>-light.png` and `<name>-dark.png`. Does nothing unless pictures were asked for.
	 */
	async picture(name: string, ...parts: Locator[]): Promise<void> {
		const folder = process.env.SEEDANCE_SCREENSHOTS;
		if (!folder) return;
		mkdirSync(folder, { recursive: true });
		await this.page.mouse.move(0, 0);
		for (const toast of await this.page.locator('.el-notification__closeBtn').all()) {
			await toast.click();
		}
		await this.page.locator('.el-notification').first().waitFor({ state: 'hidden' });
		const found = await Promise.all(parts.map(async (part) => await part.boundingBox()));
		const boxes = found.filter((box) => box !== null);
		const x = Math.min(...boxes.map((box) => box.x));
		const y = Math.min(...boxes.map((box) => box.y));
		const width = Math.max(...boxes.map((box) => box.x + box.width)) - x;
		const height = Math.max(...boxes.map((box) => box.y + box.height)) - y;
		for (const colorScheme of ['dark', 'light'] as const) {
			await this.page.emulateMedia({ colorScheme });
			await this.page.screenshot({
				path: join(folder, `${name}-${colorScheme}.png`),
				clip: { x, y, width, height },
				animations: 'disabled',
			});
		}
	}

	/** Keeps what the window shows at the end of a test that failed. */
	async keepScreenshot(folder: string, name: string): Promise<void> {
		const file = `${name.replace(/\W+/g, '-').slice(0, 100)}.png`;
		await this.page.screenshot({ path: join(folder, file) });
	}
}
