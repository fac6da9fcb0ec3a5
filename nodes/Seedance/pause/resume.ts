/**
 * A callback for a suspended execution: it goes on when the last of its videos has ended. n8n has checked the token
 * of the URL before.
 *
 * Rules that must not regress:
 * - what the callback says is a hint which task to read first, and never a result;
 * - every callback looks at all the tasks, so that one that got lost does no harm;
 * - 2xx means that nothing is lost; otherwise the sender is asked to try again.
 */
import type { IWebhookFunctions, IWebhookResponseData } from 'n8n-workflow';

import { afterTakeOver, answer, unavailable, type Answer } from '../../shared/callback/respond';
import { PARALLEL_READS, type Account } from '../../shared/api/client';
import { bodyOf, claimIn, taskIdsIn } from '../../shared/callback/body';
import { limiter, type Clock } from '../../shared/n8n/clock';
import { cachedAccount } from '../../shared/n8n/credentialCache';
import { contactLost, readRefused } from '../../shared/task/errors';
import { isObject, readableText } from '../../shared/json';
import { KeyedMutex } from '../../shared/callback/keyedMutex';
import { DECIDE_WITHIN_MS, lookAt } from '../../shared/callback/confirmTask';
import { rawItem, type Task } from '../../shared/task/task';
import { resultOfTask } from '../run/watch';
import { isSettled } from './pause';
import { readPause, type Pause } from './pauseState';
import { mayResume } from './resumeAddress';
import { itemsOf } from '../run/output';
import { storedContext, wakeUp } from './n8nSuspension';

/** Pauses of which this process remembers something. */
const REMEMBERED_PAUSES = 1000;

/** What this process knows of one pause. All of it can be read again. */
interface Known {
	/** Tasks that have ended, by id. */
	ended: Map<string, Task>;
	isOver: boolean;
}

const pauses = new Map<string, Known>();
/**
 * Looks of this process under way at once. When hundreds of callbacks come in one instant, the first ones are through soon; the
 * last ones find that their time is over, and leave the reading to the node.
 */
const inTurn = limiter(PARALLEL_READS);

/** By pause: its callbacks run one after another. */
const callbacks = new KeyedMutex();

function knownOf(name: string): Known {
	const known = pauses.get(name) ?? { ended: new Map(), isOver: false };
	pauses.delete(name);
	pauses.set(name, known);
	for (const oldest of pauses.keys()) {
		if (pauses.size <= REMEMBERED_PAUSES) break;
		pauses.delete(oldest);
	}
	return known;
}

/** The tasks to look at, in groups that are read together: the callback's own first, then the latest, then the rest. */
function inGroups(open: readonly string[], own: string | undefined): string[][] {
	const [latest, ...rest] = open.filter((taskId) => taskId !== own).reverse();
	const groups = [own, latest].flatMap((taskId) => (taskId === undefined ? [] : [[taskId]]));
	for (let start = 0; start < rest.length; start += PARALLEL_READS) {
		groups.push(rest.slice(start, start + PARALLEL_READS));
	}
	return groups;
}

const NOTED: Answer = { status: 200, message: 'Noted. The execution waits for more videos.' };

/**
 * Looks until one task is found that is still being made; undefined when none is. The node itself reads again what has to be:
 * a success without its video, and a task for which there was no time. On a busy n8n hundreds of callbacks come at once,
 * and none of them may be sent away for ever.
 */
