// A video that is ready starts a second workflow: over the production URL and the test URL, once, with what the API tells.
import { CALLBACK_SHAPES } from '../sandbox/server.cjs';
import { itemsOf, type Execution } from '../support/n8n/server.cjs';
import {
	api,
	deliver,
	generate,
	logged,
	n8n,
	NEXT,
	posts,
	readError,
	retry,
	runsOf,
	sandbox,
	saveTrigger,
	startedWith,
	succeeded,
	videos,
	type TriggerWorkflow,
} from '../support/n8n/world.cjs';

/** Milliseconds from the callback at the sandbox's side to the run that it starts. */
const AT_ONCE = 1_000;

const rows = (count: number) => Array.from({ length: count }, (_, row) => ({ row }));

const videoOf = (taskId: string) => `${sandbox.origin}/videos/${taskId}.mp4`;

/** Delivers the end of a video again, or in place of the API. */
const deliverEnd = async (taskId: string) =>
	await deliver(videos.callbackUrlOf(taskId), succeeded(taskId));

/** A task whose end nobody is told of but by the test. */
async function unreported(url: string): Promise<string> {
	videos.hold();
	sandbox.callbacks.planFor('', { never: true });
	const [taskId] = await generate(url);
	sandbox.finish(taskId);
	return taskId;
}

function expectStarted(runs: readonly Execution[], ...taskIds: string[]): void {
	expect(startedWith(runs)).toMatchObject(
		taskIds.map((task_id) => ({ task_id, succeeded: true, metadata: expect.anything() })),
	);
}

