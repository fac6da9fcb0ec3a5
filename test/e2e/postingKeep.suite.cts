// The examples that hand videos to a storage and to a service: Keep it, and Several clips, one character.
import type { SavedWorkflow } from '../support/n8n/server.cjs';
import { api, endOf, posts, sandbox, startWorkflow, until, videos } from '../support/n8n/world.cjs';
import { joining, proxy, s3 } from '../support/networks/world.cjs';
import { s3Error } from '../support/networks/s3.cjs';
import { runExample, taskOf, VideoTable, type Cells, type Row } from './examples.cjs';
import { emptyList, bytesOf, importAnswered, paid } from './postingTelegram.cjs';

/** The only table of this name, which an example has made, emptied. */
async function tableOf(name: string): Promise<VideoTable> {
	const [table, ...others] = await VideoTable.named(name);
	expect(others).toEqual([]);
	await table.empty();
	return table;
}

describe('keep-it.json', () => {
	const PUT = /^PUT /;
	let workflow: SavedWorkflow;
	let table: VideoTable;

	/** The name of the file of a row whose video was started. */
	const nameOf = (row: Row) => {
		const { createdAt = 0 } = sandbox.tasks.get(taskOf(row)) ?? {};
		return `${new Date(createdAt).toISOString().slice(0, 10)}-row-${row.id}.mp4`;
	};
	const kept = (row: Row) => ({
		status: 'KEPT',
		file: nameOf(row),
		task_id: taskOf(row),
		error: '',
	});

	const add = async (...prompts: string[]) =>
		await table.add(...prompts.map((prompt) => ({ prompt }) satisfies Partial<Cells>));

	beforeAll(async () => {
		workflow = await importAnswered('keep-it.json', { 'the name of your bucket': s3.bucket });
		// This run makes a video, before any test sets the pace.
		sandbox.speed = 1000;
		await runExample(workflow);
	});

	beforeEach(async () => {
		await emptyList();
		table = await tableOf('Videos to Keep');
	});

	it('writes its first row into an empty table, and no second one', async () => {
		const prompt = 'A paper boat sails down a rainy street, camera close to the water';
		for (const _ of ['first', 'second']) await runExample(workflow);
		const [row, ...others] = await table.rows();
		expect(others).toEqual([]);
		expect(row).toMatchObject({ prompt, ...kept(row) });
		expect([...s3.files]).toEqual([[nameOf(row), await bytesOf(taskOf(row))]]);
		expect(paid()).toEqual([28]);
	});

	it('keeps each file under its day and row, byte for byte, and says in the others why not; what was not kept is free the next time', async () => {
		const rows = await add('A kept one', 'A refused one', 'A bad end');
		const [good, refused, bad] = rows;
		sandbox.faults.on('status', { kind: 'failed' }, { prompt: bad.prompt ?? '', times: 'always' });
		proxy.trouble(new RegExp(`-row-${refused.id}\\.mp4$`), s3Error(503, 'SlowDown'));
		await runExample(workflow);
		const failed = { status: 'FAILED', file: null, error: expect.stringMatching(/^task_failed: /) };
		expect(await table.rows()).toMatchObject([
			kept(good),
			{ status: 'NOT_KEPT', file: null, error: expect.stringMatching(/503|SlowDown|unavailable/i) },
			failed,
		]);
		expect([...s3.files]).toEqual([[nameOf(good), await bytesOf(taskOf(good))]]);

		await runExample(workflow);
		expect(await table.rows()).toMatchObject([kept(good), kept(refused), failed]);
		expect(s3.files.get(nameOf(refused))).toEqual(await bytesOf(taskOf(refused)));
		expect(proxy.callsTo(PUT)).toHaveLength(3);
		expect(posts().map(({ json }) => json)).toMatchObject(
			[good, refused, bad, bad].map(({ prompt }) => ({ prompt })),
		);
	});

	it.each(['gets no response', 'is stopped'])(
		'puts a file whose upload %s in the same place again, without a new video',
		async (what) => {
			const [row] = await add(`A file that ${what}`);
			if (what === 'is stopped') {
				const hold = proxy.hold(PUT);
				const id = await startWorkflow(workflow.id);
				await hold.reached;
				await api.stopExecution(id);
				await endOf(id);
				hold.release();
			} else {
				proxy.trouble(PUT, 'lost response');
				await runExample(workflow);
				expect(await table.rows()).toMatchObject([{ status: 'NOT_KEPT' }]);
			}
			expect(proxy.callsTo(PUT)).toHaveLength(1);
			await runExample(workflow);
			expect(await table.rows()).toMatchObject([kept(row)]);
			expect([...s3.files]).toEqual([[nameOf(row), await bytesOf(taskOf(row))]]);
			expect(paid()).toEqual([28]);
		},
	);
});

