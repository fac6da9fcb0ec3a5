// The list of videos: what is paid once whatever interrupts the workflow, through n8n's engine and Data Tables in memory.
import type { IDataObject } from 'n8n-workflow';

import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { DataTables, type TableRow } from '../support/dataTables.cjs';
import type { Order, Run } from '../support/engine.cjs';
import {
	all,
	codesOf,
	CONTINUE,
	ERROR_OUTPUT,
	failureOf,
	NO_FILE,
	RETRY_ON_FAIL,
	seedanceWorld,
} from '../support/seedanceWorld.cjs';

/** Before the world waits for all runs to end. */
const dead: Array<() => void> = [];
let isOver = false;
afterEach(() => {
	isOver = true;
	dead.splice(0).forEach((end) => end());
});

const world = seedanceWorld();
const { fault, plan, posts, charges, ids } = world;

type Parameters = Order['parameters'];
type Given = Array<IDataObject | string>;

const KEY = { videoKey: '={{ $json.key }}' } as const;
const PRODUCTION = { mode: 'trigger' } as const;
const INVALID = { kind: 'error', code: 'INVALID_PROMPT' } as const;
const PRICE = 28;

let tables: DataTables;
beforeEach(() => {
	tables = world.n8n.tables();
	isOver = false;
});

/** Runs Generate and Wait, an item for each prompt, with the Data Tables of this test. */
async function run(given: Given, parameters: Parameters = {}, order: Partial<Order> = {}) {
	return await world.n8n.run(orderOf(given, parameters, order));
}

function orderOf(given: Given, parameters: Parameters, order: Partial<Order>): Order {
	return {
		tables,
		...order,
		items: given.map((one) => ({ json: typeof one === 'string' ? { prompt: one } : one })),
		parameters: {
			operation: 'generateAndWait',
			prompt: '={{ $json.prompt }}',
			...NO_FILE,
			...parameters,
		},
	};
}

const rows = (): TableRow[] => tables.find(TABLE)?.rows ?? [];
const tasksOf = ({ json }: Run) => json.map(({ task_id }) => task_id);
const reusedOf = ({ json }: Run) => json.map(({ reused }) => reused);
const operations = () => tables.calls.flatMap((call) => call.operations);

/** Whatever was claimed is free: the claims have run out. */
function claimsRunOut(): void {
	for (const row of rows()) if (row.claim) row.claimed_until = new Date(0).toISOString();
}

/** Another process at the same Data Tables. */
function otherProcess(): DataTables {
	const shared = tables;
	const other = new DataTables();
	Object.defineProperty(other, 'all', {
		get: () => shared.all,
		set: (value: DataTables['all']) => {
			shared.all = value;
		},
	});
	return other;
}

/** What a dead process has asked for: nothing comes until the test is over. */
const never = async () =>
	await new Promise<never>((_, reject) => {
		const end = () => reject(new Error('This process is dead'));
		if (isOver) end();
		else dead.push(end);
	});

/** When something happens to a run: at a call of the list (its nodes as JSON), or once something is so. */
interface Moment {
	call?: RegExp;
	/** Which call of that kind; default the first. */
	nth?: number;
	/** The call is stored, and its answer does not arrive. */
	isStored?: boolean;
	until?: () => boolean;
	fault?: () => void;
	/** Items of which nobody knows afterwards whether they were started. */
	unclear?: number;
}

