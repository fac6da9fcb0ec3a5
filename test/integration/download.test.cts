// The finished video as a file: streamed, named, tried again, never fetched with the API key, never a reason to pay again.
import type { RequestListener } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import type { Run } from '../support/engine.cjs';
import { CONTINUE, failureOf, TROUBLE, seedanceWorld } from '../support/seedanceWorld.cjs';
import { ebmlOf, mp4Of, videoHost } from '../support/videoHost.cjs';

const world = seedanceWorld();
const host = videoHost();
const { run, failure, runPrompts, fault, plan, finishedTask, ids } = world;
const BOAT = { prompt: 'A boat' };
const ALWAYS = { times: 'always' } as const;
const FAILED = { error_code: 'download_failed', charged: 'yes' };
const downloads = () => world.sandbox.ledger.videoReads();
const sizesOf = ({ items }: Run) => items.map(({ binary }) => binary?.data.bytes);
const VIDEO = mp4Of(150_000);

describe('a download', () => {
	it('arrives whole under the name of its task, in the field that was asked for', async () => {
		const { items } = await run({ ...BOAT, outputBinaryField: 'clip' });
		expect(items[0].binary).toEqual({
			clip: expect.objectContaining({
				fileName: `${ids()[0]}.mp4`,
				mimeType: 'video/mp4',
				fileExtension: 'mp4',
				data: 'filesystem-v2',
			}),
		});
		const bytes = await world.n8n.readFile(Object(items[0].binary).clip);
		expect(bytes.length).toBe(200_000);
		expect(bytes.subarray(4, 8).toString('latin1')).toBe('ftyp');
	});

	it('goes without the API key, and follows a redirect of the video host', async () => {
		fault('video', { kind: 'redirect' });
		expect(sizesOf(await run(BOAT))).toEqual([200_000]);
		expect(downloads()).toHaveLength(2);
		expect(downloads().filter(({ headers }) => 'authorization' in headers)).toEqual([]);
	});

	it.each(TROUBLE.passingDownloads)('is tried again after %j', async (trouble) => {
		fault('video', trouble);
		const start = Date.now();
		expect(sizesOf(await run(BOAT))).toEqual([200_000]);
		expect(downloads()).toHaveLength(2);
		expect(Date.now() - start).toBeLessThan(1800);
	});

	it('begins when its own video is ready, not when the slowest one is, and comes to its item', async () => {
		plan({ seconds: 12 }, { prompt: 'quick' });
		plan({ seconds: 150 }, { prompt: 'slow' });
		const running = runPrompts(['quick', 'slow']);
		await world.sandbox.ledger.until(() => downloads().some((read) => read.complete));
		const [quick, slow] = world.sandbox.tasks.all();
		expect(downloads()[0].taskId).toBe(quick.id);
		expect(slow.ended).toBe(false);
		// From now on the link of the quick one is dead, which no longer matters.
		quick.outcome = { status: 'SUCCESS', videoStatus: 410 };
		const ended = await running;
		expect(sizesOf(ended)).toEqual([200_000, 200_000]);
		const names = ended.items.map(({ binary }) => binary?.data.fileName);
		expect(names).toEqual(ids().map((id) => `${id}.mp4`));
	});
});

describe('a download that fails', () => {
	it.each(TROUBLE.failingDownloads)('by %j three times gives the link', async (trouble, why) => {
		fault('video', trouble, ALWAYS);
		const { message, description, context } = await failure(BOAT);
		const [id] = ids();
		expect(message).toMatch(
			new RegExp(`^The video is ready, but could not be downloaded \\(task ${id}\\): .*(${why})`),
		);
		expect(description).toContain(
			`Nothing is lost: the video is at ${world.sandbox.origin}/videos/${id}.mp4`,
		);
		expect(description).toContain('downloading it again does not pay again');
		expect(context).toMatchObject(FAILED);
		expect(downloads()).toHaveLength(3);
	});

	it('comes out with its link when On Error continues, beside the videos that arrived', async () => {
		fault('video', { kind: 'reset' }, { prompt: 'b', ...ALWAYS });
		const ended = await runPrompts(['a', 'b', 'c'], { node: CONTINUE });
		expect(sizesOf(ended)).toEqual([200_000, undefined, 200_000]);
		const video_url = expect.stringContaining(ids()[1]);
		expect(ended.json[1]).toMatchObject({ status: 'SUCCESS', video_url, ...FAILED });
	});
});

