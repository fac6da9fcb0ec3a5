/**
 * Reads the task of a callback, again where the callback may be early, and in time for the
 * response.
 */
import type { IWebhookFunctions } from 'n8n-workflow';

import type { FailedRead } from '../api/client';
import type { Credential } from '../api/credential';
import { findTask, VersionCache } from '../api/findTask';
import { withTimeout, type Clock } from '../n8n/clock';
import type { CallFailure } from '../task/errors';
import { hasEnded, type Task } from '../task/task';

/**
 * Milliseconds after which a callback is decided; other providers wait 5 to 15 seconds for a
 * response.
 */
export const DECIDE_WITHIN_MS = 8_000;
/**
 * Milliseconds for which the task of an early callback is read again
 * (docs/api-contract.md#deliveries-of-a-callback).
 */
export const EARLY_MS = 5_000;
/** Milliseconds between two reads; the last one repeats. */
const DELAYS_MS = [250, 500, 1_000];
/** Failed reads of a task after which the sender is asked to try again. */
const MAX_FAILED_READS = 3;

/**
 * The task as the API reports it. `noVideo`: a success whose video is not there yet, so it has not
 * ended. `outOfTime`: no response by the deadline, because the API or this n8n is slow. The others
 * are those of a read.
 */
export type Confirmation =
	| { outcome: 'ended'; task: Task }
	| { outcome: 'noVideo'; task: Task }
	| { outcome: 'running' }
	| { outcome: 'unknownTask' }
	| { outcome: 'outOfTime'; failure: CallFailure }
	| FailedRead;

const NO_RESPONSE: CallFailure = { cause: 'no_response', text: '' };

/** How often the task is read again. */
export interface ConfirmOptions {
	/** The callback may be early: a running task is read again for {@link EARLY_MS}. */
	isEarly: boolean;
	/** A success without its video is read again for {@link EARLY_MS}, too. */
	awaitsVideo: boolean;
	/** Milliseconds since 1970 by which it ends. */
	deadline: number;
}

/**
 * Reads a task, again after transient failures, and while it has not ended as the options say.
 * Never throws.
 */
export async function confirmTask(
	context: IWebhookFunctions,
	{ credential, taskId, model }: { credential: Credential; taskId: string; model?: string | null },
	{ isEarly, awaitsVideo, deadline }: ConfirmOptions,
	clock: Clock,
): Promise<Confirmation> {
	const known = new VersionCache();
	const patientUntil = Math.min(clock.now() + EARLY_MS, deadline);
	for (let reads = 0, failures = 0; ; reads++) {
		const left = deadline - clock.now();
		if (left <= 0) return { outcome: 'outOfTime', failure: NO_RESPONSE };
		const reading = findTask(context, { credential, taskId, model, known, clock, ms: left });
		const read = (await withTimeout(reading, left, clock)) ?? {
			outcome: 'unavailable',
			failure: NO_RESPONSE,
		};
		const next = clock.now() + DELAYS_MS[Math.min(reads, DELAYS_MS.length - 1)];
		if (read.outcome === 'refused') {
			return read.failure.cause === 'task_not_found' ? { outcome: 'unknownTask' } : read;
		}
		if (read.outcome === 'unavailable') {
			failures++;
			const { failure } = read;
			// No response, and no time for another read: the call was cut off by the deadline.
			const isOpen = failure.httpStatus === undefined && next >= deadline;
			if (isOpen) return { outcome: 'outOfTime', failure };
			if (failures >= MAX_FAILED_READS || next >= deadline) return read;
		} else {
			failures = 0;
			const { task } = read;
			if (hasEnded(task)) return { outcome: 'ended', task };
			const isRunning = task.state === 'running';
			if (!(isRunning ? isEarly : awaitsVideo) || next >= patientUntil) {
				return isRunning ? { outcome: 'running' } : { outcome: 'noVideo', task };
			}
		}
		await clock.sleep(next - clock.now());
	}
}