const SENDING = /"value":\{"status":"SENDING"/;
const HANDING_ON = /"value":\{"handed_on":true/;
const isPosted = () => posts().length > 0;
const MOMENTS: Array<[string, Moment]> = [
	['while the list is opened', { call: /"operation":"list"/ }],
	['before it has reserved anything', { call: /"operation":"insert"/ }],
	['after it has reserved', { call: /"operation":"insert"/, isStored: true }],
	['before the first request is announced', { call: SENDING }],
	['between announcement and request', { call: SENDING, isStored: true, unclear: 1 }],
	[
		'while the first request is answered',
		{ until: isPosted, fault: () => fault('generate', { kind: 'delay', ms: 300 }), unclear: 1 },
	],
	['before the first task ID is stored', { call: SENDING, nth: 2, unclear: 1 }],
	['after the first task ID is stored', { call: SENDING, nth: 2, isStored: true, unclear: 1 }],
	['while it waits', { until: () => world.reads().length > 0 }],
	['before it hands on', { call: HANDING_ON }],
];

/**
 * A run in a process of its own to which something happens at a moment. `dies`: it never calls the list again, and the
 * claims run out.
 */
async function interrupted(dies: boolean, moment: Moment, ordered: Order): Promise<void> {
	const own = otherProcess();
	const { executeWorkflow } = own;
	const { call = /^$/, nth = 1, isStored = false, until = () => false } = moment;
	let [calls, isDead] = [0, false];
	let reached = () => {};
	const isThere = new Promise<void>((resolve) => (reached = resolve));
	const calling: typeof executeWorkflow = async (...given) => {
		const isIt = call.test(JSON.stringify(given[0].code?.nodes)) && ++calls === nth;
		if (isIt && !isStored) reached();
		if (isDead || (isIt && dies && !isStored)) return await never();
		const answer = await executeWorkflow(...given);
		if (isIt) reached();
		return isDead || (isIt && dies) ? await never() : answer;
	};
	Object.assign(own, { executeWorkflow: calling });
	moment.fault?.();
	const { stop, finished } = world.n8n.start({ ...ordered, tables: own });
	const timer = setInterval(() => until() && reached(), 2);
	await Promise.race([isThere, finished]);
	clearInterval(timer);
	isDead = dies;
	stop();
	if (!dies) await finished;
	await eventually(() => dies || rows().every(({ claim }) => claim === ''));
	if (dies) claimsRunOut();
	world.sandbox.faults.clear();
}

async function eventually(holds: () => boolean): Promise<void> {
	const end = Date.now() + 3000;
	while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
	await new Promise((resolve) => setTimeout(resolve, 30));
}

const KINDS: Array<[string, Parameters]> = [
	['by its settings', {}],
	['by a Reuse Key', KEY],
];
const TWO = [
	{ prompt: 'a', key: 'a' },
	{ prompt: 'b', key: 'b' },
];

describe.each(KINDS)('a run (known %s) that ends', (_, parameters) => {
	it.each(MOMENTS)('in a crash %s pays once, and tells once what is unclear', async (_, moment) => {
		const { unclear = 0 } = moment;
		await interrupted(true, moment, orderOf(TWO, parameters, {}));
		const second = codesOf(await run(TWO, parameters, { node: CONTINUE }));
		expect(second.filter((code) => code === 'maybe_created')).toHaveLength(unclear);
		const third = await run(TWO, parameters);
		expect(codesOf(third)).toEqual([true, true]);
		expect(posts().length).toBeLessThanOrEqual(2 + unclear);
		const ofOne = posts().filter(({ body }) => body.includes('"a"'));
		expect(ofOne.length).toBeLessThanOrEqual(1 + unclear);
		expect(tasksOf(await run(TWO, parameters))).toEqual(tasksOf(third));
		expect(rows().filter(({ status }) => status !== 'UNCLEAR')).toMatchObject(
			all(2, { status: 'SUCCESS', handed_on: true, claim: '' }),
		);
	});

	it.each(MOMENTS)('by Stop %s pays once, and leaves nothing unclear', async (_, moment) => {
		await interrupted(false, moment, orderOf(TWO, parameters, { ...PRODUCTION, node: CONTINUE }));
		const before = ids();
		expect(rows().filter((row) => row.handed_on || row.status === 'SENDING')).toEqual([]);
		const second = await run(TWO, parameters, PRODUCTION);
		expect(codesOf(second)).toEqual([true, true]);
		expect(reusedOf(second)).toEqual([before.length > 0, before.length > 1]);
		expect(charges()).toHaveLength(2);
	});
});

/** So many days pass. */
function daysPass(days: number): void {
	for (const row of rows()) row.createdAt = new Date(row.createdAt.getTime() - days * 86_400_000);
}

const ONE = [{ prompt: 'a', key: 'a' }];
const OTHER = [{ prompt: 'another', key: 'a' }];
const ALWAYS = { ifExists: 'always' };
const SKIP = { ifExists: 'skip' };
const NEVER = { ifExists: 'never' };
const AGAIN =
	/Reused the video made (just now|on \d+ \w+) \(same settings\): no credits were spent\./;
const OF_KEY = /Reuse Key a gave the video made on \d+ \w+ with another prompt or other settings\./;
const DIFFERS = /Not reused: Prompt differs from the video made just now\. .* pin the node before/;

describe('a second run', () => {
	it.each<[string, number, Parameters, Partial<Order>, Given, number, RegExp?]>([
		['by hand gives the same', 1, {}, {}, ONE, 0, AGAIN],
		['by hand with another prompt pays, and tells why', 2, {}, {}, OTHER, 0, DIFFERS],
		['by hand after a day pays', 2, {}, {}, ONE, 1.1],
		['by hand with the same key gives the same for ever', 1, KEY, {}, OTHER, 400, OF_KEY],
		['in production pays', 2, {}, PRODUCTION, ONE, 0],
		['with Always Reuse gives the same for ever', 1, ALWAYS, PRODUCTION, ONE, 400, AGAIN],
		['with Always Reuse and another prompt pays', 2, ALWAYS, PRODUCTION, OTHER, 0],
		[
			'with Skip leaves it out',
			1,
			SKIP,
			PRODUCTION,
			ONE,
			400,
			/Left out a video, handed on before/,
		],
		['with Skip and a key leaves it out', 1, { ...SKIP, ...KEY }, PRODUCTION, OTHER, 0],
		['with Always Generate pays', 2, NEVER, {}, ONE, 0],
	])('%s', async (_, paid, parameters, order, given, days, hint = /^/) => {
		const [first] = tasksOf(await run(ONE, parameters, order));
		daysPass(days);
		const second = await run(given, parameters, order);
		const same = { task_id: first, reused: true, succeeded: true };
		const isSkip = parameters.ifExists === 'skip';
		expect(second.status).toBe('success');
		expect(second.json).toHaveLength(isSkip ? 0 : 1);
		expect(second.json).toMatchObject(isSkip ? [] : [paid === 1 ? same : { reused: false }]);
		expect(posts()).toHaveLength(paid);
		expect(second.hints.join('\n')).toMatch(hint);
		if (paid === 1) expect(second.hints.join()).not.toContain('This run used');
	});

	it('goes by the account, also where an expression gives it', async () => {
		const { apiKey, otherAccount } = world.sandbox;
		for (const key of [apiKey, otherAccount.apiKey]) {
			world.setCredential({ apiKey: `={{ $json.prompt === 'a' ? '${key}' : '' }}` }, 'By item');
			expect(reusedOf(await run(['a'], {}, { credential: 'By item' }))).toEqual([false]);
			expect(reusedOf(await run(['a'], {}, { credential: 'By item' }))).toEqual([true]);
		}
		expect(reusedOf(await run(['a']))).toEqual([false]);
		expect(posts()).toHaveLength(3);
	});

	it('knows an input file by its content', async () => {
		const withFile = async (text: string) => {
			const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.from(text)]);
			const data = await world.n8n.storeFile(png, `${Math.random()}.png`, 'image/png');
			const order = orderOf(['a'], { imageSource: 'binary', imageBinaryField: 'data' }, {});
			return await world.n8n.run({
				...order,
				items: [{ json: { prompt: 'a' }, binary: { data } }],
			});
		};
		for (const [text, isReused] of [
			['one', false],
			['one', true],
			['two', false],
		] as const) {
			expect(reusedOf(await withFile(text))).toEqual([isReused]);
		}
	});

	it('tells equal items and rounds of a loop apart, each by its place among its equals', async () => {
		const first = await run(['a', 'a', 'b'], {}, { rounds: 2 });
		expect(posts()).toHaveLength(6);
		const second = await run(['a', 'a', 'b'], {}, { rounds: 2 });
		expect([tasksOf(second), reusedOf(second)]).toEqual([tasksOf(first), all(3, true)]);
		await run(all(5, 'a').map(String));
		expect(posts()).toHaveLength(7);
	});

	it('with Skip waits for the others, which keep their place', async () => {
		await run(['a'], SKIP, PRODUCTION);
		const { json, items } = await run(['a', 'b'], SKIP, PRODUCTION);
		expect(json).toMatchObject([{ prompt: 'b', succeeded: true }]);
		expect(items[0].pairedItem).toEqual({ item: 1 });
	});
});