const fetchTask = async (taskId: string) =>
	await run({ operation: 'status', taskId, downloadVideo: true });

/** A video on the other host, fetched by Get Status: what was stored, and what the node said. */
async function fetchFrom(listener: RequestListener) {
	host.respond = listener;
	host.takeOver(world.sandbox);
	const ended = await fetchTask(await finishedTask());
	const file = ended.items[0]?.binary?.data;
	return { run: ended, file, bytes: file && (await world.n8n.readFile(file)) };
}

/** Responds with these bytes, whole, under these headers. */
const send =
	(
		body: Buffer | string,
		headers: Record<string, string | number> = {},
		status = 200,
	): RequestListener =>
	(_request, response) =>
		response.writeHead(status, headers).end(body);

describe('the bytes of a video', () => {
	const encoded = (encoding: string, body: Buffer) =>
		send(body, { 'content-encoding': encoding, 'content-length': body.length });
	const untilClosed =
		(body: Buffer): RequestListener =>
		(_request, response) => {
			response.useChunkedEncodingByDefault = false;
			response.writeHead(200, { connection: 'close' }).end(body);
		};
	const [packed, half] = [gzipSync(VIDEO), VIDEO.subarray(0, 100_000)];
	const inChunks = { 'content-encoding': 'gzip' };

	describe.each([false, true])('that n8n collects in memory first: %s', (inMemory) => {
		beforeEach(() => {
			world.n8n.binariesInMemory = inMemory;
		});

		it.each<[string, RequestListener]>([
			['compressed with gzip', encoded('gzip', packed)],
			['compressed in chunks', send(packed, inChunks)],
			['until the connection ends', untilClosed(VIDEO)],
			['under an encoding that is none', encoded('aws-chunked', VIDEO)],
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
		])('arrive whole when they come %s', async (_, listener) => {
			expect((await fetchFrom(listener)).bytes?.equals(VIDEO)).toBe(true);
		});

		it.each<[string, string, RequestListener]>([
			['compressed after they were cut', 'after 100000 bytes', send(gzipSync(half), inChunks)],
			['as half a file', 'after', send(packed.subarray(0, packed.length / 2), inChunks)],
			['until the connection ends too early', 'after 100000 bytes', untilClosed(half)],
			[
				'compressed and cut on the way',
				'the connection failed (ECONNRESET)',
				async (_request, response) => {
					response.writeHead(200, { ...inChunks, 'content-length': packed.length });
					response.write(packed.subarray(0, packed.length - 100));
					await pause(50);
					response.destroy();
				},
			],
		])('are no video when they come %s', async (_, why, listener) => {
			const { message, context } = failureOf((await fetchFrom(listener)).run);
			expect(message).toContain(why.startsWith('after') ? `the file breaks off ${why}` : why);
			expect(context).toMatchObject(FAILED);
			expect(host.requests).toHaveLength(3);
		});
	});

	it('of a clip that can be played arrive whole without a length', async () => {
		world.sandbox.videoBytes = null;
		// The first time, the clip has to be made, which takes longer than one try to get it.
		await fetchTask(await finishedTask());
		fault('video', { kind: 'no-content-length' });
		const ended = await fetchTask(await finishedTask());
		const last = () => downloads()[downloads().length - 1];
		await world.sandbox.ledger.until(() => last().complete);
		expect(sizesOf(ended)).toEqual([last().bytes]);
		expect(last().fault).toBe('no-content-length');
	});
});

