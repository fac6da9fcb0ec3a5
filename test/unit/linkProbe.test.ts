/** Whether the link of a video is refused: only a server that refuses it says so. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { isLinkRefused } from '../../nodes/shared/api/linkProbe';
import { VirtualClock } from './virtualClock.cjs';

const LINK = 'https://cdn.example.com/video.mp4';
const isRefused = async (httpRequest: () => Promise<unknown>, clock = new VirtualClock()) => {
	const context = { helpers: { httpRequest } } as unknown as IExecuteFunctions;
	return await isLinkRefused(context, LINK, clock);
};

it.each([
	[403, true],
	[404, true],
	[410, true],
	[206, false],
	[500, false],
	[undefined, false],
])('a response %p: %p', async (statusCode, refused) => {
	const destroyed: string[] = [];
	const body = { destroy: () => destroyed.push('body') };
	expect(await isRefused(async () => await Promise.resolve({ statusCode, body }))).toBe(refused);
	expect(destroyed).toEqual(['body']);
	expect(await isRefused(async () => await Promise.resolve({ statusCode, body: 'text' }))).toBe(
		refused,
	);
});

it('no response, and none that can be read, are none', async () => {
	expect(await isRefused(async () => await Promise.resolve('text'))).toBe(false);
	expect(await isRefused(async () => await Promise.reject(new Error('reset')))).toBe(false);
});

it('a server that does not respond is given up', async () => {
	const clock = new VirtualClock();
	const { result } = await clock.run(isRefused(async () => await new Promise(() => {}), clock));
	expect(result).toBe(false);
});
