// A list of videos that cannot be read or written to the end: nothing that it told of is paid for again.
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
