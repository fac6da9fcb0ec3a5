/** Who may pay for a video: every interleaving of two and three runs, and single readings. */
import { nextMove, type ClaimedRow, type Wish } from '../../nodes/shared/idempotency/claims';
import {
	endless,
	explore,
	MODES,
	NOW,
	paidAtTheEnd,
	type Mode,
	type ModelRow,
	type World,
} from './claimsModel.cjs';

const ALL = { crashes: true, lapses: true, stops: true };
// Seconds on an idle core; others may be at work beside it.
jest.setTimeout(180_000);

const of = (runs: number, mode: Mode) => Array.from({ length: runs }, () => mode);

/** What may be paid for when nobody crashes and nothing runs out. */
const PAID: Record<Mode, (runs: number) => number[]> = {
	'Always Reuse': () => [1],
	'Reuse Key': (runs) => [1, 2, 3].slice(0, runs),
	Skip: () => [1],
	'Always Generate': (runs) => [runs],
	'Reuse in Manual Runs': (runs) => [1, 2, 3].slice(0, runs),
};

describe.each(Object.keys(MODES) as Mode[])('%s', (mode) => {
	it.each([2, 3])(
		'%i runs pay once for what is one, and lose nothing, whatever crashes',
		(runs) => {
			const { broken, path } = explore({ modes: of(runs, mode), ...ALL });
			expect({ broken, path }).toEqual({ broken: undefined, path: [] });
		},
	);

	it('every run comes to its end, and someone pays', () => {
		for (const runs of [2, 3]) {
			const modes = of(runs, mode);
			expect(endless({ modes })[0]).toBeUndefined();
			expect(paidAtTheEnd(explore({ modes }))).toEqual(PAID[mode](runs));
		}
		expect(endless({ modes: of(2, mode), crashes: true })[0]).toBeUndefined();
	});
});

it.each<Mode[]>([
	['Reuse Key', 'Reuse Key', 'Always Reuse'],
	['Always Generate', 'Always Generate', 'Reuse in Manual Runs'],
	['Always Reuse', 'Always Reuse', 'Always Generate'],
])('runs of different settings agree: %s, %s, %s', (...modes) => {
	const { broken, path } = explore({ modes, crashes: true });
	expect({ broken, path }).toEqual({ broken: undefined, path: [] });
	expect(endless({ modes })[0]).toBeUndefined();
});

const bidOf = (rows: readonly ModelRow[], { claim }: Wish) =>
	rows.find((row) => row.claim === claim && row.status === 'PENDING');

type Rules = NonNullable<World['rules']>;

const LOWEST_WINS: Rules = (rows, wish) => {
	const [move, bid] = [nextMove(rows, wish), bidOf(rows, wish)];
	return bid && move.do === 'wait' ? { do: 'confirm', row: bid } : move;
};
const SHY: Rules = (rows, wish) => {
	const bid = bidOf(rows, wish);
	const others = rows.filter((row) => row !== bid && row.claimedUntil > NOW);
	return bid && others.length ? { do: 'withdraw', row: bid } : nextMove(rows, wish);
};
const FORGETFUL: Rules = (rows, wish) => {
	const move = nextMove(rows, wish);
	return move.do === 'giveUp' ? { do: 'takeOver', row: move.row } : move;
};
const UNSENT_FIRST: Rules = (rows, wish) => {
	const unsent = rows.find((row) => row.status === 'CLAIMED' && row.claimedUntil <= NOW);
	return unsent && !bidOf(rows, wish) ? { do: 'takeOver', row: unsent } : nextMove(rows, wish);
};
const UNSHARED: Rules = (rows, wish) => nextMove(rows, { ...wish, isEarlier: () => true });
const HASTY: Rules = (rows, wish) => nextMove(rows, { ...wish, isLiving: () => true });

