// Whether the oracle notices: the node with one promise taken out, and schedules that must show it. Nobody can make the
// oracle milder, or the faults rarer, without one of these going red.
import * as pause from '../../nodes/Seedance/pause/pause';
import * as resumeAddress from '../../nodes/Seedance/pause/resumeAddress';
import * as output from '../../nodes/Seedance/run/output';
import * as result from '../../nodes/Seedance/run/result';
import { Submission } from '../../nodes/Seedance/run/submission';
import * as submit from '../../nodes/Seedance/run/submit';
import { StartLimiter } from '../../nodes/Seedance/run/startLimiter';
import * as prepared from '../../nodes/Seedance/run/prepare';
import * as nodeRun from '../../nodes/Seedance/run/run';
import * as findTask from '../../nodes/shared/api/findTask';
import * as versions from '../../nodes/shared/api/versions';
import * as throttle from '../../nodes/shared/api/throttle';
import * as api from '../../nodes/shared/api/client';
import * as download from '../../nodes/shared/api/download';
import * as envelope from '../../nodes/shared/api/envelope';
import * as polling from '../../nodes/shared/api/polling';
import * as retry from '../../nodes/shared/api/retry';
import { AdaptiveLimit } from '../../nodes/shared/api/adaptiveLimit';
import * as unsent from '../../nodes/shared/api/networkError';
import { KeyedMutex } from '../../nodes/shared/n8n/keyedMutex';
import * as memory from '../../nodes/shared/idempotency/executionMemory';
import * as json from '../../nodes/shared/json';
import * as onError from '../../nodes/shared/n8n/onError';
import {
	downloadFailed,
	notSent,
	type CallFailure,
	type Problem,
} from '../../nodes/shared/task/errors';
import { modelNamed } from '../../nodes/shared/task/models';
import * as ownTrouble from '../../nodes/shared/task/restartable';
import * as videoRequest from '../../nodes/shared/task/request';
import * as task from '../../nodes/shared/task/task';
import * as taskItem from '../../nodes/shared/task/taskItem';
import * as fc from '../support/fastCheck.cjs';
import { openHarness, type Harness } from './harness.cjs';
import { change, undoAll, undoLater } from './mutants.cjs';
import { checkTrace } from './oracle.cjs';
import { RULES, type Report, type Rule } from './oracle/facts.cjs';
import { runSchedule } from './runner.cjs';
import { isStarting, REGRESSIONS, schedules, type Schedule } from './schedule.cjs';
import { checkToolCalls, EQUAL } from './toolCalls.cjs';

/** Always the same schedules: this is about the oracle, not about luck. */
const SEED = 1;
/** At most so many run until the oracle has to have noticed. */
const MOST = 150;
/** On a busy machine. */
const TIME_LIMIT_MS = 300_000;

let harness: Harness;
let sampled: readonly Schedule[];

beforeAll(async () => {
	harness = await openHarness();
	sampled = fc
		.sample(schedules, { seed: SEED, numRuns: MOST * 2 })
		.filter(({ operation }) => isStarting(operation))
		.slice(0, MOST);
});
afterAll(async () => await harness.close());

/** Runs schedules until a rule is broken: at which one, and how. */
async function firstBreach(
	rules: readonly Rule[],
	list: readonly Schedule[],
): Promise<{ at: number; found: Report['violations'] }> {
	for (const [index, schedule] of list.entries()) {
		const { violations } = checkTrace(harness, await runSchedule(harness, schedule));
		const found = violations.filter(({ rule }) => rules.includes(rule));
		if (found.length) return { at: index + 1, found };
	}
	return { at: list.length, found: [] };
}

afterEach(undoAll);

const changeMemory = (changed: (real: memory.ExecutionMemory) => Partial<memory.ExecutionMemory>) =>
	change(memory, 'executionMemory').to((real, context) => {
		const own = real(context);
		return { ...own, ...changed(own) };
	});

