/** Callbacks: what one says, which runs it has started, who waits for whom, and whether n8n took it over. */
import { EventEmitter } from 'node:events';
import * as fc from 'fast-check';
import type { IWebhookFunctions } from 'n8n-workflow';

import { deduplicationOf, REMEMBERED_TRIGGERS } from '../../nodes/SeedanceTrigger/deduplication';
import { claimIn, loggedId, shapeOf, taskIdsIn } from '../../nodes/shared/callback/body';
import { KeyedMutex } from '../../nodes/shared/callback/keyedMutex';
import { afterTakeOver, TAKE_OVER_MS } from '../../nodes/shared/callback/respond';
import bodies from '../fixtures/callbackBodies.json';
import { flushPromises, VirtualClock } from './virtualClock.cjs';

const text = '{"task_id":"seed1","status":"SUCCESS"}';

describe('the task that a callback means', () => {
	it.each<[string, unknown]>([
		...Object.entries(bodies.meanSeed1),
		['bytes', Buffer.from(text)],
		['bytes behind a byte order mark', Buffer.from(`\uFEFF${text}`)],
		['a form as bytes', Buffer.from('status=SUCCESS&task_id=seed1')],
	])('is found in %s', (_, body) => {
		expect(taskIdsIn(body, {})).toEqual(['seed1']);
	});

	it.each([undefined, Buffer.from([0xff, 0x00, 0x7f])])(
		'is found in the query beside a body without one: %p',
		(body) => {
			expect(taskIdsIn(body, { task_id: 'seed1' })).toEqual(['seed1']);
		},
	);

	// The body comes before the query, and what is inside data before what is around it.
	it.each(bodies.ofSeveral)('is, of several, one of three at most: %j', ({ body, query, ids }) => {
		expect(taskIdsIn(body, query)).toEqual(ids);
	});

	it.each(bodies.noId)('is nothing for what cannot be an ID: %j', (body) => {
		expect(taskIdsIn(body, {})).toEqual([]);
	});

	it('is searched for in any body without an error, and in bounded time', () => {
		fc.assert(
			fc.property(fc.oneof(fc.anything(), fc.json(), fc.string(), fc.uint8Array()), (body) => {
				expect(taskIdsIn(body, {}).length).toBeLessThanOrEqual(3);
				expect(['ended', 'running', 'nothing']).toContain(claimIn(body));
				expect(typeof shapeOf(body)).toBe('string');
			}),
		);
		const wide = Array.from({ length: 100_000 }, () => ({ data: [{}, {}, {}] }));
		const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
		const start = Date.now();
		expect(taskIdsIn({ data: wide, payload: deep }, {})).toEqual([]);
		expect(Date.now() - start).toBeLessThan(500);
	});
});

it.each<unknown[]>([...bodies.claims, [undefined, 'nothing']])(
	'%j claims that the task has: %s',
	(body, claim) => {
		expect(claimIn(body)).toBe(claim);
	},
);

describe('the shape of a body', () => {
	it.each<unknown[]>([
		...bodies.shapes,
		[undefined, 'nothing'],
		[Buffer.from([1, 2, 3]), '3 bytes'],
		[Buffer.from('{"a":null}'), '{ a: null }'],
	])('%j is told as "%s"', (body, shape) => {
		expect(shapeOf(body)).toBe(shape);
	});

	it('holds no value and no odd name, and is short', () => {
		const many = Array.from({ length: 60 }, (_, index) => [`field${index}`, 'a private value']);
		const shape = shapeOf({ ...Object.fromEntries(many), 'a\nname': 1, '{"secret":1}': 1 });
		expect(shape).not.toMatch(/private|secret|\n/);
		expect(shape.length).toBeLessThan(320);
	});
});

it('an ID stands in the log as it is, but where a sender could have made it up to be read', () => {
	for (const id of ['seed1', 'a:b.c-d_e', '17']) expect(loggedId(id)).toBe(id);
	const odd = ['a b', 'ü', 'x'.repeat(201), 'a\u2028b', 'seedance_sig=abc', 'https://a/b', '"'];
	expect(new Set(odd.map(loggedId))).toEqual(new Set(['with an odd ID']));
});

