// A video that is ready starts a second workflow: over the production URL and the test URL, once, with what the API tells.
import axios from 'axios';
import type { IDataObject } from 'n8n-workflow';

import { CALLBACK_SHAPES } from '../sandbox/server.cjs';
import { itemsOf } from '../support/n8n/server.cjs';
import {
	jsonAt,
	NEXT,
	readError,
	retry,
	runScene,
	SEEDANCE,
	startTask,
	until,
	world,
	WRONG_KEY,
	CREDENTIAL_TYPE,
} from './world.cjs';
import { runsOf, saveTrigger, startedWith, TRIGGER, type TriggerWorkflow } from './triggers.cjs';

/** Milliseconds from the callback at the sandbox's side to the run that it starts. */
const AT_ONCE = 1_000;

/** Generates a video per row with a callback; gives the task ids. */
async function generate(
	callbackUrl: string,
	rows: IDataObject[] = [{ row: 1 }],
): Promise<string[]> {
	const execution = await runScene({
		parameters: {
			operation: 'generate',
			prompt: '={{ "A boat, number " + $json.row }}',
			callbackUrl,
			callbackMetadata: { values: [{ name: 'row', value: '={{ $json.row }}' }] },
		},
		rows,
	});
	expect(execution.status).toBe('success');
	return jsonAt(execution, NEXT).map(({ task_id: id }) => String(id));
}

/** The address that the API got for a task: signed. */
function signedUrlOf(taskId: string): string {
	const url = world().sandbox.tasks.get(taskId)?.order.callback_url;
	if (!url) throw new Error(`Task ${taskId} has no callback URL`);
	return url;
}

async function post(url: string, body?: unknown, headers: Record<string, string> = {}) {
	const {
		status,
		data,
		headers: answered,
	} = await axios.request<unknown>({
		url,
		method: 'POST',
		data: body,
		headers,
		validateStatus: () => true,
		proxy: false,
	});
	return { status, data, retryAfter: answered['retry-after'] };
}

const ended = (taskId: string) => ({
	code: 200,
	message: 'success',
	data: { task_id: taskId, status: 'SUCCESS', response: ['https://evil.example.com/other.mp4'] },
});

/** Every video has ended, and everybody who wanted to know has been told. */
async function allReported(): Promise<void> {
	const { tasks, callbacks } = world().sandbox;
	await until('every task has ended', () => tasks.all().every(({ ended: hasEnded }) => hasEnded));
	await callbacks.settled();
}

/** n8n's log says so; what it prints takes a moment to arrive. */
async function logged(text: string): Promise<void> {
	await until(`the log says "${text}"`, () => world().n8n.log().includes(text));
}

/** Tasks that end only when a test says so. */
function slow(): void {
	world().sandbox.speed = 0.001;
}

