/** The Seedance credential of an item, or why there is none. */
import { CREDENTIAL_TYPE, getCredential, type Credential } from '../../shared/api/credential';
import { credentialProblem, type Problem } from '../../shared/task/errors';
import type { Run } from './run';

/** The name of the node's credential, as its owner sees it. */
export function credentialName({ node }: Pick<Run, 'node'>): string | undefined {
	return node.credentials?.[CREDENTIAL_TYPE]?.name;
}

/**
 * The credential of one item, or the problem of the item where it cannot be read. Never throws.
 *
 * @param taskId of a task that exists already and is to be read with it
 */
export async function itemCredential(
	run: Pick<Run, 'context' | 'node'>,
	itemIndex: number,
	taskId?: string,
): Promise<{ credential: Credential } | { problem: Problem }> {
	const name = credentialName(run);
	try {
		const found = await getCredential(run.context, itemIndex);
		if (!('problem' in found)) return { credential: found };
		return { problem: credentialProblem(found.problem, { name, field: found.field, taskId }) };
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		return { problem: credentialProblem(reason, { name, taskId }) };
	}
}
