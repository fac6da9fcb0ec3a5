// Deliveries to Seedance Trigger, hosted as n8n hosts it, that are repeated, early, late, at the same moment, or met by
// trouble of the API and of n8n: one process starts exactly one run per event, and an answer of 2xx loses none.
import type { IDataObject } from 'n8n-workflow';

import { deduplicationOf } from '../../nodes/SeedanceTrigger/deduplication';
import { signedCallbackUrl } from '../../nodes/shared/callback/signature';
import { CALLBACK_SHAPES, type Fault } from '../sandbox/server.cjs';
import type { StoredCredential } from '../support/engine.cjs';
import { hangUp, json, send, sign, signedQuery, type Answer } from '../support/hostile.cjs';
import { triggerWorld, type HostedTrigger } from '../support/triggerHost.cjs';

/** Milliseconds within which every delivery has to be answered. */
const ANSWER_WITHIN = 10_000;

/** How many times faster than real time the node's clock runs where it waits. */
const FAST = 5;

jest.setTimeout(60_000);
const world = triggerWorld();
afterAll(hangUp);

let trigger: HostedTrigger;
beforeEach(() => {
	trigger = world.host.trigger;
});

const genuine = () => signedQuery(world.sandbox.apiKey);
const ended = (taskId: string) => ({ code: 200, data: { task_id: taskId, status: 'SUCCESS' } });

/** Reports the end of a task, genuinely unless another query is given. */
async function report(
	taskId: string,
	{ to = trigger.url, query = genuine(), body = json(ended(taskId)) } = {},
): Promise<Answer> {
	return await send(to, { query, ...body });
}

/** The ids of the tasks that runs were started for, in order. */
const startedFor = (one: HostedTrigger = trigger) =>
	one.runs.map(({ json: [item] }) => String(item.task_id));

const message = ({ body }: Answer) => String(JSON.parse(body).message);
const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status);
const log = () => world.host.logs.map(({ text }) => text).join('\n');

/** Several of something at the same moment. */
async function atOnce<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
	return await Promise.all(Array.from({ length: count }, async (_, index) => await make(index)));
}

/** The events in the trigger's static data: the one list in them, of `task_id:outcome`. */
function eventsKept(): unknown[] {
	const stored: Record<string, Record<string, unknown>> = JSON.parse(
		world.host.staticData.get('workflow1') ?? '{}',
	);
	const lists = Object.values(stored).flatMap((ofNode) =>
		Object.values(ofNode).filter(Array.isArray),
	);
	expect(lists).toHaveLength(1);
	return lists[0];
}

/** Puts something else in the place of that list. */
function replaceEvents(value: unknown): void {
	const stored: Record<string, Record<string, unknown>> = JSON.parse(
		world.host.staticData.get('workflow1') ?? '{}',
	);
	for (const ofNode of Object.values(stored)) {
		for (const [field, kept] of Object.entries(ofNode)) {
			if (Array.isArray(kept)) ofNode[field] = value;
		}
	}
	world.host.staticData.set('workflow1', JSON.stringify(stored));
}

/** The next time that n8n is to start a run: it waits until it is told how that ends. */
function nextRun() {
	let isAsked = () => {};
	let isLeft = () => {};
	let end = (_error?: Error) => {};
	const asked = new Promise<void>((resolve) => (isAsked = resolve));
	const abandoned = new Promise<void>((resolve) => (isLeft = resolve));
	const decided = new Promise<void>((resolve, reject) => {
		end = (error) => (error ? reject(error) : resolve());
	});
	world.host.createRun = async (_run, left) => {
		world.host.createRun = null;
		void left.then(isLeft);
		isAsked();
		await decided;
	};
	return {
		/** n8n was asked for the run. */
		asked,
		/** The sender was seen to be gone. */
		abandoned,
		succeeds: () => end(),
		fails: () => end(new Error('The database is locked')),
	};
}

