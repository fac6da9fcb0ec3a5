// Deliveries to Seedance Trigger, hosted as n8n hosts it, that are repeated, early, late, at the same moment, or met by
// trouble of the API and of n8n: one process starts exactly one run per event, and a response of 2xx loses none.
import type { IDataObject, INodeParameters } from 'n8n-workflow';

import { deduplicationOf } from '../../nodes/SeedanceTrigger/deduplication';
import { signedCallbackUrl } from '../../nodes/shared/callback/signature';
import { CALLBACK_SHAPES, type CallbackPlan, type Fault } from '../sandbox/server.cjs';
import type { StoredCredential } from '../support/engine.cjs';
import { hangUp, json, send, sign, signedQuery } from '../support/hostile.cjs';
import { triggerWorld, type HostedTrigger } from '../support/triggerHost.cjs';

const STARTED = '200 The workflow was started.';
const REPEATED = '200 This was delivered before.';
const REFUSED = '401 The signature is missing or wrong.';
const UNKNOWN = '404 This account has no such task.';
const LATER = '503 The video could not be read right now. Deliver again later.';

/** Milliseconds within which every delivery needs a response. */
const RESPONDS_WITHIN = 10_000;
/** How many times faster than real time the node's clock runs where it waits. */
const FAST = 5;
const NO_VIDEO: Fault = { kind: 'no-video', response: 'empty' };

jest.setTimeout(60_000);
const world = triggerWorld();
afterAll(hangUp);

let trigger: HostedTrigger;
beforeEach(() => {
	trigger = world.host.trigger;
});

const genuine = () => signedQuery(world.sandbox.apiKey);
const ended = (taskId: string) => json({ code: 200, data: { task_id: taskId, status: 'SUCCESS' } });

/** Reports the end of a task, genuinely unless another query is given; gives the response as its status and its message. */
async function deliver(
	taskId: string,
	{ to = trigger.url, query = genuine(), body = ended(taskId) } = {},
): Promise<string> {
	const { status, body: text } = await send(to, { query, ...body });
	return `${status} ${JSON.parse(text).message}`;
}
const visit = async (url: string, query: string) =>
	(await send(url, { method: 'GET', query })).status;

/** The ids of the tasks that runs were started for, in order. */
const startedFor = (one: HostedTrigger = trigger) => one.runs.map((run) => run.json[0].task_id);
const itemsOf = (one: HostedTrigger = trigger) => one.runs.map((run) => run.json[0]);
const log = () => world.host.logs.map(({ text }) => text).join('\n');

/** Several of something at the same moment. */
const atOnce = async <T,>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
	await Promise.all(Array.from({ length: count }, async (_, index) => await make(index)));
const endedTasks = async (count: number) =>
	await atOnce(count, async () => await world.endedTask());

type StaticData = Record<string, Record<string, unknown>>;
const stored = (): StaticData => JSON.parse(world.host.staticData.get('workflow1') ?? '{}');
const store = (data: StaticData) => world.host.staticData.set('workflow1', JSON.stringify(data));
const NODE = 'node:Seedance Trigger';

/** The next time that n8n is to start a run: it waits until the test decides whether that succeeds. */
function nextRun() {
	let end: (isStarted: boolean) => void = () => {};
	const isStarted = new Promise<boolean>((resolve) => (end = resolve));
	/** n8n was asked for the run; `left` is to resolve when the sender has gone. */
	const asked = new Promise<{ left: Promise<void> }>((resolve) => {
		world.host.createRun = async (_run, left) => {
			world.host.createRun = null;
			resolve({ left });
			if (!(await isStarted)) throw new Error('The database is locked');
		};
	});
	return { asked, end };
}

