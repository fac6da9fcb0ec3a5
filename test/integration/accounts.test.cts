// The credential of a node: not blamed on the API when it cannot be used, resolved for each item, and the trouble of one account
// is not that of another.
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { DataTables } from '../support/dataTables.cjs';
import type { Order } from '../support/engine.cjs';
import { codesOf, CONTINUE, TROUBLE, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, failure, fault, setCredential, posts } = world;
const GENERATE = { operation: 'generate', prompt: 'A boat' };
const PARAMETERS = ['generateAndWait', 'generate', 'status', 'wait'].map((operation) => ({
	operation,
	prompt: 'A',
	taskId: 'seed15a',
}));

describe('a credential that cannot be used', () => {
	it.each(TROUBLE.credentials)('%s is named by every operation', async (_, change, flaw) => {
		setCredential(change);
		for (const parameters of PARAMETERS) {
			const isRead = ['status', 'wait'].includes(parameters.operation);
			const { message, description, context } = await failure(parameters);
			expect(message).toContain(flaw);
			expect(message).not.toContain('secret');
			expect(description).toContain('Open the credential "Main account" of this node');
			const ofUrl = isRead ? 'contact_lost' : 'not_created';
			const error_code = 'apiKey' in change ? 'invalid_api_key' : ofUrl;
			expect(context).toMatchObject({ error_code, charged: isRead ? 'unknown' : 'no' });
			if ('baseUrl' in change) {
				expect(message).toContain('(the usual one is https://seedanceapi.org/v1)');
			}
		}
		expect(posts()).toHaveLength(0);
	});

	it('that is gone is reported with the reason n8n gives', async () => {
		const { json } = await run(GENERATE, { credential: 'Deleted', node: CONTINUE });
		const error_message = expect.stringContaining('Credential "Deleted" could not be found');
		expect(json[0]).toMatchObject({ error_code: 'invalid_api_key', charged: 'no', error_message });
	});
});

describe('the trouble of one account', () => {
	/** Rows A and B alternately, A with the main account and B with the other. */
	const items = ['A', 'B', 'A', 'B', 'A'].map((name, row) => ({
		json: { name, prompt: `${name}${row}` },
	}));
	const byRow = (ofA: { apiKey?: string; baseUrl?: string } = {}) => {
		const { apiKey, baseUrl, otherAccount } = world.sandbox;
		const pick = (a: string, b: string) => `={{ $json.name === 'A' ? '${a}' : '${b}' }}`;
		setCredential({
			apiKey: pick(ofA.apiKey ?? apiKey, otherAccount.apiKey),
			baseUrl: pick(ofA.baseUrl ?? baseUrl, baseUrl),
		});
	};
	const runByRow = async (node: Order['node'] = CONTINUE) =>
		await run({ prompt: '={{ $json.prompt }}' }, { items, node });
	const isSlow = () =>
		fault('generate', { kind: 'rate-limit' }, { account: 'main', times: 'always' });

	it.each<[string, () => unknown, string, number]>([
		['empty', () => (world.sandbox.ledger.balance = 0), 'out_of_credits', 1],
		['with a wrong key', () => byRow({ apiKey: 'sk-wrong' }), 'invalid_api_key', 1],
		// Asked again ever more slowly, until the Timeout.
		['asked to slow down for ever', isSlow, 'not_created', 16],
		['unreachable', () => byRow({ baseUrl: world.sandbox.unreachable.refused }), 'not_created', 0],
	])('%s: the rows of the other account are made', async (_, trouble, code, tries) => {
		byRow();
		trouble();
		const ended = await runByRow();
		expect(codesOf(ended)).toEqual([code, true, 'not_created', true, 'not_created']);
		expect(ended.json[2]).toMatchObject({ charged: 'no' });
		expect(posts().filter(({ account }) => account === 'other')).toHaveLength(2);
		expect(posts().length - 2).toBeLessThanOrEqual(tries);
		if (tries !== 1) return;
		expect(ended.json[2].error_message).toContain('item 0 ended the run');
	});

	const FAILED = { status: 'FAILED', errorMessage: 'Server is busy' } as const;
	const ofB = { json: { name: 'B', prompt: 'B [never]' } };
	/** B's video fails free and is restarted, while A waits for a slot and is refused then. */
	const restartBeforeRefusal = async (tables = new DataTables()) => {
		byRow();
		world.plan({ seconds: 5, outcome: FAILED });
		fault('generate', { kind: 'rate-limit' }, { account: 'main', times: 4 });
		const empty = { kind: 'refuse-with', status: 402, body: { message: 'Empty' } } as const;
		fault('generate', empty, { account: 'main', times: 'always' });
		return await run(
			{ prompt: '={{ $json.prompt }}', options: { restarts: 1 } },
			{ items: [ofB, items[0]], tables },
		);
	};

	it('that stops the node leaves a video that was restarted in the list', async () => {
		const tables = new DataTables();
		const { error } = await restartBeforeRefusal(tables);
		const [failed, running] = world.ids();
		expect(error?.context).toMatchObject({ tasks: [{ task_id: running }, {}] });
		expect(tables.find(TABLE)?.rows).toMatchObject([
			{ task_id: failed, status: 'FAILED' },
			{ task_id: running, status: 'IN_PROGRESS', handed_on: false },
		]);
	});

	it('that stops the node does not hide a restart whose outcome nobody knows', async () => {
		const unclear = { kind: 'refuse-with', status: 500, body: { message: 'Oops' } } as const;
		fault('generate', unclear, { account: 'other', nth: 2 });
		const { error } = await restartBeforeRefusal();
		expect(error?.context).toMatchObject({
			error_code: 'maybe_created',
			charged: 'unknown',
			tasks: [{ error_code: 'maybe_created' }, { error_code: 'not_created' }],
		});
		expect(error?.description).toContain('dashboard');
	});
});
