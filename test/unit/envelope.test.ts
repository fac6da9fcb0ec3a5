/** What an answer of the API says, in every shape that the contract and its notes name. */
import * as fc from 'fast-check';

import {
	dataOf,
	failureOf,
	isSuccess,
	parseBody,
	reasonIn,
	taskIdOf,
} from '../../nodes/shared/api/envelope';
import { firewallCodeOf } from '../../nodes/shared/api/firewall';
import { firewall, reasons } from '../fixtures/answers.json';

const ID = 'seed15abc123def456pro';
const LONG = '12345678901234567891';
const KEY = 'sk-seedance-0123456789';
const ASKED = { apiKey: KEY, baseUrl: 'https://seedanceapi.org/v1', nowMs: 1_000_000 };

const failed = (status: number, body: unknown, headers = {}) =>
	failureOf({ status, headers, body }, ASKED);

describe('a body', () => {
	it('is parsed where it is JSON, from text and from bytes', () => {
		expect(parseBody('{"code":200}')).toEqual({ code: 200 });
		expect(parseBody(Buffer.from('{"code":200}'))).toEqual({ code: 200 });
	});

	it.each([
		'',
		'<html></html>',
		'{"code":200,"data":{"task',
		'plain',
		undefined,
		null,
		1,
		{ a: 1 },
	])('stays what it is where it is no JSON: %j', (body) => {
		expect(parseBody(body)).toEqual(body);
	});

	it.each(['task_id', 'taskId', 'taskid', 'TASK_ID', 'id'])(
		'keeps each digit of an ID that JavaScript would round: %s',
		(name) => {
			const data = { [name]: LONG, status: 'x' };
			expect(parseBody(`{"data": {"${name}" : ${LONG}, "status": "x"}}`)).toEqual({ data });
			expect(parseBody(`{"${name}":-${LONG}}`)).toEqual({ [name]: `-${LONG}` });
		},
	);

	it('keeps short IDs, other long numbers, and texts that only look like IDs', () => {
		const body = { task_id: 123456789012345, credits: 28, note: `"task_id": ${LONG}` };
		expect(parseBody(JSON.stringify(body))).toEqual(body);
		const decimal = { task_id: 1.2345678901234567 };
		expect(parseBody('{"task_id": 1.2345678901234567891}')).toEqual(decimal);
	});

	it.each([{}, { data: null }, { data: [1] }, { data: 'x' }, [], 'x', null, undefined])(
		'gives its `data`, and nothing where there is none: %j',
		(body) => {
			expect(dataOf({ data: { a: 1 } })).toEqual({ a: 1 });
			expect(dataOf(body)).toEqual({});
		},
	);
});

describe('the ID of a task', () => {
	it.each<[string, (task: object) => unknown]>([
		['in the data', (task) => ({ code: 200, data: task })],
		['beside empty data', (task) => ({ code: 200, data: null, ...task })],
		['at the top', (task) => task],
		['in the task of the data', (task) => ({ data: { task } })],
		['in the task', (task) => ({ task })],
		['in the result', (task) => ({ result: task })],
		['in the first of a list', (task) => ({ data: [task] })],
		['in a list at the top', (task) => [task]],
	])('is found %s, under each name, in any form', (_place, wrap) => {
		for (const name of ['task_id', 'taskId', 'id']) {
			for (const id of [ID, 'a/b:c', 'sèed 15', '任務-1', 'seed🙂', 'x'.repeat(300)]) {
				expect(taskIdOf(wrap({ [name]: id }))).toBe(id);
			}
			expect(taskIdOf(wrap({ [name]: 42 }))).toBe('42');
			const long = JSON.stringify(wrap({ [name]: 'LONG' })).replace('"LONG"', LONG);
			expect(taskIdOf(parseBody(long))).toBe(LONG);
		}
	});

	it.each([
		// The one that is called so comes before any other ID, and that of the data first.
		{ id: 'request', data: { id: 'row', task_id: ID } },
		{ task_id: 'outer', data: { task_id: ID } },
		{ id: 'request', data: { task: { id: ID } } },
		{ id: 'request', task_id: ID },
		// Forms that nobody has listed.
		{ data: { taskID: ID } },
		{ data: { TASK_ID: ID } },
		{ data: { 'task-id': ID } },
		{ data: ID },
	])('is found in %j', (body) => {
		expect(taskIdOf(body)).toBe(ID);
	});

	it.each([
		...[{}, { data: {} }, { data: { task_id: '' } }, { data: { task_id: {} } }, [], 'x', null],
		...['success', 'Created at 10:30', '', { subtask_id: 's1' }].map((data) => ({ data })),
		// The request that the API repeats.
		{ data: { request: { task_id: 'old', id: 'old' } } },
	])('is not made up: %j', (body) => {
		expect(taskIdOf(body)).toBeUndefined();
	});

	it.each([
		[{ code: 500, data: { taskId: ID } }, ID],
		[{ code: 500, task_id: ID }, ID],
		[{ code: 500, data: { task: { task_id: ID } } }, ID],
		[{ id: 'request-1', data: { id: 'request-1' } }, undefined],
	])(
		'is kept where the answer is no success, unless it may be that of the request: %j',
		(body, id) => {
			expect(failed(500, body).taskId).toBe(id);
		},
	);
});

