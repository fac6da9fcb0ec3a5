// The finished video as a file: streamed, named, tried again, never fetched with the API key, never a reason to pay again.
import type { IDataObject } from 'n8n-workflow';
import type { RequestListener } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import type { Fault } from '../sandbox/server.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';
import { ebmlOf, mp4Of, videoHost } from '../support/videoHost.cjs';

const world = seedanceWorld();
const host = videoHost();
const reads = () => world.sandbox.ledger.videoReads();
const ids = () => world.sandbox.tasks.all().map(({ id }) => id);
const get = async (parameters = {}) => await world.run({ prompt: 'A boat', ...parameters });

describe('a download', () => {
	it('arrives whole under the name of its task, in the field that was asked for', async () => {
		const run = await get({ outputBinaryField: 'clip' });
		const file = run.items[0].binary?.clip;
		expect(file).toMatchObject({
			fileName: `${ids()[0]}.mp4`,
			mimeType: 'video/mp4',
			fileExtension: 'mp4',
			data: 'filesystem-v2',
		});
		if (!file) throw new Error('No file');
		const bytes = await world.n8n.readFile(file);
		expect(bytes.length).toBe(200_000);
		expect(bytes.subarray(4, 8).toString('latin1')).toBe('ftyp');
		expect(Object.keys(run.items[0].binary ?? {})).toEqual(['clip']);
	});

	it('does not happen when Download Video is off', async () => {
		const run = await get({ downloadVideo: false });
		expect(run.items[0]).not.toHaveProperty('binary');
		expect(reads()).toHaveLength(0);
	});

	it('is decided for each item', async () => {
		const items = [{ json: { file: 'yes' } }, { json: { file: false } }];
		const run = await world.run({ prompt: 'A', downloadVideo: '={{ $json.file }}' }, { items });
		expect(run.items.map(({ binary }) => binary !== undefined)).toEqual([true, false]);
	});

	it('goes without the API key, and follows a redirect of the video host', async () => {
		world.sandbox.faults.on('video', { kind: 'redirect' });
		const run = await get();
		expect(run.items[0].binary?.data.bytes).toBe(200_000);
		const [, elsewhere] = reads();
		expect(reads().every(({ headers }) => !('authorization' in headers))).toBe(true);
		expect(elsewhere.headers).not.toHaveProperty('authorization');
	});

	it('takes the type from the server, and video/mp4 where that says nothing', async () => {
		world.sandbox.faults.on('video', { kind: 'content-type', value: 'Video/QuickTime; x=1' });
		world.sandbox.faults.on('video', { kind: 'content-type', value: 'application/octet-stream' });
		world.sandbox.faults.on('video', { kind: 'content-type', value: '' });
		expect((await get()).items[0].binary?.data.mimeType).toBe('video/quicktime');
		expect((await get()).items[0].binary?.data.mimeType).toBe('video/mp4');
		expect((await get()).items[0].binary?.data.mimeType).toBe('video/mp4');
	});

	it('needs no length from the server', async () => {
		world.sandbox.faults.on('video', { kind: 'no-content-length' });
		expect((await get()).items[0].binary?.data.bytes).toBe(200_000);
	});

	const passing: Fault[] = [
		{ kind: 'cut' },
		{ kind: 'cut', afterBytes: 0 },
		{ kind: 'reset' },
		{ kind: 'server-error', status: 503 },
		{ kind: 'rate-limit' },
		{ kind: 'empty-body' },
		{ kind: 'html', status: 200 },
	];
	it.each(passing)('is tried again after %j', async (fault) => {
		world.sandbox.faults.on('video', fault);
		const run = await get();
		expect(run.items[0].binary?.data.bytes).toBe(200_000);
		expect(reads()).toHaveLength(2);
	});

	it('is tried again when the server stops sending', async () => {
		world.n8n.clockSpeed = 400;
		world.sandbox.faults.on('video', { kind: 'stall', ms: 2000 });
		const start = Date.now();
		const run = await get();
		expect(run.items[0].binary?.data.bytes).toBe(200_000);
		expect(reads()).toHaveLength(2);
		expect(Date.now() - start).toBeLessThan(1800);
	});

	it('of several videos brings each to its item', async () => {
		const run = await world.runPrompts(['a', 'b', 'c', 'd', 'e']);
		expect(run.items.map(({ binary }) => binary?.data.fileName)).toEqual(
			ids().map((id) => `${id}.mp4`),
		);
	});
});

