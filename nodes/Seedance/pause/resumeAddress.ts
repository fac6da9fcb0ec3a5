/**
 * The address to which the API reports the end of a video that an execution pauses for.
 *
 * n8n's resume URL belongs to the execution, and n8n gives a call to the node that waits at that
 * moment. So the address has a path segment of its node: a repeated callback resumes neither a
 * later Wait node nor another Seedance node (docs/n8n-behaviour.md#resume-address).
 */
import type { IExecuteFunctions, IWebhookDescription, IWebhookFunctions } from 'n8n-workflow';

import { textOf } from '../../shared/json';

/**
 * The segment, as n8n evaluates it for a call. The id of a node may hold any character, its hash
 * does not.
 */
const SEGMENT = '{{ "seedance-" + String($nodeId).hash() }}';

type WebhookName = IWebhookDescription['name'];
/**
 * The address with the segment, and that of executions paused by version 1
 * (docs/n8n-behaviour.md#names-of-webhooks).
 */
const OWN_ADDRESS: WebhookName = 'default';
const BARE_ADDRESS: WebhookName = 'setup';
/** The version of stored pauses whose callbacks lead to the bare address. */
const VERSION_OF_BARE_ADDRESS = 1;

function webhooks(name: WebhookName, path: string): IWebhookDescription[] {
	return (['POST', 'GET'] as const).map((httpMethod) => ({
		name,
		httpMethod,
		responseMode: 'onReceived',
		// Empty, so that n8n responds with what the node gives
		// (docs/n8n-behaviour.md#default-response).
		responseData: '',
		path,
		isFullPath: true,
		restartWebhook: true,
	}));
}

/** Both addresses for both methods; nothing is registered while a workflow is active. */
export const resumeWebhooks: IWebhookDescription[] = [
	...webhooks(OWN_ADDRESS, `=${SEGMENT}`),
	...webhooks(BARE_ADDRESS, ''),
];

/**
 * The address that resumes this execution at this node, with n8n's token
 * (docs/n8n-behaviour.md#resume-token). Throws what n8n throws where it cannot evaluate its resume
 * URL.
 */
export function resumeUrlOf(context: IExecuteFunctions): string {
	const url = textOf(context.evaluateExpression('{{ $execution.resumeUrl }}', 0)) ?? '';
	const segment = textOf(context.evaluateExpression(SEGMENT, 0)) ?? '';
	const at = url.includes('?') ? url.indexOf('?') : url.length;
	return `${url.slice(0, at).replace(/\/+$/, '')}/${segment}${url.slice(at)}`;
}

/**
 * Whether a call may resume a pause of this version: the bare address leads to those of version 1
 * alone.
 */
export function mayResume(context: IWebhookFunctions, pauseVersion: number): boolean {
	return pauseVersion === VERSION_OF_BARE_ADDRESS || context.getWebhookName() === OWN_ADDRESS;
}