it.each<[boolean, number, unknown[]]>([
	[true, 200, [{ code: 200 }, { code: '200' }, {}, { code: null }]],
	[true, 201, [{ code: 200 }]],
	[false, 200, [{ code: 500 }, { code: 0 }, { code: 'SUCCESS' }, { code: true }, 'text', [], null]],
	[false, 500, [{ code: 200 }]],
	[false, 302, [{ code: 200 }]],
	[false, 199, [{}]],
	[false, 0, [{ code: 200 }]],
])('a success is told by status and code: %p for HTTP %i with %j', (expected, status, bodies) => {
	const found = bodies.map((body) => isSuccess({ status, headers: {}, body }));
	expect(found).toEqual(bodies.map(() => expected));
});

describe('the cause of an answer that is no success', () => {
	it.each([
		['INVALID_PROMPT', 'invalid_request'],
		['INVALID_ASPECT_RATIO', 'invalid_request'],
		['INVALID_RESOLUTION', 'invalid_request'],
		['INVALID_DURATION', 'invalid_request'],
		['TOO_MANY_IMAGES', 'invalid_request'],
		['INVALID_API_KEY', 'invalid_api_key'],
		['INSUFFICIENT_CREDITS', 'out_of_credits'],
		['TASK_NOT_FOUND', 'task_not_found'],
		['INTERNAL_ERROR', 'server_error'],
	])('is by its string code, wherever that stands: %s', (code, cause) => {
		const bodies = [
			...[{ code }, { code: ` ${code.toLowerCase()} ` }, { error: code }, { error: { code } }],
			...[{ data: { code } }, { code: 999, error: { code } }],
		];
		for (const body of bodies) {
			expect([failed(418, body).cause, failed(200, body).cause]).toEqual([cause, cause]);
		}
	});

	it.each([
		[301, 'redirected', 'redirected'],
		[308, 'redirected', 'redirected'],
		[400, 'invalid_request', 'refused'],
		[401, 'invalid_api_key', 'invalid_api_key'],
		[402, 'out_of_credits', 'out_of_credits'],
		[403, 'forbidden', 'forbidden'],
		[404, 'task_not_found', 'refused'],
		[405, 'refused', 'refused'],
		[408, 'no_answer', 'no_answer'],
		[409, 'refused', 'refused'],
		[413, 'refused', 'refused'],
		[422, 'invalid_request', 'refused'],
		[429, 'rate_limited', 'rate_limited'],
		[500, 'server_error', 'server_error'],
		[503, 'server_error', 'server_error'],
		[524, 'server_error', 'server_error'],
	])(
		'is by number, in the body or as HTTP status: %i is %s, of a web page %s',
		(number, cause, ofPage) => {
			const places = [{ code: number }, { code: String(number) }, { error: { code: number } }];
			for (const body of places) expect(failed(200, body).cause).toBe(cause);
			expect(failed(number, {})).toMatchObject({ cause, isApi: true, httpStatus: number });
			const page = failed(number, '<!DOCTYPE html><html><body>nginx</body></html>');
			expect(page).toMatchObject({ cause: ofPage, isApi: false, httpStatus: number, text: '' });
		},
	);

	it.each([
		// By the string code first, then the number in the body, then the HTTP status.
		[500, { code: 402, error: 'INVALID_API_KEY' }, 'invalid_api_key'],
		[500, { code: 402 }, 'out_of_credits'],
		[402, { code: 'SOMETHING_NEW' }, 'out_of_credits'],
		// Where nothing says more.
		[200, { code: 200 }, 'unreadable'],
		[201, 'text', 'unreadable'],
		[0, { code: 200 }, 'unreadable'],
		// The firewall of the vendor is neither the API nor any other refusal.
		[403, 'error code: 1010', 'firewall'],
		[403, { cloudflare_error: true, error_code: 1010, title: 'Access denied' }, 'firewall'],
		[429, 'error code: 1015', 'rate_limited'],
	])('of HTTP %i with %j is %s', (status, body, cause) => {
		expect(failed(status, body).cause).toBe(cause);
		if (cause === 'firewall') expect(failed(status, body).isApi).toBe(false);
	});

	it('is always one, whatever came', () => {
		const headers = fc.dictionary(fc.string(), fc.string());
		fc.assert(
			fc.property(fc.nat(999), fc.jsonValue(), headers, (status, body, more) => {
				expect(failed(status, body, more).cause).toMatch(/^[a-z_]+$/);
			}),
		);
	});
});

