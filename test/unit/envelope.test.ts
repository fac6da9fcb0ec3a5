/** What a response of the API says, in every shape that the contract and its notes name. */
import {
	dataOf,
	failureOf,
	isSuccess,
	parseBody,
	reasonIn,
	taskIdOf,
} from '../../nodes/shared/api/envelope';
import { firewallCodeOf } from '../../nodes/shared/api/firewall';
import cases from '../fixtures/responses.json';
import * as fc from '../support/fastCheck.cjs';

const ID = 'seed15abc123def456pro';
const LONG = '12345678901234567891';
/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const ASKED = { apiKey: OWNER, baseUrl: 'https://seedanceapi.org/v1', nowMs: 1_000_000 };

const failed = (status: number, body: unknown, headers = {}) =>
	failureOf({ status, headers, body }, ASKED);

describe('a body', () => {
	it('is parsed where it is JSON, from text and from bytes', () => {
		expect(parseBody('{"code":200}')).toEqual({ code: 200 });
		expect(parseBody(Buffer.from('{"code":200}'))).toEqual({ code: 200 });
	});

	it.each([...cases.noJson, undefined])('stays what it is where it is no JSON: %j', (body) => {
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

	it('keeps short IDs, other long numbers, and texts that only resemble IDs', () => {
		const body = { task_id: 123456789012345, credits: 28, note: `"task_id": ${LONG}` };
		expect(parseBody(JSON.stringify(body))).toEqual(body);
		const decimal = { task_id: 1.2345678901234567 };
		expect(parseBody('{"task_id": 1.2345678901234567891}')).toEqual(decimal);
	});

	it.each([...cases.noData, undefined])('gives its `data`, and nothing else: %j', (body) => {
		expect(dataOf({ data: { a: 1 } })).toEqual({ a: 1 });
		expect(dataOf(body)).toEqual({});
	});
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

	it.each(cases.withId)('is found before any other ID, and under any spelling: %j', (body) => {
		expect(taskIdOf(body)).toBe(ID);
	});

	it.each(cases.withoutId)('is not made up: %j', (body) => {
		expect(taskIdOf(body)).toBeUndefined();
	});

	it.each<unknown[]>(cases.idsOfFailures)(
		'of a failure is not that of the request: %j is %p',
		(body, id) => {
			expect(failed(500, body).taskId ?? null).toBe(id);
		},
	);
});

it.each(cases.success)('a success (%p) is known by status and code: HTTP %i with %j', (...row) => {
	const [expected, status, bodies] = row as [boolean, number, unknown[]];
	const found = bodies.map((body) => isSuccess({ status, headers: {}, body }));
	expect(found).toEqual(bodies.map(() => expected));
});

describe('the cause of a response that is no success', () => {
	it.each(cases.stringCodes)('is by its string code $code', ({ code, cause }) => {
		const bodies = [
			...[{ code }, { code: ` ${code.toLowerCase()} ` }, { error: code }, { error: { code } }],
			...[{ data: { code } }, { code: 999, error: { code } }],
		];
		for (const body of bodies) {
			expect([failed(418, body).cause, failed(200, body).cause]).toEqual([cause, cause]);
		}
	});

	it.each(cases.numbers)('is by number, in the body or as HTTP status: %j', (one) => {
		const { number, cause, ofPage } = one;
		const bodies = [{ code: number }, { code: String(number) }, { error: { code: number } }];
		for (const body of bodies) expect(failed(200, body).cause).toBe(cause);
		expect(failed(number, {})).toMatchObject({ cause, isApi: true, httpStatus: number });
		const page = failed(number, '<!DOCTYPE html><html><body>nginx</body></html>');
		expect(page).toMatchObject({ cause: ofPage, isApi: false, httpStatus: number, text: '' });
	});

	it.each<unknown[]>(cases.causes)('of HTTP %i with %j is %s', (status, body, cause) => {
		const found = failed(Number(status), body);
		expect(found.cause).toBe(cause);
		if (cause === 'firewall') expect(found.isApi).toBe(false);
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
	it.each<unknown[]>(cases.firewall.own)('is known by %j, with its code: %j', (body, code) => {
		expect(firewallCodeOf(403, body)).toBe(code);
	});

	it.each<unknown[]>(cases.firewall.other)('is not HTTP %i %j', (status, body) => {
		expect(firewallCodeOf(Number(status), body)).toBeUndefined();
		expect(firewallCodeOf(403, undefined)).toBeUndefined();
	});
});

describe('the reason in words', () => {
	it.each(cases.reasons)('is found in %j', (body) => {
		expect(failed(400, body).text).toBe('why');
	});

	it.each<unknown[]>(cases.texts)('of %j is one line without HTML and key: %j', (body, text) => {
		expect(failed(400, body).text).toBe(text);
	});

	it('is not searched for without an end', () => {
		const deep = { error: { error: { error: { error: { error: { message: 'too deep' } } } } } };
		expect(reasonIn(deep)).toBeUndefined();
	});
});

describe('what else a response says', () => {
	it.each<unknown[]>(cases.retryAfter)('the time to wait, of Retry-After %p', (header, ms) => {
		expect(failed(429, {}, { 'retry-after': header }).retryAfterMs ?? null).toBe(ms);
	});

	it.each(cases.locations)('where a redirect points, without its path: %p', (location, origin) => {
		expect(failed(302, '', { location }).location ?? null).toBe(origin);
	});
});
