// The error workflow: one message in Telegram about a published workflow that has stopped.
import { randomUUID } from 'node:crypto';
import type { INodeParameters } from 'n8n-workflow';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import {
	api,
	deliver,
	n8n,
	runsOf,
	sandbox,
	saveChain,
	seedance,
	videos,
	type Step,
} from '../support/n8n/world.cjs';
import { telegramError } from '../support/networks/telegram.cjs';
import { accounts, proxy, telegram } from '../support/networks/world.cjs';
import { importAnswered, inChannel, paid, shown, toPerson } from './postingTelegram.cjs';

const POST: Step = {
	name: 'Post the video',
	type: 'n8n-nodes-base.telegram',
	typeVersion: 1.2,
	parameters: {
		resource: 'message',
		operation: 'sendVideo',
		chatId: telegram.channel,
		binaryData: true,
		binaryPropertyName: 'data',
		additionalFields: {},
	},
};

describe('tell-me-at-night.json', () => {
	let night: SavedWorkflow;

	/** Publishes a workflow that makes a video of each prompt and posts it, runs it, and gives what the person reads. */
	async function textAbout(prompts: string[], parameters: INodeParameters = {}): Promise<string> {
		const before = (await api.listExecutions(night.id)).length;
		const path = randomUUID();
		const webhook = { path, httpMethod: 'POST', responseMode: 'onReceived' };
		const id = await saveChain(
			[
				{ name: 'Webhook', type: 'n8n-nodes-base.webhook', webhookId: path, parameters: webhook },
				{
					name: 'Prompts',
					type: 'n8n-nodes-base.splitOut',
					parameters: { fieldToSplitOut: 'body.prompts', options: {} },
				},
				seedance({ prompt: '={{ $json["body.prompts"] }}', downloadVideo: true, ...parameters }),
				{ ...POST, credentials: accounts[POST.type] },
			],
			{ settings: { errorWorkflow: night.id } },
		);
		await api.activateWorkflow(id);
		await deliver(`${n8n.baseUrl}/webhook/${path}`, { prompts });
		const [{ status }] = await runsOf(id, 1);
		expect(status).toBe('error');
		const errorRuns = (await runsOf(night.id, before + 1)).slice(before);
		expect(errorRuns).toMatchObject([{ status: 'success', mode: 'error' }]);
		await api.deactivateWorkflow(id);
		expect(toPerson()).toHaveLength(1);
		const [text] = toPerson().map(shown);
		expect(text).toMatch(
			new RegExp(`^Workflow: .+\\nStep: .+\\nRun: ${n8n.baseUrl}/workflow/${id}/`),
		);
		return text;
	}

	beforeAll(async () => {
		night = await importAnswered('tell-me-at-night.json', { 'your chat ID': telegram.person });
		await api.activateWorkflow(night.id);
	});

	afterAll(async () => await api.deactivateWorkflow(night.id));

	it('says of a video that failed why, that it cost nothing, and its task ID; foreign signs do no harm', async () => {
		videos.hold();
		const message = textAbout(['A <b & _kite']);
		await sandbox.ledger.until((ledger) => ledger.charges().length === 1);
		const [id] = videos.ids();
		sandbox.finish(id, { status: 'FAILED', errorMessage: '1 < 2 & _boats' });
		const text = await message;
		expect(text).toContain('Step: Seedance\n');
		expect(text).toMatch(/\n\nWhat failed: .*1 < 2 & _boats/);
		expect(text).toContain('\n\nWhat it cost: Nothing.');
		expect(text).toMatch(/\n\nWhat to do: \w/);
		expect(text).toContain(`\n\nTask IDs: ${id} (task_failed)`);
	});

	it('says of several videos what the good ones have cost, and each task ID', async () => {
		sandbox.faults.on('status', { kind: 'failed' }, { prompt: 'A bad one', times: 'always' });
		const text = await textAbout(['A good one', 'A bad one', 'Another good one']);
		const [first, bad, last] = videos.ids();
		expect(text).toMatch(/What failed: 2 of 3 videos are ready and paid\./);
		expect(text).toContain('What it cost: 16 credits were spent');
		expect(text).toMatch(/What to do: [^]*Click Retry in Executions/);
		expect(text).toContain(`Task IDs: ${first} (ready), ${bad} (task_failed), ${last} (ready)`);
	});

	it('says of a request whose outcome is unknown that its cost is not known, and where to look', async () => {
		sandbox.faults.on('generate', { kind: 'accept-then-reset' });
		const text = await textAbout(['A boat in fog']);
		expect(text).toMatch(/What it cost: Not known\..*dashboard/);
		expect(text).toContain('Task IDs: none');
	});

	it('says of another node that videos made before it are paid, and to look before it is tried again', async () => {
		proxy.trouble(/sendVideo$/, telegramError(502, 'Bad Gateway'));
		const text = await textAbout(['A dog']);
		expect(text).toContain('Step: Post the video\n');
		expect(text).toMatch(/What it cost: Nothing at this step.*Seedance Videos/);
		expect(text).toMatch(/look there first, it may have arrived/);
		expect(paid()).toEqual([8]);
		expect(inChannel()).toEqual([]);
	});
});
