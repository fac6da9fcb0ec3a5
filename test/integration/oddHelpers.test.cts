// Helpers of other n8n versions that give less, or something else, than those of the engine the tests run on.
import type { IExecuteFunctions } from 'n8n-workflow';
import { Readable } from 'node:stream';

import { imageLink } from '../../nodes/Seedance/run/imageLink';
import { fetchVideo } from '../../nodes/shared/api/download';
import type { Clock } from '../../nodes/shared/n8n/clock';
import { readTask } from '../../nodes/shared/task/task';
import { mp4Of } from '../support/videoHost.cjs';

/** Sleeps take no time, but for those that only end a request early, which last until they are called off. */
const clock: Clock = {
	now: () => 0,
	random: () => 0,
	uncancellable: () => clock,
	sleep: async (_ms, cancel) =>
		await new Promise((resolve) => {
			if (!cancel) resolve(true);
			else cancel.addEventListener('abort', () => resolve(false), { once: true });
		}),
};

/** A node's context of which only these parts are there. */
const contextOf = (parts: object): IExecuteFunctions => Object.assign(Object.create(null), parts);

describe('a download', () => {
	const url = 'http://127.0.0.1/a.mp4';
	const task = readTask('seed/15', { status: 'SUCCESS', response: [url] }, '');
	const download = async (
		httpRequest: () => unknown,
		helpers: object = {},
		deadline = 1_000_000,
	): Promise<unknown> => {
		if (!task) throw new Error('No task');
		const got = await fetchVideo(
			contextOf({ helpers: { httpRequest, ...helpers } }),
			{ task, url },
			{ clock, deadline, readAgain: async () => await Promise.reject(new Error('no')) },
		);
		return got.ok ? got.binary : got.problem.message;
	};
	const video = async () =>
		await Promise.resolve({ statusCode: 200, headers: {}, body: Readable.from([mp4Of(900)]) });
	const throws = () => {
		throw Object.assign(new Error('bad'), { code: 'ERR_INVALID_URL' });
	};

	it.each<[string, string, () => unknown]>([
		['nothing', 'the server sent no file', () => undefined],
		['a text', 'the server sent no file', () => 'text'],
		['no stream', 'the server sent no file', () => ({ body: 'text', statusCode: 200 })],
		['half a stream', 'the server sent no file', () => ({ body: { on: () => 0 } })],
		['no status', 'HTTP 0', () => ({ body: Readable.from(['text']) })],
		['no error', 'the connection failed', async () => await Promise.reject('no')],
		['a throw at once', 'the connection failed (ERR_INVALID_URL)', throws],
	])('whose helper gives %s has failed: %s', async (_, why, helper) => {
		expect(await download(async () => await helper())).toContain(`: ${why}.`);
		expect(await download(helper)).toContain(`: ${why}.`);
	});

	it.each([403, 206, 200])('without an abort closes the stream of HTTP %i', async (statusCode) => {
		const bodies: Readable[] = [];
		const respond = async () => {
			const body = Readable.from([Buffer.alloc(1000), Buffer.alloc(1000)]);
			bodies.push(body);
			return await Promise.resolve({ statusCode, headers: {}, body });
		};
		expect(await download(respond)).toContain('could not be downloaded');
		expect(bodies.length).toBeGreaterThan(2);
		expect(bodies.map(({ destroyed }) => destroyed)).toEqual(bodies.map(() => true));
	});

	it('closes the stream of a response that comes when the time is up', async () => {
		let respond: (response: unknown) => void = () => {};
		const asked = new Promise<unknown>((resolve) => (respond = resolve));
		expect(await download(async () => await asked, {}, -1)).toContain('the time was up');
		const late = await video();
		respond(late);
		await new Promise((resolve) => late.body.once('close', resolve));
		expect(late.body.destroyed).toBe(true);
	});

	it('that n8n refuses to store says why', async () => {
		const prepareBinaryData = async () =>
			await Promise.reject(new Error('The file is larger than 512 MB'));
		expect(await download(video, { prepareBinaryData })).toContain(
			': n8n could not store the file (The file is larger than 512 MB).',
		);
	});

	it('names its file after the task, whatever characters that has', async () => {
		const prepareBinaryData = async (body: Readable, fileName: string) => {
			body.resume();
			return await Promise.resolve({ fileName });
		};
		expect(await download(video, { prepareBinaryData })).toEqual({ fileName: 'seed_15.mp4' });
	});
});

describe('an image file', () => {
	const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
	const link = async (file: object, helpers: object) => {
		const assertBinaryData = () => file;
		const getBinaryStream = async () => await Promise.resolve(Readable.from([PNG]));
		const parts = { helpers: { assertBinaryData, getBinaryStream, ...helpers } };
		const getInputData = () => [{ json: {}, binary: { data: file } }];
		return await imageLink(contextOf({ getInputData, ...parts }), 0, 'data', 'loopback');
	};
	const createBinarySignedUrl = () => 'http://127.0.0.1/signed';

	it('on an n8n that cannot make links to files says so', async () => {
		expect(await link({ mimeType: 'image/png', id: 'filesystem:a' }, {})).toMatchObject({
			problem: expect.stringContaining('this n8n cannot make links to files.'),
			advice: expect.stringContaining('Update n8n.'),
		});
	});

	it('is the same image after n8n has moved it to its execution', async () => {
		const prepareBinaryData = async () => await Promise.resolve({ id: 'a copy' });
		const linkIn = async (execution: string) => {
			const id = `filesystem-v2:workflows/w/executions/${execution}/binary_data/3f2a`;
			return await link(
				{ mimeType: 'image/png', id },
				{ createBinarySignedUrl, prepareBinaryData },
			);
		};
		const sent = await linkIn('temp');
		expect(sent).toMatchObject({ identity: '3f2a' });
		expect(await linkIn('7')).toMatchObject({ ...sent, contentHash: expect.any(Function) });
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
		const helpers = { getBinaryStream, createBinarySignedUrl };
		await link({ mimeType: 'image/png', id: 'a:b' }, helpers);
		expect(chunks).toBeLessThan(50);
		const prepareBinaryData = async () => await Promise.reject(new Error('full'));
		const stored = link({ mimeType: '', id: 'a:b' }, { ...helpers, prepareBinaryData });
		await expect(stored).rejects.toThrow('full');
		expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
	});
});
