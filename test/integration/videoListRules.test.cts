// What is asked of the list of videos: reuse, keys, limits, Get Many, and what happens where there is no list.
import type { IDataObject } from 'n8n-workflow';

import { claimTurns } from '../../nodes/Seedance/videoList/claimTurns';
import { USER_AGENT } from '../../nodes/shared/api/userAgent';
import { TABLE } from '../../nodes/shared/idempotency/dataTableList';
import type { Fault, Route } from '../sandbox/server.cjs';
import { DataTables } from '../support/dataTables.cjs';
import type { Order } from '../support/engine.cjs';
import {
	ALWAYS,
	KEY,
	ONE,
	OTHER,
	PRODUCTION,
	reusedOf,
	SHORT,
	SKIP,
	tasksOf,
	TWO,
	listWorld,
	type Given,
} from '../support/listWorld.cjs';
import { all, codesOf, CONTINUE, failureOf } from '../support/seedanceWorld.cjs';

const list = listWorld();
const { world, orderOf, run, rows, otherProcess, daysPass, late } = list;
const { plan, posts, charges, ids } = world;
type Parameters = Order['parameters'];

const PRICE = 28;
/** A turn that nobody else has: that of a process of its own. */
const FREE = { isFree: true, waitUntilHeld: async () => true, release: () => undefined };
const NEVER = { ifExists: 'never' };
const AGAIN =
	/Reused the video made (just now|on \d+ \w+) \(same settings\): no credits were spent for it\./;
const OF_KEY = /Reuse Key a gave the video made on \d+ \w+ with another prompt or other settings\./;
const DIFFERS = /Not reused: Prompt differs from the video made just now\. .* pin the node before/;

