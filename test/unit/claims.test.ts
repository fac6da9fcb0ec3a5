/** Which run may pay for a video, by a single reading of its rows. Interleavings of several runs: test/faults/claims.test.cts. */
import {
	nextAction,
	type ClaimedRow,
	type ClaimRequest,
} from '../../nodes/shared/idempotency/claims';

const row = (given: Partial<ClaimedRow>): ClaimedRow => {
	const free = { id: 1, claim: '', claimedUntil: 0, handedOn: false, createdAt: 0 };
	return { ...free, status: 'SUCCESS', hasTask: true, ...given };
};
const held = { claim: 'another', claimedUntil: 500 };
const bid = { status: 'PENDING', hasTask: false } as const;
/** Of a run that crashed before it sent anything. */
const place = { id: 2, status: 'CLAIMED', hasTask: false } as const;
const meanwhile = { isShared: true, isEarlier: () => false };
const alive = { isLive: () => true };
const pausing = { isPaused: () => true };
const skip = { isShared: true, handedOn: { do: 'skip', maxAgeMs: 100 } } as const;
const reuse = { handedOn: { do: 'reuse', maxAgeMs: 100 } } as const;

it.each<
	[what: string, action: string, rows: Array<Partial<ClaimedRow>>, request?: Partial<ClaimRequest>]
>([
	['nothing', 'insert', []],
	['a paid video of the longest age', 'takeOver 1', [{}], { now: 100 }],
	['a paid video that is older', 'insert', [{}], { now: 101 }],
	['the newest of several', 'takeOver 9', [{}, { id: 9 }, { id: 4 }]],
	['a failed video that nobody got', 'insert', [{ status: 'FAILED' }]],
	['an unclear one that was reported', 'insert', [{ status: 'UNCLEAR', handedOn: true }], reuse],
	['one handed on of the longest age', 'reuse 1', [{ handedOn: true }], { now: 100, ...reuse }],
	['one handed on that is older', 'insert', [{ handedOn: true }], { now: 101, ...reuse }],
	['one handed on, and one paid', 'takeOver 1', [{}, { id: 2, handedOn: true }], reuse],
	['a free place', 'withdraw 2', [place]],
	['one handed on, and a free place', 'reuse 1', [{ handedOn: true }, place], reuse],
	['one handed on meanwhile, of one key', 'join 1', [{ handedOn: true }], meanwhile],
	[
		'an unclear one, and a free place',
		'markUnclear 1',
		[{ ...place, id: 1, status: 'SENDING' }, place],
	],
	['one of a run that may live, and a free place', 'wait 1', [held, place]],
	['one handed on that is claimed still', 'reuse 1', [{ handedOn: true, ...held }], reuse],
	['its own video', 'takeOver 1', [{ claim: 'me', claimedUntil: 500 }]],
	['one of a run that may live', 'wait 1', [held]],
	['one of a run that lives', 'insert', [held], alive],
	['one of a run that pauses, by hand', 'join 1', [held], { ...alive, ...reuse, ...pausing }],
	['one of a run that pauses', 'insert', [held], { ...alive, ...pausing }],
	['one of a run that may live, to be skipped', 'wait 1', [held], skip],
	['one of a run that lives, to be skipped', 'skip 1', [held], { ...skip, ...alive }],
	['a bid, to be skipped', 'wait 1', [{ ...held, ...bid }], { ...skip, ...alive }],
])('a reading of %s: %s', (_what, expected, rows, request = {}) => {
	const common = { claim: 'me', now: 50, isShared: false, maxAgeMs: 100 };
	const asked = {
		isLive: () => false,
		isPaused: () => false,
		isEarlier: () => true,
		...common,
		...request,
	};
	const action = nextAction(rows.map(row), asked);
	expect('row' in action ? `${action.do} ${action.row.id}` : action.do).toBe(expected);
});
