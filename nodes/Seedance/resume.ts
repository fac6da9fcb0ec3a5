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

import { answer, isTakenOver, unavailable, type Answer } from '../shared/answer';
import { getAccount, PARALLEL_READS, type Account } from '../shared/api';
import { claimIn, taskIdsIn } from '../shared/callback';
import type { Clock } from '../shared/clock';
import { contactLost, readRefused } from '../shared/errors';
import { isObject, readableText } from '../shared/json';
import { comesUp, lineUp, type Lines } from '../shared/line';
import { DECIDE_WITHIN_MS, lookAt } from '../shared/look';
import { rawItem, type Task } from '../shared/task';
import { resultOfTask } from './follow';
import { isSettled, keptPause, type Pause } from './pause';
import { itemsOf } from './results';
import { storedContext, wakeUp } from './suspension';

/** Pauses of which this process remembers something. */
const REMEMBERED_PAUSES = 1000;

/** What this process knows of one pause. All of it can be read again. */
interface Known {
	/** Tasks that have ended, by id. */
	ended: Map<string, Task>;
	isOver: boolean;
}

const pauses = new Map<string, Known>();
const lines: Lines = new Map();

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

/** Looks until one task is found that has not ended; undefined when all have. */
async function whatIsOpen(
	context: IWebhookFunctions,
	account: Account,
	{ results }: Pause,
	known: Known,
	deadline: number,
	clock: Clock,
): Promise<Answer | undefined> {
	const query: unknown = context.getQueryData();
	const body: unknown = context.getBodyData();
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
					const look = await lookAt(context, account, taskId, isEarly, deadline, clock);
					if (look.outcome === 'ended') known.ended.set(taskId, look.task);
					return { taskId, look };
				}),
		);
		for (const { taskId, look } of looks) {
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

/** What n8n goes on with: the node itself, or, where it cannot run again, its items. */
function continuation(context: IWebhookFunctions, { results }: Pause, known: Known) {
	const readings = [...known.ended.values()].map((task) => ({
		...rawItem(task.raw, task.taskId),
	}));
	const again = wakeUp(context, readings);
	if (again) return again;
	const ended = results.map((result) => {
		const task = known.ended.get(result.known.taskId ?? '');
		if (isSettled(result) || !task) return result;
		return { ...resultOfTask(result.known, task), output: result.output };
	});
	return [itemsOf(ended, { onError: 'continue', isTool: false, input: [] })];
}

async function handle(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<Answer | IWebhookResponseData> {
	const deadline = clock.now() + DECIDE_WITHIN_MS;
	const pause = keptPause(storedContext(context));
	if (!pause) return { status: 404, message: 'Nothing waits here.' };
	const name = `${pause.executionId}:${pause.pausedAt}`;
	const place = lineUp(lines, name);
	const known = knownOf(name);
	let isHandedOver = false;
	try {
		if (!(await comesUp(place, deadline - clock.now(), clock))) return unavailable();
		if (known.isOver) return { status: 200, message: 'Noted. The execution goes on already.' };
		const account = await getAccount(context);
		if ('problem' in account) return unavailable(account.problem);
		const open = await whatIsOpen(context, account, pause, known, deadline, clock);
		if (open) return open;
		const workflowData = continuation(context, pause, known);
		void isTakenOver(context, clock).then((isOver) => {
			known.isOver = isOver;
			if (isOver) known.ended.clear();
			place.leave();
		});
		isHandedOver = true;
		return { workflowData, webhookResponse: { message: 'The execution goes on.' } };
	} finally {
		if (!isHandedOver) place.leave();
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