describe('the model sees what is wrong with other rules', () => {
	const twoPaid = 'two videos are paid for';
	const paidTwice = 'a row is paid for twice';
	const notUsed = 'one that is there is not used';

	it.each<[rule: string, broken: string, mode: Mode, World['rules'] | World['blind'], number?]>([
		['the lowest id wins without waiting', twoPaid, 'Always Reuse', LOWEST_WINS],
		['decided on what was read before the insert', twoPaid, 'Always Reuse', 'return'],
		['confirmed without compare-and-set', twoPaid, 'Always Reuse', 'confirm'],
		['withdrawn without compare-and-set', 'what was paid for is deleted', 'Skip', 'withdraw'],
		['taken over without compare-and-set', paidTwice, 'Always Generate', 'takeOver'],
		['sent without compare-and-set', paidTwice, 'Always Generate', 'begin'],
		['sent although the claim has run out', paidTwice, 'Always Generate', 'post'],
		['handed on without compare-and-set', 'a row is handed on twice', 'Skip', 'handOn'],
		['an unclear request is taken over as unsent', notUsed, 'Always Generate', FORGETFUL],
		['a claim that nobody renews counts as alive', notUsed, 'Always Generate', HASTY],
		// It paid for a place that nobody had used while another run's request was unclear.
		['what was never sent goes first', notUsed, 'Always Generate', UNSENT_FIRST, 3],
		// With Generate Without Waiting a video is handed on faster than another run reads again.
		['what is handed on meanwhile is not shared', twoPaid, 'Reuse Key', UNSHARED],
	])('%s: %s', (_rule, broken, mode, wrong, runs = 2) => {
		const plant = typeof wrong === 'string' ? { blind: wrong } : { rules: wrong };
		expect(explore({ modes: of(runs, mode), crashes: true, lapses: true, ...plant }).broken).toBe(
			broken,
		);
	});

	it('withdrawn whenever anyone is seen: nobody may ever pay', () => {
		expect(endless({ modes: of(2, 'Always Reuse'), rules: SHY })[0]).toBeDefined();
	});
});

describe('a single reading', () => {
	const row = (given: Partial<ClaimedRow>): ClaimedRow => {
		const free = { id: 1, claim: '', claimedUntil: 0, handedOn: false, createdAt: 0 };
		return { ...free, status: 'SUCCESS', hasTask: true, ...given };
	};
	const held = { claim: 'another', claimedUntil: 500 };
	const bid = { status: 'PENDING', hasTask: false } as const;
	/** Of a run that crashed before it sent anything. */
	const place = { id: 2, status: 'CLAIMED', hasTask: false } as const;
	const meanwhile = { isShared: true, isEarlier: () => false };
	const alive = { isLiving: () => true };
	const pausing = { isPaused: () => true };
	const skip = { isShared: true, handedOn: { do: 'skip', maxAgeMs: 100 } } as const;
	const reuse = { handedOn: { do: 'reuse', maxAgeMs: 100 } } as const;

	it.each<[what: string, move: string, rows: Array<Partial<ClaimedRow>>, wish?: Partial<Wish>]>([
		['nothing', 'insert', []],
		['a paid video of the longest age', 'takeOver 1', [{}], { now: 100 }],
		['a paid video that is older', 'insert', [{}], { now: 101 }],
		['the newest of several', 'takeOver 9', [{}, { id: 9 }, { id: 4 }]],
		['a failed video that nobody got', 'insert', [{ status: 'FAILED' }]],
		['an unclear one that was told', 'insert', [{ status: 'UNCLEAR', handedOn: true }], reuse],
		['one handed on of the longest age', 'reuse 1', [{ handedOn: true }], { now: 100, ...reuse }],
		['one handed on that is older', 'insert', [{ handedOn: true }], { now: 101, ...reuse }],
		['one handed on, and one paid', 'takeOver 1', [{}, { id: 2, handedOn: true }], reuse],
		['one handed on, and a free place', 'reuse 1', [{ handedOn: true }, place], reuse],
		['one handed on meanwhile, of one key', 'join 1', [{ handedOn: true }], meanwhile],
		[
			'an unclear one, and a free place',
			'giveUp 1',
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
	])('of %s: %s', (_what, expected, rows, wish = {}) => {
		const common = { claim: 'me', now: 50, isShared: false, maxAgeMs: 100 };
		const asked = {
			isLiving: () => false,
			isPaused: () => false,
			isEarlier: () => true,
			...common,
			...wish,
		};
		const move = nextMove(rows.map(row), asked);
		expect('row' in move ? `${move.do} ${move.row.id}` : move.do).toBe(expected);
	});
});