export function triggerSuite() {
	describe('over the production URL', () => {
		let workflow: TriggerWorkflow;
		beforeEach(async () => {
			workflow = await saveTrigger();
		});

		it('starts once, at once, with what the API tells and the metadata of that video', async () => {
			const { sandbox } = world();
			slow();
			const [taskId] = await generate(workflow.productionUrl, [{ row: 7 }]);
			sandbox.finish(taskId);
			await allReported();
			const [delivery] = sandbox.callbacks.of(taskId);
			expect(delivery).toMatchObject({ status: 200, attempt: 1 });
			expect(JSON.parse(delivery.answer)).toEqual({ message: 'The workflow was started.' });
			const [run, ...others] = await runsOf(workflow.id, 1);
			expect(others).toEqual([]);
			expect(run).toMatchObject({ status: 'success', mode: 'webhook' });
			expect(Date.parse(run.startedAt) - delivery.at).toBeLessThan(AT_ONCE);
			expect(startedWith([run])).toEqual([
				{
					task_id: taskId,
					status: 'SUCCESS',
					finished: true,
					succeeded: true,
					video_url: `${sandbox.origin}/videos/${taskId}.mp4`,
					prompt: 'A boat, number 7',
					consumed_credits: 8,
					estimated_credits: 8,
					created_at: expect.any(String),
					error_message: null,
					metadata: { row: 7 },
				},
			]);
		});

		it('starts 50 runs for 50 videos that are ready at once, however often each is reported', async () => {
			const { sandbox } = world();
			slow();
			sandbox.callbacks.planFor('A boat', { copies: 3, copyGapMs: 0, attempts: 10, backoffMs: 1 });
			const rows = Array.from({ length: 50 }, (_, row) => ({ row }));
			const taskIds = await generate(workflow.productionUrl, rows);
			for (const taskId of taskIds) sandbox.finish(taskId);
			await allReported();
			const runs = await runsOf(workflow.id, 50, 60_000);
			const items = startedWith(runs);
			expect(items.map(({ task_id }) => task_id).sort()).toEqual([...taskIds].sort());
			for (const { task_id, metadata } of items) {
				expect(metadata).toEqual({ row: taskIds.indexOf(String(task_id)) });
			}
			const first = (taskId: string) =>
				Math.min(
					...sandbox.callbacks
						.of(taskId)
						.map(({ answeredAt, status }) =>
							status === 200 ? (answeredAt ?? Infinity) : Infinity,
						),
				);
			for (const run of runs) {
				const [{ task_id }] = startedWith([run]);
				expect(Date.parse(run.startedAt) - first(String(task_id))).toBeLessThan(AT_ONCE);
			}
			// On a slow machine n8n may take its time for 150 at once; a sender that is told so tries again.
			const last = new Map(
				sandbox.callbacks.deliveries.map(({ taskId, copy, status }) => [
					`${taskId} ${copy}`,
					status,
				]),
			);
			expect([...last.values()]).toEqual(Array.from({ length: 150 }, () => 200));

			// And later, also after a restart of n8n, which starts with nothing in memory.
			await world().n8n.restart();
			await world().api.login(world().n8n.login);
			for (const taskId of taskIds.slice(0, 10)) {
				const task = sandbox.tasks.get(taskId);
				if (task) await sandbox.callbacks.deliver(task, { copies: 1 });
			}
			expect(sandbox.callbacks.deliveries.at(-1)).toMatchObject({ status: 200 });
			expect(sandbox.callbacks.deliveries.at(-1)?.answer).toContain('delivered before');
			expect(await runsOf(workflow.id)).toHaveLength(50);
		}, 180_000);

		it('remembers after a restart what came one after the other', async () => {
			const { sandbox, n8n, api } = world();
			slow();
			const taskIds = await generate(
				workflow.productionUrl,
				[1, 2, 3, 4].map((row) => ({ row })),
			);
			for (const [index, taskId] of taskIds.entries()) {
				sandbox.finish(taskId);
				await sandbox.callbacks.settled();
				await runsOf(workflow.id, index + 1);
			}
			await n8n.restart();
			await api.login(n8n.login);
			for (const taskId of taskIds) {
				const { status, data } = await post(signedUrlOf(taskId), ended(taskId));
				expect([status, data]).toEqual([200, { message: 'This was delivered before.' }]);
			}
			expect(await runsOf(workflow.id)).toHaveLength(taskIds.length);
		}, 120_000);

		it('starts when n8n was restarted between generating and the callback', async () => {
			const { sandbox, n8n, api } = world();
			slow();
			const [taskId] = await generate(workflow.productionUrl);
			await n8n.restart();
			await api.login(n8n.login);
			sandbox.finish(taskId);
			await allReported();
			expect(startedWith(await runsOf(workflow.id, 1))).toMatchObject([
				{ task_id: taskId, succeeded: true, metadata: { row: 1 } },
			]);
		}, 120_000);

		it.each(CALLBACK_SHAPES.filter((shape) => !['empty', 'garbage'].includes(shape)))(
			'understands a callback of the shape "%s"',
			async (shape) => {
				const { sandbox } = world();
				sandbox.callbacks.planFor('A boat', { shape });
				const [taskId] = await generate(workflow.productionUrl);
				await allReported();
				expect(startedWith(await runsOf(workflow.id, 1))).toMatchObject([
					{ task_id: taskId, succeeded: true },
				]);
			},
		);

		it.each(['empty', 'garbage'] as const)(
			'answers 400 to the shape "%s", which names no task',
			async (shape) => {
				const { sandbox } = world();
				sandbox.callbacks.planFor('A boat', { shape, attempts: 1 });
				await generate(workflow.productionUrl);
				await until('delivered', () => sandbox.callbacks.deliveries[0]?.status === 400);
				expect(await runsOf(workflow.id)).toEqual([]);
			},
		);

		it('waits for an API that reports before its own status shows the end', async () => {
			const { sandbox } = world();
			sandbox.callbacks.planFor('A boat', { earlyMs: 1_500, attempts: 1 });
			const [taskId] = await generate(workflow.productionUrl);
			await allReported();
			expect(sandbox.callbacks.of(taskId)).toMatchObject([{ status: 200 }]);
			expect(startedWith(await runsOf(workflow.id, 1))).toMatchObject([{ succeeded: true }]);
		});

		it('loses nothing when the status shows the end much later: 503, and a run when it is delivered again', async () => {
			const { sandbox } = world();
			sandbox.callbacks.planFor('A boat', { earlyMs: 7_000, attempts: 2, backoffMs: 3_000_000 });
			const [taskId] = await generate(workflow.productionUrl);
			await allReported();
			expect(sandbox.callbacks.of(taskId).map(({ status }) => status)).toEqual([503, 200]);
			const [{ at, answeredAt }] = sandbox.callbacks.of(taskId);
			expect((answeredAt ?? 0) - at).toBeLessThan(10_000);
			expect(await runsOf(workflow.id, 1)).toHaveLength(1);
		});

		it('answers 503 while the API is down, and starts once when the callback comes again', async () => {
			const { sandbox } = world();
			slow();
			const [taskId] = await generate(workflow.productionUrl);
			const url = signedUrlOf(taskId);
			sandbox.finish(taskId);
			await allReported();
			const before = (await runsOf(workflow.id, 1)).length;
			expect(before).toBe(1);

			const [second] = await generate(workflow.productionUrl, [{ row: 2 }]);
			sandbox.callbacks.planFor(second, { never: true });
			sandbox.finish(second);
			await sandbox.goDown();
			const refused = await post(signedUrlOf(second), ended(second));
			expect(refused).toMatchObject({ status: 503, retryAfter: '30' });
			await logged('could not be reached');
			await sandbox.comeBack();
			expect((await post(signedUrlOf(second), ended(second))).status).toBe(200);
			expect((await post(signedUrlOf(second), ended(second))).status).toBe(200);
			const runs = await runsOf(workflow.id, 2);
			expect(startedWith(runs)).toMatchObject([{ task_id: taskId }, { task_id: second }]);
			expect(url).toContain('seedance_sig=');
		});

		it('starts nothing for a forged body about a video that is still being made', async () => {
			const { sandbox } = world();
			slow();
			const [taskId] = await generate(workflow.productionUrl);
			const answer = await post(signedUrlOf(taskId), ended(taskId));
			expect(answer).toMatchObject({ status: 503, retryAfter: '30' });
			expect(await runsOf(workflow.id)).toEqual([]);
			await logged(`it says that task ${taskId} has ended, but the API shows it as running`);
			sandbox.finish(taskId);
			await allReported();
			const [item] = startedWith(await runsOf(workflow.id, 1));
			expect(item.video_url).toBe(`${sandbox.origin}/videos/${taskId}.mp4`);
		});

		it('answers 200 to a report that the video is still being made', async () => {
			slow();
			const [taskId] = await generate(workflow.productionUrl);
			const running = { code: 200, data: { task_id: taskId, status: 'IN_PROGRESS' } };
			expect(await post(signedUrlOf(taskId), running)).toMatchObject({
				status: 200,
				data: { message: 'The video is not ready yet.' },
			});
			expect(await runsOf(workflow.id)).toEqual([]);
		});

		it('refuses what is not signed for this account and this metadata, and says why in the log', async () => {
			const [taskId] = await generate(workflow.productionUrl, [{ row: 1 }]);
			await allReported();
			const url = new URL(signedUrlOf(taskId));
			const changed = (change: (query: URLSearchParams) => void) => {
				const copy = new URL(url);
				change(copy.searchParams);
				return copy.href;
			};
			const other = Buffer.from('{"row":2}').toString('base64url');
			const bad = [
				workflow.productionUrl,
				changed((query) => query.set('seedance_meta', other)),
				changed((query) => query.delete('seedance_meta')),
				changed((query) => query.set('seedance_sig', 'A'.repeat(43))),
				changed((query) => query.set('seedance_sig', String(query.get('seedance_sig')).slice(1))),
				changed((query) => query.append('seedance_sig', 'A')),
			];
			for (const one of bad) {
				expect(await post(one, ended(taskId))).toEqual({
					status: 401,
					data: { message: 'The signature is missing or wrong.' },
					retryAfter: undefined,
				});
			}
			expect(await runsOf(workflow.id)).toHaveLength(1);
			await logged('it has no signature');
			await logged('Choose the same credential as in the Seedance node');
			expect(world().n8n.log()).not.toContain('seedance_sig');
		});

		it('answers 404 for a task of another account', async () => {
			const { sandbox } = world();
			const [taskId] = await generate(workflow.productionUrl);
			await allReported();
			const foreign = sandbox.otherAccount.createTask();
			expect(await post(signedUrlOf(taskId), ended(foreign))).toMatchObject({ status: 404 });
			await logged(`there is no task ${foreign} in the account`);
			expect(await runsOf(workflow.id)).toHaveLength(1);
		});
	});

	it('does not start for events that are not ticked', async () => {
		const { sandbox } = world();
		const workflow = await saveTrigger({ events: ['failed'] });
		sandbox.faults.on('generate', { kind: 'task', outcome: { status: 'FAILED' } }, { nth: 2 });
		const [good, bad] = await generate(workflow.productionUrl, [{ row: 1 }, { row: 2 }]);
		await allReported();
		expect(sandbox.callbacks.of(good)).toMatchObject([{ status: 200 }]);
		expect(startedWith(await runsOf(workflow.id, 1))).toMatchObject([
			{ task_id: bad, status: 'FAILED', succeeded: false, metadata: { row: 2 } },
		]);
	});

	it('starts for every delivery when duplicates are not ignored, and unsigned when that is allowed', async () => {
		const workflow = await saveTrigger({
			options: { requireSignature: false, ignoreDuplicates: false },
		});
		const taskId = await startTask();
		await until('ended', () => world().sandbox.tasks.get(taskId)?.ended === true);
		for (const _ of [1, 2]) {
			expect((await post(workflow.productionUrl, { task_id: taskId })).status).toBe(200);
		}
		expect(startedWith(await runsOf(workflow.id, 2))).toMatchObject([
			{ task_id: taskId, metadata: {} },
			{ task_id: taskId, metadata: {} },
		]);
	});

	it('gives the raw answer without the callback URL when Simplify is off', async () => {
		const { sandbox } = world();
		const workflow = await saveTrigger({ simplify: false });
		const [taskId] = await generate(workflow.productionUrl);
		await allReported();
		const [item] = startedWith(await runsOf(workflow.id, 1));
		expect(item).toMatchObject({
			task_id: taskId,
			response: [`${sandbox.origin}/videos/${taskId}.mp4`],
			metadata: { row: 1 },
		});
		expect(JSON.stringify(item)).not.toContain('callback_url');
	});

	it('answers 503 and says what to do when its credential holds a wrong key', async () => {
		const { api, sandbox } = world();
		const { id } = await api.createCredential({
			name: 'Key of somebody else',
			type: CREDENTIAL_TYPE,
			data: { apiKey: WRONG_KEY, baseUrl: sandbox.baseUrl },
		});
		const workflow = await saveTrigger(
			{ options: { requireSignature: false } },
			{ credentialId: id },
		);
		expect(await post(workflow.productionUrl, { task_id: 'seed1' })).toMatchObject({ status: 503 });
		await logged('The API key was refused. Task seed1 could not be read.');
	});

	describe('Download Video', () => {
		it('adds the file inside the execution', async () => {
			const { sandbox, api } = world();
			sandbox.latencyMs = 0;
			const workflow = await saveTrigger({ downloadVideo: true, outputBinaryField: 'clip' });
			const [taskId] = await generate(workflow.productionUrl);
			await allReported();
			const [run] = await runsOf(workflow.id, 1);
			const [item] = itemsOf(run, NEXT);
			expect(item.binary?.clip).toMatchObject({ fileName: `${taskId}.mp4`, mimeType: 'video/mp4' });
			expect(item.binary?.clip.id).toContain(`executions/${run.id}/`);
			if (!item.binary) throw new Error('There is no file');
			expect((await api.downloadBinary(item.binary.clip)).length).toBe(sandbox.videoBytes);
		});

		it('fails with the link when the file cannot be fetched, and Retry fetches it', async () => {
			const { sandbox } = world();
			const workflow = await saveTrigger({ downloadVideo: true });
			sandbox.faults.on('video', { kind: 'html', status: 404 }, { times: 'always' });
			const [taskId] = await generate(workflow.productionUrl);
			await allReported();
			const [failed] = await runsOf(workflow.id, 1);
			const { message, context } = readError(failed);
			expect(message).toContain(taskId);
			expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
			sandbox.faults.clear();
			const again = await retry(failed.id);
			expect(itemsOf(again, NEXT)[0].binary?.data?.fileName).toBe(`${taskId}.mp4`);
			expect(sandbox.ledger.posts()).toHaveLength(1);
		});
	});

	describe('over the test URL', () => {
		it('starts the workflow that is listened for, signed as in production', async () => {
			const { api, sandbox } = world();
			slow();
			const workflow = await saveTrigger({}, { isPublished: false });
			await api.listenForTestEvent(workflow.id, TRIGGER);
			const [taskId] = await generate(workflow.testUrl, [{ row: 3 }]);
			sandbox.finish(taskId);
			await allReported();
			const [delivery] = sandbox.callbacks.of(taskId);
			const [run] = await runsOf(workflow.id, 1);
			expect(run).toMatchObject({ status: 'success', mode: 'manual' });
			expect(Date.parse(run.startedAt) - delivery.at).toBeLessThan(AT_ONCE);
			expect(startedWith([run])).toMatchObject([{ task_id: taskId, metadata: { row: 3 } }]);
		});

		it('takes the id of a video that exists from a link that a person opens', async () => {
			const { api } = world();
			const workflow = await saveTrigger({}, { isPublished: false });
			const taskId = await startTask();
			await until('ended', () => world().sandbox.tasks.get(taskId)?.ended === true);
			await api.listenForTestEvent(workflow.id, TRIGGER);
			expect(
				await api.callWebhook('GET', `${workflow.path}?task_id=none`, { kind: 'webhook-test' }),
			).toMatchObject({ status: 404 });
			expect(
				await api.callWebhook('GET', `${workflow.path}?task_id=${taskId}`, {
					kind: 'webhook-test',
				}),
			).toMatchObject({ status: 200 });
			expect(startedWith(await runsOf(workflow.id, 1))).toMatchObject([
				{ task_id: taskId, succeeded: true, metadata: {} },
			]);
		});

		it('takes no unsigned link over the production URL', async () => {
			const { api } = world();
			const workflow = await saveTrigger();
			const taskId = await startTask();
			expect(await api.callWebhook('GET', `${workflow.path}?task_id=${taskId}`)).toMatchObject({
				status: 401,
			});
			expect(await runsOf(workflow.id)).toEqual([]);
		});
	});

	it('is published without any call to the API, and needs a credential', async () => {
		const { sandbox, api } = world();
		const workflow = await saveTrigger();
		await api.deactivateWorkflow(workflow.id);
		const { posts, statusReads } = sandbox.ledger.snapshot();
		expect([posts, statusReads]).toEqual([[], []]);
		const types = await api.nodeTypes();
		const trigger = types.find(({ displayName }) => displayName === 'Seedance Trigger');
		expect(trigger?.credentials).toMatchObject([{ name: CREDENTIAL_TYPE, required: true }]);
	});

	it('leaves a callback URL of another system as it was', async () => {
		const { sandbox } = world();
		const url = `${sandbox.elsewhere.origin}/hook/caf%C3%A9?a=1&b=ü#part`;
		await generate(url);
		await allReported();
		expect(sandbox.elsewhere.requests).toHaveLength(1);
		expect(sandbox.elsewhere.requests[0].url).toMatch(
			/^\/hook\/caf%C3%A9\?a=1&b=%C3%BC&seedance_meta=[\w-]+&seedance_sig=[\w-]{43}$/,
		);
	});

	it('gives the callback URL to nobody but the API', async () => {
		const execution = await runScene({
			parameters: {
				operation: 'generate',
				simplify: false,
				callbackUrl: 'http://127.0.0.1:9/hook',
			},
		});
		expect(JSON.stringify(execution.runData[SEEDANCE])).not.toContain('seedance_sig');
	});
}
