/**
 * A headless Chromium signed in to n8n, and a person at it: who clicks and types where the screen shows it, and whose
 * clicks and typed fields are counted. It reaches this machine only.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, selectors, type Cookie, type Locator, type Page } from 'playwright-core';

import { HOST } from '../support/serverProcess.cjs';
import type { N8nServer } from '../support/n8n/server.cjs';

type Box = NonNullable<Awaited<ReturnType<Locator['boundingBox']>>>;

/** The attribute by which n8n marks what its own tests look for. */
selectors.setTestIdAttribute('data-test-id');

/** Milliseconds until something that has to appear counts as missing. */
const PATIENCE = 15_000;

/** Milliseconds for a whole run: the node looks for the first time after about five seconds. */
const RUN_PATIENCE = 30_000;

/** Two panes and the fields between them, so that their text is readable at the width of a README. */
const WINDOW = { width: 1120, height: 720 };

export interface SignedIn {
	newPerson: () => Promise<Person>;
	close: () => Promise<void>;
}

/** Starts Chromium and signs it in as the owner of this n8n. */
export async function startBrowser(n8n: N8nServer): Promise<SignedIn> {
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
	let cookies: Cookie[];
	try {
		const context = await browser.newContext({ baseURL: n8n.baseUrl });
		const { email, password } = n8n.login;
		const answer = await context.request.post('/rest/login', {
			data: { emailOrLdapLoginId: email, password },
		});
		if (!answer.ok()) throw new Error(`n8n did not sign the browser in (HTTP ${answer.status()})`);
		cookies = await context.cookies();
		await context.close();
	} catch (error) {
		await browser.close();
		throw error;
	}
	return {
		newPerson: async () => {
			// A window of its own: n8n keeps in the browser how somebody last looked at data.
			const context = await browser.newContext({
				baseURL: n8n.baseUrl,
				storageState: { cookies, origins: [] },
				viewport: WINDOW,
				deviceScaleFactor: process.env.SEEDANCE_SCREENSHOTS ? 1.5 : 1,
				colorScheme: 'light',
				reducedMotion: 'reduce',
			});
			context.setDefaultTimeout(PATIENCE);
			return new Person(await context.newPage());
		},
		close: async () => await browser.close(),
	};
}

/** What a person does in one tab of n8n's editor. Everything waits for what it needs to see. */
export class Person {
	/** A double click counts as two. */
	clicks = 0;

	typedFields = 0;

	constructor(readonly page: Page) {}

	async leave(): Promise<void> {
		await this.page.context().close();
	}

	seen(testId: string): Locator {
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

	async type(target: Locator, text: string): Promise<void> {
		await target.fill(text);
		this.typedFields += 1;
	}

	/** An empty workflow. */
	async openNewWorkflow(): Promise<void> {
		await this.page.goto('/workflow/new');
		await this.seen('canvas-plus-button').waitFor();
	}

	async openWorkflow(id: string): Promise<void> {
		await this.page.goto(`/workflow/${id}`);
		await this.seen('canvas').locator('[data-node-name]').first().waitFor();
	}

	/** The panel in which nodes are looked for, opened as one's first step in an empty workflow. */
	async openNodePanel(): Promise<void> {
		await this.click(this.seen('canvas-plus-button'));
	}

	/** Looks for nodes; gives the names that the panel lists then. */
	async search(text: string): Promise<string[]> {
		const box = this.seen('node-creator-search-bar');
		await box.waitFor();
		const isBox = await box.evaluate((element) => element.matches('input'));
		await this.type(isBox ? box : box.locator('input'), text);
		const found = this.listed('Seedance');
		await found.first().waitFor();
		return await this.seen('node-creator-item-name').allInnerTexts();
	}

	/** Entries of the node panel with this name. */
	listed(name: string | RegExp): Locator {
		const exact = typeof name === 'string' ? new RegExp(`^${name}$`) : name;
		return this.seen('node-creator-item-name').filter({ hasText: exact });
	}

	/** A heading of a list in the node panel, such as "Actions (5)". */
	category(text: string): Locator {
		return this.seen('node-creator-category-item').filter({ hasText: text });
	}

	canvas(): Locator {
		return this.seen('canvas').first();
	}

	/** Zooms until the canvas shows all of the workflow. */
	async showWhole(): Promise<void> {
		await this.click(this.seen('zoom-to-fit'));
	}

	/** A node on the canvas. */
	onCanvas(name: string): Locator {
		return this.seen('canvas').locator(`[data-node-name="${name}"]`).first();
	}

	/** Opens the panel of a node. */
	async openNode(name: string): Promise<void> {
		await this.doubleClick(this.onCanvas(name));
		await this.seen('node-parameters').waitFor();
	}

	async closeNode(): Promise<void> {
		await this.click(this.seen('ndv-close-button'));
		await this.seen('ndv').waitFor({ state: 'hidden' });
	}

	/** The input of a field of the open node. */
	field(name: string): Locator {
		return this.seen(`parameter-input-${name}`).first();
	}

	/** The names of all fields that the open node shows, from top to bottom, without those of the tab Settings. */
	async fieldNames(): Promise<string[]> {
		const items = this.seen('node-parameters').locator('.parameter-item, .multi-parameter');
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

	/** The fields of the open node, with its tabs. */
	fields(): Locator {
		return this.seen('node-parameters');
	}

	/** "Execute step" of the open node. */
	async execute(): Promise<void> {
		await this.click(this.seen('node-execute-button'));
	}

	/** The right pane of the open node. */
	output(): Locator {
		return this.seen('output-panel');
	}

	/** "Execute step" of the open node, until n8n says that the run has ended well. */
	async executeToEnd(): Promise<void> {
		await this.execute();
		await this.page.getByText('Node executed successfully').waitFor({ timeout: RUN_PATIENCE });
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
		const boxes = await Promise.all(parts.map(async (part) => await part.boundingBox()));
		const edges = (edge: (box: Box) => number) => boxes.flatMap((box) => (box ? edge(box) : []));
		const x = Math.min(...edges((box) => box.x));
		const y = Math.min(...edges((box) => box.y));
		const width = Math.max(...edges((box) => box.x + box.width)) - x;
		const height = Math.max(...edges((box) => box.y + box.height)) - y;
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
	async keepForStudy(folder: string, name: string): Promise<void> {
		mkdirSync(folder, { recursive: true });
		await this.page.screenshot({
			path: join(folder, `${name.replace(/\W+/g, '-').slice(0, 100)}.png`),
		});
	}
}
