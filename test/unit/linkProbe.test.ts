/** Whether the link of a video is dead: only a server that refuses it says so. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { linkIsDead } from '../../nodes/shared/api/linkProbe';
import { VirtualClock } from './virtualClock.cjs';

const LINK = 'https://cdn.example.com/video.mp4';
const isDead = async (httpRequest: () => Promise<unknown>, clock = new VirtualClock()) => {
	const context = { helpers: { httpRequest } } as unknown as IExecuteFunctions;
	return await linkIsDead(context, LINK, clock);
};

it.each([
	[403, true],
	[404, true],
	[410, true],
	[206, false],
	[500, false],
	[undefined, false],
])('a response %p: %p', async (statusCode, dead) => {
	const destroyed: string[] = [];
	const body = { destroy: () => destroyed.push('body') };
	expect(await isDead(async () => await Promise.resolve({ statusCode, body }))).toBe(dead);
	expect(destroyed).toEqual(['body']);
	expect(await isDead(async () => await Promise.resolve({ statusCode, body: 'text' }))).toBe(dead);
});

it('no response, and none that can be read, are none', async () => {
	expect(await isDead(async () => await Promise.resolve('text'))).toBe(false);
	expect(await isDead(async () => await Promise.reject(new Error('reset')))).toBe(false);
});

it('a server that does not respond is given up', async () => {
	const clock = new VirtualClock();
	const { result } = await clock.run(isDead(async () => await new Promise(() => {}), clock));
	expect(result).toBe(false);
});
