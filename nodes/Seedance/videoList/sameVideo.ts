/**
 * Which video counts as the same, and what happens when it was paid for before: the settings and
 * the identity of one item.
 */
import { createHmac } from 'crypto';

import { CREDENTIAL_TYPE, type Credential } from '../../shared/api/credential';
import { listIdentity, requestKey } from '../../shared/idempotency/identity';
import type { GenerateBody } from '../../shared/task/request';
import { itemCredential } from '../run/itemCredential';
import { asText, isEmpty } from '../../shared/task/values';
import { choiceParameter, FieldError, fieldRef, readValue } from '../run/fieldReading';
import { emptyParts } from '../run/templates';
import type { Run } from '../run/run';

/** The values of If Same Video Exists, the default first. */
export const IF_EXISTS = ['manualRuns', 'always', 'skip', 'never'] as const;
export type IfExists = (typeof IF_EXISTS)[number];

/** The settings of one item about equal videos. */
export interface SameVideo {
	ifExists: IfExists;
	/** Empty for none. */
	videoKey: string;
	/** Empty for none. */
	budgetFor: string;
}

/**
 * A text that is only compared and shown, so anything may stand in it. Throws a {@link FieldError}.
 */
function labelOfItem(label: string, value: unknown): string {
	if (isEmpty(value)) return '';
	const text = asText(value);
	if (text === undefined) throw new FieldError([`${label} must be a text or a number.`]);
	return text.trim();
}

/**
 * Reads these settings. Throws a {@link FieldError} for a Reuse Key whose expression gives nothing:
 * without a key, the row would be paid for again.
 */
export function readSameVideo({ context, node }: Run, itemIndex: number): SameVideo {
	const ifExists = choiceParameter(context, itemIndex, 'ifExists', IF_EXISTS);
	const group = fieldRef(itemIndex, 'options.creditBudget.budget.budgetFor');
	const budgetFor = labelOfItem(group.label, readValue(context, group, ''));
	if (ifExists === 'never') return { ifExists, videoKey: '', budgetFor };
	const place = fieldRef(itemIndex, 'videoKey');
	const given = readValue(context, place, '');
	const videoKey = labelOfItem(place.label, given);
	if (!videoKey && node.parameters.videoKey) {
		throw new FieldError([
			'Reuse Key is empty: this item has no such value. Check the name in the expression, or remove the key.',
		]);
	}
	// Half a key would match other rows as well.
	const missing = emptyParts(context, place);
	if (missing.length === 0) return { ifExists, videoKey, budgetFor };
	throw new FieldError([
		`Reuse Key is incomplete: this item has no value for ${missing.join(' and ')}. Check the names.`,
	]);
}

/** Whether equal videos of several runs are one; that needs a list that can be written. */
export function isShared({ ifExists, videoKey }: SameVideo): boolean {
	return videoKey !== '' || ifExists === 'always' || ifExists === 'skip';
}

/** The identity of one item in the list. */
export interface VideoIdentity extends SameVideo {
	/** The same for every video that counts as the same, before they are numbered. */
	identity: string;
	/** SHA-256 (hex) of the request. */
	settings: string;
}

/**
 * Gives the account of a credential as part of a video's identity. A fixed key may be renewed, so
 * it does not count; a key from the item counts by a keyed hash.
 */
export async function accountIdResolver(run: Run): Promise<(credential: Credential) => string> {
	const id = run.node.credentials?.[CREDENTIAL_TYPE]?.id ?? '';
	// Without an item, an expression that needs one gives another key, or none.
	const withoutItem = await itemCredential(run, run.input.length);
	const common = 'problem' in withoutItem ? undefined : withoutItem.credential.apiKey;
	return ({ apiKey, baseUrl }) => {
		const hash = createHmac('sha256', apiKey).update('n8n-nodes-seedance/account').digest('hex');
		return `${id} ${baseUrl}${apiKey === common ? '' : ` ${hash.slice(0, 16)}`}`;
	};
}

/** The identity of an item in the list; `imageHashes` stand for input files, whose links differ. */
export function videoIdentityOf(
	run: Run,
	sameVideo: SameVideo,
	account: string,
	{ body, imageHashes }: { body: GenerateBody; imageHashes?: readonly string[] },
): VideoIdentity {
	const settings = requestKey(body, imageHashes);
	const { videoKey } = sameVideo;
	const identity = listIdentity({
		workflowId: run.context.getWorkflow().id ?? '',
		nodeId: run.node.id,
		account,
		...(videoKey ? { videoKey } : { settings }),
	});
	return { ...sameVideo, identity, settings };
}