describe('what a file is', () => {
	const typed = (type?: string): Record<string, string> => (type ? { 'content-type': type } : {});

	it.each([
		['text/html', VIDEO, 'video/mp4', 'mp4'],
		[undefined, VIDEO, 'video/mp4', 'mp4'],
		['video/mp4', ebmlOf('webm'), 'video/webm', 'webm'],
	])('is known by its first bytes: a video under %s', async (type, body, mimeType, extension) => {
		const { file, run: ended } = await fetchFrom(send(body, typed(type)));
		const fileName = `${String(ended.json[0].task_id)}.${extension}`;
		expect(file).toMatchObject({ mimeType, fileName });
	});

	it.each([
		['a web page', `<!DOCTYPE html><html>${' '.repeat(2000)}`],
		['JSON', '{"error": "not found"}'],
		['an image', mp4Of(2000, 'heic')],
		['an empty file', ''],
	])('is known by its first bytes: %s under video/mp4 is not stored', async (kind, body) => {
		const { run: ended } = await fetchFrom(send(body, typed('video/mp4')));
		const { message, context } = failureOf(ended);
		expect(message).toContain(`the server sent ${kind} instead of a whole video.`);
		expect(context).toMatchObject(FAILED);
		expect(host.requests).toHaveLength(3);
	});

	it.each([201, 206])('is no whole file under HTTP %i', async (status) => {
		const { run: ended } = await fetchFrom(send(VIDEO, {}, status));
		expect(failureOf(ended).message).toContain(`HTTP ${status}, which is no whole file`);
	});
});

describe('a link that is refused', () => {
	const HOUR = 3_600_000;
	const REFUSALS = [403, 404, 410];
	const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
	const linkTo = (path: number | string) => new URL(`/${path}`, host.url).href;
	const paths = () => host.requests.map(({ path }) => path);
	/** The responses of the host to the next requests; after that `/good` is the video, and `/410` is refused with 410. */
	const first: number[] = [];

	beforeEach(() => {
		world.n8n.clockSpeed = 20;
		first.length = 0;
		host.respond = (request, response) => {
			const status =
				first.shift() ?? (request.url === '/good' ? 200 : Number(request.url?.slice(1, 4)));
			response.writeHead(status).end(status === 200 ? VIDEO : 'refused');
		};
	});

	/** Lets the API report a finished task, as long ago as given; each reading gives the next link, the last one stays. */
	async function taskWith(links: readonly string[], created: string | null): Promise<string> {
		const taskId = await finishedTask();
		const task = { task_id: taskId, status: 'SUCCESS', consumed_credits: 28, created_at: created };
		links.forEach((link, index) => {
			const body = { code: 200, message: 'success', data: { ...task, response: [link] } };
			const times = index === links.length - 1 ? 'always' : 1;
			fault('status', { kind: 'refuse-with', status: 200, body }, { times });
		});
		return taskId;
	}

	it.each(REFUSALS)('with HTTP %i is called expired for an old task', async (status) => {
		const taskId = await taskWith([linkTo(status)], ago(3 * HOUR + 60_000));
		const { message, description, context } = failureOf(await fetchTask(taskId));
		expect(message).toBe(
			`The link of the video has expired (task ${taskId}): HTTP ${status}, 3 hours after the video was started.`,
		);
		expect(description).toContain(`The link was ${linkTo(status)}`);
		expect(description).toContain('without paying again');
		expect(description).toContain('The credits for this video were spent.');
		expect(context).toMatchObject(FAILED);
		expect(world.reads(taskId)).toHaveLength(2);
		expect(paths()).toEqual(Array(3).fill(`/${status}`));
	});

	it.each([
		['of two minutes ago', ago(120_000)],
		['of an unknown time', null],
		['of a time without its zone', '2020-01-01 10:00:00'],
		['of a time that cannot be read', 'yesterday'],
	])('is not called expired for a task %s', async (_, created) => {
		const taskId = await taskWith([linkTo(403)], created);
		const { message, description } = failureOf(await fetchTask(taskId));
		expect(message).toBe(
			`The video is ready, but could not be downloaded (task ${taskId}): HTTP 403.`,
		);
		expect(description).toContain(`Nothing is lost: the video is at ${linkTo(403)}`);
		expect(description).toContain('a firewall or proxy keeps this n8n away from it');
	});

	it.each<[string, number[], string[], string[]]>([
		['for a moment', [403, 410], ['good'], ['/good', '/good', '/good']],
		...REFUSALS.map((status): [string, number[], string[], string[]] => [
			`with HTTP ${status}`,
			[],
			[String(status), 'good'],
			[`/${status}`, '/good'],
		]),
		['after other trouble', [500, 503, 410], ['a', 'good'], ['/a', '/a', '/a', '/good']],
	])('%s is fetched by the link of a new reading', async (_, refusals, links, asked) => {
		const taskId = await taskWith(links.map(linkTo), ago(2 * HOUR));
		first.push(...refusals);
		const ended = await fetchTask(taskId);
		expect(sizesOf(ended)).toEqual([VIDEO.length]);
		expect(ended.json[0]).toMatchObject({ succeeded: true, video_url: linkTo('good') });
		expect(paths()).toEqual(asked);
	});

	it('is replaced also when the task cannot be read at the first attempt', async () => {
		const taskId = await taskWith([linkTo(410), linkTo('good')], ago(2 * HOUR));
		fault('status', { kind: 'reset' });
		expect(sizesOf(await fetchTask(taskId))).toEqual([VIDEO.length]);
	});

	it('is not called expired when the task could not be read again', async () => {
		const taskId = await finishedTask();
		const data = { task_id: taskId, status: 'SUCCESS', created_at: ago(2 * HOUR) };
		const body = { code: 200, data: { ...data, response: [linkTo(410)] } };
		fault('status', { kind: 'refuse-with', status: 200, body });
		fault('status', { kind: 'error', code: 'INVALID_API_KEY' }, ALWAYS);
		const { message } = failureOf(await fetchTask(taskId));
		expect(message).toContain('could not be downloaded');
		expect(message).not.toContain('expired');
	});
});