describe('the signature', () => {
	const signedBy = (values: IDataObject, apiKey: string) => {
		const entries = Object.entries(values).map(([name, value]) => ({ name, value }));
		const signed = signedCallbackUrl('http://127.0.0.1/hook', entries, apiKey, 'loopback');
		if (!signed.ok || !signed.value) throw new Error('The URL could not be signed');
		return signed.value.split('?')[1];
	};

	it('of a Seedance node is the one of the design, and is taken', async () => {
		const { apiKey } = world.sandbox;
		const meta = Buffer.from('{"row":7,"name":"Zoë"}').toString('base64url');
		const query = signedBy({ row: 7, name: 'Zoë' }, apiKey);
		expect(query).toBe(`seedance_meta=${meta}&seedance_sig=${sign(meta, apiKey)}`);
		expect(signedBy({}, apiKey)).toBe(`seedance_sig=${sign('', apiKey)}`);
		const taskId = await world.endedTask();
		expect(await report(taskId, { query })).toMatchObject({ status: 200 });
		expect(trigger.runs.map((run) => run.json)).toEqual([
			[await world.itemOf(taskId, { row: 7, name: 'Zoë' })],
		]);
	});

	it('is the same for a key with blanks around it', async () => {
		const { apiKey, baseUrl } = world.sandbox;
		world.host.credentials.set('Main account', { apiKey: ` ${apiKey}\n`, baseUrl });
		const taskId = await world.endedTask();
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(await report(await world.endedTask(), { query: signedBy({}, ` ${apiKey} `) })).toEqual(
			expect.objectContaining({ status: 200 }),
		);
		expect(trigger.runs).toHaveLength(2);
	});

	it('of another account is refused with a reason in the log', async () => {
		const taskId = await world.endedTask();
		const query = signedQuery(world.sandbox.otherAccount.apiKey);
		expect(await report(taskId, { query })).toMatchObject({ status: 401 });
		expect(log()).toContain('signed with a different API key');
		expect(await report(taskId, { query: '' })).toMatchObject({ status: 401 });
		expect(log()).toContain('it has no signature');
		expect(trigger.runs).toEqual([]);
		expect(world.sandbox.ledger.statusReads()).toEqual([]);
	});

	it.each([
		['is missing', '', 'it has no signature'],
		['was cut', `seedance_sig=${'A'.repeat(42)}`, 'its address was changed on the way'],
	])(
		'that %s is refused by its form, even while the credential cannot be read',
		async (_, query, why) => {
			world.host.credentials.clear();
			expect(await report('seed1', { query })).toMatchObject({ status: 401 });
			expect(log()).toContain(why);
		},
	);

	it('has to be of the account of that very trigger, also when others have just been asked', async () => {
		const { host, sandbox } = world;
		const { apiKey, createTask } = sandbox.otherAccount;
		host.credentials.set('Other account', { apiKey, baseUrl: sandbox.baseUrl });
		const other = host.add({ node: 'Trigger of the other account', credential: 'Other account' });
		const [mine, theirs] = [await world.endedTask(), createTask()];
		sandbox.finish(theirs);
		const query = signedQuery(apiKey);
		expect(await report(mine)).toMatchObject({ status: 200 });
		expect(await report(mine, { to: other.url })).toMatchObject({ status: 401 });
		expect(await report(theirs, { to: other.url, query })).toMatchObject({ status: 200 });
		expect(await report(theirs, { query })).toMatchObject({ status: 401 });
		expect([startedFor(), startedFor(other)]).toEqual([[mine], [theirs]]);
		trigger.credential = 'Other account';
		expect(await report(theirs, { query })).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([mine, theirs]);
	});

	it('with an old key is refused soon after the key in the credential was changed', async () => {
		const { host, sandbox } = world;
		const taskId = await world.endedTask();
		expect(await report(taskId)).toMatchObject({ status: 200 });
		const { apiKey } = sandbox.otherAccount;
		host.credentials.set('Main account', { apiKey, baseUrl: sandbox.baseUrl });
		const start = Date.now();
		while ((await report(taskId)).status !== 401) expect(Date.now() - start).toBeLessThan(5_000);
		const theirs = sandbox.otherAccount.createTask();
		sandbox.finish(theirs);
		const query = signedQuery(apiKey);
		expect(await report(theirs, { query })).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId, theirs]);
	});

	it('is not asked for when the user has turned that off', async () => {
		trigger.parameters = { options: { requireSignature: false } };
		const [first, second] = [await world.endedTask(), await world.endedTask()];
		expect(await report(first, { query: '' })).toMatchObject({ status: 200 });
		const wrong = `seedance_sig=${'A'.repeat(43)}`;
		expect(await report(second, { query: wrong })).toMatchObject({ status: 200 });
		expect(await report(second, { query: '' })).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([first, second]);
		expect(trigger.runs.map(({ json: [item] }) => item.metadata)).toEqual([{}, {}]);
		const foreign = world.sandbox.otherAccount.createTask();
		expect(await report(foreign, { query: '' })).toMatchObject({ status: 404 });
	});

	it('covers metadata whose names are those of prototypes, which change nothing', async () => {
		const meta = Buffer.from(
			'{"__proto__":{"polluted":1},"constructor":"c","hasOwnProperty":"h"}',
		).toString('base64url');
		const query = `seedance_meta=${meta}&seedance_sig=${sign(meta, world.sandbox.apiKey)}`;
		expect(await report(await world.endedTask(), { query })).toMatchObject({ status: 200 });
		expect(trigger.runs[0].json[0].metadata).toMatchObject({
			constructor: 'c',
			hasOwnProperty: 'h',
		});
		expect('polluted' in {}).toBe(false);
	});

	it.each(['[1]', '"text"', '7', 'null', '{"a":', ''])(
		'covers metadata that are no object (%s): they come out as an empty one',
		async (text) => {
			const meta = Buffer.from(text).toString('base64url');
			const query = `seedance_meta=${meta}&seedance_sig=${sign(meta, world.sandbox.apiKey)}`;
			expect(await report(await world.endedTask(), { query })).toMatchObject({ status: 200 });
			expect(trigger.runs[0].json[0].metadata).toEqual({});
		},
	);

	it.each<[string, 'none' | 'gone' | StoredCredential]>([
		['no credential', 'none'],
		['a credential that is gone', 'gone'],
		['a credential without a key', { apiKey: ' ', baseUrl: 'http://127.0.0.1:9/v1' }],
		['a key with a blank in it', { apiKey: 'sk a', baseUrl: 'http://127.0.0.1:9/v1' }],
		['a base URL that is none', { apiKey: 'sk-a', baseUrl: 'seedanceapi.org' }],
	])(
		'cannot be checked with %s: 503 and no run, so that the sender tries again',
		async (_, kept) => {
			const taskId = await world.endedTask();
			if (kept === 'none') trigger.credential = null;
			else if (kept === 'gone') world.host.credentials.clear();
			else world.host.credentials.set('Main account', kept);
			expect(await report(taskId)).toMatchObject({ status: 503 });
			expect(log()).toContain('Seedance refused a callback: ');
			expect(trigger.runs).toEqual([]);
			trigger.credential = 'Main account';
			const { apiKey, baseUrl } = world.sandbox;
			world.host.credentials.set('Main account', { apiKey, baseUrl });
			expect(await report(taskId)).toMatchObject({ status: 200 });
			expect(startedFor()).toEqual([taskId]);
		},
	);
});

