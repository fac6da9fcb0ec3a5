// Whether the oracle of the list of videos notices: the node with one promise about it taken out, and schedules that must
// show it.
import * as output from '../../nodes/Seedance/run/output';
import * as submit from '../../nodes/Seedance/run/submit';
import * as ends from '../../nodes/Seedance/videoList/rowChanges';
import * as listing from '../../nodes/Seedance/videoList/listing';
import { PaidVideos } from '../../nodes/Seedance/videoList/paidVideos';
import * as claims from '../../nodes/shared/idempotency/claims';
import * as dataTableList from '../../nodes/shared/idempotency/dataTableList';
import * as memory from '../../nodes/shared/idempotency/executionMemory';
import type { Step } from '../../nodes/shared/idempotency/videoList';
import * as fc from '../support/fastCheck.cjs';
import { openHarness, type Harness } from './harness.cjs';
import { checkListTrace, LIST_RULES, type ListRule, type ListViolation } from './listOracle.cjs';
import {
	LIST_REGRESSIONS,
	listRunner,
	listSchedules,
	type ListSchedule,
} from './listSchedules.cjs';
import { change, undoAll } from './mutants.cjs';

const SEED = 1;
/** At most so many run until the oracle has to have noticed. */
const MOST = 150;
const TIME_LIMIT_MS = 300_000;

let harness: Harness;
let run: ReturnType<typeof listRunner>;
let sampled: readonly ListSchedule[];

beforeAll(async () => {
	harness = await openHarness();
	run = listRunner(harness);
	sampled = fc.sample(listSchedules, { seed: SEED, numRuns: MOST });
});
afterAll(async () => await harness.close());
afterEach(undoAll);

/** Runs schedules until a rule is broken. */
async function firstBreach(
	rules: readonly ListRule[],
	list: readonly ListSchedule[],
): Promise<{ at: number; found: ListViolation[] }> {
	for (const [index, schedule] of list.entries()) {
		const violations = checkListTrace(harness, await run(schedule));
		const found = violations.filter(({ rule }) => rules.includes(rule));
		if (found.length) return { at: index + 1, found };
	}
	return { at: list.length, found: [] };
}

/** Leaves out steps of every call of the list. */
const leaveOut = (isLeftOut: (step: Step) => boolean) =>
	change(dataTableList, 'openDataTableList').to(async (real, ...call) => {
		const opened = await real(...call);
		if (!opened) return opened;
		const { list } = opened;
		const some = async (...steps: Step[]) => {
			const [first, ...rest] = steps.filter((step) => !isLeftOut(step));
			return first ? await list.run(first, ...rest) : [];
		};
		const { now, has } = { now: () => list.now(), has: list.has.bind(list) };
		return { ...opened, list: { run: some, start: () => undefined, now, has } };
	});

type Action = claims.ClaimAction<claims.ClaimedRow>;

/** What the protocol says next. */
const changeAction = (changed: (action: Action) => Action) =>
	change(claims, 'nextAction').to((real, ...call) => changed(real(...call)));

const pay = { do: 'insert', status: 'CLAIMED' } as const;

