// The examples with a Data Table: one starts videos, one hands them on when the callback comes, one when it does not; one
// makes a batch of videos from its rows, within a credit limit; and one delivers what interrupted runs have paid for.
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import {
	api,
	deliver,
	endOf,
	generate,
	n8n,
	output,
	posts,
	run,
	runsOf,
	sandbox,
	saveChain,
	seedance,
	start as startByHand,
	startWorkflow,
	THEN,
	videos,
} from '../support/n8n/world.cjs';
import {
	BATCH,
	COLUMNS,
	FOLDER,
	importExample,
	LIST,
	nodeOf,
	ORDERS,
	POST,
	posted,
	ready,
	runExample,
	startNetwork,
	taskOf,
	VideoTable,
	videoOf,
	type Cells,
	type Network,
	type Prompted,
	type Row,
} from './examples.cjs';

const IN_PROGRESS = { status: 'IN_PROGRESS' };

const list = async () => (await VideoTable.named(LIST))[0];

/** Marks these videos in the list as not delivered. */
async function untick(...prompts: Prompted[]): Promise<void> {
	for (const { id, prompt } of await (await list()).rows()) {
		if (!prompts.some((one) => one.prompt === prompt)) continue;
		await (await list()).edit(id, { handed_on: false });
	}
}

/** Waits until the videos of these are waited for. */
async function waitedFor(...prompts: Prompted[]): Promise<void> {
	await sandbox.ledger.until((ledger) =>
		prompts.every((one) => taskOf(one) && ledger.statusReads(taskOf(one)).length),
	);
}

