/** What a callback says, in whatever way it is packed: which task it means, whether that has ended, and its shape. */
import * as fc from 'fast-check';

import { claimIn, loggedId, shapeOf, taskIdsIn } from '../../nodes/shared/callback/body';
import bodies from '../fixtures/callbackBodies.json';

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
