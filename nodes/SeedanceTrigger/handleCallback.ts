/**
 * One delivery to the trigger's URL, from the request to the answer: signature, task, `GET /status`, filter,
 * repeat. n8n itself refuses other methods and bodies that are too large.
 *
 * Rules that must not regress:
 * - no run without a valid signature, unless the user has turned that off;
 * - what starts a run is what the API tells of the task, never what the delivery says;
 * - 2xx means that nothing is lost: a run was started, or none is due. While the task cannot be looked at,
 *   or does not show the end that the delivery claims, the answer is 503, so that the sender tries again;
 * - it answers within 10 seconds. Longer work belongs into `execute()`.
 */
import type { IDataObject, IWebhookFunctions, IWebhookResponseData } from 'n8n-workflow';

import {
	afterTakeOver,
	respond,
	unavailable,
	type CallbackResponse,
} from '../shared/callback/respond';
import type { Credential } from '../shared/api/client';
import { isSignedBy, metadataIn, proofIn } from '../shared/callback/signature';
import { bodyOf, claimIn, loggedId, shapeOf, taskIdsIn } from '../shared/callback/body';
import type { Clock } from '../shared/n8n/clock';
import { cachedCredential } from '../shared/n8n/credentialCache';
import { contactLost, readRefused } from '../shared/task/errors';
import { isObject, readableText } from '../shared/json';
import { DECIDE_WITHIN_MS, confirmTask, type Confirmation } from '../shared/callback/confirmTask';
import { awaitedUntil, eventItem, outcomeOf, type Outcome } from './outcome';
import { deduplicationOf } from './deduplication';
import { readSettings, type Settings } from './parameters';

/** A delivery that starts a run. */
interface StartedRun {
	item: IDataObject;
	/** Where repeats are ignored. */
	deduplicated?: {
		/** To be called when n8n reads the answer: the last chance to write static data. */
		write: () => void;
		/** To be told whether n8n took the run over. */
		tookOver: (isStarted: boolean) => void;
	};
}

/** A request, taken apart. */
interface Delivery {
	query: Record<string, unknown>;
	body: unknown;
	/** To a test URL, while a person listens. */
	isTest: boolean;
	/** Form data in several parts: n8n reads the answer to it before it starts the run as well (measured in 2.41). */
	isMultipart: boolean;
	/** A link that a person opens while listening: it needs no signature, since the task is read with their key. */
	isTestLink: boolean;
}

