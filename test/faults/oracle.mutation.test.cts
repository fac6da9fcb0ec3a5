// Whether the oracle notices: the node with one promise taken out, and schedules that must show it. Nobody can make the
// oracle milder, or the faults rarer, without one of these going red.
import * as fc from 'fast-check';

import * as pause from '../../nodes/Seedance/pause/pause';
import * as resumeAddress from '../../nodes/Seedance/pause/resumeAddress';
import * as output from '../../nodes/Seedance/run/output';
import * as prepared from '../../nodes/Seedance/run/prepare';
import * as nodeRun from '../../nodes/Seedance/run/run';
import * as brake from '../../nodes/shared/api/brake';
import * as api from '../../nodes/shared/api/client';
import * as download from '../../nodes/shared/api/download';
import * as envelope from '../../nodes/shared/api/envelope';
import * as polling from '../../nodes/shared/api/polling';
import * as unsent from '../../nodes/shared/api/unsent';
import { KeyedMutex } from '../../nodes/shared/callback/keyedMutex';
import * as memory from '../../nodes/shared/idempotency/executionMemory';
import * as json from '../../nodes/shared/json';
import * as onError from '../../nodes/shared/n8n/onError';
import { downloadFailed, notSent, type CallFailure } from '../../nodes/shared/task/errors';
import * as videoRequest from '../../nodes/shared/task/request';
import * as task from '../../nodes/shared/task/task';
import { openHarness, type Harness } from './harness.cjs';
import { checkTrace } from './oracle.cjs';
import { RULES, type Report, type Rule } from './oracle/facts.cjs';
import { schedules } from './random.cjs';
import { REGRESSIONS } from './regressions.cjs';
import { runSchedule } from './runner.cjs';
import { isStarting, type Schedule } from './schedule.cjs';
import { checkToolCalls, EQUAL } from './toolCalls.cjs';

/** Always the same schedules: this is about the oracle, not about luck. */
const SEED = 1;
/** At most so many run until the oracle has to have noticed. */
const MOST = 150;
const TIME_LIMIT_MS = 120_000;

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
	list = sampled,
): Promise<{ at: number; found: Report['violations'] }> {
	for (const [index, schedule] of list.entries()) {
		const { violations } = checkTrace(harness, await runSchedule(harness, schedule));
		const found = violations.filter(({ rule }) => rules.includes(rule));
		if (found.length) return { at: index + 1, found };
	}
	return { at: list.length, found: [] };
}

type Restore = () => void;

/** Changes a function of the node. */
function change<M extends object, K extends keyof M>(
	module: M,
	name: K,
	changed: (real: M[K]) => M[K],
): Restore {
	const real = module[name];
	module[name] = changed(real);
	return () => {
		module[name] = real;
	};
}

const all =
	(...restores: Restore[]): Restore =>
	() =>
		restores.forEach((restore) => restore());

/** What the node does, which rules that breaks, and how it is made to. */
type Mutant = [what: string, rules: Rule[], spoil: () => Restore];

const changeMemory = (changed: (real: memory.Memory) => Partial<memory.Memory>): Restore =>
	change(memory, 'memoryIn', (real) => (context) => {
		const own = real(context);
		return { ...own, ...changed(own) };
	});

/** `createTask` that sends again after what may have been accepted. */
const sendAgainAfter = (cause: CallFailure['cause']): Restore =>
	change(api, 'createTask', (real) => async (...call) => {
		let created = await real(...call);
		for (let tries = 1; tries < 3; tries += 1) {
			if (created.outcome !== 'unclear' || created.failure.cause !== cause) break;
			created = await real(...call);
		}
		return created;
	});

const changeProblem = (
	changed: Parameters<typeof onError.failedItem>[1] extends infer P ? Partial<P> : never,
): Restore =>
	change(
		onError,
		'failedItem',
		(real) => (item, problem) => real(item, { ...problem, ...changed }),
	);

/** The reading of a task, changed. */
const changeReading = (
	changed: (read: task.Task, data: Record<string, unknown>) => task.Task,
): Restore =>
	change(task, 'readTask', (real) => (taskId, data, ...rest) => {
		const read = real(taskId, data, ...rest);
		return read && json.isObject(data) ? changed(read, data) : read;
	});

type Read = Awaited<ReturnType<typeof api.getTask>>;
const changeRead = (changed: (read: Read) => Read): Restore =>
	change(
		api,
		'getTask',
		(real) =>
			async (...call) =>
				changed(await real(...call)),
	);

const changeItems = (
	changed: (list: ReturnType<typeof output.inOrder>) => ReturnType<typeof output.inOrder>,
): Restore =>
	change(
		output,
		'inOrder',
		(real) =>
			(...given) =>
				changed(real(...given)),
	);