/** Sends again after what may have been accepted, without the list: that refuses a second request. */
const sendAgainAfter = (cause: CallFailure['cause']) =>
	change(api, 'postTask').to(async (real, ...call) => {
		let created = await real(...call);
		for (let tries = 1; tries < 3; tries += 1) {
			if (created.outcome !== 'unclear' || created.failure.cause !== cause) break;
			created = await real(...call);
		}
		return created;
	});

const changeCharged = (charged: Problem['charged']) =>
	change(onError, 'failedItem').to((real, item, problem) => real(item, { ...problem, charged }));

const changeRestarts = (changed: (restarts: number) => number) =>
	change(submit, 'submitAll').to((real, run, options, others) => {
		// The same object passes it to the watcher of the tasks.
		options.restarts = changed(options.restarts);
		return real(run, options, others);
	});

/** What is read out of the data of a task. */
const changeTask = (changed: (read: task.Task, data: Record<string, unknown>) => task.Task) =>
	change(task, 'readTask').to((real, taskId, data, ...rest) => {
		const read = real(taskId, data, ...rest);
		return read && json.isObject(data) ? changed(read, data) : read;
	});

type Changed<T> = (value: T) => T;

const changeRead = (changed: Changed<Awaited<ReturnType<typeof api.getTask>>>) =>
	change(api, 'getTask').to(async (real, ...call) => changed(await real(...call)));

const changeItems = (changed: Changed<readonly result.Result[]>) =>
	change(output, 'outputOf').to((real, run, results, ...rest) =>
		real(run, changed(results), ...rest),
	);

/** What the last request for a video met. */
const lastVideoFault = () => harness.requests.videos.at(-1)?.fault?.kind;

const nothing = () => undefined;

/**
 * By topic and rules, what the node does, and how it is made to. A mutant has to break one of its rules in the regressions of
 * its topic; where there are none, in the random schedules.
 */
