// The node beyond the core flow, where a real n8n has its say: icons, errors as it shows them, Retry, Stop, time limits, and
// n8n killed with SIGKILL at the worst moments.
import { randomUUID } from 'node:crypto';

import type { Fault } from '../sandbox/server.cjs';
import { itemsOf, type Execution } from '../support/n8n/server.cjs';
import {
	api,
	CONTINUE,
	crash,
	CREDENTIAL_TYPE,
	endOf,
	logged,
	n8n,
	NEXT,
	NODE_TYPE,
	output,
	posts,
	readError,
	retry,
	run,
	sandbox,
	saveChain,
	saveCredential,
	seedance,
	start,
	THEN,
	until,
	videos,
	WRONG_KEY,
} from '../support/n8n/world.cjs';

it('the node and the credential are offered with a light and a dark icon each', async () => {
	const node = (await api.nodeTypes()).find(({ name }) => name === NODE_TYPE);
	const credential = (await api.credentialTypes()).find(({ name }) => name === CREDENTIAL_TYPE);
	for (const offered of [node, credential]) {
		const urls: string[] = Object.values(Object(offered?.iconUrl));
		const icons = await Promise.all(urls.map(async (url) => await api.fileOf(url)));
		expect(icons).toEqual([expect.stringContaining('<svg'), expect.stringContaining('<svg')]);
		expect(icons[0]).not.toBe(icons[1]);
	}
});

describe('an error', () => {
	/** The error without what no error may have: false advice, and the page of a proxy. */
	function readChecked(execution: Execution) {
		const shown = JSON.stringify(execution.error);
		expect(shown).not.toMatch(/retry automatically|retry on fail|<!doctype|<html|<h1/i);
		return readError(execution);
	}

	it.each<[string, () => Promise<Execution>, string, RegExp]>([
		[
			'a refused key',
			async () => await run({}, { credentials: await saveCredential({ apiKey: WRONG_KEY }) }),
			'The API key was refused.',
			/your seedanceapi\.org dashboard.*No credits were spent\./,
		],
		[
			'the page of a proxy',
			async () => {
				sandbox.faults.on('generate', { kind: 'html', status: 502, accept: true });
				return await run();
			},
			'The video may have been started, and charged',
			/dashboard.*Whether credits were spent is not known\./,
		],
		[
			'an API that nobody can reach',
			async () => {
				const credentials = await saveCredential({ baseUrl: 'https://no-such-host.invalid/v1' });
				// A host that is not found is tried again: a name server may be slow for a moment.
				return await run({ operation: 'generate' }, { credentials, timeoutMs: 60_000 });
			},
			'The Seedance API could not be reached, so the video was not started.',
			/ENOTFOUND.*Check the base URL in the credential.*No credits were spent\./,
		],
	])('of %s says what to do and what it cost', async (_, fail, title, advice) => {
		const { message, description } = readChecked(await fail());
		expect(message).toContain(title);
		expect(description).toMatch(advice);
	});

	it('of one video comes when all have ended, counts what is ready and names every task', async () => {
		const rows = ['First', 'Second [fail]', 'Third'];
		const { message, description, context } = readChecked(await run({}, { rows }));
		const ids = videos.paidIds();
		expect(message).toBe(
			`2 of 3 videos are ready and paid. The video could not be generated (task ${ids[1]}): The content was not accepted. [item 1] (number 2 of 3)`,
		);
		expect(description).toContain('Click Retry in Executions');
		for (const id of ids) expect(description).toContain(id);
		expect(context.tasks).toMatchObject([
			{ item: 0, task_id: ids[0], succeeded: true },
			{ item: 1, task_id: ids[1], error_code: 'task_failed' },
			{ item: 2, task_id: ids[2], succeeded: true },
		]);
	});
});

it('Retry goes on with the tasks of a batch that a refusal ended, and starts only the others', async () => {
	const refused = { kind: 'error', code: 'INSUFFICIENT_CREDITS' } as const;
	sandbox.faults.on('generate', refused, { nth: 3 });
	const rows = ['one', 'two', 'three', 'four'];
	const prompt = '={{ $json.prompt }} {{ $execution.id }} {{ Math.random() }}';
	const failed = await run({ prompt }, { rows });
	expect(readError(failed).message).toContain('not have enough credits');
	const before = videos.paidIds();
	expect(before).toHaveLength(2);
	const again = output(await retry(failed));
	expect(again).toMatchObject(
		rows.map((text) => ({ prompt: expect.stringMatching(`^${text}`), succeeded: true })),
	);
	const delivered = again.map(({ task_id }) => task_id);
	expect(delivered).toEqual([...before, ...videos.paidIds().slice(2)]);
	expect(videos.paidIds()).toHaveLength(4);
});

