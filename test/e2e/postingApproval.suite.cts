// The example in which a person approves a draft: with n8n's own form, Telegram and Send and Wait.
import type { SavedWorkflow } from '../support/n8n/server.cjs';
import { api, deliver, endOf, executionIds, posts, runsOf, videos } from '../support/n8n/world.cjs';
import { telegramError } from '../support/networks/telegram.cjs';
import { proxy, telegram } from '../support/networks/world.cjs';
import {
	asked,
	decide,
	decisionForm,
	emptyList,
	bytesOf,
	importAnswered,
	inChannel,
	paid,
	sendForm,
	shown,
	toPerson,
} from './postingTelegram.cjs';

const FILE = 'draft-approve-publish.json';
const PUBLISH = 'Publish it';
const ANOTHER = 'Make another draft';
const SEND_VIDEO = /^POST api\.telegram\.org\/.*\/sendVideo$/;
const SEND_MESSAGE = /^POST api\.telegram\.org\/.*\/sendMessage$/;

/** Signs that break a text in Telegram's Markdown and HTML. */
const CAPTION = 'Windy_today * <b & "c"';

const DRAFT = { aspect_ratio: '9:16', resolution: '480p', duration: '4' };
const VIDEO = { aspect_ratio: '9:16', resolution: '720p', duration: '8', generate_audio: true };

const FILLED_IN = {
	'the chat ID of the person who decides': telegram.person,
	'the @name or chat ID of your channel': telegram.channel,
};