describe('the signature', () => {
	const signedBy = (values: IDataObject, apiKey: string) => {
		const entries = Object.entries(values).map(([name, value]) => ({ name, value }));
		const signed = signedCallbackUrl('http://127.0.0.1/hook', entries, apiKey, 'loopback');
		if (!signed.ok || !signed.value) throw new Error('The URL could not be signed');
		return signed.value.split('?')[1];
	};

	it('of a Seedance node is the one of the design, and is taken, also for a key with blanks', async () => {
		const { apiKey, baseUrl } = world.sandbox;
		const metadata = { row: 7, name: 'Zoë' };
		const query = signedBy(metadata, apiKey);
		expect(query).toBe(signedQuery(apiKey, metadata));
		expect(signedBy({}, ` ${apiKey} `)).toBe(`seedance_sig=${sign('', apiKey)}`);
		world.host.credentials.set('Main account', { apiKey: ` ${apiKey}\n`, baseUrl });
		const taskId = await world.endedTask();
		expect(await deliver(taskId, { query })).toBe(STARTED);
		expect(itemsOf()).toEqual([await world.itemOf(taskId, metadata)]);
	});

	it.each([
		['is of another account', () => world.sandbox.otherAccount.apiKey, 'a different API key'],
		['is missing', null, 'it has no signature'],
		['was cut', 'A'.repeat(42), 'its address was changed on the way'],
	])('that %s is refused with a reason in the log, before the API is read', async (...row) => {
		const [, form, why] = row;
		const taskId = await world.endedTask();
		const isForm = typeof form === 'function';
		// By its form alone, even while the credential cannot be read.
		if (!isForm) world.host.credentials.clear();
		const query = isForm ? signedQuery(form()) : form ? `seedance_sig=${form}` : '';
		expect(await deliver(taskId, { query })).toBe(REFUSED);
		expect(log()).toContain(why);
		expect(world.sandbox.ledger.statusReads()).toEqual([]);
	});

	it('has to be of the account of that very trigger, also when others have just been asked', async () => {
		const { host, sandbox } = world;
		const { apiKey, createTask } = sandbox.otherAccount;
		host.credentials.set('Other account', { apiKey, baseUrl: sandbox.baseUrl });
		const other = host.add({ node: 'Trigger of the other account', credential: 'Other account' });
		const [mine, theirs] = [await world.endedTask(), createTask()];
		sandbox.finish(theirs);
		const query = signedQuery(apiKey);
		expect(await deliver(mine)).toBe(STARTED);
		expect(await deliver(mine, { to: other.url })).toBe(REFUSED);
		expect(await deliver(theirs, { to: other.url, query })).toBe(STARTED);
		expect(await deliver(theirs, { query })).toBe(REFUSED);
		trigger.credential = 'Other account';
		expect(await deliver(theirs, { query })).toBe(STARTED);
		expect([startedFor(), startedFor(other)]).toEqual([[mine, theirs], [theirs]]);
	});

	it('with an old key is refused soon after the key in the credential was changed', async () => {
		const { host, sandbox } = world;
		const taskId = await world.endedTask();
		expect(await deliver(taskId)).toBe(STARTED);
		const { apiKey, createTask } = sandbox.otherAccount;
		host.credentials.set('Main account', { apiKey, baseUrl: sandbox.baseUrl });
		const start = Date.now();
		while ((await deliver(taskId)) !== REFUSED) expect(Date.now() - start).toBeLessThan(5_000);
		const theirs = createTask();
		sandbox.finish(theirs);
		expect(await deliver(theirs, { query: signedQuery(apiKey) })).toBe(STARTED);
	});

	it('is not asked for when the user has turned that off', async () => {
		trigger.parameters = { options: { requireSignature: false } };
		const [first, second] = await endedTasks(2);
		expect(await deliver(first, { query: '' })).toBe(STARTED);
		expect(await deliver(second, { query: `seedance_sig=${'A'.repeat(43)}` })).toBe(STARTED);
		expect(await deliver(second, { query: '' })).toBe(REPEATED);
		expect(itemsOf().map(({ metadata }) => metadata)).toEqual([{}, {}]);
		expect(await deliver(world.sandbox.otherAccount.createTask(), { query: '' })).toBe(UNKNOWN);
	});

	it.each<[string, null | 'gone' | StoredCredential]>([
		['no credential', null],
		['a credential that is gone', 'gone'],
		['a credential that holds nothing to use', { apiKey: ' ', baseUrl: 'seedanceapi.org' }],
	])('cannot be checked with %s: 503, so that the sender tries again', async (_, kept) => {
		const { credentials } = world.host;
		const { apiKey, baseUrl } = world.sandbox;
		const taskId = await world.endedTask();
		if (kept === null) trigger.credential = null;
		else if (kept === 'gone') credentials.clear();
		else credentials.set('Main account', kept);
		expect(await deliver(taskId)).toBe(LATER);
		expect(log()).toContain('Seedance refused a callback: ');
		trigger.credential = 'Main account';
		credentials.set('Main account', { apiKey, baseUrl });
		expect(await deliver(taskId)).toBe(STARTED);
		expect(startedFor()).toEqual([taskId]);
	});
});

const BROKEN = "={{ $('No such node').item.json.keep }}";

