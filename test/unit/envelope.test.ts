/** What an answer of the API says, in every shape that the contract and its notes name. */
import * as fc from 'fast-check';

import {
	dataOf,
	failureOf,
	isSuccess,
	parseBody,
	reasonIn,
	taskIdOf,
	type HttpResponse,
} from '../../nodes/shared/api/envelope';

const ID = 'seed15abc123def456pro';
const LONG = '12345678901234567891';
/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const ASKED = { apiKey: OWNER, baseUrl: 'https://seedanceapi.org/v1', nowMs: 1_000_000 };

const response = (
	status: number,
	body: unknown,
	headers: Record<string, unknown> = {},
): HttpResponse => ({ status, headers, body });

const failed = (status: number, body: unknown, headers: Record<string, unknown> = {}) =>
	failureOf(response(status, body, headers), ASKED);

describe('a body', () => {
	it('is parsed where it is JSON, from text and from bytes', () => {
		expect(parseBody('{"code":200}')).toEqual({ code: 200 });
		expect(parseBody(Buffer.from('{"code":200}'))).toEqual({ code: 200 });
	});

	it.each(['', '<html></html>', '{"code":200,"data":{"task', 'plain'])(
		'stays the text it is where it is none: %j',
		(text) => {
			expect(parseBody(text)).toBe(text);
		},
	);

	it.each([undefined, null, 1, { a: 1 }])('stays what it is where n8n parsed it: %j', (body) => {
		expect(parseBody(body)).toEqual(body);
	});

	it.each(['task_id', 'taskId', 'taskid', 'TASK_ID', 'id'])(
		'keeps each digit of an ID that JavaScript would round: %s',
		(name) => {
			expect(parseBody(`{"data": {"${name}" : ${LONG}, "status": "x"}}`)).toEqual({
				data: { [name]: LONG, status: 'x' },
			});
			expect(parseBody(`{"${name}":-${LONG}}`)).toEqual({ [name]: `-${LONG}` });
		},
	);

	it('keeps short IDs, other long numbers, and texts that only look like IDs', () => {
		const body = { task_id: 123456789012345, credits: 28, note: '"task_id": 12345678901234567891' };
		expect(parseBody(JSON.stringify(body))).toEqual(body);
		expect(parseBody('{"task_id": 1.2345678901234567891}')).toEqual({
			task_id: 1.2345678901234567,
		});
	});

	it('gives its `data`, and nothing where there is none', () => {
		expect(dataOf({ data: { a: 1 } })).toEqual({ a: 1 });
		for (const body of [
			{},
			{ data: null },
			{ data: [1] },
			{ data: 'x' },
			[],
			'x',
			null,
			undefined,
		]) {
			expect(dataOf(body)).toEqual({});
		}
	});
});

describe('the ID of a task', () => {
	const names = ['task_id', 'taskId', 'id'];
	const places: Array<[string, (task: object) => unknown]> = [
		['in the data', (task) => ({ code: 200, data: task })],
		['beside empty data', (task) => ({ code: 200, data: null, ...task })],
		['at the top', (task) => task],
		['in the task of the data', (task) => ({ data: { task } })],
		['in the task', (task) => ({ task })],
		['in the result', (task) => ({ result: task })],
		['in the first of a list', (task) => ({ data: [task] })],
		['in a list at the top', (task) => [task]],
	];

	it.each(places.flatMap(([place, wrap]) => names.map((name) => [place, name, wrap] as const)))(
		'is found %s, as %s',
		(_place, name, wrap) => {
			expect(taskIdOf(wrap({ [name]: ID }))).toBe(ID);
			expect(taskIdOf(wrap({ [name]: 42 }))).toBe('42');
			const long = JSON.stringify(wrap({ [name]: 'LONG' })).replace('"LONG"', LONG);
			expect(taskIdOf(parseBody(long))).toBe(LONG);
		},
	);

	it.each(['a/b:c', 'sèed 15', '任務-1', 'seed🙂', 'x'.repeat(300)])(
		'may have any form: %s',
		(id) => {
			expect(taskIdOf({ data: { task_id: id } })).toBe(id);
		},
	);

	it('is the one that is called so, before any other ID, and that of the data first', () => {
		expect(taskIdOf({ id: 'request', data: { id: 'row', task_id: ID } })).toBe(ID);
		expect(taskIdOf({ task_id: 'outer', data: { task_id: ID } })).toBe(ID);
		expect(taskIdOf({ id: 'request', data: { task: { id: ID } } })).toBe(ID);
		expect(taskIdOf({ id: 'request', task_id: ID })).toBe(ID);
	});

	it.each([{}, { data: {} }, { data: { task_id: '' } }, { data: { task_id: {} } }, [], 'x', null])(
		'is none where there is none: %j',
		(body) => {
			expect(taskIdOf(body)).toBeUndefined();
		},
	);

	it('is never one of the request that the API repeats', () => {
		expect(taskIdOf({ data: { request: { task_id: 'old', id: 'old' } } })).toBeUndefined();
	});

	it('is kept where the answer is no success, unless it may be that of the request', () => {
		expect(failed(500, { code: 500, data: { taskId: ID } }).taskId).toBe(ID);
		expect(failed(500, { code: 500, task_id: ID }).taskId).toBe(ID);
		expect(failed(500, { code: 500, data: { task: { task_id: ID } } }).taskId).toBe(ID);
		expect(failed(500, { id: 'request-1', data: { id: 'request-1' } }).taskId).toBeUndefined();
	});
});

