/**
 * Two of the examples that post, as somebody who has just installed the package gets them going in n8n's editor: from the
 * address in the documents to the post. The credentials are there before; n8n chooses each of them by itself, as there is
 * one of each kind. Every click and every typed field is counted, and the browser counts along.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

import { taskOf } from '../e2e/examples.cjs';
import { asked, bytesOf, inChannel, paid, shown, toPerson } from '../e2e/postingTelegram.cjs';
import { runsOf, videos } from '../support/n8n/world.cjs';
import { s3, telegram, useNetworks } from '../support/networks/world.cjs';
import { useBrowser, type EditorTab } from './browser.cjs';

/** What it may take at most. */
const MOST = { clicks: 12, typedFields: 6 };

const RECIPES = readFileSync(join(__dirname, '../../docs/recipes.md'), 'utf8');

const PROMPT = 'A kite over the dunes, seen from below';

jest.setTimeout(90_000);
useNetworks();
const inTab = useBrowser();

/** A test that begins in an empty workflow, counts what a person does, and compares it with what the browser has seen. */
function counted(file: string, use: (tab: EditorTab) => Promise<void>): void {
	const most = `at most ${MOST.clicks} clicks and ${MOST.typedFields} typed fields`;
	inTab(`${file}: from import to post in ${most}`, async (tab) => {
		const seen = { clicks: 0, typedFields: 0 };
		const context = tab.page.context();
		await context.exposeBinding('saw', (_, what: keyof typeof seen) => void (seen[what] += 1));
		await context.addInitScript(`
			addEventListener('mousedown', ({ isTrusted }) => isTrusted && saw('clicks'), true);
			addEventListener('beforeinput', ({ isTrusted }) => isTrusted && saw('typedFields'), true);`);
		await tab.page.goto('/workflow/new');
		await importFrom(tab, file);
		await use(tab);

		const { clicks, typedFields } = tab;
		process.stdout.write(`${file}: ${clicks} clicks, ${typedFields} typed fields\n`);
		expect(seen).toEqual({ clicks, typedFields });
		expect(clicks).toBeLessThanOrEqual(MOST.clicks);
		expect(typedFields).toBeLessThanOrEqual(MOST.typedFields);
	});
}

/** ⋯ → Import → From URL, with the address that the documents name. */
async function importFrom(tab: EditorTab, file: string): Promise<void> {
	const addresses = RECIPES.match(/https:[^)\s]+\.json/g) ?? [];
	const address = addresses.find((one) => one.endsWith(`/${file}`)) ?? '';
	await tab.click(tab.find('workflow-menu'));
	await tab.click(tab.find('workflow-menu-item-import'));
	await tab.click(tab.find('workflow-menu-item-import-from-url'));
	await tab.type(tab.find('workflow-url-import-input'), address);
	await tab.click(tab.find('confirm-workflow-import-url-button'));
}

/** Until the workflow in the tab has run once. */
async function hasRun(tab: EditorTab): Promise<void> {
	const runs = await runsOf(workflowIn(tab), 1);
	expect(runs.map(({ status }) => status)).toEqual(['success']);
}

const workflowIn = ({ page }: EditorTab) => new URL(page.url()).pathname.split('/')[2];

/** The next page that a click opens in a tab of its own. */
async function opened(tab: EditorTab, click: () => Promise<void>): Promise<Page> {
	const [page] = await Promise.all([tab.page.context().waitForEvent('page'), click()]);
	return page;
}

counted('keep-it.json', async (tab) => {
	await tab.openNode('Keep the file');
	await tab.type(tab.field('bucketName').locator('input'), s3.bucket);
	await tab.closeNode();
	await tab.openNode('Write the first row');
	await tab.type(tab.field('prompt').locator('input'), PROMPT);
	await tab.closeNode();
	await tab.click(tab.find('execute-workflow-button'));
	await hasRun(tab);

	const [[name, file], ...others] = [...s3.files];
	expect(name).toMatch(/^\d{4}-\d\d-\d\d-row-1\.mp4$/);
	expect(file).toEqual(await bytesOf(taskOf({ prompt: PROMPT })));
	expect(others).toEqual([]);
	expect(paid()).toEqual([28]);
});

counted('draft-approve-publish.json', async (tab) => {
	const caption = 'Windy today';
	await tab.openNode('Chats and first draft');
	const value = tab.find('assignment-value').locator('input');
	await tab.type(value.nth(0), telegram.person);
	await tab.type(value.nth(1), telegram.channel);
	await tab.closeNode();
	const form = await opened(tab, async () => await tab.click(tab.find('execute-workflow-button')));
	await tab.type(form.getByLabel('Prompt'), PROMPT);
	await tab.type(form.getByLabel('Caption'), caption);
	await tab.click(form.getByRole('button', { name: 'Submit' }));

	// The message in Telegram, with the button below it.
	const address = await asked({ id: workflowIn(tab) });
	const button = `<a href="${address.replaceAll('&', '&amp;')}">Decide</a>`;
	const chat = await tab.page.context().newPage();
	await chat.goto(`data:text/html,${encodeURIComponent(button)}`);
	await tab.click(chat.getByText('Decide'));
	await tab.click(chat.getByLabel('Publish it'));
	await tab.click(chat.getByRole('button', { name: 'Submit' }));
	await hasRun(tab);

	expect(toPerson().map(shown)).toEqual(['Draft 1 of 3', 'Draft 1 of 3. Publish it?']);
	const [, video] = await Promise.all(videos.ids().map(bytesOf));
	expect(inChannel()).toMatchObject([{ text: caption, video }]);
	expect(paid()).toEqual([8, 56]);
});