it.each<[string, INodeParameters, string]>([
	['Keep Video List, which no callback needs', { options: { videoList: BROKEN } }, STARTED],
	['Download Video, which only the run needs', { downloadVideo: BROKEN }, STARTED],
	['Require Signature', { options: { requireSignature: BROKEN } }, LATER],
	['Trigger On', { events: BROKEN }, LATER],
])('a broken expression in %s', async (_, parameters, response) => {
	trigger.parameters = parameters;
	const taskId = await world.endedTask();
	expect(await deliver(taskId)).toBe(response);
	trigger.parameters = {};
	// Nothing is lost, and nothing comes twice.
	expect(await deliver(taskId)).toBe(response === STARTED ? REPEATED : STARTED);
	expect(startedFor()).toEqual([taskId]);
});

describe('an event that is delivered more than once', () => {
	it('starts one run per task when 20 deliveries of each come at the same moment', async () => {
		const taskIds = await endedTasks(5);
		const responses = await atOnce(100, async (index) => await deliver(taskIds[index % 5]));
		expect(responses.sort()).toEqual([...Array(5).fill(STARTED), ...Array(95).fill(REPEATED)]);
		expect(startedFor().sort()).toEqual([...taskIds].sort());
	});

	it('starts no second one later, nor in another shape, nor with other metadata', async () => {
		const taskId = await world.endedTask();
		expect(await deliver(taskId)).toBe(STARTED);
		const query = signedQuery(world.sandbox.apiKey, { row: 2 });
		expect(await deliver(taskId, { query })).toBe(REPEATED);
		expect(await deliver(taskId, { body: json({ taskId, state: 'fail' }) })).toBe(REPEATED);
		expect(await visit(trigger.url, `${genuine()}&task_id=${taskId}`)).toBe(200);
		expect(startedFor()).toEqual([taskId]);
	});

	it('starts no second one when n8n loses what was saved, because another writer was last', async () => {
		const taskIds = await endedTasks(20);
		await atOnce(20, async (index) => await deliver(taskIds[index]));
		for (const lost of new Array<StaticData>({}, { [NODE]: {} }, { 'node:Other': { x: 1 } })) {
			store(lost);
			const again = await atOnce(20, async (index) => await deliver(taskIds[index]));
			expect(new Set(again)).toEqual(new Set([REPEATED]));
		}
	});

	it('is saved again with the next event when another writer had lost it', async () => {
		const [first, second] = await endedTasks(2);
		await deliver(first);
		store({});
		await deliver(second);
		world.host.restart();
		expect([await deliver(first), await deliver(second)]).toEqual([REPEATED, REPEATED]);
	});

	it.each([null, 'text', 7, [1], { a: 1 }, [null, { x: 1 }, 7]])(
		'is still recognised when the static data hold %j where events should stand',
		async (value) => {
			const [first, second] = await endedTasks(2);
			await deliver(first);
			store({ [NODE]: { ...stored()[NODE], delivered: value } });
			expect(await deliver(first)).toBe(REPEATED);
			expect(await deliver(second)).toBe(STARTED);
			world.host.restart();
			expect(await deliver(second)).toBe(REPEATED);
		},
	);

	it('is remembered among 1,000 of them over a restart, of which the oldest make way', async () => {
		const taskIds = await endedTasks(4);
		await deliver(taskIds[0]);
		const old = Array.from({ length: 999 }, (_, index) => `old${index}:succeeded`);
		store({ [NODE]: { ...stored()[NODE], delivered: [...old, `${taskIds[0]}:succeeded`] } });
		world.host.restart();
		for (const taskId of taskIds.slice(1)) expect(await deliver(taskId)).toBe(STARTED);
		const events = taskIds.map((id) => `${id}:succeeded`);
		expect(stored()[NODE].delivered).toEqual([...old.slice(3), ...events]);
		world.host.restart();
		for (const taskId of taskIds) expect(await deliver(taskId)).toBe(REPEATED);
	});

	it('is one of 1,000 that a process remembers by itself', () => {
		const taskIds = Array.from({ length: 1_500 }, (_, index) => `task${index}`);
		for (const taskId of taskIds) deduplicationOf('bounded', {}).add(taskId, 'succeeded');
		const { has } = deduplicationOf('bounded', {});
		const remembered = taskIds.filter((taskId) => has(taskId, 'succeeded', Date.now()));
		expect(remembered).toEqual(taskIds.slice(-1_000));
	});

	it('starts a run in each workflow and at each trigger that it is delivered to', async () => {
		const { host } = world;
		const all = [trigger, host.add({ node: 'Second' }), host.add({ workflow: 'workflow2' })];
		const taskId = await world.endedTask();
		for (const { url: to } of all) {
			expect(await deliver(taskId, { to })).toBe(STARTED);
			expect(await deliver(taskId, { to })).toBe(REPEATED);
		}
		host.restart();
		for (const { url: to } of all) expect(await deliver(taskId, { to })).toBe(REPEATED);
	});

	it('starts a run each time when the user has turned that off, and remembers nothing', async () => {
		trigger.parameters = { options: { ignoreDuplicates: false } };
		const taskId = await world.endedTask();
		await atOnce(4, async () => await deliver(taskId));
		expect(startedFor()).toEqual(Array(4).fill(taskId));
		expect(world.host.staticData.size).toBe(0);
	});
});