describe('an event that is delivered more than once', () => {
	it('starts one run per task when 20 deliveries of each come at the same moment', async () => {
		const taskIds = await atOnce(5, async () => await world.endedTask());
		const answers = await atOnce(100, async (index) => await report(taskIds[index % 5]));
		expect(new Set(statuses(answers))).toEqual(new Set([200]));
		expect(startedFor().sort()).toEqual([...taskIds].sort());
		const started = answers.filter((answer) => message(answer).includes('started'));
		expect(started).toHaveLength(5);
	});

	it('starts no second one later, nor in another shape, nor with other metadata', async () => {
		const taskId = await world.endedTask();
		expect(message(await report(taskId))).toBe('The workflow was started.');
		const query = signedQuery(world.sandbox.apiKey, { row: 2 });
		const again = [
			await report(taskId),
			await report(taskId, { query }),
			await report(taskId, { body: json({ taskId, state: 'fail' }) }),
			await send(trigger.url, { method: 'GET', query: `${genuine()}&task_id=${taskId}` }),
		];
		expect(again.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
		expect(again.map(message)).toEqual(Array(4).fill('This was delivered before.'));
		expect(startedFor()).toEqual([taskId]);
	});

	it('starts no second one after a restart', async () => {
		const taskIds = await atOnce(3, async () => await world.endedTask());
		for (const taskId of taskIds) await report(taskId);
		world.host.restart();
		const again = await atOnce(12, async (index) => await report(taskIds[index % 3]));
		expect(new Set(again.map(message))).toEqual(new Set(['This was delivered before.']));
		expect(startedFor()).toEqual(taskIds);
		const later = await world.endedTask();
		expect(await report(later)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([...taskIds, later]);
	});

	it('starts no second one after a restart between two of many, all of them remembered', async () => {
		const taskIds = await atOnce(10, async () => await world.endedTask());
		for (const taskId of taskIds.slice(0, 5)) await report(taskId);
		world.host.restart();
		for (const taskId of taskIds.slice(5)) await report(taskId);
		world.host.restart();
		for (const taskId of taskIds) await report(taskId);
		expect(startedFor()).toEqual(taskIds);
	});

	it('starts no second one when n8n loses what was saved, because another writer was last', async () => {
		const { staticData } = world.host;
		const taskIds = await atOnce(20, async () => await world.endedTask());
		await atOnce(20, async (index) => await report(taskIds[index]));
		for (const lost of ['{}', '{"node:Seedance Trigger":{}}', '{"node:Other":{"x":1}}']) {
			staticData.set('workflow1', lost);
			await atOnce(20, async (index) => await report(taskIds[index]));
		}
		staticData.clear();
		await report(taskIds[0]);
		expect(startedFor().sort()).toEqual([...taskIds].sort());
	});

	it('is saved again with the next event when another writer had lost it', async () => {
		const { staticData } = world.host;
		const [first, second] = [await world.endedTask(), await world.endedTask()];
		await report(first);
		staticData.set('workflow1', '{}');
		await report(second);
		world.host.restart();
		await report(first);
		await report(second);
		expect(startedFor()).toEqual([first, second]);
	});

	it.each(['null', '"text"', '7', '[1]', '{"a":1}', '[null,{"x":1},7]'])(
		'is still recognised when the static data hold %s where events should stand',
		async (value) => {
			const taskId = await world.endedTask();
			await report(taskId);
			replaceEvents(JSON.parse(value));
			expect(await report(taskId)).toMatchObject({ status: 200 });
			const other = await world.endedTask();
			expect(await report(other)).toMatchObject({ status: 200 });
			world.host.restart();
			expect(await report(other)).toMatchObject({ status: 200 });
			expect(startedFor()).toEqual([taskId, other]);
		},
	);

	it('is remembered among 1,000 of them over a restart, of which the oldest make way', async () => {
		const [first, ...later] = await atOnce(4, async () => await world.endedTask());
		await report(first);
		const old = Array.from({ length: 999 }, (_, index) => `old${index}:succeeded`);
		replaceEvents([...old, `${first}:succeeded`]);
		world.host.restart();
		for (const taskId of later) await report(taskId);
		const events = eventsKept();
		expect(events).toHaveLength(1_000);
		expect(events.slice(-4)).toEqual([first, ...later].map((id) => `${id}:succeeded`));
		expect(events[0]).toBe('old3:succeeded');
		world.host.restart();
		for (const taskId of [first, ...later]) await report(taskId);
		expect(startedFor()).toEqual([first, ...later]);
	});

	it('is one of 1,000 that a process remembers by itself', () => {
		const taskIds = Array.from({ length: 1_500 }, (_, index) => `task${index}`);
		for (const taskId of taskIds) deduplicationOf('bounded', {}).add(taskId, 'succeeded');
		const { has } = deduplicationOf('bounded', {});
		const known = taskIds.filter((taskId) => has(taskId, 'succeeded', Date.now()));
		expect(known).toEqual(taskIds.slice(-1_000));
	});

	it('starts a run in each workflow and at each trigger that it is delivered to', async () => {
		const { host } = world;
		const others = [host.add({ node: 'Second trigger' }), host.add({ workflow: 'workflow2' })];
		const taskId = await world.endedTask();
		for (const { url } of [trigger, ...others]) {
			await report(taskId, { to: url });
			await report(taskId, { to: url });
		}
		expect([trigger, ...others].map(startedFor)).toEqual([[taskId], [taskId], [taskId]]);
		host.restart();
		for (const { url } of [trigger, ...others]) await report(taskId, { to: url });
		expect([trigger, ...others].map(startedFor)).toEqual([[taskId], [taskId], [taskId]]);
	});

	it('starts a run each time when the user has turned that off, and remembers nothing', async () => {
		trigger.parameters = { options: { ignoreDuplicates: false } };
		const taskId = await world.endedTask();
		await report(taskId);
		await atOnce(4, async () => await report(taskId));
		expect(startedFor()).toEqual(Array(5).fill(taskId));
		expect(world.host.staticData.size).toBe(0);
	});
});

describe('n8n cannot start the run', () => {
	it('gives the sender 500, and its next delivery starts the run, once', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		const failed = report(taskId);
		await run.asked;
		run.fails();
		expect(await failed).toMatchObject({ status: 500 });
		expect(world.host.staticData.size).toBe(0);
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(message(await report(taskId))).toBe('This was delivered before.');
		expect(startedFor()).toEqual([taskId]);
		world.host.restart();
		expect(message(await report(taskId))).toBe('This was delivered before.');
	});

	it('starts it with the next delivery, although other events were saved meanwhile', async () => {
		const [taskId, other] = [await world.endedTask(), await world.endedTask()];
		const run = nextRun();
		const failed = report(taskId);
		await run.asked;
		expect(await report(other)).toMatchObject({ status: 200 });
		run.fails();
		expect(await failed).toMatchObject({ status: 500 });
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([other, taskId]);
	});

	it('because it ended while it was starting it: the next delivery to the new process starts it', async () => {
		const { host } = world;
		const [taskId, other] = [await world.endedTask(), await world.endedTask()];
		const run = nextRun();
		const lost = report(taskId);
		await run.asked;
		expect(await report(other)).toMatchObject({ status: 200 });
		host.restart();
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([other, taskId]);
		run.fails();
		await lost;
	});

	it('lets the next in line start it, so that of five at once one starts it and one gets 500', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		const first = report(taskId);
		await run.asked;
		const others = atOnce(4, async () => await report(taskId));
		run.fails();
		const answers = [await first, ...(await others)];
		expect(statuses(answers)).toEqual([500, 200, 200, 200, 200]);
		expect(answers.slice(1).filter((one) => message(one).includes('started'))).toHaveLength(1);
		expect(startedFor()).toEqual([taskId]);
	});

	it('in time: those that wait for it get 503, and their next delivery is known', async () => {
		const { host } = world;
		const taskId = await world.endedTask();
		const run = nextRun();
		const first = report(taskId);
		await run.asked;
		host.clockSpeed = FAST;
		expect(statuses(await atOnce(2, async () => await report(taskId)))).toEqual([503, 503]);
		host.clockSpeed = 1;
		run.succeeds();
		expect(await first).toMatchObject({ status: 200 });
		expect(message(await report(taskId))).toBe('This was delivered before.');
		expect(startedFor()).toEqual([taskId]);
	});

	it('keeps the others waiting until it is known whether the run was started', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		const first = report(taskId);
		await run.asked;
		let areAnswered = false;
		const others = atOnce(3, async () => {
			const answer = await report(taskId);
			areAnswered = true;
			return answer;
		});
		// A delivery of another task passes, so the others would have been answered by now.
		await report(await world.endedTask());
		expect(areAnswered).toBe(false);
		run.succeeds();
		expect(message(await first)).toBe('The workflow was started.');
		expect((await others).map(message)).toEqual(Array(3).fill('This was delivered before.'));
		expect(startedFor()).toEqual(expect.arrayContaining([taskId]));
		expect(startedFor()).toHaveLength(2);
	});
});

