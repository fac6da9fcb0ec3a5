// Whether the judge bites: the node with one promise taken out, and random schedules that must find it. Nobody can make
// the judge milder, or the weather calmer, without one of these going red.
import * as fc from 'fast-check';

import * as pause from '../../nodes/Seedance/pause/pause';
import * as prepared from '../../nodes/Seedance/run/prepare';
import * as resumeAddress from '../../nodes/Seedance/pause/resumeAddress';
import * as results from '../../nodes/Seedance/run/output';
import * as nodeRun from '../../nodes/Seedance/run/run';
import * as api from '../../nodes/shared/api/client';
import * as brake from '../../nodes/shared/api/brake';
import * as download from '../../nodes/shared/api/download';
import * as envelope from '../../nodes/shared/api/envelope';
import { downloadFailed, notSent, type CallFailure } from '../../nodes/shared/task/errors';
import * as json from '../../nodes/shared/json';
import { KeyedMutex } from '../../nodes/shared/callback/keyedMutex';
import * as memory from '../../nodes/shared/idempotency/executionMemory';
import * as onError from '../../nodes/shared/n8n/onError';
import * as task from '../../nodes/shared/task/task';
import * as unsent from '../../nodes/shared/api/unsent';
import * as videoRequest from '../../nodes/shared/task/request';
import * as waiting from '../../nodes/shared/api/polling';
import { FINDINGS } from './findings.cjs';
import { judge, RULES, type Rule, type Violation } from './judge.cjs';
import { perform } from './perform.cjs';
import { schedules } from './random.cjs';
import { isStarting, NAMES, PLAIN, type Schedule } from './schedule.cjs';
import { openStage, type Stage } from './stage.cjs';
import { judgeCalls, performCalls, type Calls } from './toolCalls.cjs';

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
async function firstBreach(
	rules: readonly Rule[],
	list: readonly Schedule[] = played,
): Promise<{ at: number; found: Violation[] }> {
	for (const [index, schedule] of list.entries()) {
		const story = await perform(stage, schedule);
		const found = judge(stage, story).violations.filter(({ rule }) => rules.includes(rule));
		if (found.length) return { at: index + 1, found };
	}
	return { at: list.length, found: [] };
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
				underWay: () => undefined,
				hold: () => undefined,
				sending: () => undefined,
				created: () => undefined,
				forget: () => undefined,
				tasksOfRun: () => new Map(),
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
			const { watchTask } = waiting;
			return jest.spyOn(waiting, 'watchTask').mockImplementation(async (watched, wait) => {
				const deadline = wait.deadline + 2 * (wait.deadline - wait.startedAt) + 60_000;
				return await watchTask(watched, { ...wait, deadline });
			});
		},
	},
	{
		what: 'gives a task up when it cannot be read once',
		rules: ['wrong outcome'],
		take: () => {
			const { getTask } = api;
			return jest.spyOn(api, 'getTask').mockImplementation(async (...given) => {
				const read = await getTask(...given);
				return read.outcome === 'unavailable' ? { ...read, outcome: 'refused' } : read;
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
				return { outcome: 'unavailable', failure: { cause: 'no_answer', text: '' } };
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

/** A node that still has the fault of a finding. */
interface OldFault extends Bite {
	finding: number;
}

/** The reading of a task, changed. */
function readsAs(change: (read: task.Task, data: Record<string, unknown>) => task.Task) {
	const { readTask } = task;
	return jest.spyOn(task, 'readTask').mockImplementation((taskId, data, apiKey) => {
		const read = readTask(taskId, data, apiKey);
		return read && json.isObject(data) ? change(read, data) : read;
	});
}

/** What the last request for a video met. */
const lastVideoFault = () => stage.book.videos.at(-1)?.fault;

const OLD_FAULTS: OldFault[] = [
	{
		finding: 1,
		what: 'knows a video by the prompt that an expression has given',
		rules: ['charged twice'],
		take: () => {
			const { prepare } = prepared;
			return jest.spyOn(prepared, 'prepare').mockImplementation(async (run, itemIndex, ...rest) => {
				const item = await prepare(run, itemIndex, ...rest);
				if ('problem' in item) return item;
				const key = `${run.runIndex}:${itemIndex}:${item.request.prompt}`;
				return { ...item, memoryKeys: [key] };
			});
		},
	},
	{
		finding: 3,
		what: 'takes a 429 for a read that has failed',
		rules: ['wrong outcome'],
		take: () => {
			const { getTask } = api;
			return jest.spyOn(api, 'getTask').mockImplementation(async (...given) => {
				const read = await getTask(...given);
				const isLimited = read.outcome === 'unavailable' && read.failure.cause === 'rate_limited';
				return isLimited
					? { outcome: 'unavailable', failure: { cause: 'server_error', text: '' } }
					: read;
			});
		},
	},
	{
		finding: 4,
		what: 'believes the first 404',
		rules: ['wrong outcome'],
		take: () => {
			const { watchTask } = waiting;
			return jest
				.spyOn(waiting, 'watchTask')
				.mockImplementation(
					async (watched, wait) => await watchTask({ ...watched, createdAt: undefined }, wait),
				);
		},
	},
	{
		finding: 5,
		what: 'leaves a finished video lying',
		rules: ['took too long', 'wrong outcome'],
		take: () => {
			const { fetchVideo } = download;
			return jest.spyOn(download, 'fetchVideo').mockImplementation(async (context, video, how) => {
				await how.clock.sleep(90_000);
				return await fetchVideo(context, video, how);
			});
		},
	},
	{
		finding: 5,
		what: 'gives a dead link up without a new reading',
		rules: ['wrong outcome'],
		take: () => {
			const { fetchVideo } = download;
			return jest.spyOn(download, 'fetchVideo').mockImplementation(async (context, video, how) => {
				// Long enough for a brief link to die.
				await how.clock.sleep(25_000);
				return await fetchVideo(context, video, { ...how, readAgain: async () => undefined });
			});
		},
	},
	{
		finding: 6,
		what: 'takes a success without its video for the end',
		rules: ['wrong outcome'],
		take: () => jest.spyOn(task, 'hasEnded').mockImplementation(({ state }) => state !== 'running'),
	},
	{
		finding: 7,
		what: 'does not know the limit of its workflow',
		rules: ['took too long'],
		take: () => {
			const { runOf } = nodeRun;
			return jest
				.spyOn(nodeRun, 'runOf')
				.mockImplementation((...given) => ({ ...runOf(...given), workUntil: Infinity }));
		},
	},
	{
		finding: 8,
		what: 'lets a POST take ten times as long',
		rules: ['took too long'],
		take: () => {
			const limits: { POST_TIMEOUT_MS: number } = api;
			const longer = jest.replaceProperty(limits, 'POST_TIMEOUT_MS', api.POST_TIMEOUT_MS * 10);
			const { createTask } = api;
			const sent = jest
				.spyOn(api, 'createTask')
				.mockImplementation(
					async (context, credential, body, sending) =>
						await createTask(context, credential, body, { ...sending, deadline: Infinity }),
				);
			return {
				mockRestore: () => {
					longer.restore();
					sent.mockRestore();
				},
			};
		},
	},
	{
		finding: 9,
		what: 'takes every request without an answer for one that was sent',
		rules: ['wrong outcome'],
		take: () =>
			jest.spyOn(unsent, 'failureWithoutAnswer').mockReturnValue({ cause: 'no_answer', text: '' }),
	},
	{
		finding: 10,
		what: 'takes all accounts for one',
		rules: ['wrong outcome'],
		take: () => jest.spyOn(nodeRun, 'credentialKey').mockReturnValue('the account'),
	},
	{
		finding: 12,
		what: 'says of an item which it forgot that it cost nothing',
		rules: ['wrong outcome', 'id lost'],
		take: () => {
			const { inOrder } = results;
			return jest.spyOn(results, 'inOrder').mockImplementation((...given) => {
				const list = inOrder(...given);
				const problem = notSent('it was not reached.');
				return [...list.slice(0, -1), { seed: results.NO_SEED, problem }];
			});
		},
	},
	{
		finding: 13,
		what: 'gives out the address that resumes any node which waits',
		rules: ['resumed twice'],
		take: () =>
			jest
				.spyOn(resumeAddress, 'resumeUrlOf')
				.mockImplementation((context) =>
					String(context.evaluateExpression('{{ $execution.resumeUrl }}', 0)),
				),
	},
	{
		finding: 21,
		what: 'compares the length of a packed body with that of the video',
		rules: ['wrong outcome'],
		take: () => {
			const { fetchVideo } = download;
			return jest.spyOn(download, 'fetchVideo').mockImplementation(async (...given) => {
				const got = await fetchVideo(...given);
				if (lastVideoFault()?.kind !== 'encoded') return got;
				const { taskId } = got.task;
				const problem = downloadFailed(taskId, given[1].url, { why: 'only some bytes arrived' });
				return { ok: false, problem, task: got.task };
			});
		},
	},
	{
		finding: 22,
		what: 'stores whatever calls itself a video',
		rules: ['wrong outcome'],
		take: () => {
			const { fetchVideo } = download;
			return jest.spyOn(download, 'fetchVideo').mockImplementation(async (...given) => {
				const got = await fetchVideo(...given);
				if (got.ok || lastVideoFault()?.kind !== 'video-body') return got;
				const binary = { data: '', mimeType: 'video/mp4', bytes: 1 };
				return { ok: true, binary, task: got.task };
			});
		},
	},
	{
		finding: 30,
		what: 'looks for a reason in one place only',
		rules: ['wrong outcome'],
		take: () => {
			const reads = readsAs((read, { error_message }) =>
				typeof error_message === 'string' ? read : { ...read, errorMessage: null },
			);
			const beside = jest.spyOn(envelope, 'reasonOfAnswer').mockReturnValue('');
			return {
				mockRestore: () => {
					reads.mockRestore();
					beside.mockRestore();
				},
			};
		},
	},
	{
		finding: 31,
		what: 'finds a video in one form only',
		rules: ['wrong outcome'],
		take: () =>
			readsAs((read, { response }) => {
				const isUsual = Array.isArray(response) && typeof response[0] === 'string';
				return isUsual ? read : { ...read, videoUrl: null };
			}),
	},
	{
		finding: 31,
		what: 'knows few words for an end',
		rules: ['wrong outcome'],
		take: () =>
			readsAs((read) =>
				/^(SUCCESS|FAILED)$/.test(read.statusWord) ? read : { ...read, state: 'running' },
			),
	},
	{
		finding: 33,
		what: 'finds an id under one name only',
		rules: ['id lost', 'wrong outcome'],
		take: () =>
			jest
				.spyOn(envelope, 'taskIdOf')
				.mockImplementation((body) => json.textOf(envelope.dataOf(body).task_id)),
	},
	{
		finding: 33,
		what: 'refuses an id that it has given out',
		rules: ['wrong outcome'],
		take: () =>
			jest
				.spyOn(task, 'isTaskId')
				.mockImplementation((text) => /^[^\s\p{C}{}<>"']{1,200}$/u.test(text)),
	},
	{
		finding: 36,
		what: 'has no brake',
		rules: ['sent again'],
		take: () =>
			jest.spyOn(brake, 'brakeOf').mockImplementation((clock) => ({
				turn: async () => await clock.sleep(1_000),
				slowDown: () => undefined,
				answered: () => undefined,
				limitedInARow: 0,
				isDown: false,
			})),
	},
	{
		finding: 40,
		what: 'gives out raw data as they came, with or without an id',
		rules: ['wrong outcome', 'id lost'],
		take: () => jest.spyOn(task, 'rawItem').mockImplementation((raw) => ({ ...raw })),
	},
	{
		finding: 0,
		what: 'gives an API up after five reads in a row',
		rules: ['wrong outcome'],
		take: () => {
			const { getTask } = api;
			let failures = 0;
			return jest.spyOn(api, 'getTask').mockImplementation(async (...given) => {
				const read = await getTask(...given);
				failures = read.outcome === 'unavailable' ? failures + 1 : 0;
				return read.outcome === 'unavailable' && failures >= 5
					? { ...read, outcome: 'refused' }
					: read;
			});
		},
	},
];

/**
 * The findings that this judge cannot see, and why. Their tests stand elsewhere.
 */
const UNSEEN: Readonly<Record<number, string>> = {
	11: 'no schedule holds a parameter that cannot be evaluated',
	14: 'the trigger is no part of the schedules, and the pause reads its tasks whatever a body says',
	15: 'the engine stores a pause at once, so there is no moment in which a callback is too early for it',
	16: 'schedules do not update the package while an execution pauses',
	17: 'what is left over in memory shows in no output; the test of leaks looks at it',
	18: 'the trigger is no part of the schedules',
	19: 'everything here is on one machine, whose addresses reach each other',
	23: 'the judge reads no sentences, and the old one was wrong in its words alone',
	24: 'schedules have a disk with room',
	25: 'schedules have no images',
	26: 'an expression that gives an object is a value to be refused, as "isWrong" is; which ones are is the unit tests’',
	27: 'as 26',
	28: 'as 26',
	29: 'as 26',
	32: 'seen as 31: the same schedules use the words',
	34: 'the judge reads no sentences',
	35: 'the judge reads no sentences',
	37: 'the engine does not call the hook of a credential',
	38: 'the judge reads no sentences, and the sandbox serves every User-Agent',
	39: 'the judge reads no sentences',
	41: 'schedules play one execution at a time',
};

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

describe('finds a node that still', () => {
	it.each(OLD_FAULTS)(
		'$what (finding $finding)',
		async ({ finding, what, rules, take }) => {
			const own = FINDINGS.filter(([number]) => number === finding).map(
				([, , part]): Schedule => ({ ...PLAIN, ...part }),
			);
			const list = own.length > 0 ? own : played.slice(0, MOST);
			const taken = take();
			const { at, found } = await firstBreach(rules, list).finally(() => taken.mockRestore());
			process.stdout.write(
				`faults, bites: a node that still ${what}: ${found.length ? `schedule ${at}, ${found[0].rule}: ${found[0].text}` : 'not noticed'}\n`,
			);
			expect(found).not.toEqual([]);
		},
		TIME_LIMIT_MS,
	);

	it(
		'looks, waits, and then acts (finding 2)',
		async () => {
			const { memoryIn } = memory;
			const taken = jest.spyOn(memory, 'memoryIn').mockImplementation((context) => ({
				...memoryIn(context),
				underWay: () => undefined,
			}));
			const equal = { name: NAMES[0], after: 0 };
			const calls: Calls = {
				operation: 'generateAndWait',
				calls: [equal, equal],
				fates: PLAIN.fates,
				faults: [],
				retryOnFail: false,
				onError: 'stopWorkflow',
				affordable: null,
			};
			const run = await performCalls(stage, calls).finally(() => taken.mockRestore());
			expect(judgeCalls(stage, calls, run).violations).not.toEqual([]);
		},
		TIME_LIMIT_MS,
	);
});

it('sees every finding, or says why it cannot', () => {
	const seen = [2, 20, ...OLD_FAULTS.map(({ finding }) => finding)];
	const all = Array.from({ length: 41 }, (_, index) => index + 1);
	expect(all.filter((number) => !seen.includes(number) && !(number in UNSEEN))).toEqual([]);
});
