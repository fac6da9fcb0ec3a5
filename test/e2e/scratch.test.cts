import { api, useN8n, until, n8n, sandbox, posts, endOf, deliver, runsOf, output, executionIds } from '../support/n8n/world.cjs';
import { startBot } from './bot.cjs';
import { importExample, nodeOf, FOLDER } from './examples.cjs';
import { readFileSync } from 'node:fs';

jest.setTimeout(120_000);
useN8n();
const show = (x: unknown) => process.stdout.write(JSON.stringify(x, (k, v) => (v?.type === 'Buffer' ? v.data.length : v), 1) + '\n');

it('draft', async () => {
	const bot = await startBot();
	sandbox.videoBytes = null;
	const cred = await api.createCredential({ name: 'Bot', type: 'telegramApi', data: { accessToken: '1:abc', baseUrl: bot.url } });
	const c = { telegramApi: { id: cred.id, name: cred.name } };
	const workflow = JSON.parse(readFileSync(`${FOLDER}/draft-approve-publish.json`, 'utf8'));
	const names = workflow.nodes.filter((x: any) => x.type.endsWith('.telegram')).map((x: any) => x.name);
	const saved = await importExample('draft-approve-publish.json', {}, { credentials: Object.fromEntries(names.map((x: string) => [x, c])) });
	await api.activateWorkflow(saved.id);
	const { webhookId } = nodeOf(saved, 'On form submission');
	const form = new FormData();
	form.append('field-0', 'A boat');
	form.append('field-1', 'Caption & <b>_x_');
	show(await deliver(`${n8n.baseUrl}/form/${webhookId}`, form));
	const decide = async (nth: number, decision: string, remark: string) => {
		await until('asked', () => bot.calls.filter((x) => x.fields.reply_markup).length >= nth, 40_000);
		const ask = bot.calls.filter((x) => x.fields.reply_markup)[nth - 1];
		show(ask);
		const url = ask.fields.reply_markup.inline_keyboard[0][0].url;
		await until('waiting', async () => (await api.listExecutions(saved.id))[0].status === 'waiting');
		const page = await deliver(url, undefined, { method: 'GET' });
		show([page.status, String(page.data).slice(0, 300), String(page.data).match(/name="[^"]+"/g)]);
		const answer = new FormData();
		answer.append('field-0', decision);
		answer.append('field-1', remark);
		show(await deliver(url, answer).then((x) => [x.status, String(x.data).slice(0, 200)]));
		return url;
	};
	await decide(1, 'Make another draft', 'More wind.');
	const url = await decide(2, 'Publish it', '');
	const [run] = await runsOf(saved.id, 1);
	show([run.status, run.error, Object.fromEntries(Object.entries(run.runData).map(([k, v]) => [k, v.map((r: any) => r.data?.main.map((o: any) => o?.map((i: any) => i.json)))]))]);
	const again = new FormData();
	again.append('field-0', 'Publish it');
	show(await deliver(url, again).then((x) => [x.status, String(x.data).slice(0, 200)]));
	show(bot.calls);
	show(posts().map(({ json }) => json));
	await bot.close();
});
