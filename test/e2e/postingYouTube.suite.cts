// idea-to-youtube.json: rows of a Google Sheet become videos on YouTube, each once, whatever fails in between.
import { join } from 'node:path';
import type { IDataObject } from 'n8n-workflow';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import {
	api,
	endOf,
	posts,
	runsOf,
	sandbox,
	startWorkflow,
	until,
	videos,
} from '../support/n8n/world.cjs';
import { googleError } from '../support/networks/google.cjs';
import type { Call } from '../support/networks/network.cjs';
import { google, proxy, sheets, youtube } from '../support/networks/world.cjs';
import { quotaExceeded, uploadLimitExceeded } from '../support/networks/youtube.cjs';
import { startChatModel, type ChatModel } from './chatModel.cjs';
import { FOLDER, nodeOf, readWorkflow } from './examples.cjs';
import { fileOf, hashOf, importPosting, runOnce } from './posting.cjs';

type SheetRow = Partial<Record<'id' | 'idea' | 'status' | 'link' | 'reason', string | number>>;

const FILE = 'idea-to-youtube.json';
const COLUMNS = ['id', 'idea', 'status', 'link', 'reason'];

/** The two steps of an upload: the session, and the bytes. */
const SESSION = /^POST www\.googleapis\.com\/upload/;
const BYTES = /^PUT www\.googleapis\.com\/upload/;

const writes = (word: string) => (call: Call) =>
	call.host === 'sheets.googleapis.com' && call.method === 'POST' && call.body.includes(word);

/** What the model writes for an idea. */
const textsOf = (idea: string) => ({
	prompt: `${idea}, at dawn`,
	title: `<${idea}>`,
	caption: `Look: ${idea} #shorts`,
});

/** A video on the channel, as the texts of an idea make it. */
const published = async (idea: string) => ({
	title: idea,
	description: `Look: ${idea} #shorts`,
	privacyStatus: 'private',
	file: await fileOf(textsOf(idea).prompt),
});

const channel = () =>
	youtube.videos.map(({ bytes, ...video }) => ({ ...video, file: hashOf(bytes) }));

const linkTo = (index: number) => `https://youtu.be/${youtube.videos[index].id}`;

/** A time as the example writes it, in the zone that n8n has by default. */
const minutesAgo = (minutes: number) => {
	const options = { timeZone: 'America/New_York', dateStyle: 'short', timeStyle: 'short' } as const;
	// Sweden writes 2026-01-31 09:05.
	return new Intl.DateTimeFormat('sv-SE', options).format(Date.now() - minutes * 60_000);
};

