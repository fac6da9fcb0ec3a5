/** Whether a request without a response had left, so that it may have been accepted and charged. */
import { failureOfNetworkError, isRefusedConnection } from '../../nodes/shared/api/networkError';
import { mayHaveArrived, neverLeft } from '../fixtures/requestErrors.json';
import * as fc from '../support/fastCheck.cjs';

/** What a client throws: an error with these properties, or a value that is no object. */
const thrownAs = (given: unknown): unknown =>
	given === null || typeof given !== 'object' || Array.isArray(given)
		? given
		: Object.assign(new Error('failed'), given);
const causeOf = (error: unknown) => failureOfNetworkError(error).cause;

const casesOf = (errors: Record<string, unknown[]>, cause: string) =>
	Object.entries(errors).map(([name, [error, text]]) => [name, error, text, cause]);
const CASES = [
	...casesOf(neverLeft, 'unreachable'),
	...casesOf(mayHaveArrived, 'no_response'),
	['nothing', undefined, '', 'no_response'],
];

describe('a request without a response', () => {
	it.each(CASES)('is recognised by its error and its socket: %s', (_name, given, text, cause) => {
		const error = thrownAs(given);
		expect(failureOfNetworkError(error)).toEqual({ cause, text });
		// The same inside the errors of the HTTP client and of n8n.
		const client = Object.assign(new Error('client'), { name: 'AxiosError', cause: error });
		const wrapped = Object.assign(new Error('n8n'), { name: 'NodeApiError', cause: client });
		expect([causeOf(client), causeOf(wrapped)]).toEqual([cause, cause]);
	});

	it('does not lead into a circle of causes', () => {
		const first: { cause?: object } = {};
		first.cause = { cause: first };
		expect(failureOfNetworkError(first)).toEqual({ cause: 'no_response', text: '' });
		const itself: { cause?: object; code: string } = { code: 'ECONNREFUSED' };
		itself.cause = itself;
		expect(causeOf(itself)).toBe('unreachable');
	});

	it('is recognised whatever is thrown', () => {
		fc.assert(
			fc.property(fc.anything(), (thrown) => {
				expect(['no_response', 'unreachable']).toContain(causeOf(thrown));
			}),
		);
	});

	it('is never shown with more than its code: no address, no header, no key', () => {
		const config = { headers: { Authorization: 'Bearer sk-seedance-0123456789' } };
		const error = { code: 'ECONNRESET', message: 'connect to 10.0.0.1', config };
		const shown = JSON.stringify(failureOfNetworkError(thrownAs(error)));
		expect(shown).not.toMatch(/sk-seedance|10\.0\.0\.1/);
	});
});

describe('a connection that may work in a moment', () => {
	// Where trying again gives the same, or may be charged, it is none.
	it('is recognised by its code', () => {
		const codes = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'];
		const others = ['CERT_HAS_EXPIRED', 'ERR_INVALID_URL', 'ECONNRESET'];
		const isRefused = (code: string) => isRefusedConnection(failureOfNetworkError({ code }));
		expect([...codes, ...others].filter(isRefused)).toEqual(codes);
	});

	it.each([
		failureOfNetworkError({ name: 'SsrfBlockedIpError' }),
		failureOfNetworkError({ code: 'EPROTO', request: { socket: { secureConnecting: true } } }),
		{ cause: 'refused' as const, text: 'ECONNREFUSED' },
	])('is none of these: %j', (failure) => {
		expect(isRefusedConnection(failure)).toBe(false);
	});
});