it('begins when its own video is ready, not when the slowest one is', async () => {
	for (const [prompt, seconds] of [
		['quick', 12],
		['slow', 150],
	] as const) {
		world.sandbox.faults.on('generate', { kind: 'task', seconds }, { prompt });
	}
	const running = world.runPrompts(['quick', 'slow']);
	await world.sandbox.ledger.until((ledger) => ledger.videoReads().some((read) => read.complete));
	const [quick, slow] = world.sandbox.tasks.all();
	expect(reads()[0].taskId).toBe(quick.id);
	expect(slow.ended).toBe(false);
	// From now on the link of the quick one is dead, which harms nobody any more.
	quick.outcome = { status: 'SUCCESS', videoStatus: 410 };
	const run = await running;
	expect(run.items.map(({ binary }) => binary?.data.bytes)).toEqual([200_000, 200_000]);
});

describe('a download that fails', () => {
	it.each<[Fault, string]>([
		[{ kind: 'cut' }, 'the connection failed'],
		[{ kind: 'server-error', status: 500 }, 'HTTP 500'],
		[{ kind: 'html', status: 200 }, 'the server sent a web page instead of a whole video'],
		[{ kind: 'reset' }, 'the connection failed'],
		[{ kind: 'empty-body' }, 'an empty file'],
	])('by %j three times gives the link and says that nothing is lost', async (fault, why) => {
		world.sandbox.faults.on('video', fault, { times: 'always' });
		const { message, description, context } = failureOf(await get());
		expect(message).toMatch(
			new RegExp(
				`^The video is ready, but could not be downloaded \\(task ${ids()[0]}\\): .*(${why})`,
			),
		);
		expect(description).toContain(
			`Nothing is lost: the video is at ${world.sandbox.origin}/videos/${ids()[0]}.mp4`,
		);
		expect(description).toContain('downloading it again does not pay again');
		expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		expect(reads()).toHaveLength(3);
	});

	it('because the disk is full says so', async () => {
		world.n8n.fullDisk = true;
		const run = await get();
		world.n8n.fullDisk = false;
		expect(failureOf(run).message).toContain('n8n could not store the file (ENOSPC)');
		expect(failureOf(run).context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		expect(failureOf(run).description).toContain('Nothing is lost');
	});

	it('three times by stalling says so', async () => {
		world.n8n.clockSpeed = 400;
		world.sandbox.faults.on('video', { kind: 'stall', ms: 1500 }, { times: 'always' });
		expect(failureOf(await get()).message).toContain('the server stopped sending for 60 seconds');
	});

	it('without a length is told by the empty file', async () => {
		world.sandbox.videoBytes = 0;
		world.sandbox.faults.on('video', { kind: 'no-content-length' }, { times: 'always' });
		const run = await get();
		world.sandbox.videoBytes = 200_000;
		expect(failureOf(run).context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
	});

	it('comes out with its link when On Error continues, beside the videos that arrived', async () => {
		world.sandbox.faults.on('video', { kind: 'reset' }, { prompt: 'b', times: 'always' });
		const run = await world.runPrompts(['a', 'b'], { node: { onError: 'continueRegularOutput' } });
		expect(run.items[0].binary).toBeDefined();
		expect(run.items[1].binary).toBeUndefined();
		expect(run.json[1]).toMatchObject({
			status: 'SUCCESS',
			succeeded: false,
			video_url: expect.stringContaining(ids()[1]),
			consumed_credits: 28,
			error_code: 'download_failed',
			charged: 'yes',
		});
	});

	it('ends at once on Stop', async () => {
		world.sandbox.faults.on('video', { kind: 'stall', ms: 2000 }, { times: 'always' });
		world.n8n.clockSpeed = 20;
		const running = world.n8n.start({ parameters: { prompt: 'A boat' } });
		await world.sandbox.ledger.until((ledger) => ledger.videoReads().length === 1);
		const start = Date.now();
		running.stop();
		expect((await running.finished).status).toBe('canceled');
		expect(Date.now() - start).toBeLessThan(1000);
	});
});

it('stores the file also where n8n collects it in memory first, as it does for its database', async () => {
	world.n8n.binariesInMemory = true;
	const run = await world.run({ prompt: 'A boat' });
	const file = run.items[0].binary?.data;
	expect(file).toMatchObject({ bytes: 200_000, mimeType: 'video/mp4' });
	expect(world.sandbox.ledger.videoReads()).toHaveLength(1);
});

/** A video on the other host, fetched by Get Status: what was stored, and what the node said. */
async function fetchFrom(answer: RequestListener, parameters: IDataObject = {}) {
	host.answer = answer;
	host.takeOver(world.sandbox);
	const taskId = await finishedTask();
	const run = await world.run({ operation: 'status', taskId, downloadVideo: true, ...parameters });
	const file = run.items[0]?.binary?.data;
	return { run, file, bytes: file && (await world.n8n.readFile(file)) };
}

async function finishedTask(): Promise<string> {
	const taskId = await world.existingTask();
	world.sandbox.finish(taskId);
	return taskId;
}

const VIDEO = mp4Of(150_000);
const BIG = 8_000_000;

describe('the bytes of a video', () => {
	const packed = {
		gzip: gzipSync(VIDEO),
		br: brotliCompressSync(VIDEO),
		deflate: deflateSync(VIDEO),
	};

	describe.each([false, true])('that n8n collects in memory first: %s', (inMemory) => {
		beforeEach(() => {
			world.n8n.binariesInMemory = inMemory;
		});

		it.each(Object.entries(packed))(
			'arrive whole although the server compresses them with %s',
			async (encoding, body) => {
				const { bytes } = await fetchFrom((_request, response) =>
					response
						.writeHead(200, { 'content-encoding': encoding, 'content-length': body.length })
						.end(body),
				);
				expect(bytes?.equals(VIDEO)).toBe(true);
			},
		);

		it.each<[string, RequestListener]>([
			['in chunks', (_request, response) => response.writeHead(200).end(VIDEO)],
			[
				'compressed in chunks',
				(_request, response) =>
					response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed.gzip),
			],
			[
				'until the connection ends',
				(_request, response) => {
					response.useChunkedEncodingByDefault = false;
					response.writeHead(200, { connection: 'close' }).end(VIDEO);
				},
			],
			[
				'under an encoding that is none',
				(_request, response) =>
					response
						.writeHead(200, { 'content-encoding': 'aws-chunked', 'content-length': VIDEO.length })
						.end(VIDEO),
			],
			[
				'a few at a time',
				async (_request, response) => {
					response.writeHead(200);
					for (let at = 0; at < 300; at += 50) {
						response.write(VIDEO.subarray(at, at + 50));
						await pause(5);
					}
					response.end(VIDEO.subarray(300));
				},
			],
		])('arrive whole when they come %s', async (_how, answer) => {
			const { bytes } = await fetchFrom(answer);
			expect(bytes?.equals(VIDEO)).toBe(true);
		});

		it.each<[string, string, RequestListener]>([
			[
				'compressed and cut on the way',
				'the connection failed (ECONNRESET)',
				async (_request, response) => {
					const { gzip } = packed;
					response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': gzip.length });
					response.write(gzip.subarray(0, gzip.length - 100));
					await pause(50);
					response.destroy();
				},
			],
			[
				'compressed after they were cut',
				'the file breaks off after 100000 bytes',
				(_request, response) =>
					response
						.writeHead(200, { 'content-encoding': 'gzip' })
						.end(gzipSync(VIDEO.subarray(0, 100_000))),
			],
			[
				'as half a compressed file',
				'the file breaks off after',
				(_request, response) =>
					response
						.writeHead(200, { 'content-encoding': 'gzip' })
						.end(packed.gzip.subarray(0, packed.gzip.length / 2)),
			],
			[
				'until the connection ends too early',
				'the file breaks off after 100000 bytes',
				(_request, response) => {
					response.useChunkedEncodingByDefault = false;
					response.writeHead(200, { connection: 'close' }).end(VIDEO.subarray(0, 100_000));
				},
			],
		])('are no video when they come %s', async (_how, why, answer) => {
			const { run } = await fetchFrom(answer);
			expect(failureOf(run).message).toContain(why);
			expect(failureOf(run).context).toMatchObject({ error_code: 'download_failed' });
			expect(host.requests).toHaveLength(3);
		});
	});

	it('of a clip that can be played arrive whole without a length', async () => {
		world.sandbox.videoBytes = null;
		world.sandbox.faults.on('video', { kind: 'no-content-length' });
		const run = await world.run({
			operation: 'status',
			taskId: await finishedTask(),
			downloadVideo: true,
		});
		world.sandbox.videoBytes = 200_000;
		await world.sandbox.ledger.until((ledger) => ledger.videoReads()[0].complete);
		expect(run.items[0].binary?.data.bytes).toBe(reads()[0].bytes);
	});

	it('come with an honest User-Agent and without the API key', async () => {
		await fetchFrom((_request, response) => response.writeHead(200).end(VIDEO));
		expect(host.requests[0].headers['user-agent']).toMatch(/^n8n-nodes-seedance\/\d/);
		expect(JSON.stringify(host.requests)).not.toContain(world.sandbox.apiKey);
	});
});

describe('what a file is', () => {
	const send =
		(body: Buffer | string, type?: string, status = 200): RequestListener =>
		(_request, response) =>
			response.writeHead(status, type === undefined ? {} : { 'content-type': type }).end(body);

	it.each([
		['text/html', VIDEO, 'video/mp4', 'mp4'],
		['application/json', VIDEO, 'video/mp4', 'mp4'],
		['application/octet-stream', VIDEO, 'video/mp4', 'mp4'],
		['image/png', VIDEO, 'video/mp4', 'mp4'],
		[undefined, VIDEO, 'video/mp4', 'mp4'],
		['video/mp4', ebmlOf('webm'), 'video/webm', 'webm'],
		['text/plain', ebmlOf('matroska'), 'video/x-matroska', 'mkv'],
		['video/quicktime', mp4Of(2000, 'qt  '), 'video/quicktime', 'mp4'],
	])('is told by its first bytes: a video under %s', async (type, body, mimeType, extension) => {
		const { file, run } = await fetchFrom(send(body, type));
		expect(file).toMatchObject({
			mimeType,
			fileName: `${String(run.json[0].task_id)}.${extension}`,
		});
	});

	const long = ' '.repeat(2000);
	it.each([
		['a web page', `<!DOCTYPE html><html>${long}`],
		['JSON', `{"error": "not found"}${long}`],
		['JSON', '{"error": "not found"}'],
		['XML', `<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>${long}`],
		['text', `Not found${long}`],
		['an image', Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), VIDEO])],
		['an image', mp4Of(2000, 'heic')],
		['a file of another kind', Buffer.alloc(2000)],
		['an empty file', ''],
	])('is told by its first bytes: %s under video/mp4 is not stored', async (kind, body) => {
		const { run } = await fetchFrom(send(body, 'video/mp4'));
		expect(failureOf(run).message).toContain(`the server sent ${kind} instead of a whole video.`);
		expect(failureOf(run).context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		expect(host.requests).toHaveLength(3);
	});

	it.each([201, 203, 206])('is not told by HTTP %i, which is no whole answer', async (status) => {
		const { run } = await fetchFrom(send(VIDEO, 'video/mp4', status));
		expect(failureOf(run).message).toContain(`HTTP ${status}, which is no whole file`);
	});

	it.each([204, 304])('is not told by HTTP %i, which is no file', async (status) => {
		const { run } = await fetchFrom(send('', undefined, status));
		expect(failureOf(run).message).toContain(`HTTP ${status}`);
	});
});