describe("the vendor's firewall", () => {
	it.each<unknown[]>(firewall.told)('is told by %j, with its code: %j', (body, code) => {
		expect(firewallCodeOf(403, body)).toBe(code);
	});

	it.each<unknown[]>([...firewall.other, [403, undefined]])('is not HTTP %i %j', (status, body) => {
		expect(firewallCodeOf(Number(status), body)).toBeUndefined();
	});
});

describe('the reason in words', () => {
	it.each(reasons)('is found in %j', (body) => {
		expect(failed(400, body).text).toBe('why');
	});

	it.each<unknown[]>([
		// A bare code where there are no words.
		[{ error: 'NSFW_CONTENT' }, 'NSFW_CONTENT'],
		// One line, no HTML, no key.
		[{ message: `a\n<b>b</b> ${KEY}` }, 'a b ***'],
		['upstream timed out', 'upstream timed out'],
		['<html><body>x</body></html>', ''],
		...[{ message: 'success' }, { msg: 'OK' }, {}, { message: '' }, { message: {} }, [], null].map(
			(body) => [body, ''],
		),
	])('of %j is %j', (body, text) => {
		expect(failed(400, body).text).toBe(text);
	});

	it('is not searched for without an end', () => {
		const deep = { error: { error: { error: { error: { error: { message: 'too deep' } } } } } };
		expect(reasonIn(deep)).toBeUndefined();
	});
});

describe('what else an answer tells', () => {
	it.each([
		['7', 7_000],
		['0', 0],
		['-3', 0],
		[12, 12_000],
		[new Date(1_031_000).toUTCString(), 31_000],
		[new Date(0).toUTCString(), 0],
		['soon', undefined],
		['', undefined],
		[undefined, undefined],
		['Infinity', undefined],
	])('the time to wait, of Retry-After %p', (header, ms) => {
		expect(failed(429, {}, { 'retry-after': header }).retryAfterMs).toBe(ms);
	});

	it.each([
		['https://www.example.com/v1/generate?key=1', 'https://www.example.com'],
		['/login', 'https://seedanceapi.org'],
		['//other.example.com/x', 'https://other.example.com'],
		['https://', undefined],
		['mailto:a@example.com', undefined],
		['', undefined],
		[undefined, undefined],
	])('where a redirect points, without path and query: %p', (location, origin) => {
		expect(failed(302, '', { location }).location).toBe(origin);
	});
});
