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

const warnings: string[] = [];
const rejections: unknown[] = [];
const note = (reason: unknown) => void rejections.push(reason);

function contextWith(getResponseObject: () => unknown): IWebhookFunctions {
	const context: Partial<IWebhookFunctions> = Object.assign(Object.create(null), {
		getResponseObject,
		logger: { warn: (text: string) => warnings.push(text) },
	});
	return Object.assign(Object.create(null), context);
}

function observe(response: unknown, clock: VirtualClock): boolean[] {
	const told: boolean[] = [];
	afterTakeOver(
		contextWith(() => response),
		clock,
		(isTakenOver) => told.push(isTakenOver),
	);
	return told;
}

beforeEach(() => {
	warnings.length = 0;
	rejections.length = 0;
	process.on('unhandledRejection', note);
});
afterEach(async () => {
	await new Promise(setImmediate);
	process.off('unhandledRejection', note);
	expect(rejections).toEqual([]);
});

it.each([
	[200, true],
	[204, true],
	[404, false],
	[500, false],
])('an answer of %s: %s', async (status, isTakenOver) => {
	const response = new Response();
	const told = observe(response, new VirtualClock());
	await settle();
	expect(told).toEqual([]);
	response.end(status);
	await settle();
	expect(told).toEqual([isTakenOver]);
});

it('is told at once when n8n has answered already', async () => {
	const response = new Response();
	response.end(200);
	const told = observe(response, new VirtualClock());
	await settle();
	expect(told).toEqual([true]);
});

it('waits for n8n when the sender hangs up', async () => {
	const response = new Response();
	const clock = new VirtualClock();
	const told = observe(response, clock);
	await settle();
	response.hangUp();
	await clock.run(clock.elapse(5_000));
	expect(told).toEqual([]);
	response.end(200);
	await clock.run(clock.elapse(1_000));
	expect(told).toEqual([true]);
});

it.each(['stays open', 'is gone'])(
	'is told as not taken over when n8n never answers and the sender %s',
	async (which) => {
		const response = new Response();
		const clock = new VirtualClock();
		const told = observe(response, clock);
		await settle();
		if (which === 'is gone') response.hangUp();
		await clock.run(clock.elapse(TAKE_OVER_MS + 1_000));
		expect(told).toEqual([false]);
		expect(clock.asleep).toBe(0);
	},
);

it('is told as not taken over when n8n gives no response object', async () => {
	const told: boolean[] = [];
	const context = contextWith(() => {
		throw new Error('Response is missing');
	});
	afterTakeOver(context, new VirtualClock(), (isTakenOver) => told.push(isTakenOver));
	await settle();
	expect(told).toEqual([false]);
	expect(warnings.join()).toContain('Response is missing');
});

it('leaves no rejection behind when the one that is told fails', async () => {
	const response = new Response();
	response.end(200);
	const context = contextWith(() => response);
	afterTakeOver(context, new VirtualClock(), () => {
		throw new Error('The static data are gone');
	});
	await settle();
	expect(warnings.join()).toContain('The static data are gone');
});
