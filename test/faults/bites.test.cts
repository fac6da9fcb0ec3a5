// Whether the judge bites: the node with one promise taken out, and random schedules that must find it. Nobody can make
// the judge milder, or the weather calmer, without one of these going red.
import * as fc from 'fast-check';

import * as pause from '../../nodes/Seedance/pause';
import * as results from '../../nodes/Seedance/results';
import * as api from '../../nodes/shared/api';
import type { CallFailure } from '../../nodes/shared/errors';
import * as json from '../../nodes/shared/json';
import { KeyedMutex } from '../../nodes/shared/keyedMutex';
import * as memory from '../../nodes/shared/memory';
import * as onError from '../../nodes/shared/onError';
import * as task from '../../nodes/shared/task';
import * as videoRequest from '../../nodes/shared/videoRequest';
import * as waiting from '../../nodes/shared/waiting';
import { judge, RULES, type Rule, type Violation } from './judge.cjs';
import { perform } from './perform.cjs';
import { schedules } from './random.cjs';
import { isStarting, type Schedule } from './schedule.cjs';
import { openStage, type Stage } from './stage.cjs';

/** Always the same schedules: this is about the judge, not about luck. */
const SEED = 1;
/** At most so many are played until the judge has to have noticed. */
const MOST = 150;
const TIME_LIMIT_MS = 120_000;

let stage: Stage;
let played: readonly Schedule[];

beforeAll(async () => {
	stage = await openStage();
	played = fc
		.sample(schedules, { seed: SEED, numRuns: MOST * 2 })
		.filter(({ operation }) => isStarting(operation))
		.slice(0, MOST);
});
afterAll(async () => await stage.close());

/** Plays until a rule is broken; what was broken, and at which schedule. */
async function firstBreach(rules: readonly Rule[]): Promise<{ at: number; found: Violation[] }> {
	for (const [index, schedule] of played.entries()) {
		const story = await perform(stage, schedule);
		const found = judge(stage, story).violations.filter(({ rule }) => rules.includes(rule));
		if (found.length) return { at: index + 1, found };
	}
	return { at: played.length, found: [] };
}

/** The node without one of its promises, until `restore`. */
interface Bite {
	what: string;
	rules: Rule[];
	take: () => { mockRestore: () => void };
}

/** `createTask` that sends again after what may have been accepted. */
function sendsAgainAfter(...causes: Array<CallFailure['cause']>) {
	const { createTask } = api;
	return jest.spyOn(api, 'createTask').mockImplementation(async (...call) => {
		let created = await createTask(...call);
		for (let tries = 1; tries < 3; tries += 1) {
			if (created.outcome !== 'unclear' || !causes.includes(created.failure.cause)) break;
			created = await createTask(...call);
		}
		return created;
	});
}

