/**
 * One callback to the trigger's URL, from the request to the response: signature, task, `GET
 * /status`, filter, repeat. n8n itself refuses other methods and bodies that are too large.
 *
 * Rules that must not regress:
 * - no run without a valid signature, unless the user has turned that off;
 * - a run starts with the task as the API reports it, never with what the callback says;
 * - 2xx means that nothing is lost: a run was started, or none is due. While the task cannot be
 *   read, or does not show the end that the callback reports, the response is 503, so that the
 *   sender tries again;
 * - it responds within 10 seconds. Longer work belongs into `execute()`.
 */
import type { IDataObject, IWebhookFunctions, IWebhookResponseData } from 'n8n-workflow';

import type { Credential } from '../shared/api/credential';
import { callbackStateIn, loggedId, shapeOf, taskIdsIn } from '../shared/callback/body';
import { confirmTask, type Confirmation } from '../shared/callback/confirmTask';
import {
	onRunStarted,
	respond,
	unavailable,
	type CallbackResponse,
} from '../shared/callback/respond';
import { isSignedBy, metadataIn, proofIn } from '../shared/callback/signature';
import { readableText } from '../shared/json';
import type { Clock } from '../shared/n8n/clock';
import { cachedCredential } from '../shared/n8n/credentialCache';
import { readProblem } from '../shared/task/errors';
import { callbackIn, type Callback } from './callback';
import { deduplicationOf } from './deduplication';
import { awaitedUntil, eventItem, outcomeOf, type Outcome } from './outcome';

/** Milliseconds after which tasks that the account does not have are read once more. */
const UNKNOWN_AGAIN_MS = 250;

/** A run that a callback starts. */
interface StartedRun {
	item: IDataObject;
	/** Where repeats are ignored. */
	deduplicated?: {
		/** Called when n8n reads the response: the last chance to write static data. */
		write: () => void;
		/** Called with whether n8n took the run over. */
		tookOver: (isStarted: boolean) => void;
	};
}

/**
 * Whether a callback may start this workflow: the credential to read the task with, or the refusal.
 */
async function admit({
	context,
	clock,
	parameters,
	query,
	isTestLink,
}: Callback): Promise<Credential | CallbackResponse> {
	const refuse = (log: string): CallbackResponse => ({
		status: 401,
		message: 'The signature is missing or wrong.',
		log,
	});
	const isOpen = isTestLink || !parameters.requireSignature;
	const proof = proofIn(query);
	// Decided by the form alone, before anything is read, so that hostile traffic costs little.
	if (!isOpen && proof === 'absent') {
		return refuse(
			'it has no signature. Paste the URL of this trigger into Callback URL of the Seedance node, which signs it',
		);
	}
	if (!isOpen && proof === 'malformed') return refuse('its address was changed on the way');
	const credential = await cachedCredential(context, clock);
	if ('problem' in credential) return unavailable(credential.problem);
	if (isOpen || isSignedBy(proof, credential.apiKey)) return credential;
	return refuse(
		'it is signed with a different API key, or its address was changed. Choose the same credential as in the Seedance node',
	);
}

/** Decides about a task that was read. `wasDelivered`: whether an event was delivered before. */
function decide(
	{ query, body, parameters }: Callback,
	taskId: string,
	confirmation: Exclude<Confirmation, { outcome: 'unknownTask' }>,
	wasDelivered: (outcome: Outcome) => boolean,
): CallbackResponse | { item: IDataObject; outcome: Outcome } {
	if (confirmation.outcome === 'running') {
		if (callbackStateIn(body) !== 'ended')
			return { status: 200, message: 'The video is not ready yet.' };
		return unavailable(
			`it says that task ${loggedId(taskId)} has ended, but the API shows it as running. It starts nothing until the API shows the end`,
		);
	}
	if (!('task' in confirmation)) {
		const { outcome, failure } = confirmation;
		const failed = { outcome: outcome === 'outOfTime' ? 'unavailable' : outcome, failure } as const;
		return unavailable(readProblem(loggedId(taskId), failed).message);
	}
	const { task } = confirmation;
	const outcome = outcomeOf(task);
	// While the video may still come, either event is possible: the run waits for it, and decides.
	if (outcome !== 'noVideo' && !parameters.events.includes(outcome)) {
		return { status: 200, message: `"Trigger On" does not include a video that has ${outcome}.` };
	}
	if (wasDelivered(outcome)) return { status: 200, message: 'This was delivered before.' };
	return { item: eventItem(task, parameters.simplify, metadataIn(query)), outcome };
}

/**
 * Reads one task that a callback names, and decides. Undefined when the account has no such task.
 */