describe('the events that a trigger remembers', () => {
	const MINUTE = 60_000;

	it('takes a run that waits for a video for every outcome, and for so long only', () => {
		const deliveries = deduplicationOf('waits', {});
		deliveries.awaitVideo('seed1', 45_000);
		expect(deliveries.has('seed1', 'succeeded', 44_999)).toBe(true);
		expect(deliveries.has('seed1', 'failed', 44_999)).toBe(true);
		expect(deliveries.has('seed2', 'succeeded', 0)).toBe(false);
		expect(deliveries.has('seed1', 'succeeded', 45_001)).toBe(false);
	});

	it('takes what that run has given out, and nothing else, once it has', () => {
		const deliveries = deduplicationOf('gives', {});
		deliveries.awaitVideo('seed1', MINUTE);
		deduplicationOf('gives', {}).confirmVideo('seed1', 'failed');
		expect(deliveries.has('seed1', 'failed', 0)).toBe(true);
		expect(deliveries.has('seed1', 'succeeded', 0)).toBe(false);
	});

	it('notes nothing for a run that no callback of this memory has started', () => {
		const deliveries = deduplicationOf('test run', {});
		deliveries.confirmVideo('seed1', 'succeeded');
		expect(deliveries.has('seed1', 'succeeded', 0)).toBe(false);
	});

	it('forgets an event and its wait when the run was not started', () => {
		const deliveries = deduplicationOf('not started', {});
		deliveries.add('seed1', 'noVideo');
		deliveries.awaitVideo('seed1', MINUTE);
		deliveries.rollback('seed1', 'noVideo');
		for (const outcome of ['noVideo', 'succeeded', 'failed']) {
			expect(deliveries.has('seed1', outcome, 0)).toBe(false);
		}
	});

	it('saves an event of another request only when its run was started', () => {
		const [mine, theirs] = [{ delivered: ['old:succeeded'] }, {}];
		const deliveries = deduplicationOf('saves', mine);
		const others = deduplicationOf('saves', theirs);
		others.add('seed2', 'succeeded');
		deliveries.add('seed1', 'succeeded');
		expect(mine.delivered).toEqual(['old:succeeded', 'seed1:succeeded']);
		others.confirm('seed2', 'succeeded');
		deliveries.write('seed1', 'succeeded');
		expect(mine.delivered).toEqual(['old:succeeded', 'seed2:succeeded', 'seed1:succeeded']);
	});

	it('remembers so many triggers, and drops none that has a callback under way', () => {
		const busy = deduplicationOf('busy', {});
		const lock = busy.acquire('seed1');
		busy.add('seed1', 'succeeded');
		deduplicationOf('idle', {}).add('seed1', 'succeeded');
		for (let index = 0; index < REMEMBERED_TRIGGERS; index++)
			deduplicationOf(`trigger ${index}`, {});
		expect(deduplicationOf('idle', {}).has('seed1', 'succeeded', 0)).toBe(false);
		expect(deduplicationOf('busy', {}).has('seed1', 'succeeded', 0)).toBe(true);
		lock.release();
	});
});

describe('a mutex per key', () => {
	it('lets the first of a key go on at once, and the next when it is released', async () => {
		const mutex = new KeyedMutex();
		const clock = new VirtualClock();
		const [first, second] = [mutex.acquire('a'), mutex.acquire('a')];
		expect(await first.isHeld(1_000, clock)).toBe(true);
		let isHeld = false;
		void second.isHeld(1_000, clock).then((held) => (isHeld = held));
		await flushPromises();
		expect(isHeld).toBe(false);
		first.release();
		await flushPromises();
		expect(isHeld).toBe(true);
	});

	it('does not make one key wait for another', async () => {
		const mutex = new KeyedMutex();
		mutex.acquire('a');
		expect(await mutex.acquire('b').isHeld(1_000, new VirtualClock())).toBe(true);
	});

	it('gives up after the time that was given, and leaves the turn to the ones behind', async () => {
		const mutex = new KeyedMutex();
		const clock = new VirtualClock();
		const first = mutex.acquire('a');
		const [second, third] = [mutex.acquire('a'), mutex.acquire('a')];
		expect(await clock.run(second.isHeld(1_000, clock))).toMatchObject({ result: false });
		second.release();
		let isHeld = false;
		void third.isHeld(60_000, clock).then((held) => (isHeld = held));
		await flushPromises();
		expect(isHeld).toBe(false);
		first.release();
		await flushPromises();
		expect(isHeld).toBe(true);
	});

	it('remembers no key that nobody holds or waits for', async () => {
		const mutex = new KeyedMutex();
		const locks = Array.from({ length: 300 }, (_, index) => mutex.acquire(`key ${index % 100}`));
		expect(mutex.size).toBe(100);
		for (const lock of locks) {
			lock.release();
			lock.release();
		}
		await flushPromises();
		expect(mutex.size).toBe(0);
	});
});

describe('what the answer of a callback promised', () => {
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
});
