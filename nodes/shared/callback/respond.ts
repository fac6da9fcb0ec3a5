/** The response to a callback, and whether n8n took over the run that it promised. */
import type { IDataObject, IWebhookFunctions, IWebhookResponseData } from 'n8n-workflow';

import { withTimeout, type Clock } from '../n8n/clock';

/** Seconds after which a sender may try again. */
const RETRY_AFTER_SECONDS = 30;

/**
 * The part of n8n's response (Express) that is used here; n8n's types come without those of
 * Express.
 */
interface ExpressResponse {
	closed: boolean;
	/** Whether n8n has responded, also after the sender has hung up. */
	writableEnded: boolean;
	statusCode: number;
	setHeader: (name: string, value: string) => unknown;
	status: (code: number) => { json: (body: IDataObject) => unknown };
	once: (event: 'close', listener: () => void) => unknown;
}

/** A response after which nothing is started. */
export interface CallbackResponse {
	status: 200 | 400 | 401 | 404 | 503;
	/** For the sender: nothing that only the account may know. */
	message: string;
	/** For n8n's log, where its user has to know. */
	log?: string;
}

/**
 * The response when the API cannot be read, or does not show the end yet that the callback reports.
 */
export function unavailable(log?: string): CallbackResponse {
	return {
		status: 503,
		message: 'The video could not be read right now. Deliver again later.',
		log,
	};
}

/**
 * Responds by itself and starts nothing (docs/n8n-behaviour.md#response-without-a-run). `log`
 * becomes the text of a log message (docs/n8n-behaviour.md#log-text).
 */
export function respond(
	context: IWebhookFunctions,
	{ status, message, log }: CallbackResponse,
): IWebhookResponseData {
	if (log) {
		const where = `workflow ${context.getWorkflow().id ?? ''}, node "${context.getNode().name}"`;
		context.logger.warn(`Seedance refused a callback: ${log} (${where})`);
	}
	const response: ExpressResponse = context.getResponseObject();
	if (status === 503) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
	response.status(status).json({ message });
	return { noWebhookResponse: true };
}

/** Milliseconds between two checks whether n8n has responded after the sender has hung up. */
const GONE_DELAY_MS = 250;
/**
 * Milliseconds to wait for n8n, which responds within seconds: a lock must not be held for ever.
 */
export const RUN_START_TIMEOUT_MS = 120_000;

/**
 * Whether n8n responded, and not with an error (docs/n8n-behaviour.md#response-after-the-start).
 */
async function isTakenOver(response: ExpressResponse, clock: Clock): Promise<boolean> {
	const deadline = clock.now() + RUN_START_TIMEOUT_MS;
	if (!response.closed) {
		const closed = new Promise<void>((resolve) => response.once('close', resolve));
		await withTimeout(closed, RUN_START_TIMEOUT_MS, clock);
	}
	while (!response.writableEnded && clock.now() < deadline) await clock.sleep(GONE_DELAY_MS);
	return response.writableEnded && response.statusCode < 400;
}

/**
 * Calls `onOutcome` once with whether n8n has taken the run over, as soon as that is known. After
 * {@link RUN_START_TIMEOUT_MS} it is false: the sender then tries again, and a second run is better
 * than none. Never throws, also when n8n's response or `onOutcome` does.
 */
export function onRunStarted(
	context: IWebhookFunctions,
	clock: Clock,
	onOutcome: (isTakenOver: boolean) => void,
): void {
	const report = (error: unknown) => {
		const reason = error instanceof Error ? error.message : String(error);
		context.logger.warn(`Seedance could not note the outcome of a callback: ${reason}`);
	};
	const observe = async () => {
		let isOver = false;
		try {
			isOver = await isTakenOver(context.getResponseObject(), clock);
		} catch (error) {
			report(error);
		}
		onOutcome(isOver);
	};
	observe().catch(report);
}
