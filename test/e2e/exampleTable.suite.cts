// The examples that share a Data Table: one starts videos, one hands them on when the callback comes, one when it does not;
// and one makes a batch of videos from its rows, within a credit limit.
import { readdirSync } from 'node:fs';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import {
	api,
	endOf,
	generate,
	n8n,
	output,
	posts,
	runsOf,
	sandbox,
	startWorkflow,
	videos,
} from '../support/n8n/world.cjs';
import {
	COLUMNS,
	FOLDER,
	importExample,
	nodeOf,
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
	type Row,
} from './examples.cjs';

const IN_PROGRESS = { status: 'IN_PROGRESS' };

describe('the examples with a Data Table', () => {
	let network: Network;
	let table: VideoTable;
	let batch: SavedWorkflow;
	let starting: SavedWorkflow;
	let handing: SavedWorkflow;
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
		await table.add(...prompts.map((prompt) => ({ prompt })));

	/** Lets more time pass for rows than an example waits for a callback. */
	async function catchUpOverdue(...rows: Row[]): Promise<void> {
		await table.letPass(31, ...rows);
		await runExample(catchUp);
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
		catchUp = await importExample('catch-up.json', to);
		batch = await importExample('batch-with-credit-limit.json', to);
		await runExample(starting);
		[table] = await VideoTable.named('Seedance Videos');
	});

	beforeEach(async () => {
		network.posts.length = 0;
		network.isDown = false;
		await table.empty();
		before = (await api.listExecutions(handing.id)).length;
	});

	afterEach(() => expect(sandbox.ledger.doubleCharges()).toEqual([]));

	afterAll(async () => {
		await api.deactivateWorkflow(handing.id);
		await network.close();
	});

	it('make their table on the first run, use it from then on, and can be published', async () => {
		await runExample(starting);
		expect(await VideoTable.named('Seedance Videos')).toHaveLength(1);
		expect([...table.columns].sort()).toEqual(COLUMNS.map((name) => `${name}: string`).sort());
		await api.activateWorkflow(catchUp.id);
		await api.deactivateWorkflow(catchUp.id);
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

	it('start five rows per run, the oldest first', async () => {
		const prompts = ['one', 'two', 'three', 'four', 'five', 'six'];
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

	it('as a batch post each video with the caption of its own row, and say in the others why not', async () => {
		// The first is refused, the third fails: what follows has another place in each step.
		sandbox.faults.on('status', { kind: 'failed' }, { prompt: 'A bad end', times: 'always' });
		const rows = await table.add(
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
		const because = (reason: RegExp) => expect.stringMatching(reason);
		expect(await table.rows()).toMatchObject([
			{
				id: tooLong.id,
				status: 'FAILED',
				task_id: null,
				error: because(/^invalid_input: .*2001 characters/),
			},
			ready(kite),
			{
				id: bad.id,
				status: 'FAILED',
				task_id: taskOf(bad),
				video_url: null,
				error: because(/^task_failed: /),
			},
			ready(cat),
			ready(pot),
		]);
		expect(posts()).toHaveLength(4);
	});

	it('as a batch wait for all videos at the same time, with each task ID in its row before that', async () => {
		videos.hold();
		const rows = await add(['one', 'two', 'three']);
		const executionId = await startWorkflow(batch.id);
		for (const { id } of rows) await table.rowWhen(id, ({ task_id }) => task_id !== null);
		const started = rows.map((row) => ({ status: 'IN_PROGRESS', task_id: taskOf(row) }));
		expect(await table.rows()).toMatchObject(started);
		await sandbox.ledger.until((ledger) =>
			rows.every((row) => taskOf(row) && ledger.statusReads(taskOf(row)).length),
		);
		expect((await api.getExecution(executionId)).status).toBe('running');
		for (const row of rows) sandbox.finish(taskOf(row));
		const execution = await endOf(executionId);
		expect(execution.runData['Wait for the videos']).toHaveLength(1);
		expect(output(execution, 'Wait for the videos')).toMatchObject(
			rows.map(({ prompt }) => ({ prompt })),
		);
		expect(network.posts).toHaveLength(3);
	});

	it('as a batch start nothing and pay nothing when a run would cost more than the limit, and the rows say so', async () => {
		const changes = { 'Start the videos': { resolution: '720p', generateAudio: true } };
		const workflow = await importExample(
			'batch-with-credit-limit.json',
			{ [POST]: { url: network.url } },
			{ changes },
		);
		await add(['one', 'two', 'three']);
		await runExample(workflow);
		expect(posts()).toEqual([]);
		const error = expect.stringMatching(/168 credits.*150/);
		expect(await table.rows()).toMatchObject(
			Array(3).fill({ status: 'FAILED', task_id: null, error }),
		);
	});

	it('as a batch make ten videos per run, which fit into the limit', async () => {
		await add(Array.from({ length: 11 }, (_, index) => `Number ${index}`));
		await runExample(batch);
		const states = (await table.rows()).map(({ status }) => status);
		expect(states).toEqual([...Array(10).fill('SUCCESS'), null]);
		expect(sandbox.ledger.spent).toBe(140);
		await runExample(batch);
		expect(sandbox.ledger.spent).toBe(154);
	});

	it('as a batch say in the row when posting fails', async () => {
		network.isDown = true;
		const [row] = await add(['A patient one']);
		await runExample(batch);
		expect(await table.rows()).toMatchObject([{ status: 'NOT_POSTED', video_url: videoOf(row) }]);
	});
});

it('the examples are the ones that are run here', () => {
	const alone = ['agent', 'batch-with-credit-limit', 'image-to-video', 'text-to-video'];
	const others = ['catch-up', 'generate-with-callback', 'pause-then-wait', 'video-ready'];
	expect(readdirSync(FOLDER).sort()).toEqual(
		[...alone, ...others].map((name) => `${name}.json`).sort(),
	);
});