describe('a Reuse Key', () => {
	it.each([7, 0, '👩‍🚀', '={{ $json.prompt }}', '"; DROP TABLE x; --', ' spaces '])(
		'%s stays what it is, and is one for both rows that have it',
		async (key) => {
			const given = [key, String(key)].map((one) => ({ prompt: 'a', key: one }));
			const parameters = { ...KEY, ...ALWAYS };
			const { json } = await run(given, parameters, PRODUCTION);
			expect(json).toMatchObject([{ reused: false }, { reused: true, task_id: ids()[0] }]);
			expect(tasksOf(await run(given, parameters, PRODUCTION))).toEqual(all(2, ids()[0]));
			expect([posts().length, rows().length]).toEqual([1, 1]);
			const text = String(key).trim();
			expect(rows()[0].video_key).toBe(text);
			const nodes = JSON.stringify(tables.calls.map(({ workflow }) => workflow.nodes));
			if (text.length > 5) expect(nodes).not.toContain(JSON.stringify(text).slice(1, -1));
		},
	);

	it.each<[string, IDataObject, string]>([
		['{{ $json.key }}', {}, 'Reuse Key is empty: this item has no such value.'],
		['{{ $json.key }}', { key: '  ' }, 'Reuse Key is empty'],
		['{{ $json.key }}', { key: { a: 1 } }, 'Reuse Key must be a text or a number.'],
		['{{ $json.a }}-{{ $json.key }}', { a: 1 }, 'Reuse Key is incomplete'],
	])('%s of %j is refused before anything is spent', async (key, json, message) => {
		const given = [
			{ prompt: 'b', key: 'b', a: 2 },
			{ prompt: 'a', ...json },
		];
		const error = failureOf(await run(given, { videoKey: `=${key}` }));
		expect(error.message).toContain(message);
		expect(error.description).toContain('No credits were spent');
		expect([posts(), rows()]).toEqual([[], []]);
	});

	it('for two different videos is refused, and the other rows are sent', async () => {
		const given = [...TWO, { prompt: 'another', key: 'a' }];
		expect(failureOf(await run(given, KEY)).message).toContain('stands for two different videos');
		expect(posts()).toEqual([]);
		const { json } = await run(given, KEY, { node: CONTINUE });
		expect(json).toMatchObject([{}, {}, { error_code: 'invalid_input' }]);
	});

	it.each(['always', 'manualRuns', 'skip'])(
		'of three runs at once pays once (%s)',
		async (ifExists) => {
			const runs = [tables, otherProcess(), otherProcess()].map(
				async (own) => await run(TWO, { ...KEY, ifExists }, { ...PRODUCTION, tables: own }),
			);
			const given = (await Promise.all(runs)).flatMap(tasksOf);
			expect(posts()).toHaveLength(2);
			expect(given).toHaveLength(ifExists === 'skip' ? 2 : 6);
			expect(new Set(given)).toEqual(new Set(ids()));
		},
	);
});