describe('a success', () => {
	it.each([
		[200, { code: 200 }],
		[200, { code: '200' }],
		[200, {}],
		[201, { code: 200 }],
		[200, { code: null }],
	])('is HTTP %i with %j', (status, body) => {
		expect(isSuccess(response(status, body))).toBe(true);
	});

	it.each([
		[200, { code: 500 }],
		[200, { code: 0 }],
		[200, { code: 'SUCCESS' }],
		[200, { code: true }],
		[200, 'text'],
		[200, []],
		[200, null],
		[500, { code: 200 }],
		[302, { code: 200 }],
		[199, {}],
		[0, { code: 200 }],
	])('is never HTTP %i with %j', (status, body) => {
		expect(isSuccess(response(status, body))).toBe(false);
	});
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
	] as const)('is by its string code, wherever that stands: %s', (code, cause) => {
		for (const body of [
			{ code },
			{ code: ` ${code.toLowerCase()} ` },
			{ error: code },
			{ error: { code } },
			{ data: { code } },
			{ code: 999, error: { code } },
		]) {
			expect(failed(418, body).cause).toBe(cause);
			expect(failed(200, body).cause).toBe(cause);
		}
	});

	it.each([
		[301, 'redirected'],
		[308, 'redirected'],
		[400, 'invalid_request'],
		[401, 'invalid_api_key'],
		[402, 'out_of_credits'],
		[403, 'forbidden'],
		[404, 'task_not_found'],
		[405, 'refused'],
		[408, 'no_answer'],
		[409, 'refused'],
		[413, 'refused'],
		[422, 'invalid_request'],
		[429, 'rate_limited'],
		[500, 'server_error'],
		[503, 'server_error'],
		[524, 'server_error'],
	] as const)('is by its number, in the body or as HTTP status: %i', (number, cause) => {
		const places = [{ code: number }, { code: String(number) }, { error: { code: number } }];
		for (const body of places) expect(failed(200, body).cause).toBe(cause);
		expect(failed(number, {}).cause).toBe(cause);
	});

	it.each([
		[400, 'refused'],
		[401, 'invalid_api_key'],
		[403, 'forbidden'],
		[404, 'refused'],
		[422, 'refused'],
		[429, 'rate_limited'],
		[502, 'server_error'],
	] as const)(
		'of a page of something in front of the API is not one of the API: %i',
		(status, cause) => {
			const page = failed(status, '<!DOCTYPE html><html><body>nginx</body></html>');
			expect(page).toMatchObject({ cause, isApi: false, text: '' });
		},
	);

	it('goes by the string code first, then the number in the body, then the HTTP status', () => {
		expect(failed(500, { code: 402, error: 'INVALID_API_KEY' }).cause).toBe('invalid_api_key');
		expect(failed(500, { code: 402 }).cause).toBe('out_of_credits');
		expect(failed(402, { code: 'SOMETHING_NEW' }).cause).toBe('out_of_credits');
	});

	it.each([200, 201, 0])('is "unreadable" where nothing says more: HTTP %i', (status) => {
		expect(failed(status, { code: 200 }).cause).toBe('unreadable');
		expect(failed(status, 'text').cause).toBe('unreadable');
	});

	it.each([
		['as the text that it is', 'error code: 1010'],
		['in capitals', 'Error Code: 1020'],
		['as a page', '<html><body><div id="cf-error-details">Access denied</div></body></html>'],
		['as JSON', { cloudflare_error: true, error_code: 1010, title: 'Error 1010: Access denied' }],
	])('is the firewall of the vendor, not the key: Cloudflare 1010 %s', (_name, body) => {
		expect(failed(403, body)).toMatchObject({ cause: 'firewall', isApi: false });
	});

	it('is not that firewall where the API itself refuses, or where the status is another', () => {
		expect(failed(403, { code: 403, message: 'no access' })).toMatchObject({
			cause: 'forbidden',
			isApi: true,
		});
		expect(failed(403, '<html>nginx</html>').cause).toBe('forbidden');
		expect(failed(429, 'error code: 1015').cause).toBe('rate_limited');
	});

	it('is always one, whatever came', () => {
		fc.assert(
			fc.property(
				fc.nat(999),
				fc.jsonValue(),
				fc.dictionary(fc.string(), fc.string()),
				(status, body, headers) => {
					expect(failed(status, body, headers).cause).toMatch(/^[a-z_]+$/);
				},
			),
		);
	});
});

