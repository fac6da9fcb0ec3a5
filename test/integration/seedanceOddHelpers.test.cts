// Helpers of other n8n versions that give less, or something else, than those of the engine the tests run on.
import type { IExecuteFunctions } from 'n8n-workflow';
import { Readable } from 'node:stream';

import { imageLink } from '../../nodes/Seedance/run/imageLink';
import type { Clock } from '../../nodes/shared/n8n/clock';
import { fetchVideo } from '../../nodes/shared/api/download';
import { readTask } from '../../nodes/shared/task/task';
import { mp4Of } from '../support/videoHost.cjs';

/** Sleeps take no time, but for those that only end a request early, which last until they are called off. */
const clock: Clock = {
	now: () => 0,
	random: () => 0,
	untied: () => clock,
	sleep: async (_ms, cancel) =>
		await new Promise((resolve) => {
			if (!cancel) resolve(true);
			else cancel.addEventListener('abort', () => resolve(false), { once: true });
		}),
};

/** A node's context of which only these parts are there. */
const contextOf = (parts: object): IExecuteFunctions => Object.assign(Object.create(null), parts);

const url = 'http://127.0.0.1/a.mp4';

const download = async (
	httpRequest: () => Promise<unknown>,
	helpers: object = {},
	deadline = 1_000_000,
) => {
	const task = readTask('seed/15', { status: 'SUCCESS', response: [url] }, '');
	if (!task) throw new Error('No task');
	const got = await fetchVideo(
		contextOf({ helpers: { httpRequest, ...helpers } }),
		{ task, url },
		{ clock, deadline, readAgain: async () => await Promise.reject(new Error('no')) },
	);
	return got.ok ? got.binary : got.problem.message;
};

describe('a download', () => {
	it.each([undefined, 'text', { body: 'text', statusCode: 200 }, { body: { on: () => 0 } }])(
		'without a stream in the answer is no file: %j',
		async (answer) => {
			expect(await download(async () => answer)).toContain(': the server sent no file.');
		},
	);

	it('that fails with something else than an error says no more than that', async () => {
		const failing = async () => await Promise.reject('no');
		expect(await download(failing)).toContain(': the connection failed.');
	});

	it('whose helper throws at once has failed', async () => {
		const failing = () => {
			throw Object.assign(new Error('bad'), { code: 'ERR_INVALID_URL' });
		};
		expect(await download(failing)).toContain(': the connection failed (ERR_INVALID_URL).');
	});

	it.each([403, 206, 200])(
		'by a helper that knows no abort closes the stream of HTTP %i',
		async (statusCode) => {
			const bodies: Readable[] = [];
			const answer = async () => {
				const body = Readable.from([Buffer.alloc(1000), Buffer.alloc(1000)]);
				bodies.push(body);
				return await Promise.resolve({ statusCode, headers: {}, body });
			};
			expect(await download(answer)).toContain('could not be downloaded');
			expect(bodies.length).toBeGreaterThan(2);
			expect(bodies.map(({ destroyed }) => destroyed)).toEqual(bodies.map(() => true));
		},
	);

	it('closes the stream of an answer that comes when the time is up', async () => {
		const body = Readable.from([mp4Of(900)]);
		let answer: (response: unknown) => void = () => {};
		const asked = new Promise<unknown>((resolve) => (answer = resolve));
		expect(await download(async () => await asked, {}, -1)).toContain('the time was up');
		answer({ statusCode: 200, headers: {}, body });
		await new Promise((resolve) => body.once('close', resolve));
		expect(body.destroyed).toBe(true);
	});

	it('that n8n refuses to store says why', async () => {
		const answer = async () => ({
			statusCode: 200,
			headers: {},
			body: Readable.from([mp4Of(900)]),
		});
		const prepareBinaryData = async () =>
			await Promise.reject(new Error('The file is larger than 512 MB'));
		expect(await download(answer, { prepareBinaryData })).toContain(
			': n8n could not store the file (The file is larger than 512 MB).',
		);
	});

	it('names its file after the task, whatever characters that has', async () => {
		const answer = async () => ({
			statusCode: 200,
			headers: {},
			body: Readable.from([mp4Of(900)]),
		});
		const prepareBinaryData = async (body: Readable, fileName: string) => {
			body.resume();
			return await Promise.resolve({ fileName });
		};
		expect(await download(answer, { prepareBinaryData })).toEqual({ fileName: 'seed_15.mp4' });
	});

	it('without a status has failed', async () => {
		const answer = async () => ({ body: Readable.from(['text']) });
		expect(await download(answer)).toContain(': HTTP 0.');
	});
});

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');

describe('an image file', () => {
	const link = async (file: object, helpers: object) =>
		await imageLink(
			contextOf({
				getInputData: () => [{ json: {}, binary: { data: file } }],
				helpers: {
					assertBinaryData: () => file,
					getBinaryStream: async () => Readable.from([PNG]),
					...helpers,
				},
			}),
			0,
			'data',
			'loopback',
		);

	it('on an n8n that cannot make links to files says so', async () => {
		expect(await link({ mimeType: 'image/png', id: 'filesystem:a' }, {})).toMatchObject({
			problem: expect.stringContaining('this n8n cannot make links to files.'),
			advice: expect.stringContaining('Update n8n.'),
		});
	});

	it('is the same image after n8n has moved it to its execution', async () => {
		const helpers = {
			createBinarySignedUrl: () => 'http://127.0.0.1/signed',
			prepareBinaryData: async () => ({ id: 'a copy' }),
		};
		const stored = (execution: string) =>
			`filesystem-v2:workflows/w/executions/${execution}/binary_data/3f2a`;
		const sent = await link({ mimeType: 'image/png', id: stored('temp') }, helpers);
		expect(sent).toMatchObject({ identity: '3f2a' });
		expect(await link({ mimeType: 'image/png', id: stored('7') }, helpers)).toEqual(sent);
	});

	it('is read at its beginning only, and closed', async () => {
		const streams: Readable[] = [];
		let chunks = 0;
		function* photo() {
			yield PNG;
			for (; chunks < 1000; chunks++) yield Buffer.alloc(1000);
		}
		const getBinaryStream = async () => {
			const stream = Readable.from(photo());
			streams.push(stream);
			return await Promise.resolve(stream);
		};
		const createBinarySignedUrl = () => 'http://127.0.0.1/signed';
		await link({ mimeType: 'image/png', id: 'a:b' }, { getBinaryStream, createBinarySignedUrl });
		expect(chunks).toBeLessThan(50);
		const prepareBinaryData = async () => await Promise.reject(new Error('full'));
		const helpers = { getBinaryStream, createBinarySignedUrl, prepareBinaryData };
		await expect(link({ mimeType: '', id: 'a:b' }, helpers)).rejects.toThrow('full');
		expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
	});
});
