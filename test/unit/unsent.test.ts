/** Whether a request without an answer had left, so that it may have been accepted and charged. */
import * as fc from 'fast-check';

import { failureWithoutAnswer, isRefusedConnection } from '../../nodes/shared/api/unsent';

const withCode = (code: string, more: object = {}) =>
	Object.assign(new Error(`failed: ${code}`), { code, ...more });

/** An error of a client that follows redirects, whose request of the moment has this socket. */
const onSocket = (socket: object, code?: string) =>
	Object.assign(new Error('failed'), {
		...(code !== undefined && { code }),
		request: { _currentRequest: { socket } },
	});

/** An error of the plain HTTP client. */
const onPlainSocket = (socket: object) =>
	Object.assign(new Error('failed'), { request: { socket } });

const CONNECTED = { connecting: false, secureConnecting: false, _bytesDispatched: 312 };

/** What certainly never left: name, error, text for a person. */
const UNSENT: Array<[string, unknown, string]> = [
	['a refused connection', withCode('ECONNREFUSED', { syscall: 'connect' }), 'ECONNREFUSED'],
	['a refused connection without more', withCode('ECONNREFUSED'), 'ECONNREFUSED'],
	['an unknown host', withCode('ENOTFOUND', { syscall: 'getaddrinfo' }), 'ENOTFOUND'],
	['a name server out of order', withCode('EAI_AGAIN', { syscall: 'getaddrinfo' }), 'EAI_AGAIN'],
	[
		'any other lookup that failed',
		withCode('EAI_NODATA', { syscall: 'getaddrinfo' }),
		'EAI_NODATA',
	],
	['a connection in vain', withCode('ETIMEDOUT', { syscall: 'connect' }), 'ETIMEDOUT'],
	['no way to the host', withCode('EHOSTUNREACH', { syscall: 'connect' }), 'EHOSTUNREACH'],
	['no network', withCode('ENETUNREACH', { syscall: 'connect' }), 'ENETUNREACH'],
	[
		'a connection reset while it was made',
		withCode('ECONNRESET', { syscall: 'connect' }),
		'ECONNRESET',
	],
	['a URL that is none', withCode('ERR_INVALID_URL'), 'ERR_INVALID_URL'],
	['a protocol that is none', withCode('ERR_INVALID_PROTOCOL'), 'ERR_INVALID_PROTOCOL'],
	['a path that cannot be sent', withCode('ERR_UNESCAPED_CHARACTERS'), 'ERR_UNESCAPED_CHARACTERS'],
	[
		'https where plain http answers',
		onSocket({ secureConnecting: true, _bytesDispatched: 517 }, 'EPROTO'),
		'EPROTO',
	],
	[
		'a TLS handshake that was reset',
		onSocket({ secureConnecting: true, _bytesDispatched: 517 }, 'ECONNRESET'),
		'ECONNRESET',
	],
	['a TLS handshake without a code', onSocket({ secureConnecting: true }), ''],
	['a socket that still connects', onSocket({ connecting: true }, 'ECONNABORTED'), 'ECONNABORTED'],
	[
		'a socket that was cut off before its first byte',
		onSocket({ connecting: false, _bytesDispatched: 0 }, 'ERR_CANCELED'),
		'',
	],
	['a socket of the plain client', onPlainSocket({ connecting: true }), ''],
	...[
		'CERT_HAS_EXPIRED',
		'CERT_NOT_YET_VALID',
		'CERT_REVOKED',
		'CERT_UNTRUSTED',
		'CERT_REJECTED',
		'CERT_CHAIN_TOO_LONG',
		'CERT_SIGNATURE_FAILURE',
		'CRL_HAS_EXPIRED',
		'DEPTH_ZERO_SELF_SIGNED_CERT',
		'SELF_SIGNED_CERT_IN_CHAIN',
		'UNABLE_TO_GET_ISSUER_CERT',
		'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
		'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
		'ERR_TLS_CERT_ALTNAME_INVALID',
		'ERROR_IN_CERT_NOT_BEFORE_FIELD',
		'HOSTNAME_MISMATCH',
		'INVALID_CA',
		'INVALID_PURPOSE',
		'PATH_LENGTH_EXCEEDED',
	].map((code): [string, unknown, string] => [
		`the certificate error ${code}`,
		withCode(code),
		code,
	]),
	...['SsrfBlockedIpError', 'SsrfBlockedHostnameError'].map((name): [string, unknown, string] => [
		`n8n's guard of private networks, ${name}`,
		Object.assign(new Error('blocked'), { name }),
		'',
	]),
];