describe('the reason in words', () => {
	it.each([
		['message', { message: 'why' }],
		['msg', { msg: 'why' }],
		['error as text', { error: 'why' }],
		['error.message', { error: { message: 'why' } }],
		['error.details.message', { error: { details: { message: 'why' } } }],
		['detail', { detail: 'why' }],
		['a list of details', { detail: [{ loc: ['body'], msg: 'why' }] }],
		['a list of errors', { errors: [{ message: 'why' }] }],
		['data.error_message', { message: 'success', data: { error_message: 'why' } }],
		['data.message', { message: 'error', data: { message: 'why' } }],
		['data as text', { message: 'fail', data: 'why' }],
		['failReason', { data: { failReason: 'why' } }],
		['error_message as an object', { data: { error_message: { message: 'why' } } }],
		['a code beside it', { error: 'INVALID_PROMPT', message: 'why' }],
		['a number beside it', { error: '1234', msg: 'why' }],
	])('is found as %s', (_name, body) => {
		expect(failed(400, body).text).toBe('why');
	});

	it('is a bare code where there are no words', () => {
		expect(failed(400, { error: 'NSFW_CONTENT' }).text).toBe('NSFW_CONTENT');
	});

	it.each([{ message: 'success' }, { msg: 'OK' }, {}, { message: '' }, { message: {} }, [], null])(
		'is none where the answer gives none: %j',
		(body) => {
			expect(failed(400, body).text).toBe('');
		},
	);

	it('is readable: one line, no HTML, no key', () => {
		expect(failed(400, { message: `a\n<b>b</b> ${OWNER}` }).text).toBe('a b ***');
		expect(failed(502, 'upstream timed out').text).toBe('upstream timed out');
		expect(failed(502, '<html><body>x</body></html>').text).toBe('');
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

	it('its status, and whether it has the form of the API', () => {
		expect(failed(409, { code: 409 })).toMatchObject({ httpStatus: 409, isApi: true });
		expect(failed(409, 'x')).toMatchObject({ httpStatus: 409, isApi: false });
	});
});

describe('an ID in a form that nobody has listed', () => {
	it.each([
		[{ data: { taskID: 'seed1' } }, 'seed1'],
		[{ data: { TASK_ID: 'seed1' } }, 'seed1'],
		[{ data: { 'task-id': 'seed1' } }, 'seed1'],
		[{ data: 'seed15abc123' }, 'seed15abc123'],
	])('is found: %j', (body, id) => {
		expect(taskIdOf(body)).toBe(id);
	});

	it.each([
		{ data: 'success' },
		{ data: 'Created at 10:30' },
		{ data: '' },
		{ data: { subtask_id: 's1' } },
	])('is not made up: %j', (body) => {
		expect(taskIdOf(body)).toBeUndefined();
	});
});
