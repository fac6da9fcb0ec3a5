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

import { DECIDE_WITHIN_MS } from '../../shared/callback/confirmTask';
import { KeyedMutex } from '../../shared/n8n/keyedMutex';
import {
	onRunStarted,
	respond,
	unavailable,
	type CallbackResponse,
} from '../../shared/callback/respond';
import { readableText } from '../../shared/json';
import type { Clock } from '../../shared/n8n/clock';
import { cachedCredential } from '../../shared/n8n/credentialCache';
import { rawItem } from '../../shared/task/taskItem';
import { itemsOf } from '../run/output';
import { resultOfTask } from '../run/watch';
import { reEnableNode, storedContext } from './n8nSuspension';
import { whatIsOpen, type PauseCallback, type PauseProgress } from './openTasks';
import { isDone } from './pause';
import { readPause, type Pause } from './pauseState';
import { mayResume } from './resumeAddress';

/** Pauses that this process remembers. */
const REMEMBERED_PAUSES = 1000;

const pauses = new Map<string, PauseProgress>();

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
