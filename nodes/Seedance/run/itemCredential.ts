/** The Seedance account of an item, or why there is none. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { CREDENTIAL_TYPE, getCredential, type Credential } from '../../shared/api/client';
import { credentialProblem, type Problem } from '../../shared/task/errors';

/**
 * The account of one item; a credential that cannot be read is a problem of that item. Never throws.
 *
 * @param taskId of a task that exists already and is to be read with this account
 */
export async function itemCredential(
	context: IExecuteFunctions,
	itemIndex: number,
	taskId?: string,
): Promise<{ credential: Credential } | { problem: Problem }> {
	const name = context.getNode().credentials?.[CREDENTIAL_TYPE]?.name;
	try {
		const found = await getCredential(context, itemIndex);
		if (!('problem' in found)) return { credential: found };
		return { problem: credentialProblem(found.problem, { name, field: found.field, taskId }) };
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		return { problem: credentialProblem(reason, { name, taskId }) };
	}
}
