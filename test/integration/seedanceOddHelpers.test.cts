// Helpers of other n8n versions that give less, or something else, than those of the engine the tests run on.
import type { IExecuteFunctions } from 'n8n-workflow';

import { imageLink } from '../../nodes/Seedance/imageFile';
import { downloadVideo } from '../../nodes/shared/download';

const clock = { now: () => 0, sleep: async () => true, random: () => 0 };

/** A node's context of which only these parts are there. */
const contextOf = (parts: object): IExecuteFunctions => Object.assign(Object.create(null), parts);

const download = async (httpRequest: () => Promise<unknown>) =>
	await downloadVideo(
		contextOf({ helpers: { httpRequest } }),
		'http://127.0.0.1/a.mp4',
		'seed/15',
		clock,
	);

describe('a download', () => {
	it.each([undefined, 'text', { body: 'text', statusCode: 200 }, { body: { on: () => 0 } }])(
		'without a stream in the answer is no file: %j',
		async (answer) => {
			expect(await download(async () => answer)).toEqual({
				ok: false,
				why: 'the server sent no file',
				expired: false,
			});
		},
	);

	it('that fails with something else than an error says no more than that', async () => {
		const failing = async () => await Promise.reject('no');
		expect(await download(failing)).toMatchObject({ why: 'the connection failed' });
	});

	it('without a status has failed', async () => {
		const body = { on: () => 0, pause: () => 0, resume: () => 0, destroy: () => 0 };
		expect(await download(async () => ({ body }))).toMatchObject({ why: 'HTTP 0' });
	});
});

describe('an image file', () => {
	const link = async (file: object, helpers: object) =>
		await imageLink(
			contextOf({ getInputData: () => [{ json: {}, binary: { data: file } }], helpers }),
			0,
			'data',
			true,
		);

	it('on an n8n that cannot make links to files says so', async () => {
		expect(await link({ mimeType: 'image/png', id: 'filesystem:a' }, {})).toEqual({
			problem: expect.stringContaining('this n8n cannot make links to files. Update n8n.'),
		});
	});

	it('without a known type is taken for an image', async () => {
		const createBinarySignedUrl = () => 'http://127.0.0.1/signed';
		expect(await link({ mimeType: '', id: 'filesystem:a' }, { createBinarySignedUrl })).toEqual({
			url: 'http://127.0.0.1/signed',
			identity: 'filesystem:a',
		});
	});

	it('is the same image after n8n has moved it to its execution', async () => {
		const helpers = {
			createBinarySignedUrl: () => 'http://127.0.0.1/signed',
			getBinaryStream: async () => 'content',
			prepareBinaryData: async () => ({ id: 'a copy' }),
		};
		const stored = (execution: string) =>
			`filesystem-v2:workflows/w/executions/${execution}/binary_data/3f2a`;
		const sent = await link({ mimeType: 'image/png', id: stored('temp') }, helpers);
		expect(sent).toMatchObject({ identity: '3f2a' });
		expect(await link({ mimeType: 'image/png', id: stored('7') }, helpers)).toEqual(sent);
	});
});