describe(FILE, () => {
	let model: ChatModel;
	let workflow: SavedWorkflow;
	/** With the limit of a day that the file has. */
	let limited: SavedWorkflow;
	/** With 3 seconds for each video. */
	let hasty: SavedWorkflow;

	/** The model responds with the texts of these ideas, in order. */
	const willWrite = (...ideas: string[]) => {
		for (const idea of ideas) model.script.push(JSON.stringify({ output: textsOf(idea) }));
	};

	/** Runs the example, for which the model writes the texts of these ideas. */
	async function run(...ideas: string[]) {
		willWrite(...ideas);
		return await runOnce(workflow);
	}

	const fill = (...rows: SheetRow[]) => sheets.fill(COLUMNS, rows);

	beforeAll(async () => {
		model = await startChatModel();
		const data = { apiKey: 'none', url: model.baseUrl };
		const stored = await api.createCredential({ name: 'A stand-in', type: 'openAiApi', data });
		const openAi = { openAiApi: { id: stored.id, name: stored.name } };
		const credentials = { 'OpenAI Chat Model': openAi };
		const documentId = { __rl: true, mode: 'list', value: sheets.spreadsheetId };
		const filledIn = { 'Get the ideas': { documentId } };
		const { options } = nodeOf(readWorkflow(join(FOLDER, FILE)), 'Make the video').parameters;
		const creditBudget = { budget: { credits: 10_000, period: 'day', budgetFor: 'Tests' } };
		const imported = async (more: IDataObject) =>
			await importPosting(FILE, filledIn, {
				credentials,
				changes: {
					'Make the video': { options: { ...Object(options), pollInterval: 1, ...more } },
				},
			});
		limited = await imported({});
		workflow = await imported({ creditBudget });
		hasty = await imported({ creditBudget, timeout: 0.05 });
	});

	beforeEach(() => {
		model.script.length = 0;
		model.requests.length = 0;
	});

	afterEach(() => expect(sandbox.ledger.doubleCharges()).toEqual([]));

	afterAll(async () => await model.close());

	it('posts one idea in each run, with the file, title and caption of its own row, and leaves the others alone', async () => {
		const boat = 'A boat, "blue" & {quick} 🚤';
		const rows: SheetRow[] = [
			{ id: 1, idea: 'Was posted', status: 'posted', link: 'x' },
			{ id: 2, idea: '' },
			{ id: 3, idea: 'Twice' },
			{ id: 3, idea: 'Twice again' },
			{ id: '', idea: 'Without an id' },
			{ id: 4, idea: 'In the works', status: `making ${minutesAgo(5)}` },
			{ id: 5, idea: 'Unclear', status: 'check' },
			{ id: 6, idea: boat },
			{ id: 7, idea: 'A cat' },
		];
		fill(...rows);
		const before = sheets.rows();
		await run(boat);
		await run('A cat');
		await run();
		expect(channel()).toMatchObject([await published(boat), await published('A cat')]);
		expect(new Set(channel().map(({ file }) => file)).size).toBe(2);
		expect(sheets.rows()).toEqual([
			...before.slice(0, 7),
			{ id: 6, idea: boat, status: 'posted', link: linkTo(0), reason: '' },
			{ id: 7, idea: 'A cat', status: 'posted', link: linkTo(1), reason: '' },
		]);
		expect(JSON.stringify(model.requests[0].messages)).toContain(JSON.stringify(boat).slice(1, -1));
		expect(posts().map(({ json }) => json)).toMatchObject([
			{ prompt: textsOf(boat).prompt, aspect_ratio: '9:16', resolution: '720p', duration: '8' },
			{ prompt: textsOf('A cat').prompt },
		]);
		for (const step of [SESSION, BYTES]) expect(proxy.callsTo(step)).toHaveLength(2);
		// The row says so before YouTube hears of the video.
		const [said] = proxy.callsTo(writes('check'));
		const [session] = proxy.callsTo(SESSION);
		expect(proxy.calls.indexOf(said)).toBeLessThan(proxy.calls.indexOf(session));
	});

	it.each([
		[
			'the quota is spent',
			() => proxy.trouble(SESSION, quotaExceeded()),
			'failed',
			/quota of the day/,
		],
		[
			'YouTube takes no more today',
			() => proxy.trouble(SESSION, uploadLimitExceeded()),
			'failed',
			/Bad request/,
		],
		[
			'the bytes are refused',
			() => proxy.trouble(BYTES, googleError(403, 'forbidden', 'No')),
			'failed',
			/403/,
		],
		[
			'the session fails',
			() => proxy.trouble(SESSION, googleError(503, 'backendError', 'x')),
			'check',
			/YouTube: /,
		],
		[
			'the upload fails',
			() => proxy.trouble(BYTES, googleError(503, 'backendError', 'x')),
			'check',
			/503/,
		],
		['the connection breaks', () => proxy.trouble(BYTES, 'reset'), 'check', /ECONNRESET/],
		['the response is lost', () => proxy.trouble(BYTES, 'lost response'), 'check', /ECONNRESET/],
	])(
		'when %s, says so in the row, does not try again by itself, and posts the same video, free, when a person wants it',
		async (name, plan, status, reason) => {
			fill({ id: 1, idea: name });
			plan();
			await run(name);
			const isThere = name === 'the response is lost' ? 1 : 0;
			expect(youtube.videos).toHaveLength(isThere);
			const row = { status, link: '', reason: expect.stringMatching(reason) };
			expect(sheets.rows()).toMatchObject([row]);

			const uploads = proxy.callsTo(SESSION).length;
			await run();
			expect(proxy.callsTo(SESSION)).toHaveLength(uploads);
			expect(sheets.rows()).toMatchObject([row]);

			sheets.edit(1, { status: '' });
			await run(name);
			expect(channel().slice(isThere)).toMatchObject([await published(name)]);
			expect(sheets.rows()).toMatchObject([{ status: 'posted', link: linkTo(isThere) }]);
			expect(posts()).toHaveLength(1);
		},
	);

	it('gets a new access token when the old one has expired', async () => {
		fill({ id: 1, idea: 'A late boat' });
		google.expire();
		await run('A late boat');
		expect(youtube.videos).toHaveLength(1);
		expect(google.refreshes).toBeGreaterThan(0);
	});

	it('after Stop in the middle of the upload, says "check", and does not post again', async () => {
		fill({ id: 1, idea: 'A stopped boat' });
		willWrite('A stopped boat');
		const upload = proxy.hold(BYTES);
		const executionId = await startWorkflow(workflow.id);
		await upload.reached;
		await api.stopExecution(executionId);
		upload.release();
		await endOf(executionId);
		await until('YouTube has the video', () => youtube.videos.length === 1);
		await run();
		expect(youtube.videos).toHaveLength(1);
		expect(sheets.rows()).toMatchObject([
			{ status: 'check', reason: expect.stringMatching(/has not said yet/) },
		]);
		expect(posts()).toHaveLength(1);
	});

	it('after Stop while the video is made, goes on with it half an hour later, without paying again', async () => {
		fill({ id: 1, idea: 'A slow boat' });
		willWrite('A slow boat');
		videos.hold();
		const executionId = await startWorkflow(workflow.id);
		await sandbox.ledger.until((ledger) => ledger.statusReads().length > 0);
		await api.stopExecution(executionId);
		await endOf(executionId);
		sandbox.finish(videos.ids()[0]);
		await run();
		expect(youtube.videos).toEqual([]);
		expect(sheets.rows()).toMatchObject([{ status: expect.stringMatching(/^making \d{4}-/) }]);

		sheets.edit(1, { status: `making ${minutesAgo(31)}` });
		await run('A slow boat');
		expect(channel()).toMatchObject([await published('A slow boat')]);
		expect(posts()).toHaveLength(1);
	});

	it('does not take a row that another run is at', async () => {
		fill({ id: 1, idea: 'A busy boat' });
		willWrite('A busy boat');
		videos.hold();
		const executionId = await startWorkflow(workflow.id);
		await sandbox.ledger.until((ledger) => ledger.statusReads().length > 0);
		await run();
		sandbox.finish(videos.ids()[0]);
		await endOf(executionId);
		expect(model.requests).toHaveLength(1);
		expect(youtube.videos).toHaveLength(1);
		expect(posts()).toHaveLength(1);
	});

	it('does not post a video whose row it cannot mark first, nor again when it cannot write the link', async () => {
		fill({ id: 1, idea: 'An unmarked boat' });
		const down = () => googleError(503, 'backendError', 'The service is currently unavailable.');
		proxy.trouble(writes('check'), down());
		await run('An unmarked boat');
		expect(proxy.callsTo(SESSION)).toEqual([]);

		sheets.edit(1, { status: '' });
		proxy.trouble(writes('youtu.be'), down());
		await run('An unmarked boat');
		await run();
		expect(youtube.videos).toHaveLength(1);
		expect(sheets.rows()).toMatchObject([{ status: 'check' }]);
		expect(posts()).toHaveLength(1);
	});

	it('does not post the video of a row that is gone', async () => {
		fill({ id: 1, idea: 'A lost boat' });
		willWrite('A lost boat');
		videos.hold();
		const executionId = await startWorkflow(workflow.id);
		await sandbox.ledger.until((ledger) => ledger.statusReads().length > 0);
		fill();
		sandbox.finish(videos.ids()[0]);
		await endOf(executionId);
		expect(proxy.callsTo(SESSION)).toEqual([]);
	});

	it.each<[string, () => void, string, RegExp]>([
		['nothing was written', () => (model.script.length = 0), 'failed', /^The AI model: /],
		['it fails', () => sandbox.faults.on('status', { kind: 'failed' }), 'failed', /task seed/],
		[
			'it may have been started',
			() => sandbox.faults.on('generate', { kind: 'accept-then-reset' }),
			'check',
			/may have been/,
		],
		['it takes too long', () => videos.hold(), '', /not ready/],
	])(
		'when there is no video because %s, says so, and takes the row again only where that is free',
		async (why, plan, status, reason) => {
			fill({ id: 1, idea: why });
			willWrite(why);
			plan();
			await runOnce(hasty);
			expect(sheets.rows()).toMatchObject([{ status, reason: expect.stringMatching(reason) }]);
			const paid = posts().length;
			sandbox.speed = 1000;
			if (status === '') willWrite(why);
			await runOnce(hasty);
			expect(posts()).toHaveLength(paid);
			expect(youtube.videos).toHaveLength(status === '' ? 1 : 0);
			expect(sheets.rows()).toMatchObject([{ status: status || 'posted' }]);
		},
	);

	it('makes 3 videos a day, and lets the other rows wait', async () => {
		const ideas = ['one', 'two', 'three', 'four'];
		fill(...ideas.map((idea, index) => ({ id: index + 1, idea })));
		willWrite(...ideas);
		for (const _ of ideas) await runOnce(limited);
		expect(youtube.videos).toHaveLength(3);
		const posted = { status: 'posted' };
		const waiting = { status: '', reason: expect.stringMatching(/28 credits.*84/) };
		expect(sheets.rows()).toMatchObject([posted, posted, posted, waiting]);
		expect((await runsOf(limited.id, 4)).map(({ status }) => status)).toEqual(
			Array(4).fill('success'),
		);
		expect(sandbox.ledger.spent).toBe(84);
	});
});
