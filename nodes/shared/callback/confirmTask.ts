/**
 * A look at a task because a callback says something about it: short, patient with a callback that is early,
 * and over in time for an answer.
 */
import type { IWebhookFunctions } from 'n8n-workflow';

import { getTask, type Credential } from '../api/client';
import { within, type Clock } from '../n8n/clock';
import type { CallFailure } from '../task/errors';
import { hasEnded, type Task } from '../task/task';

/** Milliseconds after which a callback is decided; other providers wait 5 to 15 seconds for an answer. */
export const DECIDE_WITHIN_MS = 8_000;
/** Milliseconds for which a callback that comes before `GET /status` shows the end is looked at again. */
export const EARLY_MS = 5_000;
/** Milliseconds between two looks; the last one repeats. */
const PAUSES_MS = [250, 500, 1_000];
/** Failed reads of a task after which the sender is asked to try again. */
export const MAX_FAILED_READS = 3;

/**
 * How the look at a task ended. `noVideo`: a success whose video is not there yet, so that it has not ended either.
 * `noTime`: no answer by the deadline, because the API or this n8n is slow. `cannotTell`: the API gave no usable answer;
 * `isFinal`: asking again gives the same.
 */
export type Confirmation =
	| { outcome: 'ended'; task: Task }
	| { outcome: 'noVideo'; task: Task }
	| { outcome: 'running' }
	| { outcome: 'unknownTask' }
	| { outcome: 'noTime'; failure: CallFailure }
	| { outcome: 'cannotTell'; failure: CallFailure; isFinal: boolean };

const NO_ANSWER: CallFailure = { cause: 'no_answer', text: '' };

/** How patient a look is. */
export interface Patience {
	/** The callback may be early: a running task is looked at again for {@link EARLY_MS}. */
	isEarly: boolean;
	/** So is a success without its video. */
	awaitsVideo: boolean;
	/** Milliseconds since 1970, when it has to be over. */
	deadline: number;
}

/** Reads a task, again after passing trouble, and while it has not ended as `patience` says. Never throws. */
export async function confirmTask(
	context: IWebhookFunctions,
	{ credential, taskId }: { credential: Credential; taskId: string },
	{ isEarly, awaitsVideo, deadline }: Patience,
	clock: Clock,
): Promise<Confirmation> {
	const patientUntil = Math.min(clock.now() + EARLY_MS, deadline);
	for (let reads = 0, failures = 0; ; reads++) {
		const left = deadline - clock.now();
		if (left <= 0) return { outcome: 'noTime', failure: NO_ANSWER };
		const read = (await within(getTask(context, credential, taskId, clock, left), left, clock)) ?? {
			outcome: 'transient',
			failure: NO_ANSWER,
		};
		const next = clock.now() + PAUSES_MS[Math.min(reads, PAUSES_MS.length - 1)];
		if (read.outcome === 'final') {
			if (read.failure.cause === 'task_not_found') return { outcome: 'unknownTask' };
			return { outcome: 'cannotTell', failure: read.failure, isFinal: true };
		}
		if (read.outcome === 'transient') {
			failures++;
			const { failure } = read;
			// A refusal would have come at once: this one is for want of time, wherever the call was when it ended.
			const isOpen = failure.httpStatus === undefined && next >= deadline;
			if (isOpen) return { outcome: 'noTime', failure };
			if (failures >= MAX_FAILED_READS || next >= deadline) {
				return { outcome: 'cannotTell', failure: read.failure, isFinal: false };
			}
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
