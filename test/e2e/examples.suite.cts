// The example workflows: each is imported as a user imports it, gets a credential and its addresses, and runs.
import { readdirSync } from 'node:fs';

import type { SavedWorkflow } from '../support/n8n/server.cjs';
import {
	COLUMNS,
	FOLDER,
	importExample,
	nodeOf,
	rowWhen,
	runExample,
	startNetwork,
	VideoTable,
	type Cells,
	type Network,
	type Row,
} from './examples.cjs';
import { runsOf } from './triggers.cjs';
import { endOf, runScene, world } from './world.cjs';

/** The names of nodes in the examples. */
const START_VIDEOS = 'Start the videos';
const POST = 'Post the video';
const TRIGGER = 'When a video is ready or has failed';

/** More minutes than an example waits for a callback. */
const OVERDUE = 31;

/** Tasks that end only when a test says so. */
function slow(): void {
	world().sandbox.speed = 0.001;
}

/** The task of a row, by its prompt; undefined when none was started. */
function taskOf({ prompt }: Row): string | undefined {
	const { tasks } = world().sandbox;
	return tasks.all().find(({ order }) => order.prompt === prompt)?.id;
}

function videoOf(row: Row): string {
	return `${world().sandbox.origin}/videos/${taskOf(row)}.mp4`;
}

/** Ends the video of a row at the API, which calls back unless the plan says otherwise. */
function finish(row: Row, outcome?: { status: 'FAILED'; errorMessage: string }): void {
	world().sandbox.finish(taskOf(row) ?? '', outcome);
}

