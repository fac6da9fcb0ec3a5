/** What a callback says, in whatever way it is packed: which task it means, whether that has ended, what it looks like. */
import * as fc from 'fast-check';

import { claimIn, loggedId, shapeOf, taskIdsIn } from '../../nodes/shared/callback/body';

const said = { task_id: 'seed1', status: 'SUCCESS' };
const text = JSON.stringify(said);

describe('the task that a callback means', () => {
	it.each<[string, unknown]>([
		['the whole status answer', { code: 200, data: said }],
		['its data', said],
		["a neighbour's body", { code: 200, msg: 'success', data: { taskId: 'seed1' } }],
		['data written as a text', { data: text }],
		['a payload written as a text', { payload: text }],
		['a body written as a text', text],
		['a text of a text', JSON.stringify(text)],
		['data that is a text of a text', { data: JSON.stringify(text) }],
		['a text behind a byte order mark', `\uFEFF${text}`],
		['a text with blanks around it', `\n  ${text}\n`],
		['bytes', Buffer.from(text)],
		['bytes behind a byte order mark', Buffer.from(`\uFEFF${text}`)],
		['a form', 'task_id=seed1&status=SUCCESS'],
		['a form as bytes', Buffer.from('status=SUCCESS&task_id=seed1')],
		['a form whose field holds the JSON', `payload=${encodeURIComponent(text)}`],
		['a form in a field', { payload: 'status=SUCCESS&task_id=seed1' }],
		['JSON in the place of a field’s name', { [text]: '' }],
		['multipart fields', { data: { task_id: 'seed1' }, files: {} }],
		['JSON in a multipart field', { data: { payload: text }, files: {} }],
		['something two levels deep', { payload: { data: said } }],
		['something three levels deep', { event: { payload: { task: said } } }],
		['a list', [said]],
		['a list in its data', { data: [{ taskId: 'seed1' }] }],
		['a list of texts', [text]],
		['a list in a text', JSON.stringify([{ event: 'end' }, { data: said }])],
		['a body that an XML reader made', { callback: { taskid: 'seed1', status: 'success' } }],
		['XML that nobody has read', '<r><task_id>seed1</task_id></r>'],
		['JSON that was cut', '{"code":200,"data":{"task_id":"seed1","sta'],
		['a line of text', 'Task ID: seed1 has ended'],
		['an id alone', 'seed-1234'],
		['another spelling', { 'Task-Id': 'seed1' }],
		['capitals', { TASK_ID: 'seed1' }],
		['a list of one value', { task_id: ['seed1'] }],
		['a plain id', { id: 'seed1' }],
		['a plain id in data', { event: 'video.end', data: { id: 'seed1' } }],
	])('is found in %s', (_, body) => {
		expect(taskIdsIn(body, {})).toEqual([body === 'seed-1234' ? body : 'seed1']);
	});

	it.each<[string, unknown]>([
		['a body without a task', {}],
		['no body', undefined],
		['a text that is no JSON', 'hello'],
		['bytes that are no text', Buffer.from([0xff, 0x00, 0x7f])],
	])('is found in the query beside %s', (_, body) => {
		expect(taskIdsIn(body, { task_id: 'seed1' })).toEqual(['seed1']);
		expect(taskIdsIn(body, { taskId: 'seed1' })).toEqual(['seed1']);
		expect(taskIdsIn(body, { task_id: ['seed1', 'seed1'] })).toEqual(['seed1']);
	});

	it('is the one in the body before the one in the query', () => {
		expect(taskIdsIn({ id: 'event9', data: { task_id: 'seed1' } }, { task_id: 'seed2' })).toEqual([
			'seed1',
			'event9',
			'seed2',
		]);
	});

	it('is the one inside data before the one around it', () => {
		expect(taskIdsIn({ task_id: 'outer', data: { task_id: 'inner' } }, {})).toEqual([
			'inner',
			'outer',
		]);
	});

	it('may be a number', () => {
		expect(taskIdsIn({ task_id: 17 }, {})).toEqual(['17']);
	});

	it('is nothing for what cannot be an id', () => {
		for (const task_id of [
			{},
			[],
			null,
			true,
			'',
			' ',
			'{{ $json.id }}',
			'a\u0000b',
			'\u001b[1m',
		]) {
			expect(taskIdsIn({ task_id }, {})).toEqual([]);
		}
		for (const body of [[], null, 5, 'hello', 'a=b', '"', '{', '<a>']) {
			expect(taskIdsIn(body, {})).toEqual([]);
		}
	});

	it('is one of at most three', () => {
		const body = { task_id: '1', taskId: '2', id: '3' };
		expect(taskIdsIn(body, { task_id: '4' })).toHaveLength(3);
	});

	it('is looked for in any body without an error, and in bounded time', () => {
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

describe('what a callback claims', () => {
	it.each([
		[{ data: { status: 'SUCCESS' } }, 'ended'],
		[{ data: { status: 'failed' } }, 'ended'],
		[{ data: { state: 'success' } }, 'ended'],
		[{ data: { state: 'fail' } }, 'ended'],
		[{ data: { state: 'DONE' } }, 'ended'],
		[{ data: { state: 'finished' } }, 'ended'],
		[{ data: { state: 'succeed' } }, 'ended'],
		[{ data: { state: 'failure' } }, 'ended'],
		[{ data: { state: 'rejected' } }, 'ended'],
		[{ status: 'IN_PROGRESS', data: { status: 'COMPLETED' } }, 'ended'],
		[{ status: 'success', data: { task_id: 'seed1', status: 'IN_PROGRESS' } }, 'running'],
		[{ status: 'success', event: { task_id: 'seed1', status: 'QUEUED' } }, 'running'],
		[{ data: { status: 'IN_PROGRESS' } }, 'running'],
		[{ data: { state: 'generating' } }, 'running'],
		[{ data: { status: 'QUEUED' } }, 'running'],
		[{ status: 'ok' }, 'nothing'],
		[{ status: 200 }, 'nothing'],
		[{ data: {} }, 'nothing'],
		[undefined, 'nothing'],
		[{ status: { nested: 'SUCCESS' } }, 'nothing'],
	])('%j: %s', (body, claim) => {
		expect(claimIn(body)).toBe(claim);
	});
});

describe('the shape of a body', () => {
	it.each<[unknown, string]>([
		[undefined, 'nothing'],
		[{}, 'empty object'],
		[
			{ code: 200, data: { state: 'x', list: [{ a: 1 }] } },
			'{ code: number, data: { state: string, list: list of 1: object } }',
		],
		[Buffer.from([1, 2, 3]), '3 bytes'],
		[Buffer.from('{"a":null}'), '{ a: null }'],
		['hello', 'string'],
		[[1, 2], 'list of 2: number'],
	])('%j is told as "%s"', (body, shape) => {
		expect(shapeOf(body)).toBe(shape);
	});

	it('holds no value and no odd name, and is short', () => {
		const body = Object.fromEntries(
			Array.from({ length: 60 }, (_, index) => [`field${index}`, 'a private value']),
		);
		const shape = shapeOf({ ...body, 'a\nname': 1, '{"secret":1}': 1 });
		expect(shape).not.toMatch(/private|secret|\n/);
		expect(shape.length).toBeLessThan(320);
	});
});

describe('an id in the log', () => {
	it.each(['seed1', 'a:b.c-d_e', '17'])('stands there as it is: %s', (id) => {
		expect(loggedId(id)).toBe(id);
	});

	it.each(['a b', 'ü', 'x'.repeat(201), 'a\u2028b', 'seedance_sig=abc', 'https://a/b', '"'])(
		'is not shown when a sender could have made it up to be read: %j',
		(id) => {
			expect(loggedId(id)).toBe('with an odd ID');
		},
	);
});