describe('the stream of a video', () => {
	/** Begins a response and never ends it. */
	const flood =
		(status: number, start: Buffer | string): RequestListener =>
		(_request, response) => {
			response.writeHead(status, { 'content-type': 'video/mp4' });
			response.write(start);
			response.write(Buffer.alloc(8_000_000));
		};
	/** Waits until the server has so many responses that its caller leaves open. */
	async function openResponses(count: number): Promise<void> {
		for (let round = 0; host.open !== count && round < 300; round++) await pause(10);
		expect(host.open).toBe(count);
	}

	it.each<[string, RequestListener]>([
		['HTTP 403', flood(403, '<html>')],
		['HTTP 206', flood(206, VIDEO)],
		['a web page', flood(200, '<!DOCTYPE html><html>')],
		['too few bytes to recognise', (_request, response) => void response.writeHead(200).write('<')],
		['headers alone', (_request, response) => response.writeHead(200).flushHeaders()],
	])('is closed after %s', async (_, listener) => {
		const { run: ended } = await fetchFrom(listener);
		expect(failureOf(ended).context).toMatchObject(FAILED);
		expect(host.requests.length).toBeGreaterThan(1);
		await openResponses(0);
	});

	it('is closed when the disk is full, each of three times, and that is said', async () => {
		world.n8n.fullDisk = true;
		const { run: ended } = await fetchFrom(flood(200, VIDEO));
		const { message, description, context } = failureOf(ended);
		expect(message).toContain('n8n could not store the file (ENOSPC)');
		expect(description).toContain('Nothing is lost');
		expect(context).toMatchObject(FAILED);
		expect(host.requests).toHaveLength(3);
		await openResponses(0);
	});

	it('is closed on Stop', async () => {
		world.n8n.clockSpeed = 1;
		host.respond = flood(200, VIDEO);
		host.takeOver(world.sandbox);
		const taskId = await finishedTask();
		const parameters = { operation: 'status', taskId, downloadVideo: true };
		const running = world.n8n.start({ parameters });
		await openResponses(1);
		running.stop();
		await running.finished;
		await openResponses(0);
	});
});
