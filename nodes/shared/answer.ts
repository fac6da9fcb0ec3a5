/** How a callback is answered, and how one learns whether n8n took over what the answer promised. */
import type { IDataObject, IWebhookFunctions, IWebhookResponseData } from 'n8n-workflow';

import type { Clock } from './clock';

/** Seconds after which a sender may try again. */
export const RETRY_AFTER_SECONDS = 30;

/** The part of n8n's response (Express) that is used here; n8n's types come without those of Express. */
interface HttpResponse {
	closed: boolean;
	/** Whether n8n has answered; also when nobody is there any more to hear it. */
	writableEnded: boolean;
	statusCode: number;
	setHeader: (name: string, value: string) => unknown;
	status: (code: number) => { json: (body: IDataObject) => unknown };
	once: (event: 'close', listener: () => void) => unknown;
}

/** An answer after which nothing is started. */
export interface Answer {
	status: 200 | 400 | 401 | 404 | 503;
	/** For the sender: nothing that only the account may know. */
	message: string;
	/** For n8n's log, where its user has to know. */
	log?: string;
}

/** The answer when the API cannot be asked, or does not show yet what it reports. */
export function unavailable(log?: string): Answer {
	return {
		status: 503,
		message: 'The video could not be looked at right now. Deliver again later.',
		log,
	};
}

/** Answers by itself and starts nothing. What a user has to know is in n8n's log, in the text of the message. */
export function answer(
	context: IWebhookFunctions,
	{ status, message, log }: Answer,
): IWebhookResponseData {
	if (log) {
		const where = `workflow ${context.getWorkflow().id ?? ''}, node "${context.getNode().name}"`;
		context.logger.warn(`Seedance refused a callback: ${log} (${where})`);
	}
	const response: HttpResponse = context.getResponseObject();
	if (status === 503) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
	response.status(status).json({ message });
	return { noWebhookResponse: true };
}

/** Milliseconds between two looks whether n8n has answered a sender that has hung up, and how long it is looked for. */
const GONE_PAUSE_MS = 250;
const GONE_MS = 60_000;

/**
 * Whether n8n has taken over what was handed to it, once that is known. An error of n8n means that it has not, and that the
 * sender tries again; a sender that hung up does not stop it.
 */
export async function isTakenOver(context: IWebhookFunctions, clock: Clock): Promise<boolean> {
	const response: HttpResponse = context.getResponseObject();
	if (!response.closed) await new Promise<void>((resolve) => response.once('close', resolve));
	for (let ms = 0; !response.writableEnded && ms < GONE_MS; ms += GONE_PAUSE_MS) {
		await clock.sleep(GONE_PAUSE_MS);
	}
	return !(response.writableEnded && response.statusCode >= 400);
}