describe('several-clips-one-character.json', () => {
	const FOX = 'https://pictures.example/fox.png';
	const JOIN = /^POST joining\.example/;
	let workflow: SavedWorkflow;
	let table: VideoTable;

	const add = async (...prompts: string[]) =>
		await table.add(...prompts.map((prompt) => ({ prompt, image_url: FOX })));
	const clips = async (rows: Row[]) =>
		await Promise.all(rows.map(async (row) => await bytesOf(taskOf(row))));

	beforeAll(async () => {
		const answers = { 'the address of your joining service': joining.url };
		workflow = await importAnswered('several-clips-one-character.json', answers);
		await runExample(workflow);
	});

	beforeEach(async () => {
		await emptyList();
		table = await tableOf('Scenes');
	});

	it('has clips of the same picture joined in the order of the rows, whichever is ready first', async () => {
		videos.hold();
		const rows = await add('It wakes up', 'It runs', 'It sleeps');
		const id = await startWorkflow(workflow.id);
		await until('all clips are started', () => videos.ids().length === rows.length);
		for (const row of [...rows].reverse()) {
			await videos.finish(taskOf(row));
			await sandbox.ledger.until((ledger) => ledger.statusReads(taskOf(row)).length > 0);
		}
		expect((await endOf(id)).status).toBe('success');
		expect(joining.films).toEqual([await clips(rows)]);
		expect(posts().map(({ json }) => json)).toMatchObject(
			rows.map(({ prompt }) => ({ prompt, model: 'seedance-2.0', images: [FOX] })),
		);
		expect(paid()).toEqual([240, 240, 240]);
	});

	it.each([
		['gets an error', { status: 503 }, 0],
		['gets no response', 'lost response' as const, 1],
	])(
		'joins no second time by itself where that %s; run again, only a changed scene is paid',
		async (what, trouble, joined) => {
			const rows = await add(`It wakes up, ${what}`, `It runs, ${what}`);
			proxy.trouble(JOIN, trouble);
			expect((await endOf(await startWorkflow(workflow.id))).status).toBe('error');
			expect(joining.films).toHaveLength(joined);
			expect(proxy.callsTo(JOIN)).toHaveLength(1);

			const prompt = `It flies, ${what}`;
			await table.edit(rows[1].id, { prompt });
			await runExample(workflow);
			expect(joining.films.at(-1)).toEqual(await clips([rows[0], { ...rows[1], prompt }]));
			expect(paid()).toEqual([240, 240, 240]);
		},
	);

	it('joins nothing when a clip fails, and starts nothing beyond its limit', async () => {
		const [, bad] = await add('It wakes up', 'It fails');
		sandbox.faults.on('status', { kind: 'failed' }, { prompt: bad.prompt ?? '' });
		expect((await endOf(await startWorkflow(workflow.id))).status).toBe('error');
		const count = posts().length;
		await add('Three', 'Four', 'Five', 'Six');
		expect((await endOf(await startWorkflow(workflow.id))).status).toBe('error');
		expect(posts()).toHaveLength(count);
		expect(proxy.callsTo(JOIN)).toEqual([]);
	});
});
