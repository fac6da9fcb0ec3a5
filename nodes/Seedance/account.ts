/** The Seedance account of an item, or why there is none. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { CREDENTIAL_TYPE, getAccount, type Account } from '../shared/api';
import { credentialProblem, type Problem } from '../shared/errors';

/** The account of one item; a credential that cannot be read is a problem of that item. */
export async function accountOf(
	context: IExecuteFunctions,
	itemIndex: number,
): Promise<{ account: Account } | { problem: Problem }> {
	const name = context.getNode().credentials?.[CREDENTIAL_TYPE]?.name;
	try {
		const account = await getAccount(context, itemIndex);
		return 'problem' in account
			? { problem: credentialProblem(account.problem, name) }
			: { account };
	} catch (error) {
		return { problem: credentialProblem(error instanceof Error ? error.message : '', name) };
	}
}
