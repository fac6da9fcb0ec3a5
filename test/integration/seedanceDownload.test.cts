// The finished video as a file: streamed, named, tried again, never fetched with the API key, never a reason to pay again.
import type { Fault } from '../sandbox/server.cjs';
import { failureOf, seedanceWorld } from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
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

describe('a download that fails', () => {
	it.each([403, 404, 410])(
		'with HTTP %i says that the link has expired, at once',
		async (status) => {
			world.sandbox.faults.on('generate', {
				kind: 'task',
				outcome: { status: 'SUCCESS', videoStatus: status },
			});
			const { message, description, context } = failureOf(await get());
			expect(message).toBe(`The link of the video has expired (task ${ids()[0]}, HTTP ${status}).`);
			expect(description).toContain(`${world.sandbox.origin}/videos/${ids()[0]}.mp4`);
			expect(description).toContain('The credits for this video were spent.');
			expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
			expect(reads()).toHaveLength(1);
		},
	);

	it.each<[Fault, string]>([
		[{ kind: 'cut' }, 'ECONNRESET|aborted|connection failed|bytes arrived'],
		[{ kind: 'server-error', status: 500 }, 'HTTP 500'],
		[{ kind: 'html', status: 200 }, 'the server sent text/html instead of a video'],
		[{ kind: 'content-type', value: 'application/json' }, 'instead of a video'],
		[{ kind: 'reset' }, 'the connection failed'],
		[{ kind: 'empty-body' }, 'bytes arrived|empty'],
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
		expect(description).toContain('downloads it without paying again');
		expect(context).toMatchObject({ error_code: 'download_failed', charged: 'yes' });
		expect(reads()).toHaveLength(3);
	});

	it('because the disk is full says so', async () => {
		world.n8n.fullDisk = true;
		const run = await get();
		world.n8n.fullDisk = false;
		expect(failureOf(run).message).toContain('n8n could not store the file (ENOSPC)');
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
