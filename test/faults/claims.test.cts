// Which run may pay for a video: every interleaving of two and three runs that want the same one, and whatever crashes between.
import { nextAction, type ClaimRequest } from '../../nodes/shared/idempotency/claims';
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

/** What may be paid for without crashes and without lapsed claims. */
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

const bidOf = (rows: readonly ModelRow[], { claim }: ClaimRequest) =>
	rows.find((row) => row.claim === claim && row.status === 'PENDING');

type Rules = NonNullable<World['rules']>;

const LOWEST_WINS: Rules = (rows, request) => {
	const [action, bid] = [nextAction(rows, request), bidOf(rows, request)];
	return bid && action.do === 'wait' ? { do: 'confirm', row: bid } : action;
};
const SHY: Rules = (rows, request) => {
	const bid = bidOf(rows, request);
	const others = rows.filter((row) => row !== bid && row.claimedUntil > NOW);
	return bid && others.length ? { do: 'withdraw', row: bid } : nextAction(rows, request);
};
const FORGETFUL: Rules = (rows, request) => {
	const action = nextAction(rows, request);
	return action.do === 'markUnclear' ? { do: 'takeOver', row: action.row } : action;
};
const UNSENT_FIRST: Rules = (rows, request) => {
	const unsent = rows.find((row) => row.status === 'CLAIMED' && row.claimedUntil <= NOW);
	return unsent && !bidOf(rows, request)
		? { do: 'takeOver', row: unsent }
		: nextAction(rows, request);
};
const UNSHARED: Rules = (rows, request) => nextAction(rows, { ...request, isEarlier: () => true });
const HASTY: Rules = (rows, request) => nextAction(rows, { ...request, isLive: () => true });

describe('the model sees what is wrong with other rules', () => {
	const twoPaid = 'two videos are paid for';
	const paidTwice = 'a row is paid for twice';
	const notUsed = 'one that is there is not used';
	const taken = 'a row is taken from the run that holds it';

	it.each<[rule: string, broken: string, mode: Mode, World['rules'] | World['blind'], number?]>([
		['the lowest id wins without waiting', twoPaid, 'Always Reuse', LOWEST_WINS],
		['decided on what was read before the insert', twoPaid, 'Always Reuse', 'return'],
		['confirmed without compare-and-set', twoPaid, 'Always Reuse', 'confirm'],
		['withdrawn without compare-and-set', 'what was paid for is deleted', 'Skip', 'withdraw'],
		['taken over without compare-and-set', taken, 'Always Generate', 'takeOver', 3],
		['sent although the claim has run out', paidTwice, 'Always Generate', 'post'],
		['handed on without compare-and-set', 'a row is handed on twice', 'Skip', 'handOn'],
		['an unclear request is taken over as unsent', notUsed, 'Always Generate', FORGETFUL],
		['a claim that nobody renews counts as alive', notUsed, 'Always Generate', HASTY],
		// It paid for an unused place while another run's request was unclear.
		['what was never sent goes first', notUsed, 'Always Generate', UNSENT_FIRST, 3],
		// With Generate Without Waiting a video is delivered before another run reads again.
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
