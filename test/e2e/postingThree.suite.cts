// one-video-three-networks.json: a row's video goes to YouTube, Instagram and Telegram, to each of them once, and a network that
// fails does not keep it from the others.
import type { IDataObject } from 'n8n-workflow';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import {
	api,
	crash,
	endOf,
	posts,
	sandbox,
	startWorkflow,
	until,
	videos,
} from '../support/n8n/world.cjs';
import { googleError } from '../support/networks/google.cjs';
import { graphError, publishingLimit } from '../support/networks/instagram.cjs';
import { reply } from '../support/networks/network.cjs';
import { telegramError, tooManyRequests } from '../support/networks/telegram.cjs';
import { google, instagram, proxy, telegram, youtube } from '../support/networks/world.cjs';
import { quotaExceeded } from '../support/networks/youtube.cjs';
import { LIST, VideoTable } from './examples.cjs';
import { fileOf, hashOf, importPosting, runOnce } from './posting.cjs';

const FILE = 'one-video-three-networks.json';
const TABLE = 'Videos for Three Networks';

/** The step of each network that makes the post. */
const YOUTUBE = /^PUT www\.googleapis\.com\/upload/;
const INSTAGRAM = /\/media_publish$/;
const TELEGRAM = /\/sendVideo$/;

const OUTCOMES = ['youtube', 'instagram', 'telegram'] as const;

/** A row as a person fills it in, and what its columns say once all networks have it. */
const BOAT = { prompt: 'A boat', title: 'A <blue> boat', caption: 'Look! #boat' };
const DONE = {
	youtube: expect.stringMatching(/^https:\/\/youtu\.be\/\S+$/),
	instagram: expect.stringMatching(/^posted \d+$/),
	telegram: expect.stringMatching(/^posted \d+$/),
};

/** What each network shows to the world. */
const shown = () => ({
	youtube: youtube.videos.map(({ title, description, bytes }) => [
		title,
		description,
		hashOf(bytes),
	]),
	instagram: instagram.reels.map(({ caption, bytes }) => [caption, hashOf(bytes)]),
	telegram: telegram.messages.map(({ text, video }) => [text, hashOf(video)]),
});

/** The numbers of posts there. */
const counts = () =>
	[youtube.videos, instagram.reels, telegram.messages].map(({ length }) => length);

