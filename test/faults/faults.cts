// Every fault that the suite lets strike, by route: all kinds, all wrong shapes, all error codes. A test compares the lists
// with the sandbox. The API never lies about an error of the caller's in them: what it refuses it has not charged.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import {
	ENCODINGS,
	ERROR_CODES,
	VIDEO_BODIES,
	WRONG_SHAPES,
	type Fault,
	type Route,
} from '../sandbox/server.cjs';

/** A file of test/fixtures/faults. */
export const readFixture = (name: string) =>
	JSON.parse(readFileSync(join(__dirname, '..', 'fixtures', 'faults', `${name}.json`), 'utf8'));

/** Times in them are real milliseconds, short ones. `endless`: the node's own time limits have to end those. */
const own: Record<Route | 'anywhere' | 'videoBody', Fault[]> & { endless: Record<Route, Fault[]> } =
	readFixture('faults');

/** The shapes of an error that differ in how its cause has to be read: from a word, a number, or the HTTP status alone. */
const SHAPES = ['string-code', 'nested-code', 'numeric-code-http-200', 'html'] as const;

/** What strikes a POST as it strikes a read. */
const refusals: Fault[] = [
	...[400, 403, 404, 409, 422].map(
		(status): Fault => ({ kind: 'refuse-with', status, body: { code: status, message: 'No' } }),
	),
	...ERROR_CODES.flatMap((code) => SHAPES.map((shape): Fault => ({ kind: 'error', code, shape }))),
	...WRONG_SHAPES.map((shape): Fault => ({ kind: 'wrong-shape', shape })),
	{ kind: 'refuse-with', status: 200, body: 'OK' },
];

export const FAULTS: Readonly<Record<Route, readonly Fault[]>> = {
	generate: [...own.anywhere, ...refusals, ...own.generate],
	status: [...own.anywhere, ...refusals, ...own.status],
	video: [
		...own.anywhere,
		...own.video,
		...ENCODINGS.map((encoding): Fault => ({ kind: 'encoded', encoding })),
		...VIDEO_BODIES.map((body): Fault => ({ kind: 'video-body', body })),
		...own.videoBody,
	],
};

/** Connections that are never cut. */
export const ENDLESS: Readonly<Record<Route, readonly Fault[]>> = own.endless;