const retry: typeof world.n8n.retry = async (...given) => await world.n8n.retry(...given);
const codeOf = (failed: Run) => failureOf(failed).context.error_code;
const SHORT = { options: { timeout: 0.1 } };
/** A run in production whose video is not ready in time, and is ready afterwards. */
async function late(parameters: Parameters = {}, order: Partial<Order> = {}): Promise<Run> {
	plan({ seconds: 60 });
	const first = await run(ONE, { ...SHORT, ...parameters }, { ...PRODUCTION, ...order });
	world.sandbox.finish(ids()[0]);
	return first;
}

describe('within one execution', () => {
	it('Retry On Fail goes on with what it has paid for, and hands each on once', async () => {
		fault('generate', INVALID, { prompt: 'b' });
		const { json } = await run(TWO, KEY, { ...PRODUCTION, node: RETRY_ON_FAIL });
		expect(json).toMatchObject(all(2, { succeeded: true, reused: false }));
		expect([charges().length, posts().length]).toEqual([2, 3]);
		expect(rows()).toMatchObject(all(2, { handed_on: true, claim: '', status: 'SUCCESS' }));
	});

	it('Retry by a person does, too', async () => {
		const first = await late();
		const again = await retry(first);
		expect(tasksOf(again)).toEqual([ids()[0]]);
		expect(rows()).toMatchObject([{ handed_on: true, claim: '', execution_id: again.id }]);
		expect(posts()).toHaveLength(1);
	});

	it('a video that another run has handed on meanwhile fails, naming that run', async () => {
		const first = await late();
		const other = await run(ONE, {}, PRODUCTION);
		expect(tasksOf(other)).toEqual([ids()[0]]);
		const { message } = failureOf(await retry(first));
		expect(message).toContain(`Execution ${other.id} has handed on this video already`);
		expect(posts()).toHaveLength(1);
	});

	it('a video that another run is at is not taken from it', async () => {
		plan({ seconds: 60 });
		const first = await run(ONE, SHORT, PRODUCTION);
		const other = world.n8n.start(orderOf(ONE, {}, PRODUCTION));
		await eventually(() => rows()[0].claim !== '');
		expect(failureOf(await retry(first)).message).toContain('is at the same video');
		world.sandbox.finish(ids()[0]);
		expect(tasksOf(await other.finished)).toEqual([ids()[0]]);
	});
});