export function examplesSuite() {
	describe('generate-with-callback.json, video-ready.json and catch-up.json', () => {
		let network: Network;
		let table: VideoTable;
		let generate: SavedWorkflow;
		let ready: SavedWorkflow;
		let catchUp: SavedWorkflow;
		let callbackUrl: string;
		/** Executions of `ready` before the test. */
		let before: number;

		/** Waits until as many callbacks of this test have started `ready`, and all of these runs have ended. */
		async function handedOn(runs: number): Promise<void> {
			await world().sandbox.callbacks.settled();
			const all = await runsOf(ready.id, before + runs);
			expect(all).toHaveLength(before + runs);
			expect(all.filter(({ status }) => status !== 'success')).toEqual([]);
		}

		/** Adds rows, starts their videos and gives the rows as they are then. */
		async function start(...rows: Array<Partial<Cells>>): Promise<Row[]> {
			await table.add(...rows);
			await runExample(generate);
			return await table.rows();
		}

		beforeAll(async () => {
			const { api, n8n } = world();
			network = await startNetwork();
			ready = await importExample('video-ready.json', { [POST]: { url: network.url } });
			await api.activateWorkflow(ready.id);
			callbackUrl = `${n8n.baseUrl}/webhook/${nodeOf(ready, TRIGGER).webhookId}/webhook`;
			generate = await importExample('generate-with-callback.json', {
				[START_VIDEOS]: { callbackUrl },
			});
			catchUp = await importExample('catch-up.json', { [POST]: { url: network.url } });
			await runExample(generate);
			[table] = await VideoTable.named('Seedance Videos');
		});

		beforeEach(async () => {
			slow();
			network.posts.length = 0;
			network.isDown = false;
			await table.empty();
			before = (await world().api.listExecutions(ready.id)).length;
		});

		afterEach(() => {
			expect(world().sandbox.ledger.doubleCharges()).toEqual([]);
		});

		afterAll(async () => {
			await world().api.deactivateWorkflow(ready.id);
			await network.close();
		});

		it('make their table on the first run, and use it from then on', async () => {
			await runExample(generate);
			expect(await VideoTable.named('Seedance Videos')).toHaveLength(1);
			expect(table.columns.map(({ name, type }) => `${name}: ${type}`).sort()).toEqual(
				COLUMNS.map((name) => `${name}: string`).sort(),
			);
		});

		it('can be published', async () => {
			const { api } = world();
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
			expect(world().sandbox.ledger.posts()).toEqual([]);
		});

		it('post each video once, with the caption of its own row', async () => {
			const { sandbox } = world();
			const rows = await start(
				{ prompt: 'A kite over the sea', caption: 'Windy "today"' },
				{ prompt: 'A cat on a roof', caption: 'Meow\nmeow' },
				{ prompt: 'A tea pot', caption: 'Tea, 100 % 🍵' },
			);
			expect(rows).toMatchObject(
				rows.map((row) => ({ status: 'IN_PROGRESS', task_id: taskOf(row), video_url: null })),
			);
			expect(network.posts).toEqual([]);

			for (const row of [...rows].reverse()) finish(row);
			await handedOn(3);
			const asPosted = rows.map((row) => ({ video_url: videoOf(row), caption: row.caption }));
			expect(network.posts).toHaveLength(3);
			expect(network.posts).toEqual(expect.arrayContaining(asPosted));
			expect(await table.rows()).toEqual(
				rows.map((row) => ({ ...row, status: 'SUCCESS', video_url: videoOf(row), error: '' })),
			);
			expect(sandbox.ledger.posts()).toHaveLength(3);
			expect(sandbox.ledger.spent).toBe(3 * 14);
		});

		it('start five rows per run, the oldest first', async () => {
			const prompts = ['one', 'two', 'three', 'four', 'five', 'six'];
			const rows = await start(...prompts.map((prompt) => ({ prompt })));
			expect(rows.map(({ status }) => status)).toEqual([...Array(5).fill('IN_PROGRESS'), null]);
			await runExample(generate);
			expect(world().sandbox.ledger.posts()).toHaveLength(6);
		});

		it('hand on a video whose callback comes before its task ID is in the row', async () => {
			const { sandbox, api } = world();
			const [first, second] = await table.add(
				{ prompt: 'A quick one', caption: 'Quick' },
				{ prompt: 'A slow one', caption: 'Slow' },
			);
			sandbox.faults.on('generate', { kind: 'delay', ms: 2_000 }, { prompt: 'A slow one' });
			const executionId = await api.runWorkflow(generate.id);
			await sandbox.ledger.until((ledger) => ledger.postsWithPrompt('A slow one') === 1);
			finish(first);
			const early = await rowWhen(table, first.id, ({ status }) => status === 'SUCCESS');
			expect(await api.getExecution(executionId)).toMatchObject({ status: 'running' });
			expect(early.video_url).toBe(videoOf(first));

			await endOf(executionId);
			finish(second);
			await handedOn(2);
			expect(network.posts).toEqual([
				{ video_url: videoOf(first), caption: 'Quick' },
				{ video_url: videoOf(second), caption: 'Slow' },
			]);
			expect(await table.rows()).toMatchObject([{ status: 'SUCCESS' }, { status: 'SUCCESS' }]);
		});

		it('write down why a video failed, and do not post it', async () => {
			const [row] = await start({ prompt: 'A forbidden thing', caption: 'Never shown' });
			finish(row, { status: 'FAILED', errorMessage: 'The prompt was not accepted.' });
			await handedOn(1);
			expect(await table.rows()).toMatchObject([
				{ status: 'FAILED', error: 'The prompt was not accepted.', video_url: null },
			]);
			expect(network.posts).toEqual([]);
		});

		it('write down why a row was not started, start the others, and try again when it is corrected', async () => {
			const { sandbox } = world();
			sandbox.ledger.balance = 14;
			const [tooLong, good, tooDear] = await start(
				{ prompt: 'A'.repeat(2001) },
				{ prompt: 'A good one' },
				{ prompt: 'One too many' },
			);
			expect([tooLong.status, good.status, tooDear.status]).toEqual([
				'FAILED',
				'IN_PROGRESS',
				'FAILED',
			]);
			expect(tooLong.error).toMatch(/^invalid_input: .*2001 characters/);
			expect(tooDear.error).toMatch(/^out_of_credits: .*No credits were spent/);

			sandbox.ledger.balance = 1_000;
			await runExample(generate);
			expect(sandbox.ledger.chargesPerBody().size).toBe(1);
			await table.edit(tooLong.id, { prompt: 'A short one', status: '' });
			await table.edit(tooDear.id, { status: '' });
			await runExample(generate);
			const rows = await table.rows();
			expect(rows).toEqual(
				rows.map((row) => ({ ...row, status: 'IN_PROGRESS', task_id: taskOf(row), error: '' })),
			);
		});

		it('do not start a row again whose start is unclear, and hand its video on when it comes', async () => {
			const { sandbox } = world();
			sandbox.faults.on('generate', { kind: 'accept-then-reset' });
			const [row] = await start({ prompt: 'A boat in fog', caption: 'Fog' });
			expect(row).toMatchObject({ status: 'IN_PROGRESS', task_id: null });
			expect(row.error).toMatch(/^maybe_created: /);
			await runExample(generate);
			expect(sandbox.ledger.posts()).toHaveLength(1);

			finish(row);
			await handedOn(1);
			expect(network.posts).toEqual([{ video_url: videoOf(row), caption: 'Fog' }]);
			expect(await table.rows()).toMatchObject([
				{ status: 'SUCCESS', task_id: taskOf(row), video_url: videoOf(row), error: '' },
			]);
		});

		it('pay once for a row when a second run begins before the first has ended', async () => {
			const { sandbox, api } = world();
			const [row] = await table.add({ prompt: 'A race' });
			sandbox.faults.on('generate', { kind: 'delay', ms: 2_000 });
			const first = await api.runWorkflow(generate.id);
			await rowWhen(table, row.id, ({ status }) => status === 'IN_PROGRESS');
			await runExample(generate);
			expect(await api.getExecution(first)).toMatchObject({ status: 'running' });
			await endOf(first);
			expect(sandbox.ledger.posts()).toHaveLength(1);
		});

		it('touch no row for a video that was not started from one', async () => {
			const [row] = await start({ prompt: 'A video of the table' });
			await runScene({ parameters: { operation: 'generate', callbackUrl } });
			const other = world().sandbox.tasks.all().at(-1);
			world().sandbox.finish(other?.id ?? '');
			await handedOn(1);
			expect(await table.rows()).toEqual([row]);
			expect(network.posts).toEqual([]);
		});

		it('hand on a video whose callback was lost, and do not post it again when that comes late', async () => {
			const { sandbox } = world();
			sandbox.callbacks.planFor('A lost letter', { never: true });
			const [row] = await start({ prompt: 'A lost letter', caption: 'Found' });
			finish(row);
			await table.letPass(OVERDUE, row.id);
			await runExample(catchUp);
			const posted = [{ video_url: videoOf(row), caption: 'Found' }];
			const handedOnRow = { ...row, status: 'SUCCESS', video_url: videoOf(row), error: '' };
			expect(network.posts).toEqual(posted);
			expect(await table.rows()).toEqual([handedOnRow]);

			const task = sandbox.tasks.get(taskOf(row) ?? '');
			if (!task) throw new Error('There is no such task');
			await sandbox.callbacks.deliver(task);
			await handedOn(1);
			await table.letPass(OVERDUE, row.id);
			await runExample(catchUp);
			expect(network.posts).toEqual(posted);
			expect(await table.rows()).toEqual([handedOnRow]);
			expect(sandbox.ledger.posts()).toHaveLength(1);
		});

		it('leave alone what is not overdue, and what is still being made', async () => {
			const { sandbox } = world();
			sandbox.callbacks.planFor('', { never: true });
			const [fresh, running] = await start({ prompt: 'Just begun' }, { prompt: 'Takes long' });
			finish(fresh);
			await table.letPass(OVERDUE, running.id);
			const rows = await table.rows();
			await runExample(catchUp);
			expect(sandbox.ledger.statusReads(taskOf(fresh))).toEqual([]);
			expect(sandbox.ledger.statusReads(taskOf(running))).toHaveLength(1);
			expect(await table.rows()).toEqual(rows);
			expect(network.posts).toEqual([]);
		});

		it('go on with the other rows when one cannot be looked at, and write down why', async () => {
			const { sandbox } = world();
			sandbox.callbacks.planFor('', { never: true });
			const [good, bad] = await start(
				{ prompt: 'A good end', caption: 'Good' },
				{ prompt: 'A bad end', caption: 'Bad' },
			);
			const inProgress = { status: 'IN_PROGRESS' };
			const [foreign, interrupted, unclear] = await table.add(
				{ ...inProgress, task_id: sandbox.otherAccount.createTask() },
				inProgress,
				{ ...inProgress, error: 'maybe_created: The first reason.' },
			);
			finish(good);
			finish(bad, { status: 'FAILED', errorMessage: 'It was too dark.' });
			const ids = [foreign, interrupted, good, bad, unclear].map(({ id }) => id);
			await table.letPass(OVERDUE, ...ids);
			await runExample(catchUp);
			expect(network.posts).toEqual([{ video_url: videoOf(good), caption: 'Good' }]);
			expect(await table.rows()).toMatchObject([
				{ id: good.id, status: 'SUCCESS', video_url: videoOf(good) },
				{ id: bad.id, status: 'FAILED', error: 'It was too dark.' },
				{ id: foreign.id, ...inProgress, error: expect.stringMatching(/^task_not_found: /) },
				{ id: interrupted.id, ...inProgress, error: expect.stringMatching(/^There is no task ID/) },
				{ id: unclear.id, ...inProgress, error: 'maybe_created: The first reason.' },
			]);
		});

		it('write down that a video was not posted, and post it when asked to, without a new video', async () => {
			const { sandbox } = world();
			network.isDown = true;
			const [row] = await start({ prompt: 'A patient one', caption: 'At last' });
			finish(row);
			await handedOn(1);
			const [failed] = await table.rows();
			expect(failed).toMatchObject({ status: 'NOT_POSTED', video_url: videoOf(row) });
			expect(failed.error).toMatch(/503|Service unavailable/i);

			network.isDown = false;
			await table.edit(row.id, { status: 'IN_PROGRESS' });
			await table.letPass(OVERDUE, row.id);
			await runExample(catchUp);
			expect(network.posts).toEqual([{ video_url: videoOf(row), caption: 'At last' }]);
			expect(await table.rows()).toMatchObject([{ status: 'SUCCESS', error: '' }]);
			expect(sandbox.ledger.posts()).toHaveLength(1);
		});
	});

	it('has no other file than the ones that are run here', () => {
		expect(readdirSync(FOLDER).sort()).toEqual([
			'agent.json',
			'batch-with-credit-limit.json',
			'catch-up.json',
			'generate-with-callback.json',
			'image-to-video.json',
			'pause-then-wait.json',
			'text-to-video.json',
			'video-ready.json',
		]);
	});
}