describe('a link that is refused', () => {
	const HOUR = 3_600_000;

	beforeEach(() => {
		world.n8n.clockSpeed = 20;
		host.answer = (request, response) => {
			if (request.url === '/good') response.writeHead(200).end(VIDEO);
			else response.writeHead(Number(request.url?.slice(1, 4))).end('refused');
		};
	});

	const linkTo = (path: number | string) => new URL(`/${path}`, host.url).href;

	/** Lets the API tell of a finished task, as long ago as given; each reading gives the next link, the last one stays. */
	async function taskWith(links: readonly string[], created: string | null): Promise<string> {
		const taskId = await finishedTask();
		links.forEach((link, index) => {
			const data = {
				task_id: taskId,
				status: 'SUCCESS',
				consumed_credits: 28,
				created_at: created,
				response: [link],
			};
			world.sandbox.faults.on(
				'status',
				{ kind: 'refuse-with', status: 200, body: { code: 200, message: 'success', data } },
				{ times: index === links.length - 1 ? 'always' : 1 },
			);
		});
		return taskId;
	}

	const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
	const fetchTask = async (taskId: string) =>
		await world.run({ operation: 'status', taskId, downloadVideo: true });
	const paths = () => host.requests.map(({ path }) => path);

	it.each([403, 404, 410])(
		'with HTTP %i is called expired when the task is old and a new reading gives no better one',
		async (status) => {
			const taskId = await taskWith([linkTo(status)], ago(3 * HOUR + 60_000));
			const { message, description, context } = failureOf(await fetchTask(taskId));
			expect(message).toBe(
				`The link of the video has expired (task ${taskId}): HTTP ${status}, 3 hours after the video was started.`,
			);
			expect(description).toContain(`The link was ${linkTo(status)}`);
			expect(description).toContain('without paying again');
			expect(description).toContain('The credits for this video were spent.');
			expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
			expect(world.sandbox.ledger.statusReads(taskId)).toHaveLength(2);
			expect(paths()).toEqual([`/${status}`, `/${status}`, `/${status}`]);
		},
	);

	it.each([
		['of a moment ago', ago(0)],
		['of two minutes ago', ago(120_000)],
		['of an unknown time', null],
		['of a time without its zone', '2020-01-01 10:00:00'],
		['of a time that cannot be read', 'yesterday'],
	])('is not called expired for a task %s', async (_age, created) => {
		const taskId = await taskWith([linkTo(403)], created);
		const { message, description } = failureOf(await fetchTask(taskId));
		expect(message).toBe(
			`The video is ready, but could not be downloaded (task ${taskId}): HTTP 403.`,
		);
		expect(description).toContain(`Nothing is lost: the video is at ${linkTo(403)}`);
		expect(description).toContain('a firewall or proxy keeps this n8n away from it');
	});

	it.each([403, 404, 410])('with HTTP %i only for a moment is fetched', async (status) => {
		const taskId = await taskWith([linkTo('good')], ago(0));
		let refusals = 2;
		const { answer } = host;
		host.answer = (request, response) => {
			if (refusals-- > 0) response.writeHead(status).end();
			else answer(request, response);
		};
		const run = await fetchTask(taskId);
		expect(run.items[0].binary?.data.bytes).toBe(VIDEO.length);
		expect(host.requests).toHaveLength(3);
	});

	it.each([403, 404, 410])(
		'with HTTP %i is replaced by the one of a new reading',
		async (status) => {
			const taskId = await taskWith([linkTo(status), linkTo('good')], ago(2 * HOUR));
			const run = await fetchTask(taskId);
			expect(run.items[0].binary?.data.bytes).toBe(VIDEO.length);
			expect(run.json[0]).toMatchObject({ succeeded: true, video_url: linkTo('good') });
			expect(paths()).toEqual([`/${status}`, '/good']);
		},
	);

	it('is replaced also when the task cannot be read at the first attempt', async () => {
		const taskId = await taskWith([linkTo(410), linkTo('good')], ago(2 * HOUR));
		world.sandbox.faults.on('status', { kind: 'reset' });
		const run = await fetchTask(taskId);
		expect(run.items[0].binary?.data.bytes).toBe(VIDEO.length);
	});

	it('is not called expired when the task could not be read again', async () => {
		const taskId = await finishedTask();
		const { faults } = world.sandbox;
		const data = {
			task_id: taskId,
			status: 'SUCCESS',
			created_at: ago(2 * HOUR),
			response: [linkTo(410)],
		};
		faults.on('status', { kind: 'refuse-with', status: 200, body: { code: 200, data } });
		faults.on('status', { kind: 'error', code: 'INVALID_API_KEY' }, { times: 'always' });
		const { message } = failureOf(await fetchTask(taskId));
		expect(message).toContain('could not be downloaded');
		expect(message).not.toContain('expired');
	});

	it('after other trouble still makes the task be read anew', async () => {
		const taskId = await taskWith([linkTo('a'), linkTo('good')], ago(2 * HOUR));
		const statuses = [500, 503, 410];
		const { answer } = host;
		host.answer = (request, response) => {
			if (request.url === '/a') response.writeHead(statuses.shift() ?? 500).end();
			else answer(request, response);
		};
		const run = await fetchTask(taskId);
		expect(run.items[0].binary?.data.bytes).toBe(VIDEO.length);
		expect(paths()).toEqual(['/a', '/a', '/a', '/good']);
	});

	it('is told with characters that a web page would take for its own', async () => {
		const taskId = await taskWith([`${linkTo(500)}?a=<b>"c"`], ago(0));
		const { description } = failureOf(await fetchTask(taskId));
		expect(description).toContain('?a=%3Cb%3E%22c%22');
	});
});