describe('Stop', () => {
	const reads = () => sandbox.ledger.statusReads().length;

	it('during the wait ends the execution at once, and nobody reads the task any more', async () => {
		const id = await start({}, { rows: ['A boat [never]'] });
		await sandbox.ledger.until(() => reads() > 0);
		await api.stopExecution(id);
		expect((await endOf(id, 3_000)).status).toBe('canceled');
		await logged(`Seedance task ${videos.paidIds()[0]} created`);
		const before = reads();
		const another = sandbox.ledger.until(() => reads() > before, 2_500);
		await expect(another).rejects.toThrow('did not get there');
	});

	it('while one more video is being sent keeps the ids and credits of the others in the data', async () => {
		sandbox.faults.on('generate', { kind: 'delay', ms: 1_500 }, { nth: 31 });
		const rows = Array.from({ length: 31 }, (_, n) => `Boat ${n} [never]`);
		const id = await start({}, { rows });
		await sandbox.ledger.until(() => posts().length === 31, 20_000);
		const paid = videos.paidIds();
		const { spent } = sandbox.ledger;
		await api.stopExecution(id);
		expect((await endOf(id)).status).toBe('canceled');
		// What n8n keeps beside an execution for the person who opens it ("Highlighted data").
		const path = `/executions/${id}`;
		const { customData } = await api.call<{ customData: Record<string, string> }>('GET', path);
		const kept = Object.keys(customData).filter((key) => key.startsWith('seedance_tasks'));
		const ids = kept.flatMap((key) => customData[key].split(', '));
		expect(ids.sort()).toEqual(paid.sort());
		expect(ids).toHaveLength(30);
		expect(Number(customData.seedance_credits)).toBe(spent);
		await sandbox.ledger.until(() => videos.paidIds().length === 31);
	});
});

it.each<['generate' | 'status' | 'video', Fault, object]>([
	['status', { kind: 'hang' }, { error_code: 'contact_lost', video_url: null }],
	['video', { kind: 'hang' }, { error_code: 'download_failed', charged: 'yes' }],
	['generate', { kind: 'accept-then-hang' }, { error_code: 'maybe_created', charged: 'unknown' }],
])(
	"the item comes out before the workflow's own time limit when no response of %s ever comes",
	async (route, fault, expected) => {
		sandbox.faults.on(route, fault, { times: 'always' });
		const options = { onError: CONTINUE, settings: { executionTimeout: 15 } } as const;
		const execution = await run({ downloadVideo: true }, options);
		expect(execution.status).toBe('success');
		const [task_id] = route === 'generate' ? [null] : videos.paidIds();
		expect(output(execution)).toMatchObject([{ task_id, succeeded: false, ...expected }]);
		expect(posts()).toHaveLength(1);
	},
);

describe('a crash of n8n', () => {
	/** Starts a workflow, kills n8n once something is so, and starts it again; gives the execution as the user finds it. */
	async function killed(isSo: () => boolean): Promise<Execution> {
		const id = await start({ downloadVideo: true });
		await until('the moment has come', isSo);
		await crash();
		const found = await endOf(id);
		expect(found.status).toBe('crashed');
		return found;
	}

	const idsInLog = () =>
		videos.ids().filter((id) => n8n.log().includes(`Seedance task ${id} created`));

	it('between the request and its response: paid, and no log knows the task', async () => {
		sandbox.faults.on('generate', { kind: 'accept-then-hang', ms: 20_000 });
		await killed(() => videos.paidIds().length === 1);
		expect(idsInLog()).toEqual([]);
		// n8n keeps nothing of what the node had remembered: a new run pays again.
		await run();
		expect(videos.paidIds()).toHaveLength(2);
	}, 90_000);

	it.each<[string, () => boolean]>([
		['right after the response', () => idsInLog().length === 1],
		['during the wait', () => sandbox.ledger.statusReads().length > 0],
		['during the download', () => sandbox.ledger.videoReads().length === 1],
	])(
		'%s: paid, and the log has the task, which Wait for Video downloads',
		async (moment, isSo) => {
			if (moment === 'during the download') {
				sandbox.faults.on('video', { kind: 'stall', ms: 60_000 });
			} else {
				videos.hold();
			}
			await killed(isSo);
			const [taskId] = idsInLog();
			expect(videos.paidIds()).toEqual([taskId]);
			sandbox.speed = 1000;
			const execution = await run({ operation: 'wait', taskId, downloadVideo: true });
			expect(itemsOf(execution, NEXT)[0].binary?.data?.fileName).toBe(`${taskId}.mp4`);
			expect(posts()).toHaveLength(1);
		},
		90_000,
	);

	it('of an execution that was run by hand cannot be retried; of a published workflow it can, and gets the same video', async () => {
		videos.hold();
		const byHand = await killed(() => videos.paidIds().length === 1);
		await expect(retry(byHand)).rejects.toThrow('cannot be retried');

		const path = randomUUID();
		const webhook = {
			name: 'Webhook',
			type: 'n8n-nodes-base.webhook',
			typeVersion: 2.1,
			webhookId: path,
			parameters: { path, httpMethod: 'POST', options: {} },
		};
		const workflowId = await saveChain([webhook, seedance({ prompt: 'A boat' }), THEN]);
		await api.activateWorkflow(workflowId);
		const reads = sandbox.ledger.statusReads().length;
		await api.callWebhook('POST', path);
		await until('it is waited for', () => sandbox.ledger.statusReads().length > reads);
		await crash();
		const [{ id }] = await api.listExecutions(workflowId);
		const published = await endOf(id);
		expect(published.status).toBe('crashed');
		sandbox.speed = 1000;
		// The claim of the dead process is waited for, a minute and a half at most.
		expect((await retry(published)).status).toBe('success');
		expect(videos.paidIds()).toHaveLength(2);
	}, 180_000);
});