async function handleTask(
	callback: Callback,
	credential: Credential,
	taskId: string,
): Promise<CallbackResponse | StartedRun | undefined> {
	const { context, clock, deadline } = callback;
	const isEarly = !callback.isTestLink && callbackStateIn(callback.body) !== 'running';
	const confirm = async () =>
		await confirmTask(
			context,
			{ credential, taskId },
			{ isEarly, awaitsVideo: true, deadline },
			clock,
		);
	if (callback.isTest || !callback.parameters.ignoreDuplicates) {
		const found = await confirm();
		if (found.outcome === 'unknownTask') return undefined;
		return decide(callback, taskId, found, () => false);
	}

	const trigger = `${context.getWorkflow().id}:${context.getNode().id}`;
	const deduplication = deduplicationOf(trigger, context.getWorkflowStaticData('node'));
	const lock = deduplication.acquire(taskId);
	let run: StartedRun | undefined;
	try {
		if (!(await lock.waitUntilHeld(deadline - clock.now(), clock))) return unavailable();
		const found = await confirm();
		if (found.outcome === 'unknownTask') return undefined;
		const decision = decide(callback, taskId, found, (one) =>
			deduplication.has(taskId, one, clock.now()),
		);
		if ('status' in decision) return decision;
		const { item, outcome } = decision;
		deduplication.add(taskId, outcome);
		if (outcome === 'noVideo') deduplication.awaitVideo(taskId, awaitedUntil(clock));
		run = {
			item,
			deduplicated: {
				write: () => {
					deduplication.write(taskId, outcome);
					if (!callback.isMultipart) deduplication.confirm(taskId, outcome);
				},
				tookOver: (isStarted) => {
					deduplication[isStarted ? 'confirm' : 'rollback'](taskId, outcome);
					lock.release();
				},
			},
		};
		return run;
	} finally {
		if (!run) lock.release();
	}
}

/**
 * Reads the tasks that a callback names, and decides about the first that the account has. When it
 * has none, once more: after a 404 nobody delivers again, and the API may not know its own task for
 * a moment.
 */
async function handleTasks(
	callback: Callback,
	credential: Credential,
	taskIds: readonly string[],
): Promise<CallbackResponse | StartedRun | undefined> {
	const { clock, deadline } = callback;
	for (const isLast of [false, true]) {
		for (const taskId of taskIds) {
			const found = await handleTask(callback, credential, taskId);
			if (found) return found;
		}
		// Where there is no time for it, the next reading says so.
		const left = Math.max(0, deadline - clock.now());
		if (!isLast) await clock.sleep(Math.min(UNKNOWN_AGAIN_MS, left));
	}
	return undefined;
}

async function handle(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<CallbackResponse | StartedRun> {
	const callback = callbackIn(context, clock);
	const credential = await admit(callback);
	if ('status' in credential) return credential;
	const taskIds = taskIdsIn(callback.body, callback.query);
	if (!taskIds.length) {
		return {
			status: 400,
			message: 'There is no task ID in this callback.',
			log: `there is no task ID in it. What it holds: ${shapeOf(callback.body)}`,
		};
	}
	const unknown: CallbackResponse = {
		status: 404,
		message: 'This account has no such task.',
		log: `there is no task ${taskIds.map(loggedId).join(' or ')} in the account of the credential`,
	};
	return (await handleTasks(callback, credential, taskIds)) ?? unknown;
}

/**
 * Hands the run to n8n, which responds once it has taken it over. An event counts as delivered only
 * then: the write when n8n reads the response goes into the static data of this request alone,
 * which n8n drops when the start fails.
 */
function start(
	context: IWebhookFunctions,
	{ item, deduplicated }: StartedRun,
	clock: Clock,
): IWebhookResponseData {
	if (deduplicated) onRunStarted(context, clock, deduplicated.tookOver);
	return {
		workflowData: [[{ json: item }]],
		// The last chance to write static data (docs/n8n-behaviour.md#reading-of-the-response).
		get webhookResponse() {
			deduplicated?.write();
			return { message: 'The workflow was started.' };
		},
	};
}

/**
 * Handles one callback: gives what n8n starts a run with, or responds by itself. Never throws
 * (docs/n8n-behaviour.md#throwing-in-a-webhook).
 */
export async function handleCallback(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<IWebhookResponseData> {
	try {
		const found = await handle(context, clock);
		return 'status' in found ? respond(context, found) : start(context, found, clock);
	} catch (error) {
		const reason = error instanceof Error ? readableText(error.message, '') : '';
		return respond(context, unavailable(`this node could not be read: ${reason}`));
	}
}
