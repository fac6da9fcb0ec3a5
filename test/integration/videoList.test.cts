// The list of videos when a run is interrupted: nothing is paid for twice, and each video is delivered once.
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import { SEEDANCE_TRIGGER, type Order } from '../support/engine.cjs';
import {
	ALWAYS,
	KEY,
	ONE,
	PRODUCTION,
	reusedOf,
	SHORT,
	SKIP,
	tasksOf,
	TWO,
	listWorld,
} from '../support/listWorld.cjs';
import {
	all,
	codesOf,
	CONTINUE,
	ERROR_OUTPUT,
	failureOf,
	RETRY_ON_FAIL,
} from '../support/seedanceWorld.cjs';

/** Before the world waits for all runs to end. */
const dead: Array<() => void> = [];
let isOver = false;
beforeEach(() => {
	isOver = false;
});
afterEach(() => {
	isOver = true;
	dead.splice(0).forEach((end) => end());
});

const list = listWorld();
const { world, orderOf, run, rows, otherProcess, claimsRunOut, daysPass, late } = list;
const { fault, plan, posts, charges, ids } = world;
type Parameters = Order['parameters'];

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
	/** The call is stored, and its response does not arrive. */
	isStored?: boolean;
	until?: () => boolean;
	fault?: () => void;
	/** How many items may have been started, as their responses were lost. */
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
		'while the first request gets a response',
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
		const response = await executeWorkflow(...given);
		if (isIt) reached();
		return isDead || (isIt && dies) ? await never() : response;
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

