// Every fault that the suite lets strike, by route: all kinds, all wrong shapes, all error codes. A test holds the lists
// against the sandbox. The API never lies about an error of the caller's in them: what it refuses it has not charged.
import {
	ENCODINGS,
	ERROR_CODES,
	VIDEO_BODIES,
	WRONG_SHAPES,
	type ErrorShape,
	type Fault,
	type Route,
} from '../sandbox/server.cjs';

/** Real milliseconds until a connection that hangs is cut. */
const HANG_MS = 12;
const DELAY_MS = 8;
/** Real milliseconds between two bytes of an answer that drips, and how long it does. */
const DRIP_EVERY_MS = 2;
const DRIP_MS = 8;
/** Often enough that a limit of silence never ends it. */
const ENDLESS_DRIP_MS = 20;

/** The shapes of an error that differ in how its cause has to be read: from a word, a number, or the HTTP status alone. */
const SHAPES: readonly ErrorShape[] = [
	'string-code',
	'nested-code',
	'numeric-code-http-200',
	'html',
];

const errors = ERROR_CODES.flatMap((code) =>
	SHAPES.map((shape): Fault => ({ kind: 'error', code, shape })),
);
const wrongShapes = WRONG_SHAPES.map((shape): Fault => ({ kind: 'wrong-shape', shape }));
const refusals = [400, 403, 404, 409, 422].map(
	(status): Fault => ({ kind: 'refuse-with', status, body: { code: status, message: 'No' } }),
);
const limits: Fault[] = [
	{ kind: 'rate-limit' },
	{ kind: 'rate-limit', retryAfter: 3 },
	{ kind: 'rate-limit', retryAfter: 2, as: 'date' },
	{ kind: 'rate-limit', retryAfter: 61 },
];
const anywhere: Fault[] = [
	{ kind: 'delay', ms: DELAY_MS },
	{ kind: 'reset' },
	{ kind: 'hang', ms: HANG_MS },
	...limits,
	{ kind: 'server-error' },
	{ kind: 'server-error', status: 503 },
	{ kind: 'refuse-with', status: 408 },
	{ kind: 'html', status: 403 },
	{ kind: 'html', status: 502 },
	{ kind: 'firewall' },
	{ kind: 'drip', everyMs: DRIP_EVERY_MS, ms: DRIP_MS },
	{ kind: 'redirect' },
	{ kind: 'redirect', status: 301 },
];

export const FAULTS: Readonly<Record<Route, readonly Fault[]>> = {
	generate: [
		...anywhere,
		...refusals,
		...errors,
		...wrongShapes,
		{ kind: 'error', code: 'INTERNAL_ERROR', accept: true },
		{ kind: 'accept-then-reset' },
		{ kind: 'accept-then-hang', ms: HANG_MS },
		{ kind: 'accept-then-5xx' },
		{ kind: 'accept-then-5xx', status: 503, html: true },
		{ kind: 'refuse-with', status: 200, body: 'OK' },
		{ kind: 'refuse-with', status: 500, body: { code: 500, data: { task_id: 'seed15stray' } } },
		{ kind: 'html', status: 200, accept: true },
		{ kind: 'html', status: 520, accept: true },
		{ kind: 'invalid-json' },
		{ kind: 'invalid-json', accept: false },
		{ kind: 'empty-body' },
		{ kind: 'empty-body', accept: false },
		{ kind: 'foreign-id' },
		{ kind: 'task', outcome: { status: 'FAILED', errorMessage: 'Busy' } },
		{ kind: 'task', outcome: { status: 'SUCCESS', word: 'completed' }, runningWord: 'QUEUED' },
		{ kind: 'task', outcome: { status: 'SUCCESS', response: 'null' } },
		{ kind: 'task', seconds: 0 },
	],
	status: [
		...anywhere,
		...refusals,
		...errors,
		...wrongShapes,
		{ kind: 'refuse-with', status: 200, body: 'OK' },
		{ kind: 'html', status: 200 },
		{ kind: 'invalid-json' },
		{ kind: 'empty-body' },
		{ kind: 'foreign-id' },
		{ kind: 'status-word', word: 'QUEUED' },
		{ kind: 'status-word', word: 'Succeeded' },
		{ kind: 'status-word', word: 'CANCELED' },
		{ kind: 'no-video' },
		{ kind: 'no-video', response: 'null' },
		{ kind: 'no-video', response: 'missing' },
		{ kind: 'failed' },
	],
	video: [
		...anywhere,
		{ kind: 'refuse-with', status: 404 },
		{ kind: 'refuse-with', status: 410 },
		{ kind: 'html', status: 200 },
		{ kind: 'empty-body' },
		{ kind: 'stall', ms: HANG_MS },
		{ kind: 'cut' },
		{ kind: 'cut', afterBytes: 0 },
		{ kind: 'content-type', value: 'application/octet-stream' },
		{ kind: 'no-content-type' },
		...ENCODINGS.map((encoding): Fault => ({ kind: 'encoded', encoding })),
		...VIDEO_BODIES.map((body): Fault => ({ kind: 'video-body', body })),
		{ kind: 'partial' },
		{ kind: 'no-content-length' },
		{ kind: 'video-bytes', bytes: 5_000 },
	],
};

/** Connections that are never cut: the node's own time limits have to end them. */
export const ENDLESS: Readonly<Partial<Record<Route, readonly Fault[]>>> = {
	generate: [
		{ kind: 'hang' },
		{ kind: 'accept-then-hang' },
		{ kind: 'drip', everyMs: ENDLESS_DRIP_MS },
	],
	status: [{ kind: 'hang' }, { kind: 'drip', everyMs: ENDLESS_DRIP_MS }],
	video: [{ kind: 'hang' }, { kind: 'drip', everyMs: ENDLESS_DRIP_MS }],
};