describe(FILE, () => {
	let workflow: SavedWorkflow;
	/** Executions before the test. */
	let before: number;

	/** The executions of this test, once all have ended. */
	async function ended(count = 1) {
		const all = await runsOf(workflow.id, before + count);
		return all.slice(before).map(({ status }) => status);
	}

	beforeAll(async () => {
		workflow = await importAnswered(FILE, FILLED_IN);
		await api.activateWorkflow(workflow.id);
	});

	beforeEach(async () => {
		await emptyList();
		before = (await api.listExecutions(workflow.id)).length;
	});

	// Clears the question that a failed test left open.
	afterEach(async () => {
		for (const { id, status } of await api.listExecutions(workflow.id)) {
			if (['running', 'waiting'].includes(status)) await api.stopExecution(id);
		}
	});

	afterAll(async () => await api.deactivateWorkflow(workflow.id));

	it('shows a draft, puts the remark into the next one, and posts what was approved: once, byte for byte', async () => {
		await sendForm(workflow, 'A kite', CAPTION);
		await decide(await asked(workflow), ANOTHER, 'More wind.');
		const url = await asked(workflow, 2);
		const page = await deliver(url, undefined, { method: 'GET' });
		expect(page.data).toContain('Draft 2 of 3. Publish it?');
		await decide(url, PUBLISH, 'Not read.');
		expect(await ended()).toEqual(['success']);

		const prompt = 'A kite More wind.';
		const orders = [
			{ ...DRAFT, prompt: 'A kite' },
			{ ...DRAFT, prompt },
			{ ...VIDEO, prompt },
		];
		expect(posts().map(({ json }) => json)).toEqual(orders);
		expect(paid()).toEqual([8, 8, 56]);
		const [first, second, full] = await Promise.all(videos.ids().map(bytesOf));
		expect(toPerson()).toMatchObject([
			{ text: 'Draft 1 of 3', video: first },
			{ text: 'Draft 1 of 3. Publish it?' },
			{ text: 'Draft 2 of 3', video: second },
			{ text: 'Draft 2 of 3. Publish it?' },
		]);
		expect(inChannel()).toMatchObject([{ text: CAPTION, video: full }]);

		await deliver(url, new FormData());
		expect(await ended()).toEqual(['success']);
		expect(inChannel()).toHaveLength(1);
	});

	it('takes a decision once, also when it is sent twice at the same moment', async () => {
		await sendForm(workflow, 'A swan', CAPTION);
		const url = await asked(workflow);
		const sent = [1, 2].map(async () => await deliver(url, decisionForm(PUBLISH)));
		const statuses = (await Promise.all(sent)).map(({ status }) => status);
		expect(statuses).toContain(200);
		expect(await ended()).toEqual(['success']);
		expect(inChannel()).toHaveLength(1);
		expect(paid()).toEqual([8, 56]);
	});

	it.each([
		['three times', [ANOTHER, ANOTHER, ANOTHER], /^Three drafts were refused.*another prompt/],
		['for good', ['Stop here'], /^Nothing is published/],
	])('publishes nothing that was refused %s, and says so', async (_, decisions, message) => {
		await sendForm(workflow, `A boat ${decisions.length}`, CAPTION);
		for (const [index, decision] of decisions.entries()) {
			await decide(await asked(workflow, index + 1), decision);
		}
		expect(await ended()).toEqual(['success']);
		expect(paid()).toEqual(decisions.map(() => 8));
		expect(shown(toPerson().at(-1)!)).toMatch(message);
		expect(inChannel()).toEqual([]);
	});

	it.each([
		['is refused', telegramError(400, 'Bad Request: <not_enough rights'), 0],
		['gets an error', telegramError(502, 'Bad Gateway'), 0],
		['gets no response', 'lost response' as const, 1],
	])(
		'sends a post that %s no second time, and informs the person',
		async (what, trouble, arrived) => {
			await sendForm(workflow, `A cat ${what}`, CAPTION);
			const url = await asked(workflow);
			proxy.trouble(SEND_VIDEO, trouble);
			await decide(url, PUBLISH);
			expect(await ended()).toEqual(['success']);
			expect(inChannel()).toHaveLength(arrived);
			expect(proxy.callsTo(SEND_VIDEO)).toHaveLength(2);
			const message = shown(toPerson().at(-1)!);
			expect(message).toMatch(/ready and paid.*Look into the channel first/);
			expect(message).toContain(`/videos/${videos.ids()[1]}.mp4`);
			if (what === 'is refused') expect(message).toContain('<not_enough rights');
			expect(paid()).toEqual([8, 56]);
		},
	);

	it('goes on after Retry where Telegram could not be reached, with the draft that is there', async () => {
		proxy.trouble(SEND_MESSAGE, telegramError(502, 'Bad Gateway'));
		await sendForm(workflow, 'A dog', CAPTION);
		expect(await ended()).toEqual(['error']);
		const [{ id }] = await api.listExecutions(workflow.id);
		const retried = await api.retryExecution(id);
		executionIds.push(retried.id);
		await decide(await asked(workflow), PUBLISH);
		expect((await endOf(retried.id)).status).toBe('success');
		expect(paid()).toEqual([8, 56]);
		expect(inChannel()).toHaveLength(1);
	});

	it('stopped while it posts, posts no more; the same words again cost nothing', async () => {
		await sendForm(workflow, 'A fox', CAPTION);
		const url = await asked(workflow);
		const hold = proxy.hold(SEND_VIDEO);
		await decide(url, PUBLISH);
		await hold.reached;
		const [{ id }] = await api.listExecutions(workflow.id);
		await api.stopExecution(id);
		await endOf(id);
		hold.release();
		expect(await ended()).toEqual(['canceled']);
		expect(proxy.callsTo(SEND_VIDEO)).toHaveLength(2);
		const posted = inChannel().length;

		await sendForm(workflow, 'A fox', CAPTION);
		await decide(await asked(workflow, 2), PUBLISH);
		expect(await ended(2)).toEqual(['canceled', 'success']);
		expect(inChannel()).toHaveLength(posted + 1);
		expect(paid()).toEqual([8, 56]);
	});

	it.each([
		['Make a draft', 7, 'draft', []],
		['Make the video', 60, 'video', [8]],
	])(
		'spends no more than the limit in "%s", and informs the person',
		async (node, credits, what, spent) => {
			const budget = { credits, period: 'day', budgetFor: '={{ $workflow.name }}' };
			const limited = await importAnswered(FILE, FILLED_IN, {
				[node]: { creditBudget: { budget }, includeInput: true },
			});
			await api.activateWorkflow(limited.id);
			await sendForm(limited, `A tea pot ${credits}`, CAPTION);
			if (spent.length) await decide(await asked(limited), PUBLISH);
			await runsOf(limited.id, 1);
			await api.deactivateWorkflow(limited.id);
			expect(paid()).toEqual(spent);
			const message = shown(toPerson().at(-1)!);
			expect(message).toMatch(new RegExp(`^There is no ${what}.*limit`));
			expect(message).toContain('Were credits spent? no. Task ID: none');
			expect(inChannel()).toEqual([]);
		},
	);
});