/** The outcome of a download, changed. */
type Download = Parameters<typeof download.fetchVideo>;
const changeDownload = (
	changed: (
		real: typeof download.fetchVideo,
		...call: Download
	) => ReturnType<typeof download.fetchVideo>,
): Restore =>
	change(
		download,
		'fetchVideo',
		(real) =>
			async (...call) =>
				await changed(real, ...call),
	);

/** What the last request for a video met. */
const lastVideoFault = () => harness.requests.videos.at(-1)?.fault?.kind;

/** Found by random schedules. */
const MUTANTS: Mutant[] = [
	[
		'remembers no task that it has made',
		['charged twice'],
		() =>
			changeMemory(() => ({
				recall: () => ({ state: 'none' }),
				underWay: () => undefined,
				hold: () => undefined,
				sending: () => undefined,
				created: () => undefined,
				forget: () => undefined,
				tasksOfRun: () => new Map(),
			})),
	],
	[
		'remembers no POST whose answer was lost',
		['charged twice', 'sent again'],
		() => changeMemory(() => ({ sending: () => undefined })),
	],
	[
		'makes failed tasks anew without being asked',
		['charged twice'],
		() =>
			changeMemory((real) => ({
				recall: (key) => {
					const found = real.recall(key);
					const made =
						found.state === 'created' ? harness.sandbox.tasks.get(found.taskId) : undefined;
					return made?.ended && made.outcome.status === 'FAILED' ? { state: 'none' } : found;
				},
			})),
	],
	[
		'sends a POST again after any 5xx',
		['charged twice', 'sent again'],
		() => sendAgainAfter('server_error'),
	],
	[
		'sends a POST again after a lost connection',
		['charged twice', 'sent again'],
		() => sendAgainAfter('no_answer'),
	],
	[
		'forgets that it has paused, and submits again',
		['charged twice', 'went on'],
		() => change(pause, 'pauseBefore', () => () => undefined),
	],
	[
		'says of everything that it cost nothing',
		['wrong outcome'],
		() => changeProblem({ charged: 'no' }),
	],
	[
		'says of everything that its cost is not known',
		['wrong outcome'],
		() => changeProblem({ charged: 'unknown' }),
	],
	[
		'throws the answer away that holds the id',
		['id lost'],
		() =>
			change(api, 'createTask', (real) => async (...call) => {
				const created = await real(...call);
				if (created.outcome !== 'created') return created;
				return { outcome: 'unclear', failure: { cause: 'unreadable', text: '' } };
			}),
	],
	[
		'gives a task that failed as one that succeeded',
		['wrong outcome'],
		() =>
			changeReading((read) => {
				const videoUrl = `${harness.sandbox.origin}/videos/${read.taskId}.mp4`;
				return read.state === 'failed' ? { ...read, state: 'succeeded', videoUrl } : read;
			}),
	],
	[
		'gives a task that succeeded as one that failed',
		['wrong outcome'],
		() =>
			changeReading((read) => (read.state === 'succeeded' ? { ...read, state: 'failed' } : read)),
	],
	[
		'gives the last two items in each other’s place',
		['items', 'wrong outcome'],
		() => changeItems((list) => [...list.slice(0, -2), ...list.slice(-2).reverse()]),
	],
	['drops the last item', ['items'], () => changeItems((list) => list.slice(0, -1))],
	[
		'goes on although On Error is Stop',
		['went on'],
		() =>
			change(onError, 'onErrorOf', (real) => (node) => {
				const setting = real(node);
				return setting === 'stop' ? 'continue' : setting;
			}),
	],
	[
		'throws although On Error is Continue',
		['went on'],
		() => change(onError, 'onErrorOf', () => () => 'stop'),
	],
	[
		'waits three times as long as it may',
		['took too long'],
		() =>
			change(polling, 'watchTask', (real) => async (watched, wait) => {
				const deadline = wait.deadline + 2 * (wait.deadline - wait.startedAt) + 60_000;
				return await real(watched, { ...wait, deadline });
			}),
	],
	[
		'gives a task up when it cannot be read once',
		['wrong outcome'],
		() =>
			changeRead((read) => (read.outcome === 'transient' ? { ...read, outcome: 'final' } : read)),
	],
	[
		'pauses without a last read of its tasks',
		['wrong outcome'],
		() => {
			let isPausing = false;
			return all(
				changeRead((read) =>
					isPausing ? { outcome: 'transient', failure: { cause: 'no_answer', text: '' } } : read,
				),
				change(pause, 'pauseFor', (real) => async (...given) => {
					isPausing = true;
					return await real(...given).finally(() => (isPausing = false));
				}),
			);
		},
	],
	[
		'handles callbacks of the same moment without one waiting for the other',
		['resumed twice'],
		() =>
			change(KeyedMutex.prototype, 'acquire', () => () => ({
				isHeld: async () => true,
				release: () => undefined,
			})),
	],
	[
		'sends a field that the API does not know',
		['contract'],
		() =>
			change(
				videoRequest,
				'requestBody',
				(real) => (request) => Object.assign(real(request), { model: 'best' }),
			),
	],
	[
		'cuts no secrets out of the API’s data',
		['secret shown'],
		() => change(json, 'withoutSecrets', () => (value) => JSON.parse(JSON.stringify(value))),
	],
];

