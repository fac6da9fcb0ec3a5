// The example that makes a batch of videos from the rows of a Data Table, within a credit limit.
import { itemsOf, type SavedWorkflow } from '../support/n8n/server.cjs';
import {
	importExample,
	rowWhen,
	runExample,
	startNetwork,
	VideoTable,
	type Network,
	type Row,
} from './examples.cjs';
import { endOf, executed, world } from './world.cjs';

const FILE = 'batch-with-credit-limit.json';
const START_VIDEOS = 'Start the videos';
const WAIT = 'Wait for the videos';
const POST = 'Post the video';

function taskOf({ prompt }: Row): string | undefined {
	const { tasks } = world().sandbox;
	return tasks.all().find(({ order }) => order.prompt === prompt)?.id;
}

function videoOf(row: Row): string {
	return `${world().sandbox.origin}/videos/${taskOf(row)}.mp4`;
}

export function exampleBatchSuite() {
	let network: Network;
	let table: VideoTable;
	let batch: SavedWorkflow;

	beforeAll(async () => {
		network = await startNetwork();
		batch = await importExample(FILE, { [POST]: { url: network.url } });
		await runExample(batch);
		[table] = await VideoTable.named('Seedance Videos');
	});

	beforeEach(async () => {
		network.posts.length = 0;
		network.isDown = false;
		await table.empty();
	});

	afterEach(() => {
		expect(world().sandbox.ledger.doubleCharges()).toEqual([]);
	});

	afterAll(async () => await network.close());

	it('posts each video with the caption of its own row, and says in the others why not', async () => {
		const { sandbox } = world();
		// The first is refused, the second fails: what follows has another place in each step.
		sandbox.faults.on('status', { kind: 'failed' }, { prompt: 'A bad end', times: 'always' });
		const rows = await table.add(
			{ prompt: 'A'.repeat(2001), caption: 'Too long' },
			{ prompt: 'A kite', caption: 'Windy "today"' },
			{ prompt: 'A bad end', caption: 'Never shown' },
			{ prompt: 'A cat', caption: 'Meow\nmeow' },
			{ prompt: 'A tea pot', caption: 'Tea, 100 % 🍵' },
		);
		await runExample(batch);
		const [, kite, , cat, pot] = rows;
		expect(network.posts).toHaveLength(3);
		expect(network.posts).toEqual(
			expect.arrayContaining(
				[kite, cat, pot].map((row) => ({ video_url: videoOf(row), caption: row.caption })),
			),
		);
		const ready = (row: Row) => ({
			...row,
			status: 'SUCCESS',
			task_id: taskOf(row),
			video_url: videoOf(row),
			error: '',
		});
		const [tooLong, first, bad, second, third] = await table.rows();
		expect([first, second, third]).toEqual([kite, cat, pot].map(ready));
		expect(tooLong).toMatchObject({ status: 'FAILED', task_id: null });
		expect(tooLong.error).toMatch(/^invalid_input: .*2001 characters/);
		expect(bad).toMatchObject({ status: 'FAILED', task_id: taskOf(rows[2]), video_url: null });
		expect(bad.error).toMatch(/^task_failed: /);
		expect(sandbox.ledger.posts()).toHaveLength(4);
	});

	it('has each task ID in its row before it waits', async () => {
		const { sandbox, api } = world();
		sandbox.speed = 0.001;
		const [one, two] = await table.add({ prompt: 'one' }, { prompt: 'two' });
		const executionId = await api.runWorkflow(batch.id);
		executed(executionId);
		for (const { id } of [one, two]) {
			const row = await rowWhen(table, id, ({ task_id }) => task_id !== null);
			expect(row).toMatchObject({ status: 'IN_PROGRESS', task_id: taskOf(row) });
		}
		expect((await api.getExecution(executionId)).status).toBe('running');
		// What is written when n8n goes away now is what the catch-up workflow needs.
		await api.stopExecution(executionId);
		await endOf(executionId);
		expect(await table.rows()).toMatchObject([
			{ status: 'IN_PROGRESS', task_id: taskOf(one) },
			{ status: 'IN_PROGRESS', task_id: taskOf(two) },
		]);
		expect(sandbox.ledger.posts()).toHaveLength(2);

		const catchUp = await importExample('catch-up.json', { [POST]: { url: network.url } });
		for (const row of [one, two]) sandbox.finish(taskOf(row) ?? '');
		await table.letPass(31, one.id, two.id);
		await runExample(catchUp);
		expect(network.posts).toHaveLength(2);
		expect(await table.rows()).toMatchObject([{ status: 'SUCCESS' }, { status: 'SUCCESS' }]);
		expect(sandbox.ledger.posts()).toHaveLength(2);
	});

	it('waits for all videos at the same time', async () => {
		const { sandbox, api } = world();
		sandbox.speed = 0.001;
		const rows = await table.add(...['one', 'two', 'three'].map((prompt) => ({ prompt })));
		const executionId = await api.runWorkflow(batch.id);
		executed(executionId);
		await sandbox.ledger.until((ledger) => rows.every((r) => ledger.statusReads(taskOf(r)).length));
		for (const row of rows) sandbox.finish(taskOf(row) ?? '');
		const execution = await endOf(executionId);
		expect(execution.runData[WAIT]).toHaveLength(1);
		expect(itemsOf(execution, WAIT).map(({ json }) => json.prompt)).toEqual([
			'one',
			'two',
			'three',
		]);
		expect(network.posts).toHaveLength(3);
	});

	it('starts nothing and pays nothing when a run would cost more than the limit, and the rows say so', async () => {
		const { sandbox } = world();
		const dear = { resolution: '720p', generateAudio: true };
		const workflow = await importExample(
			FILE,
			{ [POST]: { url: network.url } },
			{ changes: { [START_VIDEOS]: dear } },
		);
		await table.add(...['one', 'two', 'three'].map((prompt) => ({ prompt })));
		await runExample(workflow);
		expect(sandbox.ledger.posts()).toEqual([]);
		for (const row of await table.rows()) {
			expect(row).toMatchObject({ status: 'FAILED', task_id: null });
			expect(row.error).toMatch(/168 credits.*150/);
		}
	});

	it('makes ten videos per run, which fit into the limit', async () => {
		const { sandbox } = world();
		const prompts = Array.from({ length: 11 }, (_, index) => `Number ${index}`);
		await table.add(...prompts.map((prompt) => ({ prompt })));
		await runExample(batch);
		const states = (await table.rows()).map(({ status }) => status);
		expect(states).toEqual([...Array(10).fill('SUCCESS'), null]);
		expect(sandbox.ledger.spent).toBe(140);
		await runExample(batch);
		expect(sandbox.ledger.spent).toBe(154);
	});

	it('says in the row when posting fails', async () => {
		network.isDown = true;
		const [row] = await table.add({ prompt: 'A patient one' });
		await runExample(batch);
		expect(await table.rows()).toMatchObject([{ status: 'NOT_POSTED', video_url: videoOf(row) }]);
	});
}