describe('n8n cannot start the run', () => {
	it('gives the sender 500, and its next delivery starts the run, once, although others were saved meanwhile', async () => {
		const [taskId, other] = await endedTasks(2);
		const run = nextRun();
		const failed = deliver(taskId);
		await run.asked;
		expect(await deliver(other)).toBe(STARTED);
		run.end(false);
		expect(await failed).toMatch(/^500/);
		expect(await deliver(taskId)).toBe(STARTED);
		expect(await deliver(taskId)).toBe(REPEATED);
		world.host.restart();
		expect(await deliver(taskId)).toBe(REPEATED);
		expect(startedFor()).toEqual([other, taskId]);
	});

	it('because it ended while it was starting it: the next delivery to the new process starts it', async () => {
		const [taskId, other] = await endedTasks(2);
		const run = nextRun();
		const lost = deliver(taskId);
		await run.asked;
		expect(await deliver(other)).toBe(STARTED);
		world.host.restart();
		expect(await deliver(taskId)).toBe(STARTED);
		run.end(false);
		await lost;
	});

	it('lets the next one start it, so that of five at once one starts it and one gets 500', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		const first = deliver(taskId);
		await run.asked;
		const others = atOnce(4, async () => await deliver(taskId));
		run.end(false);
		expect(await first).toMatch(/^500/);
		expect((await others).sort()).toEqual([STARTED, ...Array(3).fill(REPEATED)]);
		expect(startedFor()).toEqual([taskId]);
	});

	it('in time: those that wait for it get 503, and their next delivery is a repeat', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		const first = deliver(taskId);
		await run.asked;
		world.host.clockSpeed = FAST;
		expect(await atOnce(2, async () => await deliver(taskId))).toEqual([LATER, LATER]);
		world.host.clockSpeed = 1;
		run.end(true);
		expect(await first).toBe(STARTED);
		expect(await deliver(taskId)).toBe(REPEATED);
	});
});