it('claims are renewed once a minute for all rows, while it sends and while it waits', async () => {
	world.sandbox.tasks.taskSeconds = 200;
	const batching = { batching: { batch: { batchSize: 1, batchInterval: 70_000 } } };
	await run(TWO, { options: batching }, PRODUCTION);
	const renewals = tables.calls.filter(({ workflow }) =>
		/"value":\{"claimed_until":"[^"]+"\}/.test(JSON.stringify(workflow.nodes)),
	);
	expect(renewals.length).toBeGreaterThanOrEqual(3);
	expect(renewals.length).toBeLessThanOrEqual(5);
});

it('a claim that is lost before its request sends nothing', async () => {
	tables.before = ({ operations: [first] }) => {
		if (first === 'update') for (const row of rows()) row.claim = 'of another';
	};
	const { message, description } = failureOf(await run(ONE, {}, PRODUCTION));
	expect(message).toContain('another execution has taken over this video');
	expect(description).toContain('No credits were spent');
	expect(posts()).toEqual([]);
});

describe('what is not handed on', () => {
	const CODES: Array<[string, () => unknown, Parameters]> = [
		['timeout', () => plan({ seconds: 60 }), SHORT],
		['no_video', () => fault('status', { kind: 'no-video' }, { times: 'always' }), SHORT],
		['contact_lost', () => fault('status', { kind: 'server-error' }, { times: 'always' }), SHORT],
		[
			'download_failed',
			() => fault('video', { kind: 'server-error' }, { times: 'always' }),
			{ downloadVideo: true },
		],
	];
	const ON_ERROR = [
		['stop', {}] as const,
		['continue', CONTINUE] as const,
		['error output', ERROR_OUTPUT] as const,
	];
	it.each(CODES.flatMap((one) => ON_ERROR.map((node) => [...one, ...node] as const)))(
		'%s is free in the next run %#',
		async (code, breaks, parameters, _, node) => {
			breaks();
			const first = await run(ONE, parameters, { ...PRODUCTION, node });
			const item = first.outputs[1]?.[0]?.json.details ?? first.json[0] ?? first.error?.context;
			expect(item).toMatchObject({ error_code: code });
			expect(rows()).toMatchObject([{ handed_on: false, claim: '', claimed_until: '' }]);
			world.sandbox.faults.clear();
			if (code !== 'download_failed') world.sandbox.finish(ids()[0]);
			const second = await run(ONE, {}, PRODUCTION);
			expect(second.json).toMatchObject([{ task_id: ids()[0], reused: true, succeeded: true }]);
			expect(second.hints.join()).toContain(
				'Went on with a video that an interrupted run has paid',
			);
			expect(posts()).toHaveLength(1);
		},
	);

	it.each(ON_ERROR)(
		'a failed task is told, and made anew by the next run (%s)',
		async (_, node) => {
			plan({ outcome: { status: 'FAILED', errorMessage: 'Busy' } });
			const parameters = { ...KEY, ...ALWAYS };
			await run(TWO, parameters, { ...PRODUCTION, node });
			expect(rows()).toMatchObject([{ status: 'FAILED', handed_on: true }, { status: 'SUCCESS' }]);
			const second = await run(TWO, parameters, PRODUCTION);
			expect(reusedOf(second)).toEqual([false, true]);
			expect(second.hints.join()).not.toContain('Not reused');
			expect(charges()).toHaveLength(3);
		},
	);

	it.each(ON_ERROR)('a dead link is told once (%s)', async (_, node) => {
		fault('video', { kind: 'refuse-with', status: 403 }, { times: 'always' });
		const parameters = { ...KEY, downloadVideo: true };
		await run(ONE, parameters, { ...PRODUCTION, node });
		daysPass(3);
		await run(ONE, parameters, { ...PRODUCTION, node });
		expect(rows()).toMatchObject([{ handed_on: true, claim: '' }]);
		expect(rows()[0].error_message).toContain('has expired');
		world.sandbox.faults.clear();
		expect((await run(OTHER, parameters, PRODUCTION)).json).toMatchObject([{ succeeded: true }]);
		expect(posts()).toHaveLength(2);
	});
});