/** By topic of a regression, or `any` for random schedules, and rule: what the node does, and how it is made to. */
const MUTANTS: Record<string, Record<string, () => void>> = {
	'any | charged twice': {
		'has no list at all': () =>
			change(listing, 'consultList').to(async (_real, nodeRun, options) =>
				listing.emptyListing(nodeRun, options),
			),
		'pays again for what it has taken over': () =>
			changeAction((action) => (action.do === 'takeOver' && action.row.hasTask ? pay : action)),
		'pays although another execution is at the same video': () =>
			changeAction((action) => (action.do === 'join' || action.do === 'reuse' ? pay : action)),
	},
	'free restarts | charged twice': {
		'restarts more often than it may': () =>
			change(submit, 'submitAll').to((real, nodeRun, options, others) => {
				options.restarts += 1;
				return real(nodeRun, options, others);
			}),
	},
	'any | unclear': {
		'does not write the ID with the next request': () =>
			change(PaidVideos.prototype, 'sent').to(() => undefined),
	},
	'any | id lost': {
		'does not write the ID at all': () => {
			change(PaidVideos.prototype, 'sent').to(() => undefined);
			change(ends, 'rowOutcomeOf').to((real, ...call) => {
				const end = real(...call);
				return { ...end, change: { ...end.change, task_id: '' } };
			});
		},
	},
	'any | charged twice, unclear': {
		'pays for what is unclear without a report': () =>
			changeAction((action) => (action.do === 'markUnclear' ? pay : action)),
	},
	'any | sent without the list': {
		'sends without a compare-and-set': () =>
			change(PaidVideos.prototype, 'begin').to(async () => true),
		'sends what needs the list while it refuses': () =>
			change(listing, 'consultList').to(async (real, ...call) => ({
				...(await real(...call)),
				isNeeded: () => false,
			})),
	},
	'any | claim left': {
		'leaves rows that were never sent': () =>
			leaveOut((step) => step.do === 'delete' && step.all.some(({ value }) => value === 'CLAIMED')),
		'gives nothing back': () => leaveOut((step) => step.do === 'update' && step.set.claim === ''),
	},
	'any | wrong video': {
		'gives the items out from the last to the first': () =>
			change(output, 'outputOf').to((real, nodeRun, results, ...rest) =>
				real(nodeRun, [...results].reverse(), ...rest),
			),
	},
	'any | secret shown': {
		'writes the key of the account into the list': () =>
			change(ends, 'newRow').to((real, ...call) => ({
				...real(...call),
				error_message: call[1].credential.apiKey,
			})),
	},
	'frozen process | handed on twice': {
		'hands on what another execution has taken over': () =>
			change(PaidVideos.prototype, 'finish').to(async (real, results, isDelivered) => {
				await real(results, isDelivered);
				return [...results];
			}),
	},
	'run by hand | handed on twice': {
		'gives again in published runs too': () =>
			change(claims, 'nextAction').to((real, rows, request) =>
				real(rows, { ...request, handedOn: { do: 'reuse', maxAgeMs: Infinity } }),
			),
	},
	'Stop | handed on to nobody': {
		'takes what it gives out after Stop for handed on': () =>
			change(PaidVideos.prototype, 'finish').to(async (real, results) => await real(results, true)),
	},
	'further try | handed on to nobody': {
		'forgets what it has taken over': () =>
			change(memory, 'executionMemory').to((real, context) => {
				const own = real(context);
				return {
					...own,
					created: (keys, task) => (task.reused ? undefined : own.created(keys, task)),
				};
			}),
	},
	'healed list | charged twice, id lost, claim left, handed on twice': {
		'leaves a row that got its task as one that was not sent': () => {
			change(PaidVideos.prototype, 'sent').to(() => undefined);
			change(ends, 'rowOutcomeOf').to((real, ...call) => {
				const end = real(...call);
				const { status, ...rest } = end.change;
				return { ...end, change: status === 'FAILED' ? { ...rest, status } : rest };
			});
		},
	},
};

const list = Object.entries(MUTANTS).flatMap(([key, mutants]) => {
	const [topic, names] = key.split(' | ');
	const rules = LIST_RULES.filter((rule) => names.split(', ').includes(rule));
	return Object.entries(mutants).map(([what, spoil]) => ({ topic, rules, what, spoil }));
});

it('has a mutant for every rule and for every topic of the regressions', () => {
	const topics = list.map(({ topic }) => topic);
	expect(new Set(list.flatMap(({ rules }) => rules))).toEqual(new Set(LIST_RULES));
	expect(LIST_REGRESSIONS.filter(({ topic }) => !topics.includes(topic))).toEqual([]);
});

it(
	'finds nothing in the node as it is',
	async () => {
		expect((await firstBreach(LIST_RULES, sampled)).found).toEqual([]);
	},
	TIME_LIMIT_MS,
);

it.each(list)(
	'$topic: finds a node that $what',
	async ({ topic, rules, what, spoil }) => {
		const own = LIST_REGRESSIONS.filter((one) => one.topic === topic);
		spoil();
		const { at, found } = await firstBreach(
			rules,
			own.length > 0 ? own.map(({ schedule }) => schedule) : sampled,
		);
		const how = found.length ? `schedule ${at}, ${found[0].rule}: ${found[0].text}` : 'not noticed';
		process.stdout.write(`faults, mutants of the list: a node that ${what}: ${how}\n`);
		expect(found).not.toEqual([]);
	},
	TIME_LIMIT_MS,
);
