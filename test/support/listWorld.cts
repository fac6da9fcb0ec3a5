// What the tests of the list of videos start from: runs that share Data Tables, and time that passes for its rows.
import type { IDataObject } from 'n8n-workflow';

import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { DataTables, type TableRow } from './dataTables.cjs';
import type { Order, Run } from './engine.cjs';
import { NO_FILE, seedanceWorld } from './seedanceWorld.cjs';

type Parameters = Order['parameters'];
export type Given = Array<IDataObject | string>;

export const KEY = { videoKey: '={{ $json.key }}' } as const;
export const ALWAYS = { ifExists: 'always' };
export const SKIP = { ifExists: 'skip' };
export const PRODUCTION = { mode: 'trigger' } as const;
export const SHORT = { options: { timeout: 0.1 } };
export const ONE = [{ prompt: 'a', key: 'a' }];
export const OTHER = [{ prompt: 'another', key: 'a' }];
export const TWO = [
	{ prompt: 'a', key: 'a' },
	{ prompt: 'b', key: 'b' },
];
export const tasksOf = ({ json }: Run) => json.map(({ task_id }) => task_id);
export const reusedOf = ({ json }: Run) => json.map(({ reused }) => reused);

/** The world of these tests; each test has Data Tables of its own. */
export function listWorld() {
	const world = seedanceWorld();
	let tables: DataTables;
	beforeEach(() => {
		tables = world.n8n.tables();
	});
	/** Generate and Wait, an item for each prompt. */
	const orderOf = (given: Given, parameters: Parameters, order: Partial<Order>): Order => ({
		tables,
		...order,
		items: given.map((one) => ({ json: typeof one === 'string' ? { prompt: one } : one })),
		parameters: {
			operation: 'generateAndWait',
			prompt: '={{ $json.prompt }}',
			...NO_FILE,
			...parameters,
		},
	});
	const run = async (given: Given, parameters: Parameters = {}, order: Partial<Order> = {}) =>
		await world.n8n.run(orderOf(given, parameters, order));
	const rows = (): TableRow[] => tables.find(TABLE)?.rows ?? [];
	return {
		world,
		get tables(): DataTables {
			return tables;
		},
		set tables(others) {
			tables = others;
		},
		orderOf,
		run,
		rows,
		/** Another process at the same Data Tables. */
		otherProcess: (): DataTables => {
			const shared = tables;
			return Object.defineProperty(new DataTables(), 'all', {
				get: () => shared.all,
				set: (value: DataTables['all']) => {
					shared.all = value;
				},
			});
		},
		/** Lets all claims run out. */
		claimsRunOut: () => {
			for (const row of rows()) if (row.claim) row.claimed_until = new Date(0).toISOString();
		},
		daysPass: (days: number) => {
			for (const row of rows())
				row.createdAt = new Date(row.createdAt.getTime() - days * 86_400_000);
		},
		/** A run in production whose video is not ready in time, and is ready afterwards. */
		late: async (): Promise<Run> => {
			world.plan({ seconds: 60 });
			const first = await run(ONE, SHORT, PRODUCTION);
			world.sandbox.finish(world.ids()[0]);
			return first;
		},
	};
}