describe('Maximum Credits per Period', () => {
	const limit = (credits: number, more = {}): Parameters => ({
		options: { creditBudget: { budget: { credits, period: 'day', ...more } } },
	});
	const FOR = { budgetFor: '={{ $json.client }}' };
	const of = (...clients: string[]) =>
		clients.map((client, nth) => ({ prompt: `${client} ${nth}`, client }));

	it.each<[string, number, Parameters, Given, Given, number, unknown[]]>([
		['counts all videos', 0, limit(2 * PRICE), of('x'), of('x', 'x'), 1, all(2, 'over_limit')],
		['lets through what fits', 0, limit(2 * PRICE), of('x'), of('x 2'), 2, [true]],
		[
			'with For counts its own',
			0,
			limit(PRICE, FOR),
			of('x'),
			of('x', 'y'),
			2,
			['over_limit', true],
		],
		['forgets yesterday', 1, limit(PRICE), of('x'), of('y'), 2, [true]],
		[
			'of a week forgets the last',
			7,
			limit(PRICE, { period: 'week' }),
			of('x'),
			of('y'),
			2,
			[true],
		],
		[
			'of a month remembers this one',
			0,
			limit(PRICE, { period: 'month' }),
			of('x'),
			of('y'),
			1,
			['over_limit'],
		],
		[
			'counts nothing for what is given again',
			0,
			{ ...limit(PRICE), ...ALWAYS },
			of('x'),
			of('x'),
			1,
			[true],
		],
	])('%s', async (_, days, parameters, before, given, paid, codes) => {
		await run(before, parameters, PRODUCTION);
		daysPass(days);
		const second = await run(given, parameters, { ...PRODUCTION, node: CONTINUE });
		expect([codesOf(second), posts().length]).toEqual([codes, paid]);
		if (codes.includes('over_limit')) {
			expect(second.hints.join()).toMatch(
				/28 are spent or reserved\. Nothing was started\.|would exceed/,
			);
		}
		expect(rows().filter(({ status }) => status === 'CLAIMED')).toEqual([]);
	});

	it('is never passed by two runs at once', async () => {
		const runs = [tables, otherProcess()].map(
			async (own, nth) => await run([`${nth}`], limit(PRICE), { ...PRODUCTION, tables: own }),
		);
		await Promise.all(runs);
		expect(posts().length).toBeLessThanOrEqual(1);
	});

	it('per run counts only what is new', async () => {
		await run(['a'], ALWAYS);
		const parameters = { ...ALWAYS, options: { maxCredits: PRICE } };
		expect(reusedOf(await run(['a', 'b'], parameters))).toEqual([true, false]);
		expect(failureOf(await run(['a', 'c', 'd'], parameters)).context).toMatchObject({
			charged: 'no',
		});
		expect(posts()).toHaveLength(2);
	});
});