const BITES: Bite[] = [
	{
		what: 'remembers no task that it has made',
		rules: ['charged twice'],
		take: () =>
			jest.spyOn(memory, 'memoryIn').mockImplementation(() => ({
				recall: () => ({ state: 'none' }),
				sending: () => undefined,
				created: () => undefined,
				forget: () => undefined,
			})),
	},
	{
		what: 'remembers no POST whose answer was lost',
		rules: ['charged twice', 'sent again'],
		take: () => {
			const { memoryIn } = memory;
			return jest.spyOn(memory, 'memoryIn').mockImplementation((context) => ({
				...memoryIn(context),
				sending: () => undefined,
			}));
		},
	},
	{
		what: 'makes failed tasks anew without being asked',
		rules: ['charged twice'],
		take: () => {
			const { memoryIn } = memory;
			return jest.spyOn(memory, 'memoryIn').mockImplementation((context) => {
				const true_ = memoryIn(context);
				return {
					...true_,
					recall: (key) => {
						const found = true_.recall(key);
						const made = found.state === 'created' ? stage.sandbox.tasks.get(found.taskId) : null;
						return made?.ended && made.outcome.status === 'FAILED' ? { state: 'none' } : found;
					},
				};
			});
		},
	},
	{
		what: 'sends a POST again after any 5xx',
		rules: ['charged twice', 'sent again'],
		take: () => sendsAgainAfter('server_error'),
	},
	{
		what: 'sends a POST again after a lost connection',
		rules: ['charged twice', 'sent again'],
		take: () => sendsAgainAfter('no_answer'),
	},
	{
		what: 'forgets that it has paused, and submits again',
		rules: ['charged twice', 'went on'],
		take: () => jest.spyOn(pause, 'pauseBefore').mockReturnValue(undefined),
	},
	{
		what: 'says of everything that it cost nothing',
		rules: ['wrong outcome'],
		take: () => {
			const { failedItem } = onError;
			return jest
				.spyOn(onError, 'failedItem')
				.mockImplementation((item, problem) => failedItem(item, { ...problem, charged: 'no' }));
		},
	},
	{
		what: 'says of everything that its cost is not known',
		rules: ['wrong outcome'],
		take: () => {
			const { failedItem } = onError;
			return jest
				.spyOn(onError, 'failedItem')
				.mockImplementation((item, problem) =>
					failedItem(item, { ...problem, charged: 'unknown' }),
				);
		},
	},
	{
		what: 'throws the answer away that holds the id',
		rules: ['id lost'],
		take: () => {
			const { createTask } = api;
			return jest.spyOn(api, 'createTask').mockImplementation(async (context, ...call) => {
				const created = await createTask(context, ...call);
				if (created.outcome !== 'created') return created;
				return { outcome: 'unclear', failure: { cause: 'unreadable', text: '' } };
			});
		},
	},
	{
		what: 'gives a task that failed as one that succeeded',
		rules: ['wrong outcome'],
		take: () => {
			const { readTask } = task;
			return jest.spyOn(task, 'readTask').mockImplementation((taskId, ...more) => {
				const read = readTask(taskId, ...more);
				if (read?.state !== 'failed') return read;
				const videoUrl = `${stage.sandbox.origin}/videos/${taskId}.mp4`;
				return { ...read, state: 'succeeded', videoUrl };
			});
		},
	},
	{
		what: 'gives a task that succeeded as one that failed',
		rules: ['wrong outcome'],
		take: () => {
			const { readTask } = task;
			return jest.spyOn(task, 'readTask').mockImplementation((taskId, ...more) => {
				const read = readTask(taskId, ...more);
				return read?.state === 'succeeded' ? { ...read, state: 'failed' } : read;
			});
		},
	},
	{
		what: 'gives the last two items in each other’s place',
		rules: ['items', 'wrong outcome'],
		take: () => {
			const { inOrder } = results;
			return jest.spyOn(results, 'inOrder').mockImplementation((...given) => {
				const list = inOrder(...given);
				return [...list.slice(0, -2), ...list.slice(-2).reverse()];
			});
		},
	},
	{
		what: 'drops the last item',
		rules: ['items'],
		take: () => {
			const { inOrder } = results;
			return jest
				.spyOn(results, 'inOrder')
				.mockImplementation((...given) => inOrder(...given).slice(0, -1));
		},
	},
	{
		what: 'goes on although On Error is Stop',
		rules: ['went on'],
		take: () => {
			const { onErrorOf } = onError;
			return jest.spyOn(onError, 'onErrorOf').mockImplementation((node) => {
				const setting = onErrorOf(node);
				return setting === 'stop' ? 'continue' : setting;
			});
		},
	},
	{
		what: 'throws although On Error is Continue',
		rules: ['went on'],
		take: () => jest.spyOn(onError, 'onErrorOf').mockReturnValue('stop'),
	},
	{
		what: 'waits three times as long as it may',
		rules: ['took too long'],
		take: () => {
			const { timeoutMs } = waiting;
			return jest
				.spyOn(waiting, 'timeoutMs')
				.mockImplementation((...given) => timeoutMs(...given) * 3 + 60_000);
		},
	},
	{
		what: 'gives a task up when it cannot be read once',
		rules: ['wrong outcome'],
		take: () => {
			const { getTask } = api;
			return jest.spyOn(api, 'getTask').mockImplementation(async (...given) => {
				const read = await getTask(...given);
				return read.outcome === 'transient' ? { ...read, outcome: 'final' } : read;
			});
		},
	},
	{
		what: 'pauses without a last look at its tasks',
		rules: ['wrong outcome'],
		take: () => {
			const { pauseFor } = pause;
			const { getTask } = api;
			let isPausing = false;
			const looks = jest.spyOn(api, 'getTask').mockImplementation(async (...given) => {
				if (!isPausing) return await getTask(...given);
				return { outcome: 'transient', failure: { cause: 'no_answer', text: '' } };
			});
			const pauses = jest.spyOn(pause, 'pauseFor').mockImplementation(async (...given) => {
				isPausing = true;
				return await pauseFor(...given).finally(() => (isPausing = false));
			});
			return {
				mockRestore: () => {
					looks.mockRestore();
					pauses.mockRestore();
				},
			};
		},
	},
	{
		what: 'takes callbacks of the same moment without one waiting for the other',
		rules: ['resumed twice'],
		take: () =>
			jest
				.spyOn(KeyedMutex.prototype, 'acquire')
				.mockReturnValue({ isHeld: async () => true, release: () => undefined }),
	},
	{
		what: 'sends a field that the API does not know',
		rules: ['contract'],
		take: () => {
			const { requestBody } = videoRequest;
			return jest
				.spyOn(videoRequest, 'requestBody')
				.mockImplementation((request) => Object.assign(requestBody(request), { model: 'best' }));
		},
	},
	{
		what: 'cuts no secrets out of the API’s data',
		rules: ['secret shown'],
		take: () =>
			jest
				.spyOn(json, 'withoutSecrets')
				.mockImplementation((value) => JSON.parse(JSON.stringify(value))),
	},
];

it('takes out something of every rule', () => {
	expect(new Set(BITES.flatMap(({ rules }) => rules))).toEqual(new Set(RULES));
});

it(
	'finds nothing in the node as it is',
	async () => {
		expect((await firstBreach(RULES)).found).toEqual([]);
	},
	TIME_LIMIT_MS,
);

describe('finds a node that', () => {
	it.each(BITES)(
		'$what',
		async ({ what, rules, take }) => {
			const taken = take();
			const { at, found } = await firstBreach(rules).finally(() => taken.mockRestore());
			process.stdout.write(
				`faults, bites: a node that ${what}: ${found.length ? `schedule ${at}, ${found[0].rule}: ${found[0].text}` : 'not noticed'}\n`,
			);
			expect(found).not.toEqual([]);
		},
		TIME_LIMIT_MS,
	);
});