describe(FILE, () => {
	let workflow: SavedWorkflow;
	let table: VideoTable;

	/** Fills the table with rows alone. */
	async function fill(...rows: IDataObject[]): Promise<void> {
		await table.empty();
		await table.add(...rows);
	}

	const run = async () => expect(await runOnce(workflow)).toMatchObject({ status: 'success' });

	/** What a person changes in the row that is there. */
	const edit = async (cells: IDataObject) => await table.edit((await table.rows())[0].id, cells);

	/** Interrupts the run while a call is in flight: the call arrives, its response is lost. */
	async function interrupted(call: RegExp, interrupt: (executionId: string) => Promise<void>) {
		const held = proxy.hold(call);
		const executionId = await startWorkflow(workflow.id);
		await held.reached;
		await interrupt(executionId);
		held.release();
	}

	beforeAll(async () => {
		const creditBudget = { budget: { credits: 10_000, period: 'day', budgetFor: 'Tests' } };
		const filledIn = {
			'Make the container': { node: instagram.userId },
			'Send to the channel': { chatId: telegram.channel },
		};
		const changes = {
			'Make the video': { options: { creditBudget, pollInterval: 1 } },
			'Wait for Instagram': { amount: 0.1 },
		};
		workflow = await importPosting(FILE, filledIn, { changes });
		await run();
		[table] = await VideoTable.named(TABLE);
	});

	// n8n gives the IDs of deleted rows again; the sandbox has forgotten their videos.
	beforeEach(async () => {
		for (const list of await VideoTable.named(LIST)) await list.empty();
	});

	afterEach(() => expect(sandbox.ledger.doubleCharges()).toEqual([]));

	it('makes its table on the first run, and pays nothing for it', async () => {
		await table.empty();
		await run();
		const columns = ['prompt', 'title', 'caption', ...OUTCOMES, 'video_url', 'error'];
		expect([...table.columns].sort()).toEqual(columns.map((name) => `${name}: string`).sort());
		expect(posts()).toEqual([]);
	});

	it('posts the video of one row on each network, with its own title and caption, and once in all runs', async () => {
		await fill(BOAT, { prompt: 'A cat', caption: 'M'.repeat(3000) });
		for (const _ of ['boat', 'cat', 'nothing']) await run();
		const [boat, cat] = [await fileOf('A boat'), await fileOf('A cat')];
		expect(new Set([boat, cat, undefined]).size).toBe(3);
		const long = 'M'.repeat(3000);
		expect(shown()).toEqual({
			youtube: [
				['A blue boat', 'Look! #boat', boat],
				['A cat', long, cat],
			],
			instagram: [
				['Look! #boat', boat],
				[long.slice(0, 2200), cat],
			],
			telegram: [
				['Look! #boat', boat],
				[long.slice(0, 1024), cat],
			],
		});
		expect(await table.rows()).toMatchObject([
			{ ...BOAT, ...DONE, error: '' },
			{ prompt: 'A cat', ...DONE },
		]);
		// Twice not ready, then ready; and published once.
		const calls = proxy.callsTo(/^\w+ graph\.facebook\.com/).map(({ method }) => method);
		expect(calls.slice(0, 5)).toEqual(['POST', 'GET', 'GET', 'GET', 'POST']);
		expect(posts().map(({ json }) => json)).toMatchObject([
			{ prompt: 'A boat' },
			{ prompt: 'A cat' },
		]);
	});

	it('gets a new access token from Google when the old one has expired', async () => {
		await fill(BOAT);
		google.expire();
		await run();
		expect(await table.rows()).toMatchObject([DONE]);
		expect(google.refreshes).toBe(1);
	});

	it.each<[string, () => void, Partial<Record<(typeof OUTCOMES)[number], RegExp>>, number[]]>([
		[
			'refuses',
			() => {
				proxy.trouble(/^POST www\.googleapis\.com\/upload/, quotaExceeded());
				proxy.trouble(INSTAGRAM, publishingLimit());
				proxy.trouble(TELEGRAM, tooManyRequests(30));
			},
			{
				youtube: /^failed: .*quota/,
				instagram: /^failed: /,
				telegram: /^failed: .*retry after 30/,
			},
			[0, 0, 0],
		],
		[
			'fails',
			() => {
				proxy.trouble(YOUTUBE, googleError(503, 'backendError', 'x'));
				proxy.trouble(INSTAGRAM, graphError(500, { message: 'x', code: 2 }));
				proxy.trouble(TELEGRAM, telegramError(502, 'Bad Gateway'));
			},
			{ youtube: /^check: /, instagram: /^check: /, telegram: /^check: Bad Gateway/ },
			[0, 0, 0],
		],
		[
			'takes the post, and its response is lost',
			() => {
				for (const call of [YOUTUBE, INSTAGRAM, TELEGRAM]) proxy.trouble(call, 'lost response');
			},
			{ youtube: /^check: /, instagram: /^check: /, telegram: /^check: / },
			[1, 1, 1],
		],
		[
			'does not know the accounts any more',
			() => {
				google.revoke();
				instagram.expire();
				telegram.revoke();
			},
			{ youtube: /^(failed|check): /, instagram: /^failed: /, telegram: /^failed: Unauthorized/ },
			[0, 0, 0],
		],
		[
			'cannot use the video',
			() => {
				const status = 'Error: Media upload has failed with error code 2207026';
				proxy.trouble(/^GET graph\./, reply(200, { status_code: 'ERROR', status, id: '1' }));
			},
			{ instagram: /^failed: Error: .*2207026/ },
			[1, 0, 1],
		],
		[
			'breaks before Instagram has the container',
			() => proxy.trouble(/\/media$/, 'reset'),
			{ instagram: /^failed: / },
			[1, 0, 1],
		],
	])(
		'when a network %s, says so in the row, and tries again, free, only when a person wants it',
		async (_, plan, texts, there) => {
			await fill(BOAT);
			plan();
			await run();
			const outcomes = Object.entries(texts).map(([name, text]) => {
				return [name, expect.stringMatching(text)];
			});
			expect(await table.rows()).toMatchObject([{ ...DONE, ...Object.fromEntries(outcomes) }]);
			expect(counts()).toEqual(there);

			await run();
			expect(counts()).toEqual(there);

			for (const network of [google, instagram, telegram]) network.restore();
			await edit(Object.fromEntries(Object.keys(texts).map((name) => [name, ''])));
			await run();
			expect(await table.rows()).toMatchObject([DONE]);
			expect(counts()).toEqual(
				there.map((count, index) => count + (OUTCOMES[index] in texts ? 1 : 0)),
			);
			expect(posts()).toHaveLength(1);
		},
	);

	it.each<[string, (executionId: string) => Promise<void>]>([
		['Stop', async (executionId) => await api.stopExecution(executionId)],
		['a crash of n8n', async () => await crash()],
	])(
		'after %s in the middle of a post, posts nothing twice, and the rest in the next run',
		async (_, interrupt) => {
			await fill(BOAT);
			await interrupted(YOUTUBE, interrupt);
			await until('YouTube has the video', () => youtube.videos.length === 1);
			expect(counts()).toEqual([1, 0, 0]);
			await run();
			expect(counts()).toEqual([1, 1, 1]);
			const youtubeSays = expect.stringMatching(/^check: /);
			expect(await table.rows()).toMatchObject([{ ...DONE, youtube: youtubeSays }]);
			await run();
			expect(counts()).toEqual([1, 1, 1]);
			expect(posts()).toHaveLength(1);
		},
		120_000,
	);

	it('posts once when two runs are at the same row at the same time', async () => {
		await fill(BOAT);
		videos.hold();
		const ids = [await startWorkflow(workflow.id), await startWorkflow(workflow.id)];
		await sandbox.ledger.until((ledger) => ledger.statusReads().length > 1);
		sandbox.finish(videos.ids()[0]);
		for (const id of ids) expect((await endOf(id)).status).toBe('success');
		expect(counts()).toEqual([1, 1, 1]);
		expect(await table.rows()).toMatchObject([DONE]);
		expect(posts()).toHaveLength(1);
	});

	it('says why there is no video, in all columns that are empty', async () => {
		await fill({ ...BOAT, youtube: 'none' });
		sandbox.faults.on('status', { kind: 'failed' });
		for (const _ of ['fails', 'is left alone']) await run();
		const failed = 'failed: no video';
		const error = expect.stringMatching(/could not be generated/);
		const row = { youtube: 'none', instagram: failed, telegram: failed, error };
		expect(await table.rows()).toMatchObject([row]);
		expect(posts()).toHaveLength(1);
		expect(counts()).toEqual([0, 0, 0]);
	});

	it('takes a row again by itself when only credits were missing', async () => {
		await fill(BOAT);
		sandbox.faults.on('generate', { kind: 'error', code: 'INSUFFICIENT_CREDITS' });
		await run();
		const error = expect.stringMatching(/credits/);
		expect(await table.rows()).toMatchObject([{ youtube: null, telegram: null, error }]);
		await run();
		expect(await table.rows()).toMatchObject([{ ...DONE, error: '' }]);
		expect(counts()).toEqual([1, 1, 1]);
	});
});