describe('the examples with a Data Table', () => {
	let network: Network;
	let table: VideoTable;
	let batchTable: VideoTable;
	/** A workflow that runs by itself, and the address whose calls start it. */
	let published: string;
	let publishedUrl: string;
	let batch: SavedWorkflow;
	let starting: SavedWorkflow;
	let handing: SavedWorkflow;
	let lostCallbacks: SavedWorkflow;
	let catchUp: SavedWorkflow;
	let callbackUrl: string;
	/** Executions of `handing` before the test. */
	let before: number;

	/** Waits until as many callbacks of this test have started `handing`, and all of these runs have ended. */
	async function handedOn(runs: number): Promise<void> {
		await sandbox.callbacks.settled();
		const all = await runsOf(handing.id, before + runs);
		expect(all.map(({ status }) => status)).toEqual(Array(before + runs).fill('success'));
	}

	/** Adds rows, starts their videos and gives the rows as they are then. */
	async function start(...rows: Array<Partial<Cells>>): Promise<Row[]> {
		videos.hold();
		await table.add(...rows);
		await runExample(starting);
		return await table.rows();
	}

	const add = async (prompts: readonly string[]): Promise<Row[]> =>
		await batchTable.add(...prompts.map((prompt) => ({ prompt })));

	/** Lets more time pass for rows than an example waits for a callback. */
	async function catchUpOverdue(...rows: Row[]): Promise<void> {
		await table.letPass(31, ...rows);
		await runExample(lostCallbacks);
	}

	beforeAll(async () => {
		network = await startNetwork();
		const to = { [POST]: { url: network.url } };
		handing = await importExample('video-ready.json', to);
		await api.activateWorkflow(handing.id);
		const { webhookId } = nodeOf(handing, 'When a video is ready or has failed');
		callbackUrl = `${n8n.baseUrl}/webhook/${webhookId}/webhook`;
		const filledIn = { 'Start the videos': { callbackUrl } };
		starting = await importExample('generate-with-callback.json', filledIn);
		lostCallbacks = await importExample('lost-callbacks.json', to);
		catchUp = await importExample('catch-up.json', to);
		batch = await importExample('batch-with-credit-limit.json', to);
		const path = randomUUID();
		const parameters = { path, httpMethod: 'POST', responseMode: 'onReceived' };
		published = await saveChain([
			{ name: 'Webhook', type: 'n8n-nodes-base.webhook', webhookId: path, parameters },
			seedance({ prompt: '={{ $json.body.prompt }}', videoKey: '={{ $json.body.prompt }}' }),
			THEN,
		]);
		await api.activateWorkflow(published);
		publishedUrl = `${n8n.baseUrl}/webhook/${path}`;
		for (const one of [starting, batch]) await runExample(one);
		[table] = await VideoTable.named(ORDERS);
		[batchTable] = await VideoTable.named(BATCH);
	});

	beforeEach(async () => {
		network.posts.length = 0;
		network.isDown = false;
		for (const one of [table, batchTable, await list()]) await one?.empty();
		before = (await api.listExecutions(handing.id)).length;
	});

	afterEach(() => expect(sandbox.ledger.doubleCharges()).toEqual([]));

	afterAll(async () => {
		for (const id of [handing.id, published]) await api.deactivateWorkflow(id);
		await network.close();
	});

	it('make their tables on the first run, use them from then on, and can be published', async () => {
		for (const one of [starting, batch]) await runExample(one);
		for (const name of [ORDERS, BATCH]) {
			const [made, ...others] = await VideoTable.named(name);
			expect([...made.columns].sort()).toEqual(COLUMNS.map((column) => `${column}: string`).sort());
			expect(others).toEqual([]);
		}
		for (const { id } of [catchUp, lostCallbacks]) {
			await api.activateWorkflow(id);
			await api.deactivateWorkflow(id);
		}
	});

	it('spend nothing while the Callback URL is the placeholder, and say so in the row', async () => {
		const untouched = await importExample('generate-with-callback.json');
		await table.add({ prompt: 'A kite' });
		await runExample(untouched);
		const [row] = await table.rows();
		expect(row).toMatchObject({ status: 'FAILED', task_id: null });
		expect(row.error).toMatch(/^invalid_input: Callback URL "REPLACE THIS: .* is not a web link/);
		expect(posts()).toEqual([]);
	});

	it('post each video once, with the caption of its own row, and of a failed one write down why', async () => {
		const rows = await start(
			{ prompt: 'A kite over the sea', caption: 'Windy "today"' },
			{ prompt: 'A cat on a roof', caption: 'Meow\nmeow' },
			{ prompt: 'A tea pot', caption: 'Tea, 100 % 🍵' },
			{ prompt: 'A forbidden thing', caption: 'Never shown' },
		);
		const started = rows.map((row) => ({ ...IN_PROGRESS, task_id: taskOf(row), video_url: null }));
		expect(rows).toMatchObject(started);
		expect(network.posts).toEqual([]);

		const [bad, ...good] = [...rows].reverse();
		const errorMessage = 'The prompt was not accepted.';
		sandbox.finish(taskOf(bad), { status: 'FAILED', errorMessage });
		for (const row of good) sandbox.finish(taskOf(row));
		// One that was not started from a row touches none.
		const [other] = await generate(callbackUrl);
		sandbox.finish(other);
		await handedOn(5);
		expect(network.posts).toHaveLength(3);
		expect(network.posts).toEqual(expect.arrayContaining(good.map(posted)));
		const failed = { status: 'FAILED', error: errorMessage, video_url: null };
		expect(await table.rows()).toMatchObject([...good.reverse().map(ready), failed]);
		expect(posts()).toHaveLength(5);
	});

	it('start five rows per run, the oldest first, each with a video of its own', async () => {
		const prompts = ['one', 'two', 'three', 'four', 'five', 'one'];
		const rows = await start(...prompts.map((prompt) => ({ prompt })));
		expect(rows.map(({ status }) => status)).toEqual([...Array(5).fill('IN_PROGRESS'), null]);
		await runExample(starting);
		expect(posts()).toHaveLength(6);
	});

	it('hand on a video whose callback comes before its task ID is in the row, and pay once when two runs overlap', async () => {
		videos.hold();
		const [first, second] = await table.add(
			{ prompt: 'A quick one', caption: 'Quick' },
			{ prompt: 'A slow one', caption: 'Slow' },
		);
		sandbox.faults.on('generate', { kind: 'delay', ms: 4_000 }, { prompt: 'A slow one' });
		const executionId = await startWorkflow(starting.id);
		await sandbox.ledger.until((ledger) => ledger.postsWithPrompt('A slow one') === 1);
		sandbox.finish(taskOf(first));
		const early = await table.rowWhen(first.id, ({ status }) => status === 'SUCCESS');
		expect(early.video_url).toBe(videoOf(first));
		await runExample(starting);
		expect(await api.getExecution(executionId)).toMatchObject({ status: 'running' });

		await endOf(executionId);
		expect(posts()).toHaveLength(2);
		sandbox.finish(taskOf(second));
		await handedOn(2);
		expect(network.posts).toEqual([first, second].map(posted));
		expect(await table.rows()).toMatchObject([{ status: 'SUCCESS' }, { status: 'SUCCESS' }]);
	});

	it('write down why a row was not started, start the others, and try again when it is corrected', async () => {
		sandbox.ledger.balance = 14;
		const rows = await start(
			{ prompt: 'A'.repeat(2001) },
			{ prompt: 'A good one' },
			{ prompt: 'One too many' },
		);
		expect(rows.map(({ status }) => status)).toEqual(['FAILED', 'IN_PROGRESS', 'FAILED']);
		const [tooLong, , tooDear] = rows;
		expect(tooLong.error).toMatch(/^invalid_input: .*2001 characters/);
		expect(tooDear.error).toMatch(/^out_of_credits: .*No credits were spent/);

		sandbox.ledger.balance = 1_000;
		await runExample(starting);
		expect(sandbox.ledger.chargesPerBody().size).toBe(1);
		await table.edit(tooLong.id, { prompt: 'A short one', status: '' });
		await table.edit(tooDear.id, { status: '' });
		await runExample(starting);
		const corrected = await table.rows();
		expect(corrected).toEqual(
			corrected.map((row) => ({ ...row, ...IN_PROGRESS, task_id: taskOf(row), error: '' })),
		);
	});

	it('do not start a row again whose start is unclear, and hand its video on when it comes', async () => {
		sandbox.faults.on('generate', { kind: 'accept-then-reset' });
		const [row] = await start({ prompt: 'A boat in fog', caption: 'Fog' });
		expect(row).toMatchObject({ ...IN_PROGRESS, task_id: null });
		expect(row.error).toMatch(/^maybe_created: /);
		await runExample(starting);
		expect(posts()).toHaveLength(1);

		sandbox.finish(taskOf(row));
		await handedOn(1);
		expect(network.posts).toEqual([posted(row)]);
		expect(await table.rows()).toEqual([ready(row)]);
	});

	it('hand on a video whose callback was lost, and do not post it again when that comes late', async () => {
		sandbox.callbacks.planFor('A lost letter', { never: true });
		const [row] = await start({ prompt: 'A lost letter', caption: 'Found' });
		sandbox.finish(taskOf(row));
		await runExample(catchUp);
		expect(network.posts).toEqual([]);
		await catchUpOverdue(row);
		expect(network.posts).toEqual([posted(row)]);
		expect(await table.rows()).toEqual([ready(row)]);

		const task = sandbox.tasks.get(taskOf(row));
		if (!task) throw new Error('There is no such task');
		await sandbox.callbacks.deliver(task);
		await handedOn(1);
		await catchUpOverdue(row);
		expect(network.posts).toEqual([posted(row)]);
		expect(await table.rows()).toEqual([ready(row)]);
		expect(posts()).toHaveLength(1);
	});

	it('leave alone what is not overdue, and what is still being made', async () => {
		sandbox.callbacks.planFor('', { never: true });
		const [fresh, running] = await start({ prompt: 'Just begun' }, { prompt: 'Takes long' });
		sandbox.finish(taskOf(fresh));
		const rows = await table.rows();
		await catchUpOverdue(running);
		expect(sandbox.ledger.statusReads(taskOf(fresh))).toEqual([]);
		expect(sandbox.ledger.statusReads(taskOf(running))).toHaveLength(1);
		expect(await table.rows()).toEqual(rows);
		expect(network.posts).toEqual([]);
	});

	it('go on with the other rows when one cannot be read, and write down why', async () => {
		sandbox.callbacks.planFor('', { never: true });
		const [good, bad] = await start(
			{ prompt: 'A good end', caption: 'Good' },
			{ prompt: 'A bad end', caption: 'Bad' },
		);
		const [foreign, interrupted, unclear] = await table.add(
			{ ...IN_PROGRESS, task_id: sandbox.otherAccount.createTask() },
			IN_PROGRESS,
			{ ...IN_PROGRESS, error: 'maybe_created: The first reason.' },
		);
		sandbox.finish(taskOf(good));
		sandbox.finish(taskOf(bad), { status: 'FAILED', errorMessage: 'It was too dark.' });
		await catchUpOverdue(foreign, interrupted, good, bad, unclear);
		expect(network.posts).toEqual([posted(good)]);
		expect(await table.rows()).toMatchObject([
			{ id: good.id, status: 'SUCCESS', video_url: videoOf(good) },
			{ id: bad.id, status: 'FAILED', error: 'It was too dark.' },
			{ id: foreign.id, ...IN_PROGRESS, error: expect.stringMatching(/^task_not_found: /) },
			{ id: interrupted.id, ...IN_PROGRESS, error: expect.stringMatching(/^There is no task ID/) },
			{ id: unclear.id, ...IN_PROGRESS, error: 'maybe_created: The first reason.' },
		]);
	});

	it('write down that a video was not posted, and post it when asked to, without a new video', async () => {
		network.isDown = true;
		const [row] = await start({ prompt: 'A patient one', caption: 'At last' });
		sandbox.finish(taskOf(row));
		await handedOn(1);
		const [failed] = await table.rows();
		expect(failed).toMatchObject({ status: 'NOT_POSTED', video_url: videoOf(row) });
		expect(failed.error).toMatch(/503|Service unavailable/i);

		network.isDown = false;
		await table.edit(row.id, IN_PROGRESS);
		await catchUpOverdue(row);
		expect(network.posts).toEqual([posted(row)]);
		expect(await table.rows()).toMatchObject([{ status: 'SUCCESS', error: '' }]);
		expect(posts()).toHaveLength(1);
	});

	it('as a batch post each video with the caption of its own row, say in the others why not, and pay and post once in all runs', async () => {
		// The first is refused, the third fails: what follows has another place in each step.
		sandbox.faults.on('status', { kind: 'failed' }, { prompt: 'A bad end', times: 'always' });
		const rows = await batchTable.add(
			{ prompt: 'A'.repeat(2001), caption: 'Too long' },
			{ prompt: 'A kite', caption: 'Windy "today"' },
			{ prompt: 'A bad end', caption: 'Never shown' },
			{ prompt: 'A cat', caption: 'Meow\nmeow' },
			{ prompt: 'A tea pot', caption: 'Tea, 100 % 🍵' },
		);
		await runExample(batch);
		const [tooLong, kite, bad, cat, pot] = rows;
		expect(network.posts).toHaveLength(3);
		expect(network.posts).toEqual(expect.arrayContaining([kite, cat, pot].map(posted)));
		const because = (error: RegExp) => ({ status: 'FAILED', error: expect.stringMatching(error) });
		const refused = { ...tooLong, ...because(/^invalid_input: .*2001 characters/) };
		const failed = { ...bad, ...because(/^task_failed: /), task_id: taskOf(bad) };
		const others = [ready(kite), ready(cat), ready(pot)];
		expect(await batchTable.rows()).toEqual([refused, others[0], failed, ...others.slice(1)]);
		expect(posts()).toHaveLength(4);

		// The one that failed is tried again; of those that have their video, it does not count what the row says.
		await batchTable.edit(bad.id, { prompt: 'A good end' });
		for (const { id } of [kite, cat]) await batchTable.edit(id, { prompt: 'Else', status: '' });
		for (const _ of ['again', 'and again']) {
			await runExample(batch);
			expect(posts()).toHaveLength(5);
			expect(network.posts.slice(3)).toMatchObject([{ caption: bad.caption }]);
		}
		expect(await batchTable.rows()).toMatchObject([refused, {}, { status: 'SUCCESS' }, {}, {}]);
	});

	it('as a batch wait for all videos at the same time, go on with them after Stop, and post again what was not', async () => {
		videos.hold();
		const rows = await add(['one', 'two', 'three']);
		const executionId = await startWorkflow(batch.id);
		await waitedFor(...rows);
		await api.stopExecution(executionId);
		await endOf(executionId);
		for (const row of rows) sandbox.finish(taskOf(row));
		network.isDown = true;
		await runExample(batch);
		const notPosted = rows.map((row) => ({ ...ready(row), status: 'NOT_POSTED' }));
		const error = expect.stringMatching(/503|Service unavailable/i);
		expect(await batchTable.rows()).toEqual(notPosted.map((row) => ({ ...row, error })));
		network.isDown = false;
		await runExample(batch);
		expect(network.posts).toEqual([]);
		await untick(...rows);
		await runExample(batch);
		expect(network.posts).toEqual(expect.arrayContaining(rows.map(posted)));
		expect(await batchTable.rows()).toEqual(rows.map(ready));
		expect(posts()).toHaveLength(3);
	});

	it('as a batch spend no more than the limit of a day, of which other workflows take nothing, and the rows say so', async () => {
		await run({}, { rows: ['one', 'two'] });
		const others = sandbox.ledger.spent;
		await add(Array.from({ length: 10 }, (_, index) => `Number ${index}`));
		await runExample(batch);
		const [{ id }] = await add(['One too many']);
		await runExample(batch);
		expect(sandbox.ledger.spent - others).toBe(140);
		const made = Array(10).fill({ status: 'SUCCESS' });
		const error = expect.stringMatching(/^over_limit: .*14 credits.*150/);
		expect(await batchTable.rows()).toMatchObject([...made, { id, status: 'FAILED', error }]);
	});

	it('hand on, once, what a stopped run has paid for, but nothing of a living run, nor of one by hand', async () => {
		const [byHand, lost, bad, living] = ['By hand', 'A lost one', 'A bad one', 'A living one'].map(
			(prompt) => ({ prompt }),
		);
		videos.hold();
		const executionId = await startByHand({}, { rows: [byHand] });
		await waitedFor(byHand);
		await api.stopExecution(executionId);
		for (const one of [lost, bad, living]) {
			await deliver(publishedUrl, one);
			await waitedFor(one);
			const [{ id }] = await api.listExecutions(published);
			if (one !== living) await api.stopExecution(id);
		}
		for (const one of [byHand, lost]) sandbox.finish(taskOf(one));
		sandbox.finish(taskOf(bad), { status: 'FAILED', errorMessage: 'Too dark.' });
		network.isDown = true;
		await runExample(catchUp);
		const rows = (error: string): object[] => [
			{ ...byHand, handed_on: false },
			{ ...lost, status: 'SUCCESS', error_message: expect.stringMatching(error) },
			{ ...bad, status: 'FAILED', error_message: expect.stringMatching('Too dark.') },
			{ ...living, status: 'IN_PROGRESS', handed_on: false },
		];
		expect(await (await list()).rows()).toMatchObject(rows('^It was not posted: '));
		network.isDown = false;
		await runExample(catchUp);
		expect(network.posts).toEqual([]);
		await untick(lost);
		for (const _ of ['once', 'again']) {
			await runExample(catchUp);
			expect(network.posts).toEqual([
				{ ...lost, video_url: videoOf(lost), video_key: lost.prompt },
			]);
		}
		expect(await (await list()).rows()).toMatchObject(rows('^$'));
		sandbox.finish(taskOf(living));
		const [last] = (await runsOf(published, 3)).reverse();
		expect(output(last)).toMatchObject([{ ...living, reused: false }]);
		expect(posts()).toHaveLength(4);
	});
});

it('every example is run by a suite', () => {
	const suites = readdirSync(__dirname).filter((file) => file.endsWith('.suite.cts'));
	const sources = suites.map((file) => readFileSync(join(__dirname, file), 'utf8')).join('\n');
	const examples = readdirSync(FOLDER);
	expect(examples).not.toEqual([]);
	expect(examples.filter((file) => !sources.includes(`'${file}'`))).toEqual([]);
});
