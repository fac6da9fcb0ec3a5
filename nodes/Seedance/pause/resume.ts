/**
 * A callback for a suspended execution, which goes on when the last of its videos has ended. n8n
 * has checked the token of the URL before.
 *
 * Rules that must not regress:
 * - a callback only says which task to read first; it is never a result;
 * - every callback reads all open tasks, so that a lost callback does no harm;
 * - 2xx means that nothing is lost; otherwise the sender is asked to try again.
 */
import type { IWebhookFunctions, IWebhookResponseData } from 'n8n-workflow';

import { PARALLEL_READS } from '../../shared/api/client';
import type { Credential } from '../../shared/api/credential';
import { bodyOf, callbackStateIn, taskIdsIn } from '../../shared/callback/body';
import { confirmTask, DECIDE_WITHIN_MS } from '../../shared/callback/confirmTask';
import { KeyedMutex } from '../../shared/n8n/keyedMutex';
import {
	onRunStarted,
	respond,
	unavailable,
	type CallbackResponse,
} from '../../shared/callback/respond';
import { isObject, readableText } from '../../shared/json';
import { limiter, type Clock } from '../../shared/n8n/clock';
import { cachedCredential } from '../../shared/n8n/credentialCache';
import { readProblem } from '../../shared/task/errors';
import type { Task } from '../../shared/task/task';
import { rawItem } from '../../shared/task/taskItem';
import { itemsOf } from '../run/output';
import { resultOfTask } from '../run/watch';
import { reEnableNode, storedContext } from './n8nSuspension';
import { isDone } from './pause';
import { readPause, type Pause } from './pauseState';
import { mayResume } from './resumeAddress';

/** Pauses that this process remembers. */
const REMEMBERED_PAUSES = 1000;

/** What this process remembers of one pause. It can all be read again. */
interface PauseProgress {
	/** Tasks that have ended, by id. */
	ended: Map<string, Task>;
	isOver: boolean;
}

const pauses = new Map<string, PauseProgress>();
/**
 * Limits the reads of this process in flight at once. When hundreds of callbacks come at once, the
 * last ones run out of time, and the node reads their tasks itself.
 */
const inTurn = limiter(PARALLEL_READS);

/** By pause: its callbacks run one after another. */
const callbacks = new KeyedMutex();

function progressOf(name: string): PauseProgress {
	const progress = pauses.get(name) ?? { ended: new Map(), isOver: false };
	pauses.delete(name);
	pauses.set(name, progress);
	for (const oldest of pauses.keys()) {
		if (pauses.size <= REMEMBERED_PAUSES) break;
		pauses.delete(oldest);
	}
	return progress;
}

/**
 * The tasks to read, in groups that are read together: the callback's own first, then the latest,
 * then the rest.
 */
function inGroups(open: readonly string[], own: string | undefined): string[][] {
	const [latest, ...rest] = open.filter((taskId) => taskId !== own).reverse();
	const groups = [own, latest].flatMap((taskId) => (taskId === undefined ? [] : [[taskId]]));
	for (let start = 0; start < rest.length; start += PARALLEL_READS) {
		groups.push(rest.slice(start, start + PARALLEL_READS));
	}
	return groups;
}

const NOTED: CallbackResponse = {
	status: 200,
	message: 'Noted. The execution waits for more videos.',
};

/** A callback for a pause. */
interface PauseCallback {
	context: IWebhookFunctions;
	clock: Clock;
	/** Milliseconds since 1970 by which it has to be decided. */
	deadline: number;
	pause: Pause;
	progress: PauseProgress;
}

/** Reads the tasks of one group, and notes those that have ended. */
async function confirmGroup(
	{ context, clock, deadline, pause, progress }: PauseCallback,
	credential: Credential,
	group: readonly string[],
	isEarly: (taskId: string) => boolean,
) {
	return await Promise.all(
		group
			.filter((taskId) => !progress.ended.has(taskId))
			.map(async (taskId) => {
				const seed = pause.results.find((result) => result.seed.taskId === taskId)?.seed;
				const task = { credential, taskId, model: seed?.model };
				const patience = { isEarly: isEarly(taskId), awaitsVideo: false, deadline };
				const confirmation = await inTurn(
					async () => await confirmTask(context, task, patience, clock),
				);
				if (confirmation.outcome === 'ended') progress.ended.set(taskId, confirmation.task);
				return { taskId, confirmation };
			}),
	);
}

/**
 * Reads until it finds a task that is still being made, and gives the response for it; undefined
 * without one. A success without its video, and a task for which there was no time, do not stop it:
 * the node reads them again. So the last of hundreds of callbacks at once is not refused for ever.
 */
