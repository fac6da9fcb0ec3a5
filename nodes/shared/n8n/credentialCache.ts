/**
 * The account of a node's credential, for callbacks. n8n builds a whole expression engine each time
 * a credential is read (docs/n8n-behaviour.md#cost-of-a-credential), so under load one reading
 * serves all callbacks of a second.
 */
import type { IWebhookFunctions } from 'n8n-workflow';

import { CREDENTIAL_TYPE, getCredential, type Credential } from '../api/credential';
import type { Clock } from './clock';

/** Milliseconds after which a changed key is used; videos that carry its signature take longer. */
export const CREDENTIAL_KEPT_MS = 1_000;
/** Nodes whose account is kept. */
const KEPT_CREDENTIALS = 100;

type Found = Credential | { problem: string };

const kept = new Map<string, { found: Promise<Found>; readAt: number }>();

/**
 * The account, read at most {@link CREDENTIAL_KEPT_MS} ago, or what is wrong with it. Throws what
 * n8n throws.
 */
export async function cachedCredential(context: IWebhookFunctions, clock: Clock): Promise<Found> {
	const { id, credentials } = context.getNode();
	const name = [context.getWorkflow().id, id, credentials?.[CREDENTIAL_TYPE]?.id].join(':');
	const last = kept.get(name);
	if (last && clock.now() - last.readAt < CREDENTIAL_KEPT_MS) return await last.found;
	const found = getCredential(context);
	kept.delete(name);
	kept.set(name, { found, readAt: clock.now() });
	for (const oldest of kept.keys()) {
		if (kept.size <= KEPT_CREDENTIALS) break;
		kept.delete(oldest);
	}
	const forget = () => kept.get(name)?.found === found && kept.delete(name);
	// A credential that cannot be used is not kept: a person is about to correct it.
	found.then((credential) => 'problem' in credential && forget(), forget);
	return await found;
}