describe.each(KINDS)('a run (known %s) that ends', (_, parameters) => {
	it.each(MOMENTS)('in a crash %s pays once, and says once what is unclear', async (_, moment) => {
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

const INVALID = { kind: 'error', code: 'INVALID_PROMPT' } as const;
const retry: typeof world.n8n.retry = async (...given) => await world.n8n.retry(...given);

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

	it('goes on with each of several, also without the column item', async () => {
		fault('generate', { kind: 'task', seconds: Infinity }, { times: 3 });
		const first = await run([...TWO, 'third'], SHORT, PRODUCTION);
		for (const id of ids()) world.sandbox.finish(id);
		list.tables.find(TABLE)?.renameColumn('item');
		expect(tasksOf(await retry(first))).toEqual(ids());
		expect(rows()).toMatchObject(ids().map((task_id) => ({ task_id, handed_on: true })));
		expect(posts()).toHaveLength(3);
	});

	it('a video that another run has handed on meanwhile fails, naming that run', async () => {
		const first = await late();
		const other = await run(ONE, {}, PRODUCTION);
		expect(tasksOf(other)).toEqual([ids()[0]]);
		const { message } = failureOf(await retry(first));
		expect(message).toContain(`Execution ${other.id} has handed on this video already`);
		expect(posts()).toHaveLength(1);
	});

	it('a video that another run takes over between two tries is one that was paid for', async () => {
		fault('generate', { kind: 'task', seconds: Infinity });
		const other = () => world.n8n.start(orderOf(ONE, {}, PRODUCTION));
		let second: ReturnType<typeof other> | undefined;
		// The first try has given the row back.
		list.tables.before = () => {
			const [row] = rows();
			if (row?.task_id && row.claim === '') second ??= other();
		};
		const first = await run(ONE, SHORT, { ...PRODUCTION, node: RETRY_ON_FAIL });
		const { message, description, context } = failureOf(first);
		expect(message).toContain('has taken over this video');
		expect(context).toMatchObject({ task_id: ids()[0], charged: 'unknown' });
		expect(description).not.toContain('No credits were spent');
		world.sandbox.finish(ids()[0]);
		expect(tasksOf((await second?.finished)!)).toEqual(ids());
		expect(posts()).toHaveLength(1);
	});

	it('a video that another run is at is not taken from it', async () => {
		plan({ seconds: 60 });
		const first = await run(ONE, SHORT, PRODUCTION);
		const other = world.n8n.start(orderOf(ONE, {}, PRODUCTION));
		await eventually(() => rows()[0].claim !== '');
		expect(failureOf(await retry(first)).message).toContain('has taken over this video');
		world.sandbox.finish(ids()[0]);
		expect(tasksOf(await other.finished)).toEqual([ids()[0]]);
	});
});

describe('a row that an interrupted run has reserved, and that is paid for days later', () => {
	const reserved = async () => {
		await interrupted(true, { call: SENDING }, orderOf(ONE, {}, PRODUCTION));
		daysPass(2);
	};

	it('is that of a new video, which the next run delivers', async () => {
		await reserved();
		expect((await late()).error).toBeDefined();
		expect(tasksOf(await run(ONE, {}, PRODUCTION))).toEqual(ids());
		expect(posts()).toHaveLength(1);
	});

	it('is that of a new video, which a second run by hand gives again', async () => {
		await reserved();
		await run(ONE);
		expect(reusedOf(await run(ONE))).toEqual([true]);
		expect(posts()).toHaveLength(1);
	});

	it('counts today under Maximum Credits per Period', async () => {
		await reserved();
		const options = { creditBudget: { budget: { credits: 28, period: 'day', budgetFor: '' } } };
		await run(['another'], { options }, PRODUCTION);
		const { context } = failureOf(await run(ONE, { options }, PRODUCTION));
		expect(context).toMatchObject({ error_code: 'over_limit', charged: 'no' });
		expect(posts()).toHaveLength(1);
	});
});

it('claims are renewed once a minute for all rows, while it sends and while it waits', async () => {
	world.sandbox.tasks.taskSeconds = 200;
	const batching = { batching: { batch: { batchSize: 1, batchInterval: 70_000 } } };
	await run(TWO, { options: batching }, PRODUCTION);
	const renewals = list.tables.calls.filter(({ workflow }) =>
		/"value":\{"claimed_until":"[^"]+"\}/.test(JSON.stringify(workflow.nodes)),
	);
	expect(renewals.length).toBeGreaterThanOrEqual(3);
	expect(renewals.length).toBeLessThanOrEqual(5);
});

it('a claim that is lost before its request sends nothing', async () => {
	list.tables.before = ({ operations: [first] }) => {
		if (first === 'update') for (const row of rows()) row.claim = 'of another';
	};
	const { message, description } = failureOf(await run(ONE, {}, PRODUCTION));
	expect(message).toContain('another execution has taken over this video');
	expect(description).toContain('No credits were spent');
	expect(posts()).toEqual([]);
});

it('a request that got a 429 is not unclear after a crash while it waits', async () => {
	const limited = () => fault('generate', { kind: 'rate-limit', retryAfter: 60 }, { times: 1 });
	const parameters = { operation: 'generate' };
	await interrupted(
		true,
		{ call: SENDING, nth: 2, fault: limited },
		orderOf(ONE, parameters, PRODUCTION),
	);
	expect(posts()).toHaveLength(1);
	expect((await run(ONE, parameters, PRODUCTION)).json).toMatchObject([{ task_id: ids()[0] }]);
	expect(posts()).toHaveLength(2);
});

it.each([
	['deleted by a person', () => rows().splice(0)],
	['taken over by another run', () => rows().forEach((row) => (row.claim = 'of another'))],
])('a request that got a 429 is not repeated where its row was %s meanwhile', async (_, lose) => {
	fault('generate', { kind: 'rate-limit' }, { times: 1 });
	list.tables.before = () => {
		if (posts().length === 1) lose();
	};
	const { message, description } = failureOf(await run(ONE, { operation: 'generate' }, PRODUCTION));
	expect(message).toContain('another execution has taken over this video');
	expect(description).toContain('No credits were spent');
	expect(posts()).toHaveLength(1);
});

it.each([
	['', {}, 0],
	// A delivery mark that the first try could not remove is removed by the next one.
	[', also at a further try', { node: RETRY_ON_FAIL }, 2],
])(
	'a video that another run has taken over while it was waited for fails, naming that run%s',
	async (_, order, refusals) => {
		let left = refusals;
		list.tables.before = ({ items }) => {
			const isTakeBack =
				items.length > 0 && items.every((one) => one.handed_on === false && !one.claim);
			if (isTakeBack && left-- > 0) throw new Error('no room');
		};
		fault('generate', { kind: 'task', seconds: Infinity }, { times: 2 });
		const first = world.n8n.start(orderOf(TWO, {}, { ...PRODUCTION, ...order }));
		await eventually(() => world.reads().length > 1);
		const { claim: firstClaim } = rows()[0];
		const second = world.n8n.start(orderOf(ONE, {}, { ...PRODUCTION, tables: otherProcess() }));
		await eventually(() => {
			const { claim } = rows()[0];
			// The first run may renew it in between.
			if (claim === firstClaim) claimsRunOut();
			return !['', firstClaim].includes(claim);
		});
		world.sandbox.finish(ids()[0]);
		const given = await second.finished;
		// Until now, the first run waits for its other video.
		world.sandbox.finish(ids()[1]);
		const lost = await first.finished;
		const { message, context } = failureOf(lost);
		expect(message).toContain(`Execution ${given.id} has handed on this video already`);
		// The first run has paid for it.
		expect(context).toMatchObject({ task_id: ids()[0], error_code: 'contact_lost' });
		expect(`${message} ${lost.error?.description}`).not.toContain('No credits were spent');
		expect(given.json).toMatchObject([{ task_id: ids()[0], succeeded: true, reused: true }]);
		expect(left).toBeLessThanOrEqual(0);
		// The node has stopped, so the other one was not delivered.
		expect(rows()).toMatchObject([
			{ handed_on: true, execution_id: given.id },
			{ handed_on: false, claim: '' },
		]);
		expect((await run(TWO.slice(1), {}, PRODUCTION)).json).toMatchObject([{ task_id: ids()[1] }]);
		expect(posts()).toHaveLength(2);
	},
);

it.each([
	['a crash', true],
	['Stop', false],
])('%s during the download gives the file in the next run', async (_, dies) => {
	const parameters = { downloadVideo: true };
	const downloads = () => world.sandbox.ledger.videoReads().length;
	const moment = {
		until: () => downloads() > 0,
		fault: () => fault('video', { kind: 'delay', ms: 2_000 }),
	};
	await interrupted(dies, moment, orderOf(ONE, parameters, PRODUCTION));
	expect([downloads(), rows()]).toMatchObject([1, [{ handed_on: false, task_id: ids()[0] }]]);
	const { items } = await run(ONE, parameters, PRODUCTION);
	expect(items).toMatchObject([{ json: { task_id: ids()[0], reused: true } }]);
	expect(items[0].binary?.data.bytes).toBeGreaterThan(1000);
	expect(posts()).toHaveLength(1);
});

describe('what is not handed on', () => {
	const CODES: Array<[string, () => unknown, Parameters]> = [
		['timeout', () => undefined, SHORT],
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
			if (code !== 'download_failed') plan({ seconds: Infinity });
			breaks();
			const first = await run(ONE, parameters, { ...PRODUCTION, node });
			const item = first.outputs[1]?.[0]?.json.details ?? first.json[0] ?? first.error?.context;
			expect(item).toMatchObject({ error_code: code });
			expect(rows()).toMatchObject([{ handed_on: false, claim: '', claimed_until: '' }]);
			world.sandbox.faults.clear();
			if (code !== 'download_failed') world.sandbox.finish(ids()[0]);
			const second = await run(ONE, {}, PRODUCTION);
			expect(second.json).toMatchObject([{ task_id: ids()[0], reused: true, succeeded: true }]);
			expect(second.hints).toContain(
				'Took over a video of an earlier run: no credits were spent again.',
			);
			expect(posts()).toHaveLength(1);
		},
	);

	it.each(ON_ERROR)(
		'a failed task is reported, and restarted by the next run (%s)',
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

	it.each(ON_ERROR)('a dead link is reported once (%s)', async (_, node) => {
		fault('video', { kind: 'refuse-with', status: 403 }, { times: 'always' });
		const parameters = { ...KEY, downloadVideo: true };
		await run(ONE, parameters, { ...PRODUCTION, node });
		daysPass(3);
		const task = world.sandbox.tasks.all()[0];
		Object.assign(task, { createdAt: task.createdAt - 3 * 86_400_000 });
		await run(ONE, parameters, { ...PRODUCTION, node });
		expect(rows()).toMatchObject([{ handed_on: true, claim: '' }]);
		expect(rows()[0].error_message).toContain('has expired');
		world.sandbox.faults.clear();
		expect((await run(ONE, parameters, PRODUCTION)).json).toMatchObject([{ succeeded: true }]);
		expect(posts()).toHaveLength(2);
	});
});

describe('other ways to a video', () => {
	it('Generate Without Waiting hands on its ID, and the next readings end the row', async () => {
		const start = { operation: 'generate', ...ALWAYS };
		await run(ONE, start, PRODUCTION);
		expect(rows()).toMatchObject([{ handed_on: true, status: 'IN_PROGRESS', claim: '' }]);
		world.sandbox.finish(ids()[0], { status: 'FAILED', errorMessage: 'Busy' });
		await run(ONE, { operation: 'status', taskId: ids()[0] });
		expect(rows()).toMatchObject([{ status: 'FAILED', error_message: 'Busy' }]);
		expect(reusedOf(await run(ONE, start, PRODUCTION))).toEqual([false]);
	});

	it('Wait for Video updates the list, hands on, and makes no list', async () => {
		await late();
		await run(ONE, { operation: 'wait', taskId: ids()[0] });
		expect(rows()).toMatchObject([{ status: 'SUCCESS', handed_on: true, charged: 'yes' }]);
		list.tables.remove(list.tables.find(TABLE));
		await run(ONE, { operation: 'wait', taskId: ids()[0] });
		expect(list.tables.all).toEqual([]);
	});

	it.each([
		['SUCCESS', 'yes', {}],
		['FAILED', 'no', { status: 'FAILED', errorMessage: 'Busy' }],
	] as const)(
		'the trigger ends the row of what it gives out: %s',
		async (status, charged, outcome) => {
			plan({ seconds: Infinity });
			await run(ONE, SHORT, PRODUCTION);
			expect(rows()).toMatchObject([{ status: 'IN_PROGRESS', handed_on: false }]);
			world.sandbox.finish(ids()[0], 'status' in outcome ? outcome : undefined);
			const off = { options: { videoList: false } };
			const { json } = await run(ONE, { operation: 'status', taskId: ids()[0], ...off });
			expect(rows()).toMatchObject([{ status: 'IN_PROGRESS', handed_on: false }]);
			const trigger = async (parameters: Parameters) =>
				await world.n8n.run({
					...{ parameters, tables: list.tables, ...PRODUCTION },
					items: json.map((one) => ({ json: one })),
					node: { type: SEEDANCE_TRIGGER },
				});
			expect((await trigger(off)).json).toMatchObject([{ task_id: ids()[0] }]);
			expect(rows()).toMatchObject([{ status: 'IN_PROGRESS', handed_on: false }]);
			expect((await trigger({})).json).toMatchObject([{ task_id: ids()[0] }]);
			expect(rows()).toMatchObject([{ status, charged, handed_on: true }]);
		},
	);

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
		const written = JSON.stringify([rows(), list.tables.calls]);
		for (const secret of [resumeToken, world.sandbox.apiKey, 'signature=', 'webhook-waiting']) {
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
		const order = { tables: list.tables, ...PRODUCTION, toolCalls: [{ values: { prompt: 'a' } }] };
		plan({ seconds: 60 });
		await world.n8n.run({ ...order, parameters: { ...parameters, ...SHORT } });
		expect(rows()).toMatchObject([{ handed_on: false, claim: '', status: 'IN_PROGRESS' }]);
		world.sandbox.finish(ids()[0]);
		const agent = await world.n8n.run({ ...order, parameters });
		expect(JSON.stringify(agent.data.resultData.runData)).toContain(ids()[0]);
		expect(rows()).toMatchObject([{ handed_on: true, status: 'SUCCESS' }]);
		expect(posts()).toHaveLength(1);
	});

	it('an AI tool says what to do about a video that Skip leaves out', async () => {
		const parameters = {
			operation: 'generateAndWait',
			prompt: "={{ $fromAI('prompt') }}",
			...SKIP,
		};
		const order = { tables: list.tables, ...PRODUCTION, toolCalls: [{ values: { prompt: 'a' } }] };
		await world.n8n.run({ ...order, parameters });
		const { data } = await world.n8n.run({ ...order, parameters });
		expect(JSON.stringify(data.resultData.runData)).toContain('Do not generate it again.');
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