describe('a form in several parts, whose response n8n reads before it starts the run', () => {
	const parts = (taskId: string) => {
		const text = Object.entries({ task_id: taskId, status: 'SUCCESS' })
			.map(([name, value]) => `content-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
			.map((part) => `--cut\r\n${part}`);
		const headers = { 'content-type': 'multipart/form-data; boundary=cut' };
		return { method: 'POST', headers, body: Buffer.from(`${text.join('')}--cut--\r\n`) };
	};

	it('starts its run once, also after a restart', async () => {
		const taskId = await world.endedTask();
		expect(await deliver(taskId, { body: parts(taskId) })).toBe(STARTED);
		expect(await deliver(taskId, { body: parts(taskId) })).toBe(REPEATED);
		world.host.restart();
		expect(await deliver(taskId)).toBe(REPEATED);
	});

	it.each(['fails to start it', 'ends while it starts it'])(
		'is no event while n8n %s, also when others were saved meanwhile and the process is a new one',
		async (what) => {
			const [taskId, other] = await endedTasks(2);
			const run = nextRun();
			const lost = deliver(taskId, { body: parts(taskId) });
			await run.asked;
			expect(await deliver(other)).toBe(STARTED);
			if (what === 'fails to start it') {
				run.end(false);
				expect(await lost).toMatch(/^500/);
			}
			world.host.restart();
			expect(await deliver(taskId)).toBe(STARTED);
			run.end(false);
			await lost;
		},
	);
});

describe('what the static data hold', () => {
	it('has a number, and what the first version wrote is still recognised', async () => {
		const [old, taskId] = await endedTasks(2);
		store({ [NODE]: { delivered: [`${old}:succeeded`] } });
		expect(await deliver(old)).toBe(REPEATED);
		await deliver(taskId);
		const delivered = [old, taskId].map((id) => `${id}:succeeded`);
		expect(stored()[NODE]).toEqual({ version: 2, delivered });
	});

	it.each([3, 'next', null])(
		'is left as it is when another version (%j) wrote it, and repeats are recognised all the same',
		async (version) => {
			const [old, taskId] = await endedTasks(2);
			const kept = { [NODE]: { version, delivered: [`${old}:succeeded`, { id: 1 }], more: 1 } };
			store(kept);
			expect(await deliver(old)).toBe(REPEATED);
			expect(await deliver(taskId)).toBe(STARTED);
			expect(await deliver(taskId)).toBe(REPEATED);
			expect(stored()).toEqual(kept);
		},
	);
});

describe('a sender that hangs up', () => {
	/** Delivers, hangs up when something has come to pass, and waits until n8n is through. */
	async function deliverAndLeave(taskId: string, when: Promise<unknown>): Promise<void> {
		const leave = new AbortController();
		const sent = send(trigger.url, { query: genuine(), ...ended(taskId) }, leave.signal);
		const gone = expect(sent).rejects.toThrow('aborted');
		await when;
		leave.abort();
		await gone;
	}

	it('while n8n starts the run has its run, remembered over a restart, although another one was saved right behind it', async () => {
		const [taskId, other] = await endedTasks(2);
		const run = nextRun();
		await deliverAndLeave(taskId, run.asked);
		await (
			await run.asked
		).left;
		run.end(true);
		await world.host.idle();
		// What was saved is lost: the process has to remember that this run was started.
		store({});
		expect(await deliver(taskId)).toBe(REPEATED);
		expect(await deliver(other)).toBe(STARTED);
		world.host.restart();
		expect(await deliver(taskId)).toBe(REPEATED);
		expect(startedFor()).toEqual([taskId, other]);
	});

	it('while the task is read has its run, and gets its response at once when it delivers again', async () => {
		const { sandbox, host } = world;
		const taskId = await world.endedTask();
		sandbox.faults.on('status', { kind: 'delay', ms: 300 });
		const isRead = sandbox.ledger.until((ledger) => ledger.statusReads().length === 1);
		await deliverAndLeave(taskId, isRead);
		await host.idle();
		expect(startedFor()).toEqual([taskId]);
		const start = Date.now();
		expect(await deliver(taskId)).toBe(REPEATED);
		expect(Date.now() - start).toBeLessThan(3_000);
	});

	it('before n8n fails to start the run gets it with the next delivery', async () => {
		const taskId = await world.endedTask();
		const run = nextRun();
		await deliverAndLeave(taskId, run.asked);
		await (
			await run.asked
		).left;
		run.end(false);
		await world.host.idle();
		expect(startedFor()).toEqual([]);
		expect(await deliver(taskId)).toBe(STARTED);
	});
});

it('a delivery waits for another one of its task, and not for one of another task', async () => {
	const [slow, quick] = await endedTasks(2);
	world.sandbox.faults.on('status', { kind: 'delay', ms: 500 }, { taskId: slow });
	const responses: string[] = [];
	const waiting = atOnce(2, async () => responses.push(await deliver(slow)));
	expect(await deliver(quick)).toBe(STARTED);
	expect(responses).toEqual([]);
	await waiting;
	expect(responses).toEqual([STARTED, REPEATED]);
	expect(startedFor()).toEqual([quick, slow]);
});

/** Starts a task whose callback goes to the trigger, ends it, and gives it when all is delivered. */
async function calledBack(plan: Partial<CallbackPlan>, metadata?: IDataObject) {
	const { apiKey, callbacks, finish, tasks } = world.sandbox;
	const callback_url = `${trigger.url}?${signedQuery(apiKey, metadata)}`;
	const taskId = await world.startTask({ callback_url });
	callbacks.planFor(taskId, { attempts: 1, ...plan });
	finish(taskId);
	await callbacks.settled();
	const task = tasks.get(taskId);
	if (!task) throw new Error('The task is gone');
	return { task, taskId, statuses: () => callbacks.of(taskId).map(({ status }) => status) };
}

describe('a body', () => {
	it.each(CALLBACK_SHAPES)(
		'of the shape "%s" starts a run where it names a task',
		async (shape) => {
			const { taskId, statuses } = await calledBack({ shape }, { row: 3 });
			const isNamed = !['empty', 'garbage'].includes(shape);
			expect(statuses()).toEqual([isNamed ? 200 : 400]);
			const reads = world.sandbox.ledger.statusReads();
			expect(itemsOf()).toEqual(isNamed ? [await world.itemOf(taskId, { row: 3 })] : []);
			if (!isNamed) expect(reads).toEqual([]);
		},
	);

	// How a body is read from its text is a matter of test/unit/body.test.ts; here it goes through n8n's readers.
	it.each<[string, string | undefined, (taskId: string) => string]>([
		[
			'JSON with "&" and "=" sent as a form',
			'application/x-www-form-urlencoded',
			(id) => JSON.stringify({ url: 'https://a.example/?b=1&c=2', data: { task_id: id } }),
		],
		['JSON under a type of its own', 'application/vnd.a+json', (id) => `{"task_id":"${id}"}`],
		['a form without a content type', undefined, (id) => `status=SUCCESS&task_id=${id}`],
		['a text', 'text/plain', (id) => `Task ID: ${id}`],
		['XML', 'application/xml', (id) => `<r><task_id>${id}</task_id></r>`],
	])('that is %s starts the run', async (_, type, write) => {
		const taskId = await world.endedTask();
		const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
		const body = { method: 'POST', headers, body: Buffer.from(write(taskId)) };
		expect(await deliver(taskId, { body })).toBe(STARTED);
	});

	it('with a long ID as a number, which n8n rounds, starts the run', async () => {
		world.sandbox.faults.on('generate', { kind: 'task', id: '9007199254740993123' });
		const taskId = await world.endedTask();
		const text = `{"code":200,"data":{"task_id":${taskId},"status":"SUCCESS"}}`;
		const body = { ...json({}), body: Buffer.from(text) };
		expect(await deliver(taskId, { body })).toBe(STARTED);
		expect(startedFor()).toEqual(['9007199254740993123']);
	});

	it('without an id is refused with a line in the log that shows its form and no value', async () => {
		const body = json({ code: 200, data: { video: 'https://secret.example', prompt: 'private' } });
		expect(await deliver('', { body })).toBe('400 There is no task ID in this callback.');
		expect(log()).toContain('there is no task ID in it');
		expect(log()).toContain('{ code: number, data: { video: string, prompt: string } }');
		expect(log()).not.toMatch(/secret|private/);
	});

	it('with the id of a provider behind the provider: 404 and no run', async () => {
		const { statuses } = await calledBack({ foreignId: true });
		expect([statuses(), startedFor()]).toEqual([[404], []]);
		expect(log()).toContain('there is no task other');
	});

	it('that names a foreign id beside that of the account starts a run for the one of the account', async () => {
		const taskId = await world.endedTask();
		const body = json({ code: 200, data: { taskId: 'foreign1', state: 'success' } });
		const query = `${genuine()}&task_id=${taskId}`;
		expect(await deliver(taskId, { query, body })).toBe(STARTED);
		expect(startedFor()).toEqual([taskId]);
	});

	it('comes out raw without the callback URL when Simplify is off', async () => {
		trigger.parameters = { simplify: false };
		const { taskId } = await calledBack({}, { row: 4 });
		const response = [`${world.sandbox.origin}/videos/${taskId}.mp4`];
		const raw = { task_id: taskId, status: 'SUCCESS', response, metadata: { row: 4 } };
		expect(itemsOf()).toMatchObject([raw]);
		expect(JSON.stringify(trigger.runs)).not.toMatch(/callback_url|seedance_sig/);
	});
});

describe('Trigger On', () => {
	it('starts for a failed video with what the API reports of it', async () => {
		const outcome = { status: 'FAILED', errorMessage: 'Not allowed' } as const;
		const taskId = await world.endedTask('A boat', outcome);
		expect(await deliver(taskId)).toBe(STARTED);
		const item = await world.itemOf(taskId);
		expect(item).toMatchObject({ status: 'FAILED', error_message: 'Not allowed' });
		expect(itemsOf()).toEqual([item]);
	});

	it.each([
		['succeeded', 'FAILED'],
		['failed', 'SUCCESS'],
	] as const)(
		'with only "%s" ticked starts nothing for %s, and does not remember it',
		async (...row) => {
			const [event, status] = row;
			trigger.parameters = { events: [event] };
			const taskId = await world.endedTask('A boat', { status });
			expect(await deliver(taskId)).toMatch(/^200 "Trigger On" does not include/);
			expect([startedFor(), world.host.staticData.size]).toEqual([[], 0]);
			trigger.parameters = { events: ['succeeded', 'failed'] };
			expect(await deliver(taskId)).toBe(STARTED);
		},
	);

	describe('for a success without a video', () => {
		let taskId: string;
		beforeEach(async () => {
			world.host.clockSpeed = FAST;
			taskId = await world.endedTask();
		});
		const noVideo = (times: number | 'always' = 'always') =>
			world.sandbox.faults.on('status', NO_VIDEO, { times });

		it('waits a little for it', async () => {
			noVideo(2);
			expect(await deliver(taskId)).toBe(STARTED);
			expect(itemsOf()).toMatchObject([{ succeeded: true }]);
			expect(itemsOf()).toEqual([await world.itemOf(taskId)]);
		});

		it.each([['succeeded'], ['failed']])(
			'and only "%s" ticked starts the run, which waits for it and decides',
			async (event) => {
				noVideo();
				trigger.parameters = { events: [event] };
				expect(await deliver(taskId)).toBe(STARTED);
				expect(itemsOf()).toMatchObject([{ task_id: taskId, succeeded: false }]);
			},
		);

		it('starts no second run, nor for the video while that run waits for it', async () => {
			noVideo();
			expect(await deliver(taskId)).toBe(STARTED);
			expect(await deliver(taskId)).toBe(REPEATED);
			world.sandbox.faults.clear();
			expect(await deliver(taskId)).toBe(REPEATED);
			// Another process has nothing of that run: a video is started for once more rather than never.
			world.host.restart();
			expect(await deliver(taskId)).toBe(STARTED);
		});

		it('starts the run with the video when n8n could not start the one that would have waited for it', async () => {
			noVideo();
			const run = nextRun();
			const failed = deliver(taskId);
			await run.asked;
			run.end(false);
			expect(await failed).toMatch(/^500/);
			world.sandbox.faults.clear();
			expect(await deliver(taskId)).toBe(STARTED);
			expect(itemsOf()).toMatchObject([{ succeeded: true }]);
		});
	});
});

describe('a delivery that comes early', () => {
	it('by less than 5 s waits for the end and starts the run', async () => {
		world.host.clockSpeed = 2;
		const { taskId, statuses } = await calledBack({ earlyMs: 900 });
		expect(statuses()).toEqual([200]);
		expect(itemsOf()).toEqual([await world.itemOf(taskId)]);
	});

	it('by more gets 503, and starts the run when it is delivered again', async () => {
		world.host.clockSpeed = FAST;
		const { task, statuses } = await calledBack({ earlyMs: 600_000 });
		expect(startedFor()).toEqual([]);
		task.visibleAt = Date.now();
		await world.sandbox.callbacks.deliver(task);
		expect([statuses(), startedFor()]).toEqual([[503, 200], [task.id]]);
	});

	it('and says that the video is still being made gets 200 at once, and is no event', async () => {
		const taskId = await world.startTask();
		const body = json({ code: 200, data: { task_id: taskId, status: 'IN_PROGRESS' } });
		expect(await deliver(taskId, { body })).toBe('200 The video is not ready yet.');
		expect(world.sandbox.ledger.statusReads(taskId)).toHaveLength(1);
		world.sandbox.finish(taskId);
		expect(await deliver(taskId)).toBe(STARTED);
	});

	it('and says nothing of the state gets 200 once 5 s have passed, and no run', async () => {
		world.host.clockSpeed = FAST;
		const taskId = await world.startTask();
		const body = json({ task_id: taskId });
		expect(await deliver(taskId, { body })).toBe('200 The video is not ready yet.');
		expect(world.sandbox.ledger.statusReads(taskId).length).toBeGreaterThan(3);
	});
});

describe('trouble of the API', () => {
	it('that is down gives 503, and exactly one run when it is back', async () => {
		const { sandbox, host } = world;
		host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		await sandbox.goDown();
		const { status, headers } = await send(trigger.url, { query: genuine(), ...ended(taskId) });
		expect([status, headers['retry-after']]).toEqual([503, '30']);
		expect(log()).toContain('could not be reached');
		await sandbox.comeBack();
		host.clockSpeed = 1;
		const taken = await atOnce(3, async () => await deliver(taskId));
		expect(taken.sort()).toEqual([STARTED, REPEATED, REPEATED]);
	});

	it.each<[string, Fault]>([
		['500', { kind: 'server-error' }],
		['429', { kind: 'rate-limit', retryAfter: 60 }],
		['a page of HTML under 404', { kind: 'html', status: 404 }],
		['a refused key', { kind: 'error', code: 'INVALID_API_KEY' }],
		['a cut connection', { kind: 'reset' }],
		['a redirect', { kind: 'redirect' }],
		["another task's state", { kind: 'foreign-id' }],
		['no status', { kind: 'wrong-shape', shape: 'no-status' }],
	])('(%s) gives 503 and no run, and exactly one run later', async (_, fault) => {
		const { faults, elsewhere } = world.sandbox;
		world.host.clockSpeed = FAST;
		const taskId = await world.endedTask();
		faults.on('status', fault, { times: 'always' });
		expect(await deliver(taskId)).toBe(LATER);
		expect(log()).toContain('Seedance refused a callback: ');
		faults.clear();
		world.host.clockSpeed = 1;
		expect([await deliver(taskId), await deliver(taskId)]).toEqual([STARTED, REPEATED]);
		expect(startedFor()).toEqual([taskId]);
		expect(elsewhere.requests).toEqual([]);
	});

	it('is not taken for the end of a task that is not found once', async () => {
		const taskId = await world.endedTask();
		world.sandbox.faults.on('status', { kind: 'error', code: 'TASK_NOT_FOUND' }, { times: 1 });
		expect(await deliver(taskId)).toBe(STARTED);
	});

	it('is no reason to start a run when a parameter cannot be resolved either: 503', async () => {
		const taskId = await world.endedTask();
		trigger.parameters = { events: '={{ $("No such node").first().json.events }}' };
		expect(await deliver(taskId)).toBe(LATER);
		expect(log()).toContain('this node could not be read');
		trigger.parameters = {};
		expect(await deliver(taskId)).toBe(STARTED);
	});

	it('that passes is read again within the same delivery', async () => {
		world.host.clockSpeed = FAST;
		world.sandbox.faults.on('status', { kind: 'server-error' }, { times: 2 });
		expect(await deliver(await world.endedTask())).toBe(STARTED);
	});

	it('that never responds gives 503 within 10 s, to those that wait for another as well', async () => {
		const { faults } = world.sandbox;
		const [first, second] = await endedTasks(2);
		faults.on('status', { kind: 'hang' }, { times: 'always' });
		const start = Date.now();
		const responses = await Promise.all([deliver(first), deliver(first), deliver(second)]);
		expect(responses).toEqual([LATER, LATER, LATER]);
		expect(Date.now() - start).toBeLessThan(RESPONDS_WITHIN);
		faults.clear();
		expect([await deliver(first), await deliver(second)]).toEqual([STARTED, STARTED]);
	});
});

describe('the test URL', () => {
	it('starts a run for each delivery, repeated or not, and remembers nothing', async () => {
		const taskId = await world.endedTask();
		const test = async () => {
			trigger.listen();
			return await deliver(taskId, { to: trigger.testUrl });
		};
		expect([await test(), await test()]).toEqual([STARTED, STARTED]);
		expect(world.host.staticData.size).toBe(0);
		expect([await deliver(taskId), await test()]).toEqual([STARTED, STARTED]);
		expect(trigger.runs.map(({ mode }) => mode)).toEqual(['manual', 'manual', 'webhook', 'manual']);
		expect(await deliver(taskId)).toBe(REPEATED);
	});

	it('takes an unsigned link of a video that exists, and nothing else unsigned', async () => {
		const taskId = await world.endedTask();
		const foreign = world.sandbox.otherAccount.createTask();
		const { testUrl } = trigger;
		trigger.listen();
		expect(await deliver(taskId, { to: testUrl, query: '' })).toBe(REFUSED);
		expect(await visit(testUrl, `task_id=${taskId}&seedance_sig=${'A'.repeat(43)}`)).toBe(401);
		expect(await visit(testUrl, `task_id=${taskId}&seedance_sig=cut`)).toBe(401);
		expect(await visit(testUrl, `task_id=${foreign}`)).toBe(404);
		expect(await visit(testUrl, '')).toBe(400);
		expect(await visit(trigger.url, `task_id=${taskId}`)).toBe(401);
		expect(startedFor()).toEqual([]);
		expect(await visit(testUrl, `task_id=${taskId}`)).toBe(200);
		expect(trigger.runs).toEqual([
			expect.objectContaining({ mode: 'manual', json: [await world.itemOf(taskId)] }),
		]);
	});

	it('responds at once about a video that is still being made', async () => {
		const taskId = await world.startTask();
		trigger.listen();
		expect(await visit(trigger.testUrl, `task_id=${taskId}`)).toBe(200);
		expect(world.sandbox.ledger.statusReads(taskId)).toHaveLength(1);
		expect(startedFor()).toEqual([]);
	});
});