/** What may have arrived, and so may have been charged. */
const MAYBE_SENT: Array<[string, unknown, string]> = [
	['a connection reset after sending', onSocket(CONNECTED, 'ECONNRESET'), 'ECONNRESET'],
	['a connection reset while reading', withCode('ECONNRESET', { syscall: 'read' }), 'ECONNRESET'],
	['a broken pipe', withCode('EPIPE', { syscall: 'write' }), 'EPIPE'],
	['silence after sending', onSocket(CONNECTED, 'ECONNABORTED'), 'ECONNABORTED'],
	['a time that was up', withCode('ETIMEDOUT'), 'ETIMEDOUT'],
	['a host that went away', withCode('EHOSTUNREACH', { syscall: 'read' }), 'EHOSTUNREACH'],
	['an answer that was no HTTP', withCode('HPE_INVALID_CONSTANT'), 'HPE_INVALID_CONSTANT'],
	[
		'TLS that broke later',
		onSocket(CONNECTED, 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'),
		'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
	],
	['a request that was cut off after sending', onSocket(CONNECTED, 'ERR_CANCELED'), ''],
	['a socket that tells nothing', onSocket({}), ''],
	['a request without a socket', Object.assign(new Error('x'), { request: {} }), ''],
	['a socket hang up', new Error('socket hang up'), ''],
	['a code that is no text', Object.assign(new Error('x'), { code: {} }), ''],
	['nothing', undefined, ''],
	['null', null, ''],
	['a text', 'ECONNREFUSED', ''],
	['a list', [withCode('ECONNREFUSED')], ''],
];

describe('a request without an answer', () => {
	it.each(UNSENT)('never left: %s', (_name, error, text) => {
		expect(failureWithoutAnswer(error)).toEqual({ cause: 'unreachable', text });
	});

	it.each(MAYBE_SENT)('may have arrived: %s', (_name, error, text) => {
		expect(failureWithoutAnswer(error)).toEqual({ cause: 'no_answer', text });
	});

	it.each([...UNSENT, ...MAYBE_SENT])(
		'is judged the same inside the errors of the HTTP client and of n8n: %s',
		(_name, error) => {
			const { cause } = failureWithoutAnswer(error);
			const client = Object.assign(new Error('client'), { name: 'AxiosError', cause: error });
			const wrapped = Object.assign(new Error('n8n'), { name: 'NodeApiError', cause: client });
			expect(failureWithoutAnswer(client).cause).toBe(cause);
			expect(failureWithoutAnswer(wrapped).cause).toBe(cause);
		},
	);

	it('is judged by its socket also where only the wrapper shows it', () => {
		const wrapper = Object.assign(onSocket({ secureConnecting: true }), {
			cause: withCode('ECONNRESET'),
		});
		expect(failureWithoutAnswer(wrapper)).toEqual({ cause: 'unreachable', text: 'ECONNRESET' });
	});

	it('never left where each address of the host was tried', () => {
		const refused = (address: string) => withCode('ECONNREFUSED', { syscall: 'connect', address });
		const all = Object.assign(new Error('all'), { errors: [refused('::1'), refused('127.0.0.1')] });
		expect(failureWithoutAnswer({ cause: all })).toEqual({
			cause: 'unreachable',
			text: 'ECONNREFUSED',
		});
	});

	it('does not lead into a circle of causes', () => {
		const first: { cause?: object } = {};
		const second = { cause: first };
		first.cause = second;
		expect(failureWithoutAnswer(first)).toEqual({ cause: 'no_answer', text: '' });
		const itself: { cause?: object; code: string } = { code: 'ECONNREFUSED' };
		itself.cause = itself;
		expect(failureWithoutAnswer(itself).cause).toBe('unreachable');
	});

	it('is judged whatever is thrown', () => {
		fc.assert(
			fc.property(fc.anything(), (thrown) => {
				expect(['no_answer', 'unreachable']).toContain(failureWithoutAnswer(thrown).cause);
			}),
		);
	});

	it('is never shown with more than its code: no address, no header, no key', () => {
		const error = withCode('ECONNRESET', {
			message: 'connect to 10.0.0.1',
			config: { headers: { Authorization: 'Bearer sk-seedance-0123456789' } },
		});
		expect(JSON.stringify(failureWithoutAnswer(error))).not.toMatch(/sk-seedance|10\.0\.0\.1/);
	});
});

describe('a connection that may work in a moment', () => {
	it.each(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])('is one of these: %s', (code) => {
		expect(isRefusedConnection(failureWithoutAnswer(withCode(code)))).toBe(true);
	});

	it.each([
		['a certificate', withCode('CERT_HAS_EXPIRED')],
		['a URL', withCode('ERR_INVALID_URL')],
		['a TLS handshake', onSocket({ secureConnecting: true }, 'EPROTO')],
		[
			'the guard of private networks',
			Object.assign(new Error('x'), { name: 'SsrfBlockedIpError' }),
		],
		['a reset', withCode('ECONNRESET')],
	])('is none where trying again gives the same, or may be charged: %s', (_name, error) => {
		expect(isRefusedConnection(failureWithoutAnswer(error))).toBe(false);
	});

	it('is none where an answer came', () => {
		expect(isRefusedConnection({ cause: 'refused', text: 'ECONNREFUSED' })).toBe(false);
	});
});