describe('a second run', () => {
	it.each<[string, number, Parameters, Partial<Order>, Given, number, RegExp?]>([
		['by hand gives the same', 1, {}, {}, ONE, 0, AGAIN],
		['by hand with another prompt pays, and says why', 2, {}, {}, OTHER, 0, DIFFERS],
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

	it('distinguishes equal items and rounds of a loop, each by its place among its equals', async () => {
		const first = await run(['a', 'a', 'b'], {}, { rounds: 2 });
		expect(posts()).toHaveLength(6);
		const second = await run(['a', 'a', 'b'], {}, { rounds: 2 });
		expect([tasksOf(second), reusedOf(second)]).toEqual([tasksOf(first), all(3, true)]);
		await run(all(5, 'a').map(String));
		expect(posts()).toHaveLength(7);
	});

	const DEAD = ['video', { kind: 'refuse-with', status: 410 }] as const;
	const UNKNOWN = ['status', { kind: 'error', code: 'TASK_NOT_FOUND' }] as const;
	const [OLD, YOUNG] = [10, 0];
	it.each<[string, string, Parameters, number, readonly [Route, Fault] | 'failed', number, string]>(
		[
			['a link that stays dead', 'generate', ALWAYS, OLD, DEAD, 1, 'download_failed'],
			['a link that stays dead', 'generateAndWait', ALWAYS, OLD, DEAD, 1, 'download_failed'],
			['a link that stays dead, by hand', 'generate', {}, OLD, DEAD, 2, ''],
			['a link that does not open yet', 'generate', {}, YOUNG, DEAD, 1, ''],
			['a link that does not open yet', 'generate', ALWAYS, YOUNG, DEAD, 1, ''],
			['a task that the API has lost', 'generate', ALWAYS, OLD, UNKNOWN, 1, 'download_failed'],
			['a task that the API does not know yet', 'generate', {}, YOUNG, UNKNOWN, 1, ''],
			['a task that has failed since', 'generate', ALWAYS, OLD, 'failed', 2, ''],
			['a task that has failed since, by hand', 'generate', {}, OLD, 'failed', 2, ''],
		],
	)('%s (%s %j)', async (_, operation, parameters, minutes, what, paid, code) => {
		if (operation === 'generate') plan({ seconds: 600 });
		await run(['a'], { operation, ...parameters });
		const [first] = ids();
		if (operation === 'generate') {
			world.sandbox.finish(first, { status: what === 'failed' ? 'FAILED' : 'SUCCESS' });
		}
		daysPass(minutes / 1440);
		if (what !== 'failed') world.fault(...what, { times: 'always' });
		const { json } = await run(['a'], { operation, ...parameters }, { node: CONTINUE });
		expect(posts()).toHaveLength(paid);
		const given = code ? { error_code: code, charged: 'no' } : { reused: paid === 1 };
		expect(json).toMatchObject([{ ...given, ...(paid === 1 && { task_id: first }) }]);
	});

	it.each<[string, Route, Fault]>([
		['link', 'video', { kind: 'refuse-with', status: 403 }],
		['task', ...UNKNOWN],
	])('does not pay again for a %s that is refused once', async (_, route, fault) => {
		await run(ONE);
		daysPass(OLD / 1440);
		world.fault(route, fault, { times: 1 });
		const calls = () => [...posts(), ...world.reads(), ...world.sandbox.ledger.videoReads()];
		const before = calls().length;
		expect((await run(ONE)).json).toMatchObject([{ task_id: ids()[0], reused: true }]);
		expect(posts()).toHaveLength(1);
		// Two reads, and one or two of the link.
		expect(calls().length - before).toBeGreaterThanOrEqual(3);
		const agents = new Set(calls().map(({ headers }) => headers['user-agent']));
		expect([...agents]).toEqual([USER_AGENT]);
	});

	it('does not pay again in production for a video whose task is not found once', async () => {
		plan({ seconds: 60 });
		await run(ONE, { ...KEY, ...SHORT }, PRODUCTION);
		world.sandbox.finish(ids()[0]);
		daysPass(2);
		world.fault(...UNKNOWN, { times: 1 });
		const { json } = await run(ONE, KEY, { ...PRODUCTION, node: CONTINUE });
		expect(json).toMatchObject([{ task_id: ids()[0], succeeded: true }]);
		expect(posts()).toHaveLength(1);
	});

	it('names no other settings where the same video has failed', async () => {
		for (let runs = 0; runs < 2; runs++) {
			const { hints } = await run(['[fail]'], {}, { node: CONTINUE });
			expect(hints.join()).not.toContain('Not reused');
		}
		// Nor where its prompt was corrected: there is no video to be got again.
		expect((await run(['a'])).hints.join()).not.toContain('Not reused');
		expect(posts()).toHaveLength(3);
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
			const nodes = JSON.stringify(list.tables.calls.map(({ workflow }) => workflow.nodes));
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

	it('gives rows alike the same video, with the model that made it', async () => {
		const always = { ...KEY, ifExists: 'always' };
		await run(ONE, always);
		const other = { ...always, model: 'seedance-2-mini' };
		const { json } = await run([...ONE, ...ONE], other, { node: CONTINUE });
		const estimated_credits = json[0].estimated_credits;
		expect(json).toMatchObject(all(2, { task_id: ids()[0], model: 'seedance-v1' }));
		expect(json[1].estimated_credits).toEqual(estimated_credits);
	});

	it.each(['always', 'manualRuns', 'skip'])(
		'of three runs at once, each in a process of its own, pays once (%s)',
		async (ifExists) => {
			const alone = jest.spyOn(claimTurns, 'acquire').mockReturnValue(FREE);
			const runs = [list.tables, otherProcess(), otherProcess()].map(
				async (own) => await run(TWO, { ...KEY, ifExists }, { ...PRODUCTION, tables: own }),
			);
			const given = (await Promise.all(runs)).flatMap(tasksOf);
			expect(posts()).toHaveLength(2);
			expect(given).toHaveLength(ifExists === 'skip' ? 2 : 6);
			alone.mockRestore();
			expect(new Set(given)).toEqual(new Set(ids()));
		},
	);

	it('of ten runs at once in one process is bid for by one of them', async () => {
		const before = claimTurns.size;
		const inserts = () => list.tables.calls.filter(({ operations }) => operations[0] === 'insert');
		const runs = Array.from({ length: 10 }, async () => await run(TWO, KEY, PRODUCTION));
		const given = (await Promise.all(runs)).flatMap(tasksOf);
		expect(new Set(given)).toEqual(new Set(ids()));
		expect(inserts()).toHaveLength(1);
		expect([posts().length, claimTurns.size]).toEqual([2, before]);
	});

	it('is shared where another process hands the video on while a run waits for its turn', async () => {
		const order = { ...KEY, operation: 'generate' };
		const turns = jest.spyOn(claimTurns, 'acquire').mockReturnValue(FREE);
		let meanwhile: unknown[] = [];
		turns.mockReturnValueOnce({
			...FREE,
			isFree: false,
			waitUntilHeld: async () => {
				const other = { ...PRODUCTION, tables: otherProcess() };
				meanwhile = tasksOf(await run(ONE, order, other));
				return true;
			},
		});
		expect(tasksOf(await run(ONE, order, PRODUCTION))).toEqual(meanwhile);
		turns.mockRestore();
		expect(posts()).toHaveLength(1);
	});

	it('is asked for all the same where its turn does not come', async () => {
		await run(ONE, KEY, PRODUCTION);
		const { release } = claimTurns.acquire(String(rows()[0].identity));
		expect((await run(ONE, KEY)).json).toMatchObject([{ task_id: ids()[0], reused: true }]);
		release();
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
				/of which 28 are spent or reserved\)\. Nothing was started\.|would exceed/,
			);
		}
		expect(rows().filter(({ status }) => status === 'CLAIMED')).toEqual([]);
	});

	it('is never passed by two runs at once', async () => {
		const runs = [list.tables, otherProcess()].map(
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
		['is switched off', false, () => (list.tables.isOff = true)],
		['is full', false, () => (list.tables.isFull = true)],
		['has no column claim', false, () => list.tables.find(TABLE)?.renameColumn('claim', 'mine')],
		[
			'fails at the first request',
			false,
			() => (list.tables.before = ({ operations: [one] }) => one === 'update' && locked()),
		],
		['fails after the request', true, () => (list.tables.before = () => isSent() && locked())],
		[
			'is full after the request',
			true,
			() => (list.tables.before = () => (list.tables.isFull = isSent())),
		],
		[
			'is deleted after the request',
			true,
			() => (list.tables.before = () => isSent() && list.tables.remove(list.tables.find(TABLE))),
		],
		[
			'is deleted before it',
			false,
			() =>
				(list.tables.before = ({ operations: [one] }) =>
					one === 'update' && list.tables.remove(list.tables.find(TABLE))),
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
			if (isLate) {
				// What is not in the list is not free next time.
				const { hints } = await run(OTHER);
				expect(hints.join()).not.toContain('Run it again as often as you like');
				const { message, description } = failureOf(await run(['d', '[fail]']));
				expect(message).toContain('1 of 2 videos is ready and paid.');
				expect(description).toContain('A new run, or a changed prompt');
				expect(description).not.toContain('or run the workflow again');
				return;
			}
			for (const parameters of [KEY, ALWAYS, SKIP]) {
				const { message, description } = failureOf(await run(OTHER, parameters, PRODUCTION));
				expect(message).toMatch(/^Not started: the list of videos cannot be used, because /);
				expect(description).toContain('No credits were spent');
			}
			expect(posts()).toHaveLength(1);
		},
	);

	it('writes without a column that is not essential, and again after a synchronization error', async () => {
		list.tables.find(TABLE)?.renameColumn('prompt');
		list.tables.before = ({ operations: [one] }) => {
			if (one === 'get' && list.tables.calls.length % 2) throw new Error('synchronization error');
		};
		await run(ONE, KEY);
		expect(reusedOf(await run(ONE, KEY))).toEqual([true]);
		expect(rows()[0]).not.toHaveProperty('prompt');
	});

	it('to change a row that a person has emptied ends the search, and gives the video all the same', async () => {
		await late();
		rows()[0].claim = null;
		const { json, hints } = await run(ONE, ALWAYS, PRODUCTION);
		expect(json).toMatchObject([{ task_id: ids()[0], reused: true }]);
		expect(JSON.stringify(hints)).toContain('row 1 of it cannot be changed');
		expect(posts()).toHaveLength(1);
	});

	it('is not called where it is off, and what needs it is refused', async () => {
		const off = { options: { videoList: false } };
		await run(ONE, off);
		await run(ONE, off);
		await run(ONE, { ...off, operation: 'generate' });
		expect([posts().length, list.tables.calls.length, rows().length]).toEqual([3, 0, 0]);
		for (const parameters of [KEY, ALWAYS, SKIP]) {
			expect(failureOf(await run(ONE, { ...parameters, ...off })).message).toContain(
				'Keep Video List is off',
			);
		}
		expect([posts().length, list.tables.calls.length]).toEqual([3, 0]);
	});
});

it('Get Many filters, newest first, and asks the API nothing', async () => {
	await late();
	await run(['by hand']);
	await run(['done'], {}, PRODUCTION);
	plan({ outcome: { status: 'FAILED' } });
	await run(['failed'], {}, { ...PRODUCTION, node: CONTINUE });
	await run(['id'], { operation: 'generate' }, PRODUCTION);
	const reads = world.reads().length;
	const found = async (filters: Parameters, more: Parameters = {}) =>
		(await run(['x'], { operation: 'getAll', filters, ...more })).json.map(({ prompt }) => prompt);
	expect(await found({})).toEqual(['id', 'failed', 'done', 'a']);
	expect(await found({}, { limit: 2 })).toEqual(['id', 'failed']);
	expect(await found({ includeManual: true })).toEqual(['id', 'failed', 'done', 'by hand', 'a']);
	expect(await found({ notHandedOn: true })).toEqual(['a']);
	expect(await found({ notFinished: true })).toEqual(['id', 'a']);
	expect(await found({ status: 'FAILED' })).toEqual(['failed']);
	expect(await found({ thisWorkflowOnly: true })).toHaveLength(4);
	rows()[0].workflow = 'another';
	expect(await found({ thisWorkflowOnly: true })).toEqual(['id', 'failed', 'done']);
	expect(await found({ since: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
	const all = (await found({})).length;
	for (const [since, count] of [
		["={{ $now.plus(1, 'minute') }}", 0],
		["={{ $now.plus(1, 'minute').toJSDate() }}", 0],
		["={{ $now.minus(1, 'day') }}", all],
		["={{ $now.minus(1, 'day').toJSDate() }}", all],
	] as const) {
		expect(await found({ since })).toHaveLength(count);
	}
	// A filter whose expression gives nothing is as it was added.
	for (const none of ['={{ $json.none }}', '={{ null }}', '']) {
		expect(await found({ notHandedOn: none })).toEqual(await found({ notHandedOn: true }));
		expect(await found({ notFinished: none })).toEqual(await found({ notFinished: true }));
		expect(await found({ includeManual: none })).toHaveLength(all);
	}
	rows()[0].claim = 'living';
	rows()[0].claimed_until = new Date(Date.now() + 60_000).toISOString();
	expect(await found({ notHandedOn: true })).toEqual([]);
	expect(await found({}, { returnAll: true })).toHaveLength(4);
	for (const [parameters, text] of [
		[{ filters: { since: 'soon' } }, 'is not a date'],
		[{ filters: { since: '={{ [$now] }}' } }, 'is not a date'],
		[{ filters: { since: '={{ { day: 1 } }}' } }, 'Since "{"day":1}" is not a date'],
		[{ filters: { status: 'DONE' } }, 'Status "DONE" is not supported'],
		[{ filters: { status: '={{ ["FAILED"] }}' } }, 'Status "["FAILED"]" is not supported'],
		[{ limit: 0 }, 'Limit must be a number of at least 1'],
	] as const) {
		const { message } = failureOf(await run(['x'], { operation: 'getAll', ...parameters }));
		expect(message).toContain(text);
	}
	const [raw] = (await run(['x'], { operation: 'getAll', simplify: false })).json;
	expect(raw).not.toHaveProperty('claim');
	const none = async (filters: Parameters) =>
		(await run(['x'], { operation: 'getAll', filters })).hints;
	expect(await none({ notHandedOn: true })).toEqual(['No video in the list matches.']);
	for (const row of rows()) row.mode = 'manual';
	expect((await none({ status: 'FAILED' }))[0]).toMatch(
		/^1 video was left out, made by runs in the editor\. To list it, /,
	);
	expect((await none({}))[0]).toMatch(/^5 videos were left out, .* To list them, /);
	expect(world.reads()).toHaveLength(reads);
});

it('the first run makes the table, says so, and touches no table with another name', async () => {
	list.tables = new DataTables();
	const copy = list.tables.make(`${TABLE} (copy)`, { note: 'string' });
	const { hints } = await run(ONE, KEY);
	expect(hints.join()).toMatch(
		/^Created the Data Table Seedance Videos \(Overview → Data tables\)/,
	);
	expect([copy.rows, rows().length]).toEqual([[], 1]);
	expect((await run(ONE, KEY)).hints.join()).not.toContain('Created');
	expect(list.tables.calls.flatMap((call) => call.operations)).not.toContain('upsert');
});

it('drops after 90 days what was handed on and has no Reuse Key, once a day', async () => {
	const DAY = 86_400_000;
	const prompts = () => rows().map(({ prompt }) => prompt);
	await run(['old', 'kept'], {}, PRODUCTION);
	await run([{ prompt: 'keyed', key: 'a' }], KEY, PRODUCTION);
	plan({ seconds: Infinity });
	await run(['open'], SHORT, PRODUCTION);
	daysPass(1);
	rows()[1].createdAt = new Date(Date.now() + DAY);
	list.tables.aheadMs = 90 * DAY;
	await run(['x'], {}, PRODUCTION);
	expect(prompts()).toEqual(['kept', 'keyed', 'open', 'x']);
	list.tables.aheadMs += DAY - 60_000;
	rows()[0].createdAt = new Date(0);
	await run(['y'], {}, PRODUCTION);
	expect(prompts()).toContain('kept');
	list.tables.aheadMs += 120_000;
	await run(['z'], {}, PRODUCTION);
	expect(prompts()).toEqual(['keyed', 'open', 'x', 'y', 'z']);
});
