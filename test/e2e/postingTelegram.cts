/** The examples in which a person sees something and decides in Telegram: how they are set up, and what the person does. */
import type { IDataObject } from 'n8n-workflow';
import { join } from 'node:path';

import { isRecord } from '../sandbox/server.cjs';
import type { SavedWorkflow } from '../support/n8n/server.cjs';
import { api, deliver, n8n, NODE_TYPE, sandbox, until } from '../support/n8n/world.cjs';
import type { TelegramMessage } from '../support/networks/telegram.cjs';
import { fetchFile } from '../support/networks/remoteFile.cjs';
import { telegram } from '../support/networks/world.cjs';
import { FOLDER, LIST, nodeOf, readWorkflow, VideoTable } from './examples.cjs';
import { importPosting } from './posting.cjs';

/** What is written in place of `<REPLACE THIS: …>`, by what stands there. */
type Answers = Record<string, string>;

/**
 * Imports an example and answers everything that it asks for, wherever that stands in its nodes. Throws where nothing answers,
 * or an answer fits nothing. Its Seedance nodes poll their videos every second.
 *
 * @param options further options of Seedance nodes, by the name of the node
 */
export async function importAnswered(
	file: string,
	answers: Answers = {},
	options: Record<string, IDataObject> = {},
): Promise<SavedWorkflow> {
	const open = new Set(Object.keys(answers));
	const answered = (_: string, value: unknown): unknown => {
		const [, question] = /^<REPLACE THIS: (.*)>$/.exec(String(value)) ?? [];
		if (question === undefined) return value;
		if (!(question in answers)) throw new Error(`${file}: nobody answers "${question}"`);
		open.delete(question);
		return answers[question];
	};
	const changes: Record<string, IDataObject> = {};
	for (const { name, type, parameters } of readWorkflow(join(FOLDER, file)).nodes) {
		changes[name] = JSON.parse(JSON.stringify(parameters), answered);
		if (type !== NODE_TYPE) continue;
		const given = isRecord(parameters.options) ? parameters.options : {};
		changes[name].options = { ...given, pollInterval: 1, ...options[name] };
	}
	if (open.size) throw new Error(`${file} does not ask for ${[...open].join(', ')}`);
	return await importPosting(file, {}, { changes });
}

/** Fills in the form of a published workflow, field by field, and sends it. */
export async function sendForm(workflow: SavedWorkflow, ...values: string[]): Promise<void> {
	const { webhookId } = nodeOf(workflow, 'On form submission');
	const { status } = await deliver(`${n8n.baseUrl}/form/${webhookId}`, formOf(values));
	expect(status).toBe(200);
}

/** The answers of one of n8n's forms, field by field. */
export function formOf(values: readonly string[]): FormData {
	const form = new FormData();
	values.forEach((value, index) => form.append(`field-${index}`, value));
	return form;
}

/** What the person has been sent, in order. */
export const toPerson = () => telegram.messages.filter(({ chat }) => chat === telegram.person);

/** What stands in the channel, in order. */
export const inChannel = () => telegram.messages.filter(({ chat }) => chat === telegram.channel);

/** A text that was sent as HTML, as a person reads it. */
export const shown = ({ text }: TelegramMessage) =>
	text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** The address below a message's only button; undefined where it has none. */
function buttonOf({ fields }: TelegramMessage): string | undefined {
	const markup = isRecord(fields.reply_markup) ? fields.reply_markup.inline_keyboard : undefined;
	return Array.isArray(markup) ? markup[0]?.[0]?.url : undefined;
}

const addresses = () => toPerson().flatMap((message) => buttonOf(message) ?? []);

/** Waits until the person has been asked as often, and the workflow waits for the answer; gives the button's address. */
export async function asked({ id }: Pick<SavedWorkflow, 'id'>, times = 1): Promise<string> {
	await until(`the person is asked ${times} times`, () => addresses().length === times, 30_000);
	await until('the workflow waits for the answer', async () => {
		const [newest] = await api.listExecutions(id);
		return newest?.status === 'waiting';
	});
	return addresses()[times - 1];
}

/** Opens the page behind a button, as the person does, fills it in and sends it. */
export async function decide(url: string, decision: string, remark = ''): Promise<void> {
	const page = await deliver(url, undefined, { method: 'GET' });
	expect(page).toMatchObject({ status: 200, data: expect.stringContaining(decision) });
	expect(page.data).toContain('What should be different');
	expect((await deliver(url, decisionForm(decision, remark))).status).toBe(200);
}

/** What the page behind a button sends: a choice of one comes as a list. */
export const decisionForm = (decision: string, remark = '') =>
	formOf([JSON.stringify([decision]), remark]);

/** The file of a task, as the sandbox gives it out. */
export async function bytesOf(taskId: string): Promise<Buffer | undefined> {
	return await fetchFile(`${sandbox.origin}/videos/${taskId}.mp4`);
}

/** Forgets the videos of earlier tests, which count in limits over time. */
export async function emptyList(): Promise<void> {
	for (const list of await VideoTable.named(LIST)) await list.empty();
}

/** Credits of each video that was paid for, in order. */
export const paid = () => sandbox.ledger.charges().map(({ credits }) => credits);