describe('Seedance Trigger over the production URL', () => {
	let workflow: TriggerWorkflow;
	let url: string;
	const runs = async (atLeast = 0, timeoutMs?: number) =>
		await runsOf(workflow.id, atLeast, timeoutMs);

	beforeEach(async () => {
		workflow = await saveTrigger();
		url = workflow.productionUrl;
	});

	it('starts once, at once, with what the API tells and the metadata of that video', async () => {
		videos.hold();
		const [taskId] = await generate(url, [{ row: 7 }]);
		await videos.finish(taskId);
		const [delivery] = sandbox.callbacks.of(taskId);
		expect(delivery).toMatchObject({ status: 200, attempt: 1 });
		expect(JSON.parse(delivery.answer)).toEqual({ message: 'The workflow was started.' });
		const [started, ...others] = await runs(1);
		expect(others).toEqual([]);
		expect(started).toMatchObject({ status: 'success', mode: 'webhook' });
		expect(Date.parse(started.startedAt) - delivery.at).toBeLessThan(AT_ONCE);
		expect(startedWith([started])).toEqual([
			{
				task_id: taskId,
				status: 'SUCCESS',
				finished: true,
				succeeded: true,
				video_url: videoOf(taskId),
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
		const { callbacks } = sandbox;
		videos.hold();
		callbacks.planFor('A boat', { copies: 3, copyGapMs: 0, attempts: 10, backoffMs: 1 });
		const taskIds = await generate(url, rows(50));
		for (const taskId of taskIds) sandbox.finish(taskId);
		await videos.allFinished();
		const started = await runs(50, 60_000);
		const items = startedWith(started);
		expect(items.map(({ task_id }) => task_id).sort()).toEqual([...taskIds].sort());
		items.forEach(({ task_id, metadata }, index) => {
			expect(metadata).toEqual({ row: taskIds.indexOf(String(task_id)) });
			const taken = callbacks.of(String(task_id)).filter(({ status }) => status === 200);
			const first = Math.min(...taken.map(({ answeredAt }) => answeredAt ?? Infinity));
			expect(Date.parse(started[index].startedAt) - first).toBeLessThan(AT_ONCE);
		});
		// On a slow machine n8n may take its time for 150 at once; a sender that is told so tries again.
		const last = new Map(
			callbacks.deliveries.map(({ taskId, copy, status }) => [`${taskId} ${copy}`, status]),
		);
		expect([...last.values()]).toEqual(Array.from({ length: 150 }, () => 200));

		// And later, also after a restart of n8n, which starts with nothing in memory.
		await n8n.restart();
		for (const taskId of taskIds.slice(0, 10)) {
			expect(await deliverEnd(taskId)).toMatchObject({
				status: 200,
				data: { message: 'This was delivered before.' },
			});
		}
		expect(await runs()).toHaveLength(50);
	}, 180_000);

	it('remembers after a restart what came one after the other', async () => {
		videos.hold();
		const taskIds = await generate(url, rows(4));
		for (const [index, taskId] of taskIds.entries()) {
			await videos.finish(taskId);
			await runs(index + 1);
		}
		await n8n.restart();
		for (const taskId of taskIds) {
			const { status, data } = await deliverEnd(taskId);
			expect([status, data]).toEqual([200, { message: 'This was delivered before.' }]);
		}
		expect(await runs()).toHaveLength(taskIds.length);
	}, 120_000);

	it('starts when n8n was restarted between generating and the callback', async () => {
		videos.hold();
		const [taskId] = await generate(url);
		await n8n.restart();
		await videos.finish(taskId);
		expectStarted(await runs(1), taskId);
	}, 120_000);

	it.each(CALLBACK_SHAPES)(
		'understands a callback of the shape "%s", or refuses it',
		async (shape) => {
			const namesNoTask = shape === 'empty' || shape === 'garbage';
			sandbox.callbacks.planFor('A boat', { shape, attempts: 1 });
			const [taskId] = await generate(url);
			await videos.allFinished();
			const [{ status }] = sandbox.callbacks.of(taskId);
			expect(status).toBe(namesNoTask ? 400 : 200);
			expectStarted(await runs(namesNoTask ? 0 : 1), ...(namesNoTask ? [] : [taskId]));
		},
	);

	const form = { 'content-type': 'application/x-www-form-urlencoded' };
	const multipart = { 'content-type': 'multipart/form-data; boundary=cut-here' };
	const partsOf = (fields: Record<string, string>) =>
		Object.entries(fields)
			.map(([name, value]) => {
				const disposition = `content-disposition: form-data; name="${name}"`;
				return `--cut-here\r\n${disposition}\r\n\r\n${value}\r\n`;
			})
			.join('')
			.concat('--cut-here--\r\n');
	const json = (taskId: string) => JSON.stringify(succeeded(taskId));

	it.each<[string, Record<string, string>, (taskId: string) => string]>([
		['JSON without a content type', {}, json],
		['JSON under a type of its own', { 'content-type': 'application/x-seedance' }, json],
		['JSON sent as a form', form, json],
		['a form that holds JSON', form, (id) => `payload=${encodeURIComponent(json(id))}`],
		['multipart fields', multipart, (id) => partsOf({ task_id: id, status: 'SUCCESS' })],
		['JSON in a multipart field', multipart, (id) => partsOf({ data: json(id) })],
		['a list', { 'content-type': 'application/json' }, (id) => `[${json(id)}]`],
		[
			'XML',
			{ 'content-type': 'application/xml' },
			(id) => `<r><data><taskId>${id}</taskId></data></r>`,
		],
	])('starts once for %s, and n8n’s database remembers it', async (_, headers, write) => {
		const taskId = await unreported(url);
		for (const _ of [1, 2]) {
			const options = { headers: { 'content-type': false, ...headers } as const };
			const body = Buffer.from(write(taskId));
			expect((await deliver(videos.callbackUrlOf(taskId), body, options)).status).toBe(200);
		}
		expectStarted(await runs(1), taskId);
		const { staticData } = Object(await api.getWorkflow(workflow.id));
		expect(JSON.stringify(staticData)).toContain(`${taskId}:succeeded`);
	});

	it('refuses a body without an id, and n8n’s log shows its form', async () => {
		const [taskId] = await generate(url);
		const body = { event: 'done', detail: { note: 'private words' } };
		expect((await deliver(videos.callbackUrlOf(taskId), body)).status).toBe(400);
		await logged('{ event: string, detail: { note: string } }');
		expect(n8n.log()).not.toContain('private words');
	});

	it('loses nothing when the status shows the end much later: 503, and a run when it is delivered again', async () => {
		sandbox.callbacks.planFor('A boat', { earlyMs: 7_000, attempts: 2, backoffMs: 3_000_000 });
		const [taskId] = await generate(url);
		await videos.allFinished();
		const [first, second] = sandbox.callbacks.of(taskId);
		expect([first.status, second.status]).toEqual([503, 200]);
		expect((first.answeredAt ?? 0) - first.at).toBeLessThan(10_000);
		expectStarted(await runs(1), taskId);
	});

	it('answers 503 while the API is down, and starts once when the callback comes again', async () => {
		const taskId = await unreported(url);
		await sandbox.goDown();
		expect(await deliverEnd(taskId)).toMatchObject({ status: 503, retryAfter: '30' });
		await logged('could not be reached');
		await sandbox.comeBack();
		for (const _ of [1, 2]) expect((await deliverEnd(taskId)).status).toBe(200);
		expectStarted(await runs(1), taskId);
	});

	it('starts nothing for a forged body about a video that is still being made', async () => {
		videos.hold();
		const [taskId] = await generate(url);
		expect(await deliverEnd(taskId)).toMatchObject({ status: 503, retryAfter: '30' });
		const running = { code: 200, data: { task_id: taskId, status: 'IN_PROGRESS' } };
		expect(await deliver(videos.callbackUrlOf(taskId), running)).toMatchObject({
			status: 200,
			data: { message: 'The video is not ready yet.' },
		});
		expect(await runs()).toEqual([]);
		await logged(`it says that task ${taskId} has ended, but the API shows it as running`);
		await videos.finish(taskId);
		const [item] = startedWith(await runs(1));
		expect(item.video_url).toBe(videoOf(taskId));
	});

	it('refuses what is not signed for this account and this metadata, and says why in the log', async () => {
		const [taskId] = await generate(url);
		await videos.allFinished();
		const changed = (change: (query: URLSearchParams) => void) => {
			const copy = new URL(videos.callbackUrlOf(taskId));
			change(copy.searchParams);
			return copy.href;
		};
		const otherMetadata = Buffer.from('{"row":2}').toString('base64url');
		for (const bad of [
			url,
			changed((query) => query.set('seedance_meta', otherMetadata)),
			changed((query) => query.delete('seedance_meta')),
			changed((query) => query.set('seedance_sig', 'A'.repeat(43))),
			changed((query) => query.set('seedance_sig', String(query.get('seedance_sig')).slice(1))),
			changed((query) => query.append('seedance_sig', 'A')),
		]) {
			expect(await deliver(bad, succeeded(taskId))).toEqual({
				status: 401,
				data: { message: 'The signature is missing or wrong.' },
				retryAfter: undefined,
			});
		}
		const link = await deliver(`${url}?task_id=${taskId}`, undefined, { method: 'GET' });
		expect(link.status).toBe(401);
		expect(await runs()).toHaveLength(1);
		await logged('it has no signature');
		await logged('Choose the same credential as in the Seedance node');
		expect(n8n.log()).not.toContain('seedance_sig');
	});
});

describe('a Seedance Trigger', () => {
	it('starts for every delivery when duplicates are not ignored, and unsigned when that is allowed', async () => {
		const options = { requireSignature: false, ignoreDuplicates: false };
		const { id, productionUrl } = await saveTrigger({ options });
		const taskId = await videos.ready();
		for (const _ of [1, 2]) {
			expect((await deliver(productionUrl, { task_id: taskId })).status).toBe(200);
		}
		expectStarted(await runsOf(id, 2), taskId, taskId);
	});

	it('gives the raw answer without the callback URL when Simplify is off, with the file', async () => {
		const { id, productionUrl } = await saveTrigger({
			simplify: false,
			downloadVideo: true,
			outputBinaryField: 'clip',
		});
		const [taskId] = await generate(productionUrl);
		await videos.allFinished();
		const [started] = await runsOf(id, 1);
		const [{ json, binary }] = itemsOf(started, NEXT);
		expect(json).toMatchObject({ task_id: taskId, response: [videoOf(taskId)] });
		expect(json.metadata).toEqual({ row: 1 });
		expect(JSON.stringify(json)).not.toContain('callback_url');
		expect(binary?.clip).toMatchObject({ fileName: `${taskId}.mp4`, mimeType: 'video/mp4' });
		expect(binary?.clip.id).toContain(`executions/${started.id}/`);
	});

	it('fails with the link when the file cannot be fetched, and Retry fetches it', async () => {
		const { id, productionUrl } = await saveTrigger({ downloadVideo: true });
		sandbox.faults.on('video', { kind: 'html', status: 404 }, { times: 'always' });
		const [taskId] = await generate(productionUrl);
		await videos.allFinished();
		const [failed] = await runsOf(id, 1);
		const { message, context } = readError(failed);
		expect(message).toContain(taskId);
		expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		sandbox.faults.clear();
		const [{ binary }] = itemsOf(await retry(failed), NEXT);
		expect(binary?.data?.fileName).toBe(`${taskId}.mp4`);
		expect(posts()).toHaveLength(1);
	});

	it('starts over the test URL the workflow that is listened for, signed as in production', async () => {
		videos.hold();
		const { id, testUrl } = await saveTrigger({}, { isPublished: false });
		await api.listenForTestEvent(id);
		const [taskId] = await generate(testUrl, [{ row: 3 }]);
		await videos.finish(taskId);
		const [{ at }] = sandbox.callbacks.of(taskId);
		const [started] = await runsOf(id, 1);
		expect(started).toMatchObject({ status: 'success', mode: 'manual' });
		expect(Date.parse(started.startedAt) - at).toBeLessThan(AT_ONCE);
		expect(startedWith([started])).toMatchObject([{ task_id: taskId, metadata: { row: 3 } }]);
	});
});
