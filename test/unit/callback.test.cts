/** Callbacks: what one says, which runs it has started, which one waits for another, and whether n8n took it over. */
import { EventEmitter } from 'node:events';
import type { IWebhookFunctions } from 'n8n-workflow';

import { deduplicationOf, REMEMBERED_TRIGGERS } from '../../nodes/SeedanceTrigger/deduplication';
import {
	bodyOf,
	callbackStateIn,
	loggedId,
	shapeOf,
	taskIdsIn,
} from '../../nodes/shared/callback/body';
import { KeyedMutex } from '../../nodes/shared/n8n/keyedMutex';
import { onRunStarted, RUN_START_TIMEOUT_MS } from '../../nodes/shared/callback/respond';
import bodies from '../fixtures/callbackBodies.json';
import * as fc from '../support/fastCheck.cjs';
import { flushPromises, VirtualClock } from './virtualClock.cjs';

const text = '{"task_id":"seed1","status":"SUCCESS"}';

/** A callback with a body as n8n has parsed it, and its bytes. */
const hookOf = (body: unknown, rawBody: unknown): IWebhookFunctions =>
	Object.assign(Object.create(null), {
		getBodyData: () => body,
		getRequestObject: () => ({ rawBody }),
	});

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

	describe('with more digits than a number of JavaScript holds', () => {
		const ID = '9007199254740993123';
		const JSON_TEXT = `{"code":200,"data":{"task_id":${ID},"status":"SUCCESS"}}`;
		const idsOf = (body: unknown, rawBody?: unknown) =>
			taskIdsIn(bodyOf(hookOf(body, rawBody)), {});

		it.each<[string, unknown]>([
			['a text', JSON_TEXT],
			['bytes', Buffer.from(JSON_TEXT)],
			['a text inside of JSON', { payload: JSON_TEXT }],
			['JSON that is encoded once more', JSON.stringify(JSON_TEXT)],
		])('stays whole in %s', (_, body) => {
			expect(taskIdsIn(body, {})).toEqual([ID]);
		});

		it('is taken from the bytes where n8n has rounded it', () => {
			const rounded: unknown = JSON.parse(JSON_TEXT);
			expect(idsOf(rounded, Buffer.from(JSON_TEXT))).toEqual([ID]);
			expect(idsOf(rounded)).toEqual(['9007199254740993000']);
		});

		it.each<[string, unknown, string]>([
			['are no JSON', { task_id: 'seed1' }, 'task_id=seed2'],
			['only begin like JSON', { task_id: 'seed1' }, '["task_id=seed2'],
			['name no task', { task_id: 'seed1' }, '{"a":1}'],
		])('is taken from what n8n has read where the bytes %s', (_, body, bytes) => {
			expect(idsOf(body, Buffer.from(bytes))).toEqual(['seed1']);
		});
	});

	it('is searched for in any body without an error, and in bounded time', () => {
		fc.assert(
			fc.property(fc.oneof(fc.anything(), fc.json(), fc.string(), fc.uint8Array()), (body) => {
				expect(taskIdsIn(body, {}).length).toBeLessThanOrEqual(3);
				expect(['ended', 'running', 'nothing']).toContain(callbackStateIn(body));
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
		expect(callbackStateIn(body)).toBe(claim);
	},
);

describe('the shape of a body', () => {
	it.each<unknown[]>([
		...bodies.shapes,
		[undefined, 'nothing'],
		[Buffer.from([1, 2, 3]), '3 bytes'],
		[Buffer.from('{"a":null}'), '{ a: null }'],
	])('%j is reported as "%s"', (body, shape) => {
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
	const hasEach = (deliveries: ReturnType<typeof deduplicationOf>, at = 0) =>
		['noVideo', 'succeeded', 'failed'].map((outcome) => deliveries.has('seed1', outcome, at));
	const NONE = [false, false, false];

	it('are all outcomes while a run waits for the video, then what it has given out', () => {
		const deliveries = deduplicationOf('waits', {});
		deliveries.awaitVideo('seed1', 45_000);
		expect(hasEach(deliveries, 44_999)).toEqual([true, true, true]);
		expect(hasEach(deliveries, 45_001)).toEqual(NONE);
		expect(deliveries.has('seed2', 'succeeded', 0)).toBe(false);
		deduplicationOf('waits', {}).confirmVideo('seed1', 'failed');
		expect(hasEach(deliveries)).toEqual([false, false, true]);
	});

	it('are none of a run that was not started, or that no callback of this memory started', () => {
		const deliveries = deduplicationOf('not started', {});
		deliveries.confirmVideo('seed1', 'succeeded');
		expect(hasEach(deliveries)).toEqual(NONE);
		deliveries.add('seed1', 'noVideo');
		deliveries.awaitVideo('seed1', 60_000);
		deliveries.rollback('seed1', 'noVideo');
		expect(hasEach(deliveries)).toEqual(NONE);
	});

	it('are saved for another request only when its run was started', () => {
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

	it('are those of so many triggers, and of each that has a callback in flight', () => {
		const busy = deduplicationOf('busy', {});
		const lock = busy.acquire('seed1');
		busy.add('seed1', 'succeeded');
		deduplicationOf('idle', {}).add('seed1', 'succeeded');
		for (let count = 0; count < REMEMBERED_TRIGGERS; count++) deduplicationOf(`no. ${count}`, {});
		expect(deduplicationOf('idle', {}).has('seed1', 'succeeded', 0)).toBe(false);
		expect(deduplicationOf('busy', {}).has('seed1', 'succeeded', 0)).toBe(true);
		lock.release();
	});
});

describe('a mutex per key', () => {
	it('lets the first go on at once, the next when it is released, and another key always', async () => {
		const mutex = new KeyedMutex();
		const clock = new VirtualClock();
		const [first, second, third] = ['a', 'a', 'a'].map((key) => mutex.acquire(key));
		expect(await first.waitUntilHeld(1_000, clock)).toBe(true);
		expect(await mutex.acquire('b').waitUntilHeld(1_000, clock)).toBe(true);
		// One that gives up after its time does not let those behind it go on before the first.
		expect(await clock.run(second.waitUntilHeld(1_000, clock))).toMatchObject({ result: false });
		second.release();
		const isHeld = jest.fn();
		void third.waitUntilHeld(60_000, clock).then(isHeld);
		await flushPromises();
		expect(isHeld).not.toHaveBeenCalled();
		first.release();
		await flushPromises();
		expect(isHeld).toHaveBeenCalledWith(true);
	});

	it('remembers no key that nobody holds or waits for', async () => {
		const mutex = new KeyedMutex();
		const locks = Array.from({ length: 300 }, (_, index) => mutex.acquire(`key ${index % 100}`));
		expect(mutex.size).toBe(100);
		for (const lock of [...locks, ...locks]) lock.release();
		await flushPromises();
		expect(mutex.size).toBe(0);
	});
});

describe('whether n8n took a callback over', () => {
	const connection = () =>
		Object.assign(new EventEmitter(), { closed: false, writableEnded: false, statusCode: 200 });
	type Connection = ReturnType<typeof connection>;

	/** The sender is gone. */
	function hangUp(response: Connection): void {
		response.closed = true;
		response.emit('close');
	}

	/** n8n's response, and the end of the connection. */
	function end(response: Connection, statusCode: number): void {
		Object.assign(response, { statusCode, writableEnded: true });
		hangUp(response);
	}

	/** Waits for n8n's response; `onResult` gets it. */
	async function observe(getResponseObject: () => unknown, onResult = (_: boolean) => {}) {
		const clock = new VirtualClock();
		const results = jest.fn(onResult);
		const logger = { warn: jest.fn() };
		const context = { getResponseObject, logger } as unknown as IWebhookFunctions;
		onRunStarted(context, clock, results);
		await flushPromises();
		return { clock, results, warn: logger.warn };
	}
	const failing = (text: string) => () => {
		throw new Error(text);
	};

	it.each([
		[200, true],
		[204, true],
		[404, false],
		[500, false],
	])('with %s is taken over: %s, also one given already', async (status, isTakenOver) => {
		const response = connection();
		const { results } = await observe(() => response);
		expect(results).not.toHaveBeenCalled();
		end(response, status);
		await flushPromises();
		expect(results.mock.calls).toEqual([[isTakenOver]]);
		expect((await observe(() => response)).results.mock.calls).toEqual([[isTakenOver]]);
	});

	it('is awaited when the sender hangs up', async () => {
		const response = connection();
		const { clock, results } = await observe(() => response);
		hangUp(response);
		await clock.run(clock.elapse(5_000));
		expect(results).not.toHaveBeenCalled();
		end(response, 200);
		await clock.run(clock.elapse(1_000));
		expect(results.mock.calls).toEqual([[true]]);
	});

	it.each(['there', 'gone'])('is not taken over without response, sender %s', async (which) => {
		const response = connection();
		const { clock, results } = await observe(() => response);
		if (which === 'gone') hangUp(response);
		await clock.run(clock.elapse(RUN_START_TIMEOUT_MS + 1_000));
		expect(results.mock.calls).toEqual([[false]]);
		expect(clock.asleep).toBe(0);
	});

	it('is not taken over without a response object, and leaves no rejection behind', async () => {
		const rejected = jest.fn();
		process.on('unhandledRejection', rejected);
		const missing = await observe(failing('Response is missing'));
		expect(missing.results.mock.calls).toEqual([[false]]);
		expect(missing.warn.mock.calls.join()).toContain('Response is missing');
		const response = connection();
		end(response, 200);
		const { warn } = await observe(() => response, failing('The static data are gone'));
		expect(warn.mock.calls.join()).toContain('The static data are gone');
		await flushPromises();
		process.off('unhandledRejection', rejected);
		expect(rejected).not.toHaveBeenCalled();
	});
});
