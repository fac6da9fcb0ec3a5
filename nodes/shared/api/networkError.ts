/**
 * Whether a request without a response has left this machine, so that it may have been accepted.
 * The error and its socket decide, because the code alone says too little.
 */
import type { CallFailure } from '../task/errors';
import { isObject, textOf } from '../json';

/** Codes of a connection that was never made, so nothing was sent. Trying again may help. */
const NEVER_CONNECTED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'];
/** Codes of a request that a client refuses before it sends anything. */
const NEVER_SENT = /^(ERR_INVALID_URL|ERR_INVALID_PROTOCOL|ERR_UNESCAPED|ERR_TLS_)/;
/**
 * Codes of a certificate that was not accepted; nothing has been sent then. Source: Node.js, "X509
 * certificate error codes".
 */
const BAD_CERTIFICATE =
	/^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_|ERROR_IN_C|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/;
/** System calls that come before the first byte. */
const BEFORE_SENDING = ['connect', 'getaddrinfo'];
/** Errors in a chain of causes, so that a circle ends. */
const LONGEST_CHAIN = 6;

/** Every error in the chain of causes, n8n's wrapper first. */
function causesOf(error: unknown): Array<Record<string, unknown>> {
	const chain: Array<Record<string, unknown>> = [];
	let current: unknown = error;
	while (isObject(current) && chain.length < LONGEST_CHAIN && !chain.includes(current)) {
		chain.push(current);
		current = current.cause ?? (Array.isArray(current.errors) ? current.errors[0] : undefined);
	}
	return chain;
}

/** The socket of a failed request, where the HTTP client shows it. */
function socketOf({ request }: Record<string, unknown>): Record<string, unknown> | undefined {
	if (!isObject(request)) return undefined;
	// A client that follows redirects holds the current request inside its own.
	const current = isObject(request._currentRequest) ? request._currentRequest : request;
	return isObject(current.socket) ? current.socket : undefined;
}

/**
 * Whether nothing can have left through a socket: it never connected, or its TLS handshake never
 * ended, or it has dispatched no byte (docs/n8n-behaviour.md#requests-that-never-left).
 */
function isUnused(socket: Record<string, unknown>): boolean {
	return (
		socket.connecting === true || socket.secureConnecting === true || socket._bytesDispatched === 0
	);
}

/** Whether the code of an error says that nothing was sent. */
function isBeforeSending(code: string): boolean {
	return NEVER_CONNECTED.includes(code) || NEVER_SENT.test(code) || BAD_CERTIFICATE.test(code);
}

/**
 * Why a request ended without a response: `unreachable` when it certainly never left, `no_response`
 * when it may have arrived. `text` is the code of the error for a person, or empty.
 */
export function failureOfNetworkError(error: unknown): CallFailure {
	const chain = causesOf(error);
	const codes = chain.map((cause) => textOf(cause.code)).filter((code) => code !== undefined);
	const hasNeverLeft =
		codes.some(isBeforeSending) ||
		chain.some((cause) => BEFORE_SENDING.includes(String(cause.syscall))) ||
		// docs/n8n-behaviour.md#guard-of-private-networks
		chain.some((cause) => /^Ssrf/.test(textOf(cause.name) ?? '')) ||
		chain.map(socketOf).some((socket) => socket !== undefined && isUnused(socket));
	const own = codes.filter((code) => code !== 'ERR_CANCELED');
	return { cause: hasNeverLeft ? 'unreachable' : 'no_response', text: own[own.length - 1] ?? '' };
}

/** Whether a connection was refused or its host not found, so that it may work in a moment. */
export function isRefusedConnection({ cause, text }: CallFailure): boolean {
	return cause === 'unreachable' && NEVER_CONNECTED.includes(text);
}