/** Found by the regressions of their topic; `outage` and others without any by random schedules. */
const OLD_FAULTS: Array<[topic: string, ...mutant: Mutant]> = [
	[
		'changing prompts',
		'identifies a video by the prompt that an expression has given',
		['charged twice'],
		() =>
			change(prepared, 'prepare', (real) => async (run, itemIndex, ...rest) => {
				const item = await real(run, itemIndex, ...rest);
				if ('problem' in item) return item;
				return { ...item, memoryKeys: [`${run.runIndex}:${itemIndex}:${item.request.prompt}`] };
			}),
	],
	[
		'limited reads',
		'takes a 429 for a read that has failed',
		['wrong outcome'],
		() =>
			changeRead((read) =>
				read.outcome === 'transient' && read.failure.cause === 'rate_limited'
					? { outcome: 'transient', failure: { cause: 'server_error', text: '' } }
					: read,
			),
	],
	[
		'tasks not there yet',
		'believes the first 404',
		['wrong outcome'],
		() =>
			change(
				polling,
				'watchTask',
				(real) => async (watched, wait) => await real({ ...watched, createdAt: undefined }, wait),
			),
	],
	[
		'links',
		'leaves a finished video for later',
		['took too long', 'wrong outcome'],
		() =>
			changeDownload(async (real, ...call) => {
				await call[2].clock.sleep(90_000);
				return await real(...call);
			}),
	],
	[
		'links',
		'gives a dead link up without a new reading',
		['wrong outcome'],
		() =>
			changeDownload(async (real, context, video, how) => {
				// Long enough for a brief link to die.
				await how.clock.sleep(25_000);
				return await real(context, video, { ...how, readAgain: async () => undefined });
			}),
	],
	[
		'late URLs',
		'takes a success without its video for the end',
		['wrong outcome'],
		() =>
			change(
				task,
				'hasEnded',
				() =>
					({ state }) =>
						state !== 'running',
			),
	],
	[
		'time limits',
		'ignores the limit of its workflow',
		['took too long'],
		() =>
			change(nodeRun, 'runOf', (real) => (...given) => ({
				...real(...given),
				workUntil: Infinity,
			})),
	],
	[
		'dripping answers',
		'lets a POST take ten times as long',
		['took too long'],
		() => {
			const limits: { POST_TIMEOUT_MS: number } = api;
			return all(
				change(limits, 'POST_TIMEOUT_MS', (ms) => ms * 10),
				change(
					api,
					'createTask',
					(real) => async (context, credential, body, sending) =>
						await real(context, credential, body, { ...sending, deadline: Infinity }),
				),
			);
		},
	],
	[
		'unreachable',
		'takes every request without an answer for one that was sent',
		['wrong outcome'],
		() => change(unsent, 'failureWithoutAnswer', () => () => ({ cause: 'no_answer', text: '' })),
	],
	[
		'accounts',
		'takes all accounts for one',
		['wrong outcome'],
		() => change(nodeRun, 'credentialKey', () => () => 'the account'),
	],
	[
		'forgotten items',
		'says of an item which it forgot that it cost nothing',
		['wrong outcome', 'id lost'],
		() =>
			changeItems((list) => [
				...list.slice(0, -1),
				{ seed: output.NO_SEED, problem: notSent('it was not reached.') },
			]),
	],
	[
		'resume addresses',
		'gives out the address that resumes any node which waits',
		['resumed twice'],
		() =>
			change(
				resumeAddress,
				'resumeUrlOf',
				() => (context) => String(context.evaluateExpression('{{ $execution.resumeUrl }}', 0)),
			),
	],
	[
		'packed videos',
		'compares the length of a packed body with that of the video',
		['wrong outcome'],
		() =>
			changeDownload(async (real, ...call) => {
				const got = await real(...call);
				if (lastVideoFault() !== 'encoded') return got;
				const why = 'only some bytes arrived';
				const problem = downloadFailed(got.task.taskId, call[1].url, { why });
				return { ok: false, problem, task: got.task };
			}),
	],
	[
		'bodies',
		'stores whatever calls itself a video',
		['wrong outcome'],
		() =>
			changeDownload(async (real, ...call) => {
				const got = await real(...call);
				if (got.ok || lastVideoFault() !== 'video-body') return got;
				const binary = { data: '', mimeType: 'video/mp4', bytes: 1 };
				return { ok: true, binary, task: got.task };
			}),
	],
	[
		'reasons',
		'reads a reason in one place only',
		['wrong outcome'],
		() =>
			all(
				changeReading((read, { error_message }) =>
					typeof error_message === 'string' ? read : { ...read, errorMessage: null },
				),
				change(envelope, 'reasonOfAnswer', () => () => ''),
			),
	],
	[
		'video forms',
		'finds a video in one form only',
		['wrong outcome'],
		() =>
			changeReading((read, { response }) => {
				const isUsual = Array.isArray(response) && typeof response[0] === 'string';
				return isUsual ? read : { ...read, videoUrl: null };
			}),
	],
	[
		'video forms',
		'understands few words for an end',
		['wrong outcome'],
		() =>
			changeReading((read) =>
				/^(SUCCESS|FAILED)$/.test(read.statusWord) ? read : { ...read, state: 'running' },
			),
	],
	[
		'ids',
		'finds an id under one name only',
		['id lost', 'wrong outcome'],
		() => change(envelope, 'taskIdOf', () => (body) => json.textOf(envelope.dataOf(body).task_id)),
	],
	[
		'ids',
		'refuses an id that it has given out',
		['wrong outcome'],
		() => change(task, 'isTaskId', () => (text) => /^[^\s\p{C}{}<>"']{1,200}$/u.test(text)),
	],
	[
		'limited POSTs',
		'has no brake',
		['sent again'],
		() =>
			change(brake, 'brakeOf', () => (clock) => ({
				turn: async () => await clock.sleep(1_000),
				slowDown: () => undefined,
				answered: () => undefined,
				limitedInARow: 0,
				isDown: false,
			})),
	],
	[
		'missing ids',
		'gives out raw data as they came, with or without an id',
		['wrong outcome', 'id lost'],
		() => change(task, 'rawItem', () => (raw) => ({ ...raw })),
	],
	[
		'outages',
		'gives an API up after five reads in a row',
		['wrong outcome'],
		() => {
			let failures = 0;
			return changeRead((read) => {
				failures = read.outcome === 'transient' ? failures + 1 : 0;
				return read.outcome === 'transient' && failures >= 5 ? { ...read, outcome: 'final' } : read;
			});
		},
	],
];

async function expectBreach(
	[what, rules, spoil]: Mutant,
	list: readonly Schedule[] = sampled,
): Promise<void> {
	const restore = spoil();
	const { at, found } = await firstBreach(rules, list).finally(restore);
	const how = found.length ? `schedule ${at}, ${found[0].rule}: ${found[0].text}` : 'not noticed';
	process.stdout.write(`faults, mutants: a node that ${what}: ${how}\n`);
	expect(found).not.toEqual([]);
}

it('has a mutant for every rule and for every topic of the regressions', () => {
	expect(new Set(MUTANTS.flatMap(([, rules]) => rules))).toEqual(new Set(RULES));
	const topics = new Set(OLD_FAULTS.map(([topic]) => topic));
	expect(REGRESSIONS.filter(({ topic }) => !topics.has(topic))).toEqual([]);
});

it(
	'finds nothing in the node as it is',
	async () => {
		expect((await firstBreach(RULES)).found).toEqual([]);
	},
	TIME_LIMIT_MS,
);

it.each(MUTANTS)(
	'finds a node that %s',
	async (...mutant) => await expectBreach(mutant),
	TIME_LIMIT_MS,
);

it.each(OLD_FAULTS)(
	'%s: finds a node that %s',
	async (topic, ...mutant) => {
		const own = REGRESSIONS.filter((one) => one.topic === topic).map(({ schedule }) => schedule);
		await expectBreach(mutant, own.length > 0 ? own : sampled);
	},
	TIME_LIMIT_MS,
);

it(
	'equal calls: finds a node that checks, waits, and then acts',
	async () => {
		const restore = changeMemory(() => ({ underWay: () => undefined }));
		const { violations } = await checkToolCalls(harness, EQUAL).finally(restore);
		expect(violations).not.toEqual([]);
	},
	TIME_LIMIT_MS,
);
