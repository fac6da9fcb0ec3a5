/**
 * Reads the open tasks of a pause for one callback, which says only where to begin, and whether the
 * sender is to try again.
 */
import type { IWebhookFunctions } from 'n8n-workflow';

import { PARALLEL_READS } from '../../shared/api/client';
import type { Credential } from '../../shared/api/credential';
import { bodyOf, callbackStateIn, taskIdsIn } from '../../shared/callback/body';
import { confirmTask } from '../../shared/callback/confirmTask';
import { unavailable, type CallbackResponse } from '../../shared/callback/respond';
import { isObject } from '../../shared/json';
import { limiter, type Clock } from '../../shared/n8n/clock';
import { readProblem } from '../../shared/task/errors';
import type { Task } from '../../shared/task/task';
import { isDone } from './pause';
import type { Pause } from './pauseState';

/** What this process remembers of one pause. It can all be read again. */
export interface PauseProgress {
	/** Tasks that have ended, by id. */
	ended: Map<string, Task>;
	isOver: boolean;
}

/**
 * Limits the reads of this process in flight at once. When hundreds of callbacks come at once, the
 * last ones run out of time, and the node reads their tasks itself.
 */
const inTurn = limiter(PARALLEL_READS);

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
export interface PauseCallback {
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
 * The open task that a callback is about. One that names no task of the run can only be about the
 * last one that is left.
 */
function subjectOf(
	{ context, pause, progress }: PauseCallback,
	body: unknown,
	open: readonly string[],
): { own: string | undefined; isNamed: boolean } {
	const query: unknown = context.getQueryData();
	const ids = taskIdsIn(body, isObject(query) ? query : {});
	const isNamed = ids.some((id) => pause.results.some(({ seed }) => seed.taskId === id));
	if (isNamed) return { own: ids.find((id) => open.includes(id)), isNamed };
	const left = open.filter((taskId) => !progress.ended.has(taskId));
	return { own: left.length === 1 ? left[0] : undefined, isNamed };
}

/**
 * Reads until it finds a task that is still being made, and gives the response for it; undefined
 * without one. A success without its video, and a task for which there was no time, do not stop it:
 * the node reads them again. So the last of hundreds of callbacks at once is not refused for ever.
 */
export async function whatIsOpen(
	callback: PauseCallback,
	credential: Credential,
): Promise<CallbackResponse | undefined> {
	const { ended } = callback.progress;
	const endedBefore = ended.size;
	const body = bodyOf(callback.context);
	const claim = callbackStateIn(body);
	const tasks = callback.pause.results
		.filter((result) => !isDone(result))
		.flatMap((result) => result.seed.taskId ?? []);
	// Equal items share one.
	const open = [...new Set(tasks)];
	const { own, isNamed } = subjectOf(callback, body, open);
	const isEarly = (taskId: string) => taskId === own && claim !== 'running';
	for (const group of inGroups(open, own)) {
		const confirmations = await confirmGroup(callback, credential, group, isEarly);
		for (const { taskId, confirmation } of confirmations) {
			const { outcome } = confirmation;
			// A callback about a running task does not resume the execution when the task could not be
			// read.
			if (outcome === 'outOfTime' && claim === 'running') return NOTED;
			if (outcome === 'running') {
				// Where no task is named, the end may be that of any, unless one was found just now.
				const isUnconfirmed = taskId === own || (!isNamed && ended.size === endedBefore);
				if (claim !== 'ended' || !isUnconfirmed) return NOTED;
				return unavailable(
					isNamed
						? `it says that task ${taskId} has ended, but the API shows it as running`
						: `it says that a task has ended and names none of this run, and the API shows task ${taskId} as running`,
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