describe('a list that refuses', () => {
	const locked = () => {
		throw new Error('locked');
	};
	const isSent = () => charges().length > 0;
	const REFUSALS: Array<[string, boolean, () => unknown]> = [
		['is switched off', false, () => (tables.isOff = true)],
		['is full', false, () => (tables.isFull = true)],
		['has no column claim', false, () => tables.find(TABLE)?.renameColumn('claim', 'mine')],
		[
			'fails at the first request',
			false,
			() => (tables.before = ({ operations: [one] }) => one === 'update' && locked()),
		],
		['fails after the request', true, () => (tables.before = () => isSent() && locked())],
		['is full after the request', true, () => (tables.before = () => (tables.isFull = isSent()))],
		[
			'is deleted after the request',
			true,
			() => (tables.before = () => isSent() && tables.remove(tables.find(TABLE))),
		],
		[
			'is deleted before it',
			false,
			() =>
				(tables.before = ({ operations: [one] }) =>
					one === 'update' && tables.remove(tables.find(TABLE))),
		],
	];
	it.each(REFUSALS)(
		'(%s) loses nothing, and with a key nothing is sent',
		async (_, isLate, refuses) => {
			refuses();
			const without = await run(ONE, {}, PRODUCTION);
			expect(without.json).toMatchObject([{ succeeded: true, reused: false }]);
			expect(without.hints.join()).toMatch(
				isLate ? /could not be written/ : /are not in the list of videos, because/,
			);
			expect(posts()).toHaveLength(1);
			if (isLate) return;
			for (const parameters of [KEY, ALWAYS, SKIP]) {
				const { message, description } = failureOf(await run(ONE, parameters, PRODUCTION));
				expect(message).toMatch(/^Not started: the list of videos cannot be used, because /);
				expect(description).toContain('No credits were spent');
			}
			expect(posts()).toHaveLength(1);
		},
	);

	it('writes without a column that is not essential, and again after a synchronization error', async () => {
		tables.find(TABLE)?.renameColumn('prompt');
		tables.before = ({ operations: [one] }) => {
			if (one === 'get' && tables.calls.length % 2) throw new Error('synchronization error');
		};
		await run(ONE, KEY);
		expect(reusedOf(await run(ONE, KEY))).toEqual([true]);
		expect(rows()[0]).not.toHaveProperty('prompt');
	});

	it('with a row that a person has emptied ends the search', async () => {
		await late();
		rows()[0].claim = null;
		expect(failureOf(await run(ONE, ALWAYS, PRODUCTION)).message).toContain(
			'row 1 of it cannot be changed',
		);
		expect(posts()).toHaveLength(1);
	});

	it('is not called where it is off, and what needs it is refused', async () => {
		const off = { options: { videoList: false } };
		await run(ONE, off);
		await run(ONE, off);
		await run(ONE, { ...off, operation: 'generate' });
		expect([posts().length, tables.calls.length, rows().length]).toEqual([3, 0, 0]);
		for (const parameters of [KEY, ALWAYS, SKIP]) {
			expect(failureOf(await run(ONE, { ...parameters, ...off })).message).toContain(
				'Keep Video List is off',
			);
		}
		expect([posts().length, tables.calls.length]).toEqual([3, 0]);
	});
});

describe('other ways to a video', () => {
	it('Generate Without Waiting hands on its ID, and the next readings end the row', async () => {
		const start = { operation: 'generate', ...ALWAYS };
		const [task_id] = tasksOf(await run(ONE, start, PRODUCTION));
		expect(rows()).toMatchObject([{ handed_on: true, status: 'IN_PROGRESS', claim: '' }]);
		world.sandbox.finish(String(task_id), { status: 'FAILED', errorMessage: 'Busy' });
		const read = { operation: 'status', taskId: task_id };
		await run(ONE, read);
		expect(rows()).toMatchObject([{ status: 'FAILED', error_message: 'Busy' }]);
		expect(reusedOf(await run(ONE, start, PRODUCTION))).toEqual([false]);
	});

	it('Wait for Video tells the list, hands on, and makes no list', async () => {
		await late();
		await run(ONE, { operation: 'wait', taskId: ids()[0] });
		expect(rows()).toMatchObject([{ status: 'SUCCESS', handed_on: true, charged: 'yes' }]);
		tables.remove(tables.find(TABLE));
		await run(ONE, { operation: 'wait', taskId: ids()[0] });
		expect(tables.all).toEqual([]);
	});

	it('a pause claims until its own end, and its resume hands on', async () => {
		plan({ seconds: Infinity });
		const parameters = { ...KEY, waitMethod: 'callback', options: { timeout: 30 } };
		const suspended = await run(ONE, parameters, PRODUCTION);
		const until = Date.parse(String(rows()[0].claimed_until));
		expect(until - Date.now()).toBeGreaterThan(29 * 60_000);
		expect(rows()[0]).toMatchObject({ handed_on: false, status: 'IN_PROGRESS' });
		world.sandbox.finish(ids()[0]);
		const body = { code: 200, data: { task_id: ids()[0], status: 'SUCCESS' } };
		const { run: resumed } = await world.n8n.callback(suspended, { body });
		expect(resumed?.json).toMatchObject([{ task_id: ids()[0], succeeded: true }]);
		expect(rows()).toMatchObject([{ handed_on: true, claim: '', status: 'SUCCESS' }]);
		const { resumeToken = '' } = suspended.data;
		const written = JSON.stringify([rows(), tables.calls]);
		for (const secret of [resumeToken, world.sandbox.apiKey, 'signature=', 'seedance-']) {
			expect(written).not.toContain(secret || 'no token');
		}
	});

	it('a task that is taken over is waited for, without a pause', async () => {
		await late();
		const second = await run(ONE, { waitMethod: 'callback' }, PRODUCTION);
		expect(second.data.waitTill).toBeUndefined();
		expect(second.json).toMatchObject([{ task_id: ids()[0], succeeded: true, reused: true }]);
	});

	it('an AI tool keeps the list, and goes on with what an interrupted call has paid for', async () => {
		const parameters = { operation: 'generateAndWait', prompt: "={{ $fromAI('prompt') }}" };
		const order = { tables, ...PRODUCTION, toolCalls: [{ values: { prompt: 'a' } }] };
		plan({ seconds: 60 });
		await world.n8n.run({ ...order, parameters: { ...parameters, ...SHORT } });
		expect(rows()).toMatchObject([{ handed_on: false, claim: '', status: 'IN_PROGRESS' }]);
		world.sandbox.finish(ids()[0]);
		const agent = await world.n8n.run({ ...order, parameters });
		expect(JSON.stringify(agent.data.resultData.runData)).toContain(ids()[0]);
		expect(rows()).toMatchObject([{ handed_on: true, status: 'SUCCESS' }]);
		expect(posts()).toHaveLength(1);
	});

	it('Include Other Input Fields keeps those of each item also for a video that is given again', async () => {
		const parameters = { ...ALWAYS, options: { includeInput: true } };
		await run([{ prompt: 'a', row: 1 }], parameters);
		expect((await run([{ prompt: 'a', row: 2 }], parameters)).json).toMatchObject([
			{ row: 2, reused: true },
		]);
	});
});

