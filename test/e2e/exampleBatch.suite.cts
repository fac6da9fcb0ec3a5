// The example that makes a batch of videos from the rows of a Data Table, within a credit limit.
import type { SavedWorkflow } from '../support/n8n/server.cjs';
import {
	api,
	endOf,
	output,
	posts,
	sandbox,
	startWorkflow,
	videos,
} from '../support/n8n/world.cjs';
import {
	importExample,
	POST,
	posted,
	ready,
	runExample,
	startNetwork,
	taskOf,
	VideoTable,
	videoOf,
	type Network,
	type Row,
} from './examples.cjs';

const FILE = 'batch-with-credit-limit.json';
const WAIT = 'Wait for the videos';

describe('batch-with-credit-limit.json', () => {
	let network: Network;
	let table: VideoTable;
	let batch: SavedWorkflow;

	const add = async (prompts: readonly string[]): Promise<Row[]> =>
		await table.add(...prompts.map((prompt) => ({ prompt })));

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

	afterEach(() => expect(sandbox.ledger.doubleCharges()).toEqual([]));

	afterAll(async () => await network.close());

	it('posts each video with the caption of its own row, and says in the others why not', async () => {
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

	it('waits for all videos at the same time, with each task ID in its row before that', async () => {
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
		expect(execution.runData[WAIT]).toHaveLength(1);
		expect(output(execution, WAIT)).toMatchObject(rows.map(({ prompt }) => ({ prompt })));
		expect(network.posts).toHaveLength(3);
	});

	it('starts nothing and pays nothing when a run would cost more than the limit, and the rows say so', async () => {
		const changes = { 'Start the videos': { resolution: '720p', generateAudio: true } };
		const workflow = await importExample(FILE, { [POST]: { url: network.url } }, { changes });
		await add(['one', 'two', 'three']);
		await runExample(workflow);
		expect(posts()).toEqual([]);
		const error = expect.stringMatching(/168 credits.*150/);
		expect(await table.rows()).toMatchObject(
			Array(3).fill({ status: 'FAILED', task_id: null, error }),
		);
	});

	it('makes ten videos per run, which fit into the limit', async () => {
		await add(Array.from({ length: 11 }, (_, index) => `Number ${index}`));
		await runExample(batch);
		const states = (await table.rows()).map(({ status }) => status);
		expect(states).toEqual([...Array(10).fill('SUCCESS'), null]);
		expect(sandbox.ledger.spent).toBe(140);
		await runExample(batch);
		expect(sandbox.ledger.spent).toBe(154);
	});

	it('says in the row when posting fails', async () => {
		network.isDown = true;
		const [row] = await add(['A patient one']);
		await runExample(batch);
		expect(await table.rows()).toMatchObject([{ status: 'NOT_POSTED', video_url: videoOf(row) }]);
	});
});
