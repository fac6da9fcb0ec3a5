// Sub-workflows of the list of videos are literal: n8n evaluates parameters, so that no text of a person or of the API may
// stand in one.
import { openDataTableList, TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { COLUMNS, where } from '../../nodes/shared/idempotency/videoList';
import { DataTables } from '../support/dataTables.cjs';
import * as fc from '../support/fastCheck.cjs';
import { aRow, contextOf, NASTY_TEXTS } from '../support/listContract.cjs';
import { seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, plan, ids } = world;

/** What parameters may hold beside numbers, hex and times. */
const CONSTANTS: ReadonlySet<unknown> = new Set([
	...['row', 'table', 'list', 'create', 'get', 'insert', 'update', 'deleteRows', 'workflow1'],
	...['id', 'createdAt', 'eq', 'neq', 'gte', 'lt', 'anyCondition', 'allConditions'],
	// The newest of a kind of video, whose settings were checked.
	...['DESC', 'seedance-v1', '720p'],
	...['autoMapInputData', 'defineBelow', '={{ $json.id }}', '={{ $json.task_id }}', TABLE],
	...[
		...Object.keys(COLUMNS),
		...Object.values(COLUMNS),
		'manual',
		'production',
		true,
		false,
		null,
	],
	...['PENDING', 'CLAIMED', 'SENDING', 'IN_PROGRESS', 'SUCCESS', 'FAILED', 'UNCLEAR'],
]);
const isConstant = (value: unknown) =>
	CONSTANTS.has(value) || /^([\da-f]*|[\d-]+T[\d:.]+Z)$/.test(String(value));

/** All values in an object, however deep. */
function leaves(value: unknown): unknown[] {
	if (typeof value !== 'object' || value === null) return [value];
	return Object.entries(value).flatMap(([key, one]) => [
		...leaves(one),
		...(+key >= 0 ? [] : [key]),
	]);
}

const KEYS = new Set([
	...['resource', 'operation', 'dataTableId', '__rl', 'mode', 'value', 'returnAll', 'columns'],
	...['mappingMode', 'matchType', 'filters', 'conditions', 'keyName', 'condition', 'keyValue'],
	...['limit', 'orderBy', 'orderByColumn', 'orderByDirection'],
	...['tableName', 'column', 'name', 'type', 'options', 'createIfNotExists', 'filterName'],
]);

/** What stands in sub-workflows and is neither a constant nor the name of a parameter. */
const strangers = (tables: DataTables) =>
	tables.calls
		.flatMap(({ workflow }) => workflow.nodes.flatMap(({ parameters }) => leaves(parameters)))
		.filter((value) => !isConstant(value) && !KEYS.has(String(value)));

const nasty = fc.oneof(
	fc.constantFrom(...NASTY_TEXTS.map((text) => text.replace('\0', ''))),
	fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((text) => `=x${text}x`),
);

it('whatever is written, read, changed and deleted', async () => {
	const rows = fc.uniqueArray(
		fc.record({ prompt: nasty, video_key: nasty, task_id: nasty, node: nasty }),
		{ minLength: 1, maxLength: 4, selector: ({ task_id }) => task_id },
	);
	await fc.assert(
		fc.asyncProperty(rows, async (changes) => {
			const tables = new DataTables();
			const list = (await openDataTableList(contextOf(tables), true))?.list;
			const all = [where('claim', ''), where('status', 'CLAIMED')];
			const inserted = await list?.run({ do: 'insert', rows: changes.map(aRow) });
			for (const by of ['id', 'task_id'] as const) {
				await list?.run({ do: 'updateEach', by, rows: inserted ?? [], all });
			}
			await list?.run({ do: 'update', all, set: { claim: 'c1' } }, { do: 'get', any: all });
			expect(await list?.run({ do: 'get' })).toMatchObject(changes);
			await list?.run({ do: 'delete', all: [where('claim', 'c1')] });
			expect(tables.find(TABLE)?.rows).toEqual([]);
			expect(strangers(tables)).toEqual([]);
		}),
		{ numRuns: 100 },
	);
});

it('whatever a prompt, a Reuse Key, the value of a limit and the error of a video are', async () => {
	// The field refuses a placeholder that was not replaced, and an expression that gave nothing.
	const given = nasty.filter((text) => !/\{\{|^null$/.test(text));
	const texts = fc.record({ prompt: given, key: given, budgetFor: given, errorMessage: nasty });
	await fc.assert(
		fc.asyncProperty(texts, async ({ errorMessage, ...texts }) => {
			const tables = new DataTables();
			const items = [{ json: texts }];
			const budget = { credits: 1000, period: 'day', budgetFor: '={{ $json.budgetFor }}' };
			const parameters = {
				...{ prompt: '={{ $json.prompt }}', videoKey: '={{ $json.key }}', ifExists: 'always' },
				...{ downloadVideo: false, options: { creditBudget: { budget } } },
			};
			world.sandbox.reset();
			plan({ outcome: { status: 'FAILED', errorMessage } });
			await run(parameters, { items, tables });
			const { json, error } = await run(parameters, { items, tables });
			expect(error).toBeUndefined();
			await run({ operation: 'getStatus', taskId: String(json[0].task_id) }, { tables });
			expect(await run(parameters, { items, tables })).toMatchObject({ json: [{ reused: true }] });
			await run({ operation: 'getAll', filters: { thisWorkflowOnly: true } }, { tables });
			expect(ids()).toHaveLength(2);
			expect(tables.find(TABLE)?.rows.map(({ status }) => status)).toEqual(['FAILED', 'SUCCESS']);
			expect(strangers(tables)).toEqual([]);
		}),
		{ numRuns: 8 },
	);
});