it('Get Many filters, newest first, and asks the API nothing', async () => {
	await run(['by hand']);
	await late({}, {});
	await run(['done'], {}, PRODUCTION);
	plan({ outcome: { status: 'FAILED' } });
	await run(['failed'], {}, { ...PRODUCTION, node: CONTINUE });
	await run(['id'], { operation: 'generate' }, PRODUCTION);
	const reads = world.reads().length;
	const found = async (filters: IDataObject, more: Parameters = {}) =>
		(await run(['x'], { operation: 'getAll', filters, ...more })).json.map(({ prompt }) => prompt);
	expect(await found({})).toEqual(['id', 'failed', 'done', 'a']);
	expect(await found({}, { limit: 2 })).toEqual(['id', 'failed']);
	expect(await found({ includeManual: true })).toEqual(['id', 'failed', 'done', 'a', 'by hand']);
	expect(await found({ notHandedOn: true })).toEqual(['a']);
	expect(await found({ notFinished: true })).toEqual(['id', 'a']);
	expect(await found({ status: 'FAILED' })).toEqual(['failed']);
	expect(await found({ thisWorkflowOnly: true })).toHaveLength(4);
	rows()[1].workflow = 'another';
	expect(await found({ thisWorkflowOnly: true })).toEqual(['id', 'failed', 'done']);
	expect(await found({ since: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
	rows()[1].claim = 'living';
	rows()[1].claimed_until = new Date(Date.now() + 60_000).toISOString();
	expect(await found({ notHandedOn: true })).toEqual([]);
	expect(
		failureOf(await run(['x'], { operation: 'getAll', filters: { since: 'soon' } })).message,
	).toContain('is not a date');
	const [raw] = (await run(['x'], { operation: 'getAll', simplify: false })).json;
	expect(raw).not.toHaveProperty('claim');
	expect(world.reads()).toHaveLength(reads);
});

it('the first run makes the table, says so, and touches no table with another name', async () => {
	tables = new DataTables();
	const copy = tables.make(`${TABLE} (copy)`, { note: 'string' });
	const { hints } = await run(ONE, KEY);
	expect(hints.join()).toMatch(
		/^Created the Data Table Seedance Videos \(Overview → Data tables\)/,
	);
	expect([copy.rows, rows().length]).toEqual([[], 1]);
	expect((await run(ONE, KEY)).hints.join()).not.toContain('Created');
	expect(operations()).not.toContain('upsert');
});
