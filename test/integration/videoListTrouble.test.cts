// A list of videos that cannot be read or written to the end: nothing that it listed is paid for again.
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { COLUMNS } from '../../nodes/shared/idempotency/videoList';
import { DataTables } from '../support/dataTables.cjs';
import { NO_FILE, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, plan, posts, ids } = world;

it('goes on with a paid video where only the hint about a new one cannot be had', async () => {
	const tables = new DataTables();
	tables.make(TABLE, COLUMNS).renameColumn('mode');
	const parameters = { prompt: '={{ $json.prompt }}', ...NO_FILE };
	const items = ['A boat', 'A train'].map((prompt) => ({ json: { prompt } }));
	plan({ seconds: 60 });
	await run({ ...parameters, options: { timeout: 0.1 } }, { items: items.slice(0, 1), tables });
	world.sandbox.finish(ids()[0]);
	const { json } = await run(parameters, { items, tables });
	expect(json).toMatchObject([{ task_id: ids()[0], reused: true }, { reused: false }]);
	expect(posts()).toHaveLength(2);
});

it.each(['credits', 'budget_for'])(
	'starts nothing under a limit without the column %s',
	async (name) => {
		const tables = new DataTables();
		tables.make(TABLE, COLUMNS).renameColumn(name, 'mine');
		const budget = { credits: 1000, period: 'day', budgetFor: 'A client' };
		const { error } = await run(
			{ prompt: 'A boat', ...NO_FILE, options: { creditBudget: { budget } } },
			{ tables },
		);
		expect(error).toMatchObject({
			message: expect.stringContaining('its columns credits and budget_for do not hold'),
			context: { error_code: 'not_created', charged: 'no' },
		});
		expect(posts()).toEqual([]);
	},
);

it('counts rows for the same value of a limit, however it is spelt', async () => {
	const tables = new DataTables();
	const budget = { credits: 30, period: 'day', budgetFor: 'A  client,\nof ours' };
	const parameters = { ...NO_FILE, ifExists: 'never', options: { creditBudget: { budget } } };
	await run({ prompt: 'A boat', ...parameters }, { tables });
	const { error } = await run({ prompt: 'A train', ...parameters }, { tables });
	expect(error?.context).toMatchObject({ error_code: 'over_limit' });
	expect(posts()).toHaveLength(1);
});

it.each(['always', 'manualRuns'])(
	'goes on with a paid video that it cannot take over, because the tables are full (%s)',
	async (ifExists) => {
		const tables = new DataTables();
		tables.make(TABLE, COLUMNS);
		const parameters = { prompt: 'A boat', ifExists, ...NO_FILE };
		plan({ seconds: 60 });
		await run({ ...parameters, options: { timeout: 0.1 } }, { tables });
		tables.isFull = true;
		world.sandbox.finish(ids()[0]);
		const { json, hints } = await run(parameters, { tables });
		expect(json).toMatchObject([{ task_id: ids()[0], reused: true, succeeded: true }]);
		expect(JSON.stringify(hints)).toContain('not in the list of videos');
		expect(posts()).toHaveLength(1);
	},
);
