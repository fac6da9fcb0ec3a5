/** How one learns whether n8n took over what a callback's answer promised: told once, in bounded time, without a rejection. */
import { EventEmitter } from 'node:events';
import type { IWebhookFunctions } from 'n8n-workflow';

import { afterTakeOver, TAKE_OVER_MS } from '../../nodes/shared/callback/respond';
import { settle, VirtualClock } from './virtualClock';

class Response extends EventEmitter {
	closed = false;

	writableEnded = false;

	statusCode = 200;

	/** n8n's answer, and the end of the connection. */
	end(statusCode: number): void {
		this.statusCode = statusCode;
		this.writableEnded = true;
		this.hangUp();
	}

	/** The sender is gone. */
	hangUp(): void {
		this.closed = true;
		this.emit('close');
	}
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
	await settle();
	return { clock, told, warnings };
}

it.each([
	[200, true],
	[204, true],
	[404, false],
	[500, false],
])(
	'an answer of %s is taken over: %s, also where n8n has given it already',
	async (status, isTakenOver) => {
		const response = new Response();
		const { told } = await observe(() => response);
		expect(told).toEqual([]);
		response.end(status);
		await settle();
		expect(told).toEqual([isTakenOver]);
		expect((await observe(() => response)).told).toEqual([isTakenOver]);
	},
);

it('waits for n8n when the sender hangs up', async () => {
	const response = new Response();
	const { clock, told } = await observe(() => response);
	response.hangUp();
	await clock.run(clock.elapse(5_000));
	expect(told).toEqual([]);
	response.end(200);
	await clock.run(clock.elapse(1_000));
	expect(told).toEqual([true]);
});

it.each(['stays open', 'is gone'])(
	'is not taken over when n8n never answers and the sender %s',
	async (which) => {
		const response = new Response();
		const { clock, told } = await observe(() => response);
		if (which === 'is gone') response.hangUp();
		await clock.run(clock.elapse(TAKE_OVER_MS + 1_000));
		expect(told).toEqual([false]);
		expect(clock.asleep).toBe(0);
	},
);

it('is not taken over when n8n gives no response object', async () => {
	const { told, warnings } = await observe(() => {
		throw new Error('Response is missing');
	});
	expect(told).toEqual([false]);
	expect(warnings.join()).toContain('Response is missing');
});

it('leaves no rejection behind when the one that is told fails', async () => {
	const response = new Response();
	response.end(200);
	const { warnings } = await observe(
		() => response,
		() => {
			throw new Error('The static data are gone');
		},
	);
	expect(warnings.join()).toContain('The static data are gone');
});
