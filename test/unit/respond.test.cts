/** How one learns whether n8n took over what a callback's answer promised: told once, in bounded time, without a rejection. */
import { EventEmitter } from 'node:events';
import type { IWebhookFunctions } from 'n8n-workflow';

import { afterTakeOver, TAKE_OVER_MS } from '../../nodes/shared/callback/respond';
import { flushPromises, VirtualClock } from './virtualClock.cjs';

const connection = () =>
	Object.assign(new EventEmitter(), { closed: false, writableEnded: false, statusCode: 200 });
type Connection = ReturnType<typeof connection>;

/** The sender is gone. */
function hangUp(response: Connection): void {
	response.closed = true;
	response.emit('close');
}

/** n8n's answer, and the end of the connection. */
function end(response: Connection, statusCode: number): void {
	Object.assign(response, { statusCode, writableEnded: true });
	hangUp(response);
}

const rejections: unknown[] = [];
const note = (reason: unknown) => void rejections.push(reason);
beforeEach(() => {
	process.on('unhandledRejection', note);
});
afterEach(async () => {
	await new Promise(setImmediate);
	process.off('unhandledRejection', note);
	expect(rejections).toEqual([]);
});

/** Waits for n8n's answer; `tell` is told of it. */
async function observe(getResponseObject: () => unknown, tell?: () => void) {
	const clock = new VirtualClock();
	const told: boolean[] = [];
	const warnings: string[] = [];
	const logger = { warn: (text: string) => warnings.push(text) };
	const context = { getResponseObject, logger } as unknown as IWebhookFunctions;
	afterTakeOver(context, clock, (isTakenOver) => {
		tell?.();
		told.push(isTakenOver);
	});
	await flushPromises();
	return { clock, told, warnings };
}

it.each([
	[200, true],
	[204, true],
	[404, false],
	[500, false],
])('an answer of %s is taken over: %s, also one given already', async (status, isTakenOver) => {
	const response = connection();
	const { told } = await observe(() => response);
	expect(told).toEqual([]);
	end(response, status);
	await flushPromises();
	expect(told).toEqual([isTakenOver]);
	expect((await observe(() => response)).told).toEqual([isTakenOver]);
});

it('waits for n8n when the sender hangs up', async () => {
	const response = connection();
	const { clock, told } = await observe(() => response);
	hangUp(response);
	await clock.run(clock.elapse(5_000));
	expect(told).toEqual([]);
	end(response, 200);
	await clock.run(clock.elapse(1_000));
	expect(told).toEqual([true]);
});

it.each(['there', 'gone'])('is not taken over without answer, sender %s', async (which) => {
	const response = connection();
	const { clock, told } = await observe(() => response);
	if (which === 'gone') hangUp(response);
	await clock.run(clock.elapse(TAKE_OVER_MS + 1_000));
	expect(told).toEqual([false]);
	expect(clock.asleep).toBe(0);
});

it('is not taken over when n8n gives no response object', async () => {
	const { told, warnings } = await observe(() => {
		throw new Error('Response is missing');
	});
	expect(told).toEqual([false]);
	expect(warnings.join()).toContain('Response is missing');
});

it('leaves no rejection behind when the one that is told fails', async () => {
	const response = connection();
	end(response, 200);
	const { warnings } = await observe(
		() => response,
		() => {
			throw new Error('The static data are gone');
		},
	);
	expect(warnings.join()).toContain('The static data are gone');
});