describe('a form in several parts, whose answer n8n reads before it starts the run', () => {
	const parts = (taskId: string) => ({
		method: 'POST',
		headers: { 'content-type': 'multipart/form-data; boundary=cut' },
		body: Buffer.from(
			['task_id', 'status']
				.map((name) => {
					const value = name === 'status' ? 'SUCCESS' : taskId;
					return `--cut\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
				})
				.join('') + '--cut--\r\n',
		),
	});

	it('starts its run once, also after a restart', async () => {
		const taskId = await world.endedTask();
		expect(message(await report(taskId, { body: parts(taskId) }))).toBe(
			'The workflow was started.',
		);
		expect(message(await report(taskId, { body: parts(taskId) }))).toBe(
			'This was delivered before.',
		);
		world.host.restart();
		expect(message(await report(taskId))).toBe('This was delivered before.');
		expect(startedFor()).toEqual([taskId]);
	});

	it.each(['fails to start it', 'ends while it starts it'])(
		'is no event while n8n %s, also when others were saved meanwhile and the process is a new one',
		async (what) => {
			const { host } = world;
			const [taskId, other] = [await world.endedTask(), await world.endedTask()];
			const run = nextRun();
			const lost = report(taskId, { body: parts(taskId) });
			await run.asked;
			expect(await report(other)).toMatchObject({ status: 200 });
			if (what === 'fails to start it') {
				run.fails();
				expect(await lost).toMatchObject({ status: 500 });
			}
			host.restart();
			expect(message(await report(taskId))).toBe('The workflow was started.');
			expect(startedFor()).toEqual([other, taskId]);
			run.fails();
			await lost;
		},
	);
});

describe('what the static data hold', () => {
	const stored = (): Record<string, Record<string, unknown>> =>
		JSON.parse(world.host.staticData.get('workflow1') ?? '{}');

	it('has a number, and what the first version wrote is still known', async () => {
		const [old, taskId] = [await world.endedTask(), await world.endedTask()];
		world.host.staticData.set(
			'workflow1',
			JSON.stringify({ 'node:Seedance Trigger': { delivered: [`${old}:succeeded`] } }),
		);
		expect(message(await report(old))).toBe('This was delivered before.');
		await report(taskId);
		expect(stored()['node:Seedance Trigger']).toEqual({
			version: 2,
			delivered: [old, taskId].map((id) => `${id}:succeeded`),
		});
	});

	it.each([3, 'next', null])(
		'is left as it is when another version (%j) wrote it, and repeats are known all the same',
		async (version) => {
			const [old, taskId] = [await world.endedTask(), await world.endedTask()];
			const kept = {
				'node:Seedance Trigger': { version, delivered: [`${old}:succeeded`, { id: 1 }], more: 1 },
			};
			world.host.staticData.set('workflow1', JSON.stringify(kept));
			expect(message(await report(old))).toBe('This was delivered before.');
			expect(message(await report(taskId))).toBe('The workflow was started.');
			expect(message(await report(taskId))).toBe('This was delivered before.');
			expect(stored()).toEqual(kept);
		},
	);
});

describe('a sender that hangs up', () => {
	/** Delivers, and hangs up when something has come to pass. */
	async function reportAndLeave(taskId: string, when: Promise<void>): Promise<void> {
		const leave = new AbortController();
		const sent = send(trigger.url, { query: genuine(), ...json(ended(taskId)) }, leave.signal);
		const gone = expect(sent).rejects.toThrow('aborted');
		await when;
		leave.abort();
		await gone;
	}

	it('while n8n starts the run has its run, and no second one when it delivers again', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		await reportAndLeave(taskId, run.asked);
		await run.abandoned;
		run.succeeds();
		await world.host.idle();
		expect(message(await report(taskId))).toBe('This was delivered before.');
		expect(startedFor()).toEqual([taskId]);
	});

	it('has its run remembered over a restart, although another one was saved right behind it', async () => {
		const [taskId, other] = [await world.endedTask(), await world.endedTask()];
		const run = nextRun();
		await reportAndLeave(taskId, run.asked);
		await run.abandoned;
		run.succeeds();
		await world.host.idle();
		expect(await report(other)).toMatchObject({ status: 200 });
		world.host.restart();
		expect(message(await report(taskId))).toBe('This was delivered before.');
		expect(startedFor()).toEqual([taskId, other]);
	});

	it('while the task is looked at has its run, and is answered at once when it delivers again', async () => {
		const { sandbox, host } = world;
		const taskId = await world.endedTask();
		sandbox.faults.on('status', { kind: 'delay', ms: 300 });
		const reads = sandbox.ledger.until(({ statusEntries }) => statusEntries.length === 1);
		await reportAndLeave(taskId, reads);
		await host.idle();
		expect(startedFor()).toEqual([taskId]);
		const start = Date.now();
		const again = await report(taskId);
		expect(again).toMatchObject({ status: 200 });
		expect(message(again)).toBe('This was delivered before.');
		expect(Date.now() - start).toBeLessThan(3_000);
		expect(startedFor()).toEqual([taskId]);
	}, 20_000);

	it('before n8n fails to start the run gets it with the next delivery', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		await reportAndLeave(taskId, run.asked);
		await run.abandoned;
		run.fails();
		await world.host.idle();
		expect(startedFor()).toEqual([]);
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId]);
	}, 20_000);

	it('while it sends its body starts nothing, and leaves the trigger as it was', async () => {
		const taskId = await world.endedTask();
		const leave = new AbortController();
		const cut = send(
			trigger.url,
			{
				query: genuine(),
				headers: { 'content-type': 'application/json', 'content-length': '1000' },
			},
			leave.signal,
		);
		const gone = expect(cut).rejects.toThrow();
		await new Promise(setImmediate);
		leave.abort();
		await gone;
		await world.host.idle();
		expect(trigger.runs).toEqual([]);
		expect(await report(taskId)).toMatchObject({ status: 200 });
	});
});

describe('a delivery that waits behind another one of its task', () => {
	it('is answered after that one, and starts nothing', async () => {
		const { sandbox } = world;
		const taskId = await world.endedTask();
		sandbox.faults.on('status', { kind: 'delay', ms: 300 });
		const isRead = sandbox.ledger.until(({ statusEntries }) => statusEntries.length === 1);
		const answered: string[] = [];
		const first = report(taskId).then((answer) => answered.push(message(answer)));
		await isRead;
		const second = report(taskId).then((answer) => answered.push(message(answer)));
		await Promise.all([first, second]);
		expect(answered).toEqual(['The workflow was started.', 'This was delivered before.']);
		expect(startedFor()).toEqual([taskId]);
	});

	it('does not hold up deliveries of other tasks', async () => {
		const { sandbox } = world;
		const [slow, quick] = [await world.endedTask(), await world.endedTask()];
		sandbox.faults.on('status', { kind: 'delay', ms: 500 }, { taskId: slow });
		const first = atOnce(2, async () => await report(slow));
		expect(await report(quick)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([quick]);
		expect(statuses(await first)).toEqual([200, 200]);
		expect(startedFor()).toEqual([quick, slow]);
	});
});

describe('a body', () => {
	it.each(CALLBACK_SHAPES.filter((shape) => !['empty', 'garbage'].includes(shape)))(
		'of the shape "%s" starts a run with what the API tells',
		async (shape) => {
			const { sandbox } = world;
			const taskId = await world.startTask({
				callback_url: `${trigger.url}?${signedQuery(sandbox.apiKey, { row: 3 })}`,
			});
			sandbox.callbacks.planFor(taskId, { shape, attempts: 1 });
			sandbox.finish(taskId);
			await sandbox.callbacks.settled();
			expect(sandbox.callbacks.of(taskId)).toMatchObject([{ status: 200 }]);
			expect(trigger.runs).toMatchObject([{ mode: 'webhook' }]);
			expect(trigger.runs[0].json).toEqual([await world.itemOf(taskId, { row: 3 })]);
		},
	);

	const JSON_BODY = (taskId: string) => JSON.stringify(ended(taskId));
	const TYPES: Array<[string, string | undefined, (taskId: string) => string]> = [
		['JSON without a content type', undefined, JSON_BODY],
		['JSON under text/plain', 'text/plain', JSON_BODY],
		['JSON under a type of its own', 'application/vnd.seedance+json', JSON_BODY],
		['JSON under text/json', 'text/json', JSON_BODY],
		['JSON under application/octet-stream', 'application/octet-stream', JSON_BODY],
		['JSON under a broken type', 'json', JSON_BODY],
		['JSON sent as a form', 'application/x-www-form-urlencoded', JSON_BODY],
		[
			'JSON with "&" and "=" sent as a form',
			'application/x-www-form-urlencoded',
			(taskId) => JSON.stringify({ url: 'https://a.example/?b=1&c=2', data: { task_id: taskId } }),
		],
		[
			'JSON in a field of a form',
			'application/x-www-form-urlencoded',
			(taskId) => `payload=${encodeURIComponent(JSON_BODY(taskId))}`,
		],
		['a list', 'application/json', (taskId) => JSON.stringify([ended(taskId)])],
		[
			'JSON as a text in its data',
			'application/json',
			(taskId) => JSON.stringify({ data: JSON.stringify({ task_id: taskId }) }),
		],
		[
			'an object two levels deep',
			'application/json',
			(taskId) => JSON.stringify({ event: { payload: { data: { taskId } } } }),
		],
		['a form without a content type', undefined, (taskId) => `status=SUCCESS&task_id=${taskId}`],
		['a text', 'text/plain', (taskId) => `Task ID: ${taskId}`],
		['XML', 'application/xml', (taskId) => `<r><task_id>${taskId}</task_id></r>`],
		['an XML without a type', undefined, (taskId) => `<r><task_id>${taskId}</task_id></r>`],
	];

	it.each(TYPES)('that is %s starts the run', async (_, type, write) => {
		const taskId = await world.endedTask();
		const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
		const body = { method: 'POST', headers, body: Buffer.from(write(taskId)) };
		expect(await report(taskId, { body })).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId]);
	});

	it('without an id is refused with a line in the log that shows its form and no value', async () => {
		const body = json({ code: 200, data: { video: 'https://secret.example', prompt: 'private' } });
		expect(await report('', { body })).toMatchObject({ status: 400 });
		expect(log()).toContain('there is no task ID in it');
		expect(log()).toContain('{ code: number, data: { video: string, prompt: string } }');
		expect(log()).not.toMatch(/secret|private/);
	});

	it.each(['empty', 'garbage'] as const)(
		'of the shape "%s" names no task: 400 and no run',
		async (shape) => {
			const { sandbox } = world;
			const taskId = await world.startTask({ callback_url: `${trigger.url}?${genuine()}` });
			sandbox.callbacks.planFor(taskId, { shape, attempts: 1 });
			sandbox.finish(taskId);
			await sandbox.callbacks.settled();
			expect(sandbox.callbacks.of(taskId)).toMatchObject([{ status: 400 }]);
			expect(trigger.runs).toEqual([]);
			expect(sandbox.ledger.statusReads()).toEqual([]);
		},
	);

	it.each(['neighbour', 'envelope', 'data', 'get'] as const)(
		'of the shape "%s" with the id of a provider behind the provider: 404 and no run',
		async (shape) => {
			const { sandbox } = world;
			const taskId = await world.startTask({ callback_url: `${trigger.url}?${genuine()}` });
			sandbox.callbacks.planFor(taskId, { shape, foreignId: true, attempts: 1 });
			sandbox.finish(taskId);
			await sandbox.callbacks.settled();
			expect(sandbox.callbacks.of(taskId)).toMatchObject([{ status: 404 }]);
			expect(trigger.runs).toEqual([]);
			expect(log()).toContain('there is no task other');
		},
	);

	it('that names a foreign id beside that of the account starts a run for the one of the account', async () => {
		const taskId = await world.endedTask();
		const body = json({ code: 200, data: { taskId: 'foreign1', state: 'success' } });
		const query = `${genuine()}&task_id=${taskId}`;
		expect(await report(taskId, { query, body })).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId]);
	});

	it('that names many tasks makes the API be read a few times at most', async () => {
		const names = { task_id: 'seed1', taskId: 'seed2', id: 'seed3' };
		const data = { task_id: 'seed4', taskId: 'seed5', id: 'seed6' };
		const query = `${genuine()}&task_id=seed7`;
		expect(await send(trigger.url, { query, ...json({ ...names, data }) })).toMatchObject({
			status: 404,
		});
		expect(world.sandbox.ledger.statusReads().length).toBeLessThanOrEqual(3);
	});

	it('comes out raw without the callback URL when Simplify is off', async () => {
		trigger.parameters = { simplify: false };
		const { sandbox } = world;
		const callback_url = `${trigger.url}?${signedQuery(sandbox.apiKey, { row: 4 })}`;
		const taskId = await world.startTask({ callback_url });
		sandbox.finish(taskId);
		await sandbox.callbacks.settled();
		expect(trigger.runs[0].json).toMatchObject([
			{
				task_id: taskId,
				status: 'SUCCESS',
				response: [`${sandbox.origin}/videos/${taskId}.mp4`],
				metadata: { row: 4 },
			},
		]);
		expect(JSON.stringify(trigger.runs)).not.toMatch(/callback_url|seedance_sig/);
	});
});

describe('Trigger On', () => {
	it('starts for a failed video with what the API tells of it', async () => {
		const taskId = await world.endedTask('A boat', {
			status: 'FAILED',
			errorMessage: 'Not allowed',
		});
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(trigger.runs.map((run) => run.json)).toEqual([[await world.itemOf(taskId)]]);
		expect(trigger.runs[0].json[0]).toMatchObject({
			status: 'FAILED',
			succeeded: false,
			error_message: 'Not allowed',
		});
	});

	it.each([
		['succeeded', 'FAILED'],
		['failed', 'SUCCESS'],
	] as const)('with only "%s" ticked starts nothing for %s: 200', async (event, status) => {
		trigger.parameters = { events: [event] };
		const taskId = await world.endedTask('A boat', { status });
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(trigger.runs).toEqual([]);
		expect(world.host.staticData.size).toBe(0);
		// It was not delivered, so it is not remembered as delivered either.
		trigger.parameters = { events: ['succeeded', 'failed'] };
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId]);
	});

	it('waits for the video of a success that has none yet', async () => {
		const { host, sandbox } = world;
		host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		sandbox.faults.on('status', { kind: 'no-video', response: 'null' }, { times: 2 });
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(trigger.runs[0].json[0].succeeded).toBe(true);
		expect(trigger.runs.map((run) => run.json)).toEqual([[await world.itemOf(taskId)]]);
	});

	it.each([['succeeded'], ['failed']])(
		'with only "%s" ticked starts the run for a success without a video, which waits for it and decides',
		async (event) => {
			const { host, sandbox } = world;
			host.clockSpeed = FAST;
			const taskId = await world.endedTask();
			const noVideo: Fault = { kind: 'no-video', response: 'empty' };
			sandbox.faults.on('status', noVideo, { times: 'always' });
			trigger.parameters = { events: [event] };
			expect(await report(taskId)).toMatchObject({ status: 200 });
			expect(trigger.runs.map(({ json: [item] }) => [item.task_id, item.succeeded])).toEqual([
				[taskId, false],
			]);
		},
	);

	it('starts no second run for a success without a video, nor for the video while that run waits for it', async () => {
		const { host, sandbox } = world;
		host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		const noVideo: Fault = { kind: 'no-video', response: 'empty' };
		sandbox.faults.on('status', noVideo, { times: 'always' });
		expect(message(await report(taskId))).toBe('The workflow was started.');
		expect(message(await report(taskId))).toBe('This was delivered before.');
		sandbox.faults.clear();
		expect(message(await report(taskId))).toBe('This was delivered before.');
		expect(startedFor()).toEqual([taskId]);
		// Another process knows nothing of that run: a video is started for once more rather than never.
		host.restart();
		expect(message(await report(taskId))).toBe('The workflow was started.');
	});

	it('starts the run with the video when n8n could not start the one that would have waited for it', async () => {
		const { host, sandbox } = world;
		host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		sandbox.faults.on('status', { kind: 'no-video', response: 'empty' }, { times: 'always' });
		const run = nextRun();
		const failed = report(taskId);
		await run.asked;
		run.fails();
		expect(await failed).toMatchObject({ status: 500 });
		sandbox.faults.clear();
		expect(message(await report(taskId))).toBe('The workflow was started.');
		expect(trigger.runs.map(({ json: [item] }) => item.succeeded)).toEqual([true]);
	});
});

describe('a delivery that comes early', () => {
	/** The end of a task that GET /status hides for so many milliseconds; its callback comes at once. */
	const endEarly = async (earlyMs: number) => {
		const { sandbox } = world;
		const taskId = await world.startTask({ callback_url: `${trigger.url}?${genuine()}` });
		sandbox.callbacks.planFor(taskId, { earlyMs, attempts: 1 });
		sandbox.finish(taskId);
		await sandbox.callbacks.settled();
		const task = sandbox.tasks.get(taskId);
		if (!task) throw new Error('The task is gone');
		return task;
	};

	it('by less than 5 s waits for the end and starts the run', async () => {
		world.host.clockSpeed = 2;
		const { id } = await endEarly(900);
		expect(world.sandbox.callbacks.of(id)).toMatchObject([{ status: 200 }]);
		expect(trigger.runs.map((run) => run.json)).toEqual([[await world.itemOf(id)]]);
	});

	it('by more gets 503, and starts the run when it is delivered again', async () => {
		const { host, sandbox } = world;
		host.clockSpeed = FAST;
		const task = await endEarly(600_000);
		expect(trigger.runs).toEqual([]);
		task.visibleAt = Date.now();
		await sandbox.callbacks.deliver(task);
		expect(sandbox.callbacks.of(task.id).map(({ status }) => status)).toEqual([503, 200]);
		expect(startedFor()).toEqual([task.id]);
	});

	it('and says that the video is still being made gets 200 at once, and is no event', async () => {
		const { ledger } = world.sandbox;
		const taskId = await world.startTask();
		const body = json({ code: 200, data: { task_id: taskId, status: 'IN_PROGRESS' } });
		expect(await report(taskId, { body })).toMatchObject({ status: 200 });
		expect(ledger.statusReads(taskId)).toHaveLength(1);
		expect(trigger.runs).toEqual([]);
		world.sandbox.finish(taskId);
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId]);
	});

	it('and says nothing of the state gets 200 once 5 s have passed, and no run', async () => {
		world.host.clockSpeed = FAST;
		const taskId = await world.startTask();
		const body = json({ task_id: taskId });
		expect(await report(taskId, { body })).toMatchObject({ status: 200 });
		expect(trigger.runs).toEqual([]);
	});
});

describe('trouble of the API', () => {
	it('that is down gives 503, and exactly one run when it is back', async () => {
		const { sandbox, host } = world;
		host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		await sandbox.goDown();
		const refused = await atOnce(3, async () => await report(taskId));
		expect(statuses(refused)).toEqual([503, 503, 503]);
		for (const { headers } of refused) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
		expect(log()).toContain('could not be reached');
		expect(trigger.runs).toEqual([]);
		await sandbox.comeBack();
		host.clockSpeed = 1;
		const taken = await atOnce(3, async () => await report(taskId));
		expect(statuses(taken)).toEqual([200, 200, 200]);
		expect(startedFor()).toEqual([taskId]);
	});

	it.each<[string, Fault]>([
		['500', { kind: 'server-error' }],
		['429', { kind: 'rate-limit', retryAfter: 60 }],
		['a page of HTML under 502', { kind: 'html', status: 502 }],
		['a page of HTML under 404', { kind: 'html', status: 404 }],
		['a page of HTML under 200', { kind: 'html', status: 200 }],
		['403', { kind: 'refuse-with', status: 403, body: { message: 'no' } }],
		['a refused key', { kind: 'error', code: 'INVALID_API_KEY' }],
		['no credits', { kind: 'error', code: 'INSUFFICIENT_CREDITS' }],
		['a cut answer', { kind: 'invalid-json' }],
		['no body', { kind: 'empty-body' }],
		['a cut connection', { kind: 'reset' }],
		['a redirect', { kind: 'redirect' }],
		["another task's state", { kind: 'foreign-id' }],
		['a list', { kind: 'wrong-shape', shape: 'array' }],
		['null', { kind: 'wrong-shape', shape: 'null' }],
		['no data', { kind: 'wrong-shape', shape: 'null-data' }],
		['no status', { kind: 'wrong-shape', shape: 'no-status' }],
	])('(%s) gives 503 and no run, and exactly one run later', async (_, fault) => {
		const { sandbox, host } = world;
		host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		sandbox.faults.on('status', fault, { times: 'always' });
		expect(await report(taskId)).toMatchObject({ status: 503 });
		expect(log()).toContain('Seedance refused a callback: ');
		expect(trigger.runs).toEqual([]);
		sandbox.faults.clear();
		host.clockSpeed = 1;
		expect(statuses(await atOnce(2, async () => await report(taskId)))).toEqual([200, 200]);
		expect(startedFor()).toEqual([taskId]);
		expect(sandbox.elsewhere.requests).toEqual([]);
	});

	it('is no reason to start a run when a parameter cannot be resolved either: 503', async () => {
		const taskId = await world.endedTask();
		trigger.parameters = { events: '={{ $("No such node").first().json.events }}' };
		expect(await report(taskId)).toMatchObject({ status: 503 });
		expect(log()).toContain('this node could not be read');
		trigger.parameters = {};
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId]);
	});

	it('that passes is read again within the same delivery', async () => {
		const { sandbox, host } = world;
		host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		sandbox.faults.on('status', { kind: 'server-error' }, { times: 2 });
		expect(await report(taskId)).toMatchObject({ status: 200 });
		expect(startedFor()).toEqual([taskId]);
	});

	it('that never answers gives 503 within 10 s, to those that wait in line as well', async () => {
		const { sandbox } = world;
		const [first, second] = [await world.endedTask(), await world.endedTask()];
		sandbox.faults.on('status', { kind: 'hang' }, { times: 'always' });
		const timed = async (taskId: string) => {
			const start = Date.now();
			const { status } = await report(taskId);
			return { status, isInTime: Date.now() - start < ANSWER_WITHIN };
		};
		const answers = await Promise.all([timed(first), timed(first), timed(second)]);
		expect(answers).toEqual(Array(3).fill({ status: 503, isInTime: true }));
		expect(trigger.runs).toEqual([]);
		sandbox.faults.clear();
		const later = await atOnce(4, async (index) => await report([first, second][index % 2]));
		expect(statuses(later)).toEqual([200, 200, 200, 200]);
		expect(startedFor().sort()).toEqual([first, second].sort());
	}, 30_000);
});

describe('the test URL', () => {
	it('starts a run for each delivery, repeated or not, and remembers nothing', async () => {
		const { host } = world;
		const taskId = await world.endedTask();
		for (const _ of [1, 2]) {
			trigger.listen();
			expect(await report(taskId, { to: trigger.testUrl })).toMatchObject({ status: 200 });
		}
		expect(host.staticData.size).toBe(0);
		expect(await report(taskId)).toMatchObject({ status: 200 });
		trigger.listen();
		expect(await report(taskId, { to: trigger.testUrl })).toMatchObject({ status: 200 });
		expect(trigger.runs.map(({ mode }) => mode)).toEqual(['manual', 'manual', 'webhook', 'manual']);
		expect(message(await report(taskId))).toBe('This was delivered before.');
	});

	it('takes an unsigned link of a video that exists, and nothing else unsigned', async () => {
		const taskId = await world.endedTask();
		const foreign = world.sandbox.otherAccount.createTask();
		trigger.listen();
		const open = async (query: string, method = 'GET') =>
			await send(trigger.testUrl, { method, query });
		expect(await open(`task_id=${taskId}`, 'POST')).toMatchObject({ status: 401 });
		expect(await report(taskId, { to: trigger.testUrl, query: '' })).toMatchObject({ status: 401 });
		const wrong = `task_id=${taskId}&seedance_sig=${'A'.repeat(43)}`;
		expect(await open(wrong)).toMatchObject({ status: 401 });
		expect(await open(`task_id=${taskId}&seedance_sig=cut`)).toMatchObject({ status: 401 });
		expect(await open(`task_id=${foreign}`)).toMatchObject({ status: 404 });
		expect(await open('')).toMatchObject({ status: 400 });
		expect(trigger.runs).toEqual([]);
		expect(await open(`task_id=${taskId}`)).toMatchObject({ status: 200 });
		expect(trigger.runs).toMatchObject([{ mode: 'manual' }]);
		expect(trigger.runs[0].json).toEqual([await world.itemOf(taskId)]);
	});

	it('answers at once about a video that is still being made', async () => {
		const taskId = await world.startTask();
		trigger.listen();
		const answer = await send(trigger.testUrl, { method: 'GET', query: `task_id=${taskId}` });
		expect(answer).toMatchObject({ status: 200 });
		expect(world.sandbox.ledger.statusReads(taskId)).toHaveLength(1);
		expect(trigger.runs).toEqual([]);
	});

	it('takes no unsigned link over the production URL', async () => {
		const taskId = await world.endedTask();
		const answer = await send(trigger.url, { method: 'GET', query: `task_id=${taskId}` });
		expect(answer).toMatchObject({ status: 401 });
		expect(trigger.runs).toEqual([]);
	});
});