/** Whether somebody may start this workflow: the account to read the task with, or the refusal. */
async function admit(
	context: IWebhookFunctions,
	{ query, isTestLink }: Delivery,
	settings: Settings,
	clock: Clock,
): Promise<Credential | CallbackResponse> {
	const refuse = (log: string): CallbackResponse => ({
		status: 401,
		message: 'The signature is missing or wrong.',
		log,
	});
	const isOpen = isTestLink || !settings.requireSignature;
	const proof = proofIn(query);
	// Told apart from the form alone, before anything is read: hostile traffic costs little.
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

/** Decides about a task that was looked at. `wasDelivered` tells whether an event was delivered before. */
function decide(
	taskId: string,
	confirmation: Exclude<Confirmation, { outcome: 'unknownTask' }>,
	{ query, body }: Delivery,
	settings: Settings,
	wasDelivered: (outcome: Outcome) => boolean,
): CallbackResponse | { item: IDataObject; outcome: Outcome } {
	if (confirmation.outcome === 'cannotTell' || confirmation.outcome === 'noTime') {
		const isFinal = confirmation.outcome === 'cannotTell' && confirmation.isFinal;
		const found = (isFinal ? readRefused : contactLost)(loggedId(taskId), confirmation.failure);
		return unavailable(found.message);
	}
	if (confirmation.outcome === 'running') {
		if (claimIn(body) !== 'ended') return { status: 200, message: 'The video is not ready yet.' };
		return unavailable(
			`it says that task ${loggedId(taskId)} has ended, but the API shows it as running. It starts nothing until the API shows the end`,
		);
	}
	const { task } = confirmation;
	const outcome = outcomeOf(task);
	// While the video may still come, either event may be the one: the run waits for it, and decides.
	if (outcome !== 'noVideo' && !settings.events.includes(outcome)) {
		return { status: 200, message: `"Trigger On" does not include a video that has ${outcome}.` };
	}
	if (wasDelivered(outcome)) return { status: 200, message: 'This was delivered before.' };
	return { item: eventItem(task, settings.simplify, metadataIn(query)), outcome };
}

/** Looks at one task that a delivery names. Undefined when the account has no such task. */
async function handleTask(
	context: IWebhookFunctions,
	credential: Credential,
	taskId: string,
	delivery: Delivery,
	settings: Settings,
	deadline: number,
	clock: Clock,
): Promise<CallbackResponse | StartedRun | undefined> {
	const isEarly = !delivery.isTestLink && claimIn(delivery.body) !== 'running';
	const patience = { isEarly, awaitsVideo: true, deadline };
	const confirmation = async () =>
		await confirmTask(context, { credential, taskId }, patience, clock);
	if (delivery.isTest || !settings.ignoreDuplicates) {
		const found = await confirmation();
		if (found.outcome === 'unknownTask') return undefined;
		return decide(taskId, found, delivery, settings, () => false);
	}

	const trigger = `${context.getWorkflow().id}:${context.getNode().id}`;
	const deduplication = deduplicationOf(trigger, context.getWorkflowStaticData('node'));
	const lock = deduplication.acquire(taskId);
	let run: StartedRun | undefined;
	try {
		if (!(await lock.isHeld(deadline - clock.now(), clock))) return unavailable();
		const found = await confirmation();
		if (found.outcome === 'unknownTask') return undefined;
		const decision = decide(taskId, found, delivery, settings, (one) =>
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
					if (!delivery.isMultipart) deduplication.confirm(taskId, outcome);
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

async function handle(
	context: IWebhookFunctions,
	clock: Clock,
): Promise<CallbackResponse | StartedRun> {
	const deadline = clock.now() + DECIDE_WITHIN_MS;
	const settings = readSettings(context);
	const query: unknown = context.getQueryData();
	const { method }: { method: string } = context.getRequestObject();
	const { 'content-type': contentType } = context.getHeaderData();
	const isTest = context.getMode() === 'manual';
	const delivery: Delivery = {
		query: isObject(query) ? query : {},
		body: bodyOf(context),
		isMultipart: /^multipart\//i.test(String(contentType)),
		isTest,
		isTestLink: isTest && method === 'GET' && isObject(query) && proofIn(query) === 'absent',
	};
	const credential = await admit(context, delivery, settings, clock);
	if ('status' in credential) return credential;
	const taskIds = taskIdsIn(delivery.body, delivery.query);
	for (const taskId of taskIds) {
		const found = await handleTask(
			context,
			credential,
			taskId,
			delivery,
			settings,
			deadline,
			clock,
		);
		if (found) return found;
	}
	if (!taskIds.length) {
		return {
			status: 400,
			message: 'There is no task ID in this delivery.',
			log: `there is no task ID in it. What it holds: ${shapeOf(delivery.body)}`,
		};
	}
	return {
		status: 404,
		message: 'This account has no such task.',
		log: `there is no task ${taskIds.map(loggedId).join(' or ')} in the account of the credential`,
	};
}

/**
 * Hands the run to n8n, which answers once it has taken it over. An event counts as delivered only then: what the answer
 * writes when n8n reads it goes into the static data of this request alone, which n8n drops when the run fails.
 */
function start(
	context: IWebhookFunctions,
	{ item, deduplicated }: StartedRun,
	clock: Clock,
): IWebhookResponseData {
	if (deduplicated) afterTakeOver(context, clock, deduplicated.tookOver);
	return {
		workflowData: [[{ json: item }]],
		// n8n 2 reads the answer between starting the run and saving the static data (measured): the last chance to write.
		get webhookResponse() {
			deduplicated?.write();
			return { message: 'The workflow was started.' };
		},
	};
}

/**
 * Handles one delivery: gives what n8n starts a run with, or answers by itself. Never throws, because n8n would
 * start a run with an empty item.
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