const MUTANTS: Record<string, Record<string, () => void>> = {
	'any | charged twice': {
		'remembers no task that it has made': () =>
			changeMemory(() => ({
				recall: () => ({ state: 'none' }),
				inFlight: nothing,
				hold: nothing,
				sending: nothing,
				created: nothing,
				forget: nothing,
				tasksOfRun: () => new Map(),
			})),
		'restarts failed tasks without being asked': () =>
			changeMemory((real) => ({
				recall: (key) => {
					const found = real.recall(key);
					const made = 'taskId' in found ? harness.sandbox.tasks.get(found.taskId) : undefined;
					return made?.ended && made.outcome.status === 'FAILED' ? { state: 'none' } : found;
				},
			})),
	},
	'any | charged twice, sent again': {
		'remembers no POST whose response was lost': () => changeMemory(() => ({ sending: nothing })),
		'sends a POST again after any 5xx': () => sendAgainAfter('server_error'),
		'sends a POST again after a lost connection': () => sendAgainAfter('no_response'),
	},
	'any | charged twice, went on': {
		'forgets that it has paused, and submits again': () => change(pause, 'storedPause').to(nothing),
	},
	'any | id lost': {
		'throws the response away that holds the id': () =>
			change(retry, 'createTask').to(async (real, ...call) => {
				const created = await real(...call);
				if (created.outcome !== 'created') return created;
				return { outcome: 'unclear', failure: { cause: 'unreadable', text: '' } };
			}),
	},
	'any | items': {
		'drops the last item': () => changeItems((list) => list.slice(0, -1)),
	},
	'any | items, wrong outcome': {
		'gives the last two items in each other’s place': () =>
			changeItems((list) => [...list.slice(0, -2), ...list.slice(-2).reverse()]),
	},
	'any | wrong outcome': {
		'says of everything that it cost nothing': () => changeCharged('no'),
		'says of everything that its cost is unclear': () => changeCharged('unknown'),
		'gives a task that failed as one that succeeded': () =>
			changeTask((read) => {
				const videoUrl = `${harness.sandbox.origin}/videos/${read.taskId}.mp4`;
				return read.state === 'failed' ? { ...read, state: 'succeeded', videoUrl } : read;
			}),
		'gives a task that succeeded as one that failed': () =>
			changeTask((read) => (read.state === 'succeeded' ? { ...read, state: 'failed' } : read)),
		'gives a task up when it cannot be read once': () =>
			changeRead((read) =>
				read.outcome === 'unavailable' ? { ...read, outcome: 'refused' } : read,
			),
		'pauses without a last read of its tasks': () => {
			let isPausing = false;
			const failure = { cause: 'no_response', text: '' } as const;
			change(api, 'getTask').to(async (real, ...call) =>
				isPausing ? { outcome: 'unavailable', failure } : await real(...call),
			);
			change(pause, 'pauseFor').to(async (real, ...given) => {
				isPausing = true;
				return await real(...given).finally(() => (isPausing = false));
			});
		},
	},
	'any | went on': {
		'goes on although On Error is Stop': () =>
			change(onError, 'onErrorOf').to((real, node) => {
				const setting = real(node);
				return setting === 'stop' ? 'continue' : setting;
			}),
		'throws although On Error is Continue': () => change(onError, 'onErrorOf').to(() => 'stop'),
	},
	'any | took too long': {
		'waits three times as long as it may': () =>
			change(polling, 'watchTask').to(async (real, watched, wait) => {
				const deadline = wait.deadline + 2 * (wait.deadline - wait.startedAt) + 60_000;
				return await real(watched, { ...wait, deadline });
			}),
	},
	'any | resumed twice': {
		'handles callbacks of the same moment without one waiting for the other': () => {
			const free = { isFree: true, waitUntilHeld: async () => true, release: nothing };
			change(KeyedMutex.prototype, 'acquire').to(() => free);
		},
	},
	'any | contract': {
		'sends a field that the API does not know': () =>
			change(videoRequest, 'requestBody').to((real, request) =>
				Object.assign(real(request), { model: 'best' }),
			),
	},
	'any | secret shown': {
		'cuts no secrets out of the API’s data': () =>
			change(json, 'withoutSecrets').to((_real, value) => JSON.parse(JSON.stringify(value))),
	},
	'models | contract': {
		'reads a task of version 2 at /v1 only': () =>
			change(findTask, 'findTask').to(
				async (_real, context, wanted) => await api.getTask(context, { ...wanted, version: 'v1' }),
			),
		'sends what version 2 takes to /v1': () =>
			change(versions, 'baseUrlOf').to((_real, { baseUrl }) => baseUrl),
	},
	'changing models | contract': {
		'reads a recalled task in the version of the item’s model now': () =>
			change(Submission.prototype, 'take').to((real, item, sent, how) =>
				real(item, 'problem' in sent ? sent : { ...sent, model: undefined }, how),
			),
	},
	'changing models | wrong outcome': {
		'shows the price of the item’s model now': () =>
			change(Submission.prototype, 'take').to((real, item, sent, how) => {
				const model = 'problem' in sent ? undefined : sent.model;
				const named = modelNamed(model ?? '');
				return real(named ? { ...item, model: named } : item, sent, how);
			}),
	},
	'Free Restarts | charged twice': {
		'restarts what has failed and was charged': () =>
			change(ownTrouble, 'isRestartable').to((real, failed) =>
				real({ ...failed, consumedCredits: 0 }),
			),
		'restarts whatever has failed for free': () =>
			change(ownTrouble, 'isRestartable').to(
				(_real, { state, consumedCredits }) => state === 'failed' && consumedCredits === 0,
			),
		'restarts more often than it may': () => changeRestarts((restarts) => restarts + 1),
	},
	'Free Restarts | wrong outcome': {
		'restarts nothing': () => changeRestarts(() => 0),
	},
	'full account | sent again': {
		'sends a POST again as soon as it got 429': () =>
			change(AdaptiveLimit.prototype, 'onRateLimited').to(nothing),
	},
	'Maximum Videos at Once | went on': {
		'starts all videos at once': () => change(StartLimiter.prototype, 'msUntilSlot').to(() => 0),
	},
	'changing prompts | charged twice': {
		'identifies a video by the prompt that an expression has given': () =>
			change(prepared, 'prepareAll').to(async (real, run, ...rest) =>
				(await real(run, ...rest)).map((item) => {
					if ('problem' in item) return item;
					return { ...item, keys: [`${run.runIndex}:${item.itemIndex}:${item.body.prompt}`] };
				}),
			),
	},
	'limited reads | wrong outcome': {
		'takes a 429 for a read that has failed': () =>
			changeRead((read) =>
				read.outcome === 'unavailable' && read.failure.cause === 'rate_limited'
					? { outcome: 'unavailable', failure: { cause: 'server_error', text: '' } }
					: read,
			),
	},
	'tasks not there yet | wrong outcome': {
		'believes the first 404': () =>
			change(polling, 'watchTask').to(
				async (real, watched, wait) => await real({ ...watched, createdAt: undefined }, wait),
			),
	},
	'links | took too long, wrong outcome': {
		'leaves a finished video for later': () =>
			change(download, 'fetchVideo').to(async (real, ...call) => {
				await call[2].clock.sleep(90_000);
				return await real(...call);
			}),
	},
	'links | wrong outcome': {
		'gives a dead link up without a new reading': () =>
			change(download, 'fetchVideo').to(async (real, context, video, how) => {
				// Long enough for a brief link to die.
				await how.clock.sleep(25_000);
				return await real(context, video, { ...how, readAgain: async () => undefined });
			}),
	},
	'late URLs | wrong outcome': {
		'takes a success without its video for the end': () =>
			change(task, 'hasEnded').to((_real, { state }) => state !== 'running'),
	},
	'time limits | took too long': {
		'ignores the limit of its workflow': () =>
			change(nodeRun, 'runOf').to((real, ...given) => ({ ...real(...given), workUntil: Infinity })),
	},
	'dripping responses | took too long': {
		'lets a POST take ten times as long': () => {
			const limits: { POST_TIMEOUT_MS: number } = api;
			const usual = limits.POST_TIMEOUT_MS;
			limits.POST_TIMEOUT_MS = usual * 10;
			undoLater(() => (limits.POST_TIMEOUT_MS = usual));
			change(retry, 'createTask').to(
				async (real, context, credential, body, sending) =>
					await real(context, credential, body, { ...sending, deadline: Infinity }),
			);
		},
	},
	'unreachable | wrong outcome': {
		'takes every request without a response for one that was sent': () =>
			change(unsent, 'failureOfNetworkError').to(() => ({ cause: 'no_response', text: '' })),
	},
	'accounts | wrong outcome': {
		'takes all accounts for one': () => change(nodeRun, 'credentialKey').to(() => 'one'),
	},
	'forgotten items | wrong outcome, id lost': {
		'says of an item which it forgot that it cost nothing': () => {
			const forgotten = { seed: result.NO_SEED, problem: notSent('it was not reached.') };
			changeItems((list) => [...list.slice(0, -1), forgotten]);
		},
	},
	'resume addresses | resumed twice': {
		'gives out the address that resumes any node which waits': () =>
			change(resumeAddress, 'resumeUrlOf').to((_real, context) =>
				String(context.evaluateExpression('{{ $execution.resumeUrl }}', 0)),
			),
	},
	'packed videos | wrong outcome': {
		'compares the length of a packed body with that of the video': () =>
			change(download, 'fetchVideo').to(async (real, ...call) => {
				const got = await real(...call);
				if (lastVideoFault() !== 'encoded') return got;
				const why = 'only some bytes arrived';
				const problem = downloadFailed(got.task.taskId, call[1].url, { why });
				return { ok: false, problem, task: got.task };
			}),
	},
	'bodies | wrong outcome': {
		'stores whatever calls itself a video': () =>
			change(download, 'fetchVideo').to(async (real, ...call) => {
				const got = await real(...call);
				if (got.ok || lastVideoFault() !== 'video-body') return got;
				const binary = { data: '', mimeType: 'video/mp4', bytes: 1 };
				return { ok: true, binary, task: got.task };
			}),
	},
	'reasons | wrong outcome': {
		'reads a reason in one place only': () => {
			changeTask((read, { error_message }) =>
				typeof error_message === 'string' ? read : { ...read, errorMessage: null },
			);
			change(envelope, 'reasonInBody').to(() => '');
		},
	},
	'video forms | wrong outcome': {
		'finds a video in one form only': () =>
			changeTask((read, { response }) => {
				const isUsual = Array.isArray(response) && typeof response[0] === 'string';
				return isUsual ? read : { ...read, videoUrl: null };
			}),
		'understands few words for an end': () =>
			changeTask((read) =>
				/^(SUCCESS|FAILED)$/.test(read.statusWord) ? read : { ...read, state: 'running' },
			),
	},
	'ids | id lost, wrong outcome': {
		'finds an id under one name only': () =>
			change(envelope, 'taskIdOf').to((_real, body) => json.textOf(envelope.dataOf(body).task_id)),
	},
	'ids | wrong outcome': {
		'refuses an id that it has given out': () =>
			change(task, 'isTaskId').to((_real, text) => /^[^\s\p{C}{}<>"']{1,200}$/u.test(text)),
	},
	'limited POSTs | sent again': {
		'has no throttle': () =>
			change(throttle, 'createThrottle').to((_real, clock) => ({
				acquire: async () => await clock.sleep(1_000),
				onRateLimited: nothing,
				onResponse: nothing,
				consecutive429s: 0,
				isDown: false,
			})),
	},
	'missing ids | wrong outcome, id lost': {
		'gives out raw data as they came, with or without an id': () =>
			change(taskItem, 'rawItem').to((_real, raw) => ({ ...raw })),
	},
	'outages | wrong outcome': {
		'gives an API up after five reads in a row': () => {
			let failures = 0;
			changeRead((read) => {
				failures = read.outcome === 'unavailable' ? failures + 1 : 0;
				return read.outcome === 'unavailable' && failures >= 5
					? { ...read, outcome: 'refused' }
					: read;
			});
		},
	},
};

const list = Object.entries(MUTANTS).flatMap(([key, mutants]) => {
	const [topic, names] = key.split(' | ');
	const rules = RULES.filter((rule) => names.split(', ').includes(rule));
	return Object.entries(mutants).map(([what, spoil]) => ({ topic, rules, what, spoil }));
});

it('has a mutant for every rule and for every topic of the regressions', () => {
	const topics = list.map(({ topic }) => topic);
	expect(new Set(list.flatMap(({ rules }) => rules))).toEqual(new Set(RULES));
	expect(REGRESSIONS.filter(({ topic }) => !topics.includes(topic))).toEqual([]);
});

it(
	'finds nothing in the node as it is',
	async () => {
		expect((await firstBreach(RULES, sampled)).found).toEqual([]);
	},
	TIME_LIMIT_MS,
);

it.each(list)(
	'$topic: finds a node that $what',
	async ({ topic, rules, what, spoil }) => {
		const own = REGRESSIONS.filter((one) => one.topic === topic).map(({ schedule }) => schedule);
		spoil();
		const { at, found } = await firstBreach(rules, own.length > 0 ? own : sampled);
		const how = found.length ? `schedule ${at}, ${found[0].rule}: ${found[0].text}` : 'not noticed';
		process.stdout.write(`faults, mutants: a node that ${what}: ${how}\n`);
		expect(found).not.toEqual([]);
	},
	TIME_LIMIT_MS,
);

it(
	'equal calls: finds a node that checks, waits, and then acts',
	async () => {
		changeMemory(() => ({ inFlight: nothing }));
		const { violations } = await checkToolCalls(harness, EQUAL);
		expect(violations).not.toEqual([]);
	},
	TIME_LIMIT_MS,
);