async function whatIsOpen(
	callback: PauseCallback,
	credential: Credential,
): Promise<CallbackResponse | undefined> {
	const query: unknown = callback.context.getQueryData();
	const body = bodyOf(callback.context);
	const open = callback.pause.results
		.filter((result) => !isDone(result))
		.flatMap((result) => result.seed.taskId ?? []);
	const own = taskIdsIn(body, isObject(query) ? query : {}).find((taskId) => open.includes(taskId));
	const claim = callbackStateIn(body);
	const isEarly = (taskId: string) => taskId === own && claim !== 'running';
	for (const group of inGroups(open, own)) {
		const confirmations = await confirmGroup(callback, credential, group, isEarly);
		for (const { taskId, confirmation } of confirmations) {
			const { outcome } = confirmation;
			// A callback about a running task does not resume the execution when the task could not be
			// read.
			if (outcome === 'outOfTime' && claim === 'running') return NOTED;
			if (outcome === 'running') {
				if (taskId !== own || claim !== 'ended') return NOTED;
				return unavailable(
					`it says that task ${taskId} has ended, but the API shows it as running`,
				);
			}
			if (outcome === 'unknownTask') {
				return unavailable(`there is no task ${taskId} in the account of the credential`);
			}
			if (outcome === 'unavailable' || outcome === 'refused') {
				return unavailable(readProblem(taskId, confirmation).message);
			}
		}
	}
	return undefined;
}

/** The items that n8n goes on with where the node cannot run again. */
function itemsNow({ results }: Pause, progress: PauseProgress) {
	const ended = results.map((result) => {
		const task = progress.ended.get(result.seed.taskId ?? '');
		if (isDone(result) || !task) return result;
		return { ...resultOfTask(result.seed, task), output: result.output };
	});
	return [itemsOf(ended, { onError: 'continue', isTool: false, input: [] })];
}

/**
 * What n8n resumes with, or the response to a callback after which the execution stays suspended.
 */
async function decide(callback: PauseCallback) {
	const { context, clock, pause, progress } = callback;
	const credential = await cachedCredential(context, clock).catch((error: unknown) => ({
		problem: error instanceof Error ? error.message : '',
	}));
	if ('problem' in credential) {
		// The node may be able to read it (docs/n8n-behaviour.md#credential-without-a-run).
		return reEnableNode(context, []) ?? unavailable(readableText(credential.problem, ''));
	}
	const open = await whatIsOpen(callback, credential);
	if (open) return open;
	// `rawItem` drops `error` at the top, so a reason that stood there is kept as the message.
	const readings = [...progress.ended.values()].map((task) => ({
		...rawItem(task.raw, task.taskId),
		...(task.errorMessage !== null && { error_message: task.errorMessage }),
	}));
	return reEnableNode(context, readings) ?? itemsNow(pause, progress);
}

async function handle(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<CallbackResponse | IWebhookResponseData> {
	const deadline = clock.now() + DECIDE_WITHIN_MS;
	const pause = readPause(storedContext(context));
	if (pause === 'unreadable') {
		return unavailable('another version of this package has stored the pause. Update the package');
	}
	if (pause === 'none' || !mayResume(context, pause.version)) {
		return { status: 404, message: 'Nothing waits here.' };
	}
	const name = `${pause.executionId}:${pause.pausedAt}`;
	const lock = callbacks.acquire(name);
	const progress = progressOf(name);
	let isHandedOver = false;
	try {
		if (!(await lock.waitUntilHeld(deadline - clock.now(), clock))) return unavailable();
		if (progress.isOver) return { status: 200, message: 'Noted. The execution goes on already.' };
		const decision = await decide({ context, clock, deadline, pause, progress });
		if ('status' in decision) return decision;
		isHandedOver = true;
		onRunStarted(context, clock, (isTakenOver) => {
			progress.isOver = isTakenOver;
			if (isTakenOver) progress.ended.clear();
			lock.release();
		});
		return { workflowData: decision, webhookResponse: { message: 'The execution goes on.' } };
	} finally {
		if (!isHandedOver) lock.release();
	}
}

/**
 * Handles one callback: gives what n8n resumes the execution with, or responds by itself and leaves
 * it suspended. Never throws (docs/n8n-behaviour.md#throwing-in-a-webhook).
 */
export async function resume(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<IWebhookResponseData> {
	try {
		const found = await handle(context, clock);
		return 'status' in found ? respond(context, found) : found;
	} catch (error) {
		const reason = error instanceof Error ? readableText(error.message, '') : '';
		return respond(context, unavailable(`this node could not be read: ${reason}`));
	}
}