describe('the stream of a video', () => {
	const flood =
		(status: number, start: Buffer | string): RequestListener =>
		(_request, response) => {
			response.writeHead(status, { 'content-type': 'video/mp4' });
			response.write(start);
			response.write(Buffer.alloc(BIG));
		};

	/** Waits until the server sees no answer any more that its caller has left open. */
	async function allClosed(): Promise<void> {
		for (let round = 0; host.open > 0 && round < 100; round++) await pause(10);
		expect(host.open).toBe(0);
	}

	it.each<[string, RequestListener]>([
		['HTTP 403', flood(403, '<html>')],
		['HTTP 500', flood(500, '<html>')],
		['HTTP 206', flood(206, VIDEO)],
		['a web page', flood(200, '<!DOCTYPE html><html>')],
		['bytes that stop', flood(200, VIDEO)],
		['too few bytes to tell', (_request, response) => void response.writeHead(200).write('<')],
		['headers alone', (_request, response) => response.writeHead(200).flushHeaders()],
	])('is closed after %s', async (_what, answer) => {
		world.n8n.clockSpeed = 400;
		const { run } = await fetchFrom(answer);
		expect(failureOf(run).context).toMatchObject({ error_code: 'download_failed' });
		expect(host.requests.length).toBeGreaterThan(1);
		await allClosed();
	});

	it('is closed when the disk is full, each of three times', async () => {
		world.n8n.fullDisk = true;
		const { run } = await fetchFrom(flood(200, VIDEO));
		world.n8n.fullDisk = false;
		expect(failureOf(run).message).toContain('ENOSPC');
		expect(host.requests).toHaveLength(3);
		await allClosed();
	});

	it('is closed on Stop', async () => {
		world.n8n.clockSpeed = 1;
		host.answer = flood(200, VIDEO);
		host.takeOver(world.sandbox);
		const taskId = await finishedTask();
		const running = world.n8n.start({
			parameters: { operation: 'status', taskId, downloadVideo: true },
		});
		for (let round = 0; host.open === 0 && round < 300; round++) await pause(10);
		running.stop();
		await running.finished;
		await allClosed();
	});
});