async function whatIsOpen(
	context: IWebhookFunctions,
	account: Account,
	{ results }: Pause,
	known: Known,
	deadline: number,
	clock: Clock,
): Promise<Answer | undefined> {
	const query: unknown = context.getQueryData();
	const body = bodyOf(context);
	const open = results
		.filter((result) => !isSettled(result))
		.flatMap((result) => result.known.taskId ?? []);
	const own = taskIdsIn(body, isObject(query) ? query : {}).find((taskId) => open.includes(taskId));
	const claim = claimIn(body);
	for (const group of inGroups(open, own)) {
		const looks = await Promise.all(
			group
				.filter((taskId) => !known.ended.has(taskId))
				.map(async (taskId) => {
					const isEarly = taskId === own && claim !== 'running';
					const patience = { isEarly, awaitsVideo: false, deadline };
					const look = await inTurn(
						async () => await lookAt(context, { account, taskId }, patience, clock),
					);
					if (look.outcome === 'ended') known.ended.set(taskId, look.task);
					return { taskId, look };
				}),
		);
		for (const { taskId, look } of looks) {
			// A callback about a video that is being made is no reason to go on without having looked.
			if (look.outcome === 'noTime' && claim === 'running') return NOTED;
			if (look.outcome === 'running') {
				if (taskId !== own || claim !== 'ended') return NOTED;
				return unavailable(
					`it says that task ${taskId} has ended, but the API shows it as running`,
				);
			}
			if (look.outcome === 'unknownTask') {
				return unavailable(`there is no task ${taskId} in the account of the credential`);
			}
			if (look.outcome === 'cannotTell') {
				const found = (look.isFinal ? readRefused : contactLost)(taskId, look.failure);
				return unavailable(found.message);
			}
		}
	}
	return undefined;
}

/** What n8n goes on with where the node cannot run again: its items. */
function itemsNow({ results }: Pause, known: Known) {
	const ended = results.map((result) => {
		const task = known.ended.get(result.known.taskId ?? '');
		if (isSettled(result) || !task) return result;
		return { ...resultOfTask(result.known, task), output: result.output };
	});
	return [itemsOf(ended, { onError: 'continue', isTool: false, input: [] })];
}

/** What n8n goes on with, or the answer to a callback after which the execution stays suspended. */
async function decide(
	context: IWebhookFunctions,
	pause: Pause,
	known: Known,
	deadline: number,
	clock: Clock,
) {
	const account = await cachedAccount(context, clock).catch((error: unknown) => ({
		problem: error instanceof Error ? error.message : '',
	}));
	if ('problem' in account) {
		// A credential may be one that can be read while the node runs, and not from here.
		return wakeUp(context, []) ?? unavailable(readableText(account.problem, ''));
	}
	const open = await whatIsOpen(context, account, pause, known, deadline, clock);
	if (open) return open;
	// An item has no `error` at its top, so a reason that stood there is kept as the message.
	const readings = [...known.ended.values()].map((task) => ({
		...rawItem(task.raw, task.taskId),
		...(task.errorMessage !== null && { error_message: task.errorMessage }),
	}));
	return wakeUp(context, readings) ?? itemsNow(pause, known);
}

async function handle(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<Answer | IWebhookResponseData> {
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
	const known = knownOf(name);
	let isHandedOver = false;
	try {
		if (!(await lock.isHeld(deadline - clock.now(), clock))) return unavailable();
		if (known.isOver) return { status: 200, message: 'Noted. The execution goes on already.' };
		const decision = await decide(context, pause, known, deadline, clock);
		if ('status' in decision) return decision;
		isHandedOver = true;
		afterTakeOver(context, clock, (isTakenOver) => {
			known.isOver = isTakenOver;
			if (isTakenOver) known.ended.clear();
			lock.release();
		});
		return { workflowData: decision, webhookResponse: { message: 'The execution goes on.' } };
	} finally {
		if (!isHandedOver) lock.release();
	}
}

/**
 * Handles one callback: gives what n8n resumes the execution with, or answers by itself and leaves it suspended.
 * Never throws: n8n would run the next node with an empty item (measured).
 */
export async function resume(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<IWebhookResponseData> {
	try {
		const found = await handle(context, clock);
		return 'status' in found ? answer(context, found) : found;
	} catch (error) {
		const reason = error instanceof Error ? readableText(error.message, '') : '';
		return answer(context, unavailable(`this node could not be read: ${reason}`));
	}
}
